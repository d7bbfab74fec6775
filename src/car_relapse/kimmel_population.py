r"""Patients whose CAR-T compete for room: many curves of Kimmel et al. 2021, solved together.

Each patient has rates and starting levels of their own, lognormal around the paper's values
(doi:10.1098/rspb.2021.0229). The curves are those of `car_relapse.exposure_kimmel`; solving the
equations of all patients at once costs about as much as solving those of one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.integrate import solve_ivp

from car_relapse.curve_samplers import draw_curves, require_spread
from car_relapse.dense import polynomial_pieces
from car_relapse.errors import (
    ParameterError,
    require_instance,
    require_non_negative,
    require_positive,
)
from car_relapse.exposure import CornerCurves, Curves
from car_relapse.exposure_kimmel import KimmelExposure
from car_relapse.published._kimmel_model import CELLS_PER_LEVEL, refill_rate

__all__ = ["KimmelCurves", "KimmelPopulation"]

Floats = NDArray[np.float64]

_FIELDS = ("normal_rate", "normal_start", "car_start", "car_capacity", "car_rate", "car_boost")
_RTOL, _ATOL = 1e-10, 1e-11
# From then on a log level goes on with the slope that it has when the room is full.
_CENTURY = 36_525.0
_SETTLED = 1e-7
_CALLS = 30_000
_BISECTIONS = 60


@dataclass(frozen=True, kw_only=True)
class KimmelCurves:
    """Curves of many patients: polynomials in the log of the level, then straight lines."""

    typical: KimmelExposure
    """Supplies what does not differ, and the unit of the levels."""
    parameters: Mapping[str, Floats]
    """What differs, by the names of `KimmelParameters`, shape (patients,)."""
    breaks: Floats
    """Days between which the log levels are polynomials, shape (m + 1,)."""
    coefficients: Floats
    """Highest power first, in days since the break, shape (8, m, patients)."""
    slope: Floats
    """Slope of the log levels after the last break, 1/day, < 0, shape (patients,)."""

    @property
    def corners(self) -> Floats:
        """The day of infusion, shape (1, patients)."""
        return np.zeros((1, self.slope.size))

    def log_level(self, day: ArrayLike) -> Floats:
        """Return the natural log of the levels on `day`, whose last axis is the patient."""
        t = require_non_negative("day", day, "count days from infusion")
        patient = np.arange(self.slope.size)
        inside = np.minimum(t, self.breaks[-1])
        piece = np.searchsorted(self.breaks, inside, side="right") - 1
        piece = np.clip(piece, 0, self.breaks.size - 2)
        since = inside - self.breaks[piece]
        value = self.coefficients[0][piece, patient]
        for power in self.coefficients[1:]:
            value = value * since + power[piece, patient]
        return np.asarray(value + self.slope * np.maximum(t - self.breaks[-1], 0.0))

    def level(self, day: ArrayLike) -> Floats:
        """Return the levels on `day`, whose last axis is the patient."""
        return np.asarray(np.exp(self.log_level(day)))

    def last_day_above(self, level: ArrayLike) -> Floats:
        """Return the last day at or above `level`, per patient, or 0 when there is none."""
        wanted = np.log(require_positive("level", level, "give a level in the unit of the curves"))
        wanted = np.broadcast_to(wanted, self.slope.shape)
        part = np.arange(4)[:, None] / 4.0
        grid = np.append(self.breaks[:-1] + part * np.diff(self.breaks), self.breaks[-1])
        grid.sort()
        above = self.log_level(grid[:, None]) >= wanted
        last = len(grid) - 1 - above[::-1].argmax(axis=0)
        low, high = grid[last], grid[np.minimum(last + 1, len(grid) - 1)]
        for _ in range(_BISECTIONS):
            middle = 0.5 * (low + high)
            up = self.log_level(middle) >= wanted
            low, high = np.where(up, middle, low), np.where(up, high, middle)
        beyond = (wanted - self.log_level(self.breaks[-1])) / self.slope
        days = np.where(above[-1], self.breaks[-1] + beyond, low)
        return np.asarray(np.where(above.any(axis=0), days, 0.0))

    def one(self, index: int) -> KimmelExposure:
        """Return the curve of one patient."""
        own = {name: float(values[index]) for name, values in self.parameters.items()}
        return replace(self.typical, parameters=replace(self.typical.parameters, **own))


@dataclass(frozen=True, kw_only=True)
class KimmelPopulation:
    """Patients with lognormal differences in the rates and the start of Kimmel et al. 2021.

    Examples
    --------
    >>> people = KimmelPopulation(car_start=0.5, car_boost=0.2)
    >>> people.sample(3, np.random.default_rng(1)).level([0.0, 7.0, 28.0]).shape
    (3,)
    """

    exposure: KimmelExposure = field(default_factory=KimmelExposure)
    """The curve of the typical patient."""
    normal_rate: float = 0.0
    """Standard deviation of the natural log of the rate at which normal T cells refill,
    dimensionless, >= 0; an effect of this name, as the next five."""
    normal_start: float = 0.0
    """The same of the normal T cells on the day of infusion: how deep lymphodepletion was."""
    car_start: float = 0.0
    """The same of the CAR-T cells on the day of infusion."""
    car_capacity: float = 0.0
    """The same of the carrying capacity of CAR-T cells. Patients in whom it is not below that
    of normal T cells are drawn again, which truncates the law there."""
    car_rate: float = 0.0
    """The same of the lowest growth rate of CAR-T cells."""
    car_boost: float = 0.0
    """The same of the growth rate that empty space adds."""

    def __post_init__(self) -> None:
        require_instance("exposure", self.exposure, KimmelExposure, "give KimmelExposure()")
        for name, sd in self.effects.items():
            require_spread(name, sd)

    @property
    def effects(self) -> dict[str, float]:
        """Standard deviation of each effect on the log scale, by its name."""
        return {name: getattr(self, name) for name in _FIELDS}

    def possible(self, effects: Mapping[str, Floats]) -> NDArray[np.bool_]:
        """Return for each patient whether normal T cells win in the end."""
        p = self.exposure.parameters
        return np.asarray(p.car_capacity * np.exp(effects["car_capacity"]) < p.normal_capacity)

    def curves(self, effects: Mapping[str, Floats]) -> KimmelCurves:
        """Return the curves of patients with these effects, each of shape (patients,).

        Raises
        ------
        ParameterError
            When the curves do not settle in a number of steps that can be waited for.
        """
        typical = self.exposure.parameters
        own = {name: getattr(typical, name) * np.exp(effects[name]) for name in _FIELDS}
        size = own["car_start"].size
        full, room = np.log(typical.normal_capacity), np.log(own["car_capacity"])
        calls = 0

        def growth(log_total: Floats) -> Floats:
            rate = refill_rate(
                log_total - full, own["car_rate"], own["car_boost"], typical.car_boost_shape
            )
            return np.asarray(-rate * (log_total - room))

        def slope(_: float, y: Floats) -> Floats:
            nonlocal calls
            calls += 1
            if calls > _CALLS:
                raise ParameterError(
                    f"normal_rate is up to {own['normal_rate'].max():g} and car_rate up to "
                    f"{own['car_rate'].max():g}; curves with such rates do not settle in a number "
                    "of steps that can be waited for; lower the spreads"
                )
            log_total = np.logaddexp(y[:size], y[size:])
            return np.concatenate([-own["normal_rate"] * (log_total - full), growth(log_total)])

        def settled(_: float, y: Floats) -> float:
            gap = np.maximum(np.abs(y[:size] - full), np.exp(y[size:] - full))
            return float(np.log(np.maximum(gap.max(), 1e-300) / _SETTLED))

        # The integrator reads this mark from the function it watches; a function may have
        # attributes, but its type names none.
        settled.terminal = True  # type: ignore[attr-defined]
        begin = np.log(np.concatenate([own["normal_start"], own["car_start"]]))
        run = solve_ivp(
            slope, (0.0, _CENTURY), begin, "DOP853", rtol=_RTOL, atol=_ATOL, dense_output=True,
            events=settled,
        )  # fmt: skip
        breaks, coefficients = polynomial_pieces(run.sol)
        coefficients = np.array(coefficients[:, :, size:])
        if self.exposure.unit == "cells":
            coefficients[-1] += np.log(CELLS_PER_LEVEL)
        return KimmelCurves(
            typical=self.exposure,
            parameters=own,
            breaks=breaks,
            coefficients=coefficients,
            slope=growth(np.full(size, full)),
        )

    def sample(self, n: int, rng: np.random.Generator) -> Curves | CornerCurves:
        """Draw the curves of `n` patients."""
        return draw_curves(self, n, rng)
