"""León-Triana et al. 2021: one target and two, thresholds, refusals."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from car_relapse.errors import ParameterError
from car_relapse.published.leontriana2021 import (
    DualParameters,
    SingleParameters,
    controlled,
    critical_car,
    dose_threshold,
    dual_nadir,
    dual_peak,
    nadir,
    off_tumour_peak,
    peak,
    solve,
    solve_dual,
)

SINGLE, DUAL = SingleParameters(), DualParameters()
DAYS = np.array([0.0, 0.05, 0.1, 1.0, 10.0, 30.0])


def plain(p: DualParameters, start: list[float], days: np.ndarray) -> np.ndarray:
    """Integrate the printed equations of both models as they stand, on a linear scale."""
    q = p.tumour

    def slope(_, y):
        out, b, c, t = y
        return [
            p.outside_rate * out * b / (p.outside_half + b)
            - out / q.car_lifetime
            - p.entry_rate * out,
            -p.b_cell_killing_rate * b * out - b / p.b_cell_lifetime,
            p.entry_rate * out
            + q.expansion_rate * c * t / (q.expansion_half + t)
            - q.inactivation_rate * c * t / (q.inactivation_half + c)
            - c / q.car_lifetime,
            q.tumour_rate * t - q.killing_rate * c * t,
        ]

    run = solve_ivp(slope, (0, days[-1]), start, "DOP853", t_eval=days, rtol=1e-12, atol=1e-6)
    return run.y


def test_both_courses_agree_with_the_printed_equations_on_a_linear_scale():
    outside, b_cells, car, tumour = plain(
        DUAL, [DUAL.dose, DUAL.b_cell_start, 0.0, DUAL.tumour.tumour_start], DAYS
    )
    course = solve_dual(DUAL, DAYS)
    assert course.outside == pytest.approx(outside, rel=1e-8)
    assert course.b_cells == pytest.approx(b_cells, rel=1e-8)
    assert course.car == pytest.approx(car, rel=1e-7)
    assert course.tumour == pytest.approx(tumour, rel=1e-5)
    _, _, car, tumour = plain(
        replace(DUAL, tumour=SINGLE), [0.0, 1.0, SINGLE.car_start, SINGLE.tumour_start], DAYS
    )
    alone = solve(SINGLE, DAYS)
    assert alone.car == pytest.approx(car, rel=1e-8)
    assert alone.tumour == pytest.approx(tumour, rel=1e-7)


def test_asking_for_late_days_only_changes_nothing():
    assert solve_dual(DUAL, [10.0]).car[0] == pytest.approx(solve_dual(DUAL, DAYS).car[4])
    assert solve_dual(DUAL, [0.0]).car[0] == 0
    assert solve_dual(DUAL, [0.0, 0.1]).car[1] == pytest.approx(solve_dual(DUAL, DAYS).car[2])


def test_the_tumour_turns_where_car_t_pass_the_critical_number():
    day, size = nadir(SINGLE)
    course = solve(SINGLE, [day])
    assert course.car[0] == pytest.approx(critical_car(SINGLE), rel=1e-6)
    assert course.tumour[0] == pytest.approx(size)
    assert peak(SINGLE)[0] < day
    assert np.log10(SINGLE.tumour_start / size) == pytest.approx(2.7, abs=0.02)


def test_the_dose_threshold_separates_control_from_failure():
    dose = dose_threshold(SINGLE)
    assert not controlled(replace(SINGLE, car_start=0.99 * dose))
    assert controlled(replace(SINGLE, car_start=1.01 * dose))
    assert not controlled(replace(SINGLE, inactivation_rate=0.07))


def test_a_second_target_outside_the_tumour_deepens_the_response():
    inside = DUAL.tumour
    alone = replace(inside, car_start=DUAL.dose)
    assert dual_nadir(DUAL)[1] < np.log10(nadir(alone)[1])
    assert off_tumour_peak(DUAL)[0] < dual_peak(DUAL)[0]
    more = replace(DUAL, tumour=replace(inside, inactivation_rate=0.1))
    assert dual_nadir(more)[1] > dual_nadir(DUAL)[1]


@pytest.mark.parametrize("kind", [SingleParameters, DualParameters])
def test_bad_parameters_are_refused(kind):
    for name in (f.name for f in fields(kind) if f.name != "tumour"):
        for value in (-1.0, 0.0, float("nan")):
            with pytest.raises(ParameterError, match=name):
                kind(**{name: value})


def test_other_bad_input_is_refused():
    with pytest.raises(ParameterError, match="widen the search"):
        dose_threshold(replace(SINGLE, inactivation_rate=0.01), lowest=3e8)
    with pytest.raises(ParameterError, match="widen the search"):
        dose_threshold(SINGLE, highest=1.2e8)
    with pytest.raises(ParameterError, match="remaining"):
        controlled(SINGLE, remaining=0.0)
    with pytest.raises(ParameterError, match="day"):
        controlled(SINGLE, day=-1.0)
    with pytest.raises(ParameterError, match="nadir"):
        dual_nadir(DUAL, until=3.0)
