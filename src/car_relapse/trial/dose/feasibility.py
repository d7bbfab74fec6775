r"""Manufacturing: how many patients must be apheresed until enough can be evaluated.

Not every product is made, and not every product made reaches the planned dose. If each patient
becomes evaluable with probability q, independently of the others, the number apheresed until m
are evaluable has a negative binomial distribution: m/q on average, with standard deviation
:math:`\sqrt{m(1-q)}/q`. By Wald's identity the mean holds for any design: one that treats E[n]
patients on average has :math:`E[n]/q` of them apheresed.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import binom, nbinom

from car_relapse.errors import ParameterError, require_count, require_fraction
from car_relapse.trial._checks import strictly_between
from car_relapse.trial.dose._checks import require_counts

__all__ = ["Apheresis"]

#: Most evaluable patients, and least probability of one.
_MOST = 10_000
_LEAST = 1e-3


@dataclass(frozen=True, kw_only=True)
class Apheresis:
    """Number of patients apheresed until some number of them are evaluable.

    Examples
    --------
    >>> needed = Apheresis(evaluable=12, success=0.85)
    >>> round(needed.mean, 1), needed.quantile(0.9)
    (14.1, 16)
    """

    evaluable: int
    """Evaluable patients that are needed, >= 1."""
    success: float
    """Probability that an apheresed patient becomes evaluable, from 0.001 to 1: the product is
    made, at the planned dose, is given, and the patient is followed."""

    def __post_init__(self) -> None:
        remedy = "give the number of evaluable patients needed"
        require_count("evaluable", self.evaluable, remedy, minimum=1, maximum=_MOST)
        remedy = "give the share of apheresed patients who become evaluable"
        q = float(require_fraction("success", self.success, remedy, scalar=True))
        if q < _LEAST:
            raise ParameterError(f"success is {q:g}; it must be at least {_LEAST:g}; {remedy}")

    @property
    def mean(self) -> float:
        """Mean number of patients apheresed."""
        return self.evaluable / self.success

    @property
    def std_dev(self) -> float:
        """Its standard deviation."""
        return sqrt(self.evaluable * (1.0 - self.success)) / self.success

    def quantile(self, probability: float) -> int:
        """Return the fewest apheresed patients that suffice with a probability.

        Parameters
        ----------
        probability : float
            In (0, 1).
        """
        p = strictly_between("probability", probability, "give 0.9 or so")
        return self.evaluable + int(nbinom.ppf(p, self.evaluable, self.success))

    def sufficient(self, apheresed: ArrayLike) -> NDArray[np.float64]:
        """Return the probability that enough of some number of apheresed patients are evaluable.

        Parameters
        ----------
        apheresed : array_like of int
            Numbers of patients apheresed, >= 0.
        """
        n = require_counts("apheresed", apheresed, "give numbers of patients")
        return np.asarray(binom.sf(self.evaluable - 1, n, self.success))
