r"""BOIN12: the dose with the best balance of response and toxicity.

Engineered cells grow in the body, so the highest tolerable dose need not be the best one: where
response does not rise any more with the dose, a higher dose buys toxicity alone. BOIN12 (Lin and
others 2020, doi:10.1200/PO.20.00257, DOI not checked) gives each of the four outcomes of a
patient a utility from 0 to 100: 100 for response without toxicity, 0 for toxicity without
response, and something in between for both and for neither. A level with n patients whose
utilities sum to 100 x has, like x responders among n, a beta posterior of its mean utility; its
*desirability* is the posterior probability that this mean exceeds a benchmark,

.. math::

    u_b = u_0 + \tfrac12(100 - u_0),

halfway between the best and :math:`u_0`, the mean utility of a level that is only just safe and
only just effective. Of the levels next to the current one that may be given, the most desirable
comes next. At the end the level of highest mean utility is recommended, of those not above the
level nearest to the highest acceptable toxicity. The rules and the defaults are those that the R
package escalation documents and implements for this design
(https://rdrr.io/cran/escalation/man/get_boin12.html); of equally desirable levels the highest
comes next, as there.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betainc

from car_relapse.errors import ParameterError, require_count, require_finite
from car_relapse.trial._checks import strictly_between
from car_relapse.trial.dose._checks import require_counts
from car_relapse.trial.dose.designs import (
    NONE,
    STOP,
    WAIT,
    DoseData,
    Ints,
    current_levels,
    require_data,
)
from car_relapse.trial.dose.interval_designs import _ROUNDING, BOIN
from car_relapse.trial.dose.isotonic import closest_level

__all__ = ["BOIN12", "DesirabilityRow"]

Floats = NDArray[np.float64]
Truths = NDArray[np.bool_]

_BEST = 100.0


@dataclass(frozen=True, kw_only=True)
class DesirabilityRow:
    """How desirable a level is after some patients, beside all that could have happened."""

    patients: int
    """Patients treated at the level."""
    toxic: int
    """Those with a dose-limiting toxicity."""
    responses: int
    """Those who have responded."""
    desirability: float
    """Posterior probability that the mean utility exceeds the benchmark."""
    rank: int
    """Rank of the desirability in the table, 1 for the lowest; equal ones share a rank."""
    too_toxic: bool
    """Whether the level is excluded for toxicity, with all above it."""
    futile: bool
    """Whether the level is excluded for too few responses."""


@dataclass(frozen=True, kw_only=True)
class BOIN12:
    """The Bayesian optimal interval design for toxicity and response.

    Examples
    --------
    >>> design = BOIN12()
    >>> design.benchmark
    70.5
    >>> seen = DoseData(treated=[3, 3, 0], toxic=[0, 0, 0], responses=[0, 2, 0])
    >>> int(design.next_level(seen, 2))
    2
    """

    #: Whether the design must know whether each patient treated has responded.
    needs_responses: ClassVar[bool] = True

    most_toxicity: float = 0.35
    """Highest acceptable probability of toxicity, in (0, 1)."""
    least_response: float = 0.25
    """Lowest acceptable probability of response, in (0, 1)."""
    neither_utility: float = 40.0
    """Utility of a patient with neither toxicity nor response, in [0, 100]."""
    both_utility: float = 60.0
    """Utility of a patient with both, in [0, 100]."""
    toxicity_cutoff: float = 0.95
    """Posterior probability of too much toxicity beyond which a level is excluded, in (0, 1)."""
    response_cutoff: float = 0.9
    """Posterior probability of too little response beyond which a level is excluded, in (0, 1)."""
    settle: int = 6
    """Patients at a level from which a toxicity between the boundaries no longer lets the trial go
    up, >= 1."""
    explore: int = 9
    """Patients at a level from which the trial tries the untried level above, if toxicity allows,
    >= 1."""

    def __post_init__(self) -> None:
        for name in ("most_toxicity", "least_response", "toxicity_cutoff", "response_cutoff"):
            strictly_between(name, getattr(self, name), "give a probability")
        for name in ("neither_utility", "both_utility"):
            value = float(require_finite(name, getattr(self, name), "give a utility", scalar=True))
            if not 0.0 <= value <= _BEST:
                raise ParameterError(
                    f"{name} is {value:g}; it must lie in [0, 100]; response without toxicity is "
                    "worth 100, and toxicity without response 0"
                )
        for name in ("settle", "explore"):
            require_count(name, getattr(self, name), "give a number of patients", minimum=1)

    @cached_property
    def _boin(self) -> BOIN:
        return BOIN(target=self.most_toxicity, cutoff=self.toxicity_cutoff)

    @property
    def benchmark(self) -> float:
        """Utility to which the mean utility of a level is compared, in [0, 100]."""
        t, e = self.most_toxicity, self.least_response
        only_just = (1 - t) * (
            _BEST * e + self.neither_utility * (1 - e)
        ) + t * e * self.both_utility
        return 0.5 * (only_just + _BEST)

    def utility_sum(self, data: DoseData) -> Floats:
        """Return the sum of the utilities of the patients at each level, in hundreds."""
        require_data(data)
        both = data.toxic_responses
        alone = data.responses - both
        neither = data.treated - data.toxic - alone
        if np.any(neither < 0):
            raise ParameterError(
                "toxic and responses exceed treated, less those with both, at some level; they "
                "count some of the treated; recount toxic_responses"
            )
        return np.asarray(
            (_BEST * alone + self.neither_utility * neither + self.both_utility * both) / _BEST
        )

    def mean_utility(self, data: DoseData) -> Floats:
        """Return the posterior mean utility of each level, in [0, 100]; 50 where untried."""
        return np.asarray(_BEST * (1.0 + self.utility_sum(data)) / (2.0 + data.treated))

    def desirability(self, data: DoseData) -> Floats:
        """Return the posterior probability that each level's mean utility exceeds the benchmark."""
        x = self.utility_sum(data)
        n = data.treated
        return np.asarray(betainc(1.0 + n - x, 1.0 + x, 1.0 - self.benchmark / _BEST))

    def allowed(self, data: DoseData) -> Truths:
        """Return whether each level may be given: neither too toxic nor futile."""
        require_data(data)
        ceiling = self._boin._ceiling(data.treated, data.toxic)
        safe = np.arange(1, data.levels + 1) <= ceiling[..., None]
        return np.asarray(safe & ~self._futile(data.treated, data.responses))

    def _futile(self, treated: Ints, responses: Ints) -> Truths:
        short = betainc(1.0 + responses, 1.0 + treated - responses, self.least_response)
        return np.asarray((treated > 0) & (short > self.response_cutoff))

    def next_level(self, data: DoseData, current: ArrayLike) -> Ints:
        """Return the level for the next patients, `STOP`, or `WAIT` while anybody is followed.

        Parameters
        ----------
        data : DoseData
            Of all patients treated so far, with their responses.
        current : array_like of int
            Level at which the latest patients were treated, from 1.
        """
        now = current_levels(data, current)[..., None]
        levels = np.arange(1, data.levels + 1)
        allowed = self.allowed(data)
        below = np.max(np.where(allowed & (levels < now), levels, 0), axis=-1)
        above = np.min(
            np.where(allowed & (levels > now), levels, data.levels + 1),
            axis=-1,
            initial=levels[-1] + 1,
        )
        n = np.take_along_axis(data.treated, now - 1, axis=-1)[..., 0]
        x = np.take_along_axis(data.toxic, now - 1, axis=-1)[..., 0]
        boin = self._boin
        low = x <= boin.escalation_boundary * n + _ROUNDING
        high = (x >= boin.deescalation_boundary * n - _ROUNDING) & (n > 0)
        may_rise = ~high & (low | (n < self.settle))
        candidate = allowed & (
            (levels == now)
            | (levels == below[..., None])
            | ((levels == above[..., None]) & may_rise[..., None])
        )
        # Of equally desirable levels the highest: look from above.
        score = np.where(candidate, self.desirability(data), -1.0)[..., ::-1]
        best = data.levels - np.argmax(score, axis=-1)
        answer = np.where(candidate.any(axis=-1), best, STOP)
        stay = np.take_along_axis(allowed, now - 1, axis=-1)[..., 0]
        lower = np.where(below > 0, below, np.where(stay, now[..., 0], STOP))
        answer = np.where(high, lower, answer)
        next_up = np.minimum(now, data.levels - 1)
        untried = np.take_along_axis(data.treated, next_up, axis=-1)[..., 0] == 0
        explores = untried & ~high & (n >= self.explore) & (above == now[..., 0] + 1)
        answer = np.where(explores & (now[..., 0] < data.levels), now[..., 0] + 1, answer)
        return np.asarray(np.where(data.pending.any(axis=-1), WAIT, answer))

    def recommend(self, data: DoseData) -> Ints:
        """Return the level of highest mean utility among those tried and allowed, or `NONE`."""
        allowed = self.allowed(data) & (data.treated > 0)
        ceiling = self._boin._ceiling(data.treated, data.toxic)
        levels = np.arange(1, data.levels + 1)
        tolerated = closest_level(data, self.most_toxicity, allowed=levels <= ceiling[..., None])
        candidate = allowed & (levels <= tolerated[..., None])
        score = np.where(candidate, self.mean_utility(data), -1.0)
        best = 1 + np.argmax(score, axis=-1)
        return np.asarray(np.where(candidate.any(axis=-1), best, NONE))

    def table(self, patients: ArrayLike) -> tuple[DesirabilityRow, ...]:
        """Return the table of ranked desirabilities that a protocol prints.

        Rows are counts of toxicities and of responses, which decide the utility only where a
        toxicity costs a responder and a non-responder the same; so `neither_utility` and
        `both_utility` must add up to 100.

        Parameters
        ----------
        patients : array_like of int
            Numbers of patients at a level, each from 0 to 100; 0 is an untried level.

        Raises
        ------
        ParameterError
            When a number of patients is out of range, or the utilities do not add up to 100.
        """
        if abs(self.neither_utility + self.both_utility - _BEST) > 1e-9:
            raise ParameterError(
                f"neither_utility and both_utility are {self.neither_utility:g} and "
                f"{self.both_utility:g}; for a table they must add up to 100; ask desirability for "
                "counts of patients with both"
            )
        remedy = "give a number of patients at one level"
        numbers = np.atleast_1d(require_counts("patients", patients, remedy)).ravel()
        sizes = [require_count("patients", n, remedy, maximum=100) for n in numbers.tolist()]
        cells = [(n, t, e) for n in sizes for t in range(n + 1) for e in range(n + 1)]
        n, t, e = np.array(cells, dtype=np.int64).reshape(-1, 3).T[:, :, None]
        both = np.maximum(t + e - n, 0)
        data = DoseData(treated=n, toxic=t, responses=e, toxic_responses=both)
        score = self.desirability(data)[:, 0].round(12)
        rank = 1 + np.unique(score, return_inverse=True)[1]
        toxic = self._boin._ceiling(data.treated, data.toxic) == 0
        futile = self._futile(data.treated, data.responses)[:, 0]
        return tuple(
            DesirabilityRow(
                patients=size, toxic=x, responses=y, desirability=float(d), rank=int(k),
                too_toxic=bool(bad), futile=bool(poor),
            )
            for (size, x, y), d, k, bad, poor in zip(
                cells, score, rank, toxic, futile, strict=True
            )
        )  # fmt: skip
