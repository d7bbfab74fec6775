"""Identities that the exposures and the published curves must obey, for any parameters."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad, solve_ivp

from car_relapse.engager import TrimerLaw
from car_relapse.exposure import SteinExposure
from car_relapse.exposure_kimmel import KimmelExposure
from car_relapse.published import carrgo2020, cartmath2021, kimmel2021, leontriana2020

stein = st.builds(
    SteinExposure,
    fold=st.floats(1.5, 1e6),
    peak_day=st.floats(1.0, 40.0),
    peak_level=st.floats(1.0, 1e7),
    contraction_rate=st.floats(0.05, 2.0),
    memory_fraction=st.floats(1e-5, 0.5),
    memory_rate=st.floats(1e-5, 0.04),
)


@settings(max_examples=25)
@given(stein, st.floats(0.1, 300.0))
def test_stein_as_two_compartments_is_stein_as_a_formula(curve, after):
    """Effectors grow and contract; after the peak a part of them turns into memory."""
    forms = curve.memory_fraction * (curve.contraction_rate - curve.memory_rate)
    effector, memory = solve_ivp(
        lambda _, y: [
            -curve.contraction_rate * y[0],
            forms * y[0] - curve.memory_rate * y[1],
        ],
        (0.0, after),
        [float(curve.baseline_level) * np.exp(float(curve.expansion_rate) * curve.peak_day), 0.0],
        "DOP853",
        rtol=1e-11,
        atol=1e-13 * curve.peak_level,
    ).y[:, -1]
    assert float(curve.level(curve.peak_day + after)) == pytest.approx(
        effector + memory, rel=1e-7, abs=1e-11 * curve.peak_level
    )


@given(stein)
def test_the_area_of_stein_up_to_the_peak_is_the_rise_over_the_rate(curve):
    wanted = (curve.peak_level - float(curve.baseline_level)) / float(curve.expansion_rate)
    assert float(curve.area(curve.peak_day)) == pytest.approx(wanted, rel=1e-9)
    summed = quad(lambda day: float(curve.level(day)), 0, curve.peak_day, epsrel=1e-10)[0]
    assert summed == pytest.approx(wanted, rel=1e-8)


@given(stein, st.floats(1e-12, 1e-7))
def test_stein_is_continuous_at_the_peak(curve, gap):
    near = curve.level(curve.peak_day * (1 + np.array([-gap, 0.0, gap])))
    assert near == pytest.approx(curve.peak_level, rel=1e-4)
    assert near[1] == pytest.approx(curve.peak_level, rel=1e-12)


kimmel = st.builds(
    kimmel2021.KimmelParameters,
    normal_rate=st.floats(0.05, 0.4),
    car_capacity=st.floats(60.0, 300.0),
    car_rate=st.floats(0.01, 0.1),
    car_boost=st.floats(0.0, 1.0),
    normal_start=st.floats(1.0, 30.0),
    car_start=st.floats(0.05, 5.0),
)


@settings(max_examples=8)
@given(kimmel, st.floats(0.01, 0.5), st.floats(1.0, 1e3))
def test_kimmel_peaks_where_the_room_is_full_whatever_the_tumour(p, growth, size):
    day, height = kimmel2021.peak(p)
    course = kimmel2021.solve(p, [day])
    assert float(course.normal[0] + course.car[0]) == pytest.approx(p.car_capacity, rel=1e-8)
    other = replace(p, tumour_rate=growth, tumour_start=size)
    days = np.array([0.5, day, 3 * day + 30])
    assert kimmel2021.solve(other, days).car == pytest.approx(
        kimmel2021.solve(p, days).car, rel=1e-8
    )
    curve = KimmelExposure(parameters=other)
    assert float(curve.level(day)) == pytest.approx(height, rel=1e-8)
    assert np.all(curve.level(day * np.array([0.9, 1.1])) < height)


@settings(max_examples=10)
@given(st.floats(1e-11, 1e-10), st.floats(0.05, 0.5), st.floats(5.0, 40.0), st.floats(1e6, 1e9))
def test_leon_triana_cannot_make_more_car_t_than_its_prey_pays_for(kill, share, life, dose):
    """C + (rho_C/alpha)(L + B) never rises when the leukaemia does not grow on its own."""
    p = replace(
        leontriana2020.LeukaemiaParameters(),
        killing_rate=kill,
        expansion_rate=share * kill,
        car_lifetime=life,
        car_start=dose,
        leukaemia_rate=1e-12,
    )
    course = leontriana2020.solve(p, np.linspace(0.0, 200.0, 81))
    total = course.car + share * (course.leukaemia + course.b_cells)
    assert np.all(np.diff(total) <= 1e-6 * total[:-1])


@given(st.floats(0.01, 0.5), st.floats(1e-13, 1e-8), st.floats(1e2, 1e7))
def test_cartmath_grows_along_the_logistic_curve_before_infusion(growth, crowding, start):
    p = replace(cartmath2021.HDLM2, tumour_rate=growth, crowding=crowding, tumour_start=start)
    days = np.array([1.0, 20.0, 60.0])
    grown = start * np.exp(growth * days)
    wanted = grown / (1 + crowding * (grown - start))
    assert cartmath2021.solve(p, days).tumour == pytest.approx(wanted, rel=1e-7)


@settings(max_examples=15)
@given(st.floats(0.05, 0.9), st.floats(1.0, 4.0))
def test_carrgo_rests_where_a_over_b_says(death, excess):
    p = carrgo2020.CarrgoParameters(death_ratio=death, expansion_ratio=excess * death + 0.1)
    rest = p.death_ratio / p.expansion_ratio
    course = carrgo2020.solve(p, [0.0, 5.0, 50.0], tumour=rest, car=1.0 - rest)
    assert course.tumour == pytest.approx(rest, rel=1e-7)
    assert course.car == pytest.approx(1.0 - rest, rel=1e-7)


@given(st.floats(1e-6, 1e6), st.floats(1e-6, 1e6), st.floats(1e-9, 1e9))
def test_trimers_mirror_about_the_optimum(k1, k2, concentration):
    law = TrimerLaw(cd3_constant=k1, antigen_constant=k2)
    assert float(law.formation(concentration)) == pytest.approx(
        float(law.formation(k1 * k2 / concentration)), rel=1e-9
    )
    swapped = TrimerLaw(cd3_constant=k2, antigen_constant=k1)
    assert float(law.formation(concentration)) == pytest.approx(
        float(swapped.formation(concentration)), rel=1e-12
    )
