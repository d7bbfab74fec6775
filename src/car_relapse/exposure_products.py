r"""Several products, one after another or side by side: exposures made of exposures.

A second infusion is the first curve, later and perhaps smaller; a course of infusions is the
sum of such curves. For a sum :math:`\sum_i C_i` of :math:`n` curves the last day above a level
:math:`L` is sought up to the last day on which any of them is above :math:`L/n`: after that
day no sum can reach it.

Curves that are added do not notice each other. For products that compete for the same room,
see `car_relapse.exposure_kimmel`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from car_relapse.crossing import search_last_day
from car_relapse.errors import ParameterError, require_non_negative, require_positive
from car_relapse.exposure import Exposure

__all__ = [
    "DelayedExposure",
    "ScaledExposure",
    "SummedExposure",
    "repeated_exposure",
    "require_exposure",
]

_DAY = "count days from the start of therapy"


def require_exposure(name: str, value: object) -> None:
    """Raise a ParameterError unless `value` has what an `Exposure` has."""
    if not all(hasattr(value, part) for part in ("level", "kinks", "last_day_above")):
        raise ParameterError(
            f"{name} is {value!r}; it must be an exposure, with level, kinks and last_day_above; "
            "give one such as stein_typical()"
        )


@dataclass(frozen=True, kw_only=True)
class DelayedExposure:
    """An exposure that starts later: nothing before its day, then the whole curve.

    Examples
    --------
    >>> from car_relapse.exposure import stein_typical
    >>> second = DelayedExposure(exposure=stein_typical(), delay=100.0)
    >>> second.level([50.0, 109.3]).round(6)
    array([    0., 24000.])
    """

    exposure: Exposure
    """The curve, against days after its own start."""
    delay: float
    """Day on which it starts, days after the start of therapy, >= 0."""

    def __post_init__(self) -> None:
        require_exposure("exposure", self.exposure)
        require_non_negative("delay", self.delay, _DAY, scalar=True)

    @property
    def kinks(self) -> tuple[float, ...]:
        """The day of the start and the corners of the curve."""
        return tuple(sorted({self.delay, *(self.delay + day for day in self.exposure.kinks)}))

    def level(self, day: ArrayLike) -> NDArray[np.float64]:
        """Return the level on `day`, in the unit of the curve; 0 before the start.

        Raises
        ------
        ParameterError
            When a day is negative or not finite.
        """
        t = require_non_negative("day", day, _DAY)
        own = self.exposure.level(np.maximum(t - self.delay, 0.0))
        return np.asarray(np.where(t >= self.delay, own, 0.0))

    def last_day_above(self, level: ArrayLike) -> NDArray[np.float64]:
        """Return the last day on which the curve is at least `level`, or 0 if never.

        Raises
        ------
        ParameterError
            When `level` is not finite and > 0.
        """
        wanted = require_positive("level", level, "give a level in the unit of the curve")
        last = np.asarray(self.exposure.last_day_above(wanted), dtype=float)
        # A last day of 0 means either never or only at the start.
        reached = (last > 0) | (np.asarray(self.exposure.level(0.0)) >= wanted)
        return np.asarray(np.where(reached, self.delay + last, 0.0))


@dataclass(frozen=True, kw_only=True)
class ScaledExposure:
    """An exposure times a factor: another dose, another unit, or a fraction that is active.

    Examples
    --------
    >>> from car_relapse.exposure import stein_typical
    >>> round(float(ScaledExposure(exposure=stein_typical(), factor=0.5).level(9.3)), 6)
    12000.0
    """

    exposure: Exposure
    """The curve."""
    factor: float
    """What its levels are multiplied with, dimensionless or in the wanted unit over the curve's,
    > 0."""

    def __post_init__(self) -> None:
        require_exposure("exposure", self.exposure)
        require_positive("factor", self.factor, "leave the product out instead", scalar=True)

    @property
    def kinks(self) -> tuple[float, ...]:
        """The corners of the curve."""
        return self.exposure.kinks

    def level(self, day: ArrayLike) -> NDArray[np.float64]:
        """Return the level on `day`, in the unit of the curve times that of the factor."""
        return np.asarray(self.factor * np.asarray(self.exposure.level(day)))

    def last_day_above(self, level: ArrayLike) -> NDArray[np.float64]:
        """Return the last day on which the scaled curve is at least `level`, or 0 if never.

        Raises
        ------
        ParameterError
            When `level` is not finite and > 0.
        """
        wanted = require_positive("level", level, "give a level in the unit of the scaled curve")
        return np.asarray(self.exposure.last_day_above(wanted / self.factor), dtype=float)


@dataclass(frozen=True, kw_only=True)
class SummedExposure:
    """The sum of several exposures that act alike and do not notice each other.

    Examples
    --------
    >>> from car_relapse.exposure import stein_typical
    >>> both = SummedExposure(parts=(stein_typical(), stein_typical()))
    >>> round(float(both.level(9.3)), 6)
    48000.0
    """

    parts: tuple[Exposure, ...]
    """The curves, in one unit, against days after one start; each of one patient."""

    def __post_init__(self) -> None:
        if not isinstance(self.parts, tuple) or not self.parts:
            raise ParameterError(
                f"parts is {self.parts!r}; it must be a tuple of one exposure or more; give "
                "(first, second)"
            )
        for part in self.parts:
            require_exposure("a part", part)

    @property
    def kinks(self) -> tuple[float, ...]:
        """The corners of all curves."""
        return tuple(sorted({day for part in self.parts for day in part.kinks}))

    def level(self, day: ArrayLike) -> NDArray[np.float64]:
        """Return the sum of the levels on `day`, in the unit of the curves."""
        levels = [np.asarray(part.level(day), dtype=float) for part in self.parts]
        return np.asarray(sum(levels[1:], start=levels[0]))

    def last_day_above(self, level: ArrayLike) -> NDArray[np.float64]:
        """Return the last day on which the sum is at least `level`, or 0 if never.

        Raises
        ------
        ParameterError
            When `level` is not finite and > 0.
        """
        wanted = require_positive("level", level, "give a level in the unit of the curves")
        share = wanted.reshape(-1) / len(self.parts)
        bounds = [np.asarray(part.last_day_above(share), dtype=float) for part in self.parts]
        days = [
            search_last_day(self.level, self.kinks, float(far), float(value)) if far > 0 else 0.0
            for far, value in zip(np.max(bounds, axis=0), wanted.reshape(-1), strict=True)
        ]
        return np.asarray(days, dtype=float).reshape(wanted.shape)


def repeated_exposure(
    exposure: Exposure, days: Sequence[float], *, factors: Sequence[float] | None = None
) -> SummedExposure:
    """Return the exposure of the same product infused on several days.

    Parameters
    ----------
    exposure : Exposure
        The curve of one infusion.
    days : sequence of float
        Days of the infusions after the start of therapy, >= 0.
    factors : sequence of float, optional
        Size of each infusion over that of the curve, > 0; all 1 when left out.

    Raises
    ------
    ParameterError
        When there is no day, a day or factor is out of range, or their numbers differ.

    Examples
    --------
    >>> from car_relapse.exposure import stein_typical
    >>> twice = repeated_exposure(stein_typical(), (0.0, 60.0), factors=(1.0, 0.5))
    >>> twice.kinks
    (0.0, 9.3, 60.0, 69.3)
    """
    starts = require_non_negative("days", days, _DAY)
    sizes = require_positive(
        "factors", np.ones(starts.shape) if factors is None else factors, "1 is the curve itself"
    )
    if starts.ndim != 1 or not starts.size or sizes.shape != starts.shape:
        raise ParameterError(
            f"days is {days!r} and factors {factors!r}; there must be one day or more and one "
            "factor for each; give two lists of one length"
        )
    return SummedExposure(
        parts=tuple(
            DelayedExposure(
                exposure=ScaledExposure(exposure=exposure, factor=float(size)), delay=float(start)
            )
            for start, size in zip(starts, sizes, strict=True)
        )
    )
