"""Antigen that comes and goes, in the notebook *How much antigen is enough*."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from car_relapse.antigens import Plasticity
from car_relapse.figures.style import (
    CURED,
    INK,
    NEGATIVE,
    POSITIVE,
    Drawing,
    axes,
    house_style,
    percent,
    power_of_ten,
    quote,
)
from car_relapse.parameters import default, parameter
from car_relapse.patient import Patient, typical_patient
from car_relapse.survival import relapse_probabilities
from car_relapse.switching import low_fraction

__all__ = ["density_switching"]

_LOOKS = ((POSITIVE, "-."), (NEGATIVE, "-"), (CURED, "--"))


def plastic_lines(patient: Patient, plasticity: Plasticity, factor: float = 1.0) -> float:
    """Return expected surviving lines with the antigen, with killing `factor` times as fast."""
    (product,) = patient.products
    harder = replace(product, killing=product.killing.scaled(factor))
    changed = replace(patient, therapy=harder, plasticity=plasticity)
    return relapse_probabilities(changed).positive_lines


def density_switching(*, burden: float = 1e8) -> Drawing:
    """Draw how long a cell stays low, and what killing harder does where antigen is torn off.

    Parameters
    ----------
    burden : float, optional
        Cells at infusion.
    """
    patient = typical_patient(burden)
    on = np.geomspace(1e-3, 10.0, 13)
    off, back = default("engagement.switch_off"), default("engagement.switch_on")
    share = float(low_fraction(off, back))
    switching = np.array(
        [
            plastic_lines(
                patient,
                Plasticity(switch_off=(k * share / (1.0 - share),), switch_on=(k,)),
            )
            for k in on
        ]
    )
    factor = np.geomspace(0.5, 4.0, on.size)
    row = parameter("engagement.stripping")
    torn = {"none": 0.0, "some": row.value, "much": float(row.high or row.value)}
    curves = {
        name: np.array(
            [
                plastic_lines(patient, Plasticity(stripping=(value,), switch_on=(back,)), f)
                for f in factor
            ]
        )
        for name, value in torn.items()
    }
    never = plastic_lines(patient, Plasticity())
    numbers = {
        "share_percent": percent(share, 1),
        "burden": power_of_ten(burden),
        "lines_never": quote(never, 2),
        "days_slow": quote(1.0 / float(on[0]), 1),
        "hours_fast": quote(24.0 / float(on[-1]), 2),
        "lines_slow": quote(float(switching[0]), 2),
        "lines_fast": quote(float(switching[-1]), 2),
        "days_back": quote(1.0 / back, 2),
    }
    for name, curve in curves.items():
        numbers[f"{name}_once"] = quote(
            float(np.exp(np.interp(0.0, np.log(factor), np.log(curve))))
        )
        gain = np.interp([0.0, np.log(2.0)], np.log(factor), np.log(curve))
        numbers[f"{name}_twice"] = quote(float(np.exp(gain[1])))
        numbers[f"{name}_fold"] = quote(float(np.exp(gain[0] - gain[1])), 2)
        numbers[f"stripping_{name}"] = quote(torn[name], 1)
    with house_style():
        figure, (first, second) = axes(columns=2, width=6.6, height=3.5)
        first.plot(1.0 / on, switching, "-", color=NEGATIVE)
        first.axhline(never, color=INK, linestyle=":", linewidth=1.8)
        first.text(950.0, never * 0.28, "never low", ha="right")
        first.set_xscale("log")
        first.set_yscale("log")
        first.set_xlim(0.1, 1000)
        first.set_ylim(0.1, 1e8)
        first.set_xlabel("days that a cell stays low")
        first.set_ylabel("expected surviving lines")
        first.set_title("Switching")
        labels = ("none", f"{torn['some']:g}", f"{torn['much']:g}")
        for curve, (colour, line), label in zip(curves.values(), _LOOKS, labels, strict=True):
            second.plot(factor, curve, line, color=colour, label=f"torn off: {label}")
        second.set_xscale("log")
        second.set_yscale("log")
        second.set_xticks([0.5, 1, 2, 4], ["0.5", "1", "2", "4"])
        second.minorticks_off()
        second.set_xlim(0.5, 4)
        second.set_ylim(1e-6, 1e14)
        second.set_yticks(10.0 ** np.arange(-6, 9, 2))
        second.set_xlabel("killing rate, times the usual")
        second.set_title("Tearing off")
        second.legend(loc="upper right")
    n = {key: value.text for key, value in numbers.items()}
    return Drawing(
        figure=figure,
        caption="The same few low cells are all but harmless if they switch back within hours. "
        "Where killing itself tears antigen off, killing harder buys less.",
        alt=f"Left: expected surviving lines of {n['burden']} cells against the days that a cell "
        f"stays low, both on log scales, when {n['share_percent']} % of cells are low at any "
        f"time: from {n['lines_fast']} at {n['hours_fast']} hours to {n['lines_slow']} at "
        f"{n['days_slow']} days, against {n['lines_never']} without low cells. Right: lines "
        "against the killing rate. Doubling it divides them by "
        f"{n['none_fold']} if no antigen is torn off, by {n['some_fold']} at a stripping of "
        f"{n['stripping_some']} and by {n['much_fold']} at {n['stripping_much']}; the antigen is "
        f"back after {n['days_back']} days on average.",
        numbers=numbers,
        data={
            "switch_on": on,
            "switching": switching,
            "factor": factor,
            **{f"stripping_{name}": curve for name, curve in curves.items()},
        },
    )
