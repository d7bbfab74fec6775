"""The figures of *Competing risks* show what hands, closed forms and simulations say."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from scipy.stats import norm

from car_relapse.figures.competing_risks import control_biology, gray_mirage, rejects
from car_relapse.followup import Cause
from car_relapse.trial import virtual
from car_relapse.trial.sample_size import Calendar, rank_test

MONTHS = 24


def value(drawings, slug: str, key: str) -> float:
    return drawings[slug].numbers[key].value


def test_shares_of_the_small_trial_are_those_by_hand(drawings):
    data = drawings["competing-states"].data
    # At risk and events of cause 1, 2 and 3, counted on paper.
    steps = [(12, 1, 0, 0), (11, 1, 1, 0), (8, 1, 0, 0), (7, 0, 0, 1), (6, 0, 1, 0), (5, 1, 0, 0),
             (3, 0, 1, 0)]  # fmt: skip
    free, shares = Fraction(1), [Fraction(0)] * 3
    for n, *events in steps:
        shares = [s + free * Fraction(d, n) for s, d in zip(shares, events, strict=True)]
        free *= 1 - Fraction(sum(events), n)
    assert data["free"][-1] == pytest.approx(float(free), abs=1e-12)
    for k, share in enumerate(shares, 1):
        assert data[f"cause_{k}"][-1] == pytest.approx(float(share), abs=1e-12)


def test_only_the_right_estimates_fill_the_whole(drawings):
    data = drawings["one-minus-km"].data
    right = data["free"] + sum(data[f"right_{k}"] for k in (1, 2, 3))
    wrong = data["free"] + sum(data[f"wrong_{k}"] for k in (1, 2, 3))
    assert right == pytest.approx(np.ones_like(right), abs=1e-12)
    assert (np.diff(wrong) > -1e-12).all()
    assert value(drawings, "one-minus-km", "total") == pytest.approx(100 * wrong[-1])
    for k in (1, 2, 3):
        assert (data[f"wrong_{k}"] >= data[f"right_{k}"] - 1e-12).all()


def test_escape_in_the_large_trial_is_that_of_the_reference_table(drawings):
    # R's survival package, as in the table of reference values.
    assert value(drawings, "one-minus-km", "wrong_1") == pytest.approx(39.67684946, abs=1e-6)
    assert value(drawings, "one-minus-km", "wrong_2") == pytest.approx(26.06645578, abs=1e-6)


def test_tests_keep_their_level_where_nothing_that_they_see_changes(drawings):
    data = drawings["gray-mirage"].data
    even = int(np.argmin(np.abs(data["ratio"] - 1.0)))
    for i in (1, 2):
        assert data[f"cause_{i}"] == pytest.approx(0.05, abs=1e-6)
        for name in ("gray", "any"):
            assert data[f"{name}_{i}"][even] == pytest.approx(0.05, abs=1e-9)
            assert (data[f"{name}_{i}"] >= 0.05 - 1e-9).all()


def test_more_patients_make_the_mirage_sharper(drawings):
    data = drawings["gray-mirage"].data
    far = data["ratio"] > 1.5
    assert (data["gray_2"] > data["gray_1"])[far].all()


def test_curves_are_where_simulated_trials_are(drawings):
    control = control_biology()
    dual = control.multiplied({Cause.ANTIGEN_POSITIVE: 2.5})
    arms = (virtual.Arm(name="one", biology=control), virtual.Arm(name="two", biology=dual))
    design = virtual.Trial(arms=arms, patients=200, follow_up=MONTHS)
    analyses = (virtual.Analysis(kind="gray", causes=(Cause.ANTIGEN_NEGATIVE,)),)
    share = virtual.run(design, analyses, 2000, seed=3).rejected()[0][0, 0]
    wanted = value(drawings, "gray-mirage", "gray_1") / 100
    assert share == pytest.approx(wanted, abs=4 * math.sqrt(wanted * (1 - wanted) / 2000))


def test_chance_of_rejection_is_that_of_the_normal_law():
    control = control_biology()
    dual = control.multiplied({Cause.ANTIGEN_NEGATIVE: 0.5})
    test = rank_test(control, dual, Calendar(accrual=0.0, follow_up=MONTHS),
                     cause=Cause.ANTIGEN_NEGATIVE)  # fmt: skip
    # The other side adds next to nothing where the effect is large.
    assert rejects(test, 400) == pytest.approx(test.power(400), abs=1e-6)
    same = rank_test(control, control, Calendar(accrual=0.0, follow_up=MONTHS))
    assert rejects(same, 400) == pytest.approx(2 * norm.sf(norm.isf(0.025)))


def test_the_control_draws_one_panel_and_no_marks():
    found = gray_mirage(escape_ratio=0.5, sizes=(100,), trials=0)
    assert set(found.data) == {"ratio", "gray_1", "cause_1", "any_1"}
    assert len(found.figure.axes) == 1
