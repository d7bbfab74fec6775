r"""CAR-T that compete for room: Kimmel et al. 2021 as an exposure, for one product or several.

After lymphodepletion, normal T cells :math:`N` and CAR-T cells :math:`C_i` of one or more
products refill the same space. The equation of the paper (doi:10.1098/rspb.2021.0229) for one
product, given to each of several that share the room, with :math:`T = N + \sum_j C_j`:

.. math::

    N' = -r_N N \ln\frac{T}{K_N}, \qquad
    C_i' = -r_C(T)\, C_i \ln\frac{T}{K_i}, \qquad
    r_C(T) = \rho_C + \frac{b\,(T-K_N)^2}{a\,T^2 + (T-K_N)^2} .

Products with one capacity keep their ratio for ever, and their sum is the single product. A
second product that arrives late finds the room taken: it expands little or not at all, unless
lymphodepletion comes before it again. More than one product is our generalisation; the paper
has one.

The tumour does not act on the CAR-T cells, so the curves are solved once, in logarithms. In
the end :math:`T = K_N`, and :math:`C_i` declines at the rate :math:`\rho_C\ln(K_N/K_i)`; from
the day on which that holds to ten digits the curve is that exponential, for any number
of years.

Levels are in cells/µl of blood, or in cells in the body at the paper's scale, by which 500
cells/µl are 2.5e11 cells.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from itertools import count
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.integrate import solve_ivp
from scipy.interpolate import PPoly

from car_relapse.crossing import last_crossing
from car_relapse.dense import polynomial_pieces
from car_relapse.errors import (
    ParameterError,
    require_count,
    require_instance,
    require_non_negative,
    require_positive,
)
from car_relapse.exposure_products import SummedExposure
from car_relapse.killing import Killing
from car_relapse.published._kimmel_model import car_growth
from car_relapse.published.kimmel2021 import CELLS_PER_LEVEL, KimmelParameters

__all__ = [
    "CarInfusion",
    "CompetingProducts",
    "KimmelExposure",
    "KimmelUnit",
    "ProductExposure",
    "kimmel_killing",
]

KimmelUnit = Literal["cells/µl", "cells"]

_RTOL, _ATOL = 1e-12, 1e-13
# A CAR-T level and a gap to the capacity below this part of it change nothing in the digits
# that are kept.
_SETTLED = 1e-10
# A curve that has not settled by then goes on with the slope of that day.
_CENTURY = 36_525.0
# Slopes that a curve may cost: some twenty times what the paper's values need.
_CALLS = 40_000
# Infusions closer than this, in days, are one; the pieces of the curve need some width.
_CLOSEST = 1e-6


def _scale(unit: KimmelUnit) -> float:
    if unit not in get_args(KimmelUnit):
        raise ParameterError(
            f"unit is {unit!r}; it must be 'cells/µl' or 'cells', which is 5e8 times as many; "
            "choose one"
        )
    return 1.0 if unit == "cells/µl" else CELLS_PER_LEVEL


def kimmel_killing(parameters: KimmelParameters, *, unit: KimmelUnit = "cells/µl") -> Killing:
    r"""Return the paper's law of killing, :math:`\gamma_B C/(k_B + C)`, in the unit of `C`.

    Examples
    --------
    >>> kimmel_killing(KimmelParameters(), unit="cells").half_level
    2025000000.0
    """
    require_instance("parameters", parameters, KimmelParameters, "give KimmelParameters()")
    return Killing(
        maximal_rate=parameters.killing_rate, half_level=parameters.half_killing * _scale(unit)
    )


@dataclass(frozen=True, kw_only=True)
class CarInfusion:
    """One product, given once."""

    day: float = 0.0
    """Day of the infusion, days after lymphodepletion ends, >= 0."""
    amount: float
    """CAR-T level that it adds on that day, cells/µl, > 0."""
    capacity: float | None = None
    """Carrying capacity :math:`K_i` of the product, cells/µl, > 0 and below that of normal T
    cells; the paper's when left out."""

    def __post_init__(self) -> None:
        require_non_negative("day", self.day, "count from the start of therapy", scalar=True)
        require_positive("amount", self.amount, "the paper has 0.36 cells/µl", scalar=True)
        if self.capacity is not None:
            require_positive("capacity", self.capacity, "the paper has 139 cells/µl", scalar=True)


@dataclass(frozen=True)
class _Course:
    """Logarithms of the levels: a polynomial piece by piece, then a straight line."""

    curves: tuple[PPoly, ...]
    slopes: tuple[float, ...]
    end: float


