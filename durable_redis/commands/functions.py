"""FUNCTION, FCALL and FCALL_RO: libraries of functions, which are kept as durably as keys.

Loading and calling is the engine's (``engine/functions.py``).
Source: https://redis.io/docs/latest/develop/interact/programmability/functions-intro/
"""

from __future__ import annotations

import time
from typing import Any, Final

from durable_redis.commands.context import Context
from durable_redis.commands.scripting import RO_KEYS, RUNS, RW_KEYS
from durable_redis.commands.table import (
    ALLOW_BUSY,
    DENYOOM,
    LOADING,
    NOSCRIPT,
    READONLY,
    STALE,
    WRITE,
    command,
    container,
)
from durable_redis.errors import ReplyError
from durable_redis.glob import compile_glob
from durable_redis.resp.replies import OK, Reply, SetReply

FUNCTION: Final = container("FUNCTION")
_ACL: Final = ("scripting",)
_EVERYWHERE: Final = ("request_policy:all_shards", "response_policy:all_succeeded")
_POLICIES: Final = (b"flush", b"append", b"replace")


@command("FCALL", arity=-3, flags=RUNS, keys=RW_KEYS, acl=_ACL)
def fcall(ctx: Context, argv: list[bytes]) -> Reply:
    """Call a function."""
    return ctx.server.functions.call(ctx.client, argv, read_only=False)


@command("FCALL_RO", arity=-3, flags=RUNS | READONLY, keys=RO_KEYS, acl=_ACL)
def fcall_ro(ctx: Context, argv: list[bytes]) -> Reply:
    """Call a function that changes nothing."""
    return ctx.server.functions.call(ctx.client, argv, read_only=True)


@command("FUNCTION|LOAD", arity=-3, flags=WRITE | DENYOOM | NOSCRIPT, acl=_ACL, tips=_EVERYWHERE)
def function_load(ctx: Context, argv: list[bytes]) -> Reply:
    """Load a library, and keep it; its name."""
    replace = False
    for word in argv[2:-1]:
        if word.lower() != b"replace":
            raise ReplyError(f"ERR Unknown option given: {word.decode('latin-1')}")
        replace = True
    return ctx.server.functions.load(ctx.client, argv[-1], replace=replace)


@command("FUNCTION|DELETE", arity=3, flags=WRITE | NOSCRIPT, acl=_ACL, tips=_EVERYWHERE)
def function_delete(ctx: Context, argv: list[bytes]) -> Reply:
    """Delete a library and its functions."""
    ctx.server.functions.delete(ctx.client, argv[2])
    return OK


@command("FUNCTION|FLUSH", arity=-2, flags=WRITE | NOSCRIPT, acl=_ACL, tips=_EVERYWHERE)
def function_flush(ctx: Context, argv: list[bytes]) -> Reply:
    """Delete all libraries."""
    if len(argv) > 3:
        raise _syntax(argv)
    if len(argv) == 3 and argv[2].lower() not in (b"sync", b"async"):
        raise ReplyError("ERR FUNCTION FLUSH only supports SYNC|ASYNC option")
    ctx.server.functions.flush(ctx.client)
    return OK


@command("FUNCTION|DUMP", arity=2, flags=NOSCRIPT, acl=_ACL)
def function_dump(ctx: Context, argv: list[bytes]) -> Reply:
    """All libraries as one string for FUNCTION RESTORE."""
    return ctx.server.functions.dump()


@command("FUNCTION|RESTORE", arity=-3, flags=WRITE | DENYOOM | NOSCRIPT, acl=_ACL, tips=_EVERYWHERE)
def function_restore(ctx: Context, argv: list[bytes]) -> Reply:
    """Load the libraries of a dump: beside those there are, in place of all, or of those with its names."""
    if len(argv) > 4:
        raise _syntax(argv)
    policy = argv[3].lower() if len(argv) == 4 else b"append"
    if policy not in _POLICIES:
        raise ReplyError("ERR Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE.")
    ctx.server.functions.restore(ctx.client, argv[2], policy)
    return OK


