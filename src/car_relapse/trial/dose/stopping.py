r"""Stopping for toxicity: the rule that watches a trial whose dose has been chosen.

After n patients of whom x had the event, the rule stops when

.. math::

    P(p > \text{limit} \mid x, n) > \text{cutoff},

where p has the law Beta(a + x, b + n - x): a rule of the kind of Thall and Simon (1994,
doi:10.2307/2533377). Its boundary is a list of whole numbers, fixed before the first patient, and
what it does is computed exactly.

This is the posterior rule of a trial with a single arm in other words: there patients free of
the event are counted, here those with it. `ToxicityStopping.looks` translates, so that both are
computed in one place; `posterior_looks` of `trial.single_arm` makes such a table for looks at
even steps, and for a standard that is itself uncertain.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betainc

from car_relapse.errors import (
    ParameterError,
    require_broadcast,
    require_fraction,
)
from car_relapse.trial._checks import strictly_between
from car_relapse.trial.dose._checks import (
    require_beta,
    require_counts,
    require_numbers_of_patients,
)
from car_relapse.trial.single_arm.looks import MOST_PATIENTS, Looks

__all__ = ["StoppingCharacteristics", "ToxicityStopping"]


@dataclass(frozen=True, kw_only=True)
class StoppingCharacteristics:
    """What a rule for stopping does at one true probability of the event."""

    patients: NDArray[np.int64]
    """Patients treated at each look, ascending."""
    stop: NDArray[np.float64]
    """Probability that the trial stops at each look."""
    stop_by_end: float
    """Probability that it stops at all, at the last look included."""
    expected_patients: float
    """Expected number of patients treated until it stops or ends."""
    expected_events: float
    """Expected number of them with the event."""


@dataclass(frozen=True, kw_only=True)
class ToxicityStopping:
    """A Bayesian rule that stops a trial when an event is too frequent.

    Examples
    --------
    >>> rule = ToxicityStopping(limit=0.25)
    >>> rule.boundary([5, 10, 20, 30])
    (3, 5, 8, 11)
    """

    limit: float
    """Highest acceptable probability of the event, in (0, 1)."""
    cutoff: float = 0.9
    """Posterior probability of more than that beyond which the trial stops, in (0, 1)."""
    prior: tuple[float, float] = (0.5, 1.5)
    """Beta prior of the probability of the event, both above 0."""

    def __post_init__(self) -> None:
        strictly_between("limit", self.limit, "give the highest acceptable probability")
        strictly_between("cutoff", self.cutoff, "give 0.9 or so")
        require_beta("prior", self.prior)

    def excess_probability(self, events: ArrayLike, patients: ArrayLike) -> NDArray[np.float64]:
        """Return the posterior probability that the event is more frequent than the limit.

        Parameters
        ----------
        events, patients : array_like of int
            Patients with the event, and all patients; they broadcast, events at most patients.
        """
        x = require_counts("events", events, "give numbers of patients with the event")
        n = require_counts("patients", patients, "give numbers of patients")
        require_broadcast("give one number of events per number of patients", events=x, patients=n)
        if np.any(x > n):
            raise ParameterError(
                "events exceeds patients; it counts some of them; give events of these patients"
            )
        a, b = self.prior
        return np.asarray(betainc(b + n - x, a + x, 1.0 - self.limit))

    def boundary(self, patients: ArrayLike) -> tuple[int | None, ...]:
        """Return the fewest events that stop the trial; None where even events in all do not.

        Parameters
        ----------
        patients : array_like of int
            Numbers of patients at which the rule looks.
        """
        found: list[int | None] = []
        for n in require_numbers_of_patients(patients, MOST_PATIENTS):
            stops = self.excess_probability(np.arange(n + 1), n) > self.cutoff
            found.append(int(np.argmax(stops)) if stops.any() else None)
        return tuple(found)

    def looks(self, patients: ArrayLike) -> Looks:
        """Return the rule as the looks of a single arm, in which a response is no event.

        Parameters
        ----------
        patients : array_like of int
            Numbers of patients at which the rule looks, ascending, from 1 to 2000; the trial ends
            at the last, in success unless it stops there.

        Examples
        --------
        >>> table = ToxicityStopping(limit=0.25).looks([5, 10, 15, 20])
        >>> table.futile, round(table.operating(1 - 0.4).success, 3)
        ((2, 5, 8, 12), 0.336)
        """
        at = require_numbers_of_patients(patients, MOST_PATIENTS)
        if any(later <= earlier for earlier, later in pairwise(at)):
            raise ParameterError(
                f"looks is {at}; the numbers must rise; give each look once, in order"
            )
        few = [
            None if edge is None else n - edge
            for n, edge in zip(at, self.boundary(at), strict=True)
        ]
        enough = 0 if few[-1] is None else few[-1] + 1
        return Looks(
            patients=tuple(at),
            futile=tuple(few),
            # Where even no event stops the trial, no number of patients free of it is enough.
            enough=(*[None] * (len(at) - 1), enough if enough <= at[-1] else None),
        )

    def characteristics(self, probability: float, looks: ArrayLike) -> StoppingCharacteristics:
        """Return what the rule does, exactly.

        Parameters
        ----------
        probability : float
            True probability of the event in each patient, in [0, 1].
        looks : array_like of int
            Numbers of patients at which the rule looks, as in `looks`.

        Examples
        --------
        >>> rule = ToxicityStopping(limit=0.25)
        >>> round(rule.characteristics(0.4, [5, 10, 15, 20]).stop_by_end, 3)
        0.664
        """
        remedy = "give the true probability of the event"
        p = float(require_fraction("probability", probability, remedy, scalar=True))
        table = self.looks(looks)
        stop, ends = table.exits(1.0 - p)
        patients = float((stop + ends) @ np.array(table.patients))
        return StoppingCharacteristics(
            patients=np.array(table.patients),
            stop=stop,
            stop_by_end=min(float(stop.sum()), 1.0),
            expected_patients=patients,
            # Wald's identity: whether the trial goes on depends on the past alone.
            expected_events=p * patients,
        )
