"""The arithmetic, the parsers and the report of the benchmarks; nothing here measures anything."""

from __future__ import annotations

import dataclasses
import itertools
import os
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tools.bench.__main__ import build_parser, settings_from
from tools.bench.errors import BenchError
from tools.bench.figures import Spread, paired_ratios, percentile, spread
from tools.bench.load import TESTS, LoadFigures, load_arguments, parse_csv
from tools.bench.machine import file_system
from tools.bench.prober import slot_latencies
from tools.bench.processes import sample_process
from tools.bench.report import NOTES_MARKER, notes_of, render
from tools.bench.results import Machine, PauseRow, RestartRow, Results, RunInfo, ThroughputRow, ZipfRow
from tools.bench.scenarios.zipf import cache_bytes_of
from tools.bench.servers import redis_contender, scratch_directory, subject_contenders
from tools.bench.settings import FULL, QUICK, SCENARIOS, Settings
from tools.bench.tables import number, with_range
from tools.bench.targets import judge, throughput_target
from tools.bench.wire import encode_command, key_name, value_pool
from tools.bench.zipf import ZipfKeys, mixed_requests

CSV_HEADER = (
    '"test","rps","avg_latency_ms","min_latency_ms","p50_latency_ms","p95_latency_ms","p99_latency_ms",'
    '"max_latency_ms"\n'
)


# redis-benchmark


def test_csv_row_is_read_by_column_name() -> None:
    row = '"SET","1111111.12","0.660","0.208","0.639","0.983","1.135","1.279"\n'
    assert parse_csv(CSV_HEADER + row) == LoadFigures(1111111.12, 0.639, 1.135)


def test_csv_test_name_may_hold_commas_and_quotes() -> None:
    row = '"XADD a, ""b"" *","5.00","1","2","3.5","4","6.5","7"\n'
    assert parse_csv(CSV_HEADER + row) == LoadFigures(5.0, 3.5, 6.5)


@pytest.mark.parametrize(
    "text",
    [
        "",
        CSV_HEADER,
        CSV_HEADER + '"A","1","1","1","1","1","1","1"\n' * 2,
        CSV_HEADER + '"SET","fast","1","1","1","1","1","1"\n',
        CSV_HEADER + '"SET","1","1"\n',
        '"test","rps"\n"SET","1"\n',
    ],
)
def test_csv_that_is_not_one_whole_row_is_refused(text: str) -> None:
    with pytest.raises(BenchError):
        parse_csv(text)


def test_what_had_to_be_loaded_first_is_not_a_result() -> None:
    header = CSV_HEADER.strip()
    rows = [
        '"LPUSH (needed to benchmark LRANGE)","15384.62","2.355","0.136","0.479","7.263","7.295"',
        '"LRANGE_100 (first 100 elements)","50000.00","0.669","0.144","0.527","1.463","1.527"',
    ]
    assert parse_csv("\n".join([header, *rows])) == LoadFigures(50000.0, 0.527, 1.527)


def test_load_arguments_of_built_in_and_custom_tests() -> None:
    def arguments(name: str) -> list[str]:
        return load_arguments(
            TESTS[name], 7000, requests=9, clients=5, pipeline=16, keys=1000, value_bytes=100
        )

    common = [
        "redis-benchmark",
        "-p",
        "7000",
        "--csv",
        "-n",
        "9",
        "-c",
        "5",
        "-P",
        "16",
        "-r",
        "1000",
        "-d",
        "100",
    ]
    assert arguments("set") == [*common, "-t", "set"]
    assert arguments("ping") == [*common, "-t", "ping_mbulk"]
    assert arguments("xadd")[: len(common) + 2] == [*common, "XADD", "mystream"]


# Figures


def test_spread_of_odd_even_and_no_values() -> None:
    assert spread([3.0, 1.0, 2.0]) == Spread(2.0, 1.0, 3.0, 3)
    assert spread([4.0, 1.0]) == Spread(2.5, 1.0, 4.0, 2)
    assert spread([]) is None


