"""Endpoints weighed: formulas against each other, against trials, and what is refused."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from car_relapse.errors import ParameterError
from car_relapse.followup import Cause
from car_relapse.trial import sample_size as size
from car_relapse.trial.virtual import Arm, Biology, Decay, Trial, run
from tests.unit.virtual_trials import CONTROL, DEATH, DUAL, FAR, NEGATIVE, POSITIVE, SCT, pair

PLAN = Trial(arms=pair(), patients=200, follow_up=24, lost_per_year=0.03)
NAMES = ("hazard", "gray", "incidence", "event-free", "months", "share")


@pytest.fixture(scope="module")
def table():
    return {row.key: row for row in size.biology_table(PLAN, month=24, replicates=400, seed=3)}


def test_the_stories_say_what_their_names_say():
    stories = {s.key: s.experimental for s in size.dual_biologies(CONTROL)}
    scales = {key: dict(zip(b.causes, b.scales, strict=True)) for key, b in stories.items()}
    shares = {key: dict(zip(b.causes, b.incidence(24), strict=True)) for key, b in stories.items()}
    same = pytest.approx
    assert stories["S0"] is CONTROL
    for key in ("S1", "S2", "S3", "S4", "S5", "S6"):
        assert shares[key][NEGATIVE] == same(0.10)
    for key in ("S1", "S6"):
        assert scales[key][POSITIVE] == same(scales["S0"][POSITIVE])
    assert scales["S1"][DEATH] == same(scales["S0"][DEATH])
    # Every relapse that is prevented is replaced; or half of them.
    free = {key: float(b.event_free(24)) for key, b in stories.items()}
    assert free["S2"] == same(free["S0"])
    assert free["S3"] == same(free["S0"] + 0.075)
    assert free["S5"] < free["S0"] < free["S4"]
    assert scales["S7"][NEGATIVE] == scales["S0"][NEGATIVE]
    assert scales["S7"][POSITIVE] == same(2.5 * scales["S0"][POSITIVE])
    assert shares["S7"][NEGATIVE] < 0.21


def test_the_stories_hold_for_other_incidences_and_shapes():
    other = Biology.from_incidences(
        {NEGATIVE: 0.3, POSITIVE: 0.15, DEATH: 0.02},
        shape={NEGATIVE: Decay(12), POSITIVE: Decay(3), DEATH: Decay(6)},
        horizon=24,
    )
    stories = size.dual_biologies(other, escape=0.2)
    assert stories[2].experimental.incidence(24) == pytest.approx([0.2, 0.25, 0.02])
    assert stories[4].experimental.incidence(24) == pytest.approx([0.2, 0.09, 0.02])


def test_the_table_has_the_textbook_sizes(table):
    s1 = table["S1"]
    expected = {"hazard": 173.7, "gray": 177.8, "incidence": 199.1, "event-free": 485.4}
    for name, number in expected.items():
        assert s1.endpoint(name).formula == pytest.approx(number, abs=0.1)
    freedman = size.freedman_events(s1.endpoint("hazard").ratio) / 0.175
    assert s1.endpoint("hazard").freedman == pytest.approx(freedman)
    assert s1.endpoint("share").formula is None
    assert [e.name for e in s1.endpoints] == list(NAMES) == list(size.endpoint_analyses(24))


def test_what_does_not_differ_needs_infinitely_many(table):
    for name in NAMES[:-1]:
        assert table["S0"].endpoint(name).any_hazards == math.inf
    for key, name in (("S2", "event-free"), ("S2", "months"), ("S7", "hazard")):
        assert table[key].endpoint(name).any_hazards == math.inf
        assert table[key].endpoint(name).formula in (None, math.inf)


def test_trials_reject_as_the_formula_for_any_hazards_says(table):
    calendar = size.Calendar(accrual=0, follow_up=24, loss=-math.log(0.97) / 12)
    for key, row in table.items():
        dual = size.dual_biologies(CONTROL)[int(key[1])].experimental
        found = row.endpoint("hazard")
        test = size.rank_test(CONTROL, dual, calendar, cause=NEGATIVE)
        power = test.power(200) if test.mean else 0.05
        error = math.sqrt(power * (1 - power) / 400)
        assert abs(found.rejected - power) < FAR * error + 0.02


def test_the_rows_are_those_of_a_run_of_the_same_trial(table):
    analyses = tuple(size.endpoint_analyses(24).values())
    direct = run(PLAN, analyses, 400, seed=3).table()
    for row, endpoint in zip(direct, table["S1"].endpoints, strict=True):
        assert (row.rejected, row.rejected_below) == (endpoint.rejected, endpoint.rejected_below)


def test_a_search_finds_the_size_that_the_formula_for_any_hazards_has():
    _, rows = size.weigh_endpoints(PLAN, month=24, replicates=1000, seed=4, search=("hazard",))
    hazard, gray = rows[:2]
    assert abs(hazard.simulated - hazard.any_hazards) < FAR * hazard.simulated_error
    assert gray.simulated is None
    _, rows = size.weigh_endpoints(
        PLAN, month=24, replicates=100, seed=4, search=("event-free",), largest=300
    )
    assert rows[3].simulated is None


def test_those_without_response_ask_for_more_patients():
    arms = pair(response=0.8)
    _, fewer = size.weigh_endpoints(replace(PLAN, arms=arms), month=24, replicates=100, seed=1)
    _, all_ = size.weigh_endpoints(PLAN, month=24, replicates=100, seed=1)
    assert fewer[0].formula == pytest.approx(all_[0].formula / 0.8)
    assert fewer[0].any_hazards == pytest.approx(all_[0].any_hazards / 0.8)
    assert fewer[3].formula is None
    assert fewer[4].any_hazards is None


def test_a_limit_that_cuts_through_the_accrual_has_no_formula():
    plan = replace(PLAN, accrual=12.0, longest=30.0)
    _, rows = size.weigh_endpoints(plan, month=24, replicates=100, seed=1)
    assert rows[0].any_hazards is None
    assert rows[0].formula is not None
    capped = replace(PLAN, accrual=12.0, longest=24.0)
    _, rows = size.weigh_endpoints(capped, month=24, replicates=100, seed=1)
    _, plain = size.weigh_endpoints(PLAN, month=24, replicates=100, seed=1)
    assert rows[0].any_hazards == plain[0].any_hazards


def test_unequal_arms_are_weighed_by_their_share():
    one, two = pair()
    plan = replace(PLAN, arms=(one, replace(two, allocation=2.0)), patients=300)
    compared, rows = size.weigh_endpoints(plan, month=24, replicates=100, seed=1)
    share = 2 / 3
    events = size.schoenfeld_events(rows[0].ratio, share=share)
    assert rows[0].formula == pytest.approx(events / (0.25 / 3 + 0.10 * 2 / 3))
    assert compared.control == pytest.approx(np.array([0.25, 0.20, 0.05]))


def test_an_arm_without_such_events_has_no_ratio():
    none = CONTROL.multiplied({NEGATIVE: 0.0})
    plan = replace(PLAN, arms=pair(dual=none))
    _, rows = size.weigh_endpoints(plan, month=24, replicates=100, seed=1)
    assert (rows[0].formula, rows[0].freedman, rows[0].any_hazards) == (None, None, None)
    assert rows[2].formula > 0


LESS = Biology.from_incidences({NEGATIVE: 0.25, DEATH: 0.05}, shape=Decay(8), horizon=24)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"trial": replace(PLAN, arms=(*pair(), Arm(name="c", biology=DUAL)))}, "3 arms"),
        ({"trial": replace(PLAN, arms=pair(transplant=SCT))}, "transplants or visits"),
        ({"trial": replace(PLAN, arms=pair(visits=(1.0, 3.0)))}, "transplants or visits"),
        ({"trial": replace(PLAN, arms=pair(dual=LESS))}, "different causes"),
        ({"trial": 3}, "trial"),
        ({"cause": Cause.LINEAGE_SWITCH}, "the arms have"),
        ({"month": 25.0}, "nobody is watched"),
        ({"search": ("share",)}, "search is"),
        ({"search": "hazard"}, "search is"),
        ({"largest": 3}, "largest"),
    ],
)
def test_what_cannot_be_weighed_is_refused(change, words):
    asked = {"trial": PLAN, "month": 24, "seed": 1, "replicates": 100} | change
    with pytest.raises(ParameterError, match=words):
        size.weigh_endpoints(**asked)


def test_stories_need_three_causes_and_a_drop(table):
    with pytest.raises(ParameterError, match="no ANTIGEN_POSITIVE"):
        size.dual_biologies(LESS)
    with pytest.raises(ParameterError, match="escape is"):
        size.dual_biologies(CONTROL, escape=0.25)
    with pytest.raises(ParameterError, match="name is"):
        table["S1"].endpoint("survival")
