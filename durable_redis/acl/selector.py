"""A selector: commands, keys and channels that are allowed together.

Each user has one at the root and may have more, written in parentheses; a command runs if one selector
allows all of it.  A rule is applied in the order in which it was given, and what a selector prints of
itself (:meth:`Selector.describe`) is not what was given but the shortest that Redis's method finds: the
best fitting categories first, then single commands.

Texts of errors and of descriptions are redis-server 7.0.15's; it lists single commands in the order of a
hash table with a random seed, here it is the order of the command table.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from durable_redis.acl.catalog import Catalog
from durable_redis.commands.table import CATEGORIES
from durable_redis.config.words import UnbalancedQuotes, split_words, to_bytes, to_text
from durable_redis.glob import glob_match

READ: Final = 1
WRITE: Final = 2
UNKNOWN_COMMAND: Final = "Unknown command or category name in ACL"
SYNTAX_ERROR: Final = "Syntax error"
KEYS_AFTER_ALL: Final = (
    "Adding a pattern after the * pattern (or the 'allkeys' flag) is not valid and does not have any effect. "
    "Try 'resetkeys' to start with an empty list of patterns"
)
CHANNELS_AFTER_ALL: Final = (
    "Adding a pattern after the * pattern (or the 'allchannels' flag) is not valid and does not have any "
    "effect. Try 'resetchannels' to start with an empty list of channels"
)
FIRST_ARGUMENT_OF_SUBCOMMAND: Final = "Allowing first-arg of a subcommand is not supported"
_BLANKS: Final = b" \t\n\v\f\r\0"
_PREFIXES: Final = {READ: b"%R~", WRITE: b"%W~", READ | WRITE: b"~"}


class RuleError(Exception):
    """A rule is wrong; the text says how."""


def has_blanks(word: bytes) -> bool:
    """Whether a name or pattern could not be written into a line of rules."""
    return not set(_BLANKS).isdisjoint(word)


class Selector:
    """What is allowed.  ``all_commands`` holds only while nothing was taken away since ``+@all``."""

    __slots__ = (
        "all_channels",
        "all_commands",
        "all_keys",
        "allowed",
        "catalog",
        "channels",
        "first_arguments",
        "future",
        "keys",
    )

    def __init__(self, catalog: Catalog, all_channels: bool) -> None:
        self.catalog = catalog
        self.all_commands = False
        self.future = False  # commands that a later version may have are allowed too
        self.allowed: set[str] = set()
        self.first_arguments: dict[str, list[bytes]] = {}
        self.all_keys = False
        self.keys: dict[bytes, int] = {}
        self.all_channels = all_channels
        self.channels: list[bytes] = []

    def copy(self) -> Selector:
        """Another one that allows the same."""
        twin = Selector(self.catalog, self.all_channels)
        twin.all_commands, twin.future, twin.all_keys = self.all_commands, self.future, self.all_keys
        twin.allowed = set(self.allowed)
        twin.first_arguments = {name: list(words) for name, words in self.first_arguments.items()}
        twin.keys, twin.channels = dict(self.keys), list(self.channels)
        return twin

    @property
    def unrestricted(self) -> bool:
        """Whether nothing is forbidden."""
        return self.all_commands and self.all_keys and self.all_channels

    # -- rules -----------------------------------------------------------------------------------------------

    def apply(self, rule: bytes) -> None:
        """Apply one rule; raises :class:`RuleError`."""
        word = rule.lower()
        if word in (b"allkeys", b"~*"):
            self.all_keys = True
            self.keys.clear()
        elif word == b"resetkeys":
            self.all_keys = False
            self.keys.clear()
        elif word in (b"allchannels", b"&*"):
            self.all_channels = True
            self.channels.clear()
        elif word == b"resetchannels":
            self.all_channels = False
            self.channels.clear()
        elif word in (b"allcommands", b"+@all"):
            self._every_command(True)
        elif word in (b"nocommands", b"-@all"):
            self._every_command(False)
        elif rule[:1] in (b"~", b"%"):
            self._add_keys(rule)
        elif rule[:1] == b"&":
            self._add_channels(rule[1:])
        elif rule[:2] in (b"+@", b"-@"):
            self.set_category(word[2:].decode("latin-1"), rule[:1] == b"+")
        elif rule[:1] in (b"+", b"-"):
            self._set_command(rule)
        else:
            raise RuleError(SYNTAX_ERROR)

    def _every_command(self, allowed: bool) -> None:
        self.all_commands = self.future = allowed
        self.allowed = set(self.catalog.everything) if allowed else set()
        self.first_arguments.clear()

    def _add_keys(self, rule: bytes) -> None:
        if self.all_keys:
            raise RuleError(KEYS_AFTER_ALL)
        letters, _, pattern = rule.partition(b"~")
        access = READ | WRITE
        if letters:
            kinds = letters[1:].upper()
            access = (READ if b"R" in kinds else 0) | (WRITE if b"W" in kinds else 0)
            if len(set(kinds)) != len(kinds) or set(kinds) - set(b"RW") or not access:
                raise RuleError(SYNTAX_ERROR)
        if has_blanks(pattern):
            raise RuleError(SYNTAX_ERROR)
        self.keys[pattern] = self.keys.get(pattern, 0) | access

    def _add_channels(self, pattern: bytes) -> None:
        if self.all_channels:
            raise RuleError(CHANNELS_AFTER_ALL)
        if has_blanks(pattern):
            raise RuleError(SYNTAX_ERROR)
        if pattern not in self.channels:
            self.channels.append(pattern)

    def set_category(self, category: str, allowed: bool) -> None:
        """Allow or forbid all commands of a category; raises :class:`RuleError`."""
        names = self.catalog.by_category.get(category)
        if names is None:
            raise RuleError(UNKNOWN_COMMAND)
        for name in names:
            self._set(name, allowed)

    def _set_command(self, rule: bytes) -> None:
        commands = self.catalog.commands
        name = rule[1:].decode("latin-1").lower()
        parent, bar, child = name.rpartition("|")
        if rule[:1] == b"-" or not bar:
            if name not in commands:
                raise RuleError(UNKNOWN_COMMAND)
            self._set(name, rule[:1] == b"+")
            return
        if parent not in commands:
            raise RuleError(UNKNOWN_COMMAND)
        if "|" in parent:
            raise RuleError(FIRST_ARGUMENT_OF_SUBCOMMAND)
        if not child:
            raise RuleError(SYNTAX_ERROR)
        if self.catalog.children[parent]:
            if name not in commands:
                raise RuleError(UNKNOWN_COMMAND)
            self.allowed.add(name)
        else:
            words = self.first_arguments.setdefault(parent, [])
            argument = rule.rpartition(b"|")[2]
            if argument.lower() not in [word.lower() for word in words]:
                words.append(argument)

    def _set(self, name: str, allowed: bool) -> None:
        """Allow or forbid a command with its subcommands."""
        for each in self.catalog.with_children(name):
            if allowed:
                self.allowed.add(each)
            else:
                self.allowed.discard(each)
                self.all_commands = False
            self.first_arguments.pop(each, None)

    # -- checks ----------------------------------------------------------------------------------------------

    def allows_command(self, name: str, argv: list[bytes]) -> bool:
        """Whether a command, by its full lower-case name, may run with this first argument."""
        if self.all_commands or name in self.allowed:
            return True
        words = self.first_arguments.get(name)
        if not words or len(argv) < 2:
            return False
        argument = argv[1].lower()
        return any(word.lower() == argument for word in words)

    def allows_key(self, key: bytes, access: int) -> bool:
        """Whether a key may be read or written (READ | WRITE; 0 asks only whether it may be named)."""
        if self.all_keys:
            return True
        return any(
            granted & access == access and glob_match(pattern, key) for pattern, granted in self.keys.items()
        )

    def allows_channel(self, channel: bytes, is_pattern: bool) -> bool:
        """Whether a channel may be used; a pattern has to be among the granted ones as it is."""
        if self.all_channels:
            return True
        if is_pattern:
            return channel in self.channels
        return any(glob_match(pattern, channel) for pattern in self.channels)

    # -- description -----------------------------------------------------------------------------------------

    def describe_keys(self) -> bytes:
        """The key patterns in one line."""
        if self.all_keys:
            return b"~*"
        return b" ".join(_PREFIXES[access] + pattern for pattern, access in self.keys.items())

    def describe_channels(self) -> bytes:
        """The channel patterns in one line."""
        return b"&*" if self.all_channels else b" ".join(b"&" + pattern for pattern in self.channels)

    def describe(self) -> bytes:
        """All rules in one line."""
        parts = [self.describe_keys()]
        if not self.all_channels:
            parts.append(b"resetchannels")
        parts += [self.describe_channels(), self.describe_commands()]
        return b" ".join(filter(None, parts))

    def describe_commands(self) -> bytes:
        """The rules for commands: what to start from, categories that fit best, single commands."""
        additive = not self.future
        sign = "+" if additive else "-"
        said = Selector(self.catalog, False)  # what the rules so far would allow
        said._every_command(not additive)
        rules = ["-@all" if additive else "+@all"]
        left = set(self.allowed)  # as if the categories so far had been turned round
        for category in self._best_categories(left, additive):
            rules.append(f"{sign}@{category}")
            said.set_category(category, additive)
        words = [rule.encode() for rule in rules]
        for name in self.catalog.commands:
            allowed = name in self.allowed
            if allowed != (name in said.allowed):
                words.append(b"%c%s" % (b"+" if allowed else b"-", name.encode()))
                said._set(name, allowed)
            if not allowed:
                words += [b"+%s|%s" % (name.encode(), word) for word in self.first_arguments.get(name, ())]
        return b" ".join(words)

    def _best_categories(self, left: set[str], additive: bool) -> Iterator[str]:
        """Categories by how well they fit; ``left`` loses, or gains, the commands of each."""
        rest = list(CATEGORIES)
        while True:
            best, fewest, most = "", 0, 0
            for category in rest:
                names = self.catalog.by_category[category]
                on = len(names & left)
                same, different = (on, len(names) - on) if additive else (len(names) - on, on)
                better = not best or different < fewest or (different == fewest and same > most)
                if same > different and better:
                    best, fewest, most = category, different, same
            if not best:
                return
            rest.remove(best)
            for name in self.catalog.by_category[best]:
                for each in self.catalog.with_children(name):
                    if additive:
                        left.discard(each)
                    else:
                        left.add(each)
            yield best


def selector_of(catalog: Catalog, rule: bytes, all_channels: bool) -> Selector:
    """The selector of a rule in parentheses; raises :class:`RuleError`."""
    selector = Selector(catalog, all_channels)
    try:
        words = split_words(to_text(rule[1:-1]))
    except UnbalancedQuotes:
        return selector  # as Redis has it: such a selector allows nothing
    for word in words:
        if word:
            selector.apply(to_bytes(word))
        else:
            raise RuleError(SYNTAX_ERROR)
    return selector


def merge_selectors(words: list[bytes]) -> tuple[list[bytes], bytes | None]:
    """Words with those between parentheses joined into one; the word of a parenthesis that never closes."""
    merged: list[bytes] = []
    opened: list[bytes] = []
    for word in words:
        if opened:
            opened.append(word)
            if word.endswith(b")"):
                merged.append(b" ".join(opened))
                opened = []
        elif word.startswith(b"(") and not word.endswith(b")"):
            opened = [word]
        else:
            merged.append(word)
    return merged, opened[0] if opened else None
