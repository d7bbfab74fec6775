"""Virtual patients, cell by cell: what the fast engine of cohorts leaves out.

`car_relapse.cohort` follows founders of surviving lines and takes some ten microseconds a patient;
its patients have one product and lose antigens for good. Here every patient is followed by
sampled courses (`car_relapse.course`), a second or so for each patient and a few milliseconds
for each further course: densities, switching, stripping, the cost of a loss, mixtures, any gate,
several products, and one of them given when the disease has come back. The result is the same
`Cohort`.

Every patient has a random stream of its own, keyed by the seed and its number, so that results
are the same bit for bit however a cohort is cut.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from car_relapse.antigens import Losses
from car_relapse.celltypes import (
    FULL_LOSS,
    KEPT,
    LINEAGE_SWITCH,
    PARTIAL_LOSS,
    density_groups,
)
from car_relapse.course import Courses, Regrowth, course_laws, sample_courses
from car_relapse.curve_samplers import one_exposure
from car_relapse.errors import (
    ParameterError,
    require_count,
    require_instance,
    require_positive,
)
from car_relapse.killing import Killing, LinearKilling
from car_relapse.outcomes import Cohort, Detection, Outcome, default_detection
from car_relapse.patient import Leukaemia, Patient
from car_relapse.population import Population
from car_relapse.progress import Meter, Progress
from car_relapse.schedule import horizon
from car_relapse.survival import relapse_probabilities

__all__ = ["DrawnPatients", "simulate_courses", "simulate_courses_range"]

Floats = NDArray[np.float64]

# Courses of one patient that are followed together: bounds memory, and keys the streams.
_TOGETHER = 128
# Courses stand still from 1e13 cells on.
_LARGEST_LIMIT = 1e13
_MOST_DAYS = 200_000
_KINDS = {
    KEPT: Outcome.ANTIGEN_POSITIVE,
    FULL_LOSS: Outcome.ANTIGEN_NEGATIVE,
    PARTIAL_LOSS: Outcome.PARTIAL_LOSS,
    LINEAGE_SWITCH: Outcome.LINEAGE_SWITCH,
}


@dataclass(frozen=True, kw_only=True)
class DrawnPatients:
    """Patients of a population who all get what a template gets.

    Examples
    --------
    >>> from car_relapse.patient import typical_patient
    >>> from car_relapse.population import default_population
    >>> people = DrawnPatients(population=default_population(), template=typical_patient())
    >>> patient, subgroup = people.draw(np.random.default_rng(1))
    >>> patient.losses.antigens, subgroup
    (1, 0)
    """

    population: Population
    """Who they are: leukaemia, losses, and for the first product curve and killing."""
    template: Patient
    """Everything else: gates, densities, plasticity, mixture, and further products."""

    def __post_init__(self) -> None:
        require_instance("population", self.population, Population, "give a Population")
        require_instance("template", self.template, Patient, "give a Patient")
        k, own = self.population.losses.antigens, self.template.losses.antigens
        if k != own:
            raise ParameterError(
                f"the template has {own} antigens and the population {k}; both speak of the same "
                "product; give as many losses"
            )
        if self.population.engagement is not None:
            raise ParameterError(
                f"engagement is {self.population.engagement!r}; here the gates of the template say "
                "which cells are killed; leave engagement out of the population"
            )

    def draw(self, rng: np.random.Generator) -> tuple[Patient, int]:
        """Draw one patient, and the subgroup that he is of."""
        block, subgroup = self.population.sample(1, rng)
        first, *more = self.template.products
        product = replace(
            first, exposure=one_exposure(block.curve, 0), killing=_first_law(block.killing)
        )
        patient = replace(
            self.template,
            leukaemia=Leukaemia(
                birth_rate=float(block.birth_rate[0]),
                death_rate=float(block.death_rate[0]),
                burden=float(block.burden[0]),
            ),
            losses=Losses(
                per_antigen=tuple(block.per_antigen[:, 0].tolist()),
                common_mode=float(block.common_mode[0]),
                shared_defect=float(block.shared_defect[0]),
            ),
            therapy=(product, *more),
        )
        return patient, int(subgroup[0])


def _first_law(law: Killing | LinearKilling) -> Killing | LinearKilling:
    def first(value: float | Floats) -> float:
        return float(np.ravel(value)[0])

    if isinstance(law, Killing):
        return Killing(maximal_rate=first(law.maximal_rate), half_level=first(law.half_level))
    return LinearKilling(rate_per_level=first(law.rate_per_level))


Patients = Patient | Sequence[Patient] | DrawnPatients


def _stream(seed: int, person: int, part: int) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(person, part)))


def _person(patients: Patients, seed: int, number: int) -> tuple[Patient, int]:
    if isinstance(patients, Patient):
        return patients, 0
    if isinstance(patients, DrawnPatients):
        return patients.draw(_stream(seed, number, 0))
    return patients[number % len(patients)], 0


def _check_patients(patients: Patients) -> None:
    if isinstance(patients, Patient | DrawnPatients):
        return
    if not isinstance(patients, list | tuple) or not patients:
        raise ParameterError(
            f"patients is {patients!r}; it must be a Patient, a list of them, or a DrawnPatients; "
            "give one"
        )
    for patient in patients:
        require_instance("a patient", patient, Patient, "give a Patient")


def _days(patient: Patient, regrowth: Regrowth | None, step: float) -> Floats:
    """Return days until no line's fate can still change."""
    _, types = density_groups(patient)
    products = list(patient.products)
    if regrowth is None:
        end = horizon(tuple(products), types)
    else:
        which = require_count(
            "product", regrowth.product, "count the products from 0", maximum=len(products) - 1
        )
        # It waits at most until a line that the others leave has grown without limit.
        others = [p if i != which else replace(p, first_day=0.0) for i, p in enumerate(products)]
        end = horizon(tuple(others), types)
        others[which] = replace(products[which], first_day=end)
        end = horizon(tuple(others), types)
    count = int(np.ceil(end / step)) + 1
    if count > _MOST_DAYS:
        raise ParameterError(
            f"step is {step:g} days and a course takes {end:g}; {_MOST_DAYS} steps are the most; "
            "give a longer step"
        )
    return step * np.arange(count + 1.0)


