"""What must hold between the evidence tables and around them, as functions that return faults.

What a single row must obey is checked by its reader (`car_relapse.tables`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

#: Cohorts of which only landmark values were read, so that they have no row among the trials.
LANDMARKS_ONLY = {
    *("chop_cns", "cll_fredhutch", "ct103a", "eliana_table2023", "gla_drst", "hugh2022_mrd"),
    *("rankin_emd", "reinfusion2024"),
}


def unknown_sources(rows: Iterable[Any], entries: Mapping[str, Any]) -> list[str]:
    """Find rows whose key is in no bibliography entry."""
    return [row.bibkey for row in rows if row.bibkey and row.bibkey not in entries]


def other_dois(rows: Iterable[Any], entries: Mapping[str, Any]) -> list[str]:
    """Find rows whose DOI is not the one that the bibliography gives for their key."""
    return [
        f"{row.bibkey}: {row.doi}"
        for row in rows
        if row.doi
        and row.bibkey in entries
        and entries[row.bibkey].fields.get("doi", row.doi) != row.doi
    ]


def unknown_cohorts(landmarks: Iterable[Any], trials: Mapping[str, Any]) -> list[str]:
    """Find landmarks of cohorts that are neither trials nor known to have landmarks only."""
    return [r.trial_key for r in landmarks if r.trial_key not in {*trials, *LANDMARKS_ONLY}]


def contradicting_landmarks(landmarks: Iterable[Any], trials: Mapping[str, Any]) -> list[str]:
    """Find 12-month values of trials that no landmark of the same endpoint repeats."""
    at_12: dict[tuple[str, str], set[float]] = {}
    for row in landmarks:
        if row.month == 12 and row.statistic == "probability":
            at_12.setdefault((row.trial_key, row.endpoint), set()).add(row.value)
    faults = []
    for key, trial in trials.items():
        for endpoint, value in (
            (trial.endpoint_12m.partition(" ")[0], trial.efs_or_pfs_12m),
            ("OS", trial.os_12m),
        ):
            found = at_12.get((key, endpoint))
            if value is not None and found and value not in found:
                faults.append(f"{key}: {endpoint} {value}")
    return faults


def repeated_landmarks(landmarks: Iterable[Any]) -> list[str]:
    """Find landmark values that stand twice."""
    seen: set[tuple[Any, ...]] = set()
    faults = []
    for r in landmarks:
        same = (r.trial_key, r.endpoint, r.statistic, r.month, r.subset)
        if same in seen:
            faults.append(f"{r.trial_key}: {r.endpoint} {r.month} {r.subset}")
        seen.add(same)
    return faults
