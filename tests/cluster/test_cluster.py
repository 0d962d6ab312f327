"""The product on its real servers, all of which die once under load: nothing acknowledged is lost or doubled.

The short form of `make faults`.
"""

import os
from pathlib import Path

import pytest

from tests.cluster.cluster_faults import run
from tests.cluster.profiles import CASSANDRA, MONGO, Profile
from tests.contract.engines import SERVERS

pytestmark = SERVERS


@pytest.mark.parametrize("profile", [CASSANDRA, MONGO], ids=lambda profile: profile.name)
def test_each_server_and_process_dies_once(profile: Profile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    profile.check()
    if profile is MONGO and os.environ.get("TOWNSQUARE_TEST_MONGO_URL"):
        pytest.skip("a MongoDB that somebody runs is not killed")
    # Servers of its own: the contract suites' must not die.
    monkeypatch.setenv("TOWNSQUARE_ENGINES_RUN", str(tmp_path / "engines"))
    found = run(profile, tmp_path, times=1, webs=2, workers=1)
    assert found.faults == []
    assert set(found.kills.values()) == {1}
    assert min(found.acts.values()) > 0
