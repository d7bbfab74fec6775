"""Simulated dose-finding trials against what is known exactly, and what each delay does."""

from __future__ import annotations

import math
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import ArrayLike
from scipy.stats import multivariate_normal, norm

from car_relapse.errors import ParameterError
from car_relapse.trial.dose import (
    BOIN,
    BOIN12,
    CRM,
    WAIT,
    Calendar,
    DoseData,
    DoseScenario,
    SimulatedTrials,
    ThreePlusThree,
    TiteBOIN,
    TiteCRM,
    WorkingModel,
    exact_characteristics,
    indifference_skeleton,
    simulate,
)

TOXICITY = (0.08, 0.15, 0.3, 0.5)
SCENARIO = DoseScenario(toxicity=TOXICITY)
MODEL = WorkingModel(skeleton=indifference_skeleton(0.3, 0.05, 2, 4))
CALENDAR = Calendar(accrual=2.0, window=1.0, manufacturing=0.75)


def _z(found: Any, expected: ArrayLike) -> float:
    return float(abs(found.value - expected) / found.std_error)


def _same(one: SimulatedTrials, two: SimulatedTrials, first: int | None = None) -> bool:
    cut = slice(None if first is None else first)
    return all(
        np.array_equal(getattr(one, f.name)[cut], getattr(two, f.name)[cut], equal_nan=True)
        for f in fields(SimulatedTrials)
        if f.name not in ("scenario", "seed", "months")
    ) and np.array_equal(one.months[cut], two.months[cut], equal_nan=True)


@pytest.mark.parametrize(
    ("design", "cohorts"),
    [
        (BOIN(target=0.3), 6),
        (ThreePlusThree(variant="confirm"), None),
        (ThreePlusThree(variant="stop"), None),
        (CRM(model=MODEL, target=0.3), 6),
        (TiteBOIN(target=0.3), 6),
    ],
)
def test_agrees_with_the_exact_characteristics(design: Any, cohorts: int | None) -> None:
    exact = exact_characteristics(design, TOXICITY, cohorts=cohorts)
    run = simulate(design, SCENARIO, cohorts=cohorts, seed=11, trials=2000)
    assert run.selected.sum() == pytest.approx(1.0)
    spread = np.sqrt(exact.selected * (1 - exact.selected) / 2000)
    assert np.all(np.abs(run.selected - exact.selected) <= 4 * spread + 1e-12)
    for record, treated, toxic in zip(run.records()[1:], exact.treated, exact.toxic, strict=True):
        assert _z(record.treated, treated) < 4
        assert _z(record.toxic, toxic) < 4
    assert _z(run.totals()["treated"], exact.patients) < 4 or run.treated.sum(axis=1).std() == 0
    assert _z(run.treated_above(0.3), exact.treated_above(TOXICITY, 0.3)) < 4


@pytest.mark.parametrize(
    "design", [BOIN(target=0.3), ThreePlusThree(), CRM(model=MODEL, target=0.3)]
)
def test_a_calendar_changes_no_decision_of_a_design_that_waits(design: Any) -> None:
    plain = simulate(design, SCENARIO, cohorts=8, seed=2, trials=150)
    slow = simulate(design, SCENARIO, cohorts=8, seed=2, trials=150, calendar=CALENDAR)
    assert np.all(np.isnan(plain.months))
    assert np.all(slow.months > 0)
    assert _same(plain, replace(slow, months=plain.months))


def test_trials_do_not_depend_on_their_number_nor_on_who_simulates_them() -> None:
    scenario = replace(SCENARIO, feasible=(0.9, 0.8, 0.6, 0.4))

    def run(trials: int, **more: Any) -> SimulatedTrials:
        return simulate(TiteBOIN(target=0.3), scenario, cohorts=3, seed=5, trials=trials,
                        calendar=CALENDAR, **more)  # fmt: skip

    long = run(1300)
    assert _same(run(40), long, 40)
    assert _same(run(1300, workers=2), long)


def test_two_designs_treat_the_same_patients() -> None:
    one = simulate(BOIN(target=0.3), SCENARIO, cohorts=4, seed=3, trials=500)
    two = simulate(BOIN(target=0.25), SCENARIO, cohorts=4, seed=3, trials=500)
    three = simulate(BOIN(target=0.25), SCENARIO, cohorts=4, seed=4, trials=500)
    # The first cohort is at the lowest level in both.
    difference = one.selection_difference(two)
    assert [d.value for d in difference] == pytest.approx((one.selected - two.selected).tolist())
    apart = np.hypot(one.selected_std_error, three.selected_std_error)
    paired = np.array([d.std_error for d in difference])
    assert paired[1:].sum() < 0.8 * apart[1:].sum()
    assert one.selection_difference(one)[2].std_error == 0.0
    with pytest.raises(ParameterError, match="seed"):
        one.selection_difference(three)


