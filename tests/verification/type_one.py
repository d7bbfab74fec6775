"""How often each test of the package rejects where nothing differs, over a grid of null scenarios.

A test of level 5 % should reject in 5 % of the trials in which the hypothesis that it tests is
true. Here the arms have the same hazards, or, for the tests of one cause, the same hazards of that
cause, or, for the tests of its incidence, the same incidence at all times; everything else varies:
how many events there are, how many patients, who is lost, who is allocated where, when relapse is
looked for. A cell of the grid holds its level when the share of rejections is within four Monte
Carlo standard errors of it. What is known not to, for a stated reason, is listed with its measured
level in `type_one_known.csv`, and held to that.
"""

from __future__ import annotations

import csv
import math
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import ndtri

from car_relapse.followup import Cause
from car_relapse.trial.competing_risks import (
    fine_gray,
    hazard_ratios,
    log_rank,
    log_rank_tests,
    one_sample_log_rank,
    risk_sets,
)
from car_relapse.trial.many_to_one import critical_value
from car_relapse.trial.sample_size import Calendar, expected_events, fisher_power
from car_relapse.trial.sequential import Boundaries, lan_demets, obrien_fleming, pocock
from car_relapse.trial.single_arm import ahern, exact_test, simon
from car_relapse.trial.virtual import (
    Analysis,
    Arm,
    Biology,
    Decay,
    Hazard,
    Piecewise,
    TransplantPolicy,
    Trial,
    generate,
    run,
    transplant_ratios,
)
from tests.kept import kept

__all__ = ["KNOWN", "PARTS", "Cell", "as_known", "cells"]

FOLDER = Path(__file__).parent
LEVEL = 0.05
TRIALS = 4000
FITTED = 600  # trials of tests that fit one data set at a time
SEED = 20261127

