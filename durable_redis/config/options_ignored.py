"""Knobs of Redis that turn nothing here.

They are taken, kept and shown, so that a redis.conf can be used again and tools find what they read; a file
that sets one to something else than its default gets a warning.  Those of the collection types are here
until code reads them.  Each says why it has no effect.
"""

from __future__ import annotations

import re
from typing import Final

from durable_redis.config.kinds import (
    INT_MAX,
    INT_MIN,
    LONG_MAX,
    PORT_MAX,
    UINT_MAX,
    ULONG_MAX,
    Boolean,
    Enum,
    EnumSet,
    Integer,
    Memory,
    Text,
)
from durable_redis.config.option import Option, State, in_group, in_state
from durable_redis.config.special import OomScores, SavePoints

_TITLE_FIELDS: Final = "title|listen-addr|server-mode|port|tls-port|unixsocket|config-file"
_TITLE: Final = re.compile(rf"(?:[^{{]|\{{(?:{_TITLE_FIELDS})\}})+")
_HOST_NAME: Final = re.compile(r"[A-Za-z0-9.-]*")
_SHUTDOWN_WORDS: Final = ("default", "save", "nosave", "now", "force")
_ON_SIGNAL: Final = EnumSet(
    *_SHUTDOWN_WORDS,
    exclusive=(
        frozenset(("save", "nosave")),
        "shutdown options SAVE and NOSAVE can't be used simultaneously",
    ),
)

NO_SNAPSHOTS: Final = "There are no snapshot files: the log and the backend hold the data."
NO_AOF_FILE: Final = "The log has a format of its own, and old parts of it are dropped, not rewritten."
NO_CLUSTER: Final = "There is no cluster mode."
NO_DEFRAGMENTATION: Final = "Python's allocator is not defragmented."
ALWAYS_LAZY: Final = (
    "Deleting takes the same short time whatever the size, and is swept up in the background."
)
ONE_THREAD: Final = "One thread serves all clients."
SERVICE_MANAGER: Final = "The server stays in the foreground; this belongs to the service manager."
OWN_CHUNKS: Final = "How lists lie in memory and on disk is the server's own affair."
STOPS_CLEANLY: Final = "A stop always finishes what is in flight and brings it to disk."
KEEPS_OWN_PACE: Final = "Background work runs between requests, at its own pace."


def _file_name(option: str, what: str = "filename", *, may_be_empty: bool = False) -> Text:
    """A name without directories."""

    def check(text: str) -> str:
        if not text and not may_be_empty:
            return f"{option} can't be empty"
        return f"{option} can't be a path, just a {what}" if "/" in text else ""

    return Text(check)


def _check_title(text: str) -> str:
    fits = _TITLE.fullmatch(text) and text.replace("{title}", "")  # Redis tries it with an empty title
    return "" if fits else "template format is invalid or contains unknown variables"


def _check_host_name(text: str) -> str:
    if _HOST_NAME.fullmatch(text):
        return ""
    return "Hostnames may only contain alphanumeric characters, hyphens or dots"


SNAPSHOTS_AND_AOF: Final = (
    Option("save", SavePoints(), "3600 1 300 100 60 10000", NO_SNAPSHOTS, silent=True),
    Option(
        "dbfilename",
        _file_name("dbfilename", may_be_empty=True),
        "dump.rdb",
        NO_SNAPSHOTS,
        protected=True,
    ),
    Option("rdbcompression", Boolean(), "yes", NO_SNAPSHOTS),
    Option("rdbchecksum", Boolean(), "yes", NO_SNAPSHOTS, mutable=False),
    Option("rdb-save-incremental-fsync", Boolean(), "yes", NO_SNAPSHOTS),
    Option("rdb-key-save-delay", Integer(INT_MIN, INT_MAX), "0", NO_SNAPSHOTS, hidden=True),
    Option("key-load-delay", Integer(INT_MIN, INT_MAX), "0", NO_SNAPSHOTS, hidden=True),
    Option("sanitize-dump-payload", Enum("no", "yes", "clients"), "no", NO_SNAPSHOTS),
    Option("stop-writes-on-bgsave-error", Boolean(), "yes", "Writes stop when the log fails, and only then."),
    Option("appendfilename", _file_name("appendfilename"), "appendonly.aof", NO_AOF_FILE, mutable=False),
    Option(
        "appenddirname", _file_name("appenddirname", "dirname"), "appendonlydir", NO_AOF_FILE, mutable=False
    ),
    Option("no-appendfsync-on-rewrite", Boolean(), "no", NO_AOF_FILE),
    Option("auto-aof-rewrite-percentage", Integer(0, INT_MAX), "100", NO_AOF_FILE),
    Option("auto-aof-rewrite-min-size", Memory(), "64mb", NO_AOF_FILE),
    Option("aof-load-truncated", Boolean(), "yes", "A torn tail is cut; damage stops the start."),
    Option("aof-use-rdb-preamble", Boolean(), "yes", NO_AOF_FILE),
    Option("aof-timestamp-enabled", Boolean(), "no", "Every frame of the log has its time."),
    Option("aof-rewrite-incremental-fsync", Boolean(), "yes", NO_AOF_FILE),
    Option("aof-disable-auto-gc", Boolean(), "no", NO_AOF_FILE),
)

