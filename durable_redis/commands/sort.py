"""SORT and SORT_RO: the elements of a list, a set or a sorted set in another order, or what they point to.

Elements are sorted by themselves or by weights, which BY looks up in other keys; GET replies with other keys'
values in place of the elements.  A pattern names a string (``weight_*``) or a field of a hash
(``object_*->field``), an element standing in for the first asterisk.

Texts are compared byte by byte, as in the C locale.  As in Redis patterns end, and compared texts end, at
a zero byte, unless the texts are sorted for STORE.  Equal weights leave the order as it was.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import islice
from math import isfinite
from sys import float_info

from durable_redis.commands.context import Context
from durable_redis.commands.lists import push_many, reserve_elements
from durable_redis.commands.table import (
    DENYOOM,
    MOVABLEKEYS,
    READONLY,
    WRITE,
    KeySpec,
    command,
    key_spec,
)
from durable_redis.errors import NOT_AN_INTEGER, ReplyError, syntax_error, wrong_type
from durable_redis.keyspace.effects import SILENT
from durable_redis.objects.entry import kind_of
from durable_redis.objects.hash import Hash
from durable_redis.objects.list import List
from durable_redis.objects.set import Set
from durable_redis.objects.sorted_set import SortedSet
from durable_redis.objects.string import string_data
from durable_redis.resp.numbers import parse_float, parse_integer, parse_long_double
from durable_redis.resp.replies import Reply
from storage.records import TYPE_STRING

_NOT_A_SCORE = "ERR One or more scores can't be converted into double"
_ELEMENT_ITSELF = b"#"
_BLANKS = b" \t\n\r\x0b\x0c"
_SURE_DIGITS_MAX = 300  # that many digits are less than the largest double
_SORT_KEYS = (
    key_spec("RO", "access"),
    KeySpec(
        ("RO", "access"),
        ("unknown",),
        ("unknown",),
        notes="patterns of BY and GET: the names follow from the elements",
    ),
)

Lookup = Callable[[bytes], bytes | None]
Sortable = List | Set | SortedSet


@dataclass(slots=True)
class Options:
    """What follows the key.  ``by`` is None without BY, ``ordered`` False with a BY that names no weights."""

    by: bytes | None = None
    ordered: bool = True
    get: list[bytes] = field(default_factory=list)
    offset: int = 0
    count: int = -1
    descending: bool = False
    alpha: bool = False
    store: bytes | None = None


@command(
    "SORT",
    arity=-2,
    flags=WRITE | DENYOOM | MOVABLEKEYS,
    keys=(
        *_SORT_KEYS,
        KeySpec(
            ("OW", "update"),
            ("unknown",),
            ("unknown",),
            notes="destination of STORE, which may stand anywhere",
        ),
    ),
    acl=("dangerous", "list", "set", "sortedset"),
)
def sort(ctx: Context, argv: list[bytes]) -> Reply:
    """The elements in order, or how many of them were stored as a list."""
    options = parse_options(argv, may_store=True, may_follow=_may_follow(ctx, argv))
    result = _sorted(ctx, argv[1], options)
    if options.store is None:
        return result
    stored = [b"" if value is None else value for value in result]
    reserve_elements(ctx, stored)
    if ctx.peek(options.store) is not None:
        ctx.apply(b"DEL", options.store, event=SILENT if stored else b"")
    if stored:
        push_many(ctx, b"RPUSH", options.store, stored, b"sortstore")
    return len(stored)


@command(
    "SORT_RO",
    arity=-2,
    flags=READONLY | MOVABLEKEYS,
    keys=_SORT_KEYS,
    acl=("dangerous", "list", "set", "sortedset"),
)
def sort_ro(ctx: Context, argv: list[bytes]) -> Reply:
    """The elements in order."""
    options = parse_options(argv, may_store=False, may_follow=_may_follow(ctx, argv))
    return _sorted(ctx, argv[1], options)


def _may_follow(ctx: Context, argv: list[bytes]) -> bool:
    """BY and GET read keys that no argument names: only who may read every key may use them."""
    if ctx.client.permissions is None:
        return True
    sorting = ctx.server.commands[argv[0].decode("latin-1").upper()]
    return ctx.server.access.reads_all_keys(ctx.client, sorting, argv)


def _denied(option: str) -> ReplyError:
    return ReplyError(f"ERR {option} option of SORT denied due to insufficient ACL permissions.")


def parse_options(argv: list[bytes], *, may_store: bool, may_follow: bool = True) -> Options:
    """The options of SORT; of an option given twice the last one counts, but GET adds up."""
    options = Options()
    position, argc = 2, len(argv)
    while position < argc:
        word = argv[position].upper()
        left = argc - position - 1
        if word in (b"ASC", b"DESC"):
            options.descending = word == b"DESC"
        elif word == b"ALPHA":
            options.alpha = True
        elif word == b"LIMIT" and left >= 2:
            options.offset, options.count = _limit(argv[position + 1]), _limit(argv[position + 2])
            position += 2
        elif left < 1:
            raise syntax_error()
        else:
            position += 1
            argument = argv[position]
            if word == b"STORE" and may_store:
                options.store = argument
            elif word == b"GET":
                if not may_follow:
                    raise _denied("GET")
                options.get.append(argument)
            elif word == b"BY":
                if not may_follow and b"*" in _c_string(argument):
                    raise _denied("BY")
                options.by = argument
                options.ordered = options.ordered and b"*" in _c_string(argument)
            else:
                raise syntax_error()
        position += 1
    return options


def _limit(raw: bytes) -> int:
    number = parse_integer(raw)
    if number is None:
        raise ReplyError(NOT_AN_INTEGER)
    return number


# -- elements ------------------------------------------------------------------------------------------------


def _sorted(ctx: Context, key: bytes, options: Options) -> list[bytes | None]:
    """The reply: elements or what GET finds for them."""
    value = ctx.read(key)
    if value is None:
        return []
    if not isinstance(value, List | Set | SortedSet):
        raise wrong_type()
    size = len(value)
    start = min(max(options.offset, 0), size)
    end = size if options.count < 0 else min(start + options.count, size)
    if not options.ordered and isinstance(value, Set) and options.store is not None:
        options.ordered, options.alpha, options.by = True, True, None  # or what is stored were left to chance
    if options.ordered:
        elements = _in_order(ctx, _all(value), options)[start:end]
    else:
        elements = _unordered(value, start, end, options.descending)
    if not options.get:
        return list(elements)
    lookups = [_lookup(ctx, pattern) for pattern in options.get]
    return [lookup(element) for element in elements for lookup in lookups]


def _all(value: Sortable) -> list[bytes]:
    if isinstance(value, Set):
        return list(value)
    if isinstance(value, List):
        return list(value.slice(0, len(value)))
    return [member for _, member in value.slice(0, len(value))]


def _unordered(value: Sortable, start: int, end: int, descending: bool) -> list[bytes]:
    """Some elements as they lie: DESC turns lists and sorted sets round, sets have no order to turn."""
    if isinstance(value, Set):
        return list(islice(value, start, end))
    if descending:
        start, end = len(value) - end, len(value) - start
    if isinstance(value, List):
        return list(value.slice(start, end, reverse=descending))
    return [member for _, member in value.slice(start, end, reverse=descending)]


def _in_order(ctx: Context, elements: list[bytes], options: Options) -> list[bytes]:
    """All elements in the order of their weights."""
    weights: list[bytes | None] = list(elements)
    if options.by is not None:
        weights = list(map(_lookup(ctx, options.by), elements))
    if not options.alpha:
        # Of equal weights the elements decide, so nothing is left to where they lay.
        scores = [0.0 if weight is None else parse_score(weight) for weight in weights]
        ordered = sorted(zip(scores, elements, strict=True), reverse=options.descending)
        return [element for _, element in ordered]
    if options.store is None:
        weights = [None if weight is None else _c_string(weight) for weight in weights]
    # What has no weight comes before the empty one.
    keys = [(weight is not None, weight or b"") for weight in weights]
    order = sorted(range(len(elements)), key=lambda index: keys[index], reverse=options.descending)
    return [elements[index] for index in order]


def _c_string(text: bytes) -> bytes:
    return text.partition(b"\0")[0] if b"\0" in text else text


def parse_score(raw: bytes) -> float:
    """A weight as SORT reads it, with C's ``strtod``: blanks may precede it, and no text at all is 0.

    Raises for anything else behind the number, and for what no double comes near.
    """
    if len(raw) <= _SURE_DIGITS_MAX and raw.isdigit():
        return float(raw)
    text = _c_string(raw)
    if not text:
        return 0.0
    text = text.lstrip(_BLANKS)
    score = parse_float(text)
    if score is None or (0.0 < abs(score) < float_info.min and not _is_exact(text, score)):
        raise ReplyError(_NOT_A_SCORE)
    return score


def _is_exact(text: bytes, score: float) -> bool:
    """Whether a double too small for full precision is just what the text says."""
    assert isfinite(score)
    value = parse_long_double(text)
    if value is None:
        return False
    numerator, denominator = score.as_integer_ratio()
    assert value.exponent < 0
    return value.mantissa * denominator == numerator << -value.exponent


# -- patterns ------------------------------------------------------------------------------------------------


def _lookup(ctx: Context, pattern: bytes) -> Lookup:
    """A function from an element to what a pattern finds for it; None if that has another type."""
    text = _c_string(pattern)
    if text == _ELEMENT_ITSELF:
        return _itself
    star = text.find(b"*")
    if star < 0:
        return _nothing
    prefix = pattern[:star]
    arrow = text.find(b"->", star + 1)
    if 0 <= arrow < len(text) - 2:
        suffix, name = pattern[star + 1 : arrow], pattern[arrow + 2 :]

        def find_field(element: bytes) -> bytes | None:
            value = ctx.read(prefix + element + suffix)
            return value.get(name) if isinstance(value, Hash) else None

        return find_field
    suffix = pattern[star + 1 :]

    def find_string(element: bytes) -> bytes | None:
        value = ctx.read(prefix + element + suffix)
        if type(value) is bytes or value is None:
            return value
        return bytes(string_data(value)) if kind_of(value) == TYPE_STRING else None

    return find_string


def _itself(element: bytes) -> bytes:
    return element


def _nothing(element: bytes) -> None:
    return None
