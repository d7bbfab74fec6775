r"""One stage: how many patients, and how many of them must respond.

A response is whatever is wanted. Where an event is to be rare, such as antigen-negative relapse,
count the patients without it: to show that fewer than a quarter relapse in that way is to show
that more than three quarters do not.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.optimize import brentq
from scipy.special import bdtr, bdtrc, ndtri, rel_entr

from car_relapse.errors import ParameterError, require_count
from car_relapse.trial._checks import strictly_between
from car_relapse.trial.single_arm.looks import MOST_PATIENTS, Looks

__all__ = ["ahern", "exact_test", "fleming_patients"]


def rates(null: float, alternative: float) -> tuple[float, float]:
    """Return the two response rates of a design, or raise."""
    p0 = strictly_between("null", null, "give the response rate that is not worth pursuing")
    p1 = strictly_between("alternative", alternative, "give the response rate that is hoped for")
    if p1 <= p0:
        raise ParameterError(
            f"alternative is {p1:g} and null is {p0:g}; it must be larger; where an event is to be "
            "rare, count the patients without it"
        )
    return p0, p1


def errors(alpha: float, beta: float) -> tuple[float, float]:
    """Return the two error rates of a design, or raise."""
    a = strictly_between("alpha", alpha, "give the one-sided type I error, such as 0.05")
    b = strictly_between("beta", beta, "give one minus the power, such as 0.2")
    if a + b >= 1.0:
        raise ParameterError(
            f"alpha is {a:g} and beta is {b:g}; their sum must be below 1, or tossing a coin "
            "would do; give 0.05 and 0.2 or so"
        )
    return a, b


def _needed(patients: int, null: float, alpha: float) -> int:
    """Return the fewest responses whose tail is at most `alpha`; one more than all if none is."""
    return 1 + int(np.argmax(bdtrc(np.arange(patients + 1), patients, null) <= alpha))


def _one_look(patients: int, needed: int) -> Looks:
    return Looks(patients=(patients,), futile=(needed - 1,), enough=(needed,))


def exact_test(patients: int, null: float, alpha: float = 0.05) -> Looks:
    """Return the one-sided exact binomial test of a response rate.

    Parameters
    ----------
    patients : int
        Patients, from 1 to 2000.
    null : float
        Response rate not worth pursuing, strictly between 0 and 1.
    alpha : float, optional
        Largest one-sided type I error, strictly between 0 and 1.

    Returns
    -------
    Looks
        With one look; its `enough` is the fewest responses that reject the null rate.

    Raises
    ------
    ParameterError
        When an argument breaks its rule, or when not even responses of all patients would reject.

    Examples
    --------
    Fewer than a quarter of 45 patients relapse in some way: more than three quarters do not.

    >>> trial = exact_test(45, 0.75)
    >>> trial.enough, [round(trial.operating(p).success, 4) for p in (0.75, 0.9)]
    ((39,), [0.0446, 0.8415])

    The error when the rate without the new product is not 0.75 but 0.85:

    >>> round(trial.operating(0.85).success, 4)
    0.4782
    """
    remedy = "give a number of patients"
    n = require_count("patients", patients, remedy, minimum=1, maximum=MOST_PATIENTS)
    p0 = strictly_between("null", null, "give the response rate that is not worth pursuing")
    a = strictly_between("alpha", alpha, "give the one-sided type I error, such as 0.05")
    needed = _needed(n, p0, a)
    if needed > n:
        raise ParameterError(
            f"patients is {n}; even {n} of {n} responses would not reject a rate of {p0:g} at "
            f"{a:g}; give more patients or a larger alpha"
        )
    return _one_look(n, needed)


def _always_enough(p0: float, p1: float, alpha: float, beta: float) -> float:
    r"""Return a number of patients from which on an exact test always exists.

    By Chernoff's bound both errors are met where the number needed, as a share x of n, has
    :math:`n D(x|p_0) \ge -\ln\alpha` and :math:`n D(x|p_1) \ge -\ln\beta`, with the relative
    entropy D of two coins.
    """

    def entropy(x: float, p: float) -> float:
        return max(float(rel_entr(x, p) + rel_entr(1.0 - x, 1.0 - p)), 0.0)

    la, lb = -math.log(alpha), -math.log(beta)
    x = brentq(lambda x: entropy(x, p0) * lb - entropy(x, p1) * la, p0, p1, xtol=1e-300)
    least = entropy(x, p0) / la
    return 1.0 / least if least > 0 else math.inf


def ahern(
    null: float, alternative: float, *, alpha: float = 0.05, beta: float = 0.2, stable: bool = False
) -> Looks:
    r"""Return the smallest exact one-stage design (A'Hern 2001, doi:10.1002/sim.721).

    Exact power rises with the number of patients like a saw: it drops whenever one more response
    becomes necessary. So a design may do with n patients while none does with n + 1.

    Parameters
    ----------
    null, alternative : float
        Response rates not worth pursuing, and hoped for; 0 < null < alternative < 1.
    alpha : float, optional
        Largest one-sided type I error.
    beta : float, optional
        Largest type II error: one minus the power. alpha + beta < 1.
    stable : bool, optional
        Whether every larger number of patients must do as well, so that one patient more or
        less than planned costs no promise (Chernick & Liu 2002, doi:10.1198/000313002317572835).

    Returns
    -------
    Looks
        With one look.

    Raises
    ------
    ParameterError
        When an argument breaks its rule, or when more than 2000 patients would be needed.

    Examples
    --------
    >>> ahern(0.2, 0.4).patients, ahern(0.2, 0.4).enough, ahern(0.2, 0.4, stable=True).patients
    ((35,), (12,), (38,))
    """
    p0, p1 = rates(null, alternative)
    a, b = errors(alpha, beta)

    def does(n: int) -> bool:
        return bool(bdtr(_needed(n, p0, a) - 1, n, p1) <= b)

    enough = _always_enough(p0, p1, a, b)
    if enough <= MOST_PATIENTS:
        n = math.ceil(enough)
        if stable:
            while n > 1 and does(n - 1):
                n -= 1
        else:
            n = next(n for n in range(1, n + 1) if does(n))
    else:
        n = 0 if stable else next((n for n in range(1, MOST_PATIENTS + 1) if does(n)), 0)
    if not n:
        raise ParameterError(
            f"alternative is {p1:g} and null is {p0:g}; to tell them apart takes more than "
            f"{MOST_PATIENTS} patients; give rates further apart or larger errors"
        )
    return _one_look(n, _needed(n, p0, a))


def fleming_patients(
    null: float, alternative: float, *, alpha: float = 0.05, beta: float = 0.2
) -> float:
    r"""Return the number of patients by the normal law, which A'Hern's replaces.

    .. math::

        n = \left(\frac{z_\alpha\sqrt{p_0(1-p_0)} + z_\beta\sqrt{p_1(1-p_1)}}{p_1-p_0}\right)^2

    Parameters
    ----------
    null, alternative, alpha, beta : float
        As in `ahern`.

    Returns
    -------
    float
        Patients, not rounded.

    Raises
    ------
    ParameterError
        When an argument breaks its rule.

    Examples
    --------
    >>> round(fleming_patients(0.2, 0.4), 2)
    28.64
    """
    p0, p1 = rates(null, alternative)
    a, b = errors(alpha, beta)
    spread = -ndtri(a) * math.sqrt(p0 * (1.0 - p0)) - ndtri(b) * math.sqrt(p1 * (1.0 - p1))
    # Beyond a median error the sum may be negative: then one patient is more than enough.
    return float(max(spread, 0.0) / (p1 - p0)) ** 2
