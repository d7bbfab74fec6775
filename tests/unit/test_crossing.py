"""The last day above a level: monotone stretches, corners, jumps and summits between points."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from car_relapse.crossing import last_crossing, search_last_day


def two_humps(day):
    return np.exp(-0.5 * ((day - 3.0) / 0.5) ** 2) + 0.4 * np.exp(-0.5 * ((day - 20.0) / 2.0) ** 2)


@given(st.floats(1e-12, 1.0, exclude_max=True))
def test_a_falling_curve_is_inverted(level):
    day = last_crossing(lambda d: np.exp(-d), np.array([0.0, 30.0]), level)
    assert day == pytest.approx(-np.log(level), abs=1e-10)


def test_never_and_always_are_the_ends():
    days = np.array([0.0, 5.0, 9.0])
    assert last_crossing(lambda d: np.exp(-d), days, 2.0) == 0.0
    assert last_crossing(lambda d: np.exp(d), days, 0.5) == 9.0
    assert search_last_day(two_humps, (), 60.0, 3.0) == 0.0


@pytest.mark.parametrize(("level", "part"), [(0.1, 0.4), (0.39, 0.4), (0.6, 1.0), (0.999, 1.0)])
def test_the_later_hump_counts_when_it_is_high_enough(level, part):
    day = search_last_day(two_humps, (), 60.0, level)
    centre, width = (20.0, 2.0) if part < 1 else (3.0, 0.5)
    assert day == pytest.approx(centre + width * np.sqrt(2 * np.log(part / level)), abs=1e-9)


@given(st.floats(10.0, 40.0), st.floats(0.5, 2.0))
def test_a_summit_between_points_is_found(centre, width):
    def summit(day):
        return np.exp(-0.5 * ((day - centre) / width) ** 2)

    day = search_last_day(summit, (), 100.0, 1.0 - 1e-9)
    assert centre - 1e-3 * width < day < centre + 1e-3 * width


def test_a_drop_to_nothing_is_found_to_the_day():
    assert search_last_day(
        lambda d: np.where(d <= 7.3, 5.0, 0.0), (7.3,), 100.0, 1.0
    ) == pytest.approx(7.3, abs=1e-9)


def test_a_jump_upwards_starts_a_new_stretch():
    def curve(day):
        return np.where(day < 50.0, np.exp(-day), np.exp(50.0 - day))

    assert search_last_day(curve, (50.0,), 200.0, 0.5) == pytest.approx(50.0 + np.log(2), abs=1e-9)
    assert search_last_day(curve, (50.0,), 200.0, 1.0) == pytest.approx(50.0, abs=1e-9)
