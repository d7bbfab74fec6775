"""How the fuzz draws what regressions and laws of event times are asked; `rules` collects it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from car_relapse.trial.competing_risks import (
    cox,
    fine_gray,
    hazard_ratios,
    risk_sets,
    time_law,
    turnbull,
)

from .draws import Context, Draw, day, one_of, part, several


def _records(c: Context) -> dict[str, Any]:
    """Draw times, with or without ties, and causes of which some are the first."""
    n = int(c.rng.integers(4, 40))
    time = c.rng.exponential(c.log_uniform(1e-3, 1e3), n)
    if c.rng.random() < 0.4:
        time = np.ceil(time)
    cause = c.rng.integers(0, 3, n)
    cause[: int(c.rng.integers(0, 3))] = 1
    return {"time": time, "cause": cause}


def _covariates(c: Context, n: int) -> dict[str, Any]:
    kinds: dict[str, Callable[[], Any]] = {
        "arm": lambda: c.rng.integers(0, 2, n),
        "burden": lambda: c.rng.normal(0.0, 1.0, n) * c.log_uniform(1e-9, 1e9),
        "far": lambda: c.rng.normal(1e6, 1.0, n),
        "rare": lambda: (np.arange(n) == 0).astype(float),
    }
    names = [name for name in kinds if c.rng.random() < 0.4] or ["arm"]
    return {name: kinds[name]() for name in names}


def _regression(c: Context) -> dict[str, Any]:
    drawn = _records(c)
    return drawn | {"covariates": _covariates(c, drawn["time"].size), "of": c.pick(1, 2)}


def _cox(c: Context) -> dict[str, Any]:
    drawn = _regression(c) | {"of": c.pick(None, 1, 2), "ties": c.pick("efron", "breslow")}
    if c.rng.random() < 0.3:
        drawn["strata"] = c.rng.integers(0, 2, drawn["time"].size)
    return drawn


def _changed(c: Context) -> dict[str, Any]:
    drawn = _records(c)
    n = drawn["time"].size
    change = np.where(c.rng.random(n) < 0.5, drawn["time"] * c.rng.random(n), np.inf)
    drawn |= {"change": change, "of": c.pick(None, 1), "ties": c.pick("efron", "breslow")}
    if c.rng.random() < 0.3:
        drawn["covariates"] = _covariates(c, n)
    return drawn


def _landmark(c: Context) -> dict[str, Any]:
    drawn = _changed(c)
    return drawn | {"at": float(np.median(drawn["time"]) * c.rng.random())}


def _intervals(c: Context) -> dict[str, Any]:
    n = int(c.rng.integers(1, 30))
    left = np.round(c.rng.exponential(1.0, n), int(c.rng.integers(0, 3))) * c.log_uniform(1e-6, 1e6)
    width = c.rng.exponential(1.0, n) * left.max(initial=1.0)
    right = np.where(
        c.rng.random(n) < 0.3, np.inf, left + np.where(c.rng.random(n) < 0.3, 0, width)
    )
    return {"left": left, "right": right}


def _law(c: Context) -> dict[str, Any]:
    return _intervals(c) | {"law": c.pick("exponential", "weibull"), "cure": c.pick(False, True)}


def _cure(c: Context) -> dict[str, Any]:
    return _records(c) | {"law": c.pick("exponential", "weibull"), "of": c.pick(None, 1)}


def _trials(c: Context) -> Any:
    n = int(c.rng.integers(2, 30))
    time = c.rng.exponential(9.0, (int(c.rng.integers(1, 5)), n))
    group = np.append(1, c.rng.integers(0, 2, n - 1))
    return risk_sets(time, c.rng.integers(0, 3, time.shape), group)


_NOT_TO_FAIL = [1, 2, 3, 4, 5, 6], [1, 2, 1, 1, 0, 0], {"arm": [0, 1, 1, 0, 1, 0]}

_HERE = r"competing_risks\."
RULES: list[tuple[str, Draw]] = [
    (_HERE + r"cox_model\.cox\(\)", _cox),
    (_HERE + r"subdistribution\.fine_gray\(\)", _regression),
    (_HERE + r"subdistribution\.FineGray\.incidence_at\.times", several(one_of(0.0, 3.0, 6.0))),
    (_HERE + r"subdistribution\.FineGray\.incidence_at\.covariates", lambda c: {"arm": day(c)}),
    (_HERE + r"regression\.Regression\.interval\.level", part),
    (_HERE + r"transplant_time\.(ever_never|time_dependent)\(\)", _changed),
    (_HERE + r"transplant_time\.landmark\(\)", _landmark),
    (_HERE + r"interval_censored\.turnbull\(\)", _intervals),
    (_HERE + r"time_laws\.time_law\(\)", _law),
    (_HERE + r"time_laws\.mixture_cure\(\)", _cure),
    (_HERE + r"\w+\.(Turnbull|TimeLaw)\.event_free_at\.times", several(day)),
    (_HERE + r"two_group_ratios\.hazard_ratios\.data", _trials),
    (_HERE + r"two_group_ratios\.hazard_ratios\.of", one_of(None, 1, 2)),
]

RESULTS = [
    r"competing_risks\.(regression\.(Effect|Regression)|subdistribution\.FineGray"
    r"|two_group_ratios\.HazardRatios|transplant_time\.Landmark|interval_censored\.Turnbull"
    r"|time_laws\.TimeLaw)"
]

PRODUCERS: dict[str, Callable[[Context], Any] | None] = {
    "trial.competing_risks.regression.Regression": lambda c: cox(*_NOT_TO_FAIL),
    "trial.competing_risks.subdistribution.FineGray": lambda c: fine_gray(*_NOT_TO_FAIL, of=1),
    "trial.competing_risks.two_group_ratios.HazardRatios": lambda c: hazard_ratios(_trials(c)),
    "trial.competing_risks.interval_censored.Turnbull": lambda c: turnbull(**_intervals(c)),
    "trial.competing_risks.time_laws.TimeLaw": lambda c: time_law(
        [1, 2, 3, 5, 9], [1, 3, 4, 5, np.inf], law=c.pick("exponential", "weibull")
    ),
}
