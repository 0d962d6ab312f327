"""BOX store: rows in partitions, behind port.py; the questions about each noun stand in its own file."""
