"""What clients get without having asked for it: published messages, keyspace events, invalidations.

This module joins the three to the engine.  All of them append to a client's ``out`` and note the client;
``net`` takes those who are noted (:meth:`Messages.take_pushed`) when a batch ends, so that what a message
shows is durable before the message leaves.

Keyspace events and invalidations follow from effects.  They cost nothing while nobody wants them: the sink
of effects is exchanged (:meth:`Messages.observed`), and the hot path, which has no sink, loses what they have
to see (:attr:`Messages.watches_writes`, :attr:`Messages.watches_reads`).  ``on_change`` is called when either
may have changed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Final

from durable_redis.commands.session import Client
from durable_redis.commands.table import Command
from durable_redis.config.config import Config
from durable_redis.engine.invalidation import Invalidation
from durable_redis.engine.keyspace_events import KeyspaceEvents
from durable_redis.engine.pubsub import PubSub
from durable_redis.errors import ReplyError
from durable_redis.keyspace.effects import Effect
from durable_redis.keyspace.keyspace import Keyspace, Sink

SUBSCRIBER_COMMANDS: Final = frozenset(
    (
        *("SUBSCRIBE", "PSUBSCRIBE", "SSUBSCRIBE"),
        *("UNSUBSCRIBE", "PUNSUBSCRIBE", "SUNSUBSCRIBE"),
        *("PING", "QUIT", "RESET"),
    )
)
_SUBSCRIBERS_ONLY: Final = (
    "ERR Can't execute '{}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET"
    " are allowed in this context"
)


class Messages:
    """The messages of one server."""

    def __init__(self, keyspace: Keyspace, clients: dict[int, Client]) -> None:
        self.on_change: Callable[[], None] = _nothing
        self.pushed: set[Client] = set()
        self.pubsub = PubSub(self.pushed)
        self.events = KeyspaceEvents(keyspace, self.pubsub.publish)
        self.invalidation = Invalidation(clients, self.pubsub, self._changed, keyspace.rng)
        self._keyspace = keyspace

    def follow(self, config: Config) -> None:
        """Do what the options say, now and when they change."""

        def apply(*_: object) -> None:
            self.invalidation.keys_max = config.get_int("tracking-table-max-keys")
            self.events.configure(config.get_str("notify-keyspace-events"))
            self._changed()

        config.on_change("notify-keyspace-events", apply)
        config.on_change("tracking-table-max-keys", apply)
        apply()

    def _changed(self) -> None:
        self._keyspace.before = self.events.before if self.events.on else None
        self._keyspace.notify = self.events.publish if self.events.on else None
        self.on_change()

    @property
    def watches_writes(self) -> bool:
        """Whether changes that the hot path could make have to be seen."""
        return self.events.watches_writes or bool(self.invalidation.clients)

    @property
    def watches_reads(self) -> bool:
        """Whether misses have to be seen."""
        return self.events.watches_reads

    def observed(self, sink: Sink) -> Sink:
        """The sink of effects with those behind it who want to see effects now."""
        observers: list[Sink] = []
        if self.events.on:
            observers.append(self.events.note)
        if self.invalidation.clients:
            observers.append(self.invalidation.note)
        if not observers:
            return sink

        def observe(db: int, effect: Effect) -> None:
            sink(db, effect)
            for observer in observers:
                observer(db, effect)

        return observe

    def take_pushed(self) -> Collection[Client]:
        """The clients to which something has been sent since the last call; a batch ends."""
        self.invalidation.broadcast()
        taken = list(self.pushed)
        self.pushed.clear()
        return taken

    def forget(self, client: Client) -> None:
        """A client leaves, or begins anew: it listens to nothing."""
        self.pubsub.leave(client)
        self.invalidation.disable(client)


def check_subscriber(client: Client, command: Command) -> None:
    """Raise if a client that is subscribed may not execute a command: in RESP2 it may do little else."""
    if client.is_subscriber and command.name not in SUBSCRIBER_COMMANDS:
        raise ReplyError(_SUBSCRIBERS_ONLY.format(command.name.lower()))


def _nothing() -> None:
    """Nobody wants to know."""
