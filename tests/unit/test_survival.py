"""Exact probabilities of cure and relapse: closed forms, identities, slow twins."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import slow_twins
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import cumulative_trapezoid, trapezoid

from car_relapse import lines, schedule, survival
from car_relapse.antigens import Losses, Plasticity
from car_relapse.branching import constant_rate_law
from car_relapse.celltypes import FULL_LOSS, density_groups
from car_relapse.densities import AntigenDensities
from car_relapse.engagement import default_density, default_engagement
from car_relapse.errors import ParameterError
from car_relapse.exposure import SteinExposure, stein_typical
from car_relapse.gates import AndGate, OrGate, SingleGate
from car_relapse.killing import Killing, default_killing
from car_relapse.patient import Leukaemia, Patient, typical_patient
from car_relapse.patient_lines import line_fates, patient_lines
from car_relapse.schedule import killing_schedule
from car_relapse.survival import antigen_positive_probability, relapse_probabilities
from car_relapse.therapy import Therapy, cocktail


def with_losses(patient: Patient, *per_antigen: float, common_mode: float = 0.0) -> Patient:
    return replace(patient, losses=Losses(per_antigen=per_antigen, common_mode=common_mode))


def with_burden(patient: Patient, burden: float) -> Patient:
    return replace(patient, leukaemia=replace(patient.leukaemia, burden=burden))


def with_killing(patient: Patient, maximal_rate: float) -> Patient:
    killing = replace(patient.therapy.killing, maximal_rate=maximal_rate)
    return replace(patient, therapy=replace(patient.therapy, killing=killing))


def step_patient(losses: Losses, *, burden=1e6, birth=0.6, death=0.2, kill=0.9, days=12.0):
    """Return a patient killed at one rate for some days and then no more."""
    return Patient(
        leukaemia=Leukaemia(birth_rate=birth, death_rate=death, burden=burden),
        losses=losses,
        therapy=Therapy(
            exposure=slow_twins.StepExposure(1e9, days),
            killing=Killing(maximal_rate=kill, half_level=1e-6),
        ),
    )


def history(patient: Patient):
    """Return grid, removal rate, and the survival probability of a targeted line from each day."""
    birth = patient.leukaemia.birth_rate * (1 - sum(patient.losses.per_antigen))
    peak = patient.therapy.exposure.peak_day
    day = np.concatenate([np.linspace(0, peak, 20_001), np.linspace(peak, 900, 400_001)])
    removal = patient.leukaemia.death_rate + patient.therapy.killing_rate(day)
    rho = cumulative_trapezoid(removal - birth, day, initial=0)
    weight = birth * np.exp(rho)
    left = cumulative_trapezoid(weight[::-1], -day[::-1], initial=0)[::-1]
    # Beyond the last day the line grows untreated.
    tail = birth * np.exp(rho[-1]) / (birth - patient.leukaemia.death_rate)
    return day, birth, removal, np.exp(rho) / (left + tail)


PATIENTS = [
    typical_patient(),
    replace(typical_patient(), leukaemia=Leukaemia(birth_rate=0.3, death_rate=0.1, burden=1e9)),
    with_killing(typical_patient(), 0.4),
]


@pytest.mark.parametrize("patient", PATIENTS, ids=["typical", "fast", "weak"])
def test_one_antigen_survives_with_the_integral_of_kendall(patient):
    day, birth, removal, _ = history(patient)
    rho = cumulative_trapezoid(removal - birth, day, initial=0)
    integral = trapezoid(removal * np.exp(rho), day)
    wanted = -patient.leukaemia.burden * np.log1p(-1 / (1 + integral))
    assert relapse_probabilities(patient).positive_lines == pytest.approx(wanted, rel=2e-6)


@pytest.mark.parametrize("patient", PATIENTS, ids=["typical", "fast", "weak"])
def test_few_losses_are_acquired_at_the_divisions_of_the_lines_that_therapy_clears(patient):
    u = 1e-10
    patient = with_losses(patient, u)
    day, birth, removal, alive = history(patient)
    clears = 1 - alive
    log_size = cumulative_trapezoid(birth * clears - removal / clears, day, initial=0)
    divisions = trapezoid(birth * np.exp(log_size), day)
    wanted = patient.leukaemia.burden * u * patient.leukaemia.survival * divisions
    assert relapse_probabilities(patient).acquired_lines == pytest.approx(wanted, rel=1e-5)


def test_constant_killing_for_some_days_has_a_closed_form():
    patient = step_patient(Losses(per_antigen=(0.0,)))
    law = constant_rate_law(0.6, 1.1, 12.0)
    z = 0.2 / 0.6
    beta = law.geometric_parameter
    cleared = law.extinct + (1 - law.extinct) * (1 - beta) * z / (1 - beta * z)
    wanted = -1e6 * np.log(float(cleared))
    assert relapse_probabilities(patient).positive_lines == pytest.approx(wanted, rel=1e-7)


@settings(max_examples=8)
@given(st.floats(20.0, 1e12), st.floats(1.5, 1000.0))
def test_with_one_antigen_every_exponent_is_linear_in_the_burden(burden, factor):
    one = relapse_probabilities(with_burden(typical_patient(), burden * 20))
    many = relapse_probabilities(with_burden(typical_patient(), burden * 20 * factor))
    for name in ("positive_lines", "preexisting_lines", "acquired_lines"):
        assert getattr(many, name) == pytest.approx(factor * getattr(one, name), rel=1e-9)


def test_preexisting_lines_are_burden_times_loss_whatever_the_turnover():
    for death in (0.0, 0.05, 0.1):
        patient = replace(
            with_losses(typical_patient(), 3e-12, common_mode=1e-12),
            leukaemia=Leukaemia(birth_rate=0.105, death_rate=death, burden=1e11),
        )
        assert relapse_probabilities(patient).preexisting_lines == pytest.approx(0.4, rel=1e-12)


@settings(max_examples=8)
@given(st.floats(0.1, 3.0), st.floats(1.05, 3.0))
def test_stronger_killing_lets_fewer_targeted_lines_through(kill, factor):
    weak = relapse_probabilities(with_killing(typical_patient(), kill))
    strong = relapse_probabilities(with_killing(typical_patient(), kill * factor))
    assert strong.positive_lines < weak.positive_lines
    assert strong.cure >= weak.cure


@settings(max_examples=8)
@given(st.floats(0.08, 0.3), st.floats(1.05, 2.0))
def test_faster_division_lets_more_targeted_lines_through(birth, factor):
    slow, fast = (
        relapse_probabilities(
            replace(
                typical_patient(),
                leukaemia=Leukaemia(birth_rate=b, death_rate=0.04, burden=1e9),
            )
        )
        for b in (birth, birth * factor)
    )
    assert fast.positive_lines > slow.positive_lines


@settings(max_examples=8)
@given(st.floats(1e-13, 1e-8), st.floats(1.1, 100.0))
def test_more_loss_means_more_escape(loss, factor):
    few = relapse_probabilities(with_losses(typical_patient(), loss))
    many = relapse_probabilities(with_losses(typical_patient(), loss * factor))
    assert many.preexisting_lines > few.preexisting_lines
    assert many.acquired_lines > few.acquired_lines
    assert many.antigen_negative >= few.antigen_negative


@pytest.mark.parametrize("antigens", [1, 2, 3])
def test_without_losses_nothing_escapes(antigens):
    patient = with_losses(typical_patient(), *[0.0] * antigens)
    fate = relapse_probabilities(patient)
    assert fate.negative_lines == 0
    assert fate.antigen_negative == 0
    assert fate.positive_lines == pytest.approx(
        relapse_probabilities(with_losses(typical_patient(), 0.0)).positive_lines, rel=1e-8
    )


def test_with_one_antigen_common_mode_adds_to_its_loss():
    split = relapse_probabilities(with_losses(typical_patient(), 2e-10, common_mode=3e-10))
    whole = relapse_probabilities(with_losses(typical_patient(), 5e-10))
    for name in ("positive_lines", "preexisting_lines", "acquired_lines"):
        assert getattr(split, name) == pytest.approx(getattr(whole, name), rel=1e-9)


def test_permuting_antigens_changes_nothing():
    losses = (3e-5, 1e-3, 2e-4)
    base = relapse_probabilities(step_patient(Losses(per_antigen=losses, common_mode=1e-8)))
    for order in [(1, 0, 2), (2, 1, 0), (1, 2, 0)]:
        moved = relapse_probabilities(
            step_patient(
                Losses(per_antigen=tuple(losses[i] for i in order), common_mode=1e-8)
            )
        )  # fmt: skip
        for name in ("positive_lines", "preexisting_lines", "completed_lines", "acquired_lines"):
            assert getattr(moved, name) == pytest.approx(getattr(base, name), rel=1e-6)


@settings(max_examples=10)
@given(st.floats(1e-7, 1e-4), st.floats(1e-7, 1e-4), st.floats(0.0, 1e-6), st.floats(0.6, 2.0))
def test_dual_target_never_escapes_more_often_than_single_target(u, v, c, kill):
    dual = relapse_probabilities(step_patient(Losses(per_antigen=(u, v), common_mode=c), kill=kill))
    for loss in (u, v):
        single = relapse_probabilities(
            step_patient(Losses(per_antigen=(loss,), common_mode=c), kill=kill)
        )
        assert dual.negative_lines < single.negative_lines
    assert dual.negative_lines >= dual.preexisting_lines >= 1e6 * c


def test_lines_that_lost_both_antigens_by_steps_follow_the_two_step_closed_form():
    u, v, c, size = 1e-4, 3e-4, 1e-7, 1e7
    fate = relapse_probabilities(
        step_patient(Losses(per_antigen=(u, v), common_mode=c), burden=size)
    )
    s = 2 / 3

    def steps(loss):
        return -np.log(1 / (s * size) + loss / s)

    wanted = c * size + u * v * size / s * (steps(u) + steps(v) - 2)
    assert fate.preexisting_lines == pytest.approx(wanted, rel=5e-3)


@pytest.mark.parametrize("kill", [0.01, 0.05, 0.3, 1.15, 5.0])
def test_every_route_holds_a_number_of_lines_however_weak_the_therapy(kill):
    patient = with_killing(with_losses(typical_patient(), 1e-6, 1e-6), kill)
    fate = relapse_probabilities(patient)
    assert fate.positive_lines >= 0
    assert fate.completed_lines >= 0
    assert fate.acquired_lines >= 0
    assert 0 <= fate.shared_lines <= min(fate.positive_lines, fate.preexisting_lines)
    # What predates therapy cannot depend on it.
    strong = relapse_probabilities(with_killing(patient, 20.0))
    assert fate.preexisting_lines == pytest.approx(strong.preexisting_lines, rel=1e-7)


def fates(patient: Patient):
    """Return P(a targeted cell survives), and h of the escaped ones, for a cell of each type."""
    lines = patient_lines(patient)
    late = np.array(lines.classes) >= FULL_LOSS
    positive = lines.fates[~late].sum(axis=0)[:, 0]
    negative = lines.fates[late].sum(axis=0)[:, 0]
    return positive, -np.log1p(-negative / (1 - positive))


def test_an_antigen_that_is_lost_already_leaves_the_other_one_alone():
    two = fates(step_patient(Losses(per_antigen=(1e-3, 0.9), common_mode=1e-4)))
    one = fates(step_patient(Losses(per_antigen=(1e-3,), common_mode=1e-4)))
    # State 2 has lost the second antigen: p and h of it are those of one antigen.
    assert two[0][2] == pytest.approx(one[0][0], rel=1e-8)
    assert two[1][2] == pytest.approx(one[1][0], rel=1e-8)


def test_a_second_antigen_lost_at_almost_every_division_protects_like_none():
    u = 1e-6
    two = fates(step_patient(Losses(per_antigen=(u, 1 - u))))
    one = fates(step_patient(Losses(per_antigen=(u,))))
    assert two[0][0] == pytest.approx(one[0][0], rel=1e-4)
    # All that is missing are the losses at divisions of the founder itself, as it still has both.
    assert 0.4 * one[1][0] < two[1][0] < one[1][0]
    assert two[1][0] > 1000 * fates(step_patient(Losses(per_antigen=(u, u))))[1][0]


@pytest.mark.parametrize(
    ("losses", "burden", "days"),
    [
        (Losses(per_antigen=(0.01,)), 100, 8.0),
        (Losses(per_antigen=(0.02, 0.02), common_mode=5e-4), 200, 12.0),
        (Losses(per_antigen=(0.03, 0.01), common_mode=1e-3), 200, 9.0),
    ],
    ids=["one antigen", "two alike", "two unlike"],
)
def test_nested_branching_agrees_with_every_event_simulated(losses, burden, days):
    runs = 1500
    fate = relapse_probabilities(step_patient(losses, burden=burden, days=days))
    targeted, escaped, given_up = slow_twins.exact_fates(
        0.6, 0.2, 0.9, days, losses.transition_matrix(), burden, runs, np.random.default_rng(51)
    )
    assert given_up.mean() < 0.02
    for wanted, seen in [
        (fate.cure, ~targeted & ~escaped & ~given_up),
        (fate.only_negative, ~targeted & escaped & ~given_up),
        (fate.only_positive + fate.both, targeted & ~given_up),
        (fate.antigen_positive, targeted & ~given_up),
    ]:
        error = 4 * np.sqrt(wanted * (1 - wanted) / runs)
        assert seen.mean() - error < wanted < (seen | given_up).mean() + error


def test_routes_multiply_and_outcomes_add_up_to_one():
    fate = survival.RelapseProbabilities(
        positive_lines=0.7, preexisting_lines=0.2, completed_lines=0.1, acquired_lines=0.3
    )
    assert fate.negative_lines == pytest.approx(0.6)
    assert fate.antigen_positive == pytest.approx(1 - np.exp(-0.7))
    assert fate.preexisting == pytest.approx(1 - np.exp(-0.2))
    assert fate.acquired == pytest.approx(1 - np.exp(-0.4))
    assert fate.antigen_negative == pytest.approx(1 - np.exp(-0.6))
    assert fate.cure == pytest.approx(np.exp(-1.3))
    assert fate.both == pytest.approx((1 - np.exp(-0.7)) * (1 - np.exp(-0.6)))
    for each in (fate, replace(fate, shared_lines=0.15)):
        assert each.cure + each.only_positive + each.only_negative + each.both == pytest.approx(1)
        assert each.only_positive + each.both == pytest.approx(each.antigen_positive)
        assert each.only_negative + each.both == pytest.approx(each.antigen_negative)
    assert fate.only_positive == pytest.approx((1 - np.exp(-0.7)) * np.exp(-0.6))


def test_rare_relapse_keeps_its_digits():
    fate = relapse_probabilities(with_losses(with_burden(typical_patient(), 1e3), 1e-18))
    assert fate.antigen_negative == pytest.approx(fate.negative_lines, rel=1e-12)
    assert fate.preexisting == pytest.approx(1e-15, rel=1e-12)


def test_a_slowly_fading_memory_only_delays_the_horizon(monkeypatch):
    # Doubling the horizon must not matter: the fate is settled.
    lasting = SteinExposure(
        fold=3900.0, peak_day=9.3, peak_level=24000.0, contraction_rate=0.16,
        memory_fraction=0.02, memory_rate=1e-3,
    )  # fmt: skip
    patient = replace(
        typical_patient(), therapy=Therapy(exposure=lasting, killing=default_killing())
    )
    _, types = density_groups(patient)
    near = killing_schedule(patient.products, types)
    fate = line_fates(types, near)
    monkeypatch.setattr(schedule, "horizon", lambda *_: 1.5 * near.edges[-1])
    far = killing_schedule(patient.products, types)
    assert far.edges[-1] == 1.5 * near.edges[-1]
    assert fate == pytest.approx(line_fates(types, far), rel=1e-9)


@given(st.floats(1.0, 1e12), st.floats(1e-12, 40.0))
def test_one_of_many_lines_survives_with_the_complement_of_all_dying(burden, hazard):
    wanted = -np.expm1(burden * np.log(-np.expm1(-hazard)))
    got = float(antigen_positive_probability(burden, hazard))
    # The plain form itself loses digits: 1e-16 times the burden.
    assert got == pytest.approx(wanted, abs=1e-15 * burden + 1e-12)


def test_one_of_many_lines_broadcasts_and_keeps_its_digits_at_both_ends():
    got = antigen_positive_probability([1.0, 1e10], [1e-17, 60.0])
    assert got == pytest.approx([1.0, 1e10 * np.exp(-60.0)], rel=1e-12)


def test_the_typical_patient_agrees_with_one_of_many_lines():
    day, birth, removal, _ = history(typical_patient())
    rho = cumulative_trapezoid(removal - birth, day, initial=0)
    hazard = np.log1p(trapezoid(removal * np.exp(rho), day))
    burden = 1e8
    fate = relapse_probabilities(with_burden(typical_patient(), burden))
    assert fate.antigen_positive == pytest.approx(
        float(antigen_positive_probability(burden, hazard)), rel=1e-5
    )
    assert stein_typical().kinks == typical_patient().therapy.exposure.kinks


@pytest.mark.parametrize(
    ("burden", "hazard", "shown", "remedy"),
    [
        (0.0, 1.0, "burden is 0", "give a number of cells"),
        (float("nan"), 1.0, "burden is nan", "give a number of cells"),
        (1e9, -1.0, "log_hazard is -1", "give ln"),
        (1e9, float("inf"), "log_hazard is inf", "give ln"),
        (1e9, [1.0, 0.0], "log_hazard is 0 .element 1.", "give ln"),
    ],
)
def test_bad_input_is_refused_with_value_and_remedy(burden, hazard, shown, remedy):
    with pytest.raises(ParameterError, match=f"{shown}.*{remedy}"):
        antigen_positive_probability(burden, hazard)


@pytest.mark.parametrize("rate", [20.0, 50.0])
def test_killing_far_beyond_any_measured_still_gives_probabilities(rate):
    strong = replace(default_killing(), maximal_rate=rate)
    patient = typical_patient()
    result = relapse_probabilities(
        replace(patient, therapy=replace(patient.therapy, killing=strong))
    )
    assert result.positive_lines == pytest.approx(0.0, abs=1e-100)
    assert 0 < result.acquired_lines < relapse_probabilities(patient).acquired_lines
    assert 0 < result.cure < 1


def test_equations_that_cannot_be_solved_are_an_error_and_never_nan(monkeypatch):
    monkeypatch.setattr(lines, "_MOST_STEPS", 0)
    with pytest.raises(ParameterError, match=r"did not converge.*check them"):
        relapse_probabilities(typical_patient())
    hiding = replace(
        typical_patient(), plasticity=Plasticity(switch_off=(1e-3,), switch_on=(1e-2,))
    )
    with pytest.raises(ParameterError, match=r"switching did not converge.*lower them"):
        relapse_probabilities(hiding)


def test_classes_add_up_to_cure_and_to_everyone():
    patient = with_losses(typical_patient(1e9), 1e-6, 3e-7, common_mode=1e-10)
    fate = relapse_probabilities(patient)
    assert -np.log(fate.cure) == pytest.approx(sum(fate.class_lines), rel=1e-12)
    assert fate.cure + sum(fate.least_lost(kind) for kind in range(4)) == pytest.approx(1.0)
    assert fate.positive_lines == pytest.approx(sum(fate.class_lines[:2]), rel=1e-12)
    assert fate.negative_lines - fate.shared_lines == pytest.approx(
        sum(fate.class_lines[2:]), rel=1e-9
    )
    for whole, before, after in zip(
        fate.class_lines, fate.preexisting_class_lines, fate.acquired_class_lines, strict=True
    ):
        assert whole == pytest.approx(before + after, rel=1e-12)
    with pytest.raises(ParameterError, match="relapse_class is 4"):
        fate.least_lost(4)


@settings(max_examples=10, deadline=None, derandomize=True)
@given(st.floats(1e-9, 1e-6), st.floats(1e-9, 1e-6), st.floats(0.0, 1e-8))
def test_under_an_and_gate_any_loss_is_an_escape(u, v, c):
    patient = with_losses(typical_patient(1e9), u, v, common_mode=c)
    both = replace(patient, therapy=replace(patient.therapy, gate=AndGate()))
    fate = relapse_probabilities(both)
    # Unkilled lines survive with probability s whatever else they lose.
    assert sum(fate.preexisting_class_lines) == pytest.approx(1e9 * (u + v + c), rel=1e-7)
    # To therapy it is one antigen that is lost at the sum of the rates.
    single = relapse_probabilities(with_losses(typical_patient(1e9), u + v + c))
    assert fate.cure == pytest.approx(single.cure, rel=1e-7)
    assert fate.class_lines[0] == pytest.approx(single.class_lines[0], rel=1e-9)


def test_an_arm_without_force_leaves_one_antigen_alone():
    patient = with_losses(typical_patient(1e9), 1e-6, 1e-4)
    weak = replace(patient, therapy=replace(patient.therapy, gate=OrGate(arms=(1.0, 0.0))))
    alone = replace(patient, therapy=replace(patient.therapy, gate=SingleGate(antigen=0)))
    assert relapse_probabilities(weak).class_lines == pytest.approx(
        relapse_probabilities(alone).class_lines, rel=1e-12
    )


def test_two_halves_of_a_product_are_the_product():
    patient = with_losses(typical_patient(1e9), 1e-6, common_mode=1e-9)
    killing = patient.therapy.killing
    half = replace(patient.therapy, killing=replace(killing, maximal_rate=killing.maximal_rate / 2))
    together = relapse_probabilities(replace(patient, therapy=cocktail(half, half)))
    assert together.class_lines == pytest.approx(
        relapse_probabilities(patient).class_lines, rel=1e-9
    )


@settings(max_examples=10, deadline=None, derandomize=True)
@given(st.floats(0.0, 0.35), st.floats(1e-9, 1e-4))
def test_costly_losses_found_lines_that_survive_less_often(cost, u):
    patient = replace(
        step_patient(Losses(per_antigen=(u,))), plasticity=Plasticity(fitness_cost=(cost,))
    )
    # N u b/lambda founders, of which 1 - d/b' survive.
    survival = max(1 - 0.2 / (0.6 * (1 - cost)), 0)
    wanted = 1e6 * u * 0.6 / 0.4 * survival
    assert relapse_probabilities(patient).preexisting_lines == pytest.approx(wanted, rel=1e-9)


def test_a_mixture_is_the_sum_of_its_parts():
    shares = ((0, 0.7), (1, 0.2), (2, 0.1))
    patient = step_patient(Losses(per_antigen=(1e-4, 1e-5), common_mode=1e-7), burden=1e8)
    mixed = relapse_probabilities(replace(patient, mixture=shares))
    total = np.zeros(4)
    for state, share in shares:
        part = replace(with_burden(patient, 1e8), mixture=((state, 1.0),))
        total += share * np.array(relapse_probabilities(part).class_lines)
    assert mixed.class_lines == pytest.approx(total, rel=1e-9)
    # A part that has lost one antigen is a leukaemia with the other one alone.
    lost = relapse_probabilities(replace(patient, mixture=((1, 1.0),)))
    alone = relapse_probabilities(
        step_patient(Losses(per_antigen=(1e-5,), common_mode=1e-7), burden=1e8)
    )
    assert lost.class_lines[1] == pytest.approx(alone.class_lines[0], rel=1e-9)
    assert sum(lost.class_lines[2:]) == pytest.approx(sum(alone.class_lines[2:]), rel=1e-9)


def test_density_groups_are_leukaemias_side_by_side():
    spread = AntigenDensities(
        densities=(default_density(),) * 2, engagements=(default_engagement(),) * 2, bins=5,
        correlation=((1.0, 0.5), (0.5, 1.0)),
    )  # fmt: skip
    patient = step_patient(Losses(per_antigen=(1e-4, 1e-5), common_mode=1e-7))
    whole = relapse_probabilities(replace(patient, density=spread)).class_lines
    groups = spread.groups()
    total = np.zeros(4)
    for weight, arms in zip(groups.weight, groups.killing, strict=True):
        gate = OrGate(arms=tuple(arms.tolist()))
        one = replace(patient, therapy=replace(patient.therapy, gate=gate))
        total += weight * np.array(relapse_probabilities(one).class_lines)
    assert whole == pytest.approx(total, rel=1e-9)


def test_densities_without_spread_only_scale_the_killing():
    alike = replace(default_density(), log_sd=0.0)
    spread = AntigenDensities(densities=(alike,), engagements=(default_engagement(),))
    fraction = float(default_engagement().killing.at(alike.median))
    patient = with_losses(typical_patient(1e9), 1e-9)
    weaker = with_killing(patient, patient.therapy.killing.maximal_rate * fraction)
    assert relapse_probabilities(replace(patient, density=spread)).class_lines == pytest.approx(
        relapse_probabilities(weaker).class_lines, rel=1e-8
    )


def test_switching_lets_positive_lines_hide_and_slow_switching_changes_nothing():
    patient = with_losses(typical_patient(1e9), 1e-10)
    hiding = [
        relapse_probabilities(
            replace(patient, plasticity=Plasticity(switch_off=(off,), switch_on=(1e-2,)))
        )
        for off in (0.0, 1e-14, 1e-4)
    ]
    assert hiding[1].class_lines == pytest.approx(hiding[0].class_lines, rel=1e-3)
    assert hiding[2].positive_lines > 100 * hiding[0].positive_lines


@settings(max_examples=10, deadline=None, derandomize=True)
@given(st.floats(0.05, 20.0))
def test_only_rates_times_days_count(speed):
    flexible = Plasticity(switch_off=(1e-3 * speed, 0.0), switch_on=(0.05 * speed, 0.0),
                          stripping=(0.01, 0.0))  # fmt: skip
    slow, fast = (
        relapse_probabilities(
            replace(
                step_patient(
                    Losses(per_antigen=(1e-4, 1e-3), common_mode=1e-6), birth=0.6 * q,
                    death=0.2 * q, kill=0.9 * q, days=12 / q,
                ),
                plasticity=p,
            )
        )
        for q, p in (
            (1.0, Plasticity(switch_off=(1e-3, 0.0), switch_on=(0.05, 0.0), stripping=(0.01, 0.0))),
            (speed, flexible),
        )
    )  # fmt: skip
    assert fast.class_lines == pytest.approx(slow.class_lines, rel=1e-8)


@settings(max_examples=15, deadline=None, derandomize=True)
@given(
    st.sampled_from([1e-12, 1e-6, 1.0, 1e3]), st.sampled_from([0.0, 0.5, 1 - 1e-6]),
    st.sampled_from([1e-12, 1.0, 1e3]), st.sampled_from([1e8, 1e13]), st.integers(1, 6),
    st.sampled_from([1e-15, 1e-6, 0.1]), st.sampled_from([1e-3, 30.0, 36_500.0]),
)  # fmt: skip
def test_extreme_patients_have_probabilities_or_an_error(birth, part, kill, size, k, u, days):
    patient = step_patient(
        Losses(per_antigen=(u,) * k, common_mode=u / 10), burden=size, birth=birth,
        death=part * birth, kill=kill, days=days,
    )  # fmt: skip
    try:
        fate = relapse_probabilities(patient)
    except ParameterError:
        return
    assert all(np.isfinite(fate.class_lines))
    assert min(fate.class_lines) >= 0
    chances = [fate.cure, *(fate.least_lost(kind) for kind in range(4))]
    assert all(0 <= chance <= 1 for chance in chances)
    assert sum(chances) == pytest.approx(1.0)
