"""Keys and records of the backend (``storage/FORMAT.md``, section Backend).

    key record     'K' space(4) place(8) key     ->  crc32c(4) tag(1) [expires_ms(8)] body
    expiry entry   'X' expires_ms(8) space(4) place(8) key  ->  empty
    element        'E' collection(8) 'm' place(6) name  ->  crc32c(4) tag(1) value
    node           'E' collection(8) 't' number(8)  ->  crc32c(4) tag(1) node
    stream node    'E' collection(8) 's' ms(8) seq(8)  ->  crc32c(4) tag(1) stream node
    dead           'D' collection(8)             ->  empty
    library        'F' name                      ->  crc32c(4) tag(1) source
    state          'M' "state"                   ->  JSON

Pure functions.  ``place`` orders keys by cluster slot and then by more hash bits, so it is a SCAN cursor
that holds no state; it stays below 2**62, which every client's integer can hold.  Every record carries a
CRC32C over its key and content, because LMDB has no checksums of its own.
"""

from __future__ import annotations

import json
import struct
from binascii import crc_hqx
from dataclasses import dataclass, field

from google_crc32c import extend, value
from xxhash import xxh3_64_intdigest

from storage.errors import DamagedError, FormatError

PLACE_END = 1 << 62
SLOTS = 16384
HASH_BITS = 48
HASH_MASK = (1 << HASH_BITS) - 1
TYPE_STRING = 1
TYPE_LIST = 2
TYPE_SET = 3
TYPE_ZSET = 4
TYPE_HASH = 5
TYPE_STREAM = 6
TYPE_MASK = 0x1F
TAG_EXPIRES = 0x80
STATE_KEY = b"Mstate"
STATE_FORMAT = 1

_KEY_PREFIX = struct.Struct(">cIQ")
_EXPIRY_PREFIX = struct.Struct(">cQIQ")
_COLLECTION_PREFIX = struct.Struct(">cQ")
_ELEMENT_PREFIX = struct.Struct(">cQcHI")
_NODE_KEY = struct.Struct(">cQcQ")
_STREAM_NODE_KEY = struct.Struct(">cQcQQ")
_CHECKSUM = struct.Struct("<I")
_CHECKSUM_TAG = struct.Struct("<IB")
_CHECKSUM_TAG_EXPIRES = struct.Struct("<IBQ")
KEY_PREFIX_BYTES = _KEY_PREFIX.size
EXPIRY_PREFIX_BYTES = _EXPIRY_PREFIX.size
DAMAGE_HINT = "restore the data directory from a backup or a follower"


def slot_of(key: bytes) -> int:
    """Redis Cluster's slot: CRC16 of the hash tag, or of the whole key if it has none."""
    if 123 in key:  # '{'
        begin = key.find(b"{") + 1
        end = key.find(b"}", begin)
        if end > begin:
            return crc_hqx(key[begin:end], 0) & 16383
    return crc_hqx(key, 0) & 16383


def place_of(key: bytes) -> int:
    """Where the key stands in the order of keys: slot, then 48 bits of XXH3-64."""
    slot = slot_of(key) if 123 in key else crc_hqx(key, 0) & 16383
    return (slot << HASH_BITS) | (xxh3_64_intdigest(key) & HASH_MASK)


def key_record_key(space: int, place: int, key: bytes) -> bytes:
    """The backend key of a key's record."""
    return _KEY_PREFIX.pack(b"K", space, place) + key


def key_range(space: int, first_place: int, end_place: int) -> tuple[bytes, bytes]:
    """Backend keys that enclose the records of a space with first_place <= place < end_place."""
    return _KEY_PREFIX.pack(b"K", space, first_place), _KEY_PREFIX.pack(b"K", space, end_place)


def parse_key_record_key(raw: bytes) -> tuple[int, int, bytes]:
    """Space, place and key of a record's backend key."""
    _, space, place = _KEY_PREFIX.unpack_from(raw)
    return space, place, raw[KEY_PREFIX_BYTES:]


