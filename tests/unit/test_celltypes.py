"""Types of cell: what leads where, who is killed, and what counts as which relapse."""

from __future__ import annotations

from dataclasses import fields, replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from car_relapse.antigens import Losses, Plasticity
from car_relapse.celltypes import cell_types, density_groups
from car_relapse.densities import AntigenDensities
from car_relapse.engagement import default_density, default_engagement
from car_relapse.errors import ParameterError
from car_relapse.gates import AndGate, OrGate, SingleGate
from car_relapse.patient import typical_patient
from car_relapse.switching import low_fraction
from car_relapse.therapy import cocktail

BASE = typical_patient()


def patient(*per_antigen, common=0.0, shared=0.0, gate=None, **changes):
    therapy = changes.pop("therapy", replace(BASE.therapy, gate=gate or OrGate()))
    losses = Losses(per_antigen=per_antigen, common_mode=common, shared_defect=shared)
    return replace(BASE, losses=losses, therapy=therapy, **changes)


@pytest.mark.parametrize("antigens", range(1, 7))
def test_without_plasticity_types_are_the_bit_masks_of_losses(antigens):
    who = patient(*[0.01] * antigens, shared=0.02)
    types = cell_types(who)
    assert types.size == 2**antigens
    assert types.daughters == pytest.approx(who.losses.transition_matrix(), abs=1e-15)
    assert types.lost.tolist() == list(range(2**antigens))
    assert types.relapse_class[0] == 0
    assert types.relapse_class[-1] == 2
    assert set(types.relapse_class[1:-1]) <= {1}


def test_a_lineage_switch_is_a_type_of_its_own():
    types = cell_types(patient(0.1, 0.2, common=0.05, shared=0.01))
    assert types.names[-1] == "lineage switch"
    assert types.daughters[0] == pytest.approx([0.64, 0.1, 0.2, 0.01, 0.05])
    assert types.daughters[3, 3] == types.daughters[4, 4] == 1.0
    assert types.relapse_class.tolist() == [0, 1, 1, 2, 3]
    assert types.engagement[0].tolist() == [1, 1, 1, 0, 0]


@pytest.mark.parametrize("shown", list(product([0, 1], repeat=3)))
def test_gates_have_the_truth_tables_of_logic(shown):
    state = sum((1 - s) << j for j, s in enumerate(shown))
    for gate, wanted in [
        (OrGate(), any(shown)),
        (AndGate(), all(shown)),
        (SingleGate(antigen=1), bool(shown[1])),
        (OrGate(antigens=(0, 2)), bool(shown[0] or shown[2])),
    ]:
        types = cell_types(patient(0.1, 0.1, 0.1, gate=gate))
        assert types.engagement[0, state] == float(wanted)


def test_products_of_a_cocktail_see_the_cell_through_their_own_gates():
    parts = [replace(BASE.therapy, gate=SingleGate(antigen=j)) for j in range(2)]
    types = cell_types(patient(0.1, 0.1, therapy=cocktail(*parts)))
    assert types.engagement.tolist() == [[1, 0, 1, 0], [1, 1, 0, 0]]


def test_an_antigen_that_switches_has_three_levels_and_comes_back():
    flexible = Plasticity(switch_off=(1e-3, 0.0), switch_on=(0.1, 0.0), stripping=(0.02, 0.0),
                          fitness_cost=(0.1, 0.2))  # fmt: skip
    types = cell_types(patient(0.01, 0.02, plasticity=flexible))
    assert types.size == 6
    off, on = types.names.index("off 1"), types.names.index("all shown")
    assert types.switching[on, off] == 1e-3
    assert types.switching[off, on] == 0.1
    assert types.stripping[0, on, off] == 0.02
    assert types.stripping[0, off].sum() == 0
    assert types.relapse_class[off] == 0
    assert types.block[off] == types.block[on]
    # Off, the cell still shows its second antigen, and is killed for that.
    assert types.engagement[0, off] == 1
    assert types.engagement[0, types.names.index("off 1, lost 2")] == 0
    assert types.initial[off] == pytest.approx(float(low_fraction(1e-3, 0.1)))
    both_lost = types.names.index("lost 1, lost 2")
    assert types.birth[both_lost] == pytest.approx(BASE.leukaemia.birth_rate * 0.9 * 0.8)


