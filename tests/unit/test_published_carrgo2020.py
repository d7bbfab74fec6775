"""CARRGO: equilibria, waves, refusals."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

from car_relapse.errors import ParameterError
from car_relapse.published.carrgo2020 import (
    CarrgoParameters,
    coexistence,
    eigenvalues,
    is_damped_oscillation,
    scale,
    solve,
)

PAPER = CarrgoParameters()


@given(st.floats(0.05, 2.0), st.floats(0.05, 0.95))
def test_coexistence_does_not_move(b, ratio):
    p = CarrgoParameters(death_ratio=ratio * b, expansion_ratio=b)
    x, y = coexistence(p)
    assert (x, y) == pytest.approx((ratio, 1 - ratio))
    course = solve(p, [1.0, 5.0], tumour=x, car=y)
    assert course.tumour == pytest.approx([x, x])
    assert course.car == pytest.approx([y, y])


@given(st.floats(0.05, 3.0), st.floats(0.05, 0.95))
def test_coexistence_attracts_and_waves_need_complex_eigenvalues(b, ratio):
    p = CarrgoParameters(death_ratio=ratio * b, expansion_ratio=b)
    first, second = eigenvalues(p)
    assert max(first.real, second.real) < 0
    assert is_damped_oscillation(p) == (abs(first.imag) > 0)
    x, y = coexistence(p)
    jacobian = np.array([[-x, -x], [b * y, 0.0]])
    assert np.poly(jacobian)[1:] == pytest.approx(
        [-(first + second).real, (first * second).real], abs=1e-12
    )


def test_the_course_agrees_with_the_equations_in_real_units():
    rho, capacity, kappa1, kappa2, theta = 0.5, 1e6, 1e-6, 8e-7, 0.07
    p = scale(rho, capacity=capacity, expansion_rate=kappa2, death_rate=theta)
    assert (p.death_ratio, p.expansion_ratio) == pytest.approx((0.14, 1.6))
    days = np.array([1.0, 10.0, 40.0])
    run = solve_ivp(
        lambda _, v: [
            rho * v[0] * (1 - v[0] / capacity) - kappa1 * v[0] * v[1],
            kappa2 * v[0] * v[1] - theta * v[1],
        ],
        (0, 40),
        [5e5, 2e5],
        "DOP853",
        t_eval=days,
        rtol=1e-11,
        atol=1e-6,
    )
    course = solve(p, rho * days, tumour=0.5, car=kappa1 * 2e5 / rho)
    assert course.tumour * capacity == pytest.approx(run.y[0], rel=1e-7)
    assert course.car * rho / kappa1 == pytest.approx(run.y[1], rel=1e-7)


def test_exhausted_car_t_die_out_and_the_tumour_fills_its_room():
    p = CarrgoParameters(expansion_ratio=-0.1)
    course = solve(p, [200.0])
    assert course.tumour[0] == pytest.approx(1.0)
    assert 0 < course.car[0] < 1e-10
    with pytest.raises(ParameterError, match="CAR-T persist only"):
        coexistence(p)


def test_bad_input_is_refused():
    for bad in (0.0, -1.0, float("nan")):
        with pytest.raises(ParameterError, match="death_ratio"):
            CarrgoParameters(death_ratio=bad)
        with pytest.raises(ParameterError, match="tumour"):
            solve(PAPER, [1.0], tumour=bad)
        with pytest.raises(ParameterError, match="car "):
            solve(PAPER, [1.0], car=bad)
        with pytest.raises(ParameterError, match="growth_rate"):
            scale(bad, capacity=1.0, expansion_rate=1.0, death_rate=1.0)
    with pytest.raises(ParameterError, match="expansion_ratio"):
        CarrgoParameters(expansion_ratio=float("inf"))
