"""What commands cost on a large stream that is not in memory, in records read, as the documentation has it.

The bounds do not depend on how large the stream is: 120 nodes of entries, and two trees of two levels for the
6,000 entries that are pending.  The key's own record is one of those counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import pytest

from durable_redis.commands import stream_info
from storage.backends.memory import MemoryBackend
from tests.support.client import ErrorReply
from tests.support.whole_engine import WholeEngine

ENTRIES: Final = 12_000
PENDING: Final = 6_000
NODES: Final = ENTRIES // 100


class Counting(MemoryBackend):
    """A backend that counts the records it gives away."""

    reads = 0

    def get(self, key: bytes) -> bytes | None:
        self.reads += 1
        return super().get(key)

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        self.reads += len(keys)
        return super().get_many(keys)

    def scan(self, *arguments: Any, **options: Any) -> list[tuple[bytes, bytes]]:
        found = super().scan(*arguments, **options)
        self.reads += len(found)
        return found


@pytest.fixture(scope="module")
def whole() -> WholeEngine:
    made = WholeEngine(backend=Counting())
    for number in range(1, ENTRIES + 1):
        made.call("XADD", "x", f"{number}-0", "f", number)
    made.call("XGROUP", "CREATE", "x", "g", 0)
    for number in range(PENDING // 500):
        made.call("XREADGROUP", "GROUP", "g", f"c{number % 3}", "COUNT", 500, "STREAMS", "x", ">")
    return made


@pytest.mark.parametrize(
    ("command", "records_max"),
    [
        ("XLEN x", 1),
        ("XADD x * f v", 2),
        ("XADD x MAXLEN ~ 100000 * f v", 4),
        ("XRANGE x 5000-0 5000-0", 4),
        ("XRANGE x - + COUNT 10", 2),
        ("XRANGE x 5000-0 + COUNT 100", 7),
        ("XRANGE x 5000-0 + COUNT 1000", 1 + 3 * 10),
        ("XREVRANGE x + - COUNT 10", 5),
        ("XREVRANGE x 5000-0 - COUNT 1000", 1 + 3 * 10),
        ("XREAD COUNT 10 STREAMS x 5000-0", 7),
        ("XREAD COUNT 10 STREAMS x $", 2),
        ("XDEL x 5000-0", 4),
        ("XTRIM x MAXLEN 11000", 1 + 2 * 10),
        ("XTRIM x MINID 2000-0", 1 + 2 * 10),
        ("XREADGROUP GROUP g c1 COUNT 10 STREAMS x >", 12),
        ("XREADGROUP GROUP g c1 COUNT 10 NOACK STREAMS x >", 8),
        ("XREADGROUP GROUP g c1 COUNT 10 STREAMS x 3000-0", 12),
        ("XACK x g 3000-0", 5),
        ("XACK x g 3001-0 3002-0 3003-0 3004-0", 5),
        ("XPENDING x g", 4),
        ("XPENDING x g - + 10", 4),
        ("XPENDING x g 3005-0 + 10", 5),
        ("XPENDING x g 3005-0 + 10 c1", 10),
        ("XCLAIM x g c1 0 3010-0", 9),
        ("XAUTOCLAIM x g c1 0 3020-0 COUNT 10", 14),
        ("XINFO GROUPS x", 2),
        ("XINFO CONSUMERS x g", 1),
        ("XINFO STREAM x", NODES + 6),
        ("XINFO STREAM x FULL", NODES + 6 + 14),
        ("XGROUP CREATE x h $", 1),
        ("XGROUP SETID x h 5-0", 1),
        ("XGROUP CREATECONSUMER x h c", 1),
        ("XGROUP DELCONSUMER x h c", 3),
        ("XGROUP DESTROY x h", 3),
        ("XSETID x 9999999999999-0", 2),
        ("TYPE x", 1),
    ],
)
def test_records_read(whole: WholeEngine, command: str, records_max: int) -> None:
    backend = whole.backend
    assert isinstance(backend, Counting)
    whole.make_cold()
    backend.reads = 0
    reply = whole.call(*command.split())
    assert not isinstance(reply, ErrorReply), reply.text
    assert 0 < backend.reads <= records_max


def test_of_a_very_long_stream_only_the_ends_are_read(
    whole: WholeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_info, "RADIX_NODES_MAX", NODES // 2)
    test_records_read(whole, "XINFO STREAM x", 3)