def test_percentile_is_the_nearest_rank() -> None:
    values = [float(value) for value in range(1, 1001)]
    assert percentile(values, 50) == 500
    assert percentile(values, 99) == 990
    assert percentile(values, 99.9) == 999
    assert percentile(values, 100) == 1000
    assert percentile([7.0], 1) == 7.0


def cell(round_number: int, series: str, per_second: float, **changes: object) -> ThroughputRow:
    row = ThroughputRow(
        round=round_number,
        series=series,
        mode="always",
        test="set",
        pipeline=1,
        requests=1000,
        per_second=per_second,
        p50_ms=0.5,
        p99_ms=1.0,
        cpu_us=10.0,
        cpu_after_us=0.0,
        switches=0.1,
        resident_bytes=1_000_000,
        resident_peak_bytes=2_000_000,
    )
    return dataclasses.replace(row, **changes)  # type: ignore[arg-type]


def test_ratios_pair_rows_of_the_same_round_only() -> None:
    baseline = [cell(1, "redis", 100), cell(2, "redis", 400), cell(3, "redis", 0)]
    own = [cell(2, "lmdb", 200), cell(1, "lmdb", 150), cell(3, "lmdb", 5), cell(4, "lmdb", 5)]
    assert paired_ratios(own, baseline, lambda row: row.per_second) == [0.5, 1.5]


def test_numbers_keep_three_digits_and_ranges_need_two_rounds() -> None:
    assert [number(value) for value in (1234.5, 123.4, 12.34, 1.234, 0.0)] == [
        "1,234",
        "123",
        "12.3",
        "1.23",
        "0.00",
    ]
    assert with_range(Spread(2.0, 2.0, 2.0, 1)) == "2.00"
    assert with_range(Spread(2.0, 1.0, 3.0, 3)) == "2.00 (1.00–3.00)"
    assert with_range(None) == "–"


# Zipf


@pytest.mark.parametrize("count", [1, 2, 3, 10, 97, 1000, 4096])
def test_zipf_ranks_are_a_permutation_of_the_keys(count: int) -> None:
    keys = ZipfKeys(count, 0.99, random.Random(1))
    assert sorted(keys.key_of_rank(rank) for rank in range(count)) == list(range(count))


def test_zipf_frequencies_follow_the_law() -> None:
    draws, count, exponent = 200_000, 1000, 0.99
    keys = ZipfKeys(count, exponent, random.Random(7))
    seen = Counter(keys.draw(draws))
    total = sum((rank + 1) ** -exponent for rank in range(count))
    for rank in (0, 1, 2, 9):
        expected = draws * (rank + 1) ** -exponent / total
        assert abs(seen[keys.key_of_rank(rank)] - expected) < 6 * expected**0.5  # Six standard deviations.
    assert min(seen) >= 0
    assert max(seen) < count


def test_zipf_popular_keys_are_not_neighbours() -> None:
    keys = ZipfKeys(1_000, 0.99, random.Random(1))
    popular = sorted(keys.key_of_rank(rank) for rank in range(10))
    assert min(after - before for before, after in itertools.pairwise(popular)) > 10


def test_mixed_requests_repeat_with_the_seed_and_have_the_asked_proportion() -> None:
    def requests(seed: int) -> list[bytes]:
        source = random.Random(seed)
        return mixed_requests(ZipfKeys(100, 0.99, source), 10_000, 0.05, 20, source)

    first = requests(3)
    assert first == requests(3)
    assert first != requests(4)
    writes = [request for request in first if b"SET" in request]
    assert 380 < len(writes) < 620  # 500 expected, six standard deviations either way.
    assert all(len(request) == len(writes[0]) for request in writes)
    reads = [request for request in first if b"GET" in request]
    assert len(reads) + len(writes) == len(first)
    assert set(reads) <= {encode_command(b"GET", key_name(index)) for index in range(100)}


