"""Predictions of the calibrated population beside what was seen in cohorts that were not fitted."""

from __future__ import annotations

import numpy as np

from car_relapse.calibration_table import StoredRow, stored
from car_relapse.figures.style import (
    INK,
    NEGATIVE,
    Drawing,
    Quoted,
    axes,
    house_style,
    percent,
)

__all__ = ["COHORTS", "unfitted_cohorts"]

COHORTS = {
    "eliana_primary": "ELIANA",
    "eliana_3y": "ELIANA",
    "eliana_table2023": "ELIANA",
    "lamble2023_phenotype": "420 infused",
    "cibmtr2025_tisa": "US registry",
    "germany_tisa2023": "Germany",
    "leahy2022_cyto": "High-risk cytogenetics",
    "pillai2019_cd19dim": "One centre, 67 relapses",
    "hugh2022_mrd": "CAR-T for residual disease",
    "park2018": "Adults, CD28 product",
    "wangt2023_coadmin": "CD19 and CD22 together",
}
"""What cohorts of the calibration are called, by their keys."""


def _interval(row: StoredRow) -> tuple[float, float]:
    """Return the 95 % interval of a prediction, within 0 to 1."""
    error = np.hypot(row.numerical_se or 0.0, row.parameter_se or 0.0)
    value = row.value or 0.0
    return max(value - 1.96 * error, 0.0), min(value + 1.96 * error, 1.0)


def unfitted_cohorts() -> Drawing:
    """Draw every share that was not fitted: the prediction and the observation, with intervals."""
    rows = [
        row
        for row in stored("prediction")
        if row.fitted != "yes" and not row.setting.endswith(", months")
    ]
    place = np.arange(len(rows), dtype=float)
    seen = np.array([row.observed for row in rows], dtype=float)
    low = np.array([row.observed_low for row in rows], dtype=float)
    high = np.array([row.observed_high for row in rows], dtype=float)
    value = np.array([row.value for row in rows], dtype=float)
    ends = np.array([_interval(row) for row in rows])
    overlap = (ends[:, 0] <= high) & (low <= ends[:, 1])
    numbers = {
        "rows": Quoted(value=len(rows), text=str(len(rows))),
        "overlap": Quoted(value=float(overlap.sum()), text=str(int(overlap.sum()))),
    }
    misses = [i for i in range(len(rows)) if not overlap[i]]
    for i in misses:
        numbers |= {f"seen_{i}": percent(seen[i]), f"model_{i}": percent(value[i])}
    n = {key: v.text for key, v in numbers.items()}
    with house_style():
        figure, (ax,) = axes(width=6.0, height=0.48 * len(rows) + 1.3)
        ax.hlines(place + 0.12, low, high, color=INK, linewidth=2.2)
        ax.plot(seen, place + 0.12, "s", color=INK, markersize=6, label="seen, 95 % interval")
        ax.hlines(place + 0.38, ends[:, 0], ends[:, 1], color=NEGATIVE, linewidth=2.2)
        ax.plot(value, place + 0.38, "o", color=NEGATIVE, markerfacecolor="white", markersize=6,
                markeredgewidth=2.0, label="predicted, 95 % interval")  # fmt: skip
        for row, y in zip(rows, place, strict=True):
            ax.text(0.0, y - 0.08, f"{COHORTS[row.item]}: {row.setting}", va="bottom", fontsize=9.5)
        ax.set_ylim(len(rows) - 0.3, -0.6)
        ax.set_xlim(-0.02, 1.0)
        ax.set_yticks([])
        ax.set_xlabel("share")
        ax.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=2)
    words = "; ".join(
        f"{COHORTS[rows[i].item]}, {rows[i].setting.split(', ')[0]}, "
        f"{n[f'seen_{i}']} % seen and {n[f'model_{i}']} % predicted"
        for i in misses
    )
    return Drawing(
        figure=figure,
        caption="Intervals of prediction and observation meet for one target; they part for kinds "
        "of relapse after two targets.",
        alt=f"Shares that were not fitted, {n['rows']} rows, each with its observation and its "
        f"prediction and their 95 % intervals. In {n['overlap']} rows the intervals meet. They do "
        f"not in: {words}.",
        numbers=numbers,
        data={
            "seen": seen,
            "seen_low": low,
            "seen_high": high,
            "predicted": value,
            "predicted_low": ends[:, 0],
            "predicted_high": ends[:, 1],
        },
    )
