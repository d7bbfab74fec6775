r"""BOIN, mTPI, mTPI-2 and i3+3: what x toxicities among n patients at a level decide.

Each compares what was seen at the current level with an interval around the target
:math:`\phi`. BOIN (Liu and Yuan 2015, doi:10.1111/rssc.12089) asks whether x/n lies at or below
:math:`\lambda_e`, or at or above :math:`\lambda_d`,

.. math::

    \lambda_e = \frac{\ln\frac{1-\phi_1}{1-\phi}}{\ln\frac{\phi(1-\phi_1)}{\phi_1(1-\phi)}},
    \qquad
    \lambda_d = \frac{\ln\frac{1-\phi}{1-\phi_2}}{\ln\frac{\phi_2(1-\phi)}{\phi(1-\phi_2)}},

the points at which x/n is as likely under :math:`\phi` as under :math:`\phi_1` (too low), or
under :math:`\phi_2` (too high). The others put up an interval from :math:`\phi-\epsilon_1` to
:math:`\phi+\epsilon_2`. mTPI (Ji and others 2010, doi:10.1177/1740774510382799) divides the
posterior probability below, in and above it by the lengths of the three pieces, and acts on the
largest; so wide pieces are punished for their width. mTPI-2 (Guo and others 2017,
doi:10.1016/j.cct.2017.04.006) mends that by cutting them into pieces as long as the interval,
which makes the decisions those of the keyboard design wherever
a whole piece fits below and above. i3+3 (Liu, Wang and Ji 2020,
J Biopharm Stat 30:294) compares x/n with the interval, and stays where it lies above
while one toxicity fewer would put it below.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log, log1p

import numpy as np
from numpy.typing import NDArray
from scipy.special import betainc

from car_relapse.errors import ParameterError, require_fraction
from car_relapse.trial._checks import strictly_between
from car_relapse.trial.dose._checks import require_beta
from car_relapse.trial.dose.decision_tables import (
    Moves,
    TableDesign,
    _posterior_above,
)
from car_relapse.trial.dose.designs import STOP, Ints

__all__ = ["BOIN", "MTPI", "MTPI2", "I3Plus3"]

#: Whole numbers of toxicities are compared with products that round.
_ROUNDING = 1e-9
#: Shortest interval around the target; mTPI-2 cuts everything into pieces of its length.
_SHORTEST = 1e-3


@dataclass(frozen=True, kw_only=True)
class BOIN(TableDesign):
    """The Bayesian optimal interval design, a `TableDesign` with its fields and methods.

    Examples
    --------
    >>> design = BOIN(target=0.3)
    >>> round(design.escalation_boundary, 4), round(design.deescalation_boundary, 4)
    (0.2365, 0.3585)
    >>> design.table(6)
    (DecisionRow(patients=6, escalate=1, deescalate=3, eliminate=4),)
    """

    too_low: float | None = None
    """Toxicity that is too low, below the target; 0.6 of the target unless given."""
    too_high: float | None = None
    """Toxicity that is too high, above the target; 1.4 of the target unless given."""
    extra_safety: float | None = None
    """Stop when the lowest level is above the target with this posterior probability, lower than
    `cutoff`; None for the rule that excludes levels alone."""

    def __post_init__(self) -> None:
        super().__post_init__()
        low = strictly_between("too_low", self._low, "give 0.6 of the target or so")
        high = strictly_between("too_high", self._high, "give 1.4 of the target or so")
        if not low < self.target < high:
            raise ParameterError(
                f"too_low, target and too_high are {low:g}, {self.target:g} and {high:g}; they "
                "must rise; give toxicities below and above the target"
            )
        safety = self.extra_safety
        if safety is not None:
            safety = strictly_between("extra_safety", safety, "give 0.9 or so")
        self._keep(
            too_low=None if self.too_low is None else low,
            too_high=None if self.too_high is None else high,
            extra_safety=safety,
        )

    @property
    def _low(self) -> float:
        return 0.6 * self.target if self.too_low is None else self.too_low

    @property
    def _high(self) -> float:
        return 1.4 * self.target if self.too_high is None else self.too_high

    @property
    def escalation_boundary(self) -> float:
        r"""Share of patients with toxicity, :math:`\lambda_e`, at or below which to go up."""
        return _boundary(self._low, self.target)

    @property
    def deescalation_boundary(self) -> float:
        r"""Share of patients with toxicity, :math:`\lambda_d`, at or above which to go down."""
        return _boundary(self.target, self._high)

    def _moves(self, patients: int) -> Moves:
        """Return the move after 0 to `patients` toxicities: 1 up, 0 stay, -1 down."""
        x = np.arange(patients + 1)
        up = x <= self.escalation_boundary * patients + _ROUNDING
        down = x >= self.deescalation_boundary * patients - _ROUNDING
        return up.astype(np.int8) - down.astype(np.int8)

    def _ceiling(self, treated: Ints, toxic: Ints) -> Ints:
        ceiling = super()._ceiling(treated, toxic)
        if self.extra_safety is None:
            return ceiling
        n, x = treated[..., 0], toxic[..., 0]
        unsafe = _posterior_above(self.target, n, x) > self.extra_safety
        return np.where(unsafe & (n >= self.least), STOP, ceiling)


def _boundary(low: float, high: float) -> float:
    """Return the share of toxicities that is as likely under one probability as the other."""
    gap = log1p(-low) - log1p(-high)
    return gap / (log(high) - log(low) + gap)


@dataclass(frozen=True, kw_only=True)
class _Around(TableDesign):
    """Designs with an interval around the target within which patients stay at the level."""

    below: float = 0.05
    """How far the interval reaches below the target, in [0, target)."""
    above: float = 0.05
    """How far the interval reaches above the target, in [0, 1 - target)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, value, room in (
            ("below", self.below, self.target),
            ("above", self.above, 1.0 - self.target),
        ):
            width = float(require_fraction(name, value, "give 0.05 or so", scalar=True))
            self._keep(**{name: width})
            if width >= room:
                raise ParameterError(
                    f"{name} is {width:g} around a target of {self.target:g}; the interval must "
                    "lie within (0, 1); give a smaller width"
                )

    @property
    def _ends(self) -> tuple[float, float]:
        return self.target - self.below, self.target + self.above


