r"""Resistance before therapy: closed forms that books and papers quote, and their check.

Conventions as everywhere in this package: a loss hits one daughter of a division with
probability :math:`u`; cells divide at rate :math:`b`, die at rate :math:`d`, and
:math:`\lambda = b - d`, :math:`s = 1 - d/b`. The population grows from one cell to the
fixed size :math:`N`. On the way a line that survives goes through :math:`\ln(Ns)/s`
divisions, so :math:`N \prod_i u_i\,(\ln(Ns)/s)^k` cells are expected to have lost
:math:`k` antigens one by one, and :math:`N c \ln(Ns)/s` all at once. Expectations are
carried by rare jackpots; the probabilities below are not.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.integrate import solve_ivp

from car_relapse.antigens import Losses
from car_relapse.errors import (
    ParameterError,
    require_broadcast,
    require_fraction,
    require_instance,
    require_non_negative,
    require_positive,
)

__all__ = [
    "balancing_common_mode",
    "divisions_per_line",
    "double_loss_lines_small_rates",
    "expected_full_loss",
    "first_loss_day",
    "full_loss_lines",
    "lines_for_fraction",
    "no_loss_yet",
    "no_resistant_cell",
    "surviving_double_loss_lines",
]

_SIZE_REMEDY = "give a number of cells"
_LOSS_REMEDY = "give a probability per division"
_RATE_REMEDY = "give a rate per day"
# Step of the trapezoidal rule; poles lie pi/2 from the axis, so the error is e^-49.
_LARGEST_SIZE = 1e18
_STEP = 0.2


def _growing(birth: float, death: float) -> tuple[float, float]:
    """Return net rate and survival of a line, or raise when it does not grow."""
    b = float(require_positive("birth_rate", birth, _RATE_REMEDY, scalar=True))
    d = float(require_non_negative("death_rate", death, _RATE_REMEDY, scalar=True))
    if d >= b:
        raise ParameterError(
            f"death_rate is {d:g} and birth_rate {b:g}; untreated cells must grow, so death_rate "
            "must be below birth_rate; lower it"
        )
    return b - d, 1.0 - d / b


def _one(name: str, value: float) -> float:
    return float(require_positive(name, value, "give a single number", scalar=True))


def _log_size(size: ArrayLike, survival: ArrayLike) -> NDArray[np.float64]:
    n = require_positive("size", size, _SIZE_REMEDY)
    s = require_fraction("survival", survival, "give 1 - d/b")
    require_positive("survival", survival, "untreated cells must grow: d < b")
    require_broadcast("give one size, or one for each survival", size=n, survival=s)
    if np.any(n * s <= 1):
        raise ParameterError(
            f"size times survival is {np.min(n * s):g}; the line of the founder must have grown, "
            "so it must be > 1; give a larger size"
        )
    return np.asarray(np.log(n * s))


def divisions_per_line(size: ArrayLike, survival: ArrayLike) -> NDArray[np.float64]:
    r"""Return :math:`\ln(Ns)/s`, the divisions between the founder and a cell at size N.

    Parameters
    ----------
    size : array_like
        Number of cells N, > 0.
    survival : array_like
        Survival probability s of one line, in (0, 1], with Ns > 1.

    Raises
    ------
    ParameterError
        When an argument breaks its rule.

    """
    return np.asarray(_log_size(size, survival) / np.asarray(survival, dtype=float))


def expected_full_loss(size: float, survival: float, losses: Losses) -> float:
    r"""Return the expected number of cells that have lost every targeted antigen at size N.

    .. math:: N \prod_i u_i \left(\frac{\ln(Ns)}{s}\right)^k + N c\,\frac{\ln(Ns)}{s}

    Losses in sequence or at once; paths that mix both are left out. With one antigen, the
    two ways are the same thing.

    Parameters
    ----------
    size, survival : float
        As in `divisions_per_line`.
    losses : Losses
        Loss probabilities of the k antigens and of all at once.

    Raises
    ------
    ParameterError
        When an argument breaks its rule, or `size` is above 1e18.

    Examples
    --------
    >>> round(expected_full_loss(1e11, 0.4, Losses(per_antigen=(1e-6, 1e-6))), 1)
    372.5
    """
    require_instance("losses", losses, Losses, "give a car_relapse.Losses")
    cells = _one("size", size)
    if cells > _LARGEST_SIZE:
        raise ParameterError(
            f"size is {cells:g} cells; no body holds above {_LARGEST_SIZE:g}; give a number of "
            "cells"
        )
    divisions = float(divisions_per_line(cells, _one("survival", survival)))
    one_by_one = float(np.prod(losses.per_antigen)) * divisions**losses.antigens
    return size * (one_by_one + losses.common_mode * divisions)


def balancing_common_mode(size: float, survival: float, losses: Losses) -> float:
    r"""Return the common-mode probability c that matters as much as losses one by one.

    .. math:: c^* = \prod_i u_i \left(\frac{\ln(Ns)}{s}\right)^{k-1}

    Above it, further antigens buy little: the shared defect is the way out.

    Examples
    --------
    >>> f"{balancing_common_mode(1e11, 0.4, Losses(per_antigen=(1e-6, 1e-6))):.2e}"
    '6.10e-11'
    """
    require_instance("losses", losses, Losses, "give a car_relapse.Losses")
    divisions = float(divisions_per_line(_one("size", size), _one("survival", survival)))
    return float(np.prod(losses.per_antigen)) * divisions ** (losses.antigens - 1)


def no_resistant_cell(
    events: ArrayLike, death_ratio: ArrayLike, relative_growth: ArrayLike
) -> NDArray[np.float64]:
    r"""Return the probability that no resistant cell is alive when growth ends at a size.

    .. math:: \exp\left(-m\int_0^1 \frac{1-D}{1-D\,y^{\alpha}}\,dy\right)
        = \exp\left(-m(1-D)\;{}_2F_1(1,\tfrac1\alpha;1+\tfrac1\alpha;D)\right)

    (Iwasa, Nowak & Michor 2006, doi:10.1534/genetics.105.049791). It is the zero class of
    the Luria–Delbrück law of the same clones.

    Parameters
    ----------
    events : array_like
        Expected loss events m = uN/s, >= 0.
    death_ratio : array_like
        Death over birth rate D of resistant cells, in [0, 1).
    relative_growth : array_like
        Net growth rate of resistant over sensitive cells, alpha, > 0.

    Raises
    ------
    ParameterError
        When an argument breaks its rule.

    Examples
    --------
    >>> round(float(no_resistant_cell(1.0, 0.75, 1.25)), 4)
    0.6486
    """
    m = require_non_negative("events", events, "give an expected number of loss events")
    ratio = require_fraction("death_ratio", death_ratio, "give death rate over birth rate")
    if np.any(ratio == 1):
        raise ParameterError(
            "death_ratio is 1; resistant cells must grow, so it must be < 1; lower the death rate"
        )
    growth = require_positive("relative_growth", relative_growth, "1 means equal growth")
    remedy = "give arrays of one shape"
    require_broadcast(remedy, events=m, death_ratio=ratio, relative_growth=growth)
    # scipy's hypergeometric function fails for some ratios near 1. With y = exp(-e^v) the
    # trapezoidal rule in v is exact to double precision, and no difference loses digits.
    x = np.exp(_STEP * np.arange(-600.0, 35.0))
    ratio = ratio[..., None]
    reach = 1.0 - ratio - ratio * np.expm1(-growth[..., None] * x)
    return np.asarray(np.exp(-m * ((1.0 - ratio) / reach @ (_STEP * x * np.exp(-x)))))


def lines_for_fraction(fraction: ArrayLike) -> NDArray[np.float64]:
    r"""Return the expected surviving lines Nu with which a `fraction` of patients escapes.

    :math:`-\ln(1 - \text{fraction})`, the inverse of Komarova & Wodarz 2005
    (doi:10.1073/pnas.0501870102): escape has probability :math:`1 - e^{-Nu}`.

    Examples
    --------
    >>> round(float(lines_for_fraction(68 / 420)), 4)
    0.1766
    """
    part = require_fraction("fraction", fraction, "give a part of the patients")
    if np.any(part == 1):
        raise ParameterError(
            "fraction is 1; no finite number of lines makes every patient escape, so it must be "
            "< 1; give a smaller one"
        )
    return np.asarray(-np.log1p(-part))


def no_loss_yet(
    day: ArrayLike, *, birth_rate: float, death_rate: float, loss: float
) -> NDArray[np.float64]:
    r"""Return the probability that no loss has happened by `day`, in a line that survives.

    .. math:: P(\tau_1 > t) = \left(1 + \frac{b\mu}{\lambda^2}e^{\lambda t}\right)^{-1},
        \qquad \mu = ub

    the late-time law of Durrett & Moseley 2010 (doi:10.1016/j.tpb.2009.10.008), whose
    population starts from one cell on day 0.

    Parameters
    ----------
    day : array_like
        Days since the founder, >= 0.
    birth_rate, death_rate : float
        Rates b > d >= 0 of the cells, 1/day.
    loss : float
        Probability u per division that one daughter has lost the antigen, in [0, 1].

    Raises
    ------
    ParameterError
        When an argument breaks its rule.
    """
    t = require_non_negative("day", day, "count days from the founder")
    net, survival = _growing(birth_rate, death_rate)
    u = float(require_fraction("loss", loss, _LOSS_REMEDY, scalar=True))
    seeds = u / survival**2
    return np.asarray(1.0 / (1.0 + seeds * np.exp(np.minimum(net * t, 700.0))))


def first_loss_day(
    probability: ArrayLike, *, birth_rate: float, death_rate: float, loss: float
) -> NDArray[np.float64]:
    r"""Return the day by which the first loss has happened with a `probability`.

    The inverse of `no_loss_yet`; the median is :math:`\ln(\lambda^2/(b\mu))/\lambda`.

    Parameters
    ----------
    probability : array_like
        In the open interval (0, 1).
    birth_rate, death_rate, loss
        As in `no_loss_yet`; `loss` > 0.

    Raises
    ------
    ParameterError
        When an argument breaks its rule.

    Examples
    --------
    >>> round(float(first_loss_day(0.5, birth_rate=0.14, death_rate=0.13, loss=1e-9)), 1)
    1544.5
    """
    remedy = "the law has no first and no last day: give a value between 0 and 1"
    q = require_fraction("probability", probability, remedy)
    if np.any((q == 0) | (q == 1)):
        raise ParameterError(f"probability is {probability!r}; it must lie in (0, 1); {remedy}")
    net, survival = _growing(birth_rate, death_rate)
    u = float(require_fraction("loss", loss, _LOSS_REMEDY, scalar=True))
    require_positive("loss", loss, "without loss there is no first one")
    odds = np.log(q) - np.log1p(-q)
    return np.asarray((odds - np.log(u) + 2.0 * np.log(survival)) / net)


def full_loss_lines(
    size: float,
    *,
    birth_rate: float,
    death_rate: float,
    losses: Losses,
    lasting: Literal["alive", "for ever"] = "alive",
) -> float:
    r"""Return the expected lines with a cell without any target when growth ends at size N.

    A line starts with the first loss of a cell that had every target. The number of such
    lines is Poisson, so :math:`e^{-\text{lines}}` is the probability that nothing has lost
    every target. By nested branching: with :math:`p_i(x)` the probability that a line of
    state i and age x holds such a cell,
    :math:`p_i' = b\,(1-p_i)\sum_j m_{ij}p_j - d\,p_i`,
    and the first losses of the growing population have ages with density
    :math:`\lambda e^{-\lambda x}`, up to the age :math:`\ln(Ns)/\lambda` of the founder:

    .. math:: \frac{N}{s}\sum_{j \ne 0} m_{0j}\int \lambda e^{-\lambda x}\,p_j(x)\,dx .

    Parameters
    ----------
    size : float
        Number of sensitive cells N, > 1/s.
    birth_rate, death_rate : float
        Rates b > d >= 0 of all cells, 1/day.
    losses : Losses
        One to six targeted antigens.
    lasting : {"alive", "for ever"}
        Whether a living cell counts, or only a cell whose line will survive for ever.

    Raises
    ------
    ParameterError
        When an argument breaks its rule.

    Examples
    --------
    >>> both = Losses(per_antigen=(1e-7, 1e-7))
    >>> round(full_loss_lines(1e11, birth_rate=0.25, death_rate=0.15, losses=both), 4)
    0.1068
    """
    require_instance("losses", losses, Losses, "give a car_relapse.Losses")
    net, survival = _growing(birth_rate, death_rate)
    oldest = float(_log_size(_one("size", size), _one("survival", survival))) / net
    if lasting not in ("alive", "for ever"):
        raise ParameterError(
            f"lasting is {lasting!r}; it must be 'alive' or 'for ever'; choose one"
        )
    matrix = losses.transition_matrix()
    founders = matrix[0, 1:]
    inner = matrix[1:, 1:]

    def slope(age: float, state: NDArray[np.float64]) -> NDArray[np.float64]:
        p = state[:-1]
        change = birth_rate * (1.0 - p) * (inner @ p) - death_rate * p
        return np.append(change, net * np.exp(-net * age) * (founders @ p))

    start = np.zeros(losses.states)
    start[-2] = 1.0 if lasting == "alive" else survival
    run = solve_ivp(slope, (0.0, oldest), start, method="LSODA", rtol=1e-10, atol=1e-40)
    return float(size / survival * run.y[-1, -1])


def double_loss_lines_small_rates(size: float, survival: float, losses: Losses) -> float:
    r"""Return the small-rate approximation of `full_loss_lines` for two antigens.

    .. math:: -\frac{\ln s}{1-s}\left(\frac{2Nu_1u_2\ln(Ns)}{s} + Nc\right)

    (Bozic et al. 2013, doi:10.7554/eLife.00747). It counts every double loss, though many
    share one line, and so counts too many. Quoted for comparison.

    Parameters
    ----------
    size, survival, losses
        As in `surviving_double_loss_lines`, with s < 1.

    Raises
    ------
    ParameterError
        When an argument breaks its rule.
    """
    first, second = _two(losses)
    log_size = float(_log_size(_one("size", size), _one("survival", survival)))
    if survival == 1:
        raise ParameterError(
            "survival is 1; this approximation divides by 1 - s, so it must be < 1; use "
            "full_loss_lines for cells that never die"
        )
    factor = -float(np.log(survival)) / (1.0 - survival)
    pairs = 2.0 * first * second * log_size / survival
    return size * factor * (pairs + losses.common_mode)


def surviving_double_loss_lines(size: float, survival: float, losses: Losses) -> float:
    r"""Return the expected lines without either antigen that survive for ever, two antigens.

    .. math:: cN + \frac{u_1u_2N}{s}\left[L(u_1) + L(u_2) - 2\right], \qquad
        L(v) = -\ln\left(\frac{1}{sN} + \frac{v}{s}\right)

    Lines founded while the population grew to N; derived for this book, within a
    thousandth of `full_loss_lines` for small loss probabilities.

    Parameters
    ----------
    size : float
        Number of sensitive cells N, > 1/s.
    survival : float
        Survival probability s of one line, in (0, 1].
    losses : Losses
        Two targeted antigens.

    Raises
    ------
    ParameterError
        When an argument breaks its rule.

    Examples
    --------
    >>> both = Losses(per_antigen=(1e-7, 1e-7))
    >>> round(surviving_double_loss_lines(1e11, 0.4, both), 4)
    0.071
    """
    pair = _two(losses)
    _log_size(_one("size", size), _one("survival", survival))
    logs = [-float(np.log(1.0 / (survival * size) + v / survival)) for v in pair]
    one_by_one = pair[0] * pair[1] * size / survival * (sum(logs) - 2.0)
    return losses.common_mode * size + one_by_one


def _two(losses: Losses) -> tuple[float, float]:
    require_instance("losses", losses, Losses, "give a car_relapse.Losses")
    if losses.antigens != 2:
        raise ParameterError(
            f"per_antigen has {losses.antigens} entries; this formula holds for two antigens; use "
            "full_loss_lines for any number"
        )
    return losses.per_antigen[0], losses.per_antigen[1]
