"""The shared packer writes what msgpack writes, whatever came before."""

from __future__ import annotations

import msgpack
import pytest

from durable_redis.objects.packer import BUFFER_BYTES_KEPT, SharedPacker


def test_packs_as_msgpack_does_one_thing_after_the_other() -> None:
    packer = SharedPacker()
    things = [[1, b"a", 2.5], [], [b"x" * (BUFFER_BYTES_KEPT + 1)], {b"k": [None, True]}, [-1, 1 << 63]]
    for thing in things * 2:
        assert packer.pack(thing) == msgpack.packb(thing)


def test_a_thing_that_cannot_be_packed_leaves_nothing_behind() -> None:
    packer = SharedPacker()
    with pytest.raises(TypeError):
        packer.pack([b"half", object()])
    assert packer.pack([1]) == msgpack.packb([1])
