r"""Feedback: the tumour and healthy B cells drive the CAR-T cells that kill them.

Effector CAR-T :math:`E`, memory CAR-T :math:`M`, antigen-positive leukaemia :math:`P`,
antigen-negative leukaemia :math:`Q` and normal B cells :math:`B`, in cells. With the antigen
in sight :math:`A = P + B`, its share :math:`s = A/(g + A)`, and killing
:math:`k = \kappa_{max} E/(h + E)`,

.. math::

    E' &= (\rho s - \delta)\,E + \theta s M, \qquad
    M' = \varepsilon E - (\theta s + \mu)\,M, \\
    P' &= r\Bigl(1 - \frac{P+Q}{K}\Bigr)P - (k + \nu)P, \qquad
    Q' = r\Bigl(1 - \frac{P+Q}{K}\Bigr)Q + \nu P, \\
    B' &= I - (1/\tau + k)\,B .

Nothing here is new; the parts are put together. Memory that forms from effectors and wakes
on antigen is CARTmath (Barros et al. 2021, doi:10.3390/cancers13122941); without antigen
effectors and memory decline as in Stein et al. 2019 (doi:10.1002/psp4.12388). Expansion that
saturates in the antigen is León-Triana et al. 2021 (doi:10.3390/cancers13040703), normal B
cells as a second source of antigen are León-Triana et al. 2020
(doi:10.1016/j.cnsns.2020.105570), and saturating killing is Kimmel et al. 2021
(doi:10.1098/rspb.2021.0229). The antigen-negative clone is the addition: it is not seen, not
killed, and feeds nothing.

It explains why the expansion follows the burden, why normal B cells keep CAR-T going when the
leukaemia is gone, and why that does not help against cells without the antigen. It does not
contain chance: a clone of less than one cell is still a number here, and whether it dies out
is for the branching models (`car_relapse.survival`).

The equations are solved in logarithms, so a clone of 1e-100 cells keeps its size, and what
grows back is the model's and not the integrator's.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from car_relapse.antigens import Losses
from car_relapse.branching import survival_probability
from car_relapse.errors import (
    ParameterError,
    require_count,
    require_instance,
    require_non_negative,
    require_positive,
)
from car_relapse.exposure import MOST_PATIENTS
from car_relapse.ode_cohort import solve_batch
from car_relapse.parameters import default
from car_relapse.resistance import expected_full_loss

__all__ = [
    "FeedbackCohort",
    "FeedbackParameters",
    "FeedbackStart",
    "feedback_slope",
    "r3_model",
    "solve_feedback",
    "typical_feedback",
    "typical_start",
]

Floats = NDArray[np.float64]
Number = float | Floats

# What varies between the patients of the comparison, and the standard deviation of its log.
# A year takes some hundred steps; who needs more than this is stiff, and would take for ever.
_MOST_STEPS = 5_000
_SPREAD = 0.2
_VARIED = (
    *("expansion_rate", "effector_loss", "memory_formation"),
    *("growth_rate", "maximal_killing", "half_killing"),
)


def _check_fields(record: FeedbackParameters | FeedbackStart, remedy: str) -> None:
    sizes = {
        np.shape(require_positive(field.name, getattr(record, field.name), remedy))
        for field in fields(record)
    } - {()}
    if len(sizes) > 1 or any(len(size) > 1 for size in sizes):
        raise ParameterError(
            f"the fields have shapes {sorted(sizes)}; each holds one number or one per patient; "
            "give arrays of one length"
        )


def _columns(record: FeedbackParameters | FeedbackStart) -> Floats:
    values = [np.asarray(getattr(record, field.name), dtype=float) for field in fields(record)]
    return np.array(np.broadcast_arrays(*np.atleast_1d(*values)))


@dataclass(frozen=True, kw_only=True)
class FeedbackParameters:
    """Rates of one patient, or (array fields, shape (n,)) of many."""

    expansion_rate: Number
    r"""Largest expansion rate :math:`\rho` of effectors, 1/day, > 0.
    Ledger: ``feedback.expansion_rate``."""
    half_antigen: Number
    """Cells with antigen :math:`g` that give half of it, cells, > 0.
    Ledger: ``feedback.half_antigen``."""
    effector_loss: Number
    r"""Loss rate :math:`\delta` of effectors, by death and by turning into memory, 1/day, > 0.
    Ledger: ``stein.contraction_rate``."""
    memory_formation: Number
    r"""Rate :math:`\varepsilon` at which effectors turn into memory cells, 1/day, > 0 and at
    most `effector_loss`. Ledger: ``stein.memory_fraction`` times the difference of the two
    rates of decline, as Stein et al. have it."""
    memory_activation: Number
    r"""Largest rate :math:`\theta` at which antigen wakes memory cells, 1/day, > 0.
    Ledger: ``feedback.memory_activation``."""
    memory_death: Number
    r"""Death rate :math:`\mu` of memory cells, 1/day, > 0. Ledger: ``stein.memory_rate``."""
    growth_rate: Number
    """Net growth rate :math:`r` of the leukaemia, 1/day, > 0. Ledger:
    ``leukaemia.birth_rate`` less ``leukaemia.death_rate``."""
    capacity: Number
    """Carrying capacity :math:`K` of the leukaemia, cells, > 0. Ledger: ``feedback.capacity``."""
    loss_rate: Number
    r"""Rate :math:`\nu` at which a positive cell founds a negative one, 1/day, > 0: the
    probability per division times the divisions per day. Ledger: ``loss.cd19`` times
    ``leukaemia.birth_rate``."""
    maximal_killing: Number
    r"""Largest killing rate :math:`\kappa_{max}`, 1/day, > 0. Ledger: ``killing.maximal_rate``."""
    half_killing: Number
    """Effectors :math:`h` of half that rate, cells, > 0. Ledger: ``feedback.half_killing``."""
    b_cell_influx: Number
    """Influx :math:`I` of normal B cells, cells/day, > 0. Ledger: ``feedback.b_cells`` over
    ``feedback.b_cell_lifetime``."""
    b_cell_lifetime: Number
    r"""Mean life :math:`\tau` of normal B cells, days, > 0.
    Ledger: ``feedback.b_cell_lifetime``."""

    def __post_init__(self) -> None:
        _check_fields(self, "see typical_feedback()")
        if np.any(np.asarray(self.memory_formation) > self.effector_loss):
            raise ParameterError(
                f"memory_formation is {self.memory_formation!r}; effectors that turn into memory "
                f"are lost, so it must be <= effector_loss, {self.effector_loss!r}; lower it"
            )

    def columns(self) -> Floats:
        """Return the parameters as rows in field order, one column per patient, (13, n)."""
        return _columns(self)


@dataclass(frozen=True, kw_only=True)
class FeedbackStart:
    """Populations on the day of infusion, of one patient or (array fields) of many."""

    effector: Number
    """Effector CAR-T cells infused, cells, > 0. Ledger: ``feedback.dose``."""
    memory: Number
    """Memory CAR-T cells infused, cells, > 0. Ledger: ``stein.memory_fraction`` of the dose."""
    positive: Number
    """Antigen-positive leukaemia, cells, > 0. Ledger: ``leukaemia.burden``."""
    negative: Number
    """Antigen-negative leukaemia, cells, > 0; it may be less than one."""
    b_cells: Number
    """Normal B cells, cells, > 0. Ledger: ``feedback.b_cells``."""

    def __post_init__(self) -> None:
        _check_fields(self, "see typical_start()")

    def columns(self) -> Floats:
        """Return the natural logarithms in field order, one column per patient, (5, n)."""
        return np.log(_columns(self))


@dataclass(frozen=True, kw_only=True)
class FeedbackCohort:
    """Courses of many patients."""

    day: Floats
    """Days after infusion, shape (m,)."""
    log_cells: Floats
    """Natural logarithms of effectors, memory cells, antigen-positive leukaemia,
    antigen-negative leukaemia and normal B cells, shape (5, m, n)."""

    @property
    def leukaemia(self) -> Floats:
        """All leukaemia cells, shape (m, n)."""
        return np.asarray(np.exp(np.logaddexp(self.log_cells[2], self.log_cells[3])))

    @property
    def car(self) -> Floats:
        """All CAR-T cells, shape (m, n)."""
        return np.asarray(np.exp(np.logaddexp(self.log_cells[0], self.log_cells[1])))


def feedback_slope(day: Floats, log_cells: Floats, parameters: Floats) -> Floats:
    """Return the slopes of the log-populations, for `car_relapse.ode_cohort.solve_batch`.

    Parameters
    ----------
    day : ndarray, shape (n,)
        Not used: nothing depends on the day itself.
    log_cells : ndarray, shape (5, n)
        Natural logarithms of E, M, P, Q and B.
    parameters : ndarray, shape (13, n)
        As `FeedbackParameters.columns` orders them.

    Returns
    -------
    ndarray, shape (5, n)
        1/day.
    """
    (rho, half, loss, forms, wakes, dies, grows, capacity, lose, kills, half_kill, influx,
     life) = parameters  # fmt: skip
    effector, memory, positive, negative = log_cells[:4]
    seen, unseen, b_cells, killers = np.exp(log_cells[[2, 3, 4, 0]])
    share = seen + b_cells
    share /= share + half
    # Ratios through logarithms: either population may be below the smallest float.
    per_effector = np.exp(memory - effector)
    kill = kills * killers / (half_kill + killers)
    woken = wakes * share
    room = grows * (1.0 - (seen + unseen) / capacity)
    out = np.empty_like(log_cells)
    out[0] = rho * share - loss + woken * per_effector
    out[1] = forms / per_effector - woken - dies
    out[2] = room - kill - lose
    out[3] = room + lose * np.exp(positive - negative)
    out[4] = influx / b_cells - 1.0 / life - kill
    return out


def typical_feedback() -> FeedbackParameters:
    """Return the parameters of the typical patient, from the ledger.

    Examples
    --------
    >>> typical_feedback().memory_death
    0.0032
    """
    fast, slow = default("stein.contraction_rate"), default("stein.memory_rate")
    return FeedbackParameters(
        expansion_rate=default("feedback.expansion_rate"),
        half_antigen=default("feedback.half_antigen"),
        effector_loss=fast,
        memory_formation=default("stein.memory_fraction") * (fast - slow),
        memory_activation=default("feedback.memory_activation"),
        memory_death=slow,
        growth_rate=default("leukaemia.birth_rate") - default("leukaemia.death_rate"),
        capacity=default("feedback.capacity"),
        loss_rate=default("loss.cd19") * default("leukaemia.birth_rate"),
        maximal_killing=default("killing.maximal_rate"),
        half_killing=default("feedback.half_killing"),
        b_cell_influx=default("feedback.b_cells") / default("feedback.b_cell_lifetime"),
        b_cell_lifetime=default("feedback.b_cell_lifetime"),
    )


def typical_start() -> FeedbackStart:
    """Return the populations of the typical patient on the day of infusion, from the ledger.

    The negative clone starts at its expected size in a leukaemia grown to its burden.
    """
    burden, dose = default("leukaemia.burden"), default("feedback.dose")
    survival = survival_probability(
        default("leukaemia.birth_rate"), default("leukaemia.death_rate")
    )
    losses = Losses(per_antigen=(default("loss.cd19"),))
    return FeedbackStart(
        effector=dose,
        memory=dose * default("stein.memory_fraction"),
        positive=burden,
        negative=expected_full_loss(burden, survival, losses),
        b_cells=default("feedback.b_cells"),
    )


def solve_feedback(
    parameters: FeedbackParameters,
    start: FeedbackStart,
    days: ArrayLike,
    *,
    rtol: float = 1e-6,
    atol: float = 0.0,
) -> FeedbackCohort:
    """Solve the feedback model for one patient or for many at once.

    Parameters
    ----------
    parameters : FeedbackParameters
        Numbers, or arrays of shape (n,) for n patients.
    start : FeedbackStart
        Likewise.
    days : array_like, shape (m,)
        Increasing days after infusion, >= 0.
    rtol, atol : float, optional
        Error of a population per step, relative and in cells.

    Returns
    -------
    FeedbackCohort

    Raises
    ------
    ParameterError
        When an argument is out of range, parameters and start hold different numbers of
        patients, or a patient needs more than 5000 steps.

    Examples
    --------
    >>> course = solve_feedback(typical_feedback(), typical_start(), [0.0, 28.0, 360.0])
    >>> course.log_cells.shape
    (5, 3, 1)
    """
    require_instance("parameters", parameters, FeedbackParameters, "see typical_feedback()")
    require_instance("start", start, FeedbackStart, "see typical_start()")
    rates, log_start = parameters.columns(), start.columns()
    patients = {rates.shape[1], log_start.shape[1]} - {1}
    if len(patients) > 1:
        raise ParameterError(
            f"parameters hold {rates.shape[1]} patients and start {log_start.shape[1]}; each must "
            "hold as many, or one for all; give arrays of one length"
        )
    n = patients.pop() if patients else 1
    grid = require_non_negative("days", days, "count days from infusion")
    log_cells = solve_batch(
        feedback_slope,
        np.broadcast_to(log_start, (log_start.shape[0], n)),
        grid,
        np.broadcast_to(rates, (rates.shape[0], n)),
        rtol=rtol,
        atol=atol,
        steps=_MOST_STEPS,
    )
    return FeedbackCohort(day=grid, log_cells=log_cells)


def r3_model(n: int, rng: np.random.Generator) -> tuple[FeedbackParameters, FeedbackStart, Floats]:
    """Return the cohort on which solvers are compared: parameters, start, output days.

    Five states and thirteen parameters; six of these vary between patients, log-normally with
    a standard deviation of 0.2. A year, looked at every week: 53 outputs.

    Parameters
    ----------
    n : int
        Number of patients, from 1 to ten million.
    rng : numpy.random.Generator
        Source of randomness.

    Examples
    --------
    >>> parameters, start, days = r3_model(3, np.random.default_rng(1))
    >>> parameters.growth_rate.shape, days.size
    ((3,), 53)
    """
    count = require_count("n", n, "draw more in several parts", minimum=1, maximum=MOST_PATIENTS)
    require_instance("rng", rng, np.random.Generator, "give numpy.random.default_rng(seed)")
    typical = typical_feedback()
    draws = np.exp(_SPREAD * rng.standard_normal((len(_VARIED), count)))
    varied = {
        name: getattr(typical, name) * draw for name, draw in zip(_VARIED, draws, strict=True)
    }
    return replace(typical, **varied), typical_start(), np.arange(0.0, 365.0, 7.0)
