"""Every figure can be read: its words quote its numbers, and its lines differ for every eye."""

from __future__ import annotations

import re
from itertools import combinations

import numpy as np
import pytest
import vision
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.colors import same_color
from matplotlib.text import Text

from car_relapse.figures import style

SERIES = {
    "positive": style.POSITIVE,
    "negative": style.NEGATIVE,
    "cured": style.CURED,
    "ink": style.INK,
}
# A number with its power of ten, or a bare power of ten; not the digits of a name (CD19).
NUMERAL = re.compile(r"(?<![\w.])\d+(?:,\d{3})*(?:\.\d+)?(?: × 10[⁻⁰¹²³⁴-⁹]+)?[⁰¹²³⁴-⁹]*")
SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
# What the words give besides results: ends of axes, days and months read off, levels.
SCALE = {
    "stein-curve": {"90", "28", "365"},
    "cohort-denominators": {"95", "3"},
    "relapse-split": {"95"},
    "cohort-outcome": {"6", "12", "36"},
    "outcome-by-level": set(),
    "two-patients": set(),
    "persistence-map": {"15", "3000"},
    "persistence-hazards": {"95", "1"},
    "useful-days": {"365"},
    "patients-differ": set(),
    "room-for-cells": {"7", "14", "28", "90"},
    "line-fates": set(),
    "line-law": set(),
    "last-line": {"0", "28", "88"},
    "division-clock": {"1"},
    "burden-feedback": set(),
    "burden-or-memory": {"1", "20"},
    "pre-existence": {"0.01", "100", "1"},
    "escape-timing": {"1000"},
    "jackpots": {"100"},
    "tails-by-events": {"1000"},
    "fluctuation-counts": {"95", "0", "1"},
    "later-peak": set(),
    "construct-outcomes": set(),
    "scenario-choices": {"36"},
    "scenario-outcome": {"36", "95", "100"},
    "second-antigen": {"48"},
    "weak-arm": set(),
    "phase-diagram": {"30", "2000"},
    # What is multiplied, by how much.
    "relapse-race": {"1", "4", "10"},
    "aplasia-predictor": set(),
    "unfitted-cohorts": {"95"},
    "antigen-coverage": {"1", "6"},
    # Shares of killing in the titles of the panels.
    "mixture-courses": {"0", "20", "50", "90"},
    "bystander-chances": {"0", "80"},
    "published-tumours": {"30"},
    "loss-paths": set(),
    "u-squared": set(),
    "second-infusion": set(),
    "antigen-ceiling": set(),
    "gate-truth": set(),
    "gate-price": {"28"},
    "gate-frontier": {"28"},
    # The digits of 4-1BB, and the level of the intervals.
    "response-leukaemia": {"95"},
    "response-other": {"95"},
    "phenotype-forest": {"95"},
    "phenotype-persistence": {"95", "4", "1"},
    # Spreads of density.
    "density-tail": {"0.4", "0.8", "1.2"},
    "density-thresholds": set(),
    "density-lines": {"0.4", "0.8", "1.2"},
    "density-switching": set(),
    # The month and the power, the trial's size, and what is read off the axes.
    "endpoint-sizes": {"24", "80"},
    "endpoint-power": {"100", "200"},
    "endpoint-choice": {"12", "30", "40", "80"},
    "engager-levels": {"100"},
    "engager-cycles": {"1", "2", "3", "5"},
    "engager-hook": {"100"},
    "engager-phenotype": {"95", "1", "2", "3", "4"},
    "trial-denominators": {"95", "3"},
    "exact-tails": {"0.025"},
    "untested-relapses": {"2", "95", "10", "43"},
    # The name 3+3, toxicities that are read off, and the numbers of levels.
    "dose-rules": {"3", "+3", "8", "5", "60", "10", "30", "50"},
    # The name 3+3, the levels, and the true toxicities.
    "dose-selection": {"0", "3", "+3", *"1245", "8", "10", "15", "30", "45", "50", "55", "60"}
    | {"65", "75"},
    # The levels, and what is assumed of them.
    "dose-optimum": {*"1234", "6", "10", "20", "35", "50", "75", "80"},
    "cure-plateau": {"95"},
    "late-separation": {"24", "40"},
    "event-clock": {"48", "120"},
    "competing-states": set(),
    "one-minus-km": {"1"},
    "gray-mirage": {"1"},
    "immortal-time": set(),
    "second-infusion-arm": set(),
    "estimand-table": set(),
    "saw-tooth": {"0.8", "0.05"},
    "response-and-later": {"12"},
    "historical-control": set(),
    "looks-price": set(),
    "shared-control": set(),
    "wrong-history": set(),
    "protocol-open-points": set(),
    "protocol-choices": set(),
}


def numerals(text: str) -> set[str]:
    return set(NUMERAL.findall(text.rstrip(".")))


def quotable(drawing) -> set[str]:
    return {numeral for n in drawing.numbers.values() for numeral in numerals(n.text)}


def texts(drawing) -> list[Text]:
    FigureCanvasAgg(drawing.figure).draw()
    return [t for t in drawing.figure.findobj(Text) if t.get_visible() and t.get_text().strip()]


def look(line) -> tuple:
    """Return how a line looks in grey."""
    filled = not same_color(line.get_markerfacecolor(), "white")
    dashes = line.get_linestyle()
    return dashes, line.get_marker(), line.get_marker() in ("None", "") or filled


def series(ax) -> list:
    return [line for line in ax.lines if not line.get_label().startswith("_")]


