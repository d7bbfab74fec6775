"""What the calibration page shows: the stored fit as tables and figures."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from car_relapse.calibration_table import StoredRow, stored
from car_relapse.figures.style import (
    INK,
    NEGATIVE,
    NEUTRAL,
    POSITIVE,
    Drawing,
    Quoted,
    axes,
    house_style,
    quote,
)
from car_relapse.figures.unfitted import COHORTS

# What the parameters are called on the page, and their units.
NAMES = {
    "loss": ("loss of CD19, per division", "loss of CD19"),
    "common_mode": ("lineage switch, per division", "lineage switch"),
    "half_level": ("level of half-maximal killing, copies/µg DNA", "half-maximal level"),
    "growth_rate": ("median net growth, per day", "median growth"),
    "growth_log_sd": ("spread of growth between patients, log scale", "spread of growth"),
    "burden": ("median burden, cells", "median burden"),
}
# Twice the deviance that a profile may rise within a 95 % interval of one parameter.
RISE = 3.84


def number(value: float | None, digits: int = 2) -> str:
    """Return a number, or a dash where there is none."""
    return "–" if value is None else quote(value, digits).text


def label(row: StoredRow) -> str:
    """Return what a prediction is about."""
    return f"{COHORTS[row.item]}: {row.setting}"


def fit_table() -> dict[str, object]:
    """Return the fitted and the held parameters with their intervals."""
    lines = []
    for row in stored("estimate"):
        fitted = row.fitted == "yes"
        interval = f"{number(row.low)} to {number(row.high)}" if fitted else "not identified"
        lines.append(
            [
                NAMES[row.item][0],
                number(row.value),
                interval,
                "fitted" if fitted else "held at the ledger's value",
            ]
        )
    head = ["Parameter", "Value", "95 % interval (profile likelihood)", "How"]
    return {"caption": "What was fitted, and what the data cannot say", "head": head, "rows": lines}


def agrees(row: StoredRow) -> bool:
    """Whether the prediction lies in the interval of the observation."""
    low = -np.inf if row.observed_low is None else row.observed_low
    high = np.inf if row.observed_high is None else row.observed_high
    return bool(low <= row.value <= high)


def prediction_table() -> dict[str, object]:
    """Return every prediction beside its observation."""
    lines = []
    for row in stored("prediction"):
        upper = "not reached" if row.observed_high is None else number(row.observed_high, 3)
        where = "inside" if agrees(row) else "outside"
        lines.append(
            [
                label(row),
                f"{number(row.observed, 3)} ({number(row.observed_low, 3)} to {upper})",
                number(row.value, 3) if row.value else "0",
                f"{number(row.numerical_se, 1)}; {number(row.parameter_se, 1)}",
                f"fitted, {where}" if row.fitted == "yes" else where,
                f"https://doi.org/{row.doi}" if row.doi else "no DOI",
                f"{row.verification}; {row.note}",
            ]
        )  # fmt: skip
    head = [
        "Cohort and endpoint",
        "Seen (95 % interval)",
        "Model",
        "Standard error: numerical; of the parameters",
        "Model in the interval?",
        "Source",
        "How read, and what differs",
    ]
    return {"caption": "Prediction beside observation", "head": head, "rows": lines}


def sensitivity_table() -> dict[str, object]:
    """Return the fit under each other assumption."""
    settings: dict[str, dict[str, StoredRow]] = {}
    for row in stored("sensitivity"):
        settings.setdefault(row.setting, {})[row.item] = row
    fitted = [row.item for row in stored("estimate") if row.fitted == "yes"]
    lines = [
        [
            setting,
            *(number(rows[item].value) if item in rows else "held" for item in fitted),
            number(next(iter(rows.values())).deviance),
        ]
        for setting, rows in settings.items()
    ]
    head = ["Assumption", *(NAMES[item][0] for item in fitted), "Deviance"]
    return {"caption": "The same fit under other assumptions", "head": head, "rows": lines}


def shares() -> list[StoredRow]:
    """Return the predictions that are shares."""
    return [row for row in stored("prediction") if not row.setting.endswith(", months")]


def prediction_figure() -> Drawing:
    """Draw observed intervals and predicted shares, row by row."""
    rows = shares()
    place = np.arange(len(rows), dtype=float)
    seen = np.array([row.observed for row in rows])
    low, high = (np.array([getattr(r, f"observed_{e}") for r in rows]) for e in ("low", "high"))
    model = np.array([row.value for row in rows])
    new = [row for row in rows if row.fitted != "yes"]
    inside = sum(agrees(row) for row in new)
    worst = max(new, key=lambda row: abs(row.value - row.observed))
    everything = [row for row in stored("prediction") if row.fitted != "yes"]
    numbers = {
        "fitted": Quoted(value=len(rows) - len(new), text=str(len(rows) - len(new))),
        "new": Quoted(value=len(new), text=str(len(new))),
        "inside": Quoted(value=inside, text=str(inside)),
        "outside": Quoted(value=len(new) - inside, text=str(len(new) - inside)),
        "all_new": Quoted(value=len(everything), text=str(len(everything))),
        "worst_seen": quote(worst.observed, 2),
        "worst_model": quote(worst.value, 2) if worst.value else Quoted(value=0.0, text="0"),
    }
    n = {key: value.text for key, value in numbers.items()}
    with house_style():
        figure, (ax,) = axes(width=6.4, height=0.33 * len(rows) + 1.4)
        ax.hlines(place, low, high, color=NEUTRAL, linewidth=3.0, label="seen, 95 % interval")
        ax.plot(seen, place, "|", color=INK, markersize=11, markeredgewidth=2.2, label="seen")
        for fitted, mark, colour, word in (
            (True, "s", POSITIVE, "model, fitted"),
            (False, "o", NEGATIVE, "model, predicted"),
        ):
            chosen = np.array([(row.fitted == "yes") == fitted for row in rows])
            ax.plot(model[chosen], place[chosen], mark, color=colour, markersize=7,
                    markerfacecolor="white", markeredgewidth=2.0, label=word)  # fmt: skip
        ax.set_yticks(
            place, [label(row).replace(" among relapses", "") for row in rows], fontsize=8.5
        )
        ax.set_ylim(len(rows) - 0.5, -0.5)
        ax.set_xlim(-0.03, 1.0)
        ax.set_xlabel("share of patients")
        ax.legend(loc="lower center", bbox_to_anchor=(0.2, 1.0), ncols=2, fontsize=9.5)
    return Drawing(
        figure=figure,
        caption="Squares were fitted, circles were not: relapse-free shares are met or nearly "
        "met, two-antigen relapse kinds are not.",
        alt=f"{len(rows)} shares, each with its observed value and 95 % interval. {n['fitted']} "
        f"were fitted. Of the {n['new']} others the model lies inside the interval for "
        f"{n['inside']}. The largest gap is a model value of {n['worst_model']} where "
        f"{n['worst_seen']} was seen: {label(worst)}.",
        numbers=numbers,
        data={"observed": seen, "low": low, "high": high, "model": model},
    )


def profile_figure() -> Drawing:
    """Draw how the fit worsens as each parameter is held elsewhere."""
    items = [row.item for row in stored("estimate")]
    best = {row.item: row for row in stored("estimate")}
    numbers = {}
    for item in items:
        numbers[item] = quote(best[item].value, 2)
        if best[item].fitted == "yes":
            numbers[f"{item}_low"] = quote(best[item].low, 2)
            numbers[f"{item}_high"] = quote(best[item].high, 2)
    n = {key: value.text for key, value in numbers.items()}
    column, value, rise = [], [], []
    with house_style():
        figure = Figure(figsize=(6.4, 4.8), layout="constrained")
        panels = figure.subplots(2, 3, sharey=True).flatten()
        for index, (item, ax) in enumerate(zip(items, panels, strict=True)):
            points = sorted((r.value, r.deviance) for r in stored("profile") if r.item == item)
            x, y = np.array(points).T
            column += [float(index)] * x.size
            value += list(x)
            rise += list(y)
            ax.plot(x, y, color=POSITIVE, marker="o", markersize=3)
            ax.axhline(RISE, color=NEGATIVE, linewidth=1.2, linestyle="--")
            ax.axvline(best[item].value, color=NEUTRAL, linewidth=1.0, linestyle=":")
            ax.set_xscale("log")
            ax.minorticks_off()
            ax.set_ylim(-4, 8)
            ax.set_title(NAMES[item][1], fontsize=11)
            ax.tick_params(labelsize=10)
        for ax in panels[::3]:
            ax.set_ylabel("rise of the deviance")
    return Drawing(
        figure=figure,
        caption="A narrow valley is a parameter that the data fix; burden is flat and the spread "
        "of growth is open to the left.",
        alt="Six panels of the rise of the deviance against one parameter each, with a dashed line "
        f"at the 95 % limit. Loss {n['loss']} ({n['loss_low']} to {n['loss_high']}), lineage "
        f"switch {n['common_mode']} ({n['common_mode_low']} to {n['common_mode_high']}), "
        f"half-maximal level {n['half_level']} ({n['half_level_low']} to {n['half_level_high']}) "
        f"and growth {n['growth_rate']} ({n['growth_rate_low']} to {n['growth_rate_high']}) have "
        "a minimum between two crossings. The curve of the burden stays near zero; that of the "
        "spread of growth lies below zero to the left.",
        numbers=numbers,
        data={"parameter": np.array(column), "value": np.array(value), "rise": np.array(rise)},
    )
