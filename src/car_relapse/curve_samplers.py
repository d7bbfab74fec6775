"""Who draws curves of any shape for a cohort: one curve for all, a scaled curve, an engager.

The curves of Stein et al. have one peak, which the engine of cohorts knows how to follow fastest
(`car_relapse.exposure`). Any other exposure serves as well: it has to say its level, its corners
and its last day above a level. Differences between patients are lognormal and named, so that a
population may correlate them with burden, growth and losses.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from car_relapse.engager import EngagerExposure, TrimerExposure
from car_relapse.errors import (
    ParameterError,
    require_draws,
    require_instance,
    require_non_negative,
    require_positive,
)
from car_relapse.exposure import (
    CornerCurves,
    Curves,
    EffectSampler,
    Exposure,
)
from car_relapse.exposure_products import ScaledExposure, require_exposure

__all__ = [
    "CurveList",
    "EngagerPopulation",
    "ScaledCurves",
    "ScaledPopulation",
    "StretchedExposure",
    "draw_curves",
    "one_exposure",
    "require_spread",
]

Floats = NDArray[np.float64]
Effects = Mapping[str, Floats]


# A factor of e^40 between two patients is beyond any body.
_WIDEST = 10.0


def require_spread(name: str, value: float) -> None:
    """Raise a ParameterError unless `value` is a standard deviation on the log scale."""
    remedy = "0 means no difference between patients"
    if require_non_negative(name, value, remedy, scalar=True) > _WIDEST:
        raise ParameterError(
            f"{name} is {value:g}; patients cannot differ by so many e-folds; it must be at most "
            f"{_WIDEST:g}; {remedy}"
        )


def draw_curves(sampler: EffectSampler, n: int, rng: np.random.Generator) -> Curves | CornerCurves:
    """Draw curves with independent effects, again where there is no such curve.

    Parameters
    ----------
    sampler : EffectSampler
        Who makes curves of effects.
    n : int
        Number of patients, >= 1.
    rng : numpy.random.Generator
        Source of randomness.
    """
    require_instance("rng", rng, np.random.Generator, "give numpy.random.default_rng(seed)")
    count = require_draws(n, "patients")

    def draw(size: int) -> dict[str, Floats]:
        return {
            name: sd * rng.standard_normal(size) if sd > 0 else np.zeros(size)
            for name, sd in sampler.effects.items()
        }

    effects = draw(count)
    while (bad := ~sampler.possible(effects)).any():
        for name, fresh in draw(int(bad.sum())).items():
            effects[name][bad] = fresh
    return sampler.curves(effects)


@dataclass(frozen=True, kw_only=True)
class StretchedExposure:
    """An exposure whose every day comes later, or sooner, by a factor.

    Examples
    --------
    >>> from car_relapse.exposure import stein_typical
    >>> slow = StretchedExposure(exposure=stein_typical(), factor=2.0)
    >>> round(float(slow.level(18.6)), 6)
    24000.0
    """

    exposure: Exposure
    """The curve."""
    factor: float
    """Its days are multiplied with this, dimensionless, > 0."""

    def __post_init__(self) -> None:
        require_exposure("exposure", self.exposure)
        require_positive("factor", self.factor, "1 leaves the days as they are", scalar=True)

    @property
    def kinks(self) -> tuple[float, ...]:
        """The corners of the curve, later by the factor."""
        return tuple(day * self.factor for day in self.exposure.kinks)

    def level(self, day: ArrayLike) -> Floats:
        """Return the level on `day`, in the unit of the curve."""
        t = require_non_negative("day", day, "count days from the start of therapy")
        return np.asarray(self.exposure.level(t / self.factor))

    def last_day_above(self, level: ArrayLike) -> Floats:
        """Return the last day on which the curve is at least `level`, or 0 if never."""
        return np.asarray(self.factor * np.asarray(self.exposure.last_day_above(level)))


def _last_days(exposure: Exposure, level: Floats) -> Floats:
    """Return the last day above each level, each level asked once."""
    distinct, back = np.unique(level, return_inverse=True)
    return np.asarray(exposure.last_day_above(distinct), dtype=float)[back.reshape(level.shape)]


@dataclass(frozen=True, kw_only=True)
class ScaledCurves:
    """The curves of many patients that differ by a factor of the level, and one of the days."""

    exposure: Exposure
    """The curve of the typical patient."""
    factor: Floats
    """What its levels are multiplied with, dimensionless, shape (patients,)."""
    stretch: Floats
    """What its days are multiplied with, dimensionless, shape (patients,)."""

    def level(self, day: ArrayLike) -> Floats:
        """Return the levels on `day`, whose last axis is the patient."""
        return np.asarray(self.factor * self.exposure.level(np.asarray(day) / self.stretch))

    def last_day_above(self, level: ArrayLike) -> Floats:
        """Return the last day at or above `level`, per patient, or 0 when there is none."""
        wanted = np.asarray(np.asarray(level) / self.factor)
        return np.asarray(self.stretch * _last_days(self.exposure, wanted))

    @property
    def corners(self) -> Floats:
        """Days of the corners, ascending, shape (corners, patients)."""
        kinks = np.sort(np.append(0.0, self.exposure.kinks))
        return np.asarray(kinks[:, None] * self.stretch)

    def one(self, index: int) -> Exposure:
        """Return the curve of one patient."""
        curve: Exposure = self.exposure
        if self.stretch[index] != 1.0:
            curve = StretchedExposure(exposure=curve, factor=float(self.stretch[index]))
        return ScaledExposure(exposure=curve, factor=float(self.factor[index]))


@dataclass(frozen=True, kw_only=True)
class ScaledPopulation:
    """Patients whose curves are one curve, such as a table, scaled; by default the same for all.

    Examples
    --------
    >>> from car_relapse.exposure_table import TableExposure
    >>> table = TableExposure(days=(0, 10, 90), levels=(50, 9000, 40), after="decline")
    >>> people = ScaledPopulation(exposure=table, level_log_sd=0.8)
    >>> people.sample(5, np.random.default_rng(1)).level(10.0).shape
    (5,)
    """

    exposure: Exposure
    """The curve of the typical patient: any exposure."""
    level_log_sd: float = 0.0
    """Standard deviation of the natural log of a patient's levels over the typical ones,
    dimensionless, >= 0. As an effect: "level"."""
    stretch_log_sd: float = 0.0
    """The same of a patient's days over the typical ones. As an effect: "stretch"."""

    def __post_init__(self) -> None:
        require_exposure("exposure", self.exposure)
        for name in ("level_log_sd", "stretch_log_sd"):
            require_spread(name, getattr(self, name))

    @property
    def effects(self) -> dict[str, float]:
        """Standard deviation of each effect on the log scale, by its name."""
        return {"level": self.level_log_sd, "stretch": self.stretch_log_sd}

    def possible(self, effects: Effects) -> NDArray[np.bool_]:
        """Return for each patient whether there is such a curve: always."""
        return np.ones(effects["level"].shape, dtype=bool)

    def curves(self, effects: Effects) -> ScaledCurves:
        """Return the curves of patients with these effects, each of shape (patients,)."""
        return ScaledCurves(
            exposure=self.exposure,
            factor=np.exp(effects["level"]),
            stretch=np.exp(effects["stretch"]),
        )

    def sample(self, n: int, rng: np.random.Generator) -> Curves | CornerCurves:
        """Draw the curves of `n` patients."""
        return draw_curves(self, n, rng)


