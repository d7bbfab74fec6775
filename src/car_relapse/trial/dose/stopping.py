r"""Stopping for toxicity: the rule that watches a trial whose dose has been chosen.

After n patients of whom x had the event, the rule stops when

.. math::

    P(p > \text{limit} \mid x, n) > \text{cutoff}, \qquad p \sim \mathrm{Beta}(a+x,\, b+n-x),

a rule of the kind of Thall and Simon (1994, doi:10.2307/2533377). Its boundary is a list of
whole numbers, fixed before the first patient, and what it does is computed exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betainc
from scipy.stats import binom

from car_relapse.errors import (
    ParameterError,
    require_broadcast,
    require_fraction,
)
from car_relapse.trial.dose._checks import (
    require_beta,
    require_counts,
    require_numbers_of_patients,
    require_open_fraction,
)

__all__ = ["StoppingCharacteristics", "ToxicityStopping"]

#: Most patients of a trial with such a rule.
_MOST = 10_000


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
        require_open_fraction("limit", self.limit, "give the highest acceptable probability")
        require_open_fraction("cutoff", self.cutoff, "give 0.9 or so")
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
        for n in require_numbers_of_patients(patients, _MOST):
            stops = self.excess_probability(np.arange(n + 1), n) > self.cutoff
            found.append(int(np.argmax(stops)) if stops.any() else None)
        return tuple(found)

    def characteristics(self, probability: float, looks: ArrayLike) -> StoppingCharacteristics:
        """Return what the rule does, exactly.

        Parameters
        ----------
        probability : float
            True probability of the event in each patient, in [0, 1].
        looks : array_like of int
            Numbers of patients at which the rule looks, ascending; the trial ends at the last.

        Examples
        --------
        >>> rule = ToxicityStopping(limit=0.25)
        >>> round(rule.characteristics(0.4, [5, 10, 15, 20]).stop_by_end, 3)
        0.664
        """
        remedy = "give the true probability of the event"
        p = float(require_fraction("probability", probability, remedy, scalar=True))
        at = require_numbers_of_patients(looks, _MOST)
        if any(later <= earlier for earlier, later in pairwise(at)):
            raise ParameterError(
                f"looks is {at}; the numbers must rise; give each look once, in order"
            )
        going = np.ones(1)
        stop = np.zeros(len(at))
        events = 0.0
        before = 0
        for k, (n, edge) in enumerate(zip(at, self.boundary(at), strict=True)):
            going = np.convolve(going, binom.pmf(np.arange(n - before + 1), n - before, p))
            last = n if edge is None else edge - 1
            ended = going[last + 1 :] if k < len(at) - 1 else going
            events += float(ended @ np.arange(going.size - ended.size, going.size))
            stop[k] = min(going[last + 1 :].sum(), 1.0)
            going = going[: last + 1]
            before = n
            # A rule that stops without any event stops at its first look.
            if not going.size:
                break
        leaving = stop.copy()
        leaving[-1] = 1.0 - stop[:-1].sum()
        return StoppingCharacteristics(
            patients=np.array(at),
            stop=stop,
            stop_by_end=min(float(stop.sum()), 1.0),
            expected_patients=float(leaving @ np.array(at)),
            expected_events=events,
        )
