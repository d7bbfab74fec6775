"""What a scenario file says about the arms: what happens to their patients, and to whom.

An arm is stated by cumulative incidences at a month, by cumulative hazards at it, or by a construct
and a population of the engine. What the experimental arm does is not known, or there would be no
trial: the file lists biologies, each a way in which it might turn out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, get_args

from car_relapse.antigens import Losses
from car_relapse.calibration_model import calibrated_population
from car_relapse.design.sections import (
    ShapeSection,
    by_cause,
    line_of_text,
    stated_once,
    tuple_of,
)
from car_relapse.errors import (
    ParameterError,
    require_count,
    require_fraction,
    require_instance,
    require_positive,
)
from car_relapse.followup import Cause
from car_relapse.population import Population, default_population
from car_relapse.scenario import Construct, Scenario
from car_relapse.trial._checks import choice
from car_relapse.trial.virtual import Frailty, Shape, TransplantPolicy

__all__ = ["ArmSection", "BiologySection", "ControlSection", "EngineSection"]

Patients = Literal["ledger", "calibrated"]


@dataclass(frozen=True, kw_only=True)
class EngineSection:
    """A construct and its patients, from which the engine makes hazards.

    Examples
    --------
    >>> EngineSection().source.losses.antigens
    1
    """

    population: Patients = "ledger"
    """Whose patients: the defaults of the parameter table, or the ``calibrated`` population."""
    scenario: Scenario | None = None
    """File of a construct and its patients, as the chapter *Choose your CAR* writes it; its keys
    replace those below."""
    construct: Construct = "single"
    """``single``, ``tandem`` (either antigen is enough), ``bicistronic`` (so too, with unequal
    ``arms``), or ``and``."""
    antigens: tuple[str, ...] = ("CD19",)
    """Names of the targeted antigens."""
    losses: tuple[float, ...] | None = None
    """Probability per division that one daughter loses each antigen; that of CD19 alone by
    default."""
    common_mode: float | None = None
    """Probability per division of a lineage switch; that of the population by default."""
    shared_defect: float = 0.0
    """Probability per division of one defect that hides every target."""
    arms: tuple[float, ...] | None = None
    """Fraction of the killing rate that each receptor of a bicistronic product reaches alone."""
    burden: float | None = None
    """Median burden at infusion, cells; that of the population by default."""
    patients: int = 10_000
    """Virtual patients behind the hazards, from 1,000."""
    deaths: float = 0.0
    """Share of the patients who would die in remission by the end of follow-up if nothing else
    ended it, in [0, 1): the engine has no such deaths."""
    deaths_shape: ShapeSection | None = None
    """How those deaths are spread over time; at a constant hazard by default."""

    def __post_init__(self) -> None:
        choice("population", self.population, get_args(Patients))
        require_count(
            "patients", self.patients, "give 10000 or so", minimum=1000, maximum=2_000_000
        )
        deaths = require_fraction("deaths", self.deaths, "give a share below 1", scalar=True)
        if deaths == 1.0:
            raise ParameterError("deaths is 1; somebody must live; give a share below 1")
        if self.deaths_shape is not None:
            require_instance("deaths_shape", self.deaths_shape, ShapeSection, "leave it out")
        if self.scenario is not None:
            require_instance("scenario", self.scenario, Scenario, "give a Scenario")
            for name in ("construct", "antigens", "losses", "common_mode", "shared_defect", "arms"):
                if getattr(self, name) != getattr(type(self), name):
                    raise ParameterError(
                        f"{name} is given and so is scenario, which has its own; keep one of them"
                    )
            if self.burden is not None or self.population != "ledger":
                raise ParameterError(
                    "scenario is given and so is burden or population, which it has; leave them out"
                )
        _ = self.source  # refuses what no cohort can have

    @property
    def source(self) -> Population:
        """The population of the engine."""
        if self.scenario is not None:
            return self.scenario.population()
        base = calibrated_population() if self.population == "calibrated" else default_population()
        losses = self.losses
        if losses is None:
            if self.antigens != ("CD19",):
                raise ParameterError(
                    f"losses is missing and antigens is {list(self.antigens)}; only the loss of "
                    "CD19 has a default; give a probability per division for each antigen"
                )
            losses = base.losses.per_antigen
        common = base.losses.common_mode if self.common_mode is None else self.common_mode
        made = Scenario(
            construct=self.construct,
            antigens=self.antigens,
            arms=self.arms,
            losses=Losses(per_antigen=losses, common_mode=common, shared_defect=self.shared_defect),
        ).population()
        leukaemia = base.leukaemia
        if self.burden is not None:
            burden = require_positive("burden", self.burden, "give cells", scalar=True)
            leukaemia = replace(leukaemia, burden=float(burden))
        return replace(base, losses=made.losses, engagement=made.engagement, leukaemia=leukaemia)


@dataclass(frozen=True, kw_only=True)
class ArmSection:
    """What is done with the patients of an arm."""

    name: str
    """What tables call the arm."""
    response: float | None = None
    """Share of the patients who reach remission, in (0, 1]; 1 by default, or what the engine
    says."""
    untested: float = 0.0
    """Share of relapses whose antigens nobody tests, in [0, 1]."""
    visits: tuple[float, ...] | None = None
    """Months at which relapse is looked for, ascending; by default it is found when it happens."""
    transplant: TransplantPolicy | None = None
    """Transplant in remission, if the arm has it."""

    def __post_init__(self) -> None:
        line_of_text("name", self.name)
        if (
            self.response is not None
            and require_fraction(
                "response", self.response, "give the share who respond", scalar=True
            )
            == 0.0
        ):
            raise ParameterError("response is 0; someone must respond; give a share above 0")
        require_fraction("untested", self.untested, "give the share of relapses", scalar=True)
        if self.transplant is not None:
            require_instance("transplant", self.transplant, TransplantPolicy, "leave it out")
        if self.visits is not None:
            tuple_of("visits", self.visits, object)
            require_positive("visits", self.visits, "count months from infusion")


@dataclass(frozen=True, kw_only=True)
class ControlSection(ArmSection):
    """The control arm, and what happens to its patients."""

    horizon: float | None = None
    """Month after infusion at which incidences or hazards hold, > 0."""
    incidences: Mapping[Cause, float] | None = None
    """Cumulative incidence of each cause by the horizon, in [0, 1), together below 1."""
    hazards: Mapping[Cause, float] | None = None
    """Cumulative hazard of each cause by the horizon, dimensionless, >= 0."""
    shape: ShapeSection | None = None
    """How the hazards of all causes are spread over time."""
    shapes: Mapping[Cause, ShapeSection] | None = None
    """How the hazard of each cause is spread over time, instead of ``shape``."""
    frailty: Frailty | None = None
    """How patients differ in the hazard of one cause, in both arms; the incidences are then those
    of all patients together. Where the engine is asked, it makes them differ."""
    from_engine: EngineSection | None = None
    """A construct and its patients, instead of incidences and shapes."""

    def __post_init__(self) -> None:
        super().__post_init__()
        stated_once(self, ("incidences", "hazards", "from_engine"))
        kinds = {"shape": ShapeSection, "frailty": Frailty, "from_engine": EngineSection}
        for key, kind in kinds.items():
            if getattr(self, key) is not None:
                require_instance(key, getattr(self, key), kind, "leave it out for none")
        if self.from_engine is not None:
            for name in ("horizon", "shape", "shapes", "frailty"):
                if getattr(self, name) is not None:
                    raise ParameterError(
                        f"{name} is given and so is from_engine, whose hazards have their own "
                        "times; leave it out"
                    )
            return
        for name in ("incidences", "hazards"):
            if getattr(self, name) is not None:
                by_cause(name, getattr(self, name), shares=name == "incidences")
        stated_once(self, ("shape", "shapes"))
        if self.horizon is None:
            raise ParameterError(
                "horizon is missing; incidences and hazards hold at a month; give it"
            )
        require_positive("horizon", self.horizon, "count months from infusion", scalar=True)

    @property
    def causes_shape(self) -> Shape | dict[Cause, Shape] | None:
        """The shape of all hazards, or of each; None where the engine makes them."""
        if self.shapes is not None:
            return {cause: section.shape for cause, section in self.shapes.items()}
        return None if self.shape is None else self.shape.shape


@dataclass(frozen=True, kw_only=True)
class BiologySection:
    """One way in which the experimental arm might turn out."""

    name: str
    """What tables call the biology."""
    says: str = ""
    """What it assumes, in one line."""
    incidences: Mapping[Cause, float] | None = None
    """Cumulative incidence of every cause by the control's horizon."""
    reaching: Mapping[Cause, float] | None = None
    """Cumulative incidence of some causes by the horizon; the hazards of the others stay."""
    hazard_ratios: Mapping[Cause, float] | None = None
    """Hazards of some causes relative to the control arm; 1 for all is no effect."""
    from_engine: EngineSection | None = None
    """A construct and its patients."""
    response: float | None = None
    """Share of the patients who reach remission, instead of the arm's."""

    def __post_init__(self) -> None:
        line_of_text("name", self.name)
        if self.from_engine is not None:
            require_instance("from_engine", self.from_engine, EngineSection, "leave it out")
        line_of_text("says", self.says, longest=400, empty=True)
        stated_once(self, ("incidences", "reaching", "hazard_ratios", "from_engine"))
        for name in ("incidences", "reaching", "hazard_ratios"):
            if getattr(self, name) is not None:
                by_cause(name, getattr(self, name), shares=name != "hazard_ratios")
        if self.response is not None:
            share = require_fraction("response", self.response, "give a share", scalar=True)
            if share == 0.0:
                raise ParameterError("response is 0; someone must respond; give a share above 0")
