"""How far a group has read: the number of entries from the first one ever to its last one.

XDEL makes holes, and nobody remembers where: only the greatest ID that was deleted is known.  So the count
goes on for as long as there is no hole ahead; otherwise it is worked out anew where the position allows it,
or is unknown.
"""

from __future__ import annotations

from durable_redis.objects.stream import Stream
from durable_redis.objects.stream_groups import UNKNOWN, Group
from durable_redis.objects.stream_node import ID_MIN, Entry, Id
from durable_redis.resp.numbers import INT64_MAX


def has_hole_from(stream: Stream, id: Id) -> bool:
    """Whether XDEL may have removed an entry with this ID or a greater one, of those behind the first."""
    deleted = stream.max_deleted_id
    if not len(stream) or deleted == ID_MIN or stream.first_id > deleted:
        return False
    return id <= deleted


def entries_up_to(stream: Stream, id: Id) -> int:
    """How many entries there ever were up to an ID; UNKNOWN if it cannot be said."""
    added = stream.entries_added
    if not added:
        return 0
    if not len(stream) and id <= stream.last_id:
        return added
    if id == stream.last_id:
        return added
    if id > stream.last_id:
        return UNKNOWN
    first = stream.first_id
    if stream.max_deleted_id == ID_MIN or stream.max_deleted_id < first:
        if id < first:
            return added - len(stream)
        if id == first:
            return added - len(stream) + 1
    return UNKNOWN


def read_up_to(stream: Stream, group: Group, entries: list[Entry]) -> int:
    """The group's ``entries_read`` when it has read these entries, all behind its last one."""
    count = group.entries_read
    if count != UNKNOWN and not has_hole_from(stream, entries[0][0]):
        return min(count + len(entries), INT64_MAX)
    for id, _ in entries:
        if count != UNKNOWN and not has_hole_from(stream, id):
            count = min(count + 1, INT64_MAX)
        elif stream.entries_added:
            count = entries_up_to(stream, id)
    return count


def lag(stream: Stream, group: Group) -> int | None:
    """How many entries the group has still to read; None if it cannot be said."""
    if not stream.entries_added:
        return 0
    read = group.entries_read
    if read == UNKNOWN or has_hole_from(stream, group.last_id):
        read = entries_up_to(stream, group.last_id)
    return None if read == UNKNOWN else stream.entries_added - read
