"""What the sorted set commands share: how their changes become effects, and how elements become a reply.

Elements are ``(score, member)``, as :class:`SortedSet` orders them.  A change of many elements is cut into
several effects; room in the log for all of them is made sure of before the first, so a command changes
everything or nothing.

Redis keeps no sign of zero in a small sorted set (listpack), but does in a large one (skiplist).  An effect
carries the score that is stored, so the sign is dropped here, where the command still knows the set.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from durable_redis.commands.collection_parts import (
    EFFECT_ELEMENTS_MAX,
    apply_in_parts,
    reserve_words,
)
from durable_redis.commands.context import Context
from durable_redis.keyspace.effects import SILENT
from durable_redis.objects.sorted_set import SortedSet
from durable_redis.resp.replies import Reply

Element = tuple[float, bytes]


def listed(ctx: Context, elements: Iterable[Element], with_scores: bool) -> Reply:
    """The reply that holds these elements: members, or pairs in RESP3 where RESP2 has one flat array."""
    if not with_scores:
        return [member for _, member in elements]
    if ctx.client.protocol > 2:
        return [[member, score] for score, member in elements]
    return flat(elements)


def flat(elements: Iterable[Element]) -> list[bytes | float]:
    """Members and scores in turns."""
    words: list[bytes | float] = []
    for score, member in elements:
        words += (member, score)
    return words


# -- changes -------------------------------------------------------------------------------------------------


def add_members(
    ctx: Context, key: bytes, found: SortedSet | None, scores: dict[bytes, float], event: bytes = b""
) -> None:
    """Give members the scores that they do not have yet; ``found`` is what the key holds now."""
    words = _score_words(scores)
    if b"-0" in words:
        _drop_signs(ctx, found, scores)
        words = _score_words(scores)
    apply_in_parts(ctx, b"ZADD", key, words, 2 * EFFECT_ELEMENTS_MAX, event)


def remove_members(
    ctx: Context, key: bytes, found: SortedSet, members: Sequence[bytes], event: bytes = b"zrem"
) -> None:
    """Take members away that are in the set, each named once."""
    if len(members) > EFFECT_ELEMENTS_MAX and len(members) == len(found):
        ctx.apply(b"DEL", key, event=event)
    elif members:
        apply_in_parts(ctx, b"ZREM", key, members, EFFECT_ELEMENTS_MAX, event)


def remove_slice(ctx: Context, key: bytes, found: SortedSet, start: int, stop: int, event: bytes) -> int:
    """Take away the elements from one index to another; how many there were."""
    if start >= stop:
        return 0
    if stop - start == len(found):
        ctx.apply(b"DEL", key, event=event)
    else:
        members = [member for _, member in found.slice(start, stop)]
        apply_in_parts(ctx, b"ZREM", key, members, EFFECT_ELEMENTS_MAX, event)
    return stop - start


def replace(ctx: Context, key: bytes, scores: dict[bytes, float], event: bytes, *, large: bool) -> int:
    """Make these the only elements under a key, of whatever type it was; how many there are.

    ``large`` says that Redis knows from the beginning that it will be a large set.
    """
    words = _score_words(scores)
    if not large and b"-0" in words:
        _drop_signs(ctx, None, scores)
        words = _score_words(scores)
    reserve_words(ctx, words)
    if ctx.peek(key) is not None:
        ctx.apply(b"DEL", key, event=SILENT if words else b"")
    if words:
        apply_in_parts(ctx, b"ZADD", key, words, 2 * EFFECT_ELEMENTS_MAX, event)
    return len(scores)


def becomes_large(ctx: Context, scores: dict[bytes, float]) -> bool:
    """Whether a sorted set of these elements is a large one (a skiplist)."""
    limits = ctx.server.keyspace.limits
    if len(scores) > limits.sorted_set_entries:
        return True
    return any(len(member) > limits.sorted_set_value_bytes for member in scores)


def _score_words(scores: dict[bytes, float]) -> list[bytes]:
    words: list[bytes] = []
    for member, score in scores.items():
        words += (b"%.17g" % score, member)
    return words


def _drop_signs(ctx: Context, found: SortedSet | None, scores: dict[bytes, float]) -> None:
    """Make -0 a plain 0 for as long as the set stays small, element by element as Redis adds them."""
    limits = ctx.server.keyspace.limits
    large = found is not None and found.encoding() == "skiplist"
    size = 0 if found is None else len(found)
    for member, score in scores.items():
        if large:
            break
        if found is None or found.score(member) is None:
            size += 1
            large = size > limits.sorted_set_entries or len(member) > limits.sorted_set_value_bytes
        if score == 0.0 and not large:
            scores[member] = 0.0
