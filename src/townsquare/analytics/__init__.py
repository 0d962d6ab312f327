"""BOX analytics: activity and engagement as facts, and questions about them, behind port.py."""
