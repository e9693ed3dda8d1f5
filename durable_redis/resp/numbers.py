"""Numbers as clients write them and as replies show them.

Three kinds: 64-bit integers, which Redis accepts in one canonical form only; doubles (scores, timeouts);
and the 80-bit long doubles of INCRBYFLOAT and HINCRBYFLOAT.  A parser answers None for text that is not
such a number: the caller knows which error text its command has.  What C's ``strtod`` and ``strtold``
take for out of range, overflow as well as underflow to zero, is not a number here either.

Python has no long double, and doubles would show other digits than Redis does, so long doubles are whole
mantissas with a power of two, rounded to the nearest 64 bits, ties to even, as the processor does it.
``int(text)`` and ``str(int)`` refuse more than 4,300 digits; ``decimal``, which does not, stands in there.

Left out: where numbers are stored compactly, and the fixed ranges of single options.
"""

from __future__ import annotations

import re
from decimal import Decimal
from math import copysign, isfinite, isnan
from typing import Final, NamedTuple

INT64_MIN: Final = -(2**63)
INT64_MAX: Final = 2**63 - 1
_INTEGER_BYTES_MAX: Final = 20  # len("-9223372036854775808")
_SURE_DIGITS_MAX: Final = 18  # that many digits always fit 64 bits
LONG_DOUBLE_BYTES_MAX: Final = 5119  # Redis copies the text into a buffer of 5 KiB, its terminator included

_MANTISSA_BITS: Final = 64
_EXPONENT_MIN: Final = -16445  # the smallest positive long double is 2 ** -16445
_MAGNITUDE_BITS_MAX: Final = 16384  # every finite one is below 2 ** 16384
_INFINITE: Final = 1 << 20  # an exponent that no finite value has
_INT_DIGITS_MAX: Final = 4000  # below the interpreter's limit for int(text)
_SHOWN_DECIMALS: Final = 17

_DECIMAL_FLOAT: Final = re.compile(rb"([+-]?)(?=\.?[0-9])([0-9]*)\.?([0-9]*)(?:[eE]([+-]?[0-9]+))?")
_HEX_FLOAT: Final = re.compile(
    rb"([+-]?)0[xX](?=\.?[0-9a-fA-F])([0-9a-fA-F]*)\.?([0-9a-fA-F]*)(?:[pP]([+-]?[0-9]+))?"
)
_INFINITY: Final = re.compile(rb"[+-]?inf(?:inity)?", re.IGNORECASE)
_BLANKS: Final = b" \t\n\r\x0b\x0c"


def parse_integer(raw: bytes) -> int | None:
    """Read a signed 64-bit integer; None unless ``raw`` is just what printing it would give.

    So no sign ``+``, no leading zero, no ``-0``, no blanks, nothing outside of 64 bits.
    """
    length = len(raw)
    if raw.isdigit():
        if length <= _SURE_DIGITS_MAX:
            return int(raw) if raw[0] != 48 or length == 1 else None
    elif length < 2 or raw[0] != 45 or raw[1] == 48 or not raw[1:].isdigit():
        return None
    if length > _INTEGER_BYTES_MAX or raw[0] == 48:
        return None
    value = int(raw)
    return value if INT64_MIN <= value <= INT64_MAX else None


def parse_float(raw: bytes) -> float | None:
    """Read a double in any form that ``strtod`` knows: decimal, hexadecimal, ``inf``, ``infinity``.

    None for NaN, blanks around it, and magnitudes that overflow or vanish (``1e400``, ``1e-400``).
    """
    try:
        value = float(raw)
    except ValueError:
        return _parse_hex_float(raw)
    if b"_" in raw or raw[0] in _BLANKS or raw[-1] in _BLANKS or isnan(value):
        return None
    if value == 0.0:
        vanished = raw.lower().partition(b"e")[0].strip(b"+-.0")
        return None if vanished else value
    if not isfinite(value) and not _INFINITY.fullmatch(raw):
        return None
    return value


def _parse_hex_float(raw: bytes) -> float | None:
    """Read C's hexadecimal notation (``0x1.8p3``), which ``float()`` does not know."""
    match = _HEX_FLOAT.fullmatch(raw)
    if match is None:
        return None
    try:
        value = float.fromhex(raw.decode("ascii"))
    except OverflowError:
        return None
    vanished = value == 0.0 and (match[2] + match[3]).strip(b"0")
    return None if vanished else value


def format_double(value: float) -> bytes:
    """Write a double as replies show it: 17 significant digits, ``inf``, ``-inf``, ``nan`` or ``-nan``."""
    if value != value and copysign(1.0, value) < 0:
        return b"-nan"
    return b"%.17g" % value


class LongDouble(NamedTuple):
    """The value ``mantissa * 2 ** exponent``; an infinity has an exponent that no number has."""

    mantissa: int
    exponent: int

    @property
    def is_finite(self) -> bool:
        """False for the two infinities."""
        return self.exponent != _INFINITE


