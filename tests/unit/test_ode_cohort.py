"""The batched solver: closed forms, scipy's best, one answer for any batch, clear failures."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

from car_relapse.errors import ParameterError
from car_relapse.ode_cohort import solve_batch

DAYS = np.array([0.0, 0.5, 3.0, 10.0, 11.0, 60.0])


def logistic(day, log_cells, rates):
    growth, capacity = rates
    return growth * (1.0 - np.exp(log_cells) / capacity)


def hunted(day, log_cells, rates):
    """Predator and prey, with a killing rate that changes with the day."""
    grows, kills, feeds, dies = rates
    prey, hunter = np.exp(log_cells)
    return np.stack([grows - kills * (1.2 + np.sin(day)) * hunter, feeds * prey - dies])


def hunts(n, seed):
    rng = np.random.default_rng(seed)
    rates = np.array([0.4, 0.3, 0.2, 0.3])[:, None] * np.exp(0.4 * rng.standard_normal((4, n)))
    return rng.normal(0.0, 1.0, (2, n)), rates


def test_logistic_growth_is_the_closed_form():
    rng = np.random.default_rng(2)
    growth, capacity = rng.uniform(0.01, 2.0, 300), 10 ** rng.uniform(3, 12, 300)
    start = np.log(capacity) - rng.uniform(0.1, 20.0, 300)
    got = solve_batch(logistic, start[None], DAYS, [growth, capacity], rtol=1e-9)[0]
    e = np.exp(growth * DAYS[:, None])
    wanted = start + growth * DAYS[:, None] - np.log1p(np.exp(start) * (e - 1.0) / capacity)
    assert np.abs(got - wanted).max() < 2e-8


def test_a_hunted_population_agrees_with_an_integrator_of_order_eight():
    start, rates = hunts(12, 3)
    got = solve_batch(hunted, start, DAYS, rates, rtol=1e-8)
    for i in range(12):
        column = rates[:, i : i + 1]
        wanted = solve_ivp(
            lambda t, y, c=column: hunted(np.array([t]), y[:, None], c)[:, 0],
            (0.0, DAYS[-1]), start[:, i], "DOP853", t_eval=DAYS, rtol=1e-12, atol=1e-12,
        ).y  # fmt: skip
        assert np.abs(got[:, :, i] - wanted).max() < 1e-6


def test_a_tighter_tolerance_buys_a_smaller_error():
    start, rates = hunts(40, 4)
    exact = solve_batch(hunted, start, DAYS, rates, rtol=1e-12)
    errors = [
        np.abs(solve_batch(hunted, start, DAYS, rates, rtol=rtol) - exact).max()
        for rtol in (1e-3, 1e-5, 1e-7, 1e-9)
    ]
    assert np.all(np.diff(np.log10(errors)) < -1.0)
    assert errors[-1] < 3e-7


@pytest.mark.parametrize("batch", [1, 7, 64, 1000])
def test_answers_do_not_depend_on_who_shares_the_batch(batch):
    start, rates = hunts(101, 5)
    whole = solve_batch(hunted, start, DAYS, rates)
    assert np.array_equal(whole, solve_batch(hunted, start, DAYS, rates, batch=batch))


def test_answers_do_not_depend_on_the_order_of_patients():
    start, rates = hunts(50, 6)
    order = np.random.default_rng(1).permutation(50)
    whole = solve_batch(hunted, start, DAYS, rates)
    shuffled = solve_batch(hunted, start[:, order], DAYS, rates[:, order])
    assert np.array_equal(whole[:, :, order], shuffled)


def test_an_easy_patient_is_not_solved_more_coarsely_beside_a_hard_one():
    evaluations = []

    def counted(day, log_cells, rates):
        evaluations.append(day.size)
        return rates[0] * np.sin(rates[1] * day)[None]

    frequency = np.array([0.01, 30.0])
    got = solve_batch(counted, np.zeros((1, 2)), [50.0], [[1.0, 1.0], frequency], rtol=1e-8)
    assert got[0, 0] == pytest.approx((1 - np.cos(frequency * 50.0)) / frequency, abs=1e-6)
    # Most steps are taken for the hard patient alone: the other one is dropped when done.
    assert np.mean(np.array(evaluations) == 1) > 0.9


@given(st.floats(-2.0, 2.0), st.floats(1.0, 300.0))
def test_outputs_between_steps_are_as_exact_as_steps(rate, last):
    days = np.linspace(0.0, last, 37)
    got = solve_batch(
        lambda t, y, p: p[:1] * np.cos(t), np.zeros((1, 1)), days, [[rate]], rtol=1e-9
    )[0, :, 0]
    assert got == pytest.approx(rate * np.sin(days), abs=1e-6)


def test_a_clone_of_1e_minus_200_cells_grows_back_from_exactly_there():
    def slope(day, log_cells, rates):
        return rates[0] - 5.0 * np.exp(-0.5 * ((day - 100.0) / 40.0) ** 2)[None]

    got = solve_batch(slope, [[20.0]], [0.0, 160.0, 4000.0], [[0.2]], rtol=1e-8)[0, :, 0]
    assert got[1] < np.log(1e-150)
    killed = 5.0 * 40.0 * np.sqrt(2 * np.pi)
    # The part of the killing before day 0 is left out of the closed form.
    before = killed * 0.006209665325776132  # Phi(-2.5)
    assert got[2] == pytest.approx(20.0 + 0.2 * 4000.0 - (killed - before), abs=1e-4)


def test_slack_in_cells_saves_steps_and_spares_the_large():
    calls = []

    def slope(day, log_cells, rates):
        calls.append(1)
        return rates * np.sin(day)

    start = np.array([[np.log(1e10)], [np.log(1e-10)]])
    rates = np.array([[0.1], [5.0]])
    exact = np.array([0.1, 5.0]) * (1 - np.cos(100.0))
    counts = []
    for atol in (0.0, 1e-2):
        calls.clear()
        got = solve_batch(slope, start, [100.0], rates, rtol=1e-9, atol=atol)[:, 0, 0]
        counts.append(len(calls))
        error = np.abs(got - start[:, 0] - exact)
        assert error[0] < 1e-6
        assert error[1] < (1e-6 if atol == 0 else 0.5)
    assert counts[1] < 0.6 * counts[0]


def test_the_start_may_be_asked_for_alone_or_come_late():
    start, rates = hunts(3, 7)
    assert np.array_equal(solve_batch(hunted, start, [0.0], rates)[:, 0], start)
    late = solve_batch(lambda t, y, p: np.ones_like(y), start, [5.0, 6.0], rates, first=4.0)
    assert late == pytest.approx(start[:, None] + np.array([1.0, 2.0])[:, None], rel=1e-12)


def test_a_trial_that_leaves_the_domain_is_taken_back():
    # dx/dt = -sqrt(x) in logarithms reaches 0 on day 2; a step beyond it would be lost.
    got = solve_batch(lambda t, y, p: -np.exp(-0.5 * y), [[0.0]], [1.9], [[0.0]], rtol=1e-9)
    assert got[0, 0, 0] == pytest.approx(2 * np.log(1 - 0.95), abs=1e-5)


@pytest.mark.parametrize(
    ("slope", "why"),
    [
        (lambda t, y, p: np.exp(y), "stuck on day 1:"),  # infinite on day 1
        (lambda t, y, p: -1e6 * (y - np.sin(t)), "needs more than 500 steps"),
        (lambda t, y, p: np.full_like(y, np.nan), "slope of its start is not finite"),
        (lambda t, y, p: np.where(t > 3.0, np.nan, 0.1) * np.ones_like(y), "fell below rounding"),
    ],
)
def test_a_patient_whose_equations_cannot_be_solved_is_named(slope, why):
    with pytest.raises(ParameterError, match="patient 1 got stuck") as caught:
        solve_batch(
            lambda t, y, p: np.where(p[:1] > 0, slope(t, y, p), 0.0),
            np.zeros((1, 3)),
            [10.0],
            [[0.0, 1.0, 0.0]],
            steps=500,
        )
    assert why in str(caught.value)
    assert "check that patient's parameters" in str(caught.value)


ONES = np.ones((1, 2))


@pytest.mark.parametrize(
    ("changes", "shown"),
    [
        ({"days": [1.0, 1.0]}, r"days is .*increasing days from 0 on; sort"),
        ({"days": []}, "days is"),
        ({"days": [-1.0, 1.0]}, "days is"),
        ({"days": [np.nan]}, "days is nan"),
        ({"start_log": np.ones(2)}, r"start_log has shape \(2,\)"),
        ({"parameters": np.ones((1, 3))}, r"one column per patient; give \(states, n\)"),
        ({"start_log": np.ones((1, 0)), "parameters": np.ones((1, 0))}, "start_log has shape"),
        ({"start_log": [[np.inf, 0.0]]}, "start_log is inf"),
        ({"rtol": 0.0}, "rtol is 0"),
        ({"rtol": 0.5}, r"rtol is 0\.5; it must be <= 0\.1"),
        ({"rtol": [1e-6, 1e-6]}, "rtol is"),
        ({"atol": -1.0}, "atol is -1"),
        ({"first": None}, "first is None"),
        ({"steps": 0}, "steps is 0"),
        ({"batch": 0}, "batch is 0"),
        ({"slope": lambda t, y, p: y[0]}, r"slope returns shape \(2,\) for 1 states of 2"),
    ],
)
def test_bad_input_is_refused(changes, shown):
    arguments = {"slope": logistic, "start_log": ONES, "days": [1.0], "parameters": np.ones((2, 2))}
    with pytest.raises(ParameterError, match=shown):
        solve_batch(**(arguments | changes))
