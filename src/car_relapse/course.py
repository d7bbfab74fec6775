"""One patient's course, sampled: who is there on each day, by exact leaps.

Targeted cells follow a birth–death process whose death rate includes killing; escaped
cells follow one without killing. Between two days both are drawn from their exact laws
(`car_relapse.branching.leap`), however far apart the days are. Escaped lines founded within
an interval are Poisson given the targeted cells at its two ends, between which those are
taken to change exponentially: keep the days a day or two apart where that matters.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from car_relapse.branching import LineLaw, constant_rate_law, leap, time_dependent_laws
from car_relapse.errors import ParameterError, require_finite, require_non_negative
from car_relapse.growth import sample_mutants
from car_relapse.luria_delbrueck import CloneLaw
from car_relapse.patient import Patient

__all__ = ["Course", "course_laws", "mean_course", "sample_course"]

# A course stops being simulated where a body could no longer hold the disease.
_LETHAL = 1e13
# Founding times of new lines are drawn one by one up to this number in an interval.
_STRATA = 256


@dataclass(frozen=True, kw_only=True)
class Course:
    """Cell numbers of one patient on given days; arrays have shape (n,)."""

    day: NDArray[np.float64]
    """Days after infusion."""
    targeted: NDArray[np.float64]
    """Number of cells that show the target, cells."""
    escaped: NDArray[np.float64]
    """Number of cells that have lost it, cells."""

    @property
    def total(self) -> NDArray[np.float64]:
        """Number of leukaemia cells, cells."""
        return np.asarray(self.targeted + self.escaped)


def _one_target(patient: Patient) -> float:
    losses = patient.losses
    if losses.antigens != 1:
        raise ParameterError(
            f"losses has {losses.antigens} antigens; courses are sampled for one targeted antigen; "
            "use survival.relapse_probabilities for several"
        )
    loss = losses.total
    if loss > 1e-2:
        raise ParameterError(
            f"the loss probabilities add up to {loss:g} per division; courses treat loss as "
            "rare, so it must be at most 0.01; lower it"
        )
    return loss


def course_laws(patient: Patient, days: ArrayLike) -> LineLaw:
    """Return the law of one targeted line in each interval between `days`.

    They depend on the patient alone: compute them once and sample many courses.

    Parameters
    ----------
    patient : Patient
        With one targeted antigen.
    days : array_like, shape (n,)
        Increasing days after infusion, the first >= 0.

    Returns
    -------
    LineLaw
        Arrays of shape (n - 1,).

    Raises
    ------
    ParameterError
        When the days do not increase or start before infusion, or the patient has several
        targeted antigens.
    """
    loss = _one_target(patient)
    t = require_non_negative("days", days, "count days from infusion")
    leukaemia, therapy = patient.leukaemia, patient.therapy
    birth = leukaemia.birth_rate * (1.0 - loss)
    return time_dependent_laws(
        lambda _: birth,
        lambda day: leukaemia.death_rate + float(therapy.killing_rate(day)),
        t,
        kinks=therapy.exposure.kinks,
    )


def mean_course(patient: Patient, days: ArrayLike) -> Course:
    r"""Return the expected number of targeted cells, :math:`N e^{-\rho(t)}`, on each day.

    A mean below one cell is not cure, and a mean above one is not relapse: it averages
    over patients who are cured and patients who relapse. Escaped cells are left at 0.

    Parameters
    ----------
    patient : Patient
        With one targeted antigen.
    days : array_like, shape (n,)
        Increasing days, starting on the day of infusion, 0.

    Raises
    ------
    ParameterError
        As in `course_laws`, and when the days do not start at 0.
    """
    t = _from_infusion(days)
    laws = course_laws(patient, t)
    log_growth = np.concatenate([[0.0], np.cumsum(laws.log_growth)])
    targeted = patient.leukaemia.burden * np.exp(log_growth)
    return Course(day=t, targeted=targeted, escaped=np.zeros_like(targeted))


def _from_infusion(days: ArrayLike) -> NDArray[np.float64]:
    t = require_finite("days", days, "count days from infusion")
    if t.ndim != 1 or t.size < 2 or t[0] != 0:
        raise ParameterError(
            f"days is {days!r}; a course starts on the day of infusion, so days must be a list "
            "of at least two that starts at 0; prepend 0"
        )
    return t


def sample_course(
    patient: Patient,
    days: ArrayLike,
    rng: np.random.Generator,
    *,
    laws: LineLaw | None = None,
) -> Course:
    """Draw one course of one patient.

    Escaped cells present at infusion come from the Luria–Delbrück law at fixed size.

    Parameters
    ----------
    patient : Patient
        With one targeted antigen.
    days : array_like, shape (n,)
        Increasing days, starting at 0.
    rng : numpy.random.Generator
        Source of randomness.
    laws : LineLaw, optional
        Result of `course_laws` for the same patient and days, to save its cost.

    Returns
    -------
    Course
        Ends early, with the last day on which the disease was below 1e13 cells.

    Raises
    ------
    ParameterError
        As in `mean_course`.

    Examples
    --------
    >>> from car_relapse.patient import typical_patient
    >>> course = sample_course(typical_patient(), [0, 30, 60], np.random.default_rng(1))
    >>> int(course.targeted[0])
    100000000000
    """
    loss = _one_target(patient)
    t = _from_infusion(days)
    steps = course_laws(patient, t) if laws is None else laws
    leukaemia = patient.leukaemia
    b, d, s = leukaemia.birth_rate, leukaemia.death_rate, leukaemia.survival
    clone = CloneLaw(death_ratio=d / b)
    start = int(sample_mutants(leukaemia.burden * loss / s, clone, 1, rng)[0])
    targeted, escaped = [round(leukaemia.burden)], [start]
    for i, width in enumerate(np.diff(t)):
        step = LineLaw(log_growth=steps.log_growth[i], log_hazard=steps.log_hazard[i])
        after = int(leap(step, targeted[-1], rng))
        kept = int(leap(constant_rate_law(b, d, width), escaped[-1], rng))
        new = _new_escaped(targeted[-1], after, b * loss, float(width), b, d, rng)
        targeted.append(after)
        escaped.append(kept + new)
        if after + kept + new > _LETHAL:
            break
    return Course(
        day=t[: len(targeted)],
        targeted=np.array(targeted, dtype=float),
        escaped=np.array(escaped, dtype=float),
    )


def _new_escaped(
    before: int, after: int, rate: float, width: float, b: float, d: float, rng: np.random.Generator
) -> int:
    """Draw the escaped cells at the end of an interval whose lines began inside it.

    The targeted cells are taken to run exponentially between their two known numbers.
    """
    ends = max(before, 0.5), max(after, 0.5)
    slope = np.log(ends[1] / ends[0])
    # Mean cells over the interval: (e^x - 1)/x with x the log ratio, 1 when x is 0.
    mean = ends[0] * (np.expm1(slope) / slope if abs(slope) > 1e-12 else 1.0)
    if before == 0:
        return 0
    lines = int(rng.poisson(rate * width * mean))
    if lines == 0:
        return 0
    if lines <= _STRATA:
        u, founders = rng.random(lines), np.ones(lines, dtype=np.int64)
    else:
        # Many lines at once: as many in each equal share of the founding times, at its middle.
        u = (np.arange(_STRATA) + 0.5) / _STRATA
        founders = rng.multinomial(lines, np.full(_STRATA, 1.0 / _STRATA))
    part = np.log1p(u * np.expm1(slope)) / slope if abs(slope) > 1e-12 else u
    law = constant_rate_law(b, d, width * (1.0 - part))
    return int(leap(law, founders, rng).sum())
