"""Groups of cells of one antigen density."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import multivariate_normal

from car_relapse.densities import AntigenDensities
from car_relapse.engagement import (
    DensityDistribution,
    Engagement,
    Response,
    default_density,
    default_engagement,
    mean_response,
)
from car_relapse.errors import ParameterError

ONE = AntigenDensities(densities=(default_density(),), engagements=(default_engagement(),))
TWO = AntigenDensities(
    densities=(default_density(), DensityDistribution(median=3000.0, log_sd=0.5)),
    engagements=(default_engagement(),) * 2,
)


@pytest.mark.parametrize(
    ("rule", "bins", "error"), [("gauss-hermite", 40, 1e-4), ("equal probability", 400, 1e-3),
                                ("log", 400, 1e-3)]
)  # fmt: skip
def test_the_mean_engagement_of_the_groups_is_the_integral_over_the_cells(rule, bins, error):
    groups = replace(ONE, rule=rule, bins=bins).groups()
    wanted = mean_response(default_density(), default_engagement().killing)
    assert groups.weight.sum() == pytest.approx(1.0, abs=1e-14)
    assert groups.weight @ groups.killing[:, 0] == pytest.approx(wanted, abs=error)
    wanted = mean_response(default_density(), default_engagement().expansion)
    assert groups.weight @ groups.expansion[:, 0] == pytest.approx(wanted, abs=error)


@settings(max_examples=20, deadline=None, derandomize=True)
@given(st.floats(-0.99, 0.99))
def test_correlated_densities_have_the_probability_of_a_quadrant(correlation):
    threshold = Engagement(
        killing=Response(half_density=10_000, hill=np.inf),
        expansion=Response(half_density=1e5, hill=2),
    )
    both = AntigenDensities(
        densities=(default_density(),) * 2, engagements=(threshold,) * 2,
        correlation=((1.0, correlation), (correlation, 1.0)), bins=60, rule="equal probability",
    ).groups()  # fmt: skip
    low = both.weight[(both.killing == 0).all(axis=1)].sum()
    wanted = multivariate_normal([0, 0], [[1, correlation], [correlation, 1]]).cdf([0, 0])
    assert low == pytest.approx(float(wanted), abs=0.02)


def test_full_correlation_is_one_antigen_twice():
    groups = replace(
        TWO, densities=(default_density(),) * 2, correlation=((1.0, 1.0), (1.0, 1.0))
    ).groups()
    assert groups.killing[:, 1] == pytest.approx(groups.killing[:, 0], rel=1e-12)


def test_no_spread_is_one_group_and_the_response_at_the_median():
    alike = DensityDistribution(median=2000.0, log_sd=0.0)
    groups = replace(TWO, densities=(alike, alike)).groups()
    assert groups.weight == pytest.approx([1.0])
    assert groups.killing == pytest.approx(np.array([[0.5, 0.5]]), abs=1e-15)
    assert replace(TWO, densities=(alike, default_density())).groups().weight.size == TWO.bins


@pytest.mark.parametrize("bins", [1, 2, 7])
def test_log_bins_share_all_cells_between_them(bins):
    groups = replace(ONE, rule="log", bins=bins).groups()
    assert groups.weight.size == bins
    assert np.all(groups.weight > 0)
    assert groups.weight == pytest.approx(groups.weight[::-1], rel=1e-12)


@pytest.mark.parametrize(
    ("changes", "shown"),
    [
        ({"densities": ()}, "densities is"),
        ({"densities": [default_density()]}, "densities is .*must be a tuple"),
        ({"densities": (1.0, 2.0)}, "densities is 1.0"),
        ({"engagements": (default_engagement(),)}, "engagements is"),
        ({"engagements": (1, 2)}, "engagements is 1; it must be a Engagement"),
        ({"rule": "best"}, "rule is 'best'"),
        ({"bins": 0}, "bins is 0"),
        ({"bins": 101}, "bins is 101, which makes 10201 groups"),
        ({"correlation": [[1.0, 0.0], [0.0, 1.0]]}, "must be a tuple of tuples"),
        ({"correlation": ((1.0,),)}, "must be a symmetric matrix"),
        ({"correlation": ((1.0, 0.3), (0.2, 1.0))}, "must be a symmetric matrix"),
        ({"correlation": ((1.0, 1.3), (1.3, 1.0))}, "smallest eigenvalue is -0.3"),
        ({"correlation": ((1.0, None), (0.2, 1.0))}, "correlation is"),
    ],
)
def test_bad_input_is_refused_with_value_and_remedy(changes, shown):
    with pytest.raises(ParameterError, match=shown):
        replace(TWO, **changes)
