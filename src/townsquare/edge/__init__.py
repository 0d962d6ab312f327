"""DOOR before the web servers: health and the client's real address."""
