"""Writers that know what a server owes them after a crash.

Each writer has one connection and keys that nobody else writes.  It notes every operation before it sends
it, and counts the replies.  As one connection's commands are executed in order, the data after a crash must
be the outcome of a *prefix* of its operations, at least as long as what was acknowledged and no longer than
what was sent.  A value that fits no prefix is half-applied, reordered or invented.

:meth:`Writer.surviving_prefix` finds that prefix from the data alone; the suites then say how long it has
to be.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from tests.support.client import Client, ErrorReply, Word, encode
from tests.support.servers import ServerProcess
from tests.support.writer_collections import KINDS, change, read_contents

FAR_FUTURE_MS: Final = 4_102_444_800_000
KEYS_PER_WRITER: Final = 40
BATCH_MAX: Final = 24
VALUE_BYTES_MAX: Final = 4000
WINDOW: Final = 12  # batches sent before the first reply is awaited
SHARED_COUNTER: Final = b"shared"
PATIENCE_S: Final = 0.2

Entry = tuple[bytes, int] | None
"""A key as it stands: its value and its deadline (-1 for none), or None when there is no such key."""


@dataclass(slots=True)
class Operation:
    """One write: what is sent, and how each key it touches stands afterwards."""

    words: list[Word]
    outcome: dict[bytes, Entry]


class Writer:
    """One connection that writes until the server is gone."""

    def __init__(self, number: int, seed: int, kinds: Sequence[bytes] = KINDS) -> None:
        """``kinds`` are the types of collections that it writes to."""
        self.name = b"w%d" % number
        self.kinds = kinds
        self.random = random.Random(seed)
        self.base: dict[bytes, Entry] = {}
        self.operations: list[Operation] = []
        self.acknowledged = 0
        self.acknowledged_at: list[float] = []
        self.shared_sent = 0
        self.shared_acknowledged = 0
        self.unexpected: list[ErrorReply] = []
        self._entries: dict[bytes, Entry] = {}
        self._shared_before = 0
        self._sent_kinds: list[bool] = []  # per request: whether it was an operation, else the shared counter

    def begin_round(self, survived: dict[bytes, Entry]) -> None:
        """Start over from what a crash has left."""
        self.base = dict(survived)
        self._entries = dict(survived)
        self.operations = []
        self.acknowledged = 0
        self.acknowledged_at = []
        self._sent_kinds = []

    @property
    def sent(self) -> int:
        """How many operations have been handed to the connection."""
        return len(self.operations)

    def run(self, server: ServerProcess, stop: threading.Event) -> None:
        """Write until the connection breaks or ``stop`` is set; then take in every reply that still comes."""
        try:
            with server.client(timeout_s=60) as client:
                unanswered = 0
                while not stop.is_set():
                    requests = [self._next_request() for _ in range(self.random.randint(1, BATCH_MAX))]
                    client.send_raw(b"".join(encode(words) for words in requests))
                    unanswered += len(requests)
                    while unanswered > BATCH_MAX * self.random.randint(0, WINDOW):
                        self._take(client.read_reply())
                        unanswered -= 1
                for _ in range(unanswered):
                    self._take(client.read_reply())
        except (ConnectionError, BrokenPipeError):
            pass  # the crash

    def run_until_frozen(self, server: ServerProcess, stop: threading.Event, frozen: threading.Event) -> None:
        """Write until ``stop``; after ``frozen`` count what had already been answered, and no more."""
        with server.client(timeout_s=30) as client:
            unanswered = 0
            while not stop.is_set() and not frozen.is_set():
                requests = [self._next_request() for _ in range(self.random.randint(1, BATCH_MAX))]
                client.send_raw(b"".join(encode(words) for words in requests))
                unanswered += len(requests)
                client.socket.settimeout(PATIENCE_S)
                while unanswered > BATCH_MAX and self._take_unless_frozen(client, frozen):
                    unanswered -= 1
                client.socket.settimeout(30)
            client.socket.settimeout(PATIENCE_S)
            while unanswered and self._take_unless_frozen(client, frozen):
                unanswered -= 1

    def _take_unless_frozen(self, client: Client, frozen: threading.Event) -> bool:
        """Take in one reply; False when none comes because the server is frozen."""
        while True:
            try:
                self._take(client.read_reply())
                return True
            except TimeoutError:
                if frozen.is_set():
                    return False
            except ConnectionError:
                return False

    def _take(self, reply: Any) -> None:
        index = self.acknowledged + self.shared_acknowledged - self._shared_before
        if isinstance(reply, ErrorReply):
            self.unexpected.append(reply)
        if self._sent_kinds[index]:
            self.acknowledged += 1
            self.acknowledged_at.append(time.monotonic())
        else:
            self.shared_acknowledged += 1

    def remember_shared(self) -> None:
        """Note where the shared counter's acknowledgements stand as a round begins."""
        self._shared_before = self.shared_acknowledged

    def _next_request(self) -> list[Word]:
        if self.random.random() < 0.1:
            self.shared_sent += 1
            self._sent_kinds.append(False)
            return ["INCR", SHARED_COUNTER]
        operation = self._next_operation()
        self.operations.append(operation)
        self._entries |= operation.outcome
        self._sent_kinds.append(True)
        return operation.words

    def _next_operation(self) -> Operation:
        draw = self.random.random()
        mark = b"%d:%d" % (self.sent, self.random.getrandbits(20))
        if draw < 0.15:
            return self._set(mark)
        if draw < 0.35:
            return self._change_collection(mark)
        if draw < 0.45:
            return self._increment()
        if draw < 0.6:
            return self._append(mark)
        if draw < 0.75:
            return self._set_many(mark)
        if draw < 0.85:
            return self._delete()
        if draw < 0.93:
            return self._expire()
        return self._overwrite_part(mark)

    def _key(self, kind: bytes = b"v") -> bytes:
        return b"%b:%b:%d" % (self.name, kind, self.random.randrange(KEYS_PER_WRITER))

    def _entry(self, key: bytes) -> tuple[bytes, int]:
        return self._entries.get(key) or (b"", -1)

    def _set(self, mark: bytes) -> Operation:
        key = self._key()
        value = mark + b"." * self.random.choice((0, 10, 100, 100, 1000))
        if self.random.random() < 0.2:
            deadline = FAR_FUTURE_MS + self.random.randrange(1000)
            return Operation(["SET", key, value, "PXAT", deadline], {key: (value, deadline)})
        return Operation(["SET", key, value], {key: (value, -1)})

    def _increment(self) -> Operation:
        key = self._key(b"n")
        value, deadline = self._entry(key)
        return Operation(["INCR", key], {key: (b"%d" % (int(value or b"0") + 1), deadline)})

    def _append(self, mark: bytes) -> Operation:
        key = self._key(b"a")
        value, deadline = self._entry(key)
        if len(value) > VALUE_BYTES_MAX:
            return Operation(["DEL", key], {key: None})
        return Operation(["APPEND", key, mark], {key: (value + mark, deadline)})

    def _set_many(self, mark: bytes) -> Operation:
        keys = [self._key(b"m") for _ in range(self.random.randint(2, 6))]
        words: list[Word] = ["MSET"]
        for key in keys:
            words += [key, mark]
        return Operation(words, dict.fromkeys(keys, (mark, -1)))

    def _delete(self) -> Operation:
        keys = [
            self._key(self.random.choice((b"v", b"v", b"n", b"a", b"m", *self.kinds)))
            for _ in range(self.random.randint(1, 3))
        ]
        return Operation([self.random.choice(("DEL", "UNLINK")), *keys], dict.fromkeys(keys))

    def _change_collection(self, mark: bytes) -> Operation:
        kind = self.random.choice(self.kinds)
        key = b"%b:%b:%d" % (self.name, kind, self.random.randrange(3))
        content, deadline = self._entry(key)
        words, left = change(kind, key, content, mark, self.random)
        return Operation(words, {key: None if left is None else (left, deadline)})

    def _expire(self) -> Operation:
        key = self._key(self.random.choice((b"v", b"n", b"h", b"l", b"s", b"z")))
        entry = self._entries.get(key)
        deadline = FAR_FUTURE_MS + self.random.randrange(1000)
        if self.random.random() < 0.3:
            return Operation(["PERSIST", key], {key: (entry[0], -1) if entry else None})
        return Operation(["PEXPIREAT", key, deadline], {key: (entry[0], deadline) if entry else None})

    def _overwrite_part(self, mark: bytes) -> Operation:
        key = self._key(b"a")
        value, deadline = self._entry(key)
        changed = mark + value[len(mark) :]
        return Operation(["SETRANGE", key, 0, mark], {key: (changed, deadline)})

    def surviving_prefix(self, found: dict[bytes, Entry]) -> range:
        """The lengths of prefix whose outcome is exactly ``found``; ``AssertionError`` when there is none.

        The work is one pass: for each key, an operation that gives it the value found opens an interval of
        possible lengths, and the next operation on that key with another outcome closes it.
        """
        mine = {key: entry for key, entry in found.items() if key.startswith(self.name + b":")}
        touched = {key for operation in self.operations for key in operation.outcome}
        wrong = {
            key for key in touched | self.base.keys() | mine.keys() if self.base.get(key) != mine.get(key)
        }
        fitting: list[int] = [] if wrong else [0]
        for length, operation in enumerate(self.operations, start=1):
            for key, entry in operation.outcome.items():
                if entry == mine.get(key):
                    wrong.discard(key)
                else:
                    wrong.add(key)
            if not wrong:
                fitting.append(length)
        assert fitting, (
            f"{self.name!r}: no prefix of {self.sent} operations ({self.acknowledged} acknowledged) "
            "explains the data; "
            f"nearest by keys: {self._nearest(mine)}"
        )
        return range(fitting[0], fitting[-1] + 1)

    def _nearest(self, mine: dict[bytes, Entry]) -> str:
        """The keys that disagree at the acknowledged prefix."""
        entries = dict(self.base)
        for operation in self.operations[: self.acknowledged]:
            entries |= operation.outcome
        keys = sorted(key for key in entries.keys() | mine.keys() if entries.get(key) != mine.get(key))
        shown = [(key, _short(entries.get(key)), _short(mine.get(key))) for key in keys[:5]]
        return (
            f"{len(keys)} keys differ from what was acknowledged, among them (key, expected, found) {shown}"
        )


