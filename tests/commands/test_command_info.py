"""COMMAND INFO: our declarations equal redis-server's, and the reply is built as redis-server builds it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from durable_redis.commands.command_command import command_info
from durable_redis.commands.command_docs import CommandDocs
from durable_redis.commands.table import Command
from tests.support.oracle_commands import (
    NEWER_THAN_ORACLE,
    Oracle,
    commands_of,
    in_resp2,
    unordered,
    with_subcommands,
)

SUBCOMMANDS = 9
KEY_SPECS = 8


@dataclass
class Server:
    commands: dict[str, Command]
    command_docs: CommandDocs


@dataclass
class Context:
    server: Server


def info(table: dict[str, Command], *names: bytes) -> Any:
    context = Context(Server(table, CommandDocs()))
    return command_info(context, [b"COMMAND", b"INFO", *names])


def comparable(reply: list[Any]) -> list[Any]:
    """Without subcommands, which are compared by themselves; of a note only that it is there."""
    fields = list(reply[:SUBCOMMANDS])
    for spec in fields[KEY_SPECS]:
        if b"notes" in spec:
            spec[b"notes"] = True
    compared = unordered(fields)
    assert isinstance(compared, list)
    return compared


def test_each_declaration_equals_the_oracles(table: dict[str, Command], oracle: Oracle) -> None:
    names = [name.lower().encode() for name in sorted(with_subcommands(table).keys() - NEWER_THAN_ORACLE)]
    assert names
    differences = {
        name: (ours, theirs)
        for name, ours, theirs in zip(
            names, info(table, *names), oracle.call("COMMAND", "INFO", *names), strict=True
        )
        if theirs is None or comparable(ours) != comparable(theirs)
    }
    assert differences == {}


def test_subcommands_are_answered_within_their_container(table: dict[str, Command], oracle: Oracle) -> None:
    for container in [found for found in table.values() if found.subcommands]:
        name = container.name.lower().encode()
        ours = {child[0] for child in info(table, name)[0][SUBCOMMANDS]}
        theirs = {child[0] for child in oracle.call("COMMAND", "INFO", name)[0][SUBCOMMANDS]}
        newer = {found.lower().encode() for found in NEWER_THAN_ORACLE}
        assert ours == {child.name.lower().encode() for child in container.subcommands.values()}
        assert ours - newer <= theirs, name


def test_the_reply_to_any_declaration_is_built_as_the_oracle_builds_it(oracle: Oracle) -> None:
    """Every command of Redis, so every kind of key specification, although we have not built them all."""
    theirs = {reply[0]: unordered(reply) for reply in oracle.call("COMMAND", "INFO")}
    ours = {reply[0]: unordered(reply) for reply in info(commands_of(oracle))}
    assert ours.keys() == theirs.keys()
    for name, reply in theirs.items():
        assert ours[name] == reply
    assert [type(field) for field in ours[b"xread"]] == [type(field) for field in theirs[b"xread"]]


def test_resp2_carries_the_same_arrays(oracle: Oracle, oracle_resp2: Oracle) -> None:
    table = commands_of(oracle)
    for name in [b"ping", b"sort", b"xread", b"zunionstore", b"client|id"]:
        ours = in_resp2(info(table, name))
        theirs = oracle_resp2.call("COMMAND", "INFO", name)
        assert sorted_deeply(ours) == sorted_deeply(theirs)


def sorted_deeply(reply: Any) -> Any:
    """RESP2 does not tell sets from arrays, so every array is compared as a set of values."""
    if isinstance(reply, list):
        return sorted((sorted_deeply(part) for part in reply), key=repr)
    return reply


def test_names_that_do_not_exist_are_null(oracle: Oracle) -> None:
    names = [b"nosuch", b"client|nosuch", b"client|id|x", b"get|", b"get|x", b"", b"|", b"\xff"]
    assert info(commands_of(oracle), *names) == oracle.call("COMMAND", "INFO", *names) == [None] * len(names)


def test_names_are_found_in_any_case(oracle: Oracle) -> None:
    assert [reply[0] for reply in info(commands_of(oracle), b"GeT", b"CLIENT|Id")] == [b"get", b"client|id"]
