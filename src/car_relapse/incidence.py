r"""Cumulative incidence by cause: how many had each kind of event by a day, as trials see it.

A patient who dies in remission can no longer relapse. One who leaves the study might have. The
first is a *competing event*, the second is *censored*, and an estimate must tell them apart.
The Aalen-Johansen estimator does: at each time the patients still at risk share out the
probability of being event-free among the causes,

.. math::

    \hat F_j(t) = \sum_{s \le t} \hat S(s^-)\,\frac{d_j(s)}{Y(s)}, \qquad
    \hat S(t) = \prod_{s \le t} \left(1 - \frac{d(s)}{Y(s)}\right),

with :math:`d_j` events of cause j among :math:`Y` at risk and :math:`d = \sum_j d_j`
(Aalen & Johansen 1978, Scand J Stat 5:141). :math:`\hat S` is the Kaplan-Meier curve
(doi:10.1080/01621459.1958.10501452), and :math:`\hat S + \sum_j \hat F_j = 1`. One minus the
Kaplan-Meier curve of one cause, with the others censored, is not a probability of anything that
happens to patients: it is always too high.

Ties are handled as the field does: events come before censorings of the same time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

from car_relapse.errors import (
    ParameterError,
    is_list,
    require_count,
    require_non_negative,
)

__all__ = ["CENSORED", "Incidence", "aalen_johansen", "kaplan_meier"]

CENSORED = 0
"""The cause that stands for no event yet: follow-up ended first."""

_UNIT = "give one time per patient, counted from the start of follow-up"


def jackknife_terms(
    before: NDArray[np.float64],
    hazard: NDArray[np.float64],
    hazard_any: NDArray[np.float64],
    at_risk: NDArray[np.int64] | NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    r"""Return a, b and c of the variance of :math:`\hat F_j` at time t.

    The multinomial increments of the events give, with :math:`G = F_j(t) - F_j(s)`,

    .. math::

        \sum_{s \le t} a - 2bG + cG^2, \qquad
        a = \frac{S_-^2 h_j(1-h_j)}{Y}, \quad b = \frac{S_- h_j}{Y}, \quad
        c = \frac{h}{(1-h)Y},

    which is also the infinitesimal jackknife; for one cause it is Greenwood's formula. Times
    without an event add nothing.
    """
    left = 1.0 - hazard_any
    # Where everybody at risk has an event no time follows: G is 0, and c may be.
    odds = hazard_any * left / np.maximum(left**2, 1e-300)
    cross = before * hazard / at_risk
    return cross * before * (1.0 - hazard), cross, odds / at_risk


def _variance(
    share: NDArray[np.float64],
    before: NDArray[np.float64],
    hazard: NDArray[np.float64],
    hazard_any: NDArray[np.float64],
    at_risk: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Return the variance of the share at every event time.

    G is opened up so that one pass of running sums serves all t.
    """
    own, cross, c = jackknife_terms(before, hazard, hazard_any, at_risk)
    total = (
        np.cumsum(own)
        - 2.0 * (share * np.cumsum(cross) - np.cumsum(cross * share))
        + share**2 * np.cumsum(c)
        - 2.0 * share * np.cumsum(c * share)
        + np.cumsum(c * share**2)
    )
    # A sum of squares; rounding of the opened form may leave a zero a hair below zero.
    return np.maximum(total, 0.0)


