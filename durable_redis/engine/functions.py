"""Functions: libraries that are loaded once, kept durably, and called by name.

The keyspace holds their sources, as it holds the data (``keyspace/libraries.py``); here is what Lua has made
of them.  After a start that is nothing: the libraries run anew when one of them is first asked for.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from durable_redis.commands.session import Client
from durable_redis.engine.script_source import BAD_NAME, FLAGS, ScriptFlags, flags_of, is_name, split_library
from durable_redis.engine.scripts import split_arguments
from durable_redis.errors import ReplyError
from durable_redis.resp.replies import Reply
from durable_redis.scripting.dump import ContentError, DumpError, dump_libraries, read_libraries
from durable_redis.scripting.interpreter import Interpreter, RegisteredFunction

if TYPE_CHECKING:
    from durable_redis.engine.engine import Engine

LOAD_MS_MAX: Final = 500
FUNCTION_OVERHEAD_BYTES: Final = 200
_TIMEOUT: Final = b"ERR FUNCTION LOAD timeout"
_BAD_DUMP: Final = "ERR DUMP payload version or checksum are wrong"
_BAD_CONTENT: Final = "ERR given type is not a function"

logger = logging.getLogger("durable_redis")


@dataclass(slots=True)
class Library:
    """A library as it was loaded; ``handle`` is Lua's."""

    name: bytes
    source: bytes
    functions: list[RegisteredFunction]
    handle: Any


