"""Two servers in lockstep: every step runs on both, and the first difference is the finding.

A :class:`Pair` owns the connections.  It sends a step to both servers before it reads either reply, so
relative times are set within a moment of each other.  A connection that the server closes, or that stays
silent, yields a marker in place of a reply and is opened anew, so one finding does not hide the next.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from tests.support.client import Client, ErrorReply, encode
from tests.support.comparing import TOLERANCE_MS, agree, close_times, command_name
from tests.support.script import Step, fill
from tests.support.servers import ServerProcess

DATABASES: Final = 16
REPLY_SECONDS_MAX: Final = 10.0
VANISH_MS: Final = 5
SILENCE: Final = "no reply"
_GROUPS_OF: Final = (b"XINFO", b"STREAM")  # what no digest covers
_SHOWN_BYTES_MAX: Final = 600
_STRING_ENCODINGS: Final = frozenset((b"int", b"embstr", b"raw"))


class Marker:
    """What stands in place of a reply that did not come."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return f"<{self.text}>"


@dataclass(slots=True)
class Difference:
    """Where the two servers parted."""

    line: str
    expected: Any
    actual: Any

    def __str__(self) -> str:
        return f"{self.line}\n    oracle:  {_short(self.expected)}\n    subject: {_short(self.actual)}"


class Side:
    """One of the two servers and the connections to it."""

    def __init__(self, server: ServerProcess, protocol: int) -> None:
        self.server = server
        self.protocol = protocol
        self.clients: dict[str, Client] = {}
        self.ids: dict[str, int] = {}

    def client(self, name: str) -> Client:
        """The connection called ``name``, opened when it is first used."""
        if name not in self.clients:
            client = self.server.client(REPLY_SECONDS_MAX)
            client.call("HELLO", self.protocol)
            reply = client.call("CLIENT", "ID")
            self.ids[name] = reply if isinstance(reply, int) else 0
            self.clients[name] = client
        return self.clients[name]

    def drop(self, name: str) -> None:
        """Close a connection."""
        if client := self.clients.pop(name, None):
            client.close()

    def close(self) -> None:
        """Close every connection."""
        for name in list(self.clients):
            self.drop(name)

    def send(self, step: Step, now_ms: int) -> None:
        """Send a step's words."""
        client = self.client(step.connection)
        words = [fill(word, now_ms, self.ids, step.connection) for word in step.words]
        try:
            client.send_raw(words[0] if step.directive in ("@raw", "@rawclose") else encode(words))
        except ConnectionError:
            pass  # the server has closed; reading will say so

    def receive(self, step: Step) -> Any:
        """The reply to a step that was sent."""
        client = self.client(step.connection)
        try:
            return client.read_until_closed() if step.directive == "@rawclose" else client.read_reply()
        except TimeoutError:
            self.drop(step.connection)
            return Marker(SILENCE)
        except ConnectionError:
            self.drop(step.connection)
            return Marker("closed")
        finally:
            if step.directive == "@rawclose":
                self.drop(step.connection)

    def scan(self, step: Step) -> Any:
        """The set of keys that one full iteration yields."""
        try:
            return sorted(set(self.client(step.connection).scan_all(*step.words)))
        except ValueError as error:
            return ErrorReply(str(error).encode())

    def call(self, name: str, *words: bytes | str | int) -> Any:
        """One command on a connection."""
        return self.client(name).call(*words)


