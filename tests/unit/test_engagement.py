"""Antigen density: response, spread between cells, bins, and what is refused."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import lognorm, norm

from car_relapse.engagement import (
    DensityDistribution,
    Response,
    default_density,
    default_engagement,
    equal_probability_bins,
    gauss_hermite_bins,
    mean_response,
    surviving_fraction,
)
from car_relapse.errors import ParameterError
from car_relapse.parameters import default

medians = st.floats(10.0, 1e6)
spreads = st.floats(0.01, 3.0)
hills = st.floats(0.2, 20.0)
STEP = math.inf


def plain_mean(density, response, function):
    """Average over the cells by adaptive quadrature of the definition."""

    def integrand(z):
        cell = density.median * math.exp(density.log_sd * z)
        ratio = (response.half_density / cell) ** response.hill
        return norm.pdf(z) * function(1.0 / (1.0 + ratio))

    return quad(integrand, -9, 9, points=[-4, -2, 0, 2, 4], epsabs=0, epsrel=1e-10, limit=400)[0]


@given(st.floats(0.0, 1e7), medians, hills)
def test_the_response_is_the_hill_function(cell, half, hill):
    got = float(Response(half_density=half, hill=hill).at(cell))
    assert 0 <= got <= 1
    ratio = (cell / half) ** hill
    assert got == pytest.approx(ratio / (1 + ratio), rel=1e-11, abs=1e-300)


def test_the_response_survives_extreme_densities():
    steep = Response(half_density=2000, hill=50)
    assert list(steep.at([0.0, 1e-300, 2000.0, 1e100])) == [0.0, 0.0, 0.5, 1.0]


def test_an_infinite_hill_coefficient_is_a_threshold():
    step = Response(half_density=200, hill=STEP)
    assert list(step.at([0.0, 199.9, 200.0, 1e9])) == [0.0, 0.0, 1.0, 1.0]


@given(medians, spreads, hills, st.floats(-5, 5))
def test_the_mean_response_is_the_logistic_normal_integral(median, spread, hill, shift):
    # Steep responses are checked against the step below.
    hill = min(hill, 6.0 / spread)
    density = DensityDistribution(median=median, log_sd=spread)
    response = Response(half_density=median * math.exp(shift), hill=hill)
    wanted = plain_mean(density, response, lambda h: h)
    assert mean_response(density, response) == pytest.approx(wanted, rel=1e-8)


@pytest.mark.parametrize("exposure", [0.5, 20.0, 100.0, 1000.0])
def test_survivors_are_the_integral_over_the_cells(exposure):
    density, response = default_density(), default_engagement().killing
    wanted = plain_mean(density, response, lambda h: math.exp(-exposure * h))
    got = surviving_fraction(density, response, exposure)
    assert float(got) == pytest.approx(wanted, rel=1e-8)


def test_gauss_hermite_bins_converge_to_the_mean_response():
    density, response = default_density(), default_engagement().killing
    exact = mean_response(density, response)
    errors = []
    for count in (10, 40, 160):
        bins = gauss_hermite_bins(density, count)
        errors.append(abs(float(bins.weight @ response.at(bins.density)) - exact))
    assert errors[0] > 10 * errors[1] > 100 * errors[2]
    assert errors[2] < 1e-10


def test_equal_bins_converge_to_the_mean_response():
    density, response = default_density(), default_engagement().killing
    exact = mean_response(density, response)
    bins = equal_probability_bins(density, 2000)
    assert float(bins.weight @ response.at(bins.density)) == pytest.approx(exact, abs=1e-4)


@given(medians, spreads, hills)
def test_at_the_median_exactly_half_the_response_is_left(median, spread, hill):
    density = DensityDistribution(median=median, log_sd=spread)
    for n in (hill, STEP):
        response = Response(half_density=median, hill=n)
        assert mean_response(density, response) == pytest.approx(0.5, rel=1e-12)


@given(medians, medians, hills)
def test_without_spread_all_cells_are_the_median_cell(median, half, hill):
    same = DensityDistribution(median=median, log_sd=0.0)
    close = DensityDistribution(median=median, log_sd=1e-7)
    response = Response(half_density=half, hill=hill)
    h = float(response.at(median))
    assert mean_response(same, response) == h
    assert mean_response(close, response) == pytest.approx(h, rel=1e-9)
    assert float(surviving_fraction(same, response, 3.0)) == pytest.approx(math.exp(-3 * h))


@given(medians, spreads, hills)
def test_a_vanishing_threshold_engages_every_cell(median, spread, hill):
    density = DensityDistribution(median=median, log_sd=spread)
    low = Response(half_density=median * math.exp(-40 * spread - 40 / hill), hill=hill)
    assert mean_response(density, low) == pytest.approx(1.0, rel=1e-12)
    assert float(surviving_fraction(density, low, 5.0)) == pytest.approx(math.exp(-5))


def test_a_steep_response_becomes_the_threshold():
    density = default_density()
    step = Response(half_density=2000, hill=STEP)
    steep = Response(half_density=2000, hill=5000)
    assert mean_response(density, steep) == pytest.approx(mean_response(density, step), rel=1e-6)
    below = float(density.fraction_below(2000))
    assert mean_response(density, step) == pytest.approx(1 - below, rel=1e-14)
    left = surviving_fraction(density, step, [0.0, 2.0, 1e4])
    assert left == pytest.approx([1.0, below + (1 - below) * math.exp(-2), below], rel=1e-14)
    assert surviving_fraction(density, steep, [2.0]) == pytest.approx(left[1:2], rel=1e-4)


def test_the_dim_tail_survives_what_would_clear_the_median_cell():
    density, response = default_density(), default_engagement().killing
    left = surviving_fraction(density, response, np.array([[0.0, 1.0], [10.0, 100.0]]))
    assert left.shape == (2, 2)
    assert left[0, 0] == pytest.approx(1.0, rel=1e-14)
    assert np.all(np.diff(left.ravel()) < 0)
    assert left[1, 1] > 1e30 * math.exp(-100.0)


@given(medians, spreads, st.floats(1e-3, 1 - 1e-3))
def test_the_quantile_inverts_the_fraction_below(median, spread, part):
    density = DensityDistribution(median=median, log_sd=spread)
    cut = density.quantile(part)
    assert float(density.fraction_below(cut)) == pytest.approx(part, rel=1e-9)
    assert float(cut) == pytest.approx(lognorm(s=spread, scale=median).ppf(part), rel=1e-9)


def test_no_cell_lies_below_zero_and_equal_cells_lie_on_one_side():
    assert float(default_density().fraction_below(0.0)) == 0.0
    same = DensityDistribution(median=100.0, log_sd=0.0)
    assert list(same.fraction_below([99.0, 100.0, 101.0])) == [0.0, 0.0, 1.0]
    assert list(same.quantile([0.0, 0.5, 1.0])) == [100.0] * 3


@given(medians, spreads, st.integers(1, 60))
def test_bins_share_out_all_cells_about_the_median(median, spread, count):
    density = DensityDistribution(median=median, log_sd=spread)
    for make in (equal_probability_bins, gauss_hermite_bins):
        bins = make(density, count)
        assert bins.density.shape == bins.weight.shape == (count,)
        assert bins.weight.sum() == pytest.approx(1.0, rel=1e-12)
        assert np.all(np.diff(bins.density) > 0)
        logs = np.log(bins.density / median)
        assert float(bins.weight @ logs) == pytest.approx(0.0, abs=1e-10)
    if count > 1:  # the last rule was Gauss-Hermite: exact for squares
        assert float(bins.weight @ logs**2) == pytest.approx(spread**2, rel=1e-9)


def test_expansion_needs_more_antigen_than_killing():
    engagement = default_engagement()
    ratio = engagement.expansion.half_density / engagement.killing.half_density
    assert ratio == default("engagement.expansion_ratio")
    assert engagement.expansion.at(2000.0) < engagement.killing.at(2000.0)


@pytest.mark.parametrize(
    ("make", "shown"),
    [
        (lambda: Response(half_density=0.0, hill=2), r"half_density is 0; .*> 0; give mol"),
        (lambda: Response(half_density=1.0, hill=0), r"hill is 0; .*> 0; infinity makes"),
        (lambda: Response(half_density=1.0, hill=math.nan), r"hill is nan; .*; infinity makes"),
        (lambda: Response(half_density=1.0, hill=2).at(-3), r"density is -3; .*>= 0; give mol"),
        (lambda: DensityDistribution(median=-1, log_sd=1), r"median is -1; .*> 0; give mol"),
        (lambda: DensityDistribution(median=1, log_sd=-1), r"log_sd is -1; .*>= 0; 0 makes"),
        (lambda: default_density().quantile(1.5), r"probability is 1.5; .*\[0, 1\]; give a"),
        (lambda: default_density().fraction_below(-1), r"threshold is -1; .*>= 0; give mol"),
        (
            lambda: surviving_fraction(default_density(), default_engagement().killing, -1),
            r"exposure is -1; .*>= 0; give the integral",
        ),
        (
            lambda: equal_probability_bins(default_density(), 0),
            r"count is 0; .* to 10000; give a",
        ),
        (lambda: gauss_hermite_bins(default_density(), 2.5), r"count is 2.5; .*whole.*; give"),
    ],
)
def test_bad_input_is_refused_with_value_rule_and_remedy(make, shown):
    with pytest.raises(ParameterError, match=shown):
        make()
