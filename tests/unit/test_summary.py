"""Summaries: counts of a cohort, exact whatever its parts."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from car_relapse.cohort import Cohort, default_population, simulate
from car_relapse.errors import ParameterError
from car_relapse.outcomes import Outcome
from car_relapse.summary import Summary, summarise

DAYS = [0.0, 90.0, 180.0, 365.0, 730.0]


@pytest.fixture(scope="module")
def cohort() -> Cohort:
    return simulate(default_population(), 640, seed=61)


def cut(whole: Cohort, first: int, last: int) -> Cohort:
    return Cohort(**{f.name: getattr(whole, f.name)[first:last] for f in fields(Cohort)})


def same(one: Summary, two: Summary) -> bool:
    return all(np.array_equal(getattr(one, f.name), getattr(two, f.name)) for f in fields(Summary))


def test_a_summary_says_what_its_cohort_says(cohort):
    summary = summarise(cohort, DAYS)
    assert summary.size == cohort.size
    for outcome in Outcome:
        assert summary.share(outcome) == pytest.approx(cohort.share(outcome), rel=1e-12)
        expected = cohort.cumulative_incidence(outcome, DAYS)
        assert summary.cumulative_incidence(outcome).tolist() == expected.tolist()


@settings(max_examples=15)
@given(st.integers(1, 639))
def test_the_summaries_of_two_parts_add_up_to_that_of_the_whole(cohort, place):
    parts = [summarise(cut(cohort, *span), DAYS) for span in ((0, place), (place, 640))]
    assert same(parts[0] + parts[1], summarise(cohort, DAYS))


def test_standard_errors_are_the_spread_of_repeated_summaries():
    rng = np.random.default_rng(62)
    n, p = 400, 0.3
    counts = rng.binomial(n, p, 4000)
    columns = len(Outcome)
    one = Summary(
        days=np.array([10.0]),
        counts=np.array([int(n * p), n - int(n * p)] + [0] * (columns - 2)),
        by_day=np.array([[int(n * p)]] + [[0]] * (columns - 1)),
    )
    error = np.std(counts / n)
    assert one.share(Outcome.CURED)[1] == pytest.approx(error, rel=0.05)
    assert one.cumulative_incidence_error(Outcome.CURED) == pytest.approx([error], rel=0.05)
    assert one.cumulative_incidence_error(Outcome.NO_REMISSION).tolist() == [0]


@pytest.mark.parametrize(
    ("call", "shown", "remedy"),
    [
        (lambda c: summarise(c, []), r"shape \(0,\)", "at least one day"),
        (lambda c: summarise(c, 5.0), r"shape \(\)", "one ascending list"),
        (lambda c: summarise(c, [2.0, 1.0]), r"shape \(2,\)", "sort it"),
        (lambda c: summarise(c, [1.0, 1.0]), r"shape \(2,\)", "leave out doubles"),
        (lambda c: summarise(c, [-1.0]), "days is -1", "from infusion"),
        (lambda c: summarise(c, [1.0]).share(1), "outcome is 1", "Outcome.CURED"),
        (lambda c: summarise(c, [1.0]) + summarise(c, [2.0]), "1 and 1 days", "same days"),
    ],
)
def test_bad_input_is_named_with_its_remedy(cohort, call, shown, remedy):
    with pytest.raises(ParameterError, match=shown) as caught:
        call(cohort)
    assert remedy in str(caught.value)


def test_a_summary_adds_up_with_nothing_else(cohort):
    with pytest.raises(TypeError):
        summarise(cohort, [1.0]) + 1
