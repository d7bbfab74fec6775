"""The report of a plan: Markdown with tables, and figures beside it.

It holds no date, no path and nothing of the machine, so that one scenario gives one report, bit for
bit, wherever and on however many workers it was made.
"""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from car_relapse.design._findings import event_free, findings
from car_relapse.design._results import results
from car_relapse.design._words import percent, rejections, share
from car_relapse.design.assumptions import assumptions
from car_relapse.design.plan import BiologyPlan, EndpointSize, Plan, is_harm
from car_relapse.design.sections import cause_name
from car_relapse.errors import ScenarioError, require_instance
from car_relapse.followup import Cause
from car_relapse.trial.virtual import Performance

if TYPE_CHECKING:
    from car_relapse.figures.style import Drawing

__all__ = ["report_text", "write_report"]

_METHODS = (
    "Events of a log-rank test in closed form: Schoenfeld, doi:10.2307/2531021 (DOI not checked); "
    "of Gray's test: Latouche and Porcher, hal-00116989.",
    "Gray's test: doi:10.1214/aos/1176350951.",
    "That a log-rank test has one variance if nothing differs and another if something does: Yung "
    "and Liu, doi:10.1111/biom.13196. The calendar formula is derived anew from that.",
    "Sizes by simulation: power is simulated at four sizes, and a line through its probit against "
    "the root of the size is read at the wanted power.",
)


def write_report(plan: Plan, folder: str | os.PathLike[str], *, source: str = "") -> Path:
    """Write the report of a plan.

    Parameters
    ----------
    plan : Plan
        The plan, as `plan_trial` makes it.
    folder : str or path
        Where ``report.md``, ``results.csv`` and the figures (PNG and SVG) go; it is made if it is
        not there, and files of those names are replaced.
    source : str, optional
        Text of the scenario file, to be printed at the end.

    Returns
    -------
    Path
        The report.

    Raises
    ------
    ScenarioError
        When the folder cannot be written to.
    """
    require_instance("plan", plan, Plan, "make one with plan_trial")
    from car_relapse.design._drawings import drawings  # loads Matplotlib, only where it is used

    place = Path(os.fspath(folder))
    figures = drawings(plan)
    try:
        place.mkdir(parents=True, exist_ok=True)
        for name, drawing in figures.items():
            _save(drawing, place / name)
        (place / "results.csv").write_text(results(plan), encoding="utf-8")
        report = place / "report.md"
        report.write_text(report_text(plan, figures, source=source), encoding="utf-8")
    except OSError as problem:
        raise ScenarioError(
            f"the folder {place.name or place} cannot be written to ({problem.strerror}); a report "
            "needs one; give another with --out"
        ) from None
    return report


def _save(drawing: Drawing, stem: Path) -> None:
    from car_relapse.figures.style import house_style

    with house_style():
        drawing.figure.savefig(stem.with_suffix(".png"), dpi=150, metadata={"Software": None})
        drawing.figure.savefig(stem.with_suffix(".svg"), metadata={"Date": None, "Creator": None})


def report_text(plan: Plan, figures: dict[str, Drawing], *, source: str = "") -> str:
    """Return the report in Markdown.

    Parameters
    ----------
    plan : Plan
        The plan.
    figures : dict of str to Drawing
        Figures by the names of their files.
    source : str, optional
        Text of the scenario file.
    """
    parts = [
        f"# {plan.scenario.title}",
        "A design report of the library of *Why CAR-T Relapses*. "
        "**This is a teaching model, not guidance for care.** "
        "It shows what follows from assumptions; it does not say that they hold.",
        _quick(plan),
        "## Answer",
        *_answer(plan),
        "## What not to overlook",
        _bullets(findings(plan)) or "Nothing that the report has a rule for.",
        "## Design",
        _design(plan),
        "## Biologies",
        "Each is a way in which the experimental arm might turn out. Incidences are of responders, "
        f"by month {plan.scenario.last_month:g}; remission is of all patients."
        + (
            " All are as if nobody were transplanted."
            if any(arm.transplant is not None for arm in plan.planned.version.trial.arms)
            else ""
        ),
        _biologies(plan),
        _figure("incidences", figures),
        "## How many patients",
        "The closed form follows everybody to the horizon and takes one shape for all hazards. "
        "The calendar formula has accrual and loss. Neither has transplants, visits or missing "
        "antigen tests; the simulation has all of them. Errors are Monte Carlo standard errors.",
        _sizes(plan),
        _figure("sizes", figures),
        _figure("power-by-size", figures),
        f"## What a trial of {plan.patients:,} patients would find",
        f"Trials of {plan.trials:,} that reject at a two-sided level of "
        f"{plan.scenario.design.alpha:g}, in percent, with Monte Carlo standard errors. *Harm* "
        "marks those that reject because the experimental arm does worse.",
        _power(plan),
        _figure("power", figures),
        "### Estimates, their bias and their intervals",
        "A log-rank test estimates the log hazard ratio by one step from no effect, which is "
        "biased towards none when the effect is large. Coverage is that of 95 % intervals.",
        _estimates(plan),
        "## Assumptions and their sources",
        _assumptions(plan),
        "## Methods and their sources",
        _bullets(_METHODS),
        "## Seed and versions",
        _versions(plan),
    ]
    if source:
        fence = "~~~~~~~~"
        parts += ["## The scenario", f"{fence}yaml\n{source.rstrip()}\n{fence}"]
    return "\n\n".join(part for part in parts if part) + "\n"


