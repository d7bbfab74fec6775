"""What a patient's cells do in each step of a course: laws that are computed once.

Steps end on the days asked for and on every kink of the therapy, and are so short that one line
has about one event in each. The laws depend on the patient alone; many courses share them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from car_relapse.celltypes import CellTypes, cell_types
from car_relapse.errors import (
    ParameterError,
    require_finite,
    require_instance,
    require_non_negative,
)
from car_relapse.line_law import LineLaw
from car_relapse.patient import Patient
from car_relapse.type_leaps import Conversion, StepLaws, founding_rates, step_days, step_laws

__all__ = ["CourseLaws", "course_laws", "from_infusion", "killing_of"]

Floats = NDArray[np.float64]

# Divisions or deaths of one line per step; fewer where types also switch, between steps.
_EVENTS = 1.5
_EVENTS_SWITCHING = 0.2
# Founders are Poisson given the mean path: an error of the square of this per division.
_LARGEST_LOSS = 0.1


@dataclass(frozen=True, kw_only=True)
class CourseLaws(LineLaw):
    """Laws of all types of one patient between given days.

    As a `car_relapse.branching.LineLaw` it is that of one line of the first type, which shows
    every target, in each interval between the days, shape (m - 1,).
    """

    patient: Patient
    """Whose laws these are."""
    day: Floats
    """Days after infusion, shape (m,)."""
    types: CellTypes
    """The patient's types of cell."""
    steps: StepLaws
    """Laws of the steps."""
    where: NDArray[np.intp]
    """Step that starts on each day, shape (m,)."""
    stripped: Floats = field(repr=False)
    """Integrated killing rate of each product in each step, dimensionless, shape (steps, P)."""
    _conversions: dict[object, Conversion] = field(default_factory=dict, repr=False)

    @property
    def source(self) -> Floats:
        """Cells at infusion by type, before the losses of the growth phase."""
        return np.asarray(self.patient.leukaemia.burden * self.types.initial)

    def conversion(self, step: int) -> Conversion | None:
        """Return what switches in half of a step; None when nothing ever does."""
        torn = self.types.stripping.any()
        if not (torn or self.types.switching.any()):
            return None
        width = float(self.steps.edges[step + 1] - self.steps.edges[step])
        key: object = step if torn else width
        if key not in self._conversions:
            hazard = width * self.types.switching
            hazard = hazard + np.tensordot(self.stripped[step], self.types.stripping, axes=(0, 0))
            self._conversions[key] = Conversion.of(0.5 * hazard)
        return self._conversions[key]


def killing_of(patient: Patient) -> Callable[[Floats], Floats]:
    """Return a function from days, shape (...), to killing rates, 1/day, shape (..., P)."""

    def killing(day: Floats) -> Floats:
        return np.stack([np.asarray(p.killing_rate(day)) for p in patient.products], axis=-1)

    return killing


def course_laws(patient: Patient, days: ArrayLike) -> CourseLaws:
    """Return the laws of all types of cell in each interval between `days`.

    They depend on the patient alone: compute them once and sample many courses.

    Parameters
    ----------
    patient : Patient
        With any number of antigens, products, switching and densities.
    days : array_like, shape (m,)
        Increasing days after infusion, the first >= 0; at least two.

    Returns
    -------
    CourseLaws

    Raises
    ------
    ParameterError
        When the days do not increase or start before infusion, a division loses an antigen
        with a probability above 0.1, or rates are so high that the course would take more than
        50 000 steps, or fewer with many types.

    Examples
    --------
    >>> from car_relapse.patient import typical_patient
    >>> course_laws(typical_patient(), [0.0, 30.0, 60.0]).log_growth.round(1)
    array([-15.1,  -1.5])
    """
    require_instance("patient", patient, Patient, "give a Patient")
    t = require_non_negative("days", days, "count days from infusion")
    if t.ndim != 1 or t.size < 2 or np.any(np.diff(t) <= 0):
        raise ParameterError(
            f"days is {days!r}; it must be a list of at least two increasing days; sort it"
        )
    types = cell_types(patient)
    founding, clean = founding_rates(types.birth, types.daughters)
    lost = 1.0 - float(np.min(np.diag(types.daughters)))
    if lost > _LARGEST_LOSS:
        raise ParameterError(
            f"the loss probabilities add up to {lost:g} per division; courses treat loss as rare, "
            f"so it must be at most {_LARGEST_LOSS:g}; lower it"
        )
    killing = killing_of(patient)
    switches = bool(types.switching.any() or types.stripping.any())
    torn = types.stripping.sum(axis=2).max(axis=1)

    def death(day: Floats) -> Floats:
        return np.asarray(types.death + killing(day) @ types.engagement)

    def fastest(day: Floats) -> Floats:
        out = types.switching.sum(axis=1).max() + killing(day) @ torn
        return np.asarray(np.maximum(np.maximum(death(day).max(axis=-1), clean.max()), out))

    kinks = [k for p in patient.products for k in p.kinks]
    edges, where = step_days(
        t, kinks, fastest, _EVENTS_SWITCHING if switches else _EVENTS, types=types.size
    )
    laws = step_laws(edges, clean, death, founding)
    log_growth, log_hazard = _between(laws, where)
    return CourseLaws(
        log_growth=log_growth,
        log_hazard=log_hazard,
        patient=patient,
        day=t,
        types=types,
        steps=laws,
        where=where,
        stripped=np.einsum("sn,snp->sp", laws.weight, killing(laws.node)),
    )


def _between(laws: StepLaws, where: NDArray[np.intp]) -> tuple[Floats, Floats]:
    """Return the law of one line of the first type between days, steps taken together."""
    with np.errstate(divide="ignore"):  # nothing dies, or a step clears every line
        log_growth = np.log(laws.whole.growth[:, 0])
        log_removal = np.log(laws.whole.removal[:, 0])
    growth, hazard = np.zeros(where.size - 1), np.zeros(where.size - 1)
    for i, (first, last) in enumerate(pairwise(where)):
        log_mean = 0.0  # of a living line
        for step in range(first, last):
            log_mean = float(np.logaddexp(log_mean + log_growth[step], log_removal[step]))
        growth[i] = log_growth[first:last].sum()
        hazard[i] = log_mean - growth[i]
    return growth, hazard


def from_infusion(days: ArrayLike) -> Floats:
    """Return `days` as an array, or raise unless they start on the day of infusion."""
    t = require_finite("days", days, "count days from infusion")
    if t.ndim != 1 or t.size < 2 or t[0] != 0:
        raise ParameterError(
            f"days is {days!r}; a course starts on the day of infusion, so days must be a list "
            "of at least two that starts at 0; prepend 0"
        )
    return t
