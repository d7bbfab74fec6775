"""Take-aways of the notebook *Persistence: what counts is how long killing outruns growth*."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from car_relapse import relapse_probabilities
from tests.claims.models import killing_over, patient_of
from tests.claims.registry import model_claim

DAYS = np.concatenate([np.arange(0.0, 200.0, 0.1), np.arange(200.0, 6001.0, 2.0)])
CURVE = ("stein.peak_day", "stein.contraction_rate", "stein.memory_fraction", "stein.memory_rate")
RATES = ("leukaemia.birth_rate", "killing.maximal_rate", "killing.half_level")
BURDEN = 1e8


def _removed(ledger: Mapping[str, float]) -> np.ndarray:
    """Return, per day of the grid, the integral of deaths over growth that ends a line."""
    killing, log_growth = killing_over(ledger, DAYS)
    deaths = (ledger["leukaemia.death_rate"] + killing) * np.exp(-log_growth)
    steps = 0.5 * (deaths[1:] + deaths[:-1]) * np.diff(DAYS)
    return np.concatenate([[0.0], np.cumsum(steps)])


@model_claim("claim-persistence-lottery", varies=(*RATES, *CURVE), at_least=1.0)
def test_cells_escape_cure_independently(ledger: Mapping[str, float]) -> bool:
    """The chance of no relapse with three times the cells is the third power of that with one."""
    lines = [
        relapse_probabilities(patient_of(ledger, burden=n)).positive_lines
        for n in (BURDEN, 3 * BURDEN)
    ]
    return math.isclose(lines[1], 3 * lines[0], rel_tol=1e-6)


@model_claim("claim-persistence-nadir", varies=(*RATES, *CURVE), at_least=0.9)
def test_only_the_killing_rate_enters_and_lines_are_decided_around_the_nadir(
    ledger: Mapping[str, float],
) -> bool:
    """The library's answer follows from killing alone; the nadir is in the middle of the integral.

    In the middle: between the days on which five and ninety-five per cent of it are reached.
    """
    removed = _removed(ledger)
    _, log_growth = killing_over(ledger, DAYS)
    expected = relapse_probabilities(patient_of(ledger, burden=BURDEN)).positive_lines
    reached = removed[np.argmin(log_growth)] / removed[-1]
    return math.isclose(BURDEN / (1 + removed[-1]), expected, rel_tol=0.02) and (
        0.05 < reached < 0.95
    )


@model_claim("claim-persistence-trade", varies=(*RATES, *CURVE), at_least=0.9)
def test_twice_the_killing_outweighs_ten_times_the_cells(ledger: Mapping[str, float]) -> bool:
    doubled = {**ledger, "killing.maximal_rate": 2 * ledger["killing.maximal_rate"]}
    more = relapse_probabilities(patient_of(doubled, burden=10 * BURDEN)).positive_lines
    return more < relapse_probabilities(patient_of(ledger, burden=BURDEN)).positive_lines


@model_claim("claim-persistence-few", varies=(*RATES, *CURVE), at_least=0.9)
def test_on_average_a_cell_is_left_and_most_patients_have_none(
    ledger: Mapping[str, float],
) -> bool:
    """With a tenth of a line expected to survive, take the first day with one cell on average."""
    removed = _removed(ledger)
    _, log_growth = killing_over(ledger, DAYS)
    burden = 0.1 * (1 + removed[-1])
    nadir = np.argmin(log_growth)
    day = nadir + np.argmax(burden * np.exp(log_growth[nadir:]) >= 1.0)
    any_left = -math.expm1(-burden / (1 + removed[day]))
    return burden * math.exp(log_growth[day]) >= 1.0 and any_left < 0.5


@model_claim("claim-persistence-useful", varies=(*RATES, *CURVE), at_least=0.9)
def test_t_cells_are_found_three_times_as_long_as_their_killing_outruns_growth(
    ledger: Mapping[str, float],
) -> bool:
    """Found: one copy of the transgene or more in a microgram of DNA."""
    patient = patient_of(ledger)
    (product,) = patient.products
    enough = product.killing.level_for(patient.leukaemia.net_rate)
    useful = float(product.exposure.last_day_above(enough))
    return float(product.exposure.last_day_above(1.0)) > 3 * useful
