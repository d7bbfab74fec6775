"""Figures of the chapter *A living drug and how it fails*."""

from __future__ import annotations

import numpy as np
from matplotlib.ticker import FixedLocator
from numpy.typing import NDArray
from scipy.stats import binomtest

from car_relapse.evidence import kinetics, trials
from car_relapse.exposure import SteinPopulation, stein_population
from car_relapse.figures.style import (
    INK,
    POSITIVE,
    Drawing,
    Quoted,
    axes,
    count,
    house_style,
    intervals,
    percent,
    quote,
)

__all__ = ["cohort_denominators", "flow_count", "stein_curve"]


def stein_curve(
    population: SteinPopulation | None = None, *, patients: int = 2000, seed: int = 20260101
) -> Drawing:
    """Draw the typical tisagenlecleucel curve over the middle 90 % of simulated patients.

    Parameters
    ----------
    population : SteinPopulation, optional
        Curves to draw; the ledger's by default.
    patients : int, optional
        Simulated patients behind the band.
    seed : int, optional
        Seed of the simulated patients.

    Returns
    -------
    Drawing
    """
    source = stein_population() if population is None else population
    typical = source.typical
    day = np.unique(np.concatenate([np.linspace(0, 40, 161), np.linspace(40, 400, 181)]))
    curves = source.sample(patients, np.random.default_rng(seed)).level(day[:, None])
    low, high = np.quantile(curves, [0.05, 0.95], axis=1)
    level = typical.level(day)
    numbers = {
        "peak_day": quote(float(typical.peak_day), 2),
        "peak_level": quote(float(typical.peak_level), 2),
        "half_life_contraction_days": quote(float(np.log(2) / typical.contraction_rate), 2),
        "half_life_memory_days": quote(float(np.log(2) / typical.memory_rate), 3),
        "level_day_28": quote(float(typical.level(28.0)), 2),
        "level_day_365": quote(float(typical.level(365.0)), 2),
        "switch_day": quote(float(typical.switch_day), 2),
        "low_day_28": quote(float(np.quantile(_at(curves, day, 28.0), 0.05)), 2),
        "high_day_28": quote(float(np.quantile(_at(curves, day, 28.0), 0.95)), 2),
    }
    with house_style():
        figure, (ax,) = axes()
        ax.fill_between(day, low, high, color=POSITIVE, alpha=0.18, linewidth=0)
        ax.plot(day, level, color=POSITIVE)
        ax.set_yscale("log")
        ax.set_ylim(1, 3e5)
        ax.set_xlim(0, 400)
        ax.xaxis.set_major_locator(FixedLocator([0, 28, 90, 180, 270, 365]))
        ax.set_xlabel("days after infusion")
        ax.set_ylabel("CAR transgene (copies/µg DNA)")
        ax.annotate("expansion", (4, 260), (24, 1.2e5), color=INK, arrowprops={"arrowstyle": "-"})
        ax.annotate(
            "contraction", (24, 2400), (60, 1.4e4), color=INK, arrowprops={"arrowstyle": "-"}
        )
        ax.annotate("memory", (200, 100), (215, 700), color=INK, arrowprops={"arrowstyle": "-"})
    n = {key: value.text for key, value in numbers.items()}
    return Drawing(
        figure=figure,
        caption="Up in days, down in weeks, then a slow tail over months; patients differ from the "
        "typical curve by orders of magnitude.",
        alt=f"Transgene level on a log scale against days. The typical curve rises to "
        f"{n['peak_level']} copies per microgram on day {n['peak_day']}, falls to "
        f"{n['level_day_28']} on day 28 and to {n['level_day_365']} on day 365. The band of the "
        f"middle 90 % of patients spans {n['low_day_28']} to {n['high_day_28']} on day 28.",
        numbers=numbers,
        data={"day": day, "typical": level, "percentile_5": low, "percentile_95": high},
    )


def _at(curves: np.ndarray, day: np.ndarray, when: float) -> np.ndarray:
    return np.asarray(curves[int(np.argmin(np.abs(day - when)))])


def flow_count(key: str) -> int:
    """Return one count of patients from the table of kinetic values."""
    value = kinetics()[f"flow_{key}"].value
    if value is None:
        raise ValueError(f"flow_{key} holds no number; a count is needed; see kinetics.csv")
    return int(value)


