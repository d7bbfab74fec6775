"""Fates of single cells at infusion, against other integrators and every event simulated."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal, localcontext

import numpy as np
import pytest
import slow_twins
import twin_celltypes

from car_relapse.antigens import Losses, Plasticity
from car_relapse.celltypes import density_groups
from car_relapse.errors import ParameterError
from car_relapse.gates import AndGate, OrGate, SingleGate
from car_relapse.killing import Killing
from car_relapse.patient import Leukaemia, Patient, typical_patient
from car_relapse.patient_lines import line_fates, patient_lines
from car_relapse.schedule import killing_schedule
from car_relapse.therapy import Therapy, cocktail, sequential

TWO = Losses(per_antigen=(1e-4, 3e-6), common_mode=1e-9, shared_defect=1e-8)
GIVEN = typical_patient().therapy


def fast(losses=TWO, therapy=GIVEN, **changes) -> Patient:
    disease = Leukaemia(birth_rate=0.4, death_rate=0.15, burden=1e9)
    return Patient(leukaemia=disease, losses=losses, therapy=therapy, **changes)


def exponents(fates):
    """Return h of each class, from the probabilities of each class and no lower one."""
    clear = 1.0 - np.concatenate([np.zeros((1, *fates.shape[1:])), np.cumsum(fates, axis=0)[:-1]])
    return -np.log1p(-fates / clear)


def only(antigen, **changes):
    return replace(GIVEN, gate=SingleGate(antigen=antigen), **changes)


PATIENTS = {
    "one antigen": typical_patient(),
    "two antigens": fast(),
    "three antigens": fast(Losses(per_antigen=(1e-3, 0.05, 2e-6), common_mode=1e-5)),
    "AND": fast(therapy=replace(GIVEN, gate=AndGate())),
    "unequal arms": fast(therapy=replace(GIVEN, gate=OrGate(arms=(1.0, 0.5), synergy=1.3))),
    "cocktail": fast(
        therapy=cocktail(only(0), only(1, killing=Killing(maximal_rate=0.7, half_level=6000.0)))
    ),
    "sequential": fast(therapy=sequential([only(0), only(1)], [0.0, 60.0])),
    "switching": fast(plasticity=Plasticity(switch_off=(1e-3, 0.0), switch_on=(2e-2, 0.0))),
    "stripping": fast(
        plasticity=Plasticity(
            switch_off=(1e-4, 2e-3), switch_on=(1e-2, 0.1), stripping=(0.1, 0.01)
        )
    ),
    "stripped for good": fast(plasticity=Plasticity(stripping=(1e-3, 0.0))),
    "fitness cost": fast(plasticity=Plasticity(fitness_cost=(0.1, 0.3))),
    "strong": fast(therapy=replace(GIVEN, killing=Killing(maximal_rate=9.0, half_level=3000.0))),
}  # fmt: skip


@pytest.mark.parametrize("name", PATIENTS)
def test_every_exponent_agrees_with_another_integrator_to_1e_8(name):
    patient = PATIENTS[name]
    _, types = density_groups(patient)
    schedule = killing_schedule(patient.products, types)
    kinks = [k for product in patient.products for k in product.kinks]
    wanted = twin_celltypes.log_chain(
        types, patient.products, float(schedule.edges[-1]), kinks=kinks
    )
    got = exponents(line_fates(types, schedule))[:, :, 0]
    assert (got > 0).sum() > types.size
    assert got == pytest.approx(wanted, rel=1e-8)


def test_one_antigen_keeps_its_digits_down_to_1e_290():
    birth, death, kill, days = 0.5, 0.2, 9.0, 78.0
    patient = fast(
        Losses(per_antigen=(0.0,)),
        Therapy(
            exposure=slow_twins.StepExposure(1e9, days),
            killing=Killing(maximal_rate=kill, half_level=1e-12),
        ),
    )
    patient = replace(patient, leukaemia=Leukaemia(birth_rate=birth, death_rate=death, burden=1e9))
    with localcontext() as context:
        context.prec = 60
        b, d, t = Decimal(birth), Decimal(death) + Decimal(kill), Decimal(days)
        decay = ((b - d) * t).exp()
        # Kendall's law: the chance to live through the killing, times that to persist after it.
        alive = decay * (b - d) / (b * decay - d)
        beta = b * (decay - 1) / (b * decay - d)
        z = Decimal(death) / b
        wanted = float(alive * (1 - z) / (1 - beta * z))
    got = patient_lines(patient).fates[0, 0, 0]
    assert 1e-300 < got < 1e-280
    assert got == pytest.approx(wanted, rel=1e-8)


def test_a_net_rate_next_to_nothing_neither_hangs_nor_fails():
    patient = replace(
        typical_patient(), leukaemia=Leukaemia(birth_rate=0.1, death_rate=0.1 - 1e-9, burden=1e11)
    )
    fates = patient_lines(patient).fates
    assert np.all((fates >= 0) & (fates <= 1.1e-8))
    assert fates[1, 1, 0] == pytest.approx(1e-8, rel=1e-6)


def test_cells_that_never_die_survive_for_certain_when_nothing_kills_them():
    patient = replace(
        typical_patient(), leukaemia=Leukaemia(birth_rate=0.1, death_rate=0.0, burden=1e9)
    )
    fates = patient_lines(patient).fates[:, :, 0]
    assert fates[1, 1] == fates[2, 2] == 1.0
    assert 0 < fates[0, 0] < 1e-3


STEP = slow_twins.StepExposure(1e9, 9.0)


def stepped(losses, therapy_gate, plasticity, kill=0.9):
    given = Therapy(
        exposure=STEP, killing=Killing(maximal_rate=kill, half_level=1e-6), gate=therapy_gate
    )
    return Patient(
        leukaemia=Leukaemia(birth_rate=0.6, death_rate=0.2, burden=1e4),
        losses=losses, therapy=given, plasticity=plasticity,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("patient", "cells"),
    [
        (
            stepped(
                Losses(per_antigen=(0.05, 0.03, 0.02), common_mode=0.01), OrGate(), Plasticity()
            ),
            60,
        ),
        (
            stepped(
                Losses(per_antigen=(0.02, 0.01, 0.03), common_mode=0.004, shared_defect=0.004),
                OrGate(arms=(1.0, 0.6, 0.3)), Plasticity(fitness_cost=(0.2, 0.1, 0.0)),
            ),
            40,
        ),
        (stepped(Losses(per_antigen=(0.005, 0.003)), AndGate(), Plasticity(), kill=2.0), 60),
        (
            stepped(
                Losses(per_antigen=(0.02,), common_mode=0.01), OrGate(),
                Plasticity(switch_off=(0.01,), switch_on=(0.05,), stripping=(0.02,)), kill=1.5,
            ),
            60,
        ),
        (
            stepped(
                Losses(per_antigen=(0.01, 0.02)), OrGate(),
                Plasticity(stripping=(0.05, 0.1), switch_on=(0.0, 0.3)), kill=1.5,
            ),
            60,
        ),
    ],
    ids=["k=3", "k=3 arms and costs", "AND", "switching and stripping", "stripping two"],
)  # fmt: skip
def test_classes_agree_with_every_event_simulated(patient, cells):
    runs = 2500
    _, types = density_groups(patient)
    start = np.zeros(types.size, dtype=int)
    start[0] = cells
    lowest = twin_celltypes.every_event(
        types, np.array([patient.products[0].killing.maximal_rate]),
        STEP.days, start, runs, np.random.default_rng(7),
    )  # fmt: skip
    lines = patient_lines(patient)
    reached = np.cumsum(np.concatenate([np.zeros((1, 1)), lines.fates[:, :1, 0]]), axis=0)[:, 0]
    clear = (1.0 - reached) ** cells
    assert np.mean(lowest == -1) == pytest.approx(clear[-1], abs=4 * 0.5 / np.sqrt(runs))
    for rank, wanted in zip(lines.classes, -np.diff(clear), strict=True):
        error = 4 * np.sqrt(wanted * (1 - wanted) / runs) + 1e-3
        assert np.mean(lowest == rank) == pytest.approx(wanted, abs=error)


def test_a_part_of_a_mixture_that_does_not_grow_is_refused():
    patient = fast(plasticity=Plasticity(fitness_cost=(0.9, 0.0)), mixture=((0, 0.5), (1, 0.5)))
    with pytest.raises(ParameterError, match=r"mixture holds.*'lost 1'.*lower fitness_cost"):
        patient_lines(patient)
