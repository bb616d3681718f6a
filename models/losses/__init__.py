"""Loss terms, one pure function a module."""
