"""Figures of the notebook on glioblastoma: coverage, courses, chances, and published models."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator

from car_relapse.course import mean_course
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
    quote,
)
from car_relapse.followup import DAYS_PER_MONTH
from car_relapse.glioblastoma import typical_glioblastoma
from car_relapse.mixture import uncovered_share
from car_relapse.parameters import default
from car_relapse.published import kara2024, leontriana2021
from car_relapse.survival import relapse_probabilities

__all__ = [
    "Setting",
    "antigen_coverage",
    "bystander_chances",
    "mixture_courses",
    "published_tumours",
]

Floats = NDArray[np.float64]
_LINES = ("-", "--", "-.")
_COLOURS = (POSITIVE, NEGATIVE, INK)
_ANTIGENS = (1, 2, 3)
_WORDS = {1: "one antigen", 2: "two antigens", 3: "three antigens"}


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One treated glioblastoma to draw; what is None comes from the ledger."""

    antigens: int = 1
    """Antigens that the product binds, 1 to 6."""
    bystander: float | None = None
    """Killing of an uncovered cell over that of a covered one, in [0, 1]."""
    suppression: float | None = None
    """Part of the killing that is suppressed, in [0, 1)."""
    doses: int | None = None
    """Local doses."""


def _months_gained(uncovered: Floats) -> Floats:
    """Return the months until the uncovered cells alone are as many as all cells were."""
    net = default("glioblastoma.birth_rate") - default("glioblastoma.death_rate")
    return np.asarray(-np.log(uncovered) / net / DAYS_PER_MONTH)


def antigen_coverage() -> Drawing:
    """Draw the uncovered share, and the time it allows, against the number of antigens."""
    count = np.arange(1, 7)
    missing, usual = default("glioblastoma.missing"), default("glioblastoma.overlap")
    cases = {"independent": 0.0, "usual": usual, "nested": 1.0}
    shares = {
        name: np.array([uncovered_share((missing,) * int(k), overlap=o) for k in count])
        for name, o in cases.items()
    }
    months = {name: _months_gained(share) for name, share in shares.items()}
    numbers: dict[str, Quoted] = {
        "missing_percent": percent(missing),
        "overlap_percent": percent(usual),
    }
    for name, share in shares.items():
        for k in (1, 3):
            numbers[f"{name}_{k}_percent"] = percent(float(share[k - 1]), 1 if k > 1 else 0)
            numbers[f"{name}_{k}_months"] = quote(float(months[name][k - 1]), 2)
        numbers[f"{name}_6_months"] = quote(float(months[name][-1]), 2)
    n = {key: value.text for key, value in numbers.items()}
    labels = {
        "independent": "lacked independently",
        "usual": f"{n['overlap_percent']} % go together",
        "nested": "all go together",
    }
    with house_style():
        figure, panels = axes(columns=2, width=6.6, height=3.6)
        for ax, values, title in zip(
            panels, (shares, months), ("Cells not covered", "Time until regrown"), strict=True
        ):
            for (name, curve), style, colour in zip(values.items(), _LINES, _COLOURS, strict=True):
                ax.plot(count, curve, style, marker="os^"[_LINES.index(style)], color=colour,
                        label=labels[name])  # fmt: skip
            ax.set_title(title)
            ax.set_xticks(count)
            ax.set_xlabel("antigens of the product")
        panels[0].set_yscale("log")
        panels[0].set_ylim(3e-4, 1)
        panels[0].set_ylabel("share of the tumour")
        panels[1].set_ylim(0, 17)
        panels[1].set_ylabel("months, at the most")
        panels[1].legend(loc="upper left")
    return Drawing(
        figure=figure,
        caption="Each further antigen multiplies coverage only while antigens are lacked "
        "independently; a small part that goes together sets the floor.",
        alt=f"Two panels against the number of antigens, 1 to 6, each lacked by "
        f"{n['missing_percent']} % of cells. Left, share not covered: {n['independent_1_percent']} "
        f"% with one antigen; with three {n['independent_3_percent']} % if independent, "
        f"{n['usual_3_percent']} % if {n['overlap_percent']} % of the tumour goes together, and "
        f"{n['nested_3_percent']} % if all does. Right, months until regrown: "
        f"{n['independent_1_months']} with one; with three {n['independent_3_months']}, "
        f"{n['usual_3_months']} and {n['nested_3_months']}.",
        numbers=numbers,
        data={
            "antigens": count.astype(float),
            **{f"share_{name}": v for name, v in shares.items()},
            **{f"months_{name}": v for name, v in months.items()},
        },
    )


_USUAL = (
    Setting(antigens=1, bystander=0.0),
    Setting(antigens=3, bystander=0.0),
    Setting(antigens=3),
    Setting(antigens=3, suppression=0.9),
)
_PLACES = "abcdef"


def _title(setting: Setting) -> str:
    help_ = default("glioblastoma.bystander") if setting.bystander is None else setting.bystander
    held = (
        default("glioblastoma.suppression") if setting.suppression is None else setting.suppression
    )
    antigens = _WORDS.get(setting.antigens, f"{setting.antigens} antigens")
    return f"{antigens}; beside {100 * help_:.0f} %,\nsuppressed {100 * held:.0f} %"


