"""Client-side caching: telling clients that what they may have cached has changed (CLIENT TRACKING).

By default the server remembers in a table which keys a client has read, and forgets a key when it has told
those who read it; beyond ``tracking-table-max-keys`` keys are taken at random and told as if they had
changed.  In broadcast mode nothing is remembered: a client is told of every key with one of its prefixes, all
that changed in one batch in one message.  Messages are RESP3 pushes, or go to another client (REDIRECT), that
gets them as messages of the channel ``__redis__:invalidate`` if it speaks RESP2.

Keys come from effects, expiry and eviction among them, by name only: databases are not told apart.  Whoever
has changed a key is told behind the reply, since a command's effects are looked at when it is done.
Source: https://redis.io/docs/latest/develop/reference/client-side-caching/
"""

from __future__ import annotations

import random
from collections.abc import Callable, Collection
from operator import itemgetter
from typing import Final

from durable_redis.commands.keys import command_keys
from durable_redis.commands.listening import Tracking
from durable_redis.commands.session import Client
from durable_redis.commands.table import Command, Flag
from durable_redis.engine.pubsub import PubSub
from durable_redis.keyspace.effects import Effect, changes_values, places_of
from durable_redis.resp.encoder import bulk_header, encode_bytes
from durable_redis.resp.replies import Push

EVICTIONS_PER_COMMAND: Final = 100  # and more the longer the table is too large
_PUSH: Final = b">2\r\n$10\r\ninvalidate\r\n"
_MESSAGE: Final = b"*3\r\n$7\r\nmessage\r\n$20\r\n__redis__:invalidate\r\n"
_NULLS: Final = {2: b"$-1\r\n", 3: b"_\r\n"}


class _Prefix:
    """Who is told of keys with a prefix, and which have changed since they were told; by whom, if known."""

    __slots__ = ("clients", "keys")

    def __init__(self) -> None:
        self.clients: dict[Client, None] = {}
        self.keys: dict[bytes, Client | None] = {}


