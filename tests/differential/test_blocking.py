"""Commands that wait, with several clients: who is served what, and in which order, as redis-server does it.

A scenario is a list of lines ``client: command``.  ``client> command`` sends without waiting for the reply;
``client<`` reads one.  Between two lines the server has settled: a control connection asks how many clients
are blocked.
"""

from __future__ import annotations

import time

import pytest

from tests.support.client import Client
from tests.support.servers import OracleServer, ServerProcess, SubjectServer

pytestmark = pytest.mark.differential

SCENARIOS = {
    "served by age": """
        a> BLPOP l 0
        b> BLPOP l 0
        c> BRPOP l 0
        d: RPUSH l 1 2
        a<
        b<
        d: RPUSH l 3 4 5
        c<
        d: LRANGE l 0 -1
    """,
    "of several keys the one that was filled": """
        a> BLPOP x y z 0
        d: RPUSH z 1
        a<
        a> BLPOP x y z 0
        d: RPUSH y 2
        a<
        d: EXISTS x y z
    """,
    "one client waits for one key twice": """
        a> BLPOP l l 0
        d: RPUSH l 1 2
        a<
        d: LRANGE l 0 -1
    """,
    "a chain of moves": """
        a> BLMOVE one two RIGHT LEFT 0
        b> BLMOVE two three LEFT RIGHT 0
        c> BLPOP three 0
        d: RPUSH one v
        a<
        b<
        c<
        d: EXISTS one two three
    """,
    "moves to itself": """
        a> BRPOPLPUSH l l 0
        d: RPUSH l 1 2 3
        a<
        d: LRANGE l 0 -1
    """,
    "a target of another type": """
        d: SET s x
        a> BLMOVE l s LEFT LEFT 0
        d: RPUSH l 1
        a<
        d: LRANGE l 0 -1
    """,
    "another type does not wake": """
        a> BLPOP k 0
        d: SET k v
        d: DEL k
        d: SADD k m
        d: DEL k
        d: ZADD k 1 m
        d: DEL k
        d: RPUSH k v
        a<
    """,
    "renamed, copied, moved and sorted into place": """
        a> BLPOP k 0
        d: RPUSH other 1
        d: RENAME other k
        a<
        a> BLPOP k 0
        d: RPUSH other 2
        d: COPY other k
        a<
        d: DEL other
        a> BLPOP k 0
        d: RPUSH other 3 1
        d: SORT other STORE k
        a<
        d: LRANGE k 0 -1
        d: DEL k
        a> BLPOP k 0
        d: SELECT 1
        d: RPUSH k 4
        d: MOVE k 0
        a<
    """,
    "databases are apart, and can be exchanged": """
        a> BLPOP k 0
        d: SELECT 1
        d: RPUSH k 1
        d: LLEN k
        d: SWAPDB 0 1
        a<
        d: LLEN k
    """,
    "counted pops": """
        a> BLMPOP 0 2 x y RIGHT COUNT 2
        d: RPUSH y 1 2 3
        a<
        d: LRANGE y 0 -1
        b> BZMPOP 0 2 v w MAX COUNT 5
        d: ZADD w 1 a 2 b 3 c
        b<
        d: EXISTS w
    """,
    "sorted sets": """
        a> BZPOPMIN z 0
        b> BZPOPMAX z 0
        d: ZADD z 1 a 2 b 3 c
        a<
        b<
        d: ZRANGE z 0 -1 WITHSCORES
        d: DEL z
        a> BZPOPMAX y z 0
        d: ZADD other 1.5 m
        d: ZUNIONSTORE z 1 other
        a<
    """,
    "nothing in time": """
        a: BLPOP k 0.01
        a: BRPOP k j 0.01
        a: BLMOVE k j LEFT LEFT 0.01
        a: BRPOPLPUSH k j 0.01
        a: BLMPOP 0.01 1 k LEFT
        a: BZPOPMIN k 0.01
        a: BZMPOP 0.01 1 k MIN
        d: RPUSH k 1
        d: LRANGE k 0 -1
    """,
    "unblocked": """
        a: CLIENT SETNAME a
        a> BLPOP k 0
        d: CLIENT UNBLOCK {a}
        a<
        a> BLPOP k 0
        d: CLIENT UNBLOCK {a} ERROR
        a<
        a> BZPOPMIN k 0
        d: CLIENT UNBLOCK {a} TIMEOUT
        a<
        d: RPUSH k 1
        d: LRANGE k 0 -1
    """,
    "a client that left is not served": """
        a> BLPOP k 0
        b> BLPOP k 0
        d: CLIENT KILL ID {a}
        d: RPUSH k 1 2
        b<
        d: LRANGE k 0 -1
    """,
    "what stands behind a command that waits": """
        a> BLPOP k 0
        a> RPUSH k back
        a> LLEN k
        d: RPUSH k 1
        a<
        a<
        a<
    """,
    "streams": """
        a> XREAD BLOCK 0 STREAMS s $
        d: XADD s 1-1 f v
        a<
        b: XREAD BLOCK 10 STREAMS s $
        d: XGROUP CREATE s g $
        a> XREADGROUP GROUP g one BLOCK 0 STREAMS s >
        b> XREADGROUP GROUP g two BLOCK 0 STREAMS s >
        d: XADD s 2-1 f v
        a<
        d: XADD s 3-1 f v
        b<
        d: XPENDING s g
        d: XINFO GROUPS s
    """,
    "streams: everybody gets what is new, a group gives it to one": """
        a> XREAD BLOCK 0 STREAMS s t $ $
        b> XREAD COUNT 1 BLOCK 0 STREAMS t s 5-1 3
        c> XREAD BLOCK 0 STREAMS s s 2-1 9
        d: XADD s 1-1 f v
        a<
        d: XADD s 2-1 f v
        d: XADD s 3-1 f v
        b<
        c<
        d: XADD t 5-1 f v
        d: XADD t 6-1 f v
        d: XGROUP CREATE s g 0 ENTRIESREAD 0
        d: XGROUP CREATE t g $
        a> XREADGROUP GROUP g one NOACK BLOCK 0 STREAMS t >
        b> XREADGROUP GROUP g two BLOCK 0 COUNT 1 STREAMS t >
        c> XREADGROUP GROUP g one BLOCK 0 STREAMS t >
        d: XADD t 7-1 f v
        d: XADD t 8-1 f v
        a<
        b<
        d: XADD t 9-1 f v
        c<
        d: XPENDING t g
        d: XINFO GROUPS t
    """,
    "streams: what does not wake": """
        d: XADD s 1-1 f v
        d: XGROUP CREATE s g $
        a> XREAD BLOCK 0 STREAMS s $
        b> XREADGROUP GROUP g one BLOCK 0 STREAMS s >
        d: XSETID s 5-1 ENTRIESADDED 1
        d: XGROUP SETID s g 0
        d: XGROUP CREATECONSUMER s g two
        d: XGROUP CREATE s other 0
        d: XTRIM s MAXLEN 0
        d: XADD s 6-1 f v
        a<
        b<
        a> XREAD BLOCK 0 STREAMS s 6-1
        d: DEL s
        d: SET s x
        d: DEL s
        d: XADD s 1-1 f v
        d: XADD s 6-2 f v
        a<
    """,
    "streams: the group or the key goes": """
        d: XGROUP CREATE s g $ MKSTREAM
        a> XREADGROUP GROUP g one BLOCK 0 STREAMS s >
        d: XGROUP DESTROY s g
        a<
        d: XGROUP CREATE s g $ MKSTREAM
        a> XREADGROUP GROUP g one BLOCK 0 STREAMS s >
        d: DEL s
        d: XADD s 1-1 f v
        a<
        d: XGROUP CREATE s g $
        a> XREADGROUP GROUP g one BLOCK 0 STREAMS s >
        d: SET s x
        a<
        d: DEL s
        d: XGROUP CREATE s g $ MKSTREAM
        a> XREADGROUP GROUP g one BLOCK 0 STREAMS s >
        d: RENAME s t
        a<
        b> XREADGROUP GROUP g one BLOCK 0 STREAMS t >
        d: FLUSHALL
        b<
        d: XGROUP CREATE s g $ MKSTREAM
        b> XREADGROUP GROUP g one BLOCK 0 STREAMS s >
        d: PEXPIRE s 1
        b<
        a> XREAD BLOCK 0 STREAMS s 0
        d: XADD other 1-1 f v
        d: RENAME other s
        a<
        a> XREAD BLOCK 0 STREAMS x 0
        d: COPY s x
        a<
    """,
    "streams: unblocked, or nothing in time": """
        a: XREAD BLOCK 10 STREAMS s $
        d: XGROUP CREATE s g $ MKSTREAM
        a: XREADGROUP GROUP g c BLOCK 10 STREAMS s >
        a> XREAD BLOCK 0 STREAMS s $
        d: CLIENT UNBLOCK {a}
        a<
        a> XREADGROUP GROUP g c BLOCK 0 STREAMS s >
        d: CLIENT UNBLOCK {a} ERROR
        a<
        d: XINFO CONSUMERS s g
    """,
    "another stream takes the key, by RENAME": """
        d: XADD s 5-5 f v
        a> XREAD BLOCK 0 STREAMS s $
        d: XADD other 9-9 f v
        d: RENAME other s
        a<
    """,
    "another stream takes the key, by COPY": """
        d: XADD s 5-5 f v
        a> XREAD BLOCK 0 STREAMS s $
        d: XADD other 9-9 f v
        d: COPY other s REPLACE
        a<
    """,
    "another stream takes the key of a group": """
        d: XGROUP CREATE s g $ MKSTREAM
        d: XADD s 5-5 f v
        b: XREADGROUP GROUP g c STREAMS s >
        a> XREADGROUP GROUP g c BLOCK 0 STREAMS s >
        d: XGROUP CREATE other g $ MKSTREAM
        d: XADD other 9-9 f v
        d: RENAME other s
        a<
    """,
}


