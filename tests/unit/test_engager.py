"""Engagers: kinetics against the matrix exponential, the trimer hook, and use in a therapy."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.linalg import expm

from car_relapse.engager import (
    EngagerExposure,
    EngagerKinetics,
    Infusion,
    Injection,
    TrimerExposure,
    TrimerLaw,
)
from car_relapse.errors import ParameterError
from car_relapse.killing import Killing
from car_relapse.patient import typical_patient
from car_relapse.survival import relapse_probabilities
from car_relapse.therapy import Therapy

ONE = EngagerKinetics(clearance=40.0, central_volume=5.0, absorption_rate=0.5, bioavailability=0.6)
TWO = replace(ONE, exchange=8.0, peripheral_volume=9.0)
SCHEDULE = {
    "infusions": (
        Infusion(start=0.0, duration=7.0, rate=9.0),
        Infusion(start=5.0, duration=21.0, rate=28.0),
    ),
    "injections": (Injection(day=2.0, amount=50.0), Injection(day=40.0, amount=80.0)),
}

kinetics = st.builds(
    EngagerKinetics,
    clearance=st.floats(0.01, 100.0),
    central_volume=st.floats(0.5, 20.0),
    exchange=st.one_of(st.just(0.0), st.floats(1e-3, 50.0)),
    peripheral_volume=st.floats(0.5, 20.0),
    absorption_rate=st.floats(0.01, 20.0),
    bioavailability=st.floats(0.1, 1.0),
)


def plain_level(curve, day):
    """Step the three amounts from dose to dose with the matrix exponential of the ODEs."""
    k = curve.kinetics
    v1, v2, q = k.central_volume, k.peripheral_volume, k.exchange
    uptake = k.absorption_rate or 0.0
    corners = sorted({0.0, day, *(c for c in curve.kinks if c < day)})
    state = np.zeros(4)  # under the skin, central, peripheral, and 1 for the infusion
    state[3] = 1.0
    for left, right in pairwise(corners):
        state[0] += sum(d.amount * k.bioavailability for d in curve.injections if d.day == left)
        rate = sum(i.rate for i in curve.infusions if i.start <= left < i.end)
        matrix = np.array(
            [
                [-uptake, 0, 0, 0],
                [uptake, -(k.clearance + q) / v1, q / v2, rate],
                [0, q / v1, -q / v2, 0],
                [0, 0, 0, 0],
            ]
        )
        state = expm(matrix * (right - left)) @ state
    return state[1] / v1


@given(kinetics, st.floats(0.0, 90.0))
def test_the_level_is_the_solution_of_the_linear_equations(drug, day):
    curve = EngagerExposure(kinetics=drug, **SCHEDULE)
    top = float(curve.level(np.linspace(0, 90, 50)).max())
    wanted = plain_level(curve, day)
    assert float(curve.level(day)) == pytest.approx(wanted, rel=1e-9, abs=1e-10 * top)


@pytest.mark.parametrize("offset", [0.0, 1e-13, 1e-9, -1e-6, 1e-3])
def test_uptake_as_fast_as_elimination_is_no_special_case(offset):
    drug = replace(ONE, absorption_rate=8.0 + offset)  # clearance over volume is 8 a day
    curve = EngagerExposure(kinetics=drug, injections=(Injection(day=0.0, amount=10.0),))
    days = np.array([0.01, 0.5, 3.0])
    uptake = drug.absorption_rate
    # The convolution itself: matrix exponentials lose digits where two rates meet.
    wanted = [
        10.0
        * 0.6
        / 5.0
        * quad(lambda x, t=t: uptake * math.exp(-uptake * x - 8 * (t - x)), 0, t)[0]
        for t in days
    ]
    assert curve.level(days) == pytest.approx(wanted, rel=1e-9)


def test_a_vanishing_exchange_is_one_compartment():
    days = np.linspace(0, 60, 40)
    one = EngagerExposure(kinetics=ONE, **SCHEDULE).level(days)
    near = EngagerExposure(kinetics=replace(ONE, exchange=1e-9), **SCHEDULE).level(days)
    assert near == pytest.approx(one, rel=1e-6)


@pytest.mark.parametrize("drug", [ONE, TWO])
def test_doses_superpose(drug):
    days = np.linspace(0, 80, 33)
    parts = [EngagerExposure(kinetics=drug, infusions=(i,)) for i in SCHEDULE["infusions"]]
    parts += [EngagerExposure(kinetics=drug, injections=(i,)) for i in SCHEDULE["injections"]]
    whole = EngagerExposure(kinetics=drug, **SCHEDULE).level(days)
    assert whole == pytest.approx(sum(part.level(days) for part in parts), rel=1e-12)


@pytest.mark.parametrize("drug", [ONE, TWO])
def test_a_long_infusion_reaches_rate_over_clearance_and_area_is_dose_over_clearance(drug):
    steady = EngagerExposure(
        kinetics=drug, infusions=(Infusion(start=0, duration=1000, rate=28.0),)
    )
    assert float(steady.level(900.0)) == pytest.approx(28.0 / 40.0, rel=1e-9)
    shot = EngagerExposure(kinetics=drug, injections=(Injection(day=0, amount=50.0),))
    area = quad(lambda day: float(shot.level(day)), 0, 400, limit=400, points=[1, 5, 20])[0]
    assert area == pytest.approx(50.0 * 0.6 / 40.0, rel=1e-7)


def test_after_a_pulse_the_terminal_decline_has_the_half_life():
    curve = EngagerExposure(kinetics=TWO, infusions=(Infusion(start=0, duration=1, rate=5.0),))
    late = curve.level([60.0, 60.0 + TWO.half_life])
    assert late[0] / late[1] == pytest.approx(2.0, rel=1e-9)
    assert ONE.half_life == pytest.approx(math.log(2) * 5.0 / 40.0)


def test_the_corners_are_the_starts_and_ends_of_doses():
    assert EngagerExposure(kinetics=TWO, **SCHEDULE).kinks == (0.0, 2.0, 5.0, 7.0, 26.0, 40.0)


@given(kinetics, st.floats(1e-4, 1.5))
def test_the_last_day_above_a_level_is_a_crossing_with_nothing_above_after_it(drug, part):
    curve = EngagerExposure(kinetics=drug, **SCHEDULE)
    dense = np.linspace(0.0, 200.0, 2001)
    level = part * float(curve.level(dense).max())
    day = float(curve.last_day_above(level))
    after = day + np.geomspace(1e-3, 1e4, 400)
    assert np.all(curve.level(after) < level)
    if day > 0:
        assert float(curve.level(day)) == pytest.approx(level, rel=1e-8)
    else:
        assert np.all(curve.level(dense) < level)


def test_a_summit_between_grid_points_is_not_overlooked():
    curve = EngagerExposure(kinetics=TWO, injections=(Injection(day=3.0, amount=50.0),))
    fine = np.linspace(3.0, 10.0, 700_001)
    values = curve.level(fine)
    top = float(values.max()) * (1 - 1e-10)
    assert float(curve.last_day_above(top)) == pytest.approx(fine[values.argmax()], abs=1e-3)
    assert curve.last_day_above([1.001 * top, 0.5 * top])[0] == 0.0


def test_the_level_at_a_corner_is_last_reached_there():
    curve = EngagerExposure(kinetics=ONE, infusions=(Infusion(start=0, duration=28, rate=28.0),))
    assert float(curve.last_day_above(curve.level(28.0))) == pytest.approx(28.0, abs=1e-9)


def test_a_second_dose_lifts_the_level_again():
    curve = EngagerExposure(kinetics=ONE, **SCHEDULE)
    before_second_shot = 0.3
    assert float(curve.last_day_above(before_second_shot)) > 40.0
    assert float(curve.last_day_above(0.69)) < 26.1


@given(st.floats(1e-3, 1e3), st.floats(1e-3, 1e3), st.floats(1e-4, 1e4))
def test_trimers_are_symmetric_about_the_optimum_in_log_concentration(k1, k2, c):
    law = TrimerLaw(cd3_constant=k1, antigen_constant=k2)
    mirrored = law.optimum**2 / c
    assert float(law.formation(c)) == pytest.approx(float(law.formation(mirrored)), rel=1e-9)
    assert float(law.formation(c)) <= law.maximum * (1 + 1e-12)
    assert float(law.relative(law.optimum)) == pytest.approx(1.0, rel=1e-12)


@given(st.floats(1e-3, 1e3), st.floats(1e-3, 1e3), st.floats(1e-9, 0.999))
def test_the_lower_concentration_inverts_the_trimer_law(k1, k2, part):
    law = TrimerLaw(cd3_constant=k1, antigen_constant=k2)
    low = law.lowest_concentration(part)
    assert float(low) <= law.optimum
    assert float(law.relative(low)) == pytest.approx(part, rel=1e-7)
    assert float(law.lowest_concentration(1.0)) == pytest.approx(law.optimum, rel=1e-6)


def test_too_much_drug_makes_no_trimers():
    law = TrimerLaw(cd3_constant=20.0, antigen_constant=0.5)
    assert list(law.relative([0.0, 1e12])) == pytest.approx([0.0, 0.0], abs=1e-9)


def test_trimers_peak_after_an_overdose_ends():
    law = TrimerLaw(cd3_constant=0.02, antigen_constant=0.005)
    drug = EngagerExposure(kinetics=ONE, infusions=(Infusion(start=0, duration=28, rate=28.0),))
    curve = TrimerExposure(drug=drug, law=law)
    assert curve.kinks == drug.kinks
    days = np.linspace(28.0, 29.0, 2001)
    trimers = curve.level(days)
    assert trimers.max() > 10 * trimers[0]
    last = curve.last_day_above([0.5, 1.0, 1.5])
    assert float(curve.level(last[0])) == pytest.approx(0.5, rel=1e-8)
    assert np.all(curve.level(last[0] + np.geomspace(1e-3, 100, 50)) < 0.5)
    assert last[1] == pytest.approx(days[trimers.argmax()], abs=2e-3)
    assert last[2] == 0.0


@pytest.mark.parametrize("hook", [False, True])
def test_an_engager_takes_the_place_of_cells_in_a_therapy(hook):
    # Kinetics so fast that killing is a rectangle: then the survival of a line is closed.
    drug = EngagerKinetics(clearance=4e5, central_volume=4.0)
    month = Infusion(start=0.0, duration=28.0, rate=4e5)
    curve = EngagerExposure(kinetics=drug, infusions=(month,))
    exposure = (
        TrimerExposure(drug=curve, law=TrimerLaw(cd3_constant=2.0, antigen_constant=0.5))
        if hook
        else curve
    )
    killing = Killing(maximal_rate=1.0, half_level=1.0)  # the level is 1: half of the maximum
    patient = replace(typical_patient(), therapy=Therapy(exposure=exposure, killing=killing))
    result = relapse_probabilities(patient)
    b, removal = patient.leukaemia.birth_rate, patient.leukaemia.death_rate + 0.5
    s = patient.leukaemia.survival
    decay = math.exp(-(removal - b) * 28.0)
    # Riccati equation over 28 days from survival probability s after them.
    line = s * decay / (1 + s * b * (1 - decay) / (removal - b))
    wanted = -patient.leukaemia.burden * math.log1p(-line)
    assert result.positive_lines == pytest.approx(wanted, rel=1e-3)
    assert patient.therapy.last_day_above(0.1) == pytest.approx(28.0, abs=1e-3)


@pytest.mark.parametrize(
    ("make", "shown"),
    [
        (lambda: replace(ONE, clearance=0.0), r"clearance is 0; .*> 0; give litres per day"),
        (lambda: replace(ONE, central_volume=-1.0), r"central_volume is -1; .*; give litres"),
        (lambda: replace(ONE, exchange=-1.0), r"exchange is -1; .*>= 0; 0 makes one"),
        (lambda: replace(ONE, peripheral_volume=0.0), r"peripheral_volume is 0; .*; give lit"),
        (lambda: replace(ONE, bioavailability=2.0), r"bioavailability is 2; .*\[0, 1\]; 1 means"),
        (lambda: replace(ONE, absorption_rate=0.0), r"absorption_rate is 0; .*> 0; give a rate"),
        (lambda: Infusion(start=-1, duration=1, rate=1), r"start is -1; .*>= 0; count days"),
        (lambda: Infusion(start=0, duration=math.inf, rate=1), r"duration is inf; .*; give a num"),
        (lambda: Infusion(start=0, duration=1, rate=0), r"rate is 0; .*> 0; give an amount"),
        (lambda: Injection(day=-1, amount=1), r"day is -1; .*>= 0; count days"),
        (lambda: Injection(day=0, amount=0), r"amount is 0; .*> 0; give an amount"),
        (lambda: EngagerExposure(kinetics=ONE), r"no dose; .*at least one; give an Infusion"),
        (
            lambda: EngagerExposure(kinetics=replace(ONE, absorption_rate=None), **SCHEDULE),
            r"absorption_rate is None; .*needs one; give",
        ),
        (lambda: EngagerExposure(kinetics=ONE, **SCHEDULE).level(-1), r"day is -1; .*; count"),
        (
            lambda: EngagerExposure(kinetics=ONE, **SCHEDULE).last_day_above(0),
            r"level is 0; .*> 0; give a concentration",
        ),
        (lambda: TrimerLaw(cd3_constant=0, antigen_constant=1), r"cd3_constant is 0; .*; give a"),
        (lambda: TrimerLaw(cd3_constant=1, antigen_constant=-1), r"antigen_constant is -1; "),
        (
            lambda: TrimerLaw(cd3_constant=1, antigen_constant=1).formation(-1),
            r"concentration is -1; .*>= 0; give a drug",
        ),
        (
            lambda: TrimerLaw(cd3_constant=1, antigen_constant=1).lowest_concentration(0),
            r"fraction is 0; .*> 0; without drug",
        ),
        (
            lambda: TrimerLaw(cd3_constant=1, antigen_constant=1).lowest_concentration(2),
            r"fraction is 2; .*\[0, 1\]; give a part",
        ),
    ],
)
def test_bad_input_is_refused_with_value_rule_and_remedy(make, shown):
    with pytest.raises(ParameterError, match=shown):
        make()


@pytest.mark.parametrize("value", [None, "0.1", [0.1], True, math.nan, 1j])
@pytest.mark.parametrize(
    ("kind", "good"),
    [
        (
            EngagerKinetics,
            {
                "clearance": 1.0, "central_volume": 1.0, "exchange": 1.0,
                "peripheral_volume": 1.0, "bioavailability": 1.0,
            },
        ),
        (Infusion, {"start": 0.0, "duration": 1.0, "rate": 1.0}),
        (Injection, {"day": 0.0, "amount": 1.0}),
        (TrimerLaw, {"cd3_constant": 1.0, "antigen_constant": 1.0}),
    ],
)  # fmt: skip
def test_a_field_takes_one_real_number_and_nothing_else(kind, good, value):
    for name in good:
        with pytest.raises(ParameterError, match=name):
            kind(**(good | {name: value}))


@pytest.mark.parametrize(
    ("make", "shown"),
    [
        (lambda: replace(ONE, absorption_rate="fast"), "absorption_rate is 'fast'"),
        (lambda: EngagerExposure(kinetics=None, **SCHEDULE), "kinetics is None"),
        (lambda: EngagerExposure(kinetics=ONE, infusions=[]), "infusions is []; it must be a tup"),
        (lambda: EngagerExposure(kinetics=ONE, infusions=None), "infusions is None"),
        (lambda: EngagerExposure(kinetics=ONE, injections=(3,)), "injections is (3,)"),
        (lambda: TrimerExposure(drug=ONE, law=None), "drug is EngagerKinetics"),
        (
            lambda: TrimerExposure(drug=EngagerExposure(kinetics=ONE, **SCHEDULE), law=None),
            "law is None",
        ),
    ],
)
def test_parts_of_the_wrong_kind_are_refused(make, shown):
    with pytest.raises(ParameterError) as caught:
        make()
    assert shown in str(caught.value)


def test_a_trimer_curve_refuses_a_level_that_is_no_level():
    drug = EngagerExposure(kinetics=ONE, **SCHEDULE)
    curve = TrimerExposure(drug=drug, law=TrimerLaw(cd3_constant=1, antigen_constant=1))
    with pytest.raises(ParameterError, match=r"level is -1; .*> 0; give a fraction"):
        curve.last_day_above(-1)
