"""The fifteen identities of the model family, each tested twice: where its layer is, and here.

An identity holds between answers of the package, whatever the numbers, so it can fail without any
reference value. `TESTED` says which tests of the layers hold it; the tests below look at each a
second time, with other means.
"""

from __future__ import annotations

import ast
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad, solve_ivp

from car_relapse import (
    Killing,
    Leukaemia,
    Losses,
    Outcome,
    Patient,
    SteinExposure,
    Therapy,
    default_population,
    relapse_probabilities,
    simulate,
    stein_typical,
    typical_patient,
)
from car_relapse.branching import LineLaw, constant_rate_law, time_dependent_law
from car_relapse.engagement import DensityDistribution, Response, mean_response
from car_relapse.engager import TrimerLaw
from car_relapse.gates import OrGate, and_gate, and_not_gate, or_gate
from car_relapse.growth import no_living_mutant, no_surviving_line
from car_relapse.luria_delbrueck import CloneLaw, mutant_probabilities
from car_relapse.patient_lines import patient_lines
from car_relapse.published import carrgo2020, cartmath2021, kimmel2021, leontriana2020
from car_relapse.relapse_time import RelapseTime

IDENTITIES = {
    1: "sizes add up to one, grow exponentially on average, and two intervals compose to one",
    2: "constant rates are a case of varying ones; only rates times time count",
    3: "more division and more loss help the disease, more killing and more antigens do not",
    4: "without loss nothing is acquired; one antigen cannot tell common mode from its own loss",
    5: "the exponents of separate paths add, and grow linearly with the burden",
    6: "surviving lines do not depend on turnover, living ones do, without death they are equal",
    7: "the law of mutants is the contour integral of its generating function; thinning composes",
    8: "the law at fixed time is the exponential mixture of the laws at fixed size",
    9: "OR is at least its best arm, AND at most its worst; with one arm a gate is single",
    10: "a density without spread is one cell; half the response at the median",
    11: "the curve is that of two compartments, with the area of an exponential up to the peak",
    12: "the published models keep what their equations keep",
    13: "trimers are symmetric about the optimum in the logarithm of concentration",
    14: "mean and median of the relapse time differ by a constant; more lines are seen earlier",
    15: "a population without spread is one patient; the outcomes add up to everyone",
}

