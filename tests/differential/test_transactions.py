"""MULTI, EXEC, DISCARD and WATCH against redis-server: one client and several."""

from __future__ import annotations

import pytest

from tests.support.scenarios import play
from tests.support.servers import OracleServer, SubjectServer

pytestmark = pytest.mark.differential

SCENARIOS = {
    "errors": """
        a: EXEC
        a: DISCARD
        a: EXEC foo
        a: MULTI
        a: MULTI
        a: EXEC foo
        a: EXEC
        a: MULTI now
        a: WATCH
        a: UNWATCH now
        a: MULTI
        a: DISCARD now
        a: EXEC
        a: MULTI
        a: NOSUCH command
        a: SET a 1
        a: CONFIG NOSUCH
        a: EXEC
        a: GET a
        a: MULTI
        a: WATCH a
        a: SET a 1
        a: EXEC
        a: MULTI
        a: SAVE
        a: EXEC
        a: MULTI
        a: SHUTDOWN NOSAVE
        a: DISCARD
        a: GET a
    """,
    "errors while executing": """
        a: SET text x
        a: MULTI
        a: INCR text
        a: SET a 1
        a: LPUSH text x
        a: INCR a
        a: INCRBY a nonsense
        a: GET a
        a: EXEC
        a: GET a
    """,
    "replies of every kind": """
        a: HSET h f 1 g 2
        a: SADD s 1
        a: ZADD z 1.5 a
        a: MULTI
        a: HGETALL h
        a: SMEMBERS s
        a: ZSCORE z a
        a: GET nothing
        a: MGET nothing h
        a: LRANGE nothing 0 -1
        a: LPOP nothing 2
        a: SET a 1
        a: OBJECT ENCODING a
        a: SET a 2 NX
        a: SELECT 3
        a: SET in3 1
        a: SWAPDB 0 3
        a: EXEC
        a: DBSIZE
        a: SELECT 0
        a: SWAPDB 0 3
        a: KEYS in3
        a: MULTI
        a: EXEC
    """,
    "nothing waits": """
        a: MULTI
        a: BLPOP none 0
        a: BRPOP none 0
        a: BLMOVE none other LEFT RIGHT 0
        a: BRPOPLPUSH none other 0
        a: BLMPOP 0 1 none LEFT
        a: BZPOPMIN none 0
        a: BZMPOP 0 1 none MIN
        a: XREAD BLOCK 0 STREAMS none $
        a: XGROUP CREATE str g $ MKSTREAM
        a: XREADGROUP GROUP g c BLOCK 0 STREAMS str >
        a: WAIT 1 0
        a: RPUSH list x y
        a: BLPOP list 0
        a: EXEC
    """,
    "who waits is served when all is done": """
        b> BLPOP list 0
        a: MULTI
        a: RPUSH list x y
        a: LPOP list
        a: EXEC
        b< 1
        b> BLPOP list 0
        a: MULTI
        a: RPUSH list x
        a: DEL list
        a: EXEC
        a: RPUSH list z
        b< 1
    """,
    "watching": """
        a: SET k 1
        a: WATCH k
        b: SET k 1
        a: MULTI
        a: SET k 2
        a: EXEC
        a: GET k
        a: WATCH k other
        b: GET k
        a: MULTI
        a: INCR k
        a: EXEC
        a: WATCH k
        a: SET k 5
        a: MULTI
        a: EXEC
        a: WATCH k
        b: INCR k
        a: UNWATCH
        a: MULTI
        a: GET k
        a: EXEC
        a: WATCH k
        b: INCR k
        a: MULTI
        a: DISCARD
        a: MULTI
        a: GET k
        a: EXEC
        a: WATCH k k
        a: WATCH k
        b: DEL k
        a: MULTI
        a: EXEC
        a: WATCH k
        b: SET k 1
        b: DEL k
        a: MULTI
        a: EXEC
        a: WATCH k
        b: DEL k
        a: MULTI
        a: EXEC
    """,
    "watching every type": """
        a: WATCH l
        b: RPUSH l 1
        a: MULTI
        a: EXEC
        a: WATCH l
        b: RPUSHX nothing 1
        a: MULTI
        a: EXEC
        a: WATCH h
        b: HSET h a 1
        a: MULTI
        a: EXEC
        a: WATCH h
        b: HSET h a 1
        a: MULTI
        a: EXEC
        a: WATCH s
        b: SADD s 1
        a: MULTI
        a: EXEC
        a: WATCH s
        b: SADD s 1
        a: MULTI
        a: EXEC
        a: WATCH z
        b: ZADD z 1 a
        a: MULTI
        a: EXEC
        a: WATCH z
        b: ZADD z 1 a
        a: MULTI
        a: EXEC
        a: WATCH x
        b: XADD x 1-1 a b
        a: MULTI
        a: EXEC
        a: WATCH x
        b: XGROUP CREATE x g $
        b: XGROUP CREATECONSUMER x g c
        a: MULTI
        a: EXEC
        a: WATCH new
        b: XGROUP CREATE new g $ MKSTREAM
        a: MULTI
        a: EXEC
        a: WATCH x
        b: XREADGROUP GROUP g c STREAMS x >
        b: XACK x g 1-1
        a: MULTI
        a: EXEC
        a: WATCH k
        b: EXPIRE k 100
        a: MULTI
        a: EXEC
        b: SET k 1
        a: WATCH k
        b: EXPIRE k 100
        a: MULTI
        a: EXEC
        a: WATCH k
        b: PERSIST k
        a: MULTI
        a: EXEC
        a: WATCH src dst
        b: COPY k src
        a: MULTI
        a: EXEC
        a: WATCH k
        b: COPY k src2
        a: MULTI
        a: EXEC
        a: WATCH k
        b: RENAME k k2
        a: MULTI
        a: EXEC
        a: WATCH k
        b: RENAME k2 k
        a: MULTI
        a: EXEC
        a: WATCH k
        b: MOVE k 3
        a: MULTI
        a: EXEC
        b: SELECT 3
        b: DEL k
    """,
    "other databases": """
        a: SET k 1
        a: WATCH k
        b: SELECT 1
        b: SET k 2
        a: MULTI
        a: EXEC
        a: WATCH k
        b: FLUSHDB
        a: MULTI
        a: EXEC
        a: WATCH k
        b: FLUSHALL
        a: MULTI
        a: EXEC
        a: WATCH k
        b: FLUSHALL
        a: MULTI
        a: EXEC
        b: SET k 1
        a: WATCH k
        b: SWAPDB 0 1
        a: MULTI
        a: EXEC
        a: WATCH k
        b: SWAPDB 0 1
        a: MULTI
        a: EXEC
        a: WATCH nothing
        b: SWAPDB 0 1
        a: MULTI
        a: EXEC
        a: WATCH k
        b: SWAPDB 1 2
        a: MULTI
        a: EXEC
        b: FLUSHALL
        a: SELECT 2
        a: WATCH k
        a: SELECT 0
        c: SELECT 2
        c: SET k 1
        a: MULTI
        a: EXEC
    """,
    "watching what expires": """
        a: SET k 1 PX 400
        a: WATCH k
        a: DEBUG SLEEP 0.5
        a: MULTI
        a: EXEC
        a: SET k 1 PX 1
        a: DEBUG SLEEP 0.03
        a: WATCH k
        a: GET k
        a: MULTI
        a: EXEC
        b: SET gone 1 PX 1
        b: DEBUG SLEEP 0.02
        a: WATCH gone
        b: SET gone 2
        a: MULTI
        a: EXEC
    """,
    "leaving and beginning anew": """
        a: WATCH k
        a: MULTI
        a: SET k 1
        a: RESET
        a: EXEC
        b: GET k
        a: MULTI
        a: SET k 1
        a: QUIT
        b: GET k
    """,
    "subscribing and protocols": """
        a: MULTI
        a: SUBSCRIBE news
        a: PING
        a: GET a
        a: EXEC
        a: MULTI
        b: PUBLISH news hello
        a: UNSUBSCRIBE
        a: MULTI
        a: HGETALL none
        a: CLIENT TRACKINGINFO
        a: EXEC
        a: MULTI
        a: PUBLISH news x
        a: CLIENT SETNAME me
        a: CLIENT GETNAME
        a: EXEC
    """,
    "paused": """
        a: MULTI
        a: SET k 1
        b: CLIENT PAUSE 100 WRITE
        a> EXEC
        b: GET k
        a< 1
        b: GET k
        b: CLIENT PAUSE 100 WRITE
        a: MULTI
        a: GET k
        a: EXEC
        a: MULTI
        a> SET k 2
        a< 1
        a: EXEC
    """,
    "permissions": """
        b: ACL SETUSER eve on nopass +@all ~* &*
        a: AUTH eve x
        a: MULTI
        a: SET k 1
        a: GET other
        a: PUBLISH news 1
        b: ACL SETUSER eve -set resetkeys ~k resetchannels
        a: EXEC
        a: MULTI
        a: SET k 1
        a: EXEC
        b: ACL DELUSER eve
    """,
    "told of own changes": """
        a=3
        a: CLIENT TRACKING on
        a: GET k
        a: MULTI
        a: SET k 1
        a: GET k
        a: SET l 1
        a: EXEC
        b: SET k 2
        a: MULTI
        a: GET k
        a: SET k 1
        a: EXEC
        a: CLIENT TRACKING off
        a: CLIENT TRACKING on OPTIN
        a: CLIENT CACHING yes
        a: MULTI
        a: GET k
        a: GET l
        a: EXEC
        b: MSET k 1 l 1
        a: MULTI
        a: GET k
        a: EXEC
        b: MSET k 1 l 1
    """,
}


