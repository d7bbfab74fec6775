"""Figures of the chapter *Two ways to relapse*."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

from car_relapse.cohort import Cohort, Outcome, default_population, simulate
from car_relapse.evidence import landmarks_of, relapse_split, trials
from car_relapse.figures.style import (
    CURED,
    INK,
    NEGATIVE,
    NEUTRAL,
    POSITIVE,
    Drawing,
    Quoted,
    axes,
    house_style,
    percent,
    quote,
)
from car_relapse.followup import DAYS_PER_MONTH

__all__ = ["cohort_outcome", "relapse_split_by_cohort"]

# Overlapping reports of the same patients are not pooled, only set side by side.
_COHORTS = (
    ("lamble2023_phenotype", "CD19 CAR, several centres"),
    ("pillai2019_cd19dim", "CD19 CAR, one hospital"),
    ("plaks2021_zuma1_biopsies", "CD19 CAR, lymphoma"),
    ("aldoss2025_blina", "CD19 engager"),
    ("wangt2023_coadmin", "CD19 + CD22, two products"),
    ("stanford_adult_1922_ball", "CD19/CD22, one receptor"),
)


def relapse_split_by_cohort() -> Drawing:
    """Draw the share of relapses that lost every target, cohort by cohort, with intervals.

    Exact (Clopper–Pearson) 95 % intervals; relapses of unknown phenotype are left out.
    """
    rows, shares, lows, highs, partial = [], [], [], [], []
    for key, label in _COHORTS:
        trial = trials()[key]
        split = relapse_split(trial)
        known = split.total - split.unknown
        interval = binomtest(split.antigen_negative, known).proportion_ci(0.95, method="exact")
        rows.append(f"{label} ({trial.disease}, {split.antigen_negative} of {known})")
        shares.append(split.antigen_negative / known)
        lows.append(interval.low)
        highs.append(interval.high)
        partial.append((split.antigen_negative + split.partial) / known)
    share, low, high, some = map(np.array, (shares, lows, highs, partial))
    lamble, chop = relapse_split(trials()[_COHORTS[0][0]]), relapse_split(trials()[_COHORTS[1][0]])
    numbers = {
        "lamble_pos": _count(lamble.antigen_positive),
        "lamble_neg": _count(lamble.antigen_negative),
        "lamble_switch": _count(lamble.lineage_switch),
        "lamble_total": _count(lamble.total),
        "lamble_neg_percent": percent(lamble.antigen_negative / lamble.total),
        "chop_pos": _count(chop.antigen_positive),
        "chop_neg": _count(chop.antigen_negative),
        "chop_neg_percent": percent(chop.antigen_negative / chop.total),
        "smallest_percent": percent(float(share.min())),
        "largest_percent": percent(float(share.max())),
    }
    with house_style():
        figure, (ax,) = axes(height=4.8)
        y = np.arange(len(rows))[::-1]
        ax.hlines(y, 100 * low, 100 * high, color=NEGATIVE, linewidth=2.2)
        ax.plot(100 * share, y, "o", color=NEGATIVE, markersize=8, label="every target lost")
        more = some > share
        ax.plot(
            100 * some[more],
            y[more],
            "D",
            markerfacecolor="white",
            markeredgecolor=INK,
            markersize=7,
            label="at least one target lost or dim",
        )
        # Each row's words stand above it, so that the plot keeps its width on a phone.
        ax.set_yticks([])
        for row, height in zip(rows, y, strict=True):
            ax.text(0.5, height + 0.16, row, va="bottom")
        ax.set_xlim(0, 100)
        ax.set_ylim(-0.5, len(rows) - 0.35)
        ax.set_xlabel("share of relapses with known phenotype (%)")
        ax.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0))
    n = {key: value.text for key, value in numbers.items()}
    words = "; ".join(
        f"{label} {100 * s:.0f} % ({100 * a:.0f} to {100 * b:.0f})"
        for (_, label), s, a, b in zip(_COHORTS, share, low, high, strict=True)
    )
    return Drawing(
        figure=figure,
        caption="No single share describes CAR-T: the antigen-negative part of relapses runs from "
        f"{n['smallest_percent']} % to {n['largest_percent']} % across these cohorts.",
        alt=f"Dots with exact 95 % intervals, one row per cohort. Every target lost: {words}.",
        numbers=numbers,
        data={
            "cohort": np.arange(len(rows), dtype=float),
            "every_target_lost": share,
            "low_95": low,
            "high_95": high,
            "at_least_one_lost_or_dim": some,
        },
    )


def _count(number: int) -> Quoted:
    return Quoted(value=float(number), text=str(number))


def cohort_outcome(cohort: Cohort | None = None) -> Drawing:
    """Draw cumulative incidence by relapse type, and relapse-free survival beside ELIANA.

    Parameters
    ----------
    cohort : Cohort, optional
        Virtual patients; 6400 of the ledger's population by default.

    Returns
    -------
    Drawing
        The model is not fitted to the landmark values that it is drawn beside.
    """
    people = simulate(default_population(), 6400, seed=20260102) if cohort is None else cohort
    month = np.linspace(0, 48, 193)
    day = month * DAYS_PER_MONTH
    positive = people.cumulative_incidence(Outcome.ANTIGEN_POSITIVE, day)
    negative = people.cumulative_incidence(Outcome.ANTIGEN_NEGATIVE, day)
    switched = people.cumulative_incidence(Outcome.LINEAGE_SWITCH, day)
    free = people.relapse_free(day)
    measured = _relapse_free_landmarks("eliana_primary", "eliana_3y")
    registry = _relapse_free_landmarks("cibmtr2025_tisa")
    model_12 = float(people.relapse_free(12 * DAYS_PER_MONTH))
    numbers = {
        "n_patients": quote(float(people.size), 2 if people.size % 100 == 0 else 4),
        "cured_percent": percent(people.share(Outcome.CURED)[0]),
        "positive_percent": percent(people.share(Outcome.ANTIGEN_POSITIVE)[0]),
        "negative_percent": percent(people.share(Outcome.ANTIGEN_NEGATIVE)[0]),
        "switch_percent": percent(people.share(Outcome.LINEAGE_SWITCH)[0]),
        "no_remission_percent": percent(people.share(Outcome.NO_REMISSION)[0]),
        "standard_error_percent": percent(people.share(Outcome.ANTIGEN_POSITIVE)[1], 1),
        "rfs_12m_model": percent(model_12),
        "rfs_12m_measured": percent(float(measured[measured[:, 0] == 12.0, 1][0])),
        "rfs_6m_model": percent(float(people.relapse_free(6 * DAYS_PER_MONTH))),
        "rfs_6m_measured": percent(float(measured[measured[:, 0] == 6.0, 1][0])),
        "rfs_36m_model": percent(float(people.relapse_free(36 * DAYS_PER_MONTH))),
    }
    with house_style():
        figure, (left, right) = axes(columns=2, width=6.6, height=3.5)
        left.plot(month, 100 * positive, color=POSITIVE, label="antigen-positive")
        left.plot(month, 100 * negative, color=NEGATIVE, linestyle="--", label="antigen-negative")
        left.plot(month, 100 * switched, color=INK, linestyle=":", label="lineage switch")
        left.set_title("Relapse, by type")
        left.set_ylabel("cumulative incidence (%)")
        left.set_ylim(0, 62)
        left.legend(loc="upper left")
        right.plot(month, 100 * free, color=CURED, label="model, not fitted")
        has = ~np.isnan(measured[:, 2])
        right.errorbar(
            measured[has, 0],
            100 * measured[has, 1],
            yerr=100 * np.abs(measured[has, 2:].T - measured[has, 1]),
            fmt="none",
            color=INK,
            linewidth=1.4,
            capsize=3,
        )
        right.plot(
            measured[:, 0], 100 * measured[:, 1], "s", color=INK, markersize=6, label="ELIANA"
        )
        right.plot(
            registry[:, 0],
            100 * registry[:, 1],
            "o",
            markerfacecolor="white",
            markeredgecolor=INK,
            markersize=6,
            label="registry (CIBMTR)",
        )
        right.set_title("In remission, relapse-free")
        right.set_ylabel("share of responders (%)")
        right.set_ylim(0, 105)
        right.legend(loc="upper right")
        for ax in (left, right):
            ax.set_xlim(0, 48)
            ax.set_xticks([0, 12, 24, 36, 48])
            ax.set_xlabel("months after infusion")
            ax.axvline(12, color=NEUTRAL, linewidth=0.8, linestyle=":")
    n = {key: value.text for key, value in numbers.items()}
    return Drawing(
        figure=figure,
        caption="Two kinds of relapse compete; the model, not fitted to survival, meets measured "
        "relapse-free survival at one year, too high before, too low after.",
        alt=f"Left: of {n['n_patients']} virtual patients {n['positive_percent']} % relapse "
        f"antigen-positive, {n['negative_percent']} % antigen-negative and "
        f"{n['switch_percent']} % with another lineage. Right: relapse-free "
        f"survival of responders falls to {n['rfs_12m_model']} % at 12 months in the model, "
        f"against {n['rfs_12m_measured']} % measured in ELIANA, after {n['rfs_6m_model']} % "
        f"against {n['rfs_6m_measured']} % at 6 months; at 36 months the model has "
        f"{n['rfs_36m_model']} %.",
        numbers=numbers,
        data={
            "month": month,
            "antigen_positive": positive,
            "antigen_negative": negative,
            "lineage_switch": switched,
            "relapse_free": free,
        },
    )


def _relapse_free_landmarks(*cohorts: str) -> NDArray[np.float64]:
    """Return rows of month, share, low, high (NaN where no interval was printed)."""
    return np.array(
        [
            [
                row.month,
                row.value / 100,
                np.nan if row.ci_low is None else row.ci_low / 100,
                np.nan if row.ci_high is None else row.ci_high / 100,
            ]
            for cohort in cohorts
            for row in landmarks_of(cohort, "RFS")
        ]
    )
