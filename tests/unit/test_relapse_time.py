"""The day of relapse: the closed law against its parts, a sample and a direct simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import gumbel_r, kstest

from car_relapse.errors import ParameterError
from car_relapse.relapse_time import RelapseTime

laws = st.builds(
    RelapseTime,
    lines=st.integers(1, 200),
    detection=st.floats(1e6, 1e12),
    survival=st.floats(0.01, 1.0),
    net_rate=st.floats(1e-3, 1.0),
)
TYPICAL = RelapseTime(lines=1, detection=1e9, survival=0.4, net_rate=0.1)


def gillespie_day(lines, detection, birth, death, rng):
    """Return the day on which lines first hold `detection` cells; infinite if one dies out."""
    sizes, day = np.ones(lines, dtype=int), 0.0
    while sizes.sum() < detection:
        day += rng.exponential(1.0 / (sizes.sum() * (birth + death)))
        line = rng.choice(lines, p=sizes / sizes.sum()) if lines > 1 else 0
        sizes[line] += 1 if rng.random() < birth / (birth + death) else -1
        if sizes[line] == 0:
            return math.inf
    return day


def test_mean_and_median_differ_by_a_constant_over_the_growth_rate():
    gap = TYPICAL.mean - TYPICAL.median
    assert gap == pytest.approx((np.euler_gamma + math.log(math.log(2))) / 0.1, rel=1e-9)


def test_one_line_has_the_gumbel_law():
    gumbel = gumbel_r(loc=math.log(4e8) / 0.1, scale=1 / 0.1)
    days = np.linspace(150, 300, 7)
    assert TYPICAL.cdf(days) == pytest.approx(gumbel.cdf(days), rel=1e-9)
    assert TYPICAL.mean == pytest.approx(gumbel.mean())
    assert TYPICAL.sd == pytest.approx(gumbel.std())
    assert TYPICAL.quantile([0.1, 0.9]) == pytest.approx(gumbel.ppf([0.1, 0.9]))


@given(laws, st.floats(0.001, 0.999))
def test_the_quantile_inverts_the_cdf(law, part):
    assert float(law.cdf(law.quantile(part))) == pytest.approx(part, rel=1e-7)
    assert float(law.cdf(law.median)) == pytest.approx(0.5, rel=1e-8)


@given(laws)
def test_more_lines_are_seen_earlier(law):
    more = RelapseTime(
        lines=law.lines + 1,
        detection=law.detection,
        survival=law.survival,
        net_rate=law.net_rate,
    )
    q = np.linspace(0.01, 0.99, 9)
    days = law.quantile(q)
    assert np.all(more.quantile(q) < days)
    assert np.all(more.cdf(days) >= law.cdf(days))
    assert more.mean < law.mean
    assert more.sd < law.sd


@pytest.mark.parametrize("lines", [1, 3, 40])
def test_mean_and_sd_are_those_of_the_cdf(lines):
    law = RelapseTime(lines=lines, detection=1e9, survival=0.4, net_rate=0.1)
    mean = quad(lambda q: float(law.quantile(q)), 0, 1, limit=400, epsrel=1e-9)[0]
    square = quad(lambda q: float(law.quantile(q)) ** 2, 0, 1, limit=400, epsrel=1e-9)[0]
    assert law.mean == pytest.approx(mean, rel=1e-7)
    assert law.sd == pytest.approx(math.sqrt(square - mean**2), rel=1e-4)


@pytest.mark.parametrize("lines", [1, 5])
def test_a_sample_follows_the_cdf(lines):
    law = RelapseTime(lines=lines, detection=1e10, survival=0.6, net_rate=0.065)
    days = law.sample(4000, np.random.default_rng(8))
    assert days.shape == (4000,)
    assert kstest(days, law.cdf).pvalue > 0.01


@pytest.mark.parametrize("lines", [1, 2])
def test_the_law_is_that_of_a_simulated_birth_death_process(lines):
    birth, death, detection = 1.0, 0.4, 300
    rng = np.random.default_rng(4)
    days = [gillespie_day(lines, detection, birth, death, rng) for _ in range(300)]
    days = [day for day in days if math.isfinite(day)]
    law = RelapseTime(lines=lines, detection=detection, survival=0.6, net_rate=0.6)
    assert kstest(days, law.cdf).pvalue > 0.01


def test_long_before_and_long_after_nothing_is_open():
    assert list(TYPICAL.cdf([-1e6, 0.0, 1e6])) == [0.0, 0.0, 1.0]


@pytest.mark.parametrize(
    ("change", "shown"),
    [
        ({"lines": 0}, r"lines is 0; .*>= 1; give a number of lines"),
        ({"lines": 1.5}, r"lines is 1.5; .*whole number.*; give"),
        ({"detection": -1.0}, r"detection is -1; .*> 0; give a number of cells"),
        ({"survival": 1.2}, r"survival is 1.2; .*\[0, 1\]; give 1 - d/b"),
        ({"survival": 0.0}, r"survival is 0; .*> 0; untreated cells must grow"),
        ({"net_rate": 0.0}, r"net_rate is 0; .*> 0; give a rate per day"),
        ({"lines": 10, "detection": 20.0}, r"times survival is 8 for 10 lines; .*; raise det"),
    ],
)
def test_a_bad_law_is_refused_with_value_rule_and_remedy(change, shown):
    good = {"lines": 1, "detection": 1e9, "survival": 0.4, "net_rate": 0.1}
    with pytest.raises(ParameterError, match=shown):
        RelapseTime(**(good | change))


def test_bad_questions_are_refused():
    for q in (0.0, 1.0, [0.5, 1.0]):
        with pytest.raises(ParameterError, match=r"it must lie in \(0, 1\); the law has no first"):
            TYPICAL.quantile(q)
    with pytest.raises(ParameterError, match=r"probability is 2; .*\[0, 1\]"):
        TYPICAL.quantile(2.0)
    with pytest.raises(ParameterError, match=r"day is nan; .*finite.*; count days"):
        TYPICAL.cdf(math.nan)
    with pytest.raises(ParameterError, match=r"n is 0; .*from 1 to 100000000; give a number"):
        TYPICAL.sample(0, np.random.default_rng(1))


@pytest.mark.parametrize("name", ["lines", "detection", "survival", "net_rate"])
@pytest.mark.parametrize("bad", [None, "1", True, [1.0, 0.5], [], np.ones(1), 1j, math.nan])
def test_every_part_of_the_law_is_one_number(name, bad):
    good = {"lines": 1, "detection": 1e9, "survival": 0.4, "net_rate": 0.1}
    with pytest.raises(ParameterError, match=rf"^{name} is .*; it must .*; "):
        RelapseTime(**(good | {name: bad}))


def test_growth_too_slow_for_any_calendar_is_refused():
    with pytest.raises(
        ParameterError, match=r"net_rate is 1e-301; .* at least 1e-300, .*without growth"
    ):
        RelapseTime(lines=1, detection=1e9, survival=0.4, net_rate=1e-301)


def test_days_far_from_the_start_have_a_probability():
    fast = RelapseTime(lines=1, detection=1e9, survival=0.4, net_rate=1e3)
    assert fast.cdf([-1e100, 1e100]).tolist() == [0.0, 1.0]


def test_a_sample_needs_a_generator():
    with pytest.raises(ParameterError, match=r"rng is None; it must be a Generator; give numpy"):
        TYPICAL.sample(3, None)
