"""Figures of the notebook *Transplant and time*."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from car_relapse.figures.competing_risks import control_biology
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
from car_relapse.followup import Cause
from car_relapse.trial import virtual
from car_relapse.trial.competing_risks import cif
from car_relapse.trial.example_trials import example_trial
from car_relapse.trial.sample_size import two_proportions

__all__ = ["estimand_table", "immortal_time", "second_infusion_arm"]

Floats = NDArray[np.float64]

_MONTHS = 24.0
_LANDMARK = 6.0
_ROWS = 14


def immortal_trials(trials: int = 1000, *, seed: int = 20260120) -> virtual.Worlds:
    """Return trials of 200 patients in which a transplant, given to 30 %, does nothing."""
    idle = virtual.TransplantPolicy(
        share=0.30, first=2.0, last=6.0, relapse_ratio=1.0, mortality=0.0, mortality_months=1.0
    )
    one, two = (
        virtual.Arm(name=name, biology=control_biology(), transplant=idle)
        for name in ("one", "two")
    )
    design = virtual.Trial(arms=(one, two), patients=200, follow_up=_MONTHS, lost_per_year=0.03)
    return virtual.generate(design, trials, seed=seed)


def _compared(worlds: virtual.Worlds) -> dict[str, virtual.Ratios]:
    time, cause = worlds.observed("policy")
    seen = (time, cause > 0, worlds.transplanted())
    return {
        "ever": virtual.transplant_ratios(*seen, "ever"),
        "landmark": virtual.transplant_ratios(*seen, "landmark", landmark=_LANDMARK),
        "dependent": virtual.transplant_ratios(*seen, "time-dependent"),
    }


def immortal_time() -> Drawing:
    """Draw who lived to have a transplant, and what a useless one looks like.

    Returns
    -------
    Drawing
        Left, records of ``cr_200`` with the time that counts for nothing; right, hazard ratios of
        simulated trials by three analyses.
    """
    example = example_trial("cr_200")
    had = np.flatnonzero(np.isfinite(example.transplant))[:_ROWS]
    ratios = _compared(immortal_trials())
    looks = {
        "ever": ("ever against never", NEGATIVE, "-"),
        "landmark": (f"landmark, month {_LANDMARK:g}", POSITIVE, "--"),
        "dependent": ("time-dependent", CURED, ":"),
    }
    edges = np.geomspace(0.2, 3.0, 19)
    middles = np.sqrt(edges[1:] * edges[:-1])
    data: dict[str, Floats] = {"ratio": middles}
    numbers: dict[str, Quoted] = {
        "rows": count(_ROWS),
        "landmark_month": count(int(_LANDMARK)),
        "trials": count(ratios["ever"].log_ratio.size),
    }
    for name, found in ratios.items():
        told = np.exp(found.log_ratio[~np.isnan(found.log_ratio)])
        data[name] = np.histogram(told, edges)[0].astype(float)
        numbers[name] = quote(found.mean_ratio, 2)
        numbers[f"{name}_significant"] = percent(float(np.mean(found.p_value < 0.05)))
    n = {key: value.text for key, value in numbers.items()}
    with house_style():
        figure, (left, right) = axes(columns=2, width=8.6, height=4.2)
        rows = np.arange(_ROWS)[::-1]
        change, end = example.transplant[had], example.time[had]
        event = example.cause[had] > 0
        left.barh(rows, change, color=NEGATIVE, alpha=0.55, hatch="//", edgecolor="white",
                  linewidth=0.0, label="immortal: no event possible")  # fmt: skip
        left.barh(rows, end - change, left=change, color=NEUTRAL, alpha=0.45,
                  label="after transplant")  # fmt: skip
        left.plot(end[event], rows[event], "X", linestyle="none", color=INK, markersize=6,
                  label="event")  # fmt: skip
        left.set_xlim(0, _MONTHS)
        left.set_xticks([0, 6, 12, 18, 24])
        left.set_yticks([])
        left.grid(visible=False, axis="y")
        left.set_xlabel("months from infusion")
        left.set_title("Transplanted patients")
        for name, (label, colour, dashes) in looks.items():
            right.plot(middles, data[name], dashes, color=colour, label=label)
        right.axvline(1.0, color=INK, linewidth=1.0)
        right.set_xscale("log")
        right.set_xticks([0.25, 0.5, 1, 2], ["0.25", "0.5", "1", "2"])
        right.minorticks_off()
        right.set_ylim(0, None)
        right.set_xlabel("hazard ratio of a useless transplant")
        right.set_ylabel("simulated trials")
        right.set_title("What trials find")
        handles, labels = left.get_legend_handles_labels()
        more, words = right.get_legend_handles_labels()
        figure.legend(
            handles + more, labels + words, loc="outside lower center", ncols=3, fontsize=9.5
        )
    return Drawing(
        figure=figure,
        caption="Whoever is transplanted has lived event-free until then; counted for the "
        "transplant, that time makes a useless one look good.",
        alt=f"Left, records of {n['rows']} transplanted patients of a synthetic trial: in each, "
        "the time before the transplant is hatched, and no event lies in it. Right, hazard ratios "
        f"of {n['trials']} simulated trials in which a transplant does nothing. Ever against "
        f"never: mean {n['ever']}, significant in {n['ever_significant']} %. Landmark at month "
        f"{n['landmark_month']}: {n['landmark']} and {n['landmark_significant']} %. "
        f"Time-dependent: {n['dependent']} and {n['dependent_significant']} %.",
        numbers=numbers,
        data=data,
    )


def second_infusion_arm(
    *, months: tuple[float, ...] = (1.0, 2.0, 4.0), ratio: float = 1.0
) -> Drawing:
    """Draw an arm that is made of those who reached a second infusion in remission.

    Parameters
    ----------
    months : tuple of float, optional
        Month of the second infusion, one panel for each, > 0.
    ratio : float, optional
        Hazard of every event after the second infusion, relative to without it, >= 0.

    Returns
    -------
    Drawing
        Event-free survival from the first infusion: all patients without a second one, all who
        are to have it, and those alone who reached it.
    """
    control = control_biology()
    t = np.linspace(0.0, _MONTHS, 97)
    free = control.event_free(t)
    hazard = -np.log(free)
    numbers: dict[str, Quoted] = {
        "ratio": quote(ratio, 2),
        "end": count(int(_MONTHS)),
        "without": percent(float(free[-1])),
    }
    data: dict[str, Floats] = {"month": t, "without": free}
    for i, month in enumerate(months, 1):
        before = -np.log(float(control.event_free(month)))
        rest = ratio * np.maximum(hazard - before, 0.0)
        reached = np.where(t < month, 1.0, np.exp(-rest))
        planned = np.exp(-np.minimum(hazard, before) - rest)
        data[f"reached_{i}"], data[f"planned_{i}"] = reached, planned
        numbers[f"month_{i}"] = quote(month, 1)
        numbers[f"lost_{i}"] = percent(1.0 - np.exp(-before))
        numbers[f"reached_{i}"] = percent(float(reached[-1]))
        numbers[f"planned_{i}"] = percent(float(planned[-1]))
    n = {key: value.text for key, value in numbers.items()}
    with house_style():
        figure, panels = axes(columns=len(months), width=2.2 + 2.4 * len(months), height=3.9)
        for i, (ax, month) in enumerate(zip(panels, months, strict=True), 1):
            ax.plot(t, 100 * data[f"reached_{i}"], "-", color=NEGATIVE,
                    label="those who reached it")  # fmt: skip
            ax.plot(t, 100 * data[f"planned_{i}"], "--", color=POSITIVE,
                    label="all who were to have it")  # fmt: skip
            ax.plot(t, 100 * free, ":", color=INK, label="no second infusion")
            ax.axvspan(0, month, color=NEUTRAL, alpha=0.2, linewidth=0)
            ax.set_xlim(0, _MONTHS)
            ax.set_xticks([0, 6, 12, 18, 24])
            ax.set_ylim(0, 103)
            ax.set_title(f"month {month:g}")
            ax.set_xlabel("months from first infusion")
        panels[0].set_ylabel("event-free (%)")
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(
            handles, labels, loc="outside lower center", ncols=3 if len(months) > 1 else 1,
            fontsize=9.5,
        )  # fmt: skip
    said = "; ".join(
        f"second infusion in month {n[f'month_{i}']}: {n[f'lost_{i}']} % never reach it, "
        f"{n[f'reached_{i}']} % of those who do and {n[f'planned_{i}']} % of all who were to are "
        "free"
        for i in range(1, len(months) + 1)
    )
    return Drawing(
        figure=figure,
        caption="A second infusion that does nothing: the arm of those who reached it lies above "
        "the control for ever, the more, the later it comes.",
        alt="Event-free survival from the first infusion against months. The second infusion "
        f"multiplies hazards by {n['ratio']}. After {n['end']} months {n['without']} % are free "
        f"without it; {said}.",
        numbers=numbers,
        data=data,
    )


STRATEGIES: dict[str, tuple[virtual.Estimand, str]] = {
    "without": ("without", "nobody transplanted (truth)"),
    "censored": ("hypothetical", "hypothetical: censored"),
    "policy": ("policy", "treatment policy: followed on"),
    "competing": ("competing", "while untransplanted: competing"),
    "composite": ("composite", "composite: an event, too"),
}
"""Ways to treat a transplant: the estimand of the virtual trial, and what tables call it."""


def transplant_trial(
    shares: tuple[float, float] = (0.35, 0.15),
    *,
    relapse_ratio: float = 0.3,
    dependence: float = 0.0,
) -> virtual.Trial:
    """Return a trial of a single against a dual product, with transplants in remission; assumed.

    Half of the escape that the dual product prevents comes back as antigen-positive relapse.
    """
    control = control_biology()
    dual = control.reaching({Cause.ANTIGEN_NEGATIVE: 0.10, Cause.ANTIGEN_POSITIVE: 0.275,
                             Cause.DEATH: 0.05})  # fmt: skip
    if dependence:
        frailty = virtual.Frailty(cause=Cause.ANTIGEN_POSITIVE, log_sd=0.8)
        control, dual = replace(control, frailty=frailty), replace(dual, frailty=frailty)
    arms = tuple(
        virtual.Arm(
            name=name,
            biology=biology,
            transplant=virtual.TransplantPolicy(
                share=share, first=2.0, last=4.0, relapse_ratio=relapse_ratio, mortality=0.1,
                mortality_months=6.0, dependence=dependence,
            ),
        )
        for name, biology, share in zip(("single", "dual"), (control, dual), shares, strict=True)
    )  # fmt: skip
    return virtual.Trial(arms=arms, patients=1000, follow_up=_MONTHS)


def incidences_by_strategy(
    trial: virtual.Trial,
    *,
    cause: Cause = Cause.ANTIGEN_NEGATIVE,
    trials: int = 200,
    seed: int = 20260121,
) -> dict[str, tuple[Floats, Floats]]:
    """Return the incidence of a cause in both arms at two years, and its standard error.

    By strategy; from all patients of the trials together. The composite counts the transplant as
    the cause.
    """
    worlds = virtual.generate(trial, trials, seed=seed)
    group = np.tile(worlds.group, (trials, 1)).ravel()
    found = {}
    for key, (estimand, _) in STRATEGIES.items():
        time, code = (part.ravel() for part in worlds.observed(estimand))
        if key == "composite":
            code = np.where(code == Cause.TRANSPLANT, cause, code)
        rows = cif(time, code, group, of=int(cause), times=_MONTHS)
        found[key] = (np.array([r.estimate for r in rows]), np.array([r.std_error for r in rows]))
    return found


def estimand_table(
    *,
    shares: tuple[float, float] = (0.35, 0.15),
    relapse_ratio: float = 0.3,
    trials: int = 200,
) -> Drawing:
    """Draw one trial under five ways to treat a transplant, and the patients that each asks for.

    Parameters
    ----------
    shares : tuple of float, optional
        Share of patients who are to be transplanted if remission lasts, single and dual arm.
    relapse_ratio : float, optional
        Hazard of every relapse after transplant, relative to before, >= 0.
    trials : int, optional
        Simulated trials of 1,000 patients.

    Returns
    -------
    Drawing
        Left, incidence of antigen-negative relapse at two years in both arms; right, patients by
        the formula for two proportions.
    """
    found = incidences_by_strategy(
        transplant_trial(shares, relapse_ratio=relapse_ratio), trials=trials
    )
    share = np.array([value for value, _ in found.values()])
    error = np.array([error for _, error in found.values()])
    patients = np.array([two_proportions(float(a), float(b)).patients for a, b in share])
    numbers: dict[str, Quoted] = {"patients": quote(500.0 * trials, 3)}
    for i, key in enumerate(found):
        numbers[f"{key}_single"] = percent(share[i, 0], 1)
        numbers[f"{key}_dual"] = percent(share[i, 1], 1)
        numbers[f"{key}_patients"] = quote(float(patients[i]), 3)
    n = {key: value.text for key, value in numbers.items()}
    heights = np.arange(len(found))[::-1].astype(float)
    with house_style():
        figure, (left, right) = axes(columns=2, width=8.6, height=3.9)
        for column, name, colour, marker in (
            (0, "single", NEGATIVE, "o"), (1, "dual", POSITIVE, "D"),
        ):  # fmt: skip
            left.errorbar(
                100 * share[:, column], heights, xerr=200 * error[:, column], fmt=marker,
                color=colour, markerfacecolor="white" if marker == "D" else colour, label=name,
            )  # fmt: skip
        left.set_yticks(heights, [words for _, words in STRATEGIES.values()])
        left.set_xlim(0, None)
        left.set_ylim(-0.6, len(found) - 0.4)
        left.set_xlabel("escape by two years (%)")
        right.barh(heights, patients, color=NEUTRAL, alpha=0.6)
        for height, number in zip(heights, patients, strict=True):
            right.text(number + 6, height, f"{number:.0f}", va="center")
        right.set_yticks(heights, [""] * heights.size)
        right.set_ylim(-0.6, len(found) - 0.4)
        right.set_xlim(0, 1.25 * patients.max())
        right.set_xlabel("patients for a power of 80 %")
        handles, labels = left.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=2, fontsize=9.5)
    said = "; ".join(
        f"{words}, {n[f'{key}_single']} and {n[f'{key}_dual']} %, {n[f'{key}_patients']} patients"
        for key, (_, words) in STRATEGIES.items()
    )
    return Drawing(
        figure=figure,
        caption="One trial, five answers: how a transplant is counted decides the effect and the "
        "size of the next trial.",
        alt="Incidence of antigen-negative relapse by two years in the single and in the dual arm, "
        f"from {n['patients']} simulated patients each, and patients that a trial needs: {said}.",
        numbers=numbers,
        data={
            "single": share[:, 0], "dual": share[:, 1], "single_error": error[:, 0],
            "dual_error": error[:, 1], "patients": patients,
        },
    )  # fmt: skip
