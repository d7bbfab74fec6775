"""Figures of the notebook on reading a trial: denominators, exact limits, untested relapses."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom

from car_relapse.evidence import relapse_split, trials
from car_relapse.figures.living_drug import flow_count
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
    intervals,
    percent,
)
from car_relapse.proportions import exact_interval

__all__ = [
    "coverage_when_tested",
    "exact_tails",
    "observed_share",
    "trial_denominators",
    "untested_relapses",
]

Floats = NDArray[np.float64]

_TAIL = 0.025
#: Relapses whose antigen is as likely to be tested as it gets, in the figure of untested ones.
_TESTED = 0.9


def _paths() -> dict[str, tuple[str, list[tuple[str, int]], int]]:
    """Return, by name, a trial, its denominators from first to last, and its responders."""
    amelia, eliana, zuma3 = (trials()[k] for k in ("auto3_amelia", "eliana_primary", "zuma3_p2"))
    enrolled = {name: flow_count(f"{name}_enrolled") for name in ("amelia", "eliana", "zuma3")}
    made = enrolled["eliana"] - flow_count("eliana_not_made")
    return {
        "amelia": (
            "AMELIA, two targets",
            [
                ("enrolled", enrolled["amelia"]),
                ("cells collected", flow_count("amelia_harvested")),
                ("infused", int(amelia.n_infused or 0)),
            ],
            int(amelia.n_cr or 0),
        ),
        "eliana": (
            "ELIANA, one target",
            [
                ("enrolled", enrolled["eliana"]),
                ("product made", made),
                ("infused", int(eliana.n_infused or 0)),
            ],
            int(eliana.n_cr or 0),
        ),
        "zuma3": (
            "ZUMA-3, one target",
            [
                ("enrolled", enrolled["zuma3"]),
                ("product made", flow_count("zuma3_made")),
                ("infused", int(zuma3.n_infused or 0)),
            ],
            int(zuma3.n_cr or 0),
        ),
    }


def trial_denominators() -> Drawing:
    """Draw the response of three trials over each of their denominators, with exact intervals."""
    paths = _paths()
    rows = [
        (name, step, responded, total)
        for name, (_, steps, responded) in paths.items()
        for step, (_, total) in enumerate(steps)
    ]
    share = np.array([responded / total for *_, responded, total in rows])
    low, high = np.array([exact_interval(responded, total) for *_, responded, total in rows]).T
    numbers = {f"{name}_responded": count(path[2]) for name, path in paths.items()}
    for (name, step, _, total), middle, bottom, top in zip(rows, share, low, high, strict=True):
        numbers |= {
            f"{name}_{step}_total": count(total),
            f"{name}_{step}_percent": percent(float(middle)),
            f"{name}_{step}_low": percent(float(bottom)),
            f"{name}_{step}_high": percent(float(top)),
        }
    with house_style():
        figure, (ax,) = axes(height=5.0)
        # Three rows for each trial, below a row with its name.
        height = np.array([-4.0 * list(paths).index(name) - step for name, step, *_ in rows])
        for step, (colour, mark) in enumerate(((INK, "D"), (NEUTRAL, "s"), (POSITIVE, "o"))):
            here = np.array([row[1] == step for row in rows])
            intervals(
                ax, height[here], share[here], low[here], high[here], colour=colour, marker=mark
            )
        for place, (label, steps, responded) in enumerate(paths.values()):
            ax.text(1, -4.0 * place + 0.75, label, va="center", weight="bold")
            for step, (words, total) in enumerate(steps):
                ax.text(1, -4.0 * place - step, f"{responded} of {total} {words}", va="center")
        ax.set_yticks([])
        ax.set_xlim(0, 100)
        ax.set_ylim(-10.6, 1.3)
        ax.set_xticks(range(40, 101, 20))
        ax.set_xlabel("complete response (%)", loc="right")
        ax.grid(axis="y", visible=False)
    n = {key: value.text for key, value in numbers.items()}
    words = "; ".join(
        f"{label}, {n[f'{name}_responded']} of "
        + ", ".join(
            f"{n[f'{name}_{step}_total']} {what} {n[f'{name}_{step}_percent']} % "
            f"({n[f'{name}_{step}_low']} to {n[f'{name}_{step}_high']})"
            for step, (what, _) in enumerate(steps)
        )
        for name, (label, steps, _) in paths.items()
    )
    return Drawing(
        figure=figure,
        caption="The responders stay the same and the denominator grows: each trial has three "
        "response rates, and the published one is the highest.",
        alt=f"Marks with exact 95 % intervals, three for each trial. {words}.",
        numbers=numbers,
        data={
            "trial": np.array([list(paths).index(name) for name, *_ in rows], dtype=float),
            "step": np.array([step for _, step, *_ in rows], dtype=float),
            "share": share,
            "low_95": low,
            "high_95": high,
        },
    )


def exact_tails(counts: Sequence[tuple[int, int]] = ((0, 20), (5, 10))) -> Drawing:
    """Draw how an exact interval is made: the two tails of the count against the true share.

    Parameters
    ----------
    counts : sequence of (int, int)
        Events and patients, one pair for each panel; one or two panels.
    """
    share = np.linspace(0.0, 1.0, 201)
    numbers: dict[str, Quoted] = {}
    data = {"share": share}
    with house_style():
        figure, panels = axes(columns=len(counts), width=3.7 * max(len(counts), 1.5), height=3.6)
        for panel, (ax, (events, patients)) in enumerate(zip(panels, counts, strict=True)):
            low, high = exact_interval(events, patients)
            least = binom.sf(events - 1, patients, share)
            most = binom.cdf(events, patients, share)
            data |= {f"as_many_{panel}": least, f"as_few_{panel}": most}
            numbers |= {
                f"events_{panel}": count(events),
                f"patients_{panel}": count(patients),
                f"low_{panel}": percent(low, 1),
                f"high_{panel}": percent(high, 1),
            }
            ax.axvspan(100 * low, 100 * high, color=CURED, alpha=0.18, linewidth=0)
            if events:
                ax.plot(100 * share, least, "--", color=NEGATIVE, label="as many, or more")
            if events < patients:
                ax.plot(100 * share, most, color=POSITIVE, label="as few, or fewer")
            ax.axhline(_TAIL, color=NEUTRAL, linewidth=1.2, linestyle=":")
            ax.set_title(f"{events} of {patients}: {100 * low:.0f} to {100 * high:.0f} %")
            ax.set_xlabel("true share (%)")
            ax.set_xlim(0, 100)
            ax.set_ylim(0, 1.02)
        lines = {line.get_label(): line for ax in panels for line in ax.get_lines()[:-1]}
        handles, labels = list(lines.values()), [str(label) for label in lines]
        figure.legend(handles, labels, loc="outside lower center", ncols=2)
        panels[0].set_ylabel("chance of a count")
    n = {key: value.text for key, value in numbers.items()}
    words = "; ".join(
        f"{n[f'events_{i}']} of {n[f'patients_{i}']} gives {n[f'low_{i}']} to {n[f'high_{i}']} %"
        for i in range(len(counts))
    )
    return Drawing(
        figure=figure,
        caption="Shares in the shaded band explain the count: at its ends a count as extreme has a "
        "chance of one in forty.",
        alt="Chance of a count as small, and of one as large, against the true share. The band "
        f"between their crossings of 0.025 is the exact interval: {words}.",
        numbers=numbers,
        data=data,
    )


def observed_share(share: float, ratio: float) -> float:
    """Return the share among tested relapses that is expected.

    Parameters
    ----------
    share : float
        True share of relapses that lost the antigen, in [0, 1].
    ratio : float
        Chance that such a relapse is tested over that of one which kept it.
    """
    return share * ratio / (share * ratio + 1.0 - share)


def coverage_when_tested(
    share: float, ratio: float, relapses: int, tested: float = _TESTED
) -> float:
    """Return how often the exact 95 % interval of the tested relapses holds the true share.

    An exact sum over the numbers tested. When nobody is tested the interval holds every share.

    Parameters
    ----------
    share, ratio : float
        As in `observed_share`.
    relapses : int
        Relapses, tested or not.
    tested : float, optional
        Chance that a relapse of the kind which is tested more often is tested.
    """
    lost, kept = tested * min(ratio, 1.0), tested / max(ratio, 1.0)
    totals = np.arange(relapses + 1)
    chance = binom.pmf(totals, relapses, share * lost + (1.0 - share) * kept)
    seen = observed_share(share, ratio)
    # The interval holds the share when neither tail is below 2.5 %: counts between two quantiles.
    first = binom.ppf(_TAIL, totals, share)
    last = totals - binom.ppf(_TAIL, totals, 1.0 - share)
    inside = binom.cdf(last, totals, seen) - binom.cdf(first - 1, totals, seen)
    inside[0] = 1.0
    return float(chance @ inside)


def untested_relapses() -> Drawing:
    """Draw what is seen, and how often the interval is right, when testing depends on the antigen.

    The share of relapses without the antigen in the largest cohort with one target counts as true.
    """
    split = relapse_split(trials()["lamble2023_phenotype"])
    true = split.antigen_negative / split.total
    ratio = np.geomspace(0.25, 4.0, 97)
    seen = np.array([observed_share(true, r) for r in ratio])
    sizes = (10, 43, split.total)
    coverage = {
        size: np.array([coverage_when_tested(true, float(r), size) for r in ratio])
        for size in sizes
    }
    numbers = {
        "true_percent": percent(true),
        "half_seen": percent(observed_share(true, 0.5)),
        "double_seen": percent(observed_share(true, 2.0)),
        "most_relapses": count(split.total),
        "tested_percent": percent(_TESTED),
    } | {
        f"half_covered_{place}": percent(coverage_when_tested(true, 0.5, size))
        for place, size in enumerate(sizes)
    }
    with house_style():
        figure, (left, right) = axes(columns=2, width=7.4, height=3.6)
        left.plot(ratio, 100 * seen, color=NEGATIVE, label="among tested")
        left.axhline(100 * true, color=INK, linestyle="--", linewidth=1.5, label="true")
        left.set_ylabel("relapses without antigen (%)")
        left.set_ylim(0, 100)
        left.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, columnspacing=1.2)
        styles = (("-", POSITIVE), ("--", NEGATIVE), (":", INK))
        for (size, covered), (line, colour) in zip(coverage.items(), styles, strict=True):
            words = f"{size} relapses" if size == split.total else str(size)
            right.plot(ratio, 100 * covered, line, color=colour, label=words)
        right.set_ylabel("intervals that hold the truth (%)")
        right.set_ylim(0, 104)
        right.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, columnspacing=1.2)
        for ax in (left, right):
            ax.set_xscale("log")
            ax.set_xticks([0.25, 0.5, 1, 2, 4], ["¼", "½", "1", "2", "4"])
            ax.minorticks_off()
            ax.set_xlabel("testing, lost over kept")
    n = {key: value.text for key, value in numbers.items()}
    return Drawing(
        figure=figure,
        caption="When relapses without antigen are tested more or less often than others, the "
        "share is off, and more relapses make the interval surer of it.",
        alt="Against the chance of being tested of relapses that lost the antigen over that of "
        f"others. Left: with a true share of {n['true_percent']} %, {n['half_seen']} % are "
        f"expected among the tested at one half and {n['double_seen']} % at 2. Right: the exact "
        f"95 % interval holds the truth at one half in {n['half_covered_0']} % of series with 10 "
        f"relapses, {n['half_covered_1']} % with 43 and {n['half_covered_2']} % with "
        f"{n['most_relapses']}.",
        numbers=numbers,
        data={
            "ratio": ratio,
            "seen": seen,
            **{f"covered_{size}": covered for size, covered in coverage.items()},
        },
    )
