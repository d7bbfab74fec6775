"""The numbers of a report as a table, with all their digits."""

from __future__ import annotations

import csv
import io

from car_relapse.design.plan import Plan, harm

__all__: list[str] = []


def results(plan: Plan) -> str:
    """Return the numbers of the report as a table of full precision."""
    stream = io.StringIO()
    out = csv.writer(stream, lineterminator="\n")
    out.writerow(
        (
            "biology", "endpoint", "closed_form", "calendar_formula", "events", "hazard_ratio",
            "formula_power", "simulated_size", "simulated_size_error", "patients", "trials",
            "rejected", "rejected_error", "rejected_harm", "estimate", "estimate_error", "truth",
            "bias", "coverage", "failed",
        )
    )  # fmt: skip
    for biology in plan.biologies:
        for size, row in biology.judged:
            formula, found = size.formula, size.simulated
            out.writerow(
                "" if cell is None else cell
                for cell in (
                    biology.name, size.endpoint.label, formula.closed_form, formula.calendar,
                    formula.events, formula.hazard_ratio, formula.power,
                    found and found.exact, found and found.std_error, plan.patients, row.trials,
                    row.rejected, row.rejected_error, harm(row, size.endpoint.analysis),
                    row.estimate, row.estimate_error, row.truth, row.bias, row.coverage, row.failed,
                )
            )  # fmt: skip
    return stream.getvalue()
