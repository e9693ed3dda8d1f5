"""Words of configuration lines: splitting, quoting, and that one undoes the other."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from durable_redis.config.words import (
    UnbalancedQuotes,
    quote,
    quote_if_needed,
    split_words,
    to_bytes,
    to_text,
)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("", []),
        ("  \t ", []),
        ("timeout 5", ["timeout", "5"]),
        ("  timeout\t 5  ", ["timeout", "5"]),
        ('save ""', ["save", ""]),
        ('a "b c" d', ["a", "b c", "d"]),
        ("a 'b \"c' d", ["a", 'b "c', "d"]),
        ("a 'it\\'s' b", ["a", "it's", "b"]),
        ("a 'x\\n' b", ["a", "x\\n", "b"]),
        ('a "\\x41\\n\\t\\"\\\\\\q\\xzz"', ["a", 'A\n\t"\\qxzz']),
        ('"timeout" 5', ["timeout", "5"]),
        ('ab"c d"', ["abc d"]),
        ("a # b", ["a", "#", "b"]),
        ('a "\\xff"', ["a", "\udcff"]),
        ("a é", ["a", "é"]),
    ],
)
def test_split(line: str, words: list[str]) -> None:
    assert split_words(line) == words


@pytest.mark.parametrize("line", ['a "b', "a 'b", 'a "b"c', "a 'b'c", 'a "b\\"', '"'])
def test_unbalanced_quotes(line: str) -> None:
    with pytest.raises(UnbalancedQuotes):
        split_words(line)


@given(st.lists(st.binary(max_size=12)))
def test_quoted_words_come_back(raw: list[bytes]) -> None:
    words = [to_text(word) for word in raw]
    assert split_words(" ".join(map(quote, words))) == words
    assert split_words(" ".join(map(quote_if_needed, words))) == words
    assert [to_bytes(word) for word in words] == raw


@given(st.binary(max_size=40))
def test_any_line_gives_words_or_the_error(raw: bytes) -> None:
    try:
        words = split_words(to_text(raw))
    except UnbalancedQuotes:
        return
    assert all(isinstance(word, str) for word in words)


def test_plain_words_stay_bare() -> None:
    assert quote_if_needed("127.0.0.1") == "127.0.0.1"
    assert quote_if_needed("#a") == '"#a"'
    assert quote_if_needed("") == '""'
