"""Deadlines of hash fields (HEXPIRE and its family), in every form of a hash, over time and restarts.

redis-server 7.0 does not know these commands, so a model stands in for it: each field with its value and when
it goes.  Replies are those of https://redis.io/docs/latest/commands/hexpire/ and its neighbours.
"""

from __future__ import annotations

import random
from typing import Any

import pytest

from tests.support.client import ErrorReply
from tests.support.whole_engine import START_MS, WholeEngine
from tools.check import check_backend

FORMS: dict[str, dict[str, Any]] = {
    "compact": {},
    "expanded": {"collection-compact-entries": 1},
    "growing": {"collection-compact-entries": 6},
}
NAMES = [b"f%d" % number for number in range(14)]


def fields(*names: bytes | str) -> tuple[bytes | str | int, ...]:
    return ("FIELDS", len(names), *names)


@pytest.fixture(params=FORMS)
def whole(request: pytest.FixtureRequest) -> WholeEngine:
    return WholeEngine(FORMS[request.param])


def test_setting_and_looking(whole: WholeEngine) -> None:
    whole.call("HSET", "h", "a", 1, "b", 2, "c", 3)
    assert whole.call("HEXPIRE", "h", 10, *fields("a", "nothing", "b")) == [1, -2, 1]
    assert whole.call("HTTL", "h", *fields("a", "c", "nothing")) == [10, -1, -2]
    assert whole.call("HPTTL", "h", *fields("a", "b")) == [10_000, 10_000]
    assert whole.call("HEXPIRETIME", "h", *fields("a", "c")) == [START_MS // 1000 + 10, -1]
    assert whole.call("HPEXPIREAT", "h", START_MS + 1, *fields("c")) == [1]
    assert whole.call("HPEXPIRETIME", "h", *fields("c")) == [START_MS + 1]
    assert whole.call("HTTL", "h", *fields("c")) == [1]
    assert whole.call("HPERSIST", "h", *fields("a", "a", "nothing")) == [1, -1, -2]
    assert whole.call("HTTL", "h", *fields("a")) == [-1]
    assert whole.call("HEXPIREAT", "h", 1, *fields("b", "b")) == [2, -2]
    assert sorted(whole.call("HKEYS", "h")) == [b"a", b"c"]
    for name in ("HTTL", "HPTTL", "HEXPIRETIME", "HPEXPIRETIME", "HPERSIST"):
        assert whole.call(name, "none", *fields("a", "b")) == [-2, -2]
    assert whole.call("HEXPIRE", "none", 1, *fields("a", "b")) == [-2, -2]
    assert whole.call("EXISTS", "none") == 0


def test_conditions(whole: WholeEngine) -> None:
    whole.call("HSET", "h", "timed", 1, "plain", 2)
    whole.call("HPEXPIRE", "h", 5000, *fields("timed"))
    both = fields("timed", "plain")

    def attempt(time_ms: int, condition: str) -> list[int]:
        done: list[int] = whole.call("HPEXPIRE", "h", time_ms, condition, *both)
        whole.call("HPERSIST", "h", *fields("plain"))
        whole.call("HPEXPIRE", "h", 5000, *fields("timed"))
        return done

    assert attempt(9000, "NX") == [0, 1]
    assert attempt(9000, "xx") == [1, 0]
    assert attempt(9000, "GT") == [1, 0]
    assert attempt(5000, "GT") == [0, 0]
    assert attempt(9000, "LT") == [0, 1]
    assert attempt(1, "LT") == [1, 1]


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("HEXPIRE h 1 FIELDS 1", "ERR wrong number of arguments for 'hexpire' command"),
        ("HEXPIRE h x FIELDS 1 a", "ERR value is not an integer or out of range"),
        ("HEXPIRE h -1 FIELDS 1 a", "ERR invalid expire time, must be >= 0"),
        ("HEXPIRE h 70368744178 FIELDS 1 a", "ERR invalid expire time in 'hexpire' command"),
        ("HPEXPIREAT h 70368744177664 FIELDS 1 a", "ERR invalid expire time in 'hpexpireat' command"),
        ("HEXPIRE h 1 a b c d", "ERR Mandatory argument FIELDS is missing or not at the right position"),
        ("HEXPIRE h 1 NX a 1 a", "ERR Mandatory argument FIELDS is missing or not at the right position"),
        ("HEXPIRE h 1 FIELDS 0 a", "ERR Parameter `numFields` should be greater than 0"),
        ("HEXPIRE h 1 FIELDS 2 a", "ERR The `numfields` parameter must match the number of arguments"),
        ("HEXPIRE none 1 FIELDS 2 a", "ERR The `numfields` parameter must match the number of arguments"),
        ("HTTL h NOFIELDS 1 a", "ERR Mandatory argument FIELDS is missing or not at the right position"),
        ("HTTL h FIELDS x a", "ERR Number of fields must be a positive integer"),
        ("HPERSIST h FIELDS 1 a b", "ERR The `numfields` parameter must match the number of arguments"),
        ("HTTL text FIELDS 1 a", "WRONGTYPE Operation against a key holding the wrong kind of value"),
    ],
)
def test_errors(line: str, error: str) -> None:
    whole = WholeEngine()
    whole.call("HSET", "h", "a", 1)
    whole.call("SET", "text", "x")
    assert whole.call(*line.split()) == ErrorReply(error.encode())


