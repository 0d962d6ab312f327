"""BOX media: files of people, behind port.py; images.py is pure work on files."""
