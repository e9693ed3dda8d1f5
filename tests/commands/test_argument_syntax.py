"""The notation of arguments in the documentation files."""

from __future__ import annotations

import pytest

from durable_redis.commands.argument_syntax import Argument, parse_arguments


def token(name: str, **facts: str) -> Argument:
    return Argument(name.lower(), "pure-token", token=name, **facts)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("value", [Argument("value")]),
        ("key@1*", [Argument("key", "key", key_spec_index=1, flags=["multiple"])]),
        ("BY=pattern:pattern@1", [Argument("pattern", "pattern", key_spec_index=1, token="BY")]),
        ("GET?^6.2.0", [token("GET", since="6.2.0")]),
        ("ip:port!2.8.12", [Argument("ip:port", deprecated_since="2.8.12")]),
        ('""=empty_string:token', [Argument("empty_string", "pure-token", token="")]),
        ("EX=seconds:int", [Argument("seconds", "integer", token="EX")]),
        ("a:double b:time", [Argument("a", "double"), Argument("b", "unix-time")]),
        ("NO-EVICT", [token("NO-EVICT")]),
        ("GET=g{a}**", [Argument("g", "block", token="GET", arguments=[Argument("a")])]),
        ("m(A | b{c d})", [Argument("m", "oneof", arguments=[token("A"), Argument("b", "block")])]),
    ],
)
def test_notation(text: str, expected: list[Argument]) -> None:
    found = parse_arguments(text)
    if text.startswith("GET?"):
        expected[0].flags = ["optional"]
    if text.endswith("**"):
        expected[0].flags = ["multiple", "multiple_token"]
    if text.startswith("m("):
        expected[0].arguments[1].arguments = [Argument("c"), Argument("d")]
    assert found == expected


@pytest.mark.parametrize(
    "text",
    ["a(", "a{b", "a)", "(a)", "a(b c", "EX=", "|", "a | b", "a(|b)", "?", "a&b(", "{" * 20, "a{" * 20],
)
def test_what_does_not_fit_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"[a-z]"):
        parse_arguments(text)
