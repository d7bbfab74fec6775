r"""Antigen states of a cell and the ways from one to another.

A state is the set of targeted antigens that a cell has lost, written as a bit mask:
state 0 has them all, state :math:`2^k - 1` has lost all :math:`k`. At a division, with
probability :math:`u_j` one of the two daughters loses antigen :math:`j`. With probability
:math:`c` one daughter hides every targeted antigen at once because it changes lineage
(*common mode*), and with probability :math:`c'` because one defect takes them all (a *shared
defect* of transport or glycosylation).

Losses are for good. Antigen that comes and goes, antigen torn off by the T cell, and what a
loss costs the cell are `Plasticity`.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from car_relapse.errors import (
    ParameterError,
    require_count,
    require_fraction,
    require_non_negative,
)

__all__ = ["Losses", "Plasticity"]

MOST_ANTIGENS = 6
_COUNTED = "count antigens from 0"


def _require_tuple(name: str, value: Any, example: str) -> None:
    # Lists are refused, too: a frozen record that holds one could not be hashed.
    if not isinstance(value, tuple):
        raise ParameterError(
            f"{name} is {value!r}; it must be a tuple with one number for each targeted antigen; "
            f"write {name}={example}"
        )


@dataclass(frozen=True, kw_only=True)
class Losses:
    """How likely a division is to lose antigens."""

    per_antigen: tuple[float, ...]
    """Probability per division, for each targeted antigen, that one daughter loses it;
    dimensionless, in [0, 1]. Ledger: ``loss.cd19``."""
    common_mode: float = 0.0
    """Probability per division that one daughter switches lineage and so hides every targeted
    antigen at once; dimensionless, in [0, 1]. Ledger: ``loss.common_mode``."""
    shared_defect: float = 0.0
    """Probability per division that one daughter loses every targeted antigen at once by one
    defect, without a change of lineage; dimensionless, in [0, 1]."""

    def __post_init__(self) -> None:
        _require_tuple("per_antigen", self.per_antigen, "(0.1,)")
        if not 1 <= len(self.per_antigen) <= MOST_ANTIGENS:
            raise ParameterError(
                f"per_antigen has {len(self.per_antigen)} entries; a product targets 1 to "
                f"{MOST_ANTIGENS} antigens; give one loss probability for each"
            )
        remedy = "give a probability per division"
        if require_fraction("per_antigen", self.per_antigen, remedy).ndim != 1:
            raise ParameterError(
                f"per_antigen is {self.per_antigen!r}; each entry must be one number; {remedy}"
            )
        require_fraction("common_mode", self.common_mode, remedy, scalar=True)
        require_fraction("shared_defect", self.shared_defect, remedy, scalar=True)
        if self.total > 1:
            raise ParameterError(
                f"the loss probabilities add up to {self.total:g}; at most one loss happens at a "
                "division, so they must add up to at most 1; lower them"
            )

    @property
    def total(self) -> float:
        """Probability per division that one daughter loses anything, dimensionless."""
        return sum(self.per_antigen) + self.common_mode + self.shared_defect

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

        The other daughter is in state i. Rows add up to 1. Lineage switch and shared defect
        both lead to the last state; `car_relapse.celltypes` keeps them apart.

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
            matrix[state, self.escaped] += self.common_mode + self.shared_defect
        np.fill_diagonal(matrix, 1.0 - matrix.sum(axis=1))
        return matrix


@dataclass(frozen=True, kw_only=True)
class Plasticity:
    """What antigens do besides being lost for good, and what losing one costs the cell.

    Every field has one number for each targeted antigen; an empty tuple stands for noughts.

    Examples
    --------
    >>> Plasticity(switch_off=(1e-4,), switch_on=(1e-2,)).reversible(0)
    True
    """

    switch_off: tuple[float, ...] = ()
    """Rate at which a cell stops to show the antigen, 1/day, >= 0."""
    switch_on: tuple[float, ...] = ()
    """Rate at which a cell that stopped shows it again, 1/day, >= 0."""
    stripping: tuple[float, ...] = ()
    """Trogocytosis: expected times that an engaged cell has the antigen torn off, per unit of
    the killing hazard it goes through; dimensionless, >= 0. It comes back at `switch_on`."""
    fitness_cost: tuple[float, ...] = ()
    """Fraction of the birth rate that a cell forgoes when it has lost the antigen for good;
    costs of several antigens multiply; dimensionless, in [0, 1]."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            _require_tuple(field.name, value, "(0.01,)")
            remedy = "give one number for each targeted antigen"
            check = require_fraction if field.name == "fitness_cost" else require_non_negative
            if value and check(field.name, value, remedy).ndim != 1:
                raise ParameterError(
                    f"{field.name} is {value!r}; each entry must be one number; {remedy}"
                )
        for j in range(len(self.switch_off)):
            if self.switch_off[j] > 0 and self.of("switch_on", j) == 0:
                raise ParameterError(
                    f"switch_off is {self.switch_off[j]:g} and switch_on 0 for antigen {j + 1}; "
                    "what never comes back is lost; give switch_on > 0, or a loss per division"
                )

    def of(self, name: str, antigen: int) -> float:
        """Return the value of field `name` for one antigen, 0 when none was given.

        Parameters
        ----------
        name : str
            ``switch_off``, ``switch_on``, ``stripping`` or ``fitness_cost``.
        antigen : int
            Counted from 0.

        Raises
        ------
        ParameterError
            When there is no such field, or `antigen` is not from 0 to 5.
        """
        known = self.__dataclass_fields__
        if not isinstance(name, str) or name not in known:
            raise ParameterError(
                f"name is {name!r}; it must be a field of Plasticity; give one of "
                f"{', '.join(known)}"
            )
        which = require_count("antigen", antigen, _COUNTED, maximum=MOST_ANTIGENS - 1)
        values: tuple[float, ...] = getattr(self, name)
        return float(values[which]) if which < len(values) else 0.0

    def reversible(self, antigen: int) -> bool:
        """Return whether cells can be without this antigen and not have lost it.

        Parameters
        ----------
        antigen : int
            Counted from 0.

        Raises
        ------
        ParameterError
            When `antigen` is not from 0 to 5.
        """
        return self.of("switch_off", antigen) > 0 or self.of("stripping", antigen) > 0

    def check_antigens(self, antigens: int) -> None:
        """Raise when a field has entries, but not one for each of `antigens`.

        Raises
        ------
        ParameterError
            Naming the field; and when `antigens` is not from 1 to 6.
        """
        require_count(
            "antigens", antigens, "say how many are targeted", minimum=1, maximum=MOST_ANTIGENS
        )
        for field in fields(self):
            count = len(getattr(self, field.name))
            if count not in (0, antigens):
                raise ParameterError(
                    f"{field.name} has {count} entries and losses {antigens} antigens; each "
                    "antigen needs one; give as many, or none"
                )
