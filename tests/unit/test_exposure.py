"""The transgene curve: its shape, its inverse, its spread, and what is refused."""

from __future__ import annotations

from dataclasses import fields, replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad, solve_ivp

from car_relapse.errors import ParameterError
from car_relapse.exposure import (
    SteinExposure,
    SteinPopulation,
    stein_population,
    stein_typical,
)
from car_relapse.parameters import default

NAMES = [f.name for f in fields(SteinExposure)]

curves = st.builds(
    SteinExposure,
    fold=st.floats(1.5, 1e5),
    peak_day=st.floats(1.0, 40.0),
    peak_level=st.floats(10.0, 1e6),
    contraction_rate=st.floats(0.01, 1.0),
    memory_fraction=st.floats(1e-4, 0.99),
    memory_rate=st.floats(1e-4, 0.5),
)


@given(curves)
def test_the_curve_is_continuous_at_its_peak(curve):
    day = curve.peak_day
    assert float(curve.level(day)) == pytest.approx(curve.peak_level, rel=1e-12)
    for step in (-1e-9, 1e-9):
        assert float(curve.level(day + step)) == pytest.approx(curve.peak_level, rel=1e-7)


@given(curves)
def test_the_curve_starts_at_its_baseline_and_expands_by_its_fold(curve):
    assert float(curve.level(0.0)) == pytest.approx(float(curve.baseline_level), rel=1e-9)
    assert float(curve.baseline_level) * curve.fold == pytest.approx(curve.peak_level)


@given(curves)
def test_nothing_lies_above_the_peak(curve):
    days = np.linspace(0, 3 * curve.peak_day, 200)
    assert np.all(curve.level(days) <= curve.peak_level * (1 + 1e-12))


def test_two_compartments_give_the_same_curve():
    curve = stein_typical()
    # Effectors feed memory cells after the peak, as the source writes the model.
    alpha, beta, share = curve.contraction_rate, curve.memory_rate, curve.memory_fraction

    def slope(_, state):
        effector, memory = state
        return [-alpha * effector, share * (alpha - beta) * effector - beta * memory]

    rise = curve.baseline_level * np.exp(np.log(curve.fold) / curve.peak_day * curve.peak_day)
    days = np.array([1.0, 10.0, 40.0, 200.0, 900.0])
    run = solve_ivp(slope, (0, 900), [rise, 0.0], t_eval=days, rtol=1e-11, atol=1e-9)
    assert curve.level(curve.peak_day + days) == pytest.approx(run.y.sum(axis=0), rel=1e-7)


@given(curves, st.floats(0.1, 4.0))
def test_the_area_is_the_integral_of_the_curve(curve, stretch):
    day = stretch * curve.peak_day
    pieces = [0.0, min(day, curve.peak_day), day]
    wanted = sum(
        quad(lambda t: float(curve.level(t)), a, b, epsrel=1e-10)[0] for a, b in pairwise(pieces)
    )
    assert float(curve.area(day)) == pytest.approx(wanted, rel=1e-8)


def test_the_area_to_the_peak_is_the_rise_over_its_rate():
    curve = stein_typical()
    wanted = (curve.peak_level - curve.baseline_level) / curve.expansion_rate
    assert float(curve.area(curve.peak_day)) == pytest.approx(float(wanted), rel=1e-12)


@given(curves, st.floats(1e-6, 1.0))
def test_the_last_day_above_a_level_inverts_the_curve(curve, part):
    level = part * curve.peak_level
    day = float(curve.last_day_above(level))
    assert day >= curve.peak_day
    assert float(curve.level(day)) == pytest.approx(level, rel=1e-9)


@given(curves)
def test_a_level_above_the_peak_is_never_reached(curve):
    assert float(curve.last_day_above(1.001 * curve.peak_level)) == 0.0


def test_the_memory_term_overtakes_the_contraction_term_on_the_switch_day():
    curve = stein_typical()
    after = float(curve.switch_day) - curve.peak_day
    fast = (1 - curve.memory_fraction) * np.exp(-curve.contraction_rate * after)
    slow = curve.memory_fraction * np.exp(-curve.memory_rate * after)
    assert fast == pytest.approx(slow)
    assert curve.peak_level * (fast + slow) == pytest.approx(float(curve.level(curve.switch_day)))


def test_the_only_corner_is_the_peak():
    assert stein_typical().kinks == (default("stein.peak_day"),)


def test_array_fields_give_the_curves_of_their_elements():
    many = stein_population().sample(5, np.random.default_rng(3))
    day = np.array([1.0, 5.0, 12.0, 40.0, 300.0])
    targets = np.array([1e5, 100.0, 50.0, 10.0, 1.0])
    for i in range(5):
        one = SteinExposure(**{name: float(getattr(many, name)[i]) for name in NAMES})
        assert many.level(day)[i] == pytest.approx(float(one.level(day[i])), rel=1e-12)
        assert many.area(day)[i] == pytest.approx(float(one.area(day[i])), rel=1e-12)
        assert many.last_day_above(targets)[i] == pytest.approx(
            float(one.last_day_above(targets[i])), rel=1e-10
        )


