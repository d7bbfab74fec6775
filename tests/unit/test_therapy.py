"""Killing and therapies."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from car_relapse.errors import ParameterError
from car_relapse.exposure import stein_population, stein_typical
from car_relapse.gates import OrGate, SingleGate
from car_relapse.killing import Killing, default_killing
from car_relapse.parameters import default
from car_relapse.therapy import Therapy, bicistronic, cocktail, products, sequential, tandem

killings = st.builds(
    Killing, maximal_rate=st.floats(0.01, 10.0), half_level=st.floats(1.0, 1e6)
)  # fmt: skip


@given(killings, st.floats(0.0, 0.999))
def test_the_level_for_a_rate_inverts_the_rate_of_a_level(killing, part):
    rate = part * killing.maximal_rate
    assert float(killing.rate(killing.level_for(rate))) == pytest.approx(rate, abs=1e-12)


@given(killings)
def test_killing_is_half_maximal_at_the_half_level_and_rises_with_the_level(killing):
    assert float(killing.rate(killing.half_level)) == pytest.approx(killing.maximal_rate / 2)
    assert np.all(np.diff(killing.rate(np.geomspace(1e-3, 1e9, 50))) >= 0)
    assert float(killing.rate(0.0)) == 0.0


@given(killings)
def test_no_level_reaches_the_maximal_rate(killing):
    assert killing.level_for(killing.maximal_rate) == float("inf")
    assert killing.level_for(1.1 * killing.maximal_rate) == float("inf")


def test_the_last_day_of_killing_at_a_rate_inverts_the_killing_rate():
    therapy = Therapy(exposure=stein_typical(), killing=default_killing())
    for rate in (0.01, 0.065, 0.5):
        day = therapy.last_day_above(rate)
        assert float(therapy.killing_rate(day)) == pytest.approx(rate, rel=1e-9)
        assert float(therapy.killing_rate(day + 1)) < rate
    assert therapy.last_day_above(1.1) == 0.0  # between the peak's rate and the maximal one
    assert therapy.last_day_above(2.0) == 0.0


def test_the_default_killing_is_the_ledger():
    assert default_killing().maximal_rate == default("killing.maximal_rate")
    assert default_killing().half_level == default("killing.half_level")


@pytest.mark.parametrize(
    ("call", "shown", "remedy"),
    [
        (lambda: Killing(maximal_rate=0, half_level=1), "maximal_rate is 0", "see ledger"),
        (lambda: Killing(maximal_rate=float("inf"), half_level=1), "rate is inf", "see ledger"),
        (lambda: Killing(maximal_rate="1.15", half_level=1), "rate is '1.15'", "see ledger"),
        (lambda: Killing(maximal_rate=1, half_level=-2), "half_level is -2", "see ledger"),
    ],
)
def test_bad_input_is_refused_with_value_and_remedy(call, shown, remedy):
    with pytest.raises(ParameterError, match=f"{shown}.*{remedy}"):
        call()


@pytest.mark.parametrize("wrong", [-1.0, float("nan"), float("inf")])
def test_a_level_or_rate_that_cannot_be_is_refused(wrong):
    killing = default_killing()
    with pytest.raises(ParameterError, match=r"level is .*copies"):
        killing.rate(wrong)
    with pytest.raises(ParameterError, match=r"rate is .*1/day"):
        killing.level_for(wrong)


def test_a_therapy_is_one_patients():
    many = stein_population().sample(3, np.random.default_rng(1))
    with pytest.raises(ParameterError, match=r"3 curves.*cohort"):
        Therapy(exposure=many, killing=default_killing())


ONE = Therapy(exposure=stein_typical(), killing=default_killing())


def test_killing_laws_of_many_patients_are_no_therapy():
    many = Killing(maximal_rate=np.array([1.0, 2.0]), half_level=3000.0)
    with pytest.raises(ParameterError, match=r"killing holds 2 laws.*cohort"):
        Therapy(exposure=stein_typical(), killing=many)


@given(st.floats(0.1, 400.0), st.floats(0.0, 500.0))
def test_a_product_given_later_is_the_same_curve_later_and_nothing_before(first, day):
    (later,) = sequential([ONE], [first])
    wanted = float(ONE.killing_rate(day - first)) if day >= first else 0.0
    assert float(later.killing_rate(day)) == pytest.approx(wanted, abs=1e-15)
    assert later.last_day_above(0.1) == pytest.approx(first + ONE.last_day_above(0.1))
    assert later.last_day_above(50.0) == 0.0
    assert later.kinks == (first, *(first + k for k in ONE.exposure.kinks))


def test_helpers_build_what_their_names_say():
    assert tandem(ONE.exposure, ONE.killing, synergy=1.5).gate == OrGate(synergy=1.5)
    assert bicistronic(ONE.exposure, ONE.killing, arms=(1.0, 0.4)).gate == OrGate(arms=(1.0, 0.4))
    assert cocktail(ONE, ONE) == (ONE, ONE)
    assert products(ONE) == (ONE,)
    assert ONE.gate == OrGate()
    assert hash(Therapy(exposure=ONE.exposure, killing=ONE.killing, gate=SingleGate(antigen=0)))


@pytest.mark.parametrize(
    ("call", "shown"),
    [
        (lambda: sequential([ONE, ONE], [0.0]), "first_days has 1 entries and there are 2"),
        (lambda: sequential([ONE], [-1.0]), "first_day is -1"),
        (lambda: products(()), "therapy is .*at least one product"),
        (lambda: products((ONE, 3)), "therapy is 3; it must be a Therapy"),
        (lambda: products(None), "therapy is None"),
        (lambda: Therapy(exposure=ONE.exposure, killing=ONE.killing, gate="OR"), "gate is 'OR'"),
        (
            lambda: Therapy(exposure=ONE.exposure, killing=ONE.killing, first_day=float("nan")),
            "first_day is nan",
        ),
    ],
)
def test_products_that_cannot_be_given_are_refused(call, shown):
    with pytest.raises(ParameterError, match=shown):
        call()