def test_what_is_written_anew_stays(whole: WholeEngine) -> None:
    whole.call("HSET", "h", "a", 1, "b", 2, "c", 3, "d", 4)
    whole.call("HEXPIRE", "h", 10, *fields("a", "b", "c", "d"))
    whole.call("HSET", "h", "a", 5)
    whole.call("HINCRBY", "h", "b", 5)
    whole.call("HINCRBYFLOAT", "h", "c", "0.5")
    whole.call("HDEL", "h", "d")
    whole.call("HSET", "h", "d", 4)
    assert whole.call("HTTL", "h", *fields("a", "b", "c", "d")) == [-1, 10, 10, -1]
    assert whole.call("HMGET", "h", "a", "b", "c", "d") == [b"5", b"7", b"3.5", b"4"]
    whole.clock.ms += 10_000
    assert whole.call("HMGET", "h", "a", "b", "c", "d") == [b"5", None, None, b"4"]
    assert whole.call("HINCRBY", "h", "b", 5) == 5
    assert whole.call("HTTL", "h", *fields("b")) == [-1]
    assert whole.call("HSETNX", "h", "c", 1) == 1


@pytest.mark.parametrize("cold", [False, True])
def test_the_last_field_takes_the_key_along(whole: WholeEngine, cold: bool) -> None:
    whole.call("HSET", "h", "a", 1, "b", 2)
    whole.call("HPEXPIRE", "h", 1000, *fields("a", "b"))
    if cold:
        whole.make_cold()
    whole.clock.ms += 1000
    whole.call("PING")
    whole.engine.maintenance.cron()
    whole.work()
    assert whole.engine.keyspace.database(0).size == 0
    whole.checkpoint()
    assert check_backend(whole.backend) == []
    assert whole.backend.scan(b"X", b"Y", limit=10) == []


@pytest.mark.parametrize("form", FORMS)
def test_events(form: str) -> None:
    """As in Redis 7.4: hexpire, hpersist, hdel for a time that has passed, hexpired, del of the last."""
    whole = WholeEngine(FORMS[form] | {"notify-keyspace-events": "Ehg"})
    heard = whole.engine.connect("127.0.0.1:2000", "127.0.0.1:6379", 10)
    whole.engine.execute(heard, [b"PSUBSCRIBE", b"*"])
    heard.out.clear()
    whole.call("HSET", "h", "a", 1, "b", 2, "c", 3)
    whole.call("HPEXPIRE", "h", 100, *fields("a", "b", "nothing"))
    whole.call("HPEXPIRE", "h", 100, "XX", *fields("c"))
    whole.call("HPERSIST", "h", *fields("b"))
    whole.call("HPEXPIREAT", "h", 1, *fields("c"))
    whole.clock.ms += 100
    assert whole.call("HLEN", "h") == 1
    whole.call("HPEXPIREAT", "h", 1, *fields("b"))
    events = [piece.split(b"\r\n")[6].partition(b":")[2] for piece in heard.out]
    assert events == [b"hset", b"hexpire", b"hpersist", b"hdel", b"hexpired", b"hdel", b"del"]


@pytest.mark.parametrize("command", ["RENAME h other", "COPY h other", "MOVE h 3"])
def test_deadlines_go_along(whole: WholeEngine, command: str) -> None:
    whole.call("HSET", "h", *(word for name in NAMES for word in (name, 1)))
    whole.call("HPEXPIRE", "h", 1000, *fields(*NAMES[:7]))
    whole.checkpoint()
    whole.call(*command.split())
    if command.startswith("MOVE"):
        whole.call("SELECT", 3)
        whole.call("RENAME", "h", "other")
    whole.make_cold()
    assert whole.call("HPTTL", "other", *fields(NAMES[0], NAMES[7])) == [1000, -1]
    whole.clock.ms += 1000
    whole.call("PING")
    whole.engine.maintenance.cron()
    whole.work()
    assert whole.call("HLEN", "other") == 7
    whole.checkpoint()
    assert check_backend(whole.backend) == []


