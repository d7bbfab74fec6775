"""A user's table: interpolation, what follows it, the last day, files, and clear refusals."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from car_relapse.errors import ParameterError
from car_relapse.exposure import stein_typical
from car_relapse.exposure_table import TableExposure, read_exposure_table
from car_relapse.killing import default_killing
from car_relapse.patient import typical_patient
from car_relapse.survival import relapse_probabilities
from car_relapse.therapy import Therapy

ROWS = {"days": (0, 5, 10, 20, 40), "levels": (0.0, 10.0, 1000.0, 50.0, 5.0)}


def plain(table: TableExposure, day: float) -> float:
    """Interpolate by hand, row by row."""
    days, levels = table.days, table.levels
    if day < days[0]:
        return levels[0] if table.before == "constant" else 0.0
    for i in range(len(days) - 1):
        if days[i] <= day <= days[i + 1]:
            part = (day - days[i]) / (days[i + 1] - days[i])
            if levels[i] > 0 and levels[i + 1] > 0:
                return levels[i] * (levels[i + 1] / levels[i]) ** part
            return levels[i] + part * (levels[i + 1] - levels[i])
    if table.after == "zero":
        return 0.0
    if table.after == "constant" or levels[-1] == 0:
        return levels[-1]
    fall = levels[-1] / levels[-2]
    return levels[-1] * fall ** ((day - days[-1]) / (days[-1] - days[-2]))


@st.composite
def tables(draw):
    n = draw(st.integers(2, 8))
    gaps = draw(st.lists(st.floats(0.01, 50.0), min_size=n, max_size=n))
    levels = draw(st.lists(st.one_of(st.just(0.0), st.floats(1e-3, 1e6)), min_size=n, max_size=n))
    after = draw(st.sampled_from(["decline", "constant", "zero"]))
    if after == "decline":
        levels[-1] = 0.5 * levels[-2]
    if not any(levels):
        levels[-2:] = [1.0, 0.5]
    before = draw(st.sampled_from(["zero", "constant"]))
    return TableExposure(days=np.cumsum(gaps), levels=levels, after=after, before=before)


@given(tables(), st.floats(0.0, 600.0))
def test_the_level_is_what_a_reader_would_interpolate(table, day):
    assert float(table.level(day)) == pytest.approx(plain(table, day), rel=1e-9, abs=1e-300)


@given(tables())
def test_every_row_is_met(table):
    assert table.level(table.days) == pytest.approx(table.levels, rel=1e-12)


@given(tables(), st.floats(1e-4, 1.5))
def test_the_last_day_is_a_crossing_with_nothing_above_after_it(table, part):
    level = part * max(table.levels)
    if table.after == "constant" and level <= table.levels[-1]:
        with pytest.raises(ParameterError, match="no last day above it; choose"):
            table.last_day_above(level)
        return
    day = float(table.last_day_above(level))
    after = day * (1 + 1e-9) + np.concatenate([np.geomspace(1e-9, 1e4, 300)])
    assert np.all(table.level(after) < level * (1 + 1e-9))
    if day > 0:
        assert float(table.level(day)) >= level * (1 - 1e-9)
    elif table.before == "zero":
        assert level > max(table.levels) or level == pytest.approx(table.levels[0])


@pytest.mark.parametrize(
    ("after", "wanted"), [("decline", 5.0 * 0.1**0.5), ("constant", 5.0), ("zero", 0.0)]
)
def test_what_follows_the_last_day_is_the_users_choice(after, wanted):
    table = TableExposure(**ROWS, after=after)
    assert float(table.level(50.0)) == pytest.approx(wanted)
    assert float(table.level(40.0)) == pytest.approx(5.0)
    assert table.kinks == (0.0, 5.0, 10.0, 20.0, 40.0)


@pytest.mark.parametrize(
    ("level", "day"),
    [
        (2000.0, 0.0),
        (1000.0, 10.0),
        (100.0, 10.0 + 10.0 * np.log(10) / np.log(20)),
        (5.0, 40.0),
        (0.5, 60.0),
    ],
)
def test_the_last_day_of_a_known_table(level, day):
    assert float(TableExposure(**ROWS, after="decline").last_day_above(level)) == pytest.approx(
        day, abs=1e-9
    )


def test_towards_a_zero_the_curve_is_a_straight_line():
    table = TableExposure(days=(0, 10, 20), levels=(8.0, 8.0, 0.0), after="decline")
    assert float(table.level(15.0)) == pytest.approx(4.0)
    assert float(table.last_day_above(2.0)) == pytest.approx(17.5)
    assert list(table.level([20.0, 21.0])) == [0.0, 0.0]
    assert table.decline_rate == 0.0


def test_days_before_the_first_row_are_the_users_choice():
    rows = {"days": (3, 10), "levels": (4.0, 2.0), "after": "decline"}
    assert list(TableExposure(**rows, before="zero").level([0.0, 2.9, 3.0])) == [0, 0, 4]
    assert list(TableExposure(**rows, before="constant").level([0.0, 2.9])) == [4, 4]


def test_a_fine_table_of_the_curve_of_stein_gives_its_relapse_probability():
    stein = stein_typical()
    days = np.concatenate([np.linspace(0, 9.3, 5), np.linspace(9.5, 120, 250), [250, 500, 900]])
    table = TableExposure(days=days, levels=stein.level(days), after="decline")
    chances = []
    for exposure in (stein, table):
        patient = typical_patient(burden=1e9)
        patient = type(patient)(
            leukaemia=patient.leukaemia,
            losses=patient.losses,
            therapy=Therapy(exposure=exposure, killing=default_killing()),
        )
        chances.append(relapse_probabilities(patient).positive_lines)
    assert chances[1] == pytest.approx(chances[0], rel=2e-3)


def write(folder, text):
    path = folder / "patient.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_file_is_read_whatever_its_line_ends(tmp_path):
    for text in (
        "day,level\n0,0\n5,10\n10,1000\n20,50\n40,5\n",
        "\ufeffday, level\r\n0,0\r\n5,1e1\r\n\r\n10,1000\r\n20,50\r\n40,5",
    ):
        table = read_exposure_table(write(tmp_path, text), after="zero")
        assert table == TableExposure(**ROWS, after="zero")
        assert read_exposure_table(str(tmp_path / "patient.csv"), after="zero") == table


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", "is ''; it must be 'day,level'"),
        ("time,level\n0,1\n", "is 'time,level'; it must be 'day,level'; name the two"),
        ("0,1\n2,3\n", "is '0,1'; it must be 'day,level'"),
        ("day,level\n0,1\n1,much\n", "line 3 of"),
        ("day,level\n0,1\n1\n", "it must be two numbers, day and level; correct that line"),
        ("day,level\n0,1\n1,2,3\n", "line 3 of"),
        ("day,level\n0,1\n\n3,-2\n", "level in line 4 of"),
        ("day,level\n0,1\n3,nan\n", "level in line 3 of"),
        ("day,level\n0,1\ninf,2\n", "day in line 3 of"),
        ("day,level\n0,1\n5,2\n4,1\n", "day in line 4 of"),
        ("day,level\n0,1\n5,2\n5,1\n", "days must increase; sort the lines, and average repeats"),
        ("day,level\n0,1\n", "days has 1 rows and levels 1; a curve needs two rows"),
    ],
)
def test_a_bad_file_is_refused_with_its_line(tmp_path, text, shown):
    with pytest.raises(ParameterError) as caught:
        read_exposure_table(write(tmp_path, text), after="zero")
    assert shown in str(caught.value)


def test_a_file_that_cannot_be_read_is_refused(tmp_path):
    (tmp_path / "noise.csv").write_bytes(b"\xff\xfe\x00")
    for path in (tmp_path / "absent.csv", tmp_path, tmp_path / "noise.csv", None):
        with pytest.raises(ParameterError, match="it must be a text file that can be read"):
            read_exposure_table(path, after="zero")


GOOD = ROWS | {"after": "decline"}


@pytest.mark.parametrize(
    ("changes", "shown"),
    [
        ({"days": (0, 5, 4, 20, 40)}, "days in row 3 is 4, which is earlier than the day of row 2"),
        ({"days": (0, 5, 5, 20, 40)}, "days in row 3 is 5, which repeats the day of row 2, 5; "),
        ({"days": (0, 5, 5 + 1e-12, 20, 40)}, "days in row 3 is 5, which repeats"),
        ({"days": (-1, 5, 10, 20, 40)}, "days in row 1 is -1"),
        ({"days": (0, 5, np.nan, 20, 40)}, "days in row 3 is nan"),
        ({"days": (0, 5, 10, 20)}, "days has 4 rows and levels 5"),
        ({"days": (0,), "levels": (1.0,)}, "two rows or more"),
        ({"days": 3.0}, "days is 3.0; it must be a list of numbers"),
        ({"days": None}, "days is None"),
        ({"days": "0,1"}, "days is '0,1'"),
        ({"days": [[0, 1], [2, 3]]}, "one to a row"),
        ({"levels": (0.0, 10.0, -1.0, 5.0, 1.0)}, "levels in row 3 is -1"),
        ({"levels": (0.0, 10.0, np.inf, 5.0, 1.0)}, "levels in row 3 is inf"),
        ({"levels": (0.0, 10.0, "x", 5.0, 1.0)}, "levels in row 3 is 'x'"),
        ({"levels": (0.0, 10.0, True, 5.0, 1.0)}, "levels in row 3 is True"),
        ({"levels": (0.0,) * 5}, "levels are all 0"),
        ({"levels": (0.0, 1.0, 2.0, 5.0, 5.0)}, "the last two levels must fall"),
        ({"levels": (0.0, 1.0, 2.0, 5.0, 7.0)}, "goes from 5 in row 4 to 7 in row 5"),
        ({"after": "hold"}, "after is 'hold'; the table does not say what follows day 40"),
        ({"after": None}, "choose 'decline', 'constant' or 'zero'"),
        ({"before": "decline"}, "before is 'decline'"),
        ({"days": (1, 5, 10, 20, 40)}, "days starts on day 1 and before is None"),
    ],
)
def test_a_bad_table_is_refused_with_its_row(changes, shown):
    with pytest.raises(ParameterError) as caught:
        TableExposure(**(GOOD | changes))
    assert shown in str(caught.value)


def test_bad_days_and_levels_are_refused():
    table = TableExposure(**GOOD)
    for day in (-1.0, np.nan, None, "1"):
        with pytest.raises(ParameterError, match="day is"):
            table.level(day)
    for level in (0.0, -1.0, np.inf, None):
        with pytest.raises(ParameterError, match="level is"):
            table.last_day_above(level)
    assert table.last_day_above([[5.0], [2000.0]]).shape == (2, 1)
