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
    require_count,
    require_fraction,
    require_non_negative,
    require_positive,
)
from car_relapse.luria_delbrueck import CloneLaw, check_fixed

__all__ = [
    "no_living_mutant",
    "no_surviving_line",
    "sample_mutants",
    "sample_surviving_mass",
]

_SIZE_REMEDY = "give a number of cells"
_LOSS_REMEDY = "give a probability per division"
# Lines drawn one by one; younger ones are many and small, and enter by their sum.
_OLDEST_DRAWN = 2000.0
_MOST_CLONES = 20_000_000
# Above this, 64-bit counts overflow.
_LARGEST_POPULATION = 1e18


def _none(mean: NDArray[np.float64], fixed: str) -> NDArray[np.float64]:
    """Return P(0) of a Poisson law, or of its mixture over an exponential mean."""
    return np.asarray(np.exp(-mean) if fixed == "size" else 1.0 / (1.0 + mean))


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
    n = require_positive("size", size, _SIZE_REMEDY)
    u = require_fraction("loss", loss, _LOSS_REMEDY)
    check_fixed(fixed)
    return _none(u * n, fixed)


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
    dead = 1.0 - s
    # -ln(s)/(1-s) -> 1 as s -> 1
    factor = np.where(dead > 0, -np.log1p(-dead) / np.where(dead > 0, dead, 1.0), 1.0)
    return _none(u * n * factor, fixed)


def sample_mutants(
    events: float, law: CloneLaw, n: int, rng: np.random.Generator, *, fixed: str = "size"
) -> NDArray[np.int64]:
    """Draw the numbers of mutants in `n` grown populations, jackpots included.

    Exact: a Poisson number of clones, each of uniform mark, each modified geometric.

    Parameters
    ----------
    events : float
        Expected number of loss events m = uN/s, >= 0 (at the mean size, at fixed time).
    law : CloneLaw
        Growth, death and detection of a clone; `initial_fraction` must be 0.
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
        When an argument breaks its rule, more than 2e7 clones would be drawn, or a
        population passes 1e18 mutants.

    Examples
    --------
    >>> sample_mutants(2.0, CloneLaw(), 5, np.random.default_rng(1)).shape
    (5,)
    """
    m = float(require_non_negative("events", events, "give an expected number of loss events"))
    count = require_count("n", n, "give a number of populations", minimum=1)
    check_fixed(fixed)
    if law.initial_fraction:
        raise ParameterError(
            f"initial_fraction is {law.initial_fraction:g}; sampling starts from one cell, so "
            "it must be 0; use luria_delbrueck.mutant_probabilities instead"
        )
    if m * count > _MOST_CLONES:
        raise ParameterError(
            f"events times n is {m * count:g}; at most {_MOST_CLONES:g} clones are drawn at "
            "once; draw fewer populations at a time"
        )
    means = m * (rng.standard_exponential(count) if fixed == "time" else np.ones(count))
    clones = rng.poisson(means)
    x = rng.random(int(clones.sum())) ** law.relative_growth
    d, e = law.death_ratio, law.detection
    alive = rng.random(x.size) < (1 - d) / (1 - d * x)
    owner = np.repeat(np.arange(count), clones)[alive]
    sizes = rng.geometric((x * (1 - d) / (1 - d * x))[alive])
    seen = sizes if e == 1 else rng.binomial(sizes, e)
    total = np.bincount(owner, weights=seen, minlength=count)
    if total.max() > _LARGEST_POPULATION:
        raise ParameterError(
            f"a jackpot holds {total.max():g} mutants or more; counts above "
            f"{_LARGEST_POPULATION:g} overflow; lower relative_growth (now "
            f"{law.relative_growth:g}) or draw fewer"
        )
    return total.astype(np.int64)


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
    mean = np.atleast_1d(require_non_negative("lines", lines, "give expected numbers of lines"))
    s = float(require_fraction("survival", survival, "give 1 - d/b"))
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
    return np.asarray((mass + young_mean + young_sd * rng.standard_normal(mean.size)) / s)
