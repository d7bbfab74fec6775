"""Take-aways of the notebook *Time spent waiting for a transplant is no effect of it*."""

from __future__ import annotations

import math

import numpy as np

from car_relapse.evidence import landmarks_of
from car_relapse.figures.transplant_and_time import (
    immortal_trials,
    incidences_by_strategy,
    transplant_trial,
)
from car_relapse.followup import Cause
from car_relapse.trial import virtual
from car_relapse.trial.sample_size import two_proportions
from tests.claims.registry import data_claim

FAR = 4.0  # Monte Carlo standard errors
TRIALS = 1000


@data_claim("claim-transplant-and-time-immortal")
def test_only_ever_against_never_finds_an_effect_of_a_useless_transplant() -> None:
    worlds = immortal_trials(TRIALS, seed=7)
    time, cause = worlds.observed("policy")
    seen = (time, cause > 0, worlds.transplanted())
    ever = virtual.transplant_ratios(*seen, "ever")
    assert ever.mean_ratio < 0.5
    assert np.mean(ever.p_value < 0.05) > 0.8
    for found in (
        virtual.transplant_ratios(*seen, "landmark", landmark=6.0),
        virtual.transplant_ratios(*seen, "time-dependent"),
    ):
        error = float(np.nanstd(found.log_ratio)) / math.sqrt(TRIALS)
        # Few events follow a transplant, which moves the mean log ratio a little below 0.
        assert abs(math.log(found.mean_ratio)) < FAR * error + 0.03
        assert abs(np.mean(found.p_value < 0.05) - 0.05) < FAR * math.sqrt(0.05 * 0.95 / TRIALS)


@data_claim("claim-transplant-and-time-sequential")
def test_those_who_reach_a_useless_second_infusion_lie_above_the_control() -> None:
    for shape in (virtual.Decay(8.0), virtual.Constant(), virtual.Weibull(1.5)):
        control = virtual.Biology.from_incidences(
            {Cause.ANTIGEN_NEGATIVE: 0.25, Cause.DEATH: 0.25}, shape=shape, horizon=24.0
        )
        free = float(control.event_free(24.0))
        months = np.array([1.0, 2.0, 4.0, 8.0])
        reached = free / control.event_free(months)
        assert reached[0] > free
        assert (np.diff(reached) > 0).all()


@data_claim("claim-transplant-and-time-estimands")
def test_the_estimand_moves_the_effect_by_a_quarter_and_the_size_by_a_half() -> None:
    found = incidences_by_strategy(transplant_trial())
    gap = {key: share[0] - share[1] for key, (share, _) in found.items()}
    size = {key: two_proportions(*share).patients for key, (share, _) in found.items()}
    assert gap["competing"] < 0.75 * gap["censored"]
    assert gap["competing"] < gap["policy"] < gap["censored"]
    assert size["competing"] > 1.5 * size["censored"]
    assert size["censored"] > 1.5 * size["composite"]


@data_claim("claim-transplant-and-time-dependent")
def test_censoring_understates_relapse_only_when_those_at_risk_are_transplanted() -> None:
    for dependence in (0.0, 0.5):
        found = incidences_by_strategy(
            transplant_trial(dependence=dependence), cause=Cause.ANTIGEN_POSITIVE
        )
        (truth, _), (error, _) = found["without"]
        (censored, _), (spread, _) = found["censored"]
        far = FAR * math.hypot(error, spread)
        assert abs(censored - truth) < far if dependence == 0.0 else censored < truth - far


@data_claim("claim-transplant-and-time-eliana")
def test_eliana_is_higher_with_censoring_than_without() -> None:
    rows = landmarks_of("eliana_3y", "RFS")
    value = {row.subset.partition("; ")[2]: row.value for row in rows}
    assert (
        value["with censoring for subsequent therapy"]
        > value["without censoring for subsequent therapy"]
    )
