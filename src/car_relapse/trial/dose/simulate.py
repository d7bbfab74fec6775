"""Simulated dose-finding trials: any design, with the delays and shortfalls of cell therapy.

Patients have apheresis when they come; some products fail, some hold fewer cells than planned;
toxicities come late; months pass. Patient i of trial j is the same person whatever the design
and whatever befell those before: what would happen at each level is drawn by seed and number of
the patient, before anything is decided. So two designs with one seed are compared on the same
patients, and results do not depend on how trials are spread over processes.

Under a calendar a design is asked whenever a patient comes, with what is known then; where it
answers `WAIT`, it is asked again each time that somebody has a toxicity or reaches the end of the
window, and the patient who came goes elsewhere. A design that needs responses is asked only when
everybody has been followed. Without a calendar so is every design.

A patient whose product is too small for the planned level gets the highest level for which it is
enough. Protocols differ in how such a patient counts:

- ``received``: at the level received;
- ``planned``: at the planned level, as if it had been received;
- ``exclude``: not at all, and the next patient takes the place;
- ``weight``: at the planned level, fully after a toxicity, since more cells would not have
  prevented it; otherwise as a share of a patient. Only designs that count the pending in part can.

Designs that ignore or discard what such patients tell can be biased (Devlin, Iasonos and O'Quigley
2021, doi:10.1111/rssc.12485, who develop three others).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, get_args

from car_relapse.cohort import stream
from car_relapse.errors import (
    ParameterError,
    require_count,
    require_fraction,
    require_instance,
)
from car_relapse.trial.dose._trial_block import (
    TRIALS_PER_BLOCK,
    Block,
    Plan,
    Underdosed,
    Uniforms,
)
from car_relapse.trial.dose.designs import Design, require_design
from car_relapse.trial.dose.scenario import Calendar, DoseScenario
from car_relapse.trial.dose.simulated import SimulatedTrials, joined
from car_relapse.workers import Place, place_of, processes, results

__all__ = ["simulate"]

_MOST_TRIALS = 10**6
_MOST_PATIENTS = 10_000


def _run(
    design: Design, scenario: DoseScenario, plan: Plan, seed: int, first: int, last: int
) -> SimulatedTrials:
    """Return the trials `first` to `last` - 1, of one block, from its beginning."""
    uniforms = Uniforms(stream(seed, first // TRIALS_PER_BLOCK))
    block = Block(design, scenario, plan, uniforms, last - first)
    block.run()
    return block.outcome(seed)


def _checked(design: Design, scenario: DoseScenario, plan: Plan) -> Plan:
    require_design(design)
    require_instance("scenario", scenario, DoseScenario, "give a DoseScenario")
    if plan.calendar is not None:
        require_instance("calendar", plan.calendar, Calendar, "give a Calendar, or None")
    size = require_count(
        "cohort_size", plan.cohort_size, "3 is usual", minimum=1, maximum=_MOST_PATIENTS
    )
    cohorts = plan.cohorts
    if cohorts is not None:
        remedy = "give a number of cohorts, or None for a design that stops by itself"
        cohorts = require_count(
            "cohorts", cohorts, remedy, minimum=1, maximum=_MOST_PATIENTS // size
        )
    start = require_count("start", plan.start, "give a level", minimum=1, maximum=scenario.levels)
    if plan.underdosed not in get_args(Underdosed):
        raise ParameterError(
            f"underdosed is {plan.underdosed!r}; it must be one of "
            f"{', '.join(get_args(Underdosed))}"
        )
    if plan.underdosed == "weight" and not getattr(design, "weighs_follow_up", False):
        raise ParameterError(
            f"underdosed is 'weight' and design is a {type(design).__name__}; it counts patients "
            "as whole ones; give TiteCRM or TiteBOIN, or another rule"
        )
    weight = require_fraction(
        "underdose_weight", plan.underdose_weight, "give the share of a patient", scalar=True
    )
    remedy = "give the number of patients who may have apheresis"
    most = require_count(
        "most_enrolled", plan.most_enrolled, remedy, minimum=1, maximum=_MOST_PATIENTS
    )
    if scenario.response is None and getattr(design, "needs_responses", False):
        raise ParameterError(
            f"scenario.response is None and design is a {type(design).__name__}, which asks for "
            "responses; give the probability of response at each level"
        )
    return Plan(
        cohorts=cohorts,
        cohort_size=size,
        start=start,
        calendar=plan.calendar,
        underdosed=plan.underdosed,
        underdose_weight=float(weight),
        most_enrolled=most,
    )


def simulate(
    design: Design,
    scenario: DoseScenario,
    *,
    cohorts: int | None,
    seed: int,
    trials: int = 2000,
    cohort_size: int = 3,
    start: int = 1,
    calendar: Calendar | None = None,
    underdosed: Underdosed = "received",
    underdose_weight: float = 0.5,
    most_enrolled: int = 200,
    client: Any = None,
    workers: int | None = None,
) -> SimulatedTrials:
    """Return simulated trials of a design.

    Parameters
    ----------
    design : Design
        Rule for the next level.
    scenario : DoseScenario
        What is true of patients and product.
    cohorts : int or None
        Most cohorts that are treated; None for a design that stops by itself.
    seed : int
        Seed of the patients, >= 0.
    trials : int, optional
        Number of trials, from 1 to 1e6.
    cohort_size : int, optional
        Patients who count, treated before each decision, >= 1.
    start : int, optional
        First level.
    calendar : Calendar, optional
        How long things take; without it no months, and everybody is followed before each decision.
    underdosed : {"received", "planned", "exclude", "weight"}, optional
        How a patient counts whose product was too small for the planned level.
    underdose_weight : float, optional
        Under ``weight``, the share of a patient that such a one counts for without toxicity, in
        [0, 1].
    most_enrolled : int, optional
        Patients who may have apheresis in one trial, from 1 to 10,000; then it ends.
    client : distributed.Client, optional
        Dask cluster to simulate on, with the same results.
    workers : int, optional
        Processes of this machine to simulate on, with the same results; not with a `client`.

    Raises
    ------
    ParameterError
        When an argument breaks its rule, or the design waits for nothing.

    Examples
    --------
    >>> from car_relapse.trial.dose import BOIN
    >>> scenario = DoseScenario(toxicity=(0.1, 0.3, 0.5))
    >>> run = simulate(BOIN(target=0.3), scenario, cohorts=6, seed=1, trials=100)
    >>> run.selected.sum().round(12)
    np.float64(1.0)
    """
    plan = _checked(
        design,
        scenario,
        Plan(
            cohorts=cohorts, cohort_size=cohort_size, start=start, calendar=calendar,
            underdosed=underdosed, underdose_weight=underdose_weight, most_enrolled=most_enrolled,
        ),
    )  # fmt: skip
    count = require_count(
        "trials", trials, "2000 will do for most pages", minimum=1, maximum=_MOST_TRIALS
    )
    root = require_count("seed", seed, "give a whole number >= 0", maximum=None)
    spans = [
        (first, min(first + TRIALS_PER_BLOCK, count)) for first in range(0, count, TRIALS_PER_BLOCK)
    ]
    work = partial(_run, design, scenario, plan, root)
    if workers is None:
        return _collected(place_of(client), work, spans)
    if client is not None:
        raise ParameterError(
            f"workers is {workers!r} and there is a client; a run is spread over processes of this "
            "machine or over a cluster, not both; leave one out"
        )
    size = require_count("workers", workers, "give a number of processes", minimum=1)
    with processes(size) as place:
        return _collected(place, work, spans)


def _collected(
    place: Place, work: Callable[[int, int], SimulatedTrials], spans: list[tuple[int, int]]
) -> SimulatedTrials:
    return joined([part for _, part in results(place, work, spans, in_order=True)])
