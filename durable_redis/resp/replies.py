"""What a command returns, before it becomes bytes.

A reply is a plain Python value; the encoder (``resp/encoder.py``) knows how RESP2 and RESP3 write it:

========================  ===========================  ==================================
value                     RESP2                        RESP3
========================  ===========================  ==================================
``None``                  null bulk ``$-1``            null ``_``
``NULL_ARRAY``            null array ``*-1``           null ``_``
``bytes``/``bytearray``   bulk string                  bulk string
``str``                   simple string (status)       simple string
``bool``                  integer 1 or 0               boolean ``#t``/``#f``
``int``                   integer                      integer
``float``                 bulk string, as Redis prints double ``,``
``list``/``tuple``        array                        array
``dict``                  flat array of pairs          map ``%``
``SetReply``              array                        set ``~``
``Verbatim``              bulk string                  verbatim string ``=``
``BigNumber``             bulk string                  big number ``(``
``ReplyError``            error (also inside arrays)   error
``Push``                  array                        push ``>``
``Encoded``               its bytes as they are        its bytes as they are
``NO_REPLY``              nothing                      nothing
========================  ===========================  ==================================

Source: https://redis.io/docs/latest/develop/reference/protocol-spec/
"""

from __future__ import annotations

from typing import Any, Final

Reply = Any  # one of the values above; typing the recursion costs more than it catches


class SetReply(list[Any]):
    """An unordered collection: an array in RESP2, a set in RESP3."""


class Push(list[Any]):
    """An out-of-band message: an array in RESP2, a push in RESP3."""


class Encoded(bytes):
    """Reply bytes that need no further encoding."""


class BigNumber(int):
    """An integer that does not fit 64 bits."""


class Verbatim:
    """Text with a three-letter format (``txt`` or ``mkd``): a bulk string in RESP2."""

    __slots__ = ("kind", "text")

    def __init__(self, text: bytes, kind: bytes = b"txt") -> None:
        assert len(kind) == 3
        self.text = text
        self.kind = kind


class _Marker:
    """A reply that is known by identity."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return self.name


NULL_ARRAY: Final = _Marker("NULL_ARRAY")
NO_REPLY: Final = _Marker("NO_REPLY")
OK: Final = "OK"
