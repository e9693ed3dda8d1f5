"""SLOWLOG: the commands that took long, and MONITOR: every command as it comes.

What is kept, and shown, is decided in ``engine/inspection.py``; here it is read.  An entry of SLOWLOG GET is
number, seconds since 1970, microseconds, words, address and name of the client.
"""

from __future__ import annotations

from itertools import islice
from typing import Final

from durable_redis.commands.context import Context
from durable_redis.commands.table import ADMIN, LOADING, NOSCRIPT, STALE, command, container
from durable_redis.errors import ReplyError, shown
from durable_redis.resp.numbers import parse_integer
from durable_redis.resp.replies import NO_REPLY, OK, Reply

SLOWLOG: Final = container("SLOWLOG")
ENTRIES_UNASKED: Final = 10


@command(
    "SLOWLOG|GET",
    arity=-2,
    flags=ADMIN | LOADING | STALE,
    tips=("request_policy:all_nodes", "nondeterministic_output"),
)
def slowlog_get(ctx: Context, argv: list[bytes]) -> Reply:
    """The latest entries, so many of them or ten; all for -1."""
    if len(argv) > 3:
        text = (
            f"ERR unknown subcommand or wrong number of arguments for '{shown(argv[1])}'. Try SLOWLOG HELP."
        )
        raise ReplyError(text)
    entries = ctx.server.inspection.slow_log.entries
    count = ENTRIES_UNASKED
    if len(argv) == 3:
        number = parse_integer(argv[2])
        if number is None or number < -1:
            raise ReplyError("ERR count should be greater than or equal to -1")
        count = len(entries) if number == -1 else min(number, len(entries))
    return [
        [
            entry.number,
            entry.time_seconds,
            entry.usec,
            entry.argv,
            entry.address.encode("utf-8", "surrogateescape"),
            entry.client_name,
        ]
        for entry in islice(entries, count)
    ]


@command(
    "SLOWLOG|LEN",
    arity=2,
    flags=ADMIN | LOADING | STALE,
    tips=("request_policy:all_nodes", "response_policy:agg_sum", "nondeterministic_output"),
)
def slowlog_len(ctx: Context, argv: list[bytes]) -> Reply:
    """How many entries there are."""
    return len(ctx.server.inspection.slow_log.entries)


@command(
    "SLOWLOG|RESET",
    arity=2,
    flags=ADMIN | LOADING | STALE,
    tips=("request_policy:all_nodes", "response_policy:all_succeeded"),
)
def slowlog_reset(ctx: Context, argv: list[bytes]) -> Reply:
    """Remove all entries; the numbers of later ones go on."""
    ctx.server.inspection.slow_log.entries.clear()
    return OK


@command("SLOWLOG|HELP", arity=2, flags=LOADING | STALE)
def slowlog_help(ctx: Context, argv: list[bytes]) -> Reply:
    """List the subcommands."""
    return [
        "SLOWLOG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "GET [<count>]",
        "    Show the latest entries: ten, <count>, or all for -1. Each has a number,",
        "    seconds since 1970, microseconds, words, the client's address and its name.",
        "LEN",
        "    Count the entries.",
        "RESET",
        "    Remove all entries.",
        "HELP",
        "    Show this text.",
    ]


@command("MONITOR", arity=1, flags=ADMIN | NOSCRIPT | LOADING | STALE)
def monitor(ctx: Context, argv: list[bytes]) -> Reply:
    """Show the client every command from now on; a client that sees them already gets no answer."""
    client = ctx.client
    if client.transaction is not None:
        raise ReplyError("ERR MONITOR isn't allowed for DENY BLOCKING client")
    if client.is_monitor:
        return NO_REPLY
    ctx.server.inspection.watch(client)
    return OK
