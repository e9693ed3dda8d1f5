"""The documentation of commands: the files in ``docs/`` and the replies of COMMAND DOCS made of them.

Each group of commands has one TOML file, named after the group, with one table per command or subcommand.  A
server holds one :class:`CommandDocs`; it reads the files when it is first asked, because most servers never
are.  Bulk strings of a reply are ``bytes``, flags are ``str``, so the encoder writes them as Redis does.

What is left out on purpose: which commands exist.  The command table knows that, and a test holds the two
together.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

from durable_redis.commands.argument_syntax import Argument, parse_arguments
from durable_redis.commands.table import Command
from durable_redis.resp.replies import Reply, SetReply


@dataclass(slots=True)
class CommandDoc:
    """What is documented of one command; ``history`` holds pairs of version and change."""

    summary: str
    since: str
    group: str
    complexity: str = ""
    doc_flags: list[str] = field(default_factory=list)
    deprecated_since: str = ""
    replaced_by: str = ""
    history: list[tuple[str, str]] = field(default_factory=list)
    arguments: list[Argument] = field(default_factory=list)


def load_docs() -> dict[str, CommandDoc]:
    """Read every documentation file of the package; names are upper case, ``CLIENT|ID`` for a subcommand."""
    docs: dict[str, CommandDoc] = {}
    for file in files("durable_redis.commands").joinpath("docs").iterdir():
        group, _, suffix = file.name.partition(".")
        if suffix != "toml":
            continue
        for name, entry in tomllib.loads(file.read_text(encoding="utf-8")).items():
            assert name not in docs, f"{name} is documented twice"
            docs[name] = _doc(group, entry)
    return docs


def _doc(group: str, entry: dict[str, Any]) -> CommandDoc:
    """One table of a file; a key that is no field is a mistake in the file and raises TypeError."""
    facts = dict(entry)
    arguments = parse_arguments(facts.pop("arguments", ""))
    history = [(version, change) for version, change in facts.pop("history", [])]
    return CommandDoc(group=group, arguments=arguments, history=history, **facts)


class CommandDocs:
    """The documentation as one server holds it: read once, on first use."""

    __slots__ = ("_docs",)

    def __init__(self) -> None:
        self._docs: dict[str, CommandDoc] | None = None

    def all(self) -> dict[str, CommandDoc]:
        """Every entry by upper-case name."""
        if self._docs is None:
            self._docs = load_docs()
        return self._docs

    def reply(self, command: Command) -> dict[bytes, Reply]:
        """The map that COMMAND DOCS gives for ``command``, its subcommands within.

        A command without an entry yields an empty map: a gap in the files must not break a client's start.
        """
        doc = self.all().get(command.name)
        reply = {} if doc is None else _doc_reply(doc)
        if command.subcommands:
            reply[b"subcommands"] = {
                child.name.lower().encode(): self.reply(child) for child in command.subcommands.values()
            }
        return reply


def _doc_reply(doc: CommandDoc) -> dict[bytes, Reply]:
    reply: dict[bytes, Reply] = {
        b"summary": doc.summary.encode(),
        b"since": doc.since.encode(),
        b"group": doc.group.encode(),
    }
    if doc.complexity:
        reply[b"complexity"] = doc.complexity.encode()
    if doc.doc_flags:
        reply[b"doc_flags"] = SetReply(doc.doc_flags)
    if doc.deprecated_since:
        reply[b"deprecated_since"] = doc.deprecated_since.encode()
    if doc.replaced_by:
        reply[b"replaced_by"] = doc.replaced_by.encode()
    if doc.history:
        reply[b"history"] = SetReply([version.encode(), change.encode()] for version, change in doc.history)
    if doc.arguments:
        reply[b"arguments"] = [_argument_reply(argument) for argument in doc.arguments]
    return reply


def _argument_reply(argument: Argument) -> dict[bytes, Reply]:
    reply: dict[bytes, Reply] = {b"name": argument.name.encode(), b"type": argument.type.encode()}
    if argument.key_spec_index is not None:
        reply[b"key_spec_index"] = argument.key_spec_index
    if argument.token is not None:
        reply[b"token"] = argument.token.encode()
    if argument.since:
        reply[b"since"] = argument.since.encode()
    if argument.deprecated_since:
        reply[b"deprecated_since"] = argument.deprecated_since.encode()
    if argument.flags:
        reply[b"flags"] = SetReply(argument.flags)
    if argument.arguments:
        reply[b"arguments"] = [_argument_reply(child) for child in argument.arguments]
    return reply
