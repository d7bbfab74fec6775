r"""Which endpoint needs how many patients: by formula, and in virtual trials.

A trial of two arms can be read in several ways: the hazard of one cause (log-rank test), its
incidence over all time (Gray's test) or at one month, event-free survival, event-free months. For
each of them this module sets side by side

- the textbook formula: Schoenfeld's events, Latouche's for Gray's test, two proportions, and
  Freedman's events as a second opinion, all without loss and with hazards of one shape;
- the formula for any hazards, with the calendar and the losses of the trial (`rank_test`,
  `difference_at`);
- virtual trials: the share that reject at the trial's own size, and the size with the wanted power,
  each with its Monte Carlo error.

The share of relapses that are of the kind is tested, too, because it is tempting: it has no
formula, and it is no endpoint (those who are spared one relapse count as much as those who have
another instead).

Formulas are of patients who respond and whose relapses are all tested; where fewer respond they are
divided by the share who do.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from car_relapse.errors import ParameterError, require_count, require_instance, require_positive
from car_relapse.followup import Cause
from car_relapse.trial.sample_size.biologies import Comparison, compare_arms, dual_biologies
from car_relapse.trial.sample_size.calendar import Calendar
from car_relapse.trial.sample_size.difference import difference_at
from car_relapse.trial.sample_size.events import freedman_events
from car_relapse.trial.sample_size.score import rank_test
from car_relapse.trial.virtual.analyses import Analysis
from car_relapse.trial.virtual.design import Trial
from car_relapse.trial.virtual.run import run
from car_relapse.trial.virtual.search import sample_size

__all__ = ["BiologyRow", "Endpoint", "biology_table", "endpoint_analyses", "weigh_endpoints"]


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """One endpoint under one biology. Patients are those of both arms together, not rounded."""

    name: str
    """``hazard``, ``gray``, ``incidence``, ``event-free``, ``months`` or ``share``."""
    ratio: float | None
    """Hazard ratio that the formula takes: of the cause, of its subdistribution, of any event;
    infinite where only the second arm has such events, None where the formula takes none."""
    formula: float | None
    """Patients by Schoenfeld, Latouche, or two proportions; infinite where nothing differs, None
    where there is no formula."""
    freedman: float | None
    """Patients by Freedman's events; infinite where nothing differs, None where an arm has no such
    event or the endpoint no hazard ratio."""
    any_hazards: float | None
    """Patients by the formula for any hazards, with calendar and losses; infinite and None as
    above."""
    simulated: float | None
    """Patients by virtual trials; None where they were not asked for, or cannot be found."""
    simulated_error: float | None
    """Its Monte Carlo standard error, patients."""
    rejected: float
    """Share of virtual trials of the trial's own size with a p-value below alpha."""
    rejected_error: float
    """Its Monte Carlo standard error."""
    rejected_below: float
    """Share with such a p-value and an estimate below 0: fewer events, or less time, with the
    experimental treatment."""


@dataclass(frozen=True, kw_only=True)
class BiologyRow:
    """What a trial would find were one story true."""

    key: str
    """Key of the story, as in `DualBiology`."""
    name: str
    """Its name."""
    comparison: Comparison
    """Incidences, hazard ratios and textbook sizes of one shape."""
    endpoints: tuple[Endpoint, ...]
    """One for each endpoint, in the order of `endpoint_analyses`."""

    def endpoint(self, name: str) -> Endpoint:
        """Return the endpoint of that name.

        Raises
        ------
        ParameterError
            When there is none.
        """
        for endpoint in self.endpoints:
            if endpoint.name == name:
                return endpoint
        raise ParameterError(
            f"name is {name!r}; it must be one of {', '.join(e.name for e in self.endpoints)}; "
            "choose one"
        )


def endpoint_analyses(month: float, cause: Cause = Cause.ANTIGEN_NEGATIVE) -> dict[str, Analysis]:
    """Return by name the analyses that are weighed.

    Parameters
    ----------
    month : float
        Month at which incidences and event-free months are compared, > 0.
    cause : Cause, optional
        The relapse of interest.
    """
    one = (cause,)
    return {
        "hazard": Analysis(kind="log-rank", causes=one),
        "gray": Analysis(kind="gray", causes=one),
        "incidence": Analysis(kind="incidence", causes=one, month=month),
        "event-free": Analysis(kind="log-rank"),
        "months": Analysis(kind="restricted mean", month=month),
        "share": Analysis(kind="share", causes=one),
    }


def _calendar(trial: Trial) -> Calendar | None:
    """Return the calendar of the formulas; None where a limit cuts through the accrual."""
    loss = -math.log1p(-trial.lost_per_year) / 12.0
    if trial.longest is not None and trial.longest <= trial.follow_up:
        return Calendar(accrual=0.0, follow_up=trial.longest, loss=loss)
    if trial.longest is not None and trial.longest < trial.follow_up + trial.accrual:
        return None
    return Calendar(accrual=trial.accrual, follow_up=trial.follow_up, loss=loss)


