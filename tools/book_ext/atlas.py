"""Sphinx directives that render the evidence tables of `car_relapse` when the book is built.

``trial-overview``     one table per disease group of all multi-antigen trials
``trial-facts``        the fact block of one trial (one column per cohort)
``relapse-phenotypes`` what the disease had kept at relapse, cohort by cohort
``evidence-sources``   every source of the four tables and how it was read

Cells are parsed as text of the page, so citations go through the bibliography as if typed there.
"""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING, Any

from docutils import nodes
from scipy.stats import binomtest
from scrolling import TableDirective, plain

from car_relapse import evidence
from car_relapse.errors import EvidenceError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sphinx.application import Sphinx

    from car_relapse.evidence import Trial

NOT_REPORTED = "not reported"
NOT_FOUND = "not found"
BACKGROUND = "†"
DERIVED = "‡"
_READ_WITH_RESULTS = ("read in the full text", "read in the abstract", "secondary source")
_TABLES = ("trials", "mechanisms", "kinetics", "landmarks")
_GROUPS = (
    ("B-ALL", "B-cell acute lymphoblastic leukaemia"),
    ("lymphoma", "B-cell lymphoma, and trials that mix it with leukaemia"),
    ("other", "multiple myeloma and glioblastoma"),
)
_DISEASE_GROUP = {"B-ALL": "B-ALL", "multiple myeloma": "other", "glioblastoma": "other"}


def exact_interval(count: int, total: int) -> tuple[float, float]:
    """Return the exact (Clopper–Pearson) 95 % interval of a proportion, in percent."""
    interval = binomtest(count, total).proportion_ci(confidence_level=0.95, method="exact")
    return 100 * float(interval.low), 100 * float(interval.high)


def missing(trial: Trial) -> str:
    """Return the word for an empty cell: read but not there, or no results could be read."""
    return NOT_REPORTED if trial.reading in _READ_WITH_RESULTS else NOT_FOUND


def disease_group(trial: Trial) -> str:
    """Return the group of the overview in which a trial stands."""
    return _DISEASE_GROUP.get(trial.disease, "lymphoma")


def share_text(count: int, total: int) -> str:
    """Return a count with its share and exact interval: ``13 of 15 (87 %; 60–98)``."""
    low, high = exact_interval(count, total)
    return f"{count} of {total} ({100 * count / total:.0f} %; {low:.0f}–{high:.0f})"


def words_text(trial: Trial, field: str) -> str:
    """Return a field in words, marked when no text that was read repeats it."""
    value = getattr(trial, field)
    text = ", ".join(value) if isinstance(value, tuple) else value
    if not text or text == "not stated":
        return missing(trial)
    return f"{text} {BACKGROUND}" if field in trial.background else text


def count_text(trial: Trial, field: str) -> str:
    """Return a count, marked when it was computed from a percentage or by subtraction."""
    value = getattr(trial, field)
    if value is None:
        return missing(trial)
    return f"{value} {DERIVED}" if field in trial.derived else f"{value}"


def response_text(trial: Trial) -> str:
    """Return complete responses with their exact interval."""
    if trial.n_cr is None or not trial.n_evaluable:
        return missing(trial)
    mark = f" {DERIVED}" if {"n_cr", "n_evaluable"} & trial.derived else ""
    return share_text(trial.n_cr, trial.n_evaluable) + mark


def relapse_text(trial: Trial) -> str:
    """Return the relapses by phenotype, or what the row knows of them."""
    try:
        split = evidence.relapse_split(trial)
    except EvidenceError:
        known = []
        if trial.n_relapse is not None:
            known.append(f"{trial.n_relapse} in all")
        for field, word in (
            ("n_relapse_ag_pos", "antigens kept"),
            ("n_relapse_partial", "one lost or dim"),
            ("n_relapse_ag_neg", "all lost"),
        ):
            if getattr(trial, field) is not None:
                known.append(f"{getattr(trial, field)} {word}")
        rest = "rest" if known else ""
        return ", ".join([*known, f"{rest} {missing(trial)}".strip()])
    kept = missing(trial) if trial.n_relapse_ag_pos is None else split.antigen_positive
    parts = [f"{split.total}: {kept} antigens kept"]
    if len(trial.antigens) > 1:
        parts.append(f"{split.partial} one lost or dim")
    parts.append(f"{split.antigen_negative} all lost")
    if split.lineage_switch:
        parts.append(f"{split.lineage_switch} lineage switch")
    if split.unknown:
        parts.append(f"{split.unknown} unknown")
    mark = f" {DERIVED}" if any(f.startswith("n_relapse") for f in trial.derived) else ""
    return ", ".join(parts) + mark


def _printed(value: float, endpoint: str, trial: Trial) -> str:
    rows = [
        row
        for row in evidence.landmarks()
        if (row.trial_key, row.endpoint, row.month, row.value)
        == (trial.key, endpoint.split()[0], 12, value)
    ]
    interval = ""
    if rows and rows[0].ci_low is not None and rows[0].ci_high is not None:
        interval = f" ({rows[0].ci_low:g}–{rows[0].ci_high:g})"
    return f"{endpoint} {value:g} %{interval}"


def event_free_text(trial: Trial) -> str:
    """Return the 12-month value with its endpoint and the interval that the source prints."""
    if trial.efs_or_pfs_12m is None:
        return missing(trial)
    return _printed(trial.efs_or_pfs_12m, trial.endpoint_12m, trial)