@dataclass(frozen=True, kw_only=True)
class CurveList:
    """The curves of many patients, each an exposure of its own."""

    exposures: tuple[Exposure, ...]
    """One for each patient; any exposures."""

    def __post_init__(self) -> None:
        if not isinstance(self.exposures, tuple) or not self.exposures:
            raise ParameterError(
                f"exposures is {self.exposures!r}; it must be a tuple of one exposure for each "
                "patient; give at least one"
            )
        for exposure in self.exposures:
            require_exposure("an exposure", exposure)

    def level(self, day: ArrayLike) -> Floats:
        """Return the levels on `day`, whose last axis is the patient."""
        t = np.asarray(day, dtype=float)
        days = np.broadcast_to(t, np.broadcast_shapes(t.shape, (len(self.exposures),)))
        each = [curve.level(days[..., i]) for i, curve in enumerate(self.exposures)]
        return np.stack(each, axis=-1)

    def last_day_above(self, level: ArrayLike) -> Floats:
        """Return the last day at or above `level`, per patient, or 0 when there is none."""
        levels = np.broadcast_to(level, (len(self.exposures),))
        pairs = zip(self.exposures, levels, strict=True)
        return np.array([float(curve.last_day_above(value)) for curve, value in pairs])

    @property
    def corners(self) -> Floats:
        """Days of the corners, ascending, shape (corners, patients)."""
        kinks = [(0.0, *sorted(curve.kinks)) for curve in self.exposures]
        most = max(len(days) for days in kinks)
        # A patient with fewer corners has the last one several times.
        return np.array([[*days, *[days[-1]] * (most - len(days))] for days in kinks]).T

    def one(self, index: int) -> Exposure:
        """Return the curve of one patient."""
        return self.exposures[index]


