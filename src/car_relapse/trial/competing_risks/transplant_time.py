r"""Transplant in time: whether it helped, or its patients had only lived to have it.

A transplant, a second infusion, or any other change comes some time after infusion, and only to
patients who are event-free until then. Three analyses of the same records:

- `ever_never` compares those who ever changed with those who never did, from infusion on. It is
  **wrong**: nobody who is to change can have had the event before (*immortal time*), so the change
  looks good though it does nothing. It is here to be shown beside the others.
- `landmark` looks at a fixed time at the patients who are still event-free, and compares those who
  changed before it with the others from there on (Anderson, Cain & Gelber 1983, J Clin Oncol
  1:710). Later changes do not count, which weakens a true effect.
- `time_dependent` lets each patient count as unchanged until the change and as changed after it,
  in Cox's model.

None of them makes a comparison fair when those with worse prospects change more often.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from car_relapse.errors import ParameterError, require_non_negative
from car_relapse.trial.competing_risks._endpoint import (
    checked_causes,
    endpoint,
    times_or_never,
)
from car_relapse.trial.competing_risks.cox_model import Ties, cox, maximum
from car_relapse.trial.competing_risks.regression import (
    Regression,
    as_strata,
    design_matrix,
    standardised,
)

__all__ = ["Landmark", "ever_never", "landmark", "time_dependent"]

Floats = NDArray[np.float64]

CHANGED = "changed"
"""Name of the covariate that says whether a patient has changed."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Landmark:
    """A landmark analysis."""

    at: float
    """The landmark, in the unit of the data."""
    patients: int
    """Patients still followed and event-free after the landmark."""
    changed: int
    """Those of them who had changed by then."""
    left_out: int
    """Patients who had the event, or left, by the landmark."""
    regression: Regression
    """Cox's model from the landmark on; the first covariate is ``changed``."""


def _change_times(change: ArrayLike, time: Floats) -> Floats:
    """Return the times of change, infinite for patients who never changed."""
    remedy = "give the time of the change, or infinity for a patient who never changed"
    when = times_or_never("change", change, time.size, remedy)
    finite = np.isfinite(when)
    late = finite & (when > time)
    if late.any():
        i = int(np.flatnonzero(late)[0])
        raise ParameterError(
            f"change is {when[i]:g} and time is {time[i]:g} (element {i}); a change after the end "
            "of the record was not observed; give infinity there"
        )
    return when


def _with_change(
    changed: NDArray[np.bool_], covariates: Mapping[str, ArrayLike] | None, kept: ArrayLike
) -> dict[str, ArrayLike]:
    """Return ``changed`` and then the other covariates, of the patients kept."""
    if covariates is None:
        return {CHANGED: changed.astype(float)}
    size = np.size(kept)
    others = design_matrix(covariates, size)[np.asarray(kept)]
    if CHANGED in covariates:
        raise ParameterError(
            f"covariates has the name {CHANGED!r}; the analysis adds that one itself; rename yours"
        )
    named = {name: others[:, j] for j, name in enumerate(covariates)}
    return {CHANGED: changed.astype(float), **named}


def ever_never(
    time: ArrayLike,
    cause: ArrayLike,
    change: ArrayLike,
    *,
    of: int | None = None,
    covariates: Mapping[str, ArrayLike] | None = None,
    ties: Ties = "efron",
) -> Regression:
    """Compare those who ever changed with those who never did. Wrong: for demonstration alone.

    Parameters
    ----------
    time : array_like
        Time of event or of censoring, shape (patients,), >= 0, months or any one unit.
    cause : array_like
        0 for censored, otherwise the number of the cause, shape (patients,).
    change : array_like
        Time of the change, at most `time`; infinity for those who never changed.
    of : int, optional
        The cause of interest; by default an event of any cause.
    covariates : mapping of str to array_like, optional
        Other covariates.
    ties : {"efron", "breslow"}, optional
        How events at the same time are counted; Breslow's is far quicker.

    Returns
    -------
    Regression
        Its first ratio, ``changed``, is below 1 even when the change does nothing.

    Raises
    ------
    ParameterError
        As `cox`, and when a change comes after the end of the record.
    """
    t, _, _ = endpoint(time, cause, of)
    changed = np.isfinite(_change_times(change, t))
    everybody = np.ones(t.size, dtype=bool)
    return cox(t, cause, _with_change(changed, covariates, everybody), of=of, ties=ties)


