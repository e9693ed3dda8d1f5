"""Serving the others while a script runs for too long.

A script runs inside the loop, which stands still meanwhile.  Once it is slow, the engine calls
:meth:`BusyTurns.serve` every 100,000 instructions: connections that have nothing under way are read and
answered, mostly with BUSY, so that one of them can end the script.  New ones are let in.

Such a reply shows no data, so it leaves at once.  Nothing else of a turn happens here: no new time, no
finished jobs, and only the strict parser, since the shared one may be in the middle of the script's chunk.

Who was served in this turn before the script began has a reply that waits for the end of the turn.  Those are
sent the first time, after the log that they wait for; the script's own effects are not in it yet, but in the
data they are, so this frame does not say how many keys there are.
"""

from __future__ import annotations

import select
from typing import TYPE_CHECKING

from durable_redis.net.connection import Connection

if TYPE_CHECKING:
    from durable_redis.engine.scripts import Running
    from durable_redis.net.reactor import Reactor


class BusyTurns:
    """Turns within a turn."""

    def __init__(self, reactor: Reactor) -> None:
        self._reactor = reactor
        self._answered_for: Running | None = None

    def serve(self) -> None:
        """Answer whoever has sent something, without waiting for anybody."""
        reactor = self._reactor
        caller = reactor.engine.scripts.caller
        own = reactor.client_connection(caller) if caller is not None else None
        running = reactor.engine.scripts.running
        if running is not self._answered_for:
            self._answered_for = running
            self._answer_earlier(own)
        for fd, mask in reactor.poll_now():
            connection = reactor.connections.get(fd)
            if connection is None:
                listener = reactor.acceptor.listeners.get(fd)
                if listener is not None:
                    reactor.acceptor.accept(listener)
            elif connection is not own:
                self._serve_one(connection, mask)

    def _answer_earlier(self, own: Connection | None) -> None:
        """Send the replies of this turn so far.  On a slow disk they go on waiting, for the worker's sync."""
        engine = self._reactor.engine
        durability, log = engine.durability, engine.log
        if durability.tracking or durability.holding:
            return
        if durability.policy == "always" and not durability.inline:
            return
        if log.pending:
            log.mixed = True
            log.write(engine.keyspace.now_ms)
        if durability.policy == "always":
            log.sync()
        for connection in list(self._reactor.connections.values()):
            if connection.out and connection is not own:
                engine.statistics.writes += 1
                engine.statistics.output_bytes += connection.flush()

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
