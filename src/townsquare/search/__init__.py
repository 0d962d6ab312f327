"""BOX search: documents by words, behind port.py."""
