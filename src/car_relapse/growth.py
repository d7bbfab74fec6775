r"""Who is already there on the day of infusion: escaped cells that predate therapy.

While one leukaemia cell grows to :math:`N` cells, :math:`m = uN/s` loss events happen on
average (*not* :math:`uN`: with cell death, reaching N takes more divisions). Each founds
a line that survives for ever with probability :math:`s = 1 - d/b`, so the number of
*surviving* escaped lines is Poisson with mean :math:`uN`, whatever the turnover
(Komarova & Wodarz 2005, doi:10.1073/pnas.0501870102). Whether a *living* escaped cell is
there is another question, with another answer.

Both have two answers again: for growth to a fixed size, and for growth of fixed duration.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from car_relapse.errors import (
    ParameterError,
    require_broadcast,
    require_draws,
    require_fraction,
    require_instance,
    require_non_negative,
    require_positive,
)
from car_relapse.leaps import LARGEST_POPULATION
from car_relapse.luria_delbrueck import CloneLaw, check_fixed

__all__ = [
    "expected_surviving_lines",
    "no_living_mutant",
    "no_surviving_line",
    "sample_mutants",
    "sample_surviving_mass",
]

_SIZE_REMEDY = "give a number of cells"
_LOSS_REMEDY = "give a probability per division"
# Lines drawn one by one; younger ones are many and small, and enter by their sum.
_LARGEST_MASS = 1e300
_OLDEST_DRAWN = 2000.0
# Clones of all populations up to which every one is drawn.
_MOST_CLONES = 20_000_000
# Beyond it, clones drawn one by one in each population, and in all.
_OLDEST_CLONES = 10_000.0
_MOST_DRAWN = 5e8
_MOMENT_ORDER = 16


def _none(mean: NDArray[np.float64], fixed: str) -> NDArray[np.float64]:
    """Return P(0) of a Poisson law, or of its mixture over an exponential mean."""
    return np.asarray(np.exp(-mean) if fixed == "size" else 1.0 / (1.0 + mean))


def expected_surviving_lines(size: ArrayLike, loss: ArrayLike) -> NDArray[np.float64]:
    r"""Return :math:`uN`, the expected escaped lines founded by size N that survive for ever.

    Each of the :math:`uN/s` loss events founds one with probability s, so that turnover
    cancels (Komarova & Wodarz 2005, doi:10.1073/pnas.0501870102). At fixed size it is minus
    the logarithm of `no_surviving_line`, which itself underflows from 745 lines on.

    Parameters
    ----------
    size, loss
        As in `no_surviving_line`.

    Raises
    ------
    ParameterError
        As in `no_surviving_line`.

    Examples
    --------
    >>> float(expected_surviving_lines(1e11, 1e-7))
    10000.0
    """
    n = require_positive("size", size, _SIZE_REMEDY)
    u = require_fraction("loss", loss, _LOSS_REMEDY)
    require_broadcast("give arrays of one shape", size=n, loss=u)
    return np.asarray(n * u)


def no_surviving_line(
    size: ArrayLike, loss: ArrayLike, *, fixed: str = "size"
) -> NDArray[np.float64]:
    r"""Return the probability that no escaped line founded during growth survives for ever.

    .. math:: e^{-uN} \text{ at fixed size}, \qquad \frac{1}{1+u\bar N} \text{ at fixed time}.

    Parameters
    ----------
    size : array_like
        Number of sensitive cells N at the end (its mean, at fixed time), cells, > 0.
    loss : array_like
        Probability u per division that one daughter has lost the antigen.
    fixed : {"size", "time"}
        What ended the growth.

    Returns
    -------
    ndarray
        Probabilities, broadcast.

    Raises
    ------
    ParameterError
        When `size` is not positive, `loss` not a probability, or `fixed` unknown.

    Examples
    --------
    >>> round(float(no_surviving_line(1e9, 1e-9)), 4)
    0.3679
    >>> round(float(no_surviving_line(1e9, 1e-9, fixed="time")), 4)
    0.5
    """
    lines = expected_surviving_lines(size, loss)
    check_fixed(fixed)
    return _none(lines, fixed)


def no_living_mutant(
    size: ArrayLike, loss: ArrayLike, survival: ArrayLike, *, fixed: str = "size"
) -> NDArray[np.float64]:
    r"""Return the probability that no escaped cell is alive at the end of growth.

    With equal birth and death rates for all cells and :math:`a = -uN\ln(s)/(1-s)`,

    .. math:: e^{-a} \text{ at fixed size}, \qquad \frac{1}{1+a} \text{ at fixed time}

    (Keller & Antal 2015, arXiv:1410.3307, for the laws; the limit :math:`s \to 1` is
    :math:`e^{-uN}`).

    Parameters
    ----------
    size, loss, fixed
        As in `no_surviving_line`.
    survival : array_like
        Survival probability of one line, s = 1 - d/b, in (0, 1].

    Raises
    ------
    ParameterError
        As in `no_surviving_line`, and when `survival` is not in (0, 1].

    Examples
    --------
    >>> round(float(no_living_mutant(1e9, 1e-9, 0.5)), 4)
    0.25
    """
    n = require_positive("size", size, _SIZE_REMEDY)
    u = require_fraction("loss", loss, _LOSS_REMEDY)
    s = require_fraction("survival", survival, "give 1 - d/b")
    require_positive("survival", survival, "untreated cells must grow: d < b")
    check_fixed(fixed)
    require_broadcast("give arrays of one shape", size=n, loss=u, survival=s)
    dead = 1.0 - s
    # -ln(s)/(1-s) -> 1 as s -> 1
    factor = np.where(dead > 0, -np.log(s) / np.where(dead > 0, dead, 1.0), 1.0)
    return _none(u * n * factor, fixed)


def sample_mutants(
    events: float, law: CloneLaw, n: int, rng: np.random.Generator, *, fixed: str = "size"
) -> NDArray[np.int64]:
    """Draw the numbers of mutants in `n` grown populations, jackpots included.

    A Poisson number of clones, each of uniform mark, each modified geometric. Where that are
    too many to draw, the oldest clones, which hold the jackpots, are drawn one by one, and
    the young ones enter by their sum, a normal variable with its exact mean and variance: it
    has ten thousand terms or more, of which none matters alone.

    Parameters
    ----------
    events : float
        Expected number of loss events m = uN/s, >= 0 (at the mean size, at fixed time).
    law : CloneLaw
        Growth, death and detection of a clone.
    n : int
        Number of populations, >= 1.
    rng : numpy.random.Generator
        Source of randomness.
    fixed : {"size", "time"}
        What ended the growth.

    Returns
    -------
    ndarray of int64, shape (n,)

    Raises
    ------
    ParameterError
        When an argument breaks its rule, more than 5e8 clones would be drawn one by one, or a
        population passes 1e18 mutants.

    Examples
    --------
    >>> sample_mutants(2.0, CloneLaw(), 5, np.random.default_rng(1)).shape
    (5,)
    >>> bool(1e8 < sample_mutants(1e7, CloneLaw(), 1, np.random.default_rng(1))[0] < 1e10)
    True
    """
    m = float(
        require_non_negative("events", events, "give an expected number of events", scalar=True)
    )
    require_instance("law", law, CloneLaw, "give a CloneLaw")
    count = require_draws(n, "populations")
    require_instance("rng", rng, np.random.Generator, "give numpy.random.default_rng(seed)")
    check_fixed(fixed)
    split = m * count > _MOST_CLONES
    drawn = count * (min(m, 2.0 * _OLDEST_CLONES) if split else m)
    if drawn > _MOST_DRAWN:
        raise ParameterError(
            f"n is {count}, with {m:g} events each; {drawn:g} clones would be drawn, more than "
            f"{_MOST_DRAWN:g}; draw fewer populations at a time"
        )
    means = m * (rng.standard_exponential(count) if fixed == "time" else np.ones(count))
    if not split:
        total = _clone_sums(means, np.ones(count), law, rng)
    else:
        block = max(1, int(_MOST_CLONES / (4.0 * _OLDEST_CLONES)))
        parts = [means[first : first + block] for first in range(0, count, block)]
        total = np.concatenate([_split_sums(part, law, rng) for part in parts])
    _refuse_jackpot(float(total.max()), law)
    return total.astype(np.int64)


def _refuse_jackpot(largest: float, law: CloneLaw) -> None:
    if not largest <= LARGEST_POPULATION:
        raise ParameterError(
            f"a jackpot holds {largest:g} mutants or more; counts above "
            f"{LARGEST_POPULATION:g} overflow; lower relative_growth (now "
            f"{law.relative_growth:g}) or draw fewer"
        )


def _clone_sums(
    means: NDArray[np.float64],
    cut: NDArray[np.float64],
    law: CloneLaw,
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Draw the sums of clones whose mark is below `cut`, a share of all marks."""
    clones = rng.poisson(means * cut)
    owner = np.repeat(np.arange(means.size), clones)
    low = law.initial_fraction
    mark = low + (1.0 - low) * cut[owner] * rng.random(owner.size)
    x = mark**law.relative_growth
    d, e = law.death_ratio, law.detection
    alive = rng.random(x.size) < (1 - d) / (1 - d * x)
    chance = (x * (1 - d) / (1 - d * x))[alive]
    # Smaller chances mean sizes that overflow, and numpy's generator would not say so.
    if chance.size and chance.min() < 1.0 / LARGEST_POPULATION:
        _refuse_jackpot(float(1.0 / np.maximum(chance.min(), 1e-300)), law)
    sizes = rng.geometric(chance)
    seen = sizes if e == 1 else rng.binomial(sizes, e)
    return np.asarray(
        np.bincount(owner[alive], weights=seen, minlength=means.size), dtype=np.float64
    )


