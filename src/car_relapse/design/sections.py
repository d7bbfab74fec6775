"""What a scenario file of a trial holds, section by section.

Each class is a section of the file and each of its fields a key. What a field refuses it says as
"key is value; rule; remedy", and the reader adds the line. Times are in months after infusion.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from car_relapse.errors import (
    ParameterError,
    require_count,
    require_fraction,
    require_instance,
    require_non_negative,
    require_positive,
)
from car_relapse.followup import Cause
from car_relapse.parameters import Certainty
from car_relapse.trial._checks import choice, strictly_between
from car_relapse.trial.virtual import (
    Among,
    Analysis,
    Constant,
    Decay,
    Estimand,
    Kind,
    Piecewise,
    Shape,
    Weibull,
)

__all__ = [
    "AssumptionSection",
    "DesignSection",
    "EndpointSection",
    "EndpointsSection",
    "ShapeSection",
    "SimulationSection",
]

ShapeKind = Literal["constant", "decay", "weibull", "piecewise"]
_SHAPES: dict[str, tuple[str, ...]] = {
    "constant": (),
    "decay": ("months",),
    "weibull": ("power",),
    "piecewise": ("breaks", "rates"),
}
_LONGEST_LINE = 400


def line_of_text(name: str, value: object, *, longest: int = 80, empty: bool = False) -> None:
    """Raise unless a value is one line of text that a table can print."""
    if not isinstance(value, str) or not (value.strip() or empty):
        raise ParameterError(f"{name} is {value!r}; it must be a line of text; write one")
    if len(value) > longest or not (value.isprintable() or value == ""):
        raise ParameterError(
            f"{name} is {value[:40]!r}...; it must be one printable line of at most {longest} "
            "characters; shorten it"
        )


def tuple_of(name: str, value: object, kind: type) -> None:
    """Raise unless a value is a tuple of instances of a class."""
    if not isinstance(value, tuple) or not all(isinstance(entry, kind) for entry in value):
        raise ParameterError(
            f"{name} is {value!r:.60}; it must be a tuple of {kind.__name__}; write (one, two), or "
            "() for none"
        )


def stated_once(section: object, names: tuple[str, ...], *, needed: bool = True) -> None:
    """Raise when more than one of some keys is given, or none where one is needed."""
    given = [name for name in names if getattr(section, name) is not None]
    if len(given) > 1:
        raise ParameterError(
            f"{given[1]} is given and so is {given[0]}; what happens is stated once; keep one of "
            "them"
        )
    if needed and not given:
        raise ParameterError(
            f"{names[0]} is missing; an arm says what happens to its patients; give one of "
            f"{', '.join(names)}"
        )


def by_cause(name: str, value: object, *, shares: bool) -> None:
    """Raise unless a value maps causes to shares that leave somebody, or to hazards."""
    if not isinstance(value, Mapping) or not value:
        raise ParameterError(
            f"{name} is {value!r:.60}; it must map causes to numbers; write "
            "{antigen_negative: 0.25, death: 0.05}"
        )
    for cause, number in value.items():
        kind = require_instance(name, cause, Cause, "name causes, such as antigen_negative")
        place = f"{name}.{cause_name(kind)}"
        if shares:
            require_fraction(place, number, "give the share whom the cause takes", scalar=True)
        else:
            require_non_negative(place, number, "give a number >= 0", scalar=True)
    if shares and sum(value.values()) >= 1.0:
        raise ParameterError(
            f"{name} is {sum(value.values()):g} in all; it must stay below 1, or nobody is left in "
            "remission; lower a share"
        )


@dataclass(frozen=True, kw_only=True)
class ShapeSection:
    """How a hazard is spread over time, apart from how large it is.

    Examples
    --------
    >>> ShapeSection(kind="decay", months=8).shape
    Decay(months=8.0)
    """

    kind: ShapeKind
    """``constant``; ``decay`` (falls to 1/e in ``months``); ``weibull`` (cumulative hazard with a
    ``power`` of time); or ``piecewise`` (constant ``rates`` between ``breaks``)."""
    months: float | None = None
    """Months in which a decaying hazard falls to 1/e, > 0."""
    power: float | None = None
    """Power of a Weibull law, dimensionless, in [0.05, 20]."""
    breaks: tuple[float, ...] | None = None
    """Months at which a piecewise hazard changes, ascending from 0; the last may be infinite,
    ``.inf``."""
    rates: tuple[float, ...] | None = None
    """Hazard between each two breaks, up to a factor, >= 0."""

    def __post_init__(self) -> None:
        choice("kind", self.kind, get_args(ShapeKind))
        for name in ("months", "power", "breaks", "rates"):
            if (getattr(self, name) is not None) != (name in _SHAPES[self.kind]):
                wanted = " and ".join(_SHAPES[self.kind]) or "nothing else"
                raise ParameterError(
                    f"{name} is {getattr(self, name)!r}; a shape of kind {self.kind} has {wanted}; "
                    f"{'add it' if name in _SHAPES[self.kind] else 'leave it out'}"
                )
        _ = self.shape

    @property
    def shape(self) -> Shape:
        """The shape that the section describes."""
        if self.kind == "decay":
            return Decay(float(self.months or 0.0))
        if self.kind == "weibull":
            return Weibull(float(self.power or 0.0))
        if self.kind == "piecewise":
            return Piecewise(breaks=self.breaks or (), rates=self.rates or ())
        return Constant()


@dataclass(frozen=True, kw_only=True)
class DesignSection:
    """How many patients, for how long, at what level."""

    plan_for: str
    """Name of the biology that the trial is planned for: the size is the one that it needs."""
    follow_up: float
    """Months from the infusion of the last patient to the data cut-off, > 0."""
    patients: int | None = None
    """Patients in both arms together; by default as many as the primary endpoint needs."""
    alpha: float = 0.05
    """Two-sided level of every test, in (0, 0.5)."""
    power: float = 0.8
    """Wanted power, in (0.1, 0.999)."""
    accrual: float = 0.0
    """Months from the infusion of the first patient to that of the last, >= 0; evenly filled."""
    lost_per_year: float = 0.0
    """Share of patients who are lost to follow-up in a year, in [0, 1), at a constant hazard."""
    allocation: float = 1.0
    """Patients of the experimental arm for each of the control arm, > 0."""
    untested_as: Literal["positive", "dropped"] = "positive"
    """What becomes of a relapse without an antigen test: ``positive`` (counted as antigen-positive)
    or ``dropped`` (follow-up ends there)."""

    def __post_init__(self) -> None:
        line_of_text("plan_for", self.plan_for)
        require_positive("follow_up", self.follow_up, "give months", scalar=True)
        require_non_negative("accrual", self.accrual, "0 for all at once", scalar=True)
        if self.patients is not None:
            require_count(
                "patients", self.patients, "give a number, or leave it out",
                minimum=4, maximum=50_000,
            )  # fmt: skip
        alpha = strictly_between("alpha", self.alpha, "give the two-sided level, such as 0.05")
        power = strictly_between("power", self.power, "give a power such as 0.8")
        if alpha >= 0.5:
            raise ParameterError(
                f"alpha is {alpha:g}; it must lie below 0.5; give the two-sided level, such as 0.05"
            )
        if not max(0.1, alpha) < power < 0.999:
            raise ParameterError(
                f"power is {power:g}; it must lie between 0.1 and 0.999, and above alpha; give a "
                "power such as 0.8"
            )
        lost = require_fraction("lost_per_year", self.lost_per_year, "0 for nobody", scalar=True)
        if lost == 1.0:
            raise ParameterError(
                "lost_per_year is 1; a share below 1 stays in the study; give less"
            )
        ratio = require_positive("allocation", self.allocation, "give a ratio", scalar=True)
        if not 0.05 <= ratio <= 20.0:
            raise ParameterError(
                f"allocation is {float(ratio):g}; it must lie from 0.05 to 20; give a ratio, 1 for "
                "equal arms"
            )
        choice("untested_as", self.untested_as, ("positive", "dropped"))

    @property
    def share(self) -> float:
        """Share of the patients in the experimental arm."""
        return self.allocation / (1.0 + self.allocation)


@dataclass(frozen=True, kw_only=True)
class SimulationSection:
    """How much is simulated."""

    seed: int
    """Seed of every random number, a whole number >= 0: one seed gives one report, bit for bit."""
    trials: int = 2000
    """Virtual trials of each biology, from 100; Monte Carlo errors fall with the root of it."""
    largest: int = 2000
    """Patients in both arms together beyond which no size is simulated, from 100 to 20,000."""

    def __post_init__(self) -> None:
        require_count("seed", self.seed, "give a whole number >= 0", maximum=None)
        require_count("trials", self.trials, "give 2000 or so", minimum=100, maximum=1_000_000)
        require_count(
            "largest", self.largest, "give a number of patients", minimum=100, maximum=20_000
        )


@dataclass(frozen=True, kw_only=True)
class EndpointSection:
    """One endpoint: what is compared, and by which test.

    Examples
    --------
    >>> EndpointSection(test="gray", causes=(Cause.ANTIGEN_NEGATIVE,)).label
    'Antigen-negative, Gray'
    """

    test: Kind
    """``log-rank`` or ``early log-rank`` (hazards), ``gray`` (incidences over all time),
    ``incidence`` (at ``month``), ``restricted mean`` (event-free months up to ``month``), or
    ``share`` (of the relapses; it misleads)."""
    causes: tuple[Cause, ...] | None = None
    """Events that count, such as ``[antigen_negative]``; all of them by default."""
    month: float | None = None
    """Month after infusion of ``incidence`` and ``restricted mean``, > 0."""
    estimand: Estimand = "policy"
    """How transplants count: ``policy`` (follow-up goes on), ``composite`` (as an event),
    ``hypothetical`` (censored), ``competing``, or ``without`` (which no trial can see)."""
    among: Among = "all"
    """``all`` patients (those without remission have an event in month 0), or ``responders``."""

    def __post_init__(self) -> None:
        choice("test", self.test, get_args(Kind))
        _ = self.analysis

    @property
    def analysis(self) -> Analysis:
        """The analysis that the simulation makes."""
        return Analysis(
            kind=self.test,
            causes=self.causes,
            month=self.month,
            estimand=self.estimand,
            among=self.among,
        )

    @property
    def label(self) -> str:
        """What tables and figures call it."""
        what = "Event-free survival"
        if self.causes is not None:
            names = [cause_name(c).replace("_", "-") for c in self.causes]
            what = " or ".join(names).capitalize()
        test = {
            "gray": "Gray",
            "incidence": f"incidence by month {self.month or 0:g}",
            "restricted mean": f"mean to month {self.month or 0:g}",
            "share": "share of relapses",
        }.get(self.test, self.test)
        notes = [str(x) for x in (self.estimand, self.among) if x not in ("policy", "all")]
        return f"{what}, {test}" + (f" ({', '.join(notes)})" if notes else "")


def cause_name(cause: Cause) -> str:
    """Return how a scenario file calls a cause."""
    return cause.name.lower()


@dataclass(frozen=True, kw_only=True)
class EndpointsSection:
    """What the trial is judged by."""

    primary: EndpointSection
    """The endpoint that the size of the trial is chosen for."""
    others: tuple[EndpointSection, ...] = ()
    """Endpoints that are reported beside it."""

    def __post_init__(self) -> None:
        tuple_of("others", self.others, EndpointSection)
        for endpoint in self.all:
            require_instance("primary", endpoint, EndpointSection, "give an EndpointSection")
        labels = [e.label for e in self.all]
        if len(set(labels)) < len(labels):
            twice = next(x for x in labels if labels.count(x) > 1)
            raise ParameterError(
                f"others has {twice!r} twice; each endpoint stands once; leave one out"
            )
        if len(labels) > 12:
            raise ParameterError(
                f"others has {len(labels) - 1} endpoints; a table holds at most 11; leave some out"
            )

    @property
    def all(self) -> tuple[EndpointSection, ...]:
        """The primary endpoint, then the others."""
        return (self.primary, *self.others)


@dataclass(frozen=True, kw_only=True)
class AssumptionSection:
    """One assumption, and what it rests on."""

    what: str
    """The assumption, one line of text."""
    certainty: Certainty
    """``measured``, ``fitted`` (a model fitted to data) or ``assumed`` (a choice)."""
    doi: str = ""
    """DOI of the source, such as ``10.1002/psp4.12388``; empty for an assumption without one."""

    def __post_init__(self) -> None:
        line_of_text("what", self.what, longest=_LONGEST_LINE)
        choice("certainty", self.certainty, get_args(Certainty))
        line_of_text("doi", self.doi, longest=200, empty=True)
        if self.doi and not self.doi.startswith("10."):
            raise ParameterError(
                f"doi is {self.doi!r}; a DOI begins with 10.; write it without https://doi.org/"
            )
        if self.certainty != "assumed" and not self.doi:
            raise ParameterError(
                f"certainty is {self.certainty!r} and doi is empty; what was measured or fitted "
                "has a source; add the DOI, or call it assumed"
            )
