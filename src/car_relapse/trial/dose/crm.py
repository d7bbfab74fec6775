"""The continual reassessment method as designs: for complete data, and for patients in between.

`CRM` (doi:10.2307/2531628) gives the next patients the level whose estimated toxicity is nearest
the target. `TiteCRM` (doi:10.1111/j.0006-341X.2000.01177.x) does so while earlier patients are
still followed. Three rules of practice are added, because the first papers have none: a level is
never skipped on the way up, nobody goes up from a level that shows more toxicity than the target,
and the trial stops when even the lowest level is too toxic.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from car_relapse.errors import ParameterError, require_fraction, require_instance
from car_relapse.trial.dose.crm_fit import CrmFit, likeliest, posterior
from car_relapse.trial.dose.crm_model import WorkingModel
from car_relapse.trial.dose.designs import NONE, STOP, WAIT, DoseData, current_levels

__all__ = ["CRM", "TiteCRM"]

Ints = NDArray[np.int64]
Method = Literal["bayes", "mle"]
Estimate = Literal["plug-in", "mean"]

_FEWEST = 3


@dataclass(frozen=True, kw_only=True)
class CRM:
    """The continual reassessment method, which waits until everybody has been followed.

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
    """``bayes``: the posterior; ``mle``: the likeliest curve, and, until a toxicity and a patient
    without one have been seen, one level up or down."""
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
        """Return the level for the next patients, `STOP`, or `WAIT` while some are followed.

        Parameters
        ----------
        data : DoseData
            Of all patients treated so far.
        current : array_like of int
            Level at which the latest patients were treated, from 1.
        """
        require_instance("data", data, DoseData, "give a DoseData")
        now = current_levels(data, current)
        fit = self.fit(data)
        up = np.minimum(now + 1, data.levels)
        here = (now - 1)[..., None]
        treated = np.take_along_axis(data.treated, here, axis=-1)[..., 0]
        toxic = np.take_along_axis(data.toxic, here, axis=-1)[..., 0]
        up = np.where(toxic > self.target * treated, now, up)
        level = np.minimum(self._nearest(fit), up)
        level = np.where(self._too_toxic(data, fit), STOP, level)
        return np.asarray(np.where(self._waits(data, now), WAIT, level))

    def recommend(self, data: DoseData) -> Ints:
        """Return the level nearest the target, none above the highest tried, or `NONE`."""
        require_instance("data", data, DoseData, "give a DoseData")
        fit = self.fit(data)
        tried = np.max(np.where(data.treated > 0, np.arange(1, data.levels + 1), 0), axis=-1)
        level = np.minimum(self._nearest(fit), tried)
        return np.asarray(np.where(self._too_toxic(data, fit), NONE, level))

    def _nearest(self, fit: CrmFit) -> Ints:
        toxicity = fit.plug_in
        if self.estimate == "mean":
            assert fit.mean is not None
            toxicity = fit.mean
        # Of two as near the target, the lower. Where no toxicity has been seen, all are as near.
        nearest = 1 + np.argmin(np.abs(toxicity - self.target), axis=-1)
        return np.asarray(np.where(np.isposinf(fit.b), toxicity.shape[-1], nearest))

    def _too_toxic(self, data: DoseData, fit: CrmFit) -> NDArray[np.bool_]:
        if self.stop_above is None:
            return np.zeros(data.treated.shape[:-1], dtype=bool)
        above = posterior(self.model, data, self.target).above if fit.above is None else fit.above
        assert above is not None
        return np.asarray(
            (above[..., 0] > self.stop_above) & (data.treated.sum(axis=-1) >= _FEWEST)
        )

    def _waits(self, data: DoseData, now: Ints) -> NDArray[np.bool_]:
        return np.asarray(data.pending.any(axis=-1))


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

    def _waits(self, data: DoseData, now: Ints) -> NDArray[np.bool_]:
        here = (now - 1)[..., None]
        pending = np.take_along_axis(data.pending, here, axis=-1)[..., 0]
        treated = np.take_along_axis(data.treated, here, axis=-1)[..., 0]
        return np.asarray(pending > self.most_pending * treated)
