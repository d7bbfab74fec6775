"""Figures of the notebook *Birth, death and luck*: the fate of one cell, and of the last ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from car_relapse.course_laws import course_laws
from car_relapse.exposure import SteinExposure, stein_typical
from car_relapse.figures.style import (
    CURED,
    INK,
    NEGATIVE,
    POSITIVE,
    Drawing,
    Quoted,
    axes,
    chance,
    count,
    house_style,
    power_of_ten,
    quote,
)
from car_relapse.figures.t_cells_leave import with_memory
from car_relapse.leaps import leap
from car_relapse.line_law import constant_rate_law
from car_relapse.patient import Patient, typical_leukaemia, typical_patient
from car_relapse.staged_cycle import matched_cycle, sample_lines, staged_survival
from car_relapse.survival import relapse_probabilities

__all__ = ["division_clock", "last_line", "line_fates", "line_law"]

Floats = NDArray[np.float64]

_LOOKS = (("-", POSITIVE, "o"), ("--", NEGATIVE, "s"), ("-.", INK, "^"), (":", CURED, "D"))
_STAGES = (1, 2, 4, 8, 16)


def line_fates(*, lines: int = 24, days: int = 60, seed: int = 20260105) -> Drawing:
    """Draw what becomes of single leukaemia cells without therapy, and their mean.

    Parameters
    ----------
    lines : int, optional
        Single cells followed.
    days : int, optional
        Days for which they are followed.
    seed : int, optional
        Seed of their fates.
    """
    disease, rng = typical_leukaemia(), np.random.default_rng(seed)
    step = constant_rate_law(disease.birth_rate, disease.death_rate, 1.0)
    sizes = [np.ones(lines, dtype=np.int64)]
    for _ in range(days):
        sizes.append(leap(step, sizes[-1], rng))
    day, course = np.arange(days + 1.0), np.array(sizes)
    mean = np.exp(disease.net_rate * day)
    gone = course[-1] == 0
    numbers = {
        "lines": count(lines),
        "gone": count(int(gone.sum())),
        "days": count(days),
        "mean": quote(float(mean[-1]), 2),
        "largest": count(int(course[-1].max())),
        "extinct_percent": quote(100 * disease.death_rate / disease.birth_rate, 2),
    }
    n = {key: value.text for key, value in numbers.items()}
    with house_style():
        figure, (ax,) = axes()
        for kind, colour, style, label in (
            (~gone, POSITIVE, "-", "line alive at the end"),
            (gone, NEGATIVE, "--", "line died out"),
        ):
            for i, line in enumerate(np.flatnonzero(kind)):
                name = label if i == 0 else None
                ax.step(day, course[:, line], style, where="post", color=colour, lw=1.3, label=name)
        ax.plot(day, mean, ":", color=INK, linewidth=2.6, label="mean of all lines")
        ax.set_yscale("symlog", linthresh=1.0)
        ax.set_yticks([0, 1, 10, 100], ["0", "1", "10", "100"])
        ax.set_ylim(0, 2.5e3)
        ax.set_xlim(0, days)
        ax.set_xlabel("days")
        ax.set_ylabel("cells in the line")
        ax.legend(loc="upper left")
    return Drawing(
        figure=figure,
        caption="One kind of cell, many fates: some lines die within days, others outgrow the "
        "mean, and no line follows it.",
        alt=f"Size of {n['lines']} lines, each from one untreated leukaemia cell, over {n['days']} "
        f"days. {n['gone']} died out, most of them early; the others rise in ragged steps to at "
        f"most {n['largest']} cells. The mean of all lines is a smooth curve that ends at "
        f"{n['mean']} cells.",
        numbers=numbers,
        data={
            "day": day,
            "mean": mean,
            **{f"line_{i + 1}": c for i, c in enumerate(course.T * 1.0)},
        },
    )


def line_law(
    *,
    day: float = 40.0,
    turnover: Sequence[float] = (0.1, 0.38, 0.8),
    lines: int = 3000,
    seed: int = 20260106,
) -> Drawing:
    """Draw the law of the size of one line, with deaths that differ and one net growth.

    The points are drawn division by division and know no formula.

    Parameters
    ----------
    day : float, optional
        Day on which the cells are counted.
    turnover : sequence of at most four floats, optional
        Death rate over birth rate, one law each; net growth is that of the ledger.
    lines : int, optional
        Lines drawn for each.
    seed : int, optional
        Seed of the lines.
    """
    net, rng = typical_leukaemia().net_rate, np.random.default_rng(seed)
    size = np.unique(np.round(np.geomspace(1, 200, 22))).astype(int)
    columns: dict[str, Floats] = {"at_least": size.astype(float)}
    numbers: dict[str, Quoted] = {
        "day": quote(day, 2),
        "mean": quote(float(np.exp(net * day)), 2),
    }
    with house_style():
        figure, (ax,) = axes()
        for ratio, (style, colour, marker) in zip(turnover, _LOOKS, strict=False):
            birth = net / (1.0 - ratio)
            law = constant_rate_law(birth, ratio * birth, day)
            exact = np.exp(law.log_alive) * law.geometric_parameter ** (size - 1.0)
            drawn = sample_lines(matched_cycle(birth, 1), ratio * birth, day, lines, rng)
            seen = np.array([np.mean(drawn >= k) for k in size])
            name = f"{100 * ratio:.0f}"
            columns |= {f"exact_{name}": exact, f"simulated_{name}": seen}
            numbers |= {
                f"ratio_{name}": quote(ratio, 2 if ratio >= 0.1 else 1),
                f"alive_{name}": quote(float(np.exp(law.log_alive)), 2),
                f"if_alive_{name}": quote(float(1.0 + law.excess_if_alive), 2),
            }
            label = f"deaths per division {ratio:g}"
            ax.plot(size, exact, style, color=colour, label=label)
            shown = seen > 0
            ax.plot(size[shown], seen[shown], marker, color=colour, markersize=5, label="_drawn")
        ax.set_yscale("log")
        ax.set_xlim(0, 205)
        ax.set_ylim(3e-3, 2)
        ax.set_xlabel(f"cells in the line on day {day:g}, at least")
        ax.set_ylabel("share of lines")
        ax.legend(loc="upper right")
    n = {key: value.text for key, value in numbers.items()}
    words = "; ".join(
        f"with {n[f'ratio_{name}']} deaths per division {n[f'alive_{name}']} of the lines are "
        f"alive, and these hold {n[f'if_alive_{name}']} cells on average"
        for name in (f"{100 * ratio:.0f}" for ratio in turnover[: len(_LOOKS)])
    )
    return Drawing(
        figure=figure,
        caption="One mean, different luck: with more deaths per division fewer lines live, and "
        "those that live are larger.",
        alt=f"Share of lines with at least a given number of cells on day {n['day']}, on a log "
        f"scale; each law is a straight line, and points drawn division by division lie on it. The "
        f"mean of all lines is {n['mean']} in each case: {words}.",
        numbers=numbers,
        data=columns,
    )


def last_line(*, burden: float = 1e7, short: float = 30.0, long: float = 700.0) -> Drawing:
    """Draw when the last targeted cell dies, and what one that is left then means.

    Parameters
    ----------
    burden : float, optional
        Cells at infusion in both patients.
    short, long : float, optional
        Half-lives of the memory phase, days.
    """
    day = np.arange(0.0, 181.0, 4.0)
    patients = {
        name: with_memory(typical_patient(burden), half_life)
        for name, half_life in (("short", short), ("long", long))
    }
    columns: dict[str, Floats] = {"day": day}
    numbers: dict[str, Quoted] = {
        "half_life_short": quote(short, 2),
        "half_life_long": quote(long, 2),
        "burden": power_of_ten(burden),
    }
    for name, patient in patients.items():
        none, relapse = _none_left(patient, day)
        columns |= {f"none_left_{name}": none, f"relapse_if_left_{name}": relapse}
        numbers |= {
            f"relapse_{name}": chance(relapse_probabilities(patient).antigen_positive),
            f"none_at_end_{name}": chance(float(none[-1])),
            f"day_28_{name}": chance(float(relapse[day == 28.0][0])),
            f"day_88_{name}": chance(float(relapse[day == 88.0][0])),
        }
    n = {key: value.text for key, value in numbers.items()}
    with house_style():
        figure, (left, right) = axes(columns=2, width=6.6, height=3.5)
        for (name, _), (style, colour, _) in zip(patients.items(), _LOOKS, strict=False):
            label = f"memory {n[f'half_life_{name}']} days"
            left.plot(day, columns[f"none_left_{name}"], style, color=colour, label=label)
            right.plot(day, columns[f"relapse_if_left_{name}"], style, color=colour, label=label)
        left.set_title("No cell is left")
        right.set_title("Relapse, if one is left")
        left.set_ylabel("probability")
        for ax in (left, right):
            ax.set_xlim(0, 180)
            ax.set_xticks([0, 30, 60, 90, 120, 150, 180])
            ax.set_ylim(0, 1.02)
            ax.set_xlabel("days after infusion")
        left.legend(loc="lower right")
    return Drawing(
        figure=figure,
        caption="The lottery is drawn between the second and the fourth month: a cell left then "
        "means more than one left on day 28.",
        alt=f"Two patients with {n['burden']} cells at infusion and a memory half-life of "
        f"{n['half_life_short']} or {n['half_life_long']} days. Left: the chance that no targeted "
        f"cell is left is near 0 for a month, then rises to {n['none_at_end_short']} and "
        f"{n['none_at_end_long']}. Right: the chance of relapse if a cell is left rises from "
        f"{n['day_28_short']} and {n['day_28_long']} on day 28 to {n['day_88_short']} and "
        f"{n['day_88_long']} on day 88.",
        numbers=numbers,
        data=columns,
    )


def _none_left(patient: Patient, day: Floats) -> tuple[Floats, Floats]:
    """Return by day the chance that no targeted cell is left, and that of relapse if one is."""
    lines = relapse_probabilities(patient).positive_lines
    # One law for each stretch; joined, they give the law from infusion on (Kendall's two numbers).
    steps = course_laws(patient, day)
    growth = np.concatenate([[0.0], np.cumsum(steps.log_growth)])
    dying = np.expm1(steps.log_hazard) * np.exp(-growth[:-1])
    hazard = np.log1p(np.concatenate([[0.0], np.cumsum(dying)]))
    left = -np.expm1(-patient.leukaemia.burden * np.exp(-hazard))
    return 1.0 - left, -np.expm1(-lines) / left


def division_clock(*, burden: float = 1e7, short: float = 30.0, long: float = 700.0) -> Drawing:
    """Draw how many lines outlive therapy when cells divide by a clock, at one growth rate.

    Parameters
    ----------
    burden : float, optional
        Cells at infusion.
    short, long : float, optional
        Half-lives of the memory phase, days.
    """
    disease, killing = typical_leukaemia(), typical_patient().products[0].killing
    columns: dict[str, Floats] = {"stages": np.array(_STAGES, dtype=float)}
    for name, half_life in (("short", short), ("long", long)):
        curve = replace(stein_typical(), memory_rate=np.log(2.0) / half_life)

        def death(day: float, curve: SteinExposure = curve) -> float:
            return disease.death_rate + float(killing.rate(curve.level(day)))

        columns[name] = burden * np.array(
            [
                staged_survival(
                    matched_cycle(disease.birth_rate, k),
                    death,
                    3000.0,
                    kinks=[float(curve.peak_day)],
                )
                for k in _STAGES
            ]
        )
    numbers = {
        "half_life_short": quote(short, 2),
        "half_life_long": quote(long, 2),
        "burden": power_of_ten(burden),
        "stages": count(_STAGES[-1]),
        "ratio_short": quote(float(columns["short"][-1] / columns["short"][0]), 2),
        "ratio_long": quote(float(columns["long"][-1] / columns["long"][0]), 2),
        "ratio_patients": quote(float(columns["short"][0] / columns["long"][0]), 2),
    }
    for name in ("short", "long"):
        numbers |= {
            f"one_{name}": quote(float(columns[name][0]), 2),
            f"many_{name}": quote(float(columns[name][-1]), 2),
        }
    n = {key: value.text for key, value in numbers.items()}
    with house_style():
        figure, (ax,) = axes()
        for name, (style, colour, marker) in zip(("short", "long"), _LOOKS, strict=False):
            label = f"memory half-life {n[f'half_life_{name}']} days"
            ax.plot(_STAGES, columns[name], style + marker, color=colour, label=label)
        ax.set_xscale("log", base=2)
        ax.set_yscale("log")
        ax.set_xticks(_STAGES, [str(k) for k in _STAGES])
        ax.set_yticks([0.01, 0.1, 1.0], ["0.01", "0.1", "1"])
        ax.set_ylim(0.01, 2)
        ax.set_xlabel("stages of the cell cycle (1 is the model, many are a clock)")
        ax.set_ylabel("expected surviving lines")
        ax.legend(loc="upper right")
    return Drawing(
        figure=figure,
        caption="Dividing by a clock saves more lines, but less than twice as many; how long the "
        "T cells stay matters far more.",
        alt=f"Expected surviving lines of {n['burden']} cells, log scale, against 1 to "
        f"{n['stages']} stages of the cell cycle at one growth rate. With a memory half-life of "
        f"{n['half_life_short']} days they rise from {n['one_short']} to {n['many_short']}, with "
        f"{n['half_life_long']} days from {n['one_long']} to {n['many_long']}; both curves "
        "flatten.",
        numbers=numbers,
        data=columns,
    )
