r"""What happens to the patients of one arm: how soon each cause ends remission.

A biology is a set of cause-specific hazards. It can be stated as they are, or as the cumulative
incidences that a trial reports at one month, its horizon. With :math:`\Lambda_k` the cumulative
hazards,

.. math::

    S(t) = e^{-\sum_k \Lambda_k(t)}, \qquad F_k(t) = \int_0^t S(u)\,d\Lambda_k(u).

Where all causes have one shape, incidences :math:`F_k` with sum P at the horizon belong to the
cumulative hazards :math:`A_k = (F_k/P)\,(-\ln(1-P))` there. Where the shapes differ they are found
by Newton's method. Between two points of a fine grid the shares of the causes in the hazard are
taken as constant, which is exact for one shape and of second order otherwise; one step of
Richardson's extrapolation makes it of fourth order.

A hazard says how fast a cause acts on those still in remission; an incidence says how many it
takes. Each changes when *another* cause's hazard does, the incidence at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from car_relapse.errors import (
    ParameterError,
    require_fraction,
    require_instance,
    require_non_negative,
    require_positive,
)
from car_relapse.followup import Cause
from car_relapse.trial.virtual.shapes import Shape

__all__ = ["Biology", "Frailty", "Hazard"]

Floats = NDArray[np.float64]

_EVENTS = frozenset(Cause) - {Cause.CENSORED, Cause.NO_REMISSION, Cause.TRANSPLANT}
_GRID = 256  # points per shape; doubled for the extrapolation
_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(48)
_WEIGHTS = _WEIGHTS / _WEIGHTS.sum()
_STEPS = 60
_CLOSE = 1e-11


def _checked_cause(cause: object) -> Cause:
    found = require_instance("cause", cause, Cause, "give a member, such as Cause.DEATH")
    if found not in _EVENTS:
        raise ParameterError(
            f"cause is {found.name}; a biology has relapses and death, and the trial adds the "
            f"rest; choose one of {', '.join(sorted(c.name for c in _EVENTS))}"
        )
    return found


@dataclass(frozen=True, kw_only=True)
class Hazard:
    """The hazard of one cause."""

    cause: Cause
    """What happens: a kind of relapse, or death without one."""
    shape: Shape
    """How the hazard is spread over time."""
    cumulative: float
    """Cumulative hazard at the horizon of the biology, dimensionless, >= 0."""

    def __post_init__(self) -> None:
        _checked_cause(self.cause)
        for name in ("cumulative", "inverse", "known_until"):
            if not hasattr(self.shape, name):
                raise ParameterError(
                    f"shape is {self.shape!r}; it must have cumulative, inverse and known_until; "
                    "give Constant(), Decay(months), Weibull(power) or Piecewise(breaks, rates)"
                )
        require_non_negative("cumulative", self.cumulative, "give a cumulative hazard", scalar=True)


@dataclass(frozen=True, kw_only=True)
class Frailty:
    """How patients differ in the hazard of one cause: a log-normal factor with mean 1."""

    cause: Cause
    """The cause whose hazard differs."""
    log_sd: float
    """Standard deviation of the natural log of the factor, dimensionless, in (0, 3]."""

    def __post_init__(self) -> None:
        _checked_cause(self.cause)
        sd = require_positive("log_sd", self.log_sd, "leave frailty out for none", scalar=True)
        if sd > 3:
            raise ParameterError(
                f"log_sd is {float(sd):g}; it must be at most 3, where one patient in twenty has "
                "more hazard than all others together; give less"
            )


def _product(hazards: Floats) -> Floats:
    """Return the incidence of each cause along a grid of cumulative hazards, (..., causes, t)."""
    step = np.diff(hazards, axis=-1)
    whole = step.sum(axis=-2, keepdims=True)
    before = np.exp(-hazards[..., :-1].sum(axis=-2, keepdims=True))
    share = np.divide(step, whole, out=np.zeros_like(step), where=whole > 0)
    gain = share * before * -np.expm1(-whole)
    return np.concatenate([np.zeros_like(gain[..., :1]), np.cumsum(gain, axis=-1)], axis=-1)


@dataclass(frozen=True, kw_only=True)
class Biology:
    """Cause-specific hazards of one arm, from infusion of patients who respond.

    Examples
    --------
    >>> from car_relapse.trial.virtual import Decay
    >>> one = Biology.from_incidences(
    ...     {Cause.ANTIGEN_NEGATIVE: 0.25, Cause.ANTIGEN_POSITIVE: 0.20, Cause.DEATH: 0.05},
    ...     shape=Decay(8), horizon=24,
    ... )
    >>> [round(float(h.cumulative), 4) for h in one.hazards]
    [0.3466, 0.2773, 0.0693]
    >>> two = one.reaching({Cause.ANTIGEN_NEGATIVE: 0.10})
    >>> two.incidence(24).round(3).tolist()
    [0.1, 0.221, 0.055]
    """

    hazards: tuple[Hazard, ...]
    """One for each cause."""
    horizon: float
    """Month at which `Hazard.cumulative` holds, > 0."""
    frailty: Frailty | None = None
    """How patients differ; None for not at all. Hazards are those of a patient with factor 1."""

    def __post_init__(self) -> None:
        if not isinstance(self.hazards, tuple) or not self.hazards:
            raise ParameterError(
                f"hazards is {self.hazards!r}; it must be a tuple of at least one Hazard; give one "
                "for each cause"
            )
        for hazard in self.hazards:
            require_instance("hazards", hazard, Hazard, "give a Hazard for each cause")
        if len(set(self.causes)) < len(self.causes):
            raise ParameterError(
                f"hazards has {', '.join(c.name for c in self.causes)}; each cause stands once; "
                "add the two hazards of one cause up"
            )
        end = require_positive("horizon", self.horizon, "give months from infusion", scalar=True)
        if end > self.known_until:
            raise ParameterError(
                f"horizon is {float(end):g}; a hazard is known until month {self.known_until:g} "
                "only; give an earlier horizon"
            )
        for hazard in self.hazards:
            if not 0.0 < float(hazard.shape.cumulative(end)) < np.inf:
                raise ParameterError(
                    f"horizon is {float(end):g}; the shape of {hazard.cause.name} has no hazard by "
                    "then, or too much for a number; give another shape"
                )
        if self.frailty is not None:
            require_instance("frailty", self.frailty, Frailty, "give a Frailty, or None")
            if self.frailty.cause not in self.causes:
                raise ParameterError(
                    f"frailty is of {self.frailty.cause.name}; no hazard has that cause; name one "
                    "of the causes"
                )

    @classmethod
    def from_hazards(
        cls, hazards: Mapping[Cause, float], *, shape: Shape | Mapping[Cause, Shape], horizon: float
    ) -> Biology:
        """Return the biology of cumulative hazards.

        Parameters
        ----------
        hazards : mapping of Cause to float
            Cumulative hazard of each cause at the horizon, dimensionless, >= 0.
        shape : Shape or mapping of Cause to Shape
            Shape of all, or of each.
        horizon : float
            Month at which they hold, > 0.

        Raises
        ------
        ParameterError
            When a hazard is negative, a cause has no shape, or the horizon is not above 0.
        """
        if not isinstance(hazards, Mapping):
            raise ParameterError(
                f"hazards is {hazards!r}; it must map each cause to a number; write "
                "{Cause.DEATH: 0.07}"
            )
        shapes = shape if isinstance(shape, Mapping) else dict.fromkeys(hazards, shape)
        if missing := [c for c in hazards if c not in shapes]:
            raise ParameterError(
                f"shape names no {missing[0]!r}; each cause has a shape; add it, or give one shape "
                "for all"
            )
        return cls(
            hazards=tuple(
                Hazard(cause=c, shape=shapes[c], cumulative=a) for c, a in hazards.items()
            ),
            horizon=horizon,
        )

    @classmethod
    def from_incidences(
        cls,
        incidences: Mapping[Cause, float],
        *,
        shape: Shape | Mapping[Cause, Shape],
        horizon: float,
    ) -> Biology:
        """Return the biology in which each cause has taken a stated share by the horizon.

        Parameters
        ----------
        incidences : mapping of Cause to float
            Cumulative incidence of each cause at the horizon, in [0, 1); their sum is below 1.
        shape, horizon
            As in `from_hazards`.

        Raises
        ------
        ParameterError
            As `from_hazards`, and when the incidences cannot be reached.
        """
        if not isinstance(incidences, Mapping):
            raise ParameterError(
                f"incidences is {incidences!r}; it must map each cause to a number; write "
                "{Cause.DEATH: 0.05}"
            )
        return cls.from_hazards(
            dict.fromkeys(incidences, 0.0), shape=shape, horizon=horizon
        ).reaching(incidences)

    @property
    def causes(self) -> tuple[Cause, ...]:
        """The causes, in the order of `hazards`."""
        return tuple(h.cause for h in self.hazards)

    @property
    def known_until(self) -> float:
        """Month beyond which some hazard is not known; infinite for most shapes."""
        return min(float(h.shape.known_until) for h in self.hazards)

    @property
    def scales(self) -> Floats:
        """What each shape is multiplied with, shape (causes,)."""
        return np.array(
            [h.cumulative / float(h.shape.cumulative(self.horizon)) for h in self.hazards]
        )

    def cumulative_hazard(self, times: ArrayLike) -> Floats:
        """Return the cumulative hazards at `times` (months), shape (causes, *times)."""
        t = require_non_negative("times", times, "count months from infusion")
        rows = [s * h.shape.cumulative(t) for s, h in zip(self.scales, self.hazards, strict=True)]
        return np.array(rows)

    def incidence(self, times: ArrayLike) -> Floats:
        """Return the cumulative incidences at `times` (months), shape (causes, *times).

        Raises
        ------
        ParameterError
            When a time is negative, or later than the hazards are known.
        """
        t = require_non_negative("times", times, "count months from infusion")
        return self._incidence(t, *self._grids(t))

    def event_free(self, times: ArrayLike) -> Floats:
        """Return the probability that no cause has acted by `times` (months)."""
        return np.asarray(1.0 - self.incidence(times).sum(axis=0))

    def restricted_mean(self, month: float) -> float:
        """Return the mean event-free time up to `month`, months."""
        end = float(require_positive("month", month, "count months from infusion", scalar=True))
        # Gauss and Legendre's rule between quantiles of the shapes, where the curve is smooth.
        knots = np.unique(np.append(self._grids(np.array([end]))[0][::16], end))
        nodes, weights = np.polynomial.legendre.leggauss(6)
        half = np.diff(knots)[:, None] / 2.0
        t = knots[:-1, None] + half * (1.0 + nodes)
        return float(np.sum(half * weights * self.event_free(t.ravel()).reshape(t.shape)))

    def reaching(self, incidences: Mapping[Cause, float]) -> Biology:
        """Return a biology with other hazards of some causes, so that their incidences are these.

        The hazards of all other causes stay, so that *their* incidences move.

        Parameters
        ----------
        incidences : mapping of Cause to float
            Incidence to reach by the horizon of each named cause, in [0, 1).

        Raises
        ------
        ParameterError
            When a cause is not of this biology, or the incidences cannot be reached: their sum
            is 1 or more, or the other causes are too fast for them.
        """
        if not isinstance(incidences, Mapping) or not incidences:
            raise ParameterError(
                f"incidences is {incidences!r:.200}; it must map each cause to a number; write "
                "{Cause.DEATH: 0.05}"
            )
        for cause in incidences:
            if cause not in self.causes:
                raise ParameterError(
                    f"incidences names {cause!r}; this biology has "
                    f"{', '.join(c.name for c in self.causes)}; choose among them"
                )
        wanted = require_fraction(
            "incidences", list(incidences.values()), "give the share that each cause takes"
        )
        if wanted.sum() >= 1.0:
            raise ParameterError(
                f"incidences add up to {float(wanted.sum()):g}; their sum must be below 1, or "
                "nobody is left; lower one"
            )
        rows = [self.causes.index(c) for c in incidences]
        found = self._solve(np.array(rows, dtype=int), wanted)
        return replace(
            self,
            hazards=tuple(
                replace(h, cumulative=float(a)) for h, a in zip(self.hazards, found, strict=True)
            ),
        )

    def multiplied(self, ratios: Mapping[Cause, float]) -> Biology:
        """Return the biology with the hazards of some causes multiplied.

        Raises
        ------
        ParameterError
            When a ratio is negative or its cause is not of this biology.
        """
        if not isinstance(ratios, Mapping) or not ratios or not set(ratios) <= set(self.causes):
            raise ParameterError(
                f"ratios is {ratios!r:.200}; it must map causes of this biology to hazard ratios; "
                f"choose among {', '.join(c.name for c in self.causes)}"
            )
        for ratio in ratios.values():
            require_non_negative("ratios", ratio, "give hazard ratios", scalar=True)
        return replace(
            self,
            hazards=tuple(
                replace(h, cumulative=h.cumulative * ratios.get(h.cause, 1.0)) for h in self.hazards
            ),
        )

    def records(self, month: float | None = None) -> list[dict[str, str | float]]:
        """Return both statements of the biology: one row a cause, hazard beside incidence.

        Parameters
        ----------
        month : float, optional
            Month at which they are stated; by default the horizon.
        """
        t = self.horizon
        if month is not None:
            t = float(
                require_non_negative("month", month, "count months from infusion", scalar=True)
            )
        both = zip(self.causes, self.cumulative_hazard(t), self.incidence(t), strict=True)
        return [
            {"cause": c.name, "month": t, "cumulative_hazard": float(a), "incidence": float(f)}
            for c, a, f in both
        ]

    def _grids(self, times: Floats) -> tuple[Floats, Floats]:
        """Return a grid up to the last of `times` that resolves every shape, and it doubled."""
        last = float(np.max(times, initial=0.0)) or float(self.horizon)
        shares = np.arange(_GRID) / _GRID
        points = [h.shape.inverse(shares * h.shape.cumulative(last)) for h in self.hazards]
        everything = np.concatenate([*points, times.ravel(), [0.0]])
        coarse = np.unique(np.minimum(everything, last))
        middle = (coarse[1:] + coarse[:-1]) / 2.0
        return coarse, np.sort(np.concatenate([coarse, middle]))

    def _incidence(self, times: Floats, coarse: Floats, fine: Floats) -> Floats:
        weights, factors = np.ones(1), np.ones((1, len(self.hazards), 1))
        if self.frailty is not None:
            weights = _WEIGHTS
            factors = np.repeat(factors, weights.size, axis=0)
            sd = self.frailty.log_sd
            row = self.causes.index(self.frailty.cause)
            factors[:, row, 0] = np.exp(sd * _NODES - sd**2 / 2.0)
        hazards = factors * self.cumulative_hazard(fine)
        # The coarse grid is every other point of the fine one.
        precise = (4.0 * _product(hazards)[..., ::2] - _product(hazards[..., ::2])) / 3.0
        mean = np.tensordot(weights, precise, axes=1)
        return np.asarray(mean[:, np.searchsorted(coarse, times)])

    def _solve(self, rows: NDArray[np.int64], wanted: Floats) -> Floats:
        """Return the cumulative hazards with which the causes `rows` reach `wanted`."""
        at = np.array(float(self.horizon))
        grids = self._grids(at)
        scale = np.array([h.cumulative for h in self.hazards], dtype=float)
        sum_ = wanted.sum()
        scale[rows] = wanted / sum_ * -np.log1p(-sum_) if sum_ else 0.0
        live = rows[wanted > 0]
        goal = wanted[wanted > 0]

        def reached(scale: Floats) -> Floats:
            hazards = tuple(
                replace(h, cumulative=float(a)) for h, a in zip(self.hazards, scale, strict=True)
            )
            return replace(self, hazards=hazards)._incidence(at, *grids)[live]

        for _ in range(_STEPS):
            miss = reached(scale) - goal
            if np.all(np.abs(miss) < _CLOSE):
                return scale
            jacobian = np.empty((live.size, live.size))
            for column, row in enumerate(live):
                step = scale.copy()
                step[row] *= 1.0 + 1e-6
                jacobian[:, column] = (reached(step) - miss - goal) / 1e-6
            try:
                move = np.linalg.solve(jacobian, -miss)
            except np.linalg.LinAlgError:
                break
            scale[live] *= np.exp(np.clip(move, -1.0, 1.0))  # steps of the logarithm
            if scale.max() > 1e4:
                break
        raise ParameterError(
            f"incidences is {[float(w) for w in wanted]}; with these shapes and the hazards of the "
            "other causes they cannot be reached; lower one, or give other shapes"
        )


def checked_biology(name: str, value: object) -> Biology:
    """Return a Biology, or raise."""
    return require_instance(name, value, Biology, "give a Biology, such as from_incidences makes")
