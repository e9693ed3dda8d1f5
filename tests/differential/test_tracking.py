"""Client-side caching with several clients: who is told what, and when, as redis-server does it."""

from __future__ import annotations

import pytest

from tests.support.scenarios import play
from tests.support.servers import OracleServer, SubjectServer

pytestmark = pytest.mark.differential

SCENARIOS = {
    "the keys that were read": """
        a=3
        a: CLIENT TRACKING ON
        a: MGET k j
        a: GET k
        a: HGETALL h
        d: SET k v
        d: SET k v
        d: DEL nothing
        d: MSET j 1 k 2 i 3
        d: HSET h f v
        a: SET k w
        a: GET k
        a: SET k x
        a: SET k y
        a: INCR n
        a: GET n
        d: DECR n
        a: STRLEN n
        d: EXPIRE n 100
        a: TTL n
        d: PERSIST n
        a: EXISTS n
        d: DEL n
        a: CLIENT TRACKING OFF
        a: GET k
        d: SET k v
    """,
    "keys of every kind of change": """
        a=3
        d: MSET s v b v
        d: RPUSH l 1 2 3
        d: SADD set 1 2
        d: ZADD z 1 a 2 b
        d: XADD x 1-1 f v
        a: CLIENT TRACKING ON
        a! MGET s b c
        d: RENAME s c
        a! GET b
        a! GET s
        d: COPY b s
        a! LRANGE l 0 -1
        a! LRANGE m 0 -1
        d: LMOVE l m LEFT LEFT
        a! LLEN l
        d: LTRIM l 0 0
        a! LLEN l
        d: LPOP l
        a! SMEMBERS set
        d: SREM set 1
        a! ZRANGE z 0 -1
        d: ZINCRBY z 1 a
        a! XRANGE x - +
        d: XADD x 2-1 f v
        a! XREAD STREAMS x 0
        d: XTRIM x MAXLEN 1
        a! XREAD STREAMS x 0
        d: XGROUP CREATE x g 0
        a! XREAD STREAMS x 0
        d: XREADGROUP GROUP g c COUNT 1 STREAMS x >
        d: XACK x g 2-1
        d: XGROUP CREATECONSUMER x g other
        d: XGROUP DELCONSUMER x g other
        d: XGROUP SETID x g 0
        d: XGROUP DESTROY x g
        d: XSETID x 9-9
        a! XREAD STREAMS x y 0 0
        d: XDEL x 2-1
        d: XGROUP CREATE y g 0 MKSTREAM
        a! GET b
        d: MOVE b 1
        a! GET b
        d: SELECT 1
        d: SET b v
        a! BITCOUNT b
        d: SETBIT b 1 1
        a! SORT_RO b
        a! OBJECT ENCODING b
        d: APPEND b x
        a! SINTER set other
        d: SADD other 1
        a! GEOSEARCH g FROMLONLAT 0 0 BYRADIUS 1 km
        d: SUNIONSTORE g other
        a! PFCOUNT p
        d: PFADD p 1
        a! PFCOUNT p
        d: PFCOUNT p
    """,
    "no keys, no reads": """
        a=3
        a: CLIENT TRACKING ON
        a! KEYS *
        a! SCAN 0
        a! DBSIZE
        a! GETSET k v
        a! GETDEL k
        a! SORT k
        a! LPUSH k 1
        a! SPUBLISH k m
        a! GET
        a! GET k x
        a! SUBSCRIBE k
        d: SET k v
        d: RPUSH other 1
        a! GET wrong
        a: LLEN k
        d: DEL k
    """,
    "an error is a read as well": """
        a=3
        d: SET k v
        a: CLIENT TRACKING ON
        a: LLEN k
        d: DEL k
    """,
    "NOLOOP": """
        a=3
        a: CLIENT TRACKING ON NOLOOP
        a: GET k
        a: SET k v
        d: SET k v
        a: GET k
        d: SET k v
        a: GET k
        a: FLUSHALL
    """,
    "OPTIN": """
        a=3
        a: CLIENT TRACKING ON OPTIN
        a: CLIENT TRACKINGINFO
        a: GET k
        d: SET k v
        a: CLIENT CACHING YES
        a: CLIENT TRACKINGINFO
        a: CLIENT GETNAME
        a: GET k
        a: GET j
        d: MSET k v j v
        a: CLIENT CACHING NO
        a: CLIENT CACHING yes
        a: ECHO x
        a: GET k
        d: SET k v
        a: CLIENT TRACKINGINFO
    """,
    "OPTOUT": """
        a=3
        a: CLIENT TRACKING ON OPTOUT
        a: GET k
        d: SET k v
        a: CLIENT CACHING NO
        a: CLIENT TRACKINGINFO
        a: GET k
        a: GET j
        d: MSET k v j v
        a: CLIENT CACHING YES
        a: CLIENT CACHING maybe
        a: CLIENT TRACKING ON OPTIN
        a: CLIENT TRACKING ON
        a: CLIENT TRACKINGINFO
        a: CLIENT CACHING NO
    """,
    "broadcasting": """
        a=3
        b=3
        c=3
        a: CLIENT TRACKING ON BCAST
        b: CLIENT TRACKING ON BCAST PREFIX one PREFIX two
        c: CLIENT TRACKING ON BCAST PREFIX on NOLOOP
        a: CLIENT TRACKINGINFO
        b: CLIENT TRACKINGINFO
        d: SET one v
        d: MSET two v onetwo v on v x v
        a: SET one v
        c: SET one v
        c: MSET one v two v
        b: CLIENT TRACKING ON BCAST PREFIX three
        d: MSET three v two v
        b: CLIENT TRACKINGINFO
        d: FLUSHDB
        b: CLIENT TRACKING OFF
        d: SET three v
        a: GET one
        d: SET one v
    """,
    "redirected, in RESP2": """
        b: SUBSCRIBE __redis__:invalidate
        a: CLIENT TRACKING ON REDIRECT {b}
        a: CLIENT TRACKINGINFO
        a: GET k
        d: SET k v
        a: GET k
        a: SET k v
        a: GET k
        d: FLUSHALL
        b: UNSUBSCRIBE
        a: GET k
        d: SET k v
        b: SUBSCRIBE other
        a: GET k
        d: SET k v
    """,
    "redirected, between protocols": """
        a=3
        b=2
        c=3
        a: CLIENT TRACKING ON REDIRECT {b}
        a: GET k
        d: SET k v
        b: PSUBSCRIBE x
        a: GET k
        d: SET k v
        d: FLUSHALL
        b: CLIENT TRACKING ON REDIRECT {c}
        a: CLIENT TRACKING ON REDIRECT {c}
        a: GET k
        d: SET k v
        e: CLIENT TRACKING ON REDIRECT {c} BCAST
        d: SET k v
        d: FLUSHALL
    """,
    "the other client is gone": """
        a=3
        b=3
        a: CLIENT TRACKING ON REDIRECT {b}
        b: QUIT
        a: GET k
        a: CLIENT TRACKINGINFO
        d: SET k v
        a: CLIENT TRACKINGINFO
        a: GET k
        d: SET k v
        a: CLIENT TRACKING ON REDIRECT {d}
        a: CLIENT TRACKINGINFO
    """,
    "without a way to be told": """
        a=2
        a: CLIENT TRACKING ON
        a: CLIENT TRACKINGINFO
        a: GET k
        d: SET k v
        a: GET k
        a! HELLO 3
        d: SET k v
    """,
    "what was flushed": """
        a=3
        b=3
        a: CLIENT TRACKING ON
        b: CLIENT TRACKING ON BCAST
        a: SET k v
        a: GET k
        d: FLUSHALL
        d: SET k v
        a: GET k
        a: FLUSHDB
        d: SET k v
    """,
    "mistakes": """
        a=3
        a: CLIENT TRACKING
        a: CLIENT TRACKING MAYBE
        a: CLIENT TRACKING ON WHAT
        a: CLIENT TRACKING ON REDIRECT
        a: CLIENT TRACKING ON REDIRECT x
        a: CLIENT TRACKING ON REDIRECT 99999999
        a: CLIENT TRACKING ON REDIRECT {a} REDIRECT {a}
        a: CLIENT TRACKING ON REDIRECT 0
        a: CLIENT TRACKING ON PREFIX x
        a: CLIENT TRACKING ON PREFIX
        a: CLIENT TRACKING ON BCAST OPTIN
        a: CLIENT TRACKING ON BCAST OPTOUT
        a: CLIENT TRACKING ON OPTIN OPTOUT
        a: CLIENT TRACKING ON BCAST PREFIX foo PREFIX foobar
        a: CLIENT TRACKING ON BCAST PREFIX foo PREFIX foo
        a: CLIENT TRACKING ON BCAST PREFIX "" PREFIX x
        a: CLIENT CACHING YES
        a: CLIENT CACHING WHAT
        a: CLIENT GETREDIR
        a: CLIENT TRACKINGINFO
        a: CLIENT TRACKING OFF
        a: CLIENT TRACKING OFF BCAST PREFIX x
        a: CLIENT TRACKING OFF WHAT
        a: CLIENT TRACKING ON BCAST PREFIX foo
        a: CLIENT TRACKING ON BCAST PREFIX foobar
        a: CLIENT TRACKING ON BCAST PREFIX fo
        a: CLIENT TRACKING ON BCAST
        a: CLIENT TRACKING ON BCAST OPTIN
        a: CLIENT TRACKING ON
        a: CLIENT TRACKING ON OPTIN
        a: CLIENT CACHING YES
        a: CLIENT TRACKINGINFO
        a: CLIENT TRACKING OFF
        a: CLIENT TRACKING ON OPTIN
        a: CLIENT TRACKING ON OPTOUT
        a: CLIENT TRACKING ON BCAST
        a: CLIENT TRACKING ON NOLOOP
        a: CLIENT TRACKINGINFO
    """,
    "RESET": """
        a=3
        a: CLIENT TRACKING ON
        a: GET k
        a: RESET
        d: SET k v
        a: CLIENT TRACKINGINFO
        a! HELLO 3
        a: CLIENT TRACKING ON BCAST
        a: RESET
        a! HELLO 3
        d: SET k v
    """,
    "a client that waits": """
        a=3
        a: CLIENT TRACKING ON
        a: LLEN l
        a: GET k
        a> BLPOP l 0
        d: SET k v
        d: RPUSH l 1
        a< 3
        a> XREAD BLOCK 0 STREAMS s $
        d: XADD s 1-1 f v
        a< 2
    """,
    "what has expired": """
        a=3
        b=3
        d: DEBUG SET-ACTIVE-EXPIRE 0
        d: SET k v PX 1
        b: CLIENT TRACKING ON BCAST
        a: CLIENT TRACKING ON
        a: TTL nothing
        a: PEXPIRETIME other
        d: DEBUG SLEEP 0.005
        a: GET k
        d: SET k v
        a: SET k v PX 200
        a: EXISTS k
        d: DEBUG SLEEP 0.201
        d: GET k
        d: DEBUG SET-ACTIVE-EXPIRE 1
    """,
    "databases are not told apart": """
        a=3
        a: CLIENT TRACKING ON
        a: GET k
        d: SELECT 1
        d: SET k v
        a: SELECT 1
        a: GET k
        d: FLUSHDB
    """,
    "messages and invalidations": """
        a=3
        a: CLIENT TRACKING ON
        a: SUBSCRIBE c
        a: GET k
        d: SET k v
        d: PUBLISH c m
        a: GET k
        a: SET k v
    """,
    "replies are off": """
        a=3
        a: CLIENT TRACKING ON
        a: GET k
        a> CLIENT REPLY OFF
        d: SET k v
        a> GET k
        d: PING
        d: SET k v
        a> CLIENT REPLY ON
        a< 3
    """,
}


