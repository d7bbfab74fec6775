"""The figures of *How much antigen is enough* show what other routes through the theory give."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import ndtr

import car_relapse as cr
from car_relapse.engagement import default_density, default_engagement, mean_response
from car_relapse.figures import density_tail
from car_relapse.figures.antigen_density import lines_of

BURDEN = 1e8
WIDTHS = {"04": 0.4, "08": 0.8, "12": 1.2}


def value(drawings, slug: str, key: str) -> float:
    return drawings[slug].numbers[key].value


def left(exposure: float, width: float) -> float:
    """Integrate the share of cells left over the density, without the library's rule."""
    median, half = cr.default("engagement.density_median"), cr.default("engagement.kill_density")
    hill = cr.default("engagement.hill")

    def part(z: float) -> float:
        density = median * np.exp(width * z)
        engaged = density**hill / (half**hill + density**hill)
        return np.exp(-0.5 * z * z - exposure * engaged) / np.sqrt(2 * np.pi)

    return quad(part, -12, 8, points=[-6, -4, -2, 0], epsabs=0, epsrel=1e-9, limit=400)[0]


@pytest.mark.parametrize(("key", "width"), WIDTHS.items())
def test_shares_of_cells_left_are_the_integral_over_the_densities(drawings, key, width):
    data = drawings["density-tail"].data
    for i in (0, 60, -1):
        expected = left(float(data["exposure"][i]), width)
        assert data[f"left_{key}"][i] == pytest.approx(expected, rel=1e-6)


def test_the_curves_before_and_after_are_densities_of_probability(drawings):
    data = drawings["density-tail"].data
    logs = np.log(data["density"])
    assert np.trapezoid(data["before"], logs) == pytest.approx(1.0, abs=1e-4)
    assert np.trapezoid(data["after"], logs) == pytest.approx(1.0, rel=1e-3)
    assert (np.diff(data["left_below"]) >= 0).all()
    assert np.interp(
        value(drawings, "density-tail", "median_left"), data["density"], data["left_below"]
    ) == pytest.approx(0.5, abs=0.01)


def test_the_share_below_the_threshold_is_a_normal_probability(drawings):
    z = np.log(2000 / 10_000) / 0.8
    assert value(drawings, "density-tail", "percent_below") == pytest.approx(100 * ndtr(z))


def test_without_exposure_those_left_are_all():
    drawing = density_tail(exposure=0.0)
    np.testing.assert_allclose(drawing.data["after"], drawing.data["before"])
    assert drawing.numbers["left"].value == pytest.approx(1.0)


def test_both_effects_are_at_half_where_the_median_is_the_threshold(drawings):
    ratio = cr.default("engagement.expansion_ratio")
    kill = cr.default("engagement.kill_density")
    assert value(drawings, "density-thresholds", "half_killing") == pytest.approx(kill, rel=1e-3)
    assert value(drawings, "density-thresholds", "half_expansion") == pytest.approx(
        ratio * kill, rel=1e-3
    )


def test_expansion_is_weaker_than_killing_at_every_density(drawings):
    data = drawings["density-thresholds"].data
    assert (data["expansion"] < data["killing"]).all()
    middle = 60
    there = replace(default_density(), median=float(data["median"][middle]))
    for name in ("killing", "expansion"):
        expected = mean_response(there, getattr(default_engagement(), name))
        assert data[name][middle] == pytest.approx(expected)


def patient_with(density, bins: int = 100) -> cr.Patient:
    spread = cr.AntigenDensities(
        densities=(density,), engagements=(default_engagement(),), bins=bins
    )
    return replace(cr.typical_patient(BURDEN), density=spread)


@pytest.mark.parametrize(("key", "width"), WIDTHS.items())
def test_lines_are_those_of_a_patient_with_gauss_hermite_groups(drawings, key, width):
    patient = patient_with(replace(default_density(), log_sd=width))
    exact = cr.relapse_probabilities(patient).positive_lines
    assert value(drawings, "density-lines", f"lines_{key}") == pytest.approx(exact, rel=0.01)


def test_cells_of_one_density_have_the_lines_of_killing_at_that_engagement():
    """Against the closed route without groups: killing scaled by the engagement."""
    density = replace(default_density(), median=4000.0, log_sd=1e-6)
    _, _, lines = lines_of(BURDEN, density)
    plain = cr.typical_patient(BURDEN)
    slower = plain.therapy.killing.scaled(float(default_engagement().killing.at(4000.0)))
    alike = replace(plain, therapy=replace(plain.therapy, killing=slower))
    exact = cr.relapse_probabilities(alike).positive_lines
    assert lines.sum() == pytest.approx(exact, rel=0.01)


def test_the_few_thin_cells_found_nearly_all_lines(drawings):
    data = drawings["density-lines"].data
    thin = data["molecules"] < cr.default("engagement.kill_density")
    assert data["share"][thin].sum() < 0.03
    assert data["lines"][thin].sum() > 0.98 * data["lines"].sum()
    assert value(drawings, "density-lines", "lines_low_percent") > 98


def test_half_the_spread_spares_more_than_twice_the_median(drawings):
    data = drawings["density-lines"].data
    narrow, usual = (value(drawings, "density-lines", f"lines_{key}") for key in ("04", "08"))
    twice = np.exp(np.interp(np.log(2e4), np.log(data["median"]), np.log(data["lines_08"])))
    assert narrow < twice / 10 < usual / 10


def test_the_longer_a_cell_stays_low_the_more_lines_survive(drawings):
    data = drawings["density-switching"].data
    assert (np.diff(data["switch_on"]) > 0).all()
    assert (np.diff(data["switching"]) < 0).all()


def test_slow_switching_is_a_mixture_and_fast_switching_a_mean(drawings):
    """Two limits in closed form: frozen states, and killing diluted by the time spent low."""
    data = drawings["density-switching"].data
    share = value(drawings, "density-switching", "share_percent") / 100
    plain = cr.typical_patient(BURDEN)
    frozen = share * BURDEN * plain.leukaemia.survival
    assert data["switching"][0] < -BURDEN * share * np.log1p(-plain.leukaemia.survival)
    assert data["switching"][0] > frozen
    diluted = plain.therapy.killing.scaled(1.0 - share)
    mean = cr.relapse_probabilities(
        replace(plain, therapy=replace(plain.therapy, killing=diluted))
    ).positive_lines
    assert data["switching"][-1] == pytest.approx(mean, rel=0.05)


def test_doubling_the_killing_buys_less_the_more_is_torn_off(drawings):
    data = drawings["density-switching"].data
    once, twice = (int(np.argmin(np.abs(data["factor"] - f))) for f in (1.0, 2.0))
    folds = [
        data[f"stripping_{name}"][once] / data[f"stripping_{name}"][twice]
        for name in ("none", "some", "much")
    ]
    assert folds[0] > 1e6 > folds[1] > 2 > folds[2] > 1
    for fold, name in zip(folds, ("none", "some", "much"), strict=True):
        assert value(drawings, "density-switching", f"{name}_fold") == pytest.approx(fold)
