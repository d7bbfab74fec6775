"""Take-aways of the notebook *Who relapses one way cannot relapse the other way first*."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from car_relapse.evidence import landmarks, seed_trials
from car_relapse.followup import Cause
from car_relapse.trial import virtual
from car_relapse.trial.competing_risks import cif, naive_cif, survival
from car_relapse.trial.example_trials import ExampleTrial, example_trial
from tests.claims.registry import data_claim

FAR = 4.0  # Monte Carlo standard errors
CONTROL = virtual.Biology.from_incidences(
    {Cause.ANTIGEN_NEGATIVE: 0.25, Cause.ANTIGEN_POSITIVE: 0.20, Cause.DEATH: 0.05},
    shape=virtual.Decay(8.0),
    horizon=24.0,
)


def _both(trial: ExampleTrial, month: float) -> Mapping[str, np.ndarray]:
    """Return event-free survival with the incidences of all causes, by either estimate."""
    data = (trial.time, trial.cause, trial.group)
    free = np.array([row.estimate for row in survival(*data, times=month)])
    return {
        name: free
        + sum(
            np.array([row.estimate for row in curve(*data, of=k, times=month)]) for k in (1, 2, 3)
        )
        for name, curve in (("right", cif), ("naive", naive_cif))
    }


@data_claim("claim-competing-risks-sum")
def test_incidences_and_event_free_survival_add_up_to_one_and_naive_ones_to_more() -> None:
    for name in ("cr_small", "cr_200"):
        for month in (6.0, 12.0, 24.0):
            sums = _both(example_trial(name), month)
            assert np.allclose(sums["right"], 1.0, rtol=0, atol=1e-12)
            assert (sums["naive"] > 1.01).all()


@data_claim("claim-competing-risks-other-rises")
def test_less_escape_raises_antigen_positive_relapse_at_the_same_hazard() -> None:
    for escape in (0.20, 0.10, 0.01):
        dual = CONTROL.reaching({Cause.ANTIGEN_NEGATIVE: escape})
        same = [h.cumulative for h in CONTROL.hazards][1:]
        assert [h.cumulative for h in dual.hazards][1:] == same
        assert dual.incidence(24.0)[1] > CONTROL.incidence(24.0)[1]


@data_claim("claim-competing-risks-gray")
def test_only_gray_rejects_too_often_when_only_the_other_cause_moves() -> None:
    worse = CONTROL.multiplied({Cause.ANTIGEN_POSITIVE: 2.5})
    design = virtual.Trial(
        arms=(virtual.Arm(name="one", biology=CONTROL), virtual.Arm(name="two", biology=worse)),
        patients=200,
        follow_up=24.0,
    )
    own = (Cause.ANTIGEN_NEGATIVE,)
    kinds: tuple[virtual.Kind, ...] = ("gray", "log-rank")
    analyses = tuple(virtual.Analysis(kind=kind, causes=own) for kind in kinds)
    (gray, hazard), _ = (a[0] for a in virtual.run(design, analyses, 4000, seed=1).rejected())
    error = math.sqrt(0.05 * 0.95 / 4000)
    assert abs(hazard - 0.05) < FAR * error
    assert gray > 0.05 + 2 * FAR * error


@data_claim("claim-competing-risks-variance")
def test_two_variances_differ_by_per_cents_in_a_dozen_and_by_one_in_a_hundred() -> None:
    def apart(name: str) -> list[float]:
        trial = example_trial(name)
        data = (trial.time, trial.cause, trial.group)
        pairs = [
            [cif(*data, of=k, times=24.0, variance=rule) for rule in ("jackknife", "cmprsk")]
            for k in (1, 2, 3)
        ]
        return [
            second.std_error / first.std_error - 1
            for a, b in pairs
            for first, second in zip(a, b, strict=True)
        ]

    assert all(0.05 < gap < 0.20 for gap in apart("cr_small"))
    assert all(0.005 < gap < 0.015 for gap in apart("cr_200"))


@data_claim("claim-competing-risks-six-trials")
def test_no_landmark_of_the_six_trials_is_an_incidence_of_relapse() -> None:
    keys = {row.key for rows in seed_trials().values() for row in rows}
    mine = [row for row in landmarks() if row.trial_key in keys]
    assert mine
    assert not [row for row in mine if row.endpoint in ("CIR", "NRM")]
