"""Figures of the notebook *Competing risks*."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from car_relapse.figures.style import (
    CURED,
    INK,
    NEGATIVE,
    NEUTRAL,
    POSITIVE,
    Drawing,
    axes,
    count,
    house_style,
    percent,
    quote,
)
from car_relapse.followup import Cause
from car_relapse.trial import virtual
from car_relapse.trial.competing_risks import cif, naive_cif, survival
from car_relapse.trial.example_trials import ExampleTrial, example_trial
from car_relapse.trial.sample_size import Calendar, RankTest, rank_test

__all__ = ["competing_states", "gray_mirage", "one_minus_km"]

Floats = NDArray[np.float64]

_CAUSES = {
    1: ("antigen-negative relapse", NEGATIVE, "//"),
    2: ("antigen-positive relapse", POSITIVE, "\\\\"),
    3: ("death without relapse", NEUTRAL, ".."),
}
_FREE = "neither"
_MONTHS = 24.0
_ALPHA = 0.05


def _control(trial: ExampleTrial) -> tuple[Floats, NDArray[np.int64]]:
    mine = trial.group == 0
    return trial.time[mine], trial.cause[mine]


def _stack(ax: Axes, times: Floats, shares: dict[int, Floats], free: Floats) -> None:
    """Fill the shares of the causes one above the other, and the event-free above them."""
    below = np.zeros_like(free)
    for cause, share in shares.items():
        label, colour, hatch = _CAUSES[cause]
        ax.fill_between(
            times, 100 * below, 100 * (below + share), step="post", facecolor=colour, alpha=0.55,
            edgecolor="white", hatch=hatch, linewidth=0.0, label=label,
        )  # fmt: skip
        below = below + share
    ax.fill_between(
        times, 100 * below, 100 * (below + free), step="post", facecolor=CURED, alpha=0.25,
        linewidth=0.0, label=_FREE,
    )  # fmt: skip
    ax.step(times, 100 * (below + free), where="post", color=INK, linewidth=1.6)
    ax.set_xlim(0, _MONTHS)
    ax.set_xticks([0, 6, 12, 18, 24])
    ax.set_xlabel("months from infusion")


def _diagram(ax: Axes) -> None:
    """Draw the four states and the three ways out of the first."""
    ax.set_axis_off()
    ax.set_xlim(0, 1)
    ax.set_ylim(0, 1)
    box = {"boxstyle": "round,pad=0.5", "facecolor": "white", "linewidth": 1.8}
    ax.text(
        0.16, 0.5, "in remission,\nalive", ha="center", va="center",
        bbox={**box, "edgecolor": CURED},
    )  # fmt: skip
    for height, (cause, (label, colour, _)) in zip((0.88, 0.5, 0.12), _CAUSES.items(), strict=True):
        ax.annotate(
            "", xy=(0.56, height), xytext=(0.33, 0.5 + 0.25 * (height - 0.5)),
            arrowprops={"arrowstyle": "-|>", "color": colour, "linewidth": 2.0},
        )  # fmt: skip
        ax.text(
            0.43, 0.5 + 0.62 * (height - 0.5) + 0.07, rf"$\lambda_{cause}$", color=INK, ha="center"
        )
        words = label.replace(" relapse", "\nrelapse")
        ax.text(
            0.79, height, words, ha="center", va="center", bbox={**box, "edgecolor": colour}
        )  # fmt: skip
    # What is drawn by hand must not move the axes: a second drawing would differ from the first.
    for artist in ax.texts:
        artist.set_in_layout(False)


def competing_states() -> Drawing:
    """Draw the states that compete, and what became of twelve synthetic patients.

    Returns
    -------
    Drawing
        Left, three ways out of remission; right, Aalen and Johansen's estimates stacked, for the
        control arm of ``cr_small``.
    """
    time, cause = _control(example_trial("cr_small"))
    times = np.unique(np.concatenate([[0.0], time[cause > 0], [_MONTHS]]))
    shares = {k: np.array([row.estimate for row in cif(time, cause, of=k, times=times)])
              for k in _CAUSES}  # fmt: skip
    free = np.array([row.estimate for row in survival(time, cause, times=times)])
    numbers = {
        "patients": count(time.size),
        **{f"cause_{k}": percent(share[-1]) for k, share in shares.items()},
        "free": percent(free[-1]),
        "months": count(int(_MONTHS)),
    }
    n = {key: value.text for key, value in numbers.items()}
    with house_style():
        figure, (left, right) = axes(columns=2, width=8.6, height=3.9)
        _diagram(left)
        _stack(right, times, shares, free)
        right.set_ylim(0, 100)
        right.set_ylabel("patients (%)")
        handles, labels = right.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=4, fontsize=9.5)
    return Drawing(
        figure=figure,
        caption="Whoever leaves by one door cannot leave by another; so the shares add up to all "
        "patients at every moment.",
        alt="Left, a diagram: from remission three arrows lead to antigen-negative relapse, "
        "antigen-positive relapse and death without relapse. Right, shares of "
        f"{n['patients']} patients stacked over {n['months']} months: in the end {n['cause_1']} % "
        f"antigen-negative relapse, {n['cause_2']} % antigen-positive relapse, {n['cause_3']} % "
        f"death, and {n['free']} % neither.",
        numbers=numbers,
        data={"month": times, **{f"cause_{k}": share for k, share in shares.items()}, "free": free},
    )


def one_minus_km() -> Drawing:
    """Draw both estimates of each cause, stacked, for the control arm of ``cr_200``.

    Returns
    -------
    Drawing
        Left, Aalen and Johansen's estimates; right, one minus Kaplan and Meier's of each cause.
    """
    time, cause = _control(example_trial("cr_200"))
    times = np.linspace(0.0, _MONTHS, 97)
    right_ones, wrong_ones = (
        {k: np.array([row.estimate for row in curve(time, cause, of=k, times=times)])
         for k in _CAUSES}
        for curve in (cif, naive_cif)
    )  # fmt: skip
    free = np.array([row.estimate for row in survival(time, cause, times=times)])
    total = sum(wrong_ones.values()) + free
    numbers = {
        **{f"right_{k}": percent(share[-1], 1) for k, share in right_ones.items()},
        **{f"wrong_{k}": percent(share[-1], 1) for k, share in wrong_ones.items()},
        "free": percent(free[-1], 1),
        "total": percent(total[-1], 1),
        "whole": count(100),
        "months": count(int(_MONTHS)),
    }
    n = {key: value.text for key, value in numbers.items()}
    with house_style():
        figure, (left, right) = axes(columns=2, width=8.6, height=4.3)
        for ax, shares, title in (
            (left, right_ones, "Aalen-Johansen"),
            (right, wrong_ones, "1 − Kaplan-Meier, each cause"),
        ):
            _stack(ax, times, shares, free)
            ax.axhline(100, color=INK, linewidth=1.0, linestyle="--")
            ax.set_ylim(0, 125)
            ax.set_title(title)
        left.set_ylabel("patients (%)")
        handles, labels = left.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=4, fontsize=9.5)
    return Drawing(
        figure=figure,
        caption="Left, the four shares fill the whole; right, with one minus Kaplan-Meier for each "
        "cause, there are more patients than entered.",
        alt="Shares of the control arm of a synthetic trial, stacked, against months from "
        f"infusion. Left, by Aalen and Johansen, after {n['months']} months: {n['right_1']} % "
        f"antigen-negative relapse, {n['right_2']} % antigen-positive, {n['right_3']} % death and "
        f"{n['free']} % neither: {n['whole']} % at every month. Right, one minus Kaplan-Meier: "
        f"{n['wrong_1']}, {n['wrong_2']} and {n['wrong_3']} %, and with those event-free "
        f"{n['total']} %.",
        numbers=numbers,
        data={
            "month": times,
            **{f"right_{k}": share for k, share in right_ones.items()},
            **{f"wrong_{k}": share for k, share in wrong_ones.items()},
            "free": free,
        },
    )


def control_biology() -> virtual.Biology:
    """Return the control arm of the simulated trials, assumed: half have an event in two years."""
    return virtual.Biology.from_incidences(
        {Cause.ANTIGEN_NEGATIVE: 0.25, Cause.ANTIGEN_POSITIVE: 0.20, Cause.DEATH: 0.05},
        shape=virtual.Decay(8.0),
        horizon=_MONTHS,
    )


def rejects(test: RankTest, patients: int) -> float:
    """Return the chance that a two-sided test at 5 % rejects, on either side."""
    z = -float(ndtri(_ALPHA / 2.0)) * np.sqrt(test.variance)
    shift = test.mean * np.sqrt(patients)
    spread = np.sqrt(test.true_variance)
    return float(ndtr((shift - z) / spread) + ndtr((-shift - z) / spread))


_TESTS = ("gray", "cause", "any")
_LOOKS = {
    "gray": ("Gray's test of escape", NEGATIVE, "-", "o"),
    "cause": ("log-rank test of the escape hazard", POSITIVE, "--", "s"),
    "any": ("log-rank test of any event", INK, ":", "^"),
}


def _chances(escape: float, other: float, sizes: tuple[int, ...]) -> Floats:
    """Return the chance of rejection of each test at each size, (sizes, tests)."""
    control = control_biology()
    dual = control.multiplied({Cause.ANTIGEN_NEGATIVE: escape, Cause.ANTIGEN_POSITIVE: other})
    calendar = Calendar(accrual=0.0, follow_up=_MONTHS)
    own = Cause.ANTIGEN_NEGATIVE
    found = (
        rank_test(control, dual, calendar, cause=own, scale="subdistribution"),
        rank_test(control, dual, calendar, cause=own),
        rank_test(control, dual, calendar),
    )
    return np.array([[rejects(test, size) for test in found] for size in sizes])


def _simulated(escape: float, other: float, size: int, trials: int, seed: int) -> Floats:
    control = control_biology()
    dual = control.multiplied({Cause.ANTIGEN_NEGATIVE: escape, Cause.ANTIGEN_POSITIVE: other})
    arms = (virtual.Arm(name="one", biology=control), virtual.Arm(name="two", biology=dual))
    own = (Cause.ANTIGEN_NEGATIVE,)
    analyses = (
        virtual.Analysis(kind="gray", causes=own),
        virtual.Analysis(kind="log-rank", causes=own),
        virtual.Analysis(kind="log-rank"),
    )
    design = virtual.Trial(arms=arms, patients=size, follow_up=_MONTHS)
    found: Floats = virtual.run(design, analyses, trials, seed=seed).rejected()[0][0]
    return found


def gray_mirage(
    *,
    escape_ratio: float = 1.0,
    sizes: tuple[int, ...] = (200, 600),
    trials: int = 1000,
    seed: int = 20260119,
) -> Drawing:
    """Draw how often three tests reject when the hazard of antigen-positive relapse changes.

    Parameters
    ----------
    escape_ratio : float, optional
        Ratio of the hazards of antigen-negative relapse, experimental over control, > 0.
    sizes : tuple of int, optional
        Patients of the trial, one panel for each.
    trials : int, optional
        Simulated trials of each mark; 0 for the curves alone.
    seed : int, optional
        Seed.

    Returns
    -------
    Drawing
        Chance of rejection at 5 % against the ratio of the hazards of antigen-positive relapse.
    """
    ratios = np.geomspace(0.25, 4.0, 25)
    chances = np.array([_chances(escape_ratio, float(r), sizes) for r in ratios])
    marks = np.array([0.5, 1.0, 2.5, 4.0])
    worse = 2.5
    at = _chances(escape_ratio, worse, sizes)
    numbers = {
        "escape_ratio": quote(escape_ratio, 2),
        "worse": quote(worse, 2),
        "smallest": quote(float(ratios[0]), 2),
        "largest": quote(float(ratios[-1]), 2),
        **{f"size_{i}": count(size) for i, size in enumerate(sizes, 1)},
        **{f"{name}_{i}": percent(at[i - 1, j], 1)
           for i in range(1, len(sizes) + 1) for j, name in enumerate(_TESTS)},
    }  # fmt: skip
    n = {key: value.text for key, value in numbers.items()}
    data = {"ratio": ratios}
    with house_style():
        figure, panels = axes(
            columns=len(sizes), width=4.3 * len(sizes) + 0.6 * (len(sizes) == 1), height=4.2
        )
        for i, (ax, size) in enumerate(zip(panels, sizes, strict=True)):
            seen = np.array(
                [_simulated(escape_ratio, m, size, trials, seed) for m in marks.tolist() if trials]
            )
            for j, name in enumerate(_TESTS):
                label, colour, dashes, marker = _LOOKS[name]
                ax.plot(ratios, 100 * chances[:, i, j], dashes, color=colour, label=label)
                data[f"{name}_{i + 1}"] = chances[:, i, j]
                if trials:
                    ax.plot(marks, 100 * seen[:, j], marker, linestyle="none", color=colour,
                            markerfacecolor="white", markersize=7)  # fmt: skip
            ax.axhline(100 * _ALPHA, color=INK, linewidth=1.0)
            ax.set_xscale("log")
            ax.set_xticks([0.25, 0.5, 1, 2, 4], ["0.25", "0.5", "1", "2", "4"])
            ax.minorticks_off()
            ax.set_ylim(0, 100 if escape_ratio != 1.0 else 40)
            ax.set_xlabel("hazard ratio, antigen-positive relapse")
            ax.set_title(f"{size} patients")
        panels[0].set_ylabel("trials that reject (%)")
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(
            handles, labels, loc="outside lower center", ncols=1 if len(sizes) == 1 else 3,
            fontsize=9.5,
        )  # fmt: skip
    panels_said = "; ".join(
        f"with {n[f'size_{i}']} patients Gray's test of escape rejects in {n[f'gray_{i}']} % of "
        f"trials, the log-rank test of the escape hazard in {n[f'cause_{i}']} %, that of any event "
        f"in {n[f'any_{i}']} %"
        for i in range(1, len(sizes) + 1)
    )
    return Drawing(
        figure=figure,
        caption="Escape is as fast in both arms, and yet Gray's test finds a difference when only "
        "the other kind of relapse moves; marks are simulated.",
        alt="Share of trials that reject against the hazard ratio of antigen-positive relapse, "
        f"from {n['smallest']} to {n['largest']}, with a hazard ratio of escape of "
        f"{n['escape_ratio']}. At {n['worse']}, {panels_said}. At 1 the tests that see no change "
        "stay at the level.",
        numbers=numbers,
        data=data,
    )
