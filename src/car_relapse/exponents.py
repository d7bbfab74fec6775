r"""From the fates of single cells to the expected surviving lines of a leukaemia.

`car_relapse.lines` says what becomes of one cell that is alive at infusion. Here these fates
are carried through the untreated growth before it, and added up over the cells of a
leukaemia that has grown to a *fixed size*: of N cells, losses founded lines at ages
:math:`x` of density :math:`\lambda e^{-\lambda x}`. All arrays have a last axis for
independent leukaemias, or for groups of cells of one that never mix.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from car_relapse.celltypes import FULL_LOSS
from car_relapse.line_rates import LineRates, gauss_rule, mixed
from car_relapse.lines import solve_lines
from car_relapse.schedule import growth_panels

__all__ = [
    "CLASSES",
    "Founders",
    "LinesAtInfusion",
    "chunks",
    "class_lines",
    "exponent",
    "growth_founders",
    "mean_fate",
    "negative_lines",
]

_Array = NDArray[np.float64]
CLASSES = 4
"""Number of relapse classes."""
# Largest number of values in one array of the solver: 32 MB.
_CHUNK = 4_000_000


@dataclass(frozen=True, kw_only=True)
class LinesAtInfusion:
    """Fates of single cells and numbers of cells; n types, C classes, B problems."""

    birth: NDArray[np.float64]
    """Division rate, 1/day, shape (n, B)."""
    death: NDArray[np.float64]
    """Natural death rate, 1/day, shape (n, B)."""
    daughters: NDArray[np.float64]
    """Probability that one daughter is of type j, shape (n, n, B) or (n, n, 1)."""
    switching: NDArray[np.float64]
    """Rate from type i to type j without a division, 1/day, shape (n, n)."""
    block: NDArray[np.int64]
    """Block of each type, shape (n,)."""
    relapse_class: NDArray[np.int64]
    """Class of each type, shape (n,)."""
    cells: NDArray[np.float64]
    """Cells of each type at infusion, before the losses of the growth phase, shape (n, B)."""
    burden: NDArray[np.float64]
    """Cells of the whole leukaemia at infusion, which set its age, shape (B,)."""
    classes: tuple[int, ...]
    """Classes of relapse that occur, in rising order, C of them."""
    fates: NDArray[np.float64]
    """Probability that a line leaves survivors of each class and none of a lower one, for a
    cell of each type alive at infusion, shape (C, n, B)."""


def chunks(count: int, values: int) -> list[slice]:
    """Return slices of `count` problems, so that arrays of `values` for each stay small."""
    size = max(int(_CHUNK // max(values, 1)), 1)
    return [slice(first, first + size) for first in range(0, count, size)]


@dataclass(frozen=True, kw_only=True)
class Founders:
    """Lines founded by losses while cells of one net growth rate grew; B problems."""

    net: NDArray[np.float64]
    """Net growth rate, 1/day, shape (B,)."""
    age: NDArray[np.float64]
    """Age of the leukaemia, days, shape (B,)."""
    events: NDArray[np.float64]
    """Expected number of lines founded, by type, dimensionless, shape (n, B)."""


def growth_founders(lines: LinesAtInfusion) -> list[Founders]:
    """Return the loss events of the growth phase for each net growth rate."""
    present = np.flatnonzero(lines.cells.any(axis=1))
    net = lines.birth - lines.death
    losses = lines.daughters * ~np.eye(len(net), dtype=bool)[:, :, None]
    parts = []
    while present.size:
        alike = np.array([np.array_equal(net[i], net[present[0]]) for i in present])
        grown, present = present[alike], present[~alike]
        rate = net[grown[0]]
        divisions = np.zeros_like(lines.cells)
        divisions[grown] = lines.birth[grown] / rate * lines.cells[grown]
        age = np.log(lines.burden * rate / lines.birth[grown[0]]) / rate
        events = mixed(losses.transpose(1, 0, 2), divisions[..., None])[..., 0]
        if events.any():
            parts.append(Founders(net=rate, age=age, events=events))
    return parts


def _ageless(lines: LinesAtInfusion, start: _Array) -> NDArray[np.bool_]:
    """Return which types lose nothing more and have the fate of an untreated line, shape (n,)."""
    n = len(lines.birth)
    loses_nothing = lines.daughters[np.arange(n), np.arange(n)] == 1.0
    untreated = np.maximum(1.0 - lines.death / lines.birth, 0.0)
    spared = np.abs(start.sum(axis=0) - untreated) <= 1e-12 * untreated
    return np.asarray((loses_nothing & spared).all(axis=1) & ~lines.switching.any(axis=1))


def mean_fate(
    lines: LinesAtInfusion, founders: Founders, start: _Array, last_losses: _Array | None = None
) -> NDArray[np.float64]:
    """Return the fates of founders, averaged over their ages, in the shape of `start`.

    A line founded at age x, of density net e^(-net x), lives through x untreated days and
    then has the fates `start`, shape (C, n, B). No line is older than the leukaemia, but
    that makes no difference to types that therapy spares and that lose nothing more.
    `last_losses` is as in `car_relapse.line_rates.LineRates`.
    """
    n = len(lines.birth)
    final = _ageless(lines, start)
    if not founders.events[~final].any():
        return start
    leaving = lines.birth * (1.0 - lines.daughters[np.arange(n), np.arange(n)])
    fastest = (np.abs(lines.birth - lines.death) + leaving).max(axis=0)
    fastest = fastest + lines.switching.sum(axis=1).max()
    nodes, weights, _ = gauss_rule()
    panels = growth_panels(founders.age, fastest)
    parts = []
    for part in chunks(start.shape[2], panels * nodes.size * n):
        net, days = founders.net[part], founders.age[part]
        width = np.repeat(days[None] / panels, panels, axis=0)
        age = (np.arange(panels)[:, None, None] + nodes) * width[..., None]
        weight = net[:, None] * np.exp(-net[:, None] * age) * weights * width[..., None]
        several = lines.daughters.shape[2] > 1
        rates = LineRates(
            width=width,
            birth=lines.birth[:, part],
            removal=lines.death[:, None, part, None],
            daughters=lines.daughters[:, :, part] if several else lines.daughters,
            switching=lines.switching[:, :, None, None, None] if lines.switching.any() else None,
            block=lines.block,
            last_losses=None if last_losses is None else last_losses[:, :, part],
        )
        solution = solve_lines(rates, start[:, :, part])
        mean = np.einsum("cnpbq,pbq->cnb", solution.at_nodes, weight)
        rest = final[:, None] * np.exp(-net * days)
        parts.append(mean + rest * solution.at_end)
    return np.concatenate(parts, axis=2)


def exponent(cells: _Array, fate: _Array, clear: _Array) -> _Array:
    """Return the expected number of lines with this fate, out of those clear of lower ones."""
    share = np.divide(fate, clear, out=np.zeros_like(fate), where=clear > 0)
    # Certain survival has an infinite exponent; that of all but one in 1e16 is as good.
    return np.asarray(np.sum(cells * -np.log1p(-np.minimum(share, 1.0 - 2.0**-53)), axis=0))


def class_lines(lines: LinesAtInfusion) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the expected surviving lines by the least that their survivors have lost.

    Returns
    -------
    whole : ndarray, shape (4, B)
        By class; their sum is minus the log of the probability of cure.
    before : ndarray, shape (4, B)
        The part that had lost something before infusion.
    """
    intact, before = (np.zeros((CLASSES, lines.burden.size)) for _ in range(2))
    lost = lines.relapse_class > 0
    clear = np.ones_like(lines.cells)
    for fate, kind in zip(lines.fates, lines.classes, strict=True):
        intact[kind] += exponent(lines.cells[~lost], fate[~lost], clear[~lost])
        before[kind] += exponent(lines.cells[lost], fate[lost], clear[lost])
        clear = clear - fate
    for founders in growth_founders(lines):
        fates = mean_fate(lines, founders, lines.fates)
        before[list(lines.classes)] += (fates * founders.events).sum(axis=1)
    return intact + before, before


