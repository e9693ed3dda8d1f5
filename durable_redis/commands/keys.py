"""Which words of a command are keys.

:func:`command_keys` reads the key specifications of the command table, so every command that declares where
its keys stand is covered.  A few commands cannot say it in a specification (SORT's STORE may stand anywhere)
or can say it only for the worst case (SET reads the old value only with GET); a finder of their own speaks
for them, after the specifications or instead of them.

Arguments that do not fit the command give no keys at all, never some of them.  Cluster slots, ACL, cold reads
and COMMAND GETKEYS ask here.  Key specifications: https://redis.io/docs/latest/develop/reference/key-specs/
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from durable_redis.commands.table import Command, KeySpec

FoundKey = tuple[int, tuple[str, ...]]
Finder = Callable[[Sequence[bytes]], list[FoundKey]]

_DIGITS_MAX: Final = 10  # more than any number of keys; Redis takes 1,048,576 words at most
_LOOSE_COUNT: Final = re.compile(rb"[ \t\n\v\f\r]*\+?0*([0-9]{0,10})")
_READ: Final = ("RO", "access")
_OVERWRITE: Final = ("OW", "update")
_UPDATE: Final = ("RW", "access", "update")
_TAKE_AWAY: Final = ("RW", "access", "delete")


def command_keys(command: Command, argv: Sequence[bytes]) -> list[FoundKey]:
    """Position in ``argv`` and flags of each key, in the order of the specifications.

    ``argv`` starts with the command's name; for a subcommand the container's name comes first.  The result is
    empty if the command has no keys here or its arguments do not fit.
    """
    finder = _FINDERS.get(command.name)
    if finder is not None and any("variable_flags" in spec.flags for spec in command.keys):
        return finder(argv)
    found = _by_specs(command.keys, argv)
    if found is not None:
        return found
    return finder(argv) if finder is not None else _by_loose_count(command.keys, argv)


def has_keys(command: Command) -> bool:
    """Whether any arguments of the command are keys (a shard channel is found like a key but is none)."""
    return any("not_key" not in spec.flags for spec in command.keys)


def _by_specs(specs: Sequence[KeySpec], argv: Sequence[bytes]) -> list[FoundKey] | None:
    """The keys as the specifications say; None if one of them cannot tell."""
    found: list[FoundKey] = []
    for spec in specs:
        if "not_key" in spec.flags:
            continue
        kind = spec.begin[0]
        if kind == "unknown":
            return None
        first = spec.begin[1] if kind == "index" else _after_keyword(spec, argv)
        if first is None:
            continue
        positions = _positions(spec, argv, first)
        if positions is None:
            return None
        found.extend((position, spec.flags) for position in positions)
        if "incomplete" in spec.flags:
            return None
    return found


def _after_keyword(spec: KeySpec, argv: Sequence[bytes]) -> int | None:
    """The position after the keyword, or None; a negative start searches backwards from the end."""
    _, keyword, start_from = spec.begin
    word = keyword.encode().lower()
    argc = len(argv)
    searched = range(start_from, argc - 1) if start_from > 0 else range(argc + start_from, 1, -1)
    for position in searched:
        if argv[position].lower() == word:
            return position + 1
    return None


def _positions(spec: KeySpec, argv: Sequence[bytes], first: int) -> range | None:
    """The positions of the keys that begin at ``first``, or None if they would lie outside ``argv``."""
    kind = spec.find[0]
    argc = len(argv)
    if kind == "range":
        _, last, step, limit = spec.find
        if last >= 0:
            last += first
        elif limit == 0:
            last += argc
        else:
            last += first + (argc - first) // limit
    elif kind == "keynum":
        _, count_offset, first_offset, step = spec.find
        if first + count_offset >= argc:
            return None
        count = _count(argv[first + count_offset])
        if count is None:
            return None
        first += first_offset
        last = first + (count - 1) * step
    else:
        return None
    if last >= argc or last < first or first >= argc:
        return None
    return range(first, last + 1, step)


def _count(word: bytes) -> int | None:
    """A number of keys as the client wrote it; None if it is no number a command line could hold."""
    digits = word[1:] if word[:1] == b"-" else word
    if not digits.isdigit() or len(digits) > _DIGITS_MAX or (digits[:1] == b"0" and word != b"0"):
        return None
    return int(word)


def _by_loose_count(specs: Sequence[KeySpec], argv: Sequence[bytes]) -> list[FoundKey]:
    """The keys behind a number that the command itself will refuse (`` 1``, ``01``, ``1x``), without flags.

    So redis-server finds them: those that are counted first, then a destination.
    """
    for spec in specs:
        if spec.find[0] != "keynum":
            continue
        _, count_offset, first_offset, _ = spec.find
        count_at = spec.begin[1] + count_offset
        number = _LOOSE_COUNT.match(argv[count_at]) if count_at < len(argv) else None
        count = int(number.group(1) or 0) if number is not None else 0
        first = spec.begin[1] + first_offset
        if not 0 < count <= len(argv) - first:
            return []
        others = [other.begin[1] for other in specs if other is not spec]
        return [(position, ()) for position in (*range(first, first + count), *others)]
    return []


def _set_keys(argv: Sequence[bytes]) -> list[FoundKey]:
    """SET reads the old value only with GET."""
    reads = any(word.lower() == b"get" for word in argv[3:])
    return [(1, _UPDATE if reads else _OVERWRITE)]


def _bitfield_keys(argv: Sequence[bytes]) -> list[FoundKey]:
    """BITFIELD only reads if nothing but GET (and OVERFLOW) is asked for; what cannot be parsed may write."""
    position = 2
    while position < len(argv):
        words = _BITFIELD_READS.get(argv[position].lower())
        if words is None or position + words >= len(argv):
            return [(1, _UPDATE)]
        position += 1 + words
    return [(1, _READ)]


def _sort_keys(argv: Sequence[bytes]) -> list[FoundKey]:
    """SORT's key, and the destination that the last STORE names."""
    destination = 0
    position = 2
    while position < len(argv):
        word = argv[position].lower()
        if word == b"store" and position + 1 < len(argv):
            destination = position + 1
        position += 1 + _SORT_OPTIONS.get(word, 0)
    found: list[FoundKey] = [(1, _READ)]
    if destination:
        found.append((destination, _OVERWRITE))
    return found


def _sort_ro_keys(argv: Sequence[bytes]) -> list[FoundKey]:
    return [(1, _READ)]


def _migrate_keys(argv: Sequence[bytes]) -> list[FoundKey]:
    """MIGRATE's one key, or those after KEYS; to name both is an error."""
    position = 6
    while position < len(argv):
        word = argv[position].lower()
        if word == b"keys":
            if argv[3]:
                return []
            return [(key, _TAKE_AWAY) for key in range(position + 1, len(argv))]
        position += 1 + _MIGRATE_OPTIONS.get(word, 0)
    return [(3, _TAKE_AWAY)]


_BITFIELD_READS: Final = MappingProxyType({b"get": 2, b"overflow": 1})
_SORT_OPTIONS: Final = MappingProxyType({b"limit": 2, b"get": 1, b"by": 1})
_MIGRATE_OPTIONS: Final = MappingProxyType({b"auth": 1, b"auth2": 2})
_FINDERS: Final[Mapping[str, Finder]] = MappingProxyType(
    {
        "SET": _set_keys,
        "BITFIELD": _bitfield_keys,
        "SORT": _sort_keys,
        "SORT_RO": _sort_ro_keys,
        "MIGRATE": _migrate_keys,
    }
)
