"""Exposures made of exposures: later, scaled, added; and what they refuse."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad

from car_relapse.engager import EngagerExposure, EngagerKinetics, Infusion
from car_relapse.errors import ParameterError
from car_relapse.exposure import stein_typical
from car_relapse.exposure_products import (
    DelayedExposure,
    ScaledExposure,
    SummedExposure,
    repeated_exposure,
)
from car_relapse.killing import default_killing
from car_relapse.patient import typical_patient
from car_relapse.survival import relapse_probabilities
from car_relapse.therapy import Therapy

STEIN = stein_typical()
DRUG = EngagerExposure(
    kinetics=EngagerKinetics(clearance=2.0, central_volume=4.0),
    infusions=(Infusion(start=5.0, duration=20.0, rate=100.0),),
)
DAYS = np.linspace(0.0, 400.0, 301)


@given(st.floats(0.0, 1000.0), st.floats(0.0, 2000.0))
def test_a_delayed_curve_is_the_curve_at_an_earlier_day(delay, day):
    curve = DelayedExposure(exposure=STEIN, delay=delay)
    wanted = STEIN.level(day - delay) if day >= delay else 0.0
    assert float(curve.level(day)) == pytest.approx(float(wanted), rel=1e-12)


@given(st.floats(0.0, 1000.0), st.floats(1e-3, 2.0))
def test_the_last_day_moves_with_the_delay(delay, part):
    level = part * STEIN.peak_level
    curve = DelayedExposure(exposure=STEIN, delay=delay)
    last = float(STEIN.last_day_above(level))
    wanted = delay + last if part <= 1 else 0.0
    assert float(curve.last_day_above(level)) == pytest.approx(wanted, rel=1e-12)
    assert curve.kinks == tuple(sorted({delay, delay + STEIN.peak_day}))


def test_a_curve_that_is_above_a_level_only_at_its_start_says_so():
    falling = EngagerExposure(
        kinetics=EngagerKinetics(clearance=2.0, central_volume=4.0),
        infusions=(Infusion(start=0.0, duration=1.0, rate=1.0),),
    )
    assert float(DelayedExposure(exposure=falling, delay=30.0).last_day_above(1e9)) == 0.0

    class Spike:
        kinks = (0.0,)

        def level(self, day):
            return np.where(np.asarray(day) > 0, 0.0, 5.0)

        def last_day_above(self, level):
            return np.zeros(np.shape(level))

    late = DelayedExposure(exposure=Spike(), delay=30.0)
    assert list(late.last_day_above([1.0, 6.0])) == [30.0, 0.0]


@given(st.floats(1e-6, 1e6))
def test_a_scaled_curve_is_a_curve_in_another_unit(factor):
    curve = ScaledExposure(exposure=STEIN, factor=factor)
    assert curve.level(DAYS) == pytest.approx(factor * STEIN.level(DAYS), rel=1e-12)
    assert float(curve.last_day_above(factor * 100.0)) == pytest.approx(
        float(STEIN.last_day_above(100.0)), rel=1e-9
    )
    assert curve.kinks == STEIN.kinks


def test_the_area_of_a_sum_is_the_sum_of_areas():
    curve = repeated_exposure(STEIN, (0.0, 60.0, 150.0), factors=(1.0, 0.3, 0.1))
    area = sum(
        quad(lambda day: float(curve.level(day)), a, b, limit=200)[0]
        for a, b in zip((0.0, *curve.kinks), (*curve.kinks, 300.0), strict=True)
    )
    wanted = STEIN.area(300.0) + 0.3 * STEIN.area(240.0) + 0.1 * STEIN.area(150.0)
    assert area == pytest.approx(float(wanted), rel=1e-7)
    assert curve.kinks == (0.0, 9.3, 60.0, 69.3, 150.0, 159.3)


@settings(max_examples=12)
@given(
    st.lists(st.floats(0.0, 300.0), min_size=1, max_size=4),
    st.lists(st.floats(0.01, 3.0), min_size=4, max_size=4),
    st.floats(1e-3, 1.2),
)
def test_after_the_last_day_the_sum_stays_below_and_on_it_it_is_at_the_level(days, sizes, part):
    curve = repeated_exposure(STEIN, days, factors=sizes[: len(days)])
    top = float(curve.level(np.array(curve.kinks)).max())
    day = float(curve.last_day_above(part * top))
    grid = np.concatenate([day + np.geomspace(1e-7, 3e3, 400), np.array(curve.kinks)])
    assert np.all(curve.level(grid[grid > day]) < part * top)
    if day > 0:
        # At the day of an infusion the sum may jump past the level.
        low, high = float(curve.level(day * (1 + 1e-11))), float(curve.level(day))
        assert low <= part * top * (1 + 1e-6) <= max(high, part * top) * (1 + 1e-5)
    else:
        assert np.all(curve.level(DAYS) < part * top)


def test_one_part_is_itself_and_zero_days_mean_never():
    alone = SummedExposure(parts=(DRUG,))
    assert np.array_equal(alone.level(DAYS), DRUG.level(DAYS))
    assert float(alone.last_day_above(10.0)) == pytest.approx(
        float(DRUG.last_day_above(10.0)), abs=1e-9
    )
    assert list(alone.last_day_above([1e9, 2e9])) == [0.0, 0.0]


def test_equal_parts_meet_their_bound_exactly():
    twice = SummedExposure(parts=(STEIN, STEIN))
    assert float(twice.last_day_above(500.0)) == pytest.approx(
        float(STEIN.last_day_above(250.0)), rel=1e-12
    )


def test_curves_of_several_kinds_may_be_added():
    both = SummedExposure(parts=(STEIN, DRUG))
    assert both.level(12.0) == pytest.approx(float(STEIN.level(12.0)) + float(DRUG.level(12.0)))
    assert both.kinks == (5.0, 9.3, 25.0)


def test_a_second_infusion_lowers_the_chance_of_relapse():
    chances = []
    for exposure in (STEIN, repeated_exposure(STEIN, (0.0, 40.0))):
        patient = replace(
            typical_patient(burden=1e10),
            therapy=Therapy(exposure=exposure, killing=default_killing()),
        )
        chances.append(relapse_probabilities(patient).antigen_positive)
    assert chances[1] < 0.5 * chances[0]


@pytest.mark.parametrize(
    ("make", "shown"),
    [
        (lambda: DelayedExposure(exposure=3.0, delay=1.0), "exposure is 3.0; it must be an expos"),
        (lambda: DelayedExposure(exposure=STEIN, delay=-1.0), "delay is -1"),
        (lambda: DelayedExposure(exposure=STEIN, delay=[1.0]), "delay is [1.0]"),
        (lambda: DelayedExposure(exposure=STEIN, delay=1.0).level(-1.0), "day is -1"),
        (lambda: DelayedExposure(exposure=STEIN, delay=1.0).last_day_above(0.0), "level is 0"),
        (lambda: ScaledExposure(exposure=None, factor=1.0), "exposure is None"),
        (lambda: ScaledExposure(exposure=STEIN, factor=0.0), "factor is 0"),
        (lambda: ScaledExposure(exposure=STEIN, factor=1.0).last_day_above(-1.0), "level is -1"),
        (lambda: SummedExposure(parts=()), "parts is ()"),
        (lambda: SummedExposure(parts=[STEIN]), "must be a tuple"),
        (lambda: SummedExposure(parts=(STEIN, 3)), "a part is 3"),
        (lambda: SummedExposure(parts=(STEIN,)).last_day_above(0.0), "level is 0"),
        (lambda: repeated_exposure(STEIN, ()), "one day or more"),
        (lambda: repeated_exposure(STEIN, (0.0, 1.0), factors=(1.0,)), "one factor for each"),
        (lambda: repeated_exposure(STEIN, (-1.0,)), "days is -1"),
        (lambda: repeated_exposure(STEIN, (0.0,), factors=(0.0,)), "factors is 0"),
        (lambda: repeated_exposure(STEIN, None), "days is None"),
    ],
)
def test_bad_input_is_refused(make, shown):
    with pytest.raises(ParameterError) as caught:
        make()
    assert shown in str(caught.value)
