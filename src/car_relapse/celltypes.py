r"""The types of cell a patient's leukaemia is made of, as plain arrays.

A type is a set of antigens lost for good. Two things make more types of it. An antigen that
switches off, or is torn off by T cells, can also be *off but not lost*. And a cell that has
switched lineage is a type of its own, apart from one that has lost every antigen.

Types come in the order of what they have lost, so that a division leads to the type itself
or to a later one. What relapse a type makes depends on what it has *lost for good*:

=====  ==================================================================================
class  types
=====  ==================================================================================
0      every target kept: antigen-positive
1      some targets lost: partial loss
2      all targets lost: full antigen-negative
3      lineage switch
=====  ==================================================================================

A cell whose antigen is off looks negative, but its line shows the target again, and is
counted as if it showed it now; only an antigen that can never come back (`switch_on` 0) is
lost once it is off. The class says what was lost, not whether the cell is killed: under an
AND gate a cell with one loss is of class 1 and has escaped.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from car_relapse.antigens import Losses, Plasticity
from car_relapse.errors import ParameterError, require_instance, require_non_negative
from car_relapse.patient import Patient
from car_relapse.switching import low_fraction

__all__ = [
    "FULL_LOSS",
    "KEPT",
    "LINEAGE_SWITCH",
    "PARTIAL_LOSS",
    "CellTypes",
    "cell_types",
    "density_groups",
]

KEPT, PARTIAL_LOSS, FULL_LOSS, LINEAGE_SWITCH = range(4)

_SHOWN, _OFF, _LOST = range(3)
_MOST_TYPES = 2048


@dataclass(frozen=True, kw_only=True)
class CellTypes:
    """Rates and probabilities of n types of cell under P products."""

    names: tuple[str, ...]
    """What each type has lost, antigens counted from 1."""
    birth: NDArray[np.float64]
    """Division rate of each type, 1/day, shape (n,)."""
    death: NDArray[np.float64]
    """Natural death rate of each type, 1/day, shape (n,)."""
    daughters: NDArray[np.float64]
    """Probability that one daughter of type i is of type j, the other one of type i; rows add
    up to 1, shape (n, n)."""
    switching: NDArray[np.float64]
    """Rate from type i to type j without a division, 1/day, diagonal 0, shape (n, n)."""
    engagement: NDArray[np.float64]
    """Killing rate of each type over that of a cell that is fully engaged, shape (P, n)."""
    expansion: NDArray[np.float64]
    """How far each type drives each product to expand, of the full drive, shape (P, n)."""
    stripping: NDArray[np.float64]
    """Rate from type i to type j over the killing rate of a cell that is fully engaged by
    the product, shape (P, n, n)."""
    initial: NDArray[np.float64]
    """Share of the burden at infusion that is of each type, before the losses of the growth
    phase, adding up to 1, shape (n,)."""
    lost: NDArray[np.int64]
    """Antigens that each type has lost for good, as a bit mask; all of them after a lineage
    switch, shape (n,)."""
    relapse_class: NDArray[np.int64]
    """Kind of relapse that each type makes, 0 to 3, shape (n,)."""
    block: NDArray[np.int64]
    """Number of the group of types that switch into each other and back, shape (n,)."""

    @property
    def size(self) -> int:
        """Number of types, n."""
        return int(self.birth.size)

    def mean_expansion(self, cells: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the drive to expand that each product meets, averaged over a tumour.

        Parameters
        ----------
        cells : ndarray, shape (..., n)
            Number of cells of each type.

        Returns
        -------
        ndarray, shape (..., P)
            In [0, 1]; 0 where there are no cells.

        Raises
        ------
        ParameterError
            When `cells` is negative or not finite, or has not one number for each type.
        """
        counts = require_non_negative("cells", cells, "give a number of cells of each type")
        if counts.ndim == 0 or counts.shape[-1] != self.size:
            raise ParameterError(
                f"cells has shape {counts.shape} and there are {self.size} types; its last axis "
                "must have one number for each; give (..., types)"
            )
        # Parts of the largest number add up without overflow.
        largest = counts.max(axis=-1, keepdims=True)
        parts = np.divide(counts, largest, out=np.zeros_like(counts), where=largest > 0)
        total = parts.sum(axis=-1, keepdims=True)
        share = np.divide(parts, total, out=np.zeros_like(parts), where=total > 0)
        return np.asarray(share @ self.expansion.T)


def _levels(plasticity: Plasticity, antigens: int) -> list[tuple[int, ...]]:
    """Return every combination of levels, fewest losses first, shown before off."""
    each = [
        (_SHOWN, _OFF, _LOST) if plasticity.reversible(j) else (_SHOWN, _LOST)
        for j in range(antigens)
    ]
    combinations = list(product(*each))

    def order(levels: tuple[int, ...]) -> tuple[int, int, int]:
        lost = [j for j, level in enumerate(levels) if level == _LOST]
        off = [j for j, level in enumerate(levels) if level == _OFF]
        return len(lost), sum(1 << j for j in lost), sum(1 << j for j in off)

    if not any(_OFF in levels for levels in combinations):
        # Without antigens that are off, a type is the bit mask of its losses.
        return sorted(combinations, key=lambda levels: order(levels)[1])
    return sorted(combinations, key=order)


