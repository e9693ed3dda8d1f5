"""A script cannot get out: not to Python, not to the file system, not beyond its memory and time.

Everything that a script can reach is walked, so that a new function is looked at without a new test.
"""

from __future__ import annotations

import gc
import hashlib
import time
import weakref
from collections.abc import Iterator

import pytest

from durable_redis.errors import ReplyError
from durable_redis.resp.replies import BigNumber, Encoded, Reply, SetReply, Verbatim
from durable_redis.scripting.host import Random
from durable_redis.scripting.interpreter import Interpreter, Services

REPLIES: dict[bytes, Reply] = {
    b"none": None,
    b"int": 12,
    b"bytes": b"text",
    b"status": "OK",
    b"list": [1, b"two", [None, "three"]],
    b"map": {b"a": 1, b"b": [True, False]},
    b"set": SetReply([b"x", b"y"]),
    b"double": 1.5,
    b"bool": True,
    b"big": BigNumber(1 << 80),
    b"verbatim": Verbatim(b"words"),
    b"encoded": Encoded(b"*2\r\n:1\r\n$1\r\na\r\n"),
    b"error": [ReplyError("ERR inside")],
}


class Host:
    """An interpreter with a server of nothing but replies."""

    def __init__(self, memory_bytes_max: int = 32 << 20, for_eval: bool = True) -> None:
        self.protocol = 2
        self.asked: list[list[bytes]] = []
        self.fail: BaseException | None = None
        self.ticks = 0
        self.end_after = 1 << 60
        self.lua = Interpreter(
            Services(
                self.perform,
                self.tick,
                self.log,
                self.set_protocol,
                lambda: self.protocol,
                self.may,
                Random(),
            ),
            for_eval=for_eval,
            memory_bytes_max=memory_bytes_max,
        )

    def perform(self, argv: list[bytes]) -> Reply:
        self.asked.append(argv)
        if self.fail is not None:
            raise self.fail
        if argv[0] == b"error":
            raise ReplyError("ERR as asked")
        if argv[0] == b"big":
            return b"x" * int(argv[1])
        if argv[0] == b"many":
            return [b"x"] * int(argv[1])
        return REPLIES[argv[1]]

    def tick(self) -> bytes | None:
        self.ticks += 1
        return b"ERR ended" if self.ticks > self.end_after else None

    def log(self, level: int, text: bytes) -> None:
        self.asked.append([b"log", b"%d" % level, text])

    def set_protocol(self, protocol: int) -> None:
        self.protocol = protocol

    def may(self, argv: list[bytes]) -> bool | None:
        return None if argv[0] == b"nosuch" else True

    def eval(self, source: bytes, *keys: bytes) -> bytes:
        self.protocol = 2
        sha = hashlib.sha1(source).hexdigest().encode()
        self.lua.load_script(sha, source)
        return self.lua.run(sha, list(keys), [], 2)


@pytest.fixture(params=[True, False], ids=["eval", "function"])
def host(request: pytest.FixtureRequest) -> Host:
    return Host(for_eval=request.param)


WALK = b"""
local seen, found = {}, {}
local function look(value, path)
  local kind = type(value)
  if kind == 'userdata' then found[#found + 1] = path .. ':userdata:' .. tostring(value) end
  if kind == 'thread' then found[#found + 1] = path .. ':thread' end
  if kind ~= 'table' and kind ~= 'function' then
    local meta = getmetatable(value)
    if meta and kind ~= 'string' then found[#found + 1] = path .. ':metatable' end
    return
  end
  if seen[value] then return end
  seen[value] = true
  found[#found + 1] = path .. ':' .. kind
  local meta = getmetatable(value)
  if meta then look(meta, path .. '<meta>') end
  if kind == 'table' then
    for k, v in pairs(value) do
      look(k, path .. '[key]')
      look(v, path .. '.' .. tostring(k))
    end
  end
end
look(_G, '_G')
look(getmetatable(''), 'string')
return found
"""


def words_of(reply: bytes) -> Iterator[str]:
    yield from reply.decode().split("\r\n")[2::2]


def test_everything_that_can_be_reached_is_lua(host: Host) -> None:
    found = list(words_of(host.eval(WALK)))
    assert "_G.redis.call:function" in found
    assert [path for path in found if "userdata" in path] == ["_G.cjson.null:userdata:userdata: (nil)"]
    assert not [path for path in found if "thread" in path or "POBJECT" in path]
    names = {path.split(":")[0] for path in found} - {"_G.redis.debug"}  # which does nothing
    banned = "python io os debug package require module dofile loadfile print newproxy getfenv setfenv"
    assert not {name for name in names if set(name.split(".")) & set(banned.split())}


@pytest.mark.parametrize("name", ["python", "io", "os", "debug", "package", "require", "dofile", "print"])
def test_what_leads_out_does_not_exist(host: Host, name: str) -> None:
    with pytest.raises(ReplyError, match=f"nonexistent global variable '{name}'"):
        host.eval(f"return {name}".encode())
    assert host.eval(f"return rawget(_G, '{name}')".encode()) == b"$-1\r\n"


