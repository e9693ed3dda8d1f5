"""File descriptors: as many as ``maxclients`` and the data need, or fewer clients.

Running out of them would hurt whoever opens a file next, and that may be the log.  So the limit of the
process is raised at the start as far as the system allows, and ``maxclients`` is lowered to what then fits,
as redis-server does.
"""

from __future__ import annotations

import resource

from durable_redis.config.config import Config
from durable_redis.errors import ReplyError, UsageError

RESERVED = 64  # for the log, the listeners, workers, files that are open for a moment
BACKEND_SHARE = 5  # LevelDB keeps up to a fifth of the process's limit for its tables
LIMIT_MAX = 1 << 20  # descriptors that are asked for where the system sets no limit


def clients_possible(descriptors: int) -> int:
    """How many clients a limit of ``descriptors`` leaves room for."""
    return descriptors - descriptors // BACKEND_SHARE - RESERVED


def descriptors_needed(clients: int) -> int:
    """The limit that leaves room for so many clients."""
    return -(-(clients + RESERVED) * BACKEND_SHARE // (BACKEND_SHARE - 1)) + 1


def raise_limit(clients: int) -> int:
    """Have the system allow ``clients`` connections; how many it does allow, maybe fewer."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return clients
    ceiling = LIMIT_MAX if hard == resource.RLIM_INFINITY else hard
    wanted = min(descriptors_needed(clients), ceiling)
    if soft < wanted:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            soft = wanted
        except (OSError, ValueError):
            pass
    return min(clients, clients_possible(soft))


def fit_clients(config: Config) -> str:
    """At the start: the warning about a ``maxclients`` that had to be lowered, or nothing.

    Raises :class:`UsageError` if there is no room for a single client.
    """
    wanted = config.get_int("maxclients")
    possible = raise_limit(wanted)
    if possible < 1:
        least = descriptors_needed(32)
        raise UsageError(
            "the limit on open files leaves no descriptor for clients", f"raise it: ulimit -n {least} or more"
        )
    if possible == wanted:
        return ""
    config.load("maxclients", [str(possible)])
    return (
        f"maxclients is lowered from {wanted} to {possible}: the limit on open files does not allow more "
        f"(ulimit -n {descriptors_needed(wanted)} would)"
    )


def check_clients(wanted: int) -> None:
    """CONFIG SET maxclients: raises :class:`ReplyError` if the system does not allow so many."""
    possible = raise_limit(wanted)
    if possible < wanted:
        raise ReplyError(
            "ERR The operating system is not able to handle the specified number of clients, "
            f"try with {max(possible, 0)}"
        )
