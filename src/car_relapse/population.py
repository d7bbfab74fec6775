r"""Who the patients are: medians, differences between patients, and subgroups.

Every patient has a burden, rates, losses and a CAR-T curve of their own. The differences are
lognormal, the parameter of one patient being its median times :math:`e^{\sigma z}` with z
normal, and the z of two parameters may be correlated: a leukaemia that divides fast may also
die fast. Subgroups are patients with other medians, such as those with a rearrangement of KMT2A,
in whom lineage switch is more frequent (doi:10.1182/bloodadvances.2022007423 found it the only
factor before infusion that was linked to lineage switch). *How much* more frequent no source
read for this book says; a factor is a scenario.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import cast

import numpy as np
from numpy.typing import NDArray

from car_relapse.antigens import Losses
from car_relapse.errors import (
    ParameterError,
    require_count,
    require_finite,
    require_fraction,
    require_instance,
    require_non_negative,
)
from car_relapse.exposure import (
    MOST_PATIENTS,
    CornerCurves,
    Curves,
    CurveSampler,
    EffectSampler,
    Exposure,
    SteinExposure,
    SteinPopulation,
    stein_population,
)
from car_relapse.killing import Killing, LinearKilling, default_killing
from car_relapse.outcomes import Detection, default_detection
from car_relapse.parameters import default
from car_relapse.patient import Leukaemia, typical_leukaemia, typical_patient
from car_relapse.presentation import Block
from car_relapse.spread import LARGEST_SPREAD, Spread, correlation_root

__all__ = ["Population", "Spread", "Subgroup", "default_population", "or_gate_engagement"]

Floats = NDArray[np.float64]

# Above this the engine's limits of order u b t are no longer small; see `car_relapse.engine`.
_LARGEST_LOSS = 0.01
_LARGEST_PART = 0.1
_LARGEST_LOG10_BURDEN = 15.0
_erf: Callable[[Floats], NDArray[np.object_]] = np.frompyfunc(math.erf, 1, 1)


def _pick(subgroup: NDArray[np.int8], values: list[float]) -> float | Floats:
    """Return each patient's value, or the one that all share."""
    return values[0] if len(set(values)) == 1 else np.asarray(values)[subgroup]


@dataclass(frozen=True, kw_only=True)
class Subgroup:
    """Patients with other medians than the rest of their population."""

    name: str
    """What they have in common."""
    weight: float
    """Share of all patients, in [0, 1]."""
    leukaemia: Leukaemia | None = None
    """Median growth rates and burden; None for those of the population."""
    losses: Losses | None = None
    """Median losses, of as many antigens; None for those of the population."""
    killing_factor: float = 1.0
    """Their killing rate over that of the population at every level, > 0."""

    def __post_init__(self) -> None:
        require_instance("name", self.name, str, "say what they have in common")
        require_fraction("weight", self.weight, "give a share of all patients", scalar=True)
        for name, kind in (("leukaemia", Leukaemia), ("losses", Losses)):
            if getattr(self, name) is not None:
                require_instance(name, getattr(self, name), kind, "None is that of the population")
        if not require_non_negative(
            "killing_factor", self.killing_factor, "1 leaves it as it is", scalar=True
        ):
            raise ParameterError("killing_factor is 0; it must be > 0; give a small factor")


def _sampler_of(exposures: CurveSampler | Exposure) -> CurveSampler:
    """Return a sampler as it is, and an exposure as the same curve for every patient."""
    if isinstance(exposures, CurveSampler):
        return exposures
    if isinstance(exposures, SteinExposure):
        return SteinPopulation(typical=exposures, log_sd=(0.0,) * 6)
    if isinstance(exposures, Exposure):
        # Loaded only where it is used: a cold start must be quick.
        from car_relapse.curve_samplers import ScaledPopulation

        return ScaledPopulation(exposure=exposures)
    raise ParameterError(
        f"exposures is {exposures!r}; the fast engine of cohorts takes one product: a sampler of "
        "curves, or one exposure for all patients, with the gate as `engagement`; give one, or "
        "simulate courses of several products (car_relapse.course_cohort)"
    )


def _checked_curves(curves: Curves | CornerCurves) -> Curves | CornerCurves:
    peaks = ("peak_day", "slowest_decline", "fastest_decline")
    shape = all(hasattr(curves, part) for part in peaks) or hasattr(curves, "corners")
    if not shape or not all(hasattr(curves, part) for part in ("level", "last_day_above")):
        raise ParameterError(
            f"exposures drew {curves!r}; curves must have level, last_day_above, and either "
            f"corners or {', '.join(peaks)}; draw a car_relapse.curve_samplers.CurveList"
        )
    return curves


