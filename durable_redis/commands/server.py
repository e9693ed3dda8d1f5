"""Server commands that are small: TIME, ROLE, REPLICAOF, MODULE, LOLWUT.

Each answers what is true of this server: it is a master without replicas, it loads no modules, its only
user is ``default``. Where Redis would do something that is not built here, the reply is an error that says
so; it is never an OK that means nothing.  The other server commands have modules by subject:
``configuration``, ``saving``, ``info``, ``memory``, ``debug``, ``not_built``.
"""

from __future__ import annotations

import math
import random
from typing import Final

import durable_redis
from durable_redis.commands.context import Context
from durable_redis.commands.table import (
    ADMIN,
    FAST,
    LOADING,
    NO_ASYNC_LOADING,
    NOSCRIPT,
    READONLY,
    STALE,
    command,
    container,
)
from durable_redis.errors import NOT_AN_INTEGER, ReplyError
from durable_redis.resp.numbers import parse_integer
from durable_redis.resp.replies import OK, Reply, Verbatim

MODULE: Final = container("MODULE")
PORT_MAX = 65535

ART_COLUMNS = 64
ART_ROWS = 11
_SHADES = " .:-=+*#"


@command("TIME", arity=1, flags=LOADING | STALE | FAST, tips=("nondeterministic_output",))
def time(ctx: Context, argv: list[bytes]) -> Reply:
    """The time: seconds since 1970 and microseconds of the second."""
    seconds, microseconds = divmod(ctx.server.clock.now_us(), 1_000_000)
    return [b"%d" % seconds, b"%d" % microseconds]


# -- replication ---------------------------------------------------------------------------------------------


@command("ROLE", arity=1, flags=NOSCRIPT | LOADING | STALE | FAST, acl=("admin", "dangerous"))
def role(ctx: Context, argv: list[bytes]) -> Reply:
    """A master at a log position, with its replicas: none."""
    return [b"master", ctx.server.log.position, []]


@command("REPLICAOF", arity=3, flags=ADMIN | NOSCRIPT | STALE | NO_ASYNC_LOADING)
@command("SLAVEOF", arity=3, flags=ADMIN | NOSCRIPT | STALE | NO_ASYNC_LOADING)
def replicaof(ctx: Context, argv: list[bytes]) -> Reply:
    """NO ONE is what this server is; following another one is not built yet."""
    if argv[1].lower() == b"no" and argv[2].lower() == b"one":
        return OK
    port = parse_integer(argv[2])
    if port is None or not 0 <= port <= PORT_MAX:
        raise ReplyError("ERR Invalid master port")
    raise ReplyError("ERR replication is not supported yet")


# -- modules and users ---------------------------------------------------------------------------------------


@command("MODULE|LIST", arity=2, flags=ADMIN | NOSCRIPT, tips=("nondeterministic_output_order",))
def module_list(ctx: Context, argv: list[bytes]) -> Reply:
    """The loaded modules: none."""
    return []


@command("MODULE|LOAD", arity=-3, flags=ADMIN | NOSCRIPT | NO_ASYNC_LOADING)
@command("MODULE|LOADEX", arity=-3, flags=ADMIN | NOSCRIPT | NO_ASYNC_LOADING)
@command("MODULE|UNLOAD", arity=3, flags=ADMIN | NOSCRIPT | NO_ASYNC_LOADING)
def module_load(ctx: Context, argv: list[bytes]) -> Reply:
    """Redis modules are compiled against Redis itself."""
    raise ReplyError("ERR modules are not supported")


@command("MODULE|HELP", arity=2, flags=LOADING | STALE)
def module_help(ctx: Context, argv: list[bytes]) -> Reply:
    """List the subcommands."""
    return [
        "MODULE <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "LIST",
        "    List the loaded modules; there are never any, since modules are not supported.",
        "HELP",
        "    Show this text.",
    ]


# -- LOLWUT --------------------------------------------------------------------------------------------------


@command("LOLWUT", arity=-1, flags=READONLY | FAST)
def lolwut(ctx: Context, argv: list[bytes]) -> Reply:
    """A picture, different each time, and the version; there is one picture whatever VERSION says."""
    if len(argv) > 2 and argv[1].lower() == b"version" and parse_integer(argv[2]) is None:
        raise ReplyError(NOT_AN_INTEGER)
    picture = sea(ctx.server.keyspace.rng)
    version = f"Durable Redis {durable_redis.__version__}, Redis ver. {durable_redis.REDIS_VERSION}"
    return Verbatim(f"{picture}\n\n{version}\n".encode())


def sea(rng: random.Random) -> str:
    """Waves that become calmer with depth: writes above, what is on disk below."""
    phases = [rng.uniform(0, 2 * math.pi) for _ in range(3)]
    lines = []
    for row in range(ART_ROWS):
        depth = row / (ART_ROWS - 1)
        line = ""
        for column in range(ART_COLUMNS):
            swell = sum(
                math.sin(column * (0.11 + 0.13 * number) + phase + row * 0.5)
                for number, phase in enumerate(phases)
            )
            level = depth + swell / 6 * (1 - depth)
            line += _SHADES[min(len(_SHADES) - 1, max(0, round(level * (len(_SHADES) - 1))))]
        lines.append(line.rstrip())
    return "\n".join(lines)
