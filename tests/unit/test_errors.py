"""The checks of arguments: each refusal names the value, the rule and the remedy."""

from __future__ import annotations

import re
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from car_relapse import errors
from car_relapse.errors import LedgerError, ParameterError

DAY = np.datetime64("2020-01-01")
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
        (errors.require_finite, None, "None", "a number"),
        (errors.require_finite, True, "True", "a number"),
        (errors.require_finite, np.True_, repr(np.True_), "a number"),
        (errors.require_fraction, [0.5, True], "[0.5, True]", "a number"),
        (errors.require_fraction, ((0.5, 0.1), (False, 0.2)), "((0.5, 0.1), ", "a number"),
        (errors.require_fraction, [0.5, None], "[0.5, None]", "a number"),
        (errors.require_fraction, [[0.5], [0.5, 0.1]], "[[0.5], [0.5, 0.1]]", "a number"),
        (errors.require_positive, b"1", "b'1'", "a number"),
        (errors.require_positive, {1.0}, "{1.0}", "a number"),
        (errors.require_positive, Fraction(1, 2), "Fraction(1, 2)", "a number"),
        (errors.require_positive, np.array(["0.5"]), "array(['0.5']", "a number"),
        (errors.require_positive, np.array([1.0], dtype=object), "array([1.0]", "a number"),
        (errors.require_positive, DAY, repr(DAY), "a number"),
        (errors.require_positive, 10**400, "1000", "a number"),
        pytest.param(errors.require_positive, 10**5000, "a int too", "a number", id="digits"),
    ],
)
def test_a_bad_number_is_refused_with_value_rule_and_remedy(check, bad, shown, rule):
    with pytest.raises(ParameterError) as caught:
        check("killing_rate", bad, "see the ledger")
    message = str(caught.value)
    assert message.startswith(f"killing_rate is {shown}")
    assert rule in message
    assert message.endswith("see the ledger")


CHECKS = [
    errors.require_finite,
    errors.require_fraction,
    errors.require_non_negative,
    errors.require_positive,
]


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("several", [[], [0.5], (0.1, 0.2), np.ones(3), np.ones((1, 1))])
def test_several_numbers_pass_unless_one_is_meant(check, several):
    assert check("rate", several, "").shape == np.shape(several)
    with pytest.raises(ParameterError, match=r"^rate is .*; it must be a single number, not"):
        check("rate", several, "give one", scalar=True)


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("one", [1, 0.5, np.float32(0.5), np.int8(1), np.array(0.25)])
def test_one_number_passes_where_one_is_meant(check, one):
    value = check("rate", one, "", scalar=True)
    assert value.dtype == np.float64
    assert float(value) == float(one)


def test_a_whole_number_beyond_64_bits_is_to_be_written_as_a_float():
    # A record keeps what it was given, and numpy does not compute with it.
    with pytest.raises(ParameterError, match=r"cells is 10{30}; .*as 1e30; give cells"):
        errors.require_positive("cells", 10**30, "give cells")
    assert errors.require_positive("cells", 1e30, "") == 1e30
    assert errors.require_positive("cells", 2**63, "") == 2.0**63


def test_a_number_whose_inverse_overflows_is_refused_where_it_must_be_positive():
    with pytest.raises(ParameterError, match=r"rate is 9\.99989e-321; it must be at least 1e-300"):
        errors.require_positive("rate", 1e-320, "give a rate")
    assert errors.require_positive("rate", 1e-300, "") == 1e-300
    assert errors.require_non_negative("rate", 1e-320, "") == 1e-320


def test_a_long_value_is_cut_short_in_the_message():
    with pytest.raises(ParameterError) as caught:
        errors.require_positive("cells", "x" * 1000, "give cells")
    assert len(str(caught.value)) < 200


