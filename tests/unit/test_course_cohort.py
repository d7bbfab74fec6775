"""Cohorts of sampled courses: exact probabilities, a plain simulation, and any cut."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest

from car_relapse.antigens import Losses, Plasticity
from car_relapse.cohort import simulate
from car_relapse.course import Regrowth
from car_relapse.course_cohort import DrawnPatients, simulate_courses, simulate_courses_range
from car_relapse.densities import AntigenDensities
from car_relapse.engagement import default_density, default_engagement
from car_relapse.errors import ParameterError
from car_relapse.exposure import SteinExposure, stein_typical
from car_relapse.exposure_table import TableExposure
from car_relapse.gates import SingleGate
from car_relapse.killing import LinearKilling
from car_relapse.outcomes import Cohort, Detection, Outcome
from car_relapse.patient import Leukaemia, Patient, typical_patient
from car_relapse.population import default_population
from car_relapse.survival import relapse_probabilities
from car_relapse.therapy import Therapy

CURVE = SteinExposure(
    fold=50.0, peak_day=5.0, peak_level=1.0, contraction_rate=0.1, memory_fraction=0.1,
    memory_rate=0.03,
)  # fmt: skip
LIMITS = Detection(remission_cells=1e4, relapse_cells=1e6)
PATIENT = Patient(
    leukaemia=Leukaemia(birth_rate=0.4, death_rate=0.2, burden=1e5),
    losses=Losses(per_antigen=(3e-6,)),
    therapy=Therapy(exposure=CURVE, killing=LinearKilling(rate_per_level=2.2)),
)
DENSE = replace(
    PATIENT,
    density=AntigenDensities(
        densities=(default_density(),), engagements=(default_engagement(),), bins=3
    ),
    therapy=Therapy(exposure=CURVE, killing=LinearKilling(rate_per_level=3.0)),
)
SWITCHING = replace(
    PATIENT,
    plasticity=Plasticity(switch_off=(0.02,), switch_on=(0.5,), fitness_cost=(0.1,)),
    therapy=Therapy(exposure=CURVE, killing=LinearKilling(rate_per_level=3.6)),
)


def same(one: Cohort, two: Cohort) -> bool:
    return all(
        np.array_equal(getattr(one, f.name), getattr(two, f.name), equal_nan=True)
        for f in fields(Cohort)
    )


@pytest.mark.parametrize("patient", [PATIENT, DENSE, SWITCHING], ids=["plain", "bins", "switching"])
def test_cures_are_as_many_as_the_exact_probabilities_say(patient):
    cohort = simulate_courses(patient, 1, 5, courses=1500, detection=LIMITS)
    fate = relapse_probabilities(patient)
    assert 0.1 < fate.cure < 0.9
    share, _ = cohort.share(Outcome.CURED)
    assert abs(share - fate.cure) < 4 * np.sqrt(fate.cure * (1 - fate.cure) / cohort.size)
    assert cohort.cure_probability == pytest.approx(np.full(1500, fate.cure), rel=1e-9)
    # Where both kinds survive either may be the majority.
    for kind, alone in (
        (Outcome.ANTIGEN_POSITIVE, fate.only_positive),
        (Outcome.ANTIGEN_NEGATIVE, fate.only_negative),
    ):
        share, _ = cohort.share(kind)
        assert alone - 2 / np.sqrt(1500) < share < alone + fate.both + 2 / np.sqrt(1500)


def test_courses_relapse_when_the_fast_engine_says():
    people = replace(
        default_population(),
        leukaemia=PATIENT.leukaemia,
        losses=PATIENT.losses,
        burden_log10_sd=0.0,
        exposures=CURVE,
        killing=LinearKilling(rate_per_level=2.2),
        detection=LIMITS,
    )
    fast = simulate(people, 4000, 6)
    slow = simulate_courses(PATIENT, 1, 7, courses=2000, detection=LIMITS)
    for outcome in (Outcome.ANTIGEN_POSITIVE, Outcome.ANTIGEN_NEGATIVE):
        for day in (80.0, 110.0, 150.0):
            a, b = (float(c.cumulative_incidence(outcome, day)) for c in (fast, slow))
            assert abs(a - b) < 4 * np.sqrt(0.25 / 2000 + 0.25 / 4000)
    assert slow.positive_lines[0] == pytest.approx(fast.positive_lines[0], rel=1e-3)


# Two products, each for one antigen, on for some days; the second waits for a disease of 80 cells.
PULSE = TableExposure(days=(0, 12), levels=(1, 1), after="zero")
SECOND = TableExposure(days=(0, 9), levels=(1, 1), after="zero")
PAIR = Patient(
    leukaemia=Leukaemia(birth_rate=0.4, death_rate=0.1, burden=200),
    losses=Losses(per_antigen=(0.0, 0.0)),
    therapy=(
        Therapy(
            exposure=PULSE, killing=LinearKilling(rate_per_level=0.8), gate=SingleGate(antigen=0)
        ),
        Therapy(
            exposure=SECOND, killing=LinearKilling(rate_per_level=0.9), gate=SingleGate(antigen=1)
        ),
    ),
    mixture=((0, 0.9), (1, 0.1)),
)
TRIGGER = Regrowth(product=1, cells=80)
SMALL = Detection(remission_cells=50, relapse_cells=400)


def plain(rng: np.random.Generator) -> tuple[int, float]:
    """Follow one course of PAIR event by event; return outcome and day of relapse."""
    b, d = 0.4, 0.1
    cells = [180, 20]
    day, given, low, was_low = 0.0, np.inf, False, False
    while True:
        total = sum(cells)
        if total == 0:
            return Outcome.CURED if low else Outcome.NO_REMISSION, np.inf
        low |= total <= 50
        if low and total >= 400:
            kind = Outcome.ANTIGEN_POSITIVE if cells[0] >= cells[1] else Outcome.PARTIAL_LOSS
            return kind, day
        # Out of reach of a second product that has been, or that never saw fewer than 80 cells.
        if total > 2_500 and (given + 9 < day or (given == np.inf and day >= 12)):
            return Outcome.NO_REMISSION, 0.0
        if was_low and total >= 80 and given == np.inf:
            given = day
        was_low |= total < 80
        end = day + 1.0
        both = 0.9 if given <= day < given + 9 else 0.0
        first = 0.8 if day < 12 else 0.0
        death = (d + first + both, d + both)
        now = day
        while True:
            rates = [cells[0] * (b + death[0]), cells[1] * (b + death[1])]
            rate = sum(rates)
            now += rng.exponential(1 / rate) if rate else np.inf
            if now > end:
                break
            kind = 0 if rng.random() * rate < rates[0] else 1
            cells[kind] += 1 if rng.random() * (b + death[kind]) < b else -1
        day = end


def test_a_product_that_waits_for_regrowth_does_what_a_plain_simulation_does():
    cohort = simulate_courses(PAIR, 1, 8, courses=1200, regrowth=TRIGGER, detection=SMALL)
    rng = np.random.default_rng(9)
    twin = [plain(rng) for _ in range(600)]
    outcome, day = np.array([t[0] for t in twin]), np.array([t[1] for t in twin])
    assert np.isnan(cohort.positive_lines).all()
    seen = []
    for kind in Outcome:
        p, q = np.mean(cohort.outcome == kind), np.mean(outcome == kind)
        seen.append(q)
        assert abs(p - q) < 4 * np.sqrt((p * (1 - p) / 2 + q * (1 - q) + 1e-3) / 600)
    assert sorted(seen)[-2] > 0.1
    late, twins = cohort.relapse_day[cohort.outcome == 4], day[outcome == 4]
    # The twin sees relapse on whole days, and the cohort between them.
    spread = 4 * np.hypot(late.std() / np.sqrt(late.size), twins.std() / np.sqrt(twins.size))
    assert abs(np.mean(np.ceil(late)) - twins.mean()) < spread


def test_without_the_waiting_product_more_relapse():
    waits = simulate_courses(PAIR, 1, 8, courses=300, regrowth=TRIGGER, detection=SMALL)
    alone = simulate_courses(
        replace(PAIR, therapy=PAIR.products[0]), 1, 8, courses=300, detection=SMALL
    )
    assert alone.share(Outcome.CURED)[0] < waits.share(Outcome.CURED)[0] - 0.1


def test_a_cohort_is_the_same_bit_for_bit_however_it_is_cut():
    people = DrawnPatients(
        population=replace(default_population(1e5), losses=PATIENT.losses, exposures=CURVE,
                           killing=LinearKilling(rate_per_level=2.2)),
        template=DENSE,
    )  # fmt: skip
    options = {"seed": 10, "courses": 2, "step": 5.0, "detection": LIMITS}
    whole = simulate_courses_range(people, 0, 5, **options)
    assert whole.size == 10
    assert len(set(whole.burden)) == 5
    parts = [simulate_courses_range(people, a, b, **options) for a, b in ((0, 1), (1, 3), (3, 5))]
    joined = Cohort(
        **{f.name: np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(Cohort)}
    )
    assert same(whole, joined)
    assert same(whole, simulate_courses(people, 5, **options))
    assert not same(whole, simulate_courses(people, 5, **(options | {"seed": 11})))


def test_a_list_of_patients_is_gone_through_again_and_again():
    big = replace(PATIENT, leukaemia=replace(PATIENT.leukaemia, burden=1e6))
    heard = []
    cohort = simulate_courses(
        [PATIENT, big], 4, 3, step=5.0, detection=LIMITS, progress=lambda p: heard.append(p.done)
    )
    assert cohort.burden.tolist() == [1e5, 1e6, 1e5, 1e6]
    assert cohort.preexisting_lines[1] == pytest.approx(10 * cohort.preexisting_lines[0], rel=1e-3)
    assert heard == [1, 2, 3, 4]


def test_too_weak_a_therapy_brings_no_remission():
    weak = replace(
        PATIENT, therapy=Therapy(exposure=CURVE, killing=LinearKilling(rate_per_level=0.1))
    )
    cohort = simulate_courses(weak, 1, 4, courses=20, step=5.0, detection=LIMITS)
    assert cohort.share(Outcome.NO_REMISSION)[0] == 1.0
    assert np.all(cohort.relapse_day == 0.0)


TWO = Losses(per_antigen=(1e-6, 1e-6))


@pytest.mark.parametrize(
    ("call", "shown", "remedy"),
    [
        (lambda: simulate_courses("x", 1, 1), "patients is 'x'", "give one"),
        (lambda: simulate_courses([], 1, 1), r"patients is \[\]", "give one"),
        (lambda: simulate_courses(["x"], 1, 1), "a patient is 'x'", "give a Patient"),
        (lambda: simulate_courses(PATIENT, 0, 1), "n is 0", "give a number"),
        (lambda: simulate_courses(PATIENT, 1, -1), "seed is -1", "whole number"),
        (lambda: simulate_courses(PATIENT, 1, 1, courses=0), "courses is 0", "give a number"),
        (lambda: simulate_courses(PATIENT, 1, 1, step=0), "step is 0", "number of days"),
        (lambda: simulate_courses(PATIENT, 1, 1, step=1e-6), "step is 1e-06", "longer step"),
        (lambda: simulate_courses(PATIENT, 1, 1, regrowth="x"), "regrowth is 'x'", "Regrowth"),
        (lambda: simulate_courses(PATIENT, 1, 1, regrowth=TRIGGER), "product is 1", "count"),
        (lambda: simulate_courses(PATIENT, 1, 1, fixed="x"), "fixed is 'x'", "size"),
        (lambda: simulate_courses_range(PATIENT, 2, 2, seed=1), "stop is 2", "above start"),
        (
            lambda: simulate_courses(
                PATIENT, 1, 1, detection=Detection(remission_cells=1, relapse_cells=1e14)
            ),
            r"relapse_cells is 1e\+14",
            "lower it",
        ),
        (
            lambda: DrawnPatients(population=default_population(), template=PAIR),
            "template has 2 antigens",
            "as many losses",
        ),
        (
            lambda: DrawnPatients(
                population=replace(default_population(), losses=TWO, engagement=(1, 1, 0.5, 0)),
                template=PAIR,
            ),
            "engagement is",
            "leave engagement out",
        ),
        (
            lambda: DrawnPatients(population="x", template=PAIR),
            "population is 'x'",
            "give a Population",
        ),
    ],
)
def test_bad_input_is_refused_with_value_and_remedy(call, shown, remedy):
    with pytest.raises(ParameterError, match=f"(?s){shown}.*{remedy}"):
        call()


def test_the_curves_of_drawn_patients_are_their_own():
    people = DrawnPatients(population=default_population(), template=typical_patient())
    patients = [people.draw(np.random.default_rng(seed))[0] for seed in (1, 2)]
    peaks = {patient.products[0].exposure.peak_level for patient in patients}
    assert len(peaks | {stein_typical().peak_level}) == 3
