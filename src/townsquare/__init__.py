"""Townsquare: a social network server. The folders are the boxes of docs/drawing.md."""

__version__ = "0.1.0"
