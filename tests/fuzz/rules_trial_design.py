"""How the fuzz draws scenarios of trials and their sections; `rules` collects it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, get_args

from car_relapse import design
from car_relapse.design.formulas import Formula
from car_relapse.followup import Cause
from car_relapse.trial import virtual

from .draws import Context, Draw, between, maybe, one_of, part, whole

_CAUSES = (Cause.ANTIGEN_NEGATIVE, Cause.ANTIGEN_POSITIVE, Cause.DEATH)


def _shape(c: Context) -> dict[str, Any]:
    return c.pick(
        {"kind": "constant"},
        {"kind": "decay", "months": c.log_uniform(0.1, 1e3)},
        {"kind": "weibull", "power": c.log_uniform(0.2, 5.0)},
        {"kind": "piecewise", "breaks": (0.0, 3.0, float("inf")), "rates": (1.0, 0.5)},
    )


def _design(c: Context) -> dict[str, Any]:
    return {
        "plan_for": "second",
        "follow_up": c.log_uniform(6.0, 60.0),
        "patients": int(c.rng.integers(8, 80)),
        "alpha": float(c.pick(0.01, 0.05, 0.2)),
        "power": float(c.pick(0.5, 0.8, 0.95)),
        "accrual": float(c.pick(0.0, 12.0)),
        "lost_per_year": float(c.pick(0.0, 0.05, 0.5)),
        "allocation": float(c.pick(0.5, 1.0, 3.0)),
        "untested_as": c.pick("positive", "dropped"),
    }


def _endpoint(c: Context) -> dict[str, Any]:
    test = c.pick(*get_args(virtual.Kind))
    causes = None if test == "restricted mean" else c.pick((_CAUSES[0],), _CAUSES[:2])
    if test in ("log-rank", "early log-rank", "incidence"):
        causes = c.pick(None, causes)
    if test == "share":
        causes = _CAUSES[:1]
    return {
        "test": test,
        "causes": causes,
        "month": 6.0 if test in ("incidence", "restricted mean") else None,
        "estimand": c.pick("policy", "composite", "hypothetical"),
        "among": c.pick("all", "responders"),
    }


def _endpoints(c: Context) -> dict[str, Any]:
    two = [design.EndpointSection(**_endpoint(c)) for _ in range(2)]
    return {"primary": two[0], "others": tuple(two[1:]) if two[0] != two[1] else ()}


def _shares(c: Context) -> dict[Cause, float]:
    total = float(c.pick(1e-6, 0.5, 0.95, c.rng.random() * 0.9 + 1e-6))
    return dict(zip(_CAUSES, map(float, c.rng.dirichlet([1.0, 1.0, 1.0]) * total), strict=True))


def _engine(c: Context) -> dict[str, Any]:
    two = bool(c.rng.integers(2))
    return {
        "population": c.pick("ledger", "calibrated"),
        "construct": c.pick("tandem", "and") if two else "single",
        "antigens": ("CD19", "CD22") if two else ("CD19",),
        "losses": (c.log_uniform(1e-14, 1e-6),) * 2 if two else c.pick(None, (1e-9,)),
        "shared_defect": float(c.pick(0.0, 1e-12)),
        "burden": c.pick(None, c.log_uniform(1e6, 1e12)),
        "patients": 1000,
        "deaths": float(c.pick(0.0, 0.1)),
    }


def _control(c: Context) -> dict[str, Any]:
    stated = c.pick("incidences", "hazards")
    return {
        "name": "one",
        "response": c.pick(None, 0.5),
        "untested": float(c.pick(0.0, 0.5, 1.0)),
        "horizon": c.log_uniform(1.0, 60.0),
        "shape": design.ShapeSection(**_shape(c)),
        stated: _shares(c),
    }


def _biology(c: Context) -> dict[str, Any]:
    how = c.pick("incidences", "reaching", "hazard_ratios")
    return {"name": c.pick("first", "second"), "says": "", how: _shares(c)}


def _scenario(c: Context) -> dict[str, Any]:
    return {
        "title": "A question?",
        "design": design.DesignSection(**_design(c)),
        "endpoints": design.EndpointsSection(**_endpoints(c)),
        "control": design.ControlSection(**_control(c)),
        "experimental": design.ArmSection(name="two"),
        "biologies": tuple(
            design.BiologySection(**_biology(c) | {"name": name}) for name in ("first", "second")
        ),
        "simulation": design.SimulationSection(seed=int(c.rng.integers(99)), trials=100),
    }


def _a_scenario(c: Context) -> Any:
    return design.TrialScenario(**_scenario(c))


def _a_trial(c: Context) -> Any:
    return _a_scenario(c).versions[0].trial


def _a_plan(c: Context) -> Any:
    return design.plan_trial(_a_scenario(c), search=False)


_A = r"design\.\w+\."

RULES: list[tuple[str, Draw]] = [
    (_A + r"ShapeSection\(\)", _shape),
    (_A + r"DesignSection\(\)", _design),
    (_A + r"SimulationSection\.seed", whole(0, 10**9)),
    (_A + r"SimulationSection\.(trials|largest)", whole(100, 20_000)),
    (_A + r"EndpointSection\(\)", _endpoint),
    (_A + r"EndpointsSection\(\)", _endpoints),
    (_A + r"AssumptionSection\.what", one_of("All patients are alike.")),
    (_A + r"AssumptionSection\.certainty", one_of("assumed", "measured", "fitted")),
    (_A + r"AssumptionSection\.doi", one_of("", "10.1000/182")),
    (_A + r"EngineSection\(\)", _engine),
    (_A + r"ControlSection\(\)", _control),
    (_A + r"BiologySection\(\)", _biology),
    (_A + r"ArmSection\.name", one_of("one")),
    (_A + r"ArmSection\.response", maybe(part)),
    (_A + r"ArmSection\.untested", between(1e-9, 1.0, 0.0)),
    (_A + r"ArmSection\.visits", one_of(None, (1.0, 3.0, 6.0))),
    (_A + r"ArmSection\.transplant", one_of(None)),
    (_A + r"TrialScenario\(\)", _scenario),
    (_A + r"(plan_trial|assumptions)\.scenario", _a_scenario),
    (_A + r"plan_trial\.(quick|search|workers|client|tell)", one_of(None)),
    (_A + r"formula_size\.trial", _a_trial),
    (_A + r"formula_size\.endpoint", lambda c: design.EndpointSection(**_endpoint(c))),
    (_A + r"formula_size\.(alpha|power)", one_of(0.05, 0.3, 0.8)),
    (_A + r"formula_size\.patients", whole(4, 1000)),
    (_A + r"example_text\.name", one_of(*design.examples())),
    (_A + r"parse_trial\.text", one_of("", "title: x", design.example_text("how-large"))),
    (_A + r"parse_trial\.(source|folder)", one_of("mine.yaml")),
]

RESULTS = [r"design\.(plan|formulas|keys)\.\w+$|design\.scenario\.Version"]

PRODUCERS: dict[str, Callable[[Context], Any] | None] = {
    "design.plan.Plan": _a_plan,
    "design.plan.BiologyPlan": lambda c: _a_plan(c).planned,
    "design.plan.EndpointSize": lambda c: _a_plan(c).primary,
    "design.formulas.Formula": lambda c: Formula(),
    "design.scenario.Version": lambda c: _a_scenario(c).versions[0],
}