class Invalidation:
    """Who tracks which keys."""

    def __init__(
        self,
        connected: dict[int, Client],
        pubsub: PubSub,
        on_change: Callable[[], None],
        rng: random.Random,
    ) -> None:
        """``on_change`` is called when the first client begins to track, or the last one has stopped."""
        self.clients: dict[Client, None] = {}
        self.noted: dict[bytes | None, None] = {}  # keys that were changed; None: everything
        self.items = 0  # pairs of a remembered key and a client
        self.prefixes: dict[bytes, _Prefix] = {}
        self.keys_max = 0  # 0: no limit
        self._connected = connected
        self._push = pubsub.push
        self._pushed = pubsub.pushed
        self._on_change = on_change
        self._rng = rng
        self._places: dict[bytes, int] = {}  # of the keys that are remembered, in the two lists
        self._keys: list[bytes] = []
        self._readers: list[int | set[int]] = []  # the number of the client, or of all if they are several
        self._rounds_over = 0

    @property
    def keys(self) -> int:
        """How many keys are remembered."""
        return len(self._keys)

    # -- clients ---------------------------------------------------------------------------------------------

    def enable(self, client: Client, tracking: Tracking) -> None:
        """Let a client track; one that does already keeps its prefixes."""
        before = client.tracking
        if before is not None:
            tracking.prefixes = before.prefixes | tracking.prefixes
            tracking.caching = before.caching
        client.tracking = tracking
        for prefix in tracking.prefixes:
            self.prefixes.setdefault(prefix, _Prefix()).clients[client] = None
        self.clients[client] = None
        if len(self.clients) == 1:
            self._on_change()

    def disable(self, client: Client) -> None:
        """Let a client track no more, if it does."""
        tracking, client.tracking = client.tracking, None
        if tracking is None:
            return
        for prefix in tracking.prefixes:
            found = self.prefixes[prefix]
            del found.clients[client]
            if not found.clients:
                del self.prefixes[prefix]
        del self.clients[client]
        if not self.clients:
            self._forget_all()
            self._on_change()

    # -- reads -----------------------------------------------------------------------------------------------

    def remember(self, client: Client, command: Command, argv: list[bytes]) -> None:
        """A tracking client has executed a command: remember the keys that it read."""
        tracking = client.tracking
        assert tracking is not None
        if command.flags & Flag.READONLY and tracking.remembers:
            for position, _ in command_keys(command, argv):
                self._remember(client, argv[position])
            self._limit()
        if tracking.caching and client.transaction is None and not command.name.startswith("CLIENT|"):
            tracking.caching = False  # it was for this command, or this transaction

    def _remember(self, client: Client, key: bytes) -> None:
        place = self._places.get(key)
        if place is None:
            self._places[key] = len(self._keys)
            self._keys.append(key)
            self._readers.append(client.id)
            self.items += 1
            return
        readers = self._readers[place]
        if type(readers) is int:
            if readers == client.id:
                return
            readers = self._readers[place] = {readers}
        assert isinstance(readers, set)
        self.items += client.id not in readers
        readers.add(client.id)

    def _limit(self) -> None:
        """Take some keys from a table that is too large."""
        if not self.keys_max or len(self._keys) <= self.keys_max:
            self._rounds_over = 0
            return
        self._rounds_over += 1
        for _ in range(EVICTIONS_PER_COMMAND * self._rounds_over):
            self._invalidate(self._keys[self._rng.randrange(len(self._keys))], None)
            if len(self._keys) <= self.keys_max:
                return

    # -- changes ---------------------------------------------------------------------------------------------

    def note(self, db: int, effect: Effect) -> None:
        """An effect has been applied."""
        places = places_of(db, effect)
        if places is None:
            self.noted[None] = None
        elif changes_values(effect):
            keys = [key for _, key in places]
            self.noted.update(dict.fromkeys(reversed(keys) if effect[0] == b"LMOVE" else keys))

    def flush(self, current: Client | None) -> None:
        """Tell of what was noted; ``current`` is who has executed the command that did it."""
        noted, self.noted = self.noted, {}
        for key in noted:
            if key is None:
                self._invalidate_all()
                continue
            for prefix, found in self.prefixes.items():
                if key.startswith(prefix):
                    found.keys.setdefault(key, current)
                    self._pushed.update(found.clients)  # so that :meth:`broadcast` is called
            if key in self._places:
                self._invalidate(key, current)

    def _invalidate(self, key: bytes, current: Client | None) -> None:
        body = _array([key])
        for number in self._take(key):
            client = self._connected.get(number)
            if client is None or client.tracking is None or client.tracking.broadcast:
                continue
            if not (client.tracking.noloop and client is current):
                self._send(client, body)

    def _take(self, key: bytes) -> Collection[int]:
        """Forget a key that is remembered; who has read it."""
        place = self._places.pop(key)
        found = self._readers[place]
        last, readers = self._keys.pop(), self._readers.pop()
        if place < len(self._keys):
            self._keys[place], self._readers[place] = last, readers
            self._places[last] = place
        numbers = (found,) if isinstance(found, int) else found
        self.items -= len(numbers)
        return numbers

    def _invalidate_all(self) -> None:
        self._forget_all()
        for client in self.clients:
            self._send(client, _NULLS[client.protocol])

    def _forget_all(self) -> None:
        self._places.clear()
        self._keys.clear()
        self._readers.clear()
        self.items = 0

    def broadcast(self) -> None:
        """Tell those in broadcast mode what has changed since the last time; a batch ends."""
        for _, found in sorted(self.prefixes.items(), key=itemgetter(0)):
            if not found.keys:
                continue
            changed, found.keys = found.keys, {}
            keys = sorted(changed)
            body = _array(keys)
            for client in found.clients:
                assert client.tracking is not None
                if not client.tracking.noloop:
                    self._send(client, body)
                elif others := [key for key in keys if changed[key] is not client]:
                    self._send(client, _array(others))

    # -- messages --------------------------------------------------------------------------------------------

    def _send(self, client: Client, body: bytes) -> None:
        """Send an invalidation to a client, or to where it wants to have it."""
        tracking = client.tracking
        assert tracking is not None
        target: Client | None = client
        if tracking.redirect:
            target = self._connected.get(tracking.redirect)
            if target is None:
                tracking.broken = True
                if client.protocol == 3:
                    broken = Push((b"tracking-redir-broken", tracking.redirect))
                    self._push(client, encode_bytes(broken, 3))
                return
        assert target is not None
        if target.protocol == 3:
            self._push(target, _PUSH + body)
        elif target is not client and target.subscriptions is not None:
            self._push(target, _MESSAGE + body)


def _array(keys: list[bytes]) -> bytes:
    """Keys as an array, which is the same in both protocols."""
    return b"*%d\r\n" % len(keys) + b"".join(bulk_header(len(key)) + key + b"\r\n" for key in keys)
