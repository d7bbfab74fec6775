"""The figures of *How large?* agree with closed forms, with simulation and with the ledger."""

from __future__ import annotations

import math

import numpy as np
import pytest

import car_relapse as cr
from car_relapse.evidence import seed_trials
from car_relapse.figures.how_large import endpoint_choice, seen_with
from car_relapse.figures.how_large_table import (
    ENDPOINTS,
    control_arm,
    dual_trial,
    endpoint_table,
    sizes_by_formula,
)
from car_relapse.followup import Cause
from car_relapse.trial.sample_size import freedman_events, schoenfeld_events
from car_relapse.trial.virtual import run

NEGATIVE, POSITIVE, DEATH = Cause.ANTIGEN_NEGATIVE, Cause.ANTIGEN_POSITIVE, Cause.DEATH
FAR = 4.0


@pytest.fixture(scope="module")
def table():
    return {row.story.key: row for row in endpoint_table()}


def test_the_control_arm_is_that_of_the_ledger():
    shares = dict(zip(control_arm().causes, control_arm().incidence(24), strict=True))
    for cause, key in ((NEGATIVE, "escape"), (POSITIVE, "positive"), (DEATH, "death")):
        assert shares[cause] == pytest.approx(cr.default(f"trial.{key}"))
    assert dual_trial("S0").arms[1].biology.scales == pytest.approx(control_arm().scales)


def test_the_textbook_sizes_are_those_of_the_formulas(table):
    # The hazards of one shape, written out: H_k = F_k / P (-ln(1 - P)).
    before = 0.25 / 0.5 * math.log(2)
    for key, (positive, death) in {"S2": (0.35, 0.05), "S4": (0.12, 0.05)}.items():
        lost = 0.10 + positive + death
        ratio = 0.10 / lost * -math.log1p(-lost) / before
        row = table[key]
        assert row.formula["escape hazard"] == pytest.approx(schoenfeld_events(ratio) / 0.175)
        assert row.freedman["escape hazard"] == pytest.approx(freedman_events(ratio) / 0.175)
    assert table["S2"].formula["EFS"] == table["S2"].any_hazards["EFS"] == math.inf
    assert table["S7"].formula["escape hazard"] == math.inf


def test_searched_sizes_are_near_those_of_the_formula_for_any_hazards(table):
    found = [
        (row.simulated[name], row.any_hazards[name])
        for row in table.values()
        for name in row.simulated
    ]
    assert len(found) == 9
    for (size, error), needed in found:
        # The formula is for large trials: within 6 % of them, beside the Monte Carlo error.
        assert abs(size - needed) < FAR * error + 0.06 * needed


def test_powers_are_those_of_trials_with_other_random_numbers(table):
    for key in ("S1", "S5", "S7"):
        again = run(dual_trial(key), tuple(ENDPOINTS.values()), 1000, seed=99).table()
        for name, other in zip(ENDPOINTS, again, strict=True):
            power, error = table[key].power[name]
            assert abs(power - other.rejected) < FAR * math.hypot(error, other.rejected_error)


def test_harm_is_counted_where_patients_are_worse_off(table):
    assert table["S5"].harm["EFS"] == pytest.approx(table["S5"].power["EFS"][0], abs=0.01)
    assert table["S4"].harm["EFS"] < 0.005
    assert table["S7"].harm["RMST"] > 0.6


def test_the_drawn_sizes_and_marks_are_those_of_the_table(drawings, table):
    drawing = drawings["endpoint-sizes"]
    for place, key in enumerate(table):
        for column, name in (("hazard", "escape hazard"), ("gray", "Gray"), ("efs", "EFS")):
            assert drawing.data[column][place] == min(table[key].any_hazards[name], 9000)
    infused = [sum(row.n_infused or 0 for row in rows) for rows in seed_trials().values()]
    known = [n for n in infused if n]
    assert len(known) == 4
    assert drawing.numbers["smallest_seed"].value == min(known)
    assert drawing.numbers["largest_seed"].value == max(known)


def test_stories_are_drawn_in_the_order_of_what_patients_gain(drawings):
    data = drawings["endpoint-power"].data
    assert (np.diff(data["gain"]) > -1e-9).all()
    fewer = data["gain"] > 0.1  # S1 and S4
    assert data["share"][fewer].tolist() == sorted(data["share"][fewer], reverse=True)


def test_a_relapse_without_a_test_moves_from_one_cause_to_the_other():
    control = control_arm()
    seen = seen_with(control, 0.4)
    shares, before = seen.incidence(24), control.incidence(24)
    assert shares == pytest.approx(before + np.array([-0.1, 0.1, 0.0]))
    assert seen_with(control, 0.0).scales == pytest.approx(control.scales)


def test_the_closed_form_of_missing_tests_is_that_of_simulated_trials():
    for untested in (0.2, 0.4):
        trial = dual_trial("S1", untested=untested)
        arms = (seen_with(arm.biology, untested) for arm in trial.arms)
        sizes = sizes_by_formula(*arms, names=("escape hazard",))
        power = run(trial, (ENDPOINTS["escape hazard"],), 2000, seed=8).table()[0]
        # z at n responders, from the number that has a power of four in five.
        z = (1.959964 + 0.841621) * math.sqrt(200 / sizes["escape hazard"]) - 1.959964
        expected = 0.5 * math.erfc(-z / math.sqrt(2))
        assert abs(power.rejected - expected) < FAR * power.rejected_error + 0.02


def test_the_choice_meets_the_table_and_its_own_limits(drawings, table):
    numbers = drawings["endpoint-choice"].numbers
    for key, name in (("hazard", "escape hazard"), ("gray", "Gray"), ("efs", "EFS")):
        assert numbers[key].value == pytest.approx(table["S1"].any_hazards[name], rel=1e-6)
    # The hazard ratio stays, the events go: the size by the hazard is about n / (1 - untested).
    assert numbers["hazard_missing_40"].value == pytest.approx(
        numbers["hazard"].value / 0.6, rel=0.02
    )
    assert numbers["efs_missing_40"].value == pytest.approx(numbers["efs"].value)
    data = drawings["endpoint-choice"].data
    assert np.ptp(data["gray"]) < 0.05 * data["gray"].mean()
    assert (np.diff(data["hazard"]) > 0).all()


def test_the_words_quote_the_chosen_setting():
    drawing = endpoint_choice(0.3, 0.2)
    assert drawing.numbers["chosen_positive"].text == "30"
    assert drawing.numbers["hazard"].text in drawing.alt
    alike = endpoint_choice(0.35)
    assert alike.numbers["replaced_positive"].value == pytest.approx(35)
    assert alike.numbers["efs"].text == "no number"
