r"""How many events tell two hazards apart: Schoenfeld's and Freedman's formulas.

What carries the information of a log-rank test is the number of events :math:`d`, not of
patients. With :math:`z = z_{1-\alpha/2} + z_{1-\beta}`, the hazard ratio :math:`\theta` and a share
:math:`p` of the patients in the experimental arm,

.. math::

    d = \frac{z^2}{p(1-p)\ln^2\theta} \quad\text{(Schoenfeld)}, \qquad
    d = \frac{z^2\,(1 - p + p\theta)^2}{p(1-p)(1-\theta)^2} \quad\text{(Freedman)}.

Both hold for a cause-specific hazard when the events of that cause are counted, and Schoenfeld's
for a subdistribution hazard as well (Latouche and Porcher, hal-00116989).
"""

from __future__ import annotations

import math

from scipy.special import ndtr, ndtri

from car_relapse.errors import (
    ParameterError,
    require_fraction,
    require_non_negative,
    require_positive,
)
from car_relapse.trial._checks import strictly_between

__all__ = ["freedman_events", "logrank_power", "schoenfeld_events"]

_RATIO = "give the hazard in the experimental arm divided by that in the control arm"


def inside(name: str, value: float, remedy: str) -> float:
    """Return a number that must lie strictly between 0 and 1, or raise."""
    # Closer to an end than this, a normal quantile has no digits left.
    return strictly_between(name, value, remedy, margin=1e-15)


def one_sided(alpha: float) -> float:
    """Return the checked one-sided level."""
    level = float(require_fraction("alpha", alpha, "give the one-sided level", scalar=True))
    if not 1e-12 <= level <= 0.5:
        raise ParameterError(
            f"alpha is {level:g}; it must lie from 1e-12 to 0.5; give the one-sided level, such as "
            "0.025"
        )
    return level


def allocation(share: float) -> float:
    """Return the checked share of patients in the experimental arm."""
    return inside("share", share, "give the share of patients in the experimental arm, such as 0.5")


def normal_sum(alpha: float, power: float) -> float:
    """Return the two normal quantiles that every such formula adds up, checked.

    Parameters
    ----------
    alpha : float
        Two-sided level.
    power : float
        Power, above alpha / 2.
    """
    level = inside("alpha", alpha, "give the two-sided level, such as 0.05")
    wanted = inside("power", power, "give a power such as 0.8")
    if wanted <= level / 2.0:
        raise ParameterError(
            f"power is {wanted:g}; chance alone rejects in that direction with {level / 2.0:g}; "
            "give a power above half of alpha"
        )
    return float(ndtri(wanted) - ndtri(level / 2.0))


def schoenfeld_events(
    hazard_ratio: float, *, alpha: float = 0.05, power: float = 0.8, share: float = 0.5
) -> float:
    """Return the number of events for a log-rank test, after Schoenfeld (1983).

    doi:10.2307/2531021 (DOI not checked).

    Parameters
    ----------
    hazard_ratio : float
        Hazard in the experimental arm divided by that in the control arm, > 0.
    alpha : float, optional
        Two-sided level.
    power : float, optional
        Power wanted.
    share : float, optional
        Share of the patients in the experimental arm.

    Returns
    -------
    float
        Events in both arms together, not rounded; infinite when the hazards are equal.

    Raises
    ------
    ParameterError
        When the ratio is not positive, or another argument not strictly between 0 and 1.

    Examples
    --------
    >>> round(schoenfeld_events(0.5), 2)
    65.35
    """
    theta = float(require_positive("hazard_ratio", hazard_ratio, _RATIO, scalar=True))
    z, p = normal_sum(alpha, power), allocation(share)
    contrast = math.log(theta)
    return (z / contrast) ** 2 / (p * (1.0 - p)) if contrast else math.inf


def freedman_events(
    hazard_ratio: float, *, alpha: float = 0.05, power: float = 0.8, share: float = 0.5
) -> float:
    """Return the number of events for a log-rank test, after Freedman (1982).

    It asks for more events than `schoenfeld_events`, which is too small where hazards differ
    much, and as many, infinitely many, where they are equal; doi:10.1002/sim.4780010204 (DOI
    not checked). Parameters and errors as there.

    Examples
    --------
    >>> round(freedman_events(0.5), 2)
    70.64
    """
    theta = float(require_positive("hazard_ratio", hazard_ratio, _RATIO, scalar=True))
    z, p = normal_sum(alpha, power), allocation(share)
    contrast = (1.0 - theta) / (1.0 - p + p * theta)
    return (z / contrast) ** 2 / (p * (1.0 - p)) if contrast else math.inf


def logrank_power(
    events: float, hazard_ratio: float, *, alpha: float = 0.05, share: float = 0.5
) -> float:
    """Return the power of a log-rank test with a number of events, after Schoenfeld.

    Only rejection in the direction of the effect counts.

    Parameters
    ----------
    events : float
        Events in both arms together, expected or seen.
    hazard_ratio, alpha, share
        As for `schoenfeld_events`.

    Examples
    --------
    >>> round(logrank_power(65.35, 0.5), 3)
    0.8
    """
    d = float(require_non_negative("events", events, "give a number of events", scalar=True))
    theta = float(require_positive("hazard_ratio", hazard_ratio, _RATIO, scalar=True))
    level = inside("alpha", alpha, "give the two-sided level, such as 0.05")
    p = allocation(share)
    return float(ndtr(abs(math.log(theta)) * math.sqrt(d * p * (1.0 - p)) + ndtri(level / 2.0)))
