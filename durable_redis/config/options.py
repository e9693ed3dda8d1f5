"""The one table of options, made of its groups.

Declarations stand in the ``options_*`` modules, in the order in which the reference file and CONFIG REWRITE
write them. The directives are the lines of a configuration file that are no options: they have no value
that CONFIG GET could show.
"""

from __future__ import annotations

from typing import Final

from durable_redis.config.option import Option
from durable_redis.config.options_data import COLLECTIONS, DATA, DURABILITY, MEMORY
from durable_redis.config.options_ignored import IGNORED
from durable_redis.config.options_inspection import INSPECTION
from durable_redis.config.options_network import CLIENTS, NETWORK
from durable_redis.config.options_process import PROCESS
from durable_redis.config.options_reserved import NOT_BUILT, REPLICATION, TLS_OF_LINKS
from durable_redis.config.options_tls import TLS

OPTIONS: Final[tuple[Option, ...]] = (
    *NETWORK,
    *CLIENTS,
    *DATA,
    *DURABILITY,
    *MEMORY,
    *COLLECTIONS,
    *PROCESS,
    *INSPECTION,
    *REPLICATION,
    *TLS,
    *TLS_OF_LINKS,
    *NOT_BUILT,
    *IGNORED,
)

INCLUDE: Final = "include"
USER: Final = "user"
REFUSED_DIRECTIVES: Final = frozenset({"rename-command", "loadmodule", "sentinel"})
"""Lines that ask for what is not built."""

PASSED_DIRECTIVES: Final = {"list-max-ziplist-entries": 2, "list-max-ziplist-value": 2}
"""Lines that Redis too reads and forgets."""


def by_name() -> dict[str, Option]:
    """The options under all of their names, aliases included."""
    table: dict[str, Option] = {}
    for option in OPTIONS:
        for name in (option.name, *option.aliases):
            assert name not in table, f"option {name} is declared twice"
            table[name] = option
    return table
