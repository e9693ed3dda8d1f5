"""Zipf-distributed keys, and the mix of reads and writes that is made of them.

Rank ``r`` of ``n`` (from 0) is drawn with a probability proportional to ``1 / (r + 1) ** exponent``.
Ranks are spread over the key numbers by a permutation, because hot keys that are neighbours would share
the blocks of a backend and make it look better than it is.  Everything is drawn from the random source
passed in, so a seed repeats a load.
"""

from __future__ import annotations

import itertools
import math
import random
from array import array

from tools.bench.wire import encode_command, key_name, value_pool

_GOLDEN = 0.6180339887498949


class ZipfKeys:
    """A source of key numbers from 0 to ``count - 1``."""

    __slots__ = ("_cumulative", "_random", "_step", "count")

    def __init__(self, count: int, exponent: float, source: random.Random) -> None:
        assert count >= 1
        assert exponent >= 0
        self.count = count
        self._random = source
        weights = ((rank + 1) ** -exponent for rank in range(count))
        self._cumulative = array("d", itertools.accumulate(weights))
        # Multiplying by a number coprime to count permutes; near the golden section it spreads neighbours.
        self._step = max(1, int(count * _GOLDEN))
        while math.gcd(self._step, count) != 1:
            self._step += 1

    def key_of_rank(self, rank: int) -> int:
        """The key number of a rank; the most popular is rank 0."""
        return rank * self._step % self.count

    def draw(self, count: int) -> list[int]:
        """``count`` independent key numbers."""
        ranks = self._random.choices(range(self.count), cum_weights=self._cumulative, k=count)
        return [rank * self._step % self.count for rank in ranks]


def mixed_requests(
    keys: ZipfKeys, count: int, writes: float, value_bytes: int, source: random.Random
) -> list[bytes]:
    """``count`` encoded requests on zipf-distributed keys: GETs, and SETs in the proportion ``writes``."""
    pool = value_pool(value_bytes)
    starts = len(pool) - value_bytes + 1
    requests = []
    for index in keys.draw(count):
        if source.random() < writes:
            offset = source.randrange(starts)
            requests.append(encode_command(b"SET", key_name(index), pool[offset : offset + value_bytes]))
        else:
            requests.append(b"*2\r\n$3\r\nGET\r\n$16\r\nkey:%012d\r\n" % index)
    return requests
