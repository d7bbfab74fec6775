"""How the fuzz draws what curves and tests of one trial are asked; `rules` collects it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from car_relapse.trial.competing_risks import risk_sets

from .draws import Context, Draw, one_of, part


def _trial(c: Context) -> dict[str, Any]:
    """Draw a trial of two groups, with or without ties, in which something happens early."""
    n = int(c.rng.integers(4, 40))
    time = c.rng.exponential(c.log_uniform(1e-3, 1e3), n)
    if c.rng.random() < 0.4:
        time = np.ceil(time)
    cause = c.rng.integers(0, 3, n)
    cause[np.argsort(time)[:2]] = 1
    return {"time": time, "cause": cause, "group": np.arange(n) % 2}


def _when(drawn: dict[str, Any]) -> float:
    """Return a time to which both groups were followed."""
    return min(float(drawn["time"][drawn["group"] == g].max()) for g in (0, 1))


def _curve(of: bool) -> Draw:
    def draw(c: Context) -> dict[str, Any]:
        drawn = _trial(c)
        drawn["times"] = c.pick(0.0, _when(drawn), np.array([0.0, 0.5, 1.0]) * _when(drawn))
        if of:
            drawn["of"] = c.pick(1, 2, 3)
        if c.rng.random() < 0.3:
            drawn["level"] = part(c)
        return drawn

    return draw


def _cif(c: Context) -> dict[str, Any]:
    return _curve(True)(c) | {"variance": c.pick("jackknife", "cmprsk")}


def _difference(c: Context) -> dict[str, Any]:
    drawn = _trial(c)
    return drawn | {"of": 1, "at": _when(drawn), "variance": c.pick("jackknife", "cmprsk")}


def _until(level: bool) -> Draw:
    def draw(c: Context) -> dict[str, Any]:
        drawn = _trial(c)
        drawn["until"] = _when(drawn) * c.pick(1.0, 0.5, 1e-3)
        return drawn | ({"level": part(c)} if level else {})

    return draw


def _log_rank(c: Context) -> dict[str, Any]:
    drawn = _trial(c) | {"of": c.pick(None, 1), "early": c.pick(False, True)}
    if c.rng.random() < 0.3:
        drawn["strata"] = np.arange(drawn["time"].size) // 2 % 2
    return drawn


def _gray(c: Context) -> dict[str, Any]:
    return _trial(c) | {"of": 1, "rho": c.pick(0.0, 1.0, 0.5)}


def _known(c: Context) -> dict[str, Any]:
    drawn = _trial(c)
    hazard = drawn["time"] * c.log_uniform(1e-6, 1e6)
    return {"cause": drawn["cause"], "cumulative_hazard": hazard, "of": c.pick(None, 1)}


_TABLES = r"competing_risks\.tables\."
_TESTS = r"competing_risks\.rank_test_rows\."
RULES: list[tuple[str, Draw]] = [
    (_TABLES + r"survival\(\)", _curve(False)),
    (_TABLES + r"naive_cif\(\)", _curve(True)),
    (_TABLES + r"cif\(\)", _cif),
    (_TABLES + r"cif_difference\(\)", _difference),
    (_TABLES + r"restricted_mean\(\)", _until(True)),
    (_TABLES + r"restricted_mean_difference\(\)", _until(False)),
    (_TABLES + r"(median_times|median_follow_up)\(\)", _trial),
    (_TESTS + r"log_rank\(\)", _log_rank),
    (_TESTS + r"gray_test\(\)", _gray),
    (_TESTS + r"one_sample_log_rank\(\)", _known),
    (r"example_trials\.example_trial\.name", one_of("cr_small", "cr_200")),
]

RESULTS = [
    r"competing_risks\.(tables\.(CurveRow|MeanRow|Difference)|rank_test_rows\.RankTest"
    r"|rank_tests\.RankTests|estimates\.(Estimates|Probabilities|Contrasts)|risk_sets\.RiskSets)",
    r"example_trials\.ExampleTrial",
]

PRODUCERS: dict[str, Callable[[Context], Any] | None] = {
    "trial.competing_risks.risk_sets.RiskSets": lambda c: risk_sets(**_trial(c)),
}
