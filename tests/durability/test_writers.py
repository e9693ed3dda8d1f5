"""The judge of the durability suites has to notice what they look for: loss, halves, strangers.

It also has to know what each write leaves behind, so it is compared with redis-server, write by write.
"""

from __future__ import annotations

import random

import pytest

from tests.support.client import ErrorReply
from tests.support.servers import OracleServer
from tests.support.writer_collections import KINDS, change, read_contents
from tests.support.writers import Entry, Writer

WRITES = 1500


@pytest.fixture
def writer() -> Writer:
    made = Writer(0, seed=1)
    while made.sent < 500:
        made._next_request()
    return made


def outcome(writer: Writer, length: int) -> dict[bytes, Entry]:
    """The data after the first ``length`` operations."""
    entries = dict(writer.base)
    for operation in writer.operations[:length]:
        entries |= operation.outcome
    return {key: entry for key, entry in entries.items() if entry is not None}


@pytest.mark.parametrize("length", [0, 1, 2, 250, 499, 500])
def test_a_prefix_is_recognised(writer: Writer, length: int) -> None:
    assert length in writer.surviving_prefix(outcome(writer, length))


def test_a_shorter_prefix_is_not_taken_for_the_whole(writer: Writer) -> None:
    assert writer.surviving_prefix(outcome(writer, 300)).stop - 1 < 400


def test_a_missing_operation_in_the_middle_is_noticed(writer: Writer) -> None:
    data = outcome(writer, 500)
    last_set = next(o for o in reversed(writer.operations) if o.words[0] == "MSET" and len(o.outcome) > 1)
    key = next(key for key in last_set.outcome if data.get(key) == last_set.outcome[key])
    del data[key]
    with pytest.raises(AssertionError, match="no prefix"):
        writer.surviving_prefix(data)


def test_a_key_that_was_never_written_is_noticed(writer: Writer) -> None:
    with pytest.raises(AssertionError, match="no prefix"):
        writer.surviving_prefix({**outcome(writer, 500), b"w0:v:999": (b"x", -1)})


def test_a_wrong_deadline_is_noticed(writer: Writer) -> None:
    data = outcome(writer, 500)
    key = next(key for key, entry in data.items() if entry is not None and entry[1] > 0)
    data[key] = (data[key] or (b"", 0))[0], 12345
    with pytest.raises(AssertionError, match="no prefix"):
        writer.surviving_prefix(data)


@pytest.mark.differential
@pytest.mark.parametrize("kind", KINDS)
def test_what_a_collection_should_hold_is_what_redis_holds(kind: bytes, oracle: OracleServer) -> None:
    rng = random.Random(kind)
    content: bytes | None = None
    with oracle.client() as client:
        for number in range(WRITES):
            words, content = change(kind, b"key", content or b"", b"v%d" % number, rng)
            reply = client.call(*words)
            assert not isinstance(reply, ErrorReply), (words, reply.text)
            found = read_contents(client, [b"key"])[0] if client.call("EXISTS", "key") else None
            assert found == content, f"after {words}"
            if rng.random() < 0.005:
                client.call("DEL", "key")
                content = None
