r"""Events found at a visit: they happened since the visit before, and nobody knows when.

A relapse seen in a marrow at month 6 began after the marrow at month 3. Dated to month 6 it comes
too late, and later in the arm that is seen less often. Here each record is an interval
:math:`(l, r]` that holds the event: infinity on the right when it was not seen yet, and both
ends equal when its time is known.

`turnbull` estimates the distribution without assumptions: it puts mass on the innermost intervals
alone, those that start with some patient's left end and stop with some patient's right end with
no end in between (Turnbull 1976, J R Stat Soc B 38:290). Where in such an interval the mass
lies is unknown; the curve is known outside them only. For a smooth law see `time_law`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import nnls

from car_relapse.errors import ParameterError, require_non_negative
from car_relapse.trial.competing_risks._endpoint import times_or_never

__all__ = ["Turnbull", "turnbull"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Turnbull:
    """Estimated distribution of a time that is known up to intervals."""

    left: Floats
    """Left ends of the innermost intervals with mass, ascending, shape (intervals,), in the unit
    of the data. An interval does not hold its left end, unless both ends are equal."""
    right: Floats
    """Their right ends; the last one is infinite when some never had the event."""
    mass: Floats
    """Probability of an event in each, shape (intervals,); they add up to 1. Several
    distributions may be equally likely; then this is one of them."""
    log_likelihood: float
    """Log of the maximised likelihood, dimensionless."""
    patients: int
    """Number of patients."""

    def event_free_at(self, times: ArrayLike) -> tuple[Floats, Floats]:
        """Return the lowest and highest event-free probability that the estimate allows.

        They are equal except inside an innermost interval.

        Parameters
        ----------
        times : array_like
            Times in the unit of the data, >= 0.

        Returns
        -------
        tuple of numpy.ndarray
            Probabilities in [0, 1], each in the shape of `times`.

        Raises
        ------
        ParameterError
            When a time is negative or not finite.
        """
        t = require_non_negative("times", times, "count from the start of follow-up")[..., None]
        surely = t >= self.right
        perhaps = surely | (t > self.left)
        low = 1.0 - np.where(perhaps, self.mass, 0.0).sum(axis=-1)
        high = 1.0 - np.where(surely, self.mass, 0.0).sum(axis=-1)
        return np.clip(low, 0.0, 1.0), np.clip(high, 0.0, 1.0)


def checked_intervals(left: ArrayLike, right: ArrayLike) -> tuple[Floats, Floats]:
    """Return the ends of the intervals, or raise when they are no intervals.

    Raises
    ------
    ParameterError
        When there is none, an end is negative or not a number, or the right end comes first.
    """
    remedy = (
        "give the last visit without the event and the first with it; infinity on the right when "
        "it was not seen"
    )
    start = require_non_negative("left", left, remedy)
    if start.ndim != 1 or start.size == 0:
        raise ParameterError(
            f"left has shape {start.shape}; it must be one list of at least one time; {remedy}"
        )
    stop = times_or_never("right", right, start.size, remedy)
    if np.any(stop < start):
        i = int(np.flatnonzero(stop < start)[0])
        raise ParameterError(
            f"left is {start[i]:g} and right is {stop[i]:g} (element {i}); the event came after "
            "the left end and not after the right one; exchange the two"
        )
    return start, stop


def _keys(left: Floats, right: Floats) -> tuple[Floats, Floats]:
    """Return numbers in the order of the ends.

    At one time a known time opens first, then intervals close, then others open.
    """
    _, place = np.unique(np.concatenate([left, right]), return_inverse=True)
    opens, closes = place[: left.size], place[left.size :]
    late = np.where(left == right, 0.0, 2.0)
    return np.asarray(3.0 * opens + late, float), np.asarray(3.0 * closes + 1.0, float)


def _innermost(opens: Floats, closes: Floats) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return a patient with the left end, and one with the right end, of each of them."""
    keys = np.concatenate([opens, closes])
    order = np.argsort(keys, kind="stable")
    opening = order < opens.size
    pairs = np.flatnonzero(opening[:-1] & ~opening[1:])
    return order[pairs], order[pairs + 1] - opens.size


def _weights(member: Floats, count: Floats) -> tuple[Floats, float]:
    r"""Maximise :math:`\sum_i c_i \ln \sum_j A_{ij} p_j` over probabilities p.

    Newton's method with the constraints (Wang 2007, J R Stat Soc B 69:185): the quadratic that
    touches the likelihood at p is a least-squares problem in non-negative numbers; a step towards
    its solution is halved until the likelihood rises enough. At the maximum no derivative
    exceeds the number of patients, and elsewhere the excess bounds what is still to be gained.
    """
    n = count.sum()
    p = np.full(member.shape[1], 1.0 / member.shape[1])
    root = np.sqrt(count)[:, None]

    def height(q: Floats) -> float:
        with np.errstate(divide="ignore"):
            return float(count @ np.log(member @ q))

    now = height(p)
    for _ in range(500):
        slope = member / (member @ p)[:, None]
        gradient = count @ slope
        if gradient.max() - n <= 1e-9 * n:
            break
        rows = np.vstack([root * (slope - 2.0), np.ones((1, p.size))])
        target = np.zeros(len(rows))
        target[-1] = 1.0
        q = nnls(rows, target, maxiter=100 * p.size)[0]
        step = q / q.sum() - p
        gain = float(gradient @ step)
        size = 1.0
        while size > 1e-12 and height(p + size * step) < now + size * gain / 3.0:
            size /= 2.0
        p = np.maximum(p + size * step, 0.0)
        p /= p.sum()
        now = height(p)
    return p, now


def turnbull(left: ArrayLike, right: ArrayLike) -> Turnbull:
    """Estimate the distribution of a time that is known up to intervals.

    Parameters
    ----------
    left : array_like
        Last time at which each patient was known to be event-free, shape (patients,), >= 0,
        months or any one unit.
    right : array_like
        First time at which the event was known to have happened; infinity when it was never seen;
        `left` when the time is known.

    Returns
    -------
    Turnbull
        The most likely distribution; no standard errors, which have no simple form here.

    Raises
    ------
    ParameterError
        When there is no patient, an end is negative or not a number, or `right` is before `left`.

    Examples
    --------
    >>> months = turnbull([0, 1, 1, 3, 6], [1, 3, 6, 6, float("inf")])
    >>> months.event_free_at([1, 3, 4, 6])[1].round(3)
    array([0.8, 0.5, 0.5, 0.2])
    """
    start, stop = checked_intervals(left, right)
    opens, closes = _keys(start, stop)
    first, last = _innermost(opens, closes)
    kinds, count = np.unique(np.column_stack([opens, closes]), axis=0, return_counts=True)
    inside = (kinds[:, :1] <= opens[first]) & (closes[last] <= kinds[:, 1:])
    mass, height = _weights(inside.astype(float), count.astype(float))
    # Below this a mass is what the last step left of a zero.
    some = mass > 1e-12
    return Turnbull(
        left=start[first][some],
        right=stop[last][some],
        mass=mass[some] / mass[some].sum(),
        log_likelihood=height,
        patients=int(start.size),
    )
