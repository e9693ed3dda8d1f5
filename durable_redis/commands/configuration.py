"""CONFIG: options at run time.

The options, their values' texts, their limits and the errors about them belong to ``durable_redis/config``;
here are only the words of the commands.  CONFIG SET changes all of its options or none.  CONFIG GET answers
a plain name as the client wrote it, and what a pattern finds under the options' own names, as Redis does.
"""

from __future__ import annotations

from typing import Final

from durable_redis.commands.context import PENDING, Context, Wait
from durable_redis.commands.table import ADMIN, LOADING, NOSCRIPT, STALE, command, container
from durable_redis.errors import syntax_error
from durable_redis.resp.replies import OK, Reply

CONFIG: Final = container("CONFIG")


@command("CONFIG|GET", arity=-3, flags=ADMIN | NOSCRIPT | LOADING | STALE)
def config_get(ctx: Context, argv: list[bytes]) -> Reply:
    """Options by name or pattern, each once, with their values as text."""
    return ctx.server.config.get_matching(argv[2:])


@command(
    "CONFIG|SET",
    arity=-4,
    flags=ADMIN | NOSCRIPT | LOADING | STALE,
    tips=("request_policy:all_nodes", "response_policy:all_succeeded"),
)
def config_set(ctx: Context, argv: list[bytes]) -> Reply:
    """Change options, all or none."""
    if len(argv) % 2:
        raise syntax_error()
    words = [word.decode("utf-8", "surrogateescape") for word in argv[2:]]
    ctx.server.config.set_many(list(zip(words[::2], words[1::2], strict=True)), local=ctx.client.is_local)
    if any(word.lower() == "appendfsync" for word in words[::2]):
        return _when_policy_holds(ctx)
    return OK


def _when_policy_holds(ctx: Context) -> Reply:
    """OK; under ``always`` once all that was executed is durable, since from then on it promises that."""
    server = ctx.server
    position = server.log.position
    if server.config.get_str("appendfsync") != "always" or server.log.durable >= position:
        return OK
    server.request_sync()

    def poll() -> Reply:
        return OK if server.log.durable >= position else PENDING

    return Wait(poll, 0, lambda: OK, unblockable=False)


@command("CONFIG|REWRITE", arity=2, flags=ADMIN | NOSCRIPT | LOADING | STALE)
def config_rewrite(ctx: Context, argv: list[bytes]) -> Reply:
    """Write what was changed into the configuration file; comments and order stay."""
    ctx.server.config.rewrite()
    return OK


@command("CONFIG|RESETSTAT", arity=2, flags=ADMIN | NOSCRIPT | LOADING | STALE)
def config_resetstat(ctx: Context, argv: list[bytes]) -> Reply:
    """Start the counters of INFO anew; what describes the state stays."""
    engine = ctx.server
    engine.count_fast_calls()
    statistics, keyspace = engine.statistics, engine.keyspace
    statistics.reset()
    statistics.expired_keys_before = keyspace.expired_keys
    statistics.expired_fields_before = keyspace.expired_fields
    statistics.evicted_keys_before = keyspace.evicted_keys
    statistics.freed_objects_before = keyspace.freed_objects
    for db in keyspace.open_databases():
        db.misses = db.cold_reads = 0
    for parent in engine.commands.values():
        for found in (parent, *parent.subcommands.values()):
            found.calls = found.rejected_calls = found.failed_calls = 0
            found.usec = 0.0
            found.latencies.clear()
    ctx.server.inspection.forget_untimed()
    return OK


@command("CONFIG|HELP", arity=2, flags=LOADING | STALE)
def config_help(ctx: Context, argv: list[bytes]) -> Reply:
    """List the subcommands."""
    return [
        "CONFIG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "GET <pattern> [<pattern> ...]",
        "    Show the options that have one of these names or fit one of these patterns.",
        "SET <option> <value> [<option> <value> ...]",
        "    Change options, all of them or none.",
        "RESETSTAT",
        "    Start the counters that INFO shows anew.",
        "REWRITE",
        "    Write changed options into the configuration file.",
        "HELP",
        "    Show this text.",
    ]
