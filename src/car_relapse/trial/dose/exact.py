r"""What a design does, exactly: every course that a trial can take, with its probability.

A trial is a walk over the counts of patients and toxicities at each level. From a state the
design names the next level, and the number of toxicities among the next cohort there is
binomial; states that courses share are merged, so that a trial of some thirty patients has some
thousands of states, and not :math:`2^{30}` courses. Nothing is sampled: probabilities sum to 1, and
expectations are sums.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import binom

from car_relapse.errors import (
    ParameterError,
    require_count,
    require_fraction,
)
from car_relapse.trial.dose.designs import STOP, Design, DoseData, Ints, require_design
from car_relapse.trial.dose.three_plus_three import ThreePlusThree

__all__ = ["ExactCharacteristics", "exact_characteristics", "exact_ends"]

Floats = NDArray[np.float64]

#: Most states held at once.
_MOST_STATES = 2_000_000
_MOST_COHORTS = 1_000
_BITS = 63


@dataclass(frozen=True, kw_only=True)
class ExactCharacteristics:
    """What a design does in one scenario; expectations over all courses of the trial."""

    selected: Floats
    """Probability that no level, level 1, level 2, ... is recommended, shape (levels + 1,)."""
    treated: Floats
    """Expected patients at each level, shape (levels,)."""
    toxic: Floats
    """Expected patients with a dose-limiting toxicity at each level, shape (levels,)."""
    sizes: Ints
    """Numbers of patients that the trial can have in all, ascending."""
    size_probability: Floats
    """Probability of each of `sizes`."""
    states: int
    """Number of different ends of the trial that were summed over."""

    @property
    def patients(self) -> float:
        """Expected number of patients."""
        return float(self.treated.sum())

    @property
    def toxicities(self) -> float:
        """Expected number of patients with a dose-limiting toxicity."""
        return float(self.toxic.sum())

    def treated_above(self, toxicity: ArrayLike, limit: float) -> float:
        """Return the expected patients at levels whose toxicity exceeds a limit.

        Parameters
        ----------
        toxicity : array_like
            True probability of toxicity of each level, in [0, 1].
        limit : float
            Highest acceptable probability of toxicity, in [0, 1].
        """
        p = require_fraction("toxicity", toxicity, "give one probability per level")
        highest = float(require_fraction("limit", limit, "give the target or so", scalar=True))
        if p.shape != self.treated.shape:
            raise ParameterError(
                f"toxicity has shape {p.shape}; it must be {self.treated.shape}; give one "
                "probability per level"
            )
        return float(self.treated[p > highest].sum())


def exact_ends(
    design: Design,
    toxicity: ArrayLike,
    *,
    cohorts: int | None = None,
    cohort_size: int = 3,
    start: int = 1,
) -> tuple[DoseData, Floats]:
    """Return every state in which a trial can end, and its probability.

    Parameters
    ----------
    design : Design
        Rule for the next level; it must not need patients one by one.
    toxicity : array_like
        True probability of a dose-limiting toxicity at each level, in [0, 1].
    cohorts : int, optional
        Most cohorts that are treated; only the 3+3 design ends without a number.
    cohort_size : int
        Patients treated before each decision, >= 1.
    start : int
        First level, from 1.

    Returns
    -------
    data : DoseData
        The ends, along the first axis.
    probability : ndarray
        Their probabilities, which sum to 1.

    Raises
    ------
    ParameterError
        When an argument breaks its rule, or there are more than some millions of states.

    Examples
    --------
    >>> from car_relapse.trial.dose import ThreePlusThree
    >>> data, probability = exact_ends(ThreePlusThree(variant="stop"), [0.1])
    >>> data.toxic[:, 0].tolist(), probability.round(3).tolist()
    ([0, 2, 3, 1, 2, 3, 4], [0.729, 0.027, 0.001, 0.177, 0.059, 0.007, 0.0])
    """
    require_design(design)
    p = require_fraction("toxicity", toxicity, "give one probability per level")
    if p.ndim != 1 or p.size == 0:
        raise ParameterError(
            f"toxicity has shape {p.shape}; it must be a list; give one probability per level"
        )
    size = require_count("cohort_size", cohort_size, "give 3 or so", minimum=1, maximum=1000)
    first = require_count("start", start, "give the first level", minimum=1, maximum=p.size)
    most = _cohorts(design, cohorts)
    outcome = binom.pmf(np.arange(size + 1)[:, None], size, p)

    level = np.array([first])
    state = np.zeros((1, 2 * p.size), dtype=np.int64)
    weight = np.ones(1)
    ends: list[tuple[Ints, Floats]] = []
    while weight.size:
        state, level, weight = _treat(state, level, weight, outcome, size)
        answer = _answer(design, state, level)
        most -= 1
        over = (answer == STOP) | (most == 0)
        ends.append((state[over], weight[over]))
        state, level, weight = state[~over], answer[~over], weight[~over]
        if weight.size:
            state, level, weight = _merged(state, level, weight)
    every = np.concatenate([e[0] for e in ends])
    data = DoseData(treated=every[:, : p.size], toxic=every[:, p.size :])
    return data, np.concatenate([e[1] for e in ends])


def _cohorts(design: Design, cohorts: int | None) -> int:
    if cohorts is not None:
        remedy = "give a number of cohorts or None"
        return require_count("cohorts", cohorts, remedy, minimum=1, maximum=_MOST_COHORTS)
    if not isinstance(design, ThreePlusThree):
        raise ParameterError(
            "cohorts is None; only the 3+3 design ends by itself; give the number of cohorts after "
            "which the trial ends"
        )
    return _MOST_COHORTS


def _answer(design: Design, state: Ints, level: Ints) -> Ints:
    half = state.shape[1] // 2
    answer = design.next_level(DoseData(treated=state[:, :half], toxic=state[:, half:]), level)
    if np.any((answer < STOP) | (answer > half)):
        raise ParameterError(
            f"design answers {answer.min() if answer.min() < STOP else answer.max()} where nobody "
            f"is pending; it must name a level from 1 to {half} or STOP; mend the design"
        )
    return answer


def _treat(
    state: Ints, level: Ints, weight: Floats, outcome: Floats, size: int
) -> tuple[Ints, Ints, Floats]:
    """Return the states after one more cohort at `level`, one for each number of toxicities."""
    # What cannot happen (toxicity 0 or 1) is left out, not carried with weight 0.
    share = weight * outcome[:, level - 1]
    toxic, parent = np.nonzero(share > 0.0)
    if parent.size > _MOST_STATES:
        raise ParameterError(
            f"cohorts and levels give more than {_MOST_STATES} states; they must be fewer; "
            "simulate this trial, or give fewer cohorts or levels, or larger cohorts"
        )
    grown, level = state[parent], level[parent]
    rows = np.arange(parent.size)
    grown[rows, level - 1] += size
    grown[rows, grown.shape[1] // 2 + level - 1] += toxic
    return grown, level, share[toxic, parent]


def _merged(state: Ints, level: Ints, weight: Floats) -> tuple[Ints, Ints, Floats]:
    """Return the states with those that are equal, and at one level, made one."""
    columns = np.column_stack([level, state])
    order = np.lexsort(_packed(columns))
    columns, weight = columns[order], weight[order]
    new = np.ones(len(order), dtype=bool)
    new[1:] = np.any(columns[1:] != columns[:-1], axis=1)
    starts = np.flatnonzero(new)
    return columns[starts, 1:], columns[starts, 0], np.add.reduceat(weight, starts)


def _packed(columns: Ints) -> list[Ints]:
    """Return sort keys that hold as many of the columns as go into one number each."""
    keys: list[Ints] = []
    used = _BITS
    for column in columns.T:
        bits = max(int(column.max()).bit_length(), 1)
        if used + bits > _BITS:
            keys.append(np.zeros(len(column), dtype=np.int64))
            used = 0
        keys[-1] = (keys[-1] << bits) | column
        used += bits
    return keys


def _sums(index: NDArray[np.integer[Any]], weight: Floats, size: int) -> Floats:
    total = np.bincount(index, weights=weight, minlength=size)
    # Sums of probabilities round.
    return np.asarray(np.minimum(total, 1.0), dtype=np.float64)


def exact_characteristics(
    design: Design,
    toxicity: ArrayLike,
    *,
    cohorts: int | None = None,
    cohort_size: int = 3,
    start: int = 1,
) -> ExactCharacteristics:
    """Return what a design does in a scenario: what it recommends, and whom it treats where.

    Parameters and errors are those of `exact_ends`.

    Parameters
    ----------
    design : Design
        Rule for the next level; it must not need patients one by one.
    toxicity : array_like
        True probability of a dose-limiting toxicity at each level, in [0, 1].
    cohorts : int, optional
        Most cohorts that are treated; only the 3+3 design ends without a number.
    cohort_size : int
        Patients treated before each decision, >= 1.
    start : int
        First level, from 1.

    Examples
    --------
    >>> from car_relapse.trial.dose import BOIN
    >>> exact_characteristics(BOIN(target=0.3), [0.1, 0.3, 0.5], cohorts=6).selected.round(4)
    array([0.0025, 0.1788, 0.6443, 0.1744])
    """
    data, weight = exact_ends(
        design, toxicity, cohorts=cohorts, cohort_size=cohort_size, start=start
    )
    sizes, which = np.unique(data.treated.sum(axis=-1), return_inverse=True)
    return ExactCharacteristics(
        selected=_sums(design.recommend(data), weight, data.levels + 1),
        treated=weight @ data.treated,
        toxic=weight @ data.toxic,
        sizes=sizes,
        size_probability=_sums(which, weight, sizes.size),
        states=int(weight.size),
    )