# ------------------------------------------------------------------- time


def test_one_patient_takes_as_long_as_his_parts() -> None:
    run = simulate(BOIN(target=0.3), SCENARIO, cohorts=1, cohort_size=1, seed=1, trials=2000,
                   calendar=CALENDAR)  # fmt: skip
    assert run.months.min() > 1.75
    assert _z(run.totals()["months"], 1 / 2.0 + 0.75 + 1.0) < 4
    # The wait for the first patient is exponential.
    assert np.mean(run.months > 1.75 + math.log(2) / 2) == pytest.approx(0.5, abs=0.045)


@pytest.mark.parametrize(
    ("gaps", "months"),
    [
        ({}, 1.0),
        ({"between": 0.5}, 4 * 0.5 + 1.0),
        ({"after_first": 0.9}, 0.9 + 1.0),
        ({"between": 0.5, "after_first": 0.9}, 0.9 + 3 * 0.5 + 1.0),
    ],
)
def test_staggered_infusions_take_their_time(gaps: dict[str, float], months: float) -> None:
    calendar = Calendar(accrual=1e9, window=1.0, **gaps)
    run = simulate(BOIN(target=0.3), SCENARIO, cohorts=1, cohort_size=5, seed=1, trials=5,
                   calendar=calendar)  # fmt: skip
    assert run.months == pytest.approx(months, abs=1e-6)


def test_waiting_for_everybody_takes_a_window_per_cohort_and_tite_less() -> None:
    # No toxicity: every cohort is followed to the end of the window.
    scenario = DoseScenario(toxicity=(0.0, 0.0, 0.0))
    calendar = Calendar(accrual=1e9, window=1.0)
    kept = simulate(BOIN(target=0.3), scenario, cohorts=4, seed=1, trials=5, calendar=calendar)
    assert kept.months == pytest.approx(4.0, abs=1e-6)
    tite = simulate(TiteCRM(model=WorkingModel(skeleton=(0.1, 0.2, 0.3)), target=0.3), scenario,
                    cohorts=4, seed=1, trials=5, calendar=calendar)  # fmt: skip
    assert tite.months == pytest.approx(1.0, abs=1e-6)


def test_after_a_wait_the_next_patient_is_waited_for() -> None:
    # Six patients who come one after the other, and two windows.
    scenario = DoseScenario(toxicity=(0.0,), response=(1.0,))
    run = simulate(BOIN12(), scenario, cohorts=2, seed=1, trials=2000,
                   calendar=Calendar(accrual=2.0, window=1.0))  # fmt: skip
    assert _z(run.totals()["months"], 6 / 2.0 + 2 * 1.0) < 4


def test_nobody_is_waited_for_whose_outcome_decides_nothing() -> None:
    # With one level and no toxicity so far, the last of three cannot end a 3+3 trial.
    scenario = DoseScenario(toxicity=(0.0,))
    run = simulate(ThreePlusThree(), scenario, cohorts=2, seed=1, trials=2000,
                   calendar=Calendar(accrual=2.0, window=1.0))  # fmt: skip
    assert run.totals()["months"].value < 6 / 2.0 + 2 * 1.0 - 0.3


@pytest.mark.parametrize("late", [0.0, 0.2, 0.5, 0.9])
def test_the_share_of_late_toxicities_is_as_asked(late: float) -> None:
    month = Calendar(accrual=1.0, window=2.0, late=late)._toxicity_month(
        (np.arange(10_000) + 0.5) / 10_000
    )
    assert np.mean(month > 1.0) == pytest.approx(late, abs=1e-3)
    assert np.all((month >= 0) & (month <= 2.0))


def test_late_toxicity_lets_a_hasty_design_overdose() -> None:
    runs = {
        late: simulate(
            TiteCRM(model=MODEL, target=0.3), SCENARIO, cohorts=6, seed=9, trials=400,
            calendar=Calendar(accrual=6.0, window=2.0, late=late),
        )
        for late in (0.05, 0.95)
    }  # fmt: skip
    over = {late: run.treated_above(0.3) for late, run in runs.items()}
    gap = over[0.95].value - over[0.05].value
    assert gap > 4 * math.hypot(over[0.05].std_error, over[0.95].std_error)


# ------------------------------------------------------------------- product


def test_failed_products_cost_patients_by_the_negative_binomial() -> None:
    scenario = DoseScenario(toxicity=(0.0, 0.0), feasible=(0.8, 0.8))
    run = simulate(BOIN(target=0.3), scenario, cohorts=4, seed=7, trials=2000)
    totals = run.totals()
    assert np.all(run.treated.sum(axis=1) == 12)
    assert np.array_equal(run.enrolled, run.failed + 12)
    assert _z(totals["enrolled"], 12 / 0.8) < 4
    assert run.enrolled.var() == pytest.approx(12 * 0.2 / 0.8**2, rel=0.15)
    assert totals["underdosed"].value == 0


