"""The figures of *Dose* agree with the reference values, with closed forms and with each other."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from car_relapse.errors import ParameterError
from car_relapse.figures.dose_finding import (
    dose_optimum,
    dose_rules,
    dose_selection,
    dose_truths,
    plateau_doses,
)
from car_relapse.trial.dose import BOIN12, DoseData

TABLE = Path(__file__).resolve().parents[1] / "verification" / "trials.csv"


@pytest.fixture(scope="module")
def reference() -> dict[str, tuple[float, ...]]:
    with TABLE.open(encoding="utf-8", newline="") as file:
        rows = {row["id"]: row["value"] for row in csv.DictReader(file)}
    return {
        key: tuple(np.atleast_1d(json.loads(value)).tolist())
        for key, value in rows.items()
        if key.startswith(("boin.exactoc.sel", "3p3", "boin12.desir"))
    }


@pytest.mark.parametrize(
    ("column", "key"),
    [
        ("third_stop", "3p3A.mtd.mtd_dl3"),
        ("second_stop", "3p3A.mtd.mtd_dl2"),
        ("none_stop", "3p3A.mtd.all_toxic"),
        ("third_confirm", "3p3B.mtd.mtd_dl3"),
        ("none_confirm", "3p3B.mtd.all_toxic"),
    ],
)
def test_the_bars_of_3_plus_3_are_the_reference_values(drawings, reference, column, key):
    assert drawings["dose-selection"].data[column] == pytest.approx(reference[key], abs=1e-9)


def test_the_bars_of_boin_are_the_reference_values(drawings, reference):
    # The reference gives the levels first, and the trials that stop without one last.
    *levels, stopped = reference["boin.exactoc.sel.flat_low"]
    drawn = drawings["dose-selection"].data["flat_boin"]
    assert drawn == pytest.approx([stopped, *levels], abs=1e-9)


def test_each_rule_recommends_some_level_or_none(drawings):
    data = drawings["dose-selection"].data
    for name in dose_truths():
        for rule in ("stop", "confirm", "boin"):
            assert data[f"{name}_{rule}"].sum() == pytest.approx(1.0)


def test_on_two_levels_what_3_plus_3_finds_is_a_closed_form():
    # Of three levels: the product of the chances to pass.
    drawn = dose_rules().data["stop"][0]
    p = np.array([0.05, 0.325, 0.6])
    up = (1 - p) ** 3 * (1 + 3 * p * (1 - p) ** 2)
    chosen = np.cumprod(up) * np.append(1 - up[1:], 1.0)
    assert drawn == pytest.approx(chosen @ p / chosen.sum())


def test_boin_finds_a_higher_level_when_it_is_told_to():
    low, high = (dose_rules(target).data for target in (0.2, 0.33))
    assert (high["boin"] > low["boin"] + 0.05).all()
    assert (high["stop"] == low["stop"]).all()


def test_with_a_target_of_a_fifth_boin_recommends_as_3_plus_3_does():
    data = dose_selection(["second"], target=0.2).data
    for rule in ("stop", "confirm", "boin"):
        assert np.argmax(data[f"second_{rule}"]) == 1


def test_the_mean_utility_is_that_of_many_patients(drawings):
    scenario, design = plateau_doses(), BOIN12()
    patients = 10_000
    t, e = np.array(scenario.toxicity), np.array(scenario.response)
    seen = DoseData(
        treated=np.full(4, patients),
        toxic=np.rint(patients * t).astype(int),
        responses=np.rint(patients * e).astype(int),
        toxic_responses=np.rint(patients * t * e).astype(int),
    )
    drawn = drawings["dose-optimum"].data["utility"]
    assert drawn == pytest.approx(100 * design.utility_sum(seen) / patients)
    assert np.argmax(drawn) == 1


def test_the_desirabilities_that_the_text_prints_are_the_reference_values(reference):
    for toxic, responses in ((0, 3), (0, 0)):
        seen = DoseData(treated=[3], toxic=[toxic], responses=[responses])
        (expected,) = reference[f"boin12.desir.n3.t{toxic}.e{responses}"]
        assert BOIN12().desirability(seen)[0] == pytest.approx(expected, abs=1e-9)


def test_more_trials_have_a_smaller_error_by_the_root_of_their_number():
    few, many = (dose_optimum(trials=n, seed=5).numbers["largest_error"] for n in (250, 1000))
    assert few.value / many.value == pytest.approx(2.0, rel=0.1)


@pytest.mark.parametrize(
    "call",
    [
        lambda: dose_selection(["flat", "steep"]),
        lambda: dose_selection([]),
        lambda: plateau_doses("mild"),
    ],
)
def test_a_name_that_is_none_is_refused_with_those_that_are(call):
    with pytest.raises(ParameterError, match=r"it must .*; "):
        call()
