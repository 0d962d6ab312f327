"""BOX cache: values by key that can all be made again, behind port.py."""
