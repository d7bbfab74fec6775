r"""What earlier studies say about the rate that a single arm is compared with.

A single-arm trial tests its rate against a number, as if that number were known. It was read off
earlier patients, whose centres, referrals and definitions were their own. If study j has the rate
:math:`p_j`, drawn from Beta(a, b), its responses have a beta-binomial law; the spread of the
studies beyond chance tells a and b. The next trial's patients, were they treated as before, would
have a rate drawn from the same law, and `Looks.averaged` says how often a trial then succeeds with
a product that adds nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.optimize import minimize
from scipy.special import betaln, expit, logit

from car_relapse.errors import ParameterError, is_list, require_count

__all__ = ["historical_belief"]

_SMALLEST_SIZE = 0.1
"""Smallest a + b: there most studies have nobody responding, or everybody."""
_LOGIT = 12.0
"""Largest size of the logit of the mean rate."""


def _counts(name: str, values: Sequence[int], remedy: str, minimum: int) -> list[int]:
    if not is_list(values):
        raise ParameterError(f"{name} is {values!r}; it must be a list; {remedy}")
    return [require_count(name, v, remedy, minimum=minimum, maximum=10**6) for v in values]


def historical_belief(responses: Sequence[int], patients: Sequence[int]) -> tuple[float, float]:
    r"""Return the Beta law of the rate of the next study, from earlier ones, by maximum likelihood.

    Studies that differ no more than chance makes them differ would let a + b grow without end.
    It is held at the number of patients: the law is never surer than if all of them had been in
    one study.

    Parameters
    ----------
    responses : sequence of int
        Responses in each study.
    patients : sequence of int
        Patients of each study, >= 1; at least two studies.

    Returns
    -------
    a, b : float
        Parameters of the law, as `Looks.averaged` takes them; its mean is a / (a + b).

    Raises
    ------
    ParameterError
        When there are fewer than two studies, the lists differ in length, or more respond than
        there are patients.

    Examples
    --------
    Four studies whose rates range from a half to nine tenths:

    >>> a, b = historical_belief([10, 27, 15, 35], [20, 30, 21, 50])
    >>> round(a / (a + b), 2), round(a + b)
    (0.71, 16)

    The exact test of three quarters, were the next 45 patients one more such study:

    >>> from car_relapse.trial.single_arm import Looks
    >>> trial = Looks(patients=(45,), futile=(38,), enough=(39,))
    >>> round(trial.averaged((a, b)).success, 2)
    0.13
    """
    remedy = "give one whole number for each of two or more studies"
    n = np.array(_counts("patients", patients, remedy, 1))
    x = np.array(_counts("responses", responses, remedy, 0))
    if n.size != x.size or n.size < 2:
        raise ParameterError(
            f"responses has {x.size} entries and patients has {n.size}; they must have one for "
            f"each of at least two studies; {remedy}"
        )
    if np.any(x > n):
        worst = int(np.flatnonzero(x > n)[0])
        raise ParameterError(
            f"responses is {x[worst]} of {n[worst]} patients; a part is no larger than the whole; "
            "correct it"
        )
    largest = float(n.sum())

    def law(v: np.ndarray) -> tuple[float, float]:
        size = float(np.exp(v[1]))
        return size * float(expit(v[0])), size * float(expit(-v[0]))

    def cost(v: np.ndarray) -> float:
        a, b = law(v)
        return -float(np.sum(betaln(a + x, b + n - x) - betaln(a, b)))

    pooled = float(np.clip(logit((x.sum() + 0.5) / (n.sum() + 1.0)), -_LOGIT, _LOGIT))
    bounds = [(-_LOGIT, _LOGIT), (np.log(_SMALLEST_SIZE), np.log(largest))]
    # The likelihood may have a summit inside and another one at the end of chance alone.
    starts = [np.log(np.clip(size, _SMALLEST_SIZE, largest)) for size in (2.0, 20.0, largest)]
    found = [
        minimize(cost, [pooled, start], method="L-BFGS-B", bounds=bounds, tol=1e-14)
        for start in starts
    ]
    return law(min(found, key=lambda fit: float(fit.fun)).x)
