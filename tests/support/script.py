"""Scripts of commands: the lines of ``tests/differential/cases`` and of a failing random sequence.

One line is one step; words are quoted as in redis-cli (``"\\x00\\n"``, ``'plain'``).  In front of the
command may stand a connection (``b>``) and a directive:

``@type``       compare the outline of the replies only (type, length for nulls, whole text for errors)
``@exact``      compare bytes for bytes, even where a rule for this command would be milder
``@sorted``     compare arrays as multisets
``@ignore``     run on both, compare nothing
``@noreply``    send and do not wait for a reply
``@raw``        the one word is sent as it is, then a reply is read
``@rawclose``   the one word is sent as it is, then everything up to the end of the connection is compared
``@scan``       one full SCAN iteration with these options, compared as a set
``@vanish``     give the key a few milliseconds to live and wait until it is gone on both
``@reconnect``  open this connection anew
``@restart`` / ``@kill``  stop the subject with SIGTERM or SIGKILL and start it again on its data

Placeholders are filled in when the step runs: ``{s+10}`` and ``{ms-10}`` are the time in seconds and
milliseconds with an offset, ``{x*1000}`` is a repetition, ``{id}`` and ``{id:b}`` are the ids of this
connection and of connection ``b``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

DIRECTIVES: Final = frozenset(
    [
        "@type",
        "@exact",
        "@sorted",
        "@ignore",
        "@noreply",
        "@raw",
        "@rawclose",
        "@scan",
        "@vanish",
        "@reconnect",
        "@restart",
        "@kill",
    ]
)
_PLACEHOLDER: Final = re.compile(rb"\{(s|ms)([+-]\d+)?\}|\{(.+?)\*(\d+)\}|\{id(?::(\w+))?\}")
_CONNECTION: Final = re.compile(r"(\w+)>\s+")
_ESCAPES: Final = {"n": b"\n", "r": b"\r", "t": b"\t", "b": b"\b", "a": b"\a"}


@dataclass(slots=True, frozen=True)
class Step:
    """One line of a script."""

    words: tuple[bytes, ...]
    directive: str = ""
    connection: str = "a"

    @property
    def text(self) -> str:
        """The line that :func:`parse_line` reads back as this step."""
        parts = [] if self.connection == "a" else [f"{self.connection}>"]
        if self.directive:
            parts.append(self.directive)
        return " ".join(parts + [quote(word) for word in self.words])


@dataclass(slots=True, frozen=True)
class Group:
    """Lines between two blank lines: they start on empty servers with new connections."""

    name: str
    steps: tuple[Step, ...]


def step(*words: bytes | str | int, directive: str = "") -> Step:
    """A step from words as generators have them."""
    return Step(tuple(word if isinstance(word, bytes) else str(word).encode() for word in words), directive)


def quote(word: bytes) -> str:
    """A word as a script has it."""
    if re.fullmatch(rb"[!-~]+", word) and not re.search(rb"[\"'\\]", word) and word[:1] not in b"#@":
        return word.decode()
    escaped = "".join(
        f"\\{chr(byte)}" if byte in b'"\\' else chr(byte) if 32 <= byte < 127 else f"\\x{byte:02x}"
        for byte in word
    )
    return f'"{escaped}"'


def split_words(line: str) -> tuple[bytes, ...]:
    """Split a line as redis-cli does; raise ``ValueError`` for quotes that do not close."""
    words: list[bytes] = []
    position = 0
    while position < len(line):
        if line[position].isspace():
            position += 1
            continue
        if line[position] in "\"'":
            word, position = _quoted(line, position)
        else:
            end = re.compile(r"\s|$").search(line, position)
            assert end is not None
            word, position = line[position : end.start()].encode(), end.start()
        words.append(word)
    return tuple(words)


def _quoted(line: str, start: int) -> tuple[bytes, int]:
    mark, position, found = line[start], start + 1, bytearray()
    while position < len(line):
        character = line[position]
        if character == mark:
            return bytes(found), position + 1
        if character == "\\" and mark == '"':
            follower = line[position + 1]
            if follower == "x":
                found.append(int(line[position + 2 : position + 4], 16))
                position += 4
                continue
            found += _ESCAPES.get(follower, follower.encode())
            position += 2
            continue
        found += character.encode()
        position += 1
    raise ValueError(f"a quote is not closed in {line!r}")


def parse_line(line: str) -> Step:
    """The step of one line."""
    line = line.strip()
    connection = "a"
    if found := _CONNECTION.match(line):
        connection, line = found[1], line[found.end() :]
    directive = ""
    if line.startswith("@"):
        directive, _, line = line.partition(" ")
        if directive not in DIRECTIVES:
            raise ValueError(f"unknown directive {directive}")
    return Step(split_words(line), directive, connection)


def read_groups(path: Path) -> list[Group]:
    """The groups of one file of cases."""
    groups: list[Group] = []
    steps: list[Step] = []
    first_line = 0
    for number, line in enumerate([*path.read_text("utf-8").splitlines(), ""], start=1):
        if line.startswith("#"):
            continue
        if line.strip():
            first_line = first_line or number
            steps.append(parse_line(line))
        elif steps:
            groups.append(Group(f"{path.name}:{first_line}", tuple(steps)))
            steps, first_line = [], 0
    return groups


def fill(word: bytes, now_ms: int, ids: dict[str, int], connection: str) -> bytes:
    """The word with its placeholders replaced."""
    if b"{" not in word:
        return word

    def replace(found: re.Match[bytes]) -> bytes:
        unit, offset, repeated, times, other = found.groups()
        if unit:
            return b"%d" % ((now_ms // 1000 if unit == b"s" else now_ms) + int(offset or 0))
        if repeated:
            return bytes(repeated) * int(times)
        return b"%d" % ids.get(other.decode() if other else connection, 0)

    return _PLACEHOLDER.sub(replace, word)
