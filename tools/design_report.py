"""What the page on the design command shows: its example file, worked through to the report."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

from car_relapse import design
from car_relapse.design._drawings import drawings
from car_relapse.design._findings import findings
from car_relapse.design._words import rejections
from car_relapse.design.plan import is_harm
from car_relapse.figures.style import Drawing, Quoted, percent, quote

EXAMPLE = "how-large"


@cache
def plan() -> design.Plan:
    """Return the plan of the example, with sizes searched for in the planned biology alone."""
    scenario = design.parse_trial(design.example_text(EXAMPLE))
    whole = design.plan_trial(scenario, search=False)
    number = scenario.planned
    alone = replace(scenario, biologies=(scenario.biologies[number],))
    searched = design.plan_trial(alone).planned
    rows = list(whole.biologies)
    rows[number] = replace(rows[number], sizes=searched.sizes)
    return replace(whole, biologies=tuple(rows))


def power_table() -> dict[str, object]:
    """Return how often each endpoint rejects in each biology, with Monte Carlo errors."""
    found = plan()
    endpoints = found.scenario.endpoints.all
    rows = [
        [
            biology.name,
            *(
                rejections(row) + (" (harm)" if is_harm(row, size.endpoint.analysis) else "")
                for size, row in biology.judged
            ),
        ]
        for biology in found.biologies
    ]
    return {
        "caption": f"Trials of {found.patients} patients that reject, in percent, with Monte Carlo "
        "standard errors",
        "head": ["Biology", *(e.label for e in endpoints)],
        "rows": rows,
    }


def findings_table() -> dict[str, object]:
    """Return the sentences that the report puts before its tables."""
    rows = []
    for line in findings(plan()):
        bold, _, rest = line.removeprefix("**").partition("**")
        rows.append([bold.strip(" .:"), rest.strip()] if rest else ["All endpoints", line])
    return {"caption": "What the report says first", "head": ["Where", "What"], "rows": rows}


def figure() -> Drawing:
    """Return the figure of power, biology by biology."""
    return drawings(plan())["power"]


def numbers() -> dict[str, Quoted]:
    """Return what the page quotes."""
    found = plan()
    size, row = found.primary, found.planned.performance[0]
    simulated = size.simulated
    if simulated is None or size.formula.closed_form is None:
        raise ValueError(f"{EXAMPLE} has no size for its primary endpoint")
    return {
        "patients": quote(found.patients, 3),
        "trials": quote(found.trials, 4),
        "closed_form": quote(size.formula.closed_form, 3),
        "simulated": quote(simulated.exact, 3),
        "simulated_error": quote(simulated.std_error, 1),
        "power": percent(row.rejected, 1),
        "power_error": percent(row.rejected_error, 1),
    }
