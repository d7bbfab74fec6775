r"""A measured curve as exposure: the user's own table of days and levels.

Between two measurements the level is interpolated on the log scale, as cells grow and decline
by factors, and on the linear scale where one of the two is 0. A table says nothing about the
days before its first and after its last row, so the user must:

============  ==========================================================================
`after`       what happens after the last day
============  ==========================================================================
"decline"     the last decline goes on, :math:`C_n (C_n/C_{n-1})^{(t-t_n)/(t_n-t_{n-1})}`
"constant"    the last level stays for ever
"zero"        nothing is left
============  ==========================================================================
"""

from __future__ import annotations

import contextlib
import csv
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from car_relapse.errors import ParameterError, require_non_negative, require_positive

__all__ = ["After", "Before", "TableExposure", "read_exposure_table"]

After = Literal["decline", "constant", "zero"]
Before = Literal["zero", "constant"]

# Days closer than this are one: a decline between them would have no finite rate.
_CLOSEST = 1e-9
_HEADER = ["day", "level"]


def _column(name: str, values: ArrayLike) -> NDArray[np.float64]:
    """Return one column, or raise with the number of the first bad row, counted from 1."""
    remedy = "correct that row or leave it out"
    items: list[Any] | None = None
    if isinstance(values, Iterable) and not isinstance(values, str):
        items = list(values)
        with contextlib.suppress(ParameterError):
            column = require_non_negative(name, items, remedy)
            if column.ndim == 1:
                return column
    # Something is wrong with it: row by row, to say where.
    if items is None or any(np.ndim(item) for item in items):
        raise ParameterError(
            f"{name} is {values!r}; it must be a list of numbers, one to a row; give a list"
        )
    numbers = [
        float(require_non_negative(f"{name} in row {row}", item, remedy, scalar=True))
        for row, item in enumerate(items, start=1)
    ]
    return np.asarray(numbers, dtype=float)


def _check_order(days: NDArray[np.float64]) -> None:
    late = np.flatnonzero(np.diff(days) <= _CLOSEST)
    if late.size:
        row = int(late[0]) + 2
        what = "is earlier than" if days[row - 1] < days[row - 2] else "repeats"
        raise ParameterError(
            f"days in row {row} is {days[row - 1]:g}, which {what} the day of row {row - 1}, "
            f"{days[row - 2]:g}; days must increase; sort the rows, and average repeats"
        )


