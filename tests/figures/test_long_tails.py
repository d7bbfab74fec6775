"""The figures of *Long tails* show what closed forms and limits say."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.special import ndtr, ndtri

from car_relapse.figures.long_tails import cure_plateau, event_clock, fading, late_arms
from car_relapse.followup import Cause
from car_relapse.trial.sample_size import freedman_events


def test_intervals_of_the_cured_share_narrow_and_hold_the_truth_in_the_end(drawings):
    data = drawings["cure-plateau"].data
    width = data["high"] - data["low"]
    assert (data["low"] < data["cured"]).all()
    assert (data["cured"] < data["high"]).all()
    assert width[-1] < 0.9 * width[2]
    # ln S falls as 1 - e^(-t/8), so that the plateau is known.
    truth = 0.5 ** (1.0 / -math.expm1(-3.0))
    assert data["low"][-1] < truth < data["high"][-1]
    assert drawings["cure-plateau"].numbers["truth"].value == pytest.approx(100 * truth)


def test_at_the_end_the_fitted_share_is_the_share_that_is_left(drawings):
    end = drawings["cure-plateau"].data["cured"][-1]
    # With all events seen, nearly a binomial share of 120, whose truth is 0.48.
    assert end == pytest.approx(0.482, abs=3 * math.sqrt(0.25 / 120))


def test_another_early_month_is_drawn():
    other = cure_plateau(early=9.0, follow_ups=(9, 60), patients=80)
    assert "80 virtual patients followed for 9.0 months" in other.alt


def test_arms_that_part_late_are_alike_before_and_end_as_planned():
    control, dual = late_arms(12.0)
    assert np.allclose(control.event_free([3, 12]), dual.event_free([3, 12]))
    assert float(control.event_free(48.0)) == pytest.approx(0.55)
    assert float(dual.incidence(48.0)[dual.causes.index(Cause.ANTIGEN_NEGATIVE)]) == (
        pytest.approx(0.10)
    )


def test_late_parting_costs_the_short_mean_most_and_helps_the_late_weight(drawings):
    data = drawings["late-separation"].data
    assert (np.diff(data["mean_24"]) > 0).all()
    assert (np.diff(data["late_weighted"]) < 0).all()
    assert (data["mean_24"] >= data["mean_40"]).all()
    # The events are the same whenever they come, and so is nearly the ratio of their numbers.
    assert np.ptp(data["log_rank"]) < 0.05 * data["log_rank"][0]


def test_events_stop_at_the_share_that_ever_has_one(drawings):
    drawing = drawings["event-clock"]
    patients = drawing.numbers["patients"].value
    plateau = float(fading().event_free(1e6))
    most = patients * (1.0 - (plateau + plateau**0.6) / 2.0)
    assert drawing.data["events_8"][-1] == pytest.approx(most, rel=1e-3)
    assert most < drawing.numbers["target"].value


def test_without_fading_the_plan_holds(drawings):
    data = drawings["event-clock"].data
    at = list(data["month"]).index(48.0)
    assert data["events_never"][at] == pytest.approx(
        drawings["event-clock"].numbers["target"].value, rel=0.01
    )
    assert data["power_never"][at] == pytest.approx(0.8, abs=0.01)


def test_power_follows_from_the_events_that_are_there(drawings):
    data = drawings["event-clock"].data
    events = data["events_8"][-1]
    z = -float(ndtri(0.025))
    root = math.sqrt(freedman_events(0.6, power=0.8)) / (z + float(ndtri(0.8)))
    assert data["power_8"][-1] == pytest.approx(ndtr(math.sqrt(events) / root - z), abs=0.02)


def test_a_laboratory_setting_is_drawn():
    assert "fades in 20 months" in event_clock((20,), event_free=0.3).alt
