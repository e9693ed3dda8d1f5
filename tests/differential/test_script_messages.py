"""What others see of a script: messages, events, invalidations, WATCH, who waits.  Against redis-server."""

from __future__ import annotations

import pytest

from tests.support.scenarios import play
from tests.support.servers import OracleServer, SubjectServer

pytestmark = pytest.mark.differential

SCENARIOS = {
    "watching": """
        a: SET k 1
        a: WATCH k
        b: EVAL "return redis.call('get','k')" 0
        a: MULTI
        a: EXEC
        a: WATCH k
        b: EVAL "return redis.call('incr','k')" 0
        a: MULTI
        a: EXEC
        a: WATCH k
        a: EVAL "return redis.call('incr','k')" 0
        a: MULTI
        a: EXEC
        a: WATCH k
        b: EVAL "redis.call('select','1') return redis.call('incr','k')" 0
        a: MULTI
        a: EXEC
    """,
    "who waits is served when the script is done": """
        b> BLPOP list 0
        a: EVAL "redis.call('rpush','list','x','y') return redis.call('lpop','list')" 0
        b< 1
        b> BLPOP list 0
        a: EVAL "redis.call('rpush','list','x') redis.call('del','list') return 1" 0
        a: EVAL "redis.call('rpush','list','z') return redis.call('nosuch')" 0
        b< 1
    """,
    "published messages": """
        b=3
        b: SUBSCRIBE c
        a: EVAL "redis.call('publish','c','one') redis.call('publish','c','two') return 'done'" 0
        b: EVAL "redis.call('publish','c','self') return 'reply'" 0
        a: MULTI
        a: EVAL "return redis.call('publish','c','three')" 0
        a: EXEC
        a: EVAL "redis.call('publish','c','four') error('x')" 0
    """,
    "events": """
        a: CONFIG SET notify-keyspace-events KEA
        b: PSUBSCRIBE *
        a: EVAL "redis.call('set','k','1') redis.call('expire','k','100') redis.call('del','k') return 1" 0
        a: EVAL "redis.call('lpush','l','1') redis.call('lpop','l') return 1" 0
        a: CONFIG SET notify-keyspace-events ''
    """,
    "caching": """
        a=3
        b: SET k 1
        b: SET l 1
        a: CLIENT TRACKING ON
        a: EVAL "return redis.call('get',KEYS[1])" 1 k
        b: SET k 2
        a: EVAL "return redis.call('get',KEYS[1])" 1 k
        b: EVAL "redis.call('set','k','3') redis.call('set','l','1') return 1" 0
        a: EVAL_RO "return redis.call('get',KEYS[1])" 1 l
        b: EVAL "return redis.call('del','l')" 0
        a: CLIENT TRACKING OFF
        a: CLIENT TRACKING ON NOLOOP
        a: GET k
        a: EVAL "return redis.call('set','k','4')" 0
        a: GET k
        b: EVAL "return redis.call('set','k','5')" 0
        a: CLIENT TRACKING OFF
        a: CLIENT TRACKING ON OPTIN
        a: CLIENT CACHING YES
        a: EVAL "redis.call('get',KEYS[1]) return redis.call('get',KEYS[2])" 2 k l
        b: SET k 6
        b: SET l 6
        a: EVAL "return redis.call('get',KEYS[1])" 1 k
        b: SET k 7
        a: CLIENT TRACKING OFF
        a: CLIENT TRACKING ON BCAST PREFIX k
        b: EVAL "redis.call('set','k1','1') redis.call('set','k2','1') redis.call('set','l','1') return 1" 0
    """,
    "transactions": """
        a: MULTI
        a: SET a 1
        a: EVAL "redis.call('incr','a') return redis.call('get','a')" 0
        a: EVAL "return redis.call('multi')" 0
        a: EVAL "redis.call('select','3') return redis.call('set','in3','1')" 0
        a: GET in3
        a: EVALSHA nosuch 0
        a: EXEC
        a: GET a
        a: MULTI
        a: EVAL
        a: EXEC
    """,
    "selected databases": """
        a: SELECT 2
        a: EVAL "return redis.call('set','k','two')" 0
        a: GET k
        b: GET k
        a: EVAL "redis.call('select','4') redis.call('set','k','four') return redis.call('get','k')" 0
        a: GET k
        a: EVAL "redis.call('swapdb','2','4') return redis.call('get','k')" 0
        a: GET k
        a: EVAL "redis.call('flushdb') return redis.call('dbsize')" 0
        a: DBSIZE
    """,
}


@pytest.mark.parametrize("protocol", [2, 3])
@pytest.mark.parametrize("name", SCENARIOS)
def test_scenario(name: str, protocol: int, oracle: OracleServer, subject: SubjectServer) -> None:
    expected = play(oracle, SCENARIOS[name], protocol)
    assert expected
    assert play(subject, SCENARIOS[name], protocol) == expected
