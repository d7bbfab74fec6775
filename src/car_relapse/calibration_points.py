"""Patients at fixed points of a population, instead of drawn from it.

Quasi-random (Sobol) points cover a population far more evenly than random draws, and stay where
they are while parameters change: an average over them is a smooth function of the parameters.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtr, ndtri

from car_relapse.errors import (
    ParameterError,
    require_count,
    require_instance,
    require_non_negative,
    require_positive,
)
from car_relapse.exposure import MOST_PATIENTS, SteinExposure, SteinPopulation

if TYPE_CHECKING:
    from numpy.typing import NDArray


__all__ = ["Patients", "Points", "points"]


@dataclass(frozen=True, kw_only=True)
class Points:
    """Quasi-random patients: where in the population each one sits."""

    curve: SteinExposure
    """CAR-T curves, array fields of shape (n,)."""
    burden: NDArray[np.float64]
    """Standard normal score of log burden, dimensionless, shape (n,)."""
    growth: NDArray[np.float64]
    """Standard normal score of log growth rate, dimensionless, shape (n,)."""


@dataclass(frozen=True, kw_only=True)
class Patients:
    """Patients before therapy; all arrays have shape (n,)."""

    birth_rate: NDArray[np.float64]
    """Division rate, 1/day, > 0."""
    death_rate: NDArray[np.float64]
    """Natural death rate, 1/day, >= 0, below the division rate."""
    burden: NDArray[np.float64]
    """Leukaemia cells at infusion that show the target, cells, > 0."""
    curve: SteinExposure
    """CAR-T curves, array fields of shape (n,)."""

    def __post_init__(self) -> None:
        n = require_positive("birth_rate", self.birth_rate, "give rates per day").shape
        shapes = {
            "death_rate": require_non_negative("death_rate", self.death_rate, "give rates").shape,
            "burden": require_positive("burden", self.burden, "give numbers of cells").shape,
        }
        require_instance("curve", self.curve, SteinExposure, "give a sampled SteinExposure")
        shapes |= {
            f"curve.{f.name}": np.shape(getattr(self.curve, f.name)) for f in fields(SteinExposure)
        }
        if np.any(np.asarray(self.death_rate) >= self.birth_rate):
            raise ParameterError(
                "death_rate reaches birth_rate in at least one patient; untreated leukaemia "
                "grows; lower death_rate"
            )
        if len(n) != 1 or any(shape != n for shape in shapes.values()):
            raise ParameterError(
                f"birth_rate has shape {n} and the others {shapes}; each holds one number for "
                "every patient; give arrays of one length"
            )

    def block(self, first: int, last: int) -> Patients:
        """Return the patients `first` to `last` - 1."""
        remedy = "count the patients from 0"
        first = require_count("first", first, remedy, maximum=MOST_PATIENTS)
        last = require_count("last", last, remedy, maximum=MOST_PATIENTS)
        names = [f.name for f in fields(SteinExposure)]
        cut = {name: np.asarray(getattr(self.curve, name))[first:last] for name in names}
        return Patients(
            birth_rate=self.birth_rate[first:last],
            death_rate=self.death_rate[first:last],
            burden=self.burden[first:last],
            curve=replace(self.curve, **cut),
        )


def points(exposures: SteinPopulation, n: int, *, seed: int) -> Points:
    """Return `n` quasi-random patients (scrambled Sobol points).

    Curves follow the laws of `car_relapse.exposure.SteinPopulation`, with its two truncations.

    Parameters
    ----------
    exposures : SteinPopulation
        Typical curve and spread.
    n : int
        Number of patients, a power of two, >= 2.
    seed : int
        Seed of the scrambling, >= 0.

    Raises
    ------
    ParameterError
        When `n` is no power of two, or the seed no whole number >= 0.

    Examples
    --------
    >>> from car_relapse.exposure import stein_population
    >>> points(stein_population(), 8, seed=1).burden.shape
    (8,)
    """
    require_instance("exposures", exposures, SteinPopulation, "give stein_population()")
    # Imported here: the rest of the package does without it, and it is slow to load.
    from scipy.stats import qmc

    count = require_count("n", n, "give a power of two", minimum=2)
    root = require_count("seed", seed, "give a whole number >= 0", maximum=None)
    power = count.bit_length() - 1
    if 2**power != count:
        raise ParameterError(
            f"n is {count}; Sobol points are balanced in powers of two only; give {2**power}"
        )
    names = [f.name for f in fields(SteinExposure)]
    uniform = qmc.Sobol(len(names) + 2, rng=root).random_base2(power)
    centre = np.log([float(np.asarray(getattr(exposures.typical, f))) for f in names])
    curve = {}
    for i, name in enumerate(names):
        sd, level = exposures.log_sd[i], uniform[:, i]
        if sd == 0:
            curve[name] = np.full(count, np.exp(centre[i]))
            continue
        edge = ndtr(-centre[i] / sd)
        if name == "fold":
            level = edge + level * (1.0 - edge)
        elif name == "memory_fraction":
            level = level * edge
        curve[name] = np.exp(centre[i] + sd * ndtri(level))
    return Points(
        curve=SteinExposure(**curve), burden=ndtri(uniform[:, -2]), growth=ndtri(uniform[:, -1])
    )
