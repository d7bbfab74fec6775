"""Predict cohorts that were not fitted, and put the prediction beside what was seen.

The calibrated population is one population: children and young adults with high burden, given
tisagenlecleucel, never transplanted. Every cohort below differs from it in some way that its
note names, so a disagreement can be the fault of either. Two uncertainties are given for every
prediction: that of the numerical average (standard error over independent scramblings of the
quasi-random patients) and that of the fitted parameters (the delta method on their covariance).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from car_relapse.calibration_data import default_follow_up, watched
from car_relapse.calibration_law import expected_relapses
from car_relapse.calibration_model import FITTED, Model, calibrated_values
from car_relapse.calibration_points import Points, points
from car_relapse.errors import ParameterError, require_count, require_instance
from car_relapse.evidence import landmarks_of, trials
from car_relapse.exposure import stein_population
from car_relapse.followup import DAYS_PER_MONTH
from car_relapse.outcomes import default_detection
from car_relapse.parameters import default
from car_relapse.proportions import exact_interval

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from car_relapse.records import Landmark as LandmarkRow

__all__ = ["Prediction", "predict"]

# Step of the differences, in logs.
_STEP = 0.05
# What is left of the loss of one antigen when another still shows the cell to the product.
_NEGLIGIBLE = 1e-6
_MONTHS = np.unique([*np.arange(0.5, 12.5, 0.5), *range(13, 25), *range(26, 61, 2)])


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """One published number beside the model's."""

    cohort: str
    """Key of the cohort in the evidence tables."""
    endpoint: str
    """What was counted, in words."""
    observed: float
    """Published value; a share, or months."""
    low: float | None
    """Lower end of the 95 % interval of the observation; None without one."""
    high: float | None
    """Upper end; None without one, or when the source did not reach it."""
    interval: str
    """``printed`` by the source, or ``binomial``: exact, from the counts."""
    predicted: float
    """The model's value, in the same unit."""
    numerical_se: float
    """Standard error of the numerical average."""
    parameter_se: float
    """Standard error from the uncertainty of the fitted parameters; nan when not given one."""
    fitted: bool
    """Whether the number was used in the fit."""
    doi: str
    """Source of the observation."""
    verification: str
    """How the source was read."""
    note: str
    """In what the cohort differs from the population that the model describes."""

    @property
    def inside(self) -> bool | None:
        """Whether the prediction lies in the interval of the observation; None without one."""
        if self.low is None:
            return None
        return self.low <= self.predicted and (self.high is None or self.predicted <= self.high)


@dataclass(frozen=True, kw_only=True)
class _Course:
    """Expected course of one population, by month since remission was found."""

    remission: float
    free: NDArray[np.float64]
    positive: NDArray[np.float64]
    escaped: NDArray[np.float64]
    day: NDArray[np.float64]

    def at(self, month: float, curve: NDArray[np.float64], start: float = 0.0) -> float:
        day = default("calibrated.response_day") + DAYS_PER_MONTH * month
        known = np.concatenate([[0.0], self.day])
        return float(np.interp(day, known, np.concatenate([[start], curve])))

    def rfs(self, month: float) -> float:
        """Share of those in remission on the response day who are so later."""
        return self.at(month, self.free, self.remission) / self.at(0.0, self.free, self.remission)

    def efs(self, month: float) -> float:
        """Share of all infused who are in remission, by month since infusion."""
        day = DAYS_PER_MONTH * month
        return float(np.interp(day, [0.0, *self.day], [self.remission, *self.free]))

    def median_efs(self) -> float:
        """Months since infusion until half of all infused are out of remission; 60 if later."""
        over = np.flatnonzero(self.free < 0.5)
        if over.size == 0:
            return float(_MONTHS[-1])
        i = int(over[0])
        left = (0.0, self.remission) if i == 0 else (self.day[i - 1], self.free[i - 1])
        if left[1] <= 0.5:
            return 0.0
        share = (left[1] - 0.5) / (left[1] - self.free[i])
        return float(left[0] + share * (self.day[i] - left[0])) / DAYS_PER_MONTH

    def kinds(self) -> tuple[float, float]:
        """Shares of infused seen to relapse with and without the target in the follow-up."""
        share = watched(default_follow_up(), np.concatenate([[0.0], self.day]))
        share = 0.5 * (share[1:] + share[:-1])
        return (
            float(share @ np.diff(self.positive, prepend=0.0)),
            float(share @ np.diff(self.escaped, prepend=0.0)),
        )


