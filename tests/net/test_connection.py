"""The hot path and the strict parser give the same, however the bytes are cut into chunks."""

from __future__ import annotations

import random
import socket
from collections.abc import Iterator

import hiredis
import pytest

from durable_redis.keyspace.scan import walk_all
from durable_redis.net.connection import Connection
from durable_redis.net.reactor import Reactor
from durable_redis.objects.string import string_data
from storage.wal.recovery import LogReader
from tests.support.whole_engine import WholeEngine


def command(*words: bytes) -> bytes:
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words)


PIPELINE = b"".join(
    (
        command(b"SET", b"a", b"1"),
        command(b"INCR", b"a"),
        command(b"GET", b"a"),
        command(b"set", b"{tag}b", b"two\r\n*3\r\n$3\r\nSET"),
        command(b"GET", b"{tag}b"),
        b"*0\r\n",
        b"PING\r\n",
        command(b"APPEND", b"a", b":0\r\n"),
        command(b"GeT", b"a"),
        command(b"SELECT", b"3"),
        command(b"SET", b"c", b""),
        command(b"GET", b"nothing"),
        command(b"NOSUCH", b"x"),
        command(b"MSET", b"m1", b"x", b"m2", b"y"),
        command(b"GET", b"m2"),
        command(b"SET", b"c", b"ab:0"),
    )
)


class Wire:
    """One connection of a whole engine; what it is given never touches the socket."""

    def __init__(self) -> None:
        self.whole = WholeEngine()
        self.reactor = Reactor(self.whole.engine)
        self.ours, self.theirs = socket.socketpair()
        client = self.whole.engine.connect("x:1", "y:1", self.ours.fileno())
        self.connection = Connection(self.reactor, self.ours, client)

    def feed(self, data: bytes) -> None:
        self.whole.engine.begin_batch()
        self.connection.receive(data)
        self.whole.engine.commit()

    def replies(self) -> bytes:
        data = b"".join(self.connection.client.out)
        self.connection.client.out.clear()
        return data

    def state(self) -> dict[tuple[int, bytes], bytes]:
        keyspace = self.whole.engine.keyspace
        found = {}
        for index in range(4):
            db = keyspace.database(index)
            for seen in walk_all(db):
                value = db.find(seen.key)
                assert value is not None
                found[index, seen.key] = bytes(string_data(value))
        return found

    def close(self) -> None:
        self.ours.close()
        self.theirs.close()
        self.reactor.workers.close()


@pytest.fixture
def wire() -> Iterator[Wire]:
    made = Wire()
    yield made
    made.close()


def logged(wire: Wire) -> list[list[bytes]]:
    """The effects in the log, read as a replica would read them: strictly."""
    disk = wire.whole.engine.log.disk
    log = wire.whole.engine.log
    payload = b"".join(f.payload for f in LogReader(disk, log.directory, log.log_id, 0).frames())
    reader = hiredis.Reader()
    reader.feed(payload)
    found = []
    while (effect := reader.gets()) is not False:
        assert all(type(word) is bytes for word in effect)
        found.append([effect[0].upper(), *effect[1:]])
    assert not reader.has_data()
    return found


def test_every_cut_gives_the_same(wire: Wire) -> None:
    wire.feed(PIPELINE)
    expected = wire.replies(), wire.state(), logged(wire)
    assert expected[0].count(b"+OK") == 6
    for at in range(1, len(PIPELINE)):
        cut = Wire()
        cut.feed(PIPELINE[:at])
        cut.feed(PIPELINE[at:])
        assert (cut.replies(), cut.state(), logged(cut)) == expected, f"cut at {at}"
        cut.close()


def test_byte_by_byte(wire: Wire) -> None:
    whole = Wire()
    whole.feed(PIPELINE)
    for at in range(len(PIPELINE)):
        wire.feed(PIPELINE[at : at + 1])
    assert (wire.replies(), wire.state(), logged(wire)) == (whole.replies(), whole.state(), logged(whole))
    whole.close()


