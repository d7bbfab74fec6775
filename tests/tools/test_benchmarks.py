"""The stored benchmarks are complete and agree with themselves; what is timed is right."""

from __future__ import annotations

import json
import os
import signal
import socket
import statistics
import sys
import time
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

# The benchmarks are a folder of scripts, found only once the path above is set.
from benchmarks import (  # noqa: E402
    many_patients,
    r1,
    r1_model,
    r1n,
    r1r,
    r2,
    r3,
    r3_model,
    r4,
    r4_model,
    scale,
)
from benchmarks import survival_states as survival  # noqa: E402
from benchmarks.__main__ import BENCHMARKS, KEPT_FROM  # noqa: E402
from benchmarks.contest import Contestant, Entry, contest  # noqa: E402
from benchmarks.demands import DEMANDS, Demand  # noqa: E402
from benchmarks.machine import PACKAGES  # noqa: E402
from benchmarks.peers import exact_cells, odeint, trial_tests  # noqa: E402
from benchmarks.results import (  # noqa: E402
    RESULTS,
    Result,
    record,
    store,
    table,
    times_slower,
    unmet,
)
from benchmarks.two_types import means, treated_escape  # noqa: E402

CONTESTANTS = {
    "R1": r1.CONTESTANTS,
    "R1n": r1n.CONTESTANTS,
    "R1r": r1r.CONTESTANTS,
    "R2": r2.CONTESTANTS,
    "R3": r3.CONTESTANTS,
    "R4": r4.CONTESTANTS,
    "survival": survival.CONTESTANTS,
    "batch": many_patients.CONTESTANTS,
    "S": scale.CONTESTANTS,
}


# The stored results.


@pytest.fixture(scope="module")
def stored():
    return json.loads(RESULTS.read_text(encoding="utf-8"))


def test_every_benchmark_is_stored_with_enough_rounds(stored):
    assert set(stored["benchmarks"]) == set(BENCHMARKS)
    for found in stored["benchmarks"].values():
        assert found["rounds"] >= KEPT_FROM
        assert found["entries"]


def test_every_demand_is_stored_as_it_stands(stored):
    for demand in DEMANDS:
        quantities = {q["name"]: q for q in stored["benchmarks"][demand.benchmark]["quantities"]}
        assert quantities[demand.quantity]["demand"] == {
            "rule": demand.rule,
            "value": demand.value,
        }


@pytest.mark.parametrize("name", CONTESTANTS)
def test_every_program_is_stored_also_when_it_failed(stored, name):
    entries = {e["name"]: e for e in stored["benchmarks"][name]["entries"]}
    assert set(entries) == {c.name for c in CONTESTANTS[name]}
    for entry in entries.values():
        assert entry["seconds"] or (entry["message"] and entry["limit_seconds"])


def test_versions_and_machine_are_stored_without_a_name(stored):
    assert {"python", *PACKAGES} == set(stored["versions"])
    assert all(stored["versions"].values())
    assert stored["machine"]["processor"]
    assert stored["machine"]["cores"] >= 1
    text = RESULTS.read_text(encoding="utf-8")
    assert len(socket.gethostname()) < 4 or socket.gethostname() not in text
    assert str(Path.home()) not in text


def test_the_peers_were_the_pinned_ones(stored):
    lines = (ROOT / "requirements" / "bench.txt").read_text(encoding="utf-8").splitlines()
    pins = dict(line.split("==") for line in lines if "==" in line)
    assert {name: pins[name] for name in PACKAGES if name in pins} == {
        name: stored["versions"][name] for name in PACKAGES if name in pins
    }


