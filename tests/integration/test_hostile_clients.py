"""Slow, broken and hostile clients harm nobody but themselves.

Each test does something rude on one connection and shows that another one is served meanwhile; the
``server`` fixture checks again afterwards.  Exact protocol error texts are compared with redis-server in
``tests/differential``.
"""

from __future__ import annotations

import random
import resource
import socket
import struct
import threading

import pytest

from tests.support.client import Client, encode
from tests.support.servers import ServerProcess

pytestmark = pytest.mark.integration


@pytest.fixture
def bystander(server: ServerProcess) -> Client:
    """Another client, which must be served whatever happens."""
    client = server.client()
    assert client.call("SET", "bystander", "served") == b"OK"
    return client


def served(client: Client) -> bool:
    """Whether a client gets its answer."""
    return bool(client.call("GET", "bystander") == b"served")


def test_one_byte_at_a_time(server: ServerProcess, bystander: Client) -> None:
    with bystander, server.client() as slow:
        for byte in encode(("SET", "slow", "value")) + b"GET slow\r\n":
            slow.send_raw(bytes([byte]))
            assert served(bystander)
        assert slow.read_replies(2) == [b"OK", b"value"]


def test_closes_in_the_middle_of_a_command(server: ServerProcess, bystander: Client) -> None:
    whole = encode(("SET", "cut", "value"))
    with bystander:
        for end in range(1, len(whole)):
            with server.client() as client:
                client.send_raw(whole[:end])
        assert served(bystander)
        assert bystander.call("EXISTS", "cut") == 0


def test_resets_the_connection(server: ServerProcess, bystander: Client) -> None:
    """RST instead of FIN, with replies on their way."""
    with bystander:
        for _ in range(50):
            client = server.client()
            client.send_raw(encode(("GET", "bystander")) * 200)
            client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.close()
        assert served(bystander)


def test_half_closed(server: ServerProcess) -> None:
    """What was sent before the client shut its sending side is answered."""
    with server.client() as client:
        client.send_raw(encode(("SET", "half", "1")) + encode(("INCR", "half")) + encode(("GET", "half")))
        client.socket.shutdown(socket.SHUT_WR)
        assert client.read_until_closed() == b"+OK\r\n:2\r\n$1\r\n2\r\n"


def test_garbage(server: ServerProcess, bystander: Client) -> None:
    """Random bytes and bytes that look like the protocol: an answer or a closed connection, no more."""
    chance = random.Random(5)
    pieces = [
        b"*",
        b"$",
        b"3",
        b"-1",
        b"\r\n",
        b"\n",
        b"GET",
        b"SET",
        b"bystander",
        b"\x00",
        b"99999999999",
        b'"',
        b" ",
    ]
    with bystander:
        for number in range(300):
            with server.client() as client:
                if number % 2:
                    data = chance.randbytes(chance.randint(1, 2000))
                else:
                    data = b"".join(chance.choice(pieces) for _ in range(chance.randint(1, 40)))
                # A command that takes no harm may be formed by chance; one that stops the server may not.
                client.send_raw(data.replace(b"SHUTDOWN", b""))
        assert served(bystander)


def test_never_reads(server: ServerProcess, bystander: Client) -> None:
    """Twenty megabytes of replies wait for a client that does not read them; the others do not wait."""
    with bystander, server.client() as rude:
        bystander.call("SET", "big", b"x" * 100_000)
        rude.send_raw(encode(("GET", "big")) * 200)
        for _ in range(50):
            assert served(bystander)
        assert rude.read_reply() == b"x" * 100_000  # and it gets everything if it does read in the end
        assert len(rude.read_replies(199)) == 199


def test_never_reads_beyond_the_limit(server: ServerProcess, bystander: Client) -> None:
    """With an output buffer limit the client that does not read is cut off."""
    with bystander, server.client() as rude:
        bystander.call("SET", "big", b"x" * 1_000_000)
        assert bystander.call("CONFIG", "SET", "client-output-buffer-limit", "normal 5mb 0 0") == b"OK"
        try:
            rude.send_raw(encode(("GET", "big")) * 100)
            assert served(bystander)
            assert len(rude.read_until_closed()) < 100 * 1_000_000
        finally:
            bystander.call("CONFIG", "SET", "client-output-buffer-limit", "normal 0 0 0")


def test_huge_pipeline_sent_before_reading(server: ServerProcess) -> None:
    """A hundred thousand commands sent whole; the replies come in order."""
    count = 100_000
    with server.client(timeout_s=60) as client:
        requests = b"".join(
            encode(("SETBIT", "bits", number % 1000, number // 1000 % 2)) for number in range(count)
        )
        sender = threading.Thread(target=client.send_raw, args=(requests,))
        sender.start()  # both sides' buffers fill if nobody reads
        replies = client.read_replies(count)
        sender.join()
        assert replies == [0 if number < 1000 else (number // 1000 - 1) % 2 for number in range(count)]


def test_large_bulk_in_pieces(server: ServerProcess, bystander: Client) -> None:
    """A bulk of sixteen megabytes that arrives slowly blocks nobody."""
    value = random.Random(1).randbytes(16 << 20)
    with bystander, server.client(timeout_s=60) as client:
        client.send_raw(b"*3\r\n$3\r\nSET\r\n$5\r\nlarge\r\n$%d\r\n" % len(value))
        for start in range(0, len(value), 1 << 20):
            client.send_raw(value[start : start + (1 << 20)])
            assert served(bystander)
        client.send_raw(b"\r\n")
        assert client.read_reply() == b"OK"
        assert client.call("GET", "large") == value


def test_a_thousand_connections(server: ServerProcess) -> None:
    """Each is served, and the server sees them go."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 4096:
        pytest.skip(f"the limit of open files is {hard}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 4096), hard))
    clients = [server.client() for _ in range(1000)]
    try:
        for number, client in enumerate(clients):
            client.send("SET", f"c{number}", number)
        assert [client.read_reply() for client in clients] == [b"OK"] * 1000
        assert [client.call("GET", f"c{number}") for number, client in enumerate(clients)] == [
            b"%d" % number for number in range(1000)
        ]
    finally:
        for client in clients:
            client.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    with server.client() as client:
        assert client.call("DBSIZE") == 1000


def test_many_short_connections(server: ServerProcess) -> None:
    for number in range(500):
        with server.client() as client:
            assert client.call("INCR", "visits") == number + 1


def test_inline_commands(server: ServerProcess) -> None:
    with server.client() as client:
        client.send_raw(b'SET "a key" "a \\x41 value"\r\nGET \'a key\'\n\r\n\r\nPING\r\n')
        assert client.read_replies(3) == [b"OK", b"a A value", b"PONG"]
