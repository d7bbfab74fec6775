"""The evidence tables: trials, mechanisms, kinetics and landmark survival values.

Every row says how it was read. `Sourced.verified` is false for a row that no source could
confirm; such a row carries no number. Two further sets keep a trial row honest:
`Trial.background` names its fields that no text we read repeats (often the registration
number, sponsor, construct or costimulatory domain), and `Trial.derived` names its counts that
were computed from a printed percentage or by subtraction.
"""

from __future__ import annotations

import csv
import math
import re
from dataclasses import dataclass, fields
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import IO, TYPE_CHECKING, Any, Literal, NoReturn, TypeVar, get_args

from car_relapse.errors import EvidenceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

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
    "seed_trials",
    "trials",
]

Reading = Literal[
    "read in the full text",
    "read in the abstract",
    "read in part",
    "registry text",
    "secondary source",
    "model file",
    "not found",
]
Construct = Literal[
    "single",
    "tandem or loop",
    "bicistronic",
    "co-transduced",
    "co-administered",
    "sequential",
    "engager",
    "CAR with engager",
    "mixed",
    "not stated",
]
RelapseType = Literal["antigen-positive", "antigen-negative", "antigen-low", "lineage switch"]
Statistic = Literal["probability", "median", "share"]

#: Registration numbers that the news article behind this book names, in its order.
_NEWS_ARTICLE_TRIALS = (
    "NCT03241940",
    "NCT03289455",
    "NCT03233854",
    "NCT03330691",
    "NCT03448393",
    "NCT03019055",
)
_PARTS = ("ag_pos", "ag_neg", "partial", "lineage_switch", "unknown")
_DOI = re.compile(r"10\.\d{4,9}/\S+")
_BIBKEY = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True, kw_only=True)
class Sourced:
    """What every evidence row says about where it comes from."""

    doi: str
    """DOI of the source; empty when none was read."""
    bibkey: str
    """Key of the source in the bibliography; empty when the row cites no publication."""
    verification: str
    """How the row was read: a `Reading`, a colon, and what the text shows."""

    @property
    def reading(self) -> Reading:
        """The kind of text in which the row was read."""
        return self.verification.partition(":")[0]  # type: ignore[return-value]

    @property
    def verified(self) -> bool:
        """Whether any source confirmed the row; when false, it is not to be printed as fact."""
        return self.reading != "not found"


@dataclass(frozen=True, kw_only=True)
class Trial(Sourced):
    """One cohort of a trial, registry or series, as its source reports it."""

    key: str
    """Name by which code and text refer to the cohort."""
    nct: str
    """Registration number (ClinicalTrials.gov or ChiCTR); empty when unknown."""
    sponsor_or_group: str
    """Sponsor, centre or study group; empty when unknown."""
    antigens: tuple[str, ...]
    """Antigens that the product or products target."""
    construct: Construct
    """How the antigens are targeted."""
    costim: str
    """Costimulatory domain or domains; empty when unknown."""
    disease: str
    """Disease or diseases treated."""
    population: str
    """Age group and treatment history."""
    phase: str
    """Trial phase, or the kind of study."""
    n_infused: int | None
    """Patients infused."""
    n_evaluable: int | None
    """Patients evaluable for response: the denominator of `n_cr`."""
    n_cr: int | None
    """Patients in complete response, by the definition in `cr_definition`."""
    cr_definition: str
    """How the source defines or prints response."""
    n_relapse: int | None
    """Relapses counted, or relapses with an antigen assessment where `notes` says so."""
    n_relapse_ag_pos: int | None
    """Relapses that keep every targeted antigen."""
    n_relapse_ag_neg: int | None
    """Relapses with all targeted antigens lost (single-antigen products: lost or low)."""
    n_relapse_partial: int | None
    """Relapses with one of two targeted antigens lost or dim."""
    n_relapse_lineage_switch: int | None
    """Relapses as a different lineage, counted in none of the other parts."""
    n_relapse_unknown: int | None
    """Relapses whose antigen status is unknown."""
    efs_or_pfs_12m: float | None
    """Survival without event at 12 months, percent; `endpoint_12m` names the endpoint."""
    endpoint_12m: str
    """Which endpoint `efs_or_pfs_12m` holds; empty when there is no value."""
    os_12m: float | None
    """Overall survival at 12 months, percent."""
    median_followup_months: float | None
    """Median follow-up, months."""
    crs_ge3: int | None
    """Patients with cytokine release syndrome of grade 3 or more."""
    icans_ge3: int | None
    """Patients with neurotoxicity of grade 3 or more."""
    background: frozenset[str]
    """Fields of this row that no text we read repeats: background knowledge, not checked."""
    derived: frozenset[str]
    """Fields computed from a printed percentage or by subtraction."""
    notes: str
    """What a reader must know before using or pooling the row."""

    @property
    def pooled(self) -> bool:
        """Whether the row pools other trials, so that counting it would count patients twice."""
        return self.phase in ("meta-analysis", "review")


