"""Routes to the regressions, the analyses of transplant, and the laws of event times."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from car_relapse.trial.competing_risks import (
    TimeLaw,
    cox,
    ever_never,
    fine_gray,
    landmark,
    mixture_cure,
    time_dependent,
    time_law,
    turnbull,
)

from .values import data

Inputs = dict[str, Any]


def _cause(quantity: str) -> int | None:
    """Return the cause that a row is about; None for event-free survival."""
    found = re.search(r"\.cause(\d)", quantity)
    if found is None and "efs" not in quantity:
        raise LookupError(f"{quantity!r} names no cause and is not about event-free survival")
    return int(found[1]) if found else None


def _cox(x: Inputs, quantity: str) -> list[float]:
    d = data(x["data"])
    covariates = {"arm": d["arm"]}
    if ".cox_cs2." in quantity:
        covariates["burden"] = d["burden"]
    fit = cox(
        d["time"],
        d["cause"],
        covariates,
        of=_cause(quantity),
        strata=d["burden"] if "_strat" in quantity else None,
        ties="breslow" if ".breslow" in quantity else "efron",
    )
    return [*fit.coefficient, *fit.std_error]


def _crr(x: Inputs, quantity: str) -> list[float]:
    # R's cmprsk stops a little short of the maximum: for the second cause of the 200 patients by
    # 5e-6, which is nearly all that the row allows.
    d = data(x["data"])
    fit = fine_gray(d["time"], d["cause"], {"arm": d["arm"]}, of=int(_cause(quantity) or 0))
    return [*fit.coefficient, *fit.std_error, fit.log_likelihood]


def _finegray(x: Inputs, quantity: str) -> list[float]:
    d = data(x["data"])
    fit = fine_gray(d["time"], d["cause"], {"arm": d["arm"]}, of=int(_cause(quantity) or 0))
    return [*fit.coefficient, *fit.model_std_error, *fit.row_std_error]


def _transplants(x: Inputs) -> tuple[NDArray[np.float64], ...]:
    d = data(x["data"])
    return d["time"], d["cause"], np.where(np.isnan(d["sct_time"]), np.inf, d["sct_time"])


def _landmark(x: Inputs, _: str) -> list[float]:
    found = landmark(*_transplants(x), at=6)
    fit = found.regression
    return [found.patients, found.changed, *fit.coefficient, *fit.std_error]


def _ever(x: Inputs, _: str) -> list[float]:
    fit = ever_never(*_transplants(x))
    return [*fit.coefficient, *fit.std_error]


def _time_dependent(x: Inputs, _: str) -> list[float]:
    fit = time_dependent(*_transplants(x))
    return [*fit.coefficient, *fit.std_error]


def _turnbull(x: Inputs, quantity: str) -> NDArray[np.float64]:
    d = data(x["data"])
    months = [float(m) for m in quantity.partition("(")[2].strip(")").split(",")]
    low, high = turnbull(d["left"], d["right"]).event_free_at(months)
    if not np.array_equal(low, high):
        raise LookupError("the curve is not known at these times")
    return high


def _exponential(x: Inputs, _: str) -> float:
    d = data(x["data"])
    return time_law(d["left"], d["right"], law="exponential").rate


def _weibull(x: Inputs, _: str) -> list[float]:
    d = data(x["data"])
    fit = time_law(d["left"], d["right"], law="weibull")
    return [fit.shape, fit.scale, fit.log_likelihood]


def _cure(x: Inputs, quantity: str) -> TimeLaw:
    d = data(x["data"])
    arm = d["arm"] == int(re.search(r"arm(\d)", quantity)[1])  # type: ignore[index]
    law = "exponential" if quantity.startswith("cure.exp.") else "weibull"
    return mixture_cure(d["time"][arm], d["cause"][arm], law=law)


def _exponential_cure(x: Inputs, quantity: str) -> list[float]:
    fit = _cure(x, quantity)
    return [fit.cured, fit.rate, fit.log_likelihood, fit.logit_cured_std_error]


def _weibull_cure(x: Inputs, quantity: str) -> list[float]:
    fit = _cure(x, quantity)
    return [fit.cured, fit.shape, fit.scale, fit.log_likelihood]


#: Method, start of the quantity, and how the package computes it.
ROUTES = [
    ("Cox", "", _cox),
    ("Fine-Gray", "small.finegray.", _crr),
    ("Fine-Gray", "cr200.finegray.", _crr),
    ("Fine-Gray", "cr200.finegray_survival.", _finegray),
    ("landmark Cox", "", _landmark),
    ("ever/never Cox (WRONG: immortal time)", "", _ever),
    ("time-dependent Cox", "", _time_dependent),
    ("Turnbull NPMLE", "", _turnbull),
    ("interval-censored ML", "interval.exponential", _exponential),
    ("interval-censored ML", "interval.weibull", _weibull),
    ("parametric mixture cure ML", "cure.exp.", _exponential_cure),
    ("parametric mixture cure ML", "cure.weibull.", _weibull_cure),
]
