r"""Which way the disease escaped: the exponent carried by each path of losses.

A path is the order in which a line lost its antigens: first 1 and then 2, or 2 and then 1, or
1 and then, by a change of lineage, everything. The exponent of a path counts the lines whose
survivors came by it, out of lines that leave none that lost less. It is found by solving the
equations of survival with the losses of the path alone counted as leading there; other losses
still take cells away.

While losses are rare a line escapes by one path or by none, so the exponents of the paths add
up to that of their class. Where it escapes by two at once, both count it; the *remainder* says
by how much they add up to more.

Six antigens can be lost in 1,956 orders, and the equations of the longest cost minutes while
their exponents are products of six small numbers. So of five or six antigens only the shorter
paths are told apart unless more are asked for; the remainder holds the others.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import permutations

import numpy as np
from numpy.typing import NDArray

from car_relapse.celltypes import CellTypes, density_groups
from car_relapse.errors import ParameterError, require_count, require_instance
from car_relapse.exponents import (
    Founders,
    LinesAtInfusion,
    class_lines,
    exponent,
    growth_founders,
    mean_fate,
)
from car_relapse.patient import Patient
from car_relapse.patient_lines import path_fates, patient_lines
from car_relapse.schedule import killing_schedule

__all__ = ["Attribution", "LossPath", "attribution"]

Step = int | str
_LINEAGE, _DEFECT = "lineage switch", "shared defect"
# Antigens whose every order is told apart unasked, and the steps that are told apart of more.
_FEW_ANTIGENS = 4
_SHORT = 3


@dataclass(frozen=True, kw_only=True)
class LossPath:
    """One order of losses and what it carries."""

    steps: tuple[Step, ...]
    """Losses in their order: antigens counted from 1, "shared defect" or "lineage switch"."""
    relapse_class: int
    """Class of relapse it ends in, 1 to 3."""
    lines: float
    """Expected number of surviving lines that came by it, dimensionless, >= 0."""
    preexisting_lines: float
    """That part whose first loss predates infusion, dimensionless, >= 0."""


@dataclass(frozen=True, kw_only=True)
class Attribution:
    """The exponents of every path of losses."""

    paths: tuple[LossPath, ...]
    """Every path, shortest first."""
    class_lines: tuple[float, ...]
    """Exponent of each class of relapse, 0 to 3, dimensionless, >= 0."""

    def remainder(self, relapse_class: int) -> float:
        """Return the exponent of a class less those of its paths, dimensionless.

        Negative where lines escape by two paths at once; positive where a class has paths
        of more steps than were told apart.
        """
        relapse_class = require_count("relapse_class", relapse_class, "count from 0", maximum=3)
        parts = [path.lines for path in self.paths if path.relapse_class == relapse_class]
        return self.class_lines[relapse_class] - sum(parts)


@dataclass(frozen=True)
class _Way:
    """A path with the losses that belong to it, shape (n, n)."""

    steps: tuple[Step, ...]
    relapse_class: int
    rank: int
    losses: NDArray[np.float64]


def _ranks(types: CellTypes, antigens: int) -> NDArray[np.int64]:
    """Return how much each type has lost: a class of its own for every number of antigens."""
    count = np.array([int(mask).bit_count() for mask in types.lost])
    ranks = np.choose(types.relapse_class, [0, np.maximum(count, 1), antigens, antigens + 1])
    return np.asarray(ranks, dtype=np.int64)


def _ways(patient: Patient, types: CellTypes, longest: int) -> list[_Way]:
    """Return every path of at most `longest` steps that some division can begin."""
    losses = patient.losses
    k, escaped = losses.antigens, losses.escaped
    lineage = types.relapse_class == 3
    ways = []
    for length in range(min(k, longest) + 1):
        for order in permutations(range(k), length):
            if any(losses.per_antigen[antigen] == 0 for antigen in order):
                continue
            kept = np.zeros_like(types.daughters)
            mask = 0
            for antigen in order:
                after = mask | 1 << antigen
                # Of losses to the last state only those of the antigen itself.
                chance = np.where(types.daughters > 0, losses.per_antigen[antigen], 0.0)
                step = (types.lost[:, None] == mask) & (types.lost == after) & ~lineage
                kept += np.where(step & ~lineage[:, None], chance, 0.0)
                mask = after
            here = (types.lost[:, None] == mask) & ~lineage[:, None] & (mask != escaped)
            ended = types.lost == mask
            names: tuple[Step, ...] = tuple(a + 1 for a in order)
            if length:
                kind = int(types.relapse_class[ended & ~lineage].max())
                ways.append(_Way(names, kind, length, kept))
            if losses.shared_defect > 0 and mask != escaped:
                step = here & (types.lost == escaped) & ~lineage
                ways.append(
                    _Way((*names, _DEFECT), 2, k, kept + np.where(step, losses.shared_defect, 0.0))
                )
            if losses.common_mode > 0 and mask != escaped:
                step = here & lineage
                ways.append(
                    _Way(
                        (*names, _LINEAGE), 3, k + 1, kept + np.where(step, losses.common_mode, 0.0)
                    )
                )
    return [way for way in ways if len(way.steps) <= longest and way.losses.any()]


def _stretched(lines: LinesAtInfusion, count: int) -> dict[str, NDArray[np.float64]]:
    names = ("birth", "death", "cells", "burden")
    return {name: np.repeat(getattr(lines, name), count, axis=-1) for name in names}


def attribution(patient: Patient, *, longest: int | None = None) -> Attribution:
    """Return the exponent carried by each path of losses.

    Parameters
    ----------
    patient : Patient
        One to six antigens; no antigen densities and no mixture.
    longest : int, optional
        Most steps of a path, 1 to 7. None for every path of up to four antigens, and for paths
        of up to three steps of five or six.

    Returns
    -------
    Attribution

    Raises
    ------
    ParameterError
        When the patient has densities or a mixture, or `longest` is no such number.

    Examples
    --------
    >>> from car_relapse.patient import typical_patient
    >>> for path in attribution(typical_patient()).paths:
    ...     print(path.steps, round(path.lines, 3))
    (1,) 0.177
    ('lineage switch',) 0.029
    """
    require_instance("patient", patient, Patient, "give a car_relapse.Patient")
    few = patient.losses.antigens <= _FEW_ANTIGENS
    # The last step may be a common loss, beside those of every antigen.
    most = patient.losses.antigens + 1
    steps = (most if few else _SHORT) if longest is None else longest
    steps = require_count("longest", steps, "count the steps of a path", minimum=1, maximum=7)
    if patient.density is not None or patient.mixture is not None:
        raise ParameterError(
            "the patient has antigen densities or a mixture; paths start from one kind of cell; "
            "take them out"
        )
    _, types = density_groups(patient)
    lines = patient_lines(patient)
    schedule = killing_schedule(patient.products, types)
    ways = _ways(patient, types, steps)
    ranked = replace(types, relapse_class=_ranks(types, patient.losses.antigens))
    found: dict[tuple[Step, ...], tuple[float, float]] = {}
    for rank in sorted({way.rank for way in ways}):
        here = [way for way in ways if way.rank == rank]
        losses = np.stack([way.losses for way in here], axis=2)
        fates = path_fates(ranked, schedule, rank, losses)
        spread = _stretched(lines, len(here))
        many = LinesAtInfusion(
            **spread,
            daughters=lines.daughters,
            switching=lines.switching,
            block=lines.block,
            relapse_class=lines.relapse_class,
            classes=lines.classes,
            fates=fates,
        )
        late = exponent(spread["cells"], fates[-1], 1.0 - fates[:-1].sum(axis=0))
        early = np.zeros_like(late)
        for founders in growth_founders(lines):
            # Founders by the first step of each path alone.
            divisions = lines.birth[:, 0] / founders.net * lines.cells[:, 0]
            events = np.einsum("i,ijp->jp", divisions, losses)
            some = Founders(
                net=np.repeat(founders.net, len(here)),
                age=np.repeat(founders.age, len(here)),
                events=events,
            )
            early += (mean_fate(many, some, fates, losses)[-1] * events).sum(axis=0)
        for way, whole, before in zip(here, late + early, early, strict=True):
            found[way.steps] = float(whole), float(before)
    whole_lines, _ = class_lines(lines)
    return Attribution(
        paths=tuple(
            LossPath(
                steps=way.steps,
                relapse_class=way.relapse_class,
                lines=found[way.steps][0],
                preexisting_lines=found[way.steps][1],
            )
            for way in sorted(ways, key=lambda w: (len(w.steps), [str(s) for s in w.steps]))
        ),
        class_lines=tuple(whole_lines.sum(axis=1).tolist()),
    )
