"""Grown compositions: against closed forms, every event drawn, and nested branching."""

from __future__ import annotations

import numpy as np
import pytest
import slow_twins
from scipy import stats

from car_relapse.antigens import Losses
from car_relapse.errors import ParameterError
from car_relapse.growth import no_living_mutant, sample_mutants
from car_relapse.growth_sampling import (
    grow_types,
    sample_composition,
    sample_mixture,
    sample_two_types,
)
from car_relapse.luria_delbrueck import CloneLaw
from car_relapse.resistance import full_loss_lines
from car_relapse.two_types import TwoTypes

RATES = {"birth_rate": 0.25, "death_rate": 0.15}


def close(seen: float, wanted: float, runs: int) -> bool:
    return abs(seen - wanted) < 4 * np.sqrt(wanted * (1 - wanted) / runs)


@pytest.mark.parametrize("fixed", ["size", "time"])
def test_one_loss_gives_the_law_of_luria_and_delbrueck(fixed):
    rng = np.random.default_rng(41)
    drawn = sample_composition(1e9, losses=Losses(per_antigen=(1e-9,)), n=6000, rng=rng,
                               fixed=fixed, **RATES)  # fmt: skip
    wanted = sample_mutants(1e-9 * 1e9 / 0.4, CloneLaw(death_ratio=0.6), 6000, rng, fixed=fixed)
    none = float(no_living_mutant(1e9, 1e-9, 0.4, fixed=fixed))
    assert close((drawn[:, 1] == 0).mean(), none, 6000)
    assert stats.ks_2samp(drawn[:, 1], wanted).pvalue > 1e-3
    size = drawn[:, 0]
    assert np.all(size == 10**9) if fixed == "size" else stats.kstest(size / 1e9, "expon")[1] > 1e-3


def test_growth_agrees_with_every_event_drawn():
    # A small population: from one cell, 3 divisions in 4.
    runs, loss, size = 2000, 0.004, 300
    rng = np.random.default_rng(42)
    wanted = slow_twins.grow_with_mutants(0.3, 0.1, loss, size, runs, rng)
    drawn = sample_composition(size, birth_rate=0.3, death_rate=0.1, n=8000, rng=rng,
                               losses=Losses(per_antigen=(loss,)))[:, 1]  # fmt: skip
    for number in range(6):
        seen, other = (wanted <= number).mean(), (drawn <= number).mean()
        assert abs(seen - other) < 4 * np.sqrt(0.25 / runs) * 1.2


@pytest.mark.parametrize(
    ("antigens", "loss", "common", "size"),
    [(2, 3e-6, 0.0, 1e9), (2, 1e-8, 2e-10, 1e9), (3, 4e-5, 0.0, 1e9)],
)
def test_cells_without_any_target_are_as_rare_as_nested_branching_says(
    antigens, loss, common, size
):
    losses = Losses(per_antigen=(loss,) * antigens, common_mode=common)
    drawn = sample_composition(size, losses=losses, n=3000, rng=np.random.default_rng(43), **RATES)
    wanted = np.exp(-full_loss_lines(size, losses=losses, **RATES))
    assert 0.01 < wanted < 0.9
    assert close((drawn[:, -1] == 0).mean(), wanted, 3000)


def test_antigens_that_are_alike_are_lost_alike():
    drawn = sample_composition(1e8, losses=Losses(per_antigen=(2e-9, 2e-9)), n=3000,
                               rng=np.random.default_rng(44), **RATES)  # fmt: skip
    assert stats.ks_2samp(drawn[:, 1], drawn[:, 2]).pvalue > 1e-3
    assert abs(np.corrcoef(drawn[:, 1] > 0, drawn[:, 2] > 0)[0, 1]) < 4 / np.sqrt(3000)


def test_millions_of_losses_in_a_trillion_cells_of_six_antigens_are_drawn():
    drawn = sample_composition(1e12, losses=Losses(per_antigen=(1e-5,) * 6), n=3,
                               rng=np.random.default_rng(45), **RATES)  # fmt: skip
    # The median of the Luria-Delbrueck law of m = uN/s events is near m ln m and s times that
    # of neutral clones without death.
    events = 1e-5 * 1e12 / 0.4
    assert np.all(drawn[:, 0] == 10**12)
    single = np.median(drawn[:, [1, 2, 4, 8, 16, 32]])
    assert single == pytest.approx(events * (np.log(events * 0.4) + 1), rel=0.15)
    assert np.all(drawn[:, 3] > 0)


