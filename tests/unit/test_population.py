"""Declared populations: medians, spreads, correlations, subgroups, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from r1_cases import r1_case

from car_relapse.antigens import Losses
from car_relapse.cohort import simulate
from car_relapse.errors import ParameterError
from car_relapse.killing import default_killing
from car_relapse.parameters import default
from car_relapse.patient import Leukaemia
from car_relapse.population import Spread, Subgroup, default_population, or_gate_engagement

PEOPLE = default_population()
N = 20_000


def drawn(people, seed=51, n=N):
    return people.sample(n, np.random.default_rng(seed))


def test_the_default_population_is_the_ledger():
    assert PEOPLE.burden_log10_sd == default("leukaemia.burden_log10_sd")
    assert PEOPLE.killing == default_killing()
    assert PEOPLE.losses.per_antigen == (default("loss.cd19"),)
    assert default_population(1e9).leukaemia.burden == 1e9


def test_what_has_no_spread_is_the_same_in_everybody():
    block, subgroup = drawn(PEOPLE, n=100)
    assert np.ptp(block.birth_rate) == np.ptp(block.death_rate) == 0
    assert np.all(block.per_antigen == default("loss.cd19"))
    assert block.killing == PEOPLE.killing
    assert not subgroup.any()
    assert subgroup.dtype == np.int8


def test_every_effect_is_lognormal_around_its_median_with_its_spread():
    spread = Spread(
        birth_rate=0.1, death_rate=0.2, loss=0.5, common_mode=0.7, shared_defect=0.9, killing=0.3
    )
    losses = Losses(per_antigen=(1e-9, 1e-8), common_mode=1e-10, shared_defect=1e-11)
    block, _ = drawn(replace(PEOPLE, spread=spread, losses=losses))
    killing = block.killing.maximal_rate
    for values, median, sd in (
        (block.burden, 1e11, default("leukaemia.burden_log10_sd") * np.log(10)),
        (block.birth_rate, PEOPLE.leukaemia.birth_rate, 0.1),
        (block.death_rate, PEOPLE.leukaemia.death_rate, 0.2),
        (block.per_antigen[0], 1e-9, 0.5),
        (block.per_antigen[1], 1e-8, 0.5),
        (block.common_mode, 1e-10, 0.7),
        (block.shared_defect, 1e-11, 0.9),
        (killing, default("killing.maximal_rate"), 0.3),
    ):
        logs = np.log(values)
        assert abs(logs.mean() - np.log(median)) < 4 * sd / np.sqrt(N)
        assert logs.std() == pytest.approx(sd, rel=4 / np.sqrt(2 * N))
    assert abs(np.corrcoef(np.log(block.per_antigen))[0, 1]) < 4 / np.sqrt(N)


def test_effects_are_correlated_as_asked():
    spread = Spread(
        birth_rate=0.1,
        death_rate=0.1,
        killing=0.3,
        correlation=(
            ("burden", "killing", -0.6), ("birth_rate", "death_rate", 1.0),
            ("birth_rate", "burden", 0.3), ("death_rate", "burden", 0.3),
        ),
    )  # fmt: skip
    block, _ = drawn(replace(PEOPLE, spread=spread))
    logs = np.log([block.burden, block.birth_rate, block.death_rate, block.killing.maximal_rate])
    seen = np.corrcoef(logs)
    wanted = [[1, 0.3, 0.3, -0.6], [0.3, 1, 1, 0], [0.3, 1, 1, 0], [-0.6, 0, 0, 1]]
    assert seen == pytest.approx(np.array(wanted), abs=4 / np.sqrt(N))
    ratio = block.death_rate / block.birth_rate
    assert ratio == pytest.approx(np.full(N, ratio[0]), rel=1e-6)


def test_burdens_may_be_spread_evenly_on_the_log_scale():
    people = replace(PEOPLE, burden_log10_sd=0.0, burden_log10_range=(9.0, 11.0))
    logs = np.log10(drawn(people)[0].burden)
    assert logs.min() > 9
    assert logs.max() < 11
    counts = np.histogram(logs, np.linspace(9, 11, 11))[0]
    assert np.abs(counts - N / 10).max() < 4 * np.sqrt(N * 0.09)


def test_leukaemias_that_would_not_grow_are_drawn_again():
    spread = Spread(birth_rate=0.6, death_rate=0.6)
    block, _ = drawn(replace(PEOPLE, spread=spread, burden_log10_sd=0.0), n=3000)
    assert np.all(block.birth_rate > block.death_rate)
    # A truncated law, not a clipped one.
    rng = np.random.default_rng(52)
    b, d = (m * np.exp(0.6 * rng.standard_normal(200_000)) for m in (0.105, 0.04))
    kept = np.log(d[b > d])
    assert abs(np.log(block.death_rate).mean() - kept.mean()) < 4 * kept.std() / np.sqrt(3000)


def test_subgroups_have_their_share_and_their_own_medians():
    low = Subgroup(name="low burden", weight=0.3, leukaemia=replace(PEOPLE.leukaemia, burden=1e8))
    switch = Losses(per_antigen=PEOPLE.losses.per_antigen, common_mode=4e-12)
    rearranged = Subgroup(name="rearranged", weight=0.2, losses=switch, killing_factor=0.5)
    people = replace(PEOPLE, subgroups=(low, rearranged), burden_log10_sd=0.0)
    assert people.shares == pytest.approx((0.5, 0.3, 0.2))
    block, subgroup = drawn(people)
    counts = np.bincount(subgroup)
    assert np.abs(counts / N - people.shares).max() < 4 * np.sqrt(0.25 / N)
    burdens = np.array([1e11, 1e8, 1e11])
    assert block.burden == pytest.approx(burdens[subgroup])
    assert (
        block.common_mode.tolist()
        == np.where(subgroup == 2, 4e-12, PEOPLE.losses.common_mode).tolist()
    )
    killing = default("killing.maximal_rate") * np.array([1, 1, 0.5])
    assert block.killing.maximal_rate == pytest.approx(killing[subgroup])
    even = replace(people, burden_log10_range=(10.0, 12.0))
    logs = np.log10(drawn(even)[0].burden)
    assert logs[drawn(even)[1] == 1].max() < 9


def test_the_subgroup_of_a_patient_is_kept_and_decides_the_fate():
    switch = Losses(per_antigen=PEOPLE.losses.per_antigen, common_mode=1e-11)
    people = replace(PEOPLE, subgroups=(Subgroup(name="switch", weight=0.5, losses=switch),))
    cohort = simulate(people, 1000, seed=53)
    switched = cohort.outcome == 5
    assert set(np.unique(cohort.subgroup)) == {0, 1}
    assert switched[cohort.subgroup == 1].mean() > 5 * switched[cohort.subgroup == 0].mean()


def test_the_patients_of_the_benchmark_are_as_declared():
    block, _ = drawn(r1_case("E"))
    assert block.death_rate == pytest.approx(block.birth_rate / 2, rel=1e-6)
    assert block.per_antigen[1] == pytest.approx(block.per_antigen[0], rel=1e-6)
    assert np.log(block.shared_defect).std() == pytest.approx(0.5, rel=0.03)
    assert not block.common_mode.any()


def test_an_or_gate_spares_only_cells_without_any_target():
    assert or_gate_engagement(1) == (1.0, 0.0)
    assert or_gate_engagement(3) == (1.0,) * 7 + (0.0,)


TWO = Losses(per_antigen=(1e-9, 1e-9))


def spread(**changes):
    return replace(PEOPLE, spread=Spread(**changes))


@pytest.mark.parametrize(
    ("call", "shown", "remedy"),
    [
        (lambda: replace(PEOPLE, burden_log10_sd=-1), "burden_log10_sd is -1", "0 means"),
        (lambda: replace(PEOPLE, burden_log10_sd=float("nan")), "sd is nan", "0 means"),
        (
            lambda: replace(PEOPLE, losses=Losses(per_antigen=(0.4,), common_mode=0.2)),
            "add up to 0.6",
            "lower them",
        ),
        (lambda: replace(PEOPLE, losses=(1e-9,)), "losses is", "give a Losses"),
        (lambda: replace(PEOPLE, spread=0.3), "spread is 0.3", "give a Spread"),
        (lambda: replace(PEOPLE, subgroups=("low",)), "subgroup is 'low'", "give a Subgroup"),
        (lambda: replace(PEOPLE, burden_log10_range=(9, 11)), "not both", "set burden_log10_sd"),
        (
            lambda: replace(PEOPLE, burden_log10_sd=0.0, burden_log10_range=(11, 9)),
            "range is .11, 9.",
            "two increasing",
        ),
        (
            lambda: replace(PEOPLE, subgroups=(Subgroup(name="x", weight=0.1, losses=TWO),)),
            "subgroup loses 2 antigens",
            "give as many",
        ),
        (
            lambda: replace(PEOPLE, subgroups=(Subgroup(name="x", weight=0.7),) * 2),
            "add up to 1.4",
            "lower them",
        ),
        (lambda: Subgroup(name="x", weight=1.5), "weight is 1.5", "give a share"),
        (lambda: Subgroup(name="x", weight=0.5, killing_factor=0), "factor is 0", "small factor"),
        (lambda: Subgroup(name="x", weight=0.5, killing_factor=-1), "factor is -1", "1 leaves"),
        (lambda: replace(PEOPLE, engagement=(1.0,)), "has 1 entries", "give 2"),
        (lambda: replace(PEOPLE, engagement=(1.0, 2.0)), "engagement is 2", "give fractions"),
        (lambda: replace(PEOPLE, engagement=(0.9, 0.0)), "engagement is .0.9", "use the fractions"),
        (
            lambda: replace(PEOPLE, losses=TWO, engagement=(1.0, 0.1, 1.0, 0.5)),
            "no loss may raise",
            "use the fractions",
        ),
        (lambda: Spread(birth_rate=-1), "birth_rate is -1", "0 means"),
        (lambda: Spread(killing=float("inf")), "killing is inf", "0 means"),
        (lambda: spread(correlation=(("burden", "x", 0.1),)), "names 'x'", "choose two"),
        (lambda: spread(correlation=(("burden", "killing", 0.1),)), "not differ", "give it"),
        (
            lambda: spread(killing=1.0, correlation=(("burden", "killing", 1.1),)),
            "is 1.1",
            "correct it",
        ),
        (
            lambda: spread(killing=1.0, correlation=(("killing", "killing", 0.5),)),
            "is 0.5",
            "correct it",
        ),
        (
            lambda: spread(
                killing=1.0,
                birth_rate=1.0,
                correlation=(
                    ("burden", "killing", 0.9), ("burden", "birth_rate", 0.9),
                    ("killing", "birth_rate", -0.9),
                ),
            ),
            "negative eigenvalue",
            "give those",
        ),
        (
            lambda: drawn(replace(default_population(1e3), burden_log10_sd=3.0)),
            "cells in a patient drawn",
            "raise the median",
        ),
        (
            lambda: drawn(
                replace(
                    PEOPLE,
                    leukaemia=Leukaemia(birth_rate=0.1, death_rate=0.0999, burden=1e11),
                    losses=Losses(per_antigen=(5e-3,)),
                )
            ),
            "of 1 - d/b in a patient",
            "lower the losses",
        ),
        (
            lambda: drawn(
                replace(spread(loss=3.0), losses=Losses(per_antigen=(5e-3,)))
            ),
            "loss probabilities add up",
            "lower them",
        ),
    ],
)  # fmt: skip
def test_bad_input_is_refused_with_value_and_remedy(call, shown, remedy):
    with pytest.raises(ParameterError, match=f"(?s){shown}.*{remedy}"):
        call()
