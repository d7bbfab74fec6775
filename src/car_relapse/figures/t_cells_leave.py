"""Figures of the chapter *Mechanism one: the T cells leave*."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from car_relapse.course import mean_course
from car_relapse.engine import line_history
from car_relapse.exposure import SteinExposure, stein_typical
from car_relapse.figures.style import (
    INK,
    NEGATIVE,
    NEUTRAL,
    POSITIVE,
    Drawing,
    axes,
    chance,
    house_style,
    power_of_ten,
    quote,
)
from car_relapse.patient import Patient, typical_patient
from car_relapse.survival import antigen_positive_probability, relapse_probabilities

__all__ = ["persistence_map", "two_patients"]

_LINES = ("-", "--", "-.")
_COLOURS = (POSITIVE, NEGATIVE, INK)


def _with_memory(patient: Patient, half_life: float) -> Patient:
    curve = replace(stein_typical(), memory_rate=np.log(2) / half_life)
    return replace(patient, therapy=replace(patient.products[0], exposure=curve))


def two_patients(*, burden: float = 1e7, short: float = 30.0, long: float = 700.0) -> Drawing:
    """Draw the expected number of targeted cells for two half-lives of the memory phase.

    Parameters
    ----------
    burden : float, optional
        Cells at infusion in both patients.
    short, long : float, optional
        Half-lives of the memory phase, days.
    """
    day = np.arange(0.0, 401.0, 2.0)
    base = typical_patient(burden)
    courses = {
        name: mean_course(_with_memory(base, half_life), day).targeted
        for name, half_life in (("short", short), ("long", long))
    }
    numbers = {}
    for name, cells in courses.items():
        lowest = int(np.argmin(cells))
        numbers[f"nadir_day_{name}"] = quote(float(day[lowest]), 2)
        numbers[f"nadir_cells_{name}"] = quote(float(cells[lowest]), 2)
        relapse = relapse_probabilities(_with_memory(base, {"short": short, "long": long}[name]))
        numbers[f"p_{name}"] = chance(relapse.antigen_positive)
    numbers |= {
        "half_life_short": quote(short, 2),
        "half_life_long": quote(long, 2),
        "burden": power_of_ten(burden),
    }
    n = {key: value.text for key, value in numbers.items()}
    with house_style():
        figure, (ax,) = axes()
        for (name, cells), style, colour in zip(courses.items(), _LINES, _COLOURS, strict=False):
            label = f"memory half-life {n[f'half_life_{name}']} days"
            ax.plot(day, cells, style, color=colour, label=label)
        ax.axhline(1.0, color=NEUTRAL, linewidth=1.2, linestyle=":")
        ax.text(398, 1.25, "one cell", ha="right", va="bottom", color=NEUTRAL)
        ax.set_yscale("log")
        ax.set_ylim(1e-3, max(1e10, 10.0 * burden))
        ax.set_xlim(0, 400)
        ax.set_xlabel("days after infusion")
        ax.set_ylabel("expected leukaemia cells")
        ax.legend(loc="upper center")
    return Drawing(
        figure=figure,
        caption="An average below one cell is not cure: both averages rise again, carried by the "
        "patients in whom a line got through.",
        alt=f"Expected cells on a log scale against days, from {n['burden']} at infusion. With a "
        f"memory half-life of {n['half_life_short']} days the lowest value is "
        f"{n['nadir_cells_short']} cells on day {n['nadir_day_short']}; with "
        f"{n['half_life_long']} days it is {n['nadir_cells_long']} cells on day "
        f"{n['nadir_day_long']}. Both curves then rise. The chance of antigen-positive relapse is "
        f"{n['p_short']} and {n['p_long']}.",
        numbers=numbers,
        data={"day": day, **courses},
    )


def log_hazards(half_lives: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return -ln of the chance that one line survives, for half-lives of the memory phase."""
    typical, patient = stein_typical(), typical_patient()
    fields = ("fold", "peak_day", "peak_level", "contraction_rate", "memory_fraction")
    curves = SteinExposure(
        **{name: np.full(half_lives.size, getattr(typical, name)) for name in fields},
        memory_rate=np.log(2) / half_lives,
    )
    loss = patient.losses.total
    return line_history(patient.leukaemia, loss, patient.products[0].killing, curves).log_r


def persistence_map(burdens: tuple[float, float, float] = (1e7, 1e8, 1e9)) -> Drawing:
    """Draw the probability of antigen-positive relapse against memory half-life.

    Parameters
    ----------
    burdens : tuple of three floats, optional
        Cells at infusion, one curve each.
    """
    typical = float(np.log(2) / stein_typical().memory_rate)
    half_life = np.geomspace(15.0, 3000.0, 121)
    curves = [antigen_positive_probability(n, log_hazards(half_life)) for n in burdens]
    at_typical = log_hazards(np.array([typical]))
    numbers = {"half_life_typical_days": quote(typical, 3)}
    for name, burden in zip(("low", "mid", "high"), burdens, strict=True):
        share = float(antigen_positive_probability(burden, at_typical)[0])
        numbers[f"p_{name}"] = chance(share)
        numbers[f"burden_{name}"] = power_of_ten(burden)
    high = typical_patient().leukaemia.burden
    numbers["burden_ledger"] = power_of_ten(high)
    numbers["lines_ledger"] = quote(float(high * np.exp(-at_typical[0])), 2)
    n = {key: value.text for key, value in numbers.items()}
    with house_style():
        figure, (ax,) = axes()
        names = ("low", "mid", "high")
        for curve, name, style, colour in zip(curves, names, _LINES, _COLOURS, strict=True):
            ax.plot(half_life, curve, style, color=colour, label=f"{n[f'burden_{name}']} cells")
        ax.axvline(typical, color=NEUTRAL, linewidth=1.2, linestyle=":")
        ax.text(typical * 1.05, 0.62, f"typical, {n['half_life_typical_days']} days", color=NEUTRAL)
        ax.set_xscale("log")
        ax.set_xticks([15, 30, 100, 300, 1000, 3000], ["15", "30", "100", "300", "1000", "3000"])
        ax.set_xlim(15, 3000)
        ax.set_ylim(0, 1.02)
        ax.set_xlabel("half-life of the memory phase (days)")
        ax.set_ylabel("P(antigen-positive relapse)")
        ax.legend(title="cells at infusion", loc="center left", bbox_to_anchor=(0.0, 0.5))
    return Drawing(
        figure=figure,
        caption="Burden outweighs persistence: ten times fewer cells buy more than ten times "
        "longer memory.",
        alt="Probability of antigen-positive relapse against the half-life of the memory phase, "
        f"15 to 3000 days. At the typical {n['half_life_typical_days']} days it is {n['p_low']} "
        f"with {n['burden_low']} cells, {n['p_mid']} with {n['burden_mid']} and {n['p_high']} with "
        f"{n['burden_high']}; all three curves fall as the half-life grows.",
        numbers=numbers,
        data={
            "half_life_days": half_life,
            **{f"p_{name}": c for name, c in zip(("low", "mid", "high"), curves, strict=True)},
        },
    )
