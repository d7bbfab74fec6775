"""Two types by chance: closed forms against differential equations, a walk, and simulation."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad, solve_ivp

from car_relapse.branching import constant_rate_law
from car_relapse.errors import ParameterError
from car_relapse.growth import no_living_mutant, no_surviving_line
from car_relapse.two_types import TwoTypes, no_event_before_size


def types(birth, death, loss, escaped_birth=None, escaped_death=None) -> TwoTypes:
    return TwoTypes(
        birth_rate=birth,
        death_rate=death,
        loss=loss,
        escaped_birth_rate=birth if escaped_birth is None else escaped_birth,
        escaped_death_rate=death if escaped_death is None else escaped_death,
    )


def backward(both: TwoTypes, x: float, y: float, days: float) -> float:
    """Integrate the equations of the generating functions of both types."""
    b, d, u = both.birth_rate, both.death_rate, both.loss
    b1, d1 = both.escaped_birth_rate, both.escaped_death_rate

    def slope(_, f):
        return [
            d - (b + d) * f[0] + b * ((1 - u) * f[0] ** 2 + u * f[0] * f[1]),
            d1 - (b1 + d1) * f[1] + b1 * f[1] ** 2,
        ]

    run = solve_ivp(slope, (0, days), [x, y], method="DOP853", rtol=1e-12, atol=1e-14)
    return float(run.y[0, -1])


CASES = [
    types(1.0, 0.2, 0.1),
    types(0.3, 0.1, 1e-5),
    types(0.1, 0.9, 0.02, 0.3, 0.1),  # targeted cells decline under killing
    types(0.5, 0.5, 1e-3, 0.4, 0.05),  # critical
    types(0.3, 0.1, 1e-4, 0.2, 0.1),  # exponents that differ by nearly two
    types(0.8, 0.0, 0.05, 0.6, 0.5),
]


@pytest.mark.parametrize("both", CASES, ids=str)
@pytest.mark.parametrize(("x", "y"), [(1.0, 0.0), (0.3, 0.7), (0.0, 0.2), (0.9, 0.95)])
def test_the_closed_form_solves_the_backward_equations(both, x, y):
    got = both.generating_function(x, y, 7.0)
    assert float(got.real) == pytest.approx(backward(both, x, y, 7.0), rel=1e-9)
    assert abs(float(got.imag)) < 1e-12


@pytest.mark.parametrize("both", CASES, ids=str)
def test_no_living_escape_while_targeted_cells_live_is_the_difference_it_is_defined_by(both):
    if both.escaped_death_rate == 0:
        return
    alive = np.exp(
        constant_rate_law(both.birth_rate * (1 - both.loss), both.death_rate, 5.0).log_alive
    )
    difference = backward(both, 1.0, 0.0, 5.0) - backward(both, 0.0, 0.0, 5.0)
    assert both.no_living_if_targeted_alive(5.0) == pytest.approx(difference / alive, rel=1e-9)


def test_few_losses_keep_their_digits():
    # 1 - F is of the size of the loss; ODEs lose it, the product of Wronskians does not.
    rare = types(0.14, 0.13, 1e-12).no_living_if_targeted_alive(800.0)
    rarer = types(0.14, 0.13, 1e-13).no_living_if_targeted_alive(800.0)
    assert (1 - rare) / (1 - rarer) == pytest.approx(10.0, rel=1e-3)


@given(st.floats(0.05, 1.0), st.floats(0.0, 1.0), st.floats(1e-6, 0.5), st.floats(0.0, 30.0))
def test_no_event_solves_its_riccati_equation(birth, death, loss, days):
    both = types(birth, death, loss, 0.5, 0.1)

    def slope(_, f):
        return death - (birth + death) * f + birth * (1 - loss) * f**2

    run = solve_ivp(slope, (0, days), [1.0], method="DOP853", rtol=1e-11, atol=1e-12)
    assert float(both.no_event(days)) == pytest.approx(float(run.y[0, -1]), abs=1e-8)


def test_escapes_that_never_die_are_alive_if_they_ever_were():
    both = types(0.4, 0.1, 0.01, 0.3, 0.0)
    assert both.no_living(6.0) == pytest.approx(float(both.no_event(6.0)), rel=1e-12)
    with pytest.raises(ParameterError, match="use no_event"):
        both.no_living_if_targeted_alive(6.0)


def test_the_numbers_of_escaped_cells_are_a_distribution_with_the_right_mean():
    both = types(0.5, 0.2, 0.05, 0.3, 0.1)
    p = both.escaped_probabilities(6.0, 400)
    mean = quad(lambda t: 0.5 * 0.05 * np.exp((0.5 * 0.95 - 0.2) * t + 0.2 * (6.0 - t)), 0, 6)[0]
    assert p.sum() == pytest.approx(1.0, abs=1e-10)
    assert float(p @ np.arange(401)) == pytest.approx(mean, rel=1e-8)
    assert p[0] == pytest.approx(both.no_living(6.0), abs=1e-12)


def test_without_loss_so_far_the_law_is_that_of_targeted_cells_alone():
    both = types(0.5, 0.2, 1e-9, 0.3, 0.1)
    law = constant_rate_law(0.5, 0.2, 4.0)
    beta = law.geometric_parameter
    x = 0.6
    alone = law.extinct + (1 - law.extinct) * (1 - beta) * x / (1 - beta * x)
    assert float(both.generating_function(x, 0.5, 4.0).real) == pytest.approx(
        float(alone), rel=1e-7
    )


def walk(size: int, p: Fraction, u: Fraction) -> float:
    """Return P(no loss before `size` | reached), by the exact walk of cell numbers."""

    def reach(stay: Fraction, up: Fraction) -> Fraction:
        # h(n) = stay h(n+1) + (1-up) h(n-1), h(0) = 0, h(size) = 1, scaled by shooting.
        h = [Fraction(0), Fraction(1)]
        for _ in range(size - 1):
            h.append((h[-1] - (1 - up) * h[-2]) / stay)
        return h[1] / h[size]

    # Reaching at all: divisions with loss leave the number as it is.
    clean = p * (1 - u)
    return float(reach(clean, p) / reach(clean / (clean + 1 - p), clean / (clean + 1 - p)))


@pytest.mark.parametrize("size", [1, 2, 7, 60])
@pytest.mark.parametrize(("birth", "death", "loss"), [(3, 2, 0.25), (1, 1, 0.125), (1, 3, 0.5)])
def test_the_finite_walk_is_solved_exactly(size, birth, death, loss):
    wanted = walk(size, Fraction(birth, birth + death), Fraction(loss))
    got = no_event_before_size(size, birth_rate=birth, death_rate=death, loss=loss)
    assert float(got) == pytest.approx(wanted, rel=1e-12)


def test_the_finite_walk_tends_to_the_law_of_large_populations():
    for size, gap in ((1e2, 0.1), (1e6, 1e-4), (1e11, 1e-8)):
        got = no_event_before_size(size, birth_rate=1.0, death_rate=0.5, loss=1.0 / size)
        assert float(got) == pytest.approx(np.exp(-2.0), rel=gap)
    assert float(no_event_before_size(50, birth_rate=1, death_rate=0, loss=0.1)) == pytest.approx(
        0.9**49
    )
    assert no_event_before_size([1, 10], birth_rate=1, death_rate=1, loss=0.0).tolist() == [1, 1]


@given(st.floats(1e-11, 1e-9), st.floats(0.05, 0.9))
def test_late_days_give_the_fixed_time_law_of_growth(loss, ratio):
    # At a late day, given survival, the size is exponential around its mean.
    birth = 0.2
    death, days = birth * ratio, 0.0
    net = birth - death
    days = np.log(1e9) / net
    mean = np.exp(net * days) / (1 - ratio)
    got = types(birth, death, loss).no_living_if_targeted_alive(days)
    wanted = float(no_living_mutant(mean, loss, 1 - ratio, fixed="time"))
    assert got == pytest.approx(wanted, rel=1e-5)


@given(st.floats(1e2, 1e12), st.floats(0.0, 1e-6), st.floats(0.01, 1.0))
def test_fixed_time_is_the_exponential_mixture_of_fixed_size(size, loss, survival):
    if loss * size / survival > 50:
        return
    for law in (
        lambda n, fixed: float(no_living_mutant(n, loss, survival, fixed=fixed)),
        lambda n, fixed: float(no_surviving_line(n, loss, fixed=fixed)),
    ):
        mixed = quad(lambda e, f=law: np.exp(-e) * f(size * e, "size"), 1e-300, 60)[0]
        assert law(size, "time") == pytest.approx(mixed, rel=1e-6)


GOOD = types(0.3, 0.1, 0.01)
NAN = float("nan")


@pytest.mark.parametrize(
    ("call", "shown", "remedy"),
    [
        (lambda: types(0.0, 0.1, 0.01, 0.3, 0.1), "birth_rate is 0", "give a rate"),
        (lambda: types(0.3, -0.1, 0.01, 0.3, 0.1), "death_rate is -0.1", "give a rate"),
        (lambda: types(0.3, 0.1, 1.0), "loss is 1", "lower it"),
        (lambda: types(0.3, 0.1, 0.0), "loss is 0", "car_relapse.branching"),
        (lambda: types(0.3, 0.1, 0.1, 0.1, 0.3), "escaped_death_rate is 0.3", "change the rates"),
        (lambda: types(None, 0.1, 0.1, 0.3, 0.1), "birth_rate is None", "give a rate"),
        (lambda: GOOD.generating_function(1.1, 0.0, 1.0), "targeted is 1.1", "inside"),
        (lambda: GOOD.generating_function(1.0, 1.0, 1.0), "escaped is 1.0", "inside"),
        (lambda: GOOD.generating_function(1.0, 0.0, NAN), "days is nan", "give a duration"),
        (lambda: GOOD.no_event(-1), "days is -1", "give a duration"),
        (lambda: GOOD.no_living_if_targeted_alive(0.0), "days is 0", "give a duration"),
        (lambda: GOOD.escaped_probabilities(1.0, 1001), "largest is 1001", "luria_delbrueck"),
        (
            lambda: types(1e3, 1e-12, 1e-12, 1e-12, 1e-13).no_living(36500.0),
            "too far apart",
            "rates",
        ),
        (
            lambda: types(6.69e-12, 9.87e-11, 0.29, 0.337, 0.1785).no_living_if_targeted_alive(
                12490.0
            ),
            "too far apart",
            "sample_two_types",
        ),
        (
            lambda: no_event_before_size(1.5, birth_rate=1, death_rate=0, loss=0.1),
            "size is 1.5",
            "round",
        ),
        (
            lambda: no_event_before_size(0, birth_rate=1, death_rate=0, loss=0.1),
            "size is 0",
            "number of cells",
        ),
        (
            lambda: no_event_before_size(5, birth_rate=1, death_rate=0, loss=1),
            "loss is 1",
            "lower",
        ),
    ],
)
def test_bad_input_is_refused_with_value_and_remedy(call, shown, remedy):
    with pytest.raises(ParameterError, match=f"{shown}.*{remedy}"):
        call()
