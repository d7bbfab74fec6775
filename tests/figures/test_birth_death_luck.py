"""The figures of *Birth, death and luck* show what Kendall's law and plain limits say."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.stats import binom

from car_relapse.branching import extinction_probability
from car_relapse.exposure import stein_typical
from car_relapse.patient import typical_leukaemia, typical_patient

RATIOS = {"10": 0.1, "38": 0.38, "80": 0.8}


@pytest.fixture
def net_rate() -> float:
    return typical_leukaemia().net_rate


def test_about_as_many_lines_die_out_as_death_over_birth(drawings):
    drawing = drawings["line-fates"]
    lines = [column for name, column in drawing.data.items() if name.startswith("line_")]
    gone = sum(line[-1] == 0 for line in lines)
    disease = typical_leukaemia()
    chance = float(extinction_probability(disease.birth_rate, disease.death_rate))
    low, high = binom.interval(0.999, len(lines), chance)
    assert low <= gone <= high
    assert drawing.numbers["gone"].value == gone
    assert drawing.numbers["lines"].value == len(lines)


def test_a_line_that_has_died_stays_dead_and_none_follows_the_mean(drawings):
    data = drawings["line-fates"].data
    for name, line in data.items():
        if name.startswith("line_"):
            assert line[0] == 1
            dead = np.flatnonzero(line == 0)
            assert not dead.size or (line[dead[0] :] == 0).all()
            assert np.abs(line - data["mean"]).max() > 1


def test_the_mean_line_grows_at_the_net_rate(drawings, net_rate):
    data = drawings["line-fates"].data
    np.testing.assert_allclose(np.log(data["mean"]), net_rate * data["day"], rtol=1e-12)


@pytest.mark.parametrize(("name", "ratio"), RATIOS.items())
def test_the_law_of_a_line_is_the_textbook_one(drawings, net_rate, name, ratio):
    """P(n or more) = (1 - a)(beta)^(n - 1), a and beta as Kendall prints them."""
    data = drawings["line-law"].data
    growth = np.exp(net_rate * 40.0)
    beta = (growth - 1) / (growth - ratio)
    alive = 1 - ratio * beta
    np.testing.assert_allclose(data[f"exact_{name}"], alive * beta ** (data["at_least"] - 1))


@pytest.mark.parametrize("name", RATIOS)
def test_lines_drawn_one_event_at_a_time_lie_on_the_law(drawings, name):
    data = drawings["line-law"].data
    exact, drawn = data[f"exact_{name}"], data[f"simulated_{name}"]
    error = np.sqrt(exact * (1 - exact) / 3000)
    assert (np.abs(drawn - exact) < 4 * error + 1e-12).all()


def test_with_one_mean_fewer_living_lines_are_larger(drawings, net_rate):
    numbers = drawings["line-law"].numbers
    for name in RATIOS:
        product = numbers[f"alive_{name}"].value * numbers[f"if_alive_{name}"].value
        assert product == pytest.approx(np.exp(net_rate * 40.0), rel=1e-9)
    assert numbers["alive_10"].value > numbers["alive_38"].value > numbers["alive_80"].value


@pytest.mark.parametrize(("name", "half_life"), [("short", 30.0), ("long", 700.0)])
def test_the_last_cell_dies_when_the_equations_of_kendall_say(drawings, name, half_life):
    """Forward equation of one line's survival p: p' = (b - d - k) p - b p p / m, m its mean."""
    disease, killing = typical_leukaemia(), typical_patient().products[0].killing
    typical = stein_typical()
    curve = type(typical)(
        **{
            field: getattr(typical, field)
            for field in ("fold", "peak_day", "peak_level", "contraction_rate", "memory_fraction")
        },
        memory_rate=np.log(2) / half_life,
    )

    def slope(day: float, state: np.ndarray) -> list[float]:
        removal = disease.death_rate + float(killing.rate(curve.level(day)))
        # The log of the mean, and the integral I with P(alive) = 1 / (1 + I).
        return [disease.birth_rate - removal, removal * np.exp(-state[0])]

    day = drawings["last-line"].data["day"]
    run = solve_ivp(slope, (0, day[-1]), [0, 0], t_eval=day, rtol=1e-9, atol=1e-9, max_step=1.0)
    none = (1 - 1 / (1 + run.y[1])) ** 1e7
    np.testing.assert_allclose(
        drawings["last-line"].data[f"none_left_{name}"], none, rtol=1e-4, atol=1e-9
    )


def test_what_one_cell_means_starts_at_the_chance_of_relapse_and_only_rises(drawings):
    drawing = drawings["last-line"]
    for name in ("short", "long"):
        chance = drawing.data[f"relapse_if_left_{name}"]
        assert chance[0] == pytest.approx(drawing.numbers[f"relapse_{name}"].value, rel=1e-6)
        assert (np.diff(chance) >= -1e-12).all()
        left = 1 - drawing.data[f"none_left_{name}"]
        np.testing.assert_allclose(chance * left, chance[0], rtol=1e-6)


def test_one_stage_gives_the_lines_of_the_engine_and_a_clock_less_than_twice_as_many(drawings):
    clock, last = drawings["division-clock"], drawings["last-line"].numbers
    assert clock.data["stages"][0] == 1
    for name in ("short", "long"):
        lines = -np.log1p(-last[f"relapse_{name}"].value)
        assert clock.data[name][0] == pytest.approx(lines, rel=1e-3)
        assert (np.diff(clock.data[name]) > 0).all()
        assert clock.data[name][-1] < 2 * clock.data[name][0]
    assert (clock.data["short"] > 5 * clock.data["long"]).all()
