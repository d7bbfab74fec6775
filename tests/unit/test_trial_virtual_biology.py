"""Biologies: incidences and hazards are two statements of one thing, whatever the shapes."""

from __future__ import annotations

import math
import pickle
from dataclasses import replace

import numpy as np
import pytest
from scipy.integrate import quad

from car_relapse import Losses, Outcome, ParameterError, Scenario, default_population
from car_relapse.cohort import simulate
from car_relapse.followup import DAYS_PER_MONTH, Cause
from car_relapse.trial.virtual import (
    Biology,
    Constant,
    Decay,
    Frailty,
    Hazard,
    Piecewise,
    Shape,
    Weibull,
    biology_of,
    from_cohort,
)

NEGATIVE, POSITIVE, DEATH = Cause.ANTIGEN_NEGATIVE, Cause.ANTIGEN_POSITIVE, Cause.DEATH
CONTROL = {NEGATIVE: 0.25, POSITIVE: 0.20, DEATH: 0.05}
SHAPES: tuple[Shape, ...] = (
    Constant(),
    Decay(8),
    Weibull(0.5),
    Weibull(3.0),
    Piecewise((0.0, 3.0, 12.0, math.inf), (2.0, 0.0, 1.0)),
    Piecewise((0.0, 24.0), (1.0,)),
)
MIXED = {NEGATIVE: Decay(12), POSITIVE: Weibull(0.7), DEATH: Piecewise((0, 6, 36), (3, 1))}


@pytest.mark.parametrize("shape", SHAPES, ids=repr)
def test_a_shape_and_its_inverse_undo_each_other(shape: Shape) -> None:
    times = np.linspace(0.0, 24.0, 97)
    w = shape.cumulative(times)
    assert w[0] == 0.0
    assert np.all(np.diff(w) >= 0.0)
    back = shape.inverse(w)
    np.testing.assert_allclose(shape.cumulative(np.minimum(back, 24.0)), w, rtol=1e-12, atol=1e-15)
    rising = np.append(np.diff(w) > 0, True) & np.append(True, np.diff(w) > 0)
    np.testing.assert_allclose(back[rising], times[rising], rtol=1e-12, atol=1e-12)
    assert pickle.loads(pickle.dumps(shape)) == shape


def test_what_a_decaying_or_known_hazard_never_reaches_is_infinite() -> None:
    assert np.isinf(Decay(8).inverse([8.0, 9.0])).all()
    assert np.isinf(Piecewise((0, 24), (1,)).inverse([24.1])).all()
    assert Piecewise((0, 6, math.inf), (1, 0.5)).inverse([8.0]).tolist() == [10.0]
    with pytest.raises(ParameterError, match="known until month 24 only"):
        Piecewise((0, 24), (1,)).cumulative([25])


@pytest.mark.parametrize("shape", SHAPES, ids=repr)
def test_one_shape_has_the_closed_form(shape: Shape) -> None:
    found = Biology.from_incidences(CONTROL, shape=shape, horizon=24)
    expected = [f / 0.5 * -math.log(0.5) for f in CONTROL.values()]
    np.testing.assert_allclose([h.cumulative for h in found.hazards], expected, rtol=1e-12)
    np.testing.assert_allclose(found.incidence(24), list(CONTROL.values()), rtol=1e-10)


def test_shapes_of_their_own_give_the_incidences_that_were_asked_for() -> None:
    found = Biology.from_incidences(CONTROL, shape=MIXED, horizon=24)
    np.testing.assert_allclose(found.incidence(24), list(CONTROL.values()), rtol=1e-9)
    hazard, scale = MIXED[NEGATIVE], found.scales[0]
    # The definition, by a quadrature of its own.
    whole, _ = quad(
        lambda t: scale * math.exp(-t / 12) * math.exp(-found.cumulative_hazard(t).sum()),
        0.0, 17.0, epsabs=1e-12, points=[6.0],
    )  # fmt: skip
    assert found.incidence(17.0)[0] == pytest.approx(whole, abs=1e-8)
    assert hazard.cumulative(17.0) * scale == pytest.approx(found.cumulative_hazard(17.0)[0])


