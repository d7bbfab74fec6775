"""Take-aways of the notebook *What a protocol leaves open is decided after the data*."""

from __future__ import annotations

import functools
from dataclasses import replace

from car_relapse.design import Plan, example_text, parse_trial, plan_trial
from car_relapse.protocol import Document, draft
from car_relapse.protocol.document import Blank, Value, lines_in
from car_relapse.trial.virtual import run
from tests.claims.registry import data_claim


@functools.cache
def _plan() -> Plan:
    text = example_text("randomised").replace("trials: 1000", "trials: 400")
    return plan_trial(parse_trial(text))


@functools.cache
def _document() -> Document:
    return draft(_plan())


def _share(key: str) -> float:
    """Return a printed percentage of the document as a share."""
    return float(_document().values[key].split("\N{NO-BREAK SPACE}")[0]) / 100


@data_claim("claim-write-the-protocol-biology")
def test_the_same_trial_shows_the_mechanism_where_it_shows_no_benefit() -> None:
    """The planned power is near 80 %; elsewhere benefit is rare and the mechanism is not."""
    worlds = {w.name: w.performance for w in _plan().biologies}
    benefit = {name: rows[0].rejected_below for name, rows in worlds.items()}
    mechanism = {name: rows[1].rejected_below for name, rows in worlds.items()}
    assert 0.7 < benefit["escape falls"] < 0.9
    assert benefit["half comes back"] < 0.5
    assert benefit["T cells fade sooner"] < 0.01
    assert min(mechanism[n] for n in ("half comes back", "T cells fade sooner")) > 0.85


def _kinds(title: str) -> tuple[int, int]:
    """Return how many values and how many blanks a section has."""
    section = next(s for s in _document().sections if s.title == title)
    runs = [run for line in lines_in(section) for run in line]
    values = {r.key for r in runs if isinstance(r, Value)}
    return len(values), len({r.key for r in runs if isinstance(r, Blank)})


@data_claim("claim-write-the-protocol-open")
def test_size_dose_and_looks_are_computed_and_definitions_are_left_open() -> None:
    """Values outnumber blanks in the former, blanks outnumber values in the latter."""
    for title in (
        "Sample size",
        "Dose and stopping for toxicity",
        "Multiplicity and looks at the data",
    ):
        values, blanks = _kinds(title)
        assert values > 5 * blanks
    values, blanks = _kinds("Definitions")
    assert blanks > 3 * values


@data_claim("claim-write-the-protocol-gate")
def test_the_gate_stops_harm_as_its_level_says_and_many_harmless_products() -> None:
    """A hazard raised by the margin passes in one trial of forty; less than three fourths do else.

    The bound on the former is 2.5 % and four Monte Carlo errors of 400 trials.
    """
    assert _share("gate_false") < 0.025 + 4 * 0.0078
    assert _share("gate_false") < 0.15 * _share("gate_pass")
    assert _share("gate_pass") < 0.75


@data_claim("claim-write-the-protocol-untested")
def test_tests_that_are_missing_more_often_in_one_arm_make_a_mechanism() -> None:
    """Without any effect escape is found several times as often as its level; benefit is not."""
    world = next(w for w in _plan().biologies if w.name == "no effect").version.trial
    arms = (world.arms[0], replace(world.arms[1], untested=0.4))
    tests = tuple(e.analysis for e in _plan().scenario.endpoints.all)
    found = run(replace(world, arms=arms), tests, 2000, seed=3)
    event_free, escape = found.rejected()[0][0]
    assert abs(event_free - 0.05) < 4 * 0.0049
    assert escape > 0.25
