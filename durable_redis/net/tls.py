"""TLS: a socket that encrypts, and the options that say how.

:class:`TlsSocket` stands in a socket's place: ``recv`` gives plain bytes and ``send`` takes them, and both
raise ``BlockingIOError`` when the peer has to act first, the handshake included.  It works on buffers of its
own (``ssl.MemoryBIO``) and hands over all that can be decrypted at once, so nothing that epoll cannot see
stays behind inside.  Bytes count as sent when the last encrypted byte of theirs is in the socket.

Renegotiation is off.  The ssl module cannot choose cipher suites of TLS 1.3 nor size the session cache;
the options say so.
"""

from __future__ import annotations

import socket
import ssl
from typing import Final

from durable_redis.config.config import Config
from durable_redis.errors import UsageError

RECORD_BYTES: Final = 17 << 10  # the longest record with its frame: less could not be decrypted
PIECE_BYTES: Final = 64 << 10  # encrypted at a time
SEND_BYTES_MAX: Final = 1 << 20  # of one call: what else is ready gets its turn
UNSENT_BYTES_MAX: Final = 128 << 10  # of handshakes and alerts that the peer does not take
HANDSHAKE_MS_MAX: Final = 10_000
PROTOCOLS: Final = {
    "tlsv1": (ssl.TLSVersion.TLSv1, ssl.OP_NO_TLSv1),
    "tlsv1.1": (ssl.TLSVersion.TLSv1_1, ssl.OP_NO_TLSv1_1),
    "tlsv1.2": (ssl.TLSVersion.TLSv1_2, ssl.OP_NO_TLSv1_2),
    "tlsv1.3": (ssl.TLSVersion.TLSv1_3, ssl.OP_NO_TLSv1_3),
}
DEFAULT_PROTOCOLS: Final = "TLSv1.2 TLSv1.3"
OPTIONS: Final = (
    "tls-cert-file",
    "tls-key-file",
    "tls-key-file-pass",
    "tls-ca-cert-file",
    "tls-ca-cert-dir",
    "tls-auth-clients",
    "tls-protocols",
    "tls-ciphers",
    "tls-prefer-server-ciphers",
    "tls-session-caching",
    "tls-dh-params-file",
)
_VERIFY: Final = {"yes": ssl.CERT_REQUIRED, "optional": ssl.CERT_OPTIONAL, "no": ssl.CERT_NONE}


class TlsSocket:
    """A connected socket, which does not block, with TLS over it; this is the server's side."""

    def __init__(self, sock: socket.socket, context: ssl.SSLContext) -> None:
        self.established = False
        self._socket = sock
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._unsent = b""
        self._owed = 0  # bytes that are encrypted, but not all of them sent: the next call brings them again

    def fileno(self) -> int:
        """The descriptor."""
        return self._socket.fileno()

    def recv(self, length: int) -> bytes:
        """All plain bytes there are, perhaps more than ``length``; none at the end of the input."""
        raw = self._socket.recv(max(length, RECORD_BYTES))
        if raw:
            self._incoming.write(raw)
        else:
            self._incoming.write_eof()
        try:
            if not self.established:
                self._tls.do_handshake()
                self.established = True
            return self._decrypted()
        except ssl.SSLWantReadError:
            raise BlockingIOError from None
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
            return b""
        finally:
            self._send_nowait()  # the handshake's next part, or the alert that tells the peer what is wrong

    def _decrypted(self) -> bytes:
        pieces = []
        try:
            while piece := self._tls.read(PIECE_BYTES):
                pieces.append(piece)
        except ssl.SSLError:
            if not pieces:  # else it comes again with the next call
                raise
        return b"".join(pieces)

    def send(self, data: bytes | memoryview) -> int:
        """Send some of the bytes; how many.  What raised ``BlockingIOError`` has to be brought again."""
        if not self.established:
            raise BlockingIOError
        total = 0
        view = memoryview(data)
        while total < min(len(view), SEND_BYTES_MAX):
            if not self._owed:
                self._owed = self._tls.write(view[total : total + PIECE_BYTES])
            self._send_nowait()
            if self._unsent:
                if total:
                    return total
                raise BlockingIOError
            total += self._owed
            self._owed = 0
        return total

    def _send_nowait(self) -> None:
        """Send what is encrypted, as far as the socket takes it."""
        unsent = self._unsent + self._outgoing.read() if self._outgoing.pending else self._unsent
        sent = 0
        try:
            while sent < len(unsent):
                sent += self._socket.send(unsent[sent:] if sent else unsent)
        except (BlockingIOError, InterruptedError):
            pass
        self._unsent = unsent[sent:] if sent else unsent
        if len(self._unsent) > UNSENT_BYTES_MAX and not self._owed:
            raise ConnectionAbortedError("the peer makes us answer and does not read")

    def close(self) -> None:
        """Say goodbye if the socket takes it, and close."""
        try:
            if self.established and not self._unsent:
                self._tls.unwrap()
        except (OSError, ValueError):
            pass
        try:
            self._send_nowait()
        except OSError:
            pass
        self._socket.close()


