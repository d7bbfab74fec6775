"""Sphinx directives that render the evidence tables of `car_relapse` when the book is built.

``trial-facts``        the fact block of one trial (one column per cohort)
``relapse-phenotypes`` what the disease had kept at relapse, cohort by cohort
``evidence-sources``   every source of the four tables and how it was read

The table of every row is in `trial_table`, its entries in `trial_entries`, the page of the data
in `data_page`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import atlas_cells as cells
from scrolling import EVIDENCE, EvidenceDirective, plain

from car_relapse import evidence
from car_relapse.errors import EvidenceError

if TYPE_CHECKING:
    from docutils import nodes
    from sphinx.application import Sphinx


class TrialFacts(EvidenceDirective):
    """The fact block of one trial, named by its registration number."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return the table."""
        number = self.arguments[0]
        cohorts = [t for t in evidence.trials().values() if number in (t.nct, t.key)]
        if not cohorts:
            raise self.error(f"trial-facts: {number!r} is neither a key nor a number of a trial")
        head = ["What", *(f"{number}: {t.disease}" for t in cohorts)]
        rows = [
            [label, *(text(trial) for trial in cohorts)]
            for label, text in (
                ("Group", lambda t: plain(cells.words_text(t, "sponsor_or_group"))),
                ("Antigens", lambda t: plain(cells.words_text(t, "antigens"))),
                ("Construct", lambda t: cells.words_text(t, "construct")),
                ("Costimulation", lambda t: plain(cells.words_text(t, "costim"))),
                ("Patients", lambda t: plain(cells.words_text(t, "population"))),
                ("Phase", lambda t: cells.words_text(t, "phase")),
                ("Infused", lambda t: cells.count_text(t, "n_infused")),
                ("Complete responses (95 % interval)", cells.response_text),
                ("Response as defined", lambda t: plain(t.cr_definition) or cells.missing(t)),
                ("Relapses by phenotype", cells.relapse_text),
                ("Event-free at 12 months", lambda t: plain(cells.event_free_text(t))),
                ("Alive at 12 months", lambda t: plain(cells.survival_text(t))),
                ("Severe cytokine release", lambda t: cells.count_text(t, "crs_ge3")),
                ("Severe neurotoxicity", lambda t: cells.count_text(t, "icans_ge3")),
                ("Source", lambda t: cells.cite_text(t.bibkey)),
                ("How verified", lambda t: plain(t.verification)),
            )
        ]
        caption = f"What the sources give for {number}"
        return [self.evidence_table(caption, head, rows, self.options.get("name", ""))]


class RelapsePhenotypes(EvidenceDirective):
    """Cohorts whose relapses were classified, multi-antigen first."""

    HEAD = (
        "Cohort",
        "Antigens",
        "Product",
        "Relapses",
        "Antigens kept (95 % interval)",
        "One lost or dim",
        "All lost or low",
        "Lineage switch",
        "Unknown",
        "Source",
    )

    def run(self) -> list[nodes.Node]:
        """Return the table."""
        found = []
        for trial in evidence.trials().values():
            try:
                found.append((trial, evidence.relapse_split(trial)))
            except EvidenceError:
                continue
        found.sort(key=lambda pair: (-len(pair[0].antigens), -pair[1].total, pair[0].key))
        rows = [
            [
                plain(f"{trial.disease}: {trial.population}"),
                plain(", ".join(trial.antigens)),
                cells.words_text(trial, "construct"),
                f"{split.total}",
                cells.missing(trial)
                if trial.n_relapse_ag_pos is None
                else cells.share_text(split.antigen_positive, split.total)
                + (f" {cells.DERIVED}" if "n_relapse_ag_pos" in trial.derived else ""),
                f"{split.partial}" if len(trial.antigens) > 1 else "one target only",
                f"{split.antigen_negative}",
                f"{split.lineage_switch}"
                if trial.n_relapse_lineage_switch is not None
                else cells.missing(trial),
                f"{split.unknown}",
                cells.cite_text(trial.bibkey),
            ]
            for trial, split in found
        ]
        caption = "What the disease still carried at relapse"
        return [self.evidence_table(caption, self.HEAD, rows, self.options.get("name", ""))]


class EvidenceSources(EvidenceDirective):
    """Every source of the four tables, with the number of rows and how they were read."""

    def run(self) -> list[nodes.Node]:
        """Return the table."""
        uses: dict[str, dict[str, int]] = {}
        readings: dict[str, set[str]] = {}
        for name in EVIDENCE:
            table: Any = getattr(evidence, name)()
            for row in table if isinstance(table, tuple) else table.values():
                if row.bibkey:
                    counts = uses.setdefault(row.bibkey, {})
                    counts[name] = counts.get(name, 0) + 1
                    readings.setdefault(row.bibkey, set()).add(row.reading)
        rows = [
            [
                cells.cite_text(key),
                *(f"{uses[key].get(name, 0)}" for name in EVIDENCE),
                "; ".join(sorted(readings[key])),
            ]
            for key in sorted(uses)
        ]
        head = ["Source", *(f"Rows in {name}" for name in EVIDENCE), "How its rows were read"]
        caption = "Every source of the evidence tables"
        return [self.evidence_table(caption, head, rows, self.options.get("name", ""))]


def _list_items(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    # The references are written as a list whose entries carry a role that ARIA has retired and
    # that no list may hold; as list items, a screen reader counts them.
    if "body" in context:
        context["body"] = context["body"].replace('role="doc-biblioentry"', 'role="listitem"')


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directives, and mend the list of references."""
    for part in ("scrolling", "trial_table", "trial_entries", "data_page"):
        app.setup_extension(part)
    app.connect("html-page-context", _list_items)
    app.add_directive("trial-facts", TrialFacts)
    app.add_directive("relapse-phenotypes", RelapsePhenotypes)
    app.add_directive("evidence-sources", EvidenceSources)
    return {"version": "1.0", "parallel_read_safe": True, "parallel_write_safe": True}
