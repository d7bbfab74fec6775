"""Instances and argument lists whose parts hang together, drawn at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np

import car_relapse as cr
from car_relapse import (
    antigens,
    branching,
    calibration,
    calibration_points,
    celltypes,
    course,
    engagement,
    feedback_types,
    followup,
    gates,
    luria_delbrueck,
    quadrature,
    schedule,
)
from car_relapse.exposure import stein_population

from .draws import (
    CENTURY,
    Context,
    Draw,
    between,
    day,
    part,
    population,
    positive_day,
    rate,
    rate_or_none,
)


def clone_law(c: Context) -> Any:
    # Three in four with a simple margin, as users have them.
    if c.rng.random() < 0.75:
        return luria_delbrueck.CloneLaw(death_ratio=float(c.pick(0.0, 0.5, 0.9)))
    return c.make("CloneLaw")


def leukaemia(c: Context) -> dict[str, Any]:
    birth = rate(c)
    death = birth * float(c.pick(0.0, 1e-12, 0.5, 1.0 - 1e-9, c.rng.random()))
    return {"birth_rate": birth, "death_rate": death, "burden": population(c)}


def scenario(c: Context) -> dict[str, Any]:
    antigens = int(c.pick(1, 2, 3))
    construct = "single" if antigens == 1 else c.pick("tandem", "bicistronic", "and")
    arms = (1.0, *(float(c.pick(0.5, 1.0)) for _ in range(antigens - 1)))
    losses = tuple(c.log_uniform(1e-14, 1e-4) for _ in range(antigens))
    return {
        "name": c.pick("mine", "", "two\nlines"),
        "construct": construct,
        "antigens": ("CD19", "CD20", "CD22")[:antigens],
        "arms": arms if construct == "bicistronic" else None,
        "losses": cr.Losses(per_antigen=losses),
        "leukaemia": c.make("Leukaemia"),
        "birth_rate_log_sd": float(c.pick(0.0, 0.3)),
    }


def detection(c: Context) -> dict[str, Any]:
    low = population(c)
    return {"remission_cells": low, "relapse_cells": low * c.log_uniform(1.001, 1e6)}


def losses(c: Context) -> dict[str, Any]:
    several_antigens = int(c.rng.choice([1, 2, 3, 4, 6], p=[0.45, 0.25, 0.15, 0.1, 0.05]))
    draw = between(1e-15, 0.9 / (several_antigens + 2), 0.0, 1e-300)
    drawn = {"per_antigen": tuple(draw(c) for _ in range(several_antigens))}
    both = ("common_mode", "shared_defect")
    return drawn | {name: draw(c) for name in both if c.rng.random() < 0.5}


def two_losses(c: Context) -> Any:
    draw = between(1e-15, 0.4, 0.0, 1e-300)
    return antigens.Losses(per_antigen=(draw(c), draw(c)))


def near_defaults(kind: type) -> Draw:
    """Draw the fields of a published model: most near the paper, some far from it."""

    def draw(c: Context) -> dict[str, Any]:
        wild = c.rng.random() < 0.3
        drawn: dict[str, Any] = {}
        for field in fields(kind):
            if not isinstance(field.default, float):
                continue
            if wild and c.rng.random() < 0.3:
                drawn[field.name] = rate_or_none(c)
            elif c.rng.random() < 0.5:
                drawn[field.name] = field.default * c.log_uniform(0.1, 10.0)
        return drawn

    return draw


def bins(c: Context) -> Any:
    return engagement.gauss_hermite_bins(c.make("DensityDistribution"), int(c.rng.integers(1, 9)))


def line_law(c: Context) -> Any:
    birth, death = rate(c), rate_or_none(c)
    return branching.constant_rate_law(birth, death, day(c))


def cohort(c: Context) -> Any:
    population = cr.default_population(c.log_uniform(1e6, 1e12))
    return cr.simulate(population, int(c.rng.integers(1, 60)), seed=int(c.rng.integers(2**32)))


def panels(c: Context) -> Any:
    return quadrature.panels(np.array(sorted({day(c) for _ in range(3)} | {0.0})))


def panel_values(c: Context) -> Any:
    return c.rng.random(8)


def observed(c: Context) -> Any:
    return followup.observe(cohort(c), c.make("FollowUp"), np.random.default_rng(1))


def near_fields(typical: Callable[[], Any]) -> Draw:
    """Draw the fields of a model near those of the typical patient."""

    def draw(c: Context) -> dict[str, Any]:
        patient = typical()
        return {
            f.name: getattr(patient, f.name) * c.log_uniform(0.1, 10.0) for f in fields(patient)
        }

    return draw


def follow_up(c: Context) -> dict[str, Any]:
    shortest = positive_day(c)
    drawn: dict[str, Any] = {
        "shortest": shortest,
        "longest": shortest * c.log_uniform(1.0, 10.0),
        "dropout_rate": rate_or_none(c),
        "death_rate": rate_or_none(c),
    }
    return drawn | ({"transplant": c.make("Transplant")} if c.rng.random() < 0.5 else {})


def interval(c: Context) -> dict[str, Any]:
    low, value, high = sorted(part(c) for _ in range(3))
    return {"low": low, "value": value, "high": high}


def event_times(c: Context) -> dict[str, Any]:
    drawn = followed(c)
    return {"time": drawn["time"], "event": drawn["cause"] > 0}


def followed(c: Context) -> dict[str, Any]:
    n = int(c.rng.integers(1, 30))
    return {"time": c.rng.exponential(positive_day(c), n), "cause": c.rng.integers(0, 3, n)}


def batch(c: Context) -> dict[str, Any]:
    n = int(c.rng.integers(1, 5))
    return {
        "slope": lambda day, log_cells, rates: -rates,
        "start_log": c.rng.normal(0.0, 20.0, (1, n)),
        "days": np.array([1.0, 28.0]),
        "parameters": c.rng.random((1, n)),
        "steps": 2000,
    }


def per_patient(c: Context) -> dict[str, Any]:
    """Draw what the engine gets: curves of several patients, and a burden for each."""
    n = int(c.rng.integers(1, 6))
    return {
        "curve": stein_population().sample(n, np.random.default_rng(int(c.rng.integers(99)))),
        "burden": np.array([population(c) for _ in range(n)]),
    }


def five_curves(c: Context) -> Any:
    return stein_population().sample(5, np.random.default_rng(int(c.rng.integers(99))))


def patients(c: Context) -> Any:
    drawn = per_patient(c)
    birth = np.array([c.log_uniform(1e-3, 10.0) for _ in drawn["burden"]])
    return calibration_points.Patients(birth_rate=birth, death_rate=birth * c.rng.random(), **drawn)


def points(c: Context) -> Any:
    return calibration_points.points(stein_population(), 8, seed=int(c.rng.integers(99)))


def calibrated(c: Context) -> Any:
    return calibration.fit(n=8, seed=int(c.rng.integers(99)), free=("loss",))


def table_of_levels(c: Context) -> dict[str, Any]:
    days = (0.0, *sorted({c.log_uniform(1e-3, CENTURY) for _ in range(int(c.rng.integers(1, 6)))}))
    return {
        "days": days,
        "levels": tuple(c.log_uniform(1e-9, 1e9) for _ in days),
        "after": c.pick("decline", "constant", "zero"),
    }


def table_file(c: Context) -> Path:
    path = Path("table.csv")  # Every case has a folder of its own.
    path.write_text(c.pick("day,level\n0,1\n1,2\n", "day,level\n1,x\n", "", "level\n"))
    return path


def summed(c: Context) -> tuple[Any, ...]:
    return tuple(c.make("SteinExposure") for _ in range(int(c.rng.integers(1, 4))))


def plasticity(c: Context, several_antigens: int = 0) -> dict[str, Any]:
    """Draw what the antigens do; each field for all of them, or for none."""
    count = several_antigens or int(c.rng.integers(1, 7))

    def maybe_rates(draw: Draw, share: float = 0.3) -> tuple[float, ...]:
        if c.rng.random() > share:
            return ()
        return tuple(draw(c) for _ in range(count))

    slow = between(1e-12, 1.0, 0.0)
    return {
        "switch_off": maybe_rates(slow, 0.6),
        "switch_on": maybe_rates(slow, 0.6),
        "stripping": maybe_rates(between(1e-6, 1.0, 0.0)),
        "fitness_cost": maybe_rates(between(1e-6, 0.9, 0.0)),
    }


def patient(c: Context) -> dict[str, Any]:
    """Draw a patient whose parts agree about the number of antigens."""
    losses = c.make("Losses")
    several_antigens = losses.antigens
    drawn: dict[str, Any] = {"leukaemia": c.make("Leukaemia"), "losses": losses}
    products = 1 if c.rng.random() < 0.8 else 2
    therapies = tuple(therapy(c, several_antigens) for _ in range(products))
    drawn["therapy"] = therapies if products > 1 else therapies[0]
    if c.rng.random() < 0.3:
        drawn["plasticity"] = antigens.Plasticity(**plasticity(c, several_antigens))
    if c.rng.random() < 0.1:
        drawn["mixture"] = ((0, 0.75), (int(c.rng.integers(1, losses.states)), 0.25))
    return drawn


def courses(c: Context) -> Any:
    return course.sample_courses(
        c.make("Patient"), [0.0, positive_day(c)], int(c.rng.integers(1, 4)),
        np.random.default_rng(int(c.rng.integers(99))),
    )  # fmt: skip


def cells_of_types(c: Context) -> Any:
    """Draw numbers of cells of a few types; few patients have as many."""
    count = int(c.pick(2, 2, 3, 4, 8))
    return np.array([population(c) * c.pick(0.0, 1.0) for _ in range(count)])


def line_fates(c: Context) -> dict[str, Any]:
    sick = c.make("Patient")
    _, types = celltypes.density_groups(sick)
    return {"types": types, "schedule": schedule.killing_schedule(sick.products, types)}


def path_fates(c: Context) -> dict[str, Any]:
    drawn = line_fates(c)
    kind = drawn["types"].relapse_class
    ends = int(kind.max())
    step = (kind[:, None] < ends) & (kind == ends)
    losses = np.where(step, drawn["types"].daughters, 0.0)
    return drawn | {"ends": ends, "last_losses": losses[:, :, None]}


def therapy(c: Context, several_antigens: int) -> Any:
    return cr.Therapy(
        exposure=c.make(c.pick(*exposures())),
        killing=c.make(c.pick("Killing", "LinearKilling")),
        gate=gate(c, several_antigens),
        first_day=float(c.pick(0.0, 0.0, c.log_uniform(1e-3, 1e3))),
    )


def gate(c: Context, several_antigens: int = 1) -> Any:
    return c.pick(
        gates.OrGate(),
        gates.AndGate(),
        gates.SumGate(),
        gates.SingleGate(antigen=int(c.rng.integers(several_antigens))),
    )


def exposures() -> list[str]:
    return ["SteinExposure", "SteinExposure", "EngagerExposure", "TrimerExposure",
            "KimmelExposure", "TableExposure", "DelayedExposure"]  # fmt: skip


def two_products(c: Context) -> dict[str, Any]:
    return {
        "given": [therapy(c, 1) for _ in range(2)],
        "first_days": [0.0, c.log_uniform(1e-3, 1e3)],
    }


def population_of_patients(c: Context) -> dict[str, Any]:
    small = between(1e-15, 0.1, 0.0)
    losses = antigens.Losses(per_antigen=tuple(small(c) for _ in range(int(c.pick(1, 1, 2, 3)))))
    drawn: dict[str, Any] = {
        "leukaemia": c.make("Leukaemia"),
        "burden_log10_sd": float(c.pick(0.0, 0.7, 2.0)),
        "losses": losses,
        "exposures": c.make(c.pick("SteinPopulation", "SteinPopulation", "ScaledPopulation")),
        "killing": c.make("Killing"),
        "detection": c.make("Detection"),
    }
    return drawn | ({"spread": c.make("Spread")} if c.rng.random() < 0.3 else {})


def subgroup(c: Context) -> dict[str, Any]:
    return {"name": "some", "weight": c.rng.random(), "killing_factor": c.log_uniform(0.01, 100.0)}


def healthy(c: Context) -> dict[str, Any]:
    return {"engagement": (c.rng.random(), c.rng.random()), "veto": c.rng.random()}


def patient_batch(c: Context) -> dict[str, Any]:
    # Batches do without what makes patients of one kind unlike each other.
    template = replace(
        c.make("Patient"), plasticity=antigens.Plasticity(), mixture=None,
        therapy=replace(therapy(c, 1), exposure=c.make("SteinExposure"), first_day=0.0),
    )  # fmt: skip
    n = int(c.rng.integers(1, 4))
    return {
        "template": template,
        "birth_rate": template.leukaemia.birth_rate * (1.0 + c.rng.random(n)),
        "burden": np.array([population(c) for _ in range(n)]),
    }


def tumour_types(c: Context) -> Any:
    types = celltypes.cell_types(c.make("Patient"))
    return feedback_types.tumour_types(types)


def feedback_run(c: Context) -> dict[str, Any]:
    types = tumour_types(c)
    killing = rate_or_none(c)
    return {
        "types": types,
        "car": feedback_types.Prescribed(rate=lambda day: killing),
        "start": np.array([float(int(population(c))) for _ in types.birth]),
        "days": [0.0, c.log_uniform(1e-3, 100.0)],
        "n": 2,
        "rng": np.random.default_rng(1),
        "most_steps": int(c.pick(100, 3000)),
    }
