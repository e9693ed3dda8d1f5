"""CLIENT: a connection's name, its replies, and holding commands back.

These subcommands change what the engine knows of one client, or of all; LIST, INFO and KILL, which look at
the clients of the server, are in ``client_list.py``, those about client-side caching in ``tracking.py``.
"""

from __future__ import annotations

from durable_redis.commands.connection import is_plain_word, set_client_name
from durable_redis.commands.context import Context
from durable_redis.commands.session import REPLY_OFF, REPLY_ON, REPLY_SKIP_NEXT
from durable_redis.commands.table import ADMIN, LOADING, NOSCRIPT, STALE, command, container
from durable_redis.commands.waiting import timeout_argument
from durable_redis.errors import NOT_AN_INTEGER, ReplyError, shown, syntax_error
from durable_redis.resp.numbers import parse_integer
from durable_redis.resp.replies import NO_REPLY, OK, Reply

_OWN = NOSCRIPT | LOADING | STALE
_OTHERS = ADMIN | NOSCRIPT | LOADING | STALE

CLIENT = container("CLIENT")


# -- who it is -----------------------------------------------------------------------------------------------


@command("CLIENT|ID", arity=2, flags=_OWN, acl=("connection",))
def client_id(ctx: Context, argv: list[bytes]) -> Reply:
    """The connection's number; later ones have greater numbers."""
    return ctx.client.id


@command("CLIENT|GETNAME", arity=2, flags=_OWN, acl=("connection",))
def client_getname(ctx: Context, argv: list[bytes]) -> Reply:
    """The connection's name; null if it has none."""
    return ctx.client.name or None


@command("CLIENT|SETNAME", arity=3, flags=_OWN, acl=("connection",))
def client_setname(ctx: Context, argv: list[bytes]) -> Reply:
    """Name the connection; an empty name takes the name away."""
    set_client_name(ctx.client, argv[2])
    return OK


@command(
    "CLIENT|SETINFO",
    arity=4,
    flags=_OWN,
    acl=("connection",),
    tips=("request_policy:all_nodes", "response_policy:all_succeeded"),
)
def client_setinfo(ctx: Context, argv: list[bytes]) -> Reply:
    """Note the client library's name or version, for CLIENT LIST."""
    option, text = shown(argv[2]), argv[3]
    name = argv[2].lower()
    if name not in (b"lib-name", b"lib-ver"):
        raise ReplyError(f"ERR Unrecognized option '{option}'")
    if not is_plain_word(text):
        raise ReplyError(f"ERR {option} cannot contain spaces, newlines or special characters.")
    if name == b"lib-name":
        ctx.client.library_name = text
    else:
        ctx.client.library_version = text
    return OK


# -- how it is served ----------------------------------------------------------------------------------------


@command("CLIENT|REPLY", arity=3, flags=_OWN, acl=("connection",))
def client_reply(ctx: Context, argv: list[bytes]) -> Reply:
    """Whether commands are answered: ON, OFF, or SKIP for the next one."""
    client, mode = ctx.client, argv[2].upper()
    if mode == b"ON":
        client.reply_mode = REPLY_ON
    elif mode == b"OFF":
        client.reply_mode = REPLY_OFF
    elif mode == b"SKIP":
        if client.reply_mode != REPLY_OFF:
            client.reply_mode = REPLY_SKIP_NEXT
    else:
        raise syntax_error()
    ctx.server.refresh(client)
    return OK if mode == b"ON" else NO_REPLY


@command("CLIENT|NO-EVICT", arity=3, flags=_OTHERS, acl=("connection",))
def client_no_evict(ctx: Context, argv: list[bytes]) -> Reply:
    """Whether the connection is spared when clients are disconnected for taking too much memory."""
    ctx.client.no_evict = _on_or_off(argv[2])
    return OK


@command("CLIENT|NO-TOUCH", arity=3, flags=_OWN, acl=("connection",))
def client_no_touch(ctx: Context, argv: list[bytes]) -> Reply:
    """Whether the connection's commands leave alone what says when a key was used last."""
    ctx.client.no_touch = _on_or_off(argv[2])
    ctx.server.refresh(ctx.client)
    return OK


def _on_or_off(raw: bytes) -> bool:
    word = raw.upper()
    if word not in (b"ON", b"OFF"):
        raise syntax_error()
    return word == b"ON"


# -- holding back and letting go -----------------------------------------------------------------------------


