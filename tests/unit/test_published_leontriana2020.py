"""León-Triana et al. 2020: predator and prey, conservation, refusals."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from car_relapse.errors import ParameterError
from car_relapse.published.leontriana2020 import (
    LeukaemiaParameters,
    leukaemia_maximum,
    nadir,
    peak,
    peak_bound,
    solve,
)

PAPER = LeukaemiaParameters()
WITH_SOURCE = LeukaemiaParameters(source=1e7)
DAYS = np.array([0.0, 5.0, 12.0, 40.0, 80.0])


def plain(p: LeukaemiaParameters, days: np.ndarray) -> np.ndarray:
    """Integrate the printed equations as they stand, on a linear scale."""

    def slope(_, y):
        c, leukaemia, b = y
        source = p.source / (1 + c / p.source_half)
        return [
            p.expansion_rate * (leukaemia + b + p.source_visibility * source) * c
            - c / p.car_lifetime,
            p.leukaemia_rate * leukaemia - p.killing_rate * leukaemia * c,
            -p.killing_rate * b * c - b / p.b_cell_lifetime + source / p.source_lifetime,
        ]

    start = [p.car_start, p.leukaemia_start, p.b_cell_start]
    run = solve_ivp(slope, (0, days[-1]), start, "DOP853", t_eval=days, rtol=1e-12, atol=1e-8)
    return run.y


@pytest.mark.parametrize("p", [PAPER, WITH_SOURCE])
def test_the_course_agrees_with_the_printed_equations_on_a_linear_scale(p):
    course, (car, leukaemia, b_cells) = solve(p, DAYS), plain(p, DAYS)
    assert course.car == pytest.approx(car, rel=1e-7)
    assert course.leukaemia == pytest.approx(leukaemia, rel=1e-7)
    assert course.b_cells == pytest.approx(b_cells, rel=1e-6)


def conserved(p: LeukaemiaParameters, days: np.ndarray) -> np.ndarray:
    course = solve(p, days)
    return course.car + p.expansion_rate / p.killing_rate * (course.leukaemia + course.b_cells)


def test_car_t_and_prey_are_conserved_but_for_growth_and_death():
    ageless = replace(PAPER, leukaemia_rate=1e-12, car_lifetime=1e12, b_cell_lifetime=1e12)
    assert conserved(ageless, DAYS) == pytest.approx(peak_bound(ageless), rel=1e-8)


def test_without_growth_the_sum_of_car_t_and_prey_never_rises():
    still = replace(PAPER, leukaemia_rate=1e-12)
    assert np.all(np.diff(conserved(still, np.linspace(0, 200, 401))) < 1e-3)


def test_the_peak_stays_below_the_bound_of_the_paper_and_hardly_depends_on_the_dose():
    assert peak(PAPER)[1] < peak_bound(PAPER)
    assert peak(replace(PAPER, car_start=1e8))[1] == pytest.approx(peak(PAPER)[1], rel=0.1)


@pytest.mark.parametrize("turn", [leukaemia_maximum, nadir])
def test_the_leukaemia_turns_where_car_t_pass_the_critical_number(turn):
    day, size = turn(PAPER)
    course = solve(PAPER, [day])
    assert course.car[0] == pytest.approx(PAPER.leukaemia_rate / PAPER.killing_rate, rel=1e-6)
    assert course.leukaemia[0] == pytest.approx(size, rel=1e-8)


def test_no_population_reaches_zero_and_the_leukaemia_returns():
    course = solve(PAPER, np.linspace(0, 2000, 201))
    for population in (course.car, course.leukaemia, course.b_cells):
        assert np.all(population > 0)
    assert course.leukaemia[(course.day > 400) & (course.day < 440)].max() > 1e10


@pytest.mark.parametrize("name", [f.name for f in fields(LeukaemiaParameters)])
@pytest.mark.parametrize("value", [-1.0, float("inf")])
def test_bad_parameters_are_refused(name, value):
    with pytest.raises(ParameterError, match=name):
        LeukaemiaParameters(**{name: value})


def test_a_landmark_that_does_not_come_is_refused_by_name():
    with pytest.raises(ParameterError, match="until is 5; there is a nadir only"):
        nadir(PAPER, until=5.0)
    with pytest.raises(ParameterError, match="until is 0"):
        peak(PAPER, until=0.0)
