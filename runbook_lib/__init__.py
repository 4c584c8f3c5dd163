"""Validate a staged Cloud Run revision: a plan in, a verdict with its evidence out."""

__version__ = "0.1.0"
