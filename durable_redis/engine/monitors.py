"""Clients in MONITOR, who see each command that the others send.

A line has the time to the microsecond, the database and the client's address, and the words in quotes.  It
goes to the monitors' ``out`` when the command has been executed, as in Redis; ``net`` sends what has been
pushed when the batch ends.  Administrative commands are not shown (``HIDDEN``), nor are passwords.

While there is a monitor nobody uses the hot path, so every command comes by here.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from durable_redis.commands.session import REPLY_ON, Client
from durable_redis.commands.table import Flag
from durable_redis.errors import ReplyError

SCRIPT_SOURCE: Final = "lua"  # what stands in the place of an address when a script calls
HIDDEN: Final = Flag.SKIP_MONITOR | Flag.ADMIN
_TOUCHES_KEYS: Final = Flag.WRITE | Flag.READONLY | Flag.MAY_REPLICATE
_ESCAPES: Final = {
    7: b"\\a",
    8: b"\\b",
    9: b"\\t",
    10: b"\\n",
    13: b"\\r",
    34: b'\\"',
    92: b"\\\\",
}
_PIECES: Final = [
    _ESCAPES.get(byte) or (bytes((byte,)) if 32 <= byte < 127 else b"\\x%02x" % byte) for byte in range(256)
]


class Monitors:
    """The monitoring clients; ``pushed`` takes those who were sent something."""

    def __init__(self, pushed: set[Client]) -> None:
        self.clients: dict[int, Client] = {}
        self._pushed = pushed

    def add(self, client: Client) -> None:
        """From now on the client sees everything."""
        client.is_monitor = True
        self.clients[client.id] = client

    def remove(self, client: Client) -> None:
        """The client sees no more; nothing if it did not."""
        client.is_monitor = False
        self.clients.pop(client.id, None)

    def show(self, argv: list[bytes], db: int, source: str, now_us: int) -> None:
        """Show a command, without its secrets, to all of them."""
        line = monitor_line(argv, db, source, now_us)
        for client in self.clients.values():
            if client.reply_mode == REPLY_ON:
                client.push(line)
        self._pushed.update(self.clients.values())


def check_monitor(flags: Flag) -> None:
    """Raise if a client in MONITOR may not execute a command: like a replica, it leaves keys alone."""
    if flags & _TOUCHES_KEYS:
        raise ReplyError("ERR Replica can't interact with the keyspace")


def monitor_line(argv: Iterable[bytes], db: int, source: str, now_us: int) -> bytes:
    """The line for one command, as a status reply."""
    seconds, microseconds = divmod(now_us, 1_000_000)
    words = b" ".join(quoted(word) for word in argv)
    origin = source.encode("utf-8", "surrogateescape")
    return b"+%d.%06d [%d %b] %b\r\n" % (seconds, microseconds, db, origin, words)


def quoted(word: bytes) -> bytes:
    """A word in double quotes, with escapes for what is not printable ASCII."""
    pieces = _PIECES
    return b'"%b"' % b"".join([pieces[byte] for byte in word])
