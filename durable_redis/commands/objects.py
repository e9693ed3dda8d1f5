"""OBJECT: what a value looks like inside.

ENCODING and REFCOUNT answer what Redis would for the same value; nothing is really shared here.  The cache
keeps no clock and no counter per key, since that would cost every GET: it knows two generations, *used since
the shard was last rotated* and *not used since*.  IDLETIME and FREQ say what follows from that and no more;
their errors by ``maxmemory-policy`` are Redis's.
"""

from __future__ import annotations

from durable_redis.commands.context import Context
from durable_redis.commands.table import LOADING, READONLY, STALE, command, container, key_spec
from durable_redis.errors import ReplyError
from durable_redis.keyspace.shard import shard_number
from durable_redis.objects.collection import Collection
from durable_redis.objects.entry import Value, kind_of
from durable_redis.objects.string import string_data, string_encoding
from durable_redis.resp.replies import Reply
from storage.records import TYPE_STRING

SHARED_INTEGERS = 10_000  # Redis keeps one object for each of 0 … 9,999 …
SHARED_REFCOUNT = (1 << 31) - 1  # … and this is the count it shows for them
_TAKES_TIME = (
    "Please note that when switching between policies at runtime LRU and LFU data "
    "will take some time to adjust."
)
NO_LFU = f"ERR An LFU maxmemory policy is not selected, access frequency not tracked. {_TAKES_TIME}"
NO_LRU = f"ERR An LFU maxmemory policy is selected, idle time not tracked. {_TAKES_TIME}"
_OBJECT_KEY = (key_spec("RO", first=2),)
_TIPS = ("nondeterministic_output",)

OBJECT = container("OBJECT")


@command("OBJECT|ENCODING", arity=3, flags=READONLY, keys=_OBJECT_KEY, acl=("keyspace",), tips=_TIPS)
def object_encoding(ctx: Context, argv: list[bytes]) -> Reply:
    """How the value is represented: for strings ``int``, ``embstr`` or ``raw``; null without a key."""
    value = ctx.inspect(argv[2])
    return None if value is None else _encoding(value).encode()


def _encoding(value: Value) -> str:
    return value.encoding() if isinstance(value, Collection) else string_encoding(value)


@command("OBJECT|REFCOUNT", arity=3, flags=READONLY, keys=_OBJECT_KEY, acl=("keyspace",), tips=_TIPS)
def object_refcount(ctx: Context, argv: list[bytes]) -> Reply:
    """1, or a very large number for the small integers that Redis would share; null without a key."""
    value = ctx.inspect(argv[2])
    if value is None:
        return None
    shared = _may_share(ctx) and kind_of(value) == TYPE_STRING and _encoding(value) == "int"
    if shared and 0 <= int(string_data(value)) < SHARED_INTEGERS:
        return SHARED_REFCOUNT
    return 1


def _may_share(ctx: Context) -> bool:
    """Redis shares no integers while it needs their LRU or LFU data for eviction."""
    config = ctx.server.config
    tracked = config.get_str("maxmemory-policy").endswith(("-lru", "-lfu"))
    return not (tracked and config.get_int("maxmemory"))


@command("OBJECT|IDLETIME", arity=3, flags=READONLY, keys=_OBJECT_KEY, acl=("keyspace",), tips=_TIPS)
def object_idletime(ctx: Context, argv: list[bytes]) -> Reply:
    """Seconds since the key was used, at least: always 0, as no time of use is kept; null without a key."""
    if ctx.inspect(argv[2]) is None:
        return None
    if _counts_uses(ctx):
        raise ReplyError(NO_LRU)
    return 0


@command("OBJECT|FREQ", arity=3, flags=READONLY, keys=_OBJECT_KEY, acl=("keyspace",), tips=_TIPS)
def object_freq(ctx: Context, argv: list[bytes]) -> Reply:
    """1 for a key of the young generation, 0 for others: all that eviction goes by; null without a key."""
    key = argv[2]
    young = key in ctx.db.shards[shard_number(key)].young  # asked first: reading makes any key young
    if ctx.inspect(key) is None:
        return None
    if not _counts_uses(ctx):
        raise ReplyError(NO_LFU)
    return int(young)


def _counts_uses(ctx: Context) -> bool:
    policy: str = ctx.server.config.get_str("maxmemory-policy")
    return policy.endswith("-lfu")


@command("OBJECT|HELP", arity=2, flags=LOADING | STALE, acl=("keyspace",))
def object_help(ctx: Context, argv: list[bytes]) -> Reply:
    """List the subcommands."""
    return [
        "OBJECT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "ENCODING <key>",
        "    Tell how the value of a key is represented.",
        "FREQ <key>",
        "    Tell how often a key is used: 1 if it was used lately, else 0.",
        "IDLETIME <key>",
        "    Tell how many seconds a key has not been used, at least.",
        "REFCOUNT <key>",
        "    Tell how many references there are to the value of a key.",
        "HELP",
        "    Show this text.",
    ]
