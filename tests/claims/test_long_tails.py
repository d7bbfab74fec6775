"""Take-aways of the notebook *Long tails: cure is seen only where the curve stays flat*.

They are about designs, of which the ledger knows little: most are computed, or are a run of
virtual trials with one seed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from car_relapse.evidence import landmarks_of
from car_relapse.followup import Cause
from car_relapse.trial import competing_risks, sample_size, virtual
from tests.claims.registry import data_claim, model_claim

NEG, POS = Cause.ANTIGEN_NEGATIVE, Cause.ANTIGEN_POSITIVE
FADING = virtual.Biology.from_incidences({NEG: 0.5}, shape=virtual.Decay(8), horizon=24)
TRIAL = sample_size.Calendar(accrual=24, follow_up=24)


def _prefer_cure(follow_up: float, trials: int = 12) -> float:
    """Return the share of trials whose likelihood-ratio test prefers a law with a cured share."""
    arms = tuple(virtual.Arm(name=name, biology=FADING) for name in ("first", "second"))
    design = virtual.Trial(arms=arms, patients=120, follow_up=follow_up)
    preferred = 0
    for time, cause in zip(
        *virtual.generate(design, trials, seed=1).observed("policy"), strict=True
    ):
        cure = competing_risks.mixture_cure(time, cause, law="weibull")
        ends = np.where(cause > 0, time, np.inf)
        plain = competing_risks.time_law(time, ends, law="weibull")
        preferred += 2.0 * (cure.log_likelihood - plain.log_likelihood) > 3.84
    return preferred / trials


@data_claim("claim-long-tails-plateau")
def test_a_cured_share_is_found_only_when_follow_up_has_outlasted_the_events() -> None:
    early, late = _prefer_cure(9.0), _prefer_cure(36.0)
    assert early < 0.5, f"a cured share is found after 9 months in {early:.0%} of trials"
    assert late > 0.9, f"a cured share is found after 36 months in {late:.0%} of trials"


@model_claim("claim-long-tails-never", varies=("trial.decay",), at_least=0.8, draws=32)
def test_events_planned_for_a_constant_hazard_never_come_and_waiting_adds_hardly_any_power(
    ledger: Mapping[str, float],
) -> bool:
    """The plan and the truth agree in the share without event at two years, a half."""
    plan = sample_size.logrank_size(sample_size.constant_rate(0.5, 24), 0.6, TRIAL)
    patients = math.ceil(plan.patients)
    control = virtual.Biology.from_incidences(
        {NEG: 0.5}, shape=virtual.Decay(ledger["trial.decay"]), horizon=24
    )
    better = control.multiplied({NEG: 0.6})
    ever = patients * sum(float(1.0 - arm.event_free(1e6)) for arm in (control, better)) / 2
    first, last = (
        sample_size.rank_test(
            control, better, sample_size.Calendar(accrual=24, follow_up=months)
        ).power(patients)
        for months in (24.0, 240.0)
    )
    return ever < plan.events and last - first < 0.08


@data_claim("claim-long-tails-late")
def test_a_short_mean_pays_for_late_parting_and_a_late_weight_gains() -> None:
    needed = {}
    for delay in (0.0, 12.0):
        ends = (0.0, delay, delay + 12.0, math.inf) if delay else (0.0, 12.0, math.inf)
        late = virtual.Piecewise(breaks=ends, rates=(0.0, 1.0, 0.0) if delay else (1.0, 0.0))
        control = virtual.Biology.from_incidences(
            {NEG: 0.25, POS: 0.20}, shape={NEG: late, POS: virtual.Decay(4)}, horizon=48
        )
        dual = control.reaching({NEG: 0.10})
        mean = sample_size.difference_at(control, dual, TRIAL, 24, measure="restricted mean")
        weighted = sample_size.rank_test(control, dual, TRIAL, weights=(0.0, 1.0))
        plain = sample_size.rank_test(control, dual, TRIAL)
        needed[delay] = [test.patients() for test in (mean, weighted, plain)]
    mean, weighted, plain = (b / a for a, b in zip(needed[0.0], needed[12.0], strict=True))
    assert mean > 3.0
    assert weighted < 0.75
    assert 0.8 < plain < 1.25


@data_claim("claim-long-tails-visits")
def test_the_arm_that_is_visited_less_is_favoured_where_nothing_differs() -> None:
    often, seldom = (1, 2, 3, 4, 6, 8, 10, 12, 15, 18, 21, 24), (6, 12, 18, 24)
    arms = tuple(
        virtual.Arm(name=name, biology=FADING, visits=months)
        for name, months in (("control", often), ("experimental", seldom))
    )
    design = virtual.Trial(arms=arms, patients=400, follow_up=24)
    test = (virtual.Analysis(kind="log-rank"),)
    row = virtual.run(design, test, 1000, seed=11).table()[0]
    assert row.rejected - 0.05 > 4.0 * row.rejected_error
    assert row.rejected_below > 0.9 * row.rejected


@data_claim("claim-long-tails-eliana")
def test_elianas_curve_fell_more_before_month_12_than_in_two_years_after_it() -> None:
    efs = {
        row.month: row.value
        for key in ("eliana_primary", "eliana_3y")
        for row in landmarks_of(key, "EFS")
    }
    assert efs[6] - efs[12] > efs[12] - efs[36] > 0
