"""The last day on which a curve is at least at a level: what every exposure must answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq, minimize_scalar

__all__ = ["Curve", "last_crossing", "search_last_day"]

Curve = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""A function from days to levels, both arrays of one shape."""

# Points per stretch between corners, spaced evenly in the log of time since its start.
_POINTS = 200


def last_crossing(curve: Curve, days: NDArray[np.float64], level: float) -> float:
    """Return the last day on which a curve that is monotone between `days` is at least `level`.

    Parameters
    ----------
    curve : callable
        Levels of an array of days.
    days : ndarray, shape (n,)
        Increasing days; between two of them the curve only rises or only falls.
    level : float
        In the unit of the curve.

    Returns
    -------
    float
        A day to within 1e-12 of itself; 0 when the curve is below `level` on all `days`, and
        the last of them when it is not below `level` there.

    Examples
    --------
    >>> round(last_crossing(lambda day: np.exp(-day), np.array([0.0, 9.0]), 0.5), 6)
    0.693147
    """
    above = np.flatnonzero(curve(days) >= level)
    if not above.size:
        return 0.0
    if above[-1] == days.size - 1:
        return float(days[-1])
    left, right = float(days[above[-1]]), float(days[above[-1] + 1])

    def excess(day: float) -> float:
        gap = float(curve(np.asarray(day))) - level
        # Rounding must not push the left end, which is above, below.
        return max(gap, 0.0) if day == left else gap

    return float(brentq(excess, left, right, xtol=1e-12 * (1.0 + right)))


def search_last_day(curve: Curve, corners: Sequence[float], far: float, level: float) -> float:
    """Return the last day on which a piecewise smooth curve is at least `level`.

    Parameters
    ----------
    curve : callable
        Levels of an array of days.
    corners : sequence of float
        Days on which the curve has a corner or a jump; it takes the later value there.
    far : float
        Day > 0 after which the curve stays below `level`.
    level : float
        In the unit of the curve.

    Returns
    -------
    float
        0 when the curve is never at least `level`.

    Examples
    --------
    >>> pulse = lambda day: np.where(day < 2, 0.0, np.exp(2.0 - day))
    >>> round(search_last_day(pulse, (2.0,), 50.0, 0.5), 6)
    2.693147
    """
    edges = [0.0, *sorted({day for day in corners if 0 < day < far}), far]
    stretch = np.concatenate([[0.0], np.geomspace(1e-6, 1.0, _POINTS)])
    days = np.unique(np.concatenate([a + (b - a) * stretch for a, b in pairwise(edges)]))
    values = curve(days)
    above = np.flatnonzero(values >= level)
    first = int(above[-1]) if above.size else 0
    # Between corners the curve has few turns; a later summit may lie between two points.
    inner = np.flatnonzero((values[1:-1] >= values[:-2]) & (values[1:-1] > values[2:])) + 1
    summits = [
        minimize_scalar(
            lambda day: -float(curve(np.asarray(day))),
            bounds=(days[i - 1], days[i + 1]),
            method="bounded",
            options={"xatol": 1e-9 * (1.0 + days[i])},
        ).x
        for i in inner[inner > first]
    ]
    return last_crossing(curve, np.unique(np.concatenate([days, summits])), level)
