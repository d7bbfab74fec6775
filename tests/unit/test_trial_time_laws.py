"""Intervals and laws of times: against closed forms, peers, a slow twin, and known truths."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lifelines import WeibullFitter
from scipy.stats import weibull_min

from car_relapse.errors import ParameterError
from car_relapse.incidence import kaplan_meier
from car_relapse.trial.competing_risks import mixture_cure, time_law, turnbull

NEVER = np.inf
VISITS = np.array([0.0, 1.0, 2.0, 3.0, 6.0, 9.0, 12.0, 18.0, 24.0])

records = st.lists(
    st.tuples(st.integers(0, 8), st.integers(0, 4), st.booleans()), min_size=1, max_size=25
).map(
    lambda rows: (
        np.array([r[0] for r in rows], dtype=float),
        np.array([NEVER if r[2] else float(r[0] + r[1]) for r in rows]),
    )
)


def visited(rng: np.random.Generator, time: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the visits between which each event fell, each visit missed by one in five."""
    left, right = np.zeros(time.size), np.full(time.size, NEVER)
    for i, t in enumerate(time):
        seen = VISITS[(VISITS == 0) | (rng.random(VISITS.size) < 0.8)]
        left[i] = seen[seen < t].max(initial=0.0)
        right[i] = seen[seen >= t].min(initial=NEVER)
    return left, right


def likelihood(left, right, of_left, of_right, mass) -> float:
    """Return the log-likelihood of a distribution on intervals."""
    known = (left == right)[:, None]
    inside = np.where(
        known,
        (of_left == left[:, None]) & (of_right == right[:, None]),
        np.where(
            of_left == of_right,
            (of_left > left[:, None]) & (of_right <= right[:, None]),
            (of_left >= left[:, None]) & (of_right <= right[:, None]),
        ),
    )
    with np.errstate(divide="ignore"):
        return float(np.log(inside @ mass).sum())


@settings(max_examples=80, deadline=None)
@given(records)
def test_no_distribution_on_a_grid_is_more_likely(data):
    left, right = data
    found = turnbull(left, right)
    assert found.mass.sum() == pytest.approx(1.0)
    height = likelihood(left, right, found.left, found.right, found.mass)
    assert height == pytest.approx(found.log_likelihood, abs=1e-9)
    # A slow twin: expectation and maximisation on every point and every gap between points.
    points = np.unique(np.concatenate([left, right[np.isfinite(right)], [0.0]]))
    ends = np.append(points, NEVER)
    low = np.concatenate([points, ends[:-1]])
    high = np.concatenate([points, ends[1:]])
    open_gap = low < high
    inside = np.where(
        (left == right)[:, None],
        ~open_gap & (low == left[:, None]),
        np.where(open_gap, low >= left[:, None], low > left[:, None]) & (high <= right[:, None]),
    )
    p = np.full(low.size, 1.0 / low.size)
    for _ in range(300):
        share = inside * p
        p = (share / share.sum(axis=1, keepdims=True)).mean(axis=0)
    twin = np.log(inside @ p).sum()
    assert twin <= height + 1e-6
    # The bound on what is left to gain: no point has a derivative above the number of patients.
    weight = np.where(
        (left == right)[:, None],
        (found.left == left[:, None]) & (found.right == right[:, None]),
        np.where(found.left == found.right, found.left > left[:, None], found.left >= left[:, None])
        & (found.right <= right[:, None]),
    )
    slope = (inside / (weight @ found.mass)[:, None]).sum(axis=0)
    assert slope.max() <= left.size * (1 + 1e-6)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 9), st.booleans()), min_size=1, max_size=30))
def test_with_known_times_the_curve_is_that_of_kaplan_and_meier(rows):
    time = np.array([r[0] for r in rows], dtype=float)
    event = np.array([r[1] for r in rows])
    found = turnbull(time, np.where(event, time, NEVER))
    curve = kaplan_meier(time, event)
    at = np.unique(time[event])
    low, high = found.event_free_at(at)
    assert high == pytest.approx(curve.event_free_at(at), abs=1e-6)
    after_last = at.size and at[-1] == time.max()
    assert low == pytest.approx(high, abs=1e-6) or after_last


def test_inside_an_interval_the_curve_has_a_range():
    found = turnbull([0, 3, 3], [3, 6, NEVER])
    assert found.left.tolist() == [0.0, 3.0]
    low, high = found.event_free_at([0, 1, 3, 4, 6, 7])
    assert high.tolist() == pytest.approx([1, 1, 2 / 3, 2 / 3, 0, 0])
    assert low.tolist() == pytest.approx([1, 2 / 3, 2 / 3, 0, 0, 0])


