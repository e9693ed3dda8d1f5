"""The command table as rules see it: full names in lower case, parents, and categories.

A rule names a command (``get``), a subcommand (``config|get``) or a category (``@read``).  Permissions are
kept as sets of full names, so this is where names come from.  Source: asked of redis-server 7.0.15.
"""

from __future__ import annotations

from collections.abc import Iterator

from durable_redis.commands.table import CATEGORIES, Command


class Catalog:
    """All commands of a server by full lower-case name, parents before their subcommands."""

    def __init__(self, table: dict[str, Command]) -> None:
        self.commands: dict[str, Command] = {}
        self.children: dict[str, tuple[str, ...]] = {}
        for parent in table.values():
            self.commands[parent.name.lower()] = parent
            names = tuple(child.name.lower() for child in parent.subcommands.values())
            self.children[parent.name.lower()] = names
            for name, child in zip(names, parent.subcommands.values(), strict=True):
                self.commands[name] = child
        self.everything = frozenset(self.commands)
        members: dict[str, list[str]] = {category: [] for category in CATEGORIES}
        for name, found in self.commands.items():
            for category in found.categories:
                members[category].append(name)
        self.by_category = {category: frozenset(names) for category, names in members.items()}

    def with_children(self, name: str) -> Iterator[str]:
        """A command and what is under it."""
        yield name
        yield from self.children.get(name, ())

    def in_order(self, names: frozenset[str]) -> list[str]:
        """The names in the order of the table."""
        return [name for name in self.commands if name in names]
