"""libRoadRunner: exact simulation, and CVODE, of models in SBML."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.two_types import END, START, untreated


def exact(units: int) -> Callable[[int], dict[str, Any]]:
    """Simulate `units` untreated clones exactly."""
    import antimony
    import roadrunner

    r = untreated()
    antimony.loadAntimonyString(
        f"""model two_types
        X0 -> 2 X0; {r.birth_targeted!r} * X0
        X0 -> ; {r.death_targeted!r} * X0
        X0 -> X0 + X1; {r.loss!r} * X0
        X1 -> 2 X1; {r.birth_escaped!r} * X1
        X1 -> ; {r.death_escaped!r} * X1
        X0 = {START}; X1 = 0
        end"""
    )
    model = roadrunner.RoadRunner(antimony.getSBMLString("two_types"))
    model.setIntegrator("gillespie")
    integrator = model.getIntegrator()
    integrator.setValue("variable_step_size", False)
    model.timeCourseSelections = ["X0", "X1"]
    model.simulate(0, 1e-3, 2)

    def work(seed: int) -> dict[str, Any]:
        total = escaped = 0.0
        for clone in range(units):
            model.reset()
            integrator.setValue("seed", seed * 10_000 + clone + 1)
            targeted, lost = (float(x) for x in model.simulate(0, END, 2)[-1])
            total, escaped = total + targeted + lost, escaped + lost
        return {"total_mean": total / units, "escaped_mean": escaped / units}

    return work


def cvode(units: int) -> tuple[Callable[[int], Any], Callable[[Any], dict[str, Any]]]:
    """Solve `units` patients of R3 on a linear scale, as the equations are printed."""
    import antimony
    import numpy as np
    import roadrunner

    from benchmarks.r3_model import CELLS, TOLERANCE, cohort, errors

    rates, start, days = cohort(units)
    names = (
        *("rho", "half", "loss", "forms", "wakes", "dies", "grows"),
        *("cap", "lose", "kills", "half_kill", "influx", "life"),
    )
    states = ["E", "M", "P", "Q", "B"]
    values = "; ".join(f"{n} = {float(v)!r}" for n, v in zip(names, rates[:, 0], strict=True))
    cells = "; ".join(f"{n} = {float(np.exp(v))!r}" for n, v in zip(states, start, strict=True))
    antimony.loadAntimonyString(
        f"""model feedback
        share := (P + B)/(half + P + B); k := kills*E/(half_kill + E)
        room := grows*(1 - (P + Q)/cap)
        E' = (rho*share - loss)*E + wakes*share*M
        M' = forms*E - (wakes*share + dies)*M
        P' = (room - k - lose)*P
        Q' = room*Q + lose*P
        B' = influx - (1/life + k)*B
        {values}; {cells}
        end"""
    )
    model = roadrunner.RoadRunner(antimony.getSBMLString("feedback"))
    model.integrator.relative_tolerance = TOLERANCE
    model.integrator.absolute_tolerance = CELLS
    model.timeCourseSelections = states
    varied = [j for j in range(len(names)) if np.ptp(rates[j])]
    first = [float(x) for x in np.exp(start)]

    def work(_: int) -> Any:
        found = np.empty((len(states), days.size, units))
        for patient in range(units):
            model.reset()
            for j in varied:
                model[names[j]] = float(rates[j, patient])
            for name, value in zip(states, first, strict=True):
                model[name] = value
            found[:, :, patient] = model.simulate(0.0, float(days[-1]), days.size).T
        return found

    def summary(found: Any) -> dict[str, Any]:
        with np.errstate(all="ignore"):  # clones that it lost are at or below zero
            return errors(np.log(found))

    return work, summary
