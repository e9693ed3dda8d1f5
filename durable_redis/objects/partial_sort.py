"""The first elements in order, with equal ones placed as Redis places them.

Where a search wants only some of what it found, Redis sorts just the part of the array that will be shown,
by a quicksort that leaves equal elements in an order of its own.  To name the same elements as Redis does,
the same exchanges have to be made: it is the sort of Bentley and McIlroy, "Engineering a Sort Function"
(Software: Practice and Experience 23, 1993), which goes on only into parts that reach into the wanted range.

Where no wanted element has an equal, any sort gives the same, and the interpreter's own is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, TypeVar

TIES_MAX: Final = 20_000  # elements; of more than that, equal ones are named in the order they were found in

_T = TypeVar("_T")


def first_in_order(items: Sequence[_T], key: Callable[[_T], float], count: int) -> list[_T]:
    """The ``count`` items with the lowest keys, lowest first; stable if that is all of them."""
    in_order = sorted(items, key=key)
    if count >= len(in_order):
        return in_order
    keys = list(map(key, in_order[: count + 1]))
    if len(items) > TIES_MAX or len(set(keys)) == len(keys):
        return in_order[:count]
    array = list(items)
    _sort(array, list(map(key, items)), 0, len(array), count - 1)
    return array[:count]


def _sort(array: list[_T], keys: list[float], start: int, stop: int, last: int) -> None:
    """Sort ``array[start:stop]``, as far as indexes up to ``last`` depend on it."""
    while stop - start >= 7:
        _swap(array, keys, start, _pivot(keys, start, stop - start))
        below, above = _partition(array, keys, start, stop)
        if below > 1 and start <= last:
            _sort(array, keys, start, start + below, last)
        start = stop - above
        if above <= 1 or start > last:
            return
    for at in range(start + 1, stop):
        while at > start and keys[at - 1] > keys[at]:
            _swap(array, keys, at - 1, at)
            at -= 1


def _swap(array: list[_T], keys: list[float], one: int, other: int) -> None:
    array[one], array[other] = array[other], array[one]
    keys[one], keys[other] = keys[other], keys[one]


def _pivot(keys: list[float], start: int, size: int) -> int:
    """The index of the middle element, of a median of three, or of three such medians."""
    middle = start + size // 2
    if size == 7:
        return middle
    low, high = start, start + size - 1
    if size > 40:
        step = size // 8
        low = _median(keys, low, low + step, low + 2 * step)
        middle = _median(keys, middle - step, middle, middle + step)
        high = _median(keys, high - 2 * step, high - step, high)
    return _median(keys, low, middle, high)


def _median(keys: list[float], a: int, b: int, c: int) -> int:
    if keys[a] < keys[b]:
        return b if keys[b] < keys[c] else c if keys[a] < keys[c] else a
    return b if keys[b] > keys[c] else a if keys[a] < keys[c] else c


def _partition(array: list[_T], keys: list[float], start: int, stop: int) -> tuple[int, int]:
    """Part by the first element; how many are below it, and above it.

    Equal elements are gathered at both ends first, and then exchanged into the middle.
    """
    pivot = keys[start]
    equal_low = low = start + 1
    equal_high = high = stop - 1
    while True:
        while low <= high and keys[low] <= pivot:
            if keys[low] == pivot:
                _swap(array, keys, equal_low, low)
                equal_low += 1
            low += 1
        while low <= high and keys[high] >= pivot:
            if keys[high] == pivot:
                _swap(array, keys, high, equal_high)
                equal_high -= 1
            high -= 1
        if low > high:
            break
        _swap(array, keys, low, high)
        low += 1
        high -= 1
    below, above = low - equal_low, equal_high - high
    for number in range(min(equal_low - start, below)):
        _swap(array, keys, start + number, low - min(equal_low - start, below) + number)
    count = min(above, stop - 1 - equal_high)
    for number in range(count):
        _swap(array, keys, low + number, stop - count + number)
    return below, above
