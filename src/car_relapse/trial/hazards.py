r"""Hazards of competing causes in one arm of a trial, and the shares that they lead to.

A patient in remission leaves it by one of several causes, such as antigen-negative relapse,
antigen-positive relapse and death. Cause :math:`k` has the hazard :math:`\lambda_k(t)`, per month
and per patient still in remission; together they leave a share
:math:`S = e^{-\sum_k\Lambda_k}` in remission, and cause :math:`k` has taken

.. math:: F_k(t) = \int_0^t S(u)\,\lambda_k(u)\,du .

When all hazards have one shape, :math:`\Lambda_k(t) = A_k\,g(t)` with :math:`g(h) = 1` at a
horizon :math:`h`, the shares at the horizon and the hazards determine each other whatever the
shape:

.. math:: F_k(h) = \frac{A_k}{A}\left(1 - e^{-A}\right), \qquad A = \sum_k A_k .

Times are in months.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq
from scipy.special import exprel

from car_relapse.errors import (
    ParameterError,
    is_list,
    require_fraction,
    require_non_negative,
    require_positive,
)

__all__ = [
    "DecayingHazards",
    "Hazards",
    "PiecewiseHazards",
    "cumulative_hazards",
    "cumulative_incidences",
    "mixed_hazards",
]

Floats = NDArray[np.float64]

_PER_CAUSE = "give one number for each cause"
_MONTHS = "count months from the start of follow-up"


class Hazards(Protocol):
    """What the methods of this package ask of the hazards of an arm."""

    @property
    def kinks(self) -> tuple[float, ...]:
        """Months at which a hazard jumps or bends."""

    def rates(self, months: ArrayLike) -> Floats:
        """Return the hazard of each cause, per month, shape (causes, *months)."""

    def cumulative(self, months: ArrayLike) -> Floats:
        """Return the cumulative hazard of each cause, shape (causes, *months)."""


def _per_cause(name: str, value: ArrayLike) -> Floats:
    numbers = require_non_negative(name, value, _PER_CAUSE)
    if numbers.ndim != 1 or numbers.size == 0:
        raise ParameterError(
            f"{name} has shape {numbers.shape}; it must be a list of at least one number; "
            f"{_PER_CAUSE}"
        )
    return numbers


@dataclass(frozen=True)
class DecayingHazards:
    r"""Hazards that start high and decay, :math:`\Lambda_k(t) = A_k\,g_k(t)`.

    With a time :math:`\tau` of decay, :math:`g(t) = (1-e^{-t/\tau})/(1-e^{-h/\tau})`; without
    decay, :math:`g(t) = t/h`.

    Examples
    --------
    Half of the patients leave remission within two years, most of them early.

    >>> arm = DecayingHazards(cumulative_hazards([0.25, 0.20, 0.05]), 24, 8)
    >>> [round(float(arm.cumulative(t).sum()), 3) for t in (8, 24)]
    [0.461, 0.693]
    """

    at_horizon: Sequence[float] | Floats
    """Cumulative hazard of each cause at the horizon, at most 700 altogether."""
    horizon: float = 24.0
    """The horizon, months."""
    decay: float | Sequence[float] = float("inf")
    """Time in which a hazard falls to 1/e, months; one for each cause if they differ, and infinite
    where the hazard is constant."""

    def __post_init__(self) -> None:
        """Check the numbers."""
        numbers = _per_cause("at_horizon", self.at_horizon)
        _limited("at_horizon", float(numbers.sum()))
        require_positive("horizon", self.horizon, "give months", scalar=True)
        decay = np.asarray(self.decay)
        finite = decay[decay != np.inf] if decay.dtype.kind == "f" else self.decay
        require_positive("decay", finite, "give months, or infinity for a constant hazard")
        if decay.shape not in ((), numbers.shape):
            raise ParameterError(
                f"decay has shape {decay.shape}; there are {numbers.size} causes; give one time, "
                "or one for each cause"
            )

    @property
    def kinks(self) -> tuple[float, ...]:
        """Months at which a hazard jumps or bends: none."""
        return ()

    def _columns(self, months: ArrayLike) -> tuple[Floats, Floats, Floats]:
        t = require_non_negative("months", months, _MONTHS)
        shape = (-1,) + (1,) * t.ndim
        size = np.asarray(self.at_horizon, dtype=float)
        pace = np.broadcast_to(1.0 / np.asarray(self.decay, dtype=float), size.shape)
        return t, size.reshape(shape), pace.reshape(shape)

    def _spent(self, pace: Floats, t: Floats | float) -> Floats:
        """Return the integral of the decay from 0 to t, months; t where there is none."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(pace * np.ones_like(t) > 0, -np.expm1(-pace * t) / pace, t)

    def rates(self, months: ArrayLike) -> Floats:
        """Return the hazard of each cause, per month, shape (causes, *months)."""
        t, size, pace = self._columns(months)
        return np.asarray(size * np.exp(-pace * t) / self._spent(pace, self.horizon))

    def cumulative(self, months: ArrayLike) -> Floats:
        """Return the cumulative hazard of each cause, shape (causes, *months)."""
        t, size, pace = self._columns(months)
        return np.asarray(size * self._spent(pace, t) / self._spent(pace, self.horizon))


