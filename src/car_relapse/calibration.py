r"""Fit loss, persistence and growth to published landmarks, jointly, with their uncertainty.

Out of the box the virtual population relapses too late and all at once. Four numbers are fitted
so that it relapses as patients did: the probability of losing the target, that of losing the
lineage, the transgene level of half-maximal killing (which is persistence: dividing it by two is
doubling every CAR-T curve) and the median growth rate of the leukaemias. Growth differs between
patients as it was measured to.

The kinds of relapse compete in each patient, so the numbers are fitted *jointly*, by maximum
likelihood, to relapse-free survival and to counts of relapses by kind
(`car_relapse.calibration_data`, `car_relapse.calibration_model`). Intervals are those of the
profile likelihood: the values of one parameter at which G, minimised over the others, has risen
by 3.84. Where G does not rise that far, the data do not say; the interval is then open.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from car_relapse.calibration_data import (
    CalibrationData,
    Landmark,
    PhenotypeCounts,
    default_data,
)
from car_relapse.calibration_model import (
    FITTED,
    Model,
    calibrated_population,
    calibrated_values,
    deviance_residuals,
    ledger_values,
    log_likelihood,
    saturated,
)
from car_relapse.calibration_points import Points, points
from car_relapse.errors import (
    ParameterError,
    is_list,
    require_count,
    require_instance,
    require_positive,
)
from car_relapse.exposure import SteinPopulation, stein_population
from car_relapse.outcomes import Detection

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

Floats = NDArray[np.float64]

__all__ = [
    "FITTED",
    "Calibration",
    "Interval",
    "Landmark",
    "Model",
    "PhenotypeCounts",
    "Profile",
    "calibrated_population",
    "calibrated_values",
    "fit",
    "ledger_values",
    "log_likelihood",
    "profile",
]

#: Rise of the deviance at the ends of a 95 % interval: chi-squared with one degree of freedom.
_RISE_95 = 3.841458820694124
# Profiles start this far from the estimate and go no further than that, in logs: a parameter
# that can change a hundredfold without raising the deviance is not identified.
_FIRST_STEP, _WIDEST = 0.2, 4.6
# Step of the differences, in logs: wide enough to look past the grain of a finite population.
_STEP = 0.05
# No parameter is sought further than this from where it started, in logs.
_REACH = 12.0


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A fitted value with its 95 % interval of the profile likelihood."""

    value: float
    """Estimate, in the unit of the parameter."""
    low: float | None
    """Lower end; None where the deviance does not rise far enough."""
    high: float | None
    """Upper end; None where the deviance does not rise far enough."""

    @property
    def identified(self) -> bool:
        """Whether the data bound the parameter from both sides."""
        return self.low is not None and self.high is not None


@dataclass(frozen=True, kw_only=True)
class Profile:
    """Profile of one parameter; arrays have shape (points,)."""

    name: str
    """Field of `Model`."""
    value: NDArray[np.float64]
    """Values at which the parameter was held, in its unit, increasing."""
    rise: NDArray[np.float64]
    """Deviance above its minimum, the other fitted parameters at their best, dimensionless."""

    def interval(self, value: float) -> Interval:
        """Return `value` with the ends at which the rise crosses 3.84, by interpolation.

        The rise is counted from the lowest point of the profile, which for a parameter that was
        not fitted may lie elsewhere.
        """
        value = float(require_positive("value", value, "give the fitted parameter", scalar=True))
        x, y = np.log(self.value), np.sqrt(self.rise - self.rise.min())
        ends: list[float | None] = []
        for side in (x < np.log(value), x > np.log(value)):
            # From the estimate outwards; the square root of the rise is nearly straight.
            order = np.argsort(np.abs(x[side] - np.log(value)))
            away = np.concatenate([[np.log(value)], x[side][order]])
            root = np.maximum.accumulate(np.concatenate([[0.0], y[side][order]]))
            target = np.sqrt(_RISE_95)
            if root[-1] < target:
                ends.append(None)
                continue
            right = int(np.argmax(root >= target))
            share = (target - root[right - 1]) / (root[right] - root[right - 1])
            ends.append(float(np.exp(away[right - 1] + share * (away[right] - away[right - 1]))))
        return Interval(value=value, low=ends[0], high=ends[1])


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """A fit, and how well it is determined."""

    model: Model
    """The model at the maximum of the likelihood."""
    estimates: Mapping[str, float]
    """Fitted parameters, in the units of `Model`."""
    intervals: Mapping[str, Interval]
    """Fitted parameters with their 95 % intervals; empty when no profile was asked for."""
    profiles: tuple[Profile, ...]
    """Profiles behind the intervals."""
    covariance: NDArray[np.float64]
    """Covariance of the logs of the fitted parameters, from the curvature of the deviance,
    shape (k, k) in the order of `estimates`."""
    log_likelihood: float
    """Log-likelihood at the estimates, without the constant of the multinomials."""
    deviance: float
    """Deviance G at the estimates; 0 would be a perfect fit."""
    degrees_of_freedom: int
    """Free cells of the data minus fitted parameters."""
    seed: int
    """Seed of the quasi-random patients."""
    n: int
    """Number of quasi-random patients."""


