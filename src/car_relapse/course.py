r"""One patient's course, sampled: who is there on each day, by exact leaps.

Every antigen state is followed, in whole cells. The cells of one state follow a birth–death
process whose death rate includes killing, drawn from its exact law in every step, however long
(`car_relapse.leaps`). Cells that lose antigens found cells of other states in between, given
the exact mean of their parents (`car_relapse.type_leaps`). Cells that switch do so between
steps, which are short where that matters.

The disease on the day of infusion has grown from one cell, and its losses with it
(`car_relapse.growth_sampling`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from car_relapse.celltypes import FULL_LOSS
from car_relapse.course_laws import CourseLaws, course_laws, from_infusion
from car_relapse.errors import (
    ParameterError,
    require_count,
    require_draws,
    require_instance,
    require_positive,
)
from car_relapse.growth_sampling import grow_types
from car_relapse.leaps import LARGEST_POPULATION
from car_relapse.line_law import LineLaw
from car_relapse.luria_delbrueck import check_fixed
from car_relapse.patient import Patient
from car_relapse.type_leaps import leap_types

__all__ = [
    "Course",
    "Courses",
    "Regrowth",
    "course_laws",
    "mean_course",
    "sample_course",
    "sample_courses",
]

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

# A course stops being simulated where a body could no longer hold the disease.
_LETHAL = 1e13


@dataclass(frozen=True, kw_only=True)
class Course:
    """Cell numbers of one patient on given days."""

    day: Floats
    """Days after infusion, shape (m,)."""
    cells: Floats
    """Number of cells of each type, cells, shape (m, types)."""
    relapse_class: NDArray[np.int64]
    """Kind of relapse that each type makes, as in `car_relapse.celltypes`, shape (types,)."""

    @property
    def targeted(self) -> Floats:
        """Number of cells that keep a target, cells, shape (m,)."""
        return np.asarray(self.cells[:, self.relapse_class < FULL_LOSS].sum(axis=1))

    @property
    def escaped(self) -> Floats:
        """Number of cells that have lost every target, cells, shape (m,)."""
        return np.asarray(self.cells[:, self.relapse_class >= FULL_LOSS].sum(axis=1))

    @property
    def total(self) -> Floats:
        """Number of leukaemia cells, cells, shape (m,)."""
        return np.asarray(self.cells.sum(axis=1))


@dataclass(frozen=True, kw_only=True)
class Courses:
    """Cell numbers in n courses of one patient on given days.

    A course that has passed 1e13 cells stands still from then on.
    """

    day: Floats
    """Days after infusion, shape (m,)."""
    cells: Floats
    """Number of cells of each type, cells, shape (n, m, types)."""
    days_followed: NDArray[np.int64]
    """Number of days, counted from the first, up to which each course was followed, shape
    (n,)."""
    second_day: Floats
    """Day on which the product that waits for regrowth was given, days; infinite where it was
    not; shape (n,)."""
    relapse_class: NDArray[np.int64]
    """Kind of relapse that each type makes, as in `car_relapse.celltypes`, shape (types,)."""

    @property
    def targeted(self) -> Floats:
        """Number of cells that keep a target, cells, shape (n, m)."""
        return np.asarray(self.cells[..., self.relapse_class < FULL_LOSS].sum(axis=-1))

    @property
    def escaped(self) -> Floats:
        """Number of cells that have lost every target, cells, shape (n, m)."""
        return np.asarray(self.cells[..., self.relapse_class >= FULL_LOSS].sum(axis=-1))

    @property
    def total(self) -> Floats:
        """Number of leukaemia cells, cells, shape (n, m)."""
        return np.asarray(self.cells.sum(axis=-1))

    def course(self, index: int) -> Course:
        """Return one of the courses, up to the last day on which it was followed.

        Parameters
        ----------
        index : int
            Which of the n courses, counted from 0.

        Raises
        ------
        ParameterError
            When there is no such course.
        """
        which = require_count(
            "index", index, "count courses from 0", maximum=len(self.days_followed) - 1
        )
        last = int(self.days_followed[which])
        return Course(
            day=self.day[:last],
            cells=self.cells[which, :last],
            relapse_class=self.relapse_class,
        )


@dataclass(frozen=True, kw_only=True)
class Regrowth:
    """A product that waits until the disease has come back."""

    product: int
    """Which of the patient's products waits, counted from 0; its `first_day` is not used."""
    cells: float
    """Burden at which it is given, cells, > 0: on the first of the given days with at least so
    many cells, after one with fewer."""

    def __post_init__(self) -> None:
        require_count("product", self.product, "0 is the first product")
        require_positive("cells", self.cells, "give a number of cells", scalar=True)


