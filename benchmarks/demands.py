"""What the library must reach, in one table. `make bench` says what is met; no test asserts it.

Most demands are ratios of processor times in the same round, which move little from machine to
machine. The absolute ones hold for a present-day server core.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass

_RULES = {"≥": operator.ge, "≤": operator.le, "=": operator.eq}


@dataclass(frozen=True)
class Demand:
    """One line of the table."""

    benchmark: str
    """Name of the benchmark."""
    quantity: str
    """What the demand is about."""
    rule: str
    """``≥``, ``≤`` or ``=``."""
    value: float
    """What it is held against."""

    def met(self, reached: float) -> bool:
        """Whether a value satisfies it."""
        return bool(_RULES[self.rule](reached, self.value))


DEMANDS = (
    Demand("R1", "COPASI hybrid / cohort", "≥", 150),
    Demand("R1", "COPASI tau-leaping / cohort", "≥", 500),
    Demand("R1", "patients per second, case A", "≥", 40_000),
    Demand("R1", "patients per second, case B", "≥", 40_000),
    Demand("R1", "patients per second, case C", "≥", 25_000),
    Demand("R1", "patients per second, case D", "≥", 25_000),
    Demand("R1", "patients per second, case E", "≥", 18_000),
    Demand("R1n", "dearest / cheapest burden", "≤", 1.6),
    Demand("R1n", "exact simulation / cohort at 1e5 cells", "≥", 1000),
    Demand("R1r", "cohort / its bare draws, case A", "≤", 4.0),
    Demand("R1r", "cohort / its bare draws, case B", "≤", 5.5),
    Demand("R1r", "cohort / its bare draws, case C", "≤", 4.0),
    Demand("R1r", "cohort / its bare draws, case D", "≤", 4.0),
    Demand("R1r", "cohort / its bare draws, case E", "≤", 4.0),
    Demand("R2", "rebop / leap", "≥", 50),
    Demand("R2", "GillesPy2 C++ / leap", "≥", 50),
    Demand("R2", "COPASI direct method / leap", "≥", 50),
    Demand("R2", "libRoadRunner / leap", "≥", 50),
    Demand("R3", "scipy odeint / batch", "≥", 20),
    Demand("R3", "libRoadRunner / batch", "≥", 1.5),
    Demand("R3", "diffrax / batch", "≥", 1.2),
    Demand("R3", "median relative error of batch", "≤", 1e-6),
    Demand("R4", "statsmodels / log-rank and incidences", "≥", 50),
    Demand("R4", "scikit-survival / log-rank and incidences", "≥", 200),
    Demand("R4", "lifelines log-rank / log-rank and incidences", "≥", 1000),
    Demand("R4", "Gray / log-rank", "≤", 3.0),
    Demand("R4", "largest difference from statsmodels", "≤", 1e-6),
    Demand("R4", "largest difference from scikit-survival", "≤", 1e-6),
    Demand("R4", "largest difference from lifelines log-rank", "≤", 1e-6),
    Demand("R4", "largest difference from lifelines", "≤", 1e-6),
    Demand("survival", "64 states over 2000 days", "≤", 50),
    Demand("S", "different answers", "=", 0),
    Demand("S", "efficiency of 2 processes", "≥", 0.8),
    Demand("S", "efficiency of 2 Dask workers", "≥", 0.65),
    Demand("C", "import and 128 patients", "≤", 0.4),
    Demand("C", "peak memory of import and 128 patients", "≤", 80),
    Demand("C", "numba modules imported", "=", 0),
    Demand("M", "peak memory of 1e6 less that of 1e5 patients", "≤", 10),
)
