"""What the monitors of a server see of a scenario, so that two servers can be compared.

A line is ``client: command`` as in ``scenarios.py``; ``client=3`` opens a connection in RESP3.  Times are
taken out of what the monitor sees, and addresses become the names of the clients.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable
from typing import Any

from tests.support.client import Client
from tests.support.servers import ServerProcess

SCRIPTS = """
        a: EVAL "return redis.call('set', KEYS[1], ARGV[1])" 1 k v
        a: EVAL "return redis.pcall('incr', 'k', 'k')" 0
        a: EVAL "return redis.pcall('incr', 'k')" 0
        a: EVAL "return redis.call('incr', 'k')" 0
        a: EVAL "redis.call('select', 3) redis.call('get', 'k') return redis.call('ping')" 0
        a: EVAL "this is no Lua" 0
        a: EVAL "return 1" 2 k
        a: EVAL_RO "return redis.call('get', KEYS[1])" 1 k
        a: EVALSHA ffffffffffffffffffffffffffffffffffffffff 0
        a: SCRIPT LOAD "return redis.call('get', 'k')"
        a: EVALSHA 4a2267357833227dd98abdedb8cf24b15a986445 0
        a: FUNCTION FLUSH
        a: FUNCTION LOAD "#!lua name=lib\\nredis.register_function('f', function() return 1 end)"
        a: FCALL f 0
        a: FCALL nosuch 0
        a: FUNCTION FLUSH
        a: MULTI
        a: EVAL "return redis.call('set', 'k', 'w')" 0
        a: GET k
        a: EXEC
    """
"""A scenario of scripts and functions, right and wrong ones, also in a transaction."""

_TIME = re.compile(rb"^[0-9]{10}\.[0-9]{6} ")
_END = b"the end of it"


def address_of(client: Client) -> str:
    """The address by which the server knows a connection."""
    host, port = client.socket.getsockname()[:2]
    return f"{host}:{port}"


def calls(server: ServerProcess, protocol: int, setup: Iterable[str], lines: Iterable[str]) -> list[str]:
    """The replies of one connection to ``lines``, after what ``setup`` says; words stand apart by spaces."""
    with server.client() as client:
        client.call("HELLO", protocol)
        for line in setup:
            client.call(*line.split())
        return [repr(client.call(*line.split())) for line in lines]


class Cast:
    """The clients of one scenario on one server, by name."""

    def __init__(self, server: ServerProcess, protocol: int) -> None:
        self._server = server
        self._protocol = protocol
        self.clients: dict[str, Client] = {}
        self.names: dict[str, str] = {}  # by address

    def client(self, name: str, protocol: int = 0) -> Client:
        """The connection called ``name``, opened when it is first used."""
        if name not in self.clients:
            client = self.clients[name] = self._server.client()
            self.names[address_of(client)] = name
            if (protocol or self._protocol) == 3:
                client.call("HELLO", 3)
        return self.clients[name]

    def perform(self, scenario: str) -> list[Any]:
        """Execute the lines, with newlines for ``\\n``; the replies."""
        replies: list[Any] = []
        for line in filter(None, map(str.strip, scenario.splitlines())):
            name, mark, rest = line[0], line[1], line[2:].strip()
            if mark == "=":
                self.client(name, int(rest))
            else:
                words = [word.replace("\\n", "\n") for word in shlex.split(rest)]
                replies.append(self.client(name).call(*words))
        return replies

    def close(self) -> None:
        """Close all connections."""
        for client in self.clients.values():
            client.close()


def watched(server: ServerProcess, scenario: str, protocol: int = 2) -> list[bytes]:
    """What a monitor sees while the clients of a scenario are at work."""
    cast = Cast(server, protocol)
    with server.client() as monitor:
        if protocol == 3:
            monitor.call("HELLO", 3)
        assert monitor.call("MONITOR") == b"OK"
        try:
            cast.perform(scenario)
            cast.client("z").call("ECHO", _END)
        finally:
            cast.close()
        seen: list[bytes] = []
        while not (line := monitor.read_reply()).endswith(b'"ECHO" "%b"' % _END):
            plain, times = _TIME.subn(b"", line)
            assert times == 1, line
            for address, name in cast.names.items():
                plain = plain.replace(address.encode(), name.encode())
            seen.append(plain)
    return seen
