"""The first half of a protocol: synopsis, reasons, objectives, estimands, definitions, conduct."""

from __future__ import annotations

from car_relapse.protocol._wording import STRATEGIES, Endpoint
from car_relapse.protocol.document import Paragraph, Section, Table, Writer

__all__ = ["conduct", "definitions", "estimands", "objectives", "reasons", "synopsis"]

Blocks = tuple[Paragraph | Table | Section, ...]


def synopsis(w: Writer, primary: Endpoint, secondary: Endpoint) -> Section:
    """Return the page that is read first."""
    return Section(
        "Synopsis",
        (
            w.table(
                "The trial on one page.",
                ("Item", "What holds"),
                (
                    ("Title", "{title}"),
                    ("Sponsor", "[[sponsor|name and address of the sponsor]]"),
                    (
                        "Registration",
                        "[[registry|registry and number; register before the first patient]]",
                    ),
                    (
                        "Version",
                        "[[version|number and date of this version, and what changed since the "
                        "last]]",
                    ),
                    (
                        "Chief investigator, statistician",
                        "[[people|names, affiliations and roles]]",
                    ),
                    ("Population", "[[population|disease, age, earlier therapy]]"),
                    ("Arms", "{arms}, allocated {allocation}"),
                    ("Primary endpoint", primary.name),
                    ("Key secondary endpoint", secondary.name),
                    ("Level and power", "two-sided {alpha}, power {power}"),
                    (
                        "Size",
                        "{patients} patients ({counted}), {randomised} to be randomised",
                    ),
                    (
                        "Duration",
                        "accrual {accrual}, then {follow_up} until the data are cut",
                    ),
                    ("Looks", "{looks_count}, at {looks_information} of the information"),
                ),
            ),
            *w.text(
                "The document follows the items that {@spirit} asks of a protocol, those that "
                "{@define} adds for the dose-finding part, and those that {@plans} asks of a "
                "statistical analysis plan. "
                "It does not replace their checklists: fill in the one that applies, and attach it."
            ),
        ),
    )


def reasons(w: Writer) -> Section:
    """Return why the trial is made."""
    return Section(
        "Why this trial",
        (
            Section(
                "Two mechanisms of relapse",
                w.text(
                    "Leukaemia returns after CAR-T therapy in two ways. "
                    "The T cells leave, and cells that still show the target grow again: "
                    "antigen-positive relapse. "
                    "Or the T cells stay, and cells without the target grow under their eyes: "
                    "antigen-negative relapse.",
                    "Of {lamble_relapses} relapses after CAR-T cells for CD19 alone, "
                    "{lamble_positive} were antigen-positive, {lamble_negative} antigen-negative, "
                    "and {lamble_switch} had switched lineage ({@phenotype}).",
                    "A second target acts on the second mechanism only. "
                    "It cannot keep T cells alive: of {amelia_infused} children and young adults "
                    "who received one product against two antigens, {amelia_cr} had a remission, "
                    "and after a year event-free survival was {amelia_efs} ({@amelia}).",
                ),
            ),
            Section(
                "What follows for the design",
                w.bullets(
                    "The two kinds of relapse compete. "
                    "A patient whose antigen-negative relapse is prevented stays at risk of the "
                    "other kind, so its cumulative incidence can rise although its hazard does "
                    "not.",
                    "A lower antigen-negative relapse alone is a mechanism, not a benefit. "
                    "Benefit is shown on all events together.",
                    "The share of relapses that are antigen-negative is no endpoint of this trial: "
                    "it also falls when antigen-positive relapse rises.",
                ),
            ),
            Section(
                "Comparator and earlier evidence",
                w.text(
                    "[[evidence|systematic summary of earlier trials of both products, benefits "
                    "and harms, with the date of the search]]",
                    "[[comparator|why the control arm is the right comparator today]]",
                ),
            ),
        ),
    )


def objectives(w: Writer, primary: Endpoint, secondary: Endpoint) -> Section:
    """Return what the trial wants to know."""
    return Section(
        "Objectives",
        (
            *w.bullets(
                f"Primary: to compare {primary.name} between {{experimental}} and {{control}}.",
                f"Key secondary: to compare {secondary.name}, if the primary test rejects.",
                "Safety: to rule out that the hazard of antigen-positive relapse or death in "
                "remission rises by a factor of {gate_margin} or more.",
                "Descriptive: cumulative incidence of every cause, response, feasibility of "
                "manufacture, persistence of CAR-T cells, toxicity.",
            ),
        ),
    )


