"""Ten thousand random cases give sane numbers or clear errors, and the fuzz would notice others."""

from __future__ import annotations

import math
import pathlib
import warnings
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from car_relapse import Losses, ParameterError
from car_relapse.errors import require_positive

from . import discovery, draws, fuzz, judge, rules

SHARDS = 48
SHOWN = 12


@pytest.mark.parametrize("shard", range(SHARDS))
def test_every_case_gives_a_right_number_or_a_clear_error(shard: int) -> None:
    results: Counter[str] = Counter()
    failed = []
    ran = 0
    with fuzz.bounded_memory():
        for target in fuzz.part(shard, SHARDS):
            for number in range(fuzz.number_of_cases(target)):
                case = fuzz.run(target, number)
                ran += 1
                results[target.name] += case.verdict == "result"
                if case.verdict == "failed":
                    failed.append(case)
    assert not failed, f"{len(failed)} of {ran} cases failed:\n" + "\n".join(
        str(case) for case in failed[:SHOWN]
    )
    # A function that refuses whatever it gets has not been tested.
    assert not [name for name, count in results.items() if not count]


def test_there_are_ten_thousand_cases_and_several_of_every_public_function() -> None:
    counts = {target.name: fuzz.number_of_cases(target) for target in fuzz.targets()}
    assert len(counts) == len(fuzz.targets())
    assert sum(counts.values()) == fuzz.all_cases() >= 10_000
    assert min(counts.values()) >= 8
    parts = [target for shard in range(SHARDS) for target in fuzz.part(shard, SHARDS)]
    assert sorted(target.name for target in parts) == sorted(counts)


def test_every_module_with_public_names_takes_part() -> None:
    names = {target.name.partition(".")[0] for target in fuzz.targets()}
    assert names >= {"antigens", "branching", "cohort", "exposure", "growth", "survival"}
    assert {"kimmel2021", "bozic2013", "errors", "evidence", "parameters"} <= names
    for module in discovery.modules():
        assert all(hasattr(module, name) for name in module.__all__), module.__name__
    everything = set(discovery.public())
    assert "survival.relapse_probabilities" in everything
    # A pattern that leaves out nothing has outlived what it was for.
    assert any(rules.LEFT_OUT.search(name) for name in everything)


def _cases(name: str) -> list[fuzz.Case]:
    target = next(target for target in fuzz.targets() if target.name == name)
    return [fuzz.run(target, number) for number in range(fuzz.number_of_cases(target))]


def test_a_number_means_the_same_case_every_time() -> None:
    runs = [_cases("relapse_time.RelapseTime.cdf") for _ in range(2)]
    for once, again in zip(*runs, strict=True):
        assert str(once) == str(again)
        assert once.verdict == again.verdict
    assert {case.kind for case in runs[0]} == {"good", "bad"}
    assert {case.verdict for case in runs[0]} == {"result", "refused"}
    assert len({str(case) for case in runs[0]}) > 20


def test_a_new_function_leaves_the_cases_of_the_others_as_they_were(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    name = "switching.low_fraction"
    before = _cases(name)
    others = fuzz.targets()
    new = fuzz.Target("antigens.a_new_function", _sum)
    monkeypatch.setattr(fuzz, "targets", lambda: (new, *others[1:]))
    after = _cases(name)
    assert [str(case) for case in before] == [str(case) for case in after]


def test_no_case_finds_or_leaves_a_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    monkeypatch.chdir(tmp_path)
    found = []

    def write(x: float) -> float:
        found.extend(pathlib.Path().iterdir())
        pathlib.Path("left.txt").write_text("by a case", encoding="utf-8")
        return x

    monkeypatch.setattr(fuzz, "BAD_SHARE", 0.0)
    for _ in range(2):
        assert _case_of(write, monkeypatch).verdict == "result"
    assert not found
    assert pathlib.Path.cwd() == tmp_path
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("value", "name", "fault"),
    [
        (math.nan, "x", "holds NaN"),
        ([1.0, np.array([0.5, math.nan])], "x", "holds NaN"),
        ({"a": (math.nan,)}, "x", "holds NaN"),
        (-math.inf, "x", "infinity that no docstring announces"),
        (1.0 + 1e-9, "m.f.survival_probability", "not within"),
        (np.array([0.5, -1e-12]), "m.cdf", "not within"),
        (np.array([1, -2]), "m.count", "negative whole number"),
        (complex(math.nan, 1.0), "x", "holds NaN"),
    ],
)
def test_a_wrong_result_is_noticed(value: Any, name: str, fault: str) -> None:
    assert any(fault in problem for problem in judge.problems(value, name))


