"""One trial at a time: its curves, mean and median times as rows of plain numbers.

The same computations as for many trials (`risk_sets` and the functions that take what it
returns), for one data set. Where a curve or a difference is not known an error says why, instead of
the NaN that marks such a trial among many.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from car_relapse.errors import ParameterError, require_non_negative, require_positive
from car_relapse.trial.competing_risks.curves import (
    Variance,
    event_free,
    incidences,
    medians,
    naive_incidences,
    restricted_means,
)
from car_relapse.trial.competing_risks.estimates import Estimates, contrasts
from car_relapse.trial.competing_risks.risk_sets import RiskSets, one_data_set

__all__ = [
    "CurveRow",
    "Difference",
    "MeanRow",
    "cif",
    "cif_difference",
    "median_follow_up",
    "median_times",
    "naive_cif",
    "restricted_mean",
    "restricted_mean_difference",
    "survival",
]


@dataclass(frozen=True, kw_only=True)
class CurveRow:
    """A curve of one group at one time."""

    group: int
    """Group."""
    time: float
    """Time, months."""
    at_risk: int
    """Patients of the group still followed and event-free just before the time."""
    estimate: float
    """Estimated probability, in [0, 1]."""
    std_error: float
    """Its standard error."""
    lower: float
    """Lower confidence limit, in [0, 1]."""
    upper: float
    """Upper confidence limit, in [0, 1]."""


@dataclass(frozen=True, kw_only=True)
class MeanRow:
    """A mean time of one group."""

    group: int
    """Group."""
    estimate: float
    """Estimated mean, months."""
    std_error: float
    """Its standard error, months."""
    lower: float
    """Lower normal confidence limit, months."""
    upper: float
    """Upper normal confidence limit, months."""


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A difference of two groups, experimental less control."""

    estimate: float
    """Difference, in the unit of what is compared."""
    std_error: float
    """Its standard error."""
    z: float
    """Difference over its standard error."""
    p_value: float
    """Two-sided, by the normal law."""


def _followed(estimates: Estimates, times: Sequence[float]) -> None:
    missing = np.argwhere(np.isnan(estimates.value[0]))
    if missing.size:
        group, *rest = missing[0]
        when = times[rest[0]] if rest else times[0]
        raise ParameterError(
            f"times is {when:g}; nobody of group {group} was followed so long; ask for earlier "
            "times"
        )


def _rows(
    data: RiskSets, estimates: Estimates, times: Sequence[float], level: float
) -> list[CurveRow]:
    _followed(estimates, times)
    lower, upper = estimates.interval(level)
    return [
        CurveRow(
            group=group,
            time=t,
            at_risk=int(np.count_nonzero((data.label[0] == group) & (data.time[0] >= t))),
            estimate=float(estimates.value[0, group, i]),
            std_error=float(estimates.std_error[0, group, i]),
            lower=float(lower[0, group, i]),
            upper=float(upper[0, group, i]),
        )
        for group in range(data.groups)
        for i, t in enumerate(times)
    ]


def _listed(times: ArrayLike) -> list[float]:
    found: list[float] = np.atleast_1d(
        require_non_negative("times", times, "give months from infusion")
    ).tolist()
    return found


def survival(
    time: ArrayLike,
    cause: ArrayLike,
    group: ArrayLike | None = None,
    *,
    times: ArrayLike,
    level: float = 0.95,
) -> list[CurveRow]:
    """Return the probability of no event at `times` in every group, with log-log limits.

    Parameters
    ----------
    time : array_like, shape (patients,)
        Time of event or of censoring, months, >= 0.
    cause : array_like, shape (patients,)
        0 for censored, otherwise the number of the cause.
    group : array_like, shape (patients,), optional
        0 for control, 1 for experimental, 2, ... for more. One group when left out.
    times : float or array_like
        Months, >= 0.
    level : float, optional
        Coverage of the limits, strictly between 0 and 1.

    Raises
    ------
    ParameterError
        When an argument breaks its rule, or a group was not followed so long.

    Examples
    --------
    >>> [row.estimate for row in survival([1, 2, 3, 4], [1, 0, 2, 0], times=[1, 3])]
    [0.75, 0.375]
    """
    data, at = one_data_set(time, cause, group), _listed(times)
    return _rows(data, event_free(data, at), at, level)


def cif(
    time: ArrayLike,
    cause: ArrayLike,
    group: ArrayLike | None = None,
    *,
    of: int,
    times: ArrayLike,
    level: float = 0.95,
    variance: Variance = "jackknife",
) -> list[CurveRow]:
    """Return the cumulative incidence of a cause at `times` in every group (Aalen-Johansen).

    Parameters
    ----------
    time, cause, group, times, level
        As in `survival`.
    of : int
        Cause.
    variance : {"jackknife", "cmprsk"}, optional
        Which variance: that of R's survival package, or of R's cmprsk.

    Raises
    ------
    ParameterError
        When an argument breaks its rule, or a group was not followed so long.

    Examples
    --------
    >>> rows = cif([1, 2, 3, 4], [1, 2, 0, 1], of=1, times=[1, 4])
    >>> [(row.time, row.at_risk, row.estimate) for row in rows]
    [(1.0, 4, 0.25), (4.0, 1, 0.75)]
    """
    data, at = one_data_set(time, cause, group), _listed(times)
    if variance is None:
        raise ParameterError("variance is None; it must be 'jackknife' or 'cmprsk'; give one")
    return _rows(data, incidences(data, at, of=of, variance=variance), at, level)


