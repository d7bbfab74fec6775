"""Take-aways of the notebook *The thin cells bring relapse, whatever the average cell shows*."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from car_relapse import AntigenDensities, Plasticity, relapse_probabilities
from car_relapse.engagement import (
    DensityDistribution,
    Engagement,
    Response,
    gauss_hermite_bins,
    mean_response,
    surviving_fraction,
)
from car_relapse.patient import Patient
from car_relapse.switching import low_fraction
from tests.claims.models import patient_of
from tests.claims.registry import model_claim

DENSITY = ("engagement.density_median", "engagement.density_log_sd")
RESPONSE = ("engagement.kill_density", "engagement.hill")
BURDEN = 1e8


def cells_of(ledger: Mapping[str, float]) -> DensityDistribution:
    return DensityDistribution(
        median=ledger["engagement.density_median"], log_sd=ledger["engagement.density_log_sd"]
    )


def engagement_of(ledger: Mapping[str, float]) -> Engagement:
    half, hill = ledger["engagement.kill_density"], ledger["engagement.hill"]
    ratio = ledger["engagement.expansion_ratio"]
    return Engagement(
        killing=Response(half_density=half, hill=hill),
        expansion=Response(half_density=ratio * half, hill=hill),
    )


def exposure_of(ledger: Mapping[str, float]) -> float:
    """Return the killing that a fully engaged cell lives through while it exceeds growth."""
    patient = patient_of(ledger)
    days = np.linspace(0.0, 400.0, 2001)
    killing = patient.products[0].killing_rate(days)
    return float(np.trapezoid(np.where(killing > patient.leukaemia.net_rate, killing, 0.0), days))


@model_claim("claim-antigen-density-tail", varies=(*DENSITY, *RESPONSE), at_least=0.6)
def test_survivors_lie_below_the_threshold_and_are_not_told_by_the_mean(
    ledger: Mapping[str, float],
) -> bool:
    """Half of the survivors or more, and ten times as many as the mean effect would leave.

    Where the density is high and even, nobody is thin, and survivors are average cells.
    """
    cells, killing = cells_of(ledger), engagement_of(ledger).killing
    exposure = exposure_of(ledger)
    points = gauss_hermite_bins(cells, 200)
    left = points.weight * np.exp(-exposure * killing.at(points.density))
    thin = left[points.density < killing.half_density].sum() > 0.5 * left.sum()
    share = float(surviving_fraction(cells, killing, exposure))
    return bool(thin and share > 10 * np.exp(-exposure * mean_response(cells, killing)))


def lines(ledger: Mapping[str, float], cells: DensityDistribution) -> float:
    spread = AntigenDensities(densities=(cells,), engagements=(engagement_of(ledger),), bins=40)
    patient = replace(patient_of(ledger, burden=BURDEN), density=spread)
    return relapse_probabilities(patient).positive_lines


@model_claim(
    "claim-antigen-density-spread",
    varies=("engagement.density_log_sd", "engagement.hill", "killing.maximal_rate"),
    at_least=0.6,
    draws=64,
)
def test_half_the_spread_leaves_fewer_lines_than_twice_the_median(
    ledger: Mapping[str, float],
) -> bool:
    """With the median at five times the threshold; nearer to it the median counts more.

    So it does where the spread is narrow already.
    """
    cells = cells_of(ledger)
    narrow = replace(cells, log_sd=cells.log_sd / 2)
    return lines(ledger, narrow) < lines(ledger, replace(cells, median=2 * cells.median))


@model_claim(
    "claim-antigen-density-thresholds",
    varies=("engagement.expansion_ratio", "engagement.density_log_sd", *RESPONSE),
    at_least=1.0,
)
def test_expansion_fades_at_densities_at_which_killing_does_not(
    ledger: Mapping[str, float],
) -> bool:
    """At every median from far below to far above the thresholds, and by much in between."""
    engagement = engagement_of(ledger)
    lead = [
        mean_response(cells, engagement.killing) - mean_response(cells, engagement.expansion)
        for cells in (
            replace(cells_of(ledger), median=float(m)) for m in np.geomspace(100.0, 1e6, 25)
        )
    ]
    return min(lead) > 0 and max(lead) > 0.15


def plastic(patient: Patient, plasticity: Plasticity, factor: float = 1.0) -> float:
    (product,) = patient.products
    harder = replace(product, killing=product.killing.scaled(factor))
    return relapse_probabilities(
        replace(patient, therapy=harder, plasticity=plasticity)
    ).positive_lines


@model_claim(
    "claim-antigen-density-memory",
    varies=("killing.maximal_rate", "killing.half_level", "leukaemia.birth_rate"),
    at_least=0.9,
    draws=64,
)
def test_low_states_of_hours_hardly_matter_and_of_weeks_decide(
    ledger: Mapping[str, float],
) -> bool:
    """One share of low cells: lasting half a day or four weeks; never low for comparison."""
    share = float(low_fraction(ledger["engagement.switch_off"], ledger["engagement.switch_on"]))
    patient = patient_of(ledger, burden=BURDEN)

    def lasting(days: float) -> float:
        off = share / (1.0 - share) / days
        return plastic(patient, Plasticity(switch_off=(off,), switch_on=(1.0 / days,)))

    never, hours, weeks = plastic(patient, Plasticity()), lasting(0.25), lasting(28.0)
    return hours < 2 * never and weeks > 10 * never


@model_claim(
    "claim-antigen-density-stripping",
    varies=("engagement.stripping", "engagement.switch_on", "killing.maximal_rate"),
    at_least=0.9,
    draws=64,
)
def test_twice_the_killing_buys_less_where_antigen_is_torn_off(
    ledger: Mapping[str, float],
) -> bool:
    """Less than half of the fall, on the log scale, that it buys without stripping."""
    patient = patient_of(ledger, burden=BURDEN)
    torn = Plasticity(
        stripping=(ledger["engagement.stripping"],), switch_on=(ledger["engagement.switch_on"],)
    )

    def gain(plasticity: Plasticity) -> float:
        return float(
            np.log(plastic(patient, plasticity) / plastic(patient, plasticity, factor=2.0))
        )

    return gain(torn) < gain(Plasticity())
