"""The sources that a protocol names; each was read in its abstract or its text."""

from __future__ import annotations

from car_relapse.protocol.document import Reference

__all__ = ["SOURCES"]

_ALL = (
    Reference(
        "spirit",
        "SPIRIT 2025",
        "Chan A-W and others. SPIRIT 2025 statement: updated guideline for protocols of randomised "
        "trials. BMJ 2025.",
        "10.1136/bmj-2024-081477",
    ),
    Reference(
        "define",
        "SPIRIT-DEFINE 2023",
        "Yap C and others. Enhancing quality and impact of early phase dose-finding clinical "
        "trial protocols: SPIRIT Dose-finding Extension (SPIRIT-DEFINE) guidance. BMJ 2023; 383: "
        "e076386.",
        "10.1136/bmj-2023-076386",
    ),
    Reference(
        "plans",
        "Gamble 2017",
        "Gamble C and others. Guidelines for the content of statistical analysis plans in clinical "
        "trials. JAMA 2017; 318: 2337-2343.",
        "10.1001/jama.2017.18556",
    ),
    Reference(
        "estimands",
        "ICH E9(R1)",
        "International Council for Harmonisation. Addendum on estimands and sensitivity analysis "
        "in clinical trials to the guideline on statistical principles for clinical trials, "
        "E9(R1). 2019.",
    ),
    Reference(
        "haematology",
        "Sun 2021",
        "Sun S and others. Estimands in hematologic oncology trials. Pharmaceutical Statistics "
        "2021; 20: 793-805.",
        "10.1002/pst.2108",
    ),
    Reference(
        "relapse",
        "Buchmann 2022",
        "Buchmann S and others. Remission, treatment failure, and relapse in pediatric ALL: an "
        "international consensus of the Ponte-di-Legno Consortium. Blood 2022; 139: 1785-1793.",
        "10.1182/blood.2021012328",
    ),
    Reference(
        "grading",
        "Lee 2019",
        "Lee DW and others. ASTCT consensus grading for cytokine release syndrome and neurologic "
        "toxicity associated with immune effector cells. Biology of Blood and Marrow "
        "Transplantation 2019; 25: 625-638 (DOI not checked).",
        "10.1016/j.bbmt.2018.12.758",
    ),
    Reference(
        "phenotype",
        "Lamble 2023",
        "Lamble AJ and others. Preinfusion factors impacting relapse immunophenotype following "
        "CD19 CAR T cells. Blood Advances 2023; 7: 575 (DOI not checked).",
        "10.1182/bloodadvances.2022007423",
    ),
    Reference(
        "amelia",
        "Cordoba 2021",
        "Cordoba S and others. CAR T cells with dual targeting of CD19 and CD22 in pediatric and "
        "young adult patients with relapsed or refractory B cell acute lymphoblastic leukemia: a "
        "phase 1 trial. Nature Medicine 2021; 27: 1797-1805.",
        "10.1038/s41591-021-01497-1",
    ),
    Reference(
        "feasibility",
        "Devlin 2021",
        "Devlin SM, Iasonos A, O'Quigley J. Phase I clinical trials in adoptive T-cell therapies. "
        "Journal of the Royal Statistical Society C 2021; 70: 815-834.",
        "10.1111/rssc.12485",
    ),
)

#: By the name that templates use.
SOURCES = {source.key: source for source in _ALL}
