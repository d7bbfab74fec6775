"""One table of every row of the trial table, which readers can filter and sort.

Directive ``{trial-table}`` writes a whole table and a hidden form. Where scripts run,
`assets/trial-table.js` shows the form and lets DataTables sort and search; only a page that
holds the table loads the two files.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any, get_args

import atlas_cells as cells
from docutils import nodes
from scrolling import EvidenceDirective, plain

from car_relapse import evidence
from car_relapse.errors import EvidenceError
from car_relapse.records import Construct, Reading

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from sphinx.application import Sphinx

    from car_relapse.evidence import Trial

SCRIPTS = ("vendor/datatables/dataTables.min.js", "trial-table.js")
_SHORT = ("read in the ", "read ")


class keyed_row(nodes.row):
    """A row with words that the filters ask for."""


class keyed_entry(nodes.entry):
    """A cell with the number that it is sorted by."""


def _visit_keyed(translator: Any, node: nodes.Element) -> None:
    visit = translator.visit_row if isinstance(node, keyed_row) else translator.visit_entry
    visit(node)
    data = "".join(f' data-{name}="{escape(value)}"' for name, value in node["data"].items())
    tag = translator.body[-1]
    translator.body[-1] = tag.replace(">", f"{data}>", 1) if data else tag


def _depart_keyed(translator: Any, node: nodes.Element) -> None:
    leave = translator.depart_row if isinstance(node, keyed_row) else translator.depart_entry
    leave(node)


def _relapses(trial: Trial, part: str) -> str:
    """Return one class of relapses, with its share where the row reports a split."""
    field = f"n_relapse_{part}"
    value = getattr(trial, field)
    if part == "partial" and len(trial.antigens) == 1:
        return "one target only"
    if value is None or part != "ag_pos":
        return cells.count_text(trial, field)
    try:
        split = evidence.relapse_split(trial)
    except EvidenceError:
        return cells.count_text(trial, field)
    mark = f" {cells.DERIVED}" if field in trial.derived else ""
    return cells.share_text(value, split.total) + mark


def _share(trial: Trial, count: str, total: str) -> float | None:
    part, whole = getattr(trial, count), getattr(trial, total)
    return None if part is None or not whole else 100 * part / whole


#: Heading, text of the cell, and the number that the column is sorted by (None: its text).
COLUMNS: tuple[tuple[str, Callable[[Trial], str], Callable[[Trial], float | None] | None], ...] = (
    ("Trial", lambda t: cells.linked(t), None),
    ("Antigens", lambda t: plain(cells.words_text(t, "antigens")), None),
    ("Construct", lambda t: cells.words_text(t, "construct"), None),
    ("Disease", lambda t: plain(cells.words_text(t, "disease")), None),
    ("Population", lambda t: plain(cells.words_text(t, "population")), None),
    ("Infused", lambda t: cells.count_text(t, "n_infused"), lambda t: t.n_infused),
    ("Evaluable", lambda t: cells.count_text(t, "n_evaluable"), lambda t: t.n_evaluable),
    (
        "Complete response (95 % interval)",
        cells.response_text,
        lambda t: _share(t, "n_cr", "n_evaluable"),
    ),
    ("Relapses", lambda t: cells.count_text(t, "n_relapse"), lambda t: t.n_relapse),
    (
        "Antigens kept (95 % interval)",
        lambda t: _relapses(t, "ag_pos"),
        lambda t: _share(t, "n_relapse_ag_pos", "n_relapse"),
    ),
    ("One lost or dim", lambda t: _relapses(t, "partial"), lambda t: t.n_relapse_partial),
    ("All lost or low", lambda t: _relapses(t, "ag_neg"), lambda t: t.n_relapse_ag_neg),
    (
        "Lineage switch",
        lambda t: _relapses(t, "lineage_switch"),
        lambda t: t.n_relapse_lineage_switch,
    ),
    (
        "Without event at 12 months",
        lambda t: plain(cells.event_free_text(t)),
        lambda t: t.efs_or_pfs_12m,
    ),
    ("Alive at 12 months", lambda t: plain(cells.survival_text(t)), lambda t: t.os_12m),
    (
        "Cytokine release, grade 3 or more",
        lambda t: cells.count_text(t, "crs_ge3"),
        lambda t: t.crs_ge3,
    ),
    (
        "Neurotoxicity, grade 3 or more",
        lambda t: cells.count_text(t, "icans_ge3"),
        lambda t: t.icans_ge3,
    ),
    ("Source", lambda t: cells.cite_text(t.bibkey), None),
    ("Read in", lambda t: reading(t.reading), None),
)


def reading(word: str) -> str:
    """Return a kind of reading without what the column's heading says."""
    for start in _SHORT:
        word = word.removeprefix(start)
    return word


