r"""Barros et al. 2021 (CARTmath): memory CAR-T, elimination, residual disease and escape.

Effector CAR-T :math:`C_T`, memory CAR-T :math:`C_M` and tumour :math:`T`, in cells, in mice:

.. math::

    C_T' &= \varphi C_T - \rho C_T + \theta T C_M - \alpha T C_T, \qquad
    C_M' = \varepsilon C_T - \theta T C_M - \mu C_M, \\
    T' &= r T (1 - bT) - \gamma C_T T .

Before infusion the tumour follows the logistic curve. Explains how memory answers a new tumour,
and three ends of one therapy by dose: elimination, a residual tumour held in check, and escape to
the carrying capacity. Does not contain loss of antigen.

A tumour below :math:`10^{-6}` cells counts as eliminated, in the paper and here. That is a
device: the residual tumours of the model live at 10 to 1000 cells, where chance decides, and
would often die out.

Figure 4a of the paper is said to show elimination near day 55 and 7e5 memory cells on day 200
for a dose of 1.5e6 cells; the printed equations and values give day 50.4 and 1.12e6
(`elimination_days`, `solve`). Other statements of the paper follow from them.

Cancers 13:2941, doi:10.3390/cancers13122941.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.integrate import solve_ivp
from scipy.optimize import minimize_scalar
from scipy.special import exprel

from car_relapse.errors import (
    ParameterError,
    require_instance,
    require_positive,
)
from car_relapse.published._cartmath_equilibria import Equilibrium, equilibria
from car_relapse.published._cartmath_model import HDLM2, RAJI, CartmathParameters, rates
from car_relapse.published._integrate import check_days, check_schedule, positive

__all__ = [
    "HDLM2",
    "RAJI",
    "CartmathCourse",
    "CartmathParameters",
    "Equilibrium",
    "dose_threshold",
    "effector_maximum",
    "elimination_days",
    "equilibria",
    "solve",
]

Schedule = Sequence[tuple[float, float]]

# Cells below which the paper's program sets a population to 0.
_CUT_OFF = 1e-6
_RTOL = 1e-11
# Of ln T, and of CAR-T cells: fewer than this do nothing to a tumour.
_ATOL = (1e-12, 1e-9, 1e-9)


@dataclass(frozen=True, kw_only=True)
class CartmathCourse:
    """Course of effectors, memory cells and tumour."""

    day: NDArray[np.float64]
    """Days after the tumour was implanted, shape (n,)."""
    effector: NDArray[np.float64]
    """Effector CAR-T cells, shape (n,)."""
    memory: NDArray[np.float64]
    """Memory CAR-T cells, shape (n,)."""
    tumour: NDArray[np.float64]
    """Tumour cells, 0 when eliminated, shape (n,)."""

    @property
    def car(self) -> NDArray[np.float64]:
        """All CAR-T cells."""
        return self.effector + self.memory


Stretch = Callable[[NDArray[np.float64]], NDArray[np.float64]]


@dataclass(frozen=True)
class _Path:
    """Stretches between doses and eliminations, each with its solution."""

    starts: list[float]
    solutions: list[Stretch]
    eliminated: list[float]

    def append(self, start: float, solution: Stretch) -> None:
        self.starts.append(start)
        self.solutions.append(solution)

    def __call__(self, days: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return ln T, effectors and memory cells, one row each."""
        which = np.searchsorted(self.starts, days, side="right") - 1
        state = np.empty((3, days.size))
        for index in np.unique(which):
            state[:, which == index] = self.solutions[index](days[which == index])
        return state


def _without_tumour(p: CartmathParameters, start: float, state: NDArray[np.float64]) -> Stretch:
    """Return the closed form: without tumour no memory cell wakes and no effector is disabled."""
    effector, memory = map(float, state[1:])
    (growth, _), (formation, loss) = rates(p, 0.0)

    def solution(days: NDArray[np.float64]) -> NDArray[np.float64]:
        since = days - start
        with np.errstate(over="ignore", invalid="ignore"):  # looked at in _path
            kept = np.exp(loss * since)
            formed = kept * since * exprel((growth - loss) * since)
            alone = effector * np.exp(growth * since)
            stored = memory * kept + formation * effector * formed
        return np.vstack([np.full(days.size, -np.inf), alone, stored])

    return solution


