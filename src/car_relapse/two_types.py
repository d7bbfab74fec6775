r"""Targeted and escaped cells together, both by chance: exact laws of two types.

One targeted cell divides at rate :math:`b` and dies at rate :math:`d`; with probability
:math:`u` one daughter of a division has escaped. Escaped cells divide at rate :math:`b_1` and
die at rate :math:`d_1`. Nothing is taken as deterministic here, so these laws hold for one
cell and for many, and judge the approximations of `car_relapse.growth`.

The generating function :math:`F(t) = E[x^{S}y^{M}]` of targeted cells S and escaped cells M
solves

.. math:: F' = d - (b+d)F + b\left[(1-u)F^2 + uFH(y,t)\right], \qquad F(0) = x,

with H that of one escaped line. It has a closed form in hypergeometric functions (Antal &
Krapivsky 2011, doi:10.1088/1742-5468/2011/08/P08018; derived anew here): with
:math:`D_1 = d_1/b_1`, :math:`\lambda_1 = b_1-d_1`, :math:`\xi = (D_1-y)/(1-y)`,
:math:`X = \xi e^{-\lambda_1 t}` and :math:`\theta = X\,d/dX`,

.. math::

    F = \frac{\lambda_1}{b(1-u)}\,\frac{\theta\varphi}{\varphi}, \qquad
    (\theta-q_1)(\theta-q_2)\varphi = X(\theta-r_1)(\theta-r_2)\varphi ,

where :math:`r_{1,2} = b(1-u)/\lambda_1,\, d/\lambda_1`, and :math:`q_{1,2}` have the same
product and the sum :math:`r_1 + r_2 + b\,u(1-D_1)/\lambda_1`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from car_relapse.branching import constant_rate_law
from car_relapse.errors import (
    ParameterError,
    require_broadcast,
    require_count,
    require_finite,
    require_fraction,
    require_non_negative,
    require_positive,
)
from car_relapse.hypergeometric import hypergeometric
from car_relapse.size_walk import no_event_before_size

__all__ = ["TwoTypes", "no_event_before_size"]

Complex = NDArray[np.complex128]

_RATE_REMEDY = "give a rate per day"
_LOSS_REMEDY = "give a probability per division"
_ARGUMENT_REMEDY = "give a number, real or complex"
_DAYS_REMEDY = "give a duration in days"
# Mutant numbers are read from the generating function on a circle; beyond this many, the
# recursion of car_relapse.luria_delbrueck is the tool.
_LARGEST_COUNT = 1000
# Rates over the net growth of escaped cells up to which hypergeometric functions are computed.
_WIDEST = 1e4
_ROUNDING = 1e-9


def _complex(name: str, value: ArrayLike) -> Complex:
    try:
        array = np.asarray(value)
    except ValueError:  # lists of unequal lengths
        array = np.asarray(None)
    if array.dtype.kind != "c":
        return require_finite(name, value, _ARGUMENT_REMEDY).astype(complex)
    require_finite(name, array.real, _ARGUMENT_REMEDY)
    require_finite(name, array.imag, _ARGUMENT_REMEDY)
    return array.astype(complex)


class _Exponents(NamedTuple):
    """Exponents of the two solutions, and the parameters of their hypergeometric functions."""

    q1: float
    q2: float
    gap: float
    excess: float
    """q1 + q2 - r1 - r2."""
    one: tuple[float, float, float, float]
    """a, a + 1, b and c; a + 1 may be as small as c and needs its own digits."""
    two: tuple[float, float, float, float]
    targeted_grow: bool


class _Solutions(NamedTuple):
    """The two solutions of the hypergeometric equation, each with theta of it.

    A tilt is theta of a solution less r1 times it: near x = 1 the two almost cancel.
    """

    one: Complex
    slope_one: Complex
    tilt_one: Complex
    two: Complex
    slope_two: Complex
    tilt_two: Complex


@dataclass(frozen=True, kw_only=True)
class TwoTypes:
    """Rates of targeted and escaped cells."""

    birth_rate: float
    """Division rate b of targeted cells, 1/day, > 0."""
    death_rate: float
    """Death rate d of targeted cells, killing included, 1/day, >= 0."""
    loss: float
    """Probability u per division that one daughter has escaped, in (0, 1)."""
    escaped_birth_rate: float
    """Division rate of escaped cells, 1/day, > 0."""
    escaped_death_rate: float
    """Death rate of escaped cells, 1/day, >= 0 and below their division rate."""

    def __post_init__(self) -> None:
        require_positive("birth_rate", self.birth_rate, _RATE_REMEDY, scalar=True)
        require_non_negative("death_rate", self.death_rate, _RATE_REMEDY, scalar=True)
        require_fraction("loss", self.loss, _LOSS_REMEDY, scalar=True)
        require_positive("escaped_birth_rate", self.escaped_birth_rate, _RATE_REMEDY, scalar=True)
        require_non_negative(
            "escaped_death_rate", self.escaped_death_rate, _RATE_REMEDY, scalar=True
        )
        if self.loss in (0.0, 1.0):
            raise ParameterError(
                f"loss is {self.loss:g}; it must be inside (0, 1): lower it, or, for cells that "
                "never escape, use car_relapse.branching"
            )
        if self.escaped_death_rate >= self.escaped_birth_rate:
            raise ParameterError(
                f"escaped_death_rate is {self.escaped_death_rate:g} and escaped_birth_rate is "
                f"{self.escaped_birth_rate:g}; escaped cells must grow; exchange or change the "
                "rates"
            )

    @property
    def _clean(self) -> float:
        return self.birth_rate * (1.0 - self.loss)

    @property
    def _escaped_net(self) -> float:
        return self.escaped_birth_rate - self.escaped_death_rate

    def _exponents(self) -> _Exponents:
        """Return the exponents and their differences, each without cancellation.

        With equal rates q1 - q2 is 1 but for terms of the size of the loss, and the second
        solution has a pole where it is 1: every digit of these differences counts.
        """
        # Numpy's floats: they divide by 0 without an exception, and the result is judged.
        net, b, u = np.float64(self._escaped_net), self.birth_rate, self.loss
        r1, r2 = self._clean / net, self.death_rate / net
        large, small = max(r1, r2), min(r1, r2)
        added = b * u / self.escaped_birth_rate
        # 1 - (r1 - r2), which is 0 for equal rates and no loss.
        short = (self.escaped_birth_rate - b) + (self.death_rate - self.escaped_death_rate)
        short = (short + b * u) / net
        apart = abs(1.0 - short)
        near = short if r1 >= r2 else 2.0 - short  # 1 - apart
        gap = np.sqrt(apart**2 + added * (2.0 * (r1 + r2) + added))
        wider = added * (2.0 * (r1 + r2) + added) / (gap + apart)
        rise = 0.5 * (added + wider)  # of q1 over the larger of r1 and r2
        fall = small * rise / (large + rise)  # of q2 under the smaller
        return _Exponents(
            q1=large + rise,
            q2=small - fall,
            gap=gap,
            excess=added,
            one=(rise, rise + 1.0, rise + apart, 1.0 + gap),
            two=(-fall - apart, near - fall, -fall, near - wider),
            targeted_grow=bool(r1 >= r2),
        )

    def _solutions(self, x: Complex, days: float) -> _Solutions:
        """Return both solutions at X, over their powers of xi."""
        e = self._exponents()

        def solution(q: float, abc: tuple[float, ...], late: float) -> list[Complex]:
            a, next_a, b, c = abc
            value = hypergeometric(a, next_a, b, c, x)
            shift = hypergeometric(next_a, next_a + 1.0, b + 1.0, c + 1.0, x)
            bend = x * a * b / c * shift
            over = a if e.targeted_grow else b  # q - r1
            return [late * value, late * (q * value + bend), late * (over * value + bend)]

        # Relative to the slower solution, so that neither underflows on late days.
        late = float(np.exp(-self._escaped_net * e.gap * days))
        return _Solutions(*solution(e.q1, e.one, late), *solution(e.q2, e.two, 1.0))

    def _parts(self, y: Complex, days: float) -> tuple[_Solutions, _Solutions, Complex, Complex]:
        if max(self.birth_rate, self.death_rate) > _WIDEST * self._escaped_net:
            raise _too_far_apart()
        share = self.escaped_death_rate / self.escaped_birth_rate
        start = (share - y) / (1.0 - y)
        end = start * np.exp(-self._escaped_net * days)
        return self._solutions(start, 0.0), self._solutions(end, days), start, end

    def generating_function(self, targeted: ArrayLike, escaped: ArrayLike, days: float) -> Complex:
        r"""Return :math:`E[x^S y^M]` after `days`, from one targeted cell.

        Parameters
        ----------
        targeted, escaped : array_like
            x and y, real or complex, :math:`|x| \le 1` and :math:`|y| < 1`; they broadcast.
        days : float
            Duration, days, >= 0.

        Returns
        -------
        ndarray of complex

        Raises
        ------
        ParameterError
            When x, y or the duration break their rules.

        Examples
        --------
        >>> both = TwoTypes(birth_rate=1.0, death_rate=0.2, loss=0.1,
        ...                 escaped_birth_rate=1.0, escaped_death_rate=0.2)
        >>> round(float(both.generating_function(1.0, 0.0, 2.5).real), 6)
        0.610399
        """
        t = float(require_non_negative("days", days, _DAYS_REMEDY, scalar=True))
        x, y = _complex("targeted", targeted), _complex("escaped", escaped)
        require_broadcast(_ARGUMENT_REMEDY, targeted=x, escaped=y)
        if not (np.all(np.abs(x) <= 1) and np.all(np.abs(y) < 1)):
            raise ParameterError(
                f"targeted is {targeted!r} and escaped is {escaped!r}; the generating function is "
                "read where |x| <= 1 and |y| < 1; move the argument inside"
            )
        with np.errstate(all="ignore"):  # judged below
            return np.asarray(_probability(self._generating_function(x, y, t)))

    def _generating_function(self, x: Complex, y: Complex, days: float) -> Complex:
        first, last, *_ = self._parts(y, days)
        c = self._clean / self._escaped_net
        one = first.tilt_two + c * (1.0 - x) * first.two
        two = first.tilt_one + c * (1.0 - x) * first.one
        top = one * last.slope_one - two * last.slope_two
        return np.asarray(top / (c * (one * last.one - two * last.two)))

    def no_event(self, days: ArrayLike) -> NDArray[np.float64]:
        """Return the probability that no cell escapes within `days`, from one targeted cell.

        Escaped cells that have died count as well. A constant Riccati equation: the line of
        the targeted cell, in which a division with loss ends the count.

        Raises
        ------
        ParameterError
            When `days` is negative or not finite.
        """
        t = require_non_negative("days", days, _DAYS_REMEDY)
        b, d, u = self.birth_rate, self.death_rate, self.loss
        # Roots of b(1-u) F^2 - (b+d) F + d, the small one from their product.
        spread = np.sqrt((b - d) ** 2 + 4.0 * b * d * u)
        high = (b + d + spread) / (2.0 * self._clean)
        low = d / (self._clean * high)
        decay = np.exp(-spread * t)
        # 1 lies between the roots; high - 1 without a difference of near-equal numbers.
        above = 2.0 * b * u / ((b * (1.0 - 2.0 * u) - d) + spread) if b > d else high - 1.0
        weight = (1.0 - low) * decay
        return np.asarray(np.minimum((low * above + high * weight) / (above + weight), 1.0))

    def no_living(self, days: float) -> float:
        """Return the probability that no escaped cell is alive after `days`.

        Raises
        ------
        ParameterError
            When `days` is negative or not finite.

        Examples
        --------
        >>> both = TwoTypes(birth_rate=0.14, death_rate=0.13, loss=1e-3,
        ...                 escaped_birth_rate=0.14, escaped_death_rate=0.13)
        >>> round(both.no_living(300.0), 6)
        0.967355
        """
        if self.escaped_death_rate == 0:
            return float(self.no_event(days))  # what has escaped stays
        return float(self.generating_function(1.0, 0.0, days).real)

    def no_living_if_targeted_alive(self, days: float) -> float:
        r"""Return P(no living escaped cell), given that targeted cells are alive after `days`.

        :math:`[F(1,0)-F(0,0)]/P(S>0)`. As F is a Möbius function of x, the difference is a
        product, by the Wronskian of the two solutions, and keeps its digits.

        Raises
        ------
        ParameterError
            When `days` is not finite and > 0.

        Examples
        --------
        >>> both = TwoTypes(birth_rate=0.14, death_rate=0.13, loss=1e-8,
        ...                 escaped_birth_rate=0.14, escaped_death_rate=0.13)
        >>> round(both.no_living_if_targeted_alive(1600.0), 6)
        0.220474
        """
        t = float(require_positive("days", days, _DAYS_REMEDY, scalar=True))
        alive = float(np.exp(constant_rate_law(self._clean, self.death_rate, t).log_alive))
        if self.escaped_death_rate == 0:
            raise ParameterError(
                "escaped_death_rate is 0; no escaped cell ever dies, so that none is alive only "
                "if none has been born; use no_event"
            )
        with np.errstate(all="ignore"):  # judged below
            return float(_probability(self._joint(t) / alive).real)

    def _joint(self, days: float) -> Complex:
        """Return P(targeted cells live and no escaped ones do)."""
        first, last, start, end = self._parts(np.zeros((), dtype=complex), days)
        e = self._exponents()
        lower = first.slope_two * last.one - first.slope_one * last.two
        upper = first.tilt_two * last.one - first.tilt_one * last.two
        # Wronskian of the two solutions: (q2 - q1) X^(q1+q2) (1-X)^(r1+r2-q1-q2).
        falls = ((1.0 - start) * (1.0 - end)) ** -e.excess
        late = np.exp(-self._escaped_net * e.gap * days)
        return np.asarray(e.gap**2 * falls * late / (lower * upper))

    def escaped_probabilities(self, days: float, largest: int) -> NDArray[np.float64]:
        """Return the probabilities of 0, 1, ... `largest` living escaped cells after `days`.

        Read from the generating function on a circle, to about 1e-13.

        Parameters
        ----------
        days : float
            Duration, days, >= 0.
        largest : int
            Largest number, from 0 to 1000.

        Returns
        -------
        ndarray, shape (largest + 1,)

        Raises
        ------
        ParameterError
            When an argument breaks its rule.
        """
        n = require_count(
            "largest", largest, "for larger numbers use car_relapse.luria_delbrueck",
            maximum=_LARGEST_COUNT,
        )  # fmt: skip
        # On a circle of radius r the error is r^points; the digits lost are r^-n.
        points = max(64, 8 * (n + 1))
        radius = 1e-14 ** (1.0 / points)
        y = radius * np.exp(2j * np.pi * np.arange(points) / points)
        p = np.fft.fft(self.generating_function(1.0, y, days)).real / points
        return np.asarray(np.clip(p[: n + 1] / radius ** np.arange(n + 1), 0.0, 1.0))


def _probability(value: Complex) -> Complex:
    """Return `value` unless rates so far apart that digits were lost have spoilt it."""
    # A power of the series at its reach may overflow, and its product with 0 is no number.
    if not np.all(np.abs(value) <= 1.0 + _ROUNDING):
        raise _too_far_apart()
    return value / np.maximum(np.abs(value), 1.0)


def _too_far_apart() -> ParameterError:
    return ParameterError(
        "the rates of targeted and escaped cells are too far apart for the closed form; bring the "
        "rates closer, or draw both with growth_sampling.sample_two_types"
    )