def landmark(
    time: ArrayLike,
    cause: ArrayLike,
    change: ArrayLike,
    *,
    at: float,
    of: int | None = None,
    covariates: Mapping[str, ArrayLike] | None = None,
    ties: Ties = "efron",
) -> Landmark:
    """Compare, from a fixed time on, those who had changed by then with those who had not.

    Parameters
    ----------
    time : array_like
        Time of event or of censoring, shape (patients,), >= 0, months or any one unit.
    cause : array_like
        0 for censored, otherwise the number of the cause, shape (patients,).
    change : array_like
        Time of the change, at most `time`; infinity for those who never changed.
    at : float
        The landmark, in the unit of `time`. Patients whose record ends at it or before are left
        out; those who change at it have changed.
    of : int, optional
        The cause of interest; by default an event of any cause.
    covariates : mapping of str to array_like, optional
        Other covariates, known at infusion.
    ties : {"efron", "breslow"}, optional
        How events at the same time are counted; Breslow's is far quicker.

    Returns
    -------
    Landmark

    Raises
    ------
    ParameterError
        As `cox`, when a change comes after the end of the record, and when nobody is followed
        beyond the landmark.

    Examples
    --------
    >>> months = [1, 2, 8, 9, 12, 14, 20, 24]
    >>> never = float("inf")
    >>> change = [never, never, 3, never, 4, never, 5, never]
    >>> found = landmark(months, [1, 1, 1, 1, 1, 0, 0, 0], change, at=6)
    >>> found.patients, found.changed, found.left_out
    (6, 3, 2)
    """
    t, _, _ = endpoint(time, cause, of)
    code = checked_causes(cause, t.size)
    moved = _change_times(change, t)
    start = float(require_non_negative("at", at, "give a time within follow-up", scalar=True))
    still = t > start
    if not still.any():
        raise ParameterError(
            f"at is {start:g}; nobody was followed beyond that; the last record ends at "
            f"{t.max():g}; choose an earlier landmark"
        )
    changed = moved[still] <= start
    table = _with_change(changed, covariates, still)
    return Landmark(
        at=start,
        patients=int(still.sum()),
        changed=int(changed.sum()),
        left_out=int((~still).sum()),
        regression=cox(t[still] - start, code[still], table, of=of, ties=ties),
    )


def time_dependent(
    time: ArrayLike,
    cause: ArrayLike,
    change: ArrayLike,
    *,
    of: int | None = None,
    covariates: Mapping[str, ArrayLike] | None = None,
    ties: Ties = "efron",
) -> Regression:
    """Fit Cox's model in which patients count as changed from their change on.

    Parameters
    ----------
    time : array_like
        Time of event or of censoring, shape (patients,), > 0, months or any one unit.
    cause : array_like
        0 for censored, otherwise the number of the cause, shape (patients,).
    change : array_like
        Time of the change, at most `time`; infinity for those who never changed. Whoever has the
        event at the time of the change has it unchanged.
    of : int, optional
        The cause of interest; by default an event of any cause.
    covariates : mapping of str to array_like, optional
        Other covariates, known at infusion.
    ties : {"efron", "breslow"}, optional
        How events at the same time are counted; Breslow's is far quicker.

    Returns
    -------
    Regression
        The first covariate is ``changed``.

    Raises
    ------
    ParameterError
        As `cox`, when a time is 0, and when a change comes after the end of the record.
    """
    t, _, happened = endpoint(time, cause, of)
    moved = _change_times(change, t)
    if not np.all(t > 0.0):
        raise ParameterError(
            "time is 0; a record without length is never at risk here; leave out patients whose "
            "event is at the start, or give them a short time"
        )
    # Two rows for each patient who changes within the record, one for the others.
    splits = (moved > 0.0) & (moved < t)
    first, second = np.arange(t.size), np.flatnonzero(splits)
    patient = np.concatenate([first, second])
    stop = np.concatenate([np.where(splits, moved, t), t[second]])
    start = np.concatenate([np.zeros(t.size), moved[second]])
    event = np.concatenate([happened & ~splits, happened[second]])
    changed = np.concatenate([moved == 0.0, np.ones(second.size, dtype=bool)])

    everybody = np.ones(t.size, dtype=bool)
    named = _with_change(np.zeros(t.size, dtype=bool), covariates, everybody)
    names = tuple(named)
    matrix = np.column_stack(
        [changed.astype(float), *(np.asarray(named[name])[patient] for name in names[1:])]
    )
    scaled, spread = standardised(matrix, names, as_strata(None, patient.size))
    columns = {"id": patient, "start": start, "stop": stop, "event": event}
    coefficient, std_error, height = maximum(columns, scaled, names, ties)
    return Regression(
        names=names,
        coefficient=coefficient / spread,
        std_error=std_error / spread,
        log_likelihood=height,
        patients=int(t.size),
        events=int(happened.sum()),
    )