def _quick(plan: Plan) -> str:
    if not plan.quick:
        return ""
    return (
        f"> A first look: {plan.trials:,} trials of each biology instead of "
        f"{plan.scenario.simulation.trials:,}. Make the report again without `--quick` before you "
        "use a number of it."
    )


def _answer(plan: Plan) -> Iterator[str]:
    design, size, row = plan.scenario.design, plan.primary, plan.planned.performance[0]
    endpoint = plan.scenario.endpoints.primary
    yield (
        f"**{endpoint.label}**, power {percent(design.power)} %, two-sided level "
        f"{percent(design.alpha, 1).removesuffix('.0')} %, if the experimental arm turns out "
        f"as *{plan.planned.name}*:"
    )
    rows = [
        ("closed form", _count(size.formula.closed_form)),
        ("calendar formula", _count(size.formula.calendar)),
        ("simulation", _simulated(size)),
    ]
    yield _table(("by", "patients in both arms"), rows)
    trial = plan.planned.version.trial
    pieces = [
        f"{n:,} in {arm.name}"
        + (f", of whom {percent(arm.response)} % reach remission" if arm.response < 1.0 else "")
        for n, arm in zip(trial.sizes, trial.arms, strict=True)
    ]
    yield (
        f"A trial of **{plan.patients:,} patients** ({'; '.join(pieces)}) would reject in "
        f"**{share(row)}** of the cases. The results are there {plan.scenario.last_month:g} months "
        "after the first infusion."
        + (
            f" It must treat {plan.patients / design.accrual:.1f} patients a month."
            if design.accrual
            else ""
        )
    )


def _design(plan: Plan) -> str:
    scenario, design = plan.scenario, plan.scenario.design
    primary, *others = (e.label for e in scenario.endpoints.all)
    rows = [
        ("arms", f"{scenario.control.name} (control), {scenario.experimental.name}"),
        ("planned for", design.plan_for),
        ("primary endpoint", primary),
        ("other endpoints", "; ".join(others) or "none"),
        ("two-sided level", f"{design.alpha:g}"),
        ("wanted power", f"{design.power:g}"),
        ("patients in both arms", f"{plan.patients:,}"),
        ("experimental patients for each control", f"{design.allocation:g}"),
        ("accrual, months", f"{design.accrual:g}"),
        ("follow-up after the last infusion, months", f"{design.follow_up:g}"),
        ("lost to follow-up in a year", f"{design.lost_per_year:g}"),
    ]
    return _table(("what", "value"), rows)


def _biologies(plan: Plan) -> str:
    month = plan.scenario.last_month
    causes = list(
        dict.fromkeys(
            c for b in plan.biologies for arm in b.version.trial.arms for c in arm.biology.causes
        )
    )
    heads = ["biology", "what it says", *(cause_name(c).replace("_", " ") for c in causes)]
    heads += ["in remission", "hazard ratios, in this order"]
    control = plan.biologies[0].version.trial.arms[0]
    rows = [[f"*{control.name}* (control)", "", *_incidence_cells(plan.biologies[0], 0, causes)]]
    rows[0] += [f"{percent(event_free(plan.biologies[0], month)[0], 1)} %", ""]
    for biology in plan.biologies:
        rows.append(
            [
                biology.name,
                biology.version.section.says,
                *_incidence_cells(biology, 1, causes),
                f"{percent(event_free(biology, month)[1], 1)} %",
                _ratios(biology, causes, month),
            ]
        )
    return _table(heads, rows)


def _incidence_cells(biology: BiologyPlan, arm: int, causes: Sequence[Cause]) -> list[str]:
    found = biology.version.trial.arms[arm].biology
    end = biology.version.trial.last_month
    shares = dict(zip(found.causes, found.incidence(end), strict=True))
    errors: dict[Cause, float] = {}
    engine = biology.version.engine if arm else biology.version.control_engine
    if engine is not None:
        errors = dict(zip(found.causes, engine.incidence_error(end), strict=True))
    return [
        "0"
        if cause not in shares
        else f"{percent(float(shares[cause]), 1)} %"
        + (
            f" (± {percent(float(errors[cause]), 1)})"
            if cause in errors and cause is not Cause.DEATH
            else ""
        )
        for cause in causes
    ]