def log_log_limits(
    free: NDArray[np.float64],
    std_error: NDArray[np.float64],
    *,
    none: NDArray[np.bool_],
    everyone: NDArray[np.bool_],
    known: NDArray[np.int64],
    level: float,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return limits for one minus `free`, on the complementary log-log scale.

    Where `none`, or `everyone`, of the `known` patients had the event, that scale has no width, and
    Clopper and Pearson's exact limits for them are returned.
    """
    covered = float(require_non_negative("level", level, "give 0.95 or so", scalar=True))
    if not 0.0 < covered < 1.0:
        raise ParameterError(
            f"level is {covered:g}; it must lie strictly between 0 and 1; give 0.95 or so"
        )
    tail = (1.0 - covered) / 2.0
    z = float(-ndtri(tail))
    inside = ~(none | everyone)
    log_free = -np.log(free, out=np.full(free.shape, -1.0), where=inside)
    spread = np.divide(
        std_error, free * log_free, out=np.zeros_like(std_error), where=inside & (std_error > 0)
    )
    lower = -np.expm1(-log_free * np.exp(-z * spread))
    upper = -np.expm1(-log_free * np.exp(z * spread))
    edge = np.exp(np.log(tail) / known)
    lower = np.where(none, 0.0, np.where(everyone, edge, lower))
    upper = np.where(none, -np.expm1(np.log(tail) / known), np.where(everyone, 1.0, upper))
    return lower, upper


@dataclass(frozen=True, kw_only=True)
class Incidence:
    """Estimated cumulative incidences, one row per time at which an event happened.

    Times are in whatever unit the data came in. Every curve is a step function that jumps *at*
    the time of an event.
    """

    causes: tuple[int, ...]
    """The causes, in the order of the columns."""
    time: NDArray[np.float64]
    """Distinct times with an event, ascending, shape (times,), in the unit of the data."""
    at_risk: NDArray[np.int64]
    """Patients still followed and event-free just before each time, shape (times,)."""
    events: NDArray[np.int64]
    """Events of each cause at each time, shape (times, causes)."""
    share: NDArray[np.float64]
    r"""Cumulative incidence :math:`\hat F_j`, shape (times, causes), in [0, 1]."""
    std_error: NDArray[np.float64]
    """Its standard error, shape (times, causes), dimensionless."""
    event_free: NDArray[np.float64]
    r"""Probability :math:`\hat S` of no event of any cause, shape (times,), in [0, 1]."""
    event_free_std_error: NDArray[np.float64]
    """Its standard error by Greenwood's formula, shape (times,), dimensionless."""
    patients: int
    """Number of patients."""
    censored: NDArray[np.float64]
    """Sorted times of censoring, shape (censored,), in the unit of the data."""
    longest: float
    """Longest time anybody was followed, in the unit of the data."""

    def _column(self, cause: int) -> int:
        cause = require_count("cause", cause, "choose one of the causes")
        if cause not in self.causes:
            raise ParameterError(
                f"cause is {cause!r}; the causes of these data are "
                f"{', '.join(str(int(c)) for c in self.causes)}; choose one of them or name it in "
                "causes"
            )
        return self.causes.index(cause)

    def _rows(self, times: ArrayLike) -> NDArray[np.intp]:
        """Return the row in force at each of `times`, counted from 1; 0 before the first."""
        t = require_non_negative("times", times, "count from the start of follow-up")
        everyone_failed = self.time.size and self.event_free[-1] == 0.0
        if not everyone_failed and np.any(t > self.longest):
            raise ParameterError(
                f"times is {float(t.max()):g}; nobody was followed for longer than "
                f"{self.longest:g}, and beyond that the curves are not known; ask for earlier times"
            )
        return np.asarray(np.searchsorted(self.time, t, side="right"))

    def at(self, times: ArrayLike, cause: int) -> NDArray[np.float64]:
        """Return the cumulative incidence of `cause` at `times`, in the shape of `times`.

        Raises
        ------
        ParameterError
            When the cause is not one of `causes`, or a time is negative or beyond follow-up.
        """
        column = np.concatenate([[0.0], self.share[:, self._column(cause)]])
        return np.asarray(column[self._rows(times)])

    def std_error_at(self, times: ArrayLike, cause: int) -> NDArray[np.float64]:
        """Return the standard error of `at`; raises as `at` does."""
        column = np.concatenate([[0.0], self.std_error[:, self._column(cause)]])
        return np.asarray(column[self._rows(times)])

    def event_free_at(self, times: ArrayLike) -> NDArray[np.float64]:
        """Return the probability of no event of any cause by `times` (Kaplan-Meier).

        Raises
        ------
        ParameterError
            When a time is negative or beyond follow-up.
        """
        return np.asarray(np.concatenate([[1.0], self.event_free])[self._rows(times)])

    def event_free_std_error_at(self, times: ArrayLike) -> NDArray[np.float64]:
        """Return the standard error of `event_free_at`; raises as it does."""
        return np.asarray(np.concatenate([[0.0], self.event_free_std_error])[self._rows(times)])

    def _limits(
        self,
        times: ArrayLike,
        free: NDArray[np.float64],
        std_error: NDArray[np.float64],
        happened: NDArray[np.int64],
        others: NDArray[np.int64],
        level: float,
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return limits for the probability of having had the events counted in `happened`."""
        t = np.asarray(times, dtype=float)
        # Those whose state at t is known: everybody but the patients censored before t.
        known = self.patients - np.searchsorted(self.censored, t, side="left")
        return log_log_limits(
            free,
            std_error,
            none=happened == 0,
            everyone=(free == 0.0) & (others == 0),
            known=known,
            level=level,
        )

    def interval(
        self, times: ArrayLike, cause: int, level: float = 0.95
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        r"""Return pointwise confidence limits (lower, upper) of `at`.

        On the complementary log-log scale,

        .. math:: 1 - (1-\hat F)^{\exp(\pm z\sigma/((1-\hat F)\,|\ln(1-\hat F)|))} ,

        so that with one cause they are the log-log limits of the Kaplan-Meier curve. As long
        as no event of the cause has happened (or when all patients have had one), that scale has
        no width; the exact binomial limits for none (or all) of the patients whose state is
        known are returned instead.

        Parameters
        ----------
        times : array_like
            Times, in the unit of the data.
        cause : int
            One of `causes`.
        level : float, optional
            Coverage, strictly between 0 and 1.

        Raises
        ------
        ParameterError
            As `at`, and when `level` is not strictly between 0 and 1.
        """
        rows = self._rows(times)
        column = self._column(cause)
        counts = np.concatenate([np.zeros((1, len(self.causes)), int), self.events.cumsum(axis=0)])
        happened = counts[rows, column]
        others = counts[rows].sum(axis=-1) - happened
        free = np.where(
            (self.event_free_at(times) == 0.0) & (others == 0), 0.0, 1.0 - self.at(times, cause)
        )
        return self._limits(times, free, self.std_error_at(times, cause), happened, others, level)

    def event_free_interval(
        self, times: ArrayLike, level: float = 0.95
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return pointwise log-log confidence limits (lower, upper) of `event_free_at`.

        As `interval`, for events of any cause.
        """
        rows = self._rows(times)
        happened = np.concatenate([[0], self.events.sum(axis=1).cumsum()])[rows]
        lower, upper = self._limits(
            times,
            self.event_free_at(times),
            self.event_free_std_error_at(times),
            happened,
            np.zeros_like(happened),
            level,
        )
        return 1.0 - upper, 1.0 - lower


def _checked_causes(
    cause: ArrayLike, size: int, causes: Sequence[int] | None
) -> tuple[NDArray[np.int64], tuple[int, ...]]:
    remedy = f"give {CENSORED} for censored patients and a whole number >= 1 for each cause"
    values = require_non_negative("cause", cause, remedy)
    if values.shape != (size,):
        raise ParameterError(
            f"cause has shape {values.shape} and time has shape ({size},); they must have one "
            f"entry per patient; {_UNIT} and one cause per patient"
        )
    broken = values != np.floor(values)
    if broken.any():
        raise ParameterError(f"cause is {values[broken][0]:g}; it must be a whole number; {remedy}")
    code = values.astype(np.int64)
    seen = {int(c) for c in np.unique(code)} - {CENSORED}
    if causes is None:
        return code, tuple(sorted(seen))
    if not is_list(causes):
        raise ParameterError(
            f"causes is {causes!r}; it must be a list of whole numbers >= 1; {remedy}"
        )
    named = tuple(require_count("causes", c, remedy, minimum=1) for c in causes)
    if len(set(named)) < len(named):
        raise ParameterError(f"causes is {named}; each cause must stand once; remove the double")
    if seen - set(named):
        raise ParameterError(
            f"cause is {min(seen - set(named))}; causes names only "
            f"{', '.join(map(str, named)) or 'none'}; add it there, or recode it as censored "
            f"({CENSORED}) if it is to count as such"
        )
    return code, named


def aalen_johansen(
    time: ArrayLike, cause: ArrayLike, *, causes: Sequence[int] | None = None
) -> Incidence:
    r"""Estimate the cumulative incidence of every cause.

    Parameters
    ----------
    time : array_like
        Time of event or of censoring of each patient, shape (n,), >= 0, in any one unit.
    cause : array_like
        0 for censored, otherwise the number of the cause, shape (n,).
    causes : sequence of int, optional
        Causes to report, also when they did not happen; by default those in the data.

    Returns
    -------
    Incidence

    Raises
    ------
    ParameterError
        When there is no patient, a time is negative or not finite, shapes differ, a cause is not a
        whole number >= 0 or is missing from `causes`.

    Examples
    --------
    Five patients; the one at time 3 left the study, the one at time 4 died in remission.

    >>> curves = aalen_johansen([1, 2, 3, 4, 5], [1, 2, 0, 3, 1])
    >>> curves.at([2, 5], 1).round(3), curves.event_free_at(4).round(3)
    (array([0.2, 0.5]), np.float64(0.3))
    """
    t = require_non_negative("time", time, _UNIT)
    if t.ndim != 1 or t.size == 0:
        raise ParameterError(
            f"time has shape {t.shape}; it must be one list of at least one time; {_UNIT}"
        )
    code, named = _checked_causes(cause, t.size, causes)
    happened = code != CENSORED
    when, row = np.unique(t[happened], return_inverse=True)
    events = np.zeros((when.size, len(named)), dtype=np.int64)
    for column, number in enumerate(named):
        events[:, column] = np.bincount(row[code[happened] == number], minlength=when.size)
    # Those censored at the very time of an event were still at risk of it.
    at_risk = t.size - np.searchsorted(np.sort(t), when, side="left")

    hazard = events / at_risk[:, None]
    total = events.sum(axis=1)
    hazard_any = total / at_risk
    free = np.cumprod((at_risk - total) / at_risk)
    before = np.concatenate([[1.0], free[:-1]]) if when.size else free
    # Rounding of a long sum may step a hair over one.
    share = np.minimum(np.cumsum(before[:, None] * hazard, axis=0), 1.0)
    any_share = 1.0 - free
    variance = [
        _variance(share[:, j], before, hazard[:, j], hazard_any, at_risk) for j in range(len(named))
    ]
    return Incidence(
        causes=named,
        time=when,
        at_risk=at_risk,
        events=events,
        share=share,
        std_error=np.sqrt(np.array(variance)).T.reshape(when.size, len(named)),
        event_free=free,
        event_free_std_error=np.sqrt(_variance(any_share, before, hazard_any, hazard_any, at_risk)),
        patients=int(t.size),
        censored=np.sort(t[~happened]),
        longest=float(t.max()),
    )


def kaplan_meier(time: ArrayLike, event: ArrayLike) -> Incidence:
    """Estimate the probability of being event-free: the one-cause case of `aalen_johansen`.

    Parameters
    ----------
    time : array_like
        Time of event or of censoring of each patient, shape (n,), >= 0, in any one unit.
    event : array_like
        True, 1 or any cause where the event happened; False or 0 where the patient was censored;
        shape (n,).

    Returns
    -------
    Incidence
        With the one cause 1; the curve is `Incidence.event_free_at`.

    Raises
    ------
    ParameterError
        As `aalen_johansen`.

    Examples
    --------
    >>> curve = kaplan_meier([1, 2, 3, 4], [1, 0, 1, 0])
    >>> curve.event_free_at([0, 1, 3]).tolist()
    [1.0, 0.75, 0.375]
    """
    t = require_non_negative("time", time, _UNIT)
    marks = np.asarray(event)
    code, _ = _checked_causes(marks.astype(int) if marks.dtype == bool else event, t.size, None)
    return aalen_johansen(time, np.minimum(code, 1), causes=(1,))
