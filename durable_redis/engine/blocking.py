"""Clients that wait for keys (BLPOP, XREAD BLOCK, …), and in which order they are served.

As in Redis: when a command has changed keys, those that somebody waits for are looked at in the order in
which they were changed; of the clients that wait for a key, who has waited longest comes first.  Serving one
may change further keys (BLMOVE), which are then looked at too.
"""

from __future__ import annotations

from durable_redis.commands.context import KeyWait
from durable_redis.commands.session import Client
from durable_redis.keyspace.effects import Effect, places_of

Place = tuple[int, bytes]  # the number of a database, and a key


class BlockedClients:
    """Who waits for which key.  ``ready`` holds the keys that were changed since they were last looked at."""

    def __init__(self) -> None:
        self.waiting: dict[Place, dict[int, Client]] = {}
        self.ready: dict[Place, None] = {}

    def add(self, client: Client, wait: KeyWait) -> None:
        """The client waits from now on."""
        for key in wait.keys:
            self.waiting.setdefault((client.db.index, key), {})[client.id] = client

    def remove(self, client: Client, wait: KeyWait) -> None:
        """The client does not wait any more."""
        for key in wait.keys:
            place = (client.db.index, key)
            clients = self.waiting.get(place)
            if clients is not None:
                clients.pop(client.id, None)
                if not clients:
                    del self.waiting[place]

    def note(self, effects: list[tuple[int, Effect]]) -> None:
        """Effects have been applied; call it only while anybody waits."""
        for db, effect in effects:
            places = places_of(db, effect)
            for place in self.waiting if places is None else places:
                if place in self.waiting:
                    self.ready[place] = None

    def next_ready(self) -> tuple[bytes, list[Client]] | None:
        """The next key to look at, and who waits for it, the longest first."""
        while self.ready:
            place = next(iter(self.ready))
            del self.ready[place]
            clients = self.waiting.get(place)
            if clients:
                return place[1], list(clients.values())
        return None
