"""The Content-Security-Policy of pages: nothing inline, nothing from elsewhere, no frames.

Box: web.
"""


def page_policy(form_targets: tuple[str, ...] = ()) -> str:
    """The policy of a page. `form_targets`: origins that a form on it may end at, besides our own."""
    targets = " ".join(("'self'", *form_targets))
    return (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data: blob:; media-src 'self'; "
        f"connect-src 'self'; manifest-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action {targets}"
    )
