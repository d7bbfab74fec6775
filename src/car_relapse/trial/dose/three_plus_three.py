r"""The 3+3 design, in both of its common forms.

Three patients are treated at a level. Without a toxicity among them the next three are treated
one level higher; with one, three more are treated at the same level, and the trial goes up
when that stays the only one among the six. With two the level is too toxic, and the answer lies
below. So a level of toxicity p is passed with probability

.. math::

    (1-p)^3 + 3p(1-p)^2 \, (1-p)^3,

and nothing in the rule names a target (Storer 1989, doi:10.2307/2531693). What follows a level
that is too toxic differs between protocols. Under ``"stop"`` the trial ends, and the level below
is recommended on what was seen there. Under ``"confirm"`` the recommended level must have been
given to six patients with one toxicity at most: three more are treated at the level below where
only three have been, and the trial goes down again if two of them make it too toxic.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from car_relapse.errors import ParameterError, require_fraction
from car_relapse.trial.dose.designs import NONE, STOP, DoseData, Ints, require_data, settled

__all__ = ["ThreePlusThree", "escalation_probability"]

Variant = Literal["stop", "confirm"]

_COHORT = 3
_FULL = 6
_TOO_MANY = 2


def escalation_probability(toxicity: ArrayLike) -> NDArray[np.float64]:
    """Return the probability that the 3+3 design goes up from a level of some toxicity.

    Parameters
    ----------
    toxicity : array_like
        Probability of a dose-limiting toxicity at the level, in [0, 1].

    Examples
    --------
    >>> escalation_probability([0.1, 0.3, 0.5]).round(3)
    array([0.906, 0.494, 0.172])
    """
    p = require_fraction("toxicity", toxicity, "give the probability of toxicity at a level")
    none = (1.0 - p) ** 3
    # Just below 1 the sum rounds.
    return np.asarray(np.minimum(none + 3.0 * p * (1.0 - p) ** 2 * none, 1.0))


@dataclass(frozen=True, kw_only=True)
class ThreePlusThree:
    """The 3+3 design; a `Design` without a target.

    Where levels hold other numbers of patients than three or six (patients who got less than
    was planned, say), the rules above apply as soon as three patients have been treated.

    Examples
    --------
    >>> seen = DoseData(treated=[3, 3, 0], toxic=[0, 2, 0])
    >>> int(ThreePlusThree(variant="stop").next_level(seen, 2))
    0
    >>> int(ThreePlusThree(variant="confirm").next_level(seen, 2))
    1
    """

    variant: Variant = "confirm"
    """What follows a level that is too toxic. ``"stop"``: the trial ends, and recommends the level
    below. ``"confirm"``: that level is first brought to six patients, and the trial may go down
    again."""

    def __post_init__(self) -> None:
        if self.variant not in get_args(Variant):
            raise ParameterError(
                f"variant is {self.variant!r}; it must be 'stop' or 'confirm'; say what follows a "
                "level that is too toxic"
            )

    def next_level(self, data: DoseData, current: ArrayLike) -> Ints:
        """Return the level for the next three patients, `STOP`, or `WAIT` for the pending."""
        return settled(self._next, data, current)

    def _next(self, treated: Ints, toxic: Ints, current: Ints) -> Ints:
        ceiling = _ceiling(toxic)
        x, n = _at(toxic, current), _at(treated, current)
        passed = _passed(n, x)
        answer = np.where(passed, current + 1, current)
        if self.variant == "stop":
            over = (x >= _TOO_MANY) | (answer > ceiling)
            return np.where(over, STOP, answer)
        # What lies above the ceiling is left; the level at the ceiling wants six patients.
        answer = np.minimum(answer, ceiling)
        done = (answer == ceiling) & ((ceiling == 0) | (_at(treated, ceiling) >= _FULL))
        return np.where(done, STOP, answer)

    def recommend(self, data: DoseData) -> Ints:
        """Return the highest level below any that is too toxic that the trial has passed.

        Under ``"confirm"`` only levels with six patients count, so that a trial that was broken
        off may recommend nothing.
        """
        require_data(data)
        passed = _passed(data.treated, data.toxic)
        if self.variant == "confirm":
            passed &= data.treated >= _FULL
        levels = np.arange(1, data.levels + 1)
        fit = passed & (levels <= _ceiling(data.toxic)[..., None])
        return np.asarray(np.where(fit, levels, NONE).max(axis=-1))


def _at(counts: Ints, level: Ints) -> Ints:
    """Return the counts at one level of each trial; at level 0, those of some level."""
    index = np.maximum(level - 1, 0)[..., None]
    return np.asarray(np.take_along_axis(counts, index, axis=-1)[..., 0])


def _passed(treated: Ints, toxic: Ints) -> NDArray[np.bool_]:
    return np.asarray(
        ((toxic == 0) & (treated >= _COHORT)) | ((toxic < _TOO_MANY) & (treated >= _FULL))
    )


def _ceiling(toxic: Ints) -> Ints:
    """Return the level below the lowest that is too toxic; the highest where none is."""
    bad = toxic >= _TOO_MANY
    return np.asarray(np.where(bad.any(axis=-1), np.argmax(bad, axis=-1), toxic.shape[-1]))
