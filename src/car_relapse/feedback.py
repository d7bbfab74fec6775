r"""When the tumour drives the CAR-T cells: a course by chance, in steps that see both.

Effector CAR-T :math:`E` and memory CAR-T :math:`M` answer to the antigen that n types of tumour
cells show, and kill them by it:

.. math::

    E' &= (\varphi - \rho - \alpha A)E + \theta A M, \qquad
    M' = \varepsilon E - (\theta A + \mu)M, \qquad A = \sum_j g_j T_j, \\
    &\text{cells of type } j \text{ die at the rate } d_j + \gamma h_j E + (b_j-d_j)\,c\sum_i T_i .

This is CARTmath (Barros et al. 2021, doi:10.3390/cancers13122941) with n types in place of
one, with engagement :math:`h_j` and drive to expand :math:`g_j` between 0 and 1, and with
tumour cells that are whole and die by chance. The paper counts a tumour below
:math:`10^{-6}` cells as gone; here it is gone when its last cell has died.

`PredatorPrey` has the T cells of León-Triana et al. 2020 (doi:10.1016/j.cnsns.2020.105570)
instead, which healthy B cells nourish as the leukaemia does, and `Prescribed` has T cells that
heed nothing.

T cells are many, so they follow their equations. Tumour cells leap exactly
(`car_relapse.leaps`) with the T cells of the middle of a step, and T cells then follow the
tumour they met; both are right to second order in the step. Types of more than a chosen number
of cells may be taken at their mean; `safe_number` says what that costs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from car_relapse.errors import (
    ParameterError,
    is_list,
    require_count,
    require_draws,
    require_instance,
    require_non_negative,
    require_positive,
)
from car_relapse.feedback_types import (
    AntigenDriven,
    CarModel,
    PredatorPrey,
    Prescribed,
    TumourTypes,
    safe_number,
    tumour_types,
)
from car_relapse.intervals import Interval, constant_interval
from car_relapse.leaps import LARGEST_POPULATION, refuse_overflow
from car_relapse.type_leaps import founding_rates

__all__ = [
    "AntigenDriven",
    "FeedbackCourses",
    "PredatorPrey",
    "Prescribed",
    "TumourTypes",
    "safe_number",
    "sample_feedback",
    "tumour_types",
]

Floats = NDArray[np.float64]

_MOST_STEPS = 50_000
# A transient may ask for more than are allowed, for a while; this many times as many are refused
# at once.
_HOPELESS = 100
_TRANSIENT = 1_000
# Where the tumour is gone, CAR-T alone are followed in steps of a day at most.
_QUIET = 1.0


@dataclass(frozen=True, kw_only=True)
class FeedbackCourses:
    """Courses of n populations on m days."""

    day: Floats
    """Days, shape (m,)."""
    cells: Floats
    """Tumour cells of each type, shape (n, m, types)."""
    effector: Floats
    """Effector CAR-T cells, shape (n, m)."""
    memory: Floats
    """Memory CAR-T cells, shape (n, m)."""
    b_cells: Floats
    """Healthy B cells that show the antigen, shape (n, m); 0 in models without them."""

    @property
    def tumour(self) -> Floats:
        """All tumour cells, shape (n, m)."""
        return np.asarray(self.cells.sum(axis=-1))


@dataclass
class _State:
    """What the courses hold now."""

    day: float
    tumour: Floats
    car: Floats
    steps: int = field(default=0)


def _leap(law: Interval, cells: Floats, above: float, rng: np.random.Generator) -> Floats:
    """Return the cells after an interval: drawn where few, their mean where many."""
    many = cells > above
    whole = np.floor(cells)
    # A type that was taken at its mean comes back to whole cells without bias.
    whole += rng.random(cells.shape) < cells - whole
    alive = rng.binomial(np.where(many, 0, whole).astype(np.int64), law.alive)
    excess = rng.standard_gamma(alive) * law.excess
    refuse_overflow(excess)
    return np.asarray(np.where(many, cells * law.growth, alive + rng.poisson(excess)))


class _Model:
    def __init__(
        self, types: TumourTypes, car: CarModel, above: float, events: float, most_steps: int
    ) -> None:
        self.types, self.car, self.above, self.events = types, car, above, events
        self.most_steps = most_steps
        self.founding, clean = founding_rates(types.birth, types.daughters)
        self.clean = clean[:, None]
        self.net = (types.birth - types.death)[:, None]

    def removal(self, killing: Floats, tumour: Floats) -> Floats:
        """Return the death rates of all types, shape (types, n)."""
        crowd = np.maximum(self.net, 0.0) * self.types.crowding * tumour.sum(axis=0)
        return np.asarray(
            self.types.death[:, None] + self.types.engagement[:, None] * killing + crowd
        )

    def step(self, now: _State, longest: float, last: float, rng: np.random.Generator) -> None:
        killing = self.car.killing(now.day, now.car)
        living = now.tumour > 0
        fastest = np.max(np.maximum(self.removal(killing, now.tumour), self.clean) * living)
        short = self.events / fastest if fastest > 0 else _QUIET
        ahead = (last - now.day) / short
        patience = _HOPELESS if now.steps < _TRANSIENT else 1
        if ahead > patience * self.most_steps or now.steps >= self.most_steps:
            raise ParameterError(
                f"days runs to {last:g}; from day {now.day:g}, after {now.steps} steps, "
                f"{ahead:.2g} steps would follow; {self.most_steps} are the most; shorten "
                "the course, lower the rates, or raise events or most_steps"
            )
        width = min(longest, short)
        antigen = self.types.expansion @ now.tumour
        half = self.car.advance(now.car, antigen, 0.5 * width)
        killing = self.car.killing(now.day + 0.5 * width, half)
        crowded = now.tumour * np.exp(
            0.5 * width * (self.clean - self.removal(killing, now.tumour))
        )
        removal = self.removal(killing, crowded)
        after = _leap(constant_interval(self.clean, removal, width), now.tumour, self.above, rng)
        mean = self.founding.T @ (np.sqrt(now.tumour * after) * width)
        if mean.any():
            # A type that is taken at its mean founds by its mean as well, if that is many.
            found = np.where(mean > self.above, mean, rng.poisson(np.minimum(mean, 1e18)))
            after = after + _leap(
                constant_interval(self.clean, removal, 0.5 * width), found, self.above, rng
            )
        met = np.sqrt(antigen * (self.types.expansion @ after))
        now.car = self.car.advance(now.car, met, width)
        now.tumour = after
        now.day += width
        now.steps += 1


def _checked_doses(doses: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    if not is_list(doses) or not all(is_list(dose) and len(dose) == 2 for dose in doses):
        raise ParameterError(
            f"doses is {doses!r}; it must be a list of pairs (day, cells); give [] for none"
        )
    return sorted(
        (
            float(require_non_negative("a dose's day", day, "count days", scalar=True)),
            float(require_non_negative("a dose", cells, "give a number of cells", scalar=True)),
        )
        for day, cells in doses
    )


def sample_feedback(
    types: TumourTypes,
    car: CarModel,
    start: ArrayLike,
    days: ArrayLike,
    *,
    n: int,
    rng: np.random.Generator,
    doses: Sequence[tuple[float, float]] = (),
    mean_above: float = 1e9,
    events: float = 0.05,
    most_steps: int = _MOST_STEPS,
) -> FeedbackCourses:
    """Draw courses of a tumour of several types and the CAR-T cells that it drives.

    Parameters
    ----------
    types : TumourTypes
    car : AntigenDriven, PredatorPrey or Prescribed
        The T cells.
    start : array_like, shape (types,)
        Tumour cells of each type on day 0, whole, at most 1e18.
    days : array_like, shape (m,)
        Increasing days, >= 0.
    n : int
        Number of courses, >= 1.
    rng : numpy.random.Generator
        Source of randomness.
    doses : sequence of (day, cells), optional
        Effector CAR-T given; on its day a dose already counts.
    mean_above : float, optional
        Cells of a type above which it is taken at its mean, >= 0; see `safe_number`. A number
        n leaves out fluctuations of the size of its root.
    events : float, optional
        Largest rate of a tumour cell times step, in (0, 1]: the error is of second order in it.
    most_steps : int, optional
        Steps that the courses may cost, >= 1. A course is given up when it has taken as many;
        when, past its first thousand steps, as many would follow at the rates of the day; and
        at any time when a hundred times as many would.

    Returns
    -------
    FeedbackCourses

    Raises
    ------
    ParameterError
        When an argument breaks its rule, a population passes 1e18 cells, or more than
        `most_steps` are needed.

    Examples
    --------
    >>> from car_relapse.published.cartmath2021 import HDLM2
    >>> one = TumourTypes(birth=np.array([0.07]), death=np.array([0.0135]),
    ...     daughters=np.ones((1, 1)), engagement=np.ones(1), expansion=np.ones(1))
    >>> drawn = sample_feedback(one, AntigenDriven(parameters=HDLM2), [1e7], [0.0, 30.0], n=2,
    ...     rng=np.random.default_rng(1), doses=[(0.0, 2e6)])
    >>> drawn.tumour[:, 1]
    array([0., 0.])
    """
    require_instance("types", types, TumourTypes, "give TumourTypes(...)")
    if not callable(getattr(car, "advance", None)):
        raise ParameterError(
            f"car is {car!r}; it must say how T cells kill and go on; give AntigenDriven(...), "
            "PredatorPrey(...) or Prescribed(...)"
        )
    first = require_non_negative("start", start, "give one number of cells for each type")
    t = require_non_negative("days", days, "count days from the start")
    count = require_draws(n, "courses")
    require_instance("rng", rng, np.random.Generator, "give numpy.random.default_rng(seed)")
    above = float(require_non_negative("mean_above", mean_above, "give cells", scalar=True))
    share = float(require_positive("events", events, "give 0.05", scalar=True))
    if t.ndim != 1 or t.size < 1 or np.any(np.diff(t) <= 0):
        raise ParameterError(f"days is {days!r}; it must be a list of increasing days; sort it")
    if (
        first.shape != types.birth.shape
        or np.any(first != np.floor(first))
        or np.any(first > LARGEST_POPULATION)
    ):
        raise ParameterError(
            f"start is {start!r}; it must hold one whole number of cells, up to "
            f"{LARGEST_POPULATION:g}, for each of the {types.birth.size} types; round it"
        )
    if share > 1:
        raise ParameterError(f"events is {share:g}; steps must be short, so it must be <= 1")
    given = _checked_doses(doses)
    most = require_count("most_steps", most_steps, "give 50000", minimum=1)
    model = _Model(types, car, above, share, most)
    now = _State(0.0, np.repeat(first[:, None], count, axis=1), car.start(count))
    cells = np.zeros((count, t.size, types.birth.size))
    immune = np.zeros((3, count, t.size))
    stops = np.unique(np.concatenate([t, [day for day, _ in given if day <= t[-1]]]))
    for stop in stops:
        while now.day < stop:
            model.step(now, float(stop - now.day), float(t[-1]), rng)
            if stop - now.day < 1e-12 * stop:
                now.day = float(stop)
        now.car[0] += sum(dose for day, dose in given if day == stop)
        at = np.flatnonzero(t == stop)
        if at.size:
            cells[:, at[0]], immune[:, :, at[0]] = now.tumour.T, now.car
    return FeedbackCourses(
        day=t, cells=cells, effector=immune[0], memory=immune[1], b_cells=immune[2]
    )
