"""Requests from bytes: what redis-server 7.0 understands, and its words for what it does not.

Sans-IO: the connection feeds what it received and asks for commands.  The parser owns the limits (size
and number of arguments, line length, the small limits before AUTH) and the texts of protocol errors.  It
gives the same commands however the input is cut, in linear time.  An error is final: the reply is sent
and the link closes.

As lenient as Redis where that can be seen: the byte after a line's CR and the two after a bulk string are
skipped unread, and a line with a NUL in it never ends, since Redis looks for line ends with string functions.

Left out: speed.  Whole, ordinary requests can go past this parser to a faster one.
"""

from __future__ import annotations

import re
from typing import Final, NoReturn

from durable_redis.errors import ProtocolError
from durable_redis.resp.numbers import parse_integer

BULK_BYTES_MAX: Final = 512 * 1024 * 1024  # proto-max-bulk-len
ELEMENTS_MAX: Final = 1024 * 1024
INLINE_BYTES_MAX: Final = 64 * 1024  # also the longest line that holds a length
QUERY_BUFFER_MAX: Final = 1024 * 1024 * 1024  # client-query-buffer-limit
UNAUTHENTICATED_ELEMENTS_MAX: Final = 10
UNAUTHENTICATED_BULK_BYTES_MAX: Final = 16384

_LARGE_BYTES: Final = 16384
_CR: Final = 13
_LF: Final = 10
_STAR: Final = 42
_DOLLAR: Final = 36


