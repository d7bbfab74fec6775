r"""Boundaries of a group sequential trial, and what it does at each of its looks.

Looking at the data several times gives chance several chances. Boundaries share out the level
among the looks: after O'Brien and Fleming little early and nearly all at the end, after Pocock the
same bound at each look, and after Lan and DeMets by a spending function of the information, so
that looks need not be planned (`spending`).

Everything is one-sided: a positive :math:`Z` favours the experimental arm, and a two-sided level of
0.05 is a one-sided one of 0.025. Information is a fraction of that of the last look planned: of
the events for a log-rank test, of the patients for proportions. The drift is the mean of
:math:`Z` at full information; without looks it is :math:`z_{1-\alpha} + z_{1-\beta}` for a
power of :math:`1-\beta`.

Futility bounds do not bind: the level holds also when a trial goes on against them. To trials that
keep to them they cost some power.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq
from scipy.special import ndtri

from car_relapse.errors import (
    ParameterError,
    is_list,
    require_count,
    require_finite,
    require_fraction,
)
from car_relapse.trial.sample_size.events import one_sided
from car_relapse.trial.sequential import _recursion as recursion

__all__ = [
    "Boundaries",
    "Stops",
    "obrien_fleming",
    "pocock",
    "wang_tsiatis",
]

Floats = NDArray[np.float64]

_LOOKS = "give a number of looks, or the information fraction of each, such as (0.5, 1)"
_MOST_LOOKS = 50
_CLOSEST = 1e-3
# A drift of this size has any power that a float can tell from 1.
_LARGEST_DRIFT = 1e4


@dataclass(frozen=True, kw_only=True)
class Stops:
    """Where a trial ends, for one drift."""

    information: tuple[float, ...]
    """Information fraction of each look."""
    efficacy: Floats
    """Probability of stopping for efficacy at each look, shape (looks,)."""
    futility: Floats
    """Probability of stopping for futility at each look, the last without success, (looks,)."""

    @property
    def power(self) -> float:
        """Probability of success; the type I error when the drift is 0."""
        return float(self.efficacy.sum())

    @property
    def expected_information(self) -> float:
        """Mean information fraction at the end: patients or events used, on average."""
        return float((self.efficacy + self.futility) @ np.asarray(self.information))


@dataclass(frozen=True, kw_only=True)
class Boundaries:
    """Looks of a trial, and the values of Z at which it stops.

    Examples
    --------
    >>> design = obrien_fleming(2)
    >>> design.efficacy.round(4).tolist(), round(design.inflation(), 4)
    ([2.7965, 1.9774], 1.0078)
    >>> helped = design.stops(design.drift(power=0.8))
    >>> helped.efficacy.round(3).tolist(), round(helped.expected_information, 3)
    ([0.21, 0.59], 0.895)
    """

    information: tuple[float, ...]
    """Information fraction of each look, ascending, at most 1."""
    efficacy: Floats
    """Z from which on the trial stops for efficacy, at each look, shape (looks,); infinite for
    never."""
    futility: Floats
    """Z below which it stops for futility, at each look but the last, shape (looks - 1,);
    minus infinity for never."""

    def stops(self, drift: float) -> Stops:
        """Return the probability of each way to stop.

        Parameters
        ----------
        drift : float
            Mean of Z at full information; 0 without an effect.

        Raises
        ------
        ParameterError
            When the drift is not a number, or beyond 10,000 in size.
        """
        mean = float(require_finite("drift", drift, "give the mean of Z", scalar=True))
        if abs(mean) > _LARGEST_DRIFT:
            raise ParameterError(
                f"drift is {mean:g}; it must be at most {_LARGEST_DRIFT:g} in size, where every "
                "trial has ended at its first look; give a smaller one"
            )
        efficacy, futility = np.zeros((2, len(self.information)))
        state = recursion.start()
        for k, look in enumerate(self.information):
            last = k == len(self.information) - 1
            upper = float(self.efficacy[k])
            lower = upper if last else float(self.futility[k])
            efficacy[k] = recursion.above(state, look, mean, upper)
            futility[k] = recursion.below(state, look, mean, lower)
            if not last:
                state = recursion.carry(state, look, mean, lower, upper, self.information[k + 1])
        return Stops(information=self.information, efficacy=efficacy, futility=futility)

    @cached_property
    def alpha(self) -> float:
        """One-sided level that the looks spend together, the futility bounds ignored."""
        free = np.full(len(self.information) - 1, -np.inf)
        return replace(self, futility=free).stops(0.0).power

    def drift(self, power: float = 0.8) -> float:
        """Return the drift at which the trial has the power wanted.

        Parameters
        ----------
        power : float, optional
            Power, above the level and below 1.

        Raises
        ------
        ParameterError
            When the power is out of that range.
        """
        wanted = float(require_fraction("power", power, "give 0.8 or so", scalar=True))
        least = self.stops(0.0).power
        if not least < wanted <= 1.0 - 1e-12:
            raise ParameterError(
                f"power is {wanted:g}; it must lie above {least:g}, which chance alone reaches, "
                "and below 1; give 0.8 or so"
            )
        top = 8.0
        while self.stops(top).power < wanted and top < _LARGEST_DRIFT:
            top = min(2.0 * top, _LARGEST_DRIFT)
        return float(brentq(lambda x: self.stops(x).power - wanted, 0.0, top, xtol=1e-11))

    def inflation(self, power: float = 0.8) -> float:
        """Return how much larger the full trial is than one without looks, for the same power.

        Parameters
        ----------
        power : float, optional
            Power, above the level and below 1.
        """
        drift = self.drift(power)
        return (drift / float(ndtri(power) - ndtri(self.alpha))) ** 2

    def records(self) -> list[dict[str, float]]:
        """Return one row for each look: information, bounds, and level spent up to it.

        Bounds are infinite at looks that cannot stop.
        """
        spent = np.cumsum(
            replace(self, futility=np.full_like(self.futility, -np.inf)).stops(0.0).efficacy
        )
        return [
            {
                "information": look,
                "efficacy": float(self.efficacy[k]),
                "futility": float(self.futility[k] if k < self.futility.size else self.efficacy[k]),
                "alpha_spent": float(spent[k]),
            }
            for k, look in enumerate(self.information)
        ]


def fractions(looks: int | Sequence[float], *, whole: bool) -> tuple[float, ...]:
    """Return the checked information fraction of each look; `whole` when the last must be 1."""
    if not is_list(looks):
        count = require_count("looks", looks, _LOOKS, minimum=1, maximum=_MOST_LOOKS)
        return tuple((k + 1.0) / count for k in range(count))
    times = require_fraction("looks", looks, _LOOKS)
    if times.ndim != 1 or not 1 <= times.size <= _MOST_LOOKS:
        raise ParameterError(
            f"looks has shape {times.shape}; it must be a list of 1 to {_MOST_LOOKS} information "
            f"fractions; {_LOOKS}"
        )
    if np.any(np.diff(times, prepend=0.0) < _CLOSEST):
        raise ParameterError(
            f"looks is {times.tolist()!r}; the fractions must ascend from 0 by at least "
            f"{_CLOSEST:g}; leave a look out"
        )
    if whole and times[-1] != 1.0:
        raise ParameterError(
            f"looks ends at {times[-1]:g}; these boundaries are for a whole trial; let the last "
            "fraction be 1"
        )
    return tuple(times.tolist())


def without_futility(information: tuple[float, ...], efficacy: ArrayLike) -> Boundaries:
    """Return boundaries that never stop for futility."""
    return Boundaries(
        information=information,
        efficacy=np.asarray(efficacy, dtype=float),
        futility=np.full(len(information) - 1, -np.inf),
    )


def wang_tsiatis(looks: int | Sequence[float], delta: float, *, alpha: float = 0.025) -> Boundaries:
    r"""Return boundaries :math:`c\,t^{\delta - 1/2}`, those of Wang and Tsiatis's family.

    Parameters
    ----------
    looks : int or sequence of float
        Number of looks at equal steps of information, or the information fraction of each; the
        last is 1.
    delta : float
        From 0 (O'Brien and Fleming) to 0.5 (Pocock).
    alpha : float, optional
        One-sided level.

    Returns
    -------
    Boundaries

    Raises
    ------
    ParameterError
        When the looks do not ascend to 1, are too many or too close, or a number is out of range.

    Examples
    --------
    >>> wang_tsiatis(3, 0.25).efficacy.round(3).tolist()
    [2.741, 2.305, 2.083]
    """
    information = fractions(looks, whole=True)
    exponent = float(require_fraction("delta", delta, "give 0 to 0.5", scalar=True)) - 0.5
    if exponent > 0.0:
        raise ParameterError(
            f"delta is {exponent + 0.5:g}; it must be at most 0.5, where bounds are the same at "
            "each look; give less"
        )
    level = one_sided(alpha)
    form = np.asarray(information) ** exponent
    # One look alone needs less than all together; each with its part of the level needs more.
    lowest, highest = -float(ndtri(level)), -float(ndtri(level / form.size))
    if form.size == 1:
        return without_futility(information, [lowest])

    def excess(height: float) -> float:
        return without_futility(information, height * form).alpha - level

    # At a level of 1/2 the lowest bound is 0, whatever its form: widen the bracket a little.
    height = brentq(excess, lowest - 1e-9, highest + 1e-9, xtol=1e-12)
    return without_futility(information, float(height) * form)


def obrien_fleming(looks: int | Sequence[float], *, alpha: float = 0.025) -> Boundaries:
    r"""Return O'Brien and Fleming's boundaries, :math:`c/\sqrt t`: little chance to stop early.

    Parameters, result and errors as `wang_tsiatis`.

    Examples
    --------
    >>> obrien_fleming(3).efficacy.round(3).tolist()
    [3.471, 2.454, 2.004]
    """
    return wang_tsiatis(looks, 0.0, alpha=alpha)


def pocock(looks: int | Sequence[float], *, alpha: float = 0.025) -> Boundaries:
    """Return Pocock's boundaries: the same bound at each look.

    Parameters, result and errors as `wang_tsiatis`.

    Examples
    --------
    >>> pocock(3).efficacy.round(3).tolist()
    [2.289, 2.289, 2.289]
    """
    return wang_tsiatis(looks, 0.5, alpha=alpha)
