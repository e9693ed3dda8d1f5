"""The notation in which ``docs/*.toml`` states a command's arguments, and its parser.

One line of text gives exactly the argument tree of COMMAND DOCS::

    arguments = { argument }
    argument  = [ token "=" ] name [ ":" type ] [ "@" spec ] [ group ] { mark }
              | TOKEN { mark }                      a pure token, named as the token in lower case
    group     = "(" argument { "|" argument } ")"   one of these
              | "{" argument { argument } "}"       a block, all of these
    mark      = "?" optional | "*" multiple | "**" multiple, token repeated
              | "^" version: since | "!" version: deprecated since
    token     = TOKEN (upper case) | '"' characters '"'
    type      = int | double | pattern | time | token; a string if none is given

``@n`` makes the argument a key that the command's key specification ``n`` finds (a pattern keeps its type).
Argument types: https://redis.io/docs/latest/develop/reference/command-arguments/
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

_TYPES: Final = {
    "int": "integer",
    "double": "double",
    "pattern": "pattern",
    "time": "unix-time",
    "token": "pure-token",
}
_LEXEME: Final = re.compile(r'\s*("[^"]*"=|[^\s(){}|?*^!@="]+=?|\*\*|[(){}|?*]|[@^!][0-9.]+)')
_DEPTH_MAX: Final = 8


@dataclass(slots=True)
class Argument:
    """One node of the tree, in the terms of COMMAND DOCS."""

    name: str
    type: str = "string"
    key_spec_index: int | None = None
    token: str | None = None
    since: str = ""
    deprecated_since: str = ""
    flags: list[str] = field(default_factory=list)
    arguments: list[Argument] = field(default_factory=list)


def parse_arguments(text: str) -> list[Argument]:
    """The argument tree of one line of notation; ValueError says what does not fit."""
    lexemes = _split(text)
    found, end = _parse_until(lexemes, 0, frozenset(), 0)
    if end != len(lexemes):
        raise ValueError(f"unexpected {lexemes[end]!r} in {text!r}")
    return found


def _split(text: str) -> list[str]:
    lexemes = []
    position = 0
    text = text.rstrip()
    while position < len(text):
        match = _LEXEME.match(text, position)
        if match is None:
            raise ValueError(f"cannot read {text[position:]!r}")
        lexemes.append(match.group(1))
        position = match.end()
    return lexemes


def _parse_until(
    lexemes: list[str], position: int, closing: frozenset[str], depth: int
) -> tuple[list[Argument], int]:
    """Arguments up to a closing bracket; alternatives and sequences differ only in their separator."""
    if depth > _DEPTH_MAX:
        raise ValueError("arguments are nested too deep")
    found: list[Argument] = []
    while position < len(lexemes) and lexemes[position] not in closing:
        if lexemes[position] == "|" and ")" in closing and found:
            position += 1
        argument, position = _parse_argument(lexemes, position, depth)
        found.append(argument)
    return found, position


def _parse_argument(lexemes: list[str], position: int, depth: int) -> tuple[Argument, int]:
    token: str | None = None
    if lexemes[position].endswith("="):
        token = lexemes[position][:-1].strip('"')
        position += 1
    if position >= len(lexemes):
        raise ValueError("a name is missing at the end")
    argument = _named(lexemes[position], token)
    position += 1
    while position < len(lexemes):
        lexeme = lexemes[position]
        if lexeme in ("(", "{"):
            end = ")" if lexeme == "(" else "}"
            argument.type = "oneof" if lexeme == "(" else "block"
            argument.arguments, position = _parse_until(lexemes, position + 1, frozenset(end), depth + 1)
            if position >= len(lexemes):
                raise ValueError(f"{end!r} is missing")
        elif not _mark(argument, lexeme):
            break
        position += 1
    return argument, position


def _named(word: str, token: str | None) -> Argument:
    """An argument from its word: ``EX`` is a pure token, ``count:int`` an integer."""
    if not word[0].isalnum():
        raise ValueError(f"{word!r} stands where a name should")
    if token is None and word.isupper():
        return Argument(word.lower(), "pure-token", token=word)
    name, _, kind = word.rpartition(":")
    if kind in _TYPES and name:
        return Argument(name, _TYPES[kind], token=token)
    return Argument(word, token=token)


def _mark(argument: Argument, lexeme: str) -> bool:
    """Apply a mark; False if the lexeme is none."""
    first, rest = lexeme[0], lexeme[1:]
    if first == "@":
        argument.key_spec_index = int(rest)
        if argument.type == "string":
            argument.type = "key"
    elif first == "^":
        argument.since = rest
    elif first == "!":
        argument.deprecated_since = rest
    elif lexeme == "?":
        argument.flags.append("optional")
    elif lexeme == "*":
        argument.flags.append("multiple")
    elif lexeme == "**":
        argument.flags += ["multiple", "multiple_token"]
    else:
        return False
    return True
