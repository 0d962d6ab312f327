"""BOX queue: work for later, at least once, behind port.py."""
