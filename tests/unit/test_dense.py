"""Dense solutions as polynomials: the same curve, to rounding."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.interpolate import PPoly

from car_relapse.dense import polynomial_pieces


@pytest.mark.parametrize("rate", [1e-3, 1.0, 50.0])
def test_the_polynomials_are_the_dense_solution(rate):
    run = solve_ivp(
        lambda t, y: [rate * y[1], -rate * y[0] + np.sin(t)],
        (2.0, 40.0), [1.0, -3.0], "DOP853", rtol=1e-10, atol=1e-10, dense_output=True,
    )  # fmt: skip
    breaks, coefficients = polynomial_pieces(run.sol)
    assert breaks == pytest.approx(run.t)
    days = np.linspace(2.0, 40.0, 1001)
    got = PPoly(coefficients, breaks)(days).T
    assert np.abs(got - run.sol(days)).max() < 1e-12 * (1.0 + np.abs(run.y).max())
