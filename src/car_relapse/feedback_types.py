"""Tumour cells and the T cells they meet: the parts of `car_relapse.feedback`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from car_relapse.celltypes import CellTypes
from car_relapse.errors import (
    ParameterError,
    require_count,
    require_fraction,
    require_instance,
    require_non_negative,
    require_positive,
)
from car_relapse.published._leontriana2020_model import LeukaemiaParameters, log_slope
from car_relapse.published.cartmath2021 import CartmathParameters

__all__ = [
    "AntigenDriven",
    "CarModel",
    "PredatorPrey",
    "Prescribed",
    "TumourTypes",
    "safe_number",
    "tumour_types",
]

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class TumourTypes:
    """Tumour cells of n types."""

    birth: Floats
    """Division rate, 1/day, > 0, shape (n,)."""
    death: Floats
    """Death rate without CAR-T and crowding, 1/day, >= 0, shape (n,)."""
    daughters: Floats
    """Probability that one daughter of type i is of type j; rows add up to 1, shape (n, n)."""
    engagement: Floats
    """Killing rate over that of a fully engaged cell, in [0, 1], shape (n,)."""
    expansion: Floats
    """How far a cell drives CAR-T to expand, of the full drive, in [0, 1], shape (n,)."""
    crowding: float = 0.0
    """Inverse carrying capacity c, 1/cell, >= 0; 0 is no limit."""

    def __post_init__(self) -> None:
        remedy = "give one number for each type"
        n = require_positive("birth", self.birth, remedy).shape
        shapes = {
            "death": require_non_negative("death", self.death, remedy).shape,
            "engagement": require_fraction("engagement", self.engagement, remedy).shape,
            "expansion": require_fraction("expansion", self.expansion, remedy).shape,
        }
        rows = require_fraction("daughters", self.daughters, remedy)
        require_non_negative("crowding", self.crowding, "give 0 for no limit", scalar=True)
        if len(n) != 1 or any(shape != n for shape in shapes.values()) or rows.shape != n * 2:
            raise ParameterError(
                f"birth has shape {n}, the others {shapes} and daughters {rows.shape}; they must "
                f"all speak of the same types; {remedy}"
            )
        if np.any(np.abs(rows.sum(axis=1) - 1.0) > 1e-9):
            raise ParameterError(
                f"the rows of daughters add up to {rows.sum(axis=1)}; a daughter is of one type, "
                "so each must add up to 1; put the rest on the diagonal"
            )


def tumour_types(types: CellTypes, *, product: int = 0, crowding: float = 0.0) -> TumourTypes:
    """Return the types of a patient's cells as one product meets them.

    Parameters
    ----------
    types : CellTypes
        From `car_relapse.celltypes.cell_types`, without switching or stripping.
    product : int
        Which product drives and kills.
    crowding : float
        Inverse carrying capacity, 1/cell.

    Raises
    ------
    ParameterError
        When the types switch, or there is no such product.
    """
    require_instance("types", types, CellTypes, "give cell_types(patient)")
    which = require_count("product", product, "0 is the first", maximum=len(types.engagement) - 1)
    if types.switching.any() or types.stripping.any():
        raise ParameterError(
            "types switch; with feedback they may only be lost at divisions; give a patient "
            "without switching and stripping, or use course.sample_courses"
        )
    return TumourTypes(
        birth=types.birth,
        death=types.death,
        daughters=types.daughters,
        engagement=np.minimum(types.engagement[which], 1.0),
        expansion=types.expansion[which],
        crowding=crowding,
    )


class CarModel(Protocol):
    """T cells of many courses side by side.

    The state has shape (3, n): effector CAR-T, memory CAR-T and healthy B cells, in cells; what
    a model does without stays 0.
    """

    def start(self, n: int) -> Floats:
        """Return the state of n courses before any dose."""

    def killing(self, day: float, state: Floats) -> Floats:
        """Return the killing rate of a fully engaged cell, 1/day, shape (n,)."""

    def advance(self, state: Floats, antigen: Floats, days: float) -> Floats:
        """Return the state after `days` with `antigen` tumour cells in sight."""


@dataclass(frozen=True, kw_only=True)
class AntigenDriven:
    """CAR-T of CARTmath: expansion, memory and inhibition by the antigen in sight."""

    parameters: CartmathParameters
    """Rates of the CAR-T cells; those of the tumour are not used."""

    def __post_init__(self) -> None:
        require_instance("parameters", self.parameters, CartmathParameters, "see its docstring")

    def start(self, n: int) -> Floats:
        """Return n courses without CAR-T."""
        return np.zeros((3, n))

    def killing(self, day: float, state: Floats) -> Floats:
        """Return the killing rate of a fully engaged cell, 1/day, shape (n,)."""
        return np.asarray(self.parameters.killing_rate * state[0])

    def advance(self, state: Floats, antigen: Floats, days: float) -> Floats:
        """Return the state after `days` with `antigen` tumour cells in sight.

        The equations are linear while the antigen stays, and their matrix has real
        eigenvalues: it is solved exactly.
        """
        p = self.parameters
        wake = p.memory_activation * antigen
        a = p.proliferation_rate - p.loss_rate - p.inhibition * antigen
        d = -wake - p.memory_death
        middle, half = 0.5 * (a + d), 0.5 * (a - d)
        root = np.sqrt(half**2 + wake * p.memory_formation)
        fast, slow = np.exp((middle + root) * days), np.exp((middle - root) * days)
        even, odd = 0.5 * (fast + slow), 0.5 * (fast - slow) / root
        effector, memory, b_cells = state
        return np.array(
            [
                even * effector + odd * (half * effector + wake * memory),
                even * memory + odd * (p.memory_formation * effector - half * memory),
                b_cells,
            ]
        )


@dataclass(frozen=True, kw_only=True)
class PredatorPrey:
    """CAR-T of León-Triana et al. 2020: leukaemia and healthy B cells alike make them grow.

    The number of CAR-T cells follows its prey, and the killing of a target costs none of them.
    There is no memory. Healthy B cells are so many that they follow their equation.
    """

    parameters: LeukaemiaParameters
    """Rates of CAR-T and B cells, and the B cells at the start; the CAR-T cells infused are a
    dose, and the leukaemia's growth and size are not used."""

    def __post_init__(self) -> None:
        require_instance("parameters", self.parameters, LeukaemiaParameters, "see its docstring")

    def start(self, n: int) -> Floats:
        """Return n courses with B cells and without CAR-T."""
        none = np.zeros(n)
        return np.array([none, none, none + self.parameters.b_cell_start])

    def killing(self, day: float, state: Floats) -> Floats:
        """Return the killing rate of a fully engaged cell, 1/day, shape (n,)."""
        return np.asarray(self.parameters.killing_rate * state[0])

    def advance(self, state: Floats, antigen: Floats, days: float) -> Floats:
        """Return the state after `days` with `antigen` tumour cells in sight.

        The midpoint rule on the logs of CAR-T and B cells: right to second order in `days`.
        """
        car, memory, b_cells = state
        with np.errstate(divide="ignore"):  # none of a kind is the log of 0, and stays none
            first = np.log(np.array([car, antigen, b_cells]))
        middle = first.copy()
        for _ in range(2):
            # The tumour stays as it was seen; the leap moves it.
            slope = log_slope(self.parameters, middle)
            ahead = first + days * np.array([slope[0], 0.0 * antigen, slope[2]])
            middle = 0.5 * (first + ahead)
            middle[1] = first[1]
        return np.array([np.exp(ahead[0]), memory, np.exp(ahead[2])])