def settle(control: Client) -> None:
    """Return when the number of blocked clients has not changed for a moment."""
    last, since = -1, time.monotonic()
    while time.monotonic() - since < 0.03:
        lines = control.call("INFO", "clients").split(b"\r\n")
        blocked = int(next(line for line in lines if line.startswith(b"blocked_clients:")).split(b":")[1])
        if blocked != last:
            last, since = blocked, time.monotonic()


def play(server: ServerProcess, scenario: str, protocol: int) -> list[str]:
    """The replies of a scenario, as text."""
    clients: dict[str, Client] = {}
    numbers: dict[str, int] = {}
    seen = []
    with server.client() as control:
        control.call("FLUSHALL")
        try:
            for line in scenario.strip().splitlines():
                name, mark, words = line.strip()[0], line.strip()[1], line.strip()[2:].split()
                if name not in clients:
                    clients[name] = server.client()
                    if protocol == 3:
                        clients[name].call("HELLO", "3")
                    numbers[name] = clients[name].call("CLIENT", "ID")
                words = [word.format(**numbers) for word in words]
                if mark == ">":
                    clients[name].send(*words)
                elif mark == ":":
                    seen.append(f"{line.strip()} -> {clients[name].call(*words)!r}")
                else:
                    seen.append(f"{line.strip()} -> {clients[name].read_reply()!r}")
                settle(control)
        finally:
            for client in clients.values():
                client.close()
            settle(control)
    return seen


@pytest.mark.parametrize("protocol", [2, 3])
@pytest.mark.parametrize("name", SCENARIOS)
def test_scenario(name: str, protocol: int, oracle: OracleServer, subject: SubjectServer) -> None:
    expected = play(oracle, SCENARIOS[name], protocol)
    assert play(subject, SCENARIOS[name], protocol) == expected
