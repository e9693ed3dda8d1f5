"""COMMAND's subcommands over the oracle's own command table, reply by reply."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from durable_redis.commands import command_command
from durable_redis.commands.command_docs import CommandDocs
from durable_redis.commands.table import Command, build_table
from durable_redis.errors import ReplyError
from tests.support.oracle_commands import Oracle, commands_of

OWN = build_table([command_command])["COMMAND"]


@dataclass
class Server:
    commands: dict[str, Command]
    command_docs: CommandDocs


@dataclass
class Context:
    server: Server


def call(table: dict[str, Command], *words: str) -> Any:
    """Run a subcommand as the dispatcher would, its arity checked; an error is the reply."""
    found = OWN.subcommands[words[0].upper()]
    argv = [b"COMMAND", *(word.encode() for word in words)]
    assert found.accepts(len(argv))
    handler: Callable[..., Any] | None = found.handler
    assert handler is not None
    try:
        return handler(Context(Server(table, CommandDocs())), argv)
    except ReplyError as error:
        return error


@pytest.mark.parametrize(
    "line",
    [
        "count",
        "list filterby nope x",
        "list x",
        "list filterby",
        "list filterby pattern",
        "list filterby pattern a b",
        "list filterby module x",
        "list filterby aclcat nosuch",
        "list filterby aclcat @string",
        "docs nosuch client|nosuch",
        "getkeys nosuch a",
        "getkeys client nosuch",
        "getkeys client id",
        "getkeys ping x",
        "getkeys client|id x",
        "getkeys get a b",
        "getkeys get a",
        "getkeys object encoding a",
        "getkeys eval s 0",
        "getkeys eval s 5 a",
        "getkeys zunionstore d 5 a",
        "getkeys sort a by x get y store d",
        "getkeys spublish a b",
        "getkeysandflags set a b",
        "getkeysandflags set a b get",
        "getkeysandflags nosuch a",
    ],
)
def test_replies_equal_the_oracles(oracle: Oracle, line: str) -> None:
    ours, theirs = call(commands_of(oracle), *line.split()), oracle.call("COMMAND", *line.split())
    if isinstance(theirs, ReplyError):
        assert repr(ours) == repr(theirs)
    elif "flags" in line:
        assert [(key, type(flags), set(flags)) for key, flags in ours] == [
            (key, type(flags), set(flags)) for key, flags in theirs
        ]
    else:
        assert ours == theirs


@pytest.mark.parametrize(
    "line",
    [
        "list",
        "list filterby pattern Get*",
        "list filterby PATTERN clie*",
        "list FILTERBY aclcat connection",
        "list filterby ACLCAT STRING",
    ],
)
def test_lists_hold_the_oracles_names(oracle: Oracle, line: str) -> None:
    ours, theirs = call(commands_of(oracle), *line.split()), oracle.call("COMMAND", *line.split())
    assert len(theirs) > 1
    assert sorted(ours) == sorted(theirs)


def test_docs_of_every_command_are_given_when_none_is_named(oracle: Oracle) -> None:
    reply = call(commands_of(oracle), "docs")
    assert reply.keys() == oracle.call("COMMAND", "DOCS").keys()
    assert reply[b"client"][b"subcommands"][b"client|id"][b"group"] == b"connection"


def test_docs_find_a_subcommand_by_its_full_name(oracle: Oracle) -> None:
    assert list(call(commands_of(oracle), "docs", "Client|ID", "nosuch")) == [b"client|id"]


def test_help_names_every_subcommand(oracle: Oracle) -> None:
    lines = call(commands_of(oracle), "help")
    assert lines[0] == oracle.call("COMMAND", "HELP")[0]
    assert all(isinstance(line, str) for line in lines)
    named = {line.split()[0] for line in lines[2:] if not line.startswith(" ")}
    assert named == OWN.subcommands.keys()
