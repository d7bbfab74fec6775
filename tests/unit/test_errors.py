"""The checks of arguments: each refusal names the value, the rule and the remedy."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from car_relapse import errors
from car_relapse.errors import LedgerError, ParameterError

NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("check", "bad", "shown", "rule"),
    [
        (errors.require_finite, NAN, "nan", "finite"),
        (errors.require_finite, -INF, "-inf", "finite"),
        (errors.require_positive, 0.0, "0", "> 0"),
        (errors.require_positive, -2.5, "-2.5", "> 0"),
        (errors.require_positive, INF, "inf", "finite"),
        (errors.require_positive, NAN, "nan", "> 0"),
        (errors.require_non_negative, -1e-9, "-1e-09", ">= 0"),
        (errors.require_non_negative, INF, "inf", "finite"),
        (errors.require_non_negative, NAN, "nan", ">= 0"),
        (errors.require_fraction, 1.5, "1.5", "[0, 1]"),
        (errors.require_fraction, -0.1, "-0.1", "[0, 1]"),
        (errors.require_fraction, NAN, "nan", "[0, 1]"),
        (errors.require_fraction, "many", "'many'", "a number"),
        (errors.require_positive, "0.5", "'0.5'", "a number"),
        (errors.require_positive, [0.5, "0.5"], "[0.5, '0.5']", "a number"),
        (errors.require_finite, 1j, "1j", "a number"),
    ],
)
def test_a_bad_number_is_refused_with_value_rule_and_remedy(check, bad, shown, rule):
    with pytest.raises(ParameterError) as caught:
        check("killing_rate", bad, "see the ledger")
    message = str(caught.value)
    assert message.startswith(f"killing_rate is {shown}")
    assert rule in message
    assert message.endswith("see the ledger")


def test_the_first_bad_element_of_an_array_is_named():
    with pytest.raises(ParameterError, match=re.escape("rate is -3 (element 3); it must be")):
        errors.require_non_negative("rate", [[0.0, 1.0], [2.0, -3.0], [-4.0, 5.0]], "mend it")


@pytest.mark.parametrize(
    ("bad", "rule"),
    [
        (NAN, "a whole number >= 1"),
        (INF, "a whole number >= 1"),
        (1.5, "a whole number >= 1"),
        (0, "a whole number >= 1"),
        (-7, "a whole number >= 1"),
        ("ten", "a number"),
        (None, "a number"),
    ],
)
def test_a_bad_count_is_refused_with_value_rule_and_remedy(bad, rule):
    with pytest.raises(ParameterError) as caught:
        errors.require_count("n", bad, "give a number of patients", minimum=1)
    message = str(caught.value)
    assert message.startswith(f"n is {bad!r}; ")
    assert rule in message
    assert message.endswith("give a number of patients")


@given(st.integers(min_value=0, max_value=2**200))
def test_a_whole_number_is_returned_exactly_however_large(value):
    assert errors.require_count("seed", value, "") == value


def test_whole_floats_and_numpy_integers_count_as_counts():
    assert errors.require_count("n", 3.0, "") == 3
    assert errors.require_count("n", np.int64(2**62 + 1), "") == 2**62 + 1
    assert isinstance(errors.require_count("n", np.int32(5), ""), int)


@given(st.floats(0.0, 1.0))
def test_a_good_number_comes_back_unchanged(value):
    assert errors.require_fraction("p", value, "") == value
    assert errors.require_non_negative("p", value, "") == value
    assert errors.require_finite("p", -value, "") == -value


def test_a_ledger_error_prints_as_a_sentence_and_not_as_a_repr():
    assert str(LedgerError("the row is gone")) == "the row is gone"
    assert str(LedgerError()) == ""


def test_the_errors_can_be_caught_as_their_builtin_kin():
    assert issubclass(ParameterError, ValueError)
    assert issubclass(LedgerError, KeyError)
    assert issubclass(errors.EvidenceError, ValueError)
    for kind in (ParameterError, LedgerError, errors.EvidenceError):
        assert issubclass(kind, errors.CarRelapseError)
