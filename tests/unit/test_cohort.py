"""Virtual cohorts: reproducible in any cut, and right in the limits that are known."""

from __future__ import annotations

import sys
import types
from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from car_relapse.antigens import Losses
from car_relapse.cohort import (
    BLOCK,
    Cohort,
    Population,
    default_population,
    iter_cohorts,
    simulate,
    simulate_range,
    stream,
)
from car_relapse.errors import ParameterError
from car_relapse.exposure import SteinPopulation, stein_population
from car_relapse.killing import Killing, default_killing
from car_relapse.outcomes import Outcome, default_detection
from car_relapse.parameters import default
from car_relapse.patient import Patient, typical_leukaemia
from car_relapse.progress import Progress
from car_relapse.survival import relapse_probabilities
from car_relapse.therapy import Therapy

POPULATION = default_population()
RELAPSES = (
    Outcome.ANTIGEN_POSITIVE,
    Outcome.ANTIGEN_NEGATIVE,
    Outcome.PARTIAL_LOSS,
    Outcome.LINEAGE_SWITCH,
)


@pytest.fixture(scope="module")
def cohort() -> Cohort:
    return simulate_range(POPULATION, 0, 3 * BLOCK, seed=81)


def same(one: Cohort, two: Cohort) -> bool:
    return all(
        np.array_equal(getattr(one, f.name), getattr(two, f.name))
        and getattr(one, f.name).dtype == getattr(two, f.name).dtype
        for f in fields(Cohort)
    )


def cut(whole: Cohort, first: int, last: int) -> Cohort:
    return Cohort(**{f.name: getattr(whole, f.name)[first:last] for f in fields(Cohort)})


@settings(max_examples=10)
@given(st.integers(1, 3 * BLOCK), st.integers(40, 4 * BLOCK))
def test_a_cohort_is_the_same_bit_for_bit_whatever_its_chunks(cohort, n, chunk):
    assert same(simulate(POPULATION, n, seed=81, chunk=chunk), cut(cohort, 0, n))


@settings(max_examples=10)
@given(st.integers(0, 3 * BLOCK - 1), st.integers(1, 3 * BLOCK))
def test_a_range_of_patients_is_the_same_bit_for_bit_as_in_the_whole(cohort, start, length):
    stop = min(start + length, 3 * BLOCK)
    assert same(simulate_range(POPULATION, start, stop, seed=81), cut(cohort, start, stop))


def test_one_patient_at_a_time_makes_the_same_cohort(cohort):
    assert same(simulate(POPULATION, 3, seed=81, chunk=1), cut(cohort, 0, 3))


def test_parts_of_a_stream_are_the_cohort_in_order(cohort):
    first = 0
    for part in iter_cohorts(POPULATION, 300, seed=81, chunk=100):
        assert same(part, cut(cohort, first, first + part.size))
        first += part.size
    assert first == 300


def test_a_run_that_is_spread_shown_or_kept_is_handed_on(monkeypatch):
    asked = []

    def simulate_on(client, population, n, **options):
        asked.append((client, population, n, options))
        return "cohort"

    module = types.ModuleType("car_relapse.scaleout")
    module.simulate_on, module.TASK = simulate_on, 12_800
    module.simulate_in_processes = lambda population, n, **options: simulate_on(
        "processes", population, n, **options
    )
    monkeypatch.setitem(sys.modules, "car_relapse.scaleout", module)
    assert simulate(POPULATION, 5, seed=1, chunk=256, client="cluster") == "cohort"
    simulate(POPULATION, 5, 1, "cluster")
    simulate(POPULATION, 5, 1, progress=True, checkpoint="folder")
    simulate(POPULATION, 5, 1, workers=2)
    # Unless asked otherwise, tasks are long enough for a scheduler.
    plain = {"seed": 1, "chunk": 12_800, "progress": False, "checkpoint": None}
    assert asked == [
        ("cluster", POPULATION, 5, plain | {"chunk": 256}),
        ("cluster", POPULATION, 5, plain),
        (None, POPULATION, 5, plain | {"progress": True, "checkpoint": "folder"}),
        ("processes", POPULATION, 5, plain | {"workers": 2}),
    ]


def test_a_run_is_shown_stopped_and_resumed_with_the_same_bits(cohort, tmp_path, capsys):
    heard: list[Progress] = []

    def stop(progress):
        heard.append(progress)
        if len(heard) == 2:
            raise KeyboardInterrupt

    options = {"chunk": BLOCK, "checkpoint": tmp_path}
    with pytest.raises(KeyboardInterrupt):
        simulate(POPULATION, 300, 81, progress=stop, **options)
    assert [p.done for p in heard] == [128, 256]
    again = simulate(POPULATION, 300, 81, progress=True, workers=1, **options)
    assert same(again, cut(cohort, 0, 300))
    assert "256 from the checkpoint" in capsys.readouterr().err
    with pytest.raises(ParameterError, match="another run: seed was 81 and is 82"):
        simulate(POPULATION, 300, 82, **options)


def test_other_seeds_and_other_blocks_are_other_patients(cohort):
    other = simulate_range(POPULATION, 0, BLOCK, seed=82)
    assert not np.any(other.burden == cohort.burden[:BLOCK])
    assert not np.any(cohort.burden[:BLOCK] == cohort.burden[BLOCK : 2 * BLOCK])
    large = 2**60
    assert stream(large, 0).random() != stream(large + 1, 0).random()
    one, two = (simulate_range(POPULATION, 0, 5, seed=seed) for seed in (large, large + 1))
    assert not same(one, two)


