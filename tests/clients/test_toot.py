"""toot (PyPI) logs in, posts with a picture, reads its timelines and notifications."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.live import PASSWORD, LiveServer, eventually

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("clients")]


def test_toot_reads_and_posts(live: LiveServer, picture: Path, tmp_path: Path) -> None:
    live.account("toot_ann")
    other = live.account("toot_ben")

    def toot(*words: str, typed: str = "") -> str:
        done = subprocess.run(
            [str(Path(sys.executable).with_name("toot")), "--no-color", *words],
            capture_output=True,
            text=True,
            input=typed,
            check=False,
            timeout=60,
            env={**os.environ, "XDG_CONFIG_HOME": str(tmp_path), "HOME": str(tmp_path)},
        )
        assert done.returncode == 0, done.stderr or done.stdout
        return done.stdout

    toot("login_cli", "--instance", live.url, "--email", "toot_ann@example.org", typed=PASSWORD + "\n")
    assert "toot_ann" in toot("whoami")
    toot("follow", "toot_ben")
    posted = toot("post", "From the shell", "--media", str(picture), "--description", "Coloured hills")
    assert f"{live.url}/@toot_ann/" in posted
    with live.client(other["token"]) as ben:
        status = ben.post("/api/v1/statuses", data={"status": "Hello @toot_ann"}).json()
        assert status["mentions"][0]["username"] == "toot_ann"

    home = eventually(lambda: (text := toot("timelines", "home")) and "Hello" in text and text)
    assert "From the shell" in home
    assert "toot_ben" in eventually(lambda: (text := toot("notifications")) and "mentioned" in text and text)
    assert "From the shell" in toot("timelines", "account", "toot_ann") or "From the shell" in toot(
        "timelines", "public"
    )