def _panel(ax: Axes, month: Floats, covered: Floats, uncovered: Floats) -> None:
    ax.plot(month, covered, "--", color=POSITIVE, label="covered")
    ax.plot(month, uncovered, "-", color=NEGATIVE, label="not covered")
    ax.axhline(1.0, color=NEUTRAL, linewidth=1.2, linestyle=":")
    ax.set_yscale("log")
    ax.set_ylim(1e-3, 1e14)
    ax.set_yticks([1.0, 1e5, 1e10])
    ax.set_xlim(0, 12)
    ax.set_xticks([0, 3, 6, 9, 12])


def mixture_courses(settings: Sequence[Setting] = _USUAL) -> Drawing:
    """Draw the expected covered and uncovered cells of one to six treated tumours.

    Parameters
    ----------
    settings : sequence of Setting, optional
        Tumours to draw, a panel each.
    """
    day = np.arange(0.0, 366.0, 3.0)
    month = day / DAYS_PER_MONTH
    data: dict[str, Floats] = {"month": month}
    numbers: dict[str, Quoted] = {}
    rows = math.ceil(len(settings) / 2)
    columns = min(len(settings), 2)
    with house_style():
        figure = Figure(
            figsize=(6.4 if columns == 2 else 5.0, 0.7 + 2.5 * rows), layout="constrained"
        )
        grid = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
        for place, setting, ax in zip(_PLACES, settings, grid.ravel(), strict=False):
            course = mean_course(
                typical_glioblastoma(
                    setting.antigens,
                    bystander=setting.bystander,
                    suppression=setting.suppression,
                    doses=setting.doses,
                ),
                day,
            )
            _panel(ax, month, course.targeted, course.escaped)
            ax.set_title(_title(setting))
            lowest = int(course.total.argmin())
            data |= {f"covered_{place}": course.targeted, f"uncovered_{place}": course.escaped}
            numbers |= {
                f"lowest_{place}": quote(float(course.total[lowest]), 2),
                f"lowest_month_{place}": quote(float(month[lowest]), 2),
                f"last_{place}": quote(float(course.total[-1]), 2),
            }
        for ax in grid[-1]:
            ax.set_xlabel("months after the first dose")
        for ax in grid[:, 0]:
            ax.set_ylabel("expected cells")
        grid[0, 0].legend(loc="lower right")
    n = {key: value.text for key, value in numbers.items()}
    panels = "; ".join(
        f"{_title(setting).replace(chr(10), ' ')}: lowest {n[f'lowest_{place}']} in month "
        f"{n[f'lowest_month_{place}']}, {n[f'last_{place}']} after a year"
        for place, setting in zip(_PLACES, settings, strict=False)
    )
    return Drawing(
        figure=figure,
        caption="The covered part falls alike in the first three tumours; the uncovered part "
        "decides, and it yields to bystanders alone.",
        alt=f"Expected covered and uncovered cells on a log scale over a year. All cells, by "
        f"panel: {panels}.",
        numbers=numbers,
        data=data,
    )


def _log_lines(most: float) -> PchipInterpolator:
    """Return ln of the surviving lines per uncovered cell, by its killing over the unsuppressed.

    The killing of an uncovered cell is that of a covered one times both shares, so one curve
    serves every suppression; it is smooth, and is interpolated between a few exact points.
    """
    knots = np.linspace(0.0, most, 11)
    exact = []
    for value in knots:
        tumour = typical_glioblastoma(1, bystander=float(value), suppression=0.0)
        (_, (_, share)) = tumour.mixture or ()
        lines = relapse_probabilities(tumour).negative_lines
        exact.append(math.log(lines / (share * tumour.leukaemia.burden)))
    return PchipInterpolator(knots, exact)