def test_incidences_and_event_free_add_up_to_one_at_every_time() -> None:
    found = Biology.from_incidences(CONTROL, shape=MIXED, horizon=24)
    t = np.linspace(0.0, 36.0, 19)
    survival = np.exp(-found.cumulative_hazard(t).sum(axis=0))
    np.testing.assert_allclose(found.event_free(t), survival, atol=1e-9)
    assert found.incidence(np.array([[1.0, 2.0], [3.0, 4.0]])).shape == (3, 2, 2)


def test_the_restricted_mean_is_the_area_under_the_curve() -> None:
    constant = Biology.from_hazards({DEATH: 1.2}, shape=Constant(), horizon=12)
    assert constant.restricted_mean(12) == pytest.approx(-math.expm1(-1.2) / 0.1, rel=1e-10)
    found = Biology.from_incidences(CONTROL, shape=MIXED, horizon=24)
    grid = np.linspace(0.0, 24.0, 20_001)
    assert found.restricted_mean(24) == pytest.approx(
        np.trapezoid(found.event_free(grid), grid), abs=1e-5
    )


def test_reaching_one_incidence_leaves_the_other_hazards_and_moves_their_incidences() -> None:
    control = Biology.from_incidences(CONTROL, shape=Decay(8), horizon=24)
    dual = control.reaching({NEGATIVE: 0.10})
    assert [h.cumulative for h in dual.hazards[1:]] == [h.cumulative for h in control.hazards[1:]]
    # The table of the design question: escape blocked, other hazards unchanged.
    np.testing.assert_allclose(dual.incidence(24), [0.10, 0.2210095119, 0.05525237798], rtol=1e-8)
    assert dual.hazards[0].cumulative == pytest.approx(0.1254511038, rel=1e-8)
    mirage = control.multiplied({POSITIVE: 2.5})
    assert mirage.incidence(24)[0] < 0.25
    none = control.reaching({NEGATIVE: 0.0})
    assert none.hazards[0].cumulative == 0.0
    assert none.incidence(24)[0] == 0.0


def test_records_state_both() -> None:
    rows = Biology.from_incidences(CONTROL, shape=Decay(8), horizon=24).records()
    assert [r["cause"] for r in rows] == ["ANTIGEN_NEGATIVE", "ANTIGEN_POSITIVE", "DEATH"]
    assert sum(float(r["cumulative_hazard"]) for r in rows) == pytest.approx(math.log(2))
    assert sum(float(r["incidence"]) for r in rows) == pytest.approx(0.5)


def test_frailty_lowers_the_incidence_that_a_hazard_of_mean_one_gives() -> None:
    control = Biology.from_incidences(CONTROL, shape=Decay(8), horizon=24)
    frail = replace(control, frailty=Frailty(cause=POSITIVE, log_sd=0.8))
    rng = np.random.default_rng(1)
    factor = np.exp(0.8 * rng.standard_normal(200_000) - 0.32)
    a = control.cumulative_hazard(24)
    total = a[0] + a[2] + factor * a[1]
    expected = np.mean(factor * a[1] / total * -np.expm1(-total))
    assert frail.incidence(24)[1] == pytest.approx(expected, abs=4 * 0.17 / math.sqrt(200_000))
    assert frail.incidence(24)[1] < 0.20
    assert frail.incidence(24)[0] > 0.25


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Decay(0), "months is 0"),
        (lambda: Weibull(30), r"power is 30; it must lie in \[0.05, 20\]"),
        (lambda: Piecewise((0, 1), (1, 2)), "each interval has one rate"),
        (lambda: Piecewise((1, 2), (1,)), "must begin at 0 and ascend"),
        (lambda: Piecewise([0, 1], (1,)), "breaks is a list; it must be a tuple"),  # type: ignore[arg-type]
        (lambda: Hazard(cause=Cause.TRANSPLANT, shape=Constant(), cumulative=1), "TRANSPLANT"),
        (lambda: Hazard(cause=DEATH, shape=7, cumulative=1), "shape is 7"),  # type: ignore[arg-type]
        (
            lambda: Biology.from_incidences(
                {NEGATIVE: 0.6, DEATH: 0.4}, shape=Constant(), horizon=24
            ),
            "add up to 1; their sum must be below 1",
        ),
        (
            lambda: Biology.from_incidences(CONTROL, shape={DEATH: Constant()}, horizon=24),
            "shape names no",
        ),
        (
            lambda: Biology.from_incidences(CONTROL, shape=Piecewise((0, 12), (1,)), horizon=24),
            "known until month 12 only",
        ),
        (
            # All early events come first, so late ones cannot take so many.
            lambda: Biology.from_hazards(
                {NEGATIVE: 3.0, POSITIVE: 0.1},
                shape={NEGATIVE: Weibull(0.2), POSITIVE: Weibull(10)},
                horizon=24,
            ).reaching({POSITIVE: 0.9}),
            "cannot be reached",
        ),
        (lambda: Frailty(cause=DEATH, log_sd=4), "log_sd is 4"),
        (
            lambda: Biology.from_hazards({DEATH: 1}, shape=Constant(), horizon=24).reaching(
                {NEGATIVE: 0.1}
            ),
            "this biology has DEATH",
        ),
    ],
)
def test_errors_name_value_rule_and_remedy(make: object, words: str) -> None:
    with pytest.raises(ParameterError, match=words):
        make()  # type: ignore[operator]


