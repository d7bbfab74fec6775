r"""The population that is calibrated, and what it expects of the data.

A `Model` is the population as a short list of numbers. Of quasi-random patients drawn from it,
`car_relapse.calibration_law` computes the expected course; here that becomes expected counts
:math:`E_j` in the cells of the data, and a joint likelihood. With observed counts :math:`O_j`
the deviance is

.. math:: G = 2\sum_j O_j \ln\frac{O_j}{E_j}

and its signed roots are the residuals of a least-squares problem. Kinds of relapse compete within
each patient and are watched for a stated follow-up, so the counts are fitted jointly.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from car_relapse.antigens import Losses
from car_relapse.calibration_data import CalibrationData, landmark_days, watched
from car_relapse.calibration_law import Expected, expected_relapses
from car_relapse.calibration_points import Patients, Points
from car_relapse.errors import ParameterError, require_instance, require_positive
from car_relapse.exposure import stein_population, stein_typical
from car_relapse.followup import DAYS_PER_MONTH
from car_relapse.killing import Killing
from car_relapse.outcomes import Detection, default_detection
from car_relapse.parameters import default, parameter
from car_relapse.patient import Leukaemia, Patient
from car_relapse.population import Population, Spread
from car_relapse.therapy import Therapy

__all__ = [
    "FITTED",
    "Model",
    "calibrated_patient",
    "calibrated_population",
    "calibrated_values",
    "deviance_residuals",
    "expected_counts",
    "ledger_values",
    "log_likelihood",
    "saturated",
]

Floats = NDArray[np.float64]

FITTED = ("loss", "common_mode", "half_level", "growth_rate")
"""Parameters that the book's calibration fits."""

# Days between which kinds of relapse compete; finer early, where relapse is frequent.
_MONTHS = (*range(1, 13), 15, 18, 24, 30, 36, 48, 60)


@dataclass(frozen=True, kw_only=True)
class Model:
    """What a population needs beside its patients' scores; every number is > 0."""

    loss: float
    """Probability per division of losing the target, dimensionless."""
    common_mode: float
    """Probability per division of a lineage switch, dimensionless."""
    half_level: float
    """Transgene level of half-maximal killing, copies/µg DNA."""
    growth_rate: float
    """Median net growth rate of untreated leukaemia, 1/day."""
    growth_log_sd: float
    """Standard deviation of the natural log of net growth between patients, dimensionless."""
    burden: float
    """Median burden at infusion, cells."""
    burden_log10_sd: float
    """Standard deviation of log10 burden between patients, dimensionless."""
    maximal_rate: float
    """Killing rate at saturation, 1/day."""
    turnover: float
    """Division rate over net growth rate, the same in all patients, dimensionless, > 1."""

    def __post_init__(self) -> None:
        for field in fields(self):
            require_positive(field.name, getattr(self, field.name), "see the ledger", scalar=True)
        if self.turnover <= 1:
            raise ParameterError(
                f"turnover is {self.turnover:g}; cells die as well as divide, so division must "
                "be faster than net growth; give b / (b - d)"
            )

    @property
    def killing(self) -> Killing:
        """Response of killing to the transgene level."""
        return Killing(maximal_rate=self.maximal_rate, half_level=self.half_level)

    def population(self) -> Population:
        """Return the population to simulate (`car_relapse.cohort.simulate`).

        Division and death differ between patients by one common factor.
        """
        sd = self.growth_log_sd
        return Population(
            leukaemia=Leukaemia(
                birth_rate=self.turnover * self.growth_rate,
                death_rate=(self.turnover - 1.0) * self.growth_rate,
                burden=self.burden,
            ),
            burden_log10_sd=self.burden_log10_sd,
            losses=Losses(per_antigen=(self.loss,), common_mode=self.common_mode),
            exposures=stein_population(),
            killing=self.killing,
            detection=default_detection(),
            spread=Spread(
                birth_rate=sd,
                death_rate=sd,
                correlation=(("birth_rate", "death_rate", 1.0),),
            ),
        )

    def patients(self, at: Points) -> Patients:
        """Return the patients at these points of the population."""
        require_instance("at", at, Points, "give the result of calibration_points.points")
        net = self.growth_rate * np.exp(self.growth_log_sd * at.growth)
        return Patients(
            birth_rate=self.turnover * net,
            death_rate=(self.turnover - 1.0) * net,
            burden=self.burden * 10.0 ** (self.burden_log10_sd * at.burden),
            curve=at.curve,
        )


