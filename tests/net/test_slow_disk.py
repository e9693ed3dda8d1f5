"""While a sync runs in a worker, replies that show nothing of what is not durable leave; the others wait.

The worker is the test: a sync ends when the test says so.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from durable_redis.engine.background import LOG_LANE
from durable_redis.net.connection import Connection
from durable_redis.net.reactor import Reactor
from tests.support.client import encode
from tests.support.whole_engine import WholeEngine


class SlowDisk:
    """A reactor with some clients, whose syncs end on demand."""

    def __init__(self, clients: int = 3) -> None:
        self.whole = WholeEngine({"wal-sync-mode": "thread"})
        self.engine = self.whole.engine
        self.reactor = Reactor(self.engine)
        self.links: list[socket.socket] = []
        for number in range(clients):
            ours, theirs = socket.socketpair()
            ours.setblocking(False)
            theirs.setblocking(False)
            self.reactor.serve(ours, self.engine.connect(f"x:{number}", "y:1", ours.fileno()))
            self.links.append(theirs)

    def turn(self, **words: str) -> None:
        """One turn of the loop in which the clients (``c0``, ``c1``, …) send commands."""
        for name, line in words.items():
            self.links[int(name[1:])].sendall(b"".join(encode(part.split()) for part in line.split(";")))
        self.reactor._turn(self.reactor._epoll.poll(0))

    def sync(self) -> None:
        """The sync that is under way ends, and then the batch."""
        self.end_job()
        self.reactor._finish_batch([])

    def end_job(self) -> None:
        """The sync that is under way ends."""
        job = self.engine.background.jobs.popleft()
        assert job.lane == LOG_LANE
        assert job.done is not None
        job.done(job.run())

    def got(self, number: int) -> bytes:
        """What a client has received since the last look."""
        try:
            return self.links[number].recv(1 << 16)
        except BlockingIOError:
            return b""

    def close(self) -> None:
        self.reactor.close()
        for link in self.links:
            link.close()


@pytest.fixture
def slow() -> Iterator[SlowDisk]:
    made = SlowDisk()
    made.turn(c0="SET durable old;SET other text")
    made.sync()
    assert made.got(0) == b"+OK\r\n+OK\r\n"
    made.turn(c0="SET new 1")  # from here on it is known who is shown what
    yield made
    made.close()


def test_a_write_waits_and_other_reads_do_not(slow: SlowDisk) -> None:
    slow.sync()
    assert slow.got(0) == b"+OK\r\n"
    slow.turn(c0="SET durable new", c1="GET other", c2="GET durable")
    slow.sync()
    slow.got(0), slow.got(1), slow.got(2)
    slow.turn(c0="SET durable newer")
    slow.turn(c1="GET other;PING;STRLEN other", c2="GET durable")
    assert slow.got(1) == b"$4\r\ntext\r\n+PONG\r\n:4\r\n"
    assert slow.got(0) == slow.got(2) == b""
    slow.sync()
    assert slow.got(0) == b"+OK\r\n"
    assert slow.got(2) == b"$5\r\nnewer\r\n"


@pytest.mark.parametrize(
    ("write", "read", "reply"),
    [
        ("SET k v", "GET k", b"$1\r\nv\r\n"),
        ("SET k v", "STRLEN k", b":1\r\n"),
        ("SET k v", "MGET other k", b"*2\r\n$4\r\ntext\r\n$1\r\nv\r\n"),
        ("SET k v", "DBSIZE", b":5\r\n"),
        ("MSET a 1 k v", "EXISTS k", b":1\r\n"),
        ("INCR k", "GET k", b"$1\r\n1\r\n"),
        ("SET k v EX 100", "EXISTS k", b":1\r\n"),
        ("DEL other", "GET other", b"$-1\r\n"),
        ("RENAME other k", "GET other", b"$-1\r\n"),
        ("RENAME other k", "GET k", b"$4\r\ntext\r\n"),
        ("FLUSHALL", "GET other", b"$-1\r\n"),
        ("SWAPDB 0 1", "GET other", b"$-1\r\n"),
        ("SET other v", "SETNX other x", b":0\r\n"),
    ],
)
def test_what_shows_the_write_waits_for_it(slow: SlowDisk, write: str, read: str, reply: bytes) -> None:
    while slow.engine.background.jobs:
        slow.sync()
    slow.turn(c0="SET warm 1")  # a sync is under way
    slow.turn(c1=write)
    slow.got(1)
    slow.turn(c2=read)
    assert slow.got(2) == b""
    while slow.engine.background.jobs:
        assert slow.got(2) == b""
        slow.sync()
    assert slow.got(2) == reply


def test_replies_of_one_client_keep_their_order(slow: SlowDisk) -> None:
    slow.sync()
    slow.got(0)
    slow.turn(c0="SET durable 1;GET other")
    slow.turn(c0="GET other")
    slow.turn(c0="PING")
    assert slow.got(0) == b""
    slow.turn(c0="SET durable 2;PING")
    slow.turn(c0="GET other")
    slow.sync()
    assert slow.got(0) == b"+OK\r\n$4\r\ntext\r\n$4\r\ntext\r\n+PONG\r\n"
    slow.sync()
    assert slow.got(0) == b"+OK\r\n+PONG\r\n$4\r\ntext\r\n"


def test_back_to_syncs_in_the_loop(slow: SlowDisk) -> None:
    slow.engine.durability.mode = "inline"
    slow.turn(c1="GET new")
    assert slow.got(1) == b""  # not before the sync that was under way has ended
    while slow.engine.background.jobs:
        slow.sync()
    assert slow.got(0) == b"+OK\r\n"
    assert slow.got(1) == b"$1\r\n1\r\n"
    slow.turn(c1="SET x 1;GET x", c2="GET x")
    assert not slow.engine.durability.tracking
    assert slow.got(1) == b"+OK\r\n$1\r\n1\r\n"
    assert slow.got(2) == b"$1\r\n1\r\n"
    assert not slow.engine.background.jobs


def test_the_policy_may_change_meanwhile(slow: SlowDisk) -> None:
    slow.engine.durability.policy = "no"
    slow.turn(c1="SET x 1")
    while slow.engine.background.jobs:
        slow.sync()
    slow.turn(c1="GET x")
    assert slow.got(0) == b"+OK\r\n"
    assert slow.got(1) == b"+OK\r\n$1\r\n1\r\n"
    assert not slow.engine.durability.tracking


def test_a_sync_that_begins_in_the_middle_of_a_batch(slow: SlowDisk) -> None:
    """What the batch has changed so far is either in that sync, or its readers wait for the next one."""
    slow.sync()
    slow.turn(c0="SET durable 1")
    slow.turn(c0="SET durable 2")  # wants another sync behind the one that is under way
    slow.engine.begin_batch()
    slow.links[1].sendall(encode(("SET", "k", "v")))
    touched: list[Connection] = []
    slow.reactor._serve(slow.reactor._epoll.poll(0), touched)
    slow.end_job()
    slow.reactor._finish_batch(touched)
    slow.sync()
    slow.turn(c2="GET k")
    assert slow.got(2) == b"" or slow.engine.log.durable == slow.engine.log.written
    while slow.engine.background.jobs:
        slow.sync()
    assert slow.got(1) == b"+OK\r\n"


def test_a_silent_client_that_has_left_is_not_kept(slow: SlowDisk) -> None:
    """Its held group has no bytes to send: the end of its input is all that there is to act on."""
    slow.sync()
    slow.turn(c1="CLIENT REPLY OFF;SET x 1")
    slow.links[1].shutdown(socket.SHUT_WR)
    slow.turn()
    assert len(slow.reactor.connections) == 3
    while slow.engine.background.jobs:
        slow.sync()
    assert len(slow.reactor.connections) == 2


def test_messages_wait_for_what_they_may_show(slow: SlowDisk) -> None:
    slow.sync()
    slow.got(0)
    slow.turn(c1="SUBSCRIBE c")
    assert slow.got(1) == b"*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n"
    slow.turn(c2="PUBLISH c m")
    assert slow.got(1) == b"*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\nm\r\n"
    assert slow.got(2) == b":1\r\n"
    slow.turn(c0="SET k v;PUBLISH c k")
    assert slow.got(1) == slow.got(0) == b""
    slow.turn(c1="PING")
    assert slow.got(1) == b""
    slow.sync()
    message = b"*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\nk\r\n"
    assert slow.got(1) == message + b"*2\r\n$4\r\npong\r\n$0\r\n\r\n"
    assert slow.got(0) == b"+OK\r\n:1\r\n"


def test_invalidations_wait_for_the_write(slow: SlowDisk) -> None:
    slow.sync()
    slow.turn(c1="HELLO 3;CLIENT TRACKING ON;GET other")
    assert slow.got(1).endswith(b"$4\r\ntext\r\n")
    slow.turn(c2="HELLO 3;CLIENT TRACKING ON BCAST")
    assert slow.got(2).endswith(b"+OK\r\n")
    slow.turn(c0="SET other new")
    assert slow.got(1) == slow.got(2) == b""
    slow.sync()
    assert slow.got(1) == slow.got(2) == b">2\r\n$10\r\ninvalidate\r\n*1\r\n$5\r\nother\r\n"
