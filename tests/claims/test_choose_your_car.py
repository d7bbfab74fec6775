"""Take-aways of the notebook *A design that stops one relapse unmasks the other*."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from car_relapse import Losses, Outcome, Patient, relapse_probabilities, simulate
from car_relapse.gates import AndGate
from car_relapse.scenario import Scenario, parse_scenario
from tests.claims.models import patient_of
from tests.claims.registry import model_claim

LOSSES = ("loss.cd19", "loss.common_mode")
BURDEN = "leukaemia.burden"
PATIENTS = 1280


def _two(patient: Patient, loss: float) -> Patient:
    """Return a patient whose product reads two antigens, each lost at the given rate."""
    both = replace(patient.losses, per_antigen=(loss, loss))
    return replace(patient, losses=both)


def _scenarios(ledger: Mapping[str, float]) -> tuple[Scenario, Scenario]:
    """Return a scenario of one target and one of two, from a set of ledger values."""
    patient = patient_of(ledger)
    one = Scenario(
        losses=patient.losses, leukaemia=patient.leukaemia, killing=patient.products[0].killing
    )
    loss = ledger["loss.cd19"]
    losses = Losses(per_antigen=(loss, loss), common_mode=ledger["loss.common_mode"])
    two = replace(one, construct="tandem", antigens=("CD19", "CD22"), losses=losses)
    return one, two


@model_claim("claim-choose-your-car-common", varies=(*LOSSES, BURDEN), at_least=0.6)
def test_a_second_target_leaves_the_common_mode_alone(ledger: Mapping[str, float]) -> bool:
    """With two targets, lines of the common mode are nine tenths of all that escape.

    Losing both one after the other is as likely only where both losses and burden are high.
    """
    patient = patient_of(ledger)
    two = relapse_probabilities(_two(patient, ledger["loss.cd19"])).negative_lines
    common = relapse_probabilities(_two(patient, 1e-30)).negative_lines
    return common > 0.9 * two


@model_claim("claim-choose-your-car-both", varies=(*LOSSES, BURDEN), at_least=1.0)
def test_losing_either_of_two_needed_targets_is_likelier_than_losing_one(
    ledger: Mapping[str, float],
) -> bool:
    """The lines that therapy cannot see: twice the loss, and the common mode once."""
    patient = patient_of(ledger)
    loss, common = ledger["loss.cd19"], ledger["loss.common_mode"]
    gate = replace(patient.products[0], gate=AndGate())
    needed = replace(_two(patient, loss), therapy=gate)
    _, *escaped = relapse_probabilities(needed).class_lines
    _, *alone = relapse_probabilities(patient).class_lines
    expected = (2 * loss + common) / (loss + common)
    return math.isclose(sum(escaped) / sum(alone), expected, rel_tol=0.02)


@model_claim("claim-choose-your-car-unmask", varies=("loss.cd19",), at_least=0.75, draws=48)
def test_more_of_the_same_patients_relapse_with_every_target_in_place(
    ledger: Mapping[str, float],
) -> bool:
    """More of the same patients relapse so with two targets than with one: three standard errors.

    The patients are pairs, so only those whose outcome differs count. Where CD19 is hardly ever
    lost there is little to unmask.
    """
    one, two = (
        simulate(scenario.population(), PATIENTS, seed=5).outcome == Outcome.ANTIGEN_POSITIVE
        for scenario in _scenarios(ledger)
    )
    gained, spared = np.sum(two & ~one), np.sum(one & ~two)
    return bool(gained - spared > 3 * np.sqrt(gained + spared))


@model_claim("claim-choose-your-car-file", varies=(*LOSSES, BURDEN), at_least=1.0)
def test_a_file_gives_back_the_same_patients(ledger: Mapping[str, float]) -> bool:
    _, scenario = _scenarios(ledger)
    again = parse_scenario(scenario.to_text())
    one, other = (simulate(each.population(), 128, seed=1) for each in (scenario, again))
    return again == scenario and np.array_equal(one.relapse_day, other.relapse_day)
