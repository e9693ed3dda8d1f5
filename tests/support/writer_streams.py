"""Writes to a stream with a consumer group, and what it holds afterwards; see ``writer_collections.py``.

A line each: ``last n`` is the last ID (``n-0``), ``entry n value``, ``group n`` the last ID delivered, and
``pending n`` an entry delivered and not acknowledged.  A stream stays when it is empty.
"""

from __future__ import annotations

import random
from typing import Any, Final

from tests.support.client import Word

READ: Final[tuple[Word, ...]] = ("FULL", "COUNT", 0)
_GROUP: Final = "g"


def change_stream(
    key: bytes, content: bytes, mark: bytes, rng: random.Random, entries_max: int
) -> tuple[list[Word], bytes]:
    """A random write to a stream, and its content afterwards."""
    last, entries, group, pending = _parse(content)
    choice = rng.randrange(10)
    if group is None and choice == 0:
        group = 0
        words: list[Word] = ["XGROUP", "CREATE", key, _GROUP, "0", "MKSTREAM"]
    elif group is not None and choice in (1, 2):
        count = rng.randint(1, 4)
        new = [number for number in entries if number > group][:count]
        pending |= set(new)
        group = max(new, default=group)
        words = ["XREADGROUP", "GROUP", _GROUP, "c", "COUNT", count, "STREAMS", key, ">"]
    elif pending and choice in (3, 4):
        number = rng.choice(sorted(pending))
        pending.discard(number)
        words = ["XACK", key, _GROUP, f"{number}-0"]
    elif entries and choice == 5:
        number = rng.choice(sorted(entries))
        del entries[number]
        words = ["XDEL", key, f"{number}-0"]
    elif content and (choice == 6 or len(entries) >= entries_max):
        kept = rng.randrange(entries_max // 2)
        for number in sorted(entries)[: max(0, len(entries) - kept)]:
            del entries[number]
        words = ["XTRIM", key, "MAXLEN", "=", kept]
    else:
        last += rng.randint(1, 3)
        entries[last] = mark
        words = ["XADD", key, f"{last}-0", "f", mark]
    return words, _content(last, entries, group, pending)


def _parse(content: bytes) -> tuple[int, dict[int, bytes], int | None, set[int]]:
    last, entries, pending = 0, {}, set()
    group: int | None = None
    for line in content.split(b"\n") if content else ():
        kind, number, *rest = line.split(b" ", 2)
        if kind == b"last":
            last = int(number)
        elif kind == b"group":
            group = int(number)
        elif kind == b"pending":
            pending.add(int(number))
        else:
            entries[int(number)] = rest[0]
    return last, entries, group, pending


def _content(last: int, entries: dict[int, bytes], group: int | None, pending: set[int]) -> bytes:
    lines = [b"last %d" % last]
    lines += [b"entry %d %b" % (number, entries[number]) for number in sorted(entries)]
    if group is not None:
        lines.append(b"group %d" % group)
    lines += [b"pending %d" % number for number in sorted(pending)]
    return b"\n".join(lines)


def read_stream(reply: Any) -> bytes:
    """The content from the reply of XINFO STREAM with :data:`READ`."""
    fields = dict(zip(reply[::2], reply[1::2], strict=True))
    entries = {_number(entry): pairs[1] for entry, pairs in fields[b"entries"]}
    group, pending = None, set()
    for found in fields[b"groups"]:
        named = dict(zip(found[::2], found[1::2], strict=True))
        group = _number(named[b"last-delivered-id"])
        pending = {_number(row[0]) for row in named[b"pending"]}
        assert named[b"pel-count"] == len(pending)
    assert fields[b"length"] == len(entries)
    return _content(_number(fields[b"last-generated-id"]), entries, group, pending)


def _number(entry_id: bytes) -> int:
    return int(entry_id.split(b"-")[0])
