"""A chunk that has the shape of one plain command is that command; any other goes the ordinary way."""

from __future__ import annotations

import random

import pytest

from durable_redis.net.shapes import SHAPES_MAX, Shapes
from tests.net.test_connection import Wire, command, logged


def test_what_was_learned_changes_nothing() -> None:
    """Seeded chunks, whole and bent, to a connection that learns and to one that has forgotten everything."""
    rng = random.Random(5)
    learning, plain = Wire(), Wire()
    for _ in range(3000):
        name = rng.choice([b"GET", b"SET", b"INCR", b"get", b"PING", b"STRLEN"])
        words = [name, rng.choice([b"a", b"bb", b"{t}c", b"n1", b"\r\n$1\r\n"])]
        if name == b"SET":
            words.append(rng.choice([b"1", b"22", b"\r\n", b"$1\r\nx\r\n", b"*1\r\n$4\r\nPING\r\n"]))
        chunk = bytearray(command(*words[: rng.choice([1, 2, 3, 3])]))
        if rng.random() < 0.1:
            chunk[rng.randrange(len(chunk))] = rng.choice(b"0123$*\r\nG")
        plain.reactor.shapes.by_length.clear()
        for wire in (learning, plain):
            wire.feed(bytes(chunk))
        assert learning.replies() == plain.replies(), bytes(chunk)
        if learning.connection.client.closing or learning.connection.parser is not None:
            learning.close(), plain.close()
            learning, plain = Wire(), Wire()
    assert learning.state() == plain.state()
    assert logged(learning) == logged(plain)
    learning.close()
    plain.close()


def test_a_shape_is_used() -> None:
    wire = Wire()
    for number in range(3):
        wire.feed(command(b"SET", b"key%d" % number, b"value"))
    assert wire.reactor.shapes.by_length[len(command(b"SET", b"key1", b"value"))]
    assert wire.replies() == b"+OK\r\n" * 3
    assert logged(wire) == [[b"SET", b"key%d" % number, b"value"] for number in range(3)]
    wire.close()


def test_a_command_that_is_not_allowed_now_is_not_executed() -> None:
    wire = Wire()
    wire.feed(command(b"SET", b"k", b"1"))
    wire.connection.client.authenticated = False
    wire.whole.engine.refresh(wire.connection.client)
    wire.feed(command(b"SET", b"k", b"2"))
    assert wire.replies() == b"+OK\r\n-NOAUTH Authentication required.\r\n"
    wire.close()


def test_another_database_is_selected_in_the_log() -> None:
    wire = Wire()
    wire.feed(command(b"SET", b"k", b"1"))
    wire.feed(command(b"SELECT", b"4"))
    wire.feed(command(b"SET", b"k", b"2"))
    assert logged(wire) == [[b"SET", b"k", b"1"], [b"SELECT", b"4"], [b"SET", b"k", b"2"]]
    wire.close()


@pytest.mark.parametrize(
    "data",
    [
        b"*02\r\n$3\r\nGET\r\n$1\r\nk\r\n",
        b"*2\r\n$03\r\nGET\r\n$1\r\nk\r\n",
        b"*2\r\n$3\r\nGET\r\n$1\r\nk\n\n",
    ],
)
def test_unusual_ways_to_write_a_length_are_not_learned(data: bytes) -> None:
    shapes = Shapes()
    shapes.learn(data, [b"GET", b"k"])
    assert not shapes.by_length


def test_there_is_a_limit() -> None:
    shapes = Shapes()
    for number in range(SHAPES_MAX + 10):
        argv = [b"X%d" % number, b"k"]
        shapes.learn(command(*argv), argv)
    assert sum(map(len, shapes.by_length.values())) == SHAPES_MAX