def naive_cif(
    time: ArrayLike,
    cause: ArrayLike,
    group: ArrayLike | None = None,
    *,
    of: int,
    times: ArrayLike,
    level: float = 0.95,
) -> list[CurveRow]:
    """Return one minus the Kaplan-Meier curve of a cause with others censored: too high.

    It is not the probability of anything; it is here to be compared with `cif`. Parameters and
    errors are those of `cif`.
    """
    data, at = one_data_set(time, cause, group), _listed(times)
    return _rows(data, naive_incidences(data, at, of=of), at, level)


def _difference(estimates: Estimates, times: Sequence[float]) -> Difference:
    found = contrasts(estimates)
    _followed(estimates, times)
    if not found.variance[0] > 0:
        raise ParameterError(
            f"the groups have {estimates.value[0, 0]:g} and {estimates.value[0, 1]:g} at "
            f"{times[0]:g} months without any variance; a difference needs events in between; ask "
            "for another time"
        )
    return Difference(
        estimate=float(found.value[0]),
        std_error=float(found.std_error[0]),
        z=float(found.z[0]),
        p_value=float(found.p_value[0]),
    )


def cif_difference(
    time: ArrayLike,
    cause: ArrayLike,
    group: ArrayLike,
    *,
    of: int,
    at: float,
    variance: Variance = "jackknife",
) -> Difference:
    """Compare the cumulative incidences of a cause at one time.

    Parameters
    ----------
    time, cause, group, of, variance
        As in `cif`; two groups.
    at : float
        Months, >= 0.

    Raises
    ------
    ParameterError
        When an argument breaks its rule, a group was not followed so long, or nothing varies.

    Examples
    --------
    >>> found = cif_difference([1, 2, 3, 4], [1, 0, 1, 0], [0, 0, 1, 1], of=1, at=2)
    >>> found.estimate, round(found.z, 3)
    (-0.5, -1.414)
    """
    when = float(require_non_negative("at", at, "give months from infusion", scalar=True))
    data = one_data_set(time, cause, group)
    return _difference(incidences(data, when, of=of, variance=variance), [when])


def restricted_mean(
    time: ArrayLike,
    cause: ArrayLike,
    group: ArrayLike | None = None,
    *,
    until: float,
    level: float = 0.95,
) -> list[MeanRow]:
    """Return the mean event-free time up to `until` months in every group.

    Parameters
    ----------
    time, cause, group, level
        As in `survival`.
    until : float
        Upper limit, months, > 0.

    Raises
    ------
    ParameterError
        When an argument breaks its rule, or a group was not followed so long.

    Examples
    --------
    >>> restricted_mean([1, 2, 3, 4], [1, 0, 2, 0], until=4)[0].estimate
    2.875
    """
    data = one_data_set(time, cause, group)
    means = restricted_means(data, until)
    _followed(means, [float(until)])
    lower, upper = means.interval(level)
    return [
        MeanRow(
            group=g,
            estimate=float(means.value[0, g]),
            std_error=float(means.std_error[0, g]),
            lower=float(lower[0, g]),
            upper=float(upper[0, g]),
        )
        for g in range(data.groups)
    ]


def restricted_mean_difference(
    time: ArrayLike, cause: ArrayLike, group: ArrayLike, *, until: float
) -> Difference:
    """Compare the mean event-free times up to `until` months of two groups.

    Parameters and errors are those of `restricted_mean`; an error, too, when nothing varies.
    """
    limit = float(require_positive("until", until, "give months from infusion", scalar=True))
    return _difference(restricted_means(one_data_set(time, cause, group), limit), [limit])


def median_times(time: ArrayLike, cause: ArrayLike, group: ArrayLike | None = None) -> list[float]:
    """Return the median event-free time of every group, months; infinite where not reached.

    Parameters and errors are those of `survival`.

    Examples
    --------
    >>> median_times([1, 2, 3, 4], [1, 2, 1, 0])
    [2.5]
    """
    found: list[float] = medians(one_data_set(time, cause, group))[0].tolist()
    return found


def median_follow_up(
    time: ArrayLike, cause: ArrayLike, group: ArrayLike | None = None
) -> list[float]:
    """Return the median follow-up of every group, months, by the reverse Kaplan-Meier curve.

    The end of follow-up is the event, and events of the disease end its observation. Infinite
    where not reached. Parameters and errors are those of `survival`.

    Examples
    --------
    >>> median_follow_up([1, 2, 3, 4], [1, 0, 0, 0])
    [3.0]
    """
    data = one_data_set(time, cause, group)
    ended = dataclasses.replace(
        data, code=data.label | (~data.marks()).astype(np.int8) << data.bits
    )
    found: list[float] = medians(ended)[0].tolist()
    return found