def test_medians_ranges_and_verdicts_follow_from_the_rounds(stored):
    demands = {(d.benchmark, d.quantity): d for d in DEMANDS}
    for name, found in stored["benchmarks"].items():
        for entry in found["entries"]:
            if entry["seconds"]:
                assert entry["median_seconds"] == statistics.median(entry["seconds"])
                assert entry["low_seconds"] == min(entry["seconds"])
                assert entry["high_seconds"] == max(entry["seconds"])
                assert entry["low_seconds"] > 0
        for quantity in found["quantities"]:
            if quantity["values"]:
                assert quantity["median"] == statistics.median(quantity["values"])
                assert quantity["low"] == min(quantity["values"])
                assert quantity["high"] == max(quantity["values"])
            if quantity["demand"]:
                reached = quantity["median"]
                met = reached is not None and demands[name, quantity["name"]].met(reached)
                assert quantity["met"] is met


def test_ratios_are_those_of_the_same_round(stored):
    for name, own, peers in (
        ("R3", r3.BATCH, [r3.ODEINT, r3.ROADRUNNER, r3.DIFFRAX]),
        ("R4", r4.OWN, [r4.STATSMODELS, r4.SKSURV, r4.LIFELINES_LOG_RANK, r4.LIFELINES]),
        ("R2", r2.LEAP, ["rebop", "GillesPy2 C++", "COPASI direct method", "libRoadRunner"]),
    ):
        entries = {e["name"]: e for e in stored["benchmarks"][name]["entries"]}
        quantities = {q["name"]: q for q in stored["benchmarks"][name]["quantities"]}
        for peer in peers:
            quantity = quantities[f"{peer} / {own}"]
            if not quantity["bound"]:
                pairs = zip(entries[peer]["seconds"], entries[own]["seconds"], strict=False)
                assert quantity["values"] == pytest.approx([a / b for a, b in pairs])


# How results are judged and kept.


def entry(name: str, *seconds: float, **more) -> Entry:
    return Entry(name=name, own=False, unit="call", clock="cpu", seconds=[*seconds], **more)


def test_a_program_that_was_stopped_gives_a_lower_bound():
    slow = entry("slow", units=10, build_seconds=1.0, status="too long", limit=60.0)
    quantity = times_slower("slow / fast", slow, entry("fast", 0.5, 1.0, 2.0))
    assert quantity.values == [6.0]
    assert quantity.bound
    never_built = entry("slow", units=10, status="too long", limit=60.0)
    assert times_slower("slow / fast", never_built, entry("fast", 1.0)).values == []


def test_a_demand_without_a_figure_is_not_met():
    result = Result(title="", workload="", entries=[], quantities=[])
    found = record("C", result)
    assert found["met"] is False
    assert len(unmet([("C", found)])) == sum(d.benchmark == "C" for d in DEMANDS)
    assert "not measured" in table("C", found)


@pytest.mark.parametrize(
    ("rule", "value", "met"),
    [("≥", 2.0, True), ("≥", 1.9, False), ("≤", 2.1, False), ("=", 2, True)],
)
def test_demands_are_held_against_the_median(rule, value, met):
    assert Demand("x", "y", rule, 2.0).met(value) is met


def test_one_benchmark_is_replaced_and_the_others_stay(tmp_path):
    file = tmp_path / "results.json"
    about = {"machine": {"processor": "p"}, "versions": {"python": "3"}}
    store({"R1": {"met": True}, "R2": {"met": True}}, about, file)
    store({"R2": {"met": False}}, about, file)
    assert json.loads(file.read_text())["benchmarks"] == {"R1": {"met": True}, "R2": {"met": False}}


def test_figures_of_different_machines_are_not_mixed(tmp_path):
    file = tmp_path / "results.json"
    store({"R1": {}, "R2": {}}, {"machine": "one", "versions": "v"}, file)
    before = file.read_text()
    assert "left alone" in store({"R2": {}}, {"machine": "two", "versions": "v"}, file)
    assert file.read_text() == before
    store({"R1": {}, "R2": {}}, {"machine": "two", "versions": "v"}, file)
    assert json.loads(file.read_text())["machine"] == "two"


# The contest.

