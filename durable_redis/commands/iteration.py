"""Walking the keys of a database: SCAN, KEYS and RANDOMKEY.

Keys come in the order of their place, the same before and after a restart (``keyspace/scan.py``).  A cursor
is a place written as an unsigned decimal: it holds no state, so any cursor is as good as any other, and one
may be used again. Nothing here loads values: the type and the expiry of a key stand in its record.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from durable_redis.commands.context import Context
from durable_redis.commands.table import READONLY, command
from durable_redis.errors import NOT_AN_INTEGER, ReplyError, syntax_error
from durable_redis.glob import compile_glob
from durable_redis.keyspace.scan import Seen, random_key, walk, walk_all
from durable_redis.objects.entry import TYPE_NAMES
from durable_redis.resp.numbers import parse_integer
from durable_redis.resp.replies import Reply

SCAN_COUNT_DEFAULT = 10
SCAN_COUNT_MAX = 1 << 20  # a call visits no more keys than this, whatever COUNT says: COUNT is a hint
CURSOR_END = 1 << 64
_INVALID_CURSOR = "ERR invalid cursor"
_is_cursor = re.compile(rb"[+-]?[0-9]{1,1000}").fullmatch

Matches = Callable[[bytes], object]


@dataclass(slots=True)
class ScanOptions:
    """What follows the cursor; None where nothing was said."""

    count: int = SCAN_COUNT_DEFAULT
    matches: Matches | None = None
    type_name: str | None = None

    def wants(self, seen: Seen) -> bool:
        """Whether the key is to be in the reply."""
        if self.type_name is not None and TYPE_NAMES[seen.kind] != self.type_name:
            return False
        return self.matches is None or bool(self.matches(seen.key))


@command(
    "SCAN",
    arity=-2,
    flags=READONLY,
    acl=("keyspace",),
    tips=("nondeterministic_output", "request_policy:special"),
)
def scan(ctx: Context, argv: list[bytes]) -> Reply:
    """Some keys from the cursor on, and the cursor for the next call; 0 when there are no more."""
    cursor = parse_cursor(argv[1])
    options = _scan_options(argv)
    following, found = walk(ctx.db, cursor, options.count)
    return [b"%d" % following, [seen.key for seen in found if options.wants(seen)]]


def parse_cursor(raw: bytes) -> int:
    """A cursor as C's ``strtoul`` reads it: negative numbers wrap, no text is 0, and a NUL ends the text.

    Raises for other texts.
    """
    if b"\0" in raw:
        raw = raw[: raw.index(b"\0")]
    if not raw:
        return 0
    if _is_cursor(raw) is not None:
        cursor = int(raw)
        if -CURSOR_END < cursor < CURSOR_END:
            return cursor % CURSOR_END
    raise ReplyError(_INVALID_CURSOR)


def _scan_options(argv: list[bytes]) -> ScanOptions:
    options = ScanOptions()
    words = iter(argv[2:])
    for word in words:
        argument = next(words, None)
        if argument is None:
            raise syntax_error()
        option = word.upper()
        if option == b"COUNT":
            count = parse_integer(argument)
            if count is None:
                raise ReplyError(NOT_AN_INTEGER)
            if count < 1:
                raise syntax_error()
            options.count = min(count, SCAN_COUNT_MAX)
        elif option == b"MATCH":
            options.matches = _matcher(argument)
        elif option == b"TYPE":
            options.type_name = argument.decode("latin-1").lower()
        else:
            raise syntax_error()
    return options


def _matcher(pattern: bytes) -> Matches | None:
    """What tells whether a key fits a pattern; None if every key does."""
    return None if pattern == b"*" else compile_glob(pattern)


@command(
    "KEYS",
    arity=2,
    flags=READONLY,
    acl=("dangerous", "keyspace"),
    tips=("request_policy:all_shards", "nondeterministic_output_order"),
)
def keys(ctx: Context, argv: list[bytes]) -> Reply:
    """Every key that fits a pattern.  The server does nothing else meanwhile; SCAN is the kinder way."""
    matches = _matcher(argv[1])
    if matches is None:
        return [seen.key for seen in walk_all(ctx.db)]
    return [seen.key for seen in walk_all(ctx.db) if matches(seen.key)]


@command(
    "RANDOMKEY",
    arity=1,
    flags=READONLY,
    acl=("keyspace",),
    tips=("request_policy:all_shards", "nondeterministic_output"),
)
def randomkey(ctx: Context, argv: list[bytes]) -> Reply:
    """A key chosen at random, in memory or not; null if there is none."""
    return random_key(ctx.db)
