"""Values: typed reading, CONFIG GET, CONFIG SET with its rollback, and listeners that may refuse."""

from __future__ import annotations

import os
from typing import Any

import pytest

from durable_redis.config.config import Config
from durable_redis.config.kinds import InvalidValue, MemoryOrPercent, maybe_bytes, with_unit
from durable_redis.errors import ReplyError, UsageError


def failure(config: Config, *words: str, local: bool = False) -> str:
    """The error of a CONFIG SET that has to fail and to change nothing."""
    before = {name: config.show(name) for name in config.names()}
    with pytest.raises(ReplyError) as caught:
        config.set_many(list(zip(words[::2], words[1::2], strict=True)), local=local)
    assert {name: config.show(name) for name in config.names()} == before
    return str(caught.value)


def test_typed_reading() -> None:
    config = Config()
    assert config.get_int("maxclients") == 10000
    assert config.get_int("wal-segment-size") == 64 << 20
    assert config.get_bool("protected-mode") is True
    assert config.get_str("appendfsync") == "always"
    assert config.get_str("unixsocketperm") == "0"
    assert config.get_list("bind") == ("127.0.0.1", "-::1")
    assert config.get_str("dir") == os.getcwd()
    assert config.output_limits("replica") == (256 << 20, 64 << 20, 60)
    assert config.output_limits("pubsub") == (32 << 20, 8 << 20, 60)
    assert config.output_limits("normal") == (0, 0, 0)


def test_a_wrong_type_is_our_own_fault() -> None:
    config = Config()
    for read, name in ((config.get_int, "bind"), (config.get_bool, "port"), (config.get_list, "dir")):
        with pytest.raises(AssertionError):
            read(name)
    with pytest.raises(KeyError):
        config.get_int("nosuch")


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("0", 0),
        ("", 0),
        ("kb", 0),
        ("1", 1),
        ("01k", 1000),
        ("1K", 1000),
        ("1kB", 1024),
        ("2b", 2),
        ("3m", 3_000_000),
        ("3mb", 3 << 20),
        ("1g", 10**9),
        ("1gb", 1 << 30),
        ("1t", None),
        ("-1", None),
        ("+1", None),
        (" 1", None),
        ("1.5gb", None),
        ("1 gb", None),
        ("18446744073709551616", (1 << 64) - 1),
        ("9" * 30, (1 << 64) - 1),
        ("٣", None),
    ],
)
def test_amounts_of_memory(text: str, amount: int | None) -> None:
    assert maybe_bytes(text) == amount


@pytest.mark.parametrize(
    ("amount", "text"),
    [(0, "0"), (1, "1"), (1024, "1kb"), (1 << 20, "1mb"), (3 << 30, "3gb"), (1025, "1025")],
)
def test_amounts_with_units(amount: int, text: str) -> None:
    assert with_unit(amount) == text
    assert maybe_bytes(text) == amount


def test_memory_or_percent() -> None:
    kind = MemoryOrPercent()
    shown = [kind.show(kind.parse([text], None)) for text in ("0", "5mb", "7%", "0%", "100%")]
    assert shown == ["0", str(5 << 20), "7%", "0", "100%"]
    assert kind.lines(-7) == ["7%"]
    assert kind.lines(5 << 20) == ["5mb"]
    for text, why in (("101%", "less or equal to 100"), ("%", "percent value"), ("-5%", "percent value")):
        with pytest.raises(InvalidValue, match=why):
            kind.parse([text], None)


def test_get_matching() -> None:
    config = Config()
    assert config.get_matching([b"TimeOut"]) == {b"TimeOut": b"0"}
    assert config.get_matching([b"timeou?", b"TIMEOUT"]) == {b"timeout": b"0"}
    assert config.get_matching([b"nosuch", b"nosuch*", b""]) == {}
    assert config.get_matching([b"slave-priority", b"replica-prio*"]) == {
        b"slave-priority": b"100",
        b"replica-priority": b"100",
    }
    assert len(config.get_matching([b"*"])) == len(config.names())


def test_set_and_show() -> None:
    config = Config()
    config.set_many([("TIMEOUT", "5"), ("hash-max-ziplist-value", "1kb"), (b"requirepass", b"\xff\x00 x")])
    assert config.get_int("timeout") == 5
    assert config.get_int("hash-max-listpack-value") == 1024
    assert config.get_matching([b"requirepass"]) == {b"requirepass": b"\xff\x00 x"}


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (
            ("timeout", "5", "nosuch", "1"),
            "ERR Unknown option or number of arguments for CONFIG SET - 'nosuch'",
        ),
        (("timeout", "5", "databases", "1"), "'databases') - can't set immutable config"),
        (("timeout", "5", "dbfilename", "x"), "'dbfilename') - can't set protected config"),
        (("timeout", "5", "TimeOut", "6"), "'TimeOut') - duplicate parameter"),
        (("timeout", "5", "maxclients", "x"), "'maxclients') - argument couldn't be parsed into an integer"),
        (("timeout", "5", "replica-priority", "1"), "replica-priority is not supported yet"),
        (("timeout", "5", "appendonly", "no"), "the log cannot be switched off"),
        (("timeout", "5", "databases", "1"), "databases"),
    ],
)
def test_all_or_nothing(words: tuple[str, ...], text: str) -> None:
    assert text in failure(Config(), *words)


