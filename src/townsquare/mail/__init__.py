"""BOX mail: messages to people's e-mail addresses, behind port.py."""
