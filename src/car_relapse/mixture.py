r"""Tumours that start as a mixture: which cells a product covers, and who dies beside them.

A glioblastoma is no clone of one founder. Antigen :math:`i` is absent from a share :math:`q_i` of
its cells before any therapy, so that a product against several antigens leaves *uncovered* the
cells that lack them all. How many these are depends on whether antigens go together:

.. math:: Q = (1-o)\prod_i q_i + o\,\min_i q_i ,

with an *overlap* :math:`o` of 0 where cells lack each antigen independently, and of 1 where
the cells that lack one lack the more frequent ones first. Between the two lies a tumour of which
a part :math:`o` is of the second kind: an assumption of this book.

An uncovered cell may yet die beside one that is killed. The smallest model of such *bystander
killing* gives a cell that is not bound a part :math:`\chi` of the killing of one that is:

.. math:: g' = g + \chi\,\max(1 - g,\, 0)

with g the fraction that the product's own gate returns. It ignores that bystanders need covered
neighbours, and is therefore the most that bystander killing can do while its share holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from car_relapse.errors import ParameterError, require_fraction
from car_relapse.gates import Gate, OrGate

__all__ = ["BystanderGate", "expression_mixture", "uncovered_share"]

# Twice as many antigens as any product in a trial binds; the states double with each.
_MOST_ANTIGENS = 6


def _missing(missing: Sequence[float]) -> NDArray[np.float64]:
    remedy = "give the share of cells that lack each antigen, such as (0.3, 0.3)"
    shares = require_fraction("missing", missing, remedy)
    if shares.ndim != 1 or not 1 <= shares.size <= _MOST_ANTIGENS:
        raise ParameterError(
            f"missing is {missing!r}; it must hold one share for each of 1 to {_MOST_ANTIGENS} "
            f"antigens; {remedy}"
        )
    return shares


def expression_mixture(
    missing: Sequence[float], *, overlap: float = 0.0
) -> tuple[tuple[int, float], ...]:
    r"""Return the antigen states of a tumour and their shares, for `Patient.mixture`.

    Parameters
    ----------
    missing : sequence of float
        Share :math:`q_i` of the cells that lack each of 1 to 6 antigens, in [0, 1].
    overlap : float, optional
        Part :math:`o` of the tumour in which antigens go together, in [0, 1].

    Returns
    -------
    tuple of (int, float)
        Bit mask of the antigens that a cell lacks, and its share of the tumour; states without
        cells are left out.

    Raises
    ------
    ParameterError
        When a share is out of range, or there are no antigens or more than six.

    Examples
    --------
    >>> [(state, round(share, 3)) for state, share in expression_mixture((0.5, 0.2))]
    [(0, 0.4), (1, 0.4), (2, 0.1), (3, 0.1)]
    >>> [(state, round(share, 3)) for state, share in expression_mixture((0.5, 0.2), overlap=1.0)]
    [(0, 0.5), (1, 0.3), (3, 0.2)]
    """
    q = _missing(missing)
    together = float(require_fraction("overlap", overlap, "0 means independent", scalar=True))
    lacks = np.arange(2**q.size)[:, None] >> np.arange(q.size) & 1
    share = (1.0 - together) * np.where(lacks, q, 1.0 - q).prod(axis=1)
    # Together: a cell at height h of the tumour lacks every antigen whose share is above h.
    edges = np.unique(np.concatenate([[0.0], q, [1.0]]))
    for low, high in pairwise(edges):
        state = int(np.sum((q >= high) << np.arange(q.size)))
        share[state] += together * (high - low)
    # Rounding leaves the sum a hair off 1.
    share /= share.sum()
    return tuple((state, float(part)) for state, part in enumerate(share) if part > 0)


def uncovered_share(missing: Sequence[float], *, overlap: float = 0.0) -> float:
    """Return the share of the cells that lack every antigen.

    Parameters
    ----------
    missing : sequence of float
        Share of the cells that lack each antigen, in [0, 1].
    overlap : float, optional
        Part of the tumour in which antigens go together, in [0, 1].

    Examples
    --------
    >>> [round(uncovered_share((0.3,) * k), 3) for k in (1, 2, 3)]
    [0.3, 0.09, 0.027]
    """
    q = _missing(missing)
    together = float(require_fraction("overlap", overlap, "0 means independent", scalar=True))
    return float((1.0 - together) * q.prod() + together * q.min())


@dataclass(frozen=True, kw_only=True)
class BystanderGate:
    """A gate whose product also kills cells that it does not bind, beside those that it does.

    Examples
    --------
    >>> BystanderGate(share=0.2).fraction([0.0]).item()
    0.2
    >>> BystanderGate(share=0.2).fraction([1.0]).item()
    1.0
    """

    share: float
    """Killing of a cell that is not bound over that of one that is, in [0, 1]. Assumed: no
    measurement in patients was found."""
    gate: Gate = field(default_factory=OrGate)
    """How the product itself reads antigens."""
    beside_only: bool = False
    """Whether to leave out the killing of cells that are bound, for a second product that adds
    bystander killing to a first one."""

    def __post_init__(self) -> None:
        require_fraction("share", self.share, "0 means no bystander killing", scalar=True)
        if not callable(getattr(self.gate, "fraction", None)):
            raise ParameterError(
                f"gate is {self.gate!r}; it must be one of car_relapse.gates; write gate=OrGate()"
            )

    def reads(self, antigens: int) -> tuple[int, ...]:
        """Return the antigens that the product binds."""
        return self.gate.reads(antigens)

    def fraction(
        self, engagement: Sequence[ArrayLike], veto: ArrayLike = 0.0
    ) -> NDArray[np.float64]:
        """Return the fraction of the maximal killing rate, for a bound cell or one beside."""
        bound = self.gate.fraction(engagement, veto)
        beside = self.share * np.maximum(1.0 - bound, 0.0)
        return np.asarray(beside if self.beside_only else bound + beside)
