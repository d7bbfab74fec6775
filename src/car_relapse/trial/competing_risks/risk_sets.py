"""Many trials' follow-up in order of time: the one sort from which every analysis starts.

All analyses of a data set ask the same two questions at each event: who was still at risk, and
who had what event. `risk_sets` answers them once for many data sets side by side, so that any
number of analyses of ten thousand simulated trials costs one sort. One real trial is the case of
one data set.

Events come before censorings of the same time, as in R's survival package: a patient censored at
the very time of an event was still at risk of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from car_relapse.errors import ParameterError, require_count, require_non_negative
from car_relapse.incidence import CENSORED

__all__ = ["RiskSets", "product_limit", "require_cause", "risk_sets", "running_sum"]

Floats = NDArray[np.float64]

MOST_CODES = 127
"""Causes and groups are kept together in one byte, for speed."""

_CAUSE = f"give {CENSORED} for censored patients and a whole number >= 1 for each cause"
_GROUP = "give 0 for control and 1 for experimental, or 0, 1, 2, ... for more groups"


@dataclass(frozen=True, kw_only=True, eq=False)
class RiskSets:
    """Follow-up of one or more trials, each in ascending order of time; made by `risk_sets`.

    Arrays have shape (trials, patients). Counts that belong to a time stand at the first patient
    of that time.
    """

    time: Floats
    """Times of event or censoring, ascending in each trial, months; -1 for patients left out."""
    code: NDArray[np.int8]
    """Cause times number of groups, plus group."""
    groups: int
    """Number of groups."""
    causes: int
    """Largest cause."""

    @property
    def trials(self) -> int:
        """Number of trials."""
        return int(self.time.shape[0])

    @cached_property
    def label(self) -> NDArray[np.int8]:
        """Group of each patient, shape (trials, patients)."""
        return self.code % np.int8(self.groups)

    @cached_property
    def first(self) -> NDArray[np.bool_] | None:
        """Whether a patient is the first of his time; None when no event shares its time."""
        same = self.time[:, 1:] == self.time[:, :-1]
        happened = self.code >= self.groups
        if not np.any(same & (happened[:, 1:] | happened[:, :-1])):
            return None
        first = np.ones(self.time.shape, dtype=bool)
        np.logical_not(same, out=first[:, 1:])
        return first

    def events(self, of: int | None = None, group: int | None = None) -> Floats:
        """Return the number of events at each time, shape (trials, patients).

        Parameters
        ----------
        of : int, optional
            Cause; events of any cause when left out.
        group : int, optional
            Group; events of all groups when left out.
        """
        table = np.arange(self.groups * (self.causes + 1)).reshape(self.causes + 1, self.groups)
        wanted = np.zeros(table.shape)
        rows = slice(CENSORED + 1, None) if of is None else slice(of, of + 1)
        wanted[rows, slice(None) if group is None else group] = 1.0
        counts: Floats = wanted.ravel()[self.code]
        if self.first is None:
            return counts
        starts = np.flatnonzero(self.first)
        summed = np.zeros(counts.size)
        summed[starts] = np.add.reduceat(counts.ravel(), starts)
        return summed.reshape(counts.shape)

    @cached_property
    def at_risk(self) -> Floats:
        """Patients at risk from each patient on, all groups, shape (patients,)."""
        return np.arange(self.time.shape[1], 0.0, -1.0)

    def at_risk_in(self, group: int) -> Floats:
        """Return the patients of a group at risk from each patient on, (trials, patients)."""
        return self._by_group[group]

    @cached_property
    def _by_group(self) -> tuple[Floats, ...]:
        if self.groups == 1:
            return (np.broadcast_to(self.at_risk, self.time.shape),)
        counted = []
        for group in range(1, self.groups):
            backwards = (self.label == group)[:, ::-1].astype(float)
            counted.append(np.cumsum(backwards, axis=1, out=backwards)[:, ::-1])
        return (self.at_risk - sum(counted), *counted)

    def event_free_in(self, group: int) -> Floats:
        """Return the Kaplan-Meier curve of a group: before and after each patient.

        Returns
        -------
        ndarray, shape (trials, patients + 1)
            ``[:, :-1]`` is the probability just before the time of each patient, ``[:, 1:]``
            at it.
        """
        return self._event_free[group]

    @cached_property
    def _event_free(self) -> tuple[Floats, ...]:
        return tuple(
            product_limit(self.events(None, g), self.at_risk_in(g)) for g in range(self.groups)
        )


def require_cause(of: int) -> int:
    """Return a cause that a caller asks for, or raise when it is not a whole number >= 1."""
    return require_count("of", of, "give the number of a cause", minimum=1)


def product_limit(events: Floats, at_risk: Floats) -> Floats:
    """Return the Kaplan-Meier curve before and after each patient, (trials, patients + 1)."""
    curve = np.ones((events.shape[0], events.shape[1] + 1))
    np.cumprod(1.0 - events / np.maximum(at_risk, 1.0), axis=1, out=curve[:, 1:])
    return curve


def running_sum(steps: Floats) -> Floats:
    """Return the sum of steps before and after each patient, (trials, patients + 1)."""
    curve = np.zeros((steps.shape[0], steps.shape[1] + 1))
    np.cumsum(steps, axis=1, out=curve[:, 1:])
    return curve


def _codes(name: str, values: ArrayLike, shape: tuple[int, ...], remedy: str) -> NDArray[np.int8]:
    given = np.asarray(values)
    if given.dtype == bool or not np.issubdtype(given.dtype, np.integer):
        given = require_non_negative(name, values, remedy)
        broken = given != np.floor(given)
        if broken.any():
            raise ParameterError(
                f"{name} is {given[broken].flat[0]:g}; it must be a whole number; {remedy}"
            )
    if given.shape not in (shape, shape[-1:]):
        raise ParameterError(
            f"{name} has shape {given.shape} and time has shape {shape}; they must have one entry "
            f"per patient; {remedy}"
        )
    if given.size and (given.min() < 0 or given.max() > MOST_CODES):
        worst = given.min() if given.min() < 0 else given.max()
        raise ParameterError(
            f"{name} is {worst}; it must be a whole number from 0 to {MOST_CODES}; {remedy}"
        )
    return given.astype(np.int8)


def risk_sets(
    time: ArrayLike,
    cause: ArrayLike,
    group: ArrayLike | None = None,
    *,
    included: ArrayLike | None = None,
) -> RiskSets:
    """Sort one or more trials for analysis.

    Parameters
    ----------
    time : array_like, shape (patients,) or (trials, patients)
        Time of event or of censoring, months, >= 0.
    cause : array_like
        0 for censored, otherwise the number of the cause; as `time`, or (patients,) for all trials.
    group : array_like, optional
        0 for control, 1 for experimental, 2, ... for more; as `cause`. One group when left out.
    included : array_like of bool, optional
        Patients to analyse, as `cause`; all when left out. Trials may so differ in size.

    Returns
    -------
    RiskSets

    Raises
    ------
    ParameterError
        When there is no patient, a time is negative or not finite, shapes differ, or a code is
        not a whole number in its range.

    Examples
    --------
    >>> data = risk_sets([[3, 1, 2], [2, 2, 5]], [[1, 0, 2], [1, 2, 0]], [0, 1, 1])
    >>> data.events(of=1)
    array([[0., 0., 1.],
           [1., 0., 0.]])
    """
    t = require_non_negative("time", time, "give months from infusion, one per patient")
    if t.ndim not in (1, 2) or t.size == 0:
        raise ParameterError(
            f"time has shape {t.shape}; it must be one list of patients, or a table of trials by "
            "patients; give at least one time"
        )
    cause_of = _codes("cause", cause, t.shape, _CAUSE)
    causes = max(int(cause_of.max()), 1)
    code: NDArray[np.int8] = cause_of
    groups = 1
    if group is not None:
        group_of = _codes("group", group, t.shape, _GROUP)
        groups = int(group_of.max()) + 1
        if groups * (causes + 1) > MOST_CODES + 1:
            raise ParameterError(
                f"cause is {causes} and group is {groups - 1}; causes plus one times groups must "
                f"not exceed {MOST_CODES + 1}; number them without gaps"
            )
        code = cause_of * np.int8(groups) + group_of
    if included is not None:
        inside = np.asarray(included)
        if inside.dtype != bool or inside.shape not in (t.shape, t.shape[-1:]):
            raise ParameterError(
                f"included has shape {inside.shape} and type {inside.dtype}; it must be True or "
                f"False for each of {t.shape}; give one truth value per patient"
            )
        # Censored before the start, a patient is at risk of nothing.
        t = np.where(inside, t, -1.0)
        code = np.where(inside, code, code % np.int8(groups)).astype(np.int8)
    t, code = np.atleast_2d(t), np.broadcast_to(np.atleast_2d(code), np.atleast_2d(t).shape)
    order = np.argsort(t, axis=1)
    order += (np.arange(t.shape[0]) * t.shape[1])[:, None]
    return RiskSets(time=t.ravel()[order], code=code.ravel()[order], groups=groups, causes=causes)
