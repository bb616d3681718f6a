"""Padded batches in, predictions and named losses out.

Needs torch only: no media library, no file, no orchestration, so it runs on a bare GPU image.
"""
