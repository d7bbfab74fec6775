"""Which records end with the event that an analysis is about."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from car_relapse.errors import ParameterError, require_non_negative
from car_relapse.incidence import CENSORED
from car_relapse.trial.competing_risks.risk_sets import require_cause

__all__: list[str] = []

_CODES = f"give {CENSORED} for censored patients and a whole number >= 1 for each cause"


def checked_times(time: ArrayLike) -> NDArray[np.float64]:
    """Return the times as floats.

    Raises
    ------
    ParameterError
        When there is no list of at least one time, or one is negative or not finite.
    """
    remedy = "give one time per patient, counted from the start of follow-up"
    t = require_non_negative("time", time, remedy)
    if t.ndim != 1 or t.size == 0:
        raise ParameterError(
            f"time has shape {t.shape}; it must be one list of at least one time; {remedy}"
        )
    return t


def times_or_never(name: str, value: ArrayLike, patients: int, remedy: str) -> NDArray[np.float64]:
    """Return one time per patient, infinite where what it is the time of never happened.

    Raises
    ------
    ParameterError
        When there is not one number per patient, or a finite one is negative.
    """
    try:
        given = np.asarray(value)
    except ValueError:  # lists of unequal lengths
        given = np.asarray(None)
    if given.dtype.kind not in "iuf" or given.shape != (patients,):
        raise ParameterError(
            f"{name} has shape {given.shape} and type {given.dtype}; it must be one number for "
            f"each of {patients} patients; {remedy}"
        )
    times = given.astype(np.float64)
    require_non_negative(name, times[~np.isposinf(times)], remedy)
    return times


def checked_causes(cause: ArrayLike, patients: int) -> NDArray[np.int64]:
    """Return the causes as whole numbers.

    Raises
    ------
    ParameterError
        When there is not one whole number >= 0 per patient.
    """
    values = require_non_negative("cause", cause, _CODES)
    if values.shape != (patients,):
        raise ParameterError(
            f"cause has shape {values.shape}; there are {patients} times; {_CODES}"
        )
    broken = values != np.floor(values)
    if broken.any():
        raise ParameterError(f"cause is {values[broken][0]:g}; it must be a whole number; {_CODES}")
    return values.astype(np.int64)


def endpoint(
    time: ArrayLike, cause: ArrayLike, of: int | None
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.bool_]]:
    """Return times, causes, and whether each record ends with cause `of` (None: any cause).

    Raises
    ------
    ParameterError
        When the data are malformed, or nobody had the event.
    """
    t = checked_times(time)
    code = checked_causes(cause, t.size)
    if of is None:
        happened, what = code != CENSORED, "of any cause"
    else:
        number = require_cause(of)
        happened, what = code == number, f"of cause {number}"
    if not happened.any():
        raise ParameterError(
            f"cause names no event {what}; a rate or ratio cannot be estimated without one; "
            "choose another cause, or give an exact interval for none out of all patients"
        )
    return t, code, happened
