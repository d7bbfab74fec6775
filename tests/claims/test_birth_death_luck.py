"""Take-aways of the notebook *Birth, death and luck: cure is an extinction with exact odds*."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from car_relapse import relapse_probabilities
from car_relapse.staged_cycle import matched_cycle, sample_lines, staged_survival
from tests.claims.models import killing_over, patient_of
from tests.claims.registry import model_claim

DAYS = np.concatenate([np.arange(0.0, 200.0, 0.1), np.arange(200.0, 6001.0, 2.0)])
CURVE = ("stein.peak_day", "stein.contraction_rate", "stein.memory_fraction")
RATES = ("leukaemia.birth_rate", "killing.maximal_rate", "killing.half_level")
HALF_LIVES = (30.0, 700.0)
BURDEN = 1e7


def _memory(ledger: Mapping[str, float], half_life: float) -> dict[str, float]:
    return {**ledger, "stein.memory_rate": math.log(2) / half_life}


def _odds_against(ledger: Mapping[str, float]) -> np.ndarray:
    """Return by day of the grid the odds against the life of a line of one cell at infusion."""
    killing, log_growth = killing_over(ledger, DAYS)
    deaths = (ledger["leukaemia.death_rate"] + killing) * np.exp(-log_growth)
    steps = 0.5 * (deaths[1:] + deaths[:-1]) * np.diff(DAYS)
    return np.concatenate([[0.0], np.cumsum(steps)])


@model_claim(
    "claim-birth-death-luck-extinction", varies=("leukaemia.birth_rate",), at_least=1.0, draws=32
)
def test_lines_drawn_event_by_event_die_out_as_often_as_death_over_birth(
    ledger: Mapping[str, float],
) -> bool:
    """And patients who start with three cells lose all lines with the third power of that."""
    birth, death = ledger["leukaemia.birth_rate"], ledger["leukaemia.death_rate"]
    lines, rng = 3000, np.random.default_rng(20_260_108)
    gone = sample_lines(matched_cycle(birth, 1), death, 40.0, lines, rng) == 0
    one, three = np.mean(gone), np.mean(gone.reshape(-1, 3).all(axis=1))
    ratio = death / birth
    # A line that lives for 40 days dies out later in one or two of a hundred cases.
    return abs(one - ratio) < 0.02 + 4 * math.sqrt(ratio * (1 - ratio) / lines) and abs(
        three - ratio**3
    ) < 0.01 + 4 * math.sqrt(ratio**3 * 3 / lines)


@model_claim(
    "claim-birth-death-luck-tail", varies=("leukaemia.birth_rate",), at_least=1.0, draws=32
)
def test_more_deaths_at_one_growth_leave_fewer_and_larger_lines(
    ledger: Mapping[str, float],
) -> bool:
    """Drawn event by event, with the ledger's deaths and with four times as many."""
    net = ledger["leukaemia.birth_rate"] - ledger["leukaemia.death_rate"]
    rng = np.random.default_rng(20_260_109)
    few, many = (
        sample_lines(matched_cycle(net + death, 1), death, 30.0, 2000, rng)
        for death in (ledger["leukaemia.death_rate"], 4 * ledger["leukaemia.death_rate"])
    )
    return bool(
        np.mean(many > 0) < 0.8 * np.mean(few > 0)
        and many[many > 0].mean() > 1.25 * few[few > 0].mean()
    )


@model_claim("claim-birth-death-luck-lowest", varies=(*RATES, *CURVE), at_least=0.95)
def test_at_equal_lowest_averages_the_one_that_stays_low_leaves_fewer_lines(
    ledger: Mapping[str, float],
) -> bool:
    """Burdens are such that the lowest average is half a cell with either half-life of memory."""
    lines = []
    for half_life in HALF_LIVES:
        values = _memory(ledger, half_life)
        _, log_growth = killing_over(values, DAYS)
        burden = 0.5 * math.exp(-log_growth.min())
        lines.append(relapse_probabilities(patient_of(values, burden=burden)).positive_lines)
    return lines[0] > 1.05 * lines[1]


@model_claim("claim-birth-death-luck-late", varies=(*RATES, *CURVE), at_least=0.95)
def test_a_cell_left_at_the_lowest_average_means_three_times_one_at_the_peak(
    ledger: Mapping[str, float],
) -> bool:
    """At least, where a tenth of a line is expected to survive."""
    odds = _odds_against(ledger)
    _, log_growth = killing_over(ledger, DAYS)
    burden = 0.1 * (1 + odds[-1])
    peak, nadir = ledger["stein.peak_day"], float(DAYS[np.argmin(log_growth)])
    left = [-math.expm1(-burden / (1 + float(np.interp(day, DAYS, odds)))) for day in (peak, nadir)]
    # Relapse, given a cell: the chance of relapse over that of a cell.
    return left[0] > 3 * left[1]


@model_claim("claim-birth-death-luck-clock", varies=(*RATES, *CURVE), at_least=0.9, draws=32)
def test_a_clock_leaves_more_surviving_lines_and_not_twice_as_many(
    ledger: Mapping[str, float],
) -> bool:
    """Eight stages against the exponential law, at one growth rate, under the ledger's therapy."""
    days = np.concatenate([np.arange(0.0, 200.0, 0.5), np.arange(200.0, 1501.0, 10.0)])
    killing, _ = killing_over(ledger, days)
    clock = staged_survival(
        matched_cycle(ledger["leukaemia.birth_rate"], 8),
        lambda day: ledger["leukaemia.death_rate"] + float(np.interp(day, days, killing)),
        1500.0,
        kinks=[ledger["stein.peak_day"]],
    )
    lines = relapse_probabilities(patient_of(ledger, burden=BURDEN)).positive_lines
    return lines < BURDEN * clock < 2 * lines
