r"""A leukaemia on the day of infusion: which lines it holds that lost antigens on the way.

While the leukaemia grows to its N cells, :math:`N e^{-y}` of them at *log-size distance* y
from infusion, divisions found lines in other antigen states. Of those only the ones that
would survive untreated matter later: between y and y + dy they are Poisson with mean
:math:`u N e^{-y}dy`, and a line founded there holds :math:`e^y E/s` cells at infusion, with
:math:`E \sim` Exp(1) and :math:`s = 1 - d/b`. Lines in a state with some targets lost found
lines that have lost more in the same way, at the rate that their own mean path gives.

Growth is cut into intervals of equal log size. All lines of an interval are drawn at once,
by their number and their sum; a single line is drawn from its exact law.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from car_relapse.exposure import CornerCurves, Curves
from car_relapse.killing import Killing, LinearKilling
from car_relapse.quadrature import panels

__all__ = ["Block", "Lines", "expected_lines", "sample_presentation"]

Floats = NDArray[np.float64]

_INTERVALS = 48
_AGE_PANELS = 3


@dataclass(frozen=True, kw_only=True)
class Block:
    """Patients that are drawn together; arrays have shape (patients,) unless said otherwise.

    Antigen states are bit masks of lost antigens, as in `car_relapse.antigens.Losses`. Behind
    the state that has lost them all stands one more: cells that switched lineage.
    """

    birth_rate: Floats
    """Division rate b per cell, 1/day."""
    death_rate: Floats
    """Natural death rate d per cell, 1/day, below b."""
    burden: Floats
    """Cells that show every target at infusion."""
    per_antigen: Floats
    """Probability per division to lose each antigen, shape (k, patients), dimensionless."""
    common_mode: Floats
    """Probability per division of a lineage switch, dimensionless."""
    shared_defect: Floats
    """Probability per division of a defect that hides every target, dimensionless."""
    killing: Killing | LinearKilling
    """Response of killing to the transgene level, with array fields or shared."""
    curve: Curves | CornerCurves
    """Curves of CAR-T or drug, with array fields."""
    engagement: tuple[float, ...]
    """Fraction of the killing rate that each antigen state meets, one for each of the 2^k
    states; 0 for the state that has lost every target."""

    @cached_property
    def antigens(self) -> int:
        """Number of targeted antigens, k."""
        return len(self.per_antigen)

    @cached_property
    def escaped(self) -> int:
        """The state that has lost every target; the next number is the lineage switch."""
        return int(2**self.antigens) - 1

    @cached_property
    def net_rate(self) -> Floats:
        """Net growth rate without treatment, 1/day."""
        return self.birth_rate - self.death_rate

    @cached_property
    def survival(self) -> Floats:
        """Probability s that an untreated line never dies out."""
        return self.net_rate / self.birth_rate

    @cached_property
    def sudden(self) -> Floats:
        """Probability per division to lose every target at once, dimensionless."""
        return self.common_mode + self.shared_defect

    @cached_property
    def total_loss(self) -> Floats:
        """Probability per division that a cell with every target loses anything."""
        return np.asarray(self.per_antigen.sum(axis=0) + self.sudden)

    @cached_property
    def order(self) -> tuple[int, ...]:
        """The states by the number of antigens that they have lost, lineage switch last."""
        return (*sorted(range(self.escaped + 1), key=int.bit_count), self.escaped + 1)

    def killed(self, state: int) -> bool:
        """Return whether cells in `state` are killed."""
        return state < self.escaped and self.engagement[state] > 0.0

    def children(self, state: int) -> list[tuple[int, Floats]]:
        """Return the states with one more antigen lost, and the probability of that loss."""
        return [
            (state | 1 << antigen, loss)
            for antigen, loss in enumerate(self.per_antigen)
            if not state >> antigen & 1
        ]

    @cached_property
    def parents(self) -> dict[int, list[tuple[int, Floats]]]:
        """For each state, the states whose divisions lead to it, and their probabilities."""
        ways: dict[int, dict[int, Floats]] = {state: {} for state in self.order}
        for state in self.order[:-2]:
            for child, loss in self.children(state):
                ways[child][state] = loss
        for target, loss in (
            (self.escaped, self.shared_defect),
            (self.escaped + 1, self.common_mode),
        ):
            if loss.any():
                known = ways[target]
                known |= {p: known[p] + loss if p in known else loss for p in self.order[:-2]}
        return {state: list(found.items()) for state, found in ways.items()}


def _older(mass: Floats) -> Floats:
    """Return the sums over the older intervals, those of higher number, without the own."""
    total = np.zeros_like(mass)
    for row in range(len(mass) - 2, -1, -1):
        np.add(total[row + 1], mass[row + 1], out=total[row])
    return total


def sample_presentation(block: Block, rng: np.random.Generator) -> dict[int, Floats]:
    """Draw the cells of each antigen state on the day of infusion.

    Parameters
    ----------
    block : Block
        Patients.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    dict of int to ndarray, shape (patients,)
        Cells by state, as real numbers: a line that would survive untreated counts with the
        size that its limit has at infusion. States that no loss leads to are left out.
    """
    step = np.log(block.burden * block.survival) / _INTERVALS
    size = np.exp(-step * np.arange(_INTERVALS)[:, None])
    spanned = -np.expm1(-step)
    share = size * spanned
    # Mean of e^y in units of its lower end, for lines spread as the divisions are.
    mean_age = step / spanned
    # The part of an interval's own lines that its later divisions meet.
    own_part = 1.0 - (1.0 - (1.0 + step) * np.exp(-step)) / (spanned * step)
    scale = 1.0 / (size * block.survival)
    cells = {0: block.burden}
    path = {0: np.broadcast_to(block.burden, share.shape)}
    for state in block.order[1:]:
        mean: Floats | None = None
        for parent, loss in block.parents[state]:
            part = path[parent] * loss
            mean = part if mean is None else np.add(mean, part, out=mean)
        if mean is None:
            continue
        mean *= share
        lines = rng.poisson(mean)
        mass = rng.standard_gamma(lines)
        # One draw stands for the ages of all lines of an interval. It is exact for one line,
        # and drawn in so that the sum over several has its exact mean and variance.
        age = 1.0 / (1.0 - rng.random(share.shape) * spanned)
        age -= mean_age
        age *= np.sqrt(2.0 / (lines + 1.0))
        age += mean_age
        mass *= age
        mass *= scale
        cells[state] = mass.sum(axis=0)
        if state < block.escaped:
            path[state] = _older(mass) + own_part * mass
    return cells


@dataclass(frozen=True, kw_only=True)
class Lines:
    """Poisson means of the lines that outlive therapy; arrays of shape (patients,)."""

    positive: Floats
    """Lines that still show a target."""
    preexisting: Floats
    """Lines that leave no such cell, and whose last loss fell before infusion."""
    acquired: Floats
    """Lines that leave no such cell, and whose last loss falls under therapy."""


def expected_lines(block: Block, targeted: dict[int, Floats], escaping: dict[int, Floats]) -> Lines:
    r"""Return the expected numbers of lines that outlive therapy, by route.

    A line founded at distance y holds :math:`E e^y/s` cells, so with :math:`\theta(y)`
    expected survivors per unit of E it leaves some with probability
    :math:`\theta/(1+\theta)`; its own later losses are part of :math:`\theta`.

    Parameters
    ----------
    block : Block
        Patients.
    targeted : dict of int to ndarray
        Expected lines that outlive therapy and show a target, per cell at infusion in each
        killed state; for state 0 from later losses only.
    escaping : dict of int to ndarray
        The same of lines that lose the last target under therapy.

    Returns
    -------
    Lines
        Without the targeted lines of state 0 itself.
    """
    size, s = block.burden, block.survival
    if block.antigens == 1:
        return Lines(
            positive=size * targeted[0],
            preexisting=size * block.total_loss,
            acquired=size * escaping[0],
        )
    # Axes: panel, node, route (targeted, before infusion, under therapy), patient.
    oldest = np.log(size * s)
    rule = panels(oldest * np.linspace(0.0, 1.0, _AGE_PANELS + 1)[:, None, None])
    small = np.exp(-rule.node)
    certain = -np.expm1(-rule.node)
    shape = (*small.shape[:2], 3, size.size)
    inside, whole = {}, {}
    # Lines that survive whatever the therapy does: once founded, they are through.
    for state in block.order[:-1]:
        if not block.killed(state):
            route = 1 if state == block.escaped else 0
            inside[state], whole[state] = np.zeros(shape), np.zeros(shape[2:])
            inside[state][:, :, route], whole[state][route] = certain[:, :, 0], 1.0
    for state in reversed(block.order[1:-2]):
        if not block.killed(state):
            continue
        theta = np.zeros(shape)
        theta[:, :, 0], theta[:, :, 2] = targeted[state], escaping[state]
        theta[:, :, 1] = block.sudden * certain[:, :, 0]
        for child, loss in block.children(state):
            theta += loss * inside[child]
        theta /= small * s
        # Added up route by route: numpy's cumsum along an inner axis is ten times slower.
        some = 1.0 + theta
        some[:, :, 1] += theta[:, :, 0]
        some[:, :, 2] += some[:, :, 1] - 1.0
        theta /= some
        theta[:, :, 1:] /= some[:, :, :-1]
        theta *= small
        inside[state] = rule.running(theta)
        whole[state] = rule.integral_to_edges(theta).sum(axis=0)
    lines = np.stack([targeted[0], block.sudden, escaping[0]])
    for child, loss in block.children(0):
        lines += loss * whole[child]
    lines *= size
    return Lines(positive=lines[0], preexisting=lines[1], acquired=lines[2])
