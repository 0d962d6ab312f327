"""The command line: run the roles, and what an operator does beside them.

Box: cli.
"""

import click

from townsquare import __version__
from townsquare.cli import (
    accounts,
    analytics,
    archive,
    copy,
    doctor,
    edge,
    queue,
    report,
    run,
    search,
    seed,
    settings,
    top,
)
from townsquare.cli.options import Context


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="townsquare")
@click.option("--data", metavar="DIR", help="Folder of the server's data [default: data].")
@click.pass_context
def townsquare(context: click.Context, data: str | None) -> None:
    """Townsquare: a social network server."""
    context.obj = Context({"data": data} if data else {})


for command in (
    run.run, run.web, run.workers, accounts.accounts, accounts.tokens_group, settings.settings, doctor.doctor,
    archive.backup, archive.restore, copy.copy, queue.queue, analytics.analytics, search.search, seed.seed, edge.edge,
    report.report, top.top,
):  # fmt: skip
    townsquare.add_command(command)
