"""The ledger's fitted values are what their notes say they are."""

from __future__ import annotations

from dataclasses import replace

import pytest

from car_relapse.antigens import Losses
from car_relapse.evidence import relapse_split, trials
from car_relapse.parameters import default
from car_relapse.patient import typical_patient
from car_relapse.survival import relapse_probabilities

COHORT = "lamble2023_phenotype"


def escape_by(loss: float) -> float:
    patient = replace(typical_patient(), losses=Losses(per_antigen=(loss,)))
    return relapse_probabilities(patient).antigen_negative


@pytest.mark.parametrize(
    ("key", "part"), [("loss.cd19", "antigen_negative"), ("loss.common_mode", "lineage_switch")]
)
def test_a_loss_intensity_reproduces_the_share_of_infused_patients_it_was_fitted_to(
    key: str, part: str
) -> None:
    trial = trials()[COHORT]
    seen = getattr(relapse_split(trial), part) / trial.n_infused
    assert escape_by(default(key)) == pytest.approx(seen, rel=2e-3)
    # The third digit of the ledger's value is worth something: half a per cent off is noticed.
    assert escape_by(1.01 * default(key)) != pytest.approx(seen, rel=2e-3)


def test_the_half_level_of_killing_is_the_scaling_that_its_note_describes() -> None:
    # 13 % of the peak, rounded to one digit.
    assert default("killing.half_level") == pytest.approx(
        0.13 * default("stein.peak_level"), rel=0.05
    )