@dataclass(frozen=True, kw_only=True)
class Mechanism(Sourced):
    """One way in which disease comes back, with its evidence."""

    key: str
    """Name by which code and text refer to the mechanism."""
    relapse_type: RelapseType
    """Phenotype of relapse to which the mechanism leads."""
    mechanism: str
    """The mechanism in a phrase."""
    antigen: str
    """Antigen studied, or ``generic``."""
    evidence: str
    """What was observed, in a sentence."""
    quantitative_value: str
    """Numbers as the source prints them; empty when it gives none."""


@dataclass(frozen=True, kw_only=True)
class KineticValue(Sourced):
    """One number about cells over time: CAR-T kinetics, burden, density or timing."""

    key: str
    """Name by which code and text refer to the value."""
    parameter: str
    """What was measured, fitted or assumed."""
    value: float | None
    """Central value, in `unit`; None when the source gives only a range or words."""
    bound: Literal["", ">"]
    """``>`` when the source gives `value` as a lower bound; empty otherwise."""
    low: float | None
    """Lower end of the reported range, in `unit`."""
    high: float | None
    """Upper end of the reported range, in `unit`."""
    unit: str
    """Unit of `value`, `low` and `high`."""
    context: str
    """Product, disease and number of patients."""
    notes: str
    """What a reader must know before using the value."""


@dataclass(frozen=True, kw_only=True)
class Landmark(Sourced):
    """One published survival value, median time, or share of relapses."""

    trial_key: str
    """Cohort; the key of a `Trial` where one exists."""
    endpoint: str
    """OS, EFS, PFS, RFS, LFS, DOR, CIR, NRM, CR or ``relapse phenotype``."""
    statistic: Statistic
    """``probability`` at `month`, ``median`` time, or ``share`` of relapses."""
    month: float | None
    """Months after infusion; None for medians and shares."""
    month_high: float | None
    """End of the window when the source gives a window of months instead of one."""
    value: float
    """The value, in `unit`."""
    ci_low: float | None
    """Lower end of the interval, in `unit`."""
    ci_high: float | None
    """Upper end of the interval, in `unit`."""
    high_not_reached: bool
    """Whether the source prints the upper end as not reached or not estimable."""
    interval: Literal["", "95% CI", "IQR"]
    """What `ci_low` and `ci_high` are; empty without an interval."""
    unit: Literal["%", "months"]
    """Percent or months."""
    subset: str
    """Subset, or the phenotype whose share is given; empty for the whole cohort."""
    n_at_start: int | None
    """Patients, or relapses for a share, behind the value."""
    notes: str
    """What a reader must know before using the value."""


@dataclass(frozen=True, kw_only=True)
class RelapseSplit:
    """Relapses of one cohort by what the disease kept of the targeted antigens."""

    total: int
    """All relapses counted."""
    antigen_positive: int
    """Every targeted antigen kept."""
    antigen_negative: int
    """All targeted antigens lost (single-antigen products: lost or low)."""
    partial: int
    """One of two targeted antigens lost or dim."""
    lineage_switch: int
    """Relapsed as a different lineage."""
    unknown: int
    """Reported as unknown, or not assigned to any class by the source."""


_Record = TypeVar("_Record", Trial, Mechanism, KineticValue, Landmark)


