"""Clients whose reply is still to come: what they wait for, until when, and who goes on.

A command that answers later returns a :class:`~durable_redis.commands.context.Wait`.  While one is under way
the client's further input waits in its socket.  ``resumed`` are those that may go on; ``net`` takes them.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from durable_redis.commands.context import PENDING, KeyWait, Wait
from durable_redis.commands.session import REPLY_ON, Client
from durable_redis.engine.blocking import BlockedClients
from durable_redis.errors import ReplyError
from durable_redis.resp.encoder import encode
from durable_redis.resp.replies import NO_REPLY

if TYPE_CHECKING:
    from durable_redis.engine.engine import Engine


class Waiting:
    """The waiting clients of one engine.  ``next_deadline_ms`` is when :meth:`timers` has work; 0 = never."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.blocked = BlockedClients()
        self.resumed: list[Client] = []
        self.next_deadline_ms = 0
        self._clients: dict[int, Client] = {}

    def __len__(self) -> int:
        return len(self._clients)

    def begin(self, client: Client, wait: Wait) -> None:
        """The client waits, unless the reply is there already."""
        reply = wait.poll()
        if reply is not PENDING:
            if reply is not NO_REPLY:
                encode(reply, client.protocol, client.out)
            return
        client.wait = wait
        self._clients[client.id] = client
        if isinstance(wait, KeyWait):
            self.blocked.add(client, wait)
        if wait.deadline_ms:
            self.wake_at(wait.deadline_ms)

    def wake_at(self, deadline_ms: int) -> None:
        """Have :meth:`timers` called then, or before."""
        if not self.next_deadline_ms or deadline_ms < self.next_deadline_ms:
            self.next_deadline_ms = deadline_ms

    def forget(self, client: Client) -> None:
        """The client does not wait any more, or has left."""
        self._clients.pop(client.id, None)
        if isinstance(client.wait, KeyWait):
            self.blocked.remove(client, client.wait)
        client.wait = None

    def _finish(self, client: Client, reply: Any) -> None:
        self.forget(client)
        silent, client.wait_is_silent = client.wait_is_silent, False
        if reply is not NO_REPLY and client.reply_mode == REPLY_ON and not silent:
            if isinstance(reply, ReplyError):
                self._engine.reply_error(client, reply)
            else:
                encode(reply, client.protocol, client.out)
        self.resumed.append(client)

    def unblock(self, client: Client, error: bool) -> bool:
        """CLIENT UNBLOCK: as if the time were out, or with an error.  False if the client is not blocked."""
        wait = client.wait
        if wait is None or not wait.unblockable:
            return False
        if error:
            self._finish(client, ReplyError("UNBLOCKED client unblocked via CLIENT UNBLOCK"))
        else:
            self._finish(client, wait.on_timeout())
        return True

    def poll(self) -> None:
        """Ask everyone who waits whether the reply is there; call it when something may have changed."""
        if self.blocked.ready:
            self.serve_blocked()
        for client in list(self._clients.values()):
            if client.wait is not None:
                reply = client.wait.poll()
                if reply is not PENDING:
                    self._finish(client, reply)

    def serve_blocked(self) -> None:
        """Give the clients that wait for keys what has come in."""
        blocked = self.blocked
        while (found := blocked.next_ready()) is not None:
            key, clients = found
            for client in clients:
                if isinstance(wait := client.wait, KeyWait):
                    started = time.perf_counter()
                    try:
                        reply = wait.attempt(key)
                    except ReplyError as error:
                        reply = error
                    if reply is not PENDING:
                        self._finish(client, reply)
                        usec = (time.perf_counter() - started) * 1e6
                        self._engine.inspection.served(client, wait, usec)
                    self._engine.flush_effects()

    def timers(self) -> None:
        """Answer what has waited long enough; called when ``next_deadline_ms`` has passed."""
        pause, now = self._engine.pause, self._engine.keyspace.now_ms
        if pause.until_ms and pause.until_ms <= now:
            pause.end()
        self.poll()
        for client in list(self._clients.values()):
            wait = client.wait
            if wait is not None and 0 < wait.deadline_ms <= now:
                self._finish(client, wait.on_timeout())
        deadlines = [c.wait.deadline_ms for c in self._clients.values() if c.wait and c.wait.deadline_ms]
        if pause.until_ms:
            deadlines.append(pause.until_ms)
        self.next_deadline_ms = min(deadlines, default=0)
