"""Cells that divide by a clock: against the exponential law, a clock, and event by event."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import brentq

import car_relapse as cr
from car_relapse.branching import constant_rate_law, survival_probability
from car_relapse.errors import ParameterError
from car_relapse.staged_cycle import StagedCycle, matched_cycle, sample_lines, staged_survival

BIRTH, DEATH = 0.105, 0.04
STAGES = (1, 3, 16)


def constant(day: float) -> float:
    return DEATH


@pytest.mark.parametrize("stages", STAGES)
@pytest.mark.parametrize("death", [0.0, 0.04, 0.3])
def test_a_matched_population_grows_at_birth_less_death(stages, death):
    """The growth rate solves Euler and Lotka's equation for the transform of the cycle."""
    cycle = matched_cycle(BIRTH, stages)

    def excess(growth: float) -> float:
        return 2 * (cycle.stage_rate / (cycle.stage_rate + death + growth)) ** stages - 1

    low = -death - 0.99 * cycle.stage_rate
    assert brentq(excess, low, 1.0) == pytest.approx(BIRTH - death, abs=1e-9)


def test_one_stage_is_the_law_with_exponential_times():
    cycle = matched_cycle(BIRTH, 1)
    assert staged_survival(cycle, constant, 0.0) == pytest.approx(
        survival_probability(BIRTH, DEATH)
    )


@pytest.mark.parametrize("memory_half_life", [30.0, 700.0])
def test_one_stage_under_therapy_is_the_line_survival_of_the_engine(memory_half_life):
    patient = cr.typical_patient(1e7)
    curve = replace(cr.stein_typical(), memory_rate=np.log(2) / memory_half_life)
    patient = replace(patient, therapy=replace(patient.therapy, exposure=curve))
    killing = patient.therapy.killing
    found = staged_survival(
        matched_cycle(BIRTH, 1),
        lambda day: DEATH + float(killing.rate(curve.level(day))),
        6000.0,
        kinks=[curve.peak_day],
    )
    lines = cr.relapse_probabilities(patient).positive_lines
    assert found == pytest.approx(lines / 1e7, rel=1e-5)


def test_many_stages_approach_a_clock():
    """A cell of a clock divides at the age ln 2 / b; ages are spread as 2^(1-x) of the cycle."""
    newborn = 2.0 - 2.0 ** (DEATH / BIRTH)
    age = np.linspace(0.0, 1.0, 20_001)
    reach = 2.0 ** (-(1.0 - age) * DEATH / BIRTH)
    density = 2.0 * np.log(2.0) * 2.0**-age
    clock = np.trapezoid(density * reach * (2.0 - newborn) * newborn, age)
    errors = [
        abs(staged_survival(matched_cycle(BIRTH, k), constant, 0.0) - clock) for k in (10, 200)
    ]
    assert errors[1] < 0.001
    assert errors[1] < errors[0] / 10


@pytest.mark.parametrize("stages", STAGES)
def test_lines_survive_event_by_event_as_often_as_computed(stages):
    cycle = matched_cycle(BIRTH, stages)
    sizes = sample_lines(cycle, DEATH, 45.0, 1500, np.random.default_rng(11))
    chance = staged_survival(cycle, constant, 0.0)
    error = np.sqrt(chance * (1 - chance) / 1500)
    # After 45 days a line that lives will hardly die out any more.
    assert abs(np.mean(sizes > 0) - chance) < 4 * error + 0.01


def test_lines_of_one_stage_have_the_closed_form_sizes():
    sizes = sample_lines(matched_cycle(BIRTH, 1), DEATH, 30.0, 20_000, np.random.default_rng(12))
    law = constant_rate_law(BIRTH, DEATH, 30.0)
    assert sizes.mean() == pytest.approx(float(np.exp(law.log_growth)), rel=0.04)
    for most in (0, 5, 20):
        chance = float(law.probability(np.arange(most + 1)).sum())
        error = np.sqrt(chance * (1 - chance) / sizes.size)
        assert abs(np.mean(sizes <= most) - chance) < 4 * error


def test_killing_that_lasts_longer_leaves_fewer_lines():
    cycle = matched_cycle(BIRTH, 4)

    def killed(until: float) -> float:
        return staged_survival(
            cycle, lambda day: DEATH + (0.5 if day < until else 0.0), 60.0, kinks=[until]
        )

    assert 0 < killed(40.0) < killed(20.0) < killed(5.0)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: matched_cycle(0.0, 2), "birth_rate"),
        (lambda: matched_cycle(0.1, 0), "stages"),
        (lambda: matched_cycle(0.1, 201), "stages"),
        (lambda: StagedCycle(stages=2, stage_rate=-1.0), "stage_rate"),
        (lambda: staged_survival(matched_cycle(0.1, 2), lambda day: 0.2, 1.0), "cells must grow"),
        (lambda: staged_survival(matched_cycle(0.1, 2), lambda day: -1.0, 1.0), "death_rate"),
        (lambda: staged_survival(matched_cycle(0.1, 2), constant, -1.0), "until"),
        (lambda: staged_survival(matched_cycle(0.1, 2), constant, 1.0, kinks=2.0), "kinks"),
        (
            lambda: sample_lines(matched_cycle(0.2, 1), 0.0, 90.0, 1, np.random.default_rng(1)),
            "more than",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(call, words):
    with pytest.raises(ParameterError, match=words):
        call()


def test_a_death_rate_that_cannot_be_followed_is_given_up():
    with pytest.raises(ParameterError, match="too fast"):
        staged_survival(matched_cycle(0.5, 1), lambda day: 0.1 * (1 + np.sin(1e5 * day)), 100.0)
