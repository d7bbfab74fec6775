"""Designs that look only at the current level: their table of decisions, and what it does.

BOIN, mTPI, mTPI-2 and i3+3 differ in one thing: what x toxicities among n patients at a level
mean for the next patients. The rest is common to them and stands here. Whatever the table says,
no level is skipped; a level whose toxicity is above the target with high posterior probability
is excluded for good, with all levels above it; and when that is the lowest, the trial stops. At
the end the level with the isotonic estimate closest to the target is recommended.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betainc

from car_relapse.errors import ParameterError, require_count
from car_relapse.trial._checks import strictly_between
from car_relapse.trial.dose._checks import require_numbers_of_patients
from car_relapse.trial.dose.designs import NONE, STOP, DoseData, Ints, require_data, settled
from car_relapse.trial.dose.isotonic import closest_level

__all__ = ["DecisionRow", "TableDesign"]

#: Most patients at one level for which a table is made.
_MOST = 1000
#: Tables are made for a multiple of this many patients, so that few are made as a trial grows.
_STEP = 24

Moves = NDArray[np.int8]


@dataclass(frozen=True, kw_only=True)
class DecisionRow:
    """What the toxicities at a level with some number of patients decide."""

    patients: int
    """Patients treated at the level."""
    escalate: int | None
    """Go up with this many toxicities or fewer; None when no number allows it."""
    deescalate: int | None
    """Go down with this many toxicities or more; None when no number asks for it."""
    eliminate: int | None
    """Never return to the level or above with this many or more; None for no such number."""


def _posterior_above(target: float, patients: Ints, toxic: Ints) -> NDArray[np.float64]:
    """Return the probability of a toxicity above the target under a flat prior."""
    return np.asarray(betainc(patients - toxic + 1.0, toxic + 1.0, 1.0 - target))


@dataclass(frozen=True, kw_only=True)
class TableDesign(ABC):
    """What the designs with a table of decisions share; a `Design`."""

    target: float
    """Probability of dose-limiting toxicity that is aimed at, in (0, 1)."""
    cutoff: float = 0.95
    """Posterior probability of a toxicity above the target beyond which a level is excluded."""
    least: int = 3
    """Patients at a level before it can be excluded, >= 1."""
    enough: int | None = None
    """Stop once this many were treated at a level and the next would be, too; None for never."""

    def __post_init__(self) -> None:
        remedy = "give the probability of toxicity aimed at"
        enough = self.enough
        if enough is not None:
            enough = require_count("enough", enough, "give a number of patients or None", minimum=1)
        # Plain numbers, because tables are remembered by what the design is.
        self._keep(
            target=strictly_between("target", self.target, remedy),
            cutoff=strictly_between("cutoff", self.cutoff, "give 0.95 or so"),
            least=require_count("least", self.least, "give 3 or so", minimum=1),
            enough=enough,
        )

    def _keep(self, **values: float | int | tuple[float, float] | None) -> None:
        for name, value in values.items():
            object.__setattr__(self, name, value)

    @abstractmethod
    def _moves(self, patients: int) -> Moves:
        """Return the move after 0 to `patients` toxicities: 1 up, 0 stay, -1 down."""

    def excluded(self, patients: int) -> NDArray[np.bool_]:
        """Return whether 0 to `patients` toxicities among as many exclude a level."""
        n = _patients(patients)
        x = np.arange(n + 1)
        above = _posterior_above(self.target, np.asarray(n), x)
        return np.asarray((above > self.cutoff) & (n >= self.least))

    def decisions(self, patients: int) -> str:
        """Return the decisions after 0 to `patients` toxicities, one letter each.

        E for escalate, S for stay, D for de-escalate, U for de-escalate because the level is
        unacceptable and excluded.
        """
        n = _patients(patients)
        letters = np.array(list("DSE"))[self._moves(n) + 1]
        return "".join(np.where(self.excluded(n), "U", letters))

    def table(self, patients: ArrayLike) -> tuple[DecisionRow, ...]:
        """Return the table of decisions that a protocol prints, one row per number of patients.

        Parameters
        ----------
        patients : array_like of int
            Numbers of patients treated at a level.
        """
        return tuple(self._row(n) for n in require_numbers_of_patients(patients, _MOST))

    def _row(self, n: int) -> DecisionRow:
        moves, out = self._moves(n), self.excluded(n)
        up, down, never = (np.flatnonzero(f) for f in (moves > 0, (moves < 0) | out, out))
        return DecisionRow(
            patients=n,
            escalate=int(up[-1]) if up.size else None,
            deescalate=int(down[0]) if down.size else None,
            eliminate=int(never[0]) if never.size else None,
        )

    def _ceiling(self, treated: Ints, toxic: Ints) -> Ints:
        """Return the level below the lowest that is excluded; the highest where none is."""
        _, out = _lookup(self, _size(treated))
        bad = out[treated, toxic]
        return np.asarray(np.where(bad.any(axis=-1), np.argmax(bad, axis=-1), treated.shape[-1]))

    def next_level(self, data: DoseData, current: ArrayLike) -> Ints:
        """Return the level for the next patients, `STOP`, or `WAIT` for the pending."""
        return settled(self._next, data, current)

    def _next(self, treated: Ints, toxic: Ints, current: Ints) -> Ints:
        moves, _ = _lookup(self, _size(treated))
        index = current[..., None] - 1
        n = np.take_along_axis(treated, index, axis=-1)[..., 0]
        x = np.take_along_axis(toxic, index, axis=-1)[..., 0]
        ceiling = self._ceiling(treated, toxic)
        answer = np.minimum(np.maximum(current + moves[n, x], 1), ceiling)
        stop = ceiling == 0
        if self.enough is not None:
            stop |= (answer == current) & (n >= self.enough)
        return np.where(stop, STOP, answer)

    def recommend(self, data: DoseData) -> Ints:
        """Return the level, of those not excluded, with the estimate closest to the target."""
        require_data(data)
        ceiling = self._ceiling(data.treated, data.toxic)
        levels = np.arange(1, data.levels + 1)
        best = closest_level(data, self.target, allowed=levels <= ceiling[..., None])
        return np.where(ceiling == 0, NONE, best)


def _patients(patients: int) -> int:
    remedy = "give a number of patients at one level"
    return require_count("patients", patients, remedy, minimum=1, maximum=_MOST)


def _size(treated: Ints) -> int:
    most = int(treated.max(initial=0))
    if most > _MOST:
        raise ParameterError(
            f"treated is {most}; it must be at most {_MOST} at a level; give a smaller trial"
        )
    return min(_MOST, -(-max(most, 1) // _STEP) * _STEP)


@lru_cache(maxsize=64)
def _lookup(design: TableDesign, size: int) -> tuple[Moves, NDArray[np.bool_]]:
    """Return the moves and exclusions by patients and toxicities; nobody treated means stay."""
    moves = np.zeros((size + 1, size + 1), dtype=np.int8)
    out = np.zeros((size + 1, size + 1), dtype=bool)
    for n in range(1, size + 1):
        moves[n, : n + 1] = design._moves(n)
        out[n, : n + 1] = design.excluded(n)
    return moves, out
