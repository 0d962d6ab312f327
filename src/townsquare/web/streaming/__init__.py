"""Live streams to clients: WebSocket and server-sent events, from the bus's events to frames."""