def test_a_numeral_is_found_whole():
    text = "CD19 in 3.2 × 10⁶ of 10⁷, 24,000, 180, or 0.5 (34 to 50); at uN = 1."
    assert numerals(text) == {"3.2 × 10⁶", "10⁷", "24,000", "180", "0.5", "34", "50", "1"}


def test_the_caption_has_at_most_25_words(drawing):
    assert 5 <= len(drawing.caption.split()) <= 25


def test_the_alt_text_quotes_two_or_more_numbers(drawing):
    assert len(re.findall(r"\d", drawing.alt)) >= 2
    assert len(numerals(drawing.alt) & quotable(drawing)) >= 2


def test_the_words_hold_no_number_of_unknown_origin(slug, drawing):
    known = quotable(drawing) | SCALE[slug]
    if slug == "relapse-split":  # its rows are its numbers
        known |= {
            f"{100 * v:.0f}" for name, c in drawing.data.items() if name != "cohort" for v in c
        }
    assert numerals(drawing.alt) | numerals(drawing.caption) <= known


def printed(text: str) -> tuple[float, float]:
    """Return the number in a text, and half a unit of its last digit."""
    mantissa, _, exponent = re.fullmatch(r"([\d.]+)?(?: × )?(10([⁻⁰¹²³⁴-⁹]+))?", text).groups()
    power = 10.0 ** int(exponent.translate(SUPERSCRIPTS)) if exponent else 1.0
    decimals = len((mantissa or "").partition(".")[2])
    return float(mantissa or 1) * power, 0.5 * 10.0**-decimals * power


def test_every_quoted_number_prints_its_value(drawing):
    for key, number in drawing.numbers.items():
        text = number.text.replace(",", "")
        if text.startswith(("less than ", "more than ")):
            word, _, limit = text.split(" ")
            assert (number.value < float(limit)) == (word == "less"), key
        else:
            value, half = printed(text)
            # Zeros at the end of a whole number may be rounding: 24,154 is printed as 24,000.
            zeros = len(text) - len(text.rstrip("0")) if text.isdigit() else 0
            assert abs(value - number.value) <= half * 10.0**zeros * (1 + 1e-9), key


def test_columns_of_the_data_are_whole_numbers_of_equal_length(drawing):
    assert len({column.shape for column in drawing.data.values()}) == 1
    for name, column in drawing.data.items():
        assert column.ndim == 1, name
        assert np.isfinite(column).all(), name


def test_no_text_is_smaller_than_nine_points(drawing):
    assert {t.get_text(): t.get_fontsize() for t in texts(drawing) if t.get_fontsize() < 9} == {}


def test_all_text_stands_out_from_white(drawing):
    faint = {t.get_text() for t in texts(drawing) if vision.contrast_on_white(t.get_color()) < 4.5}
    assert faint == set()


def test_nothing_is_cut_off(drawing):
    canvas = FigureCanvasAgg(drawing.figure)
    canvas.draw()
    drawn = drawing.figure.get_tightbbox(canvas.get_renderer())
    width, height = drawing.figure.get_size_inches()
    assert min(drawn.x0, drawn.y0, width - drawn.x1, height - drawn.y1) > -0.01


def drawn_points(ax) -> np.ndarray:
    """Return points along everything drawn as data, in pixels."""
    paths = [line.get_xydata() for line in ax.lines if line.get_transform() == ax.transData]
    bars = [c for c in ax.collections if isinstance(c, LineCollection)]
    paths += [segment for bar in bars for segment in bar.get_segments()]
    steps = np.linspace(0, 1, 50)[:, None, None]
    dense = [patch.get_verts() for patch in ax.patches]
    for path in paths:
        pixels = ax.transData.transform(path)
        between = (1 - steps) * pixels[:-1] + steps * pixels[1:]
        dense += [pixels, between.reshape(-1, 2)]
    return np.concatenate(dense)


def test_no_legend_covers_data(drawing):
    FigureCanvasAgg(drawing.figure).draw()
    for ax in drawing.figure.axes:
        legend = ax.get_legend()
        if legend is not None:
            points, box = drawn_points(ax), legend.get_window_extent()
            inside = (points > box.min).all(axis=1) & (points < box.max).all(axis=1)
            assert not inside.any(), points[inside][:3]


@pytest.mark.parametrize("matrix", vision.DEFICIENCIES.values(), ids=vision.DEFICIENCIES)
def test_simulated_vision_leaves_grey_as_it_is(matrix):
    np.testing.assert_allclose(np.sum(matrix, axis=1), 1, atol=2e-6)


def test_simulated_vision_confuses_what_it_should():
    # Red and green of equal lightness merge for protan and deutan eyes, not for tritan ones.
    red, green = "#B04A4A", "#5E7A3A"
    assert vision.difference(red, green, "deutan") < 0.5 * vision.difference(red, green, "tritan")


@pytest.mark.parametrize("deficiency", vision.DEFICIENCIES)
def test_the_palette_is_distinct_under_colour_vision_deficiency(deficiency):
    for one, other in combinations(SERIES, 2):
        assert vision.difference(SERIES[one], SERIES[other], deficiency) > 15, (one, other)


def test_series_of_one_panel_differ_in_grey(drawing):
    for ax in drawing.figure.axes:
        looks = [look(line) for line in series(ax)]
        assert len(set(looks)) == len(looks), looks


def test_every_series_wears_a_colour_of_the_palette(drawing):
    known = SERIES.values()
    for ax in drawing.figure.axes:
        for line in series(ax):
            drawn = (
                line.get_markeredgecolor() if line.get_linestyle() == "None" else line.get_color()
            )
            assert any(same_color(drawn, colour) for colour in known), line.get_label()
