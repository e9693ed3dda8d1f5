"""The door: which listeners are open, and who comes in through them."""

from __future__ import annotations

import select
from typing import TYPE_CHECKING

from durable_redis.net.handshakes import Handshakes
from durable_redis.net.listeners import Listener, open_tcp_listeners, send_once

if TYPE_CHECKING:
    from durable_redis.net.reactor import Reactor


class Acceptor:
    """The listeners of a reactor, in its epoll, by descriptor."""

    def __init__(self, reactor: Reactor, epoll: select.epoll) -> None:
        self._reactor = reactor
        self._epoll = epoll
        self.listeners: dict[int, Listener] = {}
        self.handshakes = Handshakes(reactor.engine.config)

    def listen(self, listener: Listener) -> None:
        """Accept connections from here."""
        self.listeners[listener.fd] = listener
        self._epoll.register(listener.fd, select.EPOLLIN)

    def listen_anew(self, *_: object) -> None:
        """``port``, ``tls-port`` or ``bind`` has changed: open what is new, close what is gone.

        Connections stay.  Raises ``UsageError``, and everything stays as it was, if an address cannot be had.
        """
        self.handshakes.options_changed()
        before = {one.name: one for one in self.listeners.values() if not one.is_unix}
        after = open_tcp_listeners(self._reactor.engine.config, before)
        for listener in after:
            if listener.fd not in self.listeners:
                self.listen(listener)
        for listener in before.values():
            if listener not in after:
                self._epoll.unregister(listener.fd)
                del self.listeners[listener.fd]
                listener.close()

    def stop(self) -> None:
        """Accept no more connections."""
        for fd, listener in self.listeners.items():
            self._epoll.unregister(fd)
            listener.close()
        self.listeners.clear()

    def accept(self, listener: Listener) -> None:
        """Let in who is waiting at a listener, or turn them away."""
        reactor = self._reactor
        engine = reactor.engine
        for sock, address, local in listener.accept(engine.config):
            refusal = listener.refusal(engine, len(reactor.connections), address)
            if refusal:
                engine.statistics.rejected_connections += 1
                if not listener.tls:
                    send_once(sock, refusal)
                sock.close()
                continue
            client = engine.connect(address, local, sock.fileno())
            client.is_unix = listener.is_unix
            if not listener.tls:
                reactor.serve(sock, client)
                continue
            encrypted = self.handshakes.wrap(sock)
            self.handshakes.open[reactor.serve(encrypted, client)] = encrypted