@dataclass(frozen=True, kw_only=True)
class _Problem:
    data: CalibrationData
    at: Points
    detection: Detection | None

    def _residuals(self, model: Model, free: tuple[str, ...], moved: Floats) -> Floats:
        values: dict[str, Any] = {
            name: getattr(model, name) * float(np.exp(by))
            for name, by in zip(free, moved, strict=True)
        }
        return deviance_residuals(replace(model, **values), self.data, self.at, self.detection)

    def _slopes(self, model: Model, free: tuple[str, ...], moved: Floats) -> Floats:
        columns = [
            self._residuals(model, free, moved + _STEP * axis)
            - self._residuals(model, free, moved - _STEP * axis)
            for axis in np.eye(len(free))
        ]
        return np.array(columns).T / (2.0 * _STEP)

    def solve(self, start: Model, free: tuple[str, ...]) -> tuple[Model, float]:
        """Return the best model over `free`, and its deviance."""
        if not free:
            residual = self._residuals(start, (), np.array([]))
            return start, float(residual @ residual)
        found = least_squares(
            lambda moved: self._residuals(start, free, moved),
            np.zeros(len(free)),
            lambda moved: self._slopes(start, free, moved),
            bounds=(-_REACH, _REACH), ftol=1e-4, xtol=1e-3, gtol=1e-6, max_nfev=30,
        )  # fmt: skip
        best = {n: getattr(start, n) * float(np.exp(x)) for n, x in zip(free, found.x, strict=True)}
        return replace(start, **best), 2.0 * float(found.cost)

    def covariance(self, model: Model, free: tuple[str, ...]) -> Floats:
        """Return the inverse of the information on the logs of the parameters."""
        slopes = self._slopes(model, free, np.zeros(len(free)))
        # A direction that the data do not see has no finite variance; the pseudo-inverse
        # leaves it out, and the profile tells.
        return np.asarray(np.linalg.pinv(slopes.T @ slopes))

    def deviance_at(
        self, best: Model, name: str, value: float, free: tuple[str, ...]
    ) -> tuple[Model, float]:
        others = tuple(other for other in free if other != name)
        return self.solve(replace(best, **{name: value}), others)


@dataclass(frozen=True, kw_only=True)
class _Held:
    """The best fit with one parameter held."""

    value: float
    deviance: float
    model: Model


def _walk(
    problem: _Problem, best: Model, deviance: float, name: str, free: tuple[str, ...], side: int
) -> list[_Held]:
    """Return fits outwards from the estimate until the deviance has risen well past 3.84."""
    centre, model = float(getattr(best, name)), best
    found: list[_Held] = []
    distance = _FIRST_STEP
    while distance <= _WIDEST:
        value = centre * float(np.exp(side * distance))
        model, reached = problem.deviance_at(model, name, value, free)
        found.append(_Held(value=value, deviance=reached, model=model))
        rise = reached - deviance
        if rise > 1.5 * _RISE_95:
            break
        # Aim at steps of about 0.6 in the square root of the rise.
        slope = np.sqrt(max(rise, 1e-4)) / distance
        distance += float(np.clip(0.6 / slope, 0.15, 0.8))
    if found[-1].deviance - deviance > _RISE_95:
        found.append(_between(problem, best, deviance, name, free, found))
    return found


def _between(
    problem: _Problem,
    best: Model,
    deviance: float,
    name: str,
    free: tuple[str, ...],
    found: list[_Held],
) -> _Held:
    """Return one more fit, where the rise of the last step seems to cross 3.84."""
    start = _Held(value=float(getattr(best, name)), deviance=deviance, model=best)
    inner, outer = [start, *found][-2:]
    low, high = (np.sqrt(max(held.deviance - deviance, 0.0)) for held in (inner, outer))
    share = float(np.clip((np.sqrt(_RISE_95) - low) / (high - low), 0.05, 0.95))
    value = inner.value * (outer.value / inner.value) ** share
    model, reached = problem.deviance_at(inner.model, name, value, free)
    return _Held(value=value, deviance=reached, model=model)


def _scan(
    problem: _Problem, best: Model, deviance: float, name: str, free: tuple[str, ...]
) -> list[_Held]:
    centre = _Held(value=float(getattr(best, name)), deviance=deviance, model=best)
    sides = [_walk(problem, best, deviance, name, free, side) for side in (-1, 1)]
    return sorted([centre, *sides[0], *sides[1]], key=lambda held: held.value)


