r"""Sample size of rank tests when hazards are not proportional.

The log-rank test compares the events of the experimental arm with what they would be if all
patients shared one hazard. Per patient of the trial, with :math:`\pi_i` the probability of being in
arm :math:`i` and at risk, :math:`\pi = \pi_0 + \pi_1`, :math:`\Lambda_i` the cumulative hazards,
:math:`w` a weight and :math:`a_i = w\,\pi_{1-i}/\pi`, that score has the mean

.. math:: \mu = \int w\,\frac{\pi_0\pi_1}{\pi}\,(d\Lambda_1 - d\Lambda_0)

and, as the test estimates it, the variance
:math:`\sigma_0^2 = \int w^2\frac{\pi_0\pi_1}{\pi}\,d\bar\Lambda` with
:math:`\pi\,d\bar\Lambda = \pi_0\,d\Lambda_0 + \pi_1\,d\Lambda_1`. Its true variance
:math:`\sigma_1^2` is that of :math:`\pm(a_i(T)\,\delta - \int_0^T a_i\,d\bar\Lambda)` over the
patients, so that

.. math:: N = \frac{(z_{1-\alpha/2}\,\sigma_0 + z_{1-\beta}\,\sigma_1)^2}{\mu^2} .

This needs neither proportional nor similar hazards, and does without the assumption of a small
effect that makes Schoenfeld's formula too small at hazard ratios below one half. That the two
variances of a weighted log-rank test differ, and how to find the second, is in Yung and Liu
(doi:10.1111/biom.13196); here the formulas are derived anew.

At risk of a cause-specific hazard is who had no event yet. At risk of a subdistribution hazard is
who had no event of *that* cause: the others stay in the risk set until they would have left the
study. The second is the scale of Gray's test.

Times are in months.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq
from scipy.special import ndtr, ndtri

from car_relapse.errors import (
    ParameterError,
    require_count,
    require_instance,
    require_non_negative,
)
from car_relapse.followup import Cause
from car_relapse.trial.sample_size.calendar import Calendar
from car_relapse.trial.sample_size.events import allocation, inside, normal_sum
from car_relapse.trial.virtual.biology import Biology, checked_biology

__all__ = ["RankTest", "expected_events", "rank_test"]

Floats = NDArray[np.float64]
Scale = Literal["cause", "subdistribution"]

# Cells of the grid, finer near the start, where hazards are high: cells of width 2 T k / n².
_CELLS = 1500


@dataclass(frozen=True, kw_only=True)
class RankTest:
    """Mean and variances of a log-rank score, per patient of the trial."""

    mean: float
    r"""Mean :math:`\mu` of the score; negative when the experimental arm has fewer events."""
    variance: float
    r"""Variance :math:`\sigma_0^2` as the test estimates it."""
    true_variance: float
    r"""Variance :math:`\sigma_1^2` that the score has."""
    seen: float
    """Probability that a patient's event of the cause is seen, both arms together."""
    hazard_ratio: float
    """Hazard ratio that Cox's model settles on in a large trial: 0 or infinite where only one arm
    has events, 1 where neither has. It depends on the calendar unless hazards are proportional."""

    def patients(self, *, alpha: float = 0.05, power: float = 0.8) -> float:
        """Return the patients in both arms together, not rounded; infinite without an effect.

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
        normal_sum(alpha, power)
        z0, z1 = -float(ndtri(alpha / 2.0)), float(ndtri(power))
        if self.mean == 0.0:
            return math.inf
        total = z0 * math.sqrt(self.variance) + z1 * math.sqrt(self.true_variance)
        return (total / self.mean) ** 2

    def events(self, *, alpha: float = 0.05, power: float = 0.8) -> float:
        """Return the events seen in both arms together, infinite without an effect.

        Parameters and errors as `patients`.
        """
        need = self.patients(alpha=alpha, power=power)
        return need * self.seen if math.isfinite(need) else need

    def power(self, patients: float, *, alpha: float = 0.05) -> float:
        """Return the power of a number of patients, in the direction of the effect.

        Parameters
        ----------
        patients : int
            Patients in both arms together.
        alpha : float, optional
            Two-sided level.
        """
        n = require_count("patients", patients, "give a number of patients", minimum=1)
        z = float(ndtri(inside("alpha", alpha, "give the two-sided level, such as 0.05") / 2.0))
        if self.variance == 0.0 or self.true_variance == 0.0:
            return 0.0
        distance = abs(self.mean) * math.sqrt(n) + z * math.sqrt(self.variance)
        return float(ndtr(distance / math.sqrt(self.true_variance)))


@dataclass(frozen=True)
class _Flow:
    """One arm along the cells of a grid, per patient of the arm."""

    risk: Floats
    """Probability of being at risk in the middle of each cell."""
    hazard: Floats
    """Increment of the cumulative hazard in each cell."""

    @property
    def events(self) -> Floats:
        """Probability of an event that is seen in each cell."""
        return self.risk * self.hazard


def grid(longest: float) -> Floats:
    """Return the edges of the cells, and between each two of them their middle, months."""
    edges = longest * (np.arange(_CELLS + 1) / _CELLS) ** 2
    points = np.empty(2 * _CELLS + 1)
    points[::2], points[1::2] = edges, (edges[1:] + edges[:-1]) / 2.0
    return points


def _flow(arm: Biology, calendar: Calendar, cause: Cause | None, scale: Scale) -> _Flow:
    points = grid(calendar.longest)
    incidence = arm.incidence(points)
    event_free = 1.0 - incidence.sum(axis=0)
    share = incidence.sum(axis=0) if cause is None else incidence[arm.causes.index(cause)]
    left = (1.0 - share if scale == "subdistribution" else event_free)[1::2]
    step = np.diff(share[::2])
    hazard = np.divide(step, left, out=np.zeros_like(step), where=left > 0)
    return _Flow(risk=left * calendar.watched(points[1::2]), hazard=np.maximum(hazard, 0.0))


def _score_variance(flow: _Flow, reach: Floats, common: Floats) -> float:
    """Return the variance over the patients of one arm of a(T) δ - ∫ a dΛ̄."""
    drift = np.cumsum(reach * common) - reach * common / 2.0
    squares = (reach**2 - 2.0 * reach * drift) * flow.events + 2.0 * (
        drift * flow.risk * reach * common
    )
    mean = np.sum(reach * (flow.events - flow.risk * common))
    return float(squares.sum() - mean**2)


def _settled_ratio(flows: tuple[_Flow, _Flow], parts: tuple[float, float]) -> float:
    """Return the hazard ratio at which Cox's score has the mean 0."""
    risk = [part * flow.risk for part, flow in zip(parts, flows, strict=True)]
    events = [r * flow.hazard for r, flow in zip(risk, flows, strict=True)]
    total = [float(e.sum()) for e in events]
    if min(total) == 0.0:
        return 1.0 if max(total) == 0.0 else math.inf if total[1] > 0 else 0.0
    every, second = events[0] + events[1], total[1]
    on = every > 0

    def score(log_ratio: float) -> float:
        above = risk[1][on] * math.exp(log_ratio)
        return second - float(np.sum(above / (risk[0][on] + above) * every[on]))

    ends = (-300.0, 300.0)
    if score(ends[0]) * score(ends[1]) >= 0.0:
        # The arms' events come at times when the other arm has nobody at risk.
        return 0.0 if abs(score(ends[0])) < abs(score(ends[1])) else math.inf
    return math.exp(float(brentq(score, *ends, xtol=1e-12)))


