"""One trial at a time: its tests as plain numbers.

The same computations as for many trials, for one data set. Where no event compares the groups an
error says so, instead of the NaN that marks such a trial among many.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from car_relapse.errors import ParameterError, require_non_negative
from car_relapse.trial.competing_risks.gray import gray_tests
from car_relapse.trial.competing_risks.rank_tests import RankTests, log_rank_tests
from car_relapse.trial.competing_risks.risk_sets import one_data_set

__all__ = ["RankTest", "gray_test", "log_rank", "one_sample_log_rank"]


@dataclass(frozen=True, kw_only=True)
class RankTest:
    """A test that compares events with those expected, one degree of freedom."""

    observed: float
    """Events of the experimental group, weighted as the test weighs them."""
    expected: float
    """The same as expected when nothing differs."""
    variance: float
    """Variance of their difference when nothing differs."""
    z: float
    """Difference in units of its standard deviation; > 0 when there are more events."""
    statistic: float
    """Chi-square statistic, the square of `z`."""
    p_value: float
    """Two-sided p-value."""


def _row(tests: Sequence[RankTests], what: str) -> RankTest:
    total = RankTests(
        observed=np.sum([t.observed for t in tests], axis=0),
        expected=np.sum([t.expected for t in tests], axis=0),
        variance=np.sum([t.variance for t in tests], axis=0),
    )
    if not total.variance[0] > 0:
        raise ParameterError(
            f"there is no event of {what} while patients of both groups are at risk; nothing can "
            "be compared; look at another cause, or follow longer"
        )
    return RankTest(
        observed=float(total.observed[0]),
        expected=float(total.expected[0]),
        variance=float(total.variance[0]),
        z=float(total.z[0]),
        statistic=float(total.statistic[0]),
        p_value=float(total.p_value[0]),
    )


def log_rank(
    time: ArrayLike,
    cause: ArrayLike,
    group: ArrayLike,
    *,
    of: int | None = None,
    early: bool = False,
    strata: ArrayLike | None = None,
) -> RankTest:
    """Compare the hazards of two groups.

    Parameters
    ----------
    time, cause, group
        As in `survival`; two groups.
    of : int, optional
        Cause, for the cause-specific test; events of any cause when left out.
    early : bool, optional
        Weigh events by the event-free probability just before (Peto and Peto).
    strata : array_like, shape (patients,), optional
        Patients are compared only within the same number.

    Raises
    ------
    ParameterError
        When an argument breaks its rule, or no event compares the groups.

    Examples
    --------
    >>> round(log_rank([1, 2, 3, 4], [1, 1, 1, 0], [0, 0, 1, 1]).statistic, 4)
    2.8824
    """
    what = "any cause" if of is None else f"cause {of}"
    if strata is None:
        return _row([log_rank_tests(one_data_set(time, cause, group), of=of, early=early)], what)
    stratum = require_non_negative("strata", strata, "give one number per patient")
    if stratum.shape != np.shape(time):
        raise ParameterError(
            f"strata has shape {stratum.shape} and time has shape {np.shape(time)}; they must have "
            "one entry per patient; give one number per patient"
        )
    parts = [one_data_set(time, cause, group, stratum == value) for value in np.unique(stratum)]
    return _row([log_rank_tests(part, of=of, early=early) for part in parts], what)


def gray_test(
    time: ArrayLike, cause: ArrayLike, group: ArrayLike, *, of: int, rho: float = 0.0
) -> RankTest:
    """Compare the cumulative incidence of a cause between two groups (Gray).

    Parameters
    ----------
    time, cause, group
        As in `survival`; two groups.
    of : int
        Cause.
    rho : float, optional
        Power of the weight; above 0 early events count more.

    Raises
    ------
    ParameterError
        When an argument breaks its rule, or no event compares the groups.

    Examples
    --------
    Without other causes as many events are expected as in the log-rank test.

    >>> round(gray_test([1, 2, 3, 4], [1, 1, 1, 0], [0, 0, 1, 1], of=1).expected, 4)
    2.1667
    """
    return _row([gray_tests(one_data_set(time, cause, group), of=of, rho=rho)], f"cause {of}")


def one_sample_log_rank(
    cause: ArrayLike, cumulative_hazard: ArrayLike, *, of: int | None = None
) -> RankTest:
    """Compare a single arm with a curve that is taken as known.

    The events expected are the sum, over patients, of the known cumulative hazard at the end of
    their follow-up; their number is compared with those observed as a Poisson count is.

    Parameters
    ----------
    cause : array_like, shape (patients,)
        0 for censored, otherwise the number of the cause.
    cumulative_hazard : array_like, shape (patients,)
        Cumulative hazard of the known curve at the time of each patient, >= 0.
    of : int, optional
        Cause; events of any cause when left out.

    Raises
    ------
    ParameterError
        When an argument breaks its rule, or no event is expected.

    Examples
    --------
    >>> round(one_sample_log_rank([1, 0, 0, 1], [0.5, 1.0, 0.5, 1.5]).z, 3)
    -0.802
    """
    known = require_non_negative("cumulative_hazard", cumulative_hazard, "give one per patient")
    data = one_data_set(known, cause, None)
    expected = np.array([known.sum()])
    observed = np.array([np.count_nonzero(data.marks(of))], dtype=float)
    return _row([RankTests(observed=observed, expected=expected, variance=expected)], "any cause")
