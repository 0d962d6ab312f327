"""The product on its real servers, all of which die once under load: nothing acknowledged is lost or doubled.

The short form of `make faults`.
"""

import itertools
import os
from pathlib import Path

import pytest

from tests.cluster.cluster_faults import Plan, run
from tests.cluster.profiles import CASSANDRA, MONGO, Profile
from tests.contract.engines import SERVERS
from tests.engines.places import places

pytestmark = SERVERS


def _have_servers_of_its_own(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The contract suites' must not die: another run folder, whose ports are other ones."""
    theirs = places().first_port
    for n in itertools.count():
        monkeypatch.setenv("TOWNSQUARE_ENGINES_RUN", str(folder / f"engines{n}"))
        if places().first_port != theirs:
            return


@pytest.mark.parametrize("profile", [CASSANDRA, MONGO], ids=lambda profile: profile.name)
def test_each_server_and_process_dies_once(profile: Profile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    profile.check()
    if profile is MONGO and os.environ.get("TOWNSQUARE_TEST_MONGO_URL"):
        pytest.skip("a MongoDB that somebody runs is not killed")
    _have_servers_of_its_own(tmp_path, monkeypatch)
    found = run(profile, tmp_path, Plan(times=1, webs=2, workers=1)).findings
    assert found.faults == []
    assert set(found.kills.values()) == {1}
    assert min(found.acts.values()) > 0
