"""The HTTP side of the web servers: routes on Falcon's compiled router, requests in, answers out."""
