"""Kara et al. 2024: bystanders, doses, refusals."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from car_relapse.errors import ParameterError
from car_relapse.published.kara2024 import KaraParameters, response, solve

PAPER = KaraParameters()
DOSES = ((4.0, 0.1), (6.0, 0.1))


def plain(p: KaraParameters, share: float, *, bystander: bool) -> np.ndarray:
    """Integrate the printed equations as they stand, on a linear scale, to day 20."""

    def kill(rate, effectors, tumour):
        ratio = (effectors / tumour) ** p.exponent
        return rate * ratio / (p.half_ratio + ratio)

    def slope(_, y):
        s, r, c, b = y
        room = 1 - (s + r) / p.capacity
        dc = kill(p.car_killing, c, s)
        ds = kill(p.bystander_killing, b, s) if bystander else 0.0
        dr = kill(p.bystander_killing, b, r) if bystander else 0.0
        log = np.log(((b if bystander else p.bystander_influx) + c) / p.effector_capacity)
        by_c, by_s = dc**2 / (p.half_signal + dc**2), ds**2 / (p.half_signal + ds**2)
        return [
            p.sensitive_rate * s * room - (dc + ds) * s,
            p.resistant_rate * r * room - dr * r,
            -p.car_death * c - p.car_expansion * log * by_c * c - p.car_inactivation * c * s,
            bystander
            * (
                p.bystander_influx
                - p.bystander_death * b
                - p.bystander_expansion * log * by_s * c
                - p.bystander_inactivation * (s + r)
            ),
        ]

    state = np.array([50 * share, 50 * (1 - share), 0.0, 0.1 * bystander])
    for left, right, dose in ((3, 4, 0.0), (4, 6, 0.1), (6, 20, 0.1)):
        state[2] += dose
        state = solve_ivp(slope, (left, right), state, "LSODA", rtol=1e-10, atol=1e-13).y[:, -1]
    return state


@pytest.mark.parametrize("bystander", [True, False])
@pytest.mark.parametrize("share", [0.9, 0.5])
def test_the_course_agrees_with_the_printed_equations_on_a_linear_scale(share, bystander):
    course = solve(PAPER, [20.0], positive_fraction=share, bystander=bystander)
    got = [course.sensitive[0], course.resistant[0], course.car[0], course.bystanders[0]]
    assert got == pytest.approx(plain(PAPER, share, bystander=bystander), rel=1e-6)


def test_without_bystanders_nothing_kills_the_antigen_negative_part():
    course = solve(PAPER, np.arange(3.0, 31.0), positive_fraction=0.9, bystander=False)
    assert np.all(np.diff(course.resistant) > 0)
    assert np.all(course.bystanders == 0)


def test_a_pure_tumour_stays_pure():
    course = solve(PAPER, [3.0, 30.0], positive_fraction=1.0)
    assert np.all(course.resistant == 0)
    assert course.tumour == pytest.approx(course.sensitive)


def test_a_dose_counts_on_its_day_and_no_car_t_come_before_it():
    course = solve(PAPER, [3.9, 4.0], positive_fraction=0.9)
    assert course.car == pytest.approx([0.0, 0.1])
    untreated = solve(PAPER, [3.0, 5.0], positive_fraction=0.9, doses=())
    assert np.all(untreated.car == 0)
    early = solve(PAPER, [3.0, 3.5], positive_fraction=0.9)
    assert early.tumour[1] > early.tumour[0]


def test_other_days_asked_for_change_nothing():
    fine = solve(PAPER, np.arange(3.0, 31.0), positive_fraction=0.75)
    last = solve(PAPER, [30.0], positive_fraction=0.75)
    assert fine.tumour[-1] == pytest.approx(last.tumour[0], rel=1e-8)


def test_bystanders_that_a_large_tumour_uses_up_kill_nothing():
    large = replace(PAPER, tumour_start=4000.0, bystander_start=0.01, bystander_influx=1e-9)
    course = solve(large, [3.0, 20.0], positive_fraction=0.5, doses=())
    assert course.bystanders[1] == 0
    assert course.tumour[1] > course.tumour[0]


def test_responses_are_read_as_in_the_paper():
    assert [response(v) for v in (0.0, 2.0, 49.9, 50.0)] == [
        "response", "partial response", "partial response", "no response",
    ]  # fmt: skip
    with pytest.raises(ParameterError, match="volume"):
        response(-1.0)


@pytest.mark.parametrize("name", [f.name for f in fields(KaraParameters)])
def test_bad_parameters_are_refused(name):
    for value in (-1.0, 0.0, float("nan")):
        with pytest.raises(ParameterError, match=name):
            KaraParameters(**{name: value})


def test_other_bad_input_is_refused():
    for share in (0.0, 1.5):
        with pytest.raises(ParameterError, match="positive_fraction"):
            solve(PAPER, [30.0], positive_fraction=share)
    with pytest.raises(ParameterError, match="from 3 on"):
        solve(PAPER, [1.0], positive_fraction=0.9)
    for doses in ([(6.0, 0.1), (4.0, 0.1)], [(1.0, 0.1)], [(float("nan"), 0.1)]):
        with pytest.raises(ParameterError, match=r"doses must be in order|day of a dose is nan"):
            solve(PAPER, [30.0], positive_fraction=0.9, doses=doses)
    with pytest.raises(ParameterError, match="dose is 0"):
        solve(PAPER, [30.0], positive_fraction=0.9, doses=[(4.0, 0.0)])
