r"""Hazards of one shape: cumulative incidences and cumulative hazards in closed form.

A patient in remission leaves it by one of several causes, such as antigen-negative relapse,
antigen-positive relapse and death. When the hazards of all of them have one shape in time,
:math:`\Lambda_k(t) = A_k\,g(t)` with :math:`g(h) = 1` at a horizon :math:`h`, the cumulative
incidences there and the :math:`A_k` determine each other, whatever the shape is:

.. math:: F_k(h) = \frac{A_k}{A}\left(1 - e^{-A}\right), \qquad A = \sum_k A_k .

`car_relapse.trial.virtual.Biology` does the same for any shapes, by a grid and Newton's method.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq
from scipy.special import exprel

from car_relapse.errors import ParameterError, is_list, require_fraction, require_non_negative

__all__ = ["cumulative_hazards", "cumulative_incidences", "mixed_hazards"]

Floats = NDArray[np.float64]

_PER_CAUSE = "give one number for each cause"
# Beyond this nobody is left that a float could count.
_LONGEST_HAZARD = 700.0


def _per_cause(name: str, value: ArrayLike) -> Floats:
    numbers = require_non_negative(name, value, _PER_CAUSE)
    if numbers.ndim != 1 or numbers.size == 0:
        raise ParameterError(
            f"{name} has shape {numbers.shape}; it must be a list of at least one number; "
            f"{_PER_CAUSE}"
        )
    return numbers


def cumulative_hazards(incidences: ArrayLike) -> Floats:
    r"""Return the cumulative hazard of each cause that leads to the given incidences.

    .. math:: A_k = \frac{F_k}{P}\,\bigl(-\ln(1-P)\bigr), \qquad P = \sum_k F_k,

    when all causes share one shape in time.

    Parameters
    ----------
    incidences : array_like
        Cumulative incidence of each cause at the horizon, shape (causes,); together below 1.

    Raises
    ------
    ParameterError
        When there is no cause, an incidence lies outside [0, 1], or they reach 1 together.

    Examples
    --------
    >>> cumulative_hazards([0.25, 0.20, 0.05]).round(5).tolist()
    [0.34657, 0.27726, 0.06931]
    """
    shares = _per_cause("incidences", incidences)
    require_fraction("incidences", incidences, "give shares of the patients")
    total = float(shares.sum())
    if total >= 1.0:
        raise ParameterError(
            f"incidences sum to {total:g}; somebody must be left in remission, or no finite hazard "
            "leads there; give shares that sum to less than 1"
        )
    # The limit of -ln(1-P)/P for rare events is 1.
    return np.asarray(shares * (-np.log1p(-total) / total if total > 0 else 1.0))


def cumulative_incidences(hazards: ArrayLike) -> Floats:
    """Return the cumulative incidences to which cumulative hazards of one shape lead.

    The inverse of `cumulative_hazards`.

    Parameters
    ----------
    hazards : array_like
        Cumulative hazard of each cause at the horizon, shape (causes,).

    Raises
    ------
    ParameterError
        When there is no cause, or a hazard is negative or not finite.

    Examples
    --------
    Blocking one cause leaves more patients to the others: 20 % become 22.1 %.

    >>> cumulative_incidences([0.1254511, 0.2772589, 0.0693147]).round(3).tolist()
    [0.1, 0.221, 0.055]
    """
    sizes = _per_cause("hazards", hazards)
    return np.asarray(sizes * exprel(-sizes.sum()))


def mixed_hazards(hazards: Sequence[float | None], incidences: Sequence[float | None]) -> Floats:
    """Return cumulative hazards when some causes are given by hazard, the others by incidence.

    "The second antigen lowers antigen-negative relapse from 25 % to 10 % and does nothing else"
    gives the incidence of one cause and the hazards of the rest.

    Parameters
    ----------
    hazards : sequence
        Cumulative hazard of each cause at the horizon; None where the incidence is given.
    incidences : sequence
        Cumulative incidence of each cause at the horizon; None where the hazard is given.

    Returns
    -------
    ndarray
        Cumulative hazard of each cause, of one shape in time.

    Raises
    ------
    ParameterError
        When a cause has both or neither, or when the other causes leave too few patients for the
        incidences asked for.

    Examples
    --------
    >>> control = cumulative_hazards([0.25, 0.20, 0.05])
    >>> dual = mixed_hazards([None, *control[1:]], [0.10, None, None])
    >>> dual.round(4).tolist()
    [0.1255, 0.2773, 0.0693]
    """
    if not (is_list(hazards) and is_list(incidences)) or len(hazards) != len(incidences):
        raise ParameterError(
            f"hazards is {hazards!r} and incidences is {incidences!r}; they must be lists of one "
            f"length; {_PER_CAUSE}, None where the other list has it"
        )
    by_share = np.array([share is not None for share in incidences], dtype=bool)
    if not len(hazards) or any(
        (h is None) != s for h, s in zip(hazards, by_share.tolist(), strict=True)
    ):
        raise ParameterError(
            f"hazards is {list(hazards)!r} and incidences is {list(incidences)!r}; each cause must "
            "stand in exactly one of them; put None into the other"
        )
    given = _per_cause("hazards", [0.0 if h is None else h for h in hazards])
    wanted = _per_cause("incidences", [0.0 if f is None else f for f in incidences])
    require_fraction("incidences", wanted, "give shares of the patients")
    rest, share = float(given.sum()), float(wanted.sum())
    if rest > _LONGEST_HAZARD:
        raise ParameterError(
            f"hazards sum to {rest:g}; beyond {_LONGEST_HAZARD:g} nobody is left whom another "
            "cause could take; give lower hazards"
        )
    if share == 0.0:
        return given

    def excess(size: float) -> float:
        return size * float(exprel(-(size + rest))) - share

    if excess(_LONGEST_HAZARD) <= 0.0:
        raise ParameterError(
            f"incidences sum to {share:g}; no finite hazard leads there; give shares that sum to "
            "less than 1"
        )
    size = float(brentq(excess, 0.0, _LONGEST_HAZARD, xtol=1e-300, rtol=1e-14))
    return np.asarray(given + wanted * (size / share))
