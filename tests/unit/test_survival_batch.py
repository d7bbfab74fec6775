"""Many patients at once, against one after the other."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from car_relapse.antigens import Losses, Plasticity
from car_relapse.errors import ParameterError
from car_relapse.exposure import SteinExposure, stein_population, stein_typical
from car_relapse.exposure_table import TableExposure
from car_relapse.gates import AndGate, OrGate, SingleGate
from car_relapse.killing import Killing, LinearKilling
from car_relapse.patient import Leukaemia, Patient, typical_patient
from car_relapse.survival import relapse_probabilities
from car_relapse.survival_batch import relapse_lines_batch
from car_relapse.therapy import cocktail

GIVEN = typical_patient().therapy
NAMES = ("positive_lines", "preexisting_lines", "completed_lines", "acquired_lines", "shared_lines")


def template(antigens, gate=None):
    return replace(
        typical_patient(),
        losses=Losses(per_antigen=(1e-6,) * antigens, common_mode=1e-11),
        therapy=replace(GIVEN, gate=gate or OrGate()),
    )


def drawn(patients, antigens, seed):
    rng = np.random.default_rng(seed)
    birth = rng.uniform(0.1, 0.3, patients)
    return {
        "birth_rate": birth,
        "death_rate": birth * rng.uniform(0.1, 0.7, patients),
        "burden": 10 ** rng.uniform(8, 12, patients),
        "per_antigen": 10 ** rng.uniform(-9, -4, (patients, antigens)),
        "common_mode": 10 ** rng.uniform(-13, -9, patients),
        "shared_defect": 10 ** rng.uniform(-13, -9, patients),
    }


@pytest.mark.parametrize(
    ("antigens", "gate"),
    [(1, OrGate()), (2, OrGate()), (3, OrGate()), (2, AndGate()), (3, OrGate(arms=(1, 0.5, 0.2)))],
    ids=["one", "two", "three", "AND", "arms"],
)
def test_a_batch_is_one_patient_after_the_other_to_1e_6(antigens, gate):
    patients = 12
    values = drawn(patients, antigens, seed=antigens)
    rng = np.random.default_rng(3)
    curves = stein_population("standard deviation").sample(patients, rng)
    rate = rng.uniform(0.5, 2.0, patients)
    base = template(antigens, gate)
    many = relapse_lines_batch(
        base, **values, curves=[curves], killing=[Killing(maximal_rate=rate, half_level=3000.0)]
    )
    for i in range(patients):
        curve = SteinExposure(**{name: float(v[i]) for name, v in vars(curves).items()})
        one = relapse_probabilities(
            Patient(
                leukaemia=Leukaemia(
                    birth_rate=values["birth_rate"][i], death_rate=values["death_rate"][i],
                    burden=values["burden"][i],
                ),
                losses=Losses(
                    per_antigen=tuple(values["per_antigen"][i].tolist()),
                    common_mode=values["common_mode"][i], shared_defect=values["shared_defect"][i],
                ),
                therapy=replace(
                    base.therapy, exposure=curve,
                    killing=Killing(maximal_rate=rate[i], half_level=3000.0),
                ),
            )
        )  # fmt: skip
        for name in NAMES:
            assert getattr(many, name)[i] == pytest.approx(getattr(one, name), rel=1e-6, abs=1e-38)
        assert many.class_lines[:, i] == pytest.approx(one.class_lines, rel=1e-6, abs=1e-38)
        assert many.preexisting_class_lines[:, i] == pytest.approx(
            one.preexisting_class_lines, rel=1e-6, abs=1e-38
        )
        assert many.cure[i] == pytest.approx(one.cure, rel=1e-5)


def test_two_products_and_another_law_of_killing():
    parts = [
        replace(GIVEN, gate=SingleGate(antigen=0)),
        replace(
            GIVEN, gate=SingleGate(antigen=1), killing=LinearKilling(rate_per_level=1e-4),
            exposure=replace(stein_typical(), peak_day=14.0),
        ),
    ]  # fmt: skip
    base = replace(template(2), therapy=cocktail(*parts))
    many = relapse_lines_batch(base, burden=[1e9, 1e11])
    for i, burden in enumerate((1e9, 1e11)):
        one = relapse_probabilities(replace(base, leukaemia=replace(base.leukaemia, burden=burden)))
        assert many.class_lines[:, i] == pytest.approx(one.class_lines, rel=1e-6)


def test_a_product_that_reaches_no_cell_does_nothing():
    idle = replace(GIVEN, gate=OrGate(arms=(0.0,)))
    base = template(1)
    with_idle = relapse_lines_batch(replace(base, therapy=cocktail(GIVEN, idle)), burden=[1e10])
    alone = relapse_lines_batch(base, burden=[1e10])
    assert with_idle.class_lines == pytest.approx(alone.class_lines, rel=1e-6)


def test_fitness_costs_come_from_the_template():
    base = replace(template(2), plasticity=Plasticity(fitness_cost=(0.1, 0.3)))
    many = relapse_lines_batch(base, burden=[1e10])
    one = relapse_probabilities(replace(base, leukaemia=replace(base.leukaemia, burden=1e10)))
    assert many.class_lines[:, 0] == pytest.approx(one.class_lines, rel=1e-6)


def test_the_result_of_a_patient_does_not_depend_on_the_company():
    values = drawn(40, 2, seed=5)
    base = template(2)
    together = relapse_lines_batch(base, **values)
    part = relapse_lines_batch(base, **{name: value[7:9] for name, value in values.items()})
    assert part.class_lines == pytest.approx(together.class_lines[:, 7:9], rel=1e-6)


@pytest.mark.parametrize(
    ("call", "shown"),
    [
        (lambda: relapse_lines_batch(None), "template is None"),
        (lambda: relapse_lines_batch(template(1), burden=[1e9, 1e9], birth_rate=[0.1] * 3),
         "burden has shape"),
        (lambda: relapse_lines_batch(template(2), per_antigen=[[1e-6]]), "per_antigen has shape"),
        (lambda: relapse_lines_batch(template(1), per_antigen=[[1.5]]), "per_antigen is 1.5"),
        (lambda: relapse_lines_batch(template(1), burden=[1e9, -1.0]), "burden is -1"),
        (lambda: relapse_lines_batch(template(1), burden=[12.0]), "it must be at least 10"),
        (lambda: relapse_lines_batch(template(1), death_rate=[0.5]), "give a larger burden, or d"),
        (lambda: relapse_lines_batch(template(1), common_mode=[1.0], shared_defect=[0.5]),
         "add up to 1.5"),
        (lambda: relapse_lines_batch(template(1), curves=[]), "curves has 0 entries"),
        (lambda: relapse_lines_batch(template(1), killing=[]), "killing has 0 entries"),
        (
            lambda: relapse_lines_batch(
                template(1), curves=[TableExposure(days=(0, 1), levels=(1, 2), after="zero")]
            ),
            "does not say how it declines",
        ),
        (
            lambda: relapse_lines_batch(
                replace(template(1), plasticity=Plasticity(stripping=(0.1,)))
            ),
            "use survival.relapse_probabilities",
        ),
    ],
)  # fmt: skip
def test_batches_that_cannot_be_solved_are_refused(call, shown):
    with pytest.raises(ParameterError, match=shown):
        call()
