"""Connection and server commands, as far as their replies can be compared.

Nothing here is mangled: a random argument to CLIENT, DEBUG or CONFIG can stall or stop a server.
"""

from __future__ import annotations

from typing import Final

from tests.differential.generators.source import Source, Word
from tests.support.script import Step, step

_CLIENT: Final = (
    "CLIENT",
    "CLIENT ID",
    "CLIENT ID x",
    "CLIENT GETNAME",
    "CLIENT GETNAME x",
    "CLIENT SETNAME tester",
    "CLIENT SETNAME a:b",
    "CLIENT SETNAME",
    "CLIENT NO-EVICT on",
    "CLIENT NO-EVICT OFF",
    "CLIENT NO-EVICT maybe",
    "CLIENT REPLY ON",
    "CLIENT REPLY sometimes",
    "CLIENT KILL",
    "CLIENT KILL 1.2.3.4:5",
    "CLIENT KILL ID 99999999",
    "CLIENT KILL ID 0",
    "CLIENT KILL ID abc",
    "CLIENT KILL TYPE bogus",
    "CLIENT KILL ADDR 1.2.3.4:5",
    "CLIENT KILL SKIPME maybe",
    "CLIENT KILL BOGUS 1",
    "CLIENT KILL USER nobody",
    "CLIENT PAUSE abc",
    "CLIENT PAUSE -1",
    "CLIENT PAUSE 0 bogus",
    "CLIENT PAUSE",
    "CLIENT UNPAUSE",
    "CLIENT UNBLOCK 99999999",
    "CLIENT UNBLOCK abc",
    "CLIENT UNBLOCK 1 BOGUS",
    "CLIENT LIST TYPE bogus",
    "CLIENT LIST ID abc",
    "CLIENT LIST BOGUS",
    "CLIENT INFO",
    "CLIENT BOGUS",
    "CLIENT HELP",
)
_COMMAND: Final = (
    "COMMAND GETKEYS GET a",
    "COMMAND GETKEYS MSET a 1 b 2",
    "COMMAND GETKEYS BITOP AND d a b",
    "COMMAND GETKEYS PING",
    "COMMAND GETKEYS NOSUCH a",
    "COMMAND GETKEYS GET",
    "COMMAND GETKEYS",
    "COMMAND GETKEYSANDFLAGS SET a 1 GET",
    "COMMAND GETKEYSANDFLAGS BITFIELD a GET u8 0",
    "COMMAND INFO nosuch",
    "COMMAND DOCS nosuch",
    "COMMAND LIST FILTERBY BOGUS x",
    "COMMAND LIST FILTERBY PATTERN getr*",
    "COMMAND LIST BOGUS",
    "COMMAND BOGUS",
    "COMMAND COUNT x",
)
_CONFIG: Final = (
    "CONFIG",
    "CONFIG GET",
    "CONFIG GET nosuch",
    "CONFIG SET nosuch 1",
    "CONFIG SET",
    "CONFIG SET timeout",
    "CONFIG SET timeout abc",
    "CONFIG SET timeout 0 timeout 0",
    "CONFIG SET appendfsync maybe",
    "CONFIG SET maxmemory-policy bogus",
    "CONFIG SET databases 3",
    "CONFIG RESETSTAT x",
    "CONFIG RESETSTAT",
    "CONFIG BOGUS",
    "CONFIG HELP",
)
_OTHER: Final = (
    "DEBUG SLEEP 0",
    "DEBUG SLEEP",
    "DEBUG BOGUS",
    "DEBUG",
    "DEBUG SET-ACTIVE-EXPIRE 1",
    "DEBUG DIGEST",
    "DEBUG DIGEST-VALUE k0 k1 nosuch",
    "DEBUG OBJECT nosuch",
    "MEMORY USAGE k0",
    "MEMORY USAGE nosuch",
    "MEMORY USAGE k0 SAMPLES abc",
    "MEMORY USAGE k0 BOGUS 1",
    "MEMORY",
    "MEMORY BOGUS",
    "OBJECT HELP",
    "OBJECT",
    "TIME",
    "TIME x",
    "LASTSAVE",
    "LOLWUT",
    "INFO server",
    "INFO nosuch",
    "DBSIZE x",
    "DBSIZE",
    "SWAPDB 0",
    "SELECT",
    "PING",
    "PING hello",
    "PING a b",
    "ECHO hello",
    "ECHO",
    "ECHO a b",
    "NOSUCH",
    "NOSUCH a b c",
    "HELLO 4",
    "HELLO abc",
    "HELLO 2",
    "HELLO 3",
    "HELLO",
    "HELLO 3 SETNAME me",
    "HELLO 3 AUTH default",
    "HELLO 3 AUTH nobody secret",
    "HELLO 3 BOGUS",
    "AUTH a",
    "AUTH default a",
    "AUTH nobody b",
    "AUTH",
    "AUTH a b c",
)
_GROUPS: Final = (_CLIENT, _COMMAND, _CONFIG, _OTHER)


def generate(source: Source) -> Step:
    """One connection or server command."""
    if source.chance(0.15):
        return step("SET", source.key(), source.value())
    if source.chance(0.1):
        return step(source.pick("PING", "ECHO"), source.value())
    line = source.random.choice(source.random.choice(_GROUPS))
    words: list[Word] = list(line.split())
    if source.chance(0.2):
        words[0] = line.split()[0].lower()
    return step(*words)