def parse_long_double(raw: bytes) -> LongDouble | None:
    """Read a long double in any form that ``strtold`` knows, infinities included.

    None for NaN, for text longer than ``LONG_DOUBLE_BYTES_MAX`` and for what overflows or vanishes.
    """
    if len(raw) > LONG_DOUBLE_BYTES_MAX:
        return None
    match = _DECIMAL_FLOAT.fullmatch(raw)
    base, exponent_base = 10, 10
    if match is None:
        match = _HEX_FLOAT.fullmatch(raw)
        base, exponent_base = 16, 2
    if match is None:
        if _INFINITY.fullmatch(raw):
            return LongDouble(-1 if raw[0] == 45 else 1, _INFINITE)
        return None

    sign, whole, fraction, exponent_text = match.groups()
    digits = (whole + fraction).lstrip(b"0")
    if not digits:
        return LongDouble(0, 0)
    places = len(fraction) if base == 10 else 4 * len(fraction)
    exponent = _clamped_int(exponent_text or b"0") - places
    if abs(exponent) > 50_000:  # beyond any finite value, since there are fewer than 5,120 digits
        return None
    if exponent >= 0:
        value = _round_ratio(_int_of(digits, base) * exponent_base**exponent, 1)
    else:
        value = _round_ratio(_int_of(digits, base), exponent_base**-exponent)
    if not value.is_finite or value.mantissa == 0:
        return None
    return LongDouble(-value.mantissa, value.exponent) if sign == b"-" else value


def _clamped_int(raw: bytes) -> int:
    """Read an exponent of any number of digits; a huge one keeps its sign and is huge still."""
    digits = raw.lstrip(b"+-0")
    value = int(digits or b"0") if len(digits) <= 9 else 10**9
    return -value if raw[:1] == b"-" else value


def _int_of(digits: bytes, base: int) -> int:
    if base == 10 and len(digits) > _INT_DIGITS_MAX:
        return int(Decimal(digits.decode("ascii")))
    return int(digits, base)


def _round_ratio(numerator: int, denominator: int) -> LongDouble:
    """Round a positive ratio to the nearest long double, ties to even; it may become zero or infinite."""
    exponent = max(numerator.bit_length() - denominator.bit_length() - _MANTISSA_BITS, _EXPONENT_MIN)
    if exponent < 0:
        numerator <<= -exponent
    else:
        denominator <<= exponent
    mantissa, rest = divmod(numerator, denominator)
    if mantissa.bit_length() > _MANTISSA_BITS:
        exponent += 1
        denominator <<= 1
        mantissa, rest = divmod(numerator, denominator)
    assert mantissa.bit_length() <= _MANTISSA_BITS
    if 2 * rest > denominator or (2 * rest == denominator and mantissa & 1):
        mantissa += 1
    if mantissa.bit_length() + exponent > _MAGNITUDE_BITS_MAX:
        return LongDouble(1, _INFINITE)
    return LongDouble(mantissa, exponent)


def add_long_doubles(a: LongDouble, b: LongDouble) -> LongDouble | None:
    """Add as the processor does; None when the sum is infinite or no number."""
    if not (a.is_finite and b.is_finite):
        return None
    exponent = min(a.exponent, b.exponent)
    total = (a.mantissa << (a.exponent - exponent)) + (b.mantissa << (b.exponent - exponent))
    if total == 0:
        return LongDouble(0, 0)
    magnitude = abs(total)
    value = _round_ratio(magnitude << max(exponent, 0), 1 << max(-exponent, 0))
    if not value.is_finite:
        return None
    return value if total > 0 else LongDouble(-value.mantissa, value.exponent)


def format_long_double(value: LongDouble) -> bytes:
    """Write a finite value as INCRBYFLOAT does: at most 17 decimals, no zeros at the end, no exponent."""
    assert value.is_finite
    magnitude = abs(value.mantissa)
    sign = b"-" if value.mantissa < 0 else b""
    if value.exponent >= 0:
        return sign + str(Decimal(magnitude << value.exponent)).encode("ascii")
    scaled = magnitude * 10**_SHOWN_DECIMALS
    shown = scaled >> -value.exponent
    rest = scaled - (shown << -value.exponent)
    half = 1 << (-value.exponent - 1)
    if rest > half or (rest == half and shown & 1):
        shown += 1
    if shown == 0:
        return b"0"
    whole, decimals = divmod(shown, 10**_SHOWN_DECIMALS)
    return (b"%s%d.%017d" % (sign, whole, decimals)).rstrip(b"0").rstrip(b".")


def add_long_double(a: bytes, b: bytes) -> bytes | None:
    """Add two numbers given as text, digit for digit as INCRBYFLOAT does; None if one is not a number.

    Raises OverflowError for an infinite sum or none (``ERR increment would produce NaN or Infinity``).
    """
    left = parse_long_double(a)
    right = parse_long_double(b)
    if left is None or right is None:
        return None
    total = add_long_doubles(left, right)
    if total is None:
        raise OverflowError("the sum is not a finite number")
    return format_long_double(total)