def estimands(w: Writer, endpoints: tuple[Endpoint, ...]) -> Section:
    """Return the attributes of each estimand."""
    rows = []
    for name, of in (
        ("Population", lambda e: e.population),
        ("Treatments", lambda e: "{experimental} against {control}, as assigned"),
        ("Endpoint", lambda e: e.definition),
        ("Transplant in remission", lambda e: STRATEGIES[e.analysis.estimand].short),
        (
            "Other treatment before relapse",
            lambda e: (
                "Treatment policy: follow-up goes on. Treatment for rising residual disease "
                "that does not meet the definition of relapse is recorded with its date."
            ),
        ),
        (
            "Not infused after assignment",
            lambda e: e.not_infused,
        ),
        (
            "Second infusion",
            lambda e: (
                "Treatment policy when the protocol foresees it: [[reinfusion|whether and "
                "when a second infusion is allowed]]"
            ),
        ),
        ("Death in remission", lambda e: e.death),
        ("Summary measure", lambda e: e.measure),
    ):
        rows.append((name, *(of(e) for e in endpoints)))
    chosen = STRATEGIES[endpoints[0].analysis.estimand]
    return Section(
        "Estimands",
        (
            *w.text(
                "Each question is stated by the attributes that {@estimands} asks for; "
                "{@haematology} applies them to trials with transplants."
            ),
            w.table(
                "What is estimated.",
                ("Attribute", *(e.label for e in endpoints)),
                rows,
            ),
            Section("Why this strategy for transplant", w.text(*chosen.reasons)),
        ),
    )


def definitions(w: Writer) -> Section:
    """Return what the words of the endpoints mean."""
    return Section(
        "Definitions",
        (
            Section(
                "Time zero and calendar",
                w.text(
                    "For the comparison of arms, time zero is randomisation, before leukapheresis "
                    "wherever that is possible: [[time_zero|why not, if randomisation comes after "
                    "leukapheresis]]. "
                    "For descriptions of those treated, time zero is infusion. "
                    "No table mixes the two.",
                    "The calculations of this document count months from infusion; the time from "
                    "randomisation to infusion is [[vein_to_vein|expected days, and the longest "
                    "allowed]].",
                ),
            ),
            Section(
                "Response",
                w.text(
                    "Complete remission is assessed at [[response_day|day after infusion, with its "
                    "window]], by [[response_criteria|criteria for marrow, blood, central nervous "
                    "system and extramedullary disease]]. "
                    "Residual disease is negative below [[mrd_limit|limit and assay, with its "
                    "sensitivity in each sample]].",
                    "A patient without remission by that day has treatment failure. "
                    "In event-free survival the failure is an event in month {failure_month}; in "
                    "curves of relapse it is a cause of its own. "
                    "It is never a relapse.",
                ),
            ),
            Section(
                "Relapse",
                (
                    *w.text(
                        "Only a patient who reached complete remission can relapse ({@relapse}). "
                        "Relapse is the first of the following, confirmed as [[confirmation|second "
                        "sample or second method, and within how many days]]:"
                    ),
                    *w.bullets(
                        "leukaemic cells in marrow at or above [[marrow_limit|limit, by which "
                        "method]]",
                        "leukaemic cells in the central nervous system: [[cns_rule|criterion]]",
                        "extramedullary disease: [[extramedullary_rule|imaging or biopsy]]",
                    ),
                    *w.text(
                        "The date of relapse is the date of the first sample that meets the rule, "
                        "not that of its confirmation. "
                        "Samples are taken on the same days in both arms: [[visits|months of "
                        "marrow and blood samples]]. "
                        "Rising residual disease below the limit is recorded and is not relapse."
                    ),
                ),
            ),
            Section("Antigen status at relapse", _antigens(w)),
            Section(
                "Analysis sets",
                (
                    w.table(
                        "Who is counted where.",
                        ("Set", "Who", "Used for"),
                        (
                            (
                                "Randomised",
                                "everyone randomised, in the arm assigned, infused or not",
                                "primary and key secondary endpoint",
                            ),
                            (
                                "Infused",
                                "everyone who received any of the product, by product received",
                                "safety, description of those treated",
                            ),
                            (
                                "Responders",
                                "infused patients in remission at the day of response",
                                "description of relapse by cause; never a comparison of arms "
                                "without the set above beside it",
                            ),
                            (
                                "Evaluable for dose",
                                "infused within the tolerance of the planned dose and followed for "
                                "{dlt_window}, or with dose-limiting toxicity",
                                "dose finding",
                            ),
                        ),
                    ),
                    *w.text(
                        "Patients lost between randomisation and infusion are shown in a flow "
                        "diagram with their reasons: death, progression, failure of manufacture, "
                        "withdrawal."
                    ),
                ),
            ),
        ),
    )


