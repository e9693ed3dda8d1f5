"""Glob patterns with the meaning that Redis gives them.

``*`` stands for any bytes, ``?`` for one, ``[abc]``, ``[a-z]`` and ``[^a]`` for one of a class; a backslash
takes away the meaning of what follows.  No pattern is an error: a class that is not closed ends with the
pattern. As in Redis, the ends of a range may stand in either order and compare as *signed* bytes, and a
star matches no empty text (only KEYS and SCAN, and so :func:`compile_glob`, let the pattern ``*`` fit
everything).

Each token but the star takes exactly one byte, so the shortest run for a star is always good enough: neither
function here ever tries a second one, and no pattern takes exponential time.
Source: asked of redis-server 7.0.15 with generated patterns.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

_STAR: Final = None
_EVERY_BYTE: Final = frozenset(range(256))
_SPECIAL: Final = frozenset(b"*?[\\")

Token = frozenset[int] | None
"""The bytes that fit one place, or ``None`` for a star."""


def glob_match(pattern: bytes, text: bytes, ignore_case: bool = False) -> bool:
    """Whether ``text`` fits ``pattern``; for one look.  Use :func:`compile_glob` for many."""
    tokens = _tokens(pattern, ignore_case)
    if not text:
        return not tokens
    place = position = 0
    star = resume = -1
    while position < len(text):
        token = tokens[place] if place < len(tokens) else frozenset()
        if token is _STAR:
            star, resume = place, position
            place += 1
        elif text[position] in token:
            place += 1
            position += 1
        elif star >= 0:  # let the last star take one byte more
            resume += 1
            place, position = star + 1, resume
        else:
            return False
    return all(token is _STAR for token in tokens[place:])


def compile_glob(pattern: bytes, ignore_case: bool = False) -> Callable[[bytes], bool]:
    """A predicate that says which texts fit ``pattern``, as KEYS and SCAN understand it."""
    if pattern == b"*":
        return _everything
    if _SPECIAL.isdisjoint(pattern):
        return _exactly(pattern, ignore_case)
    head = pattern[:-1]
    if pattern.endswith(b"*") and head and _SPECIAL.isdisjoint(head) and not ignore_case:
        return lambda text: text.startswith(head)
    expression = _expression(_tokens(pattern, ignore_case))
    if not pattern.strip(b"*"):
        expression = b".+"  # several stars and nothing else
    fullmatch = re.compile(expression, re.DOTALL).fullmatch
    return lambda text: fullmatch(text) is not None


def _everything(text: bytes) -> bool:
    return True


def _exactly(pattern: bytes, ignore_case: bool) -> Callable[[bytes], bool]:
    if ignore_case:
        lowered = pattern.lower()
        return lambda text: text.lower() == lowered
    return pattern.__eq__


def _expression(tokens: list[Token]) -> bytes:
    """The regular expression; a piece between stars is atomic, since its first fit is good enough."""
    pieces = [b""]
    for token in tokens:
        if token is _STAR:
            if pieces[-1] or len(pieces) == 1:
                pieces.append(b"")
        else:
            pieces[-1] += _one_byte(token)
    head, *rest = pieces
    if not rest:
        return head
    return head + b"".join(b"(?>.*?" + piece + b")" for piece in rest[:-1]) + b".*" + rest[-1]


def _one_byte(fitting: frozenset[int]) -> bytes:
    if len(fitting) == 1:
        return re.escape(bytes(fitting))
    if fitting == _EVERY_BYTE:
        return b"."
    if not fitting:
        return b"(?!)"
    return b"[" + b"".join(re.escape(bytes((byte,))) for byte in sorted(fitting)) + b"]"


def _tokens(pattern: bytes, ignore_case: bool) -> list[Token]:
    """The pattern place by place."""
    tokens: list[Token] = []
    position = 0
    while position < len(pattern):
        byte = pattern[position]
        position += 1
        if byte == ord("*"):
            tokens.append(_STAR)
        elif byte == ord("?"):
            tokens.append(_EVERY_BYTE)
        elif byte == ord("["):
            fitting, position = _class(pattern, position, ignore_case)
            tokens.append(fitting)
        else:
            if byte == ord("\\") and position < len(pattern):
                byte = pattern[position]
                position += 1
            tokens.append(_with_cases(frozenset((byte,))) if ignore_case else frozenset((byte,)))
    return tokens


def _class(pattern: bytes, position: int, ignore_case: bool) -> tuple[frozenset[int], int]:
    """The bytes of a class whose bracket was just read, and the position after it."""
    negated = pattern[position : position + 1] == b"^"
    position += negated
    found: set[int] = set()
    escaped: set[int] = set()  # Redis compares these as they are, even where case is ignored
    while position < len(pattern):
        byte = pattern[position]
        if byte == ord("\\") and position + 1 < len(pattern):
            escaped.add(pattern[position + 1])
            position += 2
        elif byte == ord("]"):
            position += 1
            break
        elif position + 2 < len(pattern) and pattern[position + 1] == ord("-"):
            found.update(_range(byte, pattern[position + 2], ignore_case))
            position += 3
        else:
            found.add(byte)
            position += 1
    fitting = (_with_cases(frozenset(found)) if ignore_case else frozenset(found)) | escaped
    return (_EVERY_BYTE - fitting if negated else fitting), position


def _range(first: int, last: int, ignore_case: bool) -> set[int]:
    """A range of signed bytes.

    Redis orders the ends first and folds their case then, so ``[a-C]`` may be empty.
    """
    low, high = sorted((_signed(first), _signed(last)))
    if ignore_case:
        low, high = _lower(low), _lower(high)
        return {byte for byte in range(256) if low <= _lower(_signed(byte)) <= high}
    return {byte for byte in range(256) if low <= _signed(byte) <= high}


def _signed(byte: int) -> int:
    return byte - 256 if byte > 127 else byte


def _lower(byte: int) -> int:
    """C's ``tolower`` as glibc has it: a negative byte comes back positive, but for -1, which is EOF."""
    if byte < -1:
        return byte + 256
    return byte + 32 if ord("A") <= byte <= ord("Z") else byte


def _with_cases(found: frozenset[int]) -> frozenset[int]:
    """The bytes and their other cases (ASCII)."""
    return frozenset(bytes(found).lower() + bytes(found).upper())
