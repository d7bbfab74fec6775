"""Follow-up: what a trial sees of patients whose fate the model knows.

A virtual patient has a relapse of a known kind on a known day. A trial sees less: patients enter
over months, the data are cut on one day, some leave, some go to transplant while in remission,
some die without relapse. `FollowUp` states those five things and `observe` applies them. What
comes out is a day and a cause per patient, for `car_relapse.incidence`.

Transplant is recorded as what it is, an event. Trials count it in two ways: as a competing event,
or as the end of follow-up ("censored for subsequent therapy"; ELIANA printed relapse-free
survival with and without, doi:10.1200/JCO.22.00642). `Observed.censoring` makes the second out
of the first. To follow patients *through* transplant needs a model of what transplant does to the
leukaemia, which this module does not have.

All times are days after infusion.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray

from car_relapse.errors import (
    ParameterError,
    require_fraction,
    require_instance,
    require_non_negative,
    require_positive,
)
from car_relapse.incidence import CENSORED
from car_relapse.outcomes import Cohort, Outcome

__all__ = ["DAYS_PER_MONTH", "Cause", "FollowUp", "Observed", "Transplant", "observe"]

DAYS_PER_MONTH = 365.25 / 12
"""Mean length of a month, days: trials report in months, the model counts days."""


class Cause(IntEnum):
    """Why the record of a patient ends. Kinds of relapse have the numbers of `Outcome`."""

    CENSORED = CENSORED
    """Still in remission when last seen."""
    ANTIGEN_POSITIVE = 1
    """Relapse of cells that show the target."""
    ANTIGEN_NEGATIVE = 2
    """Relapse of cells that have lost every target."""
    NO_REMISSION = 3
    """The burden never fell below the remission limit; an event on day 0."""
    PARTIAL_LOSS = 4
    """Relapse of cells that have lost some of the targets."""
    LINEAGE_SWITCH = 5
    """Relapse in another lineage."""
    TRANSPLANT = 6
    """Allogeneic transplant in remission."""
    DEATH = 7
    """Death in remission."""


@dataclass(frozen=True, kw_only=True)
class Transplant:
    """Consolidating transplant of patients in remission."""

    share: float
    """Share of patients who are to be transplanted if remission lasts, in [0, 1]."""
    first_day: float
    """Day from which transplants happen, days, >= 0."""
    rate: float
    """Hazard from that day among those to be transplanted, 1/day, > 0; a high rate is a fixed
    day."""

    def __post_init__(self) -> None:
        require_fraction("share", self.share, "give the share to be transplanted", scalar=True)
        require_non_negative("first_day", self.first_day, "count days from infusion", scalar=True)
        require_positive(
            "rate", self.rate, "give transplants per day; for no transplant at all, leave it out",
            scalar=True,
        )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class FollowUp:
    """How long patients are watched, and what else may end their record.

    None of these numbers has a default: they belong to a trial, not to the biology. Every
    hazard runs from infusion.
    """

    shortest: float
    """Time from infusion to the data cut-off of the patient infused last, days, > 0."""
    longest: float
    """The same of the patient infused first, days, >= `shortest`. Infusions are spread evenly
    in between."""
    dropout_rate: float
    """Hazard of leaving the study, 1/day, >= 0."""
    death_rate: float
    """Hazard of death without relapse, 1/day, >= 0."""
    transplant: Transplant | None = None
    """Transplant in remission, if the protocol has it."""

    def __post_init__(self) -> None:
        remedy = "give days from infusion to the data cut-off"
        require_positive("shortest", self.shortest, remedy, scalar=True)
        require_positive("longest", self.longest, remedy, scalar=True)
        if self.longest < self.shortest:
            raise ParameterError(
                f"longest is {self.longest:g} and shortest is {self.shortest:g}; the patient "
                "infused first is followed longest; exchange the two"
            )
        require_non_negative("dropout_rate", self.dropout_rate, "0 for nobody", scalar=True)
        require_non_negative("death_rate", self.death_rate, "0 for nobody", scalar=True)
        if self.transplant is not None:
            require_instance(
                "transplant", self.transplant, Transplant, "give a Transplant, or None"
            )


@dataclass(frozen=True, kw_only=True)
class Observed:
    """What the trial's data base holds, one element per patient; all arrays have shape (n,)."""

    day: NDArray[np.float64]
    """Day after infusion on which the record ends; 0 for those without remission."""
    cause: NDArray[np.int8]
    """Why it ends: values of `Cause`."""

    @property
    def size(self) -> int:
        """Number of patients."""
        return int(self.day.size)

    def in_remission(self) -> Observed:
        """Return the patients who reached remission: those of remission-based endpoints.

        Relapse-free survival, duration of remission and the cumulative incidence of relapse
        count them alone. Event-free survival counts everybody, and those without remission as
        events on day 0.

        Raises
        ------
        ParameterError
            When nobody reached remission.
        """
        reached = self.cause != Cause.NO_REMISSION
        if not reached.any():
            raise ParameterError(
                "no patient reached remission; this endpoint starts from remission; change the "
                "population, or use event-free survival"
            )
        return Observed(day=self.day[reached], cause=self.cause[reached])

    def censoring(self, *causes: Cause) -> Observed:
        """Return the same patients with `causes` counted as censored on their day.

        ``observed.censoring(Cause.TRANSPLANT)`` is "censored for subsequent therapy".

        Raises
        ------
        ParameterError
            When something is not a `Cause`.
        """
        named = [
            require_instance("cause", c, Cause, "give members of Cause, such as Cause.TRANSPLANT")
            for c in causes
        ]
        ended = np.isin(self.cause, named)
        return Observed(
            day=self.day, cause=np.where(ended, Cause.CENSORED, self.cause).astype(np.int8)
        )