@dataclass(frozen=True, kw_only=True)
class TableExposure:
    """An exposure curve through measured points.

    Examples
    --------
    >>> table = TableExposure(days=(0, 10, 20), levels=(1, 100, 10), after="decline")
    >>> table.level([5.0, 15.0, 30.0]).round(3)
    array([10.   , 31.623,  1.   ])
    >>> round(float(table.last_day_above(5.0)), 3)
    23.01
    """

    days: tuple[float, ...]
    """Days after infusion, two or more, increasing, >= 0; any list of numbers is taken."""
    levels: tuple[float, ...]
    """Levels on these days, >= 0, in whatever unit the half-saturation of killing has; not all
    0."""
    after: After
    """What happens after the last day: "decline", "constant" or "zero"."""
    before: Before | None = None
    """What happens before the first day, when that is not day 0: "zero" or "constant"."""

    def __post_init__(self) -> None:
        days, levels = _column("days", self.days), _column("levels", self.levels)
        if days.size != levels.size or days.size < 2:
            raise ParameterError(
                f"days has {days.size} rows and levels {levels.size}; a curve needs two rows or "
                "more, each with both; complete the table"
            )
        _check_order(days)
        if not levels.any():
            raise ParameterError("levels are all 0; a therapy needs some exposure; leave it out")
        if self.after not in get_args(After):
            raise ParameterError(
                f"after is {self.after!r}; the table does not say what follows day {days[-1]:g}; "
                "choose 'decline', 'constant' or 'zero'"
            )
        if self.after == "decline" and levels[-1] > 0 and levels[-2] <= levels[-1]:
            raise ParameterError(
                f"after is 'decline', but the level goes from {levels[-2]:g} in row "
                f"{levels.size - 1} to {levels[-1]:g} in row {levels.size}; the last two levels "
                "must fall to be carried on; choose 'constant' or 'zero', or leave the last row out"
            )
        if self.before not in (None, *get_args(Before)):
            raise ParameterError(
                f"before is {self.before!r}; it must be 'zero' or 'constant'; choose one"
            )
        if days[0] > 0 and self.before is None:
            raise ParameterError(
                f"days starts on day {days[0]:g} and before is None; the table does not say what "
                "came earlier; choose before='zero' or before='constant', or add a row for day 0"
            )
        object.__setattr__(self, "days", tuple(days.tolist()))
        object.__setattr__(self, "levels", tuple(levels.tolist()))

    @cached_property
    def _knots(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        return np.array(self.days), np.array(self.levels)

    @property
    def kinks(self) -> tuple[float, ...]:
        """The days of the table: the curve has a corner on each."""
        return self.days

    @property
    def decline_rate(self) -> float:
        """Rate at which the level falls after the last day, 1/day; 0 where it does not."""
        if self.after != "decline" or self.levels[-1] == 0:
            return 0.0
        fall = np.log(self.levels[-2]) - np.log(self.levels[-1])
        return float(fall / (self.days[-1] - self.days[-2]))

    def level(self, day: ArrayLike) -> NDArray[np.float64]:
        """Return the level on `day`, in the unit of the table.

        Parameters
        ----------
        day : array_like
            Days after infusion, >= 0.

        Raises
        ------
        ParameterError
            When a day is negative or not finite.
        """
        t = require_non_negative("day", day, "count days from infusion")
        days, levels = self._knots
        # On the last day itself the table holds, whatever follows.
        row = np.clip(np.searchsorted(days, t, side="right") - 1, 0, days.size - 2)
        left, right = levels[row], levels[row + 1]
        part = np.clip((t - days[row]) / (days[row + 1] - days[row]), 0.0, 1.0)
        logs = (left > 0) & (right > 0)
        low, high = np.where(logs, left, 1.0), np.where(logs, right, 1.0)
        inside = np.where(
            logs,
            np.exp((1.0 - part) * np.log(low) + part * np.log(high)),
            (1.0 - part) * left + part * right,
        )
        beyond = np.maximum(t - days[-1], 0.0)
        late = 0.0 if self.after == "zero" else levels[-1] * np.exp(-self.decline_rate * beyond)
        early = levels[0] if self.before == "constant" else 0.0
        value = np.where(t > days[-1], late, inside)
        return np.asarray(np.where(t < days[0], early, value))

    def last_day_above(self, level: ArrayLike) -> NDArray[np.float64]:
        """Return the last day on which the curve is at least `level`, or 0 if never.

        Raises
        ------
        ParameterError
            When `level` is not finite and > 0, or the curve stays above it for ever.
        """
        wanted = require_positive("level", level, "give a level in the unit of the table")
        days = [self._last_day(float(value)) for value in wanted.reshape(-1)]
        return np.asarray(days, dtype=float).reshape(wanted.shape)

    def _last_day(self, level: float) -> float:
        days, levels = self._knots
        if levels[-1] >= level:
            if self.after == "constant":
                raise ParameterError(
                    f"level is {level:g}; after='constant' holds the last level, {levels[-1]:g}, "
                    "for ever, so there is no last day above it; choose after='decline' or 'zero'"
                )
            rate = self.decline_rate
            return float(days[-1] + (np.log(levels[-1] / level) / rate if rate else 0.0))
        above = np.flatnonzero(levels >= level)
        if not above.size:
            return 0.0
        row = int(above[-1])
        left, right = float(levels[row]), float(levels[row + 1])
        width = days[row + 1] - days[row]
        if right > 0:
            return float(days[row] + width * np.log(left / level) / np.log(left / right))
        return float(days[row] + width * (left - level) / left)


def read_exposure_table(
    path: str | Path, *, after: After, before: Before | None = None
) -> TableExposure:
    r"""Read an exposure from a CSV file with the header ``day,level``.

    Parameters
    ----------
    path : str or Path
        File in UTF-8; empty lines are skipped.
    after, before : str
        As in `TableExposure`.

    Raises
    ------
    ParameterError
        When the file cannot be read, its header differs, or a row is malformed; the message
        names the line of the file.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder) / "patient.csv"
    ...     _ = file.write_text("day,level\n0,10\n28,500\n90,20\n")
    ...     read_exposure_table(file, after="decline").levels
    (10.0, 500.0, 20.0)
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError, TypeError) as error:
        raise ParameterError(
            f"path is {str(path)!r}; it must be a text file that can be read ({error}); check it"
        ) from error
    lines = [(n, row) for n, row in enumerate(csv.reader(text.splitlines()), start=1) if row]
    header = [name.strip() for name in lines[0][1]] if lines else []
    if header != _HEADER:
        raise ParameterError(
            f"the header of {path} is {','.join(header)!r}; it must be 'day,level'; name the two "
            "columns so"
        )
    days: list[float] = []
    levels: list[float] = []
    for number, row in lines[1:]:
        try:
            day, level = (float(item) for item in row)
        except ValueError:
            raise ParameterError(
                f"line {number} of {path} is {','.join(row)!r}; it must be two numbers, day and "
                "level; correct that line"
            ) from None
        where = f"in line {number} of {path}"
        require_non_negative(f"day {where}", day, "correct that line")
        require_non_negative(f"level {where}", level, "correct that line")
        if days and day <= days[-1]:
            raise ParameterError(
                f"day {where} is {day:g}, after a row with day {days[-1]:g}; days must increase; "
                "sort the lines, and average repeats"
            )
        days.append(day)
        levels.append(level)
    return TableExposure(days=tuple(days), levels=tuple(levels), after=after, before=before)
