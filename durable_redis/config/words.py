"""Words of a configuration line: splitting it as redis-server does, and quoting what goes back.

A line is words between blanks.  Double quotes know ``\\n \\r \\t \\b \\a \\xHH`` and take any other escaped
byte as it is; single quotes know only ``\\'``.  A quote that closes must be followed by a blank or the
end.  Splitting works on bytes, since ``\\xHH`` may make any byte; the words are ``str`` with surrogates for
what is not UTF-8.

Comments and the meaning of words are the business of ``file.py``.
"""

from __future__ import annotations

from typing import Final

BLANKS: Final = b" \t\r\n\v\f\0"
_ESCAPES: Final = {ord("n"): 10, ord("r"): 13, ord("t"): 9, ord("b"): 8, ord("a"): 7}
_SHOWN: Final = {10: "\\n", 13: "\\r", 9: "\\t", 8: "\\b", 7: "\\a", ord('"'): '\\"', ord("\\"): "\\\\"}
_HEX: Final = frozenset(b"0123456789abcdefABCDEF")


class UnbalancedQuotes(ValueError):
    """A quote is not closed, or something follows it directly."""


def to_text(raw: bytes) -> str:
    """Bytes as text; what is not UTF-8 becomes surrogates."""
    return raw.decode("utf-8", "surrogateescape")


def to_bytes(text: str) -> bytes:
    """The bytes that :func:`to_text` made the text of."""
    return text.encode("utf-8", "surrogateescape")


def split_words(line: str) -> list[str]:
    """The words of a line; raises :class:`UnbalancedQuotes`."""
    raw = to_bytes(line)
    words: list[str] = []
    position = 0
    while True:
        while position < len(raw) and raw[position] in BLANKS:
            position += 1
        if position >= len(raw):
            return words
        word, position = _word(raw, position)
        words.append(to_text(word))


def _word(raw: bytes, position: int) -> tuple[bytes, int]:
    """The word that begins at ``position`` and the position behind it; a quote may open within a word."""
    word = bytearray()
    while position < len(raw) and raw[position] not in BLANKS:
        byte = raw[position]
        position += 1
        if byte in b"\"'":
            position = _quoted(raw, position, byte, word)
            if position < len(raw) and raw[position] not in BLANKS:
                raise UnbalancedQuotes
            break
        word.append(byte)
    return bytes(word), position


def _quoted(raw: bytes, position: int, quote_byte: int, word: bytearray) -> int:
    """Add what stands before the closing quote to ``word``; the position behind the quote."""
    double = quote_byte == ord('"')
    while position < len(raw):
        byte = raw[position]
        if byte == quote_byte:
            return position + 1
        escaped = raw[position + 1] if position + 1 < len(raw) else None
        digits = raw[position + 2 : position + 4]
        if byte != ord("\\") or escaped is None or (not double and escaped != quote_byte):
            word.append(byte)
            position += 1
        elif double and escaped == ord("x") and len(digits) == 2 and _HEX.issuperset(digits):
            word.append(int(digits, 16))
            position += 4
        else:
            word.append(_ESCAPES.get(escaped, escaped) if double else escaped)
            position += 2
    raise UnbalancedQuotes


def quote(text: str) -> str:
    """A word in double quotes such that :func:`split_words` gives it back; all bytes are printable ASCII."""
    shown = [
        _SHOWN.get(byte) or (chr(byte) if 32 <= byte < 127 else f"\\x{byte:02x}") for byte in to_bytes(text)
    ]
    return f'"{"".join(shown)}"'


def quote_if_needed(text: str) -> str:
    """A word as it may stand in a line: bare where that is the same."""
    plain = text and text.isascii() and text.isprintable() and not set(text) & set(" \"'\\#")
    return text if plain else quote(text)