def _relapses(cohort: Cohort) -> tuple[NDArray[np.float64], NDArray[np.int8]]:
    """Return day and cause of what leukaemia alone would do to every patient."""
    cause = np.zeros(cohort.size, dtype=np.int8)
    for outcome in Outcome:
        if outcome is not Outcome.CURED:
            cause[cohort.outcome == outcome] = Cause[outcome.name]
    day = np.where(cause == Cause.CENSORED, np.inf, cohort.relapse_day)
    return np.where(cause == Cause.NO_REMISSION, 0.0, day), cause


def _waits(rng: np.random.Generator, size: int, rate: ArrayLike) -> NDArray[np.float64]:
    """Return exponential waiting times, infinite where the rate is 0."""
    unit = rng.standard_exponential(size)
    speed = np.broadcast_to(np.asarray(rate, dtype=float), (size,))
    # A rate so low that the wait overflows is a wait without end, as it should be.
    with np.errstate(over="ignore"):
        return np.asarray(np.divide(unit, speed, out=np.full(size, np.inf), where=speed > 0))


def observe(cohort: Cohort, follow_up: FollowUp, rng: np.random.Generator) -> Observed:
    r"""Return what a trial with this follow-up records of a cohort.

    The record of a patient ends with whatever comes first: relapse, death, transplant, dropout or
    data cut-off. Deaths, transplants and dropouts are independent of the leukaemia, with constant
    hazards, so cause j with hazard :math:`h_j` out of :math:`h = \sum_j h_j` has the cumulative
    incidence

    .. math:: F_j(t) = \frac{h_j}{h}\left(1 - e^{-ht}\right)

    in patients who are cured. Of two things on the same day, relapse is recorded rather than
    the end of follow-up.

    The draws do not depend on the follow-up: the same generator state gives the same patients the
    same fortunes, so two designs can be compared patient by patient.

    Parameters
    ----------
    cohort : Cohort
        Patients with their true relapse type and day.
    follow_up : FollowUp
        Window of observation and hazards.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    Observed
        One record per patient, in the order of the cohort.

    Raises
    ------
    ParameterError
        When an argument is of another kind.

    Examples
    --------
    >>> from car_relapse.cohort import default_population, simulate
    >>> cohort = simulate(default_population(), 200, seed=1)
    >>> plan = FollowUp(shortest=180, longest=720, dropout_rate=0, death_rate=0)
    >>> seen = observe(cohort, plan, np.random.default_rng(2))
    >>> seen.size, bool(seen.day.max() <= 720)
    (200, True)
    """
    require_instance("cohort", cohort, Cohort, "give what cohort.simulate returns")
    require_instance("follow_up", follow_up, FollowUp, "give a FollowUp")
    require_instance("rng", rng, np.random.Generator, "give numpy.random.default_rng(seed)")
    n = cohort.size
    relapse_day, relapse = _relapses(cohort)

    # Always the same five draws, so that one design does not shift the draws of another.
    cut_off = follow_up.shortest + (follow_up.longest - follow_up.shortest) * rng.random(n)
    dropout = _waits(rng, n, follow_up.dropout_rate)
    death = _waits(rng, n, follow_up.death_rate)
    chosen = rng.random(n)
    plan = follow_up.transplant
    wait = _waits(rng, n, 0.0 if plan is None else np.where(chosen < plan.share, plan.rate, 0.0))
    transplant = wait if plan is None else plan.first_day + wait

    # In the order in which a tie is decided.
    days = np.stack([relapse_day, death, transplant, dropout, cut_off])
    causes = np.stack(
        [
            relapse,
            *(
                np.full(n, cause, dtype=np.int8)
                for cause in (Cause.DEATH, Cause.TRANSPLANT, Cause.CENSORED, Cause.CENSORED)
            ),
        ]
    )
    first = np.argmin(days, axis=0)[None]
    return Observed(
        day=np.take_along_axis(days, first, axis=0)[0],
        cause=np.take_along_axis(causes, first, axis=0)[0],
    )
