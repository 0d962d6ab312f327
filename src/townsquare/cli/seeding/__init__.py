"""Fill a server with people and what they do, the same for the same seed."""
