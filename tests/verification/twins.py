"""Fast paths of the package beside slow, plain twins that share no code with them.

Each comparison runs both and says how far apart they are: in standard errors where chance is
involved, as a relative error where it is not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from scipy.integrate import solve_ivp

from car_relapse.antigens import Losses, Plasticity
from car_relapse.branching import constant_rate_law, leap
from car_relapse.celltypes import density_groups
from car_relapse.cohort import default_population, simulate
from car_relapse.exposure import stein_typical
from car_relapse.feedback_ode import feedback_slope, r3_model, solve_feedback
from car_relapse.gates import AndGate
from car_relapse.growth import sample_mutants
from car_relapse.growth_sampling import sample_two_types
from car_relapse.incidence import aalen_johansen
from car_relapse.killing import Killing, default_killing
from car_relapse.luria_delbrueck import CloneLaw, mutant_probabilities
from car_relapse.outcomes import Outcome
from car_relapse.patient import Leukaemia, Patient, typical_leukaemia
from car_relapse.patient_lines import line_fates, patient_lines
from car_relapse.schedule import killing_schedule
from car_relapse.survival import relapse_probabilities
from car_relapse.therapy import Therapy
from car_relapse.two_types import TwoTypes
from tests.kept import kept
from tests.unit import slow_twins, twin_celltypes

__all__ = ["COMPARISONS", "Comparison", "checked", "standard_errors"]

# The checks, and the twins beside the unit tests.
FOLDERS = (Path(__file__).parent, Path(slow_twins.__file__).parent)

# A difference of four standard errors happens by chance once in some 16,000 comparisons.
_STANDARD_ERRORS = 4.0


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """How far a fast path and its twin are apart."""

    what: str
    """The law or quantity."""
    fast: str
    """What the package does."""
    twin: str
    """What it is compared with."""
    reached: float
    """Difference, in the measure."""
    limit: float
    """Largest difference allowed."""
    measure: Literal["standard errors", "relative"]
    """Unit of the difference."""

    @property
    def passed(self) -> bool:
        """Whether the difference is within its limit."""
        return self.reached <= self.limit


def standard_errors(
    what: str, fast: str, twin: str, values: np.ndarray, expected: float
) -> Comparison:
    """Compare the mean of independent values with its expectation."""
    error = values.std(ddof=1) / np.sqrt(values.size)
    return Comparison(
        what=what,
        fast=fast,
        twin=twin,
        reached=float(abs(values.mean() - expected) / error),
        limit=_STANDARD_ERRORS,
        measure="standard errors",
    )


def _line_by_leaps() -> Comparison:
    """Follow a line for ten days in three leaps, and event by event."""
    birth, death, days = 0.4, 0.3, 10.0
    rng = np.random.default_rng(1)
    sizes = np.ones(40_000, dtype=np.int64)
    for _ in range(3):
        sizes = leap(constant_rate_law(birth, death, days / 3), sizes, rng)
    slow = np.array([slow_twins.gillespie_line(birth, death, days, rng) for _ in range(4_000)])
    error = np.hypot(sizes.std() / np.sqrt(sizes.size), slow.std() / np.sqrt(slow.size))
    return Comparison(
        what="Mean size of a line after ten days",
        fast="three exact leaps",
        twin="every birth and death drawn",
        reached=float(abs(sizes.mean() - slow.mean()) / error),
        limit=_STANDARD_ERRORS,
        measure="standard errors",
    )


def _mutants_sampled() -> Comparison:
    """Compare the share of grown populations with two mutants at most, when cells die."""
    law = CloneLaw(death_ratio=0.5)
    drawn = sample_mutants(2.0, law, 100_000, np.random.default_rng(2)) <= 2
    return standard_errors(
        "Share of populations with two mutants at most",
        "exact sampler",
        "probabilities by quadrature",
        drawn.astype(float),
        float(mutant_probabilities(2.0, law, 2).sum()),
    )


def _mutants_grown() -> Comparison:
    """Compare the same share, when every division on the way is drawn."""
    birth, death, loss, size = 1.0, 0.5, 1e-3, 1000
    grown = slow_twins.grow_with_mutants(birth, death, loss, size, 4_000, np.random.default_rng(3))
    law = CloneLaw(death_ratio=death / birth)
    expected = mutant_probabilities(loss * size / (1 - death / birth), law, 2).sum()
    return standard_errors(
        "The same, grown from one cell to 1,000",
        "law of large populations",
        "every division and death drawn",
        (grown <= 2).astype(float),
        float(expected),
    )


def _step_patient(losses: Losses, burden: float) -> Patient:
    return Patient(
        leukaemia=Leukaemia(birth_rate=0.6, death_rate=0.2, burden=burden),
        losses=losses,
        therapy=Therapy(
            exposure=slow_twins.StepExposure(1e9, 12.0),
            killing=Killing(maximal_rate=0.9, half_level=1e-6),
        ),
    )


def _cure_by_events(antigens: int) -> Comparison:
    """Draw every event of growth, loss, therapy and regrowth."""
    losses = Losses(per_antigen=(5e-4,) * antigens, common_mode=1e-4)
    size, runs = 300, 3_000
    targeted, escaped, given_up = slow_twins.exact_fates(
        0.6, 0.2, 0.9, 12.0, losses.transition_matrix(), size, runs, np.random.default_rng(4)
    )
    if given_up.any():
        raise RuntimeError("the twin gave up a run; a smaller loss keeps partial losses small")
    cured = (~targeted & ~escaped).astype(float)
    return standard_errors(
        f"Chance of cure with {antigens} antigen{'s' * (antigens > 1)}, {size} cells",
        "survival equations",
        "every event drawn, from the first cell on",
        cured,
        relapse_probabilities(_step_patient(losses, float(size))).cure,
    )


def _batched_equations() -> Comparison:
    """Run the batched solver of feedback models, and a general one at a tolerance of 1e-11."""
    patients = 16
    parameters, start, days = r3_model(patients, np.random.default_rng(5))
    fast = solve_feedback(parameters, start, days).log_cells
    rates, first = parameters.columns(), start.columns()[:, 0]
    errors = []
    for i in range(patients):
        own = rates[:, [min(i, rates.shape[1] - 1)]]
        slow = solve_ivp(
            lambda day, y, own=own: feedback_slope(np.array([day]), y[:, None], own)[:, 0],
            (0.0, days[-1]),
            first,
            method="DOP853",
            t_eval=days,
            rtol=1e-11,
            atol=1e-11,
        ).y
        errors.append(np.abs(np.expm1(fast[:, :, i] - slow)))
    return Comparison(
        what=f"Five populations over a year, {patients} patients: median error",
        fast="batched solver, tolerance 1e-6",
        twin="DOP853, tolerance 1e-11, one by one",
        reached=float(np.median(errors)),
        limit=1e-6,
        measure="relative",
    )


def _cohort_cures() -> Comparison:
    """Compare the cured virtual patients with the mean of their own chances of cure."""
    cohort = simulate(default_population(1e9), 12_800, seed=6)
    excess = (cohort.outcome == Outcome.CURED) - cohort.cure_probability
    return standard_errors(
        "Share of cured virtual patients",
        "cohort engine",
        "chance of cure of each patient, in closed form",
        excess,
        0.0,
    )


def _exponents_by_another_integrator() -> Comparison:
    """Compare every exponent of a patient with two antigens, switching and stripping."""
    product = Therapy(exposure=stein_typical(), killing=default_killing())
    patient = Patient(
        leukaemia=typical_leukaemia(1e9),
        losses=Losses(per_antigen=(1e-9, 3e-9), common_mode=1e-11),
        therapy=product,
        plasticity=Plasticity(
            switch_off=(1e-4, 2e-3), switch_on=(1e-2, 0.1), stripping=(0.1, 0.01)
        ),
    )
    _, types = density_groups(patient)
    schedule = killing_schedule(patient.products, types)
    slow = twin_celltypes.log_chain(
        types, patient.products, float(schedule.edges[-1]), kinks=product.kinks
    )
    fates = line_fates(types, schedule)[:, :, 0]
    # A fate is the chance of a class and no lower one; an exponent is given no lower one.
    lower = np.cumsum(np.vstack([np.zeros_like(fates[:1]), fates[:-1]]), axis=0)
    fast = -np.log1p(-fates / (1.0 - lower))
    some = slow > 0
    return Comparison(
        what="Exponents of every class, two antigens that switch and are stripped",
        fast="Gauss panels with Newton steps",
        twin="DOP853 on the logarithm of the exponents",
        reached=float(np.abs(fast[some] / slow[some] - 1.0).max()),
        limit=1e-8,
        measure="relative",
    )


def _and_gate_by_events() -> Comparison:
    """Draw every event of lines that an AND gate kills only while both targets are there."""
    days, cells, runs = 12.0, 60, 2_500
    patient = Patient(
        leukaemia=Leukaemia(birth_rate=0.6, death_rate=0.2, burden=1e3),
        losses=Losses(per_antigen=(0.01, 0.02), common_mode=0.005),
        therapy=Therapy(
            exposure=slow_twins.StepExposure(1e9, days),
            killing=Killing(maximal_rate=1.5, half_level=1e-6),
            gate=AndGate(),
        ),
    )
    _, types = density_groups(patient)
    start = np.zeros(types.size, dtype=int)
    start[0] = cells
    lowest = twin_celltypes.every_event(
        types, np.array([1.5]), days, start, runs, np.random.default_rng(7)
    )
    escapes = patient_lines(patient).fates[:, 0, 0].sum()
    return standard_errors(
        f"Chance that {cells} lines are cleared, AND gate",
        "survival equations",
        "every event drawn",
        (lowest == -1).astype(float),
        float((1.0 - escapes) ** cells),
    )


def _two_types_by_leaps() -> Comparison:
    """Compare leaps of targeted and escaped cells with the exact law of both together."""
    rates = TwoTypes(
        birth_rate=0.2, death_rate=0.1, loss=1e-3, escaped_birth_rate=0.2, escaped_death_rate=0.1
    )
    days = np.log(1e4) / 0.1
    drawn = sample_two_types(rates, days, n=40_000, rng=np.random.default_rng(8), steps=92)
    return standard_errors(
        "Chance that no escaped cell is alive",
        "leaps of two types, 92 steps",
        "hypergeometric law",
        (drawn[:, 1] == 0).astype(float),
        float(rates.no_living(days)),
    )


def _incidence() -> Comparison:
    """Compare the estimated incidence of one cause with that of constant hazards."""
    rng, n, hazards = np.random.default_rng(9), 20_000, np.array([0.002, 0.001])
    first = rng.exponential(1.0 / hazards.sum(), n)
    kind = 1 + (rng.random(n) < hazards[1] / hazards.sum())
    seen = rng.uniform(200.0, 1000.0, n)
    day, cause = np.minimum(first, seen), np.where(first <= seen, kind, 0)
    estimate = aalen_johansen(day, cause)
    last = np.searchsorted(estimate.time, 365.0, side="right") - 1
    expected = hazards[0] / hazards.sum() * -np.expm1(-hazards.sum() * 365.0)
    return Comparison(
        what="Incidence at one year with censoring and a competing cause",
        fast="Aalen-Johansen estimate",
        twin="constant hazards in closed form",
        reached=float(abs(estimate.share[last, 0] - expected) / estimate.std_error[last, 0]),
        limit=_STANDARD_ERRORS,
        measure="standard errors",
    )


COMPARISONS: tuple[Callable[[], Comparison], ...] = (
    _line_by_leaps,
    _mutants_sampled,
    _mutants_grown,
    lambda: _cure_by_events(1),
    lambda: _cure_by_events(2),
    lambda: _cure_by_events(3),
    _and_gate_by_events,
    _exponents_by_another_integrator,
    _two_types_by_leaps,
    _cohort_cures,
    _incidence,
    _batched_equations,
)
"""Every comparison, as a function that makes it."""


def checked(index: int) -> Comparison:
    """Give one of the comparisons, made now or kept from an earlier run."""
    compare = COMPARISONS[index]
    made = kept(
        f"twin-{index}",
        FOLDERS,
        lambda: asdict(compare()),
        lambda found: Comparison(**found).passed,
    )
    return Comparison(**made)
