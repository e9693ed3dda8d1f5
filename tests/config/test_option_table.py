"""The option table:

complete beside redis-server's, explained, read by code, and equal to the shipped file.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from durable_redis.config.command_line import parse_command_line
from durable_redis.config.config import Config
from durable_redis.config.option import State
from durable_redis.config.options import OPTIONS, by_name
from durable_redis.config.reference import render_reference
from tests.support.client import Map
from tests.support.servers import OracleServer

REPOSITORY = Path(__file__).resolve().parents[2]

DIFFERENT_DEFAULTS = {
    "appendonly": "the log is always on",
    "appendfsync": "a reply means that it is on disk",
    "bind": "nothing is opened to a network unasked",
    "port": "the test chooses the oracle's",
    "dir": "the test chooses the oracle's",
    "save": "the test switches the oracle's off",
    "enable-debug-command": "the test switches it on",
}
OURS_ONLY = {
    "backend",
    "backend-cache",
    "wal-sync-mode",
    "wal-segment-size",
    "wal-retention-bytes",
    "checkpoint-interval",
    "checkpoint-wal-bytes",
    "collection-compact-bytes",
    "collection-compact-entries",
    "disk-reserve",
    "redis-version",
}


def oracle_options(oracle: OracleServer) -> dict[str, str]:
    with oracle.client() as client:
        reply = Map(client.call("CONFIG", "GET", "*")).as_dict()
    return {name.decode(): value.decode() for name, value in reply.items()}


@pytest.mark.differential
def test_every_option_of_redis_is_here(oracle: OracleServer) -> None:
    theirs = set(oracle_options(oracle))
    ours = set(Config().names())
    assert theirs - ours == set()
    assert ours - theirs == OURS_ONLY


@pytest.mark.differential
def test_defaults_are_those_of_redis(oracle: OracleServer) -> None:
    config = Config()
    different = {name for name, value in oracle_options(oracle).items() if config.show(name) != value}
    assert different == set(DIFFERENT_DEFAULTS)


@pytest.mark.differential
def test_hidden_options_are_hidden_there_too(oracle: OracleServer) -> None:
    hidden = [option.name for option in OPTIONS if option.hidden]
    assert hidden
    with oracle.client() as client:
        for name in hidden:
            assert client.call("CONFIG", "GET", name) == [
                name.encode(),
                Config().show(name).encode(),
            ]
            assert client.call("CONFIG", "GET", f"{name}*") == []
            assert Config().get_matching([f"{name}*".encode()]) == {}


@pytest.mark.differential
def test_what_redis_refuses_to_change_is_immutable_here(oracle: OracleServer) -> None:
    table = by_name()
    with oracle.client() as client:
        for name in oracle_options(oracle):
            if name in ("enable-debug-command", "activedefrag"):
                continue
            reply = client.call("CONFIG", "SET", name, "\x01")
            client.call("CONFIG", "SET", name, Config().show(name)) if reply == b"OK" else None
            assert (b"can't set immutable config" in reply) is not table[name].mutable, name
            assert (b"can't set protected config" in reply) is table[name].protected, name


def test_every_option_is_explained() -> None:
    for option in OPTIONS:
        assert option.group, option.name
        assert option.help.endswith((".", ".)")), option.name
        assert "  " not in option.help, option.name
        assert bool(option.why) is (option.state is State.FIXED), option.name


def test_defaults_are_valid_and_shown_as_they_are_read() -> None:
    for option in OPTIONS:
        value = option.default_value()
        assert option.parse(option.words(option.kind.show(value))) == value, option.name


def test_supported_options_are_read_by_the_server() -> None:
    """An option that nobody reads would be a false promise: it is reserved or ignored until then."""
    sources = [
        path.read_text()
        for package in ("durable_redis", "storage")
        for path in (REPOSITORY / package).rglob("*.py")
        if not path.name.startswith("options")
    ]
    code = "\n".join(sources)
    unread = [
        option.name
        for option in OPTIONS
        if option.state is State.SUPPORTED and not re.search(f"[\"']{option.name}[\"']", code)
    ]
    assert unread == []


def test_the_shipped_file_is_the_table() -> None:
    shipped = (REPOSITORY / "config" / "durable-redis.conf").read_text()
    rendered = render_reference()
    assert rendered == shipped, "durable-redis-server --print-config > config/durable-redis.conf"


def test_the_shipped_file_changes_nothing() -> None:
    path = REPOSITORY / "config" / "durable-redis.conf"
    config = parse_command_line([str(path)], bytes).config
    assert config.warnings == []
    fresh = Config()
    assert {name: config.show(name) for name in config.names()} == {
        name: fresh.show(name) for name in fresh.names()
    }


def test_the_shipped_file_names_what_is_supported_and_nothing_else() -> None:
    named = {line.split()[0] for line in render_reference().splitlines() if line and not line.startswith("#")}
    assert named == {option.name for option in OPTIONS if option.state is State.SUPPORTED}
    assert named >= OURS_ONLY


def test_lines_of_the_shipped_file_are_short() -> None:
    assert max(map(len, render_reference().splitlines())) <= 110