class RequestParser:
    """One connection's request stream.

    The limits are plain attributes that may change between two calls: ``bulk_bytes_max`` for one
    argument, ``elements_max`` for one command, ``inline_bytes_max`` for a line, and ``query_buffer_max``
    for the bytes held of the argument being received (more than ``inline_bytes_max``).  Like Redis the
    last one leaves out the command's earlier arguments; ``pending_bytes`` counts all.  Until
    ``authenticated`` a command has at most 10 arguments of 16 KiB.
    """

    __slots__ = (
        "_argv",
        "_argv_bytes",
        "_buffer",
        "_bulk_length",
        "_elements_left",
        "_endless",
        "_failure",
        "_position",
        "_scanned",
        "authenticated",
        "bulk_bytes_max",
        "elements_max",
        "inline_bytes_max",
        "query_buffer_max",
    )

    def __init__(
        self,
        *,
        bulk_bytes_max: int = BULK_BYTES_MAX,
        elements_max: int = ELEMENTS_MAX,
        inline_bytes_max: int = INLINE_BYTES_MAX,
        query_buffer_max: int = QUERY_BUFFER_MAX,
        authenticated: bool = True,
    ) -> None:
        self.bulk_bytes_max = bulk_bytes_max
        self.elements_max = elements_max
        self.inline_bytes_max = inline_bytes_max
        self.query_buffer_max = query_buffer_max
        self.authenticated = authenticated
        self._buffer = bytearray()
        self._position = 0  # parsed up to here
        self._scanned = 0  # no line end between here and the position
        self._argv: list[bytes] = []
        self._argv_bytes = 0
        self._elements_left = 0
        self._bulk_length = -1
        self._endless = False  # the current line holds a NUL
        self._failure: str | None = None

    @property
    def pending_bytes(self) -> int:
        """Bytes held here: the parsed arguments of the unfinished command, and all that is not parsed yet."""
        return self._argv_bytes + len(self._buffer) - self._position

    @property
    def mid_command(self) -> bool:
        """True when a part of a command has been parsed: the rest cannot be understood on its own."""
        return self._elements_left > 0

    @property
    def at_boundary(self) -> bool:
        """True when nothing is held here: all that was fed has come out as commands."""
        return self._elements_left == 0 and self._position == len(self._buffer)

    def feed(self, data: bytes) -> None:
        """Take in the next received bytes.  After an error they are dropped."""
        if self._failure is not None:
            return
        if self._position:
            # Cutting off the front of a bytearray moves its start, not its bytes.
            del self._buffer[: self._position]
            self._scanned = max(self._scanned - self._position, 0)
            self._position = 0
        self._buffer += data

    def take_rest(self) -> bytes:
        """Hand over the bytes that are not parsed yet, and forget them; not when :attr:`mid_command`."""
        assert not self.mid_command
        rest = bytes(self._buffer[self._position :])
        self._forget()
        return rest

    def next_command(self) -> list[bytes] | None:
        """The next command's arguments, at least one; None when more bytes are needed.

        Raises ProtocolError with the error reply's text; with an empty text where Redis closes without a
        reply.  The same error comes again at each further call.
        """
        if self._failure is not None:
            raise ProtocolError(self._failure)
        buffer = self._buffer
        while True:
            if self._elements_left == 0:
                if self._position == len(buffer):
                    self._forget()
                    return None
                if buffer[self._position] != _STAR:
                    argv = self._read_inline()
                    if argv is None:
                        return None
                    if argv:
                        return argv
                    continue
                if not self._read_element_count():
                    return None
                continue  # with a count of zero or less there is no command: skip it
            if not self._read_arguments():
                return None
            argv = self._argv
            self._argv = []
            self._argv_bytes = 0
            return argv

    def _read_inline(self) -> list[bytes] | None:
        """Read a command that is a line of words."""
        end = self._find_line_end(_LF, "too big inline request")
        if end < 0:
            return None
        start = self._position
        if self._holds_nul(start, end, "too big inline request"):
            return None
        stop = end - 1 if end > start and self._buffer[end - 1] == _CR else end
        argv = split_words(bytes(self._buffer[start:stop]))
        if argv is None:
            self._fail("unbalanced quotes in request")
        self._start_line(end + 1)
        return argv

    def _read_element_count(self) -> bool:
        """Read a line ``*<count>``; False when more bytes are needed."""
        too_big = "too big mbulk count string"
        end = self._find_line_end(_CR, too_big)
        if end < 0 or end + 2 > len(self._buffer):
            return False
        count = parse_integer(bytes(self._buffer[self._position + 1 : end]))
        if count is None and self._holds_nul(self._position, end, too_big):
            return False
        if count is None or count > self.elements_max:
            self._fail("invalid multibulk length")
        if count > UNAUTHENTICATED_ELEMENTS_MAX and not self.authenticated:
            self._fail("unauthenticated multibulk length")
        self._start_line(end + 2)
        self._elements_left = max(count, 0)
        return True

    def _read_arguments(self) -> bool:
        """Read the arguments that are still missing; False when more bytes are needed."""
        buffer = self._buffer
        argv = self._argv
        while self._elements_left:
            if self._bulk_length < 0 and not self._read_bulk_length():
                return False
            length = self._bulk_length
            start = self._position
            available = len(buffer) - start
            if min(available, length + 2) > self.query_buffer_max:
                self._close("")  # Redis says nothing
            if available < length + 2:
                return False
            end = start + length
            if length < _LARGE_BYTES:
                argv.append(bytes(buffer[start:end]))
            else:
                with memoryview(buffer) as view:
                    argv.append(bytes(view[start:end]))
                # The command will run while the buffer waits, so it must not hold a second copy.
                del buffer[: end + 2]
                end = -2
            self._argv_bytes += length
            self._elements_left -= 1
            self._bulk_length = -1
            self._start_line(end + 2)
        return True

    def _read_bulk_length(self) -> bool:
        """Read a line ``$<length>``; False when more bytes are needed."""
        too_big = "too big bulk count string"
        end = self._find_line_end(_CR, too_big)
        if end < 0 or end + 2 > len(self._buffer):
            return False
        start = self._position
        sigil = self._buffer[start]
        length = parse_integer(bytes(self._buffer[start + 1 : end]))
        if (sigil != _DOLLAR or length is None) and self._holds_nul(start, end, too_big):
            return False
        if sigil != _DOLLAR:
            self._fail(f"expected '$', got '{' ' if sigil in (_CR, _LF) else chr(sigil)}'")
        if length is None or not 0 <= length <= self.bulk_bytes_max:
            self._fail("invalid bulk length")
        if length > UNAUTHENTICATED_BULK_BYTES_MAX and not self.authenticated:
            self._fail("unauthenticated bulk length")
        self._start_line(end + 2)
        self._bulk_length = length
        return True

    def _find_line_end(self, end_byte: int, too_big: str) -> int:
        """Where ``end_byte`` ends the current line, or -1; fails when the line is too long."""
        start = self._position
        # A line may be as long as the limit, its end not counted, in whatever pieces it arrives.
        stop = start + self.inline_bytes_max + 1
        found = -1
        if not self._endless:
            found = self._buffer.find(end_byte, max(self._scanned, start), stop)
        if found < 0 and len(self._buffer) >= stop:
            self._fail(too_big)
        self._scanned = found if found >= 0 else len(self._buffer)
        return found

    def _holds_nul(self, start: int, end: int, too_big: str) -> bool:
        """True when a NUL hides the line's end; then only the length limit can end the line."""
        if self._buffer.find(0, start, end) < 0:
            return False
        self._endless = True
        if len(self._buffer) > start + self.inline_bytes_max:
            self._fail(too_big)
        return True

    def _start_line(self, position: int) -> None:
        self._position = position
        self._scanned = position

    def _forget(self) -> None:
        self._buffer.clear()
        self._start_line(0)
        self._endless = False

    def _fail(self, reason: str) -> NoReturn:
        self._close(f"ERR Protocol error: {reason}")

    def _close(self, text: str) -> NoReturn:
        self._failure = text
        self._argv = []
        self._argv_bytes = 0
        self._elements_left = 0
        self._bulk_length = -1
        self._forget()
        raise ProtocolError(text)


