"""Intervals in three numbers: composition, and the mean inside against the forward equations."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.linalg import expm

from car_relapse.branching import constant_rate_law, transition_probability
from car_relapse.errors import ParameterError
from car_relapse.intervals import conditional_mean, constant_interval

rates = st.floats(0.0, 2.0)
durations = st.floats(0.0, 3.0)


@given(rates, rates, durations)
def test_an_interval_is_the_law_of_its_lines(birth, death, days):
    here, law = constant_interval(birth, death, days), constant_rate_law(birth, death, days)
    assert float(here.law.log_growth) == pytest.approx(float(law.log_growth), abs=1e-12)
    assert float(here.law.log_hazard) == pytest.approx(float(law.log_hazard), abs=1e-12)
    assert float(here.alive) == pytest.approx(float(np.exp(law.log_alive)), rel=1e-12)
    assert float(here.removal) == pytest.approx(
        float(1 + here.excess - here.growth), abs=1e-12 * float(1 + here.excess)
    )


@given(rates, rates, durations, durations)
def test_two_intervals_compose_to_one(birth, death, first, second):
    both = constant_interval(birth, death, first).then(constant_interval(birth, death, second))
    whole = constant_interval(birth, death, first + second)
    for name in ("growth", "excess", "removal"):
        assert float(getattr(both, name)) == pytest.approx(
            float(getattr(whole, name)), rel=1e-12, abs=1e-300
        )


def generator(birth: float, death: float, largest: int):
    n = np.arange(largest + 1)
    matrix = np.diag(-(birth + death) * n.astype(float))
    matrix[n[:-1], n[1:]] = birth * n[:-1]
    matrix[n[1:], n[:-1]] = death * n[1:]
    return n, matrix


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ((0.4, 0.3, 1.2), (0.4, 0.3, 0.7)),
        ((0.2, 0.9, 0.5), (0.6, 0.1, 1.5)),  # rates that change in between
        ((0.5, 0.0, 1.0), (0.5, 0.0, 0.4)),  # nothing dies
        ((0.0, 0.6, 1.0), (0.0, 0.6, 0.4)),  # nothing is born
    ],
)
@pytest.mark.parametrize("start", [1, 3])
def test_the_mean_between_two_ends_is_exact(one, two, start):
    n, first = generator(one[0], one[1], 150)
    _, second = generator(two[0], two[1], 150)
    early, late = expm(first * one[2]), expm(second * two[2])
    whole = constant_interval(*one).then(constant_interval(*two))
    dead, living, beyond = conditional_mean(constant_interval(*one), constant_interval(*two))
    alpha = float(whole.law.extinct)
    beta = float(whole.law.geometric_parameter)
    for end in range(7):
        chance = (early @ late)[start, end]
        if chance < 1e-9:
            continue
        wanted = (early[start] * n) @ late[:, end] / chance
        # Average over how many of the lines live, given both ends.
        alive = np.arange(min(start, end) + 1)
        weight = np.array([lines(start, end, k, alpha, beta) for k in alive])
        mean = dead * (start - alive) + living * alive + beyond * (end - alive)
        assert weight.sum() == pytest.approx(chance, rel=1e-9)
        assert float(weight @ mean / weight.sum()) == pytest.approx(wanted, rel=1e-9)


def lines(start: int, end: int, alive: int, alpha: float, beta: float) -> float:
    """Return P(so many lines live, so many cells at the end)."""
    from scipy.special import comb

    of_lines = comb(start, alive) * (1 - alpha) ** alive * alpha ** (start - alive)
    if alive == 0:
        return of_lines * (end == 0)
    cells = comb(end - 1, alive - 1) * (1 - beta) ** alive * beta ** (end - alive)
    return of_lines * cells


def test_the_conditional_mean_is_the_start_at_the_start_and_the_end_at_the_end():
    nothing, day = constant_interval(0.3, 0.2, 0.0), constant_interval(0.3, 0.2, 1.0)
    assert conditional_mean(day, nothing).tolist() == pytest.approx([0.0, 1.0, 1.0])
    assert conditional_mean(nothing, day).tolist() == pytest.approx([1.0, 1.0, 0.0], abs=1e-15)


@given(st.floats(0.05, 1.0), st.floats(0.05, 1.0), st.floats(0.1, 2.0), st.floats(0.1, 2.0))
def test_the_conditional_mean_averages_to_the_mean(birth, death, first, second):
    one, two = constant_interval(birth, death, first), constant_interval(birth, death, second)
    whole = one.then(two)
    means = np.array([1 - whole.alive, whole.alive, whole.alive * whole.excess])
    assert float(means @ conditional_mean(one, two)) == pytest.approx(float(one.growth), rel=1e-10)


@given(st.floats(0.05, 1.0), st.floats(0.05, 1.0), st.floats(0.05, 2.0), st.floats(0.0, 1.0))
def test_chapman_and_kolmogorov_hold_for_the_transition_probabilities(birth, death, days, part):
    one, two = (constant_rate_law(birth, death, days * share) for share in (part, 1 - part))
    middle = sum(
        transition_probability(one, 2, k) * transition_probability(two, k, 3) for k in range(120)
    )
    whole = transition_probability(constant_rate_law(birth, death, days), 2, 3)
    assert middle == pytest.approx(whole, abs=1e-9)


def test_bad_input_is_refused():
    with pytest.raises(ParameterError, match=r"birth_rate is -1.*give a rate"):
        constant_interval(-1.0, 0.1, 1.0)
    with pytest.raises(ParameterError, match=r"days is True.*give a duration"):
        constant_interval(0.1, 0.1, True)
