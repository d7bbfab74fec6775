"""The figures of *Single arm* agree with the binomial law, the designs and the tables."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom, binomtest

from car_relapse.evidence import trials
from car_relapse.figures.single_arm import historical_control
from car_relapse.trial.single_arm import ahern


def test_the_saw_is_the_exact_test_and_its_marks_are_the_designs(drawings):
    data, numbers = (getattr(drawings["saw-tooth"], k) for k in ("data", "numbers"))
    assert (data["error"] <= 0.05).all()
    for n, power in zip(data["patients"].astype(int), data["power"], strict=True):
        needed = next(x for x in range(n + 1) if binom.sf(x - 1, n, 0.2) <= 0.05)
        assert power == pytest.approx(binom.sf(needed - 1, n, 0.4))
    stable = ahern(0.2, 0.4, stable=True).patients[0]
    enough = data["power"] >= 0.8
    assert enough[data["patients"] >= stable].all()
    assert not enough[data["patients"] == stable - 1].any()
    assert numbers["stable_patients"].value == stable
    assert numbers["dip_patients"].value == stable - 1


def test_the_power_falls_where_the_error_does(drawings):
    data = drawings["saw-tooth"].data
    np.testing.assert_array_equal(np.diff(data["power"]) < 0, np.diff(data["error"]) < 0)


def test_response_and_survival_are_those_of_the_tables(drawings):
    data = drawings["response-and-later"].data
    amelia = trials()["auto3_amelia"]
    place = int(np.argmin(data["later"]))
    assert data["response"][place] == pytest.approx(amelia.n_cr / amelia.n_evaluable)
    assert data["later"][place] == pytest.approx(amelia.efs_or_pfs_12m / 100)
    assert data["later_low_95"][place] == data["later_high_95"][place]  # none was printed
    ends = binomtest(amelia.n_cr, amelia.n_evaluable).proportion_ci(0.95, method="exact")
    assert data["response_low_95"][place] == pytest.approx(ends.low)
    assert data["several_targets"].sum() == 3


def test_the_history_is_right_where_it_is_true_and_wrong_elsewhere(drawings):
    numbers = drawings["historical-control"].numbers
    # The values of the plan of this chapter, computed apart.
    for place, values in enumerate(((4.5, 17.7, 47.8), (4.2, 24.7, 69.1))):
        found = [numbers[f"success_{place}_{points}"].value for points in (0, 5, 10)]
        np.testing.assert_allclose(found, values, atol=0.06)


def test_more_patients_are_surer_of_the_wrong_answer_and_no_history_is_safe():
    data = historical_control(0.3, (50, 150)).data
    below = data["true"] < 0.27
    assert (data["success_150"][below] > data["success_50"][below]).all()
    assert (np.diff(data["success_50"]) < 0).all()
