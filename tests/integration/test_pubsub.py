"""Publish, subscribe and client-side caching with redis-py, with slow subscribers and with many of them."""

from __future__ import annotations

import resource
import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest
import redis
from redis.cache import CacheConfig
from redis.connection import CacheProxyConnection

from tests.integration.conftest import StartServer
from tests.support.client import Client, Status, encode
from tests.support.servers import ServerProcess

pytestmark = pytest.mark.integration
SECONDS_MAX = 20.0


@pytest.fixture(params=[2, 3], ids=["resp2", "resp3"])
def connection(request: pytest.FixtureRequest, server: ServerProcess) -> Iterator[Any]:
    with redis.Redis(port=server.port, protocol=request.param) as opened:
        yield opened


def messages(pubsub: Any, count: int) -> list[tuple[str, Any, Any, Any]]:
    """The next messages, confirmations included."""
    found = []
    deadline = time.monotonic() + SECONDS_MAX
    while len(found) < count:
        assert time.monotonic() < deadline, found
        message = pubsub.get_message(timeout=1.0)
        if message is not None:
            found.append((message["type"], message["pattern"], message["channel"], message["data"]))
    return found


def test_redis_py(connection: Any) -> None:
    with connection.pubsub() as pubsub:
        pubsub.subscribe("news")
        pubsub.psubscribe("n*")
        assert messages(pubsub, 2) == [
            ("subscribe", None, b"news", 1),
            ("psubscribe", None, b"n*", 2),
        ]
        assert connection.publish("news", "hello") == 2
        assert connection.publish("night", "dark") == 1
        assert connection.publish("other", "x") == 0
        assert messages(pubsub, 3) == [
            ("message", None, b"news", b"hello"),
            ("pmessage", b"n*", b"news", b"hello"),
            ("pmessage", b"n*", b"night", b"dark"),
        ]
        assert connection.pubsub_channels() == [b"news"]
        assert connection.pubsub_numsub("news", "other") == [(b"news", 1), (b"other", 0)]
        assert connection.pubsub_numpat() == 1
        pubsub.ping("here")
        pubsub.unsubscribe()
        pubsub.punsubscribe()
        found = messages(pubsub, 3)
        assert found[1:] == [("unsubscribe", None, b"news", 1), ("punsubscribe", None, b"n*", 0)]
    assert connection.pubsub_channels() == []


def test_redis_py_keyspace_events(connection: Any) -> None:
    connection.config_set("notify-keyspace-events", "KEA")
    try:
        with connection.pubsub() as pubsub:
            pubsub.psubscribe("__keyevent@0__:*")
            messages(pubsub, 1)
            connection.set("k", "v", px=30)
            connection.hincrby("h", "f", 2)
            connection.delete("h")
            events = [(channel, key) for _, _, channel, key in messages(pubsub, 5)]
            assert sorted(events) == sorted(
                [
                    (b"__keyevent@0__:set", b"k"),
                    (b"__keyevent@0__:expire", b"k"),
                    (b"__keyevent@0__:hincrby", b"h"),
                    (b"__keyevent@0__:del", b"h"),
                    (b"__keyevent@0__:expired", b"k"),  # nobody has asked for it
                ]
            )
    finally:
        connection.config_set("notify-keyspace-events", "")


def test_redis_py_client_side_cache(server: ServerProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    """What another client changes is read anew, what nobody changes is not asked for.

    redis-py wants to be told that the server is Redis 7.4, although all that it needs is there since 6.
    """
    monkeypatch.setattr(CacheProxyConnection, "MIN_ALLOWED_VERSION", "7.0.0")
    other = redis.Redis(port=server.port)
    with redis.Redis(port=server.port, protocol=3, cache_config=CacheConfig()) as cached, other:
        other.set("k", "1")
        for _ in range(5):
            assert cached.get("k") == b"1"
        before = other.info("commandstats")["cmdstat_get"]["calls"]
        for _ in range(5):
            assert cached.get("k") == b"1"
        assert other.info("commandstats")["cmdstat_get"]["calls"] == before
        for number in range(2, 20):
            other.set("k", number)
            deadline = time.monotonic() + SECONDS_MAX
            while cached.get("k") != b"%d" % number:
                assert time.monotonic() < deadline
        cached.set("k", "own")
        assert cached.get("k") == b"own"
        other.flushall()
        deadline = time.monotonic() + SECONDS_MAX
        while cached.get("k") is not None:
            assert time.monotonic() < deadline


def test_a_slow_subscriber_is_cut(start_server: StartServer) -> None:
    """Who does not read is cut at the limit of its class; the publisher and who reads are not."""
    server = start_server(client_output_buffer_limit="pubsub 2mb 0 0")
    with server.client() as slow, server.client() as quick, server.client() as publisher:
        for client in (slow, quick):
            assert client.call("SUBSCRIBE", "c") == [b"subscribe", b"c", 1]
        receivers = 2
        sent = 0
        while receivers == 2:
            receivers = publisher.call("PUBLISH", "c", b"x" * 100_000)
            assert quick.read_reply() == [b"message", b"c", b"x" * 100_000]
            sent += 1
            assert sent < 1000
        assert receivers == 1
        assert publisher.call("CLIENT", "LIST", "TYPE", "pubsub").count(b"\n") == 1
        stats = publisher.call("INFO", "stats")
        assert b"client_output_buffer_limit_disconnections:1\r\n" in stats
        assert len(slow.read_until_closed()) < sent * 100_100


def test_a_thousand_subscribers(start_server: StartServer) -> None:
    """Each gets every message, in order."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    server = start_server()
    subscribers: list[Client] = []
    try:
        subscribers += (server.client() for _ in range(1000))
        for number, client in enumerate(subscribers):
            if number % 2:
                client.send("HELLO", 3)
            client.send("SUBSCRIBE", "c")
        for number, client in enumerate(subscribers):
            assert len(client.read_replies(1 + number % 2)) == 1 + number % 2
        with server.client() as publisher:
            assert publisher.call("PUBSUB", "NUMSUB", "c") == [b"c", 1000]
            publisher.send_raw(b"".join(encode(("PUBLISH", "c", f"m{turn}")) for turn in range(20)))
            assert publisher.read_replies(20) == [1000] * 20
            for client in subscribers:
                found = [list(reply) for reply in client.read_replies(20)]
                assert found == [[b"message", b"c", b"m%d" % turn] for turn in range(20)]
            for client in subscribers[:999]:
                client.close()
            deadline = time.monotonic() + SECONDS_MAX
            while publisher.call("PUBLISH", "c", "last") != 1:
                assert time.monotonic() < deadline
    finally:
        for client in subscribers:
            client.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_subscriber_that_shuts_its_sending_side(server: ServerProcess) -> None:
    """It is gone for the publisher."""
    with server.client() as subscriber, server.client() as publisher:
        subscriber.call("SUBSCRIBE", "c")
        subscriber.socket.shutdown(socket.SHUT_WR)
        assert subscriber.read_until_closed() == b""
        assert publisher.call("PUBLISH", "c", "m") == 0


def test_idle_subscribers_are_spared(start_server: StartServer) -> None:
    """``timeout`` closes who is silent, but not who listens."""
    server = start_server(timeout="1")
    with server.client() as subscriber, server.client() as silent, server.client() as publisher:
        subscriber.call("SUBSCRIBE", "c")
        assert silent.call("PING") == Status(b"PONG")
        assert silent.read_until_closed() == b""
        with server.client() as anew:
            assert anew.call("PUBLISH", "c", "m") == 1
        assert subscriber.read_reply() == [b"message", b"c", b"m"]
        publisher.close()
