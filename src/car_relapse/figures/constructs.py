"""What relapses had kept under two targets, for the chapter *What would stop it*."""

from __future__ import annotations

import numpy as np

from car_relapse.evidence import relapse_split, trials
from car_relapse.figures.style import (
    INK,
    NEGATIVE,
    NEUTRAL,
    POSITIVE,
    Drawing,
    Quoted,
    axes,
    house_style,
    intervals,
    percent,
    quote,
)
from car_relapse.proportions import exact_interval

__all__ = ["construct_outcomes"]

# Each construct with the cohorts whose relapses the sources read for this book classify.
_CONSTRUCTS = (
    ("one target, for comparison", "lamble2023_phenotype", "leukaemia"),
    ("tandem or loop", "stanford_adult_1922_ball", "leukaemia"),
    ("tandem or loop", "stanford_adult_1922_lbcl", "lymphoma"),
    ("co-transduced", "ghorashian2024_carpall", "leukaemia"),
    ("co-administered", "wangt2023_coadmin", "leukaemia"),
)


def construct_outcomes() -> Drawing:
    """Draw what relapses had kept under two targets, construct by construct.

    Exact (Clopper–Pearson) 95 % intervals; relapses of unknown kind are left out.
    """
    rows = []
    for construct, key, disease in _CONSTRUCTS:
        split = relapse_split(trials()[key])
        known = split.total - split.unknown
        two = len(trials()[key].antigens) == 2
        # With one target nothing is partial, and a switch of lineage hides every target.
        every = split.antigen_negative + split.lineage_switch
        counts = (split.antigen_positive, split.partial if two else None, every)
        rows.append((f"{construct}, {disease} ({known})", key, known, counts))
    kinds = (
        ("kept", "kept every target", POSITIVE, "o", 0.0),
        ("one_lost", "lost one of two", INK, "D", -0.17),
        ("all_lost", "lost every target", NEGATIVE, "s", -0.34),
    )
    silent = ("bicistronic", "sequential")
    data: dict[str, list[float]] = {"row": [], "kind": [], "share": [], "low_95": [], "high_95": []}
    numbers: dict[str, Quoted] = {}
    with house_style():
        figure, (ax,) = axes(height=6.0)
        y = np.arange(len(rows) + len(silent), dtype=float)[::-1]
        for k, (name, label, colour, marker, down) in enumerate(kinds):
            drawn = []
            for i, (_, key, known, counts) in enumerate(rows):
                count = counts[k]
                if count is None:
                    continue
                low, high = exact_interval(count, known)
                drawn.append((y[i] + down, count / known, low, high))
                for column, value in zip(data, (i, k, count / known, low, high), strict=True):
                    data[column].append(float(value))
                numbers |= {
                    f"{key}_{name}": quote(float(count), max(len(str(count)), 1)),
                    f"{key}_{name}_percent": percent(count / known),
                    f"{key}_{name}_low": percent(low),
                    f"{key}_{name}_high": percent(high),
                    f"{key}_known": quote(float(known), len(str(known))),
                }
            at, share, lows, highs = np.array(drawn).T
            intervals(ax, at, share, lows, highs, colour=colour, marker=marker, label=label)
        for (row, *_), height in zip(rows, y, strict=False):
            ax.text(0.0, height + 0.13, row, va="bottom")
        for row, height in zip(silent, y[len(rows) :], strict=True):
            ax.text(0.0, height + 0.13, row, va="bottom")
            ax.text(0.0, height, "no count by kind in the texts we read", va="top", color=NEUTRAL)
        ax.set_yticks([])
        ax.set_xlim(-2, 106)
        ax.set_ylim(-0.5, y[0] + 0.6)
        ax.set_xlabel("share of relapses of known kind (%)")
        ax.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=2)
    n = {key: value.text for key, value in numbers.items()}

    def words(key: str, kind: str) -> str:
        return (
            f"{n[f'{key}_{kind}_percent']} % ({n[f'{key}_{kind}_low']} to "
            f"{n[f'{key}_{kind}_high']})"
        )

    spoken = "; ".join(
        f"{row[: row.rindex(' (')]}: kept every target {words(key, 'kept')}"
        + (f", lost one {words(key, 'one_lost')}" if counts[1] is not None else "")
        + f", lost every target {words(key, 'all_lost')}"
        for row, key, _, counts in rows
    )
    return Drawing(
        figure=figure,
        caption="Under two targets most relapses kept both or lost one; loss of every target, "
        "common with one target, became rare. Intervals are wide.",
        alt=f"Shares of relapses of known kind with exact intervals, one row per cohort. {spoken}. "
        "For bicistronic and sequential products no count was found.",
        numbers=numbers,
        data={name: np.array(column) for name, column in data.items()},
    )
