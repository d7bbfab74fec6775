"""Event-free probabilities, cumulative incidences and restricted means of many trials at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from numpy.typing import ArrayLike

from car_relapse.trial.competing_risks.risk_sets import Floats, RiskSets

__all__ = [
    "Contrasts",
    "Estimates",
    "contrasts",
    "event_free",
    "incidences",
    "medians",
    "naive_incidences",
    "restricted_means",
]

Variance = Literal["jackknife", "cmprsk"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Estimates:
    """Estimates by trial and group (and time): shape (trials, groups) or (trials, groups, times).

    NaN where the group was not followed so long.
    """

    value: Floats
    """Estimates."""
    variance: Floats
    """Their variances, in the shape of `value`."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Contrasts:
    """Differences, experimental less control, shape (trials,) or (trials, times)."""

    value: Floats
    """Differences."""
    variance: Floats
    """Their variances."""

    @property
    def z(self) -> Floats:
        """Difference over its standard error."""
        raise NotImplementedError

    @property
    def p_value(self) -> Floats:
        """Two-sided p-value."""
        raise NotImplementedError


def event_free(data: RiskSets, times: ArrayLike) -> Estimates:
    """Estimate the probability of no event by `times` in every group (Kaplan-Meier)."""
    raise NotImplementedError


def incidences(
    data: RiskSets, times: ArrayLike, *, of: int, variance: Variance = "jackknife"
) -> Estimates:
    """Estimate the cumulative incidence of a cause by `times` in every group."""
    raise NotImplementedError


def naive_incidences(data: RiskSets, times: ArrayLike, *, of: int) -> Estimates:
    """Return one minus the Kaplan-Meier curve with other causes censored: too high."""
    raise NotImplementedError


def restricted_means(data: RiskSets, until: float) -> Estimates:
    """Estimate the mean event-free time up to `until` months, shape (trials, groups)."""
    raise NotImplementedError


def medians(data: RiskSets) -> Floats:
    """Return the median event-free time, months, shape (trials, groups); inf if not reached."""
    raise NotImplementedError


def contrasts(estimates: Estimates) -> Contrasts:
    """Return the difference of experimental and control group for every trial (and time)."""
    raise NotImplementedError
