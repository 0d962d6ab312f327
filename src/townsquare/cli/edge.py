"""`townsquare edge`: configuration of what stands in front, written from the settings.

Box: cli.
"""

from pathlib import Path

import click

from townsquare.cli.options import Context, WrongUse, data_option


@click.group()
def edge() -> None:
    """Write the configuration of what stands in front of the web servers."""


@edge.command("nginx")
@data_option
@click.option("--out", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path), help="Write there [stdout].")
@click.option("--brotli/--no-brotli", default=None, help="Whether NGINX has the module [default: look for it].")
@click.pass_obj
def nginx(context: Context, data: str | None, out: Path | None, brotli: bool | None) -> None:
    """The whole NGINX file: TLS, balancing, retries, caches, limits, log."""
    from townsquare.edge.nginx import BROTLI_MODULES, Door, nginx_conf  # noqa: PLC0415 - heavy: --help is quick
    from townsquare.web.application import declared_routes  # noqa: PLC0415
    from townsquare.web.streaming.websocket import PATH  # noqa: PLC0415

    there = (Path(BROTLI_MODULES) / "ngx_http_brotli_filter_module.so").exists() if brotli is None else brotli
    try:
        text = nginx_conf(context.settings(data=data), Door(declared_routes(), (PATH,)), brotli=there)
    except ValueError as exc:
        raise WrongUse(str(exc)) from exc
    if out is None:
        click.echo(text, nl=False)
        return
    try:
        out.write_text(text)
    except OSError as exc:
        raise click.ClickException(f"{out} cannot be written: {exc.strerror}.") from exc
    click.echo(f"Written: {out}. Try it with: nginx -t -c {out.resolve()}", err=True)
