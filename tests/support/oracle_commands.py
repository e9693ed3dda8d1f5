"""The oracle: a real redis-server, a client that keeps its reply types, and its command table as ours.

``Oracle.call`` answers with the values of ``durable_redis.resp.replies``: bulk strings are ``bytes``,
statuses ``str``, sets ``SetReply``.  So replies are compared without an encoder between.
"""

from __future__ import annotations

import socket
from typing import Any, BinaryIO

from durable_redis.commands.table import Command, Flag, KeySpec
from durable_redis.errors import ReplyError
from durable_redis.resp.replies import SetReply

_FIELD_EXPIRY = "HEXPIRE HEXPIREAT HEXPIRETIME HPERSIST HPEXPIRE HPEXPIREAT HPEXPIRETIME HPTTL HTTL"
FIELD_EXPIRY = frozenset(_FIELD_EXPIRY.split(" "))
NEWER_THAN_ORACLE = FIELD_EXPIRY | {"WAITAOF", "CLIENT|NO-TOUCH", "CLIENT|SETINFO"}
"""Commands of Redis 7.2 and 7.4 and of our own, which redis-server 7.0 does not know."""


class Oracle:
    """A connection to the real server; a reply that is an error is returned, not raised."""

    def __init__(self, path: str, protocol: int) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(30)
        self._socket.connect(path)
        self._file: BinaryIO = self._socket.makefile("rb")
        self.call(b"HELLO", str(protocol).encode())

    def call(self, *words: bytes | str) -> Any:
        """Send one command and read its reply."""
        self._socket.sendall(_request(words))
        return self._read()

    def call_many(self, requests: list[list[bytes]]) -> list[Any]:
        """Send many commands at once and read their replies in order."""
        self._socket.sendall(b"".join(_request(words) for words in requests))
        return [self._read() for _ in requests]

    def close(self) -> None:
        self._file.close()
        self._socket.close()

    def _read(self) -> Any:
        line = self._file.readline().rstrip(b"\r\n")
        kind, rest = line[:1], line[1:]
        match kind:
            case b"+":
                return rest.decode()
            case b"-":
                return ReplyError(rest.decode())
            case b":":
                return int(rest)
            case b"$":
                return None if rest == b"-1" else self._file.read(int(rest) + 2)[:-2]
            case b"*":
                return None if rest == b"-1" else [self._read() for _ in range(int(rest))]
            case b"~":
                return SetReply(self._read() for _ in range(int(rest)))
            case b"%":
                return {self._read(): self._read() for _ in range(int(rest))}
            case b"_":
                return None
        raise AssertionError(f"unexpected reply {line!r}")


def _request(words: tuple[bytes | str, ...] | list[bytes]) -> bytes:
    encoded = [word.encode() if isinstance(word, str) else word for word in words]
    return b"*%d\r\n" % len(encoded) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in encoded)


def commands_of(oracle: Oracle) -> dict[str, Command]:
    """The oracle's whole command table as declarations of ours, without handlers."""
    return {found.name: found for found in map(_command, oracle.call("COMMAND", "INFO"))}


def _command(info: list[Any]) -> Command:
    name, arity, flags, first, last, step, categories, tips, specs, children = info
    found = Command(name.decode().upper(), arity, Flag(0), None, positions=(first, last, step))
    for flag in flags:
        found.flags |= Flag[flag.upper()]
    found.acl = tuple(category[1:] for category in categories)
    found.tips = tuple(tip.decode() for tip in tips)
    found.keys = tuple(_key_spec(spec) for spec in specs)
    for child in map(_command, children):
        found.subcommands[child.name.partition("|")[2]] = child
    return found


def _key_spec(spec: dict[bytes, Any]) -> KeySpec:
    begin, find = (_part(spec[name]) for name in (b"begin_search", b"find_keys"))
    return KeySpec(tuple(spec[b"flags"]), begin, find, spec.get(b"notes", b"").decode())


def _part(part: dict[bytes, Any]) -> tuple[Any, ...]:
    values = part[b"spec"].values()
    return (part[b"type"].decode(), *(v.decode() if isinstance(v, bytes) else v for v in values))


def with_subcommands(table: dict[str, Command]) -> dict[str, Command]:
    """Every command and subcommand by its full name."""
    found = dict(table)
    for parent in table.values():
        found.update((child.name, child) for child in parent.subcommands.values())
    return found


def in_resp2(reply: Any) -> Any:
    """A reply as RESP2 carries it: maps and sets are arrays."""
    if isinstance(reply, dict):
        return [in_resp2(part) for pair in reply.items() for part in pair]
    if isinstance(reply, list | tuple):
        return [in_resp2(part) for part in reply]
    return reply


def unordered(reply: Any) -> Any:
    """A reply with its sets in one order, so that two replies can be compared."""
    if isinstance(reply, SetReply):
        return SetReply(sorted((unordered(part) for part in reply), key=repr))
    if isinstance(reply, dict):
        return {key: unordered(value) for key, value in reply.items()}
    if isinstance(reply, list | tuple):
        return [unordered(part) for part in reply]
    return reply
