r"""How much CAR-T there is, day by day.

The curve of Stein et al. 2019 (doi:10.1002/psp4.12388) for tisagenlecleucel in children
and young adults with B-ALL: exponential expansion to a peak, then two exponential
declines, a fast *contraction* and a slow *memory* phase.

.. math::

    C(t) = \begin{cases}
        R_0\, e^{\rho t}, & t < T_{max} \\
        C_{max}\left[(1-F_B)\,e^{-\alpha (t-T_{max})} + F_B\,e^{-\beta (t-T_{max})}\right],
        & t \ge T_{max}
    \end{cases}

with :math:`\rho = \ln(\text{fold})/T_{max}` and :math:`R_0 = C_{max}/\text{fold}`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Literal, Protocol, TypeGuard, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from car_relapse.errors import (
    ParameterError,
    require_count,
    require_instance,
    require_non_negative,
    require_positive,
)
from car_relapse.parameters import default

__all__ = [
    "CornerCurves",
    "CurveSampler",
    "Curves",
    "EffectSampler",
    "Exposure",
    "SpreadReading",
    "SteinExposure",
    "SteinPopulation",
    "one_peak",
    "stein_population",
    "stein_typical",
]

SpreadReading = Literal["variance", "standard deviation"]

MOST_PATIENTS = 10**7
"""Patients whose parameters are drawn at once, at most; their arrays fill some gigabytes."""

_FIELDS = ("fold", "peak_day", "peak_level", "contraction_rate", "memory_fraction", "memory_rate")


@runtime_checkable
class Exposure(Protocol):
    """What a model of therapy needs to know of a CAR-T curve."""

    def level(self, day: ArrayLike) -> NDArray[np.float64]:
        """Return the transgene level on `day` after infusion, copies/µg DNA."""
        ...

    @property
    def kinks(self) -> tuple[float, ...]:
        """Days on which the curve is not smooth."""
        ...

    def last_day_above(self, level: ArrayLike) -> NDArray[np.float64]:
        """Return the last day on which the curve is at least `level`, or 0 when it never is."""
        ...


class Curves(Protocol):
    """What a cohort needs to know of the one-peak curves of many patients, one element each.

    A curve may rise as it likes up to one peak; from there it falls for good.
    """

    def level(self, day: ArrayLike) -> NDArray[np.float64]:
        """Return the levels on `day`, whose last axis is the patient, copies/µg DNA."""
        ...

    def last_day_above(self, level: ArrayLike) -> NDArray[np.float64]:
        """Return the last day at or above `level`, per patient, or 0 when there is none."""
        ...

    @property
    def peak_day(self) -> float | NDArray[np.float64]:
        """Day of the peak, days, shape (patients,)."""
        ...

    @property
    def slowest_decline(self) -> NDArray[np.float64]:
        """Lower bound of the rate at which the log of the level falls after the peak, 1/day."""
        ...

    @property
    def fastest_decline(self) -> NDArray[np.float64]:
        """Upper bound of the rate at which the log of the level falls after the peak, 1/day."""
        ...


class CornerCurves(Protocol):
    """What a cohort needs to know of curves of any shape, one for each of many patients."""

    def level(self, day: ArrayLike) -> NDArray[np.float64]:
        """Return the levels on `day`, whose last axis is the patient."""
        ...

    def last_day_above(self, level: ArrayLike) -> NDArray[np.float64]:
        """Return the last day at or above `level`, per patient, or 0 when there is none."""
        ...

    @property
    def corners(self) -> NDArray[np.float64]:
        """Days on which the curves are not smooth, ascending, shape (corners, patients)."""
        ...


def one_peak(curves: Curves | CornerCurves) -> TypeGuard[Curves]:
    """Return whether curves say where their one peak is, which is the fastest to follow."""
    return hasattr(curves, "peak_day")


@runtime_checkable
class CurveSampler(Protocol):
    """Who can draw the curves of many patients."""

    def sample(self, n: int, rng: np.random.Generator) -> Curves | CornerCurves:
        """Draw the curves of `n` patients."""
        ...


@runtime_checkable
class EffectSampler(CurveSampler, Protocol):
    """A sampler whose curves follow from named effects, so that these may be correlated."""

    @property
    def effects(self) -> dict[str, float]:
        """Standard deviation of each effect on the log scale, by name."""
        ...

    def possible(self, effects: Mapping[str, NDArray[np.float64]]) -> NDArray[np.bool_]:
        """Return for each patient whether there is such a curve; others are drawn again."""
        ...

    def curves(self, effects: Mapping[str, NDArray[np.float64]]) -> Curves | CornerCurves:
        """Return the curves of patients with these effects, each of shape (patients,).

        An effect is the natural log of a patient's parameter over the median.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class SteinExposure:
    """A transgene curve of Stein et al. 2019, of one patient or (array fields) of many.

    Array fields broadcast against the days handed to the methods.
    """

    fold: float | NDArray[np.float64]
    """Fold expansion from the level at infusion to the peak, > 1. Ledger: ``stein.fold``."""
    peak_day: float | NDArray[np.float64]
    """Day of the peak :math:`T_{max}`, days, > 0. Ledger: ``stein.peak_day``."""
    peak_level: float | NDArray[np.float64]
    """Level at the peak :math:`C_{max}`, copies/µg DNA, > 0. Ledger: ``stein.peak_level``."""
    contraction_rate: float | NDArray[np.float64]
    r"""Rate :math:`\alpha` of the fast decline, 1/day, > 0. Ledger: ``stein.contraction_rate``."""
    memory_fraction: float | NDArray[np.float64]
    """Fraction :math:`F_B` of the peak that declines slowly, in (0, 1).
    Ledger: ``stein.memory_fraction``."""
    memory_rate: float | NDArray[np.float64]
    r"""Rate :math:`\beta` of the slow decline, 1/day, > 0. Ledger: ``stein.memory_rate``."""

    def __post_init__(self) -> None:
        remedy = "see the ledger rows stein.*"
        for name in _FIELDS:
            require_positive(name, getattr(self, name), remedy)
        if np.any(np.asarray(self.fold) <= 1):
            raise ParameterError(
                f"fold is {self.fold!r}; CAR-T cells must expand, so it must be > 1; {remedy}"
            )
        if np.any(np.asarray(self.memory_fraction) >= 1):
            raise ParameterError(
                f"memory_fraction is {self.memory_fraction!r}; it is a part of the peak and "
                f"must be < 1; {remedy}"
            )

    def one(self, index: int) -> SteinExposure:
        """Return the curve of one of many patients, counted from 0."""
        patients = max(np.size(getattr(self, f)) for f in _FIELDS)
        number = require_count("index", index, "count patients from 0", maximum=patients - 1)
        values = {f: np.broadcast_to(getattr(self, f), (patients,)) for f in _FIELDS}
        return SteinExposure(**{f: float(value[number]) for f, value in values.items()})

    @property
    def expansion_rate(self) -> NDArray[np.float64]:
        r"""Growth rate :math:`\rho` before the peak, 1/day."""
        return np.asarray(np.log(self.fold) / np.asarray(self.peak_day, dtype=float))

    @property
    def baseline_level(self) -> NDArray[np.float64]:
        """Level :math:`R_0` at infusion that the curve implies, copies/µg DNA."""
        return np.asarray(np.asarray(self.peak_level) / np.asarray(self.fold, dtype=float))

    @property
    def kinks(self) -> tuple[float, ...]:
        """The peak day: the curve has a corner there. Known for one patient's curve alone."""
        remedy = "take the curve of one patient"
        return (float(require_positive("peak_day", self.peak_day, remedy, scalar=True)),)

    @property
    def slowest_decline(self) -> NDArray[np.float64]:
        """Lower bound of the rate at which the log of the level falls after the peak, 1/day."""
        return np.minimum(self.contraction_rate, self.memory_rate)

    @property
    def fastest_decline(self) -> NDArray[np.float64]:
        """Upper bound of the rate at which the log of the level falls after the peak, 1/day."""
        return np.maximum(self.contraction_rate, self.memory_rate)

    @property
    def switch_day(self) -> NDArray[np.float64]:
        """Day on which the memory term overtakes the contraction term, days.

        Raises
        ------
        ParameterError
            When the two rates are equal: then neither term overtakes the other.
        """
        if np.any(np.asarray(self.contraction_rate) == self.memory_rate):
            raise ParameterError(
                f"contraction_rate and memory_rate are both {self.memory_rate!r}; neither decline "
                "overtakes the other, so they must differ; change one"
            )
        share = np.asarray(self.memory_fraction, dtype=float)
        gap = np.asarray(self.contraction_rate) - np.asarray(self.memory_rate, dtype=float)
        return np.asarray(self.peak_day + np.log((1 - share) / share) / gap)

    def level(self, day: ArrayLike) -> NDArray[np.float64]:
        """Return the transgene level on `day` after infusion.

        Parameters
        ----------
        day : array_like
            Days after infusion, >= 0; broadcasts against the fields.

        Returns
        -------
        ndarray
            Copies/µg DNA.

        Raises
        ------
        ParameterError
            When a day is negative or not finite.

        Examples
        --------
        >>> round(float(stein_typical().level(28)), 1)
        1373.6
        """
        t = require_non_negative("day", day, "count days from infusion")
        gap = t - self.peak_day
        after = np.maximum(gap, 0.0)
        share = np.asarray(self.memory_fraction)
        level = np.asarray(np.exp(after * np.negative(self.contraction_rate)))
        level *= self.peak_level * (1.0 - share)
        after *= np.negative(self.memory_rate)
        level += self.peak_level * share * np.exp(after)
        level *= np.exp(self.expansion_rate * np.minimum(gap, 0.0))
        return level

    def area(self, day: ArrayLike) -> NDArray[np.float64]:
        """Return the area under the curve from infusion to `day`, copies/µg DNA x days.

        Examples
        --------
        >>> round(float(stein_typical().area(28)))
        171774
        """
        t = require_non_negative("day", day, "count days from infusion")
        rate = self.expansion_rate
        rise = self.baseline_level * np.expm1(rate * np.minimum(t, self.peak_day)) / rate
        after = np.maximum(t - self.peak_day, 0.0)
        share = np.asarray(self.memory_fraction)
        contraction = np.asarray(self.contraction_rate, dtype=float)
        memory = np.asarray(self.memory_rate, dtype=float)
        fast = (1 - share) * -np.expm1(-contraction * after) / contraction
        slow = share * -np.expm1(-memory * after) / memory
        return np.asarray(rise + self.peak_level * (fast + slow))

    def last_day_above(self, level: ArrayLike) -> NDArray[np.float64]:
        r"""Return the last day on which the curve is at least `level`, or 0 if it never is.

        Solved by Newton steps on the log of the decline, which is convex and falling, from
        a start to the left of the root: the steps rise to it without overshooting.

        Raises
        ------
        ParameterError
            When `level` is not finite and > 0.
        """
        target = require_positive("level", level, "give a level in copies/µg DNA")
        share = np.asarray(self.memory_fraction, dtype=float)
        fast = np.asarray(self.contraction_rate, dtype=float)
        slow = np.asarray(self.memory_rate, dtype=float)
        peak = np.asarray(self.peak_level, dtype=float)
        # The quotient passes all numbers before its log does.
        with np.errstate(over="ignore"):
            quotient = peak / target
        drop = np.log(quotient)
        if np.isinf(drop).any():
            drop = np.where(np.isinf(drop), np.log(peak) - np.log(target), drop)
        reached = drop >= 0
        # Either phase alone gives a lower bound for the day after the peak.
        after = np.maximum(
            (drop + np.log1p(-share)) / fast, np.maximum((drop + np.log(share)) / slow, 0.0)
        )
        for _ in range(60):  # pragma: no branch - Newton's method has converged long before
            a = np.log1p(-share) - fast * after
            b = np.log(share) - slow * after
            log_decline = np.logaddexp(a, b)
            slope = -(fast * np.exp(a - log_decline) + slow * np.exp(b - log_decline))
            step = np.where(reached, (log_decline + drop) / -slope, 0.0)
            after = after + step
            if np.all(np.abs(step) <= 1e-12 * (1.0 + after)):
                break
        return np.asarray(np.where(reached, self.peak_day + after, 0.0))


