"""Replies as bytes, in RESP2 and RESP3.

The table in ``resp/replies.py`` says what each Python value becomes.  The encoder appends pieces to a
list that leaves in one send, so a large value is never copied; one dictionary look-up by type chooses the
function, and the headers and integers that nearly all replies consist of are made once.

Two rules.  A status or error is one line whatever it quotes: line ends become blanks, as in Redis.  Its
text is ``str`` whose characters stand for bytes (Latin-1), since errors quote what clients sent, in any
encoding or none.

Left out: attributes, which no command sends, and any limit on size; output buffers are the connection's.

Source: https://redis.io/docs/latest/develop/reference/protocol-spec/
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from durable_redis.errors import ProtocolError, ReplyError
from durable_redis.resp.numbers import format_double
from durable_redis.resp.replies import NULL_ARRAY, BigNumber, Encoded, Push, Reply, SetReply, Verbatim

BULK_HEADERS_MAX: Final = 16384
_INTEGERS_MAX: Final = 10_000

BULK_HEADERS: Final[list[bytes]] = [b"$%d\r\n" % length for length in range(BULK_HEADERS_MAX + 1)]
_ARRAY_HEADERS: Final[list[bytes]] = [b"*%d\r\n" % length for length in range(1025)]
_INTEGERS: Final[list[bytes]] = [b":%d\r\n" % value for value in range(_INTEGERS_MAX)]
_MARKER_TYPE: Final[type] = type(NULL_ARRAY)
_LINE_ENDS_TO_BLANKS: Final = bytes.maketrans(b"\r\n", b"  ")

_Encode = Callable[[Any, int, list[bytes]], None]


def bulk_header(length: int) -> bytes:
    """The line before a bulk string of ``length`` bytes."""
    return BULK_HEADERS[length] if length <= BULK_HEADERS_MAX else b"$%d\r\n" % length


def encode(reply: Reply, protocol: int, out: list[bytes]) -> None:
    """Append the bytes of ``reply`` for RESP ``protocol`` (2 or 3) to ``out``, in one or more pieces.

    Raises TypeError for a value that is no reply; then ``out`` may hold a part of it.
    """
    kind = type(reply)
    if kind is bytes:
        length = len(reply)
        header = BULK_HEADERS[length] if length <= BULK_HEADERS_MAX else b"$%d\r\n" % length
        out += (header, reply, b"\r\n")
        return
    (_ENCODERS.get(kind) or _inherited(kind))(reply, protocol, out)


def encode_bytes(reply: Reply, protocol: int) -> bytes:
    """The bytes of ``reply`` for RESP ``protocol`` (2 or 3)."""
    out: list[bytes] = []
    encode(reply, protocol, out)
    return b"".join(out)


def one_line(text: str) -> bytes:
    """The bytes of a status or error text, with line ends as blanks."""
    try:
        raw = text.encode("latin-1")
    except UnicodeEncodeError:
        raw = text.encode("utf-8", "surrogateescape")
    return raw.translate(_LINE_ENDS_TO_BLANKS)


def _bulk(reply: bytes | bytearray, _protocol: int, out: list[bytes]) -> None:
    out += (bulk_header(len(reply)), bytes(reply), b"\r\n")


def _null(_reply: None, protocol: int, out: list[bytes]) -> None:
    out.append(b"$-1\r\n" if protocol == 2 else b"_\r\n")


def _marker(reply: object, protocol: int, out: list[bytes]) -> None:
    """NULL_ARRAY; the other marker, NO_REPLY, is nothing on the wire."""
    if reply is NULL_ARRAY:
        out.append(b"*-1\r\n" if protocol == 2 else b"_\r\n")


def _status(reply: str, _protocol: int, out: list[bytes]) -> None:
    out.append(b"+OK\r\n" if reply == "OK" else b"+%b\r\n" % one_line(reply))


def _error(reply: Exception, _protocol: int, out: list[bytes]) -> None:
    out.append(b"-%b\r\n" % one_line(str(reply).rstrip("\r\n")))


def _boolean(reply: bool, protocol: int, out: list[bytes]) -> None:
    if protocol == 2:
        out.append(b":1\r\n" if reply else b":0\r\n")
    else:
        out.append(b"#t\r\n" if reply else b"#f\r\n")


def _integer(reply: int, _protocol: int, out: list[bytes]) -> None:
    out.append(_INTEGERS[reply] if 0 <= reply < _INTEGERS_MAX else b":%d\r\n" % reply)


def _double(reply: float, protocol: int, out: list[bytes]) -> None:
    text = format_double(reply)
    out.append(b"%b%b\r\n" % (BULK_HEADERS[len(text)], text) if protocol == 2 else b",%b\r\n" % text)


def _big_number(reply: BigNumber, protocol: int, out: list[bytes]) -> None:
    text = b"%d" % reply
    out.append(b"%b%b\r\n" % (bulk_header(len(text)), text) if protocol == 2 else b"(%b\r\n" % text)


def _verbatim(reply: Verbatim, protocol: int, out: list[bytes]) -> None:
    if protocol == 2:
        out += (bulk_header(len(reply.text)), reply.text, b"\r\n")
    else:
        out += (b"=%d\r\n%b:" % (len(reply.text) + 4, reply.kind), reply.text, b"\r\n")


def _items(items: list[Any] | tuple[Any, ...], protocol: int, out: list[bytes]) -> None:
    """The elements of a collection; strings, by far the most common ones, without a call each."""
    find = _ENCODERS.get
    for item in items:
        kind = type(item)
        if kind is bytes:
            length = len(item)
            header = BULK_HEADERS[length] if length <= BULK_HEADERS_MAX else b"$%d\r\n" % length
            out += (header, item, b"\r\n")
        else:
            (find(kind) or _inherited(kind))(item, protocol, out)


def _array(reply: list[Any] | tuple[Any, ...], protocol: int, out: list[bytes]) -> None:
    length = len(reply)
    out.append(_ARRAY_HEADERS[length] if length <= 1024 else b"*%d\r\n" % length)
    _items(reply, protocol, out)


def _set(reply: SetReply, protocol: int, out: list[bytes]) -> None:
    out.append((b"*%d\r\n" if protocol == 2 else b"~%d\r\n") % len(reply))
    _items(reply, protocol, out)


def _push(reply: Push, protocol: int, out: list[bytes]) -> None:
    out.append((b"*%d\r\n" if protocol == 2 else b">%d\r\n") % len(reply))
    _items(reply, protocol, out)


def _map(reply: dict[Any, Any], protocol: int, out: list[bytes]) -> None:
    out.append(b"*%d\r\n" % (2 * len(reply)) if protocol == 2 else b"%%%d\r\n" % len(reply))
    for pair in reply.items():
        _items(pair, protocol, out)


def _encoded(reply: Encoded, _protocol: int, out: list[bytes]) -> None:
    out.append(reply)


def _inherited(kind: type) -> _Encode:
    """The encoder of the nearest base class, for enumerations and other subclasses of reply types."""
    for base in kind.__mro__:
        encoder = _ENCODERS.get(base)
        if encoder is not None:
            return encoder
    raise TypeError(f"{kind.__name__} is not a reply")


_ENCODERS: Final[dict[type, _Encode]] = {
    bytes: _bulk,
    bytearray: _bulk,
    type(None): _null,
    _MARKER_TYPE: _marker,
    str: _status,
    ReplyError: _error,
    ProtocolError: _error,
    bool: _boolean,
    int: _integer,
    float: _double,
    BigNumber: _big_number,
    Verbatim: _verbatim,
    list: _array,
    tuple: _array,
    SetReply: _set,
    Push: _push,
    dict: _map,
    Encoded: _encoded,
}