@pytest.mark.parametrize("protocol", [2, 3])
@pytest.mark.parametrize("name", SCENARIOS)
def test_scenario(name: str, protocol: int, oracle: OracleServer, subject: SubjectServer) -> None:
    expected = play(oracle, SCENARIOS[name], protocol)
    assert play(subject, SCENARIOS[name], protocol) == expected


def test_ten_thousand_commands(oracle: OracleServer, subject: SubjectServer) -> None:
    for server in (oracle, subject):
        with server.client() as client:
            client.call("FLUSHALL")
            replies = client.pipeline([("MULTI",), *[("INCR", "n")] * 10_000, ("EXEC",)])
            assert replies[1:-1] == [b"QUEUED"] * 10_000
            assert replies[-1] == list(range(1, 10_001))


@pytest.mark.parametrize("limit", ["1mb"])
def test_a_queue_without_end_is_cut(limit: str, subject: SubjectServer) -> None:
    """As with input that is not executed yet, client-query-buffer-limit holds."""
    with subject.client() as admin, subject.client() as client:
        before = admin.call("CONFIG", "GET", "client-query-buffer-limit")[1]
        admin.call("CONFIG", "SET", "client-query-buffer-limit", limit)
        try:
            client.call("MULTI")
            with pytest.raises(ConnectionError):
                client.pipeline([("SET", "k", "x" * 10_000)] * 200)
            assert admin.call("GET", "k") is None
        finally:
            admin.call("CONFIG", "SET", "client-query-buffer-limit", before)
