"""Antigen states and losses."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from car_relapse.antigens import Losses, Plasticity
from car_relapse.errors import ParameterError

losses = st.builds(
    lambda per, common: Losses(per_antigen=tuple(per), common_mode=common),
    st.lists(st.floats(0.0, 0.15), min_size=1, max_size=6),
    st.floats(0.0, 0.1),
)


@given(losses)
def test_rows_of_the_transition_matrix_are_probabilities(given_losses):
    matrix = given_losses.transition_matrix()
    assert matrix.shape == (given_losses.states, given_losses.states)
    assert np.all(matrix >= 0)
    assert matrix.sum(axis=1) == pytest.approx(np.ones(given_losses.states), abs=1e-15)


@given(losses)
def test_antigens_are_lost_and_never_found_again(given_losses):
    matrix = given_losses.transition_matrix()
    for i, j in zip(*np.nonzero(matrix), strict=True):
        assert i & j == i
    assert matrix[given_losses.escaped, given_losses.escaped] == 1


@given(losses, st.randoms(use_true_random=False))
def test_permuting_antigens_permutes_states(given_losses, random):
    order = random.choice(list(permutations(range(given_losses.antigens))))
    moved = Losses(
        per_antigen=tuple(given_losses.per_antigen[a] for a in order),
        common_mode=given_losses.common_mode,
    )
    # Bit i of a state of the permuted product is bit order[i] of the original.
    state = [
        sum(((s >> i) & 1) << a for i, a in enumerate(order)) for s in range(given_losses.states)
    ]
    assert moved.transition_matrix() == pytest.approx(
        given_losses.transition_matrix()[np.ix_(state, state)], abs=1e-15
    )


@given(st.floats(0.0, 0.5), st.floats(0.0, 0.5))
def test_with_one_antigen_common_mode_adds_to_its_loss(u, c):
    both = Losses(per_antigen=(u,), common_mode=c).transition_matrix()
    assert both == pytest.approx(Losses(per_antigen=(u + c,)).transition_matrix(), abs=1e-15)


def test_the_matrix_of_two_antigens_is_the_one_drawn_by_hand():
    u, v, c = 0.1, 0.2, 0.05
    assert Losses(per_antigen=(u, v), common_mode=c).transition_matrix() == pytest.approx(
        np.array(
            [
                [1 - u - v - c, u, v, c],
                [0, 1 - v - c, 0, v + c],
                [0, 0, 1 - u - c, u + c],
                [0, 0, 0, 1],
            ]
        )
    )


@pytest.mark.parametrize(
    ("per_antigen", "common_mode", "shown", "remedy"),
    [
        ((), 0.0, "per_antigen has 0 entries", "give one loss probability"),
        ((0.1,) * 7, 0.0, "per_antigen has 7 entries", "give one loss probability"),
        ((0.1, -0.2), 0.0, "per_antigen is -0.2 .element 1.", "give a probability"),
        ((1.5,), 0.0, "per_antigen is 1.5", "give a probability"),
        ((float("nan"),), 0.0, "per_antigen is nan", "give a probability"),
        ((float("inf"),), 0.0, "per_antigen is inf", "give a probability"),
        (("rare",), 0.0, "per_antigen is .'rare',.", "give a probability"),
        ((0.1,), -0.1, "common_mode is -0.1", "give a probability"),
        ((0.1,), float("nan"), "common_mode is nan", "give a probability"),
        ((0.6, 0.3), 0.2, "add up to 1.1", "lower them"),
    ],
)
def test_impossible_losses_are_refused_with_value_and_remedy(
    per_antigen, common_mode, shown, remedy
):
    with pytest.raises(ParameterError, match=f"{shown}.*{remedy}"):
        Losses(per_antigen=per_antigen, common_mode=common_mode)


@pytest.mark.parametrize("wrong", [0.1, [0.1], None, "0.1", {0.1}])
def test_losses_that_are_no_tuple_are_refused_with_the_way_to_write_them(wrong):
    with pytest.raises(ParameterError, match=r"per_antigen is .*must be a tuple.*\(0.1,\)"):
        Losses(per_antigen=wrong)


@pytest.mark.parametrize("wrong", [(True,), (None,), ((0.1,),), (0.1, "x"), (1j,)])
def test_losses_that_hold_no_numbers_are_refused(wrong):
    with pytest.raises(ParameterError, match="per_antigen"):
        Losses(per_antigen=wrong)


@pytest.mark.parametrize("name", ["common_mode", "shared_defect"])
@pytest.mark.parametrize("wrong", [None, True, "0", (0.1,), -0.1, 1.5, float("nan")])
def test_a_common_loss_is_one_probability(name, wrong):
    with pytest.raises(ParameterError, match=rf"{name} is .*give a probability"):
        Losses(per_antigen=(0.1,), **{name: wrong})


def test_losses_are_hashable_and_add_up():
    one = Losses(per_antigen=(0.1, 0.2), common_mode=0.03, shared_defect=0.04)
    assert len({one, Losses(per_antigen=(0.1, 0.2), common_mode=0.03, shared_defect=0.04)}) == 1
    assert one.total == pytest.approx(0.37)
    assert one.transition_matrix()[0, 3] == pytest.approx(0.07)
    assert one.transition_matrix()[1, 3] == pytest.approx(0.27)


def test_plasticity_without_entries_is_nought_for_every_antigen():
    none = Plasticity()
    assert [none.of("switch_off", j) for j in range(6)] == [0.0] * 6
    assert not none.reversible(0)
    assert hash(none) == hash(Plasticity())
    none.check_antigens(3)


@pytest.mark.parametrize(
    ("fields", "shown"),
    [
        ({"switch_off": 0.1}, "switch_off is 0.1; it must be a tuple"),
        ({"switch_on": [0.1]}, "switch_on is .*must be a tuple"),
        ({"stripping": (-0.1,)}, "stripping is -0.1"),
        ({"stripping": (None,)}, "stripping is"),
        ({"stripping": ((0.1,),)}, "each entry must be one number"),
        ({"fitness_cost": (1.1,)}, "fitness_cost is 1.1"),
        ({"switch_off": (0.1,)}, "switch_off is 0.1 and switch_on 0 for antigen 1"),
        ({"switch_off": (0.1,), "switch_on": (0.0,)}, "what never comes back is lost"),
        ({"switch_on": (float("inf"),)}, "switch_on is inf"),
    ],
)
def test_impossible_plasticity_is_refused(fields, shown):
    with pytest.raises(ParameterError, match=shown):
        Plasticity(**fields)


def test_plasticity_has_an_entry_for_each_antigen_or_none():
    with pytest.raises(ParameterError, match="stripping has 2 entries and losses 3 antigens"):
        Plasticity(stripping=(0.1, 0.2)).check_antigens(3)
