"""Users and live connections: what changes takes effect at once, and nothing gets in without a password."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.client import Client, ErrorReply, encode
from tests.support.servers import SubjectServer

NO_AUTH = ErrorReply(b"NOAUTH Authentication required.")


class Server(SubjectServer):
    """A subject that closes the connections it made."""

    def client(self, timeout_s: float = 20.0) -> Client:
        client = super().client(timeout_s)
        self.made = [*getattr(self, "made", ()), client]
        return client

    def close(self) -> None:
        for client in getattr(self, "made", ()):
            client.close()
        super().close()


def start(directory: Path, **options: str) -> Server:
    return Server(directory / "data", options)


def user(server: SubjectServer, name: str, password: str = "x") -> Client:
    client = server.client()
    assert client.call("AUTH", name, password) == b"OK"
    return client


def test_rules_of_a_connected_client_change_at_once(tmp_path: Path) -> None:
    with start(tmp_path) as server:
        admin = server.client()
        admin.call("ACL", "SETUSER", "bob", "on", "nopass", "+@all", "~*", "&*")
        bob = user(server, "bob")
        assert bob.call("SET", "a", "1") == b"OK"
        assert admin.call("ACL", "SETUSER", "bob", "-set", "resetkeys", "~b") == b"OK"
        denied = b"NOPERM this user has no permissions to run the 'set' command"
        assert bob.call("SET", "b", "1") == ErrorReply(denied)
        keys = b"NOPERM this user has no permissions to access one of the keys used as arguments"
        assert bob.pipeline([("GET", "a"), ("GET", "b"), ("MGET", "b", "a")]) == [
            ErrorReply(keys),
            None,
            ErrorReply(keys),
        ]
        admin.call("ACL", "SETUSER", "bob", "+@all", "allkeys")
        assert bob.pipeline([("SET", "a", "2"), ("GET", "a")]) == [b"OK", b"2"]


def test_clients_of_deleted_users_are_closed(tmp_path: Path) -> None:
    with start(tmp_path) as server:
        admin = server.client()
        for name in ("bob", "carl"):
            admin.call("ACL", "SETUSER", name, "on", "nopass", "+@all", "~*")
        bob, carl = user(server, "bob"), user(server, "carl")
        blocked = user(server, "bob")
        blocked.send_raw(encode(["BLPOP", "nothing", "0"]))
        assert admin.call("ACL", "DELUSER", "bob", "nobody") == 1
        for closed in (bob, blocked):
            with pytest.raises(ConnectionError):
                closed.call("PING")
        replies = carl.pipeline([("ACL", "WHOAMI"), ("ACL", "DELUSER", "carl")])
        assert replies == [b"carl", 1]
        with pytest.raises(ConnectionError):
            carl.call("PING")


def test_nothing_gets_in_before_auth(tmp_path: Path) -> None:
    with start(tmp_path, requirepass="secret") as server:
        commands = [("SET", "a", "1"), ("GET", "a"), ("INFO",), ("ACL", "LIST"), ("CONFIG", "GET", "*")]
        client = server.client()
        assert client.pipeline(commands) == [NO_AUTH] * len(commands)
        inline = server.client()
        inline.send_raw(b"SET a 1\r\nGET a\r\n")
        assert [inline.read_reply(), inline.read_reply()] == [NO_AUTH] * 2
        late = server.client()
        replies = late.pipeline(
            [("SET", "a", "1"), ("AUTH", "secret"), ("EXISTS", "a"), ("RESET",), ("GET", "a")]
        )
        assert replies[0] == replies[4] == NO_AUTH
        assert replies[2] == 0
        huge = server.client()
        huge.send_raw(b"*2\r\n$4\r\nAUTH\r\n$20000\r\n")
        assert huge.read_until_closed().startswith(b"-ERR Protocol error: unauthenticated ")


def test_who_came_in_stays_in_when_a_password_is_set(tmp_path: Path) -> None:
    with start(tmp_path) as server:
        early = server.client()
        assert early.call("CONFIG", "SET", "requirepass", "one") == b"OK"
        late = server.client()
        assert late.call("PING") == NO_AUTH
        assert early.call("CONFIG", "SET", "requirepass", "") == b"OK"
        assert late.call("PING") == b"PONG"
        assert early.call("ACL", "SETUSER", "default", ">two") == b"OK"
        assert late.call("PING") == NO_AUTH
        assert late.call("AUTH", "two") == b"OK"


def test_users_survive_in_their_file(tmp_path: Path) -> None:
    path = tmp_path / "users.acl"
    path.write_bytes(b"user bob on nopass ~b +get\n")
    with start(tmp_path, aclfile=str(path)) as server:
        client = server.client()
        assert client.call("ACL", "USERS") == [b"bob", b"default"]
        client.call("ACL", "SETUSER", "carl", "on", ">x", "(~c +get)")
        assert client.call("ACL", "SAVE") == b"OK"
        listed = client.call("ACL", "LIST")
        assert path.read_bytes().splitlines() == listed
        path.write_bytes(b"user bob nonsense\n")
        assert isinstance(client.call("ACL", "LOAD"), ErrorReply)
        assert client.call("ACL", "LIST") == listed
        path.write_bytes(b"user carl on nopass\n")
        assert client.call("ACL", "LOAD") == b"OK"
        assert client.call("ACL", "USERS") == [b"carl", b"default"]


def test_users_survive_in_the_configuration(tmp_path: Path) -> None:
    file = tmp_path / "redis.conf"
    file.write_text("user bob on >x ~b +get\n")
    server = start(tmp_path)
    server.configuration_file = file
    with server:
        client = server.client()
        assert client.call("ACL", "USERS") == [b"bob", b"default"]
        client.call("ACL", "SETUSER", "carl", "on", "nopass")
        client.call("ACL", "DELUSER", "bob")
        assert client.call("CONFIG", "REWRITE") == b"OK"
        listed = client.call("ACL", "LIST")
        server.stop()
        server.start()
        assert server.client().call("ACL", "LIST") == listed
