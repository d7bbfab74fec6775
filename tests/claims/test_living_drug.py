"""Take-aways of *A living drug and how it fails*."""

from __future__ import annotations

from car_relapse.evidence import kinetics, landmarks_of, mechanisms
from car_relapse.figures.living_drug import cohort_denominators
from tests.claims.registry import data_claim


def _value(key: str) -> float:
    value = kinetics()[key].value
    assert value is not None, key
    return value


@data_claim("claim-living-drug-phases")
def test_the_fitted_curve_peaks_in_days_halves_in_days_and_then_in_months() -> None:
    assert _value("stein_tmax") < 14
    assert _value("stein_thalf_alpha") < 7
    assert _value("stein_thalf_beta") > 90
    assert _value("stein_fb") < 0.05, "the memory is no small part of the peak"


@data_claim("claim-living-drug-reporter")
def test_recovery_of_b_cells_warns_and_relapse_without_it_has_lost_the_antigen() -> None:
    recovery = kinetics()["hr_bcell_recovery"]
    assert recovery.low is not None
    assert recovery.low > 1
    silent = mechanisms()["bca_persisting_relapse"].quantitative_value
    negative, relapses = map(int, silent.split(" ")[0].split("/"))
    assert negative / relapses > 0.9


@data_claim("claim-living-drug-denominator")
def test_the_published_rate_of_four_cohorts_is_ten_points_above_that_of_all() -> None:
    data = cohort_denominators().data
    assert data["cohort"].size == 4
    assert min(data["published"] - data["of_all"]) >= 0.10


@data_claim("claim-living-drug-clock")
def test_relapse_free_survival_of_eliana_is_above_its_event_free_survival() -> None:
    at_12 = {
        endpoint: next(r.value for r in landmarks_of("eliana_primary", endpoint) if r.month == 12)
        for endpoint in ("EFS", "RFS")
    }
    assert at_12["EFS"] < at_12["RFS"]


@data_claim("claim-living-drug-level")
def test_responders_had_higher_peaks_and_the_lymphoma_interval_holds_one() -> None:
    assert _value("mueller2018_cmax_ratio") > 1
    lymphoma = kinetics()["awasthi_hr"]
    assert lymphoma.value is not None
    assert lymphoma.value < 1
    assert lymphoma.high is not None
    assert lymphoma.high > 1