class Pair:
    """The oracle and the subject."""

    def __init__(self, oracle: ServerProcess, subject: ServerProcess, protocol: int) -> None:
        self.oracle = Side(oracle, protocol)
        self.subject = Side(subject, protocol)
        self.sides = (self.oracle, self.subject)
        self.encodings_matter = True

    def close(self) -> None:
        """Close every connection to both."""
        for side in self.sides:
            side.close()

    def reset(self) -> None:
        """Empty both servers and forget all connections."""
        self.close()
        for side in self.sides:
            with side.server.client() as client:
                client.call("FLUSHALL")
        self.encodings_matter = True

    def first_difference(self, steps: Sequence[Step]) -> tuple[int, Difference] | None:
        """Run the steps until the servers part; compare the whole state at the end."""
        for index, step in enumerate(steps):
            if difference := self.run(step):
                return index, difference
        difference = self.compare_states()
        return (len(steps) - 1, difference) if difference else None

    def run(self, step: Step) -> Difference | None:
        """Run one step on both."""
        match step.directive:
            case "@restart" | "@kill":
                self.restart_subject(kill=step.directive == "@kill")
                return None
            case "@reconnect":
                for side in self.sides:
                    side.drop(step.connection)
                return None
            case "@scan":
                expected, actual = (side.scan(step) for side in self.sides)
            case "@vanish":
                return self._vanish(step)
            case _:
                now_ms = int(time.time() * 1000)
                for side in self.sides:
                    side.send(step, now_ms)
                if step.directive == "@noreply":
                    return None
                expected, actual = (side.receive(step) for side in self.sides)
        if isinstance(expected, Marker) and expected.text == SILENCE:
            return Difference(f"{step.text} (a script must not wait for what never comes)", expected, actual)
        name = command_name(step.words)
        if name == "DEBUG|RELOAD":
            self.encodings_matter = False
        if (
            name == "OBJECT|ENCODING"
            and not self.encodings_matter
            and {expected, actual} <= _STRING_ENCODINGS
        ):
            return None
        if not agree(step.words, step.directive, expected, actual):
            return Difference(step.text, expected, actual)
        if name == "RANDOMKEY" and type(actual) is bytes and not self.oracle.call("a", "EXISTS", actual):
            return Difference(step.text, "a key that exists", actual)
        return None

    def restart_subject(self, *, kill: bool) -> None:
        """Stop the subject and start it on the data it left."""
        self.subject.close()
        server = self.subject.server
        if kill:
            server.kill9()
        else:
            code = server.stop()
            assert code == 0, f"exit code {code} after SIGTERM:\n{server.output()}"
        server.start()
        # The oracle's connections start anew too: which database was selected is part of a connection.
        self.oracle.close()
        self.encodings_matter = False

    def _vanish(self, step: Step) -> Difference | None:
        """Let a key expire and wait until neither server has it or counts it."""
        key = step.words[0]
        expected, actual = (side.call(step.connection, "PEXPIRE", key, VANISH_MS) for side in self.sides)
        if repr(expected) != repr(actual):
            return Difference(f"PEXPIRE {step.text}", expected, actual)
        deadline = time.monotonic() + REPLY_SECONDS_MAX
        for side in self.sides:
            while side.call(step.connection, "EXISTS", key):
                if time.monotonic() > deadline:
                    return Difference(
                        step.text, "the key expires", f"it is still there on {side.server.name}"
                    )
        return None

    def compare_states(self) -> Difference | None:
        """Compare every key of every database, its deadline and its digest."""
        for database in range(DATABASES):
            expected, actual = (self._database(side, database) for side in self.sides)
            for key in sorted(expected.keys() | actual.keys()):
                line = f"database {database}, key {key!r}"
                if difference := self._compare_entries(line, expected.get(key), actual.get(key)):
                    return difference
        for words in (("DEBUG", "DIGEST"), ("INFO", "keyspace")):
            expected, actual = (_without_averages(side.call("state", *words)) for side in self.sides)
            if repr(expected) != repr(actual):
                return Difference(" ".join(words), expected, actual)
        return None

    def _database(self, side: Side, database: int) -> dict[bytes, list[Any]]:
        """What a client can see of each key of a database."""
        client = side.client("state")
        client.call("SELECT", database)
        keys = client.scan_all()
        size = client.call("DBSIZE")
        found: dict[bytes, list[Any]] = {b"<DBSIZE>": [size], b"<SCAN>": [len(set(keys))]}
        for batch in _batched(sorted(set(keys)), 500):
            requests = [
                request
                for key in batch
                for request in (
                    ("PEXPIRETIME", key),
                    ("OBJECT", "ENCODING", key),
                    ("TYPE", key),
                    ("DEBUG", "DIGEST-VALUE", key),
                    ("GET", key),
                    (*_GROUPS_OF, key, "FULL", "COUNT", 0),
                )
            ]
            replies = client.pipeline(requests)
            for index, key in enumerate(batch):
                found[key] = replies[index * 6 : index * 6 + 6]
        return found

    def _compare_entries(self, line: str, expected: Any, actual: Any) -> Difference | None:
        if expected is None or actual is None or len(expected) == 1:
            return None if repr(expected) == repr(actual) else Difference(line, expected, actual)
        same_time = repr(expected[0]) == repr(actual[0]) or close_times(expected[0], actual[0], TOLERANCE_MS)
        same_encoding = expected[1] == actual[1] or (
            not self.encodings_matter and {expected[1], actual[1]} <= _STRING_ENCODINGS
        )
        same_groups = agree(_GROUPS_OF, "", expected[5], actual[5])
        if same_time and same_encoding and same_groups and repr(expected[2:5]) == repr(actual[2:5]):
            return None
        return Difference(line, expected, actual)


def _without_averages(reply: Any) -> Any:
    """INFO keyspace without the average times to live, which are estimates."""
    if not isinstance(reply, bytes) or b"avg_ttl" not in reply:
        return reply
    return sorted(line.partition(b",avg_ttl")[0] for line in reply.splitlines())


def _batched(items: list[bytes], size: int) -> list[list[bytes]]:
    return [items[start : start + size] for start in range(0, len(items), size)]


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN_BYTES_MAX else f"{text[:_SHOWN_BYTES_MAX]}… ({len(text)} characters)"


def minimise(pair: Pair, steps: list[Step], replays_max: int = 400, seconds_max: float = 30.0) -> list[Step]:
    """A short sequence out of ``steps`` on which the servers still part, found by leaving steps out."""
    deadline = time.monotonic() + seconds_max
    replays = itertools.count()

    def parts(candidate: list[Step]) -> bool:
        pair.reset()
        return pair.first_difference(candidate) is not None

    size = max(1, len(steps) // 2)
    while True:
        start = 0
        shortened = False
        while start < len(steps):
            if next(replays) >= replays_max or time.monotonic() > deadline:
                return steps
            candidate = steps[:start] + steps[start + size :]
            if candidate and parts(candidate):
                steps, shortened = candidate, True
            else:
                start += size
        if size == 1 and not shortened:
            return steps
        size = max(1, size // 2)