@dataclass(frozen=True, kw_only=True)
class Prescribed:
    """CAR-T that do not heed the tumour: their killing rate is given."""

    rate: Callable[[float], float]
    """Killing rate of a fully engaged cell on a day, 1/day, >= 0."""

    def killing(self, day: float, state: Floats) -> Floats:
        """Return the killing rate of a fully engaged cell, 1/day, shape (n,)."""
        rate = require_non_negative("rate", self.rate(day), "mend the function", scalar=True)
        return np.full(state.shape[1], float(rate))

    def start(self, n: int) -> Floats:
        """Return n courses without CAR-T."""
        return np.zeros((3, n))

    def advance(self, state: Floats, antigen: Floats, days: float) -> Floats:
        """Return the state as it is."""
        return state


_TINY = 1e-300  # survival below it is as good as none; numbers of cells stay below 1e300


def safe_number(survival: float, error: float) -> int:
    r"""Return the cells n* above which chance extinction is rarer than `error`.

    All n* lines die with probability :math:`\alpha^{n^*}`, where :math:`\alpha = 1 - s` under
    the rates that follow; under killing, take s from the exact survival equations.

    Parameters
    ----------
    survival : float
        Probability s that one line survives, in (0, 1].
    error : float
        Probability allowed, in (0, 1).

    Raises
    ------
    ParameterError
        When an argument is out of its range.

    Examples
    --------
    >>> safe_number(0.02, 1e-8)
    912
    """
    s = float(require_fraction("survival", survival, "give 1 - d/b", scalar=True))
    e = float(require_fraction("error", error, "give a small probability", scalar=True))
    if s == 0 or e in (0.0, 1.0):
        raise ParameterError(
            f"survival is {s:g} and error is {e:g}; survival must be > 0 and error inside (0, 1), "
            "or no number is safe; change them"
        )
    if s == 1:
        return 1
    return max(1, int(np.ceil(min(np.log(e) / np.log1p(-max(s, _TINY)), 1.0 / _TINY))))