def rank_test(
    control: Biology,
    experimental: Biology,
    calendar: Calendar,
    *,
    cause: Cause | None = None,
    scale: Scale = "cause",
    weights: tuple[float, float] = (0.0, 0.0),
    share: float = 0.5,
) -> RankTest:
    r"""Return the mean and variances of a log-rank score, from which follow size and power.

    Parameters
    ----------
    control, experimental : Biology
        Hazards of either arm; of any shapes, and known for as long as the trial watches.
    calendar : Calendar
        Accrual, follow-up and loss.
    cause : Cause, optional
        The cause whose hazards are compared; by default any event.
    scale : {"cause", "subdistribution"}, optional
        Cause-specific hazards, or the subdistribution hazards of Gray's test. With random loss
        the latter is an approximation: a real trial does not know when a patient who had another
        event would have been lost.
    weights : (float, float), optional
        Exponents :math:`\rho` and :math:`\gamma` of Fleming and Harrington's weight
        :math:`\bar S^\rho(1-\bar S)^\gamma`, with :math:`\bar S` the curve of both arms together
        on the chosen scale: (0, 1) for effects that come late.
    share : float, optional
        Share of patients in the experimental arm.

    Returns
    -------
    RankTest

    Raises
    ------
    ParameterError
        When an argument is of the wrong kind or out of range, an arm does not know the cause, or
        its hazards are not known for as long as the calendar asks.

    Examples
    --------
    A hazard that halves after six months, so that no hazard ratio is the same at all times.

    >>> from car_relapse.trial.virtual import Piecewise
    >>> def arm(late):
    ...     shape = Piecewise(breaks=(0, 6, float("inf")), rates=(0.04, late))
    ...     return Biology.from_hazards(
    ...         {Cause.DEATH: float(shape.cumulative(24))}, shape=shape, horizon=24
    ...     )
    >>> test = rank_test(arm(0.04), arm(0.02), Calendar(accrual=12, follow_up=24))
    >>> round(test.hazard_ratio, 2), round(test.patients())
    (0.64, 264)
    """
    arms = (checked_biology("control", control), checked_biology("experimental", experimental))
    require_instance("calendar", calendar, Calendar, "give a Calendar")
    if not isinstance(scale, str) or scale not in ("cause", "subdistribution"):
        raise ParameterError(
            f"scale is {scale!r}; it must be 'cause' or 'subdistribution'; choose one of them"
        )
    check_cause(cause, arms)
    exponents = require_non_negative("weights", weights, "give the two exponents of the weight")
    if exponents.shape != (2,) or exponents.max() > 10.0:
        raise ParameterError(
            f"weights is {weights!r}; it must be two exponents from 0 to 10; give (0, 0) for the "
            "log-rank test"
        )
    part = allocation(share)
    parts = (1.0 - part, part)
    flows = tuple(_flow(arm, calendar, cause, scale) for arm in arms)
    first, second = flows[0], flows[1]
    risk0, risk1 = parts[0] * first.risk, parts[1] * second.risk
    everyone = risk0 + risk1
    events = risk0 * first.hazard + risk1 * second.hazard
    on = everyone > 0
    common = np.divide(events, everyone, out=np.zeros_like(events), where=on)
    pooled = np.exp(-(np.cumsum(common) - common / 2.0))
    weight = pooled ** exponents[0] * (1.0 - pooled) ** exponents[1]
    reach0 = weight * np.divide(risk1, everyone, out=np.zeros_like(risk1), where=on)
    reach1 = weight * np.divide(risk0, everyone, out=np.zeros_like(risk0), where=on)
    mean = float(np.sum(reach0 * risk0 * (second.hazard - first.hazard)))
    variance = float(np.sum(weight * reach0 * risk0 * common))
    # What a grid leaves of equal hazards would need more patients than there are people.
    if abs(mean) <= 1e-6 * math.sqrt(variance):
        mean = 0.0
    true = parts[0] * _score_variance(first, reach0, common)
    true += parts[1] * _score_variance(second, reach1, common)
    return RankTest(
        mean=mean,
        variance=variance,
        true_variance=true,
        seen=float(events.sum()),
        hazard_ratio=_settled_ratio((first, second), parts),
    )


