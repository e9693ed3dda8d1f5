"""Keyspace, checkpoints and log together, crashed after every disk call.

A seeded driver applies random effects in batches, with checkpoints whose slices are mixed in between.  After
the crash the state is that of some batch boundary, and no acknowledged batch is missing: nothing is lost,
half-applied or applied twice.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from durable_redis.engine.recovery import StorageOptions, recover
from durable_redis.keyspace.checkpoint import Checkpoint
from durable_redis.keyspace.database import Database
from durable_redis.keyspace.effects import MANY_DATABASES, Effect
from durable_redis.keyspace.keyspace import Keyspace
from durable_redis.keyspace.scan import walk_all
from durable_redis.objects import counted_tree
from durable_redis.objects.collection import Collection
from durable_redis.objects.entry import Value, expires_of
from durable_redis.objects.hash import Hash
from durable_redis.objects.hash_timed import HasDeadlines
from durable_redis.objects.limits import EncodingLimits
from durable_redis.objects.list import List
from durable_redis.objects.set import Set
from durable_redis.objects.sorted_set import SortedSet
from durable_redis.objects.stream import Stream
from durable_redis.objects.stream_groups import Group
from durable_redis.objects.string import string_data
from storage.wal.log import payload_of
from tests.support.simbackend import SimBackend
from tests.support.simdisk import Crash, SimDisk
from tools.check import check_backend

LOG_ID = "ab" * 20
LIMITS = EncodingLimits(compact_entries=4, stream_node_entries=3)
OPTIONS = StorageOptions("", "simulated", 4, 8192, 0, 0, limits=LIMITS)
KEYS = [b"k%d" % number for number in range(12)] + [b"{tag}%d" % number for number in range(4)]


@pytest.fixture(autouse=True)
def _small_collections_are_expanded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a dozen elements are many here."""
    monkeypatch.setattr(counted_tree, "LEAF_ITEMS_MAX", 3)
    monkeypatch.setattr(counted_tree, "CHILDREN_MAX", 3)


State = dict[tuple[int, bytes], tuple[object, int]]


def state_of(keyspace: Keyspace) -> State:
    found: State = {}
    for index in range(keyspace.database_count):
        db = keyspace.database(index)
        seen = 0
        for key in walk_all(db, 3):
            value = db.find(key.key)
            assert value is not None
            assert key.expires_ms == expires_of(value)
            found[index, key.key] = (content_of(value), key.expires_ms)
            seen += 1
        assert seen == db.size, f"db {index}: {seen} keys, size {db.size}"
        assert db.expires == sum(1 for (i, _), (_, ms) in found.items() if i == index and ms)
    return found


def content_of(value: Value) -> object:
    if isinstance(value, Hash):
        content = dict(value.items())
        assert len(content) == len(value)
        assert value.payload_bytes == sum(len(field) + len(data) for field, data in content.items())
        deadlines = {}
        if isinstance(value, HasDeadlines):
            deadlines = {field: value.deadline(field) for field in content}
            assert value.next_ms == min(filter(None, deadlines.values()), default=0)
        return content, {field: ms for field, ms in deadlines.items() if ms}
    if isinstance(value, Set):
        members = set(value)
        assert len(members) == len(value)
        return members
    if isinstance(value, List):
        elements = list(value.slice(0, len(value)))
        assert len(elements) == len(value)
        return elements
    if isinstance(value, SortedSet):
        order = list(value.slice(0, len(value)))
        assert order == sorted(order)
        assert len(order) == len(value)
        assert all(value.score(member) == score for score, member in order)
        return order
    if isinstance(value, Stream):
        groups = {
            name: (
                (group.last_id, group.entries_read),
                [(id, found.consumer.name, found.delivered_ms, found.count) for id, found in group.range()],
                [(one.name, one.seen_ms, list(one.pending())) for one in group.consumers_by_name()],
            )
            for name, group in value.groups.items()
        }
        entries = list(value.range())
        assert len(entries) == len(value)
        return entries, groups, value.last_id, value.max_deleted_id, value.entries_added
    return bytes(string_data(value))


