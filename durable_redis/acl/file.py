"""The file of users (``aclfile``): a ``user`` line each, read as a whole or not at all.

There are no comments.  ACL LOAD tells of every wrong line at once, in redis-server 7.0.15's words.
"""

from __future__ import annotations

from durable_redis.acl.selector import UNKNOWN_COMMAND, RuleError, has_blanks, merge_selectors
from durable_redis.acl.users import DEFAULT_USER, User, Users

NOTHING_CHANGED = "WARNING: ACL errors detected, no change to the previously active ACL rules was performed"


class AclFileError(Exception):
    """Lines are wrong; the text tells of all of them."""


def parse_users(users: Users, path: str, text: bytes) -> dict[bytes, User]:
    """The users of a file's text, with a default user if it has none.  Raises :class:`AclFileError`."""
    found: dict[bytes, User] = {}
    errors: list[str] = []
    for number, raw in enumerate(text.split(b"\n"), 1):
        words = raw.strip(b" \t\r\n").split(b" ")
        if words == [b""]:
            continue
        place = f"{path}:{number}"
        if words[0] != b"user" or len(words) < 2:
            errors.append(f"{place} should start with user keyword followed by the username. ")
        elif has_blanks(words[1]):
            errors.append(f"'{place}: username '{_shown(words[1])}' contains invalid characters. ")
        elif words[1] in found:
            errors.append(f"WARNING: Duplicate user '{_shown(words[1])}' found on line {number}. ")
        else:
            user = found[words[1]] = users.new(words[1])
            errors += _apply(user, words[2:], place, users.all_channels)
    if errors:
        raise AclFileError("".join([*errors, NOTHING_CHANGED]))
    if DEFAULT_USER not in found:
        found[DEFAULT_USER] = users.new_default()
    return found


def _apply(user: User, words: list[bytes], place: str, all_channels: bool) -> list[str]:
    """Apply a line's rules; what is wrong with them.  Of errors that may tell a password, only the first."""
    merged, unclosed = merge_selectors(words)
    if unclosed is not None:
        return [f"{place}: Unmatched parenthesis in selector definition."]
    errors: list[str] = []
    told = False
    for rule in merged:
        try:
            user.apply(rule.strip(b"\t\r\n"), all_channels)
        except RuleError as error:
            if str(error) == UNKNOWN_COMMAND:
                errors.append(f"{place}: Error in applying operation '{_shown(rule)}': {error}. ")
            elif not told:
                errors.append(f"{place}: {error}. ")
                told = True
    return errors


def _shown(word: bytes) -> str:
    return word.partition(b"\0")[0].decode("latin-1")
