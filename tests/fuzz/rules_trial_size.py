"""How the fuzz draws what sample sizes, looks, many arms and posteriors are asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from car_relapse.followup import Cause
from car_relapse.trial.posteriors import CausePosterior
from car_relapse.trial.sample_size import Calendar, difference_at, rank_test
from car_relapse.trial.sequential import (
    Boundaries,
    lan_demets,
    pocock,
    wang_tsiatis,
    with_futility,
)
from car_relapse.trial.virtual import Biology, Constant, Decay, Piecewise

from .draws import Context, Draw, between, fraction, one_of, part, row, several, whole

CAUSES = (Cause.ANTIGEN_NEGATIVE, Cause.ANTIGEN_POSITIVE, Cause.DEATH)


def _incidences(c: Context) -> list[float]:
    return [float(c.pick(0.0, 1e-12, 0.05, 0.3, c.rng.random() / 3.1)) for _ in range(3)]


def _two_arms(c: Context) -> dict[str, Any]:
    arms = {"control": _incidences(c), "experimental": _incidences(c)}
    return arms | {"cause": int(c.rng.integers(1, 4)), "share": c.pick(0.5, 0.1, 1e-6)}


def _mixed(c: Context) -> dict[str, Any]:
    by_share = c.rng.random(3) < 0.5
    hazards = [None if s else c.pick(0.0, 1e-12, 0.4, 20.0) for s in by_share]
    shares = [f if s else None for s, f in zip(by_share, _incidences(c), strict=True)]
    return {"hazards": hazards, "incidences": shares}


def _arm(c: Context) -> Biology:
    shape = c.pick(
        Constant(), Decay(0.01), Decay(8), Piecewise(breaks=(0, 3, float("inf")), rates=(0, 1))
    )
    hazards = [c.pick(0.0, 1e-12, 0.35, 30.0) for _ in CAUSES]
    return Biology.from_hazards(dict(zip(CAUSES, hazards, strict=True)), shape=shape, horizon=24)


def _control(c: Context) -> Biology:
    """Draw a control arm whose escape can fall, and whose other causes leave room for it."""
    shares = [c.pick(0.3, 0.11), c.pick(1e-9, 0.1, 0.2), c.pick(1e-9, 0.05)]
    shape = c.pick(Constant(), Decay(0.5), Decay(8))
    return Biology.from_incidences(dict(zip(CAUSES, shares, strict=True)), shape=shape, horizon=24)


def _calendar(c: Context) -> Calendar:
    accrual = c.pick(0.0, 24.0, c.log_uniform(0.1, 1e3))
    follow_up = c.pick(24.0, c.log_uniform(0.1, 1e3))
    return Calendar(accrual=accrual, follow_up=follow_up, loss=c.pick(0.0, 0.003, 3.0))


def _biologies(extra: Callable[[Context, Calendar], dict[str, Any]]) -> Draw:
    def draw(c: Context) -> dict[str, Any]:
        calendar = _calendar(c)
        arms = {"control": _arm(c), "experimental": _arm(c), "calendar": calendar}
        return arms | {"cause": c.pick(None, *CAUSES)} | extra(c, calendar)

    return draw


_rank = _biologies(
    lambda c, _: {
        "scale": c.pick("cause", "subdistribution"),
        "weights": c.pick((0.0, 0.0), (0.0, 1.0), (0.5, 10.0)),
        "share": c.pick(0.5, 0.01),
    }
)
_events = _biologies(
    lambda c, calendar: {"months": [calendar.longest * part for part in (0.01, 0.5, 1.0)]}
)
_apart = _biologies(
    lambda c, calendar: {
        "month": calendar.longest * c.pick(0.01, 0.5, 0.99),
        "measure": c.pick("incidence", "incidence", "restricted mean"),
    }
)


def _times(c: Context) -> tuple[float, ...]:
    inner = c.rng.choice(np.arange(0.01, 1.0, 0.01), size=int(c.rng.integers(0, 4)), replace=False)
    return (*sorted(inner.tolist()), 1.0)


def _boundaries(c: Context) -> Boundaries:
    times = _times(c)
    design = c.pick(
        lambda: wang_tsiatis(times, c.pick(0.0, 0.3, 0.5), alpha=c.pick(1e-9, 0.025, 0.4)),
        lambda: lan_demets(times, alpha=c.pick(1e-6, 0.025)),
        lambda: pocock(3),
    )()
    if c.rng.random() < 0.3:
        return with_futility(design, np.minimum(design.efficacy[:-1], 0.0))
    return design


def _spent(c: Context) -> dict[str, Any]:
    times = _times(c)
    return {"information": times, "spent": sorted(c.rng.random(len(times)) * c.pick(1e-9, 0.4))}


def _futility(c: Context) -> dict[str, Any]:
    design = _boundaries(c)
    bound = c.pick(-np.inf, -3.0, float(np.min(design.efficacy, initial=1.0)))
    return {"boundaries": design, "bounds": [bound] * (len(design.information) - 1)}


def _stopped(c: Context) -> dict[str, Any]:
    design = _boundaries(c)
    look = int(c.rng.integers(1, len(design.information) + 1))
    return {"boundaries": design, "look": look, "z": c.pick(0.0, 2.2, -25.0, 29.0)}


def _under_way(c: Context) -> dict[str, Any]:
    drift = c.pick(None, 0.0, 3.0, -1e4)
    return {"boundaries": pocock(3), "look": c.pick(1, 2), "z": c.pick(0, 2.2, 29)} | (
        {} if drift is None else {"drift": drift}
    )


def _arms(c: Context) -> dict[str, Any]:
    n0, n1 = (int(n) for n in c.rng.integers(0, c.pick(3, 60, 10**6), size=2))
    events = int(c.rng.integers(0, n0 + 1)), int(c.rng.integers(0, n1 + 1))
    return {"events": events, "patients": (n0, n1)}


def _groups(c: Context) -> dict[str, Any]:
    most = c.pick(1, 40, 10**6)
    arms = {
        name: tuple(int(n) for n in c.rng.integers(0, most, size=4))
        for name in ("control", "experimental")
    }
    return arms | {"prior": c.pick(0.1, 0.5, 1.0, 30.0)}


def _platform(c: Context) -> dict[str, Any]:
    arms, periods = (int(n) for n in c.rng.integers(2, 5, size=2))
    patients = c.rng.integers(1, c.pick(2, 60, 10**6), size=(arms, periods))
    patients[1:, 0] *= c.rng.integers(0, 2, size=arms - 1)
    controls = c.pick("adjusted", "concurrent", "all")
    return {"patients": patients, "arm": int(c.rng.integers(1, arms)), "controls": controls}


def _platform_events(c: Context) -> dict[str, Any]:
    drawn = _platform(c)
    return drawn | {"events": c.rng.integers(0, drawn["patients"] + 1)}


_prior = one_of((1.0, 1.0), (0.5, 0.5), (0.1, 40.0), (1e4, 1e4))
_ratio = between(1e-3, 1e3, 1.0)

RULES: list[tuple[str, Draw]] = [
    (r"sample_size\.biologies\.compare_arms\(\)", _two_arms),
    (r"sample_size\.biologies\.dual_biologies\.control", _control),
    (r"sample_size\.\w+\.\w+\.escape", between(1e-6, 0.105, 0.0)),
    (r"sample_size\.common_shape\.mixed_hazards\(\)", _mixed),
    (r"sample_size\.common_shape\.cumulative_hazards\.incidences", _incidences),
    (
        r"sample_size\.common_shape\.cumulative_incidences\.hazards",
        row(one_of(0.0, 1e-12, 0.4, 1e3)),
    ),
    (r"sample_size\.score\.rank_test\(\)", _rank),
    (r"sample_size\.score\.expected_events\(\)", _events),
    (r"sample_size\.difference\.difference_at\(\)", _apart),
    (r"sample_size\.\w+\.\w+\.calendar", _calendar),
    (r"sample_size\.calendar\.Calendar\.watched\.months", several(between(1e-3, 1e4, 0.0))),
    (r"sample_size\.calendar\.Calendar\.loss", between(1e-6, 10.0, 0.0)),
    (r"sample_size\.calendar\.Calendar\.\w+", between(1e-3, 1e4)),
    (r"sample_size\.calendar\.constant_rate\.share", part),
    (r"sample_size\.calendar\.constant_rate\.months", between(1e-3, 1e4)),
    (r"sample_size\.calendar\.\w+\.other_rate", between(1e-6, 10.0, 0.0)),
    (r"sample_size\.calendar\.\w+\.rate", between(1e-9, 10.0)),
    (r"sample_size\.calendar\.\w+\.method", one_of("schoenfeld", "freedman")),
    (r"sample_size\.\w+\.\w+\.hazard_ratio", between(1e-6, 1e6, 0.5, 1.0)),
    (r"sample_size\.\w+\.\w+\.events", between(1e-3, 1e9, 0.0)),
    (
        r"sample_size\.proportions\.fisher_test\.table",
        lambda c: c.rng.integers(0, c.pick(2, 30, 10**6), size=(2, 2)).tolist(),
    ),
    (r"sample_size\.proportions\.fisher_power\.patients", one_of((1, 1), (40, 3), (60, 60))),
    (r"sample_size\.proportions\.fisher_size\.control", one_of(0.5, 0.9, 1.0)),
    (r"sample_size\.proportions\.fisher_size\.experimental", one_of(0.0, 0.1)),
    (r"sample_size\.proportions\.fisher_size\.largest", whole(60, 100)),
    (r"sample_size\.proportions\.\w+\.(control|experimental)", fraction),
    (r"sample_size\.\w+\.\w+(\.\w+)?\.patients", whole(1, 10**6)),
    (r"sample_size\.\w+\.\w+(\.\w+)?\.share", one_of(0.5, 0.01, 1.0 - 1e-9)),
    (r"sample_size\.\w+\.\w+(\.\w+)?\.alpha", one_of(0.05, 1e-9, 0.3)),
    (r"sample_size\.\w+\.\w+(\.\w+)?\.power", one_of(0.8, 0.3, 1.0 - 1e-9)),
    (r"sequential\.spending\.spent_boundaries\(\)", _spent),
    (r"sequential\.spending\.with_futility\(\)", _futility),
    (r"sequential\.inference\.after_stop\(\)", _stopped),
    (r"sequential\.inference\.conditional_power\(\)", _under_way),
    (r"sequential\.\w+\.\w+\.looks", one_of(1, 3, 12, (0.02, 1.0), (0.3, 0.301, 1.0))),
    (r"sequential\.\w+\.\w+\.delta", between(1e-6, 0.5, 0.0)),
    (r"sequential\.\w+\.\w+\.alpha", one_of(0.025, 1e-9, 0.4)),
    (r"sequential\.\w+\.\w+\.spending", one_of("obrien-fleming", "pocock")),
    (r"sequential\.\w+\.\w+(\.\w+)?\.drift", one_of(0.0, 2.8, -5.0, 40.0, 1e4)),
    (r"sequential\.\w+\.\w+(\.\w+)?\.power", one_of(0.8, 0.5, 0.99)),
    (r"many_to_one\.\w+\.arms", whole(1, 6)),
    (r"many_to_one\.\w+\.alpha", one_of(0.025, 1e-9, 0.4)),
    (r"many_to_one\.\w+\.ratio", _ratio),
    (r"many_to_one\.\w+\.z", row(one_of(-38.0, 0.0, 2.1, 2.3, 38.0))),
    (r"many_to_one\.\w+\.drifts", row(one_of(-1e3, 0.0, 2.8, 1e3))),
    (r"many_to_one\.\w+\.power_wanted", one_of(0.8, 0.5, 1.0 - 1e-9)),
    (r"many_to_one\.\w+\.kind", one_of("any", "each")),
    (r"shared_control\.control_weights\(\)", _platform),
    (r"shared_control\.compare_with_control\(\)", _platform_events),
    (r"posteriors\.probability_lower\(\)", _arms),
    (r"posteriors\.success_rate\.(control|experimental|threshold)", fraction),
    (r"posteriors\.success_rate\.patients", one_of((1, 1), (30, 2), (100, 100))),
    (r"posteriors\.\w+\.prior_\w+", _prior),
    (r"posteriors\.CausePosterior\(\)", _groups),
    (r"posteriors\.CausePosterior\.lower_without_harm\.causes", one_of([1])),
    (r"posteriors\.CausePosterior\.\w+\.(causes|others)", one_of([2], [3, 2])),
    (r"posteriors\.CausePosterior\.\w+\.level", part),
    (r"posteriors\.CausePosterior\.\w+\.margin", fraction),
    (r"posteriors\.CausePosterior\.\w+\.draws", whole(100, 500)),
]

RESULTS = [
    r"sample_size\.(biologies\.(Comparison|DualBiology)|calendar\.Size|proportions\.Proportions"
    r"|score\.RankTest|difference\.Difference)",
    r"sequential\.(boundaries\.(Boundaries|Stops)|inference\.AfterStop)",
    r"many_to_one\.ManyPower",
    r"shared_control\.ControlDifference",
]

PRODUCERS: dict[str, Callable[[Context], Any] | None] = {
    "trial.sample_size.score.RankTest": lambda c: rank_test(**_rank(c)),
    "trial.sample_size.difference.Difference": lambda c: difference_at(**_apart(c)),
    "trial.sequential.boundaries.Boundaries": _boundaries,
    "trial.posteriors.CausePosterior": lambda c: CausePosterior(**_groups(c)),
}