def test_the_engine_gives_each_cause_the_share_that_it_took_in_the_cohort() -> None:
    cohort = simulate(default_population(), 3000, seed=5)
    death = Hazard(cause=DEATH, shape=Constant(), cumulative=0.1)
    arm = from_cohort(cohort, horizon=24)
    responders = cohort.outcome != Outcome.NO_REMISSION
    assert arm.response == pytest.approx(responders.mean())
    for month in (6.0, 12.0, 24.0):
        found = dict(zip(arm.biology.causes, arm.biology.incidence(month), strict=True))
        for kind in (Outcome.ANTIGEN_NEGATIVE, Outcome.ANTIGEN_POSITIVE):
            hit = (cohort.outcome == kind) & (cohort.relapse_day / DAYS_PER_MONTH <= month)
            assert found[Cause[kind.name]] == pytest.approx(hit.sum() / responders.sum(), abs=1e-6)
    with_death = from_cohort(cohort, horizon=24, death=death)
    assert with_death.biology.causes[-1] is DEATH
    assert with_death.biology.incidence(24)[0] < arm.biology.incidence(24)[0]
    np.testing.assert_array_equal(
        with_death.biology.cumulative_hazard(24)[:-1], arm.biology.cumulative_hazard(24)
    )


def test_a_second_target_lowers_the_hazard_of_escape_by_the_mechanism() -> None:
    two = Scenario(
        name="two targets",
        construct="tandem",
        antigens=("CD19", "CD22"),
        losses=Losses(per_antigen=(1e-12, 1e-12), common_mode=1e-13),
    )
    one, both = (biology_of(s, horizon=24, patients=3000, seed=2) for s in (Scenario(), two))
    escape = dict(zip(one.biology.causes, one.biology.incidence(24), strict=True))
    assert escape[NEGATIVE] > 0.15
    assert NEGATIVE not in both.biology.causes
    # Blocked escape leaves more patients at risk of the other relapse, at the same hazard.
    other = dict(zip(both.biology.causes, both.biology.incidence(24), strict=True))
    assert other[POSITIVE] > escape[POSITIVE] + 2 * one.incidence_error(24)[1]


def test_engine_links_that_say_nothing_are_refused() -> None:
    cohort = simulate(default_population(), 200, seed=5)
    with pytest.raises(ParameterError, match="must be one of DEATH"):
        from_cohort(
            cohort, horizon=24, death=Hazard(cause=NEGATIVE, shape=Constant(), cumulative=0.1)
        )
    with pytest.raises(ParameterError, match="some must relapse and some must not"):
        from_cohort(cohort, horizon=0.01)
    with pytest.raises(ParameterError, match="give a Scenario or a Population"):
        biology_of("CD19", horizon=24, seed=1)  # type: ignore[arg-type]
    never = replace(cohort, outcome=np.full(cohort.size, Outcome.NO_REMISSION, dtype=np.int8))
    with pytest.raises(ParameterError, match="nobody in remission"):
        from_cohort(never, horizon=24)