def test_the_same_seed_samples_the_same_curves_and_another_seed_others():
    one, same, other = (
        stein_population().sample(20, np.random.default_rng(seed)) for seed in (1, 1, 2)
    )
    for name in NAMES:
        assert np.array_equal(getattr(one, name), getattr(same, name))
        assert not np.array_equal(getattr(one, name), getattr(other, name))


def test_sampled_logs_are_normal_around_the_typical_curve():
    population = stein_population()
    sample = population.sample(20_000, np.random.default_rng(4))
    for name, sd in zip(NAMES, population.log_sd, strict=True):
        if name in ("fold", "memory_fraction"):
            continue  # truncated: the fold above 1, the fraction below 1
        logs = np.log(getattr(sample, name))
        assert abs(logs.mean() - np.log(default(f"stein.{name}"))) < 4 * sd / np.sqrt(logs.size)
        assert logs.std() == pytest.approx(sd, rel=4 / np.sqrt(2 * logs.size))


def test_curves_outside_the_model_are_drawn_again():
    wide = SteinPopulation(
        typical=replace(stein_typical(), fold=1.2, memory_fraction=0.9), log_sd=(3, 0, 0, 0, 3, 0)
    )
    sample = wide.sample(3000, np.random.default_rng(5))
    assert sample.fold.min() > 1
    assert sample.memory_fraction.max() < 1
    # A truncated normal, not a clipped one: its median is that of the kept part.
    kept = np.random.default_rng(6).normal(np.log(1.2), 3, 200_000)
    median = np.median(kept[kept > 0])
    error = 1 / (2 * np.sqrt(3000) * 0.2)
    assert abs(np.median(np.log(sample.fold)) - median) < 4 * error


def test_no_spread_gives_the_typical_curve():
    still = SteinPopulation(typical=stein_typical(), log_sd=(0,) * 6)
    sample = still.sample(3, np.random.default_rng(1))
    for name in NAMES:
        assert getattr(sample, name) == pytest.approx([default(f"stein.{name}")] * 3, rel=1e-14)


def test_the_printed_spread_is_read_as_variance_or_as_standard_deviation():
    printed = [default(f"stein.spread.{name}") for name in NAMES]
    assert stein_population().log_sd == pytest.approx(np.sqrt(printed))
    assert stein_population("standard deviation").log_sd == pytest.approx(printed)


CURVE = stein_typical()


@pytest.mark.parametrize(
    ("call", "shown", "remedy"),
    [
        (lambda: replace(CURVE, fold=1.0), "fold is 1.0", "see the ledger"),
        (lambda: replace(CURVE, fold=-2.0), "fold is -2", "see the ledger"),
        (lambda: replace(CURVE, fold=np.array([2.0, 0.5])), r"fold is .*0\.5", "see the ledger"),
        (lambda: replace(CURVE, peak_day=0.0), "peak_day is 0", "see the ledger"),
        (lambda: replace(CURVE, peak_level=float("nan")), "peak_level is nan", "see the ledger"),
        (lambda: replace(CURVE, contraction_rate=-1), "contraction_rate is -1", "see the ledger"),
        (lambda: replace(CURVE, memory_fraction=1.0), "memory_fraction is 1.0", "see the ledger"),
        (lambda: replace(CURVE, memory_rate=float("inf")), "memory_rate is inf", "see the ledger"),
        (lambda: CURVE.level(-1), "day is -1", "count days"),
        (lambda: CURVE.level(float("nan")), "day is nan", "count days"),
        (lambda: CURVE.area(-3), "day is -3", "count days"),
        (lambda: CURVE.last_day_above(0), "level is 0", "give a level"),
        (lambda: SteinPopulation(typical=CURVE, log_sd=(1, 1)), "log_sd has 2", "give six"),
        (
            lambda: SteinPopulation(typical=CURVE, log_sd=(1, 1, -1, 1, 1, 1)),
            "log_sd is -1 .element 2.",
            "see the ledger",
        ),
        (
            lambda: stein_population().sample(0, np.random.default_rng(1)),
            "n is 0",
            "give a number",
        ),
        (lambda: stein_population("sd"), "reading is 'sd'", "choose one"),
    ],
)
def test_bad_input_is_refused_with_value_and_remedy(call, shown, remedy):
    with pytest.raises(ParameterError, match=f"(?s){shown}.*{remedy}"):
        call()


def test_equal_declines_have_no_switch_day():
    curve = replace(stein_typical(), memory_rate=0.16)
    with pytest.raises(ParameterError, match=r"both 0\.16.*must differ"):
        _ = curve.switch_day
