"""LATENCY: events that held clients up, and how long the calls of each command took.

Events are kept while ``latency-monitor-threshold`` is set (``engine/latency.py``), durations of calls while
``latency-tracking`` is on (``commands/histogram.py``); here both are read.  What DOCTOR and GRAPH say is text
for people: ``latency_report.py``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from durable_redis.commands.context import Context
from durable_redis.commands.latency_report import draw, explain
from durable_redis.commands.table import ADMIN, LOADING, NOSCRIPT, STALE, Command, command, container
from durable_redis.errors import ReplyError, shown
from durable_redis.resp.replies import Reply, Verbatim

LATENCY: Final = container("LATENCY")
_FLAGS: Final = ADMIN | NOSCRIPT | LOADING | STALE
_TIPS: Final = ("nondeterministic_output", "request_policy:all_nodes", "response_policy:special")


@command("LATENCY|LATEST", arity=2, flags=_FLAGS, tips=_TIPS)
def latency_latest(ctx: Context, argv: list[bytes]) -> Reply:
    """Of each event its name, the seconds of its latest sample, that sample and the worst one."""
    return [
        [kind.encode(), *event.samples[-1], event.worst_ms]
        for kind, event in ctx.server.inspection.latency.events.items()
    ]


@command("LATENCY|HISTORY", arity=3, flags=_FLAGS, tips=_TIPS)
def latency_history(ctx: Context, argv: list[bytes]) -> Reply:
    """The samples of an event, the oldest first: seconds since 1970 and milliseconds."""
    event = ctx.server.inspection.latency.events.get(shown(argv[2]))
    return [] if event is None else [list(sample) for sample in event.samples]


@command("LATENCY|GRAPH", arity=3, flags=_FLAGS, tips=_TIPS)
def latency_graph(ctx: Context, argv: list[bytes]) -> Reply:
    """The samples of an event as a picture of characters."""
    kind = shown(argv[2])
    event = ctx.server.inspection.latency.events.get(kind)
    if event is None:
        raise ReplyError(f"ERR No samples available for event '{kind}'")
    return Verbatim(draw(kind, event, ctx.server.clock.now_ms() // 1000).encode())


@command("LATENCY|DOCTOR", arity=2, flags=_FLAGS, tips=_TIPS)
def latency_doctor(ctx: Context, argv: list[bytes]) -> Reply:
    """What the samples say, in words."""
    return Verbatim(explain(ctx.server.inspection.latency).encode())


@command(
    "LATENCY|RESET",
    arity=-2,
    flags=_FLAGS,
    tips=("request_policy:all_nodes", "response_policy:all_succeeded"),
)
def latency_reset(ctx: Context, argv: list[bytes]) -> Reply:
    """Forget the samples of these events, or of all; how many events that were."""
    return ctx.server.inspection.latency.reset([shown(word) for word in argv[2:]])


@command("LATENCY|HISTOGRAM", arity=-2, flags=_FLAGS, tips=_TIPS)
def latency_histogram(ctx: Context, argv: list[bytes]) -> Reply:
    """How long calls took: for each command, limits in microseconds and how many calls kept them.

    Of the named commands, or of all; a container stands for its subcommands.  Commands that nobody knows or
    calls are left out.
    """
    ctx.server.count_fast_calls()
    return {
        found.name.lower().encode(): {
            b"calls": found.latencies.calls,
            b"histogram_usec": dict(found.latencies.spread()),
        }
        for found in _named(ctx.server.commands, argv[2:])
        if found.latencies.counts
    }


def _named(table: dict[str, Command], names: list[bytes]) -> Iterator[Command]:
    """The commands of these names with their subcommands, or all."""
    if not names:
        for parent in table.values():
            yield from (parent, *parent.subcommands.values())
    for name in names:
        parent_name, bar, child = name.decode("latin-1").upper().partition("|")
        found = table.get(parent_name)
        if found is not None and bar:
            found = found.subcommands.get(f"{child}")
        if found is not None:
            yield from (found, *found.subcommands.values())


@command("LATENCY|HELP", arity=2, flags=LOADING | STALE)
def latency_help(ctx: Context, argv: list[bytes]) -> Reply:
    """List the subcommands."""
    return [
        "LATENCY <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "DOCTOR",
        "    Say what the samples of all events tell.",
        "GRAPH <event>",
        "    Draw the samples of an event.",
        "HISTOGRAM [<command> ...]",
        "    Show how long the calls of these commands, or of all, took.",
        "HISTORY <event>",
        "    Show the samples of an event with their times.",
        "LATEST",
        "    Show the latest and the worst sample of each event.",
        "RESET [<event> ...]",
        "    Forget the samples of these events, or of all.",
        "HELP",
        "    Show this text.",
    ]