@dataclass(frozen=True, kw_only=True)
class EngagerPopulation:
    """Patients on one schedule of an engager, in whom its kinetics and the dose differ.

    Examples
    --------
    >>> from car_relapse.engager_dosing import blinatumomab_exposure
    >>> people = EngagerPopulation(exposure=blinatumomab_exposure(), clearance=0.5)
    >>> people.sample(3, np.random.default_rng(1)).level(14.0).shape
    (3,)
    """

    exposure: EngagerExposure | TrimerExposure
    """Drug or trimers of the typical patient."""
    clearance: float = 0.0
    """Standard deviation of the natural log of the clearance, dimensionless, >= 0; an effect of
    this name, as the next three."""
    central_volume: float = 0.0
    """The same of the central volume."""
    absorption_rate: float = 0.0
    """The same of the rate of uptake from under the skin."""
    dose: float = 0.0
    """The same of all doses."""

    def __post_init__(self) -> None:
        if not isinstance(self.exposure, EngagerExposure | TrimerExposure):
            raise ParameterError(
                f"exposure is {self.exposure!r}; it must be an EngagerExposure or a "
                "TrimerExposure; use ScaledPopulation for other curves"
            )
        for name, sd in self.effects.items():
            require_spread(name, sd)
        if self.absorption_rate and self._drug.kinetics.absorption_rate is None:
            raise ParameterError(
                f"absorption_rate is {self.absorption_rate:g} and the drug is only infused; what "
                "is not there cannot differ; leave it out"
            )

    @property
    def _drug(self) -> EngagerExposure:
        curve = self.exposure
        return curve.drug if isinstance(curve, TrimerExposure) else curve

    @property
    def effects(self) -> dict[str, float]:
        """Standard deviation of each effect on the log scale, by its name."""
        names = ("clearance", "central_volume", "absorption_rate", "dose")
        return {name: getattr(self, name) for name in names}

    def possible(self, effects: Effects) -> NDArray[np.bool_]:
        """Return for each patient whether there is such a curve: always."""
        return np.ones(effects["dose"].shape, dtype=bool)

    def curves(self, effects: Effects) -> CurveList:
        """Return the curves of patients with these effects, each of shape (patients,)."""
        factors = {name: np.exp(values) for name, values in effects.items()}
        patients = range(factors["dose"].size)
        one = [self._one({name: float(f[i]) for name, f in factors.items()}) for i in patients]
        return CurveList(exposures=tuple(one))

    def _one(self, factor: dict[str, float]) -> Exposure:
        drug, uptake = self._drug, self._drug.kinetics.absorption_rate
        kinetics = replace(
            drug.kinetics,
            clearance=drug.kinetics.clearance * factor["clearance"],
            central_volume=drug.kinetics.central_volume * factor["central_volume"],
            absorption_rate=None if uptake is None else uptake * factor["absorption_rate"],
        )
        own = EngagerExposure(
            kinetics=kinetics,
            infusions=tuple(replace(d, rate=d.rate * factor["dose"]) for d in drug.infusions),
            injections=tuple(replace(d, amount=d.amount * factor["dose"]) for d in drug.injections),
        )
        curve = self.exposure
        return replace(curve, drug=own) if isinstance(curve, TrimerExposure) else own

    def sample(self, n: int, rng: np.random.Generator) -> Curves | CornerCurves:
        """Draw the curves of `n` patients."""
        return draw_curves(self, n, rng)


def one_exposure(curves: Curves | CornerCurves, index: int) -> Exposure:
    """Return the curve of one of many patients.

    Raises
    ------
    ParameterError
        When the curves do not say what one of them is.
    """
    one = getattr(curves, "one", None)
    if one is None:
        raise ParameterError(
            f"curves is {curves!r}; to take one patient's, it must have a method one(index); add "
            "it to your curves"
        )
    exposure: Exposure = one(index)
    return exposure