def test_dating_relapses_to_the_visit_that_finds_them_is_late_and_the_estimate_is_not():
    rng = np.random.default_rng(1)
    time = rng.exponential(8.0, 3000)
    left, right = visited(rng, time)
    middle = 4.5
    truth = np.exp(-middle / 8.0)
    seen = np.isfinite(right)
    naive = kaplan_meier(np.where(seen, right, left), seen).event_free_at(middle)
    low, high = turnbull(left, right).event_free_at(middle)
    assert naive > truth + 0.05
    assert low - 0.03 < truth < high + 0.03
    fit = time_law(left, right, law="exponential")
    assert fit.rate == pytest.approx(1 / 8.0, rel=4 * fit.log_scale_std_error)


@pytest.mark.parametrize(
    ("left", "right", "message"),
    [
        ([], [], "left has shape"),
        ([0, 1], [1], "right has shape"),
        ([0, 1], ["a", "b"], "right has shape"),
        ([0, 1], [1, np.nan], "right is nan"),
        ([0, 1], [1, -NEVER], "right is -inf"),
        ([0, 2], [1, 1], "left is 2 and right is 1 .element 1."),
        ([0, NEVER], [1, NEVER], "left is inf"),
    ],
)
def test_what_is_no_interval_is_refused(left, right, message):
    for estimate in (turnbull, lambda a, b: time_law(a, b, law="weibull")):
        with pytest.raises(ParameterError, match=message):
            estimate(left, right)


def test_an_exponential_law_is_fitted_as_events_over_time_at_risk():
    time, event = np.array([1.0, 2.5, 4.0, 7.0, 9.0]), np.array([1, 1, 0, 1, 0], dtype=bool)
    fit = time_law(time, np.where(event, time, NEVER), law="exponential")
    assert fit.rate == pytest.approx(3 / time.sum(), rel=1e-9)
    assert fit.log_likelihood == pytest.approx(3 * np.log(3 / time.sum()) - 3)
    assert fit.log_scale_std_error == pytest.approx(1 / np.sqrt(3), rel=1e-6)
    assert (fit.shape, fit.cured, fit.log_shape_std_error) == (1.0, 0.0, 0.0)
    assert (fit.logit_cured_std_error, fit.patients, fit.events) == (0.0, 5, 3)
    assert fit.event_free_at([0.0, fit.scale]) == pytest.approx([1.0, np.exp(-1)])


def test_a_weibull_law_is_that_of_scipy_and_of_lifelines():
    time = weibull_min(1.7, scale=11.0).rvs(200, random_state=np.random.default_rng(2))
    fit = time_law(time, time, law="weibull")
    shape, _, scale = weibull_min.fit(time, floc=0)
    assert (fit.shape, fit.scale) == pytest.approx((shape, scale), rel=1e-4)
    assert fit.log_likelihood == pytest.approx(weibull_min.logpdf(time, shape, 0, scale).sum())

    event = time < 12.0
    end = np.minimum(time, 12.0)
    fit = time_law(end, np.where(event, end, NEVER), law="weibull")
    peer = WeibullFitter().fit(end, event)
    assert (fit.shape, fit.scale) == pytest.approx((peer.rho_, peer.lambda_), rel=1e-4)
    assert fit.log_likelihood == pytest.approx(peer.log_likelihood_, abs=1e-5)
    errors = (fit.log_shape_std_error * fit.shape, fit.log_scale_std_error * fit.scale)
    assert errors == pytest.approx(
        tuple(peer.summary.loc[["rho_", "lambda_"], "se(coef)"]), rel=1e-3
    )

    left, right = visited(np.random.default_rng(3), time)
    fit = time_law(left, right, law="weibull")
    peer = WeibullFitter().fit_interval_censoring(left, right)
    assert (fit.shape, fit.scale) == pytest.approx((peer.rho_, peer.lambda_), rel=1e-4)
    assert fit.log_likelihood == pytest.approx(peer.log_likelihood_, abs=1e-5)


@pytest.mark.parametrize("factor", [1e-3, 30.0, 1e6])
def test_the_unit_of_time_changes_the_scale_and_nothing_else(factor):
    rng = np.random.default_rng(4)
    time = np.where(rng.random(80) < 0.4, NEVER, rng.weibull(0.8, 80) * 5.0)
    event, end = time < 30.0, np.minimum(time, 30.0)
    one = mixture_cure(end, event.astype(int), law="weibull")
    other = mixture_cure(end * factor, event.astype(int), law="weibull")
    assert other.scale == pytest.approx(one.scale * factor, rel=1e-6)
    for name in ("cured", "shape", "logit_cured_std_error", "log_scale_std_error"):
        assert getattr(other, name) == pytest.approx(getattr(one, name), rel=1e-5)
    shift = event.sum() * np.log(factor)
    assert other.log_likelihood == pytest.approx(one.log_likelihood - shift)


