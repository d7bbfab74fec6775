"""Patients of virtual trials: their biology, their calendar, their transplants."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from virtual_trials import CONTROL, DEATH, DUAL, FAR, NEGATIVE, POSITIVE, SCT, WHOLE, pair, trial

from car_relapse import ParameterError
from car_relapse.followup import Cause
from car_relapse.incidence import aalen_johansen
from car_relapse.trial.example_trials import example_trial
from car_relapse.trial.virtual import (
    Arm,
    Biology,
    Frailty,
    Piecewise,
    generate,
    transplant_ratios,
)


def test_patients_have_the_incidences_of_their_biology() -> None:
    worlds = generate(trial(400, **WHOLE), 200, seed=1)
    time, cause = worlds.observed("policy")
    for group, biology in enumerate((CONTROL, DUAL)):
        mine = worlds.group == group
        n = cause[:, mine].size
        for month in (3.0, 12.0, 24.0):
            for code, share in zip(biology.causes, biology.incidence(month), strict=True):
                found = np.mean((cause[:, mine] == code) & (time[:, mine] <= month))
                assert found == pytest.approx(share, abs=FAR * math.sqrt(share / n))


def test_calendar_and_loss_end_follow_up_as_stated() -> None:
    nobody = CONTROL.multiplied(dict.fromkeys(CONTROL.causes, 0.0))
    design = trial(200, pair(nobody, nobody), lost_per_year=0.10, longest=20.0)
    time, cause = generate(design, 500, seed=2).observed("policy")
    assert not cause.any()
    assert time.max() == 20.0 == design.last_month
    lost = np.mean(time < 12.0)
    assert lost == pytest.approx(0.10, abs=FAR * math.sqrt(0.09 / time.size))
    # Entry is even over 12 months: after 16 months a third of those not lost is cut off.
    assert np.mean(time > 16.0) == pytest.approx((2 / 3) * 0.9 ** (16 / 12), abs=0.01)


def test_arms_have_their_sizes() -> None:
    arms = (*pair(), Arm(name="sequential", biology=DUAL, allocation=2.0))
    assert trial(101, arms).sizes == (25, 25, 51)
    assert sum(trial(7, arms).sizes) == 7
    large = Arm(name="large", biology=DUAL, allocation=1e6)
    assert trial(6, (*pair(), large)).sizes == (2, 2, 2)
    assert trial(9, (*pair(), large)).sizes == (2, 2, 5)


def test_the_first_trials_of_a_block_do_not_depend_on_how_many_follow() -> None:
    few, many = (generate(trial(arms=pair(transplant=SCT)), n, seed=3) for n in (7, 50))
    for name in ("time", "cause", "transplant", "time_after", "cause_after", "cut_off"):
        np.testing.assert_array_equal(getattr(few, name), getattr(many, name)[:7])


def test_a_change_of_the_plan_does_not_shift_the_draws_of_the_biology() -> None:
    changed = trial(arms=pair(transplant=SCT, response=0.9), accrual=0.0)
    plain, other = (generate(t, 20, seed=4) for t in (trial(), changed))
    responded = other.cause != Cause.NO_REMISSION
    assert 0.85 < responded.mean() < 0.95
    np.testing.assert_array_equal(plain.time[responded], other.time[responded])


def test_transplant_changes_what_is_estimated() -> None:
    arms = pair(dual=CONTROL, transplant=SCT)
    worlds = generate(trial(1000, arms, **WHOLE), 100, seed=10)
    shares = {}
    for estimand in ("policy", "composite", "hypothetical", "competing", "without"):
        time, cause = worlds.observed(estimand)  # type: ignore[arg-type]
        curves = aalen_johansen(time.ravel(), cause.ravel())
        shares[estimand] = float(curves.at(24, int(NEGATIVE)))
    # The reference table on transplants, a hundred thousand patients against its million.
    tolerance = FAR * math.sqrt(0.25 * 0.75 / 1e5)
    assert shares["without"] == pytest.approx(0.25, abs=tolerance)
    assert shares["hypothetical"] == pytest.approx(0.25, abs=tolerance)
    assert shares["policy"] == pytest.approx(0.215361, abs=tolerance)
    assert shares["competing"] == pytest.approx(0.198705, abs=tolerance)
    assert shares["composite"] == shares["competing"]


def test_censoring_at_a_transplant_is_biased_where_it_depends_on_risk() -> None:
    frail = replace(CONTROL, frailty=Frailty(cause=POSITIVE, log_sd=0.8))
    truth = float(frail.incidence(24)[1])
    found = {}
    for dependence in (0.0, 0.5):
        policy = replace(SCT, dependence=dependence)
        design = trial(1000, pair(frail, frail, transplant=policy), **WHOLE)
        time, cause = generate(design, 100, seed=11).observed("hypothetical")
        curves = aalen_johansen(time.ravel(), cause.ravel())
        found[dependence] = float(curves.at(24, int(POSITIVE)))
    assert found[0.0] == pytest.approx(truth, abs=FAR * math.sqrt(0.2 / 1e5))
    assert found[0.5] < truth - 0.008


def test_a_transplant_without_effect_changes_no_event() -> None:
    idle = replace(SCT, relapse_ratio=1.0, mortality=0.0)
    worlds = generate(trial(arms=pair(transplant=idle)), 50, seed=12)
    assert np.isfinite(worlds.transplanted()).any()
    np.testing.assert_array_equal(worlds.time, worlds.time_after)
    np.testing.assert_array_equal(worlds.cause, worlds.cause_after)


def test_a_transplant_that_ends_relapse_and_kills_leaves_deaths_alone() -> None:
    deadly = replace(SCT, relapse_ratio=0.0, mortality=1.0, mortality_months=1.0)
    worlds = generate(trial(arms=pair(transplant=deadly)), 50, seed=12)
    had = np.isfinite(worlds.transplant)
    assert had.any()
    assert (worlds.cause_after[had] == DEATH).all()
    assert np.all(worlds.time_after[had] <= worlds.transplant[had] + 1.0)
    np.testing.assert_array_equal(worlds.time[~had], worlds.time_after[~had])


def test_visits_delay_relapse_and_not_death() -> None:
    exact, seen = (
        generate(trial(arms=pair(visits=v)), 50, seed=13) for v in (None, (1.0, 3.0, 6.0))
    )
    relapsed = np.isin(exact.cause, (NEGATIVE, POSITIVE))
    assert np.all(np.isin(seen.time[relapsed], [1, 3, *range(6, 9999, 3)]))
    late = seen.time[relapsed] - exact.time[relapsed]
    assert np.all((late >= 0.0) & (late < 3.0))
    died = exact.cause == DEATH
    np.testing.assert_array_equal(seen.time[died], exact.time[died])
    np.testing.assert_array_equal(seen.cause, exact.cause)
    # A relapse that no visit has found yet is found at the work-up: nobody is transplanted in it.
    busy = generate(trial(arms=pair(visits=(1.0, 12.0), transplant=SCT)), 50, seed=13)
    assert not np.any(np.isfinite(busy.transplant) & (exact.time <= busy.transplant))
    caught = (busy.time > 1.0) & (busy.time < 12.0) & np.isin(busy.cause, (NEGATIVE, POSITIVE))
    assert caught.any()
    assert np.all((busy.time[caught] >= SCT.first) & (busy.time[caught] <= SCT.last))


@pytest.mark.parametrize(("as_", "code"), [("positive", POSITIVE), ("dropped", Cause.CENSORED)])
def test_an_untested_relapse_is_counted_as_the_trial_says(as_: str, code: Cause) -> None:
    worlds = generate(trial(arms=pair(untested=0.4), untested_as=as_), 200, seed=14)
    known = generate(trial(), 200, seed=14)
    escaped = known.cause == NEGATIVE
    hidden = worlds.cause[escaped] == code
    assert hidden.mean() == pytest.approx(0.4, abs=FAR * math.sqrt(0.24 / escaped.sum()))
    assert set(worlds.cause[escaped].tolist()) == {int(NEGATIVE), int(code)}
    np.testing.assert_array_equal(worlds.cause == DEATH, known.cause == DEATH)
    np.testing.assert_array_equal(worlds.time, known.time)


def test_immortal_time_makes_a_useless_transplant_look_good() -> None:
    idle = replace(SCT, last=6.0, share=0.3, relapse_ratio=1.0, mortality=0.0)
    worlds = generate(trial(200, pair(dual=CONTROL, transplant=idle), **WHOLE), seed=22)
    time, cause = worlds.observed("policy")
    seen = (time, cause > 0, worlds.transplanted())
    ever = transplant_ratios(*seen, "ever")
    assert 0.40 < ever.mean_ratio < 0.52
    assert np.mean(ever.p_value < 0.05) > 0.7
    fair = (
        transplant_ratios(*seen, "landmark", landmark=6),
        transplant_ratios(*seen, "time-dependent"),
    )
    for found in fair:
        error = np.nanstd(found.log_ratio) / math.sqrt(1000)
        # The mean log ratio of trials of this size is a little below 0.
        assert abs(math.log(found.mean_ratio)) < FAR * error + 0.03
        assert np.mean(found.p_value < 0.05) == pytest.approx(0.05, abs=FAR * 0.007)


def test_comparisons_of_transplants_are_those_of_cox_models() -> None:
    example = example_trial("cr_200")
    seen = (example.time[None], example.cause[None] > 0, example.transplant[None])
    # R's survival package, as in the reference table; its ties are Efron's, which matter for one.
    found = transplant_ratios(*seen, "landmark", landmark=6)
    assert found.log_ratio[0] == pytest.approx(-0.1253119911, abs=1e-8)
    assert found.std_error[0] == pytest.approx(0.3667690738, abs=1e-8)
    found = transplant_ratios(*seen, "time-dependent")
    assert found.log_ratio[0] == pytest.approx(-0.07166381965, abs=1e-8)
    assert found.std_error[0] == pytest.approx(0.3062605313, abs=1e-8)
    found = transplant_ratios(*seen, "ever")
    assert found.log_ratio[0] == pytest.approx(-0.8439058438, abs=1e-3)


def test_a_trial_that_tells_nothing_of_transplants_has_no_ratio() -> None:
    never = np.inf
    found = transplant_ratios(
        [[1.0, 2.0, 3.0], [1.0, 2.0, 3.0]],
        [[1, 1, 0], [0, 0, 0]],
        [[never, never, 0.5], [0.5, never, never]],
        "ever",
    )
    assert np.isnan(found.log_ratio).all()
    assert math.isnan(found.mean_ratio)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: trial(3), "patients is 3; it must be a whole number from 4"),
        (lambda: trial(arms=pair()[:1]), "2 to 10 arms"),
        (lambda: trial(arms=(pair()[0],) * 2), "each has a name of its own"),
        (lambda: trial(lost_per_year=1.0), "lost_per_year is 1"),
        (lambda: trial(untested_as="negative"), "untested_as is 'negative'"),
        (lambda: trial(longest=0), "longest is 0"),
        (lambda: Arm(name="", biology=CONTROL), "name is ''"),
        (lambda: Arm(name="a", biology=CONTROL, response=0), "response is 0"),
        (lambda: Arm(name="a", biology=CONTROL, visits=(3, 1)), "it must ascend"),
        (lambda: Arm(name="a", biology=CONTROL, visits=()), "must be a tuple of months"),
        (
            lambda: Arm(name="a", biology=CONTROL, transplant=replace(SCT, dependence=0.5)),
            "the biology has no frailty",
        ),
        (lambda: replace(SCT, last=1.0), "transplants end after they begin"),
        (lambda: replace(SCT, share=0.8, dependence=0.5), "nobody has a share above 1"),
        (
            lambda: trial(
                arms=pair(
                    Biology.from_hazards({DEATH: 1}, shape=Piecewise((0, 12), (1,)), horizon=12)
                )
            ),
            "known until month 12",
        ),
        (lambda: generate(trial(), 2000, seed=1), "trials is 2000"),
        (lambda: generate(trial(), 2, seed=1).observed("ideal"), "estimand is 'ideal'"),  # type: ignore[arg-type]
        (
            lambda: transplant_ratios([[1.0]], [[1]], [[1.0]], "ever", landmark=3),
            "the others have none",
        ),
        (lambda: transplant_ratios([1.0], [1], [1.0], "ever"), "trials by patients"),
        (lambda: transplant_ratios([[1.0]], [[1]], [[-1.0]], "ever"), "transplant is negative"),
        (lambda: transplant_ratios([[1.0]], [[1]], [[1.0]], "cox"), "comparison is 'cox'"),  # type: ignore[arg-type]
    ],
)
def test_errors_name_value_rule_and_remedy(make: object, words: str) -> None:
    with pytest.raises(ParameterError, match=words):
        make()  # type: ignore[operator]
