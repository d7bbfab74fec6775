"""Mixtures keep the shares they are given; bystander killing is between none and that of a gate."""

from __future__ import annotations

import math

import numpy as np
import pytest

from car_relapse.errors import ParameterError
from car_relapse.gates import AndGate, SumGate
from car_relapse.mixture import BystanderGate, expression_mixture, uncovered_share

MISSING = (0.5, 0.3, 0.2)


def lacking(mixture: tuple[tuple[int, float], ...], antigen: int) -> float:
    return sum(share for state, share in mixture if state >> antigen & 1)


@pytest.mark.parametrize("overlap", [0.0, 0.3, 1.0])
def test_each_antigen_is_absent_from_its_share_whatever_the_overlap(overlap):
    mixture = expression_mixture(MISSING, overlap=overlap)
    assert sum(share for _, share in mixture) == pytest.approx(1.0)
    for antigen, share in enumerate(MISSING):
        assert lacking(mixture, antigen) == pytest.approx(share)


@pytest.mark.parametrize("overlap", [0.0, 0.3, 1.0])
def test_the_uncovered_share_is_that_of_the_last_state(overlap):
    mixture = dict(expression_mixture(MISSING, overlap=overlap))
    assert mixture[7] == pytest.approx(uncovered_share(MISSING, overlap=overlap))


def test_independent_antigens_multiply_and_nested_ones_leave_the_smallest():
    assert uncovered_share(MISSING) == pytest.approx(math.prod(MISSING))
    assert uncovered_share(MISSING, overlap=1.0) == min(MISSING)
    nested = dict(expression_mixture(MISSING, overlap=1.0))
    assert nested == pytest.approx({0: 0.5, 1: 0.2, 3: 0.1, 7: 0.2})


def test_states_without_cells_are_left_out():
    assert expression_mixture((0.0, 0.4)) == ((0, 0.6), (2, 0.4))
    assert expression_mixture((1.0,)) == ((1, 1.0),)


@pytest.mark.parametrize("missing", [(), (0.1,) * 7, (1.2,), 0.3, ((0.1,), (0.2,))])
def test_bad_shares_are_refused(missing):
    with pytest.raises(ParameterError, match="missing"):
        expression_mixture(missing)


def test_a_bad_overlap_is_refused():
    with pytest.raises(ParameterError, match="overlap"):
        uncovered_share((0.3,), overlap=1.5)


def test_bystander_killing_adds_a_part_of_what_the_gate_leaves():
    engagement = [np.array([0.0, 0.4, 1.0])]
    assert BystanderGate(share=0.0).fraction(engagement) == pytest.approx([0.0, 0.4, 1.0])
    assert BystanderGate(share=0.5).fraction(engagement) == pytest.approx([0.5, 0.7, 1.0])
    assert BystanderGate(share=1.0).fraction(engagement) == pytest.approx([1.0, 1.0, 1.0])


def test_bystander_killing_can_stand_alone_beside_a_first_product():
    engagement = [np.array([0.0, 0.4, 1.0])]
    beside = BystanderGate(share=0.5, beside_only=True)
    assert beside.fraction(engagement) == pytest.approx([0.5, 0.3, 0.0])


def test_a_gate_above_one_is_left_as_it_is():
    gate = BystanderGate(share=0.5, gate=SumGate())
    assert gate.fraction([1.0, 1.0]).item() == 2.0


def test_the_gate_inside_says_what_is_read():
    gate = BystanderGate(share=0.2, gate=AndGate(antigens=(1, 0)))
    assert gate.reads(2) == (1, 0)
    assert gate.fraction([1.0, 0.0]).item() == pytest.approx(0.2)


def test_bad_gates_and_shares_are_refused():
    with pytest.raises(ParameterError, match="share"):
        BystanderGate(share=-0.1)
    with pytest.raises(ParameterError, match="gate"):
        BystanderGate(share=0.1, gate="or")
