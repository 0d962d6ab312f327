"""BOX streaming: live events between processes, behind port.py."""
