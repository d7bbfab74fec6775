"""Figures of the notebook *Adaptive and platform designs*."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

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
    Quoted,
    axes,
    count,
    house_style,
    percent,
    quote,
)
from car_relapse.trial import many_to_one, sequential
from car_relapse.trial.posteriors import success_rate
from car_relapse.trial.shared_control import Controls, compare_with_control, control_weights

__all__ = ["looks_price", "shared_control", "wrong_history"]

Floats = NDArray[np.float64]

_FIXED = float(ndtri(0.8) - ndtri(0.025))


def _designs() -> dict[str, sequential.Boundaries]:
    spent = sequential.lan_demets(3)
    return {
        "O'Brien-Fleming": sequential.obrien_fleming(3),
        "Pocock": sequential.pocock(3),
        "spending, with futility": sequential.with_beta_spending(spent),
    }


_DESIGN_LOOKS = (
    (INK, "-", "o", True),
    (NEGATIVE, "--", "s", True),
    (CURED, "-.", "D", False),
)


def _sizes(design: sequential.Boundaries, effects: Floats) -> Floats:
    """Return the expected size over that of a trial without looks, by effect over the planned."""
    drift, largest = design.drift(0.8), design.inflation(0.8)
    return np.array(
        [largest * design.stops(float(x) * drift).expected_information for x in effects]
    )


def looks_price() -> Drawing:
    """Draw boundaries of three looks, and the patients that they save or cost.

    Returns
    -------
    Drawing
        Left, Z at which to stop against information; right, expected size relative to a trial
        without looks against the true effect over the planned one.
    """
    designs = _designs()
    effects = np.linspace(0.0, 1.5, 16)
    sizes = {name: _sizes(design, effects) for name, design in designs.items()}
    keys = ("obf", "pocock", "futile")
    numbers: dict[str, Quoted] = {}
    for key, (name, design) in zip(keys, designs.items(), strict=True):
        numbers[f"{key}_first"] = quote(float(design.efficacy[0]), 3)
        numbers[f"{key}_last"] = quote(float(design.efficacy[-1]), 3)
        numbers[f"{key}_none"] = quote(float(sizes[name][0]), 3)
        numbers[f"{key}_planned"] = quote(float(sizes[name][10]), 2)
        numbers[f"{key}_largest"] = quote(design.inflation(0.8), 3)
    n = {key: value.text for key, value in numbers.items()}
    with house_style():
        figure, (ax, right) = axes(columns=2, width=7.4, height=4.4)
        for (name, design), (colour, dashes, marker, filled) in zip(
            designs.items(), _DESIGN_LOOKS, strict=True
        ):
            face = colour if filled else "white"
            ax.plot(
                design.information, design.efficacy, dashes, marker=marker, color=colour,
                markerfacecolor=face, markersize=7, label=name,
            )  # fmt: skip
            if np.isfinite(design.futility).all():
                ax.plot(
                    design.information, [*design.futility, design.efficacy[-1]], dashes,
                    marker=marker, color=colour, markerfacecolor=face, markersize=7,
                )  # fmt: skip
            right.plot(
                effects, sizes[name], dashes, marker=marker, color=colour, markerfacecolor=face,
                markersize=6, markevery=5,
            )  # fmt: skip
        ax.set_xlim(0.25, 1.05)
        ax.set_ylim(-1, 4)
        ax.set_xlabel("information (share of the last look)")
        ax.set_ylabel("Z at which the trial stops")
        ax.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0))
        right.axhline(1.0, color=NEUTRAL, linewidth=1.2)
        right.text(1.5, 1.015, "without looks", ha="right", va="bottom", color=NEUTRAL)
        right.set_xlim(0, 1.5)
        right.set_xticks([0.0, 0.5, 1.0, 1.5])
        right.set_ylim(0.4, 1.25)
        right.set_xlabel("true effect over the planned one")
        right.set_ylabel("expected size")
    return Drawing(
        figure=figure,
        caption="Looks save patients where the product works as planned; only a stop for futility "
        "saves them where it does not.",
        alt="Left: boundaries of three looks. O'Brien-Fleming falls from Z = "
        f"{n['obf_first']} to {n['obf_last']}, Pocock stays at {n['pocock_first']}; spending with "
        f"futility falls from {n['futile_first']} to {n['futile_last']} and has a lower branch "
        "that rises to meet it. Right: expected size over that of a trial without looks. Without "
        f"an effect {n['obf_none']}, {n['pocock_none']} and {n['futile_none']}; with the planned "
        f"effect {n['obf_planned']}, {n['pocock_planned']} and {n['futile_planned']}; the largest "
        f"sizes are {n['obf_largest']}, {n['pocock_largest']} and {n['futile_largest']}.",
        numbers=numbers,
        data={"effect": effects, **dict(zip(keys, sizes.values(), strict=True))},
    )


def total_size(arms: int, ratio: float) -> float:
    """Return the patients of a shared-control trial over those of one two-arm trial.

    Each arm is found with a power of 80 % at Dunnett's bound; `ratio` is the size of an arm over
    that of the control.
    """
    drift = many_to_one.drift_for_power(arms, ratio=ratio)
    return drift**2 * (1.0 + arms * ratio) * (1.0 + 1.0 / ratio) / (4.0 * _FIXED**2)


#: Patients of the control and of two arms in two periods; the second arm comes in the second.
PLATFORM = np.array([[100, 100], [100, 100], [0, 100]])
_CONTROLS: tuple[tuple[Controls, str, str, str, str, bool], ...] = (
    ("all", "all controls as equal", NEGATIVE, "--", "s", True),
    ("concurrent", "concurrent controls", INK, "-", "o", True),
    ("adjusted", "periods adjusted for", CURED, "-.", "D", False),
)


def drifting(drift: float, level: float = 0.35) -> Floats:
    """Return the share with an event of each arm and period, all arms alike."""
    return np.array([level, level - drift]) * np.ones((3, 1))


def false_claims(drift: float, controls: Controls) -> float:
    """Return how often the second arm is found to differ, by the normal law."""
    weights = control_weights(PLATFORM, arm=2, controls=controls)
    shares = drifting(drift)
    error = math.sqrt(float(np.sum(weights**2 * shares * (1 - shares) / np.maximum(PLATFORM, 1))))
    bias, z = float(np.sum(weights * shares)) / error, -float(ndtri(0.025))
    return float(ndtr(bias - z) + ndtr(-bias - z))


def _draw_controls(
    right: Axes, drifts: Floats, lines: Mapping[Controls, Floats], points: Floats
) -> None:
    fine = np.linspace(0.0, drifts[-1], 31)
    for (name, label, colour, dashes, marker, filled), row in zip(_CONTROLS, points, strict=True):
        right.plot(100 * fine, 100 * lines[name], dashes, color=colour)
        right.plot(
            100 * drifts, 100 * row, marker, linestyle="none", color=colour, label=label,
            markerfacecolor=colour if filled else "white", markersize=7,
        )  # fmt: skip
    right.set_xlim(-0.5, 100 * drifts[-1] + 0.5)
    right.set_ylim(bottom=0)
    right.set_xticks(100 * drifts)
    right.set_xlabel("fall between the periods (points)")
    right.set_ylabel("false claims (%)")
    right.legend(loc="lower left", bbox_to_anchor=(-0.1, 1.0))


def shared_control(*, trials: int = 2000, seed: int = 20260302) -> Drawing:
    """Draw what one control for several arms saves, and what its past patients can do.

    Parameters
    ----------
    trials : int, optional
        Simulated trials of each point.
    seed : int, optional
        Seed.

    Returns
    -------
    Drawing
        Left, patients by number of arms, relative to one trial of two arms; right, false claims
        for an arm that came later, with events that became rarer in all arms alike.
    """
    arms = np.arange(1, 6)
    equal = np.array([total_size(int(k), 1.0) for k in arms])
    root = np.array([total_size(int(k), 1.0 / math.sqrt(k)) for k in arms])
    drifts = np.array([0.0, 0.05, 0.10, 0.15])
    rng = np.random.default_rng(seed)
    found = np.empty((len(_CONTROLS), drifts.size))
    for column, drift in enumerate(drifts):
        events = rng.binomial(PLATFORM, drifting(float(drift)), size=(trials, *PLATFORM.shape))
        for row, (controls, *_rest) in enumerate(_CONTROLS):
            compared = compare_with_control(events, PLATFORM, arm=2, controls=controls)
            found[row, column] = (compared.p_value < 0.05).mean()
    fine = np.linspace(0.0, drifts[-1], 31)
    lines = {c: np.array([false_claims(float(d), c) for d in fine]) for c, *_rest in _CONTROLS}
    error = math.sqrt(found[0, -1] * (1 - found[0, -1]) / trials)
    numbers = {
        "equal_2": quote(float(equal[1]), 3),
        "root_2": quote(float(root[1]), 3),
        "equal_4": quote(float(equal[3]), 3),
        "root_4": quote(float(root[3]), 3),
        "fall": quote(100 * float(drifts[-1]), 2),
        "trials": Quoted(value=trials, text=f"{trials:,}"),
        "all": percent(float(found[0, -1])),
        "all_error": percent(error, 1),
        "concurrent": percent(float(found[1, -1]), 1),
        "adjusted": percent(float(found[2, -1]), 1),
    }
    n = {key: value.text for key, value in numbers.items()}
    with house_style():
        figure, (ax, right) = axes(columns=2, width=7.4, height=4.6)
        ax.plot(arms, arms, ":", marker="^", color=POSITIVE, markerfacecolor="white",
                label="a trial for each arm")  # fmt: skip
        ax.plot(arms, equal, "--", marker="s", color=NEGATIVE, label="one control, equal arms")
        ax.plot(arms, root, "-", marker="o", color=INK, label="one control, larger by √k")
        ax.set_xticks(arms)
        ax.set_ylim(0, 5.2)
        ax.set_xlabel("experimental arms k")
        ax.set_ylabel("patients, in two-arm trials")
        ax.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0))
        _draw_controls(right, drifts, lines, found)
    return Drawing(
        figure=figure,
        caption="A shared control saves patients at Dunnett's price; counted as equal across "
        "periods, its past makes false claims.",
        alt="Left: patients against the number of arms, in units of one two-arm trial. A trial for "
        f"each arm rises with the number; one control with equal arms needs {n['equal_2']} for "
        f"two arms and {n['equal_4']} for four, with a larger control {n['root_2']} and "
        f"{n['root_4']}. Right: false claims for an arm that came in the second period, lines "
        f"computed, points from {n['trials']} trials. When events fall by {n['fall']} points in "
        f"all arms, all controls counted as equal give {n['all']} % (standard error "
        f"{n['all_error']}), concurrent ones {n['concurrent']} %, adjusted periods "
        f"{n['adjusted']} %.",
        numbers=numbers,
        data={
            # Two grids in one table: the falls stand beside the first arms, and the last again.
            "arms": arms.astype(float),
            "equal": equal,
            "root": root,
            "fall": np.append(drifts, drifts[-1]),
            **{
                f"false_{c[0]}": np.append(row, row[-1])
                for c, row in zip(_CONTROLS, found, strict=True)
            },
        },
    )


_CONTROL_ARM, _NEW_ARM = 40, 80


def borrowed(weight: float, share: float) -> tuple[float, float]:
    """Return the Beta prior of a history: a flat one and so many patients' worth at a share."""
    return 1.0 + weight * share, 1.0 + weight * (1.0 - share)


