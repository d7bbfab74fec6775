"""Who predates therapy: closed forms, samples, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import slow_twins
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.integrate import quad

from car_relapse import growth
from car_relapse.errors import ParameterError
from car_relapse.growth import (
    expected_surviving_lines,
    no_living_mutant,
    no_surviving_line,
    sample_mutants,
    sample_surviving_mass,
)
from car_relapse.luria_delbrueck import CloneLaw, mutant_probabilities

sizes = st.floats(10.0, 1e13)
losses = st.floats(0.0, 1e-6)
survivals = st.floats(0.01, 1.0)


@given(sizes, losses, survivals)
def test_no_living_mutant_is_the_zero_term_of_the_mutant_law(size, loss, survival):
    events = loss * size / survival
    if events > 500:
        return
    law = CloneLaw(death_ratio=1 - survival)
    for fixed in ("size", "time"):
        wanted = mutant_probabilities(events, law, 0, fixed=fixed)[0]
        got = float(no_living_mutant(size, loss, survival, fixed=fixed))
        assert got == pytest.approx(wanted, rel=1e-7)


@given(sizes, losses, survivals)
def test_a_living_mutant_is_likelier_than_a_surviving_line(size, loss, survival):
    for fixed in ("size", "time"):
        living = float(no_living_mutant(size, loss, survival, fixed=fixed))
        surviving = float(no_surviving_line(size, loss, fixed=fixed))
        assert living <= surviving * (1 + 1e-12)


def test_without_death_every_living_line_survives():
    size = np.array([1e5, 1e9, 1e12])
    for fixed in ("size", "time"):
        assert no_living_mutant(size, 1e-9, 1.0, fixed=fixed) == pytest.approx(
            no_surviving_line(size, 1e-9, fixed=fixed), rel=1e-14
        )
    assert float(no_living_mutant(1e9, 1e-9, 1 - 1e-12)) == pytest.approx(np.exp(-1.0))


@given(sizes, losses)
def test_no_surviving_line_has_its_two_closed_forms(size, loss):
    assert float(no_surviving_line(size, loss)) == pytest.approx(np.exp(-loss * size))
    assert float(no_surviving_line(size, loss, fixed="time")) == pytest.approx(
        1 / (1 + loss * size)
    )


@pytest.mark.parametrize("fixed", ["size", "time"])
@pytest.mark.parametrize(
    "law",
    [CloneLaw(), CloneLaw(death_ratio=0.5), CloneLaw(relative_growth=0.6, detection=0.4)],
    ids=repr,
)
def test_sampled_mutants_follow_the_exact_law(law, fixed):
    draws = 20_000
    sample = sample_mutants(3.0, law, draws, np.random.default_rng(31), fixed=fixed)
    wanted = mutant_probabilities(3.0, law, 60, fixed=fixed)
    for upto in (0, 1, 3, 10, 30, 60):
        p = wanted[: upto + 1].sum()
        assert abs((sample <= upto).mean() - p) < 4 * np.sqrt(p * (1 - p) / draws)


def test_sampled_mutants_agree_with_a_population_grown_event_by_event():
    grown = slow_twins.grow_with_mutants(0.4, 0.1, 0.006, 300, 2000, np.random.default_rng(32))
    drawn = sample_mutants(
        0.006 * 300 / 0.75, CloneLaw(death_ratio=0.25), 4000, np.random.default_rng(33)
    )
    for upto in (0, 1, 5, 20):
        a, b = (grown <= upto).mean(), (drawn <= upto).mean()
        assert abs(a - b) < 4 * np.sqrt(0.25 / 2000 + 0.25 / 4000)


def test_no_events_leave_no_mutants():
    assert sample_mutants(0.0, CloneLaw(), 3, np.random.default_rng(1)).tolist() == [0, 0, 0]


@pytest.mark.parametrize("survival", [0.3, 1.0])
def test_the_surviving_mass_of_few_lines_agrees_with_a_plain_sum(survival):
    plain = slow_twins.surviving_mass(2.0, survival, 5000, np.random.default_rng(34))
    drawn = sample_surviving_mass(np.full(20_000, 2.0), survival, np.random.default_rng(35))
    for mass in (plain, drawn):
        none = np.exp(-2.0)
        assert abs((mass == 0).mean() - none) < 4 * np.sqrt(none * (1 - none) / mass.size)
    assert stats.ks_2samp(plain, drawn).pvalue > 1e-3


def test_the_surviving_mass_is_that_of_the_living_mutants_once_they_have_grown():
    # Mutants of an untreated population, s-fold counted: a line of size n grows on from n
    # cells, so large samples of both laws have the same upper quantiles.
    rng = np.random.default_rng(36)
    mass = sample_surviving_mass(np.full(20_000, 100.0), 0.5, rng)
    cells = sample_mutants(200.0, CloneLaw(death_ratio=0.5), 20_000, rng)
    for level in (0.25, 0.5, 0.75):
        assert np.quantile(mass, level) == pytest.approx(np.quantile(cells, level), rel=0.03)


def test_the_surviving_mass_of_many_lines_has_the_truncated_mean_and_variance():
    mean_lines, draws = 20_000.0, 4000
    rng = np.random.default_rng(37)
    mass = sample_surviving_mass(np.full(draws, mean_lines), 1.0, rng)
    # Half of the lines are drawn plainly by mark: those above the cut have these moments,
    # and the oldest, below it, only ever add. Quantiles compare the whole law with a plain sum.
    plain = slow_twins.surviving_mass(mean_lines, 1.0, 2000, np.random.default_rng(38))
    assert stats.ks_2samp(plain, mass).pvalue > 1e-3
    centre = mean_lines * (np.log(mean_lines) + 1 - np.euler_gamma)
    assert np.median(mass) == pytest.approx(centre + mean_lines * 0.8, rel=0.08)


class Still:
    """A source of randomness without surprises: no old line, and one known normal value."""

    def __init__(self, normal: float) -> None:
        self.normal = normal

    def poisson(self, mean):
        return np.zeros(np.shape(mean), dtype=int)

    def random(self, size):
        return np.full(size, 0.5)

    standard_exponential = random

    def standard_normal(self, size):
        return np.full(size, self.normal)


def test_the_young_lines_enter_by_their_exact_mean_and_variance():
    lines, survival = 1e5, 0.5
    # E/U over marks U from 2000/1e5 to 1, for a Poisson number of lines.
    mean = lines * quad(lambda u: 1 / u, 0.02, 1)[0] / survival
    variance = lines * quad(lambda u: 2 / u**2, 0.02, 1)[0] / survival**2
    assert sample_surviving_mass(lines, survival, Still(0.0)) == pytest.approx(mean)
    assert sample_surviving_mass(lines, survival, Still(1.0)) - mean == pytest.approx(
        np.sqrt(variance)
    )


def test_the_switch_to_the_normal_remainder_is_smooth():
    below = sample_surviving_mass(np.full(4000, 1999.0), 0.5, np.random.default_rng(40))
    above = sample_surviving_mass(np.full(4000, 2001.0), 0.5, np.random.default_rng(41))
    assert stats.ks_2samp(below, above).pvalue > 1e-3


def test_no_lines_have_no_mass_at_all():
    mass = sample_surviving_mass([0.0, 5.0, 0.0], 0.5, np.random.default_rng(1))
    assert mass[0] == 0.0
    assert mass[2] == 0.0
    assert sample_surviving_mass(0.0, 0.5, np.random.default_rng(1)).shape == (1,)


@pytest.mark.parametrize("fixed", ["size", "time"])
@pytest.mark.parametrize(
    "law",
    [
        CloneLaw(death_ratio=0.5),
        CloneLaw(relative_growth=1.3, detection=0.3),
        CloneLaw(relative_growth=0.6, initial_fraction=0.01),
    ],
    ids=repr,
)
def test_young_clones_by_their_sum_have_the_law_of_all_clones_one_by_one(law, fixed, monkeypatch):
    rng = np.random.default_rng(51)
    each = sample_mutants(5e3, law, 600, rng, fixed=fixed)
    monkeypatch.setattr(growth, "_MOST_CLONES", 1e5)
    monkeypatch.setattr(growth, "_OLDEST_CLONES", 1e3)
    split = sample_mutants(5e3, law, 600, rng, fixed=fixed)
    assert stats.ks_2samp(each, split).pvalue > 1e-3


def test_ten_million_events_have_the_limit_law_of_thousands():
    # X/m - ln m tends to a stable law, so that it no longer depends on m.
    rng = np.random.default_rng(52)
    many = sample_mutants(1e7, CloneLaw(), 800, rng) / 1e7 - np.log(1e7)
    fewer = sample_mutants(1e4, CloneLaw(), 800, rng) / 1e4 - np.log(1e4)
    assert stats.ks_2samp(many, fewer).pvalue > 1e-3


def test_a_population_that_starts_large_is_drawn_with_its_own_law():
    law = CloneLaw(initial_fraction=0.2, death_ratio=0.3)
    drawn = sample_mutants(2.0, law, 6000, np.random.default_rng(53))
    p = mutant_probabilities(2.0, law, 6)
    seen = np.array([(drawn == k).mean() for k in range(7)])
    assert np.all(np.abs(seen - p) < 4 * np.sqrt(p * (1 - p) / 6000))


@given(st.floats(1e-3, 0.9), st.floats(0.0, 0.9), st.floats(0.5, 2.0), st.floats(0.1, 1.0))
def test_the_moments_of_young_clones_are_integrals_over_their_marks(cut, ratio, speed, detection):
    law = CloneLaw(death_ratio=ratio, relative_growth=speed, detection=detection)
    mean, square = growth._young_moments(law, cut)

    def moments(y):
        x = y**speed
        stop, alive = x * (1 - ratio) / (1 - ratio * x), (1 - ratio) / (1 - ratio * x)
        size, size_square = 1 / stop, (2 - stop) / stop**2  # of a living clone
        seen_square = detection**2 * size_square + detection * (1 - detection) * size
        return alive * detection * size, alive * seen_square

    assert mean == pytest.approx(quad(lambda y: moments(y)[0], cut, 1)[0], rel=1e-8)
    assert square == pytest.approx(quad(lambda y: moments(y)[1], cut, 1)[0], rel=1e-8)


@given(sizes, losses)
def test_surviving_lines_do_not_depend_on_turnover_and_give_the_probability_of_none(size, loss):
    lines = float(expected_surviving_lines(size, loss))
    assert float(no_surviving_line(size, loss)) == pytest.approx(np.exp(-lines), rel=1e-12)
    # Events times survival: uN/s lines founded, of which s survive, for every s.
    assert float(no_living_mutant(size, loss, 1.0)) == pytest.approx(np.exp(-lines), rel=1e-9)


RNG = np.random.default_rng(1)
NAN = float("nan")


@pytest.mark.parametrize(
    ("call", "shown", "remedy"),
    [
        (lambda: no_surviving_line(0, 0.1), "size is 0", "give a number of cells"),
        (lambda: no_surviving_line(NAN, 0.1), "size is nan", "give a number of cells"),
        (lambda: no_surviving_line(10, 1.1), "loss is 1.1", "give a probability"),
        (lambda: no_surviving_line(10, 0.1, fixed="Size"), "fixed is 'Size'", "choose one"),
        (lambda: no_living_mutant(-5, 0.1, 0.5), "size is -5", "give a number of cells"),
        (lambda: no_living_mutant(10, -0.1, 0.5), "loss is -0.1", "give a probability"),
        (lambda: no_living_mutant(10, 0.1, 0.0), "survival is 0", "must grow"),
        (lambda: no_living_mutant(10, 0.1, 1.5), "survival is 1.5", "give 1 - d/b"),
        (lambda: no_living_mutant(10, 0.1, 0.5, fixed=""), "fixed is ''", "choose one"),
        (lambda: sample_mutants(-1, CloneLaw(), 1, RNG), "events is -1", "give an expected"),
        (lambda: sample_mutants(1, CloneLaw(), 0, RNG), "n is 0", "give a number"),
        (lambda: sample_mutants(1, CloneLaw(), 1, RNG, fixed="t"), "fixed is 't'", "choose one"),
        (lambda: sample_mutants(1e7, CloneLaw(), 10**5, RNG), r"2e\+09 clones", "draw fewer"),
        (lambda: sample_mutants(1, None, 1, RNG), "law is None", "give a CloneLaw"),
        (lambda: sample_mutants(1, CloneLaw(), 1, None), "rng is None", "default_rng"),
        (lambda: sample_mutants(1, CloneLaw(), "many", RNG), "n is 'many'", "give a number"),
        (
            lambda: sample_mutants(1000, CloneLaw(relative_growth=9), 100, RNG),
            "a jackpot holds",
            "lower relative_growth",
        ),
        (lambda: sample_surviving_mass([1.0, -2.0], 0.5, RNG), "lines is -2", "give expected"),
        (lambda: sample_surviving_mass([NAN], 0.5, RNG), "lines is nan", "give expected"),
        (lambda: sample_surviving_mass([1.0], 0.0, RNG), "survival is 0", "must grow"),
        (lambda: sample_surviving_mass([1.0], 2.0, RNG), "survival is 2", "give 1 - d/b"),
    ],
)
def test_bad_input_is_refused_with_value_and_remedy(call, shown, remedy):
    with pytest.raises(ParameterError, match=f"{shown}.*{remedy}"):
        call()