@pytest.mark.skipif(np.finfo(np.longdouble).max == np.finfo(float).max, reason="no wider floats")
def test_a_number_too_large_for_a_float_is_refused_as_infinite():
    with pytest.raises(ParameterError, match="cells is inf; it must be finite"):
        errors.require_positive("cells", np.longdouble("1e4000"), "give cells")


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
        (1e300, "a whole number >= 1"),
        (2.0**53 + 2, "a whole number >= 1"),
        ("ten", "a number"),
        ("10", "a number"),
        (None, "a number"),
        (True, "a number"),
        (np.True_, "a number"),
        (1j, "a number"),
        ([3], "a single number"),
        (np.array([3]), "a single number"),
    ],
)
def test_a_bad_count_is_refused_with_value_rule_and_remedy(bad, rule):
    with pytest.raises(ParameterError) as caught:
        errors.require_count("n", bad, "give a number of patients", minimum=1)
    message = str(caught.value)
    assert message.startswith(f"n is {bad!r}; ")
    assert rule in message
    assert message.endswith("give a number of patients")


def test_a_count_has_a_largest_value_where_the_caller_sets_one():
    assert errors.require_count("k", 6, "", minimum=1, maximum=6) == 6
    for large in (7, 10**400, 10**5000):
        with pytest.raises(ParameterError, match=r"k is .*; .* whole number from 1 to 6; give few"):
            errors.require_count("k", large, "give fewer", minimum=1, maximum=6)


def test_an_instance_of_the_kind_is_returned_and_anything_else_refused():
    rng = np.random.default_rng(1)
    assert errors.require_instance("rng", rng, np.random.Generator, "") is rng
    with pytest.raises(ParameterError, match=r"^rng is None; it must be a Generator; give one$"):
        errors.require_instance("rng", None, np.random.Generator, "give one")


def test_values_of_one_shape_or_single_ones_broadcast_and_others_are_refused():
    assert errors.require_broadcast("", size=np.ones((2, 3)), loss=0.1, day=[1, 2, 3]) == (2, 3)
    with pytest.raises(ParameterError) as caught:
        errors.require_broadcast("give as many", size=[1.0, 2.0], loss=[0.1, 0.2, 0.3])
    assert str(caught.value) == (
        "size has shape (2,) and loss has shape (3,); they must have one shape, or be single; "
        "give as many"
    )


@given(st.integers(min_value=0, max_value=2**200))
def test_a_whole_number_is_returned_exactly_however_large(value):
    assert errors.require_count("seed", value, "", maximum=None) == value


@pytest.mark.parametrize("value", [2**53 + 1, 10**30, 10**400])
def test_nothing_but_a_seed_is_counted_beyond_what_a_float_counts(value):
    with pytest.raises(ParameterError, match=r"n is .*>= 1 and at most 2\^53; give fewer"):
        errors.require_count("n", value, "give fewer", minimum=1)


def test_one_call_draws_ten_million_at_most():
    assert errors.require_draws(10**7, "courses") == 10**7
    with pytest.raises(ParameterError, match="from 1 to 10000000; give a number of courses"):
        errors.require_draws(10**7 + 1, "courses")


@pytest.mark.parametrize(
    "check", [errors.require_finite, errors.require_positive, errors.require_non_negative]
)
@pytest.mark.parametrize("value", [1.01e100, 1e308, [1.0, 1e200]])
def test_numbers_whose_products_would_overflow_are_refused(check, value):
    with pytest.raises(ParameterError, match=r"x is 1.*at most 1e\+100 in size.*; mend it"):
        check("x", value, "mend it")
    assert check("x", 1e100, "mend it") == 1e100


def test_what_breaks_a_rule_otherwise_is_told_that_rule():
    with pytest.raises(ParameterError, match="x is -1e\\+308; it must be finite and > 0"):
        errors.require_positive("x", -1e308, "mend it")
    with pytest.raises(ParameterError, match="x is inf; it must be finite and >= 0"):
        errors.require_non_negative("x", np.inf, "mend it")


def test_whole_floats_and_numpy_integers_count_as_counts():
    assert errors.require_count("n", 3.0, "") == 3
    assert errors.require_count("n", np.int64(2**53 - 1), "") == 2**53 - 1
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
