"""From a scenario to a plan: sizes by formula and by simulation, and what the trial would find.

For every biology and every endpoint, the size is computed, then searched for by simulation; then
the trial of the planned size is simulated once for every biology, all endpoints on the same virtual
trials. Sizes and trials are tasks of their own with random numbers of their own, so a plan is the
same, bit for bit, on however many workers it is made.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from car_relapse.design.formulas import Formula, formula_size
from car_relapse.design.scenario import TrialScenario, Version
from car_relapse.design.sections import EndpointSection
from car_relapse.errors import ParameterError, require_count, require_instance
from car_relapse.scaleout import require_versions, versions
from car_relapse.trial.virtual import Analysis, Performance, SampleSize, run, sample_size
from car_relapse.workers import Place, place_of, processes, results

__all__ = ["BiologyPlan", "EndpointSize", "Plan", "plan_trial"]

Tell = Callable[[str], None]

_QUICK = 200
# Beyond the largest size by this much, by formula, no size is searched for.
_MARGIN = 1.1
# Numbers of the random streams of whole trials; those of searches count from 0.
_FIRST_SCENARIO = 1000


@dataclass(frozen=True, kw_only=True)
class EndpointSize:
    """How many patients one endpoint needs in one biology."""

    endpoint: EndpointSection
    """The endpoint."""
    formula: Formula
    """What formulas say."""
    simulated: SampleSize | None
    """What simulation says; None where it was not searched for, or not found."""
    note: str
    """Why nothing was simulated, in words."""


@dataclass(frozen=True, kw_only=True)
class BiologyPlan:
    """What the trial is like if the experimental arm turns out in one way."""

    version: Version
    """The biology and its trial, with the planned number of patients."""
    sizes: tuple[EndpointSize, ...]
    """One for each endpoint, in the order of `EndpointsSection.all`."""
    performance: tuple[Performance, ...]
    """How each endpoint does in trials of the planned size, in the same order."""

    @property
    def name(self) -> str:
        """What tables call the biology."""
        return self.version.section.name

    @property
    def judged(self) -> tuple[tuple[EndpointSize, Performance], ...]:
        """Each endpoint's size with how it does."""
        return tuple(zip(self.sizes, self.performance, strict=True))


@dataclass(frozen=True, kw_only=True)
class Plan:
    """All that a report says."""

    scenario: TrialScenario
    """What it follows from."""
    patients: int
    """Patients in both arms of the trials that were simulated."""
    trials: int
    """Virtual trials of each biology."""
    quick: bool
    """Whether fewer trials were simulated than the scenario asks for."""
    biologies: tuple[BiologyPlan, ...]
    """What the trial is like in each biology."""
    versions: dict[str, str]
    """Versions of what decides the numbers."""

    @property
    def planned(self) -> BiologyPlan:
        """The biology that the trial is planned for."""
        return self.biologies[self.scenario.planned]

    @property
    def primary(self) -> EndpointSize:
        """The size that the primary endpoint needs in the planned biology."""
        return self.planned.sizes[0]


def plan_trial(
    scenario: TrialScenario,
    *,
    quick: bool = False,
    search: bool = True,
    workers: int | None = None,
    client: Any = None,
    tell: Tell | None = None,
) -> Plan:
    """Compute sizes and operating characteristics of a trial in each biology.

    Parameters
    ----------
    scenario : TrialScenario
        The trial.
    quick : bool, optional
        Whether to simulate 200 trials at most, for a first look.
    search : bool, optional
        Whether to search for sizes by simulation, which takes most of the time.
    workers : int, optional
        Processes of this machine to run on, with the same results; not with a `client`.
    client : distributed.Client, optional
        Dask cluster to run on, with the same results.
    tell : callable, optional
        Is given a line of text now and then: how far the plan is.

    Returns
    -------
    Plan

    Raises
    ------
    ParameterError
        When the design has no number of patients and no size gives the primary endpoint its power,
        or when there are both `workers` and a `client`.
    """
    require_instance("scenario", scenario, TrialScenario, "read one with read_trial")
    if client is not None and workers is not None:
        raise ParameterError(
            f"workers is {workers!r} and there is a client; a plan is spread over processes of "
            "this machine or over a cluster, not both; leave one out"
        )
    if workers is not None:
        size = require_count("workers", workers, "give a number of processes", minimum=1)
        with processes(size) as place:
            return _plan(scenario, quick, search, place, tell)
    return _plan(scenario, quick, search, place_of(client), tell)


