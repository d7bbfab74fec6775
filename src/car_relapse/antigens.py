r"""Antigen states of a cell and the ways from one to another.

A state is the set of targeted antigens that a cell has lost, written as a bit mask:
state 0 has them all, state :math:`2^k - 1` has lost all :math:`k`. At a division, with
probability :math:`u_j` one of the two daughters loses antigen :math:`j`, and with
probability :math:`c` one daughter loses every targeted antigen at once (*common mode*:
lineage switch, a shared defect).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from car_relapse.errors import ParameterError, require_fraction

__all__ = ["Losses"]

_MOST_ANTIGENS = 6


@dataclass(frozen=True, kw_only=True)
class Losses:
    """How likely a division is to lose antigens."""

    per_antigen: tuple[float, ...]
    """Probability per division, for each targeted antigen, that one daughter loses it;
    dimensionless, in [0, 1]. Ledger: ``loss.cd19``."""
    common_mode: float = 0.0
    """Probability per division that one daughter loses every targeted antigen at once;
    dimensionless, in [0, 1]. Ledger: ``loss.common_mode``."""

    def __post_init__(self) -> None:
        if not 1 <= len(self.per_antigen) <= _MOST_ANTIGENS:
            raise ParameterError(
                f"per_antigen has {len(self.per_antigen)} entries; a product targets 1 to "
                f"{_MOST_ANTIGENS} antigens; give one loss probability for each"
            )
        remedy = "give a probability per division"
        require_fraction("per_antigen", self.per_antigen, remedy)
        require_fraction("common_mode", self.common_mode, remedy)
        if self.total > 1:
            raise ParameterError(
                f"the loss probabilities add up to {self.total:g}; at most one loss happens at a "
                "division, so they must add up to at most 1; lower them"
            )

    @property
    def total(self) -> float:
        """Probability per division that one daughter loses anything, dimensionless."""
        return sum(self.per_antigen) + self.common_mode

    @property
    def antigens(self) -> int:
        """Number of targeted antigens, k."""
        return len(self.per_antigen)

    @property
    def states(self) -> int:
        """Number of antigen states, 2^k."""
        return int(2**self.antigens)

    @property
    def escaped(self) -> int:
        """The state that has lost every targeted antigen."""
        return self.states - 1

    def transition_matrix(self) -> NDArray[np.float64]:
        r"""Return :math:`m_{ij}`: the probability that one daughter of state i is in state j.

        The other daughter is in state i. Rows add up to 1.

        Returns
        -------
        ndarray, shape (2^k, 2^k)
            Indexed by bit masks of lost antigens.

        Examples
        --------
        >>> Losses(per_antigen=(0.1, 0.2), common_mode=0.05).transition_matrix()[0]
        array([0.65, 0.1 , 0.2 , 0.05])
        """
        matrix = np.zeros((self.states, self.states))
        for state in range(self.escaped):
            for antigen, probability in enumerate(self.per_antigen):
                lost = state | (1 << antigen)
                if lost != state:
                    matrix[state, lost] += probability
            matrix[state, self.escaped] += self.common_mode
        np.fill_diagonal(matrix, 1.0 - matrix.sum(axis=1))
        return matrix