def mean_course(patient: Patient, days: ArrayLike) -> Course:
    r"""Return the expected number of cells of the lines that show a target, on each day.

    :math:`N e^{-\rho(t)}` in each type that is there at infusion. A mean below one cell is not
    cure, and a mean above one is not relapse: it averages over patients who are cured and
    patients who relapse. What the lines found by losing antigens is left out: it stays 0.

    Parameters
    ----------
    patient : Patient
        Without switching or stripping.
    days : array_like, shape (m,)
        Increasing days, starting on the day of infusion, 0.

    Raises
    ------
    ParameterError
        As in `course_laws`, when the days do not start at 0, when types switch, and when the
        mean passes 1e18 cells.
    """
    t = from_infusion(days)
    laws = course_laws(patient, t)
    if laws.conversion(0) is not None:
        raise ParameterError(
            "the patient's types switch; a mean course follows each type alone, so switching and "
            "stripping must be 0; use sample_courses"
        )
    source = laws.source
    with np.errstate(divide="ignore"):  # a step of strong killing may clear all, log 0
        steps = np.log(laws.steps.whole.growth[:, source > 0])
    log_growth = np.vstack([np.zeros(steps.shape[1]), np.cumsum(steps, axis=0)])[laws.where]
    log_mean = np.log(source[source > 0]) + log_growth
    if log_mean.max() > np.log(LARGEST_POPULATION):
        raise ParameterError(
            f"days runs to {t[-1]:g}, and by then the mean passes {LARGEST_POPULATION:g} cells; a "
            "body holds far fewer; end the course earlier"
        )
    cells = np.zeros((t.size, source.size))
    cells[:, source > 0] = np.exp(log_mean)
    return Course(day=t, cells=cells, relapse_class=laws.types.relapse_class)


def sample_course(
    patient: Patient,
    days: ArrayLike,
    rng: np.random.Generator,
    *,
    laws: LineLaw | None = None,
) -> Course:
    """Draw one course of one patient.

    Parameters
    ----------
    patient, days, rng, laws
        As in `sample_courses`, which is the faster way to many courses.

    Returns
    -------
    Course
        Ends early, with the first day on which the disease is above 1e13 cells.

    Raises
    ------
    ParameterError
        As in `sample_courses`.

    Examples
    --------
    >>> from car_relapse.patient import typical_patient
    >>> course = sample_course(typical_patient(), [0, 30, 60], np.random.default_rng(1))
    >>> int(course.targeted[0])
    100000000000
    """
    return sample_courses(patient, days, 1, rng, laws=laws).course(0)


def sample_courses(
    patient: Patient,
    days: ArrayLike,
    n: int,
    rng: np.random.Generator,
    *,
    laws: LineLaw | None = None,
    regrowth: Regrowth | None = None,
    fixed: str = "size",
) -> Courses:
    """Draw many courses of one patient, each with a disease of its own making.

    Cells without a target at infusion come from growth to the patient's burden; at fixed
    time, the burden itself is exponentially distributed around it.

    Parameters
    ----------
    patient : Patient
        With any number of antigens, products, switching and densities.
    days : array_like, shape (m,)
        Increasing days, starting at 0.
    n : int
        Number of courses, >= 1.
    rng : numpy.random.Generator
        Source of randomness.
    laws : CourseLaws, optional
        Result of `course_laws` for the same patient and days, to save its cost.
    regrowth : Regrowth, optional
        One of the products waits until the disease has come back.
    fixed : {"size", "time"}
        What ended the growth before infusion.

    Returns
    -------
    Courses

    Raises
    ------
    ParameterError
        As in `course_laws`, and when `laws` are not those of this patient and these days, or
        `regrowth` names a product that the patient does not get.

    Examples
    --------
    >>> from car_relapse.patient import typical_patient
    >>> courses = sample_courses(typical_patient(), [0, 30, 60], 5, np.random.default_rng(1))
    >>> courses.total.shape
    (5, 3)
    """
    t = from_infusion(days)
    require_instance("patient", patient, Patient, "give a Patient")
    count = require_draws(n, "courses")
    require_instance("rng", rng, np.random.Generator, "give numpy.random.default_rng(seed)")
    check_fixed(fixed)
    checked = _checked_laws(laws, patient, t, regrowth)
    run = _Run(checked, count)
    cells = grow_types(
        checked.source,
        birth=checked.types.birth,
        death=checked.types.death,
        daughters=checked.types.daughters,
        switching=checked.types.switching,
        n=count,
        rng=rng,
        fixed=fixed,
    ).T
    waiting = run.follow(checked, 0, np.arange(count), cells, rng, regrowth)
    for start, members, now in waiting:
        assert regrowth is not None
        given = list(patient.products)
        given[regrowth.product] = replace(given[regrowth.product], first_day=float(t[start]))
        run.second_day[members] = t[start]
        if start < t.size - 1:
            later = course_laws(replace(patient, therapy=tuple(given)), t[start:])
            run.follow(later, start, members, now, rng, None)
    return Courses(
        day=t,
        cells=run.cells,
        days_followed=run.days_followed,
        second_day=run.second_day,
        relapse_class=checked.types.relapse_class,
    )


