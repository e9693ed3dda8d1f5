"""Libraries of functions against redis-server: loading, listing, calling, dumps from one to the other."""

from __future__ import annotations

import pytest

from tests.differential.test_scripts import differences, opened
from tests.support.servers import OracleServer, SubjectServer

pytestmark = pytest.mark.differential

Call = tuple[str | bytes, ...]

CODES = [
    *(
        "return 1",
        "x=",
        "error('x')",
        "return redis.call('get','x')",
        "foo=1",
        "local x=KEYS",
        "_G.x=1",
        "foo()",
    ),
    *("redis.x=1", "string.x=1", "print(1)", "redis.pcall('x')", "redis.setresp(3)", "redis.sha1hex('x')"),
    *("error()", "error({err='ERR foo'})", "return math.random()", "local function f() end f.x=1"),
    *(
        f"redis.register_function({arguments})"
        for arguments in (
            *("", "'f'", "'f','x'", "1,function() end", "{},function() end", "'a b',function() end", "1"),
            *("'',function() end", "'f',function() end,1", "{}", "{function_name='f'}", "nil,nil"),
            *("{callback=function() end}", "{function_name='f',callback=1}"),
            *(
                "{function_name={},callback=function() end}",
                "{function_name='f',callback=function() end,x=1}",
            ),
            "{function_name='f',callback=function() end,flags='x'}",
            "{function_name='f',callback=function() end,flags={'x'}}",
            "{function_name='f',callback=function() end,flags={1}}",
            "{function_name='f',callback=function() end,flags={'no-writes','allow-oom'}}",
            "{function_name='f',callback=function() end,description={}}",
            "{function_name='f',callback=function() end,description='words'}",
            "{function_name='f',callback=function() end,[1]=2}",
        )
    ),
    "redis.register_function('f',function() end) redis.register_function('f',function() end)",
    "redis.register_function('f',function() end) return redis.REDIS_VERSION .. redis.LOG_DEBUG",
]
LIBRARIES = [
    *(
        "x",
        "#!lua\nreturn 1",
        "#!lua name=a-b\nreturn 1",
        "#!lua name=\nreturn 1",
        "#!lua name=a name=b\nreturn 1",
    ),
    *(
        "#!lua nosuch=a name=b\nreturn 1",
        "#!py name=b\nreturn 1",
        "#!lua name=lib",
        '#!lua name="y3\nreturn 1',
    ),
    *("#! name=y4\nreturn 1", "", "#!", "#!\n"),
    "#!lua\tname=tab\nredis.register_function('tab',function() end)",
    "#!lua name='quoted'\nredis.register_function('quoted',function() end)",
    "#!LUA NAME=loud\nredis.register_function('loud',function() end)",
]
BODIES = [
    *(
        "return {keys,args}",
        "return redis.call('get')",
        "error('x')",
        "return foo",
        "foo=1",
        "error({err='MY x'})",
    ),
    *(
        "redis.register_function('g',function() end)",
        "return redis.REDIS_VERSION",
        "return redis.pcall('nosuch')",
    ),
    *(
        "redis.call('select','3') redis.call('set','s','1')",
        "return cjson.encode({1})",
        "return KEYS",
        "\n\nerror('y')",
    ),
    "local t={} for k,v in pairs(_G) do t[#t+1]=k..':'..type(v) end table.sort(t) return t",
    "local t={} for k,v in pairs(redis) do t[#t+1]=k..':'..type(v) end table.sort(t) return t",
    "redis.call('set','str','x') return redis.call('incr','str')",
    "redis.setresp(3) return redis.call('hgetall','nosuch')",
]


def library(code: str, name: str = "lib") -> str:
    return f"#!lua name={name}\n{code}"


def called(body: str) -> list[Call]:
    code = f"redis.register_function('f',function(keys,args) {body} end)"
    return [("FUNCTION", "LOAD", "REPLACE", library(code)), ("FCALL", "f", "2", "a", "b", "c")]


