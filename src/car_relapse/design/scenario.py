"""A scenario of a trial: all that a report is made from.

It is what a scenario file holds (`car_relapse.design.scenario_file`), and can be built in Python as
well. Every number of a report follows from it and the version of the package.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from car_relapse.design.arm_sections import (
    ArmSection,
    BiologySection,
    ControlSection,
    EngineSection,
)
from car_relapse.design.sections import (
    AssumptionSection,
    DesignSection,
    EndpointsSection,
    SimulationSection,
    line_of_text,
    tuple_of,
)
from car_relapse.errors import CarRelapseError, ParameterError, require_instance
from car_relapse.followup import Cause
from car_relapse.trial.virtual import (
    Arm,
    Biology,
    Constant,
    Hazard,
    Mechanism,
    Shape,
    Trial,
    biology_of,
)

__all__ = ["TrialScenario", "Version"]

_MOST_BIOLOGIES = 20


@dataclass(frozen=True, kw_only=True)
class Version:
    """One biology, ready to be simulated."""

    section: BiologySection
    """What the file says."""
    trial: Trial
    """The trial if the experimental arm turns out so, with as many patients as the design has (or
    100, where the size is to be found)."""
    engine: Mechanism | None
    """What the engine said of the experimental arm, if it was asked."""
    control_engine: Mechanism | None
    """What the engine said of the control arm, if it was asked."""


@contextmanager
def _under(place: str) -> Iterator[None]:
    """Put the place in the file before what a part of the package refuses."""
    try:
        yield
    except CarRelapseError as problem:
        raise ParameterError(f"{place}.{problem}") from None


@dataclass(frozen=True, kw_only=True)
class TrialScenario:
    """A trial of a control arm and an experimental one, and how the latter might turn out."""

    title: str
    """What the report is called, as a question or a claim."""
    design: DesignSection
    """How many patients, for how long, at what level."""
    endpoints: EndpointsSection
    """What the trial is judged by."""
    control: ControlSection
    """The control arm."""
    experimental: ArmSection
    """The experimental arm."""
    biologies: tuple[BiologySection, ...]
    """Ways in which the experimental arm might turn out, from 1 to 20."""
    simulation: SimulationSection
    """How much is simulated, and the seed."""
    assumptions: tuple[AssumptionSection, ...] = ()
    """What the numbers rest on, with sources."""

    def __post_init__(self) -> None:
        line_of_text("title", self.title, longest=160)
        kinds = {
            "design": DesignSection, "endpoints": EndpointsSection, "control": ControlSection,
            "experimental": ArmSection, "simulation": SimulationSection,
        }  # fmt: skip
        for name, kind in kinds.items():
            require_instance(name, getattr(self, name), kind, f"give a {kind.__name__}")
        if not isinstance(self.biologies, tuple) or not 1 <= len(self.biologies) <= _MOST_BIOLOGIES:
            raise ParameterError(
                f"biologies is {self.biologies!r:.60}; it must be a tuple of 1 to "
                f"{_MOST_BIOLOGIES} biologies; give at least one"
            )
        tuple_of("biologies", self.biologies, BiologySection)
        tuple_of("assumptions", self.assumptions, AssumptionSection)
        names = [b.name for b in self.biologies]
        if len(set(names)) < len(names):
            number = next(i for i, n in enumerate(names) if n in names[:i])
            raise ParameterError(
                f"biologies.{number}.name is {names[number]!r}; so is that of another biology; "
                "each has a name of its own; rename one"
            )
        if self.design.plan_for not in names:
            raise ParameterError(
                f"design.plan_for is {self.design.plan_for!r}; it must be the name of a biology; "
                f"choose among {', '.join(repr(n) for n in names)}"
            )
        if self.control.name == self.experimental.name:
            raise ParameterError(
                f"experimental.name is {self.experimental.name!r}; so is that of the control arm; "
                "rename one"
            )
        for number, endpoint in enumerate(self.endpoints.all):
            place = f"endpoints.others.{number - 1}" if number else "endpoints.primary"
            if endpoint.month is not None and endpoint.month > self.last_month:
                raise ParameterError(
                    f"{place}.month is {endpoint.month:g}; nobody is watched after month "
                    f"{self.last_month:g}; give an earlier month, or follow longer"
                )
        _ = self.versions

    @property
    def last_month(self) -> float:
        """Longest time after infusion for which anybody is watched, months."""
        return float(self.design.accrual + self.design.follow_up)

    @property
    def planned(self) -> int:
        """Number of the biology that the trial is planned for."""
        return [b.name for b in self.biologies].index(self.design.plan_for)

    @cached_property
    def versions(self) -> tuple[Version, ...]:
        """The biologies, ready to be simulated."""
        with _under("control"):
            engine = self._engine(self.control.from_engine)
            biology = engine.biology if engine is not None else self._stated_control()
            control = self._arm(self.control, biology, self._response(self.control, None, engine))
        return tuple(self._version(n, control, engine) for n in range(len(self.biologies)))

    def _engine(self, section: EngineSection | None) -> Mechanism | None:
        if section is None:
            return None
        death = None
        if section.deaths:
            death = Hazard(
                cause=Cause.DEATH,
                shape=Constant() if section.deaths_shape is None else section.deaths_shape.shape,
                cumulative=float(-np.log1p(-section.deaths)),
            )
        return biology_of(
            section.source,
            horizon=self.last_month,
            patients=section.patients,
            seed=self.simulation.seed,
            death=death,
        )

    def _stated_control(self) -> Biology:
        section, shape = self.control, self.control.causes_shape
        if shape is None or section.horizon is None:
            raise ParameterError("shape is missing; a stated arm has one; give it")
        if section.incidences is not None:
            return self._reaching(section.incidences, shape, section.horizon)
        stated = Biology.from_hazards(section.hazards or {}, shape=shape, horizon=section.horizon)
        return replace(stated, frailty=section.frailty)

    def _reaching(
        self, incidences: Mapping[Cause, float], shape: Shape | dict[Cause, Shape], horizon: float
    ) -> Biology:
        """Return the biology in which all patients together have these incidences."""
        none = Biology.from_hazards(dict.fromkeys(incidences, 0.0), shape=shape, horizon=horizon)
        return replace(none, frailty=self.control.frailty).reaching(incidences)

    def _stated(self, section: BiologySection, control: Biology) -> Biology:
        """Return a biology that is stated by numbers."""
        if section.reaching is not None:
            return control.reaching(section.reaching)
        if section.hazard_ratios is not None:
            return control.multiplied(section.hazard_ratios)
        shape = self.control.causes_shape
        if shape is None:
            raise ParameterError(
                "incidences is given and the control arm comes from the engine; incidences need "
                "a horizon and a shape; give reaching, hazard_ratios or from_engine"
            )
        return self._reaching(section.incidences or {}, shape, control.horizon)

    def _version(self, number: int, control: Arm, control_engine: Mechanism | None) -> Version:
        section = self.biologies[number]
        with _under(f"biologies.{number}"):
            engine = self._engine(section.from_engine)
            biology = (
                engine.biology if engine is not None else self._stated(section, control.biology)
            )
        with _under("experimental"):
            # Stated as a change of the control arm, it has that arm's chance of remission.
            response = self._response(self.experimental, section, engine or control_engine)
            arm = self._arm(self.experimental, biology, response, self.design.allocation)
        with _under("design"):
            trial = Trial(
                arms=(control, arm),
                patients=self.design.patients or 100,
                follow_up=self.design.follow_up,
                accrual=self.design.accrual,
                lost_per_year=self.design.lost_per_year,
                untested_as=self.design.untested_as,
            )
        return Version(section=section, trial=trial, engine=engine, control_engine=control_engine)

    @staticmethod
    def _response(
        arm: ArmSection, section: BiologySection | None, engine: Mechanism | None
    ) -> float:
        """Return the share who reach remission: of the biology, of the arm, or the engine's."""
        stated = arm.response if section is None or section.response is None else section.response
        if stated is not None:
            return float(stated)
        return 1.0 if engine is None else engine.response

    @staticmethod
    def _arm(arm: ArmSection, biology: Biology, response: float, allocation: float = 1.0) -> Arm:
        return Arm(
            name=arm.name,
            biology=biology,
            response=response,
            transplant=arm.transplant,
            untested=arm.untested,
            visits=arm.visits,
            allocation=allocation,
        )
