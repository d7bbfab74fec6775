"""The trials of R4, and what this library makes of them."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from car_relapse.trial.competing_risks import gray_tests, incidences, log_rank_tests, risk_sets

Floats = NDArray[np.float64]
Work = tuple[Callable[[int], Any], Callable[[Any], dict[str, Any]]]

PER_ARM = 60
#: Antigen-positive relapse, antigen-negative relapse, death without relapse; per month.
HAZARDS = ((0.020, 0.015, 0.005), (0.020, 0.005, 0.005))
CAUSE = 2
MONTHS = 24.0
#: Trials that are sorted and analysed together.
BLOCK = 256
GROUP = np.repeat([0, 1], PER_ARM)


@cache
def trials(units: int) -> tuple[Floats, NDArray[np.int64]]:
    """Return times (months) and causes of `units` trials; accrual lasts a year, watch three."""
    rng = np.random.default_rng(4)
    shape = (units, GROUP.size)
    hazards = np.array(HAZARDS)[GROUP]
    total = hazards.sum(axis=1)
    event = rng.exponential(size=shape) / total
    kind = 1 + (rng.random(shape)[..., None] * total[:, None] > hazards.cumsum(axis=1)).sum(axis=2)
    end = 36.0 - rng.uniform(0.0, 12.0, shape)
    return np.minimum(event, end), np.where(event <= end, kind, 0)


def _blocks(units: int) -> list[tuple[Floats, NDArray[np.int64]]]:
    time, cause = trials(units)
    return [(time[i : i + BLOCK], cause[i : i + BLOCK]) for i in range(0, units, BLOCK)]


def answers(units: int) -> Floats:
    """Return chi-square, and the incidence of both arms, of each trial: shape (units, 3)."""
    found = []
    for time, cause in _blocks(units):
        data = risk_sets(time, cause, GROUP)
        shares = incidences(data, MONTHS, of=CAUSE, variance=None).value
        found.append(np.column_stack([log_rank_tests(data).statistic, shares]))
    return np.concatenate(found)


def everything(units: int) -> Work:
    """Prepare the log-rank test and both incidences."""
    trials(units)

    def work(_: int) -> Floats:
        return answers(units)

    return work, lambda found: {"power": float((found[:, 0] > 3.841458820694124).mean())}


def log_rank(units: int) -> Work:
    """Prepare the log-rank test alone, with its p-value."""
    blocks = _blocks(units)

    def work(_: int) -> Floats:
        return np.concatenate([log_rank_tests(risk_sets(t, c, GROUP)).p_value for t, c in blocks])

    return work, lambda found: {"power": float((found < 0.05).mean())}


def gray(units: int) -> Work:
    """Prepare Gray's test alone, with its p-value."""
    blocks = _blocks(units)

    def work(_: int) -> Floats:
        return np.concatenate(
            [gray_tests(risk_sets(t, c, GROUP), of=CAUSE).p_value for t, c in blocks]
        )

    return work, lambda found: {"power": float((found < 0.05).mean())}
