"""Plans and reports of trials: the same numbers everywhere, and everything that they must say."""

from __future__ import annotations

import csv
import re
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from car_relapse import design
from car_relapse.design.assumptions import assumptions
from car_relapse.design.command import main
from car_relapse.design.formulas import formula_size
from car_relapse.design.plan import harm, is_harm
from car_relapse.design.sections import AssumptionSection, EndpointSection
from car_relapse.errors import ParameterError
from car_relapse.followup import Cause
from car_relapse.parameters import ledger

# A trial with a large effect, so that few virtual patients are enough.
TEXT = """
title: A question?
design: {plan_for: better, patients: 120, follow_up: 12, lost_per_year: 0.02}
simulation: {seed: 3, trials: 100, largest: 300}
endpoints:
  primary: {test: log-rank, causes: [antigen_negative]}
  others: [{test: log-rank}, {test: share, causes: [antigen_negative]}]
control:
  name: one
  horizon: 12
  incidences: {antigen_negative: 0.40, antigen_positive: 0.10}
  shape: {kind: decay, months: 6}
experimental: {name: two}
biologies:
  - {name: nothing, hazard_ratios: {antigen_negative: 1}}
  - {name: better, reaching: {antigen_negative: 0.08}}
  - {name: worse, incidences: {antigen_negative: 0.08, antigen_positive: 0.75}}
assumptions:
  - {what: They say so., certainty: measured, doi: 10.1000/182}
"""


@cache
def scenario() -> design.TrialScenario:
    return design.parse_trial(TEXT)


@cache
def plan() -> design.Plan:
    return design.plan_trial(scenario())


def test_a_plan_has_a_size_and_a_performance_for_every_biology_and_endpoint():
    found = plan()
    assert [b.name for b in found.biologies] == ["nothing", "better", "worse"]
    for biology in found.biologies:
        assert [s.endpoint for s in biology.sizes] == list(scenario().endpoints.all)
        assert len(biology.performance) == 3
        assert all(p.trials == 100 for p in biology.performance)
    assert found.planned.name == "better"
    assert found.biologies[0].sizes[0].note == "no difference"
    assert "mislead" in found.planned.sizes[2].note


def test_simulation_finds_the_size_of_the_formula():
    size = plan().primary
    assert size.simulated is not None
    assert size.simulated.exact == pytest.approx(
        size.formula.calendar, abs=4 * size.simulated.std_error + 0.1 * size.formula.calendar
    )


def test_the_formula_keeps_its_word_about_power():
    trial = scenario().versions[1].trial
    endpoint = scenario().endpoints.primary
    size = formula_size(trial, endpoint, alpha=0.05, power=0.8, patients=100).calendar
    again = formula_size(trial, endpoint, alpha=0.05, power=0.8, patients=round(size))
    assert again.power == pytest.approx(0.8, abs=0.02)


def test_fewer_responders_need_more_patients_in_proportion():
    trial = scenario().versions[1].trial
    half = replace(trial, arms=tuple(replace(arm, response=0.5) for arm in trial.arms))
    endpoint = EndpointSection(test="log-rank", among="responders")
    all_, part = (
        formula_size(t, endpoint, alpha=0.05, power=0.8, patients=100) for t in (trial, half)
    )
    assert part.calendar == pytest.approx(2 * all_.calendar)
    assert part.closed_form == pytest.approx(2 * all_.closed_form)
    # Of all patients, failures count as events in month 0, for which there is no formula.
    refused = formula_size(
        half, EndpointSection(test="log-rank"), alpha=0.05, power=0.8, patients=100
    )
    assert refused.calendar is None
    assert "month 0" in refused.note


def test_one_seed_gives_one_plan_on_any_number_of_workers():
    first, second = plan(), design.plan_trial(scenario(), workers=2)
    assert first.patients == second.patients
    for one, two in zip(first.biologies, second.biologies, strict=True):
        assert one.performance == two.performance
        for a, b in zip(one.sizes, two.sizes, strict=True):
            assert (a.simulated is None) == (b.simulated is None)
            if a.simulated is not None and b.simulated is not None:
                assert a.simulated.exact == b.simulated.exact
                assert np.array_equal(a.simulated.rejected, b.simulated.rejected)


def test_another_seed_gives_another_plan():
    other = replace(scenario(), simulation=replace(scenario().simulation, seed=4))
    found = design.plan_trial(other, search=False)
    assert found.planned.performance != plan().planned.performance


def test_without_a_number_of_patients_the_primary_endpoint_decides():
    free = replace(scenario(), design=replace(scenario().design, patients=None))
    found = design.plan_trial(free)
    assert found.patients == found.primary.simulated.patients
    stuck = replace(free, design=replace(free.design, plan_for="nothing"))
    with pytest.raises(ParameterError, match=r"design\.patients is missing.*'nothing'"):
        design.plan_trial(stuck)


