"""Passwords: kept as SHA-256 in hex, and compared in a time that says nothing.

Every check hashes what it was given and compares it with each stored digest by ``hmac.compare_digest``; a
user that does not exist, or has no password, costs the comparison with one that nobody has.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from hashlib import sha256
from typing import Final

DIGEST_LENGTH: Final = 64
_HEX: Final = frozenset(b"0123456789abcdef")
_NOBODYS: Final = b"0" * DIGEST_LENGTH


def digest_of(password: bytes) -> bytes:
    """The SHA-256 of a password in lower-case hex."""
    return sha256(password).hexdigest().encode()


def is_digest(text: bytes) -> bool:
    """Whether a text is 64 lower-case hex digits."""
    return len(text) == DIGEST_LENGTH and _HEX.issuperset(text)


def is_right(password: bytes, digests: Sequence[bytes]) -> bool:
    """Whether the password has one of the digests; all are looked at, and one if there are none."""
    given = digest_of(password)
    right = False
    for digest in digests or (_NOBODYS,):
        right |= hmac.compare_digest(given, digest)
    return right and bool(digests)
