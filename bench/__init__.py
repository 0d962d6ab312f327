"""Measures the goals of speed: `python -m bench`."""
