r"""What a regression on event times gives: coefficients, their errors, ratios and intervals.

All models of this package multiply a hazard by :math:`e^{\beta z}`; what hazard, the model says.
A coefficient is a log ratio, so intervals and tests are made on that scale.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, ndtri

from car_relapse.errors import ParameterError, require_finite, require_fraction

__all__ = ["Effect", "Regression"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Effect:
    """What one covariate does: a row of a table of results."""

    name: str
    """Name of the covariate."""
    coefficient: float
    """Log of the ratio, dimensionless."""
    std_error: float
    """Standard error of the coefficient, dimensionless."""
    ratio: float
    """Hazard ratio for one unit of the covariate, dimensionless; infinite when it is beyond
    floats."""
    lower: float
    """Lower confidence limit of the ratio, dimensionless."""
    upper: float
    """Upper confidence limit of the ratio, dimensionless; infinite when it is beyond floats."""
    p_value: float
    """Two-sided p-value of Wald's test that the ratio is 1."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Regression:
    """Coefficients of a fitted model, one per covariate."""

    names: tuple[str, ...]
    """Names of the covariates."""
    coefficient: Floats
    """Log ratios, shape (covariates,), dimensionless."""
    std_error: Floats
    """Their standard errors, shape (covariates,), dimensionless."""
    log_likelihood: float
    """Log of the maximised partial likelihood, dimensionless."""
    patients: int
    """Number of patients."""
    events: int
    """Number of events that the model is about."""

    @property
    def ratio(self) -> Floats:
        """Hazard ratios for one unit of each covariate, shape (covariates,).

        Infinite where the unit is so large that the ratio is beyond floats.
        """
        with np.errstate(over="ignore"):
            return np.asarray(np.exp(self.coefficient))

    @property
    def p_value(self) -> Floats:
        """Two-sided p-values of Wald's test that each ratio is 1, shape (covariates,)."""
        return np.asarray(2.0 * ndtr(-np.abs(self.coefficient / self.std_error)))

    def interval(self, level: float = 0.95) -> tuple[Floats, Floats]:
        """Return confidence limits (lower, upper) of the ratios.

        Parameters
        ----------
        level : float, optional
            Coverage, strictly between 0 and 1.

        Returns
        -------
        tuple of numpy.ndarray
            Each of shape (covariates,); the upper one is infinite where it is beyond floats.

        Raises
        ------
        ParameterError
            When `level` is not strictly between 0 and 1.
        """
        covered = float(require_fraction("level", level, "give 0.95 or so", scalar=True))
        if not 0.0 < covered < 1.0:
            raise ParameterError(
                f"level is {covered:g}; it must lie strictly between 0 and 1; give 0.95 or so"
            )
        half = -ndtri((1.0 - covered) / 2.0) * self.std_error
        with np.errstate(over="ignore"):
            return np.exp(self.coefficient - half), np.exp(self.coefficient + half)

    def records(self) -> list[Effect]:
        """Return one `Effect` per covariate, with 95 % limits."""
        lower, upper = self.interval()
        columns = (
            self.coefficient,
            self.std_error,
            self.ratio,
            lower,
            upper,
            self.p_value,
        )
        rows = zip(self.names, *(column.tolist() for column in columns), strict=True)
        return [
            Effect(
                name=name, coefficient=b, std_error=se, ratio=hr, lower=low, upper=high, p_value=p
            )
            for name, b, se, hr, low, high, p in rows
        ]


_ONE_EACH = 'name each covariate, as in {"arm": group}, with one number per patient'


def design_matrix(covariates: Mapping[str, ArrayLike], patients: int) -> Floats:
    """Return the covariates as columns, shape (patients, covariates).

    Raises
    ------
    ParameterError
        When there is none, one has no name or another length, or is not made of numbers.
    """
    if not isinstance(covariates, Mapping) or not covariates:
        raise ParameterError(
            f"covariates is {covariates!r:.60}; it must be a mapping of names to numbers; "
            f"{_ONE_EACH}"
        )
    columns = []
    for name, values in covariates.items():
        if not isinstance(name, str) or not name:
            raise ParameterError(f"covariates has the name {name!r}; it must be text; {_ONE_EACH}")
        column = require_finite(f"covariates[{name!r}]", values, _ONE_EACH)
        if column.shape != (patients,):
            raise ParameterError(
                f"covariates[{name!r}] has shape {column.shape}; there are {patients} patients; "
                f"{_ONE_EACH}"
            )
        columns.append(column)
    return np.column_stack(columns)


def standardised(
    matrix: Floats, names: Sequence[str], strata: NDArray[np.int64]
) -> tuple[Floats, Floats]:
    """Return the columns with mean 0 and standard deviation 1, and those deviations.

    Only differences within a stratum can be estimated, so these must not be linearly dependent.

    Raises
    ------
    ParameterError
        When a covariate is the same for everybody in each stratum, or follows from the others.
    """
    spread = matrix.std(axis=0)
    remedy = "leave it out, or collect a covariate that varies"
    # What rounding makes of the mean of equal numbers is no variation.
    flat = spread <= 1e-12 * np.abs(matrix).max(axis=0)
    if flat.any():
        name = names[int(np.flatnonzero(flat)[0])]
        raise ParameterError(
            f"covariates[{name!r}] is the same for everybody; nothing can be learnt about it; "
            f"{remedy}"
        )
    scaled = (matrix - matrix.mean(axis=0)) / spread
    size = np.bincount(strata)
    within = scaled.copy()
    for j in range(scaled.shape[1]):
        within[:, j] -= (np.bincount(strata, scaled[:, j]) / size)[strata]
        rank = int(np.linalg.matrix_rank(within[:, : j + 1], tol=1e-7 * np.sqrt(len(within))))
        if rank <= j:
            raise ParameterError(
                f"covariates[{names[j]!r}] follows from the other covariates and the strata; "
                f"nothing can be learnt about it; {remedy}"
            )
    return scaled, spread


#: A coefficient of a standardised covariate is never estimated as badly as this unless its
#: likelihood has no maximum.
_UNBOUNDED = 30.0


def refuse_unbounded(std_error: ArrayLike, names: Sequence[str]) -> None:
    """Raise when a standard error, on the standardised scale, shows a likelihood without maximum.

    Raises
    ------
    ParameterError
        When it does, naming the covariate.
    """
    values = np.asarray(std_error, dtype=float)
    bad = ~(values < _UNBOUNDED)
    if bad.any():
        name = names[int(np.flatnonzero(bad)[0])]
        raise ParameterError(
            f"covariates[{name!r}] separates those with the event from those without; its "
            "coefficient has no finite estimate; report the counts in each group instead, or "
            "leave the covariate out"
        )


def as_strata(strata: Any, patients: int) -> NDArray[np.int64]:
    """Return the stratum of every patient, numbered from 0; all 0 when `strata` is None.

    Raises
    ------
    ParameterError
        When there is not one number per patient.
    """
    if strata is None:
        return np.zeros(patients, dtype=np.int64)
    remedy = "give one number per patient that says to which stratum it belongs"
    values = require_finite("strata", strata, remedy)
    if values.shape != (patients,):
        raise ParameterError(
            f"strata has shape {values.shape}; there are {patients} patients; {remedy}"
        )
    return np.unique(values, return_inverse=True)[1].astype(np.int64)
