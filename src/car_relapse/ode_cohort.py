r"""Many patients, one model: ordinary differential equations solved side by side.

A cohort under a feedback model is the same equations with other numbers, once per patient.
Solving them one by one spends its time in the interpreter. Here each line of code does its
arithmetic for thousands of patients at once, and still every patient keeps a step size of
their own, so nobody is solved more coarsely because a neighbour is easy.

The method is the pair of Dormand & Prince, fifth order with a fourth-order error estimate
and a free interpolant between steps (J. Comput. Appl. Math. 6:19, 1980). It is explicit: a
stiff model makes it slow, and then it says so.

The unknowns are *logarithms* of populations. On a linear scale the absolute error of an
integrator stands in for cells that are gone, and a clone of 1e-100 cells grows back from
rounding. In logarithms such a clone has a size as exact as any other, and the relative error
of a population is the absolute error of its logarithm: with step error :math:`\Delta` in
:math:`y = \ln x`, a step is kept when

.. math:: \max_i \frac{|\Delta_i|}{\text{rtol} + \min(\text{atol}\,e^{-y_i},\,10^{-3})} \le 1 .

Every operation acts on each patient alone, so answers do not depend, to the last bit, on
which patients share a batch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from car_relapse.errors import (
    ParameterError,
    require_count,
    require_finite,
    require_non_negative,
    require_positive,
)

__all__ = ["BATCH", "Slope", "solve_batch"]

Floats = NDArray[np.float64]
Slope = Callable[[Floats, Floats, Floats], Floats]
"""Slope of the log-populations: a function of days (n,), log-populations (states, n) and
parameters (parameters, n) that returns d/dt of the log-populations, (states, n), 1/day."""

BATCH = 8192
"""Patients that are solved side by side: fewer pay for the interpreter, more leave the cache."""

# Dormand & Prince 1980, table 2: nodes, stages, error weights (fifth minus fourth order).
_NODES = (0.0, 1 / 5, 3 / 10, 4 / 5, 8 / 9, 1.0)
_STAGES: tuple[tuple[float, ...], ...] = (
    (),
    (1 / 5,),
    (3 / 40, 9 / 40),
    (44 / 45, -56 / 15, 32 / 9),
    (19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729),
    (9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656),
)
_FIFTH = (35 / 384, 0.0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84)
_ERROR = (71 / 57600, 0.0, -71 / 16695, 71 / 1920, -17253 / 339200, 22 / 525, -1 / 40)
# Interpolant of order four on the same stages: row per stage, powers 1 to 4 of the fraction of
# the step (Shampine 1986, Math. Comput. 46:135).
_BETWEEN = (
    (1.0, -8048581381 / 2820520608, 8663915743 / 2820520608, -12715105075 / 11282082432),
    (0.0, 0.0, 0.0, 0.0),
    (0.0, 131558114200 / 32700410799, -68118460800 / 10900136933, 87487479700 / 32700410799),
    (0.0, -1754552775 / 470086768, 14199869525 / 1410260304, -10690763975 / 1880347072),
    (0.0, 127303824393 / 49829197408, -318862633887 / 49829197408, 701980252875 / 199316789632),
    (0.0, -282668133 / 205662961, 2019193451 / 616988883, -1453857185 / 822651844),
    (0.0, 40617522 / 29380423, -110615467 / 29380423, 69997945 / 29380423),
)
_SAFETY, _SHRINK, _GROW = 0.9, 0.2, 6.0
# Exponents of the step-size rule with memory of the last error, which spares rejected steps
# (Hairer & Wanner, Solving Ordinary Differential Equations II, section IV.2).
_NOW, _BEFORE = 0.17, 0.04
# However many cells a step may err by, a vanished clone is still followed to this part of it.
_SLACK = 1e-3
# Bytes, some times the largest temporary array.
_BLOCK = 2**24
# Done patients are dropped once they are this part of a batch.
_DONE = 0.15


def _weighted(weights: tuple[float, ...], stages: Floats, out: Floats, scratch: Floats) -> Floats:
    """Return the weighted sum of the first stages, without new arrays."""
    # Plain products and sums: a dot product would round by batch size, and answers with it.
    np.multiply(stages[0], weights[0], out=out)
    for weight, stage in zip(weights[1:], stages[1:], strict=False):
        if weight:
            np.multiply(stage, weight, out=scratch)
            out += scratch
    return out


@dataclass
class _Work:
    """Everything that is kept per patient; the last axis is the patient."""

    patient: NDArray[np.intp]
    parameters: Floats
    day: Floats
    step: Floats
    state: Floats
    stages: Floats
    tried: Floats
    scratch: Floats
    error_before: Floats
    due: NDArray[np.intp]

    def keep(self, those: NDArray[np.bool_]) -> None:
        """Drop all patients but `those`."""
        for name in self.__dataclass_fields__:
            setattr(self, name, np.ascontiguousarray(getattr(self, name)[..., those]))


def _first_step(work: _Work, slope: Slope, tolerance: float) -> None:
    """Choose the first step so that an Euler step errs by the tolerance (same book I, II.4)."""
    here = work.stages[0]
    size = np.abs(here).max(axis=0)
    guess = 0.01 / np.maximum(size, 1e-5)
    there = slope(work.day + guess, work.state + guess * here, work.parameters)
    bend = np.abs(there - here).max(axis=0) / guess
    # A trial that left the domain says nothing of the bend; the error control will.
    bend = np.where(np.isfinite(bend), bend, 1.0 / guess)
    wanted = (0.01 * tolerance / np.maximum(np.maximum(size, bend), 1e-15)) ** (1.0 / 5.0)
    work.step = np.minimum(100.0 * guess, wanted)


def _try_step(work: _Work, slope: Slope, rtol: float, atol: float) -> Floats:
    """Fill the stages and the trial state; return the error over the tolerance, (n,)."""
    stages, scratch = work.stages, work.scratch
    for index in range(1, 6):
        increment = _weighted(_STAGES[index], stages, work.tried, scratch)
        increment *= work.step
        increment += work.state
        stages[index] = slope(work.day + _NODES[index] * work.step, increment, work.parameters)
    tried = _weighted(_FIFTH, stages, work.tried, scratch)
    tried *= work.step
    tried += work.state
    stages[6] = slope(work.day + work.step, tried, work.parameters)
    error = _weighted(_ERROR, stages, np.empty_like(scratch), scratch)
    error *= work.step
    np.abs(error, out=error)
    if atol:
        np.minimum(work.state, tried, out=scratch)
        np.negative(scratch, out=scratch)
        np.minimum(scratch, np.log(_SLACK / atol), out=scratch)
        error /= rtol + atol * np.exp(scratch)
        return np.asarray(error.max(axis=0))
    return np.asarray(error.max(axis=0) / rtol)


def _write(
    work: _Work, reached: Floats, good: NDArray[np.bool_], days: Floats, out: Floats
) -> None:
    """Write the states on every output day that a kept step passes."""
    # The days still due, padded so that those who are done compare with infinity.
    padded = np.append(days, np.inf)
    due = np.flatnonzero(good & (padded[work.due] <= reached))
    while due.size:
        index = work.due[due]
        day, step = work.day[due], work.step[due]
        # An output on the end of the step must not be carried beyond it by rounding.
        part = np.minimum((days[index] - day) / step, 1.0)
        value = np.zeros((work.state.shape[0], due.size))
        for stage, (a, b, c, d) in zip(work.stages, _BETWEEN, strict=True):
            if b:
                value += stage.take(due, axis=1) * (part * (a + part * (b + part * (c + part * d))))
        value *= step
        value += work.state.take(due, axis=1)
        out[:, index, work.patient[due]] = value
        work.due[due] += 1
        due = due[padded[work.due[due]] <= reached[due]]


def _stuck(work: _Work, those: NDArray[np.bool_], why: str) -> ParameterError:
    first = int(np.flatnonzero(those)[0])
    return ParameterError(
        f"patient {work.patient[first]} got stuck on day {work.day[first]:.6g}: {why}; populations "
        "must stay finite, and the fastest rate times the days to cover below some ten thousand; "
        "check that patient's parameters and start, or solve a stiff model with scipy's LSODA"
    )


def _begin(slope: Slope, start: Floats, columns: Floats, first: float, offset: int) -> _Work:
    states, n = start.shape
    work = _Work(
        patient=np.arange(offset, offset + n),
        parameters=np.ascontiguousarray(columns),
        day=np.full(n, first),
        step=np.zeros(n),
        state=start.copy(),
        stages=np.zeros((7, states, n)),
        tried=np.empty((states, n)),
        scratch=np.empty((states, n)),
        error_before=np.full(n, 1e-4),
        due=np.zeros(n, dtype=np.intp),
    )
    shape = np.shape(slope(work.day, work.state, work.parameters))
    if shape != (states, n):
        raise ParameterError(
            f"slope returns shape {shape} for {states} states of {n} patients; it must return one "
            f"slope per state and patient; return an array of shape {(states, n)}"
        )
    work.stages[0] = slope(work.day, work.state, work.parameters)
    lost = ~np.isfinite(work.stages[0]).all(axis=0)
    if lost.any():
        raise _stuck(work, lost, "the slope of its start is not finite")
    return work


def _solve_part(
    slope: Slope,
    start: Floats,
    columns: Floats,
    days: Floats,
    out: Floats,
    offset: int,
    *,
    begin: float,
    rtol: float,
    atol: float,
    steps: int,
) -> None:
    """Solve one batch, whose first patient is number `offset`, and write into `out`."""
    # A trial step may overflow or leave the domain of a logarithm; it is rejected then.
    with np.errstate(all="ignore"):
        work = _begin(slope, start, columns, begin, offset)
        _march(work, slope, days, out, rtol=rtol, atol=atol, steps=steps)


def _march(
    work: _Work, slope: Slope, days: Floats, out: Floats, *, rtol: float, atol: float, steps: int
) -> None:
    last = float(days[-1])
    if days[0] == work.day[0]:
        out[:, 0, work.patient] = work.state
        work.due += 1
        if days.size == 1:
            return
    _first_step(work, slope, rtol)
    for _ in range(steps):
        np.minimum(work.step, last - work.day, out=work.step)
        error = _try_step(work, slope, rtol, atol)
        # A trial that overflows or leaves the domain has no error; it is rejected and halved.
        error = np.where(np.isfinite(error), error, 1e9)
        good = error <= 1.0
        ends = work.step >= last - work.day
        reached = np.where(ends, last, work.day + work.step)
        _write(work, reached, good, days, out)
        sized = np.maximum(error, 1e-10)
        growth = _SAFETY * sized**-_NOW * work.error_before**_BEFORE
        growth = np.where(good, growth, np.minimum(_SAFETY * sized ** (-1.0 / 5.0), 1.0))
        np.copyto(work.error_before, np.maximum(sized, 1e-4), where=good)
        np.copyto(work.state, work.tried, where=good)
        np.copyto(work.stages[0], work.stages[6], where=good)
        np.copyto(work.day, reached, where=good)
        work.step *= np.clip(growth, _SHRINK, _GROW)
        active = work.due < days.size
        if not active.any():
            return
        small = active & (work.step < 1e-13 * (1.0 + work.day))
        if small.any():
            raise _stuck(work, small, "its step fell below rounding")
        # Until they are dropped, those who are done stand still on the last day.
        if np.count_nonzero(active) <= (1.0 - _DONE) * active.size:
            work.keep(active)
    raise _stuck(work, work.due < days.size, f"it needs more than {steps} steps")


def _check_days(days: ArrayLike, first: float) -> Floats:
    grid = require_finite("days", days, "give the days on which the states are wanted")
    if grid.ndim != 1 or not grid.size or np.any(np.diff(grid) <= 0) or grid[0] < first:
        raise ParameterError(
            f"days is {days!r}; it must be a list of increasing days from {first:g} on; sort it"
        )
    return grid


def solve_batch(
    slope: Slope,
    start_log: ArrayLike,
    days: ArrayLike,
    parameters: ArrayLike,
    *,
    rtol: float = 1e-6,
    atol: float = 0.0,
    first: float = 0.0,
    steps: int = 10_000,
    batch: int = BATCH,
) -> Floats:
    """Solve one model for many patients, each with steps of their own.

    Parameters
    ----------
    slope : callable
        Function of days, shape (n,), log-populations, shape (states, n), and parameters,
        shape (parameters, n), that returns the slopes of the log-populations, 1/day, shape
        (states, n). It must treat each patient alone and leave its arguments unchanged.
    start_log : array_like, shape (states, n)
        Natural logarithms of the populations on day `first`, one column per patient.
    days : array_like, shape (m,)
        Increasing days on which the states are wanted, from `first` on.
    parameters : array_like, shape (parameters, n)
        One column per patient.
    rtol : float, optional
        Relative error of a population that a step may make, in (0, 0.1].
    atol : float, optional
        Error in cells that a step may make as well, >= 0. Populations far below it are still
        followed to one in a thousand.
    first : float, optional
        Day of the start.
    steps : int, optional
        Steps, kept or rejected, after which a patient counts as stuck.
    batch : int, optional
        Patients that are solved side by side. It changes the time and not the answers.

    Returns
    -------
    ndarray, shape (states, m, n)
        Natural logarithms of the populations.

    Raises
    ------
    ParameterError
        When an argument is out of range or of the wrong shape, or a patient's equations are
        too stiff or lead out of the numbers; the message names the patient and the day.

    Examples
    --------
    >>> decay = lambda day, log_cells, rates: -rates
    >>> solve_batch(decay, [[0.0, 0.0]], [1.0, 10.0], [[0.5, 2.0]]).round(6)
    array([[[ -0.5,  -2. ],
            [ -5. , -20. ]]])
    """
    begin = float(require_finite("first", first, "give a day", scalar=True))
    grid = _check_days(days, begin)
    start = require_finite("start_log", start_log, "give logarithms of cell numbers")
    columns = require_finite("parameters", parameters, "give one column per patient")
    if start.ndim != 2 or columns.ndim != 2 or start.shape[1] != columns.shape[1] or not start.size:
        raise ParameterError(
            f"start_log has shape {start.shape} and parameters {columns.shape}; both need two axes "
            "and one column per patient; give (states, n) and (parameters, n)"
        )
    error = float(require_positive("rtol", rtol, "1e-6 serves most figures", scalar=True))
    if error > 0.1:
        raise ParameterError(
            f"rtol is {error:g}; it must be <= 0.1, or steps are not controlled; 1e-6 serves most"
        )
    cells = float(require_non_negative("atol", atol, "give a number of cells", scalar=True))
    most = require_count("steps", steps, "give a number of steps", minimum=1)
    size = require_count("batch", batch, f"{BATCH} is quick", minimum=1)
    out = np.empty((start.shape[0], grid.size, start.shape[1]))
    # A system that gives freed memory back at once would fault in every temporary array anew,
    # at the price of all the arithmetic; glibc stops doing so after one larger block is freed.
    np.empty(_BLOCK, dtype=np.uint8)
    for left in range(0, start.shape[1], size):
        part = slice(left, min(left + size, start.shape[1]))
        _solve_part(
            slope, start[:, part], columns[:, part], grid, out, left,
            begin=begin, rtol=error, atol=cells, steps=most,
        )  # fmt: skip
    return out
