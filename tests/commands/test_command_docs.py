"""COMMAND DOCS: the facts of the documentation files equal redis-server's, the words are ours."""

from __future__ import annotations

from typing import Any

from durable_redis.commands.command_docs import CommandDocs, load_docs
from durable_redis.commands.table import NO_FLAGS, Command
from durable_redis.resp.replies import SetReply
from tests.support.oracle_commands import (
    NEWER_THAN_ORACLE,
    Oracle,
    commands_of,
    in_resp2,
    with_subcommands,
)


def facts(reply: Any) -> Any:
    """A reply without its prose: of a text only remains that it is there, of a change its version."""
    prose = {b"summary", b"complexity", b"replaced_by"}
    kept = {key: True if key in prose else value for key, value in reply.items() if key != b"subcommands"}
    if b"history" in kept:
        assert type(kept[b"history"]) is SetReply
        kept[b"history"] = [version for version, change in kept[b"history"] if change]
    return kept


def types(reply: Any) -> Any:
    """The types of a reply, all the way down; a set is not an array."""
    if isinstance(reply, dict):
        return {key: types(value) for key, value in reply.items()}
    if isinstance(reply, list):
        return type(reply), [types(part) for part in reply]
    return type(reply)


def test_the_facts_equal_the_oracles(oracle: Oracle) -> None:
    docs, table = CommandDocs(), with_subcommands(commands_of(oracle))
    documented = sorted(docs.all().keys() - NEWER_THAN_ORACLE)
    assert documented
    for name in documented:
        ours = docs.reply(table[name])
        ((key, theirs),) = oracle.call("COMMAND", "DOCS", name).items()
        assert key == name.lower().encode()
        assert facts(ours) == facts(theirs), name
        assert [field for field in ours if field != b"subcommands"] == [
            field for field in theirs if field != b"subcommands"
        ], f"{name}: the order of the fields"
        shape, expected = types(ours), types(theirs)
        shape.pop(b"subcommands", None)
        expected.pop(b"subcommands", None)
        assert shape == expected, name


def test_resp2_carries_the_same_arguments(oracle: Oracle, oracle_resp2: Oracle) -> None:
    docs, table = CommandDocs(), commands_of(oracle)
    for name in ["SET", "BITFIELD", "SCAN"]:
        _, theirs = oracle_resp2.call("COMMAND", "DOCS", name)
        ours = in_resp2(docs.reply(table[name]))
        assert ours[ours.index(b"arguments") :] == theirs[theirs.index(b"arguments") :]


def test_subcommands_are_documented_within_their_container(oracle: Oracle) -> None:
    reply = CommandDocs().reply(commands_of(oracle)["OBJECT"])
    assert list(reply)[-1] == b"subcommands"
    theirs = oracle.call("COMMAND", "DOCS", "OBJECT")[b"object"][b"subcommands"]
    assert reply[b"subcommands"].keys() == theirs.keys()
    assert facts(reply[b"subcommands"][b"object|freq"]) == facts(theirs[b"object|freq"])


def test_the_words_are_ours(oracle: Oracle) -> None:
    docs = load_docs()
    for name in docs.keys() - NEWER_THAN_ORACLE:
        ((_, theirs),) = oracle.call("COMMAND", "DOCS", name).items()
        assert docs[name].summary.rstrip(".").lower() != theirs[b"summary"].decode().rstrip(".").lower(), name


def test_every_command_is_documented(table: dict[str, Command]) -> None:
    docs = load_docs()
    assert with_subcommands(table).keys() - docs.keys() == set()


def test_nothing_is_documented_that_is_no_command(table: dict[str, Command]) -> None:
    assert load_docs().keys() - with_subcommands(table).keys() == set()


def test_a_summary_is_one_sentence() -> None:
    for name, doc in load_docs().items():
        assert doc.summary.endswith("."), name
        assert "\n" not in doc.summary, name


def test_a_command_without_documentation_has_an_empty_entry() -> None:
    assert CommandDocs().reply(Command("NEW", -2, NO_FLAGS, None)) == {}


def test_commands_newer_than_the_oracle_are_documented() -> None:
    docs = load_docs()
    assert {docs[name].since for name in NEWER_THAN_ORACLE} == {"7.2.0", "7.4.0"}
    assert [argument.name for argument in docs["WAITAOF"].arguments] == ["numlocal", "numreplicas", "timeout"]
