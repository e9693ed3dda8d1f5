"""The registry of subscriptions: who gets what, in which order, and that nothing is left of who has gone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from durable_redis.commands.session import REPLY_OFF, Client, Kept
from durable_redis.engine.pubsub import PubSub, channel_predicate
from durable_redis.keyspace.keyspace import Keyspace
from storage.backends.memory import MemoryBackend

NAMES = st.sampled_from([b"", b"a", b"ab", b"*", b"a*", b"?"])


def make_clients(count: int, protocol: int = 2) -> list[Client]:
    keyspace = Keyspace(MemoryBackend(), "0" * 40, 1)
    clients = [Client(number, keyspace.database(0), None) for number in range(count)]
    for client in clients:
        client.protocol = protocol
    return clients


def test_receivers_are_counted_once_for_each_way() -> None:
    pubsub = PubSub(set())
    a, b = make_clients(2)
    pubsub.subscribe(a, b"c")
    pubsub.subscribe(b, b"c")
    pubsub.subscribe_pattern(a, b"c*")
    pubsub.subscribe_pattern(a, b"?")
    pubsub.subscribe_shard(b, b"c")
    assert pubsub.publish(b"c", b"m") == 4
    assert pubsub.publish(b"cc", b"m") == 1
    assert pubsub.publish(b"x", b"m") == 1
    assert pubsub.publish(b"xx", b"m") == 0
    assert pubsub.publish_to_shard(b"c", b"m") == 1
    assert pubsub.publish_to_shard(b"cc", b"m") == 0
    assert pubsub.pushed == {a, b}
    assert [piece.split(b"\r\n")[2] for piece in a.out] == [b"message", *[b"pmessage"] * 4]
    assert [piece.split(b"\r\n")[2] for piece in b.out] == [b"message", b"smessage"]


def test_bytes_are_shared_and_encoded_by_protocol() -> None:
    pubsub = PubSub(set())
    old, older = make_clients(2)
    new, newer = make_clients(2, protocol=3)
    for client in (old, new, older, newer):
        pubsub.subscribe(client, b"c")
    assert pubsub.publish(b"c", b"m") == 4
    assert old.out == [b"*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\nm\r\n"]
    assert new.out == [b">3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\nm\r\n"]
    assert old.out[0] is older.out[0]
    assert new.out[0] is newer.out[0]


def test_messages_come_when_replies_are_off() -> None:
    pubsub = PubSub(set())
    (client,) = make_clients(1)
    client.reply_mode = REPLY_OFF
    pubsub.subscribe(client, b"c")
    pubsub.publish(b"c", b"m")
    pubsub.push(client, b"x")
    assert [type(piece) for piece in client.out] == [Kept, Kept]


@pytest.mark.parametrize(
    ("pattern", "channel", "fits"),
    [
        (b"*", b"x", True),
        (b"*", b"", False),
        (b"**", b"", False),
        (b"", b"", True),
        (b"", b"x", False),
        (b"x", b"x", True),
        (b"[ab]*", b"b1", True),
    ],
)
def test_patterns(pattern: bytes, channel: bytes, fits: bool) -> None:
    assert channel_predicate(pattern)(channel) is fits


@given(st.lists(st.tuples(st.sampled_from(["subscribe", "unsubscribe", "leave"]), st.integers(0, 2), NAMES)))
def test_nothing_is_left(steps: list[tuple[str, int, bytes]]) -> None:
    """Whatever happens: both sides of the registry agree, and are empty when everybody has left."""
    pubsub = PubSub(set())
    clients = make_clients(3)
    for verb, number, name in steps:
        client = clients[number]
        if verb == "leave":
            pubsub.leave(client)
            continue
        for kind in ("", "_shard", "_pattern"):
            getattr(pubsub, verb + kind)(client, name)
        known = client.subscriptions
        assert known is None or not known.empty
        assert (client in pubsub.channels.get(name, ())) is (verb == "subscribe")
        assert (name in pubsub.patterns) is any(
            other.subscriptions is not None and name in other.subscriptions.patterns for other in clients
        )
    for client in clients:
        pubsub.leave(client)
        assert client.subscriptions is None
    assert (pubsub.channels, pubsub.shard_channels, pubsub.patterns) == ({}, {}, {})