def bystander_chances() -> Drawing:
    """Draw the chance that no cell is left against bystander killing, by number of antigens."""
    share = np.linspace(0.0, 0.8, 161)
    usual = default("glioblastoma.suppression")
    less = 0.5 * usual
    missing, overlap = default("glioblastoma.missing"), default("glioblastoma.overlap")
    log_lines = _log_lines((1.0 - less) * float(share[-1]))

    def clear(antigens: int, suppression: float) -> Floats:
        covered = relapse_probabilities(typical_glioblastoma(antigens, suppression=suppression))
        uncovered = default("glioblastoma.burden") * uncovered_share(
            (missing,) * antigens, overlap=overlap
        )
        lines = uncovered * np.exp(log_lines((1.0 - suppression) * share))
        return np.asarray(np.exp(-lines - covered.positive_lines))

    curves = {f"antigens_{k}": clear(k, usual) for k in _ANTIGENS}
    freed = clear(3, less)
    numbers: dict[str, Quoted] = {
        "suppression_percent": percent(usual),
        "less_percent": percent(less),
        "none": chance(float(curves["antigens_3"][0])),
    }
    for name, curve in (*curves.items(), ("less", freed)):
        numbers[f"half_{name}_percent"] = percent(float(np.interp(0.5, curve, share)))
    n = {key: value.text for key, value in numbers.items()}
    with house_style():
        figure, (ax,) = axes(width=6.0, height=3.7)
        for k, style, colour in zip(_ANTIGENS, _LINES, _COLOURS, strict=True):
            ax.plot(100 * share, curves[f"antigens_{k}"], style, color=colour, label=_WORDS[k])
        ax.plot(100 * share, freed, ":", color=CURED,
                label=f"three, suppression {n['less_percent']} %")  # fmt: skip
        ax.set_xlim(0, 80)
        ax.set_ylim(-0.02, 1.02)
        ax.set_xlabel("killing beside a covered cell, over that of one (%)")
        ax.set_ylabel("P(no cell is left)")
        ax.legend(loc="lower center", bbox_to_anchor=(0.45, 1.0), ncols=2)
    return Drawing(
        figure=figure,
        caption="More antigens shift the threshold a little; less suppression shifts it far, as "
        "killing stands in the exponent.",
        alt="Chance that no tumour cell is left against bystander killing as a share of direct "
        f"killing, 0 to 80 %. With suppression of {n['suppression_percent']} % it passes one half "
        f"at {n['half_antigens_1_percent']} % for one antigen, {n['half_antigens_2_percent']} % "
        f"for two and {n['half_antigens_3_percent']} % for three; for three antigens with "
        f"suppression of {n['less_percent']} % at {n['half_less_percent']} %. Without bystanders "
        f"it is {n['none']}.",
        numbers=numbers,
        data={"bystander": share, **curves, "less_suppression": freed},
    )


_INACTIVATION = (0.02, 0.04, 0.1)


def published_tumours(inactivation: Sequence[float] = _INACTIVATION) -> Drawing:
    """Draw two published models: inactivation of CAR-T cells, and bystanders in mice.

    Parameters
    ----------
    inactivation : sequence of float, optional
        Rates of inactivation by the tumour in the model of León-Triana and colleagues, 1/day.
    """
    day = np.linspace(0.0, 150.0, 76)
    mouse = np.linspace(3.0, 60.0, 76)
    data: dict[str, Floats] = {"day": day, "mouse_day": mouse}
    numbers: dict[str, Quoted] = {}
    with house_style():
        figure, (left, right) = axes(columns=2, width=6.6, height=3.7)
        for name, rate, style, colour in zip(
            ("low", "mid", "high"), inactivation, _LINES, _COLOURS, strict=True
        ):
            model = leontriana2021.SingleParameters(inactivation_rate=rate)
            data[f"tumour_{name}"] = leontriana2021.solve(model, day).tumour
            _, lowest = leontriana2021.nadir(model)
            numbers[f"rate_{name}"] = quote(rate, 1)
            numbers[f"orders_{name}"] = quote(math.log10(model.tumour_start / lowest), 2)
            left.plot(day, data[f"tumour_{name}"], style, color=colour,
                      label=f"{numbers[f'rate_{name}'].text} a day")  # fmt: skip
        for name, helped, style, colour in (
            ("alone", False, "--", POSITIVE),
            ("helped", True, "-", NEGATIVE),
        ):
            course = kara2024.solve(
                kara2024.KaraParameters(), mouse, positive_fraction=0.9, bystander=helped
            )
            data[f"volume_{name}"] = course.tumour
            at = kara2024.solve(
                kara2024.KaraParameters(), [30.0], positive_fraction=0.9, bystander=helped
            )
            numbers[f"volume_{name}"] = quote(float(at.tumour[0]), 2)
            label = "with bystanders" if helped else "without"
            right.plot(mouse, course.tumour, style, color=colour, label=label)
        left.set_title("Inactivated by the tumour")
        left.set_ylabel("tumour cells")
        left.set_xlabel("days after infusion")
        left.set_xlim(0, 150)
        left.set_ylim(1e6, 1e15)
        right.set_title("Nine tenths covered, mice")
        right.set_ylabel("tumour (mm³)")
        right.set_xlabel("days after implantation")
        right.set_xlim(3, 60)
        right.set_ylim(1e-2, 1e6)
        for ax in (left, right):
            ax.set_yscale("log")
            ax.legend(loc="upper right")
    numbers["covered_percent"] = percent(0.9)
    n = {key: value.text for key, value in numbers.items()}
    return Drawing(
        figure=figure,
        caption="Published models agree: a tumour that inactivates the T cells, or is partly "
        "uncovered without bystanders, comes back.",
        alt="Left, model of León-Triana and colleagues: tumour cells against days. With "
        f"inactivation of {n['rate_low']}, {n['rate_mid']} and {n['rate_high']} a day they fall by "
        f"{n['orders_low']}, {n['orders_mid']} and {n['orders_high']} orders of magnitude, and "
        "grow again. Right, model of Kara and colleagues in mice, "
        f"{n['covered_percent']} % of the tumour covered: on day 30 {n['volume_alone']} mm³ "
        f"without bystanders and {n['volume_helped']} mm³ with them.",
        numbers=numbers,
        data=data,
    )
