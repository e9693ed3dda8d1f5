"""Passwords: the comparison takes the constant-time path whatever the user."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from durable_redis.acl import passwords
from durable_redis.acl.catalog import Catalog
from durable_redis.acl.passwords import digest_of, is_digest, is_right
from durable_redis.acl.users import Users
from durable_redis.commands import build_commands


@pytest.fixture
def compared(monkeypatch: pytest.MonkeyPatch) -> list[tuple[bytes, bytes]]:
    """The pairs that were compared in constant time."""
    pairs: list[tuple[bytes, bytes]] = []
    compare: Callable[[bytes, bytes], bool] = passwords.hmac.compare_digest

    def noting(one: bytes, other: bytes) -> bool:
        pairs.append((one, other))
        return compare(one, other)

    monkeypatch.setattr(passwords.hmac, "compare_digest", noting)
    return pairs


@pytest.mark.parametrize("name", [b"bob", b"off", b"open", b"nobody"])
@pytest.mark.parametrize("password", [b"right", b"righ", b"", b"x" * 1000])
def test_every_check_compares_digests_of_one_length(
    name: bytes, password: bytes, compared: list[tuple[bytes, bytes]]
) -> None:
    users = Users(Catalog(build_commands()))
    users.by_name[b"bob"] = users.changed(b"bob", [b"on", b">right"])
    users.by_name[b"off"] = users.changed(b"off", [b"off", b">right"])
    users.by_name[b"open"] = users.changed(b"open", [b"on", b"nopass"])
    right = users.authenticates(name, password)
    assert right == (name == b"open" or (name == b"bob" and password == b"right"))
    assert [(len(one), len(other)) for one, other in compared] == [(64, 64)]


def test_all_passwords_are_looked_at(compared: list[tuple[bytes, bytes]]) -> None:
    digests = [digest_of(word) for word in (b"a", b"b", b"c")]
    assert is_right(b"a", digests)
    assert len(compared) == 3
    assert not is_right(b"d", digests)
    assert len(compared) == 6
    assert not is_right(b"a", [])


@pytest.mark.parametrize("text", [b"", b"0" * 63, b"0" * 65, b"A" * 64, b"g" * 64])
def test_what_is_no_digest(text: bytes) -> None:
    assert not is_digest(text)
