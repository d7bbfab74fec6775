"""The records of the evidence tables: their fields, and the words that a field may hold.

Every row says how it was read. `Sourced.verified` is false for a row that no source could
confirm; such a row carries no number. Two further sets keep a trial row honest:
`Trial.background` names its fields that no text we read repeats (often the registration
number, sponsor, construct or costimulatory domain), and `Trial.derived` names its counts that
were computed from a printed percentage or by subtraction.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "PHENOTYPES",
    "READINGS",
    "Construct",
    "Endpoint",
    "KineticValue",
    "Landmark",
    "Mechanism",
    "Reading",
    "RelapseSplit",
    "RelapseType",
    "Sourced",
    "Statistic",
    "Trial",
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
    "antibody",
    "CAR with engager",
    "mixed",
    "not stated",
]
RelapseType = Literal["antigen-positive", "antigen-negative", "antigen-low", "lineage switch"]
Statistic = Literal["probability", "median", "share"]
Endpoint = Literal["OS", "EFS", "PFS", "RFS", "LFS", "DOR", "CIR", "NRM", "CR", "relapse phenotype"]

# Units of the columns, for readers of the code and for `car_relapse.dictionary`.
Patients = Annotated[int, "patients"]
Relapses = Annotated[int, "relapses"]
Percent = Annotated[float, "%"]
Months = Annotated[float, "months"]
InUnit = Annotated[float, "as in `unit`"]

#: What each kind of reading means.
READINGS: Mapping[Reading, str] = MappingProxyType(
    {
        "read in the full text": "We read the value in the paper itself.",
        "read in the abstract": "We read the value in the abstract; the paper may hold more.",
        "read in part": "We could read only a part, such as the opening or a cut-off abstract.",
        "registry text": "We read the registry entry or a copy of it; it holds plans, not results.",
        "secondary source": "Another text quotes the value: a review, news, or a later paper.",
        "model file": "We read the value in the published code or model file.",
        "not found": "No text that we could read confirms the row; it carries no number.",
    }
)

#: Endings of the columns of `Trial` that count relapses of one phenotype.
PHENOTYPES = ("ag_pos", "ag_neg", "partial", "lineage_switch", "unknown")


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
        # The reader of the tables has checked that the words before the colon are a Reading.
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
    n_infused: Patients | None
    """Patients infused."""
    n_evaluable: Patients | None
    """Patients evaluable for response: the denominator of `n_cr`."""
    n_cr: Patients | None
    """Patients in complete response, by the definition in `cr_definition`."""
    cr_definition: str
    """How the source defines or prints response."""
    n_relapse: Relapses | None
    """Relapses counted, or relapses with an antigen assessment where `notes` says so."""
    n_relapse_ag_pos: Relapses | None
    """Relapses that keep every targeted antigen."""
    n_relapse_ag_neg: Relapses | None
    """Relapses with all targeted antigens lost (single-antigen products: lost or low)."""
    n_relapse_partial: Relapses | None
    """Relapses with one of two targeted antigens lost or dim."""
    n_relapse_lineage_switch: Relapses | None
    """Relapses as a different lineage, counted in none of the other parts."""
    n_relapse_unknown: Relapses | None
    """Relapses whose antigen status is unknown."""
    efs_or_pfs_12m: Percent | None
    """Survival without event at 12 months, percent; `endpoint_12m` names the endpoint."""
    endpoint_12m: str
    """Which endpoint `efs_or_pfs_12m` holds; empty when there is no value."""
    os_12m: Percent | None
    """Overall survival at 12 months, percent."""
    median_followup_months: Months | None
    """Median follow-up, months."""
    crs_ge3: Patients | None
    """Patients with cytokine release syndrome of grade 3 or more."""
    icans_ge3: Patients | None
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
    value: InUnit | None
    """Central value, in `unit`; None when the source gives only a range or words."""
    bound: Literal["", ">"]
    """``>`` when the source gives `value` as a lower bound; empty otherwise."""
    low: InUnit | None
    """Lower end of the reported range, in `unit`."""
    high: InUnit | None
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
    endpoint: Endpoint
    """Survival overall (OS) or without event (EFS), progression (PFS), relapse (RFS) or
    leukaemia (LFS); duration of response (DOR); cumulative incidence of relapse (CIR);
    non-relapse mortality (NRM); complete response (CR); or the phenotype of relapses."""
    statistic: Statistic
    """``probability`` at `month`, ``median`` time, or ``share`` of relapses."""
    month: Months | None
    """Months after infusion; None for medians and shares."""
    month_high: Months | None
    """End of the window when the source gives a window of months instead of one."""
    value: InUnit
    """The value, in `unit`."""
    ci_low: InUnit | None
    """Lower end of the interval, in `unit`."""
    ci_high: InUnit | None
    """Upper end of the interval, in `unit`."""
    high_not_reached: bool
    """Whether the source prints the upper end as not reached or not estimable."""
    interval: Literal["", "95% CI", "IQR"]
    """What `ci_low` and `ci_high` are; empty without an interval."""
    unit: Literal["%", "months"]
    """Percent or months."""
    subset: str
    """Subset, or the phenotype whose share is given; empty for the whole cohort."""
    n_at_start: Annotated[int, "patients or relapses"] | None
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
