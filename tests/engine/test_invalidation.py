"""Client-side caching inside the engine: the limit of the table, the hot path, and who has left."""

from __future__ import annotations

from typing import Any

from durable_redis.commands.session import NO_FAST, Client
from tests.support.client import Push, Status, decode
from tests.support.whole_engine import WholeEngine


class Tracked:
    """An engine with one client that tracks and one that works."""

    def __init__(self, *options: bytes, **settings: Any) -> None:
        self.whole = WholeEngine({name.replace("_", "-"): value for name, value in settings.items()}, 3)
        self.engine = self.whole.engine
        self.invalidation = self.engine.messages.invalidation
        self.client = self.whole.client
        assert self.whole.call("CLIENT", "TRACKING", "ON", *options) == Status(b"OK")
        self.other = self.engine.connect("127.0.0.1:1001", "127.0.0.1:6379", 10)

    def work(self, *words: str) -> None:
        """The other client executes a command; the batch ends."""
        self.engine.begin_batch()
        self.engine.execute(self.other, [word.encode() for word in words])
        self.end_batch()
        self.other.out.clear()

    def end_batch(self) -> set[Client]:
        pushed = set(self.engine.messages.take_pushed())
        self.engine.commit()
        return pushed

    def told(self) -> list[Any]:
        """The keys that the client was told of since the last look."""
        data = b"".join(self.client.out)
        self.client.out.clear()
        keys: list[Any] = []
        at = 0
        while at < len(data):
            reply, at = decode(data, at)
            assert type(reply) is Push
            assert reply[0] == b"invalidate"
            keys += reply[1] or [None]
        return keys


def test_a_table_that_is_too_large_gives_keys_back() -> None:
    tracked = Tracked(tracking_table_max_keys=10)
    told = []
    for number in range(50):
        tracked.whole.client.out.clear()
        tracked.engine.begin_batch()
        tracked.engine.execute(tracked.client, [b"GET", b"k%d" % number])
        reply = tracked.client.out.pop(0)
        assert reply == b"_\r\n"  # what is told comes behind the reply
        told += tracked.told()
        assert tracked.invalidation.keys <= 10
    assert len(told) == 40
    assert len(set(told)) == 40
    assert tracked.invalidation.items == 10
    for number in range(50):
        tracked.work("SET", f"k{number}", "v")
    assert sorted(told + tracked.told()) == sorted(b"k%d" % number for number in range(50))
    assert tracked.invalidation.keys == tracked.invalidation.items == 0


def test_whoever_has_read_a_key_is_told_once() -> None:
    tracked = Tracked()
    others = [tracked.engine.connect(f"127.0.0.1:{port}", "127.0.0.1:6379", 11) for port in range(3)]
    for client in others:
        for line in (b"HELLO 3", b"CLIENT TRACKING ON", b"GET k", b"GET k", b"GET j"):
            tracked.engine.execute(client, line.split())
        client.out.clear()
    tracked.whole.call("MGET", "j", "j", "i")
    assert (tracked.invalidation.keys, tracked.invalidation.items) == (3, 3 + 4 + 1)
    tracked.engine.disconnect(others[0])
    tracked.work("MSET", "i", "1", "j", "2", "k", "3")
    assert tracked.told() == [b"i", b"j"]
    assert [len(client.out) for client in others] == [0, 2, 2]
    assert (tracked.invalidation.keys, tracked.invalidation.items) == (0, 0)


def test_without_a_limit_nothing_is_taken() -> None:
    tracked = Tracked(tracking_table_max_keys=0)
    for number in range(50):
        tracked.whole.call("GET", f"k{number}")
    assert tracked.invalidation.keys == 50


def test_many_keys_of_one_command_leave_bit_by_bit() -> None:
    tracked = Tracked(tracking_table_max_keys=10)
    tracked.engine.execute(tracked.client, [b"MGET", *(b"k%d" % number for number in range(1000))])
    assert tracked.invalidation.keys == 900
    for _ in range(4):
        tracked.engine.execute(tracked.client, [b"GET", b"k"])
    assert tracked.invalidation.keys == 10


def test_the_hot_path() -> None:
    tracked = Tracked()
    table = tracked.engine.fast.tables[3]
    assert tracked.client.fast is NO_FAST
    assert tracked.other.fast is tracked.engine.fast.tables[2]
    assert b"GET" in table
    assert b"SET" not in table
    assert tracked.whole.call("CLIENT", "TRACKING", "OFF") == Status(b"OK")
    assert tracked.client.fast is table
    assert b"SET" in table
    assert tracked.engine.keyspace.sink == tracked.engine._log_effect


def test_broadcasting_needs_no_table() -> None:
    tracked = Tracked(b"BCAST")
    assert tracked.client.fast is tracked.engine.fast.tables[3]
    tracked.whole.call("GET", "k")
    assert tracked.invalidation.keys == 0
    tracked.engine.execute(tracked.other, [b"SET", b"b", b"v"])
    tracked.engine.execute(tracked.other, [b"SET", b"a", b"v"])
    tracked.engine.execute(tracked.other, [b"SET", b"b", b"v"])
    assert tracked.told() == []
    assert tracked.client in tracked.end_batch()
    assert tracked.told() == [b"a", b"b"]
    assert tracked.end_batch() == set()


def test_who_leaves_is_forgotten() -> None:
    tracked = Tracked()
    tracked.whole.call("GET", "k")
    tracked.engine.execute(tracked.other, [b"CLIENT", b"TRACKING", b"ON", b"BCAST", b"PREFIX", b"p"])
    tracked.engine.execute(tracked.other, [b"SET", b"p", b"v"])
    tracked.engine.disconnect(tracked.other)
    assert not tracked.invalidation.prefixes
    tracked.end_batch()
    assert tracked.told() == []
    tracked.engine.disconnect(tracked.client)
    assert tracked.invalidation.keys == 0
    assert not tracked.engine.messages.watches_writes


def test_what_expires_or_is_evicted_is_told() -> None:
    tracked = Tracked()
    tracked.work("SET", "k", "v", "PX", "100")
    tracked.whole.call("GET", "k")
    tracked.whole.clock.ms += 150
    tracked.engine.begin_batch()
    tracked.engine.maintenance.cron()
    tracked.whole.work()
    assert tracked.told() == [b"k"]
    assert tracked.client in tracked.end_batch()

    tracked = Tracked(maxmemory=1 << 20, maxmemory_policy="allkeys-random")
    told = set()
    for number in range(200):
        tracked.work("SET", f"k{number}", "x" * 10_000)
        tracked.engine.maintenance.cron()
        told |= set(tracked.told())
        tracked.engine.execute(tracked.client, [b"STRLEN", b"k%d" % number])
        tracked.client.out.pop(0)
        told |= set(tracked.told())
    gone = {b"k%d" % number for number in range(200) if not tracked.whole.call("EXISTS", f"k{number}")}
    assert gone
    assert gone <= told


def test_swapped_databases_invalidate_everything() -> None:
    """Redis forgets this, and leaves what clients have cached as it is."""
    tracked = Tracked()
    tracked.whole.call("GET", "k")
    tracked.work("SWAPDB", "0", "1")
    assert tracked.told() == [None]
