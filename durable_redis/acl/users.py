"""Users and their rules.

A :class:`User` is changed by a list of rules as a whole or not at all: rules are applied to a copy, and the
copy takes the user's place.  ``default`` always exists: connections begin as this user.

Error texts and the order of ``ACL LIST`` are redis-server 7.0.15's.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from durable_redis.acl.catalog import Catalog
from durable_redis.acl.passwords import digest_of, is_digest, is_right
from durable_redis.acl.selector import RuleError, Selector, has_blanks, merge_selectors, selector_of

DEFAULT_USER: Final = b"default"
NO_SUCH_PASSWORD: Final = "The password you are trying to remove from the user does not exist"
BAD_DIGEST: Final = (
    "The password hash must be exactly 64 characters and contain only lowercase hexadecimal characters"
)
RULES_OF_DEFAULT: Final = (b"on", b"nopass", b"~*", b"&*", b"+@all")
USERS_MAX: Final = 1 << 20


class User:
    """One user: who may be it, and what it may do."""

    __slots__ = ("enabled", "name", "no_password", "passwords", "root", "sanitize", "selectors")

    def __init__(self, name: bytes, root: Selector) -> None:
        self.name = name
        self.enabled = False
        self.no_password = False
        self.passwords: list[bytes] = []
        self.sanitize: bytes | None = None  # shown, and of no consequence: payloads are always checked
        self.root = root
        self.selectors: list[Selector] = []

    def copy(self) -> User:
        """Another one with the same name and rules."""
        twin = User(self.name, self.root.copy())
        twin.enabled, twin.no_password, twin.sanitize = self.enabled, self.no_password, self.sanitize
        twin.passwords = list(self.passwords)
        twin.selectors = [selector.copy() for selector in self.selectors]
        return twin

    @property
    def all_selectors(self) -> list[Selector]:
        """The root's and the others."""
        return [self.root, *self.selectors]

    @property
    def unrestricted(self) -> bool:
        """Whether one selector allows everything, so that there is nothing to check."""
        return self.root.unrestricted or any(selector.unrestricted for selector in self.selectors)

    @property
    def is_open(self) -> bool:
        """Whether anybody is this user without a password."""
        return self.no_password and self.enabled

    def apply(self, rule: bytes, all_channels: bool) -> None:
        """Apply one rule; ``all_channels`` is what new selectors begin with.  Raises :class:`RuleError`."""
        word = rule.lower()
        if not rule:
            return
        if word in (b"on", b"off"):
            self.enabled = word == b"on"
        elif word == b"nopass":
            self.no_password = True
            self.passwords.clear()
        elif word == b"resetpass":
            self.no_password = False
            self.passwords.clear()
        elif word in (b"sanitize-payload", b"skip-sanitize-payload"):
            self.sanitize = word
        elif rule[:1] in (b">", b"#", b"<", b"!"):
            self._change_passwords(rule)
        elif rule[:1] == b"(" and rule[-1:] == b")" and len(rule) > 1:
            self.selectors.append(selector_of(self.root.catalog, rule, all_channels))
        elif word == b"clearselectors":
            self.selectors.clear()
        elif word == b"reset":
            self._reset(all_channels)
        else:
            self.root.apply(rule)

    def _change_passwords(self, rule: bytes) -> None:
        hashed = rule[:1] in (b"#", b"!")
        if hashed and not is_digest(rule[1:]):
            raise RuleError(BAD_DIGEST)
        digest = rule[1:] if hashed else digest_of(rule[1:])
        if rule[:1] in (b">", b"#"):
            if digest not in self.passwords:
                self.passwords.append(digest)
            self.no_password = False
        elif digest in self.passwords:
            self.passwords.remove(digest)
        else:
            raise RuleError(NO_SUCH_PASSWORD)

    def _reset(self, all_channels: bool) -> None:
        self.enabled = self.no_password = False
        self.passwords.clear()
        self.sanitize = b"sanitize-payload"
        self.root = Selector(self.root.catalog, all_channels)
        self.selectors.clear()

    # -- description -----------------------------------------------------------------------------------------

    def flags(self) -> list[bytes]:
        """The flags of ACL GETUSER."""
        found = [b"on" if self.enabled else b"off"]
        if self.no_password:
            found.append(b"nopass")
        if self.sanitize:
            found.append(self.sanitize)
        return found

    def describe(self) -> bytes:
        """All rules in one line, as ``user`` lines have them behind the name."""
        words = [*self.flags(), *(b"#" + digest for digest in self.passwords), self.root.describe()]
        words += [b"(" + selector.describe() + b")" for selector in self.selectors]
        return b" ".join(words)


class Users:
    """All users of a server by name.  ``all_channels`` is what ``acl-pubsub-default`` gives new ones."""

    def __init__(self, catalog: Catalog, all_channels: bool = False) -> None:
        self.catalog = catalog
        self.all_channels = all_channels
        self.by_name: dict[bytes, User] = {}
        self.by_name[DEFAULT_USER] = self.new_default()

    @property
    def default(self) -> User:
        """The user that connections begin as."""
        return self.by_name[DEFAULT_USER]

    def new(self, name: bytes) -> User:
        """A user that may do nothing; it is not among the users yet."""
        return User(name, Selector(self.catalog, self.all_channels))

    def new_default(self) -> User:
        """The default user as it is before anybody changes it."""
        user = self.new(DEFAULT_USER)
        for rule in RULES_OF_DEFAULT:
            user.apply(rule, self.all_channels)
        return user

    def changed(self, name: bytes, rules: Iterable[bytes]) -> User:
        """What a user, or a new one, would be with more rules; raises ``ValueError`` with a whole text."""
        if has_blanks(name):
            raise ValueError("Usernames can't contain spaces or null characters")
        merged, unclosed = merge_selectors(list(rules))
        if unclosed is not None:
            raise ValueError(f"Unmatched parenthesis in acl selector starting at '{_shown(unclosed)}'.")
        known = self.by_name.get(name)
        if known is None and len(self.by_name) >= USERS_MAX:
            raise ValueError(f"there are {USERS_MAX} users, which is the most")
        user = known.copy() if known is not None else self.new(name)
        for rule in merged:
            try:
                user.apply(rule, self.all_channels)
            except RuleError as error:
                raise ValueError(f"Error in ACL SETUSER modifier '{_shown(rule)}': {error}") from error
        return user

    def authenticates(self, name: bytes, password: bytes) -> bool:
        """Whether the password is right for a user; the time does not tell which part was wrong."""
        user = self.by_name.get(name)
        right = is_right(password, user.passwords if user is not None else ())
        return user is not None and user.enabled and (user.no_password or right)

    def names(self) -> list[bytes]:
        """All names in order."""
        return sorted(self.by_name)

    def lines(self) -> list[bytes]:
        """A ``user`` line for each, as ACL LIST and the files have it."""
        return [b"user %s %s" % (name, self.by_name[name].describe()) for name in self.names()]

    def set_default_password(self, password: bytes) -> None:
        """``requirepass``: the default user's one password; empty for none."""
        user = self.default.copy()
        user.apply(b"resetpass", self.all_channels)
        user.apply(b">" + password if password else b"nopass", self.all_channels)
        self.by_name[DEFAULT_USER] = user


def _shown(word: bytes) -> str:
    return word.partition(b"\0")[0].decode("latin-1")
