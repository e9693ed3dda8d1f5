"""LCS: the longest common subsequence of two strings, its length, or where it lies in both.

The table of lengths is never held as numbers.  Two neighbours in a row differ by 0 or 1, so a row is one bit
per byte of the second string, and a whole row is computed by a handful of operations on Python's big integers
(Hyyrö, "Bit-parallel LCS-length computation revisited", 2004).  The way back needs only those bits, so the
table takes a 32nd of Redis's memory; Redis's limit on it, four bytes a cell, is kept as the limit on the
work.

Of several longest subsequences the one found is Redis's: where both steps back are as good, the second
string's is taken.  There is a row for each byte of the shorter string, so that a long one beside a short one
is work for C.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from durable_redis.commands.context import Context
from durable_redis.commands.strings import integer_argument, string_bytes_max
from durable_redis.commands.table import READONLY, command, key_spec
from durable_redis.errors import ReplyError, syntax_error
from durable_redis.resp.replies import Reply

_CELL_BYTES = 4
_LENGTH_MAX = (1 << 32) - 2  # a length and one more must fit 32 bits
_ONE = 49  # the digit


@dataclass(slots=True)
class Match:
    """A stretch that stands in both strings; ``first`` and ``second`` are where it begins."""

    first: int
    second: int
    length: int


@dataclass(slots=True)
class _Options:
    length_only: bool = False
    indexes: bool = False
    match_lengths: bool = False
    match_length_min: int = 0


@command("LCS", arity=-3, flags=READONLY, keys=(key_spec("RO", "access", last=1),), acl=("string",))
def lcs(ctx: Context, argv: list[bytes]) -> Reply:
    """The longest common subsequence of two strings; a missing key is an empty string."""
    first, second = _operand(ctx, argv[1]), _operand(ctx, argv[2])
    options = _parse_options(argv)
    if options.length_only and options.indexes:
        raise ReplyError("ERR If you want both the length and indexes, please just use IDX.")
    if max(len(first), len(second)) >= _LENGTH_MAX:
        raise ReplyError("ERR String too long for LCS")
    if (len(first) + 1) * (len(second) + 1) * _CELL_BYTES > string_bytes_max(ctx):
        raise ReplyError("ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len")
    if options.length_only:
        return lcs_length(first, second)
    matches = lcs_matches(first, second)
    if not options.indexes:
        return b"".join(first[match.first : match.first + match.length] for match in reversed(matches))
    replies = []
    for match in matches:
        if match.length >= options.match_length_min:
            reply: list[Any] = [
                [match.first, match.first + match.length - 1],
                [match.second, match.second + match.length - 1],
            ]
            replies.append([*reply, match.length] if options.match_lengths else reply)
    return {b"matches": replies, b"len": sum(match.length for match in matches)}


def _operand(ctx: Context, key: bytes) -> bytes:
    try:
        return bytes(ctx.string(key) or b"")
    except ReplyError:
        raise ReplyError("ERR The specified keys must contain string values") from None


def _parse_options(argv: list[bytes]) -> _Options:
    options = _Options()
    words = iter(argv[3:])
    for raw in words:
        match raw.upper():
            case b"IDX":
                options.indexes = True
            case b"LEN":
                options.length_only = True
            case b"WITHMATCHLEN":
                options.match_lengths = True
            case b"MINMATCHLEN":
                amount = next(words, None)
                if amount is None:
                    raise syntax_error()
                options.match_length_min = integer_argument(amount)
            case _:
                raise syntax_error()
    return options


def lcs_length(first: bytes, second: bytes) -> int:
    """The length of the longest common subsequence; len(first) · len(second) / 64 steps inside C."""
    last = 0
    for row in _rows(*sorted((first, second), key=len)):
        last = row
    return last.bit_count()


def lcs_matches(first: bytes, second: bytes) -> list[Match]:
    """The stretches that make up the longest common subsequence, the last one first.

    Memory: one bit for each pair of bytes.  There is a row for each byte of the shorter string.
    """
    matches: list[Match] = []
    pairs = _pairs_by_first(first, second) if len(first) <= len(second) else _pairs_by_second(first, second)
    for i, j in pairs:
        last = matches[-1] if matches else None
        if last is not None and last.first == i + 1 and last.second == j + 1:
            last.first, last.second, last.length = i, j, last.length + 1
        else:
            matches.append(Match(i, j, 1))
    return matches


def _pairs_by_first(first: bytes, second: bytes) -> Iterator[tuple[int, int]]:
    """The way back through rows of the first string: the pairs of places that match, the last one first."""
    rows = list(_rows(first, second))
    i, j = len(first), len(second)
    while i and j:
        i -= 1
        # Back along the row: to the pair that matches or to the step in length, whichever comes first.
        step = _up_to(rows[i], j).bit_length()
        pair = second.rfind(first[i : i + 1], step and step - 1, j) + 1
        if pair:
            j = pair - 1
            yield i, j
        else:
            j = step


def _pairs_by_second(first: bytes, second: bytes) -> Iterator[tuple[int, int]]:
    """The same through rows of the second string, whose step back is taken where both are as good.

    Where the row before is as long, that is a step to it; where it is shorter, this row has a pair that makes
    the difference, and every place up to there is passed.
    """
    rows = [0, *_rows(second, first)]
    i, j = len(first), len(second)
    while i and j:
        place = first.rfind(second[j - 1 : j], 0, i)
        if place == i - 1 or _up_to(rows[j], i).bit_count() > _up_to(rows[j - 1], i).bit_count():
            i = place
            yield i, j - 1
        j -= 1


def _up_to(row: int, end: int) -> int:
    """The bits of a row that belong to the first ``end`` places."""
    return row & ((1 << end) - 1)


def _rows(down: bytes, along: bytes) -> Iterator[int]:
    """The table, row by row: one for each byte of ``down``, a bit for each byte of ``along``."""
    row = 0
    masks = _positions(down, along)
    for byte in down:
        row = _next_row(row, masks[byte])
        yield row


def _next_row(row: int, mask: int) -> int:
    """The next row of the table; a bit is set where the length grows by one along the row.

    The set bits of ``row`` cut it into sections, each with its own bit at the upper end; of the candidates in
    a section only the lowest stays.  Subtracting the lower ends of all sections finds them all at once.
    """
    candidates = row | mask
    return candidates & ~(candidates - (row << 1 | 1))


def _positions(first: bytes, second: bytes) -> dict[int, int]:
    """Where each byte of ``first`` stands in ``second``: a bit for each place, the first one lowest."""
    backwards = second[::-1]
    masks = {}
    for byte in set(first):
        digits = bytearray(b"0" * 256)
        digits[byte] = _ONE
        masks[byte] = int(backwards.translate(digits) or b"0", 2)
    return masks
