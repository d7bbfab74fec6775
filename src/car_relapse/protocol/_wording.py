"""The words of endpoints and of strategies for transplant, chosen by the analysis."""

from __future__ import annotations

from dataclasses import dataclass

from car_relapse.errors import ParameterError
from car_relapse.followup import Cause
from car_relapse.trial.virtual import Analysis

__all__ = ["CAUSES", "STRATEGIES", "Endpoint", "Strategy", "endpoint"]

#: What a table calls each cause.
CAUSES = {
    Cause.ANTIGEN_POSITIVE: "antigen-positive relapse",
    Cause.ANTIGEN_NEGATIVE: "antigen-negative relapse",
    Cause.NO_REMISSION: "no remission",
    Cause.PARTIAL_LOSS: "relapse with partial loss",
    Cause.LINEAGE_SWITCH: "lineage switch",
    Cause.TRANSPLANT: "transplant in remission",
    Cause.DEATH: "death in remission",
}


@dataclass(frozen=True)
class Strategy:
    """How a transplant in remission is treated."""

    short: str
    """The cell of the table of estimands."""
    reasons: tuple[str, ...]
    """Why, and what it needs."""


STRATEGIES = {
    "policy": Strategy(
        "Treatment policy: it is part of care; follow-up goes on through it.",
        (
            "The question is what a patient gains from being assigned to an arm, with the care "
            "that follows, transplant included. "
            "It asks nothing that cannot be seen, and it is the only strategy under which every "
            "patient is followed to an event or to the end.",
            "Its answer belongs to the transplant policy of this trial. "
            "If one arm sends more patients to transplant than the other, that is part of the "
            "effect; so numbers, dates and reasons of transplants are tabulated by arm, and the "
            "sensitivity analyses treat transplant in the other ways.",
        ),
    ),
    "composite": Strategy(
        "Composite: transplant in remission is an event.",
        (
            "The question is how long remission lasts without further treatment. "
            "A centre that transplants early counts against its arm, so the rule for transplant "
            "must be the same in both arms.",
        ),
    ),
    "hypothetical": Strategy(
        "Hypothetical: follow-up ends at transplant as censored, as if nobody were transplanted.",
        (
            "The question is what would have happened without transplants. "
            "Censoring answers it only if those who are transplanted would have relapsed as often "
            "as those who are not, given [[sct_predictors|what is measured before transplant]]. "
            "Nobody can check that in the data; weights by the probability of transplant are the "
            "sensitivity analysis.",
        ),
    ),
    "competing": Strategy(
        "While untransplanted: transplant ends the record and competes with relapse.",
        (
            "The question is how many patients relapse before a transplant. "
            "Fewer do so when more are transplanted, whatever the product; so the incidence of "
            "transplant stands beside every curve.",
        ),
    ),
}


@dataclass(frozen=True)
class Endpoint:
    """The words of one endpoint."""

    analysis: Analysis
    """The analysis that they describe."""
    label: str
    """The heading of its column."""
    name: str
    """Its name within a sentence."""
    definition: str
    """What is observed of each patient."""
    measure: str
    """What is compared."""
    test: str
    """How it is tested and estimated."""

    @property
    def population(self) -> str:
        """The patients whom the question is about."""
        if self.analysis.among == "responders":
            return "Patients in remission at the day of response"
        return "All patients who meet the criteria of entry"

    @property
    def not_infused(self) -> str:
        """What happens to those who were assigned and not infused."""
        if self.analysis.among == "responders":
            return "Outside the question; counted in the flow diagram"
        if self.analysis.causes is None:
            return "Treatment policy: they stay in their arm, and failure or death is an event"
        return "Treatment policy: they stay in their arm; failure or death before infusion competes"

    @property
    def death(self) -> str:
        """How death in remission is treated."""
        if self.analysis.causes is None or Cause.DEATH in self.analysis.causes:
            return "Composite: part of the endpoint"
        return "Competing: it ends the time at risk, and is tabulated beside the endpoint"


def _events(analysis: Analysis) -> str:
    if analysis.causes is None:
        return "event-free survival"
    return " or ".join(CAUSES[c] for c in analysis.causes)


def endpoint(analysis: Analysis, label: str) -> Endpoint:
    """Return the words of an analysis.

    Parameters
    ----------
    analysis : Analysis
        The analysis.
    label : str
        The heading of its column.

    Raises
    ------
    ParameterError
        When no protocol can have it: nobody sees patients without their transplants, and the
        share of relapses of one kind says nothing about patients.
    """
    if analysis.estimand == "without":
        raise ParameterError(
            "estimand is 'without'; no trial sees its patients without their transplants; choose "
            "'policy', or 'hypothetical' with its assumption"
        )
    if analysis.kind == "share":
        raise ParameterError(
            "kind is 'share'; the share of relapses of one kind falls also when another kind "
            "rises; choose an endpoint that counts patients, such as 'log-rank'"
        )
    events = _events(analysis)
    if analysis.causes is None:
        seen = (
            "Time from time zero to treatment failure, relapse of any kind or death, whichever is "
            "first"
        )
    else:
        seen = f"Time to {events} as the first event; other events compete"
    what = {
        "log-rank": (
            events if analysis.causes is None else f"the hazard of {events}",
            "Hazard ratio" if analysis.causes is None else "Cause-specific hazard ratio",
            "Log-rank test, stratified as randomisation; hazard ratio from a Cox model with ties "
            "after Efron, with its interval; the curve of each arm.",
        ),
        "early log-rank": (
            f"{events}, with early events weighted",
            "Weighted difference of hazards",
            "Log-rank test with the weights of Peto and Peto, stratified as randomisation; hazard "
            "ratios by period for description.",
        ),
        "gray": (
            f"the cumulative incidence of {events}",
            "Subdistribution hazard ratio",
            "Gray's test; subdistribution hazard ratio after Fine and Gray, with its interval; "
            "cumulative incidence of each arm.",
        ),
        "incidence": (
            f"{events} by the month of analysis",
            "Difference of cumulative incidences",
            "Difference of Aalen and Johansen's estimates, with its interval.",
        ),
        "restricted mean": (
            "mean event-free time up to the month of analysis",
            "Difference of restricted means",
            "Difference of the areas under the curves, with its interval.",
        ),
    }
    name, measure, test = what[analysis.kind]
    return Endpoint(analysis, label, name, seen, measure, test)
