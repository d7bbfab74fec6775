"""The feedback model: its printed equations, its limits, its accuracy, its refusals."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from car_relapse.errors import ParameterError
from car_relapse.exposure import stein_typical
from car_relapse.feedback_ode import (
    FeedbackParameters,
    feedback_slope,
    r3_model,
    solve_feedback,
    typical_feedback,
    typical_start,
)

PAPER, START = typical_feedback(), typical_start()
DAYS = np.array([0.0, 5.0, 12.0, 30.0, 120.0])


def printed(p: FeedbackParameters, y):
    """Return the equations as they are printed, on a linear scale."""
    e, m, pos, neg, b = y
    share = (pos + b) / (p.half_antigen + pos + b)
    kill = p.maximal_killing * e / (p.half_killing + e)
    room = p.growth_rate * (1 - (pos + neg) / p.capacity)
    return np.array(
        [
            (p.expansion_rate * share - p.effector_loss) * e + p.memory_activation * share * m,
            p.memory_formation * e - (p.memory_activation * share + p.memory_death) * m,
            room * pos - (kill + p.loss_rate) * pos,
            room * neg + p.loss_rate * pos,
            p.b_cell_influx - (1 / p.b_cell_lifetime + kill) * b,
        ]
    )


def test_the_slopes_are_those_of_the_printed_equations():
    rng = np.random.default_rng(1)
    cells = 10.0 ** rng.uniform(0.0, 11.0, (5, 40))
    got = feedback_slope(np.zeros(40), np.log(cells), np.repeat(PAPER.columns(), 40, axis=1))
    for i in range(40):
        assert got[:, i] * cells[:, i] == pytest.approx(printed(PAPER, cells[:, i]), rel=1e-9)


def test_the_course_agrees_with_the_printed_equations_on_a_linear_scale():
    y0 = np.exp(START.columns()[:, 0])
    wanted = solve_ivp(
        lambda _, y: printed(PAPER, y), (0.0, 120.0), y0, "Radau", t_eval=DAYS, rtol=1e-9,
        atol=1e-9,
    ).y  # fmt: skip
    got = np.exp(solve_feedback(PAPER, START, DAYS, rtol=1e-8).log_cells[:, :, 0])
    assert got == pytest.approx(wanted, rel=3e-5)


def test_the_cohort_of_the_comparison_is_solved_to_its_tolerance():
    parameters, start, days = r3_model(6, np.random.default_rng(3))
    assert days.size == 53
    course = solve_feedback(parameters, start, days)
    rates, y0 = parameters.columns(), start.columns()[:, 0]
    assert rates.shape == (13, 6)
    assert np.count_nonzero(np.ptp(rates, axis=1)) == 6
    errors = []
    for i in range(6):
        exact = solve_ivp(
            lambda t, y, c=rates[:, i : i + 1]: feedback_slope(np.array([t]), y[:, None], c)[:, 0],
            (0.0, days[-1]), y0, "DOP853", t_eval=days, rtol=1e-11, atol=1e-11,
        ).y  # fmt: skip
        errors.append(np.abs(np.expm1(course.log_cells[:, :, i] - exact)))
    assert np.median(errors) < 1e-6
    assert np.max(errors) < 3e-5


def test_a_cohort_is_its_patients_one_by_one():
    parameters, start, days = r3_model(3, np.random.default_rng(4))
    whole = solve_feedback(parameters, start, days).log_cells
    for i in range(3):
        single = replace(
            PAPER, **{f.name: parameters.columns()[j, i] for j, f in enumerate(fields(PAPER))}
        )
        alone = solve_feedback(single, start, days).log_cells
        assert np.array_equal(alone[:, :, 0], whole[:, :, i])


def test_the_spread_of_the_comparison_is_a_fifth():
    parameters, _, _ = r3_model(20_000, np.random.default_rng(5))
    logs = np.log(parameters.growth_rate / PAPER.growth_rate)
    assert logs.std() == pytest.approx(0.2, rel=0.03)
    assert logs.mean() == pytest.approx(0.0, abs=0.005)


def test_without_antigen_car_t_decline_as_the_curve_of_stein_does():
    bare = replace(PAPER, half_antigen=1e30)  # the antigen is there and is not noticed
    start = replace(START, effector=1e9, memory=1.0)  # at the peak, all are effectors
    days = np.array([0.0, 10.0, 60.0, 300.0])
    car = solve_feedback(bare, start, days, rtol=1e-9).car[:, 0]
    stein = stein_typical()
    wanted = stein.level(stein.peak_day + days)
    assert car / car[0] == pytest.approx(wanted / wanted[0], rel=1e-6)


def test_without_car_t_both_clones_grow_along_the_logistic_curve():
    idle = replace(PAPER, expansion_rate=1e-9, memory_activation=1e-9)
    start = replace(START, effector=1e-9, memory=1e-9, positive=1e11, negative=1e8)
    days = np.array([0.0, 10.0, 50.0, 200.0])
    course = solve_feedback(idle, start, days, rtol=1e-9)
    k, n0 = PAPER.capacity, 1e11 + 1e8
    grown = np.exp(PAPER.growth_rate * days)
    assert course.leukaemia[:, 0] == pytest.approx(
        n0 * grown / (1 + n0 * (grown - 1) / k), rel=1e-6
    )
    share = np.exp(course.log_cells[3, :, 0]) / course.leukaemia[:, 0]
    assert share == pytest.approx(1e8 / n0, rel=1e-5)  # nobody is favoured


def test_the_negative_clone_takes_over_and_b_cells_stay_low():
    days = np.array([0.0, 28.0, 364.0, 600.0])
    _, _, positive, negative, b_cells = solve_feedback(PAPER, START, days).log_cells[:, :, 0]
    assert positive[-1] < np.log(1e-6) < 0 < np.log(1e9) < negative[-1]
    assert np.all(b_cells[1:] < np.log(0.5 * START.b_cells))


def test_a_larger_burden_expands_more_car_t():
    days = np.arange(0.0, 60.0)
    peaks = [
        solve_feedback(PAPER, replace(START, positive=burden), days).car.max()
        for burden in (1e9, 1e10, 1e11)
    ]
    assert np.all(np.diff(np.log(peaks)) > 0.3)


@pytest.mark.parametrize("name", [f.name for f in fields(FeedbackParameters)])
@pytest.mark.parametrize("value", [0.0, -1.0, float("nan"), None, "much", True])
def test_bad_parameters_are_refused(name, value):
    with pytest.raises(ParameterError, match=name):
        replace(PAPER, **{name: value})


def test_other_bad_input_is_refused():
    with pytest.raises(ParameterError, match=r"memory_formation is 0\.5; .*<= effector_loss"):
        replace(PAPER, memory_formation=0.5)
    with pytest.raises(ParameterError, match="negative is 0"):
        replace(START, negative=0.0)
    two, three = replace(PAPER, growth_rate=np.ones(2)), replace(START, positive=np.full(3, 1e9))
    with pytest.raises(ParameterError, match="parameters hold 2 patients and start 3"):
        solve_feedback(two, three, [1.0])
    with pytest.raises(ParameterError, match="days is -1"):
        solve_feedback(PAPER, START, [-1.0])
    with pytest.raises(ParameterError, match="parameters is None"):
        solve_feedback(None, START, [1.0])
    with pytest.raises(ParameterError, match="start is 3"):
        solve_feedback(PAPER, 3, [1.0])
    with pytest.raises(ParameterError, match="n is 0"):
        r3_model(0, np.random.default_rng(1))
    with pytest.raises(ParameterError, match="rng is 7"):
        r3_model(5, 7)
    with pytest.raises(ParameterError, match="arrays of one length"):
        replace(PAPER, growth_rate=np.ones(2), capacity=np.ones(3))
