"""The cohort of benchmark R3 and its reference solution, the same for all programs."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import solve_ivp

from car_relapse.feedback_ode import feedback_slope, r3_model

#: Relative error of a population that a step may make; on a linear scale also cells.
TOLERANCE, CELLS = 1e-6, 1e-2
#: Patients, out of the first of the cohort, whose error is looked at.
LOOKED_AT = 12
# The reference patients are the first of every cohort, so that cohorts must begin alike.
_LARGEST = 8192


@lru_cache
def cohort(
    patients: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return the rates (13, patients), the log-populations at the start (5,), and the days."""
    parameters, start, days = r3_model(_LARGEST, np.random.default_rng(3))
    return parameters.columns()[:, :patients], start.columns()[:, 0], days


@lru_cache
def reference(patients: int) -> NDArray[np.float64]:
    """Solve the first patients at a tolerance of 1e-11: log-populations (5, days, patients)."""
    rates, start, days = cohort(patients)
    return np.stack(
        [
            solve_ivp(
                lambda t, y, p=rates[:, i : i + 1]: feedback_slope(np.array([t]), y[:, None], p)[
                    :, 0
                ],
                (0.0, days[-1]),
                start,
                "DOP853",
                t_eval=days,
                rtol=1e-11,
                atol=1e-11,
            ).y
            for i in range(patients)
        ],
        axis=2,
    )


def errors(log_cells: NDArray[np.float64]) -> dict[str, Any]:
    """Compare log-populations (5, days, patients) with the reference.

    Parameters
    ----------
    log_cells : ndarray
        What a program found.

    Returns
    -------
    dict
        Median relative error over all, and the largest over populations of at least one cell.
    """
    patients = min(LOOKED_AT, log_cells.shape[2])
    wanted = reference(patients)
    # A clone that a linear scale lost is at minus infinity or below zero: an error of 1.
    found = np.nan_to_num(log_cells[:, :, :patients], nan=-np.inf, neginf=-np.inf)
    relative = np.abs(np.expm1(found - wanted))
    return {
        "median_relative_error": float(np.median(relative)),
        "largest_error_above_one_cell": float(relative[wanted > 0.0].max()),
    }


def batch(units: int) -> Any:
    """Solve `units` patients with this library."""
    from car_relapse.ode_cohort import solve_batch

    rates, start, days = cohort(units)
    columns = np.repeat(start[:, None], units, axis=1)

    def work(_: int) -> NDArray[np.float64]:
        return solve_batch(feedback_slope, columns, days, rates, rtol=TOLERANCE)

    return work, errors