def or_gate_engagement(antigens: int) -> tuple[float, ...]:
    """Return the engagement of each antigen state when one antigen is enough.

    Examples
    --------
    >>> or_gate_engagement(2)
    (1.0, 1.0, 1.0, 0.0)
    """
    k = require_count("antigens", antigens, "count the targeted antigens", minimum=1, maximum=6)
    return tuple([1.0] * (2**k - 1) + [0.0])


@dataclass(frozen=True, kw_only=True)
class Population:
    """A declared population of patients with 1 to 6 targeted antigens.

    Examples
    --------
    >>> from dataclasses import replace
    >>> people = default_population()
    >>> switching = replace(people.losses, common_mode=20 * people.losses.common_mode)
    >>> rearranged = Subgroup(name="KMT2A-rearranged", weight=0.1, losses=switching)
    >>> replace(people, subgroups=(rearranged,)).shares
    (0.9, 0.1)
    """

    leukaemia: Leukaemia
    """Median growth rates and burden (cells)."""
    burden_log10_sd: float
    """Standard deviation of log10 burden between patients, dimensionless, >= 0. Ledger:
    ``leukaemia.burden_log10_sd``."""
    losses: Losses
    """Median antigen losses per division; 1 to 6 targeted antigens."""
    exposures: CurveSampler | Exposure
    """Who draws the curves of CAR-T or drug; or one exposure, the same for every patient. See
    `car_relapse.curve_samplers` for curves that differ."""
    killing: Killing | LinearKilling
    """Response of killing to the transgene level, its rate the median."""
    detection: Detection
    """Limits of remission and relapse."""
    burden_log10_range: tuple[float, float] | None = None
    """Lowest and highest log10 burden when burdens are spread evenly on the log scale; then
    `burden_log10_sd` must be 0. None for lognormal burdens."""
    engagement: tuple[float, ...] | None = None
    """Fraction of the killing rate that each antigen state meets, for each of the 2^k bit masks
    of lost antigens; losing an antigen must not raise it, the first must be 1 and the last 0.
    None when one antigen is enough (an OR gate): 1 until all are lost."""
    spread: Spread = field(default_factory=Spread)
    """Differences between patients beside burden and exposure."""
    subgroups: tuple[Subgroup, ...] = ()
    """Patients with other medians; who is in none has those of the population."""

    def __post_init__(self) -> None:
        remedy = "0 means one burden for all"
        sd = float(
            require_non_negative("burden_log10_sd", self.burden_log10_sd, remedy, scalar=True)
        )
        if sd > LARGEST_SPREAD:
            raise ParameterError(
                f"burden_log10_sd is {sd:g}; above {LARGEST_SPREAD:g} orders of magnitude "
                f"burdens are no numbers of cells; {remedy}"
            )
        require_instance("leukaemia", self.leukaemia, Leukaemia, "give a Leukaemia")
        require_instance("detection", self.detection, Detection, "give default_detection()")
        if not isinstance(self.killing, Killing | LinearKilling):
            raise ParameterError(
                f"killing is {self.killing!r}; it must be a Killing or a LinearKilling; give one"
            )
        require_instance("spread", self.spread, Spread, "give a Spread")
        require_instance("losses", self.losses, Losses, "give a Losses")
        if not isinstance(self.subgroups, tuple | list):
            raise ParameterError(
                f"subgroups is {self.subgroups!r}; it must be a tuple of Subgroup; give () for none"
            )
        for group in self.subgroups:
            require_instance("subgroup", group, Subgroup, "give a Subgroup")
        self._check_burden()
        self._check_losses()
        self._check_engagement()
        if sum(group.weight for group in self.subgroups) > 1.0 + 1e-12:
            raise ParameterError(
                f"the weights of the subgroups add up to {sum(self.shares[1:]):g}; they are shares "
                "of all patients, so at most 1; lower them"
            )
        _ = self._root  # looks at the exposures as well

    def _check_burden(self) -> None:
        if self.burden_log10_range is None:
            return
        ends = require_finite(
            "burden_log10_range", self.burden_log10_range, "give two logs of burdens"
        )
        if ends.shape != (2,) or not 0.0 <= ends[0] < ends[1] <= _LARGEST_LOG10_BURDEN:
            raise ParameterError(
                f"burden_log10_range is {self.burden_log10_range!r}; it must be the lowest and the "
                f"highest log10 burden, from 0 to {_LARGEST_LOG10_BURDEN:g}; give two increasing "
                "numbers"
            )
        if self.burden_log10_sd:
            raise ParameterError(
                f"burden_log10_sd is {self.burden_log10_sd:g} and burden_log10_range is "
                f"{self.burden_log10_range!r}; burdens are lognormal or evenly spread, not both; "
                "set burden_log10_sd to 0 or leave the range out"
            )

    def _check_losses(self) -> None:
        for losses in self._losses:
            if losses.antigens != self.losses.antigens:
                raise ParameterError(
                    f"a subgroup loses {losses.antigens} antigens and the population "
                    f"{self.losses.antigens}; all have the same product; give as many losses"
                )
            _check_total(losses.total)

    def _check_engagement(self) -> None:
        if self.engagement is None:
            return
        states = self.losses.states
        shares = require_fraction("engagement", self.engagement, "give fractions of the rate")
        if shares.shape != (states,):
            raise ParameterError(
                f"engagement has {shares.size} entries; {self.losses.antigens} antigens make "
                f"{states} states, and each needs one; give {states}"
            )
        rises = any(
            shares[state | 1 << antigen] > shares[state]
            for state in range(states)
            for antigen in range(self.losses.antigens)
        )
        if shares[0] != 1.0 or shares[-1] != 0.0 or rises:
            raise ParameterError(
                f"engagement is {self.engagement!r}; it must be 1 for cells with every target, 0 "
                "for those with none, and no loss may raise it; use the fractions of a gate"
            )

    @property
    def _losses(self) -> list[Losses]:
        return [self.losses, *(group.losses or self.losses for group in self.subgroups)]

    @property
    def shares(self) -> tuple[float, ...]:
        """Share of the patients in no subgroup, and in each."""
        weights = [group.weight for group in self.subgroups]
        return (max(1.0 - sum(weights), 0.0), *weights)

    @property
    def _sds(self) -> dict[str, float]:
        """Standard deviation of each effect that differs; 1 for evenly spread burdens."""
        spread = self.spread
        burden = 1.0 if self.burden_log10_range else self.burden_log10_sd
        sds = {"burden": burden, "birth_rate": spread.birth_rate, "death_rate": spread.death_rate}
        sds |= {f"loss {i + 1}": spread.loss for i in range(self.losses.antigens)}
        sds |= {name: getattr(spread, name) for name in ("common_mode", "shared_defect", "killing")}
        return sds

    @cached_property
    def _sampler(self) -> CurveSampler:
        return _sampler_of(self.exposures)

    @cached_property
    def _curve_sds(self) -> dict[str, float]:
        """Standard deviation of each named effect of the curves, if a correlation names one."""
        sampler = self._sampler
        if not isinstance(sampler, EffectSampler):
            return {}
        named = {name for one, other, _ in self.spread.correlation for name in (one, other)}
        effects = sampler.effects
        if twice := set(effects) & set(self._sds):
            raise ParameterError(
                f"exposures has effects called {', '.join(sorted(twice))}, as the population has; "
                "a correlation could not tell them apart; rename those of the sampler"
            )
        return effects if named & set(effects) else {}

    @cached_property
    def _root(self) -> tuple[dict[str, float], Floats | None]:
        """Return the effects that differ and are drawn together, and a root of their matrix."""
        known = [*self._sds, *getattr(self._sampler, "effects", {})]
        return correlation_root(self._sds | self._curve_sds, self.spread.correlation, known)

    def _effects(self, n: int, rng: np.random.Generator) -> dict[str, Floats]:
        active, root = self._root
        z = rng.standard_normal((len(active), n))
        if root is not None:
            z = root @ z
        return {name: sd * z[i] for i, (name, sd) in enumerate(active.items())}

    def _rates(
        self, subgroup: NDArray[np.int8], n: int, rng: np.random.Generator
    ) -> tuple[Floats, Floats, dict[str, Floats]]:
        """Draw effects, again where they make no patient; return b, d and effects."""
        groups = [self.leukaemia, *(g.leukaemia or self.leukaemia for g in self.subgroups)]
        median_b = _pick(subgroup, [float(g.birth_rate) for g in groups])
        median_d = _pick(subgroup, [float(g.death_rate) for g in groups])
        effects = self._effects(n, rng)
        while True:
            b = median_b * np.exp(effects.get("birth_rate", np.zeros(n)))
            d = median_d * np.exp(effects.get("death_rate", np.zeros(n)))
            refused = d >= b
            if self._curve_sds:
                refused |= ~cast(EffectSampler, self._sampler).possible(self._of_curves(effects, n))
            # The median leukaemia grows, so at least every other draw does: this ends.
            if not refused.any():
                return b, d, effects
            fresh = self._effects(n, rng)
            effects = {k: np.where(refused, fresh[k], v) for k, v in effects.items()}

    def _of_curves(self, effects: dict[str, Floats], n: int) -> dict[str, Floats]:
        return {name: effects.get(name, np.zeros(n)) for name in self._curve_sds}

    def _burden(self, subgroup: NDArray[np.int8], effect: Floats | float) -> Floats:
        groups = [self.leukaemia, *(g.leukaemia or self.leukaemia for g in self.subgroups)]
        if self.burden_log10_range is None:
            median = _pick(subgroup, [float(g.burden) for g in groups])
            return np.asarray(median * 10.0**effect)
        low, high = self.burden_log10_range
        part = 0.5 * (1.0 + _erf(np.asarray(effect) / math.sqrt(2.0)).astype(float))
        # A subgroup of other burden has the same range, shifted.
        shift = _pick(subgroup, [float(g.burden / groups[0].burden) for g in groups])
        return np.asarray(shift * 10.0 ** (low + (high - low) * part))

    def sample(self, n: int, rng: np.random.Generator) -> tuple[Block, NDArray[np.int8]]:
        """Draw `n` patients.

        Parameters
        ----------
        n : int
            Number of patients, from 1 to ten million.
        rng : numpy.random.Generator
            Source of randomness.

        Returns
        -------
        Block
            Their parameters.
        ndarray of int8, shape (n,)
            Their subgroups, 0 for none.

        Raises
        ------
        ParameterError
            When a patient is drawn for whom the laws of the engine do not hold.
        """
        require_instance("rng", rng, np.random.Generator, "give numpy.random.default_rng(seed)")
        require_count(
            "n",
            n,
            "give a number of patients, or draw them in parts",
            minimum=1,
            maximum=MOST_PATIENTS,
        )
        curve = None if self._curve_sds else self._sampler.sample(n, rng)
        subgroup = np.zeros(n, dtype=np.int8)
        if self.subgroups:
            ends = np.cumsum(self.shares)[:-1]
            subgroup += np.searchsorted(ends, rng.random(n), side="right").astype(np.int8)
        b, d, effects = self._rates(subgroup, n, rng)
        if curve is None:
            curve = cast(EffectSampler, self._sampler).curves(self._of_curves(effects, n))
        burden = self._burden(subgroup, effects.get("burden", np.zeros(n)))
        if burden.min() * (1.0 - d / b).min() < 10 and (burden * (1.0 - d / b)).min() < 10:
            raise ParameterError(
                f"burden is {burden.min():g} cells in a patient drawn; burden times 1 - d/b must "
                "be at least 10 for the laws of large populations to hold; raise the median or "
                "lower its spread"
            )

        def loss(name: str, median: Callable[[Losses], float]) -> Floats:
            values = np.broadcast_to(_pick(subgroup, [median(x) for x in self._losses]), (n,))
            return values * np.exp(effects[name]) if name in effects else values

        def antigen_loss(antigen: int) -> Floats:
            return loss(f"loss {antigen + 1}", lambda losses: losses.per_antigen[antigen])

        factor = _pick(subgroup, [1.0, *(g.killing_factor for g in self.subgroups)])
        if "killing" in effects:
            factor = factor * np.exp(effects["killing"])
        block = Block(
            birth_rate=b,
            death_rate=d,
            burden=burden,
            per_antigen=np.stack([antigen_loss(i) for i in range(self.losses.antigens)]),
            common_mode=loss("common_mode", lambda x: x.common_mode),
            shared_defect=loss("shared_defect", lambda x: x.shared_defect),
            killing=self.killing if np.all(np.equal(factor, 1.0)) else self.killing.scaled(factor),
            curve=_checked_curves(curve),
            engagement=self.engagement or or_gate_engagement(self.losses.antigens),
        )
        _check_total(float(block.total_loss.max()))
        outrun = float((block.total_loss / block.survival).max())
        if outrun > _LARGEST_PART:
            raise ParameterError(
                f"the loss probabilities are {outrun:g} of 1 - d/b in a patient drawn; losses must "
                f"not outrun growth, so that must be at most {_LARGEST_PART:g}; lower the losses "
                "or the death rate"
            )
        return block, subgroup


def _check_total(total: float) -> None:
    if total > _LARGEST_LOSS:
        raise ParameterError(
            f"the loss probabilities add up to {total:g} per division; virtual cohorts treat loss "
            f"as rare, so that must be at most {_LARGEST_LOSS:g}; lower them"
        )


def default_population(burden: float | None = None) -> Population:
    """Return the population whose every parameter is the default of the ledger.

    Parameters
    ----------
    burden : float, optional
        Median burden, cells.
    """
    return Population(
        leukaemia=typical_leukaemia(burden),
        burden_log10_sd=default("leukaemia.burden_log10_sd"),
        losses=typical_patient().losses,
        exposures=stein_population(),
        killing=default_killing(),
        detection=default_detection(),
    )