@dataclass(frozen=True)
class PiecewiseHazards:
    """Hazards that are constant between given months: a delayed effect, crossing curves, a cure.

    Examples
    --------
    The second antigen starts to pay after three months.

    >>> arm = PiecewiseHazards([0, 3], [[0.03, 0.01], [0.02, 0.02]])
    >>> arm.rates([1, 12]).tolist()
    [[0.03, 0.01], [0.02, 0.02]]
    >>> arm.cumulative(12).round(3).tolist()
    [0.18, 0.24]
    """

    starts: Sequence[float] | Floats
    """Month at which each piece starts, ascending from 0; the last piece has no end."""
    hazards: Sequence[Sequence[float]] | Floats
    """Hazard of each cause in each piece, per month, shape (causes, pieces)."""

    def __post_init__(self) -> None:
        """Check the numbers."""
        starts = require_non_negative("starts", self.starts, _MONTHS)
        if starts.ndim != 1 or not starts.size or starts[0] != 0 or np.any(np.diff(starts) <= 0):
            raise ParameterError(
                f"starts is {np.asarray(self.starts).tolist()!r}; it must ascend from 0; {_MONTHS}"
            )
        hazards = require_non_negative("hazards", self.hazards, "give rates per month")
        if hazards.ndim != 2 or not hazards.size or hazards.shape[1] != starts.size:
            raise ParameterError(
                f"hazards has shape {hazards.shape}; there are {starts.size} pieces; give one row "
                "for each cause and in it one rate for each piece"
            )

    @property
    def kinks(self) -> tuple[float, ...]:
        """Months at which a hazard jumps."""
        return tuple(float(t) for t in np.asarray(self.starts)[1:])

    def _places(self, months: ArrayLike) -> tuple[Floats, Floats, Floats, NDArray[np.intp]]:
        t = require_non_negative("months", months, _MONTHS)
        starts = np.asarray(self.starts, dtype=float)
        piece = np.searchsorted(starts, t, side="right") - 1
        return t, starts, np.asarray(self.hazards, dtype=float), np.asarray(piece)

    def rates(self, months: ArrayLike) -> Floats:
        """Return the hazard of each cause, per month, shape (causes, *months)."""
        _, _, hazards, piece = self._places(months)
        return np.asarray(hazards[:, piece])

    def cumulative(self, months: ArrayLike) -> Floats:
        """Return the cumulative hazard of each cause, shape (causes, *months)."""
        t, starts, hazards, piece = self._places(months)
        before = np.zeros_like(hazards)
        before[:, 1:] = np.cumsum(hazards[:, :-1] * np.diff(starts), axis=1)
        return np.asarray(before[:, piece] + hazards[:, piece] * (t - starts[piece]))


_LONGEST_HAZARD = 700.0


def _limited(name: str, total: float) -> None:
    if total > _LONGEST_HAZARD:
        raise ParameterError(
            f"{name} is {total:g} altogether; beyond {_LONGEST_HAZARD:g} nobody is left that a "
            "float could count; give a shorter horizon or lower hazards"
        )


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
    _limited("hazards", rest)
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
