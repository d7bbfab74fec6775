"""Take-aways of *Two ways to relapse*."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from car_relapse import Outcome, default_population, simulate
from car_relapse.evidence import mechanisms, relapse_split, trials
from car_relapse.figures.two_ways import relapse_split_by_cohort
from tests.claims.models import patient_of
from tests.claims.registry import data_claim, model_claim

VARIED = ("leukaemia.burden", "loss.cd19", "killing.maximal_rate", "killing.half_level")
PATIENTS = 600


@data_claim("claim-two-ways-separate")
def test_each_class_of_one_hospital_went_with_its_own_t_cell_function() -> None:
    row = mechanisms()["cd19pos_loss_function_pillai"]
    split = relapse_split(trials()["pillai2019_cd19dim"])
    assert "loss of CAR-T function" in row.evidence
    assert "CD19-negative ones with continued function" in row.evidence
    assert row.bibkey == trials()["pillai2019_cd19dim"].bibkey
    assert split.antigen_positive > 0
    assert split.antigen_negative > 0
    assert split.unknown == 0, "a relapse without a class would weaken the separation"


@data_claim("claim-two-ways-no-single-share")
def test_two_cohorts_with_one_target_have_exact_intervals_that_do_not_touch() -> None:
    data = relapse_split_by_cohort().data
    # The rows with two targets, at the end, lose both antigens rarely, and would make it easy.
    one_target = data["at_least_one_lost_or_dim"] == data["every_target_lost"]
    assert one_target.sum() >= 8
    assert max(data["low_95"][one_target]) > min(data["high_95"][one_target])


@data_claim("claim-two-ways-further-classes")
def test_a_count_of_two_classes_misses_lineage_switch_and_low_antigen() -> None:
    split = relapse_split(trials()["lamble2023_phenotype"])
    assert split.antigen_positive + split.antigen_negative < split.total
    assert split.lineage_switch > 0
    types = {row.relapse_type for row in mechanisms().values() if row.verified}
    assert {"lineage switch", "antigen-low"} <= types


@data_claim("claim-two-ways-selected")
def test_antigen_is_lost_after_car_t_cells_engagers_and_antibodies() -> None:
    for key in ("lamble2023_phenotype", "aldoss2025_blina", "hiraga2009_rituximab"):
        trial = trials()[key]
        assert trial.verified, key
        assert relapse_split(trial).antigen_negative > 0, key
    before = mechanisms()["preexisting_isoform_diagnosis"]
    assert before.verified
    assert "before any targeted therapy" in before.evidence


def shares_at(ledger: Mapping[str, float], level: float) -> tuple[float, float]:
    """Return the shares of virtual patients who relapse with and without the antigen.

    With the CAR-T level `level` times the ledger's at all times, and the same random numbers.
    """
    patient = patient_of(ledger)
    people = default_population()
    killing = replace(
        people.killing,
        maximal_rate=ledger["killing.maximal_rate"],
        half_level=ledger["killing.half_level"] / level,
    )
    cohort = simulate(
        replace(people, leukaemia=patient.leukaemia, losses=patient.losses, killing=killing),
        PATIENTS,
        seed=20_260_105,
    )
    kinds = (Outcome.ANTIGEN_POSITIVE, Outcome.ANTIGEN_NEGATIVE)
    positive, negative = (cohort.share(kind)[0] for kind in kinds)
    return positive, negative


@model_claim("claim-two-ways-persistence-sets-share", varies=VARIED, at_least=0.9, draws=32)
def test_the_antigen_negative_share_rises_with_the_level_of_car_t(
    ledger: Mapping[str, float],
) -> bool:
    """From half the level of the ledger to twice that level."""
    (positive, negative), (fewer, more) = (shares_at(ledger, level) for level in (0.5, 2.0))
    return negative / (negative + positive) < more / (more + fewer)


@model_claim("claim-two-ways-prevention-uncovers", varies=VARIED, at_least=0.6, draws=32)
def test_where_more_car_t_prevents_antigen_positive_relapse_the_other_kind_grows(
    ledger: Mapping[str, float],
) -> bool:
    """From the level of the ledger to four times that level, counted in patients."""
    (positive, negative), (fewer, more) = (shares_at(ledger, level) for level in (1.0, 4.0))
    return fewer < positive and negative < more