def make_context(config: Config) -> ssl.SSLContext:
    """The context that the options ask for.  Raises :class:`UsageError`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate, key = config.get_str("tls-cert-file"), config.get_str("tls-key-file")
    if not certificate or not key:
        raise UsageError("TLS needs a certificate and its key", "set 'tls-cert-file' and 'tls-key-file'")
    _set_protocols(context, config.get_str("tls-protocols") or DEFAULT_PROTOCOLS)
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION | ssl.OP_SINGLE_DH_USE
    _set_flag(context, ssl.OP_CIPHER_SERVER_PREFERENCE, config.get_bool("tls-prefer-server-ciphers"))
    if not config.get_bool("tls-session-caching"):
        context.options |= ssl.OP_NO_TICKET
        context.num_tickets = 0
    password = config.get_str("tls-key-file-pass")
    try:
        # Always with a password: without one OpenSSL would ask for it at the terminal.
        context.load_cert_chain(certificate, key, lambda: password)
    except (OSError, ValueError) as error:
        raise _refused(f"certificate '{certificate}' or key '{key}'", error) from error
    _set_authorities(context, config)
    ciphers, parameters = config.get_str("tls-ciphers"), config.get_str("tls-dh-params-file")
    try:
        if ciphers:
            context.set_ciphers(ciphers)
        if parameters:
            context.load_dh_params(parameters)
    except (OSError, ValueError) as error:
        raise _refused("'tls-ciphers' or 'tls-dh-params-file'", error) from error
    return context


def _set_protocols(context: ssl.SSLContext, text: str) -> None:
    words = text.lower().split()
    unknown = [word for word in words if word not in PROTOCOLS]
    if unknown or not words:
        raise UsageError(f"there is no protocol '{text}'", "'tls-protocols' takes TLSv1.2 and TLSv1.3")
    context.minimum_version = min(PROTOCOLS[word][0] for word in words)
    context.maximum_version = max(PROTOCOLS[word][0] for word in words)
    for word, (_, without) in PROTOCOLS.items():
        _set_flag(context, without, word not in words)


def _set_authorities(context: ssl.SSLContext, config: Config) -> None:
    authorities, directory = config.get_str("tls-ca-cert-file"), config.get_str("tls-ca-cert-dir")
    mode = config.get_str("tls-auth-clients")
    if mode != "no" and not (authorities or directory):
        raise UsageError(
            "certificates of clients are asked for, but nobody says which authority is trusted",
            "set 'tls-ca-cert-file', or 'tls-auth-clients' to no",
        )
    try:
        if authorities or directory:
            context.load_verify_locations(authorities or None, directory or None)
    except (OSError, ValueError) as error:
        raise _refused(f"authorities '{authorities or directory}'", error) from error
    context.verify_mode = _VERIFY[mode]


def _set_flag(context: ssl.SSLContext, flag: ssl.Options, wanted: bool) -> None:
    if wanted:
        context.options |= flag
    else:
        context.options &= ~flag


def _refused(what: str, error: Exception) -> UsageError:
    why = getattr(error, "reason", None) or getattr(error, "strerror", None) or str(error)
    return UsageError(f"cannot use {what}: {why}", "see the options of TLS")