def _scenarios(model: Model) -> dict[str, Model]:
    """Return the populations that the cohorts need: all, low burden, MRD, and two targets."""
    return {
        "all": model,
        "low": replace(model, burden=default("calibrated.low_burden")),
        "mrd": replace(model, burden=default("calibrated.mrd_burden")),
        # With two targets on every cell, losing one changes nothing: only a loss of both at
        # once escapes. The double loss of independent antigens is negligible at these values.
        "dual": replace(model, loss=model.loss * _NEGLIGIBLE),
    }


def _courses(model: Model, at: Points) -> dict[str, _Course]:
    days = default("calibrated.response_day") + DAYS_PER_MONTH * _MONTHS
    grid = np.unique(np.concatenate([[14.0, default("calibrated.response_day")], days]))
    courses = {}
    for name, variant in _scenarios(model).items():
        seen = expected_relapses(
            variant.patients(at), variant.loss + variant.common_mode, variant.killing,
            default_detection(), grid,
        )  # fmt: skip
        courses[name] = _Course(
            remission=seen.remission, free=seen.relapse_free, positive=seen.antigen_positive,
            escaped=seen.escaped, day=seen.day,
        )  # fmt: skip
    return courses


@dataclass(frozen=True, kw_only=True)
class _Target:
    cohort: str
    endpoint: str
    observed: float
    low: float | None
    high: float | None
    interval: str
    fitted: bool
    doi: str
    verification: str
    note: str
    value: Callable[[dict[str, _Course], Model], float]


def _find(cohort: str, endpoint: str, month: float | None, words: str = "") -> LandmarkRow:
    return next(
        row for row in landmarks_of(cohort, endpoint) if row.month == month and words in row.subset
    )


def _curve_target(
    cohort: str,
    endpoint: str,
    month: float,
    note: str,
    *,
    words: str = "",
    patients: int | None = None,
    scenario: str = "all",
    fitted: bool = False,
) -> _Target:
    row = _find(cohort, endpoint, month, words)
    value = row.value / 100
    low, high, kind = None, None, ""
    if row.ci_low is not None and row.ci_high is not None:
        low, high, kind = row.ci_low / 100, row.ci_high / 100, "printed"
    elif patients is not None:
        low, high = exact_interval(round(value * patients), patients)
        kind = "binomial"
    event_free = endpoint in ("EFS",)
    return _Target(
        cohort=cohort, endpoint=f"{endpoint} at {month:g} months", observed=value, low=low,
        high=high, interval=kind, fitted=fitted, doi=row.doi, verification=row.verification,
        note=note,
        value=lambda c, _: c[scenario].efs(month) if event_free else c[scenario].rfs(month),
    )  # fmt: skip


def _count_target(
    cohort: str,
    endpoint: str,
    count: int,
    total: int,
    value: Callable[[dict[str, _Course], Model], float],
    note: str,
    *,
    fitted: bool = False,
) -> _Target:
    trial = trials()[cohort]
    low, high = exact_interval(count, total)
    return _Target(
        cohort=cohort, endpoint=f"{endpoint}, {count} of {total}", observed=count / total, low=low,
        high=high, interval="binomial", fitted=fitted, doi=trial.doi,
        verification=trial.verification.partition(":")[0], note=note, value=value,
    )  # fmt: skip


def _median_target(cohort: str, words: str, scenario: str, note: str) -> _Target:
    row = next(
        row for row in landmarks_of(cohort, "EFS")
        if row.statistic == "median" and (words in row.subset if words else not row.subset)
    )  # fmt: skip
    return _Target(
        cohort=cohort, endpoint=f"median EFS{', low burden' if words else ''}, months",
        observed=row.value, low=row.ci_low, high=row.ci_high, interval="printed", fitted=False,
        doi=row.doi, verification=row.verification, note=note,
        value=lambda c, _: c[scenario].median_efs(),
    )  # fmt: skip


