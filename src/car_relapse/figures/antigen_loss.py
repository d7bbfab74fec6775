"""Figures of the notebook *Escape is usually founded before the first CAR-T cell arrives*."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta, poisson

from car_relapse.clone_law import CloneLaw
from car_relapse.exposure import stein_typical
from car_relapse.figures.style import (
    CURED,
    INK,
    NEGATIVE,
    POSITIVE,
    Drawing,
    Quoted,
    axes,
    chance,
    count,
    house_style,
    quote,
)
from car_relapse.luria_delbrueck import (
    estimate_events,
    estimate_interval,
    mutant_probabilities,
)
from car_relapse.patient import typical_leukaemia, typical_patient
from car_relapse.survival import relapse_probabilities

__all__ = [
    "EXPERIMENT_16",
    "EXPERIMENT_16_PLATED",
    "fluctuation_counts",
    "later_peak",
    "tails_by_events",
]

Floats = NDArray[np.float64]

#: Resistant bacteria in each culture of experiment 16 of Luria and Delbrück 1943
#: (doi:10.1093/genetics/28.6.491), as the manual of the program of Zheng 2017 prints them
#: (doi:10.1534/g3.117.300120), and the part of each culture that was plated.
EXPERIMENT_16 = (1, 0, 3, 0, 0, 5, 0, 5, 0, 6, 107, 0, 0, 0, 1, 0, 0, 64, 0, 35)
EXPERIMENT_16_PLATED = 0.4

_LOOKS = (("-", POSITIVE), ("--", NEGATIVE), ("-.", INK), (":", CURED))


def fluctuation_counts() -> Drawing:
    """Draw the counts of a classic experiment beside the fitted law and beside a Poisson law.

    Bars are exact (Clopper–Pearson) 95 % intervals of the share of cultures.
    """
    counts, law = np.array(EXPERIMENT_16), CloneLaw(detection=EXPERIMENT_16_PLATED)
    cultures = counts.size
    fitted = estimate_events(counts, law)
    low_events, high_events = estimate_interval(counts, law)
    at_least = np.unique(counts[counts > 0])
    hits = np.array([(counts >= k).sum() for k in at_least])
    low = beta.ppf(0.025, hits, cultures - hits + 1)
    high = beta.ppf(0.975, hits + 1, cultures - hits)
    columns: dict[str, Floats] = {
        "at_least": at_least.astype(float),
        "counted": hits / cultures,
        "low_95": low,
        "high_95": high,
        "fitted": 1.0 - np.cumsum(mutant_probabilities(fitted, law, 200))[at_least - 1],
        "poisson": poisson.sf(at_least - 1.0, counts.mean()),
    }
    numbers = {
        "cultures": count(cultures),
        "none": count(int((counts == 0).sum())),
        "largest": count(int(counts.max())),
        "mean": quote(float(counts.mean()), 2),
        "variance": quote(float(counts.var(ddof=1)), 3),
        "events": quote(fitted, 2),
        "events_low": quote(low_events, 2),
        "events_high": quote(high_events, 2),
        "intervals": count(at_least.size),
    }
    for name in ("fitted", "poisson"):
        inside = (low <= columns[name]) & (columns[name] <= high)
        numbers[f"inside_{name}"] = count(int(inside.sum()))
    n = {key: value.text for key, value in numbers.items()}
    grid = np.unique(np.round(np.geomspace(1, 200, 60)).astype(int))
    with house_style():
        figure, (ax,) = axes()
        tail = 1.0 - np.cumsum(mutant_probabilities(fitted, law, 200))[grid - 1]
        ax.plot(grid, tail, color=NEGATIVE, label="fluctuation law, fitted")
        same = poisson.sf(grid - 1.0, counts.mean())
        ax.plot(grid, same, "--", color=POSITIVE, label="Poisson law, same mean")
        share = columns["counted"]
        bars = [share - low, high - share]
        ax.errorbar(at_least, share, yerr=bars, fmt="none", color=INK, lw=1.3, capsize=3)
        ax.plot(at_least, share, "o", mfc="white", mec=INK, ls="None", label="cultures counted")
        ax.set_xscale("log")
        ax.set_xlim(0.9, 200)
        ax.set_xticks([1, 10, 100], ["1", "10", "100"])
        ax.set_ylim(0, 1.32)
        ax.set_yticks([0, 0.25, 0.5, 0.75, 1.0])
        ax.set_xlabel("resistant bacteria in the culture, at least")
        ax.set_ylabel("share of cultures")
        ax.legend(loc="upper right")
    return Drawing(
        figure=figure,
        caption="Real jackpots: a Poisson law of the same mean misses the counts; the fluctuation "
        "law follows them, with fewer large jackpots than were seen.",
        alt=f"Share of {n['cultures']} cultures with at least a given number of resistant "
        f"bacteria, with exact 95 % intervals. {n['none']} cultures held none and one held "
        f"{n['largest']}; the mean is {n['mean']} and the variance {n['variance']}. The fitted law "
        f"with {n['events']} mutations a culture ({n['events_low']} to {n['events_high']}) falls "
        f"slowly, through {n['inside_fitted']} of the {n['intervals']} intervals; the Poisson law "
        f"stays near 1, drops to 0 and meets {n['inside_poisson']}.",
        numbers=numbers,
        data=columns,
    )


def tails_by_events(events: Sequence[float] = (0.2, 2.0, 20.0)) -> Drawing:
    """Draw the law of the number of escaped cells for several numbers of loss events.

    Parameters
    ----------
    events : sequence of at most four floats, optional
        Expected loss events m = uN/s per patient, one curve each.
    """
    disease = typical_leukaemia()
    law = CloneLaw(death_ratio=disease.death_rate / disease.birth_rate)
    at_least = np.unique(np.round(np.geomspace(1, 2000, 60)).astype(int))
    columns: dict[str, Floats] = {"at_least": at_least.astype(float)}
    numbers: dict[str, Quoted] = {}
    with house_style():
        figure, (ax,) = axes()
        for i, (m, (style, colour)) in enumerate(zip(events, _LOOKS, strict=False)):
            tail = 1.0 - np.cumsum(mutant_probabilities(m, law, 2000))[at_least - 1]
            columns[f"events_{i}"] = tail
            numbers |= {
                f"events_{i}": Quoted(value=m, text=f"{m:g}"),
                f"some_{i}": chance(float(tail[0])),
                f"at_1000_{i}": quote(float(np.interp(1000, at_least, tail)), 2),
            }
            ax.plot(at_least, tail, style, color=colour, label=f"{m:g} loss events")
        ax.set_xscale("log")
        ax.set_yscale("log")
        ax.set_xlim(1, 2000)
        ax.set_ylim(5e-5, 1.5)
        ax.set_xticks([1, 10, 100, 1000], ["1", "10", "100", "1000"])
        ax.set_xlabel("antigen-negative cells at infusion, at least")
        ax.set_ylabel("share of patients")
        ax.legend(loc="lower left")
    words = "; ".join(
        f"with {numbers[f'events_{i}'].text} events {numbers[f'some_{i}'].text} of patients have "
        f"any and {numbers[f'at_1000_{i}'].text} have 1000 or more"
        for i in range(min(len(events), len(_LOOKS)))
    )
    return Drawing(
        figure=figure,
        caption="More events lift the tail and leave its slope: ten times the events, ten times "
        "as many patients with a jackpot.",
        alt="Share of patients with at least a given number of antigen-negative cells, both axes "
        f"logarithmic. All curves end in parallel straight lines of slope minus one: {words}.",
        numbers=numbers,
        data=columns,
    )


def later_peak(peaks: Sequence[float] = (5.0, 9.3, 15.0, 20.0, 25.0)) -> Drawing:
    """Draw the surviving escaped lines founded before and under therapy, by day of the peak.

    Parameters
    ----------
    peaks : sequence of floats, optional
        Days of the peak of CAR-T cells; the expansion is as large, and slower.
    """
    patient = typical_patient()
    results = []
    for peak in peaks:
        curve = replace(stein_typical(), peak_day=peak)
        slow = replace(patient, therapy=replace(patient.products[0], exposure=curve))
        results.append(relapse_probabilities(slow))
    columns: dict[str, Floats] = {
        "peak_day": np.array(peaks, dtype=float),
        "before": np.array([result.preexisting_lines for result in results]),
        "under": np.array([result.acquired_lines for result in results]),
        "escape": np.array([result.antigen_negative for result in results]),
    }
    numbers = {"before": quote(float(columns["before"][0]), 2)}
    for i, name in ((0, "first"), (len(peaks) - 1, "last")):
        numbers |= {
            f"peak_{name}": Quoted(value=float(peaks[i]), text=f"{peaks[i]:g}"),
            f"under_{name}": quote(float(columns["under"][i]), 2),
            f"escape_{name}": quote(float(columns["escape"][i]), 2),
        }
    n = {key: value.text for key, value in numbers.items()}
    with house_style():
        figure, (ax,) = axes()
        ax.plot(peaks, columns["before"], "-", color=POSITIVE, label="founded before infusion")
        ax.plot(peaks, columns["under"], "--o", color=NEGATIVE, label="founded under therapy")
        ax.set_xticks([5, 10, 15, 20, 25])
        ax.set_xlim(min(peaks) - 0.5, max(peaks) + 0.5)
        ax.set_ylim(0, 1.35 * max(columns["under"].max(), columns["before"].max()))
        ax.set_xlabel("day of the CAR-T peak")
        ax.set_ylabel("expected surviving escapes")
        ax.legend(loc="upper left")
    return Drawing(
        figure=figure,
        caption="What was founded before infusion stays; the later the T cells peak, the more is "
        "founded after it.",
        alt="Expected surviving escaped lines against the day of the CAR-T peak. Those founded "
        f"before infusion stay at {n['before']}; those founded under therapy rise from "
        f"{n['under_first']} with a peak on day {n['peak_first']} to {n['under_last']} with one on "
        f"day {n['peak_last']}, and the chance of escape from {n['escape_first']} to "
        f"{n['escape_last']}.",
        numbers=numbers,
        data=columns,
    )
