"""The part of a protocol on dose, stopping for toxicity, and manufacture."""

from __future__ import annotations

from car_relapse.protocol._facts import Facts
from car_relapse.protocol.document import Section, Writer

__all__ = ["dose"]


def dose(w: Writer, facts: Facts) -> Section:
    """Return how the dose is found, and when the trial stops for toxicity."""
    levels = range(1, facts.dose_levels + 1)
    return Section(
        "Dose and stopping for toxicity",
        (
            Section(
                "Finding the dose",
                (
                    *w.text(
                        "Before randomisation the dose of {experimental} is found by the design "
                        "{dose_design} with the target {dose_target} of dose-limiting toxicity "
                        "within {dlt_window}, in cohorts of {dose_cohort}, {dose_most} patients at "
                        "most. "
                        "Decisions after each cohort are those of the table; nobody interpolates.",
                        "Dose-limiting toxicity: [[dlt|events with grade and duration that count, "
                        "and those that do not, as expected cytopenia after lymphodepletion]]. "
                        "The first patients of a cohort are treated at least [[stagger|days]] "
                        "apart.",
                        "Dose levels, cells per kilogram: [[levels|one for each level of the "
                        "table, with the tolerance of the product]].",
                    ),
                    w.table(
                        "What the number of patients with dose-limiting toxicity at a level "
                        "decides.",
                        ("Patients at the level", "Go up at most", "Go down from", "Never return"),
                        [
                            tuple(f"{{dose_{name}_{n}}}" for name in ("n", "up", "down", "never"))
                            for n in range(1, facts.dose_rows + 1)
                        ],
                    ),
                    *w.text(
                        "A product below the planned dose is given or not by [[underdose|rule]]; "
                        "the patient counts for the dose received, not for the dose planned, and "
                        "is reported apart ({@feasibility}).",
                        "If the true probabilities of dose-limiting toxicity are as assumed below, "
                        "the design treats {dose_patients} patients on average, and recommends "
                        "each level with the probability shown. "
                        "These are exact sums over all courses, not simulations. "
                        "No level is recommended with probability {dose_none}.",
                    ),
                    w.table(
                        "What the design does in one scenario.",
                        ("Level", "Assumed toxicity", "Recommended", "Patients, expected"),
                        [
                            tuple(
                                f"{{dose_{name}_{k}}}"
                                for name in ("level", "assumed", "chosen", "treated")
                            )
                            for k in levels
                        ],
                    ),
                ),
            ),
            Section(
                "Stopping for toxicity in the randomised part",
                (
                    *w.text(
                        "An arm stops when [[stop_event|the event that is watched, such as a "
                        "toxicity of high grade or death without relapse within its window]] is "
                        "too frequent: when the posterior probability that it is more frequent "
                        "than {stop_limit} exceeds {stop_cutoff}, with the prior {stop_prior}."
                    ),
                    w.table(
                        "Stopping rule.",
                        ("Patients treated", "Stop with this many events or more"),
                        [
                            (f"{{stop_at_{k}}}", f"{{stop_events_{k}}}")
                            for k in range(1, facts.stop_looks + 1)
                        ],
                    ),
                    *w.text(
                        "An arm whose true frequency is the limit itself stops by the last look "
                        "with probability {stop_at_limit}; one of half that frequency with "
                        "{stop_at_half}."
                    ),
                ),
            ),
            Section(
                "Manufacture and attrition",
                w.text(
                    "The calculations count patients who are {counted}. "
                    "If a share {made} of those randomised becomes one of them, {randomised} "
                    "randomised patients give {patients} with probability {made_sure}; on average "
                    "{randomised_mean} are needed. "
                    "The others fail before they can be counted, and stay in their arm as events; "
                    "the plan takes it that this happens alike in both arms.",
                    "A product that fails is made again by [[remake|rule and limit of time]].",
                ),
            ),
        ),
    )
