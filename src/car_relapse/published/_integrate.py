"""What the published models share: integrating, and finding the day on which something happens."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.integrate import solve_ivp

from car_relapse.errors import ParameterError, require_non_negative, require_positive

__all__ = [
    "check_days",
    "check_non_negative_fields",
    "check_positive_fields",
    "check_schedule",
    "first_day",
    "first_turn",
    "followed",
    "integrate",
    "positive",
]

State = NDArray[np.float64]
Slope = Callable[[float, State], ArrayLike]
Watch = Callable[[float, State], float]

# States are mostly logarithms, so the absolute tolerance is a relative one of the population.
_RTOL = 1e-11
_ATOL = 1e-12

#: A course of the papers needs some thousand looks at the slope; stiff ones may need endless.
_MOST_LOOKS = 40_000


def _run(slope: Slope, span: tuple[float, float], start: State, method: str, **options: Any) -> Any:
    """Integrate, or raise when the course cannot be followed in numbers or in time."""
    looks = 0

    def watched(day: float, state: State) -> ArrayLike:
        nonlocal looks
        looks += 1
        if looks > _MOST_LOOKS:
            raise ParameterError(
                f"the course needs more than {_MOST_LOOKS} steps before day {span[1]:g}; its rates "
                "lie too far apart; bring the parameters closer to those of the paper"
            )
        return slope(day, state)

    try:
        # What overflows would come out as NaN, or as a course that no longer obeys the model.
        with np.errstate(over="raise", invalid="raise", divide="raise"):
            run = solve_ivp(watched, span, start, method, rtol=_RTOL, **options)
    except FloatingPointError:
        run = None
    if run is None or not run.success:
        raise ParameterError(
            f"the course cannot be followed to day {span[1]:g}: a population passes what a number "
            "can hold; shorten it, or bring the parameters closer to those of the paper"
        )
    return run


def check_positive_fields(parameters: object, names: tuple[str, ...], where: str) -> None:
    """Raise a ParameterError unless each named field is one number, finite and > 0."""
    for name in names:
        positive(name, getattr(parameters, name), f"see {where}")


def check_non_negative_fields(parameters: object, names: tuple[str, ...], where: str) -> None:
    """Raise a ParameterError unless each named field is one number, finite and >= 0."""
    for name in names:
        require_non_negative(name, getattr(parameters, name), f"see {where}", scalar=True)


def positive(name: str, value: float, remedy: str) -> float:
    """Return `value`, or raise a ParameterError unless it is one number, finite and > 0."""
    return float(require_positive(name, value, remedy, scalar=True))


def check_days(days: ArrayLike, first: float = 0.0) -> NDArray[np.float64]:
    """Return `days` as a list, or raise when it is empty, unsorted or starts before `first`."""
    grid = require_non_negative("days", days, "count days from the start of the model")
    if grid.ndim != 1 or grid.size == 0 or np.any(np.diff(grid) <= 0) or grid[0] < first:
        raise ParameterError(
            f"days is {days!r}; it must be a list of increasing days from {first:g} on; sort it"
        )
    return grid


def check_schedule(schedule: Sequence[tuple[float, float]], what: str, amount: str) -> None:
    """Raise a ParameterError unless `schedule` is a list of pairs (day >= 0, amount > 0)."""
    pairs = list(schedule) if isinstance(schedule, Sequence | np.ndarray) else None
    if pairs is None or isinstance(schedule, str) or any(np.shape(p) != (2,) for p in pairs):
        raise ParameterError(
            f"the schedule is {schedule!r}; it must be a list of pairs of a day and {amount}; give "
            "[(42.0, 2e6)], or [] for none"
        )
    for day, size in pairs:
        require_non_negative(f"day of a {what}", day, "count from day 0", scalar=True)
        positive(f"{amount} of a {what}", size, f"give {amount}")


def integrate(
    slope: Slope,
    start: ArrayLike,
    days: NDArray[np.float64],
    *,
    first: float = 0.0,
    method: str = "LSODA",
    atol: ArrayLike = _ATOL,
) -> NDArray[np.float64]:
    """Return the states on `days`, one row per component, starting on day `first`."""
    state = np.asarray(start, dtype=float)
    if days[-1] <= first:
        return np.repeat(state[:, None], days.size, axis=1)
    run = _run(slope, (first, float(days[-1])), state, method, t_eval=days, atol=atol)
    return np.asarray(run.y)


def followed(slope: Slope, start: ArrayLike, last: float) -> Any:
    """Return the course from day 0 to day `last`, to be read on any day between as ``.sol``."""
    return _run(slope, (0.0, last), np.asarray(start), "DOP853", atol=_ATOL, dense_output=True)


def first_day(
    slope: Slope,
    start: ArrayLike,
    watch: Watch,
    *,
    direction: int,
    until: float,
    what: str,
    method: str = "DOP853",
) -> tuple[float, State]:
    """Return the first day on which `watch` passes 0 in `direction`, and the state on it.

    Raises
    ------
    ParameterError
        When that does not happen before the day `until`.
    """
    horizon = positive("until", until, "give a day")

    # The integrator reads these two marks from the function it watches.
    def event(day: float, state: State) -> float:
        return watch(day, state)

    marked: Any = event
    marked.terminal, marked.direction = True, direction
    run = _run(slope, (0.0, horizon), np.asarray(start), method, events=marked, atol=_ATOL)
    if run.t_events[0].size == 0:
        raise ParameterError(
            f"until is {horizon:g}; there is {what} only if one comes before that day; "
            "give a later day or other parameters"
        )
    return float(run.t_events[0][0]), np.asarray(run.y_events[0][0])


def first_turn(
    slope: Slope, start: ArrayLike, species: int, *, direction: int, until: float, what: str
) -> tuple[float, float]:
    """Return the first day on which one population's growth passes 0, and its state then.

    Parameters are those of `first_day`; `species` is the population's place in the state.
    """
    day, state = first_day(
        slope,
        start,
        lambda day, y: float(np.asarray(slope(day, y))[species]),
        direction=direction,
        until=until,
        what=what,
    )
    return day, float(state[species])