def check_cause(cause: Cause | None, arms: tuple[Biology, Biology]) -> None:
    """Raise unless both arms know the cause; None is any event."""
    if cause is None:
        return
    require_instance("cause", cause, Cause, "give a Cause, or None for any event")
    for name, arm in zip(("control", "experimental"), arms, strict=True):
        if cause not in arm.causes:
            raise ParameterError(
                f"cause is {cause.name}; the {name} arm has "
                f"{', '.join(c.name for c in arm.causes)}; choose a cause that both arms have"
            )


def expected_events(
    control: Biology,
    experimental: Biology,
    calendar: Calendar,
    months: ArrayLike,
    *,
    cause: Cause | None = None,
    share: float = 0.5,
) -> Floats:
    """Return the expected events by a month of the calendar, per patient of the whole trial.

    The information of an interim analysis is what it has of the events of the last one. Causes
    differ in that: half of the relapses is not half of the antigen-negative ones.

    Parameters
    ----------
    control, experimental : Biology
        Hazards of either arm.
    calendar : Calendar
        Accrual, follow-up and loss.
    months : array_like
        Months since the first patient entered, > 0, at most accrual and follow-up together.
    cause : Cause, optional
        The cause whose events are counted; by default any.
    share : float, optional
        Share of patients in the experimental arm.

    Returns
    -------
    ndarray
        Events for each patient of the trial, entered by then or not, in the shape of `months`.

    Raises
    ------
    ParameterError
        As `rank_test`, and when a month is not within the trial.

    Examples
    --------
    >>> from car_relapse.trial.virtual import Decay
    >>> causes = (Cause.ANTIGEN_NEGATIVE, Cause.ANTIGEN_POSITIVE)
    >>> one, two = (
    ...     Biology.from_incidences(dict(zip(causes, f)), shape=Decay(8), horizon=24)
    ...     for f in ((0.25, 0.20), (0.10, 0.20))
    ... )
    >>> trial = Calendar(accrual=24, follow_up=12)
    >>> events = expected_events(one, two, trial, [12, 24, 36])
    >>> (events / events[-1]).round(2).tolist()
    [0.28, 0.76, 1.0]
    """
    arms = (checked_biology("control", control), checked_biology("experimental", experimental))
    require_instance("calendar", calendar, Calendar, "give a Calendar")
    check_cause(cause, arms)
    part = allocation(share)
    when = require_non_negative("months", months, "count months from the first entry")
    if np.any((when == 0) | (when > calendar.longest)):
        raise ParameterError(
            f"months is {np.asarray(months).tolist()!r}; the trial lasts from 0 to "
            f"{calendar.longest:g} months; give months within"
        )
    found = np.empty(when.size)
    for place, month in enumerate(when.ravel()):
        entered = min(month / calendar.accrual, 1.0) if calendar.accrual else 1.0
        so_far = Calendar(
            accrual=min(calendar.accrual, float(month)),
            follow_up=max(float(month) - calendar.accrual, 0.0),
            loss=calendar.loss,
        )
        first, second = (_flow(arm, so_far, cause, "cause").events.sum() for arm in arms)
        found[place] = entered * ((1.0 - part) * first + part * second)
    return found.reshape(when.shape)