def test_values_are_cut_from_text_long_enough() -> None:
    for value_bytes in (1, 99, 100):
        assert len(value_pool(value_bytes)) >= (1 << 16) + value_bytes


def test_cache_is_a_tenth_of_keys_and_values() -> None:
    assert cache_bytes_of(Settings(zipf_keys=1000, value_bytes=84)) == 1000 * (16 + 84) // 10


# Prober


def test_a_prompt_answer_is_one_latency() -> None:
    assert slot_latencies(due=10.0, sent=10.0, answered=10.25, interval=1.0) == [0.25]


def test_slots_that_pass_during_a_wait_count_as_pings() -> None:
    assert slot_latencies(due=10.0, sent=10.0, answered=13.5, interval=1.0) == [3.5, 2.5, 1.5, 0.5]


def test_the_probers_own_lateness_is_not_the_servers() -> None:
    assert slot_latencies(due=10.0, sent=13.25, answered=13.5, interval=1.0) == [0.25]
    assert slot_latencies(due=10.0, sent=11.25, answered=13.5, interval=1.0) == [2.25, 1.5, 0.5]


# Machine, processes, servers


def test_file_system_is_that_of_the_longest_mount_point() -> None:
    mounts = "/dev/a / ext4 rw 0 0\ntmpfs /x tmpfs rw 0 0\n/dev/b /x/data xfs rw 0 0\nbroken\n"
    assert file_system(Path("/x/data/deep"), mounts) == "xfs"
    assert file_system(Path("/x/database"), mounts) == "tmpfs"
    assert file_system(Path("/y"), mounts) == "ext4"


def test_sample_of_this_process_and_of_none() -> None:
    sample = sample_process(os.getpid())
    assert sample.resident_peak_bytes >= sample.resident_bytes > 0
    assert sample.cpu_seconds > 0
    with pytest.raises(ProcessLookupError):
        sample_process(2**22 + 1)  # Above the largest id that Linux gives.


def test_command_lines_of_the_contenders() -> None:
    directory = Path("/d")
    [lmdb] = subject_contenders(("python", "-m", "durable_redis"), ("lmdb",))
    assert lmdb.arguments("no", 7, directory, 1000) == [
        *[
            "python",
            "-m",
            "durable_redis",
            "--port",
            "7",
            "--dir",
            "/d",
            "--appendfsync",
            "no",
            "--backend",
            "lmdb",
        ],
        *["--maxmemory", "1000"],
    ]
    assert redis_contender().arguments("always", 7, directory)[-2:] == ["--appendfsync", "always"]
    assert redis_contender().arguments("no", 7, directory)[-2:] == ["--appendonly", "no"]
    assert "3600 1" in redis_contender(rdb=True).arguments("always", 7, directory)
    [stand_in] = subject_contenders(("/usr/bin/redis-server",), ("lmdb",))
    assert stand_in.series == "lmdb"
    assert "--backend" not in stand_in.arguments("always", 7, directory)


def test_scratch_directory_goes_even_when_interrupted(tmp_path: Path) -> None:
    def interrupted() -> Iterator[None]:
        with scratch_directory(tmp_path) as directory:
            (directory / "file").write_text("data")
            yield
            raise KeyboardInterrupt

    steps = interrupted()
    next(steps)
    assert len(list(tmp_path.iterdir())) == 1
    with pytest.raises(KeyboardInterrupt):
        next(steps)
    assert list(tmp_path.iterdir()) == []


# Options


def test_options_change_the_edition_they_belong_to() -> None:
    options = build_parser().parse_args(
        ["--quick", "--pipelines", "1,4", "--tests", "set,get", "--rounds", "5"]
    )
    expected = dataclasses.replace(QUICK, pipelines=(1, 4), tests=("set", "get"), rounds=5)
    assert settings_from(options) == expected
    assert settings_from(build_parser().parse_args([])) == FULL


