"""Parts of pages: each draws one thing that several pages show."""
