r"""The working models of the continual reassessment method, and how data move them.

The method (O'Quigley, Pepe and Fisher 1990, doi:10.2307/2531628, DOI not checked) joins the dose
levels by a curve with one unknown, b. The guesses of the toxicity at each level before the trial,
the *skeleton* :math:`s_k`, are the curve at :math:`b = 0`, and b has a normal prior around 0:

.. math::

    \begin{aligned}
    p_k(b) &= s_k^{\exp b}, \\
    p_k(b) &= \frac{1}{1 + \exp(-a - x_k e^b)}.
    \end{aligned}

The first curve is called empiric, the second logistic; there a is fixed, and
:math:`x_k = \operatorname{logit} s_k - a`. In both, toxicity rises with the level and falls with
b. `car_relapse.trial.dose.crm_fit` says what data make of it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, logit

from car_relapse.errors import (
    ParameterError,
    is_list,
    require_count,
    require_finite,
    require_fraction,
    require_positive,
)
from car_relapse.trial._checks import strictly_between

__all__ = [
    "PRIOR_SD",
    "WorkingModel",
    "indifference_skeleton",
]

Floats = NDArray[np.float64]
Shape = Literal["empiric", "logistic"]

PRIOR_SD = math.sqrt(1.34)
"""Standard deviation of the prior of b unless another is given; the custom of the method."""

_LARGEST_B = 100.0
_MOST_SD = 10.0


@dataclass(frozen=True, kw_only=True)
class WorkingModel:
    """A curve of toxicity over dose levels with one unknown, b.

    Examples
    --------
    >>> WorkingModel(skeleton=(0.1, 0.3)).toxicity(1.0).round(3)
    array([0.002, 0.038])
    """

    skeleton: Sequence[float]
    """Probability of toxicity at each level as guessed before the trial, rising, in (0, 1)."""
    shape: Shape = "empiric"
    """The curve: ``empiric`` or ``logistic``."""
    prior_sd: float = PRIOR_SD
    """Standard deviation of the normal prior of b, in (0, 10]."""
    intercept: float = 3.0
    """The fixed a of the logistic curve, from -30 to 30; the skeleton stays below the curve's
    end, ``1 / (1 + exp(-a))``."""

    def __post_init__(self) -> None:
        remedy = "give the guessed probability of toxicity at each level, rising"
        if not is_list(self.skeleton):
            raise ParameterError(f"skeleton is {self.skeleton!r}; it must be a list; {remedy}")
        guess = require_fraction("skeleton", list(self.skeleton), remedy)
        if guess.ndim != 1 or guess.size == 0 or np.any((guess <= 0) | (guess >= 1)):
            raise ParameterError(
                f"skeleton is {guess.tolist()}; it must be probabilities between 0 and 1, one per "
                f"level; {remedy}"
            )
        if np.any(np.diff(guess) <= 0):
            raise ParameterError(f"skeleton is {guess.tolist()}; it must rise; {remedy}")
        if self.shape not in get_args(Shape):
            raise ParameterError(
                f"shape is {self.shape!r}; it must be one of {', '.join(get_args(Shape))}"
            )
        sd = float(require_positive("prior_sd", self.prior_sd, "give a spread of b", scalar=True))
        if sd > _MOST_SD:
            raise ParameterError(
                f"prior_sd is {sd:g}; it must be at most {_MOST_SD:g}; more is flat"
            )
        a = float(require_finite("intercept", self.intercept, "3 is usual", scalar=True))
        if abs(a) > 30.0:
            raise ParameterError(f"intercept is {a:g}; it must lie in [-30, 30]; 3 is usual")
        if self.shape == "logistic" and guess[-1] >= expit(a):
            raise ParameterError(
                f"skeleton ends with {guess[-1]:g} and intercept is {a:g}; the logistic curve ends "
                f"at {expit(a):g}; give a larger intercept"
            )
        object.__setattr__(self, "skeleton", tuple(guess.tolist()))

    @property
    def levels(self) -> int:
        """Number of dose levels."""
        return len(self.skeleton)

    def toxicity(self, b: ArrayLike) -> Floats:
        """Return the curve at b: probability of toxicity at each level, shape (..., levels).

        Parameters
        ----------
        b : array_like
            The unknown, from -100 to 100.
        """
        return np.asarray(np.exp(self._logs(checked_b(b))[0]))

    def crossing(self, toxicity: float) -> Floats:
        """Return the b below which each level is more toxic than `toxicity`, shape (levels,).

        Parameters
        ----------
        toxicity : float
            Probability, in (0, 1), and below the end of a logistic curve.
        """
        p = strictly_between("toxicity", toxicity, "give a probability of toxicity")
        if self.shape == "empiric":
            return np.asarray(np.log(np.log(p) / np.log(self._guess)))
        if p >= expit(self.intercept):
            raise ParameterError(
                f"toxicity is {p:g} and intercept is {self.intercept:g}; the logistic curve ends "
                f"at {expit(self.intercept):g}; give a larger intercept"
            )
        ratio = (logit(p) - self.intercept) / (logit(self._guess) - self.intercept)
        return np.asarray(np.log(ratio))

    @property
    def _guess(self) -> Floats:
        return np.asarray(self.skeleton)

    def _slope(self, b: Floats) -> Floats:
        """Return what the curve is made of: ln p (empiric), or x e^b (logistic)."""
        unit = np.log(self._guess)
        if self.shape == "logistic":
            unit = logit(self._guess) - self.intercept
        return np.asarray(np.exp(b)[..., None] * unit)

    def _logs(self, b: Floats) -> tuple[Floats, Floats]:
        """Return ln p and ln(1 - p), shape (..., levels)."""
        slope = self._slope(b)
        if self.shape == "empiric":
            return slope, np.log(-np.expm1(slope))
        score = self.intercept + slope
        return -np.logaddexp(0.0, -score), -np.logaddexp(0.0, score)

    def _information(self) -> float:
        """Return a bound of what one patient can tell about b: its Fisher information."""
        if self.shape == "empiric":
            return 0.65
        p = np.linspace(0.001, 0.999, 999) * expit(self.intercept)
        return float(np.max(p * (1.0 - p) * (logit(p) - self.intercept) ** 2))


def checked_b(b: ArrayLike) -> Floats:
    """Return values of the unknown as floats, or raise when the curve could not be drawn there."""
    remedy = "0 is the skeleton"
    values = require_finite("b", b, remedy)
    if np.any(np.abs(values) > _LARGEST_B):
        far = values.flat[np.argmax(np.abs(values))]
        raise ParameterError(f"b is {far:g}; it must lie in [-100, 100]; {remedy}")
    return values


def indifference_skeleton(
    target: float,
    halfwidth: float,
    prior_level: int,
    levels: int,
    shape: Shape = "empiric",
    intercept: float = 3.0,
) -> tuple[float, ...]:
    r"""Return a skeleton whose neighbouring levels are told apart by at least `halfwidth`.

    Where the true toxicity at the target level is between ``target - halfwidth`` and ``target +
    halfwidth``, the method may settle there (the *indifference interval*; Lee and Cheung 2009,
    doi:10.1177/1740774509105076, DOI not checked). The skeleton is the one for which, at each b
    where the curve of one level is at the upper end, the next lower level is at the lower end.

    Parameters
    ----------
    target : float
        Probability of toxicity that is sought, in (0, 1).
    halfwidth : float
        Half the width of the indifference interval, > 0; both its ends within (0, 1).
    prior_level : int
        Level at which the target is expected, from 1.
    levels : int
        Number of levels, from `prior_level` to 100.
    shape, intercept
        As in `WorkingModel`.

    Returns
    -------
    tuple of float
        Probability of toxicity per level.

    Raises
    ------
    ParameterError
        When an argument breaks its rule, or levels so far from the prior level have a toxicity
        that no float tells from 0 or 1.

    Examples
    --------
    >>> [round(p, 3) for p in indifference_skeleton(0.25, 0.05, 3, 5)]
    [0.084, 0.157, 0.25, 0.355, 0.46]
    """
    middle = strictly_between("target", target, "give a probability of toxicity")
    half = float(require_positive("halfwidth", halfwidth, "0.05 is usual", scalar=True))
    first = require_count("prior_level", prior_level, "count levels from 1", minimum=1)
    number = require_count(
        "levels", levels, "give the number of levels", minimum=first, maximum=100
    )
    low, high = middle - half, middle + half
    if low <= 0.0 or high >= 1.0:
        raise ParameterError(
            f"halfwidth is {half:g} and target is {middle:g}; the interval must lie within (0, 1); "
            "give a smaller halfwidth"
        )
    # The curve of every level is a multiple of e^b on this scale, and a step multiplies it.
    model = WorkingModel(skeleton=(middle,), shape=shape, intercept=intercept)
    model.crossing(high)
    ends = np.log([low, high])
    if shape == "logistic":
        ends = logit([low, high]) - intercept
    step = np.arange(number) - (first - 1.0)
    units = model._slope(np.array(0.0))[0] * (ends[1] / ends[0]) ** step
    guess = np.exp(units) if shape == "empiric" else expit(intercept + units)
    return tuple(WorkingModel(skeleton=guess, shape=shape, intercept=intercept).skeleton)
