"""Keyspace events inside the engine: what expires and is evicted, changes in parts, and the hot path."""

from __future__ import annotations

from typing import Any

import pytest

from durable_redis.commands.session import Client
from durable_redis.engine.keyspace_events import _EVENTS, CLASSES
from durable_redis.keyspace.effects import EFFECTS
from tests.support.client import decode
from tests.support.whole_engine import WholeEngine

PATTERN = b"__key*__:*"


class Listening:
    """An engine with one more client that listens to all events."""

    def __init__(self, classes: str, **options: Any) -> None:
        self.whole = WholeEngine({"notify-keyspace-events": classes} | options)
        self.engine = self.whole.engine
        self.listener = self.engine.connect("127.0.0.1:1001", "127.0.0.1:6379", 10)
        self.engine.execute(self.listener, [b"PSUBSCRIBE", PATTERN])
        self.take(self.listener)

    def take(self, client: Client) -> list[Any]:
        """What has been sent to a client."""
        data = b"".join(client.out)
        client.out.clear()
        found, at = [], 0
        while at < len(data):
            reply, at = decode(data, at)
            found.append(reply)
        return found

    def events(self) -> list[str]:
        """The events since the last look, as ``event key``."""
        events = []
        for _, _, channel, key in self.take(self.listener):
            kind, _, event = channel.partition(b"__:")
            assert kind.startswith(b"__keyevent@")
            events.append(f"{event.decode()} {key.decode()}")
        return events

    def call(self, line: str) -> Any:
        return self.whole.call(*line.split())


def test_every_event_of_an_effect_has_a_class() -> None:
    known = frozenset().union(*CLASSES.values())
    assert set(_EVENTS.values()) <= known
    assert _EVENTS.keys() <= EFFECTS.keys()


def test_what_expires_in_the_background_is_told() -> None:
    listening = Listening("Ex")
    listening.call("SET k v PX 100")
    listening.call("SET j v PX 200")
    assert listening.events() == []
    listening.whole.clock.ms += 150
    listening.engine.begin_batch()
    listening.engine.maintenance.cron()
    listening.whole.work()
    assert listening.events() == ["expired k"]
    assert listening.engine.messages.pushed  # so the loop will send it


def test_what_is_evicted_is_told() -> None:
    listening = Listening(
        "Ee", **{"maxmemory": 1 << 20, "maxmemory-policy": "allkeys-random", "disk-reserve": 0}
    )
    for number in range(300):
        listening.whole.call("SET", f"k{number}", b"x" * 10_000)
        listening.engine.maintenance.cron()
    events = listening.events()
    assert events
    assert all(event.startswith("evicted k") for event in events)
    assert len(events) == listening.engine.keyspace.evicted_keys


def test_a_change_in_parts_is_one_event() -> None:
    listening = Listening("EA")
    words = [word for number in range(3000) for word in (b"f%d" % number, b"v")]
    listening.whole.call("HSET", "h", *words)
    assert listening.events() == ["hset h"]
    listening.whole.call("HDEL", "h", *words[::2])
    assert listening.events() == ["hdel h", "del h"]
    listening.whole.call("RPUSH", "l", *words)
    assert listening.events() == ["rpush l"]
    listening.whole.call("SORT", "l", "ALPHA", "STORE", "t")
    assert listening.events() == ["sortstore t"]
    listening.whole.call("SADD", "s", *words[::2])
    listening.whole.call("SUNIONSTORE", "t", "s")
    assert listening.events() == ["sadd s", "sunionstore t"]
    listening.whole.call("SPOP", "s", "2000")
    listening.whole.call("SPOP", "s", "2000")
    assert listening.events() == ["spop s", "spop s", "del s"]


def test_an_expanded_collection_that_is_overwritten_is_no_deletion() -> None:
    listening = Listening("EA", **{"collection-compact-entries": 4})
    listening.call("RPUSH l 1 2 3 4 5 6 7 8")
    listening.call("SET l v")
    assert listening.events() == ["rpush l", "set l"]
    listening.call("RPUSH m 1 2 3 4 5 6 7 8")
    listening.call("DEL m")
    assert listening.events() == ["rpush m", "del m"]


@pytest.mark.parametrize(
    ("classes", "reads", "writes"),
    [
        ("", True, True),
        ("E", True, True),
        ("xge", True, True),  # neither K nor E
        ("Exget", True, True),
        ("E$", True, False),
        ("KA", True, False),
        ("Kn", True, False),
        ("Em", False, True),
    ],
)
def test_the_hot_path_keeps_what_is_no_event(classes: str, reads: bool, writes: bool) -> None:
    listening = Listening(classes)
    table = listening.engine.fast.tables[2]
    assert (b"GET" in table, b"SET" in table) == (reads, writes)


def test_nothing_is_looked_at_without_classes() -> None:
    engine = WholeEngine().engine
    assert engine.keyspace.before is None
    assert engine.keyspace.notify is None
    assert engine.keyspace.sink == engine._log_effect
