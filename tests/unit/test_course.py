"""Sampled courses: against the exact probabilities, their mean, and the cohort engine."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import slow_twins
from scipy import stats
from scipy.integrate import solve_ivp
from scipy.linalg import expm

from car_relapse.antigens import Losses, Plasticity
from car_relapse.branching import constant_rate_law, time_dependent_laws
from car_relapse.celltypes import FULL_LOSS, KEPT, LINEAGE_SWITCH, PARTIAL_LOSS, cell_types
from car_relapse.cohort import Population, simulate
from car_relapse.course import (
    Course,
    Courses,
    Regrowth,
    course_laws,
    mean_course,
    sample_course,
    sample_courses,
)
from car_relapse.errors import ParameterError
from car_relapse.exposure import SteinExposure, SteinPopulation
from car_relapse.gates import AndGate, SingleGate
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
RUNS = 1000


@pytest.fixture(scope="module")
def drawn() -> Courses:
    return sample_courses(PATIENT, DAYS, RUNS, np.random.default_rng(61))


@pytest.fixture(scope="module")
def courses(drawn) -> list[Course]:
    return [drawn.course(i) for i in range(RUNS)]


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
    kinds = {
        KEPT: Outcome.ANTIGEN_POSITIVE,
        FULL_LOSS: Outcome.ANTIGEN_NEGATIVE,
        LINEAGE_SWITCH: Outcome.LINEAGE_SWITCH,
    }
    most = course.relapse_class[np.argmax(course.cells[i])]
    return kinds[int(most)], course.day[i - 1] + part


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


def test_the_laws_of_a_course_are_those_of_its_rates():
    days = [0.0, 200.0, 200.5]
    law = course_laws(PATIENT, days)
    # By day 200 the T cells are gone: the last interval is untreated growth.
    calm = constant_rate_law(0.55 * (1 - 5e-7), 0.25 + 7e-6, 0.5)
    assert float(law.log_growth[1]) == pytest.approx(float(calm.log_growth), abs=1e-4)
    assert float(law.log_hazard[1]) == pytest.approx(float(calm.log_hazard), abs=1e-4)


def test_the_laws_between_days_are_those_of_one_line():
    days = np.array([0.0, 1.0, 4.5, 30.0, 90.0])
    therapy, birth = PATIENT.therapy, 0.55 * (1 - 5e-7)
    wanted = time_dependent_laws(
        lambda _: birth, lambda t: 0.25 + float(therapy.killing_rate(t)), days, kinks=therapy.kinks
    )
    law = course_laws(PATIENT, days)
    assert law.log_growth == pytest.approx(wanted.log_growth, abs=1e-8)
    assert law.log_hazard == pytest.approx(wanted.log_hazard, abs=1e-8)


def patient(losses: Losses, kill: float = 1.2, days: float = 14.0, **more) -> Patient:
    """Return a small leukaemia under constant killing for some days."""
    exposure = slow_twins.StepExposure(1e6, days)
    therapy = more.pop(
        "therapy",
        Therapy(exposure=exposure, killing=Killing(maximal_rate=kill * 1.001, half_level=1e3)),
    )
    return Patient(
        leukaemia=Leukaemia(birth_rate=0.6, death_rate=0.2, burden=400),
        losses=losses, therapy=therapy, **more,
    )  # fmt: skip


@pytest.mark.parametrize(
    "losses",
    [
        Losses(per_antigen=(8e-4,), common_mode=2e-4),
        Losses(per_antigen=(6e-3, 4e-3), common_mode=3e-4),
        Losses(per_antigen=(8e-3, 6e-3, 5e-3), shared_defect=3e-4),
    ],
    ids=lambda losses: f"k={losses.antigens}",
)
def test_courses_end_as_when_every_event_is_drawn(losses):
    days, runs = 14.0, 1200
    one = patient(losses, days=days)
    types = cell_types(one)
    transition = types.daughters
    if losses.common_mode:  # both ways to be without a target are one for the slow twin
        last = transition.shape[0] - 1
        transition = np.delete(transition, last, axis=0)
        transition[:, last - 1] += transition[:, last]
        transition = np.delete(transition, last, axis=1)
    kill = float(one.therapy.killing_rate(1.0))
    targeted, escaped, given_up = slow_twins.exact_fates(
        0.6, 0.2, kill, days, transition, 400, runs, np.random.default_rng(71)
    )
    drawn = sample_courses(one, [0.0, days, 60.0], 6000, np.random.default_rng(72))
    alive = drawn.targeted[:, -1] > 0
    free = drawn.escaped[:, -1] > 0
    assert given_up.mean() < 0.02
    for seen, wanted in (
        (targeted, alive),
        (targeted & ~escaped, alive & ~free),
        (escaped & ~targeted, free & ~alive),
        (~escaped & ~targeted, ~free & ~alive),
    ):
        share = wanted.mean()
        # Targeted lines that survive found escapes until day 60, which the twin does not follow.
        if seen is not targeted and share > 0.5:
            continue
        assert abs(seen.mean() - share) < 4 * np.sqrt(share * (1 - share) / runs) + 0.02


def test_steps_as_long_as_a_month_change_no_law_of_one_type():
    coarse = sample_courses(PATIENT, [0.0, 50.0], 1000, np.random.default_rng(73))
    fine = sample_courses(PATIENT, np.arange(51.0), 1000, np.random.default_rng(74))
    for now, then in ((coarse.targeted, fine.targeted), (coarse.escaped, fine.escaped)):
        assert stats.ks_2samp(now[:, -1], then[:, -1]).pvalue > 1e-3


def test_a_trillion_cells_of_three_antigens_keep_the_means_of_every_state():
    patient = replace(
        PATIENT,
        leukaemia=replace(PATIENT.leukaemia, burden=1e12),
        losses=Losses(per_antigen=(1e-4, 2e-4, 3e-4), common_mode=1e-5),
    )
    day = [0.0, 3.0, 10.0]
    many = sample_courses(patient, day, 400, np.random.default_rng(77))
    assert np.all(many.cells[:, 0, 0] == 1e12)
    types = cell_types(patient)
    rates = types.birth[:, None] * types.daughters - np.diag(types.death)

    def slope(day, path):
        kill = float(patient.therapy.killing_rate(day)) * types.engagement[0]
        return (path.reshape(types.size, -1) @ (rates - np.diag(kill))).ravel()

    for i, span in enumerate(pairwise(day)):
        run = solve_ivp(
            slope, span, np.eye(types.size).ravel(), method="DOP853", rtol=1e-9, atol=1e-14
        )
        wanted = many.cells[:, i] @ run.y[:, -1].reshape(types.size, -1)
        excess = many.cells[:, i + 1] - wanted
        assert np.all(many.cells[:, i + 1].mean(axis=0)[[0, 7, 8]] > 1e6)
        error = excess.std(axis=0) / np.sqrt(400)
        assert np.all(np.abs(excess.mean(axis=0)) <= 4 * error + 1e-6 * wanted.mean(axis=0))


def test_two_antigens_leave_partial_losses_as_often_as_the_means_say():
    losses = Losses(per_antigen=(5e-3, 3e-3))
    one = patient(losses, kill=0.5, days=20.0)
    types = cell_types(one)
    drawn = sample_courses(one, [0.0, 5.0, 20.0], 4000, np.random.default_rng(75))
    founding = types.birth[:, None] * types.daughters
    kill = 0.5 * 1.001 * 1e6 / (1e3 + 1e6)
    rates = founding - np.diag(types.death + kill * types.engagement[0])
    start = drawn.cells[:, 0].mean(axis=0)
    for i, day in enumerate([0.0, 5.0, 20.0]):
        wanted = start @ expm(rates * day)
        error = drawn.cells[:, i].std(axis=0) / np.sqrt(4000)
        assert np.all(np.abs(drawn.cells[:, i].mean(axis=0) - wanted) <= 4.5 * error + 1e-9)


def test_cells_that_switch_follow_the_matrix_of_rates():
    one = patient(
        Losses(per_antigen=(1e-9,)), kill=0.9, days=30.0,
        plasticity=Plasticity(switch_off=(0.05,), switch_on=(0.1,), stripping=(0.3,)),
    )  # fmt: skip
    types = cell_types(one)
    drawn = sample_courses(one, [0.0, 2.0, 6.0], 3000, np.random.default_rng(76))
    kill = 0.9 * 1.001 * 1e6 / (1e3 + 1e6)
    flux = types.switching + kill * types.stripping[0]
    rates = types.birth[:, None] * types.daughters + flux
    rates -= np.diag(types.death + kill * types.engagement[0] + flux.sum(axis=1))
    start = drawn.cells[:, 0].mean(axis=0)
    for i, day in enumerate([0.0, 2.0, 6.0]):
        wanted = start @ expm(rates * day)
        error = drawn.cells[:, i].std(axis=0) / np.sqrt(3000)
        assert np.all(
            np.abs(drawn.cells[:, i].mean(axis=0) - wanted) <= 4.5 * error + 5e-3 * wanted + 1e-5
        )
    assert np.all(drawn.cells[:, 0].sum(axis=1) >= 400)


def test_switching_alone_settles_in_its_equilibrium():
    one = patient(
        Losses(per_antigen=(1e-9,)), kill=1e-6, days=30.0,
        plasticity=Plasticity(switch_off=(0.4,), switch_on=(0.6,)),
    )  # fmt: skip
    drawn = sample_courses(one, [0.0, 3.0, 9.0], 500, np.random.default_rng(81))
    for i in range(3):
        off = drawn.cells[:, i, 1].sum() / drawn.cells[:, i].sum()
        assert off == pytest.approx(0.4, abs=0.01)


def test_under_an_and_gate_one_loss_is_enough_to_grow():
    exposure = slow_twins.StepExposure(1e6, 40.0)
    killing = Killing(maximal_rate=1.2, half_level=1e3)
    one = patient(
        Losses(per_antigen=(5e-3, 5e-3)),
        therapy=Therapy(exposure=exposure, killing=killing, gate=AndGate()),
    )
    drawn = sample_courses(one, [0.0, 20.0], 300, np.random.default_rng(77))
    partial = drawn.cells[..., drawn.relapse_class == PARTIAL_LOSS].sum(axis=-1)
    assert np.mean(partial[:, 1] > 100) > 0.5
    assert np.mean(drawn.cells[:, 1, 0] > 100) < 0.05


def two_products() -> Patient:
    exposure = slow_twins.StepExposure(1e6, 1000.0)
    killing = Killing(maximal_rate=1.5, half_level=1e3)
    first, second = (
        Therapy(exposure=exposure, killing=killing, gate=SingleGate(antigen=j)) for j in (0, 1)
    )
    return Patient(
        leukaemia=Leukaemia(birth_rate=0.5, death_rate=0.2, burden=1e6),
        losses=Losses(per_antigen=(1e-5, 1e-5)),
        therapy=(first, second),
    )


@pytest.mark.parametrize("size", [1e4, 1e6])
def test_a_product_that_waits_for_regrowth_meets_the_losses_of_that_size(size):
    # Cells without antigen 1 regrow to D; of those e^(-u D) lack no line without antigen 2.
    days = np.arange(0.0, 160.0)
    drawn = sample_courses(two_products(), days, 500, np.random.default_rng(78),
                           regrowth=Regrowth(product=1, cells=size))  # fmt: skip
    given = np.isfinite(drawn.second_day)
    assert given.mean() > 0.9
    at = drawn.second_day[given].astype(int)
    burden = drawn.total[np.flatnonzero(given), at]
    assert np.all(burden >= size)
    assert np.all(drawn.total[np.flatnonzero(given), at - 1] < size)
    cured = (drawn.total[given, -1] == 0).mean()
    # The size on the day of looking varies by a day's growth.
    wanted = np.exp(-1e-5 * burden).mean()
    assert abs(cured - wanted) < 4 * np.sqrt(max(wanted * (1 - wanted), 1e-3) / given.sum()) + 0.01


def test_a_product_given_on_the_last_day_has_not_yet_acted():
    drawn = sample_courses(two_products(), [0.0, 20.0, 60.0], 20, np.random.default_rng(79),
                           regrowth=Regrowth(product=1, cells=1e4))  # fmt: skip
    assert set(drawn.second_day) <= {60.0, np.inf}
    assert np.isfinite(drawn.second_day).any()


def test_fixed_time_spreads_the_burden():
    drawn = sample_courses(PATIENT, [0.0, 1.0], 2000, np.random.default_rng(80), fixed="time")
    assert stats.kstest(drawn.cells[:, 0, 0] / 1e6, "expon").pvalue > 1e-3


def test_a_course_that_kills_stands_still_in_the_batch_and_ends_alone():
    untreated = replace(
        typical_patient(),
        therapy=replace(
            typical_patient().therapy, killing=Killing(maximal_rate=1e-3, half_level=3000.0)
        ),
    )
    days = np.arange(0.0, 400.0, 10.0)
    drawn = sample_courses(untreated, days, 3, np.random.default_rng(1))
    last = drawn.days_followed[0]
    assert last < days.size
    assert np.all(drawn.total[0, last - 1 :] == drawn.total[0, last - 1])
    assert drawn.course(0).total[-1] > 1e13


def test_the_mean_course_refuses_numbers_no_body_holds():
    with pytest.raises(ParameterError, match=r"passes 1e\+18 cells.*end the course earlier"):
        mean_course(PATIENT, [0.0, 100.0, 400.0])


def test_courses_refuse_rates_that_would_take_for_ever():
    wild = replace(PATIENT, leukaemia=Leukaemia(birth_rate=1e3, death_rate=999.0, burden=1e6))
    with pytest.raises(ParameterError, match=r"steps would be needed.*lower the rates"):
        sample_course(wild, [0.0, 36500.0], np.random.default_rng(1))


def test_a_mean_course_follows_no_switching():
    switching = patient(
        Losses(per_antigen=(1e-9,)), plasticity=Plasticity(switch_off=(0.05,), switch_on=(0.1,))
    )
    with pytest.raises(ParameterError, match=r"types switch.*use sample_courses"):
        mean_course(switching, [0.0, 1.0])


LEAKY = replace(PATIENT, losses=Losses(per_antigen=(0.2,)))
NAN = float("nan")


@pytest.mark.parametrize("call", [course_laws, mean_course])
@pytest.mark.parametrize(
    ("patient", "days", "shown", "remedy"),
    [
        (LEAKY, [0, 1], "add up to 0.2", "lower it"),
        (None, [0, 1], "patient is None", "give a Patient"),
        (PATIENT, [0, -1], "days is -1|days is .0, -1.", "count days|sort"),
        (PATIENT, [0, NAN], "days is nan", "count days"),
        (PATIENT, [0, 2, 1], r"days is .*\[?0.*2.*1", "sort"),
        (PATIENT, [0], r"days is .*0", "sort|prepend 0"),
        (PATIENT, 3.0, r"days is .*3", "sort|prepend 0"),
        (PATIENT, None, "days is None", "count days"),
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


RNG = np.random.default_rng(1)
LAWS = course_laws(PATIENT, [0.0, 1.0])


@pytest.mark.parametrize(
    ("call", "shown", "remedy"),
    [
        (
            lambda: sample_course(PATIENT, [0, 1], RNG, laws=constant_rate_law(0.5, 0.2, 1.0)),
            "laws is LineLaw",
            "course_laws",
        ),
        (lambda: sample_course(PATIENT, [0, 1], RNG, laws=[1]), r"laws is \[1\]", "course_laws"),
        (
            lambda: sample_course(PATIENT, [0, 1, 2], RNG, laws=LAWS),
            "laws are for 2 days from 0 to 1, and days has 3",
            "must be the same",
        ),
        (
            lambda: sample_course(typical_patient(), [0, 1], RNG, laws=LAWS),
            "laws are those of another patient",
            "course_laws",
        ),
        (lambda: sample_course(PATIENT, [0, 1], 5), "rng is 5", "default_rng"),
        (lambda: sample_courses(PATIENT, [0, 1], 0, RNG), "n is 0", "give a number"),
        (lambda: sample_courses(PATIENT, [0, 1], 1, RNG, fixed="x"), "fixed is 'x'", "choose"),
        (
            lambda: sample_courses(PATIENT, [0, 1], 1, RNG, regrowth=Regrowth(product=1, cells=10)),
            "product is 1; the patient gets 1",
            "smaller",
        ),
        (
            lambda: sample_courses(
                PATIENT, [0, 1], 1, RNG, laws=LAWS, regrowth=Regrowth(product=0, cells=10)
            ),
            "regrowth as well",
            "leave laws out",
        ),
        (lambda: Regrowth(product=-1, cells=10), "product is -1", "first product"),
        (lambda: Regrowth(product=0, cells=0.0), "cells is 0", "number of cells"),
    ],
)
def test_bad_arguments_of_courses_are_refused(call, shown, remedy):
    with pytest.raises(ParameterError, match=f"{shown}.*{remedy}"):
        call()


def test_a_course_starts_with_the_living_escapes_of_a_leukaemia_of_its_size():
    runs = 3000
    first = sample_courses(PATIENT, [0.0, 0.01], runs, np.random.default_rng(64)).escaped[:, 0]
    none = float(no_living_mutant(1e6, 5e-7, PATIENT.leukaemia.survival))
    assert abs((first == 0).mean() - none) < 4 * np.sqrt(none * (1 - none) / runs)
