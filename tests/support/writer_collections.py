"""Writes to hashes, lists, sets, sorted sets and streams, and what the collection holds afterwards.

Content is bytes, so that it can be compared and kept like a string's: one line an element, ``field=value`` or
``score member``, sorted where the type has no order of its own.
"""

from __future__ import annotations

import random
from typing import Any, Final

from tests.support.client import Client, Word
from tests.support.stream_model import READ as STREAM_READ
from tests.support.stream_model import read_stream
from tests.support.writer_streams import change_stream

KINDS: Final = (b"h", b"l", b"s", b"z", b"x")
ELEMENTS_MAX: Final = 60
READS: Final[dict[bytes, tuple[Word, ...]]] = {
    b"string": ("GET",),
    b"hash": ("HGETALL",),
    b"list": ("LRANGE", 0, -1),
    b"set": ("SMEMBERS",),
    b"zset": ("ZRANGE", 0, -1, "WITHSCORES"),
}


def change(
    kind: bytes, key: bytes, content: bytes, mark: bytes, rng: random.Random
) -> tuple[list[Word], bytes | None]:
    """A random write to a collection, and its content afterwards; None when it is empty, so gone."""
    if kind == b"x":
        return change_stream(key, content, mark, rng, ELEMENTS_MAX)
    lines = content.split(b"\n") if content else []
    shrinks = rng.random() < (0.9 if len(lines) >= ELEMENTS_MAX else 0.3)
    name = b"%d" % rng.randrange(ELEMENTS_MAX)
    words: list[Word]
    if kind == b"l":
        if shrinks and lines:
            left = rng.random() < 0.5
            words = ["LPOP" if left else "RPOP", key]
            lines = lines[1:] if left else lines[:-1]
        else:
            left = rng.random() < 0.5
            words = ["LPUSH" if left else "RPUSH", key, mark]
            lines = [mark, *lines] if left else [*lines, mark]
        return words, b"\n".join(lines) or None
    if kind == b"h":
        kept = [line for line in lines if not line.startswith(name + b"=")]
        words = ["HDEL", key, name] if shrinks else ["HSET", key, name, mark]
        return words, b"\n".join(sorted(kept if shrinks else [*kept, name + b"=" + mark])) or None
    if kind == b"s":
        kept = [line for line in lines if line != name]
        words = ["SREM" if shrinks else "SADD", key, name]
        return words, b"\n".join(sorted(kept if shrinks else [*kept, name])) or None
    score = rng.randrange(10)
    kept = [line for line in lines if not line.endswith(b" " + name)]
    words = ["ZREM", key, name] if shrinks else ["ZADD", key, score, name]
    return words, b"\n".join(sorted(kept if shrinks else [*kept, b"%d %b" % (score, name)])) or None


def read_contents(client: Client, keys: list[bytes]) -> list[bytes]:
    """What keys of any of these types, or strings, hold."""
    kinds = client.pipeline([("TYPE", key) for key in keys])
    requests: list[tuple[Word, ...]] = [
        ("XINFO", "STREAM", key, *STREAM_READ)
        if kind == b"stream"
        else (READS[kind][0], key, *READS[kind][1:])
        for kind, key in zip(kinds, keys, strict=True)
    ]
    replies = client.pipeline(requests)
    return [_content(bytes(kind), reply) for kind, reply in zip(kinds, replies, strict=True)]


def _content(kind: bytes, reply: Any) -> bytes:
    if kind == b"string":
        return bytes(reply)
    if kind == b"stream":
        return read_stream(reply)
    if kind == b"hash":
        reply = sorted(b"=".join(pair) for pair in zip(reply[::2], reply[1::2], strict=True))
    elif kind == b"set":
        reply = sorted(reply)
    elif kind == b"zset":
        reply = sorted(
            b"%b %b" % (score, member) for member, score in zip(reply[::2], reply[1::2], strict=True)
        )
    return b"\n".join(reply)
