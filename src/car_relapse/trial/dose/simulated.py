"""What simulated dose-finding trials came to: each trial, and means with Monte Carlo errors."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from car_relapse.errors import ParameterError, require_fraction, require_instance
from car_relapse.trial.dose.designs import Ints
from car_relapse.trial.dose.scenario import DoseScenario

__all__ = ["Estimate", "LevelRecord", "SimulatedTrials"]

Floats = NDArray[np.float64]
Truths = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A mean over simulated trials, and its Monte Carlo standard error."""

    value: float
    """The mean."""
    std_error: float
    """Standard deviation among trials, divided by the root of their number."""


def _mean(per_trial: NDArray[np.generic]) -> Estimate:
    values = np.asarray(per_trial, dtype=np.float64)
    return Estimate(value=float(values.mean()), std_error=float(values.std() / values.size**0.5))


@dataclass(frozen=True, kw_only=True)
class LevelRecord:
    """What happened at one dose level, means per trial; level 0 is no level."""

    level: int
    """The level, from 1; 0 for trials that recommend none."""
    selected: Estimate
    """Share of trials that recommend it."""
    treated: Estimate
    """Patients who received it."""
    toxic: Estimate
    """Those with a dose-limiting toxicity."""
    responses: Estimate
    """Those who responded."""


@dataclass(frozen=True, kw_only=True)
class SimulatedTrials:
    """Simulated trials, one row each. Patients are counted at the level that they received."""

    scenario: DoseScenario
    """What was assumed of patients and product."""
    seed: int
    """Seed of the patients: two runs with one seed treat the same ones."""
    recommended: Ints
    """Level that each trial recommends, 0 for none, shape (trials,)."""
    treated: Ints
    """Patients infused at each level, shape (trials, levels)."""
    toxic: Ints
    """Those with a dose-limiting toxicity, shape (trials, levels)."""
    responses: Ints
    """Those who responded, shape (trials, levels)."""
    enrolled: Ints
    """Patients who had apheresis, shape (trials,)."""
    failed: Ints
    """Those for whom no product could be made, shape (trials,)."""
    underdosed: Ints
    """Those infused with less than planned, shape (trials,)."""
    months: Floats
    """Months from opening until the last patient has been followed, shape (trials,); NaN where
    there is no calendar."""
    stopped: Truths
    """Whether the design ended the trial, shape (trials,)."""
    exhausted: Truths
    """Whether the trial ran out of patients who may have apheresis, shape (trials,)."""

    @property
    def trials(self) -> int:
        """Number of trials."""
        return len(self.recommended)

    @property
    def selected(self) -> Floats:
        """Share of trials that recommend no level, level 1, level 2, ..., shape (levels + 1,)."""
        return np.asarray(self._chosen().mean(axis=0))

    @property
    def selected_std_error(self) -> Floats:
        """Monte Carlo standard error of `selected`."""
        return np.asarray(np.sqrt(self.selected * (1.0 - self.selected) / self.trials))

    def _chosen(self) -> Truths:
        return np.asarray(self.recommended[:, None] == np.arange(self.treated.shape[1] + 1))

    def records(self) -> tuple[LevelRecord, ...]:
        """Return one record per level, after one for no level."""
        columns = {"treated": self.treated, "toxic": self.toxic, "responses": self.responses}
        none = np.zeros((self.trials, 1))
        padded = {name: np.hstack([none, values]) for name, values in columns.items()}
        return tuple(
            LevelRecord(
                level=level,
                selected=_mean(chosen),
                **{name: _mean(values[:, level]) for name, values in padded.items()},
            )
            for level, chosen in enumerate(self._chosen().T)
        )

    def totals(self) -> dict[str, Estimate]:
        """Return the means per trial of what is counted over all levels, and of any months."""
        months = {} if np.isnan(self.months).any() else {"months": _mean(self.months)}
        return months | {
            "treated": _mean(self.treated.sum(axis=1)),
            "toxic": _mean(self.toxic.sum(axis=1)),
            "responses": _mean(self.responses.sum(axis=1)),
            "enrolled": _mean(self.enrolled),
            "failed": _mean(self.failed),
            "underdosed": _mean(self.underdosed),
            "stopped": _mean(self.stopped),
            "exhausted": _mean(self.exhausted),
        }

    def treated_above(self, limit: float) -> Estimate:
        """Return the mean number of patients at levels whose true toxicity exceeds `limit`.

        Parameters
        ----------
        limit : float
            Highest acceptable probability of toxicity, in [0, 1].
        """
        highest = float(require_fraction("limit", limit, "give the target or so", scalar=True))
        return _mean(self.treated[:, np.asarray(self.scenario.toxicity) > highest].sum(axis=1))

    def selection_difference(self, other: SimulatedTrials) -> tuple[Estimate, ...]:
        """Return by how much more often these trials recommend each level than `other` ones do.

        Trials are compared in pairs, so that chance which both share drops out.

        Parameters
        ----------
        other : SimulatedTrials
            Of the same number of trials and the same seed.
        """
        require_instance("other", other, SimulatedTrials, "give what simulate returns")
        if (other.trials, other.seed) != (self.trials, self.seed):
            raise ParameterError(
                f"other has {other.trials} trials of seed {other.seed}, these are {self.trials} of "
                f"seed {self.seed}; only trials of the same patients are pairs; simulate it again"
            )
        if other.treated.shape != self.treated.shape:
            raise ParameterError(
                f"other has {other.treated.shape[1]} levels and these trials "
                f"{self.treated.shape[1]}; they must be as many; compare designs on one scenario"
            )
        difference = self._chosen().astype(float) - other._chosen()
        return tuple(_mean(column) for column in difference.T)


def joined(parts: list[SimulatedTrials]) -> SimulatedTrials:
    """Return trials of one run that were simulated in parts, in the order of the parts."""
    arrays: dict[str, Any] = {
        f.name: np.concatenate([getattr(p, f.name) for p in parts])
        for f in fields(SimulatedTrials)
        if f.name not in ("scenario", "seed")
    }
    return SimulatedTrials(scenario=parts[0].scenario, seed=parts[0].seed, **arrays)
