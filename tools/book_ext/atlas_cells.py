"""What the pages write into a cell about one row of the evidence.

The text is parsed as text of the page, so that a citation or reference works in it as if typed
there. An empty cell says whether a text was read that does not give the value, or none was.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from scipy.stats import binomtest

from car_relapse import evidence
from car_relapse.errors import EvidenceError

if TYPE_CHECKING:
    from car_relapse.evidence import Trial

NOT_REPORTED = "not reported"
NOT_FOUND = "not found"
BACKGROUND = "†"
DERIVED = "‡"
_READ_WITH_RESULTS = ("read in the full text", "read in the abstract", "secondary source")
#: Diseases by which the table is filtered and the entries are grouped, and words of the rows.
DISEASES = {
    "leukaemia": ("ALL",),
    "lymphoma": ("NHL", "LBCL", "lymphoma"),
    "chronic lymphocytic leukaemia": ("CLL",),
    "multiple myeloma": ("multiple myeloma",),
    "glioblastoma": ("glioblastoma",),
}


def exact_interval(count: int, total: int) -> tuple[float, float]:
    """Return the exact (Clopper–Pearson) 95 % interval of a proportion, in percent."""
    interval = binomtest(count, total).proportion_ci(confidence_level=0.95, method="exact")
    return 100 * float(interval.low), 100 * float(interval.high)


def missing(trial: Trial) -> str:
    """Return the word for an empty cell: read but not there, or no results could be read."""
    return NOT_REPORTED if trial.reading in _READ_WITH_RESULTS else NOT_FOUND


def diseases(trial: Trial) -> tuple[str, ...]:
    """Return the diseases of `DISEASES` that a trial treats."""
    found = re.split(r"[ ;()-]+", trial.disease)
    words = {*found, *("LBCL" for word in found if word == "DLBCL"), trial.disease}
    return tuple(d for d, known in DISEASES.items() if words & set(known))


def anchor(key: str) -> str:
    """Return the label of the entry of a row."""
    return "trial-" + key.replace("_", "-")


def title_text(trial: Trial) -> str:
    """Return who ran a trial, in which disease."""
    who = trial.sponsor_or_group or "Group not named"
    mark = f" {BACKGROUND}" if "sponsor_or_group" in trial.background else ""
    return f"{who}{mark}: {trial.disease}"


def linked(trial: Trial) -> str:
    """Return who ran a trial as a link to its entry, with the registration number."""
    who = trial.sponsor_or_group or "group not named"
    mark = f" {BACKGROUND}" if "sponsor_or_group" in trial.background else ""
    # The text of a reference ends at its angle bracket.
    link = f"{{ref}}`{who.replace('<', 'under ')} <{anchor(trial.key)}>`"
    number = f", {words_text(trial, 'nct')}" if trial.nct else ""
    return link + mark + number


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
