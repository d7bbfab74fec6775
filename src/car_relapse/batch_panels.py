r"""Panels for many patients at once, each patient's by a clock of its own.

The clock runs with growth, with killing, and with the log of the curve, so that one
patient's clock ticks as often on a panel as another's.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from car_relapse.celltypes import CellTypes
from car_relapse.errors import ParameterError
from car_relapse.exposure import Curves
from car_relapse.killing import Killing, LinearKilling

__all__ = ["TICKS", "Batch", "panel_edges", "plan"]

_Array = NDArray[np.float64]

# An error of the start at the horizon is forgotten by e^-24.
_SETTLED = 24.0
# Fewer than e^-120 cells in one line are none: at most 1e-39 expected lines of 1e13.
_NOTHING_LEFT = 120.0
TICKS = 3.6
"""Ticks of the clock on a panel."""
# Ticks that an e-fold of a curve counts.
_PER_FOLD = 0.8
_COARSE = 64
_MOST_PANELS = 2000


_Record = TypeVar("_Record")


def _some(record: _Record, who: NDArray[np.int64], patients: int) -> _Record:
    """Return a record whose array fields hold only some of the patients."""
    changed = {
        name: value[who]
        for name, value in vars(record).items()
        if isinstance(value, np.ndarray) and value.shape == (patients,)
    }
    return cast(_Record, replace(cast(Any, record), **changed)) if changed else record


@dataclass(frozen=True, kw_only=True)
class Batch:
    """What differs between patients; B of them."""

    birth: NDArray[np.float64]
    """Division rate, 1/day, shape (B,)."""
    death: NDArray[np.float64]
    """Natural death rate, 1/day, shape (B,)."""
    burden: NDArray[np.float64]
    """Cells at infusion, shape (B,)."""
    per_antigen: NDArray[np.float64]
    """Loss probabilities per division, shape (B, k)."""
    common_mode: NDArray[np.float64]
    """Probability of a lineage switch per division, shape (B,)."""
    shared_defect: NDArray[np.float64]
    """Probability of a shared defect per division, shape (B,)."""
    curves: tuple[Curves, ...]
    """Curves of each product."""
    killing: tuple[Killing | LinearKilling, ...]
    """Killing laws of each product."""

    def of(self, who: NDArray[np.int64]) -> Batch:
        """Return some of the patients."""
        patients = self.birth.size
        return Batch(
            birth=self.birth[who], death=self.death[who], burden=self.burden[who],
            per_antigen=self.per_antigen[who], common_mode=self.common_mode[who],
            shared_defect=self.shared_defect[who],
            curves=tuple(_some(curve, who, patients) for curve in self.curves),
            killing=tuple(_some(law, who, patients) for law in self.killing),
        )  # fmt: skip

    def kill(self, day: _Array) -> _Array:
        """Return the killing rates of the products, shape (products,) + day.shape."""
        pairs = zip(self.killing, self.curves, strict=True)
        return np.stack([law.rate(curve.level(day)) for law, curve in pairs])


def _bounds(batch: Batch, reach: _Array, slowest: _Array) -> tuple[_Array, _Array]:
    """Return the day from which killing stays below net growth, and the horizon."""
    share = slowest / max(int((reach > 0).sum()), 1)
    turn, fade = np.zeros_like(slowest), np.full_like(slowest, np.inf)
    for law, curve, arm in zip(batch.killing, batch.curves, reach, strict=True):
        peak = np.broadcast_to(np.asarray(curve.peak_day, dtype=float), turn.shape)
        turn = np.maximum(turn, peak)
        if arm == 0:
            continue
        rate = share / arm
        level = law.level_for(rate)
        top = np.asarray(curve.level(peak))
        reached = level <= top
        last = curve.last_day_above(np.where(reached, level, top))
        turn = np.maximum(turn, np.where(reached, last, 0.0))
        # The log of a saturating law falls more slowly than that of the level.
        steep = law.elasticity(np.minimum(rate, law.rate(top)))
        fade = np.minimum(fade, curve.slowest_decline * steep)
    # Growth regained s days later is at least slowest (x - 1 + e^-x)/fade with x = fade s, and
    # x^2/(2+x) <= x - 1 + e^-x.
    fade = np.where(np.isfinite(fade), fade, 1.0)
    if not fade.all():
        raise ParameterError(
            "killing saturates so far above half its rate that nobody can tell when it falls; "
            "levels must be of a size that a body can have; raise half_level, lower the levels, "
            "or use survival.relapse_probabilities for each patient"
        )
    need = _SETTLED * fade / slowest
    return turn, turn + 0.5 * (need + np.sqrt(need**2 + 8.0 * need)) / fade


def _net(batch: Batch, types: CellTypes) -> tuple[_Array, _Array]:
    """Return the slowest growth and the fastest change of an untreated line, 1/day."""
    net = batch.birth * (types.birth / types.birth.max())[:, None] - batch.death
    total = batch.per_antigen.sum(axis=1) + batch.common_mode + batch.shared_defect
    return (
        np.where(net > 0, net, np.inf).min(axis=0),
        np.abs(net).max(axis=0) + batch.birth * total,
    )


def plan(batch: Batch, types: CellTypes) -> tuple[_Array, _Array, _Array]:
    """Return the day killing falls below growth, the horizon, and the work of each patient."""
    slowest, fastest = _net(batch, types)
    turn, end = _bounds(batch, types.engagement[0].max(axis=1), slowest)
    part = np.linspace(0.0, 1.0, 4 * _COARSE)[:, None]
    day = np.expm1(part * np.log1p(end))
    day[-1] = end
    reached = np.unique(types.engagement[0].T, axis=0)
    rates = np.einsum("gp,pcb->gcb", reached, batch.kill(day))
    least = rates[(reached > 0).any(axis=1)].min(axis=0)
    step = np.diff(day, axis=0)
    # Of the two ends of each step the one that leaves more.
    left = np.cumsum((fastest - np.minimum(least[1:], least[:-1])) * step, axis=0)
    gone = left < -_NOTHING_LEFT
    cut = np.where(gone.any(axis=0), day[1:][gone.argmax(axis=0), np.arange(end.size)], np.inf)
    work = ((fastest + rates.max(axis=0)[1:]) * step * (day[1:] <= cut)).sum(axis=0)
    return np.minimum(turn, cut), np.minimum(end, cut), work


def panel_edges(batch: Batch, types: CellTypes, turn: _Array, end: _Array) -> _Array:
    """Return panel edges for each patient, shape (P + 1, B)."""
    slowest, fastest = _net(batch, types)
    reach = types.engagement[0].max(axis=1)
    peaks = [np.minimum(np.broadcast_to(np.asarray(c.peak_day, dtype=float), end.shape), end)
             for c in batch.curves]  # fmt: skip
    marks = np.sort(np.stack([np.zeros_like(turn), *peaks, turn, end]), axis=0)
    edges = [marks[:1]]
    for left, right in pairwise(marks):
        # Curves fall fastest after a peak: coarse points start close and spread.
        scale = np.maximum(right - left, 1e-12) / 50.0
        part = np.linspace(0.0, 1.0, _COARSE)[:, None]
        day = left + scale * np.expm1(part * np.log1p((right - left) / scale))
        day[-1] = right
        kill = np.einsum("p,pcb->cb", reach, batch.kill(day))
        fold = np.zeros_like(day)
        for curve in batch.curves:
            log_level = np.log(np.maximum(curve.level(day), 1e-300))
            fold[1:] += np.abs(np.diff(log_level, axis=0))
        counts = kill / (kill + 0.02 * slowest)
        middle = 0.5 * (kill[1:] + kill[:-1])
        ticks = np.zeros_like(day)
        ticks[1:] = np.cumsum(
            (fastest + middle) * np.diff(day, axis=0) + _PER_FOLD * (fold * counts)[1:], axis=0
        )
        panels = int(np.ceil(ticks[-1].max() / TICKS)) if ticks[-1].max() > 0 else 0
        if panels > _MOST_PANELS:
            raise ParameterError(
                f"growth and killing of one patient need {panels} panels; at most {_MOST_PANELS} "
                "are solved in a batch; take that patient out and use relapse_probabilities"
            )
        wanted = np.linspace(0.0, 1.0, panels + 1)[1:, None] * ticks[-1]
        edges.append(
            np.stack([np.interp(w, t, d) for w, t, d in zip(wanted.T, ticks.T, day.T, strict=True)],
                     axis=1) if panels else np.empty((0, left.size))
        )  # fmt: skip
    return np.concatenate(edges)
