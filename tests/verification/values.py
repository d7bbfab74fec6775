"""What a route may return besides a number, and the data sets that rows name."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

__all__ = ["Log", "Sampled", "data"]


class Log(float):
    """The natural logarithm of an answer that no float can hold."""


@dataclass(frozen=True)
class Sampled:
    """An answer by simulation, with its Monte Carlo standard error, number by number."""

    value: float | Sequence[float]
    std_error: float | Sequence[float]


@cache
def data(name: str) -> dict[str, NDArray[np.float64]]:
    """Return the columns of a data set, such as ``data/cr_200.csv``; an empty cell is NaN.

    The package ships the sets that its notebooks use, and there is no second copy of these.
    """
    own = Path(__file__).parent / "data" / Path(name).name
    shipped = resources.files("car_relapse.trial") / "examples" / own.name
    path = own if own.is_file() else shipped
    with path.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    columns = {key: np.array([float(row[key] or "nan") for row in rows]) for key in rows[0]}
    for column in columns.values():
        column.flags.writeable = False
    return columns
