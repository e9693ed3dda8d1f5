"""Configuration files: what they may say, what they include, and one line for whatever is wrong."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from durable_redis.config import file as config_file
from durable_redis.config.config import Config
from durable_redis.config.file import Loader
from durable_redis.errors import UsageError


def load(text: str) -> Config:
    config = Config()
    Loader(config).load_text(text, "x.conf")
    return config


def error(text: str) -> UsageError:
    with pytest.raises(UsageError) as caught:
        load(text)
    assert "\n" not in str(caught.value)
    assert caught.value.hint
    return caught.value


@pytest.mark.parametrize(
    ("text", "name", "shown"),
    [
        ("timeout 5", "timeout", "5"),
        ("# timeout 6\n\n  \t\n   timeout\t5  \r\n  # end", "timeout", "5"),
        ("TIMEOUT 5\ntimeout 6\n", "timeout", "6"),
        ("\"timeout\" '5'\n", "timeout", "5"),
        ('requirepass "a b\\x41\\n"\n', "requirepass", "a bA\n"),
        ('requirepass ""\n', "requirepass", ""),
        ("bind 127.0.0.1 ::1\nbind 127.0.0.2\n", "bind", "127.0.0.2"),
        ('bind "127.0.0.1 ::1"\n', "bind", "127.0.0.1 ::1"),
        ("bind\n", "bind", ""),
        ("save 10 1\nsave 20 2 30 3\n", "save", "10 1 20 2 30 3"),
        ('save "10 1"\n', "save", "10 1"),
        ('save 10 1\nsave ""\nsave 20 2\n', "save", "20 2"),
        ("save\n", "save", ""),
        (
            "client-output-buffer-limit normal 1kb 2 3\nclient-output-buffer-limit replica 4 5 6\n",
            "client-output-buffer-limit",
            "normal 1024 2 3 slave 4 5 6 pubsub 33554432 8388608 60",
        ),
        ("unixsocketperm 770\n", "unixsocketperm", "770"),
        ("maxmemory 1gb", "maxmemory", "1073741824"),
        ("hash-max-ziplist-entries 7\n", "hash-max-listpack-entries", "7"),
        ("shutdown-on-sigint save force\n", "shutdown-on-sigint", "save force"),
        ("dir some/where\n", "dir", os.path.abspath("some/where")),
        ("backend LMDB\n", "backend", "lmdb"),
    ],
)
def test_settings(text: str, name: str, shown: str) -> None:
    assert load(text).show(name) == shown


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("nosuch 1", "Bad directive or wrong number of arguments"),
        ("timeout", "wrong number of arguments"),
        ("timeout 1 2", "wrong number of arguments"),
        ("timeout 5 # five", "wrong number of arguments"),
        ("timeout abc", "argument couldn't be parsed into an integer"),
        ("databases 0", "argument must be between 1 and 2147483647 inclusive"),
        ("port 70000", "argument must be between 0 and 65535 inclusive"),
        ("maxmemory lots", "argument must be a memory value"),
        ("appendonly maybe", "argument must be 'yes' or 'no'"),
        ("loglevel bad", "argument(s) must be one of the following: debug, verbose, notice, warning"),
        ("loglevel notice debug", "wrong number of arguments"),
        ("save 1", "Invalid save parameters"),
        ("unixsocketperm 9", "argument couldn't be parsed as an octal number"),
        ("unixsocketperm 1000", "argument must be between 0 and 777 inclusive"),
        ("client-output-buffer-limit normal 0 0", "Wrong number of arguments in buffer limit configuration."),
        ("oom-score-adj-values 1 2", "wrong number of arguments"),
        ("dbfilename a/b", "dbfilename can't be a path, just a filename"),
        ('appendfilename ""', "appendfilename can't be empty"),
        ("appenddirname a/b", "appenddirname can't be a path, just a dirname"),
        ('timeout "5', "Unbalanced quotes in configuration line"),
        ('timeout "5"x', "Unbalanced quotes in configuration line"),
        ("replicaof 10.0.0.1 6379", "replicaof is not supported yet"),
        ("tls-replication yes", "tls-replication is not supported yet"),
        ("cluster-enabled yes", "cluster-enabled is not supported yet"),
        ("min-replicas-to-write 1", "min-replicas-to-write is not supported yet"),
        ('rename-command FLUSHALL ""', "rename-command is not supported yet"),
        ("rename-command a b", "rename-command is not supported yet"),
        ("loadmodule x.so", "loadmodule is not supported yet"),
        ("backend nosuch", "argument(s) must be one of the following: leveldb, lmdb"),
        ("wal-segment-size 1kb", "argument must be between 1048576 and 1073741824 inclusive"),
        ('dir ""', "No such file or directory"),
    ],
)
def test_errors_name_file_line_and_text(line: str, why: str) -> None:
    assert str(error(f"# first\n\n  {line}\n")) == f"x.conf:3: '{line}': {why}"


def test_a_misspelt_option_is_guessed() -> None:
    assert error("timeot 5").hint == "did you mean 'timeout'?"


def test_long_lines_are_cut_in_errors() -> None:
    assert len(str(error("nosuch " + "x" * 10_000))) < 400


@pytest.mark.parametrize(
    ("text", "warns"),
    [
        ("rdbcompression no\n", True),
        ("rdbcompression yes\n", False),
        ("appendonly yes\n", False),
        ("appendonly no\n", True),
        ("daemonize yes\n", True),
        ("save 60 1\n", False),
        ('replicaof ""\n', False),
        ("list-max-ziplist-entries 5\n", True),
        ("timeout 5\n", False),
    ],
)
def test_warnings(text: str, warns: bool) -> None:
    config = load(text)
    assert len(config.warnings) == warns
    assert all(warning.startswith("x.conf:1: ") for warning in config.warnings)


def test_what_is_ignored_is_kept_and_what_is_fixed_is_not() -> None:
    config = load("rdbcompression no\nappendonly no\n")
    assert (config.show("rdbcompression"), config.show("appendonly")) == ("no", "yes")


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    path = tmp_path / "x.conf"
    path.write_bytes(b"# \xff\nrequirepass \xfe\xe9\n")
    config = Config()
    Loader(config).load_file(str(path))
    assert config.get_matching([b"requirepass"]) == {b"requirepass": b"\xfe\xe9"}


def test_include(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are read where they are named; a pattern's in order; paths start at the working directory."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "b.conf").write_text("timeout 2\nhz 20\nsave 2 2\n")
    (tmp_path / "parts" / "a.conf").write_text("timeout 1\nhz 30\nsave 1 1\n")
    (tmp_path / "one.conf").write_text("maxclients 7\n")
    main = tmp_path / "main.conf"
    main.write_text('maxclients 5\ninclude "parts/*.conf"\ninclude one.conf\ninclude no*such\nhz 40\n')
    config = Config()
    Loader(config).load_file(str(main))
    names = ("timeout", "hz", "maxclients", "save")
    assert [config.show(name) for name in names] == ["2", "40", "7", "1 1 2 2"]


def test_include_of_a_missing_file(tmp_path: Path) -> None:
    missing = tmp_path / "missing.conf"
    assert f"cannot read configuration file '{missing}': No such file" in str(error(f"include {missing}"))


def test_errors_in_included_files_name_that_file(tmp_path: Path) -> None:
    part = tmp_path / "part.conf"
    part.write_text("\ntimeout x\n")
    assert str(error(f"include {part}")).startswith(f"{part}:2: 'timeout x'")


def test_a_file_that_includes_itself(tmp_path: Path) -> None:
    path = tmp_path / "x.conf"
    path.write_text(f"include {path}\n")
    assert "included more than 16 deep" in str(error(f"include {path}"))


def test_a_file_that_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config_file, "FILE_BYTES_MAX", 100)
    path = tmp_path / "x.conf"
    path.write_bytes(b"\n" * 101)
    assert "larger than 100 bytes" in str(error(f"include {path}"))
    assert "Is a directory" in str(error(f"include {tmp_path}"))


def test_a_configuration_file_of_redis_can_be_used() -> None:
    path = Path("/etc/redis/redis.conf")
    if not os.access(path, os.R_OK):
        pytest.skip("redis-server's own configuration file is not installed, or not readable")
    config = Config()
    Loader(config).load_file(str(path))
    assert config.get_list("bind") == ("127.0.0.1", "-::1")
    assert config.show("appendfsync") == "everysec"
    assert any("daemonize" in warning for warning in config.warnings)
