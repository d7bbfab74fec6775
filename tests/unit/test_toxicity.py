"""Healthy cells lost on target."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import slow_twins
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad

from car_relapse.densities import AntigenDensities
from car_relapse.engagement import default_density, default_engagement, surviving_fraction
from car_relapse.errors import ParameterError
from car_relapse.gates import AndGate, AndNotGate, SingleGate
from car_relapse.killing import Killing
from car_relapse.patient import typical_patient
from car_relapse.therapy import Therapy, cocktail, sequential
from car_relapse.toxicity import HealthyTissue, expected_loss, killing_dose

GIVEN = typical_patient().therapy
WEAK = replace(GIVEN, killing=Killing(maximal_rate=0.05, half_level=3000.0))


@settings(max_examples=15, deadline=None, derandomize=True)
@given(st.floats(0.0, 300.0), st.floats(0.0, 100.0))
def test_the_dose_is_the_integral_of_the_killing_rate(day, first):
    (later,) = sequential([GIVEN], [first])
    edges = sorted({0.0, day, *(k for k in later.kinks if k < day)})
    wanted = sum(
        quad(lambda t: float(later.killing_rate(t)), a, b, epsabs=1e-11)[0]
        for a, b in pairwise(edges)
    )
    assert killing_dose(later, day) == pytest.approx(wanted, abs=1e-8)


def test_a_jump_of_the_curve_that_is_no_kink_is_found():
    class Hidden(slow_twins.StepExposure):
        kinks = ()

    step = Therapy(exposure=Hidden(1e9, 7.3), killing=Killing(maximal_rate=1.0, half_level=1e-9))
    assert killing_dose(step, 20.0) == pytest.approx(7.3, rel=1e-9)


def test_cells_that_are_all_alike_are_lost_exponentially():
    tissue = HealthyTissue(engagement=(0.4,))
    days = np.array([0.0, 10.0, 100.0])
    lost = expected_loss(tissue, WEAK, days)
    wanted = [-np.expm1(-0.4 * killing_dose(WEAK, day)) for day in days]
    assert lost == pytest.approx(wanted, rel=1e-12)
    assert np.all(np.diff(lost) > 0)


def test_cells_of_many_densities_are_lost_as_their_surviving_fraction_says():
    spread = AntigenDensities(
        densities=(default_density(),), engagements=(default_engagement(),), bins=60
    )
    tissue = HealthyTissue(engagement=(1.0,), density=spread)
    left = surviving_fraction(
        default_density(), default_engagement().killing, killing_dose(WEAK, 60.0)
    )
    assert float(expected_loss(tissue, WEAK, 60.0)) == pytest.approx(1.0 - float(left), rel=1e-6)


def test_gates_spare_healthy_cells_or_do_not():
    carries_one = HealthyTissue(engagement=(1.0, 0.0), veto=1.0)
    with_gate = {
        gate: float(expected_loss(carries_one, replace(WEAK, gate=gate), 60.0))
        for gate in (SingleGate(antigen=0), AndGate(), AndNotGate(), SingleGate(antigen=1))
    }
    assert with_gate[SingleGate(antigen=0)] > 0.3
    assert with_gate[AndGate()] == with_gate[AndNotGate()] == 0.0
    assert with_gate[SingleGate(antigen=1)] == 0.0


def test_products_given_together_add_their_doses():
    tissue = HealthyTissue(engagement=(1.0,))
    once, twice = (expected_loss(tissue, given, 30.0) for given in (WEAK, cocktail(WEAK, WEAK)))
    assert 1.0 - float(twice) == pytest.approx((1.0 - float(once)) ** 2, rel=1e-12)


@pytest.mark.parametrize(
    ("call", "shown"),
    [
        (lambda: HealthyTissue(engagement=0.5), "engagement is 0.5"),
        (lambda: HealthyTissue(engagement=()), "engagement is"),
        (lambda: HealthyTissue(engagement=(1.5,)), "engagement is 1.5"),
        (lambda: HealthyTissue(engagement=(1.0,), veto=-1), "veto is -1"),
        (lambda: HealthyTissue(engagement=(1.0,), density=3), "density is 3"),
        (
            lambda: HealthyTissue(
                engagement=(1.0, 1.0),
                density=AntigenDensities(
                    densities=(default_density(),), engagements=(default_engagement(),)
                ),
            ),
            "density has 1 antigens and engagement 2 entries",
        ),
        (lambda: killing_dose(WEAK, -1.0), "day is -1"),
        (lambda: expected_loss(HealthyTissue(engagement=(1.0,)), WEAK, [1.0, None]), "day is"),
        (
            lambda: expected_loss(
                HealthyTissue(engagement=(1.0,)), replace(WEAK, gate=SingleGate(antigen=1)), 1.0
            ),
            "counted from 0",
        ),
    ],
)
def test_bad_input_is_refused_with_value_and_remedy(call, shown):
    with pytest.raises(ParameterError, match=shown):
        call()