def _fates(courses: Courses, detection: Detection) -> tuple[NDArray[np.int8], Floats]:
    """Return what became of every course, and on which day."""
    total = courses.total
    n, column = len(total), np.arange(len(total))
    low = total <= detection.remission_cells
    first, reached = low.argmax(axis=1), low.any(axis=1)
    over = (total >= detection.relapse_cells) & (np.arange(total.shape[1]) >= first[:, None])
    right, found = over.argmax(axis=1), over.any(axis=1) & reached
    undecided = reached & ~found & (total[:, -1] > 0)
    if undecided.any():
        raise ParameterError(
            f"on day {courses.day[-1]:g} {int(undecided.sum())} of {n} courses have neither "
            "relapsed nor ended; cells that hide and do not grow are never decided; change the "
            "rates of switching, or take sample_courses with days of your own"
        )
    left = np.maximum(right - 1, 0)
    before, after = np.log(np.maximum(total[column, left], 1.0)), np.log(total[column, right] + 1.0)
    rise = np.where(after > before, after - before, 1.0)
    part = np.clip((np.log(detection.relapse_cells) - before) / rise, 0.0, 1.0)
    when = courses.day[left] + part * (courses.day[right] - courses.day[left])
    there = courses.cells[column, right]
    kinds = np.stack([there[:, courses.relapse_class == kind].sum(axis=1) for kind in _KINDS])
    outcome = np.array([int(k) for k in _KINDS.values()], dtype=np.int8)[kinds.argmax(axis=0)]
    outcome[~found] = Outcome.CURED
    outcome[~reached] = Outcome.NO_REMISSION
    return outcome, np.where(reached, np.where(found, when, np.inf), 0.0)


def _lines(patient: Patient, regrowth: Regrowth | None) -> tuple[float, float, float]:
    if regrowth is not None:
        return np.nan, np.nan, np.nan
    fate = relapse_probabilities(patient)
    return (
        fate.positive_lines,
        max(fate.preexisting_lines - fate.shared_lines, 0.0),
        fate.acquired_lines + fate.completed_lines,
    )


def _one_person(
    patient: Patient,
    seed: int,
    number: int,
    courses: int,
    regrowth: Regrowth | None,
    step: float,
    detection: Detection,
    fixed: str,
) -> tuple[NDArray[np.int8], Floats]:
    days = _days(patient, regrowth, step)
    laws = course_laws(patient, days) if regrowth is None else None
    parts = []
    for part, first in enumerate(range(0, courses, _TOGETHER), start=1):
        sampled = sample_courses(
            patient, days, _TOGETHER if courses > 1 else 1, _stream(seed, number, part),
            laws=laws, regrowth=regrowth, fixed=fixed,
        )  # fmt: skip
        outcome, when = _fates(sampled, detection)
        parts.append((outcome[: courses - first], when[: courses - first]))
    return np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts])


