"""CONFIG REWRITE:

what a person wrote stays, what has changed is written, and the result reads back the same.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from durable_redis.config.config import Config
from durable_redis.config.file import Loader
from durable_redis.config.option import State
from durable_redis.config.options import OPTIONS
from durable_redis.config.rewrite import MARKER, rewrite
from durable_redis.errors import ReplyError
from tests.support.servers import OracleServer

DIR_LINE = f'dir "{os.getcwd()}"'


def rewritten(before: str | None, *changes: tuple[str, str]) -> list[str]:
    """The lines after a rewrite, without the one about ``dir``, which is always written."""
    config = Config()
    Loader(config).load_text(before or "", "x.conf")
    config.set_many(changes)
    text = rewrite(before, config)
    assert text.endswith("\n")
    assert rewrite(text, config) == text, "a second rewrite changes nothing"
    again = Config()
    Loader(again).load_text(text, "x.conf")
    assert {name: again.show(name) for name in again.names()} == {
        name: config.show(name) for name in config.names()
    }
    return [line for line in text.splitlines() if line != DIR_LINE]


@pytest.mark.parametrize(
    ("before", "changes", "after"),
    [
        ("# c\n\ntimeout 0\n#end\n", [], ["# c", "", "timeout 0", "#end", "", MARKER]),
        ("timeout 5\n", [("timeout", "0")], ["timeout 0", "", MARKER]),
        ("  TimeOut   5  \n", [], ["  TimeOut   5  ", "", MARKER]),
        ("maxmemory 104857600\n", [], ["maxmemory 104857600", "", MARKER]),
        ("maxmemory 1gb\n", [("maxmemory", "2097152")], ["maxmemory 2mb", "", MARKER]),
        ("hash-max-ziplist-entries 7\n", [], ["hash-max-ziplist-entries 7", "", MARKER]),
        (
            "hash-max-ziplist-entries 7\n",
            [("hash-max-listpack-entries", "8")],
            ["hash-max-listpack-entries 8", "", MARKER],
        ),
        ("timeout 1\n#x\ntimeout 2\n#y\n", [("timeout", "3")], ["timeout 3", "#x", "#y", "", MARKER]),
        ("hz 20\n", [("timeout", "3")], ["hz 20", "", MARKER, "timeout 3"]),
        (f"{MARKER}\ntimeout 4\n", [("hz", "20")], [MARKER, "timeout 4", "hz 20"]),
        ("save 10 1\n#x\nsave 20 2\n", [("save", "30 3")], ["save 30 3", "#x", "", MARKER]),
        ("save 10 1\n", [("save", "")], ['save ""', "", MARKER]),
        ("save 10 1\n", [("save", "3 3 4 4")], ["save 3 3", "", MARKER, "save 4 4"]),
        ("", [("save", "")], [MARKER, 'save ""']),
        (
            "client-output-buffer-limit normal 1 2 3\nclient-output-buffer-limit pubsub 1 2 3\n",
            [],
            [
                "client-output-buffer-limit normal 1 2 3",
                "client-output-buffer-limit pubsub 1 2 3",
                "",
                MARKER,
            ],
        ),
        (
            "",
            [("requirepass", 'a b"\x01é')],
            [MARKER, 'requirepass "a b\\"\\x01\\xc3\\xa9"'],
        ),
        ("include no*such\nbind a b\n", [], ["include no*such", "bind a b", "", MARKER]),
        ("list-max-ziplist-entries 5\n", [], ["# ??? list-max-ziplist-entries 5", "", MARKER]),
    ],
)
def test_rewrite(before: str, changes: list[tuple[str, str]], after: list[str]) -> None:
    assert rewritten(before, *changes) == after


def test_a_file_that_is_gone_is_written_anew() -> None:
    config = Config()
    config.set_many([("timeout", "5")])
    assert rewrite(None, config).splitlines() == [MARKER, "timeout 5", DIR_LINE]


def test_broken_lines_are_commented_out() -> None:
    """They were not there when the server started."""
    config = Config()
    assert rewrite('timeout "5\nnosuch 1\n', config).splitlines()[:2] == [
        '# ??? timeout "5',
        "# ??? nosuch 1",
    ]


def test_the_directory_stays_as_it_was_written() -> None:
    assert "dir ./data" in rewritten("dir ./data\n")


def test_the_value_of_an_included_file_is_written_down(tmp_path: Path) -> None:
    (tmp_path / "part.conf").write_text("timeout 9\n")
    line = f"include {tmp_path / 'part.conf'}"
    assert rewritten(f"{line}\n") == [line, "", MARKER, "timeout 9"]


SETTABLE = [
    option.name
    for option in OPTIONS
    if option.mutable
    and option.live
    and not option.protected
    and option.state in (State.SUPPORTED, State.IGNORED)
]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(SETTABLE),
            st.sampled_from(
                ["1", "0", "5mb", "yes", "no", "1 2 3", "60 1", "", "a b", "normal 1 1kb 3", "always", "ip"]
            ),
        ),
        max_size=12,
    ),
    st.lists(st.sampled_from(["# note", "", "timeout 3", "maxmemory 5mb", "save 5 5", "hz 77", "bind a b"])),
)
@settings(max_examples=300, deadline=None)
def test_any_change_survives(changes: list[tuple[str, str]], lines: list[str]) -> None:
    """Whatever is set, the rewritten file gives it back, and comments stay in order."""
    kept: dict[str, str] = {}
    for name, text in changes:
        try:
            Config().set_many([(name, text)])
            kept[name] = text
        except ReplyError:
            pass
    before = "\n".join(lines) + "\n"
    after = rewritten(before, *kept.items())
    assert [line for line in after if line == "# note"] == [line for line in lines if line == "# note"]


def test_rewrite_file(tmp_path: Path) -> None:
    path = tmp_path / "x.conf"
    path.write_bytes(b"# \xff note\ntimeout 5\n")
    path.chmod(0o640)
    link = tmp_path / "link.conf"
    link.symlink_to(path)
    config = Config()
    config.path = str(link)
    Loader(config).load_file(config.path)
    config.set_many([("timeout", "6"), (b"requirepass", b"\xfe")])
    config.rewrite()
    assert path.read_bytes().startswith(b"# \xff note\ntimeout 6\n")
    assert b'requirepass "\\xfe"' in path.read_bytes()
    assert path.stat().st_mode & 0o777 == 0o640
    assert link.is_symlink()
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["link.conf", "x.conf"]


def test_a_directory_that_is_gone(tmp_path: Path) -> None:
    config = Config()
    config.path = str(tmp_path / "gone" / "x.conf")
    with pytest.raises(ReplyError, match="Rewriting config file: No such file or directory"):
        config.rewrite()


@pytest.mark.differential
@pytest.mark.parametrize(
    ("before", "changes"),
    [
        ("timeout 5\n# c\nslave-priority 100\n", [("timeout", "6")]),
        ("save 10 1\nsave 20 2\n", [("save", "30 3 40 4 50 5")]),
        (
            "TimeOut 5\nmaxmemory 100mb\n",
            [("maxmemory", "1048577"), ("maxclients", "77"), ("requirepass", "a b")],
        ),
        ("client-output-buffer-limit normal 1 2 3\n", [("client-output-buffer-limit", "pubsub 1mb 2 3")]),
        ("oom-score-adj-values 1 2 3\nshutdown-on-sigint save force\nunixsocketperm 700\n", [("hz", "20")]),
    ],
)
def test_redis_reads_what_we_write_and_we_what_it_writes(
    tmp_path: Path, before: str, changes: list[tuple[str, str]]
) -> None:
    path = tmp_path / "x.conf"
    path.write_text(before)
    with OracleServer(tmp_path / "data") as server:
        pass
    server.argv = lambda: [_program(server)[0], str(path), *_program(server)[1:]]  # type: ignore[method-assign]
    with server, server.client() as client:
        for name, text in changes:
            assert client.call("CONFIG", "SET", name, text) == b"OK"
        assert client.call("CONFIG", "REWRITE") == b"OK"
    theirs, ours = Config(), Config()
    lines = [line for line in path.read_text().splitlines() if not line.startswith(("user ", "enable-debug"))]
    Loader(theirs).load_text("\n".join(lines), "theirs")
    Loader(ours).load_text(before, "ours")
    ours.set_many(changes)
    touched = [line.split()[0] for line in before.splitlines() if line[0] != "#"] + [
        name for name, _ in changes
    ]
    assert [theirs.show(name) for name in touched] == [ours.show(name) for name in touched]


def _program(server: OracleServer) -> list[str]:
    return OracleServer.argv(server)
