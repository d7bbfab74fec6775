"""Take-aways of the notebook *A gate that spares healthy cells shows leukaemia a way out*."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from car_relapse import AndGate, AndNotGate, OrGate, Patient, relapse_probabilities
from car_relapse.evidence import relapse_split, trials
from car_relapse.gates import Gate
from car_relapse.toxicity import killing_dose
from tests.claims.models import patient_of
from tests.claims.registry import data_claim, model_claim

DISEASE = ("leukaemia.burden", "leukaemia.birth_rate", "loss.cd19")
KILLING = ("killing.maximal_rate", "killing.half_level", "stein.peak_level")
CURVE = ("stein.peak_day", "stein.contraction_rate", "stein.memory_fraction", "stein.memory_rate")


def under(ledger: Mapping[str, float], gate: Gate, second: float) -> Patient:
    """Return the patient with a second antigen, lost so often per division, under a gate."""
    patient = patient_of(ledger)
    (product,) = patient.products
    losses = replace(patient.losses, per_antigen=(ledger["loss.cd19"], second))
    return replace(patient, losses=losses, therapy=replace(product, gate=gate))


def hidden(patient: Patient, *, seen: int = 1) -> float:
    """Return the expected surviving lines, without those of the first classes, which are seen."""
    return sum(relapse_probabilities(patient).class_lines[seen:])


@model_claim("claim-logic-gates-hide", varies=(*DISEASE, *KILLING), at_least=0.9, draws=64)
def test_escape_is_in_proportion_to_the_probabilities_of_the_changes_that_hide(
    ledger: Mapping[str, float],
) -> bool:
    """Within a hundredth, for a second antigen lost three times as often as the first."""
    u, common = ledger["loss.cd19"], ledger["loss.common_mode"]
    single = hidden(patient_of(ledger))
    # Under OR a cell that lost one antigen is seen; if it survives, it did not hide.
    either = hidden(under(ledger, OrGate(), 3 * u), seen=2)
    both = hidden(under(ledger, AndGate(), 3 * u))
    return (
        math.isclose(either / single, common / (u + common), rel_tol=0.01)
        and math.isclose(both / single, (4 * u + common) / (u + common), rel_tol=0.01)
        and either < single < both
    )


@model_claim("claim-logic-gates-de-morgan", varies=DISEASE, at_least=1.0, draws=32)
def test_a_veto_gained_and_an_antigen_lost_are_one_kind_of_escape(
    ledger: Mapping[str, float],
) -> bool:
    """NOT V kills as AND "not V" does; with no gain of the veto it escapes as one target does."""
    veto = np.linspace(0.0, 1.0, 5)
    same = np.allclose(
        AndNotGate(antigen=0).fraction([0.7], veto=veto), AndGate().fraction([0.7, 1.0 - veto])
    )
    never = hidden(under(ledger, AndGate(), 0.0))
    return same and math.isclose(never, hidden(patient_of(ledger)), rel_tol=1e-6)


@model_claim("claim-logic-gates-leak", varies=(*KILLING, *CURVE), at_least=0.9)
def test_an_engagement_of_less_than_a_fifth_kills_half_of_healthy_cells_in_four_weeks(
    ledger: Mapping[str, float],
) -> bool:
    (product,) = patient_of(ledger).products
    return math.log(2.0) / killing_dose(product, 28.0) < 0.2


@model_claim(
    "claim-logic-gates-trunk", varies=("leukaemia.burden", "leukaemia.birth_rate"), at_least=1.0,
    draws=32,
)  # fmt: skip
def test_a_millionth_of_the_cells_with_the_veto_makes_escape_certain(
    ledger: Mapping[str, float],
) -> bool:
    """Where no cell can gain it: in a thousandth of patients or fewer no such line survives."""
    share = 1e-6
    mixed = replace(under(ledger, AndGate(), 0.0), mixture=((0, 1.0 - share), (2, share)))
    return math.exp(-hidden(mixed)) < 1e-3


@data_claim("claim-logic-gates-relapses")
def test_a_gate_that_needs_both_misses_every_relapse_that_lost_one() -> None:
    split = relapse_split(trials()["wangt2023_coadmin"])
    engaged = {"kept": [1.0, 1.0], "one lost": [0.0, 1.0], "both lost": [0.0, 0.0]}
    seen = {kind: AndGate().fraction(cell).item() for kind, cell in engaged.items()}
    assert seen == {"kept": 1.0, "one lost": 0.0, "both lost": 0.0}
    assert OrGate().fraction(engaged["one lost"]).item() == 1.0
    known = split.total - split.unknown
    assert known == split.antigen_positive + split.partial + split.antigen_negative
    assert split.partial > split.antigen_negative
