"""What hash, set and sorted set commands share: scanning, drawing by chance, changes of many elements."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from durable_redis.commands.context import Context
from durable_redis.commands.iteration import SCAN_COUNT_DEFAULT, SCAN_COUNT_MAX, Matches
from durable_redis.errors import NOT_AN_INTEGER, OUT_OF_RANGE, ReplyError, syntax_error
from durable_redis.glob import compile_glob
from durable_redis.keyspace.effects import SILENT
from durable_redis.resp.numbers import INT64_MAX, parse_integer

EFFECT_ELEMENTS_MAX: Final = 1000  # a longer change becomes several effects
WORD_OVERHEAD_BYTES: Final = 32  # of a word in the log, beside its own bytes; more than it ever takes
DRAWS_MAX: Final = 1 << 22  # elements that are drawn with repetition; Redis goes on until memory ends


def scan_options(argv: list[bytes]) -> tuple[int, Matches | None]:
    """COUNT and MATCH of HSCAN, SSCAN and ZSCAN; None where everything fits."""
    count = SCAN_COUNT_DEFAULT
    matches: Matches | None = None
    words = iter(argv[3:])
    for word in words:
        option = word.upper()
        argument = next(words, None)
        if argument is None or option not in (b"COUNT", b"MATCH"):
            raise syntax_error()
        if option == b"MATCH":
            matches = None if argument == b"*" else compile_glob(argument)
            continue
        number = parse_integer(argument)
        if number is None:
            raise ReplyError(NOT_AN_INTEGER)
        if number < 1:
            raise syntax_error()
        count = min(number, SCAN_COUNT_MAX)
    return count, matches


def draw_count(argv: list[bytes], pairs_option: bytes = b"") -> tuple[int, bool]:
    """The count of HRANDFIELD, SRANDMEMBER and ZRANDMEMBER, and whether ``pairs_option`` stands behind it.

    A negative count draws from all each time.
    """
    count = parse_integer(argv[2])
    if count is None:
        raise ReplyError(NOT_AN_INTEGER)
    if count < -INT64_MAX:
        raise ReplyError(f"ERR value is out of range, value must between {-INT64_MAX} and {INT64_MAX}")
    pairs = len(argv) == 4 and pairs_option != b"" and argv[3].upper() == pairs_option
    if len(argv) > 3 and not pairs:
        raise syntax_error()
    if pairs and abs(count) > INT64_MAX // 2:
        raise ReplyError(OUT_OF_RANGE)
    return count, pairs


def check_draws(count: int) -> None:
    """Raise if a negative count draws more than there is memory for."""
    if count < -DRAWS_MAX:
        raise ReplyError(OUT_OF_RANGE)


def apply_in_parts(
    ctx: Context,
    name: bytes,
    key: bytes,
    words: Sequence[bytes],
    words_max: int = EFFECT_ELEMENTS_MAX,
    event: bytes = b"",
) -> None:
    """Apply one effect, or as many as it takes if there are more than ``words_max`` words.

    It is one keyspace event: the effect's own, or ``event``.
    """
    if len(words) <= words_max:
        ctx.apply(name, key, *words, event=event)
        return
    reserve_words(ctx, words)
    for start in range(0, len(words), words_max):
        ctx.apply(name, key, *words[start : start + words_max], event=SILENT if start else event)


def reserve_words(ctx: Context, words: Sequence[bytes]) -> None:
    """Make sure that the log has room for several effects that belong together."""
    ctx.server.reserve(sum(map(len, words)) + len(words) * WORD_OVERHEAD_BYTES)