def test_a_failure_costs_the_months_of_manufacturing_and_of_the_next_patient() -> None:
    scenario = DoseScenario(toxicity=(0.0,), feasible=(0.5,))
    run = simulate(BOIN(target=0.3), scenario, cohorts=1, cohort_size=1, seed=7, trials=2000,
                   calendar=CALENDAR)  # fmt: skip
    assert _z(run.totals()["months"], 2 * (0.5 + 0.75) + 1.0) < 4


def test_patients_are_reported_at_the_level_that_they_received() -> None:
    scenario = DoseScenario(toxicity=(0.0, 0.0, 1.0), feasible=(1.0, 1.0, 0.0))
    for rule in ("received", "planned"):
        run = simulate(BOIN(target=0.3), scenario, cohorts=4, seed=1, trials=20,
                       underdosed=rule)  # fmt: skip
        assert run.treated[:, 2].sum() == 0
        assert run.toxic.sum() == 0
        assert run.underdosed.sum() == (2 * 3 * 20)
    # Nobody received level 3: what is counted as planned recommends it all the same.
    assert set(run.recommended.tolist()) == {3}


def test_rules_for_smaller_products_differ_as_they_should() -> None:
    scenario = DoseScenario(toxicity=(0.05, 0.15, 0.45), feasible=(1.0, 0.8, 0.4))

    def run(rule: Any, design: Any = None) -> SimulatedTrials:
        chosen = BOIN(target=0.3) if design is None else design
        trials = 1000 if design is None else 200
        return simulate(chosen, scenario, cohorts=6, seed=13, trials=trials, underdosed=rule)

    full = simulate(BOIN(target=0.3), replace(scenario, feasible=None), cohorts=6, seed=13,
                    trials=1000)  # fmt: skip
    planned, exclude, received = run("planned"), run("exclude"), run("received")
    # Toxicity that was never given looks like safety.
    assert planned.selected[3] > full.selected[3] + 4 * full.selected_std_error[3]
    # Those who are left out are replaced: as many count, and more are treated.
    assert np.all(exclude.treated.sum(axis=1) - exclude.underdosed <= 18)
    assert exclude.treated.sum() > received.treated.sum()
    lost = exclude.selected[3] - full.selected[3]
    assert abs(lost) < 4 * np.hypot(exclude.selected_std_error[3], full.selected_std_error[3])
    skeleton = WorkingModel(skeleton=indifference_skeleton(0.3, 0.05, 2, 3))
    weight, none, all_ = (
        simulate(TiteCRM(model=skeleton, target=0.3), scenario, cohorts=6, seed=13, trials=200,
                 underdosed="weight", underdose_weight=w)
        for w in (0.5, 0.0, 1.0)
    )  # fmt: skip
    as_planned = run("planned", TiteCRM(model=skeleton, target=0.3))
    assert all_.recommended.tolist() == as_planned.recommended[:200].tolist()
    assert none.selected[3] < weight.selected[3] < all_.selected[3]


def test_weighted_patients_never_block_a_trial() -> None:
    scenario = DoseScenario(toxicity=(0.0, 0.1, 0.2), feasible=(1.0, 0.3, 0.0))
    run = simulate(TiteBOIN(target=0.3), scenario, cohorts=6, seed=1, trials=50,
                   underdosed="weight", calendar=CALENDAR)  # fmt: skip
    assert np.all(run.treated.sum(axis=1) == 18)


def test_a_trial_without_patients_left_ends() -> None:
    scenario = DoseScenario(toxicity=(0.0, 0.0), feasible=(1.0, 0.0))
    run = simulate(BOIN(target=0.3), scenario, cohorts=6, seed=1, trials=30, underdosed="exclude",
                   most_enrolled=40)  # fmt: skip
    assert np.all(run.exhausted)
    assert not run.stopped.any()
    assert np.all(run.enrolled == 40)
    assert set(run.recommended.tolist()) == {1}


# ------------------------------------------------------------------- response


@pytest.mark.parametrize("correlation", [-0.6, 0.0, 0.7, 1.0])
def test_toxicity_and_response_have_their_margins_and_correlation(correlation: float) -> None:
    scenario = DoseScenario(toxicity=(0.3,), response=(0.6,), correlation=correlation)
    u = np.random.default_rng(1).random((2, 40_000))
    toxic, responds = scenario._outcomes(np.ones(40_000, dtype=int), *u)
    assert toxic.mean() == pytest.approx(0.3, abs=0.01)
    assert responds.mean() == pytest.approx(0.6, abs=0.01)
    both = 0.3
    if correlation < 1.0:
        law = multivariate_normal(mean=[0, 0], cov=[[1, correlation], [correlation, 1]])
        both = float(law.cdf(norm.ppf([0.3, 0.6])))
    assert np.mean(toxic & responds) == pytest.approx(both, abs=0.01)


