"""Figures of the notebook *One target*: a phase diagram, a race and a predictor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from functools import cache

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.optimize import brentq

from car_relapse.aplasia import b_cell_return
from car_relapse.calibration_law import Expected, expected_relapses
from car_relapse.calibration_model import Model, calibrated_values
from car_relapse.calibration_points import Patients, points
from car_relapse.exposure import SteinExposure, stein_population, stein_typical
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
from car_relapse.outcomes import default_detection
from car_relapse.parameters import default, parameter
from car_relapse.patient import Patient
from car_relapse.survival_batch import relapse_lines_batch
from car_relapse.therapy import Therapy

__all__ = ["aplasia_predictor", "phase_diagram", "relapse_race"]

Floats = NDArray[np.float64]

_POINTS, _SEED = 1024, 1
_MONTHS = np.unique([*np.arange(0.5, 24.5, 0.5), *range(25, 61)]).astype(float)
_NINE_TENTHS = 1.645


def _curves(half_life: Floats) -> SteinExposure:
    typical = stein_typical()
    names = [field.name for field in fields(SteinExposure) if field.name != "memory_rate"]
    return SteinExposure(
        **{name: np.full(half_life.size, getattr(typical, name)) for name in names},
        memory_rate=np.log(2) / half_life,
    )


def _typical() -> Patient:
    """Return the patient with the medians of the calibrated population."""
    people = calibrated_values().population()
    return Patient(
        leukaemia=people.leukaemia,
        losses=people.losses,
        therapy=Therapy(exposure=stein_typical(), killing=people.killing),
    )


def _lines(half_life: Floats) -> tuple[Floats, Floats]:
    """Return surviving lines with the target, and without it per unit of loss probability."""
    patient = _typical()
    batch = relapse_lines_batch(patient, curves=[_curves(half_life)])
    without = batch.preexisting_lines + batch.acquired_lines
    return np.asarray(batch.positive_lines), np.asarray(without / patient.losses.total)


def phase_diagram() -> Drawing:
    """Draw which outcome is likeliest, over the half-life of memory and the loss probability."""
    half_life = np.geomspace(30.0, 2000.0, 61)
    last = brentq(lambda days: float(_lines(np.array([days]))[0][0]) - np.log(2.0), 30.0, 2000.0)
    half_life = np.sort(np.append(half_life, [last, 1.001 * last]))
    loss = np.geomspace(1e-14, 1e-10, 81)
    positive, per_loss = _lines(half_life)
    negative = loss[:, None] * per_loss
    # Where no line survives with chance 1/2, and where both kinds leave as many lines.
    room = np.log(2.0) - positive
    edge = np.where(half_life >= last, np.maximum(room / per_loss, loss[0]), np.nan)
    even = positive / per_loss
    model = calibrated_values()
    total = model.loss + model.common_mode
    low, high = (
        parameter("calibrated.loss").low or np.nan,
        parameter("calibrated.loss").high or np.nan,
    )
    typical = float(np.log(2) / default("stein.memory_rate"))
    spread = float(np.exp(_NINE_TENTHS * np.sqrt(default("stein.spread.memory_rate"))))
    positive_typical, per_loss_typical = (float(v[0]) for v in _lines(np.array([typical])))
    numbers = {
        "typical_days": quote(typical, 3),
        "short_days": quote(typical / spread, 2),
        "long_days": quote(typical * spread, 2),
        "even_days": quote(last, 2),
        "even_loss": quote(float(np.log(2) / per_loss[-1]), 2),
        "loss": quote(total, 2),
        "positive_lines": quote(positive_typical, 2),
        "negative_lines": quote(total * per_loss_typical, 2),
        "cure_percent": percent(float(np.exp(-positive_typical - total * per_loss_typical))),
    }
    n = {key: value.text for key, value in numbers.items()}
    with house_style():
        figure, (ax,) = axes(width=5.8, height=4.2)
        kinds = np.where(positive + negative < np.log(2.0), 0, np.where(negative > positive, 2, 1))
        ax.contourf(half_life, loss, kinds, levels=[-0.5, 0.5, 1.5, 2.5],
                    colors=["#E6F4EF", "#E3EFF7", "#FBEADF"])  # fmt: skip
        ax.plot(half_life, edge, "-", color=CURED, label="cure in one half")
        ax.plot(half_life, even, "--", color=INK, label="as many lines of each kind")
        ax.plot([typical / spread, typical * spread], [total, total], "-", color=NEUTRAL,
                linewidth=1.6)  # fmt: skip
        scale = total / model.loss
        ax.plot([typical, typical], [low * scale, high * scale], "-", color=NEUTRAL, linewidth=1.6)
        ax.plot([typical], [total], "o", color=INK, markersize=8, label="as calibrated")
        ax.text(700, 3e-14, "cure", color=INK, ha="center", fontweight="bold")
        ax.text(45, 3e-14, "antigen-\npositive", color=INK, ha="center", fontweight="bold")
        ax.text(700, 3e-11, "antigen-negative", color=INK, ha="center", fontweight="bold")
        ax.set_xscale("log")
        ax.set_yscale("log")
        ax.set_xticks([30, 100, 300, 1000], ["30", "100", "300", "1000"])
        ax.set_xlim(30, 2000)
        ax.set_ylim(1e-14, 1e-10)
        ax.set_xlabel("half-life of the memory phase (days)")
        ax.set_ylabel("loss per division")
        ax.legend(loc="lower center", bbox_to_anchor=(0.45, 1.0), ncols=2)
    return Drawing(
        figure=figure,
        caption="Two walls enclose cure: too short a memory on the left, too frequent loss above; "
        "patients lie on both sides of the first.",
        alt="Regions of the likeliest outcome of the typical patient, against the half-life of "
        "memory, 30 to 2000 days, and the loss probability per division. Cure is the likelier "
        f"outcome to the right of about {n['even_days']} days and below about {n['even_loss']}. "
        f"The calibrated patient, {n['typical_days']} days and {n['loss']}, is cured with a chance "
        f"of {n['cure_percent']} %; nine tenths of half-lives lie between {n['short_days']} and "
        f"{n['long_days']} days.",
        numbers=numbers,
        data={
            "half_life_days": half_life,
            "positive_lines": positive,
            "negative_lines_per_loss": per_loss,
        },
    )


@cache
def _people() -> tuple[Patients, Floats]:
    """Return the calibrated patients, and the day on which the B cells of each are back."""
    model = calibrated_values()
    people = model.patients(points(stein_population(), _POINTS, seed=_SEED))
    return people, b_cell_return(people.curve, model.killing)


def _chosen(people: Patients, which: NDArray[np.intp]) -> Patients:
    curve = SteinExposure(
        **{f.name: np.asarray(getattr(people.curve, f.name))[which] for f in fields(SteinExposure)}
    )
    return Patients(
        birth_rate=people.birth_rate[which],
        death_rate=people.death_rate[which],
        burden=people.burden[which],
        curve=curve,
    )


def _expected(model: Model, people: Patients, months: Floats = _MONTHS) -> Expected:
    return expected_relapses(
        people,
        model.loss + model.common_mode,
        model.killing,
        default_detection(),
        DAYS_PER_MONTH * months,
    )


_SETTINGS = ((1.0, 1.0), (4.0, 1.0), (1.0, 10.0), (4.0, 10.0))
_PLACES = "abcdef"


def _times(factor: float, what: str) -> str:
    return f"{what} × {factor:g}"


def relapse_race(settings: Sequence[tuple[float, float]] = _SETTINGS) -> Drawing:
    """Draw the incidence of each kind of relapse in calibrated cohorts, a panel for each setting.

    Parameters
    ----------
    settings : sequence of (float, float), optional
        Up to six pairs: what the CAR-T level, and what the loss probabilities, are multiplied by.
    """
    base, (people, _) = calibrated_values(), _people()
    data: dict[str, Floats] = {"month": _MONTHS}
    numbers: dict[str, Quoted] = {}
    rows, columns = -(-len(settings) // 2), min(len(settings), 2)
    with house_style():
        figure = Figure(
            figsize=(6.4 if columns == 2 else 5.0, 0.9 + 2.3 * rows), layout="constrained"
        )
        grid = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
        for place, (level, loss), ax in zip(_PLACES, settings, grid.ravel(), strict=False):
            model = replace(
                base,
                half_level=base.half_level / level,
                loss=loss * base.loss,
                common_mode=loss * base.common_mode,
            )
            seen = _expected(model, people)
            kinds = {"positive": seen.antigen_positive, "negative": seen.escaped}
            for (name, curve), style, colour in zip(
                kinds.items(), ("-", "--"), (POSITIVE, NEGATIVE), strict=True
            ):
                ax.plot(_MONTHS, 100 * curve, style, color=colour, label=f"antigen-{name}")
                data[f"{name}_{place}"] = curve
                numbers[f"{name}_{place}"] = percent(float(curve[-1]))
            data[f"free_{place}"] = seen.relapse_free
            numbers[f"free_{place}"] = percent(float(seen.relapse_free[-1]))
            ax.set_title(f"{_times(level, 'CAR-T')}, {_times(loss, 'loss')}")
            ax.set_xlim(0, 48)
            ax.set_xticks([0, 12, 24, 36, 48])
            ax.set_ylim(0, 85)
        for ax in grid[-1]:
            ax.set_xlabel("months after infusion")
        for ax in grid[:, 0]:
            ax.set_ylabel("relapsed (%)")
        grid[0, 0].legend(loc="upper left")
    n = {key: value.text for key, value in numbers.items()}
    panels = "; ".join(
        f"{_times(level, 'CAR-T level')} and {_times(loss, 'loss')}: {n[f'positive_{place}']} % "
        f"positive, {n[f'negative_{place}']} % negative, {n[f'free_{place}']} % free of relapse"
        for place, (level, loss) in zip(_PLACES, settings, strict=False)
    )
    return Drawing(
        figure=figure,
        caption="Whichever mechanism is weakened, the other takes some of its patients: shares of "
        "relapse never speak of one mechanism.",
        alt="Cumulative incidence of relapse by kind against months, a panel for each setting. "
        f"At five years: {panels}.",
        numbers=numbers,
        data=data,
    )


# Patients in a group of almost one day of return, for relapses before and after it.
_GROUP = 32


def _while_away() -> tuple[float, float]:
    """Return the shares of patients who relapse, with and without the target, in aplasia."""
    model, (people, back) = calibrated_values(), _people()
    order = np.argsort(back)
    groups = [order[first : first + _GROUP] for first in range(0, order.size, _GROUP)]
    kinds = []
    for group in groups:
        seen = _expected(model, _chosen(people, group))
        month = float(np.mean(back[group])) / DAYS_PER_MONTH
        known = np.concatenate([[0.0], _MONTHS])
        kinds.append(
            [
                np.interp(month, known, np.concatenate([[0.0], curve]))
                for curve in (seen.antigen_positive, seen.escaped)
            ]
        )
    positive, negative = np.mean(kinds, axis=0)
    return float(positive), float(negative)


def aplasia_predictor(month: float = 6.0) -> Drawing:
    """Draw relapse by kind in patients whose B cells are back by a month, and in the others.

    Parameters
    ----------
    month : float, optional
        Month that parts the patients.
    """
    model, (people, back) = calibrated_values(), _people()
    early = back <= month * DAYS_PER_MONTH
    seen = {
        name: _expected(model, _chosen(people, np.flatnonzero(who)))
        for name, who in (("early", early), ("late", ~early))
    }
    kinds = {
        f"{kind}_{name}": getattr(course, field)
        for name, course in seen.items()
        for kind, field in (("positive", "antigen_positive"), ("negative", "escaped"))
    }
    numbers = {"month": quote(month, 1), "early_percent": percent(float(early.mean()))}
    numbers |= {f"{key}_percent": percent(float(curve[-1])) for key, curve in kinds.items()}
    away = _while_away()
    numbers["away_negative_percent"] = percent(away[1] / sum(away))
    # Before the parting month the groups are not known yet: hazards are compared after it.
    start = int(np.searchsorted(_MONTHS, month))
    hazard = {}
    for name, course in seen.items():
        at_risk = course.relapse_free[start]
        for kind in ("positive", "negative"):
            curve = kinds[f"{kind}_{name}"]
            hazard[f"{kind}_{name}"] = -np.log1p(-(curve[-1] - curve[start]) / at_risk)
    for kind in ("positive", "negative"):
        ratio = float(hazard[f"{kind}_early"] / hazard[f"{kind}_late"])
        numbers[f"{kind}_ratio"] = quote(ratio, 2)
    both = [hazard[f"positive_{name}"] + hazard[f"negative_{name}"] for name in ("early", "late")]
    numbers["any_ratio"] = quote(float(both[0] / both[1]), 2)
    n = {key: value.text for key, value in numbers.items()}
    with house_style():
        figure, panels = axes(columns=2, width=6.4, height=3.7)
        for ax, kind, colour in zip(
            panels, ("positive", "negative"), (POSITIVE, NEGATIVE), strict=True
        ):
            ax.plot(_MONTHS, 100 * kinds[f"{kind}_early"], "-", color=colour,
                    label=f"back by month {n['month']}")  # fmt: skip
            ax.plot(_MONTHS, 100 * kinds[f"{kind}_late"], "--", color=colour, label="still away")
            ax.axvline(month, color=NEUTRAL, linewidth=1.2, linestyle=":")
            ax.set_title(f"Antigen-{kind}")
            ax.set_xlim(0, 48)
            ax.set_xticks([0, 12, 24, 36, 48])
            ax.set_ylim(0, 75)
            ax.set_xlabel("months after infusion")
            ax.legend(title="B cells", loc="upper right", alignment="left")
        panels[0].set_ylabel("relapsed (%)")
    return Drawing(
        figure=figure,
        caption="B cells that come back early foretell one kind of relapse; of the other kind "
        "there is then less, not more.",
        alt=f"Model incidence of relapse in the {n['early_percent']} % of patients whose B cells "
        f"are back by month {n['month']} and in the others. Left, antigen-positive: "
        f"{n['positive_early_percent']} % against {n['positive_late_percent']} % at five years. "
        f"Right, antigen-negative: {n['negative_early_percent']} % against "
        f"{n['negative_late_percent']} %. Hazard ratios after that month: {n['positive_ratio']} "
        f"and {n['negative_ratio']}.",
        numbers=numbers,
        data={"month": _MONTHS, **kinds},
    )
