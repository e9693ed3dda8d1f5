"""Options of the data: where it lies, when a write counts as done, how much memory and disk it may take."""

from __future__ import annotations

from typing import Final

from durable_redis.config.kinds import (
    INT_MAX,
    LONG_MAX,
    ULONG_MAX,
    Boolean,
    Directory,
    Enum,
    Integer,
    Memory,
)
from durable_redis.config.option import Option, State, in_group

MIB: Final = 1 << 20
GIB: Final = 1 << 30

DATA: Final = in_group(
    "data directory",
    Option(
        "dir",
        Directory(),
        "./",
        "Directory of all data; it is made if it does not exist. Only one server can use it at a time. A "
        "path that is not absolute starts where the server was started.",
        live=False,
        protected=True,
        always_written=True,
    ),
    Option(
        "databases",
        Integer(1, INT_MAX),
        "16",
        "Number of databases, chosen by clients with SELECT; they are numbered from 0.",
        mutable=False,
    ),
    Option(
        "backend",
        Enum("leveldb", "lmdb"),
        "leveldb",
        "The engine that keeps the data on disk, chosen when a data directory is made and fixed from then "
        "on. 'leveldb' is the choice for many writes; 'lmdb' reads faster.",
        mutable=False,
    ),
)

DURABILITY: Final = in_group(
    "durability",
    Option(
        "appendonly",
        Boolean(),
        "yes",
        "The log of writes is what makes this server durable: it cannot be switched off.",
        state=State.FIXED,
        why="the log cannot be switched off; see option 'appendfsync'",
    ),
    Option(
        "appendfsync",
        Enum("everysec", "always", "no"),
        "always",
        "When a write is forced to disk. 'always': before it is answered, and before any reader sees it, "
        "so that nothing acknowledged is ever lost (writes of many clients share one fsync). 'everysec': "
        "once a second; a crash of the machine may cost about the last second. 'no': whenever the system "
        "likes. A crash of the server alone costs nothing in any mode. Redis's default is 'everysec'.",
    ),
    Option(
        "wal-sync-mode",
        Enum("auto", "inline", "thread"),
        "auto",
        "How 'appendfsync always' waits for the disk. 'inline': the server stops for the duration of a "
        "sync, which serves most clients with one sync and is best on fast disks. 'thread': others are "
        "served meanwhile, which is best on slow disks. 'auto' measures the disk and chooses.",
    ),
    Option(
        "wal-segment-size",
        Memory(MIB, GIB),
        "64mb",
        "Size of one file of the log. Files are prepared ahead and used again, so a few of them exist at "
        "any time.",
        mutable=False,
    ),
    Option(
        "wal-retention-bytes",
        Memory(0, LONG_MAX),
        "0",
        "How much of the log is kept beyond what a restart needs. 0 keeps nothing more.",
    ),
    Option(
        "checkpoint-interval",
        Integer(1, INT_MAX),
        "60",
        "Seconds after which changes that are only in the log are brought into the backend. Checkpoints "
        "bound how long a restart takes; they have no part in durability.",
    ),
    Option(
        "checkpoint-wal-bytes",
        Memory(MIB, LONG_MAX),
        "64mb",
        "Bring changes into the backend when the log has grown by this much, even if 'checkpoint-interval' "
        "has not passed. If the backend falls far behind, writers are slowed down.",
    ),
    Option(
        "disk-reserve",
        Memory(0, LONG_MAX),
        "64mb",
        "With less free space than this on the disk, writes are refused with an error; reading, deleting, "
        "EXPIRE and FLUSH still work. Writes are accepted again when there is space again.",
    ),
)

MEMORY: Final = in_group(
    "memory",
    Option(
        "maxmemory",
        Memory(0, ULONG_MAX),
        "0",
        "Bytes of memory for data. Memory is a cache here: all data is on disk, and what does not fit into "
        "memory is read when it is asked for. So this is no limit for the amount of data, unless "
        "'maxmemory-policy' says otherwise. 0 is automatic: 60 percent of the memory of the machine, or of "
        "the container (cgroup) if that has less.",
    ),
    Option(
        "maxmemory-policy",
        Enum(
            "volatile-lru",
            "volatile-lfu",
            "volatile-random",
            "volatile-ttl",
            "allkeys-lru",
            "allkeys-lfu",
            "allkeys-random",
            "noeviction",
        ),
        "noeviction",
        "What happens when data outgrows 'maxmemory'. 'noeviction': nothing is lost, data merely leaves "
        "memory. Every other policy makes the server a cache as in Redis, if 'maxmemory' is not 0: it "
        "DELETES keys, from the disk too, until the data fits. 'allkeys-*' choose among all keys, "
        "'volatile-*' among those with an expiry: the least recently used (lru), the least often used "
        "(lfu), any (random), or the one that expires first (ttl).",
    ),
    Option(
        "maxmemory-samples",
        Integer(1, INT_MAX),
        "5",
        "How many keys are looked at to find one to evict. More is more exact and slower.",
    ),
    Option(
        "backend-cache",
        Memory(MIB, LONG_MAX),
        "64mb",
        "Memory for LevelDB's own cache of blocks, beside 'maxmemory'. LMDB leaves caching to the system "
        "and does not use it.",
        mutable=False,
    ),
)

_NAMES_ONLY: Final = " It decides what OBJECT ENCODING answers, not how the data lies on disk."

COLLECTIONS: Final = in_group(
    "collections",
    Option(
        "collection-compact-entries",
        Integer(1, 1 << 16),
        "512",
        "A hash, list, set or sorted set with more elements than this has a record on disk for each element "
        "(or for some hundred of them) instead of one for all: it can then be larger than memory, and a "
        "change writes what has changed. It stays so when it becomes smaller.",
    ),
    Option(
        "collection-compact-bytes",
        Memory(64, 1 << 20),
        "16kb",
        "The same by the bytes of all elements of a collection.",
    ),
    Option(
        "hash-max-listpack-entries",
        Integer(0, LONG_MAX),
        "512",
        "Fields up to which Redis would hold a hash as a listpack." + _NAMES_ONLY,
        aliases=("hash-max-ziplist-entries",),
    ),
    Option(
        "hash-max-listpack-value",
        Memory(),
        "64",
        "Bytes of a field or value up to which Redis would hold a hash as a listpack." + _NAMES_ONLY,
        aliases=("hash-max-ziplist-value",),
    ),
    Option(
        "set-max-intset-entries",
        Integer(0, LONG_MAX),
        "512",
        "Members up to which a set of integers comes in numeric order, as an intset does." + _NAMES_ONLY,
    ),
    Option(
        "zset-max-listpack-entries",
        Integer(0, LONG_MAX),
        "128",
        "Members up to which Redis would hold a sorted set as a listpack." + _NAMES_ONLY,
        aliases=("zset-max-ziplist-entries",),
    ),
    Option(
        "zset-max-listpack-value",
        Memory(),
        "64",
        "Bytes of a member up to which Redis would hold a sorted set as a listpack." + _NAMES_ONLY,
        aliases=("zset-max-ziplist-value",),
    ),
    Option(
        "stream-node-max-bytes",
        Memory(),
        "4096",
        "Bytes of entries in one node of a stream; 0 is no limit. Trimming with ~ removes whole nodes.",
    ),
    Option(
        "stream-node-max-entries",
        Integer(0, LONG_MAX),
        "100",
        "Entries in one node of a stream; 0 is no limit. Trimming with ~ removes whole nodes.",
    ),
    Option(
        "hll-sparse-max-bytes",
        Memory(),
        "3000",
        "Bytes up to which a HyperLogLog is kept in its sparse form.",
    ),
)