PROGRAMS = """
import os, pathlib, subprocess, sys, time

def counts(units, step=1):
    return lambda seed: {"sum": units * step + seed}

def summed(units):
    return (lambda seed: [seed] * units), (lambda found: {"sum": sum(found)})

def fails(units):
    raise ValueError("no such luck")

def sleeps(units, file):
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    pathlib.Path(file).write_text(str(child.pid))
    def work(seed):
        print("this goes nowhere near the answers")
        time.sleep(60)
    return work
"""


@pytest.fixture
def programs(tmp_path, monkeypatch):
    (tmp_path / "programs.py").write_text(PROGRAMS)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return tmp_path


def test_all_take_their_turn_and_who_fails_or_lingers_is_recorded(programs):
    file = programs / "pid"
    found = contest(
        [
            Contestant(name="counts", target="programs:counts", units=5, options={"step": 2}),
            Contestant(name="summed", target="programs:summed", units=3),
            Contestant(name="fails", target="programs:fails", units=1),
            Contestant(
                name="sleeps", target="programs:sleeps", units=1, options={"file": str(file)},
                limit=1.5,
            ),
        ],
        2,
        "call",
        seed=7,
    )  # fmt: skip
    assert found["counts"].answers == [{"sum": 17}, {"sum": 18}]
    assert found["summed"].answers == [{"sum": 21}, {"sum": 24}]
    assert len(found["counts"].seconds) == 2
    assert (found["fails"].status, found["fails"].message) == (
        "failed",
        "ValueError: no such luck",
    )
    assert found["sleeps"].status == "too long"
    assert found["sleeps"].seconds == []
    assert gone(int(file.read_text()))


def gone(pid: int) -> bool:
    """Whether a process has ended, a moment after it was killed."""
    for _ in range(50):
        try:
            os.kill(pid, 0)
            if Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z":
                return True
        except (ProcessLookupError, FileNotFoundError):
            return True
        time.sleep(0.1)
    os.kill(pid, signal.SIGKILL)
    return False


# What is timed.


@pytest.mark.parametrize("case", r1_model.CASES)
def test_the_cohorts_of_r1_have_their_known_share_of_cures(case):
    # From the Riccati equation of each patient, averaged over 20,480 patients of the cases.
    cured = {"A": 0.0, "B": 0.1646, "C": 0.0, "D": 0.2217, "E": 0.5238}[case]
    work, shares = r1_model.cohort(4096, case)
    found = shares(work(5))
    noise = 4 * np.sqrt(cured * (1 - cured) / 4096)
    assert sum(found.values()) == pytest.approx(1.0)
    assert found["cured"] == pytest.approx(cured, abs=noise + 1e-3)


def test_exact_simulation_and_cohort_agree_on_a_small_leukaemia(monkeypatch):
    # Losses frequent enough for every outcome, in a leukaemia small enough for plain Python.
    monkeypatch.setitem(r1_model.CASES, "T", r1_model.Case(antigens=1, per_antigen=1e-3))
    exact = exact_cells.simulate(150, "T", 300.0, jit=lambda f: f)(3)
    work, shares = r1_model.cohort(2048, "T", 300.0)
    found = shares(work(3))
    for one, other in (("cured", "cured"), ("negative", "antigen_negative")):
        p = found[other]
        assert 0.1 < p < 0.9
        assert exact[one] == pytest.approx(p, abs=4 * np.sqrt(p * (1 - p) / 150))


def test_the_draws_are_those_of_the_cohort():
    recorders = r1r.record("B", 300)
    assert len(recorders) == 3  # blocks of 128
    names = [name for name, _, _ in recorders[0].calls]
    assert {"poisson", "standard_gamma"} <= set(names)
    # A recorder draws what a plain generator draws, and made again the draws are the same.
    again = np.random.default_rng(np.random.SeedSequence(r1_model.SEED, spawn_key=(0,)))
    recorded = r1r.Recorder(
        np.random.default_rng(np.random.SeedSequence(r1_model.SEED, spawn_key=(0,)))
    )
    for name, arguments, options in recorders[0].calls:
        one = getattr(again, name)(*arguments, **options)
        assert np.array_equal(one, getattr(recorded, name)(*arguments, **options))
    counts = r1r.draws(128, "B")(1)
    assert counts["poisson per patient"] > 1