@command("CLIENT|PAUSE", arity=-3, flags=_OTHERS, acl=("connection",))
def client_pause(ctx: Context, argv: list[bytes]) -> Reply:
    """Hold back every command, or those that write, for some milliseconds."""
    if len(argv) > 4:
        raise _wrong_arguments(argv)
    mode = argv[3].upper() if len(argv) == 4 else b"ALL"
    if mode not in (b"ALL", b"WRITE"):
        raise ReplyError("ERR CLIENT PAUSE mode must be WRITE or ALL")
    timeout_ms = timeout_argument(argv[2])
    ctx.server.pause.begin(ctx.now_ms + timeout_ms, mode == b"WRITE")
    return OK


@command("CLIENT|UNPAUSE", arity=2, flags=_OTHERS, acl=("connection",))
def client_unpause(ctx: Context, argv: list[bytes]) -> Reply:
    """End a pause before its time."""
    ctx.server.pause.end()
    return OK


@command("CLIENT|UNBLOCK", arity=-3, flags=_OTHERS, acl=("connection",))
def client_unblock(ctx: Context, argv: list[bytes]) -> Reply:
    """Let a client go that waits, as if its time were out or with an error; 1 if it was waiting."""
    if len(argv) > 4:
        raise _wrong_arguments(argv)
    reason = argv[3].upper() if len(argv) == 4 else b"TIMEOUT"
    if reason not in (b"TIMEOUT", b"ERROR"):
        raise ReplyError("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR")
    number = parse_integer(argv[2])
    if number is None:
        raise ReplyError(NOT_AN_INTEGER)
    target = ctx.server.clients.get(number)
    return int(target is not None and ctx.server.waiting.unblock(target, reason == b"ERROR"))


def _wrong_arguments(argv: list[bytes]) -> ReplyError:
    text = f"ERR unknown subcommand or wrong number of arguments for '{shown(argv[1])}'. Try CLIENT HELP."
    return ReplyError(text)


@command("CLIENT|HELP", arity=2, flags=LOADING | STALE, acl=("connection",))
def client_help(ctx: Context, argv: list[bytes]) -> Reply:
    """List the subcommands."""
    return [
        "CLIENT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "CACHING (YES|NO)",
        "    Track the keys that the next command reads, or not, against the mode OPTIN or OPTOUT.",
        "GETNAME",
        "    Tell the connection's name.",
        "GETREDIR",
        "    Tell which client gets the connection's invalidation messages.",
        "ID",
        "    Tell the connection's number.",
        "INFO",
        "    Describe the connection.",
        "KILL <address>",
        "    Close the connection that comes from an address (ip:port).",
        "KILL <option> <value> [<option> <value> [...]]",
        "    Close the connections that fit all of these options:",
        "    * ADDR <address>, LADDR <address>: they come from it, or were made to it.",
        "    * ID <client-id>, USER <username>: the one with this number, those of this user.",
        "    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB): those of this kind.",
        "    * SKIPME (YES|NO): whether to spare the connection that asks (default: yes).",
        "LIST [TYPE (NORMAL|MASTER|REPLICA|PUBSUB)|ID <client-id> [<client-id> ...]]",
        "    Describe connections: every one, those of a kind, or those with these numbers.",
        "NO-EVICT (ON|OFF)",
        "    Spare the connection when clients take too much memory.",
        "NO-TOUCH (ON|OFF)",
        "    Let the connection's commands not count as use of their keys.",
        "PAUSE <timeout> [WRITE|ALL]",
        "    Hold back commands, or only those that write, for <timeout> milliseconds.",
        "REPLY (ON|OFF|SKIP)",
        "    Answer the connection's commands, none of them, or all but the next.",
        "SETINFO (LIB-NAME|LIB-VER) <text>",
        "    Note the client library and its version.",
        "SETNAME <name>",
        "    Name the connection.",
        "TRACKING (ON|OFF) [REDIRECT <id>] [BCAST] [PREFIX <prefix> [...]] [OPTIN] [OPTOUT] [NOLOOP]",
        "    Tell this connection, or another one, when keys change that it may have cached.",
        "TRACKINGINFO",
        "    Tell how the connection tracks keys.",
        "UNBLOCK <client-id> [TIMEOUT|ERROR]",
        "    Let a client go that waits for something.",
        "UNPAUSE",
        "    End a pause.",
        "HELP",
        "    Show this text.",
    ]
