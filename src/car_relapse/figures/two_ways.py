"""Figures of the chapter *Two ways to relapse*."""

from __future__ import annotations

from dataclasses import dataclass, replace

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
    axes,
    count,
    house_style,
    intervals,
    percent,
    quote,
)
from car_relapse.followup import DAYS_PER_MONTH
from car_relapse.parameters import default
from car_relapse.patient import typical_leukaemia

__all__ = ["cohort_outcome", "outcome_by_level", "relapse_split_by_cohort"]

# Overlapping reports of the same patients are not pooled, only set side by side.
_COHORTS = (
    (
        "One target: CAR-T cells against CD19",
        (
            ("lamble2023_phenotype", "several centres"),
            ("pillai2019_cd19dim", "one hospital, overlapping"),
            ("sheba2022_cd28", "CD28, many transplants"),
            ("spiegel2021_axicel_biopsies", "biopsies, one hospital"),
            ("plaks2021_zuma1_biopsies", "biopsies, one trial"),
        ),
    ),
    (
        "One target: engager or antibody",
        (
            ("aldoss2025_blina", "CD19 engager, relapses"),
            ("jabbour2018_blina_failure", "CD19 engager, failures"),
            ("hiraga2009_rituximab", "CD20 antibody"),
        ),
    ),
    (
        "Two targets: CAR-T cells",
        (
            ("wangt2023_coadmin", "two products together"),
            ("stanford_adult_1922_ball", "one receptor"),
            ("stanford_adult_1922_lbcl", "one receptor"),
            ("ghorashian2024_carpall", "two receptors in a cell"),
        ),
    ),
)
_DISEASES = {"B-ALL": "leukaemia", "LBCL": "lymphoma", "B-cell lymphoma": "lymphoma"}


@dataclass(frozen=True, kw_only=True)
class _Row:
    """What the figure shows of one cohort."""

    words: str
    lost: int
    known: int
    share: float
    low: float
    high: float
    some: float


def _row(key: str, label: str) -> _Row:
    trial = trials()[key]
    split = relapse_split(trial)
    known = split.total - split.unknown
    interval = binomtest(split.antigen_negative, known).proportion_ci(0.95, method="exact")
    return _Row(
        words=f"{label} ({_DISEASES[trial.disease]})",
        lost=split.antigen_negative,
        known=known,
        share=split.antigen_negative / known,
        low=interval.low,
        high=interval.high,
        some=(split.antigen_negative + split.partial) / known,
    )


