"""Figures of the notebook on single arms: the saw, response and what follows, the history."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.ticker import MultipleLocator
from scipy.stats import binom

from car_relapse.evidence import landmarks_of, trials
from car_relapse.figures.style import (
    INK,
    NEGATIVE,
    NEUTRAL,
    POSITIVE,
    Drawing,
    Quoted,
    axes,
    chance,
    count,
    house_style,
    percent,
)
from car_relapse.proportions import exact_interval
from car_relapse.trial.single_arm import ahern, exact_test

__all__ = ["historical_control", "response_and_later", "saw_tooth"]

_ALPHA = 0.05
#: Cohorts with B-ALL whose response and event-free survival at 12 months were both read.
_LATER = {
    "eliana_primary": ("ELIANA", (-9, 8), "right"),
    "zhangc2020_donor": ("donor cells", (-9, -14), "right"),
    "auto3_amelia": ("AMELIA", (9, -14), "left"),
    "ghorashian2024_carpall": ("CARPALL", (-9, 8), "right"),
    "wangt2023_coadmin": ("two products", (-9, 8), "right"),
}


def saw_tooth() -> Drawing:
    """Draw exact power and type I error of a one-stage test against the number of patients."""
    null, alternative = 0.2, 0.4
    patients = np.arange(20, 61)
    needed = np.array([exact_test(int(n), null, _ALPHA).enough[0] for n in patients])
    power = binom.sf(needed - 1, patients, alternative)
    error = binom.sf(needed - 1, patients, null)
    first, stable = ahern(null, alternative), ahern(null, alternative, stable=True)
    marks = [("smallest", first, "D", "white"), ("stable", stable, "o", INK)]
    numbers = {
        f"{name}_{what}": value
        for name, design, *_ in marks
        for what, value in (
            ("patients", count(design.patients[0])),
            ("needed", count(int(design.enough[0] or 0))),
            ("power", chance(design.operating(alternative).success)),
        )
    }
    between = (patients > first.patients[0]) & (patients < stable.patients[0])
    numbers["dip_patients"] = count(int(patients[between][np.argmin(power[between])]))
    numbers["dip_power"] = chance(float(power[between].min()))
    numbers |= {"null": percent(null), "alternative": percent(alternative)}
    with house_style():
        figure, (left, right) = axes(columns=2, width=7.4, height=3.6)
        left.plot(patients, power, color=POSITIVE, linewidth=1.5)
        for name, design, mark, face in marks:
            left.plot(
                design.patients, [design.operating(alternative).success], mark, color=INK,
                markerfacecolor=face, markersize=7, linestyle="none", label=name,
            )  # fmt: skip
        left.axhline(0.8, color=NEUTRAL, linestyle=":", linewidth=1.5)
        left.set_ylabel(f"power at {100 * alternative:.0f} %")
        left.legend(loc="lower right")
        right.plot(patients, error, color=NEGATIVE, linewidth=1.5)
        right.axhline(_ALPHA, color=NEUTRAL, linestyle=":", linewidth=1.5)
        right.set_ylim(0, 0.055)
        right.set_ylabel(f"type I error at {100 * null:.0f} %")
        for ax in (left, right):
            ax.set_xlabel("patients")
    n = {key: value.text for key, value in numbers.items()}
    return Drawing(
        figure=figure,
        caption="One more patient can lower the power: the test may need one more responder, and "
        "then its error falls, too.",
        alt=f"Left: exact power against the number of patients, a rising saw. With "
        f"{n['smallest_patients']} patients, {n['smallest_needed']} responders needed, it is "
        f"{n['smallest_power']}; with {n['dip_patients']} it is {n['dip_power']}; from "
        f"{n['stable_patients']} on it stays above 0.8. Right: the type I error, a saw below 0.05.",
        numbers=numbers,
        data={"patients": patients.astype(float), "power": power, "error": error},
    )


def response_and_later() -> Drawing:
    """Draw complete response and event-free survival at 12 months of cohorts with B-ALL."""
    rows = []
    for key in _LATER:
        trial = trials()[key]
        responded, assessed = int(trial.n_cr or 0), int(trial.n_evaluable or 0)
        year = next(row for row in landmarks_of(key, "EFS") if row.month == 12)
        rows.append(
            (
                responded / assessed,
                *exact_interval(responded, assessed),
                year.value / 100,
                (year.value if year.ci_low is None else year.ci_low) / 100,
                (year.value if year.ci_high is None else year.ci_high) / 100,
            )
        )
    share, low, high, later, later_low, later_high = np.array(rows).T
    several = np.array([len(trials()[key].antigens) > 1 for key in _LATER])
    numbers: dict[str, Quoted] = {}
    for key, response, year in zip(_LATER, share, later, strict=True):
        numbers[f"{key}_response"] = percent(float(response))
        numbers[f"{key}_later"] = percent(float(year))
    with house_style():
        figure, (ax,) = axes(height=4.2)
        for here, colour, mark, face, words in (
            (~several, POSITIVE, "o", POSITIVE, "one target"),
            (several, NEGATIVE, "D", "white", "two targets"),
        ):
            x, y = 100 * share[here], 100 * later[here]
            ax.hlines(y, 100 * low[here], 100 * high[here], color=colour, alpha=0.6, linewidth=1.5)
            ax.vlines(
                x, 100 * later_low[here], 100 * later_high[here],
                color=colour, alpha=0.6, linewidth=1.5,
            )  # fmt: skip
            ax.plot(
                x, y, mark, color=colour, markerfacecolor=face, markersize=7, linestyle="none",
                label=words,
            )  # fmt: skip
        for (words, shift, side), x, y in zip(_LATER.values(), share, later, strict=True):
            ax.annotate(
                words, (100 * x, 100 * y), shift, textcoords="offset points", ha=side, fontsize=10
            )
        ax.set_xlim(45, 103)
        ax.set_ylim(0, 100)
        ax.set_xlabel("complete response (%)")
        ax.set_ylabel("free of events at 12 months (%)")
        ax.legend(loc="lower left")
    n = {key: value.text for key, value in numbers.items()}
    words = "; ".join(
        f"{label} {n[f'{key}_response']} and {n[f'{key}_later']}"
        for key, (label, *_) in _LATER.items()
    )
    return Drawing(
        figure=figure,
        caption="Nearly everybody responds, and the second-highest response goes with the lowest "
        "survival a year later.",
        alt="Complete response against survival without event at 12 months, in per cent, five "
        f"cohorts of leukaemia with intervals: {words}.",
        numbers=numbers,
        data={
            "response": share,
            "response_low_95": low,
            "response_high_95": high,
            "later": later,
            "later_low_95": later_low,
            "later_high_95": later_high,
            "several_targets": several.astype(float),
        },
    )


def historical_control(claimed: float = 0.25, patients: Sequence[int] = (45, 80, 200)) -> Drawing:
    """Draw how often a product that adds nothing succeeds, against the true share without it.

    The event is to be rare; the exact test, at 5 %, counts the patients without it.

    Parameters
    ----------
    claimed : float, optional
        Share with the event that the history claims, strictly between 0 and 1.
    patients : sequence of int, optional
        Patients of the trial, up to three trials.
    """
    true = np.linspace(max(claimed - 0.15, 0.0), min(claimed + 0.05, 1.0), 81)
    tests = {size: exact_test(size, 1.0 - claimed, _ALPHA) for size in patients}
    success = {
        size: binom.sf(int(test.enough[0] or 0) - 1, size, 1.0 - true)
        for size, test in tests.items()
    }
    numbers = {"claimed": percent(claimed)}
    for place, (size, test) in enumerate(tests.items()):
        numbers[f"patients_{place}"] = count(size)
        for points in (0, 5, 10):
            share = max(claimed - points / 100, 0.0)
            numbers[f"minus_{points}"] = percent(share)
            numbers[f"success_{place}_{points}"] = percent(test.operating(1.0 - share).success, 1)
    with house_style():
        figure, (ax,) = axes(height=3.8)
        for (size, rate), (line, colour) in zip(
            success.items(), (("-", POSITIVE), ("--", NEGATIVE), (":", INK)), strict=False
        ):
            ax.plot(100 * true, 100 * rate, line, color=colour, label=f"{size} patients")
        ax.axhline(100 * _ALPHA, color=NEUTRAL, linestyle=":", linewidth=1.5)
        ax.axvline(100 * claimed, color=NEUTRAL, linewidth=1.5)
        ax.annotate("claimed", (100 * claimed, 90), (5, 0), textcoords="offset points", fontsize=10)
        ax.set_xlim(100 * true[0], 100 * true[-1])
        ax.set_ylim(0, 100)
        ax.xaxis.set_major_locator(MultipleLocator(5))
        ax.set_xlabel("true share with the event, without the product (%)")
        ax.set_ylabel("trials that succeed (%)")
        ax.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=3)
    n = {key: value.text for key, value in numbers.items()}
    words = "; ".join(
        f"{n[f'patients_{i}']} patients {n[f'success_{i}_0']}, {n[f'success_{i}_5']} and "
        f"{n[f'success_{i}_10']}"
        for i in range(len(tests))
    )
    return Drawing(
        figure=figure,
        caption="A product that adds nothing succeeds whenever the history was too gloomy, and "
        "the more patients, the surer.",
        alt="Trials that succeed with a product that adds nothing, in per cent, against the true "
        f"share with the event. The history claims {n['claimed']} %. Where the truth is "
        f"{n['minus_0']}, {n['minus_5']} and {n['minus_10']} %: {words}.",
        numbers=numbers,
        data={"true": true, **{f"success_{size}": rate for size, rate in success.items()}},
    )