def test_values_as_they_are_can_always_be_set() -> None:
    config = Config()
    for name in config.names():
        option = config.option(name)
        assert option is not None
        if option.mutable and not option.protected:
            config.set_many([(name, config.show(name))])


@pytest.mark.parametrize(
    ("allowed", "local", "works"),
    [("yes", False, True), ("local", False, False), ("local", True, True), ("no", True, False)],
)
def test_protected_options(allowed: str, local: bool, works: bool) -> None:
    config = Config()
    config.load("enable-protected-configs", [allowed])
    if works:
        config.set_many([("dbfilename", "x.rdb")], local=local)
        assert config.get_str("dbfilename") == "x.rdb"
    else:
        assert "can't set protected config" in failure(config, "dbfilename", "x.rdb", local=local)


def test_output_limits_keep_the_classes_that_are_not_named() -> None:
    config = Config()
    config.set_many([("client-output-buffer-limit", "replica 1mb 2k 3")])
    assert config.show("client-output-buffer-limit") == (
        "normal 0 0 0 slave 1048576 2000 3 pubsub 33554432 8388608 60"
    )
    config.set_many([("client-output-buffer-limit", "Normal 1 2 3 pubsub 4 5 6")])
    assert config.show("client-output-buffer-limit") == "normal 1 2 3 slave 1048576 2000 3 pubsub 4 5 6"


def test_save_is_replaced_by_config_set() -> None:
    config = Config()
    config.set_many([("save", "60 1 30 2")])
    config.set_many([("save", "10 3")])
    assert config.show("save") == "10 3"
    config.set_many([("save", "")])
    assert config.show("save") == ""


# -- listeners ---------------------------------------------------------------------------------------


class Heard:
    """A listener that notes what it is told, and refuses one value."""

    def __init__(self, refuses: object = None, error: Exception | None = None) -> None:
        self.values: list[Any] = []
        self.refuses = refuses
        self.error = error

    def __call__(self, value: Any) -> None:
        self.values.append(value)
        if self.error is not None and value == self.refuses:
            raise self.error


def test_listeners_hear_what_changed_and_only_that() -> None:
    config = Config()
    timeout, clients = Heard(), Heard()
    config.on_change("timeout", timeout)
    config.on_change("maxclients", clients)
    config.set_many([("timeout", "5"), ("maxclients", "10000")])
    assert (timeout.values, clients.values) == ([5], [])


def test_listeners_see_all_new_values() -> None:
    config = Config()
    seen: list[int] = []
    config.on_change("timeout", lambda _: seen.append(config.get_int("maxclients")))
    config.set_many([("timeout", "5"), ("maxclients", "7")])
    assert seen == [7]


@pytest.mark.parametrize(
    "error",
    [UsageError("out of files", "ulimit"), ReplyError("ERR out of files"), InvalidValue("out of files")],
)
def test_a_listener_that_refuses_undoes_everything(error: Exception) -> None:
    config = Config()
    timeout, clients = Heard(), Heard(7, error)
    config.on_change("timeout", timeout)
    config.on_change("maxclients", clients)
    text = failure(config, "timeout", "5", "maxclients", "7")
    assert text == "ERR CONFIG SET failed (possibly related to argument 'maxclients') - out of files"
    assert timeout.values == [5, 0]
    assert clients.values == [7, 10000]


def test_a_defect_in_a_listener_is_not_hidden() -> None:
    config = Config()
    config.on_change("timeout", Heard(5, ZeroDivisionError()))
    with pytest.raises(ZeroDivisionError):
        config.set_many([("timeout", "5")])
    assert config.get_int("timeout") == 0


def test_listening_to_nothing_is_our_own_fault() -> None:
    with pytest.raises(AssertionError):
        Config().on_change("nosuch", Heard())


def test_rewriting_without_a_file() -> None:
    with pytest.raises(ReplyError, match="running without a config file"):
        Config().rewrite()


def test_two_configurations_share_nothing() -> None:
    first, second = Config(), Config()
    first.set_many([("timeout", "5")])
    assert second.get_int("timeout") == 0