# Identity: file of the layer's tests, and the tests there that hold it.
TESTED: dict[int, dict[str, tuple[str, ...]]] = {
    1: {
        "unit/test_branching.py": (
            "test_probabilities_of_all_sizes_add_up_to_one",
            "test_the_mean_size_is_exponential_in_the_net_rate",
            "test_the_law_is_continuous_where_birth_equals_death",
            "test_two_different_intervals_compose_by_chapman_kolmogorov",
            "test_two_leaps_have_the_law_of_one",
        )
    },
    2: {
        "unit/test_branching.py": (
            "test_constant_rates_are_a_special_case_of_rates_that_vary",
            "test_the_law_depends_only_on_rates_times_time",
        )
    },
    3: {
        "unit/test_survival.py": (
            "test_faster_division_lets_more_targeted_lines_through",
            "test_stronger_killing_lets_fewer_targeted_lines_through",
            "test_more_loss_means_more_escape",
            "test_dual_target_never_escapes_more_often_than_single_target",
        )
    },
    4: {
        "unit/test_survival.py": (
            "test_without_losses_nothing_escapes",
            "test_with_one_antigen_common_mode_adds_to_its_loss",
            "test_permuting_antigens_changes_nothing",
            "test_a_second_antigen_lost_at_almost_every_division_protects_like_none",
        ),
        "unit/test_antigens.py": ("test_permuting_antigens_permutes_states",),
    },
    5: {
        "unit/test_survival.py": (
            "test_with_one_antigen_every_exponent_is_linear_in_the_burden",
            "test_routes_multiply_and_outcomes_add_up_to_one",
        )
    },
    6: {
        "unit/test_growth.py": (
            "test_a_living_mutant_is_likelier_than_a_surviving_line",
            "test_without_death_every_living_line_survives",
            "test_no_surviving_line_has_its_two_closed_forms",
        )
    },
    7: {
        "unit/test_luria_delbrueck.py": (
            "test_the_recursion_is_the_contour_integral_of_the_generating_function",
            "test_thinning_twice_is_thinning_once_by_the_product",
            "test_vanishing_death_other_fitness_and_missed_cells_recover_lea_and_coulson",
        ),
        "verification/test_reference_values.py": ("test_reference_value_is_reproduced",),
    },
    8: {
        "unit/test_luria_delbrueck.py": (
            "test_fixed_time_is_the_exponential_mixture_of_fixed_size",
        )
    },
    9: {
        "unit/test_gates.py": (
            "test_or_is_never_below_its_best_arm_nor_and_above_its_worst",
            "test_without_the_second_antigen_a_gate_is_the_single_receptor",
            "test_de_morgan_holds_between_the_corners",
        )
    },
    10: {
        "unit/test_engagement.py": (
            "test_without_spread_all_cells_are_the_median_cell",
            "test_a_vanishing_threshold_engages_every_cell",
            "test_at_the_median_exactly_half_the_response_is_left",
        )
    },
    11: {
        "unit/test_exposure.py": (
            "test_two_compartments_give_the_same_curve",
            "test_the_area_to_the_peak_is_the_rise_over_its_rate",
            "test_the_curve_is_continuous_at_its_peak",
        )
    },
    12: {
        "unit/test_published_kimmel2021.py": (
            "test_the_peak_lies_where_all_t_cells_reach_the_capacity_of_car_t",
            "test_car_t_do_not_notice_the_tumour",
        ),
        "unit/test_published_leontriana2020.py": (
            "test_without_growth_the_sum_of_car_t_and_prey_never_rises",
        ),
        "unit/test_published_cartmath2021.py": (
            "test_before_infusion_the_tumour_follows_the_logistic_curve",
        ),
        "unit/test_published_carrgo2020.py": ("test_coexistence_does_not_move",),
    },
    13: {
        "unit/test_engager.py": (
            "test_trimers_are_symmetric_about_the_optimum_in_log_concentration",
        )
    },
    14: {
        "unit/test_relapse_time.py": (
            "test_mean_and_median_differ_by_a_constant_over_the_growth_rate",
            "test_more_lines_are_seen_earlier",
        )
    },
    15: {
        "unit/test_cohort.py": (
            "test_a_cohort_without_heterogeneity_is_one_patient_many_times",
            "test_relapse_by_kind_cure_and_no_remission_add_up_to_everyone",
        )
    },
}

few = settings(deadline=None, derandomize=True, max_examples=15, database=None)
fewer_still = settings(few, max_examples=5)
rates = st.floats(0.01, 2.0)
parts = st.floats(0.0, 1.0)
small_losses = st.floats(1e-9, 1e-4)


