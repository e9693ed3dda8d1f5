"""Glob patterns: the two functions agree with each other, and both with KEYS of redis-server."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from durable_redis.glob import compile_glob, glob_match
from tests.support.servers import OracleServer

ALPHABET = b"aabcZ-]^\\*?[A\xff\x80\xe9\n"
PATTERNS = st.lists(st.sampled_from(ALPHABET), max_size=9).map(bytes)
TEXTS = st.lists(st.sampled_from(ALPHABET), max_size=6).map(bytes)
MANY = 400


@pytest.mark.parametrize(
    ("pattern", "text", "fits"),
    [
        (b"", b"", True),
        (b"", b"a", False),
        (b"*", b"a\nb\xff", True),
        (b"*", b"", False),
        (b"**", b"", False),
        (b"h?llo", b"hello", True),
        (b"h?llo", b"hllo", False),
        (b"h*llo", b"heeeello", True),
        (b"a*", b"a", True),
        (b"h[ae]llo", b"hallo", True),
        (b"h[^e]llo", b"hello", False),
        (b"h[z-a]llo", b"hmllo", True),
        (b"h[ae", b"ha", True),
        (b"[", b"a", False),
        (b"[^", b"a", True),
        (b"[]a", b"a", False),
        (b"[^]a", b"xa", True),
        (b"[a-]", b"`", True),
        (b"\\*", b"*", True),
        (b"\\*", b"a", False),
        (b"a\\", b"a\\", True),
        (b"[\\]]", b"]", True),
        (b"A*", b"ab", False),
        (b"[a-\xff]", b"Z", True),
        (b"[a-\xff]", b"b", False),
    ],
)
def test_patterns(pattern: bytes, text: bytes, fits: bool) -> None:
    assert glob_match(pattern, text) is fits
    assert compile_glob(pattern)(text) is (fits or pattern == b"*")


@pytest.mark.parametrize(
    ("pattern", "text", "fits"),
    [
        (b"G[E]t", b"gET", True),
        (b"get", b"GET", True),
        (b"ge*", b"GETEX", True),
        (b"[a-C]", b"b", False),  # ordered as C-a, then folded: from c to a there is nothing
        (b"[^A]", b"a", False),
        (b"[\\Z]", b"z", False),  # escaped in a class: compared as it is
        (b"[\\z]", b"z", True),
    ],
)
def test_case_is_ignored_on_request(pattern: bytes, text: bytes, fits: bool) -> None:
    assert glob_match(pattern, text, ignore_case=True) is fits
    assert compile_glob(pattern, ignore_case=True)(text) is fits


@pytest.mark.parametrize("match", [glob_match, lambda pattern, text: compile_glob(pattern)(text)])
def test_many_stars_take_no_exponential_time(match: object) -> None:
    assert callable(match)
    assert not match(b"*a" * 60 + b"b", b"a" * 2000)
    assert match(b"*a" * 60 + b"*", b"a" * 2000)


@given(PATTERNS, TEXTS, st.booleans())
@settings(max_examples=2000, deadline=None)
def test_two_ways_to_match_agree(pattern: bytes, text: bytes, ignore_case: bool) -> None:
    expected = glob_match(pattern, text, ignore_case) or pattern == b"*"
    assert compile_glob(pattern, ignore_case)(text) is expected


@pytest.mark.differential
@given(
    patterns=st.lists(PATTERNS, min_size=MANY, max_size=MANY),
    texts=st.sets(TEXTS, min_size=50, max_size=100),
)
@settings(max_examples=6, deadline=None)
def test_patterns_find_the_keys_that_they_find_in_redis(
    oracle_server: OracleServer, patterns: list[bytes], texts: set[bytes]
) -> None:
    with oracle_server.client() as client:
        client.call("FLUSHALL")
        client.pipeline([("SET", text, "1") for text in texts])
        found = client.pipeline([("KEYS", pattern) for pattern in patterns])
        client.call("FLUSHALL")
    for pattern, theirs in zip(patterns, found, strict=True):
        assert set(filter(compile_glob(pattern), texts)) == set(theirs), pattern


@pytest.mark.differential
@given(patterns=st.lists(PATTERNS, min_size=MANY, max_size=MANY))
@settings(max_examples=4, deadline=None)
def test_case_is_ignored_as_in_redis(oracle_server: OracleServer, patterns: list[bytes]) -> None:
    with oracle_server.client() as client:
        names = client.call("COMMAND", "LIST")
        asked = [("COMMAND", "LIST", "FILTERBY", "PATTERN", pattern + b"[^a-y]*") for pattern in patterns]
        found = client.pipeline(asked)
    for words, theirs in zip(asked, found, strict=True):
        assert set(filter(compile_glob(bytes(words[-1]), ignore_case=True), names)) == set(theirs), words[-1]
