"""Serving the others while a script runs for too long.

A script runs inside the loop, which stands still meanwhile.  Once it is slow, the engine calls
:meth:`BusyTurns.serve` every 100,000 instructions: connections that have nothing under way are read and
answered, mostly with BUSY, so that one of them can end the script.  New ones are let in.

Such a reply shows no data, so it leaves at once.  Nothing else of a turn happens here: no new time, no
commit, no finished jobs, and only the strict parser, since the shared one may be in the middle of the
script's chunk.
"""

from __future__ import annotations

import select
from typing import TYPE_CHECKING

from durable_redis.net.connection import Connection

if TYPE_CHECKING:
    from durable_redis.net.reactor import Reactor


class BusyTurns:
    """Turns within a turn."""

    def __init__(self, reactor: Reactor) -> None:
        self._reactor = reactor

    def serve(self) -> None:
        """Answer whoever has sent something, without waiting for anybody."""
        reactor = self._reactor
        caller = reactor.engine.scripts.caller
        own = reactor.client_connection(caller) if caller is not None else None
        for fd, mask in reactor.poll_now():
            connection = reactor.connections.get(fd)
            if connection is None:
                listener = reactor.acceptor.listeners.get(fd)
                if listener is not None:
                    reactor.acceptor.accept(listener)
            elif connection is not own:
                self._serve_one(connection, mask)

    def _serve_one(self, connection: Connection, mask: int) -> None:
        if mask & select.EPOLLOUT:
            connection.send_backlog()
        if connection.closed or connection.out or connection.held or connection.backlog:
            return
        if not connection.reading or connection.client.is_waiting:
            return
        try:
            data = connection.recv(connection.receive_bytes)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            connection.close()
            return
        if not data:
            connection.input_ended()
            return
        statistics = self._reactor.engine.statistics
        statistics.input_bytes += len(data)
        statistics.reads += 1
        connection.receive_strictly(data)
        statistics.writes += 1
        statistics.output_bytes += connection.flush()
