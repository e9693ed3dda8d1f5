"""DEBUG: looking inside, and making rare things happen, for tests and for finding faults.

Every subcommand is refused unless option ``enable-debug-command`` allows it (``local``: from this machine
only), since some of them stop the server for everyone.  As in Redis, DEBUG is one command that reads its
subcommand itself, so a wrong number of arguments and an unknown subcommand get the same error.

RELOAD is the way to test the path from memory to disk and back: a checkpoint, then everything clean leaves
the cache, and what follows is read from the backend.  What would crash, leak or look into jemalloc is left
out.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Final

from durable_redis.commands.context import Context
from durable_redis.commands.digest import dataset_digest, value_digest
from durable_redis.commands.saving import wait_for_checkpoint
from durable_redis.commands.table import ADMIN, LOADING, NOSCRIPT, STALE, command
from durable_redis.errors import NO_SUCH_KEY, ReplyError, shown
from durable_redis.objects.codec import encode_body
from durable_redis.objects.entry import kind_of
from durable_redis.objects.string import string_encoding
from durable_redis.resp.numbers import parse_float
from durable_redis.resp.replies import OK, BigNumber, Encoded, Reply, SetReply, Verbatim
from storage.records import TYPE_STRING

NOT_ALLOWED: Final = (
    'ERR DEBUG command not allowed. If the enable-debug-command option is set to "local", you can run it '
    "from a local connection, otherwise you need to set this option in the configuration file, "
    "and then restart the server."
)
SLEEP_SECONDS_MAX: Final = 3600.0
_RELOAD_OPTIONS: Final = frozenset({b"merge", b"noflush", b"nosave"})

logger = logging.getLogger("durable_redis")


@command("DEBUG", arity=-2, flags=ADMIN | NOSCRIPT | LOADING | STALE)
def debug(ctx: Context, argv: list[bytes]) -> Reply:
    """Run a subcommand, if the option allows it to this client."""
    if not _is_allowed(ctx):
        raise ReplyError(NOT_ALLOWED)
    found = _SUBCOMMANDS.get(argv[1].lower())
    if found is not None:
        least, most, handler = found
        if least <= len(argv) <= most:
            return handler(ctx, argv)
    word = shown(argv[1], 128)
    raise ReplyError(f"ERR unknown subcommand or wrong number of arguments for '{word}'. Try DEBUG HELP.")


def _is_allowed(ctx: Context) -> bool:
    allowed = ctx.server.config.get_str("enable-debug-command")
    return allowed == "yes" or (allowed == "local" and ctx.client.is_local)


def _sleep(ctx: Context, argv: list[bytes]) -> Reply:
    """Stop the whole server for some seconds; what is no number counts as none, as in Redis."""
    seconds = parse_float(argv[2]) or 0.0
    if seconds > 0:
        time.sleep(min(seconds, SLEEP_SECONDS_MAX))
    return OK


def _set_active_expire(ctx: Context, argv: list[bytes]) -> Reply:
    """Whether expired keys leave by themselves; if not, they go when they are touched."""
    ctx.server.maintenance.active_expire = bool(_leading_integer(argv[2]))
    return OK


def _leading_integer(word: bytes) -> int:
    """What C's ``atoi`` reads."""
    text = word.strip()
    digits = text.lstrip(b"+-") if text[:1] in (b"+", b"-") else text
    end = next((at for at, byte in enumerate(digits) if not 48 <= byte <= 57), len(digits))
    return int(digits[:end] or b"0")


def _object(ctx: Context, argv: list[bytes]) -> Reply:
    """One line about a key; ``serializedlength`` is the length of its value in the backend's record."""
    value = ctx.peek(argv[2])
    if value is None:
        raise ReplyError(NO_SUCH_KEY)
    assert kind_of(value) == TYPE_STRING
    return (
        f"Value at:0x{id(value):x} refcount:1 encoding:{string_encoding(value)} "
        f"serializedlength:{len(encode_body(value))} lru:0 lru_seconds_idle:0"
    )


def _digest(ctx: Context, argv: list[bytes]) -> Reply:
    """The digest of all data."""
    return dataset_digest(ctx.server.keyspace).decode()


def _digest_value(ctx: Context, argv: list[bytes]) -> Reply:
    """The digest of the value of each key; its name does not enter."""
    return [value_digest(ctx.peek(key)).decode() for key in argv[2:]]