def _formulas(
    trial: Trial, compared: Comparison, cause: Cause, month: float, design: dict[str, float]
) -> dict[str, tuple[float | None, ...]]:
    """Return ratio, formula, Freedman's and the formula for any hazards, by endpoint."""
    control, experimental = (arm.biology for arm in trial.arms)
    sizes = np.array(trial.sizes, dtype=float)
    share = float(sizes[1] / sizes.sum())
    responding = float(sizes @ [arm.response for arm in trial.arms] / sizes.sum())
    column = compared.cause - 1
    mean = (1.0 - share) * compared.control + share * compared.experimental
    calendar = _calendar(trial)
    wanted = {"alpha": design["alpha"], "power": design["power"]}

    def freedman(ratio: float, events: float) -> float | None:
        if not 0.0 < ratio < math.inf:
            return None
        if ratio == 1.0:
            return math.inf
        return freedman_events(ratio, share=share, **wanted) / events

    def rank(of: Cause | None, scale: Any = "cause") -> float | None:
        if calendar is None:
            return None
        test = rank_test(control, experimental, calendar, cause=of, scale=scale, share=share)
        return test.patients(**wanted) if 0.0 < test.hazard_ratio < math.inf else None

    def apart(of: Cause | None, measure: Any) -> float | None:
        if calendar is None:
            return None
        return difference_at(
            control, experimental, calendar, month, cause=of, measure=measure, share=share
        ).patients(**wanted)

    own, sub = float(compared.hazard_ratios[column]), float(compared.subdistribution_ratios[column])
    every = compared.event_free_ratio
    found: dict[str, tuple[float | None, ...]] = {
        "hazard": (
            own, compared.patients_cause, freedman(own, float(mean[column])), rank(cause),
        ),
        "gray": (
            sub, compared.patients_gray, freedman(sub, float(mean[column])),
            rank(cause, "subdistribution"),
        ),
        "incidence": (None, compared.patients_incidence, None, apart(cause, "incidence")),
        "event-free": (
            every, compared.patients_event_free, freedman(every, float(mean.sum())), rank(None),
        ),
        "months": (None, None, None, apart(None, "restricted mean")),
        "share": (None, None, None, None),
    }  # fmt: skip
    if responding < 1.0:
        # Those without response have an event in month 0, which no hazard describes.
        for name in ("event-free", "months"):
            found[name] = (found[name][0], None, None, None)
    return {
        name: (ratio, *(None if n is None else n / responding for n in sizes_))
        for name, (ratio, *sizes_) in found.items()
    }


def _checked(trial: object, cause: object, month: float) -> Trial:
    plan = require_instance("trial", trial, Trial, "give a Trial")
    require_instance("cause", cause, Cause, "give a Cause, such as Cause.ANTIGEN_NEGATIVE")
    if len(plan.arms) != 2:
        raise ParameterError(
            f"trial has {len(plan.arms)} arms; endpoints are weighed between two; leave arms out"
        )
    if any(arm.transplant is not None or arm.visits is not None for arm in plan.arms):
        raise ParameterError(
            "trial has transplants or visits; the formulas know neither; leave them out here, and "
            "use virtual.run to see what they do"
        )
    if plan.arms[0].biology.causes != plan.arms[1].biology.causes:
        raise ParameterError(
            "the arms have different causes; both have the same, in one order; give a hazard of 0 "
            "for one that does not occur"
        )
    if cause not in plan.arms[0].biology.causes:
        raise ParameterError(
            f"cause is {cause!r}; the arms have "
            f"{', '.join(c.name for c in plan.arms[0].biology.causes)}; choose one of them"
        )
    end = float(require_positive("month", month, "count months from infusion", scalar=True))
    if end > plan.last_month:
        raise ParameterError(
            f"month is {end:g}; nobody is watched after month {plan.last_month:g}; give an earlier "
            "month, or follow longer"
        )
    return plan


