"""Key extraction, compared with COMMAND GETKEYSANDFLAGS of redis-server, on sense and on nonsense."""

from __future__ import annotations

import random

import pytest

from durable_redis.commands.keys import command_keys, has_keys
from durable_redis.commands.table import MOVABLEKEYS, NO_FLAGS, Command, KeySpec, key_spec
from durable_redis.errors import ReplyError
from durable_redis.resp.replies import SetReply
from tests.support.oracle_commands import Oracle, commands_of, with_subcommands

LINES = [
    "get a",
    "mget a b c",
    "mset a 1 b 2",
    "set a 1",
    "set a 1 EX 10 get",
    "setex get 1 x",
    "bitop AND d a b",
    "bitfield a",
    "bitfield a GET u8 0 overflow sat GET u8 1",
    "bitfield a GET u8 0 SET u8 0 1",
    "bitfield a GET u8",
    "lcs a b LEN",
    "object encoding a",
    "memory usage a SAMPLES 5",
    "sort a BY w* LIMIT 0 5 GET # GET o* ASC ALPHA STORE d",
    "sort a STORE x STORE y",
    "sort a BY store STORE y",
    "sort a STORE",
    "sort_ro a BY w* GET store",
    "migrate h 1 a 0 9",
    "migrate h 1 a 0 9 COPY AUTH keys",
    "migrate h 1 a 0 9 KEYS b",
    "eval s 2 a b c",
    "eval s 0",
    "eval s 3 a b",
    "fcall f x a",
    "zunion 2 a b WEIGHTS 1 2",
    "zunionstore d 2 a b",
    "zunionstore d 3 a b",
    "zunionstore d 02 a b c",
    "zunionstore d 3x a b",
    "eval s +1 a b",
    "eval s 0000000000000001x a b",
    "eval s x1 a b",
    "lmpop 2 a b LEFT",
    "lmpop 02 a b LEFT",
    "blmpop 0 1 a LEFT COUNT 2",
    "xread COUNT 2 STREAMS a b 0 0",
    "xread COUNT 2 STREAMS a b 0",
    "xreadgroup GROUP g c STREAMS a >",
    "xread COUNT 2 BLOCK 0",
    "georadius a 1 2 3 km STORE d",
    "georadius a 1 2 3 km STOREDIST d STORE e",
    "georadius a 1 2 3 km STORE",
    "blpop a b 0",
    "rename a b",
    "client id",
    "ping x",
    "spublish channel message",
]
WORDS = b"a b c 0 1 2 3 5 -1 STORE storedist STREAMS GET SET INCRBY OVERFLOW LIMIT BY KEYS COPY AUTH 01 +1 2x"


def compare(oracle: Oracle, lines: list[list[bytes]]) -> None:
    table = with_subcommands(commands_of(oracle))
    replies = oracle.call_many([[b"COMMAND", b"GETKEYSANDFLAGS", *words] for words in lines])
    for words, theirs in zip(lines, replies, strict=True):
        found = table[words[0].decode().upper()]
        if found.subcommands:
            found = found.subcommands[words[1].decode().upper()]
        ours = [[words[position], set(flags)] for position, flags in command_keys(found, words)]
        if isinstance(theirs, ReplyError):
            expected = "Invalid arguments" if has_keys(found) else "The command has no key arguments"
            assert str(theirs).startswith(f"ERR {expected}"), words
            assert ours == [], words
        else:
            assert all(isinstance(flags, SetReply) for _, flags in theirs)
            assert ours == [[key, set(flags)] for key, flags in theirs], words


def test_command_lines_that_clients_send(oracle: Oracle) -> None:
    compare(oracle, [line.encode().split() for line in LINES])


def test_a_migrate_of_many_keys_names_none_where_the_one_key_stands(oracle: Oracle) -> None:
    compare(oracle, [[b"migrate", b"h", b"1", b"", b"0", b"9", b"KEYS", b"a", b"b"]])


@pytest.mark.parametrize("seed", range(3))
def test_random_words(oracle: Oracle, seed: int) -> None:
    generator = random.Random(seed)
    table = with_subcommands(commands_of(oracle))
    # Sorted, since redis-server lists its commands in another order after every start.
    movable = sorted(name for name, found in table.items() if MOVABLEKEYS in found.flags)
    movable += ["SET", "BITFIELD"]
    keyed = sorted(name for name, found in table.items() if found.keys)
    lines = []
    for number in range(2000):
        found = table[generator.choice(movable if number % 2 else keyed)]
        words = found.name.encode().split(b"|")
        length = found.arity if found.arity > 0 else -found.arity + generator.randrange(7)
        words += [generator.choice(WORDS.split()) for _ in range(max(length, 2) - len(words))]
        lines.append(words)
    compare(oracle, lines)


def declared(*specs: KeySpec) -> Command:
    return Command("TEST", -1, NO_FLAGS, None, specs)


def test_keys_and_flags_follow_the_order_of_the_specifications() -> None:
    found = declared(key_spec("OW", first=2), key_spec("RO", "access", first=3, last=-1, step=2))
    words = [b"test", b"x", b"d", b"a", b"-", b"b"]
    assert command_keys(found, words) == [(2, ("OW",)), (3, ("RO", "access")), (5, ("RO", "access"))]


def test_one_specification_that_does_not_fit_takes_all_keys_away() -> None:
    found = declared(key_spec("OW", first=1), key_spec("RO", first=2))
    assert command_keys(found, [b"test", b"a"]) == []


def test_a_channel_is_no_key() -> None:
    found = declared(key_spec("not_key"))
    assert command_keys(found, [b"test", b"channel"]) == []
    assert not has_keys(found)


@pytest.mark.parametrize("count", [b"-1", b"0", b"3", b"x", b"", b"x1", b"99999999999999999999999", b"\xb2"])
def test_a_number_of_keys_that_cannot_be_gives_none(count: bytes) -> None:
    found = declared(KeySpec(("RO",), ("index", 1), ("keynum", 0, 1, 1)))
    assert command_keys(found, [b"test", count, b"a", b"b"]) == []
    assert command_keys(found, [b"test", b"2", b"a", b"b"]) == [(2, ("RO",)), (3, ("RO",))]