@pytest.mark.parametrize("steps", [92, 23])
def test_the_leap_of_r2_has_the_means_of_theory(steps):
    n = 4096
    work, summary = r2.leap(n, steps)
    found = summary(work(3))
    total, escaped = means()
    # Half of the lines die out; the others are about exponential with twice the mean.
    assert found["total_mean"] == pytest.approx(total, rel=4 * np.sqrt(3.0 / n))
    assert found["escaped_mean"] == pytest.approx(escaped, rel=0.35)
    assert found["extinct"] == pytest.approx(0.5, abs=4 * np.sqrt(0.25 / n))


def test_the_time_of_exact_simulation_is_scaled_to_the_mean_number_of_events():
    lucky = entry("rebop", 1.0)
    lucky.answers = [{"total_mean": 1 + 2 * (means()[0] - 1)}]
    assert r2.at_mean_events(lucky).seconds == pytest.approx([0.5])


def test_the_exact_escape_under_treatment_agrees_with_its_differential_equations():
    mean, any_at_all = treated_escape(1e-10)
    # One cell founded per 1e10 divisions of 1e10 cells that halve every log(2)/0.2 days.
    assert mean == pytest.approx(3.2344e8, rel=1e-3)
    assert any_at_all == pytest.approx(1 - np.exp(-0.5), rel=1e-3)


def test_the_batch_and_odeint_of_r3_solve_the_same_equations():
    for work, errors in (r3_model.batch(3), odeint.logarithmic(3), odeint.linear(3)):
        assert errors(work(1))["median_relative_error"] < 2e-5
    work, errors = r3_model.batch(3)
    assert errors(work(1))["median_relative_error"] < 1e-6


def test_a_lost_clone_counts_as_an_error_of_all_of_it():
    cells = np.array(r3_model.reference(2))
    assert cells[3, -1, 0] > 0.0
    cells[3, -1, 0] = -np.inf
    cells[3, -2, 0] = np.nan
    found = r3_model.errors(cells)
    assert found["median_relative_error"] == 0.0
    assert found["largest_error_above_one_cell"] == 1.0


def test_the_trials_of_r4_are_analysed_as_by_a_peer():
    work, summary = trial_tests.statsmodels(40)
    assert summary(work(0))["largest_difference"] < 1e-12
    for prepare in (r4_model.everything, r4_model.log_rank, r4_model.gray):
        work, summary = prepare(2 * r4_model.BLOCK)
        assert 0.05 < summary(work(0))["power"] < 0.9
    # 60 per arm; the hazard of any event falls from 0.04 to 0.03 a month.
    work, summary = r4_model.everything(8 * r4_model.BLOCK)
    assert summary(work(0))["power"] == pytest.approx(0.245, abs=0.04)


@pytest.mark.parametrize("antigens", [1, 3])
def test_many_patients_have_the_same_lines_at_once_as_in_turn(antigens):
    at_once, in_turn = (
        many_patients.cohort(8, f"{antigens}, {way}")(1)["mean lines"]
        for way in (many_patients.AT_ONCE, many_patients.IN_TURN)
    )
    assert at_once > 0.0
    assert at_once == pytest.approx(in_turn, rel=1e-5)


def test_the_patient_with_64_states_has_probabilities_of_every_kind():
    found = survival.six_antigens(1, "lasting")(1)
    assert 0.0 < found["cure"] < 1.0
    assert 0.0 < found["antigen_negative"] < 1.0
    someone = survival.patient()
    last = someone.therapy.last_day_above(someone.leukaemia.net_rate)
    assert last == pytest.approx(survival.DAYS, rel=1e-6)


def test_one_process_and_two_have_the_same_patients():
    (one, hashed), (two, _) = scale.serial(4096), scale.pool(4096)
    assert hashed(one(1)) == hashed(two(1))