Floats = NDArray[np.float64]
NEGATIVE, POSITIVE, DEATH = Cause.ANTIGEN_NEGATIVE, Cause.ANTIGEN_POSITIVE, Cause.DEATH
ONE = (NEGATIVE,)
MONTH = 18.0


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One test in one scenario."""

    test: str
    """What is tested, and how."""
    scenario: str
    """Where nothing differs."""
    level: float
    """Level that the test promises."""
    share: float
    """Share of trials that reject; exact where no chance is involved."""
    trials: int | None
    """Virtual trials; None where the share is exact, and the level is a bound."""

    @property
    def error(self) -> float:
        """Monte Carlo standard error of the share, were the level kept; 0 where it is exact."""
        return math.sqrt(self.level * (1 - self.level) / self.trials) if self.trials else 0.0

    @property
    def holds(self) -> bool:
        """Whether the level is kept: within four errors, or, exactly known, not passed."""
        if self.trials is None:
            return self.share <= self.level + 1e-12
        return abs(self.share - self.level) <= 4 * self.error


def biology(negative: float, positive: float, death: float) -> Biology:
    return Biology.from_incidences(
        {NEGATIVE: negative, POSITIVE: positive, DEATH: death}, shape=Decay(8), horizon=24
    )


CONTROL = biology(0.25, 0.20, 0.05)


def same_incidence(control: Biology, factor: float, steps: int = 96) -> Biology:
    """Return hazards with which antigen-negative relapse has the same incidence at all times.

    The hazards of the other causes are multiplied; that of antigen-negative relapse is what is
    then needed in each of many short intervals for the same gain in incidence.
    """
    knots = np.linspace(0.0, 24.0, steps + 1)
    width = np.diff(knots)
    gain = np.diff(control.incidence(knots)[control.causes.index(NEGATIVE)])
    others = {
        h.cause: factor * np.diff(h.cumulative * h.shape.cumulative(knots) / h.shape.cumulative(24))
        for h in control.hazards
        if h.cause is not NEGATIVE
    }
    rest = np.sum(list(others.values()), axis=0)
    own, left = np.empty(steps), 1.0
    for i in range(steps):

        def excess(hazard: float, i: int = i, left: float = left) -> float:
            total = hazard + rest[i]
            return left * hazard / total * -math.expm1(-total) - gain[i]

        own[i] = brentq(excess, 1e-12, 5.0, xtol=1e-15)
        left *= math.exp(-own[i] - rest[i])
    sums = {NEGATIVE: own, **others}
    return Biology(
        hazards=tuple(
            Hazard(
                cause=cause,
                shape=Piecewise(tuple(knots.tolist()), tuple((steps_ / width).tolist())),
                cumulative=float(steps_.sum()),
            )
            for cause, steps_ in sums.items()
        ),
        horizon=24.0,
    )


def trial(first: Biology = CONTROL, second: Biology | None = None, **plan: object) -> Trial:
    shared = {"visits": plan.pop("visits", None)}
    share = plan.pop("allocation", 1.0)
    arms = (
        Arm(name="one", biology=first, **shared),
        Arm(name="two", biology=second or first, allocation=share, **shared),
    )
    return Trial(arms=arms, **({"patients": 200, "follow_up": 24.0} | plan))


#: Arms that are alike.
ALIKE: Mapping[str, Trial] = {
    "200 patients, two years": trial(),
    "60 patients": trial(patients=60),
    "400 patients": trial(patients=400),
    "few events": trial(biology(0.06, 0.05, 0.02)),
    "many events": trial(biology(0.40, 0.35, 0.10)),
    "staggered entry, a fifth lost a year": trial(accrual=24, follow_up=12, lost_per_year=0.2),
    "one to three": trial(allocation=3.0),
    "relapse found at visits": trial(visits=(1.0, 2.0, 3.0, 6.0, 9.0, 12.0, 18.0, 24.0)),
}
_OTHER = {POSITIVE: 3.0, DEATH: 2.0}
#: Arms with the same hazard of escape, and other hazards of the rest.
SAME_HAZARD: Mapping[str, Trial] = {
    "other hazards differ": trial(second=CONTROL.multiplied(_OTHER)),
    "other hazards differ, a fifth lost a year": trial(
        second=CONTROL.multiplied(_OTHER), accrual=12, follow_up=12, lost_per_year=0.2
    ),
}
_TWIN = same_incidence(CONTROL, 2.0)
#: Arms with the same incidence of escape at all times, and other hazards.
SAME_INCIDENCE: Mapping[str, Trial] = {
    "same incidence, other hazards": trial(second=_TWIN),
    "same incidence, other hazards, a fifth lost a year": trial(
        second=_TWIN, accrual=12, follow_up=12, lost_per_year=0.2
    ),
}
_HAZARD_TESTS = {
    "log-rank, one cause": Analysis(kind="log-rank", causes=ONE),
    "Peto and Peto, one cause": Analysis(kind="early log-rank", causes=ONE),
}
_INCIDENCE_TESTS = {
    "Gray": Analysis(kind="gray", causes=ONE),
    "incidence at a month": Analysis(kind="incidence", causes=ONE, month=MONTH),
}
_ANY_TESTS = {
    "log-rank, any event": Analysis(kind="log-rank"),
    "Peto and Peto, any event": Analysis(kind="early log-rank"),
    "event-free at a month": Analysis(kind="incidence", month=MONTH),
    "restricted mean": Analysis(kind="restricted mean", month=MONTH),
    "share of relapses": Analysis(kind="share", causes=ONE),
}


def _seed(name: str) -> int:
    return zlib.crc32(name.encode())


def _simulated(scenario: str, plan: Trial, tests: Mapping[str, Analysis]) -> Iterator[Cell]:
    found = run(plan, tuple(tests.values()), TRIALS, seed=_seed(scenario))
    for name, row in zip(tests, found.table(LEVEL), strict=True):
        yield Cell(test=name, scenario=scenario, level=LEVEL, share=row.rejected, trials=TRIALS)


def _blocks(scenario: str, plan: Trial, count: int) -> Iterator[tuple[Floats, NDArray[np.int8]]]:
    """Yield months and causes of some trials at a time."""
    done = 0
    for block in range(-(-count // plan.block)):
        worlds = generate(
            plan, min(plan.block, count - done), seed=_seed(scenario) + 1, block=block
        )
        done += plan.block
        yield worlds.observed("policy")


def _cox(scenario: str, plan: Trial, causes: Mapping[str, int | None]) -> Iterator[Cell]:
    """Fit Cox's model with the group alone to many trials at once."""
    hits = dict.fromkeys(causes, 0)
    for time, cause in _blocks(scenario, plan, TRIALS):
        data = risk_sets(time, cause, plan.groups)
        for name, of in causes.items():
            hits[name] += int(np.sum(hazard_ratios(data, of=of).p_value < LEVEL))
    for name, count in hits.items():
        yield Cell(test=name, scenario=scenario, level=LEVEL, share=count / TRIALS, trials=TRIALS)


_COX_ANY: Mapping[str, int | None] = {"Cox, any event": None}
_COX_ONE: Mapping[str, int | None] = {"Cox, one cause": int(NEGATIVE)}


def _fitted(
    scenario: str, plan: Trial, tests: Mapping[str, Callable[..., float]]
) -> Iterator[Cell]:
    """Ask tests that take one data set at a time."""
    (time, cause), *_ = _blocks(scenario, plan, FITTED)
    group = plan.groups.astype(float)
    for name, p_value in tests.items():
        hits = sum(p_value(t, c, group) < LEVEL for t, c in zip(time, cause, strict=True))
        yield Cell(test=name, scenario=scenario, level=LEVEL, share=hits / FITTED, trials=FITTED)