WORK_AND_MEMORY: Final = (
    Option("hz", Integer(0, INT_MAX, clamp=(1, 500)), "10", KEEPS_OWN_PACE),
    Option("dynamic-hz", Boolean(), "yes", KEEPS_OWN_PACE),
    Option("active-expire-effort", Integer(1, 10), "1", "Expired keys leave by an index, on time."),
    Option("maxmemory-eviction-tenacity", Integer(0, 100), "10", KEEPS_OWN_PACE),
    Option("lfu-log-factor", Integer(0, INT_MAX), "10", "Use is not counted key by key."),
    Option("lfu-decay-time", Integer(0, INT_MAX), "1", "Use is not counted key by key."),
    Option("lazyfree-lazy-eviction", Boolean(), "no", ALWAYS_LAZY),
    Option("lazyfree-lazy-expire", Boolean(), "no", ALWAYS_LAZY),
    Option("lazyfree-lazy-server-del", Boolean(), "no", ALWAYS_LAZY),
    Option("lazyfree-lazy-user-del", Boolean(), "no", ALWAYS_LAZY),
    Option("lazyfree-lazy-user-flush", Boolean(), "no", ALWAYS_LAZY),
    Option("activerehashing", Boolean(), "yes", "The key space is split into parts too small to need it."),
    Option("activedefrag", Boolean(), "no", NO_DEFRAGMENTATION),
    Option("active-defrag-ignore-bytes", Memory(1), "100mb", NO_DEFRAGMENTATION),
    Option("active-defrag-threshold-lower", Integer(0, 1000), "10", NO_DEFRAGMENTATION),
    Option("active-defrag-threshold-upper", Integer(0, 1000), "100", NO_DEFRAGMENTATION),
    Option("active-defrag-cycle-min", Integer(1, 99), "1", NO_DEFRAGMENTATION),
    Option("active-defrag-cycle-max", Integer(1, 99), "25", NO_DEFRAGMENTATION),
    Option("active-defrag-max-scan-fields", Integer(1, LONG_MAX), "1000", NO_DEFRAGMENTATION),
    Option("jemalloc-bg-thread", Boolean(), "yes", NO_DEFRAGMENTATION),
    Option(
        "disable-thp", Boolean(), "yes", "The server never forks, so huge pages do it good.", mutable=False
    ),
    Option(
        "oom-score-adj", Enum("no", "yes", "relative", "absolute"), "no", "The score is the system's to set."
    ),
    Option("oom-score-adj-values", OomScores(), "0 200 800", "The score is the system's to set."),
)

LISTS: Final = (
    Option(
        "list-max-listpack-size",
        Integer(INT_MIN, INT_MAX),
        "-2",
        OWN_CHUNKS,
        aliases=("list-max-ziplist-size",),
    ),
    Option("list-compress-depth", Integer(0, INT_MAX), "0", OWN_CHUNKS),
)

