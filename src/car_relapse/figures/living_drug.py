"""Figures of the chapter *A living drug and how it fails*."""

from __future__ import annotations

import numpy as np
from matplotlib.ticker import FixedLocator

from car_relapse.exposure import SteinPopulation, stein_population
from car_relapse.figures.style import INK, POSITIVE, Drawing, axes, house_style, quote

__all__ = ["stein_curve"]


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
