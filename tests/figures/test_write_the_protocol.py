"""The figures of *Write the protocol* agree with the plan, the document and closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from car_relapse import figures
from car_relapse.errors import ParameterError
from car_relapse.trial.sample_size import compare_arms, schoenfeld_events


def test_the_power_at_the_planned_size_is_the_power_wanted(drawings):
    data = drawings["protocol-choices"].data
    assert data["event_free_0"][1] == pytest.approx(0.8, abs=0.002)
    assert data["event_free_1"][4] == pytest.approx(0.8, abs=0.005)
    assert data["escape_2"][1] == pytest.approx(0.8, abs=0.005)


def test_sizes_are_near_the_textbook_formula(drawings):
    numbers = drawings["protocol-choices"].numbers
    textbook = compare_arms([0.25, 0.20, 0.05], [0.10, 0.221, 0.055])
    assert numbers["patients_0"].value == pytest.approx(textbook.patients_event_free, rel=0.05)
    # Schoenfeld's formula is too small where hazards differ by a factor of three.
    assert textbook.patients_cause < numbers["patients_2"].value < 1.25 * textbook.patients_cause


def test_without_an_effect_power_is_half_the_level(drawings):
    data = drawings["protocol-choices"].data
    for name in ("event_free_0", "escape_0", "event_free_2", "escape_2"):
        assert data[name][0] == pytest.approx(0.025, abs=0.001)


def test_more_patients_never_show_less(drawings):
    data = drawings["protocol-choices"].data
    for kind in ("event_free", "escape"):
        assert (data[f"{kind}_0"] >= data[f"{kind}_2"] - 1e-12).all()
        assert (data[f"{kind}_2"] >= data[f"{kind}_1"] - 1e-12).all()


def test_the_laboratory_draws_the_first_of_the_three(drawings):
    first = figures.protocol_powers().data
    data = drawings["protocol-choices"].data
    np.testing.assert_array_equal(first["event_free"], data["event_free_0"])


def test_a_biology_without_a_difference_has_no_size():
    with pytest.raises(ParameterError, match="plan for another biology"):
        figures.protocol_powers(plan_for="no effect")


def test_another_question_is_refused():
    with pytest.raises(ParameterError, match="primary is 'survival'"):
        figures.protocol_scenario("survival")


def test_open_points_add_up_to_those_of_the_document(drawings):
    drawing = drawings["protocol-open-points"]
    # A blank that stands in two sections is counted in both.
    assert drawing.data["open"].sum() >= drawing.numbers["open"].value
    assert drawing.data["open"].sum() <= drawing.numbers["open"].value + 3
    assert drawing.numbers["definitions_open"].value > drawing.numbers["definitions_computed"].value


def test_events_of_the_plan_are_schoenfelds():
    scenario = figures.protocol_scenario()
    arms = scenario.versions[scenario.planned].trial.arms
    hazards = [arm.biology.cumulative_hazard(24.0).sum() for arm in arms]
    assert schoenfeld_events(hazards[1] / hazards[0]) == pytest.approx(213, abs=1)
