"""The second half of a protocol: size, looks, analyses, simulations, what is left to fill in."""

from __future__ import annotations

from car_relapse.protocol._facts import Facts
from car_relapse.protocol._wording import Endpoint
from car_relapse.protocol.document import Blank, Paragraph, Section, Table, Writer

__all__ = ["analyses", "looks", "missing", "open_points", "safety", "simulations", "size"]


def size(w: Writer, facts: Facts, primary: Endpoint) -> Section:
    """Return how large the trial is, and why."""
    return Section(
        "Sample size",
        (
            *w.text(
                "The size rests on the cumulative incidences that are assumed for patients in "
                "remission at month {horizon}; their hazards have the shape: {shape}. "
                "They are assumptions, not results; their sources are in the last table of this "
                "section."
            ),
            w.table(
                "Assumed cumulative incidence at month {horizon}, and what it means for hazards.",
                ("Cause", "{control}", "{experimental}", "Ratio of cumulative hazards"),
                [
                    tuple(f"{{{name}_{k}}}" for name in ("cause", "control", "exper", "ratio"))
                    for k in range(1, facts.causes + 1)
                ],
            ),
            *w.text(*_sizes(facts, primary)),
            w.table(
                "The same trial if the biology of {experimental} is another: incidences at month "
                "{horizon}, and powers with their standard errors, {patients_plan} patients.",
                (
                    "Biology",
                    *(f"{{cause_{k}}}" for k in range(1, facts.causes + 1)),
                    "Power, primary",
                    "Power, key secondary alone",
                ),
                [
                    (
                        f"{{world_name_{n}}}",
                        *(f"{{world_{k}_{n}}}" for k in range(1, facts.causes + 1)),
                        f"{{world_first_{n}}}",
                        f"{{world_second_{n}}}",
                    )
                    for n in range(1, facts.worlds + 1)
                ],
            ),
            *w.text(
                "Powers are shares of {replicates} simulated trials without early looks. "
                "A rejection counts only if it favours {experimental}.",
                "Size is not changed during the trial except by [[reestimation|blinded rule, or "
                "none]].",
            ),
            w.table(
                "Where the assumptions come from.",
                ("Assumption", "Certainty", "Source"),
                [
                    tuple(f"{{because_{name}_{k}}}" for name in ("what", "how", "where"))
                    for k in range(1, facts.reasons + 1)
                ],
            ),
        ),
    )


def _sizes(facts: Facts, primary: Endpoint) -> tuple[str, str]:
    """Return what formula and simulation say, as far as there is either."""
    wanted = f"For {primary.name}, a two-sided level of {{alpha}} and a power of {{power}}, "
    by_formula = (
        "the trial needs {patients_formula} patients ({counted}) by formula"
        if "patients_formula" in facts.values
        else "no formula counts all that the trial has"
    )
    simulated = (
        "; by simulation {patients_simulated} (standard error {patients_error}). "
        if "patients_simulated" in facts.values
        else "; no size was found by simulation. "
    )
    ratio = (
        "A large trial would find the hazard ratio {hazard_ratio}. "
        if "hazard_ratio" in facts.values
        else ""
    )
    events = (
        "; about {events} events of the primary endpoint are expected among them"
        if "events" in facts.values
        else ""
    )
    return (
        wanted + by_formula + simulated + ratio + "Both take accrual of {accrual}, follow-up of "
        "{follow_up} after the last infusion, and loss of {loss} a year.",
        f"The trial is planned for the biology {{planned}}, with {{patients_plan}} patients{events}"
        ". To keep that power with the looks below, the size grows by the factor {inflation}, to "
        "{patients}, rounded up to whole pairs.",
    )