def _positive_share(courses: dict[str, _Course], _: Model) -> float:
    positive, escaped = courses["all"].kinds()
    return positive / (positive + escaped)


def _switch_share(courses: dict[str, _Course], model: Model) -> float:
    positive, escaped = courses["all"].kinds()
    part = model.common_mode / (model.loss + model.common_mode)
    return escaped * part / (positive + escaped)


def _targets() -> list[_Target]:
    table = trials()
    eliana = "responders of the same trial; 6 and 12 months have no printed interval"
    tisa = ("eliana_3y", "cibmtr2025_tisa", "germany_tisa2023")
    n_cr = {key: table[key].n_cr or 0 for key in tisa}
    pooled = table["lamble2023_phenotype"]
    chop = table["pillai2019_cd19dim"]
    dual = table["wangt2023_coadmin"]
    kinds = [
        count or 0
        for count in (
            pooled.n_relapse_ag_pos,
            pooled.n_relapse_ag_neg,
            pooled.n_relapse_lineage_switch,
        )
    ]
    known = sum(kinds)
    deaths = "deaths in remission count as events there, and transplants are not excluded"
    mixed = "products with CD28 as well, transplants not excluded, follow-up assumed"
    adults = (
        "adults and a CD28 product of short persistence; deaths count as events there; a "
        "predicted median beyond 60 months is given as 60"
    )
    pair = (dual.n_relapse_ag_pos, dual.n_relapse_partial, dual.n_relapse_ag_neg)
    both = sum(count or 0 for count in pair)
    two = "another product pair; the model takes both arms to kill alike"

    def dual_share(kind: int) -> Callable[[dict[str, _Course], Model], float]:
        def value(courses: dict[str, _Course], _: Model) -> float:
            seen = courses["dual"].kinds()
            return seen[kind] / sum(seen)

        return value

    def remission(courses: dict[str, _Course], _: Model) -> float:
        return courses["all"].at(0.0, courses["all"].free, courses["all"].remission)

    return [
        _curve_target("eliana_primary", "RFS", 6, eliana, patients=n_cr["eliana_3y"], fitted=True),
        _curve_target("eliana_primary", "RFS", 12, eliana, patients=n_cr["eliana_3y"], fitted=True),
        _curve_target("eliana_3y", "RFS", 36, "responders", words="; with censoring", fitted=True),
        _count_target("lamble2023_phenotype", "CD19-positive among relapses of known kind",
                      kinds[0], known, _positive_share, mixed, fitted=True),
        _count_target("lamble2023_phenotype", "lineage switch among relapses of known kind",
                      kinds[2], known, _switch_share, mixed, fitted=True),
        _curve_target("eliana_3y", "RFS", 36, "follows patients through later therapy, which the "
                      "model has not", words="without censoring"),
        _curve_target("eliana_table2023", "RFS", 60, "same trial, later cut"),
        _count_target("eliana_3y", "in remission", n_cr["eliana_3y"],
                      table["eliana_3y"].n_evaluable or 0, remission,
                      "within three months there; on the response day here"),
        _curve_target("cibmtr2025_tisa", "RFS", 12, deaths, patients=n_cr["cibmtr2025_tisa"]),
        _curve_target("cibmtr2025_tisa", "RFS", 24, deaths, patients=n_cr["cibmtr2025_tisa"]),
        _count_target("cibmtr2025_tisa", "in remission", n_cr["cibmtr2025_tisa"],
                      table["cibmtr2025_tisa"].n_evaluable or 0, remission, "best response there"),
        _curve_target("germany_tisa2023", "RFS", 24, deaths, patients=n_cr["germany_tisa2023"]),
        _count_target("germany_tisa2023", "in remission", n_cr["germany_tisa2023"],
                      table["germany_tisa2023"].n_evaluable or 0, remission, "on day 28"),
        _curve_target("leahy2022_cyto", "RFS", 24, "high-risk cytogenetics; several products",
                      words="high-risk"),
        _count_target("lamble2023_phenotype", "relapsed among infused", pooled.n_relapse or 0,
                      pooled.n_infused or 0, lambda c, _: sum(c["all"].kinds()), mixed),
        _count_target("pillai2019_cd19dim", "CD19-positive among relapses",
                      chop.n_relapse_ag_pos or 0,
                      (chop.n_relapse_ag_pos or 0) + (chop.n_relapse_ag_neg or 0),
                      _positive_share, "4-1BB products only; some of these patients are among the "
                      "420 of the fit"),
        _curve_target("hugh2022_mrd", "LFS", 36, "first remission with MRD; most were "
                      "transplanted; burden assumed", words="CAR-T for MRD", scenario="mrd"),
        _median_target("park2018", "", "all", adults),
        _median_target("park2018", "low burden", "low", adults + "; burden assumed"),
        _curve_target("wangt2023_coadmin", "EFS", 12, two, words="refractory", scenario="dual"),
        _count_target("wangt2023_coadmin", "both targets kept", dual.n_relapse_ag_pos or 0, both,
                      dual_share(0), two),
        _count_target("wangt2023_coadmin", "CD19 lost, CD22 kept", dual.n_relapse_partial or 0,
                      both, lambda *_: 0.0, "the model kills such cells through CD22, so they "
                      "relapse no more than others: their share is that of the loss probability"),
        _count_target("wangt2023_coadmin", "both targets lost", dual.n_relapse_ag_neg or 0, both,
                      dual_share(1), two),
    ]  # fmt: skip


