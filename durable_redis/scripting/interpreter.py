"""One Lua: a sandbox (``lua/sandbox.lua``) with its libraries, and the functions that scripts reach us by.

Nothing of Python is ever handed to a script: host functions are upvalues of Lua functions, they take and
return strings, numbers, booleans and fresh tables, and they never raise, since an exception would arrive in
Lua as an object.  What goes wrong on our side is kept, ends the script, and is raised when it has ended.

Memory is limited (``memory_bytes_max``): to a script that wants more Lua says "not enough memory".  Values
that come from outside are let in only if there is room for them, since Lua cannot refuse them half-way.
Time is the owner's: ``tick`` is asked every 100,000 instructions and may end the script.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from lupa import lua51

import durable_redis
from durable_redis.errors import ReplyError
from durable_redis.resp.encoder import one_line
from durable_redis.resp.replies import Reply
from durable_redis.scripting.host import Random, arithmetic, sha1_hex
from durable_redis.scripting.tail_calls import keep_frames
from durable_redis.scripting.values import BYTES_PER_VALUE, Measure, lua_value

SOURCES: Final = Path(__file__).parent / "lua"
LIBRARIES: Final = ("bit", "cjson", "cmsgpack", "struct")
MEMORY_BYTES_MAX: Final = 512 << 20
_HEADROOM_BYTES: Final = 1 << 16
_NO_MEMORY: Final = b"ERR not enough memory"


class ScriptError(ReplyError):
    """A script has failed; ``counted`` says that the error was counted when the command in it failed."""

    def __init__(self, text: str, counted: bool = False) -> None:
        super().__init__(text.replace("\r", " ").replace("\n", " "))
        self.counted = counted


@dataclass(slots=True)
class RegisteredFunction:
    """What a library has told of a function."""

    name: bytes
    description: bytes | None
    flags: tuple[bytes, ...]


@dataclass(slots=True)
class Services:
    """What scripts ask of the server."""

    perform: Callable[[list[bytes]], Reply]  # raises ReplyError
    tick: Callable[[], bytes | None]  # the error that ends the script, if it is to end
    log: Callable[[int, bytes], None]
    set_protocol: Callable[[int], None]
    protocol: Callable[[], int]
    may_execute: Callable[[list[bytes]], bool | None]  # None: there is no such command
    random: Random
    version: str = durable_redis.REDIS_VERSION  # of Redis, as scripts see it


def _deny(_object: object, _name: object, _is_setting: bool) -> object:
    """Nobody in Lua reads or sets attributes of ours."""
    raise AttributeError("not accessible from Lua")


class Interpreter:
    """A Lua state; ``for_eval`` says whether it is that of EVAL or that of functions."""

    def __init__(
        self, services: Services, *, for_eval: bool, memory_bytes_max: int = MEMORY_BYTES_MAX
    ) -> None:
        self._services = services
        self._max = memory_bytes_max
        self._lua = lua51.LuaRuntime(
            encoding=None,
            source_encoding="latin-1",
            register_eval=False,
            register_builtins=False,
            attribute_filter=_deny,
            unpack_returned_tuples=True,
            max_memory=memory_bytes_max,
        )
        self._failure: BaseException | None = None
        self._registering: list[RegisteredFunction] = []
        self.check_function: Callable[[RegisteredFunction], str | None] = _accept
        random = services.random
        host = self._lua.table_from(
            {
                name.encode(): function
                for name, function in {
                    **arithmetic(),
                    "call": self._call,
                    "tick": self._tick,
                    "log": self._log,
                    "protocol": self._protocol,
                    "acl": self._acl,
                    "register": self._register,
                    "patch": self._patch,
                    "sha1": sha1_hex,
                    "random": random.next,
                    "seed": random.seed,
                    "version": services.version.encode(),
                    "version_number": _version_number(services.version),
                }.items()
            }
        )
        self._module = self._execute("sandbox", host, for_eval)
        for name in LIBRARIES:
            self._execute(name, self._module, host)
        self._module[b"seal"]()

    def _execute(self, name: str, *arguments: Any) -> Any:
        source = (SOURCES / f"{name}.lua").read_bytes()
        return self._lua.execute(source, *arguments, name=b"=builtin")

    def close(self) -> None:
        """Give the memory back: Lua holds our functions and we hold Lua, which no collector sees through."""
        self._module = self._lua = None

    @property
    def memory_bytes(self) -> int:
        """What Lua uses now, in bytes."""
        return int(self._lua.get_memory_used(total=True) or 0)

    # -- scripts ---------------------------------------------------------------------------------------------

    def load_script(self, sha: bytes, source: bytes) -> None:
        """Compile a script and keep it under its hash.  Raises :class:`ReplyError`."""
        self._demand(4 * len(source))
        error = self._protected(self._module[b"load_script"], sha, source)
        if error is not None:
            raise ReplyError(f"ERR Error compiling script (new function): {error.decode('latin-1')}")

    def run(self, sha: bytes, keys: list[bytes], arguments: list[bytes], protocol: int) -> bytes:
        """Run a script that was loaded; its reply, encoded.  Raises :class:`ScriptError`."""
        return self._run(b"run", sha, keys, arguments, protocol)

    def call(self, name: bytes, keys: list[bytes], arguments: list[bytes], protocol: int) -> bytes:
        """Call a function of a library; its reply, encoded.  Raises :class:`ScriptError`."""
        return self._run(b"call", name, keys, arguments, protocol)

    def _run(
        self, how: bytes, name: bytes, keys: list[bytes], arguments: list[bytes], protocol: int
    ) -> bytes:
        self._demand(sum(map(len, keys)) + sum(map(len, arguments)))
        self._demand(BYTES_PER_VALUE * (len(keys) + len(arguments)))
        table_from = self._lua.table_from
        done = self._protected(self._module[how], name, table_from(keys), table_from(arguments), protocol)
        if done[0]:
            return bytes(done[1])
        raise ScriptError(done[1].decode("latin-1"), bool(done[2]))

    def _protected(self, function: Any, *arguments: Any) -> Any:
        try:
            result = function(*arguments)
        except lua51.LuaMemoryError as error:
            raise ScriptError(_NO_MEMORY.decode()) from error
        except lua51.LuaError as error:
            raise ScriptError(f"ERR {error}") from error
        finally:
            failure, self._failure = self._failure, None
            if failure is not None:
                raise failure
        return result

    # -- libraries -------------------------------------------------------------------------------------------

    def load_library(self, source: bytes) -> tuple[Any, list[RegisteredFunction]]:
        """Run a library's code, in which it registers its functions.

        They become callable with :meth:`keep`.  Raises :class:`ReplyError`.
        """
        self._demand(4 * len(source))
        self._registering = []
        found = self._protected(self._module[b"load_library"], source)
        if isinstance(found, tuple):
            _, text, stage = found
            shown = text.decode("latin-1")
            if stage == b"compile":
                raise ReplyError(f"ERR Error compiling function: {shown}")
            raise ReplyError(f"ERR Error registering functions: {shown}")
        return found, self._registering

    def keep(self, library: Any, functions: list[RegisteredFunction]) -> None:
        """Make the functions of a loaded library callable."""
        for function in functions:
            self._module[b"keep"](function.name, library, function.name)

    def drop(self, functions: list[RegisteredFunction]) -> None:
        """Forget functions."""
        for function in functions:
            self._module[b"drop"](function.name)

    # -- called from Lua: never raises -----------------------------------------------------------------------

    def _has_room(self, size: int) -> bool:
        lua = self._lua
        needed = 2 * size + _HEADROOM_BYTES
        if self._max - lua.get_memory_used() >= needed:
            return True
        lua.gccollect()
        return bool(self._max - lua.get_memory_used() >= needed)

    def _demand(self, size: int) -> None:
        if not self._has_room(size):
            raise ReplyError(_NO_MEMORY.decode())

    def _failed(self, error: BaseException) -> tuple[None, bytes, bool]:
        self._failure = error
        return None, b"ERR internal error", True

    def _call(self, *argv: bytes) -> Any:
        try:
            if not self._has_room(0):
                return None, _NO_MEMORY
            reply = self._services.perform(list(argv))
            kind = type(reply)
            if kind is int:
                return reply
            if kind is bytes:
                return (
                    reply
                    if len(reply) < _HEADROOM_BYTES // 2 or self._has_room(len(reply))
                    else (None, _NO_MEMORY)
                )
            measure = Measure()
            value = lua_value(reply, self._services.protocol(), measure)
            if not self._has_room(measure.size):
                return None, _NO_MEMORY
            if type(value) is list or type(value) is dict:
                return self._lua.table_from(value, recursive=True)
            return value
        except ReplyError as error:
            return None, one_line(str(error))
        except BaseException as error:
            return self._failed(error)

    def _tick(self) -> bytes | None:
        try:
            return self._services.tick()
        except BaseException as error:
            self._failure = error
            return b"ERR internal error"

    def _log(self, level: float, text: bytes) -> None:
        try:
            self._services.log(int(level), text)
        except BaseException as error:
            self._failure = error

    def _protocol(self, protocol: float = 0) -> int:
        if protocol:
            self._services.set_protocol(int(protocol))
        return self._services.protocol()

    def _acl(self, *argv: bytes) -> bool | None:
        try:
            return self._services.may_execute(list(argv))
        except BaseException as error:
            self._failure = error
            return False

    def _patch(self, compiled: bytes) -> bytes | None:
        try:
            changed = keep_frames(compiled)
            return changed if changed is not None and self._has_room(len(changed)) else None
        except BaseException as error:
            self._failure = error
            return None

    def _register(self, name: bytes, description: bytes | bool, flags: bytes) -> bytes | None:
        try:
            function = RegisteredFunction(
                name, description if isinstance(description, bytes) else None, tuple(flags.split())
            )
            wrong = self.check_function(function)
            if wrong is None and any(known.name == name for known in self._registering):
                wrong = "Function already exists in the library"
            if wrong is not None:
                return wrong.encode("latin-1")
            self._registering.append(function)
        except BaseException as error:
            self._failure = error
        return None


def _accept(_function: RegisteredFunction) -> str | None:
    return None


def _version_number(version: str) -> int:
    major, minor, patch = map(int, version.split("."))
    return major << 16 | minor << 8 | patch
