"""Pages of HTML for people, by forms that need no script."""