def predict(
    model: Model | None = None,
    *,
    covariance: NDArray[np.float64] | None = None,
    free: tuple[str, ...] = FITTED,
    n: int = 1024,
    replicates: int = 8,
    seed: int = 1,
) -> tuple[Prediction, ...]:
    """Return the model's predictions beside the observations.

    Parameters
    ----------
    model : Model, optional
        The population; the calibrated one of the ledger by default.
    covariance : ndarray, shape (k, k), optional
        Covariance of the logs of the fitted parameters, `Calibration.covariance`.
    free : tuple of str, optional
        Names of those parameters.
    n, replicates : int, optional
        Quasi-random patients, a power of two, and independent scramblings of them, >= 2.
    seed : int, optional
        Seed of the first scrambling; the others follow it.

    Returns
    -------
    tuple of Prediction
        Fitted numbers first.

    Raises
    ------
    ParameterError
        When the covariance does not fit the names.
    """
    used = calibrated_values() if model is None else model
    require_instance("model", used, Model, "give a Model, or None")
    runs = require_count("replicates", replicates, "give at least 2", minimum=2)
    if covariance is not None and covariance.shape != (len(free), len(free)):
        raise ParameterError(
            f"covariance has shape {covariance.shape} for {len(free)} parameters; it must be "
            "square with one row for each; give Calibration.covariance"
        )
    targets = _targets()
    sets = [points(stein_population(), n, seed=seed + i) for i in range(runs)]

    def values(variant: Model, at: Points) -> NDArray[np.float64]:
        courses = _courses(variant, at)
        return np.array([target.value(courses, variant) for target in targets])

    sample = np.array([values(used, at) for at in sets])
    spread = np.full(len(targets), np.nan)
    if covariance is not None:
        slopes = []
        for name in free:
            up, down = (
                values(replace(used, **{name: getattr(used, name) * float(np.exp(s))}), sets[0])
                for s in (_STEP, -_STEP)
            )
            slopes.append((up - down) / (2 * _STEP))
        gradient = np.array(slopes)
        spread = np.sqrt(np.einsum("it,ij,jt->t", gradient, covariance, gradient))
    mean, error = sample.mean(axis=0), sample.std(axis=0, ddof=1) / np.sqrt(runs)
    return tuple(
        Prediction(
            cohort=t.cohort, endpoint=t.endpoint, observed=t.observed, low=t.low, high=t.high,
            interval=t.interval, predicted=float(mean[i]), numerical_se=float(error[i]),
            parameter_se=float(spread[i]), fitted=t.fitted, doi=t.doi,
            verification=t.verification, note=t.note,
        )
        for i, t in enumerate(targets)
    )  # fmt: skip
