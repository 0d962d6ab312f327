"""Who follows whom: generated with a long tail, or read from a list of edges.

Box: cli. A graph is two arrays of the same length, follower and followed, numbered from 0 and sorted by follower.
"""

import gzip
import math
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.int64]

TAIL = 0.784  # weight of the target of rank r is r ** -TAIL
MOST_FOLLOWS = 2_000
MOST_FOLLOWERS_PART = 0.22  # of all people
_SIGMA = 1.0


class Graph(NamedTuple):
    """`people` of them; `follower[i]` follows `followed[i]`."""

    people: int
    follower: Numbers
    followed: Numbers


def generate(people: int, *, mean_follows: float, seed: int) -> Graph:
    """A graph with lognormal numbers of follows and a power law of followers; nobody follows himself."""
    random = np.random.Generator(np.random.PCG64(seed))
    mean = min(mean_follows, people / 4)
    drawn = random.lognormal(math.log(mean) - _SIGMA**2 / 2, _SIGMA, people)
    degrees = np.clip(np.rint(drawn), 1, min(MOST_FOLLOWS, people - 1)).astype(np.int64)
    weights = np.arange(1, people + 1, dtype=np.float64) ** -TAIL
    edges = np.cumsum(weights / weights.sum())
    by_rank = random.permutation(people)
    follower = np.repeat(np.arange(people, dtype=np.int64), degrees)
    ranks = np.minimum(np.searchsorted(edges, random.random(follower.size)), people - 1)
    followed = by_rank[ranks].astype(np.int64)
    keys = np.unique(follower * people + followed)
    follower, followed = keys // people, keys % people
    other = follower != followed
    return _capped(people, follower[other], followed[other], random)


def _capped(people: int, follower: Numbers, followed: Numbers, random: np.random.Generator) -> Graph:
    """Without the followers that somebody has over the cap, chosen by chance."""
    most = max(1, int(MOST_FOLLOWERS_PART * people))
    shuffled = random.permutation(follower.size)
    order = shuffled[np.argsort(followed[shuffled], kind="stable")]
    counts = np.bincount(followed, minlength=people)
    starts = np.cumsum(counts) - counts
    place = np.arange(order.size) - np.repeat(starts, counts)
    kept = np.sort(order[place < most])
    return Graph(people, follower[kept], followed[kept])


def read(path: Path) -> Graph:
    """A graph from a text of edges, `A B` a line, plain or gzipped; each edge is a follow both ways.

    Raises: ValueError with the line that cannot be read.
    """
    pairs = []
    with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as lines:
        for n, line in enumerate(lines, 1):
            words = line.split()
            if not words or words[0].startswith(("#", "%")):
                continue
            if len(words) < 2 or not (words[0].isdecimal() and words[1].isdecimal()):
                raise ValueError(f"{path}, line {n}: two numbers are wanted, not {line.strip()[:60]!r}")
            pairs.append((int(words[0]), int(words[1])))
    if not pairs:
        raise ValueError(f"{path} holds no edges")
    names, numbers = np.unique(np.array(pairs, dtype=np.int64), return_inverse=True)
    numbers = numbers.reshape(-1, 2)
    both = np.concatenate([numbers, numbers[:, ::-1]])
    both = both[both[:, 0] != both[:, 1]]
    keys = np.unique(both[:, 0] * names.size + both[:, 1])
    return Graph(int(names.size), keys // names.size, keys % names.size)
