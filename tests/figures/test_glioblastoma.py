"""The figures on glioblastoma agree with single patients, closed forms and the papers' values."""

from __future__ import annotations

import math

import numpy as np
import pytest

from car_relapse import relapse_probabilities
from car_relapse.figures.glioblastoma import Setting, mixture_courses
from car_relapse.glioblastoma import typical_glioblastoma
from car_relapse.parameters import default


def value(drawings, slug: str, key: str) -> float:
    return drawings[slug].numbers[key].value


def test_independent_antigens_multiply_and_nested_ones_add_nothing(drawings):
    data = drawings["antigen-coverage"].data
    q = default("glioblastoma.missing")
    np.testing.assert_allclose(data["share_independent"], q ** data["antigens"])
    np.testing.assert_allclose(data["share_nested"], q)
    floor = default("glioblastoma.overlap") * q
    assert data["share_usual"][-1] == pytest.approx(floor, rel=0.05)


def test_the_time_allowed_is_the_log_of_the_share_over_net_growth(drawings):
    data = drawings["antigen-coverage"].data
    net = default("glioblastoma.birth_rate") - default("glioblastoma.death_rate")
    days = -np.log(data["share_usual"]) / net
    np.testing.assert_allclose(data["months_usual"], days / (365.25 / 12))


def test_without_bystanders_the_uncovered_part_grows_as_untreated(drawings):
    data = drawings["mixture-courses"].data
    net = default("glioblastoma.birth_rate") - default("glioblastoma.death_rate")
    days = data["month"] * 365.25 / 12
    for place, share in (("a", 0.3), ("b", 0.9 * 0.3**3 + 0.1 * 0.3)):
        expected = share * default("glioblastoma.burden") * np.exp(net * days)
        np.testing.assert_allclose(data[f"uncovered_{place}"], expected, rtol=1e-9)


def test_the_covered_part_falls_alike_whatever_the_bystanders(drawings):
    data = drawings["mixture-courses"].data
    np.testing.assert_allclose(data["covered_b"], data["covered_c"], rtol=1e-9)


def test_uncovered_cells_meet_the_stated_part_of_killing(drawings):
    data = drawings["mixture-courses"].data
    fall = {key: np.log(data[key][30] / data[key][0]) for key in ("covered_c", "uncovered_c")}
    growth = np.log(data["uncovered_b"][30] / data["uncovered_b"][0])
    killed = {key: growth - log for key, log in fall.items()}
    assert killed["uncovered_c"] / killed["covered_c"] == pytest.approx(0.2, rel=1e-6)


def test_one_setting_makes_one_panel():
    drawing = mixture_courses([Setting(antigens=2, doses=3)])
    assert len(drawing.figure.axes) == 1


@pytest.mark.parametrize(("antigens", "share"), [(1, 0.46), (2, 0.44), (3, 0.43)])
def test_the_interpolated_chance_is_that_of_the_whole_engine(drawings, antigens, share):
    data = drawings["bystander-chances"].data
    (at,) = np.flatnonzero(np.isclose(data["bystander"], share))
    exact = relapse_probabilities(typical_glioblastoma(antigens, bystander=share)).cure
    assert 0.2 < exact < 0.8
    assert data[f"antigens_{antigens}"][at] == pytest.approx(exact, abs=1e-3)


def test_less_suppression_moves_the_threshold_further_than_antigens_do(drawings):
    half = {
        key: value(drawings, "bystander-chances", f"half_{key}_percent")
        for key in ("antigens_1", "antigens_3", "less")
    }
    assert half["antigens_3"] < half["antigens_1"]
    assert half["antigens_3"] - half["less"] > 3 * (half["antigens_1"] - half["antigens_3"])


def test_published_tumours_have_the_values_of_their_papers(drawings):
    # 2.7 orders of magnitude, where the paper's text says more than four; 1098 mm³ on day 30.
    assert value(drawings, "published-tumours", "orders_mid") == pytest.approx(2.70, abs=0.01)
    assert value(drawings, "published-tumours", "volume_alone") == pytest.approx(1098, abs=1)
    data = drawings["published-tumours"].data
    orders = math.log10(data["tumour_mid"][0] / data["tumour_mid"].min())
    assert orders == pytest.approx(2.70, abs=0.01)
    assert data["tumour_low"].min() < data["tumour_mid"].min() < data["tumour_high"].min()
