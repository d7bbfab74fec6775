"""What a virtual trial is: its arms, its calendar, and what hides the truth from it.

All times are in months. None of the numbers has a default that matters: they belong to a trial,
not to the biology.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from car_relapse.errors import (
    ParameterError,
    require_count,
    require_finite,
    require_fraction,
    require_instance,
    require_non_negative,
    require_positive,
)
from car_relapse.trial.virtual.biology import Biology

__all__ = ["Arm", "TransplantPolicy", "Trial"]

MOST_PATIENTS = 10**5
_MOST_ARMS = 10


@dataclass(frozen=True, kw_only=True)
class TransplantPolicy:
    """Who is transplanted in remission, when, and what it does to them."""

    share: float
    """Share of patients who are to be transplanted if remission lasts, in [0, 1]."""
    first: float
    """First month in which transplants happen, >= 0."""
    last: float
    """Last month, > `first`; in between each moment is as likely as any other."""
    relapse_ratio: float
    """Hazard of every kind of relapse after transplant, relative to before, >= 0."""
    mortality: float
    """Share of the transplanted who die of it, in [0, 1], on top of other deaths."""
    mortality_months: float
    """Months after transplant over which those deaths are spread evenly, > 0."""
    dependence: float = 0.0
    """Whether those at risk are chosen: patients whose frailty is above its mean have a share
    ``(1 + dependence) * share``, the others ``(1 - dependence) * share``; in [-1, 1]. It needs a
    biology with frailty."""

    def __post_init__(self) -> None:
        require_fraction("share", self.share, "give the share to be transplanted", scalar=True)
        require_non_negative("first", self.first, "count months from infusion", scalar=True)
        require_positive("last", self.last, "count months from infusion", scalar=True)
        require_non_negative(
            "relapse_ratio", self.relapse_ratio, "give a hazard ratio, 1 for no effect", scalar=True
        )
        require_fraction("mortality", self.mortality, "give the share who die", scalar=True)
        require_positive("mortality_months", self.mortality_months, "give months", scalar=True)
        if self.last <= self.first:
            raise ParameterError(
                f"last is {self.last:g} and first is {self.first:g}; transplants end after they "
                "begin; give a later last month"
            )
        remedy = "give a number from -1 to 1"
        lean = np.abs(require_finite("dependence", self.dependence, remedy, scalar=True))
        require_fraction("the size of dependence", lean, remedy)
        if self.share * (1.0 + float(lean)) > 1.0:
            raise ParameterError(
                f"dependence is {self.dependence:g} and share is {self.share:g}; nobody has a "
                "share above 1; lower one of them"
            )


@dataclass(frozen=True, kw_only=True)
class Arm:
    """One arm: what happens to its patients, and what is done with them."""

    name: str
    """What tables call the arm, one printable line."""
    biology: Biology
    """Hazards of those who respond."""
    response: float = 1.0
    """Share of the patients who reach remission, in (0, 1]. The others have an event in month 0."""
    transplant: TransplantPolicy | None = None
    """Transplant in remission, if the arm has it."""
    untested: float = 0.0
    """Share of relapses whose antigens nobody tests, in [0, 1]."""
    visits: tuple[float, ...] | None = None
    """Months at which relapse is looked for, ascending, > 0; the last gap repeats for ever. None:
    relapse is found when it happens. Deaths are always known."""
    allocation: float = 1.0
    """Patients of this arm relative to those of others, > 0."""

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name.strip() or not self.name.isprintable():
            raise ParameterError(
                f"name is {self.name!r}; it must be one printable line; give a short name"
            )
        require_instance("biology", self.biology, Biology, "give a Biology")
        response = require_fraction(
            "response", self.response, "give the share who respond", scalar=True
        )
        if response == 0.0:
            raise ParameterError(
                "response is 0; someone must respond, or there is nothing to follow; give a share "
                "above 0"
            )
        require_fraction("untested", self.untested, "give the share of relapses", scalar=True)
        require_positive("allocation", self.allocation, "give a relative size", scalar=True)
        if self.transplant is not None:
            require_instance(
                "transplant", self.transplant, TransplantPolicy, "give a TransplantPolicy, or None"
            )
            if self.transplant.dependence and self.biology.frailty is None:
                raise ParameterError(
                    f"dependence is {self.transplant.dependence:g} and the biology has no frailty; "
                    "transplant can depend on a risk only where risks differ; give the biology a "
                    "Frailty, or set dependence to 0"
                )
        if self.visits is not None:
            self._check_visits(self.visits)

    @staticmethod
    def _check_visits(visits: object) -> None:
        if not isinstance(visits, tuple) or not visits:
            raise ParameterError(
                f"visits is {visits!r}; it must be a tuple of months; write (1, 2, 3, 6, 9, 12)"
            )
        months = require_positive("visits", visits, "count months from infusion")
        if np.any(np.diff(months) <= 0):
            raise ParameterError(
                f"visits is {visits!r}; it must ascend; sort the months and leave out doubles"
            )


@dataclass(frozen=True, kw_only=True)
class Trial:
    """A randomised trial, the first of whose arms is the control."""

    arms: tuple[Arm, ...]
    """Two arms or more, each with a name of its own."""
    patients: int
    """Patients in all arms together, at least two per arm."""
    follow_up: float
    """Months from the infusion of the last patient to the data cut-off, > 0."""
    accrual: float = 0.0
    """Months from the infusion of the first to that of the last, >= 0; evenly filled."""
    longest: float | None = None
    """Month after infusion beyond which nobody is watched; None for none."""
    lost_per_year: float = 0.0
    """Share of patients who are lost in a year, in [0, 1), at a constant hazard."""
    untested_as: str = "positive"
    """What becomes of a relapse without an antigen test: ``positive`` (not shown to be negative,
    counted as antigen-positive) or ``dropped`` (follow-up ends there)."""

    def __post_init__(self) -> None:
        if not isinstance(self.arms, tuple) or not 2 <= len(self.arms) <= _MOST_ARMS:
            raise ParameterError(
                f"arms is {self.arms!r:.100}; it must be a tuple of 2 to {_MOST_ARMS} arms; give a "
                "control and at least one more"
            )
        for arm in self.arms:
            require_instance("arms", arm, Arm, "give an Arm")
        names = [arm.name for arm in self.arms]
        if len(set(names)) < len(names):
            raise ParameterError(
                f"arms are called {', '.join(names)}; each has a name of its own; rename one"
            )
        require_positive("follow_up", self.follow_up, "give months", scalar=True)
        require_non_negative("accrual", self.accrual, "0 for all at once", scalar=True)
        if self.longest is not None:
            require_positive("longest", self.longest, "give a month, or None", scalar=True)
        lost = require_fraction("lost_per_year", self.lost_per_year, "0 for nobody", scalar=True)
        if lost == 1.0:
            raise ParameterError(
                "lost_per_year is 1; a share below 1 stays in the study; give less"
            )
        if self.untested_as not in ("positive", "dropped"):
            raise ParameterError(
                f"untested_as is {self.untested_as!r}; it must be 'positive' or 'dropped'; choose "
                "one"
            )
        fewest = 2 * len(self.arms)
        require_count(
            "patients", self.patients, f"give a number from {fewest}",
            minimum=fewest, maximum=MOST_PATIENTS,
        )  # fmt: skip
        for arm in self.arms:
            if arm.biology.known_until < self.last_month:
                raise ParameterError(
                    f"follow_up is up to month {self.last_month:g} and the biology of {arm.name} "
                    f"is known until month {arm.biology.known_until:g}; a trial cannot see "
                    "further; give longest, or a biology that goes on"
                )

    @property
    def last_month(self) -> float:
        """Longest time after infusion for which anybody is watched, months."""
        end = self.follow_up + self.accrual
        return float(end if self.longest is None else min(end, self.longest))

    @property
    def sizes(self) -> tuple[int, ...]:
        """Patients of each arm, by `Arm.allocation`: rounded to the sum, at least two each."""
        weight = np.array([arm.allocation for arm in self.arms], dtype=float)
        exact = self.patients * weight / weight.sum()
        whole = np.floor(exact).astype(int)
        order = np.argsort(whole - exact, kind="stable")
        whole[order[: self.patients - whole.sum()]] += 1
        while whole.min() < 2:
            whole[np.argmin(whole)] += 1
            whole[np.argmax(whole)] -= 1
        return tuple(int(n) for n in whole)

    @property
    def groups(self) -> NDArray[np.int8]:
        """Arm of each patient, 0 for control, shape (patients,)."""
        return np.repeat(np.arange(len(self.arms), dtype=np.int8), self.sizes)