def _reload(ctx: Context, argv: list[bytes]) -> Reply:
    """A checkpoint; then read everything from the backend again.

    Redis's options load an older file over the data.  Our backend is never older than what it answers for,
    so they are refused.
    """
    options = {word.lower() for word in argv[2:]}
    if options - _RELOAD_OPTIONS:
        raise ReplyError("ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.")
    if options:
        raise ReplyError(
            "ERR DEBUG RELOAD takes no options here: data is never replaced by an older checkpoint"
        )
    keyspace = ctx.server.keyspace

    def finish() -> Reply:
        keyspace.drop_clean()
        return OK

    return wait_for_checkpoint(ctx, finish)


def _error(ctx: Context, argv: list[bytes]) -> Reply:
    """Answer with an error of the client's choice."""
    raise ReplyError(argv[2].decode("latin-1"))


def _log(ctx: Context, argv: list[bytes]) -> Reply:
    """Write a line to the server's log."""
    logger.warning("DEBUG LOG: %s", argv[2].decode("utf-8", "backslashreplace"))
    return OK


# -- PROTOCOL ------------------------------------------------------------------------------------------------

_ATTRIBUTE: Final = b"|1\r\n$14\r\nkey-popularity\r\n*2\r\n$7\r\nkey:123\r\n:90\r\n"
_AFTER_ATTRIBUTE: Final = b"Some real reply following the attribute"
_PUSH: Final = b">2\r\n$16\r\nserver-cpu-usage\r\n:42\r\n"
_AFTER_PUSH: Final = b"Some real reply following the push reply"
_EXAMPLES: Final[dict[bytes, Reply]] = {
    b"string": b"Hello World",
    b"integer": 12345,
    b"double": 3.141,
    b"null": None,
    b"array": [0, 1, 2],
    b"set": SetReply([0, 1, 2]),
    b"map": {0: False, 1: True, 2: False},
    b"verbatim": Verbatim(b"This is a verbatim\nstring"),
    b"true": True,
    b"false": False,
    b"bignum": BigNumber(1234567999999999999999999999999999999),
}
"""The values that client libraries expect in their tests."""


def _protocol(ctx: Context, argv: list[bytes]) -> Reply:
    """An example of a reply type."""
    name = argv[2].lower()
    resp3 = ctx.client.protocol >= 3
    if name == b"attrib":
        return Encoded(_ATTRIBUTE + _bulk(_AFTER_ATTRIBUTE)) if resp3 else _AFTER_ATTRIBUTE
    if name == b"push":
        if not resp3:
            raise ReplyError("ERR RESP2 is not supported by this command")
        return Encoded(_PUSH + _bulk(_AFTER_PUSH))
    if name not in _EXAMPLES:
        raise ReplyError(
            "ERR Wrong protocol type name. Please use one of the following: "
            "string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|true|false"
        )
    return _EXAMPLES[name]


def _bulk(data: bytes) -> bytes:
    return b"$%d\r\n%b\r\n" % (len(data), data)


# -- HELP ----------------------------------------------------------------------------------------------------


def _help(ctx: Context, argv: list[bytes]) -> Reply:
    """List the subcommands."""
    return [
        "DEBUG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "DIGEST",
        "    A signature of all data, the same as Redis's for the same data. Reads everything.",
        "DIGEST-VALUE <key> [<key> ...]",
        "    A signature of each key's value.",
        "ERROR <text>",
        "    Answer with this error.",
        "LOG <text>",
        "    Write a line to the server's log.",
        "OBJECT <key>",
        "    What is known of a key's value.",
        "PROTOCOL <type>",
        "    Answer with an example of a reply type: string, integer, double, bignum, null, array, set,",
        "    map, attrib, push, verbatim, true, false.",
        "RELOAD",
        "    Make a checkpoint, drop the cache and read the data from disk again.",
        "SET-ACTIVE-EXPIRE <0|1>",
        "    Whether expired keys are removed before anybody touches them.",
        "SLEEP <seconds>",
        "    Stop the server for that long, for everybody.",
        "HELP",
        "    Show this text.",
    ]


_ANY: Final = 1 << 30  # words; the parser's limit is lower
_SUBCOMMANDS: Final[dict[bytes, tuple[int, int, Callable[[Context, list[bytes]], Reply]]]] = {
    b"digest": (2, 2, _digest),
    b"digest-value": (2, _ANY, _digest_value),
    b"error": (3, 3, _error),
    b"help": (2, 2, _help),
    b"log": (3, 3, _log),
    b"object": (3, 3, _object),
    b"protocol": (3, 3, _protocol),
    b"reload": (2, _ANY, _reload),
    b"set-active-expire": (3, 3, _set_active_expire),
    b"sleep": (3, 3, _sleep),
}
"""By name: fewest words, most words, handler."""