def test_while_nothing_may_expire_it_is_hidden(whole: WholeEngine) -> None:
    whole.call("HSET", "h", "a", 1, "b", 2, "c", 3)
    whole.call("HPEXPIRE", "h", 10, *fields("a", "b"))
    whole.call("CLIENT", "PAUSE", 1000, "WRITE")
    whole.clock.ms += 10
    assert whole.call("HMGET", "h", "a", "b", "c") == [None, None, b"3"]
    assert whole.call("HGETALL", "h") == [b"c", b"3"]
    assert whole.call("HRANDFIELD", "h", 5) == [b"c"]
    assert whole.call("HRANDFIELD", "h", -3) == [b"c"] * 3
    assert whole.call("HSCAN", "h", 0) == [b"0", [b"c", b"3"]]
    assert whole.call("HTTL", "h", *fields("a", "c")) == [-2, -1]
    assert whole.call("HLEN", "h") == 3
    whole.call("CLIENT", "UNPAUSE")
    assert whole.call("HLEN", "h") == 1


def test_many_at_once_are_removed_in_slices() -> None:
    """More than a reader removes: what is left is hidden from it, and active expiry takes it away."""
    whole = WholeEngine({"collection-compact-entries": 100})
    for number in range(0, 3000, 100):
        whole.call("HSET", "h", *(word for at in range(100) for word in (f"f{number + at}", "x")))
    whole.call("HSET", "h", "stays", "y")
    whole.call("HPEXPIRE", "h", 500, *fields(*(f"f{number}" for number in range(3000))))
    whole.make_cold()
    whole.clock.ms += 500
    assert whole.call("HGETALL", "h") == [b"stays", b"y"]
    assert whole.call("HLEN", "h") > 1
    assert whole.call("HRANDFIELD", "h", 3) == [b"stays"]
    for _ in range(20):
        whole.clock.ms += 100
        whole.call("PING")
        whole.engine.maintenance.cron()
        whole.work()
    assert whole.engine.keyspace.database(0).find(b"h") is not None
    assert whole.call("HLEN", "h") == 1
    whole.checkpoint()
    assert check_backend(whole.backend) == []


class Model:
    """What hashes should hold: for each key, by field, the value and when it goes (0: never)."""

    def __init__(self) -> None:
        self.keys: dict[bytes, dict[bytes, tuple[bytes, int]]] = {}

    def living(self, key: bytes, now_ms: int) -> dict[bytes, tuple[bytes, int]]:
        """The fields that are there now; what has gone is forgotten."""
        found = {
            field: pair for field, pair in self.keys.get(key, {}).items() if not pair[1] or pair[1] > now_ms
        }
        self.keys[key] = found
        return found


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("seed", range(4))
def test_as_a_model_says(form: str, seed: int) -> None:
    rng = random.Random(seed)
    whole, model = WholeEngine(FORMS[form]), Model()
    for step in range(600):
        key = rng.choice((b"h1", b"h2", b"h3"))
        now_ms = whole.clock.ms
        living = model.living(key, now_ms)
        names = rng.sample(NAMES, rng.randint(1, 4))
        kind = rng.randrange(13)
        if kind < 3:
            new = sum(name not in living for name in names)
            pairs = [word for name in names for word in (name, b"%d" % step)]
            assert whole.call("HSET", key, *pairs) == new
            living.update(dict.fromkeys(names, (b"%d" % step, 0)))
        elif kind < 6:
            deadline_ms = now_ms + rng.randrange(0, 300)
            expected = []
            for name in names:
                if name not in living:
                    expected.append(-2)
                elif deadline_ms <= now_ms:
                    expected.append(2)
                    del living[name]
                else:
                    expected.append(1)
                    living[name] = living[name][0], deadline_ms
            assert whole.call("HPEXPIREAT", key, deadline_ms, *fields(*names)) == expected
        elif kind == 6:
            expected = [-2 if n not in living else 1 if living[n][1] else -1 for n in names]
            assert whole.call("HPERSIST", key, *fields(*names)) == expected
            living.update({name: (living[name][0], 0) for name in names if name in living})
        elif kind == 7:
            assert whole.call("HDEL", key, *names) == sum(
                living.pop(name, None) is not None for name in names
            )
        elif kind == 8:
            whole.clock.ms += rng.randrange(0, 120)
        elif kind == 9:
            whole.call("PING")
            whole.engine.maintenance.cron()
            whole.work()
        elif kind == 10:
            rng.choice((whole.checkpoint, whole.make_cold, whole.restart))()
        elif kind == 11 and living:
            other = rng.choice((b"h1", b"h2", b"h3"))
            command = rng.choice(("RENAME", "COPY"))
            if other != key:
                whole.call(command, key, other, *(["REPLACE"] if command == "COPY" else []))
                model.keys[other] = dict(living)
                if command == "RENAME":
                    model.keys[key] = {}
        living = model.living(key, whole.clock.ms)
        found = whole.call("HGETALL", key)
        assert dict(zip(found[::2], found[1::2], strict=True)) == {f: v for f, (v, _) in living.items()}
        left = [
            -2 if n not in living else living[n][1] - whole.clock.ms if living[n][1] else -1 for n in NAMES
        ]
        assert whole.call("HPTTL", key, *fields(*NAMES)) == left
        assert whole.call("EXISTS", key) == bool(living)
    whole.checkpoint()
    assert check_backend(whole.backend) == []
