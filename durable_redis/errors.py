"""Errors, sorted by who must act.

* The client: :class:`ReplyError`.  Its text is the reply, code word included.
* The peer: :class:`ProtocolError`.  The reply is sent, then the link closes.
* The operator: :class:`storage.errors.StorageError` and :class:`UsageError`, both with a hint.
* The programmer: ``AssertionError``; the process stops.
"""

from __future__ import annotations


class ReplyError(Exception):
    """A command failed; ``str(error)`` is the error reply, code word first (``ERR syntax error``)."""


class ProtocolError(Exception):
    """The peer broke the protocol; ``str(error)`` is the last reply before the link closes."""


class UsageError(Exception):
    """The operator asked for something impossible: a bad option, a port in use, a foreign directory."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


SYNTAX = "ERR syntax error"
NOT_AN_INTEGER = "ERR value is not an integer or out of range"
NOT_A_FLOAT = "ERR value is not a valid float"
OUT_OF_RANGE = "ERR value is out of range"
NO_SUCH_KEY = "ERR no such key"
DB_OUT_OF_RANGE = "ERR DB index is out of range"
WRONG_TYPE = "WRONGTYPE Operation against a key holding the wrong kind of value"


def shown(word: bytes, characters_max: int | None = None) -> str:
    """An argument as Redis's error texts repeat it: a C string, so up to the first NUL."""
    return word[:characters_max].partition(b"\0")[0].decode("latin-1")


def syntax_error() -> ReplyError:
    """The reply to options that do not fit together."""
    return ReplyError(SYNTAX)


def wrong_type() -> ReplyError:
    """The reply to a command used on a key of another type."""
    return ReplyError(WRONG_TYPE)