def expiry_key(expires_ms: int, space: int, place: int, key: bytes) -> bytes:
    """The backend key of an expiry index entry."""
    return _EXPIRY_PREFIX.pack(b"X", expires_ms, space, place) + key


def expiry_range(until_ms: int) -> tuple[bytes, bytes]:
    """Backend keys that enclose the expiry entries with expires_ms <= until_ms."""
    return b"X", _EXPIRY_PREFIX.pack(b"X", until_ms + 1, 0, 0)


def parse_expiry_key(raw: bytes) -> tuple[int, int, int, bytes]:
    """Expiry time in ms, space, place and key of an index entry."""
    _, expires_ms, space, place = _EXPIRY_PREFIX.unpack_from(raw)
    return expires_ms, space, place, raw[EXPIRY_PREFIX_BYTES:]


def encode_record(record_key: bytes, kind: int, expires_ms: int, body: bytes | bytearray) -> bytes:
    """A record with its checksum; ``expires_ms`` 0 means that the key does not expire."""
    if type(body) is not bytes:
        body = bytes(body)
    if expires_ms:
        content = _CHECKSUM_TAG_EXPIRES.pack(0, kind | TAG_EXPIRES, expires_ms)[4:] + body
        return _CHECKSUM.pack(extend(value(record_key), content)) + content
    checksum = extend(extend(value(record_key), bytes((kind,))), body)
    return _CHECKSUM_TAG.pack(checksum, kind) + body


def encode_string_record(record_key: bytes, body: bytes) -> bytes:
    """The record of a string that does not expire: what checkpoints mostly consist of, so without detours."""
    content = b"\x01" + body
    return _CHECKSUM.pack(extend(value(record_key), content)) + content


def decode_record(record_key: bytes, raw: bytes) -> tuple[int, int, bytes]:
    """Type, expiry time in ms (0 for none) and body.

    Raises :class:`DamagedError` if the checksum is wrong.
    """
    if len(raw) < 5 or extend(value(record_key), raw[4:]) != int.from_bytes(raw[:4], "little"):
        raise DamagedError(f"the record of key {record_key[KEY_PREFIX_BYTES:]!r} is damaged", DAMAGE_HINT)
    tag = raw[4]
    if tag & TAG_EXPIRES:
        return tag & TYPE_MASK, int.from_bytes(raw[5:13], "little"), raw[13:]
    return tag & TYPE_MASK, 0, raw[5:]


def element_key(collection: int, place: int, name: bytes) -> bytes:
    """The backend key of an element of an expanded hash, set or sorted set; ``place`` has 48 bits."""
    return _ELEMENT_PREFIX.pack(b"E", collection, b"m", place >> 32, place & 0xFFFFFFFF) + name


def element_range(collection: int, first_place: int, end_place: int) -> tuple[bytes, bytes]:
    """Backend keys that enclose the elements with first_place <= place < end_place (at most 2**48)."""
    first = element_key(collection, first_place, b"")
    if end_place >> 48:
        return first, _COLLECTION_PREFIX.pack(b"E", collection) + b"n"
    return first, element_key(collection, end_place, b"")


def node_key(collection: int, node: int) -> bytes:
    """The backend key of a node of an expanded list or sorted set."""
    return _NODE_KEY.pack(b"E", collection, b"t", node)


def stream_node_key(collection: int, ms: int, seq: int) -> bytes:
    """The backend key of a node of an expanded stream, by its first ID."""
    return _STREAM_NODE_KEY.pack(b"E", collection, b"s", ms, seq)


def stream_node_range(collection: int, first: tuple[int, int], last: tuple[int, int]) -> tuple[bytes, bytes]:
    """Backend keys that enclose the nodes of an expanded stream with first <= first ID <= last."""
    return stream_node_key(collection, *first), stream_node_key(collection, *last) + b"\0"


def parse_stream_node_key(raw: bytes) -> tuple[int, int]:
    """The first ID of the node of an expanded stream."""
    _, _, _, ms, seq = _STREAM_NODE_KEY.unpack(raw)
    return ms, seq


