"""The first line of a script or library: ``#!lua flags=no-writes,allow-oom`` or ``#!lua name=library``.

A script without it is one of before Redis 7: what it may do is decided command by command.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from durable_redis.config.words import UnbalancedQuotes, split_words, to_bytes, to_text
from durable_redis.errors import ReplyError

FLAGS: Final = (b"no-writes", b"allow-oom", b"allow-stale", b"no-cluster", b"allow-cross-slot-keys")
BAD_NAME: Final = (
    "Library names can only contain letters, numbers, or underscores(_) "
    "and must be at least one character long"
)
_NAME: Final = re.compile(rb"[0-9a-zA-Z_]+")


@dataclass(slots=True, frozen=True)
class ScriptFlags:
    """What a script says of itself; ``declared`` is false for one without a first line of its own."""

    declared: bool = False
    no_writes: bool = False
    allow_oom: bool = False


def flags_of(names: tuple[bytes, ...]) -> ScriptFlags:
    """The flags by their names, which are known."""
    return ScriptFlags(True, b"no-writes" in names, b"allow-oom" in names)


def split_script(source: bytes) -> tuple[ScriptFlags, bytes]:
    """The flags of a script for EVAL, and what Lua is to compile.  Raises :class:`ReplyError`."""
    if not source.startswith(b"#!"):
        return ScriptFlags(), source
    line, newline, _ = source.partition(b"\n")
    if not newline:
        raise ReplyError("ERR Invalid script shebang")
    words = _words(line)
    if words is None:
        raise ReplyError("ERR Invalid engine in script shebang")
    if words[0] != b"#!lua":
        raise ReplyError(f"ERR Unexpected engine in script shebang: {_shown(words[0])}")
    flags: set[bytes] = set()
    for word in words[1:]:
        if not word.startswith(b"flags="):
            raise ReplyError(f"ERR Unknown lua shebang option: {_shown(word)}")
        for flag in word[6:].split(b",") if len(word) > 6 else ():
            if flag not in FLAGS:
                raise ReplyError(f"ERR Unexpected flag in script shebang: {_shown(flag)}")
            flags.add(flag)
    return flags_of(tuple(flags)), source[len(line) :]


def split_library(source: bytes) -> tuple[bytes, bytes]:
    """The name of a library, and what Lua is to compile.  Raises :class:`ReplyError`."""
    if not source.startswith(b"#!"):
        raise ReplyError("ERR Missing library metadata")
    line, newline, _ = source.partition(b"\n")
    words = _words(line) if newline else None
    if words is None:
        raise ReplyError("ERR Invalid library metadata")
    name = None
    for word in words[1:]:
        if not word.lower().startswith(b"name="):
            raise ReplyError(f"ERR Invalid metadata value given: {_shown(word)}")
        if name is not None:
            raise ReplyError("ERR Invalid metadata value, name argument was given multiple times")
        name = word[5:]
    if name is None:
        raise ReplyError("ERR Library name was not given")
    if not is_name(name):
        raise ReplyError(f"ERR {BAD_NAME}")
    engine = words[0][2:]
    if engine.lower() != b"lua":
        raise ReplyError(f"ERR Engine '{_shown(engine)}' not found")
    return name, source[len(line) :]


def is_name(name: bytes) -> bool:
    """Whether a library or a function may be called so."""
    return _NAME.fullmatch(name) is not None


def _words(line: bytes) -> list[bytes] | None:
    try:
        return [to_bytes(word) for word in split_words(to_text(line))]
    except UnbalancedQuotes:
        return None


def _shown(word: bytes) -> str:
    return word.decode("latin-1")
