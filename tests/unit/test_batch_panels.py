"""Panels of many patients: long enough, fine enough, and each patient's own."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from car_relapse.batch_panels import Batch, panel_edges, plan
from car_relapse.celltypes import density_groups
from car_relapse.errors import ParameterError
from car_relapse.exposure import stein_typical
from car_relapse.killing import Killing
from car_relapse.patient import typical_patient
from car_relapse.schedule import horizon

PATIENT = typical_patient()
TYPES = density_groups(PATIENT)[1]


def batch(patients=3, **changes):
    def same(value):
        return np.full(patients, value)

    disease = PATIENT.leukaemia
    return Batch(
        birth=same(disease.birth_rate), death=same(disease.death_rate), burden=same(1e9),
        per_antigen=np.full((patients, 1), 1e-9), common_mode=same(0.0), shared_defect=same(0.0),
        curves=changes.pop("curves", (stein_typical(),)),
        killing=changes.pop("killing", (PATIENT.therapy.killing,)),
    )  # fmt: skip


def test_therapy_is_followed_until_growth_has_made_up_e_24():
    turn, end, work = plan(batch(), TYPES)
    assert turn == pytest.approx(PATIENT.therapy.last_day_above(PATIENT.leukaemia.net_rate))
    day = np.linspace(turn[0], end[0], 20_001)
    regrown = np.trapezoid(PATIENT.leukaemia.net_rate - PATIENT.therapy.killing_rate(day), day)
    assert 24.0 <= regrown < 60.0
    assert end[0] < 1.5 * horizon(PATIENT.products, TYPES)
    assert np.ptp(work) == 0.0


def test_edges_start_at_infusion_meet_the_peak_and_end_at_the_horizon():
    days = np.array([6.0, 9.3, 15.0])
    many = batch(curves=(replace(stein_typical(), peak_day=days),))
    turn, end, _ = plan(many, TYPES)
    edges = panel_edges(many, TYPES, turn, end)
    assert edges[0].tolist() == [0.0] * 3
    assert edges[-1] == pytest.approx(end)
    assert np.all(np.diff(edges, axis=0) >= 0)
    assert np.abs(edges - days).min(axis=0) == pytest.approx(np.zeros(3), abs=1e-9)


def test_strong_killing_is_followed_until_nothing_is_left():
    rates = np.array([0.5, 30.0, 300.0])
    many = batch(killing=(Killing(maximal_rate=rates, half_level=3000.0),))
    _, end, _ = plan(many, TYPES)
    assert end[2] < end[1] < end[0]


def test_some_of_the_patients_keep_their_numbers():
    many = batch(curves=(replace(stein_typical(), peak_day=np.array([6.0, 9.3, 15.0])),))
    some = many.of(np.array([2, 0]))
    assert some.curves[0].peak_day.tolist() == [15.0, 6.0]
    assert some.curves[0].fold == many.curves[0].fold
    assert some.birth.size == 2
    days = np.full((4, 2), 12.0)
    assert some.kill(days)[0] == pytest.approx(many.kill(np.full((4, 3), 12.0))[0][:, [2, 0]])


def test_patients_who_need_too_many_panels_are_refused():
    slow = replace(stein_typical(), memory_rate=1e-7)
    many = replace(batch(curves=(slow,)), birth=np.full(3, 50.0), death=np.full(3, 49.0))
    weak = replace(many, killing=(Killing(maximal_rate=1.5, half_level=1e-3),))
    turn, end, _ = plan(weak, TYPES)
    with pytest.raises(ParameterError, match=r"at most 2000.*relapse_probabilities"):
        panel_edges(weak, TYPES, np.full(3, 5e4), np.full(3, 1e5))
    assert np.all(end >= turn)