def looks(w: Writer, facts: Facts) -> Section:
    """Return the order of tests and the looks at the data."""
    return Section(
        "Multiplicity and looks at the data",
        (
            Section(
                "Order of tests",
                w.text(
                    "The primary endpoint is tested at {alpha}, two-sided. "
                    "Only if it rejects is the key secondary endpoint tested, at the same level; "
                    "everything else is described with intervals and without tests. "
                    "This fixed sequence keeps the chance of any false rejection at {alpha}.",
                    "At an early look the key secondary endpoint does not inherit the whole level: "
                    "it is tested at the look at which the primary endpoint rejects, against a "
                    "bound of its own, which spends the level by the same function of the "
                    "information of its own events.",
                    "Of {replicates} simulated trials without any difference, {null_primary} "
                    "rejected the primary hypothesis (standard error {null_primary_error}), and "
                    "{null_both} both. "
                    "Under the design, {both} of the trials reject both in favour of "
                    "{experimental} (standard error {both_error}). "
                    "These trials are analysed once, at the end.",
                ),
            ),
            Section(
                "Looks",
                (
                    *w.text(
                        "The primary endpoint is looked at {looks_count}, when the fraction of its "
                        "planned events in the table has occurred. "
                        "The level is spent by the function {spending}, so that a look may come "
                        "earlier or later than planned. "
                        "Bounds hold for the standardised statistic, positive when {experimental} "
                        "does better; the trial does not stop for the key secondary endpoint, "
                        "whose events come at another pace."
                    ),
                    w.table(
                        "Bounds at each look.",
                        (
                            "Look",
                            "Information",
                            "Stop for efficacy from",
                            "Level spent, one-sided",
                            "Stops here under the design",
                        ),
                        [
                            tuple(
                                f"{{look_{name}_{k}}}"
                                for name in ("number", "information", "bound", "spent", "stops")
                            )
                            for k in range(1, facts.looks + 1)
                        ],
                    ),
                    *w.text(
                        "Under the design the trial uses {look_expected} of its information on "
                        "average. "
                        "Results of a look are seen by [[unmasked|the independent statistician and "
                        "the committee, and nobody else]]. "
                        "Stopping for futility: [[futility|bound that does not bind, or none]]."
                    ),
                ),
            ),
        ),
    )


def analyses(w: Writer, facts: Facts, primary: Endpoint, secondary: Endpoint) -> Section:
    """Return what is computed from the data, endpoint by endpoint."""
    planned = "rmst_truth" in facts.values
    return Section(
        "Analyses",
        (
            Section("Primary endpoint", w.text(f"{_capital(primary.name)}. {primary.test}")),
            Section(
                "Key secondary endpoint", w.text(f"{_capital(secondary.name)}. {secondary.test}")
            ),
            Section(
                "All causes beside each other",
                w.bullets(
                    "Cumulative incidence of every cause in both arms after Aalen and Johansen, in "
                    "one figure, with numbers at risk; one less the curve of Kaplan and Meier is "
                    "not used for a single cause, because it overstates it.",
                    "Cause-specific hazard ratio of every cause: does the product change how fast "
                    "this cause acts on those still in remission?",
                    "Gray's test and the subdistribution hazard ratio of antigen-negative relapse: "
                    "do fewer patients ever have it? "
                    "They also move when only another cause does, so they are not read as "
                    "mechanism.",
                    "Event-free survival at month {month}, with its difference and interval.",
                    "Mean event-free time up to month {month}: its difference "
                    + ("is planned at {rmst_truth} months, and " if planned else "")
                    + "has a meaning whether or not hazards are proportional.",
                ),
            ),
            Section(
                "Transplant",
                w.bullets(
                    "Nobody is put into a group by a transplant that came later: no comparison of "
                    "ever with never transplanted.",
                    "The association of transplant with relapse is described from a landmark at "
                    "[[landmark|month]], and with transplant as a variable that changes with time.",
                    "Sensitivity: transplant as an event; as a competing event; as the end of "
                    "follow-up with weights for who is transplanted.",
                ),
            ),
            Section(
                "Visits and models",
                w.bullets(
                    "Relapse is found at visits. "
                    "If dates of visits differ between arms, curves for interval-censored data are "
                    "shown beside the primary one.",
                    "Proportional hazards are not tested to choose the analysis. "
                    "If curves cross, the primary test stands, and the restricted mean describes.",
                    "A plateau is described by the event-free share at the end; a cure model is "
                    "fitted only with [[cure_rule|least follow-up beyond the last event]].",
                    "Subgroups: [[subgroups|few, named here, with tests of interaction]].",
                    "Software and versions: those of the last appendix, and [[software|program of "
                    "the final analysis, validated how]].",
                ),
            ),
        ),
    )


