"""Two kinds of cells: targeted ones, and the escaped ones that they found.

The work of benchmark R2 (untreated growth from one cell) and of the part of benchmark R1 that
others can do (constant killing of many cells), in one place for all programs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from car_relapse.line_law import constant_rate_law

BIRTH, DEATH = 0.2, 0.1
#: R2: loss per division, first cells, days (the mean population reaches 1e4).
LOSS, START, END = 1e-3, 1, math.log(1e4) / (BIRTH - DEATH)
#: R1, the treatment alone: cells at the start, constant killing per day, days.
CELLS, KILLING, DAYS = 1e10, 0.3, 200.0


@dataclass(frozen=True, kw_only=True)
class TwoTypes:
    """Rates of the five reactions, 1/day."""

    birth_targeted: float
    """X0 → 2 X0."""
    death_targeted: float
    """X0 → nothing, killing included."""
    loss: float
    """X0 → X0 + X1."""
    birth_escaped: float
    """X1 → 2 X1."""
    death_escaped: float
    """X1 → nothing."""


def _rates(loss: float, killing: float) -> TwoTypes:
    return TwoTypes(
        birth_targeted=BIRTH * (1.0 - loss),
        death_targeted=DEATH + killing,
        loss=BIRTH * loss,
        birth_escaped=BIRTH,
        death_escaped=DEATH,
    )


def untreated() -> TwoTypes:
    """Return the rates of R2."""
    return _rates(LOSS, 0.0)


def treated(loss: float) -> tuple[TwoTypes, float]:
    """Return the rates and the cells at the start of the treatment-only part of R1."""
    return _rates(loss, KILLING), CELLS


def means() -> tuple[float, float]:
    """Return the mean numbers of all and of escaped cells at the end of R2."""
    total = START * math.exp((BIRTH - DEATH) * END)
    targeted = START * math.exp((BIRTH * (1.0 - LOSS) - DEATH) * END)
    return total, total - targeted


def treated_escape(loss: float) -> tuple[float, float]:
    """Return the mean of the escaped cells and P(any) at the end of the treatment."""
    rates, cells = treated(loss)
    net0 = rates.birth_targeted - rates.death_targeted
    net1 = rates.birth_escaped - rates.death_escaped
    mean = cells * rates.loss * (math.exp(net1 * DAYS) - math.exp(net0 * DAYS)) / (net1 - net0)
    # The many targeted cells shrink as their mean does; each line that they found lives or not.
    day = np.linspace(0.0, DAYS, 20_001)
    law = constant_rate_law(rates.birth_escaped, rates.death_escaped, DAYS - day)
    founded = np.trapezoid(cells * rates.loss * np.exp(net0 * day + law.log_alive), day)
    return mean, -math.expm1(-founded)
