"""Patients and their leukaemias."""

from __future__ import annotations

from dataclasses import replace

import pytest

from car_relapse.antigens import Losses, Plasticity
from car_relapse.densities import AntigenDensities
from car_relapse.engagement import default_density, default_engagement
from car_relapse.errors import ParameterError
from car_relapse.gates import AndGate, SingleGate
from car_relapse.parameters import default
from car_relapse.patient import Leukaemia, typical_leukaemia, typical_patient


def test_the_typical_patient_is_the_ledger():
    patient = typical_patient()
    assert patient.leukaemia == typical_leukaemia()
    assert patient.leukaemia.burden == default("leukaemia.burden")
    assert patient.leukaemia.birth_rate == default("leukaemia.birth_rate")
    assert patient.leukaemia.death_rate == default("leukaemia.death_rate")
    assert patient.losses.per_antigen == (default("loss.cd19"),)
    assert patient.losses.common_mode == default("loss.common_mode")
    assert patient.therapy.killing.maximal_rate == default("killing.maximal_rate")
    assert patient.therapy.killing.half_level == default("killing.half_level")
    assert typical_patient(burden=1e8).leukaemia.burden == 1e8


def test_net_rate_and_survival_follow_from_the_rates():
    leukaemia = Leukaemia(birth_rate=0.4, death_rate=0.1, burden=1e6)
    assert leukaemia.net_rate == pytest.approx(0.3)
    assert leukaemia.survival == pytest.approx(0.75)


@pytest.mark.parametrize(
    ("call", "shown", "remedy"),
    [
        (lambda: Leukaemia(birth_rate=-1, death_rate=0, burden=1e9), "birth_rate is -1", "ledger"),
        (
            lambda: Leukaemia(birth_rate=0.1, death_rate=-1, burden=1e9),
            "death_rate is -1",
            "give a rate",
        ),
        (
            lambda: Leukaemia(birth_rate=0.1, death_rate=0.1, burden=1e9),
            "death_rate is 0.1 and birth_rate is 0.1",
            "change the rates",
        ),
        (
            lambda: Leukaemia(birth_rate=0.1, death_rate=0.3, burden=1e9),
            "death_rate is 0.3 and birth_rate is 0.1",
            "change the rates",
        ),
        (
            lambda: Leukaemia(birth_rate=0.1, death_rate=0.05, burden=float("nan")),
            "burden is nan",
            "see ledger",
        ),
        (
            lambda: Leukaemia(birth_rate=0.1, death_rate=0.05, burden=19.9),
            "burden is 19.9",
            "give a larger burden",
        ),
    ],
)
def test_bad_input_is_refused_with_value_and_remedy(call, shown, remedy):
    with pytest.raises(ParameterError, match=f"{shown}.*{remedy}"):
        call()


def test_the_smallest_allowed_burden_is_allowed():
    assert Leukaemia(birth_rate=0.1, death_rate=0.05, burden=20.0).burden == 20.0


TWO = replace(typical_patient(), losses=Losses(per_antigen=(1e-9, 1e-9)))
DIM = AntigenDensities(densities=(default_density(),), engagements=(default_engagement(),))


def test_a_patient_is_hashable_with_all_that_can_be_said_of_one():
    given = replace(TWO.therapy, gate=AndGate())
    patient = replace(
        TWO,
        therapy=(given, TWO.therapy),
        plasticity=Plasticity(fitness_cost=(0.1, 0.2)),
        mixture=((0, 0.25), (3, 0.75)),
    )
    assert patient.products == (given, TWO.therapy)
    assert len({patient, replace(patient)}) == 1
    assert TWO.products == (TWO.therapy,)


@pytest.mark.parametrize(
    ("changes", "shown"),
    [
        ({"leukaemia": None}, "leukaemia is None; it must be a Leukaemia"),
        ({"losses": (1e-9,)}, "losses is .*must be a Losses"),
        ({"therapy": None}, "therapy is None; it must be a Therapy"),
        ({"therapy": ()}, "at least one product"),
        ({"plasticity": None}, "plasticity is None"),
        ({"plasticity": Plasticity(stripping=(0.1,))}, "stripping has 1 entries and losses 2"),
        ({"density": 0.8}, "density is 0.8; it must be a AntigenDensities"),
        ({"density": DIM}, "density has 1 antigens and losses 2"),
        ({"mixture": ((0, 0.5),)}, "add up to 0.5"),
        ({"mixture": ((0, 0.5), (0, 0.5))}, "states must differ"),
        ({"mixture": ((0, 0.5), (4, 0.5))}, "a state of mixture is 4"),
        ({"mixture": ((0, 1.5), (1, -0.5))}, "a share of mixture is 1.5"),
        ({"mixture": [(0, 1.0)]}, "it must be a tuple of pairs"),
        ({"mixture": ()}, "it must be a tuple of pairs"),
        ({"mixture": ((0,),)}, "it must be a tuple of pairs"),
        ({"therapy": replace(TWO.therapy, gate=SingleGate(antigen=2))}, "counted from 0"),
    ],
)
def test_a_patient_whose_parts_do_not_fit_is_refused(changes, shown):
    with pytest.raises(ParameterError, match=shown):
        replace(TWO, **changes)


@pytest.mark.parametrize("wrong", [[1e9], None, True])
def test_one_leukaemia_has_one_burden(wrong):
    with pytest.raises(ParameterError, match="burden is"):
        Leukaemia(birth_rate=0.2, death_rate=0.1, burden=wrong)
