"""Figures of the notebook *Choose your own CAR*."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from car_relapse.cohort import simulate
from car_relapse.figures.style import (
    CURED,
    INK,
    NEGATIVE,
    NEUTRAL,
    NORMAL_95,
    POSITIVE,
    Drawing,
    axes,
    house_style,
    percent,
    quote,
)
from car_relapse.followup import DAYS_PER_MONTH
from car_relapse.outcomes import Cohort, Outcome
from car_relapse.scenario import Construct, Scenario
from car_relapse.summary import Summary, summarise

__all__ = ["choices", "compose", "scenario_choices", "scenario_outcome"]

Floats = NDArray[np.float64]

_MONTHS = 36
_SEED = 20260131
_WEAK = 0.1
_LESS = 0.1
_MORE = 10.0
_LOST = (Outcome.ANTIGEN_NEGATIVE, Outcome.PARTIAL_LOSS, Outcome.LINEAGE_SWITCH)


def compose(
    construct: Construct = "tandem",
    *,
    second: str = "CD22",
    burden: float = 1.0,
    burden_log10_sd: float | None = None,
    memory: float = 1.0,
) -> Scenario:
    """Return a scenario that differs from the ledger's in what a designer can choose.

    Parameters
    ----------
    construct : {"tandem", "single", "bicistronic", "and"}, optional
        How the product reads its antigens; the second arm of a bicistronic one is a tenth as
        strong as the first.
    second : str, optional
        Name of the second antigen, which is lost as often as CD19.
    burden : float, optional
        Median burden over that of the ledger.
    burden_log10_sd : float, optional
        Standard deviation of log10 burden between patients; the ledger's by default.
    memory : float, optional
        Share of the T cells that become memory, over that of the ledger.
    """
    plain = Scenario()
    loss = plain.losses.per_antigen[0]
    typical = plain.exposures.typical
    longer = replace(typical, memory_fraction=memory * typical.memory_fraction)
    both = construct != "single"
    how = {"single": "CD19", "tandem": f"CD19 or {second}", "and": f"CD19 and {second}"}
    return replace(
        plain,
        name=how.get(construct, f"CD19 or {second}, weak"),
        construct=construct,
        antigens=("CD19", second) if both else ("CD19",),
        arms=(1.0, _WEAK) if construct == "bicistronic" else None,
        losses=replace(plain.losses, per_antigen=(loss, loss)) if both else plain.losses,
        exposures=replace(plain.exposures, typical=longer),
        leukaemia=replace(plain.leukaemia, burden=burden * plain.leukaemia.burden),
        burden_log10_sd=plain.burden_log10_sd if burden_log10_sd is None else burden_log10_sd,
    )


def _incidence(counts: Summary, kinds: tuple[Outcome, ...]) -> tuple[Floats, Floats]:
    """Return the share of patients with any of the outcomes by each day, and its error."""
    share = np.sum([counts.cumulative_incidence(kind) for kind in kinds], axis=0)
    return share, np.sqrt(share * (1.0 - share) / counts.size)


def scenario_outcome(
    scenario: Scenario | None = None, *, patients: int = 2560, seed: int = _SEED
) -> Drawing:
    """Draw what becomes of the patients of a scenario, with the error of a finite cohort.

    Parameters
    ----------
    scenario : Scenario, optional
        A tandem receptor for CD19 and CD22 by default.
    patients : int, optional
        Virtual patients.
    seed : int, optional
        Seed.
    """
    chosen = compose() if scenario is None else scenario
    cohort = simulate(chosen.population(), patients, seed=seed)
    month = np.linspace(0, _MONTHS, 4 * _MONTHS + 1)
    counts = summarise(cohort, month * DAYS_PER_MONTH)
    groups = {
        "positive": ("with every target", (Outcome.ANTIGEN_POSITIVE,), POSITIVE, "-"),
        "lost": ("with a target lost", _LOST, NEGATIVE, "--"),
    }
    curves = {name: _incidence(counts, kinds) for name, (_, kinds, _, _) in groups.items()}
    shares = {
        "cured": cohort.share(Outcome.CURED),
        "no_remission": cohort.share(Outcome.NO_REMISSION),
    }
    numbers = {"patients": quote(float(patients), 2 if patients % 100 == 0 else 4)}
    for name, (share, error) in curves.items():
        numbers[f"{name}_percent"] = percent(float(share[-1]), 1)
        numbers[f"{name}_error"] = percent(float(error[-1]), 1)
    for name, (part, deviation) in shares.items():
        numbers[f"{name}_percent"] = percent(part, 1)
        numbers[f"{name}_error"] = percent(deviation, 1)
    with house_style():
        figure, (left, right) = axes(columns=2, width=7.0, height=3.5)
        for name, (words, _, colour, line) in groups.items():
            share, error = curves[name]
            left.plot(month, 100 * share, line, color=colour, label=words)
            left.fill_between(
                month, 100 * (share - NORMAL_95 * error), 100 * (share + NORMAL_95 * error),
                color=colour, alpha=0.2, linewidth=0,
            )  # fmt: skip
        left.set_title(chosen.name)
        left.set_xlabel("months after infusion")
        left.set_ylabel("relapsed (% of infused)")
        left.set_xticks(range(0, _MONTHS + 1, 12))
        left.set_ylim(0, 100)
        left.legend(loc="upper left")
        rows = [
            ("cured", *shares["cured"], CURED),
            ("relapse,\nwith target", *(x[-1] for x in curves["positive"]), POSITIVE),
            ("relapse,\ntarget lost", *(x[-1] for x in curves["lost"]), NEGATIVE),
            ("no remission", *shares["no_remission"], NEUTRAL),
        ]
        for place, (_, share, error, colour) in enumerate(rows):
            right.barh(place, 100 * share, color=colour, height=0.6)
            right.errorbar(100 * share, place, xerr=100 * NORMAL_95 * error, color=INK, capsize=3)
        right.set_yticks(range(len(rows)), [row[0] for row in rows])
        right.invert_yaxis()
        right.set_xlim(0, 100)
        right.set_xlabel("% of infused")
        right.grid(axis="y", visible=False)
    n = {key: value.text for key, value in numbers.items()}
    return Drawing(
        figure=figure,
        caption="A second target leaves relapse with every target in place; bands and bars hold "
        "the truth in 95 of 100 cohorts of this size.",
        alt=f"Left: cumulative incidence of relapse in {n['patients']} virtual patients over "
        f"{_MONTHS} months. Relapse with every target reaches {n['positive_percent']} % (standard "
        f"error {n['positive_error']}), relapse with a target lost {n['lost_percent']} % "
        f"({n['lost_error']}). Right: {n['cured_percent']} % are cured and "
        f"{n['no_remission_percent']} % reach no remission.",
        numbers=numbers,
        data={
            "month": month,
            **{name: share for name, (share, _) in curves.items()},
            **{f"{name}_standard_error": error for name, (_, error) in curves.items()},
        },
    )


def choices() -> dict[str, tuple[str, Scenario]]:
    """Return, by name, the words for each choice that the figure compares, and its scenario."""
    return {
        "single": ("one target", compose("single")),
        "and": ("two, both needed", compose("and")),
        "weak": ("two, the second arm weak", compose("bicistronic")),
        "tandem": ("two, either enough", compose("tandem")),
        "burden": ("two, a tenth of the cells", compose("tandem", burden=_LESS)),
        "memory": ("two, ten times the memory", compose("tandem", memory=_MORE)),
    }


def _shares(cohort: Cohort) -> Floats:
    day = _MONTHS * DAYS_PER_MONTH
    positive = float(cohort.cumulative_incidence(Outcome.ANTIGEN_POSITIVE, day))
    lost = sum(float(cohort.cumulative_incidence(kind, day)) for kind in _LOST)
    return np.array([positive, lost])


def scenario_choices(*, patients: int = 2560, seed: int = _SEED) -> Drawing:
    """Draw relapse by kind under six choices, with standard errors.

    Parameters
    ----------
    patients : int, optional
        Virtual patients of each choice.
    seed : int, optional
        Seed, the same for all: the same patients are treated.
    """
    rows = choices()
    share = np.array(
        [_shares(simulate(one.population(), patients, seed=seed)) for _, one in rows.values()]
    )
    error = np.sqrt(share * (1 - share) / patients)
    numbers = {
        f"{name}_{kind}": percent(float(share[i, j]))
        for i, name in enumerate(rows)
        for j, kind in enumerate(("positive", "lost"))
    }
    numbers["patients"] = quote(float(patients), 2 if patients % 100 == 0 else 4)
    numbers["largest_error"] = percent(float(error.max()), 1)
    with house_style():
        figure, (ax,) = axes(width=6.4, height=3.6)
        place = np.arange(len(rows), dtype=float)
        for j, (words, colour, mark, shift) in enumerate(
            (
                ("every target in place", POSITIVE, "o", -0.13),
                ("a target lost", NEGATIVE, "s", 0.13),
            )
        ):
            ax.errorbar(
                100 * share[:, j], place + shift, xerr=100 * NORMAL_95 * error[:, j], fmt=mark,
                color=colour, capsize=3, markersize=6, label=words,
            )  # fmt: skip
        ax.set_yticks(place, [words for words, _ in rows.values()])
        ax.invert_yaxis()
        ax.set_xlim(0, None)
        ax.set_xlabel(f"relapsed by month {_MONTHS} (% of infused)")
        ax.grid(axis="y", visible=False)
        ax.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=2)
    n = {key: value.text for key, value in numbers.items()}
    return Drawing(
        figure=figure,
        caption="Constructs move relapse with a lost target; relapse with every target in place "
        "needs more memory, and a tenth of the cells is not enough.",
        alt=f"Relapse by month {_MONTHS} in {n['patients']} virtual patients under six choices, as "
        f"points with intervals. With every target in place, and with a target lost, in per cent: "
        f"one target {n['single_positive']} and {n['single_lost']}; two, both needed "
        f"{n['and_positive']} and {n['and_lost']}; second arm weak {n['weak_positive']} and "
        f"{n['weak_lost']}; either enough {n['tandem_positive']} and {n['tandem_lost']}; with a "
        f"tenth of the cells {n['burden_positive']} and {n['burden_lost']}; with ten times the "
        f"memory {n['memory_positive']} and {n['memory_lost']}.",
        numbers=numbers,
        data={
            "choice": place,
            "positive": share[:, 0],
            "lost": share[:, 1],
            "positive_standard_error": error[:, 0],
            "lost_standard_error": error[:, 1],
        },
    )
