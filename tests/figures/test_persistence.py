"""The figures of the notebook on persistence show what rates, counts and the engine say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.optimize import brentq

import car_relapse as cr
from car_relapse.evidence import kinetics
from car_relapse.published.kimmel2021 import KimmelParameters

HALF_LIVES = (30.0, 217.0, 1000.0)


def test_useful_days_end_where_killing_equals_growth(drawings):
    """Found by a search on the curve itself, from its peak on."""
    numbers = drawings["useful-days"].numbers
    patient = cr.typical_patient()
    for i, half_life in enumerate(HALF_LIVES):
        curve = replace(cr.stein_typical(), memory_rate=np.log(2) / half_life)

        def excess(day: float, curve=curve) -> float:
            rate = float(patient.therapy.killing.rate(curve.level(day)))
            return rate - patient.leukaemia.net_rate

        assert numbers[f"useful_{i}"].value == pytest.approx(brentq(excess, 10.0, 3000.0), rel=1e-6)


def test_killing_saturates_and_cells_outlast_their_use(drawings):
    data, numbers = drawings["useful-days"].data, drawings["useful-days"].numbers
    for i in range(3):
        assert (data[f"killing_{i}"] < cr.default("killing.maximal_rate")).all()
        assert numbers[f"useful_{i}"].value < 120
    # A year after infusion the typical curve is far above one copy, and kills too slowly.
    assert data["level_1"][-1] > 50
    assert data["killing_1"][-1] < numbers["growth"].value


def test_patients_with_more_useful_days_relapse_less(drawings):
    numbers, data = drawings["patients-differ"].numbers, drawings["patients-differ"].data
    risks = [numbers[f"quarter_{i}"].value for i in (1, 2, 3, 4)]
    assert risks == sorted(risks, reverse=True)
    assert risks[0] > 0.95
    assert risks[3] < 0.05
    for name in ("variance", "deviation"):
        assert (np.diff(data[f"still_{name}"]) <= 0).all()
        assert numbers[f"early_{name}"].value > 5 * numbers[f"late_{name}"].value
        middle = np.interp(numbers[f"median_{name}"].value, data["day"], data[f"still_{name}"])
        assert middle == pytest.approx(0.5, abs=0.03)


def test_the_mean_of_the_quarters_is_the_mean_of_patients(drawings):
    """The figure of burden or memory averages other patients of the same population."""
    quarters = [drawings["patients-differ"].numbers[f"quarter_{i}"].value for i in (1, 2, 3, 4)]
    there = drawings["burden-or-memory"].numbers["patients_1"].value
    assert np.mean(quarters) == pytest.approx(there, abs=0.05)


def test_room_is_what_the_equations_of_kimmel_say(drawings):
    """The paper's two equations, integrated plainly, not in logarithms."""
    p, data = KimmelParameters(), drawings["room-for-cells"].data
    for i, start in enumerate((6.0, 20.0, 60.0)):

        def slope(_: float, y: np.ndarray) -> list[float]:
            total = y.sum()
            gap = (total - p.normal_capacity) ** 2
            rate = p.car_rate + p.car_boost * gap / (p.car_boost_shape * total**2 + gap)
            return [
                -p.normal_rate * y[0] * np.log(total / p.normal_capacity),
                -rate * y[1] * np.log(total / p.car_capacity),
            ]

        run = solve_ivp(
            slope, (0, 100), [start, p.car_start], t_eval=data["day"], rtol=1e-9, atol=1e-12
        )
        np.testing.assert_allclose(data[f"level_{i}"], run.y[1], rtol=1e-5)


def test_the_curve_of_the_paper_lies_within_the_quartiles_of_the_counts(drawings):
    numbers = drawings["room-for-cells"].numbers
    for day in (7, 14, 28, 90):
        row = kinetics()[f"moffitt_d{day}"]
        assert numbers[f"measured_{day}"].value == row.value
        assert row.low <= numbers[f"model_{day}"].value <= row.high