READ_ONLY = library(
    "redis.register_function{function_name='r',callback=function() return redis.call('set','a','1') end}\n"
    "redis.register_function{function_name='ro',callback=function() return redis.pcall('set','a','1') end,"
    "flags={'no-writes','allow-oom','allow-stale','no-cluster'}}",
    "r",
)
CALLS: list[Call] = [
    *(("FUNCTION", "LOAD", "REPLACE", library(code)) for code in CODES),
    *(("FUNCTION", "LOAD", source) for source in LIBRARIES),
    ("FUNCTION", "FLUSH"),
    *(call for body in BODIES for call in called(body)),
    ("FUNCTION", "LOAD", library("redis.register_function('f',function() end)")),
    ("FUNCTION", "LOAD", library("redis.register_function('f',function() end)", "lib2")),
    ("FCALL", "nosuch", "0"),
    ("FCALL", "nosuch", "x"),
    ("FCALL", "f"),
    ("FCALL", "f", "x"),
    ("FCALL", "f", "-1"),
    ("FCALL", "f", "1"),
    ("FCALL", "F", "0"),
    ("FCALL_RO", "f", "0"),
    ("FUNCTION", "FLUSH"),
    (
        "FUNCTION",
        "LOAD",
        "REPLACE",
        library("local x=0 redis.register_function('f',function() x=x+1 return x end)"),
    ),
    ("FCALL", "f", "0"),
    ("FCALL", "f", "0"),
    ("FUNCTION", "LIST"),
    ("FUNCTION", "LIST", "WITHCODE"),
    ("FUNCTION", "LIST", "LIBRARYNAME", "LI*"),
    ("FUNCTION", "LIST", "LIBRARYNAME", "x*"),
    ("FUNCTION", "LIST", "LIBRARYNAME"),
    ("FUNCTION", "LIST", "x"),
    ("FUNCTION", "LIST", "WITHCODE", "WITHCODE"),
    ("FUNCTION", "LIST", "LIBRARYNAME", "a", "LIBRARYNAME", "b"),
    ("FUNCTION", "FLUSH"),
    ("FUNCTION", "LOAD", READ_ONLY),  # not listed: redis-server lists functions in no order
    ("FCALL_RO", "ro", "0"),
    ("FCALL", "ro", "0"),
    ("FCALL_RO", "r", "0"),
    ("FCALL", "r", "0"),
    ("FUNCTION", "STATS"),
    ("FLUSHALL",),
    ("FUNCTION", "STATS"),
    ("MULTI",),
    ("FCALL", "r", "0"),
    ("FUNCTION", "DELETE", "r"),
    ("FCALL", "r", "0"),
    ("EXEC",),
    ("FUNCTION", "DELETE", "nosuch"),
    ("FUNCTION", "STATS"),
    ("FUNCTION", "RESTORE", "x"),
    ("FUNCTION", "RESTORE", ""),
    ("FUNCTION", "RESTORE", "x", "y"),
    ("FUNCTION", "RESTORE", "x", "y", "z"),
    ("FUNCTION", "FLUSH", "x"),
    ("FUNCTION", "FLUSH", "ASYNC"),
    ("FUNCTION", "FLUSH", "SYNC", "x"),
    ("FUNCTION", "nosuch"),
    ("FUNCTION",),
    ("FUNCTION", "LOAD"),
    ("FUNCTION", "LOAD", "x", "y"),
    ("FUNCTION", "LOAD", "REPLACE", "x", "y"),
    ("EVAL", "return redis.call('fcall','f','0')", "0"),
    ("EVAL", "return redis.call('function','list')", "0"),
]


@pytest.mark.parametrize("protocol", [2, 3])
def test_calls(protocol: int, oracle: OracleServer, subject: SubjectServer) -> None:
    found = differences(oracle, subject, CALLS, protocol)
    if found:
        pytest.fail("\n".join(found), pytrace=False)


@pytest.mark.parametrize("ours_first", [False, True])
def test_dumps_pass_from_one_to_the_other(
    ours_first: bool, oracle: OracleServer, subject: SubjectServer
) -> None:
    """What redis-server dumps is packed with LZF; what we dump is not, and it reads that too."""
    first, second = (subject, oracle) if ours_first else (oracle, subject)
    with opened(first, 2) as source, opened(second, 2) as target:
        for number in range(3):
            code = f"redis.register_function('f{number}',function() return {number} end)" + " " * 400 * number
            assert source.call("FUNCTION", "LOAD", library(code, f"l{number}")) == b"l%d" % number
        dump = source.call("FUNCTION", "DUMP")
        assert target.call("FUNCTION", "RESTORE", dump) == b"OK"
        assert target.call("FCALL", "f2", "0") == 2
        by_name = [
            sorted(client.call("FUNCTION", "LIST", "WITHCODE"), key=repr) for client in (source, target)
        ]
        assert by_name[0] == by_name[1]
        assert b"already exists" in target.call("FUNCTION", "RESTORE", dump)
        assert target.call("FUNCTION", "RESTORE", dump, "REPLACE") == b"OK"
        target.call("FUNCTION", "LOAD", library("redis.register_function('more',function() end)", "more"))
        assert target.call("FUNCTION", "RESTORE", dump, "FLUSH") == b"OK"
        assert len(target.call("FUNCTION", "LIST")) == 3
        # All or nothing: one function is taken by a library that stays.
        target.call("FUNCTION", "FLUSH")
        target.call("FUNCTION", "LOAD", library("redis.register_function('f1',function() end)", "mine"))
        assert target.call("FUNCTION", "RESTORE", dump, "REPLACE") == b"ERR Function f1 already exists"
        assert len(target.call("FUNCTION", "LIST")) == 1
