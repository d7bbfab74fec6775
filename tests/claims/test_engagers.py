"""Take-aways of the notebook *An engager works only while it lasts*."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

from car_relapse import Killing, Therapy, relapse_probabilities
from car_relapse.engager import TrimerLaw
from car_relapse.engager_dosing import blinatumomab_exposure
from car_relapse.evidence import relapse_split, trials
from car_relapse.patient import Patient
from tests.claims.models import patient_of
from tests.claims.registry import data_claim, model_claim

RATES = ("engager.maximal_rate", "leukaemia.birth_rate")
CONSTANTS = ("engager.cd3_constant", "engager.antigen_constant")


def under_the_drug(
    ledger: Mapping[str, float], cycles: int, *, burden: float | None = None
) -> Patient:
    killing = Killing(
        maximal_rate=ledger["engager.maximal_rate"],
        half_level=ledger["engager.blinatumomab.ec90"] / 9.0,
    )
    drug = Therapy(exposure=blinatumomab_exposure(cycles=cycles), killing=killing)
    return replace(patient_of(ledger, burden=burden), therapy=drug)


@model_claim("claim-engagers-schedule", varies=RATES, at_least=1.0)
def test_a_day_after_the_infusion_killing_is_a_trace(ledger: Mapping[str, float]) -> bool:
    """Less than a tenth of net growth, and more than it while the pump runs."""
    (product,) = under_the_drug(ledger, 1).products
    net = patient_of(ledger).leukaemia.net_rate
    during, after = product.killing_rate([27.9, 29.0])
    return bool(after < 0.1 * net and during > net)


@model_claim("claim-engagers-cycles", varies=(*RATES, "leukaemia.burden"), at_least=0.95)
def test_a_cycle_more_removes_lines_with_the_antigen_and_none_without(
    ledger: Mapping[str, float],
) -> bool:
    """Ten times fewer or more; the others change by less than a hundredth."""
    two, three = (relapse_probabilities(under_the_drug(ledger, c)) for c in (2, 3))
    return three.positive_lines < two.positive_lines / 10 and math.isclose(
        three.negative_lines, two.negative_lines, rel_tol=0.01
    )


@model_claim(
    "claim-engagers-first-day",
    varies=(*RATES, "killing.maximal_rate", "stein.peak_day", "stein.fold"),
    at_least=0.7,
)
def test_fewer_lines_lose_the_antigen_under_an_engager_than_under_expanding_t_cells(
    ledger: Mapping[str, float],
) -> bool:
    """Between patients it differs: T cells that expand in days leave less time than a weak drug."""
    drug = relapse_probabilities(under_the_drug(ledger, 3))
    cells = relapse_probabilities(patient_of(ledger))
    return drug.acquired_lines < cells.acquired_lines and math.isclose(
        drug.preexisting_lines, cells.preexisting_lines, rel_tol=1e-6
    )


@model_claim("claim-engagers-hook", varies=CONSTANTS, at_least=1.0)
def test_past_the_geometric_mean_trimers_fall(ledger: Mapping[str, float]) -> bool:
    """Counted from the equilibria of both arms, each bound or not on its own."""
    one, two = ledger["engager.cd3_constant"], ledger["engager.antigen_constant"]

    def bridges(drug: float) -> float:
        # A bridge is a T cell's receptor with a drug whose other arm finds a free antigen.
        held = drug / (drug + one)
        free = two / (drug + two)
        return held * free

    top = math.sqrt(one * two)
    law = TrimerLaw(cd3_constant=one, antigen_constant=two)
    less, most, more = (bridges(c) for c in (top / 10, top, 10 * top))
    agrees = math.isclose(less / most, float(law.relative(top / 10)), rel_tol=1e-9)
    return agrees and less < most > more and math.isclose(less, more, rel_tol=1e-9)


@data_claim("claim-engagers-kept")
def test_most_relapses_of_known_kind_had_kept_cd19() -> None:
    """In the cohort of relapses after remission, and in the one of failures."""
    for key in ("aldoss2025_blina", "jabbour2018_blina_failure"):
        split = relapse_split(trials()[key])
        assert split.antigen_positive > 2 * (split.antigen_negative + split.lineage_switch), key
