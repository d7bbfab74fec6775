r"""Sample size of differences at a month: of incidences, of curves, of restricted means.

Each is estimated by a curve: the Aalen–Johansen estimate of an incidence, the Kaplan–Meier
estimate of event-free survival, or the area under that up to the month. Per patient of an arm,
with :math:`y` the probability of being at risk, :math:`S` the event-free share, :math:`F` the
incidence of the cause and :math:`R(s) = \int_s^t S`, their variances are in a large trial

.. math::

    \int \frac{S^2 - 2S\,(F(t)-F)}{y}\,d\Lambda_1 + \int \frac{(F(t)-F)^2}{y}\,d\Lambda

and, for a restricted mean, :math:`\int (R^2/y)\,d\Lambda`.

The standard errors that such an analysis prints estimate the same, so that
:math:`N = z^2\,(v_0/(1-p) + v_1/p)/\Delta^2` with the difference :math:`\Delta`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from car_relapse.errors import (
    ParameterError,
    require_count,
    require_instance,
    require_positive,
)
from car_relapse.followup import Cause
from car_relapse.trial.sample_size.calendar import Calendar
from car_relapse.trial.sample_size.events import allocation, inside, normal_sum
from car_relapse.trial.sample_size.score import check_cause, grid
from car_relapse.trial.virtual.biology import Biology, checked_biology

__all__ = ["Difference", "difference_at"]

Floats = NDArray[np.float64]
Measure = Literal["incidence", "restricted mean"]


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A difference between two arms, and what its estimate varies by per patient of the trial."""

    control: float
    """The incidence, or the restricted mean in months, in the control arm."""
    experimental: float
    """The same in the experimental arm."""
    variance: float
    """Variance of the estimated difference, times the patients in both arms; infinite when hardly
    anybody is watched for so long."""

    @property
    def value(self) -> float:
        """Experimental less control."""
        return self.experimental - self.control

    def patients(self, *, alpha: float = 0.05, power: float = 0.8) -> float:
        """Return the patients in both arms together, not rounded; infinite without a difference.

        Parameters
        ----------
        alpha : float, optional
            Two-sided level.
        power : float, optional
            Power wanted.

        Raises
        ------
        ParameterError
            When an argument is not strictly between 0 and 1, or the power is below alpha / 2.
        """
        z = normal_sum(alpha, power)
        # What is equal in truth may differ by roundings, and no trial could tell.
        if abs(self.value) <= 1e-9 * max(abs(self.control), abs(self.experimental)):
            return math.inf
        return z**2 * self.variance / self.value**2

    def power(self, patients: float, *, alpha: float = 0.05) -> float:
        """Return the power of a number of patients, in the direction of the difference.

        Parameters
        ----------
        patients : int
            Patients in both arms together.
        alpha : float, optional
            Two-sided level.
        """
        n = require_count("patients", patients, "give a number of patients", minimum=1)
        z = float(ndtri(inside("alpha", alpha, "give the two-sided level, such as 0.05") / 2.0))
        if self.variance == 0.0:
            return float(self.value != 0.0)
        return float(ndtr(abs(self.value) * math.sqrt(n / self.variance) + z))


def difference_at(
    control: Biology,
    experimental: Biology,
    calendar: Calendar,
    month: float,
    *,
    cause: Cause | None = None,
    measure: Measure = "incidence",
    share: float = 0.5,
) -> Difference:
    """Return a difference between the arms at a month, from which follow size and power.

    Parameters
    ----------
    control, experimental : Biology
        Hazards of either arm.
    calendar : Calendar
        Accrual, follow-up and loss.
    month : float
        Month after a patient's entry at which the arms are compared; somebody must be watched so
        long.
    cause : Cause, optional
        The cause whose incidences are compared; by default any, which is event-free survival.
    measure : {"incidence", "restricted mean"}, optional
        What is compared: incidences, or mean event-free months up to `month`.
    share : float, optional
        Share of patients in the experimental arm.

    Returns
    -------
    Difference

    Raises
    ------
    ParameterError
        When an argument is of the wrong kind or out of range, an arm does not know the cause, a
        cause is given for a restricted mean, or nobody is watched until `month`.

    Examples
    --------
    With everybody followed, it is a comparison of two proportions, each with its own variance.

    >>> from car_relapse.trial.virtual import Decay
    >>> one, two = (
    ...     Biology.from_incidences({Cause.ANTIGEN_NEGATIVE: f}, shape=Decay(8), horizon=24)
    ...     for f in (0.25, 0.10)
    ... )
    >>> trial = Calendar(accrual=0, follow_up=24)
    >>> round(difference_at(one, two, trial, 24).patients(), 1)
    193.6
    """
    arms = (checked_biology("control", control), checked_biology("experimental", experimental))
    require_instance("calendar", calendar, Calendar, "give a Calendar")
    if not isinstance(measure, str) or measure not in ("incidence", "restricted mean"):
        raise ParameterError(
            f"measure is {measure!r}; it must be 'incidence' or 'restricted mean'; choose one"
        )
    check_cause(cause, arms)
    if cause is not None and measure == "restricted mean":
        raise ParameterError(
            f"cause is {cause.name}; a restricted mean counts any event; leave the cause out, or "
            "compare incidences"
        )
    part = allocation(share)
    end = float(
        require_positive("month", month, "count months from a patient's entry", scalar=True)
    )
    # Over an accrual those who reach its very end are nobody.
    if end > calendar.longest or (calendar.accrual > 0 and end == calendar.longest):
        raise ParameterError(
            f"month is {end:g}; patients are watched for less than {calendar.longest:g} months, or "
            "none so long; give an earlier month, or a longer follow-up"
        )
    (first, v0), (second, v1) = (_estimate(arm, calendar, end, cause, measure) for arm in arms)
    return Difference(control=first, experimental=second, variance=v0 / (1.0 - part) + v1 / part)


def _estimate(
    arm: Biology, calendar: Calendar, end: float, cause: Cause | None, measure: Measure
) -> tuple[float, float]:
    """Return what an arm's patients lead to, and its variance times their number."""
    points = grid(end)
    incidence = arm.incidence(points)
    total = incidence.sum(axis=0)
    free = 1.0 - total[1::2]
    risk = free * calendar.watched(points[1::2])
    # Where nobody is left, what remains of the steps is rounding.
    left = np.where(free > 0, free, np.inf)
    any_hazard = np.diff(total[::2]) / left
    if measure == "restricted mean":
        # The area after the middle of each cell, by the trapezoid rule on the fine grid.
        pieces = np.diff(points) * (2.0 - total[1:] - total[:-1]) / 2.0
        after = np.cumsum(pieces[::-1])[::-1][1::2]
        return float(pieces.sum()), float(np.sum(_spread(after**2 * any_hazard, risk)))
    share = total if cause is None else incidence[arm.causes.index(cause)]
    hazard = np.diff(share[::2]) / left
    later = share[-1] - share[1::2]
    terms = (free**2 - 2.0 * free * later) * hazard + later**2 * any_hazard
    return float(share[-1]), float(np.sum(_spread(terms, risk)))


def _spread(above: Floats, below: Floats) -> Floats:
    """Return terms of a variance: 0 where nothing varies, infinite where nobody is watched."""
    without = np.where(above > 0, np.inf, 0.0)
    with np.errstate(over="ignore"):
        return np.asarray(np.divide(above, below, out=without, where=below > 0))
