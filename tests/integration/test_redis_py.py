"""redis-py as applications use it, in RESP2 and RESP3."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
import redis

from tests.support.servers import ServerProcess

pytestmark = pytest.mark.integration


@pytest.fixture(params=[2, 3], ids=["resp2", "resp3"])
def connection(request: pytest.FixtureRequest, server: ServerProcess) -> Iterator[Any]:
    with redis.Redis(port=server.port, protocol=request.param, client_name="tester") as opened:
        yield opened


def test_strings(connection: Any) -> None:
    assert connection.ping() is True
    assert connection.set("a", "1") is True
    assert connection.set("a", "2", nx=True) is None
    assert connection.set("a", "2", get=True) == b"1"
    assert connection.get("a") == b"2"
    assert connection.get("missing") is None
    assert connection.incr("a", 5) == 7
    assert connection.incrbyfloat("f", 0.5) == 0.5
    assert connection.mset({"x": "1", "y": "2"}) is True
    assert connection.mget("x", "y", "missing") == [b"1", b"2", None]
    assert connection.getrange("x", 0, -1) == b"1"
    assert connection.setrange("x", 3, "z") == 4
    assert connection.append("x", "!") == 5
    assert connection.strlen("x") == 5
    with pytest.raises(redis.ResponseError, match="not an integer"):
        connection.incr("x")


def test_expiry(connection: Any) -> None:
    connection.set("a", "1", ex=1000)
    assert 990 < connection.ttl("a") <= 1000
    assert connection.expireat("a", 4_102_444_800) is True
    assert connection.expiretime("a") == 4_102_444_800
    assert connection.pexpiretime("a") == 4_102_444_800_000
    assert connection.persist("a") is True
    assert connection.ttl("a") == -1
    assert connection.getex("a", px=100_000) == b"1"
    assert connection.expire("a", 10, nx=True) is False


def test_pipeline(connection: Any) -> None:
    with connection.pipeline(transaction=False) as pipeline:
        for number in range(1000):
            pipeline.set(f"k{number}", number)
        for number in range(1000):
            pipeline.get(f"k{number}")
        replies = pipeline.execute()
    assert replies == [True] * 1000 + [b"%d" % number for number in range(1000)]


def test_scan_iter(connection: Any) -> None:
    connection.mset({f"k{number}": "v" for number in range(1000)})
    found = list(connection.scan_iter(count=17))
    assert sorted(found) == sorted(b"k%d" % number for number in range(1000))
    assert set(connection.scan_iter(match="k99*")) == {b"k99", *(b"k99%d" % number for number in range(10))}
    assert connection.dbsize() == 1000
    assert connection.randomkey().startswith(b"k")


def test_bits(connection: Any) -> None:
    assert connection.setbit("b", 7, 1) == 0
    assert connection.getbit("b", 7) == 1
    assert connection.bitcount("b") == 1
    assert connection.bitpos("b", 1) == 7
    assert connection.bitfield("b").set("u8", 0, 255).get("u8", 0).execute() == [1, 255]


def test_server_commands(connection: Any) -> None:
    information = connection.info()
    assert information["redis_mode"] == "standalone"
    assert information["redis_version"].startswith("7.")
    assert information["connected_clients"] >= 1
    assert connection.client_getname() in ("tester", b"tester")
    assert connection.config_get("appendfsync") == {"appendfsync": "everysec"}
    assert connection.config_set("timeout", 0) is True
    assert "get" in connection.command()
    assert connection.command_count() > 60
    assert len(connection.client_list()) >= 1
    assert connection.object("encoding", "missing") is None
    assert connection.time()[0] > 1_500_000_000


def test_threads_share_a_pool(server: ServerProcess) -> None:
    """Sixteen threads on one pool raise one counter."""
    with redis.Redis(port=server.port) as opened:
        threads = [threading.Thread(target=lambda: [opened.incr("n") for _ in range(100)]) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert opened.get("n") == b"1600"
