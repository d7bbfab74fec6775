"""How the fuzz draws what virtual trials are asked; `rules` collects it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, get_args

import numpy as np

from car_relapse.followup import Cause
from car_relapse.scenario import Scenario
from car_relapse.trial import virtual

from .builders import cohort
from .draws import Context, Draw, between, maybe, one_of, row, whole

_CAUSES = (Cause.ANTIGEN_NEGATIVE, Cause.ANTIGEN_POSITIVE, Cause.DEATH)
_months = between(0.01, 1e4, 24.0)


def _shape(c: Context) -> Any:
    return c.pick(
        virtual.Constant(),
        virtual.Decay(c.log_uniform(0.1, 1e4)),
        virtual.Weibull(c.log_uniform(0.2, 10.0)),
        virtual.Piecewise((0.0, 3.0, np.inf), (1.0, float(c.pick(0.5, 1.0)))),
    )


def _piecewise(c: Context) -> dict[str, Any]:
    n = int(c.rng.integers(1, 5))
    breaks = (0.0, *np.cumsum(c.rng.exponential(6.0, n)).tolist())
    rates = [float(c.pick(0.0, c.log_uniform(1e-6, 1e3))) for _ in range(n)]
    rates[int(c.rng.integers(n))] = 1.0
    return {"breaks": breaks, "rates": tuple(rates)}


def _shares(c: Context) -> dict[Cause, float]:
    total = float(c.pick(1e-9, 0.5, 0.99, c.rng.random() * 0.95 + 1e-6))
    parts = c.rng.dirichlet([1.0, 1.0, 1.0]) * total
    return dict(zip(_CAUSES, (float(p) for p in parts), strict=True))


def _one_shape(c: Context, **given: Any) -> dict[str, Any]:
    return given | {"shape": _shape(c), "horizon": c.log_uniform(1.0, 60.0)}


def _biology(c: Context) -> Any:
    return virtual.Biology.from_incidences(**_one_shape(c, incidences=_shares(c)))


def _hazards(c: Context) -> dict[str, Any]:
    drawn = _biology(c)
    frailty = virtual.Frailty(cause=c.pick(*_CAUSES), log_sd=c.log_uniform(1e-3, 3.0))
    return {"hazards": drawn.hazards, "horizon": drawn.horizon, "frailty": c.pick(None, frailty)}


def _policy(c: Context) -> dict[str, Any]:
    first = float(c.pick(0.0, 2.0, 100.0))
    return {
        "share": float(c.pick(0.0, 1.0, c.rng.random())),
        "first": first,
        "last": first + c.log_uniform(0.1, 12.0),
        "relapse_ratio": float(c.pick(0.0, 0.3, 1.0, 20.0)),
        "mortality": float(c.pick(0.0, 1.0, c.rng.random())),
        "mortality_months": c.log_uniform(0.1, 24.0),
    }


def _arm(c: Context) -> dict[str, Any]:
    policy = virtual.TransplantPolicy(**_policy(c))
    return {
        "name": c.pick("one", "two", "three"),
        "biology": _biology(c),
        "response": float(c.pick(1.0, 0.5, 1e-3)),
        "transplant": c.pick(None, policy),
        "untested": float(c.pick(0.0, 1.0, c.rng.random())),
        "visits": c.pick(None, (1.0, 3.0, 6.0)),
        "allocation": c.log_uniform(1e-3, 1e3),
    }


def _trial(c: Context) -> dict[str, Any]:
    arms = [virtual.Arm(**_arm(c) | {"name": name}) for name in ("a", "b", "c")]
    count = int(c.pick(2, 3))
    return {
        "arms": tuple(arms[:count]),
        "patients": int(c.rng.integers(2 * count, 60)),
        "follow_up": c.log_uniform(1.0, 120.0),
        "accrual": float(c.pick(0.0, 24.0)),
        "longest": c.pick(None, 24.0),
        "lost_per_year": float(c.pick(0.0, 0.05, 0.999)),
        "untested_as": c.pick("positive", "dropped"),
    }


def _a_trial(c: Context) -> Any:
    return virtual.Trial(**_trial(c))


def _analysis(c: Context) -> dict[str, Any]:
    kind = c.pick("log-rank", "early log-rank", "gray", "incidence", "restricted mean", "share")
    causes = (Cause.ANTIGEN_NEGATIVE,)
    if kind in ("log-rank", "early log-rank", "incidence"):
        causes = c.pick(None, causes, _CAUSES[:2])
    if kind == "restricted mean":
        causes = None
    return {
        "kind": kind,
        "causes": causes,
        "month": 6.0 if kind in ("incidence", "restricted mean") else None,
        "estimand": c.pick("policy", "composite", "hypothetical", "without"),
        "among": c.pick("all", "responders"),
    }


def _run(c: Context) -> Any:
    tests = tuple(virtual.Analysis(**_analysis(c)) for _ in range(2))
    return virtual.run(_a_trial(c), tests, 20, seed=int(c.rng.integers(99)))


def _clear_trial(c: Context) -> Any:
    """Draw a trial in which the arms differ."""
    one = virtual.Biology.from_incidences(
        {Cause.ANTIGEN_NEGATIVE: 0.4, Cause.DEATH: 0.05}, shape=_shape(c), horizon=24
    )
    two = one.reaching({Cause.ANTIGEN_NEGATIVE: float(c.pick(0.0, 0.1, 0.15))})
    arms = (virtual.Arm(name="one", biology=one), virtual.Arm(name="two", biology=two))
    return virtual.Trial(arms=arms, patients=60, follow_up=24.0)


def _transplants(c: Context) -> dict[str, Any]:
    shape = (int(c.rng.integers(1, 4)), int(c.rng.integers(1, 30)))
    how = c.pick("ever", "landmark", "time-dependent")
    month = c.rng.exponential(6.0, shape)
    month[c.rng.random(shape) < 0.5] = np.inf
    return {
        "time": c.rng.exponential(12.0, shape),
        "event": c.rng.random(shape) < 0.7,
        "transplant": month,
        "comparison": how,
        "landmark": 3.0 if how == "landmark" else None,
    }


def _source(c: Context) -> Any:
    return c.pick(Scenario(), Scenario().population())


_A = r"trial\.virtual\.\w+\."

RULES: list[tuple[str, Draw]] = [
    (_A + r"Piecewise\(\)", _piecewise),
    (_A + r"\w+\.inverse\.values", lambda c: np.array([0.0, c.log_uniform(1e-6, 10.0)])),
    (_A + r"Piecewise\.cumulative\.times", lambda c: np.array([0.0, c.log_uniform(1e-6, 1.0)])),
    (_A + r"\w+\.\w+\.times", row(_months)),
    (_A + r"Decay\.months", between(1e-3, 1e5, 8.0)),
    (_A + r"Weibull\.power", between(0.05, 20.0, 1.0)),
    (_A + r"Hazard\.cumulative", between(1e-9, 1e3, 0.0)),
    (_A + r"(Hazard|Frailty)\.cause", one_of(*_CAUSES, Cause.LINEAGE_SWITCH)),
    (_A + r"Hazard\.shape", _shape),
    (_A + r"Frailty\.log_sd", between(1e-6, 3.0)),
    (_A + r"Biology\(\)", _hazards),
    (_A + r"Biology\.reaching\.incidences", lambda c: {Cause.DEATH: float(c.rng.random() * 0.5)}),
    (
        _A + r"Biology\.multiplied\.ratios",
        lambda c: {Cause.DEATH: float(c.pick(0.0, c.log_uniform(1e-3, 1e3)))},
    ),
    (_A + r"Biology\.\w+\.month", between(0.1, 120.0, 24.0)),
    (_A + r"TransplantPolicy\(\)", _policy),
    (_A + r"Arm\(\)", _arm),
    (_A + r"Trial\(\)", _trial),
    (_A + r"Analysis\(\)", _analysis),
    (_A + r"Analysis\.truth\.trial", _a_trial),
    (_A + r"Analysis\.truth\.arm", one_of(1)),
    (_A + r"Worlds\.observed\.estimand", one_of(*get_args(virtual.Estimand))),
    (_A + r"Worlds\.observed\.rows", one_of(slice(None), slice(0, 1))),
    (_A + r"generate\.trials", whole(1, 20)),
    (_A + r"(generate|run)\.trial", _a_trial),
    (_A + r"\w+\.(scenario|block)", whole(0, 9)),
    (_A + r"run\.analyses", lambda c: (virtual.Analysis(**_analysis(c)),)),
    (_A + r"\w+\.replicates", whole(100, 150)),
    (_A + r"\w+\.chunk", one_of(None, 1, 5000)),
    (_A + r"\w+\.(client|workers)", one_of(None)),
    (_A + r"run\.progress", one_of(False)),
    (_A + r"Run\.gain\.(first|second)", one_of(0, 1)),
    (_A + r"\w+(\.\w+)?\.alpha", one_of(0.05, 0.01, 0.3)),
    (_A + r"sample_size\.trial", _clear_trial),
    (
        _A + r"sample_size\.analysis",
        lambda c: virtual.Analysis(kind="log-rank", causes=(Cause.ANTIGEN_NEGATIVE,)),
    ),
    (_A + r"sample_size\.power", one_of(0.5, 0.8, 0.95)),
    (_A + r"sample_size\.arm", one_of(1)),
    (_A + r"sample_size\.largest", one_of(200, 1000)),
    (_A + r"transplant_ratios\(\)", _transplants),
    (_A + r"\w+\.horizon", between(1.0, 60.0, 24.0)),
    (_A + r"biology_of\.source", _source),
    (_A + r"biology_of\.patients", whole(20, 200)),
    (
        _A + r"\w+\.death",
        maybe(
            lambda c: virtual.Hazard(
                cause=Cause.DEATH, shape=virtual.Constant(), cumulative=float(c.rng.random())
            )
        ),
    ),
    (_A + r"Mechanism\.incidence_error\.month", between(0.1, 12.0)),
]

RESULTS = [
    r"trial\.virtual\.(run\.(Run|Performance)|search\.SampleSize|immortal\.Ratios"
    r"|worlds\.Worlds|mechanistic\.Mechanism)",
]

PRODUCERS: dict[str, Callable[[Context], Any] | None] = {
    "trial.virtual.worlds.Worlds": lambda c: virtual.generate(_a_trial(c), 2, seed=1),
    "trial.virtual.run.Run": _run,
    "trial.virtual.mechanistic.Mechanism": lambda c: virtual.from_cohort(cohort(c), horizon=12.0),
}