def test_harm_is_told_from_benefit():
    worse = plan().biologies[2]
    hazard, any_event = (endpoint.analysis for endpoint in scenario().endpoints.all[:2])
    assert not is_harm(worse.performance[0], hazard)
    assert is_harm(worse.performance[1], any_event)
    assert harm(worse.performance[1], any_event) == pytest.approx(worse.performance[1].rejected)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a folder with the report of the plan."""
    place = tmp_path_factory.mktemp("report") / "new" / "folder"
    assert design.write_report(plan(), place, source=TEXT) == place / "report.md"
    return place


def test_the_report_says_all_that_it_must(folder):
    report = (folder / "report.md").read_text(encoding="utf-8")
    for heading in ("Answer", "What not to overlook", "Design", "Biologies", "How many patients",
                    "What a trial of 120 patients would find", "Assumptions and their sources",
                    "Seed and versions", "The scenario"):  # fmt: skip
        assert f"\n## {heading}\n" in report
    assert "teaching model, not guidance for care" in report
    assert "**worse: success without benefit.**" in report
    assert "**worse: harm would be seen.**" in report
    assert "**The share of relapses of one kind misleads.**" in report
    assert "| They say so. | measured | doi:10.1000/182 |" in report
    assert "| seed | 3 |" in report
    assert f"| car-relapse | {plan().versions['car-relapse']} |" in report
    assert TEXT.strip() in report
    for name in re.findall(r"!\[[^\]]+\]\(([^)]+)\)", report):
        assert (folder / name).is_file()
    # Each table has as many cells in every row as in its head.
    for table in re.findall(r"(?:^\|.*\|\n)+", report, flags=re.MULTILINE):
        assert len({len(line.split(" | ")) for line in table.splitlines()}) == 1


def test_the_command_writes_the_same_report_bit_for_bit(folder, tmp_path, capsys):
    (tmp_path / "mine.yaml").write_text(TEXT, encoding="utf-8")
    out = tmp_path / "out"
    asked = ["design", str(tmp_path / "mine.yaml"), "--out", str(out), "--workers", "2"]
    assert main(asked) == 0
    said = capsys.readouterr()
    assert said.out == ""
    assert "report.md" in said.err
    files = sorted(p.name for p in folder.iterdir())
    assert {"report.md", "results.csv", "power.png", "sizes.svg"} <= set(files)
    for name in files:
        assert (folder / name).read_bytes() == (out / name).read_bytes(), name


def test_the_table_of_results_has_every_number(folder):
    with (folder / "results.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 9
    assert float(rows[3]["rejected"]) == plan().biologies[1].performance[0].rejected


def test_what_the_engine_rests_on_is_told_with_the_sources_of_the_ledger():
    text = re.sub(r"  horizon: 12\n.*\n.*\n", "  from_engine: {patients: 1000}\n", TEXT)
    text = re.sub(r"  - \{name: (better|worse).*\n", "", text).replace("better", "nothing")
    found = assumptions(design.parse_trial(text))
    doi = {row.doi for row in found if row.doi}
    assert ledger()["loss.cd19"].doi in doi
    assert doi <= {row.doi for row in ledger().values()} | {"10.1000/182"}
    assert all(isinstance(row, AssumptionSection) for row in found)


def test_transplants_have_no_formula():
    policy = "transplant: {share: 0.5, first: 1, last: 3, relapse_ratio: 0.5, mortality: 0.1, " \
             "mortality_months: 6}"  # fmt: skip
    changed = TEXT.replace("experimental: {name: two}", f"experimental: {{name: two, {policy}}}")
    version = design.parse_trial(changed).versions[1]
    found = formula_size(
        version.trial, scenario().endpoints.primary, alpha=0.05, power=0.8, patients=60
    )
    assert found.calendar is None
    assert "transplants" in found.note


def test_the_command_prints_examples_and_keys(capsys):
    assert main(["design", "--example", "how-large"]) == 0
    assert capsys.readouterr().out == design.example_text("how-large")
    assert main(["design", "--keys"]) == 0
    assert "lost_per_year" in capsys.readouterr().out


def test_the_command_says_what_is_wrong_and_ends_with_2(tmp_path, capsys):
    bad = tmp_path / "bad.yaml"
    bad.write_text(TEXT.replace("patients: 120", "patients: 6x"))
    assert main(["design", str(bad)]) == 2
    assert "bad.yaml, line 3, design.patients: it is '6x'" in capsys.readouterr().err
    assert main(["design", str(tmp_path / "none.yaml")]) == 2
    assert "none.yaml cannot be read" in capsys.readouterr().err
    with pytest.raises(SystemExit) as ended:
        main(["design"])
    assert ended.value.code == 2


def test_a_place_that_cannot_be_written_to_is_named(tmp_path, capsys):
    (tmp_path / "mine.yaml").write_text(TEXT)
    (tmp_path / "file").write_text("")
    wrong = str(tmp_path / "file" / "out")
    assert main(["design", str(tmp_path / "mine.yaml"), "--out", wrong, "--quick"]) == 2
    assert "cannot be written to" in capsys.readouterr().err


def test_causes_of_a_mapping_are_members_of_cause():
    with pytest.raises(ParameterError, match="hazard_ratios is 'death'"):
        design.BiologySection(name="x", hazard_ratios={"death": 1.0})
    assert design.BiologySection(name="x", hazard_ratios={Cause.DEATH: 1.0}).says == ""