@dataclass(frozen=True, kw_only=True)
class CompetingProducts:
    """Products that share the room with each other and with normal T cells.

    Examples
    --------
    >>> both = CompetingProducts(infusions=(CarInfusion(amount=0.24), CarInfusion(amount=0.12)))
    >>> first, second = (both.exposure(i).level(14.0) for i in (0, 1))
    >>> round(float(first / second), 9), round(float(first + second), 2)
    (2.0, 8.97)
    """

    parameters: KimmelParameters = field(default_factory=KimmelParameters)
    """Rates and normal T cells; its `car_start` and its tumour are not used."""
    infusions: tuple[CarInfusion, ...]
    """One entry for each product and each of its infusions."""
    unit: KimmelUnit = "cells/µl"
    """Unit of the levels, "cells/µl" or "cells"; the infusions are in cells/µl in any case."""

    def __post_init__(self) -> None:
        require_instance("parameters", self.parameters, KimmelParameters, "KimmelParameters()")
        _scale(self.unit)
        if not isinstance(self.infusions, tuple) or not self.infusions:
            raise ParameterError(
                f"infusions is {self.infusions!r}; it must be a tuple of one infusion or more; "
                "give (CarInfusion(amount=0.36),)"
            )
        for infusion in self.infusions:
            require_instance("an infusion", infusion, CarInfusion, "give CarInfusion(amount=0.36)")
            if self.capacity(infusion) >= self.parameters.normal_capacity:
                raise ParameterError(
                    f"capacity is {self.capacity(infusion):g}; normal T cells must win in the end, "
                    f"so it must be < normal_capacity, {self.parameters.normal_capacity:g}; lower "
                    "it"
                )

        gaps = np.diff(sorted({0.0, *(infusion.day for infusion in self.infusions)}))
        if np.any(gaps < _CLOSEST):
            raise ParameterError(
                f"two infusions are {gaps.min():g} days apart; they must be on one day or at least "
                f"{_CLOSEST:g} days apart; give both the same day"
            )

    def capacity(self, infusion: CarInfusion) -> float:
        """Return the carrying capacity of an infused product, cells/µl."""
        require_instance("infusion", infusion, CarInfusion, "give a CarInfusion")
        own = infusion.capacity
        return self.parameters.car_capacity if own is None else own

    def exposure(self, index: int) -> ProductExposure:
        """Return the curve of the infusion with number `index`, counted from 0.

        Raises
        ------
        ParameterError
            When there is no such infusion.
        """
        last = len(self.infusions) - 1
        number = require_count("index", index, "infusions count from 0", maximum=last)
        return ProductExposure(products=self, index=number)

    @property
    def total(self) -> SummedExposure:
        """The curve of all CAR-T cells together."""
        return SummedExposure(parts=tuple(self.exposure(i) for i in range(len(self.infusions))))

    @cached_property
    def _course(self) -> _Course:
        p = self.parameters
        capacities = [self.capacity(infusion) for infusion in self.infusions]
        days = sorted({0.0, *(infusion.day for infusion in self.infusions)})
        breaks: list[list[NDArray[np.float64]]] = [[] for _ in capacities]
        parts: list[list[NDArray[np.float64]]] = [[] for _ in capacities]
        present: list[int] = []
        state = np.array([np.log(p.normal_start)])

        calls = count()

        def slope(_: float, y: NDArray[np.float64]) -> list[float]:
            if next(calls) > _CALLS:
                raise ParameterError(
                    f"normal_rate is {p.normal_rate:g} and car_rate {p.car_rate:g}; a curve with "
                    "such rates does not settle in a number of steps that can be waited for; "
                    "rates of T cells are below a few per day; check them against Table 1"
                )
            total = float(np.logaddexp.reduce(y))
            normal = -p.normal_rate * (total - float(np.log(p.normal_capacity)))
            return [normal, *(car_growth(p, total, capacities[i]) for i in present)]

        def settled(_: float, y: NDArray[np.float64]) -> float:
            cars = float(np.exp(np.logaddexp.reduce(y[1:]))) / p.normal_capacity
            gap = abs(float(y[0] - np.log(p.normal_capacity)))
            return float(np.log(max(cars, gap, 1e-300) / _SETTLED))

        # The integrator reads this mark from the function it watches; a function may have
        # attributes, but its type names none.
        settled.terminal = True  # type: ignore[attr-defined]
        for number, day in enumerate(days):
            for i, infusion in enumerate(self.infusions):
                if infusion.day == day:
                    present.append(i)
                    state = np.append(state, np.log(infusion.amount))
            late = number == len(days) - 1
            stop = day + _CENTURY if late else days[number + 1]
            run = solve_ivp(
                slope, (day, stop), state, "DOP853", rtol=_RTOL, atol=_ATOL, dense_output=True,
                events=settled if late else None,
            )  # fmt: skip
            state = run.y[:, -1]
            at, coefficients = polynomial_pieces(run.sol)
            for place, i in enumerate(present, start=1):
                breaks[i].append(at if not breaks[i] else at[1:])
                parts[i].append(coefficients[:, :, place])
        # Once settled, the room is full to rounding, and the limit is more exact than the state.
        total = np.log(p.normal_capacity) if run.status == 1 else float(np.logaddexp.reduce(state))
        slopes = tuple(car_growth(p, float(total), capacity) for capacity in capacities)
        if max(slopes) >= 0:
            raise ParameterError(
                f"normal_rate is {p.normal_rate:g} and car_rate {p.car_rate:g}; with such rates "
                "CAR-T still expand after a hundred years, and a curve must decline in the end; "
                "check them against Table 1"
            )
        return _Course(
            curves=tuple(
                PPoly(np.concatenate(c, axis=1), np.concatenate(x))
                for c, x in zip(parts, breaks, strict=True)
            ),
            slopes=slopes,
            end=float(run.t[-1]),
        )


