"""Figures of the notebook on the size of a trial of two targets."""

from __future__ import annotations

import math

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from car_relapse.errors import require_fraction
from car_relapse.evidence import seed_trials
from car_relapse.figures.how_large_table import (
    COLOURS,
    MONTHS,
    Weighed,
    control_arm,
    endpoint_table,
    sizes_by_formula,
)
from car_relapse.figures.style import (
    INK,
    NEGATIVE,
    NEUTRAL,
    NORMAL_95,
    POSITIVE,
    Drawing,
    Quoted,
    axes,
    count,
    house_style,
    percent,
    quote,
)
from car_relapse.followup import Cause
from car_relapse.parameters import default
from car_relapse.trial.virtual import Biology

__all__ = ["endpoint_choice", "endpoint_power", "endpoint_sizes", "seen_with"]

Floats = NDArray[np.float64]

_NEGATIVE, _POSITIVE, _DEATH = Cause.ANTIGEN_NEGATIVE, Cause.ANTIGEN_POSITIVE, Cause.DEATH
_SHOWN = {
    "escape hazard": ("escape: hazard", "o"),
    "Gray": ("escape: Gray", "s"),
    "EFS": ("event-free survival", "D"),
    "share": ("share of relapses", "^"),
}
_CAUSES = (
    ("antigen-negative", NEGATIVE, "//"),
    ("antigen-positive", POSITIVE, ""),
    ("death", NEUTRAL, ".."),
)
_CHOICE = ("escape hazard", "Gray", "EFS")
_LARGEST = 5000.0
_NEVER = 9000.0  # where the axis says that no number is enough


def _patients(size: float) -> Quoted:
    """Return a number of patients, or that there is none."""
    # Where nothing differs, what roundings leave is a number beyond all people.
    return quote(size, 3) if size < 1e6 else Quoted(value=1e6, text="no number")


def _key(name: str) -> str:
    """Return the endpoint's name as numbers and columns have it."""
    return name.split()[-1].lower()


def _label(row: Weighed) -> str:
    return f"{row.story.key} {row.story.name}"


def _free(row: Weighed) -> float:
    """Return what the dual arm gains in event-free survival at two years."""
    return float(row.compared.control.sum() - row.compared.experimental.sum())


def _infused() -> list[int]:
    """Return the patients infused in each seed trial whose number could be read."""
    sums = (sum(row.n_infused or 0 for row in rows) for rows in seed_trials().values())
    return sorted(n for n in sums if n)


def _stack(ax: Axes, rows: tuple[Weighed, ...]) -> None:
    shares = [rows[0].compared.control, *(row.compared.experimental for row in rows[1:])]
    start = np.zeros(len(rows))
    for cause, (words, colour, hatch) in enumerate(_CAUSES):
        part = 100.0 * np.array([share[cause] for share in shares])
        ax.barh(
            np.arange(len(rows)), part, left=start, color=colour, hatch=hatch, edgecolor="white",
            linewidth=0.6, height=0.66, label=words,
        )  # fmt: skip
        start += part
    ax.set_yticks(range(len(rows)), [_label(row) for row in rows])
    ax.invert_yaxis()
    ax.set_xlim(0, 75)
    ax.set_xlabel("% of responders by month 24")
    ax.grid(axis="y", visible=False)
    ax.legend(loc="lower left", bbox_to_anchor=(-0.6, 1.0), ncols=1, fontsize=9)


