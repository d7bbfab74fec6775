"""The Luria–Delbrück family: recursion against contour integrals, identities, estimation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import slow_twins
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.integrate import quad
from scipy.special import beta as beta_function

from car_relapse import luria_delbrueck
from car_relapse.errors import ParameterError
from car_relapse.growth import sample_mutants
from car_relapse.luria_delbrueck import (
    CloneLaw,
    clone_probabilities,
    estimate_events,
    estimate_interval,
    mutant_probabilities,
    mutant_quantile,
    mutant_tail,
)

LAWS = [
    CloneLaw(),
    CloneLaw(death_ratio=0.6),
    CloneLaw(relative_growth=0.5),
    CloneLaw(relative_growth=1.7, death_ratio=0.3),
    CloneLaw(detection=0.3),
    CloneLaw(death_ratio=0.4, relative_growth=0.8, detection=0.6),
]


def twin_pgf(law: CloneLaw):
    return lambda z: slow_twins.clone_pgf(
        z, death_ratio=law.death_ratio, growth=law.relative_growth, detection=law.detection
    )


@pytest.mark.parametrize("law", LAWS, ids=repr)
def test_clone_probabilities_are_the_coefficients_of_the_closed_generating_function(law):
    wanted = slow_twins.coefficients(twin_pgf(law), 40)
    assert clone_probabilities(law, 40) == pytest.approx(wanted, abs=1e-11)


@pytest.mark.parametrize("law", LAWS, ids=repr)
@pytest.mark.parametrize("events", [0.3, 4.0])
def test_the_recursion_is_the_contour_integral_of_the_generating_function(law, events):
    clone = twin_pgf(law)
    size = slow_twins.coefficients(lambda z: np.exp(events * (clone(z) - 1)), 40)
    time = slow_twins.coefficients(lambda z: 1 / (1 + events * (1 - clone(z))), 40)
    assert mutant_probabilities(events, law, 40) == pytest.approx(size, abs=1e-11)
    assert mutant_probabilities(events, law, 40, fixed="time") == pytest.approx(time, abs=1e-11)


def test_a_population_that_starts_large_follows_its_own_generating_function():
    start = 0.2
    wanted = slow_twins.coefficients(
        lambda z: 1 + (1 / z - 1) * np.log(1 - (1 - start) * z) / (1 - start), 30
    )
    assert clone_probabilities(CloneLaw(initial_fraction=start), 30) == pytest.approx(
        wanted, abs=1e-11
    )


def test_without_death_or_thinning_a_clone_follows_lea_and_coulson():
    k = np.arange(1, 200)
    assert clone_probabilities(CloneLaw(), 199)[1:] == pytest.approx(1 / (k * (k + 1)), rel=1e-11)


@given(st.floats(0.2, 4.0))
def test_without_death_a_clone_of_other_fitness_follows_the_beta_law(growth):
    k = np.arange(1, 60)
    wanted = beta_function(1 + 1 / growth, k) / growth
    got = clone_probabilities(CloneLaw(relative_growth=growth), 59)[1:]
    assert got == pytest.approx(wanted, rel=1e-8)


@given(st.floats(0.01, 0.95))
def test_the_share_of_dead_clones_has_a_closed_form(ratio):
    dead = clone_probabilities(CloneLaw(death_ratio=ratio), 0)[0]
    assert dead == pytest.approx(1 + (1 - ratio) * np.log(1 - ratio) / ratio, rel=1e-10)


@given(
    st.floats(0.0, 0.9), st.floats(0.3, 3.0), st.floats(0.05, 1.0), st.floats(0.0, 0.9)
)  # fmt: skip
def test_clone_probabilities_are_probabilities(ratio, growth, detection, start):
    law = CloneLaw(
        death_ratio=ratio, relative_growth=growth, detection=detection, initial_fraction=start
    )
    q = clone_probabilities(law, 300)
    assert np.all(q >= 0)
    assert q.sum() <= 1 + 1e-12


def test_probabilities_and_tail_add_up_to_one():
    # Turnover cancels in the neutral tail: fewer clones live, but those are larger.
    law = CloneLaw(death_ratio=0.5)
    assert 1 - clone_probabilities(law, 5000).sum() == pytest.approx(1 / 5000, rel=1e-3)
    assert mutant_tail(2.0, law, 40) == pytest.approx(
        1 - slow_twins.coefficients(lambda z: np.exp(2 * (twin_pgf(law)(z) - 1)), 40).sum(),
        abs=1e-10,
    )


@given(st.floats(0.05, 1.0), st.floats(0.05, 1.0), st.floats(0.0, 0.8))
def test_thinning_twice_is_thinning_once_by_the_product(first, second, ratio):
    largest = 1000
    once = clone_probabilities(CloneLaw(death_ratio=ratio, detection=first), largest)
    n = np.arange(largest + 1)
    got = [float(once @ stats.binom.pmf(k, n, second)) for k in range(5)]
    wanted = clone_probabilities(CloneLaw(death_ratio=ratio, detection=first * second), 4)
    # The neglected counts above `largest` hold at most 1/largest of the mass.
    far = stats.binom.cdf(4, largest, second) / largest
    assert got == pytest.approx(wanted, abs=1e-9 + far)


def test_vanishing_death_other_fitness_and_missed_cells_recover_lea_and_coulson():
    plain = clone_probabilities(CloneLaw(), 30)
    tiny = 1e-9
    for law in (
        CloneLaw(death_ratio=tiny),
        CloneLaw(relative_growth=1 + tiny),
        CloneLaw(detection=1 - tiny),
        CloneLaw(initial_fraction=tiny),
    ):
        assert clone_probabilities(law, 30) == pytest.approx(plain, abs=1e-7)


@pytest.mark.parametrize("law", [LAWS[0], LAWS[3]], ids=repr)
def test_fixed_time_is_the_exponential_mixture_of_fixed_size(law):
    direct = mutant_probabilities(2.5, law, 12, fixed="time")
    mixed = [
        quad(
            lambda e, n=n: np.exp(-e) * mutant_probabilities(2.5 * e, law, 12)[n],
            0,
            60,
            epsabs=1e-9,
        )[0]
        for n in (0, 1, 5)
    ]
    assert direct[[0, 1, 5]] == pytest.approx(mixed, abs=1e-7)


def test_the_recursion_agrees_with_a_population_grown_event_by_event():
    birth, death, loss, size, runs = 0.3, 0.1, 0.004, 300, 2000
    mutants = slow_twins.grow_with_mutants(
        birth, death, loss, size, runs, np.random.default_rng(21)
    )
    ratio = death / birth
    wanted = mutant_probabilities(loss * size / (1 - ratio), CloneLaw(death_ratio=ratio), 6)
    seen = np.array([(mutants == n).mean() for n in range(7)])
    assert np.all(np.abs(seen - wanted) < 4 * np.sqrt(wanted * (1 - wanted) / runs) + 0.005)


def test_more_loss_events_than_an_exponential_holds_are_no_obstacle():
    p = mutant_probabilities(760.0, CloneLaw(), 6200)
    assert np.isfinite(p).all()
    # The median of the neutral law is near m ln m + 1.24 m.
    assert np.cumsum(p)[round(760 * (np.log(760) + 1.24))] == pytest.approx(0.5, abs=0.02)
    # Two populations of half the events each add up to one of all.
    half = mutant_probabilities(380.0, CloneLaw(), 6000)
    assert p[6000] == pytest.approx(half @ half[::-1], rel=1e-9)


def test_a_sum_of_two_populations_has_the_sum_of_the_events():
    law = LAWS[5]
    one, two = mutant_probabilities(1.5, law, 60), mutant_probabilities(2.25, law, 60)
    assert np.convolve(one, two)[:61] == pytest.approx(
        mutant_probabilities(3.75, law, 60), abs=1e-12
    )


def test_no_events_leave_no_mutants():
    for fixed in ("size", "time"):
        assert mutant_probabilities(0.0, CloneLaw(), 3, fixed=fixed).tolist() == [1, 0, 0, 0]


@given(st.floats(0.0, 0.97), st.floats(0.05, 6.0), st.sampled_from(["size", "time"]))
def test_a_quantile_is_the_smallest_number_that_reaches_its_probability(level, events, fixed):
    law = CloneLaw(death_ratio=0.3)
    n = mutant_quantile(level, events, law, fixed=fixed)
    assert 1 - mutant_tail(events, law, n, fixed=fixed) >= level - 1e-12
    if n > 0:
        assert 1 - mutant_tail(events, law, n - 1, fixed=fixed) < level


def test_quantiles_are_sought_up_to_the_largest_count_and_no_further():
    reachable = 1 - mutant_tail(1.0, CloneLaw(), 149)
    assert mutant_quantile(reachable - 1e-5, 1.0, CloneLaw(), largest=150) in (148, 149)
    with pytest.raises(ParameterError, match=r"probability is 0\.999; .*passes 150.*lower"):
        mutant_quantile(0.999, 1.0, CloneLaw(), largest=150)


@settings(max_examples=6)
@given(st.sampled_from([0.2, 1.0, 6.0]), st.sampled_from(LAWS))
def test_the_estimate_is_the_maximum_of_the_likelihood(events, law):
    counts = sample_mutants(events, law, 60, np.random.default_rng(9))
    counts = np.append(np.minimum(counts, 300), 1)
    estimate = estimate_events(counts, law)

    def log_likelihood(m):
        return np.log(mutant_probabilities(m, law, int(counts.max()))[counts]).sum()

    best = log_likelihood(estimate)
    assert best > log_likelihood(0.98 * estimate)
    assert best > log_likelihood(1.02 * estimate)


def test_the_estimate_recovers_the_truth_from_many_cultures():
    law = CloneLaw(death_ratio=0.4)
    counts = sample_mutants(3.0, law, 800, np.random.default_rng(10))
    # The information per culture at m = 3 is about 0.13: one standard error is near 0.1.
    assert estimate_events(np.minimum(counts, 2000), law) == pytest.approx(3.0, abs=0.4)


def test_the_estimate_survives_a_start_far_from_it():
    rare = CloneLaw(detection=0.01)  # few are seen, so m lies far above the median count
    assert estimate_events([1, 0, 2, 1], rare) > 20
    assert estimate_events([1] + [0] * 2000, CloneLaw()) == pytest.approx(1 / 2000, rel=0.01)
    counts = np.array([0, 900, 1000])  # at m near the median, p_0 underflows
    many = estimate_events(counts, CloneLaw())
    around = [
        np.log(mutant_probabilities(many * part, CloneLaw(), 1000)[counts]).sum()
        for part in (0.97, 1.0, 1.03)
    ]
    assert around[1] == max(around)


def test_the_interval_ends_where_the_likelihood_has_dropped():
    law = CloneLaw(death_ratio=0.3)
    counts = np.minimum(sample_mutants(2.0, law, 40, np.random.default_rng(11)), 500)

    def log_likelihood(m):
        return np.log(mutant_probabilities(m, law, int(counts.max()))[counts]).sum()

    top = log_likelihood(estimate_events(counts, law))
    for level in (0.5, 0.95):
        low, high = estimate_interval(counts, law, level=level)
        assert low < estimate_events(counts, law) < high
        for end in (low, high):
            assert 2 * (top - log_likelihood(end)) == pytest.approx(stats.chi2.ppf(level, 1))


def test_the_interval_covers_the_truth_as_often_as_it_says():
    law, rng = CloneLaw(), np.random.default_rng(12)
    hits = 0
    for _ in range(150):
        counts = np.minimum(sample_mutants(1.5, law, 12, rng), 300)
        low, high = estimate_interval(counts, law, level=0.8)
        hits += low <= 1.5 <= high
    assert abs(hits / 150 - 0.8) < 4 * np.sqrt(0.8 * 0.2 / 150)


def test_counts_without_any_mutant_give_an_upper_bound_from_the_zero_class():
    # P(all 0) = e^(-n m (1 - q0)): twice its log is the drop at the end.
    law = CloneLaw(death_ratio=0.6)
    low, high = estimate_interval([0, 0, 0, 0, 0], law)
    alive = 1 - clone_probabilities(law, 0)[0]
    assert low == 0.0
    assert 2 * 5 * high * alive == pytest.approx(stats.chi2.ppf(0.95, 1))


def test_tails_far_below_a_billionth_keep_their_digits():
    # One event: the tail is that of a clone, 1/(k+1), but for events squared.
    for fixed in ("size", "time"):
        assert mutant_tail(1e-13, CloneLaw(), 999, fixed=fixed) == pytest.approx(1e-16, rel=1e-9)
    # Slow mutants, many events: against the sum of the terms beyond, which falls as k^(-1/w).
    law = CloneLaw(relative_growth=0.2)
    p = mutant_probabilities(2.0, law, 6000)
    beyond = p[401:].sum() + p[-1] * 6000 / 5
    assert mutant_tail(2.0, law, 400) == pytest.approx(beyond, rel=1e-3)
    assert mutant_tail(2.0, law, 400) < 1e-10


def test_small_and_large_tails_meet():
    law = CloneLaw(relative_growth=0.3)
    tails = [mutant_tail(2.0, law, n) for n in (140, 150, 160, 170)]
    assert tails[0] > luria_delbrueck._SMALL_TAIL > tails[-1]
    ratios = np.divide(tails[1:], tails[:-1])
    assert np.all(np.diff(ratios) > 0)
    assert np.diff(ratios, 2)[0] == pytest.approx(0.0, abs=2e-3)


def test_tails_that_are_too_long_to_sum_again_are_given_as_they_are(monkeypatch):
    law = CloneLaw(relative_growth=0.2)
    summed = mutant_tail(2.0, law, 400)
    monkeypatch.setattr(luria_delbrueck, "_LONG", 100)
    assert mutant_tail(2.0, law, 400) == pytest.approx(summed, abs=1e-14)


@pytest.mark.parametrize(
    ("call", "shown", "remedy"),
    [
        (lambda: CloneLaw(death_ratio=1.0), "death_ratio is 1", "lower the death rate"),
        (lambda: CloneLaw(death_ratio=-0.1), "death_ratio is -0.1", "give death rate over"),
        (lambda: CloneLaw(death_ratio=float("nan")), "death_ratio is nan", "give death rate"),
        (lambda: CloneLaw(relative_growth=0), "relative_growth is 0", "1 means equal growth"),
        (lambda: CloneLaw(detection=0.0), "detection is 0", "give a value in"),
        (lambda: CloneLaw(detection=1.2), "detection is 1.2", "1 means that every mutant"),
        (lambda: CloneLaw(initial_fraction=1.0), "initial_fraction is 1", "give initial over"),
        (lambda: CloneLaw(initial_fraction=-1), "initial_fraction is -1", "0 means one founder"),
        (lambda: clone_probabilities(CloneLaw(), -1), "largest is -1", "give the largest"),
        (lambda: clone_probabilities(CloneLaw(), 2.5), "largest is 2.5", "give the largest"),
        (lambda: clone_probabilities(CloneLaw(), 200_001), "largest is 200001", "use growth"),
        (lambda: mutant_probabilities(-1, CloneLaw(), 3), "events is -1", "give an expected"),
        (
            lambda: mutant_probabilities(float("inf"), CloneLaw(), 3),
            "events is inf",
            "give an expected",
        ),
        (
            lambda: mutant_probabilities(1, CloneLaw(), 3, fixed="day"),
            "fixed is 'day'",
            "choose one",
        ),
        (lambda: mutant_quantile(1.0, 1, CloneLaw()), "probability is 1;", "below 1"),
        (lambda: mutant_quantile(-0.5, 1, CloneLaw()), "probability is -0.5", "below 1"),
        (lambda: estimate_events([], CloneLaw()), r"counts is \[\]", "correct it"),
        (lambda: estimate_events([1, -1], CloneLaw()), "counts is -1", "correct it"),
        (lambda: estimate_events([1, 0.5], CloneLaw()), r"counts is \[1, 0.5\]", "correct it"),
        (lambda: estimate_events([1, float("nan")], CloneLaw()), "counts is .*nan", "correct it"),
        (lambda: estimate_events([[1, 2]], CloneLaw()), "counts is", "correct it"),
        (lambda: estimate_events(None, CloneLaw()), "counts is None", "correct it"),
        (lambda: estimate_interval([1.5], CloneLaw()), r"counts is \[1.5\]", "correct it"),
        (lambda: estimate_interval([1], CloneLaw(), level=1.0), "level is 1", "give a coverage"),
        (lambda: estimate_events([0, 0], CloneLaw()), "counts are all 0", "report an upper bound"),
    ],
)
def test_bad_input_is_refused_with_value_and_remedy(call, shown, remedy):
    with pytest.raises(ParameterError, match=f"{shown}.*{remedy}"):
        call()


def test_a_law_can_be_changed_field_by_field_and_is_checked_again():
    with pytest.raises(ParameterError, match="death_ratio is 2"):
        replace(CloneLaw(), death_ratio=2.0)
