"""The fates of single cells of one patient, from the patient's record."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from car_relapse.celltypes import CellTypes, density_groups
from car_relapse.errors import ParameterError, require_count, require_fraction, require_instance
from car_relapse.exponents import LinesAtInfusion, chunks
from car_relapse.line_rates import LineRates, gauss_rule
from car_relapse.lines import settled, solve_lines
from car_relapse.patient import Patient
from car_relapse.schedule import Schedule, killing_schedule

__all__ = ["line_fates", "path_fates", "patient_lines"]

_Array = NDArray[np.float64]
_NODES = gauss_rule()[0].size
# Four antigens, each shown, off or lost, and the lineage switch.
_MOST_TYPES = 3**4 + 1
# Floats of one array of one density group, 2 GB of them, and steps of elimination: some minutes.
_MOST_FLOATS = 2.5e8
_MOST_ELIMINATION = 1e12
# Newton's method looks at every panel some four times.
_LOOKS = 4


def _flux(types: CellTypes, kill: _Array, group: slice) -> _Array | None:
    """Return switching rates at the nodes, shape (n, n, P, B, 16) or broadcasting.

    `kill` has shape (products, P, 16).
    """
    if not types.switching.any() and not types.stripping.any():
        return None
    steady = types.switching[:, :, None, None, None]
    if not types.stripping.any():
        return steady
    return np.asarray(steady + np.einsum("gpij,pkq->ijkgq", types.stripping[group], kill))


def _line_rates(types: CellTypes, width: _Array, kill: _Array, group: slice) -> LineRates:
    """Return the rates of the equations for some density groups, on given panels."""
    engaged = types.engagement[group]
    batch = len(engaged)
    return LineRates(
        width=np.repeat(width[:, None], batch, axis=1),
        birth=np.repeat(types.birth[:, None], batch, axis=1),
        removal=types.death[:, None, None, None] + np.einsum("gpn,pkq->nkgq", engaged, kill),
        daughters=types.daughters[:, :, None],
        switching=_flux(types, kill, group),
        block=types.block,
    )


def _check_parts(types: CellTypes, schedule: Schedule) -> None:
    require_instance("types", types, CellTypes, "give that of density_groups(patient)")
    require_instance("schedule", schedule, Schedule, "give killing_schedule(products, types)")
    if types.engagement.ndim != 3 or schedule.kill.shape[0] != types.engagement.shape[1]:
        raise ParameterError(
            f"types.engagement has shape {types.engagement.shape} and the schedule "
            f"{schedule.kill.shape[0]} products; the shape must be (groups, products, types); "
            "take types from density_groups(patient), and the schedule of the same patient"
        )


def _refuse_too_much(types: CellTypes, nodes: int, fluxes: int) -> None:
    """Raise when the equations of all types would fill the memory, or take hours."""
    floats = float(nodes) * types.size * fluxes
    sizes = np.bincount(types.block).astype(float)
    panels = nodes / _NODES
    elimination = (_NODES * sizes[sizes > 1]) ** 3 / 1.5
    work = elimination.sum() * panels * _LOOKS * np.unique(types.relapse_class).size
    work *= len(types.engagement)
    if floats > _MOST_FLOATS or work > _MOST_ELIMINATION:
        raise ParameterError(
            f"the patient has {types.size} types of cell in {len(types.engagement)} density groups "
            f"on {panels:.0f} panels; that would take {8e-9 * floats:.1g} GB or {work:.1g} "
            "operations; let fewer antigens switch or be stripped, or give fewer bins of density"
        )


def line_fates(types: CellTypes, schedule: Schedule) -> NDArray[np.float64]:
    """Return the fates of a cell of each type that is alive at infusion.

    Parameters
    ----------
    types : CellTypes
        With engagement of shape (groups, products, n).
    schedule : Schedule
        Killing rates of the products.

    Returns
    -------
    ndarray, shape (C, n, groups)
        Probability of survivors of each class that occurs, and none of a lower one.

    Raises
    ------
    ParameterError
        When `types` or `schedule` is something else, when the equations cannot be solved, or
        when they would take gigabytes or some minutes.
    """
    _check_parts(types, schedule)
    # Backward time: the last panel first, and within it the last node.
    kill = schedule.kill[:, ::-1, ::-1]
    width = np.diff(schedule.edges)[::-1]
    last = schedule.kill_at_horizon[:, None, None]
    fluxes = types.size if types.stripping.any() else 1
    _refuse_too_much(types, kill[0].size, fluxes)
    parts = []
    for part in chunks(len(types.engagement), kill[0].size * types.size * fluxes):
        final = _line_rates(types, np.zeros(1), last, part)
        flow = None if final.switching is None else final.switching[:, :, 0, :, 0]
        start = settled(
            final.birth, final.removal[:, 0, :, 0], final.daughters, flow,
            types.relapse_class, types.block,
        )  # fmt: skip
        parts.append(solve_lines(_line_rates(types, width, kill, part), start).at_end)
    return np.concatenate(parts, axis=2)


def path_fates(
    types: CellTypes, schedule: Schedule, ends: int, last_losses: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the fates of a cell of each type at infusion, along some paths of loss only.

    Parameters
    ----------
    types : CellTypes
        Of one density group.
    schedule : Schedule
        Killing rates of the products.
    ends : int
        Class in which the paths end.
    last_losses : ndarray, shape (n, n, paths)
        Losses of each path, as in `car_relapse.line_rates.LineRates`.

    Returns
    -------
    ndarray, shape (C, n, paths)
        Classes below `ends`, and as the last one the end of the path. A line is on the path
        when its survivors of that class came by these losses and no others.

    Raises
    ------
    ParameterError
        When an argument is something else, or the equations cannot be solved.
    """
    _check_parts(types, schedule)
    if types.size > _MOST_TYPES:
        raise ParameterError(
            f"types holds {types.size} types of cell; paths are told apart for at most "
            f"{_MOST_TYPES}, those of four antigens that switch; use line_fates for the classes"
        )
    require_count("ends", ends, "give one of types.relapse_class")
    if ends not in types.relapse_class:
        raise ParameterError(
            f"ends is {ends} and no type is of that class; the paths must end somewhere; give "
            "one of types.relapse_class"
        )
    remedy = "give the losses of each path as in types.daughters, without its diagonal"
    chances = require_fraction("last_losses", last_losses, remedy)
    if chances.ndim != 3 or chances.shape[:2] != types.daughters.shape or not chances.size:
        raise ParameterError(
            f"last_losses has shape {chances.shape} and there are {types.size} types; it must be "
            f"(types, types, paths); {remedy}"
        )
    kill = schedule.kill[:, ::-1, ::-1]
    width = np.diff(schedule.edges)[::-1]
    last = schedule.kill_at_horizon[:, None, None]
    group = slice(0, 1)
    parts = []
    for part in chunks(chances.shape[2], kill[0].size * types.size):
        paths = chances[:, :, part]
        count = paths.shape[2]
        final = _line_rates(types, np.zeros(1), last, group)
        flow = None if final.switching is None else final.switching[:, :, 0, :, 0]
        start = settled(
            np.repeat(final.birth, count, axis=1),
            np.repeat(final.removal[:, 0, :, 0], count, axis=1),
            final.daughters, flow, types.relapse_class, types.block, ends, paths,
        )  # fmt: skip
        rates = _line_rates(types, width, kill, group)
        rates = replace(
            rates,
            width=np.repeat(rates.width, count, axis=1),
            birth=np.repeat(rates.birth, count, axis=1),
            last_losses=paths,
        )
        parts.append(solve_lines(rates, start).at_end)
    return np.concatenate(parts, axis=2)


