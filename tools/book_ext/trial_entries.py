"""A short entry for every row of the trial table, with an address of its own.

Directive ``{trial-entries} leukaemia-several`` writes the sections of one group.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import atlas_cells as cells
from docutils import nodes
from scrolling import EvidenceDirective, plain

from car_relapse import evidence

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sphinx.application import Sphinx

    from car_relapse.evidence import Landmark, Trial

GROUPS = (
    *("leukaemia-several", "leukaemia-one", "lymphoma-several", "lymphoma-one"),
    *("multiple myeloma", "glioblastoma", "pooled"),
)
_STATISTIC = {"probability": "", "median": "median ", "share": "share, "}


def group(trial: Trial) -> str:
    """Return the group in which a row stands; leukaemia alone comes before mixtures."""
    if trial.pooled:
        return "pooled"
    treated = cells.diseases(trial)
    if treated[0] in GROUPS:
        return treated[0]
    disease = "leukaemia" if treated == ("leukaemia",) else "lymphoma"
    return f"{disease}-{'several' if len(trial.antigens) > 1 else 'one'}"


def landmark_text(row: Landmark) -> str:
    """Return one published survival value: ``EFS at 12 months 50 % (35–64)``."""
    window = f"–{row.month_high:g}" if row.month_high is not None else ""
    when = f" at {row.month:g}{window} months" if row.month is not None else ""
    unit = " %" if row.unit == "%" else " months"
    interval = ""
    if row.ci_low is not None:
        high = "not reached" if row.ci_high is None else f"{row.ci_high:g}"
        kind = " interquartile range" if row.interval == "IQR" else ""
        interval = f" ({row.ci_low:g}–{high}{kind})"
    subset = f" [{row.subset}]" if row.subset else ""
    statistic = _STATISTIC[row.statistic]
    return f"{statistic}{row.endpoint}{when} {row.value:g}{unit}{interval}{subset}"


def survival(trial: Trial) -> str:
    """Return every landmark value of a cohort, or the 12-month values of its row."""
    found = [
        landmark_text(row)
        for row in evidence.landmarks()
        if row.trial_key == trial.key and row.statistic != "share"
    ]
    if not found:
        texts = (cells.event_free_text(trial), cells.survival_text(trial))
        found = [text for text in texts if text != cells.missing(trial)]
    return plain("; ".join(found)) or cells.missing(trial)


def toxicity(trial: Trial) -> str:
    """Return severe cytokine release and severe neurotoxicity."""
    parts = (("crs_ge3", "cytokine release"), ("icans_ge3", "neurotoxicity"))
    known = [
        f"{word} {cells.count_text(trial, field)}"
        for field, word in parts
        if getattr(trial, field) is not None
    ]
    return ", ".join(known) or cells.missing(trial)


def lines(trial: Trial) -> Iterator[tuple[str, str]]:
    """Yield the lines of one entry: a word, and text of the page."""
    costim = f", {cells.words_text(trial, 'costim')}" if trial.costim else ""
    phase = f"; phase or kind: {trial.phase}" if trial.phase else ""
    number = f"; {cells.words_text(trial, 'nct')}" if trial.nct else ""
    antigens, construct = (cells.words_text(trial, f) for f in ("antigens", "construct"))
    yield "Product", plain(f"{antigens}: {construct}{costim}{phase}{number}")
    infused, evaluable = (cells.count_text(trial, f) for f in ("n_infused", "n_evaluable"))
    people = trial.population or "population not given"
    yield "Patients", plain(f"{people}; infused {infused}, evaluable {evaluable}")
    definition = f"; as defined: {trial.cr_definition}" if trial.cr_definition else ""
    yield "Complete response", plain(cells.response_text(trial) + definition)
    yield "Relapses", plain(cells.relapse_text(trial))
    yield "Survival", survival(trial)
    if trial.median_followup_months is not None:
        yield "Median follow-up", f"{trial.median_followup_months:g} months"
    yield "Grade 3 or more", toxicity(trial)
    others = [evidence.trials()[key] for key in evidence.same_patients(trial.key)]
    if others:
        yield "Shares patients with", "; ".join(cells.linked(other) for other in others)
    if trial.notes:
        yield "Note", plain(trial.notes)
    yield "Source", cells.cite_text(trial.bibkey)
    yield "How verified", plain(trial.verification)


class TrialEntries(EvidenceDirective):
    """The entries of one group, in the order of the table."""

    required_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        """Return one section for each row."""
        wanted = self.arguments[0]
        found = [t for t in evidence.trials().values() if group(t) == wanted]
        if not found:
            known = ", ".join(GROUPS)
            raise self.error(f"trial-entries: {wanted!r} is no group of rows; there are {known}")
        self.note_evidence()
        return [self.entry(trial) for trial in found]

    def entry(self, trial: Trial) -> nodes.section:
        """Return the section of one row."""
        section = nodes.section(names=[cells.anchor(trial.key)], classes=["trial-entry"])
        section += nodes.title("", "", *self.inline(plain(cells.title_text(trial))).children)
        listed = nodes.field_list()
        for word, text in lines(trial):
            listed += nodes.field(
                "", nodes.field_name("", word), nodes.field_body("", self.inline(text))
            )
        section += listed
        self.set_source_info(section)
        self.state.document.note_explicit_target(section, section)
        return section


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directive."""
    app.setup_extension("scrolling")
    app.add_directive("trial-entries", TrialEntries)
    return {"version": "1.0", "parallel_read_safe": True, "parallel_write_safe": True}
