"""Take-aways of *Mechanism two: the antigen leaves*."""

from __future__ import annotations

import math
from collections.abc import Mapping

from car_relapse import relapse_probabilities
from car_relapse.evidence import mechanisms
from car_relapse.growth import no_living_mutant
from tests.claims.models import patient_of
from tests.claims.registry import data_claim, model_claim

LEVELS = {
    "gene": ("frameshift_loh", "hemizygous_deletion"),
    "transcript": ("splicing_exon2", "subclonal_mutation_isoform"),
    "protein": ("trafficking_cd81", "cd81_escort"),
    "surface": ("car_transduced_blast", "early_internalisation", "trogocytosis"),
    "identity": ("lineage_switch_gardner", "lineage_switch_lamble"),
}
ELSEWHERE = {
    "CD7": "cd7_loss",
    "CD20": "cd20_loss_rituximab",
    "CD22": "cd22_low_fry",
    "BCMA": "bcma_biallelic_samur",
    "BCMA;GPRC5D": "bcma_gprc5d_lee",
    "EGFRvIII": "gbm_egfrviii",
    "IL13Ra2": "gbm_il13ra2",
}


@data_claim("claim-antigen-leaves-levels")
def test_every_level_has_its_evidence_and_the_reversible_ways_are_called_so() -> None:
    rows = mechanisms()
    for level, keys in LEVELS.items():
        for key in keys:
            assert rows[key].verified, (level, key)
            assert rows[key].antigen == "CD19", (level, key)
    for key in ("early_internalisation", "trogocytosis"):
        assert rows[key].relapse_type == "antigen-low", key
        assert "reversib" in rows[key].evidence, key
    assert "reversib" not in "".join(rows[key].evidence for key in LEVELS["gene"])


@data_claim("claim-antigen-leaves-elsewhere")
def test_loss_or_thinning_was_read_of_for_every_other_target_named() -> None:
    rows = mechanisms()
    for antigen, key in ELSEWHERE.items():
        assert rows[key].verified, key
        assert rows[key].antigen == antigen, key
        assert rows[key].relapse_type in ("antigen-negative", "antigen-low"), key


@model_claim(
    "claim-antigen-leaves-turnover",
    varies=("leukaemia.burden", "loss.cd19", "leukaemia.birth_rate"),
    at_least=1.0,
    draws=64,
)
def test_turnover_changes_what_a_biopsy_finds_and_not_what_survives(
    ledger: Mapping[str, float],
) -> bool:
    """With half the death rate of the ledger, and with twice that rate."""
    lines, living = [], []
    for times in (0.5, 2.0):
        other = {**ledger, "leukaemia.death_rate": times * ledger["leukaemia.death_rate"]}
        patient = patient_of(other)
        size, loss = patient.leukaemia.burden, patient.losses.total
        lines.append(relapse_probabilities(patient).preexisting_lines / (size * loss))
        living.append(1.0 - float(no_living_mutant(size, loss, patient.leukaemia.survival)))
    return all(math.isclose(line, 1.0, rel_tol=1e-6) for line in lines) and living[0] <= living[1]


@model_claim(
    "claim-antigen-leaves-product",
    varies=("leukaemia.burden", "loss.cd19", "killing.maximal_rate", "killing.half_level"),
    at_least=0.95,
    draws=64,
)
def test_a_hundredth_of_the_cells_with_a_hundred_times_the_loss_escapes_as_often(
    ledger: Mapping[str, float],
) -> bool:
    """Before infusion and under therapy alike; relapse with the antigen does change."""
    fewer = {
        **ledger,
        "leukaemia.burden": ledger["leukaemia.burden"] / 100,
        "loss.cd19": 100 * ledger["loss.cd19"],
        "loss.common_mode": 100 * ledger["loss.common_mode"],
    }
    one, other = (relapse_probabilities(patient_of(values)) for values in (ledger, fewer))
    same = math.isclose(one.antigen_negative, other.antigen_negative, rel_tol=0.01)
    return same and other.positive_lines < 0.02 * one.positive_lines


@model_claim(
    "claim-antigen-leaves-burden",
    varies=("leukaemia.burden", "loss.cd19", "killing.maximal_rate", "killing.half_level"),
    at_least=0.95,
    draws=64,
)
def test_escape_is_proportional_to_burden_and_killing_only_spares_the_later_part(
    ledger: Mapping[str, float],
) -> bool:
    """A tenth of the burden, and three times the killing rate."""
    stronger = {**ledger, "killing.maximal_rate": 3 * ledger["killing.maximal_rate"]}
    here = relapse_probabilities(patient_of(ledger))
    tenth = relapse_probabilities(patient_of(ledger, burden=ledger["leukaemia.burden"] / 10))
    killed = relapse_probabilities(patient_of(stronger))
    return (
        math.isclose(tenth.negative_lines, here.negative_lines / 10, rel_tol=0.01)
        and math.isclose(killed.preexisting_lines, here.preexisting_lines, rel_tol=1e-6)
        and killed.acquired_lines < here.acquired_lines
    )


@data_claim("claim-antigen-leaves-presence")
def test_variants_are_seen_before_infusion_and_a_large_series_found_no_prediction() -> None:
    rows = mechanisms()
    seen = ("preexisting_isoform_diagnosis", "intron2_retention_preexisting")
    assert all(rows[key].verified for key in seen)
    against = rows["rare_cd19neg_not_predictive"]
    assert against.verified
    assert "did not predict" in against.evidence
