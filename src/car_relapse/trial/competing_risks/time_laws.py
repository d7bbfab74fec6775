r"""Smooth laws of event times, with or without patients who are cured.

The event-free probability is

.. math:: S(t) = \pi + (1-\pi)\,e^{-(t/s)^k},

with the cured fraction :math:`\pi`, the scale s, and the shape k (1 for the exponential law). The
times of those not cured follow a Weibull law: their hazard falls when :math:`k<1` and rises when
:math:`k>1`. Cured and not cured patients look alike until the event comes, so the two can be told
apart only when the curve has visibly reached its plateau within follow-up; otherwise a fit with a
cured fraction says more about the law than about cure.

Records may be known times, intervals, or both (`interval_censored`): a known time adds its
density to the likelihood, an interval the probability that the event falls into it. Parameters
are fitted, and their standard errors given, on the scales :math:`\ln s`, :math:`\ln k` and
:math:`\ln(\pi/(1-\pi))`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, logit

from car_relapse.errors import ParameterError, require_non_negative
from car_relapse.trial.competing_risks._endpoint import endpoint
from car_relapse.trial.competing_risks.interval_censored import checked_intervals

__all__ = ["TimeLaw", "mixture_cure", "time_law"]

Floats = NDArray[np.float64]
Law = Literal["exponential", "weibull"]

_SHAPES = (-4.0, 4.0)
"""Bounds of the log shape: a law beyond them is a point, or no law."""
_SCALES = (-25.0, 25.0)
"""Bounds of the log of the scale, in units of a typical time."""
_LOGITS = (-12.0, 12.0)
"""Bounds of the logit of the cured fraction; at the lower one nobody is cured."""

_BOUNDS = (_LOGITS, _SHAPES, _SCALES)
_UNBOUNDED = 30.0
"""A log shape or log scale with a larger standard error has not been estimated."""


@dataclass(frozen=True, kw_only=True)
class TimeLaw:
    """A fitted law of event times."""

    cured: float
    """Fraction who never have the event, in [0, 1); 0 when the law has none."""
    shape: float
    """Shape of the law of those not cured, > 0; 1 for the exponential law."""
    scale: float
    """Scale of that law, > 0, in the unit of the data: the time by which a fraction 1 - 1/e of
    those not cured have had the event."""
    log_likelihood: float
    """Log of the maximised likelihood; densities are per unit of time."""
    logit_cured_std_error: float
    """Standard error of the logit of `cured`; 0 when the law has no cured fraction, infinite when
    the data prefer none."""
    log_shape_std_error: float
    """Standard error of the log of `shape`; 0 for the exponential law."""
    log_scale_std_error: float
    """Standard error of the log of `scale`."""
    patients: int
    """Number of patients."""
    events: int
    """Patients who had the event."""

    @property
    def rate(self) -> float:
        """One over the scale: the hazard of those not cured, if the law is exponential."""
        return 1.0 / self.scale

    def event_free_at(self, times: ArrayLike) -> Floats:
        """Return the event-free probability at `times`, in [0, 1], in their shape.

        Raises
        ------
        ParameterError
            When a time is negative or not finite.
        """
        t = require_non_negative("times", times, "count from the start of follow-up")
        with np.errstate(over="ignore"):
            hazard = np.power(t / self.scale, self.shape)
        return np.asarray(self.cured + (1.0 - self.cured) * np.exp(-hazard))


def _hazards(t: Floats, shape: float, scale: float) -> tuple[Floats, Floats]:
    """Return the cumulative hazards and their derivatives by log shape and by log scale."""
    some = (t > 0.0) & np.isfinite(t)
    log = np.log(np.where(some, t, scale) / scale)
    # Far from the data the exponent is held, so that squares of the sums stay numbers.
    total = np.where(some, np.exp(np.minimum(shape * log, 100.0)), 0.0)
    return total, np.stack([shape * log * total, -shape * total])


def _log_likelihood(
    left: Floats, right: Floats, logit: float, log_shape: float, log_scale: float
) -> tuple[float, Floats]:
    """Return the log-likelihood and its derivatives by the three parameters."""
    shape, scale = np.exp(log_shape), np.exp(log_scale)
    cured = 1.0 / (1.0 + np.exp(-logit)) if np.isfinite(logit) else 0.0
    log_cured = -np.logaddexp(0.0, -logit) if np.isfinite(logit) else -np.inf
    log_other = -np.logaddexp(0.0, logit) if np.isfinite(logit) else 0.0
    low, low_slope = _hazards(left, shape, scale)
    high, high_slope = _hazards(right, shape, scale)

    exact, seen = left == right, np.isfinite(right)
    log_t = np.log(np.where(exact, left, scale) / scale)
    density = log_shape - log_scale + (shape - 1.0) * log_t - low
    density_slope = np.stack([1.0 + shape * log_t, np.full(log_t.shape, -shape)]) - low_slope

    width = np.where(seen & ~exact, np.clip(high - low, 1e-300, 1e3), 1.0)
    between = -low + np.log(-np.expm1(-width))
    between_slope = -low_slope + (high_slope - low_slope) / np.expm1(np.minimum(width, 700.0))

    free = np.logaddexp(log_cured, log_other - low)
    doomed = np.exp(log_other - low - free)
    free_slope = -doomed * low_slope

    value = np.where(seen, log_other + np.where(exact, density, between), free)
    slope = np.where(seen, np.where(exact, density_slope, between_slope), free_slope)
    by_logit = np.where(seen, -cured, 1.0 - doomed - cured)
    return float(value.sum()), np.array([by_logit.sum(), *slope.sum(axis=1)])


@dataclass(frozen=True, kw_only=True, eq=False)
class _Model:
    """Which of the three parameters are fitted to which records."""

    left: Floats
    right: Floats
    """Ends of the records, in units of a typical time."""
    fitted: NDArray[np.bool_]
    """Whether logit, log shape and log scale are fitted; one that is not is -infinity, 0, ..."""

    def _all(self, free: Floats) -> Floats:
        values = np.array([-np.inf, 0.0, 0.0])
        values[self.fitted] = free
        return values

    def value(self, free: Floats) -> tuple[float, Floats]:
        """Return minus the log-likelihood, and its derivatives."""
        value, slope = _log_likelihood(self.left, self.right, *self._all(free))
        return -value, -slope[self.fitted]

    def information(self, free: Floats) -> Floats:
        """Return the matrix of second derivatives, by central differences of the first."""
        steps = 1e-5 * np.eye(free.size)
        rows = [(self.value(free + h)[1] - self.value(free - h)[1]) / 2e-5 for h in steps]
        return np.asarray((np.array(rows) + np.array(rows).T) / 2.0)

    def best(self, start: tuple[float, float, float]) -> tuple[Floats, float]:
        """Climb from `start`; return the most likely parameters, and minus their log-likelihood."""
        low, high = np.array(_BOUNDS)[self.fitted].T
        here = np.clip(np.array(start)[self.fitted], low, high)
        height, slope = self.value(here)
        for _ in range(100):
            # Newton's step, turned downhill where the likelihood is not a hill, and bounded.
            curvature, axes = np.linalg.eigh(self.information(here))
            step = axes @ ((axes.T @ slope) / np.maximum(np.abs(curvature), 1e-9))
            step *= min(1.0, 2.0 / max(float(np.abs(step).max()), 1e-300))
            while True:
                there = np.clip(here - step, low, high)
                value, new_slope = self.value(there)
                if value <= height or np.abs(step).max() < 1e-12:
                    break
                step = step / 2.0
            moved = float(np.abs(there - here).max())
            if value <= height:
                here, height, slope = there, value, new_slope
            if moved < 1e-9:
                break
        return here, height


def _plateau(right: Floats) -> float:
    """Return the share of patients without the event, as a start for the cured fraction."""
    share = float(np.mean(~np.isfinite(right)))
    return min(max(share, 0.02), 0.98)


def _fit(left: Floats, right: Floats, law: Law, cure: bool) -> TimeLaw:
    if law not in ("exponential", "weibull"):
        raise ParameterError(
            f"law is {law!r}; it must be 'exponential' or 'weibull'; choose one of them"
        )
    exact, seen = left == right, np.isfinite(right)
    if not seen.any():
        raise ParameterError(
            "right is infinite for everybody; nobody had the event, and nothing says how long it "
            "takes; give an exact interval for none out of all patients instead"
        )
    if np.any(exact & (left == 0.0)):
        raise ParameterError(
            "left and right are 0 for some patient; a law of times gives time 0 no density; leave "
            "out patients without remission, or give the interval from 0 to the first visit"
        )
    unit = float(np.median(np.where(exact, left, (left + right) / 2.0)[seen]))
    constant = -float(exact.sum() * np.log(unit))
    fitted = np.array([cure, law == "weibull", True])
    model = _Model(left=left / unit, right=right / unit, fitted=fitted)
    followed = np.where(seen, right, left) / unit
    per_event = float(np.log(max(followed.sum() / seen.sum(), 1e-9)))
    plateau = _plateau(right)
    starts = [(0.0, 0.0, per_event)]
    if cure:
        # From all who are left being cured, and from half of them.
        starts = [(float(logit(share)), 0.0, 0.0) for share in (plateau, plateau / 2.0)]
    here, height = min((model.best(start) for start in starts), key=lambda found: found[1])
    if cure:
        plain = _fit(left, right, law, cure=False)
        if here[0] <= _LOGITS[0] or constant - height <= plain.log_likelihood + 1e-6:
            return replace(plain, logit_cured_std_error=np.inf)
    low, high = np.array(_BOUNDS)[fitted].T
    information = model.information(here)
    hill = np.all((low < here) & (here < high)) and np.linalg.eigvalsh(information)[0] > 0.0
    error = np.zeros(3)
    if hill:
        error[fitted] = np.sqrt(np.diag(np.linalg.inv(information)))
    # The cured fraction may be known as badly as it will: a plateau of nearly 0 has no logit.
    if not hill or error[1:].max() > _UNBOUNDED:
        raise ParameterError(
            f"the likelihood of the {law} law{' with a cured fraction' if cure else ''} has no "
            "single maximum for these data; the times are too few, too equal, or follow-up ends "
            "before the curve is flat; fit a law with fewer parameters"
        )
    values = np.array([-np.inf, 0.0, 0.0])
    values[fitted] = here
    return TimeLaw(
        cured=float(expit(values[0])),
        shape=float(np.exp(values[1])),
        scale=float(np.exp(values[2]) * unit),
        log_likelihood=constant - height,
        logit_cured_std_error=float(error[0]),
        log_shape_std_error=float(error[1]),
        log_scale_std_error=float(error[2]),
        patients=int(left.size),
        events=int(seen.sum()),
    )


def time_law(left: ArrayLike, right: ArrayLike, *, law: Law, cure: bool = False) -> TimeLaw:
    """Fit a law to times that are known up to intervals, by maximum likelihood.

    Parameters
    ----------
    left : array_like
        Last time at which each patient was known to be event-free, shape (patients,), >= 0,
        months or any one unit.
    right : array_like
        First time at which the event was known to have happened; infinity when it was never seen;
        `left` when the time is known, which must then be > 0.
    law : {"exponential", "weibull"}
        Law of the times of those not cured.
    cure : bool, optional
        Whether the law has a cured fraction.

    Returns
    -------
    TimeLaw

    Raises
    ------
    ParameterError
        When the data are malformed, nobody had the event, or the likelihood has no maximum.

    Examples
    --------
    >>> fit = time_law([0, 1, 1, 3, 6], [1, 3, 6, 6, float("inf")], law="exponential")
    >>> round(fit.rate, 3)
    0.255
    """
    start, stop = checked_intervals(left, right)
    return _fit(start, stop, law, bool(cure))


def mixture_cure(
    time: ArrayLike, cause: ArrayLike, *, law: Law = "exponential", of: int | None = None
) -> TimeLaw:
    """Fit a law with a cured fraction to times of events and of censoring.

    Parameters
    ----------
    time : array_like
        Time of event or of censoring, shape (patients,), >= 0 and > 0 for events, months or any
        one unit.
    cause : array_like
        0 for censored, otherwise the number of the cause, shape (patients,).
    law : {"exponential", "weibull"}, optional
        Law of the times of those not cured.
    of : int, optional
        The cause of interest, the others being censored, so that the fraction cured is what would
        be left without those; by default an event of any cause.

    Returns
    -------
    TimeLaw
        `TimeLaw.logit_cured_std_error` is infinite when the data prefer no cured fraction.

    Raises
    ------
    ParameterError
        When the data are malformed, nobody had the event, or the likelihood has no maximum.

    Examples
    --------
    >>> months = [1, 2, 2, 3, 4, 6, 30, 36, 40, 48]
    >>> fit = mixture_cure(months, [1, 1, 1, 1, 1, 1, 0, 0, 0, 0])
    >>> round(fit.cured, 2), round(fit.scale, 1)
    (0.4, 3.0)
    """
    t, _, happened = endpoint(time, cause, of)
    return _fit(t, np.where(happened, t, np.inf), law, cure=True)
