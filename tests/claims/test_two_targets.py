"""Take-aways of the notebook *Two targets close one exit and leave the other open*."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

from car_relapse import (
    Losses,
    OrGate,
    Patient,
    SingleGate,
    Therapy,
    relapse_probabilities,
    sequential,
)
from car_relapse.celltypes import FULL_LOSS, KEPT, LINEAGE_SWITCH, PARTIAL_LOSS
from car_relapse.evidence import seed_trials
from car_relapse.resistance import surviving_double_loss_lines
from tests.claims.models import patient_of
from tests.claims.registry import data_claim, model_claim

DISEASE = ("leukaemia.burden", "leukaemia.birth_rate", "loss.cd19", "loss.common_mode")
KILLING = ("killing.maximal_rate", "killing.half_level", "stein.peak_level")


def with_two(ledger: Mapping[str, float]) -> Patient:
    """Return the patient with a second antigen that is lost like the first."""
    patient = patient_of(ledger)
    (loss,) = patient.losses.per_antigen
    return replace(patient, losses=replace(patient.losses, per_antigen=(loss, loss)))


def lines_of(patient: Patient, therapy: Therapy | tuple[Therapy, ...]) -> tuple[float, ...]:
    return relapse_probabilities(replace(patient, therapy=therapy)).class_lines


@model_claim("claim-two-targets-one-stroke", varies=DISEASE, at_least=0.9)
def test_two_steps_exceed_the_guess_and_one_stroke_exceeds_two_steps(
    ledger: Mapping[str, float],
) -> bool:
    """Lines founded before infusion: tenfold above the guess, and a thousandfold below."""
    patient = patient_of(ledger)
    size, survival = patient.leukaemia.burden, patient.leukaemia.survival
    loss = ledger["loss.cd19"]
    steps = surviving_double_loss_lines(size, survival, Losses(per_antigen=(loss, loss)))
    return 10 * loss**2 * size < steps < 1e-3 * ledger["loss.common_mode"] * size


@model_claim(
    "claim-two-targets-second-infusion",
    varies=("leukaemia.burden", "loss.cd19", *KILLING),
    at_least=0.9,
    draws=64,
)
def test_a_second_infusion_removes_kept_lines_whichever_antigen_it_aims_at(
    ledger: Mapping[str, float],
) -> bool:
    """On day 60; and only one for the other antigen removes lines that lost the first."""
    patient = with_two(ledger)
    (product,) = patient.products
    first, second = (replace(product, gate=SingleGate(antigen=i)) for i in (0, 1))
    alone = lines_of(patient, first)
    again = lines_of(patient, sequential([first, first], [0.0, 60.0]))
    other = lines_of(patient, sequential([first, second], [0.0, 60.0]))
    return (
        math.isclose(again[KEPT], other[KEPT], rel_tol=1e-3, abs_tol=1e-30)
        and again[KEPT] < 0.1 * alone[KEPT]
        and again[PARTIAL_LOSS] > 0.9 * alone[PARTIAL_LOSS]
        and other[PARTIAL_LOSS] < 0.1 * alone[PARTIAL_LOSS]
    )


@model_claim(
    "claim-two-targets-delay", varies=("leukaemia.burden", "loss.cd19", *KILLING), at_least=0.9,
    draws=64,
)  # fmt: skip
def test_a_later_second_product_leaves_more_lines_without_the_first_antigen(
    ledger: Mapping[str, float],
) -> bool:
    """Those without the first antigen, of one loss or two; until the product removes none."""
    patient = with_two(ledger)
    (product,) = patient.products
    first, second = (replace(product, gate=SingleGate(antigen=i)) for i in (0, 1))
    left = [
        sum(lines_of(patient, sequential([first, second], [0.0, day]))[PARTIAL_LOSS:LINEAGE_SWITCH])
        for day in (60.0, 120.0, 180.0)
    ]
    alone = sum(lines_of(patient, first)[PARTIAL_LOSS:LINEAGE_SWITCH])
    saturated = math.isclose(left[0], alone, rel_tol=1e-3)
    return left[0] <= left[1] * 1.001 <= left[2] * 1.002 and (left[0] < left[2] or saturated)


@model_claim("claim-two-targets-ceiling", varies=(*DISEASE, *KILLING), at_least=1.0, draws=64)
def test_a_perfect_second_antigen_removes_a_smaller_part_than_had_lost_the_first(
    ledger: Mapping[str, float],
) -> bool:
    """The part of relapses against the part of lines; two equal arms are as good as perfect."""
    one = relapse_probabilities(patient_of(ledger))
    two = relapse_probabilities(
        replace(with_two(ledger), therapy=replace(patient_of(ledger).products[0], gate=OrGate()))
    )
    removed = 1.0 - (1.0 - two.cure) / (1.0 - one.cure)
    return removed < one.class_lines[FULL_LOSS] / sum(one.class_lines)


@data_claim("claim-two-targets-six-trials")
def test_five_aim_at_cd19_and_cd22_one_at_cd19_and_cd20_and_two_have_no_outcome() -> None:
    aims = {number: {frozenset(row.antigens) for row in rows}
            for number, rows in seed_trials().items()}  # fmt: skip
    assert len(aims) == 6
    pair = {frozenset({"CD19", "CD22"})}
    assert {number for number, aim in aims.items() if aim != pair} == {"NCT03019055"}
    assert aims["NCT03019055"] == {frozenset({"CD19", "CD20"})}
    silent = [
        number
        for number, rows in seed_trials().items()
        if all(row.n_cr is None and row.n_relapse is None for row in rows)
    ]
    assert len(silent) == 2
