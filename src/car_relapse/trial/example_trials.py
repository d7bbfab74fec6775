"""Two synthetic trials to learn on: nobody in them ever lived.

`example_trial` reads them from the package's tables. ``cr_small`` has 24 patients, few enough for
paper and pencil, with tied times. ``cr_200`` has 200; its transplants were made to do nothing.
Both have the causes 1 for antigen-negative relapse, 2 for antigen-positive relapse and 3 for death
without relapse. (`car_relapse.followup.Cause` numbers the causes of a simulated trial otherwise.)
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from car_relapse.trial._checks import choice

__all__ = ["ExampleName", "ExampleTrial", "example_trial"]

ExampleName = Literal["cr_small", "cr_200"]


@dataclass(frozen=True, kw_only=True, eq=False)
class ExampleTrial:
    """A synthetic trial, one entry per patient in each array."""

    time: NDArray[np.float64]
    """Month of the event, or of the end of follow-up."""
    cause: NDArray[np.int64]
    """0 for censored, 1 antigen-negative relapse, 2 antigen-positive relapse, 3 death."""
    group: NDArray[np.int64]
    """0 for control, 1 for experimental."""
    transplant: NDArray[np.float64]
    """Month of transplant in remission; infinite for none. ``cr_small`` has none."""
    high_burden: NDArray[np.bool_] | None
    """Whether the burden at infusion was high; None in ``cr_small``."""


@cache
def example_trial(name: ExampleName) -> ExampleTrial:
    """Return a synthetic trial.

    Parameters
    ----------
    name : {"cr_small", "cr_200"}
        Which one.

    Raises
    ------
    ParameterError
        When there is no such trial.

    Examples
    --------
    >>> small = example_trial("cr_small")
    >>> small.time[:3].tolist(), small.cause[:3].tolist()
    ([2.0, 3.0, 3.0], [1, 2, 1])
    """
    choice("name", name, get_args(ExampleName))
    path = resources.files("car_relapse.trial") / "examples" / f"{name}.csv"
    with path.open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))

    def column(key: str) -> NDArray[np.float64]:
        # An empty cell is a patient without a transplant.
        return np.array([float(row.get(key) or "inf") for row in rows])

    found = ExampleTrial(
        time=column("time"),
        cause=column("cause").astype(np.int64),
        group=column("arm").astype(np.int64),
        transplant=column("sct_time"),
        high_burden=column("burden") == 1.0 if "burden" in rows[0] else None,
    )
    for values in (found.time, found.cause, found.group, found.transplant, found.high_burden):
        if values is not None:
            values.flags.writeable = False
    return found
