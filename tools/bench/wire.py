"""The harness's own small client: one connection for questions, and a loader that fills a server with keys.

Keys have the form redis-benchmark uses (``key:`` and twelve digits), so that its GETs meet what the
loader wrote.  Values are slices of one random text: a backend that compresses finds nothing to gain in
them.
"""

from __future__ import annotations

import random
import socket
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any

import hiredis

from tools.bench.errors import BenchError

HOST = "127.0.0.1"
FILL_DEPTH = 1000
"""SETs per chunk of the loader; two chunks are under way at any time."""
_TIMEOUT_SECONDS = 600.0
_RECEIVE_BYTES_MAX = 65536
_OK = b"+OK\r\n"
_VALUE_POOL_BYTES = 1 << 16
_POLL_SECONDS = 0.001


class Connection:
    """A blocking connection; replies of every type, errors as BenchError."""

    __slots__ = ("_reader", "_socket")

    def __init__(self, port: int, timeout_seconds: float = _TIMEOUT_SECONDS) -> None:
        self._socket = socket.create_connection((HOST, port), timeout_seconds)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._reader = hiredis.Reader()

    def __enter__(self) -> Connection:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def call(self, *arguments: bytes) -> Any:
        """Send one command and return its reply; an error reply is raised as BenchError."""
        self._socket.sendall(encode_command(*arguments))
        while True:
            reply = self._reader.gets()
            if isinstance(reply, hiredis.ReplyError):
                raise BenchError(f"{arguments[0].decode()}: {reply}")
            if reply is not False:
                return reply
            received = self._socket.recv(_RECEIVE_BYTES_MAX)
            if not received:
                raise ConnectionResetError("the server closed the connection")
            self._reader.feed(received)


def encode_command(*arguments: bytes) -> bytes:
    """A request as an array of bulk strings."""
    parts = [b"*%d\r\n" % len(arguments)]
    parts += [b"$%d\r\n%b\r\n" % (len(argument), argument) for argument in arguments]
    return b"".join(parts)


def key_name(index: int) -> bytes:
    """The key that redis-benchmark gives the number ``index``."""
    return b"key:%012d" % index


def value_pool(value_bytes: int, seed: int = 1) -> bytes:
    """Random text that values of ``value_bytes`` are cut out of."""
    return random.Random(seed).randbytes((_VALUE_POOL_BYTES + value_bytes) // 2 + 1).hex().encode()


def fill(port: int, first: int, count: int, value_bytes: int) -> None:
    """SET the keys ``first`` to ``first + count - 1``, and return when each was acknowledged."""
    pool = value_pool(value_bytes)
    template = b"*3\r\n$3\r\nSET\r\n$16\r\nkey:%012d\r\n" + b"$%d\r\n" % value_bytes
    end = first + count
    with socket.create_connection((HOST, port), _TIMEOUT_SECONDS) as connection:
        waiting: list[int] = []
        for start in range(first, end, FILL_DEPTH):
            stop = min(start + FILL_DEPTH, end)
            chunk = bytearray()
            for index in range(start, stop):
                offset = index * 7919 % _VALUE_POOL_BYTES  # A prime, so that neighbours differ.
                chunk += template % index
                chunk += pool[offset : offset + value_bytes]
                chunk += b"\r\n"
            connection.sendall(chunk)
            waiting.append(stop - start)
            if len(waiting) > 1:
                _receive_oks(connection, waiting.pop(0))
        for expected in waiting:
            _receive_oks(connection, expected)


def _receive_oks(connection: socket.socket, count: int) -> None:
    expected = _OK * count
    received = bytearray()
    while len(received) < len(expected):
        part = connection.recv(min(_RECEIVE_BYTES_MAX, len(expected) - len(received)))
        if not part:
            raise BenchError("the server closed the connection while it was filled")
        received += part
    if received != expected:
        wrong = next((line for line in received.split(b"\r\n") if line != b"+OK"), b"")
        raise BenchError(f"the server answered a SET with {wrong[:200].decode(errors='replace')}")


def wait_first_get(port: int, key: bytes, deadline: float, alive: Callable[[], None]) -> None:
    """Return as soon as a GET of ``key`` is answered with a value.

    A refused connection and every error reply (a server that loads says so) mean "not yet" until
    ``deadline``, a ``time.monotonic`` time; ``alive`` is called between attempts and raises where
    waiting has become pointless.
    """
    last = "no connection"
    while time.monotonic() < deadline:
        try:
            with Connection(port, timeout_seconds=max(0.1, deadline - time.monotonic())) as connection:
                while time.monotonic() < deadline:
                    try:
                        reply = connection.call(b"GET", key)
                    except BenchError as error:
                        last = str(error)
                        time.sleep(_POLL_SECONDS)
                        continue
                    if reply is None:
                        raise BenchError(f"{key.decode()} is not there after the start")
                    return
        except OSError as error:
            last = str(error)
        alive()
        time.sleep(_POLL_SECONDS)
    raise BenchError(f"no GET was answered in time: {last}")
