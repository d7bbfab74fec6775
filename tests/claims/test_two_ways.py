"""Take-aways of *Two ways to relapse*."""

from __future__ import annotations

from car_relapse.evidence import mechanisms, relapse_split, trials
from car_relapse.figures.two_ways import relapse_split_by_cohort
from tests.claims.registry import data_claim


@data_claim("claim-two-ways-separate")
def test_each_class_of_one_hospital_went_with_its_own_t_cell_function() -> None:
    row = mechanisms()["cd19pos_loss_function_pillai"]
    split = relapse_split(trials()["pillai2019_cd19dim"])
    assert "loss of CAR-T function" in row.evidence
    assert "CD19-negative ones with continued function" in row.evidence
    assert split.antigen_positive > 0
    assert split.antigen_negative > 0
    assert split.unknown == 0, "a relapse without a class would weaken the separation"


@data_claim("claim-two-ways-no-single-share")
def test_two_cohorts_of_the_figure_have_exact_intervals_that_do_not_touch() -> None:
    data = relapse_split_by_cohort().data
    assert max(data["low_95"]) > min(data["high_95"])


@data_claim("claim-two-ways-further-classes")
def test_a_count_of_two_classes_misses_lineage_switch_and_low_antigen() -> None:
    split = relapse_split(trials()["lamble2023_phenotype"])
    assert split.antigen_positive + split.antigen_negative < split.total
    assert split.lineage_switch > 0
    types = {row.relapse_type for row in mechanisms().values() if row.verified}
    assert {"lineage switch", "antigen-low"} <= types


@data_claim("claim-two-ways-selected")
def test_the_escape_form_is_seen_before_therapy_and_rare_events_did_not_predict() -> None:
    rows = mechanisms()
    before, counter = rows["preexisting_isoform_diagnosis"], rows["rare_cd19neg_not_predictive"]
    assert before.verified
    assert "before any targeted therapy" in before.evidence
    assert counter.verified
    assert "did not predict" in counter.evidence
