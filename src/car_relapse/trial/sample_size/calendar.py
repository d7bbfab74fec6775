r"""Accrual and follow-up in months, and how many of the events a trial gets to see.

Patients enter evenly over the accrual :math:`a`; the data are looked at a follow-up :math:`f`
after the last one has entered, so that each could be watched for a time between :math:`f` and
:math:`a+f`. Patients are lost at a constant rate. With hazards that are constant, too, and sum with
that rate to :math:`\lambda`, an event of the cause with the hazard :math:`\lambda_1` is seen with
probability (Pintilie 2002, doi:10.1002/sim.1271, DOI not checked)

.. math:: \frac{\lambda_1}{\lambda}
    \left[1 - \frac{e^{-\lambda f} - e^{-\lambda(a+f)}}{\lambda a}\right].
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import exprel

from car_relapse.errors import (
    ParameterError,
    require_fraction,
    require_instance,
    require_non_negative,
    require_positive,
)
from car_relapse.trial.sample_size.events import (
    allocation,
    freedman_events,
    schoenfeld_events,
)

__all__ = [
    "Calendar",
    "Size",
    "constant_rate",
    "event_probability",
    "logrank_size",
]

_MONTHS = "give months"
_RATE = "give events per month and patient at risk"


@dataclass(frozen=True, kw_only=True)
class Calendar:
    """When patients enter, how long the last of them is followed, and how many are lost.

    Examples
    --------
    >>> trial = Calendar(accrual=24, follow_up=12)
    >>> trial.watched([12, 24, 36]).tolist()
    [1.0, 0.5, 0.0]
    """

    accrual: float
    """Months over which patients enter evenly; 0 when all enter at once."""
    follow_up: float
    """Months from the last entry to the analysis."""
    loss: float = 0.0
    """Rate at which patients are lost to follow-up, per month."""

    def __post_init__(self) -> None:
        """Check the numbers."""
        a = float(require_non_negative("accrual", self.accrual, _MONTHS, scalar=True))
        f = float(require_non_negative("follow_up", self.follow_up, _MONTHS, scalar=True))
        require_non_negative("loss", self.loss, "give a rate per month", scalar=True)
        if a + f == 0.0:
            raise ParameterError(
                "accrual and follow_up are both 0; nobody would be followed; give at least one of "
                "them in months"
            )

    @property
    def longest(self) -> float:
        """Months for which the first patient is watched."""
        return self.accrual + self.follow_up

    def watched(self, months: ArrayLike) -> NDArray[np.float64]:
        """Return the share of patients who entered so long ago and were not lost meanwhile.

        Parameters
        ----------
        months : array_like
            Months since a patient's own entry.

        Returns
        -------
        ndarray
            Probability in [0, 1], as if there were no events.
        """
        t = require_non_negative("months", months, "count months from a patient's entry")
        if self.accrual > 0:
            # An accrual of next to nothing may make this infinite, which is clipped as well.
            with np.errstate(over="ignore"):
                entered = np.clip((self.longest - t) / self.accrual, 0.0, 1.0)
        else:
            entered = (t <= self.follow_up).astype(float)
        return np.asarray(entered * np.exp(-self.loss * t))


def constant_rate(share: float, months: float) -> float:
    """Return the constant rate at which a share of patients is gone after some months.

    Parameters
    ----------
    share : float
        Share that has the event, or is lost, within `months`, in [0, 1).
    months : float
        Months, > 0.

    Returns
    -------
    float
        Rate per month.

    Raises
    ------
    ParameterError
        When the share is 1 or more, or the time not positive.

    Examples
    --------
    >>> round(constant_rate(0.05, 12), 6)
    0.004274
    """
    part = float(require_fraction("share", share, "give a share below 1", scalar=True))
    time = float(require_positive("months", months, _MONTHS, scalar=True))
    if part == 1.0:
        raise ParameterError(
            "share is 1; no constant rate takes everybody in a finite time; give a share below 1"
        )
    return -math.log1p(-part) / time


def event_probability(rate: float, calendar: Calendar, *, other_rate: float = 0.0) -> float:
    """Return the probability that a patient's event of one cause happens and is seen.

    Parameters
    ----------
    rate : float
        Constant hazard of the cause, per month.
    calendar : Calendar
        Accrual, follow-up and loss.
    other_rate : float, optional
        Constant hazard of all other causes together, per month.

    Returns
    -------
    float
        Probability in [0, 1].

    Raises
    ------
    ParameterError
        When a rate is negative.

    Examples
    --------
    Of a hazard of 1.44 % a month, other causes take a fifth of the events away.

    >>> trial = Calendar(accrual=24, follow_up=24)
    >>> [round(event_probability(0.0144, trial, other_rate=r), 3) for r in (0.0, 0.0116)]
    [0.402, 0.333]
    """
    own = float(require_non_negative("rate", rate, _RATE, scalar=True))
    other = float(require_non_negative("other_rate", other_rate, _RATE, scalar=True))
    require_instance("calendar", calendar, Calendar, "give a Calendar")
    total = own + other + calendar.loss
    a, f = calendar.accrual, calendar.follow_up
    # The mean of (1 - e^(-total w)) / total over the times w for which a patient is watched,
    # written so that a small rate loses no digits: the part up to f, and what follows it.
    before = f * float(exprel(-total * f))
    x = total * a
    # (1 - (1 - e^-x)/x) / x, whose value at 0 is 1/2.
    after = 0.5 - x / 6.0 if x < 1e-5 else (1.0 - float(exprel(-x))) / x
    return min(own * (before + math.exp(-total * f) * a * after), 1.0)


@dataclass(frozen=True, kw_only=True)
class Size:
    """How large a trial must be."""

    events: float
    """Events of the cause of interest in both arms together, not rounded."""
    patients: float
    """Patients in both arms together, not rounded; infinite when no number is enough."""
    seen_control: float
    """Probability that an event of a control patient is seen."""
    seen_experimental: float
    """The same in the experimental arm."""


def logrank_size(
    rate: float,
    hazard_ratio: float,
    calendar: Calendar,
    *,
    other_rate: float | tuple[float, float] = 0.0,
    method: Literal["schoenfeld", "freedman"] = "schoenfeld",
    alpha: float = 0.05,
    power: float = 0.8,
    share: float = 0.5,
) -> Size:
    """Return how many patients a log-rank test needs when hazards are constant.

    The events of `schoenfeld_events` or `freedman_events`, divided by the probability that a
    patient's event is seen. With other causes it is the test of the cause-specific hazard.

    Parameters
    ----------
    rate : float
        Hazard of the cause of interest in the control arm, per month, > 0.
    hazard_ratio : float
        What the experimental treatment multiplies it with, > 0.
    calendar : Calendar
        Accrual, follow-up and loss.
    other_rate : float or (float, float), optional
        Hazard of all other causes together, per month; of both arms, or of control and
        experimental arm.
    method : {"schoenfeld", "freedman"}, optional
        Formula for the number of events.
    alpha : float, optional
        Two-sided level.
    power : float, optional
        Power wanted.
    share : float, optional
        Share of patients in the experimental arm.

    Returns
    -------
    Size

    Raises
    ------
    ParameterError
        When an argument is out of range, or the formula is not one of the two.

    Examples
    --------
    >>> trial = Calendar(accrual=24, follow_up=24)
    >>> round(logrank_size(constant_rate(0.5, 12), 0.6, trial).patients, 1)
    153.3
    """
    formulas = {"schoenfeld": schoenfeld_events, "freedman": freedman_events}
    if not isinstance(method, str) or method not in formulas:
        raise ParameterError(
            f"method is {method!r}; it must be 'schoenfeld' or 'freedman'; choose one of them"
        )
    events = formulas[method](hazard_ratio, alpha=alpha, power=power, share=share)
    control = float(require_positive("rate", rate, _RATE, scalar=True))
    others = require_non_negative("other_rate", other_rate, _RATE)
    if others.shape not in ((), (2,)):
        raise ParameterError(
            f"other_rate has shape {others.shape}; it must be one rate, or one per arm; {_RATE}"
        )
    first, second = (float(x) for x in np.broadcast_to(others, 2))
    seen = event_probability(control, calendar, other_rate=first)
    seen_experimental = event_probability(
        control * float(hazard_ratio), calendar, other_rate=second
    )
    part = allocation(share)
    mean = (1.0 - part) * seen + part * seen_experimental
    return Size(
        events=events,
        patients=events / mean if mean > 0 else math.inf,
        seen_control=seen,
        seen_experimental=seen_experimental,
    )
