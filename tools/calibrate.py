"""Fit the population to the landmarks again, and store fit, profiles and predictions.

Writes ``src/car_relapse/data/calibration.csv`` and prints the rows for the ledger. Everything
follows from one seed. Takes a few minutes on two cores.
"""

from __future__ import annotations

import csv
import math
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

from car_relapse.calibration import FITTED, Calibration, Model, fit, ledger_values
from car_relapse.calibration_data import default_data
from car_relapse.calibration_prediction import predict
from car_relapse.calibration_table import StoredRow, write_table
from car_relapse.exposure import stein_population
from car_relapse.followup import DAYS_PER_MONTH, FollowUp

TABLE = Path(__file__).parents[1] / "src/car_relapse/data/calibration.csv"
SEED, PATIENTS = 1, 4096
#: Held at the ledger's values in the fit, profiled to show what the data say about them.
HELD = ("growth_log_sd", "burden")

PHENOTYPES, CURVE = "10.1182/bloodadvances.2022007423", "10.1200/JCO.22.00642"
LEDGER = {
    "loss": (
        r"\hat u", "probability per division of losing CD19, calibrated population", "1/division",
        PHENOTYPES, "Only its product with the burden is identified, so it holds for the ledger's "
        "burden.",
    ),
    "common_mode": (
        r"\hat u_{\mathrm{all}}",
        "probability per division of a lineage switch, calibrated population", "1/division",
        PHENOTYPES, "As calibrated.loss; its share of the escapes is 12 of 80.",
    ),
    "half_level": (
        r"\hat K_C", "transgene level of half-maximal killing, calibrated population",
        "copies/µg DNA", CURVE,
        "The scale of persistence: half of it is the same as twice the CAR-T level.",
    ),
    "growth_rate": (
        r"\hat\lambda", "median net growth rate of untreated leukaemia, calibrated population",
        "1/day", CURVE, "With the measured spread between patients; the untreated children "
        "measured had a median of 0.047 by the same law.",
    ),
}  # fmt: skip


def follow_up(shortest: float, longest: float) -> FollowUp:
    """Return a staggered follow-up between two numbers of months."""
    return FollowUp(
        shortest=shortest * DAYS_PER_MONTH,
        longest=longest * DAYS_PER_MONTH,
        dropout_rate=0.0,
        death_rate=0.0,
    )


def one_profile(start: Model, name: str) -> Calibration:
    """Return the fit with the profile of one parameter."""
    return fit(start=start, n=PATIENTS, seed=SEED, profiles=(name,))


def joined(parts: list[Calibration]) -> Calibration:
    """Return the best of several fits of the same data, with the profiles of all."""
    best = min(parts, key=lambda part: part.deviance)
    profiles = tuple(
        replace(curve, rise=curve.rise + part.deviance - best.deviance)
        for part in parts
        for curve in part.profiles
    )
    intervals = {
        curve.name: curve.interval(float(getattr(best.model, curve.name))) for curve in profiles
    }
    return replace(best, profiles=profiles, intervals=intervals)


def other_fits() -> list[tuple[str, Calibration]]:
    """Return the fit under other assumptions, by name."""
    ledger = ledger_values()
    measured = 0.069 / math.exp(0.5 * ledger.growth_log_sd**2)
    without_growth = tuple(name for name in FITTED if name != "growth_rate")
    cases: dict[str, dict[str, object]] = {
        "another scrambling of the patients": {"seed": SEED + 1},
        "follow-up of 6 to 24 months": {"data": default_data(follow_up=follow_up(6, 24))},
        "follow-up of 60 months for all": {"data": default_data(follow_up=follow_up(60, 60))},
        "number of relapses among 420 fitted as well": {"data": default_data(infused=True)},
        "36 months without censoring for later therapy": {"data": default_data(censored=False)},
        "spreads of the CAR-T curves read as standard deviations": {
            "exposures": stein_population("standard deviation")
        },
        "median burden 1e10 cells": {"start": replace(ledger, burden=1e10)},
        "one growth rate for all": {"start": replace(ledger, growth_log_sd=0.01)},
        "growth rate held at the measured median": {
            "start": replace(ledger, growth_rate=measured),
            "free": without_growth,
        },
        "growth rate held at the ledger's": {"free": without_growth},
    }
    options = {"n": PATIENTS, "seed": SEED}
    return [(name, fit(**(options | case))) for name, case in cases.items()]  # type: ignore[arg-type]


