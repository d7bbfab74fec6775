"""The continual reassessment method as designs: for complete data, and for patients in between.

`CRM` (O'Quigley, Pepe and Fisher 1990, doi:10.2307/2531628, DOI not checked) gives the next
patients the level whose estimated toxicity is nearest the target. `TiteCRM` (Cheung and Chappell
2000, doi:10.1111/j.0006-341X.2000.01177.x) does so while earlier patients are still followed.
Three rules of practice are added to the bare method: a level is never skipped on the way up, nobody
goes up from a level that shows more toxicity than the target, and the trial stops when even the
lowest level is too toxic.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from car_relapse.errors import ParameterError, require_fraction, require_instance
from car_relapse.trial.dose.crm_fit import CrmFit, likeliest, posterior
from car_relapse.trial.dose.crm_model import WorkingModel
from car_relapse.trial.dose.designs import (
    NONE,
    STOP,
    WAIT,
    DoseData,
    Ints,
    current_levels,
    require_data,
    settled,
)

__all__ = ["CRM", "TiteCRM"]

Truths = NDArray[np.bool_]
Method = Literal["bayes", "mle"]
Estimate = Literal["plug-in", "mean"]

_FEWEST = 3
# Whole numbers of toxicities are compared with products that round.
_ROUNDING = 1e-9


@dataclass(frozen=True, kw_only=True)
class CRM:
    """The continual reassessment method, for patients who have been followed to the end.

    Examples
    --------
    Nine patients, and three toxicities at the level where the target was expected:

    >>> from car_relapse.trial.dose.designs import DoseData
    >>> design = CRM(model=WorkingModel(skeleton=(0.07, 0.16, 0.3, 0.4, 0.46)), target=0.3)
    >>> seen = DoseData(treated=[3, 3, 3, 0, 0], toxic=[0, 1, 2, 0, 0])
    >>> int(design.next_level(seen, 3))
    2
    """

    model: WorkingModel
    """The curve and its prior."""
    target: float
    """Probability of toxicity that is sought, in (0, 1)."""
    method: Method = "bayes"
    """``bayes``: the posterior. ``mle``: the likeliest curve, which exists once somebody has had a
    toxicity and somebody else none; before that, one level up after no toxicity, and the lowest
    level after nothing else."""
    estimate: Estimate = "plug-in"
    """Which estimate of toxicity is compared with the target: the curve at the mean of b
    (``plug-in``), or the mean of the curve (``mean``; not with ``mle``)."""
    stop_above: float | None = 0.95
    """From 3 patients on, stop when the posterior probability that the lowest level is more toxic
    than the target exceeds this, in [0, 1]; None never stops."""

    def __post_init__(self) -> None:
        require_instance("model", self.model, WorkingModel, "give a WorkingModel")
        # Its errors are those of a target: outside (0, 1), or beyond the end of the curve.
        self.model.crossing(self.target)
        for name, kind in (("method", Method), ("estimate", Estimate)):
            if getattr(self, name) not in get_args(kind):
                raise ParameterError(
                    f"{name} is {getattr(self, name)!r}; it must be one of "
                    f"{', '.join(get_args(kind))}"
                )
        if self.method == "mle" and self.estimate == "mean":
            raise ParameterError(
                "method is 'mle' and estimate is 'mean'; the likeliest curve has no mean; leave "
                "estimate out"
            )
        if self.stop_above is not None:
            require_fraction("stop_above", self.stop_above, "0.95 is usual", scalar=True)

    def fit(self, data: DoseData) -> CrmFit:
        """Return what `data` say about the curve, by the method of this design."""
        if self.method == "mle":
            return likeliest(self.model, data)
        return posterior(self.model, data, self.target)

    def next_level(self, data: DoseData, current: ArrayLike) -> Ints:
        """Return the level for the next patients, `STOP`, or `WAIT` for the pending."""
        return settled(self._next, data, current)

    def _next(self, treated: Ints, toxic: Ints, current: Ints) -> Ints:
        # Many trials side by side have few different counts.
        j = treated.shape[-1]
        rows = np.concatenate([treated, toxic], axis=-1).reshape(-1, 2 * j)
        kinds, kind = np.unique(rows, axis=0, return_inverse=True)
        seen = DoseData(treated=kinds[:, :j], toxic=kinds[:, j:])
        nearest, too_toxic = self._judged(seen)
        kind = kind.reshape(current.shape)
        return self._answer(treated, toxic, current, nearest[kind], too_toxic[kind])

    def _answer(
        self, treated: Ints, toxic: Ints, current: Ints, nearest: Ints, too_toxic: Truths
    ) -> Ints:
        here = (current - 1)[..., None]
        n = np.take_along_axis(treated, here, axis=-1)[..., 0]
        x = np.take_along_axis(toxic, here, axis=-1)[..., 0]
        up = np.minimum(current + 1, treated.shape[-1])
        level = np.minimum(nearest, np.where(x > self.target * n + _ROUNDING, current, up))
        return np.asarray(np.where(too_toxic, STOP, level))

    def recommend(self, data: DoseData) -> Ints:
        """Return the level nearest the target, none above the highest tried, or `NONE`."""
        require_data(data)
        nearest, too_toxic = self._judged(data)
        tried = np.max(np.where(data.treated > 0, np.arange(1, data.levels + 1), 0), axis=-1)
        return np.asarray(np.where(too_toxic, NONE, np.minimum(nearest, tried)))

    def _judged(self, data: DoseData) -> tuple[Ints, Truths]:
        """Return the level nearest the target, and whether even the lowest is too toxic."""
        fit = self.fit(data)
        toxicity = fit.plug_in
        if self.estimate == "mean":
            assert fit.mean is not None
            toxicity = fit.mean
        # Of two as near the target, the lower. Where no toxicity has been seen, all are as near.
        nearest = 1 + np.argmin(np.abs(toxicity - self.target), axis=-1)
        nearest = np.where(np.isposinf(fit.b), data.levels, nearest)
        if self.stop_above is None:
            return nearest, np.zeros(nearest.shape, dtype=bool)
        if fit.above is None:
            fit = posterior(self.model, data, self.target)
        assert fit.above is not None
        some = data.treated.sum(axis=-1) >= _FEWEST
        return nearest, np.asarray((fit.above[..., 0] > self.stop_above) & some)


@dataclass(frozen=True, kw_only=True)
class TiteCRM(CRM):
    """The time-to-event continual reassessment method: patients enter while others are followed.

    Whoever is still followed without toxicity counts for the share of the window that has
    passed. Data of a trial with pending patients must have them one by one, as `tally` gives.
    """

    #: Whether patients may count in part.
    weighs_follow_up: ClassVar[bool] = True

    most_pending: float = 1.0
    """Wait while more than this share of the patients at the current level is pending, in
    [0, 1]; 1 never waits."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require_fraction("most_pending", self.most_pending, "1 never waits", scalar=True)

    def next_level(self, data: DoseData, current: ArrayLike) -> Ints:
        """Return the level for the next patients, `STOP`, or `WAIT` for more of the pending."""
        require_data(data)
        now = current_levels(data, current)
        here = (now - 1)[..., None]
        pending = np.take_along_axis(data.pending, here, axis=-1)[..., 0]
        treated = np.take_along_axis(data.treated, here, axis=-1)[..., 0]
        answer = self._answer(data.treated, data.toxic, now, *self._judged(data))
        return np.asarray(np.where(pending > self.most_pending * treated, WAIT, answer))
