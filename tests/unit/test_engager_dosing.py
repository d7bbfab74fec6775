"""How engagers are given: step-up, series, interruptions, and the two real drugs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.integrate import quad, solve_ivp

from car_relapse.engager import EngagerExposure, Infusion, Injection
from car_relapse.engager_dosing import (
    blinatumomab_exposure,
    blinatumomab_killing,
    blinatumomab_kinetics,
    elranatamab_exposure,
    elranatamab_kinetics,
    infusion_steps,
    injection_series,
    interrupted,
    trimer_law,
)
from car_relapse.errors import ParameterError
from car_relapse.killing import Killing
from car_relapse.patient import typical_patient
from car_relapse.survival import relapse_probabilities
from car_relapse.therapy import Therapy


def test_steps_follow_each_other_and_a_pause_is_a_gap():
    doses = infusion_steps([(7, 9.0), (21, 28.0), (14, 0.0), (28, 28.0)], start=3.0)
    assert [(d.start, d.end, d.rate) for d in doses] == [
        (3.0, 10.0, 9.0), (10.0, 31.0, 28.0), (45.0, 73.0, 28.0),
    ]  # fmt: skip


def test_a_series_repeats_one_dose():
    doses = injection_series(5.0, every=3.5, count=4, first=1.0)
    assert [(d.day, d.amount) for d in doses] == [(1.0, 5.0), (4.5, 5.0), (8.0, 5.0), (11.5, 5.0)]


def test_blinatumomab_reaches_rate_over_clearance_and_is_gone_within_a_day():
    course = blinatumomab_exposure(cycles=2)
    clearance = 24 * 2.72
    assert course.level([6.9, 27.9, 69.9]) == pytest.approx(
        np.array([9.0, 28.0, 28.0]) / clearance, rel=1e-3
    )
    assert blinatumomab_kinetics().half_life * 24 == pytest.approx(2.11)
    hours = np.array([0.0, 2.11, 4.22]) / 24.0
    assert course.level(28.0 + hours) == pytest.approx(
        float(course.level(28.0)) * np.array([1.0, 0.5, 0.25]), rel=1e-9
    )
    assert float(course.level(41.9)) < 1e-30
    assert 28.0 < float(blinatumomab_exposure().last_day_above(1e-3)) < 29.0


def test_elranatamab_agrees_with_its_equations_step_by_step():
    course, drug = elranatamab_exposure(weeks=3), elranatamab_kinetics()
    shots = {0.0: 12e3, 3.0: 32e3, 7.0: 76e3, 14.0: 76e3, 21.0: 76e3}
    assert {d.day: d.amount for d in course.injections} == shots
    v1, v2, q, cl, ka = (
        drug.central_volume, drug.peripheral_volume, drug.exchange, drug.clearance,
        drug.absorption_rate,
    )  # fmt: skip
    state, now = np.zeros(3), 0.0
    for stop in (3.0, 7.0, 14.0, 21.0, 35.0):
        state[0] += drug.bioavailability * shots[now]
        state = solve_ivp(
            lambda _, y: [
                -ka * y[0],
                ka * y[0] - (cl + q) / v1 * y[1] + q / v2 * y[2],
                q / v1 * y[1] - q / v2 * y[2],
            ],
            (now, stop), state, "DOP853", rtol=1e-11, atol=1e-12,
        ).y[:, -1]  # fmt: skip
        now = stop
        assert float(course.level(stop)) == pytest.approx(state[1] / v1, rel=1e-8)
    assert drug.half_life == pytest.approx(47.0, rel=0.02)


def test_a_trough_builds_up_over_the_weeks():
    course = elranatamab_exposure(weeks=24)
    troughs = course.level(7.0 * np.arange(2, 25) - 1e-6)
    assert np.all(np.diff(troughs) > 0)


def test_an_interruption_cuts_infusions_and_leaves_out_injections():
    plan = EngagerExposure(
        kinetics=elranatamab_kinetics(),
        infusions=(
            Infusion(start=0.0, duration=10.0, rate=5.0),
            Infusion(start=12.0, duration=2.0, rate=7.0),
            Infusion(start=20.0, duration=5.0, rate=8.0),
        ),
        injections=(Injection(day=5.0, amount=1.0), Injection(day=11.0, amount=2.0)),
    )
    pause = interrupted(plan, start=4.0, end=11.0)
    assert [(d.start, d.end) for d in pause.infusions] == [(0.0, 4.0), (12.0, 14.0), (20.0, 25.0)]
    assert [d.day for d in pause.injections] == [11.0]
    inside = interrupted(plan, start=2.0, end=5.0)
    assert [(d.start, d.end) for d in inside.infusions][:2] == [(0.0, 2.0), (5.0, 10.0)]
    assert float(inside.level(2.0)) == pytest.approx(float(plan.level(2.0)))
    # What is left out is missing from the area: dose over clearance.
    area = [
        sum(
            quad(lambda day, c=c: float(c.level(day)), a, b, limit=300)[0]
            for a, b in ((0, 5), (5, 30), (30, 100), (100, 2000))
        )
        for c in (replace(plan, injections=()), replace(inside, injections=()))
    ]
    clearance = plan.kinetics.clearance
    assert area[0] - area[1] == pytest.approx(3.0 * 5.0 / clearance, rel=1e-6)


def test_a_longer_interruption_of_a_short_lived_drug_costs_more_cures():
    drug = blinatumomab_exposure(cycles=4)
    half = float(drug.level(20.0)) / 9.0
    chances = []
    for end in (None, 55.0, 65.0):
        course = drug if end is None else interrupted(drug, start=50.0, end=end)
        patient = replace(
            typical_patient(burden=1e9),
            therapy=Therapy(exposure=course, killing=Killing(maximal_rate=0.45, half_level=half)),
        )
        chances.append(relapse_probabilities(patient).positive_lines)
    assert np.all(np.diff(chances) > 0)


@pytest.mark.parametrize(
    ("make", "shown"),
    [
        (lambda: infusion_steps([]), "at least one step must infuse something"),
        (lambda: infusion_steps([(3.0, 0.0)]), "at least one step"),
        (lambda: infusion_steps([7.0]), "step 1 is 7.0; it must be a pair"),
        (lambda: infusion_steps([(1.0, 1.0), (0.0, 1.0)]), "length of step 2 is 0"),
        (lambda: infusion_steps([(1.0, -1.0)]), "rate of step 1 is -1"),
        (lambda: infusion_steps([(1.0, 1.0)], start=-1.0), "start is -1"),
        (lambda: injection_series(0.0, every=7.0, count=2), "amount is 0"),
        (lambda: injection_series(1.0, every=0.0, count=2), "every is 0"),
        (lambda: injection_series(1.0, every=7.0, count=0), "count is 0"),
        (lambda: injection_series(1.0, every=7.0, count=2, first=None), "first is None"),
        (lambda: interrupted(blinatumomab_exposure(), start=5.0, end=5.0), "end is 5 and start 5"),
        (lambda: interrupted(blinatumomab_exposure(), start=0.0, end=99.0), "holds no dose"),
        (lambda: interrupted(None, start=0.0, end=1.0), "exposure is None"),
        (lambda: blinatumomab_exposure(cycles=0), "cycles is 0"),
        (lambda: blinatumomab_exposure(cycles=1.5), "cycles is 1.5"),
        (lambda: elranatamab_exposure(weeks=None), "weeks is None"),
    ],
)
def test_bad_input_is_refused(make, shown):
    with pytest.raises(ParameterError) as caught:
        make()
    assert shown in str(caught.value)


def test_nine_tenths_of_the_largest_killing_are_reached_at_the_measured_ec90():
    law = blinatumomab_killing()
    assert float(law.rate(0.47)) == pytest.approx(0.9 * law.maximal_rate)


def test_the_trimer_law_of_a_heavier_drug_lies_at_more_micrograms():
    light, heavy = trimer_law(55.0), trimer_law(150.0)
    assert heavy.optimum / light.optimum == pytest.approx(150 / 55)
    # 1 nmol/l of 55 kDa are 55 µg/l.
    assert light.optimum / 55 == pytest.approx(np.sqrt(20 * 0.5))


@pytest.mark.parametrize("mass", [0.0, -1.0, np.nan, "heavy"])
def test_a_mass_that_is_none_is_refused(mass):
    with pytest.raises(ParameterError, match="mass"):
        trimer_law(mass)
