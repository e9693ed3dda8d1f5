"""The stream commands, all with all their options; reading never waits for long.

IDs are few and small, or far in the future, where ``*`` goes on from the last one and so gives the same ID
on every server.  Idle times are far from those that may pass meanwhile, and counters from where
Redis's would wrap around.
"""

from __future__ import annotations

from tests.differential.generators.source import Source, Word
from tests.support.script import Step, step

KEYS = (b"k0", b"k0", b"k0", b"k1", b"k1", b"k2")
GROUPS = ("g", "g", "g", "h")
CONSUMERS = ("a", "b", "c", "d")
FIELDS = (b"f", b"f", b"f", b"field", b"1", b"", b"\x00\xff")
IDLE = (0, 0, 0, 0, 100_000, 100_000_000, -1)


def generate(source: Source) -> Step:
    """One stream command; now and then another type takes a stream's place, or it gets a time to live."""
    draw = source.random.choices(_GENERATORS, _WEIGHTS)[0]
    words = draw(source)
    return step(*words) if "BLOCK" in words else source.mangle(words)  # it would wait for long


def key(source: Source) -> bytes:
    """Mostly one of three keys, so that groups and entries meet."""
    return source.random.choice(KEYS) if source.chance(0.95) else source.key()


def entry_id(source: Source) -> str:
    """An ID of an entry that may be there, now and then an odd one."""
    if source.chance(0.04):
        return source.pick("x", "", "1-", "-", "+", "1-1-1", "18446744073709551616", "01-+1", "$", ">", " 3")
    if source.chance(0.05):
        return source.pick("18446744073709551615-18446744073709551615", "0-0", "9999999999999-5", "0")
    ms = source.random.randint(1, 30)
    return f"{ms}-{source.random.randint(0, 3)}" if source.chance(0.8) else str(ms)


def _bound(source: Source) -> Word:
    if source.chance(0.25):
        return source.pick("-", "+")
    found = entry_id(source)
    return f"({found}" if source.chance(0.2) else found


def _new_id(source: Source) -> Word:
    if source.chance(0.1):
        return f"{source.random.randint(1, 30)}-*"
    if source.chance(0.02):
        return "9999999999999-1"
    return entry_id(source)


def _trimming(source: Source) -> list[Word]:
    words: list[Word] = [source.case("MAXLEN"), source.small(0, 12)]
    if source.chance(0.4):
        words = [source.case("MINID"), entry_id(source)]
    if source.chance(0.6):
        words.insert(1, source.pick("~", "~", "="))
        if source.chance(0.4):
            words += [source.case("LIMIT"), source.small(0, 8)]
    return words


def _words(source: Source) -> list[Word]:
    words: list[Word] = []
    for _ in source.some(1, 3):
        value = source.pick(b"v", b"x" * 60, b"x" * 1500) if source.chance(0.8) else source.value()
        words += [source.random.choice(FIELDS), value]
    return words


def _add(source: Source) -> list[Word]:
    words: list[Word] = ["XADD", key(source)]
    if source.chance(0.1):
        words.append(source.case("NOMKSTREAM"))
    if source.chance(0.12):
        words += _trimming(source)
    return [*words, _new_id(source), *_words(source)]


def _add_next(source: Source) -> list[Word]:
    """An entry behind those of small IDs, so that streams grow."""
    ms = source.pick(31, 32, 33, 1000, 70_000, 5_000_000_000)
    return ["XADD", key(source), f"{ms}-*", *_words(source)]


def _cut(source: Source) -> list[Word]:
    if source.chance(0.4):
        return ["XTRIM", key(source), *_trimming(source)]
    return ["XDEL", key(source), *(entry_id(source) for _ in source.some(1, 4))]


def _count(source: Source) -> list[Word]:
    return [source.case("COUNT"), source.small(0, 5)] if source.chance(0.4) else []


def _read(source: Source) -> list[Word]:
    return source.choose(
        lambda: ["XRANGE", key(source), _bound(source), _bound(source), *_count(source)],
        lambda: ["XREVRANGE", key(source), _bound(source), _bound(source), *_count(source)],
        lambda: ["XLEN", key(source)],
        lambda: ["XREAD", *_count(source), *_streams(source, lambda: source.pick("0", entry_id(source)))],
        lambda: ["XREAD", "BLOCK", 1, *_streams(source, lambda: source.pick("$", entry_id(source)))],
    )


def _streams(source: Source, last_seen: object) -> list[Word]:
    assert callable(last_seen)
    keys = [key(source) for _ in source.some(1, 3)]
    return [source.case("STREAMS"), *keys, *(last_seen() for _ in keys)]