def _slope(p: CartmathParameters, state: NDArray[np.float64]) -> list[float]:
    tumour = float(np.exp(state[0]))  # 0 when the logarithm is -inf
    effector, memory = map(float, rates(p, tumour) @ state[1:])
    growth = p.tumour_rate * (1.0 - p.crowding * tumour) - p.killing_rate * float(state[1])
    return [growth, effector, memory]


def _events(doses: Schedule, challenges: Schedule, last: float) -> list[tuple[float, float, float]]:
    """Return (day, CAR-T added, tumour added) in order, up to the last day."""
    for schedule in (doses, challenges):
        check_schedule(schedule, "dose", "cells")
    days = {float(day) for schedule in (doses, challenges) for day, _ in schedule}

    def added(schedule: Schedule, today: float) -> float:
        return float(sum(cells for day, cells in schedule if day == today))

    return [(day, added(doses, day), added(challenges, day)) for day in sorted(days) if day <= last]


def _not_followed(span: tuple[float, float]) -> ParameterError:
    return ParameterError(
        f"the course cannot be followed from day {span[0]:g} to day {span[1]:g}: it changes "
        "within less than the days can be told apart; bring rates, doses and tumour closer to "
        "those of the paper"
    )


def _followed(p: CartmathParameters, span: tuple[float, float], state: Any, event: Any) -> Any:
    """Integrate, or raise where the steps shrink to nothing."""
    try:
        with warnings.catch_warnings(), np.errstate(over="raise", invalid="raise"):
            warnings.simplefilter("error", UserWarning)
            return solve_ivp(
                lambda _, y: _slope(p, y), span, state, "LSODA",
                rtol=_RTOL, atol=_ATOL, dense_output=True, events=event,
            )  # fmt: skip
    # Scipy cannot join steps of no length, and warns of steps that it cannot take.
    except (ValueError, FloatingPointError, UserWarning):
        raise _not_followed(span) from None


def _path(p: CartmathParameters, last: float, doses: Schedule, challenges: Schedule) -> _Path:
    now, state = 0.0, np.array([np.log(p.tumour_start), 0.0, 0.0])
    path = _Path([], [], [])

    def gone(_: float, y: NDArray[np.float64]) -> float:
        return float(y[0] - np.log(_CUT_OFF))

    # The integrator reads these two marks from the function it watches.
    marked: Any = gone
    marked.terminal, marked.direction = True, -1
    for stop, dose, challenge in [*_events(doses, challenges, last), (last, 0.0, 0.0)]:
        while now < stop:
            if np.isfinite(state[0]):
                run = _followed(p, (now, stop), state, marked)
                path.append(now, run.sol)
                state = run.y[:, -1]
                now = float(run.t[-1])
                if run.status == 1:
                    path.eliminated.append(now)
                    state[0] = -np.inf
            else:
                solution = _without_tumour(p, now, state)
                path.append(now, solution)
                state = solution(np.array([stop]))[:, 0]
                if not np.isfinite(state[1:]).all():
                    raise _not_followed((now, stop))
                now = stop
        state[1] += dose
        if challenge:
            state[0] = np.logaddexp(state[0], np.log(challenge))
    path.append(last, lambda t: np.repeat(state[:, None], t.size, axis=1))
    return path


def solve(
    parameters: CartmathParameters,
    days: ArrayLike,
    *,
    doses: Schedule = (),
    challenges: Schedule = (),
) -> CartmathCourse:
    """Return the course on `days`.

    Parameters
    ----------
    parameters : CartmathParameters
    days : array_like, shape (n,)
        Increasing days after the tumour was implanted, >= 0.
    doses : sequence of (day, cells), optional
        Effector CAR-T cells given; on its day a dose already counts.
    challenges : sequence of (day, cells), optional
        Tumour cells implanted later; on its day one already counts.

    Returns
    -------
    CartmathCourse

    Raises
    ------
    ParameterError
        When `days` is no increasing list, or a dose or challenge is out of range.

    Examples
    --------
    >>> course = solve(HDLM2, [42.0, 200.0], doses=[(42.0, 2e6)])
    >>> f"{course.tumour[0]:.4g}", course.tumour[1] == 0
    ('2.146e+07', np.True_)
    """
    require_instance("parameters", parameters, CartmathParameters, "give CartmathParameters(...)")
    grid = check_days(days)
    log_tumour, effector, memory = _path(parameters, float(grid[-1]), doses, challenges)(grid)
    return CartmathCourse(
        day=grid,
        effector=np.maximum(effector, 0.0),
        memory=np.maximum(memory, 0.0),
        tumour=np.exp(log_tumour),
    )