def _checked_laws(
    laws: LineLaw | None, patient: Patient, days: Floats, regrowth: Regrowth | None
) -> CourseLaws:
    if regrowth is not None:
        require_instance("regrowth", regrowth, Regrowth, "give a Regrowth")
        if laws is not None:
            raise ParameterError(
                "laws are given, and regrowth as well; until regrowth the laws are others; leave "
                "laws out"
            )
        if regrowth.product >= len(patient.products):
            raise ParameterError(
                f"product is {regrowth.product}; the patient gets {len(patient.products)} "
                "products, counted from 0; give a smaller number"
            )
        waits = replace(patient.products[regrowth.product], first_day=2.0 * float(days[-1]))
        therapy = [waits if i == regrowth.product else p for i, p in enumerate(patient.products)]
        return course_laws(replace(patient, therapy=tuple(therapy)), days)
    if laws is None:
        return course_laws(patient, days)
    remedy = "write laws=course_laws(patient, days)"
    given = require_instance("laws", laws, CourseLaws, remedy)
    if not np.array_equal(given.day, days):
        raise ParameterError(
            f"laws are for {given.day.size} days from {given.day[0]:g} to {given.day[-1]:g}, and "
            f"days has {days.size} from {days[0]:g} to {days[-1]:g}; they must be the same; "
            f"{remedy}"
        )
    if given.patient is not patient and given.patient != patient:
        raise ParameterError(f"laws are those of another patient; they must match; {remedy}")
    return given


class _Run:
    """Courses in the making."""

    def __init__(self, laws: CourseLaws, n: int) -> None:
        self.cells = np.zeros((n, laws.day.size, laws.types.size))
        self.days_followed = np.full(n, laws.day.size)
        self.second_day = np.full(n, np.inf)

    def follow(
        self,
        laws: CourseLaws,
        start: int,
        members: NDArray[np.intp],
        cells: Counts,
        rng: np.random.Generator,
        regrowth: Regrowth | None,
    ) -> list[tuple[int, NDArray[np.intp], Counts]]:
        """Follow courses from one day to the last; return those that come to wait, by day."""
        waiting: list[tuple[int, NDArray[np.intp], Counts]] = []
        low = np.zeros(members.size, dtype=bool)
        for i in range(laws.day.size):
            now = start + i
            self.cells[members, now] = cells.T
            total = cells.sum(axis=0)
            done = total == 0
            if regrowth is not None:
                back = low & (total >= regrowth.cells)
                if back.any():
                    waiting.append((now, members[back], cells[:, back]))
                low |= total < regrowth.cells
                done |= back
            members, cells, low = members[~done], cells[:, ~done], low[~done]
            # After the last day there is no step left.
            for step in range(laws.where[i], laws.where[min(i + 1, laws.day.size - 1)]):
                if not members.size:
                    return waiting
                half = laws.conversion(step)
                if half is not None:
                    cells = half(cells, rng)
                cells = leap_types(laws.steps, step, cells, rng)
                if half is not None:
                    cells = half(cells, rng)
                lethal = cells.sum(axis=0) > _LETHAL
                if lethal.any():
                    ended = members[lethal]
                    self.days_followed[ended] = now + 2
                    self.cells[ended, now + 1 :] = cells[:, lethal].T[:, None]
                    members, cells, low = members[~lethal], cells[:, ~lethal], low[~lethal]
        return waiting
