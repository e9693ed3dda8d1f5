"""COMMAND and its subcommands: the command table as clients see it.

Everything here is read from the one table of the server (``ctx.server.commands``) and from the documentation
it holds (``ctx.server.command_docs``); nothing about a command is stated twice.  Names are answered in lower
case, a subcommand as ``client|id``.  A name that does not exist is answered with null by INFO, with an error
by GETKEYS, and left out by DOCS.

The replies were compared with redis-server 7.0.15; https://redis.io/docs/latest/commands/command/ describes
them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from durable_redis.commands.command_docs import CommandDocs
from durable_redis.commands.keys import FoundKey, command_keys, has_keys
from durable_redis.commands.table import (
    LOADING,
    MAY_REPLICATE,
    NO_MANDATORY_KEYS,
    STALE,
    Command,
    Flag,
    KeySpec,
    command,
)
from durable_redis.errors import ReplyError, syntax_error
from durable_redis.glob import compile_glob
from durable_redis.resp.replies import Reply, SetReply


class _Server(Protocol):
    """What these commands need of the server."""

    commands: dict[str, Command]
    command_docs: CommandDocs


class _Context(Protocol):
    """What these commands need of their context."""

    @property
    def server(self) -> _Server: ...


@command(
    "COMMAND",
    arity=-1,
    flags=LOADING | STALE,
    acl=("connection",),
    tips=("nondeterministic_output_order",),
)
def command_all(ctx: _Context, argv: list[bytes]) -> Reply:
    """Describe every command."""
    return [_info(found) for found in ctx.server.commands.values()]


@command("COMMAND|COUNT", arity=2, flags=LOADING | STALE, acl=("connection",))
def command_count(ctx: _Context, argv: list[bytes]) -> Reply:
    """Count the commands; subcommands are not counted."""
    return len(ctx.server.commands)


@command(
    "COMMAND|INFO",
    arity=-2,
    flags=LOADING | STALE,
    acl=("connection",),
    tips=("nondeterministic_output_order",),
)
def command_info(ctx: _Context, argv: list[bytes]) -> Reply:
    """Describe the named commands, or every one; null for a name that does not exist."""
    if len(argv) == 2:
        return command_all(ctx, argv)
    named = (_by_name(ctx.server.commands, name) for name in argv[2:])
    return [None if found is None else _info(found) for found in named]


@command(
    "COMMAND|DOCS",
    arity=-2,
    flags=LOADING | STALE,
    acl=("connection",),
    tips=("nondeterministic_output_order",),
)
def command_docs(ctx: _Context, argv: list[bytes]) -> Reply:
    """Document the named commands, or every one; names that do not exist are left out."""
    table, docs = ctx.server.commands, ctx.server.command_docs
    named = table.values() if len(argv) == 2 else [_by_name(table, name) for name in argv[2:]]
    return {_full_name(found): docs.reply(found) for found in named if found is not None}


@command(
    "COMMAND|LIST",
    arity=-2,
    flags=LOADING | STALE,
    acl=("connection",),
    tips=("nondeterministic_output_order",),
)
def command_list(ctx: _Context, argv: list[bytes]) -> Reply:
    """List names, subcommands included: all, of a module, of an ACL category, or fitting a pattern."""
    everything = _with_subcommands(ctx.server.commands)
    if len(argv) == 2:
        return [_full_name(found) for found in everything]
    if len(argv) != 5 or argv[2].lower() != b"filterby":
        raise syntax_error()
    kind, value = argv[3].lower(), argv[4]
    if kind == b"module":
        return []  # There are no modules, so no command comes from one.
    if kind == b"aclcat":
        category = value.decode("latin-1").lower()
        return [_full_name(found) for found in everything if category in found.categories]
    if kind == b"pattern":
        fits = compile_glob(value, ignore_case=True)
        return [name for name in map(_full_name, everything) if fits(name)]
    raise syntax_error()


@command("COMMAND|GETKEYS", arity=-4, flags=LOADING | STALE, acl=("connection",))
def command_getkeys(ctx: _Context, argv: list[bytes]) -> Reply:
    """Name the keys of a full command."""
    words = argv[2:]
    return [words[position] for position, _ in _found_keys(ctx.server.commands, words)]


@command("COMMAND|GETKEYSANDFLAGS", arity=-4, flags=LOADING | STALE, acl=("connection",))
def command_getkeysandflags(ctx: _Context, argv: list[bytes]) -> Reply:
    """Name the keys of a full command and how it uses each."""
    words = argv[2:]
    found = _found_keys(ctx.server.commands, words)
    return [[words[position], SetReply(flags)] for position, flags in found]


@command("COMMAND|HELP", arity=2, flags=LOADING | STALE, acl=("connection",))
def command_help(ctx: _Context, argv: list[bytes]) -> Reply:
    """List the subcommands."""
    return [
        "COMMAND <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "(no subcommand)",
        "    Describe every command.",
        "COUNT",
        "    Count the commands.",
        "LIST [FILTERBY MODULE <name>|ACLCAT <category>|PATTERN <pattern>]",
        "    List the names of commands.",
        "INFO [<command-name> ...]",
        "    Describe the named commands, or every one.",
        "DOCS [<command-name> ...]",
        "    Document the named commands, or every one.",
        "GETKEYS <full-command>",
        "    Name the keys of a full command.",
        "GETKEYSANDFLAGS <full-command>",
        "    Name the keys of a full command and how it uses each.",
        "HELP",
        "    Show this text.",
    ]


def _by_name(table: dict[str, Command], name: bytes) -> Command | None:
    """A command by ``get``, a subcommand by ``client|id``."""
    parent, bar, child = name.upper().decode("latin-1").partition("|")
    found = table.get(parent)
    if found is None or not bar:
        return found
    return found.subcommands.get(child)


def _by_words(table: dict[str, Command], words: list[bytes]) -> Command | None:
    """The command or subcommand that a command line calls."""
    found = table.get(words[0].upper().decode("latin-1"))
    if found is None or not found.subcommands or len(words) == 1:
        return found
    return found.subcommands.get(words[1].upper().decode("latin-1"))


def _with_subcommands(table: dict[str, Command]) -> Iterator[Command]:
    for found in table.values():
        yield found
        yield from found.subcommands.values()


def _full_name(found: Command) -> bytes:
    return found.name.lower().encode()


def _found_keys(table: dict[str, Command], words: list[bytes]) -> list[FoundKey]:
    """The keys of a command line; an error if there is no such command or its arguments do not fit."""
    found = _by_words(table, words)
    if found is None:
        raise ReplyError("ERR Invalid command specified")
    if not has_keys(found):
        raise ReplyError("ERR The command has no key arguments")
    if not found.accepts(len(words)):
        raise ReplyError("ERR Invalid number of arguments specified for command")
    keys = command_keys(found, words)
    if not keys and NO_MANDATORY_KEYS not in found.flags:
        raise ReplyError("ERR Invalid arguments specified for command")
    return keys


def _info(found: Command) -> list[Reply]:
    """The ten fields of COMMAND INFO."""
    first, last, step = found.legacy_range
    return [
        _full_name(found),
        found.arity,
        SetReply((flag.name or "").lower() for flag in Flag if flag in found.flags & ~MAY_REPLICATE),
        first,
        last,
        step,
        SetReply("@" + category for category in found.categories),
        SetReply(tip.encode() for tip in found.tips),
        SetReply(_spec_info(spec) for spec in found.keys),
        [_info(child) for child in found.subcommands.values()] or SetReply(),  # sic: a set only if empty
    ]


def _spec_info(spec: KeySpec) -> dict[bytes, Reply]:
    reply: dict[bytes, Reply] = {b"notes": spec.notes.encode()} if spec.notes else {}
    reply[b"flags"] = SetReply(spec.flags)
    reply[b"begin_search"] = _part_info(_BEGIN_FIELDS, spec.begin)
    reply[b"find_keys"] = _part_info(_FIND_FIELDS, spec.find)
    return reply


def _part_info(fields: dict[str, tuple[bytes, ...]], part: tuple[str | int, ...]) -> dict[bytes, Reply]:
    """One half of a key specification: its type, and its values under their names."""
    kind, *values = part
    assert isinstance(kind, str)
    encoded = (value.encode() if isinstance(value, str) else value for value in values)
    return {b"type": kind.encode(), b"spec": dict(zip(fields[kind], encoded, strict=True))}


_BEGIN_FIELDS: dict[str, tuple[bytes, ...]] = {
    "index": (b"index",),
    "keyword": (b"keyword", b"startfrom"),
    "unknown": (),
}
_FIND_FIELDS: dict[str, tuple[bytes, ...]] = {
    "range": (b"lastkey", b"keystep", b"limit"),
    "keynum": (b"keynumidx", b"firstkey", b"keystep"),
    "unknown": (),
}