def wrong_history(
    weights: Sequence[float] = (0, 20, 80), *, share: float = 0.25, effect: float = 0.15
) -> Drawing:
    """Draw what a borrowed history does when the controls of today are others.

    Parameters
    ----------
    weights : sequence of float, optional
        Patients' worth that the history is given, one to three values from 0 to 200.
    share : float, optional
        Share with an event in the history, strictly between 0 and 1.
    effect : float, optional
        By how much fewer have the event in the experimental arm, in (0, 0.15].

    Returns
    -------
    Drawing
        Left, false claims against the share among today's controls; right, power.
    """
    truths = np.linspace(0.15, 0.40, 11)
    patients = (_CONTROL_ARM, _NEW_ARM)
    rows: dict[str, Floats] = {}
    for i, weight in enumerate(weights, 1):
        for key, gain in (("false", 0.0), ("power", effect)):
            rows[f"{key}_{i}"] = np.array(
                [
                    success_rate(
                        float(p), max(float(p) - gain, 0.0), patients, 0.975,
                        prior_control=borrowed(weight, share),
                    )
                    for p in truths
                ]
            )  # fmt: skip
    last = len(weights)
    right_at = int(np.argmin(np.abs(truths - share)))
    numbers = {
        "history": percent(share),
        "lowest": percent(float(truths[0])),
        "false_none": percent(float(rows["false_1"][0]), 1),
        "false_most": percent(float(rows[f"false_{last}"][0])),
        "false_right": percent(float(rows[f"false_{last}"][right_at]), 1),
        "power_none": percent(float(rows["power_1"][right_at])),
        "power_most": percent(float(rows[f"power_{last}"][right_at])),
        "highest": percent(float(truths[-1])),
        "power_none_high": percent(float(rows["power_1"][-1])),
        "power_most_high": percent(float(rows[f"power_{last}"][-1])),
        "most": Quoted(value=float(weights[-1]), text=f"{weights[-1]:g}"),
        "control": count(_CONTROL_ARM),
        "new": count(_NEW_ARM),
    }
    n = {key: value.text for key, value in numbers.items()}
    looks = ((INK, "-", "o", True), (POSITIVE, "--", "s", True), (NEGATIVE, "-.", "D", False))
    with house_style():
        figure, (ax, right) = axes(columns=2, width=7.4, height=4.4)
        for i, (weight, (colour, dashes, marker, filled)) in enumerate(
            zip(weights, looks, strict=False), 1
        ):
            for panel, key in ((ax, "false"), (right, "power")):
                panel.plot(
                    100 * truths, 100 * rows[f"{key}_{i}"], dashes, marker=marker, color=colour,
                    markerfacecolor=colour if filled else "white", markersize=6, markevery=2,
                    label=f"worth {weight:g} patients" if weight else "no history",
                )  # fmt: skip
        for panel in (ax, right):
            panel.axvline(100 * share, color=NEUTRAL, linewidth=1.0, linestyle=":")
            panel.set_xlim(15, 40)
            panel.set_xlabel("event in today's controls (%)")
        ax.set_ylim(bottom=0)
        ax.set_ylabel("false claims (%)")
        right.set_ylim(0, 102)
        right.set_ylabel("power (%)")
        ax.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0))
    return Drawing(
        figure=figure,
        caption="A history that is right (dotted) gives power and costs nothing; one that is too "
        "high makes false claims, too low hides the effect.",
        alt=f"Left: false claims against the share with an event among {n['control']} controls, "
        f"{n['new']} patients in the new arm; the history says {n['history']} %. If it is "
        f"{n['lowest']} %, {n['false_none']} % without a history and {n['false_most']} % with one "
        f"worth {n['most']} patients; where the history is right, {n['false_right']} %. Right: "
        f"power rises from {n['power_none']} to {n['power_most']} % where it is right, and where "
        f"controls have {n['highest']} % it falls from {n['power_none_high']} to "
        f"{n['power_most_high']} %.",
        numbers=numbers,
        data={"control": truths, **rows},
    )
