"""Commands that tools send and that are not built: each says so, under its real name.

An unknown command would send people looking for a typing error, and an empty reply would be a lie; the
declarations are Redis's own, so arity, flags and categories are already right.  A command leaves this
module when it is built. Cluster commands answer what every Redis without cluster mode answers.
"""

from __future__ import annotations

from typing import Final

from durable_redis.commands.context import Context
from durable_redis.commands.table import ADMIN, FAST, LOADING, NOSCRIPT, STALE, command, container
from durable_redis.errors import ReplyError
from durable_redis.resp.replies import Reply

SLOWLOG: Final = container("SLOWLOG")
LATENCY: Final = container("LATENCY")


@command("CLUSTER", arity=-2)
@command("ASKING", arity=1, flags=FAST, acl=("connection",))
@command("READONLY", arity=1, flags=LOADING | STALE | FAST, acl=("connection",))
@command("READWRITE", arity=1, flags=LOADING | STALE | FAST, acl=("connection",))
def cluster(ctx: Context, argv: list[bytes]) -> Reply:
    """There are no slots to speak of."""
    raise ReplyError("ERR This instance has cluster support disabled")


@command(
    "SLOWLOG|GET",
    arity=-2,
    flags=ADMIN | LOADING | STALE,
    tips=("request_policy:all_nodes", "nondeterministic_output"),
)
@command(
    "SLOWLOG|LEN",
    arity=2,
    flags=ADMIN | LOADING | STALE,
    tips=("request_policy:all_nodes", "response_policy:agg_sum", "nondeterministic_output"),
)
@command(
    "SLOWLOG|RESET",
    arity=2,
    flags=ADMIN | LOADING | STALE,
    tips=("request_policy:all_nodes", "response_policy:all_succeeded"),
)
def slowlog(ctx: Context, argv: list[bytes]) -> Reply:
    """No slow commands are recorded yet."""
    raise ReplyError("ERR SLOWLOG is not supported yet")


@command("SLOWLOG|HELP", arity=2, flags=LOADING | STALE)
def slowlog_help(ctx: Context, argv: list[bytes]) -> Reply:
    """Say what there is."""
    return _help("SLOWLOG")


@command(
    "LATENCY|LATEST",
    arity=2,
    flags=ADMIN | NOSCRIPT | LOADING | STALE,
    tips=("nondeterministic_output", "request_policy:all_nodes", "response_policy:special"),
)
@command(
    "LATENCY|HISTORY",
    arity=3,
    flags=ADMIN | NOSCRIPT | LOADING | STALE,
    tips=("nondeterministic_output", "request_policy:all_nodes", "response_policy:special"),
)
@command(
    "LATENCY|HISTOGRAM",
    arity=-2,
    flags=ADMIN | NOSCRIPT | LOADING | STALE,
    tips=("nondeterministic_output", "request_policy:all_nodes", "response_policy:special"),
)
@command(
    "LATENCY|GRAPH",
    arity=3,
    flags=ADMIN | NOSCRIPT | LOADING | STALE,
    tips=("nondeterministic_output", "request_policy:all_nodes", "response_policy:special"),
)
@command(
    "LATENCY|DOCTOR",
    arity=2,
    flags=ADMIN | NOSCRIPT | LOADING | STALE,
    tips=("nondeterministic_output", "request_policy:all_nodes", "response_policy:special"),
)
@command(
    "LATENCY|RESET",
    arity=-2,
    flags=ADMIN | NOSCRIPT | LOADING | STALE,
    tips=("request_policy:all_nodes", "response_policy:all_succeeded"),
)
def latency(ctx: Context, argv: list[bytes]) -> Reply:
    """No latencies are recorded yet."""
    raise ReplyError("ERR LATENCY is not supported yet")


@command("LATENCY|HELP", arity=2, flags=LOADING | STALE)
def latency_help(ctx: Context, argv: list[bytes]) -> Reply:
    """Say what there is."""
    return _help("LATENCY")


def _help(name: str) -> list[str]:
    return [
        f"{name} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "HELP",
        "    Show this text; the other subcommands are not supported yet.",
    ]
