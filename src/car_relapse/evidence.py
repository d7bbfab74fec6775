"""The evidence tables: trials, mechanisms, kinetics and landmark survival values.

The tables that the package ships, and questions to them. What a row holds and how it says
where it was read is in `car_relapse.records`; the rules that it obeys are in
`car_relapse.tables`.
"""

from __future__ import annotations

from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import IO, TYPE_CHECKING, Any

from car_relapse.errors import EvidenceError
from car_relapse.records import (
    PHENOTYPES,
    Construct,
    KineticValue,
    Landmark,
    Mechanism,
    Reading,
    RelapseSplit,
    RelapseType,
    Sourced,
    Statistic,
    Trial,
)
from car_relapse.tables import read_kinetics, read_landmarks, read_mechanisms, read_trials

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = [
    "Construct",
    "KineticValue",
    "Landmark",
    "Mechanism",
    "Reading",
    "RelapseSplit",
    "RelapseType",
    "Sourced",
    "Statistic",
    "Trial",
    "kinetics",
    "landmarks",
    "landmarks_of",
    "mechanisms",
    "multi_antigen_trials",
    "read_kinetics",
    "read_landmarks",
    "read_mechanisms",
    "read_trials",
    "relapse_split",
    "same_patients",
    "seed_trials",
    "trials",
]

#: Reports that share patients, wholly or in part, as their notes say; adding two of one group
#: counts people twice. The report with the most people is first.
_SAME_PATIENTS = (
    (
        *("lamble2023_phenotype", "myers2022_blina", "leahy2022_cyto", "friedes2023_chop"),
        "pillai2019_cd19dim",
    ),
    ("pulsipher2022_mrd", "eliana_3y", "eliana_5y", "eliana_primary"),
    ("cibmtr2025_tisa", "pasquini2020_cibmtr"),
    ("zuma1_5y", "zuma1_primary", "plaks2021_zuma1_biopsies"),
    ("zuma3_3y", "zuma3_p2", "zuma3_p1"),
    ("finney2019_plat02", "gardner2017_plat02p1"),
    ("hay2019", "turtle2016"),
    ("shahnn2020_cd22", "fry2018_cd22"),
    ("zhang2022_tancar7", "tong2020_tancar7"),
    ("lius2023_tandem", "soochow2021_tandem"),
)

#: Registration numbers that the news article behind this book names, in its order.
_NEWS_ARTICLE_TRIALS = (
    "NCT03241940",
    "NCT03289455",
    "NCT03233854",
    "NCT03330691",
    "NCT03448393",
    "NCT03019055",
)


def _shipped(name: str, read: Callable[[IO[str]], Any]) -> Any:
    path = resources.files("car_relapse") / "data" / name
    with path.open(encoding="utf-8") as stream:
        return read(stream)


@cache
def trials() -> Mapping[str, Trial]:
    """Return the package's trial table.

    Examples
    --------
    >>> trials()["auto3_amelia"].n_cr, trials()["auto3_amelia"].n_infused
    (13, 15)
    """
    table: Mapping[str, Trial] = _shipped("trials.csv", read_trials)
    return table


@cache
def mechanisms() -> Mapping[str, Mechanism]:
    """Return the package's table of relapse mechanisms.

    Examples
    --------
    >>> mechanisms()["splicing_exon2"].relapse_type
    'antigen-negative'
    """
    table: Mapping[str, Mechanism] = _shipped("mechanisms.csv", read_mechanisms)
    return table


@cache
def kinetics() -> Mapping[str, KineticValue]:
    """Return the package's table of kinetic values.

    Examples
    --------
    >>> kinetics()["stein_beta"].value, kinetics()["stein_beta"].unit
    (0.0032, '1/day')
    """
    table: Mapping[str, KineticValue] = _shipped("kinetics.csv", read_kinetics)
    return table


@cache
def landmarks() -> tuple[Landmark, ...]:
    """Return the package's landmark values.

    Examples
    --------
    >>> landmarks()[0].trial_key, landmarks()[0].endpoint, landmarks()[0].value
    ('eliana_primary', 'EFS', 73.0)
    """
    table: tuple[Landmark, ...] = _shipped("landmarks.csv", read_landmarks)
    return table


