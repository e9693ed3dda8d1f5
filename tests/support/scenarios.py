"""Scenarios of several clients that are sent messages, played on one server as text that can be compared.

A line is ``client: command``: everything follows in the text that has come to this client and to the others.
``client~ command`` is the same with arrays sorted, ``client! command`` leaves the client's own part out.
``client> command`` is only sent, and the client is left alone until ``client< n`` reads the next ``n`` things
that come to it.  ``client=3`` opens a connection in RESP3.

What has come is found with an ECHO where the connection can do that: whatever stands in front of the echo is
there.  A RESP2 client that is subscribed gets a PING with a word instead; of one in MULTI just the reply is
read.  ``{a}`` in a command is a client's
number.
"""

from __future__ import annotations

import itertools
import shlex
import time
from typing import Any

from tests.support.client import Client
from tests.support.servers import ServerProcess

REPLY_SECONDS_MAX = 1.0
SETTLE_SECONDS_MAX = 5.0
SETTLED_SECONDS = 0.03


class Stage:
    """The clients of one scenario on one server."""

    def __init__(self, server: ServerProcess) -> None:
        self._server = server
        self.clients: dict[str, Client] = {}
        self.numbers: dict[str, int] = {}
        self.alone: set[str] = set()  # closed, or waiting for something
        self.queueing: set[str] = set()  # in MULTI: a mark would be queued
        self._marks = itertools.count(1)

    def client(self, name: str, protocol: int = 2) -> Client:
        """The connection called ``name``, opened when it is first used."""
        if name not in self.clients:
            client = self._server.client(REPLY_SECONDS_MAX)
            if protocol == 3:
                client.call("HELLO", 3)
            self.numbers[name] = client.call("CLIENT", "ID")
            self.clients[name] = client
        return self.clients[name]

    def come(self, name: str) -> list[Any]:
        """What has come to a client that does not wait for anything.

        Some things are sent at the end of a turn of the server's loop, so one mark is not enough.
        """
        client = self.clients[name]
        found: list[Any] = []
        try:
            for _ in range(2):
                mark = b"mark %d" % next(self._marks)
                client.send("PING", mark)
                while (reply := client.read_reply()) not in (mark, [b"pong", mark]):
                    found.append(self._named(reply))
        except ConnectionError:
            self.alone.add(name)
            found.append("closed")
        return found

    def queued(self, name: str, verb: str) -> list[Any]:
        """The reply to a command that begins a transaction, is queued in one, or ends it; none to others."""
        if verb != "MULTI" and name not in self.queueing:
            return []
        reply = self.clients[name].read_reply()
        if verb == "MULTI" and reply == b"OK":
            self.queueing.add(name)
        elif verb == "EXEC" or reply in (b"OK", b"RESET"):
            self.queueing.discard(name)
        return [reply]

    def _named(self, reply: Any) -> Any:
        """A reply that tells a client's number, with its name instead."""
        if isinstance(reply, list) and (b"redirect" in reply or b"tracking-redir-broken" in reply):
            names = {number: name for name, number in self.numbers.items()}
            return [names.get(part, part) if type(part) is int else part for part in reply]
        return reply

    def settle(self) -> None:
        """Return when the number of clients that wait has not changed for a moment."""
        last, since = b"", time.monotonic()
        with self._server.client() as control:
            while time.monotonic() - since < SETTLED_SECONDS:
                fields = control.call("INFO", "clients").split(b"\r\n")
                waiting = next(field for field in fields if field.startswith(b"blocked_clients"))
                if waiting != last:
                    last, since = waiting, time.monotonic()

    def close(self) -> None:
        """Close all connections and wait until the server knows."""
        for client in self.clients.values():
            client.close()
        deadline = time.monotonic() + SETTLE_SECONDS_MAX
        with self._server.client() as control:
            while b"connected_clients:1\r" not in control.call("INFO", "clients"):
                assert time.monotonic() < deadline, "connections stay"


def play(server: ServerProcess, scenario: str, protocol: int = 2) -> list[str]:
    """What the clients of a scenario see, line by line; connections speak ``protocol`` unless they say."""
    stage = Stage(server)
    seen: list[str] = []
    with server.client() as control:
        control.call("FLUSHALL")
    try:
        for line in filter(None, map(str.strip, scenario.splitlines())):
            name, mark, rest = line[0], line[1], line[2:].strip()
            if mark == "=":
                stage.client(name, int(rest))
                continue
            client = stage.client(name, protocol)
            words = [word.format(**stage.numbers) for word in shlex.split(rest)]
            if mark == "<":
                seen += [f"{name} < {client.read_reply()!r}" for _ in range(int(rest))]
                stage.alone.discard(name)
                continue
            client.send(*words)
            if mark == ">":
                stage.alone.add(name)
                stage.settle()
                continue
            first = stage.queued(name, words[0].upper())
            for other in [name, *sorted(stage.clients.keys() - {name})]:
                if other in stage.alone:
                    continue
                come = first if other == name else []
                if other not in stage.queueing:
                    come = come + stage.come(other)
                if mark == "~":
                    come = [sorted(reply) if isinstance(reply, list) else reply for reply in come]
                if (come or other == name) and not (mark == "!" and other == name):
                    seen.append(f"{line} -> {other}: {come!r}")
    finally:
        stage.close()
    return seen
