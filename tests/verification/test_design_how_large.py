"""The command's example file reproduces the table of *How large?*, row by row.

The reference rows (``q5.*``) come from a simulation of their own, of 10,000 trials; here 2,000 are
simulated from the scenario file that a reader gets by ``car-relapse design --example how-large``.
"""

from __future__ import annotations

import json
import math
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from car_relapse import design
from car_relapse.trial.sample_size import dual_biologies
from tests.kept import kept

from .trial_runner import read

FOLDER = Path(__file__).parent
ROWS = [raw for raw in read(FOLDER / "trials.csv") if raw["id"].startswith("q5.S")]
PATIENTS, TRIALS, REFERENCE = 200, 2000, 10_000
#: Names of the tests in the reference rows, in the order of the endpoints of the file.
TESTS = ("cs1", "gray1", "cif1", "efs", "rmst", "frac")
#: Biologies and tests whose size is searched for, to keep the check short.
SEARCHED = (("S1", "cs1"), ("S1", "gray1"), ("S3", "cs1"), ("S3", "gray1"), ("S5", "cs1"))


def _compute() -> dict[str, Any]:
    scenario = design.parse_trial(design.example_text("how-large"))
    plan = design.plan_trial(scenario, search=False)
    fewer = replace(
        scenario,
        biologies=tuple(b for b in scenario.biologies if b.name[:2] in dict(SEARCHED)),
        endpoints=replace(scenario.endpoints, others=scenario.endpoints.others[:1]),
    )
    found = design.plan_trial(fewer)
    return {
        "patients": plan.patients,
        "trials": plan.trials,
        "endpoints": [e.test for e in scenario.endpoints.all],
        "power": {
            f"{b.name[:2]}.{test}": [row.rejected, row.rejected_error]
            for b in plan.biologies
            for test, row in zip(TESTS, b.performance, strict=True)
        },
        "closed": {
            f"{b.name[:2]}.{test}": size.formula.closed_form
            for b in plan.biologies
            for test, size in zip(TESTS, b.sizes, strict=True)
        },
        "ratio": {f"{b.name[:2]}": b.sizes[3].formula.hazard_ratio for b in plan.biologies},
        "sizes": {
            f"{b.name[:2]}.{test}": [size.simulated.exact, size.simulated.std_error]
            for b in found.biologies
            for test, size in zip(TESTS, b.sizes, strict=False)
            if size.simulated is not None
        },
    }


@cache
def table() -> dict[str, Any]:
    """Return what the example file leads to, computed now or kept from an earlier run."""
    return kept("design-how-large", (FOLDER,), _compute, lambda _: True)


def _rows(part: str) -> list[Any]:
    found = [raw for raw in ROWS if part in raw["id"]]
    assert found
    return [pytest.param(raw, id=raw["id"]) for raw in found]


def test_the_file_is_that_of_the_table():
    assert (table()["patients"], table()["trials"]) == (PATIENTS, TRIALS)
    tests = ["log-rank", "gray", "incidence", "log-rank", "restricted mean", "share"]
    assert table()["endpoints"] == tests
    assert {key[:2] for key in table()["power"]} == {f"S{n}" for n in range(8)}


@pytest.mark.parametrize(
    "raw", [p for p in _rows(".power.") if json.loads(p.values[0]["inputs"])["N"] == PATIENTS]
)
def test_power_is_that_of_the_table(raw):
    inputs, wanted = json.loads(raw["inputs"]), float(raw["value"])
    rejected, error = table()["power"][f"{inputs['scenario'][:2]}.{inputs['test']}"]
    reference_error = math.sqrt(wanted * (1 - wanted) / REFERENCE)
    assert abs(rejected - wanted) <= 4 * math.hypot(error, reference_error)


@pytest.mark.parametrize("raw", _rows(".N_"))
def test_the_closed_form_is_that_of_the_table(raw):
    name, _, test = raw["id"].removeprefix("q5.").partition(".N_")
    test = {"gray": "gray1", "cif_prop": "cif1"}.get(test, test)
    wanted = math.inf if raw["value"] == "inf" else float(raw["value"])
    assert table()["closed"][f"{name}.{test}"] == pytest.approx(wanted, rel=1e-6)


@pytest.mark.parametrize("raw", _rows(".efsHR"))
def test_the_hazard_ratio_of_event_free_survival_is_that_of_the_table(raw):
    assert table()["ratio"][raw["id"][3:5]] == pytest.approx(float(raw["value"]), rel=1e-4)


@pytest.mark.parametrize(
    "raw", [p for p in _rows(".Nsim.") if (p.id[3:5], p.id[11:].rpartition("_")[0]) in SEARCHED
            and p.id.endswith("_0.8")]
)  # fmt: skip
def test_the_simulated_size_is_that_of_the_table(raw):
    wanted = float(raw["value"])
    exact, error = table()["sizes"][f"{raw['id'][3:5]}.{raw['id'][11:-4]}"]
    # The reference prints whole patients and no error; its trials are five times as many.
    assert abs(exact - wanted) <= 4 * math.hypot(error, error / math.sqrt(5)) + 1


def test_the_file_tells_the_eight_stories_of_the_library():
    scenario = design.parse_trial(design.example_text("how-large"))
    control = scenario.versions[0].trial.arms[0].biology
    stories = dual_biologies(control, escape=0.10)
    assert [b.name for b in scenario.biologies] == [f"{s.key} {s.name}" for s in stories]
    for version, story in zip(scenario.versions, stories, strict=True):
        biology = version.trial.arms[1].biology
        assert biology.causes == story.experimental.causes
        for month in (6.0, 24.0):
            wanted = story.experimental.incidence(month)
            assert biology.incidence(month) == pytest.approx(wanted, rel=1e-9)
