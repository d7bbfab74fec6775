r"""The data that the model is calibrated to, and how much each of them weighs.

A Kaplan–Meier curve is printed as a few points with an interval at some of them. The points are
not independent: whoever relapses before month 6 is missing at month 12 as well. So a curve enters
as the shares of patients who relapse *between* its points, a multinomial with an effective number
of patients :math:`n`. Greenwood's formula on the log-minus-log scale, by which such intervals are
usually computed, gives it from one printed interval (low, high) around a value S:

.. math:: \mathrm{se} = \frac{\ln(-\ln \text{low}) - \ln(-\ln \text{high})}{2 \cdot 1.96},
    \qquad n = \frac{1 - S}{S\,(\mathrm{se}\,\ln S)^2}

which is the number of patients who, followed completely, would give that interval. Points without
an interval are given the same :math:`n`: an assumption. Relapses of known kind are counts.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from car_relapse.errors import (
    EvidenceError,
    ParameterError,
    require_count,
    require_fraction,
    require_instance,
    require_non_negative,
    require_positive,
)
from car_relapse.evidence import landmarks_of, relapse_split, trials
from car_relapse.followup import DAYS_PER_MONTH, FollowUp
from car_relapse.parameters import default

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from car_relapse.records import Landmark as LandmarkRow

__all__ = [
    "CalibrationData",
    "Landmark",
    "PhenotypeCounts",
    "RelapseFreeCurve",
    "default_data",
    "default_follow_up",
    "effective_patients",
    "watched",
]

_NORMAL_95 = 1.959963984540054


@dataclass(frozen=True, kw_only=True)
class Landmark:
    """One point of a printed survival curve."""

    month: float
    """Months since remission, > 0."""
    relapse_free: float
    """Share still in remission, dimensionless, in (0, 1)."""

    def __post_init__(self) -> None:
        require_positive("month", self.month, "count months from remission", scalar=True)
        require_fraction("relapse_free", self.relapse_free, "give a share", scalar=True)
        if not 0.0 < self.relapse_free < 1.0:
            raise ParameterError(
                f"relapse_free is {self.relapse_free:g}; a landmark of a curve lies strictly "
                "between 0 and 1; leave the point out"
            )


@dataclass(frozen=True, kw_only=True)
class RelapseFreeCurve:
    """Landmarks of one curve of relapse-free survival."""

    landmarks: tuple[Landmark, ...]
    """Points of the curve, months increasing and shares falling."""
    patients: float
    """Effective number of patients, patients, > 0; see `effective_patients`."""

    def __post_init__(self) -> None:
        require_positive("patients", self.patients, "give an effective number", scalar=True)
        if not isinstance(self.landmarks, tuple | list) or not self.landmarks:
            raise ParameterError(
                f"landmarks is {self.landmarks!r}; a curve is a list of at least one; give one"
            )
        for point in self.landmarks:
            require_instance("landmark", point, Landmark, "give Landmark(...)")
        months = [point.month for point in self.landmarks]
        shares = [point.relapse_free for point in self.landmarks]
        if np.any(np.diff(months) <= 0) or np.any(np.diff(shares) >= 0):
            raise ParameterError(
                f"landmarks are at months {months} with shares {shares}; months must increase "
                "and shares fall; sort them, or merge those that are equal"
            )

    @property
    def months(self) -> tuple[float, ...]:
        """Months of the landmarks."""
        return tuple(point.month for point in self.landmarks)

    @property
    def counts(self) -> NDArray[np.float64]:
        """Effective patients who relapse before each landmark, and who never did."""
        shares = [1.0, *(point.relapse_free for point in self.landmarks), 0.0]
        return -self.patients * np.diff(shares)


@dataclass(frozen=True, kw_only=True)
class PhenotypeCounts:
    """Relapses of one cohort, by what the disease kept of the target."""

    antigen_positive: int
    """Relapses that show the target, patients."""
    antigen_negative: int
    """Relapses that have lost the target, same lineage, patients."""
    lineage_switch: int
    """Relapses in another lineage, patients."""
    follow_up: FollowUp
    """How long the patients were watched; what is not printed is an assumption."""
    infused: int | None = None
    """Patients infused. When given, the share who relapse is fitted as well; when None, only
    the kinds of those who did, which depends far less on follow-up and transplant."""

    def __post_init__(self) -> None:
        for name in ("antigen_positive", "antigen_negative", "lineage_switch"):
            require_count(name, getattr(self, name), "give a number of patients")
        require_instance("follow_up", self.follow_up, FollowUp, "give a FollowUp")
        if self.relapses == 0:
            raise ParameterError(
                "all counts are 0; without relapses there is nothing to fit; give counts"
            )
        if self.infused is not None:
            require_count(
                "infused", self.infused, "at least as many as relapsed", minimum=self.relapses
            )

    @property
    def relapses(self) -> int:
        """Relapses of known kind."""
        # Sums of small numpy integers overflow.
        return int(self.antigen_positive) + int(self.antigen_negative) + int(self.lineage_switch)

    @property
    def counts(self) -> NDArray[np.float64]:
        """Relapses by kind, and the patients without one when `infused` is given."""
        kinds = [self.antigen_positive, self.antigen_negative, self.lineage_switch]
        rest = [] if self.infused is None else [int(self.infused) - self.relapses]
        return np.array(kinds + rest, dtype=float)


@dataclass(frozen=True, kw_only=True)
class CalibrationData:
    """Everything that is fitted jointly."""

    curve: RelapseFreeCurve
    """Relapse-free survival of those in remission."""
    phenotypes: PhenotypeCounts
    """Relapses by kind."""
    response_day: float
    """Day after infusion on which remission is found and the curve starts, days, >= 0.
    Ledger: ``calibrated.response_day``."""

    def __post_init__(self) -> None:
        require_instance("curve", self.curve, RelapseFreeCurve, "give a RelapseFreeCurve")
        require_instance("phenotypes", self.phenotypes, PhenotypeCounts, "give PhenotypeCounts")
        require_non_negative("response_day", self.response_day, "count from infusion", scalar=True)


def effective_patients(value: float, low: float, high: float) -> float:
    """Return the number of completely followed patients who would give this interval.

    Parameters
    ----------
    value, low, high : float
        Survival and its 95 % interval, shares in (0, 1), low < value < high.

    Returns
    -------
    float
        Effective number of patients.

    Raises
    ------
    ParameterError
        When the three do not increase or are no shares strictly between 0 and 1.

    Examples
    --------
    >>> round(effective_patients(0.52, 0.37, 0.66), 1)
    43.6
    """
    shares = [float(require_fraction(n, v, "give a share", scalar=True))
              for n, v in (("low", low), ("value", value), ("high", high))]  # fmt: skip
    if not 0.0 < shares[0] < shares[1] < shares[2] < 1.0:
        raise ParameterError(
            f"low, value and high are {low:g}, {value:g} and {high:g}; they must increase and "
            "lie strictly between 0 and 1; correct the interval"
        )
    a, s, b = shares
    se = (math.log(-math.log(a)) - math.log(-math.log(b))) / (2.0 * _NORMAL_95)
    return (1.0 - s) / (s * (se * math.log(s)) ** 2)


def watched(follow_up: FollowUp, days: ArrayLike) -> NDArray[np.float64]:
    """Return the share of patients still watched on each day, were there no relapse.

    The expectation of what `car_relapse.followup.observe` draws: staggered data cut-off,
    dropout, death and transplant, all independent of the leukaemia.

    Examples
    --------
    >>> plan = FollowUp(shortest=100, longest=300, dropout_rate=0, death_rate=0)
    >>> watched(plan, [50.0, 200.0, 400.0])
    array([1. , 0.5, 0. ])
    """
    require_instance("follow_up", follow_up, FollowUp, "give a car_relapse.FollowUp")
    t = require_non_negative("days", days, "count days from infusion")
    first, last = follow_up.shortest, follow_up.longest
    spread = np.clip((last - t) / (last - first), 0.0, 1.0) if last > first else t <= first
    stays = np.exp(-(follow_up.dropout_rate + follow_up.death_rate) * t)
    plan = follow_up.transplant
    if plan is not None:
        waited = np.maximum(t - plan.first_day, 0.0)
        stays = stays * (1.0 + plan.share * np.expm1(-plan.rate * waited))
    return np.asarray(spread * stays, dtype=float)


def default_follow_up() -> FollowUp:
    """Return the assumed follow-up of the 420 patients, from the ledger.

    Infusions spread evenly over the years before the data cut-off, nobody lost, nobody
    transplanted: the source that was read prints none of it.
    """
    return FollowUp(
        shortest=default("calibrated.shortest_follow_up"),
        longest=default("calibrated.longest_follow_up"),
        dropout_rate=0.0,
        death_rate=0.0,
    )


def _row(trial_key: str, month: float, words: str) -> LandmarkRow:
    rows = [
        row
        for row in landmarks_of(trial_key, "RFS")
        if row.month == month and row.subset.endswith(words)
    ]
    if len(rows) != 1:
        raise EvidenceError(
            f"{trial_key!r} has {len(rows)} values of RFS at month {month:g} for {words!r}; the "
            "calibration needs one; see landmarks_of()"
        )
    return rows[0]


def default_data(
    *, censored: bool = True, infused: bool = False, follow_up: FollowUp | None = None
) -> CalibrationData:
    """Return the data that the book's calibration uses, from the evidence tables.

    Relapse-free survival of ELIANA (6 and 12 months, doi:10.1056/NEJMoa1709866; 36 months,
    doi:10.1200/JCO.22.00642) and the relapse kinds of 420 children and young adults
    (doi:10.1182/bloodadvances.2022007423).

    Parameters
    ----------
    censored : bool, optional
        Take the 36-month value with (True) or without censoring for subsequent therapy. The
        model has no subsequent therapy, so the first is its counterpart.
    infused : bool, optional
        Fit the share of the 420 who relapsed as well.
    follow_up : FollowUp, optional
        Follow-up of the 420; the assumption of the ledger by default.

    Returns
    -------
    CalibrationData

    Examples
    --------
    >>> default_data().phenotypes.counts
    array([83., 68., 12.])
    """
    words = "with censoring for subsequent therapy"
    late = _row("eliana_3y", 36, words if censored else words.replace("with", "without"))
    rows = (
        _row("eliana_primary", 6, "responders"),
        _row("eliana_primary", 12, "responders"),
        late,
    )
    if late.month is None or late.ci_low is None or late.ci_high is None:  # pragma: no cover
        raise EvidenceError("the 36-month landmark lost its interval; restore the row")
    trial = trials()["lamble2023_phenotype"]
    split = relapse_split(trial)
    return CalibrationData(
        curve=RelapseFreeCurve(
            landmarks=tuple(
                Landmark(month=float(row.month or 0), relapse_free=row.value / 100) for row in rows
            ),
            patients=effective_patients(late.value / 100, late.ci_low / 100, late.ci_high / 100),
        ),
        phenotypes=PhenotypeCounts(
            antigen_positive=split.antigen_positive,
            antigen_negative=split.antigen_negative,
            lineage_switch=split.lineage_switch,
            follow_up=default_follow_up() if follow_up is None else follow_up,
            infused=trial.n_infused if infused else None,
        ),
        response_day=default("calibrated.response_day"),
    )


def landmark_days(data: CalibrationData) -> NDArray[np.float64]:
    """Return the days after infusion on which the landmarks of the curve stand."""
    return data.response_day + DAYS_PER_MONTH * np.array(data.curve.months)
