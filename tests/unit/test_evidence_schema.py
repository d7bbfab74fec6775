"""The shipped tables hold together, and each check of that fails on a planted defect."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import evidence_checks as checks
import pytest
from pybtex.database import parse_file

from car_relapse import evidence

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def entries():
    return dict(parse_file(str(ROOT / "book" / "references.bib")).entries)


def all_rows():
    return [
        *evidence.trials().values(),
        *evidence.mechanisms().values(),
        *evidence.kinetics().values(),
        *evidence.landmarks(),
    ]


def planted(row, **changes):
    """Give all rows and a broken copy of one."""
    return [*all_rows(), dataclasses.replace(row, **changes)]


def test_every_source_is_in_the_bibliography(entries):
    assert checks.unknown_sources(all_rows(), entries) == []


def test_tables_and_bibliography_give_the_same_doi(entries):
    assert checks.other_dois(all_rows(), entries) == []


def test_every_landmark_belongs_to_a_known_cohort():
    assert checks.unknown_cohorts(evidence.landmarks(), evidence.trials()) == []
    assert not checks.LANDMARKS_ONLY & set(evidence.trials())


def test_trials_and_landmarks_agree_on_values_at_12_months():
    assert checks.contradicting_landmarks(evidence.landmarks(), evidence.trials()) == []


def test_no_landmark_stands_twice():
    assert checks.repeated_landmarks(evidence.landmarks()) == []


def test_a_planted_unknown_source_is_found(entries):
    row = evidence.trials()["auto3_amelia"]
    assert checks.unknown_sources(planted(row, bibkey="nobody1999"), entries) == ["nobody1999"]


def test_a_planted_other_doi_is_found(entries):
    row = evidence.mechanisms()["splicing_exon2"]
    assert checks.other_dois(planted(row, doi="10.1000/wrong"), entries) == [
        "sotillo2015: 10.1000/wrong"
    ]


def test_a_planted_unknown_cohort_is_found():
    row = dataclasses.replace(evidence.landmarks()[0], trial_key="elianna")
    assert checks.unknown_cohorts([row], evidence.trials()) == ["elianna"]


@pytest.mark.parametrize("change", [{"efs_or_pfs_12m": 51.0}, {"os_12m": 67.0}])
def test_a_planted_contradiction_is_found(change):
    broken = dataclasses.replace(evidence.trials()["eliana_primary"], **change)
    found = checks.contradicting_landmarks(evidence.landmarks(), {"eliana_primary": broken})
    assert len(found) == 1


def test_a_planted_repeated_landmark_is_found():
    rows = evidence.landmarks()
    assert checks.repeated_landmarks([*rows, rows[0]]) == ["eliana_primary: EFS 6.0 "]
