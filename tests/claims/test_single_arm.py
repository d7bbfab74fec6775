"""Take-aways of the notebook *A single arm tests its history as much as its product*."""

from __future__ import annotations

import numpy as np
from scipy.stats import binom

from car_relapse.evidence import trials
from car_relapse.trial.single_arm import after_two_stages, ahern, exact_test, simon
from tests.claims.registry import data_claim

COHORTS = (
    *("eliana_primary", "zhangc2020_donor", "auto3_amelia"),
    *("ghorashian2024_carpall", "wangt2023_coadmin"),
)


def _power(patients: int, null: float, alternative: float) -> float:
    """Return the power of the exact test, from the binomial law alone."""
    needed = next(x for x in range(patients + 2) if binom.sf(x - 1, patients, null) <= 0.05)
    return float(binom.sf(needed - 1, patients, alternative))


@data_claim("claim-single-arm-saw")
def test_more_patients_can_have_less_power_until_the_stable_number() -> None:
    for null, alternative in ((0.2, 0.4), (0.6, 0.8), (0.3, 0.5)):
        first, stable = (
            ahern(null, alternative, stable=kind).patients[0] for kind in (False, True)
        )
        assert _power(first, null, alternative) >= 0.8 > _power(first - 1, null, alternative)
        between = [_power(n, null, alternative) for n in range(first, stable)]
        assert min(between) < 0.8, "no larger number fails"
        assert all(_power(n, null, alternative) >= 0.8 for n in range(stable, stable + 40))


@data_claim("claim-single-arm-stages")
def test_a_second_look_spares_two_patients_in_five_when_nothing_works() -> None:
    one, two = ahern(0.2, 0.4), simon(0.2, 0.4).optimal
    null = two.operating(0.2)
    assert null.success <= 0.05
    assert two.operating(0.4).success >= 0.8
    spared = 1 - null.expected_patients / one.patients[0]
    assert 0.35 < spared < 0.45


@data_claim("claim-single-arm-bias")
def test_the_share_is_too_low_and_the_unbiased_estimate_is_not() -> None:
    """Trials drawn patient by patient; four Monte Carlo errors."""
    design = simon(0.2, 0.4).optimal
    (n1, n), r1 = design.patients, design.futile[0]
    generator = np.random.default_rng(20260602)
    first = generator.binomial(n1, 0.3, 4000)
    later = generator.binomial(n - n1, 0.3, 4000)
    ends = [(x, n1) if x <= r1 else (x + y, n) for x, y in zip(first, later, strict=True)]
    shares, unbiased = [], []
    known: dict[tuple[int, int], tuple[float, float]] = {}
    for end in ((int(x), m) for x, m in ends):
        if end not in known:
            result = after_two_stages(design, *end, null=0.2)
            known[end] = result.share, result.unbiased
        shares.append(known[end][0])
        unbiased.append(known[end][1])
    error = np.std(unbiased) / np.sqrt(len(unbiased))
    assert abs(np.mean(unbiased) - 0.3) < 4 * error
    assert np.mean(shares) < 0.3 - 4 * error


@data_claim("claim-single-arm-response")
def test_the_second_highest_response_has_the_lowest_survival_at_12_months() -> None:
    rows = [trials()[key] for key in COHORTS]
    assert all(row.endpoint_12m == "EFS" and row.disease == "B-ALL" for row in rows)
    by_response = sorted(rows, key=lambda row: row.n_cr / row.n_evaluable)
    by_survival = sorted(rows, key=lambda row: row.efs_or_pfs_12m)
    assert by_response[-2].key == by_survival[0].key == "auto3_amelia"


@data_claim("claim-single-arm-history")
def test_a_gloomy_history_lets_a_useless_product_pass_and_more_patients_make_it_worse() -> None:
    errors = {}
    for patients in (45, 80, 200):
        most = patients - exact_test(patients, 0.75).enough[0]
        errors[patients] = [float(binom.cdf(most, patients, share)) for share in (0.25, 0.2, 0.15)]
        assert errors[patients][0] <= 0.05
    for points in (1, 2):
        assert 3 * errors[45][0] < errors[45][points] < errors[80][points] < errors[200][points]
    # One target, and yet fewer relapses without antigen than another series with one target.
    history, series = trials()["lamble2023_phenotype"], trials()["sheba2022_cd28"]
    assert history.antigens == series.antigens == ("CD19",)
    claimed = history.n_relapse_ag_neg / history.n_infused
    assert binom.cdf(series.n_relapse_ag_neg, series.n_infused, claimed) < 0.05
