"""The solutions of *Bispecific engagers* run, and print what their sentences say."""

from __future__ import annotations

import math
import re

import pytest
from solutions import printed

import car_relapse as cr
from car_relapse.engager_dosing import blinatumomab_killing


@pytest.fixture(scope="module")
def found() -> dict[int, str]:
    return printed("engagers")


def test_every_exercise_that_asks_for_a_number_has_code(found):
    assert list(found) == [2, 3]


def test_three_days_without_the_pump_cost_about_the_killing_of_three_days(found):
    factor = float(re.search(r"[\d.]+", found[2])[0])
    plateau = 28 / (24 * cr.default("engager.blinatumomab.clearance"))
    killing = float(blinatumomab_killing().rate(plateau))
    assert math.log(factor) == pytest.approx(3 * killing, rel=0.2)


def test_a_drug_that_lingers_beats_the_pump(found):
    lingering = float(re.match(r"\S+", found[3])[0])
    pump = 1.1e6  # the first row of the notebook's comparison of schedules
    assert lingering < pump / 2