def ledger_values() -> Model:
    """Return the ledger's defaults, with the measured spread of growth rates.

    Examples
    --------
    >>> round(ledger_values().growth_rate, 3)
    0.065
    """
    birth, death = default("leukaemia.birth_rate"), default("leukaemia.death_rate")
    return Model(
        loss=default("loss.cd19"),
        common_mode=default("loss.common_mode"),
        half_level=default("killing.half_level"),
        growth_rate=birth - death,
        growth_log_sd=default("calibrated.growth_log_sd"),
        burden=default("leukaemia.burden"),
        burden_log10_sd=default("leukaemia.burden_log10_sd"),
        maximal_rate=default("killing.maximal_rate"),
        turnover=birth / (birth - death),
    )


def calibrated_values() -> Model:
    """Return the calibrated values of the ledger (rows ``calibrated.*``).

    Examples
    --------
    >>> calibrated_values().half_level < ledger_values().half_level
    True
    """
    return replace(
        ledger_values(), **{name: parameter(f"calibrated.{name}").value for name in FITTED}
    )


def calibrated_population() -> Population:
    """Return the calibrated population of the ledger (rows ``calibrated.*``).

    It is another population than `car_relapse.population.default_population`, whose pages keep
    the ledger's plain values.

    Examples
    --------
    >>> calibrated_population().losses.antigens
    1
    """
    return calibrated_values().population()


def calibrated_patient(burden: float | None = None) -> Patient:
    """Return the patient at the medians of `calibrated_population`, with `burden` cells if given.

    In this patient both ways of relapse are open; the typical patient of the ledger's plain
    values nearly always relapses with the target. No patient is median in everything: what
    happens to this one is not what happens to half of the population.

    Examples
    --------
    >>> from car_relapse.survival import relapse_probabilities
    >>> [round(lines, 3) for lines in relapse_probabilities(calibrated_patient()).class_lines]
    [0.055, 0.0, 0.119, 0.021]
    """
    people = calibrated_population()
    leukaemia = people.leukaemia if burden is None else replace(people.leukaemia, burden=burden)
    return Patient(
        leukaemia=leukaemia,
        losses=people.losses,
        therapy=Therapy(exposure=stein_typical(), killing=people.killing),
    )


def _days(data: CalibrationData) -> Floats:
    follow_up = data.phenotypes.follow_up
    grid = data.response_day + DAYS_PER_MONTH * np.array(_MONTHS)
    after = np.arange(grid[-1], follow_up.longest, 6 * DAYS_PER_MONTH)
    start = [day for day in (data.response_day,) if day > 0]
    days = np.concatenate([start, grid, landmark_days(data), after, [follow_up.longest]])
    return np.unique(days.round(6))


def _require_relapses(what: str, share: float) -> None:
    if not share > 0:
        raise ParameterError(
            f"the model expects no patient {what}, so it says nothing about the shares the data "
            "hold; change its parameters, or the days of the data"
        )


def _relapse_free_since(seen: Expected, response_day: float, days: Floats) -> Floats:
    """Return the share of those in remission on the response day who are so on `days`."""
    known = np.concatenate([[0.0], seen.day])
    free = np.concatenate([[seen.remission], seen.relapse_free])
    alive = float(np.interp(response_day, known, free))
    _require_relapses("in remission on the response day", alive)
    return np.asarray(np.interp(days, known, free) / alive)


