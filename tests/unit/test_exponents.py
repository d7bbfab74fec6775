"""From single cells to a leukaemia: the growth phase, integrated by other means."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import slow_twins
from scipy.integrate import quad, solve_ivp

from car_relapse.antigens import Losses, Plasticity
from car_relapse.exponents import chunks, class_lines, growth_founders, mean_fate, negative_lines
from car_relapse.killing import Killing
from car_relapse.patient import Leukaemia, Patient
from car_relapse.patient_lines import patient_lines
from car_relapse.therapy import Therapy

PATIENT = Patient(
    leukaemia=Leukaemia(birth_rate=0.6, death_rate=0.2, burden=1e7),
    losses=Losses(per_antigen=(1e-5, 0.0), common_mode=0.0),
    therapy=Therapy(
        exposure=slow_twins.StepExposure(1e9, 12.0),
        killing=Killing(maximal_rate=0.9, half_level=1e-6),
    ),
)


def test_founders_are_divisions_times_losses():
    (founders,) = growth_founders(patient_lines(PATIENT))
    # N / s divisions per surviving cell, whatever the age of the leukaemia.
    assert founders.events[1, 0] == pytest.approx(1e7 * 0.6 / 0.4 * 1e-5, rel=1e-12)
    assert founders.age == pytest.approx(np.log(1e7 * 0.4 / 0.6) / 0.4)
    assert founders.events.sum() == founders.events[1, 0]


def test_the_mean_fate_of_founders_is_the_integral_over_their_ages():
    lines = patient_lines(PATIENT)
    (founders,) = growth_founders(lines)
    got = mean_fate(lines, founders, lines.fates)
    p = lines.fates[1, 1, 0]

    def persists(age):
        # A line of this age, each of whose cells persists with probability p.
        grown, s = np.exp(0.4 * age), 1 - 0.2 / 0.6
        return p * grown * s / (s + p * (grown - 1))

    wanted = quad(lambda x: 0.4 * np.exp(-0.4 * x) * persists(x), 0, founders.age[0], epsrel=1e-11)[
        0
    ]
    assert got[1, 1, 0] == pytest.approx(wanted, rel=1e-9)


def test_parts_of_a_mixture_that_grow_differently_found_lines_apart():
    mixed = replace(
        PATIENT, losses=Losses(per_antigen=(1e-5, 1e-6)), mixture=((0, 0.5), (1, 0.5)),
        plasticity=Plasticity(fitness_cost=(0.2, 0.0)),
    )  # fmt: skip
    parts = growth_founders(patient_lines(mixed))
    assert sorted(float(f.net[0]) for f in parts) == pytest.approx([0.28, 0.4])


def test_ways_to_count_agree_on_the_whole():
    lines = patient_lines(replace(PATIENT, losses=Losses(per_antigen=(1e-4, 3e-5))))
    whole, before = class_lines(lines)
    preexisting, completed, acquired, shared = negative_lines(lines)
    assert whole[2:].sum() == pytest.approx(
        float((preexisting + completed + acquired - shared)[0]), rel=1e-10
    )
    assert np.all(before <= whole)
    assert float(shared[0]) <= min(float(preexisting[0]), whole[:2].sum())


@pytest.mark.parametrize("antigens", [1, 2, 3])
def test_every_line_of_a_leukaemia_is_counted_as_a_general_integrator_counts_them_to_1e_8(antigens):
    losses = Losses(per_antigen=(1e-5, 3e-4, 2e-6)[:antigens], common_mode=1e-8)
    patient = replace(
        PATIENT, losses=losses, leukaemia=Leukaemia(birth_rate=0.6, death_rate=0.2, burden=1e11)
    )
    lines = patient_lines(patient)
    now = lines.fates.sum(axis=0)[:, 0]
    loss = lines.daughters[0] if lines.daughters.ndim == 2 else lines.daughters[:, :, 0][0]
    matrix = lines.daughters if lines.daughters.ndim == 2 else lines.daughters[:, :, 0]

    def back(age, y):
        # Without killing before infusion; the last entry adds up the founders of every age.
        f = y[:-1]
        change = 0.6 * (f * (1 - matrix @ f) + matrix @ f - f) - 0.2 * f
        return np.append(change, np.exp(-0.4 * age) * 0.6 * loss[1:] @ f[1:])

    run = solve_ivp(back, (0.0, 90.0), np.append(now, 0.0), method="DOP853", rtol=1e-12, atol=1e-40)
    wanted = 1e11 * (run.y[-1, -1] - np.log1p(-now[0]))
    assert class_lines(lines)[0].sum() == pytest.approx(wanted, rel=1e-8)


def test_chunks_cover_every_problem_once():
    for count, values in ((1, 10), (10, 1_000_000), (7, 10**9)):
        parts = [i for part in chunks(count, values) for i in range(count)[part]]
        assert parts == list(range(count))
