"""A server whose operator wants no numbers: nothing is told, and all else goes on."""

from pathlib import Path

from townsquare.analytics.port import Question
from townsquare.boot import open_ports
from townsquare.model.facts import Fact
from townsquare.model.tasks import IndexAccount, RecordFacts
from townsquare.settings import Settings

ACT = Fact(id=1, kind="post", at_ms=5, actor=7)


async def test_facts_are_forgotten_and_other_tasks_are_done(tmp_path: Path) -> None:
    async with open_ports(Settings(data=str(tmp_path), analytics="off:")) as ports:
        await ports.outbox.leave([RecordFacts((ACT,)), IndexAccount(account_id=7)])
        await ports.outbox.leave([RecordFacts((ACT,))])
        ports.facts.note(ACT)
        await ports.facts.flush()
        await ports.outbox.flush()
        depths = {depth.lane: depth.waiting for depth in await ports.queue.depths() if depth.waiting}
        assert depths == {"index": 1}
        assert await ports.analytics.ask([Question(kinds=("post",), since_ms=0, until_ms=9)]) == [[]]
        assert (await ports.analytics.coverage()).facts == 0