class Functions:
    """The functions of one engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._libraries: dict[bytes, Library] = {}
        self._owners: dict[bytes, tuple[Library, RegisteredFunction, ScriptFlags]] = {}
        self._interpreter: Interpreter | None = None
        self._version = -1  # of the keyspace's libraries that these are
        self._loading_since = 0.0
        engine.scripts.check_loading = self._check_loading

    # -- what there is ---------------------------------------------------------------------------------------

    @property
    def libraries(self) -> dict[bytes, Library]:
        """The libraries by name; those that the keyspace has are loaded first."""
        kept = self._engine.keyspace.libraries
        if kept.version != self._version:
            self._forget_all()
            for source in kept.sources.values():
                try:
                    self._install(self._loaded(self._lua(), source))
                except ReplyError as error:
                    logger.error("a library of functions does not load any more: %s", error)
            self._version = kept.version
        return self._libraries

    @property
    def count(self) -> int:
        """How many functions there are."""
        return sum(len(library.functions) for library in self.libraries.values())

    @property
    def memory_bytes(self) -> int:
        """What the Lua of functions uses."""
        return self._interpreter.memory_bytes if self._interpreter is not None else 0

    @property
    def sources_bytes(self) -> int:
        """The sources, and what goes with them."""
        sources = self._engine.keyspace.libraries.sources.values()
        return sum(len(source) + FUNCTION_OVERHEAD_BYTES for source in sources)

    # -- changing --------------------------------------------------------------------------------------------

    def load(self, client: Client, source: bytes, *, replace: bool) -> bytes:
        """FUNCTION LOAD: the library's name."""
        libraries = self.libraries
        name, _ = split_library(source)
        if name in libraries and not replace:
            raise ReplyError(f"ERR Library '{name.decode()}' already exists")
        library = self._loaded(self._lua(), source)
        self._check_names([library], libraries.get(name))
        self._keep(client, library)
        return name

    def delete(self, client: Client, name: bytes) -> None:
        """FUNCTION DELETE."""
        library = self.libraries.get(name)
        if library is None:
            raise ReplyError("ERR Library not found")
        client.context.apply(b"FUNCTION", b"DELETE", name)
        self._uninstall(library)
        self._version = self._engine.keyspace.libraries.version

    def flush(self, client: Client) -> None:
        """FUNCTION FLUSH: forget all libraries, and begin with a new Lua."""
        if self._engine.keyspace.libraries.sources:
            client.context.apply(b"FUNCTION", b"FLUSH")
        self._forget_all()
        self._version = self._engine.keyspace.libraries.version

    def dump(self) -> bytes:
        """FUNCTION DUMP."""
        return dump_libraries(self._engine.keyspace.libraries.sources.values())

    def restore(self, client: Client, dump: bytes, policy: bytes) -> None:
        """FUNCTION RESTORE; ``policy`` is flush, append or replace.  All of the dump or nothing."""
        try:
            sources = read_libraries(dump)
        except DumpError as error:
            raise ReplyError(_BAD_DUMP) from error
        except ContentError as error:
            raise ReplyError(_BAD_CONTENT) from error
        there = {} if policy == b"flush" else self.libraries
        lua = self._made() if policy == b"flush" else self._lua()
        found: dict[bytes, Library] = {}
        for source in sources:
            library = self._loaded(lua, source)
            if library.name in found or (library.name in there and policy == b"append"):
                raise ReplyError(f"ERR Library {library.name.decode()} already exists")
            found[library.name] = library
        if policy == b"flush":
            self._check_names(list(found.values()), flushed=True)
            self.flush(client)
            self._interpreter = lua
        else:
            self._check_names(list(found.values()), *(there[name] for name in found if name in there))
        for library in found.values():
            self._keep(client, library)

    def _keep(self, client: Client, library: Library) -> None:
        """Make a loaded library durable, and its functions callable."""
        client.context.apply(b"FUNCTION", b"LOAD", b"REPLACE", library.source)
        old = self._libraries.get(library.name)
        if old is not None:
            self._uninstall(old)
        self._install(library)
        self._version = self._engine.keyspace.libraries.version

    def _check_names(self, new: list[Library], *replaced: Library | None, flushed: bool = False) -> None:
        """Raise if a function of the new libraries exists in another one that stays."""
        taken: set[bytes] = set()
        if not flushed:
            taken = {name for name, (library, _, _) in self._owners.items() if library not in replaced}
        for library in new:
            for function in library.functions:
                name = function.name.lower()
                if name in taken:
                    raise ReplyError(f"ERR Function {function.name.decode()} already exists")
                taken.add(name)

    # -- Lua -------------------------------------------------------------------------------------------------

    def _lua(self) -> Interpreter:
        if self._interpreter is None:
            self._interpreter = self._made()
        return self._interpreter

    def _made(self) -> Interpreter:
        made = Interpreter(self._engine.scripts.services(), for_eval=False)
        made.check_function = _check_function
        return made

    def _loaded(self, lua: Interpreter, source: bytes) -> Library:
        name, body = split_library(source)
        self._loading_since = time.monotonic()
        handle, functions = lua.load_library(body)
        if not functions:
            raise ReplyError("ERR No functions registered")
        return Library(name, source, functions, handle)

    def _check_loading(self) -> bytes | None:
        late = (time.monotonic() - self._loading_since) * 1000 > LOAD_MS_MAX
        return _TIMEOUT if late else None

    def _install(self, library: Library) -> None:
        self._libraries[library.name] = library
        self._lua().keep(library.handle, library.functions)
        for function in library.functions:
            self._owners[function.name.lower()] = (library, function, flags_of(function.flags))

    def _uninstall(self, library: Library) -> None:
        del self._libraries[library.name]
        self._lua().drop(library.functions)
        for function in library.functions:
            del self._owners[function.name.lower()]

    def _forget_all(self) -> None:
        self._libraries.clear()
        self._owners.clear()
        interpreter, self._interpreter = self._interpreter, None
        if interpreter is not None:
            interpreter.close()

    # -- calling ---------------------------------------------------------------------------------------------

    def call(self, client: Client, argv: list[bytes], *, read_only: bool) -> Reply:
        """FCALL and FCALL_RO."""
        self._engine.inspection.show(client, argv)
        libraries = self.libraries
        found = self._owners.get(argv[1].lower()) if libraries else None
        if found is None:
            raise ReplyError("ERR Function not found")
        _, function, flags = found
        keys, arguments = split_arguments(argv, "ERR Bad number of keys provided")
        lua = self._lua()
        return self._engine.scripts.execute(
            client,
            argv,
            function.name,
            flags,
            read_only,
            is_function=True,
            run=lambda: lua.call(function.name, keys, arguments, client.protocol),
        )


def _check_function(function: RegisteredFunction) -> str | None:
    """What is wrong with a function that a library registers."""
    if any(flag not in FLAGS for flag in function.flags):
        return "unknown flag given"
    return None if is_name(function.name) else BAD_NAME