def _split_sums(
    means: NDArray[np.float64], law: CloneLaw, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Draw the sums of all clones: the oldest one by one, the young by mean and variance."""
    cut = np.minimum(1.0, _OLDEST_CLONES / np.maximum(means, 1.0))
    old = _clone_sums(means, cut, law, rng)
    mean, variance = np.empty_like(means), np.empty_like(means)
    # At fixed size, all populations have the same cut.
    values, which = np.unique(cut, return_inverse=True)
    for i, share in enumerate(values):
        first, second = _young_moments(law, float(share))
        mean[which == i], variance[which == i] = first, second
    young = means * mean + np.sqrt(means * variance) * rng.standard_normal(means.size)
    return np.asarray(old + np.rint(np.maximum(young, 0.0)))


def _young_moments(law: CloneLaw, cut: float) -> tuple[float, float]:
    """Return the mean and mean square of the count of a clone, over marks beyond `cut`."""
    if cut == 1.0:
        return 0.0, 0.0
    low = law.initial_fraction
    ends = np.log([low + (1.0 - low) * cut, 1.0])
    # Gauss-Legendre in the log of the mark, in which sizes are exponential.
    node, weight = np.polynomial.legendre.leggauss(_MOMENT_ORDER)
    pieces = max(1, int(np.ceil(-ends[0] * max(law.relative_growth, 1.0) / 4.0)))
    edges = np.linspace(ends[0], ends[1], pieces + 1)
    half = 0.5 * np.diff(edges)[:, None]
    log_mark = edges[:-1, None] + half * (1.0 + node)
    x = np.exp(law.relative_growth * log_mark)
    d, e = law.death_ratio, law.detection
    alive, stop = (1 - d) / (1 - d * x), x * (1 - d) / (1 - d * x)
    # A living clone is geometric with mean 1/stop; counting thins it.
    square = e * e * (2.0 - stop) / stop**2 + e * (1.0 - e) / stop
    density = half * weight * np.exp(log_mark) / (1.0 - low)
    return float(np.sum(density * alive * e / stop)), float(np.sum(density * alive * square))


def sample_surviving_mass(
    lines: ArrayLike, survival: float, rng: np.random.Generator
) -> NDArray[np.float64]:
    r"""Draw the limit mass of the escaped lines that predate therapy, one per patient.

    A surviving line of age :math:`x` has limit size
    :math:`e^{\lambda t}\,e^{\lambda x}E/s` with :math:`E \sim` Exp(1), and
    :math:`e^{-\lambda x}` is uniform, so the mass is
    :math:`\sum_i E_i/(sU_i)` over a Poisson number of lines. Lines beyond the oldest two
    thousand or so, none of which matters alone, enter as a normal variable with their exact
    mean and variance.

    Parameters
    ----------
    lines : array_like, shape (n,)
        Expected number of surviving lines uN per patient, >= 0.
    survival : float
        Survival probability s of one line, in (0, 1].
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    ndarray, shape (n,)
        Mass at infusion, cells: the escaped population at a late day t is this times
        :math:`e^{\lambda t}`. Exactly 0 where no line survives.

    Examples
    --------
    >>> sample_surviving_mass([0.0, 1e6], 0.5, np.random.default_rng(1)) > 0
    array([False,  True])
    """
    if not callable(getattr(rng, "poisson", None)):
        raise ParameterError(
            f"rng is {rng!r}; it must draw random numbers; give numpy.random.default_rng(seed)"
        )
    mean = np.atleast_1d(require_non_negative("lines", lines, "give expected numbers of lines"))
    if mean.ndim > 1:
        raise ParameterError(
            f"lines has shape {mean.shape}; it must be one number per patient; give a flat list"
        )
    s = float(require_fraction("survival", survival, "give 1 - d/b", scalar=True))
    require_positive("survival", survival, "untreated cells must grow: d < b")
    # Marks below the cut belong to the oldest lines, which carry the jackpots.
    cut = np.minimum(1.0, _OLDEST_DRAWN / np.maximum(mean, 1e-300))
    drawn = rng.poisson(mean * cut)
    owner = np.repeat(np.arange(mean.size), drawn)
    mark = rng.random(owner.size) * cut[owner]
    weight = rng.standard_exponential(owner.size) / np.maximum(mark, 1e-300)
    mass = np.bincount(owner, weights=weight, minlength=mean.size)
    young_mean = -mean * np.log(cut)
    young_sd = np.sqrt(2.0 * mean * (1.0 / cut - 1.0))
    total = mass + young_mean + young_sd * rng.standard_normal(mean.size)
    if s < np.max(total, initial=0.0) / _LARGEST_MASS:
        raise ParameterError(
            f"survival is {s:g}; with so many lines the mass passes {_LARGEST_MASS:g} cells, which "
            "no number holds; give a survival that cells have"
        )
    return np.asarray(total / s)
