"""Kimmel et al. 2021: peaks, exact cure, refusals."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from car_relapse.errors import ParameterError
from car_relapse.published.kimmel2021 import (
    CELLS_PER_ML,
    KimmelParameters,
    cure_day_quantile,
    cure_probability,
    nadir,
    peak,
    progression_day,
    single_cell_day,
    solve,
)

PAPER = KimmelParameters()
DAYS = np.array([0.0, 3.0, 10.0, 30.0, 60.0])


def plain(p: KimmelParameters, days: np.ndarray) -> np.ndarray:
    """Integrate the printed equations as they stand, on a linear scale."""

    def slope(_, y):
        n, c, b = y
        t = n + c
        empty = (t - p.normal_capacity) ** 2
        rate = p.car_rate + p.car_boost * empty / (p.car_boost_shape * t**2 + empty)
        return [
            -p.normal_rate * n * np.log(t / p.normal_capacity),
            -rate * c * np.log(t / p.car_capacity),
            p.tumour_rate * b - p.killing_rate * b * c / (p.half_killing + c),
        ]

    start = [p.normal_start, p.car_start, p.tumour_start]
    run = solve_ivp(slope, (0, days[-1]), start, "DOP853", t_eval=days, rtol=1e-12, atol=1e-16)
    return run.y


def test_the_course_agrees_with_the_printed_equations_on_a_linear_scale():
    course = solve(PAPER, DAYS)
    normal, car, tumour = plain(PAPER, DAYS)
    assert course.normal == pytest.approx(normal, rel=1e-8)
    assert course.car == pytest.approx(car, rel=1e-8)
    assert np.exp(course.log_tumour) == pytest.approx(tumour, rel=1e-6)
    assert course.tumour_cells == pytest.approx(tumour * CELLS_PER_ML, rel=1e-6)


def test_the_peak_lies_where_all_t_cells_reach_the_capacity_of_car_t():
    day, height = peak(PAPER)
    course = solve(PAPER, [day - 0.5, day, day + 0.5])
    assert course.normal[1] + course.car[1] == pytest.approx(PAPER.car_capacity, rel=1e-8)
    assert course.car[1] == pytest.approx(height)
    assert course.car[1] > max(course.car[0], course.car[2])


def test_car_t_do_not_notice_the_tumour():
    other = replace(PAPER, tumour_start=1.0, tumour_rate=0.3)
    assert solve(other, DAYS).car == pytest.approx(solve(PAPER, DAYS).car, rel=1e-9)


def test_the_tumour_regrows_from_the_logarithm_of_less_than_one_cell():
    slow = replace(PAPER, tumour_rate=0.01)
    assert single_cell_day(slow) < nadir(slow)[0] < progression_day(slow)
    assert nadir(slow)[1] < -4


def test_on_the_nadir_killing_equals_growth():
    day, log_cells = nadir(PAPER)
    course = solve(PAPER, [day])
    kill = PAPER.killing_rate * course.car[0] / (PAPER.half_killing + course.car[0])
    assert kill == pytest.approx(PAPER.tumour_rate, rel=1e-6)
    assert np.log10(course.tumour_cells[0]) == pytest.approx(log_cells)


def test_cure_agrees_with_a_simulation_of_few_cells():
    few = replace(PAPER, tumour_start=2e-9, tumour_rate=0.5, tumour_death_rate=0.3)
    days = np.linspace(0, 60, 1501)
    car = solve(few, days).car
    death = few.tumour_death_rate + few.killing_rate * car / (few.half_killing + car)
    step = days[1]
    alive = np.full(10_000, 2)
    rng = np.random.default_rng(3)
    for rate in death:
        small = np.minimum(alive, 100)
        births, deaths = rng.poisson(0.8 * step * small), rng.binomial(small, rate * step)
        alive = np.where(alive > 100, alive, alive + births - deaths)
    wanted = cure_probability(few)
    assert np.mean(alive == 0) == pytest.approx(wanted, abs=0.02)


def test_cure_rises_in_time_to_its_final_value():
    chances = [cure_probability(PAPER, by_day=day) for day in (0.0, 40.0, 70.0, 100.0, 1e6)]
    assert chances[0] == 0
    assert np.all(np.diff(chances) >= 0)
    assert chances[-1] == pytest.approx(cure_probability(PAPER), rel=1e-6)


def test_the_quantile_inverts_the_law_of_the_day_of_cure():
    day = cure_day_quantile(PAPER, 0.5)
    half = cure_probability(PAPER, by_day=day) / cure_probability(PAPER)
    assert half == pytest.approx(0.5, rel=1e-5)


def test_a_tumour_that_car_t_never_outpace_is_not_cured():
    fast = replace(PAPER, tumour_rate=1.2)
    assert cure_probability(fast) == 0
    with pytest.raises(ParameterError, match="nadir"):
        nadir(fast)
    with pytest.raises(ParameterError, match="cure must be possible"):
        cure_day_quantile(fast, 0.5)


def test_car_t_that_never_leave_are_refused():
    lasting = replace(PAPER, tumour_rate=1e-6, car_capacity=499.9999)
    with pytest.raises(ParameterError, match="still outpace it"):
        cure_probability(lasting)


@pytest.mark.parametrize("name", [f.name for f in fields(KimmelParameters)])
@pytest.mark.parametrize("value", [-1.0, float("nan"), "much"])
def test_bad_parameters_are_refused(name, value):
    with pytest.raises(ParameterError, match=name):
        KimmelParameters(**{name: value})


def test_other_bad_input_is_refused():
    with pytest.raises(ParameterError, match="car_capacity is 500"):
        KimmelParameters(car_capacity=500.0)
    with pytest.raises(ParameterError, match="growth is 1"):
        progression_day(PAPER, growth=1.0)
    with pytest.raises(ParameterError, match="CAR-T peak"):
        peak(replace(PAPER, normal_start=400.0))
    for level in (0.0, 1.0):
        with pytest.raises(ParameterError, match="probability is"):
            cure_day_quantile(PAPER, level)
    for days in ([], [2.0, 1.0], [[1.0]], [-1.0], 3.0):
        with pytest.raises(ParameterError, match="days"):
            solve(PAPER, days)


def test_the_start_is_returned_as_it_was_given():
    assert solve(PAPER, [0.0]).car == pytest.approx([PAPER.car_start])