def endpoint_sizes() -> Drawing:
    """Draw the incidences of every story, and the patients that each endpoint needs."""
    rows = endpoint_table()
    seeds = _infused()
    names = _CHOICE
    needed = {name: np.array([row.any_hazards[name] for row in rows]) for name in names}
    with house_style():
        figure, (left, right) = axes(columns=2, width=7.4, height=4.6)
        _stack(left, rows)
        for name, shift in zip(names, (-0.22, 0.0, 0.22), strict=True):
            words, mark = _SHOWN[name]
            shown = np.where(np.isfinite(needed[name]), needed[name], _NEVER)
            right.plot(
                shown, np.arange(len(rows)) + shift, mark, color=COLOURS[name], markersize=6.5,
                markerfacecolor="white", markeredgewidth=1.6, label=words,
            )  # fmt: skip
            for place, row in enumerate(rows):
                if name in row.simulated:
                    size, error = row.simulated[name]
                    right.errorbar(
                        size, place + shift, xerr=NORMAL_95 * error, fmt=mark, color=COLOURS[name],
                        markersize=3.5, capsize=2, elinewidth=1.2,
                    )  # fmt: skip
        right.plot([], [], "o", color=INK, markersize=3.5, label="small: simulated")
        for place, row in enumerate(rows):
            if row.compared.event_free_ratio > 1.0:
                right.text(
                    row.any_hazards["EFS"] * 1.35, place + 0.25, "harm", fontsize=9, va="center"
                )
        for infused in seeds:
            right.plot([infused, infused], [-0.62, -0.95], color=INK, linewidth=1.4)
        right.text(seeds[0] * 0.9, -0.2, "seed trials,\ninfused", fontsize=9, ha="left", va="top")
        right.set_xscale("log")
        right.set_xlim(10, 13_000)
        right.set_ylim(len(rows) - 0.4, -1.0)
        right.set_yticks(range(len(rows)), [row.story.key for row in rows])
        right.set_xticks([10, 100, 1000, _NEVER], ["10", "100", "1,000", "never"], minor=False)
        right.set_xlabel("responders for 80 % power")
        right.grid(axis="y", visible=False)
        right.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), fontsize=9)
    numbers = {"smallest_seed": count(seeds[0]), "largest_seed": count(seeds[-1])}
    for row in rows:
        for name in names:
            if math.isfinite(row.any_hazards[name]):
                numbers[f"{row.story.key}_{_key(name)}"] = quote(row.any_hazards[name], 3)
        for kind, share in zip(("negative", "positive"), row.compared.experimental, strict=False):
            numbers[f"{row.story.key}_{kind}"] = percent(float(share))
    n = {key: value.text for key, value in numbers.items()}
    return Drawing(
        figure=figure,
        caption="The same drop in escape needs about as many patients in every story; "
        "event-free survival needs few, or many, or no number is enough.",
        alt="Left: stacked cumulative incidences at month 24 under eight stories; "
        f"antigen-negative relapse is {n['S0_negative']} % in S0, {n['S7_negative']} % in S7 and "
        f"{n['S1_negative']} % in all others, while "
        f"antigen-positive relapse goes from {n['S4_positive']} % (S4) to {n['S5_positive']} % "
        "(S5). Right: responders for 80 % power on a log scale. By the hazard of escape from "
        f"{n['S4_hazard']} (S4) to {n['S5_hazard']} (S5), never in S7; by Gray's test near "
        f"{n['S1_gray']} in S1 to S6 and {n['S7_gray']} in S7; by event-free survival "
        f"{n['S4_efs']} (S4), {n['S1_efs']} (S1), {n['S3_efs']} (S3), {n['S6_efs']} (S6), never "
        f"in S2, and for harm {n['S7_efs']} (S7) and {n['S5_efs']} (S5). Four seed trials infused "
        f"{n['smallest_seed']} to {n['largest_seed']} patients.",
        numbers=numbers,
        data={
            "story": np.arange(len(rows), dtype=float),
            # As drawn: where no number is enough, at the end of the axis.
            **{_key(name): np.minimum(values, _NEVER) for name, values in needed.items()},
            "negative": np.array([row.compared.experimental[0] for row in rows]),
            "positive": np.array([row.compared.experimental[1] for row in rows]),
            "death": np.array([row.compared.experimental[2] for row in rows]),
        },
    )


