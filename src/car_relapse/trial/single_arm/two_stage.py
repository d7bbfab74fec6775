r"""Two stages with a stop for futility between them: Simon's designs, by complete search.

After :math:`n_1` patients the trial stops if at most :math:`r_1` respond; after n it has failed if
at most r respond (Simon 1989, doi:10.1016/0197-2456(89)90015-9). Of all designs that keep both
errors, the *optimal* one has the fewest patients on average at the null rate, the *minimax* one
the fewest at most, and the *admissible* ones are best for some weight between the two
(Jung, Lee, Kim & George 2004, Stat Med 23:561).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from car_relapse.errors import ParameterError
from car_relapse.trial.single_arm.looks import Looks
from car_relapse.trial.single_arm.one_stage import errors, rates

__all__ = ["SimonDesigns", "simon"]

Floats = NDArray[np.float64]

_MOST = 250
"""Most patients of a design: the search grows with the fourth power."""


class _Binomials:
    """Probabilities of k, and of at least k, of n responses, made when first asked for."""

    def __init__(self, rate: float) -> None:
        self.rate = rate
        self.mass = [np.ones(1)]
        self.tail = [np.array([1.0, 0.0])]

    def grow(self, n: int) -> None:
        """Extend the tables to n patients by Pascal's rule, whose sums keep all digits."""
        while len(self.mass) <= n:
            last = self.mass[-1]
            mass = np.append(last * (1.0 - self.rate), 0.0) + np.append(0.0, last * self.rate)
            self.mass.append(mass)
            self.tail.append(np.append(np.cumsum(mass[::-1])[::-1], 0.0))

    def success(self, n1: int, n: int, totals: NDArray[np.int_]) -> Floats:
        """Return the probability of going on and reaching a total.

        Rows are the fewest responses of the first stage that go on, columns the totals.
        """
        short = totals - np.arange(n1 + 1)[:, None]
        second = self.tail[n - n1][np.clip(short, 0, n - n1 + 1)]
        return np.asarray(np.cumsum((self.mass[n1][:, None] * second)[::-1], axis=0)[::-1])


@dataclass(frozen=True, kw_only=True)
class SimonDesigns:
    """The best two-stage designs for two rates and two errors.

    In each, ``patients`` are :math:`(n_1, n)` and ``futile`` is :math:`(r_1, r)`.
    """

    optimal: Looks
    """Fewest patients on average at the null rate."""
    minimax: Looks
    """Fewest patients at most; among those, fewest on average."""
    admissible: tuple[Looks, ...]
    """Best for some weight between the two aims, from `minimax` to `optimal`, both included."""


def _possible(n: int, null: _Binomials, other: _Binomials, alpha: float, beta: float) -> bool:
    """Return whether the most powerful test of n patients at once, with chance, is good enough.

    No two-stage design is better than that test (Neyman and Pearson).
    """
    needed = int(np.argmax(null.tail[n] <= alpha))
    spare = (alpha - null.tail[n][needed]) / null.mass[n][needed - 1]
    return bool(other.tail[n][needed] + spare * other.mass[n][needed - 1] >= 1.0 - beta)


def _best(
    n: int, below: float, null: _Binomials, other: _Binomials, alpha: float, beta: float
) -> tuple[float, int, int, int] | None:
    """Return expected patients, n1, r1 and r of the best design of n patients, if below a bound."""
    best = None
    # Without a stop this total keeps alpha; stops allow smaller ones, but not many.
    largest = min(max(int(np.argmax(null.tail[n] <= alpha)), 2), n)
    for n1 in range(1, n):
        # The strictest stop that leaves the power; no other goes on less often.
        strictest = int(np.count_nonzero(other.tail[n1][1:] >= 1.0 - beta))
        if not strictest or n1 + null.tail[n1][strictest] * (n - n1) >= below:
            continue
        width = 2
        while True:
            totals = np.arange(max(largest - width, 2), largest + 1)
            error = null.success(n1, n, totals)[1 : strictest + 1]
            if totals[0] == 2 or error[-1, 0] > alpha:
                break
            width *= 2
        # Columns fall; the first within alpha has the most power. A total that every trial that
        # goes on has reached would make no second stage.
        rows = np.arange(strictest)
        column = np.argmax(error <= alpha, axis=1)
        column = np.maximum(column, np.minimum(rows + 2 - totals[0], totals.size - 1))
        power = other.success(n1, n, totals)[1 : strictest + 1]
        good = (error[rows, column] <= alpha) & (power[rows, column] >= 1.0 - beta)
        good &= totals[column] >= rows + 2
        if good.any():
            row = int(np.flatnonzero(good)[-1])
            expected = n1 + float(null.tail[n1][row + 1]) * (n - n1)
            if expected < below:
                below, best = expected, (expected, n1, row, int(totals[column[row]]) - 1)
    return best


