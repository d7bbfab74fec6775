"""Which way the disease escaped: parts of a whole."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import slow_twins

from car_relapse.antigens import Losses, Plasticity
from car_relapse.attribution import attribution
from car_relapse.densities import AntigenDensities
from car_relapse.engagement import default_density, default_engagement
from car_relapse.errors import ParameterError
from car_relapse.gates import AndGate
from car_relapse.killing import Killing
from car_relapse.patient import Leukaemia, Patient, typical_patient
from car_relapse.survival import relapse_probabilities
from car_relapse.therapy import Therapy


def patient(losses, **changes):
    given = Therapy(
        exposure=slow_twins.StepExposure(1e9, 40.0),
        killing=Killing(maximal_rate=0.9, half_level=1e-6),
    )
    disease = Leukaemia(birth_rate=0.6, death_rate=0.2, burden=1e8)
    return replace(Patient(leukaemia=disease, losses=losses, therapy=given), **changes)


RARE = Losses(per_antigen=(1e-7, 3e-8, 1e-8), common_mode=1e-10, shared_defect=3e-11)


@pytest.mark.parametrize("kind", [2, 3])
def test_while_losses_are_rare_the_paths_add_up_to_their_class(kind):
    parts = attribution(patient(RARE))
    assert abs(parts.remainder(kind)) < 1e-8 * parts.class_lines[kind]
    assert parts.class_lines == relapse_probabilities(patient(RARE)).class_lines


def test_frequent_losses_leave_a_negative_remainder():
    often = attribution(patient(Losses(per_antigen=(0.05, 0.02), common_mode=0.01)))
    assert often.remainder(2) < -1e-6 * often.class_lines[2]


def test_every_order_of_losses_is_a_path():
    parts = attribution(patient(RARE))
    steps = {path.steps for path in parts.paths}
    # Orders of 1, 2 and 3 of three antigens, and of up to two before either common loss.
    assert len(steps) == len(parts.paths) == (3 + 6 + 6) + 2 * (1 + 3 + 6)
    assert ("lineage switch",) in steps
    assert (3, 1, "shared defect") in steps
    assert {path.relapse_class for path in parts.paths} == {1, 2, 3}


def test_a_path_carries_what_is_left_when_every_other_way_is_closed():
    direct = patient(Losses(per_antigen=(0.0, 0.0), shared_defect=1e-9))
    (alone,) = attribution(direct).paths
    fate = relapse_probabilities(direct)
    assert alone.lines == pytest.approx(fate.class_lines[2], rel=1e-10)
    assert alone.preexisting_lines == pytest.approx(1e8 * 1e-9, rel=1e-10)


def test_two_losses_before_a_therapy_at_one_blow_follow_the_two_step_closed_form():
    # Killing so fast that no line has time for a second loss under therapy.
    blow = Therapy(
        exposure=slow_twins.StepExposure(1e9, 1.0),
        killing=Killing(maximal_rate=500.0, half_level=1e-6),
    )
    who = patient(Losses(per_antigen=(1e-5, 1e-6)), therapy=blow)
    both = {p.steps: p for p in attribution(who).paths}
    steps = [-np.log(1 / (2 / 3 * 1e8) + u / (2 / 3)) - 1 for u in (1e-6, 1e-5)]
    wanted = 1e-11 * 1e8 / (2 / 3) * np.array(steps)
    got = [both[1, 2].preexisting_lines, both[2, 1].preexisting_lines]
    assert got == pytest.approx(wanted, rel=1e-2)


def test_the_names_of_the_antigens_do_not_matter():
    one = attribution(patient(Losses(per_antigen=(1e-5, 1e-6))))
    other = attribution(patient(Losses(per_antigen=(1e-6, 1e-5))))
    lines = {p.steps: p.lines for p in one.paths}
    for path in other.paths:
        assert path.lines == pytest.approx(lines[tuple(3 - s for s in path.steps)], rel=1e-10)


def test_under_an_and_gate_one_loss_is_the_path_of_escape():
    who = patient(RARE)
    both = replace(who, therapy=replace(who.therapy, gate=AndGate()))
    parts = {p.steps: p for p in attribution(both).paths}
    assert parts[(1,)].preexisting_lines == pytest.approx(1e8 * 1e-7, rel=1e-6)


def test_switching_antigens_keep_their_paths():
    flexible = Plasticity(switch_off=(1e-3, 0.0), switch_on=(0.1, 0.0))
    parts = attribution(patient(Losses(per_antigen=(1e-6, 1e-7)), plasticity=flexible))
    assert {p.steps for p in parts.paths} == {(1,), (2,), (1, 2), (2, 1)}
    assert abs(parts.remainder(2)) < 1e-5 * parts.class_lines[2]


@pytest.mark.parametrize("antigens", [5, 6])
def test_the_short_paths_of_many_antigens_carry_what_the_long_ones_do_not(antigens):
    # Under an AND gate every single loss is an escape, so one step carries nearly all of it.
    many = patient(Losses(per_antigen=(1e-7, 3e-8, 1e-8, 1e-8, 1e-9, 1e-9)[:antigens]))
    both = replace(many, therapy=replace(many.therapy, gate=AndGate()))
    parts = attribution(both)
    assert max(len(path.steps) for path in parts.paths) == 3
    assert len(parts.paths) == sum(math.perm(antigens, steps) for steps in (1, 2, 3))
    single = sum(path.lines for path in parts.paths if len(path.steps) == 1)
    assert single == pytest.approx(sum(parts.class_lines[1:3]), rel=1e-4)


def test_an_antigen_that_is_never_lost_leaves_the_paths_of_the_others():
    four = attribution(patient(Losses(per_antigen=(1e-4, 3e-5, 1e-5, 1e-5))), longest=2)
    six = attribution(patient(Losses(per_antigen=(1e-4, 3e-5, 1e-5, 1e-5, 0.0, 0.0))), longest=2)
    assert [path.steps for path in six.paths] == [path.steps for path in four.paths]
    for one, other in zip(six.paths, four.paths, strict=True):
        assert one.lines == pytest.approx(other.lines, rel=1e-8)


def test_a_path_carries_the_same_however_many_are_asked_for():
    whole = {path.steps: path.lines for path in attribution(patient(RARE)).paths}
    for path in attribution(patient(RARE), longest=2).paths:
        assert len(path.steps) <= 2
        assert path.lines == pytest.approx(whole[path.steps], rel=1e-12)


@pytest.mark.parametrize("longest", [0, 8, 2.5, "two"])
def test_paths_of_no_length_are_refused(longest):
    with pytest.raises(ParameterError, match="longest"):
        attribution(patient(RARE), longest=longest)


@pytest.mark.parametrize(
    ("who", "shown"),
    [
        (patient(Losses(per_antigen=(1e-6,)), mixture=((0, 1.0),)), "densities or a mixture"),
        (
            replace(
                typical_patient(),
                density=AntigenDensities(
                    densities=(default_density(),), engagements=(default_engagement(),)
                ),
            ),
            "densities or a mixture",
        ),
    ],
)
def test_patients_whose_paths_are_not_told_apart_are_refused(who, shown):
    with pytest.raises(ParameterError, match=shown):
        attribution(who)