def endpoint_power() -> Drawing:
    """Draw the power of every endpoint, the stories in the order of what patients gain."""
    rows = tuple(sorted(endpoint_table(), key=_free))
    numbers: dict[str, Quoted] = {}
    with house_style():
        figure, (ax,) = axes(width=6.4, height=4.6)
        for name, shift in zip(_SHOWN, (-0.24, -0.08, 0.08, 0.24), strict=True):
            words, mark = _SHOWN[name]
            for place, row in enumerate(rows):
                power, error = row.power[name]
                harm = name == "EFS" and row.harm[name] > power / 2 and power > 0.1
                ax.errorbar(
                    100 * power, place + shift, xerr=100 * NORMAL_95 * error, fmt=mark,
                    color=COLOURS[name], markersize=6.5, capsize=2, elinewidth=1.2,
                    markerfacecolor="white" if harm else COLOURS[name],
                    label=words if place == 0 and not harm else None,
                )  # fmt: skip
                numbers[f"{row.story.key}_{_key(name)}"] = percent(power)
            if name == "EFS":
                ax.plot([], [], mark, color=COLOURS[name], label=words)
                ax.plot(
                    [], [], mark, color=COLOURS[name], markerfacecolor="white",
                    label="the same, finding harm",
                )  # fmt: skip
        labels = [
            f"{_label(row)}\n{100 * _free(row):+.0f} points".replace("-", "−") for row in rows
        ]
        labels = [label.replace("+0 ", "0 ").replace("−0 ", "0 ") for label in labels]
        ax.set_yticks(range(len(rows)), labels, fontsize=9.5)
        ax.axvline(5, color=INK, linewidth=1.0, linestyle=":")
        ax.set_xlim(0, 100)
        ax.set_xlabel("trials of 200 responders that reject (%)")
        ax.grid(axis="y", visible=False)
        ax.legend(loc="lower left", bbox_to_anchor=(-0.3, 1.0), ncols=2, fontsize=9)
    for row in rows:
        word = "gain" if _free(row) >= 0 else "loss"
        numbers[f"{row.story.key}_{word}"] = percent(abs(_free(row)))
    errors = [row.power[name][1] for row in rows for name in _SHOWN]
    numbers["largest_error"] = percent(max(errors), 1)
    n = {key: value.text for key, value in numbers.items()}
    return Drawing(
        figure=figure,
        caption="Upwards patients fare better; the share of relapses that are antigen-negative "
        "turns the order round, and Gray's test finds less escape in S7.",
        alt="Rejections in per cent of trials of 200 responders, stories ordered by the gain in "
        f"event-free survival at two years. The share of relapses rejects in {n['S5_share']} (S5, "
        f"where {n['S5_loss']} of 100 patients lose), {n['S2_share']} (S2), "
        f"{n['S1_share']} (S1) and {n['S4_share']} (S4, {n['S4_gain']} gain). Event-free survival: "
        f"{n['S4_efs']} (S4), {n['S1_efs']} (S1), {n['S2_efs']} (S2), for harm {n['S5_efs']} (S5) "
        f"and {n['S7_efs']} (S7). Escape by its hazard: {n['S1_hazard']} (S1), {n['S5_hazard']} "
        f"(S5), {n['S7_hazard']} (S7); by Gray {n['S1_gray']}, {n['S5_gray']} and {n['S7_gray']}. "
        f"Standard errors up to {n['largest_error']}.",
        numbers=numbers,
        data={
            "gain": np.array([_free(row) for row in rows]),
            **{_key(name): np.array([row.power[name][0] for row in rows]) for name in _SHOWN},
            **{
                f"{_key(name)}_standard_error": np.array([row.power[name][1] for row in rows])
                for name in _SHOWN
            },
        },
    )


def seen_with(biology: Biology, untested: float) -> Biology:
    """Return the hazards that a trial sees if some relapses are not tested for their antigens.

    A relapse that was not shown to be antigen-negative counts as antigen-positive.

    Parameters
    ----------
    biology : Biology
        True hazards, of one shape.
    untested : float
        Share of relapses that are not tested, in [0, 1].
    """
    share = float(require_fraction("untested", untested, "give a share", scalar=True))
    scale = {h.cause: h.cumulative for h in biology.hazards}
    missed = share * scale[_NEGATIVE]
    seen = {
        _NEGATIVE: scale[_NEGATIVE] - missed, _POSITIVE: scale[_POSITIVE] + missed,
        _DEATH: scale[_DEATH],
    }  # fmt: skip
    return Biology.from_hazards(seen, shape=biology.hazards[0].shape, horizon=biology.horizon)


def _sizes(positive: float, untested: float) -> tuple[float, ...]:
    """Return responders for 80 % power: by the hazard of escape, by Gray, by event-free survival.

    As the dual arm's deaths have the hazard of the control arm's, only relapses differ.
    """
    control = control_arm()
    wanted = {_NEGATIVE: default("trial.escape_dual"), _POSITIVE: positive}
    dual = control.reaching(wanted)
    first, second = seen_with(control, untested), seen_with(dual, untested)
    return tuple(sizes_by_formula(first, second, _CHOICE).values())


