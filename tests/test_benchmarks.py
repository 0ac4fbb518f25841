"""The runner of the benchmarks: ratios, records, geometric means, discovery, and refusals."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

import ictus

benchmarks = pytest.importorskip("benchmarks", reason="the benchmarks are not beside the tests")
from benchmarks import __main__ as program  # noqa: E402
from benchmarks import calls, page, runner  # noqa: E402
from benchmarks.machine import measured_on, this_machine  # noqa: E402
from benchmarks.runner import Case, check, geometric_means, markdown, run_cases  # noqa: E402
from benchmarks.worker import Worker, WorkerError  # noqa: E402

KEYS = {
    "workload",
    "variant",
    "threads",
    "seconds",
    "peer",
    "peer_seconds",
    "ratio",
    "ratio_min",
    "ratio_max",
    "share_of_peak",
}


class Side:
    """A stand-in: what it computes and how long a call takes are arguments of the case."""

    def __init__(self, threads):
        self.threads = threads

    def prepare(self, value):
        self.value = value
        self.run = lambda: sum(range(200))

    def result(self):
        return [np.array([self.value])]


class Ours(Side):
    pass


class Peer(Side):
    pass


class Wrong(Side):
    def result(self):
        return [np.array([self.value + 1.0])]


class Missing:
    def __init__(self, threads):
        raise ImportError("no module named peer")


def run(cases, **options):
    lines = []
    records = run_cases(
        "fake", __name__, cases, threads=[1], rounds=2, seconds=0.001, say=lines.append, **options
    )
    return records, lines


def test_records_and_geometric_mean():
    cases = [Case(f"case {i}", {"value": 1.0}, ("Peer",), 1e3, group="both") for i in range(2)]
    records, lines = run(cases)
    assert [r["variant"] for r in records] == ["case 0", "case 1", "geometric mean both"]
    assert all(set(r) >= KEYS for r in records)
    for r in records[:2]:
        assert r["ratio_min"] <= r["ratio"] <= r["ratio_max"]
        assert r["share_of_peak"] > 0
    mean = math.sqrt(records[0]["ratio"] * records[1]["ratio"])
    assert records[2]["ratio"] == pytest.approx(mean)
    assert len(lines) == 2
    assert markdown(records).count("\n| fake | ") == 3


def test_records_say_on_which_machine():
    records, _ = run([Case("case", {"value": 1.0}, ("Peer",), group="all")])
    assert {r["machine"] for r in records} == {this_machine()}
    assert ictus.instruction_set() in this_machine()
    assert markdown(records).startswith(f"Measured on {this_machine()}.\n\n| workload |")
    two = [{"machine": "an old one"}, {"machine": "a new one"}, {"machine": "an old one"}, {}]
    assert measured_on(two) == (
        "Measured on an old one and a new one and a machine that was not noted."
    )


def test_audio_is_said_in_times_of_real_time():
    case = Case("case", {"value": 1.0}, ("Peer",), group="all", audio_seconds=60.0)
    records, lines = run([case])
    assert records[0]["times_real_time"] == pytest.approx(60.0 / records[0]["seconds"])
    assert lines[0].endswith(" x)")
    rows = markdown(records).splitlines()[2:]
    assert rows[0].endswith("| of peak | audio |")
    assert len({row.count("|") for row in rows}) == 1
    assert " s for a second (" in rows[2]
    half = {"times_real_time": 2.0}
    assert runner.real_time_text(half) == "0.5 s for a second (2 x)"


def test_what_a_call_costs():
    records = calls.extra(quick=True)
    assert len(records) == 3
    assert all(set(r) >= KEYS and r["ratio_min"] <= r["ratio"] <= r["ratio_max"] for r in records)


def test_wrong_results_are_not_timed():
    records, lines = run([Case("case", {"value": 1.0}, ("Wrong", "Peer"))])
    assert "case: results differ by 0.5 (relative)" in records[0]["error"]
    assert "FAILED" in lines[0]
    assert "seconds" not in records[0]
    assert records[1]["ratio"] > 0
    assert "| failed |" in markdown(records)
    with pytest.raises(WorkerError, match="results differ"):
        check(Case("case", {}, ()), [[np.nan]], [[1.0]])


def test_missing_peer_is_a_line():
    records, lines = run([Case("case", {"value": 1.0}, ("Missing", "Peer"))])
    assert [r["peer"] for r in records] == ["Peer"]
    assert lines[0] == "fake: no comparison with Missing: ImportError: no module named peer"


def test_means_are_of_one_peer_and_one_thread_count():
    base = dict.fromkeys(KEYS, 1.0) | {"workload": "w", "group": "g"}
    records = [
        base | {"peer": peer, "threads": threads, "ratio": ratio}
        for peer, threads, ratio in [("a", 1, 2.0), ("a", 1, 8.0), ("a", 2, 3.0), ("b", 1, 5.0)]
    ]
    means = geometric_means(records)
    assert [(m["peer"], m["threads"]) for m in means] == [("a", 1), ("a", 2), ("b", 1)]
    assert means[0]["ratio"] == pytest.approx(4.0)
    assert runner.geometric_means([base | {"group": ""}]) == []


def test_workloads_are_found_by_their_files():
    found = program.workloads()
    assert {"boltzmann", "dense", "gemm", "mean_covariance", "recurrent", "startup"} <= set(found)
    assert not program.MACHINERY & set(found)


def test_command_line(tmp_path, monkeypatch, capsys):
    case = Case("case", {"value": 1.0}, ("Peer",))
    monkeypatch.setattr(
        program,
        "run_workload",
        lambda name, threads, quick: run_cases(
            name, __name__, [case], threads=threads, rounds=2, seconds=0.001
        ),
    )
    files = ["--json", str(tmp_path / "r.json"), "--markdown", str(tmp_path / "r.md")]
    assert program.main(["gemm", *files, "--threads", "1"]) == 0
    records = json.loads((tmp_path / "r.json").read_text())
    assert records[0]["workload"] == "gemm"
    assert "| gemm | case | 1 |" in Path(tmp_path / "r.md").read_text()
    with pytest.raises(SystemExit):
        program.main(["gem"])
    assert "unknown workload 'gem'" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["gemm", "dense"])
def test_our_sides_run(name):
    """What users of the benchmarks time, in the process that times it."""
    import importlib

    module = importlib.import_module(f"benchmarks.{name}")
    worker = Worker(module.__name__, "Ours", 1)
    try:
        for case in module.CASES[-1:]:
            worker.ask("prepare", case.arguments)
            result = worker.ask("result")
            assert all(np.isfinite(values).all() for values in result)
            assert worker.ask("time", 0.001) > 0
        assert worker.ask("peak", 0.001) > 1e8
        with pytest.raises(WorkerError, match="unexpected keyword argument"):
            worker.ask("prepare", {"colour": "red"})
    finally:
        worker.close()


# --- the page of how cost grows ------------------------------------------------------------------


def record(title, value, threads, seconds):
    return dict.fromkeys(KEYS, 1.0) | {
        "title": title, "axis": "n", "value": value, "threads": threads, "seconds": seconds,
        "peer": "PyTorch", "variant": f"{title}, n {value}", "machine": "a good one",
    }  # fmt: skip


def test_page(tmp_path, monkeypatch):
    made = [
        record(title, value, threads, value / threads)
        for title in ("a cost", "another")
        for threads in (1, 2)
        for value in (1, 10)
    ]
    broken = {"variant": "v", "error": "it broke", "machine": "a good one"}
    made.append({"title": "another", "value": 5, "threads": 1} | broken)
    monkeypatch.setattr(page, "measure", lambda series, threads, **options: made)
    assert program.main(["page", str(tmp_path)]) == 1  # since something failed
    text = (tmp_path / "benchmark_scaling.md").read_text()
    assert "## A cost" in text
    assert "Measured on a good one." in text
    assert "| 10 | 10 s | **1.00** | 1.00 to 1.00 | 5 s | **1.00** | 1.00 to 1.00 | 2.00 |" in text
    assert "- v, 1 thread(s): it broke" in text
    assert (tmp_path / "benchmark_scaling.png").stat().st_size > 1000
    records = json.loads((tmp_path / "benchmark_scaling.json").read_text())
    assert len(records) == len(made)
    # What is measured again replaces what was there, the rest stays.
    monkeypatch.setattr(page, "measure", lambda *_, **__: [record("a cost", 1, 1, 7.0)])
    program.main(["page", str(tmp_path), "--keep", "--only", "0"])
    text = (tmp_path / "benchmark_scaling.md").read_text()
    assert "| 1 | 7 s |" in text
    assert "## Another" in text


def test_series_are_measured_with_the_sides_of_their_workloads():
    small = [
        page.Series("product", "size", "gemm", [8, 16], page._product),
        page.Series("step", "batch", "dense", [2], page._step),
    ]
    pytest.importorskip("torch", reason="the peer")
    found = page.measure(small, [1], rounds=2, seconds=0.001)
    assert [(r["title"], r["value"]) for r in found] == [
        ("product", 8), ("product", 16), ("step", 2)
    ]  # fmt: skip
    assert not [r for r in found if "error" in r]
