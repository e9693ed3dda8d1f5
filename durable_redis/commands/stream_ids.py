"""IDs of stream entries as clients write them, and the replies that entries become.

An ID is ``ms-seq``, two numbers of 64 bits without sign; often the second may be left out.  Redis reads a
number that is not in its canonical form with C's ``strtoull``, so blanks and signs in front are allowed, and
a minus after the dash wraps around.  Like every C string an ID ends at the first NUL.

Where an ID stands for an end of a range, ``-`` is the lowest and ``+`` the highest there is, and ``(`` in
front leaves the ID itself out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from durable_redis.errors import ReplyError
from durable_redis.objects.stream_node import ID_MAX, ID_MIN, SEQ_MAX, Entry, Id, next_id, previous_id
from durable_redis.resp.numbers import parse_integer

INVALID_ID: Final = "ERR Invalid stream ID specified as stream command argument"
ID_BYTES_MAX: Final = 127  # Redis copies the text into a buffer of 128 bytes
_STRTOULL: Final = re.compile(rb"[ \t\n\v\f\r]*([+-]?)([0-9]+)")


def id_bytes(id: Id) -> bytes:
    """An ID as replies show it."""
    return b"%d-%d" % id


def entry_reply(entry: Entry) -> list[object]:
    """An entry as replies show it."""
    return [b"%d-%d" % entry[0], entry[1]]


def entries_reply(entries: Iterable[Entry]) -> list[object]:
    """Entries as replies show them."""
    return [[b"%d-%d" % id, words] for id, words in entries]


def maybe_id(raw: bytes, missing_seq: int = 0) -> Id | None:
    """The ID that a word is, without ``-`` and ``+``; None if it is none."""
    ms, dash, seq = raw.partition(b"-")
    if ms.isdigit() and len(raw) <= 37 and (seq.isdigit() or not dash) and len(ms) < 20 > len(seq):
        return int(ms), int(seq) if dash else missing_seq
    return _unusual_id(raw, missing_seq)


def _unusual_id(raw: bytes, missing_seq: int) -> Id | None:
    """The same for numbers that are long, or not in their canonical form."""
    if len(raw) > ID_BYTES_MAX:
        return None
    ms, dash, seq = raw.partition(b"\0")[0].partition(b"-")
    first = _number(ms)
    second = _number(seq) if dash else missing_seq
    return None if first is None or second is None else (first, second)


def _number(raw: bytes) -> int | None:
    """A number of 64 bits without sign, as ``strtoull`` reads it; None if it is none or too large."""
    plain = parse_integer(raw)
    if plain is not None:
        return plain if plain >= 0 else None
    found = _STRTOULL.fullmatch(raw)
    if found is None:
        return None
    value = int(found[2])
    if value > SEQ_MAX:
        return None
    return -value % (1 << 64) if found[1] == b"-" else value


def strict_id(raw: bytes, missing_seq: int = 0) -> Id:
    """The ID that a word is; raises for ``-`` and ``+`` too."""
    found = maybe_id(raw, missing_seq)
    if found is None:
        raise ReplyError(INVALID_ID)
    return found


def new_id(raw: bytes) -> tuple[Id, bool]:
    """The ID of an entry to be added, and whether ``*`` leaves its second number to the server."""
    ms, dash, seq = raw.partition(b"\0")[0].partition(b"-")
    if dash and seq == b"*":
        return strict_id(ms + b"-0" if len(raw) <= ID_BYTES_MAX else b""), True
    return strict_id(raw), False


def range_start(raw: bytes) -> Id:
    """The lowest ID of a range."""
    id, excluded = _range_end(raw, 0)
    start = next_id(id) if excluded else id
    if start is None:
        raise ReplyError("ERR invalid start ID for the interval")
    return start


def range_stop(raw: bytes) -> Id:
    """The highest ID of a range."""
    id, excluded = _range_end(raw, SEQ_MAX)
    stop = previous_id(id) if excluded else id
    if stop is None:
        raise ReplyError("ERR invalid end ID for the interval")
    return stop


def _range_end(raw: bytes, missing_seq: int) -> tuple[Id, bool]:
    if raw[:1] == b"(" and len(raw) > 1:
        return strict_id(raw[1:], missing_seq), True
    if raw == b"-":
        return ID_MIN, False
    if raw == b"+":
        return ID_MAX, False
    return strict_id(raw, missing_seq), False
