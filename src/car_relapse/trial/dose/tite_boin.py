r"""TITE-BOIN: the boundaries of BOIN, with the patients who are still followed counted in part.

Of n patients at a level r have had a toxicity, and c are pending: without one so far, followed
for a total of s windows (the *standardised total follow-up time*). The design (Yuan and others
2018, doi:10.1158/1078-0432.CCR-18-0246, DOI not checked) puts in place of each unknown outcome
what the elapsed part of the window leaves of the odds of a toxicity,

.. math::

    \begin{aligned}
    \hat p &= \frac{1}{n}\left[r + \frac{\tilde p}{1 - \tilde p}\,(c - s)\right], \\
    \tilde p &= \frac{r + \phi/2}{n - c + 1},
    \end{aligned}

where :math:`\tilde p` is the posterior mean toxicity of those whose outcome is known, under a
prior that is worth one patient and has half the target :math:`\phi` as its mean. :math:`\hat p`
meets the two boundaries of BOIN, so each decision is a threshold of s and stands in a table before
the trial begins. Without pending patients the design is BOIN.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from car_relapse.errors import require_count, require_fraction
from car_relapse.trial.dose._checks import require_numbers_of_patients
from car_relapse.trial.dose.designs import STOP, WAIT, DoseData, Ints, current_levels, require_data
from car_relapse.trial.dose.interval_designs import _ROUNDING, BOIN

__all__ = ["FollowUpRow", "TiteBOIN"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class FollowUpRow:
    """What the design decides for some patients at a level, by how long they were followed."""

    patients: int
    """Patients treated at the level."""
    toxic: int
    """Those with a dose-limiting toxicity."""
    pending: int
    """Those without one so far whose window has not passed."""
    suspend: bool
    """Whether nobody is treated until more have been followed."""
    escalate: float | None
    """Go up when the pending were followed for this many windows in total or more; 0 always,
    None never."""
    deescalate: float | None
    """Go down when they were followed for this many windows or fewer; infinite always, None
    never."""


@dataclass(frozen=True, kw_only=True)
class TiteBOIN(BOIN):
    """The time-to-event Bayesian optimal interval design.

    Examples
    --------
    >>> design = TiteBOIN(target=0.2)
    >>> round(design.follow_up_row(9, 1, 3).escalate, 3)
    0.773
    """

    #: Whether patients may count in part.
    weighs_follow_up: ClassVar[bool] = True

    most_pending: float = 0.5
    """Wait while more than this share of the patients at the current level is pending, in
    [0, 1], unless the toxicities seen already ask for a lower level."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require_fraction("most_pending", self.most_pending, "0.5 is usual", scalar=True)

    def toxicity(self, data: DoseData) -> Floats:
        """Return the estimated toxicity of each level, the pending in part; NaN where untried."""
        require_data(data)
        n, r, c = data.treated, data.toxic, data.pending
        expected = r + self._odds(n, r, c) * (c - np.minimum(data.followed, c))
        return np.asarray(np.divide(expected, n, out=np.full(n.shape, np.nan), where=n > 0))

    def _odds(self, n: Ints, r: Ints, c: Ints) -> Floats:
        p = (r + 0.5 * self.target) / (n - c + 1.0)
        return np.asarray(p / (1.0 - p))

    def next_level(self, data: DoseData, current: ArrayLike) -> Ints:
        """Return the level for the next patients, `STOP`, or `WAIT` for the pending."""
        now = current_levels(data, current)
        here = now[..., None] - 1
        n, r, c, share = (
            np.take_along_axis(v, here, axis=-1)[..., 0]
            for v in (data.treated, data.toxic, data.pending, self.toxicity(data))
        )
        ceiling = self._ceiling(data.treated, data.toxic)
        # A level at which nobody was treated has no share, and nobody moves.
        up = (share <= self.escalation_boundary + _ROUNDING).astype(np.int64)
        down = share >= self.deescalation_boundary - _ROUNDING
        answer = np.minimum(np.maximum(now + up - down, 1), ceiling)
        seen_down = r >= self.deescalation_boundary * n - _ROUNDING
        wait = (c > self.most_pending * n) & ~seen_down & (ceiling >= now)
        stop = ceiling == 0
        if self.enough is not None:
            stop |= (answer == now) & (n >= self.enough) & ~wait
        return np.asarray(np.where(stop, STOP, np.where(wait, WAIT, answer)))

    def follow_up_row(self, patients: int, toxic: int, pending: int) -> FollowUpRow:
        """Return the decision for these counts at a level, as thresholds of the follow-up.

        Parameters
        ----------
        patients : int
            Patients treated at the level, from 1 to 1000.
        toxic, pending : int
            Some of them, >= 0; together at most all.
        """
        n = require_count("patients", patients, "count those at the level", minimum=1, maximum=1000)
        r = require_count("toxic", toxic, "count some of the patients", maximum=n)
        c = require_count("pending", pending, "count those without toxicity", maximum=n - r)
        odds = float(self._odds(*(np.array(v) for v in (n, r, c))))
        up, down = (
            c - (boundary * n - r) / odds
            for boundary in (self.escalation_boundary, self.deescalation_boundary)
        )
        seen_down = r >= self.deescalation_boundary * n - _ROUNDING
        suspend = c > self.most_pending * n and not seen_down
        return FollowUpRow(
            patients=n,
            toxic=r,
            pending=c,
            suspend=suspend,
            escalate=None if suspend or up > c + _ROUNDING else max(up, 0.0),
            deescalate=np.inf if seen_down else None if suspend or down < -_ROUNDING else down,
        )

    def follow_up_table(self, patients: ArrayLike) -> tuple[FollowUpRow, ...]:
        """Return the table of decisions that a protocol prints.

        Parameters
        ----------
        patients : array_like of int
            Numbers of patients at a level, each from 1 to 100; every number of toxicities and
            of pending patients among them gets a row.
        """
        return tuple(
            self.follow_up_row(n, r, c)
            for n in require_numbers_of_patients(patients, 100)
            for r in range(n + 1)
            for c in range(n - r + 1)
        )
