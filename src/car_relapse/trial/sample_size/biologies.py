r"""One drop in antigen-negative relapse, and what each endpoint needs to show it.

That a second antigen lowers antigen-negative relapse from 25 % to 10 % says nothing about the
other causes: relapses that are prevented may come back as antigen-positive ones, or
antigen-positive relapse may fall, too. Each such biology is a pair of cumulative incidences per
cause, and each asks another number of patients of each endpoint. With hazards of one common shape
these numbers have a closed form (see `cumulative_hazards`):

- the log-rank test of the cause-specific hazard needs Schoenfeld's events at
  :math:`\theta = A_{1E}/A_{1C}`, and so does that of event-free survival at
  :math:`\theta = A_E/A_C`;
- Gray's test needs as many at the subdistribution hazard ratio
  :math:`\theta = \ln(1-F_{1E})/\ln(1-F_{1C})` (Latouche and Porcher, hal-00116989);
- two proportions are compared at the horizon as in `two_proportions`.

Events become patients by the share of patients who have one within the horizon. Nobody is lost
here, and all are followed to the horizon.

`dual_biologies` lists eight such biologies for a control arm.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from car_relapse.errors import ParameterError, require_count, require_fraction
from car_relapse.followup import Cause
from car_relapse.trial.sample_size.common_shape import cumulative_hazards
from car_relapse.trial.sample_size.events import allocation, schoenfeld_events
from car_relapse.trial.sample_size.proportions import two_proportions
from car_relapse.trial.virtual.biology import Biology, checked_biology

__all__ = ["Comparison", "DualBiology", "compare_arms", "dual_biologies"]

Floats = NDArray[np.float64]

_NEGATIVE, _POSITIVE, _DEATH = Cause.ANTIGEN_NEGATIVE, Cause.ANTIGEN_POSITIVE, Cause.DEATH
# What the stories assume, as factors: of the incidence of antigen-positive relapse where both
# relapses fall, and where persistence suffers; of the incidence of death where the product is
# toxic; of the hazard of antigen-positive relapse in the mirage.
_SYNERGY, _PERSISTENCE_COST, _TOXICITY, _MIRAGE = 0.6, 2.1, 2.4, 2.5


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Two arms with hazards of one shape, and the patients that each endpoint needs."""

    cause: int
    """The cause of interest, counted from 1."""
    control: Floats
    """Cumulative incidence of each cause at the horizon in the control arm."""
    experimental: Floats
    """The same in the experimental arm."""
    hazards_control: Floats
    """Cumulative hazard of each cause at the horizon in the control arm."""
    hazards_experimental: Floats
    """The same in the experimental arm."""
    hazard_ratios: Floats
    """Cause-specific hazard ratio of each cause; infinite where only the experimental arm has such
    events, 1 where neither has."""
    subdistribution_ratios: Floats
    """Ratio of the subdistribution hazards of each cause over the whole time to the horizon;
    infinite and 1 as above."""
    event_free_ratio: float
    """Hazard ratio of any event; infinite and 1 as above."""
    patients_cause: float | None
    """Patients in both arms for the log-rank test of the cause-specific hazard. Infinite where the
    arms do not differ; None where one arm has no such event, which no hazard ratio describes."""
    patients_gray: float | None
    """Patients for Gray's test; infinite and None as above."""
    patients_incidence: float
    """Patients for the comparison of the incidences at the horizon as proportions; infinite where
    they are equal."""
    patients_event_free: float | None
    """Patients for the log-rank test of event-free survival; infinite and None as above."""


def _ratio(above: ArrayLike, below: ArrayLike) -> Floats:
    top, bottom = np.asarray(above, dtype=float), np.asarray(below, dtype=float)
    without = np.where(top > 0, np.inf, 1.0)
    with np.errstate(over="ignore"):
        ratio = np.divide(top, bottom, out=without, where=bottom > 0)
    # What is equal in truth may differ by roundings, and no trial could tell.
    return np.where(np.abs(ratio - 1.0) < 1e-9, 1.0, ratio)


def _patients(ratio: float, events_per_patient: float, **design: float) -> float | None:
    if ratio == 1.0:
        return math.inf
    if not 1e-300 < ratio < math.inf:
        return None
    return schoenfeld_events(ratio, **design) / events_per_patient