@dataclass(frozen=True, kw_only=True)
class SteinPopulation:
    """Typical curve and log-normal spread between patients."""

    typical: SteinExposure
    """Curve of the typical patient."""
    log_sd: tuple[float, float, float, float, float, float]
    """Standard deviation of the natural log of each field of the curve, in field order
    (fold, peak day, peak level, contraction rate, memory fraction, memory rate);
    dimensionless, >= 0. Ledger: ``stein.spread.*``."""

    def __post_init__(self) -> None:
        require_instance("typical", self.typical, SteinExposure, "give stein_typical()")
        sd = require_non_negative("log_sd", self.log_sd, "see the ledger rows stein.spread.*")
        if sd.shape != (len(_FIELDS),):
            raise ParameterError(
                f"log_sd has {sd.size} entries; it needs one for each of "
                f"{', '.join(_FIELDS)}; give six"
            )

    def sample(self, n: int, rng: np.random.Generator) -> SteinExposure:
        """Draw the curves of `n` patients.

        Independent log-normal effects. A draw whose fold is not above 1 or whose memory
        fraction is not below 1 is no Stein curve; it is drawn again, which truncates the
        law there.

        Parameters
        ----------
        n : int
            Number of patients, from 1 to ten million.
        rng : numpy.random.Generator
            Source of randomness.

        Returns
        -------
        SteinExposure
            With array fields of shape (n,).
        """
        require_instance("rng", rng, np.random.Generator, "give numpy.random.default_rng(seed)")
        count = require_count(
            "n",
            n,
            "give a number of patients, or draw them in parts",
            minimum=1,
            maximum=MOST_PATIENTS,
        )
        centre = np.log([float(np.asarray(getattr(self.typical, f))) for f in _FIELDS])
        sd = np.asarray(self.log_sd)
        draws = centre + sd * rng.standard_normal((count, len(_FIELDS)))
        fold, memory = _FIELDS.index("fold"), _FIELDS.index("memory_fraction")
        while (bad := (draws[:, fold] <= 0) | (draws[:, memory] >= 0)).any():
            fresh = rng.standard_normal((int(bad.sum()), len(_FIELDS)))
            draws[bad] = centre + sd * fresh
        values = np.exp(draws)
        return SteinExposure(**{f: values[:, i] for i, f in enumerate(_FIELDS)})

    @property
    def effects(self) -> dict[str, float]:
        """Standard deviation of each field of the curve on the log scale, by its name."""
        return dict(zip(_FIELDS, self.log_sd, strict=True))

    def possible(self, effects: Mapping[str, NDArray[np.float64]]) -> NDArray[np.bool_]:
        """Return for each patient whether a Stein curve has these effects."""
        fold = np.log(self.typical.fold) + effects["fold"] > 0
        return np.asarray(
            fold & (np.log(self.typical.memory_fraction) + effects["memory_fraction"] < 0)
        )

    def curves(self, effects: Mapping[str, NDArray[np.float64]]) -> SteinExposure:
        """Return the curves of patients with these effects, each of shape (patients,)."""
        return SteinExposure(**{f: getattr(self.typical, f) * np.exp(effects[f]) for f in _FIELDS})


