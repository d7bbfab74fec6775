"""Routes to curves and tests of trials with competing causes."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from car_relapse.trial.competing_risks import (
    CurveRow,
    RankTest,
    cif,
    cif_difference,
    gray_test,
    log_rank,
    median_follow_up,
    median_times,
    naive_cif,
    one_sample_log_rank,
    restricted_mean,
    survival,
)

from .values import data

Inputs = dict[str, Any]

_HORIZON = 24.0
_TRANSPLANT = 4


def _trial(x: Inputs) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
    columns = data(x["data"])
    return columns["time"], columns["cause"].astype(int), columns["arm"].astype(int)


def _number(word: str, quantity: str) -> int:
    found = re.search(rf"{word}(\d)", quantity)
    if found is None:
        raise LookupError(f"no {word} in {quantity!r}")
    return int(found[1])


def _of(rows: list[CurveRow], arm: int) -> list[CurveRow]:
    return [row for row in rows if row.group == arm]


def _survival(x: Inputs, quantity: str) -> list[CurveRow]:
    return _of(survival(*_trial(x), times=x["times"]), _number("arm", quantity))


def _incidence(x: Inputs, quantity: str) -> list[CurveRow]:
    rows = cif(*_trial(x), of=_number("cause", quantity), times=x["times"])
    return _of(rows, _number("arm", quantity))


def _naive(x: Inputs, quantity: str) -> list[float]:
    rows = naive_cif(*_trial(x), of=_number("cause", quantity), times=x["times"])
    return [row.estimate for row in _of(rows, _number("arm", quantity))]


def _cmprsk(x: Inputs, quantity: str) -> list[CurveRow]:
    arm, cause = map(int, quantity.rpartition(".")[2].split("_"))
    return _of(cif(*_trial(x), of=cause, times=x["times"], variance="cmprsk"), arm)


def _limit(x: Inputs, quantity: str) -> list[float]:
    side = "lower" if "LCL" in quantity else "upper"
    return [getattr(row, side) for row in _survival(x, quantity)]


def _restricted_mean(x: Inputs, quantity: str) -> list[float]:
    until = float(quantity.rpartition("tau")[2])
    row = restricted_mean(*_trial(x), until=until)[_number("arm", quantity)]
    return [row.estimate, row.std_error]


def _median(x: Inputs, quantity: str) -> float:
    time, cause, arm = _trial(x)
    if "reverseKM" in quantity:
        return median_follow_up(time, cause)[0]
    return median_times(time, cause, arm)[_number("arm", quantity)]


def _gray(x: Inputs, quantity: str) -> list[float]:
    rho = 1.0 if "rho1" in quantity else 0.0
    test = gray_test(*_trial(x), of=_number("cause", quantity), rho=rho)
    return [test.statistic, test.p_value]


def _all_of(test: RankTest) -> list[float]:
    return [test.statistic, test.observed, test.expected, test.variance]


def _log_rank(x: Inputs, quantity: str) -> list[float]:
    of = None if "efs" in quantity else _number("cause", quantity)
    return _all_of(log_rank(*_trial(x), of=of))


def _stratified(x: Inputs, quantity: str) -> float:
    strata = data(x["data"])["burden"]
    return log_rank(*_trial(x), of=_number("cause", quantity), strata=strata).statistic


def _one_sample(x: Inputs, quantity: str) -> list[float]:
    time, cause, arm = _trial(x)
    mine = arm == _number("arm", quantity)
    # Exponential, with half the patients event-free at two years.
    known = time[mine] * math.log(2.0) / _HORIZON
    test = one_sample_log_rank(cause[mine], known)
    return [test.observed, test.expected, test.z]


def _transplants(x: Inputs, quantity: str) -> list[float]:
    time, cause, arm = _trial(x)
    transplant = data(x["data"])["sct_time"]
    first = transplant < time
    code = _TRANSPLANT if "competing" in quantity else 0
    rows = cif(
        np.where(first, transplant, time),
        np.where(first, code, cause),
        arm,
        of=_number("cause", quantity),
        times=_HORIZON,
    )
    return [row.estimate for row in rows]


def _difference(x: Inputs, quantity: str) -> list[float]:
    found = cif_difference(
        *_trial(x), of=_number("cause", quantity), at=_HORIZON, variance="cmprsk"
    )
    return [found.estimate, found.std_error, found.z]


ROUTES: list[tuple[str, str, Callable[[Inputs, str], Any]]] = [
    ("Kaplan-Meier", "", lambda x, q: [row.estimate for row in _survival(x, q)]),
    ("Greenwood SE", "", lambda x, q: [row.std_error for row in _survival(x, q)]),
    ("log-log CI", "", _limit),
    ("naive 1-KM (wrong)", "", _naive),
    ("Aalen-Johansen CIF", "", lambda x, q: [row.estimate for row in _incidence(x, q)]),
    (
        "CIF SE (infinitesimal jackknife, survival::survfit)",
        "",
        lambda x, q: [row.std_error for row in _incidence(x, q)],
    ),
    ("cmprsk CIF", "", lambda x, q: [row.estimate for row in _cmprsk(x, q)]),
    ("cmprsk CIF variance", "", lambda x, q: [row.std_error**2 for row in _cmprsk(x, q)]),
    ("RMST (mean,SE)", "", _restricted_mean),
    ("median", "", _median),
    ("Gray's test", "", _gray),
    ("log-rank", "small.logrank_cs.", _log_rank),
    ("log-rank", "cr200.logrank_cs.", _log_rank),
    ("log-rank", "cr200.logrank_efs", _log_rank),
    ("log-rank", "cr200.logrank_cs_strat", _stratified),
    ("log-rank", "onesample_logrank", _one_sample),
    (
        "Peto-Peto rho=1",
        "",
        lambda x, q: log_rank(*_trial(x), early=True).statistic,
    ),
    ("CIF difference z", "", _difference),
    ("transplant handling", "", _transplants),
]