def relapse_split_by_cohort() -> Drawing:
    """Draw the share of relapses that lost every target, cohort by cohort, with intervals.

    Exact (Clopper–Pearson) 95 % intervals; relapses of unknown phenotype are left out.
    """
    groups = [(title, [_row(*cohort) for cohort in cohorts]) for title, cohorts in _COHORTS]
    rows = [row for _, members in groups for row in members]
    share, low, high, some = (
        np.array([getattr(row, name) for row in rows]) for name in ("share", "low", "high", "some")
    )
    one, two = [row for _, members in groups[:2] for row in members], groups[2][1]
    lamble, chop, coadmin = (
        relapse_split(trials()[key])
        for key in ("lamble2023_phenotype", "pillai2019_cd19dim", "wangt2023_coadmin")
    )
    numbers = {
        "cohorts": count(len(rows)),
        "lamble_pos": count(lamble.antigen_positive),
        "lamble_neg": count(lamble.antigen_negative),
        "lamble_switch": count(lamble.lineage_switch),
        "lamble_total": count(lamble.total),
        "lamble_neg_percent": percent(lamble.antigen_negative / lamble.total),
        "chop_pos": count(chop.antigen_positive),
        "chop_neg": count(chop.antigen_negative),
        "chop_neg_percent": percent(chop.antigen_negative / chop.total),
        "coadmin_pos": count(coadmin.antigen_positive),
        "coadmin_neg": count(coadmin.antigen_negative),
        "coadmin_partial": count(coadmin.partial),
        "coadmin_total": count(coadmin.total),
        "coadmin_unknown": count(coadmin.unknown),
        "one_target_smallest_percent": percent(min(row.share for row in one)),
        "one_target_largest_percent": percent(max(row.share for row in one)),
        "two_targets_largest_percent": percent(max(row.share for row in two)),
        "two_targets_some_smallest_percent": percent(min(row.some for row in two)),
        "two_targets_some_largest_percent": percent(max(row.some for row in two)),
        "none_of_ten_high_percent": percent(two[1].high),
    }
    with house_style():
        figure, (ax,) = axes(height=8.8)
        y = _heights([len(members) for _, members in groups])
        intervals(ax, y, share, low, high, colour=NEGATIVE, label="every target lost")
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
        first = 0
        for title, members in groups:
            ax.text(0.0, y[first] + 0.72, title, va="bottom", fontweight="bold")
            for height, row in zip(y[first : first + len(members)], members, strict=True):
                ax.text(0.5, height + 0.16, row.words, va="bottom")
                ax.text(100.0, height + 0.16, f"{row.lost} of {row.known}", va="bottom", ha="right")
            first += len(members)
        ax.set_xlim(-1, 101)
        ax.set_ylim(y[-1] - 0.5, y[0] + 1.25)
        ax.set_xlabel("share of relapses with known phenotype (%)")
        ax.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0))
    n = {key: value.text for key, value in numbers.items()}
    words = ". ".join(
        f"{title}: "
        + "; ".join(
            f"{row.words} {100 * row.share:.0f} % ({100 * row.low:.0f} to {100 * row.high:.0f})"
            for row in members
        )
        for title, members in groups
    )
    return Drawing(
        figure=figure,
        caption="No single share describes CAR-T: with one target the antigen-negative part runs "
        f"from {n['one_target_smallest_percent']} % to {n['one_target_largest_percent']} %; with "
        "two, losing both is rare.",
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


def _heights(members: list[int]) -> NDArray[np.float64]:
    """Return where each row stands, from the top, with room above each group for its title."""
    room = np.concatenate([[0.75] + [0.0] * (size - 1) for size in members])
    step = np.arange(len(room)) + np.cumsum(room)
    return np.asarray(step[-1] - step)


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
    months = {
        name: people.relapse_day[people.outcome == outcome] / DAYS_PER_MONTH
        for name, outcome in (
            ("positive", Outcome.ANTIGEN_POSITIVE),
            ("negative", Outcome.ANTIGEN_NEGATIVE),
        )
    }
    model_12 = float(people.relapse_free(12 * DAYS_PER_MONTH))
    numbers = {
        "n_patients": quote(float(people.size), 2 if people.size % 100 == 0 else 4),
        "cured_percent": percent(people.share(Outcome.CURED)[0]),
        "positive_percent": percent(people.share(Outcome.ANTIGEN_POSITIVE)[0]),
        "negative_percent": percent(people.share(Outcome.ANTIGEN_NEGATIVE)[0]),
        "switch_percent": percent(people.share(Outcome.LINEAGE_SWITCH)[0]),
        "no_remission_percent": percent(people.share(Outcome.NO_REMISSION)[0]),
        "one_cell_month": quote(
            float(np.log(default("detection.relapse_cells")))
            / typical_leukaemia().net_rate
            / DAYS_PER_MONTH,
            2,
        ),
        "standard_error_percent": percent(people.share(Outcome.ANTIGEN_POSITIVE)[1], 1),
        "rfs_12m_model": percent(model_12),
        "rfs_12m_measured": percent(float(measured[measured[:, 0] == 12.0, 1][0])),
        "rfs_6m_model": percent(float(people.relapse_free(6 * DAYS_PER_MONTH))),
        "rfs_6m_measured": percent(float(measured[measured[:, 0] == 6.0, 1][0])),
        "rfs_36m_model": percent(float(people.relapse_free(36 * DAYS_PER_MONTH))),
    }
    for name, when in months.items():
        if not when.size:  # a reader's own cohort may have no relapse of a class
            continue
        for quartile, word in ((25, "early"), (50, "median"), (75, "late")):
            numbers[f"{name}_{word}_month"] = quote(float(np.percentile(when, quartile)), 2)
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


def outcome_by_level(*, patients: int = 1600, seed: int = 20260104) -> Drawing:
    """Draw what becomes of the same patients when their CAR-T level is scaled up or down.

    Killing depends on the level over its half-maximal level, so that a smaller half-maximal
    level stands for a larger level at all times, and with it for longer effect. The loss
    probability, the burdens and the random numbers are the same at every point.

    Parameters
    ----------
    patients : int, optional
        Virtual patients at each level.
    seed : int, optional
        Seed, the same at each level.
    """
    people = default_population()
    level = 2.0 ** np.arange(-3, 4)
    cohorts = [
        simulate(
            replace(people, killing=replace(people.killing, half_level=half)), patients, seed=seed
        )
        for half in default("killing.half_level") / level
    ]
    lines = {
        name: np.array([cohort.share(outcome)[0] for cohort in cohorts])
        for name, outcome in (
            ("antigen_positive", Outcome.ANTIGEN_POSITIVE),
            ("antigen_negative", Outcome.ANTIGEN_NEGATIVE),
            ("no_remission", Outcome.NO_REMISSION),
            ("cured", Outcome.CURED),
        )
    }
    share = lines["antigen_negative"] / (lines["antigen_negative"] + lines["antigen_positive"])
    numbers = {"patients": quote(float(patients), 2)}
    for word, times in (("quarter", 0.25), ("once", 1.0), ("four", 4.0)):
        (at,) = np.flatnonzero(level == times)
        numbers[f"share_{word}_percent"] = percent(float(share[at]))
        for name in ("positive", "negative"):
            numbers[f"{name}_{word}_percent"] = percent(float(lines[f"antigen_{name}"][at]))
    with house_style():
        figure, (ax,) = axes()
        for name, colour, style, label in (
            ("antigen_positive", POSITIVE, "-", "antigen-positive"),
            ("antigen_negative", NEGATIVE, "--", "antigen-negative"),
            ("no_remission", INK, ":", "no remission"),
            ("cured", CURED, "-.", "cured"),
        ):
            ax.plot(level, 100 * lines[name], style, color=colour, label=label)
        ax.set_xscale("log", base=2)
        ax.set_xticks(level, ["1/8", "1/4", "1/2", "1", "2", "4", "8"])
        ax.set_xlabel("CAR-T level, relative to the ledger")
        ax.set_ylabel("share of patients (%)")
        ax.set_ylim(0, None)
        ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)
    n = {key: value.text for key, value in numbers.items()}
    return Drawing(
        figure=figure,
        caption="One loss probability, very different shares: with more CAR-T, antigen-positive "
        "relapse gives way to cure and to antigen-negative relapse.",
        alt="Four curves against the CAR-T level from one eighth to eight times the ledger's, for "
        f"{n['patients']} virtual patients at each level. Antigen-positive relapse first rises, as "
        f"more patients reach remission, and falls from {n['positive_once_percent']} % at the "
        f"ledger's level to {n['positive_four_percent']} % at four times. Antigen-negative relapse "
        f"rises throughout, from {n['negative_quarter_percent']} % at a quarter to "
        f"{n['negative_four_percent']} % at four times, so its share of the two kinds rises from "
        f"{n['share_quarter_percent']} % to {n['share_four_percent']} %. Cure rises, failure to "
        "reach remission falls.",
        numbers=numbers,
        data={"level": np.asarray(level, dtype=np.float64), **lines},
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