@pytest.mark.parametrize(("law", "shape"), [("exponential", 1.0), ("weibull", 1.6)])
def test_cure_scale_and_shape_are_found_within_their_errors(law, shape):
    rng = np.random.default_rng(5)
    far = 0
    for _ in range(25):
        time = np.where(rng.random(300) < 0.45, NEVER, rng.weibull(shape, 300) * 6.0)
        end = rng.uniform(24.0, 36.0, 300)
        fit = mixture_cure(np.minimum(time, end), (time < end).astype(int), law=law)
        logit = np.log(fit.cured / (1 - fit.cured)) - np.log(0.45 / 0.55)
        far += abs(logit) > 1.959963985 * fit.logit_cured_std_error
        far += abs(np.log(fit.scale / 6.0)) > 1.959963985 * fit.log_scale_std_error
        if law == "weibull":
            far += abs(np.log(fit.shape / shape)) > 1.959963985 * fit.log_shape_std_error
    tries = 25 * (3 if law == "weibull" else 2)
    # Errors of one trial hang together a little, hence the wider bound.
    assert far / tries == pytest.approx(0.05, abs=6 * np.sqrt(0.0475 / tries))


def test_when_all_events_are_long_past_the_cured_are_those_who_are_left():
    time = np.concatenate([np.linspace(0.5, 3.0, 30), np.full(20, 400.0)])
    fit = mixture_cure(time, np.repeat([1, 0], [30, 20]))
    assert fit.cured == pytest.approx(20 / 50, abs=1e-6)
    assert fit.logit_cured_std_error == pytest.approx(1 / np.sqrt(50 * 0.4 * 0.6), rel=1e-4)
    assert fit.scale == pytest.approx(time[:30].mean(), rel=1e-6)
    assert fit.event_free_at(1e6) == pytest.approx(fit.cured)


def test_data_that_prefer_no_cure_get_the_plain_law_and_say_so():
    rng = np.random.default_rng(6)
    time = weibull_min(1.5, scale=6.0).rvs(80, random_state=rng)
    fit = mixture_cure(time, np.ones(80))
    plain = time_law(time, time, law="exponential")
    assert fit.cured == 0.0
    assert fit.logit_cured_std_error == np.inf
    assert fit.log_likelihood == plain.log_likelihood
    assert fit.scale == plain.scale


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6))
def test_a_cured_fraction_never_makes_the_data_less_likely(seed):
    rng = np.random.default_rng(seed)
    time = np.round(rng.exponential(6.0, 30), 1) + 0.1
    end = rng.uniform(3.0, 20.0, 30)
    event = time < end
    if event.sum() < 3:
        return
    left = np.minimum(time, end)
    right = np.where(event, left, NEVER)
    plain = time_law(left, right, law="exponential")
    cured = time_law(left, right, law="exponential", cure=True)
    weibull = time_law(left, right, law="weibull")
    assert cured.log_likelihood >= plain.log_likelihood - 1e-9
    assert weibull.log_likelihood >= plain.log_likelihood - 1e-9


def test_causes_are_told_apart_and_faults_named():
    time = [1.0, 2.0, 3.0, 4.0, 20.0, 24.0]
    both, one = mixture_cure(time, [1, 2, 1, 2, 0, 0]), mixture_cure(time, [1, 2, 1, 2, 0, 0], of=1)
    assert (both.events, one.events) == (4, 2)
    with pytest.raises(ParameterError, match="no event of cause 3"):
        mixture_cure(time, [1, 2, 1, 2, 0, 0], of=3)
    with pytest.raises(ParameterError, match="left and right are 0"):
        mixture_cure([0.0, 2.0], [1, 0])
    with pytest.raises(ParameterError, match="infinite for everybody"):
        time_law([1, 2], [NEVER, NEVER], law="weibull")
    with pytest.raises(ParameterError, match="law is 'gamma'"):
        time_law([1, 2], [1, 2], law="gamma")
    with pytest.raises(ParameterError, match="no single maximum"):
        time_law([5, 5, 5], [5, 5, 5], law="weibull")
    with pytest.raises(ParameterError, match="no single maximum"):
        time_law([0, 0], [3, 6], law="exponential")
    with pytest.raises(ParameterError, match="times is -1"):
        one.event_free_at(-1)