def _functions(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("number", IDENTITIES)
def test_every_identity_is_tested_in_its_layer_and_here(number: int) -> None:
    tests = Path(__file__).resolve().parents[1]
    for file, names in TESTED[number].items():
        assert set(names) <= _functions(tests / file), f"{file} has lost a test of {number}"
    here = [name for name in _functions(Path(__file__)) if name.startswith(f"test_{number:02}_")]
    assert here, f"identity {number} has no second look in this file"


# --- 1 and 2: one line -----------------------------------------------------------------------


def _generating_function(law: LineLaw, z: float) -> float:
    """Return E[z^n] of the descendants of one cell: a linear fraction in z."""
    dead, step = float(law.extinct), float(law.geometric_parameter)
    return dead + (1.0 - dead) * (1.0 - step) * z / (1.0 - step * z)


@few
@given(rates, rates, st.floats(0.1, 5.0), st.floats(0.1, 5.0), parts)
def test_01_generating_functions_of_successive_intervals_are_nested(
    birth: float, death: float, first: float, second: float, z: float
) -> None:
    once = constant_rate_law(birth, death, first + second)
    inner = _generating_function(constant_rate_law(birth, death, second), z)
    twice = _generating_function(constant_rate_law(birth, death, first), inner)
    assert twice == pytest.approx(_generating_function(once, z), abs=1e-12)


@few
@given(rates, rates, st.floats(0.1, 3.0))
def test_01_a_line_has_a_size_for_certain_and_the_mean_of_exponential_growth(
    birth: float, death: float, days: float
) -> None:
    law = constant_rate_law(birth, death, days)
    assert _generating_function(law, 1.0) == pytest.approx(1.0, abs=1e-12)
    step = 1e-6
    slope = (1.0 - _generating_function(law, 1.0 - step)) / step
    assert slope == pytest.approx(math.exp((birth - death) * days), rel=1e-3)
    close = constant_rate_law(birth, birth * (1 + 1e-9), days)
    assert float(close.extinct) == pytest.approx(birth * days / (1 + birth * days), rel=1e-6)


@few
@given(rates, rates, st.floats(0.1, 20.0))
def test_02_varying_rates_that_do_not_vary_are_constant_ones(
    birth: float, death: float, days: float
) -> None:
    steady = constant_rate_law(birth, death, days)
    varying = time_dependent_law(lambda _: birth, lambda _: death, 5.0, 5.0 + days)
    assert float(varying.log_hazard) == pytest.approx(float(steady.log_hazard), rel=1e-9)
    assert float(varying.log_growth) == pytest.approx(float(steady.log_growth), abs=1e-9)


def _patient(
    *,
    burden: float = 1e9,
    speed: float = 1.0,
    birth: float = 0.2,
    killing: float = 0.8,
    losses: Losses | None = None,
) -> Patient:
    """Return a patient all of whose rates are `speed` times those of a typical one."""
    curve = stein_typical()
    return Patient(
        leukaemia=Leukaemia(birth_rate=speed * birth, death_rate=speed * 0.1, burden=burden),
        losses=losses or Losses(per_antigen=(1e-9,)),
        therapy=Therapy(
            exposure=SteinExposure(
                fold=curve.fold,
                peak_day=float(curve.peak_day) / speed,
                peak_level=curve.peak_level,
                contraction_rate=speed * float(curve.contraction_rate),
                memory_fraction=curve.memory_fraction,
                memory_rate=speed * 0.02,
            ),
            killing=Killing(maximal_rate=speed * killing, half_level=3000.0),
        ),
    )


@few
@given(st.floats(0.05, 20.0))
def test_02_faster_clocks_do_not_change_fates(speed: float) -> None:
    slow, fast = (relapse_probabilities(_patient(speed=s)) for s in (1.0, speed))
    assert fast.positive_lines == pytest.approx(slow.positive_lines, rel=1e-6)
    assert fast.negative_lines == pytest.approx(slow.negative_lines, rel=1e-6)


# --- 3, 4 and 5: survival under therapy ------------------------------------------------------


@fewer_still
@given(st.floats(0.15, 0.5), st.floats(0.3, 1.5), small_losses, st.floats(1.05, 2.0))
def test_03_the_disease_gains_from_division_and_loss_and_suffers_from_killing(
    birth: float, killing: float, loss: float, more: float
) -> None:
    def lines(**changes: Any) -> tuple[float, float]:
        values = {"birth": birth, "killing": killing, "loss": loss} | changes
        lost = Losses(per_antigen=(values.pop("loss"),))
        result = relapse_probabilities(_patient(losses=lost, **values))
        return result.positive_lines, result.negative_lines

    positive, negative = lines()
    assert lines(birth=birth * more)[0] > positive
    assert lines(killing=killing * more)[0] < positive
    assert lines(loss=loss * more)[1] > negative
    both = Losses(per_antigen=(loss, loss))
    # The escape of a second antigen takes a second loss.
    two = relapse_probabilities(_patient(birth=birth, killing=killing, losses=both))
    assert two.negative_lines < negative


@fewer_still
@given(
    st.tuples(small_losses, small_losses, small_losses),
    st.tuples(parts, parts, parts),
    st.floats(0.5, 1.5),
)
def test_03_a_cell_that_has_lost_more_survives_more_often(
    losses: tuple[float, ...], arms: tuple[float, ...], killing: float
) -> None:
    patient = _patient(losses=Losses(per_antigen=losses, common_mode=1e-8), killing=killing)
    gate = OrGate(arms=arms)
    fates = patient_lines(replace(patient, therapy=replace(patient.therapy, gate=gate))).fates
    survives = fates.sum(axis=0)[:, 0]
    for state in range(8):
        for antigen in range(3):
            further = state | 1 << antigen
            # What the integration leaves of equal chances, at a relative 1e-8.
            assert survives[further] >= survives[state] * (1 - 1e-8)


@fewer_still
@given(small_losses, small_losses)
def test_04_common_mode_and_own_loss_of_one_antigen_leave_the_same_chance_of_cure(
    own: float, common: float
) -> None:
    apart = _patient(losses=Losses(per_antigen=(own,), common_mode=common))
    together = _patient(losses=Losses(per_antigen=(own + common,)))
    results = [relapse_probabilities(patient) for patient in (apart, together)]
    assert results[0].cure == pytest.approx(results[1].cure, rel=1e-9)
    assert results[0].negative_lines == pytest.approx(results[1].negative_lines, rel=1e-9)


@fewer_still
@given(st.permutations([1e-9, 3e-6, 2e-4]))
def test_04_the_names_of_the_antigens_do_not_matter(losses: list[float]) -> None:
    sorted_, shuffled = (
        relapse_probabilities(_patient(losses=Losses(per_antigen=tuple(order))))
        for order in (sorted(losses), losses)
    )
    assert shuffled.negative_lines == pytest.approx(sorted_.negative_lines, rel=1e-8)
    assert shuffled.positive_lines == pytest.approx(sorted_.positive_lines, rel=1e-8)


def test_04_an_antigen_that_is_never_lost_never_escapes_and_no_loss_is_no_escape() -> None:
    kept = relapse_probabilities(_patient(losses=Losses(per_antigen=(1e-4, 0.0))))
    assert kept.negative_lines == 0.0
    none = relapse_probabilities(_patient(losses=Losses(per_antigen=(0.0,))))
    assert none.negative_lines == 0.0
    assert none.positive_lines > 0.0


@fewer_still
@given(st.integers(2, 6), st.floats(1e-8, 1e-6))
def test_04_an_antigen_that_every_cell_has_lost_leaves_a_product_for_one_fewer(
    antigens: int, loss: float
) -> None:
    fewer = _patient(losses=Losses(per_antigen=(loss,) * (antigens - 1), common_mode=1e-10))
    every = _patient(losses=Losses(per_antigen=(loss,) * antigens, common_mode=1e-10))
    # Every cell lacks the first antigen from the start.
    lacking = relapse_probabilities(replace(every, mixture=((1, 1.0),)))
    wanted = relapse_probabilities(replace(fewer, mixture=((0, 1.0),)))
    assert lacking.class_lines[2:] == pytest.approx(wanted.class_lines[2:], rel=1e-6)
    assert sum(lacking.class_lines[:2]) == pytest.approx(sum(wanted.class_lines[:2]), rel=1e-6)


@fewer_still
@given(st.floats(1e-12, 1e-9), st.floats(1e-12, 1e-9), st.floats(1e6, 1e11))
def test_05_exponents_add_over_paths_and_grow_with_the_burden(
    first: float, second: float, burden: float
) -> None:
    def lines(losses: Losses, cells: float) -> float:
        return relapse_probabilities(_patient(losses=losses, burden=cells)).negative_lines

    two = {"per_antigen": (0.0, 0.0)}
    alone = [lines(Losses(**two, common_mode=c), burden) for c in (first, second)]
    assert lines(Losses(**two, common_mode=first + second), burden) == pytest.approx(
        sum(alone), rel=1e-6
    )
    assert lines(Losses(**two, common_mode=first), 10 * burden) == pytest.approx(
        10 * alone[0], rel=1e-6
    )


# --- 6, 7 and 8: growth before therapy -------------------------------------------------------


@few
@given(st.floats(1e6, 1e12), st.floats(0.01, 3.0), st.floats(0.01, 0.99))
def test_06_turnover_cancels_for_surviving_lines_and_not_for_living_ones(
    size: float, expected: float, survival: float
) -> None:
    loss = expected / size
    surviving = float(no_surviving_line(size, loss))
    assert surviving == pytest.approx(math.exp(-expected), rel=1e-9)
    assert float(no_living_mutant(size, loss, 1.0)) == pytest.approx(surviving, rel=1e-9)
    living = float(no_living_mutant(size, loss, survival))
    assert living < surviving
    # A clone may be alive and yet die out: -ln s / (1 - s) of them for one that lives on.
    assert math.log(living) == pytest.approx(
        expected * math.log(survival) / (1.0 - survival), rel=1e-9
    )


@few
@given(st.floats(0.05, 8.0), st.floats(0.05, 1.0))
def test_07_mutants_are_the_fourier_coefficients_of_lea_and_coulson_thinned(
    events: float, plating: float
) -> None:
    largest, points = 20, 4096
    # On a circle inside the unit disc, where the generating function has no singularity.
    radius = 0.99
    z = radius * np.exp(2j * np.pi * np.arange(points) / points)
    w = 1.0 - plating * (1.0 - z)
    # All plates are counted: z stands for one counted cell, w for one cell.
    values = np.exp(events * (1.0 / w - 1.0) * np.log1p(-w))
    coefficients = np.fft.fft(values)[: largest + 1].real / points
    expected = coefficients / radius ** np.arange(largest + 1)
    got = mutant_probabilities(events, CloneLaw(detection=plating), largest)
    assert got == pytest.approx(expected, rel=1e-6, abs=1e-9)


@few
@given(st.floats(0.05, 5.0), st.floats(0.2, 1.0), st.floats(0.2, 1.0), st.floats(0.0, 0.9))
def test_07_thinning_composes(events: float, first: float, second: float, death: float) -> None:
    law = CloneLaw(death_ratio=death, detection=first * second)
    once = mutant_probabilities(events, law, 4)
    # Thinning again: each counted cell is kept with the second probability.
    start = mutant_probabilities(events, replace(law, detection=first), 400)
    kept = np.arange(start.size)
    none_left = float(np.sum(start * (1.0 - second) ** kept))
    assert none_left == pytest.approx(float(once[0]), rel=1e-9)


@few
@given(st.floats(0.1, 5.0), st.integers(0, 6), st.floats(0.0, 0.9))
def test_08_fixed_time_is_the_exponential_mixture_of_fixed_size(
    events: float, number: int, death: float
) -> None:
    law = CloneLaw(death_ratio=death)

    def at(factor: float) -> float:
        probabilities = mutant_probabilities(events * factor, law, number)
        return float(probabilities[number]) * math.exp(-factor)

    mixed = quad(at, 0.0, 40.0, epsabs=1e-11, epsrel=1e-10, limit=200)[0]
    fixed = mutant_probabilities(events, law, number, fixed="time")[number]
    assert float(fixed) == pytest.approx(mixed, rel=1e-7)


# --- 9 and 10: engagement --------------------------------------------------------------------


@few
@given(parts, parts)
def test_09_or_holds_its_arms_and_its_arms_hold_and(first: float, second: float) -> None:
    either, both = float(or_gate(first, second)), float(and_gate(first, second))
    rounding = 1e-15
    assert both <= min(first, second) + rounding
    assert max(first, second) <= either + rounding
    assert either <= 1.0
    assert float(or_gate(first, 0.0)) == float(and_not_gate(first, 0.0)) == first
    assert 1.0 - either == pytest.approx(float(and_gate(1.0 - first, 1.0 - second)), abs=1e-15)
    assert both + float(and_not_gate(first, second)) == pytest.approx(first, abs=1e-15)


@few
@given(st.floats(10.0, 1e6), st.floats(1e-6, 3.0), st.floats(0.5, 6.0), st.floats(0.1, 10.0))
def test_10_densities_have_their_three_limits(
    median: float, log_sd: float, hill: float, ratio: float
) -> None:
    spread = DensityDistribution(median=median, log_sd=log_sd)
    half = mean_response(spread, Response(half_density=median, hill=hill))
    assert float(half) == pytest.approx(0.5, abs=1e-10)
    response = Response(half_density=median * ratio, hill=hill)
    narrow = DensityDistribution(median=median, log_sd=1e-9)
    assert float(mean_response(narrow, response)) == pytest.approx(
        1.0 / (1.0 + ratio**hill), rel=1e-6
    )
    tiny = Response(half_density=median * 1e-120, hill=hill)
    assert float(mean_response(spread, tiny)) == pytest.approx(1.0, abs=1e-12)


# --- 11, 12 and 13: exposure and the models of others ----------------------------------------


@few
@given(
    st.floats(2.0, 1e4), st.floats(3.0, 30.0), st.floats(0.05, 1.0), st.floats(1e-3, 0.2),
    st.floats(1e-3, 0.04),
)  # fmt: skip
def test_11_the_curve_is_that_of_effectors_that_turn_into_memory(
    fold: float, peak_day: float, contraction: float, fraction: float, memory: float
) -> None:
    curve = SteinExposure(
        fold=fold, peak_day=peak_day, peak_level=1e4, contraction_rate=contraction,
        memory_fraction=fraction, memory_rate=memory,
    )  # fmt: skip
    rise = math.log(fold) / peak_day
    assert float(curve.area(peak_day)) == pytest.approx((1e4 - 1e4 / fold) / rise, rel=1e-9)
    before, after = (float(curve.level(peak_day * (1 + e))) for e in (-1e-12, 1e-12))
    assert before == pytest.approx(after, rel=1e-9)
    # Effectors decline at the fast rate, and part of them turn into memory cells.
    share = fraction * (contraction - memory)

    def slope(_: float, y: np.ndarray) -> list[float]:
        return [-contraction * y[0], share * y[0] - memory * y[1]]

    days = np.array([1.0, 10.0, 100.0])
    run = solve_ivp(slope, (0.0, 100.0), [1e4, 0.0], "DOP853", t_eval=days, rtol=1e-11, atol=1e-12)
    level = curve.level(peak_day + days)
    # The effectors that turn are part of the fast decline, and the peak is shared out likewise.
    whole = run.y.sum(axis=0)
    assert level == pytest.approx(whole, rel=1e-6)


@few
@given(st.floats(0.5, 2.0), st.floats(1e-3, 1e4))
def test_12_in_kimmel_car_t_peak_at_their_capacity_and_ignore_the_tumour(
    factor: float, tumour: float
) -> None:
    base = kimmel2021.KimmelParameters(normal_capacity=500.0 * factor)
    day, level = kimmel2021.peak(base)
    at_peak = kimmel2021.solve(base, [day])
    assert float(at_peak.normal[0] + at_peak.car[0]) == pytest.approx(139.0, rel=1e-6)
    other = kimmel2021.solve(replace(base, tumour_start=tumour), [day])
    assert float(other.car[0]) == pytest.approx(level, rel=1e-8)


@fewer_still
@given(st.floats(3e-11, 8e-11), st.floats(0.1, 0.5), st.floats(1e6, 1e8), st.floats(7.0, 30.0))
def test_12_in_leon_triana_killed_prey_and_car_t_are_exchanged_at_a_fixed_rate(
    killing: float, exchange: float, dose: float, lifetime: float
) -> None:
    # No growth to speak of, so that the sum can only fall.
    p = leontriana2020.LeukaemiaParameters(
        leukaemia_rate=1e-9,
        killing_rate=killing,
        expansion_rate=exchange * killing,
        car_start=dose,
        car_lifetime=lifetime,
    )
    course = leontriana2020.solve(p, np.linspace(0.5, 200.0, 400))
    total = course.car + p.expansion_rate / p.killing_rate * (course.leukaemia + course.b_cells)
    assert np.all(np.diff(total) <= 1e-6 * total[:-1])
    assert total[-1] < 0.9 * total[0]


@few
@given(st.floats(0.02, 0.5), st.floats(1e-10, 1e-7), st.floats(1e-4, 0.9))
def test_12_in_cartmath_the_untreated_tumour_is_logistic(
    rate: float, crowding: float, filled: float
) -> None:
    p = replace(
        cartmath2021.HDLM2, tumour_rate=rate, crowding=crowding, tumour_start=filled / crowding
    )
    days = np.array([0.05, 2.0, 15.0, 100.0]) / rate
    got = cartmath2021.solve(p, days).tumour
    capacity, start = 1.0 / p.crowding, p.tumour_start
    grown = np.exp(p.tumour_rate * days)
    assert got == pytest.approx(
        capacity * start * grown / (capacity + start * (grown - 1)), rel=1e-6
    )


@few
@given(st.floats(0.05, 0.8), st.floats(1.0, 3.0))
def test_12_in_carrgo_coexistence_stays_where_it_is(death: float, expansion: float) -> None:
    p = carrgo2020.CarrgoParameters(death_ratio=death, expansion_ratio=expansion)
    tumour, car = carrgo2020.coexistence(p)
    assert (tumour, car) == pytest.approx((death / expansion, 1.0 - death / expansion))
    course = carrgo2020.solve(p, [1.0, 50.0], tumour=tumour, car=car)
    assert course.tumour == pytest.approx(tumour, rel=1e-6)
    assert course.car == pytest.approx(car, rel=1e-6)


@few
@given(st.floats(1e-3, 1e4), st.floats(1e-3, 1e4), st.floats(1e-3, 1e3))
def test_13_as_many_trimers_form_as_far_above_the_optimum_as_below(
    cd3: float, antigen: float, fold: float
) -> None:
    law = TrimerLaw(cd3_constant=cd3, antigen_constant=antigen)
    low, high = law.formation([law.optimum / fold, law.optimum * fold])
    assert low == pytest.approx(high, rel=1e-9)
    assert law.optimum**2 == pytest.approx(cd3 * antigen, rel=1e-12)
    assert low <= law.maximum * (1 + 1e-12)


# --- 14 and 15: what is seen -----------------------------------------------------------------


@few
@given(st.integers(2, 50), st.floats(1e5, 1e12), st.floats(0.05, 1.0), st.floats(1e-3, 1.0))
def test_14_one_line_is_gumbel_and_more_lines_are_seen_earlier(
    lines: int, detection: float, survival: float, rate: float
) -> None:
    one = RelapseTime(lines=1, detection=detection, survival=survival, net_rate=rate)
    gap = (np.euler_gamma + math.log(math.log(2.0))) / rate
    assert one.mean - one.median == pytest.approx(gap, rel=1e-6)
    many, fewer = (replace(one, lines=k) for k in (lines, lines - 1))
    days = one.median + np.linspace(-3.0, 3.0, 7) / rate
    assert np.all(many.cdf(days) >= fewer.cdf(days))
    assert many.mean < fewer.mean


@fewer_still
@given(st.floats(1e-9, 6e-9), st.floats(0.0, 3e-9), st.integers(0, 2**32))
def test_15_a_population_without_spread_is_one_patient_and_outcomes_add_up(
    loss: float, switch: float, seed: int
) -> None:
    declared = default_population(1e8)
    alike = replace(
        declared,
        burden_log10_sd=0.0,
        losses=Losses(per_antigen=(loss,), common_mode=switch),
        exposures=replace(declared.exposures, log_sd=(0.0,) * 6),
    )
    cohort = simulate(alike, 4000, seed=seed)
    patient = typical_patient(1e8)
    law = relapse_probabilities(replace(patient, losses=alike.losses))
    cured = cohort.share(Outcome.CURED)[0]
    assert 0.05 < law.cure < 0.95
    assert cured == pytest.approx(law.cure, abs=4.0 * math.sqrt(law.cure * (1 - law.cure) / 4000))
    assert cohort.cure_probability == pytest.approx(law.cure, rel=1e-4)
    shares = [cohort.share(outcome)[0] for outcome in Outcome]
    assert sum(shares) == pytest.approx(1.0, abs=1e-12)
    relapsed = [o for o in Outcome if o is not Outcome.CURED]
    seen = sum(float(cohort.cumulative_incidence(o, [1e9])[0]) for o in relapsed)
    assert seen + cured == pytest.approx(1.0, abs=1e-12)
