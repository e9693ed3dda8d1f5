"""The hot path: the commands that make up most traffic, for keys that are in memory, without the gates.

A fast handler is ``f(db, argv, out) -> int``.  It appends the encoded reply to ``out`` and returns
:data:`READ`, or :data:`WROTE` when ``argv`` itself is the effect to be logged; or it has done nothing and
returns :data:`DECLINED`: then the ordinary command runs, with the same result.  Handlers decline whatever is
not the plain case: another arity, a hash tag, a value that is not plain ``bytes``, a key that only the disk
knows.  They raise TypeError when an argument is not bytes, which the caller takes as a protocol error.  A
test runs every case through both paths.

Costs, measured per call: a shard by CRC16 60 ns, ``type(v) is bytes`` 25, a dict lookup 35, an append of
three pieces 60.
"""

from __future__ import annotations

from binascii import crc_hqx
from collections import deque
from collections.abc import Callable, Container, Sequence

from durable_redis.commands.session import FastHandler
from durable_redis.engine.fast_collections import (
    COLLECTION_HANDLERS,
    COLLECTION_WRITES,
    DECLINED,
    READ,
    WROTE,
)
from durable_redis.engine.visibility import Unsynced
from durable_redis.keyspace.database import Database
from durable_redis.resp.encoder import BULK_HEADERS
from storage.wal.log import payload_of

_OK = b"+OK\r\n"
_PONG = b"+PONG\r\n"
_CRLF = b"\r\n"
_HEADERS = len(BULK_HEADERS)
SAMPLE_WEIGHT = 0.1
SAMPLES_KEPT = 16  # of each handler, for INFO latencystats
JOINED_BYTES_MAX = 2048  # shorter values are copied into one piece: a reply of one piece needs no join
_WRITES = frozenset(("SET", "INCR")) | COLLECTION_WRITES
READS_OF_KEYS = frozenset(("GET", "HGET"))
_STRING_WRITES = frozenset((b"SET", b"set", b"INCR", b"incr"))
FastCalls = tuple[str, int, float, Sequence[float]]  # of a command: see :meth:`FastCommands.take_calls`
_DIGITS_MAX = 18  # such a number may be counted up once more without a look at the bounds


def ping(db: Database, argv: list[bytes], out: list[bytes]) -> int:
    """PING without an argument."""
    if len(argv) != 1:
        return DECLINED
    out.append(_PONG)
    return READ


def make_get(null: bytes) -> FastHandler:
    """GET of a plain string in memory, or of a key that is known not to exist; ``null`` is the protocol's."""

    def get(db: Database, argv: list[bytes], out: list[bytes]) -> int:
        if len(argv) != 2:
            return DECLINED
        key = argv[1]
        if 123 in key:
            return DECLINED
        shard = db.by_crc[crc_hqx(key, 0) >> 4]
        value = shard.young.get(key)
        if type(value) is bytes:
            length = len(value)
            if length < JOINED_BYTES_MAX:
                out.append(BULK_HEADERS[length] + value + _CRLF)
            elif length < len(BULK_HEADERS):
                out += (BULK_HEADERS[length], value, _CRLF)
            else:
                return DECLINED
            return READ
        if value is None and db.complete and key not in shard.old:
            db.misses += 1
            out.append(null)
            return READ
        return DECLINED

    return get


def set_(db: Database, argv: list[bytes], out: list[bytes]) -> int:
    """SET key value, over a plain string or as a key that is known to be new."""
    if len(argv) != 3:
        return DECLINED
    _, key, value = argv
    if 123 in key or type(value) is not bytes:
        return DECLINED
    shard = db.by_crc[crc_hqx(key, 0) >> 4]
    young = shard.young
    if type(young.get(key)) is not bytes:
        if not db.complete or key in young or key in shard.old:
            return DECLINED
        db.size += 1
    young[key] = shard.dirty[key] = value
    out.append(_OK)
    return WROTE


def incr(db: Database, argv: list[bytes], out: list[bytes]) -> int:
    """INCR of a number in memory, or of a key that is known to be new."""
    if len(argv) != 2:
        return DECLINED
    key = argv[1]
    if 123 in key:
        return DECLINED
    shard = db.by_crc[crc_hqx(key, 0) >> 4]
    young = shard.young
    value = young.get(key)
    if type(value) is bytes:
        if len(value) > _DIGITS_MAX or not value.isdigit() or (value[0] == 48 and len(value) > 1):
            return DECLINED
        total = b"%d" % (int(value) + 1)
    elif value is None and db.complete and key not in shard.old:
        total = b"1"
        db.size += 1
    else:
        return DECLINED
    young[key] = shard.dirty[key] = total
    out.append(b":%b\r\n" % total)
    return WROTE


def payload_of_writes(writes: list[list[bytes]]) -> bytes:
    """Log payload of what hot handlers have written: 140 ns for SET and INCR, a third of the general way."""
    pieces: list[bytes] = []
    headers = BULK_HEADERS
    for argv in writes:
        if argv[0] not in _STRING_WRITES:
            pieces.append(payload_of((argv,)))
            continue
        key = argv[1]
        length = len(key)
        header = headers[length] if length < _HEADERS else b"$%d\r\n" % length
        if len(argv) == 2:
            pieces += (b"*2\r\n$4\r\nINCR\r\n", header, key, _CRLF)
        else:
            value = argv[2]
            length = len(value)
            second = headers[length] if length < _HEADERS else b"$%d\r\n" % length
            pieces += (b"*3\r\n$3\r\nSET\r\n", header, key, _CRLF, second, value, _CRLF)
    return b"".join(pieces)


