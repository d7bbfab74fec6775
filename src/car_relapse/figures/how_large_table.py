"""Every endpoint weighed under every story of a second antigen: the table of the notebook.

The control arm and the hopes are the ledger's (``trial.*``). For each story there are the textbook
sizes, the size for any hazards with the losses of the trial, the size by simulation, and the power
of one number of patients, simulated.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Literal

from car_relapse.design.plan import harm
from car_relapse.figures.style import CURED, INK, NEGATIVE, POSITIVE
from car_relapse.followup import Cause
from car_relapse.parameters import default
from car_relapse.trial.sample_size import (
    Calendar,
    Comparison,
    DualBiology,
    compare_arms,
    constant_rate,
    difference_at,
    dual_biologies,
    freedman_events,
    rank_test,
)
from car_relapse.trial.virtual import (
    Analysis,
    Arm,
    Biology,
    Decay,
    Shape,
    Trial,
    run,
    sample_size,
)

Scale = Literal["cause", "subdistribution"]

__all__ = [
    "COLOURS",
    "ENDPOINTS",
    "FORMULAS",
    "MONTHS",
    "SEED",
    "Weighed",
    "control_arm",
    "dual_trial",
    "endpoint_table",
    "sizes_by_formula",
]

MONTHS = 24.0
SEED = 20261127

_NEGATIVE = Cause.ANTIGEN_NEGATIVE
#: The analyses that are weighed, by the name that tables and figures call them.
ENDPOINTS: Mapping[str, Analysis] = {
    "escape hazard": Analysis(kind="log-rank", causes=(_NEGATIVE,)),
    "Gray": Analysis(kind="gray", causes=(_NEGATIVE,)),
    "escape at 24": Analysis(kind="incidence", causes=(_NEGATIVE,), month=MONTHS),
    "EFS": Analysis(kind="log-rank"),
    "RMST": Analysis(kind="restricted mean", month=MONTHS),
    "share": Analysis(kind="share", causes=(_NEGATIVE,)),
}
#: Those with a formula.
FORMULAS = ("escape hazard", "Gray", "escape at 24", "EFS", "RMST")
COLOURS: Mapping[str, str] = {
    "escape hazard": NEGATIVE,
    "Gray": INK,
    "EFS": CURED,
    "share": POSITIVE,
}


@dataclass(frozen=True, kw_only=True)
class Weighed:
    """What each endpoint needs, and finds, if one story is true. Patients are of both arms."""

    story: DualBiology
    """The story."""
    compared: Comparison
    """Incidences, hazard ratios and textbook sizes."""
    formula: Mapping[str, float]
    """Patients by Schoenfeld, Latouche (Gray) or two proportions, by endpoint; infinite where
    nothing differs."""
    freedman: Mapping[str, float]
    """Patients by Freedman's events, for the log-rank tests."""
    any_hazards: Mapping[str, float]
    """Patients by the formula for any hazards, with losses."""
    simulated: Mapping[str, tuple[float, float]]
    """Patients by simulation and their standard error, where they were searched for."""
    power: Mapping[str, tuple[float, float]]
    """Share of virtual trials that reject at the 5 % level, and its standard error."""
    harm: Mapping[str, float]
    """Share of virtual trials that reject because the dual arm has more events, or less time."""


def control_arm(shape: Shape | Mapping[Cause, Shape] | None = None) -> Biology:
    """Return the arm with one target that the ledger plans with.

    Parameters
    ----------
    shape : Shape or mapping of Cause to Shape, optional
        How hazards are spread over time; by default they decay as the ledger says.
    """
    return Biology.from_incidences(
        {
            _NEGATIVE: default("trial.escape"),
            Cause.ANTIGEN_POSITIVE: default("trial.positive"),
            Cause.DEATH: default("trial.death"),
        },
        shape=Decay(default("trial.decay")) if shape is None else shape,
        horizon=MONTHS,
    )