def row_words(trial: Trial) -> dict[str, str]:
    """Return the words by which the filters find a row."""
    several = min(len(trial.antigens), 3)
    return {
        "targets": f"{several}",
        "antigen": ";".join(trial.antigens),
        "disease": ";".join(cells.diseases(trial)),
        "construct": trial.construct,
        "reading": trial.reading,
    }


def filters() -> str:
    """Return the form: one field per filter, and the count of rows that is spoken."""
    trials = evidence.trials().values()
    held = [row_words(trial) for trial in trials]

    def present(name: str, order: Iterable[str] = ()) -> dict[str, str]:
        words = {word for row in held for word in row[name].split(";")}
        known = [word for word in order if word in words]
        return {word: word for word in known or sorted(words)}

    choices: Mapping[str, tuple[str, Mapping[str, str]]] = {
        "targets": ("Number of targets", {"1": "one", "2": "two", "3": "three or more"}),
        "antigen": ("Target", present("antigen")),
        "disease": ("Disease", present("disease", cells.DISEASES)),
        "construct": ("Construct", present("construct", get_args(Construct))),
        "reading": ("Read in", {w: reading(w) for w in present("reading", get_args(Reading))}),
    }
    fields = ['<label>Search <input type="search" name="q" autocomplete="off"></label>']
    for name, (label, words) in choices.items():
        options = "".join(
            f'<option value="{escape(word)}">{escape(text)}</option>'
            for word, text in words.items()
        )
        fields.append(
            f'<label>{label} <select name="{name}"><option value="">any</option>{options}'
            "</select></label>"
        )
    return (
        '<form class="trial-filters" role="search" aria-label="Filter the table of trials" hidden>'
        f'{"".join(fields)}<button type="reset">Show every row</button>'
        '<p role="status"></p></form>'
    )


class TrialTable(EvidenceDirective):
    """The table of every row, and the form that filters it."""

    def run(self) -> list[nodes.Node]:
        """Return the form and the table in its region."""
        trials = list(evidence.trials().values())
        region = self.evidence_table(
            "Every cohort of the evidence",
            [heading for heading, _, _ in COLUMNS],
            [[text(trial) for _, text, _ in COLUMNS] for trial in trials],
            self.options.get("name", ""),
        )
        table = next(iter(region.findall(nodes.table)))
        table["classes"].append("trial-table")
        body = next(iter(table.findall(nodes.tbody)))
        body[:] = [self._keyed(row, t) for row, t in zip(list(body), trials, strict=True)]
        return [nodes.raw("", filters(), format="html"), region]

    @staticmethod
    def _keyed(row: nodes.Element, trial: Trial) -> keyed_row:
        found = keyed_row("", data=row_words(trial))
        for cell, (_, _, number) in zip(list(row), COLUMNS, strict=True):
            data = {}
            if number is not None:
                value = number(trial)
                data = {"number": "", "order": "-1" if value is None else f"{value:.6g}"}
            entry = keyed_entry("", *cell.children, data=data)
            if cell.astext() in (cells.NOT_REPORTED, cells.NOT_FOUND):
                entry["classes"].append("missing")
            found += entry
        return found


def _load_scripts(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    if doctree is not None and any(doctree.findall(keyed_row)):
        for file in SCRIPTS:
            app.add_js_file(file, defer="defer")


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directive, its rows and cells, and the scripts of its page."""
    app.setup_extension("scrolling")
    for node in (keyed_row, keyed_entry):
        app.add_node(node, html=(_visit_keyed, _depart_keyed))
    app.add_directive("trial-table", TrialTable)
    app.connect("html-page-context", _load_scripts)
    return {"version": "1.0", "parallel_read_safe": True, "parallel_write_safe": True}