def test_burdens_are_lognormal_around_the_median(cohort):
    logs = np.log10(cohort.burden)
    sd = POPULATION.burden_log10_sd
    assert abs(logs.mean() - np.log10(POPULATION.leukaemia.burden)) < 4 * sd / np.sqrt(logs.size)
    assert logs.std() == pytest.approx(sd, rel=4 / np.sqrt(2 * logs.size))


def test_relapse_by_kind_cure_and_no_remission_add_up_to_everyone(cohort):
    for day in (0.0, 100.0, 400.0):
        relapsed = sum(float(cohort.cumulative_incidence(kind, day)) for kind in RELAPSES)
        never, _ = cohort.share(Outcome.NO_REMISSION)
        free = float(cohort.relapse_free(day)) * (1 - never)
        assert relapsed + free + never == pytest.approx(1)
    everyone = sum(float(cohort.cumulative_incidence(kind, 1e9)) for kind in RELAPSES)
    cured, _ = cohort.share(Outcome.CURED)
    assert everyone + cured + never == pytest.approx(1)


def test_relapses_follow_remission_and_the_cured_never_relapse(cohort):
    relapsed = np.isin(cohort.outcome, RELAPSES)
    assert np.all(np.isfinite(cohort.relapse_day[relapsed]))
    assert np.all(cohort.relapse_day[relapsed] > 0)
    assert np.all(np.isinf(cohort.relapse_day[cohort.outcome == Outcome.CURED]))


def test_cures_are_as_many_as_the_closed_forms_say(cohort):
    remission = cohort.outcome != Outcome.NO_REMISSION
    p = cohort.cure_probability[remission]
    seen = (cohort.outcome[remission] == Outcome.CURED).sum()
    # A patient without remission is not cured, which the closed form hardly ever allows.
    assert cohort.cure_probability[~remission].sum() < 1
    assert abs(seen - p.sum()) < 4 * np.sqrt(np.sum(p * (1 - p))) + 1


def test_a_cohort_without_heterogeneity_is_one_patient_many_times():
    killing = Killing(maximal_rate=1.48, half_level=default("killing.half_level"))
    losses = Losses(per_antigen=(4e-12,), common_mode=1e-12)
    typical = stein_population().typical
    fixed = Population(
        leukaemia=typical_leukaemia(1e11),
        burden_log10_sd=0.0,
        losses=losses,
        exposures=SteinPopulation(typical=typical, log_sd=(0,) * 6),
        killing=killing,
        detection=default_detection(),
    )
    cohort = simulate(fixed, 3000, seed=83)
    fate = relapse_probabilities(
        Patient(
            leukaemia=typical_leukaemia(1e11),
            losses=losses,
            therapy=Therapy(exposure=typical, killing=killing),
        )
    )
    assert np.ptp(cohort.burden) == 0
    assert min(fate.cure, fate.only_positive, fate.only_negative) > 0.02
    share, _ = cohort.share(Outcome.CURED)
    assert cohort.cure_probability == pytest.approx(np.full(3000, fate.cure), rel=1e-4)
    error = 4 * np.sqrt(fate.cure * (1 - fate.cure) / 3000)
    assert abs(share - fate.cure) < error
    # Where both kinds survive either may be found first.
    for kinds, alone in (
        ((Outcome.ANTIGEN_POSITIVE,), fate.only_positive),
        ((Outcome.ANTIGEN_NEGATIVE, Outcome.LINEAGE_SWITCH), fate.only_negative),
    ):
        share = sum(cohort.share(kind)[0] for kind in kinds)
        never, _ = cohort.share(Outcome.NO_REMISSION)
        assert alone - never - 4 * 0.5 / np.sqrt(3000) < share
        assert share < alone + fate.both + 4 * 0.5 / np.sqrt(3000)


def test_the_default_population_is_the_ledger():
    assert POPULATION.burden_log10_sd == default("leukaemia.burden_log10_sd")
    assert POPULATION.killing == default_killing()
    assert POPULATION.losses.per_antigen == (default("loss.cd19"),)
    assert default_population(1e9).leukaemia.burden == 1e9


@pytest.mark.parametrize(
    ("call", "shown", "remedy"),
    [
        (lambda: simulate(POPULATION, 0, seed=1), "n is 0", "give a number of patients"),
        (lambda: simulate(POPULATION, 1.5, seed=1), "n is 1.5", "give a number of patients"),
        (lambda: simulate(POPULATION, 5, seed=-1), "seed is -1", "give a whole number"),
        (lambda: simulate(POPULATION, 5, seed="x"), "seed is 'x'", "give a whole number"),
        (lambda: simulate(POPULATION, 5, seed=1, chunk=0), "chunk is 0", "give a number"),
        (
            lambda: simulate(POPULATION, 5, 1, "cluster", workers=2),
            "workers is 2 and there is a client",
            "leave one out",
        ),
        (lambda: simulate("all", 5, 1, workers=2), "population is 'all'", "give a Population"),
        (lambda: iter_cohorts(POPULATION, 5, seed=1, chunk=0), "chunk is 0", "give a number"),
        (lambda: iter_cohorts(POPULATION, 0, seed=1), "n is 0", "give a number"),
        (lambda: iter_cohorts(POPULATION, 5, seed=0.5), "seed is 0.5", "give a whole number"),
        (lambda: iter_cohorts("all", 5, seed=1), "population is 'all'", "give a Population"),
        (lambda: simulate_range(POPULATION, -1, 5, seed=1), "start is -1", "give a patient"),
        (lambda: simulate_range(POPULATION, 5, 5, seed=1), "stop is 5; .*>= 6", "above start"),
    ],
)
def test_bad_input_is_refused_with_value_and_remedy(call, shown, remedy):
    with pytest.raises(ParameterError, match=f"{shown}.*{remedy}"):
        call()
