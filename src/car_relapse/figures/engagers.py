"""Exposure that ends with the dosing, in the notebook *Bispecific engagers*."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from car_relapse.cohort import simulate
from car_relapse.engager import EngagerExposure, TrimerExposure
from car_relapse.engager_dosing import (
    blinatumomab_exposure,
    blinatumomab_killing,
    elranatamab_exposure,
    trimer_law,
)
from car_relapse.evidence import relapse_split, trials
from car_relapse.figures.style import (
    CURED,
    INK,
    NEGATIVE,
    NEUTRAL,
    POSITIVE,
    Drawing,
    Quoted,
    axes,
    chance,
    count,
    house_style,
    intervals,
    percent,
    power_of_ten,
    quote,
)
from car_relapse.outcomes import Outcome, default_detection
from car_relapse.parameters import default
from car_relapse.patient import Patient, typical_leukaemia, typical_patient
from car_relapse.population import Population, default_population
from car_relapse.proportions import exact_interval
from car_relapse.spread import Spread
from car_relapse.survival import relapse_probabilities
from car_relapse.therapy import Therapy

__all__ = ["engager_cycles", "engager_hook", "engager_levels", "engager_phenotype"]

Floats = NDArray[np.float64]
_LOOKS = ((CURED, ":"), (NEGATIVE, "--"), (POSITIVE, "-"))
_CYCLES = (1, 2, 3, 4)


def engager_patient(cycles: int, *, burden: float | None = None) -> Patient:
    """Return the typical patient under blinatumomab instead of CAR-T cells."""
    drug = Therapy(exposure=blinatumomab_exposure(cycles=cycles), killing=blinatumomab_killing())
    return replace(typical_patient(burden), therapy=drug)


def engager_levels() -> Drawing:
    """Draw the concentrations of two engagers under their own schedules."""
    short, long = blinatumomab_exposure(cycles=2), elranatamab_exposure(weeks=24)
    law = blinatumomab_killing()
    net = typical_leukaemia().net_rate
    needed = float(law.level_for(net))
    day = np.unique(np.concatenate([np.linspace(0.0, 90.0, 361), 28.0 + np.linspace(0, 2, 41)]))
    first = short.level(day)
    later = np.linspace(0.0, 350.0, day.size)
    second = long.level(later)
    last_dose = long.kinks[-1]
    stop = 28.0
    gone = float(blinatumomab_exposure().last_day_above(needed))
    numbers = {
        "steady": quote(float(short.level(27.9)), 2),
        "steady_first": quote(float(short.level(6.9)), 2),
        "needed": quote(needed, 1),
        "hours_left": quote(24.0 * (gone - stop), 2),
        "half_life_hours": quote(24.0 * short.kinetics.half_life, 2),
        "half_life_days": quote(long.kinetics.half_life, 2),
        "plateau": quote(float(long.level(last_dose - 0.01)) / 1000.0, 2),
        "late": quote(float(long.level(last_dose + 100.0)) / 1000.0, 2),
        "last_dose": quote(last_dose, 3),
        "net": quote(net, 2),
    }
    with house_style():
        figure, (left, right) = axes(columns=2, width=6.6, height=3.5)
        left.plot(day, first, "-", color=POSITIVE)
        left.axhline(needed, color=NEGATIVE, linestyle="--", linewidth=1.6)
        left.text(89, needed * 0.85, "kills as fast as cells grow", ha="right", va="top")
        left.set_yscale("log")
        left.set_ylim(1e-3, 2)
        left.set_xlim(0, 90)
        left.set_xlabel("day")
        left.set_ylabel("µg per litre")
        left.set_title("Blinatumomab, infused")
        right.plot(later, second / 1000.0, "-", color=CURED)
        right.axvline(last_dose, color=NEUTRAL, linestyle=":", linewidth=1.5)
        right.text(last_dose + 8, 0.35, "last dose", va="center")
        right.set_yscale("log")
        right.set_xlim(0, 350)
        right.set_ylim(0.1, 40)
        right.set_xlabel("day")
        right.set_ylabel("mg per litre")
        right.set_title("Elranatamab, injected")
    n = {key: value.text for key, value in numbers.items()}
    return Drawing(
        figure=figure,
        caption="One drug is gone within hours of the end of its infusion, the other stays for "
        "months: the schedule is the persistence.",
        alt=f"Concentration against days, log scales. Left, two cycles of blinatumomab: a plateau "
        f"of {n['steady_first']}, then of {n['steady']} micrograms per litre, and none in the gap; "
        f"{n['hours_left']} hours after the infusion ends it is below the {n['needed']} at which "
        f"killing equals growth. Right, elranatamab: it climbs to {n['plateau']} milligrams per "
        f"litre at the last dose on day {n['last_dose']}, and {n['late']} are left 100 days "
        "later.",
        numbers=numbers,
        data={"day": day, "blinatumomab": first, "later_day": later, "elranatamab": second},
    )


def mean_cells(patient: Patient, day: Floats) -> Floats:
    """Return the expected number of cells that keep the antigen on each day of a fine grid."""
    killing = np.sum([product.killing_rate(day) for product in patient.products], axis=0)
    net = patient.leukaemia.net_rate - killing
    steps = np.concatenate([[0.0], np.cumsum(0.5 * (net[1:] + net[:-1]) * np.diff(day))])
    return np.asarray(patient.leukaemia.burden * np.exp(steps))


def engager_cycles(
    *, burden: float | None = None, cycles: Sequence[int] = (1, 2, 3), most: int = 5
) -> Drawing:
    """Draw the expected cells after some numbers of cycles, and both kinds of relapse.

    Parameters
    ----------
    burden : float, optional
        Cells when therapy starts; by default that of the ledger.
    cycles : sequence of int, optional
        Three numbers of cycles whose courses are drawn.
    most : int, optional
        Largest number of cycles on the right.
    """
    day = np.linspace(0.0, 240.0, 2401)
    courses = {c: mean_cells(engager_patient(c, burden=burden), day) for c in cycles}
    found = {
        c: relapse_probabilities(engager_patient(c, burden=burden)) for c in range(1, most + 1)
    }
    size = engager_patient(1, burden=burden).leukaemia.burden
    car = relapse_probabilities(typical_patient(burden))
    net = typical_leukaemia().net_rate
    numbers: dict[str, Quoted] = {
        "burden": power_of_ten(size),
        "gap_fold": quote(float(np.exp(net * default("engager.blinatumomab.gap_days"))), 2),
        "acquired": quote(found[1].acquired_lines, 2),
        "acquired_car": quote(car.acquired_lines, 2),
        "negative_car": chance(car.antigen_negative),
    }
    for c, result in found.items():
        numbers[f"positive_{c}"] = chance(result.antigen_positive)
        numbers[f"negative_{c}"] = chance(result.antigen_negative)
    for c, cells in courses.items():
        numbers[f"lowest_{c}"] = quote(float(cells.min()), 1)
    number = np.arange(1.0, most + 1.0)
    positive, negative = (
        np.array([getattr(found[int(c)], f"antigen_{kind}") for c in number])
        for kind in ("positive", "negative")
    )
    with house_style():
        figure, (left, right) = axes(columns=2, width=6.6, height=3.5)
        for (c, cells), (colour, line) in zip(courses.items(), _LOOKS, strict=True):
            left.plot(day, cells, line, color=colour, label=f"{c} cycle{'s' if c > 1 else ''}")
        left.axhline(1.0, color=INK, linewidth=0.9)
        left.text(2, 1.6, "one cell", va="bottom")
        left.set_yscale("log")
        left.set_xlim(0, 240)
        left.set_ylim(1e-4, 1e16)
        left.set_xlabel("day")
        left.set_ylabel("expected cells")
        left.set_title("Cells with the antigen")
        left.legend(loc="upper left", ncols=2, columnspacing=1.0)
        right.plot(number, positive, "o-", color=POSITIVE, label="antigen-positive")
        right.plot(number, negative, "s--", color=NEGATIVE, label="antigen-negative")
        right.set_xlim(0.8, most + 0.2)
        right.set_ylim(-0.02, 1.25)
        right.set_yticks(np.arange(0, 1.01, 0.2))
        right.set_xticks(number)
        right.set_xlabel("cycles")
        right.set_ylabel("chance of a surviving line")
        right.set_title("Which lines survive")
        right.legend(loc="upper right")
    n = {key: value.text for key, value in numbers.items()}
    last = max(cycles)
    lowest = ", ".join(n[f"lowest_{c}"] for c in cycles)
    return Drawing(
        figure=figure,
        caption="Each cycle drives cells with the antigen down, each gap lets them climb; cycles "
        "decide about them, and not about cells without it.",
        alt=f"Left: expected cells with the antigen against days, on a log scale, from "
        f"{n['burden']}; the lowest values are {lowest} with {', '.join(map(str, cycles))} "
        f"cycles, and after the last one all rise. Each gap of two weeks multiplies them by "
        f"{n['gap_fold']}. Right: the chance that a line with the antigen survives is "
        f"{n['positive_1']} after 1 cycle, {n[f'positive_{last - 1}']} after {last - 1} and "
        f"{n[f'positive_{last}']} after {last}; that a line without it survives is "
        f"{n['negative_1']} after 1 and {n[f'negative_{most}']} after {most}.",
        numbers=numbers,
        data={
            "day": day,
            **{f"cells_{c}": cells for c, cells in courses.items()},
            "cycles": np.interp(np.linspace(1, most, day.size), number, number),
            "positive": np.interp(np.linspace(1, most, day.size), number, positive),
            "negative": np.interp(np.linspace(1, most, day.size), number, negative),
        },
    )


def scaled_doses(exposure: EngagerExposure, factor: float) -> EngagerExposure:
    """Return the schedule with `factor` times every injected dose."""
    doses = tuple(replace(dose, amount=factor * dose.amount) for dose in exposure.injections)
    return replace(exposure, injections=doses)


def engager_hook(*, factor: float = 0.1) -> Drawing:
    """Draw trimers against concentration, and under two doses of a drug that stays.

    Parameters
    ----------
    factor : float, optional
        The smaller dose over the usual one.
    """
    short = default("engager.blinatumomab.mass")
    long = default("engager.elranatamab.mass")
    molar = np.geomspace(1e-4, 1e4, 321)
    relative = trimer_law(short).relative(molar * short)
    drug = elranatamab_exposure(weeks=24)
    last = drug.kinks[-1]
    day = np.linspace(0.0, 400.0, molar.size)
    law = trimer_law(long)
    doses = {"usual": drug, "smaller": scaled_doses(drug, factor)}
    trimers = {name: TrimerExposure(drug=dose, law=law).level(day) for name, dose in doses.items()}
    steady = float(blinatumomab_exposure().level(27.9)) / short
    plateau = float(drug.level(last - 0.01)) / long
    peak = int(trimers["usual"][day > last].argmax())
    numbers = {
        "optimum": quote(law.optimum / long, 2),
        "steady": quote(steady, 1),
        "steady_relative": percent(float(trimer_law(short).relative(steady * short)), 1),
        "optimum_over_steady": quote(trimer_law(short).optimum / (steady * short), 1),
        "plateau": quote(plateau, 2),
        "plateau_relative": percent(float(law.relative(plateau * long))),
        "smaller_relative": percent(float(law.relative(factor * plateau * long))),
        "peak_after": quote(float(day[day > last][peak] - last), 2),
        "last_dose": quote(last, 3),
        "tenth": quote(factor, 1),
        "usual_100": percent(float(np.interp(last + 100.0, day, trimers["usual"]))),
        "smaller_100": percent(float(np.interp(last + 100.0, day, trimers["smaller"]))),
    }
    with house_style():
        figure, (left, right) = axes(columns=2, width=6.6, height=3.5)
        left.plot(molar, 100 * relative, "-", color=INK)
        for at, label, colour in (
            (steady, "blinatumomab", POSITIVE), (plateau, "elranatamab", CURED),
        ):  # fmt: skip
            left.axvline(at, color=colour, linestyle="--", linewidth=1.8)
            # On the side that the hill does not reach.
            side = "right" if at < law.optimum / long else "left"
            left.text(at, 100, label, rotation=90, ha=side, va="top")
        left.set_xscale("log")
        left.set_xlim(molar[0], molar[-1])
        left.set_ylim(0, 103)
        left.set_xlabel("drug, nmol per litre")
        left.set_ylabel("% of the most trimers")
        left.set_title("The hook")
        right.plot(day, 100 * trimers["usual"], "-", color=CURED, label="usual dose")
        right.plot(
            day, 100 * trimers["smaller"], "--", color=NEGATIVE, label=f"{factor:g} of the dose"
        )
        right.axvline(last, color=NEUTRAL, linestyle=":", linewidth=1.5)
        right.text(last - 5, 4, "last dose", ha="right")
        right.set_xlim(0, 400)
        right.set_ylim(0, 145)
        right.set_yticks(range(0, 101, 20))
        right.set_xlabel("day")
        right.set_title("More is not stronger")
        right.legend(loc="upper right")
    n = {key: value.text for key, value in numbers.items()}
    return Drawing(
        figure=figure,
        caption="Past the top of the hill more drug makes fewer trimers: with the constants "
        "assumed here, a tenth of the dose makes more of them.",
        alt=f"Left: trimers against the drug's concentration on a log scale, a hill with its top "
        f"at {n['optimum']} nanomoles per litre. Blinatumomab, at {n['steady']}, makes "
        f"{n['steady_relative']} % of the most; elranatamab, at {n['plateau']}, is past the top "
        f"at {n['plateau_relative']} %. Right: trimers against days under elranatamab. At the "
        f"last dose, on day {n['last_dose']}, the usual dose makes {n['plateau_relative']} % and "
        f"{n['tenth']} of it {n['smaller_relative']} %; 100 days later they make "
        f"{n['usual_100']} and {n['smaller_100']} %.",
        numbers=numbers,
        data={
            "molar": molar,
            "relative": relative,
            "day": day,
            **{f"trimers_{name}": curve for name, curve in trimers.items()},
        },
    )


def engager_population(cycles: int) -> Population:
    """Return virtual patients under blinatumomab who differ in burden and in killing."""
    return replace(
        default_population(),
        exposures=blinatumomab_exposure(cycles=cycles),
        killing=blinatumomab_killing(),
        spread=Spread(killing=default("engager.killing_log_sd")),
        detection=default_detection(),
    )


# Cohorts with one target, and how each is named; the last two are of CAR-T cells.
_MEASURED = (
    ("aldoss2025_blina", "blinatumomab, relapses"),
    ("jabbour2018_blina_failure", "blinatumomab, failures"),
    ("pillai2019_cd19dim", "CAR-T, one hospital"),
    ("lamble2023_phenotype", "CAR-T, several centres"),
)


def engager_phenotype(
    *, cycles: Sequence[int] = _CYCLES, patients: int = 320, seed: int = 20260601
) -> Drawing:
    """Draw the antigen-negative share of relapses, measured and in virtual patients.

    Exact (Clopper-Pearson) 95 % intervals; relapses of unknown kind are left out.

    Parameters
    ----------
    cycles : sequence of int, optional
        Numbers of cycles of virtual patients.
    patients : int, optional
        Virtual patients for each.
    seed : int, optional
        Seed of the simulation.
    """
    rows: list[tuple[str, str, int, int]] = []
    for key, label in _MEASURED:
        split = relapse_split(trials()[key])
        lost = split.antigen_negative + split.lineage_switch
        rows.append(
            (key, f"{label} ({split.total - split.unknown})", lost, split.total - split.unknown)
        )
    measured = len(rows)
    for c in cycles:
        cohort = simulate(engager_population(c), patients, seed=seed)
        gone = np.isin(cohort.outcome, (Outcome.ANTIGEN_NEGATIVE, Outcome.LINEAGE_SWITCH))
        kept = cohort.outcome == Outcome.ANTIGEN_POSITIVE
        name = f"model, {c} cycle{'s' if c > 1 else ''}"
        rows.append((f"model_{c}", name, int(gone.sum()), int((gone | kept).sum())))
    share = np.array([lost / known for _, _, lost, known in rows])
    low, high = np.array([exact_interval(lost, known) for _, _, lost, known in rows]).T
    numbers: dict[str, Quoted] = {"patients": count(patients)}
    for i, (key, _, lost, known) in enumerate(rows):
        numbers |= {
            key: percent(float(share[i])),
            f"{key}_low": percent(float(low[i])),
            f"{key}_high": percent(float(high[i])),
            f"{key}_lost": count(lost),
            f"{key}_known": count(known),
        }
    y = np.arange(len(rows), dtype=float)[::-1]
    y[:measured] += 0.4
    with house_style():
        figure, (ax,) = axes(height=4.2)
        for part, colour, marker in (
            (slice(0, measured), INK, "o"), (slice(measured, None), NEGATIVE, "D"),
        ):  # fmt: skip
            intervals(ax, y[part], share[part], low[part], high[part], colour=colour, marker=marker)
        ax.set_yticks(y, [label for _, label, _, _ in rows])
        ax.set_xlim(0, 100)
        ax.set_ylim(-0.6, y[0] + 0.6)
        ax.set_xlabel("% of relapses without the antigen")
    n = {key: value.text for key, value in numbers.items()}
    spoken = "; ".join(
        f"{label} {n[key]} % ({n[f'{key}_low']} to {n[f'{key}_high']})" for key, label, _, _ in rows
    )
    return Drawing(
        figure=figure,
        caption="After blinatumomab most relapses kept CD19. In the model the share without it "
        "rises with the cycles, because the other relapses vanish.",
        alt="Share of relapses of known kind that lost the antigen or the lineage, with exact 95 "
        f"% intervals and the number of relapses: {spoken}.",
        numbers=numbers,
        data={
            "share": share,
            "low_95": low,
            "high_95": high,
            "lost": np.array([r[2] for r in rows], dtype=float),
        },
    )
