"""Commands on the connection itself: AUTH, ECHO, HELLO, PING, QUIT, RESET, SELECT.

Connections begin as the user ``default``, whose password is the option ``requirepass``; the users are in
``engine/access.py``.  A change of what decides whether a client may
use the hot path (protocol, authentication, replies) is followed by ``ctx.server.refresh(client)``.

Each option of HELLO takes effect where it stands, so an error leaves what came before it, as in Redis 7.0.
"""

from __future__ import annotations

from durable_redis.commands.context import Context
from durable_redis.commands.databases import database_argument
from durable_redis.commands.session import REPLY_ON, REPLY_SKIP, Client
from durable_redis.commands.table import (
    ALLOW_BUSY,
    FAST,
    LOADING,
    NO_AUTH,
    NOSCRIPT,
    STALE,
    command,
)
from durable_redis.errors import ReplyError, shown, syntax_error
from durable_redis.keyspace.database import Database
from durable_redis.resp.numbers import parse_integer
from durable_redis.resp.replies import OK, Reply

DEFAULT_USER = b"default"
PROTOCOLS = (2, 3)
WRONG_PASSWORD = "WRONGPASS invalid username-password pair or user is disabled."
NO_PASSWORD_SET = (
    "ERR AUTH <password> called without any password configured for the default user. "
    "Are you sure your configuration is correct?"
)
HELLO_WITHOUT_AUTH = (
    "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO AUTH "
    "<user> <pass> option can be used to authenticate the client and select the RESP protocol version "
    "at the same time"
)
NO_SUCH_PROTOCOL = "NOPROTO unsupported protocol version"
INVALID_NAME = "ERR Client names cannot contain spaces, newlines or special characters."
_ANY_TIME = NOSCRIPT | LOADING | STALE | FAST | NO_AUTH | ALLOW_BUSY


# -- authentication ------------------------------------------------------------------------------------------


@command("AUTH", arity=-2, flags=_ANY_TIME, acl=("connection",))
def auth(ctx: Context, argv: list[bytes]) -> Reply:
    """Authenticate with a password, or with a user and a password."""
    if len(argv) > 3:
        raise syntax_error()
    if len(argv) == 2:
        if ctx.server.access.users.default.no_password:
            raise ReplyError(NO_PASSWORD_SET)
        _authenticate(ctx, DEFAULT_USER, argv[1], argv[0])
    else:
        _authenticate(ctx, argv[1], argv[2], argv[0])
    return OK


def _authenticate(ctx: Context, user: bytes, password: bytes, word: bytes) -> None:
    """Let the client in, or raise; a client that is in stays in when it gets a password wrong."""
    if not ctx.server.access.authenticate(ctx.client, user, password, word):
        raise ReplyError(WRONG_PASSWORD)
    ctx.server.refresh(ctx.client)


@command("HELLO", arity=-1, flags=_ANY_TIME, acl=("connection",))
def hello(ctx: Context, argv: list[bytes]) -> Reply:
    """Choose the protocol, authenticate and name the connection on the way; says who the server is."""
    client = ctx.client
    protocol = client.protocol
    if len(argv) > 1:
        number = parse_integer(argv[1])
        if number is None:
            raise ReplyError("ERR Protocol version is not an integer or out of range")
        if number not in PROTOCOLS:
            raise ReplyError(NO_SUCH_PROTOCOL)
        protocol = number
    at = 2
    while at < len(argv):
        option = argv[at].upper()
        if option == b"AUTH" and at + 2 < len(argv):
            _authenticate(ctx, argv[at + 1], argv[at + 2], argv[0])
            at += 3
        elif option == b"SETNAME" and at + 1 < len(argv):
            set_client_name(client, argv[at + 1])
            at += 2
        else:
            raise ReplyError(f"ERR Syntax error in HELLO option '{shown(argv[at])}'")
    if not client.authenticated:
        raise ReplyError(HELLO_WITHOUT_AUTH)
    client.protocol = protocol
    ctx.server.refresh(client)
    return {
        b"server": b"redis",
        b"version": ctx.server.config.get_str("redis-version").encode(),
        b"proto": protocol,
        b"id": client.id,
        b"mode": b"standalone",
        b"role": b"master",
        b"modules": [],
    }


def set_client_name(client: Client, name: bytes) -> None:
    """Name a connection; an empty name takes the name away.  Raises unless :func:`is_plain_word`."""
    if not is_plain_word(name):
        raise ReplyError(INVALID_NAME)
    client.name = name


def is_plain_word(text: bytes) -> bool:
    """Whether CLIENT LIST can show the text as one word: printable ASCII without blanks, or nothing."""
    return all(33 <= byte <= 126 for byte in text)


# -- the connection ------------------------------------------------------------------------------------------


@command(
    "PING",
    arity=-1,
    flags=FAST,
    acl=("connection",),
    tips=("request_policy:all_shards", "response_policy:all_succeeded"),
)
def ping(ctx: Context, argv: list[bytes]) -> Reply:
    """Say PONG, or the argument."""
    if len(argv) > 2:
        raise ReplyError("ERR wrong number of arguments for 'ping' command")
    if ctx.client.is_subscriber:
        return [b"pong", argv[1] if len(argv) == 2 else b""]
    return argv[1] if len(argv) == 2 else "PONG"


@command("ECHO", arity=2, flags=LOADING | STALE | FAST, acl=("connection",))
def echo(ctx: Context, argv: list[bytes]) -> Reply:
    """Say the argument."""
    return argv[1]


@command("SELECT", arity=2, flags=LOADING | STALE | FAST, acl=("connection",))
def select(ctx: Context, argv: list[bytes]) -> Reply:
    """Work on another database from now on."""
    _select(ctx, database_argument(ctx, argv[1]))
    return OK


def _select(ctx: Context, db: Database) -> None:
    ctx.db = ctx.client.db = db
    ctx.server.refresh(ctx.client)


@command("QUIT", arity=-1, flags=_ANY_TIME, acl=("connection",))
def quit_(ctx: Context, argv: list[bytes]) -> Reply:
    """Close the connection once every reply has been sent."""
    ctx.client.closing = True
    return OK


@command("RESET", arity=1, flags=_ANY_TIME, acl=("connection",))
def reset(ctx: Context, argv: list[bytes]) -> Reply:
    """Make the connection as good as new.  As in Redis 7.0, NO-EVICT and what SETINFO said stay."""
    client = ctx.client
    ctx.server.messages.forget(client)
    ctx.server.inspection.leave(client)
    ctx.server.transactions.end(client)
    client.protocol = 2
    client.name = b""
    client.no_touch = False
    client.user = DEFAULT_USER
    client.let_in = False
    client.authenticated = ctx.server.access.users.default.is_open
    if (
        client.reply_mode != REPLY_SKIP
    ):  # a RESET right after CLIENT REPLY SKIP is the command that is skipped
        client.reply_mode = REPLY_ON
    _select(ctx, ctx.server.keyspace.database(0))
    return "RESET"
