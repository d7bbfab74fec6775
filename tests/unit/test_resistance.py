"""Resistance before therapy: closed forms against each other and against slow twins."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad

from car_relapse.antigens import Losses
from car_relapse.errors import ParameterError
from car_relapse.growth import no_living_mutant, no_surviving_line
from car_relapse.luria_delbrueck import CloneLaw, mutant_probabilities
from car_relapse.patient import Leukaemia, typical_patient
from car_relapse.resistance import (
    balancing_common_mode,
    divisions_per_line,
    double_loss_lines_small_rates,
    expected_full_loss,
    first_loss_day,
    full_loss_lines,
    lines_for_fraction,
    no_loss_yet,
    no_resistant_cell,
    surviving_double_loss_lines,
)
from car_relapse.survival import relapse_probabilities

RATES = {"birth_rate": 0.25, "death_rate": 0.15}
BOTH = Losses(per_antigen=(1e-7, 1e-7))
LASTING = ("alive", "for ever")


def plain_double_loss_lines(size, loss, birth, death):
    """Integrate each first loss over its age, and its line by the steps of Heun."""
    net, s = birth - death, 1 - death / birth
    oldest = math.log(size * s) / net
    ages = np.linspace(0, oldest, 40_001)
    step = ages[1]
    single, full = 0.0, 1.0
    total, weight = 0.0, net * np.exp(-net * ages)
    for age in range(1, ages.size):
        before = single

        def slope(p, f):
            return birth * (1 - p) * ((1 - loss) * p + loss * f) - death * p

        first = slope(single, full)
        ahead = full + step * (birth * full * (1 - full) - death * full)
        second = slope(single + step * first, ahead)
        single += step * (first + second) / 2
        full = s / (1 - (1 - s) * math.exp(-net * ages[age]))
        total += step * (weight[age - 1] * before + weight[age] * single) / 2
    return 2 * size * loss / s * total


@given(st.floats(0.0, 10.0), st.floats(0.0, 0.999), st.floats(0.05, 20.0))
def test_no_resistant_cell_is_its_integral(events, ratio, growth):
    def integrand(y):
        return (1 - ratio) / (1 - ratio * y**growth)

    area = quad(integrand, 0, 1, epsabs=1e-13, epsrel=1e-12, limit=400)[0]
    got = float(no_resistant_cell(events, ratio, growth))
    assert got == pytest.approx(math.exp(-events * area), rel=1e-8)


@given(st.floats(0.01, 10.0), st.floats(0.0, 0.99), st.floats(0.2, 5.0))
def test_no_resistant_cell_is_the_zero_class_of_luria_and_delbrueck(events, ratio, growth):
    law = CloneLaw(death_ratio=ratio, relative_growth=growth)
    wanted = float(mutant_probabilities(events, law, 0)[0])
    assert float(no_resistant_cell(events, ratio, growth)) == pytest.approx(wanted, rel=1e-8)


@pytest.mark.parametrize("gap", [1e-3, 1e-8, 1e-14])
def test_barely_growing_resistant_cells_keep_their_digits(gap):
    # With equal growth the integral is elementary.
    ratio = 1 - gap
    events = 1.0 / gap
    wanted = math.exp(events * (1 - ratio) * math.log(1 - ratio) / ratio)
    assert float(no_resistant_cell(events, ratio, 1.0)) == pytest.approx(wanted, rel=1e-11)


def test_extreme_resistant_cells_still_have_a_probability():
    ratio = np.array([0.0, 0.5, 1 - 1e-9])[:, None, None]
    growth = np.geomspace(1e-9, 1e9, 19)[:, None]
    p = no_resistant_cell([0.0, 1e-6, 1.0, 1e6], ratio, growth)
    assert p.shape == (3, 19, 4)
    assert np.all((p >= 0) & (p <= 1))
    # A faster clone is older in its own time, and likelier to have died out already.
    assert np.all(np.diff(p, axis=1) >= -1e-15)


def test_equal_growth_is_the_closed_form_of_the_growth_module():
    s = 0.62
    got = no_resistant_cell(1e9 * 1e-9 / s, 1 - s, 1.0)
    assert float(got) == pytest.approx(float(no_living_mutant(1e9, 1e-9, s)), rel=1e-12)


@given(st.floats(0.0, 0.999))
def test_the_lines_for_a_fraction_invert_the_chance_of_escape(part):
    lines = float(lines_for_fraction(part))
    escaped = 1 - float(no_surviving_line(1e9, lines / 1e9))
    assert escaped == pytest.approx(part, abs=1e-12)


@given(st.floats(0.001, 0.999), st.floats(1e-12, 0.1), st.floats(0.0, 0.2))
def test_the_day_of_the_first_loss_inverts_its_law(part, loss, death):
    rates = {"birth_rate": 0.25, "death_rate": death, "loss": loss}
    day = float(first_loss_day(part, **rates))
    if day >= 0:
        assert 1 - float(no_loss_yet(day, **rates)) == pytest.approx(part, rel=1e-9)


def test_the_first_loss_of_a_late_population_is_the_mixture_over_its_size():
    # At a late day the size is exponential with mean e^(net t)/s, and no loss yet has
    # probability exp(-u n / s) at size n.
    loss, day = 1e-6, 120.0
    net, s = 0.1, 0.4
    mean = math.exp(net * day) / s
    wanted = quad(lambda x: math.exp(-x - loss * mean * x / s), 0, 60)[0]
    got = no_loss_yet(day, birth_rate=0.25, death_rate=0.15, loss=loss)
    assert float(got) == pytest.approx(wanted, rel=1e-6)


def test_the_first_loss_is_certain_in_the_end_and_never_without_loss():
    assert float(no_loss_yet(1e6, **RATES, loss=1e-9)) == pytest.approx(0.0, abs=1e-290)
    assert list(no_loss_yet([0.0, 1e6], **RATES, loss=0.0)) == [1.0, 1.0]


@pytest.mark.parametrize("lasting", LASTING)
@pytest.mark.parametrize(
    ("size", "loss", "ratio"), [(1e6, 1e-6, 0.0), (1e9, 1e-3, 0.4), (1e12, 1e-13, 0.9)]
)
def test_one_antigen_is_the_closed_form_of_growth(lasting, size, loss, ratio):
    rates = {"birth_rate": 0.2, "death_rate": ratio * 0.2}
    losses = Losses(per_antigen=(loss,))
    got = full_loss_lines(size, **rates, losses=losses, lasting=lasting)
    dead = 1 - ratio
    living = size * loss * (-math.log(dead) / ratio if ratio else 1.0)
    # The founder's own age ends the integral: a term of relative size 1/(Ns).
    assert got == pytest.approx(living if lasting == "alive" else size * loss, rel=3e-6)


def test_two_antigens_agree_with_a_plain_integration():
    wanted = plain_double_loss_lines(1e9, 1e-5, 0.25, 0.15)
    got = full_loss_lines(1e9, **RATES, losses=Losses(per_antigen=(1e-5, 1e-5)))
    assert got == pytest.approx(wanted, rel=1e-5)


@pytest.mark.parametrize("lasting", LASTING)
def test_the_order_of_antigens_does_not_matter_and_common_mode_adds_its_own_lines(lasting):
    def lines(*per_antigen, common=0.0):
        losses = Losses(per_antigen=per_antigen, common_mode=common)
        return full_loss_lines(1e10, **RATES, losses=losses, lasting=lasting)

    got = lines(1e-5, 1e-7, 1e-6, common=1e-13)
    assert got == pytest.approx(lines(1e-6, 1e-5, 1e-7, common=1e-13), rel=1e-8)
    alone, shared = lines(1e-5, 1e-7, 1e-6), lines(1e-13)
    # Cells that have lost one target already may lose the rest at once: a little more.
    assert alone + shared < got < (alone + shared) * 1.002


def test_one_certain_loss_leaves_the_other_antigens_to_decide():
    both = full_loss_lines(1e9, **RATES, losses=Losses(per_antigen=(1 - 1e-6, 1e-6)))
    assert both > full_loss_lines(1e9, **RATES, losses=Losses(per_antigen=(1e-6, 1e-6)))


def test_more_loss_and_less_lasting_escape_more():
    rising = [
        full_loss_lines(1e11, **RATES, losses=Losses(per_antigen=(u, 1e-7)))
        for u in (0, 1e-8, 1e-7)
    ]
    assert rising[0] == 0.0
    assert rising[0] < rising[1] < rising[2]
    assert full_loss_lines(1e11, **RATES, losses=BOTH, lasting="for ever") < rising[2]


def test_two_antigens_before_infusion_agree_with_the_whole_model():
    losses = Losses(per_antigen=(1e-7, 3e-7), common_mode=1e-12)
    leukaemia = Leukaemia(**RATES, burden=1e10)
    patient = replace(typical_patient(), leukaemia=leukaemia, losses=losses)
    wanted = relapse_probabilities(patient).preexisting_lines
    got = full_loss_lines(1e10, **RATES, losses=losses, lasting="for ever")
    assert got == pytest.approx(wanted, rel=1e-6)
    closed = surviving_double_loss_lines(1e10, leukaemia.survival, losses)
    assert closed == pytest.approx(got, rel=2e-3)


def test_expected_losses_multiply_and_the_balance_makes_both_ways_equal():
    divisions = float(divisions_per_line(1e11, 0.4))
    assert divisions == pytest.approx(math.log(4e10) / 0.4)
    for k in (1, 2, 3):
        each = Losses(per_antigen=(1e-6,) * k)
        assert expected_full_loss(1e11, 0.4, each) == pytest.approx(1e11 * (1e-6 * divisions) ** k)
        shared = replace(each, common_mode=balancing_common_mode(1e11, 0.4, each))
        twice = 2 * expected_full_loss(1e11, 0.4, each)
        assert expected_full_loss(1e11, 0.4, shared) == pytest.approx(twice)


def test_the_small_rate_formula_counts_too_many():
    common = Losses(per_antigen=(0.0, 0.0), common_mode=1e-11)
    exact = full_loss_lines(1e11, **RATES, losses=common)
    assert double_loss_lines_small_rates(1e11, 0.4, common) == pytest.approx(exact, rel=1e-6)
    exact = full_loss_lines(1e11, **RATES, losses=BOTH)
    assert double_loss_lines_small_rates(1e11, 0.4, BOTH) > 1.5 * exact


ONE = Losses(per_antigen=(1e-6,))


@pytest.mark.parametrize(
    ("call", "shown"),
    [
        (lambda: divisions_per_line(0, 0.5), r"size is 0; .*> 0; give a number of cells"),
        (lambda: divisions_per_line(1e9, 0), r"survival is 0; .*> 0; untreated cells"),
        (lambda: divisions_per_line(1e9, 2), r"survival is 2; .*\[0, 1\]; give 1 - d/b"),
        (lambda: divisions_per_line([1e9, 2.0], 0.5), r"survival is 1; .*> 1; give a larger"),
        (lambda: no_resistant_cell(-1, 0.5, 1), r"events is -1; .*>= 0; give an expected"),
        (lambda: no_resistant_cell(1, 1.0, 1), r"death_ratio is 1; .*< 1; lower the death"),
        (lambda: no_resistant_cell(1, 1.5, 1), r"death_ratio is 1.5; .*\[0, 1\]; give death"),
        (lambda: no_resistant_cell(1, 0.5, 0), r"relative_growth is 0; .*; 1 means equal"),
        (lambda: lines_for_fraction(1.0), r"fraction is 1; .*< 1; give a smaller"),
        (lambda: lines_for_fraction(-0.1), r"fraction is -0.1; .*\[0, 1\]; give a part"),
        (lambda: no_loss_yet(-1, **RATES, loss=0.1), r"day is -1; .*>= 0; count days"),
        (lambda: no_loss_yet(1, **RATES, loss=2), r"loss is 2; .*\[0, 1\]; give a probability"),
        (
            lambda: no_loss_yet(1, birth_rate=0.1, death_rate=0.1, loss=0.1),
            r"death_rate is 0.1 and birth_rate 0.1; .*below birth_rate; lower",
        ),
        (
            lambda: no_loss_yet(1, birth_rate=0, death_rate=0.1, loss=0.1),
            r"birth_rate is 0; .*> 0; give a rate",
        ),
        (lambda: first_loss_day(1.0, **RATES, loss=0.1), r"must lie in \(0, 1\); the law has"),
        (lambda: first_loss_day(0.5, **RATES, loss=0), r"loss is 0; .*> 0; without loss"),
        (
            lambda: full_loss_lines(1e9, **RATES, losses=ONE, lasting="long"),
            r"lasting is 'long'; .*'alive' or 'for ever'; choose",
        ),
        (lambda: full_loss_lines(1.0, **RATES, losses=ONE), r"is 0.4; .*> 1; give a larger"),
        (
            lambda: double_loss_lines_small_rates(1e9, 0.4, ONE),
            r"has 1 entries; .*two antigens; use",
        ),
        (lambda: surviving_double_loss_lines(1e9, 0.4, ONE), r"has 1 entries; .*two antigens; u"),
        (
            lambda: double_loss_lines_small_rates(1e9, 1.0, BOTH),
            r"survival is 1; .*< 1; use full_l",
        ),
        (lambda: surviving_double_loss_lines(2.0, 0.4, BOTH), r"is 0.8; .*> 1; give a larger"),
    ],
)
def test_bad_input_is_refused_with_value_rule_and_remedy(call, shown):
    with pytest.raises(ParameterError, match=shown):
        call()