def patient_lines(patient: Patient) -> LinesAtInfusion:
    """Return the fates of single cells of one patient on the day of infusion.

    Density groups are the independent problems.

    Raises
    ------
    ParameterError
        When the equations cannot be solved or would take gigabytes or some minutes, or a part
        of a mixture does not grow.
    """
    weight, types = density_groups(patient)
    growing = (types.birth > types.death) | (types.initial == 0)
    if not growing.all():
        name = types.names[int(np.flatnonzero(~growing)[0])]
        raise ParameterError(
            f"mixture holds cells of type '{name}', whose birth rate is not above their death "
            "rate; they cannot have grown; lower fitness_cost, or leave them out"
        )
    burden = float(patient.leukaemia.burden)
    return LinesAtInfusion(
        birth=np.repeat(types.birth[:, None], weight.size, axis=1),
        death=np.repeat(types.death[:, None], weight.size, axis=1),
        daughters=types.daughters[:, :, None],
        switching=types.switching,
        block=types.block,
        relapse_class=types.relapse_class,
        cells=burden * types.initial[:, None] * weight,
        burden=np.full(weight.size, burden),
        classes=tuple(int(c) for c in np.unique(types.relapse_class)),
        fates=line_fates(types, killing_schedule(patient.products, types)),
    )
