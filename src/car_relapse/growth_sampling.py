r"""Composition of a grown disease, drawn: every antigen state, jackpots and second hits.

A leukaemia grows from one cell. On the way cells lose antigens, and cells that have lost one
lose the next. The cells with every target are taken as :math:`Ne^{-\lambda(T-t)}`, as in the
Luria–Delbrück laws (`car_relapse.luria_delbrueck`); everything that they found is drawn by
exact leaps (`car_relapse.type_leaps`), so the cost does not depend on how many losses happen.

At *fixed size* N is the number of cells with every target at the end. At *fixed time* that
number is exponentially distributed around its mean N, in lines that have survived. The two
differ by up to a factor of five in the probability of no escape, and are never mixed.

A solid tumour may start as a mixture instead, with no founder to grow from: then its cells
are divided over the antigen combinations with fixed or Dirichlet fractions.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from car_relapse.antigens import Losses
from car_relapse.branching import survival_probability
from car_relapse.errors import (
    ParameterError,
    is_list,
    require_count,
    require_draws,
    require_instance,
    require_non_negative,
    require_positive,
)
from car_relapse.luria_delbrueck import check_fixed
from car_relapse.two_types import TwoTypes
from car_relapse.type_leaps import Conversion, StepLaws, founding_rates, leap_types, step_laws

__all__ = ["grow_types", "sample_composition", "sample_mixture", "sample_two_types"]

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

# Divisions or deaths of one line per step of growth.
_EVENTS = 0.5
# Events of one cell in a step that a caller asks for; growth by e^100 is beyond all numbers of use.
_MOST_EVENTS = 100.0
# Cells of the targeted population at which growth begins: earlier losses are as rare as this
# times the loss probability.
_FIRST_CELLS = 1e-2
# Populations drawn side by side: the arrays of 64 states then stay below some 100 MiB.
_BLOCK = 4096
_LARGEST_SIZE = 1e15
_MOST_STEPS = 20_000
_MOST_LAWS = 400_000
_RNG_REMEDY = "give numpy.random.default_rng(seed)"


def _blocks(n: int) -> list[int]:
    return [min(_BLOCK, n - first) for first in range(0, n, _BLOCK)]


def _constant_laws(edges: Floats, birth: Floats, death: Floats, founding: Floats) -> StepLaws:
    return step_laws(
        edges, birth, lambda day: np.broadcast_to(death, (*day.shape, death.size)), founding
    )


def sample_composition(
    size: float,
    *,
    birth_rate: float,
    death_rate: float,
    losses: Losses,
    n: int,
    rng: np.random.Generator,
    fixed: str = "size",
) -> Counts:
    """Draw the numbers of cells in every antigen state when growth ends.

    Parameters
    ----------
    size : float
        Cells with every target at the end (their mean, at fixed time), cells, with
        size times 1 - d/b at least 10 and at most 1e15.
    birth_rate, death_rate : float
        Rates of all cells, 1/day, d < b.
    losses : Losses
        One to six targeted antigens.
    n : int
        Number of populations, >= 1.
    rng : numpy.random.Generator
        Source of randomness.
    fixed : {"size", "time"}
        What ended the growth.

    Returns
    -------
    ndarray of int64, shape (n, 2^k)
        Indexed by bit masks of lost antigens; column 0 is the targeted population.

    Raises
    ------
    ParameterError
        When an argument breaks its rule.

    Examples
    --------
    >>> drawn = sample_composition(1e9, birth_rate=0.25, death_rate=0.15, n=3,
    ...     losses=Losses(per_antigen=(1e-6, 1e-6)), rng=np.random.default_rng(1))
    >>> drawn.shape, int(drawn[0, 0])
    ((3, 4), 1000000000)
    """
    cells = float(require_positive("size", size, "give a number of cells", scalar=True))
    survival = survival_probability(birth_rate, death_rate)
    require_instance("losses", losses, Losses, "give Losses(per_antigen=...)")
    count = require_draws(n, "populations")
    require_instance("rng", rng, np.random.Generator, _RNG_REMEDY)
    check_fixed(fixed)
    if not cells * survival >= 10 or cells > _LARGEST_SIZE:
        raise ParameterError(
            f"size is {cells:g}; size times 1 - d/b, {survival:g}, must be at least 10 and size at "
            f"most {_LARGEST_SIZE:g} for growth to be followed; change it"
        )
    matrix = losses.transition_matrix()
    return grow_types(
        cells * np.eye(losses.states)[0],
        birth=np.full(losses.states, float(birth_rate)),
        death=np.full(losses.states, float(death_rate)),
        daughters=matrix,
        n=count,
        rng=rng,
        fixed=fixed,
    )


def grow_types(
    final: Floats,
    *,
    birth: Floats,
    death: Floats,
    daughters: Floats,
    n: int,
    rng: np.random.Generator,
    switching: Floats | None = None,
    fixed: str = "size",
) -> Counts:
    """Draw the cells of every type when growth ends, for any types.

    Parameters
    ----------
    final : ndarray, shape (types,)
        Cells at the end of the types that are taken as growing deterministically, all at the
        rate of the fastest of them; 0 for the types that are drawn.
    birth, death : ndarray, shape (types,)
        Rates, 1/day.
    daughters : ndarray, shape (types, types)
        Probability that one daughter of type i is of type j.
    n : int
        Number of populations.
    rng : numpy.random.Generator
        Source of randomness.
    switching : ndarray, shape (types, types), optional
        Rate from type i to type j without a division, 1/day; the deterministic types are
        taken to be at its equilibrium.
    fixed : {"size", "time"}
        What ended the growth.

    Returns
    -------
    ndarray of int64, shape (n, types)

    Raises
    ------
    ParameterError
        When no deterministic type grows, or growth would take too many steps.
    """
    founding, clean = founding_rates(birth, daughters)
    source = final > 0
    net = float(np.max((clean - death)[source]))
    if net <= 0:
        raise ParameterError(
            f"the net growth rate of the targeted cells, losses deducted, is {net:g} per day; it "
            "must be > 0; lower the loss probabilities or the death rate"
        )
    days = np.log(final.sum() / _FIRST_CELLS) / net
    fastest = max(birth.max(), death.max(), 0.0 if switching is None else switching.max())
    needed = np.ceil(days * fastest / _EVENTS)
    most = min(_MOST_STEPS, _MOST_LAWS // final.size)
    if needed > most:
        raise ParameterError(
            f"death_rate is {death.max():g} and birth_rate is {birth.max():g}; growth to "
            f"{final.sum():g} cells would take {needed:.3g} steps, more than {most}; lower "
            "the death rate"
        )
    laws = _constant_laws(np.linspace(-days, 0.0, int(needed) + 1), clean, death, founding)
    convert = None
    if switching is not None and switching.any():
        convert = Conversion.of(switching * (0.5 * days / needed))
    # Expected founders at each node.
    seeds = (laws.weight * np.exp(net * laws.node))[:, :, None] * (final @ founding)
    blocks = []
    for block in _blocks(n):
        scale = rng.standard_exponential(block) if fixed == "time" else np.ones(block)
        cells = np.zeros((final.size, block), dtype=np.int64)
        for step in range(laws.steps):
            if convert is not None:
                cells = convert(cells, rng)
            cells = leap_types(laws, step, cells, rng, source=seeds[step][:, :, None] * scale)
            if convert is not None:
                cells = convert(cells, rng)
        blocks.append((cells + np.rint(final[:, None] * scale).astype(np.int64)).T)
    return np.concatenate(blocks)


def sample_mixture(
    size: float,
    fractions: ArrayLike,
    *,
    n: int,
    rng: np.random.Generator,
    concentration: float | None = None,
) -> Counts:
    r"""Draw the antigen states of a tumour that starts as a mixture.

    Each tumour draws its own fractions from a Dirichlet law with mean `fractions` and
    parameters `concentration` times them, so that a fraction f varies between tumours with
    variance :math:`f(1-f)/(1+\text{concentration})`; its cells are then multinomial.

    Parameters
    ----------
    size : float
        Tumour cells, whole, from 1 to 1e15.
    fractions : array_like, shape (2^k,)
        Mean fraction of each antigen combination, by bit mask of *lost* antigens, >= 0,
        adding up to 1.
    n : int
        Number of tumours, >= 1.
    rng : numpy.random.Generator
        Source of randomness.
    concentration : float, optional
        Of the Dirichlet law, dimensionless, > 0; without it the fractions are the same in all.

    Returns
    -------
    ndarray of int64, shape (n, 2^k)

    Raises
    ------
    ParameterError
        When an argument breaks its rule.

    Examples
    --------
    >>> sample_mixture(100, [0.7, 0.2, 0.1, 0.0], n=2, rng=np.random.default_rng(1)).sum(axis=1)
    array([100, 100])
    """
    cells = require_count("size", size, "give a number of cells", minimum=1, maximum=10**15)
    mean = require_non_negative("fractions", fractions, "give one fraction per combination")
    count = require_draws(n, "tumours")
    require_instance("rng", rng, np.random.Generator, _RNG_REMEDY)
    k = int(np.log2(mean.size)) if mean.ndim == 1 and mean.size > 1 else 0
    if mean.shape != (2**k,) or not 1 <= k <= 6:
        raise ParameterError(
            f"fractions has shape {mean.shape}; it must hold one fraction for each of the 2, 4, "
            "... 64 combinations of 1 to 6 antigens; give 0 for combinations that do not occur"
        )
    if abs(mean.sum() - 1.0) > 1e-9:
        raise ParameterError(
            f"fractions add up to {mean.sum():.12g}; every cell shows one combination, so they "
            "must add up to 1; divide by their sum"
        )
    share = np.broadcast_to(mean / mean.sum(), (count, mean.size))
    if concentration is not None:
        total = float(
            require_positive("concentration", concentration, "give a number > 0", scalar=True)
        )
        # Gamma variables divided by their sum; where all round to 0, one combination is all.
        log_gamma = _log_gamma(total * mean, (count, mean.size), rng)
        share = np.exp(log_gamma - log_gamma.max(axis=1, keepdims=True))
        share = share / share.sum(axis=1, keepdims=True)
    return rng.multinomial(cells, share)


def _log_gamma(shape: Floats, size: tuple[int, int], rng: np.random.Generator) -> Floats:
    """Draw logs of gamma variables, which at small shapes are far below the smallest float."""
    with np.errstate(divide="ignore"):  # a combination of mean 0 never occurs
        power = np.log(rng.random(size)) / shape
        return np.asarray(np.log(rng.standard_gamma(shape + 1.0, size)) + power)


def sample_two_types(
    rates: TwoTypes,
    days: float,
    *,
    n: int,
    rng: np.random.Generator,
    steps: int | None = None,
    start: tuple[int, int] = (1, 0),
) -> Counts:
    """Draw targeted and escaped cells after `days` at constant rates, both by chance.

    Parameters
    ----------
    rates : TwoTypes
        Birth, death and loss of targeted cells; birth and death of escaped cells.
    days : float
        Duration, days, > 0.
    n : int
        Number of populations, >= 1.
    rng : numpy.random.Generator
        Source of randomness.
    steps : int, optional
        Number of equal steps; by default, so many that one line has one event in two steps.
    start : tuple of int
        Targeted and escaped cells on day 0.

    Returns
    -------
    ndarray of int64, shape (n, 2)

    Raises
    ------
    ParameterError
        When an argument breaks its rule.

    Examples
    --------
    >>> rates = TwoTypes(birth_rate=0.2, death_rate=0.1, loss=1e-3,
    ...                  escaped_birth_rate=0.2, escaped_death_rate=0.1)
    >>> sample_two_types(rates, 92.0, n=4, rng=np.random.default_rng(1)).shape
    (4, 2)
    """
    require_instance("rates", rates, TwoTypes, "give TwoTypes(...)")
    t = float(require_positive("days", days, "give a duration in days", scalar=True))
    count = require_draws(n, "populations")
    require_instance("rng", rng, np.random.Generator, _RNG_REMEDY)
    if not is_list(start) or len(start) != 2:
        raise ParameterError(f"start is {start!r}; it must be two numbers of cells; give both")
    first = [require_count("start", cells, "give two numbers of cells") for cells in start]
    birth = np.array([rates.birth_rate * (1.0 - rates.loss), rates.escaped_birth_rate])
    death = np.array([rates.death_rate, rates.escaped_death_rate], dtype=float)
    needed = np.ceil(t * max(birth.max(), death.max()) / _EVENTS)
    if steps is None and needed > _MOST_STEPS:
        raise ParameterError(
            f"days is {t:g}; with these rates {needed:.3g} steps would be needed, more than "
            f"{_MOST_STEPS}; shorten the duration"
        )
    pieces = (
        int(needed)
        if steps is None
        else require_count("steps", steps, "give a number", minimum=1, maximum=_MOST_STEPS)
    )
    if needed * _EVENTS > _MOST_EVENTS * pieces:
        raise ParameterError(
            f"steps is {pieces}; with these rates a cell has {needed * _EVENTS / pieces:.3g} "
            f"events in each, more than {_MOST_EVENTS:g}; give more steps, or leave them out"
        )
    # Every step is the same, but for the day on which it starts.
    founding = np.array([[0.0, rates.birth_rate * rates.loss], [0.0, 0.0]])
    laws = _constant_laws(np.array([0.0, t / pieces]), birth, death, founding)
    blocks = []
    for block in _blocks(count):
        cells = np.tile(np.array(first, dtype=np.int64)[:, None], block)
        for _ in range(pieces):
            cells = leap_types(laws, 0, cells, rng)
        blocks.append(cells.T)
    return np.concatenate(blocks)