def _short(entry: Entry) -> Any:
    return entry if entry is None or len(entry[0]) < 60 else (entry[0][:60], entry[1])


def read_all(client: Client, ignored: Iterable[bytes] = ()) -> dict[bytes, Entry]:
    """Every key of database 0 with value and deadline; SCAN and DBSIZE must agree on how many there are."""
    keys = sorted(set(client.scan_all("COUNT", 1000)))
    size = client.call("DBSIZE")
    assert size == len(keys), f"DBSIZE says {size}, SCAN found {len(keys)} keys"
    values = read_contents(client, keys)
    deadlines = client.pipeline([("PEXPIRETIME", key) for key in keys])
    skipped = set(ignored)
    return {
        key: (value, time)
        for key, value, time in zip(keys, values, deadlines, strict=True)
        if key not in skipped
    }


class Load:
    """Several writers at work in threads."""

    def __init__(self, writers: list[Writer]) -> None:
        self.writers = writers
        self.stop = threading.Event()
        self.frozen = threading.Event()
        self.threads: list[threading.Thread] = []

    def start(self, server: ServerProcess, *, until_frozen: bool = False) -> None:
        """Let every writer write to ``server``."""
        for writer in self.writers:
            writer.remember_shared()
            arguments: tuple[Any, ...] = (server, self.stop)
            target = writer.run_until_frozen if until_frozen else writer.run
            if until_frozen:
                arguments += (self.frozen,)
            self.threads.append(threading.Thread(target=target, args=arguments, daemon=True))
        for thread in self.threads:
            thread.start()

    def acknowledged(self) -> int:
        """How many operations have been acknowledged in this round."""
        return sum(writer.acknowledged for writer in self.writers)

    def wait_acknowledged(self, count: int, seconds_max: float = 60.0) -> None:
        """Return once so many operations have been acknowledged."""
        deadline = time.monotonic() + seconds_max
        while self.acknowledged() < count:
            assert time.monotonic() < deadline, (
                f"only {self.acknowledged()} of {count} writes acknowledged in time"
            )
            assert any(thread.is_alive() for thread in self.threads), "every writer has ended"
            time.sleep(0.002)

    def join(self) -> None:
        """Wait for the writers to end."""
        for thread in self.threads:
            thread.join(60)
            assert not thread.is_alive(), "a writer hangs"
        for writer in self.writers:
            assert not writer.unexpected, f"{writer.name!r} got {writer.unexpected[:3]}"
