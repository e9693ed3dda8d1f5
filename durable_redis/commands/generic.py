"""Commands on keys of any type: whether they are there, removing, renaming, moving and copying them.

A command decides, an effect acts: each function looks at the keys, settles everything that can be wrong, and
hands one effect to ``ctx.apply``.  Whole keys travel with their expiry.  A command that changes nothing (a
key renamed to itself, a DEL of keys that are not there) applies nothing.  Expiry is in ``expiry.py``,
iteration in ``iteration.py``, OBJECT in ``objects.py``; DUMP, RESTORE, MIGRATE and SORT are left out.
"""

from __future__ import annotations

from durable_redis.commands.context import Context
from durable_redis.commands.databases import database_argument
from durable_redis.commands.table import DENYOOM, FAST, READ_KEY_META, READONLY, WRITE, command, key_spec
from durable_redis.errors import NO_SUCH_KEY, ReplyError, syntax_error
from durable_redis.objects.entry import TYPE_NAMES, kind_of
from durable_redis.resp.replies import OK, Reply

SAME_OBJECT = "ERR source and destination objects are the same"
_ALL_KEYS = (key_spec("RO", last=-1),)
_DELETED_KEYS = (key_spec("RM", "delete", last=-1),)
_MULTI_SHARD = ("request_policy:multi_shard", "response_policy:agg_sum")


# -- looking -------------------------------------------------------------------------------------------------


@command("EXISTS", arity=-2, flags=READONLY | FAST, keys=_ALL_KEYS, acl=("keyspace",), tips=_MULTI_SHARD)
def exists(ctx: Context, argv: list[bytes]) -> Reply:
    """How many of the keys are there; a key that is named twice counts twice."""
    return sum(ctx.read(key) is not None for key in argv[1:])


@command("TOUCH", arity=-2, flags=READONLY | FAST, keys=_ALL_KEYS, acl=("keyspace",), tips=_MULTI_SHARD)
def touch(ctx: Context, argv: list[bytes]) -> Reply:
    """How many of the keys are there; they count as used now, which keeps them in memory longer."""
    return sum(ctx.read(key) is not None for key in argv[1:])


@command("TYPE", arity=2, flags=READONLY | FAST, keys=READ_KEY_META, acl=("keyspace",))
def type_(ctx: Context, argv: list[bytes]) -> Reply:
    """The name of the key's type; ``none`` without a key."""
    value = ctx.read(argv[1])
    return "none" if value is None else TYPE_NAMES[kind_of(value)]


# -- removing ------------------------------------------------------------------------------------------------


@command("DEL", arity=-2, flags=WRITE, keys=_DELETED_KEYS, acl=("keyspace",), tips=_MULTI_SHARD)
def del_(ctx: Context, argv: list[bytes]) -> Reply:
    """Delete keys; how many there were."""
    return _delete(ctx, argv)


@command("UNLINK", arity=-2, flags=WRITE | FAST, keys=_DELETED_KEYS, acl=("keyspace",), tips=_MULTI_SHARD)
def unlink(ctx: Context, argv: list[bytes]) -> Reply:
    """Delete keys; how many there were.  DEL takes constant time a key as well, so the two are the same."""
    return _delete(ctx, argv)


def _delete(ctx: Context, argv: list[bytes]) -> int:
    keys = [key for key in dict.fromkeys(argv[1:]) if ctx.peek(key) is not None]
    if keys:
        ctx.apply(b"DEL", *keys)
    return len(keys)


# -- renaming, moving, copying -------------------------------------------------------------------------------


@command(
    "RENAME",
    arity=3,
    flags=WRITE,
    keys=(key_spec("RW", "access", "delete"), key_spec("OW", "update", first=2)),
    acl=("keyspace",),
    positions=(1, 2, 1),
)
def rename(ctx: Context, argv: list[bytes]) -> Reply:
    """Give a key another name, over whatever has that name."""
    _, source, target = argv
    if ctx.peek(source) is None:
        raise ReplyError(NO_SUCH_KEY)
    if source != target:
        ctx.apply(b"RENAME", source, target)
    return OK


@command(
    "RENAMENX",
    arity=3,
    flags=WRITE | FAST,
    keys=(key_spec("RW", "access", "delete"), key_spec("OW", "insert", first=2)),
    acl=("keyspace",),
    positions=(1, 2, 1),
)
def renamenx(ctx: Context, argv: list[bytes]) -> Reply:
    """Give a key another name if nothing has that name; 1 if it was done."""
    _, source, target = argv
    if ctx.peek(source) is None:
        raise ReplyError(NO_SUCH_KEY)
    if ctx.peek(target) is not None:
        return 0
    ctx.apply(b"RENAME", source, target)
    return 1


@command("MOVE", arity=3, flags=WRITE | FAST, keys=(key_spec("RW", "access", "update"),), acl=("keyspace",))
def move(ctx: Context, argv: list[bytes]) -> Reply:
    """Move a key to another database unless that has such a key; 1 if it was done."""
    key = argv[1]
    target = database_argument(ctx, argv[2])
    if target is ctx.db:
        raise ReplyError(SAME_OBJECT)
    if ctx.peek(key) is None or target.read(key) is not None:
        return 0
    ctx.apply(b"MOVE", key, b"%d" % target.index)
    return 1


@command(
    "COPY",
    arity=-3,
    flags=WRITE | DENYOOM,
    keys=(key_spec("RO", "access"), key_spec("OW", "update", first=2)),
    acl=("keyspace",),
    positions=(1, 2, 1),
)
def copy(ctx: Context, argv: list[bytes]) -> Reply:
    """Copy a key, with its expiry, to a key of this or another database; 1 if it was done."""
    source, target = argv[1], argv[2]
    target_db, replace = ctx.db, False
    words = iter(argv[3:])
    for word in words:
        option = word.upper()
        if option == b"REPLACE":
            replace = True
        elif option == b"DB" and (raw := next(words, None)) is not None:
            target_db = database_argument(ctx, raw)
        else:
            raise syntax_error()
    if target_db is ctx.db and source == target:
        raise ReplyError(SAME_OBJECT)
    if ctx.read(source) is None:
        return 0
    if not replace and target_db.read(target) is not None:
        return 0
    ctx.apply(b"COPY", source, target, b"DB", b"%d" % target_db.index, b"REPLACE")
    return 1