def missing(w: Writer) -> Section:
    """Return what happens to what is not known."""
    return Section(
        "Missing antigen status and lost patients",
        (
            *w.bullets(
                "A relapse without antigen status stays a relapse: event-free survival loses "
                "nothing. Primary rule for its kind: {untested_rule}.",
                "The plan assumes that {untested_control} of relapses in {control} and "
                "{untested_experimental} in {experimental} are not tested.",
                "The share that is tested is reported by arm and by month. "
                "If it differs between arms, so may the bias, and the key secondary endpoint is "
                "read with that.",
                "Sensitivity: all untested counted as antigen-negative; all as antigen-positive; "
                "multiple imputation from [[imputation|what predicts antigen status, measured in "
                "everybody]]; the first two bracket the truth.",
                "Patients who are lost are censored when last known in remission; the plan assumes "
                "{loss} a year. "
                "Sensitivity: lost patients of {experimental} have the event at once.",
            ),
        ),
    )


def safety(w: Writer) -> Section:
    """Return the gate that a claim of benefit must pass."""
    return Section(
        "Safety gate",
        (
            *w.text(
                "A product that keeps antigens from being lost may do so at a price: T cells that "
                "fade sooner, or more deaths in remission. "
                "So a claim for {experimental} also needs that the upper end of the two-sided "
                "{gate_level} interval of the cause-specific hazard ratio of antigen-positive "
                "relapse or death lies below {gate_margin}.",
                "The margin is [[gate_reason|why this much, agreed with whom]]. "
                "Under the design {gate_pass} of simulated trials pass (standard error "
                "{gate_pass_error}); if that hazard were truly raised by the margin, {gate_false} "
                "would pass (standard error {gate_false_error}).",
                "Serious events, deaths, and second cancers are tabulated by arm with exact "
                "intervals, in all who were infused.",
            ),
        ),
    )


def simulations(w: Writer, *, quick: bool) -> Section:
    """Return how every simulated number was made."""
    first_look = (
        ("This is a first look: fewer trials were simulated than the scenario asks for.",)
        if quick
        else ()
    )
    return Section(
        "Appendix: simulations",
        (
            *w.bullets(
                "Seed {seed}, {replicates} trials for each number; a share has its standard "
                "error beside it, the root of the share times the rest of it by the trials.",
                "Every analysis sees the same trials, so differences between analyses are sharper "
                "than their errors suggest.",
                "A trial in which an analysis cannot be made counts as no rejection; there were "
                "{failed} such.",
                "Response: {response_control} in {control} and {response_experimental} in "
                "{experimental}; others have an event in month {failure_month}.",
                "Versions: {versions}. The same versions and seed give the same numbers, bit for "
                "bit, on any number of processors.",
                *first_look,
            ),
        ),
    )


def open_points(w: Writer, blanks: tuple[tuple[Blank, str], ...]) -> Section:
    """Return the list of all blanks with the section in which each stands."""
    rows: list[tuple[str, str]] = [
        (f"[[{blank.key}|{blank.hint}]]", section) for blank, section in blanks
    ]
    table: Table = w.table("What no simulation can fill in.", ("What is asked", "Section"), rows)
    content: tuple[Paragraph | Table, ...] = (
        *w.text(
            "These points need a clinician, a laboratory, a patient or a committee. "
            "A protocol with one of them open is a draft."
        ),
        table,
    )
    return Section("Appendix: what only you can fill in", content)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
