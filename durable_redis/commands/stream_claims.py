"""XCLAIM and XAUTOCLAIM: entries that are pending for one consumer become another one's.

Both find out first what would become of each entry, then apply it: deliveries by time and count, and the
end of what is pending for entries that are not in the stream any more.
"""

from __future__ import annotations

from typing import Final

from durable_redis.commands.context import Context
from durable_redis.commands.stream_deliveries import acknowledge, deliver, group_of, see
from durable_redis.commands.stream_ids import id_bytes, maybe_id, range_start, strict_id
from durable_redis.commands.table import FAST, WRITE, command, key_spec
from durable_redis.errors import ReplyError, shown, syntax_error
from durable_redis.keyspace.effects import SILENT
from durable_redis.objects.stream import Stream
from durable_redis.objects.stream_groups import Group
from durable_redis.objects.stream_node import ID_MIN, Id
from durable_redis.resp.numbers import INT64_MAX, parse_integer
from durable_redis.resp.replies import Reply

AUTOCLAIM_COUNT: Final = 100
ATTEMPTS_FACTOR: Final = 10  # pending entries that XAUTOCLAIM looks at for each that it may claim
_COUNT_MAX: Final = INT64_MAX // 16
_NONDETERMINISTIC: Final = ("nondeterministic_output",)


class _ClaimOptions:
    """What stands behind the IDs of XCLAIM; None is not given."""

    __slots__ = ("delivered_ms", "force", "just_id", "last_id", "retry_count")

    def __init__(self) -> None:
        self.delivered_ms: int | None = None
        self.retry_count: int | None = None
        self.force = False
        self.just_id = False
        self.last_id = ID_MIN


@command(
    "XCLAIM",
    arity=-6,
    flags=WRITE | FAST,
    keys=(key_spec("RW", "update"),),
    acl=("stream",),
    tips=_NONDETERMINISTIC,
)
def xclaim(ctx: Context, argv: list[bytes]) -> Reply:
    """Make pending entries a consumer's own if they have been idle for long enough; these entries."""
    key, group_name = argv[1], argv[2]
    stream, group = group_of(ctx, key, group_name)
    idle_ms = _idle_ms(argv)
    ids: list[Id] = []
    for raw in argv[5:]:
        id = maybe_id(raw)
        if id is None:
            break
        ids.append(id)
    options = _claim_options(ctx, argv, 5 + len(ids))
    claims = _Claims(ctx, stream, group)
    for id in ids:
        words = claims.take(id, idle_ms, options)
        if words is not None:
            claims.reply.append(id_bytes(id) if options.just_id else [id_bytes(id), words])
    if options.last_id > group.last_id:
        last_id = id_bytes(options.last_id)
        progress = (last_id, b"ENTRIESREAD", b"%d" % group.entries_read)
        ctx.apply(b"XGROUP", b"SETID", key, group_name, *progress, event=SILENT)
    claims.apply(key, group_name, argv[3])
    return claims.reply


@command(
    "XAUTOCLAIM",
    arity=-6,
    flags=WRITE | FAST,
    keys=(key_spec("RW", "delete"),),
    acl=("stream",),
    tips=_NONDETERMINISTIC,
)
def xautoclaim(ctx: Context, argv: list[bytes]) -> Reply:
    """Claim pending entries from an ID on; where to go on, the entries, and those that are gone."""
    idle_ms = _idle_ms(argv)
    start = range_start(argv[5])
    count = AUTOCLAIM_COUNT
    options = _ClaimOptions()
    at = 6
    while at < len(argv):
        option = argv[at].upper()
        if option == b"COUNT" and at + 1 < len(argv):
            number = parse_integer(argv[at + 1])
            if number is None or not 1 <= number <= _COUNT_MAX:
                raise ReplyError("ERR COUNT must be > 0")
            count = number
            at += 1
        elif option == b"JUSTID":
            options.just_id = True
        else:
            raise syntax_error()
        at += 1
    stream, group = group_of(ctx, argv[1], argv[2])
    claims = _Claims(ctx, stream, group)
    attempts = count * ATTEMPTS_FACTOR
    cursor = ID_MIN
    for id, _ in group.range(start):
        if not attempts or not count:
            cursor = id
            break
        attempts -= 1
        gone = len(claims.gone)
        words = claims.take(id, idle_ms, options)
        if words is not None:
            claims.reply.append(id_bytes(id) if options.just_id else [id_bytes(id), words])
        count -= words is not None or len(claims.gone) > gone
    claims.apply(argv[1], argv[2], argv[3])
    return [id_bytes(cursor), claims.reply, list(map(id_bytes, claims.gone))]