_SPECIAL: Final = re.compile(rb"[\"'\x0b\x0c]")
_BLANKS: Final = re.compile(rb"[ \t\n\r\x0b\x0c]*")
_PLAIN: Final = re.compile(rb"[^ \t\n\r\"']+")  # vertical tab and form feed separate words but do not end one
_DOUBLE_QUOTED: Final = re.compile(rb'"((?:[^"\\]|\\.)*)"(?![^ \t\n\r\x0b\x0c])', re.DOTALL)
_SINGLE_QUOTED: Final = re.compile(rb"'((?:[^'\\]|\\'|\\(?!'))*)'(?![^ \t\n\r\x0b\x0c])", re.DOTALL)
_ESCAPE: Final = re.compile(rb"\\(?:x([0-9a-fA-F]{2})|(.))", re.DOTALL)
_ESCAPED: Final = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"a": b"\a"}


def split_words(line: bytes) -> list[bytes] | None:
    """Split a line as redis-cli and inline commands do; None when a quote stays open or closes within a word.

    Double quotes know ``\\n \\r \\t \\b \\a \\xHH``, single quotes only ``\\'``.  A quote may open within a
    word, and then ends it.
    """
    if _SPECIAL.search(line) is None:
        return line.split()
    words: list[bytes] = []
    position = _end_of(_BLANKS, line, 0)
    while position < len(line):
        plain = _PLAIN.match(line, position)
        word = b""
        if plain is not None:
            word = plain[0]
            position = plain.end()
        quote = line[position : position + 1]
        if quote in (b'"', b"'"):
            quoted = (_DOUBLE_QUOTED if quote == b'"' else _SINGLE_QUOTED).match(line, position)
            if quoted is None:
                return None
            inner = quoted[1]
            word += _ESCAPE.sub(_unescape, inner) if quote == b'"' else inner.replace(b"\\'", b"'")
            position = quoted.end()
        words.append(word)
        position = _end_of(_BLANKS, line, position)
    return words


def _unescape(match: re.Match[bytes]) -> bytes:
    if match[1] is not None:
        return bytes((int(match[1], 16),))
    return _ESCAPED.get(match[2], match[2])


def _end_of(pattern: re.Pattern[bytes], line: bytes, position: int) -> int:
    match = pattern.match(line, position)
    assert match is not None  # the pattern matches nothing, too
    return match.end()
