"""An arm and controls of other periods: weights, bias under drift, standard errors, bad input."""

from __future__ import annotations

import numpy as np
import pytest

from car_relapse.errors import ParameterError
from car_relapse.trial.shared_control import compare_with_control, control_weights

PLATFORM = np.array([[100, 80], [90, 70], [0, 60]])
CONTROLS = ("concurrent", "adjusted", "all")


@pytest.mark.parametrize("controls", CONTROLS)
def test_weights_compare_one_arm_with_one_control(controls):
    weights = control_weights(PLATFORM, arm=2, controls=controls)
    assert weights.sum(axis=1) == pytest.approx([-1.0, 0.0, 1.0], abs=1e-9)


@pytest.mark.parametrize("controls", ["concurrent", "adjusted"])
def test_no_drift_of_the_periods_enters_unless_all_controls_count_as_equal(controls):
    weights = control_weights(PLATFORM, arm=2, controls=controls)
    assert weights.sum(axis=0) == pytest.approx([0.0, 0.0], abs=1e-9)


def test_all_controls_as_equal_are_biased_by_the_share_of_the_earlier_ones():
    weights = control_weights(PLATFORM, arm=2, controls="all")
    drift = np.array([0.0, -0.1])
    assert (weights * drift).sum() == pytest.approx(-0.1 * 100 / 180)


def test_with_one_period_all_three_are_the_plain_difference():
    events, patients = [[30], [12]], [[60], [40]]
    for controls in CONTROLS:
        found = compare_with_control(events, patients, arm=1, controls=controls)
        assert float(found.estimate) == pytest.approx(0.3 - 0.5)
        assert float(found.std_error) == pytest.approx((0.21 / 40 + 0.25 / 60) ** 0.5)
        assert float(found.z) == pytest.approx(float(found.estimate / found.std_error))


def test_the_fit_is_that_of_least_squares_over_patients():
    patients = np.array([[6, 4, 5], [5, 3, 0], [0, 4, 7]])
    rng = np.random.default_rng(3)
    events = rng.binomial(patients, 0.4)
    rows, effects = [], []
    for (arm, period), n in np.ndenumerate(patients):
        for patient in range(n):
            line = np.zeros(5)
            line[period] = 1.0
            if arm:
                line[2 + arm] = 1.0
            rows.append(line)
            effects.append(float(patient < events[arm, period]))
    fitted = np.linalg.lstsq(np.array(rows), np.array(effects), rcond=None)[0]
    for arm in (1, 2):
        found = compare_with_control(events, patients, arm=arm)
        assert float(found.estimate) == pytest.approx(fitted[2 + arm])


def test_an_arm_that_has_left_lends_nothing():
    left = [[50, 50], [50, 0], [0, 50]]
    borrowed, own = (
        control_weights(left, arm=2, controls=controls) for controls in ("adjusted", "concurrent")
    )
    assert borrowed == pytest.approx(own, abs=1e-9)


def test_many_trials_are_compared_at_once_and_keep_the_level_under_drift():
    rng = np.random.default_rng(5)
    shares = np.array([0.35, 0.25]) * np.ones((3, 1))
    events = rng.binomial(PLATFORM, shares, size=(2000, 3, 2))
    error = {c: compare_with_control(events, PLATFORM, arm=2, controls=c) for c in CONTROLS}
    for controls in ("concurrent", "adjusted"):
        wrong = (error[controls].p_value < 0.05).mean()
        assert abs(wrong - 0.05) < 4 * (0.05 * 0.95 / 2000) ** 0.5 + 0.01
    assert (error["all"].p_value < 0.05).mean() > 0.08
    assert error["all"].std_error.mean() < error["adjusted"].std_error.mean()
    assert error["adjusted"].std_error.mean() < error["concurrent"].std_error.mean()
    spread = error["adjusted"].estimate.std()
    assert error["adjusted"].std_error.mean() == pytest.approx(spread, rel=0.06)


def test_nothing_that_varies_is_no_evidence():
    found = compare_with_control([[0], [0]], [[10], [10]], arm=1)
    assert float(found.z) == 0.0
    assert float(found.p_value) == 1.0


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"patients": [50, 50]}, "at least two arms"),
        ({"patients": [[50]]}, "at least two arms"),
        ({"patients": [[50.5, 1], [1, 1]]}, "whole"),
        ({"patients": [[2e6, 1], [1, 1]]}, "at most 1,000,000"),
        ({"arm": 0}, "arm"),
        ({"arm": 2}, "arm"),
        ({"controls": "none"}, "concurrent"),
        ({"patients": [[50, 0], [0, 50]], "events": [[1, 0], [0, 1]]}, "share no period"),
        ({"events": [[1, 1]]}, "same arms and periods"),
        ({"events": [[60, 1], [1, 1]]}, "10 more"),
    ],
)
def test_a_trial_that_cannot_be_compared_is_refused(changed, words):
    given = {"events": [[1, 1], [1, 1]], "patients": [[50, 50], [50, 50]], "arm": 1} | changed
    events = given.pop("events")
    with pytest.raises(ParameterError, match=words):
        compare_with_control(events, given.pop("patients"), **given)
