"""Prefect flows: every task calls one function of :mod:`pipeline`."""
