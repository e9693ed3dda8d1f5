"""EVAL, EVALSHA, their read-only forms, and SCRIPT.

What a script may do, and how its commands come back here, is the engine's business (``engine/scripts.py``);
Lua itself is in ``scripting/``.  Source: https://redis.io/docs/latest/develop/interact/programmability/
"""

from __future__ import annotations

from typing import Final

from durable_redis.commands.context import Context
from durable_redis.commands.table import (
    ALLOW_BUSY,
    LOADING,
    MOVABLEKEYS,
    NO_MANDATORY_KEYS,
    NOSCRIPT,
    READONLY,
    SKIP_MONITOR,
    STALE,
    KeySpec,
    command,
    container,
)
from durable_redis.errors import ReplyError
from durable_redis.resp.replies import OK, Reply

SCRIPT: Final = container("SCRIPT")
_ACL: Final = ("scripting",)
RUNS: Final = NOSCRIPT | STALE | SKIP_MONITOR | NO_MANDATORY_KEYS | MOVABLEKEYS
_BEGIN: Final = ("index", 2)
_FIND: Final = ("keynum", 0, 1, 1)
_WORST: Final = "We cannot tell how the keys will be used so we assume the worst, {}"
RW_KEYS: Final = (KeySpec(("RW", "access", "update"), _BEGIN, _FIND, _WORST.format("RW and UPDATE")),)
RO_KEYS: Final = (KeySpec(("RO", "access"), _BEGIN, _FIND, _WORST.format("RO and ACCESS")),)
_RW_KEYS_SHA: Final = (KeySpec(("RW", "access", "update"), _BEGIN, _FIND),)
_RO_KEYS_SHA: Final = (KeySpec(("RO", "access"), _BEGIN, _FIND),)
_MODES: Final = (b"sync", b"async")


@command("EVAL", arity=-3, flags=RUNS, keys=RW_KEYS, acl=_ACL)
def eval_(ctx: Context, argv: list[bytes]) -> Reply:
    """Run a script."""
    return ctx.server.scripts.evaluate(ctx.client, argv, read_only=False)


@command("EVAL_RO", arity=-3, flags=RUNS | READONLY, keys=RO_KEYS, acl=_ACL)
def eval_ro(ctx: Context, argv: list[bytes]) -> Reply:
    """Run a script that changes nothing."""
    return ctx.server.scripts.evaluate(ctx.client, argv, read_only=True)


@command("EVALSHA", arity=-3, flags=RUNS, keys=_RW_KEYS_SHA, acl=_ACL)
def evalsha(ctx: Context, argv: list[bytes]) -> Reply:
    """Run a script that the server knows, by its hash."""
    return ctx.server.scripts.evaluate_cached(ctx.client, argv, read_only=False)


@command("EVALSHA_RO", arity=-3, flags=RUNS | READONLY, keys=_RO_KEYS_SHA, acl=_ACL)
def evalsha_ro(ctx: Context, argv: list[bytes]) -> Reply:
    """Run a script that the server knows and that changes nothing."""
    return ctx.server.scripts.evaluate_cached(ctx.client, argv, read_only=True)


@command(
    "SCRIPT|LOAD",
    arity=3,
    flags=NOSCRIPT | STALE,
    acl=_ACL,
    tips=("request_policy:all_nodes", "response_policy:all_succeeded"),
)
def script_load(ctx: Context, argv: list[bytes]) -> Reply:
    """Compile a script and keep it until the server stops; its hash."""
    return ctx.server.scripts.load(argv[2])


@command(
    "SCRIPT|EXISTS",
    arity=-3,
    flags=NOSCRIPT,
    acl=_ACL,
    tips=("request_policy:all_shards", "response_policy:agg_logical_and"),
)
def script_exists(ctx: Context, argv: list[bytes]) -> Reply:
    """Which of the hashes are those of known scripts."""
    cached = ctx.server.scripts.cached
    return [int(sha.lower() in cached) for sha in argv[2:]]


@command(
    "SCRIPT|FLUSH",
    arity=-2,
    flags=NOSCRIPT,
    acl=_ACL,
    tips=("request_policy:all_nodes", "response_policy:all_succeeded"),
)
def script_flush(ctx: Context, argv: list[bytes]) -> Reply:
    """Forget all scripts."""
    if len(argv) > 3 or (len(argv) == 3 and argv[2].lower() not in _MODES):
        raise ReplyError("ERR SCRIPT FLUSH only support SYNC|ASYNC option")
    ctx.server.scripts.flush()
    return OK


@command(
    "SCRIPT|KILL",
    arity=2,
    flags=NOSCRIPT | ALLOW_BUSY,
    acl=_ACL,
    tips=("request_policy:all_shards", "response_policy:one_succeeded"),
)
def script_kill(ctx: Context, argv: list[bytes]) -> Reply:
    """End the script that is running, if it has not written yet."""
    ctx.server.scripts.kill(is_function=False)
    return OK


@command("SCRIPT|DEBUG", arity=3, flags=NOSCRIPT, acl=_ACL)
def script_debug(ctx: Context, argv: list[bytes]) -> Reply:
    """NO is what this server is set to; the debugger's protocol is not spoken here."""
    mode = argv[2].lower()
    if mode == b"no":
        return OK
    if mode in (b"yes", b"sync"):
        raise ReplyError("ERR the script debugger is not supported")
    raise ReplyError("ERR Use SCRIPT DEBUG YES/SYNC/NO")


@command("SCRIPT|HELP", arity=2, flags=LOADING | STALE, acl=_ACL)
def script_help(ctx: Context, argv: list[bytes]) -> Reply:
    """List the subcommands."""
    return [
        "SCRIPT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "DEBUG (YES|SYNC|NO)",
        "    The debugger is not supported; NO is accepted.",
        "EXISTS <sha1> [<sha1> ...]",
        "    Say which of the scripts the server knows.",
        "FLUSH [ASYNC|SYNC]",
        "    Forget all scripts.",
        "KILL",
        "    End the script that is running.",
        "LOAD <script>",
        "    Compile a script and keep it without running it.",
        "HELP",
        "    Show this text.",
    ]
