"""WATCH: which clients hold on to keys, and whether one of those has changed.

Changes are seen as effects, so expiry, eviction and (when there is one) the stream of a primary count like
commands.  The hot path has none: as long as anybody watches, its handlers decline the names in ``names``
(``engine/fast.py``), and the ordinary command is seen here.

As in Redis, what makes all of a database anew (FLUSHDB, FLUSHALL, SWAPDB) touches the keys that were there or
are there now, and the removal of a key that had expired when WATCH saw it touches nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from durable_redis.commands.queueing import Watch
from durable_redis.commands.session import Client
from durable_redis.keyspace.effects import Effect, changes_values, places_of
from durable_redis.keyspace.keyspace import Keyspace

_REMOVALS: Final = frozenset((b"DEL", b"UNLINK"))


class Watching:
    """Who watches what.  ``names`` are the keys' names in any database, with how often each is watched."""

    def __init__(self, keyspace: Keyspace, on_first: Callable[[], None]) -> None:
        """``on_first`` is called when somebody begins to watch while nobody did."""
        self.names: dict[bytes, int] = {}
        self._clients: dict[tuple[int, bytes], dict[Client, None]] = {}
        self._keyspace = keyspace
        self._on_first = on_first

    def watch(self, client: Client, key: bytes) -> None:
        """Let the client know, at its next EXEC, if a key of its database has changed by then."""
        if client.watch is None:
            client.watch = Watch()
        place = (client.db.index, key)
        if place in client.watch.keys:
            return
        client.watch.keys[place] = client.db.read(key) is not None
        self._clients.setdefault(place, {})[client] = None
        self.names[key] = self.names.get(key, 0) + 1
        if len(self.names) == 1:
            self._on_first()

    def forget(self, client: Client) -> None:
        """The client watches nothing any more."""
        watch, client.watch = client.watch, None
        if watch is None:
            return
        for place in watch.keys:
            clients = self._clients[place]
            del clients[client]
            if not clients:
                del self._clients[place]
            name = place[1]
            self.names[name] -= 1
            if not self.names[name]:
                del self.names[name]

    def is_touched(self, client: Client) -> bool:
        """Whether something that the client watches has changed, or has expired since."""
        watch = client.watch
        if watch is None:
            return False
        return watch.touched or any(
            was_there and self._keyspace.database(db).read(key) is None
            for (db, key), was_there in watch.keys.items()
        )

    def note(self, effects: list[tuple[int, Effect]]) -> None:
        """Effects have been applied; call it only while anybody watches."""
        for db, effect in effects:
            places = places_of(db, effect)
            if places is None:
                self._note_many(db, effect)
            elif changes_values(effect):
                for place in places:
                    self._touch(*place, removed=effect[0] in _REMOVALS)

    def _note_many(self, db: int, effect: Effect) -> None:
        swapped = {int(effect[1]), int(effect[2])} if effect[0] == b"SWAPDB" else set()
        for place in list(self._clients):
            concerned = place[0] in swapped if swapped else effect[0] == b"FLUSHALL" or place[0] == db
            if concerned:
                there_now = bool(swapped) and self._keyspace.database(place[0]).read(place[1]) is not None
                self._touch(*place, removed=not there_now)

    def _touch(self, db: int, key: bytes, removed: bool = False) -> None:
        for client in self._clients.get((db, key), ()):
            watch = client.watch
            assert watch is not None
            if not removed or watch.keys[db, key]:
                watch.touched = True
