"""The digest of values and of the whole data set, equal to Redis's DEBUG DIGEST for equal data.

A digest is 20 bytes.  *Xoring in* some bytes means XOR with their SHA-1, so order does not matter; *mixing
in* also hashes the result, so order matters.  Keys are xored into the whole, the parts of one key are
mixed, databases are mixed by number::

    dataset = for each database that is not empty: mix in its number, then xor in the digest of each key
    key     = mix in its name, then its value
    value   = mix in the type number, then the content; xor in "!!expire!!" if the key expires

Numbers are four bytes, big-endian.  Keys whose time has come do not count.  The walk does not fill the
cache, but it reads everything, so it is for tests.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha1
from typing import Final

from durable_redis.keyspace.database import Database
from durable_redis.keyspace.keyspace import Keyspace
from durable_redis.keyspace.scan import walk_all
from durable_redis.keyspace.shard import shard_number
from durable_redis.objects.entry import Value, expires_of, kind_of
from durable_redis.objects.hash import Hash
from durable_redis.objects.list import List
from durable_redis.objects.set import Set
from durable_redis.objects.sorted_set import SortedSet
from durable_redis.objects.stream import Stream
from durable_redis.objects.string import string_data
from storage.records import TYPE_HASH, TYPE_LIST, TYPE_SET, TYPE_STREAM, TYPE_STRING, TYPE_ZSET

DIGEST_BYTES: Final = 20
_EXPIRES: Final = b"!!expire!!"


def xor_in(digest: int, data: bytes | bytearray) -> int:
    """XOR a digest with the SHA-1 of some bytes."""
    return digest ^ int.from_bytes(sha1(data, usedforsecurity=False).digest())


def mix_in(digest: int, data: bytes | bytearray) -> int:
    """Xor in some bytes and hash the result."""
    mixed = xor_in(digest, data).to_bytes(DIGEST_BYTES)
    return int.from_bytes(sha1(mixed, usedforsecurity=False).digest())


def dataset_digest(keyspace: Keyspace) -> bytes:
    """The digest of all databases, in hexadecimal; zeros if there is no key."""
    digest = 0
    for index in range(keyspace.database_count):
        if keyspace.counts(index)[0] == 0:
            continue
        db = keyspace.database(index)
        digest = mix_in(digest, index.to_bytes(4))
        for seen in walk_all(db):
            value = _value_of(db, seen.key)
            assert value is not None, "the walk showed a key that is not there"
            key_digest = _add_value(mix_in(0, seen.key), value)
            digest = xor_in(digest, key_digest.to_bytes(DIGEST_BYTES))
    return _hex(digest)


def value_digest(value: Value | None) -> bytes:
    """The digest of a value and of whether it expires, in hexadecimal; zeros for None."""
    return _hex(0 if value is None else _add_value(0, value))


def _hex(digest: int) -> bytes:
    return digest.to_bytes(DIGEST_BYTES).hex().encode()


def _add_value(digest: int, value: Value) -> int:
    type_number, add_content = _TYPES[kind_of(value)]
    digest = add_content(mix_in(digest, type_number.to_bytes(4)), value)
    return xor_in(digest, _EXPIRES) if expires_of(value) else digest


def _add_string(digest: int, value: Value) -> int:
    return mix_in(digest, string_data(value))


def _add_list(digest: int, value: Value) -> int:
    assert isinstance(value, List)
    for element in value.slice(0, len(value)):
        digest = mix_in(digest, element)
    return digest


def _add_set(digest: int, value: Value) -> int:
    assert isinstance(value, Set)
    for member in value:
        digest = xor_in(digest, member)
    return digest


def _add_sorted_set(digest: int, value: Value) -> int:
    assert isinstance(value, SortedSet)
    for score, member in value.slice(0, len(value)):
        digest = _xor_in_parts(digest, member, b"%.17g" % score)
    return digest


def _add_hash(digest: int, value: Value) -> int:
    assert isinstance(value, Hash)
    for pair in value.items():
        digest = _xor_in_parts(digest, *pair)
    return digest


def _add_stream(digest: int, value: Value) -> int:
    assert isinstance(value, Stream)
    for entry_id, words in value.range():
        digest = mix_in(digest, b"%d.%d" % entry_id)
        for word in words:
            digest = mix_in(digest, word)
    return digest


def _xor_in_parts(digest: int, first: bytes, second: bytes) -> int:
    """Xor in the digest of two parts that belong together."""
    return xor_in(digest, mix_in(mix_in(0, first), second).to_bytes(DIGEST_BYTES))


_TYPES: Final[dict[int, tuple[int, Callable[[int, Value], int]]]] = {
    TYPE_STRING: (0, _add_string),
    TYPE_LIST: (1, _add_list),
    TYPE_SET: (2, _add_set),
    TYPE_ZSET: (3, _add_sorted_set),
    TYPE_HASH: (4, _add_hash),
    TYPE_STREAM: (6, _add_stream),
}
"""By our type number: Redis's type number, and how the content is added."""


def _value_of(db: Database, key: bytes) -> Value | None:
    """A value without bringing it into the cache."""
    value = db.peek_cached(key)
    return value if value is not None else db._load(db.shards[shard_number(key)], key)