PROCESS: Final = (
    Option("daemonize", Boolean(), "no", SERVICE_MANAGER, mutable=False),
    Option("pidfile", Text(), "", SERVICE_MANAGER, mutable=False),
    Option("supervised", Enum("upstart", "systemd", "auto", "no"), "no", SERVICE_MANAGER, mutable=False),
    Option("syslog-enabled", Boolean(), "no", SERVICE_MANAGER, mutable=False),
    Option("syslog-ident", Text(), "redis", SERVICE_MANAGER, mutable=False),
    Option(
        "syslog-facility",
        Enum("user", *(f"local{number}" for number in range(8))),
        "local0",
        SERVICE_MANAGER,
        mutable=False,
    ),
    Option("set-proc-title", Boolean(), "yes", SERVICE_MANAGER, mutable=False),
    Option("proc-title-template", Text(_check_title), "{title} {listen-addr} {server-mode}", SERVICE_MANAGER),
    Option("always-show-logo", Boolean(), "no", "There is no logo.", mutable=False),
    Option("crash-log-enabled", Boolean(), "yes", "Python reports a crash by itself."),
    Option("crash-memcheck-enabled", Boolean(), "yes", "Python reports a crash by itself."),
    Option("ignore-warnings", Text(), "", "There are no warnings that stop a start."),
    Option("shutdown-timeout", Integer(0, INT_MAX), "10", STOPS_CLEANLY),
    Option("shutdown-on-sigint", _ON_SIGNAL, "default", STOPS_CLEANLY),
    Option("shutdown-on-sigterm", _ON_SIGNAL, "default", STOPS_CLEANLY),
    Option("io-threads", Integer(1, 128), "1", ONE_THREAD, mutable=False),
    Option("io-threads-do-reads", Boolean(), "no", ONE_THREAD, mutable=False),
    Option("server_cpulist", Text(), "", ONE_THREAD, mutable=False),
    Option("bio_cpulist", Text(), "", ONE_THREAD, mutable=False),
    Option("aof_rewrite_cpulist", Text(), "", ONE_THREAD, mutable=False),
    Option("bgsave_cpulist", Text(), "", ONE_THREAD, mutable=False),
    Option("enable-module-command", Enum("no", "yes", "local"), "no", "There are no modules.", mutable=False),
    Option("bind-source-addr", Text(), "", "The server opens no connections of its own."),
    Option("socket-mark-id", Integer(0, UINT_MAX), "0", "Sockets are not marked.", mutable=False),
)

CLUSTER: Final = (
    Option("cluster-config-file", Text(), "nodes.conf", NO_CLUSTER, mutable=False),
    Option("cluster-port", Integer(0, PORT_MAX), "0", NO_CLUSTER, mutable=False),
    Option("cluster-node-timeout", Integer(0, LONG_MAX), "15000", NO_CLUSTER),
    Option("cluster-migration-barrier", Integer(0, INT_MAX), "1", NO_CLUSTER),
    Option("cluster-link-sendbuf-limit", Memory(0, ULONG_MAX), "0", NO_CLUSTER),
    Option("cluster-announce-ip", Text(), "", NO_CLUSTER),
    Option("cluster-announce-hostname", Text(_check_host_name), "", NO_CLUSTER),
    Option("cluster-announce-port", Integer(0, PORT_MAX), "0", NO_CLUSTER),
    Option("cluster-announce-tls-port", Integer(0, PORT_MAX), "0", NO_CLUSTER),
    Option("cluster-announce-bus-port", Integer(0, PORT_MAX), "0", NO_CLUSTER),
    Option("cluster-preferred-endpoint-type", Enum("ip", "hostname", "unknown-endpoint"), "ip", NO_CLUSTER),
    Option("cluster-require-full-coverage", Boolean(), "yes", NO_CLUSTER),
    Option("cluster-allow-reads-when-down", Boolean(), "no", NO_CLUSTER),
    Option("cluster-allow-pubsubshard-when-down", Boolean(), "yes", NO_CLUSTER),
    Option("cluster-allow-replica-migration", Boolean(), "yes", NO_CLUSTER),
    Option(
        "cluster-replica-no-failover", Boolean(), "no", NO_CLUSTER, aliases=("cluster-slave-no-failover",)
    ),
    Option(
        "cluster-replica-validity-factor",
        Integer(0, INT_MAX),
        "10",
        NO_CLUSTER,
        aliases=("cluster-slave-validity-factor",),
    ),
)

IGNORED: Final = in_group(
    "without effect",
    *in_state(State.IGNORED, *SNAPSHOTS_AND_AOF, *WORK_AND_MEMORY, *LISTS, *PROCESS, *CLUSTER),
)
