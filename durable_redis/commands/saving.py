"""Saving and stopping: SAVE, BGSAVE, BGREWRITEAOF, LASTSAVE, SHUTDOWN.

Every acknowledged write is on disk in the log already; what these commands start is a *checkpoint*, which
brings the backend up to the log so that the next start has nothing to replay.  A checkpoint runs beside the
commands, so SAVE stops nobody but its own client: it is answered when a checkpoint is committed that holds
all that was executed before it.

SHUTDOWN always ends with a checkpoint and never takes back an acknowledged write, NOSAVE or not.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from durable_redis.commands.context import PENDING, Context, Wait
from durable_redis.commands.table import (
    ADMIN,
    ALLOW_BUSY,
    FAST,
    LOADING,
    NO_ASYNC_LOADING,
    NO_MULTI,
    NOSCRIPT,
    STALE,
    command,
)
from durable_redis.errors import ReplyError, syntax_error
from durable_redis.resp.replies import NO_REPLY, OK, Reply

ALREADY_RUNNING = "ERR Background save already in progress"
_SHUTDOWN_OPTIONS = frozenset({b"nosave", b"save", b"now", b"force", b"abort"})


@command("SAVE", arity=1, flags=ADMIN | NOSCRIPT | NO_ASYNC_LOADING | NO_MULTI)
def save(ctx: Context, argv: list[bytes]) -> Reply:
    """Answer once everything executed so far is in the backend."""
    return wait_for_checkpoint(ctx, lambda: OK)


@command("BGSAVE", arity=-1, flags=ADMIN | NOSCRIPT | NO_ASYNC_LOADING)
def bgsave(ctx: Context, argv: list[bytes]) -> Reply:
    """Start a checkpoint; with or without SCHEDULE it is put off while it cannot start."""
    if len(argv) > 2 or (len(argv) == 2 and argv[1].lower() != b"schedule"):
        raise syntax_error()
    if ctx.server.background.running("checkpoint"):
        raise ReplyError(ALREADY_RUNNING)
    ctx.server.maintenance.request_checkpoint()
    started = ctx.server.background.running("checkpoint")
    return "Background saving started" if started else "Background saving scheduled"


@command("BGREWRITEAOF", arity=1, flags=ADMIN | NOSCRIPT | NO_ASYNC_LOADING)
def bgrewriteaof(ctx: Context, argv: list[bytes]) -> Reply:
    """Start a checkpoint, or have one follow the one that is running: it shortens the next replay."""
    running = ctx.server.background.running("checkpoint")
    ctx.server.maintenance.request_checkpoint()
    started = not running and ctx.server.background.running("checkpoint")
    return f"Background append only file rewriting {'started' if started else 'scheduled'}"


@command(
    "LASTSAVE",
    arity=1,
    flags=LOADING | STALE | FAST,
    acl=("admin", "dangerous"),
    tips=("nondeterministic_output",),
)
def lastsave(ctx: Context, argv: list[bytes]) -> Reply:
    """When the last checkpoint was committed (or the server started), in seconds since 1970."""
    return ctx.server.maintenance.last_checkpoint_ms // 1000


@command("SHUTDOWN", arity=-1, flags=ADMIN | NOSCRIPT | LOADING | STALE | NO_MULTI | ALLOW_BUSY)
def shutdown(ctx: Context, argv: list[bytes]) -> Reply:
    """Stop the server; what was acknowledged stays, whatever the options say."""
    options = {word.lower() for word in argv[1:]}
    if options - _SHUTDOWN_OPTIONS or options >= {b"nosave", b"save"}:
        raise syntax_error()
    if b"abort" in options:
        if len(argv) > 2:
            raise syntax_error()
        raise ReplyError("ERR No shutdown in progress.")
    busy = ctx.server.scripts.busy_error
    if busy is not None and b"nosave" not in options:
        raise busy
    ctx.server.shutdown = "save"
    ctx.client.closing = True  # what stands behind it in the same chunk is not executed
    return NO_REPLY


def wait_for_checkpoint(ctx: Context, finish: Callable[[], Reply]) -> Wait:
    """Wait for a checkpoint of everything executed so far, which may begin after a running one; ``finish``.

    The reply is an error if a checkpoint fails meanwhile; nothing is lost then, it is tried again later.
    """
    server = ctx.server
    maintenance = server.maintenance
    before = server.keyspace.state
    position = server.log.position
    failures = server.statistics.checkpoint_failures
    maintenance.request_checkpoint()

    def poll() -> Any:
        if server.statistics.checkpoint_failures > failures:
            return ReplyError(f"ERR checkpoint failed: {maintenance.last_checkpoint_error}")
        state = server.keyspace.state
        if state is before or state.position < position:
            return PENDING
        return finish()

    def never() -> Reply:
        raise ReplyError("ERR this waits for a checkpoint, which a transaction cannot do")

    return Wait(poll, 0, never, unblockable=False)
