"""Data sets as others keep them: read, and some of them written."""
