"""`townsquare seed`.

Box: cli.
"""

import time
from pathlib import Path

import click
import msgspec

from townsquare.cli.options import Context, data_option, json_option
from townsquare.cli.progress import Progress
from townsquare.cli.session import show, with_ports
from townsquare.social.ports import Ports


@click.command()
@click.option("--people", type=click.IntRange(2, 1_000_000), default=200, show_default=True, help="How many people.")
@click.option("--mean-follows", type=float, default=30.0, show_default=True, help="Whom each follows, on average.")
@click.option(
    "--graph",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Follow along this list of edges (`A B` a line, both ways; .gz too) instead.",
)
@click.option(
    "--texts",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Texts of posts, one a line, instead of our own.",
)
@click.option("--posts-each", type=float, default=4.0, show_default=True, help="Posts per person, on average.")
@click.option(
    "--pictures", type=click.FloatRange(0, 1), default=0.08, show_default=True, help="Part of the posts with a picture."
)
@click.option("--password", default="", help="Password of all these people; none can log in without it.")
@click.option("--seed", type=int, default=1, show_default=True, help="The same number makes the same people.")
@data_option
@json_option
@click.pass_obj
def seed(  # noqa: PLR0917 - an option each
    context: Context,
    people: int,
    mean_follows: float,
    graph: Path | None,
    texts: Path | None,
    posts_each: float,
    pictures: float,
    password: str,
    seed: int,
    data: str | None,
    as_json: bool,
) -> None:
    """Fill a server with people who follow, post, reply, boost and favourite as in life."""
    from random import Random  # noqa: PLC0415

    from townsquare.cli.seeding import fill  # noqa: PLC0415 - numpy, slow to import
    from townsquare.cli.seeding import graph as graphs  # noqa: PLC0415
    from townsquare.cli.seeding.words import Words  # noqa: PLC0415

    try:
        edges = graphs.read(graph) if graph else graphs.generate(people, mean_follows=mean_follows, seed=seed)
        words = Words(Random(seed), texts)
    except (ValueError, OSError) as exc:
        raise click.ClickException(f"{graph or texts}: {exc}" if isinstance(exc, OSError) else str(exc)) from exc
    plan = fill.Plan(posts_each=posts_each, pictures_part=pictures, password=password)
    begun = time.monotonic()
    shown = Progress(quiet=as_json)

    async def act(ports: Ports) -> fill.Made:
        return await fill.Filling(ports, edges, plan, seed=seed, words=words, progress=shown).run()

    # What a power cut takes is seeded again; at the end all is on the disk.
    settings = msgspec.structs.replace(context.settings(data=data), relaxed_sync=True)
    made = with_ports(settings, act, new=True)
    shown.end()
    took_s = time.monotonic() - begun
    counts = {
        "people": len(made.people),
        "follows": made.follows,
        "posts": len(made.posts),
        "replies": made.replies,
        "pictures": made.pictures,
        "favourites": made.favourites,
        "boosts": made.boosts,
        "seconds": round(took_s, 1),
    }
    show(counts, as_json=as_json, text=", ".join(f"{value} {name}" for name, value in counts.items()))