def _fine_gray(time: Floats, cause: Floats, group: Floats) -> float:
    return float(fine_gray(time, cause, {"group": group}, of=int(NEGATIVE)).p_value[0])


def _stratified(time: Floats, cause: Floats, group: Floats) -> float:
    strata = np.arange(time.size) % 4
    return float(log_rank(time, cause, group, of=int(NEGATIVE), strata=strata).p_value)


def _known_curve(time: Floats, cause: Floats, _: Floats) -> float:
    hazard = np.sum([h.cumulative for h in CONTROL.hazards])
    reached = hazard * Decay(8).cumulative(time) / Decay(8).cumulative(24)
    return float(one_sample_log_rank(cause, reached).p_value)


def _transplants() -> Iterator[Cell]:
    """Transplant in remission that has no effect, at whatever month it comes."""
    policy = TransplantPolicy(
        share=0.35, first=2, last=6, relapse_ratio=1.0, mortality=0.0, mortality_months=1.0
    )
    arms = tuple(Arm(name=n, biology=CONTROL, transplant=policy) for n in ("one", "two"))
    plan = Trial(arms=arms, patients=200, follow_up=24.0, lost_per_year=0.03)
    scenario = "transplant without effect"
    ways = {
        "landmark at month 6": {"comparison": "landmark", "landmark": 6.0},
        "transplant as time-dependent": {"comparison": "time-dependent"},
        "ever against never transplanted": {"comparison": "ever"},
    }
    hits = dict.fromkeys(ways, 0)
    for block in range(TRIALS // plan.block):
        worlds = generate(plan, seed=_seed(scenario), block=block)
        time, cause = worlds.observed("policy")
        for name, how in ways.items():
            p = transplant_ratios(time, cause > 0, worlds.transplanted(), **how).p_value
            hits[name] += int(np.sum(p < LEVEL))
    for name, count in hits.items():
        yield Cell(test=name, scenario=scenario, level=LEVEL, share=count / TRIALS, trials=TRIALS)


def _many() -> Iterator[Cell]:
    """Several arms against one control: any false claim of benefit, by log-rank tests."""
    for arms, ratio in ((2, 1.0), (4, 1.0), (4, 0.5)):
        control = Arm(name="control", biology=CONTROL)
        others = tuple(Arm(name=f"arm {i}", biology=CONTROL, allocation=ratio) for i in range(arms))
        plan = Trial(arms=(control, *others), patients=100 * (arms + 1), follow_up=24.0)
        scenario = f"{arms} arms of {ratio:g} times the control"
        found = run(plan, (Analysis(kind="log-rank"),), TRIALS, seed=_seed(scenario))
        z = -np.sign(found.estimate[:, 0]) * -ndtri(found.p_value[:, 0] / 2.0)
        claimed = np.any(z >= critical_value(arms, ratio=ratio), axis=0)
        yield Cell(
            test="Dunnett", scenario=scenario, level=0.025, share=float(claimed.mean()),
            trials=TRIALS,
        )  # fmt: skip


_LOOKS: Mapping[str, tuple[float, ...]] = {
    "two equal looks": (0.5, 1.0),
    "three equal looks": (1 / 3, 2 / 3, 1.0),
    "looks at 0.3, 0.7 and 1": (0.3, 0.7, 1.0),
}


def _statistics(plan: Trial, scenario: str, months: Floats) -> Floats:
    """Return log-rank statistics in favour of the second arm at each month, (looks, trials)."""
    total = plan.follow_up + plan.accrual
    found = []
    for block in range(-(-TRIALS // plan.block)):
        worlds = generate(plan, seed=_seed(scenario), block=block)
        looks = []
        for month in months:
            watched = worlds.cut_off - (total - month)
            seen = worlds.time <= watched
            data = risk_sets(
                np.maximum(np.minimum(worlds.time, watched), 0.0),
                np.where(seen, worlds.cause, 0),
                plan.groups,
                included=watched > 0,
            )
            looks.append(-log_rank_tests(data).z)
        found.append(looks)
    return np.concatenate(found, axis=1)[:, :TRIALS]


def _sequential() -> Iterator[Cell]:
    """Look at a growing trial when it has stated parts of its events."""
    plan = trial(patients=300, accrual=24, follow_up=12)
    calendar = Calendar(accrual=24, follow_up=12)
    grid = np.linspace(0.5, 36.0, 143)
    events = expected_events(CONTROL, CONTROL, calendar, grid)
    for scenario, looks in _LOOKS.items():
        months = np.interp(looks, events / events[-1], grid)
        z = _statistics(plan, scenario, months)
        designs: dict[str, Boundaries] = {
            "O'Brien and Fleming": obrien_fleming(looks),
            "Pocock": pocock(looks),
            "Lan and DeMets, late": lan_demets(looks),
            "Lan and DeMets, early": lan_demets(looks, spending="pocock"),
        }
        for name, design in designs.items():
            stopped = np.any(z >= design.efficacy[:, None], axis=0)
            yield Cell(
                test=name, scenario=scenario, level=0.025, share=float(stopped.mean()),
                trials=TRIALS,
            )  # fmt: skip


def _exact() -> Iterator[Cell]:
    """Give tests of counts: their level is a bound, and known exactly."""
    for share, sizes in ((0.25, (100, 100)), (0.05, (100, 100)), (0.25, (20, 60))):
        yield Cell(
            test="Fisher", scenario=f"{share:.0%} of {sizes[0]} and {sizes[1]}", level=LEVEL,
            share=fisher_power(share, share, sizes), trials=None,
        )  # fmt: skip
    for null, better in ((0.2, 0.4), (0.5, 0.7)):
        designs = simon(null, better)
        single = {
            "exact binomial": exact_test(30, null),
            "A'Hern": ahern(null, better),
            "Simon, optimal": designs.optimal,
            "Simon, minimax": designs.minimax,
        }
        for name, design in single.items():
            yield Cell(
                test=name, scenario=f"{null:.0%} respond", level=LEVEL,
                share=float(design.operating(null).success), trials=None,
            )  # fmt: skip


def _of_scenario(name: str) -> Iterator[Cell]:
    if name in ALIKE:
        plan = ALIKE[name]
        yield from _simulated(name, plan, _HAZARD_TESTS | _INCIDENCE_TESTS | _ANY_TESTS)
        yield from _cox(name, plan, {**_COX_ANY, **_COX_ONE})
    elif name in SAME_HAZARD:
        plan = SAME_HAZARD[name]
        yield from _simulated(name, plan, _HAZARD_TESTS)
        yield from _cox(name, plan, _COX_ONE)
    else:
        plan = SAME_INCIDENCE[name]
        yield from _simulated(name, plan, _INCIDENCE_TESTS)


def _one_by_one() -> Iterator[Cell]:
    plain = "200 patients, two years"
    tests = {
        "Fine and Gray": _fine_gray,
        "log-rank, one cause, four strata": _stratified,
    }
    yield from _fitted(plain, ALIKE[plain], tests)
    lost = "same incidence, other hazards, a fifth lost a year"
    yield from _fitted(lost, SAME_INCIDENCE[lost], {"Fine and Gray": _fine_gray})
    for patients in (200, 30):
        plan = replace(ALIKE[plain], patients=patients)
        yield from _fitted(f"a known curve, {patients} patients", plan, {
            "one-sample log-rank": _known_curve,
        })  # fmt: skip


PARTS: Mapping[str, Callable[[], Iterator[Cell]]] = {
    **{
        name: (lambda name=name: _of_scenario(name))
        for name in (*ALIKE, *SAME_HAZARD, *SAME_INCIDENCE)
    },
    "one by one": _one_by_one,
    "transplants": _transplants,
    "many": _many,
    "sequential": _sequential,
    "exact": _exact,
}


def cells(part: str) -> list[Cell]:
    """Return the cells of one part of the grid, computed now or kept from before."""

    def compute() -> dict[str, list[dict[str, object]]]:
        return {"cells": [asdict(cell) for cell in PARTS[part]()]}

    name = f"type-one-{_seed(part):08x}"
    found = kept(name, (FOLDER,), compute, lambda _: True)
    return [Cell(**cell) for cell in found["cells"]]


@dataclass(frozen=True, kw_only=True)
class Known:
    """A cell that is known not to hold its level."""

    test: str
    scenario: str
    measured: float
    """Level measured in many more trials."""
    trials: int
    """How many."""
    reason: str


def _known() -> dict[tuple[str, str], Known]:
    """Read what is known not to hold, by test and scenario."""
    with (FOLDER / "type_one_known.csv").open(encoding="utf-8", newline="") as stream:
        rows = [
            Known(
                test=row["test"],
                scenario=row["scenario"],
                measured=float(row["measured"]),
                trials=int(row["trials"]),
                reason=row["reason"],
            )
            for row in csv.DictReader(stream)
        ]
    return {(row.test, row.scenario): row for row in rows}


KNOWN: Mapping[tuple[str, str], Known] = _known()


def as_known(cell: Cell) -> bool:
    """Return whether a cell does what is known of it: holds its level, or has the measured one.

    Within four standard errors of its own trials and, where there are, of the measurement's.
    """
    row = KNOWN.get((cell.test, cell.scenario))
    if row is None or cell.trials is None:
        return cell.holds
    spread = row.measured * (1.0 - row.measured)
    return abs(cell.share - row.measured) <= 4.0 * math.sqrt(
        spread / cell.trials + spread / row.trials
    )
