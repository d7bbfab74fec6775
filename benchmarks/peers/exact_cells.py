"""Exact simulation of R1's patients, cell by cell, compiled by numba.

Written for the comparison, not part of the library: every division, death and killing is one
event (Gillespie 1977, doi:10.1021/j100540a008), with a bound on killing that is renewed daily and
events above it left out (thinning; Lewis & Shedler 1979, doi:10.1002/nav.3800260304).
"""

from __future__ import annotations

from collections.abc import Callable
from math import exp
from typing import Any

import numpy as np

from benchmarks.r1_model import HORIZON, REMISSION, RISE, draw_patients

# In the order of the library's outcomes.
CURED, POSITIVE, NEGATIVE, NO_REMISSION = range(4)


def one_patient(jit: Callable[[Any], Any]) -> Any:
    """Return the simulation of one patient, compiled by `jit`."""

    @jit
    def level(day, peak, fast, share, slow):  # type: ignore[no-untyped-def]
        if day < peak:
            return exp(RISE * (day - peak))
        return (1.0 - share) * exp(-fast * (day - peak)) + share * exp(-slow * (day - peak))

    @jit
    def patient(rng, b, d, loss, kill, peak, fast, share, slow, burden, relapse):  # type: ignore[no-untyped-def]
        targeted, escaped = 0, 0
        while targeted + escaped < burden:
            if targeted + escaped == 0:
                targeted = 1
            x = rng.random() * (b + d)
            first = rng.random() * (targeted + escaped) < targeted
            if x < d:
                targeted -= first
                escaped -= not first
            elif first and rng.random() >= loss:
                targeted += 1
            else:
                escaped += 1
        day, remission = 0.0, False
        edge, bound = 0.0, 0.0
        while day < HORIZON:
            if day >= edge:
                edge = day + 1.0
                bound = kill * max(
                    level(day, peak, fast, share, slow),
                    level(min(edge, max(peak, day)), peak, fast, share, slow),
                )
            total = (targeted + escaped) * (b + d) + targeted * bound
            wait = rng.standard_exponential() / total
            if day + wait >= edge:
                day = edge  # exponential waiting starts afresh
                continue
            day += wait
            x = rng.random() * total
            if x < targeted * bound:
                if x < targeted * kill * level(day, peak, fast, share, slow):
                    targeted -= 1
            else:
                x = (x - targeted * bound) / (b + d)  # uniform among the cells
                first = x < targeted
                if rng.random() * (b + d) < d:
                    targeted -= first
                    escaped -= not first
                elif first and rng.random() >= loss:
                    targeted += 1
                else:
                    escaped += 1
            cells = targeted + escaped
            if cells == 0:
                return CURED, day
            if cells <= REMISSION * relapse:
                remission = True
            elif remission and cells >= relapse:
                return (NEGATIVE if escaped >= targeted else POSITIVE), day
            elif cells >= 4.0 * burden:  # it grows in spite of therapy
                return NO_REMISSION, day
        return (CURED if remission else NO_REMISSION), day

    return patient


def simulate(
    units: int, case: str, burden: float, jit: Callable[[Any], Any] | None = None
) -> Callable[[int], dict[str, Any]]:
    """Simulate `units` patients of a case from one cell to relapse at half the burden.

    Parameters
    ----------
    units : int
        Number of patients in one round.
    case : str
        Key of `benchmarks.r1_model.CASES`.
    burden : float
        Cells at infusion.
    jit : callable, optional
        Compiler; by default numba's.
    """
    if jit is None:
        from numba import njit as jit
    patient = one_patient(jit)

    def work(seed: int) -> dict[str, Any]:
        rng = np.random.default_rng(seed)
        counts = np.zeros(4)
        for p in draw_patients(case, units, rng):
            outcome, _ = patient(rng, *p, burden, 0.5 * burden)
            counts[outcome] += 1
        cured, positive, negative, none = (counts / units).tolist()
        return {"cured": cured, "positive": positive, "negative": negative, "no_remission": none}

    work(0)  # compiles, for the longest part of the time
    return work
