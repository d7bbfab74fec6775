"""What a dose-finding design is: the data it sees, and the two questions that it answers.

A design reads the data of a trial and says at which dose level the next patients are treated,
and, when the trial is over, which level it recommends. It keeps no memory of its own: whatever
it must know is in the data and in the level at which patients are treated now. So a design can be
run forward patient by patient, enumerated exactly over all that can happen, or simulated, and
many trials can be asked about at once, since every array may have any number of leading axes.

Levels count from 1, the lowest dose. Zero is no dose: the answer `STOP` to the first question,
`NONE` to the second, and the level of a patient who does not exist or was not treated.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from car_relapse.errors import (
    ParameterError,
    require_count,
    require_fraction,
    require_instance,
    require_non_negative,
)
from car_relapse.trial.dose._checks import require_counts, require_flags

__all__ = ["NONE", "STOP", "WAIT", "Design", "DoseData", "Patients", "current_levels", "tally"]

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

STOP = 0
"""Treat nobody else: the trial is over."""
WAIT = -1
"""Treat nobody until more of the patients already treated have been followed."""
NONE = 0
"""No level is recommended."""


def _zero() -> Any:
    return np.zeros((), dtype=np.int64)


def _at_most(name: str, value: NDArray[Any], limit: NDArray[Any], of: str) -> None:
    if np.any(value > limit):
        raise ParameterError(
            f"{name} exceeds {of} at some level; it counts some of them; recount {name}"
        )


def _fitted(name: str, value: NDArray[Any], shape: tuple[int, ...], per: str) -> NDArray[Any]:
    if value.ndim == 0:
        return np.full(shape, value)
    if value.shape != shape:
        raise ParameterError(
            f"{name} has shape {value.shape}; it must be {shape}; give one entry per {per}, in "
            "arrays of one shape"
        )
    return value


@dataclass(frozen=True, kw_only=True)
class Patients:
    """Patients one by one, for designs that weigh them by the time of follow-up.

    Arrays of one shape, the last axis over patients. Without weights every patient was followed
    for the whole window; without responses nobody has responded.
    """

    level: Ints
    """Dose level at which each patient was treated, from 1; 0 fills up shorter trials."""
    toxic: Flags
    """Whether the patient has had a dose-limiting toxicity."""
    weight: Floats = field(default_factory=lambda: np.ones(()))
    """Share of the window of observation that has passed, in [0, 1]; ignored after toxicity."""
    response: Flags = field(default_factory=lambda: np.zeros((), dtype=bool))
    """Whether the patient has responded."""

    def __post_init__(self) -> None:
        level = require_counts("level", self.level, "give one level per patient, from 1")
        if level.ndim == 0:
            raise ParameterError(f"level is {level}; it must be a list; give one level per patient")
        remedy = "give the share of the window that has passed"
        fields: dict[str, NDArray[Any]] = {
            "toxic": require_flags("toxic", self.toxic, "say which patients had one"),
            "weight": require_fraction("weight", self.weight, remedy),
            "response": require_flags("response", self.response, "say which patients did"),
        }
        object.__setattr__(self, "level", level)
        for name, value in fields.items():
            object.__setattr__(self, name, _fitted(name, value, level.shape, "patient"))


@dataclass(frozen=True, kw_only=True)
class DoseData:
    """What is known at each dose level; arrays of one shape, the last axis over levels.

    Counts of patients. What is left out is zero.
    """

    treated: Ints
    """Patients treated, whether or not they have been followed to the end of the window."""
    toxic: Ints
    """Those with a dose-limiting toxicity."""
    pending: Ints = field(default_factory=_zero)
    """Those without one so far whose window has not passed."""
    followed: Floats = field(default_factory=lambda: np.zeros(()))
    """Sum over the pending of the share of the window that has passed, in [0, pending]."""
    responses: Ints = field(default_factory=_zero)
    """Patients who have responded."""
    toxic_responses: Ints = field(default_factory=_zero)
    """Patients who have had both a toxicity and a response."""
    patients: Patients | None = None
    """The patients behind the counts, where a design needs them one by one."""

    def __post_init__(self) -> None:
        if self.patients is not None:
            remedy = "give Patients(level=..., toxic=...) or None"
            require_instance("patients", self.patients, Patients, remedy)
        remedy = "give one count per dose level"
        treated = require_counts("treated", self.treated, remedy)
        if treated.ndim == 0 or treated.shape[-1] == 0:
            raise ParameterError(f"treated is {treated}; it must be a list of counts; {remedy}")
        values: dict[str, NDArray[Any]] = {
            name: require_counts(name, getattr(self, name), remedy)
            for name in ("toxic", "pending", "responses", "toxic_responses")
        }
        remedy = "give the sum of the shares of the window"
        values["followed"] = require_non_negative("followed", self.followed, remedy)
        object.__setattr__(self, "treated", treated)
        for name, value in values.items():
            values[name] = _fitted(name, value, treated.shape, "dose level")
            object.__setattr__(self, name, values[name])
        _at_most("toxic + pending", values["toxic"] + values["pending"], treated, "treated")
        _at_most("responses", values["responses"], treated, "treated")
        _at_most("toxic_responses", values["toxic_responses"], values["toxic"], "toxic")
        _at_most("toxic_responses", values["toxic_responses"], values["responses"], "responses")
        # Sums of shares round.
        _at_most("followed", values["followed"], values["pending"] + 1e-9, "pending")

    @property
    def levels(self) -> int:
        """Number of dose levels."""
        return int(self.treated.shape[-1])


def require_data(data: DoseData) -> DoseData:
    """Return `data`, or raise when it is something else."""
    return require_instance("data", data, DoseData, "give DoseData(treated=..., toxic=...)")


def tally(patients: Patients, levels: int) -> DoseData:
    """Return the counts per level of patients given one by one.

    Parameters
    ----------
    patients : Patients
        Of one trial, or of many along leading axes.
    levels : int
        Number of dose levels of the trial, >= 1.

    Raises
    ------
    ParameterError
        When a patient was treated above the highest level.

    Examples
    --------
    >>> tally(Patients(level=[1, 1, 2], toxic=[False, True, False]), 2).toxic.tolist()
    [1, 0]
    """
    require_instance("patients", patients, Patients, "give Patients(level=..., toxic=...)")
    j = require_count("levels", levels, "give the number of dose levels", minimum=1)
    if patients.level.size and patients.level.max() > j:
        raise ParameterError(
            f"level is {patients.level.max()}; the trial has {j} levels; give levels from 1 to {j}"
        )
    at = patients.level[..., None] == np.arange(1, j + 1)

    def count(what: NDArray[Any]) -> NDArray[Any]:
        return np.asarray((at * what[..., None]).sum(axis=-2))

    waiting = ~patients.toxic & (patients.weight < 1.0)
    return DoseData(
        treated=at.sum(axis=-2),
        toxic=count(patients.toxic),
        pending=count(waiting),
        followed=count(waiting * patients.weight),
        responses=count(patients.response),
        toxic_responses=count(patients.response & patients.toxic),
        patients=patients,
    )


def current_levels(data: DoseData, current: ArrayLike) -> Ints:
    """Return the levels at which patients are treated now, one per trial, or raise.

    Parameters
    ----------
    data : DoseData
        Of the trials.
    current : array_like of int
        Level from 1 to ``data.levels``, of the shape of the leading axes of `data`, or single.

    Raises
    ------
    ParameterError
        When a level does not exist, or the shapes do not fit.
    """
    require_data(data)
    now = require_counts("current", current, "give the level at which patients are treated now")
    if np.any((now < 1) | (now > data.levels)):
        raise ParameterError(
            f"current is {now.min() if now.min() < 1 else now.max()}; it must be a level from 1 "
            f"to {data.levels}; give the level at which patients are treated now"
        )
    shape = data.treated.shape[:-1]
    try:
        return np.broadcast_to(now, shape)
    except ValueError:
        raise ParameterError(
            f"current has shape {now.shape}, the trials have {shape}; they must be one; give one "
            "level per trial"
        ) from None


@runtime_checkable
class Design(Protocol):
    """A rule for finding a dose.

    Both methods take one trial (arrays over levels) or many (leading axes), and return an array
    of the leading shape, of no dimension for one trial. Skipping more than one level at a time,
    or a level above the highest, is the design's own affair: what it returns is done.
    """

    def next_level(self, data: DoseData, current: ArrayLike) -> Ints:
        """Return the level for the next patients, or `STOP`, or `WAIT`.

        Parameters
        ----------
        data : DoseData
            Of all patients treated so far.
        current : array_like of int
            Level at which the latest patients were treated, from 1.
        """
        ...

    def recommend(self, data: DoseData) -> Ints:
        """Return the level that the trial recommends when it ends with `data`, or `NONE`."""
        ...


def settled(rule: Callable[[Ints, Ints, Ints], Ints], data: DoseData, current: ArrayLike) -> Ints:
    """Return what a rule for completed patients says, or `WAIT` where the pending could change it.

    Two toxicities among three patients settle some rules before the third patient's window has
    passed; nothing is gained by waiting then.

    Parameters
    ----------
    rule : callable
        Given patients treated, patients with toxicity (both of the shape of `data`), and the
        current levels, returns the next levels.
    data : DoseData
        Of the trials.
    current : array_like of int
        Level at which the latest patients were treated, from 1.
    """
    now = current_levels(data, current)
    here = np.arange(1, data.levels + 1) == now[..., None]
    answer = rule(data.treated, data.toxic, now)
    waiting = np.any(~here & (data.pending > 0), axis=-1)
    at_stake = np.where(here, data.pending, 0)
    for extra in range(1, int(at_stake.max(initial=0)) + 1):
        completed = data.toxic + np.minimum(at_stake, extra)
        waiting |= rule(data.treated, completed, now) != answer
    return np.where(waiting, WAIT, answer)


def require_design(design: Design) -> Design:
    """Return a design, or raise."""
    # The protocol is checked at run time, which the type of the check's second argument forbids.
    kind: type[Design] = Design  # type: ignore[type-abstract]
    remedy = "give ThreePlusThree() or BOIN(target=0.3), say"
    return require_instance("design", design, kind, remedy)
