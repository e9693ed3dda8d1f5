"""An engine small enough to test commands with: a keyspace in memory, one client, a clock that stands still.

``run`` answers with the reply value of ``durable_redis.resp.replies``; an error is returned, not raised, so
that it can be compared.  ``effects`` holds what the last command changed.  There is no log, no gate and no
protocol; what the commands do not ask an engine for is not here.
"""

from __future__ import annotations

from collections.abc import Iterable
from types import ModuleType
from typing import TYPE_CHECKING, Any, cast

from durable_redis.commands.context import Context
from durable_redis.commands.session import Client
from durable_redis.commands.table import build_table
from durable_redis.engine.statistics import Statistics
from durable_redis.errors import ReplyError
from durable_redis.keyspace.effects import Effect
from durable_redis.keyspace.keyspace import Keyspace
from durable_redis.objects.string import STRING_BYTES_MAX
from storage.backends.memory import MemoryBackend

if TYPE_CHECKING:
    from durable_redis.engine.engine import Engine

NOW_MS = 1_700_000_000_000


class FakeConfig:
    """Options by name, with Redis's defaults for those that commands ask for."""

    def __init__(self, values: dict[str, int | str] | None = None) -> None:
        self.values: dict[str, int | str] = {"proto-max-bulk-len": STRING_BYTES_MAX}
        self.values.update(values or {})

    def get_int(self, name: str) -> int:
        """The value of a numeric option."""
        value = self.values[name]
        assert isinstance(value, int), name
        return value

    def get_str(self, name: str) -> str:
        """The value of a textual option."""
        value = self.values[name]
        assert isinstance(value, str), name
        return value


class FakeEngine:
    """Runs the commands of some modules; the time is ``NOW_MS`` until ``keyspace.now_ms`` is changed."""

    def __init__(self, modules: Iterable[ModuleType], config: dict[str, int | str] | None = None) -> None:
        self.keyspace = Keyspace(MemoryBackend(), "0" * 40, 16)
        self.keyspace.sink = self._note
        self.keyspace.now_ms = NOW_MS
        self.statistics = Statistics()
        self.config = FakeConfig(config)
        self.table = build_table(modules)
        self.effects: list[tuple[bytes, ...]] = []
        self.client = Client(1, self.keyspace.database(0), cast("Engine", self))

    @property
    def context(self) -> Context:
        """The client's view."""
        return self.client.context

    def run(self, *words: bytes | str | int) -> Any:
        """Run one command; its reply, or the :class:`ReplyError` that it raised."""
        argv = [word if isinstance(word, bytes) else str(word).encode() for word in words]
        command = self.table[argv[0].upper().decode()]
        if command.subcommands and len(argv) > 1:
            command = command.subcommands.get(argv[1].upper().decode("latin-1"), command)
            if command.handler is None:
                return ReplyError("ERR unknown subcommand")
        self.effects.clear()
        if not command.accepts(len(argv)):
            return ReplyError(f"ERR wrong number of arguments for '{command.name.lower()}' command")
        assert command.handler is not None
        expired_before = self.keyspace.expired_keys
        try:
            return command.handler(self.context, argv)
        except ReplyError as error:
            expired = self.keyspace.expired_keys - expired_before
            assert len(self.effects) == expired, (
                "a command that fails changes nothing but what expires meanwhile"
            )
            return error

    def error(self, *words: bytes | str | int) -> str:
        """Run one command that fails; the text of its error."""
        reply = self.run(*words)
        assert isinstance(reply, ReplyError), reply
        return str(reply)

    def reserve(self, payload_bytes: int) -> None:
        """Room in the log: there is always some."""

    def put(self, key: bytes, value: Any) -> None:
        """Place a value behind the commands' back (for types that no command under test makes)."""
        self.context.db.put(key, value)

    def _note(self, db: int, effect: Effect) -> None:
        assert all(type(word) is bytes for word in effect), "effects are made of bytes"
        self.effects.append(tuple(effect))
