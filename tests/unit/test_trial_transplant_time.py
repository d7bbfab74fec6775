"""Transplant in time: immortal patients look protected, and two analyses say that they are not."""

from __future__ import annotations

import numpy as np
import pytest
from statsmodels.duration.hazard_regression import PHReg

from car_relapse.errors import ParameterError
from car_relapse.trial.competing_risks import cox, ever_never, landmark, time_dependent

NEVER = np.inf


def trial(rng: np.random.Generator, ratio: float = 1.0, n: int = 200):
    """Draw months of event-free time; a third is to be transplanted between months 2 and 6.

    From transplant on the hazard is multiplied by `ratio`.
    """
    planned, month = rng.random(n) < 1 / 3, rng.uniform(2.0, 6.0, n)
    wait = rng.exponential(12.0, n)
    event = np.where(planned & (wait > month), month + (wait - month) / ratio, wait)
    end = rng.uniform(24.0, 36.0, n)
    time = np.minimum(event, end)
    return time, (event <= end).astype(int), np.where(planned & (month <= time), month, NEVER)


@pytest.fixture(scope="module")
def without_effect():
    rng = np.random.default_rng(3)
    trials = [trial(rng) for _ in range(120)]
    return {
        "ever": [ever_never(*t, ties="breslow") for t in trials],
        "landmark": [landmark(*t, at=6, ties="breslow").regression for t in trials],
        "time-dependent": [time_dependent(*t, ties="breslow") for t in trials],
    }


@pytest.mark.parametrize("analysis", ["landmark", "time-dependent"])
def test_a_transplant_that_does_nothing_has_a_ratio_of_one_in_both_valid_analyses(
    without_effect, analysis
):
    fits = without_effect[analysis]
    found = np.array([fit.coefficient[0] for fit in fits])
    assert abs(found.mean()) < 4 * found.std() / np.sqrt(len(found)) + 0.01
    rejected = np.mean([fit.p_value[0] < 0.05 for fit in fits])
    assert rejected == pytest.approx(0.05, abs=4 * np.sqrt(0.0475 / len(fits)))


def test_but_looks_protective_to_whoever_compares_ever_with_never(without_effect):
    fits = without_effect["ever"]
    found = np.array([fit.coefficient[0] for fit in fits])
    assert np.exp(found.mean()) < 0.75
    assert np.mean([fit.p_value[0] < 0.05 for fit in fits]) > 0.3


def test_a_true_effect_is_found_and_a_landmark_weakens_it():
    rng = np.random.default_rng(4)
    true = np.log(0.5)
    trials = [trial(rng, 0.5, n=400) for _ in range(60)]
    in_time = np.array([time_dependent(*t, ties="breslow").coefficient[0] for t in trials])
    assert in_time.mean() == pytest.approx(true, abs=4 * in_time.std() / np.sqrt(60))
    early = [landmark(*t, at=3.0, ties="breslow").regression.coefficient[0] for t in trials]
    assert true < np.mean(early) < 0.0


@pytest.mark.parametrize("ties", ["efron", "breslow"])
def test_the_time_dependent_model_is_that_of_statsmodels_with_late_entry(ties):
    time, cause, change = trial(np.random.default_rng(5))
    # Events share times; no change falls on one, where the peer would count it as before.
    time, change = np.ceil(time), np.ceil(change) - 0.5
    arm = np.arange(200) % 2
    fit = time_dependent(time, cause, change, covariates={"arm": arm}, ties=ties)
    rows = []
    for t, c, u, a in zip(time, cause, change, arm, strict=True):
        if u < t:
            rows += [(0.0, u, 0, 0, a), (u, t, c, 1, a)]
        else:
            rows.append((0.0, t, c, 0, a))
    entry, end, status, changed, group = np.array(rows, dtype=float).T
    x = np.column_stack([changed, group])
    peer = PHReg(end, x, status=status.astype(int), entry=entry, ties=ties).fit()
    assert fit.names == ("changed", "arm")
    assert fit.coefficient == pytest.approx(peer.params, abs=1e-6)
    assert fit.std_error == pytest.approx(peer.bse, rel=1e-5)
    assert (fit.patients, fit.events) == (200, cause.sum())


def test_a_landmark_counts_who_is_left_and_who_changed_by_then():
    time = [1, 2, 6, 7, 8, 9, 10]
    found = landmark(time, [1, 1, 1, 1, 1, 1, 0], [NEVER, 1, 3, 6, 7, 4, NEVER], at=6)
    assert (found.at, found.patients, found.changed, found.left_out) == (6.0, 4, 2, 3)
    same = cox([7, 8, 9, 10], [1, 1, 1, 0], {"changed": [1, 0, 1, 0]})
    assert found.regression.coefficient == pytest.approx(same.coefficient)
    assert (found.regression.patients, found.regression.events) == (4, 3)


def test_whoever_changes_at_the_start_counts_as_changed_and_at_the_end_as_not():
    time, cause = [1, 2, 3, 4, 5, 6], [1, 1, 1, 1, 1, 0]
    fit = time_dependent(time, cause, [NEVER, 0, NEVER, 0, 5, NEVER])
    same = cox(time, cause, {"changed": [0, 1, 0, 1, 0, 0]})
    assert fit.coefficient == pytest.approx(same.coefficient)
    assert fit.std_error == pytest.approx(same.std_error)


def test_causes_are_told_apart():
    time, _, change = trial(np.random.default_rng(6))
    cause = np.random.default_rng(6).integers(0, 3, 200)
    for analysis in (ever_never, time_dependent):
        both = analysis(time, cause, change)
        one = analysis(time, cause, change, of=2)
        other = analysis(time, cause, change, of=1)
        assert one.events + other.events == both.events == (cause > 0).sum()
        assert one.coefficient[0] != other.coefficient[0]
    found = landmark(time, cause, change, at=4, of=2)
    assert found.regression.events == ((cause == 2) & (time > 4)).sum()


@pytest.mark.parametrize("analysis", [ever_never, time_dependent])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ([NEVER, NEVER, NEVER], "change has shape"),
        (["no", "no", 1, 2], "change has shape"),
        ([NEVER, np.nan, 1, 1], "change is nan"),
        ([NEVER, -1, 1, 1], "change is -1"),
        ([NEVER, 3, 1, 1], "change is 3 and time is 2"),
        ([NEVER] * 4, "the same for everybody"),
    ],
)
def test_a_change_that_cannot_be_is_refused(analysis, change, message):
    with pytest.raises(ParameterError, match=message):
        analysis([1, 2, 3, 4], [1, 1, 1, 0], change)


def test_other_faults_are_named():
    data = ([1, 2, 3, 4], [1, 1, 1, 0], [NEVER, 1, NEVER, 1])
    with pytest.raises(ParameterError, match="nobody was followed beyond"):
        landmark(*data, at=4)
    with pytest.raises(ParameterError, match="at is -1"):
        landmark(*data, at=-1)
    with pytest.raises(ParameterError, match="adds that one itself"):
        ever_never(*data, covariates={"changed": [0, 1, 0, 1]})
    with pytest.raises(ParameterError, match="time is 0"):
        time_dependent([0, 2, 3, 4], *data[1:])
