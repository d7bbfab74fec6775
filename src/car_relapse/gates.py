r"""Gates: how the engagement of several antigens becomes one effect on the cell.

Each antigen :math:`i` of a cell is engaged to a fraction :math:`h_i` in [0, 1] of what it
could be. A gate is the fraction of the maximal killing rate that follows. At 0 and 1 the
gates are those of logic; in between they are probabilities of independent events.

The functions are the arithmetic; the classes are what a product carries.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from car_relapse.antigens import MOST_ANTIGENS
from car_relapse.errors import (
    ParameterError,
    is_list,
    require_broadcast,
    require_count,
    require_fraction,
    require_non_negative,
    require_positive,
)

__all__ = [
    "AndGate",
    "AndNotGate",
    "Gate",
    "OrGate",
    "SingleGate",
    "SumGate",
    "and_gate",
    "and_not_gate",
    "cocktail",
    "or_gate",
]


def _engaged(values: Sequence[ArrayLike]) -> list[NDArray[np.float64]]:
    if not hasattr(values, "__len__") or not len(values):
        raise ParameterError(
            "no engagement was given; a gate has at least one input; give one for each antigen"
        )
    remedy = "give the engagement of one antigen"
    if isinstance(values, np.ndarray):
        values = require_fraction("engagement", values, remedy)
    arms = [require_fraction(f"engagement {i + 1}", h, remedy) for i, h in enumerate(values)]
    named = {f"engagement {i + 1}": h for i, h in enumerate(arms)}
    require_broadcast("give one number or one per cell", **named)
    return arms


def and_gate(*engagement: ArrayLike) -> NDArray[np.float64]:
    r"""Return :math:`\prod_i h_i`: every antigen is needed, so *any* loss is an escape.

    Examples
    --------
    >>> and_gate(0.5, 0.5).item()
    0.25
    """
    return _all(_engaged(engagement))


def _all(arms: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    product = np.asarray(1.0)
    for h in arms:
        product = np.asarray(product * h)
    return product


def or_gate(*engagement: ArrayLike, synergy: float = 1.0) -> NDArray[np.float64]:
    r"""Return :math:`1 - \prod_i (1 - h_i) + (S - 1)\prod_i h_i`: any antigen will do.

    Parameters
    ----------
    *engagement : array_like
        Engagement :math:`h_i` of each antigen, in [0, 1].
    synergy : float
        Effect :math:`S` of full engagement of all antigens over that of one, >= 1; above 1
        the result may exceed 1, as a tandem receptor may kill faster than a single one.

    Returns
    -------
    ndarray
        Fraction of the maximal killing rate of one arm, in [0, S].

    Raises
    ------
    ParameterError
        When an engagement lies outside [0, 1], none is given, or `synergy` is below 1.

    Examples
    --------
    >>> round(or_gate(0.8, 0.3).item(), 2)
    0.86
    """
    extra = require_positive("synergy", synergy, "1 means none", scalar=True)
    if np.any(extra < 1):
        raise ParameterError(
            f"synergy is {synergy!r}; a second antigen must not weaken the first, so it must be "
            ">= 1; 1 means none"
        )
    return _any(_engaged(engagement), float(extra))


def _any(arms: list[NDArray[np.float64]], synergy: float) -> NDArray[np.float64]:
    some = np.asarray(0.0)
    for h in arms:
        # Adding what is left over keeps the digits of small engagements.
        some = np.asarray(some + h * (1.0 - some))
    return np.asarray(some + (synergy - 1.0) * _all(arms))


def and_not_gate(target: ArrayLike, veto: ArrayLike) -> NDArray[np.float64]:
    r"""Return :math:`h_1(1 - h_2)`: the second antigen, of healthy cells, stops killing.

    Examples
    --------
    >>> round(and_not_gate(0.8, 0.3).item(), 2)
    0.56
    """
    first, second = _engaged([target, veto])
    return np.asarray(first * (1.0 - second))


def cocktail(
    killing_rate: Sequence[ArrayLike], engagement: Sequence[ArrayLike]
) -> NDArray[np.float64]:
    r"""Return :math:`\sum_i \kappa_i h_i`, the killing rate of products given together.

    Parameters
    ----------
    killing_rate : sequence of array_like
        Killing rate :math:`\kappa_i` of each product at full engagement, 1/day, >= 0: each
        has a level of its own.
    engagement : sequence of array_like
        Engagement :math:`h_i` of each product's antigen, in [0, 1].

    Returns
    -------
    ndarray
        1/day.

    Raises
    ------
    ParameterError
        When the two differ in length, or a value breaks its rule.

    Examples
    --------
    >>> cocktail([1.0, 0.5], [0.5, 1.0]).item()
    1.0
    """
    if not all(is_list(given) for given in (killing_rate, engagement)):
        raise ParameterError(
            f"killing_rate is {killing_rate!r} and engagement is {engagement!r}; both must be "
            "lists; give one entry for each product"
        )
    arms = _engaged(engagement)
    if len(killing_rate) != len(arms):
        raise ParameterError(
            f"killing_rate has {len(killing_rate)} entries and engagement {len(arms)}; each "
            "product has one of each; give as many"
        )
    total = np.asarray(0.0)
    for i, (rate, h) in enumerate(zip(killing_rate, arms, strict=True)):
        checked = require_non_negative(f"killing_rate {i + 1}", rate, "give a rate per day")
        require_broadcast("give one number or one per cell", killing_rate=checked, engagement=total)
        require_broadcast("give one number or one per cell", killing_rate=checked, others=h)
        total = np.asarray(total + checked * h)
    return total


class Gate(Protocol):
    """How one product reads the antigens of a cell."""

    def fraction(
        self, engagement: Sequence[ArrayLike], veto: ArrayLike = 0.0
    ) -> NDArray[np.float64]:
        """Return the fraction of the maximal killing rate.

        Parameters
        ----------
        engagement : sequence of array_like
            Engagement of every targeted antigen of the cell, each in [0, 1].
        veto : array_like
            Engagement of a veto antigen, which healthy cells carry and leukaemia does not.
        """
        ...

    def reads(self, antigens: int) -> tuple[int, ...]:
        """Return the antigens, of `antigens` in all, that the product binds."""
        ...


def _reads(given: tuple[int, ...] | None, antigens: int) -> tuple[int, ...]:
    count = require_count(
        "antigens", antigens, "say how many antigens there are", minimum=1, maximum=MOST_ANTIGENS
    )
    if given is None:
        return tuple(range(count))
    if max(given) >= count:
        raise ParameterError(
            f"antigens is {given!r} and there are {count} targeted antigens, counted from 0; "
            "a gate reads only these; change the gate or the losses"
        )
    return given


def _check_antigens(given: tuple[int, ...] | None) -> None:
    if given is None:
        return
    if not isinstance(given, tuple) or not given or len(set(given)) != len(given):
        raise ParameterError(
            f"antigens is {given!r}; it must be a tuple of different antigens, counted from 0, or "
            "None for all; write antigens=(0, 1)"
        )
    for antigen in given:
        require_count("antigens", antigen, "count antigens from 0", maximum=MOST_ANTIGENS - 1)


def _read(
    gate: Gate, engagement: Sequence[ArrayLike], veto: ArrayLike
) -> tuple[list[NDArray[np.float64]], NDArray[np.float64]]:
    """Return the engagement of the antigens that a gate reads, and of the veto antigen."""
    if not is_list(engagement):
        raise ParameterError(
            f"engagement is {engagement!r}; it must be a list; give the engagement of each "
            "targeted antigen"
        )
    each = _engaged(engagement)
    refusal = require_fraction("veto", veto, "give the engagement of the veto antigen, or 0")
    named = {f"engagement {i + 1}": h for i, h in enumerate(each)}
    require_broadcast("give one number or one per cell", **named, veto=refusal)
    return [each[j] for j in gate.reads(len(each))], refusal


def _weighted(
    arms: list[NDArray[np.float64]], share: tuple[float, ...] | None
) -> list[NDArray[np.float64]]:
    if share is None:
        return arms
    if len(share) != len(arms):
        raise ParameterError(
            f"arms has {len(share)} entries and the gate reads {len(arms)} antigens; each arm "
            "binds one; give as many"
        )
    return [np.asarray(a * h) for a, h in zip(share, arms, strict=True)]


def _check_arms(arms: tuple[float, ...] | None) -> None:
    if arms is None:
        return
    remedy = "give a fraction of the maximal killing rate for each arm"
    if not isinstance(arms, tuple) or not arms:
        raise ParameterError(f"arms is {arms!r}; it must be a tuple of numbers or None; {remedy}")
    if require_fraction("arms", arms, remedy).ndim != 1:
        raise ParameterError(f"arms is {arms!r}; each entry must be one number; {remedy}")


@dataclass(frozen=True, kw_only=True)
class OrGate:
    """Any antigen will do: a tandem receptor, or two receptors on one T cell (bicistronic).

    Examples
    --------
    >>> OrGate().fraction([0.8, 0.3]).round(2).item()
    0.86
    >>> OrGate(arms=(1.0, 0.5)).fraction([0.0, 1.0]).item()
    0.5
    """

    antigens: tuple[int, ...] | None = None
    """Antigens that the product binds, counted from 0; None for all."""
    arms: tuple[float, ...] | None = None
    """Fraction of the maximal killing rate that each arm reaches alone, in [0, 1]; None: 1."""
    synergy: float = 1.0
    """Effect of full engagement of all arms over that of one, >= 1, dimensionless."""

    def __post_init__(self) -> None:
        _check_antigens(self.antigens)
        _check_arms(self.arms)
        or_gate(0.0, synergy=float(require_positive("synergy", self.synergy, "1 means none",
                                                    scalar=True)))  # fmt: skip

    def reads(self, antigens: int) -> tuple[int, ...]:
        """Return the antigens that the product binds."""
        return _reads(self.antigens, antigens)

    def fraction(
        self, engagement: Sequence[ArrayLike], veto: ArrayLike = 0.0
    ) -> NDArray[np.float64]:
        """Return the fraction of the maximal killing rate, in [0, synergy]."""
        read, _ = _read(self, engagement, veto)
        return _any(_weighted(read, self.arms), self.synergy)


@dataclass(frozen=True, kw_only=True)
class SumGate:
    """Effects of the arms add: one T cell for each antigen, or arms that do not saturate.

    Examples
    --------
    >>> SumGate(arms=(0.5, 0.5)).fraction([1.0, 1.0]).item()
    1.0
    """

    antigens: tuple[int, ...] | None = None
    """Antigens that the product binds, counted from 0; None for all."""
    arms: tuple[float, ...] | None = None
    """Fraction of the maximal killing rate that each arm adds, in [0, 1]; None: 1."""

    def __post_init__(self) -> None:
        _check_antigens(self.antigens)
        _check_arms(self.arms)

    def reads(self, antigens: int) -> tuple[int, ...]:
        """Return the antigens that the product binds."""
        return _reads(self.antigens, antigens)

    def fraction(
        self, engagement: Sequence[ArrayLike], veto: ArrayLike = 0.0
    ) -> NDArray[np.float64]:
        """Return the fraction of the maximal killing rate, from 0 to the number of arms."""
        read, _ = _read(self, engagement, veto)
        return np.asarray(sum(_weighted(read, self.arms)))


@dataclass(frozen=True, kw_only=True)
class AndGate:
    """Every antigen is needed, so any loss is an escape.

    Examples
    --------
    >>> AndGate().fraction([1.0, 0.0]).item()
    0.0
    """

    antigens: tuple[int, ...] | None = None
    """Antigens that the product needs, counted from 0; None for all."""

    def __post_init__(self) -> None:
        _check_antigens(self.antigens)

    def reads(self, antigens: int) -> tuple[int, ...]:
        """Return the antigens that the product needs."""
        return _reads(self.antigens, antigens)

    def fraction(
        self, engagement: Sequence[ArrayLike], veto: ArrayLike = 0.0
    ) -> NDArray[np.float64]:
        """Return the fraction of the maximal killing rate, in [0, 1]."""
        read, _ = _read(self, engagement, veto)
        return _all(read)


@dataclass(frozen=True, kw_only=True)
class SingleGate:
    """One antigen of several: a member of a cocktail, or one of two products in turn.

    Examples
    --------
    >>> SingleGate(antigen=1).fraction([1.0, 0.25]).item()
    0.25
    """

    antigen: int
    """The antigen that the product binds, counted from 0."""

    def __post_init__(self) -> None:
        require_count("antigen", self.antigen, "count antigens from 0", maximum=MOST_ANTIGENS - 1)

    def reads(self, antigens: int) -> tuple[int, ...]:
        """Return the antigen that the product binds, as a tuple."""
        return _reads((self.antigen,), antigens)

    def fraction(
        self, engagement: Sequence[ArrayLike], veto: ArrayLike = 0.0
    ) -> NDArray[np.float64]:
        """Return the fraction of the maximal killing rate, in [0, 1]."""
        read, _ = _read(self, engagement, veto)
        return _all(read)


@dataclass(frozen=True, kw_only=True)
class AndNotGate:
    """One antigen, unless the cell carries the veto antigen of healthy cells.

    Examples
    --------
    >>> AndNotGate(antigen=0).fraction([0.8], veto=0.3).round(2).item()
    0.56
    """

    antigen: int = 0
    """The antigen that the product binds, counted from 0."""

    def __post_init__(self) -> None:
        require_count("antigen", self.antigen, "count antigens from 0", maximum=MOST_ANTIGENS - 1)

    def reads(self, antigens: int) -> tuple[int, ...]:
        """Return the antigen that the product binds, as a tuple."""
        return _reads((self.antigen,), antigens)

    def fraction(
        self, engagement: Sequence[ArrayLike], veto: ArrayLike = 0.0
    ) -> NDArray[np.float64]:
        """Return the fraction of the maximal killing rate, in [0, 1]."""
        (target,), refusal = _read(self, engagement, veto)
        return np.asarray(target * (1.0 - refusal))
