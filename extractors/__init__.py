"""Signals to timed features: media in, :class:`~extractors.sequence.FeatureSequence` out.

Importing this package loads no heavy library; each extractor loads its own when it is used.
"""
