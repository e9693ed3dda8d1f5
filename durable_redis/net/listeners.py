"""Listening sockets: TCP over IPv4 and IPv6, several addresses, and a Unix socket.

And who is refused at the door.
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator

from durable_redis.commands.session import is_loopback
from durable_redis.config.config import Config
from durable_redis.engine.engine import Engine
from durable_redis.errors import UsageError

ACCEPTS_PER_TURN = 64
KEEPALIVE_SECONDS_MAX = 32767  # the most that Linux takes
MAX_CLIENTS = b"-ERR max number of clients reached\r\n"
PROTECTED = (
    b"-DENIED The server runs in protected mode: no password is set for the default user, so only "
    b"connections from the loopback interface are served. Set one with the 'requirepass' option, or, if "
    b"nothing but trusted hosts can reach this port, set 'protected-mode' to no.\r\n"
)


class Listener:
    """One listening socket."""

    def __init__(self, sock: socket.socket, name: str, tls: bool = False) -> None:
        self.socket = sock
        self.fd = sock.fileno()
        self.name = name
        self.tls = tls
        self.is_unix = sock.family == socket.AF_UNIX

    def accept(self, config: Config) -> Iterator[tuple[socket.socket, str, str]]:
        """Connections that are waiting, with their own and our address as CLIENT LIST shows them."""
        for _ in range(ACCEPTS_PER_TURN):
            try:
                sock, peer = self.socket.accept()
            except OSError:
                return  # nobody is waiting, or we are out of descriptors: the next turn tries again
            sock.setblocking(False)
            if self.is_unix:
                yield sock, f"{self.name}:0", f"{self.name}:0"
                continue
            seconds = config.get_int("tcp-keepalive")
            try:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                if seconds:
                    _keep_alive(sock, seconds)
                yield sock, _shown(peer), _shown(sock.getsockname())
            except OSError:  # the peer has gone already
                sock.close()

    def refusal(self, engine: Engine, connections: int, address: str) -> bytes:
        """The reply with which a connection is turned away; empty if it may come in."""
        config = engine.config
        if connections >= config.get_int("maxclients"):
            return MAX_CLIENTS
        protected = config.get_bool("protected-mode") and engine.access.users.default.no_password
        if protected and not self.is_unix and not is_loopback(address):
            return PROTECTED
        return b""

    def close(self) -> None:
        """Stop listening; a Unix socket's file goes too."""
        self.socket.close()
        if self.is_unix:
            try:
                os.unlink(self.name)
            except OSError:
                pass


def open_listeners(config: Config) -> list[Listener]:
    """All that the options ask for.

    Raises :class:`UsageError` if one cannot be had (then none is left open).
    """
    listeners = open_tcp_listeners(config, {})
    path = config.get_str("unixsocket")
    if path:
        try:
            listeners.append(_unix(path, config))
        except BaseException:
            for listener in listeners:
                listener.close()
            raise
    return listeners


def open_tcp_listeners(config: Config, open_ones: dict[str, Listener]) -> list[Listener]:
    """What ``port``, ``tls-port`` and ``bind`` ask for.

    It is taken from ``open_ones``, by name, where it is there already.

    Raises :class:`UsageError` if one cannot be had (then none is left open but those).
    """
    listeners: list[Listener] = []
    backlog = config.get_int("tcp-backlog")
    try:
        for option in ("port", "tls-port"):
            port, tls = config.get_int(option), option == "tls-port"
            before = len(listeners)
            for address in config.get_list("bind") if port else ():
                known = open_ones.get(_tcp_name(address, port, tls))
                listener = known or _tcp(address, port, backlog, tls)
                if listener is not None:
                    listeners.append(listener)
            if port and len(listeners) == before:
                raise UsageError("none of the addresses of option 'bind' exists here", "see option 'bind'")
    except BaseException:
        for listener in listeners:
            if open_ones.get(listener.name) is not listener:
                listener.close()
        raise
    return listeners


def _tcp(address: str, port: int, backlog: int, tls: bool) -> Listener | None:
    """A TCP listener; None for an optional address (``-::1``) that does not exist here."""
    optional = address.startswith("-")
    host = _host(address)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        sock = socket.socket(family, socket.SOCK_STREAM)
    except OSError:
        if optional:
            return None
        raise
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind((host, port))
        sock.listen(backlog)
    except OSError as error:
        sock.close()
        if optional and error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
            return None
        hint = "is another server running? see options 'port' and 'bind'"
        raise UsageError(f"cannot listen on {host} port {port}: {error.strerror or error}", hint) from error
    sock.setblocking(False)
    return Listener(sock, _tcp_name(address, port, tls), tls)


def _host(address: str) -> str:
    """The address without the mark of an optional one, and without wildcards."""
    host = address.removeprefix("-")
    return {"*": "0.0.0.0", "::*": "::"}.get(host, host)


def _tcp_name(address: str, port: int, tls: bool) -> str:
    return f"{_host(address)}:{port}{' (TLS)' if tls else ''}"


def _unix(path: str, config: Config) -> Listener:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        if os.path.exists(path):
            os.unlink(path)
        sock.bind(path)
        mode = config.get_str("unixsocketperm")
        if mode and int(mode, 8):
            os.chmod(path, int(mode, 8))
        sock.listen(config.get_int("tcp-backlog"))
    except OSError as error:
        sock.close()
        raise UsageError(f"cannot listen on {path}: {error.strerror}", "see option 'unixsocket'") from error
    sock.setblocking(False)
    return Listener(sock, path)


def send_once(sock: socket.socket, data: bytes) -> None:
    """Tell a peer why it is turned away, if it can be told."""
    try:
        sock.send(data)
    except OSError:
        pass


def _keep_alive(sock: socket.socket, seconds: int) -> None:
    """Probe a silent peer after ``seconds``, then three times at a third of that."""
    seconds = min(seconds, KEEPALIVE_SECONDS_MAX)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, seconds)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, max(1, seconds // 3))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3)


def _shown(name: tuple[object, ...]) -> str:
    host = str(name[0])
    return f"[{host}]:{name[1]}" if ":" in host else f"{host}:{name[1]}"
