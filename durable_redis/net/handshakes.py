"""The side of TLS that belongs to the whole server: its context, and handshakes that take too long."""

from __future__ import annotations

import socket
import ssl
from typing import TYPE_CHECKING

from durable_redis.config.config import Config
from durable_redis.net.tls import HANDSHAKE_MS_MAX, TlsSocket, make_context

if TYPE_CHECKING:
    from durable_redis.net.connection import Connection


class Handshakes:
    """Makes TLS sockets, and closes those whose peers do not begin.

    ``open`` holds the ones that may not be done yet.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        self._context: ssl.SSLContext | None = None
        self.open: dict[Connection, TlsSocket] = {}

    def options_changed(self, *_: object) -> None:
        """Options of TLS have changed: new connections get what they say, certificates read anew.

        Raises ``UsageError``, and everything stays as it was, if that cannot be had.
        """
        self._context = make_context(self._config) if self._config.get_int("tls-port") else None

    def wrap(self, sock: socket.socket) -> TlsSocket:
        """TLS over an accepted socket."""
        assert self._context is not None, "there is no TLS port"
        return TlsSocket(sock, self._context)

    def close_late(self, now_ms: int) -> None:
        """Close those who take too long to begin."""
        for connection, sock in list(self.open.items()):
            if sock.established or connection.closed:
                del self.open[connection]
            elif now_ms - connection.client.created_ms > HANDSHAKE_MS_MAX:
                connection.close()
                del self.open[connection]