def _plan(
    scenario: TrialScenario, quick: bool, search: bool, place: Place, tell: Tell | None
) -> Plan:
    trials = min(scenario.simulation.trials, _QUICK) if quick else scenario.simulation.trials
    count, endpoints = len(scenario.biologies), scenario.endpoints.all
    made_with = versions()
    searched: list[tuple[SampleSize | None, str]] = [(None, "not searched for")] * (
        count * len(endpoints)
    )
    if search:
        work = partial(_size_task, scenario, trials, made_with)
        searched = _spread(place, work, count * len(endpoints), "sizes", tell)
    patients = scenario.design.patients
    if patients is None:
        found, why = searched[scenario.planned * len(endpoints)]
        if found is None:
            raise ParameterError(
                "design.patients is missing; it is the number that the primary endpoint needs, and "
                f"in {scenario.design.plan_for!r} simulation says: {why}; give a number of "
                "patients, or another endpoint"
            )
        patients = found.patients
    simulated = _spread(
        place, partial(_trials_task, scenario, patients, trials, made_with), count, "trials", tell
    )
    return Plan(
        scenario=scenario,
        patients=patients,
        trials=trials,
        quick=trials < scenario.simulation.trials,
        biologies=tuple(
            BiologyPlan(
                version=_sized(version, patients),
                sizes=tuple(
                    EndpointSize(
                        endpoint=endpoint,
                        formula=_formula(scenario, version, endpoint, patients),
                        simulated=searched[number * len(endpoints) + column][0],
                        note=searched[number * len(endpoints) + column][1],
                    )
                    for column, endpoint in enumerate(endpoints)
                ),
                performance=simulated[number],
            )
            for number, version in enumerate(scenario.versions)
        ),
        versions=made_with,
    )


def _spread(
    place: Place, work: Callable[[int, int], Any], count: int, what: str, tell: Tell | None
) -> list[Any]:
    """Return what each of a number of tasks makes, wherever they run."""
    found: list[Any] = [None] * count
    spans: Iterable[tuple[int, int]] = ((n, n + 1) for n in range(count))
    with closing(results(place, work, spans)) as parts:
        for done, ((first, _), made) in enumerate(parts, 1):
            found[first] = made
            if tell is not None:
                tell(f"{what}: {done} of {count}")
    return found


def _sized(version: Version, patients: int) -> Version:
    return replace(version, trial=replace(version.trial, patients=patients))


def _formula(
    scenario: TrialScenario, version: Version, endpoint: EndpointSection, patients: int
) -> Formula:
    design = scenario.design
    return formula_size(
        version.trial, endpoint, alpha=design.alpha, power=design.power, patients=patients
    )


def _size_task(
    scenario: TrialScenario, trials: int, made_with: dict[str, str], first: int, last: int
) -> tuple[SampleSize | None, str]:
    """Return the simulated size of one endpoint in one biology, or why there is none."""
    require_versions(made_with)
    endpoints = scenario.endpoints.all
    version, endpoint = (
        scenario.versions[first // len(endpoints)],
        endpoints[first % len(endpoints)],
    )
    if endpoint.test == "share":
        return None, "not searched for: a size for a misleading endpoint would mislead"
    design, largest = scenario.design, scenario.simulation.largest
    guess = _formula(scenario, version, endpoint, version.trial.patients).calendar
    if guess is not None and guess > _MARGIN * largest:
        return None, "no difference" if guess == float("inf") else f"more than {largest:,}"
    begin = min(max(20, round(guess or 200.0)), largest)
    try:
        found = sample_size(
            replace(version.trial, patients=2 * (begin // 2)),
            endpoint.analysis,
            power=design.power,
            alpha=design.alpha,
            replicates=trials,
            seed=scenario.simulation.seed,
            largest=largest,
        )
    except ParameterError:
        # The search says so when the largest size is not enough; all else was checked before.
        return None, f"none up to {largest:,}"
    return found, ""


def _trials_task(
    scenario: TrialScenario, patients: int, trials: int, made_with: dict[str, str],
    first: int, last: int,
) -> tuple[Performance, ...]:  # fmt: skip
    """Return how every endpoint does in trials of the planned size in one biology."""
    require_versions(made_with)
    found = run(
        _sized(scenario.versions[first], patients).trial,
        tuple(endpoint.analysis for endpoint in scenario.endpoints.all),
        trials,
        seed=scenario.simulation.seed,
        scenario=_FIRST_SCENARIO + first,
    )
    return found.table(scenario.design.alpha)


def harm(row: Performance, analysis: Analysis) -> float:
    """Return the share of trials that reject because the experimental arm does worse."""
    below = row.rejected_below
    return below if analysis.more_is_better else row.rejected - below


def benefit(row: Performance, analysis: Analysis) -> float:
    """Return the share of trials that reject because the experimental arm does better."""
    below = row.rejected_below
    return row.rejected - below if analysis.more_is_better else below


def is_harm(row: Performance, analysis: Analysis) -> bool:
    """Return whether trials reject because the experimental arm does worse, beyond chance."""
    share = harm(row, analysis)
    return share > 0.5 * row.rejected and row.rejected > 0 and _shown(row, share)


def _shown(row: Performance, share: float) -> bool:
    # By chance, as many reject on either side; four errors of a difference tell them apart.
    other = row.rejected - share
    return share - other > 4.0 * math.sqrt(row.rejected / row.trials)
