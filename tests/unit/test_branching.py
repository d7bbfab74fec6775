"""Birth–death lines: closed forms against slow twins, identities, refusals."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import scipy
import slow_twins
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from car_relapse import branching
from car_relapse.branching import (
    LineLaw,
    constant_rate_law,
    extinction_probability,
    leap,
    survival_probability,
    time_dependent_law,
    time_dependent_laws,
    transition_probability,
)
from car_relapse.errors import ParameterError

NAN, INF = float("nan"), float("inf")

rates = st.floats(0.01, 2.0)
durations = st.floats(0.0, 5.0)


def generating_function(law: LineLaw, z):
    """Return E z^n of a scalar law."""
    beta = law.geometric_parameter
    return law.extinct + (1 - law.extinct) * (1 - beta) * z / (1 - beta * z)


@pytest.mark.parametrize(
    ("birth", "death", "days"),
    [(0.3, 0.2, 3.0), (0.2, 0.3, 3.0), (0.25, 0.25, 3.0), (0.5, 0.0, 2.0), (0.0, 0.7, 2.0)],
)
@pytest.mark.parametrize("start", [0, 1, 3])
def test_transition_probabilities_solve_the_forward_equations(birth, death, days, start):
    law = constant_rate_law(birth, death, days)
    wanted = slow_twins.forward_equations(birth, death, days, start, largest=120)[:25]
    got = [transition_probability(law, start, n) for n in range(25)]
    assert got == pytest.approx(wanted, abs=1e-12)
    if start == 1:
        assert law.probability(np.arange(25)) == pytest.approx(wanted, abs=1e-12)


def test_the_size_of_a_line_agrees_with_an_event_by_event_simulation():
    rng = np.random.default_rng(11)
    sizes = np.array([slow_twins.gillespie_line(0.4, 0.25, 6.0, rng) for _ in range(4000)])
    wanted = constant_rate_law(0.4, 0.25, 6.0).probability(np.arange(8))
    seen = np.array([(sizes == n).mean() for n in range(8)])
    assert np.all(np.abs(seen - wanted) < 4 * np.sqrt(wanted * (1 - wanted) / sizes.size))


@given(rates, rates, durations)
def test_probabilities_of_all_sizes_add_up_to_one(birth, death, days):
    law = constant_rate_law(birth, death, days)
    largest = 5000
    beta = float(law.geometric_parameter)
    beyond = (1 - float(law.extinct)) * beta**largest
    assert law.probability(np.arange(largest + 1)).sum() + beyond == pytest.approx(1, abs=1e-10)


@given(rates, rates, st.floats(0.1, 5.0))
def test_the_mean_size_is_exponential_in_the_net_rate(birth, death, days):
    law = constant_rate_law(birth, death, days)
    mean = (1 - law.extinct) * (1 + law.excess_if_alive)
    assert float(mean) == pytest.approx(np.exp((birth - death) * days), rel=1e-12)
    assert float(np.exp(law.log_alive)) == pytest.approx(1 - float(law.extinct), rel=1e-12)


@pytest.mark.parametrize("gap", [1e-6, 1e-9, 1e-12, 0.0, -1e-12, -1e-9, -1e-6])
def test_the_law_is_continuous_where_birth_equals_death(gap):
    law = constant_rate_law(0.3 + gap, 0.3, 20.0)
    assert float(law.extinct) == pytest.approx(6 / 7, abs=30 * abs(gap) + 1e-14)
    assert float(law.excess_if_alive) == pytest.approx(6.0, abs=2e3 * abs(gap) + 1e-12)


@given(rates, rates, durations, st.floats(0.1, 10.0))
def test_the_law_depends_only_on_rates_times_time(birth, death, days, factor):
    slow = constant_rate_law(birth, death, days)
    fast = constant_rate_law(factor * birth, factor * death, days / factor)
    assert float(fast.log_hazard) == pytest.approx(float(slow.log_hazard), rel=1e-9, abs=1e-14)
    assert float(fast.log_growth) == pytest.approx(float(slow.log_growth), rel=1e-9, abs=1e-14)


@given(rates, rates, durations, durations, st.floats(0.0, 1.0))
def test_two_intervals_compose_to_one(birth, death, first, second, z):
    one = constant_rate_law(birth, death, first)
    two = constant_rate_law(birth, death, second)
    whole = constant_rate_law(birth, death, first + second)
    nested = generating_function(one, generating_function(two, z))
    assert float(nested) == pytest.approx(float(generating_function(whole, z)), abs=1e-10)


def test_two_different_intervals_compose_by_chapman_kolmogorov():
    one, two = constant_rate_law(0.5, 0.2, 1.0), constant_rate_law(0.1, 0.6, 1.5)
    both = time_dependent_law(
        lambda t: 0.5 if t < 1 else 0.1, lambda t: 0.2 if t < 1 else 0.6, 0.0, 2.5, kinks=(1.0,)
    )
    for end in range(6):
        middle = sum(
            transition_probability(one, 2, k) * transition_probability(two, k, end)
            for k in range(80)
        )
        assert middle == pytest.approx(transition_probability(both, 2, end), abs=1e-9)


def test_two_leaps_have_the_law_of_one():
    rng = np.random.default_rng(5)
    half, whole = constant_rate_law(0.4, 0.3, 2.0), constant_rate_law(0.4, 0.3, 4.0)
    twice = leap(half, leap(half, np.full(20_000, 3), rng), rng)
    wanted = np.array([transition_probability(whole, 3, n) for n in range(10)])
    seen = np.array([(twice == n).mean() for n in range(10)])
    assert np.all(np.abs(seen - wanted) < 4 * np.sqrt(wanted * (1 - wanted) / twice.size))


def test_one_leap_has_the_law_of_the_transition_probabilities():
    law = constant_rate_law(0.4, 0.3, 4.0)
    drawn = leap(law, np.full(20_000, 3), np.random.default_rng(6))
    wanted = np.array([transition_probability(law, 3, n) for n in range(10)])
    seen = np.array([(drawn == n).mean() for n in range(10)])
    assert np.all(np.abs(seen - wanted) < 4 * np.sqrt(wanted * (1 - wanted) / drawn.size))


@pytest.mark.parametrize(("birth", "death"), [(0.3, 0.1), (0.1, 0.3)])
def test_leaps_of_a_trillion_cells_keep_mean_and_variance(birth, death):
    cells, days, draws = 10**12, 5.0, 4000
    law = constant_rate_law(birth, death, days)
    drawn = leap(law, np.full(draws, cells), np.random.default_rng(7)).astype(float)
    growth = np.exp((birth - death) * days)
    mean = cells * growth
    variance = cells * (birth + death) / (birth - death) * growth * (growth - 1)
    assert abs(drawn.mean() - mean) < 4 * np.sqrt(variance / draws)
    assert drawn.var(ddof=1) == pytest.approx(variance, rel=4 * np.sqrt(2 / draws))


def test_a_leap_of_no_time_changes_nothing_and_no_cells_stay_none():
    rng = np.random.default_rng(1)
    still = constant_rate_law(0.2, 0.1, 0.0)
    assert leap(still, [0, 1, 7], rng).tolist() == [0, 1, 7]
    assert leap(constant_rate_law(0.2, 0.1, 9.0), [0, 0], rng).tolist() == [0, 0]
    assert still.probability([0, 1, 2, 3]).tolist() == [0.0, 1.0, 0.0, 0.0]
    assert transition_probability(still, 2, 2) == 1.0
    assert transition_probability(still, 2, 3) == 0.0
    assert transition_probability(still, 0, 1) == 0.0


def test_huge_killing_overflows_nowhere():
    law = constant_rate_law(0.1, 1e4, 100.0)
    assert float(law.extinct) == 1.0
    assert float(law.log_hazard) == pytest.approx(1e4 * 100 - 10 - np.log(1e4 / (1e4 - 0.1)))
    assert int(leap(law, 10**12, np.random.default_rng(1))) == 0
    assert transition_probability(law, 1000, 0) == 1.0
    assert float(law.probability(3)) == 0.0
    slow = time_dependent_law(lambda t: 0.1, lambda t: 60.0, 0.0, 30.0)
    assert float(slow.log_hazard) == pytest.approx(
        float(constant_rate_law(0.1, 60.0, 30.0).log_hazard), rel=1e-10
    )


def test_the_hazard_keeps_its_digits_on_both_sides_of_the_switch_to_logs():
    # The product (death - birth) x days passes 30, where the form of ln(e^x - 1) changes.
    for x in (29.9, 30.1):
        law = constant_rate_law(1.0, 2.0, x)
        assert float(law.log_hazard) == pytest.approx(np.log1p(2 * np.expm1(x)), rel=1e-14)


@given(rates, rates, st.floats(0.0, 20.0))
def test_constant_rates_are_a_special_case_of_rates_that_vary(birth, death, days):
    closed = constant_rate_law(birth, death, days)
    solved = time_dependent_law(lambda t: birth, lambda t: death, 3.0, 3.0 + days)
    assert float(solved.log_hazard) == pytest.approx(float(closed.log_hazard), abs=1e-8)
    assert float(solved.log_growth) == pytest.approx(float(closed.log_growth), abs=1e-8)


def test_rates_that_vary_agree_with_the_integral_of_kendall():
    law = time_dependent_law(lambda t: 0.3, lambda t: 0.1 + 0.5 * np.exp(-t), 0.0, 4.0)
    integral = slow_twins.kendall_integral(0.3, lambda t: 0.1 + 0.5 * np.exp(-t), 4.0)
    assert float(law.log_hazard) == pytest.approx(np.log1p(integral), rel=1e-9)


def test_a_jump_between_kinks_is_integrated_on_both_sides():
    jump = time_dependent_law(lambda t: 0.1, lambda t: 0.9 if t < 2 else 0.05, 0, 5, kinks=[2.0])
    first, second = constant_rate_law(0.1, 0.9, 2.0), constant_rate_law(0.1, 0.05, 3.0)
    wanted = generating_function(first, second.extinct)
    assert float(jump.extinct) == pytest.approx(float(wanted), abs=1e-9)


def test_the_laws_of_successive_intervals_compose_to_the_whole():
    birth, death = (lambda t: 0.2 + 0.01 * t), (lambda t: 0.5 * np.exp(-t / 3))
    parts = time_dependent_laws(birth, death, [0.0, 2.0, 5.0, 9.0], kinks=(4.0,))
    assert parts.log_growth.shape == (3,)
    z = np.float64(0.3)
    for i in (2, 1, 0):
        step = LineLaw(log_growth=parts.log_growth[i], log_hazard=parts.log_hazard[i])
        z = generating_function(step, z)
    whole = generating_function(time_dependent_law(birth, death, 0.0, 9.0), 0.3)
    assert float(z) == pytest.approx(float(whole), abs=1e-8)


@pytest.mark.parametrize(
    ("birth", "death", "days"),
    [(1e3, 999.0, 36500.0), (999.0, 1e3, 36500.0), (1e-12, 1e3, 36500.0), (1e3, 1e3, 3650.0)],
)
def test_rates_that_turn_over_a_line_a_million_times_are_integrated_quickly(birth, death, days):
    law = time_dependent_law(lambda t: birth, lambda t: death, 0.0, days)
    closed = constant_rate_law(birth, death, days)
    assert float(law.log_growth) == pytest.approx(float(closed.log_growth), rel=1e-9)
    assert float(law.log_hazard) == pytest.approx(float(closed.log_hazard), rel=1e-8)


def test_rates_that_change_too_often_are_refused_and_do_not_hang(monkeypatch):
    monkeypatch.setattr(branching, "_MOST_LOOKS", 2000)
    with pytest.raises(ParameterError, match=r"change too fast.*name their kinks"):
        time_dependent_law(lambda t: 0.1, lambda t: 1 + np.sin(100 * t), 0.0, 100.0)


def test_an_integration_that_fails_is_an_error(monkeypatch):
    failed = SimpleNamespace(success=False)
    monkeypatch.setattr(scipy.integrate, "solve_ivp", lambda *_, **__: failed)
    with pytest.raises(ParameterError, match=r"between day 0 and day 1 could not.*kinks"):
        time_dependent_law(lambda t: 0.1, lambda t: 0.2, 0.0, 1.0)


@given(rates, rates, rates, durations, st.floats(0.1, 10.0))
def test_killing_and_time_scale_together(birth, death, killing, days, factor):
    # Identity 2: (b, d, kappa, t) -> (q b, q d, q kappa, t / q).
    slow = time_dependent_law(lambda t: birth, lambda t: death + killing * np.exp(-t), 0.0, days)
    fast = time_dependent_law(
        lambda t: factor * birth,
        lambda t: factor * (death + killing * np.exp(-factor * t)),
        0.0,
        days / factor,
    )
    assert float(fast.log_hazard) == pytest.approx(float(slow.log_hazard), abs=1e-8)
    assert float(fast.log_growth) == pytest.approx(float(slow.log_growth), abs=1e-8)


@given(st.floats(0.0, 3.0), st.floats(0.0, 3.0))
def test_lines_die_out_in_the_end_with_the_ratio_of_the_rates_or_surely(birth, death):
    expected = 0.0 if death == 0 else 1.0 if death >= birth else death / birth
    assert float(extinction_probability(birth, death)) == pytest.approx(expected)
    if death < birth:
        assert survival_probability(birth, death) == pytest.approx(1 - expected)


def test_extinction_is_the_limit_of_late_days():
    for birth, death in [(0.3, 0.1), (0.1, 0.3), (0.3, 0.0), (0.0, 0.0)]:
        late = constant_rate_law(birth, death, 1000.0)
        assert float(late.extinct) == pytest.approx(float(extinction_probability(birth, death)))


def test_large_numbers_of_cells_do_not_upset_transition_probabilities():
    law = constant_rate_law(0.2, 0.1, 1.0)
    centre = round(10_000 * np.exp(0.1))
    spread = np.sqrt(10_000 * 3.0 * np.exp(0.1) * np.expm1(0.1))
    assert transition_probability(law, 10_000, centre) == pytest.approx(
        stats.norm.pdf(0) / spread, rel=1e-2
    )


RNG = np.random.default_rng(1)
LAW = constant_rate_law(0.2, 0.1, 1.0)


@pytest.mark.parametrize(
    ("call", "shown", "remedy"),
    [
        (lambda: constant_rate_law(-0.2, 0.1, 1), "birth_rate is -0.2", "give a rate"),
        (lambda: constant_rate_law(NAN, 0.1, 1), "birth_rate is nan", "give a rate"),
        (lambda: constant_rate_law(0.2, INF, 1), "death_rate is inf", "give a rate"),
        (lambda: constant_rate_law(0.2, 0.1, -1), "days is -1", "give a duration"),
        (lambda: constant_rate_law("quick", 0.1, 1), "birth_rate is 'quick'", "give a rate"),
        (lambda: extinction_probability(0.2, -1), "death_rate is -1", "give a rate"),
        (lambda: survival_probability(0.1, 0.2), "death_rate is 0.2", "change the rates"),
        (lambda: survival_probability(0.1, 0.1), "death_rate is 0.1", "change the rates"),
        (lambda: survival_probability(0.1, NAN), "death_rate is nan", "give a rate"),
        (lambda: time_dependent_law(len, len, 2, 1), "start is 2", "exchange"),
        (lambda: time_dependent_law(len, len, NAN, 1), "start is nan", "give a duration"),
        (lambda: time_dependent_law(len, len, 0, INF), "stop is inf", "give a duration"),
        (
            lambda: time_dependent_law(lambda t: 0.1, lambda t: 0.5 - t, 0, 1),
            "at day 1 birth_rate is 0.1 and death_rate is -0.5",
            "mend",
        ),
        (
            lambda: time_dependent_law(lambda t: NAN, lambda t: 0.5, 0, 1),
            "at day 0 birth_rate is nan",
            "mend",
        ),
        (lambda: time_dependent_laws(len, len, [1.0]), r"days is \[1.0\]", "sort"),
        (lambda: time_dependent_laws(len, len, [1.0, 1.0]), r"days is \[1.0, 1.0\]", "sort"),
        (lambda: time_dependent_laws(len, len, 3.0), "days is 3.0", "sort"),
        (lambda: time_dependent_laws(len, len, [0, NAN]), "days is nan", "give a duration"),
        (lambda: LAW.probability(-1), "size is -1", "round"),
        (lambda: LAW.probability(0.5), "size is 0.5", "round"),
        (lambda: transition_probability(LAW, -1, 1), "start is -1", "number of cells"),
        (lambda: transition_probability(LAW, 1, 0.5), "end is 0.5", "number of cells"),
        (lambda: leap(LAW, None, RNG), "cells is None", "round"),
        (lambda: leap(LAW, True, RNG), "cells is True", "round"),
        (lambda: leap(LAW, "7", RNG), "cells is '7'", "round"),
        (lambda: LAW.probability(None), "size is None", "round"),
        (lambda: leap(LAW, -1, RNG), "cells is -1", "round"),
        (lambda: leap(LAW, [1, 1.5], RNG), r"cells is \[1, 1.5\]", "round"),
        (lambda: leap(LAW, NAN, RNG), "cells is nan", "round"),
        (lambda: leap(LAW, INF, RNG), "cells is inf", "round"),
        (lambda: leap(constant_rate_law(1, 0, 50), 1, RNG), r"5.*e\+21", "end the course"),
        (lambda: leap(constant_rate_law(0, 9, 50), 1e19, RNG), r"1e\+19", "end the course"),
    ],
)
def test_bad_input_is_refused_with_value_and_remedy(call, shown, remedy):
    with pytest.raises(ParameterError, match=f"{shown}.*{remedy}"):
        call()


def test_a_leap_refuses_a_rare_line_that_would_overflow_although_the_mean_does_not():
    # One line in a hundred lives, and then it holds a hundred times the mean.
    law = LineLaw(log_growth=np.log(9e17), log_hazard=np.log(100.0))
    rng = np.random.default_rng(1)
    with pytest.raises(ParameterError, match=r"counts above 1e\+18 overflow"):
        leap(law, np.ones(2000), rng)
