"""Is a backend consistent in itself?  The beginnings of a checker for data directories.

What must hold at every checkpoint, whatever happened before it: each record has its checksum; counts are
those of the records; each expiry has its index entry, and each index entry that is not yet due has its key;
the elements on disk are those of collections that have a record, as many as the record says, or of
collections that are to be swept.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from durable_redis.keyspace.libraries import name_of
from durable_redis.objects.codec import decode_value
from durable_redis.objects.collection import Collection
from durable_redis.objects.expanded import Expanded
from durable_redis.objects.hash_expanded import ExpandedHash
from durable_redis.objects.hash_timed import HasDeadlines, TimedExpandedHash
from durable_redis.objects.list_expanded import ExpandedList
from durable_redis.objects.sorted_set_expanded import ExpandedSortedSet
from durable_redis.objects.stream_expanded import ExpandedStream
from durable_redis.objects.timed_value import TimedValue
from storage.backends.base import Reader, Record
from storage.records import (
    STATE_KEY,
    State,
    decode_element,
    decode_record,
    library_range,
    parse_dead_key,
    parse_expiry_key,
    parse_key_record_key,
)

STEP_RECORDS = 1000


def walk(reader: Reader, first: bytes, end: bytes) -> Iterator[Record]:
    """All records with first <= key < end."""
    while True:
        found = reader.scan(first, end, limit=STEP_RECORDS)
        yield from found
        if len(found) < STEP_RECORDS and not reader.scan(
            found[-1][0] + b"\0" if found else first, end, limit=1
        ):
            return
        first = found[-1][0] + b"\0"


def check_backend(reader: Reader) -> list[str]:
    """What is wrong, one line each; nothing if all is well.  Raises :class:`DamagedError` for damage."""
    raw = reader.get(STATE_KEY)
    if raw is None:
        return ["there is no state record"]
    state = State.decode(raw)
    problems: list[str] = []
    keys: Counter[int] = Counter()
    expiring: dict[tuple[int, int, bytes], int] = {}
    waking: dict[tuple[int, int, bytes], int] = {}  # hashes whose fields expire
    collections: dict[int, Collection] = {}
    dying: set[int] = set()  # will be marked as dead when the record of their space is swept
    for record_key, record in walk(reader, b"K", b"L"):
        space, place, key = parse_key_record_key(record_key)
        kind, expires_ms, body = decode_record(record_key, record)
        keys[space] += 1
        if expires_ms:
            expiring[space, place, key] = expires_ms
        value = decode_value(kind, expires_ms, body, reader)
        if isinstance(value, HasDeadlines) and value.next_ms and space in state.spaces:
            waking[space, place, key] = value.next_ms
        if isinstance(value, Expanded):
            if space not in state.spaces:
                dying.add(value.number)
                continue
            if value.number in collections:
                problems.append(f"collection {value.number} belongs to two keys, one of them {key!r}")
            if value.number >= state.next_collection:
                problems.append(f"collection {value.number} of {key!r} has a number not given out yet")
            collections[value.number] = value
    problems += _check_counts(state, keys, expiring)
    problems += _check_expiry_index(reader, state, expiring, waking)
    problems += _check_elements(reader, collections, dying)
    for raw, record in walk(reader, *library_range()):
        if name_of(decode_element(raw, record)) != raw[1:]:
            problems.append(f"library {raw[1:]!r} has another name in its first line")
    return problems


def _check_counts(
    state: State, keys: Counter[int], expiring: dict[tuple[int, int, bytes], int]
) -> Iterator[str]:
    with_expiry = Counter(space for space, _, _ in expiring)
    for space in state.spaces:
        counted = state.counts.get(space, (0, 0))
        if counted != (keys[space], with_expiry[space]):
            found = (keys[space], with_expiry[space])
            yield f"space {space}: {counted} keys and keys with expiry are stated, {found} are there"
    for space in keys.keys() - set(state.spaces) - set(state.sweep):
        yield f"space {space} has keys, but is neither in use nor to be swept"


def _check_expiry_index(
    reader: Reader,
    state: State,
    expiring: dict[tuple[int, int, bytes], int],
    waking: dict[tuple[int, int, bytes], int],
) -> Iterator[str]:
    indexed: dict[tuple[int, int, bytes], set[int]] = {}
    for raw, _ in walk(reader, b"X", b"Y"):
        expires_ms, space, place, key = parse_expiry_key(raw)
        indexed.setdefault((space, place, key), set()).add(expires_ms)
    for which, expires_ms in expiring.items():
        if which[0] in state.spaces and expires_ms not in indexed.get(which, set()):
            yield f"key {which[2]!r} of space {which[0]} expires, but is not in the index"
    for which, wake_ms in waking.items():
        if wake_ms not in indexed.get(which, set()):
            yield f"fields of key {which[2]!r} of space {which[0]} expire, but it is not in the index"


def _check_elements(reader: Reader, collections: dict[int, Collection], dying: set[int]) -> Iterator[str]:
    dead = {parse_dead_key(raw) for raw, _ in walk(reader, b"D", b"E")}
    elements: Counter[int] = Counter()
    nodes: dict[int, set[int]] = {}
    stream_nodes: Counter[int] = Counter()
    for raw, record in walk(reader, b"E", b"F"):
        decode_element(raw, record)
        number = int.from_bytes(raw[1:9])
        if raw[9:10] == b"m":
            elements[number] += 1
        elif raw[9:10] == b"s":
            stream_nodes[number] += 1
        else:
            nodes.setdefault(number, set()).add(int.from_bytes(raw[10:18]))
    for number, collection in collections.items():
        if number in dead:
            yield f"collection {number} is in use and to be swept"
        stated = len(collection)
        if isinstance(collection, ExpandedStream):
            yield from _check_stream(collection, stream_nodes[number], nodes.get(number, set()))
            continue
        if not isinstance(collection, ExpandedList) and elements[number] != stated:
            yield f"collection {number}: {stated} elements are stated, {elements[number]} are there"
        if isinstance(collection, TimedExpandedHash):
            yield from _check_deadlines(collection, nodes.get(number, set()))
        elif nodes.get(number) and isinstance(collection, ExpandedHash):
            yield f"collection {number} has nodes, but no field of it expires"
        if isinstance(collection, ExpandedList | ExpandedSortedSet):
            yield from _check_tree(collection, nodes.get(number, set()))
    for number in (elements.keys() | nodes.keys() | stream_nodes.keys()) - collections.keys() - dead - dying:
        yield f"collection {number} has elements, but no key and is not to be swept"


def _check_deadlines(collection: TimedExpandedHash, nodes: set[int]) -> Iterator[str]:
    tree, number = collection.tree, collection.number
    if tree.reachable() != nodes:
        yield f"collection {number}: the nodes on disk are not those of the order of its deadlines"
        return
    ordered = list(tree.slice(0, tree.count))
    stated = sorted(
        (value.deadline_ms, field)
        for field, value in collection.elements.items()
        if isinstance(value, TimedValue)
    )
    if [tuple(item) for item in ordered] != stated:
        yield f"collection {number}: the order of its deadlines is not that of its fields"
    if collection.next_ms != (stated[0][0] if stated else 0):
        yield f"collection {number}: its first deadline is not the one that is stated"


def _check_tree(collection: ExpandedList | ExpandedSortedSet, nodes: set[int]) -> Iterator[str]:
    tree, number, stated = collection.tree, collection.number, len(collection)
    if tree.reachable() != nodes:
        yield f"collection {number}: the nodes on disk are not those of its tree"
        return
    count = 0
    last: object = None
    for item in tree.slice(0, stated):
        count += 1
        if isinstance(collection, ExpandedSortedSet):
            if last is not None and item <= last:
                yield f"collection {number} is out of order at {item}"
            if collection.score(item[1]) != item[0]:
                yield f"collection {number} has another score for {item[1]!r} than its order says"
            last = item
    if count != stated:
        yield f"collection {number}: {stated} elements are stated, its tree has {count}"


def _check_stream(stream: ExpandedStream, node_count: int, nodes: set[int]) -> Iterator[str]:
    number = stream.number
    if node_count != stream.node_count:
        yield f"collection {number}: {stream.node_count} stream nodes are stated, {node_count} are there"
    outlines = list(stream.outlines())
    count = sum(outline.entries for outline in outlines)
    if (len(outlines), count) != (stream.node_count, len(stream)):
        yield f"collection {number}: {len(stream)} entries are stated, its nodes have {count}"
    ids = [id for id, _ in stream.range()]
    if ids != sorted(set(ids)) or len(ids) != count:
        yield f"collection {number}: the entries are out of order, or not as many as their nodes say"
    trees = stream.deliveries.pending, stream.deliveries.owned
    if trees[0].reachable() | trees[1].reachable() != nodes:
        yield f"collection {number}: the nodes on disk are not those of what is pending"
        return
    by_group = {(item[0], *item[1:3], item[5]) for item in trees[0].slice(0, trees[0].count)}
    by_consumer = set(trees[1].slice(0, trees[1].count))
    stated = sum(group.pending_count for group in stream.groups.values())
    if len(by_group) != stated or {(owner, ms, seq) for _, ms, seq, owner in by_group} != by_consumer:
        yield f"collection {number}: what is pending by group is not what is pending by consumer"
    for name, group in stream.groups.items():
        if len(list(group.range())) != group.pending_count:
            yield f"collection {number}: group {name!r} states {group.pending_count} pending entries"
        for consumer in group.consumers.values():
            if len(list(consumer.pending())) != consumer.pending_count:
                yield f"collection {number}: consumer {consumer.name!r} of {name!r} has another count"
