r"""Which lines get through therapy, state by state, when all killed states are killed alike.

Lines that therapy clears follow their mean path :math:`Z(t)`
(`car_relapse.history`), and found lines in further antigen states. The lines that will be
cleared divide at rate :math:`b q(t)` with :math:`q = 1-\pi`, so in the clock
:math:`\tau = \int b q\,dt` the cells of a state s per unit of Z,

.. math:: \frac{dy_s}{d\tau} = \sum_{j\in s} u_j\, y_{s\setminus j},

are polynomials: from r to s it takes the losses between them in any order, which is
:math:`\prod u_j\,\tau^{|s\setminus r|}`. Every expected number is then a sum of *moments*
:math:`\int b Z \tau^i w\,dt`, integrated once for all states.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from car_relapse.history import LineHistory, line_history, line_panels
from car_relapse.presentation import Block
from car_relapse.quadrature import Panels, panels

__all__ = [
    "MOST_LINES",
    "Course",
    "Met",
    "SharedKilling",
    "histories",
    "panel_founders",
    "sum_of",
    "surviving_lines",
]

Floats = NDArray[np.float64]

# Beyond any number of cells that matters, and below what a float can hold.
_LARGEST_LOG = 600.0
_NEARLY_ONE = 1.0 - 1e-15
MOST_LINES = 1e17
"""Lines drawn at once: beyond any limit of detection, and numpy can still draw so many."""


@dataclass(frozen=True, kw_only=True)
class Met:
    """What lines of one engagement meet under therapy; arrays (panel, node, patient)."""

    history: LineHistory
    cleared: Floats
    """Mean size, per cell at infusion, of the lines that therapy clears."""
    survives: Floats
    """Probability that a line alive at the node outlives therapy."""
    regrown: Floats
    """Mean size of the lines that outlive therapy, per cell at infusion."""

    @staticmethod
    def of(history: LineHistory) -> Met:
        """Return what follows from a history."""
        log_cleared = history.log_s - history.log_r
        log_cleared *= 2.0
        log_cleared -= history.rho
        cleared = np.exp(np.minimum(log_cleared, _LARGEST_LOG, out=log_cleared), out=log_cleared)
        cleared *= history.doomed
        return Met(
            history=history,
            cleared=cleared,
            survives=1.0 - history.doomed,
            regrown=np.maximum(np.exp(np.minimum(-history.rho, _LARGEST_LOG)) - cleared, 0.0),
        )


def sum_of(values: Iterable[Floats]) -> Floats:
    """Return the sum of arrays of one shape, in place of the first."""
    total: Floats | None = None
    for value in values:
        total = np.array(value) if total is None else np.add(total, value, out=total)
    assert total is not None
    return total


def surviving_lines(log_r: Floats) -> Floats:
    """Return -ln(1 - p), the expected lines that survive, from -ln p of one line."""
    # Where rounding leaves no chance to die, the smallest chance that it can tell stands in.
    return np.asarray(-np.log1p(-np.minimum(np.exp(-log_r), _NEARLY_ONE)))


def histories(block: Block) -> tuple[Panels, dict[float, Met]]:
    """Return the nodes and the therapy of every engagement that occurs."""
    shares = tuple(sorted({block.engagement[s] for s in block.order if block.killed(s)}))
    rule = panels(line_panels(block, block.killing, block.curve, shares))
    return rule, {
        share: Met.of(
            line_history(
                block, block.total_loss, block.killing, block.curve, engagement=share, rule=rule
            )
        )
        for share in shares
    }


@dataclass(frozen=True, kw_only=True)
class Course:
    """What is left of every state: masses of late days, and cells at the nodes."""

    killed: dict[int, Floats]
    """Mass of each killed state, which multiplies e^(-rho), shape (patients,)."""
    free: dict[int, Floats]
    """Mass of each state that is not killed, which multiplies e^(lambda t)."""
    cleared: Floats
    """Cells in lines that therapy clears, at the nodes."""


def panel_founders(mean: Floats, weighted: Floats, rng: np.random.Generator) -> Floats:
    """Draw founders panel by panel; return the sum of their weights, shape (patients,).

    Parameters
    ----------
    mean : ndarray, shape (panels, patients)
        Expected founders of each panel.
    weighted : ndarray, shape (panels, patients)
        The same, each founder counted with its weight.
    rng : numpy.random.Generator
        Source of randomness.
    """
    mass = rng.standard_gamma(rng.poisson(np.minimum(mean, MOST_LINES)))
    # The mean weight of a founder of that panel; where there is no rate there is no founder.
    mass *= np.divide(weighted, mean, out=np.zeros_like(mean), where=mean > 0.0)
    return np.asarray(mass.sum(axis=0))


def node_founders(mean: Floats, weight: Floats, rng: np.random.Generator) -> Floats:
    """Draw founders node by node; return the sum of their weights, shape (patients,)."""
    mass = rng.standard_gamma(rng.poisson(np.minimum(mean, MOST_LINES)))
    mass *= weight
    return np.asarray(mass.reshape(-1, mass.shape[-1]).sum(axis=0))


def _powers(first: Floats, clock: Floats, count: int) -> list[Floats]:
    """Return `first` times the clock to the powers 0 to `count` - 1."""
    powers = [first]
    for _ in range(count - 1):
        powers.append(powers[-1] * clock)
    return powers


def _sum_powers(coefficients: list[Floats], moments: list[Floats]) -> Floats:
    return sum_of(c * m for c, m in zip(coefficients, moments, strict=False))


def _inflow(polynomial: dict[int, list[Floats]], parents: list[tuple[int, Floats]]) -> list[Floats]:
    """Return the coefficients of what the cleared lines of all parents lose."""
    terms = max(len(polynomial[parent]) for parent, _ in parents)
    return [
        sum_of(
            loss * polynomial[parent][i] for parent, loss in parents if i < len(polynomial[parent])
        )
        for i in range(terms)
    ]


class SharedKilling:
    """Moments of the one history that all killed states of a block share."""

    def __init__(self, block: Block, rule: Panels, met: Met, fade: Floats) -> None:
        self.block, self.rule, self.met = block, rule, met
        # A path through the killed states has at most this many losses.
        self.degree = max(s.bit_count() for s in block.order if block.killed(s))
        self.clock = np.empty(0)
        # Cells divide this often at each node: its weight is that of the quadrature.
        self.births = block.birth_rate * rule.weights()
        self.fade = fade
        flow = met.cleared * self.births
        powers = [flow]
        if self.degree:
            # A sum of the rule may be a rounding error below 0 where nothing has happened yet.
            self.clock = np.maximum(rule.running(met.history.doomed * block.birth_rate), 0.0)
            powers = _powers(flow, self.clock, self.degree + 1)
        self.free = powers
        self.log_r = met.history.log_r
        if self.degree:
            late = np.exp(np.minimum(met.history.log_s, _LARGEST_LOG))
            survives = [p * met.survives for p in powers[:-1]]
            self.kept = [p.sum(axis=1) for p in survives]
            self.kept_late = [(p * late).sum(axis=1) for p in survives]

    def cell_values(self) -> tuple[dict[int, Floats], dict[int, Floats]]:
        """Return expected later lines per cell at infusion in each killed state.

        Lines that still show a target, and lines that show none.
        """
        block, s = self.block, self.block.survival
        free = [m.sum(axis=(0, 1)) * s for m in self.free]
        kept = [m.sum(axis=0) for m in self.kept] if self.degree else []
        # Coefficients of the moments: partial losses out of killing's reach, partial losses
        # that are killed but get through, and losses of every target.
        ways: dict[int, tuple[list[Floats], list[Floats], list[Floats]]] = {}
        targeted, escaping = {}, {}
        for state in reversed(block.order):
            if not block.killed(state):
                continue
            nothing = np.zeros_like(block.burden)
            spared, partial, whole = ([nothing], [nothing], [block.sudden])
            for child, loss in block.children(state):
                if child == block.escaped:
                    whole[0] = whole[0] + loss
                elif not block.killed(child):
                    spared[0] = spared[0] + loss
                else:
                    partial[0] = partial[0] + loss
                    for own, theirs in zip((spared, partial, whole), ways[child], strict=True):
                        own += [nothing] * (len(theirs) + 1 - len(own))
                        for i, value in enumerate(theirs):
                            own[i + 1] = own[i + 1] + loss * value / (i + 1)
            ways[state] = (spared, partial, whole)
            targeted[state] = _sum_powers(spared, free)
            if self.degree:
                targeted[state] += _sum_powers(partial, kept)
            escaping[state] = _sum_powers(whole, free)
        return targeted, escaping

    def course(self, cells: dict[int, Floats], largest: float, rng: np.random.Generator) -> Course:
        """Draw the lines that outlive therapy, state by state, from no loss to all.

        Parameters
        ----------
        cells : dict of int to ndarray, shape (patients,)
            Cells of each state at infusion.
        largest : float
            Cells beyond which it does not matter what a surviving line founds.
        rng : numpy.random.Generator
            Source of randomness.
        """
        block, s = self.block, self.block.survival
        # Its mean is exact, and where it could be zero the chance of zero is, too.
        escape = np.exp(-self.log_r)
        limit = np.exp(np.minimum(self.log_r, _LARGEST_LOG))
        killed: dict[int, Floats] = {}
        free: dict[int, Floats] = {}
        polynomial: dict[int, list[Floats]] = {}
        for state in block.order:
            parents = [(p, loss) for p, loss in block.parents[state] if p in killed]
            own = cells.get(state)
            if own is None and not parents:
                continue
            start = np.zeros_like(block.burden) if own is None else own
            if not block.killed(state):
                mass = start
                if parents:
                    sums = _inflow(polynomial, parents)
                    mean = _sum_powers(sums, self.free)
                    again = sum_of(loss * killed[p] for p, loss in parents)
                    # What survivors found after relapse is never seen; let it not outgrow all
                    # numbers.
                    found = np.minimum(again * self.met.regrown, largest)
                    found *= self.births
                    mean += found
                    mean *= s
                    mass = mass + node_founders(mean, self.fade, rng) / s
                free[state] = mass
                continue
            lines = rng.poisson(np.minimum(start * escape, MOST_LINES))
            mass = rng.standard_gamma(lines) * limit
            own_polynomial = [start]
            if parents:
                flow = _inflow(polynomial, parents)
                mass += panel_founders(
                    _sum_powers(flow, self.kept), _sum_powers(flow, self.kept_late), rng
                )
                own_polynomial += [f / (i + 1) for i, f in enumerate(flow)]
            killed[state], polynomial[state] = mass, own_polynomial
        return Course(killed=killed, free=free, cleared=self._cleared(polynomial))

    def _cleared(self, polynomial: dict[int, list[Floats]]) -> Floats:
        terms = max(len(p) for p in polynomial.values())
        sums = [sum_of(p[i] for p in polynomial.values() if i < len(p)) for i in range(terms)]
        total = np.broadcast_to(sums[-1], self.met.cleared.shape)
        for coefficient in reversed(sums[:-1]):
            total = total * self.clock
            total += coefficient
        return np.asarray(total * self.met.cleared)
