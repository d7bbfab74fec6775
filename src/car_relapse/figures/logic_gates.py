"""Figures of the notebook *Logic gates*."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from car_relapse.calibration_model import calibrated_patient, calibrated_population
from car_relapse.cohort import simulate
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
from car_relapse.gates import AndGate, AndNotGate, Gate, OrGate, SingleGate
from car_relapse.parameters import default
from car_relapse.patient import Patient
from car_relapse.survival import relapse_probabilities
from car_relapse.toxicity import HealthyTissue, expected_loss, killing_dose

__all__ = ["gate_frontier", "gate_price", "gate_truth"]

Floats = NDArray[np.float64]

_GATES: Mapping[str, tuple[str, Gate]] = {
    "single": ("A alone", SingleGate(antigen=0)),
    "or": ("A OR B", OrGate()),
    "and": ("A AND B", AndGate()),
    "not": ("A NOT V", AndNotGate(antigen=0)),
}


@dataclass(frozen=True)
class _Cell:
    """A cell as gates see it: its antigens A and B, and the veto antigen V."""

    name: str
    healthy: bool
    engagement: tuple[float, float]
    veto: float = 0.0


_CELLS = (
    _Cell("leukaemia, A and B", False, (1.0, 1.0)),
    _Cell("leukaemia that lost A", False, (0.0, 1.0)),
    _Cell("leukaemia that lost B", False, (1.0, 0.0)),
    _Cell("leukaemia that lost both", False, (0.0, 0.0)),
    _Cell("leukaemia that shows V", False, (1.0, 1.0), 1.0),
    _Cell("healthy, A and V", True, (1.0, 0.0), 1.0),
    _Cell("healthy, B and V", True, (0.0, 1.0), 1.0),
    _Cell("healthy, A only", True, (1.0, 0.0)),
)


def gate_truth() -> Drawing:
    """Draw which cells each gate kills: who escapes, and who is harmed.

    Returns
    -------
    Drawing
        A table of signs, one column for each gate, one row for each kind of cell.
    """
    killed = np.array(
        [
            [gate.fraction(cell.engagement, cell.veto).item() for _, gate in _GATES.values()]
            for cell in _CELLS
        ]
    )
    healthy = np.array([cell.healthy for cell in _CELLS])
    signs = (
        ("killed leukaemia", ~healthy, 1.0, POSITIVE, "o", True),
        ("leukaemia that escapes", ~healthy, 0.0, NEGATIVE, "X", True),
        ("healthy cell spared", healthy, 0.0, CURED, "o", False),
        ("healthy cell killed", healthy, 1.0, INK, "s", True),
    )
    numbers: dict[str, Quoted] = {}
    for j, key in enumerate(_GATES):
        numbers[f"{key}_escapes"] = quote(float((killed[~healthy, j] == 0).sum()), 1)
        numbers[f"{key}_harmed"] = quote(float((killed[healthy, j] == 1).sum()), 1)
    n = {key: value.text for key, value in numbers.items()}
    y = np.arange(len(_CELLS), dtype=float)[::-1]
    with house_style():
        figure, (ax,) = axes(height=5.0)
        for label, rows, value, colour, marker, filled in signs:
            at = [(j, y[i]) for i in np.flatnonzero(rows) for j in range(len(_GATES))
                  if killed[i, j] == value]  # fmt: skip
            ax.plot(
                *np.array(at).T, marker, linestyle="none", color=colour, markersize=11, label=label,
                markerfacecolor=colour if filled else "white", markeredgewidth=1.8,
                markeredgecolor=colour,
            )  # fmt: skip
        ax.axhline(y[healthy][0] + 0.5, color=NEUTRAL, linewidth=1.0)
        ax.set_xticks(range(len(_GATES)), [label for label, _ in _GATES.values()])
        ax.xaxis.tick_top()
        ax.tick_params(length=0)
        ax.set_yticks(y, [cell.name for cell in _CELLS])
        ax.set_xlim(-0.5, len(_GATES) - 0.5)
        ax.set_ylim(-0.6, len(_CELLS) - 0.4)
        ax.grid(False)
        for side in ("left", "bottom"):
            ax.spines[side].set_visible(False)
        figure.legend(loc="outside lower center", ncols=2)
    return Drawing(
        figure=figure,
        caption="OR leaves one way to hide and harms the most; AND and NOT spare, and each adds "
        "ways to hide.",
        alt="A table of eight kinds of cell against four gates. Of five kinds of leukaemia cell, "
        f"a product for A alone misses {n['single_escapes']}, A OR B {n['or_escapes']}, A AND B "
        f"{n['and_escapes']}, A NOT V {n['not_escapes']}. Of three kinds of healthy cell they kill "
        f"{n['single_harmed']}, {n['or_harmed']}, {n['and_harmed']} and {n['not_harmed']}.",
        numbers=numbers,
        data={
            "cell": np.arange(len(_CELLS), dtype=float),
            **{key: killed[:, j] for j, key in enumerate(_GATES)},
        },
    )


def _given(patient: Patient, second: float, gate: Gate) -> Patient:
    """Return the patient with a second antigen, lost so often per division, and a gate."""
    losses = replace(patient.losses, per_antigen=(patient.losses.per_antigen[0], second))
    return replace(patient, losses=losses, therapy=replace(patient.products[0], gate=gate))


def gate_price(second_loss: float = 1.0, veto_gain: float = 1.0, leak: float = 0.01) -> Drawing:
    """Draw what each gate costs healthy tissue, and what it costs in escape.

    Parameters
    ----------
    second_loss : float, optional
        Loss probability of antigen B over that of A, >= 0.
    veto_gain : float, optional
        Probability per division that a leukaemic cell comes to show the veto antigen, over the
        loss probability of A, >= 0.
    leak : float, optional
        Engagement of what should be absent: of B on healthy cells, and of a healthy cell without
        its veto; in [0, 1].

    Returns
    -------
    Drawing
        Healthy cells with A lost by day 28; chance that an escaped line survives.
    """
    patient = calibrated_patient()
    product, loss = patient.products[0], patient.losses.per_antigen[0]
    tissue = HealthyTissue(engagement=(1.0, leak), veto=1.0 - leak)
    # To show V and to lose "not V" are one thing, so the veto counts as an antigen to lose.
    ways: Mapping[str, tuple[float, Gate]] = {
        "single": (second_loss * loss, SingleGate(antigen=0)),
        "or": (second_loss * loss, OrGate()),
        "and": (second_loss * loss, AndGate()),
        "not": (veto_gain * loss, AndGate()),
    }
    harmed = {
        key: expected_loss(tissue, replace(product, gate=gate), 28.0).item()
        for key, (_, gate) in _GATES.items()
    }
    lines = {
        key: relapse_probabilities(_given(patient, second, gate)).class_lines
        for key, (second, gate) in ways.items()
    }
    # A product for A alone kills whatever kept A, so what lost B alone has not escaped it.
    escape = {key: -np.expm1(-sum(found[1:])) for key, found in lines.items()}
    numbers: dict[str, Quoted] = {
        "leak": percent(leak),
        "dose": quote(killing_dose(product, 28.0), 2),
    }
    for key in _GATES:
        numbers[f"{key}_harmed"] = percent(harmed[key])
        numbers[f"{key}_escape"] = percent(escape[key], 1)
        numbers[f"{key}_chance"] = chance(escape[key])
    n = {key: value.text for key, value in numbers.items()}
    y = np.arange(len(_GATES), dtype=float)[::-1]
    with house_style():
        figure, (left, right) = axes(columns=2, width=7.0, height=3.6)
        for ax, values, colour, hatch, decimals in (
            (left, harmed, INK, "//", 0),
            (right, escape, NEGATIVE, "", 1),
        ):
            width = 100.0 * np.array(list(values.values()))
            ax.barh(y, width, 0.5, facecolor="white", edgecolor=colour, hatch=hatch, linewidth=1.6)
            for at, wide in zip(y, width, strict=True):
                ax.text(wide + 0.02 * max(width.max(), 1.0), at, f"{wide:.{decimals}f}",
                        va="center")  # fmt: skip
            ax.set_xlim(0, 1.2 * max(float(width.max()), 1.0))
            ax.set_ylim(-0.5, len(_GATES) - 0.5)
            ax.grid(axis="y", visible=False)
        left.set_yticks(y, [label for label, _ in _GATES.values()])
        right.set_yticks([])
        left.set_xlabel("healthy cells lost by day 28 (%)")
        right.set_xlabel("chance of escape (%)")
    return Drawing(
        figure=figure,
        caption="What spares healthy cells (left) adds a way to hide (right); only OR has little "
        "escape, and it spares nothing.",
        alt="Two bars for each gate. Healthy cells with A lost by day 28, with a leak of "
        f"{n['leak']} %: A alone {n['single_harmed']} %, A OR B {n['or_harmed']} %, A AND B "
        f"{n['and_harmed']} %, A NOT V {n['not_harmed']} %. Chance that an escaped line survives: "
        f"{n['single_escape']} %, {n['or_escape']} %, {n['and_escape']} % and "
        f"{n['not_escape']} %.",
        numbers=numbers,
        data={
            "gate": np.arange(len(_GATES), dtype=float),
            "harmed": np.array(list(harmed.values())),
            "escape": np.array(list(escape.values())),
        },
    )


# Fractions of the maximal killing rate at which the cohort is simulated; between them its
# relapses are interpolated.
_FRACTIONS = np.array([0.06, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.65, 0.8, 1.0])


@cache
def _relapse(patients: int, seed: int) -> tuple[float, ...]:
    """Return the share of patients with a surviving line, by killing of the leukaemia.

    Either loss is an escape, as under AND or NOT; the last value is that of one target at full
    killing. Kept, because no contrast changes it and a slider asks again and again.
    """
    people = calibrated_population()
    loss = people.losses.per_antigen[0]
    gated = replace(
        people,
        losses=replace(people.losses, per_antigen=(loss, loss)),
        engagement=(1.0, 0.0, 0.0, 0.0),
    )
    cohorts = [replace(gated, killing=people.killing.scaled(f)) for f in _FRACTIONS]
    return tuple(
        1.0 - float(simulate(cohort, patients, seed=seed).cure_probability.mean())
        for cohort in (*cohorts, people)
    )


def gate_frontier(
    contrasts: tuple[float, ...] = (3.0, 10.0, 30.0),
    *,
    hill: float | None = None,
    patients: int = 640,
    seed: int = 20260108,
) -> Drawing:
    """Draw what protection of healthy cells costs in relapse, for three contrasts.

    The receptor for the second antigen answers density by a Hill law. The more antigen it needs,
    the safer healthy cells are, and the worse it sees the leukaemia.

    Parameters
    ----------
    contrasts : tuple of float, optional
        Density of the second antigen on the leukaemia over that on healthy cells (AND); or of
        the veto on healthy cells over that on the leukaemia (NOT); one to three values > 1.
    hill : float, optional
        Hill coefficient of the receptor, > 0; that of the ledger by default.
    patients : int, optional
        Virtual patients of each cohort.
    seed : int, optional
        Seed.

    Returns
    -------
    Drawing
        Share of the calibrated population with a surviving line, against the healthy cells that
        the typical product kills by day 28.
    """
    dose = killing_dose(calibrated_patient().products[0], 28.0)
    lost = np.linspace(0.02, 0.98, 49)
    power = default("engagement.hill") if hill is None else hill
    # Engagement of healthy cells that costs this share of them, as odds; and of the leukaemia.
    healthy = -np.log1p(-lost) / dose
    odds = healthy / (1.0 - healthy)
    *found, single = _relapse(patients, seed)
    by_killing = np.array(found)
    curves = {}
    for contrast in contrasts:
        seen = contrast**power * odds / (1.0 + contrast**power * odds)
        # Below the lowest fraction simulated the leukaemia outgrows the killing.
        curves[contrast] = np.interp(seen, _FRACTIONS, by_killing, left=1.0)
    numbers: dict[str, Quoted] = {
        "single": percent(single),
        "best": percent(float(by_killing[-1])),
        "dose": quote(dose, 2),
        "half_engaged": percent(float(np.log(2.0) / dose), 1),
    }
    for i, contrast in enumerate(contrasts, 1):
        numbers[f"contrast_{i}"] = quote(contrast, len(f"{contrast:g}"))
        for at in (0.1, 0.5):
            value = float(np.interp(at, lost, curves[contrast]))
            numbers[f"relapse_{i}_at_{100 * at:.0f}"] = percent(value)
    n = {key: value.text for key, value in numbers.items()}
    looks = ((NEGATIVE, "--"), (POSITIVE, "-"), (CURED, "-."))
    with house_style():
        figure, (ax,) = axes(height=4.4)
        for (contrast, curve), (colour, dashes) in zip(curves.items(), looks, strict=False):
            ax.plot(100 * lost, 100 * curve, dashes, color=colour, label=f"{contrast:g} times")
        ax.plot([0, 100], 2 * [100 * single], ":", color=INK, label="one target, no gate")
        ax.set_xlim(0, 100)
        ax.set_ylim(0, 100)
        ax.set_xlabel("healthy cells lost by day 28 (%)")
        ax.set_ylabel("patients with a surviving line (%)")
        ax.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=2)
    last = len(contrasts)
    return Drawing(
        figure=figure,
        caption="A gate buys safety with relapse unless the second antigen differs widely between "
        "leukaemia and healthy cells; no gate reaches one target's relapse.",
        alt="Patients with a surviving line, in per cent, against healthy cells lost by day 28. "
        f"With {n['contrast_1']} times the density on the leukaemia {n['relapse_1_at_50']} % "
        "relapse where half of the healthy cells are lost and "
        f"{n['relapse_1_at_10']} % where a tenth is; with {n[f'contrast_{last}']} times "
        f"{n[f'relapse_{last}_at_50']} % and {n[f'relapse_{last}_at_10']} %. The dotted line of "
        f"one target without a gate stands at {n['single']} %.",
        numbers=numbers,
        data={
            "healthy_lost": lost,
            **{f"relapse_{i}": curve for i, curve in enumerate(curves.values(), 1)},
        },
    )
