r"""Where to place quadrature nodes along curves of any shape, for many patients at once.

A table, an engager's schedule or several products make curves with many corners and peaks.
Every corner is an edge of a panel, and so is the last day on which killing exceeds net growth.
Between two such days the panels share evenly a measure of how much there is to resolve, as in
`car_relapse.history`, which has fewer panels for curves with one peak.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from car_relapse.errors import ParameterError
from car_relapse.exposure import CornerCurves
from car_relapse.killing import Killing, LinearKilling

__all__ = ["corner_panels"]

Floats = NDArray[np.float64]

# Lines are followed until untreated growth has made up e^40 of what killing took.
_SETTLED = 40.0
_FARTHEST = 1e30
# Where a curve is looked at between two corners: it changes fastest just after one.
_LOOK = np.unique(np.concatenate([np.linspace(0.0, 1.0, 17), np.geomspace(1e-5, 0.06, 12)]))
# The measure on one panel: eight Gauss nodes then leave an error of about 1e-6.
_STEP = 1.0
# Part of a stretch that counts as just after its corner, and the measure of an e-fold from there.
_SOON, _SETTLING = 1e-3, 0.4
_MOST_PANELS = 3000
_TINY = 1e-300


def _end(
    net: Floats, turn: Floats, killing: Killing | LinearKilling, curve: CornerCurves
) -> Floats:
    """Return days after which no line's fate can still change."""
    length = _SETTLED / net
    part = np.linspace(0.0, 1.0, 200)[:, None]
    while True:
        kill = killing.rate(curve.level(turn + part * length))
        grown = net * length - np.trapezoid(kill, axis=0) * length / (len(part) - 1)
        short = grown < _SETTLED
        if not short.any():
            return np.asarray(turn + length)
        length = np.where(short, 1.5 * length, length)
        if length.max() > _FARTHEST:
            raise ParameterError(
                f"killing stays within a hair of net growth, {float(net[short].max()):g} a day, "
                "for ever; no line's fate is ever settled; let the exposure end, or change the "
                "rates"
            )


def _change(values: Floats) -> Floats:
    return np.asarray(np.abs(np.diff(values, axis=1)))


def _measure(day: Floats, kill: Floats, net: Floats, engagement: tuple[float, ...]) -> Floats:
    """Return what there is to resolve between looks; axes are stretch, look, patient."""
    width = np.diff(day, axis=1)
    # Every stretch gets a panel at least, and looks share it by their lengths.
    whole = np.where(day[:, -1:] > day[:, :1], day[:, -1:] - day[:, :1], 1.0)
    measure = 0.5 * width / whole
    log_kill = _change(np.log(kill + 0.1 * net))
    measure += 0.5 * log_kill
    # After a corner a curve settles by factors of time, which its level hardly shows.
    settling = _SETTLING * np.minimum(log_kill.sum(axis=1, keepdims=True), 1.0)
    measure += settling * np.diff(np.log(_LOOK + _SOON))[:, None]
    for share in engagement:
        step = (0.5 * share * (kill[:, 1:] + kill[:, :-1]) - net) * width
        rho = np.zeros_like(day)
        total = np.cumsum(step.reshape(-1, net.size), axis=0).reshape(step.shape)
        rho[:, 1:] = total
        rho[1:, 0] = total[:-1, -1]
        measure += _change(np.log(2.0 + (rho - rho.min(axis=(0, 1)))))
        measure += _change(np.log(2.0 + (rho.max(axis=(0, 1)) - rho)))
    return np.asarray(measure)


def corner_panels(
    net: Floats,
    killing: Killing | LinearKilling,
    curve: CornerCurves,
    engagement: tuple[float, ...] = (1.0,),
) -> Floats:
    """Return the edges of panels that resolve the history of a line, per patient.

    Parameters
    ----------
    net : ndarray
        Net growth rate without treatment, 1/day, > 0, shape (patients,) or one for all.
    killing : Killing or LinearKilling
        Response of killing to the level.
    curve : CornerCurves
        The curves.
    engagement : tuple of float, optional
        Fractions of the killing rate to resolve, each > 0: one for each kind of cell.

    Returns
    -------
    ndarray, shape (panels + 1, patients)
        Days that do not decrease; panels of no width carry no weight.

    Raises
    ------
    ParameterError
        When lines are never settled, or there are too many corners.
    """
    corners = curve.corners
    patients = corners.shape[1]
    net = np.broadcast_to(np.asarray(net, dtype=float), (patients,))
    level = np.broadcast_to(killing.level_for(net), (patients,))
    reached = np.isfinite(level)
    last = curve.last_day_above(np.where(reached, level, 1.0))
    turn = np.where(reached, last, 0.0)
    # A curve that waits, and then stays too low to matter, is waited for as well.
    end = _end(net, np.maximum(turn, corners[-1]), killing, curve)
    stops = np.concatenate([np.zeros((1, patients)), np.minimum(corners, end), [turn], [end]])
    stops.sort(axis=0)
    if len(stops) > _MOST_PANELS:
        raise ParameterError(
            f"the curve has {len(stops)} corners; a cohort resolves each, and {_MOST_PANELS} are "
            "the most; give a coarser table or fewer doses"
        )
    day = stops[:-1, None] + _LOOK[:, None] * np.diff(stops, axis=0)[:, None]
    kill = np.broadcast_to(killing.rate(curve.level(day)), day.shape)
    measure = _measure(day, kill, net, engagement)
    total = np.zeros_like(day)
    np.cumsum(measure, axis=1, out=total[:, 1:])
    whole = total[:, -1]
    edges = [stops[:1]]
    for stretch, most in enumerate(whole.max(axis=1)):
        count = int(np.ceil(most / _STEP))
        # One table for all patients, each on a stretch of its own.
        first = 3.0 * np.arange(patients)[:, None]
        at = first + np.arange(1, count) / count
        table = first + (total[stretch] / np.maximum(whole[stretch], _TINY)).T
        inner = np.interp(at.ravel(), table.ravel(), day[stretch].T.ravel())
        edges += [inner.reshape(patients, -1).T, stops[stretch + 1 : stretch + 2]]
    if sum(len(rows) for rows in edges) > _MOST_PANELS:
        raise ParameterError(
            f"the curve needs more than {_MOST_PANELS} panels; rates, exposure and the days "
            "between doses must be of a size that a body can have; check them against the ranges "
            "of the ledger"
        )
    return np.maximum.accumulate(np.concatenate(edges), axis=0)
