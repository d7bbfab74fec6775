r"""Patients of many virtual trials, with and without their transplants.

Each cause has a latent time, drawn by inversion of its cumulative hazard: cause k acts when
:math:`\Lambda_k(t)` reaches a unit exponential draw :math:`E_k`; the first acts. What a transplant
in month s does is applied to the same draws: where :math:`\Lambda_k(s) < E_k`, the cause acts when
:math:`\Lambda_k` reaches :math:`\Lambda_k(s) + (E_k - \Lambda_k(s))/\theta` with the hazard ratio
:math:`\theta`. So every patient has two futures, with and without a transplant, that differ by
nothing else, and all estimands can be read from one set of patients.

The random numbers of a block of trials (`Trial.block`) have a stream of their own for every
quantity, keyed by seed, scenario, block, arm and quantity. A quantity that a trial does not need is
not drawn, and shifts no other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from car_relapse.errors import require_count, require_instance
from car_relapse.followup import Cause
from car_relapse.trial._checks import choice
from car_relapse.trial.virtual.design import Arm, TransplantPolicy, Trial

__all__ = ["Estimand", "Worlds", "generate"]

Estimand = Literal["policy", "composite", "hypothetical", "competing", "without"]

Floats = NDArray[np.float64]
Codes = NDArray[np.int8]

# Names of the streams; their order is part of what a seed means.
_LATENT = 0  # and one more for each member of Cause
_RESPONSE, _FRAILTY, _CHOSEN, _WHEN, _DIES, _TESTED, _ENTRY, _LOST = range(100, 108)

_RELAPSES = (
    Cause.ANTIGEN_POSITIVE,
    Cause.ANTIGEN_NEGATIVE,
    Cause.PARTIAL_LOSS,
    Cause.LINEAGE_SWITCH,
)


@dataclass(frozen=True, kw_only=True, eq=False)
class Worlds:
    """Trials as no one sees them: every patient with and without the transplant.

    All arrays but `group` have shape (trials, patients).
    """

    group: Codes
    """Arm of each patient, 0 for control, shape (patients,)."""
    time: Floats
    """Month of the first event if nobody were transplanted; infinite for none."""
    cause: Codes
    """What it is: values of `Cause`."""
    transplant: Floats
    """Month of transplant of those who live to have it in remission; infinite for the others."""
    time_after: Floats
    """Month of the first event of relapse or death when they are; as `time`, perhaps infinite, for
    the others."""
    cause_after: Codes
    """What it is."""
    cut_off: Floats
    """Month in which follow-up ends: data cut-off, or loss."""

    def observed(self, estimand: Estimand, rows: slice = slice(None)) -> tuple[Floats, Codes]:
        """Return month and cause as a trial records them, under one way to treat transplants.

        Parameters
        ----------
        estimand : str
            ``policy``: transplants are part of care, and follow-up goes on. ``composite`` and
            ``competing``: the record ends with the transplant, an event (which analyses of
            the first count with their own, and those of the second do not). ``hypothetical``: it
            ends there as censored. ``without``: nobody was transplanted, which no trial can see.
        rows : slice, optional
            Which of the trials; all by default.

        Returns
        -------
        tuple of ndarray
            Months and causes, 0 for censored, shape (trials, patients).

        Raises
        ------
        ParameterError
            When there is no such estimand.
        """
        choice("estimand", estimand, get_args(Estimand))
        if estimand == "policy":
            time, cause = self.time_after[rows], self.cause_after[rows]
        else:
            time, cause = self.time[rows], self.cause[rows]
        if estimand in ("composite", "competing", "hypothetical"):
            transplant = self.transplant[rows]
            ended = transplant < time
            mark = Cause.CENSORED if estimand == "hypothetical" else Cause.TRANSPLANT
            time = np.minimum(time, transplant)
            cause = np.where(ended, np.int8(mark), cause)
        cut_off = self.cut_off[rows]
        seen = time <= cut_off
        return np.minimum(time, cut_off), np.where(seen, cause, np.int8(Cause.CENSORED))

    def transplanted(self) -> Floats:
        """Return the month of each transplant that the trial saw; infinite for the others."""
        seen = self.transplant < np.minimum(self.time_after, self.cut_off)
        return np.where(seen, self.transplant, np.inf)


def _stream(seed: int, key: tuple[int, ...]) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))


class _Draws:
    """The random numbers of one arm in one block."""

    def __init__(self, seed: int, key: tuple[int, ...], trials: int, patients: int) -> None:
        self._seed, self._key = seed, key
        self._shape = (trials, patients)

    def _rng(self, stream: int) -> np.random.Generator:
        return _stream(self._seed, (*self._key, stream))

    def uniform(self, stream: int) -> Floats:
        return self._rng(stream).random(self._shape)

    def exponential(self, stream: int) -> Floats:
        return self._rng(stream).standard_exponential(self._shape)

    def normal(self, stream: int) -> Floats:
        return self._rng(stream).standard_normal(self._shape)


def _first(latent: Floats, codes: Codes) -> tuple[Floats, Codes]:
    """Return the earliest of the latent times, (causes, ...), and whose it is."""
    time, cause = latent[0].copy(), np.full(latent[0].shape, codes[0], dtype=np.int8)
    for other, code in zip(latent[1:], codes[1:], strict=True):
        earlier = other < time
        np.copyto(time, other, where=earlier)
        cause[earlier] = code
    cause[np.isinf(time)] = Cause.CENSORED
    return time, cause


class _Futures:
    """The latent times of the patients of an arm."""

    def __init__(self, arm: Arm, draws: _Draws) -> None:
        biology = arm.biology
        self.codes = np.array(biology.causes, dtype=np.int8)
        self._shapes = [h.shape for h in biology.hazards]
        self._scales = biology.scales
        self._units = [draws.exponential(_LATENT + int(c)) for c in biology.causes]
        self.factor: Floats | None = None
        if biology.frailty is not None:
            sd = biology.frailty.log_sd
            self.factor = np.exp(sd * draws.normal(_FRAILTY) - sd**2 / 2.0)
            # A hazard times a factor is reached by an exponential over the factor.
            self._units[biology.causes.index(biology.frailty.cause)] /= self.factor

    def before(self) -> Floats:
        """Return the latent times without transplant, (causes, trials, patients)."""
        return np.array([self._times(row, unit) for row, unit in enumerate(self._units)])

    def _times(self, row: int, unit: Floats) -> Floats:
        if self._scales[row] == 0.0:
            return np.full(unit.shape, np.inf)
        return self._shapes[row].inverse(unit / self._scales[row])

    def after(self, latent: Floats, plan: TransplantPolicy, who: NDArray[np.bool_],
              month: Floats, dies: Floats) -> tuple[Floats, Codes]:  # fmt: skip
        """Return first event and cause of the transplanted `who`, in the order of the mask."""
        s = month[who]
        later = latent[:, who].copy()
        for row, code in enumerate(self.codes):
            if code in _RELAPSES and self._scales[row] > 0.0 and plan.relapse_ratio != 1.0:
                unit = self._units[row][who] / self._scales[row]
                reached = self._shapes[row].cumulative(s)
                if plan.relapse_ratio == 0.0:
                    later[row] = np.inf
                else:
                    rest = reached + (unit - reached) / plan.relapse_ratio
                    later[row] = self._shapes[row].inverse(rest)
        # One number decides both whether the transplant kills and when.
        lot = dies[who]
        killed = lot < plan.mortality
        share = np.divide(lot, plan.mortality, out=np.zeros_like(lot), where=killed)
        death = np.where(killed, s + plan.mortality_months * share, np.inf)
        return _first(
            np.concatenate([later, death[None]]), np.append(self.codes, np.int8(Cause.DEATH))
        )


def _found(time: Floats, cause: Codes, visits: tuple[float, ...] | None) -> Floats:
    """Return when each event is known: deaths at once, relapses at the next visit."""
    if visits is None:
        return time
    months = np.array([0.0, *visits])
    gap = months[-1] - months[-2]
    last = months[-1]
    next_ = months[np.minimum(np.searchsorted(months, time, side="left"), months.size - 1)]
    beyond = last + gap * np.ceil((np.where(np.isinf(time), last, time) - last) / gap)
    seen = np.where(time > last, beyond, next_)
    return np.where((cause == Cause.DEATH) | np.isinf(time), time, seen)


def _arm(arm: Arm, draws: _Draws, untested_as: str) -> dict[str, NDArray[np.generic]]:
    futures = _Futures(arm, draws)
    latent = futures.before()
    raw, cause = _first(latent, futures.codes)
    time = _found(raw, cause, arm.visits)
    month = np.full(time.shape, np.inf)
    time_after, cause_after = time, cause
    plan = arm.transplant
    if plan is not None and plan.share > 0.0:
        share = np.full(time.shape, plan.share)
        if plan.dependence and futures.factor is not None:
            share *= 1.0 + plan.dependence * np.where(futures.factor > 1.0, 1.0, -1.0)
        when = plan.first + (plan.last - plan.first) * draws.uniform(_WHEN)
        planned = draws.uniform(_CHOSEN) < share
        # The work-up for the transplant finds a relapse that no visit has found yet.
        caught = planned & (raw <= when) & (when < time)
        time = np.where(caught, when, time)
        who = planned & (raw > when)
        month = np.where(who, when, np.inf)
        after, cause_of = futures.after(latent, plan, who, month, draws.uniform(_DIES))
        time_after, cause_after = time.copy(), cause.copy()
        time_after[who] = _found(after, cause_of, arm.visits)
        cause_after[who] = cause_of
    if arm.response < 1.0:
        failed = draws.uniform(_RESPONSE) >= arm.response
        month = np.where(failed, np.inf, month)
        time, time_after = (np.where(failed, 0.0, t) for t in (time, time_after))
        code = np.int8(Cause.NO_REMISSION)
        cause, cause_after = (np.where(failed, code, c) for c in (cause, cause_after))
    if arm.untested > 0.0:
        untested = draws.uniform(_TESTED) < arm.untested
        cause, cause_after = (_untested(c, untested, untested_as) for c in (cause, cause_after))
    return {
        "time": time, "cause": cause, "transplant": month,
        "time_after": time_after, "cause_after": cause_after,
    }  # fmt: skip


def _untested(cause: Codes, untested: NDArray[np.bool_], as_: str) -> Codes:
    mark = Cause.ANTIGEN_POSITIVE if as_ == "positive" else Cause.CENSORED
    return np.where(untested & np.isin(cause, _RELAPSES), np.int8(mark), cause)


def generate(
    trial: Trial, trials: int | None = None, *, seed: int, scenario: int = 0, block: int = 0
) -> Worlds:
    """Return the patients of one block of virtual trials, or of its first ones.

    Parameters
    ----------
    trial : Trial
        The design.
    trials : int, optional
        Number of trials, from 1 to `Trial.block`, the default; fewer are the first of the block.
    seed : int
        Seed, >= 0.
    scenario : int, optional
        Number of the scenario, >= 0: other scenarios of one seed have other patients. The same
        number gives two designs the same random numbers.
    block : int, optional
        Number of the block, >= 0.

    Returns
    -------
    Worlds

    Raises
    ------
    ParameterError
        When a number is not a whole one within its bounds.

    Examples
    --------
    >>> from car_relapse.trial import virtual
    >>> one = virtual.Biology.from_incidences(
    ...     {Cause.ANTIGEN_NEGATIVE: 0.25, Cause.DEATH: 0.05}, shape=virtual.Decay(8), horizon=24
    ... )
    >>> arms = (virtual.Arm(name="single", biology=one), virtual.Arm(name="dual", biology=one))
    >>> design = virtual.Trial(arms=arms, patients=100, follow_up=24)
    >>> time, cause = virtual.generate(design, 10, seed=1).observed("policy")
    >>> time.shape
    (10, 100)
    """
    require_instance("trial", trial, Trial, "give a Trial")
    asked = trial.block if trials is None else trials
    count = require_count("trials", asked, "give up to one block", minimum=1, maximum=trial.block)
    root = require_count("seed", seed, "give a whole number >= 0", maximum=None)
    number = require_count("scenario", scenario, "give a whole number >= 0", maximum=2**31)
    part = require_count("block", block, "count from 0", maximum=2**31)
    arms = []
    cut_offs = []
    lost_rate = -np.log1p(-trial.lost_per_year) / 12.0
    for index, (arm, size) in enumerate(zip(trial.arms, trial.sizes, strict=True)):
        draws = _Draws(root, (number, part, index), count, size)
        arms.append(_arm(arm, draws, trial.untested_as))
        end = np.full((count, size), float(trial.follow_up))
        if trial.accrual > 0:
            end += trial.accrual * draws.uniform(_ENTRY)
        if trial.longest is not None:
            np.minimum(end, trial.longest, out=end)
        if lost_rate > 0:
            np.minimum(end, draws.exponential(_LOST) / lost_rate, out=end)
        cut_offs.append(end)
    joined = {name: np.concatenate([a[name] for a in arms], axis=1) for name in arms[0]}
    return Worlds(group=trial.groups, cut_off=np.concatenate(cut_offs, axis=1), **joined)
