"""The commands, by group; :func:`build_commands` makes a server's table of them."""

from __future__ import annotations

from durable_redis.commands.table import Command, build_table


def build_commands() -> dict[str, Command]:
    """A fresh command table: upper-case name to declaration, with counters at zero."""
    from durable_redis.commands.groups import MODULES  # it imports all groups, which import this package

    return build_table(MODULES)
