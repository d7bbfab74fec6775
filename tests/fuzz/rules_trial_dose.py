"""How the fuzz draws what dose-finding designs are asked, in trials of three levels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from car_relapse.trial import dose

from .draws import (
    Context,
    Draw,
    between,
    fraction,
    maybe,
    one_of,
    part,
    rising,
    row,
    several,
    whole,
)


def _patients(c: Context) -> dict[str, Any]:
    shape = (*c.shape, 9)
    return {
        "level": c.rng.integers(0, 4, size=shape),
        "toxic": c.rng.random(shape) < 0.3,
        "weight": c.rng.choice([0.0, 1e-300, 0.5, 1.0], size=shape),
        "response": c.rng.random(shape) < 0.5,
    }


def _data(c: Context) -> dict[str, Any]:
    treated = c.rng.integers(0, 10, size=(*c.shape, 3))
    toxic = c.rng.binomial(treated, c.pick(0.1, 0.3, 1.0))
    pending = c.rng.binomial(treated - toxic, c.pick(0.0, 0.0, 0.5))
    both = c.rng.binomial(toxic, 0.5)
    return {
        "treated": treated,
        "toxic": toxic,
        "pending": pending,
        "followed": c.rng.random() * pending,
        "responses": both + c.rng.binomial(treated - toxic, 0.5),
        "toxic_responses": both,
    }


def _boin(c: Context) -> dict[str, Any]:
    target = c.log_uniform(1e-3, 0.7)
    return {
        "target": target,
        "too_low": c.pick(None, 0.5 * target, target * (1.0 - 1e-9)),
        "too_high": c.pick(None, 0.5 * (1.0 + target), target * (1.0 + 1e-9)),
        "cutoff": c.pick(0.95, part(c)),
        "extra_safety": c.pick(None, 0.9, part(c)),
        "least": c.pick(1, 3),
        "enough": c.pick(None, 6),
    }


def _table_design(c: Context) -> Any:
    return c.make(c.pick("BOIN", "MTPI", "MTPI2", "I3Plus3"))


def _design(c: Context) -> Any:
    return c.pick(c.make("ThreePlusThree"), _table_design(c))


def _beta(c: Context) -> tuple[float, float]:
    return c.log_uniform(1e-6, 1e6), c.log_uniform(1e-6, 1e6)


_AROUND = r"dose\.interval_designs\.\w+"

RULES: list[tuple[str, Draw]] = [
    (r"dose\.designs\.Patients\(\)", _patients),
    (r"dose\.designs\.DoseData\(\)", _data),
    (r"dose\.designs\.tally\.patients", lambda c: dose.Patients(**_patients(c))),
    (r"dose\.designs\.tally\.levels", whole(1, 4)),
    (r"dose\.[\w.]+\.current", whole(1, 3)),
    (r"dose\.exact\.\w+\.design", _design),
    (r"dose\.exact\.[\w.]+\.toxicity", row(fraction, 3, 3)),
    (r"dose\.exact\.[\w.]+\.limit", fraction),
    (r"dose\.exact\.\w+\.(cohorts|cohort_size)", whole(1, 4)),
    (r"dose\.exact\.\w+\.start", whole(1, 3)),
    (r"dose\.interval_designs\.BOIN\(\)", _boin),
    (_AROUND + r"\.cutoff", part),
    (_AROUND + r"\.target", between(1e-2, 0.9)),
    (_AROUND + r"\.(below|above)", between(1e-3, 0.3)),
    (_AROUND + r"\.least", whole(1, 9)),
    (_AROUND + r"\.enough", maybe(whole(1, 9))),
    (_AROUND + r"\.prior", _beta),
    (r"dose\.decision_tables\.TableDesign\.table\.patients", row(whole(1, 40), 1, 3)),
    (r"dose\.decision_tables\.TableDesign\.\w+\.patients", whole(1, 40)),
    (r"dose\.isotonic\.\w+\.prior", between(1e-3, 1e3)),
    (r"dose\.isotonic\.\w+\.target", between(1e-2, 0.9)),
    (r"dose\.isotonic\.\w+\.allowed", lambda c: np.array([True, bool(c.pick(0, 1)), False])),
    (r"dose\.three_plus_three\.\w+\.variant", one_of("stop", "confirm")),
    (r"dose\.three_plus_three\.\w+\.toxicity", several(fraction)),
    (r"dose\.stopping\.\w+\.(limit|cutoff)", part),
    (r"dose\.stopping\.\w+\.prior", _beta),
    (r"dose\.stopping\.[\w.]+\.probability", fraction),
    (r"dose\.stopping\.[\w.]+\.looks", rising(whole(1, 40))),
    (r"dose\.stopping\.[\w.]+\.looks\.patients", rising(whole(1, 40))),
    (r"dose\.stopping\.[\w.]+\.boundary\.patients", row(whole(1, 40), 1, 3)),
    (r"dose\.stopping\.[\w.]+\.events", several(whole(0, 5))),
    (r"dose\.stopping\.[\w.]+\.patients", several(whole(5, 40))),
    (r"dose\.feasibility\.\w+\.evaluable", whole(1, 60)),
    (r"dose\.feasibility\.\w+\.success", between(1e-3, 1.0)),
    (r"dose\.feasibility\.[\w.]+\.probability", part),
    (r"dose\.feasibility\.[\w.]+\.apheresed", several(whole(0, 99))),
]

RESULTS = [
    r"dose\.decision_tables\.\w+",
    r"dose\.exact\.ExactCharacteristics",
    r"dose\.stopping\.StoppingCharacteristics",
]

PRODUCERS: dict[str, Callable[[Context], Any] | None] = {
    "trial.dose.decision_tables.TableDesign": _table_design,
    "trial.dose.decision_tables.DecisionRow": None,
    "trial.dose.exact.ExactCharacteristics": lambda c: dose.exact_characteristics(
        _design(c), [0.1, 0.3, 0.5], cohorts=3
    ),
    "trial.dose.stopping.StoppingCharacteristics": None,
}
