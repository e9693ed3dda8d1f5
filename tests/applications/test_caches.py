"""Caches: Flask-Caching, django-redis, and redis-py's own cache over RESP3."""

from __future__ import annotations

import pytest

from tests.support.servers import SubjectServer

pytestmark = [pytest.mark.applications, pytest.mark.filterwarnings("default")]


def test_flask_caching(server: SubjectServer) -> None:
    flask = pytest.importorskip("flask")
    flask_caching = pytest.importorskip("flask_caching")
    app = flask.Flask("cached")
    settings = {"CACHE_TYPE": "RedisCache", "CACHE_REDIS_HOST": "127.0.0.1", "CACHE_REDIS_PORT": server.port}
    cache = flask_caching.Cache(app, config=settings)
    calls: list[int] = []

    @app.route("/page")
    @cache.cached(timeout=100)
    def page() -> str:
        calls.append(0)
        return f"made {len(calls)} times"

    @cache.memoize(100)
    def double(number: int) -> int:
        calls.append(number)
        return 2 * number

    with app.test_client() as client:
        assert {client.get("/page").text for _ in range(5)} == {"made 1 times"}
        cache.clear()
        assert client.get("/page").text == "made 2 times"
    with app.app_context():
        assert [double(4), double(4), double(5)] == [8, 8, 10]
        cache.delete_memoized(double, 4)
        assert double(4) == 8
        assert calls == [0, 0, 4, 5, 4]
        assert cache.set_many({"a": 1, "b": [2]})
        assert cache.get_many("a", "b", "c") == [1, [2], None]
        assert cache.add("a", 2) is False
        assert cache.delete_many("a", "b")


def test_django_redis(url: str) -> None:
    pytest.importorskip("django_redis")
    from django.conf import settings
    from django.core.cache.backends.base import InvalidCacheBackendError
    from django_redis.cache import RedisCache

    assert InvalidCacheBackendError
    if not settings.configured:
        settings.configure()
    cache = RedisCache(url, {"OPTIONS": {"CLIENT_CLASS": "django_redis.client.DefaultClient"}})
    cache.set("a", {"deep": [1, 2]}, timeout=100)
    assert cache.get("a") == {"deep": [1, 2]}
    assert 0 < cache.ttl("a") <= 100
    assert cache.add("a", 1) is False
    cache.set("n", 5)
    assert cache.incr("n", 10) == 15
    assert cache.decr("n") == 14
    cache.set_many({"x": 1, "y": 2})
    assert cache.get_many(["x", "y", "z"]) == {"x": 1, "y": 2}
    assert sorted(cache.keys("*")) == ["a", "n", "x", "y"]
    assert cache.delete_pattern("[xy]") == 2
    with cache.lock("lock", timeout=10):
        assert cache.get_or_set("made", lambda: 7) == 7
    assert cache.touch("a", 1000)
    assert cache.ttl("a") > 100
    cache.clear()
    assert cache.get("a") is None


def test_cache_of_redis_py(server: SubjectServer) -> None:
    """It asks for a server of 7.4, whose part of it 7.0 has as well; ``redis-version`` says so."""
    redis = pytest.importorskip("redis")
    cache_module = pytest.importorskip("redis.cache")
    with server.client() as control:
        assert control.call("CONFIG", "SET", "redis-version", "7.4.0") == b"OK"
    options = {"host": "127.0.0.1", "port": server.port, "protocol": 3, "decode_responses": True}
    with (
        redis.Redis(**options, cache_config=cache_module.CacheConfig(max_size=100)) as client,
        redis.Redis(**options) as other,
    ):
        client.set("k", "1")
        assert [client.get("k") for _ in range(3)] == ["1"] * 3
        cache = client.get_cache()
        assert cache.size == 1
        before = int(other.info("commandstats")["cmdstat_get"]["calls"])
        assert client.get("k") == "1"
        assert int(other.info("commandstats")["cmdstat_get"]["calls"]) == before
        other.set("k", "2")
        assert client.get("k") == "2"
        other.flushall()
        assert client.get("k") is None
