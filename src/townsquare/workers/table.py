"""Every job of the workers, and all that is done by the clock. A family of handlers adds a line.

Box: workers.
"""

from townsquare.social import trends
from townsquare.social.ports import Ports
from townsquare.workers import cards, cleanup, counts, facts, fan_out, graph, index, mail, media, notify
from townsquare.workers.jobs import Jobs
from townsquare.workers.schedule import PERIODIC, Periodic


async def refresh_trends(ports: Ports) -> None:
    """What many people take up just now."""
    await trends.refresh(ports)


ALL_JOBS: Jobs = {
    **cards.JOBS,
    **cleanup.JOBS,
    **counts.JOBS,
    **facts.JOBS,
    **fan_out.JOBS,
    **graph.JOBS,
    **index.JOBS,
    **mail.JOBS,
    **media.JOBS,
    **notify.JOBS,
}

ALL_PERIODIC: tuple[Periodic, ...] = (
    *PERIODIC,
    *facts.PERIODIC,
    Periodic(name="trends", every_s=120.0, handler=refresh_trends),
)
