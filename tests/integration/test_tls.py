"""TLS: who gets in, what garbage and silence do, and that nothing is lost inside the TLS layer."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from tests.support.client import ErrorReply
from tests.support.servers import SubjectServer, free_port, redis_binary


def openssl(*arguments: str, directory: Path) -> None:
    program = shutil.which("openssl")
    if program is None:
        pytest.skip("the openssl program is not installed")
    subprocess.run([program, *arguments], cwd=directory, check=True, capture_output=True)


def make_certificate(directory: Path, name: str, *key_options: str) -> None:
    """A certificate signed by the directory's authority."""
    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256")
    key, request, certificate = f"{name}.key", f"{name}.csr", f"{name}.crt"
    subject = ("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1")
    openssl(
        "req",
        *curve,
        *(key_options or ("-nodes",)),
        *subject,
        "-keyout",
        key,
        "-out",
        request,
        directory=directory,
    )
    signing = (
        "-CA",
        "ca.crt",
        "-CAkey",
        "ca.key",
        "-CAcreateserial",
        "-days",
        "2",
        "-copy_extensions",
        "copy",
    )
    openssl("x509", "-req", "-in", request, *signing, "-out", certificate, directory=directory)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An authority and certificates of a server and a client."""
    directory = tmp_path_factory.mktemp("certificates")
    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2")
    openssl(
        "req", "-x509", *curve, "-subj", "/CN=ca", "-keyout", "ca.key", "-out", "ca.crt", directory=directory
    )
    make_certificate(directory, "server")
    make_certificate(directory, "client")
    make_certificate(directory, "locked", "-passout", "pass:secret")
    return directory


@pytest.fixture
def server(certificates: Path, tmp_path: Path) -> Iterator[SubjectServer]:
    """A server with a TLS port beside the plain one; clients need no certificate."""
    options = tls_options(certificates) | {"tls-auth-clients": "no"}
    with SubjectServer(tmp_path / "data", options) as running:
        yield running


def tls_options(certificates: Path, name: str = "server") -> dict[str, str]:
    return {
        "tls-port": str(free_port()),
        "tls-cert-file": str(certificates / f"{name}.crt"),
        "tls-key-file": str(certificates / f"{name}.key"),
        "tls-ca-cert-file": str(certificates / "ca.crt"),
    }


def tls_port(server: SubjectServer) -> int:
    return int(server.options["tls-port"])


def client_of(server: SubjectServer, certificates: Path, *, shows: bool = False) -> redis.Redis[bytes]:
    mine = {
        "ssl_certfile": str(certificates / "client.crt"),
        "ssl_keyfile": str(certificates / "client.key"),
    }
    return redis.Redis(
        port=tls_port(server), ssl=True, ssl_ca_certs=str(certificates / "ca.crt"), **(mine if shows else {})
    )


def raw(server: SubjectServer, certificates: Path) -> ssl.SSLSocket:
    context = ssl.create_default_context(cafile=str(certificates / "ca.crt"))
    sock = socket.create_connection(("127.0.0.1", tls_port(server)), 10)
    return context.wrap_socket(sock, server_hostname="localhost")


def read_exactly(sock: ssl.SSLSocket, length: int) -> bytes:
    data = bytearray()
    while len(data) < length:
        piece = sock.recv(length - len(data))
        assert piece, f"closed after {len(data)} of {length} bytes"
        data += piece
    return bytes(data)


def test_large_values_both_ways(server: SubjectServer, certificates: Path) -> None:
    with client_of(server, certificates) as client:
        value = bytes(range(256)) * 40_000
        assert client.set("large", value)
        assert client.get("large") == value
        with client.pipeline(transaction=False) as pipeline:
            for number in range(3000):
                pipeline.set(f"k{number}", b"v" * number)
            assert pipeline.execute() == [True] * 3000
    with server.client() as plain:
        assert plain.call("STRLEN", "k2999") == 2999


def test_a_slow_reader_gets_everything(server: SubjectServer, certificates: Path) -> None:
    """More replies than sockets hold: the backlog and the encrypted rest keep their order."""
    with server.client() as plain:
        plain.call("SET", "k", b"x" * 100_000)
        sock = raw(server, certificates)
        sock.sendall(b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n" * 200)
        assert plain.call("PING") == b"PONG"
        whole = b"$100000\r\n" + b"x" * 100_000 + b"\r\n"
        for _ in range(200):
            assert read_exactly(sock, len(whole)) == whole
        sock.close()


def test_commands_cut_into_records_byte_by_byte(server: SubjectServer, certificates: Path) -> None:
    sock = raw(server, certificates)
    for byte in b"*1\r\n$4\r\nPING\r\n*2\r\n$4\r\nECHO\r\n$2\r\nhi\r\n":
        sock.sendall(bytes((byte,)))
    assert read_exactly(sock, 15) == b"+PONG\r\n$2\r\nhi\r\n"
    sock.close()


def test_garbage_and_silence_harm_nobody(server: SubjectServer, certificates: Path) -> None:
    silent = [socket.create_connection(("127.0.0.1", tls_port(server)), 10) for _ in range(20)]
    for data in (b"PING\r\n", b"\x16\x03\x01\xff\xff" + b"\xff" * 300, b"\0" * 1000):
        with socket.create_connection(("127.0.0.1", tls_port(server)), 10) as sock:
            sock.sendall(data)
            try:
                while sock.recv(1000):
                    pass
            except ConnectionResetError:
                pass
    with client_of(server, certificates) as client:
        assert client.ping()
    for sock in silent:
        sock.close()


def test_a_blocked_client_and_the_end_of_its_link(server: SubjectServer, certificates: Path) -> None:
    sock = raw(server, certificates)
    sock.sendall(b"BLPOP list 0\r\nPING\r\n")
    with server.client() as plain:
        while b"cmd=blpop" not in plain.call("CLIENT", "LIST"):
            pass
        assert plain.call("RPUSH", "list", "a") == 1
        assert read_exactly(sock, 27) == b"*2\r\n$4\r\nlist\r\n$1\r\na\r\n+PONG\r\n"[:27]
        sock.close()
        while plain.call("CLIENT", "LIST").count(b"id=") > 1:
            pass


def test_clients_must_show_a_certificate(certificates: Path, tmp_path: Path) -> None:
    with SubjectServer(tmp_path / "data", tls_options(certificates)) as server:
        with client_of(server, certificates, shows=True) as client:
            assert client.ping()
        with client_of(server, certificates) as client, pytest.raises(redis.ConnectionError):
            client.ping()
        with server.client() as plain:
            assert plain.call("CONFIG", "SET", "tls-auth-clients", "optional") == b"OK"
        with client_of(server, certificates) as client:
            assert client.ping()


def test_certificates_are_read_anew(server: SubjectServer, certificates: Path) -> None:
    def shown() -> bytes | None:
        with raw(server, certificates) as sock:
            return sock.getpeercert(True)

    before = shown()
    names = ("tls-cert-file", "tls-key-file")
    files = [str(certificates / name) for name in ("client.crt", "client.key")]
    with server.client() as plain:
        wrong = plain.call("CONFIG", "SET", "tls-cert-file", "/nowhere")
        assert isinstance(wrong, ErrorReply)
        assert shown() == before
        assert plain.call("CONFIG", "SET", names[0], files[0], names[1], files[1]) == b"OK"
        assert shown() != before
        assert plain.call("CONFIG", "SET", "tls-port", "0") == b"OK"
    with pytest.raises(ConnectionRefusedError):
        raw(server, certificates)


def test_a_key_with_a_password(certificates: Path, tmp_path: Path) -> None:
    options = tls_options(certificates, "locked") | {"tls-auth-clients": "no", "tls-key-file-pass": "secret"}
    with SubjectServer(tmp_path / "data", options) as server, client_of(server, certificates) as client:
        assert client.ping()


def test_old_protocols_are_refused(server: SubjectServer, certificates: Path) -> None:
    with server.client() as plain:
        assert plain.call("CONFIG", "SET", "tls-protocols", "TLSv1.3") == b"OK"
    context = ssl.create_default_context(cafile=str(certificates / "ca.crt"))
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with socket.create_connection(("127.0.0.1", tls_port(server)), 10) as sock, pytest.raises(ssl.SSLError):
        context.wrap_socket(sock, server_hostname="localhost")


def test_redis_cli(server: SubjectServer, certificates: Path) -> None:
    arguments = ["-p", str(tls_port(server)), "--tls", "--cacert", str(certificates / "ca.crt"), "PING"]
    found = subprocess.run(
        [redis_binary("redis-cli"), *arguments], capture_output=True, timeout=20, check=False
    )
    if b"Unrecognized option" in found.stderr:
        pytest.skip("this redis-cli was built without TLS")
    assert found.stdout == b"PONG\n"
