"""What a stream with consumer groups holds, as the content that writers compare (``writer_collections.py``).

It is what does not depend on the clock: a time that a claim names is part of it, one that the server takes
from its clock is just ``now``.  IDs are ``n-0``.  The content is a line for each thing::

    last n, deleted n, added n           the counters of the stream; it stays when it is empty
    entry n value
    group name n                         the last ID that was delivered
    consumer group name
    pending group n consumer time deliveries
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from tests.support.client import Word

READ: Final[tuple[Word, ...]] = ("FULL", "COUNT", 0)
NOW: Final = b"now"
TOLD_MS_MAX: Final = 10**12  # times that claims name are before 2001, those of the clock after it


@dataclass(slots=True)
class Delivery:
    """An entry that is pending."""

    consumer: bytes
    time: bytes
    count: int


@dataclass(slots=True)
class GroupModel:
    """A group: the last entry delivered, the consumers there are, and what is pending."""

    last: int
    consumers: set[bytes] = field(default_factory=set)
    pending: dict[int, Delivery] = field(default_factory=dict)


@dataclass(slots=True)
class StreamModel:
    """A stream; ``entries`` are in the order of their IDs."""

    last: int = 0
    deleted: int = 0
    added: int = 0
    entries: dict[int, bytes] = field(default_factory=dict)
    groups: dict[bytes, GroupModel] = field(default_factory=dict)

    @classmethod
    def parse(cls, content: bytes) -> StreamModel:
        """The stream with this content; a new one if there is none."""
        made = cls()
        for line in content.split(b"\n") if content else ():
            match line.split(b" "):
                case b"entry", number, value:
                    made.entries[int(number)] = value
                case b"group", name, number:
                    made.groups[name] = GroupModel(int(number))
                case b"consumer", group, name:
                    made.groups[group].consumers.add(name)
                case b"pending", group, number, consumer, time, count:
                    made.groups[group].pending[int(number)] = Delivery(consumer, time, int(count))
                case b"last", number:
                    made.last = int(number)
                case b"deleted", number:
                    made.deleted = int(number)
                case b"added", number:
                    made.added = int(number)
                case _:
                    raise AssertionError(f"no line of a stream: {line!r}")
        return made

    def content(self) -> bytes:
        """What :meth:`parse` reads."""
        lines = [b"last %d" % self.last, b"deleted %d" % self.deleted, b"added %d" % self.added]
        lines += [b"entry %d %b" % entry for entry in sorted(self.entries.items())]
        for name, group in sorted(self.groups.items()):
            lines.append(b"group %b %d" % (name, group.last))
            lines += [b"consumer %b %b" % (name, consumer) for consumer in sorted(group.consumers)]
            lines += [
                b"pending %b %d %b %b %d" % (name, number, found.consumer, found.time, found.count)
                for number, found in sorted(group.pending.items())
            ]
        return b"\n".join(lines)


def read_stream(reply: Any) -> bytes:
    """The content from the reply of XINFO STREAM with :data:`READ`."""
    fields = dict(zip(reply[::2], reply[1::2], strict=True))
    model = StreamModel(
        _number(fields[b"last-generated-id"]),
        _number(fields[b"max-deleted-entry-id"]),
        fields[b"entries-added"],
        {_number(entry): pairs[1] for entry, pairs in fields[b"entries"]},
    )
    assert fields[b"length"] == len(model.entries)
    for raw in fields[b"groups"]:
        named = dict(zip(raw[::2], raw[1::2], strict=True))
        group = model.groups[named[b"name"]] = GroupModel(_number(named[b"last-delivered-id"]))
        owned: list[tuple[int, bytes]] = []
        for parts in named[b"consumers"]:
            consumer = dict(zip(parts[::2], parts[1::2], strict=True))
            group.consumers.add(consumer[b"name"])
            assert consumer[b"pel-count"] == len(consumer[b"pending"])
            owned += [(_number(row[0]), consumer[b"name"]) for row in consumer[b"pending"]]
        for entry, consumer_name, time_ms, count in named[b"pending"]:
            time = b"%d" % time_ms if time_ms < TOLD_MS_MAX else NOW
            group.pending[_number(entry)] = Delivery(consumer_name, time, count)
        assert named[b"pel-count"] == len(group.pending)
        assert sorted(owned) == [(number, group.pending[number].consumer) for number in sorted(group.pending)]
    return model.content()


def _number(entry_id: bytes) -> int:
    return int(entry_id.split(b"-")[0])