@pytest.mark.parametrize("name", SCENARIOS)
def test_scenario(name: str, oracle: OracleServer, subject: SubjectServer) -> None:
    expected = play(oracle, SCENARIOS[name])
    assert play(subject, SCENARIOS[name]) == expected


def test_figures(oracle: OracleServer, subject: SubjectServer) -> None:
    """INFO and CLIENT LIST know who tracks."""
    found = []
    for server in (oracle, subject):
        with server.client() as a, server.client() as b, server.client() as c:
            for client in (a, b, c):
                client.call("HELLO", 3)
            a.call("CLIENT", "TRACKING", "ON")
            a.call("MGET", "one", "two")
            b.call("CLIENT", "TRACKING", "ON", "BCAST", "PREFIX", "x", "PREFIX", "y")
            c.call("CLIENT", "TRACKING", "ON", "REDIRECT", a.call("CLIENT", "ID"))
            c.call("GET", "one")
            lines = b"\r\n".join(a.call("INFO", section) for section in ("clients", "stats")).split(b"\r\n")
            fields = [line for line in lines if b"tracking_" in line and b"latency" not in line]
            words = [client.call("CLIENT", "INFO").split() for client in (a, b, c)]
            flags = [word for line in words for word in line if word.startswith((b"flags=", b"redir="))]
            number = a.call("CLIENT", "ID")
            found.append((fields, [flag.replace(b"%d" % number, b"<a>") for flag in flags]))
    assert found[0] == found[1]
