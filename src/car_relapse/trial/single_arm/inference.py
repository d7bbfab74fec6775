r"""After a two-stage trial: what the responses say, when the trial could have stopped.

The share of responders is biased downwards: unlucky trials stop early and keep their bad luck.
Three answers know of the stop. The *unbiased estimate* of least variance averages the share of the
first stage over all ways to the same outcome (Jung & Kim 2004, Stat Med 23:881). The *p-value* and
the *interval* order outcomes stage by stage: one that went on speaks for a higher rate than one
that stopped, and within a stage more responses speak for a higher rate (Koyama & Chen 2008,
doi:10.1002/sim.3123). Porcher and Desseaux compare these and others
(2012, doi:10.1186/1471-2288-12-117).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import comb

from scipy.optimize import brentq

from car_relapse.errors import ParameterError, require_count, require_instance
from car_relapse.trial._checks import strictly_between
from car_relapse.trial.single_arm.looks import Looks

__all__ = ["TwoStageResult", "after_two_stages", "stage_wise_tail"]

_UNKNOWN = "give a two-stage design that stops early for futility alone, as `simon` does"


@dataclass(frozen=True, kw_only=True)
class TwoStageResult:
    """What a finished two-stage trial says about the response rate."""

    patients: int
    """Patients treated: of the first stage, or of both."""
    responses: int
    """Patients who responded."""
    unbiased: float
    """Unbiased estimate of least variance of the response rate, in [0, 1]."""
    p_value: float
    """Stage-wise one-sided p-value of the null rate."""
    low: float
    """Lower limit of the stage-wise exact interval, in [0, 1]."""
    high: float
    """Upper limit, in [0, 1]."""
    level: float
    """Coverage of the interval, both sides together; it is at least that."""

    @property
    def share(self) -> float:
        """Share of the patients who responded, which is biased: low when stops are likely."""
        return self.responses / self.patients


def _at_least(design: Looks, second: bool, responses: int) -> Looks:
    """Return the trial whose success is such an outcome, or one that speaks for a higher rate."""
    n1, n = design.patients
    few = responses - 1 if responses else None
    if not second:
        return Looks(patients=(n1,), futile=(few,), enough=(responses,))
    return Looks(patients=(n1, n), futile=(design.futile[0], few), enough=(None, responses))


def _outcome(design: Looks, responses: int, patients: int) -> tuple[bool, int]:
    """Return whether the trial reached its second stage, and its responses, or raise."""
    require_instance("design", design, Looks, _UNKNOWN)
    if len(design.patients) != 2 or design.enough[0] is not None or design.futile[0] is None:
        raise ParameterError(f"design is {design}; it must have one early stop, for futility; "
                             f"{_UNKNOWN}")  # fmt: skip
    n = require_count("patients", patients, "give the patients treated", minimum=1)
    if n not in design.patients:
        raise ParameterError(
            f"patients is {n}; the stages of this design end at {design.patients[0]} and "
            f"{design.patients[1]}; give the number treated, as planned"
        )
    x = require_count("responses", responses, "give a part of the patients treated", maximum=n)
    second, limit = n == design.patients[1], design.futile[0]
    if second and x <= limit:
        raise ParameterError(
            f"responses is {x} of {n}; this trial would have stopped after "
            f"{design.patients[0]} patients with {limit} responses or fewer; correct one of them"
        )
    if not second and x > limit:
        raise ParameterError(
            f"responses is {x} of {n}; with more than {limit} this trial goes on to "
            f"{design.patients[1]} patients; wait for them"
        )
    return second, x


def stage_wise_tail(design: Looks, responses: int, patients: int, rate: float) -> float:
    """Return the probability of an outcome, or of one that speaks for a higher rate.

    At the null rate it is the p-value; as a function of the rate it rises from 0 to 1, and limits
    of the rate are where it takes given values.

    Parameters
    ----------
    design : Looks
        Two looks, with an early stop for futility alone.
    responses, patients : int
        Responses, and patients treated: the first stage's, or both stages'.
    rate : float
        Response rate, in [0, 1].

    Returns
    -------
    float
        Probability.

    Raises
    ------
    ParameterError
        When the design is another one, or cannot have that outcome.

    Examples
    --------
    >>> trial = Looks(patients=(19, 54), futile=(4, 15), enough=(None, 16))
    >>> round(stage_wise_tail(trial, 20, 54, 0.2), 6)
    0.00264
    """
    second, x = _outcome(design, responses, patients)
    return _at_least(design, second, x).operating(rate).success


def _unbiased(design: Looks, second: bool, x: int) -> float:
    """Return the mean share of the first stage over all ways to an outcome."""
    n1, n = design.patients
    if not second:
        return x / n1
    goes_on = (design.futile[0] or 0) + 1
    first = range(max(goes_on, x - (n - n1)), min(n1, x) + 1)
    ways = sum(comb(n1, k) * comb(n - n1, x - k) for k in first)
    # Whole numbers of any size: their ratio is rounded once.
    return sum(comb(n1 - 1, k - 1) * comb(n - n1, x - k) for k in first) / ways


def _solve(trial: Looks, probability: float) -> float:
    """Return the rate at which a trial succeeds with a given probability."""
    return float(brentq(lambda p: trial.operating(p).success - probability, 0.0, 1.0, xtol=1e-13))


def after_two_stages(
    design: Looks, responses: int, patients: int, *, null: float, level: float = 0.9
) -> TwoStageResult:
    """Return estimate, p-value and interval after a trial of two stages that went as planned.

    The upper limit is the rate at which this outcome or a lower one has half of one minus the
    level as its probability. R's clinfun (1.1.5) reports another one, the rate at which this
    outcome *or a higher one* has the complement as its probability; it is lower, and covers less.

    Parameters
    ----------
    design : Looks
        Two looks, with an early stop for futility alone, as `simon` gives.
    responses, patients : int
        Responses, and patients treated: the first stage's when the trial stopped there.
    null : float
        Response rate not worth pursuing, strictly between 0 and 1.
    level : float, optional
        Coverage of the interval, strictly between 0 and 1; 0.9 fits a one-sided test at 0.05.

    Returns
    -------
    TwoStageResult

    Raises
    ------
    ParameterError
        When the design is another one, or cannot have that outcome.

    Examples
    --------
    >>> trial = Looks(patients=(19, 54), futile=(4, 15), enough=(None, 16))
    >>> result = after_two_stages(trial, 20, 54, null=0.2)
    >>> round(result.share, 4), round(result.unbiased, 4), round(result.p_value, 5)
    (0.3704, 0.3826, 0.00264)
    >>> round(result.low, 4), round(result.high, 4)
    (0.2621, 0.4954)
    """
    second, x = _outcome(design, responses, patients)
    p0 = strictly_between("null", null, "give the response rate that is not worth pursuing")
    covered = strictly_between("level", level, "give 0.9 or so")
    tail = (1.0 - covered) / 2.0
    here = _at_least(design, second, x)
    low, high = 0.0, 1.0
    if second or x:
        low = _solve(here, tail)
    if not second or x < patients:
        # The next outcome up: after the last one that stops, any that goes on.
        above = _at_least(design, second, x + 1)
        high = _solve(above, 1.0 - tail)
    return TwoStageResult(
        patients=int(patients),
        responses=x,
        unbiased=_unbiased(design, second, x),
        p_value=here.operating(p0).success,
        low=low,
        high=high,
        level=covered,
    )
