"""Options of TLS: where it is served, with which certificates, and what is asked of clients.

What Python's ssl module cannot do is fixed or ignored, and says so.
"""

from __future__ import annotations

from typing import Final

from durable_redis.config.kinds import INT_MAX, PORT_MAX, Boolean, Enum, Integer, Text
from durable_redis.config.option import Option, State, in_group, in_state

TLS: Final = in_group(
    "tls",
    Option(
        "tls-port",
        Integer(0, PORT_MAX),
        "0",
        "Port for TLS on the addresses of 'bind', besides 'port'; 0 for none. For TLS only, set 'port' to 0.",
    ),
    Option("tls-cert-file", Text(), "", "The server's certificate (PEM), with its chain if there is one."),
    Option("tls-key-file", Text(), "", "The certificate's key (PEM)."),
    Option("tls-key-file-pass", Text(), "", "Password of the key, if it has one."),
    Option("tls-dh-params-file", Text(), "", "Diffie-Hellman parameters for old clients; empty for none."),
    Option("tls-ca-cert-file", Text(), "", "Authorities whose certificates clients may show (PEM)."),
    Option("tls-ca-cert-dir", Text(), "", "Directory of such authorities, by hash (openssl rehash)."),
    Option(
        "tls-auth-clients",
        Enum("no", "yes", "optional"),
        "yes",
        "Whether clients must show a certificate, may show one, or are not asked.",
    ),
    Option("tls-protocols", Text(), "", "Versions to speak; empty for TLSv1.2 TLSv1.3."),
    Option("tls-ciphers", Text(), "", "Ciphers of TLS 1.2 as OpenSSL names them; empty for its default."),
    Option("tls-prefer-server-ciphers", Boolean(), "no", "The server's order of ciphers counts."),
    Option("tls-session-caching", Boolean(), "yes", "Let clients that come back begin faster."),
    *in_state(
        State.FIXED,
        Option(
            "tls-ciphersuites",
            Text(),
            "",
            "Cipher suites of TLS 1.3: OpenSSL's default.",
            why="the ssl module of Python cannot choose cipher suites of TLS 1.3",
        ),
    ),
    *in_state(
        State.IGNORED,
        Option("tls-session-cache-size", Integer(0, INT_MAX), "20480", "OpenSSL decides."),
        Option("tls-session-cache-timeout", Integer(0, INT_MAX), "300", "OpenSSL decides."),
    ),
)