def _ratios(biology: BiologyPlan, causes: Sequence[Cause], month: float) -> str:
    control, experimental = (arm.biology for arm in biology.version.trial.arms)
    first = dict(zip(control.causes, control.cumulative_hazard(month), strict=True))
    second = dict(zip(experimental.causes, experimental.cumulative_hazard(month), strict=True))
    cells = []
    for cause in causes:
        before, after = float(first.get(cause, 0.0)), float(second.get(cause, 0.0))
        cells.append(f"{after / before:.2f}" if before > 0 else ("none" if after == 0 else "new"))
    return " / ".join(cells)


def _sizes(plan: Plan) -> str:
    heads = ("biology", "endpoint", "closed form", "calendar formula", "events", "simulation")
    rows = [
        (
            biology.name if number == 0 else "",
            size.endpoint.label,
            _count(size.formula.closed_form),
            _count(size.formula.calendar)
            + (f" ({size.formula.note})" if size.formula.note else ""),
            _count(size.formula.events),
            _simulated(size),
        )
        for biology in plan.biologies
        for number, size in enumerate(biology.sizes)
        if size.endpoint.test != "share"
    ]
    return _table(heads, rows)


def _simulated(size: EndpointSize) -> str:
    if size.simulated is None:
        return size.note
    return f"{size.simulated.exact:,.0f}\u00a0±\u00a0{size.simulated.std_error:,.0f}"


def _power(plan: Plan) -> str:
    endpoints = plan.scenario.endpoints.all
    rows = []
    for biology in plan.biologies:
        cells = [biology.name]
        for size, row in biology.judged:
            text = rejections(row)
            cells.append(f"{text} *harm*" if is_harm(row, size.endpoint.analysis) else text)
        rows.append(cells)
    return _table(("biology", *(e.label for e in endpoints)), rows)


def _estimates(plan: Plan) -> str:
    heads = ("biology", "endpoint", "estimate", "truth", "bias", "spread", "stated error",
             "coverage, %", "failed")  # fmt: skip
    rows = [
        (
            biology.name if number == 0 else "",
            size.endpoint.label,
            _with_error(row.estimate, row.estimate_error),
            _short(row.truth),
            _with_error(row.bias, row.estimate_error),
            _short(row.spread),
            _short(row.std_error),
            _coverage(row),
            f"{row.failed:,}",
        )
        for biology in plan.biologies
        for number, (size, row) in enumerate(biology.judged)
    ]
    return _table(heads, rows)


def _coverage(row: Performance) -> str:
    if row.coverage is None or row.coverage_error is None:
        return ""
    return f"{percent(row.coverage, 1)}\u00a0±\u00a0{percent(row.coverage_error, 1)}"


def _with_error(value: float | None, error: float | None) -> str:
    if value is None or error is None:
        return ""
    return f"{round(value, 3) + 0.0:.3f}\u00a0±\u00a0{error:.3f}"


def _short(value: float | None) -> str:
    # What is 0 but for roundings has no sign.
    return "" if value is None else f"{round(value, 3) + 0.0:.3f}"


def _assumptions(plan: Plan) -> str:
    rows = [
        (row.what, row.certainty, f"doi:{row.doi}" if row.doi else "")
        for row in assumptions(plan.scenario)
    ]
    return _table(("assumption", "certainty", "source"), rows) + (
        "\n\n*Measured*: read off data. *Fitted*: a model was fitted to data. *Assumed*: a choice, "
        "with or without a paper that made it before."
    )


def _versions(plan: Plan) -> str:
    rows = [
        ("seed", str(plan.scenario.simulation.seed)),
        ("trials of each biology", f"{plan.trials:,}"),
        *plan.versions.items(),
        *((name, version(name)) for name in ("scipy", "matplotlib")),
        ("Python", ".".join(map(str, sys.version_info[:3]))),
    ]
    return _table(("what", "value"), rows)


def _count(patients: float | None) -> str:
    if patients is None:
        return "–"
    return "no difference" if math.isinf(patients) else f"{math.ceil(patients - 1e-9):,}"


def _figure(name: str, figures: dict[str, Drawing]) -> str:
    if name not in figures:
        return ""
    return f"![{figures[name].alt}]({name}.svg)\n\n*{figures[name].caption}*"


def _bullets(lines: Iterable[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    def line(cells: Sequence[str]) -> str:
        return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"

    return "\n".join([line(heads), line(["---"] * len(heads)), *map(line, rows)])
