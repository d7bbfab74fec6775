"""How the fuzz draws what single arms are asked; `rules` collects it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from car_relapse.trial.single_arm import Looks, simon

from .draws import Context, Draw, fraction, maybe, one_of, part, whole


def _two_rates(c: Context) -> dict[str, Any]:
    null = c.pick(1e-12, 0.05, 0.3, float(c.rng.uniform(1e-6, 0.8)))
    gap = c.pick(0.15, 0.19, float(c.rng.uniform(0.15, 0.199)))
    errors = {"alpha": c.pick(1e-3, 0.05, 0.3), "beta": c.pick(0.05, 0.2, 0.5)}
    return {"null": null, "alternative": null + gap} | {
        name: value for name, value in errors.items() if c.rng.random() < 0.5
    }


def _ahern(c: Context) -> dict[str, Any]:
    return _two_rates(c) | {"stable": bool(c.rng.integers(2))}


def _looks(c: Context) -> dict[str, Any]:
    patients = sorted({int(n) for n in c.rng.integers(1, 60, size=int(c.rng.integers(1, 5)))})
    futile, enough = [], []
    for n in patients:
        low, high = sorted(int(k) for k in c.rng.integers(0, n + 1, size=2))
        futile.append(c.pick(None, low))
        enough.append(c.pick(None, high) if high > low else None)
    final = int(c.rng.integers(1, patients[-1] + 1))
    futile[-1], enough[-1] = final - 1, final
    return {"patients": tuple(patients), "futile": tuple(futile), "enough": tuple(enough)}


def _finished(extra: Callable[[Context], dict[str, Any]]) -> Draw:
    """Draw a two-stage design and one of its outcomes."""

    def draw(c: Context) -> dict[str, Any]:
        n1, more = int(c.rng.integers(1, 30)), int(c.rng.integers(1, 30))
        r1 = int(c.rng.integers(0, n1))
        design = Looks(patients=(n1, n1 + more), futile=(r1, r1 + 1), enough=(None, r1 + 2))
        if c.rng.random() < 0.2:
            design = simon(0.2, 0.4).optimal
        n1, n = design.patients
        r1 = design.futile[0] or 0
        if c.rng.random() < 0.3:
            outcome = {"patients": n1, "responses": int(c.rng.integers(0, r1 + 1))}
        else:
            outcome = {"patients": n, "responses": int(c.rng.integers(r1 + 1, n + 1))}
        return {"design": design} | outcome | extra(c)

    return draw


def _studies(c: Context) -> dict[str, Any]:
    patients = [int(n) for n in c.rng.integers(1, 200, size=int(c.rng.integers(2, 9)))]
    share = fraction(c)
    return {"patients": patients, "responses": [int(c.rng.binomial(n, share)) for n in patients]}


RULES: list[tuple[str, Draw]] = [
    (r"single_arm\.historical\.historical_belief\(\)", _studies),
    (r"single_arm\.(two_stage\.simon|one_stage\.fleming_patients)\(\)", _two_rates),
    (r"single_arm\.one_stage\.ahern\(\)", _ahern),
    (r"single_arm\.looks\.Looks\(\)", _looks),
    (r"single_arm\.inference\.stage_wise_tail\(\)", _finished(lambda c: {"rate": fraction(c)})),
    (
        r"single_arm\.inference\.after_two_stages\(\)",
        _finished(lambda c: {"null": part(c), "level": c.pick(0.9, 0.5, 0.999)}),
    ),
    (r"single_arm\.looks\.Looks\.(operating|exits)\.rate", fraction),
    (r"single_arm\.looks\.Looks\.averaged\.belief", lambda c: (c.pick(0.5, 1e-3, 1e6), 2.0)),
    (r"single_arm\.\w+\.\w+\.prior", lambda c: (c.pick(0.5, 1.0, 300.0), c.pick(0.5, 1e-2, 30.0))),
    (r"single_arm\.\w+\.\w+\.standard", lambda c: c.pick(part(c), 0.75, (30.5, 10.5), (0.5, 0.5))),
    (r"single_arm\.\w+\.\w+\.largest", whole(60, 90)),
    (r"single_arm\.\w+\.\w+\.patients", whole(30, 60)),
    (r"single_arm\.\w+\.\w+\.responses", whole(0, 30)),
    (r"single_arm\.\w+\.\w+\.(first|every)", whole(1, 30)),
    (r"single_arm\.bayes\.posterior_looks\.success", maybe(one_of(0.9, 0.99, 1.0))),
    (r"single_arm\.bayes\.\w+\.(success|enough)", one_of(0.9, 0.99, 1.0 - 2.0**-53)),
    (r"single_arm\.bayes\.\w+\.futility", one_of(0.0, 1e-300, 0.05, 0.5)),
    (r"single_arm\.bayes\.\w+\.gain", one_of(0.0, 0.1, 1.0)),
    (r"single_arm\.\w+\.\w+\.(null|alpha)", one_of(1e-12, 0.05, 0.3, 0.75)),
]

RESULTS = [r"single_arm\.(looks\.Operating|two_stage\.SimonDesigns|inference\.TwoStageResult)"]

PRODUCERS: dict[str, Callable[[Context], Any] | None] = {}
