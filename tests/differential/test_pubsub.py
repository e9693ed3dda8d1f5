"""Publish and subscribe with several clients, as redis-server does it."""

from __future__ import annotations

import pytest

from tests.support.scenarios import play
from tests.support.servers import OracleServer, SubjectServer

pytestmark = pytest.mark.differential

SCENARIOS = {
    "channels, patterns and shard channels": """
        a: SUBSCRIBE one two one
        b: PSUBSCRIBE o*
        e: PSUBSCRIBE t?o [eh]*
        f: PSUBSCRIBE [ot]*
        g: PSUBSCRIBE o*
        c: SSUBSCRIBE one two
        d: PUBLISH one hello
        d: PUBLISH two ""
        d: PUBLISH three x
        d: PUBLISH none x
        d: PUBLISH "" x
        d: SPUBLISH one hello
        d: SPUBLISH three hello
        d~ PUBSUB CHANNELS
        d~ PUBSUB CHANNELS t*
        d~ PUBSUB CHANNELS t* x
        d: PUBSUB NUMSUB
        d: PUBSUB NUMSUB one two three one
        d: PUBSUB NUMPAT
        d: PUBSUB NUMPAT x
        d~ PUBSUB SHARDCHANNELS o*
        d: PUBSUB SHARDNUMSUB one two three
        d: PUBSUB SHARDNUMSUB
        d: PUBSUB WHAT
        d: PUBSUB
        a: UNSUBSCRIBE two three
        d: PUBLISH two x
        b: PUNSUBSCRIBE
        d: PUBLISH one x
        c: SUNSUBSCRIBE one
        c: SUNSUBSCRIBE
        d: SPUBLISH two x
        a: UNSUBSCRIBE
        d~ PUBSUB CHANNELS
        d: PUBSUB NUMPAT
        d~ PUBSUB SHARDCHANNELS
    """,
    "a star and a channel without a name": """
        a: PSUBSCRIBE *
        b: PSUBSCRIBE **
        e: PSUBSCRIBE ""
        c: SUBSCRIBE ""
        d: PUBLISH "" x
        d: PUBLISH x ""
        d~ PUBSUB CHANNELS *
        d~ PUBSUB CHANNELS ""
    """,
    "all kinds of subscriptions of one client": """
        a: SUBSCRIBE x
        a: PSUBSCRIBE x*
        a: SSUBSCRIBE x y
        a: SUBSCRIBE y
        d: PUBLISH x m
        d: SPUBLISH x m
        a: SUNSUBSCRIBE x y
        a: SUNSUBSCRIBE
        a: UNSUBSCRIBE x
        a: UNSUBSCRIBE
        a: PUNSUBSCRIBE nothing
        a: PUNSUBSCRIBE
        a: PUNSUBSCRIBE
        a: UNSUBSCRIBE
        a: GET k
    """,
    "what a subscriber may do": """
        a=2
        b=2
        c=2
        a: SUBSCRIBE c
        a: GET k
        a: get k
        a: CLIENT LIST
        a: CLIENT
        a: PUBLISH c m
        a: SET k
        a: NOSUCH
        a: ECHO x
        a: PING
        a: PING word
        a: PING two words
        a: HELLO 3
        a: SPUBLISH c m
        a: UNSUBSCRIBE c
        a: PING
        a: GET k
        b: PSUBSCRIBE c
        b: GET k
        c: SSUBSCRIBE c
        c: GET k
        c: PING
        c: QUIT
    """,
    "RESET": """
        a: SUBSCRIBE c
        a: PSUBSCRIBE c*
        a: SSUBSCRIBE c
        a: RESET
        d: PUBLISH c m
        d: SPUBLISH c m
        d: PUBSUB NUMPAT
        a: GET k
    """,
    "a publisher that listens": """
        a=3
        a: SUBSCRIBE c
        a: PUBLISH c m
        a: GET k
        a! HELLO 2
        a: GET k
        a: PING
    """,
    "protocols beside each other": """
        a=3
        b=2
        c=3
        a: SUBSCRIBE c
        b: SUBSCRIBE c
        c: PSUBSCRIBE c
        d: PUBLISH c "some message"
        a: SET k v
        a: GET k
        c: PING
        c: PING x
    """,
    "replies are off": """
        a> CLIENT REPLY OFF
        a> SUBSCRIBE c
        d: PUBLISH c m
        a> PING
        a> UNSUBSCRIBE
        a> GET k
        a> SET k v
        a> CLIENT REPLY ON
        a< 4
        a> CLIENT REPLY SKIP
        a> SUBSCRIBE c
        d: PUBLISH c m
        a< 2
    """,
    "a subscriber that was killed": """
        a: SUBSCRIBE c
        b: PSUBSCRIBE c
        c: SSUBSCRIBE c
        d: CLIENT KILL TYPE pubsub
        d: PUBLISH c m
        d~ PUBSUB CHANNELS
        d: PUBSUB NUMPAT
        d: CLIENT LIST TYPE pubsub
    """,
    "while writes are held back": """
        a: SUBSCRIBE c
        d: CLIENT PAUSE 100000 WRITE
        b> PUBLISH c m
        e: SUBSCRIBE c
        d: CLIENT UNPAUSE
        b< 1
        a: PING
        e: PING
    """,
    "a client that waits and listens": """
        a=3
        a: SUBSCRIBE c
        a> BLPOP l 0
        d: PUBLISH c m
        d: RPUSH l 1
        a< 2
        a: UNSUBSCRIBE
    """,
}


@pytest.mark.parametrize("protocol", [2, 3])
@pytest.mark.parametrize("name", SCENARIOS)
def test_scenario(name: str, protocol: int, oracle: OracleServer, subject: SubjectServer) -> None:
    expected = play(oracle, SCENARIOS[name], protocol)
    assert play(subject, SCENARIOS[name], protocol) == expected
