r"""B-cell aplasia: what normal B cells tell of the CAR-T cells that are left.

Normal B cells carry CD19 and are killed as leukaemia cells are, at :math:`\kappa(t)`. With an
influx that keeps them at their normal number :math:`B_0` without therapy, and a mean life
:math:`\tau_B`, they follow killing closely once it is large, at

.. math:: \frac{B}{B_0} = \frac{1}{1 + \kappa\,\tau_B} .

They count as *back* when this reaches a share :math:`f_B`, and do so for good on the last day on
which :math:`\kappa \ge (1/f_B - 1)/\tau_B`. The share is an assumption (ledger:
``feedback.b_cells_back``), and so is that CAR-T cells kill normal and leukaemic cells alike.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from car_relapse.errors import ParameterError, require_fraction, require_instance
from car_relapse.exposure import Curves
from car_relapse.killing import Killing
from car_relapse.parameters import default

__all__ = ["b_cell_return", "killing_at_return"]


def killing_at_return(share: float | None = None) -> float:
    r"""Return the killing rate at which B cells are at a share of their normal number, 1/day.

    Parameters
    ----------
    share : float, optional
        Share :math:`f_B`, in (0, 1); that of the ledger by default.

    Raises
    ------
    ParameterError
        When the share is not between 0 and 1.

    Examples
    --------
    >>> round(killing_at_return(0.25), 3)
    0.05
    """
    back = default("feedback.b_cells_back") if share is None else share
    part = float(require_fraction("share", back, "give a share of the normal number", scalar=True))
    if not 0 < part < 1:
        raise ParameterError(
            f"share is {part:g}; B cells are never back at 0 and never away at 1; give a share in "
            "between"
        )
    return (1.0 / part - 1.0) / default("feedback.b_cell_lifetime")


def b_cell_return(
    curves: Curves, killing: Killing, *, share: float | None = None
) -> NDArray[np.float64]:
    """Return the day on which B cells are back, 0 when they were never away.

    Parameters
    ----------
    curves : Curves
        CAR-T curve of one patient, or curves of many.
    killing : Killing
        Response of killing to the transgene level.
    share : float, optional
        Share of their normal number at which B cells count as back, in (0, 1).

    Returns
    -------
    ndarray
        Days after infusion, one for each curve.

    Examples
    --------
    >>> from car_relapse.exposure import stein_typical
    >>> from car_relapse.killing import default_killing
    >>> round(float(b_cell_return(stein_typical(), default_killing())), 1)
    112.3
    """
    require_instance("killing", killing, Killing, "give a Killing, such as default_killing()")
    level = killing.level_for(killing_at_return(share))
    if not np.isfinite(level).all():
        raise ParameterError(
            f"killing is at most {np.max(killing.maximal_rate):g} a day, too little to take B "
            "cells away; give a larger share, or a killing law with a larger maximal_rate"
        )
    return np.asarray(curves.last_day_above(level), dtype=float)