def rows_of(best: Calibration, others: list[tuple[str, Calibration]]) -> list[StoredRow]:
    """Return everything that is stored."""
    rows = [
        StoredRow(
            kind="estimate", item=name, setting="", value=interval.value, low=interval.low,
            high=interval.high, deviance=best.deviance, fitted="yes" if name in FITTED else "no",
            note="" if interval.identified else "not identified: held at the ledger's value",
        )
        for name, interval in best.intervals.items()
    ]  # fmt: skip
    rows += [
        StoredRow(kind="profile", item=p.name, setting="", value=float(v), deviance=float(r))
        for p in best.profiles
        for v, r in zip(p.value, p.rise, strict=True)
    ]
    rows += [
        StoredRow(kind="sensitivity", item=name, setting=case, value=value, deviance=found.deviance)
        for case, found in others
        for name, value in found.estimates.items()
    ]
    rows += [
        StoredRow(
            kind="prediction", item=p.cohort, setting=p.endpoint, value=p.predicted,
            observed=p.observed, observed_low=p.low, observed_high=p.high,
            numerical_se=p.numerical_se, parameter_se=p.parameter_se,
            fitted="yes" if p.fitted else "no", doi=p.doi, verification=p.verification,
            note=f"{p.interval} interval; {p.note}" if p.interval else p.note,
        )
        for p in predict(best.model, covariance=best.covariance, n=2048, seed=SEED + 100)
    ]  # fmt: skip
    return rows


def shown(number: float | None) -> str:
    """Return a number to three digits, or a dash."""
    return "-" if number is None else f"{number:.3f}"


def print_ledger(best: Calibration) -> None:
    """Print the ledger's rows of the fitted parameters."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    for name in FITTED:
        symbol, words, unit, doi, note = LEDGER[name]
        interval = best.intervals[name]
        numbers = [
            "" if x is None else f"{float(f'{x:.3g}'):g}"
            for x in (interval.value, interval.low, interval.high)
        ]
        writer.writerow(
            [
                f"calibrated.{name}", symbol, words, *numbers, unit, "fitted",
                "children and young adults, CD19 CAR-T, ELIANA and 420 pooled", doi,
                "joint fit to relapse-free survival at 6, 12 and 36 months and to 83, 68 and 12 "
                "relapses by kind; range is the 95 % interval of the profile likelihood", note,
            ]
        )  # fmt: skip


def main() -> None:
    """Fit, predict, store and print."""
    with ProcessPoolExecutor(2) as pool:
        start = fit(n=PATIENTS, seed=SEED).model
        parts = [pool.submit(one_profile, start, name) for name in (*FITTED, *HELD)]
        rest = pool.submit(other_fits)
        best, others = joined([part.result() for part in parts]), rest.result()
    rows = rows_of(best, others)
    with TABLE.open("w", encoding="utf-8") as stream:
        write_table(rows, stream)
    print(f"deviance {best.deviance:.2f} on {best.degrees_of_freedom} degree of freedom")
    for row in rows:
        if row.kind == "prediction":
            print(
                f"{row.item:24} {row.setting:58} seen {row.observed:6.3f} "
                f"[{shown(row.observed_low)}, {shown(row.observed_high)}] model {row.value:6.3f} "
                f"± {row.numerical_se:.3f} ± {row.parameter_se:.3f} fitted: {row.fitted}"
            )
    print("Rows for the ledger:")
    print_ledger(best)


if __name__ == "__main__":
    main()
