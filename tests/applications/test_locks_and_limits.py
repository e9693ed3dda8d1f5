"""Locks and rate limits, which are Lua scripts: redis-py's Lock, python-redis-lock, limits."""

from __future__ import annotations

import threading
from typing import Any

import pytest

pytestmark = [pytest.mark.applications, pytest.mark.filterwarnings("default")]
THREADS = 6
ROUNDS = 25


def count_under(make_lock: Any, url: str) -> int:
    """A counter that is read and written in two steps under a lock: what it says after all rounds."""
    redis = pytest.importorskip("redis")
    setup = redis.Redis.from_url(url)
    setup.set("counter", 0)

    def work() -> None:
        client = redis.Redis.from_url(url)
        for _ in range(ROUNDS):
            with make_lock(client):
                client.set("counter", int(client.get("counter")) + 1)
        client.close()

    threads = [threading.Thread(target=work) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    counted = int(setup.get("counter"))
    setup.close()
    return counted


def test_lock_of_redis_py(url: str) -> None:
    redis = pytest.importorskip("redis")
    assert count_under(lambda client: client.lock("lock", timeout=20, sleep=0.001), url) == THREADS * ROUNDS
    with redis.Redis.from_url(url) as client:
        lock = client.lock("lock", timeout=20)
        assert lock.acquire(blocking=False)
        assert not client.lock("lock").acquire(blocking=False)
        assert lock.extend(30)
        assert lock.reacquire()
        lock.release()
        with pytest.raises(redis.exceptions.LockError):
            lock.release()
        assert not lock.locked()


def test_python_redis_lock(url: str) -> None:
    redis_lock = pytest.importorskip("redis_lock")
    redis = pytest.importorskip("redis")

    def make(client: Any) -> Any:
        return redis_lock.Lock(client, "lock", expire=20)

    assert count_under(make, url) == THREADS * ROUNDS
    with redis.Redis.from_url(url) as client:
        first, second = make(client), make(client)
        assert first.acquire()
        assert not second.acquire(blocking=False)
        first.extend(60)
        with pytest.raises(redis_lock.NotAcquired):
            second.release()
        first.release()
        assert second.acquire(blocking=False)
        redis_lock.reset_all(client)
        assert not second.locked()


@pytest.mark.parametrize("kind", ["FixedWindow", "MovingWindow", "SlidingWindowCounter"])
def test_limits(kind: str, url: str) -> None:
    limits = pytest.importorskip("limits")
    storage = limits.storage.storage_from_string(url)
    assert storage.check()
    limiter = getattr(limits.strategies, f"{kind}RateLimiter")(storage)
    limit = limits.parse("20/hour")
    allowed: list[bool] = []

    def work() -> None:
        for _ in range(10):
            allowed.append(limiter.hit(limit, "somebody"))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # At the turn of an hour a window of a fixed kind begins anew.
    assert 20 <= sum(allowed) <= 40 if kind != "MovingWindow" else sum(allowed) == 20
    assert limiter.hit(limit, "somebody else")
    assert limiter.get_window_stats(limit, "somebody").remaining in range(20)
    storage.reset()
    assert limiter.hit(limit, "somebody")