def survival_text(trial: Trial) -> str:
    """Return overall survival at 12 months with the interval that the source prints."""
    return missing(trial) if trial.os_12m is None else _printed(trial.os_12m, "OS", trial)


def cite_text(bibkey: str) -> str:
    """Return the citation of a source as text of a page."""
    return f"{{cite:p}}`{bibkey}`" if bibkey else "no publication"


class EvidenceDirective(TableDirective):
    """A table of the evidence, built anew when one of its files changes."""

    def evidence_table(
        self, caption: str, head: Sequence[str], rows: Sequence[Sequence[str]], name: str = ""
    ) -> nodes.Element:
        """Return a captioned table."""
        data = resources.files("car_relapse") / "data"
        files = [str(data / f"{file}.csv") for file in _TABLES]
        return self.table(caption, head, rows, name=name, sources=files)


class TrialOverview(EvidenceDirective):
    """One table per disease group of all multi-antigen trials, largest first."""

    HEAD = (
        "Trial",
        "Antigens",
        "Construct",
        "Disease",
        "Infused",
        "Complete responses (95 % interval)",
        "Relapses by phenotype",
        "12 months",
        "Source",
        "Read in",
    )

    def run(self) -> list[nodes.Node]:
        """Return the tables."""
        found: list[nodes.Node] = []
        for group, title in _GROUPS:
            members = [t for t in evidence.multi_antigen_trials() if disease_group(t) == group]
            members.sort(key=lambda t: (-(t.n_infused or 0), t.key))
            name = self.options.get("name", "")
            found.append(
                self.evidence_table(
                    f"Multi-antigen trials: {title}",
                    self.HEAD,
                    [self.cells(trial) for trial in members],
                    f"{name}-{group.lower()}" if name else "",
                )
            )
        return found

    @staticmethod
    def cells(trial: Trial) -> list[str]:
        """Return one row of the overview."""
        who = trial.sponsor_or_group or "group not named"
        who = f"{who} {BACKGROUND}" if "sponsor_or_group" in trial.background else who
        number = f", {words_text(trial, 'nct')}" if trial.nct else ""
        return [
            plain(who + number),
            plain(words_text(trial, "antigens")),
            words_text(trial, "construct"),
            plain(words_text(trial, "disease")),
            count_text(trial, "n_infused"),
            response_text(trial),
            relapse_text(trial),
            plain(event_free_text(trial)),
            cite_text(trial.bibkey),
            trial.reading.removeprefix("read in the ").removeprefix("read "),
        ]


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
                ("Group", lambda t: plain(words_text(t, "sponsor_or_group"))),
                ("Antigens", lambda t: plain(words_text(t, "antigens"))),
                ("Construct", lambda t: words_text(t, "construct")),
                ("Costimulation", lambda t: plain(words_text(t, "costim"))),
                ("Patients", lambda t: plain(words_text(t, "population"))),
                ("Phase", lambda t: words_text(t, "phase")),
                ("Infused", lambda t: count_text(t, "n_infused")),
                ("Complete responses (95 % interval)", response_text),
                ("Response as defined", lambda t: plain(t.cr_definition) or missing(t)),
                ("Relapses by phenotype", relapse_text),
                ("Event-free at 12 months", lambda t: plain(event_free_text(t))),
                ("Alive at 12 months", lambda t: plain(survival_text(t))),
                ("Severe cytokine release", lambda t: count_text(t, "crs_ge3")),
                ("Severe neurotoxicity", lambda t: count_text(t, "icans_ge3")),
                ("Source", lambda t: cite_text(t.bibkey)),
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
                words_text(trial, "construct"),
                f"{split.total}",
                missing(trial)
                if trial.n_relapse_ag_pos is None
                else share_text(split.antigen_positive, split.total)
                + (f" {DERIVED}" if "n_relapse_ag_pos" in trial.derived else ""),
                f"{split.partial}" if len(trial.antigens) > 1 else "one target only",
                f"{split.antigen_negative}",
                f"{split.lineage_switch}"
                if trial.n_relapse_lineage_switch is not None
                else missing(trial),
                f"{split.unknown}",
                cite_text(trial.bibkey),
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
        for name in _TABLES:
            table: Any = getattr(evidence, name)()
            for row in table if isinstance(table, tuple) else table.values():
                if row.bibkey:
                    counts = uses.setdefault(row.bibkey, {})
                    counts[name] = counts.get(name, 0) + 1
                    readings.setdefault(row.bibkey, set()).add(row.reading)
        rows = [
            [
                cite_text(key),
                *(f"{uses[key].get(name, 0)}" for name in _TABLES),
                "; ".join(sorted(readings[key])),
            ]
            for key in sorted(uses)
        ]
        head = ["Source", *(f"Rows in {name}" for name in _TABLES), "How its rows were read"]
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
    app.setup_extension("scrolling")
    app.connect("html-page-context", _list_items)
    app.add_directive("trial-overview", TrialOverview)
    app.add_directive("trial-facts", TrialFacts)
    app.add_directive("relapse-phenotypes", RelapsePhenotypes)
    app.add_directive("evidence-sources", EvidenceSources)
    return {"version": "1.0", "parallel_read_safe": True, "parallel_write_safe": True}