class Driver:
    """Applies effects and remembers the state after each batch."""

    def __init__(self, disk: SimDisk, committed: dict[bytes, bytes], seed: int) -> None:
        self.rng = random.Random(seed)
        self.backend = SimBackend(disk, committed)
        created = not committed and not disk.files
        self.keyspace, self.log, _, _ = recover(disk, "wal", self.backend, LOG_ID, OPTIONS, 0, created)
        self.keyspace.sink = self.sink
        self.states = [state_of(self.keyspace)]
        self.acknowledged = 0
        self.checkpoint: Checkpoint | None = None
        self.slices: Iterator[None] | None = None

    def sink(self, db: int, effect: Effect) -> None:
        self.log.append(db, payload_of((effect,)))
        self.log.mixed |= effect[0] in MANY_DATABASES

    def run(self, batches: int) -> None:
        for number in range(batches):
            for _ in range(self.rng.randint(1, 4)):
                self.apply_something()
            self.states.append(state_of(self.keyspace))
            self.log.write(number)
            if self.rng.random() < 0.7:
                self.log.sync()
                self.acknowledged = len(self.states) - 1
            self.advance_checkpoint()
            if self.log.wants_spare and self.rng.random() < 0.2:
                self.log.finish_spare(self.log.spare_job(self.log.release(self.keyspace.state.position, 0))())

    def apply_something(self) -> None:
        rng, keyspace = self.rng, self.keyspace
        db = keyspace.database(rng.randrange(3))
        key, other = rng.choice(KEYS), rng.choice(KEYS)
        kind = rng.randrange(42)
        old = db.find(key)
        exists = old is not None
        if rng.random() < 0.05:
            self.keyspace.memory.shrink()
        if 4 < kind < 8 and isinstance(old, Collection):
            return
        if kind < 4:
            keyspace.apply(db, (b"SET", key, b"%d" % rng.randrange(1000)))
        elif kind == 4:
            keyspace.apply(
                db, (b"SET", key, b"v%d" % rng.randrange(9), b"PXAT", b"%d" % rng.randrange(9000, 9005))
            )
        elif kind == 5:
            keyspace.apply(db, (b"APPEND", key, b"%d" % rng.randrange(10)))
        elif kind == 6:
            keyspace.apply(db, (b"SETBIT", key, b"%d" % rng.randrange(90), b"1"))
        elif kind == 7:
            keyspace.apply(db, (b"SETRANGE", key, b"%d" % rng.randrange(20), b"xyz"))
        elif kind == 8 and exists:
            keyspace.apply(db, (b"PEXPIREAT", key, b"%d" % rng.randrange(9000, 9005)))
        elif kind == 9 and exists:
            keyspace.apply(db, (b"PERSIST", key))
        elif kind == 10 and exists:
            keyspace.apply(db, (b"RENAME", key, other))
        elif kind == 11 and exists:
            target = rng.randrange(3)
            if target == db.index or keyspace.database(target).find(key) is None:
                name = b"COPY" if target == db.index or rng.random() < 0.5 else b"MOVE"
                words = (
                    (name, key, b"%d" % target)
                    if name == b"MOVE"
                    else (name, key, other, b"DB", b"%d" % target, b"REPLACE")
                )
                if not (name == b"COPY" and target == db.index and key == other):
                    keyspace.apply(db, words)
        elif kind == 12 and exists:
            keyspace.apply(db, (b"DEL", key))
        elif kind in (14, 15, 16, 17) and (not exists or isinstance(old, Hash)):
            fields = [b"f%d" % rng.randrange(12) for _ in range(rng.randint(1, 5))]
            if kind == 16 and isinstance(old, Hash):
                there = [field for field in dict.fromkeys(fields) if old.get(field) is not None]
                count = b"%d" % len(there)
                if there and rng.random() < 0.7:
                    deadline = b"%d" % rng.randrange(9000, 9005)
                    keyspace.apply(db, (b"HPEXPIREAT", key, deadline, b"FIELDS", count, *there))
                elif there:
                    keyspace.apply(db, (b"HPERSIST", key, b"FIELDS", count, *there))
            elif kind < 17 or not exists:
                pairs = [word for field in fields for word in (field, b"%d" % rng.randrange(100))]
                keyspace.apply(db, (b"HSET", key, *pairs))
            else:
                keyspace.apply(db, (b"HDEL", key, *fields))
        elif kind in (18, 19, 20, 21) and (not exists or isinstance(old, Set)):
            members = [b"m%d" % rng.randrange(12) for _ in range(rng.randint(1, 5))]
            keyspace.apply(db, (b"SADD" if kind < 21 or not exists else b"SREM", key, *members))
        elif 22 <= kind < 26 and (not exists or isinstance(old, SortedSet)):
            members = [b"m%d" % rng.randrange(12) for _ in range(rng.randint(1, 5))]
            if kind < 25 or not exists:
                pairs = [word for member in members for word in (b"%d" % rng.randrange(9), member)]
                keyspace.apply(db, (b"ZADD", key, *pairs))
            else:
                keyspace.apply(db, (b"ZREM", key, *members))
        elif 26 <= kind < 34 and (not exists or isinstance(old, List)):
            self.apply_to_list(db, key, old)
        elif kind >= 34 and (not exists or isinstance(old, Stream)):
            keyspace.apply(db, self.change_of_stream(key, old))
        elif kind == 13 and rng.random() < 0.4:
            keyspace.apply(db, rng.choice(((b"FLUSHDB",), (b"FLUSHALL",), (b"SWAPDB", b"0", b"1"))))

    def apply_to_list(self, db: Database, key: bytes, old: Value | None) -> None:
        rng = self.rng
        elements = [b"e%d" % rng.randrange(100) for _ in range(rng.randint(1, 5))]
        if not isinstance(old, List) or rng.random() < 0.5:
            self.keyspace.apply(db, (rng.choice((b"LPUSH", b"RPUSH")), key, *elements))
            return
        size = len(old)
        index = rng.randrange(size)
        start, stop = sorted((rng.randrange(size), rng.randrange(size)))
        words: tuple[bytes, ...] = rng.choice(
            (
                (b"LPOP", key, b"%d" % rng.randint(1, 4)),
                (b"RPOP", key, b"%d" % rng.randint(1, 4)),
                (b"LSET", key, b"%d" % index, elements[0]),
                (b"LINSERT", key, rng.choice((b"BEFORE", b"AFTER")), old.get(index), elements[0]),
                (b"LREM", key, b"%d" % rng.randint(-2, 2), old.get(index)),
                (b"LTRIM", key, b"%d" % start, b"%d" % stop),
                (b"LMOVE", key, key, b"LEFT", b"RIGHT"),
            )
        )
        self.keyspace.apply(db, words)

    def change_of_stream(self, key: bytes, old: Value | None) -> tuple[bytes, ...]:
        rng = self.rng
        name, consumer = rng.choice((b"g1", b"g2")), rng.choice((b"c1", b"c2"))
        if not isinstance(old, Stream):
            make = (b"XGROUP", b"CREATE", key, name, b"0-0", b"MKSTREAM", b"ENTRIESREAD", b"0")
            return rng.choice(((b"XADD", key, b"1-1", b"f", b"v"), make))
        ms, seq = old.last_id
        entries = [id for id, _ in old.range()]
        some = [b"%d-%d" % rng.choice(entries) for _ in range(rng.randint(1, 3))] if entries else []
        choice = rng.randrange(20)
        if choice < 2 and some:
            return (b"XDEL", key, *dict.fromkeys(some))
        if choice == 2:
            return (b"XTRIM", key, b"MAXLEN", b"=", b"%d" % rng.randrange(12))
        if choice == 3 and some:
            return (b"XTRIM", key, b"MINID", b"=", some[0])
        if choice == 4:
            counters = (
                b"ENTRIESADDED",
                b"%d" % rng.randrange(100),
                b"MAXDELETEDID",
                b"%d-0" % rng.randrange(9),
            )
            return (b"XSETID", key, b"%d-%d" % (ms, seq + 1), *counters[: rng.choice((2, 4))])
        if choice < 13 and (group := old.groups.get(name)) is not None:
            return self.change_of_group(choice, key, name, group, consumer, some)
        if choice == 13 and name not in old.groups:
            return (b"XGROUP", b"CREATE", key, name, b"0-0", b"ENTRIESREAD", b"-1")
        id = b"%d-%d" % (ms + rng.randrange(1, 3), rng.randrange(3))
        return (b"XADD", key, id, b"f", b"%d" % rng.randrange(100), b"g", b"x" * rng.randrange(30))

    def change_of_group(
        self, choice: int, key: bytes, name: bytes, group: Group, consumer: bytes, some: list[bytes]
    ) -> tuple[bytes, ...]:
        """``choice`` is from 5 to 12; ``some`` are entries."""
        rng = self.rng
        time = b"%d" % rng.randrange(100)
        pending = [b"%d-%d" % id for id, _ in group.range()]
        if choice < 9 and (ids := rng.choice((some, some + pending[:2]))):
            how = (b"TIME", time, b"RETRYCOUNT", b"%d" % rng.randrange(5), b"FORCE", b"JUSTID")
            return (b"XCLAIM", key, name, consumer, b"0", *dict.fromkeys(ids), *how, b"LASTID", ids[0])
        if choice in (9, 10) and pending:
            return (b"XACK", key, name, *rng.sample(pending, rng.randint(1, min(len(pending), 4))))
        if consumer not in group.consumers:
            return (b"XGROUP", b"CREATECONSUMER", key, name, consumer)
        if choice == 11:
            return (b"XCLAIM", key, name, consumer, b"0", b"0-0", b"TIME", time, b"JUSTID")
        destroy: tuple[bytes, ...] = (b"XGROUP", b"DESTROY", key, name)
        forget = (b"XGROUP", b"DELCONSUMER", key, name, consumer)
        back = (b"XGROUP", b"SETID", key, name, b"1-1", b"ENTRIESREAD", b"%d" % rng.randrange(5))
        return rng.choice((destroy, forget, back))

    def check(self) -> None:
        """The backend is consistent in itself, whenever it is looked at."""
        problems = check_backend(self.backend)
        assert not problems, problems

    def advance_checkpoint(self) -> None:
        rng = self.rng
        if self.checkpoint is None:
            if rng.random() < 0.3:
                batch = self.backend.batch()
                batch.begin()
                self.checkpoint = self.keyspace.begin_checkpoint(batch, self.log.written, self.log.db, 1)
                self.slices = self.checkpoint.slices()
            elif rng.random() < 0.3 and self.keyspace.sweep_pending:
                sweep = self.backend.batch()
                sweep.begin()
                for key, record in self.keyspace.sweep_changes():
                    if record is None:
                        sweep.delete(key)
                    else:
                        sweep.put(key, record)
                sweep.commit()
                self.check()
            return
        assert self.slices is not None
        for _ in range(rng.randint(1, 6)):
            if next(self.slices, self) is self:
                if rng.random() < 0.2:  # the commit fails and nothing of it is there
                    list(self.keyspace.end_checkpoint(False))
                else:
                    self.log.sync()
                    self.acknowledged = len(self.states) - 1
                    self.checkpoint.batch.commit()
                    list(self.keyspace.end_checkpoint(True))
                    self.check()
                self.checkpoint = None
                return