class _Cells:
    """The cells of one row, parsed on demand; every complaint names table, row, value and rule."""

    def __init__(self, table: str, key: str, raw: Mapping[str, str]) -> None:
        self.table, self.key, self.raw = table, key, raw

    def fail(self, column: str, rule: str, remedy: str = "correct the row") -> NoReturn:
        raise EvidenceError(
            f"{self.table} row {self.key!r} has {column} {self.raw[column]!r}; {rule}; {remedy}"
        )

    def real(self, column: str) -> float | None:
        if not self.raw[column]:
            return None
        try:
            value = float(self.raw[column])
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            self.fail(column, "it must be a finite number or empty")
        return value

    def count(self, column: str) -> int | None:
        value = self.real(column)
        if value is None:
            return None
        if value < 0 or value != math.floor(value):
            self.fail(column, "it must be a whole number >= 0 or empty")
        return int(value)

    def percent(self, column: str) -> float | None:
        value = self.real(column)
        if value is not None and not 0 <= value <= 100:
            self.fail(column, "a percentage must lie in [0, 100]")
        return value

    def choice(self, column: str, known: tuple[str, ...]) -> Any:
        if self.raw[column] not in known:
            words = ", ".join(repr(w) for w in known)
            self.fail(column, f"it must be one of {words}", "use a known word or extend the list")
        return self.raw[column]

    def names(self, column: str, known: tuple[str, ...]) -> frozenset[str]:
        words = frozenset(filter(None, self.raw[column].split(";")))
        if not words <= set(known):
            self.fail(column, "it must list columns of this table, separated by ';'")
        return words

    def source(self) -> dict[str, Any]:
        if self.raw["doi"] and not _DOI.fullmatch(self.raw["doi"]):
            self.fail("doi", "a DOI reads 10.<registrant>/<suffix> without spaces")
        if self.raw["bibkey"] and not _BIBKEY.fullmatch(self.raw["bibkey"]):
            self.fail("bibkey", "a key holds lower-case letters, digits and underscores")
        if self.raw["verification"].partition(":")[0] not in get_args(Reading):
            words = ", ".join(get_args(Reading))
            self.fail("verification", f"it must begin with one of {words}", "say how it was read")
        return {c: self.raw[c] for c in ("doi", "bibkey", "verification")}

    def ordered(self, low: str, high: str, rule: str) -> None:
        smaller, larger = self.real(low), self.real(high)
        if smaller is not None and larger is not None and smaller > larger:
            self.fail(low, f"{rule}, and {high} is {self.raw[high]}")


def _trial(row: _Cells) -> Trial:
    columns = tuple(f.name for f in fields(Trial))
    antigens = tuple(filter(None, row.raw["antigens"].split(";")))
    if not antigens:
        row.fail("antigens", "a trial targets at least one antigen", "name the antigens")
    counts: dict[str, Any] = {
        c: row.count(c) for c in columns if c.startswith("n_") or c.endswith("_ge3")
    }
    row.ordered("n_cr", "n_evaluable", "no more can respond than are evaluable")
    row.ordered("n_evaluable", "n_infused", "no more can be evaluable than were infused")
    for toxicity in ("crs_ge3", "icans_ge3"):
        row.ordered(toxicity, "n_infused", "no more can have toxicity than were infused")
    parts = sum(counts[f"n_relapse_{part}"] or 0 for part in _PARTS)
    if counts["n_relapse"] is not None and parts > counts["n_relapse"]:
        row.fail("n_relapse", f"its parts add up to {parts}, more than the whole")
    if bool(row.raw["efs_or_pfs_12m"]) != bool(row.raw["endpoint_12m"]):
        row.fail("endpoint_12m", "a 12-month value and the name of its endpoint go together")
    trial = Trial(
        antigens=antigens,
        construct=row.choice("construct", get_args(Construct)),
        efs_or_pfs_12m=row.percent("efs_or_pfs_12m"),
        os_12m=row.percent("os_12m"),
        median_followup_months=row.real("median_followup_months"),
        background=row.names("background", columns),
        derived=row.names("derived", columns),
        **counts,
        **row.source(),
        **_words(row, "key nct sponsor_or_group costim disease population phase"),
        **_words(row, "cr_definition endpoint_12m notes"),
    )
    numbers = [*counts, "efs_or_pfs_12m", "os_12m"]
    if not trial.verified and any(getattr(trial, c) is not None for c in numbers):
        row.fail("verification", "a row that was not found carries no number", "clear its numbers")
    return trial


def _words(row: _Cells, columns: str) -> dict[str, Any]:
    return {column: row.raw[column] for column in columns.split()}


def _mechanism(row: _Cells) -> Mechanism:
    return Mechanism(
        relapse_type=row.choice("relapse_type", get_args(RelapseType)),
        **row.source(),
        **_words(row, "key mechanism antigen evidence quantitative_value"),
    )


