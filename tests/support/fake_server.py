"""A fake engine with several clients: what the commands of the connection groups ask of a server.

It notes what it is asked to do (clients refreshed and killed, pauses, syncs) and does the least of it.
``run`` and ``run_as`` find subcommands too.  A command that waits gives its :class:`Wait`; the test asks it.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from types import ModuleType
from typing import Any, cast

from durable_redis.clock import SystemClock
from durable_redis.commands.session import Client
from durable_redis.engine.access import Access
from durable_redis.engine.engine import Engine
from durable_redis.engine.inspection import Inspection
from durable_redis.engine.messages import Messages
from durable_redis.errors import ReplyError
from tests.support.fake_engine import FakeEngine

DEFAULTS: dict[str, int | str] = {
    "requirepass": "",
    "redis-version": "7.0.15",
    "aclfile": "",
    "acllog-max-len": 128,
    "acl-pubsub-default": "resetchannels",
    "maxmemory": 0,
    "maxmemory-policy": "noeviction",
}


@dataclass(slots=True)
class FakeLog:
    """How far the log has come, and how far it is durable."""

    position: int = 0
    durable: int = 0


class FakeTransactions:
    """Ends what a client has queued, as RESET asks for."""

    def end(self, client: Client) -> None:
        """Forget the client's transaction."""
        client.transaction = None


class FakeWaiting:
    """Notes who was let go: the client's number, and whether with an error."""

    def __init__(self) -> None:
        self.unblocked: list[tuple[int, bool]] = []

    def unblock(self, client: Client, error: bool) -> bool:
        """Let a client go if it waits."""
        if client.wait is None:
            return False
        client.wait = None
        self.unblocked.append((client.id, error))
        return True


class FakePause:
    """Notes the pause: until when, and whether of writes only."""

    def __init__(self) -> None:
        self.noted: tuple[int, bool] | None = None

    def begin(self, until_ms: int, writes_only: bool) -> None:
        """Note a pause."""
        self.noted = (until_ms, writes_only)

    def end(self) -> None:
        """Forget the pause."""
        self.noted = None


class FakeServer(FakeEngine):
    """A fake engine that has clients; ``client`` is the first of them."""

    def __init__(self, modules: Iterable[ModuleType], config: dict[str, int | str] | None = None) -> None:
        super().__init__(modules, DEFAULTS | (config or {}))
        self.clients: dict[int, Client] = {}
        self.messages = Messages(self.keyspace, self.clients)
        self.refreshed: list[int] = []
        self.killed: list[int] = []
        self.inspection = Inspection(SystemClock(), self.messages.pushed)
        self.transactions = FakeTransactions()
        self.waiting = FakeWaiting()
        self.pause = FakePause()
        self.log = FakeLog()
        self.access = Access(self, self.table)
        self.syncs_requested = 0
        self.acks = 0
        self.client = self.connect()

    def connect(self) -> Client:
        """One more client, from a port of its own."""
        client = Client(len(self.clients) + 1, self.keyspace.database(0), cast(Engine, self))
        client.address, client.local_address = f"127.0.0.1:{5000 + client.id}", "127.0.0.1:6379"
        client.fd = 7 + client.id
        client.created_ms = client.active_ms = self.keyspace.now_ms
        client.authenticated = not self.config.get_str("requirepass")
        self.clients[client.id] = client
        return client

    def run(self, *words: bytes | str | int) -> Any:
        """Run one command of the first client; its reply, or the :class:`ReplyError` that it raised."""
        return self.run_as(self.client, *words)

    def run_as(self, client: Client, *words: bytes | str | int) -> Any:
        """Run one command of a client; its reply, or the :class:`ReplyError` that it raised."""
        argv = [word if isinstance(word, bytes) else str(word).encode() for word in words]
        command = self.table[argv[0].upper().decode()]
        if command.handler is None:
            command = command.subcommands[argv[1].upper().decode()]
        self.effects.clear()
        if not command.accepts(len(argv)):
            return ReplyError(f"ERR wrong number of arguments for '{command.name.lower()}' command")
        client.last_command = command.name
        assert command.handler is not None
        try:
            return command.handler(client.context, argv)
        except ReplyError as error:
            assert not self.effects, "a command that fails changes nothing"
            return error

    def say(self, line: str, client: Client | None = None) -> Any:
        """Run a command written as one line, quoted as in a shell; ``-text`` is an error, ``+text`` OK."""
        reply = self.run_as(client or self.client, *shlex.split(line))
        if isinstance(reply, ReplyError):
            return f"-{reply}"
        return f"+{reply}" if isinstance(reply, str) else reply

    # -- what commands ask for -------------------------------------------------------------------------------

    def refresh(self, client: Client) -> None:
        """Note that a client's use of the hot path was decided anew."""
        self.refreshed.append(client.id)

    def kill_client(self, client: Client) -> None:
        """Forget a client."""
        del self.clients[client.id]
        self.killed.append(client.id)

    def request_sync(self) -> None:
        """Count a request; the test moves ``log.durable``."""
        self.syncs_requested += 1

    def replica_acks(self, position: int) -> int:
        """As many as the test has set."""
        return self.acks