@pytest.mark.parametrize("seed", range(6))
def test_without_a_crash_replay_gives_the_state(seed: int) -> None:
    disk, committed = SimDisk(), {}
    driver = Driver(disk, committed, seed)
    driver.run(120)
    driver.log.close(1)
    assert state_of(Driver(disk, committed, seed).keyspace) == driver.states[-1]


@pytest.mark.parametrize("seed", range(4))
def test_crash_after_every_call(seed: int) -> None:
    probe = SimDisk()
    Driver(probe, {}, seed).run(40)
    for crash_at in range(1, probe.steps + 1):
        disk = SimDisk(crash_at=crash_at)
        committed: dict[bytes, bytes] = {}
        driver = None
        try:
            driver = Driver(disk, committed, seed)
            driver.run(40)
        except Crash:
            pass
        survivor = disk.after_crash(crash_at)
        again = Driver(survivor, committed, seed + 1)
        found = state_of(again.keyspace)
        if driver is not None:
            possible = driver.states[driver.acknowledged :]
            # The batch that was being written when the power went may be there although nobody was told.
            assert found in possible, f"seed {seed}, crash at {crash_at}"
        else:
            assert found == {}
        again.run(5)
        final = again.states[-1]
        again.log.close(1)
        assert state_of(Driver(survivor, committed, 0).keyspace) == final


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 140))
def test_random_crashes(seed: int) -> None:
    """Several crashes in a row on the same directory; some are kills, which leave the page cache."""
    rng = random.Random(seed)
    disk, committed = SimDisk(), {}
    expected: list[State] = [{}]
    for life in range(8):
        disk.crash_at = disk.steps + rng.randint(5, 400)
        driver = None
        try:
            driver = Driver(disk, committed, seed * 100 + life)
            assert driver.states[0] in expected
            driver.run(60)
        except Crash:
            pass
        if driver is not None:
            expected = driver.states[driver.acknowledged :]
        disk = disk.after_crash(seed + life) if rng.random() < 0.6 else disk.after_kill()
