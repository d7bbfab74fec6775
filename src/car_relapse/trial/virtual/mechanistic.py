r"""From the mechanism to the trial: a construct and its patients become hazards of each cause.

The engine draws what becomes of virtual patients: who responds, who relapses, when, and of which
kind (`car_relapse.cohort`). Those who respond are one arm of a trial with follow-up without end.
Between knots, the hazards here are such that each cause has taken, at every knot, the very share
that it took in the cohort: of :math:`Y` at risk d have an event, :math:`d_k` of them of cause k,
and

.. math:: \Delta\Lambda_k = \frac{d_k}{d}\,\left(-\ln\left(1-\frac{d}{Y}\right)\right).

Patients who differ make the hazard of all of them together fall with time: the frail go first. That
is in these hazards. The engine has no death in remission; a trial adds it as a hazard of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from car_relapse.cohort import simulate
from car_relapse.errors import (
    ParameterError,
    require_count,
    require_instance,
    require_positive,
)
from car_relapse.followup import DAYS_PER_MONTH, Cause
from car_relapse.outcomes import Cohort, Outcome
from car_relapse.population import Population
from car_relapse.scenario import Scenario
from car_relapse.trial.virtual.biology import Biology, Hazard
from car_relapse.trial.virtual.shapes import Piecewise

__all__ = ["Mechanism", "biology_of", "from_cohort"]

Floats = NDArray[np.float64]

_KINDS = {
    Outcome.ANTIGEN_NEGATIVE: Cause.ANTIGEN_NEGATIVE,
    Outcome.ANTIGEN_POSITIVE: Cause.ANTIGEN_POSITIVE,
    Outcome.PARTIAL_LOSS: Cause.PARTIAL_LOSS,
    Outcome.LINEAGE_SWITCH: Cause.LINEAGE_SWITCH,
}
_KNOTS_PER_MONTH = 2


@dataclass(frozen=True, kw_only=True)
class Mechanism:
    """What the engine says about one arm."""

    biology: Biology
    """Hazards of those who respond, with death in remission if it was given."""
    response: float
    """Share of all patients who respond, in [0, 1]: `Arm.response`."""
    response_error: float
    """Its Monte Carlo standard error."""
    patients: int
    """Virtual patients behind these numbers."""

    def incidence_error(self, month: float) -> Floats:
        """Return the Monte Carlo standard errors of the incidences at `month`, one per cause.

        Those of relapses, as if nobody died; the number behind them is that of the responders.
        """
        end = require_positive("month", month, "count months from infusion", scalar=True)
        share = self.biology.incidence(end)
        return np.sqrt(share * (1.0 - share) / (self.response * self.patients))


def from_cohort(cohort: Cohort, *, horizon: float, death: Hazard | None = None) -> Mechanism:
    """Return the cause-specific hazards of a cohort.

    Parameters
    ----------
    cohort : Cohort
        Virtual patients, as `car_relapse.simulate` returns them.
    horizon : float
        Months after infusion up to which the hazards are known, > 0; a trial cannot follow
        longer.
    death : Hazard, optional
        Hazard of death in remission, whose cumulative hazard is that at `horizon`.

    Returns
    -------
    Mechanism

    Raises
    ------
    ParameterError
        When nobody responds, nobody relapses by the horizon, all do, or `death` is the hazard of
        another cause.
    """
    require_instance("cohort", cohort, Cohort, "give what car_relapse.simulate returns")
    end = float(require_positive("horizon", horizon, "give months from infusion", scalar=True))
    if death is not None and (
        require_instance("death", death, Hazard, "give a Hazard, or None").cause is not Cause.DEATH
    ):
        raise ParameterError(
            f"death is a hazard of {death.cause.name}; it must be one of DEATH; relapses come from "
            "the cohort"
        )
    responded = cohort.outcome != Outcome.NO_REMISSION
    n = int(responded.sum())
    if n == 0:
        raise ParameterError(
            "cohort has nobody in remission; hazards of relapse begin there; change the population"
        )
    month = cohort.relapse_day[responded] / DAYS_PER_MONTH
    outcome = cohort.outcome[responded]
    knots = np.linspace(0.0, end, max(2, int(np.ceil(_KNOTS_PER_MONTH * end)) + 1))
    counts = {
        cause: np.histogram(month[(outcome == kind) & (month <= end)], knots)[0]
        for kind, cause in _KINDS.items()
    }
    events = np.sum(list(counts.values()), axis=0)
    at_risk = n - np.concatenate([[0], np.cumsum(events)[:-1]])
    if not events.any() or events.sum() == n:
        raise ParameterError(
            f"cohort has {int(events.sum())} relapses of {n} responders by month {end:g}; some "
            "must relapse and some must not, or hazards are not known; take more patients or "
            "another horizon"
        )
    total = np.abs(np.log1p(-events / at_risk))
    share = total / np.maximum(events, 1)
    hazards = [
        Hazard(
            cause=cause,
            shape=Piecewise(
                breaks=tuple(float(k) for k in knots),
                rates=tuple(float(r) for r in count * share / np.diff(knots)),
            ),
            cumulative=float(np.sum(count * share)),
        )
        for cause, count in counts.items()
        if count.any()
    ]
    if death is not None:
        hazards.append(death)
    p = n / cohort.size
    return Mechanism(
        biology=Biology(hazards=tuple(hazards), horizon=end),
        response=p,
        response_error=float(np.sqrt(p * (1.0 - p) / cohort.size)),
        patients=cohort.size,
    )


def biology_of(
    source: Scenario | Population,
    *,
    horizon: float,
    patients: int = 20_000,
    seed: int,
    death: Hazard | None = None,
) -> Mechanism:
    """Return the cause-specific hazards of a construct and its patients, by simulation.

    Parameters
    ----------
    source : Scenario or Population
        The construct with its patients, or the patients.
    horizon : float
        Months after infusion up to which the hazards are known, > 0.
    patients : int, optional
        Number of virtual patients; the errors of the incidences fall with its root.
    seed : int
        Seed of the cohort, >= 0.
    death : Hazard, optional
        As in `from_cohort`.

    Returns
    -------
    Mechanism

    Raises
    ------
    ParameterError
        As `from_cohort`, and when `source` is neither.

    Examples
    --------
    >>> from car_relapse.scenario import Scenario
    >>> arm = biology_of(Scenario(), horizon=24, patients=2000, seed=1)
    >>> [c.name for c in arm.biology.causes][:2]
    ['ANTIGEN_NEGATIVE', 'ANTIGEN_POSITIVE']
    """
    if isinstance(source, Scenario):
        source = source.population()
    people = require_instance("source", source, Population, "give a Scenario or a Population")
    n = require_count("patients", patients, "give a number of virtual patients", minimum=1)
    return from_cohort(simulate(people, n, seed), horizon=horizon, death=death)