def expected_counts(
    model: Model, data: CalibrationData, at: Points, detection: Detection | None = None
) -> tuple[Floats, Floats]:
    """Return what the model expects in the cells of the data.

    Parameters
    ----------
    model : Model
        Parameters of the population.
    data : CalibrationData
        Its totals, landmarks and follow-up are used, never its counts by cell.
    at : Points
        Quasi-random patients.
    detection : Detection, optional
        Limits of remission and relapse; those of the ledger by default.

    Returns
    -------
    tuple of ndarray
        Cells of `RelapseFreeCurve.counts` and of `PhenotypeCounts.counts`.
    """
    require_instance("model", model, Model, "give a Model")
    require_instance("data", data, CalibrationData, "give a CalibrationData")
    if detection is not None:
        require_instance("detection", detection, Detection, "None is default_detection()")
    require_instance("at", at, Points, "give the result of calibration_points.points")
    limits = default_detection() if detection is None else detection
    total = model.loss + model.common_mode
    seen = expected_relapses(model.patients(at), total, model.killing, limits, _days(data))
    free = _relapse_free_since(seen, data.response_day, landmark_days(data))
    curve = -data.curve.patients * np.diff(np.concatenate([[1.0], free, [0.0]]))

    kinds = data.phenotypes
    share = watched(kinds.follow_up, np.concatenate([[0.0], seen.day]))
    share = 0.5 * (share[1:] + share[:-1])
    positive = float(share @ np.diff(seen.antigen_positive, prepend=0.0))
    escaped = float(share @ np.diff(seen.escaped, prepend=0.0))
    # The largest escaped line is of either kind in proportion to the loss probabilities.
    split = np.array([positive, escaped * model.loss / total, escaped * model.common_mode / total])
    if kinds.infused is None:
        _require_relapses("who relapses while watched", float(split.sum()))
        return curve, kinds.relapses * split / split.sum()
    return curve, kinds.infused * np.append(split, 1.0 - split.sum())


def deviance_residuals(
    model: Model, data: CalibrationData, at: Points, detection: Detection | None = None
) -> Floats:
    """Return signed roots of the contributions to the deviance."""
    require_instance("model", model, Model, "give a Model")
    require_instance("data", data, CalibrationData, "give a CalibrationData")
    expected = np.concatenate(expected_counts(model, data, at, detection))
    observed = np.concatenate([data.curve.counts, data.phenotypes.counts])
    # A cell that the model deems impossible is refused by a huge, finite residual.
    floor = np.maximum(expected, 1e-9)
    ratio = np.where(observed > 0, observed, 1.0) / floor
    part = 2.0 * (np.where(observed > 0, observed * np.log(ratio), 0.0) - observed + floor)
    return np.asarray(np.sign(observed - floor) * np.sqrt(np.maximum(part, 0.0)))


def saturated(data: CalibrationData) -> float:
    """Return the log-likelihood of a model that expects just what was observed."""
    require_instance("data", data, CalibrationData, "give a CalibrationData")
    value = 0.0
    for counts in (data.curve.counts, data.phenotypes.counts):
        seen = counts[counts > 0]
        value += float(np.sum(seen * np.log(seen / counts.sum())))
    return value


def log_likelihood(
    model: Model, data: CalibrationData, at: Points, detection: Detection | None = None
) -> float:
    r"""Return the joint log-likelihood :math:`\sum_j O_j \ln p_j`, without its constant.

    Parameters
    ----------
    model : Model
        Parameters of the population.
    data : CalibrationData
        Observed counts.
    at : Points
        Quasi-random patients.
    detection : Detection, optional
        Limits of remission and relapse; those of the ledger by default.
    """
    require_instance("model", model, Model, "give a Model")
    require_instance("data", data, CalibrationData, "give a CalibrationData")
    residual = deviance_residuals(model, data, at, detection)
    return saturated(data) - 0.5 * float(residual @ residual)