def _persons(
    patients: Patients, start: int, stop: int, seed: int, courses: int, **options: object
) -> Iterator[Cohort]:
    known: dict[int, tuple[float, float, float]] = {}
    regrowth = options["regrowth"]
    for number in range(start, stop):
        patient, subgroup = _person(patients, seed, number)
        # The options are those of simulate_courses, which has checked them; as **options, one type
        # stands for all, and the type checker cannot tell them apart.
        outcome, when = _one_person(patient, seed, number, courses, **options)  # type: ignore[arg-type]
        key = id(patient) if not isinstance(patients, DrawnPatients) else -1
        # The same: one of the options, of whose type nothing is left but object.
        lines = known.get(key) or _lines(patient, regrowth)  # type: ignore[arg-type]
        if key >= 0:
            known[key] = lines
        positive, preexisting, acquired = (np.full(courses, value) for value in lines)
        yield Cohort(
            outcome=outcome,
            relapse_day=when,
            burden=np.full(courses, patient.leukaemia.burden),
            positive_lines=positive,
            preexisting_lines=preexisting,
            acquired_lines=acquired,
            subgroup=np.full(courses, subgroup, dtype=np.int8),
        )


def simulate_courses_range(
    patients: Patients,
    start: int,
    stop: int,
    *,
    seed: int,
    courses: int = 1,
    regrowth: Regrowth | None = None,
    step: float = 1.0,
    detection: Detection | None = None,
    fixed: str = "size",
    progress: bool | Callable[[Progress], None] = False,
) -> Cohort:
    """Return the patients `start` to `stop` - 1 of what `simulate_courses` simulates.

    Parameters
    ----------
    patients, seed, courses, regrowth, step, detection, fixed, progress
        As in `simulate_courses`.
    start, stop : int
        Range of patient numbers, 0 <= start < stop.

    Returns
    -------
    Cohort
        Patient after patient, the courses of each together.

    Raises
    ------
    ParameterError
        As `simulate_courses`, and when the range is empty.
    """
    _check_patients(patients)
    first = require_count("start", start, "give a patient number")
    last = require_count("stop", stop, "give a patient number above start", minimum=first + 1)
    root = require_count("seed", seed, "give a whole number >= 0", maximum=None)
    each = require_count("courses", courses, "give a number of courses", minimum=1)
    require_positive("step", step, "give a number of days", scalar=True)
    limits = default_detection() if detection is None else detection
    require_instance("detection", limits, Detection, "give default_detection()")
    if limits.relapse_cells > _LARGEST_LIMIT:
        raise ParameterError(
            f"relapse_cells is {limits.relapse_cells:g}; courses stand still from "
            f"{_LARGEST_LIMIT:g} cells on, so it must be at most that; lower it"
        )
    if regrowth is not None:
        require_instance("regrowth", regrowth, Regrowth, "give a Regrowth")
    meter = Meter(last - first, progress)
    parts = []
    with meter.watch(kept=False):
        for part in _persons(
            patients, first, last, root, each, regrowth=regrowth, step=float(step),
            detection=limits, fixed=fixed,
        ):  # fmt: skip
            parts.append(part)
            meter.add(1)
    return Cohort(
        **{f.name: np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(Cohort)}
    )


def simulate_courses(
    patients: Patients,
    n: int,
    seed: int,
    *,
    courses: int = 1,
    regrowth: Regrowth | None = None,
    step: float = 1.0,
    detection: Detection | None = None,
    fixed: str = "size",
    progress: bool | Callable[[Progress], None] = False,
) -> Cohort:
    """Return a cohort of virtual patients, each followed cell by cell in sampled courses.

    Parameters
    ----------
    patients : Patient, sequence of Patient, or DrawnPatients
        One patient for all, a list that is gone through again and again, or patients to draw.
    n : int
        Number of patients, >= 1.
    seed : int
        Seed; the same seed gives the same courses, bit for bit, in `simulate_courses_range` too.
    courses : int, optional
        Courses of each patient, >= 1: each has a leukaemia of its own making. Many courses of few
        patients are much faster than one course of each of many.
    regrowth : Regrowth, optional
        One of the products waits until the disease has come back to some size.
    step : float, optional
        Days between looks at the burden, > 0: remission, regrowth and relapse are seen then, and
        the day of relapse is interpolated on the log scale.
    detection : Detection, optional
        Limits of remission and relapse; by default those of the ledger.
    fixed : {"size", "time"}
        What ended the growth before infusion.
    progress : bool or callable, optional
        As in `car_relapse.cohort.simulate`; it counts patients.

    Returns
    -------
    Cohort
        Of n times `courses` elements, patient after patient. The expected lines are those of
        `car_relapse.survival`; with `regrowth` they are not known, and NaN.

    Raises
    ------
    ParameterError
        When an argument breaks its rule, or a course is never decided.

    Examples
    --------
    >>> from car_relapse.patient import typical_patient
    >>> simulate_courses(typical_patient(1e9), 1, 1, courses=3, step=5.0).size
    3
    """
    count = require_count("n", n, "give a number of patients", minimum=1)
    return simulate_courses_range(
        patients, 0, count, seed=seed, courses=courses, regrowth=regrowth, step=step,
        detection=detection, fixed=fixed, progress=progress,
    )  # fmt: skip
