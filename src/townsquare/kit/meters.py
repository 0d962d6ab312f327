"""What is counted while we work: plain numbers in one process, read from time to time by whoever shows them.

Box: kit. One loop counts and reads, so nothing is locked. A note costs about 0.4 us.
"""

from bisect import bisect_left

# Upper ends of the buckets; one more takes what was longer.
BOUNDS_S = (
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0
)  # fmt: skip
STATUS_CLASSES = 6  # 1xx to 5xx, and 0 for what is none


class Histogram:
    """How long something took, by size."""

    __slots__ = ("buckets", "total_s")

    def __init__(self) -> None:
        self.buckets = [0] * (len(BOUNDS_S) + 1)
        self.total_s = 0.0

    def note(self, seconds: float) -> None:
        """It took so long this time."""
        self.buckets[bisect_left(BOUNDS_S, seconds)] += 1
        self.total_s += seconds

    def add(self, other: "Histogram") -> None:
        """Count the other's times with ours."""
        self.buckets = [mine + its for mine, its in zip(self.buckets, other.buckets, strict=True)]
        self.total_s += other.total_s


class RequestMeter:
    """The requests of one route."""

    __slots__ = ("buckets", "statuses", "total_s")

    def __init__(self) -> None:
        self.buckets = [0] * (len(BOUNDS_S) + 1)
        self.statuses = [0] * STATUS_CLASSES  # by their first digit
        self.total_s = 0.0

    def note(self, status: int, seconds: float) -> None:
        """One was answered."""
        self.buckets[bisect_left(BOUNDS_S, seconds)] += 1
        self.total_s += seconds
        self.statuses[status // 100] += 1


class CallMeter:
    """The calls of one method of an engine."""

    __slots__ = ("begun", "failed", "times")

    def __init__(self) -> None:
        self.begun = self.failed = 0
        self.times = Histogram()
