r"""What is kept of a cohort too large to keep: counts, and what follows from them.

A million patients are a gigabyte of arrays or a few kilobytes of counts. The counts are whole
numbers, so a summary is exactly the same in whatever parts the cohort was simulated. Of n
patients k have an outcome: the share :math:`k/n` has the Monte Carlo standard error
:math:`\sqrt{k(n-k)/n^3}`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from car_relapse.errors import ParameterError, require_instance, require_non_negative
from car_relapse.outcomes import Cohort, Outcome

__all__ = ["Summary", "summarise"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Summary:
    """Counts of outcomes, in all and by each day of a grid. Summaries add up.

    Examples
    --------
    >>> from car_relapse.cohort import default_population, simulate
    >>> cohort = simulate(default_population(), 300, seed=1)
    >>> counts = summarise(cohort, days=[100, 365])
    >>> (counts + counts).size
    600
    """

    days: NDArray[np.float64]
    """Grid of days after infusion, ascending, shape (days,), days."""
    counts: NDArray[np.int64]
    """Patients with each outcome, in the order of `Outcome`, shape (outcomes,)."""
    by_day: NDArray[np.int64]
    """Patients with each outcome by each day, shape (outcomes, days)."""

    @property
    def size(self) -> int:
        """Number of patients."""
        return int(self.counts.sum())

    def __add__(self, other: Summary) -> Summary:
        if not isinstance(other, Summary):
            return NotImplemented
        if not np.array_equal(self.days, other.days):
            raise ParameterError(
                f"the summaries have {self.days.size} and {other.days.size} days, not the same "
                "ones; only summaries on one grid add up; summarise both on the same days"
            )
        return Summary(
            days=self.days, counts=self.counts + other.counts, by_day=self.by_day + other.by_day
        )

    def _row(self, outcome: Outcome) -> int:
        require_instance("outcome", outcome, Outcome, "give a member, such as Outcome.CURED")
        return list(Outcome).index(outcome)

    def _error(self, count: NDArray[np.int64]) -> NDArray[np.float64]:
        n = self.size
        return np.asarray(np.sqrt(count / n * ((n - count) / n) / n))

    def share(self, outcome: Outcome) -> tuple[float, float]:
        """Return the share of patients with `outcome` and its Monte Carlo standard error."""
        count = self.counts[self._row(outcome)]
        return float(count / self.size), float(self._error(count))

    def cumulative_incidence(self, outcome: Outcome) -> NDArray[np.float64]:
        """Return the share of patients with `outcome` by each of `days`, shape (days,)."""
        return np.asarray(self.by_day[self._row(outcome)] / self.size)

    def cumulative_incidence_error(self, outcome: Outcome) -> NDArray[np.float64]:
        """Return the Monte Carlo standard error of `cumulative_incidence`, shape (days,)."""
        return self._error(self.by_day[self._row(outcome)])


def checked_days(days: ArrayLike) -> NDArray[np.float64]:
    """Return a grid of days, or raise when it is not one."""
    grid = require_non_negative("days", days, "count days from infusion")
    if grid.ndim != 1 or grid.size == 0 or np.any(np.diff(grid) <= 0):
        raise ParameterError(
            f"days has shape {grid.shape}; it must be one ascending list of at least one day; sort "
            "it and leave out doubles"
        )
    return grid


def summarise(cohort: Cohort, days: ArrayLike) -> Summary:
    """Return the counts of a cohort.

    Parameters
    ----------
    cohort : Cohort
        Patients.
    days : array_like
        Days after infusion at which relapses are counted, ascending, shape (days,).

    Returns
    -------
    Summary

    Raises
    ------
    ParameterError
        When `days` is not an ascending list of days >= 0.
    """
    require_instance("cohort", cohort, Cohort, "give a car_relapse.Cohort")
    grid = checked_days(days)
    members = [cohort.outcome == outcome for outcome in Outcome]
    return Summary(
        days=grid,
        counts=np.array([np.count_nonzero(member) for member in members], dtype=np.int64),
        by_day=np.array(
            [
                np.searchsorted(np.sort(cohort.relapse_day[member]), grid, side="right")
                for member in members
            ],
            dtype=np.int64,
        ),
    )
