"""INFO commandstats and errorstats against redis-server: which commands and errors are counted how often."""

from __future__ import annotations

import re

import pytest

from tests.support.servers import OracleServer, ServerProcess, SubjectServer
from tests.support.watching import Cast

pytestmark = pytest.mark.differential

SCENARIOS = {
    "errors": """
        a: SET k v
        a: GET k
        a: get k
        a: INCR k
        a: LPUSH k x
        a: SET k
        a: NOSUCH
        a: CONFIG
        a: CONFIG NOSUCH
        a: CONFIG GET
        a: CONFIG SET port
        a: OBJECT ENCODING k
        a: OBJECT HELP
        a: EXPIRE k x
        a: XADD s bad f v
        a: XGROUP CREATE none g $
        a: XREADGROUP GROUP g c STREAMS none >
        a: SELECT 99
        a: EVALSHA ffffffffffffffffffffffffffffffffffffffff 0
        a: AUTH x y
        a: HELLO 9
        a: SETRANGE k -1 x
    """,
    "transactions": """
        a: MULTI
        a: SET k v
        a: INCR k
        a: EXEC
        a: MULTI
        a: SET k
        a: EXEC
        a: EXEC
        a: DISCARD
        a: MULTI
        a: MULTI
        a: WATCH k
        a: DISCARD
        a: WATCH k
        b: SET k w
        a: MULTI
        a: GET k
        a: EXEC
    """,
    "scripts": """
        a: EVAL "return redis.call('set', 'k', 'v')" 0
        a: EVAL "return redis.call('incr', 'k')" 0
        a: EVAL "return redis.pcall('incr', 'k')" 0
        a: EVAL "redis.pcall('incr', 'k') return 1" 0
        a: EVAL "return redis.call('nosuch')" 0
        a: EVAL "return redis.call('get')" 0
        a: EVAL "return {err='MINE own error'}" 0
        a: EVAL "no Lua" 0
        a: EVAL "redis.pcall('subscribe', 'c') redis.pcall('config', 'get') return 1" 0
        a: EVAL "return redis.call('config', 'nosuch')" 0
        a: EVAL_RO "return redis.call('set', 'k', 'v')" 0
        a: EVAL "#!lua flags=no-writes\\nreturn redis.call('set', 'k', 'v')" 0
    """,
    "users": """
        a: ACL SETUSER limited on nopass ~a +get +set +multi +exec
        b: AUTH limited x
        b: GET a
        b: GET b
        b: DEL a
        b: MULTI
        b: GET b
        b: EXEC
        a: ACL DELUSER limited
    """,
    "waiting": """
        a: BLPOP none 0.01
        a: RPUSH l x
        a: BLPOP l 0
        a: BLPOP l x
        a: WAIT 0 0
        a: SUBSCRIBE c
        a: GET k
        a: UNSUBSCRIBE c
    """,
    "clients": """
        a: CLIENT LIST TYPE nonsense
        a: CLIENT KILL ID 0
        a: CLIENT KILL 1.2.3.4:5
        a: CLIENT NO-EVICT x
        a: CLIENT REPLY x
        a: RESET
        a: CLIENT UNBLOCK x
    """,
}
_OWN_TEXTS = re.compile(rb"cmdstat_(info|config\|resetstat):")


def counted(server: ServerProcess, scenario: str, protocol: int) -> list[bytes]:
    """The lines of INFO without times."""
    cast = Cast(server, protocol)
    try:
        with server.client() as admin:
            for name in "ab":
                cast.client(name)
            admin.call("CONFIG", "RESETSTAT")
            cast.perform(scenario)
            text = bytes(admin.call("INFO", "commandstats", "errorstats"))
            (total,) = re.findall(rb"total_error_replies:\d+", admin.call("INFO", "stats"))
    finally:
        cast.close()
    lines = [line for line in text.split(b"\r\n") if line and not _OWN_TEXTS.match(line)]
    return [*sorted(re.sub(rb"usec=\d+,usec_per_call=[0-9.]+,", b"", line) for line in lines), total]


@pytest.mark.parametrize("protocol", [2, 3])
@pytest.mark.parametrize("name", SCENARIOS)
def test_counts(name: str, protocol: int, oracle: OracleServer, subject: SubjectServer) -> None:
    expected = counted(oracle, SCENARIOS[name], protocol)
    assert len(expected) > 5
    assert counted(subject, SCENARIOS[name], protocol) == expected
