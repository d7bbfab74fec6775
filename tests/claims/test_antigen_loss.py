"""Take-aways of the notebook *Escape is usually founded before the first CAR-T cell arrives*."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from car_relapse import relapse_probabilities
from car_relapse.growth import no_surviving_line, sample_mutants
from car_relapse.luria_delbrueck import (
    CloneLaw,
    estimate_events,
    estimate_interval,
    mutant_quantile,
)
from tests.claims.models import killing_over, patient_of
from tests.claims.registry import model_claim

RATES = ("leukaemia.birth_rate", "killing.maximal_rate", "killing.half_level")
CURVE = ("stein.fold", "stein.peak_day", "stein.peak_level")


@model_claim("claim-antigen-loss-before", varies=(*RATES, *CURVE), at_least=0.5)
def test_more_lines_are_founded_before_infusion_than_under_therapy(
    ledger: Mapping[str, float],
) -> bool:
    """And most of the later ones before the peak of the T cells.

    The burden and the loss probability multiply both and cannot change which is larger. Between
    patients it differs: where the T cells come late or weakly, therapy leaves time for losses.
    """
    found = relapse_probabilities(patient_of(ledger))
    days = np.linspace(0.0, 400.0, 2001)
    _, log_growth = killing_over(ledger, days)
    nadir = int(np.argmin(log_growth))
    divisions = np.cumsum(np.exp(log_growth[: nadir + 1]))
    while_expanding = divisions[days[: nadir + 1] <= ledger["stein.peak_day"]][-1]
    return found.preexisting_lines > found.acquired_lines and (
        while_expanding > 0.5 * divisions[-1]
    )


@model_claim(
    "claim-antigen-loss-turnover",
    varies=("leukaemia.birth_rate", "leukaemia.burden", "loss.cd19"),
    at_least=1.0,
)
def test_turnover_multiplies_losses_and_cancels_from_the_lines_that_survive(
    ledger: Mapping[str, float],
) -> bool:
    """Divisions are counted in a random walk of births and deaths, cell number by cell number."""
    patient = patient_of(ledger)
    disease = patient.leukaemia
    rng = np.random.default_rng(20_260_104)
    events = 10_000_000
    births = rng.binomial(events, disease.birth_rate / (disease.birth_rate + disease.death_rate))
    divisions_per_cell = births / (2 * births - events)
    lost = ledger["loss.cd19"] + ledger["loss.common_mode"]
    return math.isclose(divisions_per_cell, 1 / disease.survival, rel_tol=0.005) and math.isclose(
        relapse_probabilities(patient).preexisting_lines, lost * disease.burden, rel_tol=1e-6
    )


@model_claim(
    "claim-antigen-loss-jackpots", varies=("leukaemia.birth_rate",), at_least=0.9, draws=32
)
def test_one_patient_in_a_hundred_holds_most_escaped_cells(ledger: Mapping[str, float]) -> bool:
    """Two loss events on average; the median patient is far below the mean."""
    law = CloneLaw(death_ratio=ledger["leukaemia.death_rate"] / ledger["leukaemia.birth_rate"])
    counts = np.sort(sample_mutants(2.0, law, 20_000, np.random.default_rng(20_260_103)))
    return counts[-200:].sum() > 0.5 * counts.sum() and (
        10 * mutant_quantile(0.5, 2.0, law) < counts.mean()
    )


@model_claim("claim-antigen-loss-size-time", varies=("leukaemia.burden", "loss.cd19"), at_least=1.0)
def test_escape_is_likelier_at_fixed_size_than_at_fixed_time(ledger: Mapping[str, float]) -> bool:
    """And where one line or more is expected, by a quarter or more of the chance of none."""
    size, time = (
        float(no_surviving_line(ledger["leukaemia.burden"], ledger["loss.cd19"], fixed=fixed))
        for fixed in ("size", "time")
    )
    expected = ledger["leukaemia.burden"] * ledger["loss.cd19"]
    return size < time and (expected < 1 or size < 0.75 * time)


@model_claim(
    "claim-antigen-loss-estimate", varies=("leukaemia.birth_rate",), at_least=0.9, draws=32
)
def test_thirty_patients_fix_the_events_to_a_factor_of_two(ledger: Mapping[str, float]) -> bool:
    """Other patients in each draw; counts above a thousand are taken for a thousand.

    The interval holds the two events on average that the patients were drawn with, or misses
    them by a tenth at most, and the estimate is within a factor of two.
    """
    law = CloneLaw(death_ratio=ledger["leukaemia.death_rate"] / ledger["leukaemia.birth_rate"])
    seed = int(1e6 * ledger["leukaemia.birth_rate"])
    counts = np.minimum(sample_mutants(2.0, law, 30, np.random.default_rng(seed)), 1000)
    low, high = estimate_interval(counts, law)
    return 0.9 * low < 2.0 < 1.1 * high and 1.0 < estimate_events(counts, law) < 4.0
