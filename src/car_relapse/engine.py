r"""Sampling the fate of many patients at once: only the founders of surviving lines.

Given a patient's CAR-T curve and burden, the lines that outlive therapy are Poisson with
closed-form means, which `car_relapse.history` integrates. Only the founders of those lines are
sampled, so the cost does not depend on the number of leukaemia cells. For every antigen state,
from no loss to all:

* of the N cells at infusion (`car_relapse.presentation`), Poisson many lines survive
  (with probability :math:`\pi` each) and grow to :math:`e^{-\rho(t)} S(0)\,\Gamma(K)`;
* lines that therapy clears follow their mean path D(t), and found lines in further states at
  rate :math:`b\,u\,D(t)`, of which a fraction :math:`\pi(t)` survives, or :math:`s = 1-d/b`
  where the new state is not killed;
* a line founded on day t grows to :math:`e^{-\rho(T)} S(t)\,E`, and without killing to
  :math:`e^{\lambda(T-t)}E/s`, with :math:`E \sim` Exp(1).

Limits. These sizes are exact for late days; at the size D at which a relapse is found their
relative error is of the order :math:`1/\sqrt D`. A cell counts as the state that its line had
when it passed therapy: what a *surviving* line loses while it regrows is left out except for
its untargeted cells, and the birth rate of partial states is that of state 0. Both err by
:math:`O(u\,b\,t)` of a relapse, with t the days of therapy and regrowth: one part in
a thousand for u = 1e-4. `car_relapse.population` refuses losses above one per cent.

A curve may have any shape. A disease that comes back to the limit of relapse between two doses,
and that a later dose would clear, is a relapse too, on its mean path; where so few cells were
left that no mean path tells, the cohort is refused.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from car_relapse.errors import ParameterError
from car_relapse.exposure import one_peak
from car_relapse.history import LineHistory, check_resolved, line_history
from car_relapse.outcomes import Cohort, Detection, Outcome
from car_relapse.presentation import Block, expected_lines, sample_presentation
from car_relapse.quadrature import Panels
from car_relapse.shared_killing import (
    Course,
    Met,
    SharedKilling,
    histories,
    sum_of,
    surviving_lines,
)
from car_relapse.unequal_killing import unequal_cell_values, unequal_course

__all__ = ["LineHistory", "line_history", "sample_fates"]

Floats = NDArray[np.float64]

# Beyond any number of cells that matters, and below what a float can hold.
_LARGEST_LOG = 600.0
# Above this, numpy cannot draw a Poisson number.
_LARGEST_BURDEN = 1e15
_NEWTON = 6
# A probability below this is what rounding left of 0.
_ROUNDING = 1e-12
# A mean path that has been below the first stands for cells that hardly ever exist; one that has
# not been below the second is that of the cells that there are.
_HARDLY_ANY, _CERTAIN = 1e-3, 100.0


def _returns(
    day: Floats,
    late: Floats,
    cleared: Floats,
    reached: NDArray[np.bool_],
    limit: float,
    alike: bool,
) -> tuple[NDArray[np.bool_], Floats]:
    """Return who relapses between two doses with cells that a later dose clears, and when.

    Arrays have shape (nodes, patients); `reached` marks the days since remission.
    """
    lowest = np.minimum.accumulate(np.where(reached, cleared, np.inf))
    total = late + cleared
    back = reached & (total >= limit) & (cleared > late) & (lowest > _HARDLY_ANY)
    # Once lines that outlive therapy are found, what else there is does not matter.
    back &= ~np.logical_or.accumulate(reached & (late >= limit))
    who = np.asarray(back.any(axis=0))
    column = np.arange(who.size)
    right = np.maximum(back.argmax(axis=0), 1)
    least = lowest[right, column]
    if who.any() and not (alike and least[who].min() >= _CERTAIN):
        raise ParameterError(
            f"between two doses a patient has {float(total[right, column][who].max()):g} cells "
            f"again, of at least {float(least[who].min()):g} that were left; the fast engine needs "
            f"{_CERTAIN:g} left, and killed states that are killed alike; simulate courses "
            "(car_relapse.course_cohort), or shorten the pause"
        )
    with np.errstate(divide="ignore"):
        low, high = np.log(total[right - 1, column]), np.log(total[right, column])
    part = np.divide(np.log(limit) - low, high - low, out=np.ones_like(low), where=high > low)
    width = day[right, column] - day[right - 1, column]
    return who, day[right - 1, column] + np.clip(part, 0.0, 1.0) * width


def _relapse(
    block: Block,
    rule: Panels,
    met: dict[float, Met],
    growth: Floats,
    course: Course,
    detection: Detection,
) -> tuple[NDArray[np.int8], Floats]:
    """Return outcome and day of relapse."""
    patients = block.burden.size
    net = block.net_rate
    targeted = {
        share: sum_of(course.killed[s] for s in course.killed if block.engagement[s] == share)
        for share in met
    }
    free = sum_of(course.free.values()) if course.free else np.zeros(patients)
    nothing = sum_of([free, *targeted.values()]) == 0.0
    late = free * growth
    for share, mass in targeted.items():
        late += mass * met[share].regrown
    late = late.reshape(-1, patients)
    low = late + course.cleared.reshape(-1, patients) <= detection.remission_cells
    column = np.arange(patients)
    first = low.argmax(axis=0)
    reached = low[first, column]
    over = late >= detection.relapse_cells
    over &= np.arange(len(late))[:, None] >= first
    right = over.argmax(axis=0)
    found = over[right, column]
    right = np.maximum(np.where(found, right, len(late) - 1), 1)
    left = right - 1

    # The cured get one imaginary escaped cell, so that no infinity meets another.
    free = free + nothing

    def ends(values: Floats) -> tuple[Floats, Floats]:
        flat = values.reshape(-1, patients)
        return flat[left, column], flat[right, column]

    day, last = ends(rule.node)
    width = last - day
    birth = block.birth_rate * (1.0 - block.total_loss)
    # Log sizes are cubics with the values and slopes of both nodes: one row for the escaped
    # cells, one for each engagement.
    rows = 1 + len(targeted)
    start, rise, slope0, slope1 = (np.empty((rows, patients)) for _ in range(4))
    with np.errstate(divide="ignore"):  # a mass of 0 is a log of -inf on purpose
        start[0] = np.log(free) + net * day
        for row, (share, mass) in enumerate(targeted.items(), start=1):
            rho0, rho1 = ends(met[share].history.rho)
            kill0, kill1 = ends(met[share].history.kill)
            start[row], rise[row] = np.log(mass) - rho0, rho0 - rho1
            slope0[row], slope1[row] = birth - block.death_rate - np.array([kill0, kill1])
    rise[0] = net * width
    slope0[0] = slope1[0] = net
    slope0 *= width
    slope1 *= width
    square = 3.0 * rise - 2.0 * slope0 - slope1
    cube = slope0 + slope1 - 2.0 * rise
    limit = np.log(detection.relapse_cells)
    following = np.where(found, 0.5, 1.0)
    for _ in range(_NEWTON):
        x = following
        log_size = start + x * (slope0 + x * (square + x * cube))
        top = log_size.max(axis=0)
        part = np.exp(log_size - top)
        total = part.sum(axis=0)
        gap = limit - top - np.log(total)
        part /= total
        slope = (part * (slope0 + x * (2.0 * square + 3.0 * x * cube))).sum(axis=0)
        # Where growth has not begun the step is halved towards the later node.
        step = np.where(slope > 0.0, gap / np.where(slope > 0.0, slope, 1.0), 0.5 * (1.0 - x))
        following = np.where(found, np.clip(x + step, 0.0, 1.0), 1.0)
    when = day + x * width + np.where(found, 0.0, gap / net)

    kinds = {kind: np.zeros(patients) for kind in _KINDS}
    unit = part[0] / np.where(free > 0.0, free, 1.0)
    for state, mass in course.free.items():
        kinds[_kind(block, state)] += mass * unit
    for row, (share, whole) in zip(part[1:], targeted.items(), strict=True):
        unit = row / np.where(whole > 0.0, whole, 1.0)
        for state, mass in course.killed.items():
            if block.engagement[state] == share:
                kinds[_kind(block, state)] += mass * unit
    majority = np.argmax(np.stack(list(kinds.values())), axis=0)
    outcome = np.asarray(_KINDS, dtype=np.int8)[majority]
    outcome[nothing] = Outcome.CURED
    outcome[~reached] = Outcome.NO_REMISSION
    when[nothing] = np.inf
    when[~reached] = 0.0
    if not one_peak(block.curve):
        after = (np.arange(len(late))[:, None] >= first) & reached
        again, day_again = _returns(
            rule.node.reshape(-1, patients),
            late,
            course.cleared.reshape(-1, patients),
            after,
            detection.relapse_cells,
            len(met) == 1,
        )
        # They are as they were at infusion, but for one in 1/u.
        outcome[again] = Outcome.ANTIGEN_POSITIVE
        when[again] = day_again[again]
    return outcome, when


_KINDS = (
    Outcome.ANTIGEN_POSITIVE,
    Outcome.ANTIGEN_NEGATIVE,
    Outcome.PARTIAL_LOSS,
    Outcome.LINEAGE_SWITCH,
)


def _kind(block: Block, state: int) -> Outcome:
    if state == 0:
        return Outcome.ANTIGEN_POSITIVE
    if state < block.escaped:
        return Outcome.PARTIAL_LOSS
    return Outcome.ANTIGEN_NEGATIVE if state == block.escaped else Outcome.LINEAGE_SWITCH


def sample_fates(
    block: Block,
    detection: Detection,
    rng: np.random.Generator,
    *,
    subgroup: NDArray[np.int8] | None = None,
) -> Cohort:
    """Draw what becomes of each patient of a block.

    Parameters
    ----------
    block : Block
        Patients.
    detection : Detection
        Limits of remission and relapse.
    rng : numpy.random.Generator
        Source of randomness.
    subgroup : ndarray of int8, shape (patients,), optional
        Subgroup of each patient, to be passed on; 0 by default.

    Returns
    -------
    Cohort

    Raises
    ------
    ParameterError
        When a burden is too large for numpy to draw numbers of lines, or a patient's growth
        and curve are too far apart to be followed.
    """
    if not block.burden.max() <= _LARGEST_BURDEN:
        raise ParameterError(
            f"burden is {block.burden.max():g} cells; above {_LARGEST_BURDEN:g} numbers of lines "
            "cannot be drawn; lower the burden or its spread"
        )
    rule, met = histories(block)
    for therapy in met.values():
        check_resolved(therapy.history, block, block.total_loss)
    growth = np.exp(np.minimum(block.net_rate * rule.node, _LARGEST_LOG))
    fade = 1.0 / growth
    if len(met) == 1:
        shared = SharedKilling(block, rule, met[block.engagement[0]], fade)
        targeted, escaping = shared.cell_values()
    else:
        targeted, escaping = unequal_cell_values(block, rule, met)
    for state in targeted:
        if state:
            targeted[state] += np.exp(-met[block.engagement[state]].history.log_r)
    # By line that will be cleared, as in `car_relapse.survival`.
    through = surviving_lines(met[block.engagement[0]].history.log_r)
    cleared = np.maximum(np.exp(-through), _ROUNDING)
    targeted[0], escaping[0] = targeted[0] / cleared, escaping[0] / cleared
    lines = expected_lines(block, targeted, escaping)
    cells = sample_presentation(block, rng)
    if len(met) == 1:
        course = shared.course(cells, detection.relapse_cells, rng)
    else:
        course = unequal_course(block, rule, met, fade, cells, detection.relapse_cells, rng)
    outcome, when = _relapse(block, rule, met, growth, course, detection)
    return Cohort(
        outcome=outcome,
        relapse_day=when,
        burden=block.burden,
        positive_lines=lines.positive + block.burden * through,
        preexisting_lines=lines.preexisting,
        acquired_lines=lines.acquired,
        subgroup=np.zeros(block.burden.size, dtype=np.int8) if subgroup is None else subgroup,
    )
