"""INFO: the state of the server as text, section by section.

INFO is a view.  Whoever has a fact counts it (``engine/statistics.py``, ``Log.statistics``,
``Maintenance.statistics``, the command table); ``info_sections.py`` reads it under the name that Redis
gives it, so that what reads Redis's INFO reads ours.  A field whose fact does not exist here is left out or
is the constant that is true (``total_forks:0``).

This module decides which sections are answered: always in one order, each once, whatever the order of the
arguments; a name that is no section is ignored.  ``durability`` and ``backend`` are sections of our own.
Fields: https://redis.io/docs/latest/commands/info/
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from durable_redis.commands import info_durability
from durable_redis.commands import info_sections as sections
from durable_redis.commands.context import Context
from durable_redis.commands.info_sections import Fields
from durable_redis.commands.table import LOADING, STALE, command
from durable_redis.resp.replies import Reply, Verbatim

if TYPE_CHECKING:
    from durable_redis.engine.engine import Engine

SECTIONS: Final[dict[str, Callable[[Engine], Fields]]] = {
    "Server": sections.server,
    "Clients": sections.clients,
    "Memory": sections.memory,
    "Persistence": info_durability.persistence,
    "Durability": info_durability.durability,
    "Backend": info_durability.backend,
    "Stats": sections.stats,
    "Replication": sections.replication,
    "CPU": sections.cpu,
    "Modules": sections.empty,
    "Commandstats": sections.commandstats,
    "Errorstats": sections.errorstats,
    "Latencystats": sections.latencystats,
    "Cluster": sections.cluster,
    "Keyspace": sections.keyspace,
}
NOT_BY_DEFAULT: Final = frozenset({"Backend", "Commandstats", "Latencystats"})
_ALIASES: Final = {"module_list": "modules"}


@command(
    "INFO",
    arity=-1,
    flags=LOADING | STALE,
    acl=("dangerous",),
    tips=("nondeterministic_output", "request_policy:all_shards", "response_policy:special"),
)
def info(ctx: Context, argv: list[bytes]) -> Reply:
    """The named sections; without names all but the long ones, with ``all`` or ``everything`` all."""
    return Verbatim(info_text(ctx.server, argv[1:]).encode("latin-1", "replace"))


def info_text(engine: Engine, names: list[bytes]) -> str:
    """The text of INFO for these section names."""
    engine.count_fast_calls()
    parts = []
    for title in _chosen(names):
        lines = [f"# {title}"]
        lines += [f"{name}:{value}" for name, value in SECTIONS[title](engine).items()]
        parts.append("\r\n".join(lines) + "\r\n")
    return "\r\n".join(parts)


def _chosen(names: list[bytes]) -> list[str]:
    """The titles of the sections that the arguments ask for, in their order."""
    words = {name.decode("latin-1").lower() for name in names} or {"default"}
    words = {_ALIASES.get(word, word) for word in words}
    if words & {"all", "everything"}:
        return list(SECTIONS)
    if "default" in words:
        words |= {title.lower() for title in SECTIONS.keys() - NOT_BY_DEFAULT}
    return [title for title in SECTIONS if title.lower() in words]
