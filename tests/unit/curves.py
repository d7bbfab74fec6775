"""Curves for tests of the engine: the same in every patient, and one that is no Stein curve."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from car_relapse.exposure import SteinExposure

NAMES = [f.name for f in fields(SteinExposure)]


def one_of(curves: SteinExposure, i: int) -> SteinExposure:
    """Return the curve of patient `i`."""
    return SteinExposure(**{name: float(getattr(curves, name)[i]) for name in NAMES})


@dataclass(frozen=True)
class Same:
    """Everybody has the curve `one`."""

    one: SteinExposure

    def sample(self, n: int, rng: np.random.Generator) -> SteinExposure:
        return SteinExposure(**{f: np.full(n, getattr(self.one, f)) for f in NAMES})


@dataclass(frozen=True)
class Plateau:
    """Level 1 for some days, and gone within the next."""

    days: float
    n: int = 1

    def sample(self, n: int, rng: np.random.Generator) -> Plateau:
        return Plateau(self.days, n)

    def level(self, day):
        late = np.maximum(np.asarray(day, dtype=float) - self.days, 0.0)
        return np.broadcast_to(np.exp(-60.0 * late), np.broadcast_shapes(late.shape, (self.n,)))

    def last_day_above(self, level):
        return np.where(np.asarray(level) <= 1.0, self.days - np.log(np.minimum(level, 1)) / 60, 0)

    @property
    def peak_day(self):
        return np.full(self.n, self.days)

    @property
    def slowest_decline(self):
        return np.full(self.n, 60.0)

    @property
    def fastest_decline(self):
        return np.full(self.n, 60.0)