def negative_lines(lines: LinesAtInfusion) -> tuple[_Array, _Array, _Array, _Array]:
    """Return the lines without any target, by the time of their last loss.

    Returns
    -------
    preexisting, completed, acquired, shared : ndarray, shape (B,)
        Expected numbers of lines, as in `car_relapse.survival.RelapseProbabilities`.
    """
    negative = lines.relapse_class >= FULL_LOSS
    intact = lines.relapse_class == 0
    partial = ~negative & ~intact
    late = np.array([c >= FULL_LOSS for c in lines.classes])
    positive, escapes = (lines.fates[mask].sum(axis=0) for mask in (~late, late))
    early_loss = np.where(negative[:, None], escapes, 0.0)
    cells, clear = lines.cells, 1.0 - positive
    acquired = exponent(cells[intact], escapes[intact], clear[intact])
    completed = exponent(cells[partial], escapes[partial], clear[partial])
    preexisting = exponent(cells[negative], escapes[negative], clear[negative])
    shared = np.zeros_like(acquired)
    # Lines by what they leave, the first that holds: a target, a loss of all targets before
    # infusion, one after it. And again with the loss before infusion first.
    ranked = np.stack([positive, early_loss, escapes - early_loss])
    swapped = np.stack([early_loss, positive])
    for founders in growth_founders(lines):
        stepwise = founders.events * ~negative[:, None]
        some, early = mean_fate(lines, founders, swapped), founders.events * negative[:, None]
        preexisting += (early * some[0]).sum(axis=0)
        if not stepwise.any():
            continue
        means = mean_fate(lines, founders, ranked)
        targeted, cleared, after = (stepwise * means).sum(axis=1)
        before, targeted_only = (stepwise * some).sum(axis=1)
        preexisting += before
        completed += after
        # Of two differences that both give the shared lines, the one that keeps their digits.
        difference = np.where(targeted < before, targeted - targeted_only, before - cleared)
        shared += np.maximum(difference, 0.0)
    return preexisting, completed, acquired, shared