class _Claims:
    """What a claim comes to, before any of it is applied.  An ID may be named twice."""

    def __init__(self, ctx: Context, stream: Stream, group: Group) -> None:
        self.ctx = ctx
        self.stream = stream
        self.group = group
        self.taken: dict[Id, tuple[int, int]] = {}  # delivery time and count
        self.gone: dict[Id, None] = {}
        self.reply: list[object] = []

    def take(self, id: Id, idle_ms: int, options: _ClaimOptions) -> list[bytes] | None:
        """Claim an entry; its fields and values, or None if it cannot be claimed."""
        words = self.stream.get(id)
        pending = self.group.find(id)
        if words is None:
            if pending is not None:
                self.gone[id] = None
            return None
        now_ms = self.ctx.now_ms
        if id in self.taken:
            before_ms, count = self.taken[id]
        elif pending is not None:
            before_ms, count = pending.delivered_ms, pending.count
        elif options.force:
            before_ms, count = now_ms - idle_ms, 1  # whatever the idle time
        else:
            return None
        if idle_ms and now_ms - before_ms < idle_ms:
            return None
        if options.retry_count is not None:
            count = options.retry_count
        elif not options.just_id:
            count = min(count + 1, INT64_MAX)
        self.taken[id] = (now_ms if options.delivered_ms is None else options.delivered_ms), count
        return words

    def apply(self, key: bytes, group_name: bytes, consumer: bytes) -> None:
        """Let it happen."""
        acknowledge(self.ctx, key, group_name, list(self.gone))
        if not self.taken:
            return
        ids: dict[tuple[int, int], list[bytes]] = {}
        for id, delivery in self.taken.items():
            ids.setdefault(delivery, []).append(id_bytes(id))
        deliver(self.ctx, key, group_name, self.group, consumer, ids)
        see(self.ctx, key, group_name, self.group, consumer)


def _idle_ms(argv: list[bytes]) -> int:
    number = parse_integer(argv[4])
    if number is None:
        raise ReplyError(f"ERR Invalid min-idle-time argument for {shown(argv[0]).upper()}")
    return max(number, 0)


def _claim_options(ctx: Context, argv: list[bytes], at: int) -> _ClaimOptions:
    options = _ClaimOptions()
    now_ms = ctx.now_ms
    while at < len(argv):
        option = argv[at].upper()
        if option == b"FORCE":
            options.force = True
        elif option == b"JUSTID":
            options.just_id = True
        elif option in (b"IDLE", b"TIME", b"RETRYCOUNT") and at + 1 < len(argv):
            number = parse_integer(argv[at + 1])
            if number is None:
                raise ReplyError(f"ERR Invalid {option.decode()} option argument for XCLAIM")
            at += 1
            if option == b"RETRYCOUNT":
                options.retry_count = number if number >= 0 else None
            else:
                time_ms = now_ms - number if option == b"IDLE" else number
                options.delivered_ms = time_ms if 0 <= time_ms <= now_ms else now_ms
        elif option == b"LASTID" and at + 1 < len(argv):
            options.last_id = strict_id(argv[at + 1])
            at += 1
        else:
            raise ReplyError(f"ERR Unrecognized XCLAIM option '{shown(argv[at])}'")
        at += 1
    return options
