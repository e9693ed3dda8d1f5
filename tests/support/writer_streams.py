"""Random writes to a stream and its consumer groups, and what it holds afterwards (``stream_model.py``).

Every command that changes a stream is among them, with its options, as far as what it leaves can be told
without the server: ``~`` trims as the nodes happen to lie, so it is not.  Whether the model tells it right is
compared with redis-server in ``tests/durability/test_writers.py``.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, Final

from tests.support.client import Word
from tests.support.stream_model import NOW, TOLD_MS_MAX, Delivery, GroupModel, StreamModel

PENDING_PER_ENTRY: Final = 2  # so many entries of a group may be pending for each that a stream may have
GROUPS: Final = (b"g", b"h")
CONSUMERS: Final = (b"a", b"b", b"c")


def change_stream(
    key: bytes, content: bytes, mark: bytes, rng: random.Random, entries_max: int
) -> tuple[list[Word], bytes | None]:
    """A random write to a stream, and its content afterwards; None if there is still none."""
    change = StreamChange(key, StreamModel.parse(content), mark, rng, entries_max)
    words = change.draw(exists=bool(content))
    return words, change.model.content() if content or change.makes_it else None


class StreamChange:
    """One random write.  Each method is a command: it gives the words and changes the model."""

    def __init__(
        self, key: bytes, model: StreamModel, mark: bytes, rng: random.Random, entries_max: int
    ) -> None:
        self.key = key
        self.model = model
        self.mark = mark
        self.rng = rng
        self.entries_max = entries_max
        self.makes_it = True
        self._name, self._group = b"", GroupModel(0)

    def draw(self, exists: bool) -> list[Word]:
        """Some command that the stream allows as it is."""
        rng, model = self.rng, self.model
        if not exists:
            return rng.choice((self.add, self.add, self.create_group, self.add_to_none))()
        if len(model.entries) >= self.entries_max:
            return rng.choice((self.trim, self.add_and_trim))()
        if not model.groups or (len(model.groups) < len(GROUPS) and rng.random() < 0.05):
            return rng.choice((self.add, self.create_group))()
        self._name = rng.choice(sorted(model.groups))
        self._group = model.groups[self._name]
        if len(self._group.pending) >= PENDING_PER_ENTRY * self.entries_max:
            return rng.choice((self.destroy_group, self.delete_consumer, self.claim_many, self.acknowledge))()
        return rng.choices(_COMMANDS, _WEIGHTS)[0](self)

    # -- entries ---------------------------------------------------------------------------------------------

    def add(self) -> list[Word]:
        """XADD."""
        return ["XADD", self.key, *self._add()]

    def add_to_none(self) -> list[Word]:
        """XADD where there is no stream and is not to be one."""
        self.makes_it = False
        return ["XADD", self.key, "NOMKSTREAM", "1-0", "f", self.mark]

    def add_and_trim(self) -> list[Word]:
        """XADD that takes others away."""
        added = self._add()
        return ["XADD", self.key, *self._trim(), *added]

    def delete(self) -> list[Word]:
        """XDEL of some that are there and one that may not be."""
        numbers = self._some(self.model.entries, 3)
        numbers.append(self.rng.randrange(self.model.last + 2))
        for number in numbers:
            if self.model.entries.pop(number, None) is not None:
                self.model.deleted = max(self.model.deleted, number)
        return ["XDEL", self.key, *map(_id, numbers)]

    def trim(self) -> list[Word]:
        """XTRIM."""
        return ["XTRIM", self.key, *self._trim()]

    def set_id(self) -> list[Word]:
        """XSETID; the counters are never below what is there."""
        model, rng = self.model, self.rng
        model.last += rng.randrange(3)
        words: list[Word] = ["XSETID", self.key, _id(model.last)]
        if rng.random() < 0.7:
            model.added = len(model.entries) + rng.randrange(1000)
            model.deleted = rng.randint(1, model.last) if model.last else 0
            words += ["ENTRIESADDED", model.added, "MAXDELETEDID", _id(model.deleted)]
        return words

    def _add(self) -> list[Word]:
        model = self.model
        model.last += self.rng.randint(1, 3)
        model.added += 1
        model.entries[model.last] = self.mark
        return [_id(model.last), "f", self.mark]

    def _trim(self) -> list[Word]:
        entries, rng = self.model.entries, self.rng
        numbers = sorted(entries)
        if rng.random() < 0.5:
            kept = rng.randint(self.entries_max // 4, self.entries_max)
            for number in numbers[: max(0, len(numbers) - kept)]:
                del entries[number]
            return ["MAXLEN", *(("=",) if rng.random() < 0.5 else ()), kept]
        least = rng.choice(numbers[: max(1, len(numbers) // 3)]) if numbers else 0
        for number in numbers:
            if number < least:
                del entries[number]
        return ["MINID", *(("=",) if rng.random() < 0.5 else ()), _id(least)]

    # -- groups ----------------------------------------------------------------------------------------------

    def create_group(self) -> list[Word]:
        """XGROUP CREATE of one that is not there."""
        model, rng = self.model, self.rng
        name = rng.choice([name for name in GROUPS if name not in model.groups])
        last, word = rng.choice(((0, "0"), (model.last, "$"), (model.last // 2, _id(model.last // 2))))
        model.groups[name] = GroupModel(last)
        read = ("ENTRIESREAD", rng.randrange(9)) if rng.random() < 0.3 else ()
        return ["XGROUP", "CREATE", self.key, name, word, "MKSTREAM", *read]

    def set_group_id(self) -> list[Word]:
        """XGROUP SETID, mostly back, so that entries are delivered again."""
        self._group.last = self.rng.randrange(self.model.last + 1)
        return ["XGROUP", "SETID", self.key, self._name, _id(self._group.last)]

    def destroy_group(self) -> list[Word]:
        """XGROUP DESTROY."""
        del self.model.groups[self._name]
        return ["XGROUP", "DESTROY", self.key, self._name]

    def create_consumer(self) -> list[Word]:
        """XGROUP CREATECONSUMER."""
        return ["XGROUP", "CREATECONSUMER", self.key, self._name, self._consumer()]

    def delete_consumer(self) -> list[Word]:
        """XGROUP DELCONSUMER, which forgets what is pending for it."""
        group, name = self._group, self.rng.choice(CONSUMERS)
        group.consumers.discard(name)
        for number in [number for number, found in group.pending.items() if found.consumer == name]:
            del group.pending[number]
        return ["XGROUP", "DELCONSUMER", self.key, self._name, name]

    # -- deliveries ------------------------------------------------------------------------------------------

    def read_new(self) -> list[Word]:
        """XREADGROUP of entries that were not delivered."""
        group, rng = self._group, self.rng
        consumer, count = rng.choice(CONSUMERS), rng.randint(1, max(2, self.entries_max // 10))
        silent = rng.random() < 0.1
        for number in sorted(number for number in self.model.entries if number > group.last)[:count]:
            group.last = number
            group.consumers.add(consumer)  # nothing to read makes none
            if not silent:
                group.pending[number] = Delivery(consumer, NOW, 1)
        option = ("NOACK",) if silent else ()
        head: list[Word] = ["XREADGROUP", "GROUP", self._name, consumer, "COUNT", count]
        return [*head, *option, "STREAMS", self.key, ">"]

    def read_again(self) -> list[Word]:
        """XREADGROUP of what is pending for a consumer."""
        group, rng = self._group, self.rng
        consumer, count = self._consumer(), rng.randint(1, 5)
        after = rng.randrange(self.model.last + 1)
        mine = [number for number, found in group.pending.items() if found.consumer == consumer]
        for number in sorted(number for number in mine if number > after)[:count]:
            if number in self.model.entries:
                found = group.pending[number]
                found.time, found.count = NOW, found.count + 1
        head: list[Word] = ["XREADGROUP", "GROUP", self._name, consumer, "COUNT", count]
        return [*head, "STREAMS", self.key, _id(after)]

    def acknowledge(self) -> list[Word]:
        """XACK of some that are pending and one that may not be."""
        numbers = self._some(self._group.pending, 6)
        numbers.append(self.rng.randrange(self.model.last + 2))
        for number in numbers:
            self._group.pending.pop(number, None)
        return ["XACK", self.key, self._name, *map(_id, numbers)]

    def claim(self) -> list[Word]:
        """XCLAIM with some of its options."""
        group, model, rng = self._group, self.model, self.rng
        name = rng.choice(CONSUMERS)
        numbers = list(dict.fromkeys(self._some(group.pending, 4) + self._some(model.entries, 1)))
        numbers = numbers or [model.last + 1]
        words: list[Word] = ["XCLAIM", self.key, self._name, name, 0, *map(_id, numbers)]
        time, count = NOW, None
        if rng.random() < 0.5:
            time = b"%d" % rng.randrange(TOLD_MS_MAX)
            words += ["TIME", time]
        if rng.random() < 0.3:
            count = rng.randrange(9)
            words += ["RETRYCOUNT", count]
        force, just_id = rng.random() < 0.3, rng.random() < 0.3
        words += [*(("FORCE",) if force else ()), *(("JUSTID",) if just_id else ())]
        if rng.random() < 0.2:
            last = rng.randrange(model.last + 1)
            group.last = max(group.last, last)
            words += ["LASTID", _id(last)]
        for number in numbers:
            self._take(number, name, time, count, force, just_id)
        return words

    def claim_many(self) -> list[Word]:
        """XAUTOCLAIM."""
        group, rng = self._group, self.rng
        name, count, just_id = rng.choice(CONSUMERS), rng.randint(1, 8), rng.random() < 0.3
        start = rng.randrange(self.model.last + 1)
        for number in sorted(number for number in group.pending if number >= start)[:count]:
            self._take(number, name, NOW, None, False, just_id)
        words: list[Word] = ["XAUTOCLAIM", self.key, self._name, name, 0, _id(start), "COUNT", count]
        return [*words, *(("JUSTID",) if just_id else ())]

    def _take(
        self, number: int, name: bytes, time: bytes, count: int | None, force: bool, just_id: bool
    ) -> None:
        """One entry of a claim; one that is not in the stream any more is not pending any more."""
        group = self._group
        if number not in self.model.entries:
            group.pending.pop(number, None)
            return
        found = group.pending.get(number)
        if found is None and not force:
            return
        before = 1 if found is None else found.count
        group.pending[number] = Delivery(name, time, before + (not just_id) if count is None else count)
        group.consumers.add(name)

    def _consumer(self) -> bytes:
        """A consumer that is there when the command is through."""
        name = self.rng.choice(CONSUMERS)
        self._group.consumers.add(name)
        return name

    def _some(self, numbers: dict[int, Any], count_max: int) -> list[int]:
        """Some of these, in no order; none of none."""
        return self.rng.sample(sorted(numbers), min(len(numbers), self.rng.randint(1, count_max)))


def _id(number: int) -> str:
    return f"{number}-0"


_TABLE: Final[tuple[tuple[Callable[[StreamChange], list[Word]], int], ...]] = (
    (StreamChange.add, 120),
    (StreamChange.add_and_trim, 5),
    (StreamChange.delete, 15),
    (StreamChange.trim, 3),
    (StreamChange.set_id, 5),
    (StreamChange.set_group_id, 6),
    (StreamChange.destroy_group, 1),
    (StreamChange.create_consumer, 5),
    (StreamChange.delete_consumer, 2),
    (StreamChange.read_new, 60),
    (StreamChange.read_again, 12),
    (StreamChange.acknowledge, 24),
    (StreamChange.claim, 24),
    (StreamChange.claim_many, 12),
)
_COMMANDS: Final = tuple(command for command, _ in _TABLE)
_WEIGHTS: Final = tuple(weight for _, weight in _TABLE)
