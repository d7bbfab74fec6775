"""Routes to the layers that stand alone: density, gates, engagers, switching, resistance, time."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from car_relapse.antigens import Losses
from car_relapse.engagement import (
    DensityDistribution,
    Response,
    mean_response,
    surviving_fraction,
)
from car_relapse.engager import EngagerKinetics, TrimerLaw
from car_relapse.gates import and_not_gate, or_gate
from car_relapse.growth import no_surviving_line
from car_relapse.relapse_time import RelapseTime
from car_relapse.resistance import (
    balancing_common_mode,
    divisions_per_line,
    double_loss_lines_small_rates,
    expected_full_loss,
    first_loss_day,
    full_loss_lines,
    lines_for_fraction,
    no_resistant_cell,
    surviving_double_loss_lines,
)
from car_relapse.switching import dominant_growth_rate, low_fraction

Inputs = dict[str, Any]

_HOURS_PER_DAY = 24.0


def _density(x: Inputs) -> tuple[DensityDistribution, Response]:
    return (
        DensityDistribution(median=x["median"], log_sd=x["sigma_ln"]),
        Response(half_density=x["K"], hill=x["hill"]),
    )


def _drug(x: Inputs) -> EngagerKinetics:
    return EngagerKinetics(
        clearance=x["CL_L_h"] * _HOURS_PER_DAY,
        central_volume=x["Vc"],
        exchange=x["Q"] * _HOURS_PER_DAY,
        peripheral_volume=x["Vp"],
    )


def _trimers(x: Inputs) -> TrimerLaw:
    return TrimerLaw(cd3_constant=x["K_CD3_nM"], antigen_constant=x["K_TAA_nM"])


def _relapse(x: Inputs) -> RelapseTime:
    return RelapseTime(
        lines=x["lineages"], detection=x["detection"], survival=x["s"], net_rate=x["lam"]
    )


def _losses(x: Inputs) -> Losses:
    return Losses(per_antigen=tuple(x["u"]), common_mode=x.get("c", 0.0))


def _survival(x: Inputs) -> float:
    return 1.0 - x["d"] / x["b"]


def _resistant(x: Inputs, _: str) -> float:
    return float(no_resistant_cell(x["m"], x["delta_res"], x["lam_res_over_lam_sens"]))


def _no_living(x: Inputs, _: str) -> float:
    lines = full_loss_lines(x["N"], birth_rate=x["b"], death_rate=x["d"], losses=_losses(x))
    return math.exp(-lines)


def _median_first_loss(x: Inputs, _: str) -> float:
    return float(first_loss_day(0.5, birth_rate=x["b"], death_rate=x["d"], loss=x["u"]))


def _dominant(x: Inputs, _: str) -> float:
    net = x["b"] - x["d"]
    return float(dominant_growth_rate(net - x["kill_high"], net, x["k_HL"], x["k_LH"]))


# Model (start of its name), start of the quantity, and how the package computes it.
ROUTES: list[tuple[str, str, Callable[[Inputs, str], Any]]] = [
    ("antigen_density", "population mean", lambda x, _: mean_response(*_density(x))),
    (
        "antigen_density",
        "surviving fraction",
        lambda x, _: surviving_fraction(*_density(x), x["exposure"]),
    ),
    ("gates", "OR", lambda x, _: or_gate(x["h1"], x["h2"])),
    ("gates", "ANDNOT", lambda x, _: and_not_gate(x["h1"], x["h2"])),
    ("switching", "equilibrium", lambda x, _: low_fraction(x["k_HL"], x["k_LH"])),
    ("switching", "dominant", _dominant),
    ("tce_pk", "terminal half-life", lambda x, _: _drug(x).half_life),
    ("tce_trimer", "drug concentration", lambda x, _: _trimers(x).optimum),
    ("tce_trimer", "maximal trimer", lambda x, _: _trimers(x).maximum),
    ("relapse_time", "mean", lambda x, _: _relapse(x).mean),
    ("relapse_time", "sd", lambda x, _: _relapse(x).sd),
    ("iwasa_nowak_michor", "P(no living", _resistant),
    ("komarova_wodarz", "P(no surviving", lambda x, _: no_surviving_line(x["N"], x["u"])),
    ("durrett_moseley", "median time of the first", _median_first_loss),
    ("multi_antigen", "b*T", lambda x, _: divisions_per_line(x["N"], _survival(x))),
    (
        "multi_antigen",
        "expected cells",
        lambda x, _: expected_full_loss(x["N"], _survival(x), _losses(x)),
    ),
    (
        "multi_antigen",
        "c* at",
        lambda x, _: balancing_common_mode(x["N"], _survival(x), _losses(x)),
    ),
    (
        "multi_antigen",
        "P(no living double-negative), Bozic",
        lambda x, _: math.exp(-double_loss_lines_small_rates(x["N"], _survival(x), _losses(x))),
    ),
    ("multi_antigen", "P(no living double-negative cell", _no_living),
    (
        "multi_antigen",
        "-ln P(no double-negative",
        lambda x, _: surviving_double_loss_lines(x["N"], _survival(x), _losses(x)),
    ),
    (
        "multi_antigen",
        "P(no surviving double-negative",
        lambda x, _: no_surviving_line(x["relapse_size_at_switch"], x["u2"]),
    ),
    ("calibration", "N*u_eff", lambda x, _: lines_for_fraction(x["events"] / x["n"])),
]
