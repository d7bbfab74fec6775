"""Curves and tests with competing causes: against other programs, counting, and each other."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm
from statsmodels.duration.survfunc import survdiff

from car_relapse.errors import ParameterError
from car_relapse.incidence import aalen_johansen
from car_relapse.trial.competing_risks import (
    cif,
    cif_difference,
    contrasts,
    event_free,
    gray_test,
    gray_tests,
    incidences,
    log_rank,
    log_rank_tests,
    median_follow_up,
    median_times,
    medians,
    naive_cif,
    naive_incidences,
    one_sample_log_rank,
    restricted_mean,
    restricted_mean_difference,
    restricted_means,
    risk_sets,
    survival,
)


def draw(seed: int, trials: int, patients: int, *, tied: bool, hazards=((2, 1), (1, 1))):
    """Return times, causes and groups; tied times are those of visits."""
    rng = np.random.default_rng(seed)
    group = np.arange(patients) % 2
    rate = np.array(hazards, dtype=float)[group]
    time = rng.exponential(size=(trials, patients)) / rate.sum(axis=1) * 20
    of_first = rate[:, 0] / rate.sum(axis=1)
    cause = np.where(rng.random((trials, patients)) < of_first, 1, 2)
    end = rng.uniform(5, 20, (trials, patients))
    cause[end < time] = 0
    time = np.minimum(time, end)
    return (np.ceil(time) if tied else time), cause, group


BOTH = pytest.mark.parametrize("tied", [False, True], ids=["all times differ", "ties"])


# --- counting by hand ----------------------------------------------------------------------------


def by_hand(time, cause, group, of, *, early=False):
    """Return observed, expected and variance of the log-rank test, time by time."""
    observed = expected = variance = 0.0
    free = 1.0
    for t in np.unique(time):
        at_risk, mine = time >= t, (time >= t) & (group == 1)
        happened = (time == t) & ((cause == of) if of else (cause > 0))
        y, y1, d, d1 = at_risk.sum(), mine.sum(), happened.sum(), (happened & mine).sum()
        weight = free if early else 1.0
        observed += weight * d1
        expected += weight * d * y1 / y
        if y > 1:
            variance += weight**2 * d * y1 / y * (1 - y1 / y) * (y - d) / (y - 1)
        free *= 1 - d / y
    return observed, expected, variance


@BOTH
@pytest.mark.parametrize("of", [None, 1, 2])
@pytest.mark.parametrize("early", [False, True])
def test_log_rank_counts_as_one_does_by_hand(tied, of, early):
    time, cause, group = draw(1, 12, 30, tied=tied)
    found = log_rank_tests(risk_sets(time, cause, group), of=of, early=early)
    for i in range(12):
        hand = by_hand(time[i], cause[i], group, of, early=early)
        mine = found.observed[i], found.expected[i], found.variance[i]
        assert mine == pytest.approx(hand, abs=1e-12)


@BOTH
def test_log_rank_is_that_of_statsmodels(tied):
    time, cause, group = draw(2, 5, 80, tied=tied)
    found = log_rank_tests(risk_sets(time, cause, group))
    for i in range(5):
        theirs = survdiff(time[i], (cause[i] > 0).astype(int), group)
        assert (found.statistic[i], found.p_value[i]) == pytest.approx(theirs, rel=1e-9)


def gray_by_hand(time, cause, group, of):
    """Return score and variance of Gray's test, time by time, from the formula's sums."""
    times = np.unique(time)
    free, had = np.ones(2), np.zeros(2)
    pooled, steps = 0.0, []
    score = carried = 0.0
    for t in times:
        y = np.array([((time >= t) & (group == g)).sum() for g in (0, 1)], dtype=float)
        now = time == t
        d = np.array([(now & (group == g) & (cause == of)).sum() for g in (0, 1)], dtype=float)
        e = np.array([(now & (group == g) & (cause > 0)).sum() for g in (0, 1)], dtype=float) - d
        before = free.copy()
        some = y > 0
        standing = np.where(some, y / np.where(some, before, 1), 0)
        at_risk = standing * (1 - had)
        score += d[1] - d.sum() * at_risk[1] / at_risk.sum()
        step = d.sum() / standing.sum()
        direct = standing.prod() / standing.sum()
        if direct:
            carried += direct * step / (1 - pooled)
        pooled += step
        for g in (0, 1):
            if some[g]:
                had[g] += before[g] * d[g] / y[g]
                free[g] *= 1 - (d[g] + e[g]) / y[g]
        steps.append((y, before, free.copy(), standing, d, e, direct, carried, pooled, step))
    variance = 0.0
    for y, before, after, standing, d, e, direct, so_far, incidence, _ in steps:
        come = carried - so_far
        for g in (0, 1):
            if y[g] == 0:
                continue
            ratio = (1 - incidence) / after[g] if after[g] > 0 else 0.0
            thin = 1.0
            if d.sum() > 1:
                thin = 1 - (d.sum() - 1) / (standing.sum() * before[g] - 1)
            rate = thin * before[g] * d.sum() / (standing.sum() * y[g])
            variance += (direct + (1 - ratio) * come) ** 2 * rate
            if e[g] and after[g] > 0:
                thin = 1 - (e[g] - 1) / (y[g] - 1) if e[g] > 1 else 1.0
                variance += (ratio * come) ** 2 * thin * before[g] ** 2 * e[g] / y[g] ** 2
    return score, variance


@BOTH
@pytest.mark.parametrize("of", [1, 2])
def test_gray_adds_up_as_its_formula_does_time_by_time(tied, of):
    time, cause, group = draw(3, 12, 40, tied=tied)
    found = gray_tests(risk_sets(time, cause, group), of=of)
    for i in range(12):
        hand = gray_by_hand(time[i], cause[i], group, of)
        assert (found.score[i], found.variance[i]) == pytest.approx(hand, rel=1e-10)


# --- what must hold ------------------------------------------------------------------------------


@BOTH
def test_many_trials_are_analysed_as_each_alone(tied):
    time, cause, group = draw(4, 6, 25, tied=tied)
    many = risk_sets(time, cause, group)
    alone = [risk_sets(time[i], cause[i], group) for i in range(6)]
    for analyse in (
        lambda d: log_rank_tests(d, of=1).statistic,
        lambda d: gray_tests(d, of=1, rho=1.0).statistic,
        lambda d: event_free(d, [1.0, 3.0]).interval()[0],
        lambda d: incidences(d, [1.0, 3.0], of=2).variance,
        lambda d: incidences(d, [1.0, 3.0], of=2, variance="cmprsk").variance,
        lambda d: naive_incidences(d, 3.0, of=2).value,
        lambda d: restricted_means(d, 4.0).variance,
        medians,
    ):
        together = np.concatenate([analyse(each) for each in alone])
        np.testing.assert_allclose(analyse(many), together, rtol=1e-12)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(4, 60), st.booleans())
def test_incidences_and_event_free_add_up_to_one(seed, patients, tied):
    data = risk_sets(*draw(seed, 2, patients, tied=tied))
    times = [1.0, 2.0, 4.0]
    total = event_free(data, times).value
    for cause in (1, 2):
        total = total + incidences(data, times, of=cause, variance=None).value
    total = total[~np.isnan(total)]
    np.testing.assert_allclose(total, 1.0, atol=1e-12)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(4, 40), st.booleans())
def test_curves_are_those_of_the_one_group_estimator(seed, patients, tied):
    time, cause, group = draw(seed, 1, patients, tied=tied)
    data = risk_sets(time, cause, group)
    for g in (0, 1):
        mine = group == g
        alone = aalen_johansen(time[0, mine], cause[0, mine], causes=(1, 2))
        at = [t for t in (0.0, 0.5, 1.0, 3.0) if t <= alone.longest]
        found = incidences(data, at, of=1)
        np.testing.assert_allclose(found.value[0, g], alone.at(at, 1), atol=1e-13)
        np.testing.assert_allclose(found.std_error[0, g], alone.std_error_at(at, 1), atol=1e-7)
        np.testing.assert_allclose(found.interval()[1][0, g], alone.interval(at, 1)[1], atol=1e-6)
        free = event_free(data, at)
        np.testing.assert_allclose(free.value[0, g], alone.event_free_at(at), atol=1e-13)
        lower, upper = alone.event_free_interval(at)
        np.testing.assert_allclose(free.interval()[0][0, g], lower, atol=1e-6)
        np.testing.assert_allclose(free.interval()[1][0, g], upper, atol=1e-6)


@BOTH
def test_gray_expects_what_the_log_rank_test_does_when_there_is_one_cause(tied):
    time, cause, group = draw(5, 8, 200, tied=tied, hazards=((2, 0), (1, 0)))
    data = risk_sets(time, cause, group)
    gray, rank = gray_tests(data, of=1), log_rank_tests(data)
    np.testing.assert_allclose(gray.score, rank.score, atol=1e-10)
    # cmprsk's variance differs a little from the hypergeometric one.
    np.testing.assert_allclose(gray.variance, rank.variance, rtol=0.1)


@BOTH
def test_gray_does_not_ask_of_what_the_others_died(tied):
    time, cause, group = draw(6, 5, 60, tied=tied)
    other = np.where(cause == 2, 3 + np.arange(60) % 2, cause)
    first, second = (gray_tests(risk_sets(time, c, group), of=1) for c in (cause, other))
    np.testing.assert_allclose(first.statistic, second.statistic, rtol=1e-12)


@BOTH
@pytest.mark.parametrize("test", [log_rank_tests, gray_tests])
def test_exchanged_groups_exchange_the_sign_alone(tied, test):
    time, cause, group = draw(7, 5, 60, tied=tied)
    first, second = (test(risk_sets(time, cause, g), of=1) for g in (group, 1 - group))
    np.testing.assert_allclose(first.z, -second.z, rtol=1e-9)


@BOTH
def test_patients_left_out_do_not_count(tied):
    time, cause, group = draw(8, 4, 40, tied=tied)
    inside = np.random.default_rng(0).random((4, 40)) < 0.7
    found = risk_sets(time, cause, group, included=inside)
    for i in range(4):
        mine = inside[i]
        alone = risk_sets(time[i, mine], cause[i, mine], group[mine])
        for analyse in (
            lambda d: log_rank_tests(d).statistic,
            lambda d: gray_tests(d, of=2).statistic,
            lambda d: incidences(d, [0.0, 2.0], of=1).interval()[1],
            lambda d: event_free(d, [0.0, 2.0]).interval()[0],
            lambda d: restricted_means(d, 3.0).value,
            medians,
        ):
            np.testing.assert_allclose(analyse(found)[i], analyse(alone)[0], rtol=1e-10)


def test_one_minus_kaplan_meier_is_too_high():
    data = risk_sets(*draw(9, 50, 100, tied=False))
    honest, naive = (f(data, 5.0, of=1).value for f in (incidences, naive_incidences))
    assert (naive >= honest - 1e-12).all()
    assert naive.mean() > honest.mean() + 0.02


def test_a_restricted_mean_is_the_mean_when_nobody_is_censored():
    time = np.random.default_rng(3).exponential(size=(1, 50))
    found = restricted_means(risk_sets(time, np.ones((1, 50), dtype=int)), 100.0)
    assert found.value[0, 0] == pytest.approx(time.mean())
    assert found.std_error[0, 0] == pytest.approx(time.std() / np.sqrt(50))


def test_tests_hold_their_level_and_intervals_their_coverage():
    trials = 3000
    time, cause, group = draw(10, trials, 100, tied=False, hazards=((1, 1), (1, 1)))
    data = risk_sets(time, cause, group)
    four = 4 * np.sqrt(0.05 * 0.95 / trials)
    at = 5.0
    p_values = [
        log_rank_tests(data).p_value,
        log_rank_tests(data, of=1).p_value,
        log_rank_tests(data, early=True).p_value,
        gray_tests(data, of=1).p_value,
        contrasts(incidences(data, at, of=1)).p_value,
        contrasts(restricted_means(data, at)).p_value,
    ]
    for p in p_values:
        # 0.005 for the small-sample error of the laws themselves.
        assert abs((p < 0.05).mean() - 0.05) < four + 0.005
    # Two hazards of 1/20 a month each.
    true = 0.5 * -np.expm1(-2 * at / 20)
    lower, upper = incidences(data, at, of=1).interval()
    missed = ((lower > true) | (upper < true)).mean(axis=0)
    assert np.all(np.abs(missed - 0.05) < four + 0.01)


# --- what is not known, and bad input ------------------------------------------------------------


def test_a_trial_without_answer_is_marked_among_many():
    data = risk_sets([[1, 2, 3, 4], [1, 2, 3, 4]], [[1, 0, 1, 0], [0, 0, 0, 0]], [0, 1, 0, 1])
    for found in (log_rank_tests(data), gray_tests(data, of=1)):
        assert np.isnan(found.p_value).tolist() == [False, True]
    late = incidences(data, [2.0, 3.5], of=1)
    # Group 0 is followed to 3, but in the first trial all of it has had the event by then.
    assert np.isnan(late.value[:, 0]).tolist() == [[False, False], [False, True]]
    assert np.isnan(late.interval()[0][:, 0]).tolist() == [[False, False], [False, True]]
    assert np.isnan(contrasts(late).value).tolist() == [[False, False], [False, True]]
    means = restricted_means(data, 3.5).value
    assert np.isnan(means).tolist() == [[False, False], [True, False]]


def test_a_group_that_is_used_up_is_no_obstacle():
    time, cause = [1, 2, 3, 4, 5, 6], [1, 1, 1, 1, 1, 1]
    found = gray_tests(risk_sets(time, cause, [0, 0, 0, 1, 1, 1]), of=1)
    hand = gray_by_hand(np.array(time), np.array(cause), np.array([0, 0, 0, 1, 1, 1]), 1)
    assert (found.score[0], found.variance[0]) == pytest.approx(hand)


def test_a_median_stands_in_the_middle_of_a_level_stretch():
    assert median_times([1, 2, 3, 4], [1, 1, 2, 0]) == [2.5]
    assert median_times([1, 2, 3, 4], [1, 0, 0, 0]) == [np.inf]
    assert median_follow_up([1, 2, 3], [0, 1, 0], [0, 0, 1]) == [1.0, 3.0]


def test_rows_say_what_the_arrays_do():
    time, cause, group = draw(11, 1, 60, tied=True)
    t, c = time[0], cause[0]
    data = risk_sets(t, c, group)
    for rows, arrays in (
        (survival(t, c, group, times=[2, 3]), event_free(data, [2, 3])),
        (cif(t, c, group, of=1, times=[2, 3]), incidences(data, [2, 3], of=1)),
        (naive_cif(t, c, group, of=1, times=[2, 3]), naive_incidences(data, [2, 3], of=1)),
    ):
        assert [(r.group, r.time) for r in rows] == [(0, 2), (0, 3), (1, 2), (1, 3)]
        assert [r.estimate for r in rows] == arrays.value.ravel().tolist()
        assert [r.upper for r in rows] == arrays.interval()[1].ravel().tolist()
        assert [r.at_risk for r in rows] == [
            int(((t >= r.time) & (group == r.group)).sum()) for r in rows
        ]
    means = restricted_mean(t, c, group, until=3, level=0.9)
    assert [r.estimate for r in means] == restricted_means(data, 3).value[0].tolist()
    half = norm.ppf(0.95) * means[0].std_error
    assert means[0].upper - means[0].estimate == pytest.approx(half)
    assert cif_difference(t, c, group, of=1, at=3).estimate == pytest.approx(
        cif(t, c, group, of=1, times=3)[1].estimate - cif(t, c, group, of=1, times=3)[0].estimate
    )
    gap = restricted_mean_difference(t, c, group, until=3)
    assert gap.estimate == pytest.approx(means[1].estimate - means[0].estimate)
    assert gap.p_value == pytest.approx(2 * norm.sf(abs(gap.z)))
    test = gray_test(t, c, group, of=1)
    assert test.statistic == gray_tests(data, of=1).statistic[0]
    assert test.z == pytest.approx((test.observed - test.expected) / test.variance**0.5)


def test_strata_are_compared_within():
    time, cause, group = draw(12, 1, 80, tied=False)
    t, c = time[0], cause[0]
    strata = np.arange(80) // 40
    found = log_rank(t, c, group, strata=strata)
    parts = [log_rank(t[s], c[s], group[s]) for s in (strata == 0, strata == 1)]
    assert found.expected == pytest.approx(sum(p.expected for p in parts))
    assert found.variance == pytest.approx(sum(p.variance for p in parts))


def test_a_known_curve_expects_what_its_hazard_says():
    found = one_sample_log_rank([1, 2, 0], [0.5, 0.5, 1.0])
    assert (found.observed, found.expected, found.z) == (2.0, 2.0, 0.0)


TRIAL = {"time": [1, 2, 3, 4], "cause": [1, 2, 1, 0], "group": [0, 1, 0, 1]}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"time": []}, "at least one time"),
        ({"time": [-1, 2, 3, 4]}, "time is -1"),
        ({"time": [[[1.0]]]}, "table of trials"),
        ({"cause": [1, 2, 1]}, "cause has shape"),
        ({"cause": [1, 2, 1, -1]}, "cause is -1"),
        ({"cause": [1, 2, 1, 0.5]}, "cause is 0.5; it must be a whole number"),
        ({"cause": [1, 2, 1, 300]}, "cause is 300"),
        ({"cause": [1, 2, 1, 100]}, "number causes and groups without gaps"),
        ({"group": [0, 1, 0]}, "group has shape"),
        ({"included": [1, 1, 1, 0]}, "included has shape"),
    ],
)
def test_bad_data_are_refused(change, words):
    with pytest.raises(ParameterError, match=words):
        risk_sets(**(TRIAL | change))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda d: log_rank_tests(d, of=0), "of is 0"),
        (lambda d: gray_tests(d, of=None), "of is None"),
        (lambda d: gray_tests(d, of=1, rho=np.inf), "rho is inf"),
        (lambda d: event_free(d, -1), "times is -1"),
        (lambda d: event_free(d, [[1.0]]), "one time or a list"),
        (lambda d: incidences(d, 1, of=1, variance="greenwood"), "variance is 'greenwood'"),
        (lambda d: restricted_means(d, 0), "until is 0"),
        (lambda d: event_free(d, 1).interval(1.0), "level is 1"),
        (lambda d: restricted_means(d, 1).interval(0.0), "level is 0"),
        (lambda _: event_free(TRIAL, 1), "RiskSets"),
        (lambda _: medians(3), "RiskSets"),
        (lambda _: contrasts(event_free(risk_sets([1], [1]), 1)), "1 group"),
        (lambda _: log_rank([1, 2], [1, 1], [0, 0]), "1 group"),
        (lambda _: log_rank([[1, 2]], [[1, 1]], [0, 1]), "one list of patients"),
        (lambda _: log_rank([1, 2], [0, 0], [0, 1]), "no event of any cause"),
        (lambda _: gray_test([1, 2], [2, 2], [0, 1], of=1), "no event of cause 1"),
        (lambda _: log_rank([1, 2], [1, 1], [0, 1], strata=[1]), "strata has shape"),
        (lambda _: survival([1, 2], [0, 0], times=3), "nobody of group 0"),
        (lambda _: cif([1, 2], [1, 0], of=1, times=1, variance=None), "variance is None"),
        (lambda _: cif_difference([1, 2], [1, 0], [0, 1], of=2, at=1), "without any variance"),
        (lambda _: restricted_mean([1, 2], [0, 0], [0, 1], until=1.5), "nobody of group 0"),
        (lambda _: one_sample_log_rank([1, 0], [0.0, 0.0]), "no event"),
    ],
)
def test_bad_questions_are_refused(call, words):
    with pytest.raises(ParameterError, match=words):
        call(risk_sets(**TRIAL))


def test_variance_grows_with_time_and_is_that_of_counting_without_censoring():
    time = np.arange(1.0, 41.0)
    cause = np.where(np.arange(40) % 3, 1, 2)
    found = incidences(risk_sets(time, cause), time[:-1], of=1)
    share = found.value[0, 0]
    np.testing.assert_allclose(found.variance[0, 0], share * (1 - share) / 40, atol=1e-12)
    assert all(a <= b + 1e-15 for a, b in pairwise(share))
