"""Intervals of a share: coverage, limits, symmetry, and what they refuse."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import beta, binom, binomtest

from car_relapse.errors import ParameterError
from car_relapse.proportions import exact_interval, jeffreys_interval, wilson_interval

INTERVALS = [exact_interval, wilson_interval, jeffreys_interval]


@pytest.mark.parametrize("true", [0.01, 0.1, 0.37, 0.5, 0.9])
@pytest.mark.parametrize("level", [0.8, 0.95])
def test_exact_intervals_cover_at_least_as_often_as_they_say(true, level):
    n = 43
    low, high = np.array([exact_interval(k, n, level) for k in range(n + 1)]).T
    weight = binom.pmf(np.arange(n + 1), n, true)
    assert weight[(low <= true) & (true <= high)].sum() >= level


@pytest.mark.parametrize("interval", [wilson_interval, jeffreys_interval])
def test_the_others_cover_as_often_as_they_say_on_average(interval):
    n, level = 30, 0.9
    low, high = np.array([interval(k, n, level) for k in range(n + 1)]).T
    true = (np.arange(400) + 0.5)[:, None] / 400
    weight = binom.pmf(np.arange(n + 1), n, true)
    covered = (weight * ((low <= true) & (true <= high))).sum(axis=1)
    assert covered.mean() == pytest.approx(level, abs=0.01)
    assert covered.min() < level


@pytest.mark.parametrize("interval", INTERVALS)
def test_successes_and_failures_are_alike(interval):
    for k, n in [(0, 7), (3, 7), (194, 196)]:
        low, high = interval(k, n, 0.9)
        assert interval(n - k, n, 0.9) == pytest.approx((1 - high, 1 - low), rel=1e-12)
        assert 0.0 <= low <= k / n <= high <= 1.0


@pytest.mark.parametrize("interval", INTERVALS)
def test_intervals_nest_and_shrink(interval):
    wide, narrow, many = interval(3, 12, 0.99), interval(3, 12, 0.5), interval(300, 1200, 0.99)
    assert wide[0] < narrow[0] < narrow[1] < wide[1]
    assert wide[0] < many[0] < many[1] < wide[1]


def test_exact_and_wilson_are_those_of_scipy():
    for k, n, level in [(0, 20, 0.95), (6, 9, 0.9), (9, 9, 0.99)]:
        test = binomtest(k, n)
        assert exact_interval(k, n, level) == pytest.approx(
            tuple(test.proportion_ci(level, method="exact")), rel=1e-9, abs=1e-15
        )
        assert wilson_interval(k, n, level) == pytest.approx(
            tuple(test.proportion_ci(level, method="wilson")), rel=1e-9, abs=1e-15
        )


def test_jeffreys_limits_are_quantiles_of_its_posterior_but_at_the_ends():
    assert jeffreys_interval(3, 12) == pytest.approx(beta.ppf([0.025, 0.975], 3.5, 9.5))
    assert jeffreys_interval(0, 12) == pytest.approx((0.0, beta.ppf(0.975, 0.5, 12.5)))


@pytest.mark.parametrize("interval", INTERVALS)
@pytest.mark.parametrize(
    ("arguments", "rule"),
    [
        ((3, 2), "no larger than the whole"),
        ((0, 0), "total is 0"),
        ((-1, 2), "count is -1"),
        ((1, 2, 1.0), "strictly between 0 and 1"),
        ((1, 2, 0.0), "strictly between 0 and 1"),
        ((1, 2, 1.5), r"must lie in \[0, 1\]"),
    ],
)
def test_bad_input_is_refused_with_its_rule(interval, arguments, rule):
    with pytest.raises(ParameterError, match=rule):
        interval(*arguments)
