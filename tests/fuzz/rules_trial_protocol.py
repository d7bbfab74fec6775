"""How the fuzz draws protocols and what they are made from; `rules` collects it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from car_relapse import design, protocol
from car_relapse.trial.dose import BOIN, MTPI2, I3Plus3, ToxicityStopping

from .draws import Context, Draw, one_of


@cache
def _plan() -> Any:
    text = design.example_text("randomised").replace("trials: 1000", "trials: 100")
    return design.plan_trial(design.parse_trial(text))


@cache
def _document() -> Any:
    return protocol.draft(_plan())


def _choices(c: Context) -> dict[str, Any]:
    levels = int(c.rng.integers(1, 5))
    return {
        "dose": c.pick(BOIN(target=0.3), MTPI2(target=0.2), I3Plus3(target=0.25)),
        "toxicity": tuple(float(x) for x in c.rng.random(levels)),
        "cohorts": int(c.rng.integers(1, 7)),
        "cohort_size": int(c.pick(1, 3)),
        "window_days": int(c.pick(1, 28, 3650)),
        "stopping": ToxicityStopping(limit=float(c.pick(0.01, 0.3, 0.9))),
        "stopping_looks": c.pick((1,), (10, 20), (5, 100)),
        "made": float(c.pick(0.1, 0.8, 1.0)),
        "made_sure": float(c.pick(0.01, 0.5, 0.99)),
        "looks": c.pick((1.0,), (0.5, 1.0), (0.1, 0.2, 1.0)),
        "spending": c.pick("obrien-fleming", "pocock"),
        "margin": float(c.pick(1.001, 1.5, 100.0)),
    }


_A = r"protocol\.\w+\."

RULES: list[tuple[str, Draw]] = [
    (_A + r"Choices\(\)", _choices),
    (_A + r"draft\.plan", lambda c: _plan()),
    (_A + r"draft\.choices", lambda c: c.pick(None, protocol.Choices(**_choices(c)))),
    (
        r"protocol\.[\w.]+\.answers",
        one_of({}, {"sponsor": "A hospital"}, {"nobody": "x"}, {"sponsor": ""}),
    ),
    (_A + r"\w+\.document", lambda c: _document()),
    (_A + r"part\.title", one_of("Estimands", "Looks", "", "x")),
    (_A + r"downloads\.name", one_of("mine", "my-protocol", "a_b", "a/b")),
]

RESULTS = [r"protocol\.(document\.(Document|Blank)|showing\.(Part|Downloads))"]

PRODUCERS: dict[str, Callable[[Context], Any] | None] = {
    "protocol.document.Document": lambda c: _document(),
    "protocol.document.Blank": lambda c: _document().blanks[0],
    "protocol.showing.Part": lambda c: protocol.part(_document(), "Estimands"),
    "protocol.showing.Downloads": lambda c: protocol.downloads(_document(), "mine"),
}