def test_types_that_switch_are_drawn_in_their_equilibrium():
    # Type 1 has lost the antigen of interest; type 2 is type 1 with another one off.
    daughters = np.array([[1 - 1e-3, 1e-3, 0], [0, 1, 0], [0, 0, 1.0]])
    switching = np.array([[0, 0, 0], [0, 0, 0.3], [0, 0.1, 0.0]])
    drawn = grow_types(
        np.array([1e6, 0, 0]), birth=np.full(3, 0.3), death=np.full(3, 0.1), daughters=daughters,
        switching=switching, n=200, rng=np.random.default_rng(46),
    )  # fmt: skip
    off = drawn[:, 2].sum() / drawn[:, 1:].sum()
    # A clone of age x is off with the share 3/4 (1 - e^(-0.4 x)).
    age = np.linspace(0, np.log(1e8) / 0.2, 4001)
    shares = 0.75 * (1 - np.exp(-0.4 * age))
    assert off == pytest.approx(shares.mean(), abs=0.03)


def test_a_mixture_has_its_fractions_and_the_dirichlet_its_variance():
    rng = np.random.default_rng(47)
    mean = np.array([0.5, 0.3, 0.2, 0.0])
    fixed = sample_mixture(10_000, mean, n=500, rng=rng)
    assert np.all(fixed.sum(axis=1) == 10_000)
    assert fixed.mean(axis=0) == pytest.approx(10_000 * mean, abs=20)
    varied = sample_mixture(10**9, mean, n=4000, rng=rng, concentration=4.0) / 1e9
    assert varied.mean(axis=0) == pytest.approx(mean, abs=0.02)
    assert varied.var(axis=0) == pytest.approx(mean * (1 - mean) / 5.0, abs=0.005)
    assert not varied[:, 3].any()
    sparse = sample_mixture(1000, mean, n=200, rng=rng, concentration=1e-4)
    assert np.all(sparse.sum(axis=1) == 1000)
    assert np.mean(sparse.max(axis=1) == 1000) > 0.95


RATES_TWO = TwoTypes(
    birth_rate=0.2, death_rate=0.1, loss=1e-3, escaped_birth_rate=0.2, escaped_death_rate=0.1
)


@pytest.mark.parametrize("steps", [92, 12])
def test_two_types_from_one_cell_have_the_exact_law_for_any_number_of_steps(steps):
    days, runs = np.log(1e4) / 0.1, 12_000
    drawn = sample_two_types(RATES_TWO, days, n=runs, rng=np.random.default_rng(48), steps=steps)
    p = RATES_TWO.escaped_probabilities(days, 3)
    for number in range(4):
        assert close((drawn[:, 1] == number).mean(), p[number], runs)
    alive = drawn[:, 0] > 0
    joint = RATES_TWO.no_living_if_targeted_alive(days)
    assert close((drawn[alive, 1] == 0).mean(), joint, int(alive.sum()))
    mean = np.exp((0.2 * (1 - 1e-3) - 0.1) * days)
    assert abs(drawn[:, 0].mean() - mean) < 4 * drawn[:, 0].std() / np.sqrt(runs)