@pytest.mark.parametrize(
    "element",
    [
        b"+v",
        b":1",
        b"$-1",
        b"*1\r\n$1\r\nv",
        b"_",
        b"#t",
        b",1.5",
        b"(12",
        b"=5\r\ntxt:v",
        b"-e",
        b"*0",
        b"~0",
    ],
)
def test_only_bulk_strings_are_arguments(wire: Wire, element: bytes) -> None:
    """What hiredis would take, Redis refuses; nothing of such a command is executed or logged."""
    wire.feed(command(b"SET", b"k", b"v") + b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n" + element + b"\r\n")
    replies = wire.replies()
    assert replies.startswith(b"+OK\r\n-ERR Protocol error: ")
    assert wire.connection.client.closing
    assert wire.state() == {(0, b"k"): b"v"}
    assert logged(wire)[-1] == [b"SET", b"k", b"v"]


@pytest.mark.parametrize("header", [b"*1000000000\r\n", b"*2147483648\r\n", b"*99999999999999999999\r\n"])
def test_a_huge_array_is_refused_without_memory_for_it(wire: Wire, header: bytes) -> None:
    wire.feed(command(b"SET", b"k", b"v") + header)
    assert b"invalid multibulk length" in wire.replies()
    assert wire.connection.client.closing


def test_no_command_gets_through_before_auth() -> None:
    wire = Wire()
    wire.connection.client.authenticated = False
    wire.whole.engine.refresh(wire.connection.client)
    wire.feed(command(b"SET", b"k", b"v") * 3)
    assert wire.replies() == b"-NOAUTH Authentication required.\r\n" * 3
    assert wire.state() == {}
    wire.close()


def test_the_rest_of_a_deep_pipeline_is_found(wire: Wire) -> None:
    data = b"".join(command(b"SET", b"key%d" % n, b"\r\n*1\r\n$4\r\nPING\r\n") for n in range(200))
    wire.feed(data[:5000])
    wire.feed(data[5000:])
    assert wire.replies() == b"+OK\r\n" * 200
    assert len(wire.state()) == 200


def test_no_bytes_raise() -> None:
    """Seeded mutations of pipelines: answers or a protocol error, never an exception."""
    rng = random.Random(11)
    pieces = [*b"% ~ > | * $ : + - _ #t , ( = !".split(), b"\r\n"]
    pieces += [b"1", b"2", b"9", b"99999999", b"\n", b"GET", b"\0", b"\r\n%1\r\n$1\r\na\r\n$1\r\nb\r\n"]
    for _ in range(1500):
        data = bytearray(PIPELINE[: rng.randrange(len(PIPELINE))])
        for _ in range(rng.randrange(1, 6)):
            at = rng.randrange(len(data) + 1)
            data[at : at + rng.randrange(3)] = b"".join(rng.choices(pieces, k=rng.randrange(1, 4)))
        wire = Wire()
        wire.feed(bytes(data))
        for effect in logged(wire):
            assert effect[0] in (b"SET", b"INCR", b"APPEND", b"MSET", b"SELECT"), bytes(data)
        wire.close()


def test_junk_behind_a_bulk_string_does_not_reach_the_log(wire: Wire) -> None:
    """Redis does not look at the two bytes behind a bulk string either; a replica would be misled by them."""
    wire.feed(b"*3\r\n$3\r\nSETxx$1\r\nkyy$1\r\nv\r\n" * 2)
    assert wire.replies() == b"+OK\r\n" * 2
    log = wire.whole.engine.log
    payload = b"".join(f.payload for f in LogReader(log.disk, log.directory, log.log_id, 0).frames())
    assert payload == command(b"SET", b"k", b"v") * 2


def test_a_chunk_that_only_hiredis_understands_is_a_protocol_error(wire: Wire) -> None:
    wire.feed(command(b"SET", b"a", b"1") + b"*2\r\n$4\r\nINCR_=(5\r\n$1\r\na\r\n" + command(b"PING")[:9])
    assert b"Protocol error" in wire.replies()
    assert wire.connection.client.closing
