"""Patients and their leukaemias."""

from __future__ import annotations

import pytest

from car_relapse.errors import ParameterError
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
