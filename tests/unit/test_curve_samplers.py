"""Cohorts under curves of any shape: exact probabilities, the fast path, correlations, refusals."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest

from car_relapse.antigens import Losses
from car_relapse.cohort import BLOCK, default_population, simulate, simulate_range, stream
from car_relapse.curve_samplers import (
    CurveList,
    EngagerPopulation,
    ScaledPopulation,
    StretchedExposure,
    one_exposure,
)
from car_relapse.engager import TrimerExposure, TrimerLaw
from car_relapse.engager_dosing import blinatumomab_exposure, elranatamab_exposure
from car_relapse.engine import _returns
from car_relapse.errors import ParameterError
from car_relapse.exposure import one_peak, stein_population, stein_typical
from car_relapse.exposure_kimmel import kimmel_killing
from car_relapse.exposure_products import DelayedExposure, SummedExposure
from car_relapse.exposure_table import TableExposure
from car_relapse.killing import Killing, LinearKilling
from car_relapse.kimmel_population import KimmelPopulation
from car_relapse.outcomes import Detection, Outcome
from car_relapse.patient import Leukaemia, Patient, typical_patient
from car_relapse.population import Population, Spread
from car_relapse.published.kimmel2021 import KimmelParameters
from car_relapse.survival import relapse_probabilities
from car_relapse.therapy import Therapy

KILLING = Killing(maximal_rate=1.15, half_level=3000.0)
TABLE = TableExposure(
    days=(0, 3, 10, 21, 40, 90, 180), levels=(50, 500, 12000, 6000, 3000, 900, 300), after="decline"
)
TWICE = SummedExposure(
    parts=(stein_typical(), DelayedExposure(exposure=stein_typical(), delay=100.0))
)
KIMMEL = KimmelPopulation(car_start=0.5, normal_start=0.4, car_boost=0.1, car_capacity=0.2)
BLINATUMOMAB = EngagerPopulation(
    exposure=blinatumomab_exposure(cycles=4), clearance=0.4, central_volume=0.2, dose=0.2
)
CURVES = {
    "table": (ScaledPopulation(exposure=TABLE, level_log_sd=0.8, stretch_log_sd=0.2), KILLING),
    "table that ends": (replace(TABLE, after="zero"), LinearKilling(rate_per_level=3e-4)),
    "Kimmel": (KIMMEL, kimmel_killing(KimmelParameters())),
    "engager": (BLINATUMOMAB, Killing(maximal_rate=1.0, half_level=0.6)),
    "two infusions": (ScaledPopulation(exposure=TWICE, level_log_sd=0.5), KILLING),
    "Stein": (
        ScaledPopulation(exposure=stein_typical(), level_log_sd=0.5),
        Killing(maximal_rate=4.0, half_level=3000.0),
    ),
}
LOSSES = (
    Losses(per_antigen=(1e-12,), common_mode=3e-13),
    Losses(per_antigen=(1e-7, 3e-7), common_mode=1e-12, shared_defect=1e-12),
    Losses(per_antigen=(1e-6, 2e-6, 3e-6), common_mode=1e-13),
)


def people(exposures, killing=KILLING, losses=LOSSES[0], burden=0.5, **changes) -> Population:
    return Population(
        leukaemia=Leukaemia(birth_rate=0.2, death_rate=0.1, burden=1e10),
        burden_log10_sd=burden,
        losses=losses,
        exposures=exposures,
        killing=killing,
        detection=Detection(remission_cells=1e9, relapse_cells=1e11),
        **changes,
    )


@pytest.mark.parametrize("losses", LOSSES, ids=["k=1", "k=2", "k=3"])
@pytest.mark.parametrize("curve", CURVES)
def test_expected_lines_are_those_of_the_backward_equations(curve, losses):
    exposures, killing = CURVES[curve]
    population = people(exposures, killing, losses)
    cohort = simulate_range(population, 0, BLOCK, seed=71)
    block, _ = population.sample(BLOCK, stream(71, 0))
    assert not one_peak(block.curve)
    # One antigen is a matter of quadrature; with several the engine is right to the order u b t.
    close = 1e-5 if losses.antigens == 1 else 1e-3
    compared = 0
    for i in range(0, BLOCK, 16):
        patient = Patient(
            leukaemia=replace(population.leukaemia, burden=float(block.burden[i])),
            losses=losses,
            therapy=Therapy(exposure=one_exposure(block.curve, i), killing=killing),
        )
        fate = relapse_probabilities(patient)
        assert cohort.positive_lines[i] == pytest.approx(fate.positive_lines, rel=close, abs=1e-12)
        if losses.antigens > 1 and fate.positive_lines > 1:
            continue  # short-lived lines then matter among the few that leave no target
        compared += 1
        before = fate.preexisting_lines - fate.shared_lines
        assert cohort.preexisting_lines[i] == pytest.approx(before, rel=close)
        later = fate.acquired_lines + fate.completed_lines
        assert cohort.acquired_lines[i] == pytest.approx(later, rel=close)
        assert cohort.cure_probability[i] == pytest.approx(fate.cure, rel=close, abs=1e-6)
    assert compared >= 3


@pytest.mark.parametrize("curve", ["table", "Kimmel", "engager", "two infusions"])
def test_cures_are_as_many_as_the_exact_probabilities_say(curve):
    exposures, killing = CURVES[curve]
    cohort = simulate(people(exposures, killing, LOSSES[1], burden=0.2), 20 * BLOCK, seed=72)
    p = cohort.cure_probability
    cured = (cohort.outcome == Outcome.CURED).sum()
    never = (cohort.outcome == Outcome.NO_REMISSION).sum()
    assert 0.05 < p.mean() < 0.95
    again = ((cohort.relapse_day < 100) & (cohort.relapse_day > 0)).sum()
    assert abs(cured - p.sum()) < 4 * np.sqrt((p * (1 - p)).sum()) + never + again
    assert never + again < 0.03 * cohort.size


def test_a_stein_curve_given_as_any_curve_makes_the_cohort_of_the_fast_path():
    fast = people(stein_typical(), losses=LOSSES[1])
    slow = people(ScaledPopulation(exposure=stein_typical()), losses=LOSSES[1])
    one, two = (simulate(p, 40 * BLOCK, seed) for p, seed in ((fast, 73), (slow, 74)))
    days = [100.0, 200.0, 300.0, 400.0, 600.0]
    for outcome in Outcome:
        a, b = (c.cumulative_incidence(outcome, days) for c in (one, two))
        assert np.all(np.abs(a - b) < 4 * np.sqrt((a * (1 - a) + b * (1 - b) + 1e-4) / one.size))
    # What is not random is the same.
    assert np.median(one.positive_lines / one.burden) == pytest.approx(
        np.median(two.positive_lines / two.burden), rel=1e-4
    )


def test_effects_of_curves_are_correlated_as_asked():
    spread = Spread(
        killing=0.3,
        loss=0.4,
        correlation=(
            ("peak_level", "burden", -0.5), ("contraction_rate", "killing", 0.4),
            ("peak_level", "contraction_rate", 0.3), ("memory_rate", "loss 1", -0.7),
        ),
    )  # fmt: skip
    population = replace(default_population(), spread=spread)
    block, _ = population.sample(20_000, np.random.default_rng(61))
    curve = block.curve
    seen = np.corrcoef(
        np.log([
            curve.peak_level, block.burden, curve.contraction_rate, block.killing.maximal_rate,
            curve.memory_rate, block.per_antigen[0], curve.peak_day,
        ])
    )  # fmt: skip
    wanted = np.eye(7)
    for i, j, value in ((0, 1, -0.5), (2, 3, 0.4), (0, 2, 0.3), (4, 5, -0.7)):
        wanted[i, j] = wanted[j, i] = value
    # The truncation of impossible curves shifts the fourth decimal.
    assert seen == pytest.approx(wanted, abs=4 / np.sqrt(20_000) + 0.002)
    sds = dict(stein_population().effects)
    for name in ("peak_level", "contraction_rate"):
        logs = np.log(getattr(curve, name))
        assert logs.std() == pytest.approx(sds[name], rel=0.03)
        assert logs.mean() == pytest.approx(np.log(getattr(stein_typical(), name)), abs=0.03)
    assert curve.fold.min() > 1
    assert curve.memory_fraction.max() < 1


@pytest.mark.parametrize(
    ("exposures", "effect", "value"),
    [
        (KIMMEL, "car_start", lambda c: c.parameters["car_start"]),
        (BLINATUMOMAB, "clearance", lambda c: [e.kinetics.clearance for e in c.exposures]),
        (CURVES["table"][0], "level", lambda c: c.factor),
    ],
)
def test_effects_of_every_sampler_can_be_correlated(exposures, effect, value):
    spread = Spread(birth_rate=0.1, correlation=((effect, "birth_rate", 0.8),))
    block, _ = people(exposures, spread=spread).sample(1000, np.random.default_rng(62))
    seen = np.corrcoef(np.log(value(block.curve)), np.log(block.birth_rate))[0, 1]
    assert seen == pytest.approx(0.8, abs=4 * 0.36 / np.sqrt(1000))


def test_without_correlated_curves_no_bit_changes():
    plain = replace(default_population(), spread=Spread(killing=0.3))
    none = replace(plain, spread=Spread(killing=0.3, correlation=(("burden", "killing", 0.0),)))
    curves = [p.sample(5, np.random.default_rng(3))[0].curve for p in (plain, none)]
    assert np.array_equal(curves[0].peak_level, curves[1].peak_level)
    assert np.array_equal(
        curves[0].peak_level, stein_population().sample(5, np.random.default_rng(3)).peak_level
    )


def test_curves_of_kimmel_solved_together_are_those_solved_alone():
    curves = KIMMEL.sample(6, np.random.default_rng(4))
    day = np.array([0.0, 3.0, 9.0, 30.0, 200.0, 3000.0])
    levels = curves.log_level(np.repeat(day[:, None], 6, axis=1))
    last = curves.last_day_above(np.array([0.1, 0.5, 1.0, 1e-9, 30.0, 1e4]))
    for i, level in enumerate((0.1, 0.5, 1.0, 1e-9, 30.0, 1e4)):
        one = one_exposure(curves, i)
        assert levels[:, i] == pytest.approx(one.log_level(day), rel=1e-7, abs=1e-7)
        assert last[i] == pytest.approx(float(one.last_day_above(level)), rel=1e-6)
    cells = replace(KIMMEL, exposure=replace(KIMMEL.exposure, unit="cells"))
    ratio = cells.sample(6, np.random.default_rng(4)).level(9.0) / curves.level(9.0)
    assert ratio == pytest.approx(np.full(6, 5e8))


def test_capacities_above_that_of_normal_t_cells_are_drawn_again():
    wide = KimmelPopulation(car_capacity=2.0)
    assert wide.sample(200, np.random.default_rng(5)).parameters["car_capacity"].max() < 500


def test_engagers_differ_in_uptake_and_through_the_hook():
    drug = elranatamab_exposure(weeks=4)
    law = TrimerLaw(cd3_constant=20.0, antigen_constant=0.5)
    trimers = EngagerPopulation(
        exposure=TrimerExposure(drug=drug, law=law), absorption_rate=0.5, clearance=0.3
    )
    curves = trimers.sample(3, np.random.default_rng(6))
    kinetics = [curve.drug.kinetics for curve in curves.exposures]
    assert len({k.absorption_rate for k in kinetics}) == len({k.clearance for k in kinetics}) == 3
    assert np.all(curves.level(20.0) <= 1.0)
    one = curves.exposures[1]
    assert curves.level([[5.0], [9.0]])[:, 1] == pytest.approx(one.level([5.0, 9.0]))
    last = curves.last_day_above(0.3)
    assert last[1] == pytest.approx(float(one.last_day_above(0.3)))


def test_a_stretched_curve_is_the_curve_later():
    late = StretchedExposure(exposure=TABLE, factor=2.0)
    assert late.kinks == tuple(2.0 * d for d in TABLE.kinks)
    assert late.level([6.0, 80.0]) == pytest.approx(TABLE.level([3.0, 40.0]))
    assert float(late.last_day_above(900.0)) == pytest.approx(180.0)
    curves = ScaledPopulation(exposure=TABLE, level_log_sd=0.4, stretch_log_sd=0.3).sample(
        3, np.random.default_rng(7)
    )
    one = one_exposure(curves, 2)
    assert curves.level(33.0)[2] == pytest.approx(float(one.level(33.0)))
    assert curves.last_day_above(500.0)[2] == pytest.approx(float(one.last_day_above(500.0)))


def test_corners_of_unequal_schedules_are_padded():
    short, long = (elranatamab_exposure(weeks=w) for w in (2, 4))
    corners = CurveList(exposures=(short, long)).corners
    assert corners.shape[1] == 2
    assert corners[-1].tolist() == [short.kinks[-1], long.kinks[-1]]
    assert np.all(np.diff(corners, axis=0) >= 0)


@dataclass(frozen=True)
class Bare:
    """A sampler whose curves say too little."""

    def sample(self, n, rng):
        return "curves"


@dataclass(frozen=True)
class Twice(ScaledPopulation):
    """A sampler with an effect that the population has as well."""

    @property
    def effects(self):
        return {"killing": 0.1, "level": 0.1}


THERAPY = typical_patient().therapy


@pytest.mark.parametrize(
    ("call", "shown", "remedy"),
    [
        (lambda: people(THERAPY), "exposures is Therapy", "simulate courses of several products"),
        (lambda: people((THERAPY, THERAPY)), "takes one product", "course_cohort"),
        (lambda: people(None), "exposures is None", "give one"),
        (lambda: simulate(people(Bare()), 5, 1), "drew 'curves'", "draw a .*CurveList"),
        (
            lambda: people(stein_population(), spread=Spread(correlation=(("peak", "fold", 1.0),))),
            "correlation names 'peak'; .*peak_level",
            "choose two",
        ),
        (
            lambda: people(TABLE, spread=Spread(correlation=(("level", "burden", 0.5),))),
            "'level', which does not differ",
            "give it a spread",
        ),
        (
            lambda: people(
                Twice(exposure=TABLE), spread=Spread(correlation=(("level", "burden", 0.5),))
            ),
            "effects called killing",
            "rename",
        ),
        (lambda: ScaledPopulation(exposure="x"), "exposure is 'x'", "give one"),
        (lambda: ScaledPopulation(exposure=TABLE, level_log_sd=-1), "level_log_sd is -1", "0 mean"),
        (lambda: KimmelPopulation(car_rate=11.0), "car_rate is 11", "0 means"),
        (lambda: EngagerPopulation(exposure=TABLE), "must be an EngagerExposure", "ScaledPop"),
        (
            lambda: EngagerPopulation(exposure=blinatumomab_exposure(), absorption_rate=0.1),
            "absorption_rate is 0.1",
            "leave it out",
        ),
        (lambda: KimmelPopulation(exposure=TABLE), "exposure is Table", "give KimmelExposure"),
        (lambda: KimmelPopulation(car_start=-1), "car_start is -1", "0 means no"),
        (lambda: CurveList(exposures=()), r"exposures is \(\)", "at least one"),
        (lambda: one_exposure("x", 0), "curves is 'x'", "add it"),
        (
            lambda: simulate(people(replace(TABLE, after="constant")), 5, 1),
            "after='constant' holds",
            "choose",
        ),
    ],
)
def test_what_cannot_be_followed_is_refused(call, shown, remedy):
    with pytest.raises(ParameterError, match=f"(?s){shown}.*{remedy}"):
        call()


def test_a_relapse_that_a_later_dose_clears_is_one_all_the_same():
    late = SummedExposure(
        parts=(stein_typical(), DelayedExposure(exposure=stein_typical(), delay=400.0))
    )
    weak = people(late, killing=Killing(maximal_rate=0.5, half_level=3000.0), burden=0.0)
    once = replace(weak, exposures=ScaledPopulation(exposure=stein_typical()))
    two, one = (simulate(p, 500, 1) for p in (weak, once))
    assert np.median(one.relapse_day) < 300
    same = one.relapse_day < 400
    assert same.mean() > 0.9
    assert two.relapse_day[same] == pytest.approx(one.relapse_day[same], rel=0.02)


def test_a_return_that_chance_decides_is_refused():
    day = np.array([[0.0], [50.0], [90.0]])
    late, reached = np.zeros((3, 1)), np.array([[False], [True], [True]])

    def returns(nadir, alike=True):
        cleared = np.array([[1e9], [nadir], [1e11]])
        return _returns(day, late, cleared, reached, 1e10, alike)

    who, when = returns(1e6)
    assert who.all()
    assert when[0] == pytest.approx(50.0 + 40.0 * 4 / 5)
    assert not returns(1e-4)[0].any()
    for nadir, alike in ((1.0, True), (1e6, False)):
        with pytest.raises(ParameterError, match=r"between two doses .* simulate courses"):
            returns(nadir, alike)


def test_killing_that_stays_just_below_growth_for_ever_is_refused():
    flat = TableExposure(days=(0, 1, 2), levels=(200, 100, 100), after="constant")
    law = LinearKilling(rate_per_level=(0.2 - 0.1) / 100 * (1 - 1e-16))
    with pytest.raises(ParameterError, match=r"no last day above|for ever"):
        simulate(people(flat, killing=law), 5, 1)
