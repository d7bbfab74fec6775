"""Model figures of the chapter *What would stop it*; its data are in `constructs`."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from car_relapse.antigens import Losses
from car_relapse.calibration_model import calibrated_population, calibrated_values
from car_relapse.cohort import Cohort, Outcome, Population, default_population, simulate
from car_relapse.evidence import relapse_split, trials
from car_relapse.exposure import SteinExposure, stein_population, stein_typical
from car_relapse.figures.style import (
    INK,
    NEGATIVE,
    NEUTRAL,
    POSITIVE,
    Drawing,
    Quoted,
    axes,
    chance,
    house_style,
    percent,
    quote,
)
from car_relapse.followup import DAYS_PER_MONTH
from car_relapse.gates import OrGate, SingleGate
from car_relapse.parameters import default, parameter
from car_relapse.patient import Patient, typical_patient
from car_relapse.proportions import exact_interval
from car_relapse.survival import relapse_probabilities
from car_relapse.therapy import Therapy, cocktail

__all__ = ["second_antigen", "weak_arm"]

Floats = NDArray[np.float64]

_MONTHS = 48.0
_WEAK = 0.1
_LONGER = 10.0
# A product whose memory phase starts below any level that kills.
_NO_MEMORY = 1e-9


def _two_targets(population: Population, second_arm: float, *, both: bool = False) -> Population:
    """Return a population given two targets that are lost alike.

    The second arm kills cells that lost the first target at a fraction of the full rate; when
    `both` are needed, cells that lost either are not killed at all.
    """
    loss = population.losses.per_antigen[0]
    return replace(
        population,
        losses=replace(population.losses, per_antigen=(loss, loss)),
        engagement=(1.0, 0.0, 0.0, 0.0) if both else (1.0, second_arm, 1.0, 0.0),
    )


def _longer_memory(population: Population) -> Population:
    """Return a population whose typical memory phase starts at a higher level."""
    curve = stein_typical()
    longer = SteinExposure(
        fold=curve.fold,
        peak_day=curve.peak_day,
        peak_level=curve.peak_level,
        contraction_rate=curve.contraction_rate,
        memory_fraction=_LONGER * curve.memory_fraction,
        memory_rate=curve.memory_rate,
    )
    return replace(population, exposures=replace(stein_population(), typical=longer))


def _by_kind(cohort: Cohort, month: float = _MONTHS) -> Floats:
    """Return shares by kind, of all: with the target, part lost, all lost, switched, none."""
    day = month * DAYS_PER_MONTH
    seen = [
        float(cohort.cumulative_incidence(kind, day))
        for kind in (
            Outcome.ANTIGEN_POSITIVE,
            Outcome.PARTIAL_LOSS,
            Outcome.ANTIGEN_NEGATIVE,
            Outcome.LINEAGE_SWITCH,
        )
    ]
    return np.array([*seen, cohort.share(Outcome.NO_REMISSION)[0]])


_KINDS = (
    ("antigen-positive", POSITIVE, "//"),
    ("one of two lost", NEGATIVE, ""),
    ("every target lost", NEGATIVE, "xx"),
    ("lineage switch", INK, ".."),
    ("no remission", NEUTRAL, ""),
)


def second_antigen(*, patients: int = 6400, seed: int = 20260105) -> Drawing:
    """Draw what a second target, and longer persistence, do to relapse by kind.

    Parameters
    ----------
    patients : int, optional
        Virtual patients of each cohort.
    seed : int, optional
        Seed.

    Returns
    -------
    Drawing
        Bars for the calibrated population; numbers for that of the ledger, too.
    """
    people = calibrated_population()
    rows = {
        "one": ("one target", people),
        "weak": ("two, second arm a tenth as strong", _two_targets(people, _WEAK)),
        "equal": ("two equal targets", _two_targets(people, 1.0)),
        "and": ("two targets, both needed (AND gate)", _two_targets(people, 0.0, both=True)),
        "memory": ("one target, ten times the memory cells", _longer_memory(people)),
        "ideal": (
            "two equal targets, ten times the memory cells",
            _two_targets(_longer_memory(people), 1.0),
        ),
    }
    share = {
        key: _by_kind(simulate(population, patients, seed=seed))
        for key, (_, population) in rows.items()
    }
    ledger = default_population()
    others = {
        "one": _by_kind(simulate(ledger, patients, seed=seed)),
        "equal": _by_kind(simulate(_two_targets(ledger, 1.0), patients, seed=seed)),
    }
    names = ("positive", "partial", "negative", "switch", "no_remission")
    numbers: dict[str, Quoted] = {
        f"{key}_{name}": percent(float(value))
        for key, values in share.items()
        for name, value in zip(names, values, strict=True)
    }
    for prefix, shares in (("", share), ("ledger_", others)):
        for key, values in shares.items():
            numbers[f"{prefix}{key}_relapse"] = percent(float(values[:4].sum()))
            numbers[f"{prefix}{key}_escape"] = percent(float(values[1:4].sum()))
            numbers[f"{prefix}{key}_positive"] = percent(float(values[0]))
    numbers["patients"] = quote(float(patients), 2)
    numbers["standard_error"] = percent(0.5 / patients**0.5, 1)
    numbers["memory_times"] = quote(_LONGER, 2)
    with house_style():
        figure, (ax,) = axes(height=5.4)
        # The colour of a kind is pale, so that dark digits can be read on it.
        y = np.arange(len(rows))[::-1].astype(float)
        left = np.zeros(len(rows))
        for i, (label, colour, hatch) in enumerate(_KINDS):
            width = 100.0 * np.array([values[i] for values in share.values()])
            ax.barh(
                y, width, 0.42, left=left, label=label, hatch=hatch, linewidth=1.0,
                facecolor=(*_pale(colour), 1.0), edgecolor=colour,
            )  # fmt: skip
            for at, start, wide in zip(y, left, width, strict=True):
                if wide >= 5:
                    box = {"facecolor": "white", "edgecolor": "none", "pad": 1.2, "alpha": 0.85}
                    ax.text(start + wide / 2, at, f"{wide:.0f}", ha="center", va="center", bbox=box)
            left += width
        for at, (label, _) in zip(y, rows.values(), strict=True):
            ax.text(0.0, at + 0.26, label, va="bottom")
        _tidy_bars(ax, len(rows))
        ax.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=2)
    n = {key: value.text for key, value in numbers.items()}
    return Drawing(
        figure=figure,
        caption="A second equal target all but removes relapse by antigen loss; antigen-positive "
        "relapse remains, and only longer persistence shortens that bar.",
        alt=f"Six stacked bars, relapse by kind within 48 months in per cent of {n['patients']} "
        f"virtual patients each. One target: {n['one_positive']} antigen-positive, "
        f"{n['one_negative']} with the target lost, {n['one_switch']} lineage switch. Second arm a "
        f"tenth as strong: {n['weak_positive']} antigen-positive, {n['weak_partial']} with one of "
        f"two lost, {n['weak_switch']} lineage switch. Two equal targets: {n['equal_positive']}, "
        f"{n['equal_partial']} and {n['equal_switch']}. Both needed: {n['and_positive']}, "
        f"{n['and_partial']} and {n['and_switch']}. One target with more memory cells: "
        f"{n['memory_positive']} antigen-positive, {n['memory_negative']} with the target lost, "
        f"{n['memory_switch']} lineage switch. Two equal targets with more memory cells: "
        f"{n['ideal_positive']}, {n['ideal_partial']} and {n['ideal_switch']}.",
        numbers=numbers,
        data={
            "row": np.arange(len(rows), dtype=float),
            **{name: np.array([v[i] for v in share.values()]) for i, name in enumerate(names)},
        },
    )


def _pale(colour: str) -> tuple[float, float, float]:
    red, green, blue = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    return 0.25 * red + 0.75, 0.25 * green + 0.75, 0.25 * blue + 0.75


def _tidy_bars(ax: Axes, rows: int) -> None:
    ax.set_yticks([])
    ax.set_xlim(0, 65)
    ax.set_ylim(-0.4, rows - 0.3)
    ax.set_xlabel("patients within four years of infusion (%)")


def weak_arm(*, patients: int = 6400, seed: int = 20260106) -> Drawing:
    """Draw the share of relapses that lost one of two targets, against the second arm's strength.

    Parameters
    ----------
    patients : int, optional
        Virtual patients of each cohort.
    seed : int, optional
        Seed.

    Returns
    -------
    Drawing
        A curve for the calibrated population beside two measured shares with exact intervals.
    """
    arm = np.array([0.01, 0.02, 0.04, 0.07, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0])
    fit = calibrated_values()
    highest = parameter("calibrated.loss").high
    if highest is None:
        raise TypeError("calibrated.loss has no upper end; the figure draws it; give the row one")

    def lost_one(population: Population) -> Floats:
        kinds = [
            _by_kind(simulate(_two_targets(population, strength), patients, seed=seed))
            for strength in arm
        ]
        return np.array([kind[1] / kind[:4].sum() for kind in kinds])

    share = lost_one(fit.population())
    upper = lost_one(replace(fit, loss=highest).population())
    measured = {key: _lost_one(key) for key in ("wangt2023_coadmin", "stanford_adult_1922_ball")}
    pair, tandem = measured.values()
    # The strongest arm that the interval still allows, read off the falling curve.
    limit, limit_high = (
        float(np.exp(np.interp(-pair[1], -curve, np.log(arm)))) for curve in (share, upper)
    )
    exact = _exact_numbers()
    numbers = {
        "pair_percent": percent(pair[0]),
        "pair_low": percent(pair[1]),
        "pair_high": percent(pair[2]),
        "tandem_percent": percent(tandem[0]),
        "tandem_low": percent(tandem[1]),
        "tandem_high": percent(tandem[2]),
        "strongest_arm_percent": percent(limit),
        "strongest_arm_high_percent": percent(limit_high),
        "weakest_share": percent(float(share[0])),
        "share_tenth": percent(float(share[arm == _WEAK][0])),
        "share_half": percent(float(share[arm == 0.5][0]), 1),
        "share_fifth": percent(float(share[arm == 0.2][0])),
        **exact,
    }
    n = {key: value.text for key, value in numbers.items()}
    with house_style():
        figure, (ax,) = axes(height=4.6)
        ax.fill_between(arm, 100 * pair[1], 100 * pair[2], color=INK, alpha=0.10)
        ax.plot([0.01, 1.0], 2 * [100 * pair[0]], "--", color=INK, label="two products, measured")
        ax.plot(arm, 100 * share, "o-", color=NEGATIVE, label="model, calibrated")
        ax.plot(arm, 100 * upper, ":", color=NEGATIVE, label="model, highest fitted loss")
        ax.set_xscale("log")
        ax.set_xticks([0.01, 0.03, 0.1, 0.3, 1.0], ["1/100", "3/100", "1/10", "3/10", "equal"])
        ax.set_xticks([], minor=True)
        ax.set_xlim(0.01, 1.0)
        ax.set_ylim(0, 66)
        ax.set_xlabel("killing by the second arm, relative to the first")
        ax.set_ylabel("relapses with one of two lost (%)")
        ax.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=1)
    return Drawing(
        figure=figure,
        caption="Single-antigen loss as frequent as was measured (dashed, exact interval shaded) "
        "needs a second arm far weaker than half of the first.",
        alt="Share of relapses that lost one of two targets against the strength of the second arm "
        f"on a logarithmic axis. The model's curve falls from {n['weakest_share']} % at one "
        f"hundredth through {n['share_tenth']} % at one tenth to {n['share_half']} % at one half. "
        f"A dashed line marks the measured {n['pair_percent']} %, with a band from "
        f"{n['pair_low']} to {n['pair_high']} %; the curve leaves the band where the arm kills at "
        f"{n['strongest_arm_percent']} % of the first. With the highest loss probability of "
        "the fit the curve lies higher and leaves the band at "
        f"{n['strongest_arm_high_percent']} %.",
        numbers=numbers,
        data={
            "second_arm": arm,
            "one_lost_of_relapses": share,
            "one_lost_of_relapses_upper": upper,
        },
    )


def _lost_one(key: str) -> tuple[float, float, float]:
    """Return the share of classified relapses that lost one of two targets, with interval."""
    split = relapse_split(trials()[key])
    known = split.total - split.unknown
    return split.partial / known, *exact_interval(split.partial, known)


def _exact_numbers() -> dict[str, Quoted]:
    """Return what the exact probabilities say of the typical patient with one and two targets."""
    one = typical_patient()
    loss, common = one.losses.per_antigen[0], one.losses.common_mode
    product = one.products[0]

    def with_two(gate: OrGate, shared: float = 0.0) -> Patient:
        """Return the patient given two targets; a share of losses takes both at once."""
        losses = Losses(
            per_antigen=(loss * (1.0 - shared),) * 2,
            common_mode=common,
            shared_defect=loss * shared,
        )
        return replace(one, losses=losses, therapy=replace(product, gate=gate))

    def partial(patient: Patient) -> float:
        return relapse_probabilities(patient).class_lines[1]

    unopposed = partial(with_two(OrGate(arms=(1.0, 0.0))))
    removed = {
        arm: 1.0 - partial(with_two(OrGate(arms=(1.0, arm)))) / unopposed
        for arm in (0.5, 0.2, _WEAK, 0.05)
    }
    curve = product.exposure
    if not isinstance(curve, SteinExposure):
        raise TypeError(f"exposure is {type(curve).__name__}; the typical one is a Stein curve")
    brief = replace(curve, memory_fraction=_NO_MEMORY)
    gone = Therapy(exposure=brief, killing=product.killing, gate=SingleGate(antigen=1))
    short = replace(
        with_two(OrGate()),
        therapy=cocktail(replace(product, gate=SingleGate(antigen=0)), gone),
    )
    grow = one.leukaemia.net_rate
    rate = default("killing.maximal_rate")
    return {
        "p_one": chance(relapse_probabilities(one).antigen_negative),
        "p_two": chance(relapse_probabilities(with_two(OrGate())).antigen_negative),
        "p_two_shared_tenth": chance(
            relapse_probabilities(with_two(OrGate(), 0.1)).antigen_negative
        ),
        "p_two_shared_half": chance(
            relapse_probabilities(with_two(OrGate(), 0.5)).antigen_negative
        ),
        "common_share_percent": percent(common / (loss + common)),
        "removed_half_percent": percent(removed[0.5], 1),
        "removed_fifth_percent": percent(removed[0.2]),
        "removed_tenth_percent": percent(removed[_WEAK]),
        "removed_twentieth_percent": percent(removed[0.05]),
        "left_brief": chance(partial(short) / unopposed),
        "brief_last_day": quote(float(gone.last_day_above(grow)), 2),
        "break_even_percent": percent(grow / rate, 1),
        "growth": quote(grow, 2),
        "maximal_rate": quote(rate, 3),
    }
