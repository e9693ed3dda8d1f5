"""Options of the network and of clients:

where the server listens, whom it lets in, and what a client may use.
"""

from __future__ import annotations

from typing import Final

from durable_redis.config.kinds import (
    INT_MAX,
    LONG_MAX,
    PORT_MAX,
    UINT_MAX,
    Boolean,
    Enum,
    Integer,
    Memory,
    MemoryOrPercent,
    Octal,
    Text,
    Words,
)
from durable_redis.config.option import Option, in_group
from durable_redis.config.special import EventClasses, OutputLimits

MIB: Final = 1 << 20
BIND_ADDRESSES_MAX: Final = 16

NETWORK: Final = in_group(
    "network",
    Option(
        "bind",
        Words(BIND_ADDRESSES_MAX, "Too many bind addresses specified."),
        "127.0.0.1 -::1",
        "Addresses to listen on, at most 16. A minus in front lets the server start when the address does "
        "not exist on this machine. '*' is every IPv4 address and '::' every IPv6 address. The default is "
        "the loopback interface only (redis-server without a configuration file listens everywhere): "
        "before opening the server to a network, set 'requirepass'.",
    ),
    Option(
        "port",
        Integer(0, PORT_MAX),
        "6379",
        "TCP port; 0 is for no TCP at all, only 'unixsocket'.",
    ),
    Option(
        "unixsocket",
        Text(),
        "",
        "Path of a Unix socket to listen on, besides TCP. Empty for none. A file that is in its place is "
        "replaced.",
        mutable=False,
    ),
    Option(
        "unixsocketperm",
        Octal(0o777),
        "0",
        "Permissions of the Unix socket in octal, such as 770; 0 leaves what the umask gives.",
        mutable=False,
    ),
    Option(
        "tcp-backlog",
        Integer(0, INT_MAX),
        "511",
        "How many connections may wait to be accepted. The kernel's limit (net.core.somaxconn) applies as "
        "well.",
        mutable=False,
    ),
    Option(
        "tcp-keepalive",
        Integer(0, INT_MAX),
        "300",
        "Seconds of silence after which the kernel asks whether a client's machine still lives; 0 to never "
        "ask. It also keeps firewalls from forgetting idle connections.",
    ),
    Option(
        "timeout",
        Integer(0, INT_MAX),
        "0",
        "Seconds after which a client that sends nothing is disconnected; 0 for never. Clients that wait "
        "for something are spared.",
    ),
    Option(
        "protected-mode",
        Boolean(),
        "yes",
        "While no password is set, serve only connections from this machine. A last defence for servers "
        "that were opened to a network by accident.",
    ),
    Option(
        "requirepass",
        Text(),
        "",
        "Password that clients give with AUTH or HELLO; empty for none. Clients can try many passwords a "
        "second, so choose a long random one. Connections that are already in stay in when it changes.",
    ),
    Option(
        "aclfile",
        Text(),
        "",
        "File with a 'user' line for each user, for ACL LOAD and ACL SAVE. Empty to keep the users in this "
        "file instead, as lines such as 'user alice on >password ~cached:* +@read'.",
        mutable=False,
    ),
    Option(
        "acllog-max-len",
        Integer(0, LONG_MAX),
        "128",
        "Entries of ACL LOG, which tells what was denied.",
    ),
    Option(
        "acl-pubsub-default",
        Enum("allchannels", "resetchannels"),
        "resetchannels",
        "Channels that a new user may use before any rule says so: all or none.",
    ),
)

CLIENTS: Final = in_group(
    "clients",
    Option(
        "maxclients",
        Integer(1, UINT_MAX),
        "10000",
        "Connections served at the same time; one more is told so and closed. The process's limit of open "
        "files has to allow it (ulimit -n).",
    ),
    Option(
        "maxmemory-clients",
        MemoryOrPercent(),
        "0",
        "Memory that all connections together may take with their input, queued transactions and output, in "
        "bytes or as a percentage of 'maxmemory'; beyond it those that take most are closed. 0 is no limit. "
        "CLIENT NO-EVICT spares a connection.",
    ),
    Option(
        "proto-max-bulk-len",
        Memory(MIB, LONG_MAX),
        "512mb",
        "The longest argument that a client may send, and so the longest string.",
    ),
    Option(
        "client-query-buffer-limit",
        Memory(MIB, LONG_MAX),
        "1gb",
        "How much of one client's unfinished requests is kept before the client is disconnected.",
    ),
    Option(
        "client-output-buffer-limit",
        OutputLimits(),
        "normal 0 0 0 slave 256mb 64mb 60 pubsub 32mb 8mb 60",
        "How much may wait for a client that reads too slowly, per class of clients (normal, replica, "
        "pubsub): a hard limit in bytes, and a soft limit with the seconds for which it may be exceeded. 0 "
        "is no limit. A client beyond its limit is disconnected. One line for each class; a class that is "
        "not named keeps its limits.",
    ),
    Option(
        "notify-keyspace-events",
        EventClasses(),
        "",
        "Events of keys that are published to channels; empty for none. K publishes to "
        "__keyspace@<db>__:<key>, E to __keyevent@<db>__:<event>; at least one of them is needed. Classes: g "
        "DEL, EXPIRE, RENAME and the like, $ strings, l lists, s sets, h hashes, z sorted sets, t streams, x "
        "keys that have expired, e keys that were evicted, d modules, m keys that were asked for in vain, n "
        "new keys; A is all but m and n. Classes of types keep writes off the hot path, and m reads.",
    ),
    Option(
        "tracking-table-max-keys",
        Integer(0, LONG_MAX),
        "1000000",
        "How many keys the server remembers for clients that cache (CLIENT TRACKING); beyond that some are "
        "forgotten, and clients told so. 0 is no limit. Broadcasting clients need no memory.",
    ),
)