@pytest.mark.parametrize(
    "line", ["--rounds 0", "--rounds 100", "--keys 0", "--pipelines 0", "--restart-keys 0"]
)
def test_counts_out_of_bounds_are_refused(line: str) -> None:
    with pytest.raises(BenchError):
        settings_from(build_parser().parse_args(line.split()))


@pytest.mark.parametrize("line", ["--tests fly", "--modes sometimes", "--pipelines one", "--only all"])
def test_unknown_names_are_refused(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exited:
        build_parser().parse_args(line.split())
    assert exited.value.code == 2
    assert line.split()[1] in capsys.readouterr().err


# Results and report


def sample_results(edition: str = "full") -> Results:
    machine = Machine(
        cpu_model="Model T",
        cores=2,
        memory_bytes=2**33,
        kernel="6.1",
        file_system="ext4",
        python="3.11.2",
        redis="7.0.15",
        fdatasync_median_us=105.0,
        fdatasync_p99_us=300.0,
    )
    run = RunInfo(
        command="python -m tools.bench",
        subject="python -m durable_redis",
        started="2024-01-01 00:00 UTC",
        seconds=120.0,
        edition=edition,
        settings=dataclasses.asdict(FULL),
    )
    restart = RestartRow(
        round=1,
        series="redis",
        stop="clean",
        keys=5_000_000,
        first_get_ms=8000.0,
        resident_bytes=10**9,
        loaded_resident_bytes=10**9,
        disk_bytes=10**9,
        keys_found=5_000_000,
    )
    zipf = ZipfRow(
        round=1,
        series="lmdb",
        keys=1000,
        cache_bytes=0,
        requests=10,
        per_second=80_000.0,
        p50_ms=0.5,
        p99_ms=1.0,
        cpu_us=9.0,
        resident_bytes=10**8,
    )
    pause = PauseRow(
        round=1,
        series="lmdb",
        mode="always",
        pipeline=1,
        per_second=60_000.0,
        checkpoints=4,
        probes=1000,
        p50_ms=0.5,
        p99_ms=2.0,
        p999_ms=9.0,
        worst_ms=19.0,
        prober_late_worst_ms=1.0,
    )
    return Results(
        machine=machine,
        runs=dict.fromkeys(SCENARIOS, run),
        throughput=[
            cell(1, "redis", 100_000),
            cell(1, "lmdb", 110_000),
            cell(2, "redis", 50_000),
            cell(2, "lmdb", 65_000),
        ],
        collections=[
            cell(1, "redis", 100_000, test="zadd"),
            cell(1, "lmdb", 70_000, test="zadd"),
            cell(1, "redis", 90_000, test="zpopmin"),
            cell(1, "lmdb", 90_000, test="zpopmin"),
        ],
        restart=[restart, dataclasses.replace(restart, series="lmdb", first_get_ms=400.0)],
        zipf=[zipf, dataclasses.replace(zipf, cache_bytes=100, per_second=36_000.0)],
        pauses=[pause, dataclasses.replace(pause, round=2, worst_ms=21.0)],
        failures={"zipf": ["zipf of redis: it broke"]},
    )


def test_results_survive_json_and_foreign_files_are_refused(tmp_path: Path) -> None:
    results = sample_results()
    path = tmp_path / "deep" / "results.json"
    results.save(path)
    again = Results.from_json(path.read_text())
    assert again.throughput == results.throughput
    assert again.collections == results.collections
    assert again.to_json() == results.to_json()
    assert [file.name for file in path.parent.iterdir()] == ["results.json"]
    for text in ("", "[]", "{}", results.to_json().replace('"format": 1', '"format": 999')):
        with pytest.raises(BenchError):
            Results.from_json(text)


def test_judgements_take_the_median_of_ratios_and_the_worst_of_limits() -> None:
    judged = {judgement.work: judgement for judgement in judge(sample_results())}
    write = judged["SET, `always`, no pipeline"]
    assert write.measured.count == 2
    assert write.measured.median == pytest.approx(1.2)
    assert write.reached is True
    assert judged["ZADD, `always`, no pipeline"].reached is False
    assert judged["start to first answered GET after a clean stop, 5 M keys"].reached is True
    assert judged["data ten times the cache, 95 % reads, zipf"].reached is False
    assert judged["worst pause under SET load with checkpoints, `always`, no pipeline"].reached is False
    assert len(judged) == 5


def test_a_run_that_is_too_small_is_not_judged() -> None:
    results = sample_results("quick")
    results.restart = [dataclasses.replace(row, keys=1_000_000) for row in results.restart]
    assert [judgement.reached for judgement in judge(results)] == [None] * 5
    report = render(results)
    assert "reached |" not in report
    assert "missed** |" not in report
    assert "0 reached, 0 missed, 5 not judged." in report


def test_a_pause_without_a_checkpoint_is_not_judged() -> None:
    results = sample_results()
    results.pauses = [dataclasses.replace(row, checkpoints=0) for row in results.pauses]
    assert [judgement.reached for judgement in judge(results)].count(None) == 1


@pytest.mark.parametrize(
    ("mode", "test", "pipeline", "target"),
    [
        ("always", "set", 1, 1.2),
        ("always", "set", 16, 1.0),
        ("everysec", "set", 1, 0.9),
        ("everysec", "set", 16, 0.7),
        ("no", "set", 1, None),
        ("no", "get", 1, 0.95),
        ("always", "get", 16, 0.7),
        ("everysec", "incr", 1, 0.8),
        ("always", "incr", 16, None),
        ("always", "ping", 1, None),
        ("always", "set", 4, None),
    ],
)
def test_throughput_targets(mode: str, test: str, pipeline: int, target: float | None) -> None:
    assert throughput_target(mode, test, pipeline) == target


def test_report_shows_ratios_verdicts_and_failures() -> None:
    report = render(sample_results())
    assert "| SET, `always`, no pipeline | lmdb | 1.20 (1.10–1.30) × | ≥ 1.2 × | reached |" in report
    assert "| SET, no pipeline | redis-server | 75,000 | 1 |" in report
    assert "| SET, no pipeline | lmdb | 87,500 | 1.20 (1.10–1.30) |" in report
    assert "| 5 M | lmdb | clean | 400 | 0.050 |" in report
    assert "0.45" in report
    assert "2 reached, 3 missed, 0 not judged." in report
    assert "- zipf of redis: it broke" in report
    assert "fdatasync` of a 4 KiB block in place: median 105 µs" in report
    assert "`python -m tools.bench` (full edition)" in report


def test_every_table_of_the_report_has_equally_long_rows() -> None:
    tables = [block for block in render(sample_results()).split("\n\n") if block.startswith("|")]
    assert len(tables) == 8
    for table in tables:
        assert len({line.count("|") for line in table.splitlines()}) == 1


def test_report_of_nothing_has_the_machine_only() -> None:
    report = render(Results(machine=sample_results().machine))
    assert "Model T" in report
    assert "## " not in report


def test_a_stand_in_is_named_in_the_report() -> None:
    results = sample_results()
    assert "stood in" not in render(results)
    results.runs["zipf"] = dataclasses.replace(results.runs["zipf"], subject="/usr/bin/redis-server")
    assert "stood in" in render(results)


def test_notes_by_hand_survive_rendering() -> None:
    notes = "\n## What limits it\n\nThe disk.\n"
    first = render(sample_results(), notes)
    assert first.endswith(NOTES_MARKER + "\n" + notes)
    assert render(sample_results(), notes_of(first)) == first
    assert notes_of("# Somebody else's file\n") == ""


def test_every_test_of_collections_is_known_and_runs_in_the_order_of_the_table() -> None:
    order = list(TESTS)
    assert sorted(FULL.collection_tests, key=order.index) == list(FULL.collection_tests)
    assert not set(FULL.collection_tests) & set(FULL.tests)
