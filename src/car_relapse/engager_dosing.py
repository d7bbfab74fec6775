"""How engagers are given: step-up, cycles, weekly doses, interruptions, and two real drugs.

An engager works while it is there, so its schedule is its persistence. Blinatumomab leaves the
body within hours, and is infused without a break for four weeks; elranatamab stays for weeks,
and is injected once a week. Both start with smaller doses, as the first contact with a large
leukaemia releases cytokines.

The numbers are rows of the ledger, ``engager.*``. A teaching model, not guidance for care.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from car_relapse.engager import (
    EngagerExposure,
    EngagerKinetics,
    Infusion,
    Injection,
    TrimerLaw,
)
from car_relapse.errors import (
    ParameterError,
    require_count,
    require_instance,
    require_non_negative,
    require_positive,
)
from car_relapse.killing import Killing
from car_relapse.parameters import default

__all__ = [
    "blinatumomab_exposure",
    "blinatumomab_killing",
    "blinatumomab_kinetics",
    "elranatamab_exposure",
    "elranatamab_kinetics",
    "infusion_steps",
    "injection_series",
    "interrupted",
    "trimer_law",
]

_MOST_DOSES = 10_000
_HOURS_PER_DAY = 24.0
_MICROGRAMS_PER_MILLIGRAM = 1000.0


def infusion_steps(
    steps: Sequence[tuple[float, float]], *, start: float = 0.0
) -> tuple[Infusion, ...]:
    """Return infusions that follow each other without a break: a step-up, or cycles.

    Parameters
    ----------
    steps : sequence of (length, rate)
        Days, > 0, and µg/day, >= 0; a rate of 0 is a pause.
    start : float, optional
        Day on which the first step begins, >= 0.

    Raises
    ------
    ParameterError
        When a step is no pair of numbers in range, or no step infuses anything.

    Examples
    --------
    >>> [dose.start for dose in infusion_steps([(7, 9.0), (21, 28.0), (14, 0.0), (28, 28.0)])]
    [0.0, 7.0, 42.0]
    """
    day = float(
        require_non_negative("start", start, "count from the start of therapy", scalar=True)
    )
    if not isinstance(steps, Sequence):
        raise ParameterError(
            f"steps is {steps!r}; it must be a list of pairs of days and µg/day; give [(7, 28.0)]"
        )
    infusions = []
    for number, step in enumerate(steps, start=1):
        if not isinstance(step, tuple | list) or len(step) != 2:
            raise ParameterError(
                f"step {number} is {step!r}; it must be a pair of days and µg/day; give (7, 28.0)"
            )
        length = require_positive(f"length of step {number}", step[0], "give days", scalar=True)
        rate = require_non_negative(
            f"rate of step {number}", step[1], "0 is a pause; give µg/day", scalar=True
        )
        if rate > 0:
            infusions.append(Infusion(start=day, duration=float(length), rate=float(rate)))
        day += float(length)
    if not infusions:
        raise ParameterError(
            f"steps is {steps!r}; at least one step must infuse something; give a rate > 0"
        )
    return tuple(infusions)


def injection_series(
    amount: float, *, every: float, count: int, first: float = 0.0
) -> tuple[Injection, ...]:
    """Return equal subcutaneous doses at equal intervals.

    Parameters
    ----------
    amount : float
        Each dose, µg, > 0.
    every : float
        Interval, days, > 0.
    count : int
        Number of doses, >= 1.
    first : float, optional
        Day of the first one, >= 0.

    Raises
    ------
    ParameterError
        When an argument is out of range.

    Examples
    --------
    >>> [dose.day for dose in injection_series(76_000.0, every=7.0, count=3, first=7.0)]
    [7.0, 14.0, 21.0]
    """
    interval = float(require_positive("every", every, "give days", scalar=True))
    number = require_count("count", count, "give a number of doses", minimum=1, maximum=_MOST_DOSES)
    begin = float(require_non_negative("first", first, "count from the start", scalar=True))
    return tuple(Injection(day=begin + i * interval, amount=amount) for i in range(number))


def interrupted(exposure: EngagerExposure, *, start: float, end: float) -> EngagerExposure:
    """Return the exposure when nothing is given from day `start` until day `end`.

    Infusions are cut and go on as planned on day `end`; injections due in between are left
    out. What is in the body stays there.

    Parameters
    ----------
    exposure : EngagerExposure
        As planned.
    start, end : float
        First day without the drug and the day on which dosing resumes, 0 <= start < end.

    Raises
    ------
    ParameterError
        When the days are out of range, or no dose would be left.

    Examples
    --------
    >>> paused = interrupted(blinatumomab_exposure(), start=10.0, end=13.0)
    >>> [(dose.start, dose.end) for dose in paused.infusions]
    [(0.0, 7.0), (7.0, 10.0), (13.0, 28.0)]
    """
    require_instance("exposure", exposure, EngagerExposure, "see blinatumomab_exposure()")
    left = float(require_non_negative("start", start, "count from the start", scalar=True))
    right = float(require_non_negative("end", end, "count from the start", scalar=True))
    if right <= left:
        raise ParameterError(
            f"end is {right:g} and start {left:g}; an interruption must last, so end must be > "
            "start; give a later end"
        )
    kept = []
    for dose in exposure.infusions:
        for begin, stop in (
            (dose.start, min(dose.end, left)),
            (max(dose.start, right), dose.end),
        ):
            if stop > begin:
                kept.append(Infusion(start=begin, duration=stop - begin, rate=dose.rate))
    shots = tuple(dose for dose in exposure.injections if not left <= dose.day < right)
    return replace(exposure, infusions=tuple(kept), injections=shots)


def blinatumomab_kinetics() -> EngagerKinetics:
    """Return the kinetics of blinatumomab, from the ledger.

    One compartment. The clearance sets the level under infusion and the half-life how soon it
    is gone; the volume is the one that follows from both. (The volume that the source measured
    is smaller: means over patients of the three do not fit one curve.)

    Examples
    --------
    >>> round(24 * blinatumomab_kinetics().half_life, 2)
    2.11
    """
    clearance = default("engager.blinatumomab.clearance") * _HOURS_PER_DAY
    half_life = default("engager.blinatumomab.half_life") / _HOURS_PER_DAY
    return EngagerKinetics(
        clearance=clearance, central_volume=float(clearance * half_life / np.log(2.0))
    )


def blinatumomab_exposure(*, cycles: int = 1) -> EngagerExposure:
    """Return blinatumomab as it is given in relapsed B-ALL: step-up, then cycles with gaps.

    Parameters
    ----------
    cycles : int, optional
        Number of cycles, >= 1.

    Raises
    ------
    ParameterError
        When `cycles` is no whole number >= 1.

    Examples
    --------
    >>> blinatumomab_exposure(cycles=2).kinks
    (0.0, 7.0, 28.0, 42.0, 70.0)
    """
    number = require_count(
        "cycles", cycles, "give a number of cycles", minimum=1, maximum=_MOST_DOSES
    )
    row = "engager.blinatumomab"
    full, low = default(f"{row}.full_rate"), default(f"{row}.first_rate")
    days, early = default(f"{row}.cycle_days"), default(f"{row}.first_days")
    steps = [(early, low), (days - early, full)]
    for _ in range(number - 1):
        steps += [(default(f"{row}.gap_days"), 0.0), (days, full)]
    return EngagerExposure(kinetics=blinatumomab_kinetics(), infusions=infusion_steps(steps))


def elranatamab_kinetics() -> EngagerKinetics:
    """Return the kinetics of elranatamab, from the ledger: two compartments, subcutaneous.

    Binding to soluble BCMA, which the source also models, is left out.

    Examples
    --------
    >>> round(elranatamab_kinetics().half_life, 1)
    46.7
    """
    row = "engager.elranatamab"
    return EngagerKinetics(
        clearance=default(f"{row}.clearance") * _HOURS_PER_DAY,
        central_volume=default(f"{row}.central_volume"),
        exchange=default(f"{row}.exchange") * _HOURS_PER_DAY,
        peripheral_volume=default(f"{row}.peripheral_volume"),
        absorption_rate=default(f"{row}.absorption_rate") * _HOURS_PER_DAY,
        bioavailability=default(f"{row}.bioavailability"),
    )


def elranatamab_exposure(*, weeks: int = 24) -> EngagerExposure:
    """Return elranatamab as it is given in myeloma: two smaller doses, then one a week.

    Parameters
    ----------
    weeks : int, optional
        Number of full weekly doses, >= 1.

    Raises
    ------
    ParameterError
        When `weeks` is no whole number >= 1.

    Examples
    --------
    >>> elranatamab_exposure(weeks=2).kinks
    (0.0, 3.0, 7.0, 14.0)
    """
    number = require_count(
        "weeks", weeks, "give a number of weekly doses", minimum=1, maximum=_MOST_DOSES
    )
    row = "engager.elranatamab"
    first, second, full = (
        default(f"{row}.{name}_dose") * _MICROGRAMS_PER_MILLIGRAM
        for name in ("first", "second", "full")
    )
    start = default(f"{row}.full_day")
    return EngagerExposure(
        kinetics=elranatamab_kinetics(),
        injections=(
            Injection(day=0.0, amount=first),
            Injection(day=default(f"{row}.second_day"), amount=second),
            *injection_series(full, every=default(f"{row}.interval"), count=number, first=start),
        ),
    )


def blinatumomab_killing() -> Killing:
    """Return the killing law of blinatumomab: half of the largest rate at a ninth of the EC90.

    The largest rate is assumed, and the EC90 was measured in the dish. With simple saturation,
    c/(K + c), nine tenths are reached at 9 K.

    Examples
    --------
    >>> law = blinatumomab_killing()
    >>> round(float(law.rate(0.47)) / law.maximal_rate, 3)
    0.9
    """
    return Killing(
        maximal_rate=default("engager.maximal_rate"),
        half_level=default("engager.blinatumomab.ec90") / 9.0,
    )


def trimer_law(mass: float) -> TrimerLaw:
    """Return the trimer law of the ledger for a drug whose concentrations are in µg/l.

    Parameters
    ----------
    mass : float
        Molecular mass, kDa, > 0. Ledger: ``engager.blinatumomab.mass``.

    Raises
    ------
    ParameterError
        When `mass` is not finite and > 0.

    Examples
    --------
    >>> round(trimer_law(55.0).optimum)  # µg/l
    174
    """
    # A nanomole of a molecule of one kilodalton weighs one microgram.
    unit = float(require_positive("mass", mass, "give kilodaltons", scalar=True))
    return TrimerLaw(
        cd3_constant=unit * default("engager.cd3_constant"),
        antigen_constant=unit * default("engager.antigen_constant"),
    )
