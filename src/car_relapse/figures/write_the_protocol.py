"""Figures of the notebook *Write the protocol*."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from car_relapse.design import TrialScenario, example_text, parse_trial, plan_trial
from car_relapse.design.formulas import formula_size
from car_relapse.design.sections import EndpointSection
from car_relapse.errors import ParameterError
from car_relapse.figures.style import (
    INK,
    NEGATIVE,
    POSITIVE,
    Drawing,
    Quoted,
    axes,
    count,
    house_style,
    percent,
)
from car_relapse.followup import Cause
from car_relapse.protocol import Document, draft
from car_relapse.protocol.document import Blank, Value, lines_in
from car_relapse.trial._checks import choice
from car_relapse.trial.virtual import Trial

__all__ = ["protocol_choices", "protocol_open_points", "protocol_powers", "protocol_scenario"]

Question = Literal["event-free survival", "antigen-negative relapse"]

_EVENT_FREE = EndpointSection(test="log-rank")
_ESCAPE = EndpointSection(test="log-rank", causes=(Cause.ANTIGEN_NEGATIVE,))
_ORDER: dict[str, tuple[EndpointSection, EndpointSection]] = {
    "event-free survival": (_EVENT_FREE, _ESCAPE),
    "antigen-negative relapse": (_ESCAPE, _EVENT_FREE),
}
_SETTINGS: tuple[tuple[Question, str], ...] = (
    ("event-free survival", "escape falls"),
    ("event-free survival", "both fall"),
    ("antigen-negative relapse", "escape falls"),
)


def protocol_scenario(
    primary: Question = "event-free survival", plan_for: str = "escape falls"
) -> TrialScenario:
    """Return the randomised example with another primary endpoint, or planned for other biology.

    Parameters
    ----------
    primary : {"event-free survival", "antigen-negative relapse"}, optional
        The primary endpoint; the other of the two is the key secondary one.
    plan_for : str, optional
        Name of the biology that the trial is planned for.
    """
    choice("primary", primary, get_args(Question))
    base = parse_trial(example_text("randomised"))
    first, second = _ORDER[primary]
    return replace(
        base,
        design=replace(base.design, plan_for=plan_for),
        endpoints=replace(base.endpoints, primary=first, others=(second,)),
    )


@dataclass(frozen=True, kw_only=True)
class _Powers:
    """What a trial of the size that its plan needs would show, by formula."""

    patients: int
    """Patients in both arms."""
    names: tuple[str, ...]
    """The biologies."""
    power: NDArray[np.float64]
    """Power of event-free survival and of escape, (biologies, 2)."""
    harm: NDArray[np.bool_]
    """Whether it is the power to show that patients are worse off, (biologies, 2)."""


def _powers(scenario: TrialScenario) -> _Powers:
    design = scenario.design
    planned = scenario.versions[scenario.planned].trial

    def formula(trial: Trial, endpoint: EndpointSection, patients: int) -> tuple[float, bool]:
        found = formula_size(
            trial, endpoint, alpha=design.alpha, power=design.power, patients=patients
        )
        return float(found.power or 0.0), float(found.hazard_ratio or 1.0) > 1.0

    need = formula_size(
        planned, scenario.endpoints.primary, alpha=design.alpha, power=design.power, patients=100
    ).calendar
    if need is None or not math.isfinite(need):
        raise ParameterError(
            f"plan_for is {design.plan_for!r}; the primary endpoint shows no difference there, so "
            "no size is enough; plan for another biology"
        )
    patients = 2 * math.ceil(need / 2)
    rows = [
        [formula(v.trial, e, patients) for e in (_EVENT_FREE, _ESCAPE)] for v in scenario.versions
    ]
    return _Powers(
        patients=patients,
        names=tuple(v.section.name for v in scenario.versions),
        power=np.array([[p for p, _ in row] for row in rows]),
        harm=np.array([[h for _, h in row] for row in rows]),
    )


def _draw(ax: Axes, found: _Powers, title: str) -> None:
    place = np.arange(len(found.names), dtype=float)
    marks = (("event-free survival", POSITIVE, "o", -0.14), ("escape", NEGATIVE, "s", 0.14))
    for column, (words, colour, mark, shift) in enumerate(marks):
        for worse in (False, True):
            rows = found.harm[:, column] == worse
            if worse and not rows.any():
                continue
            ax.plot(
                100 * found.power[rows, column], place[rows] + shift, "D" if worse else mark,
                color=colour, markerfacecolor="white" if worse else colour, markersize=7,
                label=f"{words}, harm" if worse else words, clip_on=False,
            )  # fmt: skip
    ax.set_yticks(place, found.names)
    ax.set_ylim(len(found.names) - 0.5, -0.5)
    ax.set_xlim(0, 100)
    ax.set_xticks([0, 50, 100])
    ax.set_title(title, fontsize=10.5)
    ax.grid(axis="y", visible=False)


def _title(primary: str, plan_for: str, found: _Powers) -> str:
    short = {"event-free survival": "event-free", "antigen-negative relapse": "escape"}[primary]
    return f"primary: {short}\nplanned for: {plan_for}\n{found.patients:,} patients"


def protocol_powers(
    primary: Question = "event-free survival", plan_for: str = "escape falls"
) -> Drawing:
    """Draw the power of both endpoints in every biology, for a trial of the planned size.

    Parameters
    ----------
    primary, plan_for
        As in `protocol_scenario`.
    """
    found = _powers(protocol_scenario(primary, plan_for))
    with house_style():
        figure, (ax,) = axes(width=5.8, height=3.9)
        _draw(ax, found, _title(primary, plan_for, found))
        ax.set_xlabel("power (%)")
        handles, labels = ax.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=2)
    numbers: dict[str, Quoted] = {"patients": count(found.patients)}
    for row, name in enumerate(found.names):
        numbers[f"{name}_event_free"] = percent(float(found.power[row, 0]))
        numbers[f"{name}_escape"] = percent(float(found.power[row, 1]))
    told = "; ".join(
        f"{name} {numbers[f'{name}_event_free'].text} and {numbers[f'{name}_escape'].text}"
        for name in found.names
    )
    return Drawing(
        figure=figure,
        caption="One size, five biologies: the mechanism is shown in four of them, a benefit in "
        "fewer.",
        alt=f"Power in per cent of {found.patients} patients for event-free survival and for "
        f"antigen-negative relapse: {told}.",
        numbers=numbers,
        data={
            "biology": np.arange(len(found.names), dtype=float),
            "event_free": found.power[:, 0],
            "escape": found.power[:, 1],
        },
    )


def protocol_choices() -> Drawing:
    """Draw the powers of three protocols beside each other."""
    found = [_powers(protocol_scenario(*setting)) for setting in _SETTINGS]
    numbers: dict[str, Quoted] = {}
    for column, one in enumerate(found):
        numbers[f"patients_{column}"] = count(one.patients)
        for row, name in enumerate(one.names):
            key = f"{name}_{column}".replace(" ", "_")
            numbers[f"{key}_event_free"] = percent(float(one.power[row, 0]))
            numbers[f"{key}_escape"] = percent(float(one.power[row, 1]))
    with house_style():
        figure, panels = axes(columns=3, width=8.4, height=3.9)
        for column, (ax, one, setting) in enumerate(zip(panels, found, _SETTINGS, strict=True)):
            _draw(ax, one, _title(*setting, one))
            if column:
                ax.set_yticklabels([])
        panels[1].set_xlabel("power (%)")
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=3)
    n = {key: value.text for key, value in numbers.items()}
    return Drawing(
        figure=figure,
        caption="The size that suffices for the mechanism (right) seldom shows a benefit, unless "
        "both kinds of relapse fall.",
        alt="Power in per cent by biology, for three protocols. Planned on event-free survival for "
        f"less escape, {n['patients_0']} patients: {n['escape_falls_0_event_free']} for event-free "
        f"survival and {n['escape_falls_0_escape']} for escape; if half comes back "
        f"{n['half_comes_back_0_event_free']} and {n['half_comes_back_0_escape']}. Planned for "
        f"both to fall, {n['patients_1']} patients: {n['both_fall_1_event_free']} if both fall, "
        f"{n['escape_falls_1_event_free']} if only escape falls. Planned on escape, "
        f"{n['patients_2']} patients: {n['escape_falls_2_escape']} for escape, "
        f"{n['escape_falls_2_event_free']} for event-free survival, and "
        f"{n['both_fall_2_event_free']} for it if both fall. If T cells fade sooner, "
        f"{n['T_cells_fade_sooner_0_event_free']} in the first is the power to show harm.",
        numbers=numbers,
        data={
            "biology": np.arange(len(found[0].names), dtype=float),
            **{f"event_free_{k}": one.power[:, 0] for k, one in enumerate(found)},
            **{f"escape_{k}": one.power[:, 1] for k, one in enumerate(found)},
        },
    )


def protocol_open_points(document: Document | None = None) -> Drawing:
    """Draw, for each section of a protocol, how much is computed and how much is left open.

    Parameters
    ----------
    document : Document, optional
        The protocol; that of the randomised example by default.
    """
    if document is None:
        base = protocol_scenario()
        few = replace(base, simulation=replace(base.simulation, trials=100))
        document = draft(plan_trial(few))
    rows = document.sections[:-1]
    open_points, computed = np.zeros((2, len(rows)))
    for place, section in enumerate(rows):
        runs = [run for line in lines_in(section) for run in line]
        open_points[place] = len({r.key for r in runs if isinstance(r, Blank)})
        computed[place] = len({r.key for r in runs if isinstance(r, Value)})
    names = [s.title.removeprefix("Appendix: ").capitalize() for s in rows]
    numbers = {
        "computed": count(len(document.values)),
        "open": count(len(document.blanks)),
        "definitions_open": count(int(open_points[names.index("Definitions")])),
        "definitions_computed": count(int(computed[names.index("Definitions")])),
        "size_open": count(int(open_points[names.index("Sample size")])),
        "size_computed": count(int(computed[names.index("Sample size")])),
    }
    with house_style():
        figure, (ax,) = axes(width=6.6, height=4.6)
        at = np.arange(len(rows), dtype=float)
        ax.barh(at - 0.19, computed, height=0.36, color=POSITIVE, label="computed")
        ax.barh(
            at + 0.19, open_points, height=0.36, color="white", edgecolor=NEGATIVE, hatch="////",
            label="left for people",
        )  # fmt: skip
        for row, (filled, left) in enumerate(zip(computed, open_points, strict=True)):
            ax.text(filled + 0.6, row - 0.19, f"{filled:.0f}", va="center", fontsize=9, color=INK)
            ax.text(left + 0.6, row + 0.19, f"{left:.0f}", va="center", fontsize=9, color=INK)
        ax.set_yticks(at, names)
        ax.invert_yaxis()
        ax.set_xlabel("numbers and points in the section")
        ax.grid(axis="y", visible=False)
        ax.legend(loc="lower right")
    n = {key: value.text for key, value in numbers.items()}
    return Drawing(
        figure=figure,
        caption="The design fills the sections on size, dose and looks; definitions and conduct "
        "are left for people.",
        alt=f"Pairs of bars for the sections of a protocol: {n['computed']} values are computed "
        f"and {n['open']} points left open. In the definitions {n['definitions_computed']} and "
        f"{n['definitions_open']}, in the sample size {n['size_computed']} and {n['size_open']}.",
        numbers=numbers,
        data={
            "section": np.arange(len(rows), dtype=float),
            "computed": computed,
            "open": open_points,
        },
    )