def multi_antigen_trials() -> tuple[Trial, ...]:
    """Return the cohorts whose treatment targets two or more antigens.

    The antigens may sit on one receptor, on two receptors of one cell, or on separate products
    given together or in sequence. Rows that pool other trials (`Trial.pooled`) are left out.

    Examples
    --------
    >>> {len(trial.antigens) for trial in multi_antigen_trials()} == {2, 3}
    True
    """
    return tuple(t for t in trials().values() if len(t.antigens) >= 2 and not t.pooled)


def same_patients(trial_key: str) -> tuple[str, ...]:
    """Return the keys of the other rows that report the same patients, wholly or in part.

    Raises
    ------
    EvidenceError
        When no trial has that key.

    Examples
    --------
    >>> same_patients("tong2020_tancar7")
    ('zhang2022_tancar7',)
    """
    if not isinstance(trial_key, str) or trial_key not in trials():
        raise EvidenceError(
            f"{trial_key!r} is not the key of a trial; only rows of the trial table share "
            "patients; look the key up in trials()"
        )
    return tuple(
        key for group in _SAME_PATIENTS if trial_key in group for key in group if key != trial_key
    )


def seed_trials() -> Mapping[str, tuple[Trial, ...]]:
    """Return the six trials that the news article behind this book names, in its order.

    Keyed by registration number; a trial reported as two cohorts has two rows.

    Examples
    --------
    >>> [len(cohorts) for cohorts in seed_trials().values()]
    [1, 1, 2, 1, 1, 1]
    """
    rows = trials().values()
    return MappingProxyType(
        {nct: tuple(t for t in rows if t.nct == nct) for nct in _NEWS_ARTICLE_TRIALS}
    )


def landmarks_of(trial_key: str, endpoint: str) -> tuple[Landmark, ...]:
    """Return the landmark values of one endpoint in one cohort, in the order of the table.

    Raises
    ------
    EvidenceError
        When the table has no such value; the message lists what the cohort has.

    Examples
    --------
    >>> [(row.month, row.value) for row in landmarks_of("auto3_amelia", "EFS")]
    [(12.0, 32.0)]
    """
    if not (isinstance(trial_key, str) and isinstance(endpoint, str)):
        raise EvidenceError(
            f"{trial_key!r} and {endpoint!r} are not both text; a cohort and an endpoint are named "
            "by their words in the table; see landmarks()"
        )
    cohort = [row for row in landmarks() if row.trial_key == trial_key]
    found = tuple(row for row in cohort if row.endpoint == endpoint)
    if not found:
        known = ", ".join(sorted({row.endpoint for row in cohort})) or "no landmark at all"
        raise EvidenceError(
            f"{trial_key!r} has no landmark of {endpoint!r}; only values in the table can be "
            f"read; it has {known}"
        )
    return found


def relapse_split(trial: Trial) -> RelapseSplit:
    """Return the relapses of one cohort by phenotype.

    Relapses that the source counts but assigns to no class are added to `RelapseSplit.unknown`.

    Raises
    ------
    EvidenceError
        When `trial` is no row of the trial table, or the row has no total or no phenotype.

    Examples
    --------
    >>> split = relapse_split(trials()["lamble2023_phenotype"])
    >>> split.antigen_positive, split.antigen_negative, split.lineage_switch, split.unknown
    (83, 68, 12, 3)
    """
    if not isinstance(trial, Trial):
        raise EvidenceError(
            f"trial is {trial!r}; only a row of the trial table has a split; look it up in trials()"
        )
    parts = {part: getattr(trial, f"n_relapse_{part}") for part in PHENOTYPES}
    if trial.n_relapse is None or parts["ag_pos"] is parts["ag_neg"] is parts["partial"] is None:
        raise EvidenceError(
            f"trial {trial.key!r} has n_relapse {trial.n_relapse} and no split by phenotype; a "
            "split needs a total and at least one class; choose a cohort that reports both"
        )
    counted = {part: count or 0 for part, count in parts.items()}
    rest = trial.n_relapse - sum(counted.values())
    return RelapseSplit(
        total=trial.n_relapse,
        antigen_positive=counted["ag_pos"],
        antigen_negative=counted["ag_neg"],
        partial=counted["partial"],
        lineage_switch=counted["lineage_switch"],
        unknown=counted["unknown"] + rest,
    )