def _kinetic_value(row: _Cells) -> KineticValue:
    row.ordered("low", "high", "the lower end must not exceed the upper")
    return KineticValue(
        value=row.real("value"),
        bound=row.choice("bound", ("", ">")),
        low=row.real("low"),
        high=row.real("high"),
        **row.source(),
        **_words(row, "key parameter unit context notes"),
    )


def _landmark(row: _Cells) -> Landmark:
    unit = row.choice("unit", ("%", "months"))
    number = row.percent if unit == "%" else row.real
    value = number("value")
    if value is None:
        row.fail("value", "a landmark needs its value", "enter the value or remove the row")
    if row.raw["statistic"] == "probability" and not row.raw["month"]:
        row.fail("month", "a probability needs the month it holds at")
    row.ordered("month", "month_high", "the window must not end before it starts")
    row.ordered("ci_low", "value", "the interval must hold the value")
    row.ordered("value", "ci_high", "the interval must hold the value")
    return Landmark(
        statistic=row.choice("statistic", get_args(Statistic)),
        month=row.real("month"),
        month_high=row.real("month_high"),
        value=value,
        ci_low=number("ci_low"),
        ci_high=number("ci_high"),
        high_not_reached=row.choice("high_not_reached", ("", "yes")) == "yes",
        interval=row.choice("interval", ("", "95% CI", "IQR")),
        unit=unit,
        n_at_start=row.count("n_at_start"),
        **row.source(),
        **_words(row, "trial_key endpoint subset notes"),
    )


def _rows(
    stream: IO[str],
    table: str,
    record: type[_Record],
    build: Callable[[_Cells], _Record],
    key: str = "key",
) -> Iterable[_Record]:
    reader = csv.DictReader(stream)
    needed = {f.name for f in fields(record)}
    if set(reader.fieldnames or ()) != needed:
        odd = ", ".join(sorted(needed ^ set(reader.fieldnames or ())))
        raise EvidenceError(
            f"the header of {table} is off by {odd}; it must name the fields of "
            f"{record.__name__}; restore the header"
        )
    empty = True
    for raw in reader:
        empty = False
        if None in raw or None in raw.values() or not raw[key]:
            raise EvidenceError(
                f"{table} line {reader.line_num} has {key} {raw[key]!r}; a row has a key and one "
                "cell per column; quote cells that hold commas"
            )
        yield build(_Cells(table, raw[key], raw))
    if empty:
        raise EvidenceError(f"{table} is empty; it must hold at least one row; restore the file")


def _keyed(table: str, rows: Iterable[Any]) -> Mapping[str, Any]:
    found: dict[str, Any] = {}
    for row in rows:
        if row.key in found:
            raise EvidenceError(
                f"{table} key {row.key!r} stands twice; keys are unique; remove one row"
            )
        found[row.key] = row
    return MappingProxyType(found)


def read_trials(stream: IO[str]) -> Mapping[str, Trial]:
    """Read trial rows from an open CSV file, checked and keyed by `Trial.key`.

    Parameters
    ----------
    stream : text file
        CSV with the header of ``data/trials.csv``.

    Returns
    -------
    mapping of str to Trial
        Read-only, in the order of the file.

    Raises
    ------
    EvidenceError
        When the table is empty or a row breaks a rule; names row, value, rule and remedy.
    """
    return _keyed("trials", _rows(stream, "trials", Trial, _trial))


def read_mechanisms(stream: IO[str]) -> Mapping[str, Mechanism]:
    """Read mechanism rows from an open CSV file, as `read_trials` does."""
    return _keyed("mechanisms", _rows(stream, "mechanisms", Mechanism, _mechanism))


def read_kinetics(stream: IO[str]) -> Mapping[str, KineticValue]:
    """Read kinetic values from an open CSV file, as `read_trials` does."""
    return _keyed("kinetics", _rows(stream, "kinetics", KineticValue, _kinetic_value))


def read_landmarks(stream: IO[str]) -> tuple[Landmark, ...]:
    """Read landmark values from an open CSV file, in the order of the file."""
    return tuple(_rows(stream, "landmarks", Landmark, _landmark, "trial_key"))


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
        When the row has no total or no phenotype.

    Examples
    --------
    >>> split = relapse_split(trials()["lamble2023_phenotype"])
    >>> split.antigen_positive, split.antigen_negative, split.lineage_switch, split.unknown
    (83, 68, 12, 3)
    """
    parts = {part: getattr(trial, f"n_relapse_{part}") for part in _PARTS}
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
