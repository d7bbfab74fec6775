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

# glibc gives an array back to the system when it is freed, and has the next one cleared anew, until
# it has seen a large one freed. This one, never touched, lets it keep the many arrays of an
# analysis, which halves the time. Elsewhere it does nothing.
np.empty(2**21)

__all__ = ["RiskSets", "risk_sets"]

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
    """Cause, and in the lowest `bits` the group."""
    groups: int
    """Number of groups."""
    bits: int
    """Bits of `code` that hold the group."""

    @property
    def trials(self) -> int:
        """Number of trials."""
        return int(self.time.shape[0])

    @cached_property
    def label(self) -> NDArray[np.int8]:
        """Group of each patient."""
        return self.code & np.int8((1 << self.bits) - 1)

    def marks(self, of: int | None = None, group: int | None = None) -> NDArray[np.bool_]:
        """Return whether each patient had an event of a cause (any), and is of a group (any)."""
        if of is None:
            happened = self.code >= 1 << self.bits
            return happened if group is None else happened & (self.label == group)
        if group is None:
            last = (1 << self.bits) - 1
            return np.asarray((self.code | np.int8(last)) == (of << self.bits) + last)
        return np.asarray(self.code == (of << self.bits) + group)

    @cached_property
    def first(self) -> NDArray[np.bool_] | None:
        """Whether a patient is the first of his time; None when no event shares its time."""
        same = self.time[:, 1:] == self.time[:, :-1]
        happened = self.marks()
        if not np.any(same & (happened[:, 1:] | happened[:, :-1])):
            return None
        first = np.ones(self.time.shape, dtype=bool)
        np.logical_not(same, out=first[:, 1:])
        return first

    def events(self, of: int | None = None, group: int | None = None) -> Floats:
        """Return the number of events at each time.

        Parameters
        ----------
        of : int, optional
            Cause; events of any cause when left out.
        group : int, optional
            Group; events of all groups when left out.
        """
        counts = self.marks(of, group).astype(float)
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
        """Return the patients of a group at risk from each patient on."""
        return self._by_group[group]

    @cached_property
    def _by_group(self) -> tuple[Floats, ...]:
        # Whole numbers add up faster than floats, and this is a good part of a log-rank test.
        gone = np.zeros(self.time.shape, dtype=np.int32)
        counted = []
        for group in range(1, self.groups):
            mine = self.label == group
            np.cumsum(mine[:, :-1], axis=1, out=gone[:, 1:])
            size = gone[:, -1] + mine[:, -1]
            counted.append((size[:, None] - gone).astype(float))
        rest = np.broadcast_to(self.at_risk, self.time.shape)
        for known in counted:
            rest = rest - known
        return (rest, *counted)

    def divisor(self, group: int) -> Floats:
        """Return the patients of a group at risk, and 1 where there is none, to divide by."""
        return self._divisors[group]

    @cached_property
    def _divisors(self) -> tuple[Floats, ...]:
        return tuple(np.maximum(at_risk, 1.0) for at_risk in self._by_group)

    def per_patient(self, group: int) -> Floats:
        """Return one over the patients of a group at risk, and 0 where there is none."""
        return np.minimum(self._by_group[group], 1.0) / self._divisors[group]

    def hazard(self, of: int | None, group: int) -> Floats:
        """Return the events of a group per patient at risk; 0 where nobody is."""
        return self.events(of, group) / self._divisors[group]

    def event_free_before(self, group: int) -> Floats:
        """Return the Kaplan-Meier curve of a group just before the time of each patient."""
        return self._before[group]

    def event_free_after(self, group: int) -> Floats:
        """Return the Kaplan-Meier curve of a group at the time of each patient."""
        return self._after[group]

    @cached_property
    def _after(self) -> tuple[Floats, ...]:
        return tuple(product_limit(self.hazard(None, g)) for g in range(self.groups))

    @cached_property
    def _before(self) -> tuple[Floats, ...]:
        return tuple(just_before(after, 1.0) for after in self._after)


def require_cause(of: int) -> int:
    """Return a cause that a caller asks for, or raise when it is not a whole number >= 1."""
    return require_count("of", of, "give the number of a cause", minimum=1)


def product_limit(hazard: Floats) -> Floats:
    """Return the Kaplan-Meier curve at the time of each patient."""
    kept = 1.0 - hazard
    return np.cumprod(kept, axis=1, out=kept)


def just_before(curve: Floats, start: float) -> Floats:
    """Return a curve just before the time of each patient, where it begins at `start`."""
    before = np.empty_like(curve)
    # As one long row, which is faster; the first of each trial is put right.
    before.ravel()[1:] = curve.ravel()[:-1]
    before[:, 0] = start
    return before


def per_trial(first: Floats, second: Floats) -> Floats:
    """Return the sum of products over the patients of each trial, shape (trials,)."""
    return np.asarray(np.einsum("ij,ij->i", first, second))


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
    group_of = np.zeros(1, np.int8) if group is None else _codes("group", group, t.shape, _GROUP)
    groups = int(group_of.max()) + 1
    bits = (groups - 1).bit_length()
    if (int(cause_of.max()) + 1) << bits > MOST_CODES + 1:
        raise ParameterError(
            f"cause is {cause_of.max()} and group is {groups - 1}; together they must fit in "
            f"7 bits; number causes and groups without gaps"
        )
    code: NDArray[np.int8] = (cause_of << np.int8(bits)) | group_of
    if included is not None:
        inside = np.asarray(included)
        if inside.dtype != bool or inside.shape not in (t.shape, t.shape[-1:]):
            raise ParameterError(
                f"included has shape {inside.shape} and type {inside.dtype}; it must be True or "
                f"False for each of {t.shape}; give one truth value per patient"
            )
        # Censored before the start, a patient is at risk of nothing.
        t = np.where(inside, t, -1.0)
        code = np.where(inside, code, code & np.int8((1 << bits) - 1))
    t, code = np.atleast_2d(t), np.broadcast_to(np.atleast_2d(code), np.atleast_2d(t).shape)
    order = np.argsort(t, axis=1)
    order += (np.arange(t.shape[0]) * t.shape[1])[:, None]
    return RiskSets(time=t.ravel()[order], code=code.ravel()[order], groups=groups, bits=bits)


def one_data_set(
    time: ArrayLike, cause: ArrayLike, group: ArrayLike | None, included: ArrayLike | None = None
) -> RiskSets:
    """Return one data set in order of time, or raise when `time` is not one list."""
    if np.ndim(time) != 1:
        raise ParameterError(
            f"time has shape {np.shape(time)}; it must be one list of patients; for many trials "
            "use risk_sets"
        )
    return risk_sets(time, cause, group, included=included)
