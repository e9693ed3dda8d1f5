"""MULTI, EXEC, DISCARD, WATCH, UNWATCH.

Queueing is the engine's (``engine/transactions.py``): a command of a client with a transaction is put into it
when it has passed the gates.  Source: https://redis.io/docs/latest/develop/interact/transactions/
"""

from __future__ import annotations

from durable_redis.commands.context import Context
from durable_redis.commands.table import ALLOW_BUSY, FAST, LOADING, NOSCRIPT, STALE, Flag, command, key_spec
from durable_redis.errors import ReplyError
from durable_redis.resp.replies import OK, Reply

_ANY_TIME = NOSCRIPT | LOADING | STALE | FAST | ALLOW_BUSY


@command("MULTI", arity=1, flags=_ANY_TIME, acl=("transaction",))
def multi(ctx: Context, argv: list[bytes]) -> Reply:
    """Begin to queue commands."""
    if ctx.client.transaction is not None:
        raise ReplyError("ERR MULTI calls can not be nested")
    ctx.server.transactions.begin(ctx.client)
    return OK


@command("DISCARD", arity=1, flags=_ANY_TIME, acl=("transaction",))
def discard(ctx: Context, argv: list[bytes]) -> Reply:
    """Forget the queued commands, and what is watched."""
    if ctx.client.transaction is None:
        raise ReplyError("ERR DISCARD without MULTI")
    ctx.server.transactions.end(ctx.client)
    return OK


@command("EXEC", arity=1, flags=NOSCRIPT | LOADING | STALE | Flag.SKIP_SLOWLOG, acl=("transaction",))
def exec_(ctx: Context, argv: list[bytes]) -> Reply:
    """Execute the queued commands as one, unless one of them was refused or something watched has changed."""
    if ctx.client.transaction is None:
        raise ReplyError("ERR EXEC without MULTI")
    return ctx.server.transactions.execute(ctx.client)


@command("WATCH", arity=-2, flags=_ANY_TIME, keys=(key_spec("RO", last=-1),), acl=("transaction",))
def watch(ctx: Context, argv: list[bytes]) -> Reply:
    """Let the next EXEC fail if one of the keys changes before it."""
    if ctx.client.transaction is not None:
        raise ReplyError("ERR WATCH inside MULTI is not allowed")
    for key in argv[1:]:
        ctx.server.watching.watch(ctx.client, key)
    return OK


@command("UNWATCH", arity=1, flags=_ANY_TIME, acl=("transaction",))
def unwatch(ctx: Context, argv: list[bytes]) -> Reply:
    """Forget what is watched."""
    ctx.server.watching.forget(ctx.client)
    return OK
