"""Sorted sets: members with a score, in order of (score, member).

Everything about ranges rests on three things: where a bound stands (:meth:`SortedSet.index_of`), the
elements from one index to another (:meth:`SortedSet.slice`), and the score of a member.
"""

from __future__ import annotations

import random
from bisect import bisect_left, insort
from collections.abc import Iterator

from sortedcontainers import SortedList

from durable_redis.objects.collection import Collection, pack, sample, unpack
from durable_redis.objects.limits import EncodingLimits
from storage.records import TYPE_ZSET

PLAIN_LIST_MAX = 256  # up to here a plain list is smaller and faster than a tree

Bound = tuple[float, bytes] | tuple[float]


class SortedSet(Collection):
    """Members and scores.  ``skiplist`` is what Redis would have by now, and stays."""

    __slots__ = ("order", "scores", "skiplist")

    kind = TYPE_ZSET
    ELEMENT_OVERHEAD_BYTES = 230

    def __init__(self, expires_ms: int = 0, disk_expires_ms: int = 0) -> None:
        super().__init__(expires_ms, disk_expires_ms)
        self.scores: dict[bytes, float] = {}
        self.order: list[tuple[float, bytes]] | SortedList = []
        self.skiplist = False

    # -- reading ---------------------------------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self.scores)

    def score(self, member: bytes) -> float | None:
        """The score of a member; None if it is not in the set."""
        return self.scores.get(member)

    def index_of(self, bound: Bound) -> int:
        """How many elements stand before ``(score, member)``, or before all of ``(score,)``."""
        if type(self.order) is list:
            return bisect_left(self.order, bound)
        index: int = self.order.bisect_left(bound)  # type: ignore[union-attr]
        return index

    def rank(self, member: bytes) -> int | None:
        """How many elements stand before a member; None if it is not in the set."""
        score = self.scores.get(member)
        return None if score is None else self.index_of((score, member))

    def slice(self, start: int, stop: int, *, reverse: bool = False) -> Iterator[tuple[float, bytes]]:
        """(score, member) with start <= index < stop, the last one first if ``reverse``.

        0 <= start <= stop <= len.  The set must not be changed meanwhile.
        """
        if type(self.order) is list:
            return iter(self.order[start:stop][::-1] if reverse else self.order[start:stop])
        found: Iterator[tuple[float, bytes]] = self.order.islice(start, stop, reverse)  # type: ignore[union-attr]
        return found

    def first_score(self) -> float:
        """The lowest score; the one all members have where BYLEX makes sense."""
        lowest: float = self.order[0][0]
        return lowest

    def scan(self, cursor: int, count: int) -> tuple[int, list[tuple[bytes, float]]]:
        """Some members with scores from a cursor on and the next cursor; 0 begins and ends (ZSCAN)."""
        return 0, [(member, score) for score, member in self.order]

    def sample(self, rng: random.Random, count: int) -> list[tuple[bytes, float]]:
        """``count`` different members with scores by chance, or all if there are fewer."""
        return sample(rng, list(self.scores.items()), count)

    def choices(self, rng: random.Random, count: int) -> list[tuple[bytes, float]]:
        """``count`` members with scores by chance, each drawn from all."""
        return rng.choices(list(self.scores.items()), k=count)

    def encoding(self) -> str:
        """See :class:`Collection`."""
        return "skiplist" if self.skiplist else "listpack"

    # -- changing (for effects only) -------------------------------------------------------------------------

    def set(self, member: bytes, score: float, limits: EncodingLimits) -> bool:
        """Give a member a score (not NaN); whether the member is new."""
        scores = self.scores
        old = scores.get(member)
        if old is not None:
            self._unorder(old, member)
        else:
            self.payload_bytes += len(member)
        scores[member] = score
        if type(self.order) is list:
            insort(self.order, (score, member))
            if len(scores) > PLAIN_LIST_MAX:
                self.order = SortedList(self.order)
        else:
            self.order.add((score, member))  # type: ignore[union-attr]
        if not self.skiplist and (
            len(scores) > limits.sorted_set_entries or len(member) > limits.sorted_set_value_bytes
        ):
            self.skiplist = True
        return old is None

    def remove(self, member: bytes) -> bool:
        """Remove a member; False if it is not there."""
        score = self.scores.pop(member, None)
        if score is None:
            return False
        self._unorder(score, member)
        self.payload_bytes -= len(member)
        return True

    def _unorder(self, score: float, member: bytes) -> None:
        if type(self.order) is list:
            del self.order[bisect_left(self.order, (score, member))]
        else:
            self.order.remove((score, member))

    # -- on disk ---------------------------------------------------------------------------------------------

    def encode_body(self) -> bytes:
        """See :class:`Collection`."""
        parts: list[object] = [self.skiplist]
        for pair in self.order:
            parts += pair
        return pack(parts)

    def load_body(self, body: bytes) -> None:
        """See :class:`Collection`."""
        parts = iter(unpack(body))
        self.skiplist = bool(next(parts))
        order: list[tuple[float, bytes]] = list(zip(parts, parts, strict=True))
        self.scores = {member: score for score, member in order}
        self.payload_bytes = sum(map(len, self.scores))
        self.order = order if len(order) <= PLAIN_LIST_MAX else SortedList(order)