def _improvements(
    null: _Binomials, other: _Binomials, alpha: float, beta: float
) -> Iterator[tuple[float, Looks]]:
    """Yield designs with ever more patients at most and ever fewer on average, until the last."""
    below, floors = np.inf, np.zeros(0)
    for n in range(2, _MOST + 1):
        null.grow(n)
        other.grow(n)
        if below < np.inf:
            strictest = [np.count_nonzero(other.tail[k][1:] >= 1.0 - beta) for k in range(1, n)]
            go_on = [null.tail[k][s] for k, s in enumerate(strictest, 1)]
            floors = np.arange(1, n) + np.array(go_on) * (n - np.arange(1, n))
            if floors.min() >= below:
                return
        elif not _possible(n, null, other, alpha, beta):
            continue
        found = _best(n, below, null, other, alpha, beta)
        if found is not None:
            below, n1, r1, r = found
            yield below, Looks(patients=(n1, n), futile=(r1, r), enough=(None, r + 1))


def _hull(found: list[tuple[float, Looks]]) -> tuple[Looks, ...]:
    """Return those on the lower convex hull of most against average patients."""
    kept: list[tuple[float, Looks]] = []
    for expected, design in found:
        while len(kept) > 1:
            (e1, d1), (e2, d2) = kept[-2:]
            n1, n2, n3 = d1.patients[-1], d2.patients[-1], design.patients[-1]
            if (e2 - e1) * (n3 - n1) < (expected - e1) * (n2 - n1):
                break
            kept.pop()
        kept.append((expected, design))
    return tuple(design for _, design in kept)


def simon(
    null: float, alternative: float, *, alpha: float = 0.05, beta: float = 0.2
) -> SimonDesigns:
    """Return Simon's optimal, minimax and admissible two-stage designs.

    The search is complete: it ends when no larger trial can have fewer patients on average.

    Parameters
    ----------
    null, alternative : float
        Response rates not worth pursuing, and hoped for; 0 < null < alternative < 1.
    alpha : float, optional
        Largest one-sided type I error.
    beta : float, optional
        Largest type II error: one minus the power. alpha + beta < 1.

    Returns
    -------
    SimonDesigns

    Raises
    ------
    ParameterError
        When an argument breaks its rule, or no design of at most 250 patients keeps both errors.

    Examples
    --------
    >>> designs = simon(0.2, 0.4)
    >>> designs.optimal.patients, designs.optimal.futile
    ((13, 43), (3, 12))
    >>> designs.minimax.patients, designs.minimax.futile
    ((18, 33), (4, 10))
    >>> round(designs.optimal.operating(0.2).expected_patients, 2)
    20.58
    """
    p0, p1 = rates(null, alternative)
    a, b = errors(alpha, beta)
    found = list(_improvements(_Binomials(p0), _Binomials(p1), a, b))
    if not found:
        raise ParameterError(
            f"alternative is {p1:g} and null is {p0:g}; no two-stage design of at most {_MOST} "
            "patients tells them apart with these errors; give rates further apart or larger errors"
        )
    return SimonDesigns(optimal=found[-1][1], minimax=found[0][1], admissible=_hull(found))
