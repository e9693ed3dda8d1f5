"""CLIENT LIST, INFO and KILL: looking at the server's connections, and closing some.

A line of CLIENT LIST has the fields of Redis 7.0 in its order, then ``lib-name`` and ``lib-ver`` of 7.2
(https://redis.io/docs/latest/commands/client-list/).  Redis's reply buffer has no counterpart here and shows
the value of a client without one.  ``cmd`` is the last command that did not take the hot path, which keeps no
notes.
"""

from __future__ import annotations

from collections.abc import Callable, Container
from dataclasses import dataclass
from functools import partial
from sys import getsizeof

from durable_redis.commands.context import Context
from durable_redis.commands.listening import Subscriptions
from durable_redis.commands.session import Client
from durable_redis.commands.table import ADMIN, LOADING, NOSCRIPT, STALE, command
from durable_redis.errors import ReplyError, shown, syntax_error
from durable_redis.resp.numbers import parse_integer
from durable_redis.resp.replies import OK, Reply, Verbatim

NO_SUCH_CLIENT = "ERR No such client"
_KINDS = {
    b"NORMAL": "normal",
    b"MASTER": "master",
    b"REPLICA": "replica",
    b"SLAVE": "replica",
    b"PUBSUB": "pubsub",
}
_OWN = NOSCRIPT | LOADING | STALE
_OTHERS = ADMIN | NOSCRIPT | LOADING | STALE


# -- looking -------------------------------------------------------------------------------------------------


@command("CLIENT|LIST", arity=-2, flags=_OTHERS, acl=("connection",), tips=("nondeterministic_output",))
def client_list(ctx: Context, argv: list[bytes]) -> Reply:
    """A line for each connection, or for those of a kind or with certain numbers."""
    clients = ctx.server.clients
    option = argv[2].upper() if len(argv) > 3 else b""
    if len(argv) == 2:
        chosen = list(clients.values())
    elif option == b"TYPE" and len(argv) == 4:
        kind = _kind_argument(argv[3])
        chosen = [client for client in clients.values() if client.kind == kind]
    elif option == b"ID":
        numbers = [parse_integer(raw) for raw in argv[3:]]
        if None in numbers:
            raise ReplyError("ERR Invalid client ID")
        chosen = [clients[number] for number in numbers if number in clients]
    else:
        raise syntax_error()
    return Verbatim(b"".join(describe_client(client, ctx.now_ms) for client in chosen))


@command("CLIENT|INFO", arity=2, flags=_OWN, acl=("connection",), tips=("nondeterministic_output",))
def client_info(ctx: Context, argv: list[bytes]) -> Reply:
    """The connection's own line of CLIENT LIST."""
    return Verbatim(describe_client(ctx.client, ctx.now_ms))


def describe_client(client: Client, now_ms: int) -> bytes:
    """A client's line of CLIENT LIST, its newline included."""
    command_name = client.last_command
    subscriptions = client.subscriptions or Subscriptions()
    transaction = client.transaction
    fields: list[tuple[str, object]] = [
        ("id", client.id),
        ("addr", client.address),
        ("laddr", client.local_address),
        ("fd", client.fd),
        ("name", client.name.decode("ascii")),
        ("age", _seconds_since(client.created_ms, now_ms)),
        ("idle", _seconds_since(client.active_ms, now_ms)),
        ("flags", _flags(client)),
        ("db", client.db.index),
        ("sub", len(subscriptions.channels)),
        ("psub", len(subscriptions.patterns)),
        ("ssub", len(subscriptions.shard_channels)),
        ("multi", -1 if transaction is None else len(transaction.queue)),
        ("qbuf", client.query_bytes),
        ("qbuf-free", 0),
        ("argv-mem", client.argv_bytes),
        ("multi-mem", 0 if transaction is None else transaction.size),
        ("rbs", 0),
        ("rbp", 0),
        ("obl", 0),
        ("oll", int(client.output_bytes > 0)),
        ("omem", client.output_bytes),
        ("tot-mem", memory_of(client)),
        ("events", "rw" if client.output_bytes else "r"),
        ("cmd", command_name if command_name == "NULL" else command_name.lower()),
        ("user", client.user.decode("latin-1")),
        ("redir", -1 if client.tracking is None else client.tracking.redirect),
        ("resp", client.protocol),
        ("lib-name", client.library_name.decode("ascii")),
        ("lib-ver", client.library_version.decode("ascii")),
    ]
    return " ".join(f"{name}={value}" for name, value in fields).encode("utf-8", "surrogateescape") + b"\n"


