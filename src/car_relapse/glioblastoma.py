r"""A glioblastoma under local CAR-T cells: a mixture, repeated doses, suppression, bystanders.

Doses are put into the tumour's cavity on several days. Each decays with the mean life
:math:`\tau_C` of the cells, and the level :math:`c`, in units of half-maximal killing, is their
sum. Cells that show a target of the product are killed at rate

.. math:: \kappa(t) = (1-\psi)\,\kappa_{max}\,\frac{c(t)}{1 + c(t)},

of which the surroundings suppress the part :math:`\psi`; cells that show none are killed at
:math:`\chi\,\kappa(t)`, beside those that do (`car_relapse.mixture`). Antigen loss during therapy
is left out: the mixture holds so many uncovered cells that new ones make no difference.

Nothing here is fitted: the ledger rows ``glioblastoma.*`` say what was measured and what assumed,
and the largest killing rate is borrowed from lymphoma (``killing.maximal_rate``).
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from car_relapse.antigens import Losses
from car_relapse.errors import (
    ParameterError,
    require_count,
    require_fraction,
    require_instance,
    require_positive,
)
from car_relapse.exposure_products import SummedExposure, repeated_exposure
from car_relapse.exposure_table import TableExposure
from car_relapse.killing import Killing
from car_relapse.mixture import BystanderGate, expression_mixture
from car_relapse.parameters import default
from car_relapse.patient import Leukaemia, Patient
from car_relapse.therapy import Therapy

__all__ = ["bystanders_until", "local_doses", "typical_glioblastoma"]

_MOST_ANTIGENS, _MOST_DOSES = 6, 100
# Steps of the table that holds the bystanders' days, and the width of a dose in it, days.
_STEP, _JUMP = 0.25, 1e-6


def _or_ledger(name: str, value: float | None) -> float:
    if value is None:
        return default(f"glioblastoma.{name}")
    return float(require_fraction(name, value, f"see ledger row glioblastoma.{name}", scalar=True))


def local_doses(doses: int | None = None) -> SummedExposure:
    """Return the level of CAR-T cells under equal local doses, in units of half-maximal killing.

    Parameters
    ----------
    doses : int, optional
        Number of doses, 1 to 100, given at the ledger's interval.

    Examples
    --------
    >>> local_doses(2).level([0.0, 7.0]).round(2)
    array([10.  , 13.68])
    """
    given = default("glioblastoma.doses") if doses is None else doses
    count = require_count("doses", int(given) if doses is None else doses, "give a whole number",
                          minimum=1, maximum=_MOST_DOSES)  # fmt: skip
    top, life = default("glioblastoma.dose_level"), default("glioblastoma.car_lifetime")
    one = TableExposure(days=(0.0, life), levels=(top, top / math.e), after="decline")
    interval = default("glioblastoma.interval")
    return repeated_exposure(one, [interval * dose for dose in range(count)])


def typical_glioblastoma(
    antigens: int = 1,
    *,
    doses: int | None = None,
    suppression: float | None = None,
    bystander: float | None = None,
    missing: float | None = None,
    overlap: float | None = None,
) -> Patient:
    """Return a patient with a glioblastoma, treated against some antigens of the mixture.

    What is left out comes from the ledger.

    Parameters
    ----------
    antigens : int
        Antigens that the product binds, any one being enough, 1 to 6.
    doses : int, optional
        Local doses.
    suppression : float, optional
        Part of the killing that is suppressed, in [0, 1).
    bystander : float, optional
        Killing of an uncovered cell over that of a covered one, in [0, 1].
    missing : float, optional
        Share of the cells that lack an antigen, the same for each, in [0, 1].
    overlap : float, optional
        Part of the tumour in which antigens go together, in [0, 1].

    Raises
    ------
    ParameterError
        When a value is out of range, or everything is suppressed.

    Examples
    --------
    >>> [round(share, 3) for state, share in typical_glioblastoma(1).mixture]
    [0.7, 0.3]
    """
    k = require_count("antigens", antigens, "count the antigens", minimum=1, maximum=_MOST_ANTIGENS)
    suppressed = _or_ledger("suppression", suppression)
    if suppressed == 1:
        raise ParameterError(
            "suppression is 1; then nothing is killed and there is no therapy; give less than 1"
        )
    lacked = (_or_ledger("missing", missing),) * k
    return Patient(
        leukaemia=Leukaemia(
            birth_rate=default("glioblastoma.birth_rate"),
            death_rate=default("glioblastoma.death_rate"),
            burden=default("glioblastoma.burden"),
        ),
        losses=Losses(per_antigen=(0.0,) * k),
        therapy=Therapy(
            exposure=local_doses(doses),
            killing=Killing(
                maximal_rate=(1.0 - suppressed) * default("killing.maximal_rate"), half_level=1.0
            ),
            gate=BystanderGate(share=_or_ledger("bystander", bystander)),
        ),
        mixture=expression_mixture(lacked, overlap=_or_ledger("overlap", overlap)),
    )


def bystanders_until(patient: Patient, day: float) -> Patient:
    """Return the patient with bystander killing until `day` and none from then on.

    Bystander killing needs covered neighbours, and ends when they are gone.

    Parameters
    ----------
    patient : Patient
        With one product from day 0, read through a `BystanderGate`.
    day : float
        Last day of bystander killing, days after the first dose, >= 1.

    Raises
    ------
    ParameterError
        When the therapy is another, or the day is before day 1.
    """
    require_instance("patient", patient, Patient, "give typical_glioblastoma()")
    end = float(require_positive("day", day, "count days from the first dose", scalar=True))
    (product, *others) = patient.products
    gate = product.gate
    if others or product.first_day > 0 or not isinstance(gate, BystanderGate):
        raise ParameterError(
            "the patient must have one product, given on day 0 and read through a BystanderGate; "
            "give typical_glioblastoma()"
        )
    if end < 1:
        raise ParameterError(f"day is {end:g}; it must be 1 or later; set the share to 0 instead")
    curve = product.exposure
    kinks = np.array([kink for kink in curve.kinks if kink > 0])
    days = np.unique(np.concatenate([np.arange(0.0, end, _STEP), kinks, kinks - _JUMP, [end]]))
    days = days[days <= end]
    helped = TableExposure(
        days=tuple(days.tolist()), levels=tuple(curve.level(days).tolist()), after="zero"
    )
    beside = replace(product, exposure=helped, gate=replace(gate, beside_only=True))
    return replace(patient, therapy=(replace(product, gate=gate.gate), beside))
