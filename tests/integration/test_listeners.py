"""Where the server listens and whom it lets in: Unix socket, IPv6, several addresses, passwords, limits."""

from __future__ import annotations

import os
import socket
import stat

import pytest

from tests.integration.conftest import StartServer
from tests.support.client import Client, ErrorReply

pytestmark = pytest.mark.integration


def own_address() -> str:
    """This machine's address on a network; skip the test when it has none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # nothing is sent: this only asks for the route
        except OSError:
            pytest.skip("no network address but the loopback's")
        address = str(probe.getsockname()[0])
    if address.startswith("127."):
        pytest.skip("no network address but the loopback's")
    return address


def test_unix_socket(start_server: StartServer) -> None:
    server = start_server(unix_socket=True, unixsocketperm="700")
    assert server.socket_path is not None
    with server.unix_client() as client, server.client() as other:
        assert client.call("SET", "a", "1") == b"OK"
        assert other.call("GET", "a") == b"1"
        assert b"addr=" + server.socket_path.encode() in client.call("CLIENT", "INFO")
    assert stat.S_IMODE(os.stat(server.socket_path).st_mode) == 0o700
    assert server.stop() == 0
    server.start()  # a socket left behind is no obstacle
    with server.unix_client() as client:
        assert client.call("GET", "a") == b"1"


def test_unix_socket_after_kill(start_server: StartServer) -> None:
    server = start_server(unix_socket=True)
    server.kill9()
    server.start()
    with server.unix_client() as client:
        assert client.call("PING") == b"PONG"


def test_unix_socket_alone(start_server: StartServer) -> None:
    """``port 0`` means no TCP at all."""
    server = start_server(unix_socket=True, wait=False, port="0")
    server.spawn()
    client = server.wait_unix_client()
    with client:
        assert client.call("PING") == b"PONG"
    with pytest.raises(OSError, match="refused"):
        server.client()


def test_ipv6(start_server: StartServer) -> None:
    if not socket.has_ipv6 or not os.path.exists("/proc/net/if_inet6"):
        pytest.skip("no IPv6 here")
    server = start_server(bind="127.0.0.1 ::1")
    with Client(("::1", server.port)) as client:
        assert client.call("PING") == b"PONG"
        assert f"addr=[::1]:{client.socket.getsockname()[1]}".encode() in client.call("CLIENT", "INFO")


def test_several_addresses(start_server: StartServer) -> None:
    server = start_server(bind="127.0.0.1 127.0.0.2")
    for address in ("127.0.0.1", "127.0.0.2"):
        with Client((address, server.port)) as client:
            assert client.call("PING") == b"PONG"
    with pytest.raises(OSError, match="refused"):
        Client(("127.0.0.3", server.port))


def test_optional_address(start_server: StartServer) -> None:
    """An address with a minus may be missing on this machine."""
    server = start_server(bind="127.0.0.1 -192.0.2.77")
    with server.client() as client:
        assert client.call("PING") == b"PONG"


def test_protected_mode_refuses_strangers(start_server: StartServer) -> None:
    address = own_address()
    server = start_server(bind=f"127.0.0.1 {address}", protected_mode="yes")
    with Client((address, server.port)) as client:
        refusal = client.read_until_closed()
        assert refusal.startswith(b"-DENIED ")
        assert refusal.endswith(b"\r\n")
        assert refusal.count(b"\n") == 1
    with server.client() as local:
        assert local.call("CONFIG", "SET", "protected-mode", "no") == b"OK"
        with Client((address, server.port)) as client:
            assert client.call("PING") == b"PONG"
        assert local.call("CONFIG", "SET", "protected-mode", "yes", "requirepass", "secret") == b"OK"
        with Client((address, server.port)) as client:
            assert client.call("AUTH", "secret") == b"OK"


def test_password(start_server: StartServer) -> None:
    server = start_server(requirepass="secret")
    with server.client() as client:
        for words in (("PING",), ("GET", "a"), ("CONFIG", "GET", "*"), ("CLIENT", "ID")):
            assert client.call(*words) == ErrorReply(b"NOAUTH Authentication required.")
        assert client.call("AUTH", "wrong").startswith(b"WRONGPASS ")
        assert client.call("AUTH", "default", "wrong").startswith(b"WRONGPASS ")
        assert client.call("HELLO", "3").startswith(b"NOAUTH ")
        assert client.call("AUTH", "secret") == b"OK"
        assert client.call("PING") == b"PONG"
        assert client.call("RESET") == b"RESET"
        assert client.call("PING").startswith(b"NOAUTH ")
    with server.client() as client:
        assert client.call("HELLO", "3", "AUTH", "default", "secret").as_dict()[b"proto"] == 3
    server.kill9()
    server.start()  # and PING does not need to be let in for the server to count as started


@pytest.mark.parametrize("request_", [b"*11\r\n", b"*1\r\n$16385\r\n"], ids=["many words", "long word"])
def test_limits_before_the_password(request_: bytes, start_server: StartServer) -> None:
    """Who has not given the password may not make the server set memory aside."""
    server = start_server(requirepass="secret")
    with server.client() as client:
        client.send_raw(request_)
        assert client.read_until_closed().startswith(b"-ERR Protocol error: unauthenticated ")


def test_maxclients(start_server: StartServer) -> None:
    server = start_server(maxclients="20")
    clients = [server.client() for _ in range(20)]
    try:
        assert [client.call("PING") for client in clients] == [b"PONG"] * 20
        with server.client() as refused:
            assert refused.read_until_closed() == b"-ERR max number of clients reached\r\n"
        assert clients[0].call("CONFIG", "SET", "maxclients", "30") == b"OK"
        with server.client() as accepted:
            assert accepted.call("PING") == b"PONG"
    finally:
        for client in clients:
            client.close()


def test_idle_clients_are_closed(start_server: StartServer) -> None:
    server = start_server(timeout="1")
    with server.client() as client:
        assert client.call("PING") == b"PONG"
        assert client.read_until_closed() == b""


def test_port_and_addresses_change_live(start_server: StartServer) -> None:
    server = start_server()
    with socket.create_server(("127.0.0.1", 0)) as probe, socket.create_server(("127.0.0.1", 0)) as taken:
        free, used = probe.getsockname()[1], taken.getsockname()[1]
        probe.close()
        with server.client() as client:
            refused = client.call("CONFIG", "SET", "port", str(used))
            assert isinstance(refused, ErrorReply)
            assert "in use" in refused.text
            assert client.call("CONFIG", "GET", "port") == [b"port", str(server.port).encode()]
            with server.client() as other:
                assert other.call("PING") == b"PONG"  # where it was, it still listens
            assert client.call("CONFIG", "SET", "port", str(free)) == b"OK"
            assert client.call("PING") == b"PONG"  # who is connected stays
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", server.port))
            assert client.call("CONFIG", "SET", "bind", "127.0.0.1 127.0.0.2") == b"OK"
            for address in ("127.0.0.1", "127.0.0.2"):
                with socket.create_connection((address, free)) as link:
                    link.sendall(b"PING\r\n")
                    assert link.recv(100) == b"+PONG\r\n"
            assert client.call("CONFIG", "SET", "port", str(server.port)) == b"OK"


def test_the_log_level_changes_live(start_server: StartServer) -> None:
    server = start_server()
    with server.client() as client:
        assert client.call("CONFIG", "SET", "loglevel", "debug") == b"OK"
        assert client.call("SET", "a", "1") == b"OK"
        assert client.call("SAVE") == b"OK"
    assert server.stop() == 0
    assert "checkpoint at" in server.output()
