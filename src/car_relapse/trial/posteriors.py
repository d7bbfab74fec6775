r"""Two arms compared by their posterior: proportions, and all causes of an event at once.

With a Beta prior the share :math:`p` of patients with an event has a Beta posterior, and what is
asked is :math:`P(p_E < p_C)`. With a Dirichlet prior on all causes, and on staying in remission,
any group of causes has a Beta posterior, too, so that the same holds for antigen-negative relapse,
for all relapses, or for any event.

A trial that claims success when that probability passes a threshold has a type I error like any
other; `success_rate` finds it by counting through all tables of results, so that the threshold can
be chosen for it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import betainc, betaincinv, betaln, expit
from scipy.stats import binom

from car_relapse.errors import (
    ParameterError,
    is_list,
    require_count,
    require_fraction,
    require_instance,
    require_positive,
)
from car_relapse.trial.sample_size.events import inside

__all__ = ["CausePosterior", "probability_lower", "success_rate"]

Floats = NDArray[np.float64]
Prior = tuple[float, float]

_PRIOR = "give the two parameters of a Beta prior, such as (1, 1)"
_FLAT: Prior = (1.0, 1.0)
_LARGEST = 10**6
_LARGEST_ARM = 1000
# Smaller parameters put weight on shares below the smallest float.
_SMALLEST_PRIOR = 0.1


def _prior(name: str, value: Prior) -> Prior:
    numbers = require_positive(name, value, _PRIOR)
    if numbers.shape != (2,) or numbers.min() < _SMALLEST_PRIOR or numbers.max() > _LARGEST:
        raise ParameterError(
            f"{name} is {value!r:.100}; it must be two numbers from {_SMALLEST_PRIOR:g} to "
            f"{_LARGEST:g}; {_PRIOR}"
        )
    return float(numbers[0]), float(numbers[1])


def _lower(first: Prior, second: Prior) -> float:
    r"""Return the probability that one Beta variable is below another.

    On the scale of the logit a Beta density is smooth and falls exponentially at both ends, where
    the trapezoid rule converges faster than any power of its step.
    """
    a, b = second
    centre = math.log(a) - math.log(b)
    step = min(0.1, math.sqrt(1.0 / a + 1.0 / b) / 8.0)
    # Where the density has fallen below 1e-20 of a probability, on either side.
    spread = 12.0 * math.sqrt(1.0 / a + 1.0 / b)
    low, high = centre - spread - 46.0 / a, centre + spread + 46.0 / b
    t = np.arange(low, high + step, step)
    log = a * -np.logaddexp(0.0, -t) + b * -np.logaddexp(0.0, t) - betaln(a, b)
    weight = np.exp(log)
    return float(min(weight @ betainc(*first, expit(t)) / weight.sum(), 1.0))


def _counts(name: str, events: int, patients: int) -> tuple[int, int]:
    n = require_count(
        f"patients of {name}", patients, "give the patients of the arm", maximum=_LARGEST
    )
    x = require_count(f"events of {name}", events, "give the patients with the event", maximum=n)
    return x, n


def probability_lower(
    events: tuple[int, int],
    patients: tuple[int, int],
    *,
    prior_control: Prior = _FLAT,
    prior_experimental: Prior = _FLAT,
) -> float:
    """Return the posterior probability that the experimental share of events is the lower one.

    Parameters
    ----------
    events : (int, int)
        Patients with the event in the control and in the experimental arm.
    patients : (int, int)
        Patients in the control and in the experimental arm.
    prior_control, prior_experimental : (float, float), optional
        Parameters of the Beta priors, which are independent; flat by default.

    Returns
    -------
    float
        Probability in [0, 1].

    Raises
    ------
    ParameterError
        When a count is not a whole number in range, or a prior not two numbers from 0.1.

    Examples
    --------
    >>> round(probability_lower((10, 4), (40, 40)), 4)
    0.9579
    """
    pairs = []
    for name, value in (("events", events), ("patients", patients)):
        if not is_list(value) or len(value) != 2:
            raise ParameterError(
                f"{name} is {value!r:.100}; it must be two numbers; give the control and the "
                "experimental arm"
            )
        pairs.append(tuple(value))
    arms = zip(("control", "experimental"), *pairs, strict=True)
    (x0, n0), (x1, n1) = (_counts(name, x, n) for name, x, n in arms)
    a0, b0 = _prior("prior_control", prior_control)
    a1, b1 = _prior("prior_experimental", prior_experimental)
    return _lower((a1 + x1, b1 + n1 - x1), (a0 + x0, b0 + n0 - x0))


def _table(n0: int, n1: int, prior0: Prior, prior1: Prior) -> Floats:
    """Return P(p_E < p_C) for all results, shape (n0 + 1, n1 + 1).

    One integral starts the table. From there one event more in an arm, and one patient less
    without, add known amounts: the chance that both shares meet, divided by a parameter.
    """
    x0, x1 = np.arange(n0 + 1.0)[:, None], np.arange(n1 + 1.0)
    a0, b0 = prior0[0] + x0, prior0[1] + n0 - x0
    a1, b1 = prior1[0] + x1, prior1[1] + n1 - x1
    meet = np.exp(betaln(a0 + a1, b0 + b1) - betaln(a0, b0) - betaln(a1, b1))
    table = np.zeros_like(meet)
    table[0, 0] = _lower((a1[0], b1[0]), (float(a0[0, 0]), float(b0[0, 0])))
    table[0, 1:] = -(meet[0, :-1] / a1[:-1] + meet[0, 1:] / b1[1:])
    table[1:] = meet[:-1] / a0[:-1] + meet[1:] / b0[1:]
    table[0] = np.cumsum(table[0])
    return np.asarray(np.clip(np.cumsum(table, axis=0), 0.0, 1.0))


def success_rate(
    control: float,
    experimental: float,
    patients: tuple[int, int],
    threshold: float,
    *,
    prior_control: Prior = _FLAT,
    prior_experimental: Prior = _FLAT,
) -> float:
    """Return how often a trial claims success, by counting through all its results.

    Parameters
    ----------
    control, experimental : float
        True share of patients with the event in either arm; equal for the type I error.
    patients : (int, int)
        Patients in the control and in the experimental arm, each at most 1000.
    threshold : float
        Success is claimed when the posterior probability of a lower share in the experimental arm
        is above this.
    prior_control, prior_experimental : (float, float), optional
        As for `probability_lower`.

    Returns
    -------
    float
        Probability in [0, 1].

    Raises
    ------
    ParameterError
        When an argument is out of range.

    Examples
    --------
    A threshold of 97.5 % keeps an error of about 2.5 %, and has the power of other tests.

    >>> [round(success_rate(0.25, p, (100, 100), 0.975), 3) for p in (0.25, 0.10)]
    [0.024, 0.811]
    """
    p0 = float(require_fraction("control", control, "give a share of patients", scalar=True))
    p1 = float(
        require_fraction("experimental", experimental, "give a share of patients", scalar=True)
    )
    limit = float(require_fraction("threshold", threshold, "give 0.975 or so", scalar=True))
    remedy = "give the patients of the control and of the experimental arm"
    if not is_list(patients) or len(patients) != 2:
        raise ParameterError(f"patients is {patients!r:.100}; it must be two numbers; {remedy}")
    n0, n1 = (
        require_count("patients", n, remedy, minimum=1, maximum=_LARGEST_ARM) for n in patients
    )
    table = _table(
        n0,
        n1,
        _prior("prior_control", prior_control),
        _prior("prior_experimental", prior_experimental),
    )
    first = binom.pmf(np.arange(n0 + 1), n0, p0)
    second = binom.pmf(np.arange(n1 + 1), n1, p1)
    return min(float(first @ (table > limit) @ second), 1.0)


@dataclass(frozen=True, kw_only=True)
class CausePosterior:
    """Posterior of the shares of all causes in two arms, each with a Dirichlet prior.

    Examples
    --------
    Antigen-negative relapse, antigen-positive relapse, death, still in remission.

    >>> arms = CausePosterior(control=(20, 16, 4, 40), experimental=(8, 18, 4, 50))
    >>> [round(arms.lower(causes), 3) for causes in ([1], [2], [1, 2, 3])]
    [0.993, 0.352, 0.941]
    """

    control: Sequence[int]
    """Patients of the control arm in each group: one for each cause, and last those without event
    at the horizon; all followed so long."""
    experimental: Sequence[int]
    """The same in the experimental arm."""
    prior: float = 1.0
    """Weight of each group in the Dirichlet prior of either arm, as if so many patients had been
    seen in it; from 0.1."""

    def __post_init__(self) -> None:
        """Check the numbers."""
        sizes = []
        for name, counts in (("control", self.control), ("experimental", self.experimental)):
            remedy = "give the patients with each cause, and last those without event"
            if not is_list(counts) or len(counts) < 2:
                raise ParameterError(
                    f"{name} is {counts!r:.100}; it must be a list of two numbers or more; {remedy}"
                )
            for number in counts:
                require_count(name, number, remedy, maximum=_LARGEST)
            sizes.append(len(counts))
        if sizes[0] != sizes[1]:
            raise ParameterError(
                f"control has {sizes[0]} groups and experimental has {sizes[1]}; both arms have "
                "the same causes; give 0 for a cause that did not occur"
            )
        _prior("prior", (self.prior, self.prior))

    def _weights(self) -> tuple[Floats, Floats]:
        """Return the parameters of the posterior of control and experimental arm."""
        return (
            np.asarray(self.control, dtype=float) + self.prior,
            np.asarray(self.experimental, dtype=float) + self.prior,
        )

    def _columns(self, causes: Sequence[int]) -> list[int]:
        groups = len(self.control)
        remedy = f"give a list of causes from 1 to {groups - 1}"
        if not is_list(causes) or len(causes) == 0:
            raise ParameterError(f"causes is {causes!r:.100}; it must be a list; {remedy}")
        columns = [
            require_count("causes", c, remedy, minimum=1, maximum=groups - 1) - 1 for c in causes
        ]
        if len(set(columns)) < len(columns):
            raise ParameterError(
                f"causes is {list(causes)!r}; each cause must stand once; remove the double"
            )
        return columns

    def _beta(self, weights: Floats, columns: list[int]) -> Prior:
        inside = float(weights[columns].sum())
        return inside, float(weights.sum()) - inside

    def lower(self, causes: Sequence[int]) -> float:
        """Return the probability that these causes together take less in the experimental arm.

        Parameters
        ----------
        causes : sequence of int
            Causes, counted from 1.

        Raises
        ------
        ParameterError
            When a cause is not one of them.
        """
        columns = self._columns(causes)
        control, experimental = self._weights()
        return _lower(self._beta(experimental, columns), self._beta(control, columns))

    def interval(
        self, causes: Sequence[int], *, experimental: bool = True, level: float = 0.95
    ) -> tuple[float, float]:
        """Return the interval that holds these causes' share, with equal tails.

        Parameters
        ----------
        causes : sequence of int
            Causes, counted from 1, taken together.
        experimental : bool, optional
            Whether of the experimental arm.
        level : float, optional
            Posterior probability of the interval.

        Raises
        ------
        ParameterError
            When a cause is not one of them, or the level not strictly between 0 and 1.
        """
        columns = self._columns(causes)
        covered = inside("level", level, "give 0.95 or so")
        if not isinstance(experimental, bool | np.bool_):
            raise ParameterError(
                f"experimental is {experimental!r}; it must be True or False; choose one"
            )
        a, b = self._beta(self._weights()[int(experimental)], columns)
        tail = (1.0 - covered) / 2.0
        return float(betaincinv(a, b, tail)), float(betaincinv(a, b, 1.0 - tail))

    def lower_without_harm(
        self,
        causes: Sequence[int],
        others: Sequence[int],
        margin: float,
        rng: np.random.Generator,
        *,
        draws: int = 20_000,
    ) -> tuple[float, float]:
        """Return the probability that some causes take less while others take hardly more.

        Parameters
        ----------
        causes : sequence of int
            Causes that are to take less in the experimental arm, counted from 1.
        others : sequence of int
            Causes whose share together may be larger there by at most `margin`.
        margin : float
            Difference of shares, in [0, 1].
        rng : numpy.random.Generator
            Source of randomness.
        draws : int, optional
            Draws from the posterior.

        Returns
        -------
        (float, float)
            The probability and its Monte Carlo standard error.

        Raises
        ------
        ParameterError
            When a cause is not one of them or in both lists, or an argument is out of range.

        Examples
        --------
        >>> arms = CausePosterior(control=(20, 16, 4, 40), experimental=(8, 18, 4, 50))
        >>> found, error = arms.lower_without_harm([1], [2, 3], 0.1, np.random.default_rng(1))
        >>> round(found, 2), round(error, 3)
        (0.86, 0.002)
        """
        better, kept = self._columns(causes), self._columns(others)
        if set(better) & set(kept):
            raise ParameterError(
                f"others is {list(others)!r}; causes has some of them, too; name each cause once"
            )
        most = float(require_fraction("margin", margin, "give a difference of shares", scalar=True))
        require_instance("rng", rng, np.random.Generator, "give numpy.random.default_rng(seed)")
        n = require_count("draws", draws, "give a number of draws", minimum=100, maximum=10**6)
        control, experimental = (rng.dirichlet(w, n) for w in self._weights())
        fine = experimental[:, better].sum(axis=1) < control[:, better].sum(axis=1)
        fine &= experimental[:, kept].sum(axis=1) - control[:, kept].sum(axis=1) <= most
        found = float(fine.mean())
        return found, math.sqrt(found * (1.0 - found) / n)
