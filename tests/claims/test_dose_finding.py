"""Take-aways of *Where toxicity hardly rises, a toxicity rule finds the highest dose*."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import numpy as np

from car_relapse.figures import dose_truths, plateau_doses
from car_relapse.followup import DAYS_PER_MONTH
from car_relapse.trial.dose import (
    BOIN,
    BOIN12,
    Calendar,
    Design,
    DoseScenario,
    SimulatedTrials,
    ThreePlusThree,
    TiteBOIN,
    exact_characteristics,
    simulate,
)
from tests.claims.registry import model_claim

TRIALS = 400
THIRD = DoseScenario(toxicity=dose_truths()["third"])


def _simulated(
    design: Design,
    scenario: DoseScenario = THIRD,
    cohorts: int = 6,
    trials: int = TRIALS,
    **options: Any,
) -> SimulatedTrials:
    return simulate(design, scenario, cohorts=cohorts, seed=3, trials=trials, **options)


def _selected(design: Design, toxicity: object, cohorts: int | None = None) -> np.ndarray:
    return exact_characteristics(design, toxicity, cohorts=cohorts).selected


def _found(design: Design, levels: int, cohorts: int | None = None) -> float:
    """Return the mean toxicity of the recommended level on a ladder from rare to frequent."""
    ladder = np.linspace(0.05, 0.6, levels)
    chosen = _selected(design, ladder, cohorts)[1:]
    return float(chosen @ ladder / chosen.sum())


@functools.cache
def _three_plus_three() -> tuple[float, ...]:
    variants = (ThreePlusThree(variant="stop"), ThreePlusThree(variant="confirm"))
    return tuple(_found(design, levels) for design in variants for levels in range(3, 9))


@model_claim("claim-dose-finding-target", varies=("dose.target",), at_least=1.0, draws=32)
def test_three_plus_three_finds_a_fifth_and_boin_its_target(ledger: Mapping[str, float]) -> bool:
    """From three to eight levels; BOIN within five hundredths on four and on six."""
    aim = ledger["dose.target"]
    near = [abs(_found(BOIN(target=aim), levels, 8) - aim) < 0.05 for levels in (4, 6)]
    return all(0.15 < found < 0.22 for found in _three_plus_three()) and all(near)


@model_claim(
    "claim-dose-finding-top", varies=("dose.flat_toxicity", "dose.target"), at_least=1.0, draws=32
)
def test_every_rule_recommends_the_top_where_toxicity_is_rare(ledger: Mapping[str, float]) -> bool:
    """More often than any other level, and more often than none."""
    flat = [ledger["dose.flat_toxicity"]] * 4
    rules = (
        _selected(ThreePlusThree(variant="stop"), flat),
        _selected(ThreePlusThree(variant="confirm"), flat),
        _selected(BOIN(target=ledger["dose.target"]), flat, 6),
    )
    return all(int(np.argmax(selected)) == 4 for selected in rules)


@functools.cache
def _weighed() -> int:
    """Return the level that BOIN12 recommends most often."""
    return int(np.argmax(_simulated(BOIN12(), plateau_doses("severe")).selected))


@model_claim("claim-dose-finding-optimum", varies=("dose.target",), at_least=1.0, draws=32)
def test_response_and_severe_events_find_the_plateau_and_limiting_events_the_top(
    ledger: Mapping[str, float],
) -> bool:
    """Response stops rising at level 2."""
    limiting = plateau_doses("limiting").toxicity
    selected = _selected(BOIN(target=ledger["dose.target"]), limiting, 6)
    return _weighed() == 2 and int(np.argmax(selected)) == 4


@model_claim("claim-dose-finding-planned", varies=("dose.target",), at_least=0.95, draws=32)
def test_a_smaller_dose_counted_as_planned_makes_a_toxic_level_look_safe(
    ledger: Mapping[str, float],
) -> bool:
    """The level where half have toxicity is recommended more often: three standard errors."""
    small = DoseScenario(toxicity=THIRD.toxicity, feasible=(0.95, 0.85, 0.65, 0.45))
    design = BOIN(target=ledger["dose.target"])
    planned, received = (
        _simulated(design, small, underdosed=rule) for rule in ("planned", "received")
    )
    more = planned.selection_difference(received)[4]
    return more.value > 3 * more.std_error


@model_claim(
    "claim-dose-finding-months", varies=("dose.window", "dose.accrual"), at_least=0.95, draws=32
)
def test_a_longer_window_costs_months_and_counting_in_part_saves_some(
    ledger: Mapping[str, float],
) -> bool:
    """Half as long again costs months and no patient; TITE-BOIN needs fewer months than BOIN."""
    days = ledger["dose.window"]

    def trials(design: Design, window: float) -> SimulatedTrials:
        calendar = Calendar(
            accrual=ledger["dose.accrual"],
            window=window / DAYS_PER_MONTH,
            manufacturing=ledger["dose.manufacturing"] / DAYS_PER_MONTH,
            after_first=ledger["dose.stagger"] / DAYS_PER_MONTH,
        )
        return _simulated(design, cohorts=4, trials=80, calendar=calendar)

    plain, long = (trials(BOIN(target=0.3), window) for window in (days, 1.5 * days))
    saved = plain.months - trials(TiteBOIN(target=0.3), days).months
    same = bool(np.array_equal(plain.treated, long.treated))
    return same and bool(
        np.all(long.months > plain.months) and saved.mean() > 3 * saved.std() / saved.size**0.5
    )
