"""A stage says what ran; nothing that did not run, and no crash, counts as passed."""

from __future__ import annotations

import threading

import check
import pytest


@pytest.fixture(autouse=True)
def logs(tmp_path, monkeypatch):
    """Keep the logs of these tests apart from the real ones."""
    monkeypatch.setattr(check, "LOGS", tmp_path)
    monkeypatch.setattr(check, "ROOT", tmp_path)
    return tmp_path


def run(logs, text: str, *options: str) -> check.Outcome:
    (logs / "test_sample.py").write_text(text)
    options = ("-p", "no:cacheprovider", *options)
    return check.pytest(check.Log("sample"), *options, logs / "test_sample.py")


def test_skipped_tests_have_not_run(logs):
    text = """
import pytest
def test_one(): pass
@pytest.mark.skip
def test_two(): pass
def test_three(): assert False
"""
    assert run(logs, text) == check.Outcome(passed=1, failed=1)


def test_a_file_that_cannot_be_imported_is_a_failure(logs):
    assert run(logs, "import no_such_module").failed == 1


def test_a_crash_of_the_runner_is_a_failure(logs):
    assert run(logs, "import os; os._exit(0)").failed == 1


def test_tests_of_one_group_run_in_one_process(logs):
    text = f"""
import os
import pathlib
import pytest
pytestmark = pytest.mark.xdist_group("one")
@pytest.mark.parametrize("turn", range(6))
def test_it(turn):
    (pathlib.Path({str(logs)!r}) / f"process-{{os.getpid()}}").touch()
"""
    assert run(logs, text, *check.TWO, "loadgroup") == check.Outcome(passed=6)
    assert len(list(logs.glob("process-*"))) == 1


def test_a_stage_that_ran_nothing_has_failed(logs, capsys):
    outcome = check.run_stage("empty", lambda log: check.Outcome())
    assert outcome.failed == 1
    assert "FAILED" in capsys.readouterr().out


def test_every_stage_runs_and_the_last_line_counts(logs, monkeypatch, capsys):
    stages = {
        "first": lambda log: check.Outcome(passed=2, failed=1),
        "second": lambda log: check.Outcome(passed=3),
    }
    monkeypatch.setattr(check, "STAGES", stages)
    assert check.main([]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "5 passed, 1 failed"
    assert [line.split()[0] for line in lines if " checks " in line] == ["first", "second"]
    assert check.main(["second"]) == 0


def test_a_stage_that_breaks_has_failed_and_does_not_stop_the_next(monkeypatch, capsys):
    def broken(log):
        raise RuntimeError("planted")

    monkeypatch.setattr(
        check, "STAGES", {"first": broken, "second": lambda log: check.Outcome(passed=1)}
    )
    assert check.main([]) == 1
    shown = capsys.readouterr().out
    assert "RuntimeError: planted" in shown
    assert shown.splitlines()[-1] == "1 passed, 1 failed"


def test_a_stage_of_an_unknown_name_is_refused(capsys):
    assert check.main(["nonsense"]) == 2
    assert "nonsense" in capsys.readouterr().err


def test_without_a_browser_the_stage_fails_with_one_sentence(logs, monkeypatch, capsys):
    monkeypatch.setattr(check.browser, "ensure", lambda: None)
    outcome = check.run_stage("site", check.in_browser("tests/site"))
    assert outcome.failed == 1
    assert check.browser.MISSING in capsys.readouterr().out


def test_the_odd_input_is_part_of_every_run_and_counts(monkeypatch, capsys):
    stages = {
        "first": lambda log: check.Outcome(passed=2),
        check.BESIDE: lambda log: check.Outcome(passed=3, failed=1),
        "last": lambda log: check.Outcome(passed=4),
    }
    assert check.BESIDE in check.STAGES
    monkeypatch.setattr(check, "STAGES", stages)
    assert check.main([]) == 1
    shown = capsys.readouterr().out.splitlines()
    assert sorted(line.split()[0] for line in shown if " checks " in line) == sorted(stages)
    assert shown[-1] == "9 passed, 1 failed"
    assert check.main([check.BESIDE]) == 1
    assert capsys.readouterr().out.splitlines()[-1] == "3 passed, 1 failed"


def test_the_site_is_built_beside_the_stages_that_do_not_look_at_it(monkeypatch, capsys):
    done = threading.Event()
    seen = {}

    def book(log):
        seen["others went on"] = done.wait(60)
        return check.Outcome(passed=1)

    def other(log):
        done.set()
        return check.Outcome(passed=2)

    def site(log):
        return check.Outcome(passed=4, failed=0 if seen else 1)

    assert [n for n in check.STAGES if n in ("book", "site")] == [check.BUILDS, check.NEEDS_IT]
    monkeypatch.setattr(check, "STAGES", {"book": book, "other": other, "site": site})
    assert check.main([]) == 0
    assert seen == {"others went on": True}
    shown = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in shown if " checks " in line] == ["other", "book", "site"]
    assert shown[-1] == "7 passed, 0 failed"
    monkeypatch.setattr(check, "STAGES", {"book": lambda _: check.Outcome(failed=1), "site": site})
    assert check.main([]) == 1


def test_the_stage_of_odd_input_runs_its_folder(monkeypatch):
    asked = []

    def pytest(_, *words, **options):
        asked.append(words)
        return check.Outcome(1)

    monkeypatch.setattr(check, "pytest", pytest)
    assert check.fuzz(None).passed == 1
    assert "tests/fuzz" in asked[0]


def test_the_image_is_made_beside_the_other_stages(logs, monkeypatch):
    image = ("sh", "-c", "echo made >> image.txt")
    monkeypatch.setattr(check, "IMAGE", image)
    monkeypatch.setattr(
        check, "STAGES", {name: lambda log: check.Outcome(1) for name in ("lint", "binder")}
    )
    assert check.main([]) == 0
    assert (logs / "image.txt").read_text() == "made\n"
    assert check.main(["binder"]) == 0
    assert (logs / "image.txt").read_text() == "made\n"
