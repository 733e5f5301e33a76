"""Lar: a self-hosted personal assistant and agent gateway."""

__version__ = "0.1.0"