def compare_arms(
    control: ArrayLike,
    experimental: ArrayLike,
    *,
    cause: int = 1,
    alpha: float = 0.05,
    power: float = 0.8,
    share: float = 0.5,
) -> Comparison:
    """Return hazard ratios and sample sizes that follow from the incidences in both arms.

    Parameters
    ----------
    control, experimental : array_like
        Cumulative incidence of each cause at the horizon, shape (causes,); together below 1.
    cause : int, optional
        The cause of interest, counted from 1.
    alpha : float, optional
        Two-sided level.
    power : float, optional
        Power wanted.
    share : float, optional
        Share of patients in the experimental arm.

    Returns
    -------
    Comparison
        Numbers of patients are not rounded; infinite where the arms do not differ in that
        endpoint, None where one of them has no such event.

    Raises
    ------
    ParameterError
        When incidences are out of range or of different length, or the cause is not one of them.

    Examples
    --------
    All escape that is prevented comes back as antigen-positive relapse: each endpoint on escape
    finds it, and patients gain nothing.

    >>> swap = compare_arms([0.25, 0.20, 0.05], [0.10, 0.35, 0.05])
    >>> round(swap.patients_cause), round(swap.patients_gray), swap.patients_event_free
    (214, 178, inf)
    """
    first, second = cumulative_hazards(control), cumulative_hazards(experimental)
    if first.shape != second.shape:
        raise ParameterError(
            f"control has {first.size} causes and experimental has {second.size}; both arms have "
            "the same causes; give 0 for a cause that does not occur"
        )
    number = require_count("cause", cause, "count the causes from 1", minimum=1, maximum=first.size)
    part = allocation(share)
    design = {"alpha": alpha, "power": power, "share": part}
    before, after = np.asarray(control, dtype=float), np.asarray(experimental, dtype=float)
    column = number - 1
    ratios = _ratio(second, first)
    sub_ratios = _ratio(-np.log1p(-after), -np.log1p(-before))
    any_ratio = float(_ratio(second.sum(), first.sum()))
    mean = (1.0 - part) * before + part * after
    return Comparison(
        cause=number,
        control=before,
        experimental=after,
        hazards_control=first,
        hazards_experimental=second,
        hazard_ratios=ratios,
        subdistribution_ratios=sub_ratios,
        event_free_ratio=any_ratio,
        patients_cause=_patients(float(ratios[column]), float(mean[column]), **design),
        patients_gray=_patients(float(sub_ratios[column]), float(mean[column]), **design),
        patients_incidence=two_proportions(
            float(before[column]), float(after[column]), **design
        ).patients,
        patients_event_free=_patients(any_ratio, float(mean.sum()), **design),
    )


@dataclass(frozen=True, kw_only=True)
class DualBiology:
    """One story of what a second antigen does."""

    key: str
    """``S0`` to ``S7``."""
    name: str
    """The story in a few words."""
    experimental: Biology
    """Hazards of the arm with two antigens."""


def dual_biologies(control: Biology, *, escape: float = 0.10) -> tuple[DualBiology, ...]:
    """Return eight stories of what a second antigen does to the patients of a control arm.

    In S1 to S6 antigen-negative relapse falls to the same incidence. What is left to the other
    causes is assumed, and differs: their hazards stay (S1, and S6 but for deaths), or they take a
    stated share of the patients (S2 to S5). In S7 the second antigen does nothing for escape and
    makes antigen-positive relapse more frequent.

    Parameters
    ----------
    control : Biology
        The arm with one antigen; its causes include antigen-negative and antigen-positive relapse
        and death.
    escape : float, optional
        Incidence of antigen-negative relapse by the horizon with two antigens, below that of the
        control arm.

    Returns
    -------
    tuple of DualBiology
        From S0, where nothing differs, to S7.

    Raises
    ------
    ParameterError
        When the control arm lacks a cause, `escape` is no drop, or a story would take more
        patients than there are.

    Examples
    --------
    >>> from car_relapse.trial.virtual import Decay
    >>> one = Biology.from_incidences(
    ...     {Cause.ANTIGEN_NEGATIVE: 0.25, Cause.ANTIGEN_POSITIVE: 0.20, Cause.DEATH: 0.05},
    ...     shape=Decay(8), horizon=24,
    ... )
    >>> for story in dual_biologies(one):
    ...     print(story.key, story.experimental.incidence(24).round(3).tolist())
    S0 [0.25, 0.2, 0.05]
    S1 [0.1, 0.221, 0.055]
    S2 [0.1, 0.35, 0.05]
    S3 [0.1, 0.275, 0.05]
    S4 [0.1, 0.12, 0.05]
    S5 [0.1, 0.42, 0.05]
    S6 [0.1, 0.212, 0.12]
    S7 [0.209, 0.419, 0.042]
    """
    checked_biology("control", control)
    missing = [c.name for c in (_NEGATIVE, _POSITIVE, _DEATH) if c not in control.causes]
    if missing:
        raise ParameterError(
            f"control has no {missing[0]}; the stories are of antigen-negative and "
            "antigen-positive relapse and of death; give a hazard for each of the three"
        )
    shares = dict(zip(control.causes, control.incidence(control.horizon).tolist(), strict=True))
    left = float(require_fraction("escape", escape, "give the share of patients", scalar=True))
    before, positive, death = shares[_NEGATIVE], shares[_POSITIVE], shares[_DEATH]
    if left >= before:
        raise ParameterError(
            f"escape is {left:g} and the control arm has {before:g}; a second antigen lowers it in "
            "these stories; give less"
        )
    fewer = before - left

    def taken(positives: float) -> Biology:
        return control.reaching({_NEGATIVE: left, _POSITIVE: positives, _DEATH: death})

    stories = (
        ("null", control),
        ("escape blocked", control.reaching({_NEGATIVE: left})),
        ("full replacement", taken(positive + fewer)),
        ("half replacement", taken(positive + fewer / 2.0)),
        ("synergy", taken(_SYNERGY * positive)),
        ("persistence cost", taken(_PERSISTENCE_COST * positive)),
        (
            "toxicity cost",
            control.reaching({_NEGATIVE: left, _DEATH: _TOXICITY * death}),
        ),
        ("mirage", control.multiplied({_POSITIVE: _MIRAGE})),
    )
    return tuple(
        DualBiology(key=f"S{number}", name=name, experimental=biology)
        for number, (name, biology) in enumerate(stories)
    )
