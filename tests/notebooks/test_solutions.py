"""What the notebooks' titles, solutions and take-aways say is what the library computes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import brentq

import car_relapse as cr
from car_relapse import figures
from car_relapse.branching import extinction_probability
from car_relapse.exposure_kimmel import kimmel_killing
from car_relapse.figures import t_cells_leave
from car_relapse.growth import no_surviving_line
from car_relapse.luria_delbrueck import CloneLaw, estimate_interval
from car_relapse.published.kimmel2021 import KimmelParameters
from car_relapse.staged_cycle import matched_cycle, staged_survival


def weaker(patient: cr.Patient, factor: float) -> cr.Patient:
    killing = patient.therapy.killing
    killing = replace(killing, maximal_rate=factor * killing.maximal_rate)
    return replace(patient, therapy=replace(patient.therapy, killing=killing))


def with_memory(patient: cr.Patient, fraction: float) -> cr.Patient:
    curve = replace(cr.stein_typical(), memory_fraction=fraction)
    return replace(patient, therapy=replace(patient.therapy, exposure=curve))


def test_half_the_killing_rate_makes_antigen_positive_relapse_almost_certain():
    patient = cr.typical_patient(1e8)
    assert cr.relapse_probabilities(patient).antigen_positive < 0.5
    assert cr.relapse_probabilities(weaker(patient, 0.5)).antigen_positive > 0.99


def test_about_twice_the_memory_fraction_gives_the_high_burden_an_even_chance():
    patient = cr.typical_patient(1e11)
    root = brentq(
        lambda x: cr.relapse_probabilities(with_memory(patient, x)).antigen_positive - 0.5,
        0.01,
        0.03,
        xtol=1e-6,
    )
    assert root / cr.default("stein.memory_fraction") == pytest.approx(2.0, abs=0.15)


def test_most_escape_of_the_typical_patient_is_founded_before_infusion():
    result = cr.relapse_probabilities(cr.typical_patient())
    assert result.preexisting_lines > result.acquired_lines > 0


def test_later_expansion_leaves_more_escape_under_therapy():
    patient = cr.typical_patient()
    later = replace(cr.stein_typical(), peak_day=18.0)
    slow = replace(patient, therapy=replace(patient.therapy, exposure=later))
    early = cr.relapse_probabilities(patient)
    late = cr.relapse_probabilities(slow)
    assert late.acquired_lines > 1.5 * early.acquired_lines
    assert late.preexisting_lines == early.preexisting_lines


def test_the_burden_of_an_even_chance_of_pre_existing_escape_is_as_solved():
    loss = 1e-12
    assert no_surviving_line(np.log(2) / loss, loss) == pytest.approx(0.5)
    assert no_surviving_line(1 / loss, loss, fixed="time") == pytest.approx(0.5)


def test_a_second_target_leaves_the_common_mode():
    patient = cr.typical_patient()
    loss = patient.losses.per_antigen[0]

    def escape(common_mode: float) -> float:
        both = cr.Losses(per_antigen=(loss, loss), common_mode=common_mode)
        return cr.relapse_probabilities(replace(patient, losses=both)).antigen_negative

    assert escape(0.0) < 1e-9
    one = cr.Losses(per_antigen=(1e-13,))
    alone = cr.relapse_probabilities(replace(patient, losses=one)).antigen_negative
    assert escape(1e-13) == pytest.approx(alone, rel=1e-6)


def test_a_fifth_of_the_killing_rate_is_a_second_arm_strong_enough_and_a_tenth_is_not():
    lost = {}
    for arm in (0.1, 0.2):
        scenario = replace(figures.compose("bicistronic"), arms=(1.0, arm))
        cohort = cr.simulate(scenario.population(), 6400, seed=20260131)
        lost[arm] = sum(cohort.share(cr.Outcome(kind))[0] for kind in (2, 4, 5))
    assert lost[0.2] < 0.1 < lost[0.1]


def test_a_mistyped_construct_is_refused_and_another_one_is_read():
    text = figures.compose("tandem").to_text()
    with pytest.raises(cr.ScenarioError, match="one of single, tandem, bicistronic, and"):
        cr.parse_scenario(text.replace('kind = "tandem"', 'kind = "tandm"'))
    sent = cr.parse_scenario(text.replace('kind = "tandem"', 'kind = "and"'))
    assert sent.population().engagement == (1.0, 0.0, 0.0, 0.0)


def test_a_hundred_patients_do_not_tell_a_weak_second_arm_from_a_strong_one():
    shares = {
        n: [
            cr.simulate(figures.compose(construct).population(), n, seed=5).share(cr.Outcome.CURED)
            for construct in ("bicistronic", "tandem")
        ]
        for n in (100, 10_000)
    }
    for n, ((weak, one), (strong, other)) in shares.items():
        clear = strong - weak > 3 * np.hypot(one, other)
        assert clear == (n == 10_000)
        assert strong - weak > 0


def test_ten_cells_are_cured_by_luck_only_where_turnover_is_high():
    disease = cr.typical_leukaemia()
    seldom, often = (
        float(extinction_probability(disease.net_rate + death, death)) ** 10
        for death in (disease.death_rate, 10 * disease.death_rate)
    )
    assert seldom < 1e-3
    assert often == pytest.approx(0.2, abs=0.05)


def test_slow_memory_gives_an_even_chance_at_a_burden_between_the_ledgers():
    one = t_cells_leave.with_memory(cr.typical_patient(1e7), 700.0)
    burden = np.log(2) / (cr.relapse_probabilities(one).positive_lines / 1e7)
    again = t_cells_leave.with_memory(cr.typical_patient(burden), 700.0)
    there = cr.relapse_probabilities(again)
    assert there.antigen_positive == pytest.approx(0.5, abs=1e-6)


def test_a_perfect_clock_approaches_its_closed_form_from_above():
    disease = cr.typical_leukaemia()
    newborn = 2 - 2 ** (disease.death_rate / disease.birth_rate)
    library = staged_survival(
        matched_cycle(disease.birth_rate, 200), lambda day: disease.death_rate, 0.0
    )
    assert newborn < library < 1.2 * newborn


def test_ten_patients_without_escaped_cells_leave_an_upper_bound():
    disease = cr.typical_leukaemia()
    law = CloneLaw(death_ratio=disease.death_rate / disease.birth_rate)
    low, high = estimate_interval([0] * 10, law)
    assert low == 0
    # Not one clone alive in ten patients has a probability of 15 % at the bound.
    alive = -disease.death_rate / disease.birth_rate
    alive = (1 + alive) * -np.log1p(alive) / -alive
    assert np.exp(-10 * high * alive) == pytest.approx(np.exp(-1.9207), rel=1e-3)


def test_three_times_as_many_normal_t_cells_leave_half_the_useful_days():
    paper = KimmelParameters()
    level = kimmel_killing(paper).level_for(cr.typical_leukaemia().net_rate)

    def useful(start: float) -> float:
        room = cr.KimmelExposure(parameters=replace(paper, normal_start=start))
        return float(room.last_day_above(level))

    assert useful(3 * paper.normal_start) == pytest.approx(0.5 * useful(6.0), rel=0.1)
