"""How far a long command is, on stderr.

Box: cli.
"""

import sys

import click


class Progress:
    """A line that is written over; silent where nobody looks."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet, self._what = quiet or not sys.stderr.isatty(), ""

    def __call__(self, what: str, done: int, of: int) -> None:
        """So many of so many are done."""
        self._say(what, f"{done:,} of {of:,}")

    def count(self, what: str, done: int) -> None:
        """So many are done; how many there are is not known."""
        self._say(what, f"{done:,}")

    def end(self) -> None:
        """Leave the line."""
        if self._what and not self._quiet:
            click.echo("", err=True)
        self._what = ""

    def _say(self, what: str, how_far: str) -> None:
        if self._quiet:
            return
        if what != self._what:
            self.end()
            self._what = what
        click.echo(f"\r{what}: {how_far}", nl=False, err=True)
