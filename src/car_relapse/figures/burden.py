"""Burden in the chapter *Mechanism one: the T cells leave*: against memory, and as food."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from car_relapse.engine import line_history
from car_relapse.exposure import SpreadReading, SteinExposure, stein_population, stein_typical
from car_relapse.feedback_ode import solve_feedback, typical_feedback, typical_start
from car_relapse.figures.style import (
    CURED,
    NEGATIVE,
    POSITIVE,
    Drawing,
    axes,
    chance,
    house_style,
    percent,
    power_of_ten,
    quote,
)
from car_relapse.figures.t_cells_leave import log_hazards
from car_relapse.parameters import default
from car_relapse.patient import typical_patient
from car_relapse.survival import antigen_positive_probability

__all__ = ["burden_feedback", "burden_or_memory"]

Floats = NDArray[np.float64]


def _hazards(curves: SteinExposure) -> Floats:
    """Return -ln of the chance that one line survives, one value per curve."""
    patient = typical_patient()
    loss, killing = patient.losses.total, patient.products[0].killing
    return line_history(patient.leukaemia, loss, killing, curves).log_r


def _population(reading: SpreadReading, patients: int, seed: int) -> SteinExposure:
    return stein_population(reading).sample(patients, np.random.default_rng(seed))


def _mean_chance(burden: float, curves: SteinExposure, factor: float) -> float:
    """Return the mean chance of relapse with `burden` cells and memory `factor` times longer."""
    longer = replace(curves, memory_rate=curves.memory_rate / factor)
    return float(np.mean(antigen_positive_probability(burden, _hazards(longer))))


def burden_or_memory(*, burden: float = 1e8, patients: int = 1000, seed: int = 20260101) -> Drawing:
    """Draw what fewer cells and longer memory do, for the typical patient and over patients.

    Parameters
    ----------
    burden : float, optional
        Cells at infusion where neither is changed.
    patients : int, optional
        Virtual patients, who differ in their CAR-T curve.
    seed : int, optional
        Seed of their curves.
    """
    factor = np.unique(np.append(np.geomspace(1.0, 20.0, 13), 10.0))
    sets = {
        "typical": SteinExposure(
            **{
                name: np.array([getattr(stein_typical(), name)])
                for name in SteinExposure.__dataclass_fields__
            }
        ),
        "patients": _population("variance", patients, seed),
    }
    curves: dict[str, Floats] = {}
    for name, people in sets.items():
        unchanged = _hazards(people)
        curves[f"{name}_fewer"] = np.array(
            [np.mean(antigen_positive_probability(burden / f, unchanged)) for f in factor]
        )
        curves[f"{name}_longer"] = np.array([_mean_chance(burden, people, f) for f in factor])
    people = sets["patients"]
    gain = _hazards(replace(people, memory_rate=people.memory_rate / 10)) - _hazards(people)
    ten = int(np.flatnonzero(np.isclose(factor, 10.0))[0])
    narrow = _population("standard deviation", patients, seed)
    numbers = {
        "burden": power_of_ten(burden),
        "n_patients": quote(float(patients), 1),
        "percent_fewer_better": percent(float(np.mean(gain < np.log(10.0)))),
        "narrow_fewer": chance(
            float(np.mean(antigen_positive_probability(burden / 10, _hazards(narrow))))
        ),
        "narrow_longer": chance(_mean_chance(burden, narrow, 10.0)),
    }
    for name, curve in curves.items():
        numbers[f"{name}_10"] = chance(float(curve[ten]))
    for name in sets:
        numbers[f"{name}_1"] = chance(float(curves[f"{name}_fewer"][0]))
    with house_style():
        figure, panels = axes(columns=2, height=3.6)
        titles = ("The typical patient", "Mean of many patients")
        for ax, name, title in zip(panels, sets, titles, strict=True):
            ax.plot(factor, curves[f"{name}_fewer"], "-", color=NEGATIVE, label="fewer cells")
            ax.plot(factor, curves[f"{name}_longer"], "--", color=POSITIVE, label="longer memory")
            ax.set_title(title)
            ax.set_xscale("log")
            ax.set_xticks([1, 2, 5, 10, 20], ["1", "2", "5", "10", "20"])
            ax.minorticks_off()
            ax.set_xlim(1, 20)
            ax.set_ylim(0, 0.6)
            ax.set_xlabel("times fewer, or longer")
        panels[0].set_ylabel("P(antigen-positive relapse)")
        panels[0].legend(loc="upper right")
    n = {key: value.text for key, value in numbers.items()}
    return Drawing(
        figure=figure,
        caption="Fewer cells all but save the typical patient, yet hardly move the mean of "
        "patients who differ; longer memory moves it more.",
        alt=f"Chance of antigen-positive relapse against the factor, 1 to 20, by which cells at "
        f"infusion are fewer or the half-life of memory is longer. Left, the typical patient: from "
        f"{n['typical_1']} to {n['typical_fewer_10']} with ten times fewer cells and to "
        f"{n['typical_longer_10']} with ten times longer memory. Right, the mean of "
        f"{n['n_patients']} virtual patients: from {n['patients_1']} to {n['patients_fewer_10']} "
        f"and to {n['patients_longer_10']}.",
        numbers=numbers,
        data={"factor": factor, **curves},
    )


def fed_lines(burdens: Floats, *, b_cell_share: float) -> tuple[Floats, Floats]:
    """Return surviving lines and peak CAR-T when antigen drives the expansion.

    The killing rate comes from the mean course of `car_relapse.feedback_ode`; each line then
    survives by the law of a birth and death process with that rate.

    Parameters
    ----------
    burdens : ndarray, shape (n,)
        Leukaemic cells with the antigen at infusion.
    b_cell_share : float
        Normal B cells, and their influx, as a share of the ledger's.

    Returns
    -------
    lines, peak : ndarray, shape (n,)
        Expected surviving lines; largest number of effector CAR-T cells.
    """
    day = np.linspace(0.0, 1500.0, 6001)
    rates, start = typical_feedback(), typical_start()
    # Antigen loss is switched off: this figure is about cells that keep the antigen.
    rates = replace(rates, loss_rate=1e-40, b_cell_influx=b_cell_share * rates.b_cell_influx)
    start = replace(
        start,
        positive=burdens,
        negative=np.full(burdens.size, 1e-30),
        b_cells=b_cell_share * start.b_cells,
    )
    effector = np.exp(solve_feedback(rates, start, day).log_cells[0])
    killing = rates.maximal_killing * effector / (rates.half_killing + effector)
    birth, death = default("leukaemia.birth_rate"), default("leukaemia.death_rate")
    removal = death + killing
    step = day[1] - day[0]
    balance = removal - birth
    exponent = np.cumsum(0.5 * step * (balance[1:] + balance[:-1]), axis=0)
    exponent = np.vstack([np.zeros(burdens.size), exponent])
    integral = np.trapezoid(removal * np.exp(exponent), day, axis=0)
    return burdens / (1.0 + integral), effector.max(axis=0)


def burden_feedback(*, b_cell_share: float = 0.01) -> Drawing:
    """Draw surviving lines against burden, with and without feedback of the antigen.

    Parameters
    ----------
    b_cell_share : float, optional
        Normal B cells as a share of the ledger's: few, after much chemotherapy, so that the
        leukaemia is the food of the CAR-T cells.
    """
    burden = np.geomspace(1e7, 5e11, 48)
    fixed = burden * np.exp(-log_hazards(np.array([np.log(2) / stein_typical().memory_rate]))[0])
    fed, peak = fed_lines(burden, b_cell_share=b_cell_share)
    well_fed, _ = fed_lines(burden, b_cell_share=1.0)
    turn = int(fed.argmax())
    numbers = {
        "turn_burden": quote(float(burden[turn]), 1),
        "fed_lines_turn": quote(float(fed[turn]), 1),
        "fed_lines_high": quote(float(fed[-1]), 2),
        "burden_high": quote(float(burden[-1]), 1),
        "burden_low": power_of_ten(float(burden[0])),
        "fed_lines_low": quote(float(fed[0]), 1),
        "fixed_lines_low": quote(float(fixed[0]), 1),
        "fixed_lines_high": quote(float(fixed[-1]), 1),
        "peak_rise": quote(float(peak[-1] / peak[turn]), 1),
        "all_b_cells_lines": quote(float(well_fed.max()), 1),
        "b_cell_percent": quote(100.0 * b_cell_share, 1),
    }
    with house_style():
        figure, (ax,) = axes()
        ax.plot(burden, fixed, "-", color=POSITIVE, label="the same CAR-T curve for all")
        ax.plot(burden, fed, "--", color=CURED, label="antigen feeds the CAR-T cells")
        ax.set_xscale("log")
        ax.set_yscale("log")
        ax.set_xlim(1e7, 5e11)
        ax.set_ylim(1e-2, 1e9)
        ax.set_xlabel("leukaemic cells at infusion")
        ax.set_ylabel("expected surviving lines")
        ax.legend(loc="lower right")
    n = {key: value.text for key, value in numbers.items()}
    return Drawing(
        figure=figure,
        caption="Once antigen feeds the T cells, more leukaemia can leave fewer survivors; with "
        "one curve for all, it always leaves more.",
        alt="Expected surviving lines against leukaemic cells at infusion, both on log scales. "
        f"With one CAR-T curve for all they rise in proportion, from {n['fixed_lines_low']} at "
        f"{n['burden_low']} cells to {n['fixed_lines_high']} at {n['burden_high']}. With feedback "
        f"they rise from {n['fed_lines_low']} to {n['fed_lines_turn']} at {n['turn_burden']} "
        f"cells, and fall to {n['fed_lines_high']} at {n['burden_high']}.",
        numbers=numbers,
        data={"burden": burden, "fixed_exposure": fixed, "feedback": fed, "peak_effectors": peak},
    )