@command("FUNCTION|LIST", arity=-2, flags=NOSCRIPT, acl=_ACL, tips=("nondeterministic_output_order",))
def function_list(ctx: Context, argv: list[bytes]) -> Reply:
    """The libraries and their functions; with WITHCODE their sources too."""
    with_code, pattern = False, None
    words = iter(argv[2:])
    for word in words:
        option = word.lower()
        if option == b"withcode" and not with_code:
            with_code = True
        elif option == b"libraryname" and pattern is None:
            pattern = next(words, None)
            if pattern is None:
                raise ReplyError("ERR library name argument was not given")
        else:
            raise ReplyError(f"ERR Unknown argument {word.decode('latin-1')}")
    wanted = compile_glob(pattern, True) if pattern is not None else None
    listed: list[Any] = []
    for library in ctx.server.functions.libraries.values():
        if wanted is not None and not wanted(library.name):
            continue
        entry: dict[bytes, Any] = {
            b"library_name": library.name,
            b"engine": b"LUA",
            b"functions": [
                {
                    b"name": function.name,
                    b"description": function.description,
                    b"flags": SetReply(flag.decode() for flag in function.flags),
                }
                for function in library.functions
            ],
        }
        if with_code:
            entry[b"library_code"] = library.source
        listed.append(entry)
    return listed


@command(
    "FUNCTION|STATS",
    arity=2,
    flags=NOSCRIPT | ALLOW_BUSY,
    acl=_ACL,
    tips=("nondeterministic_output", "request_policy:all_shards", "response_policy:special"),
)
def function_stats(ctx: Context, argv: list[bytes]) -> Reply:
    """The function that is running, and how many there are."""
    running = ctx.server.scripts.running
    if running is not None and not running.is_function:
        error = ctx.server.scripts.busy_error
        assert error is not None
        raise error
    now = None
    if running is not None:
        now = {
            b"name": running.name,
            b"command": running.argv,
            b"duration_ms": int((time.monotonic() - running.started) * 1000),
        }
    functions = ctx.server.functions
    counts = {b"libraries_count": len(functions.libraries), b"functions_count": functions.count}
    return {b"running_script": now, b"engines": {b"LUA": counts}}


@command(
    "FUNCTION|KILL",
    arity=2,
    flags=NOSCRIPT | ALLOW_BUSY,
    acl=_ACL,
    tips=("request_policy:all_shards", "response_policy:one_succeeded"),
)
def function_kill(ctx: Context, argv: list[bytes]) -> Reply:
    """End the function that is running, if it has not written yet."""
    ctx.server.scripts.kill(is_function=True)
    return OK


@command("FUNCTION|HELP", arity=2, flags=LOADING | STALE, acl=_ACL)
def function_help(ctx: Context, argv: list[bytes]) -> Reply:
    """List the subcommands."""
    return [
        "FUNCTION <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "LOAD [REPLACE] <code>",
        "    Load a library and keep it.",
        "DELETE <library>",
        "    Delete a library.",
        "LIST [LIBRARYNAME pattern] [WITHCODE]",
        "    List the libraries and their functions.",
        "STATS",
        "    Say which function is running, and how many there are.",
        "KILL",
        "    End the function that is running.",
        "FLUSH [ASYNC|SYNC]",
        "    Delete all libraries.",
        "DUMP",
        "    All libraries as one string.",
        "RESTORE <dump> [FLUSH|APPEND|REPLACE]",
        "    Load the libraries of a dump.",
        "HELP",
        "    Show this text.",
    ]


def _syntax(argv: list[bytes]) -> ReplyError:
    word = argv[1].decode("latin-1")
    return ReplyError(f"ERR unknown subcommand or wrong number of arguments for '{word}'. Try FUNCTION HELP.")
