r"""Antigen that comes and goes: reversible switching between a high and a low state.

Cells switch off at rate :math:`k_{HL}` and on again at rate :math:`k_{LH}`, per day and not
per division. The mean numbers of high and low cells obey

.. math:: \begin{pmatrix} H \\ L \end{pmatrix}' = \begin{pmatrix}
    g_H - k_{HL} & k_{LH} \\ k_{HL} & g_L - k_{LH} \end{pmatrix}
    \begin{pmatrix} H \\ L \end{pmatrix}

with net rates :math:`g` that contain killing; its larger eigenvalue is the rate of relapse.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from car_relapse.errors import (
    ParameterError,
    require_broadcast,
    require_finite,
    require_non_negative,
)

__all__ = ["dominant_growth_rate", "low_fraction"]

_REMEDY = "give a rate per day"
_LARGEST_RATE = 1e150  # its square is a number


def low_fraction(switch_off: ArrayLike, switch_on: ArrayLike) -> NDArray[np.float64]:
    r"""Return the untreated equilibrium fraction :math:`k_{HL}/(k_{HL}+k_{LH})` of low cells.

    Parameters
    ----------
    switch_off, switch_on : array_like
        Rates high to low and low to high, 1/day, >= 0, not both 0; the two states grow alike.

    Raises
    ------
    ParameterError
        When a rate is negative or not finite, or both are 0.

    Examples
    --------
    >>> round(float(low_fraction(1e-4, 1e-2)), 4)
    0.0099
    """
    off = require_non_negative("switch_off", switch_off, _REMEDY)
    on = require_non_negative("switch_on", switch_on, _REMEDY)
    require_broadcast(_REMEDY, switch_off=off, switch_on=on)
    if np.any(off + on == 0):
        raise ParameterError(
            "switch_off and switch_on are both 0; without switching any composition persists; "
            "give at least one rate > 0"
        )
    return np.asarray(off / (off + on))


def dominant_growth_rate(
    high_rate: ArrayLike, low_rate: ArrayLike, switch_off: ArrayLike, switch_on: ArrayLike
) -> NDArray[np.float64]:
    """Return the late growth rate of a population that switches.

    Parameters
    ----------
    high_rate, low_rate : array_like
        Net growth rates of high and low cells, killing included, 1/day.
    switch_off, switch_on : array_like
        Rates high to low and low to high, 1/day, >= 0.

    Returns
    -------
    ndarray
        1/day, broadcast.

    Raises
    ------
    ParameterError
        When a rate is not finite, or a switching rate is negative.

    Examples
    --------
    >>> round(float(dominant_growth_rate(-0.9, 0.1, 1e-4, 1e-2)), 6)
    0.090001
    """
    off = require_non_negative("switch_off", switch_off, _REMEDY)
    on = require_non_negative("switch_on", switch_on, _REMEDY)
    high = require_finite("high_rate", high_rate, _REMEDY)
    low = require_finite("low_rate", low_rate, _REMEDY)
    require_broadcast(_REMEDY, high_rate=high, low_rate=low, switch_off=off, switch_on=on)
    if max(np.max(np.abs(v), initial=0.0) for v in (off, on, high, low)) > _LARGEST_RATE:
        raise ParameterError(
            f"a rate is above {_LARGEST_RATE:g} per day; sums of such rates overflow; {_REMEDY}"
        )
    high, low = high - off, low - on
    gap = np.abs(high - low)
    reach = gap + np.hypot(gap, 2.0 * np.sqrt(off) * np.sqrt(on))
    # What switching adds to the faster state, without a difference of near-equal numbers.
    added = 2.0 * off * on / np.where(reach > 0, reach, 1.0)
    return np.asarray(np.maximum(high, low) + added)