def watched(handler: FastHandler, unsynced: Unsynced) -> FastHandler:
    """The same handler while syncs run in a worker.

    It declines what may show something that is not durable, so that the ordinary command looks closer, and
    notes what was written.  SET shows nothing.
    """

    def watch(db: Database, argv: list[bytes], out: list[bytes]) -> int:
        if handler is not set_ and len(argv) > 1 and unsynced.hides(argv[1]):
            return DECLINED
        done = handler(db, argv, out)
        if done == WROTE:
            unsynced.note_key(argv[1])
            unsynced.shown = True
        return done

    return watch


def guarded(handler: FastHandler, names: Container[bytes]) -> FastHandler:
    """The same handler while clients WATCH keys: it declines those, so that their change is seen."""

    def guard(db: Database, argv: list[bytes], out: list[bytes]) -> int:
        if len(argv) > 1 and argv[1] in names:
            return DECLINED
        return handler(db, argv, out)

    return guard


class FastCommands:
    """The fast handlers of one engine, and how often each was called.

    ``tables`` has, by protocol, the handlers by name as clients write it; other spellings take the ordinary
    path.
    """

    def __init__(self, unsynced: Unsynced, names: Container[bytes] = ()) -> None:
        """``names`` are the keys that clients WATCH, now and later."""
        # by protocol, whether a slow disk is watched, whether keys are guarded
        self._handlers: dict[tuple[int, bool, bool], dict[str, FastHandler]] = {}
        for protocol, null in ((2, b"$-1\r\n"), (3, b"_\r\n")):
            plain = {
                "PING": ping,
                "GET": make_get(null),
                "SET": set_,
                "INCR": incr,
                **COLLECTION_HANDLERS,
            }
            observed = {name: watched(handler, unsynced) for name, handler in plain.items()}
            for watch, handlers in ((False, plain), (True, observed)):
                self._handlers[protocol, watch, False] = handlers
                self._handlers[protocol, watch, True] = {
                    name: guarded(handler, names) if name in _WRITES else handler
                    for name, handler in handlers.items()
                }
        self.tables: dict[int, dict[bytes, FastHandler]] = {2: {}, 3: {}}
        self.calls: dict[FastHandler, int] = {}
        self.guards = False
        self._usec: dict[FastHandler, float] = {}
        self._samples: dict[FastHandler, int] = {}
        self._latest: dict[FastHandler, deque[float]] = {}
        self.on_untimed: Callable[[], None] = _nothing  # a handler is in use that no sample speaks for
        for handlers in self._handlers.values():
            self.calls |= dict.fromkeys(handlers.values(), 0)

    def allow(self, reads: bool, writes: bool, watch: bool = False, guard: bool = False) -> None:
        """Change the tables in place: every client holds one of them.

        With ``watch`` the handlers look at what is not durable yet, with ``guard`` at what clients WATCH.
        """
        self.guards = guard
        for protocol, table in self.tables.items():
            table.clear()
            for name, handler in self._handlers[protocol, watch, guard].items():
                if writes if name in _WRITES else reads:
                    table[name.encode()] = table[name.lower().encode()] = handler

    def timed(self, before: dict[FastHandler, int], seconds: float, ordinary: int = 0) -> None:
        """Learn what a call costs from a chunk of commands.

        ``before`` are the calls before the chunk; ``seconds`` it took without what the handlers of its
        ``ordinary`` commands have measured themselves.  That time is shared out evenly, since what a chunk
        costs beside its handlers (parsing, the log) cannot be told apart.  A chunk whose counters were
        taken or reset meanwhile (INFO and CONFIG RESETSTAT do that) may tell nothing.
        """
        used = {
            handler: count - before[handler]
            for handler, count in self.calls.items()
            if count != before[handler]
        }
        if not used or min(used.values()) < 0 or ordinary < 0 or seconds <= 0:
            return
        usec = seconds * 1e6 / (sum(used.values()) + ordinary)
        for handler in used:
            known = self._usec.get(handler, usec)
            earlier = self._samples.get(handler, 0)
            # The first calls of a process are dear: the second sample replaces the first.
            weight = max(SAMPLE_WEIGHT, 1 / max(1, earlier))
            self._usec[handler] = known + (usec - known) * weight
            self._samples[handler] = earlier + 1
            self._latest.setdefault(handler, deque(maxlen=SAMPLES_KEPT)).append(usec)

    def take_calls(self) -> list[FastCalls]:
        """Name, calls since the last time, their microseconds as estimated, the latest samples."""
        found: list[FastCalls] = []
        for handlers in self._handlers.values():
            for name, handler in handlers.items():
                calls = self.calls[handler]
                if calls:
                    latest = self._latest.get(handler, ())
                    if not latest:
                        self.on_untimed()
                    found.append((name, calls, calls * self._usec.get(handler, 0.0), latest))
                    self.calls[handler] = 0
        return found


def _nothing() -> None:
    """Nobody takes samples."""
