"""The command line: files, options, the standard input, and what wins."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from durable_redis.config.command_line import HELP, Action, parse_command_line, split_settings
from durable_redis.config.config import Config
from durable_redis.config.reference import render_reference
from durable_redis.errors import UsageError
from tests.support.servers import redis_binary


def no_stdin() -> bytes:
    raise AssertionError("the standard input was not asked for")


def parse(*arguments: str, stdin: bytes | None = None) -> Config:
    invocation = parse_command_line(arguments, no_stdin if stdin is None else lambda: stdin)
    assert invocation.action is Action.SERVE
    return invocation.config


@pytest.fixture
def path(tmp_path: Path) -> str:
    found = tmp_path / "x.conf"
    found.write_text("port 1\ntimeout 1\nsave 1 1\n")
    return str(found)


def test_nothing() -> None:
    config = parse()
    assert config.path is None
    assert config.show("port") == "6379"


def test_options() -> None:
    config = parse("--port", "7000", "--save", "", "--bind", "a", "b", "--requirepass", "x y")
    assert [config.show(name) for name in ("port", "save", "bind", "requirepass")] == [
        "7000",
        "",
        "a b",
        "x y",
    ]


def test_options_win_over_the_file(path: str) -> None:
    config = parse(path, "--port", "2")
    assert (config.show("port"), config.show("timeout"), config.path) == ("2", "1", path)


def test_the_path_is_absolute(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(Path(path).parent)
    assert parse("x.conf").path == path


@pytest.mark.parametrize("arguments", [("-", "--port", "3"), ("--port", "3", "-")])
def test_standard_input_stands_between_file_and_options(path: str, arguments: tuple[str, ...]) -> None:
    config = parse(path, *arguments, stdin=b"timeout 2\nport 2\n")
    assert (config.show("timeout"), config.show("port")) == ("2", "3")
    assert parse(*arguments, stdin=b"timeout 4").show("timeout") == "4"


def test_errors_in_the_standard_input() -> None:
    with pytest.raises(UsageError, match=r"^standard input:2: 'timeout x': "):
        parse("-", stdin=b"\ntimeout x\n")


SETTINGS = [
    (["--port", "1", "--timeout", "2"], [["port", "1"], ["timeout", "2"]]),
    (["--port 1", "--timeout 2"], [["port", "1"], ["timeout", "2"]]),
    (["--save", "", "--hz", "1"], [["save", ""], ["hz", "1"]]),
    (["--save", "--hz", "1"], [["save"], ["hz", "1"]]),
    (["--requirepass", "--x"], [["requirepass", "--x"]]),
    (["--requirepass", "--x", "--hz", "1"], [["requirepass", "--x"], ["hz", "1"]]),
    (["--requirepass", "-x"], [["requirepass", "-x"]]),
    (["--requirepass", '"a"'], [["requirepass", '"a"']]),
    (["--bind", "a", "b"], [["bind", "a", "b"]]),
    (["--hz"], [["hz"]]),
]


@pytest.mark.parametrize(("words", "settings"), SETTINGS)
def test_split_settings(words: list[str], settings: list[list[str]]) -> None:
    assert split_settings(words) == settings


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--timeout", "abc"],
            "command line: 'timeout \"abc\"': argument couldn't be parsed into an integer",
        ),
        (["--timeout"], "command line: 'timeout': wrong number of arguments"),
        (["--timeout", "5", "6"], 'command line: \'timeout "5" "6"\': wrong number of arguments'),
        (["--nosuch", "1"], "command line: 'nosuch \"1\"': Bad directive or wrong number of arguments"),
        (["--timeout=5"], "command line: 'timeout=5': Bad directive or wrong number of arguments"),
        (["-x"], "command line: '-x': Bad directive or wrong number of arguments"),
        (["--", "x"], "command line: '--': Bad directive or wrong number of arguments"),
        (["--port", "0", "-timeout", "5"], 'command line: \'port "0" "-timeout" "5"\': wrong number of'),
    ],
)
def test_errors(arguments: list[str], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(*arguments)
    assert str(caught.value).startswith(message)
    assert caught.value.hint


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"missing\.conf': No such file"):
        parse(str(tmp_path / "missing.conf"))


@pytest.mark.parametrize(
    ("word", "action", "text"),
    [
        ("-v", Action.VERSION, ""),
        ("--version", Action.VERSION, ""),
        ("-h", Action.PRINT, HELP),
        ("--help", Action.PRINT, HELP),
        ("--print-config", Action.PRINT, render_reference()),
    ],
)
def test_what_does_not_serve(word: str, action: Action, text: str) -> None:
    invocation = parse_command_line([word], no_stdin)
    assert (invocation.action, invocation.text) == (action, text)


def test_check_config(path: str) -> None:
    invocation = parse_command_line([path, "--check-config", "--port", "5"], no_stdin)
    assert (invocation.action, invocation.config.show("port")) == (Action.CHECK, "5")
    with pytest.raises(UsageError):
        parse_command_line(["--check-config", "--port", "x"], no_stdin)


@pytest.mark.differential
@pytest.mark.parametrize(
    "arguments",
    [
        *(words for words, _ in SETTINGS),
        ["--hz", "abc"],
        ["--hz", "1", "2"],
        ["--nosuch", "1"],
        ["-x"],
        ["--hz=1"],
        ["--save", "1 2", "3 4"],
        ["--save", "1", "2", "3", "4"],
        ["--shutdown-on-sigint", "now force"],
        ["--client-output-buffer-limit", "normal 1 2 3", "pubsub 1 2 3"],
        ["--bind", "127.0.0.1 ::1"],
        ["--proc-title-template", "--mine"],
        ["--", "x"],
        ["--maxmemory", "1gb", "--maxmemory", "x"],
        ["--unixsocketperm", "9"],
    ],
    ids=" ".join,
)
def test_redis_accepts_and_refuses_the_same(arguments: list[str], tmp_path: Path) -> None:
    """With nothing to listen on, redis-server reads its configuration and ends."""
    nothing = ["--port", "0"]
    ended = subprocess.run(
        [redis_binary(), *arguments, *nothing], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    *_, why = ended.stdout.strip().splitlines() + ended.stderr.strip().splitlines()
    try:
        parse(*arguments, *nothing)
        wrong = ""
    except UsageError as error:
        wrong = str(error)
    assert wrong.endswith(why) or (not wrong and "Configured to not listen anywhere" in why)