def _antigens(w: Writer) -> tuple[Paragraph | Table, ...]:
    return (
        *w.text(
            "Antigen status is a variable of this trial. "
            "It is measured in one central laboratory whose staff do not know the arm, from the "
            "sample of relapse before any new treatment, and entered before the data are cut.",
            "Assay: [[assay|instrument, antibody clone and fluorochrome per antigen; the clone "
            "must not compete with the CAR]]. "
            "Gate: [[gate|how blasts are found without the target antigens]]. "
            "Fewest blasts for a verdict: [[fewest_blasts|number of events]]. "
            "Reference: [[reference|fluorescence minus one, normal B cells, or beads for molecules "
            "per cell]].",
        ),
        w.table(
            "Status of one antigen, and what it counts as.",
            ("Class", "Rule", "Counts as"),
            (
                (
                    "Positive",
                    "at least [[positive_share|per cent]] of blasts above the reference",
                    "kept",
                ),
                (
                    "Dim",
                    "above the reference, yet median intensity below [[dim_limit|fraction of the "
                    "patient's own blasts before infusion]]",
                    "kept in the primary rule; lost in the sensitivity analysis",
                ),
                (
                    "Negative",
                    "less than [[negative_share|per cent]] of blasts above the reference",
                    "lost",
                ),
                (
                    "Mixed",
                    "between the two limits",
                    "lost: a population without the antigen has grown",
                ),
                (
                    "Lineage switch",
                    "same clone by [[clone_test|sequence or karyotype]], other lineage",
                    "cause of its own; joined with antigen-negative relapse in the sensitivity "
                    "analysis",
                ),
                (
                    "Not tested",
                    "no sample, too few blasts, or no verdict",
                    "{untested_rule}",
                ),
            ),
        ),
        *w.text(
            "Relapse is antigen-negative when every target of the product of that arm is lost, and "
            "antigen-positive when every target is kept. "
            "When some are lost and some are kept it is partial loss, which is "
            "[[partial_rule|counted with antigen-negative relapse, or a cause of its own]]. "
            "The loss of CD19 is tabulated in both arms by the same rule, so that arms with "
            "different targets can be compared.",
            "The rule is applied by two readers who do not know the arm; a third decides. "
            "Nobody may read “dim” after seeing the curve.",
        ),
    )


def conduct(w: Writer) -> Section:
    """Return who takes part and what is done with them."""
    return Section(
        "Participants, treatment and conduct",
        (
            *w.bullets(
                "Inclusion and exclusion: [[eligibility|criteria, with the day on which each is "
                "checked]]",
                "Antigens before infusion: [[baseline_antigens|expression required for entry, same "
                "assay as at relapse]]",
                "Randomisation: {allocation}, concealed, stratified by [[strata|burden, earlier "
                "transplant, earlier blinatumomab, or others]]; [[randomiser|who makes the list "
                "and who may see it]]",
                "Masking: treatment is open; antigen status, response and relapse are read without "
                "knowledge of the arm",
                "Lymphodepletion and bridging: [[lymphodepletion|regimen, the same in both arms]]",
                "Transplant in remission: [[transplant_policy|the same rule in both arms, stated "
                "before randomisation; who decides]]",
                "Harms: graded as in {@grading} and [[grading|other scale and version]]; collected "
                "until [[harms_period|months after infusion]]",
                "Monitoring committee: [[committee|members, charter, and who sees results by arm]]",
                "Long-term follow-up: [[long_term|how long after the data are cut, for which "
                "events]]",
                "Ethics, consent, insurance: [[ethics|committee, number, versions of the consent "
                "forms, assent of minors]]",
                "Patients and public: [[involvement|how they shaped question, endpoints and "
                "burden]]",
                "Funding and interests: [[funding|sources, and interests of those who decide]]",
                "Data and code: [[sharing|where de-identified data, dictionary and code will be, "
                "and when]]",
                "Amendments: [[amendments|who approves them, and how participants, registry and "
                "committee are told]]",
            ),
        ),
    )
