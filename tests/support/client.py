"""A small blocking RESP client for tests that keeps every type apart.

A reply comes back as a Python value whose ``repr`` says exactly what stood on the wire: a status differs
from a bulk string, a null array from a null, a set from an array, a double from its text.  So two servers
agree if and only if the ``repr`` of their replies is equal.  Errors are values, never exceptions; only the
transport raises (``ConnectionError``, ``TimeoutError``).

It leaves out what a real client has: no pooling, no retries, no conversion of replies.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable, Sequence
from typing import Any, Final, Self

Word = bytes | str | int | float
Address = tuple[str, int] | str
RECEIVE_BYTES: Final = 1 << 18


class Status(bytes):
    """A simple string such as ``+OK``."""

    def __repr__(self) -> str:
        return f"Status({bytes(self)!r})"


class ErrorReply(bytes):
    """An error reply, without its leading minus."""

    def __repr__(self) -> str:
        return f"ErrorReply({bytes(self)!r})"

    @property
    def text(self) -> str:
        """The error as text, code word first."""
        return self.decode("utf-8", "backslashreplace")


class Double(bytes):
    """A RESP3 double, kept as its text."""

    def __repr__(self) -> str:
        return f"Double({bytes(self)!r})"


class BigNumber(bytes):
    """A RESP3 big number, kept as its digits."""

    def __repr__(self) -> str:
        return f"BigNumber({bytes(self)!r})"


class Verbatim(bytes):
    """A RESP3 verbatim string, its three-letter format and colon included."""

    def __repr__(self) -> str:
        return f"Verbatim({bytes(self)!r})"


class Map(list[Any]):
    """A RESP3 map, as a flat list of keys and values in the order they came."""

    def __repr__(self) -> str:
        return f"Map({list(self)!r})"

    def as_dict(self) -> dict[Any, Any]:
        """The map with hashable keys."""
        return dict(zip(self[::2], self[1::2], strict=True))


class SetReply(list[Any]):
    """A RESP3 set, in the order its members came."""

    def __repr__(self) -> str:
        return f"SetReply({list(self)!r})"


class Push(list[Any]):
    """A RESP3 push message."""

    def __repr__(self) -> str:
        return f"Push({list(self)!r})"


class _NullArray:
    """The RESP2 null array ``*-1``."""

    def __repr__(self) -> str:
        return "NULL_ARRAY"


NULL_ARRAY: Final = _NullArray()
_LINE_TYPES: Final[dict[int, type[bytes]]] = {
    ord("+"): Status,
    ord("-"): ErrorReply,
    ord(","): Double,
    ord("("): BigNumber,
}
_AGGREGATES: Final[dict[int, type[list[Any]]]] = {
    ord("*"): list,
    ord("%"): Map,
    ord("~"): SetReply,
    ord(">"): Push,
}


class Incomplete(Exception):
    """The buffer ends inside a reply."""


def decode(buffer: bytes | bytearray, start: int) -> tuple[Any, int]:
    """The reply that begins at ``start``, and where it ends; raise :class:`Incomplete` or ``ValueError``."""
    end = buffer.find(b"\r\n", start)
    if end < 0:
        raise Incomplete
    kind, line, behind = buffer[start], bytes(buffer[start + 1 : end]), end + 2
    if kind == ord(":"):
        return int(line), behind
    if kind in _LINE_TYPES:
        return _LINE_TYPES[kind](line), behind
    if kind in b"$=!":
        size = int(line)
        if size < 0:
            return None, behind
        if len(buffer) < behind + size + 2:
            raise Incomplete
        if buffer[behind + size : behind + size + 2] != b"\r\n":
            raise ValueError(f"bulk of {size} bytes is not ended by CRLF")
        made: type[bytes] = {ord("$"): bytes, ord("="): Verbatim, ord("!"): ErrorReply}[kind]
        return made(buffer[behind : behind + size]), behind + size + 2
    if kind in _AGGREGATES:
        count = int(line)
        if count < 0:
            return NULL_ARRAY, behind
        items = _AGGREGATES[kind]()
        for _ in range(count * 2 if kind == ord("%") else count):
            item, behind = decode(buffer, behind)
            items.append(item)
        return items, behind
    if kind == ord("_"):
        return None, behind
    if kind == ord("#"):
        return line == b"t", behind
    raise ValueError(f"unknown reply type {bytes(buffer[start : start + 40])!r}")


def encode_word(word: Word) -> bytes:
    """One argument as bytes."""
    return word if isinstance(word, bytes) else str(word).encode()


def encode(words: Iterable[Word]) -> bytes:
    """One request as a RESP array of bulk strings."""
    encoded = [encode_word(word) for word in words]
    parts = [b"*%d\r\n" % len(encoded)]
    for word in encoded:
        parts.append(b"$%d\r\n%b\r\n" % (len(word), word))
    return b"".join(parts)


class Client:
    """One connection.  ``address`` is a host and port, or the path of a Unix socket."""

    def __init__(self, address: Address, timeout_s: float = 20.0) -> None:
        if isinstance(address, str):
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.settimeout(timeout_s)
            try:
                self.socket.connect(address)
            except OSError:
                self.socket.close()
                raise
        else:
            self.socket = socket.create_connection(address, timeout_s)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = bytearray()
        self.parsed = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; closing twice is fine."""
        self.socket.close()

    def send_raw(self, data: bytes) -> None:
        """Send ``data`` as it is."""
        self.socket.sendall(data)

    def send(self, *words: Word) -> None:
        """Send one request without reading its reply."""
        self.send_raw(encode(words))

    def receive_some(self) -> bytes:
        """Whatever has come in since, at least one byte; empty when the server has closed."""
        return self.socket.recv(RECEIVE_BYTES)

    def read_reply(self) -> Any:
        """The next reply; raise ``ConnectionError`` when the server closes first."""
        while True:
            reply = self.maybe_buffered_reply()
            if reply is not Incomplete:
                return reply
            received = self.receive_some()
            if not received:
                raise ConnectionError(
                    f"closed by the server, {len(self.buffer) - self.parsed} bytes of a reply read"
                )
            self.buffer += received

    def maybe_buffered_reply(self) -> Any:
        """A reply that has already been received whole, or the class :class:`Incomplete`."""
        if self.parsed < len(self.buffer):
            try:
                reply, self.parsed = decode(self.buffer, self.parsed)
            except Incomplete:
                pass
            else:
                return reply
        if self.parsed:
            del self.buffer[: self.parsed]
            self.parsed = 0
        return Incomplete

    def read_replies(self, count: int) -> list[Any]:
        """The next ``count`` replies."""
        return [self.read_reply() for _ in range(count)]

    def read_until_closed(self) -> bytes:
        """Everything the server still sends before it closes; a reset counts as closing."""
        left = bytes(self.buffer[self.parsed :])
        self.buffer.clear()
        self.parsed = 0
        parts = [left]
        try:
            while received := self.receive_some():
                parts.append(received)
        except ConnectionError:
            pass
        return b"".join(parts)

    def call(self, *words: Word) -> Any:
        """Send one request and read its reply."""
        self.send_raw(encode(words))
        return self.read_reply()

    def pipeline(self, requests: Sequence[Sequence[Word]]) -> list[Any]:
        """Send all requests in one piece, then read all replies."""
        self.send_raw(b"".join(encode(words) for words in requests))
        return self.read_replies(len(requests))

    def scan_all(self, *options: Word) -> list[bytes]:
        """The keys of one full SCAN iteration, in the order they came, repeats included."""
        keys: list[bytes] = []
        cursor = b"0"
        while True:
            reply = self.call("SCAN", cursor, *options)
            if isinstance(reply, ErrorReply):
                raise ValueError(reply.text)
            cursor, found = reply
            keys.extend(found)
            if cursor == b"0":
                return keys
