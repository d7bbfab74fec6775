"""Take-aways of the notebook *Adaptive designs: every look, arm and prior has a price*.

They are about designs, which no parameter of the ledger describes: each is computed, or counted
from the evidence tables.
"""

from __future__ import annotations

import math

import numpy as np

from car_relapse.evidence import trials
from car_relapse.trial import many_to_one, posteriors, sequential, shared_control, single_arm
from tests.claims.registry import data_claim


def _size(design: sequential.Boundaries, drift: float) -> float:
    return design.inflation(0.8) * design.stops(drift).expected_information


@data_claim("claim-adaptive-designs-looks")
def test_only_futility_saves_patients_of_a_product_that_does_not_work() -> None:
    plain = {"obf": sequential.obrien_fleming(3), "pocock": sequential.pocock(3)}
    for name, design in plain.items():
        assert _size(design, design.drift(0.8)) < 0.9, name
        assert _size(design, 0.0) > 1.0, name
    futile = sequential.with_beta_spending(sequential.lan_demets(3))
    assert _size(futile, 0.0) < 0.7
    assert _size(futile, futile.drift(0.8)) < 0.9


def _total(arms: int, ratio: float) -> float:
    drift = many_to_one.drift_for_power(arms, ratio=ratio)
    return drift**2 * (1.0 + arms * ratio) * (1.0 + 1.0 / ratio) / 4.0


@data_claim("claim-adaptive-designs-control")
def test_a_shared_control_saves_patients_most_with_a_root_allocation() -> None:
    one = _total(1, 1.0)
    for arms in (2, 3, 4):
        root = _total(arms, 1.0 / math.sqrt(arms))
        assert root < _total(arms, 1.0) < arms * one
        # The bound changes a little with the allocation; the least size is close to the root.
        nearby = [_total(arms, r) for r in np.linspace(0.2, 1.2, 41)]
        assert root < 1.005 * min(nearby)


@data_claim("claim-adaptive-designs-periods")
def test_earlier_controls_make_false_claims_unless_the_period_is_adjusted_for() -> None:
    patients = np.array([[100, 100], [100, 100], [0, 100]])
    alike = np.array([0.35, 0.25]) * np.ones((3, 1))
    apart = alike.copy()
    apart[1] = 0.35
    bias = {
        controls: [
            float((shared_control.control_weights(patients, arm=2, controls=controls) * s).sum())
            for s in (alike, apart)
        ]
        for controls in ("all", "concurrent", "adjusted")
    }
    assert math.isclose(bias["all"][0], -0.05)
    assert abs(bias["adjusted"][0]) < 1e-9
    assert abs(bias["adjusted"][1]) > 0.02
    assert max(map(abs, bias["concurrent"])) < 1e-9
    events = np.random.default_rng(7).binomial(patients, alike, size=(2000, *patients.shape))
    found = {
        controls: shared_control.compare_with_control(events, patients, arm=2, controls=controls)
        for controls in ("all", "adjusted")
    }
    wrong = {controls: (f.p_value < 0.05).mean() for controls, f in found.items()}
    assert wrong["all"] > 0.12
    assert abs(wrong["adjusted"] - 0.05) < 4.0 * math.sqrt(0.05 * 0.95 / 2000) + 0.01


@data_claim("claim-adaptive-designs-interaction")
def test_an_interaction_has_four_times_the_variance_of_a_main_effect() -> None:
    rng = np.random.default_rng(3)
    shares = rng.uniform(0.05, 0.6, size=(20, 2, 2))
    cell = shares * (1.0 - shares) / 100.0
    main = cell.sum(axis=(1, 2)) / 4.0  # half the sum of two differences
    draws = rng.binomial(100, shares[0], size=(20_000, 2, 2)) / 100.0
    effect = (draws[:, 1] - draws[:, 0]).mean(axis=1)
    interaction = draws[:, 1, 1] - draws[:, 1, 0] - draws[:, 0, 1] + draws[:, 0, 0]
    assert math.isclose(effect.var(), main[0], rel_tol=0.05)
    assert math.isclose(interaction.var() / effect.var(), 4.0, rel_tol=0.08)


@data_claim("claim-adaptive-designs-history")
def test_a_history_may_be_worth_little_and_a_wrong_one_multiplies_false_claims() -> None:
    keys = ("lamble2023_phenotype", "sheba2022_cd28", "plaks2021_zuma1_biopsies",
            "spiegel2021_axicel_biopsies")  # fmt: skip
    rows = [trials()[key] for key in keys]
    total = [row.n_relapse for row in rows]
    a, b = single_arm.historical_belief([row.n_relapse_ag_neg for row in rows], total)
    assert a + b < sum(total) / 5
    errors = [
        posteriors.success_rate(
            0.15, 0.15, (40, 80), 0.975, prior_control=(1 + 0.25 * w, 1 + 0.75 * w)
        )
        for w in (0, 80)
    ]
    assert errors[1] > 4 * errors[0]
