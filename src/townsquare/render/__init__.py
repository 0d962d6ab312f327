"""PAGES: model to bytes as Mastodon clients expect; pure, one file per entity page."""
