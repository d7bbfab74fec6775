r"""Looks by Bayes' rule: stop when what is known so far makes success, or failure, likely.

The response rate has a Beta prior, so that after x responses in n patients it has the law
Beta(a + x, b + n - x). Two questions can be asked of it at a look. *Predictive*: if the trial went
on to its last patient, would it succeed (Lee & Liu 2008, doi:10.1177/1740774508089279)?
*Posterior*: is the new rate above that of the standard by now, which is itself not known exactly
(Thall & Simon 1994, doi:10.2307/2533377)? Either way the rule becomes a table of counts, and the
table has exact error rates. A prior is a choice; the error rates show what it does.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable
from functools import cache, partial

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincc, betaincinv, betaln, gammaln

from car_relapse.errors import ParameterError, require_count, require_fraction
from car_relapse.trial._checks import strictly_between
from car_relapse.trial.single_arm.looks import (
    MOST_PATIENTS,
    Looks,
    beta_parameters,
)

__all__ = ["posterior_looks", "predictive_looks", "predictive_probability", "probability_better"]

Floats = NDArray[np.float64]
Prior = tuple[float, float]

_FLAT = (1.0, 1.0)
_NULL = "give the response rate that is not worth pursuing"
_SURE = "give how sure is sure enough, such as 0.95"


def _success_total(largest: int, null: float, success: float, prior: Prior) -> int:
    """Return the fewest responses that succeed at the end; one more than all if none do."""
    total = np.arange(largest + 1)
    above = betaincc(prior[0] + total, prior[1] + largest - total, null)
    return int(np.count_nonzero(above <= success))


def _predictive(x: int, n: int, largest: int, total: int, prior: Prior) -> float:
    """Return the chance that `total` responses are reached, after x in n patients."""
    if x >= total:
        return 1.0
    m = largest - n
    y = np.arange(total - x, m + 1)
    a, b = prior[0] + x, prior[1] + n - x
    log_ways = gammaln(m + 1) - gammaln(y + 1) - gammaln(m - y + 1)
    mass = np.exp(log_ways + betaln(a + y, b + m - y) - betaln(a, b))
    return min(float(mass.sum()), 1.0)


def _largest(largest: int) -> int:
    remedy = "give the patients of the whole trial"
    return require_count("largest", largest, remedy, minimum=1, maximum=MOST_PATIENTS)


def predictive_probability(
    responses: int,
    patients: int,
    *,
    largest: int,
    null: float,
    success: float = 0.95,
    prior: tuple[float, float] = _FLAT,
) -> float:
    r"""Return the probability that the trial, carried on to its last patient, succeeds.

    .. math::

        \sum_y \binom{m}{y}\frac{B(a+x+y,\,b+N-x-y)}{B(a+x,\,b+n-x)}\;
        \mathbf 1\{P(p>p_0 \mid x+y \text{ of } N) > \theta\},\qquad m = N-n

    Parameters
    ----------
    responses, patients : int
        Responses so far, and patients so far.
    largest : int
        Patients of the whole trial, N, at most 2000.
    null : float
        Response rate :math:`p_0` to beat, strictly between 0 and 1.
    success : float, optional
        The trial succeeds when the posterior probability of a rate above `null` exceeds this.
    prior : (float, float), optional
        Parameters a and b of the Beta prior.

    Returns
    -------
    float
        Predictive probability; 0 or 1 once all patients are in.

    Raises
    ------
    ParameterError
        When an argument breaks its rule.

    Examples
    --------
    >>> p = predictive_probability(16, 23, largest=40, null=0.6, success=0.9, prior=(0.6, 0.4))
    >>> round(p, 4)
    0.5656
    """
    most = _largest(largest)
    n = require_count("patients", patients, "give the patients so far", maximum=most)
    x = require_count("responses", responses, "give a part of the patients so far", maximum=n)
    p0 = strictly_between("null", null, _NULL)
    sure = strictly_between("success", success, _SURE)
    law = beta_parameters("prior", prior)
    return _predictive(x, n, most, _success_total(most, p0, sure, law), law)


class _Counts:
    """How many counts of responses have too small a value, look after look.

    More responses never have a smaller value, and neither have fewer patients with as many; so
    the number grows from one look to the next, by no more than the patients between.
    """

    def __init__(self, search: Callable[..., int], limit: float) -> None:
        self.search, self.limit = search, limit
        self.n, self.found = 0, 0

    def at(self, n: int, value: Callable[[int], float]) -> int:
        """Return the number after n patients, 0 when even no response is enough."""
        top = self.found + n - self.n + (self.n == 0)
        self.found = self.search(range(n + 1), self.limit, self.found, min(top, n + 1), key=value)
        self.n = n
        return self.found


def _table(counts: list[tuple[int, int, int]]) -> Looks:
    """Return the looks of: patients, how many counts are too few, and the first that is enough."""
    return Looks(
        patients=tuple(n for n, _, _ in counts),
        futile=tuple(few - 1 if few else None for _, few, _ in counts),
        enough=tuple(many if many <= n else None for n, _, many in counts),
    )


def _schedule(largest: int, first: int, every: int) -> tuple[int, ...]:
    remedy = "give the patients at the first look"
    n = require_count("first", first, remedy, minimum=1, maximum=largest)
    step = require_count("every", every, "give the patients between two looks", minimum=1)
    return (*range(n, largest, step), largest)


def predictive_looks(
    largest: int,
    null: float,
    *,
    success: float = 0.95,
    futility: float = 0.05,
    enough: float = 1.0,
    prior: tuple[float, float] = _FLAT,
    first: int = 10,
    every: int = 1,
) -> Looks:
    """Return the table of a predictive-probability design (Lee & Liu 2008).

    Parameters
    ----------
    largest, null, success, prior
        As in `predictive_probability`.
    futility : float, optional
        Stop without success when the predictive probability is below this, in [0, 1).
    enough : float, optional
        Stop with success when it is above this, in (0, 1]; 1 never does.
    first, every : int, optional
        Patients at the first look, and from one look to the next; the last look is at `largest`.

    Returns
    -------
    Looks
        Its `operating` gives the type I error at the null rate, and the power.

    Raises
    ------
    ParameterError
        When an argument breaks its rule.

    Examples
    --------
    >>> trial = predictive_looks(36, 0.6, success=0.9, futility=0.001, prior=(0.6, 0.4))
    >>> trial.futile[:5], trial.futile[-1], round(trial.operating(0.6).success, 4)
    ((3, 3, 4, 5, 5), 25, 0.0902)
    """
    most = _largest(largest)
    p0 = strictly_between("null", null, _NULL)
    sure = strictly_between("success", success, _SURE)
    low, high = _bounds(futility, enough)
    law = beta_parameters("prior", prior)
    total = _success_total(most, p0, sure, law)
    few, many, counts = _Counts(bisect_left, low), _Counts(bisect_right, high), []
    for n in _schedule(most, first, every)[:-1]:
        value = partial(_predictive, n=n, largest=most, total=total, prior=law)
        counts.append((n, few.at(n, value), many.at(n, value)))
    return _table([*counts, (most, total, total)])


def _bounds(futility: float, enough: float) -> tuple[float, float]:
    low = float(require_fraction("futility", futility, "give 0.05 or so", scalar=True))
    high = float(require_fraction("enough", enough, "give 0.95 or so, or 1 for never", scalar=True))
    if low >= high:
        raise ParameterError(
            f"futility is {low:g} and enough is {high:g}; futility must be smaller; give 0.05 and "
            "1, or so"
        )
    return low, high


@cache
def _quantiles(standard: Prior) -> tuple[Floats, Floats]:
    """Return rates of a Beta law, and weights that add up to 1, for means over it."""
    x, w = np.polynomial.legendre.leggauss(160)
    t = 0.5 * (x + 1.0)
    # Steps in the probability that shrink towards 0 and 1, where the quantiles may race.
    u, du = t**3 * (10.0 - 15.0 * t + 6.0 * t**2), 30.0 * (t * (1.0 - t)) ** 2
    return betaincinv(*standard, u), 0.5 * w * du


def _better(x: int, n: int, standard: float | Prior, gain: float, prior: Prior) -> float:
    """Return the posterior probability of a rate above the standard, after x responses in n."""
    rate, weight = (
        _quantiles(standard) if isinstance(standard, tuple) else (np.array([standard]), np.ones(1))
    )
    above = betaincc(prior[0] + x, prior[1] + n - x, np.minimum(rate + gain, 1.0))
    return min(float(above @ weight), 1.0)


def _standard(standard: float | Prior) -> float | Prior:
    if isinstance(standard, tuple | list):
        return beta_parameters("standard", standard)
    return strictly_between("standard", standard, "give a response rate, or (a, b) of a Beta law")


def _gain(gain: float) -> float:
    return float(require_fraction("gain", gain, "give 0 or the gain that matters", scalar=True))


def probability_better(
    responses: int,
    patients: int,
    *,
    standard: float | tuple[float, float],
    gain: float = 0.0,
    prior: tuple[float, float] = _FLAT,
) -> float:
    """Return the posterior probability that the new rate exceeds the standard's by `gain`.

    Parameters
    ----------
    responses, patients : int
        Responses so far, and patients so far (at most 2000).
    standard : float or (float, float)
        Response rate of the standard, or a and b of its Beta law when it is known from so many
        patients only.
    gain : float, optional
        Difference of rates, in [0, 1].
    prior : (float, float), optional
        Parameters of the Beta prior of the new rate.

    Returns
    -------
    float
        Posterior probability.

    Raises
    ------
    ParameterError
        When an argument breaks its rule.

    Examples
    --------
    The standard's rate as known for sure, and as 30 of 40 patients tell it:

    >>> round(probability_better(27, 30, standard=0.75), 3)
    0.969
    >>> round(probability_better(27, 30, standard=(30.5, 10.5)), 3)
    0.93
    """
    n = require_count("patients", patients, "give the patients so far", maximum=MOST_PATIENTS)
    x = require_count("responses", responses, "give a part of the patients so far", maximum=n)
    law = beta_parameters("prior", prior)
    return _better(x, n, _standard(standard), _gain(gain), law)


def posterior_looks(
    largest: int,
    standard: float | tuple[float, float],
    *,
    success: float | None = 0.95,
    futility: float = 0.05,
    gain: float = 0.0,
    prior: tuple[float, float] = _FLAT,
    first: int = 10,
    every: int = 1,
) -> Looks:
    """Return the table of a trial monitored by posterior probabilities (Thall & Simon 1994).

    It stops with success when the new rate is likely to be above the standard's, and without when
    it is unlikely to be above it by `gain`. A trial that ends between the two, which Thall and
    Simon call inconclusive, counts as no success here.

    Parameters
    ----------
    largest : int
        Patients of the whole trial, at most 2000.
    standard, prior
        As in `probability_better`.
    success : float or None, optional
        Stop with success when the probability of any improvement is above this, in (0, 1]. None:
        never; the trial succeeds when it has not stopped, as a rule for safety wants. Such a rule
        in terms of the harm, at looks of any numbers, is `trial.dose.ToxicityStopping`.
    futility : float, optional
        Stop without when the probability of an improvement by `gain` is below this, in [0, 1).
    gain : float, optional
        Improvement that is aimed at, in [0, 1].
    first, every : int, optional
        As in `predictive_looks`.

    Returns
    -------
    Looks

    Raises
    ------
    ParameterError
        When an argument breaks its rule.

    Examples
    --------
    Stop for harm when that fewer than three quarters are free of it has a probability above nine
    tenths: with 3 harmed of 5, 5 of 10, and so on.

    >>> safety = posterior_looks(
    ...     30, 0.75, success=None, futility=0.1, prior=(1.5, 0.5), first=5, every=5)
    >>> [n - few for n, few in zip(safety.patients, safety.futile)]
    [3, 5, 7, 8, 10, 11]
    """
    most = _largest(largest)
    bar, more, law = _standard(standard), _gain(gain), beta_parameters("prior", prior)
    low, high = _bounds(futility, 1.0 if success is None else success)
    few, many, counts = _Counts(bisect_left, low), _Counts(bisect_right, high), []
    for n in _schedule(most, first, every):
        better = partial(_better, n=n, standard=bar, prior=law)
        low_end, high_end = (
            few.at(n, partial(better, gain=more)),
            many.at(n, partial(better, gain=0.0)),
        )
        if n == most:
            low_end = high_end = low_end if success is None else high_end
        counts.append((n, low_end, high_end))
    return _table(counts)
