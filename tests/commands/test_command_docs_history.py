"""COMMAND DOCS as a whole: what changed when, what replaces what, and that both protocols say the same."""

from __future__ import annotations

import re
from typing import Any

import pytest

from durable_redis.commands.command_docs import CommandDocs, load_docs
from durable_redis.commands.table import NO_FLAGS, Command
from tests.support.oracle_commands import NEWER_THAN_ORACLE, Oracle, in_resp2

PROSE = {b"summary", b"complexity", b"replaced_by"}
DOCUMENTED = sorted(load_docs().keys() - NEWER_THAN_ORACLE)
STRUCTURE = ("since", "group", "doc_flags", "deprecated_since", "history", "arguments")


def facts_of_pairs(pairs: list[Any]) -> Any:
    """A RESP2 reply without its prose and subcommands: field by field, in order, with the type of each."""
    found = []
    for name, value in zip(pairs[::2], pairs[1::2], strict=True):
        if name in PROSE:
            found.append((name, type(value)))
        elif name == b"history":
            found.append((name, [(version, type(change)) for version, change in value]))
        elif name != b"subcommands":
            found.append((name, value))
    return found


def quoted_names(text: bytes) -> set[str]:
    """The commands and options that a text names in backticks; Redis writes some with a mark in front."""
    return {name.strip("!") for name in re.findall(r"`([^`]+)`", text.decode())}


def option_names(text: bytes) -> set[str]:
    """The tokens in capitals that a text names in backticks."""
    words = {word for name in quoted_names(text) for word in re.split(r"[ |]", name)}
    return {word for word in words if len(word) > 1 and word.isupper()}


def test_resp2_has_the_same_structure(oracle_resp2: Oracle) -> None:
    docs = CommandDocs()
    for name in DOCUMENTED:
        ours = in_resp2(docs.reply(Command(name, -1, NO_FLAGS, None)))
        _, theirs = oracle_resp2.call("COMMAND", "DOCS", name)
        assert facts_of_pairs(ours) == facts_of_pairs(theirs), name


@pytest.mark.parametrize("field", STRUCTURE)
def test_each_field_of_the_structure_is_compared(field: str) -> None:
    """If no command had the field, that both servers agree on it would say nothing."""
    assert any(getattr(doc, field) for doc in load_docs().values())


def test_what_replaces_a_command_is_named_as_in_redis(oracle: Oracle) -> None:
    docs = load_docs()
    replaced = 0
    for name in DOCUMENTED:
        ((_, theirs),) = oracle.call("COMMAND", "DOCS", name).items()
        text = theirs.get(b"replaced_by", b"")
        assert quoted_names(docs[name].replaced_by.encode()) == quoted_names(text), name
        replaced += bool(text)
    assert replaced > 5


def test_the_history_names_the_options_that_came(oracle: Oracle) -> None:
    docs = load_docs()
    named = 0
    for name in DOCUMENTED:
        ((_, theirs),) = oracle.call("COMMAND", "DOCS", name).items()
        ours = docs[name].history
        for (version, text), (_, expected) in zip(ours, theirs.get(b"history", []), strict=True):
            # ``CLIENT PAUSE WRITE mode`` names the command as well.
            missing = option_names(expected) - option_names(text.encode()) - set(name.split("|"))
            assert not missing, (name, version)
            named += len(option_names(expected))
    assert named > 20


def test_the_words_of_the_history_are_ours(oracle: Oracle) -> None:
    for name in DOCUMENTED:
        ((_, theirs),) = oracle.call("COMMAND", "DOCS", name).items()
        copied = {text.decode() for _, text in theirs.get(b"history", [])}
        assert not copied & {text for _, text in load_docs()[name].history}, name
