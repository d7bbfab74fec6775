"""The glioblastoma of the book: its exponents are those of single lines under its killing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.integrate import cumulative_trapezoid

from car_relapse import relapse_probabilities
from car_relapse.errors import ParameterError
from car_relapse.gates import OrGate
from car_relapse.glioblastoma import bystanders_until, local_doses, typical_glioblastoma
from car_relapse.mixture import BystanderGate, uncovered_share
from car_relapse.parameters import default
from car_relapse.patient import Patient, typical_patient


def lines_of(patient: Patient, share: float) -> float:
    """Return the chance that one line survives killing at `share` of the rate, on a grid."""
    (product,) = patient.products
    day = np.sort(np.concatenate([np.arange(0.0, 4000.0, 0.02), 7.0 * np.arange(1, 100) - 1e-9]))
    tumour = patient.leukaemia
    removal = tumour.death_rate + share * product.killing_rate(day)
    balance = cumulative_trapezoid(removal - tumour.birth_rate, day, initial=0.0)
    return 1.0 / (1.0 + float(np.trapezoid(removal * np.exp(balance), day)))


@pytest.mark.parametrize("antigens", [1, 3])
def test_covered_and_uncovered_lines_survive_as_one_line_under_their_killing(antigens):
    patient = typical_glioblastoma(antigens, bystander=0.3)
    cells = patient.leukaemia.burden
    q = uncovered_share((default("glioblastoma.missing"),) * antigens,
                        overlap=default("glioblastoma.overlap"))  # fmt: skip
    result = relapse_probabilities(patient)
    assert result.negative_lines == pytest.approx(q * cells * lines_of(patient, 0.3), rel=2e-3)
    assert result.positive_lines == pytest.approx(
        (1 - q) * cells * lines_of(patient, 1.0), rel=5e-3
    )


def test_without_bystanders_the_uncovered_cells_are_untreated():
    patient = typical_glioblastoma(2, bystander=0.0)
    s = patient.leukaemia.survival
    uncovered = uncovered_share((0.3, 0.3), overlap=default("glioblastoma.overlap"))
    lines = relapse_probabilities(patient).negative_lines
    # A cell for sure survives with chance s; the exponent counts -ln(1 - s) for each.
    assert lines == pytest.approx(-np.log1p(-s) * uncovered * patient.leukaemia.burden)


def test_doses_add_up_and_decay():
    level = local_doses(3).level(np.array([0.0, 6.999, 7.0, 14.0, 21.0]))
    top = default("glioblastoma.dose_level")
    left = np.exp(-1.0)
    assert level[0] == pytest.approx(top)
    assert level[2] == pytest.approx(top * (1 + left))
    assert level[3] == pytest.approx(top * (1 + left + left**2))
    assert level[4] == pytest.approx(level[3] * left)


def test_the_default_course_has_the_doses_of_the_ledger():
    assert len(local_doses().parts) == default("glioblastoma.doses")


def test_bystanders_that_never_end_change_nothing_and_ones_that_end_early_leave_more():
    patient = typical_glioblastoma(3, bystander=0.4)
    whole = relapse_probabilities(patient)
    late = relapse_probabilities(bystanders_until(patient, 360.0))
    assert late.negative_lines == pytest.approx(whole.negative_lines, rel=1e-3)
    assert late.positive_lines == pytest.approx(whole.positive_lines, rel=1e-3)
    early = relapse_probabilities(bystanders_until(patient, 50.0))
    assert early.negative_lines > 100 * whole.negative_lines
    assert early.positive_lines == pytest.approx(whole.positive_lines, rel=1e-3)


def test_total_suppression_is_refused():
    with pytest.raises(ParameterError, match="suppression is 1"):
        typical_glioblastoma(suppression=1.0)


@pytest.mark.parametrize(("name", "value"), [("bystander", 1.5), ("overlap", -1.0), ("doses", 0)])
def test_values_out_of_range_are_refused(name, value):
    with pytest.raises(ParameterError, match=name):
        typical_glioblastoma(**{name: value})


def test_other_therapies_have_no_bystanders_to_end():
    patient = typical_glioblastoma()
    plain = replace(patient, therapy=replace(patient.therapy, gate=OrGate()))
    late = replace(patient, therapy=replace(patient.therapy, first_day=3.0))
    for other in (plain, late, typical_patient(), replace(patient, therapy=(patient.therapy,) * 2)):
        with pytest.raises(ParameterError, match="BystanderGate"):
            bystanders_until(other, 30.0)
    with pytest.raises(ParameterError, match="1 or later"):
        bystanders_until(patient, 0.5)


def test_any_exposure_may_carry_bystanders():
    """The T cells of a leukaemia go on when bystanders stop: covered lines are as before."""
    patient = typical_patient(1e8)
    helped = replace(patient, therapy=replace(patient.therapy, gate=BystanderGate(share=0.2)))
    before, after = (relapse_probabilities(p) for p in (helped, bystanders_until(helped, 40.0)))
    assert after.positive_lines == pytest.approx(before.positive_lines, rel=1e-6)
    assert after.negative_lines > before.negative_lines
