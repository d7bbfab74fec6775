"""Patients made of a set of ledger values, for the tests of model claims."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields

import numpy as np
from numpy.typing import NDArray

from car_relapse import Killing, Leukaemia, Losses, Patient, SteinExposure, Therapy

__all__ = ["killing_over", "patient_of"]

Values = Mapping[str, float]
Floats = NDArray[np.float64]


def patient_of(ledger: Values, *, burden: float | None = None) -> Patient:
    """Return the typical patient at a set of ledger values, with `burden` cells if given."""
    return Patient(
        leukaemia=Leukaemia(
            birth_rate=ledger["leukaemia.birth_rate"],
            death_rate=ledger["leukaemia.death_rate"],
            burden=ledger["leukaemia.burden"] if burden is None else burden,
        ),
        losses=Losses(per_antigen=(ledger["loss.cd19"],), common_mode=ledger["loss.common_mode"]),
        therapy=Therapy(
            exposure=SteinExposure(
                **{field.name: ledger[f"stein.{field.name}"] for field in fields(SteinExposure)}
            ),
            killing=Killing(
                maximal_rate=ledger["killing.maximal_rate"],
                half_level=ledger["killing.half_level"],
            ),
        ),
    )


def killing_over(ledger: Values, days: Floats) -> tuple[Floats, Floats]:
    r"""Return killing on each day, and the log of the cells then alive per cell at infusion.

    The second is :math:`\int_0^t (b - d - \kappa)`, by the trapezium rule on the grid `days`.
    """
    (product,) = patient_of(ledger).products
    killing = np.asarray(product.killing.rate(product.exposure.level(days)))
    net = ledger["leukaemia.birth_rate"] - ledger["leukaemia.death_rate"] - killing
    steps = 0.5 * (net[1:] + net[:-1]) * np.diff(days)
    return killing, np.concatenate([[0.0], np.cumsum(steps)])
