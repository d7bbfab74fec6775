r"""Bispecific engagers: a drug instead of a living cell, so exposure ends with the dosing.

Linear kinetics in one or two compartments. A unit amount put into the central volume
:math:`V` leaves the concentration :math:`\sum_i c_i e^{-\lambda_i t}`, and everything else
follows by superposition: an infusion at rate :math:`R` adds

.. math:: \sum_i \frac{R c_i}{\lambda_i}\left(e^{-\lambda_i (t - t_{end})_+}
    - e^{-\lambda_i (t - t_{start})_+}\right),

a subcutaneous dose :math:`A`, absorbed at rate :math:`k_a` to a fraction :math:`F`, adds
:math:`F A k_a \sum_i c_i (e^{-\lambda_i t} - e^{-k_a t})/(k_a - \lambda_i)`.

The drug acts through *trimers* that bridge T cell and target. With more drug than
receptors can bridge, each receptor has a drug of its own and trimers fall again (the hook):

.. math:: \text{trimers} \propto \frac{c}{(c + K_1)(c + K_2)},
    \qquad c_{opt} = \sqrt{K_1 K_2} .

Units: amounts in µg, volumes in litres, hence concentrations in µg/l = ng/ml; any other
amount serves as well, with dissociation constants in that amount per litre.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import exprel

from car_relapse.crossing import search_last_day
from car_relapse.errors import (
    ParameterError,
    require_fraction,
    require_instance,
    require_non_negative,
    require_positive,
)

__all__ = [
    "EngagerExposure",
    "EngagerKinetics",
    "Infusion",
    "Injection",
    "TrimerExposure",
    "TrimerLaw",
]

# A number of e-foldings after which nothing is left, and which is still a number.
_LATEST = 1e300


@dataclass(frozen=True, kw_only=True)
class EngagerKinetics:
    """Linear kinetics of one engager, in one compartment or two."""

    clearance: float
    """Clearance from the central volume, l/day, > 0."""
    central_volume: float
    """Central volume :math:`V`, l, > 0."""
    exchange: float = 0.0
    """Clearance between the central and the peripheral volume, l/day, >= 0; 0 makes one
    compartment."""
    peripheral_volume: float = 1.0
    """Peripheral volume, l, > 0; without effect when `exchange` is 0."""
    absorption_rate: float | None = None
    """Rate :math:`k_a` of uptake from under the skin, 1/day, > 0; None for a drug that is
    only infused."""
    bioavailability: float = 1.0
    """Fraction :math:`F` of a subcutaneous dose that is taken up, dimensionless, in [0, 1]."""

    def __post_init__(self) -> None:
        require_positive("clearance", self.clearance, "give litres per day", scalar=True)
        require_positive("central_volume", self.central_volume, "give litres", scalar=True)
        require_non_negative("exchange", self.exchange, "0 makes one compartment", scalar=True)
        require_positive("peripheral_volume", self.peripheral_volume, "give litres", scalar=True)
        require_fraction(
            "bioavailability", self.bioavailability, "1 means that all is taken up", scalar=True
        )
        if self.absorption_rate is not None:
            require_positive(
                "absorption_rate", self.absorption_rate, "give a rate per day", scalar=True
            )

    @cached_property
    def unit_response(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        r"""Amplitudes :math:`c_i` (1/l) and rates :math:`\lambda_i` (1/day, fastest first)."""
        volume = self.central_volume
        out, there = self.clearance / volume, self.exchange / volume
        if self.exchange == 0:
            return np.array([1.0 / volume]), np.array([out])
        back = self.exchange / self.peripheral_volume
        gap = np.hypot(there + back - out, 2.0 * np.sqrt(there * out))
        fast = (out + there + back + gap) / 2.0
        slow = out * back / fast
        amplitude = np.array([fast - back, back - slow]) / (gap * volume)
        return np.maximum(amplitude, 0.0), np.array([fast, slow])

    @property
    def half_life(self) -> float:
        """Terminal half-life, days.

        Examples
        --------
        >>> round(EngagerKinetics(clearance=2.0, central_volume=4.0).half_life, 3)
        1.386
        """
        return float(np.log(2.0) / self.unit_response[1][-1])


@dataclass(frozen=True, kw_only=True)
class Infusion:
    """A continuous infusion at a constant rate."""

    start: float
    """First day, days after the start of therapy, >= 0."""
    duration: float
    """Length, days, > 0."""
    rate: float
    """Infused amount, µg/day, > 0."""

    def __post_init__(self) -> None:
        require_non_negative(
            "start", self.start, "count days from the start of therapy", scalar=True
        )
        require_positive("duration", self.duration, "give a number of days", scalar=True)
        require_positive("rate", self.rate, "give an amount per day", scalar=True)

    @property
    def end(self) -> float:
        """Last day."""
        return self.start + self.duration


@dataclass(frozen=True, kw_only=True)
class Injection:
    """One subcutaneous dose."""

    day: float
    """Day of the dose, days after the start of therapy, >= 0."""
    amount: float
    """Injected amount, µg, > 0."""

    def __post_init__(self) -> None:
        require_non_negative("day", self.day, "count days from the start of therapy", scalar=True)
        require_positive("amount", self.amount, "give an amount", scalar=True)


@dataclass(frozen=True, kw_only=True)
class EngagerExposure:
    """Drug concentration of one patient under a schedule of infusions and injections.

    Stands where a therapy wants an exposure curve; the half-saturation of killing is then
    a concentration, µg/l. There is no memory: killing ends soon after the last dose.

    Examples
    --------
    >>> drug = EngagerKinetics(clearance=48.0, central_volume=5.0)
    >>> month = Infusion(start=0, duration=28, rate=28.0)
    >>> EngagerExposure(kinetics=drug, infusions=(month,)).level([14, 29]).round(4)
    array([0.5833, 0.    ])
    """

    kinetics: EngagerKinetics
    """Kinetics of the drug."""
    infusions: tuple[Infusion, ...] = ()
    """Continuous infusions; they may overlap, and then add up."""
    injections: tuple[Injection, ...] = ()
    """Subcutaneous doses."""

    def __post_init__(self) -> None:
        require_instance("kinetics", self.kinetics, EngagerKinetics, "see EngagerKinetics")
        for name, kind in (("infusions", Infusion), ("injections", Injection)):
            doses = getattr(self, name)
            if not isinstance(doses, tuple) or not all(isinstance(dose, kind) for dose in doses):
                raise ParameterError(
                    f"{name} is {doses!r}; it must be a tuple of {kind.__name__}; give "
                    f"({kind.__name__}(...),)"
                )
        if not self.infusions and not self.injections:
            raise ParameterError(
                "the schedule holds no dose; an exposure needs at least one; give an Infusion or "
                "an Injection"
            )
        if self.injections and self.kinetics.absorption_rate is None:
            raise ParameterError(
                "absorption_rate is None; a subcutaneous dose needs one; give absorption_rate in "
                "the kinetics"
            )

    @property
    def kinks(self) -> tuple[float, ...]:
        """Days on which a dose starts or ends: the curve has a corner there."""
        days = {dose.day for dose in self.injections}
        for infusion in self.infusions:
            days |= {infusion.start, infusion.end}
        return tuple(sorted(days))

    def level(self, day: ArrayLike) -> NDArray[np.float64]:
        """Return the concentration in the central volume on `day`.

        Parameters
        ----------
        day : array_like
            Days after the start of therapy, >= 0.

        Returns
        -------
        ndarray
            µg/l, in the shape of `day`.

        Raises
        ------
        ParameterError
            When a day is negative or not finite.
        """
        t = require_non_negative("day", day, "count days from the start of therapy")
        uptake = float(self.kinetics.absorption_rate or 0.0)
        # From some day on all is gone, and the product of day and rate must stay a number.
        quickest = max(1.0, uptake, *np.ravel(self.kinetics.unit_response[1]))
        t = np.minimum(t, _LATEST / quickest)
        total = np.zeros(t.shape)
        for amplitude, rate in zip(*self.kinetics.unit_response, strict=True):
            for infusion in self.infusions:
                since = np.maximum(t - infusion.start, 0.0)
                after = np.maximum(t - infusion.end, 0.0)
                # The amount that a day of infusion leaves, then its decline.
                rise = -np.expm1(-rate * (since - after))
                total += infusion.rate * amplitude / rate * rise * np.exp(-rate * after)
            for dose in self.injections:
                since = np.maximum(t - dose.day, 0.0)
                # (e^-rt - e^-at)/(a - r) with its limit at a = r, and without overflow.
                mixed = (
                    since * np.exp(-min(rate, uptake) * since) * exprel(-abs(uptake - rate) * since)
                )
                total += dose.amount * self.kinetics.bioavailability * uptake * amplitude * mixed
        return np.asarray(total)

    def _far(self, level: float) -> float:
        """Return a day after which the concentration stays below `level`.

        A dose is nowhere above amount/V, declines at least at the slowest rate, and waits
        under the skin: the bound is (1 + k x) e^(-r x) times all that was ever given.
        """
        uptake = self.kinetics.absorption_rate if self.injections else None
        slowest = float(self.kinetics.unit_response[1][-1])
        slowest = slowest if uptake is None else min(slowest, uptake)
        given = sum(i.rate * i.duration for i in self.infusions)
        given += sum(dose.amount for dose in self.injections)
        drop = np.log(given / self.kinetics.central_volume) - np.log(level)
        wait = 1.0 / slowest
        while drop + np.log1p((uptake or 0.0) * wait) - slowest * wait >= 0:
            wait *= 2.0
        return self.kinks[-1] + wait

    def last_day_above(self, level: ArrayLike) -> NDArray[np.float64]:
        """Return the last day on which the concentration is at least `level`, or 0 if never.

        Raises
        ------
        ParameterError
            When `level` is not finite and > 0.
        """
        wanted = require_positive("level", level, "give a concentration in µg/l")
        days = [
            search_last_day(self.level, self.kinks, self._far(float(value)), float(value))
            for value in wanted.reshape(-1)
        ]
        return np.asarray(days, dtype=float).reshape(wanted.shape)


@dataclass(frozen=True, kw_only=True)
class TrimerLaw:
    """Trimers of T cell, drug and target, without depletion and without cooperativity.

    Examples
    --------
    >>> law = TrimerLaw(cd3_constant=20.0, antigen_constant=0.5)
    >>> round(law.optimum, 4), round(float(law.relative(100.0)), 4)
    (3.1623, 0.2224)
    """

    cd3_constant: float
    """Dissociation constant :math:`K_1` of the arm that binds CD3, in the unit of the
    concentrations, > 0."""
    antigen_constant: float
    """Dissociation constant :math:`K_2` of the arm that binds the antigen, same unit, > 0."""

    def __post_init__(self) -> None:
        remedy = "give a concentration"
        require_positive("cd3_constant", self.cd3_constant, remedy, scalar=True)
        require_positive("antigen_constant", self.antigen_constant, remedy, scalar=True)

    @property
    def optimum(self) -> float:
        r"""Concentration :math:`\sqrt{K_1K_2}` with the most trimers."""
        return float(np.sqrt(self.cd3_constant) * np.sqrt(self.antigen_constant))

    @property
    def maximum(self) -> float:
        r"""Most trimers per CD3 and antigen, :math:`(\sqrt{K_1}+\sqrt{K_2})^{-2}`, 1/unit."""
        return float((np.sqrt(self.cd3_constant) + np.sqrt(self.antigen_constant)) ** -2.0)

    def formation(self, concentration: ArrayLike) -> NDArray[np.float64]:
        """Return trimers over (total CD3 times total antigen) at a `concentration`, 1/unit.

        Raises
        ------
        ParameterError
            When a concentration is negative or not finite.
        """
        c = require_non_negative("concentration", concentration, "give a drug concentration")
        return np.asarray(c / (c + self.cd3_constant) / (c + self.antigen_constant))

    def relative(self, concentration: ArrayLike) -> NDArray[np.float64]:
        """Return trimers as a fraction of the most that any concentration makes."""
        return np.asarray(self.formation(concentration) / self.maximum)

    def lowest_concentration(self, fraction: ArrayLike) -> NDArray[np.float64]:
        """Return the lower of the two concentrations with a `fraction` of the most trimers.

        The other one, on the far side of the hook, is `optimum` squared over it.

        Raises
        ------
        ParameterError
            When a fraction is not in (0, 1].
        """
        part = require_fraction("fraction", fraction, "give a part of the most trimers")
        require_positive("fraction", fraction, "without drug there is no trimer")
        # Roots of a quadratic, all in units of 1/(maximum part), which may pass the largest float.
        unit = self.maximum * part
        sum_of_roots = 1.0 - (self.cd3_constant + self.antigen_constant) * unit
        twice_mean = 2.0 * self.optimum * unit
        apart = np.sqrt(np.maximum(sum_of_roots - twice_mean, 0.0))
        spread = apart * np.sqrt(sum_of_roots + twice_mean)
        return np.asarray(twice_mean * self.optimum / (sum_of_roots + spread))


@dataclass(frozen=True, kw_only=True)
class TrimerExposure:
    """Trimers under a schedule, as a fraction of the most possible: exposure with a hook.

    Stands where a therapy wants an exposure curve; the half-saturation of killing is then
    a fraction of the most trimers, dimensionless.
    """

    drug: EngagerExposure
    """Concentration against days."""
    law: TrimerLaw
    """Trimers against concentration, with constants in the unit of the concentrations."""

    def __post_init__(self) -> None:
        require_instance("drug", self.drug, EngagerExposure, "see EngagerExposure")
        require_instance("law", self.law, TrimerLaw, "see TrimerLaw")

    @property
    def kinks(self) -> tuple[float, ...]:
        """Days on which a dose starts or ends."""
        return self.drug.kinks

    def level(self, day: ArrayLike) -> NDArray[np.float64]:
        """Return trimers on `day` as a fraction of the most possible."""
        return self.law.relative(self.drug.level(day))

    def last_day_above(self, level: ArrayLike) -> NDArray[np.float64]:
        """Return the last day with at least the fraction `level` of trimers, or 0 if never.

        The drug leaves at last, so the last such day lies on the near side of the hook.

        Raises
        ------
        ParameterError
            When `level` is not finite and > 0.
        """
        wanted = require_positive("level", level, "give a fraction of the most trimers")
        lowest = self.law.lowest_concentration(np.minimum(wanted, 1.0))
        return np.where(wanted <= 1.0, self.drug.last_day_above(lowest), 0.0)
