"""The size of a trial by formula, where there is one, and the reason where there is none.

Two formulas stand side by side. The *closed form* is that of textbooks: Schoenfeld's events for a
hazard ratio, Latouche and Porcher's for one of subdistribution hazards, two proportions at a month;
it takes one shape for all hazards, and follows everybody to the horizon. The *calendar formula*
knows accrual, loss and hazards of any shape, and the variances of the test under both hypotheses.

Neither knows transplants, missing antigen tests or visits: what is between a formula and a
simulation is what the formula leaves out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from car_relapse.design.sections import EndpointSection
from car_relapse.errors import ParameterError, require_count, require_instance
from car_relapse.followup import Cause
from car_relapse.trial.sample_size import (
    Calendar,
    compare_arms,
    constant_rate,
    difference_at,
    rank_test,
)
from car_relapse.trial.sample_size.events import normal_sum
from car_relapse.trial.virtual import Arm, Biology, Constant, Hazard, Trial

__all__ = ["Formula", "formula_size"]

# The same integrals are asked for at many numbers of patients.
_difference_at = lru_cache(maxsize=256)(difference_at)
_rank_test = lru_cache(maxsize=256)(rank_test)
# A difference that needs more patients than there are people is the rounding of none.
_EVERYBODY = 1e7


@dataclass(frozen=True, kw_only=True)
class Formula:
    """What formulas say of one endpoint and one biology; None where there is none."""

    closed_form: float | None = None
    """Patients in both arms, everybody followed to the horizon; infinite without a difference."""
    calendar: float | None = None
    """Patients in both arms, with accrual, loss and any hazards; infinite without a difference."""
    events: float | None = None
    """Events of a log-rank test, both arms together, by the calendar formula."""
    hazard_ratio: float | None = None
    """Hazard ratio on which Cox's model would settle (for Gray's test, that of the subdistribution
    hazards)."""
    power: float | None = None
    """Power of the planned number of patients by the calendar formula."""
    note: str = ""
    """Why there is no formula, in words."""


def _one_shape(arms: tuple[Arm, Arm]) -> bool:
    if any(arm.biology.frailty is not None for arm in arms):
        return False
    shapes = {h.shape for arm in arms for h in arm.biology.hazards}
    return len(shapes) == 1 and arms[0].biology.horizon == arms[1].biology.horizon


def _split(biology: Biology, causes: tuple[Cause, ...] | None, remission: float) -> list[float]:
    """Return the incidence of the causes of interest and of the rest by the horizon."""
    found = biology.incidence(biology.horizon) * remission
    inside = np.array([causes is None or c in causes for c in biology.causes])
    rest = float(found[~inside].sum()) + 1.0 - remission
    return [float(found[inside].sum()), rest]


def _reason(trial: Trial, endpoint: EndpointSection) -> str:
    """Return why there is no formula; empty when there may be one."""
    if any(arm.transplant is not None for arm in trial.arms):
        return "no formula knows transplants"
    if endpoint.test not in ("log-rank", "gray", "incidence", "restricted mean"):
        return "no formula for this test"
    failing = endpoint.causes is None or Cause.NO_REMISSION in endpoint.causes
    partial = min(arm.response for arm in trial.arms) < 1.0 and endpoint.among == "all"
    if failing and partial:
        return "no formula counts patients without remission as events in month 0"
    known = {c for arm in trial.arms for c in arm.biology.causes}
    if endpoint.causes is not None and not set(endpoint.causes) <= known:
        return "an arm has no such events"
    return ""


@dataclass(frozen=True, kw_only=True)
class _Question:
    """What is asked of the formulas."""

    arms: tuple[Arm, Arm]
    calendar: Calendar
    endpoint: EndpointSection
    alpha: float
    power: float
    patients: int

    @property
    def of_responders(self) -> bool:
        """Whether patients without remission bring nothing to the test."""
        return self.endpoint.test == "log-rank" or self.endpoint.among == "responders"

    @property
    def experimental(self) -> float:
        """Share of the patients in the experimental arm."""
        return self.arms[1].allocation / (self.arms[0].allocation + self.arms[1].allocation)

    @property
    def part(self) -> float:
        """Share of the patients who count."""
        if not self.of_responders:
            return 1.0
        share = self.experimental
        return (1.0 - share) * self.arms[0].response + share * self.arms[1].response

    @property
    def share(self) -> float:
        """Share of the experimental arm among those who count."""
        if not self.of_responders:
            return self.experimental
        return self.experimental * self.arms[1].response / self.part

    @property
    def remission(self) -> tuple[float, float]:
        """Share of those who count who are in remission at first, by arm."""
        return (1.0, 1.0) if self.of_responders else (self.arms[0].response, self.arms[1].response)


def formula_size(
    trial: Trial, endpoint: EndpointSection, *, alpha: float, power: float, patients: int
) -> Formula:
    """Return the number of patients that an endpoint needs, by formula.

    Parameters
    ----------
    trial : Trial
        A trial of two arms; its number of patients is not used.
    endpoint : EndpointSection
        The endpoint.
    alpha : float
        Two-sided level.
    power : float
        Power wanted.
    patients : int
        Patients in both arms for which `Formula.power` is computed.

    Returns
    -------
    Formula

    Raises
    ------
    ParameterError
        When the trial has not two arms, or a number is out of range.
    """
    require_instance("trial", trial, Trial, "give a Trial")
    require_instance("endpoint", endpoint, EndpointSection, "give an EndpointSection")
    if len(trial.arms) != 2:
        raise ParameterError(
            f"trial has {len(trial.arms)} arms; a formula compares two; give a trial of two arms"
        )
    normal_sum(alpha, power)
    require_count("patients", patients, "give a number of patients", minimum=1)
    if reason := _reason(trial, endpoint):
        return Formula(note=reason)
    question = _Question(
        arms=(trial.arms[0], trial.arms[1]),
        calendar=Calendar(
            accrual=trial.accrual,
            follow_up=trial.follow_up,
            loss=constant_rate(trial.lost_per_year, 12.0),
        ),
        endpoint=endpoint,
        alpha=alpha,
        power=power,
        patients=patients,
    )
    closed = _closed_form(question) if _one_shape(question.arms) else None
    found = Formula(closed_form=None if closed is None else _bounded(closed / question.part))
    several = endpoint.causes is not None and len(endpoint.causes) > 1
    if several or min(question.remission) < 1.0:
        return replace(found, note="the calendar formula knows one cause, of responders")
    return _with_calendar(question, found)


def _bounded(number: float) -> float:
    """Return a number of patients or events, infinite where there are not so many people."""
    return number if number < _EVERYBODY else math.inf


def _closed_form(question: _Question) -> float | None:
    endpoint, arms = question.endpoint, question.arms
    first, second = (
        _split(arm.biology, endpoint.causes, part)
        for arm, part in zip(arms, question.remission, strict=True)
    )
    if sum(first) >= 1.0 or sum(second) >= 1.0:
        return None
    found = compare_arms(
        first, second, share=question.share, alpha=question.alpha, power=question.power
    )
    if endpoint.test == "log-rank":
        return found.patients_cause
    if endpoint.test == "gray":
        return found.patients_gray
    at_horizon = endpoint.month == arms[0].biology.horizon
    return found.patients_incidence if endpoint.test == "incidence" and at_horizon else None


def _knowing(biology: Biology, cause: Cause) -> Biology:
    """Return a biology that has a hazard of the cause, 0 if it had none."""
    if cause in biology.causes:
        return biology
    never = Hazard(cause=cause, shape=Constant(), cumulative=0.0)
    return replace(biology, hazards=(*biology.hazards, never))


def _with_calendar(question: _Question, found: Formula) -> Formula:
    endpoint, calendar = question.endpoint, question.calendar
    control, experimental = (arm.biology for arm in question.arms)
    cause = None if endpoint.causes is None else endpoint.causes[0]
    if cause is not None:
        control, experimental = _knowing(control, cause), _knowing(experimental, cause)
    counted = max(1, math.floor(question.patients * question.part))
    design = {"alpha": question.alpha, "power": question.power}
    share = question.share
    if endpoint.month is not None:
        difference = _difference_at(
            control,
            experimental,
            calendar,
            endpoint.month,
            cause=cause,
            measure="incidence" if endpoint.test == "incidence" else "restricted mean",
            share=share,
        )
        return replace(
            found,
            calendar=_bounded(difference.patients(**design) / question.part),
            power=difference.power(counted, alpha=question.alpha),
        )
    test = _rank_test(
        control,
        experimental,
        calendar,
        cause=cause,
        scale="subdistribution" if endpoint.test == "gray" else "cause",
        share=share,
    )
    return replace(
        found,
        calendar=_bounded(test.patients(**design) / question.part),
        events=_bounded(test.events(**design)),
        hazard_ratio=test.hazard_ratio,
        power=test.power(counted, alpha=question.alpha),
    )
