"""Replaying the log keeps to the configured limits: what a crash has left looks as it did before."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.whole_engine import WholeEngine

SMALL: dict[str, Any] = {
    "collection-compact-entries": 4,
    "hash-max-listpack-entries": 4,
    "set-max-intset-entries": 4,
    "zset-max-listpack-entries": 4,
    "stream-node-max-entries": 2,
}
LARGE: dict[str, Any] = {
    "collection-compact-entries": 100_000,
    "collection-compact-bytes": 1 << 20,
    "hash-max-listpack-entries": 100_000,
    "set-max-intset-entries": 100_000,
    "zset-max-listpack-entries": 100_000,
    "stream-node-max-entries": 100_000,
}


def shown(whole: WholeEngine) -> list[Any]:
    """What can be seen of the limits."""
    seen = [whole.call("OBJECT", "ENCODING", key) for key in "hsz"]
    seen.append(whole.call("XINFO", "STREAM", "x"))
    database = whole.engine.keyspace.database(0)
    return seen + [type(database.find(key)) for key in (b"h", b"s", b"z", b"x", b"l")]


@pytest.mark.parametrize(("options", "count"), [(SMALL, 10), (LARGE, 1000)])
def test_collections_have_the_same_forms_after_a_crash(options: dict[str, Any], count: int) -> None:
    whole = WholeEngine(options)
    for number in range(1, count + 1):
        whole.call("HSET", "h", number, number)
        whole.call("SADD", "s", number)
        whole.call("ZADD", "z", number, number)
        whole.call("RPUSH", "l", number)
        whole.call("XADD", "x", f"{number}-0", "f", number)
    before = shown(whole)
    whole.restart()
    assert shown(whole) == before
