"""Take-aways of the notebook *A glioblastoma has escaped before the first cell is infused*."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from car_relapse import Patient, mean_course, relapse_probabilities
from car_relapse.glioblastoma import bystanders_until, typical_glioblastoma
from car_relapse.mixture import uncovered_share
from tests.claims.registry import model_claim

SHARES = ("glioblastoma.missing", "glioblastoma.overlap")
KILLING = ("glioblastoma.suppression", "glioblastoma.bystander")


def tumour(ledger: Mapping[str, float], antigens: int, **changes: float) -> Patient:
    """Return the glioblastoma at a set of ledger values, with changes."""
    names = ("missing", "overlap", "suppression", "bystander")
    values = {name: ledger[f"glioblastoma.{name}"] for name in names} | changes
    doses = round(ledger["glioblastoma.doses"])
    return typical_glioblastoma(antigens, doses=doses, **values)


@model_claim(
    "claim-glioblastoma-floor",
    varies=(*SHARES, "glioblastoma.suppression", "glioblastoma.doses"),
    at_least=1.0,
    draws=64,
)
def test_the_tumour_never_falls_below_its_uncovered_part(ledger: Mapping[str, float]) -> bool:
    patient = tumour(ledger, 3, bystander=0.0)
    lowest = mean_course(patient, np.arange(0.0, 300.0, 3.0)).total.min()
    q = uncovered_share(
        (ledger["glioblastoma.missing"],) * 3, overlap=ledger["glioblastoma.overlap"]
    )
    return bool(lowest >= q * patient.leukaemia.burden * (1 - 1e-9))


@model_claim("claim-glioblastoma-overlap", varies=SHARES, at_least=1.0)
def test_each_further_antigen_divides_the_uncovered_part_by_less(
    ledger: Mapping[str, float],
) -> bool:
    missing, overlap = (ledger[key] for key in SHARES)
    left = [uncovered_share((missing,) * k, overlap=overlap) for k in range(1, 7)]
    gains = np.array(left[:-1]) / np.array(left[1:])
    return bool((np.diff(gains) < 0).all() and left[-1] >= overlap * missing * (1 - 1e-9))


@model_claim("claim-glioblastoma-suppression", varies=(*SHARES, *KILLING), at_least=0.75, draws=64)
def test_half_the_suppression_outweighs_two_more_antigens(ledger: Mapping[str, float]) -> bool:
    """Lines that outlive therapy, of both kinds."""
    halved = tumour(ledger, 1, suppression=0.5 * ledger["glioblastoma.suppression"])
    more = tumour(ledger, 3)
    lines = [sum(relapse_probabilities(p).class_lines) for p in (halved, more)]
    return lines[0] <= lines[1]


@model_claim("claim-glioblastoma-bystanders", varies=(*SHARES, *KILLING), at_least=0.9, draws=32)
def test_bystanders_that_stop_with_their_neighbours_leave_more_lines(
    ledger: Mapping[str, float],
) -> bool:
    """They stop when less than one covered cell is expected, if that comes within 200 days."""
    patient = tumour(ledger, 3)
    days = np.arange(0.0, 201.0)
    covered = mean_course(patient, days).targeted
    if covered.min() >= 1:
        return True
    last = float(days[np.argmax(covered < 1)])
    ended, ever = (
        relapse_probabilities(p).negative_lines for p in (bystanders_until(patient, last), patient)
    )
    return ended > 2.0 * ever
