"""CLIENT PAUSE: commands that are held back for a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from durable_redis.commands.session import Client
from durable_redis.commands.table import Flag

if TYPE_CHECKING:
    from durable_redis.engine.engine import Engine

WRITES = Flag.WRITE | Flag.MAY_REPLICATE


class Pause:
    """The pause of one engine.  ``until_ms`` is 0 while there is none."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.until_ms = 0
        self.writes_only = False
        self.postponed: dict[int, Client] = {}

    def begin(self, until_ms: int, writes_only: bool) -> None:
        """Hold back commands until a time; a longer or stricter pause that is running stays."""
        if self.until_ms:
            writes_only = writes_only and self.writes_only
        self.until_ms = max(until_ms, self.until_ms)
        self.writes_only = writes_only
        self._engine.keyspace.may_expire = False
        self._engine.waiting.wake_at(self.until_ms)
        self._engine.refresh_gates()

    def end(self) -> None:
        """Let the commands go on that were held back."""
        engine = self._engine
        self.until_ms = 0
        engine.keyspace.may_expire = True
        engine.refresh_gates()
        postponed, self.postponed = self.postponed, {}
        for client in postponed.values():
            argv, client.postponed = client.postponed, None
            if argv is not None:
                engine.execute(client, argv)
                engine.waiting.resumed.append(client)

    def holds_back(self, client: Client, flags: Flag, argv: list[bytes]) -> bool:
        """Whether the command has to wait; it is kept then.  Call it only during a pause."""
        if self.writes_only and not flags & WRITES:
            return False
        client.postponed = argv
        self.postponed[client.id] = client
        return True