@dataclass(frozen=True, kw_only=True)
class ProductExposure:
    """The curve of one of several products that compete for room."""

    products: CompetingProducts
    """All of them."""
    index: int
    """Number of the infusion, counted from 0."""

    def __post_init__(self) -> None:
        require_instance(
            "products", self.products, CompetingProducts, "give CompetingProducts(...)"
        )
        last = len(self.products.infusions) - 1
        require_count("index", self.index, "count the infusions from 0", maximum=last)

    @property
    def _infusion(self) -> CarInfusion:
        return self.products.infusions[self.index]

    @cached_property
    def _nodes(self) -> NDArray[np.float64]:
        """Days between which the curve is monotone, from the infusion to the straight line."""
        curve = self.products._course.curves[self.index]
        turns = curve.derivative().roots(extrapolate=False)
        days = np.concatenate([curve.x, turns[np.isfinite(turns)]])
        return np.unique(np.clip(days, curve.x[0], curve.x[-1]))

    @property
    def kinks(self) -> tuple[float, ...]:
        """The days of all infusions: each takes room at once."""
        return tuple(sorted({infusion.day for infusion in self.products.infusions}))

    def log_level(self, day: ArrayLike) -> NDArray[np.float64]:
        """Return the natural log of the level on `day`; minus infinity before the infusion.

        Raises
        ------
        ParameterError
            When a day is negative or not finite.
        """
        t = require_non_negative("day", day, "count from the start of therapy")
        return self._log_level(t)

    def _log_level(self, t: NDArray[np.float64]) -> NDArray[np.float64]:
        course = self.products._course
        inside = course.curves[self.index](np.clip(t, self._infusion.day, course.end))
        value = inside + course.slopes[self.index] * np.maximum(t - course.end, 0.0)
        value = value + np.log(_scale(self.products.unit))
        return np.asarray(np.where(t >= self._infusion.day, value, -np.inf))

    def level(self, day: ArrayLike) -> NDArray[np.float64]:
        """Return the level on `day`, in cells/µl or cells; 0 before the infusion.

        Parameters
        ----------
        day : array_like
            Days after the start of therapy, >= 0.

        Raises
        ------
        ParameterError
            When a day is negative or not finite.
        """
        return np.asarray(np.exp(self.log_level(day)))

    def last_day_above(self, level: ArrayLike) -> NDArray[np.float64]:
        """Return the last day on which the product is at least `level`, or 0 if never.

        Raises
        ------
        ParameterError
            When `level` is not finite and > 0.
        """
        wanted = np.log(require_positive("level", level, f"give {self.products.unit}"))
        days = [self._last_day(float(value)) for value in wanted.reshape(-1)]
        return np.asarray(days, dtype=float).reshape(wanted.shape)

    def _last_day(self, log_level: float) -> float:
        course = self.products._course
        rest = float(self._log_level(np.asarray(course.end))) - log_level
        if rest >= 0:
            return course.end - rest / course.slopes[self.index]
        return last_crossing(self._log_level, self._nodes, log_level)


@dataclass(frozen=True, kw_only=True)
class KimmelExposure:
    """The CAR-T curve of Kimmel et al. 2021, with lymphodepletion and competition.

    Examples
    --------
    >>> KimmelExposure().level([7.0, 14.0, 28.0, 36_500.0]).round(2)
    array([30.11,  8.97,  2.49,  0.  ])
    """

    parameters: KimmelParameters = field(default_factory=KimmelParameters)
    """Rates and starting levels; its tumour does not act on the curve."""
    unit: KimmelUnit = "cells/µl"
    """Unit of the levels, "cells/µl" or "cells"."""

    def __post_init__(self) -> None:
        require_instance("parameters", self.parameters, KimmelParameters, "KimmelParameters()")
        _scale(self.unit)

    @cached_property
    def _product(self) -> ProductExposure:
        infusion = CarInfusion(amount=self.parameters.car_start)
        return CompetingProducts(
            parameters=self.parameters, infusions=(infusion,), unit=self.unit
        ).exposure(0)

    @property
    def kinks(self) -> tuple[float, ...]:
        """The day of infusion; the curve is smooth from then on."""
        return self._product.kinks

    def log_level(self, day: ArrayLike) -> NDArray[np.float64]:
        """Return the natural log of the level on `day`, which outlives the level itself."""
        return self._product.log_level(day)

    def level(self, day: ArrayLike) -> NDArray[np.float64]:
        """Return the CAR-T level on `day` after infusion, in cells/µl or cells.

        Raises
        ------
        ParameterError
            When a day is negative or not finite.
        """
        return self._product.level(day)

    def last_day_above(self, level: ArrayLike) -> NDArray[np.float64]:
        """Return the last day on which the level is at least `level`, or 0 if never.

        Raises
        ------
        ParameterError
            When `level` is not finite and > 0.
        """
        return self._product.last_day_above(level)
