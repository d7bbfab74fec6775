"""Figures of the trial atlas: forest plots drawn from the trial table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.stats import binomtest

from car_relapse.errors import EvidenceError
from car_relapse.evidence import RelapseSplit, Trial, relapse_split, same_patients, trials
from car_relapse.figures.style import (
    NEGATIVE,
    POSITIVE,
    Drawing,
    Quoted,
    axes,
    house_style,
    percent,
)

__all__ = ["phenotype_by_persistence", "phenotype_forest", "response_leukaemia", "response_other"]

#: A single-target cohort is drawn beside the others from this number of patients on.
_LARGE = 40
#: Diseases that a heading or the caption names.
_IN_HEADING = ("B-ALL", "ALL", "multiple myeloma", "glioblastoma")
#: What two sources say of the T cells at the time of relapse.
_GONE_AT_RELAPSE = ("ghorashian2024_carpall",)
_AT_WORK_AT_RELAPSE = ("pulsipher2022_mrd",)


@dataclass(frozen=True, kw_only=True)
class _Row:
    """A count of a total, with the words that stand above it."""

    key: str
    name: str
    counted: str
    count: int
    total: int

    @property
    def words(self) -> str:
        return f"{self.name}, {self.counted}"

    @property
    def share(self) -> float:
        return self.count / self.total

    @property
    def ends(self) -> tuple[float, float]:
        """Ends of the exact (Clopper–Pearson) 95 % interval."""
        interval = binomtest(self.count, self.total).proportion_ci(0.95, method="exact")
        return float(interval.low), float(interval.high)


_Groups = Mapping[str, Sequence[_Row]]


def response_leukaemia() -> Drawing:
    """Draw complete response in leukaemia, several targets above one, with exact intervals.

    Of several reports of the same patients one is drawn; single-target cohorts from 40
    evaluable patients on.
    """
    found = [t for t in _one_report_each(_responding()) if t.disease in ("B-ALL", "ALL")]
    several = [t for t in found if len(t.antigens) > 1]
    one = [t for t in found if len(t.antigens) == 1 and (t.n_evaluable or 0) >= _LARGE]
    drawing = _response({"several targets": several, "one target": one})
    numbers = drawing.numbers
    return Drawing(
        figure=drawing.figure,
        caption="In leukaemia most patients of every cohort respond, with one target or several: "
        "first response is not where a second target shows.",
        alt=f"Dots with exact 95 % intervals. {numbers['n_several_targets'].text} cohorts with "
        f"several targets above {numbers['n_one_target'].text} with one. {drawing.alt}",
        numbers=numbers,
        data=drawing.data,
    )


def response_other() -> Drawing:
    """Draw complete response to several targets in lymphoma, myeloma and glioblastoma."""
    found = [
        t
        for t in _one_report_each(_responding())
        if len(t.antigens) > 1 and t.disease not in ("B-ALL", "ALL")
    ]
    parts = {"multiple myeloma": "multiple myeloma", "glioblastoma": "glioblastoma"}
    groups: dict[str, list[Trial]] = {"lymphoma": [], "multiple myeloma": [], "glioblastoma": []}
    for trial in found:
        groups[parts.get(trial.disease, "lymphoma")].append(trial)
    drawing = _response(groups)
    return Drawing(
        figure=drawing.figure,
        caption="Outside leukaemia the cohorts are small, the intervals wide, and complete "
        "response runs from none to all.",
        alt="Dots with exact 95 % intervals, one row per cohort with several targets. "
        f"{drawing.alt}",
        numbers=drawing.numbers,
        data=drawing.data,
    )


def phenotype_forest() -> Drawing:
    """Draw, for every cohort with a full split, the relapses that kept and that lost all targets.

    Relapses of unknown phenotype are left out. Two cohorts overlap; nothing is pooled.
    """
    kept: dict[str, list[_Row]] = {"several targets": [], "one target": []}
    lost: dict[str, list[_Row]] = {"several targets": [], "one target": []}
    for trial, split in _split_cohorts():
        known = split.total - split.unknown
        group = "several targets" if len(trial.antigens) > 1 else "one target"
        for rows, count in ((kept, split.antigen_positive), (lost, split.antigen_negative)):
            counted = f"{split.antigen_positive} kept, {split.antigen_negative} lost, of {known}"
            rows[group].append(_row(trial, count, known, counted))
    numbers = _quoted(kept, "kept") | _quoted(lost, "lost")
    with house_style():
        figure, ax, places = _panel(kept)
        for rows, offset, colour, marker, label in (
            (kept, 0.05, POSITIVE, "o", "kept every target"),
            (lost, -0.17, NEGATIVE, "s", "lost every target"),
        ):
            _marks(ax, rows, places, colour, marker, offset=offset, label=label)
        ax.set_xlabel("share of relapses with known phenotype (%)")
        ax.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=2)
    return Drawing(
        figure=figure,
        caption="With several targets hardly a relapse lost them all; with one target, the share "
        "that lost it runs from few to most.",
        alt="Two dots with exact 95 % intervals per cohort. Kept every target: "
        f"{_listed(kept)}. Lost every target: {_listed(lost)}.",
        numbers=numbers,
        data=_columns(kept, "kept_") | _columns(lost, "lost_", with_place=False),
    )


def phenotype_by_persistence() -> Drawing:
    """Draw relapses with a target lost, in order of what is known of the T cells' persistence.

    The tables hold few measures of persistence beside a split of relapses: the state of the T
    cells at relapse in two reports, and the costimulatory domain in the others.
    """
    groups: dict[str, list[_Row]] = {
        "T cells gone at relapse": [],
        "receptor with CD28": [],
        "receptor with 4-1BB": [],
        "T cells at work at relapse": [],
    }
    for trial, split in _split_cohorts():
        if trial.key in _GONE_AT_RELAPSE:
            group = "T cells gone at relapse"
        elif trial.costim in ("CD28", "4-1BB"):
            group = f"receptor with {trial.costim}"
        else:
            continue
        known = split.total - split.unknown
        lost = known - split.antigen_positive
        groups[group].append(_row(trial, lost, known))
    for trial in (trials()[key] for key in _AT_WORK_AT_RELAPSE):
        lost, total = trial.n_relapse_ag_neg or 0, trial.n_relapse or 0
        groups["T cells at work at relapse"].append(_row(trial, lost, total))
    with house_style():
        figure, ax, places = _panel(groups)
        _marks(ax, groups, places, NEGATIVE, "o")
        ax.set_xlabel("share of relapses that lost a target (%)")
    return Drawing(
        figure=figure,
        caption="Two reports say what the T cells did at relapse, and they lie at the ends; the "
        "kind of receptor alone sorts little.",
        alt="Dots with exact 95 % intervals for the share of relapses that lost at least one "
        f"target, in four groups. {_listed(groups)}.",
        numbers=_quoted(groups),
        data=_columns(groups),
    )


def _responding() -> list[Trial]:
    return [t for t in trials().values() if t.n_cr is not None and t.n_evaluable and not t.pooled]


def _one_report_each(found: Sequence[Trial]) -> list[Trial]:
    """Keep, of reports of the same patients, the one with the most evaluable."""
    sizes = {t.key: (t.n_evaluable or 0, t.key) for t in found}
    return [
        t for t in found if all(sizes[t.key] > sizes[o] for o in same_patients(t.key) if o in sizes)
    ]


def _split_cohorts() -> Iterable[tuple[Trial, RelapseSplit]]:
    """Yield cohorts whose source counts both the relapses kept and those lost."""
    for trial in trials().values():
        if trial.n_relapse_ag_pos is None or trial.n_relapse_ag_neg is None:
            continue
        try:
            yield trial, relapse_split(trial)
        except EvidenceError:
            continue


def _name(trial: Trial) -> str:
    """Return who, and against what; a dagger marks a name that no text we read repeats."""
    who = trial.sponsor_or_group.partition(" (")[0] or "group not named"
    mark = " †" if "sponsor_or_group" in trial.background else ""
    disease = "" if trial.disease in _IN_HEADING else f", {trial.disease}"
    engager = " engager" if trial.construct == "engager" else ""
    return f"{who}{mark}{disease}: {'/'.join(trial.antigens)}{engager}"


def _row(trial: Trial, count: int, total: int, counted: str = "") -> _Row:
    counted = counted or f"{count} of {total}"
    return _Row(key=trial.key, name=_name(trial), counted=counted, count=count, total=total)


def _response(groups: Mapping[str, Sequence[Trial]]) -> Drawing:
    """Draw complete responses; the alt text lists every row."""
    rows: dict[str, list[_Row]] = {}
    for group, members in groups.items():
        found = [_row(t, t.n_cr or 0, t.n_evaluable or 0) for t in members]
        rows[group] = sorted(found, key=lambda row: (-row.total, row.key))
    with house_style():
        figure, ax, places = _panel(rows)
        _marks(ax, rows, places, POSITIVE, "o")
        ax.set_xlabel("complete response, of evaluable (%)")
    numbers = _quoted(rows)
    for group, members_drawn in rows.items():
        size = len(members_drawn)
        numbers[f"n_{group.replace(' ', '_')}"] = Quoted(value=float(size), text=str(size))
    return Drawing(
        figure=figure, caption="", alt=f"{_listed(rows)}.", numbers=numbers, data=_columns(rows)
    )


def _panel(groups: _Groups) -> tuple[Figure, Axes, dict[str, float]]:
    """Return a figure with headings and words above each row, and each row's place."""
    size = sum(len(rows) + 1.0 for rows in groups.values())
    figure, (ax,) = axes(height=0.46 * size + 0.9)
    places: dict[str, float] = {}
    y = 0.0
    for group, rows in groups.items():
        # Words stand above the rows, so that the plot keeps its width on a phone.
        ax.text(0.5, y, group, va="bottom", fontweight="bold")
        y += 0.25
        for row in rows:
            y -= 1.0
            places[row.key] = y
            ax.text(0.5, y + 0.2, row.words, va="bottom", fontsize=10.5)
        y -= 1.25
    ax.set_yticks([])
    ax.set_xlim(0, 100)
    ax.set_ylim(y + 0.7, 0.5)
    return figure, ax, places


