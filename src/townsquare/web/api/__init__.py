"""One file per methods page of the Mastodon API documentation, handlers and ROUTES together."""
