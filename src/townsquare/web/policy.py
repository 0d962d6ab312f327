"""The Content-Security-Policy of pages: nothing inline, no frames, nothing from elsewhere but files of people where the
media store serves them itself.

Box: web.
"""


def page_policy(form_targets: tuple[str, ...] = (), *, files: tuple[str, ...] = ()) -> str:
    """The policy of a page. Origins besides our own: `form_targets` where a form on it may end, `files` where pictures
    and films come from."""
    own = " ".join(("'self'", *files))
    targets = " ".join(("'self'", *form_targets))
    return (
        f"default-src 'none'; style-src 'self'; script-src 'self'; img-src {own} data: blob:; media-src {own}; "
        f"connect-src 'self'; manifest-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action {targets}"
    )
