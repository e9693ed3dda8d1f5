"""What the server knows of a client; the socket belongs to ``net``.

``out`` collects encoded replies until the batch they belong to is durable.  ``fast`` is the table of
commands that may skip the gates for this client: empty as soon as anything about it is special (no AUTH yet,
REPLY OFF, in a transaction, …).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from durable_redis.commands.context import Context, Wait
from durable_redis.commands.listening import Subscriptions, Tracking
from durable_redis.commands.queueing import Transaction, Watch
from durable_redis.keyspace.database import Database

if TYPE_CHECKING:
    from durable_redis.acl.users import User

FastHandler = Callable[[Database, list[bytes], list[bytes]], int]
NO_FAST: dict[bytes, FastHandler] = {}

REPLY_ON = 0
REPLY_OFF = 1
REPLY_SKIP_NEXT = 2  # CLIENT REPLY SKIP was just answered with silence
REPLY_SKIP = 3  # the command that is executing now is not answered


class Kept(bytes):
    """Bytes in ``out`` that are sent even where CLIENT REPLY has switched replies off."""


def is_kept(piece: bytes) -> bool:
    """Whether a piece of ``out`` is sent even where replies are off."""
    return type(piece) is Kept


class Client:
    """One connection as the engine sees it.  Times in milliseconds since 1970."""

    __slots__ = (
        "active_ms",
        "address",
        "argv_bytes",
        "authenticated",
        "closing",
        "context",
        "created_ms",
        "db",
        "deferred",
        "fast",
        "fd",
        "id",
        "is_monitor",
        "is_unix",
        "kill",
        "last_command",
        "let_in",
        "library_name",
        "library_version",
        "local_address",
        "name",
        "no_evict",
        "no_touch",
        "out",
        "output_bytes",
        "permissions",
        "postponed",
        "protocol",
        "query_bytes",
        "reply_mode",
        "subscriptions",
        "tracking",
        "transaction",
        "user",
        "wait",
        "wait_is_silent",
        "watch",
    )

    def __init__(self, number: int, db: Database, server: Any) -> None:
        self.id = number
        self.db = db
        self.out: list[bytes] = []
        self.fast: dict[bytes, FastHandler] = NO_FAST
        self.context = Context(server, self, db)
        self.protocol = 2
        self.authenticated = False
        self.let_in = False  # came when a password was needed, and may go on while none is
        self.user = b"default"
        self.permissions: User | None = None  # the user, if there is anything that it may not do
        self.name = b""
        self.library_name = b""
        self.library_version = b""
        self.address = ""
        self.local_address = ""
        self.fd = -1
        self.created_ms = 0
        self.active_ms = 0
        self.last_command = "NULL"
        self.reply_mode = REPLY_ON
        self.no_evict = False
        self.no_touch = False
        self.closing = False  # close once ``out`` has been sent
        self.kill: Callable[[], None] = _nothing  # close now; set by ``net``
        self.wait: Wait | None = None
        self.wait_is_silent = False  # CLIENT REPLY SKIP stood in front of the command that waits
        self.postponed: list[bytes] | None = None  # held back by CLIENT PAUSE
        self.query_bytes = 0
        self.output_bytes = 0  # replies that the socket has not taken yet
        self.argv_bytes = 0
        self.is_unix = False
        self.is_monitor = False  # sees every command
        self.subscriptions: Subscriptions | None = None
        self.tracking: Tracking | None = None  # client-side caching
        self.transaction: Transaction | None = None  # what was queued since MULTI
        self.watch: Watch | None = None
        self.deferred: list[bytes] | None = None  # messages that come while EXEC or a script is executed

    def push(self, data: bytes) -> None:
        """Send what the client has not asked for: behind an EXEC, and even where replies are off."""
        out = self.out if self.deferred is None else self.deferred
        out.append(data if self.reply_mode == REPLY_ON else Kept(data))

    @property
    def is_waiting(self) -> bool:
        """Whether a command of this client is under way, or held back: the next one has to wait."""
        return self.wait is not None or self.postponed is not None

    @property
    def is_plain(self) -> bool:
        """Whether nothing about the client asks for the gates, so that it may use the hot path."""
        return (
            self.authenticated
            and self.permissions is None
            and self.transaction is None
            and self.reply_mode == REPLY_ON
            and (self.subscriptions is None or self.protocol != 2)
            and (self.tracking is None or self.tracking.broadcast)
        )

    @property
    def is_subscriber(self) -> bool:
        """Whether the client is in RESP2's subscribe mode, in which it may do little else."""
        return self.subscriptions is not None and self.protocol == 2

    @property
    def kind(self) -> str:
        """The class of clients that CLIENT LIST TYPE and CLIENT KILL TYPE know it by."""
        return "normal" if self.subscriptions is None else "pubsub"

    @property
    def output_class(self) -> str:
        """The class of ``client-output-buffer-limit``.

        A monitor gets unasked what may be too much, so the limit of subscribers holds for it; in Redis it may
        take all memory.
        """
        return "pubsub" if self.is_monitor else self.kind

    @property
    def source(self) -> str:
        """Where the client's commands come from, as MONITOR shows it."""
        return "unix:" + self.address.removesuffix(":0") if self.is_unix else self.address

    @property
    def is_local(self) -> bool:
        """Whether the client is on this machine: at a Unix socket or the loopback interface."""
        return self.is_unix or is_loopback(self.address)

    def release(self) -> None:
        """Undo the cycles that this object is part of: the collector will not look for them."""
        self.kill = _nothing
        self.wait = None
        self.postponed = None
        self.context.client = None  # type: ignore[assignment]


def is_loopback(address: str) -> bool:
    """Whether an address as CLIENT LIST shows it (``[::1]:5000``) is of the loopback interface."""
    host = address.rpartition(":")[0].strip("[]").partition("%")[0]
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _nothing() -> None:
    """What killing a client without a socket does."""
