"""Gates: logic at the corners, probability in between, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from car_relapse.errors import ParameterError
from car_relapse.gates import (
    AndGate,
    AndNotGate,
    OrGate,
    SingleGate,
    SumGate,
    and_gate,
    and_not_gate,
    cocktail,
    or_gate,
)

parts = st.floats(0.0, 1.0)


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("second", [0, 1])
def test_the_gates_obey_their_truth_tables(first, second):
    assert or_gate(first, second) == (first or second)
    assert and_gate(first, second) == (first and second)
    assert and_not_gate(first, second) == (first and not second)
    assert cocktail([1.0, 1.0], [first, second]) == first + second


@given(parts, parts, parts)
def test_de_morgan_holds_between_the_corners(a, b, c):
    assert 1 - or_gate(a, b, c) == pytest.approx(and_gate(1 - a, 1 - b, 1 - c), abs=1e-14)
    assert 1 - and_gate(a, b, c) == pytest.approx(or_gate(1 - a, 1 - b, 1 - c), abs=1e-14)
    assert and_not_gate(a, b) == pytest.approx(and_gate(a, 1 - b), abs=1e-15)


@given(parts, parts, st.floats(1.0, 5.0))
def test_or_is_never_below_its_best_arm_nor_and_above_its_worst(a, b, synergy):
    assert or_gate(a, b, synergy=synergy) >= max(a, b) * (1 - 1e-15)
    assert and_gate(a, b) <= min(a, b)


@given(parts, st.floats(1.0, 5.0))
def test_without_the_second_antigen_a_gate_is_the_single_receptor(a, synergy):
    assert or_gate(a, 0.0, synergy=synergy) == a
    assert or_gate(a) == a
    assert and_gate(a) == a
    assert and_gate(a, 1.0) == a
    assert and_not_gate(a, 0.0) == a
    assert cocktail([2.0, 3.0], [a, 0.0]) == 2.0 * a


@given(parts, parts, parts)
def test_the_order_of_the_antigens_does_not_matter(a, b, c):
    assert or_gate(a, b, c) == pytest.approx(float(or_gate(c, a, b)), rel=1e-13)
    assert and_gate(a, b, c) == pytest.approx(float(and_gate(c, a, b)), rel=1e-13)


def test_synergy_multiplies_the_effect_of_full_engagement_of_all():
    assert or_gate(1.0, 1.0, synergy=1.7) == pytest.approx(1.7)
    assert or_gate(0.5, 0.5, synergy=3.0) == pytest.approx(0.75 + 2 * 0.25)


def test_small_engagements_keep_their_digits():
    assert or_gate(1e-20, 2e-20) == pytest.approx(3e-20, rel=1e-15)


def test_gates_work_element_by_element():
    first, second = np.array([0.0, 0.5, 1.0]), 0.5
    for gate in (or_gate, and_gate, and_not_gate):
        assert gate(first, second) == pytest.approx([float(gate(a, second)) for a in first])
    assert cocktail([first, 1.0], [0.5, second]) == pytest.approx(0.5 * first + 0.5)


@pytest.mark.parametrize("bad", [-0.1, 1.1, float("nan"), "high", [0.5, 2.0]])
@pytest.mark.parametrize("gate", [or_gate, and_gate, and_not_gate])
def test_an_engagement_outside_the_unit_interval_is_refused(gate, bad):
    with pytest.raises(ParameterError, match=r"engagement 2 is .*; it must .*; give the engag"):
        gate(0.5, bad)


def test_a_gate_without_input_is_refused():
    for gate in (or_gate, and_gate):
        with pytest.raises(ParameterError, match=r"no engagement .* at least one .*; give one"):
            gate()


@pytest.mark.parametrize(("synergy", "rule"), [(0.5, ">= 1; 1 means none"), (-1, "> 0; 1 means")])
def test_a_weakening_synergy_is_refused(synergy, rule):
    with pytest.raises(ParameterError, match=f"synergy is {synergy}; .*{rule}"):
        or_gate(0.5, 0.5, synergy=synergy)


def test_a_cocktail_needs_one_rate_for_each_product():
    with pytest.raises(ParameterError, match=r"killing_rate has 1 .* engagement 2; .*; give as"):
        cocktail([1.0], [0.5, 0.5])
    with pytest.raises(ParameterError, match=r"killing_rate 2 is -1; .*>= 0; give a rate"):
        cocktail([1.0, -1.0], [0.5, 0.5])


@given(parts, parts, parts)
def test_the_classes_are_the_functions_of_the_antigens_they_read(a, b, c):
    cell = [a, b, c]
    assert OrGate().fraction(cell) == or_gate(a, b, c)
    assert OrGate(antigens=(2, 0), synergy=1.5).fraction(cell) == or_gate(c, a, synergy=1.5)
    assert OrGate(arms=(1.0, 0.5, 0.0)).fraction(cell) == or_gate(a, 0.5 * b, 0.0)
    assert SumGate(arms=(0.5, 0.2, 1.0)).fraction(cell) == cocktail([0.5, 0.2, 1.0], cell)
    assert AndGate(antigens=(0, 2)).fraction(cell) == and_gate(a, c)
    assert SingleGate(antigen=1).fraction(cell) == b
    assert AndNotGate(antigen=1).fraction(cell, veto=c) == and_not_gate(b, c)


@given(parts, parts)
def test_without_its_second_arm_a_gate_is_single(a, b):
    cell = [a, b]
    assert OrGate(arms=(1.0, 0.0)).fraction(cell) == SingleGate(antigen=0).fraction(cell)
    assert AndNotGate().fraction(cell) == SingleGate(antigen=0).fraction(cell)
    assert OrGate().fraction(cell) >= max(a, b)
    assert AndGate().fraction(cell) <= min(a, b)
    assert SumGate().fraction(cell) >= OrGate().fraction(cell) - 1e-15


@pytest.mark.parametrize(
    ("call", "shown"),
    [
        (lambda: OrGate(antigens=()), "antigens is"),
        (lambda: OrGate(antigens=[0]), "antigens is"),
        (lambda: OrGate(antigens=(0, 0)), "antigens is"),
        (lambda: AndGate(antigens=(-1,)), "antigens is -1"),
        (lambda: AndGate(antigens=("CD19",)), "antigens is 'CD19'"),
        (lambda: OrGate(arms=(1.5,)), "arms is 1.5"),
        (lambda: OrGate(arms=[1.0]), "arms is"),
        (lambda: OrGate(arms=()), "arms is"),
        (lambda: SumGate(arms=((1.0,),)), "arms is"),
        (lambda: OrGate(synergy=0.5), "synergy is 0.5"),
        (lambda: OrGate(synergy=None), "synergy is None"),
        (lambda: SingleGate(antigen=1.5), "antigen is 1.5"),
        (lambda: AndNotGate(antigen=None), "antigen is None"),
        (lambda: SingleGate(antigen=2).fraction([1.0, 1.0]), "there are 2 targeted antigens"),
        (lambda: OrGate(arms=(1.0,)).fraction([1.0, 1.0]), "arms has 1 entries"),
    ],
)
def test_gates_that_cannot_be_built_are_refused(call, shown):
    with pytest.raises(ParameterError, match=shown):
        call()
