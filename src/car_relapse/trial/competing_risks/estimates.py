"""What analyses of many trials give: estimates, variances, limits, differences of groups."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from car_relapse.errors import ParameterError, require_fraction, require_instance
from car_relapse.incidence import log_log_limits
from car_relapse.trial.competing_risks.rank_tests import require_two_groups
from car_relapse.trial.competing_risks.risk_sets import Floats

__all__ = ["Contrasts", "Estimates", "Probabilities", "contrasts"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Estimates:
    """Estimates by trial and group (and time): shape (trials, groups) or (trials, groups, times).

    NaN where nobody of the group was followed so long.
    """

    value: Floats
    """Estimates."""
    variance: Floats
    """Their variances, in the shape of `value`."""

    @property
    def std_error(self) -> Floats:
        """Standard errors, in the shape of `value`."""
        return np.sqrt(self.variance)

    def interval(self, level: float = 0.95) -> tuple[Floats, Floats]:
        """Return pointwise normal confidence limits (lower, upper).

        Parameters
        ----------
        level : float, optional
            Coverage, strictly between 0 and 1.

        Raises
        ------
        ParameterError
            When `level` is not strictly between 0 and 1.
        """
        covered = float(require_fraction("level", level, "give 0.95 or so", scalar=True))
        if covered in (0.0, 1.0):
            raise ParameterError(
                f"level is {covered:g}; it must lie strictly between 0 and 1; give 0.95 or so"
            )
        half = float(ndtri(0.5 + covered / 2.0)) * self.std_error
        return self.value - half, self.value + half


@dataclass(frozen=True, kw_only=True, eq=False)
class Probabilities(Estimates):
    """Estimated probabilities, with limits that stay within [0, 1]."""

    event_free: bool
    """Whether they are probabilities of no event rather than of an event."""
    none: NDArray[np.bool_]
    """Whether no patient of the group has had the event yet, in the shape of `value`."""
    everyone: NDArray[np.bool_]
    """Whether every patient of the group has had it, in the shape of `value`."""
    known: NDArray[np.int64]
    """Patients of the group who were not censored earlier, in the shape of `value`."""

    def interval(self, level: float = 0.95) -> tuple[Floats, Floats]:
        """Return pointwise limits (lower, upper), as `car_relapse.incidence.Incidence.interval`.

        Complementary log-log limits; the exact binomial ones where none, or all, of the patients
        had the event.

        Parameters
        ----------
        level : float, optional
            Coverage, strictly between 0 and 1.

        Raises
        ------
        ParameterError
            When `level` is not strictly between 0 and 1.
        """
        free = self.value if self.event_free else 1.0 - self.value
        unknown = np.isnan(free)
        lower, upper = log_log_limits(
            np.where(unknown, 0.5, free),
            np.where(unknown, 0.0, self.std_error),
            none=self.none,
            everyone=self.everyone,
            known=np.maximum(self.known, 1),
            level=level,
        )
        lower, upper = (np.where(unknown, np.nan, limit) for limit in (lower, upper))
        return (1.0 - upper, 1.0 - lower) if self.event_free else (lower, upper)


@dataclass(frozen=True, kw_only=True, eq=False)
class Contrasts:
    """Differences, experimental less control, shape (trials,) or (trials, times)."""

    value: Floats
    """Differences; NaN where one of the groups has no estimate."""
    variance: Floats
    """Their variances."""

    @property
    def std_error(self) -> Floats:
        """Standard errors of the differences."""
        return np.sqrt(self.variance)

    @property
    def z(self) -> Floats:
        """Differences over their standard errors; NaN where that is 0."""
        some = self.variance > 0
        return np.where(some, self.value / np.where(some, self.std_error, 1.0), np.nan)

    @property
    def p_value(self) -> Floats:
        """Two-sided p-values by the normal law; NaN where `z` is."""
        return np.asarray(2.0 * ndtr(-np.abs(self.z)))


def contrasts(estimates: Estimates) -> Contrasts:
    """Return the difference of experimental and control group for every trial (and time).

    Parameters
    ----------
    estimates : Estimates
        Of two groups.

    Raises
    ------
    ParameterError
        When there are not two groups.
    """
    require_instance("estimates", estimates, Estimates, "give what incidences returns, say")
    require_two_groups(estimates.value.shape[1])
    value, variance = estimates.value, estimates.variance
    return Contrasts(value=value[:, 1] - value[:, 0], variance=variance[:, 0] + variance[:, 1])
