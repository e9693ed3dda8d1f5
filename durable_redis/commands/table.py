"""The command table: one declaration per command feeds everything that needs to know about commands.

Dispatch, arity, gates, key positions, ACL categories, COMMAND, COMMAND DOCS, the documentation and the tests
read it.  ``@command`` records facts on the function and returns the function itself, so a call costs nothing
more. :func:`build_table` collects the declarations of the group modules; nothing is registered by importing.

Flags, key specifications and categories follow https://redis.io/docs/latest/develop/reference/command-arguments/
and https://redis.io/docs/latest/develop/reference/key-specs/; a test compares each declaration with
redis-server.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import IntFlag
from types import ModuleType
from typing import Any

from durable_redis.commands.histogram import Histogram

Handler = Callable[..., Any]  # (ctx: Context, argv: list[bytes]) -> Reply


class Flag(IntFlag):
    """Command flags; the names in COMMAND INFO are the lower-case member names."""

    WRITE = 1 << 0
    READONLY = 1 << 1
    DENYOOM = 1 << 2
    ADMIN = 1 << 3
    PUBSUB = 1 << 4
    NOSCRIPT = 1 << 5
    BLOCKING = 1 << 6
    LOADING = 1 << 7
    STALE = 1 << 8
    SKIP_MONITOR = 1 << 9
    SKIP_SLOWLOG = 1 << 10
    ASKING = 1 << 11
    FAST = 1 << 12
    NO_AUTH = 1 << 13
    MAY_REPLICATE = 1 << 14
    NO_ASYNC_LOADING = 1 << 15
    NO_MULTI = 1 << 16
    MOVABLEKEYS = 1 << 17
    ALLOW_BUSY = 1 << 18
    NO_MANDATORY_KEYS = 1 << 19


WRITE = Flag.WRITE
READONLY = Flag.READONLY
DENYOOM = Flag.DENYOOM
ADMIN = Flag.ADMIN
PUBSUB = Flag.PUBSUB
NOSCRIPT = Flag.NOSCRIPT
BLOCKING = Flag.BLOCKING
LOADING = Flag.LOADING
STALE = Flag.STALE
SKIP_MONITOR = Flag.SKIP_MONITOR
SKIP_SLOWLOG = Flag.SKIP_SLOWLOG
FAST = Flag.FAST
NO_AUTH = Flag.NO_AUTH
MAY_REPLICATE = Flag.MAY_REPLICATE
NO_ASYNC_LOADING = Flag.NO_ASYNC_LOADING
NO_MULTI = Flag.NO_MULTI
MOVABLEKEYS = Flag.MOVABLEKEYS
ALLOW_BUSY = Flag.ALLOW_BUSY
NO_MANDATORY_KEYS = Flag.NO_MANDATORY_KEYS
NO_FLAGS = Flag(0)


CATEGORIES = (
    *(
        "keyspace",
        "read",
        "write",
        "set",
        "sortedset",
        "list",
        "hash",
        "string",
        "bitmap",
        "hyperloglog",
        "geo",
    ),
    *(
        "stream",
        "pubsub",
        "admin",
        "fast",
        "slow",
        "blocking",
        "dangerous",
        "connection",
        "transaction",
        "scripting",
    ),
)  # in the order in which Redis lists them


@dataclass(slots=True, frozen=True)
class KeySpec:
    """Where a command's keys stand, in the terms of COMMAND INFO's key specifications.

    ``begin`` is ``("index", i)``, ``("keyword", word, start_from)`` or ``("unknown",)``; ``find`` is
    ``("range", last, step, limit)``, ``("keynum", keynum_index, first_key, step)`` or ``("unknown",)``.
    """

    flags: tuple[str, ...]
    begin: tuple[Any, ...] = ("index", 1)
    find: tuple[Any, ...] = ("range", 0, 1, 0)
    notes: str = ""


@dataclass(slots=True)
class Command:
    """One command or subcommand (``CLIENT|ID``), as declared."""

    name: str
    arity: int
    flags: Flag
    handler: Handler | None
    keys: tuple[KeySpec, ...] = ()
    acl: tuple[str, ...] = ()
    tips: tuple[str, ...] = ()
    positions: tuple[int, int, int] | None = None
    subcommands: dict[str, Command] = field(default_factory=dict)
    calls: int = 0
    usec: float = 0.0
    rejected_calls: int = 0
    failed_calls: int = 0
    latencies: Histogram = field(default_factory=Histogram)

    @property
    def categories(self) -> tuple[str, ...]:
        """ACL categories: the declared ones and those that the flags imply."""
        found = set(self.acl)
        if Flag.WRITE in self.flags:
            found.add("write")
        if Flag.READONLY in self.flags and "scripting" not in found:
            found.add("read")
        if Flag.ADMIN in self.flags:
            found.update(("admin", "dangerous"))
        if Flag.PUBSUB in self.flags:
            found.add("pubsub")
        if Flag.BLOCKING in self.flags:
            found.add("blocking")
        found.add("fast" if Flag.FAST in self.flags else "slow")
        return tuple(sorted(found, key=CATEGORIES.index))

    @property
    def legacy_range(self) -> tuple[int, int, int]:
        """First key, last key and step, as the old fields of COMMAND INFO give them."""
        if self.positions is not None:
            return self.positions
        for spec in self.keys:
            if spec.begin[0] == "index" and spec.find[0] == "range":
                first = spec.begin[1]
                last = spec.find[1]
                return first, (first + last if last >= 0 else last), spec.find[2]
        return 0, 0, 0

    def accepts(self, argc: int) -> bool:
        """Whether ``argc`` words, the name included, fit the arity."""
        return argc == self.arity if self.arity >= 0 else argc >= -self.arity


def command(
    name: str,
    *,
    arity: int,
    flags: Flag = NO_FLAGS,
    keys: tuple[KeySpec, ...] = (),
    acl: tuple[str, ...] = (),
    tips: tuple[str, ...] = (),
    positions: tuple[int, int, int] | None = None,
) -> Callable[[Handler], Handler]:
    """Declare a command; ``CLIENT|ID`` declares a subcommand.

    Several declarations may stand over one function.
    """

    def record(handler: Handler) -> Handler:
        declared = Command(name, arity, flags, handler, keys, acl, tips, positions)
        handler.__dict__.setdefault("declared_commands", []).append(declared)
        return handler

    return record


def container(name: str, *, arity: int = -2, acl: tuple[str, ...] = (), flags: Flag = NO_FLAGS) -> Command:
    """Declare a command that only holds subcommands (a module-level value)."""
    return Command(name, arity, flags, None, (), acl)


def key_spec(
    *flags: str, first: int = 1, last: int = 0, step: int = 1, limit: int = 0, notes: str = ""
) -> KeySpec:
    """A key specification by index and range; ``last`` counts from the first key, negative from the end."""
    return KeySpec(flags, ("index", first), ("range", last, step, limit), notes)


READ_KEY = (key_spec("RO", "access"),)
READ_KEY_META = (key_spec("RO"),)
UPDATE_KEY = (key_spec("RW", "update"),)


def build_table(modules: Iterable[ModuleType]) -> dict[str, Command]:
    """Collect the declarations of ``modules`` into one table by upper-case name."""
    containers: dict[str, Command] = {}
    declared: list[Command] = []
    for module in modules:
        for value in vars(module).values():
            if isinstance(value, Command):
                containers[value.name] = _fresh(value)
            elif getattr(value, "__module__", None) == module.__name__:
                declared.extend(_fresh(found) for found in getattr(value, "declared_commands", ()))
    table = dict(containers)
    for found in declared:
        parent, _, child = found.name.partition("|")
        if child:
            table[parent].subcommands[child] = found
        else:
            assert found.name not in table, f"{found.name} is declared twice"
            table[found.name] = found
    return table


def _fresh(declared: Command) -> Command:
    """A copy with counters of its own: two servers in one process must not share them."""
    return Command(
        declared.name,
        declared.arity,
        declared.flags,
        declared.handler,
        declared.keys,
        declared.acl,
        declared.tips,
        declared.positions,
    )
