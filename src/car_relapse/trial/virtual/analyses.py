r"""What is computed from each virtual trial: tests, and the estimates that belong to them.

Every analysis compares one experimental arm with the control and gives an estimate, its standard
error and a two-sided p-value. Rank tests estimate the log hazard ratio by one step from no effect,
score over variance; that is biased towards no effect when the effect is large, as its table shows.
Weighted tests (early log-rank, Gray) estimate something of the kind, which has no truth here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc

from car_relapse.errors import (
    ParameterError,
    require_count,
    require_instance,
    require_positive,
)
from car_relapse.followup import Cause
from car_relapse.trial._checks import choice
from car_relapse.trial.competing_risks import (
    RiskSets,
    contrasts,
    event_free,
    gray_tests,
    incidences,
    log_rank_tests,
    restricted_means,
    risk_sets,
)
from car_relapse.trial.virtual.design import Arm, Trial
from car_relapse.trial.virtual.worlds import Estimand, Worlds

__all__ = ["Among", "Analysis", "Kind"]

Kind = Literal["log-rank", "early log-rank", "gray", "incidence", "restricted mean", "share"]
Among = Literal["all", "responders"]

Floats = NDArray[np.float64]

_TIMED = ("incidence", "restricted mean")
_CODES = max(Cause) + 1
_RELAPSES = (
    Cause.ANTIGEN_POSITIVE,
    Cause.ANTIGEN_NEGATIVE,
    Cause.PARTIAL_LOSS,
    Cause.LINEAGE_SWITCH,
)


@dataclass(frozen=True, kw_only=True)
class Analysis:
    """One analysis of a trial.

    Examples
    --------
    >>> Analysis(kind="gray", causes=(Cause.ANTIGEN_NEGATIVE,)).name
    'gray antigen negative'
    """

    kind: Kind
    """``log-rank`` and ``early log-rank`` (Peto and Peto) compare hazards; ``gray`` compares
    cumulative incidences over all time, ``incidence`` at one month; ``restricted mean`` compares
    the mean event-free time up to one month; ``share`` compares the share of relapses that have
    one of `causes` (an endpoint that misleads, see the chapter)."""
    causes: tuple[Cause, ...] | None = None
    """The events of interest; None for events of any kind."""
    month: float | None = None
    """Month of ``incidence`` and ``restricted mean``."""
    estimand: Estimand = "policy"
    """How transplants are treated, see `Worlds.observed`."""
    among: Among = "all"
    """Whether those without response count (event in month 0), or are left out."""

    def __post_init__(self) -> None:
        choice("kind", self.kind, get_args(Kind))
        choice("estimand", self.estimand, get_args(Estimand))
        choice("among", self.among, get_args(Among))
        if self.causes is not None:
            if not isinstance(self.causes, tuple) or not self.causes:
                raise ParameterError(
                    f"causes is {self.causes!r}; it must be a tuple of causes, or None for any; "
                    "write (Cause.ANTIGEN_NEGATIVE,)"
                )
            for cause in self.causes:
                require_instance("causes", cause, Cause, "give members of Cause")
                if cause is Cause.CENSORED:
                    raise ParameterError(
                        "causes names CENSORED; the end of follow-up is no event; leave it out"
                    )
        if (self.month is not None) != (self.kind in _TIMED):
            raise ParameterError(
                f"month is {self.month!r} and kind is {self.kind!r}; {' and '.join(_TIMED)} have "
                "a month and the others have none; give it or leave it out"
            )
        if self.month is not None:
            require_positive("month", self.month, "count months from infusion", scalar=True)
        if self.kind == "gray" and self.causes is None:
            raise ParameterError(
                "causes is None and kind is 'gray'; it compares the incidence of some causes among "
                "others; name them, or take the log-rank test"
            )
        if self.kind == "share" and (self.causes is None or not set(self.causes) < set(_RELAPSES)):
            raise ParameterError(
                f"causes is {self.causes!r} and kind is 'share'; it is the share of some kinds of "
                "relapse among all; name them"
            )
        if self.kind == "restricted mean" and (
            self.causes is not None or self.estimand == "competing"
        ):
            raise ParameterError(
                f"causes is {self.causes!r} and estimand is {self.estimand!r}; a restricted mean "
                "is that of event-free time, which has no causes and nothing that competes; leave "
                "causes out and choose another estimand"
            )

    @property
    def more_is_better(self) -> bool:
        """Whether patients are better off where the estimate is above 0: time, not events."""
        return self.kind == "restricted mean"

    @property
    def name(self) -> str:
        """What tables call it."""
        words: list[str] = [self.kind]
        if self.causes is not None:
            words.append(" or ".join(c.name.lower().replace("_", " ") for c in self.causes))
        if self.month is not None:
            words.append(f"by month {self.month:g}")
        if self.estimand != "policy":
            words.append(f"({self.estimand})")
        if self.among != "all":
            words.append(f"of {self.among}")
        return " ".join(words)

    def truth(self, trial: Trial, arm: int) -> float | None:
        """Return what the analysis estimates, or None where no closed form is known.

        It is a property of the biologies: a rule that hides relapses or their antigens makes
        estimates miss it, and the table shows by how much.

        Parameters
        ----------
        trial : Trial
            The trial.
        arm : int
            Number of the experimental arm, >= 1.

        Raises
        ------
        ParameterError
            When there is no such arm, or `month` is later than a hazard is known.
        """
        require_instance("trial", trial, Trial, "give a Trial")
        arm = require_count(
            "arm", arm, "1 is the first arm after the control",
            minimum=1, maximum=len(trial.arms) - 1,
        )  # fmt: skip
        pair = (trial.arms[0], trial.arms[arm])
        untouched = self.estimand in ("without", "hypothetical")
        if not untouched and any(a.transplant is not None for a in pair):
            return None
        if self.kind in _TIMED:
            control, experimental = (self._value(a) for a in pair)
            return experimental - control
        return self._log_ratio(pair) if self.kind == "log-rank" else None

    def _value(self, arm: Arm) -> float:
        month = float(self.month or 0.0)
        share = 1.0 if self.among == "responders" else arm.response
        if self.kind == "restricted mean":
            return share * arm.biology.restricted_mean(month)
        if self.causes is None:
            return 1.0 - share * float(arm.biology.event_free(month))
        failed = 1.0 - share if Cause.NO_REMISSION in self.causes else 0.0
        pairs = zip(arm.biology.causes, arm.biology.incidence(month), strict=True)
        return failed + share * sum(float(f) for c, f in pairs if c in self.causes)

    def _log_ratio(self, pair: tuple[Arm, Arm]) -> float | None:
        """Return the log hazard ratio where it does not change with time, otherwise None."""
        failures = self.causes is None or Cause.NO_REMISSION in self.causes
        if any(a.biology.frailty is not None for a in pair) or (
            failures and self.among == "all" and min(a.response for a in pair) < 1.0
        ):
            return None
        totals = []
        shapes = set()
        for arm in pair:
            counted = [
                (h, s)
                for h, s in zip(arm.biology.hazards, arm.biology.scales, strict=True)
                if s > 0 and (self.causes is None or h.cause in self.causes)
            ]
            shapes |= {h.shape for h, _ in counted}
            totals.append(sum(s for _, s in counted))
        if len(shapes) != 1 or min(totals) <= 0.0:
            return None
        return float(np.log(totals[1] / totals[0]))


class Reader:
    """Analyses one set of trials; sorts them once for all analyses that can share it."""

    def __init__(self, worlds: Worlds, rows: slice, arm: int) -> None:
        self._worlds = worlds
        self._rows = rows
        chosen = (worlds.group == 0) | (worlds.group == arm)
        self._columns = slice(None) if chosen.all() else np.flatnonzero(chosen)
        self._group = (worlds.group[self._columns] == arm).astype(np.int8)
        self._seen: dict[Estimand, tuple[Floats, NDArray[np.int8]]] = {}
        self._sorted: dict[object, RiskSets] = {}

    def _data(self, estimand: Estimand) -> tuple[Floats, NDArray[np.int8]]:
        if estimand == "composite":
            estimand = "competing"  # one record; the analyses differ
        if estimand not in self._seen:
            time, cause = self._worlds.observed(estimand, self._rows)
            self._seen[estimand] = time[:, self._columns], cause[:, self._columns]
        return self._seen[estimand]

    def _interest(self, analysis: Analysis) -> frozenset[Cause] | None:
        """Return the causes that count; None for every event of the record."""
        if analysis.causes is not None:
            added = {Cause.TRANSPLANT} if analysis.estimand == "composite" else set()
            return frozenset(analysis.causes) | added
        if analysis.estimand == "competing":
            return frozenset(Cause) - {Cause.CENSORED, Cause.TRANSPLANT}
        return None

    def _risk_sets(self, analysis: Analysis) -> tuple[RiskSets, int | None]:
        interest = self._interest(analysis)
        joined = interest if interest is not None and len(interest) > 1 else None
        same = "competing" if analysis.estimand == "composite" else analysis.estimand
        key = (same, analysis.among, joined)
        if key not in self._sorted:
            time, cause = self._data(analysis.estimand)
            if joined is not None:
                table = np.arange(_CODES, dtype=np.int8)
                table[list(joined)] = min(joined)
                cause = table[cause]
            within = None
            if analysis.among == "responders":
                within = cause != Cause.NO_REMISSION
            self._sorted[key] = risk_sets(time, cause, self._group, included=within)
        return self._sorted[key], None if interest is None else int(min(interest))

    def results(self, analysis: Analysis) -> tuple[Floats, Floats, Floats]:
        """Return estimate, standard error and p-value of each trial; NaN where there is none."""
        if analysis.kind == "share":
            return self._share(analysis)
        # A trial in which nobody is left to be compared divides by zero, and counts as failed.
        with np.errstate(divide="ignore", invalid="ignore"):
            return self._compared(analysis)

    def _compared(self, analysis: Analysis) -> tuple[Floats, Floats, Floats]:
        data, of = self._risk_sets(analysis)
        if analysis.kind in _TIMED:
            month = float(analysis.month or 0.0)
            sign = 1.0
            if analysis.kind == "restricted mean":
                difference = contrasts(restricted_means(data, month))
            elif of is None:
                difference, sign = contrasts(event_free(data, [month])), -1.0
            else:
                difference = contrasts(incidences(data, [month], of=of))
            value = sign * difference.value.reshape(data.trials)
            variance = difference.variance.reshape(data.trials)
        else:
            if analysis.kind == "gray":
                tests = gray_tests(data, of=int(of or 1))
            else:
                tests = log_rank_tests(data, of=of, early=analysis.kind == "early log-rank")
            informed = tests.variance > 0
            variance = np.divide(
                1.0, tests.variance, out=np.zeros_like(tests.variance), where=informed
            )
            value = tests.score * variance
        return _with_p(value, variance, variance)

    def _share(self, analysis: Analysis) -> tuple[Floats, Floats, Floats]:
        _, cause = self._data(analysis.estimand)
        counts = []
        for group in (0, 1):
            own = cause[:, self._group == group]
            relapsed = np.isin(own, _RELAPSES).sum(axis=1)
            counts.append((np.isin(own, analysis.causes or ()).sum(axis=1), relapsed))
        (x0, n0), (x1, n1) = counts
        some = (n0 > 0) & (n1 > 0)
        m0, m1 = np.where(some, n0, 1), np.where(some, n1, 1)
        p0, p1 = x0 / m0, x1 / m1
        both = (x0 + x1) / (m0 + m1)
        pooled = both * (1.0 - both) * (1.0 / m0 + 1.0 / m1)
        apart = p0 * (1.0 - p0) / m0 + p1 * (1.0 - p1) / m1
        return _with_p(p1 - p0, np.where(some, apart, 0.0), np.where(some, pooled, 0.0))


def _with_p(value: Floats, variance: Floats, tested: Floats) -> tuple[Floats, Floats, Floats]:
    """Return value, standard error and p-value; NaN where the variance of the test is 0."""
    good = (tested > 0) & np.isfinite(value)
    square = np.divide(value**2, tested, out=np.zeros_like(value), where=good)
    p = np.where(good, chdtrc(1.0, square), np.nan)
    return np.where(good, value, np.nan), np.where(good, np.sqrt(variance), np.nan), p
