"""The figures of *Logic gates* show what logic, closed forms and limits say."""

from __future__ import annotations

import math

import numpy as np
import pytest

from car_relapse.calibration_model import calibrated_patient
from car_relapse.figures.logic_gates import gate_frontier, gate_price

# As the rows of the table stand: five kinds of leukaemia cell, three of healthy cell.
BOTH, NO_A, NO_B, NEITHER, SHOWS_V, HEALTHY_A_V, HEALTHY_B_V, HEALTHY_A = range(8)
SINGLE, OR, AND, NOT = range(4)


def value(drawings, slug: str, key: str) -> float:
    return drawings[slug].numbers[key].value


def test_the_truth_table_is_that_of_logic(drawings):
    a = np.array([1, 0, 1, 0, 1, 1, 0, 1], dtype=bool)
    b = np.array([1, 1, 0, 0, 1, 0, 1, 0], dtype=bool)
    v = np.array([0, 0, 0, 0, 1, 1, 1, 0], dtype=bool)
    data = drawings["gate-truth"].data
    for name, wanted in (("single", a), ("or", a | b), ("and", a & b), ("not", a & ~v)):
        np.testing.assert_array_equal(data[name], wanted.astype(float))


def test_what_spares_more_healthy_cells_misses_more_leukaemia_cells(drawings):
    numbers = drawings["gate-truth"].numbers
    by_harm = sorted(
        (numbers[f"{gate}_harmed"].value, numbers[f"{gate}_escapes"].value)
        for gate in ("single", "or", "and", "not")
    )
    escapes = [escaped for _, escaped in by_harm]
    assert escapes == sorted(escapes, reverse=True)


def test_healthy_cells_are_lost_as_the_closed_form_says(drawings):
    harmed = drawings["gate-price"].data["harmed"]
    dose = value(drawings, "gate-price", "dose")
    for gate in (SINGLE, OR):
        assert harmed[gate] == pytest.approx(-math.expm1(-dose), rel=1e-9)
    for gate in (AND, NOT):
        assert harmed[gate] == pytest.approx(-math.expm1(-0.01 * dose), rel=1e-9)


def test_escape_under_each_gate_is_that_of_the_probabilities_that_are_an_escape(drawings):
    """Exponents are in proportion to the sum of the probabilities of the losses that hide."""
    losses = calibrated_patient().losses
    u, c = losses.per_antigen[0], losses.common_mode
    exponent = -np.log1p(-drawings["gate-price"].data["escape"])
    for gate, hiding in ((SINGLE, u + c), (OR, c), (AND, 2 * u + c), (NOT, 2 * u + c)):
        assert exponent[gate] / exponent[SINGLE] == pytest.approx(hiding / (u + c), rel=1e-3)


def test_a_veto_that_is_never_gained_costs_no_escape():
    data = gate_price(veto_gain=0.0).data
    assert data["escape"][NOT] == pytest.approx(data["escape"][SINGLE], rel=1e-6)


def test_without_a_leak_a_gate_spares_every_healthy_cell():
    harmed = gate_price(leak=0.0).data["harmed"]
    assert harmed[AND] == harmed[NOT] == 0.0


def test_relapse_falls_with_the_harm_that_is_borne_and_with_the_contrast(drawings):
    data = drawings["gate-frontier"].data
    for i in (1, 2, 3):
        assert (np.diff(data[f"relapse_{i}"]) <= 1e-12).all()
    assert (data["relapse_3"] <= data["relapse_2"]).all()
    assert (data["relapse_2"] <= data["relapse_1"]).all()


def test_no_gate_reaches_the_relapse_of_one_target(drawings):
    single = value(drawings, "gate-frontier", "single") / 100
    best = value(drawings, "gate-frontier", "best") / 100
    assert best > single
    assert (drawings["gate-frontier"].data["relapse_3"] >= best - 1e-12).all()


def test_an_endless_contrast_costs_only_the_second_way_to_hide(drawings):
    far = gate_frontier((1e6,)).data["relapse_1"]
    assert far[1:] == pytest.approx(value(drawings, "gate-frontier", "best") / 100, abs=1e-3)


def test_half_of_healthy_cells_die_at_the_engagement_quoted(drawings):
    dose = value(drawings, "gate-frontier", "dose")
    engaged = value(drawings, "gate-frontier", "half_engaged") / 100
    assert math.exp(-engaged * dose) == pytest.approx(0.5)
