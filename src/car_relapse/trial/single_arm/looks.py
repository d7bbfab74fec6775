"""Looks at the responses of a single arm: when to stop, and how often the trial says what.

A trial counts responses at looks. At each it may stop because there are too few (futility) or
enough (success); the last look always decides. Given the true response rate the course of the
count is a random walk, and one pass over its states gives every probability exactly: no
simulation is needed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from car_relapse.errors import (
    ParameterError,
    is_list,
    require_count,
    require_fraction,
    require_positive,
)

__all__ = ["Looks", "Operating"]

Floats = NDArray[np.float64]

MOST_PATIENTS = 2000
"""Most patients of one arm: exact sums over larger trials take long and answer no question."""


@dataclass(frozen=True, kw_only=True)
class Operating:
    """What a single-arm trial does at one true response rate."""

    rate: float
    """True response rate, in [0, 1]."""
    success: float
    """Probability that the trial ends in success: type I error at the null rate, power beyond."""
    early_futility: float
    """Probability of stopping for futility before the last look."""
    early_success: float
    """Probability of stopping for success before the last look."""
    expected_patients: float
    """Mean number of patients treated."""

    @property
    def early(self) -> float:
        """Probability of stopping before the last look, for either reason."""
        return min(self.early_futility + self.early_success, 1.0)


def _limits(
    name: str, values: Sequence[int | None], looks: tuple[int, ...]
) -> tuple[int | None, ...]:
    remedy = "give one limit for each look, or None for a look that cannot stop so"
    if not is_list(values) or len(values) != len(looks):
        raise ParameterError(
            f"{name} is {values!r}; it must have one entry for each of the {len(looks)} looks; "
            f"{remedy}"
        )
    return tuple(
        None if value is None else require_count(name, value, remedy, maximum=n)
        for value, n in zip(values, looks, strict=True)
    )


@dataclass(frozen=True, kw_only=True)
class Looks:
    """Numbers of responses at which a single-arm trial stops.

    Raises
    ------
    ParameterError
        When looks do not ascend, a limit is beyond its look, both limits of a look meet, or the
        last look leaves a count undecided.

    Examples
    --------
    Stop after 13 patients with 3 responses or fewer; succeed with 13 or more of 43.

    >>> trial = Looks(patients=(13, 43), futile=(3, 12), enough=(None, 13))
    >>> round(trial.operating(0.2).success, 4), round(trial.operating(0.4).success, 4)
    (0.0496, 0.8002)
    """

    patients: tuple[int, ...]
    """Patients treated by each look, ascending."""
    futile: tuple[int | None, ...]
    """Stop without success at this many responses or fewer; None: this look does not."""
    enough: tuple[int | None, ...]
    """Stop with success at this many responses or more; None: this look does not."""

    def __post_init__(self) -> None:
        remedy = "give ascending numbers of patients"
        if not is_list(self.patients) or not len(self.patients):
            raise ParameterError(
                f"patients is {self.patients!r}; it must be a list of at least one look; {remedy}"
            )
        looks = tuple(
            require_count("patients", n, remedy, minimum=1, maximum=MOST_PATIENTS)
            for n in self.patients
        )
        if any(later <= sooner for sooner, later in pairwise(looks)):
            raise ParameterError(f"patients is {looks}; looks must ascend; {remedy}")
        futile = _limits("futile", self.futile, looks)
        enough = _limits("enough", self.enough, looks)
        for n, low, high in zip(looks, futile, enough, strict=True):
            if low is not None and high is not None and high <= low:
                raise ParameterError(
                    f"enough is {high} and futile is {low} at {n} patients; one count cannot be "
                    "both; give enough > futile"
                )
        object.__setattr__(self, "patients", looks)
        object.__setattr__(self, "futile", futile)
        object.__setattr__(self, "enough", enough)
        first, over = self._windows[-1]
        if first != over:
            raise ParameterError(
                f"futile is {futile[-1]} and enough is {enough[-1]} at the last look; every count "
                "must be one of the two there; give enough = futile + 1"
            )

    @cached_property
    def _windows(self) -> tuple[tuple[int, int], ...]:
        """Counts with which the trial goes on after each look: from the first, below the second."""
        return tuple(
            (0 if low is None else low + 1, n + 1 if high is None else high)
            for n, low, high in zip(self.patients, self.futile, self.enough, strict=True)
        )

    def _exits(self, chance: Callable[[int], Floats]) -> tuple[Floats, Floats]:
        """Follow the count, patient by patient; return the stops of either kind at each look.

        `chance` of the number of patients so far is the probability that the next one responds,
        for each count.
        """
        going = np.ones(1)  # probability of each count among trials that go on
        futile, success, before = [], [], 0
        for look, (first, over) in zip(self.patients, self._windows, strict=True):
            for n in range(before, look):
                p = chance(n)
                going = np.append(going * (1.0 - p), 0.0) + np.append(0.0, going * p)
            before = look
            futile.append(float(going[:first].sum()))
            success.append(float(going[over:].sum()))
            going[:first] = 0.0
            going[over:] = 0.0
        # Sums of probabilities round.
        return np.minimum(futile, 1.0), np.minimum(success, 1.0)

    def _operating(self, rate: float, exits: tuple[Floats, Floats]) -> Operating:
        futile, success = exits
        leaving = (futile + success)[:-1]
        last = self.patients[-1]
        early = float(leaving @ (last - np.array(self.patients[:-1])))
        return Operating(
            rate=rate,
            success=min(float(success.sum()), 1.0),
            early_futility=min(float(futile[:-1].sum()), 1.0),
            early_success=min(float(success[:-1].sum()), 1.0),
            expected_patients=last - early,
        )

    def exits(self, rate: float) -> tuple[Floats, Floats]:
        """Return the probabilities of stopping for futility and for success at each look.

        Parameters
        ----------
        rate : float
            True response rate, in [0, 1].

        Returns
        -------
        futility, success : ndarray
            One probability per look; together they sum to 1.

        Raises
        ------
        ParameterError
            When `rate` lies outside [0, 1].

        Examples
        --------
        >>> trial = Looks(patients=(13, 43), futile=(3, 12), enough=(None, 13))
        >>> [stops.round(3).tolist() for stops in trial.exits(0.4)]
        [[0.169, 0.031], [0.0, 0.8]]
        """
        p = float(require_fraction("rate", rate, "give a probability of response", scalar=True))
        return self._exits(lambda n: np.full(n + 1, p))

    def operating(self, rate: float) -> Operating:
        """Return how often the trial stops and succeeds at one true response rate.

        Parameters
        ----------
        rate : float
            True response rate, in [0, 1].

        Returns
        -------
        Operating

        Raises
        ------
        ParameterError
            When `rate` lies outside [0, 1].
        """
        p = float(require_fraction("rate", rate, "give a probability of response", scalar=True))
        return self._operating(p, self.exits(p))

    def averaged(self, belief: tuple[float, float]) -> Operating:
        r"""Return the same when the true response rate is not known but has a Beta law.

        Each patient adds to the belief, so that the count is Polya's urn: after x responses in n
        patients the next responds with probability :math:`(a+x)/(a+b+n)`.

        Parameters
        ----------
        belief : (float, float)
            Parameters a and b of Beta(a, b), both > 0: with a prior of Beta(1/2, 1/2), 30
            responders of 40 historical patients give (30.5, 10.5).

        Returns
        -------
        Operating
            Averages over the belief; its rate is the mean of the belief.

        Raises
        ------
        ParameterError
            When a parameter of the belief is not > 0.

        Examples
        --------
        A test against three quarters, which 30 of 40 patients had suggested. If those patients
        are all that is known of the true rate, a product that adds nothing passes more often:

        >>> trial = Looks(patients=(45,), futile=(38,), enough=(39,))
        >>> round(trial.operating(0.75).success, 3)
        0.045
        >>> round(trial.averaged((30.5, 10.5)).success, 3)
        0.11
        """
        a, b = beta_parameters("belief", belief)
        exits = self._exits(lambda n: (a + np.arange(n + 1.0)) / (a + b + n))
        return self._operating(a / (a + b), exits)


def beta_parameters(name: str, value: tuple[float, float]) -> tuple[float, float]:
    """Return the two parameters of a Beta law, or raise."""
    remedy = "give two numbers > 0, such as (0.5, 0.5)"
    numbers = require_positive(name, value, remedy)
    if numbers.shape != (2,):
        raise ParameterError(f"{name} is {value!r}; it must be a pair of numbers; {remedy}")
    return float(numbers[0]), float(numbers[1])
