"""The figures of a report: incidences, sizes, power by size, and power by biology."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from car_relapse.design._words import percent
from car_relapse.design.formulas import formula_size
from car_relapse.design.plan import BiologyPlan, Plan, is_harm
from car_relapse.design.sections import EndpointSection, cause_name
from car_relapse.errors import require_instance
from car_relapse.figures.style import (
    CURED,
    INK,
    NEGATIVE,
    NEUTRAL,
    POSITIVE,
    Drawing,
    house_style,
)
from car_relapse.followup import Cause

__all__: list[str] = []

Floats = NDArray[np.float64]

_COLOURS = {
    Cause.ANTIGEN_NEGATIVE: NEGATIVE,
    Cause.ANTIGEN_POSITIVE: POSITIVE,
    Cause.DEATH: NEUTRAL,
    Cause.PARTIAL_LOSS: "#CC79A7",
    Cause.LINEAGE_SWITCH: CURED,
}
_Z = 1.96
_TICKS = [d * 10**k for k in range(1, 5) for d in (1, 2, 5)]


def drawings(plan: Plan) -> dict[str, Drawing]:
    """Return the figures of a report by the names of their files.

    Parameters
    ----------
    plan : Plan
        The plan, as `plan_trial` makes it.
    """
    require_instance("plan", plan, Plan, "make one with plan_trial")
    with house_style():
        found = {"incidences": _incidences(plan), "sizes": _sizes(plan), "power": _power(plan)}
        if (curve := _curve(plan)) is not None:
            found["power-by-size"] = curve
    return found


def _panels(count: int, columns: int, width: float, height: float) -> tuple[Figure, list[Axes]]:
    """Return a figure with panels in rows that share their axes."""
    rows = -(-count // columns)
    figure = Figure(figsize=(width, 0.5 + height * rows), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    axes = list(grid.flat)
    for spare in axes[count:]:
        spare.set_visible(False)
    # What stands above an empty place has to say what its axis is.
    for axis in axes[max(0, count - columns) : count]:
        axis.xaxis.set_tick_params(labelbottom=True)
    return figure, axes[:count]


def _incidences(plan: Plan) -> Drawing:
    columns = min(4, len(plan.biologies))
    height = 3.2 if len(plan.biologies) == columns else 2.4
    figure, panels = _panels(len(plan.biologies), columns, max(5.6, 2.3 * columns), height)
    last = plan.scenario.last_month
    months = np.linspace(0.0, last, 121)
    seen: dict[str, Any] = {}
    for panel, biology in zip(panels, plan.biologies, strict=True):
        panel.set_title(_short(biology.name), fontsize=10)
        for arm, line in zip(biology.version.trial.arms, ("--", "-"), strict=True):
            curves = arm.biology.incidence(months)
            for cause, curve in zip(arm.biology.causes, curves, strict=True):
                (drawn,) = panel.plot(
                    months, 100 * curve, line, color=_COLOURS.get(cause, INK), linewidth=1.8
                )
                seen.setdefault(f"{cause_name(cause).replace('_', ' ')}, {arm.name}", drawn)
    figure.supxlabel("months after infusion", fontsize=11)
    figure.supylabel("responders, %", fontsize=11)
    figure.legend(
        list(seen.values()), list(seen), loc="outside upper left", ncols=min(3, len(seen))
    )
    planned = plan.planned.version.trial.arms
    words = [
        f"{arm.name}: " + ", ".join(
            f"{cause_name(c).replace('_', ' ')} {percent(float(f), 1)} %"
            for c, f in zip(arm.biology.causes, arm.biology.incidence(last), strict=True)
        )
        for arm in planned
    ]  # fmt: skip
    return Drawing(
        figure=figure,
        caption="Share of responders whom each cause has taken, in each biology: dashed control, "
        "solid experimental arm.",
        alt=f"Cumulative incidences rise and flatten. In {plan.planned.name}, by month {last:g}: "
        f"{'; '.join(words)}.",
        numbers={},
        data={},
    )


def _short(name: str) -> str:
    return name if len(name) <= 32 else f"{name[:30]}…"


def _dots(plan: Plan, shown: list[EndpointSection]) -> tuple[Figure, list[Axes], Floats]:
    """Return panels for endpoints, one row for each biology, the first on top."""
    columns = min(3, len(shown))
    height = 0.75 + 0.24 * len(plan.biologies)
    figure, panels = _panels(len(shown), columns, 2.2 + 2.6 * columns, height)
    rows = np.arange(len(plan.biologies), dtype=float)
    for panel, endpoint in zip(panels, shown, strict=True):
        panel.set_title(endpoint.label.replace(", ", ",\n", 1), fontsize=9.5)
        panel.tick_params(axis="y", labelsize=9.5)
        panel.tick_params(axis="x", labelsize=9.5)
    panels[0].set_yticks(rows, [_short(b.name) for b in plan.biologies])
    panels[0].set_ylim(len(rows) - 0.4, -0.6)
    return figure, panels, rows


def _sizes(plan: Plan) -> Drawing:
    endpoints = plan.scenario.endpoints.all
    columns = [n for n, e in enumerate(endpoints) if e.test != "share"]
    figure, panels, rows = _dots(plan, [endpoints[n] for n in columns])
    largest = plan.scenario.simulation.largest
    handles: dict[str, Any] = {}
    found: list[float] = []
    for panel, column in zip(panels, columns, strict=True):
        for row, biology in zip(rows, plan.biologies, strict=True):
            size = biology.sizes[column]
            for value, label, look in (
                (size.formula.closed_form, "closed form", ("s", NEUTRAL)),
                (size.formula.calendar, "calendar formula", ("D", POSITIVE)),
            ):
                if value is not None and value <= largest:
                    found.append(value)
                    (drawn,) = panel.plot(
                        [value],
                        [row],
                        markersize=6,
                        markerfacecolor="white",
                        linestyle="",
                        marker=look[0],
                        color=look[1],
                    )
                    handles.setdefault(label, drawn)
            if size.simulated is None:
                panel.text(largest * 1.05, row, "none", ha="right", va="center", fontsize=8.5,
                           color=NEUTRAL)  # fmt: skip
                continue
            found.append(size.simulated.exact)
            drawn_bar = panel.errorbar(
                [size.simulated.exact], [row], xerr=[_Z * size.simulated.std_error],
                marker="o", markersize=4.5, color=NEGATIVE, linestyle="", linewidth=1.5,
            )  # fmt: skip
            handles.setdefault("simulation", drawn_bar)
    panels[0].set_xscale("log")
    panels[0].set_xlim(0.8 * min(found, default=50.0), 1.1 * largest)
    ticks = [n for n in _TICKS if 0.8 * min(found, default=50.0) <= n <= 1.1 * largest]
    panels[0].set_xticks(ticks, [f"{n:,}" for n in ticks])
    panels[0].set_xticks([], minor=True)
    figure.supxlabel("patients in both arms", fontsize=11)
    if handles:
        figure.legend(list(handles.values()), list(handles), loc="outside upper left", ncols=3)
    primary = plan.primary
    told = (
        "no size was found"
        if primary.simulated is None
        else (f"simulation says {primary.simulated.exact:,.0f}")
    )
    return Drawing(
        figure=figure,
        caption="Patients that each endpoint needs: formulas hollow, simulation filled, with 95 % "
        f"Monte Carlo intervals; none means above {largest:,}, or no difference.",
        alt=f"One row for each biology, one panel for each endpoint. For the primary endpoint in "
        f"{plan.planned.name}, {told}.",
        numbers={},
        data={},
    )


def _power(plan: Plan) -> Drawing:
    endpoints = list(plan.scenario.endpoints.all)
    figure, panels, rows = _dots(plan, endpoints)
    design = plan.scenario.design
    handles: dict[str, Any] = {}
    for column, panel in enumerate(panels):
        panel.axvline(100 * design.alpha, color=NEUTRAL, linestyle=":", linewidth=1.2)
        panel.axvline(100 * design.power, color=NEUTRAL, linestyle="--", linewidth=1.2)
        for row, biology in zip(rows, plan.biologies, strict=True):
            found = biology.performance[column]
            worse = is_harm(found, endpoints[column].analysis)
            bar = panel.errorbar(
                [100 * found.rejected], [row], xerr=[100 * _Z * found.rejected_error],
                marker="X" if worse else "o", markersize=7 if worse else 5.5,
                color=NEGATIVE if worse else POSITIVE, linestyle="", linewidth=1.5,
            )  # fmt: skip
            handles.setdefault("rejects: harm" if worse else "rejects: benefit, or chance", bar)
        panel.set_xlim(-3, 103)
    figure.supxlabel(f"trials of {plan.patients:,} patients that reject, %", fontsize=11)
    figure.legend(list(handles.values()), list(handles), loc="outside upper left", ncols=2)
    row = plan.planned.performance[0]
    return Drawing(
        figure=figure,
        caption="Trials that reject, with 95 % Monte Carlo intervals; dotted line: the level; "
        "dashed line: the wanted power; crosses: the experimental arm does worse.",
        alt=f"One row for each biology, one panel for each endpoint. The primary endpoint rejects "
        f"in {percent(row.rejected, 1)} % of trials in {plan.planned.name}.",
        numbers={},
        data={},
    )


def _curve(plan: Plan) -> Drawing | None:
    """Return power by size of each endpoint in the planned biology, if any size was found."""
    found = [s for s in plan.planned.sizes if s.simulated is not None]
    if not found:
        return None
    design = plan.scenario.design
    figure = Figure(figsize=(6.6, 4.0), layout="constrained")
    panel = figure.subplots()
    styles = zip(_styles(), found, strict=False)
    for (colour, marker, line), size in styles:
        simulated = size.simulated
        if simulated is None:
            continue
        share = simulated.rejected
        error = np.sqrt(share * (1.0 - share) / simulated.replicates)
        panel.errorbar(
            simulated.sizes, 100 * share, yerr=100 * _Z * error, marker=marker, linestyle="",
            color=colour, markersize=5, linewidth=1.4, label=size.endpoint.label,
        )  # fmt: skip
        sizes = np.linspace(max(10, 0.6 * simulated.sizes[0]), 1.25 * simulated.sizes[-1], 16)
        power = [_by_formula(plan.planned, size.endpoint, n, plan) for n in sizes]
        if None not in power:
            panel.plot(sizes, 100 * np.array(power, dtype=float), line, color=colour, linewidth=1.3)
    panel.axhline(100 * design.power, color=NEUTRAL, linestyle="--", linewidth=1.2)
    panel.axvline(plan.patients, color=NEUTRAL, linestyle=":", linewidth=1.2)
    panel.set_xlabel("patients in both arms")
    panel.set_ylabel("power, %")
    panel.set_xscale("log")
    low, high = panel.get_xlim()
    ticks = [n for n in _TICKS if low <= n <= high]
    panel.set_xticks(ticks, [f"{n:,}" for n in ticks])
    panel.set_xticks([], minor=True)
    figure.legend(loc="outside upper left", ncols=1 if len(found) == 1 else 2, fontsize=9)
    first = found[0]
    return Drawing(
        figure=figure,
        caption=f"Power against size in {plan.planned.name}: dots from simulation with 95 % "
        "intervals, lines from the calendar formula; dotted line: the planned size.",
        alt=f"Power rises with size. {first.endpoint.label} reaches "
        f"{percent(design.power)} % with "
        f"{first.simulated.exact if first.simulated else 0:,.0f} patients.",
        numbers={},
        data={},
    )


def _styles() -> Iterator[tuple[str, str, str]]:
    colours = (NEGATIVE, POSITIVE, CURED, INK, "#CC79A7", NEUTRAL)
    markers, lines = "osD^vP", ("-", "--", "-.", ":", "-", "--")
    for number in range(12):
        n = number % 6
        yield colours[n], markers[n], lines[n]


def _by_formula(
    biology: BiologyPlan, endpoint: EndpointSection, patients: float, plan: Plan
) -> float | None:
    design = plan.scenario.design
    return formula_size(
        biology.version.trial,
        endpoint,
        alpha=design.alpha,
        power=design.power,
        patients=round(patients),
    ).power