def dual_trial(
    story: str | Biology = "S1",
    *,
    patients: int = 200,
    untested: float = 0.0,
    shape: Shape | Mapping[Cause, Shape] | None = None,
) -> Trial:
    """Return a trial of one target against two in which one story is true.

    Everybody is followed for two years, but for those who are lost.

    Parameters
    ----------
    story : str or Biology, optional
        ``S0`` to ``S7``, or the hazards of the arm with two targets.
    patients : int, optional
        Patients in both arms, all of whom respond.
    untested : float, optional
        Share of relapses whose antigens nobody tests, in [0, 1].
    shape : Shape or mapping of Cause to Shape, optional
        As in `control_arm`.
    """
    control = control_arm(shape)
    if isinstance(story, str):
        stories = dual_biologies(control, escape=default("trial.escape_dual"))
        story = {s.key: s.experimental for s in stories}[story]
    arms = (
        Arm(name="one target", biology=control, untested=untested),
        Arm(name="two targets", biology=story, untested=untested),
    )
    return Trial(
        arms=arms, patients=patients, follow_up=MONTHS, lost_per_year=default("trial.lost")
    )


def sizes_by_formula(
    control: Biology, dual: Biology, names: tuple[str, ...] = FORMULAS, *, power: float = 0.8
) -> dict[str, float]:
    """Return the patients that endpoints need by the formula for any hazards, with losses.

    Parameters
    ----------
    control, dual : Biology
        Hazards of the arms.
    names : tuple of str, optional
        Names of `ENDPOINTS`; the share of relapses has no formula.
    power : float, optional
        Power wanted at the two-sided level of 5 %.
    """
    plan = Calendar(accrual=0.0, follow_up=MONTHS, loss=constant_rate(default("trial.lost"), 12.0))
    arms = (control, dual, plan)

    def patients(name: str) -> float:
        if name == "escape at 24":
            return difference_at(*arms, MONTHS, cause=_NEGATIVE).patients(power=power)
        if name == "RMST":
            return difference_at(*arms, MONTHS, measure="restricted mean").patients(power=power)
        cause = None if name == "EFS" else _NEGATIVE
        scale: Scale = "subdistribution" if name == "Gray" else "cause"
        return rank_test(*arms, cause=cause, scale=scale).patients(power=power)

    return {name: patients(name) for name in names}


def _freedman(ratio: float, events: float) -> float:
    return math.inf if ratio == 1.0 else freedman_events(ratio) / events


@cache
def endpoint_table(
    *,
    patients: int = 200,
    replicates: int = 1000,
    search: tuple[str, ...] = ("escape hazard", "EFS"),
    largest: int = 600,
    seed: int = SEED,
) -> tuple[Weighed, ...]:
    """Return every endpoint weighed under every story, S0 to S7.

    All stories have the same random numbers.

    Parameters
    ----------
    patients : int, optional
        Patients in both arms of the trials whose power is simulated.
    replicates : int, optional
        Virtual trials of each story, and of each size in a search.
    search : tuple of str, optional
        Names of `ENDPOINTS` whose size is found by simulation, too.
    largest : int, optional
        Patients beyond which, by formula, no size is searched for.
    seed : int, optional
        Seed.
    """
    control = control_arm()
    rows = []
    for story in dual_biologies(control, escape=default("trial.escape_dual")):
        trial = dual_trial(story.experimental, patients=patients)
        compared = compare_arms(
            control.incidence(MONTHS), story.experimental.incidence(MONTHS), cause=1
        )
        mean = (compared.control + compared.experimental) / 2.0
        needed = sizes_by_formula(control, story.experimental)
        found = run(trial, tuple(ENDPOINTS.values()), replicates, seed=seed).table()
        named = dict(zip(ENDPOINTS, found, strict=True))
        sizes = {
            name: sample_size(
                dual_trial(story.experimental, patients=2 * math.ceil(needed[name] / 2.0)),
                ENDPOINTS[name],
                replicates=replicates,
                seed=seed,
            )
            for name in search
            if needed[name] <= largest
        }
        rows.append(
            Weighed(
                story=story,
                compared=compared,
                formula={
                    "escape hazard": compared.patients_cause or math.nan,
                    "Gray": compared.patients_gray or math.nan,
                    "escape at 24": compared.patients_incidence,
                    "EFS": compared.patients_event_free or math.nan,
                },
                freedman={
                    "escape hazard": _freedman(float(compared.hazard_ratios[0]), float(mean[0])),
                    "EFS": _freedman(compared.event_free_ratio, float(mean.sum())),
                },
                any_hazards=needed,
                simulated={name: (s.exact, s.std_error) for name, s in sizes.items()},
                power={name: (p.rejected, p.rejected_error) for name, p in named.items()},
                harm={name: harm(p, ENDPOINTS[name]) for name, p in named.items()},
            )
        )
    return tuple(rows)