def _checked_free(free: tuple[str, ...]) -> tuple[str, ...]:
    known = tuple(field.name for field in fields(Model))
    if not is_list(free) or not all(isinstance(name, str) for name in free):
        free = (str(free),)
    odd = [name for name in free if name not in known]
    if odd or not free or len(set(free)) != len(free):
        raise ParameterError(
            f"free is {free!r}; it must name different fields of Model: {', '.join(known)}; "
            "correct the names"
        )
    return tuple(free)


def fit(
    data: CalibrationData | None = None,
    *,
    free: tuple[str, ...] = FITTED,
    start: Model | None = None,
    exposures: SteinPopulation | None = None,
    n: int = 4096,
    seed: int = 1,
    profiles: tuple[str, ...] | None = (),
    detection: Detection | None = None,
) -> Calibration:
    """Fit the population to the data by maximum likelihood.

    Parameters
    ----------
    data : CalibrationData, optional
        Data to fit; `car_relapse.calibration_data.default_data` by default.
    free : tuple of str, optional
        Fields of `Model` that are fitted, all on the log scale.
    start : Model, optional
        Where to start, and the values of what is not fitted; the ledger's by default.
    exposures : SteinPopulation, optional
        CAR-T curves; those of the ledger by default.
    n, seed : int, optional
        Number of quasi-random patients, a power of two, and seed of their scrambling.
    profiles : tuple of str or None, optional
        Fields of `Model` to profile; none by default, None for all that are fitted. A field
        that is not fitted can be profiled too: it shows what fixing it costs.
    detection : Detection, optional
        Limits of remission and relapse; those of the ledger by default.

    Returns
    -------
    Calibration

    Raises
    ------
    ParameterError
        When a name is no field of `Model`, or `n` no power of two.
    """
    observed = default_data() if data is None else data
    require_instance("data", observed, CalibrationData, "give CalibrationData, or None")
    names = _checked_free(free)
    wanted = names if profiles is None else profiles
    if wanted:
        _checked_free(wanted)
    require_count("seed", seed, "give a whole number >= 0", maximum=None)
    at = points(stein_population() if exposures is None else exposures, n, seed=seed)
    problem = _Problem(data=observed, at=at, detection=detection)
    model, deviance = problem.solve(ledger_values() if start is None else start, names)
    scans = {name: _scan(problem, model, deviance, name, names) for name in wanted}
    # A profile may find a better fit than the search did: then the search goes on from there.
    lowest = min((h for n_ in wanted if n_ in names for h in scans[n_]),
                 key=lambda h: h.deviance, default=None)  # fmt: skip
    if lowest is not None and lowest.deviance < deviance - 1e-3:
        model, deviance = problem.solve(lowest.model, names)
    curves = tuple(
        Profile(
            name=name,
            value=np.array([held.value for held in scans[name]]),
            rise=np.array([held.deviance - deviance for held in scans[name]]),
        )
        for name in wanted
    )
    cells = observed.curve.counts.size + observed.phenotypes.counts.size - 2
    return Calibration(
        model=model,
        estimates={name: float(getattr(model, name)) for name in names},
        intervals={
            curve.name: curve.interval(float(getattr(model, curve.name))) for curve in curves
        },
        profiles=curves,
        covariance=problem.covariance(model, names),
        log_likelihood=saturated(observed) - 0.5 * deviance,
        deviance=deviance,
        degrees_of_freedom=cells - len(names),
        seed=seed,
        n=n,
    )


def profile(
    calibration: Calibration,
    name: str,
    values: ArrayLike,
    *,
    data: CalibrationData | None = None,
    exposures: SteinPopulation | None = None,
) -> Profile:
    """Return the profile of one parameter at chosen values.

    Parameters
    ----------
    calibration : Calibration
        The fit; its fitted parameters are fitted again at each value.
    name : str
        Field of `Model`, fitted or not.
    values : array_like, shape (points,)
        Increasing values, > 0, in the unit of the field.
    data, exposures
        As in `fit`; the same as there.

    Returns
    -------
    Profile
    """
    require_instance("calibration", calibration, Calibration, "give the result of calibration.fit")
    _checked_free((name,))
    held = np.atleast_1d(require_positive("values", values, "give values of the parameter"))
    observed = default_data() if data is None else data
    curves = stein_population() if exposures is None else exposures
    at = points(curves, calibration.n, seed=calibration.seed)
    problem = _Problem(data=observed, at=at, detection=None)
    free = tuple(calibration.estimates)
    rise = [
        problem.deviance_at(calibration.model, name, float(v), free)[1] - calibration.deviance
        for v in held
    ]
    return Profile(name=name, value=held, rise=np.array(rise))
