"""Replies of commands as Lua values, by the rules of Redis.

A script that speaks RESP2 gets numbers, strings, arrays, ``{ok=…}`` and false for nothing; one that has asked
for RESP3 gets nil for nothing, booleans, and ``{map=…}``, ``{set=…}``, ``{double=…}``, ``{big_number=…}`` and
``{verbatim_string=…}``.  What :func:`lua_value` returns consists of bytes, numbers, booleans, lists and
dictionaries, which the interpreter makes tables of: nothing of Python comes through.

Source: https://redis.io/docs/latest/develop/interact/programmability/lua-api/#data-type-conversion
"""

from __future__ import annotations

from typing import Any, Final

import hiredis

from durable_redis.errors import ReplyError
from durable_redis.resp.encoder import one_line
from durable_redis.resp.numbers import format_double
from durable_redis.resp.replies import NULL_ARRAY, BigNumber, Encoded, Reply, SetReply, Verbatim

BYTES_PER_VALUE: Final = 96  # of Lua's memory, for a value in a table beside its content


class Measure:
    """How much memory of Lua's a converted reply will take, about."""

    __slots__ = ("size",)

    def __init__(self) -> None:
        self.size = 0


def lua_value(reply: Reply, protocol: int, measure: Measure) -> Any:
    """The Lua value of a reply in RESP ``protocol`` (2 or 3)."""
    kind = type(reply)
    measure.size += BYTES_PER_VALUE
    if kind is bytes or kind is bytearray:
        measure.size += len(reply)
        return bytes(reply)
    if kind is int:
        return reply
    if reply is None or reply is NULL_ARRAY:
        return False if protocol == 2 else None
    if kind is str:
        return {b"ok": one_line(reply)}
    if kind is bool:
        return reply if protocol == 3 else int(reply)
    if kind is list or kind is tuple:
        return [lua_value(item, protocol, measure) for item in reply]
    if kind is Encoded:
        return lua_value(_decoded(reply), protocol, measure)
    return _rare(reply, protocol, measure)


def _rare(reply: Reply, protocol: int, measure: Measure) -> Any:
    if isinstance(reply, dict):
        if protocol == 2:
            return [lua_value(word, protocol, measure) for pair in reply.items() for word in pair]
        return {b"map": {_key(key): lua_value(value, protocol, measure) for key, value in reply.items()}}
    if isinstance(reply, SetReply):
        if protocol == 2:
            return [lua_value(item, protocol, measure) for item in reply]
        measure.size += sum(BYTES_PER_VALUE + len(item) for item in reply if type(item) is bytes)
        return {b"set": {_key(item): True for item in reply}}
    if isinstance(reply, float):
        return format_double(reply) if protocol == 2 else {b"double": reply}
    if isinstance(reply, Verbatim):
        measure.size += len(reply.text)
        if protocol == 2:
            return reply.text
        return {b"verbatim_string": {b"format": reply.kind, b"string": reply.text}}
    if isinstance(reply, BigNumber):
        text = b"%d" % reply
        return text if protocol == 2 else {b"big_number": text}
    if isinstance(reply, Exception):
        return {b"err": one_line(str(reply))}
    if isinstance(reply, list | tuple):
        return [lua_value(item, protocol, measure) for item in reply]
    raise TypeError(f"{type(reply).__name__} is not a reply")


def _key(key: Any) -> Any:
    """A key of a map, or a member of a set: strings and numbers."""
    return one_line(key) if type(key) is str else key


def _decoded(reply: bytes) -> Reply:
    """The value of a reply that a command has encoded itself."""
    reader = hiredis.Reader()
    reader.feed(reply)
    value = reader.gets()
    return ReplyError(str(value)) if isinstance(value, hiredis.ReplyError) else value
