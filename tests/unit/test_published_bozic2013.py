"""Bozic et al. 2013: the printed law, its correction, and the branching process itself."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from car_relapse.antigens import Losses
from car_relapse.errors import ParameterError
from car_relapse.killing import Killing
from car_relapse.luria_delbrueck import CloneLaw, mutant_probabilities
from car_relapse.patient import Leukaemia, Patient
from car_relapse.published.bozic2013 import (
    BozicParameters,
    eradication_as_printed,
    eradication_corrected,
    eradication_nested,
    expected_resistant_cells,
    failure_probability,
    no_one_step_resistance,
    no_two_step_resistance,
)
from car_relapse.survival import relapse_probabilities
from car_relapse.therapy import Therapy

PAPER = BozicParameters()
SHARED = replace(PAPER, shared_mutations=1.0)
FAST = BozicParameters(
    birth_rate=1.0, death_rate=0.99, treated_birth_rate=1.0, treated_death_rate=1.03
)


@dataclass(frozen=True)
class Plateau:
    """A drug level of 1 that ends after many years."""

    end: float = 3000.0

    def level(self, day):
        return np.where(np.asarray(day) < self.end, 1.0, 0.0)

    @property
    def kinks(self):
        return (self.end,)

    def last_day_above(self, level):
        return np.asarray(self.end)


@pytest.mark.parametrize("shared", [0.0, 0.01])
@pytest.mark.parametrize("size", [1e9, 1e11])
def test_nested_branching_agrees_with_the_general_survival_equations(shared, size):
    p = replace(PAPER, shared_mutations=shared)
    u = p.mutation_rate
    patient = Patient(
        leukaemia=Leukaemia(birth_rate=0.14, death_rate=0.13, burden=size),
        losses=Losses(per_antigen=(50 * u, 50 * u), common_mode=shared * u),
        # Half of the largest rate at the level of half effect: 0.04 a day.
        therapy=Therapy(exposure=Plateau(), killing=Killing(maximal_rate=0.08, half_level=1.0)),
    )
    assert eradication_nested(p, size) == pytest.approx(
        relapse_probabilities(patient).cure, rel=1e-6
    )


@pytest.mark.parametrize("p", [PAPER, FAST])
@pytest.mark.parametrize("size", [1e9, 1e10, 1e11])
def test_the_correction_brings_the_printed_law_to_the_branching_process(p, size):
    nested = eradication_nested(p, size)
    assert eradication_corrected(p, size) == pytest.approx(nested, abs=3e-3)
    assert eradication_as_printed(p, size) < eradication_corrected(p, size)


def test_one_shared_mutation_decides_the_outcome():
    assert eradication_nested(PAPER, 1e9) > 0.99
    assert eradication_nested(SHARED, 1e9) == pytest.approx(0.26, abs=0.01)
    assert eradication_nested(SHARED, 1e11) < 1e-50


@given(st.floats(1e-12, 1e-7), st.floats(1e4, 1e12))
def test_eradication_is_a_probability_and_falls_with_size_and_mutation(u, size):
    p = replace(PAPER, mutation_rate=u)
    chance = eradication_nested(p, size)
    assert 0 <= chance <= 1
    assert eradication_nested(p, 2 * size) <= chance + 1e-12
    assert eradication_nested(replace(p, mutation_rate=2 * u), size) <= chance + 1e-12


def test_the_drugs_may_be_exchanged():
    one = replace(PAPER, first_mutations=10.0, second_mutations=90.0)
    other = replace(PAPER, first_mutations=90.0, second_mutations=10.0)
    assert eradication_nested(one, 1e11) == pytest.approx(eradication_nested(other, 1e11))
    assert eradication_as_printed(one, 1e11) == pytest.approx(eradication_as_printed(other, 1e11))


def test_without_mutations_every_tumour_is_eradicated():
    assert eradication_nested(replace(PAPER, mutation_rate=0.0), 1e11) == 1
    only_first = replace(PAPER, second_mutations=0.0)
    assert eradication_nested(only_first, 1e11) == 1
    assert eradication_as_printed(only_first, 1e11) == 1
    assert eradication_nested(replace(only_first, shared_mutations=1.0), 1e9) < 1


def test_one_step_resistance_follows_the_luria_delbrueck_law():
    s, size = SHARED.survival, 1e9
    events = SHARED.mutation_rate * size / s
    wanted = mutant_probabilities(events, CloneLaw(death_ratio=1 - s), 0)[0]
    assert no_one_step_resistance(SHARED, size) == pytest.approx(wanted, rel=1e-8)
    immortal = replace(SHARED, death_rate=0.0)
    assert no_one_step_resistance(immortal, size) == pytest.approx(np.exp(-1.0))


def test_the_mean_number_of_resistant_cells_grows_faster_than_the_tumour():
    small, large = (expected_resistant_cells(SHARED, size) for size in (1e9, 1e10))
    assert large > 10 * small
    assert no_two_step_resistance(SHARED, 1e10) < no_two_step_resistance(SHARED, 1e9) < 1


@pytest.mark.parametrize("law", ["as printed", "corrected", "nested"])
def test_lesions_fail_independently(law):
    one = failure_probability(PAPER, 1e10, law=law)
    three = failure_probability(PAPER, 3e10, lesions=3, law=law)
    assert 1 - three == pytest.approx((1 - one) ** 3)


@pytest.mark.parametrize("name", [f.name for f in fields(BozicParameters)])
def test_bad_parameters_are_refused(name):
    for value in (-1.0, float("nan")):
        with pytest.raises(ParameterError, match=name):
            BozicParameters(**{name: value})


def test_other_bad_input_is_refused():
    with pytest.raises(ParameterError, match=r"treated_death_rate is 0\.1"):
        BozicParameters(treated_death_rate=0.1)
    with pytest.raises(ParameterError, match=r"mutation_rate is 0\.1 at 100 sites"):
        BozicParameters(mutation_rate=0.1)
    for law in (eradication_nested, eradication_as_printed, no_two_step_resistance):
        with pytest.raises(ParameterError, match="size is 10"):
            law(PAPER, 10.0)
    with pytest.raises(ParameterError, match="law is 'exact'"):
        failure_probability(PAPER, 1e9, law="exact")
    with pytest.raises(ParameterError, match="lesions"):
        failure_probability(PAPER, 1e9, lesions=0)
