"""Progress: a line that tells the truth, on a terminal and in a log."""

from __future__ import annotations

import io
import sys

import pytest

from car_relapse.progress import Meter, Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_speed_counts_only_what_was_simulated_now():
    progress = Progress(done=600, total=800, resumed=200, seconds=2.0)
    assert progress.share == 0.75
    assert progress.patients_per_second == 200
    assert str(progress) == "600 of 800 patients (75 %), 200 patients/s, 200 from the checkpoint"


def test_the_first_moment_has_no_speed():
    assert Progress(done=0, total=8, resumed=0, seconds=0.0).patients_per_second == 0


def test_a_function_hears_of_every_part():
    heard: list[Progress] = []
    meter = Meter(100, heard.append)
    meter.add(30, resumed=True)
    meter.add(50)
    assert [(p.done, p.total, p.resumed) for p in heard] == [(30, 100, 30), (80, 100, 30)]


def test_nothing_is_written_unless_asked(capsys):
    meter = Meter(100, show=False)
    with meter.watch(kept=False):
        meter.add(100)
    assert capsys.readouterr() == ("", "")


def test_a_log_gets_one_line_per_tenth(capsys):
    meter = Meter(1000, show=True)
    with meter.watch(kept=False):
        for _ in range(200):
            meter.add(5)
    out, err = capsys.readouterr()
    lines = err.splitlines()
    assert out == ""
    assert len(lines) == 11
    assert lines[0].startswith("5 of 1,000 patients (0 %)")
    assert lines[-1].startswith("1,000 of 1,000 patients (100 %)")


def test_a_terminal_shows_one_line_and_old_letters_do_not_stay(monkeypatch):
    clock = iter([0.0, 1e-3, 1e3])
    monkeypatch.setattr("car_relapse.progress.time.monotonic", lambda: next(clock))
    monkeypatch.setattr(sys, "stderr", Terminal())
    meter = Meter(20000, show=True)
    with meter.watch(kept=False):
        meter.add(10000)
        meter.add(10000)
    long = "10,000 of 20,000 patients (50 %), 10,000,000 patients/s"
    short = "20,000 of 20,000 patients (100 %), 20 patients/s"
    assert sys.stderr.getvalue() == f"\r{long}\r{short.ljust(len(long))}\n"


@pytest.mark.parametrize(
    ("kept", "how"), [(True, "the same call goes on from there"), (False, "nothing was kept")]
)
def test_a_stop_says_how_to_go_on(capsys, kept, how):
    meter = Meter(100, show=True)

    def stopped() -> None:
        with meter.watch(kept=kept):
            meter.add(40)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()
    assert capsys.readouterr().err.endswith(f"stopped after 40 of 100 patients; {how}\n")
