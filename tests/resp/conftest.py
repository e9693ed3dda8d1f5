"""A redis-server for this package's differential tests, and raw exchanges with it."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from tests.support.servers import OracleServer

_LAST = b"the last command of this pipeline"


class RawOracle:
    """redis-server as it answers bytes, well formed or not."""

    def __init__(self, server: OracleServer) -> None:
        self._server = server

    def exchange(self, data: bytes) -> bytes:
        """Send ``data``, close the sending side, and return all that comes back until the server closes.

        Meant for a few small replies: see :meth:`pipeline`.
        """
        with socket.create_connection(("127.0.0.1", self._server.port), timeout=20) as connection:
            received = bytearray()
            try:
                connection.sendall(data)
                connection.shutdown(socket.SHUT_WR)
                while piece := connection.recv(1 << 16):
                    received += piece
            except (ConnectionResetError, BrokenPipeError):
                pass  # it closed with some of our bytes unread
            return bytes(received)

    def pipeline(self, commands: list[tuple[bytes, ...]]) -> bytes:
        """The replies to well formed commands, as bytes."""
        # When it sees the sending side closed Redis drops what it could not send yet, so the end is marked.
        with socket.create_connection(("127.0.0.1", self._server.port), timeout=20) as connection:
            connection.sendall(b"".join(request(*command) for command in [*commands, (b"ECHO", _LAST)]))
            end = b"$%d\r\n%b\r\n" % (len(_LAST), _LAST)
            received = bytearray()
            while not received.endswith(end):
                piece = connection.recv(1 << 16)
                assert piece, f"the connection was closed after {bytes(received[-200:])!r}"
                received += piece
            return bytes(received.removesuffix(end))


def request(*argv: bytes) -> bytes:
    """A command as a client writes it."""
    return b"*%d\r\n" % len(argv) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in argv)


@pytest.fixture(scope="session")
def raw_oracle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RawOracle]:
    """A running redis-server; skips where it is not installed."""
    # Small sorted sets would keep the score -0 as the integer 0, and that is not what is asked here.
    options = {"zset-max-listpack-entries": "0"}
    with OracleServer(tmp_path_factory.mktemp("oracle") / "data", options) as server:
        yield RawOracle(server)
