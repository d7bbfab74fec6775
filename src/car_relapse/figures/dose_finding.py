"""Figures of the notebook *Dose*."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from car_relapse.errors import ParameterError
from car_relapse.figures.style import (
    CURED,
    INK,
    NEGATIVE,
    NEUTRAL,
    NORMAL_95,
    POSITIVE,
    Drawing,
    Quoted,
    axes,
    house_style,
    percent,
    quote,
)
from car_relapse.parameters import default
from car_relapse.trial.dose import (
    BOIN,
    BOIN12,
    Design,
    DoseScenario,
    ExactCharacteristics,
    ThreePlusThree,
    escalation_probability,
    exact_characteristics,
    simulate,
)

__all__ = ["dose_optimum", "dose_rules", "dose_selection", "dose_truths", "plateau_doses"]

Floats = NDArray[np.float64]

_COHORTS = 6
_TRIALS = 2000
_SEED = 20260131
#: Toxicity of the lowest and of the highest level of the ladders with more and more levels.
_LADDER = (0.05, 0.6)
_LADDER_COHORTS = 10
#: Name of a rule, its words, colour, and pattern in grey.
_RULES = (
    ("stop", "3+3, stops at two", POSITIVE, "//"),
    ("confirm", "3+3, confirms with six", CURED, ".."),
    ("boin", "BOIN", NEGATIVE, ""),
)


def dose_truths() -> dict[str, tuple[float, ...]]:
    """Return, by name, the true probabilities of dose-limiting toxicity of four trials.

    The first hardly rises with the dose, as is typical of CAR-T cells; the others are named for
    the level whose toxicity is nearest to 30 %.
    """
    return {
        "flat": (0.05, 0.05, 0.08, 0.10),
        "third": (0.08, 0.15, 0.30, 0.50),
        "second": (0.15, 0.30, 0.45, 0.60),
        "none": (0.45, 0.55, 0.65, 0.75),
    }


def plateau_doses(which: str = "severe") -> DoseScenario:
    """Return four levels whose response rises no further while toxicity does; all is assumed.

    Parameters
    ----------
    which : {"severe", "limiting"}, optional
        What counts as toxicity: any severe event, or one that a protocol calls dose-limiting.
    """
    toxicity = {"severe": (0.10, 0.20, 0.35, 0.50), "limiting": (0.02, 0.03, 0.04, 0.06)}
    if which not in toxicity:
        raise ParameterError(
            f"which is {which!r}; it must be 'severe' or 'limiting'; say what counts as toxicity"
        )
    return DoseScenario(toxicity=toxicity[which], response=(0.50, 0.75, 0.80, 0.80))


def _designs(target: float) -> dict[str, tuple[Design, int | None]]:
    """Return the three rules and the number of cohorts after which each ends."""
    return {
        "stop": (ThreePlusThree(variant="stop"), None),
        "confirm": (ThreePlusThree(variant="confirm"), None),
        "boin": (BOIN(target=target), _COHORTS),
    }


def _found(result: ExactCharacteristics, toxicity: Floats) -> float:
    """Return the mean toxicity of the recommended level, where one is recommended."""
    chosen = result.selected[1:]
    return float(chosen @ toxicity / chosen.sum())


def dose_rules(target: float | None = None) -> Drawing:
    """Draw when the 3+3 design goes up, and what it finds on ladders with more and more levels.

    Parameters
    ----------
    target : float, optional
        Probability of toxicity at which BOIN aims, in (0, 1); the ledger's by default.
    """
    aim = default("dose.target") if target is None else target
    p = np.linspace(0.0, 0.7, 71)
    up = escalation_probability(p)
    levels = np.arange(3, 9)
    found: dict[str, list[float]] = {"stop": [], "confirm": [], "boin": []}
    for number in levels.tolist():
        ladder = np.linspace(*_LADDER, number)
        for name, (design, cohorts) in _designs(aim).items():
            most = None if cohorts is None else _LADDER_COHORTS
            found[name].append(_found(exact_characteristics(design, ladder, cohorts=most), ladder))
    numbers: dict[str, Quoted] = {
        f"up_{round(100 * at)}": percent(float(escalation_probability(at)))
        for at in (0.1, 0.3, 0.5)
    } | {"target": percent(aim)}
    for name, means in found.items():
        values = {"fewest": means[0], "most": means[-1], "low": min(means), "high": max(means)}
        numbers |= {f"{name}_{which}": percent(mean) for which, mean in values.items()}
    with house_style():
        figure, (left, right) = axes(columns=2, width=7.2, height=3.5)
        left.plot(100 * p, 100 * up, color=INK)
        left.set_xlabel("true toxicity of a level (%)")
        left.set_ylabel("3+3 goes up (% of trials)")
        left.set_ylim(0, 100)
        left.set_xlim(0, 70)
        right.axhline(100 * aim, color=NEUTRAL, linestyle=":", linewidth=1.6)
        right.text(8, 100 * aim + 0.6, "target of BOIN", ha="right", va="bottom", color=NEUTRAL)
        for (name, words, colour, _), mark in zip(_RULES, "ovs", strict=True):
            right.plot(
                levels, 100 * np.array(found[name]), f"{mark}-", color=colour, label=words,
                markersize=6, linewidth=1.6,
            )  # fmt: skip
        right.set_xlabel("levels between 5 and 60 %")
        right.set_ylabel("toxicity of the level chosen (%)")
        right.set_ylim(10, 40)
        right.legend(loc="lower right")
    n = {key: value.text for key, value in numbers.items()}
    return Drawing(
        figure=figure,
        caption=f"The chance of going up shows no target; 3+3 finds levels of "
        f"{n['confirm_low']} to {n['stop_high']} % toxicity, BOIN levels near its target.",
        alt=f"Left: chance that a 3+3 trial goes up from a level: {n['up_10']} % at a toxicity of "
        f"10 %, {n['up_30']} % at 30 %, {n['up_50']} % at 50 %. Right: mean true toxicity of the "
        f"recommended level on ladders of 3 to 8 levels from 5 to 60 %. 3+3 that stops at two: "
        f"{n['stop_low']} to {n['stop_high']} %. 3+3 that confirms with six: {n['confirm_low']} "
        f"to {n['confirm_high']} %. BOIN with a target of {n['target']} %: {n['boin_low']} to "
        f"{n['boin_high']} %.",
        numbers=numbers,
        data={"levels": levels.astype(float), **{k: np.array(v) for k, v in found.items()}},
    )


def _choices(ax: Axes, toxicity: Sequence[float], results: dict[str, ExactCharacteristics]) -> None:
    """Draw how often each level is recommended, none first."""
    place = np.arange(len(toxicity) + 1, dtype=float)
    width = 0.8 / len(results)
    rules = [rule for rule in _RULES if rule[0] in results]
    for i, (name, words, colour, hatch) in enumerate(rules):
        ax.bar(
            place + (i - (len(rules) - 1) / 2) * width, 100 * results[name].selected, width,
            color=colour, hatch=hatch, edgecolor="white", linewidth=0.6, label=words,
        )  # fmt: skip
    named = [f"{level}\n{100 * p:.0f} %" for level, p in enumerate(toxicity, 1)]
    ax.set_xticks(place, ["none", *named])
    ax.set_ylim(0, 100)
    ax.grid(axis="x", visible=False)


def dose_selection(truths: Sequence[str] | None = None, *, target: float | None = None) -> Drawing:
    """Draw what three rules recommend, exactly, where the truth is known.

    Parameters
    ----------
    truths : sequence of str, optional
        Names of `dose_truths`, one panel each; all by default.
    target : float, optional
        Probability of toxicity at which BOIN aims, in (0, 1); the ledger's by default.
    """
    aim = default("dose.target") if target is None else target
    known = dose_truths()
    shown = tuple(known) if truths is None else tuple(truths)
    if not shown or any(name not in known for name in shown):
        raise ParameterError(
            f"truths is {truths!r}; it must hold names of dose_truths(); give some of "
            f"{', '.join(known)}"
        )
    results = {
        name: {
            rule: exact_characteristics(design, known[name], cohorts=cohorts)
            for rule, (design, cohorts) in _designs(aim).items()
        }
        for name in shown
    }
    numbers: dict[str, Quoted] = {"target": percent(aim)}
    for name, by_rule in results.items():
        for rule, result in by_rule.items():
            numbers[f"{name}_{rule}_patients"] = quote(result.patients)
            for level, share in enumerate(result.selected):
                numbers[f"{name}_{rule}_{level}"] = percent(float(share))
    rows = (len(shown) + 1) // 2
    with house_style():
        figure = Figure(figsize=(7.2, 1.0 + 2.3 * rows), layout="constrained")
        panels = figure.subplots(rows, min(len(shown), 2), squeeze=False, sharey=True).ravel()
        for ax, name in zip(panels, shown, strict=False):
            _choices(ax, known[name], results[name])
        for ax in panels[len(shown) :]:
            ax.set_visible(False)
        for ax in panels[:: min(len(shown), 2)]:
            ax.set_ylabel("recommended (%)")
        figure.supxlabel("level, and its true toxicity", fontsize=11.5)
        handles, words = panels[0].get_legend_handles_labels()
        words[-1] = f"BOIN, target {numbers['target'].text} %"
        figure.legend(handles, words, loc="outside upper center", ncols=3)
    parts = []
    for name in shown:
        tox = ", ".join(f"{100 * p:.0f}" for p in known[name])
        top = ", ".join(
            f"{words} {int(np.argmax(results[name][rule].selected)) or 'none'} in "
            f"{percent(float(results[name][rule].selected.max())).text} %"
            for rule, words, _, _ in _RULES
        )
        parts.append(f"True toxicity {tox} %: {top}.")
    return Drawing(
        figure=figure,
        caption="Where toxicity hardly rises every rule recommends the top; elsewhere 3+3 "
        f"recommends lower levels than BOIN with a target of {numbers['target'].text} %.",
        alt="Share of trials that recommend each level; the level most often recommended by each "
        f"rule, 0 for none. {' '.join(parts)}",
        numbers=numbers,
        data={
            "level": np.arange(5.0),
            **{
                f"{name}_{rule}": result.selected
                for name, by_rule in results.items()
                for rule, result in by_rule.items()
            },
        },
    )


def _utility(scenario: DoseScenario, design: BOIN12) -> Floats:
    """Return the mean utility of each level, where toxicity and response are independent."""
    t, e = np.asarray(scenario.toxicity), np.asarray(scenario.response)
    neither, both = design.neither_utility, design.both_utility
    return np.asarray((1 - t) * (100 * e + neither * (1 - e)) + t * e * both)


def dose_optimum(*, trials: int = _TRIALS, seed: int = _SEED) -> Drawing:
    """Draw a dose whose response rises no further, and what three ways to look for it recommend.

    Parameters
    ----------
    trials : int, optional
        Simulated trials of each way.
    seed : int, optional
        Seed: the same patients for all.
    """
    severe, limiting = plateau_doses("severe"), plateau_doses("limiting")
    design = BOIN12()
    aim = default("dose.target")
    ways = (
        ("limiting", "BOIN, limiting events", BOIN(target=aim), limiting, CURED, "v"),
        ("severe", "BOIN, severe events", BOIN(target=aim), severe, NEGATIVE, "s"),
        ("utility", "BOIN12, both", design, severe, POSITIVE, "o"),
    )
    runs = {
        name: simulate(rule, scenario, cohorts=_COHORTS, seed=seed, trials=trials)
        for name, _, rule, scenario, _, _ in ways
    }
    utility = _utility(severe, design)
    level = np.arange(1, severe.levels + 1)
    numbers = {f"mean_{j}": quote(float(u)) for j, u in zip(level, utility, strict=True)}
    for name, run in runs.items():
        for j in range(severe.levels + 1):
            numbers[f"{name}_{j}"] = percent(float(run.selected[j]))
    error = max(float(run.selected_std_error.max()) for run in runs.values())
    numbers |= {"trials": quote(float(trials)), "largest_error": percent(error, 1)}
    with house_style():
        figure, (left, right) = axes(columns=2, width=7.2, height=3.7)
        curves = (
            (severe.response, "response (%)", INK, "o-"),
            (severe.toxicity, "severe event (%)", NEGATIVE, "s--"),
            (limiting.toxicity, "limiting event (%)", CURED, "v:"),
        )
        for values, words, colour, line in curves:
            left.plot(level, 100 * np.asarray(values), line, color=colour, label=words)
        left.plot(level, utility, "D-", color=POSITIVE, markerfacecolor="white", label="utility")
        for name, words, _, _, colour, mark in ways:
            run = runs[name]
            right.errorbar(
                level, 100 * run.selected[1:], yerr=100 * NORMAL_95 * run.selected_std_error[1:],
                fmt=f"{mark}-", color=colour, capsize=3, linewidth=1.6, label=words,
            )  # fmt: skip
        left.set_ylabel("truth, assumed")
        right.set_ylabel("recommended (% of trials)")
        for ax in (left, right):
            ax.set_xlabel("level")
            ax.set_xticks(level)
            ax.set_ylim(0, 104)
            ax.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0))
    n = {key: value.text for key, value in numbers.items()}
    return Drawing(
        figure=figure,
        caption="Response stops rising at level 2. A rule that counts limiting events climbs to "
        "the top; one that weighs response and severe events stays.",
        alt=f"Left: at levels 1 to 4 response is 50, 75, 80 and 80 %, severe events 10, 20, 35 "
        f"and 50 %, limiting events 2, 3, 4 and 6 %; the mean utility is {n['mean_1']}, "
        f"{n['mean_2']}, {n['mean_3']} and {n['mean_4']}. Right: in {n['trials']} trials "
        f"each, levels 1 to 4 are recommended in {n['limiting_1']}, {n['limiting_2']}, "
        f"{n['limiting_3']} and {n['limiting_4']} % by BOIN on limiting events, in "
        f"{n['severe_1']}, {n['severe_2']}, {n['severe_3']} and {n['severe_4']} % by BOIN on "
        f"severe events, and in {n['utility_1']}, {n['utility_2']}, {n['utility_3']} and "
        f"{n['utility_4']} % by BOIN12; standard errors are at most {n['largest_error']} points.",
        numbers=numbers,
        data={
            "level": level.astype(float),
            "utility": utility,
            **{f"{name}_share": run.selected[1:] for name, run in runs.items()},
            **{f"{name}_error": run.selected_std_error[1:] for name, run in runs.items()},
        },
    )