def memory_of(client: Client) -> int:
    """Bytes that a client takes: the object itself, input not yet executed and output not yet sent."""
    queued = 0 if client.transaction is None else client.transaction.size
    return getsizeof(client) + client.query_bytes + client.argv_bytes + queued + client.output_bytes


def _flags(client: Client) -> str:
    tracking = client.tracking
    letters = (
        ("O", client.is_monitor),
        ("P", client.subscriptions is not None),
        ("x", client.transaction is not None),
        ("b", client.wait is not None),
        ("t", tracking is not None),
        ("R", tracking is not None and tracking.broken),
        ("B", tracking is not None and tracking.broadcast),
        ("d", client.watch is not None and client.watch.touched),
        ("c", client.closing),
        ("U", client.is_unix),
        ("e", client.no_evict),
        ("T", client.no_touch),
    )
    return "".join(letter for letter, holds in letters if holds) or "N"


def _seconds_since(then_ms: int, now_ms: int) -> int:
    return max(now_ms - then_ms, 0) // 1000


def _kind_argument(raw: bytes) -> str:
    kind = _KINDS.get(raw.upper())
    if kind is None:
        raise ReplyError(f"ERR Unknown client type '{shown(raw)}'")
    return kind


# -- closing -------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class KillFilter:
    """Which connections CLIENT KILL means; None where nothing was said.  The last of equal options counts."""

    number: int | None = None
    kind: str | None = None
    user: bytes | None = None
    address: bytes | None = None
    local_address: bytes | None = None
    spare_caller: bool = True

    def fits(self, client: Client, caller: Client) -> bool:
        """Whether the client is to be closed."""
        if client is caller and self.spare_caller:
            return False
        if self.number is not None and client.id != self.number:
            return False
        if self.kind is not None and client.kind != self.kind:
            return False
        if self.user is not None and client.user != self.user:
            return False
        if self.address is not None and _encoded(client.address) != self.address:
            return False
        return self.local_address is None or _encoded(client.local_address) == self.local_address


@command("CLIENT|KILL", arity=-3, flags=_OTHERS, acl=("connection",))
def client_kill(ctx: Context, argv: list[bytes]) -> Reply:
    """Close the connection from an address, or all that fit some options; the caller's after the reply."""
    old_form = len(argv) == 3
    wanted = (
        KillFilter(address=argv[2], spare_caller=False)
        if old_form
        else _parse_filter(argv, ctx.server.access.users.by_name)
    )
    chosen = [client for client in ctx.server.clients.values() if wanted.fits(client, ctx.client)]
    if old_form and not chosen:
        raise ReplyError(NO_SUCH_CLIENT)
    for client in chosen[:1] if old_form else chosen:
        if client is ctx.client:
            client.closing = True
        else:
            ctx.server.kill_client(client)
    return OK if old_form else len(chosen)


def _parse_filter(argv: list[bytes], users: Container[bytes]) -> KillFilter:
    """The options behind CLIENT KILL, in pairs.  Raises at the first that is wrong."""
    wanted = KillFilter()
    setters: dict[bytes, Callable[[KillFilter, bytes], None]] = {
        b"ID": _set_number,
        b"TYPE": _set_kind,
        b"USER": partial(_set_user, users=users),
        b"ADDR": _set_address,
        b"LADDR": _set_local_address,
        b"SKIPME": _set_skipme,
    }
    for at in range(2, len(argv), 2):
        setter = setters.get(argv[at].upper())
        if setter is None or at + 1 == len(argv):
            raise syntax_error()
        setter(wanted, argv[at + 1])
    return wanted


def _set_number(wanted: KillFilter, raw: bytes) -> None:
    number = parse_integer(raw)
    if number is None or number < 1:
        raise ReplyError("ERR client-id should be greater than 0")
    wanted.number = number


def _set_kind(wanted: KillFilter, raw: bytes) -> None:
    wanted.kind = _kind_argument(raw)


def _set_user(wanted: KillFilter, raw: bytes, users: Container[bytes]) -> None:
    if raw not in users:
        raise ReplyError(f"ERR No such user '{shown(raw)}'")
    wanted.user = raw


def _set_address(wanted: KillFilter, raw: bytes) -> None:
    wanted.address = raw


def _set_local_address(wanted: KillFilter, raw: bytes) -> None:
    wanted.local_address = raw


def _set_skipme(wanted: KillFilter, raw: bytes) -> None:
    word = raw.upper()
    if word not in (b"YES", b"NO"):
        raise syntax_error()
    wanted.spare_caller = word == b"YES"


def _encoded(address: str) -> bytes:
    return address.encode("utf-8", "surrogateescape")
