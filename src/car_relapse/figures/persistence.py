"""Figures of the notebook *Persistence*: how long T cells stay, how long they kill fast enough."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from car_relapse.engine import line_history
from car_relapse.evidence import kinetics
from car_relapse.exposure import SpreadReading, stein_population, stein_typical
from car_relapse.exposure_kimmel import KimmelExposure, kimmel_killing
from car_relapse.figures.style import (
    CURED,
    INK,
    NEGATIVE,
    NEUTRAL,
    POSITIVE,
    Drawing,
    Quoted,
    axes,
    chance,
    house_style,
    percent,
    power_of_ten,
    quote,
)
from car_relapse.parameters import default
from car_relapse.patient import typical_patient
from car_relapse.published.kimmel2021 import KimmelParameters
from car_relapse.survival import antigen_positive_probability

__all__ = ["patients_differ", "room_for_cells", "useful_days"]

Floats = NDArray[np.float64]

_LOOKS = (("-", POSITIVE), ("--", NEGATIVE), ("-.", INK), (":", CURED))
_READINGS: tuple[SpreadReading, ...] = ("variance", "standard deviation")
_COUNTED = (7, 14, 28, 90)


def useful_days(
    half_lives: Sequence[float] = (30.0, 217.0, 1000.0), *, fraction: float | None = None
) -> Drawing:
    """Draw the CAR-T level, and the killing rate that decides whether leukaemia shrinks.

    Parameters
    ----------
    half_lives : sequence of at most four floats, optional
        Half-lives of the memory phase, days, one curve each.
    fraction : float, optional
        Part of the peak that declines slowly; the ledger's by default.
    """
    disease, killing = typical_patient().leukaemia, typical_patient().products[0].killing
    part = default("stein.memory_fraction") if fraction is None else fraction
    day = np.unique(np.concatenate([np.linspace(0, 40, 81), np.linspace(40, 365, 131)]))
    enough = float(killing.level_for(disease.net_rate))
    columns: dict[str, Floats] = {"day": day}
    numbers: dict[str, Quoted] = {
        "growth": quote(disease.net_rate, 2),
        "level_enough": quote(enough, 2),
    }
    with house_style():
        figure, (left, right) = axes(columns=2, width=6.6, height=3.6)
        for i, (half_life, (style, colour)) in enumerate(zip(half_lives, _LOOKS, strict=False)):
            curve = replace(
                stein_typical(), memory_fraction=part, memory_rate=np.log(2.0) / half_life
            )
            level = curve.level(day)
            columns |= {f"level_{i}": level, f"killing_{i}": killing.rate(level)}
            numbers |= {
                f"half_life_{i}": Quoted(value=half_life, text=f"{half_life:.0f}"),
                f"useful_{i}": quote(float(curve.last_day_above(enough)), 2),
                f"level_365_{i}": quote(float(curve.level(365.0)), 2),
            }
            label = f"{half_life:.0f} days"
            left.plot(day, level, style, color=colour, label=label)
            right.plot(day, columns[f"killing_{i}"], style, color=colour, label=label)
        left.set_title("T cells present")
        left.set_yscale("log")
        left.set_ylim(0.1, 1e5)
        left.set_ylabel("CAR transgene (copies/µg DNA)")
        left.legend(loc="upper right", title="memory half-life")
        right.set_title("T cells at work")
        right.axhline(disease.net_rate, color=NEUTRAL, linewidth=1.4)
        right.text(364, disease.net_rate * 1.12, "growth", color=NEUTRAL, ha="right", va="bottom")
        right.set_yscale("log")
        right.set_ylim(1e-3, 3)
        right.set_ylabel("killing rate (1/day)")
        for ax in (left, right):
            ax.set_xlim(0, 365)
            ax.set_xticks([0, 90, 180, 270, 365])
            ax.set_xlabel("days after infusion")
    words = "; ".join(
        f"with a memory half-life of {numbers[f'half_life_{i}'].text} days the level on day 365 is "
        f"{numbers[f'level_365_{i}'].text} copies, and killing falls below growth on day "
        f"{numbers[f'useful_{i}'].text}"
        for i in range(min(len(half_lives), len(_LOOKS)))
    )
    return Drawing(
        figure=figure,
        caption="Present for a year, at work for some two months: killing falls below growth long "
        "before the T cells have gone.",
        alt="Left, CAR-T level on a log scale over a year; right, killing rate beside the net "
        f"growth of {numbers['growth'].text} per day: {words}.",
        numbers=numbers,
        data=columns,
    )


def patients_differ(*, burden: float = 1e8, patients: int = 2000, seed: int = 20260101) -> Drawing:
    """Draw for how long killing outruns growth in different patients, and what follows from it.

    Parameters
    ----------
    burden : float, optional
        Cells at infusion, the same in all patients.
    patients : int, optional
        Virtual patients, who differ in their CAR-T curve.
    seed : int, optional
        Seed of their curves.
    """
    who = typical_patient(burden)
    killing = who.products[0].killing
    enough = killing.level_for(who.leukaemia.net_rate)
    day = np.geomspace(5.0, 3000.0, 120)
    columns: dict[str, Floats] = {"day": day}
    numbers: dict[str, Quoted] = {"burden": power_of_ten(burden)}
    quarters: dict[str, Floats] = {}
    for reading in _READINGS:
        name = reading.split(" ")[-1]
        curves = stein_population(reading).sample(patients, np.random.default_rng(seed))
        useful = curves.last_day_above(enough)
        columns[f"still_{name}"] = np.mean(useful[:, None] > day, axis=0)
        risk = antigen_positive_probability(
            burden, line_history(who.leukaemia, who.losses.total, killing, curves).log_r
        )
        ranked = np.array_split(risk[np.argsort(useful)], 4)
        quarters[name] = np.array([part.mean() for part in ranked])
        early = useful < 365.25 / 2
        numbers |= {
            f"median_{name}": quote(float(np.median(useful)), 2),
            f"low_{name}": quote(float(np.quantile(useful, 0.05)), 2),
            f"high_{name}": quote(float(np.quantile(useful, 0.95)), 2),
            f"over_year_percent_{name}": percent(float(np.mean(useful > 365.25))),
            f"early_{name}": chance(float(risk[early].mean())),
            f"late_{name}": chance(float(risk[~early].mean())),
        }
    for i in range(4):
        numbers[f"quarter_{i + 1}"] = chance(float(quarters["variance"][i]))
        for name, values in quarters.items():
            columns[f"quarter_{i + 1}_{name}"] = np.full(day.size, values[i])
    n = {key: value.text for key, value in numbers.items()}
    with house_style():
        figure, (left, right) = axes(columns=2, width=6.6, height=3.6)
        place = np.arange(1.0, 5.0)
        for reading, (style, colour), marker in zip(_READINGS, _LOOKS, "os", strict=False):
            name = reading.split(" ")[-1]
            label = "as variances" if name == "variance" else "as standard deviations"
            left.plot(day, columns[f"still_{name}"], style, color=colour, label=label)
            right.plot(place, quarters[name], style + marker, color=colour, label=label)
        left.set_title("Killing still outruns growth")
        left.set_xscale("log")
        left.set_xticks([10, 100, 1000], ["10", "100", "1000"])
        left.set_xlim(5, 3000)
        left.set_ylim(0, 1.02)
        left.set_xlabel("days after infusion")
        left.set_ylabel("share of patients")
        right.set_title("Relapse, by quarter")
        right.set_xticks([1, 2, 3, 4], ["shortest", "2nd", "3rd", "longest"])
        right.set_ylim(0, 1.32)
        right.set_yticks([0, 0.25, 0.5, 0.75, 1.0])
        right.set_xlabel("quarter of patients, by useful days")
        right.set_ylabel("P(antigen-positive relapse)")
        right.legend(loc="upper right", title="spread read")
    return Drawing(
        figure=figure,
        caption="Patients differ in useful days by two orders of magnitude, and with the days goes "
        "the risk: almost sure, or almost none.",
        alt=f"Left: the share of virtual patients in whom killing still outruns growth falls over "
        f"days on a log scale, with a median of {n['median_variance']} days; nine tenths lie "
        f"between {n['low_variance']} and {n['high_variance']}. Right: with {n['burden']} cells "
        f"the mean chance of antigen-positive relapse falls from {n['quarter_1']} in the quarter "
        f"with the fewest useful days over {n['quarter_2']} and {n['quarter_3']} to "
        f"{n['quarter_4']}. The two readings of the spread hardly differ.",
        numbers=numbers,
        data=columns,
    )


def room_for_cells(starts: Sequence[float] = (6.0, 20.0, 60.0)) -> Drawing:
    """Draw CAR-T that compete for room, for normal T cells left at infusion, beside counts.

    Parameters
    ----------
    starts : sequence of at most four floats, optional
        Normal T cells at infusion, cells/µl, one curve each; the first is the paper's.
    """
    paper = KimmelParameters()
    growth = typical_patient().leukaemia.net_rate
    enough = kimmel_killing(paper).level_for(growth)
    day = np.linspace(0.0, 100.0, 201)
    rows = [kinetics()[f"moffitt_d{when}"] for when in _COUNTED]
    measured, low, high = (
        np.array([float(getattr(row, name) or np.nan) for row in rows])
        for name in ("value", "low", "high")
    )
    columns: dict[str, Floats] = {"day": day}
    numbers: dict[str, Quoted] = {"growth": quote(growth, 2)}
    for when, value in zip(_COUNTED, measured, strict=True):
        numbers[f"measured_{when}"] = quote(float(value), 2)
    for i, (start, _) in enumerate(zip(starts, _LOOKS, strict=False)):
        curve = KimmelExposure(parameters=replace(paper, normal_start=start))
        columns[f"level_{i}"] = curve.level(day)
        numbers |= {
            f"start_{i}": Quoted(value=start, text=f"{start:g}"),
            f"peak_{i}": quote(float(columns[f"level_{i}"].max()), 2),
            f"useful_{i}": quote(float(curve.last_day_above(enough)), 2),
        }
    model = KimmelExposure(parameters=paper).level(np.array(_COUNTED, dtype=float))
    for when, value in zip(_COUNTED, model, strict=True):
        numbers[f"model_{when}"] = quote(float(value), 2)
    with house_style():
        figure, (ax,) = axes()
        for i, (start, (style, colour)) in enumerate(zip(starts, _LOOKS, strict=False)):
            ax.plot(day, columns[f"level_{i}"], style, color=colour, label=f"{start:g} cells/µl")
        bars = [measured - low, high - measured]
        ax.errorbar(_COUNTED, measured, yerr=bars, fmt="none", color=INK, lw=1.3, capsize=3)
        ax.plot(_COUNTED, measured, "o", mfc="white", mec=INK, ls="None", label="counted")
        ax.set_yscale("log")
        ax.set_xlim(0, 100)
        ax.set_ylim(3e-3, 3e3)
        ax.set_yticks([0.01, 0.1, 1, 10, 100], ["0.01", "0.1", "1", "10", "100"])
        ax.set_xlabel("days after infusion")
        ax.set_ylabel("CAR-T cells/µl of blood")
        ax.legend(loc="upper right", ncols=2, title="normal T cells at infusion")
    n = {key: value.text for key, value in numbers.items()}
    settings = range(min(len(starts), len(_LOOKS)))
    words = "; ".join(
        f"{n[f'start_{i}']} normal T cells per microlitre leave room for a peak of {n[f'peak_{i}']}"
        f" and {n[f'useful_{i}']} useful days"
        for i in settings
    )
    points = ", ".join(f"{n[f'measured_{w}']} on day {w}" for w in _COUNTED)
    return Drawing(
        figure=figure,
        caption="Room decides: with more normal T cells left, CAR-T hardly expand; the counts "
        "follow the curve of deep lymphodepletion.",
        alt=f"CAR-T cells per microlitre on a log scale against days: {words}. Counted medians "
        f"with quartiles: {points}; the first curve has {n['model_7']}, {n['model_14']}, "
        f"{n['model_28']} and {n['model_90']} on these days.",
        numbers=numbers,
        data=columns,
    )
