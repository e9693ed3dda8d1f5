"""Lua against redis-server: the language, its libraries, what commands give and what scripts return.

``scripts/*.txt`` holds one script a line.  Each file runs from top to bottom on both servers, in RESP2 and
RESP3, and every reply must be the oracle's, error texts with their positions included.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.support.client import Client
from tests.support.servers import OracleServer, ServerProcess, SubjectServer

pytestmark = pytest.mark.differential

FILES = sorted((Path(__file__).parent / "scripts").glob("*.txt"))
ADDRESS = re.compile(r"0x[0-9a-f]{6,}")


def scripts_of(path: Path) -> list[str]:
    """The scripts of a file."""
    return [line for line in path.read_text("utf-8").splitlines() if line and not line.startswith("#")]


def opened(server: ServerProcess, protocol: int) -> Client:
    """A connection to a server without data, scripts and functions."""
    client = server.client()
    client.call("HELLO", protocol)
    for words in (("FLUSHALL",), ("SCRIPT", "FLUSH"), ("FUNCTION", "FLUSH")):
        client.call(*words)
    return client


def shown(reply: Any) -> str:
    """A reply with its type, without addresses of memory."""
    return ADDRESS.sub("0x…", repr((type(reply).__name__, reply)))


def differences(
    oracle: ServerProcess, subject: ServerProcess, calls: list[tuple[str | bytes, ...]], protocol: int
) -> list[str]:
    """Where the two servers part, in the order of the calls."""
    found = []
    with opened(oracle, protocol) as theirs, opened(subject, protocol) as ours:
        for words in calls:
            expected, actual = shown(theirs.call(*words)), shown(ours.call(*words))
            if expected != actual:
                found.append(f"{words!r}\n    oracle:  {expected}\n    subject: {actual}")
    return found


@pytest.mark.parametrize("protocol", [2, 3])
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_scripts(path: Path, protocol: int, oracle: OracleServer, subject: SubjectServer) -> None:
    calls: list[tuple[str | bytes, ...]] = [("EVAL", script, "0") for script in scripts_of(path)]
    found = differences(oracle, subject, calls, protocol)
    if found:
        pytest.fail("\n".join(found), pytrace=False)


def test_there_are_scripts() -> None:
    assert sum(len(scripts_of(path)) for path in FILES) > 700


SHEBANGS = [
    *("#!lua\nreturn 1", "#!lua flags=no-writes\nreturn redis.call('set','a','1')", "#!lua\n\n\nerror('x')"),
    *("#!lua flags=nosuch\nreturn 1", "#!lua flags=\nreturn 1", "#!lua nosuch=1\nreturn 1", "#!lua", "#!"),
    *("#!python\nreturn 1", "#!\n", "#!lua \n error('x')", "#!LUA\nreturn 1", "#!lua 'x\nreturn 1"),
    *("#!lua flags=no-writes, allow-stale\nreturn 1", "#!lua flags='no-writes'\nreturn 1", "\x1bLua", ""),
    "#!lua flags=no-writes,allow-stale,allow-oom,no-cluster,allow-cross-slot-keys\nreturn 1",
    "#!lua flags=no-writes flags=allow-stale\nreturn 1",
]
CALLS: list[tuple[str | bytes, ...]] = [
    *((verb, script, "0") for script in SHEBANGS for verb in ("EVAL", "EVAL_RO")),
    *(("SCRIPT", "LOAD", script) for script in SHEBANGS),
    ("EVAL",),
    ("EVAL", "return 1"),
    ("EVAL", "return 1", "x"),
    ("EVAL", "return 1", "-1"),
    ("EVAL", "return 1", "2", "a"),
    ("EVAL", "return {KEYS,ARGV}", "2", "a", "b", "c"),
    ("EVAL", "return 1 1", "5"),
    ("EVAL_RO", "return redis.call('get','a')", "0"),
    ("EVAL_RO", "return redis.call('publish','x','y')", "0"),
    ("EVAL_RO", "return redis.pcall('set','x','y')", "0"),
    ("EVAL_RO", "return redis.call('pfcount','x')", "0"),
    ("EVAL_RO", "return redis.call('get')", "0"),
    ("EVALSHA", "x", "0"),
    ("EVALSHA", "x", "y"),
    ("EVALSHA", "e0e1f9fabfc9d4800c877a703b823ac0578ff8db", "x"),
    ("EVALSHA", "e0e1f9fabfc9d4800c877a703b823ac0578ff8da", "0"),
    ("SCRIPT", "LOAD", "return 1"),
    ("EVALSHA", "e0e1f9fabfc9d4800c877a703b823ac0578ff8db", "0"),
    ("EVALSHA", "E0E1F9FABFC9D4800C877A703B823AC0578FF8DB", "0"),
    ("EVALSHA_RO", "e0e1f9fabfc9d4800c877a703b823ac0578ff8db", "0"),
    ("SCRIPT", "EXISTS", "e0e1f9fabfc9d4800c877a703b823ac0578ff8db", "x"),
    ("SCRIPT", "LOAD", "return 1 1"),
    ("SCRIPT",),
    ("SCRIPT", "nosuch"),
    ("SCRIPT", "LOAD"),
    ("SCRIPT", "EXISTS"),
    ("SCRIPT", "FLUSH", "x"),
    ("SCRIPT", "FLUSH", "SYNC", "x"),
    ("SCRIPT", "FLUSH", "ASYNC"),
    ("SCRIPT", "EXISTS", "e0e1f9fabfc9d4800c877a703b823ac0578ff8db"),
    ("SCRIPT", "KILL"),
    ("SCRIPT", "DEBUG", "x"),
    ("SCRIPT", "DEBUG", "NO"),
    ("FUNCTION", "KILL"),
    # A script's SELECT is its own; it begins with the database of its caller.
    ("EVAL", "redis.call('select','5') redis.call('set','q','1')", "0"),
    ("EVAL", "return redis.call('get','q')", "0"),
    ("GET", "q"),
    ("SELECT", "5"),
    ("EVAL", "return redis.call('get','q')", "0"),
    ("SELECT", "0"),
    # In a transaction.
    ("MULTI",),
    ("EVAL", "redis.call('set','a','1') return redis.call('get','a')", "0"),
    ("EVAL", "return redis.call('incr','q')", "0"),
    ("EVAL", "redis.call('set','a','2') return redis.call('nosuch')", "0"),
    ("GET", "a"),
    ("EXEC",),
    # What is denied to the user is denied in a script.
    ("ACL", "SETUSER", "u", "on", "nopass", "+@all", "-set", "~a*", "&c*"),
    ("AUTH", "u", "x"),
    ("EVAL", "return redis.call('set','a','1')", "0"),
    ("EVAL", "return redis.call('get','b')", "0"),
    ("EVAL", "return redis.pcall('publish','x','y')", "0"),
    ("EVAL", "return redis.acl_check_cmd('set','a','b')", "0"),
    ("EVAL", "return redis.acl_check_cmd('get','b')", "0"),
    ("EVAL", "return redis.acl_check_cmd('get','a')", "0"),
    ("AUTH", "default", ""),
    ("ACL", "DELUSER", "u"),
]


@pytest.mark.parametrize("protocol", [2, 3])
def test_calls(protocol: int, oracle: OracleServer, subject: SubjectServer) -> None:
    found = differences(oracle, subject, CALLS, protocol)
    if found:
        pytest.fail("\n".join(found), pytrace=False)


def test_errors_are_counted_as_redis_counts_them(oracle: OracleServer, subject: SubjectServer) -> None:
    scripts = (
        *("return redis.call('nosuch')", "redis.pcall('incr','h')", "return redis.pcall('incr','h')"),
        *("return redis.call('incr','h')", "error('FOO bar')", "return {err='FOO bar'}"),
    )
    counted = []
    for server in (oracle, subject):
        with opened(server, 2) as client:
            client.call("HSET", "h", "f", "v")
            client.call("CONFIG", "RESETSTAT")
            for script in scripts:
                client.call("EVAL", script, "0")
            stats = client.call("INFO", "commandstats", "errorstats").decode()
            lines = re.findall(r"cmdstat_(eval|incr):calls=(\d+).*failed_calls=(\d+)", stats)
            counted.append((sorted(lines), re.findall(r"errorstat_\w+:count=\d+", stats)))
    assert counted[0] == counted[1]
