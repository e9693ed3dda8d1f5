"""Options of Redis that promise something which is not built yet.

Clients and tools read them, so they are shown with Redis's defaults; any other value is refused rather than
taken and not kept.  An option leaves this module for its group when code reads it.
"""

from __future__ import annotations

from typing import Final

from durable_redis.config.kinds import (
    INT_MAX,
    LONG_MAX,
    PORT_MAX,
    Boolean,
    Enum,
    Integer,
    InvalidValue,
    Memory,
    Text,
    Words,
)
from durable_redis.config.option import Option, State, in_group, in_state


class Address(Words):
    """A host and a port, or two empty words."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__(2, "wrong number of arguments")

    def parse(self, words: object, before: object) -> tuple[str, ...]:
        """The host and the port; none for ``no one``."""
        assert isinstance(words, list | tuple)
        if words and len(words) != 2:
            raise InvalidValue(self.too_many)
        found = super().parse(words, before)
        return () if [word.lower() for word in found] == ["no", "one"] else found


REPLICATION: Final = in_group(
    "replication",
    *in_state(
        State.RESERVED,
        Option("replicaof", Address(), "", "The primary to follow.", aliases=("slaveof",), mutable=False),
        Option("masterauth", Text(), "", "Password at the primary."),
        Option("masteruser", Text(), "", "User at the primary."),
        Option(
            "replica-serve-stale-data",
            Boolean(),
            "yes",
            "Answer while the primary is away.",
            aliases=("slave-serve-stale-data",),
        ),
        Option(
            "replica-read-only", Boolean(), "yes", "Refuse writes on a replica.", aliases=("slave-read-only",)
        ),
        Option(
            "replica-priority",
            Integer(0, INT_MAX),
            "100",
            "Order in which Sentinel promotes replicas.",
            aliases=("slave-priority",),
        ),
        Option("replica-announced", Boolean(), "yes", "Show this replica to Sentinel."),
        Option(
            "replica-announce-ip",
            Text(),
            "",
            "Address told to the primary.",
            aliases=("slave-announce-ip",),
        ),
        Option(
            "replica-announce-port",
            Integer(0, PORT_MAX),
            "0",
            "Port told to the primary.",
            aliases=("slave-announce-port",),
        ),
        Option(
            "replica-ignore-maxmemory",
            Boolean(),
            "yes",
            "Leave eviction to the primary.",
            aliases=("slave-ignore-maxmemory",),
        ),
        Option(
            "replica-lazy-flush",
            Boolean(),
            "no",
            "Drop old data in the background before a full sync.",
            aliases=("slave-lazy-flush",),
        ),
        Option(
            "replica-ignore-disk-write-errors",
            Boolean(),
            "no",
            "Go on when a replica cannot write to its disk.",
        ),
        Option("repl-backlog-size", Memory(1), "1mb", "Bytes kept for replicas that come back."),
        Option("repl-backlog-ttl", Integer(0, LONG_MAX), "3600", "Seconds for which they are kept."),
        Option("repl-timeout", Integer(1, INT_MAX), "60", "Seconds of silence that end a link."),
        Option(
            "repl-ping-replica-period",
            Integer(1, INT_MAX),
            "10",
            "Seconds between pings.",
            aliases=("repl-ping-slave-period",),
        ),
        Option("repl-diskless-sync", Boolean(), "yes", "Send a full sync without writing it to disk."),
        Option("repl-diskless-sync-delay", Integer(0, INT_MAX), "5", "Seconds to wait for more replicas."),
        Option("repl-diskless-sync-max-replicas", Integer(0, INT_MAX), "0", "Replicas to wait for."),
        Option(
            "repl-diskless-load",
            Enum("disabled", "on-empty-db", "swapdb"),
            "disabled",
            "Load a full sync as it arrives.",
        ),
        Option("repl-disable-tcp-nodelay", Boolean(), "no", "Trade latency of replicas for bandwidth."),
        Option("rdb-del-sync-files", Boolean(), "no", "Delete files of full syncs.", mutable=True),
        Option(
            "min-replicas-to-write",
            Integer(0, INT_MAX),
            "0",
            "Replicas without which writes are refused.",
            aliases=("min-slaves-to-write",),
        ),
        Option(
            "min-replicas-max-lag",
            Integer(0, INT_MAX),
            "10",
            "Seconds of silence after which a replica does not count.",
            aliases=("min-slaves-max-lag",),
        ),
        Option(
            "propagation-error-behavior",
            Enum("ignore", "panic", "panic-on-replicas"),
            "ignore",
            "What to do with an effect that fails on a replica.",
        ),
    ),
)

TLS_OF_LINKS: Final = in_group(
    "tls",
    *in_state(
        State.RESERVED,
        Option("tls-client-cert-file", Text(), "", "Certificate as a client."),
        Option("tls-client-key-file", Text(), "", "Key as a client."),
        Option("tls-client-key-file-pass", Text(), "", "Password of the key as a client."),
        Option("tls-replication", Boolean(), "no", "TLS for replication."),
        Option("tls-cluster", Boolean(), "no", "TLS for the cluster bus."),
    ),
)

NOT_BUILT: Final = in_group(
    "not built yet",
    *in_state(
        State.RESERVED,
        Option("cluster-enabled", Boolean(), "no", "Be a node of a cluster.", mutable=False),
    ),
)