def encode_element(backend_key: bytes, content: bytes) -> bytes:
    """The record of a part of an expanded collection, with its checksum and the tag 0."""
    return encode_tagged(backend_key, b"\0" + content)


def encode_tagged(backend_key: bytes, tagged: bytes) -> bytes:
    """The same with the tag before the content."""
    return _CHECKSUM.pack(extend(value(backend_key), tagged)) + tagged


def decode_element(backend_key: bytes, raw: bytes) -> bytes:
    """What :func:`encode_element` was given.  Raises :class:`DamagedError` if the checksum is wrong."""
    return decode_tagged(backend_key, raw)[1:]


def decode_tagged(backend_key: bytes, raw: bytes) -> bytes:
    """What :func:`encode_tagged` was given.  Raises :class:`DamagedError` if the checksum is wrong."""
    tagged = raw[4:]
    if len(raw) < 5 or extend(value(backend_key), tagged) != int.from_bytes(raw[:4], "little"):
        raise DamagedError(f"a part of a collection, {backend_key!r}, is damaged", DAMAGE_HINT)
    return tagged


def collection_range(collection: int) -> tuple[bytes, bytes]:
    """Backend keys that enclose everything that belongs to an expanded collection, its metadata aside."""
    return _COLLECTION_PREFIX.pack(b"E", collection), _COLLECTION_PREFIX.pack(b"E", collection + 1)


def dead_key(collection: int) -> bytes:
    """The backend key that says that a collection is to be swept."""
    return _COLLECTION_PREFIX.pack(b"D", collection)


def parse_dead_key(raw: bytes) -> int:
    """The number of the collection to be swept."""
    return int(_COLLECTION_PREFIX.unpack(raw)[1])


def library_key(name: bytes) -> bytes:
    """The backend key of a library of functions."""
    return b"F" + name


def library_range() -> tuple[bytes, bytes]:
    """Backend keys that enclose all libraries."""
    return b"F", b"G"


@dataclass(slots=True)
class State:
    """What every checkpoint says of itself (JSON under ``STATE_KEY``)."""

    log_id: str
    position: int = 0
    db: int = 0
    time_ms: int = 0
    spaces: list[int] = field(default_factory=list)
    next_space: int = 0
    counts: dict[int, tuple[int, int]] = field(default_factory=dict)
    sweep: list[int] = field(default_factory=list)
    next_collection: int = 1
    moved: dict[int, int] = field(default_factory=dict)

    def encode(self) -> bytes:
        """The value of the state record: CRC32C, then JSON."""
        text = json.dumps(
            {
                "format": STATE_FORMAT,
                "log_id": self.log_id,
                "position": self.position,
                "db": self.db,
                "time_ms": self.time_ms,
                "spaces": self.spaces,
                "next_space": self.next_space,
                "counts": [[space, *counts] for space, counts in self.counts.items()],
                "sweep": self.sweep,
                "next_collection": self.next_collection,
                "moved": list(self.moved.items()),
            },
            separators=(",", ":"),
        ).encode()
        return struct.pack("<I", value(text)) + text

    @classmethod
    def decode(cls, raw: bytes) -> State:
        """Read a state record.

        Raises :class:`DamagedError` or, for another version, :class:`FormatError`.
        """
        if len(raw) < 4 or value(raw[4:]) != int.from_bytes(raw[:4], "little"):
            raise DamagedError("the state record of the backend is damaged", DAMAGE_HINT)
        found = json.loads(raw[4:])
        if found["format"] != STATE_FORMAT:
            raise FormatError(f"the backend has format {found['format']}, this server knows {STATE_FORMAT}")
        return cls(
            found["log_id"],
            found["position"],
            found["db"],
            found["time_ms"],
            found["spaces"],
            found["next_space"],
            {space: (keys, expires) for space, keys, expires in found["counts"]},
            found["sweep"],
            found.get("next_collection", 1),
            dict(found.get("moved", ())),
        )
