"""Lends the tools of a village workshop."""

__version__ = "0.3.2"