def endpoint_choice(positive: float | None = None, untested: float = 0.0) -> Drawing:
    """Draw how the size depends on antigen-positive relapse, and on tests that are not made.

    Parameters
    ----------
    positive : float, optional
        Incidence of antigen-positive relapse in the dual arm by month 24, from 0.02 to 0.6; by
        default what it is when no hazard but that of escape changes.
    untested : float, optional
        Share of relapses whose antigens are not tested, from 0 to 0.8.
    """
    control = control_arm()
    same = control.reaching({_NEGATIVE: default("trial.escape_dual")})
    unchanged = float(same.incidence(MONTHS)[1])
    chosen = unchanged if positive is None else float(positive)
    grid = np.linspace(0.04, 0.5, 19)
    missing = np.linspace(0.0, 0.6, 7)
    by_positive = np.array([_sizes(float(p), untested) for p in grid])
    by_missing = np.array([_sizes(chosen, float(m)) for m in missing])
    here = _sizes(chosen, untested)
    names = _CHOICE
    lines = ("-", "--", "-.")
    with house_style():
        figure, (left, right) = axes(columns=2, width=7.2, height=3.9)
        for ax, x, values, at in (
            (left, 100 * grid, by_positive, 100 * chosen),
            (right, 100 * missing, by_missing, 100 * untested),
        ):
            for column, name in enumerate(names):
                words, mark = _SHOWN[name]
                shown = np.where(values[:, column] < _LARGEST, values[:, column], np.nan)
                ax.plot(x, shown, lines[column], color=COLOURS[name], label=words)
                if here[column] < _LARGEST:
                    ax.plot(at, here[column], mark, color=COLOURS[name], markersize=7)
            ax.set_yscale("log")
            ax.set_ylim(80, _LARGEST)
            ax.set_yticks([100, 300, 1000, 3000], ["100", "300", "1,000", "3,000"])
        left.text(44, 1900, "harm", color=INK, fontsize=9.5, ha="left")
        left.set_ylabel("responders for 80 % power")
        left.set_xlabel("antigen-positive relapse,\ntwo targets (% by month 24)")
        right.set_xlabel("relapses without\nantigen test (%)")
        left.axvline(100 * default("trial.positive"), color=INK, linewidth=1.0, linestyle=":")
        left.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), fontsize=9.5)
        right.set_title(f"at {100 * chosen:.0f} % antigen-positive", fontsize=10.5)
    numbers = {
        "unchanged_positive": percent(unchanged),
        "untested": percent(untested),
        "chosen_positive": percent(chosen),
    }
    numbers["replaced_positive"] = percent(
        default("trial.escape") - default("trial.escape_dual") + default("trial.positive")
    )
    settings = {
        "": here,
        "_missing_40": _sizes(chosen, 0.4),
        "_positive_12": _sizes(0.12, untested),
        "_positive_30": _sizes(0.30, untested),
    }
    for suffix, sizes in settings.items():
        for name, size in zip(names, sizes, strict=True):
            numbers[f"{_key(name)}{suffix}"] = _patients(size)
    n = {key: value.text for key, value in numbers.items()}
    return Drawing(
        figure=figure,
        caption="Event-free survival stands or falls with antigen-positive relapse; tests that "
        "are not made cost the escape endpoints alone.",
        alt="Responders for 80 % power, log scale. Left, against antigen-positive relapse with two "
        f"targets: event-free survival needs {n['efs_positive_12']} at 12 % and "
        f"{n['efs_positive_30']} at 30 %, with no number at {n['replaced_positive']} % and fewer "
        f"beyond, for harm; the hazard of escape {n['hazard_positive_12']} and "
        f"{n['hazard_positive_30']}. Marked: "
        f"{n['chosen_positive']} %, with {n['hazard']}, {n['gray']} (Gray) and {n['efs']} "
        f"(event-free survival). Right, at that share, with 40 % of relapses untested: "
        f"{n['hazard_missing_40']}, {n['gray_missing_40']} and {n['efs_missing_40']}.",
        numbers=numbers,
        data={
            "positive": grid,
            **{_key(name): by_positive[:, i] for i, name in enumerate(names)},
        },
    )
