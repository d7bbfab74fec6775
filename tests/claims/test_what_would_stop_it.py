"""Take-aways of the chapter *What would stop it*."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

from car_relapse import Patient, relapse_probabilities
from car_relapse.celltypes import FULL_LOSS, KEPT, LINEAGE_SWITCH, PARTIAL_LOSS
from car_relapse.evidence import relapse_split, trials
from car_relapse.gates import AndGate, Gate, OrGate
from tests.claims.models import patient_of
from tests.claims.registry import data_claim, model_claim

TWO_TARGETS = (
    "wangt2023_coadmin",
    "stanford_adult_1922_ball",
    "stanford_adult_1922_lbcl",
    "ghorashian2024_carpall",
)
DISEASE = ("leukaemia.burden", "leukaemia.birth_rate", "loss.cd19")
KILLING = ("killing.maximal_rate", "killing.half_level", "stein.peak_level")


def given_two_targets(patient: Patient, gate: Gate) -> Patient:
    """Return the patient with a second target that is lost like the first."""
    (loss,) = patient.losses.per_antigen
    (product,) = patient.products
    return replace(
        patient,
        losses=replace(patient.losses, per_antigen=(loss, loss)),
        therapy=replace(product, gate=gate),
    )


@data_claim("claim-what-would-stop-it-both-rare")
def test_loss_of_both_was_rare_and_half_or_more_kept_both() -> None:
    splits = [relapse_split(trials()[key]) for key in TWO_TARGETS]
    assert sum(split.antigen_negative for split in splits) == 1
    for split in splits:
        assert 2 * split.antigen_positive >= split.total - split.unknown


@data_claim("claim-what-would-stop-it-one-lost")
def test_cd19_alone_was_lost_in_a_quarter_or_more_of_three_cohorts() -> None:
    splits = [relapse_split(trials()[key]) for key in TWO_TARGETS]
    assert sum(4 * split.partial >= split.total - split.unknown for split in splits) == 3


@model_claim(
    "claim-what-would-stop-it-common-mode", varies=(*DISEASE, *KILLING), at_least=0.9, draws=64
)
def test_an_equal_second_target_leaves_the_common_mode_and_the_positive_lines(
    ledger: Mapping[str, float],
) -> bool:
    """And a twentieth or less of the lines that had lost the only target."""
    patient = patient_of(ledger)
    one = relapse_probabilities(patient).class_lines
    two = relapse_probabilities(given_two_targets(patient, OrGate())).class_lines
    as_they_were = all(
        math.isclose(two[kind], one[kind], rel_tol=1e-3) for kind in (KEPT, LINEAGE_SWITCH)
    )
    return as_they_were and two[PARTIAL_LOSS] + two[FULL_LOSS] < 0.05 * one[FULL_LOSS]


@model_claim(
    "claim-what-would-stop-it-half-strength", varies=(*DISEASE, *KILLING), at_least=0.85, draws=64
)
def test_half_a_second_arm_removes_nine_tenths_of_single_escape(
    ledger: Mapping[str, float],
) -> bool:
    """Beside a second arm that does nothing."""
    patient = patient_of(ledger)
    half, nothing = (
        relapse_probabilities(given_two_targets(patient, OrGate(arms=(1.0, arm))))
        for arm in (0.5, 0.0)
    )
    return half.class_lines[PARTIAL_LOSS] < 0.1 * nothing.class_lines[PARTIAL_LOSS]


@model_claim(
    "claim-what-would-stop-it-and-gate", varies=(*DISEASE, *KILLING), at_least=1.0, draws=64
)
def test_a_gate_that_needs_both_antigens_adds_an_exit(ledger: Mapping[str, float]) -> bool:
    """Counting every line that has lost a target, or its lineage."""
    patient = patient_of(ledger)
    one = relapse_probabilities(patient).class_lines
    both_needed = relapse_probabilities(given_two_targets(patient, AndGate())).class_lines
    return sum(both_needed[PARTIAL_LOSS:]) > sum(one[PARTIAL_LOSS:])