def _name(levels: tuple[int, ...]) -> str:
    parts = [
        f"{'off' if level == _OFF else 'lost'} {j + 1}"
        for j, level in enumerate(levels)
        if level != _SHOWN
    ]
    return ", ".join(parts) if parts else "all shown"


def _gone(levels: tuple[int, ...], plasticity: Plasticity) -> int:
    """Return how many antigens the cell's line will never show again."""
    return sum(
        level == _LOST or (level == _OFF and plasticity.of("switch_on", j) == 0)
        for j, level in enumerate(levels)
    )


def _transitions(
    levels: list[tuple[int, ...]], losses: Losses, plasticity: Plasticity, lineage: int | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return daughters and switching over the types."""
    n = len(levels) + (lineage is not None)
    at = {combination: i for i, combination in enumerate(levels)}
    all_lost = at[(_LOST,) * losses.antigens]
    daughters, switching = np.zeros((n, n)), np.zeros((n, n))
    for i, combination in enumerate(levels):
        if i == all_lost:
            continue
        for j, level in enumerate(combination):
            if level == _LOST:
                continue
            daughters[i, at[(*combination[:j], _LOST, *combination[j + 1 :])]] += (
                losses.per_antigen[j]
            )
            if plasticity.reversible(j):
                other = _OFF if level == _SHOWN else _SHOWN
                rate = plasticity.of("switch_off" if level == _SHOWN else "switch_on", j)
                switching[i, at[(*combination[:j], other, *combination[j + 1 :])]] += rate
        daughters[i, all_lost] += losses.shared_defect
        daughters[i, all_lost if lineage is None else lineage] += losses.common_mode
    np.fill_diagonal(daughters, 1.0 - daughters.sum(axis=1))
    return daughters, switching


def _stripping(
    levels: list[tuple[int, ...]], patient: Patient, engagement: NDArray[np.float64], n: int
) -> NDArray[np.float64]:
    """Return fluxes from shown to off, per killing rate, shape (..., P, n, n)."""
    plasticity, antigens = patient.plasticity, patient.losses.antigens
    flux = np.zeros((*engagement.shape, n))
    at = {combination: i for i, combination in enumerate(levels)}
    for p, therapy in enumerate(patient.products):
        for j in therapy.gate.reads(antigens):
            torn = plasticity.of("stripping", j)
            for i, combination in enumerate(levels):
                if torn > 0 and combination[j] == _SHOWN:
                    off = at[(*combination[:j], _OFF, *combination[j + 1 :])]
                    flux[..., p, i, off] += torn * engagement[..., p, i]
    return flux


def _initial(
    levels: list[tuple[int, ...]], patient: Patient, switching: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the shares at infusion: switching is at equilibrium after growth."""
    antigens = patient.losses.antigens
    share = np.zeros(len(switching))
    for state, part in patient.mixture or ((0, 1.0),):
        kept = [
            i
            for i, combination in enumerate(levels)
            if all((level == _LOST) == bool(state >> j & 1) for j, level in enumerate(combination))
        ]
        # Antigens switch independently, so the shares of a state are products.
        for i in kept:
            weight = part
            for j in range(antigens):
                if levels[i][j] == _LOST or not patient.plasticity.reversible(j):
                    continue
                off = patient.plasticity.of("switch_off", j)
                on = patient.plasticity.of("switch_on", j)
                low = float(low_fraction(off, on)) if off > 0 else 0.0
                weight *= low if levels[i][j] == _OFF else 1.0 - low
            share[i] += weight
    return share


def _blocks(
    levels: list[tuple[int, ...]], plasticity: Plasticity, lineage: int | None
) -> NDArray[np.int64]:
    """Return the number of each type's block: what it will never show again."""
    gone = [
        tuple(
            level if level == _LOST or plasticity.of("switch_on", j) == 0 else _SHOWN
            for j, level in enumerate(combination)
        )
        for combination in levels
    ]
    number = {state: i for i, state in enumerate(dict.fromkeys(gone))}
    return np.array([number[state] for state in gone] + [len(number)] * (lineage is not None))


def _types(
    patient: Patient, engaged: NDArray[np.float64], expanding: NDArray[np.float64]
) -> CellTypes:
    """Return the types with engagement of shape (groups, P, n), expansion and stripping."""
    losses, plasticity = patient.losses, patient.plasticity
    levels = _levels(plasticity, losses.antigens)
    lineage = len(levels) if losses.common_mode > 0 else None
    n = len(levels) + (lineage is not None)
    daughters, switching = _transitions(levels, losses, plasticity, lineage)
    shown = np.array([[level == _SHOWN for level in combination] for combination in levels])
    if lineage is not None:
        shown = np.vstack([shown, np.zeros(losses.antigens, dtype=bool)])

    def through_gates(h: NDArray[np.float64]) -> NDArray[np.float64]:
        # h has shape (groups, k); each antigen of a type counts while it is shown.
        arms = [h[:, None, j] * shown[:, j] for j in range(losses.antigens)]
        return np.stack([t.gate.fraction(arms) for t in patient.products], axis=1)

    engagement = through_gates(engaged)
    cost = np.array(
        [
            np.prod(
                [
                    1.0 - plasticity.of("fitness_cost", j)
                    for j, level in enumerate(combination)
                    if level == _LOST
                ]
            )
            for combination in levels
        ]
    )
    kinds = [_gone(combination, plasticity) for combination in levels]
    rank = [
        KEPT if gone == 0 else FULL_LOSS if gone == losses.antigens else PARTIAL_LOSS
        for gone in kinds
    ]
    names = [_name(combination) for combination in levels]
    if lineage is not None:
        # Genes are not lost by a change of lineage, so it has no cost.
        cost, rank, names = (
            np.append(cost, 1.0),
            [*rank, LINEAGE_SWITCH],
            [*names, "lineage switch"],
        )
    return CellTypes(
        names=tuple(names),
        birth=patient.leukaemia.birth_rate * cost,
        death=np.full(n, float(patient.leukaemia.death_rate)),
        daughters=daughters,
        switching=switching,
        engagement=engagement,
        expansion=np.minimum(through_gates(expanding), 1.0),
        stripping=_stripping(levels, patient, engagement, n),
        initial=_initial(levels, patient, switching),
        lost=np.array(
            [
                sum((level == _LOST) << j for j, level in enumerate(combination))
                for combination in levels
            ]
            + [losses.escaped] * (lineage is not None)
        ),
        relapse_class=np.array(rank),
        block=_blocks(levels, plasticity, lineage),
    )


def density_groups(patient: Patient) -> tuple[NDArray[np.float64], CellTypes]:
    """Return the share of each density group and the types, which differ in engagement only.

    Parameters
    ----------
    patient : Patient
        With or without a spread of antigen density; without, there is one group.

    Returns
    -------
    weight : ndarray, shape (groups,)
        Shares of the tumour, adding up to 1.
    types : CellTypes
        `engagement` and `expansion` of shape (groups, P, n), `stripping` (groups, P, n, n).
    """
    require_instance("patient", patient, Patient, "give a car_relapse.Patient")
    if patient.density is None:
        full = np.ones((1, patient.losses.antigens))
        return np.ones(1), _types(patient, full, full)
    groups = patient.density.groups()
    return groups.weight, _types(patient, groups.killing, groups.expansion)


def cell_types(patient: Patient) -> CellTypes:
    """Return the types of cell of one patient.

    With a spread of antigen density every group has types of its own, which never lead to
    those of another group; `density_groups` is the compact form.

    Parameters
    ----------
    patient : Patient
        Antigens, losses, plasticity, density and products.

    Returns
    -------
    CellTypes

    Raises
    ------
    ParameterError
        When there are more than 2048 types, groups included.

    Examples
    --------
    >>> from car_relapse.patient import typical_patient
    >>> types = cell_types(typical_patient())
    >>> types.names
    ('all shown', 'lost 1', 'lineage switch')
    >>> types.relapse_class
    array([0, 2, 3])
    """
    weight, types = density_groups(patient)
    groups, n = weight.size, types.size
    if groups * n > _MOST_TYPES:
        raise ParameterError(
            f"density makes {groups} groups of {n} types; at most {_MOST_TYPES} types fit in one "
            "table; give fewer bins, or use celltypes.density_groups"
        )
    each = np.eye(groups)

    def blocks(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(np.kron(each, matrix), dtype=float)

    apart = np.zeros((len(patient.products), groups, n, groups, n))
    for g in range(groups):
        apart[:, g, :, g, :] = types.stripping[g]
    label = [f"group {g + 1}: " if groups > 1 else "" for g in range(groups)]
    return CellTypes(
        names=tuple(group + name for group in label for name in types.names),
        birth=np.tile(types.birth, groups),
        death=np.tile(types.death, groups),
        daughters=blocks(types.daughters),
        switching=blocks(types.switching),
        engagement=types.engagement.transpose(1, 0, 2).reshape(-1, groups * n),
        expansion=types.expansion.transpose(1, 0, 2).reshape(-1, groups * n),
        stripping=apart.reshape(-1, groups * n, groups * n),
        initial=(weight[:, None] * types.initial).reshape(-1),
        lost=np.tile(types.lost, groups),
        relapse_class=np.tile(types.relapse_class, groups),
        block=(types.block + np.arange(groups)[:, None] * (types.block.max() + 1)).reshape(-1),
    )
