"""`townsquare run`, `web`, `workers`.

Box: cli.
"""

import asyncio
import os
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click

from townsquare.cli.lock import hold
from townsquare.cli.options import Context, WrongUse, data_option
from townsquare.settings import Settings

_MOST_WEB = 4


def _server_options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        click.option("--test-mode", is_flag=True, default=None, help="For test programs: see the setting."),
        click.option("--url", metavar="URL", help="Public address, such as https://example.org."),
        click.option("--bind", metavar="HOST:PORT", help="Address to listen on [default: 127.0.0.1:3000]."),
        data_option,
    ):
        command = option(command)
    return command


@click.command()
@_server_options
@click.option("--web-processes", type=click.IntRange(0, 64), help="Web processes; 0: one per core, at most 4.")
@click.option("--worker-processes", type=click.IntRange(0, 64), help="Worker processes.")
@click.pass_obj
def run(context: Context, /, **options: Any) -> None:
    """Everything in one: web servers, workers and the scheduler, started again when they die."""
    from townsquare.boot import check_engines  # noqa: PLC0415 - heavy, so that --help is quick
    from townsquare.cli import roles  # noqa: PLC0415
    from townsquare.cli.logs import set_up_logging  # noqa: PLC0415
    from townsquare.cli.meters import check_desk  # noqa: PLC0415
    from townsquare.cli.session import refusals  # noqa: PLC0415
    from townsquare.cli.supervise import Role, Supervisor  # noqa: PLC0415

    settings = context.settings(**options)
    web = settings.web_processes or min(_MOST_WEB, os.cpu_count() or 1)
    with refusals(settings), ExitStack() as stack:
        check_engines(settings, processes=web + settings.worker_processes)
        hold(Path(settings.data), patience_s=settings.drain_s)
        sock = stack.enter_context(roles.listen(settings))
        check_desk(settings, shared=False)
        set_up_logging(settings)
        owner = asyncio.run(roles.prepare(settings))
        stack.pop_all()  # what listens is the roles' from now on
    work_role = lambda pipe: roles.run_workers(settings, (), roles.tell(pipe))  # noqa: E731
    sys.exit(
        Supervisor(
            roles.web_roles(settings, sock, count=web)
            + [Role(f"workers {n + 1}", work_role) for n in range(settings.worker_processes)],
            drain_s=settings.drain_s,
            on_ready=lambda: _say_ready(settings, owner),
            on_stop=sock.close,
        ).run()
    )


def _say_ready(settings: Settings, owner: str | None) -> None:
    click.echo(f"Townsquare is ready: {settings.url} (listening on {settings.bind})")
    if owner:
        click.echo(f"Open this link once to become its owner: {owner}")
    sys.stdout.flush()


@click.command()
@_server_options
@click.pass_obj
def web(context: Context, /, **options: Any) -> None:
    """One web process. Several may listen on the same address."""
    from townsquare.cli import roles  # noqa: PLC0415
    from townsquare.cli.session import refusals  # noqa: PLC0415
    from townsquare.web.server.accepting import Door  # noqa: PLC0415

    settings = context.settings(**options)
    with refusals(settings), roles.listen(settings, shared=True) as sock:
        asyncio.run(roles.prepare(settings))
        roles.run_web(settings, Door.alone(sock), lambda: click.echo(f"web is ready on {settings.bind}"))


@click.command()
@_server_options
@click.option("--lanes", metavar="A,B", default="", help="Only these lanes of work [default: all].")
@click.option("--once", is_flag=True, help="End when nothing waits any more; not with --lanes.")
@click.pass_obj
def workers(context: Context, /, lanes: str, once: bool, **options: Any) -> None:
    """One worker process, which may be the scheduler too."""
    from townsquare.cli import roles  # noqa: PLC0415
    from townsquare.cli.session import refusals, with_ports  # noqa: PLC0415
    from townsquare.workers.lanes import LANES  # noqa: PLC0415

    settings = context.settings(**options)
    wanted = tuple(lane.strip() for lane in lanes.split(",") if lane.strip())
    known = [lane.name for lane in LANES]
    if unknown := [lane for lane in wanted if lane not in known]:
        raise WrongUse(f"There is no lane {', '.join(unknown)}; there are {', '.join(known)}.")
    if once:
        try:
            done = with_ports(settings, roles.work_once)
        except ExceptionGroup as exc:
            raise click.ClickException(f"{len(exc.exceptions)} tasks failed, such as: {exc.exceptions[0]}") from exc
        click.echo(f"{done} tasks are done; nothing waits any more")
        return
    with refusals(settings):
        asyncio.run(roles.prepare(settings))
        roles.run_workers(settings, wanted, lambda: click.echo("workers are ready"))
