"""Sampled courses: against the exact probabilities, their mean, and the cohort engine."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from car_relapse.antigens import Losses
from car_relapse.branching import constant_rate_law
from car_relapse.cohort import Population, simulate
from car_relapse.course import (
    Course,
    _new_escaped,
    course_laws,
    mean_course,
    sample_course,
)
from car_relapse.errors import ParameterError
from car_relapse.exposure import SteinExposure, SteinPopulation
from car_relapse.growth import no_living_mutant
from car_relapse.killing import Killing
from car_relapse.outcomes import Detection, Outcome
from car_relapse.patient import Leukaemia, Patient, typical_patient
from car_relapse.survival import relapse_probabilities
from car_relapse.therapy import Therapy

CURVE = SteinExposure(
    fold=100.0, peak_day=4.0, peak_level=2e4, contraction_rate=0.4,
    memory_fraction=0.01, memory_rate=0.05,
)  # fmt: skip
PATIENT = Patient(
    leukaemia=Leukaemia(birth_rate=0.55, death_rate=0.25, burden=1e6),
    losses=Losses(per_antigen=(4e-7,), common_mode=1e-7),
    therapy=Therapy(exposure=CURVE, killing=Killing(maximal_rate=2.48, half_level=3000.0)),
)
LIMITS = Detection(remission_cells=3e3, relapse_cells=3e4)
DAYS = np.arange(0.0, 111.0)
RUNS = 300


@pytest.fixture(scope="module")
def courses() -> list[Course]:
    rng = np.random.default_rng(61)
    laws = course_laws(PATIENT, DAYS)
    return [sample_course(PATIENT, DAYS, rng, laws=laws) for _ in range(RUNS)]


def close(seen, wanted) -> bool:
    return abs(seen - wanted) < 4 * np.sqrt(wanted * (1 - wanted) / RUNS)


def test_the_patient_of_these_tests_can_do_all_three(courses):
    fate = relapse_probabilities(PATIENT)
    assert min(fate.cure, fate.only_positive, fate.only_negative) > 0.1


def test_courses_are_cured_as_often_as_the_exact_probability_says(courses):
    fate = relapse_probabilities(PATIENT)
    targeted = np.array([c.targeted[-1] > 0 for c in courses])
    escaped = np.array([c.escaped[-1] > 0 for c in courses])
    assert close((~targeted & ~escaped).mean(), fate.cure)
    # A targeted line that regrows founds new escapes; so only its presence is compared.
    assert close(targeted.mean(), fate.antigen_positive)
    assert close((~targeted & escaped).mean(), fate.only_negative)


def test_the_mean_of_the_courses_is_the_mean_course(courses):
    wanted = mean_course(PATIENT, DAYS)
    assert wanted.day.tolist() == DAYS.tolist()
    assert not wanted.escaped.any()
    for i in (1, 4, 8, 12):
        seen = np.array([c.targeted[i] for c in courses])
        error = seen.std(ddof=1) / np.sqrt(RUNS)
        assert abs(seen.mean() - wanted.targeted[i]) < 4 * error + 1e-9 * wanted.targeted[i]


def test_the_mean_course_falls_and_rises_with_the_net_rate():
    course = mean_course(PATIENT, np.linspace(0.0, 30.0, 1501))
    slope = np.gradient(np.log(course.targeted), course.day)[1:-1]
    birth = 0.55 * (1 - 5e-7)
    net = birth - 0.25 - PATIENT.therapy.killing_rate(course.day)[1:-1]
    smooth = np.abs(course.day[1:-1] - CURVE.peak_day) > 0.03
    assert slope[smooth] == pytest.approx(net[smooth], abs=5e-4)
    assert course.total.tolist() == course.targeted.tolist()


def found(course: Course) -> tuple[Outcome, float]:
    """Return what a clinic would find, by reading the course day by day."""
    low = np.flatnonzero(course.total <= LIMITS.remission_cells)
    if not low.size:
        return Outcome.NO_REMISSION, 0.0
    over = np.flatnonzero(course.total[low[0] :] >= LIMITS.relapse_cells)
    if not over.size:
        assert course.total[-1] == 0
        return Outcome.CURED, np.inf
    i = low[0] + over[0]
    y0, y1 = np.log(course.total[i - 1 : i + 1])
    part = (np.log(LIMITS.relapse_cells) - y0) / (y1 - y0)
    negative = course.escaped[i] > course.targeted[i]
    kind = Outcome.ANTIGEN_NEGATIVE if negative else Outcome.ANTIGEN_POSITIVE
    return kind, course.day[i - 1] + part


def test_the_engine_finds_the_same_relapses_at_the_same_times_as_sampled_courses(courses):
    population = Population(
        leukaemia=PATIENT.leukaemia,
        burden_log10_sd=0.0,
        losses=PATIENT.losses,
        exposures=SteinPopulation(typical=CURVE, log_sd=(0,) * 6),
        killing=PATIENT.therapy.killing,
        detection=LIMITS,
    )
    cohort = simulate(population, 4000, seed=62)
    fates = [found(course) for course in courses]
    kinds = np.array([kind for kind, _ in fates])
    for outcome in Outcome:
        wanted, error = cohort.share(outcome)
        seen = (kinds == outcome).mean()
        assert abs(seen - wanted) <= 4 * np.hypot(error, np.sqrt(wanted * (1 - wanted) / RUNS))
    for outcome in (Outcome.ANTIGEN_POSITIVE, Outcome.ANTIGEN_NEGATIVE):
        drawn = np.array([day for kind, day in fates if kind == outcome])
        engine = cohort.relapse_day[cohort.outcome == outcome]
        assert drawn.size > 30
        assert stats.ks_2samp(drawn, engine).pvalue > 1e-3


def test_a_course_ends_where_a_body_could_not_hold_the_disease():
    untreated = replace(
        typical_patient(),
        therapy=replace(
            typical_patient().therapy, killing=Killing(maximal_rate=1e-3, half_level=3000.0)
        ),
    )
    days = np.arange(0.0, 400.0, 10.0)
    course = sample_course(untreated, days, np.random.default_rng(1))
    assert course.day.size < days.size
    assert course.total[-1] > 1e13
    assert np.all(course.total[:-1] <= 1e13)
    assert course.day.tolist() == days[: course.day.size].tolist()
    assert course.targeted.shape == course.escaped.shape == course.day.shape


def test_the_same_generator_draws_the_same_course_with_or_without_given_laws():
    laws = course_laws(PATIENT, DAYS)
    one = sample_course(PATIENT, DAYS, np.random.default_rng(3), laws=laws)
    two = sample_course(PATIENT, DAYS, np.random.default_rng(3))
    assert one.targeted.tolist() == two.targeted.tolist()
    assert one.escaped.tolist() == two.escaped.tolist()


def test_no_cells_found_no_escapes_and_no_loss_neither():
    rng = np.random.default_rng(1)
    assert _new_escaped(0, 0, 1.0, 5.0, 0.4, 0.1, rng) == 0
    assert _new_escaped(10**6, 10, 0.0, 5.0, 0.4, 0.1, rng) == 0


@pytest.mark.parametrize(
    ("before", "after", "rate"),
    [
        (100, 5000, 1e-3),  # few founders
        (1000, 1000, 1e-3),  # level, so that the ratio of the ends is 1
        (10**7, 10**5, 1e-3),  # many founders, counted by shares of the interval
        (10**6, 10**6, 1e-3),
        (500, 0, 1e-2),
    ],
)
def test_new_escapes_have_the_mean_of_founding_and_growth(before, after, rate):
    birth, death, width = 0.4, 0.1, 6.0
    rng = np.random.default_rng(63)
    drawn = [_new_escaped(before, after, rate, width, birth, death, rng) for _ in range(600)]
    t = (np.arange(200_000) + 0.5) / 200_000
    path = before * (max(after, 0.5) / before) ** t
    mean = rate * width * np.mean(path * np.exp((birth - death) * width * (1 - t)))
    error = np.std(drawn) / np.sqrt(len(drawn))
    assert abs(np.mean(drawn) - mean) < 4 * error
    assert error < 0.2 * mean


def test_the_laws_of_a_course_are_those_of_its_rates():
    days = [0.0, 200.0, 200.5]
    law = course_laws(PATIENT, days)
    # By day 200 the T cells are gone: the last interval is untreated growth.
    calm = constant_rate_law(0.55 * (1 - 5e-7), 0.25 + 7e-6, 0.5)
    assert float(law.log_growth[1]) == pytest.approx(float(calm.log_growth), abs=1e-4)
    assert float(law.log_hazard[1]) == pytest.approx(float(calm.log_hazard), abs=1e-4)


TWO = replace(PATIENT, losses=Losses(per_antigen=(1e-9, 1e-9)))
LEAKY = replace(PATIENT, losses=Losses(per_antigen=(0.02,)))
NAN = float("nan")


@pytest.mark.parametrize("call", [course_laws, mean_course])
@pytest.mark.parametrize(
    ("patient", "days", "shown", "remedy"),
    [
        (TWO, [0, 1], "losses has 2 antigens", "use survival"),
        (LEAKY, [0, 1], "add up to 0.02", "lower it"),
        (PATIENT, [0, -1], "days is -1|days is .0, -1.", "count days|sort"),
        (PATIENT, [0, NAN], "days is nan", "count days"),
        (PATIENT, [0, 2, 1], r"days is .*\[?0.*2.*1", "sort"),
        (PATIENT, [0], r"days is .*0", "sort|prepend 0"),
        (PATIENT, 3.0, r"days is .*3", "sort|prepend 0"),
    ],
)
def test_bad_input_is_refused_with_value_and_remedy(call, patient, days, shown, remedy):
    with pytest.raises(ParameterError, match=f"(?s)({shown}).*({remedy})"):
        call(patient, days)


def test_a_course_that_does_not_start_at_infusion_is_refused():
    for call in (
        lambda: mean_course(PATIENT, [1, 2]),
        lambda: sample_course(PATIENT, [1, 2], np.random.default_rng(1)),
    ):
        with pytest.raises(ParameterError, match=r"days is \[1, 2\].*starts at 0; prepend 0"):
            call()


def test_courses_of_two_antigens_are_refused():
    with pytest.raises(ParameterError, match=r"losses has 2 antigens.*use survival"):
        sample_course(TWO, [0, 1], np.random.default_rng(1))


def test_a_course_starts_with_the_living_escapes_of_a_leukaemia_of_its_size():
    days, runs = [0.0, 0.01], 1500
    laws, rng = course_laws(PATIENT, days), np.random.default_rng(64)
    first = np.array([sample_course(PATIENT, days, rng, laws=laws).escaped[0] for _ in range(runs)])
    none = float(no_living_mutant(1e6, 5e-7, PATIENT.leukaemia.survival))
    assert abs((first == 0).mean() - none) < 4 * np.sqrt(none * (1 - none) / runs)