def test_boin12_finds_the_start_of_the_plateau_and_boin_does_not() -> None:
    scenario = DoseScenario(toxicity=(0.02, 0.05, 0.1, 0.15), response=(0.2, 0.65, 0.65, 0.65))
    for calendar in (None, CALENDAR):
        both = simulate(BOIN12(), scenario, cohorts=10, seed=21, trials=300, calendar=calendar)
        assert both.selected[2] > 0.5
    safe = simulate(BOIN(target=0.35), scenario, cohorts=10, seed=21, trials=300)
    assert safe.selected[4] > 0.8
    # Response is known only when the window has passed, so each cohort takes one.
    assert both.months.min() > 10 * 1.0


def test_responses_are_counted() -> None:
    scenario = DoseScenario(toxicity=(0.0, 0.0), response=(1.0, 0.5))
    run = simulate(BOIN(target=0.3), scenario, cohorts=3, seed=1, trials=400)
    assert np.array_equal(run.responses[:, 0], run.treated[:, 0])
    assert _z(run.records()[2].responses, 6 * 0.5) < 4
    assert run.totals()["responses"].value == pytest.approx(run.responses.sum() / 400)


# ------------------------------------------------------------------- errors


class _Waits:
    """A design that never makes up its mind."""

    def next_level(self, data: DoseData, current: ArrayLike) -> Any:
        return np.full(data.treated.shape[:-1], WAIT)

    def recommend(self, data: DoseData) -> Any:
        return np.zeros(data.treated.shape[:-1], dtype=int)


class _TooHigh(_Waits):
    def next_level(self, data: DoseData, current: ArrayLike) -> Any:
        return np.full(data.treated.shape[:-1], data.levels + 1)


def _simulate(**changed: Any) -> Any:
    known: dict[str, Any] = {"design": BOIN(target=0.3), "scenario": SCENARIO, "cohorts": 3}
    return simulate(**{**known, "seed": 1, "trials": 10, **changed})


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: DoseScenario(toxicity=0.3), "must be a list"),
        (lambda: DoseScenario(toxicity=()), "list of numbers"),
        (lambda: DoseScenario(toxicity=(0.1, 1.2)), r"\[0, 1\]"),
        (lambda: DoseScenario(toxicity=(0.1,), response=(0.1, 0.2)), "as many"),
        (lambda: DoseScenario(toxicity=(0.1, 0.2), feasible=(0.5, 0.6)), "not rise"),
        (lambda: DoseScenario(toxicity=(0.1,), feasible=(0.0,)), "begins with 0"),
        (lambda: DoseScenario(toxicity=(0.1,), correlation=1.5), r"\[-1, 1\]"),
        (lambda: Calendar(accrual=0.0, window=1.0), "accrual"),
        (lambda: Calendar(accrual=1.0, window=1.0, late=1.0), "late"),
        (lambda: Calendar(accrual=1.0, window=1.0, between=-1.0), "between"),
        (lambda: _simulate(design=3), "Design"),
        (lambda: _simulate(scenario=TOXICITY), "DoseScenario"),
        (lambda: _simulate(calendar=2.0), "Calendar"),
        (lambda: _simulate(cohorts=0), "cohorts"),
        (lambda: _simulate(start=5), "start"),
        (lambda: _simulate(trials=0), "trials"),
        (lambda: _simulate(seed=-1), "seed"),
        (lambda: _simulate(underdosed="ignored"), "one of received"),
        (lambda: _simulate(underdosed="weight"), "TiteCRM or TiteBOIN"),
        (lambda: _simulate(underdose_weight=2.0), "underdose_weight"),
        (lambda: _simulate(most_enrolled=0), "most_enrolled"),
        (lambda: _simulate(workers=1, client=object()), "not both"),
        (lambda: _simulate(design=BOIN12()), "asks for responses"),
        (lambda: _simulate(design=_Waits()), "everybody has been followed"),
        (lambda: _simulate(design=_TooHigh()), "answers 5"),
        (lambda: _simulate().treated_above(2.0), "limit"),
        (lambda: _simulate().selection_difference(3), "what simulate returns"),
        (
            lambda: _simulate().selection_difference(
                _simulate(scenario=DoseScenario(toxicity=(0.1, 0.2)))
            ),
            "levels",
        ),
    ],
)
def test_bad_input_is_named(make: Any, words: str) -> None:
    with pytest.raises(ParameterError, match=words):
        make()
