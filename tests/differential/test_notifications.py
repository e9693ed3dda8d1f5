"""Keyspace events: for every command that writes, the events that redis-server publishes, in its order.

One client listens to everything while another one works, line by line.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from durable_redis.commands import build_commands
from durable_redis.commands.table import Flag
from tests.support.oracle_commands import FIELD_EXPIRY
from tests.support.scenarios import play
from tests.support.servers import OracleServer, ServerProcess, SubjectServer

pytestmark = pytest.mark.differential

OPTIONS = {"notify-keyspace-events": "AKEnm"}
LISTEN = "l: PSUBSCRIBE __key*__:*\n"

SCENARIOS = {
    "strings": """
        d: SET s v
        d: SET s v EX 100
        d: SET s v KEEPTTL
        d: SET s v XX GET
        d: SET s v NX
        d: SET n v NX GET
        d: SET s v PXAT 4102444800000
        d: SETNX s v
        d: SETNX s2 v
        d: SETEX s 100 v
        d: PSETEX s 100000 v
        d: GETSET s v
        d: GETSET s3 v
        d: GETEX s
        d: GETEX s EX 100
        d: GETEX s PERSIST
        d: GETEX s PERSIST
        d: GETEX s PXAT 1
        d: GETDEL s2
        d: GETDEL s2
        d: MSET a 1 b 2 a 3 c 4
        d: MSETNX a 1 x 2
        d: MSETNX y 1 x 2
        d: APPEND a 12
        d: APPEND new 12
        d: APPEND new ""
        d: SETRANGE a 1 zz
        d: SETRANGE a 1 ""
        d: SETRANGE new2 1 zz
        d: STRLEN nothing
        d: GETRANGE nothing 0 1
    """,
    "numbers": """
        d: INCR n
        d: INCR n
        d: DECR n
        d: INCRBY n 5
        d: INCRBY n 0
        d: DECRBY n 5
        d: DECR m
        d: DECRBY m2 4
        d: INCRBYFLOAT n 1.5
        d: INCRBYFLOAT f 1.5
        d: EXPIRE f 100
        d: INCRBYFLOAT f 1.5
        d: INCR f
        d: SUBSTR n 0 0
    """,
    "bits": """
        d: SETBIT b 7 1
        d: SETBIT b 7 1
        d: BITFIELD b SET u8 0 255
        d: BITFIELD b SET u8 0 255
        d: BITFIELD b INCRBY u8 0 1 SET u8 8 1
        d: BITFIELD b GET u8 0
        d: BITFIELD b OVERFLOW FAIL INCRBY u2 0 7
        d: BITFIELD new SET u8 0 0
        d: BITFIELD new2 SET u8 100 1
        d: BITFIELD nothing GET u8 0
        d: BITFIELD_RO nothing GET u8 0
        d: BITOP NOT c b
        d: BITOP NOT c b
        d: BITOP AND c nothing nothing2
        d: BITOP AND c nothing nothing2
    """,
    "keys": """
        d: MSET a 1 b 2 c 3
        d: DEL a nothing b b
        d: DEL nothing
        d: UNLINK c
        d: SET a v
        d: EXPIRE a 100
        d: EXPIRE a 100 NX
        d: PEXPIRE a 100000
        d: EXPIREAT a 4102444800
        d: PEXPIREAT a 4102444800000
        d: PERSIST a
        d: PERSIST a
        d: EXPIRE a -1
        d: EXPIRE a 100
        d: SET a v
        d: RENAME a b
        d: SET a v
        d: RENAME a b
        d: RENAME b b
        d: RENAMENX b a
        d: SET b v
        d: RENAMENX a b
        d: RENAMENX a c
        d: RENAME nothing x
        d: COPY b c
        d: COPY b c REPLACE
        d: COPY b x
        d: COPY b x DB 1
        d: COPY b x DB 1
        d: COPY nothing x2
        d: MOVE b 1
        d: MOVE b 1
        d: SET b 1
        d: MOVE b 1
        d: SWAPDB 0 1
        d: TOUCH b nothing
        d: EXISTS b nothing nothing
        d: TYPE nothing
        d: TTL nothing
        d: OBJECT ENCODING nothing
        d: OBJECT FREQ nothing
        d: FLUSHDB
        d: FLUSHALL
    """,
    "lists": """
        d: LPUSH l 1 2 3
        d: RPUSH l 4 5
        d: LPUSHX l 0
        d: RPUSHX l 9
        d: LPUSHX nothing 0
        d: RPUSHX nothing 9
        d: LSET l 0 x
        d: LSET l 0 x
        d: LINSERT l BEFORE x w
        d: LINSERT l BEFORE nothing w
        d: LREM l 0 nothing
        d: LREM l 0 x
        d: LTRIM l 0 -1
        d: LTRIM l 0 3
        d: LPOP l
        d: RPOP l 1
        d: LPOP l 0
        d: LPOP l 100
        d: LPOP l
        d: RPUSH l 1
        d: RPOP l
        d: RPUSH l 1 1
        d: LREM l 0 1
        d: RPUSH l 1 1
        d: LTRIM l 5 6
        d: LTRIM l 5 6
        d: LLEN nothing
        d: LRANGE nothing 0 1
        d: LINDEX nothing 0
        d: LPOS nothing 0
    """,
    "moves between lists": """
        d: RPUSH l 1 2
        d: RPOPLPUSH l m
        d: RPOPLPUSH l m
        d: RPOPLPUSH l m
        d: LMOVE m m LEFT RIGHT
        d: LMOVE m m LEFT LEFT
        d: LMOVE m l LEFT RIGHT
        d: LMOVE l l LEFT RIGHT
        d: LMOVE l m RIGHT RIGHT
        d: LMPOP 2 l m LEFT COUNT 5
        d: LMPOP 2 l m LEFT COUNT 5
        d: RPUSH l 1 2
        d: LMPOP 2 nothing l RIGHT
        d: BLPOP l 0
        d: RPUSH l 1 2
        d: BRPOP l 0
        d: BLMOVE l m LEFT LEFT 0
        d: BRPOPLPUSH m l 0
        d: BLMPOP 0 1 l LEFT
    """,
    "sorting": """
        d: RPUSH l 3 1 2
        d: SORT l STORE t
        d: SORT l STORE t
        d: SET t v
        d: SORT l STORE t
        d: SORT nothing STORE t
        d: SORT nothing STORE t
        d: SORT l
        d: SORT_RO nothing
        d: SORT l BY w_* GET g_* STORE t
    """,
    "sets": """
        d: SADD s 1 2 3
        d: SADD s 1 2 3
        d: SADD s 3 4
        d: SREM s 9
        d: SREM s 4
        d: SMOVE s t 1
        d: SMOVE s t 1
        d: SADD s 1
        d: SMOVE s t 1
        d: SMOVE s s 2
        d: SREM t 1
        d: SINTERSTORE x s s
        d: SINTERSTORE x s s
        d: SINTERSTORE x s nothing
        d: SINTERSTORE x s nothing
        d: SUNIONSTORE x s nothing
        d: SDIFFSTORE x s nothing
        d: SDIFFSTORE x s s
        d: SET x v
        d: SUNIONSTORE x s
        d: SUNIONSTORE s s
        d: DEL s
        d: SADD s 1
        d: SPOP s
        d: SPOP s
        d: SADD s 1
        d: SPOP s 1
        d: SADD s 1 2
        d: SMOVE s t 1
        d: SMOVE s t 2
        d~ SPOP t 5
        d: SPOP t
        d: SINTER nothing x
        d: SUNION nothing
        d: SINTERCARD 1 nothing
        d: SCARD nothing
    """,
    "one of many members": """
        a: SADD s 1 2
        a! SPOP s
        a! SPOP s 0
        a: SADD s 3 4
        a! SPOP s 1
        a! SPOP s 2
        a: EXISTS s
    """,
    "hashes": """
        d: HSET h a 1 b 2
        d: HSET h a 1
        d: HMSET h c 1
        d: HSETNX h c 1
        d: HSETNX h d 1
        d: HINCRBY h a 1
        d: HINCRBY h n 1
        d: HINCRBY new n 1
        d: HINCRBYFLOAT h a 1.5
        d: HINCRBYFLOAT new2 a 1.5
        d: HDEL h nothing
        d: HDEL h a nothing a
        d: HDEL new n
        d: HDEL nothing x
        d: HDEL h b c d n
        d: HGET nothing f
        d: HGETALL nothing
    """,
    "sorted sets": """
        d: ZADD z 1 a 2 b 3 c
        d: ZADD z 1 a 2 b 3 c
        d: ZADD z CH 2 a
        d: ZADD z XX 5 nothing
        d: ZADD z NX 5 a
        d: ZADD z INCR 5 a
        d: ZADD z INCR 0 a
        d: ZADD z NX INCR 5 a
        d: ZADD z 7 incr
        d: ZADD z XX CH 8 incr
        d: ZADD nothing XX 1 a
        d: ZINCRBY z 2 a
        d: ZINCRBY z 0 a
        d: ZINCRBY new 2 a
        d: ZREM z nothing
        d: ZREM z a nothing
        d: ZREM new a
        d: ZPOPMIN z
        d: ZPOPMAX z
        d: ZPOPMAX z 0
        d: ZPOPMIN nothing
        d: ZADD z 1 a 2 b 3 c 4 d
        d: ZMPOP 1 z MIN
        d: ZMPOP 2 nothing z MAX COUNT 2
        d: BZPOPMIN z 0
        d: ZPOPMIN z 10
        d: ZADD z 1 a 2 b 3 c 4 d
        d: BZPOPMAX z 0
        d: BZMPOP 0 1 z MIN COUNT 2
        d: ZPOPMAX z 10
        d: ZPOPMAX z 10
        d: ZSCORE nothing x
        d: ZRANGE nothing 0 -1
    """,
    "ranges and combinations of sorted sets": """
        d: ZADD z 1 a 2 b 3 c 4 d 5 e
        d: ZREMRANGEBYRANK z 0 0
        d: ZREMRANGEBYRANK z 10 20
        d: ZREMRANGEBYSCORE z 2 2
        d: ZREMRANGEBYSCORE z 20 21
        d: ZREMRANGEBYLEX z [c [c
        d: ZREMRANGEBYLEX z [x [y
        d: ZADD z 1 a
        d: ZRANGESTORE x z 0 -1
        d: ZRANGESTORE x z 0 -1
        d: ZRANGESTORE x z 10 11
        d: ZRANGESTORE x z 10 11
        d: ZUNIONSTORE x 2 z nothing
        d: ZINTERSTORE x 2 z z
        d: ZINTERSTORE x 2 z nothing
        d: ZINTERSTORE x 2 z nothing
        d: ZDIFFSTORE x 2 z nothing
        d: ZDIFFSTORE z 2 z nothing
        d: ZDIFFSTORE x 2 z z
        d: ZREMRANGEBYRANK z 0 -1
        d: ZADD z 1 a
        d: ZREMRANGEBYSCORE z 0 9
        d: ZADD z 1 a
        d: ZREMRANGEBYLEX z - +
        d: ZREMRANGEBYLEX z - +
        d: ZUNION 1 nothing
    """,
    "geo": """
        d: GEOADD g 13.361389 38.115556 Palermo 15.087269 37.502669 Catania
        d: GEOADD g 13.361389 38.115556 Palermo
        d: GEOADD g CH 13.4 38.115556 Palermo
        d: GEOSEARCHSTORE t g FROMLONLAT 15 37 BYRADIUS 200 km
        d: GEOSEARCHSTORE t g FROMLONLAT 15 37 BYRADIUS 200 km STOREDIST
        d: GEOSEARCHSTORE t g FROMLONLAT 0 0 BYRADIUS 1 km
        d: GEOSEARCHSTORE t g FROMLONLAT 0 0 BYRADIUS 1 km
        d: GEORADIUS g 15 37 200 km STORE t
        d: GEORADIUSBYMEMBER g Palermo 200 km STOREDIST t
        d: GEORADIUS g 0 0 1 km STORE t
        d: GEORADIUS g 0 0 1 km STORE t
        d: GEORADIUS nothing 0 0 1 km STORE t
        d: GEORADIUS g 15 37 200 km
        d: GEODIST nothing a b
    """,
    "hyperloglog": """
        d: PFADD p a b c
        d: PFADD p a b c
        d: PFADD p
        d: PFADD new
        d: PFADD new
        d: PFCOUNT p
        d: PFCOUNT p
        d: PFCOUNT p new
        d: PFCOUNT nothing
        d: PFMERGE t p new
        d: PFMERGE t p new
        d: PFMERGE t2
        d: PFDEBUG GETREG new
        d: PFADD new x y z
        d: PFDEBUG TODENSE t
        d: PFADD t 1 2 3 4 5
    """,
    "streams": """
        d: XADD s 1-1 f v
        d: XADD s NOMKSTREAM 2-1 f v
        d: XADD nothing NOMKSTREAM 2-1 f v
        d: XADD s MAXLEN 5 3-1 f v
        d: XADD s MAXLEN 1 4-1 f v
        d: XADD s 5-1 f v
        d: XADD s 6-1 f v
        d: XDEL s 5-1 7-7
        d: XDEL s 5-1
        d: XTRIM s MAXLEN 9
        d: XTRIM s MAXLEN 1
        d: XTRIM s MINID 9
        d: XSETID s 9-9
        d: XSETID s 9-9
        d: XRANGE nothing - +
        d: XLEN nothing
        d: XREAD STREAMS nothing 0
    """,
    "groups of streams": """
        d: XGROUP CREATE s g $ MKSTREAM
        d: XGROUP CREATE s g $
        d: XGROUP CREATE s h 0
        d: XGROUP SETID s g 0
        d: XGROUP CREATECONSUMER s g c
        d: XGROUP CREATECONSUMER s g c
        d: XADD s 1-1 f v
        d: XADD s 2-1 f v
        d: XREADGROUP GROUP g c STREAMS s >
        d: XREADGROUP GROUP g other STREAMS s >
        d: XREADGROUP GROUP g other STREAMS s 0
        d: XADD s 3-1 f v
        d: XREADGROUP GROUP g third NOACK STREAMS s >
        d: XADD s 4-1 f v
        d: XREADGROUP GROUP g fourth STREAMS s >
        d: XACK s g 1-1
        d: XACK s g 1-1
        d: XCLAIM s g third 0 2-1 LASTID 9-9 JUSTID
        d: XCLAIM s g fifth 0 2-1 JUSTID
        d: XCLAIM s g sixth 0 7-7 JUSTID
        d: XAUTOCLAIM s g third 0 0 JUSTID
        d: XAUTOCLAIM s g seventh 0 0 JUSTID
        d: XAUTOCLAIM s h eighth 0 0 JUSTID
        d: XGROUP DELCONSUMER s g c
        d: XGROUP DELCONSUMER s g c
        d: XGROUP DESTROY s g
        d: XGROUP DESTROY s g
    """,
    "clients that wait": """
        a> BLPOP l 0
        d: RPUSH l 1
        a< 1
        a> BLMOVE l m LEFT RIGHT 0
        d: RPUSH l 1 2
        a< 1
        a> BZPOPMAX z 0
        d: ZADD z 1 a 2 b
        a< 1
        a> BZMPOP 0 1 y MIN
        d: ZADD y 1 a
        a< 1
        d: XGROUP CREATE s g $ MKSTREAM
        a> XREADGROUP GROUP g c BLOCK 0 STREAMS s >
        d: XADD s 1-1 f v
        a< 1
    """,
    "what is read in vain": """
        d: GET k
        d: MGET k j k
        d: SET s v
        d: EXISTS k s
        d: HGET s f
        d: GETRANGE k 0 1
        d! OBJECT HELP
        d: SELECT 3
        d: GET k
        d: SET k v
        d: EXPIRE k 100
        d: DEBUG OBJECT nothing
        d: MEMORY USAGE nothing
    """,
    "what has expired": """
        d: DEBUG SET-ACTIVE-EXPIRE 0
        d: SET k v PX 1
        d: DEBUG SLEEP 0.005
        d: GET k
        d: SET k v PX 1
        d: DEBUG SLEEP 0.005
        d: SET k v
        d: SET k v PX 1
        d: DEBUG SLEEP 0.005
        d: MSET k 1 j 2
        d: SET k v PX 1
        d: DEBUG SLEEP 0.005
        d: DEL k
        d: SET k v PX 1
        d: SET o v
        d: DEBUG SLEEP 0.005
        d: RENAME o k
        d: DEBUG SET-ACTIVE-EXPIRE 1
    """,
}
NOT_HERE = FIELD_EXPIRY | {"FUNCTION"}  # the events of the first are in tests/engine


@pytest.fixture
def listening(oracle: OracleServer, subject: SubjectServer) -> Iterator[tuple[OracleServer, SubjectServer]]:
    """Both servers, publishing all events."""
    configure((oracle, subject), OPTIONS["notify-keyspace-events"])
    yield oracle, subject
    configure((oracle, subject), "")


def configure(servers: tuple[ServerProcess, ...], classes: str) -> None:
    """Have a server publish events of some classes."""
    for server in servers:
        with server.client() as client:
            assert client.call("CONFIG", "SET", "notify-keyspace-events", classes) == b"OK"


@pytest.mark.parametrize("name", SCENARIOS)
def test_events(name: str, listening: tuple[OracleServer, SubjectServer]) -> None:
    oracle, subject = listening
    expected = play(oracle, LISTEN + SCENARIOS[name])
    assert play(subject, LISTEN + SCENARIOS[name]) == expected


@pytest.mark.parametrize(
    "classes", ["", "K", "E", "AK", "AE", "KE", "Kg$", "El", "Ks", "Eh", "Kz", "Kx", "Et", "Kn", "Em", "AKEm"]
)
def test_classes(classes: str, oracle: OracleServer, subject: SubjectServer) -> None:
    scenario = (
        LISTEN
        + """
        d: GET nothing
        d: SET s v EX 100
        d: RPUSH l 1
        d: SADD set 1
        d: HSET h f v
        d: ZADD z 1 m
        d: XADD x 1-1 f v
        d: LPOP l
        d: GET s
        d: DEL s
        d: SET s v
        d: SET s v
        d: INCR n
        d: CONFIG GET notify-keyspace-events
    """
    )
    configure((oracle, subject), classes)
    try:
        expected = play(oracle, scenario)
        assert play(subject, scenario) == expected
    finally:
        configure((oracle, subject), "")


def test_every_command_that_writes_is_here() -> None:
    used = {
        line.split()[1]
        for scenario in SCENARIOS.values()
        for line in scenario.strip().splitlines()
        if line.strip()[1] in ":!>"
    }
    writing = {
        command.name
        for command in build_commands().values()
        if command.flags & Flag.WRITE
        or any(child.flags & Flag.WRITE for child in command.subcommands.values())
    }
    assert writing - used - NOT_HERE == set()