@pytest.mark.parametrize("protocol", [2, 3])
@pytest.mark.parametrize("word", sorted(REPLIES))
def test_replies_become_plain_values(host: Host, word: bytes, protocol: int) -> None:
    """No userdata, no metatable, no function comes with a reply."""
    script = b"""
        redis.setresp(%d)
        local plain = {string=true, number=true, boolean=true, ['nil']=true}
        local function look(value)
          if type(value) == 'table' then
            if getmetatable(value) then error('a metatable') end
            for k, v in pairs(value) do look(k) look(v) end
          elseif not plain[type(value)] then
            error('a ' .. type(value))
          end
        end
        look(redis.call('get', '%b'))
        look(redis.pcall('get', '%b'))
        return 'plain'
    """ % (protocol, word, word)
    assert host.eval(script) == b"$5\r\nplain\r\n"


def test_errors_are_plain_values(host: Host) -> None:
    script = b"""
        local function shown(e) return type(e) .. tostring(getmetatable(e)) .. tostring(e.err) end
        local out = {shown(redis.pcall('error'))}
        local ok, text = pcall(redis.call, 'error')
        out[2] = type(text)
        xpcall(function() redis.call('error') end, function(e) out[3] = shown(e) end)
        out[4] = shown(select(2, coroutine.resume(coroutine.create(function() redis.call('error') end))))
        return table.concat(out, ' ')
    """
    expected = b"tablenilERR as asked string tablenilERR as asked tablenilERR as asked"
    assert host.eval(script) == b"$%d\r\n%b\r\n" % (len(expected), expected)


@pytest.mark.parametrize("failure", [ValueError("inside"), KeyboardInterrupt(), AssertionError("promise")])
def test_a_failure_of_ours_ends_the_script_and_is_raised(host: Host, failure: BaseException) -> None:
    host.fail = failure
    with pytest.raises(type(failure)):
        host.eval(b"for i = 1, 10 do pcall(redis.call, 'get', 'none') end return 'went on'")
    assert len(host.asked) == 1
    host.fail = None
    assert host.eval(b"return 1") == b":1\r\n"


BYTECODE = [
    b"return loadstring(string.dump(function() return 1 end))",
    b"return load(function() return '\\27Lua' end)",
    b"local parts = {'\\27', 'LuaQ'} local i = 0 return load(function() i = i + 1 return parts[i] end)",
    b"local f, e = loadstring('\\27LuaQ') return f",
]


@pytest.mark.parametrize("script", BYTECODE)
def test_no_bytecode_is_loaded(host: Host, script: bytes) -> None:
    assert host.eval(script) == b"$-1\r\n"


def test_a_script_that_is_bytecode_is_refused(host: Host) -> None:
    with pytest.raises(ReplyError, match=r"unexpected symbol near 'char\(27\)'"):
        host.eval(b"\x1bLuaQ\x00\x01\x04\x08\x04\x08\x00")


READONLY = [
    *(
        b"_G.x = 1",
        b"x = 1",
        b"redis.call = 1",
        b"string.format = nil",
        b"rawset(_G, 'x', 1)",
        b"math.pi = 3",
    ),
    *(b"rawset(redis, 'call', 1)", b"setmetatable(_G, {})", b"setmetatable(string, {})", b"_G._G = nil"),
    *(
        b"getmetatable('').__index = {}",
        b"rawset(getmetatable(''), '__index', {})",
        b"table.insert(redis, 1)",
    ),
    *(b"getmetatable(_G).__index = nil", b"setmetatable(getmetatable(''), {})", b"cjson.decode = nil"),
    *(b"local f, t = pairs(redis) t.call = 1", b"coroutine.wrap = nil", b"table.insert(_G, 1)"),
]


@pytest.mark.parametrize("script", READONLY)
def test_the_world_is_readonly(host: Host, script: bytes) -> None:
    with pytest.raises(ReplyError, match="Attempt to modify a readonly table"):
        host.eval(script)
    assert host.eval(b"return type(redis.call) .. type(string.format) .. type(cjson.decode)").endswith(
        b"functionfunctionfunction\r\n"
    )


def test_scripts_share_nothing_but_their_cache(host: Host) -> None:
    host.eval(b"local t = {} t.secret = 1 KEYS.secret = 1 return 1", b"k")
    assert host.eval(b"return rawget(KEYS, 'secret')") == b"$-1\r\n"


HUNGRY = [
    b"local s = 'x' while true do s = s .. s end",
    b"local t = {} for i = 1, 1e9 do t[i] = {} end",
    b"return string.rep('x', 1e9)",
    b"local t = {} while true do t[#t + 1] = string.rep('x', 1e6) .. #t end",
    b"return redis.call('big', 1e8)",
    b"return redis.call('many', 1e6)",
    b"local t = {} while true do t[#t + 1] = redis.call('big', 1e6 + #t) end",
    b"return cjson.decode('[' .. string.rep('[],', 4e6) .. '[]]')",
    b"local t = {} for i = 1, 20 do t[i] = string.rep('x', 1e6) end return cjson.encode({t, t})",
]