@dataclass(frozen=True, kw_only=True)
class _Masses(_Around):
    """Designs that compare posterior probabilities per length of the pieces of [0, 1]."""

    least: int = 1
    """Patients at a level before it can be excluded, >= 1."""
    prior: tuple[float, float] = (1.0, 1.0)
    """Beta prior of the toxicity of each level, both > 0, for the decisions; exclusion has a flat
    one."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.below + self.above < _SHORTEST:
            raise ParameterError(
                f"below and above are {self.below:g} and {self.above:g}; the interval must be at "
                f"least {_SHORTEST:g} long; give 0.05 or so"
            )
        self._keep(prior=require_beta("prior", self.prior))

    def _edges(self) -> NDArray[np.float64]:
        """Return the ends of the pieces; each design has its own."""
        raise NotImplementedError  # of no design by itself: mTPI and mTPI-2 follow

    def _moves(self, patients: int) -> Moves:
        """Return the move after 0 to `patients` toxicities: 1 up, 0 stay, -1 down."""
        x = np.arange(patients + 1)[:, None]
        edges = self._edges()
        share = betainc(self.prior[0] + x, self.prior[1] + patients - x, edges)
        best = np.argmax(np.diff(share, axis=1) / np.diff(edges), axis=1)
        low, high = self._ends
        middle = 0.5 * (edges[:-1] + edges[1:])[best]
        return np.asarray((middle < low).astype(np.int8) - (middle > high).astype(np.int8))


@dataclass(frozen=True, kw_only=True)
class MTPI(_Masses):
    """The modified toxicity probability interval design, a `TableDesign`.

    The interval reaches from `below` under the target to `above` over it, 0.05 each unless given;
    `prior` is the beta prior of each level for the decisions, flat unless given, and a level can
    be excluded from its first patient on.

    Examples
    --------
    >>> MTPI(target=0.3).decisions(6)
    'EESSUUU'
    """

    def _edges(self) -> NDArray[np.float64]:
        return np.array([0.0, *self._ends, 1.0])


@dataclass(frozen=True, kw_only=True)
class MTPI2(_Masses):
    """The second modified toxicity probability interval design.

    A `TableDesign` with the fields of `MTPI`. The pieces next to 0 and 1 are what is left of the
    length; they keep their own.

    Examples
    --------
    >>> MTPI2(target=0.3).decisions(6)
    'EESDUUU'
    """

    def _edges(self) -> NDArray[np.float64]:
        low, high = self._ends
        length = high - low
        # A sliver that rounding leaves is no piece.
        down = np.arange(low, _ROUNDING, -length)[::-1]
        up = np.arange(high, 1.0 - _ROUNDING, length)
        return np.concatenate([[0.0], down, up, [1.0]])


@dataclass(frozen=True, kw_only=True)
class I3Plus3(_Around):
    """The i3+3 design, a `TableDesign`.

    The interval reaches from `below` under the target to `above` over it, 0.05 each unless given.

    Examples
    --------
    >>> I3Plus3(target=0.3).decisions(6)
    'EESDUUU'
    """

    def _moves(self, patients: int) -> Moves:
        """Return the move after 0 to `patients` toxicities: 1 up, 0 stay, -1 down."""
        x = np.arange(patients + 1)
        low, high = self._ends
        up = x < low * patients - _ROUNDING
        over = x > high * patients + _ROUNDING
        down = over & ~(x - 1 < low * patients - _ROUNDING)
        return up.astype(np.int8) - down.astype(np.int8)
