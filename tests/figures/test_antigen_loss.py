"""The figures of the notebook on antigen loss show what counts, limits and other routes say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.stats import binomtest

import car_relapse as cr
from car_relapse.figures.antigen_loss import EXPERIMENT_16, EXPERIMENT_16_PLATED
from car_relapse.growth import sample_mutants
from car_relapse.luria_delbrueck import CloneLaw, mutant_probabilities


def test_the_counts_have_the_mean_and_variance_that_their_authors_are_quoted_with():
    counts = np.array(EXPERIMENT_16)
    assert counts.size == 20
    assert (counts == 0).sum() == 11
    assert counts.var(ddof=1) == pytest.approx(752.1, abs=0.5)


def test_the_fitted_number_is_where_the_likelihood_is_largest(drawings):
    """Found by a search that does not know the score equation."""
    law, counts = CloneLaw(detection=EXPERIMENT_16_PLATED), np.array(EXPERIMENT_16)

    def loss(log_m: float) -> float:
        return -np.log(mutant_probabilities(np.exp(log_m), law, counts.max())[counts]).sum()

    best = minimize_scalar(loss, bounds=(-3, 3), method="bounded", options={"xatol": 1e-8})
    numbers = drawings["fluctuation-counts"].numbers
    assert numbers["events"].value == pytest.approx(np.exp(best.x), rel=1e-4)
    # The ends of the interval lose 1.92 of log likelihood, half the quantile of chi squared.
    for end in ("events_low", "events_high"):
        assert loss(np.log(numbers[end].value)) - best.fun == pytest.approx(1.9207, abs=1e-3)


def test_shares_of_cultures_have_exact_intervals(drawings):
    data = drawings["fluctuation-counts"].data
    for k, share, low, high in zip(
        data["at_least"], data["counted"], data["low_95"], data["high_95"], strict=True
    ):
        hits = int((np.array(EXPERIMENT_16) >= k).sum())
        interval = binomtest(hits, 20).proportion_ci(0.95, method="exact")
        np.testing.assert_allclose(
            [share, low, high], [hits / 20, interval.low, interval.high], rtol=1e-9
        )


def test_the_poisson_law_fails_where_the_fluctuation_law_does_not(drawings):
    numbers = drawings["fluctuation-counts"].numbers
    assert numbers["inside_fitted"].value > 2 * numbers["inside_poisson"].value
    data = drawings["fluctuation-counts"].data
    # What the caption admits: the largest counts are more frequent than the fitted law says.
    assert (data["counted"] > data["fitted"])[-3:].all()


def test_tails_are_those_of_drawn_patients_and_end_with_slope_minus_one(drawings):
    data = drawings["tails-by-events"].data
    disease = cr.typical_leukaemia()
    law = CloneLaw(death_ratio=disease.death_rate / disease.birth_rate)
    for i, m in enumerate((0.2, 2.0, 20.0)):
        drawn = sample_mutants(m, law, 20_000, np.random.default_rng(30 + i))
        for place in (0, 20, 40):
            share = data[f"events_{i}"][place]
            error = np.sqrt(share * (1 - share) / drawn.size)
            assert abs(np.mean(drawn >= data["at_least"][place]) - share) < 4 * error + 1e-4
    last = np.log(data["at_least"][[-15, -1]])
    for i in (0, 1):
        slope = np.diff(np.log(data[f"events_{i}"][[-15, -1]])) / np.diff(last)
        assert slope[0] == pytest.approx(-1.0, abs=0.05)
    np.testing.assert_allclose(data["events_1"][-1] / data["events_0"][-1], 10.0, rtol=0.03)


def test_only_what_is_founded_under_therapy_depends_on_the_peak(drawings):
    data, numbers = drawings["later-peak"].data, drawings["escape-timing"].numbers
    assert np.ptp(data["before"]) < 1e-9
    assert (np.diff(data["under"]) > 0).all()
    typical = data["peak_day"] == 9.3
    assert data["escape"][typical][0] == pytest.approx(numbers["p_negative"].value, rel=1e-6)


def test_lines_founded_under_therapy_are_the_integral_of_divisions(drawings):
    data = drawings["later-peak"].data
    patient = cr.typical_patient()
    disease, killing = patient.leukaemia, patient.therapy.killing
    day = np.linspace(0, 300, 60_001)
    for peak, found in zip(data["peak_day"], data["under"], strict=True):
        curve = replace(cr.stein_typical(), peak_day=float(peak))
        net = disease.net_rate - killing.rate(curve.level(day))
        log_cells = np.concatenate([[0.0], np.cumsum(0.5 * (net[1:] + net[:-1]) * np.diff(day))])
        nadir = int(log_cells.argmin())
        divisions = np.trapezoid(np.exp(log_cells[: nadir + 1]), day[: nadir + 1])
        lines = (
            disease.burden
            * disease.birth_rate
            * disease.survival
            * patient.losses.total
            * divisions
        )
        assert found == pytest.approx(lines, rel=0.01)
