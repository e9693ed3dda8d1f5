"""The options of SET and GETEX: EX, PX, EXAT, PXAT, KEEPTTL, PERSIST, and with them NX, XX and GET.

SET, GETEX, SETEX and PSETEX share this grammar.  Two rules hold: an option may be repeated but not
contradicted, and what an amount means is judged only after the whole option list has been found to be well
formed.  Effects carry absolute times, so an amount is turned into milliseconds since 1970 here, once.

EXPIRE and its kin have a grammar of their own and are not served from here.
"""

from __future__ import annotations

from dataclasses import dataclass

from durable_redis.errors import NOT_AN_INTEGER, ReplyError, syntax_error
from durable_redis.resp.numbers import parse_integer

_INT64_MAX = (1 << 63) - 1
_UNITS = frozenset((b"EX", b"PX", b"EXAT", b"PXAT"))
_SET_OPTIONS = _UNITS | {b"NX", b"XX", b"GET", b"KEEPTTL"}
_GETEX_OPTIONS = _UNITS | {b"PERSIST"}


@dataclass(slots=True)
class StringOptions:
    """What the words after the value asked for; names are upper-case, ``b""`` where nothing was said."""

    condition: bytes = b""  # NX or XX
    get: bool = False
    expiry: bytes = b""  # a unit, KEEPTTL or PERSIST
    amount: bytes | None = None  # what followed the unit


def parse_set_options(argv: list[bytes]) -> StringOptions:
    """The options of ``SET key value …``; raises the syntax error."""
    return _parse(argv, 3, _SET_OPTIONS)


def parse_getex_options(argv: list[bytes]) -> StringOptions:
    """The options of ``GETEX key …``; raises the syntax error."""
    return _parse(argv, 2, _GETEX_OPTIONS)


def _parse(argv: list[bytes], start: int, allowed: frozenset[bytes]) -> StringOptions:
    options = StringOptions()
    words = iter(argv[start:])
    for raw in words:
        word = raw.upper()
        if word not in allowed:
            raise syntax_error()
        if word == b"GET":
            options.get = True
        elif word == b"NX" or word == b"XX":
            if options.condition not in (b"", word):
                raise syntax_error()
            options.condition = word
        else:
            if options.expiry not in (b"", word):
                raise syntax_error()
            options.expiry = word
            if word in _UNITS:
                amount = next(words, None)
                if amount is None:
                    raise syntax_error()
                options.amount = amount
    return options


def deadline_ms(unit: bytes, amount: bytes, now_ms: int, command_name: str) -> int:
    """When a key given ``amount`` of ``unit`` expires, in milliseconds since 1970; perhaps in the past.

    Raises for what is not a positive number, or leaves 64 bits.
    """
    assert unit in _UNITS
    number = parse_integer(amount)
    if number is None:
        raise ReplyError(NOT_AN_INTEGER)
    if number > 0:
        milliseconds = number * 1000 if unit[0] == 69 else number  # 69: 'E', the units in seconds
        total = milliseconds if unit.endswith(b"AT") else milliseconds + now_ms
        if total <= _INT64_MAX:
            return total
    raise ReplyError(f"ERR invalid expire time in '{command_name}' command")
