"""One partition in the hands of one consumer: what of it is finished, out, buffered, and what was seen before.

Box: queue. Kafka keeps one number per partition: all before it is finished. Beside it stands a text of ours, with the
same commit: of each offset from there on whether it is finished, out, and how often its consumer died over it. So
messages may be finished in any order, and a successor knows what its predecessor had out when it died.
"""

import base64
import zlib
from collections import deque

from townsquare.queue.kafka_records import Envelope

WINDOW = 4096  # offsets beyond the first unfinished one that may be out or finished
REMEMBER = 2048  # ids known, at most; a successor reads so many back
REMEMBER_MS = 600_000  # how long the id of a finished message is known
MOST_TEXT = 4000  # a broker's own limit is 4,096 (offset.metadata.max.bytes)
_FRESH, _DONE = 0, 255
_MOST_CUTS = 126  # a state is cuts * 2, and 1 more while it is out


class Partition:
    """Used in the event loop only. `start`: the first offset that is not finished. `owner`: names the consumer.

    `lane`: what it is a part of; it `gives`, or only keeps for a time.
    """

    def __init__(self, topic: str, number: int, *, start: int, text: str, owner: str = "") -> None:
        self.topic, self.number, self.start, self._owner = topic, number, start, owner
        self.next = 0  # all before this offset has been read
        self.buffered = deque[tuple[int, Envelope]]()
        self.out = dict[int, Envelope]()
        self.size = 0  # bytes of bodies that are buffered
        self.leaving, self.changed = False, False
        self._telling = False  # whether what was told last may be kept or not
        self.lane, self.gives = "", True
        self.settled = False  # whether what had been there when it was gained is known
        self._states = _read(text)
        self._told = set[tuple[int, str]]()  # commits: the last that was kept, and later ones that may have been
        self._seen = dict[tuple[int, int], int]()  # (id, turn) -> when, in ms

    def read(self, offset: int, envelope: Envelope, now_ms: int) -> bool:
        """Take note of a record; whether it is to be given. Records come in their order, some from before `start`."""
        if offset < self.next:
            return False  # once more, after it was lost and found
        self._reach(offset)
        name = (envelope.message.id, envelope.turn)
        if offset < self.start:
            self._see(name, envelope.put_ms)
            return False
        if self._state(offset) == _DONE:
            self._see(name, envelope.put_ms)
            self._move()
            return False
        if self._knows(name, now_ms):
            self._finish(offset)
            return False
        self._see(name, max(envelope.put_ms, now_ms))
        self.buffered.append((offset, envelope))
        self.size += len(envelope.message.body)
        return True

    def give(self) -> tuple[int, Envelope, int]:
        """The first that is buffered is out from now: its offset, and how often it was cut off here."""
        offset, envelope = self.buffered.popleft()
        self.out[offset] = envelope
        self.size -= len(envelope.message.body)
        cuts = self._state(offset) >> 1
        self._set(offset, cuts << 1 | 1)
        return offset, envelope, cuts

    def take_back(self, offset: int) -> None:
        """It was not given after all."""
        envelope = self.out.pop(offset)
        self.buffered.appendleft((offset, envelope))
        self.size += len(envelope.message.body)
        self._set(offset, self._state(offset) & ~1)

    def finish(self, offset: int, now_ms: int) -> Envelope | None:
        """It is done, or somewhere else for good; None where it was not out."""
        envelope = self.out.pop(offset, None)
        if envelope is not None:
            self._see((envelope.message.id, envelope.turn), now_ms)
            self._finish(offset)
        return envelope

    def hand_back(self) -> None:
        """Nothing is out any more, and no try counts."""
        self.out.clear()
        for at, state in enumerate(self._states):
            if state != _DONE and state & 1:
                self._states[at] = state & ~1
                self.changed = True

    def tell(self) -> tuple[int, str]:
        """What to commit now: an offset and a text."""
        self.changed, self._telling = False, True
        told = self.start, self._text()
        self._told.add(told)
        return told

    def kept(self, told: tuple[int, str] | None) -> None:
        """That is kept; None: it is not known what is."""
        self._telling = False
        if told is None:
            self.changed = True
        else:
            self._told = {told}

    @property
    def is_open(self) -> bool:
        """Whether something is out, or may have to be told yet."""
        return bool(self.out) or self.changed or self._telling

    def is_untouched(self, start: int, text: str) -> bool:
        """Whether what is kept is what was told here, so that nobody else has had it meanwhile."""
        return bool(text) and (start, text) in self._told

    @property
    def is_full(self) -> bool:
        """Whether to wait for the first unfinished one before more is read."""
        return self.next - self.start >= WINDOW

    def _text(self) -> str:
        """What a successor must know beside `start`; empty where that is all. As much of it as a broker keeps."""
        kept = bytes(self._states).rstrip(b"\0")
        while kept:
            text = f"{self._owner}:{base64.b85encode(zlib.compress(kept, 1)).decode()}"
            if len(text) <= MOST_TEXT:
                return text
            kept = kept[: len(kept) // 2]
        return ""

    def _reach(self, offset: int) -> None:
        """The next record is this one: what would lie between is gone from the log."""
        gone = range(max(self.next, self.start), offset)
        self.next = offset + 1
        if gone and not self.out and not self.buffered:
            self._states.clear()
            self.start, self.changed = offset, True
        else:
            for each in gone:
                self._finish(each)

    def _state(self, offset: int) -> int:
        at = offset - self.start
        return self._states[at] if at < len(self._states) else _FRESH

    def _set(self, offset: int, state: int) -> None:
        at = offset - self.start
        if at >= len(self._states):
            self._states += bytes(at + 1 - len(self._states))
        self._states[at] = state
        self.changed = True

    def _finish(self, offset: int) -> None:
        self._set(offset, _DONE)
        self._move()

    def _move(self) -> None:
        """All finished ones at the beginning need not be spoken of."""
        finished = len(self._states) - len(self._states.lstrip(b"\xff"))
        if finished:
            del self._states[:finished]
            self.start += finished
            self.changed = True

    def _knows(self, name: tuple[int, int], now_ms: int) -> bool:
        seen_ms = self._seen.get(name)
        return seen_ms is not None and (seen_ms > now_ms - REMEMBER_MS or self._is_here(name))

    def _is_here(self, name: tuple[int, int]) -> bool:
        """Whether it waits or is out; looked at only for a repeat of something old."""
        here = [*self.out.values(), *(envelope for _, envelope in self.buffered)]
        return any((envelope.message.id, envelope.turn) == name for envelope in here)

    def _see(self, name: tuple[int, int], at_ms: int) -> None:
        self._seen.pop(name, None)
        self._seen[name] = at_ms
        if len(self._seen) > REMEMBER:
            del self._seen[next(iter(self._seen))]


def unfinished(text: str, *, start: int, end: int) -> tuple[int, int]:
    """How many of the offsets from `start` to `end` are not finished, and the first of them (`end` where none is)."""
    states = _read(text)[: max(end - start, 0)]
    first = len(states) - len(states.lstrip(b"\xff"))
    return max(end - start, 0) - states.count(_DONE), start + first


def _read(text: str) -> bytearray:
    """The states as the predecessor left them: what it had out, it was cut off from."""
    try:
        states = bytearray(zlib.decompress(base64.b85decode(text.partition(":")[2]))) if text else bytearray()
    except (ValueError, zlib.error):
        return bytearray()  # of another version: some will be given again
    for at, state in enumerate(states):
        if state != _DONE and state & 1:
            states[at] = min((state >> 1) + 1, _MOST_CUTS) << 1
    return states