def test_an_antigen_torn_off_for_good_is_lost():
    types = cell_types(patient(0.01, plasticity=Plasticity(stripping=(0.1,))))
    off = types.names.index("off 1")
    assert types.relapse_class[off] == 2
    assert types.block[off] != types.block[0]
    assert types.initial[off] == 0


@settings(max_examples=30, deadline=None, derandomize=True)
@given(
    st.lists(st.floats(0.0, 0.1), min_size=1, max_size=3),
    st.floats(0.0, 0.2),
    st.floats(0.0, 0.2),
    st.booleans(),
)
def test_rows_are_probabilities_and_losses_lead_onwards(per_antigen, common, shared, plastic):
    k = len(per_antigen)
    flexible = Plasticity(switch_off=(0.1,) * k, switch_on=(0.2,) * k) if plastic else Plasticity()
    types = cell_types(patient(*per_antigen, common=common, shared=shared, plasticity=flexible))
    assert types.daughters.sum(axis=1) == pytest.approx(np.ones(types.size), abs=1e-14)
    assert np.all(np.tril(types.daughters, -1) == 0)
    assert types.initial.sum() == pytest.approx(1.0, abs=1e-14)
    rank = types.relapse_class
    i, j = np.nonzero(types.daughters)
    assert np.all(rank[i] <= rank[j])


def test_density_groups_are_blocks_of_one_table():
    spread = AntigenDensities(
        densities=(default_density(),), engagements=(default_engagement(),), bins=4
    )
    who = patient(0.01, common=0.02, density=spread)
    weight, compact = density_groups(who)
    table = cell_types(who)
    assert table.size == 4 * compact.size
    for g in range(4):
        part = slice(g * compact.size, (g + 1) * compact.size)
        assert table.daughters[part, part] == pytest.approx(compact.daughters)
        assert table.daughters[part].sum() == pytest.approx(compact.size)
        assert table.engagement[:, part] == pytest.approx(compact.engagement[g])
        assert table.initial[part].sum() == pytest.approx(weight[g])
    assert len(set(table.block.tolist())) == 4 * len(set(compact.block.tolist()))
    assert table.names[0] == "group 1: all shown"


def test_expansion_has_its_own_threshold_and_is_the_mean_over_the_tumour():
    spread = AntigenDensities(
        densities=(default_density(),), engagements=(default_engagement(),), bins=12
    )
    types = cell_types(patient(0.01, density=spread))
    assert np.all(types.expansion <= types.engagement)
    groups = spread.groups()
    wanted = groups.weight @ groups.expansion[:, 0]
    assert types.mean_expansion(types.initial) == pytest.approx([wanted])
    assert types.mean_expansion(np.zeros((3, types.size))).tolist() == [[0.0]] * 3


def test_a_mixture_starts_with_the_states_it_names():
    types = cell_types(patient(0.01, 0.01, mixture=((0, 0.5), (2, 0.3), (3, 0.2))))
    assert types.initial.tolist() == [0.5, 0.0, 0.3, 0.2]


def test_tables_too_large_to_solve_are_refused():
    spread = AntigenDensities(
        densities=(default_density(),) * 3, engagements=(default_engagement(),) * 3, bins=20
    )
    with pytest.raises(ParameterError, match=r"8000 groups of 8 types.*density_groups"):
        cell_types(patient(0.1, 0.1, 0.1, density=spread))


def test_every_array_has_the_shape_it_says():
    types = cell_types(patient(0.1, 0.2, common=0.1))
    n = types.size
    shapes = {"daughters": (n, n), "switching": (n, n), "engagement": (1, n), "expansion": (1, n),
              "stripping": (1, n, n)}  # fmt: skip
    for field in fields(types):
        if field.name != "names":
            assert getattr(types, field.name).shape == shapes.get(field.name, (n,))
