"""How patients differ: lognormal effects, and which of them go together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from car_relapse.errors import ParameterError, require_finite, require_non_negative

__all__ = ["LARGEST_SPREAD", "Spread", "correlation_root"]

Floats = NDArray[np.float64]

#: Largest standard deviation of a log between patients, dimensionless.
LARGEST_SPREAD = 10.0


@dataclass(frozen=True, kw_only=True)
class Spread:
    """How patients differ beside burden and exposure: lognormal, possibly correlated."""

    birth_rate: float = 0.0
    """Standard deviation of the natural log of the division rate, dimensionless, >= 0."""
    death_rate: float = 0.0
    """The same of the natural death rate. Patients whose leukaemia would not grow untreated
    are drawn again, which truncates the law there."""
    loss: float = 0.0
    """The same of the loss probability of each antigen."""
    common_mode: float = 0.0
    """The same of the probability of a lineage switch."""
    shared_defect: float = 0.0
    """The same of the probability of a defect that hides every target."""
    killing: float = 0.0
    """The same of the killing rate at every level."""
    correlation: tuple[tuple[str, str, float], ...] = ()
    """Correlations of the effects on the log scale, as (one, other, correlation in [-1, 1]);
    those left out are 0. Effects are "burden", "loss 1" to "loss k", the other fields by name,
    and those of the curves as their sampler names them: "peak_level" or "contraction_rate" of
    `car_relapse.exposure.SteinPopulation`."""

    def __post_init__(self) -> None:
        for name in ("birth_rate", "death_rate", "loss", "common_mode", "shared_defect", "killing"):
            remedy = "0 means no difference between patients"
            sd = float(require_non_negative(name, getattr(self, name), remedy, scalar=True))
            if sd > LARGEST_SPREAD:
                raise ParameterError(
                    f"{name} is {sd:g}; it is the standard deviation of a natural log, and above "
                    f"{LARGEST_SPREAD:g} patients have nothing in common; {remedy}"
                )


def correlation_root(
    sds: Mapping[str, float], correlation: Iterable[tuple[str, str, float]], known: Iterable[str]
) -> tuple[dict[str, float], Floats | None]:
    """Return the effects that differ, and a root of their correlation matrix.

    Parameters
    ----------
    sds : mapping of str to float
        Standard deviation of each effect.
    correlation : iterable of (str, str, float)
        As in `Spread`.
    known : iterable of str
        Every name that an effect may have, for the message.

    Returns
    -------
    dict of str to float
        The effects whose standard deviation is above 0.
    ndarray, shape (effects, effects), or None
        Turns independent effects into correlated ones; None where none are.

    Raises
    ------
    ParameterError
        When a name is not known or does not differ, or no effects can be correlated like that.
    """
    active = {name: sd for name, sd in sds.items() if sd > 0}
    names = list(active)
    matrix = np.eye(len(names))
    for one, other, value in correlation:
        for name in (one, other):
            if name not in known:
                raise ParameterError(
                    f"correlation names {name!r}; the effects are {', '.join(known)}; choose two"
                )
            if name not in active:
                raise ParameterError(
                    f"correlation names {name!r}, which does not differ between patients; "
                    "only what differs can be correlated; give it a spread"
                )
        if (
            one == other
            or not -1 <= float(require_finite("correlation", value, "", scalar=True)) <= 1
        ):
            raise ParameterError(
                f"correlation of {one!r} and {other!r} is {value!r}; two different effects "
                "have a correlation in [-1, 1]; correct it"
            )
        i, j = names.index(one), names.index(other)
        matrix[i, j] = matrix[j, i] = value
    if not correlation:
        return active, None
    values, vectors = np.linalg.eigh(matrix)
    if values[0] < -1e-9:
        raise ParameterError(
            f"correlation is {correlation!r}; no three effects can be correlated "
            "like that (the matrix has a negative eigenvalue); give those left out too"
        )
    return active, np.asarray(vectors * np.sqrt(np.maximum(values, 0.0)))
