"""CARTmath: memory, thresholds, equilibria, refusals."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from car_relapse.errors import ParameterError
from car_relapse.published.cartmath2021 import (
    HDLM2,
    RAJI,
    CartmathParameters,
    dose_threshold,
    effector_maximum,
    elimination_days,
    equilibria,
    solve,
)


def right_hand_side(p: CartmathParameters, y) -> list[float]:
    """Return the printed equations as they stand: effectors, memory, tumour."""
    c, m, t = y
    return [
        (p.proliferation_rate - p.loss_rate) * c + p.memory_activation * t * m
        - p.inhibition * t * c,
        p.memory_formation * c - p.memory_activation * t * m - p.memory_death * m,
        p.tumour_rate * t * (1 - p.crowding * t) - p.killing_rate * c * t,
    ]  # fmt: skip


@pytest.mark.parametrize(("p", "day", "dose"), [(HDLM2, 42.0, 5e5), (RAJI, 7.0, 1e7)])
def test_the_course_agrees_with_the_printed_equations_on_a_linear_scale(p, day, dose):
    state = np.array([0.0, 0.0, p.tumour_start])
    for left, right, added in ((0.0, day, 0.0), (day, day + 5.0, dose)):
        state[0] += added
        state = solve_ivp(
            lambda _, y: right_hand_side(p, y), (left, right), state, "Radau", rtol=1e-9, atol=1e-4
        ).y[:, -1]
    course = solve(p, [day + 5.0], doses=[(day, dose)])
    got = [course.effector[0], course.memory[0], course.tumour[0]]
    assert got == pytest.approx(state, rel=1e-5)
    assert course.car[0] == pytest.approx(state[:2].sum(), rel=1e-5)


def test_before_infusion_the_tumour_follows_the_logistic_curve():
    days = np.array([0.0, 42.0, 200.0, 350.0])
    grown = HDLM2.tumour_start * np.exp(HDLM2.tumour_rate * days)
    wanted = grown / (1 + HDLM2.crowding * (grown - HDLM2.tumour_start))
    course = solve(HDLM2, days)
    assert course.tumour == pytest.approx(wanted, rel=1e-8)
    assert np.all(course.car == 0)


def test_an_eliminated_tumour_stays_away_and_memory_answers_a_new_one():
    doses, challenges = [(42.0, 2e6)], [(250.0, 1e6)]
    first, second = elimination_days(HDLM2, doses=doses, challenges=challenges)
    course = solve(HDLM2, [first + 1, 249.0, 250.0, 500.0], doses=doses, challenges=challenges)
    assert list(course.tumour) == pytest.approx([0.0, 0.0, 1e6, 0.0])
    assert 250 < second < 262
    assert elimination_days(HDLM2, doses=doses, until=45.0) == ()


# With both rates alike the closed form has a difference of rates to divide by that is 0.
@pytest.mark.parametrize("p", [HDLM2, replace(HDLM2, memory_death=0.35 - 0.265)])
def test_without_tumour_the_t_cells_follow_the_printed_equations(p):
    doses = [(42.0, 2e6)]
    (gone,) = elimination_days(p, doses=doses, until=100.0)
    course = solve(p, [gone + 1.0, gone + 40.0], doses=doses)
    start = [course.effector[0], course.memory[0], 0.0]
    wanted = solve_ivp(
        lambda _, y: right_hand_side(p, y), (0.0, 39.0), start, "Radau", rtol=1e-9, atol=1e-4
    ).y[:, -1]
    got = [course.effector[1], course.memory[1], course.tumour[1]]
    assert got == pytest.approx(wanted, rel=1e-6)


def test_a_dose_and_a_challenge_may_fall_on_one_day_and_on_the_last():
    course = solve(HDLM2, [41.0, 42.0], doses=[(42.0, 1e5), (42.0, 2e5)], challenges=[(42.0, 1e6)])
    grown = solve(HDLM2, [42.0]).tumour[0]
    assert course.effector == pytest.approx([0.0, 3e5])
    assert course.tumour[1] == pytest.approx(grown + 1e6)
    assert solve(HDLM2, [0.0], doses=[(0.0, 7.0)]).effector == pytest.approx([7.0])


def test_the_dose_threshold_separates_response_from_escape():
    dose = dose_threshold(HDLM2, lowest=2.4e5, highest=2.7e5)
    low, high = (
        solve(HDLM2, [300.0], doses=[(42.0, factor * dose)]).tumour[0] for factor in (0.99, 1.01)
    )
    assert high <= 8e5 < low


def test_the_maximum_of_effectors_is_where_they_stop_rising():
    day, most = effector_maximum(RAJI, doses=[(7.0, 1e7)], until=30.0)
    course = solve(RAJI, [day - 0.1, day, day + 0.1], doses=[(7.0, 1e7)])
    assert course.effector[1] == pytest.approx(most)
    assert course.effector.argmax() == 1
    # A dose so large that it only declines is its own maximum, the last one included.
    assert effector_maximum(HDLM2, doses=[(5.0, 1e4), (42.0, 1e9)]) == pytest.approx((42.0, 1e9))
    assert effector_maximum(RAJI, doses=[(7.0, 1e7)], until=8.0)[0] == 8.0


@pytest.mark.parametrize("p", [HDLM2, RAJI])
def test_equilibria_do_not_move_and_the_empty_one_is_a_saddle(p):
    found = equilibria(p)
    for e in found:
        rates = np.array(right_hand_side(p, (e.effector, e.memory, e.tumour)))
        scale = np.array([e.effector, e.memory, e.tumour]) * p.tumour_rate + 1e-30
        assert np.all(np.abs(rates) / scale < 1e-6)
    assert not found[0].stable
    assert len(found) == (4 if p is HDLM2 else 3)


def test_escape_and_residual_disease_attract():
    empty, escape, residual, middle = equilibria(HDLM2)
    assert (empty.stable, escape.stable, residual.stable, middle.stable) == (
        False, True, True, False,
    )  # fmt: skip
    late = solve(HDLM2, [4000.0], doses=[(42.0, 5e5)])
    assert late.tumour[0] == pytest.approx(residual.tumour, rel=1e-3)
    lost = solve(HDLM2, [1000.0], doses=[(42.0, 2e5)])
    assert lost.tumour[0] == pytest.approx(escape.tumour, rel=1e-6)


def test_strong_inhibition_leaves_no_coexistence_and_little_room_only_one():
    assert len(equilibria(replace(HDLM2, inhibition=1.0))) == 2
    assert len(equilibria(replace(HDLM2, crowding=1e-5, tumour_start=100.0))) == 3


@pytest.mark.parametrize("name", [f.name for f in fields(CartmathParameters)])
def test_bad_parameters_are_refused(name):
    for value in (-1.0, float("nan")):
        with pytest.raises(ParameterError, match=name):
            CartmathParameters(**{name: value})


def test_other_bad_input_is_refused():
    with pytest.raises(ParameterError, match=r"loss_rate is 0\.2"):
        CartmathParameters(loss_rate=0.2)
    with pytest.raises(ParameterError, match=r"tumour_start is 1e\+12"):
        CartmathParameters(tumour_start=1e12)
    with pytest.raises(ParameterError, match="no dose comes before"):
        effector_maximum(HDLM2, doses=[(42.0, 1e6)], until=42.0)
    with pytest.raises(ParameterError, match="day of a dose"):
        solve(HDLM2, [1.0], doses=[(-1.0, 1e6)])
    with pytest.raises(ParameterError, match="cells of a dose"):
        solve(HDLM2, [1.0], challenges=[(1.0, 0.0)])
    for bounds in ({"lowest": 1e6}, {"highest": 2e4}):
        with pytest.raises(ParameterError, match="widen the search"):
            dose_threshold(HDLM2, **bounds)
