"""Density of antigen in the notebook *How much antigen is enough*: thin tail and thresholds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from car_relapse.densities import AntigenDensities
from car_relapse.engagement import (
    DensityDistribution,
    default_density,
    default_engagement,
    mean_response,
    surviving_fraction,
)
from car_relapse.evidence import kinetics
from car_relapse.exponents import class_lines
from car_relapse.figures.style import (
    CURED,
    INK,
    NEGATIVE,
    NEUTRAL,
    POSITIVE,
    Drawing,
    Quoted,
    axes,
    house_style,
    percent,
    power_of_ten,
    quote,
)
from car_relapse.patient import typical_patient
from car_relapse.patient_lines import patient_lines
from car_relapse.survival import relapse_probabilities

__all__ = ["density_lines", "density_tail", "density_thresholds"]

Floats = NDArray[np.float64]

# Between these the fates of lines are interpolated; twice as many change no printed digit.
_GROUPS = 240
# A normal variable on an even grid, and the share of cells at each point.
_NORMAL = np.linspace(-6.0, 6.0, 241)
_WEIGHT = np.exp(-0.5 * _NORMAL**2) / np.exp(-0.5 * _NORMAL**2).sum()
# Densities, molecules per cell, from which every other one is interpolated.
_GRID = np.geomspace(30.0, 3e6, 1001)
_WIDTHS = (0.4, 0.8, 1.2)
_LOOKS = ((POSITIVE, "-."), (NEGATIVE, "-"), (CURED, "--"))


def density_tail(
    *, median: float | None = None, log_sd: float | None = None, exposure: float = 20.0
) -> Drawing:
    """Draw the densities of all cells and of those left, and how many are left.

    Parameters
    ----------
    median : float, optional
        Median density, molecules per cell; by default that of the ledger.
    log_sd : float, optional
        Standard deviation of the natural log of density; by default that of the ledger.
    exposure : float, optional
        Killing rate of a fully engaged cell times its days, dimensionless.
    """
    usual, response = default_density(), default_engagement().killing
    cells = DensityDistribution(
        median=usual.median if median is None else median,
        log_sd=usual.log_sd if log_sd is None else log_sd,
    )
    density = np.geomspace(30.0, 3e5, 241)
    # Per unit of the natural log: equal areas are equal shares of cells.
    z = np.log(density / cells.median) / cells.log_sd
    before = np.exp(-0.5 * z**2) / (np.sqrt(2.0 * np.pi) * cells.log_sd)
    left = before * np.exp(-exposure * response.at(density))
    total = float(surviving_fraction(cells, response, exposure))
    after = left / total
    step = np.diff(np.log(density))
    below = np.concatenate([[0.0], np.cumsum(0.5 * (after[1:] + after[:-1]) * step)])
    survivors = float(np.exp(np.interp(0.5, below / below[-1], np.log(density))))
    met = np.linspace(0.0, 100.0, density.size)
    curves = {
        width: surviving_fraction(replace(cells, log_sd=width), response, met) for width in _WIDTHS
    }
    mean = mean_response(cells, response)
    numbers = {
        "median": quote(cells.median, 3),
        "exposure": quote(exposure, 2),
        "threshold": quote(response.half_density, 2),
        "percent_below": percent(float(cells.fraction_below(response.half_density)), 1),
        "left": quote(total, 2),
        "left_mean_response": quote(float(np.exp(-exposure * mean)), 2),
        "median_left": quote(survivors, 2),
        "exposure_end": quote(float(met[-1]), 3),
    } | {f"left_{width:g}".replace(".", ""): quote(float(c[-1]), 2) for width, c in curves.items()}
    with house_style():
        figure, (first, second) = axes(columns=2, width=6.6, height=3.5)
        first.fill_between(density, before, color=POSITIVE, alpha=0.25, linewidth=0)
        first.plot(density, before, "-", color=POSITIVE, label="before")
        first.plot(density, after, "--", color=NEGATIVE, label="of those left")
        first.axvline(response.half_density, color=NEUTRAL, linestyle=":", linewidth=1.5)
        first.set_xscale("log")
        first.set_xlim(density[0], density[-1])
        first.set_ylim(0, 1.35 * max(before.max(), after.max()))
        first.set_yticks([])
        first.set_xlabel("antigens per cell")
        first.set_ylabel("share of cells")
        first.set_title("Which cells are left")
        first.legend(loc="upper right")
        for (width, curve), (colour, line) in zip(curves.items(), _LOOKS, strict=True):
            second.plot(met, curve, line, color=colour, label=f"spread {width:g}")
        second.plot(met, np.exp(-met), ":", color=INK, label="all alike, full")
        second.set_yscale("log")
        second.set_xlim(0, 100)
        second.set_ylim(1e-14, 1e5)
        second.set_yticks(10.0 ** np.arange(-14, 1, 2))
        second.set_xlabel("exposure (rate × days)")
        second.set_ylabel("share of cells left")
        second.set_title("How many are left")
        second.legend(loc="upper right")
    n = {key: value.text for key, value in numbers.items()}
    return Drawing(
        figure=figure,
        caption="Killing leaves the thin cells: those left sit below the threshold (dotted), and "
        "with a wide spread their share hardly falls any more.",
        alt=f"Left: antigens per cell on a log scale, a bell around a median of {n['median']}; "
        f"{n['percent_below']} % of cells lie below the threshold of {n['threshold']}. After an "
        f"exposure of {n['exposure']} a share of {n['left']} is left, and their median is "
        f"{n['median_left']}. Right: share of cells left against exposure, on a log scale, up to "
        f"{n['exposure_end']}: {n['left_04']}, {n['left_08']} and {n['left_12']} with spreads of "
        "0.4, 0.8 and 1.2. A dotted line for cells that are all engaged in full falls below the "
        "frame early.",
        numbers=numbers,
        data={
            "density": density,
            "before": before,
            "after": after,
            "left_below": below / below[-1],
            "exposure": met,
            **{f"left_{width:g}".replace(".", ""): curve for width, curve in curves.items()},
        },
    )


def _half_way(median: Floats, curve: Floats) -> float:
    return float(np.exp(np.interp(0.5, curve, np.log(median))))


def density_thresholds() -> Drawing:
    """Draw what a tumour of a given median density offers to killing and to expansion."""
    usual, engagement = default_density(), default_engagement()
    median = np.geomspace(200.0, 2e5, 121)
    curves = {
        name: np.array([mean_response(replace(usual, median=m), law) for m in median])
        for name, law in (("killing", engagement.killing), ("expansion", engagement.expansion))
    }
    tables = kinetics()
    measured = {"normal": tables["cd19_normal_b"], "cll": tables["cd19_cll"]}
    numbers: dict[str, Quoted] = {
        f"half_{name}": quote(_half_way(median, curve), 2) for name, curve in curves.items()
    }
    for name, row in measured.items():
        if row.value is None:
            raise ValueError(f"{row.key} has no value; the figure marks it")
        numbers[name] = quote(row.value, 2)
        for kind, curve in curves.items():
            there = np.interp(np.log(row.value), np.log(median), curve)
            numbers[f"{kind}_{name}"] = percent(float(there))
    numbers["median"] = quote(usual.median, 3)
    for kind, curve in curves.items():
        there = np.interp(np.log(usual.median), np.log(median), curve)
        numbers[f"{kind}_median"] = percent(float(there))
    with house_style():
        figure, (ax,) = axes()
        ax.plot(median, 100 * curves["killing"], "-", color=NEGATIVE, label="killing of the cells")
        ax.plot(
            median, 100 * curves["expansion"], "--", color=POSITIVE, label="expansion of T cells"
        )
        for name, label in (("normal", "normal B cells"), ("cll", "CLL")):
            ax.axvline(numbers[name].value, color=NEUTRAL, linestyle=":", linewidth=1.5)
            ax.text(
                numbers[name].value * (1.08 if name == "normal" else 0.93), 6, label,
                rotation=90, va="bottom", ha="left" if name == "normal" else "right",
            )  # fmt: skip
        ax.set_xscale("log")
        ax.set_xlim(median[0], median[-1])
        ax.set_ylim(0, 103)
        ax.set_xlabel("median CD19 molecules per cell")
        ax.set_ylabel("% of the full effect, mean over cells")
        ax.legend(loc="upper left")
    n = {key: value.text for key, value in numbers.items()}
    return Drawing(
        figure=figure,
        caption="As the antigen thins, the T cells starve first: their expansion fades at a "
        "density at which they could still kill.",
        alt="Mean effect over the cells of a tumour against its median density on a log scale, "
        f"two rising curves. Killing is at half at {n['half_killing']} molecules, expansion at "
        f"{n['half_expansion']}. At the assumed {n['median']} killing is at {n['killing_median']} "
        f"% and expansion at {n['expansion_median']} %; at the {n['normal']} measured on normal B "
        f"cells {n['killing_normal']} and {n['expansion_normal']} %, at the {n['cll']} measured "
        f"in CLL {n['killing_cll']} and {n['expansion_cll']} %.",
        numbers=numbers,
        data={"median": median, **curves},
    )


def line_exponents(density: Floats) -> Floats:
    """Return expected surviving lines per cell that keeps the antigen, for cells of each density.

    The lines of a tumour are these, weighted by its cells: groups of cells never mix.

    Parameters
    ----------
    density : ndarray
        Molecules per cell, increasing.
    """
    wide = DensityDistribution(median=float(np.sqrt(density[0] * density[-1])), log_sd=1.0)
    spread = AntigenDensities(
        densities=(wide,), engagements=(default_engagement(),), bins=_GROUPS, rule="log"
    )
    groups = spread.groups()
    patient = replace(typical_patient(), density=spread)
    lines, _ = class_lines(patient_lines(patient))
    # The engagement is a Hill function of density, so it gives the density back.
    law = default_engagement().killing
    engaged = groups.killing[:, 0]
    molecules = law.half_density * (engaged / (1.0 - engaged)) ** (1.0 / law.hill)
    per_cell = lines[0] / (groups.weight * patient.leukaemia.burden)
    return np.asarray(np.exp(np.interp(np.log(density), np.log(molecules), np.log(per_cell))))


def lines_of(burden: float, cells: DensityDistribution) -> tuple[Floats, Floats, Floats]:
    """Return densities, shares of the cells, and lines that keep the antigen and outlive therapy.

    Parameters
    ----------
    burden : float
        Cells at infusion.
    cells : DensityDistribution
        Spread of density between them.
    """
    density = cells.median * np.exp(cells.log_sd * _NORMAL)
    return density, _WEIGHT, burden * _WEIGHT * line_exponents(density)


def density_lines(*, burden: float = 1e8) -> Drawing:
    """Draw which cells bring antigen-positive relapse, and how median and spread matter.

    Parameters
    ----------
    burden : float, optional
        Cells at infusion.
    """
    usual = default_density()
    molecules, share, lines = lines_of(burden, usual)
    threshold = default_engagement().killing.half_density
    alike = relapse_probabilities(typical_patient(burden))
    median = np.geomspace(1e3, 1e5, molecules.size)
    fate = line_exponents(_GRID)

    def total(middle: float, width: float) -> float:
        each = np.log(middle) + width * _NORMAL
        return float(burden * _WEIGHT @ np.interp(each, np.log(_GRID), fate))

    curves = {width: np.array([total(m, width) for m in median]) for width in _WIDTHS}
    at_median = {width: total(usual.median, width) for width in _WIDTHS}
    # Each point of the grid stands for the cells half a step to either side.
    edge = np.log(molecules) + 0.5 * usual.log_sd * (_NORMAL[1] - _NORMAL[0])
    below = np.cumsum(lines) / lines.sum()
    founder = float(np.exp(np.interp(0.5, below, edge)))
    low = float(np.interp(np.log(threshold), edge, below))
    numbers = {
        "burden": power_of_ten(burden),
        "median": quote(usual.median, 3),
        "threshold": quote(threshold, 2),
        "cells_low_percent": percent(float(usual.fraction_below(threshold)), 1),
        "lines_low_percent": percent(low, 1),
        "median_founder": quote(founder, 2),
        "lines_alike": quote(alike.positive_lines, 2),
    } | {f"lines_{width:g}".replace(".", ""): quote(value, 2) for width, value in at_median.items()}
    with house_style():
        figure, (first, second) = axes(columns=2, width=6.6, height=3.5)
        first.plot(molecules, share / share.max(), "-", color=POSITIVE, label="cells")
        first.plot(molecules, lines / lines.max(), "--", color=NEGATIVE, label="relapse")
        first.axvline(threshold, color=NEUTRAL, linestyle=":", linewidth=1.5)
        first.set_xscale("log")
        first.set_xlim(1e2, 1e6)
        first.set_ylim(0, 1.3)
        first.set_yticks([])
        first.set_xlabel("antigens per cell")
        first.set_ylabel("share (each to its largest)")
        first.set_title("Who comes back")
        first.legend(loc="upper right", ncols=2)
        for (width, curve), (colour, line) in zip(curves.items(), _LOOKS, strict=True):
            second.plot(median, curve, line, color=colour, label=f"spread {width:g}")
        second.axhline(1.0, color=NEUTRAL, linestyle=":", linewidth=1.5)
        second.set_xscale("log")
        second.set_yscale("log")
        second.set_xlim(1e3, 1e5)
        second.set_ylim(0.1, 1e9)
        second.set_xlabel("median antigens per cell")
        second.set_ylabel("expected surviving lines")
        second.set_title("Median and spread")
        second.legend(loc="upper right")
    n = {key: value.text for key, value in numbers.items()}
    return Drawing(
        figure=figure,
        caption="Relapse comes from the thin few: cells below the threshold (dotted) found nearly "
        "all lines. Halving the spread spares more than doubling the median.",
        alt=f"Left: antigens per cell of all cells, with a median of {n['median']}, and of the "
        f"cells whose lines outlive therapy, with a median of {n['median_founder']}: the "
        f"{n['cells_low_percent']} % of cells below {n['threshold']} found "
        f"{n['lines_low_percent']} % of the lines. Right: expected surviving lines with the "
        f"antigen, of {n['burden']} cells, against median density, both on log scales; at "
        f"{n['median']} they are {n['lines_04']}, {n['lines_08']} and {n['lines_12']} with "
        f"spreads of 0.4, 0.8 and 1.2, and {n['lines_alike']} if every cell is engaged in full.",
        numbers=numbers,
        data={
            "molecules": molecules,
            "share": share,
            "lines": lines,
            "median": median,
            **{f"lines_{width:g}".replace(".", ""): curve for width, curve in curves.items()},
        },
    )
