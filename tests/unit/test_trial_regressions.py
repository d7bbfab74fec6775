"""Cox's and Fine and Gray's models: against peers, slow twins, invariants and known truths."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from statsmodels.duration.hazard_regression import PHReg

from car_relapse.errors import ParameterError
from car_relapse.incidence import aalen_johansen
from car_relapse.trial.competing_risks import (
    cox,
    fine_gray,
    hazard_ratios,
    log_rank_tests,
    risk_sets,
)


def tied(seed: int, n: int = 120) -> dict[str, Any]:
    """Draw months with many ties, three causes, and two covariates that matter."""
    rng = np.random.default_rng(seed)
    arm, burden = rng.integers(0, 2, n), rng.normal(3.0, 2.0, n)
    scale = 8.0 * np.exp(0.5 * arm - 0.1 * burden)
    return {
        "time": np.ceil(rng.exponential(scale)),
        "cause": rng.integers(0, 4, n),
        "covariates": {"arm": arm, "burden": burden},
    }


@pytest.mark.parametrize("of", [None, 2])
@pytest.mark.parametrize("ties", ["efron", "breslow"])
@pytest.mark.parametrize("by_stratum", [False, True])
def test_cox_is_that_of_statsmodels(of, ties, by_stratum):
    d = tied(1)
    strata = np.arange(120) % 3 if by_stratum else None
    fit = cox(**d, of=of, ties=ties, strata=strata)
    event = d["cause"] > 0 if of is None else d["cause"] == of
    x = np.column_stack(list(d["covariates"].values()))
    peer = PHReg(d["time"], x, status=event.astype(int), ties=ties, strata=strata).fit()
    assert fit.coefficient == pytest.approx(peer.params, abs=1e-6)
    assert fit.std_error == pytest.approx(peer.bse, rel=1e-6)
    assert fit.log_likelihood == pytest.approx(peer.llf, abs=1e-7)
    assert fit.p_value == pytest.approx(peer.pvalues, abs=1e-5)
    assert (fit.patients, fit.events) == (120, event.sum())


def test_a_table_of_results_says_the_same_as_its_arrays():
    fit = cox(**tied(2))
    lower, upper = fit.interval(0.95)
    for j, row in enumerate(fit.records()):
        assert (row.name, row.coefficient, row.std_error) == (
            ("arm", "burden")[j],
            fit.coefficient[j],
            fit.std_error[j],
        )
        assert (row.ratio, row.lower, row.upper) == (fit.ratio[j], lower[j], upper[j])
        assert np.log(row.upper / row.lower) == pytest.approx(2 * 1.959963985 * row.std_error)
        assert row.p_value < 0.05 or row.lower < 1 < row.upper


def slow_fine_gray(time, cause, z, of):
    """Follow the formulas patient by patient; as cmprsk where events share a time."""
    n, event, lost = len(time), cause == of, cause == 0
    other = ~event & ~lost
    gone, counts = np.unique(time[lost], return_counts=True)
    at_risk = np.array([(time >= u).sum() for u in gone])

    def free(t):  # probability of not being censored before t
        return np.prod([1 - c / y for u, c, y in zip(gone, counts, at_risk, strict=True) if u < t])

    when = np.unique(time[event])
    weight = np.array(
        [
            [
                1.0 if time[i] >= t else free(t) / free(time[i]) if other[i] else 0.0
                for i in range(n)
            ]
            for t in when
        ]
    )
    d = np.array([(event & (time == t)).sum() for t in when])
    b = np.zeros(z.shape[1])
    for _ in range(30):
        r = np.exp(z @ b)
        total = weight @ r
        mean = weight @ (r[:, None] * z) / total[:, None]
        second = np.einsum("kn,n,np,nq->kpq", weight, r, z, z) / total[:, None, None]
        score = z[event].sum(axis=0) - d @ mean
        information = np.tensordot(d, second - mean[:, :, None] * mean[:, None, :], axes=1)
        b = b + np.linalg.solve(information, score)
    jump = d / total
    whole = np.zeros((n, z.shape[1]))
    rows = np.zeros((z.shape[1],) * 2)
    stretch = np.searchsorted(gone, when)
    for i in range(n):
        steps = -(r[i] * weight[:, i] * jump)[:, None] * (z[i] - mean)
        if event[i]:
            steps[when == time[i]] += z[i] - mean[when == time[i]]
        whole[i] = steps.sum(axis=0)
        own = np.searchsorted(gone, time[i])
        for part in range(own, len(gone) + 1):
            inside = (stretch == part) & (when > time[i])
            if part == own:
                inside |= when <= time[i]
            rows += np.outer(steps[inside].sum(axis=0), steps[inside].sum(axis=0))
    for u, c, y in zip(gone, counts, at_risk, strict=True):
        q = np.zeros(z.shape[1])
        for i in np.flatnonzero(other & (time < u)):
            steps = (r[i] * weight[:, i] * jump)[:, None] * (z[i] - mean)
            q += steps[when >= u].sum(axis=0)
        for i in np.flatnonzero(time >= u):
            whole[i] += q / y * ((lost[i] and time[i] == u) - c / y)
    inverse = np.linalg.inv(information)

    def error(squares):
        return np.sqrt(np.diag(inverse @ squares @ inverse))

    return b, error(whole.T @ whole), error(information), error(rows)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_fine_and_grays_model_is_its_slow_twin(seed):
    d = tied(seed, 60)
    fit = fine_gray(**d, of=1)
    z = np.column_stack(list(d["covariates"].values())).astype(float)
    twin = slow_fine_gray(d["time"], d["cause"], z, 1)
    assert fit.coefficient == pytest.approx(twin[0], abs=1e-8)
    for ours, theirs in zip(
        (fit.std_error, fit.model_std_error, fit.row_std_error), twin[1:], strict=True
    ):
        assert ours == pytest.approx(theirs, rel=1e-7)


data_sets = st.lists(
    st.tuples(st.integers(1, 9), st.integers(0, 3), st.integers(0, 1)), min_size=8, max_size=40
).map(lambda rows: tuple(np.array(column) for column in zip(*rows, strict=True)))


def fitted(model, *args, **kwargs):
    """Return a fit, or None where the model refuses the data."""
    try:
        return model(*args, **kwargs)
    except ParameterError:
        return None


@settings(max_examples=50, deadline=None)
@given(data_sets)
def test_without_competing_events_fine_and_grays_is_coxs_model(data):
    time, cause, arm = data
    cause = np.minimum(cause, 1)
    ours = fitted(fine_gray, time, cause, {"arm": arm}, of=1)
    coxs = fitted(cox, time, cause, {"arm": arm}, ties="breslow")
    assert (ours is None) == (coxs is None)
    assume(ours is not None)
    assert ours.coefficient == pytest.approx(coxs.coefficient, abs=1e-8)
    assert ours.model_std_error == pytest.approx(coxs.std_error, rel=1e-8)
    assert ours.log_likelihood == pytest.approx(coxs.log_likelihood, abs=1e-8)


@settings(max_examples=50, deadline=None)
@given(data_sets, st.floats(0.1, 50.0), st.floats(-9.0, 9.0))
def test_only_the_order_of_times_the_contrast_and_the_cause_of_interest_matter(data, width, start):
    time, cause, arm = data
    for model in (fine_gray, cox):
        ties = {"ties": "breslow"} if model is cox else {}
        fit = fitted(model, time, cause, {"arm": arm}, of=1, **ties)
        assume(fit is not None)
        others = np.where(cause > 1, 5 - cause, cause)
        again = model(np.sqrt(time), others, {"arm": start - width * arm}, of=1, **ties)
        assert again.coefficient * -width == pytest.approx(fit.coefficient, abs=1e-6)
        assert again.std_error * width == pytest.approx(fit.std_error, rel=1e-5)


@pytest.mark.parametrize("censored", [False, True])
def test_with_no_effect_the_modelled_incidence_is_that_of_aalen_and_johansen(censored):
    d = tied(5)
    cause = d["cause"] if censored else np.maximum(d["cause"], 1)
    # Nobody is censored at the time of an event, where cmprsk's weights are a little off.
    time = d["time"] + 0.5 * (cause == 0)
    # Everybody once in each arm: the ratio is 1, and the hazard that of the subdistribution.
    time, cause = np.tile(time, 2), np.tile(cause, 2)
    fit = fine_gray(time, cause, {"arm": np.repeat([0, 1], 120)}, of=2)
    assert fit.coefficient == pytest.approx([0.0], abs=1e-9)
    share = aalen_johansen(time, cause).at(fit.time, 2)
    steps = np.diff(np.concatenate([[0.0], fit.hazard]))
    assert 1.0 - np.cumprod(1.0 - steps) == pytest.approx(share, abs=1e-12)
    expected = 1.0 - np.exp(-fit.hazard)
    assert fit.incidence_at(fit.time, {"arm": 0.3}) == pytest.approx(expected, abs=1e-9)
    assert fit.incidence_at(0.5, {"arm": 0}) == 0.0


def two_causes(rng: np.random.Generator, rates: tuple[float, float], factor: float, trials: int):
    """Draw trials of 200: escape at a rate that arm 1 multiplies, another cause, and dropout."""
    arm = np.tile(np.arange(200) % 2, (trials, 1))
    escape = rng.exponential(1 / (rates[0] * np.where(arm == 1, factor, 1.0)))
    other = rng.exponential(1 / rates[1], arm.shape)
    lost = rng.uniform(12.0, 36.0, arm.shape)
    time = np.minimum(np.minimum(escape, other), lost)
    cause = np.where(time == lost, 0, np.where(time == escape, 1, 2))
    return time, cause, arm


@pytest.mark.parametrize("rates", [(0.02, 0.02), (0.02, 0.05)])
def test_hazard_ratios_are_unbiased_and_their_tests_keep_their_level(rates):
    trials = 2000
    for factor in (1.0, 0.5):
        data = risk_sets(*two_causes(np.random.default_rng(7), rates, factor, trials))
        found = hazard_ratios(data, of=1)
        error = found.log_ratio.std() / np.sqrt(trials)
        assert np.isfinite(error)
        # The maximum of the likelihood is biased by a little, as it is of any log ratio.
        assert found.log_ratio.mean() == pytest.approx(np.log(factor), abs=4 * error + 0.02)
        assert found.std_error.mean() == pytest.approx(found.log_ratio.std(), rel=0.1)
        covered = np.abs(found.log_ratio - np.log(factor)) < 1.959963985 * found.std_error
        assert covered.mean() == pytest.approx(0.95, abs=4 * np.sqrt(0.95 * 0.05 / trials))


def test_the_test_of_a_subdistribution_ratio_keeps_its_level():
    trials = 400
    data = two_causes(np.random.default_rng(8), (0.02, 0.03), 1.0, trials)
    p = [
        fine_gray(time, cause, {"arm": arm}, of=1).p_value[0]
        for time, cause, arm in zip(*data, strict=True)
    ]
    assert np.mean(np.array(p) < 0.05) == pytest.approx(0.05, abs=4 * np.sqrt(0.0475 / trials))


def test_many_trials_at_once_give_what_one_at_a_time_gives():
    time, cause, arm = two_causes(np.random.default_rng(9), (0.02, 0.03), 0.6, 20)
    time = np.ceil(time)
    found = hazard_ratios(risk_sets(time, cause, arm), of=2)
    for i in range(20):
        one = cox(time[i], cause[i], {"arm": arm[i]}, of=2, ties="breslow")
        assert one.coefficient[0] == pytest.approx(found.log_ratio[i], abs=1e-7)
        assert one.std_error[0] == pytest.approx(found.std_error[i], rel=1e-7)
        assert one.ratio[0] == pytest.approx(found.ratio[i])


def test_near_no_effect_the_hazard_ratio_and_the_log_rank_test_agree():
    data = risk_sets(*two_causes(np.random.default_rng(10), (0.03, 0.03), 1.0, 50))
    ratio, test = hazard_ratios(data), log_rank_tests(data)
    assert ratio.log_ratio / ratio.std_error == pytest.approx(test.z, abs=0.05)
    assert ratio.p_value == pytest.approx(test.p_value, abs=0.03)


@settings(max_examples=60, deadline=None)
@given(data_sets)
def test_a_ratio_without_finite_estimate_is_known_as_such_everywhere(data):
    time, cause, arm = data
    assume(0 < arm.sum() < arm.size)
    assume((cause == 1).any())
    many = hazard_ratios(risk_sets(time, cause, arm), of=1)
    one = fitted(cox, time, cause, {"arm": arm}, of=1, ties="breslow")
    assert np.isinf(many.std_error[0]) == (one is None)
    assert (many.p_value[0] == 1.0) >= (one is None)
    if one is not None:
        assert one.coefficient[0] == pytest.approx(many.log_ratio[0], abs=1e-7)
    # Efron's likelihood has a maximum in the same cases, and near it.
    efron = fitted(cox, time, cause, {"arm": arm}, of=1)
    assert (efron is None) == (one is None)


def test_trials_in_which_one_group_or_both_have_no_event_are_told_apart():
    # Group 1 alone has events, group 0 alone, neither, and one after the other group has left.
    cause = [[0, 1, 0, 1], [1, 0, 1, 0], [0, 0, 0, 0], [0, 0, 0, 1]]
    found = hazard_ratios(risk_sets([[1, 2, 3, 4]] * 4, cause, [0, 1, 0, 1]))
    assert found.ratio.tolist() == [np.inf, 0.0, 1.0, 1.0]
    assert np.all(found.std_error == np.inf)
    assert found.p_value.tolist() == [1.0] * 4


@pytest.mark.parametrize("model", [cox, fine_gray])
@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"time": [1, 2, 3]}, "cause has shape"),
        ({"time": [[1, 2], [3, 4]]}, "time has shape"),
        ({"time": [-1, 2, 3, 4]}, "time is -1"),
        ({"cause": [0, 1, 1.5, 0]}, "whole number"),
        ({"of": 3}, "no event of cause 3"),
        ({"of": 0}, "of is 0"),
        ({"covariates": {}}, "mapping of names"),
        ({"covariates": [0, 1, 0, 1]}, "mapping of names"),
        ({"covariates": {"": [0, 1, 0, 1]}}, "must be text"),
        ({"covariates": {"arm": [0, 1, 0]}}, "there are 4 patients"),
        ({"covariates": {"arm": [0, 1, 0, None]}}, "must be a number"),
        ({"covariates": {"arm": [0, 0, 0, 0]}}, "the same for everybody"),
        ({"covariates": {"a": [0, 1, 0, 1], "b": [3, 1, 3, 1]}}, "'b'.* follows from the other"),
        ({"covariates": {"arm": [1, 1, 0, 0]}}, "separates those with the event"),
    ],
)
def test_data_that_say_nothing_are_refused_with_a_reason(model, changed, message):
    good = {"time": [1, 2, 3, 4], "cause": [1, 1, 2, 0], "covariates": {"arm": [0, 1, 0, 1]}}
    with pytest.raises(ParameterError, match=message):
        model(**(good | {"of": 1} | changed))


def test_cox_alone_has_strata_and_ties_to_get_wrong():
    data = ([1, 2, 3, 4], [1, 1, 2, 0], {"arm": [0, 1, 0, 1]})
    with pytest.raises(ParameterError, match="ties is 'exact'"):
        cox(*data, ties="exact")
    with pytest.raises(ParameterError, match="strata has shape"):
        cox(*data, strata=[0, 1])
    with pytest.raises(ParameterError, match="the strata"):
        cox(*data, strata=[0, 1, 0, 1])
    with pytest.raises(ParameterError, match="strictly between"):
        cox(*data).interval(1.0)
    with pytest.raises(ParameterError, match="no event of any cause"):
        cox(data[0], [0, 0, 0, 0], data[2])


def test_an_incidence_is_asked_for_within_the_data_and_of_a_kind_of_patient():
    fit = fine_gray([1, 2, 3, 4], [1, 1, 2, 0], {"arm": [0, 1, 0, 1]}, of=1)
    assert np.all(np.diff(fit.incidence_at([0, 1, 2, 4], {"arm": 1})) >= 0)
    with pytest.raises(ParameterError, match="nobody was followed for longer"):
        fit.incidence_at(5, {"arm": 1})
    with pytest.raises(ParameterError, match="the model has arm"):
        fit.incidence_at(1, {"group": 1})


def test_lifelines_is_loaded_only_when_a_model_needs_it():
    script = (
        "import sys; from car_relapse.trial.competing_risks import cox;"
        "d = ([1, 2, 3, 4], [1, 1, 2, 0], {'arm': [0, 1, 0, 1]});"
        "cox(*d, ties='breslow'); before = 'pandas' in sys.modules;"
        "cox(*d); print(before, 'lifelines' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["False", "True"]
