"""Whether a user may run a command with these arguments.

:func:`check` is asked by the engine before it executes, by MULTI when it queues and EXEC when it runs, by
scripts and by ACL DRYRUN.  A command runs if one selector allows the command, all of its keys with the
access that it needs, and all of its channels; otherwise the denial that came furthest is told, as in Redis.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from durable_redis.acl.selector import READ, WRITE, Selector
from durable_redis.acl.users import User
from durable_redis.commands.keys import FoundKey, command_keys, has_keys
from durable_redis.commands.table import Command, Flag

COMMAND: Final = "command"
KEY: Final = "key"
CHANNEL: Final = "channel"
AUTH: Final = "auth"
_RANKS: Final = {COMMAND: 1, KEY: 2, CHANNEL: 4}
_CHANNELS: Final = MappingProxyType(
    {
        # where the channels begin, whether they go on to the end, whether they are patterns
        "PUBLISH": (1, False, False),
        "SPUBLISH": (1, False, False),
        "SUBSCRIBE": (1, True, False),
        "SSUBSCRIBE": (1, True, False),
        "PSUBSCRIBE": (1, True, True),
    }
)


@dataclass(slots=True, frozen=True)
class Denial:
    """What was denied: ``reason`` is command, key or channel; ``position`` is the word in ``argv``."""

    reason: str
    object: bytes
    position: int = 0

    @property
    def reply(self) -> str:
        """The error reply."""
        if self.reason == COMMAND:
            shown = self.object.decode("latin-1")
            return f"NOPERM this user has no permissions to run the '{shown}' command"
        return f"NOPERM this user has no permissions to access one of the {self.reason}s used as arguments"

    @property
    def explanation(self) -> bytes:
        """What ACL DRYRUN says."""
        if self.reason == COMMAND:
            return b"This user has no permissions to run the '%s' command" % self.object
        return b"This user has no permissions to access the '%s' %s" % (self.object, self.reason.encode())


def check(user: User, command: Command, argv: list[bytes]) -> Denial | None:
    """None if the user may run the command, else what is denied; ``argv`` has to fit the arity."""
    if user.unrestricted:
        return None
    keys = command_keys(command, argv) if has_keys(command) else []
    worst: Denial | None = None
    for selector in user.all_selectors:
        denial = _denied_by(selector, command, argv, keys)
        if denial is None:
            return None
        if worst is None or _weight(denial) > _weight(worst):
            worst = denial
    return worst


def may_read_all_keys(user: User, command: Command, argv: list[bytes]) -> bool:
    """Whether a selector that allows the command reads every key, as patterns of SORT may."""
    return any(
        (selector.all_keys or selector.keys.get(b"*", 0) & READ)
        and _denied_by(selector, command, argv, command_keys(command, argv)) is None
        for selector in user.all_selectors
    )


def _denied_by(
    selector: Selector, command: Command, argv: list[bytes], keys: list[FoundKey]
) -> Denial | None:
    name = command.name.lower()
    if not command.flags & Flag.NO_AUTH and not selector.allows_command(name, argv):
        return Denial(COMMAND, name.encode())
    for position, flags in keys:
        if not selector.allows_key(argv[position], _access(flags)):
            return Denial(KEY, argv[position], position)
    channels = _CHANNELS.get(command.name)
    if channels is not None:
        first, to_the_end, patterns = channels
        for position in range(first, len(argv) if to_the_end else first + 1):
            if not selector.allows_channel(argv[position], patterns):
                return Denial(CHANNEL, argv[position], position)
    return None


def _access(flags: tuple[str, ...]) -> int:
    """What a key's flags need: reading its value, changing it, both, or nothing but its name."""
    writes = "insert" in flags or "update" in flags or "delete" in flags
    return (READ if "access" in flags else 0) | (WRITE if writes else 0)


def _weight(denial: Denial) -> tuple[int, int]:
    return _RANKS[denial.reason], denial.position
