"""Routes to the models that others have published, and the ranges of rows that state one in words.

Each function rebuilds a model's parameters from the inputs of a row, so that a row checks the
printed values and not the defaults of the package.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

from car_relapse.published import (
    bozic2013,
    carrgo2020,
    cartmath2021,
    kara2024,
    kimmel2021,
    leontriana2020,
    leontriana2021,
)

Inputs = dict[str, Any]

# Row, its tolerance word for word, and the open interval that the words give. A row whose words
# have changed since is not covered.
RANGES: dict[str, tuple[str, float, float]] = {
    # The quantity names the interquartile range of the patients.
    "KIM-data-7": ("inside IQR", 16.5, 57.5),
    "KIM-data-28": ("inside IQR", 0.6, 6.1),
    # "Most" cures in the window: the computed share of them is above a half.
    "KIM-cure-window": ("range", 0.5, 1.0),
    "KIM-prog-window": ("range (r_B=0.105 gives 351, 0.19 gives 194)", 200.0, 500.0),
    "LT21-pub-Cstar": ("factor 1.25 (computed 1.71e8)", 2e8 / 1.25, 2e8 * 1.25),
    "BOZ-T2-b1-1e11": (
        "abs 0.01 for an exact simulator (the closed formula gives 0.551)", 0.52, 0.54,
    ),
    # Damped and oscillating: the larger of trace and trace^2 - 4 determinant is negative.
    "CARRGO-fig1c": ("sign of tr and of tr^2-4det", -math.inf, 0.0),
}  # fmt: skip

# Of the growth rates in the paper's survival curves, the one at which cures happen.
_SLOW_TUMOUR = 0.105


def _kimmel(x: Inputs) -> kimmel2021.KimmelParameters:
    names = {
        "r_N": "normal_rate", "K_N": "normal_capacity", "K_C": "car_capacity",
        "rho_C": "car_rate", "b": "car_boost", "a": "car_boost_shape", "r_B": "tumour_rate",
        "natural_death": "tumour_death_rate", "gamma_B": "killing_rate", "k_B": "half_killing",
        "N0": "normal_start", "C0": "car_start", "B0_ml": "tumour_start",
    }  # fmt: skip
    values = {"r_B": _SLOW_TUMOUR} | x
    return kimmel2021.KimmelParameters(**{names[k]: v for k, v in values.items() if k in names})


def _kimmel_car(x: Inputs, quantity: str) -> float:
    day = float(re.search(r"day (\d+)", quantity)[1])  # type: ignore[index]
    return kimmel2021.solve(_kimmel(x), [day]).car[0]


def _kimmel_quantile(x: Inputs, quantity: str) -> float:
    level = float(re.match(r"(\d+)%", quantity)[1]) / 100  # type: ignore[index]
    return kimmel2021.cure_day_quantile(_kimmel(x), level)


def _kimmel_share(x: Inputs, _: str) -> float:
    p = _kimmel(x)
    late, early = (kimmel2021.cure_probability(p, by_day=day) for day in (80.0, 20.0))
    return (late - early) / kimmel2021.cure_probability(p)


def _leukaemia(x: Inputs) -> leontriana2020.LeukaemiaParameters:
    factor, _ = x["rho_C"].split("*")
    return leontriana2020.LeukaemiaParameters(
        killing_rate=x["alpha"],
        expansion_rate=float(factor) * x["alpha"],
        leukaemia_rate=x["rho_L"],
        car_lifetime=x["tau_C"],
        b_cell_lifetime=x["tau_B"],
        car_start=x["C0"],
        leukaemia_start=x["L0"],
        b_cell_start=x["B0"],
    )


def _single(x: Inputs) -> leontriana2021.SingleParameters:
    names = {
        "rho_C": "expansion_rate", "g_T": "expansion_half", "alpha_1": "inactivation_rate",
        "g_C": "inactivation_half", "tau_C": "car_lifetime", "rho_T": "tumour_rate",
        "alpha_2": "killing_rate", "C0": "car_start", "T0": "tumour_start",
    }  # fmt: skip
    return leontriana2021.SingleParameters(**{names[k]: v for k, v in x.items() if k in names})


def _dual(x: Inputs) -> leontriana2021.DualParameters:
    return leontriana2021.DualParameters(
        tumour=_single(x),
        outside_rate=x["rho_Cbar"],
        outside_half=x["g_B"],
        entry_rate=x["k"],
        b_cell_killing_rate=x["alpha_B"],
        b_cell_lifetime=x["tau_B"],
        dose=x["Cbar0"],
        b_cell_start=x["B0"],
    )


def _mouse(x: Inputs) -> cartmath2021.CartmathParameters:
    return cartmath2021.CartmathParameters(
        proliferation_rate=x["phi"],
        loss_rate=x["rho"],
        memory_formation=x["eps"],
        memory_activation=x["th"],
        inhibition=x["al"],
        memory_death=x["mu"],
        tumour_rate=x["r"],
        crowding=x["b"],
        killing_rate=x["g"],
        tumour_start=x["T0"],
    )


def _doses(x: Inputs) -> list[list[float]]:
    return x["dose"] if "dose" in x else x["doses"]


def _mouse_tumour(x: Inputs, quantity: str) -> float:
    day = float(re.search(r"day (\d+)", quantity)[1])  # type: ignore[index]
    # "Just before infusion" is what the course without that infusion holds.
    doses = [] if "just before" in quantity else _doses(x)
    return cartmath2021.solve(_mouse(x), [day], doses=doses).tumour[0]


def _mouse_eliminated(x: Inputs, quantity: str) -> float:
    days = cartmath2021.elimination_days(_mouse(x), doses=_doses(x), challenges=x["challenge"])
    return days[1 if "re-challenge" in quantity else 0]


def _mouse_peak(x: Inputs, quantity: str) -> float:
    _, most = cartmath2021.effector_maximum(_mouse(x), doses=_doses(x), until=30.0)
    return most / _doses(x)[0][1] - 1.0 if "over the dose" in quantity else most


def _carrgo(x: Inputs) -> carrgo2020.CarrgoParameters:
    return carrgo2020.CarrgoParameters(death_ratio=x["A"], expansion_ratio=x["B"])


def _carrgo_signs(x: Inputs, _: str) -> float:
    trace, determinant = carrgo2020.trace_and_determinant(_carrgo(x))
    return max(trace, trace**2 - 4.0 * determinant)


def _bystander(x: Inputs, _: str) -> float:
    course = kara2024.solve(
        kara2024.KaraParameters(tumour_start=x["T0_day3"]),
        [30.0],
        positive_fraction=x["sp"],
        bystander=x["bystander"],
        doses=[(day, x["dose"]) for day in x["dose_days"]],
    )
    return course.tumour[0]


def _drugs(x: Inputs) -> bozic2013.BozicParameters:
    return bozic2013.BozicParameters(
        birth_rate=x["b"],
        death_rate=x["d"],
        treated_birth_rate=x.get("b_treat", x["b"]),
        treated_death_rate=x["d_treat"],
        mutation_rate=x["u"],
        first_mutations=x["n1"],
        second_mutations=x["n2"],
        shared_mutations=x["n12"],
    )


def _failure(law: bozic2013.EradicationLaw) -> Callable[[Inputs, str], float]:
    def route(x: Inputs, _: str) -> float:
        size = x["M"] if "M" in x else x["total_burden"]
        return bozic2013.failure_probability(_drugs(x), size, lesions=x.get("lesions", 1), law=law)

    return route


ROUTES: list[tuple[str, str, Callable[[Inputs, str], Any]]] = [
    ("kimmel2021", "time of CAR-T peak", lambda x, _: kimmel2021.peak(_kimmel(x))[0]),
    ("kimmel2021", "CAR-T peak", lambda x, _: kimmel2021.peak(_kimmel(x))[1]),
    ("kimmel2021", "CAR-T at day", _kimmel_car),
    ("kimmel2021", "median CAR-T day", _kimmel_car),
    ("kimmel2021", "first time tumour < 1", lambda x, _: kimmel2021.single_cell_day(_kimmel(x))),
    ("kimmel2021", "time of deterministic", lambda x, _: kimmel2021.nadir(_kimmel(x))[0]),
    ("kimmel2021", "log10 tumour cells", lambda x, _: kimmel2021.nadir(_kimmel(x))[1]),
    ("kimmel2021", "time of progression", lambda x, _: kimmel2021.progression_day(_kimmel(x))),
    ("kimmel2021", "typical progression", lambda x, _: kimmel2021.progression_day(_kimmel(x))),
    ("kimmel2021", "P(tumour extinction", lambda x, _: kimmel2021.cure_probability(_kimmel(x))),
    ("kimmel2021", "most stochastic cures", _kimmel_share),
    *(("kimmel2021", f"{level}% quantile", _kimmel_quantile) for level in (5, 50, 95)),
    ("leontriana2020", "time of first CAR-T", lambda x, _: leontriana2020.peak(_leukaemia(x))[0]),
    (
        "leontriana2020",
        "leukaemia maximum",
        lambda x, _: leontriana2020.leukaemia_maximum(_leukaemia(x))[1],
    ),
    ("leontriana2020", "time of leuk", lambda x, _: leontriana2020.nadir(_leukaemia(x))[0]),
    ("leontriana2020", "leukaemia at nadir", lambda x, _: leontriana2020.nadir(_leukaemia(x))[1]),
    ("leontriana2020", "conservation", lambda x, _: leontriana2020.peak_bound(_leukaemia(x))),
    ("leontriana2021_dual", "off-tumour", lambda x, _: leontriana2021.off_tumour_peak(_dual(x))[1]),
    ("leontriana2021_dual", "on-tumour", lambda x, _: leontriana2021.dual_peak(_dual(x))[1]),
    ("leontriana2021_dual", "log10", lambda x, _: leontriana2021.dual_nadir(_dual(x))[1]),
    ("leontriana2021", "CAR-T number", lambda x, _: leontriana2021.critical_car(_single(x))),
    ("leontriana2021", "time of CAR-T", lambda x, _: leontriana2021.peak(_single(x))[0]),
    ("leontriana2021", "time of tumour", lambda x, _: leontriana2021.nadir(_single(x))[0]),
    ("leontriana2021", "tumour nadir", lambda x, _: leontriana2021.nadir(_single(x))[1]),
    ("leontriana2021", "dose", lambda x, _: leontriana2021.dose_threshold(_single(x))),
    ("leontriana2021", "qualitative", lambda x, _: leontriana2021.dose_threshold(_single(x))),
    ("cartmath2021", "tumour ", _mouse_tumour),
    ("cartmath2021", "residual tumour", _mouse_tumour),
    ("cartmath2021", "outcome of", lambda x, q: _mouse_tumour(x, q) * x["b"]),
    ("cartmath2021", "day ", _mouse_eliminated),
    (
        "cartmath2021",
        "memory CAR-T at day 200",
        lambda x, _: cartmath2021.solve(_mouse(x), [200.0], doses=_doses(x)).memory[0],
    ),
    (
        "cartmath2021",
        "smallest single dose with T(300)<=8e5",
        lambda x, _: cartmath2021.dose_threshold(_mouse(x), dose_day=x["day"]),
    ),
    (
        "cartmath2021",
        "CR reached",
        lambda x, _: cartmath2021.dose_threshold(_mouse(x), dose_day=x["day"]),
    ),
    ("cartmath2021", "CAR-T", _mouse_peak),
    ("carrgo2020", "coexistence", lambda x, _: carrgo2020.coexistence(_carrgo(x))[1]),
    ("carrgo2020", "imaginary part", lambda x, _: carrgo2020.eigenvalues(_carrgo(x))[0].imag),
    ("carrgo2020", "behaviour", _carrgo_signs),
    ("kara2024", "tumour volume day 30", _bystander),
    (
        "bozic2013",
        "expected doubly resistant",
        lambda x, _: bozic2013.expected_resistant_cells(_drugs(x), x["M"]),
    ),
    (
        "bozic2013",
        "P(eradication) by nested",
        lambda x, _: bozic2013.eradication_nested(_drugs(x), x["M"]),
    ),
    (
        "bozic2013",
        "P(eradication)",
        lambda x, _: bozic2013.eradication_as_printed(_drugs(x), x["M"]),
    ),
    # Every sequential therapy fails; the printed share is the failure of a simultaneous one.
    ("bozic2013", "share of sequential failures", _failure("as printed")),
    ("bozic2013", "P(treatment failure), dual", _failure("as printed")),
    ("bozic2013", "P(treatment failure), eq.(1) with", _failure("corrected")),
    ("bozic2013", "P(treatment failure), 1e6 sim", _failure("nested")),
    ("bozic2013", "P(treatment failure) by nested", _failure("nested")),
]