def _marks(
    ax: Axes,
    groups: _Groups,
    places: Mapping[str, float],
    colour: str,
    marker: str,
    *,
    offset: float = 0.0,
    label: str = "_rows",
) -> None:
    rows = list(chain.from_iterable(groups.values()))
    y = np.array([places[row.key] for row in rows]) + offset
    low, high = 100 * np.array([row.ends for row in rows]).T
    ax.hlines(y, low, high, color=colour, linewidth=2.0)
    share = np.array([100 * row.share for row in rows])
    ax.plot(share, y, marker, color=colour, markersize=7, label=label, clip_on=False)


def _quoted(groups: _Groups, what: str = "percent") -> dict[str, Quoted]:
    numbers = {}
    for row in chain.from_iterable(groups.values()):
        low, high = row.ends
        numbers[f"{row.key}_{what}"] = percent(row.share)
        numbers[f"{row.key}_{what}_low"] = percent(low)
        numbers[f"{row.key}_{what}_high"] = percent(high)
    return numbers


def _listed(groups: _Groups) -> str:
    """Return every row in words, group by group."""
    parts = []
    for group, rows in groups.items():
        words = []
        for row in rows:
            low, high = (percent(end).text for end in row.ends)
            words.append(f"{row.name}, {percent(row.share).text} % ({low} to {high})")
        parts.append(f"{group[0].upper()}{group[1:]}: {'; '.join(words)}")
    return ". ".join(parts)


def _columns(
    groups: _Groups, prefix: str = "", *, with_place: bool = True
) -> dict[str, NDArray[np.float64]]:
    rows = [(place, row) for place, members in enumerate(groups.values()) for row in members]
    ends = np.array([row.ends for _, row in rows])
    start = {"group": np.array([float(place) for place, _ in rows])} if with_place else {}
    return start | {
        f"{prefix}count": np.array([float(row.count) for _, row in rows]),
        f"{prefix}total": np.array([float(row.total) for _, row in rows]),
        f"{prefix}share": np.array([row.share for _, row in rows]),
        f"{prefix}low_95": ends[:, 0],
        f"{prefix}high_95": ends[:, 1],
    }