def test_two_types_agree_with_every_event_drawn():
    quick = TwoTypes(
        birth_rate=0.5, death_rate=0.3, loss=0.05, escaped_birth_rate=0.6, escaped_death_rate=0.2
    )
    rng = np.random.default_rng(49)
    slow = np.empty((3000, 2), dtype=int)
    for run in range(3000):
        cells, left = np.array([2, 0]), 6.0
        while cells.any():
            hazard = np.array([cells[0] * 0.5, cells[0] * 0.3, cells[1] * 0.6, cells[1] * 0.2])
            left -= rng.standard_exponential() / hazard.sum()
            if left < 0:
                break
            event = int(np.searchsorted(hazard.cumsum(), rng.random() * hazard.sum()))
            if event == 0:
                cells[int(rng.random() < 0.05)] += 1
            else:
                cells[[0, 0, 1, 1][event]] += [1, -1, 1, -1][event]
        slow[run] = cells
    fast = sample_two_types(quick, 6.0, n=20_000, rng=rng, start=(2, 0))
    for kind in range(2):
        assert stats.ks_2samp(slow[:, kind], fast[:, kind]).pvalue > 1e-3
    ratio = [np.mean((x[:, 1] > 0) & (x[:, 0] == 0)) for x in (slow, fast)]
    assert abs(ratio[0] - ratio[1]) < 4 * np.sqrt(0.25 / 3000)


ONE = Losses(per_antigen=(1e-6,))
RNG = np.random.default_rng(1)


@pytest.mark.parametrize(
    ("call", "shown", "remedy"),
    [
        (
            lambda: sample_composition(5, losses=ONE, n=1, rng=RNG, **RATES),
            "size is 5",
            "change it",
        ),
        (
            lambda: sample_composition(1e16, losses=ONE, n=1, rng=RNG, **RATES),
            r"size is 1e\+16",
            "change it",
        ),
        (
            lambda: sample_composition(1e9, losses=ONE, n=0, rng=RNG, **RATES),
            "n is 0",
            "give a number",
        ),
        (
            lambda: sample_composition(1e9, losses=0.1, n=1, rng=RNG, **RATES),
            "losses is 0.1",
            "give Losses",
        ),
        (
            lambda: sample_composition(1e9, losses=ONE, n=1, rng=7, **RATES),
            "rng is 7",
            "default_rng",
        ),
        (
            lambda: sample_composition(1e9, losses=ONE, n=1, rng=RNG, fixed="day", **RATES),
            "fixed is 'day'",
            "choose one",
        ),
        (
            lambda: sample_composition(
                1e12, birth_rate=1.0, death_rate=1 - 1e-9, losses=ONE, n=1, rng=RNG
            ),
            "net growth rate",
            "lower the loss",
        ),
        (
            lambda: sample_composition(
                1e12,
                birth_rate=1.0,
                death_rate=1 - 1e-4,
                losses=Losses(per_antigen=(1e-9,)),
                n=1,
                rng=RNG,
            ),
            "steps, more than",
            "lower the death rate",
        ),
        (lambda: sample_mixture(0, [1.0, 0.0], n=1, rng=RNG), "size is 0", "number of cells"),
        (lambda: sample_mixture(9, [0.5, 0.4], n=1, rng=RNG), "add up to 0.9", "divide"),
        (lambda: sample_mixture(9, [0.5, 0.25, 0.25], n=1, rng=RNG), r"shape \(3,\)", "give 0"),
        (lambda: sample_mixture(9, 1.0, n=1, rng=RNG), r"shape \(\)", "give 0"),
        (lambda: sample_mixture(9, [1.5, -0.5], n=1, rng=RNG), "fractions is -0.5", "give one"),
        (
            lambda: sample_mixture(9, [1.0, 0.0], n=1, rng=RNG, concentration=0.0),
            "concentration is 0",
            "> 0",
        ),
        (
            lambda: sample_two_types(RATES_TWO, 1.0, n=1, rng=RNG, start=(1, -1)),
            "start is -1",
            "two numbers",
        ),
        (
            lambda: sample_two_types(RATES_TWO, 1.0, n=1, rng=RNG, start=(1, 1, 1)),
            r"start is \(1, 1, 1\)",
            "give both",
        ),
        (lambda: sample_two_types(RATES_TWO, 0.0, n=1, rng=RNG), "days is 0", "duration"),
        (lambda: sample_two_types(RATES_TWO, 1e6, n=1, rng=RNG), r"days is 1e\+06", "shorten"),
        (lambda: sample_two_types(None, 1.0, n=1, rng=RNG), "rates is None", "give TwoTypes"),
    ],
)
def test_bad_input_is_refused_with_value_and_remedy(call, shown, remedy):
    with pytest.raises(ParameterError, match=f"{shown}.*{remedy}"):
        call()
