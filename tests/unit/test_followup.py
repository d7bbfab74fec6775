"""Follow-up: what trials see of known fates, against counting and analytic competing risks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kstest

from car_relapse.cohort import Cohort, default_population, simulate
from car_relapse.errors import ParameterError
from car_relapse.followup import DAYS_PER_MONTH, Cause, FollowUp, Observed, Transplant, observe
from car_relapse.incidence import aalen_johansen, kaplan_meier
from car_relapse.outcomes import Outcome

WATCHED = FollowUp(shortest=1e7, longest=1e7, dropout_rate=0.0, death_rate=0.0)
KINDS = [outcome for outcome in Outcome if outcome not in (Outcome.CURED, Outcome.NO_REMISSION)]


@pytest.fixture(scope="module")
def cohort() -> Cohort:
    return simulate(default_population(), 1280, seed=71)


def made_up(cohort: Cohort, outcome: np.ndarray, day: np.ndarray) -> Cohort:
    return replace(cohort, outcome=outcome.astype(np.int8), relapse_day=day)


def with_exponential_relapse(cohort: Cohort, rates: dict[Outcome, float], seed: int) -> Cohort:
    """Give every patient of `cohort` a relapse with constant hazards by kind."""
    rng = np.random.default_rng(seed)
    total = sum(rates.values())
    kind = rng.choice([int(k) for k in rates], cohort.size, p=[r / total for r in rates.values()])
    return made_up(cohort, kind, rng.exponential(1 / total, cohort.size))


def all_cured(cohort: Cohort) -> Cohort:
    return made_up(cohort, np.zeros(cohort.size), np.full(cohort.size, np.inf))


def test_every_outcome_but_cure_is_a_cause_of_the_same_name_and_number():
    for outcome in Outcome:
        if outcome is not Outcome.CURED:
            assert int(Cause[outcome.name]) == int(outcome)


def test_watched_for_ever_the_estimate_is_the_cumulative_incidence_of_the_cohort(cohort):
    seen = observe(cohort, WATCHED, np.random.default_rng(1))
    ends = [*KINDS, Outcome.NO_REMISSION]
    curves = aalen_johansen(seen.day, seen.cause, causes=[int(end) for end in ends])
    days = np.linspace(0.0, 2000.0, 41)
    for kind in ends:
        expected = cohort.cumulative_incidence(kind, days)
        assert curves.at(days, int(kind)) == pytest.approx(expected, abs=1e-12)
    cured, _ = cohort.share(Outcome.CURED)
    assert np.mean(seen.cause == Cause.CENSORED) == cured


def test_watched_for_ever_relapse_free_survival_is_that_of_the_cohort(cohort):
    outcome = cohort.outcome.copy()
    outcome[:100] = Outcome.NO_REMISSION
    some = made_up(cohort, outcome, np.where(np.arange(cohort.size) < 100, 0, cohort.relapse_day))
    seen = observe(some, WATCHED, np.random.default_rng(2))
    days = np.linspace(0.0, 2000.0, 41)
    remission = seen.in_remission()
    assert remission.size == np.sum(some.outcome != Outcome.NO_REMISSION)
    free = kaplan_meier(remission.day, remission.cause).event_free_at(days)
    assert free == pytest.approx(some.relapse_free(days), abs=1e-12)
    # Event-free survival counts everybody, and falls on day 0 by those without remission.
    event_free = kaplan_meier(seen.day, seen.cause).event_free_at(days)
    assert event_free[0] == pytest.approx(remission.size / some.size)
    assert event_free == pytest.approx(free * remission.size / some.size, abs=1e-12)


def test_cohorts_without_remission_have_no_remission_based_endpoint(cohort):
    nobody = made_up(cohort, np.full(cohort.size, 3), np.zeros(cohort.size))
    plan = FollowUp(shortest=1, longest=9, dropout_rate=5.0, death_rate=5.0)
    seen = observe(nobody, plan, np.random.default_rng(3))
    assert set(seen.cause) == {int(Cause.NO_REMISSION)}
    assert set(seen.day) == {0.0}
    with pytest.raises(ParameterError, match="no patient reached remission"):
        seen.in_remission()


def test_constant_hazards_give_the_analytic_competing_risks(cohort):
    large = Cohort(**{name: np.tile(value, 20) for name, value in vars(cohort).items()})
    h = {
        Outcome.ANTIGEN_POSITIVE: 1 / 400,
        Outcome.ANTIGEN_NEGATIVE: 1 / 700,
    }
    known = with_exponential_relapse(large, h, 4)
    plan = FollowUp(
        shortest=300, longest=900, dropout_rate=1 / 3000, death_rate=1 / 2000,
        transplant=Transplant(share=1.0, first_day=0.0, rate=1 / 500),
    )  # fmt: skip
    seen = observe(known, plan, np.random.default_rng(5))
    hazards = {
        Cause.ANTIGEN_POSITIVE: 1 / 400,
        Cause.ANTIGEN_NEGATIVE: 1 / 700,
        Cause.TRANSPLANT: 1 / 500,
        Cause.DEATH: 1 / 2000,
    }
    days = np.array([50.0, 200.0, 450.0, 800.0])

    def agree(observed: Observed, active: dict[Cause, float]) -> None:
        curves = aalen_johansen(observed.day, observed.cause)
        total = sum(active.values())
        for cause, hazard in active.items():
            exact = hazard / total * -np.expm1(-total * days)
            pull = (curves.at(days, int(cause)) - exact) / curves.std_error_at(days, int(cause))
            assert np.all(np.abs(pull) < 4)

    agree(seen, hazards)
    # Independent of relapse, transplant as censoring leaves the risks of a world without it.
    without = {cause: hazard for cause, hazard in hazards.items() if cause is not Cause.TRANSPLANT}
    agree(seen.censoring(Cause.TRANSPLANT), without)
    assert not np.any(seen.censoring(Cause.TRANSPLANT).cause == Cause.TRANSPLANT)


def test_data_cut_offs_are_spread_evenly_between_the_limits(cohort):
    plan = FollowUp(shortest=300, longest=900, dropout_rate=0, death_rate=0)
    seen = observe(all_cured(cohort), plan, np.random.default_rng(6))
    assert set(seen.cause) == {int(Cause.CENSORED)}
    assert kstest((seen.day - 300) / 600, "uniform").pvalue > 0.001


def test_dropouts_and_deaths_of_the_cured_are_exponential(cohort):
    everyone = all_cured(cohort)
    left = observe(everyone, replace(WATCHED, dropout_rate=0.01), np.random.default_rng(7))
    assert set(left.cause) == {int(Cause.CENSORED)}
    assert kstest(left.day * 0.01, "expon").pvalue > 0.001
    died = observe(everyone, replace(WATCHED, death_rate=0.02), np.random.default_rng(8))
    assert set(died.cause) == {int(Cause.DEATH)}
    assert kstest(died.day * 0.02, "expon").pvalue > 0.001


def test_transplants_start_on_their_day_and_reach_their_share_of_those_in_remission(cohort):
    plan = replace(WATCHED, transplant=Transplant(share=0.3, first_day=60, rate=0.1))
    seen = observe(all_cured(cohort), plan, np.random.default_rng(9))
    transplanted = seen.cause == Cause.TRANSPLANT
    assert abs(transplanted.mean() - 0.3) < 4 * np.sqrt(0.3 * 0.7 / cohort.size)
    assert kstest((seen.day[transplanted] - 60) * 0.1, "expon").pvalue > 0.001


def test_nobody_is_transplanted_after_relapse(cohort):
    plan = replace(WATCHED, transplant=Transplant(share=1.0, first_day=100, rate=1e6))
    seen = observe(cohort, plan, np.random.default_rng(10))
    early = cohort.relapse_day < 100
    assert early.any()
    assert np.array_equal(seen.day[early], cohort.relapse_day[early])
    assert np.array_equal(seen.cause[early], cohort.outcome[early])
    assert set(seen.cause[~early]) == {int(Cause.TRANSPLANT)}


def test_designs_are_compared_on_the_same_fortunes(cohort):
    plain = FollowUp(shortest=300, longest=900, dropout_rate=1e-3, death_rate=1e-3)
    grafted = replace(plain, transplant=Transplant(share=0.5, first_day=60, rate=0.02))
    one, two = (observe(cohort, plan, np.random.default_rng(11)) for plan in (plain, grafted))
    same = two.cause != Cause.TRANSPLANT
    assert 0 < same.sum() < cohort.size
    assert np.array_equal(one.day[same], two.day[same])
    assert np.array_equal(one.cause[same], two.cause[same])
    assert np.all(two.day <= one.day)


def test_a_relapse_on_the_day_of_the_cut_off_is_seen(cohort):
    known = made_up(cohort, np.full(cohort.size, 1), np.full(cohort.size, 365.0))
    plan = FollowUp(shortest=365, longest=365, dropout_rate=0, death_rate=0)
    seen = observe(known, plan, np.random.default_rng(12))
    assert set(seen.cause) == {int(Cause.ANTIGEN_POSITIVE)}


hazard = st.sampled_from([0.0, 1e-320, 1e-12, 1e-3, 1e3])


@given(hazard, hazard, st.floats(1e-3, 1e6), st.floats(1.0, 1e3), st.floats(0, 1))
def test_records_are_sound_whatever_the_follow_up(dropout, death, shortest, stretch, share):
    cohort = simulate(default_population(), 20, seed=72)
    plan = FollowUp(
        shortest=shortest, longest=shortest * stretch, dropout_rate=dropout, death_rate=death,
        transplant=Transplant(share=share, first_day=30, rate=0.01),
    )  # fmt: skip
    seen = observe(cohort, plan, np.random.default_rng(13))
    assert np.all((seen.day >= 0) & (seen.day <= shortest * stretch * (1 + 1e-12)))
    assert set(seen.cause) <= set(Cause)
    relapsed = np.isin(seen.cause, [int(kind) for kind in KINDS])
    assert np.array_equal(seen.cause[relapsed], cohort.outcome[relapsed])
    assert np.array_equal(seen.day[relapsed], cohort.relapse_day[relapsed])


def test_a_year_has_twelve_months():
    assert 12 * DAYS_PER_MONTH == 365.25


@pytest.mark.parametrize(
    ("call", "shown", "remedy"),
    [
        (lambda: replace(WATCHED, shortest=0), "shortest is 0", "data cut-off"),
        (lambda: replace(WATCHED, longest=np.inf), "longest is inf", "data cut-off"),
        (lambda: replace(WATCHED, longest=1), "longest is 1 and shortest", "exchange"),
        (lambda: replace(WATCHED, dropout_rate=-1), "dropout_rate is -1", "0 for nobody"),
        (lambda: replace(WATCHED, death_rate=np.nan), "death_rate is nan", "0 for nobody"),
        (lambda: replace(WATCHED, transplant=0.3), "transplant is 0.3", "give a Transplant"),
        (lambda: Transplant(share=1.1, first_day=0, rate=1), "share is 1.1", "to be transplanted"),
        (lambda: Transplant(share=1, first_day=-1, rate=1), "first_day is -1", "from infusion"),
        (lambda: Transplant(share=1, first_day=0, rate=0), "rate is 0", "leave it out"),
        (lambda: observe([1], WATCHED, np.random.default_rng()), "cohort is", "simulate"),
        (
            lambda: observe(simulate(default_population(), 2, seed=1), 365, None),
            "follow_up is 365",
            "give a FollowUp",
        ),
        (
            lambda: observe(simulate(default_population(), 2, seed=1), WATCHED, 7),
            "rng is 7",
            "default_rng",
        ),
        (
            lambda: Observed(day=np.ones(1), cause=np.ones(1, np.int8)).censoring(6),
            "cause is 6",
            "Cause.TRANSPLANT",
        ),
    ],
)
def test_bad_input_is_named_with_its_remedy(call, shown, remedy):
    with pytest.raises(ParameterError, match=shown) as caught:
        call()
    assert remedy in str(caught.value)
