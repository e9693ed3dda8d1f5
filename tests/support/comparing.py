"""When two replies to the same command count as equal.

The rule is exact equality, types included.  Exceptions stand in one table, by command (``OBJECT|FREQ`` for
a subcommand): replies that name the process or the moment are compared by their outline, unordered ones as
multisets, times to live within a tolerance.  An error reply is always compared as its whole text.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from tests.support.client import ErrorReply, Map

TOLERANCE_MS: Final = 3000
ABSOLUTE_TIMES_MS: Final = tuple(4_102_444_800_000 + offset for offset in (0, 1, 999, 123_456))
"""Deadlines in the year 2100 that scripts set absolutely: these must come back to the millisecond."""

_ABSOLUTE: Final = frozenset(ABSOLUTE_TIMES_MS) | {(time_ms + 500) // 1000 for time_ms in ABSOLUTE_TIMES_MS}
_CONTAINERS: Final = frozenset(b"CLIENT COMMAND CONFIG OBJECT DEBUG MEMORY XGROUP XINFO".split())


def command_name(words: Sequence[bytes]) -> str:
    """The upper-case name of a command, with its subcommand where it has one."""
    if not words:
        return ""
    name = words[0].upper()
    if name in _CONTAINERS and len(words) > 1:
        name += b"|" + words[1].upper()
    return name.decode("latin-1")


def outline(reply: Any) -> str:
    """What is left of a reply when its content does not matter."""
    if isinstance(reply, ErrorReply) or reply is None:
        return repr(reply)
    return type(reply).__name__


def agree(words: Sequence[bytes], directive: str, expected: Any, actual: Any) -> bool:
    """Whether ``actual`` may stand for ``expected`` as the reply to this command."""
    if repr(expected) == repr(actual):
        return True
    if directive == "@ignore":
        return True
    if directive == "@exact" or isinstance(expected, ErrorReply) or isinstance(actual, ErrorReply):
        return False
    if directive == "@type":
        return outline(expected) == outline(actual)
    if directive == "@sorted":
        return _same_members(expected, actual)
    name = command_name(words)
    if name.endswith("|HELP"):
        return outline(expected) == outline(actual)  # help texts are ours to write
    rule = _RULES.get(name)
    return rule is not None and rule(expected, actual)


def _same_outline(expected: Any, actual: Any) -> bool:
    return outline(expected) == outline(actual)


def _same_members(expected: Any, actual: Any) -> bool:
    if type(expected) is not type(actual) or not isinstance(expected, list):
        return False
    return sorted(map(repr, expected)) == sorted(map(repr, actual))


def _same_pairs(expected: Any, actual: Any) -> bool:
    """A map, or in RESP2 its flat form, in any order."""
    if type(expected) is not type(actual) or not isinstance(expected, list):
        return False
    pairs = [
        sorted(zip(map(repr, reply[::2]), map(repr, reply[1::2]), strict=True))
        for reply in (expected, actual)
    ]
    return pairs[0] == pairs[1]


def _same_length(expected: Any, actual: Any) -> bool:
    """Elements drawn by chance: as many, and as many of each type."""
    if isinstance(expected, list) and isinstance(actual, list):
        return sorted(map(outline, expected)) == sorted(map(outline, actual))
    return outline(expected) == outline(actual)


def _same_scan(expected: Any, actual: Any) -> bool:
    """A call of HSCAN, SSCAN or ZSCAN: the elements if both servers returned all of them at once."""
    if outline(expected) != outline(actual) or not isinstance(expected, list):
        return False
    if len(actual) != 2 or not isinstance(actual[1], list):
        return False
    return expected[0] != b"0" or actual[0] != b"0" or _same_members(expected[1], actual[1])


def _close_milliseconds(expected: Any, actual: Any) -> bool:
    return close_times(expected, actual, TOLERANCE_MS)


def _close_seconds(expected: Any, actual: Any) -> bool:
    return close_times(expected, actual, TOLERANCE_MS // 1000)


def close_times(expected: Any, actual: Any, tolerance: int) -> bool:
    """Whether two deadlines or times to live differ by no more than the time between two commands."""
    if type(expected) is not int or type(actual) is not int or expected < 0 or actual < 0:
        return bool(expected == actual)
    return expected not in _ABSOLUTE and abs(expected - actual) <= tolerance


def _close_deliveries(expected: Any, actual: Any) -> bool:
    """What is pending in a stream: times of deliveries and of consumers are close, all else is equal."""
    times: list[list[int]] = [[], []]
    rest = [_without_times(reply, found) for reply, found in zip((expected, actual), times, strict=True)]
    close = all(abs(a - b) <= TOLERANCE_MS for a, b in zip(*times, strict=False))
    return close and repr(rest[0]) == repr(rest[1])


def _without_times(reply: Any, times: list[int]) -> Any:
    """A reply with its times (or ages) moved to a list."""
    if not isinstance(reply, list):
        return reply
    kept = [_without_times(part, times) for part in reply]
    at = {"bytes bytes int int": 2, "bytes int int": 1}.get(" ".join(type(part).__name__ for part in reply))
    places = [at] if at else [n for n in range(1, len(reply)) if reply[n - 1] in (b"idle", b"seen-time")]
    for place in places:
        times.append(kept[place])
        kept[place] = "a time"
    return type(reply)(kept)


def _same_hello(expected: Any, actual: Any) -> bool:
    """HELLO but for the connection's id and the server's version."""
    if type(expected) is not type(actual) or not isinstance(expected, list) or len(expected) != len(actual):
        return False
    first, second = Map(expected).as_dict(), Map(actual).as_dict()
    for name in (b"id", b"version"):
        if type(first.pop(name, None)) is not type(second.pop(name, None)):
            return False
    return repr(first) == repr(second)


_RULES: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "KEYS": _same_members,
    "ZRANDMEMBER": _same_length,
    "HRANDFIELD": _same_length,
    "SRANDMEMBER": _same_length,
    "ZSCAN": _same_scan,
    "HSCAN": _same_scan,
    "SSCAN": _same_scan,
    "HGETALL": _same_pairs,
    **dict.fromkeys(("HKEYS", "HVALS", "SMEMBERS", "SUNION", "SINTER", "SDIFF", "SPOP"), _same_members),
    "HELLO": _same_hello,
    **dict.fromkeys(("XPENDING", "XINFO|CONSUMERS", "XINFO|STREAM"), _close_deliveries),
    "TTL": _close_seconds,
    "EXPIRETIME": _close_seconds,
    "PTTL": _close_milliseconds,
    "PEXPIRETIME": _close_milliseconds,
    **dict.fromkeys(
        (
            "SCAN",  # order and cursors are the server's own; full iterations are compared as sets
            "RANDOMKEY",  # the pair checks that the key exists
            "TIME",
            "LASTSAVE",
            "INFO",
            "LOLWUT",
            "ROLE",
            "CLIENT|ID",
            "CLIENT|INFO",
            "CLIENT|LIST",
            "OBJECT|IDLETIME",
            "OBJECT|REFCOUNT",
            "OBJECT|FREQ",
            "MEMORY|USAGE",
            "MEMORY|STATS",
            "MEMORY|DOCTOR",
            "DEBUG|OBJECT",
            "COMMAND",
            "COMMAND|COUNT",
            "COMMAND|DOCS",
            "COMMAND|LIST",
        ),
        _same_outline,
    ),
}