def weigh_endpoints(
    trial: Trial,
    *,
    month: float,
    cause: Cause = Cause.ANTIGEN_NEGATIVE,
    alpha: float = 0.05,
    power: float = 0.8,
    replicates: int = 2000,
    seed: int,
    search: tuple[str, ...] = (),
    largest: int = 2000,
    client: Any = None,
    workers: int | None = None,
) -> tuple[Comparison, tuple[Endpoint, ...]]:
    """Weigh the endpoints of one trial.

    Parameters
    ----------
    trial : Trial
        Two arms, without transplants or visits.
    month : float
        Month at which incidences and event-free months are compared, > 0.
    cause : Cause, optional
        The relapse of interest.
    alpha : float, optional
        Two-sided level.
    power : float, optional
        Power wanted.
    replicates : int, optional
        Virtual trials; of each of the four sizes of a search, too.
    seed : int
        Seed, >= 0.
    search : tuple of str, optional
        Names of endpoints whose size is searched by virtual trials as well; not ``share``.
    largest : int, optional
        Patients beyond which none is searched for.
    client, workers
        As in `car_relapse.trial.virtual.run`.

    Returns
    -------
    (Comparison, tuple of Endpoint)
        The textbook comparison, and one row for each endpoint.

    Raises
    ------
    ParameterError
        When the trial is not of that kind, or an argument is out of range.

    Examples
    --------
    >>> from car_relapse.trial.virtual import Arm, Biology, Decay
    >>> one = Biology.from_incidences(
    ...     {Cause.ANTIGEN_NEGATIVE: 0.25, Cause.ANTIGEN_POSITIVE: 0.20, Cause.DEATH: 0.05},
    ...     shape=Decay(8), horizon=24,
    ... )
    >>> arms = (
    ...     Arm(name="single", biology=one),
    ...     Arm(name="dual", biology=one.reaching({Cause.ANTIGEN_NEGATIVE: 0.10})),
    ... )
    >>> plan = Trial(arms=arms, patients=200, follow_up=24)
    >>> _, rows = weigh_endpoints(plan, month=24, replicates=200, seed=1)
    >>> [(row.name, round(row.formula)) for row in rows if row.formula]
    [('hazard', 174), ('gray', 178), ('incidence', 199), ('event-free', 485)]
    """
    plan = _checked(trial, cause, month)
    analyses = endpoint_analyses(month, cause)
    if not isinstance(search, tuple) or not set(search) <= set(analyses) - {"share"}:
        raise ParameterError(
            f"search is {search!r}; it must be a tuple of names among "
            f"{', '.join(n for n in analyses if n != 'share')}; write ('hazard',)"
        )
    most = require_count(
        "largest", largest, "give a number of patients", minimum=100, maximum=50_000
    )
    control, experimental = (arm.biology for arm in plan.arms)
    sizes = plan.sizes
    design = {"alpha": alpha, "power": power, "share": sizes[1] / sum(sizes)}
    compared = compare_arms(
        control.incidence(month),
        experimental.incidence(month),
        cause=control.causes.index(cause) + 1,
        **design,
    )
    formulas = _formulas(plan, compared, cause, float(month), design)
    where: dict[str, Any] = {"client": client, "workers": workers}
    found = run(plan, tuple(analyses.values()), replicates, seed=seed, **where).table(alpha)
    rows = []
    for (name, analysis), row in zip(analyses.items(), found, strict=True):
        ratio, formula, freedman, any_hazards = formulas[name]
        size = error = None
        if name in search and any_hazards is not None and any_hazards <= most:
            start = max(8, 2 * math.ceil(any_hazards / 2.0))
            search_ = sample_size(
                replace(plan, patients=start), analysis, power=power, alpha=alpha,
                replicates=replicates, seed=seed, largest=2 * most, **where,
            )  # fmt: skip
            size, error = search_.exact, search_.std_error
        rows.append(
            Endpoint(
                name=name,
                ratio=ratio,
                formula=formula,
                freedman=freedman,
                any_hazards=any_hazards,
                simulated=size,
                simulated_error=error,
                rejected=row.rejected,
                rejected_error=row.rejected_error,
                rejected_below=row.rejected_below,
            )
        )
    return compared, tuple(rows)


def biology_table(
    trial: Trial,
    *,
    month: float,
    escape: float = 0.10,
    alpha: float = 0.05,
    power: float = 0.8,
    replicates: int = 2000,
    seed: int,
    search: tuple[str, ...] = (),
    largest: int = 2000,
    client: Any = None,
    workers: int | None = None,
) -> tuple[BiologyRow, ...]:
    """Weigh the endpoints of a trial under each story of `dual_biologies`.

    All stories have the same random numbers, so that they differ by what they say alone.

    Parameters
    ----------
    trial : Trial
        Two arms; the biology of the first is the control, that of the second is replaced by each
        story in turn.
    month : float
        Month at which incidences and event-free months are compared, > 0.
    escape : float, optional
        Incidence of antigen-negative relapse with two antigens, by the control's horizon.
    alpha, power, replicates, seed, search, largest, client, workers
        As in `weigh_endpoints`.

    Returns
    -------
    tuple of BiologyRow
        S0 to S7.

    Raises
    ------
    ParameterError
        As `weigh_endpoints` and `dual_biologies`.
    """
    plan = require_instance("trial", trial, Trial, "give a Trial")
    rows = []
    for story in dual_biologies(plan.arms[0].biology, escape=escape):
        dual = replace(plan.arms[1], biology=story.experimental)
        compared, endpoints = weigh_endpoints(
            replace(plan, arms=(plan.arms[0], dual, *plan.arms[2:])),
            month=month, alpha=alpha, power=power, replicates=replicates, seed=seed,
            search=search, largest=largest, client=client, workers=workers,
        )  # fmt: skip
        rows.append(
            BiologyRow(key=story.key, name=story.name, comparison=compared, endpoints=endpoints)
        )
    return tuple(rows)
