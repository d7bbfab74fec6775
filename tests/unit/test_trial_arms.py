"""Many arms against one control, and arms compared by their posteriors."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.special import ndtr, ndtri
from scipy.stats import beta as beta_law
from scipy.stats import multivariate_normal

from car_relapse.errors import ParameterError
from car_relapse.trial import many_to_one as many
from car_relapse.trial import posteriors as post

# --- many to one ---------------------------------------------------------------------------------


@settings(max_examples=15)
@given(st.integers(2, 4), st.floats(0.2, 3.0), st.floats(0.005, 0.2))
def test_the_bound_keeps_the_level_by_the_joint_law(arms, ratio, alpha):
    bound = many.critical_value(arms, alpha=alpha, ratio=ratio)
    rho = ratio / (1 + ratio)
    corr = np.full((arms, arms), rho) + (1 - rho) * np.eye(arms)
    none = multivariate_normal(np.zeros(arms), corr).cdf(np.full(arms, bound))
    assert 1 - none == pytest.approx(alpha, abs=1e-4)


@given(st.integers(1, 50), st.floats(0.001, 0.3))
def test_the_bound_lies_between_no_adjustment_and_bonferronis(arms, alpha):
    bound = many.critical_value(arms, alpha=alpha)
    assert -ndtri(alpha) - 1e-9 <= bound <= -ndtri(alpha / arms) + 1e-9


def test_a_huge_control_makes_comparisons_independent():
    independent = -float(ndtri(-math.expm1(math.log1p(-0.025) / 3)))
    assert many.critical_value(3, ratio=1e-4) == pytest.approx(independent, abs=1e-4)
    # And with a tiny control all statistics are the same one.
    assert many.critical_value(3, ratio=1e4) == pytest.approx(-ndtri(0.025), abs=0.02)


def test_a_p_value_at_the_bound_is_the_level():
    for arms in (1, 2, 5):
        z = [many.critical_value(arms), *[-1.0] * (arms - 1)]
        assert many.adjusted_p_values(z)[0] == pytest.approx(0.025)


def test_stepping_down_finds_more_and_never_less():
    z = [2.6, 2.0, 2.3, -0.5]
    single, stepped = (many.adjusted_p_values(z, step_down=s) for s in (False, True))
    assert np.all(stepped <= single + 1e-15)
    assert stepped[1] < single[1]
    assert stepped[0] == single[0] == min(single)
    assert list(np.argsort(stepped)) == [0, 2, 1, 3]


def test_stepping_down_keeps_the_level():
    """One arm works well, two do nothing: any claim for those two is an error."""
    rng = np.random.default_rng(4)
    control = rng.normal(size=(4000, 1))
    z = (rng.normal(size=(4000, 3)) + control) / math.sqrt(2) + [4.0, 0.0, 0.0]
    bounds = {k: many.critical_value(k, alpha=0.05) for k in (1, 2, 3)}
    order = np.argsort(-z, axis=1)
    top = np.take_along_axis(z, order, axis=1)
    passed = np.logical_and.accumulate(top >= [bounds[3], bounds[2], bounds[1]], axis=1)
    wrong = (passed & (order > 0)).any(axis=1).mean()
    assert abs(wrong - 0.05) < 4 * math.sqrt(0.05 * 0.95 / 4000) + 0.01
    assert (many.adjusted_p_values(z[0]) <= 0.05).sum() == passed[0].sum()


def test_power_is_that_of_draws():
    rng = np.random.default_rng(5)
    drifts, ratio = np.array([2.5, 3.0, 0.0]), 0.5
    load = math.sqrt(ratio / (1 + ratio))
    z = drifts + load * rng.normal(size=(100_000, 1))
    z += math.sqrt(1 - load**2) * rng.normal(size=(100_000, 3))
    hit = z > many.critical_value(3, ratio=ratio)
    found = many.power(drifts, ratio=ratio)
    close = {"abs": 4 * 0.5 / math.sqrt(100_000)}
    assert found.any == pytest.approx(hit[:, :2].any(axis=1).mean(), **close)
    assert found.all == pytest.approx(hit[:, :2].all(axis=1).mean(), **close)
    assert found.each == pytest.approx(hit.mean(axis=0), **close)
    nothing = many.power([0.0, -1.0])
    assert (nothing.any, nothing.all) == (0.0, 0.0)


@pytest.mark.parametrize("kind", ["any", "each"])
@pytest.mark.parametrize("arms", [1, 2, 4])
def test_the_drift_of_a_power_has_that_power(kind, arms):
    drift = many.drift_for_power(arms, kind=kind, power_wanted=0.9)
    found = many.power([drift] * arms)
    assert {"any": found.any, "each": found.each[0]}[kind] == pytest.approx(0.9, abs=1e-9)


def test_one_arm_is_a_plain_trial_and_more_cost_more():
    assert many.inflation(1) == pytest.approx(1.0)
    costs = [many.inflation(k) for k in (1, 2, 3, 4)]
    assert costs == sorted(costs)
    # Three arms with one control against two trials with two: fewer patients in all.
    assert 1.5 * many.inflation(2) < 2.0


def test_a_larger_control_serves_many_arms_best():
    """For one total, the variance of a comparison is least with a control of root k arms."""
    arms, total = 4, 1000.0

    def variance(share):
        control, each = share * total, (1 - share) * total / arms
        return 1 / control + 1 / each

    shares = np.linspace(0.05, 0.9, 500)
    best = shares[np.argmin([variance(s) for s in shares])]
    assert best / ((1 - best) / arms) == pytest.approx(math.sqrt(arms), rel=0.02)


# --- posteriors ----------------------------------------------------------------------------------


def by_quadrature(first, second):
    """P(first < second) for two Beta variables, over the quantiles of the second."""
    found, _ = quad(
        lambda u: beta_law.cdf(beta_law.ppf(u, *second), *first), 0, 1, limit=200, epsabs=1e-10
    )
    return found


@settings(max_examples=10)
@given(st.integers(0, 30), st.integers(0, 30), st.floats(0.5, 5.0), st.floats(0.5, 5.0))
def test_the_probability_is_the_integral(x0, x1, a, b):
    found = post.probability_lower((x0, x1), (30, 40), prior_control=(a, b))
    expected = by_quadrature((1 + x1, 41 - x1), (a + x0, b + 30 - x0))
    assert found == pytest.approx(expected, abs=1e-7)


@given(
    st.integers(0, 500), st.integers(0, 500), st.sampled_from([(1.0, 1.0), (0.1, 3.0), (50, 0.5)])
)
def test_one_of_two_arms_is_lower(x0, x1, prior):
    both = {"prior_control": prior, "prior_experimental": prior}
    there = post.probability_lower((x0, x1), (500, 500), **both)
    back = post.probability_lower((x1, x0), (500, 500), **both)
    assert there + back == pytest.approx(1.0, abs=1e-9)
    assert 0.0 <= there <= 1.0


def test_the_table_of_all_results_is_the_single_ones():
    table = post._table(7, 12, (0.5, 0.5), (2.0, 1.0))
    for x0 in range(8):
        for x1 in range(13):
            single = post.probability_lower(
                (x0, x1), (7, 12), prior_control=(0.5, 0.5), prior_experimental=(2.0, 1.0)
            )
            assert table[x0, x1] == pytest.approx(single, abs=1e-12)


def test_the_success_rate_is_that_of_drawn_trials():
    rng = np.random.default_rng(3)
    x0, x1 = rng.binomial(30, 0.4, 3000), rng.binomial(20, 0.2, 3000)
    table = post._table(30, 20, (1.0, 1.0), (1.0, 1.0))
    share = (table[x0, x1] > 0.9).mean()
    exact = post.success_rate(0.4, 0.2, (30, 20), 0.9)
    assert share == pytest.approx(exact, abs=4 * math.sqrt(exact * (1 - exact) / 3000))
    assert post.success_rate(0.4, 0.2, (30, 20), 1.0) == 0.0
    assert post.success_rate(0.4, 0.2, (30, 20), 0.0) == pytest.approx(1.0)


ARMS = post.CausePosterior(control=(20, 16, 4, 40), experimental=(8, 18, 4, 50))


def test_a_group_of_causes_is_one_proportion():
    flat = post.CausePosterior(control=(10, 30), experimental=(4, 36))
    assert flat.lower([1]) == pytest.approx(post.probability_lower((10, 4), (40, 40)))
    grouped = post.probability_lower(
        (40, 30), (80, 80), prior_control=(3.0, 1.0), prior_experimental=(3.0, 1.0)
    )
    assert ARMS.lower([1, 2, 3]) == pytest.approx(grouped)


def test_intervals_hold_the_draws():
    rng = np.random.default_rng(9)
    low, high = ARMS.interval([1, 3], experimental=False, level=0.9)
    draws = rng.dirichlet(np.array([20, 16, 4, 40]) + 1.0, 20_000)[:, [0, 2]].sum(axis=1)
    inside = ((draws >= low) & (draws <= high)).mean()
    assert inside == pytest.approx(0.9, abs=4 * math.sqrt(0.09 / 20_000))
    assert low < 24 / 80 < high


def test_a_wide_margin_leaves_the_first_condition_alone():
    found, error = ARMS.lower_without_harm([1], [2, 3], 1.0, np.random.default_rng(1))
    assert abs(found - ARMS.lower([1])) < 4 * error
    strict, _ = ARMS.lower_without_harm([1], [2, 3], 0.0, np.random.default_rng(1))
    assert strict < found
    again, _ = ARMS.lower_without_harm([1], [2, 3], 1.0, np.random.default_rng(1))
    assert again == found


BAD = {
    "arms is 0;": lambda: many.critical_value(0),
    "ratio is 1e+06;": lambda: many.critical_value(2, ratio=1e6),
    "alpha is 0.7;": lambda: many.critical_value(2, alpha=0.7),
    "z has shape": lambda: many.adjusted_p_values([]),
    "z is -50;": lambda: many.adjusted_p_values([1.0, -50.0]),
    "step_down is 1;": lambda: many.adjusted_p_values([1.0], step_down=1),
    "drifts is []": lambda: many.power([]),
    "power_wanted is 0.02;": lambda: many.drift_for_power(2, power_wanted=0.02),
    "kind is 'all';": lambda: many.drift_for_power(2, kind="all"),
    "events is 3;": lambda: post.probability_lower(3, (10, 10)),
    "events of control is 11;": lambda: post.probability_lower((11, 1), (10, 10)),
    "prior_control is (1,);": lambda: post.probability_lower((1, 1), (2, 2), prior_control=(1,)),
    "patients is 5;": lambda: post.success_rate(0.1, 0.1, 5, 0.9),
    "threshold is 2;": lambda: post.success_rate(0.1, 0.1, (5, 5), 2),
    "control is (1,);": lambda: post.CausePosterior(control=(1,), experimental=(1, 2)),
    "control has 2 groups": lambda: post.CausePosterior(control=(1, 2), experimental=(1, 2, 3)),
    "prior is (0.05, 0.05);": lambda: post.CausePosterior(
        control=(1, 2), experimental=(1, 2), prior=0.05
    ),
    "causes is 1;": lambda: ARMS.lower(1),
    "causes is 4;": lambda: ARMS.lower([4]),
    "causes is [1, 1];": lambda: ARMS.lower([1, 1]),
    "level is 0;": lambda: ARMS.interval([1], level=0),
    "experimental is 0;": lambda: ARMS.interval([1], experimental=0),
    "others is [1];": lambda: ARMS.lower_without_harm([1], [1], 0.1, np.random.default_rng(1)),
    "rng is 1;": lambda: ARMS.lower_without_harm([1], [2], 0.1, 1),
    "draws is 1;": lambda: ARMS.lower_without_harm(
        [1], [2], 0.1, np.random.default_rng(1), draws=1
    ),
}


@pytest.mark.parametrize("words", BAD)
def test_bad_input_is_refused_in_words(words):
    with pytest.raises(ParameterError) as caught:
        BAD[words]()
    assert words in str(caught.value)


def test_every_offered_name_is_there():
    for module in (many, post):
        assert all(hasattr(module, name) for name in module.__all__)
    assert ndtr(many.critical_value(1)) == pytest.approx(0.975)