def _cohorts() -> dict[str, tuple[str, int, int, int]]:
    """Return, by name, the label of a cohort and how many entered, were counted and responded."""
    eliana, zuma3, transcend = (trials()[k] for k in ("eliana_primary", "zuma3_p2", "transcend"))
    rows = {
        "uk": (
            "UK, children",
            flow_count("uk_eligible"),
            flow_count("uk_infused"),
            flow_count("uk_cr"),
        ),
        "eliana": (
            "ELIANA, children",
            flow_count("eliana_enrolled"),
            eliana.n_evaluable,
            eliana.n_cr,
        ),
        "zuma3": ("ZUMA-3, adults", flow_count("zuma3_enrolled"), zuma3.n_evaluable, zuma3.n_cr),
        "transcend": (
            "TRANSCEND, lymphoma",
            flow_count("transcend_harvested"),
            transcend.n_evaluable,
            transcend.n_cr,
        ),
    }
    return {
        name: (label, int(entered), int(counted or 0), int(responded or 0))
        for name, (label, entered, counted, responded) in rows.items()
    }


def _rates(counts: list[tuple[int, int]]) -> NDArray[np.float64]:
    """Return shares and the ends of their exact 95 % intervals, shape (3, n)."""
    tests = [binomtest(some, total) for some, total in counts]
    ends = [test.proportion_ci(0.95, method="exact") for test in tests]
    return np.array(
        [
            [some / total for some, total in counts],
            [end.low for end in ends],
            [end.high for end in ends],
        ]
    )


def cohort_denominators() -> Drawing:
    """Draw one complete-response rate with two denominators, cohort by cohort.

    Exact (Clopper–Pearson) 95 % intervals. The published denominator is those infused, in
    TRANSCEND those evaluable; the other is everyone eligible, enrolled or apheresed.
    """
    cohorts = _cohorts()
    numbers: dict[str, Quoted] = {}
    for name, (_, entered, counted, responded) in cohorts.items():
        numbers |= {
            f"{name}_entered": count(entered),
            f"{name}_counted": count(counted),
            f"{name}_responded": count(responded),
            f"{name}_percent": percent(responded / counted),
            f"{name}_percent_all": percent(responded / entered),
            f"{name}_lost_percent": percent((entered - counted) / entered),
        }
    share, low, high = _rates([(r, counted) for _, _, counted, r in cohorts.values()])
    of_all, all_low, all_high = _rates([(r, entered) for _, entered, _, r in cohorts.values()])
    drops = share - of_all
    numbers["smallest_drop_points"] = percent(float(drops.min()))
    numbers["largest_drop_points"] = percent(float(drops.max()))
    with house_style():
        figure, (ax,) = axes(height=4.2)
        y = np.arange(len(cohorts))[::-1].astype(float)
        intervals(ax, y, share, low, high, colour=POSITIVE, label="as published")
        intervals(
            ax, y - 0.2, of_all, all_low, all_high,
            colour=INK, marker="D", label="of all who entered",
        )  # fmt: skip
        # Each row's words stand above it, so that the plot keeps its width on a phone.
        ax.set_yticks([])
        for (label, entered, counted, responded), height in zip(cohorts.values(), y, strict=True):
            words = f"{label}: {responded} of {counted} (of {entered})"
            ax.text(20.5, height + 0.14, words, va="bottom")
        ax.set_xlim(20, 100)
        ax.set_ylim(-0.5, len(cohorts) - 0.45)
        ax.set_xlabel("complete response (%)")
        ax.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=2)
    n = {key: value.text for key, value in numbers.items()}
    words = "; ".join(
        f"{label} {n[f'{name}_responded']} of {n[f'{name}_counted']}, "
        f"{n[f'{name}_percent']} %, and of {n[f'{name}_entered']}, {n[f'{name}_percent_all']} %"
        for name, (label, *_) in cohorts.items()
    )
    return Drawing(
        figure=figure,
        caption="The same responders, two rates: counting everyone who entered takes "
        f"{n['smallest_drop_points']} to {n['largest_drop_points']} points off the published "
        "response.",
        alt=f"Two dots with exact 95 % intervals per cohort, published and of all who entered: "
        f"{words}.",
        numbers=numbers,
        data={
            "cohort": np.arange(len(cohorts), dtype=float),
            "published": share,
            "published_low_95": low,
            "published_high_95": high,
            "of_all": of_all,
            "of_all_low_95": all_low,
            "of_all_high_95": all_high,
        },
    )
