"""WAIT and WAITAOF: hold the reply until what was written is safe in more places.

Both take the log position at the moment of the call; everything that this client has written lies before it,
and perhaps something of others, which is waited for as well.  Under ``appendfsync always`` every reply to a
write already means that it is on the local disk; WAITAOF is for the weaker policies, and asks for a sync at
once instead of waiting for the next one.  WAITAOF came with Redis 7.2:
https://redis.io/docs/latest/commands/waitaof/
"""

from __future__ import annotations

from durable_redis.commands.context import PENDING, Context, Wait
from durable_redis.commands.table import NOSCRIPT, command
from durable_redis.errors import NOT_AN_INTEGER, ReplyError
from durable_redis.resp.numbers import parse_integer
from durable_redis.resp.replies import Reply

_TIPS = ("request_policy:all_shards", "response_policy:agg_min")


@command("WAIT", arity=3, flags=NOSCRIPT, acl=("connection",), tips=_TIPS)
def wait(ctx: Context, argv: list[bytes]) -> Reply:
    """Wait until so many replicas have what was written; how many have it in the end."""
    replicas_wanted = parse_integer(argv[1])
    if replicas_wanted is None:
        raise ReplyError(NOT_AN_INTEGER)
    timeout_ms = timeout_argument(argv[2])
    server = ctx.server
    position = server.log.position

    def poll() -> Reply:
        replicas = server.replica_acks(position)
        return replicas if replicas >= replicas_wanted else PENDING

    return Wait(poll, _deadline_ms(ctx, timeout_ms), lambda: server.replica_acks(position))


@command("WAITAOF", arity=4, flags=NOSCRIPT, acl=("connection",), tips=_TIPS)
def waitaof(ctx: Context, argv: list[bytes]) -> Reply:
    """Wait until what was written is on this server's disk and on so many replicas'; on how many it is."""
    local_wanted = parse_integer(argv[1])
    if local_wanted is None:
        raise ReplyError(NOT_AN_INTEGER)
    if not 0 <= local_wanted <= 1:
        raise ReplyError("ERR value is out of range, value must between 0 and 1")
    replicas_wanted = parse_integer(argv[2])
    if replicas_wanted is None or replicas_wanted < 0:
        raise ReplyError("ERR value is out of range, must be positive")
    timeout_ms = timeout_argument(argv[3])
    server = ctx.server
    position = server.log.position
    if local_wanted and server.log.durable < position:
        server.request_sync()

    def reached() -> list[int]:
        return [int(server.log.durable >= position), server.replica_acks(position)]

    def poll() -> Reply:
        local, replicas = reached()
        return [local, replicas] if local >= local_wanted and replicas >= replicas_wanted else PENDING

    return Wait(poll, _deadline_ms(ctx, timeout_ms), reached)


def timeout_argument(raw: bytes) -> int:
    """A timeout in milliseconds that a client sent.  Raises for what is negative or no integer."""
    timeout_ms = parse_integer(raw)
    if timeout_ms is None:
        raise ReplyError("ERR timeout is not an integer or out of range")
    if timeout_ms < 0:
        raise ReplyError("ERR timeout is negative")
    return timeout_ms


def _deadline_ms(ctx: Context, timeout_ms: int) -> int:
    return ctx.now_ms + timeout_ms if timeout_ms else 0
