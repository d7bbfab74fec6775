"""Figures of the notebook *Two targets*."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from car_relapse.antigens import Losses
from car_relapse.attribution import attribution
from car_relapse.calibration_model import calibrated_patient, calibrated_population
from car_relapse.cohort import simulate
from car_relapse.evidence import relapse_split, trials
from car_relapse.figures.style import (
    CURED,
    INK,
    NEGATIVE,
    NEUTRAL,
    POSITIVE,
    Drawing,
    Quoted,
    axes,
    house_style,
    percent,
    power_of_ten,
    quote,
)
from car_relapse.gates import OrGate, SingleGate
from car_relapse.outcomes import default_detection
from car_relapse.patient import Patient
from car_relapse.proportions import exact_interval
from car_relapse.resistance import full_loss_lines, surviving_double_loss_lines
from car_relapse.survival import relapse_probabilities
from car_relapse.therapy import sequential

__all__ = ["antigen_ceiling", "loss_paths", "second_infusion", "u_squared"]

Floats = NDArray[np.float64]

_FIRST, _SECOND = SingleGate(antigen=0), SingleGate(antigen=1)


def _two_losses(patient: Patient) -> Losses:
    """Return losses of two antigens that are lost alike."""
    loss = patient.losses.per_antigen[0]
    return replace(patient.losses, per_antigen=(loss, loss))


def _with_arms(patient: Patient, second_arm: float) -> Patient:
    """Return the patient given one product with two arms, the second so strong."""
    (product,) = patient.products
    gate = OrGate(arms=(1.0, second_arm))
    return replace(patient, losses=_two_losses(patient), therapy=replace(product, gate=gate))


# The ways out, with the steps that `attribution` names them by.
_WAYS: Mapping[str, tuple[int | str, ...]] = {
    "kept": (),
    "first": (1,),
    "second": (2,),
    "first_second": (1, 2),
    "second_first": (2, 1),
    "switch": ("lineage switch",),
}
_LABELS = (
    "nothing lost: the T cells left",
    "a   CD19 lost",
    "b   CD22 lost",
    "c   CD19 lost, then CD22",
    "d   CD22 lost, then CD19",
    "e   lineage switch: all at one stroke",
)


def _by_way(patient: Patient) -> Floats:
    """Return expected surviving lines by way out; nan where the way does not exist."""
    found = attribution(patient)
    lines = {path.steps: path.lines for path in found.paths}
    lines[()] = found.class_lines[0]
    return np.array([lines.get(steps, np.nan) for steps in _WAYS.values()])


def _draw_paths(ax: Axes) -> None:
    """Draw the states of a cell and the ways from one to another."""
    box = {"boxstyle": "round,pad=0.45", "facecolor": "white", "edgecolor": INK, "linewidth": 1.2}
    places = {
        "both antigens": (0.13, 0.62),
        "CD19 lost": (0.52, 0.97),
        "CD22 lost": (0.52, 0.5),
        "both lost": (0.88, 0.72),
        "other lineage": (0.52, 0.02),
    }
    arrows = (
        ("both antigens", "CD19 lost", "a", (0.30, 0.88)),
        ("both antigens", "CD22 lost", "b", (0.33, 0.64)),
        ("CD19 lost", "both lost", "c", (0.74, 0.93)),
        ("CD22 lost", "both lost", "d", (0.68, 0.69)),
        ("both antigens", "other lineage", "e", (0.26, 0.26)),
    )
    for start, end, letter, at in arrows:
        ax.annotate(
            "",
            places[end],
            places[start],
            arrowprops={
                "arrowstyle": "-|>", "color": INK, "linewidth": 1.4, "shrinkA": 30, "shrinkB": 34,
            },
        )  # fmt: skip
        ax.text(*at, letter, weight="bold", ha="center", va="center")
    for name, at in places.items():
        ax.text(*at, name, ha="center", va="center", bbox=box)
    ax.set_xlim(0, 1)
    ax.set_ylim(-0.08, 1.05)
    ax.axis("off")


def loss_paths(weak: float = 0.1) -> Drawing:
    """Draw the ways out of two targets, and the lines expected to get through by each.

    Parameters
    ----------
    weak : float, optional
        Killing by the weaker second arm over that by the first, in [0, 1].

    Returns
    -------
    Drawing
        For the median patient of the calibrated population.
    """
    patient = calibrated_patient()
    designs = {
        "one": ("one target", _by_way(patient), INK, "s", True),
        "weak": (f"second arm {weak:g} as strong", _by_way(_with_arms(patient, weak)), NEGATIVE,
                 "D", False),
        "equal": ("two equal arms", _by_way(_with_arms(patient, 1.0)), POSITIVE, "o", True),
    }  # fmt: skip
    numbers: dict[str, Quoted] = {"weak_arm": quote(weak, 1)}
    for key, (_, lines, *_rest) in designs.items():
        for way, value in zip(_WAYS, lines, strict=True):
            if np.isfinite(value):
                numbers[f"{key}_{way}"] = quote(float(value), 2)
    n = {key: value.text for key, value in numbers.items()}
    with house_style():
        figure, _ = axes(height=7.4)
        figure.clear()
        above, ax = figure.subplots(2, 1, height_ratios=[0.75, 1.0])
        _draw_paths(above)
        y = np.arange(len(_WAYS), dtype=float)[::-1]
        for down, (label, lines, colour, marker, filled) in zip(
            (0.06, -0.13, -0.32), designs.values(), strict=True
        ):
            ax.plot(
                lines, y + down, marker, linestyle="none", color=colour, markersize=8, label=label,
                markerfacecolor=colour if filled else "white",
            )  # fmt: skip
        for at, label in zip(y, _LABELS, strict=True):
            ax.text(1.3e-14, at + 0.2, label, va="bottom")
        ax.set_xscale("log")
        ax.set_xlim(1e-14, 1.0)
        ax.set_ylim(-0.6, len(_WAYS) - 0.3)
        ax.set_yticks([])
        ax.set_xlabel("surviving lines expected in one patient")
        ax.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=2)
    return Drawing(
        figure=figure,
        caption="Two losses one after the other (c, d) are next to nothing; lineage switch and the "
        "lines that kept everything stay where they were.",
        alt="Above, a graph: cells with both antigens lose CD19 (a) or CD22 (b), then the other "
        "one (c, d), or switch lineage at one stroke (e). Below, surviving lines expected, on a "
        f"log scale. Nothing lost: {n['one_kept']} in each design. CD19 lost: {n['one_first']} "
        f"with one target, {n['weak_first']} with a second arm {n['weak_arm']} as strong, "
        f"{n['equal_first']} with equal arms. CD19, then CD22: {n['equal_first_second']}. "
        f"Lineage switch: {n['one_switch']} in each design.",
        numbers=numbers,
        data={
            "way": np.arange(len(_WAYS), dtype=float),
            # A way that a design does not have carries no line.
            **{key: np.nan_to_num(lines) for key, (_, lines, *_rest) in designs.items()},
        },
    )


def u_squared() -> Drawing:
    """Draw lines without either antigen before therapy, against the loss probability.

    Returns
    -------
    Drawing
        The guess u squared times N, the lines by two steps, and those by one stroke.
    """
    patient = calibrated_patient()
    size, survival = patient.leukaemia.burden, patient.leukaemia.survival
    fitted, common = patient.losses.per_antigen[0], patient.losses.common_mode

    def two_steps(loss: float) -> float:
        return surviving_double_loss_lines(size, survival, Losses(per_antigen=(loss, loss)))

    u = np.logspace(-13, -6, 71)
    steps = np.array([two_steps(float(loss)) for loss in u])
    guess = u**2 * size
    one_stroke = common * size
    # The loss probability at which two steps weigh as much as one stroke.
    even = float(np.exp(np.interp(np.log(one_stroke), np.log(steps), np.log(u))))
    some = np.logspace(-12.5, -6.5, 7)
    solved = np.array(
        [
            full_loss_lines(
                size,
                birth_rate=patient.leukaemia.birth_rate,
                death_rate=patient.leukaemia.death_rate,
                losses=Losses(per_antigen=(loss, loss)),
                lasting="for ever",
            )
            for loss in some.tolist()
        ]
    )
    numbers = {
        "fitted": quote(fitted, 2),
        "guess": quote(fitted**2 * size, 2),
        "two_steps": quote(two_steps(fitted), 2),
        "ratio": quote(two_steps(fitted) / (fitted**2 * size), 2),
        "one_stroke": quote(one_stroke, 2),
        "even": quote(even, 2),
        "one_lost_at_even": quote(even * size, 2),
        "largest": power_of_ten(1e-6),
        "smallest": power_of_ten(1e-13),
    }
    n = {key: value.text for key, value in numbers.items()}
    with house_style():
        figure, (ax,) = axes(height=4.4)
        ax.plot(u, np.full_like(u, one_stroke), "--", color=INK, label="one stroke, fitted")
        ax.plot(u, steps, color=NEGATIVE, label="two steps, formula")
        ax.plot(
            some, solved, "o", linestyle="none", color=NEGATIVE, markerfacecolor="white",
            markersize=8, label="two steps, solved",
        )  # fmt: skip
        ax.plot(u, guess, ":", color=POSITIVE, label="the guess $u^2N$")
        ax.axvline(fitted, color=NEUTRAL, linewidth=1.0)
        ax.text(fitted * 1.15, 3e-15, "fitted $u$", va="bottom", color=NEUTRAL)
        ax.set_xscale("log")
        ax.set_yscale("log")
        ax.set_xlim(u[0], u[-1])
        ax.set_ylim(1e-15, 1e2)
        ax.set_xlabel("loss probability of each antigen, per division")
        ax.set_ylabel("lines without either, expected")
        ax.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=2)
    return Drawing(
        figure=figure,
        caption="The guess is far too low, and both it and the truth lie far below what one stroke "
        "does at the fitted probability.",
        alt="Expected lines without either antigen before infusion against the loss probability "
        f"per division, from {n['smallest']} to {n['largest']}, both on log scales. At the fitted "
        f"{n['fitted']} the guess is {n['guess']}, two steps give {n['two_steps']}, "
        f"{n['ratio']} times as many, and one stroke gives {n['one_stroke']} (dashed, level). The "
        f"curve of two steps crosses the dashed line at {n['even']}.",
        numbers=numbers,
        data={"loss": u, "guess": guess, "two_steps": steps, "one_stroke": 0 * u + one_stroke},
    )


_DAYS = np.array([30.0, 60.0, 90.0, 120.0, 150.0, 180.0, 210.0, 240.0, 270.0])
_SIZES = np.array([1e6, 1e8, 1e10])


def _later_lines(patient: Patient, day: float, strength: float, second_loss: float) -> Floats:
    """Return lines by class when a product for the second antigen is given on `day`."""
    (product,) = patient.products
    loss = patient.losses.per_antigen[0]
    weaker = replace(product, killing=product.killing.scaled(strength))
    given = sequential([replace(product, gate=_FIRST), replace(weaker, gate=_SECOND)], [0.0, day])
    losses = replace(patient.losses, per_antigen=(loss, second_loss * loss))
    lines = relapse_probabilities(replace(patient, losses=losses, therapy=given)).class_lines
    return np.array(lines)


def _cleared(cells: float, strength: float, patients: int, seed: int) -> float:
    """Return the mean chance that a product clears so many cells, over the population."""
    people = calibrated_population()
    given = replace(
        people,
        leukaemia=replace(people.leukaemia, burden=cells),
        burden_log10_sd=0.0,
        killing=people.killing.scaled(strength),
    )
    return float(simulate(given, patients, seed=seed).cure_probability.mean())


def second_infusion(
    *,
    strengths: tuple[float, ...] = (1.0, 0.5),
    second_loss: float = 1.0,
    patients: int = 640,
    seed: int = 20260107,
) -> Drawing:
    """Draw what the day, and the strength, of a second product for another antigen decide.

    Parameters
    ----------
    strengths : tuple of float, optional
        Killing by the second product over that by the first, one to three values in (0, 1].
    second_loss : float, optional
        Loss probability of the second antigen over that of the first, > 0.
    patients : int, optional
        Virtual patients of each cohort.
    seed : int, optional
        Seed.

    Returns
    -------
    Drawing
        Left, lines of one patient by the day of the second infusion; right, the mean chance over
        the calibrated population that it clears a leukaemia without the first antigen.
    """
    patient = calibrated_patient()
    disease, limits = patient.leukaemia, default_detection()
    alone = float(relapse_probabilities(patient).class_lines[2])
    lines = {w: np.stack([_later_lines(patient, float(t), w, second_loss) for t in _DAYS])
             for w in strengths}  # fmt: skip
    clear = {w: np.array([_cleared(float(n), w, patients, seed) for n in _SIZES])
             for w in strengths}  # fmt: skip
    first = strengths[0]
    # A line founded at infusion reaches a size on this day, given that it survives.
    reach = {name: float(np.log(cells * disease.survival) / disease.net_rate)
             for name, cells in (("mrd", limits.remission_cells), ("relapse", limits.relapse_cells))
             }  # fmt: skip

    def left_on(day: float, kind: int) -> float:
        return float(np.exp(np.interp(day, _DAYS, np.log(lines[first][:, kind]))))

    def cleared_at(cells: float, strength: float) -> float:
        return float(np.interp(np.log(cells), np.log(_SIZES), clear[strength]))

    numbers = {
        "alone": quote(alone, 2),
        "mrd_day": quote(reach["mrd"], 3),
        "relapse_day": quote(reach["relapse"], 3),
        "mrd_cells": power_of_ten(limits.remission_cells),
        "relapse_cells": power_of_ten(limits.relapse_cells),
        "one_lost_mrd": quote(left_on(reach["mrd"], 1), 2),
        "one_lost_relapse": quote(left_on(reach["relapse"], 1), 2),
        "both_lost_mrd": quote(left_on(reach["mrd"], 2), 2),
        "both_lost_relapse": quote(left_on(reach["relapse"], 2), 2),
    }
    for i, w in enumerate(strengths, 1):
        numbers[f"strength_{i}"] = quote(w, 2)
        numbers[f"cleared_mrd_{i}"] = percent(cleared_at(limits.remission_cells, w))
        numbers[f"cleared_relapse_{i}"] = percent(cleared_at(limits.relapse_cells, w))
    n = {key: value.text for key, value in numbers.items()}
    looks = ((POSITIVE, "-", "o", True), (NEGATIVE, "--", "D", False), (CURED, ":", "s", True))
    with house_style():
        figure, (ax, right) = axes(columns=2, width=7.4, height=4.4)
        ax.axhline(alone, color=NEUTRAL, linewidth=1.2)
        ax.text(32, alone * 1.25, "no second product", va="bottom", color=NEUTRAL)
        for (w, found), (colour, dashes, _, _) in zip(lines.items(), looks, strict=False):
            ax.plot(_DAYS, found[:, 1], dashes, color=colour, label=f"CD19 lost, arm {w:g}")
        ax.plot(_DAYS, lines[first][:, 2], "-.", color=INK, label="both lost, in turn")
        for name, day in reach.items():
            ax.axvline(day, color=NEUTRAL, linewidth=1.0, linestyle=":")
            ax.text(day - 3, 2e-11, {"mrd": "MRD", "relapse": "relapse"}[name], rotation=90,
                    ha="right", va="bottom", color=NEUTRAL)  # fmt: skip
        ax.set_yscale("log")
        ax.set_ylim(1e-11, 3)
        ax.set_xlim(30, 275)
        ax.set_xlabel("second product, day")
        ax.set_ylabel("surviving lines expected")
        ax.legend(loc="lower left", bbox_to_anchor=(-0.1, 1.0))
        for (w, found), (colour, dashes, marker, filled) in zip(clear.items(), looks, strict=False):
            right.plot(
                _SIZES, 100 * found, dashes, marker=marker, color=colour, label=f"arm {w:g}",
                markerfacecolor=colour if filled else "white",
            )  # fmt: skip
        for name, cells in (("MRD", limits.remission_cells), ("relapse", limits.relapse_cells)):
            right.axvline(cells, color=NEUTRAL, linewidth=1.0, linestyle=":")
            right.text(0.75 * cells, 2, name, rotation=90, ha="right", va="bottom", color=NEUTRAL)
        right.set_xscale("log")
        right.set_ylim(0, 100)
        right.set_xlabel("cells when it is given")
        right.set_ylabel("cleared (% of patients, mean)")
        right.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0))
    weakest = len(strengths)
    return Drawing(
        figure=figure,
        caption="In one patient each month of delay costs tenfold; over patients who differ, the "
        "strength of the second product counts for more than its day.",
        alt="Left: surviving lines expected in one patient against the day of the second product, "
        f"on a log scale. Without it {n['alone']} lines have lost CD19. With one of equal strength "
        f"{n['one_lost_mrd']} are left when it comes on day {n['mrd_day']}, at "
        f"{n['mrd_cells']} cells, and {n['one_lost_relapse']} on day {n['relapse_day']}, at "
        f"{n['relapse_cells']}; lines that lost both in turn rise from {n['both_lost_mrd']} to "
        f"{n['both_lost_relapse']}. Right: chance of clearing, mean over patients. With strength "
        f"{n['strength_1']} it falls from {n['cleared_mrd_1']} % at {n['mrd_cells']} cells to "
        f"{n['cleared_relapse_1']} % at {n['relapse_cells']}; with {n[f'strength_{weakest}']} from "
        f"{n[f'cleared_mrd_{weakest}']} % to {n[f'cleared_relapse_{weakest}']} %.",
        numbers=numbers,
        data={
            "day": _DAYS,
            **{f"one_lost_{i}": found[:, 1] for i, found in enumerate(lines.values(), 1)},
            "both_lost": lines[first][:, 2],
            # Two grids in one table: each size stands three times.
            "cells": np.repeat(_SIZES, 3),
            **{f"cleared_{i}": np.repeat(found, 3) for i, found in enumerate(clear.values(), 1)},
        },
    )


def removed_share(relapse: float | Floats, lost: float | Floats) -> Floats:
    """Return the part of relapses that a perfect second antigen removes, all patients alike.

    A patient relapses with chance `relapse`; `lost` is the part of the expected surviving lines
    that had lost the one target.
    """
    rest = -np.expm1(np.log1p(-np.asarray(relapse)) * (1.0 - np.asarray(lost)))
    return np.asarray(1.0 - rest / relapse)


# Cohorts with one target whose relapses and patients are both counted.
_ONE_TARGET = {"lamble2023_phenotype": 420, "pillai2019_cd19dim": 166}


def antigen_ceiling(relapses: tuple[float, ...] = (0.2, 0.4, 0.6, 0.8)) -> Drawing:
    """Draw the most that a second antigen can buy.

    Parameters
    ----------
    relapses : tuple of float, optional
        Shares of patients who relapse with one target, one to four values in (0, 1).

    Returns
    -------
    Drawing
        The part of relapses that a perfect second antigen removes, against the part in which
        the first was lost; measured parts with exact intervals below.
    """
    lost = np.linspace(0.0, 1.0, 101)
    curves = {r: removed_share(r, lost) for r in relapses}
    looks = ((POSITIVE, "-"), (NEGATIVE, "--"), (CURED, "-."), (INK, ":"))
    numbers: dict[str, Quoted] = {}
    for i, r in enumerate(relapses, 1):
        numbers[f"relapse_{i}"] = percent(r)
        numbers[f"half_{i}"] = percent(float(removed_share(r, 0.5)))
    measured = []
    for key, patients in _ONE_TARGET.items():
        split = relapse_split(trials()[key])
        known = split.total - split.unknown
        low, high = exact_interval(split.antigen_negative, known)
        share, relapse = split.antigen_negative / known, split.total / patients
        top = float(removed_share(relapse, share))
        measured.append((share, low, high, top))
        numbers |= {
            f"{key}_lost": percent(share),
            f"{key}_low": percent(low),
            f"{key}_high": percent(high),
            f"{key}_relapse": percent(relapse),
            f"{key}_removed": percent(top),
        }
    n = {key: value.text for key, value in numbers.items()}
    with house_style():
        figure, (ax,) = axes(height=4.6)
        ax.plot([0, 100], [0, 100], color=NEUTRAL, linewidth=1.0)
        ax.text(52, 56, "as many as had lost it", rotation=32, color=NEUTRAL, ha="center")
        for (r, curve), (colour, dashes) in zip(curves.items(), looks, strict=False):
            ax.plot(100 * lost, 100 * curve, dashes, color=colour, label=f"{100 * r:.0f} % relapse")
        share, low, high, top = np.array(measured).T
        ax.hlines(100 * top, 100 * low, 100 * high, color=INK, linewidth=1.6)
        ax.plot(
            100 * share, 100 * top, "o", linestyle="none", color=INK, markerfacecolor="white",
            markersize=8, label="two measured cohorts",
        )  # fmt: skip
        ax.set_xlim(0, 100)
        ax.set_ylim(0, 100)
        ax.set_xlabel("relapses that lost the one target (%)")
        ax.set_ylabel("relapses removed, at most (%)")
        ax.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=2)
    one, two = _ONE_TARGET
    last = len(relapses)
    return Drawing(
        figure=figure,
        caption="A perfect second antigen removes fewer relapses than had lost the first, and ever "
        "fewer where relapse is common: patients relapse the other way.",
        alt="Relapses that a perfect second antigen removes, in per cent, against the share of "
        f"relapses that lost the one target. At a half, {n['half_1']} % are removed where "
        f"{n['relapse_1']} % of patients relapse, and {n[f'half_{last}']} % where "
        f"{n[f'relapse_{last}']} % do. Two cohorts: {n[f'{one}_lost']} % lost it "
        f"({n[f'{one}_low']} to {n[f'{one}_high']}) and {n[f'{one}_relapse']} % relapsed, so at "
        f"most {n[f'{one}_removed']} % are removed; {n[f'{two}_lost']} % "
        f"({n[f'{two}_low']} to {n[f'{two}_high']}) and {n[f'{two}_relapse']} %, at most "
        f"{n[f'{two}_removed']} %.",
        numbers=numbers,
        data={"lost": lost, **{f"removed_{i}": c for i, c in enumerate(curves.values(), 1)}},
    )
