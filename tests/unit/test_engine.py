"""The engine of virtual cohorts: its integrals, its crossing times, its extremes."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from car_relapse import engine
from car_relapse.antigens import Losses
from car_relapse.cohort import BLOCK, Population, default_population, simulate_range, stream
from car_relapse.engine import _crossing, line_history, sample_fates
from car_relapse.exposure import SteinExposure, stein_population, stein_typical
from car_relapse.killing import Killing, default_killing
from car_relapse.outcomes import Detection, Outcome
from car_relapse.patient import Leukaemia, Patient
from car_relapse.survival import relapse_probabilities
from car_relapse.therapy import Therapy

NAMES = [f.name for f in fields(SteinExposure)]


def one_of(curves: SteinExposure, i: int) -> SteinExposure:
    return SteinExposure(**{name: float(getattr(curves, name)[i]) for name in NAMES})


@pytest.mark.parametrize(
    ("birth", "death", "kill", "loss"),
    [(0.105, 0.04, 1.15, 1.335e-12), (0.3, 0.0, 1.5, 1e-9), (0.2, 0.15, 0.06, 1e-8)],
)
def test_expected_lines_are_those_of_the_backward_equations(birth, death, kill, loss):
    population = Population(
        leukaemia=Leukaemia(birth_rate=birth, death_rate=death, burden=1e10),
        burden_log10_sd=0.7,
        losses=Losses(per_antigen=(0.75 * loss,), common_mode=0.25 * loss),
        exposures=stein_population(),
        killing=Killing(maximal_rate=kill, half_level=3000.0),
        detection=Detection(remission_cells=1e8, relapse_cells=1e10),
    )
    cohort = simulate_range(population, 0, BLOCK, seed=71)
    curves = population.exposures.sample(BLOCK, stream(71, 0))
    for i in range(0, BLOCK, 16):
        patient = Patient(
            leukaemia=Leukaemia(birth_rate=birth, death_rate=death, burden=float(cohort.burden[i])),
            losses=population.losses,
            therapy=Therapy(exposure=one_of(curves, i), killing=population.killing),
        )
        fate = relapse_probabilities(patient)
        assert cohort.positive_lines[i] == pytest.approx(fate.positive_lines, rel=1e-6)
        assert cohort.acquired_lines[i] == pytest.approx(fate.acquired_lines, rel=1e-6)
        assert cohort.preexisting_lines[i] == pytest.approx(fate.preexisting_lines, rel=1e-12)


def test_cleared_lines_start_at_one_cell_and_end_extinct():
    curves = stein_population().sample(20, np.random.default_rng(72))
    leukaemia = Leukaemia(birth_rate=0.105, death_rate=0.04, burden=1e9)
    history = line_history(leukaemia, 1e-12, default_killing(), curves)
    assert np.exp(history.log_cleared[0, 0]) == pytest.approx(np.ones(20), rel=0.05)
    assert np.all(history.log_cleared[-1, -1] < -20)
    assert np.all(history.log_r > 0)
    assert history.kill.shape == history.rho.shape == history.rule.node.shape


@given(st.floats(0.01, 1.0), st.floats(0.0, 10.0), st.floats(11.0, 40.0))
def test_a_crossing_of_exponential_growth_is_found_exactly(rate, start, limit):
    day = np.tile(np.array([0.0, 1.0, 4.0, 9.0, 20.0])[:, None], (1, 2))
    log_size = start + rate * day
    when = _crossing(
        day, log_size, np.full_like(day, rate), np.zeros(2, dtype=np.int64), limit, rate
    )
    assert when == pytest.approx(np.full(2, (limit - start) / rate), rel=1e-10, abs=1e-10)


@given(st.floats(0.3, 7.5))
def test_a_crossing_of_a_cubic_is_found_exactly(target):
    day = np.linspace(0.0, 8.0, 5)[:, None]
    cube = lambda t: 0.01 * t**3 + 0.1 * t  # noqa: E731
    when = _crossing(
        day, cube(day), 0.03 * day**2 + 0.1, np.zeros(1, dtype=np.int64), cube(target), 1.0
    )
    assert when == pytest.approx([target], rel=1e-9)


def test_a_crossing_before_the_start_does_not_count():
    day = np.arange(6.0)[:, None]
    log_size = np.array([9.0, 5.0, 1.0, 3.0, 7.0, 11.0])[:, None]
    slope = np.array([-4.0, -4.0, 0.0, 3.0, 4.0, 4.0])[:, None]
    when = _crossing(day, log_size, slope, np.array([2]), 7.0, 4.0)
    assert when == pytest.approx([4.0], abs=1e-9)


def fates(population: Population, count: int, seed: int):
    return simulate_range(population, 0, count, seed=seed)


def changed(**changes) -> Population:
    base = {f.name: getattr(default_population(), f.name) for f in fields(Population)}
    return Population(**(base | changes))


def test_without_losses_no_relapse_is_antigen_negative():
    cohort = fates(changed(losses=Losses(per_antigen=(0.0,))), 512, 73)
    assert not (cohort.outcome == Outcome.ANTIGEN_NEGATIVE).any()
    assert (cohort.outcome == Outcome.ANTIGEN_POSITIVE).any()
    assert not cohort.preexisting_lines.any()
    assert not cohort.acquired_lines.any()


def test_too_weak_a_therapy_brings_no_remission():
    for kill in (1e-3, 0.06):  # never above net growth; both bend the growth no further
        weak = changed(killing=Killing(maximal_rate=kill, half_level=3000.0))
        cohort = fates(weak, 128, 74)
        assert (cohort.outcome == Outcome.NO_REMISSION).all()
        assert not cohort.relapse_day.any()


def test_overwhelming_losses_make_every_relapse_antigen_negative():
    population = changed(
        losses=Losses(per_antigen=(1e-9,)),
        killing=Killing(maximal_rate=3.0, half_level=100.0),
        burden_log10_sd=0.0,
    )
    cohort = fates(population, 128, 75)
    relapsed = np.isfinite(cohort.relapse_day) & (cohort.relapse_day > 0)
    assert (cohort.outcome[relapsed] == Outcome.ANTIGEN_NEGATIVE).all()
    assert relapsed.sum() > 100


def test_a_lone_escape_relapses_when_exponential_growth_brings_it_to_the_limit():
    leukaemia = Leukaemia(birth_rate=0.105, death_rate=0.04, burden=1e8)
    curves = stein_population().sample(4000, np.random.default_rng(76))
    cohort = sample_fates(
        leukaemia,
        2e-10,
        Killing(maximal_rate=10.0, half_level=10.0),
        Detection(remission_cells=1e6, relapse_cells=1e10),
        curves,
        np.full(4000, 1e8),
        np.random.default_rng(77),
    )
    escaped = cohort.outcome == Outcome.ANTIGEN_NEGATIVE
    lines = 0.02 + cohort.acquired_lines.mean()
    assert abs(escaped.mean() - lines) < 4 * np.sqrt(lines / 4000)
    # One line weighs E/(sU), with P(E/U > x) = (1 - e^-x)/x: the median is 1.594.
    mass = 1e10 * np.exp(-leukaemia.net_rate * cohort.relapse_day[escaped])
    light = np.mean(mass * leukaemia.survival < 1.5936)
    assert abs(light - 0.5) < 4 * 0.5 / np.sqrt(escaped.sum())


def test_escapes_acquired_under_therapy_start_late_and_weigh_less(monkeypatch):
    # With nothing from before infusion, the mass at relapse is that of the acquired lines,
    # each E/s discounted from the day on which it was founded.
    monkeypatch.setattr(engine, "sample_surviving_mass", lambda lines, s, rng: 0.0 * lines)
    patients, loss, burden = 4000, 1e-8, 1e8
    leukaemia = Leukaemia(birth_rate=0.105, death_rate=0.04, burden=burden)
    killing = Killing(maximal_rate=2.0, half_level=3000.0)
    curve = SteinExposure(
        **{name: np.full(patients, getattr(stein_typical(), name)) for name in NAMES}
    )
    limits = Detection(remission_cells=1e6, relapse_cells=1e10)
    cohort = sample_fates(
        leukaemia, loss, killing, limits, curve, np.full(patients, burden),
        np.random.default_rng(78),
    )  # fmt: skip
    history = line_history(leukaemia, loss, killing, curve)
    founded = 0.105 * loss * burden * np.exp(history.log_cleared) * history.rule.weights()
    wanted = (founded * np.exp(-leukaemia.net_rate * history.rule.node)).sum(axis=(0, 1))[0]
    escaped = cohort.outcome == Outcome.ANTIGEN_NEGATIVE
    mass = np.where(escaped, 1e10 * np.exp(-leukaemia.net_rate * cohort.relapse_day), 0.0)
    assert abs(mass.mean() - wanted) < 4 * mass.std() / np.sqrt(patients)
    none = np.exp(-cohort.acquired_lines[0])
    assert abs((~escaped).mean() - none) < 4 * np.sqrt(none * (1 - none) / patients)