@pytest.mark.parametrize("script", HUNGRY)
def test_memory_is_limited(script: bytes) -> None:
    host = Host(memory_bytes_max=16 << 20)
    with pytest.raises(ReplyError, match="not enough memory"):
        host.eval(script)
    assert host.lua.memory_bytes < 20 << 20
    assert host.eval(b"return 'still here'") == b"$10\r\nstill here\r\n"


def test_arguments_beyond_memory_are_refused() -> None:
    host = Host(memory_bytes_max=16 << 20)
    with pytest.raises(ReplyError, match="not enough memory"):
        host.eval(b"return 1", b"x" * (20 << 20))
    with pytest.raises(ReplyError, match="not enough memory"):
        host.eval(b"return '" + b"x" * (20 << 20) + b"'")
    assert host.eval(b"return 1") == b":1\r\n"


ENDLESS = [
    b"while true do end",
    b"while true do pcall(function() while true do end end) end",
    b"while true do pcall(redis.call, 'get', 'none') end",
    b"local function f() return f() end return f()",
    b"coroutine.wrap(function() while true do end end)()",
    b"while true do coroutine.resume(coroutine.create(function() while true do end end)) end",
    b"while true do pcall(coroutine.wrap(function() while true do end end)) end",
    b"while true do xpcall(function() while true do end end, function(e) return e end) end",
    b"return setmetatable({}, {__index = function() while true do end end}).x",
    b"table.sort({3, 2, 1, 5, 4}, function() while true do end end)",
    b"string.gsub('x', 'x', function() while true do end end)",
    b"load(function() while true do end end)",
    b"local co = coroutine.wrap(function() while true do coroutine.yield() end end) while true do co() end",
]


@pytest.mark.parametrize("script", ENDLESS)
def test_time_is_asked_for(host: Host, script: bytes) -> None:
    host.end_after = 3
    with pytest.raises(ReplyError, match="ended"):
        host.eval(script)
    host.end_after = 1 << 60
    assert host.eval(b"return 1") == b":1\r\n"


def test_a_script_that_is_ended_does_nothing_more(host: Host) -> None:
    host.end_after = 0
    with pytest.raises(ReplyError, match="ended"):
        host.eval(b"pcall(function() while true do end end) redis.call('get', 'none')")
    assert host.asked == []


def test_depth_is_limited(host: Host) -> None:
    with pytest.raises(ReplyError, match="stack overflow"):
        host.eval(b"local function f() return 1 + f() end return f()")
    assert b"-ERR reached lua stack limit" in host.eval(b"local a = {} a[1] = a return a")
    with pytest.raises(ReplyError, match="excessive nesting"):
        host.eval(b"local a = {} a[1] = a return cjson.encode(a)")
    with pytest.raises(ReplyError, match="too many nested data structures"):
        host.eval(b"return cjson.decode(string.rep('[', 1e5))")
    host.eval(b"pcall(cmsgpack.unpack, string.rep('\\145', 1e5))")
    host.eval(b"local f = string.rep('(', 300) return loadstring('return ' .. f)")
    assert host.eval(b"return 1") == b":1\r\n"


def test_all_bytes_pass_both_ways(host: Host) -> None:
    every = bytes(range(256))
    assert host.eval(b"return KEYS[1]", every) == b"$256\r\n" + every + b"\r\n"
    host.eval(b"redis.call('get', 'none', KEYS[1])", every)
    assert host.asked[-1][2] == every


def test_cost_of_a_walk_is_bounded() -> None:
    """Nothing quadratic lurks in a large flat reply (a guard, not a measurement)."""
    host = Host(memory_bytes_max=128 << 20)
    started = time.monotonic()
    assert host.eval(b"return #redis.call('many', 300000)") == b":300000\r\n"
    assert time.monotonic() - started < 30


@pytest.mark.parametrize(
    ("source", "kept"),
    [
        (b"return redis.call('error')", True),
        (b"local f = redis.call return f('error')", True),
        (b"local function g() return redis.call('error') end return g()", True),
        (b"local f = redis.call local function g() return f('error') end local x = g() return x", True),
    ],
)
def test_errors_say_where(host: Host, source: bytes, kept: bool) -> None:
    with pytest.raises(ReplyError) as caught:
        host.eval(source)
    assert (" on @user_script:1." in str(caught.value)) is kept


def test_tail_calls_of_local_functions_do_not_pile_up(host: Host) -> None:
    script = b"local function f(n) if n == 0 then return 'done' end return f(n - 1) end return f(1000000)"
    assert host.eval(script) == b"$4\r\ndone\r\n"


def test_a_closed_interpreter_is_gone() -> None:
    host = Host()
    host.eval(b"return redis.call('get', 'map')")
    runtime = weakref.ref(host.lua)
    host.lua.close()
    del host
    gc.collect()  # the test's own cycle
    assert runtime() is None
