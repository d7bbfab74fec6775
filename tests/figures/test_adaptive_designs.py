"""The figures of *Adaptive designs* show what closed forms, tables and simulation say."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import binom

from car_relapse.figures.adaptive_designs import (
    PLATFORM,
    borrowed,
    drifting,
    false_claims,
    total_size,
    wrong_history,
)
from car_relapse.trial import sequential
from car_relapse.trial.posteriors import probability_lower


def test_the_bounds_are_those_of_the_reference_tables(drawings):
    numbers = drawings["looks-price"].numbers
    assert numbers["obf_first"].value == pytest.approx(3.4711, abs=1e-3)
    assert numbers["obf_last"].value == pytest.approx(2.0040, abs=1e-3)
    assert numbers["pocock_first"].value == pytest.approx(2.2895, abs=1e-3)
    assert numbers["pocock_largest"].value == pytest.approx(1.1664, abs=1e-3)


def test_expected_sizes_are_those_of_simulated_looks(drawings):
    data = drawings["looks-price"].data
    design = sequential.pocock(3)
    rng = np.random.default_rng(1)
    steps = rng.normal(size=(40_000, 3))
    for place in (0, 10):
        drift = data["effect"][place] * design.drift(0.8)
        score = (steps / math.sqrt(3) + drift / 3).cumsum(axis=1)
        z = score / np.sqrt(np.array(design.information))
        crossed = z[:, :2] > design.efficacy[:2]
        end = np.where(crossed[:, 0], 1 / 3, np.where(crossed[:, 1], 2 / 3, 1.0))
        assert data["pocock"][place] == pytest.approx(design.inflation(0.8) * end.mean(), abs=0.005)


def test_one_arm_with_its_control_is_the_unit_and_shared_controls_save():
    assert total_size(1, 1.0) == pytest.approx(1.0)
    for arms in (2, 3, 5):
        assert total_size(arms, 1 / math.sqrt(arms)) < total_size(arms, 1.0) < arms


def test_false_claims_are_the_level_without_a_drift_and_rise_only_for_equal_controls():
    for controls in ("all", "concurrent", "adjusted"):
        assert false_claims(0.0, controls) == pytest.approx(0.05)
    assert false_claims(0.15, "all") > 0.25
    assert false_claims(0.15, "adjusted") == pytest.approx(0.05)
    assert PLATFORM[2, 0] == 0
    assert (drifting(0.1)[:, 0] - drifting(0.1)[:, 1]) == pytest.approx(0.1)


def test_simulated_points_lie_on_the_lines(drawings):
    data = drawings["shared-control"].data
    for controls in ("all", "concurrent", "adjusted"):
        for fall, share in zip(data["fall"], data[f"false_{controls}"], strict=True):
            expected = false_claims(float(fall), controls)
            # The normal law of binomial shares is off by a little, too.
            assert abs(share - expected) < 4 * math.sqrt(expected * (1 - expected) / 2000) + 0.005


def test_errors_with_a_history_are_counted_over_all_tables():
    prior = borrowed(20, 0.25)
    assert prior == (6.0, 16.0)
    drawing = wrong_history((20,), share=0.25)
    x0, x1 = np.arange(41), np.arange(81)
    truth = float(drawing.data["control"][4])
    weight = np.outer(binom.pmf(x0, 40, truth), binom.pmf(x1, 80, truth))
    likely = np.argwhere(weight > 1e-5)
    claimed = sum(
        weight[i, j]
        for i, j in likely
        if probability_lower((int(i), int(j)), (40, 80), prior_control=prior) > 0.975
    )
    assert drawing.data["false_1"][4] == pytest.approx(claimed, abs=2e-3)


def test_a_right_history_gives_power_and_a_wrong_one_errors(drawings):
    data = drawings["wrong-history"].data
    right = int(np.argmin(np.abs(data["control"] - 0.25)))
    assert data["power_3"][right] > data["power_2"][right] > data["power_1"][right]
    assert data["false_3"][right] < data["false_1"][right]
    assert data["false_3"][0] > 4 * data["false_1"][0]
    assert data["power_3"][-1] < data["power_1"][-1]
