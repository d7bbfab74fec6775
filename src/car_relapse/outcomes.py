"""What became of virtual patients."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray

from car_relapse.errors import ParameterError, require_non_negative, require_positive
from car_relapse.parameters import default

__all__ = ["Cohort", "Detection", "Outcome", "default_detection"]


class Outcome(IntEnum):
    """What became of a virtual patient."""

    CURED = 0
    """No line outlives therapy."""
    ANTIGEN_POSITIVE = 1
    """Relapse in which cells that show every target are the majority."""
    ANTIGEN_NEGATIVE = 2
    """Relapse in which cells that have lost every target are the majority."""
    NO_REMISSION = 3
    """The burden never fell below the remission limit."""
    PARTIAL_LOSS = 4
    """Relapse in which cells that have lost some of several targets are the majority."""
    LINEAGE_SWITCH = 5
    """Relapse in which cells that have switched lineage, and lost every target with it, are
    the majority."""


@dataclass(frozen=True, kw_only=True)
class Detection:
    """Burdens at which remission is called and relapse is found."""

    remission_cells: float
    """Burden below which the patient is in remission, cells, > 0. Ledger:
    ``detection.remission_cells``."""
    relapse_cells: float
    """Burden at which relapse is found, cells, above `remission_cells`. Ledger:
    ``detection.relapse_cells``."""

    def __post_init__(self) -> None:
        for name in ("remission_cells", "relapse_cells"):
            require_positive(name, getattr(self, name), "give a number of cells", scalar=True)
        if self.relapse_cells <= self.remission_cells:
            raise ParameterError(
                f"relapse_cells is {self.relapse_cells:g} and remission_cells is "
                f"{self.remission_cells:g}; relapse must lie above remission, or noise around "
                "one limit counts as relapse; raise relapse_cells"
            )


def _checked(outcome: Outcome) -> Outcome:
    try:
        return Outcome(outcome)
    except ValueError:
        names = ", ".join(f"Outcome.{member.name}" for member in Outcome)
        raise ParameterError(
            f"outcome is {outcome!r}; a patient has one of {names}; choose one of them"
        ) from None


@dataclass(frozen=True, kw_only=True)
class Cohort:
    """Virtual patients, one element each; all arrays have shape (n,), 42 bytes a patient."""

    outcome: NDArray[np.int8]
    """What became of each patient: values of `Outcome`."""
    relapse_day: NDArray[np.float64]
    """Day after infusion on which relapse is found; infinite for the cured, 0 for those
    who never reach remission."""
    burden: NDArray[np.float64]
    """Leukaemia cells at infusion."""
    positive_lines: NDArray[np.float64]
    """Expected number of lines that outlive therapy and still show a target (closed form, as
    are the next two; the three kinds share no line)."""
    preexisting_lines: NDArray[np.float64]
    """Expected number of surviving lines that had lost every target before infusion."""
    acquired_lines: NDArray[np.float64]
    """Expected number of surviving lines that lose the last target under therapy."""
    subgroup: NDArray[np.int8]
    """Subgroup of each patient: 0 for none, then in the order of `Population.subgroups`."""

    @property
    def size(self) -> int:
        """Number of patients."""
        return int(self.outcome.size)

    @property
    def cure_probability(self) -> NDArray[np.float64]:
        """Probability that no line outlives therapy, per patient (closed form)."""
        return np.asarray(
            np.exp(-(self.positive_lines + self.preexisting_lines + self.acquired_lines))
        )

    def share(self, outcome: Outcome) -> tuple[float, float]:
        """Return the share of patients with `outcome` and its Monte Carlo standard error."""
        p = float(np.mean(self.outcome == _checked(outcome)))
        return p, float(np.sqrt(p * (1 - p) / self.size))

    def cumulative_incidence(self, outcome: Outcome, days: ArrayLike) -> NDArray[np.float64]:
        """Return the share of patients with `outcome` by each of `days`.

        Raises
        ------
        ParameterError
            When a day is negative or not finite.
        """
        t = require_non_negative("days", days, "count days from infusion")
        when = np.sort(self.relapse_day[self.outcome == _checked(outcome)])
        return np.asarray(np.searchsorted(when, t, side="right") / self.size)

    def relapse_free(self, days: ArrayLike) -> NDArray[np.float64]:
        """Return the share of patients *in remission at first* who have not relapsed by `days`.

        Raises
        ------
        ParameterError
            When no patient reached remission, or a day is negative.
        """
        t = require_non_negative("days", days, "count days from infusion")
        reached = self.outcome != Outcome.NO_REMISSION
        if not reached.any():
            raise ParameterError(
                "no patient reached remission; relapse-free survival starts from remission; "
                "change the population"
            )
        when = np.sort(self.relapse_day[reached])
        return np.asarray(1.0 - np.searchsorted(when, t, side="right") / when.size)


def default_detection() -> Detection:
    """Return the limits of remission and relapse of the ledger."""
    return Detection(
        remission_cells=default("detection.remission_cells"),
        relapse_cells=default("detection.relapse_cells"),
    )
