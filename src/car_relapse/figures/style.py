"""One look for every figure, and what a figure hands to the page that shows it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

__all__ = [
    "CURED",
    "INK",
    "NEGATIVE",
    "NEUTRAL",
    "NORMAL_95",
    "POSITIVE",
    "Drawing",
    "Quoted",
    "axes",
    "chance",
    "count",
    "house_style",
    "intervals",
    "percent",
    "power_of_ten",
    "quote",
]

# Okabe and Ito's palette: distinct under the common colour-vision deficiencies. Every series
# also differs in line style or marker, so that nothing is lost in grey.
POSITIVE = "#0072B2"
NEGATIVE = "#D55E00"
CURED = "#009E73"
NEUTRAL = "#6B6B6B"
INK = "#1F2328"

#: Standard errors on either side of an estimate in a 95 % interval.
NORMAL_95 = 1.959964

# Any, because Matplotlib's releases disagree on the type of a setting's name.
_STYLE: Any = {
    "figure.figsize": (5.6, 3.6),
    "figure.dpi": 110,
    "figure.constrained_layout.use": True,
    "figure.facecolor": "white",
    "axes.facecolor": "white",
    "axes.edgecolor": "#5A5F66",
    "axes.labelcolor": INK,
    "axes.labelsize": 11.5,
    "axes.titlesize": 11.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#E4E6E9",
    "grid.linewidth": 0.7,
    "axes.axisbelow": True,
    "lines.linewidth": 2.2,
    "font.family": "DejaVu Sans",
    "font.size": 11,
    "legend.frameon": False,
    "legend.fontsize": 10.5,
    "xtick.color": INK,
    "ytick.color": INK,
    "text.color": INK,
    # The same numbers must give the same file.
    "svg.hashsalt": "car-relapse",
}


@dataclass(frozen=True, kw_only=True)
class Quoted:
    """A number that a caption, an alt text or a sentence quotes."""

    value: float
    """The number, in the unit that the sentence around it gives."""
    text: str
    """How it is printed."""


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """A figure with its words and its numbers."""

    figure: Figure
    """The picture."""
    caption: str
    """What to see, in at most 25 words."""
    alt: str
    """What the curves do, with values."""
    numbers: Mapping[str, Quoted]
    """Numbers that the text may quote, by key."""
    data: Mapping[str, NDArray[np.float64]]
    """What is drawn, as columns of equal length."""


@contextmanager
def house_style() -> Iterator[None]:
    """Draw in the style of the book, without touching the reader's own settings."""
    with mpl.rc_context(_STYLE):
        yield


def axes(*, columns: int = 1, width: float = 5.6, height: float = 3.6) -> tuple[Figure, list[Axes]]:
    """Return a figure that no pyplot state knows, and its axes from left to right."""
    figure = Figure(figsize=(width, height), layout="constrained")
    grid = figure.subplots(1, columns, squeeze=False)
    return figure, list(grid[0])


def intervals(
    ax: Axes,
    heights: NDArray[np.float64],
    shares: NDArray[np.float64],
    low: NDArray[np.float64],
    high: NDArray[np.float64],
    *,
    colour: str,
    marker: str = "o",
    label: str | None = None,
) -> None:
    """Draw one mark and one interval for each row of a forest plot, in percent.

    Diamonds are hollow, so that they differ from dots in grey as well.
    """
    ax.hlines(heights, 100 * low, 100 * high, color=colour, linewidth=2.0)
    face = "white" if marker == "D" else colour
    ax.plot(
        100 * shares, heights, marker, color=colour, markersize=7, markerfacecolor=face, label=label
    )


def quote(value: float, digits: int = 2) -> Quoted:
    """Return a number printed with `digits` significant digits, thousands separated."""
    size = abs(value)
    if size != 0 and (size >= 1e6 or size < 1e-3):
        mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
        return Quoted(value=value, text=f"{mantissa} × 10{_superscript(int(exponent))}")
    rounded = float(f"{value:.{digits}g}")
    decimals = max(digits - 1 - int(np.floor(np.log10(size))), 0) if size else 0
    return Quoted(value=value, text=f"{rounded:,.{decimals}f}")


def count(number: int) -> Quoted:
    """Return a count, with every digit."""
    return Quoted(value=float(number), text=str(number))


def chance(probability: float) -> Quoted:
    """Return a probability printed so that neither 0 nor 1 is claimed by rounding.

    Examples
    --------
    >>> chance(0.9983).text, chance(1e-5).text
    ('0.998', 'less than 0.001')
    """
    if probability > 0.999:
        text = "more than 0.999"
    elif probability < 0.001:
        text = "less than 0.001"
    else:
        text = f"{probability:.3f}" if probability > 0.99 else quote(probability, 2).text
    return Quoted(value=probability, text=text)


def percent(share: float, decimals: int = 0) -> Quoted:
    """Return a share as a percentage, without the sign."""
    return Quoted(value=100.0 * share, text=f"{100.0 * share:.{decimals}f}")


def power_of_ten(value: float) -> Quoted:
    """Return a power of ten as 10 with a superscript.

    Examples
    --------
    >>> power_of_ten(1e9).text
    '10⁹'
    """
    return Quoted(value=value, text=f"10{_superscript(round(np.log10(value)))}")


def _superscript(exponent: int) -> str:
    return str(exponent).translate(str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻"))
