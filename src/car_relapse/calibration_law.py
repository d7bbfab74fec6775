r"""Expected relapses of a population without sampling: what a calibration can differentiate.

A simulated cohort is noisy, and its noise hides the small changes of a likelihood. Here the
same model as that of `car_relapse.engine` is averaged without a random number. Patients sit at
fixed quasi-random points of the population, and of every patient the *law* of relapse is
computed:

* targeted lines that outlive therapy are Poisson with mean :math:`M`, and together they have the
  limit size :math:`e^{-\rho(t)}R\,\Gamma(K)`; with :math:`x = De^{\rho(t)}/R`

  .. math:: P(\text{below } D) = P(\Gamma(K) < x) = 1 - F_{\chi^2}(2M;\,2,\,2x)

  (:math:`F` the non-central chi-squared law: a gamma variable is below x when a Poisson
  variable of mean x reaches its shape, and the difference of two Poisson variables has that
  law);
* escaped lines have a limit mass :math:`W` at day 0, in units of 1/s, with

  .. math:: E\,e^{-\theta W} = \exp\left(-M_0\,\theta\ln(1+1/\theta)
      - \sum_j \Lambda_j\frac{g_j\theta}{1+g_j\theta}\right)

  for the lines there before therapy (:math:`M_0 = NU`) and for those founded on day
  :math:`r_j` under it (:math:`g = e^{-\lambda r}`); its distribution function comes from
  Stehfest's inversion (1970, Algorithm 368, Communications of the ACM 13:47) and is that of
  relapse, because :math:`W e^{\lambda t}` passes a burden on a day that is a function of
  :math:`W`.

The one approximation beside those of the engine: a relapse is found when *one* of the two kinds
reaches the limit, not their sum. Where both are there, that is late by at most
:math:`\ln 2/\lambda`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import chndtr, ndtr

from car_relapse.calibration_points import Patients
from car_relapse.errors import (
    ParameterError,
    require_broadcast,
    require_instance,
    require_non_negative,
    require_positive,
)
from car_relapse.history import line_history
from car_relapse.killing import Killing
from car_relapse.outcomes import Detection

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from car_relapse.history import LineHistory

__all__ = [
    "Expected",
    "escaped_mass_cdf",
    "expected_relapses",
    "surviving_lines_cdf",
]

# Patients per block: the arrays of a block stay in the cache of the processor.
_BLOCK = 256
# Parts of every panel of `car_relapse.history`.
_REFINE = 1
# First panels of the groups in which lines founded under therapy are counted.
_GROUPS = (0, 1, 2, 3, 5)
# Above this many lines the Poisson number of them is normal on the square-root scale.
_MANY_LINES = 100.0
# Log of the size beyond which a line that is still to be cleared is an artefact of rounding.
_LARGEST = 50.0
# Order of Stehfest's inversion; double precision carries no more than 14 to 16.
_STEHFEST = 12
# Every point stands for a small cloud of burdens, decades wide: without it a patient whose nadir
# crosses the limit of remission makes a step in the likelihood. It adds 2 % to the variance.
_CLOUD = 0.1
# Share of the limit of remission that is left to escaped cells at the nadir at least.
_LEAST_ROOM = 0.01
# Masses below this are below one cell by any measure; their inverse must stay finite.
_LEAST_MASS = 1e-30


@dataclass(frozen=True, kw_only=True)
class Expected:
    """Expected shares of infused patients; arrays have shape (days,)."""

    day: NDArray[np.float64]
    """Days after infusion."""
    remission: float
    """Share who ever reach remission."""
    relapse_free: NDArray[np.float64]
    """Share in remission so far without relapse by each day."""
    antigen_positive: NDArray[np.float64]
    """Share who have relapsed antigen-positive by each day."""
    escaped: NDArray[np.float64]
    """Share who have relapsed with cells that the product does not see, by each day."""


def surviving_lines_cdf(mean: ArrayLike, size: ArrayLike) -> NDArray[np.float64]:
    r"""Return :math:`P(\Gamma(K) < x)` for a Poisson number K of lines of Exp(1) size each.

    Parameters
    ----------
    mean : array_like
        Mean number of lines M, >= 0.
    size : array_like
        Threshold x, in units of the mean size of a line, >= 0; broadcasts.

    Returns
    -------
    ndarray
        Probabilities; :math:`e^{-M}` at x = 0+, where only patients without lines are below.
        Above 100 lines by the normal law of the square root.

    Examples
    --------
    >>> round(float(surviving_lines_cdf(1.0, 0.0)), 4)
    0.3679
    """
    lines = require_non_negative("mean", mean, "give an expected number of lines")
    threshold = require_non_negative("size", size, "give sizes over the mean size of a line")
    require_broadcast("give one size, or one for each mean", mean=lines, size=threshold)
    m, x = np.broadcast_arrays(lines, threshold)
    many = m > _MANY_LINES
    # The library function is slow, and beyond these sizes no sum of lines is ever found.
    asked = ~many & (x < m + 12.0 * np.sqrt(m) + 40.0)
    exact = np.ones(m.shape)
    exact[asked] = 1.0 - chndtr(2.0 * m[asked], 2.0, 2.0 * x[asked])
    # The last term is the skewness that the square root leaves.
    root = np.sqrt(np.maximum(m, 1.0))
    normal = ndtr(math.sqrt(2.0) * (np.sqrt(x) - root + 0.25 / root))
    return np.asarray(np.where(many, normal, exact))


@cache
def _stehfest() -> NDArray[np.float64]:
    """Return the weights of Stehfest's inversion, each over its index."""
    half, f = _STEHFEST // 2, math.factorial
    weights = [
        (-1) ** (k + half)
        * sum(
            j**half * f(2 * j) / (f(half - j) * f(j) * f(j - 1) * f(k - j) * f(2 * j - k))
            for j in range((k + 1) // 2, min(k, half) + 1)
        )
        / k
        for k in range(1, _STEHFEST + 1)
    ]
    return np.array(weights)


def escaped_mass_cdf(
    preexisting: NDArray[np.float64],
    founded: NDArray[np.float64],
    growth: NDArray[np.float64],
    mass: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return the probability that the escaped mass is at most `mass`.

    Parameters
    ----------
    preexisting : ndarray, shape (n,)
        Expected surviving lines that predate therapy.
    founded : ndarray, shape (groups, n)
        Expected surviving lines founded under therapy, by group of days.
    growth : ndarray, shape (groups, n)
        Size of a line of each group, relative to one founded on day 0, > 0.
    mass : ndarray, shape (m, n)
        Limit mass, in cells times s, > 0.

    Returns
    -------
    ndarray, shape (m, n)
        By Stehfest's inversion; absolute error about 1e-3 for few lines.
    """
    preexisting = require_non_negative("preexisting", preexisting, "give expected lines")
    founded = require_non_negative("founded", founded, "give expected lines")
    growth = require_positive("growth", growth, "give sizes of a line")
    mass = require_positive("mass", mass, "give a mass in cells")
    remedy = "see the shapes of the parameters"
    require_broadcast(remedy, founded=founded, growth=growth)
    if founded.shape != growth.shape or not founded.ndim:
        raise ParameterError(
            f"founded has shape {founded.shape} and growth {growth.shape}; each has one row for "
            f"every group of days; {remedy}"
        )
    shape = require_broadcast(remedy, preexisting=preexisting, founded=founded[:1], mass=mass)
    total = np.zeros(shape)
    for k, weight in enumerate(_stehfest(), start=1):
        theta = k * math.log(2.0) / mass
        # theta ln(1 + 1/theta) -> 1: beyond 1e7 the difference is lost in rounding.
        capped = np.minimum(theta, 1e7)
        exponent = preexisting * capped * np.log1p(1.0 / capped)
        for lines, size in zip(founded, growth, strict=True):
            exponent = exponent + lines * size / (1.0 / theta + size)
        total += weight * np.exp(-exponent)
    # The inversion overshoots by its own error where the law is flat.
    return np.asarray(np.clip(total, 0.0, 1.0))


def _rho_on(
    history: LineHistory,
    removal: NDArray[np.float64],
    days: NDArray[np.float64],
    net: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return rho on some days, but its maximum before the day on which that is reached.

    Between nodes the cubic that matches values and slopes (`removal`, 1/day).
    """
    n = net.size
    node, rho = history.rule.node.reshape(-1, n), history.rho.reshape(-1, n)
    patient = np.arange(n)
    turn = rho.argmax(axis=0)
    values = np.empty((days.size, n))
    for i, day in enumerate(days):
        right = np.clip((node <= day).sum(axis=0), 1, node.shape[0] - 1)
        left = right - 1
        y0, width = rho[left, patient], node[right, patient] - node[left, patient]
        rise = rho[right, patient] - y0
        # Panels of no width, where growth resumes at the peak, put several nodes on one day.
        x = np.clip((day - node[left, patient]) / np.where(width > 0, width, 1.0), 0.0, 1.0)
        m0, m1 = removal[left, patient] * width, removal[right, patient] * width
        inside = y0 + x * (m0 + x * (3 * rise - 2 * m0 - m1 + x * (m0 + m1 - 2 * rise)))
        late = rho[-1] - net * np.maximum(day - node[-1], 0.0)
        value = np.where(day > node[-1], late, inside)
        values[i] = np.where(day <= node[turn, patient], rho[turn, patient], value)
    return values


def _block(
    patients: Patients,
    loss: float,
    killing: Killing,
    detection: Detection,
    day: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return remission (n,), relapse-free and escaped by day (days, n)."""
    net = patients.birth_rate - patients.death_rate
    s = net / patients.birth_rate
    n, burden = net.size, patients.burden
    # After therapy the cleared lines are gone, and rounding leaves their number below nothing;
    # where growth outruns therapy it may leave none to be cleared at all.
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        history = line_history(patients, loss, killing, patients.curve, refine=_REFINE)
        log_cleared = history.log_cleared
    # Untreated lines have R = b / lambda, and killing only adds; the few nodes of a leukaemia
    # that outgrows its therapy can fall short of that.
    log_r = np.maximum(history.log_r, -np.log(s))
    lines = -burden * np.log1p(-np.exp(-log_r))

    # Lines founded under therapy, by groups of panels. A leukaemia that outgrows its therapy has no
    # cleared lines to speak of, and the rounding of their number is cut off.
    node = history.rule.node
    cleared = np.exp(np.minimum(np.nan_to_num(log_cleared, nan=-np.inf), _LARGEST))
    rate = patients.birth_rate * loss * s * burden * cleared * history.rule.weights()
    founded = np.add.reduceat(rate.sum(axis=1), _GROUPS, axis=0)
    size = np.add.reduceat((rate * np.exp(-net * node)).sum(axis=1), _GROUPS, axis=0)
    size = size / np.maximum(founded, 1e-300) + 1e-300

    # Remission: the targeted mean falls below the limit, and on some day the escaped cells are
    # in the room that it leaves there.
    log_mean = np.log(burden / detection.remission_cells) - history.rho.reshape(-1, n)
    reached = ndtr(-log_mean.min(axis=0) / (_CLOUD * math.log(10.0)))
    shrunk = np.exp(-net * node.reshape(-1, n))
    room = (1.0 - np.exp(np.minimum(log_mean, 1.0))) * shrunk
    nadir = shrunk[log_mean.argmin(axis=0), np.arange(n)]
    most = detection.remission_cells * np.maximum(room.max(axis=0), _LEAST_ROOM * nadir)

    limit = detection.relapse_cells * np.exp(-net * day[:, None])
    mass = s * np.concatenate([most[None], np.minimum(most, limit)])
    below = escaped_mass_cdf(burden * loss, founded, size, np.maximum(mass, _LEAST_MASS))
    below = np.minimum.accumulate(reached * below, axis=0)
    remission, escaped_below = below[0], below[1:]

    removal = (history.kill + patients.death_rate - patients.birth_rate * (1.0 - loss)).reshape(
        -1, n
    )
    rho = _rho_on(history, removal.reshape(-1, n), day, net)
    log_x = np.log(detection.relapse_cells) + rho - log_r
    positive_below = surviving_lines_cdf(lines, np.exp(np.minimum(log_x, 100.0)))
    # Competing risks within one patient: the escape that comes first, day by day.
    before = np.concatenate([np.ones((1, n)), positive_below])
    steps = 0.5 * (before[1:] + before[:-1]) * -np.diff(below, axis=0)
    return remission, positive_below * escaped_below, np.cumsum(steps, axis=0)


def expected_relapses(
    patients: Patients,
    loss: float,
    killing: Killing,
    detection: Detection,
    days: ArrayLike,
) -> Expected:
    """Return the expected course of a population, averaged over its patients.

    Parameters
    ----------
    patients : Patients
        The population, one point each.
    loss : float
        Probability per division that one daughter escapes the product, by any loss.
    killing : Killing
        Response of killing to the transgene level.
    detection : Detection
        Limits of remission and relapse.
    days : array_like, shape (days,)
        Increasing days after infusion, > 0. Kinds of relapse compete from one day to the next,
        so the days should be no further apart than some months.

    Returns
    -------
    Expected

    Raises
    ------
    ParameterError
        When the days do not increase or are not positive, or the loss is not positive.

    Examples
    --------
    >>> from car_relapse.calibration_points import Patients, points
    >>> from car_relapse.exposure import stein_population
    >>> from car_relapse.killing import default_killing
    >>> from car_relapse.outcomes import default_detection
    >>> at = points(stein_population(), 64, seed=1)
    >>> ones = np.ones(64)
    >>> people = Patients(
    ...     birth_rate=0.105 * ones, death_rate=0.04 * ones, burden=1e11 * ones, curve=at.curve)
    >>> seen = expected_relapses(
    ...     people, 1e-12, default_killing(), default_detection(), [180.0, 365.0])
    >>> bool(seen.relapse_free[0] > seen.relapse_free[1])
    True
    """
    require_instance("detection", detection, Detection, "give default_detection()")
    require_instance("patients", patients, Patients, "see calibration_points")
    require_instance("killing", killing, Killing, "give default_killing()")
    day = np.atleast_1d(require_positive("days", days, "count days from infusion"))
    if np.any(np.diff(day) <= 0):
        raise ParameterError("days do not increase; relapse-free shares are cumulative; sort them")
    require_positive("loss", loss, "give a probability per division", scalar=True)
    n = patients.burden.size
    parts = [
        _block(patients.block(first, min(first + _BLOCK, n)), loss, killing, detection, day)
        for first in range(0, n, _BLOCK)
    ]
    remission = float(np.concatenate([part[0] for part in parts]).mean())
    free = np.concatenate([part[1] for part in parts], axis=1).mean(axis=1)
    escaped = np.concatenate([part[2] for part in parts], axis=1).mean(axis=1)
    return Expected(
        day=day,
        remission=remission,
        relapse_free=free,
        # Rounding can leave the difference of shares below 0.
        antigen_positive=np.maximum(remission - free - escaped, 0.0),
        escaped=escaped,
    )
