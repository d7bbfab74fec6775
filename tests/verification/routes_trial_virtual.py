"""Routes of rows on virtual trials: power, numbers of patients, transplants, immortal time.

The rows come from a simulation of their own, of 10,000 trials. Two things they do not state were
found from their values: deaths without relapse have a hazard that decays with 6 months where
relapses of the two kinds decay with 12 and 3 (or 4 and 12), and patients who are chosen for
transplant by risk have half as many transplants again where their log-normal hazard of
antigen-positive relapse (log sd 0.8) is above its mean, and half as many where it is below.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from car_relapse.followup import Cause
from car_relapse.incidence import aalen_johansen
from car_relapse.trial.sample_size import dual_biologies
from car_relapse.trial.virtual import (
    Analysis,
    Arm,
    Biology,
    Constant,
    Decay,
    Estimand,
    Frailty,
    Performance,
    Shape,
    TransplantPolicy,
    Trial,
    Worlds,
    generate,
    run,
    sample_size,
    transplant_ratios,
)

from .values import Sampled

Inputs = dict[str, Any]

NEGATIVE, POSITIVE, DEATH = Cause.ANTIGEN_NEGATIVE, Cause.ANTIGEN_POSITIVE, Cause.DEATH
MONTHS = 24.0
SEED = 20_261_127

_TESTS = {
    "cs1": Analysis(kind="log-rank", causes=(NEGATIVE,)),
    "gray1": Analysis(kind="gray", causes=(NEGATIVE,)),
    "cif1": Analysis(kind="incidence", causes=(NEGATIVE,), month=MONTHS),
    "efs": Analysis(kind="log-rank"),
    "rmst": Analysis(kind="restricted mean", month=MONTHS),
    "frac": Analysis(kind="share", causes=(NEGATIVE,)),
}
_ESTIMANDS: dict[str, Estimand] = {
    "truth_noSCT": "without",
    "treatment_policy": "policy",
    "censor_at_SCT": "hypothetical",
    "SCT_competing": "competing",
}
#: What several rows share.
_KEPT: dict[Any, Any] = {}
_SHAPES: dict[str, Shape | dict[Cause, Shape]] = {
    "AgNeg late, AgPos early": {NEGATIVE: Decay(12), POSITIVE: Decay(3), DEATH: Decay(6)},
    "AgNeg early, AgPos late": {NEGATIVE: Decay(4), POSITIVE: Decay(12), DEATH: Decay(6)},
    "constant hazards": Constant(),
}


def _stated(
    shape: Shape | dict[Cause, Shape], negative: float, positive: float, death: float
) -> Biology:
    shares = {NEGATIVE: negative, POSITIVE: positive, DEATH: death}
    return Biology.from_incidences(shares, shape=shape, horizon=MONTHS)


def _arms(name: str, shape: Shape | dict[Cause, Shape]) -> tuple[Biology, Biology]:
    """Return control and dual arm of one of the scenarios S0 to S7."""
    control = _stated(shape, 0.25, 0.20, 0.05)
    return control, dual_biologies(control)[int(name[1])].experimental


def _trial(
    name: str, patients: int, shape: Shape | dict[Cause, Shape] | None = None, untested: float = 0.0
) -> Trial:
    pair = zip(("single", "dual"), _arms(name, shape or Decay(8)), strict=True)
    return Trial(
        arms=tuple(Arm(name=arm, biology=b, untested=untested) for arm, b in pair),
        patients=patients,
        follow_up=MONTHS,
        lost_per_year=0.03,
    )


def _power_table(name: str, patients: int) -> dict[str, Performance]:
    """Return the table of all tests, which the rows of one scenario and size share."""
    key = (name, patients)
    if key not in _KEPT:
        trial, number = _trial(name, patients), 1000 * int(name[1]) + patients
        found = run(trial, tuple(_TESTS.values()), 2000, seed=SEED, scenario=number).table()
        _KEPT[key] = dict(zip(_TESTS, found, strict=True))
    return _KEPT[key]


def _power(x: Inputs, _: str) -> Sampled:
    row = _power_table(x["scenario"][:2], x["N"])[x["test"]]
    return Sampled(row.rejected, row.rejected_error)


def _patients(x: Inputs, _: str) -> float:
    found = sample_size(
        _trial(x["scenario"][:2], 200),
        _TESTS[x["test"]],
        power=x["power"],
        replicates=5000,
        seed=SEED,
    )
    return found.exact


def _several(trial: Trial, tests: tuple[str, ...], replicates: int) -> Sampled:
    analyses = tuple(_TESTS[test] for test in tests)
    found = run(trial, analyses, replicates, seed=SEED).table()
    return Sampled([row.rejected for row in found], [row.rejected_error for row in found])


def _missing(x: Inputs, _: str) -> Sampled:
    trial = _trial(x["scenario"], x["N"], untested=x["missing"])
    return _several(trial, ("cs1", "gray1", "efs"), 20_000)


def _timing(x: Inputs, _: str) -> Sampled:
    trial = _trial(x["scenario"][:2], 200, _SHAPES[x["shape"]])
    found = trial.arms[1].biology.incidence(MONTHS)
    if np.any(np.abs(found - x["cif24_dual"]) > 6e-5):
        raise LookupError(f"the incidences of the dual arm are {found}, not those of the row")
    return _several(trial, ("cs1", "gray1", "efs", "rmst"), 2000)


def _worlds(arm: str, share: float, ratio: float, deaths: float, dependent: bool) -> Worlds:
    """Return the futures of half a million patients of one arm, which several rows share."""
    key = (arm, share, ratio, deaths, dependent)
    if key not in _KEPT:
        biology = _arms({"single": "S0", "dual": "S3"}[arm], Decay(8))[1]
        if dependent:
            biology = replace(biology, frailty=Frailty(cause=POSITIVE, log_sd=0.8))
        policy = TransplantPolicy(
            share=share,
            first=2,
            last=4,
            relapse_ratio=ratio,
            mortality=deaths,
            mortality_months=6,
            dependence=0.5 if dependent else 0.0,
        )
        twins = tuple(Arm(name=n, biology=biology, transplant=policy) for n in ("one", "two"))
        trial = Trial(arms=twins, patients=1000, follow_up=MONTHS)
        _KEPT[key] = generate(trial, 500, seed=SEED)
    return _KEPT[key]


def _transplants(x: Inputs, _: str) -> list[float]:
    estimand = _ESTIMANDS[x["id"].rpartition(".")[2]]
    worlds = _worlds(x["arm"], x["p_sct"], x["hr_sct"], x["nrm_sct"], x["dependent_SCT"])
    time, cause = worlds.observed(estimand)
    curves = aalen_johansen(time.ravel(), cause.ravel())
    causes = [NEGATIVE, POSITIVE, DEATH] + [Cause.TRANSPLANT] * (estimand == "competing")
    return [float(curves.at(MONTHS, int(c))) for c in causes]


def _immortal(x: Inputs, _: str) -> list[float]:
    policy = TransplantPolicy(
        share=x["p_sct"], first=2, last=6, relapse_ratio=1.0, mortality=0.0, mortality_months=1.0
    )
    control = _arms("S0", Decay(8))[0]
    twins = tuple(Arm(name=n, biology=control, transplant=policy) for n in ("one", "two"))
    trial = Trial(arms=twins, patients=x["n"], follow_up=MONTHS, lost_per_year=0.03)
    worlds = generate(trial, seed=SEED)
    time, cause = worlds.observed("policy")
    seen = (time, cause > 0, worlds.transplanted())
    return [
        transplant_ratios(*seen, "ever").mean_ratio,
        transplant_ratios(*seen, "landmark", landmark=6).mean_ratio,
        transplant_ratios(*seen, "time-dependent").mean_ratio,
    ]


ROUTES = [
    ("Q5 Monte Carlo, 10000 trials, 24-mo follow-up, 3%/yr LTFU", "rejection rate", _power),
    ("Q5 Monte Carlo N", "total N", _patients),
    ("Q5 MC: antigen status missing (recoded AgPos)", "power", _missing),
    ("Q5 MC: cause-specific timing, N=200, 10000 trials", "power", _timing),
    ("transplant estimands (n=1e6)", "CIF24", _transplants),
    ("immortal time bias (SCT has no effect)", "geometric mean HR", _immortal),
]
