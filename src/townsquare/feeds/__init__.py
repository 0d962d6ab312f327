"""BOX feeds: home timelines as rings of status ids, behind port.py."""
