"""Keyspace events: what happens to keys, published for whoever listens (``notify-keyspace-events``).

Commands decide, effects act, and events follow from effects: :data:`_EVENTS` says which event an effect is.
Where Redis names an event after the command (HINCRBY is the effect HSET and the event ``hincrby``), the
command says so: ``ctx.apply(b"HSET", ..., event=b"hincrby")``.  ``event=SILENT`` is for the further parts of
one change and for effects that Redis has no event for.  An event without an effect, because nothing has
changed (LTRIM that removes nothing), is ``ctx.notify``.

An event is published at once, in the order of the effects: that it was the last element of a list, so that
``del`` follows, can be seen only then.  So it is the same in MULTI and in a script.  ``new`` needs to know
what was there before; :meth:`KeyspaceEvents.before` looks, and finds on the way that a key which is
overwritten had expired, so that ``expired`` comes first.

Names, order and number are redis-server 7.0.15's: https://redis.io/docs/latest/develop/pubsub/keyspace-notifications/
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from durable_redis.keyspace.database import Database
from durable_redis.keyspace.effects import SILENT, Effect
from durable_redis.keyspace.keyspace import Keyspace

CLASSES: Final[dict[str, frozenset[bytes]]] = {
    letter: frozenset(names.encode().split())
    for letter, names in {
        "g": "del expire persist rename_from rename_to move_from move_to copy_to restore",
        "$": "set append setrange setbit incrby incrbyfloat pfadd",
        "l": "lpush rpush lpop rpop lset linsert lrem ltrim sortstore",
        "s": "sadd srem spop sinterstore sunionstore sdiffstore",
        "h": "hset hdel hincrby hincrbyfloat hexpire hpersist hexpired",
        "z": "zadd zincr zrem zpopmin zpopmax zremrangebyrank zremrangebyscore zremrangebylex"
        " zunionstore zinterstore zdiffstore zrangestore geosearchstore georadiusstore",
        "x": "expired",
        "e": "evicted",
        "t": "xadd xdel xtrim xsetid xgroup-create xgroup-setid xgroup-destroy xgroup-createconsumer"
        " xgroup-delconsumer",
        "d": "",
        "m": "keymiss",
        "n": "new",
    }.items()
}
"""The events of each class, by its letter in ``notify-keyspace-events``."""

ALL_CLASSES: Final = "g$lshzxetd"  # what A stands for
_HOT_EVENTS: Final = frozenset().union(*(CLASSES[letter] for letter in "$lshzn"))
_EVENTS: Final[dict[bytes, bytes]] = {
    b"APPEND": b"append",
    b"SETRANGE": b"setrange",
    b"SETBIT": b"setbit",
    b"INCR": b"incrby",
    b"DECR": b"incrby",
    b"INCRBY": b"incrby",
    b"DECRBY": b"incrby",
    b"PEXPIREAT": b"expire",
    b"PERSIST": b"persist",
    b"HSET": b"hset",
    b"HDEL": b"hdel",
    b"HPEXPIREAT": b"hexpire",
    b"HPERSIST": b"hpersist",
    b"SADD": b"sadd",
    b"SREM": b"srem",
    b"ZADD": b"zadd",
    b"ZREM": b"zrem",
    b"LPUSH": b"lpush",
    b"RPUSH": b"rpush",
    b"LPOP": b"lpop",
    b"RPOP": b"rpop",
    b"LSET": b"lset",
    b"LINSERT": b"linsert",
    b"LREM": b"lrem",
    b"LTRIM": b"ltrim",
    b"XADD": b"xadd",
    b"XDEL": b"xdel",
    b"XTRIM": b"xtrim",
    b"XSETID": b"xsetid",
}
"""Effects whose event is always the same; those with several events are in :meth:`KeyspaceEvents.note`."""

_MAY_EMPTY: Final = frozenset((b"HDEL", b"SREM", b"ZREM", b"LPOP", b"RPOP", b"LREM", b"LTRIM"))
_ONLY: Final = frozenset((b"expired", b"evicted"))  # these deletions are not followed by ``del``


class KeyspaceEvents:
    """Publishes the events that are wanted.  ``on`` says that there are any."""

    def __init__(self, keyspace: Keyspace, publish: Callable[[bytes, bytes], int]) -> None:
        self.on = False
        self._keyspace = keyspace
        self._publish = publish
        self._wanted: frozenset[bytes] = frozenset()
        self._by_key = False
        self._by_event = False
        self._absent: list[bytes] = []  # keys that the effect which is being applied will make
        self._replaced: bytes | None = None  # a key that was deleted to be made anew

    def configure(self, letters: str) -> None:
        """Want the classes of ``notify-keyspace-events``, by key (K), by event (E) or both."""
        self._by_key, self._by_event = "K" in letters, "E" in letters
        self._wanted = frozenset()
        if self._by_key or self._by_event:
            for letter in letters.replace("A", ALL_CLASSES):
                self._wanted |= CLASSES.get(letter, frozenset())
        self.on = bool(self._wanted)

    @property
    def watches_writes(self) -> bool:
        """Whether what the hot path writes would be events."""
        return not self._wanted.isdisjoint(_HOT_EVENTS)

    @property
    def watches_reads(self) -> bool:
        """Whether keys that are not there have to be seen."""
        return b"keymiss" in self._wanted

    # -- seeing ----------------------------------------------------------------------------------------------

    def before(self, db: Database, effect: Effect) -> None:
        """An effect is about to be applied: see which keys it will make, and what has expired in its way."""
        # Reading may remove what has expired, which is an effect by itself.
        absent = [key for target, key in self._targets(db, effect) if target.read(key) is None]
        self._absent = [key for key in absent if key != self._replaced]
        self._replaced = None

    def _targets(self, db: Database, effect: Effect) -> Iterator[tuple[Database, bytes]]:
        """The keys that an effect sets or changes, and where."""
        name = effect[0]
        match name:
            case b"MSET":
                for key in dict.fromkeys(effect[1::2]):
                    yield db, key
            case b"RENAME" | b"LMOVE" | b"XGROUP":
                yield db, effect[2]
            case b"COPY":
                yield self._keyspace.database(int(effect[4])), effect[2]
            case b"MOVE":
                yield self._keyspace.database(int(effect[2])), effect[1]
            case _ if name == b"SET" or name in _EVENTS:
                yield db, effect[1]

    def note(self, index: int, effect: Effect) -> None:
        """An effect has been applied: publish what it is."""
        name = effect[0]
        given = self._keyspace.event
        match name:
            case b"DEL":
                if given == SILENT:
                    self._replaced = effect[1]
                    return
                for key in effect[1:]:
                    if given:
                        self.publish(index, given, key)
                    if given not in _ONLY:
                        self.publish(index, b"del", key)
            case b"MSET":
                for key in effect[1::2]:
                    self._made(index, key)
                    self.publish(index, b"set", key)
            case b"SET":
                self._made(index, effect[1])
                self.publish(index, given or b"set", effect[1])
                if not given and len(effect) == 5:
                    self.publish(index, b"expire", effect[1])
            case b"RENAME":
                self.publish(index, b"new", effect[2])  # as in Redis, whatever was there
                self.publish(index, b"rename_from", effect[1])
                self.publish(index, b"rename_to", effect[2])
            case b"MOVE":
                target = int(effect[2])
                self.publish(target, b"new", effect[1])
                self.publish(index, b"move_from", effect[1])
                self.publish(target, b"move_to", effect[1])
            case b"COPY":
                self.publish(int(effect[4]), b"new", effect[2])
                self.publish(int(effect[4]), b"copy_to", effect[2])
            case b"LMOVE":
                self._made(index, effect[2])
                self.publish(index, b"lpush" if effect[4] == b"LEFT" else b"rpush", effect[2])
                self.publish(index, b"lpop" if effect[3] == b"LEFT" else b"rpop", effect[1])
                self._emptied(index, effect[1])
            case b"XGROUP":
                self._made(index, effect[2])
                self.publish(index, given or b"xgroup-" + effect[1].lower(), effect[2])
            case _ if name in _EVENTS:
                self._made(index, effect[1])
                self.publish(index, given or _EVENTS[name], effect[1])
                if name in _MAY_EMPTY:
                    self._emptied(index, effect[1])

    def _made(self, index: int, key: bytes) -> None:
        if key in self._absent:
            self._absent.remove(key)
            self.publish(index, b"new", key)

    def _emptied(self, index: int, key: bytes) -> None:
        if self._keyspace.database(index).find(key) is None:
            self.publish(index, b"del", key)

    # -- publishing ------------------------------------------------------------------------------------------

    def publish(self, index: int, event: bytes, key: bytes) -> None:
        """Publish an event of a key in a database, if its class is wanted."""
        if event not in self._wanted:
            return
        if self._by_key:
            self._publish(b"__keyspace@%d__:%b" % (index, key), event)
        if self._by_event:
            self._publish(b"__keyevent@%d__:%b" % (index, event), key)