def stein_typical() -> SteinExposure:
    """Return the typical tisagenlecleucel curve, from the ledger.

    Examples
    --------
    >>> stein_typical().peak_day
    9.3
    """
    names = [f.name for f in fields(SteinExposure)]
    return SteinExposure(**{name: default(f"stein.{name}") for name in names})


def stein_population(reading: SpreadReading = "variance") -> SteinPopulation:
    """Return the population of tisagenlecleucel curves, from the ledger.

    Parameters
    ----------
    reading : {"variance", "standard deviation"}
        How to read the printed random effects. The source read for this book enters them
        as variances on the log scale; tables of this kind often print standard
        deviations. The question is open, so it is a switch.

    Raises
    ------
    ParameterError
        When `reading` is neither of the two.

    Examples
    --------
    >>> round(stein_population().log_sd[2], 3)
    0.806
    """
    printed = [default(f"stein.spread.{name}") for name in _FIELDS]
    if reading == "variance":
        printed = [value**0.5 for value in printed]
    elif reading != "standard deviation":
        raise ParameterError(
            f"reading is {reading!r}; it must be 'variance' or 'standard deviation'; choose one"
        )
    fold, day, level, fast, share, slow = printed
    return SteinPopulation(typical=stein_typical(), log_sd=(fold, day, level, fast, share, slow))