def elimination_days(
    parameters: CartmathParameters,
    *,
    doses: Schedule,
    challenges: Schedule = (),
    until: float = 500.0,
) -> tuple[float, ...]:
    """Return the days on which the tumour falls below 1e-6 cells.

    Raises
    ------
    ParameterError
        When a dose, a challenge or `until` is out of range.

    Examples
    --------
    >>> [round(day, 1) for day in elimination_days(HDLM2, doses=[(42.0, 2e6)])]
    [47.6]
    """
    require_instance("parameters", parameters, CartmathParameters, "give CartmathParameters(...)")
    last = positive("until", until, "give a day")
    return tuple(_path(parameters, last, doses, challenges).eliminated)


def effector_maximum(
    parameters: CartmathParameters, *, doses: Schedule, until: float = 200.0
) -> tuple[float, float]:
    """Return the day on which effector CAR-T are most, and their number.

    Raises
    ------
    ParameterError
        When there is no dose before day `until`, or an argument is out of range.

    Examples
    --------
    >>> [f"{x:.4g}" for x in effector_maximum(RAJI, doses=[(7.0, 1e7)], until=30.0)]
    ['8.875', '1.278e+07']
    """
    require_instance("parameters", parameters, CartmathParameters, "give CartmathParameters(...)")
    last = positive("until", until, "give a day")
    jumps = [day for day, *_ in _events(doses, (), last) if day < last]
    if not jumps:
        raise ParameterError(
            f"until is {last:g} and no dose comes before it; without one there are no CAR-T; give "
            "a dose or a later day"
        )
    path = _path(parameters, last, doses, ())

    def effectors(day: float) -> float:
        return float(path(np.array([day]))[1, 0])

    candidates = [last]
    for left, right in pairwise([*jumps, last]):
        grid = np.linspace(left, right, 501)[:-1]  # a dose on day `right` belongs to the next
        best = int(np.argmax(path(grid)[1]))
        found = minimize_scalar(
            lambda day: -effectors(day),
            bounds=(grid[max(best - 1, 0)], grid[min(best + 1, grid.size - 1)]),
            method="bounded",
            options={"xatol": 1e-8},
        )
        candidates += [float(grid[best]), float(found.x)]
    day = max(candidates, key=effectors)
    return day, effectors(day)


def dose_threshold(
    parameters: CartmathParameters,
    *,
    dose_day: float = 42.0,
    day: float = 300.0,
    remaining: float = 8e5,
    lowest: float = 1e4,
    highest: float = 1e8,
) -> float:
    """Return the smallest single dose that leaves at most `remaining` tumour cells, cells.

    Parameters
    ----------
    parameters : CartmathParameters
    dose_day : float, optional
        Day of the dose.
    day : float, optional
        Day on which the tumour is looked at, after the dose.
    remaining : float, optional
        Tumour cells that count as a complete response.
    lowest, highest : float, optional
        Doses to search between, cells.

    Raises
    ------
    ParameterError
        When the lowest dose suffices or the highest does not, or an argument is out of range.

    Examples
    --------
    >>> f"{dose_threshold(HDLM2):.3g}"
    '2.53e+05'
    """
    require_instance("parameters", parameters, CartmathParameters, "give CartmathParameters(...)")
    limit = positive("remaining", remaining, "give a number of cells")
    low = float(np.log(require_positive("lowest", lowest, "give a dose in cells", scalar=True)))
    high = float(np.log(require_positive("highest", highest, "give a dose in cells", scalar=True)))

    def responds(log_dose: float) -> bool:
        doses = [(dose_day, float(np.exp(log_dose)))]
        return bool(solve(parameters, [day], doses=doses).tumour[0] <= limit)

    if responds(low) or not responds(high):
        raise ParameterError(
            f"lowest is {lowest:g} and highest is {highest:g}; the first dose must fail and the "
            "second suffice; widen the search"
        )
    # The tumour drops to 0 at once where it is eliminated, so halving finds the dose, to 1e-5.
    while high - low > 1e-5:
        middle = 0.5 * (low + high)
        low, high = (low, middle) if responds(middle) else (middle, high)
    return float(np.exp(high))
