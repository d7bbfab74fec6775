"""Take-aways of the notebook *Two hundred responders can show less escape, and no benefit*."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from car_relapse import Outcome, calibrated_population, simulate
from car_relapse.followup import Cause
from car_relapse.trial.sample_size import (
    Calendar,
    constant_rate,
    difference_at,
    dual_biologies,
    rank_test,
)
from car_relapse.trial.virtual import Analysis, Arm, Biology, Decay, Trial, run
from tests.claims.registry import model_claim

NEGATIVE, POSITIVE, DEATH = Cause.ANTIGEN_NEGATIVE, Cause.ANTIGEN_POSITIVE, Cause.DEATH
OTHERS = ("trial.positive", "trial.death", "trial.decay", "trial.lost")
EVERY = ("trial.escape", "trial.escape_dual", *OTHERS)
MONTHS = 24.0


def planned(ledger: Mapping[str, float]) -> tuple[Biology, dict[str, Biology]]:
    """Return the control arm of a set of ledger values, and the stories of the dual arm."""
    control = Biology.from_incidences(
        {
            NEGATIVE: ledger["trial.escape"],
            POSITIVE: ledger["trial.positive"],
            DEATH: ledger["trial.death"],
        },
        shape=Decay(ledger["trial.decay"]),
        horizon=MONTHS,
    )
    stories = dual_biologies(control, escape=ledger["trial.escape_dual"])
    return control, {story.key: story.experimental for story in stories}


def calendar(ledger: Mapping[str, float]) -> Calendar:
    return Calendar(accrual=0.0, follow_up=MONTHS, loss=constant_rate(ledger["trial.lost"], 12.0))


@model_claim("claim-how-large-size", varies=OTHERS, at_least=1.0, draws=32)
def test_about_two_hundred_show_less_escape_in_every_story(ledger: Mapping[str, float]) -> bool:
    """By the incidence at two years and by Gray's test, from a quarter to a tenth, S1 to S6."""
    control, stories = planned(ledger)
    plan = calendar(ledger)
    sizes = []
    for key in ("S1", "S2", "S3", "S4", "S5", "S6"):
        pair = (control, stories[key], plan)
        sizes.append(difference_at(*pair, MONTHS, cause=NEGATIVE).patients())
        sizes.append(rank_test(*pair, cause=NEGATIVE, scale="subdistribution").patients())
    return min(sizes) > 185 and max(sizes) < 230


@model_claim("claim-how-large-benefit", varies=EVERY, at_least=0.8, draws=32)
def test_event_free_survival_needs_fewer_only_where_both_relapses_fall(
    ledger: Mapping[str, float],
) -> bool:
    """Fewer than the hazard of escape in S4; more in S1, S3 and S6; no number in S2."""
    control, stories = planned(ledger)
    plan = calendar(ledger)
    own = {
        key: rank_test(control, stories[key], plan, cause=NEGATIVE).patients()
        for key in ("S1", "S3", "S4", "S6")
    }
    every = {key: rank_test(control, stories[key], plan).patients() for key in (*own, "S2")}
    more = all(every[key] > own[key] for key in ("S1", "S3", "S6"))
    return more and every["S4"] < own["S4"] and every["S2"] == math.inf


@model_claim("claim-how-large-share", varies=EVERY, at_least=0.9, draws=32)
def test_the_share_of_relapses_rejects_most_where_patients_are_worst_off(
    ledger: Mapping[str, float],
) -> bool:
    """Among the stories in which escape falls alike: S5 before S1, and S4 last."""
    control, stories = planned(ledger)
    test = Analysis(kind="share", causes=(NEGATIVE,))
    found = {}
    for key in ("S1", "S4", "S5"):
        arms = (Arm(name="one", biology=control), Arm(name="two", biology=stories[key]))
        trial = Trial(arms=arms, patients=200, follow_up=MONTHS, lost_per_year=ledger["trial.lost"])
        found[key] = run(trial, (test,), 200, seed=1).table()[0].rejected
    free = {key: float(stories[key].event_free(MONTHS)) for key in found}
    return found["S5"] > found["S1"] > found["S4"] and free["S5"] < free["S1"] < free["S4"]


@model_claim("claim-how-large-gray", varies=EVERY, at_least=1.0, draws=32)
def test_gray_finds_less_escape_where_only_the_other_relapse_rises(
    ledger: Mapping[str, float],
) -> bool:
    """In S7 the hazards of escape are equal, and a thousand responders show less of it by Gray.

    More than twice as often as chance does in that direction.
    """
    control, stories = planned(ledger)
    pair = (control, stories["S7"], calendar(ledger))
    own = rank_test(*pair, cause=NEGATIVE)
    gray = rank_test(*pair, cause=NEGATIVE, scale="subdistribution")
    return own.patients() == math.inf and gray.mean < 0 and gray.power(1000) > 0.05


@model_claim(
    "claim-how-large-own-biology",
    varies=("calibrated.loss", "calibrated.half_level"),
    at_least=0.9,
    draws=32,
)
def test_a_weak_second_arm_halves_escape_and_gives_less_than_that(
    ledger: Mapping[str, float],
) -> bool:
    """The same virtual patients, of whom the responders to either product, by two years."""
    people = calibrated_population()
    loss = ledger["calibrated.loss"]
    losses = replace(people.losses, per_antigen=(loss,))
    killing = replace(people.killing, half_level=ledger["calibrated.half_level"])
    one = replace(people, losses=losses, killing=killing)
    both = replace(losses, per_antigen=(loss, loss))
    weak = replace(one, losses=both, engagement=(1.0, 0.1, 1.0, 0.0))
    escaped, relapsed = [], []
    for group in (one, weak):
        cohort = simulate(group, 600, seed=3)
        responded = cohort.outcome != Outcome.NO_REMISSION
        early = responded & (cohort.relapse_day <= MONTHS * 365.25 / 12)
        lost = np.isin(cohort.outcome, (Outcome.ANTIGEN_NEGATIVE, Outcome.PARTIAL_LOSS))
        escaped.append(np.sum(early & lost) / responded.sum())
        relapsed.append(np.sum(early) / responded.sum())
    prevented, gained = escaped[0] - escaped[1], relapsed[0] - relapsed[1]
    return bool(escaped[1] < 0.6 * escaped[0] and 0 < gained < prevented)