def test_a_sane_result_passes() -> None:
    assert not list(judge.problems((0.5, [1, 2], None, "word", np.ones(3)), "m.probability"))
    assert not list(judge.problems(math.inf, "m.last_day", "Infinite when it never comes."))
    assert not list(judge.problems(Losses(per_antigen=(0.1,)), "m.f"))


def _sum(x: float) -> float:
    return float(require_positive("x", x, "give one", scalar=True))


def _warn(x: float) -> float:
    warnings.warn("careful", stacklevel=1)
    return x


def _hang(x: float) -> float:
    while True:
        x = math.sin(x)


def _case_of(call: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> fuzz.Case:
    monkeypatch.setattr(rules, "find", lambda name: (lambda c: 0.5) if name == "m.f.x" else None)
    return fuzz.run(fuzz.Target("m.f", call), 0)


def test_bad_input_is_expected_to_be_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fuzz, "spoil", lambda *_: (None, True))
    monkeypatch.setattr(fuzz, "BAD_SHARE", 1.0)
    assert _case_of(_sum, monkeypatch).verdict == "refused"
    lenient = _case_of(lambda x: 1.0, monkeypatch)
    assert lenient.verdict == "failed"
    assert "without complaint" in str(lenient)


def test_other_exceptions_warnings_and_endless_loops_are_noticed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fuzz, "BAD_SHARE", 0.0)
    monkeypatch.setattr(fuzz, "SECONDS", 0.2)
    assert _case_of(_sum, monkeypatch).verdict == "result"
    for call, fault in (
        (lambda x: x.missing, "AttributeError"),
        (lambda x: [][1], "IndexError"),
        (_warn, "UserWarning: careful"),
        (_hang, "no answer after 0.2 s"),
        (lambda x: np.ones(10**14), "MemoryError"),
    ):
        with fuzz.bounded_memory():
            case = _case_of(call, monkeypatch)
        assert case.verdict == "failed"
        assert fault in str(case)


def test_an_argument_that_nobody_knows_how_to_draw_is_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def strange(quirk: float) -> float:
        return quirk

    with pytest.raises(fuzz.NoRule, match=r"no rule draws m\.f\.quirk"):
        _case_of(strange, monkeypatch)


@pytest.mark.parametrize("draw", [draws.fraction, draws.part])
def test_probabilities_are_drawn_from_the_whole_unit_interval(draw: draws.Draw) -> None:
    c = draws.Context(np.random.default_rng(1))
    drawn = np.array([draw(c) for _ in range(2000)])
    ends = (0.0, 1.0) if draw is draws.fraction else (1e-300, 1.0 - 2.0**-53)
    assert (drawn.min(), drawn.max()) == ends
    assert (drawn == 1e-300).any()
    assert ((drawn > 0.1) & (drawn < 0.9)).mean() > 0.1


def test_bad_numbers_are_what_the_package_says_it_refuses() -> None:
    for value in (*draws.NO_NUMBERS, *draws.LISTS, *draws.BAD_LISTS):
        with pytest.raises(ParameterError):
            require_positive("x", value, "give one", scalar=True)
    for value in draws.BAD_LISTS:
        with pytest.raises(ParameterError):
            require_positive("x", value, "give some")