def _read_group(source: Source) -> list[Word]:
    words: list[Word] = [source.case("XREADGROUP"), "GROUP", source.pick(*GROUPS), source.pick(*CONSUMERS)]
    words += _count(source)
    if source.chance(0.2):
        words.append(source.case("NOACK"))
    if source.chance(0.1):
        words += ["BLOCK", 1]
    if source.chance(0.7):
        return [*words, "STREAMS", key(source), source.pick(">", ">", ">", "0", entry_id(source))]
    return words + _streams(source, lambda: source.pick(">", ">", "0", entry_id(source)))


def _group(source: Source) -> list[Word]:
    name, group = key(source), source.pick(*GROUPS)
    last = source.pick("$", "0", "0", entry_id(source))
    read: list[Word] = [source.case("ENTRIESREAD"), source.small(-2, 20, bad=0)] if source.chance(0.3) else []
    make: list[Word] = [source.case("MKSTREAM")] if source.chance(0.6) else []
    return source.choose(
        lambda: ["XGROUP", "CREATE", name, group, last, *make, *read],
        lambda: ["XGROUP", "CREATE", name, group, last, *read, *make],
        lambda: ["XGROUP", "SETID", name, group, last, *read],
        lambda: ["XGROUP", "CREATECONSUMER", name, group, source.pick(*CONSUMERS)],
        lambda: [
            "XGROUP",
            *(("DESTROY", name, group) if source.chance(0.3) else ("DELCONSUMER", name, group, "a")),
        ],
    )


def _pending(source: Source) -> list[Word]:
    words: list[Word] = [key(source), source.pick(*GROUPS)]
    if source.chance(0.4):
        return ["XACK", *words, *(entry_id(source) for _ in source.some(1, 4))]
    if source.chance(0.3):
        return ["XPENDING", *words]
    if source.chance(0.2):
        words += [source.case("IDLE"), source.pick(*IDLE)]
    words += [_bound(source), _bound(source), source.small(0, 6)]
    return ["XPENDING", *words, *([source.pick(*CONSUMERS)] if source.chance(0.4) else [])]


def _claim(source: Source) -> list[Word]:
    words: list[Word] = [key(source), source.pick(*GROUPS), source.pick(*CONSUMERS), source.pick(*IDLE)]
    if source.chance(0.4):
        words = ["XAUTOCLAIM", *words, source.pick("0", "-", _bound(source)), *_count(source)]
    else:
        words = ["XCLAIM", *words, *(entry_id(source) for _ in source.some(1, 4))]
        for option, value in (
            ("IDLE", source.pick(0, 500_000, -5, 10**12)),
            ("TIME", source.pick(0, -1000, 10**15, 1_000_000_000_000)),
            ("RETRYCOUNT", source.small(-2, 5)),
            ("LASTID", entry_id(source)),
        ):
            if source.chance(0.1):
                words += [source.case(option), value]
        if source.chance(0.4):
            words.append(source.case("FORCE"))
    return [*words, *([source.case("JUSTID")] if source.chance(0.3) else [])]


def _info(source: Source) -> list[Word]:
    return source.choose(
        lambda: ["XINFO", "STREAM", key(source)],
        lambda: ["XINFO", "STREAM", key(source), "FULL", *_count(source)],
        lambda: ["XINFO", "STREAM", key(source), "FULL"],
        lambda: ["XINFO", "GROUPS", key(source)],
        lambda: ["XINFO", "CONSUMERS", key(source), source.pick(*GROUPS)],
    )


def _set_id(source: Source) -> list[Word]:
    words: list[Word] = ["XSETID", key(source), source.pick("40-1", entry_id(source))]
    if source.chance(0.5):
        words += [source.case("ENTRIESADDED"), source.small(-1, 40, bad=0)]
    if source.chance(0.4):
        words += [source.case("MAXDELETEDID"), entry_id(source)]
    return words


def _other(source: Source) -> list[Word]:
    return source.choose(
        lambda: ["DEL", key(source)],
        lambda: ["SET", key(source), source.value()],
        lambda: ["PEXPIREAT", key(source), source.absolute_milliseconds()],
        lambda: ["RENAME", key(source), key(source)],
        lambda: ["COPY", key(source), key(source), "REPLACE"],
        lambda: ["TYPE", key(source)],
        lambda: ["OBJECT", "ENCODING", key(source)],
    )


_GENERATORS = (
    *(_add, _add_next, _cut, _read, _read_group, _group, _pending, _claim, _info, _set_id, _other),
)
_WEIGHTS = (18, 16, 8, 10, 14, 8, 8, 10, 10, 2, 2)
