"""How XADD and XTRIM cut old entries off: the options, and what they come to.

Exact trimming (``=``, or nothing) is an effect as it stands.  Approximate trimming (``~``) removes whole
nodes only, and at most LIMIT entries; which, is decided here, and the effect names the first ID that stays.
"""

from __future__ import annotations

from typing import Final

from durable_redis.commands.context import Context
from durable_redis.commands.stream_ids import id_bytes, new_id, strict_id
from durable_redis.errors import NOT_AN_INTEGER, ReplyError, syntax_error
from durable_redis.objects.stream import Stream
from durable_redis.objects.stream_node import Id, next_id
from durable_redis.resp.numbers import parse_integer

TRIMMED_NODES: Final = 100  # full nodes that ``~`` without LIMIT removes at most
TRIMMED_ENTRIES_DEFAULT: Final = 10_000  # if there is no limit to a node
TRIMMED_ENTRIES_MAX: Final = 1_000_000


class Trimming:
    """MAXLEN (``length``) or MINID (``before``); ``limit`` 0 is none."""

    __slots__ = ("approximate", "before", "length", "limit")

    def __init__(self) -> None:
        self.length: int | None = None
        self.before: Id | None = None
        self.approximate = False
        self.limit = 0

    @property
    def wanted(self) -> bool:
        """Whether there is anything to do."""
        return self.length is not None or self.before is not None

    def apply(self, ctx: Context, key: bytes, stream: Stream) -> int:
        """Remove entries; how many are gone."""
        if self.approximate:
            return self._apply_approximately(ctx, key, stream)
        gone = 0
        if self.length is not None:
            if len(stream) > self.length:
                gone = ctx.apply(b"XTRIM", key, b"MAXLEN", b"=", b"%d" % self.length)
        elif self.before is not None:
            first, last, _, _ = next(stream.outlines(), (self.before, self.before, 0, 0))
            if last < self.before or (first < self.before and stream.first_id < self.before):
                gone = ctx.apply(b"XTRIM", key, b"MINID", b"=", id_bytes(self.before))
        return gone

    def _apply_approximately(self, ctx: Context, key: bytes, stream: Stream) -> int:
        length = self.length
        before = self.before or (0, 0)
        left = len(stream)
        gone = 0
        keeps: Id | None = None
        nodes = 0
        for first, last, count, _ in stream.outlines():
            if length is None:
                stays = last >= before
            else:
                stays = left <= length or left - count < length
            if stays or (self.limit and gone + count > self.limit):
                keeps = first
                break
            gone += count
            left -= count
            nodes += 1
            keeps = next_id(last)
        if not nodes:
            return 0
        if keeps is None:  # the greatest ID there is goes too
            ctx.apply(b"XTRIM", key, b"MAXLEN", b"=", b"0")
        else:
            ctx.apply(b"XTRIM", key, b"MINID", b"=", id_bytes(keeps))
        return gone


class AddOptions:
    """What stands in front of an entry; ``id`` None is ``*``."""

    __slots__ = ("at", "id", "make", "next_seq", "trimming")

    def __init__(self) -> None:
        self.trimming = Trimming()
        self.make = True
        self.id: Id | None = None
        self.next_seq = False  # the server chooses the second number
        self.at = 0  # of the first word behind the ID


def trim_options(ctx: Context, argv: list[bytes]) -> Trimming:
    """The options of XTRIM."""
    trimming = Trimming()
    limit: int | None = None
    at = 2
    while at < len(argv):
        end, limit = _option(argv, at, trimming, limit)
        if end == at:
            raise syntax_error()
        at = end
    if limit and not trimming.wanted:
        raise ReplyError("ERR syntax error, LIMIT cannot be used without specifying a trimming strategy")
    if not trimming.wanted:
        raise ReplyError("ERR syntax error, XTRIM must be called with a trimming strategy")
    _settle_limit(ctx, trimming, limit)
    return trimming


def add_options(ctx: Context, argv: list[bytes]) -> AddOptions:
    """The options of XADD, up to the ID."""
    options = AddOptions()
    trimming = options.trimming
    limit: int | None = None
    at = 2
    while at < len(argv):
        word = argv[at]
        if word == b"*":
            break
        end, limit = _option(argv, at, trimming, limit)
        if end == at:
            if word.upper() != b"NOMKSTREAM":
                options.id, options.next_seq = new_id(word)
                break
            options.make = False
            end += 1
        at = end
    if limit and not trimming.wanted:
        raise ReplyError("ERR syntax error, LIMIT cannot be used without specifying a trimming strategy")
    _settle_limit(ctx, trimming, limit)
    options.at = at + 1
    return options


def _option(argv: list[bytes], at: int, trimming: Trimming, limit: int | None) -> tuple[int, int | None]:
    """Read MAXLEN, MINID or LIMIT; where the next word is (``at`` if it was none of them), and the LIMIT."""
    option = argv[at].upper()
    more = len(argv) - 1 - at
    if not more or option not in (b"MAXLEN", b"MINID", b"LIMIT"):
        return at, limit
    if option == b"LIMIT":
        limit = parse_integer(argv[at + 1])
        if limit is None:
            raise ReplyError(NOT_AN_INTEGER)
        if limit < 0:
            raise ReplyError("ERR The LIMIT argument must be >= 0.")
        return at + 2, limit
    if trimming.wanted:
        raise ReplyError("ERR syntax error, MAXLEN and MINID options at the same time are not compatible")
    at += 1
    if more > 1 and argv[at] in (b"~", b"="):
        trimming.approximate = argv[at] == b"~"
        at += 1
    if option == b"MINID":
        trimming.before = strict_id(argv[at])
        return at + 1, limit
    length = parse_integer(argv[at])
    if length is None:
        raise ReplyError(NOT_AN_INTEGER)
    if length < 0:
        raise ReplyError("ERR The MAXLEN argument must be >= 0.")
    trimming.length = length
    return at + 1, limit


def _settle_limit(ctx: Context, trimming: Trimming, limit: int | None) -> None:
    """A LIMIT is for ``~``, which has one anyway."""
    if limit is not None:
        if not trimming.approximate:
            raise ReplyError("ERR syntax error, LIMIT cannot be used without the special ~ option")
        trimming.limit = limit
    elif trimming.approximate:
        most = TRIMMED_NODES * ctx.server.keyspace.limits.stream_node_entries
        trimming.limit = min(most if most > 0 else TRIMMED_ENTRIES_DEFAULT, TRIMMED_ENTRIES_MAX)
