"""The trials of R4 by statsmodels, scikit-survival and lifelines, one after the other."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.r4_model import CAUSE, GROUP, MONTHS, Floats, Work, answers, trials

ARMS = (GROUP == 0, GROUP == 1)
One = Callable[[Floats, Any], list[float]]


def _each(units: int, one: One) -> Work:
    """Return the work of `one` for every trial, and its distance from this library's answers."""
    time, cause = trials(units)

    def work(_: int) -> Floats:
        return np.array([one(t, c) for t, c in zip(time, cause, strict=True)])

    def summary(found: Floats) -> dict[str, Any]:
        own = answers(units)[:, : found.shape[1]]
        return {"largest_difference": float(np.abs(found - own).max())}

    return work, summary


def _at(times: Any, values: Any) -> float:
    row = np.searchsorted(times, MONTHS, side="right") - 1
    return float(values[row]) if row >= 0 else 0.0


def statsmodels(units: int) -> Work:
    """Prepare survdiff and CumIncidenceRight."""
    from statsmodels.duration.survfunc import CumIncidenceRight, survdiff

    def one(time: Floats, cause: Any) -> list[float]:
        found = [float(survdiff(time, (cause > 0).astype(int), GROUP)[0])]
        for arm in ARMS:
            curve = CumIncidenceRight(time[arm], cause[arm])
            found.append(_at(curve.times, curve.cinc[CAUSE - 1]))
        return found

    return _each(units, one)


def scikit_survival(units: int) -> Work:
    """Prepare compare_survival and cumulative_incidence_competing_risks."""
    from sksurv.compare import compare_survival
    from sksurv.nonparametric import cumulative_incidence_competing_risks

    def one(time: Floats, cause: Any) -> list[float]:
        y = np.array(
            list(zip(cause > 0, time, strict=True)), dtype=[("event", bool), ("time", float)]
        )
        found = [float(compare_survival(y, GROUP)[0])]
        for arm in ARMS:
            times, shares = cumulative_incidence_competing_risks(cause[arm], time[arm])
            found.append(_at(times, shares[CAUSE]))
        return found

    return _each(units, one)


def lifelines_log_rank(units: int) -> Work:
    """Prepare logrank_test alone."""
    from lifelines.statistics import logrank_test

    def one(time: Floats, cause: Any) -> list[float]:
        old, new = ARMS
        found = logrank_test(time[old], time[new], cause[old] > 0, cause[new] > 0)
        return [float(found.test_statistic)]

    return _each(units, one)


def lifelines(units: int) -> Work:
    """Prepare logrank_test and AalenJohansenFitter without its variance."""
    from lifelines import AalenJohansenFitter
    from lifelines.statistics import logrank_test

    warnings.simplefilter("ignore")

    def one(time: Floats, cause: Any) -> list[float]:
        old, new = ARMS
        test = logrank_test(time[old], time[new], cause[old] > 0, cause[new] > 0)
        found = [float(test.test_statistic)]
        for arm in ARMS:
            fit = AalenJohansenFitter(calculate_variance=False)
            fit.fit(time[arm], cause[arm], event_of_interest=CAUSE)
            curve = fit.cumulative_density_
            found.append(_at(curve.index.to_numpy(), curve.iloc[:, 0].to_numpy()))
        return found

    return _each(units, one)
