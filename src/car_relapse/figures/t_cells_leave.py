"""Figures of the chapter *Mechanism one: the T cells leave*."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from car_relapse.course import mean_course
from car_relapse.engine import line_history
from car_relapse.evidence import kinetics
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

__all__ = [
    "log_hazards",
    "persistence_hazards",
    "persistence_map",
    "two_patients",
    "with_memory",
]

_LINES = ("-", "--", "-.")
_COLOURS = (POSITIVE, NEGATIVE, INK)


def with_memory(patient: Patient, half_life: float) -> Patient:
    """Return the patient with the typical curve, its memory phase of this half-life in days."""
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
        name: mean_course(with_memory(base, half_life), day).targeted
        for name, half_life in (("short", short), ("long", long))
    }
    numbers = {}
    for name, cells in courses.items():
        lowest = int(np.argmin(cells))
        numbers[f"nadir_day_{name}"] = quote(float(day[lowest]), 2)
        numbers[f"nadir_cells_{name}"] = quote(float(cells[lowest]), 2)
        relapse = relapse_probabilities(with_memory(base, {"short": short, "long": long}[name]))
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
        caption="For the typical CAR-T curve, ten times fewer cells buy more than ten times longer "
        "memory.",
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


# What raised the hazard of which outcome, in the order drawn, from the top.
_HAZARDS = (
    ("hr_bca_loss_positive", "B cells back: CD19-positive relapse"),
    ("hr_low_burden_positive", "low burden: CD19-positive relapse"),
    ("hr_bcell_recovery", "B cells back in year 1: any relapse"),
    ("hr_fludarabine_low_bca", "little fludarabine: relapse or B cells back"),
    ("hr_fludarabine_low", "little fludarabine: any relapse"),
    ("hr_high_burden", "high burden: any relapse"),
)


def persistence_hazards() -> Drawing:
    """Draw published hazard ratios of what goes with relapse, each with its interval if read."""
    rows = [kinetics()[key] for key, _ in _HAZARDS]
    ratio = np.array([row.value for row in rows], dtype=float)
    known = np.array([row.low is not None for row in rows])
    low = np.array([row.low if row.low is not None else row.value for row in rows], dtype=float)
    high = np.array([row.high if row.high is not None else row.value for row in rows], dtype=float)
    numbers = {}
    for (key, _), row in zip(_HAZARDS, rows, strict=True):
        for end, value in (("", row.value), ("_low", row.low), ("_high", row.high)):
            if value is not None:
                numbers[f"{key.removeprefix('hr_')}{end}"] = quote(value, 3 if value > 10 else 2)
    with house_style():
        figure, (ax,) = axes(height=4.6)
        y = np.arange(len(rows))[::-1].astype(float)
        ax.hlines(y[known], low[known], high[known], color=POSITIVE, linewidth=2.2)
        ax.plot(ratio[known], y[known], "o", color=POSITIVE, markersize=8, label="95 % interval")
        ax.plot(
            ratio[~known],
            y[~known],
            "D",
            markerfacecolor="white",
            markeredgecolor=INK,
            markersize=7,
            label="interval not read",
        )
        ax.axvline(1.0, color=NEUTRAL, linewidth=1.2, linestyle=":")
        ax.set_xscale("log")
        ax.set_xlim(0.8, 40)
        ax.set_xticks([1, 2, 5, 10, 20], ["1", "2", "5", "10", "20"])
        ax.minorticks_off()
        ax.set_yticks([])
        for (_, label), height in zip(_HAZARDS, y, strict=True):
            ax.text(1.05, height + 0.14, label, va="bottom")
        ax.set_ylim(-0.5, len(rows) - 0.35)
        ax.set_xlabel("hazard ratio (log scale)")
        ax.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=2)
    n = {key: value.text for key, value in numbers.items()}
    words = "; ".join(
        f"{label} {n[stem]}" + (f" ({n[f'{stem}_low']} to {n[f'{stem}_high']})" if has else "")
        for (key, label), has in zip(_HAZARDS, known, strict=True)
        for stem in (key.removeprefix("hr_"),)
    )
    return Drawing(
        figure=figure,
        caption="Signs that T cells leave go with relapse; burden appears on both sides, low for "
        "one kind, high for all together.",
        alt=f"Published hazard ratios on a log scale, with 95 % intervals where read: {words}.",
        numbers=numbers,
        data={
            "row": np.arange(len(rows), dtype=float),
            "ratio": ratio,
            "low_95": low,
            "high_95": high,
            "interval_known": known.astype(float),
        },
    )
