"""A hash field's value with a deadline, and the records of both kinds of values (``storage/FORMAT.md``)."""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

from storage.records import TAG_EXPIRES

_PLAIN: Final = b"\0"
_TIMED: Final = struct.Struct("<BQ")


class TimedValue(NamedTuple):
    """A value that goes at ``deadline_ms``, in milliseconds since 1970."""

    value: bytes
    deadline_ms: int


def encode_value(value: bytes | TimedValue) -> bytes:
    """The tag and the content of a field's record."""
    if type(value) is bytes:
        return _PLAIN + value
    assert isinstance(value, TimedValue)
    return _TIMED.pack(TAG_EXPIRES, value.deadline_ms) + value.value


def decode_value(tagged: bytes) -> bytes | TimedValue:
    """What :func:`encode_value` was given."""
    if tagged[0] == TAG_EXPIRES:
        return TimedValue(tagged[_TIMED.size :], _TIMED.unpack_from(tagged)[1])
    return tagged[1:]
