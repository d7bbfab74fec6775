"""Scenario files of trials: what is read, and the line, value and remedy of what is refused."""

from __future__ import annotations

import pytest

from car_relapse import design
from car_relapse.design.keys import sections
from car_relapse.design.scenario_file import parse_trial
from car_relapse.errors import ScenarioError
from car_relapse.followup import Cause
from car_relapse.scenario import Scenario, write_scenario

TEXT = design.example_text("how-large")
FRAILTY = "  name: single\n  frailty: {cause: antigen_positive, log_sd: 0.8}\n"

# What is changed in the example, and what the message must hold beside the line of the change.
BAD = {
    "a probability above 1": ("alpha: 0.05", "alpha: 5", "alpha is 5; it must lie", "0.05"),
    "a negative time": ("follow_up: 24", "follow_up: -24", "follow_up is -24", "months"),
    "text for a number": ("power: 0.80", "power: most", "'most'; it must be a number", "0.25"),
    "a quoted number": ("power: 0.80", "power: '0.80'", "'0.80'; it must be a number", "0.25"),
    "part of a patient": ("patients: 200", "patients: 200.5", "'200.5'", "whole number"),
    "too few patients": ("patients: 200", "patients: 3", "patients is 3", "leave it out"),
    "an unknown key": ("follow_up: 24", "folow_up: 24", "'folow_up'", "did you mean 'follow_up'?"),
    "an unknown section": ("simulation:", "simulations:", "'simulations'", "'simulation'?"),
    "a key of another section": ("alpha: 0.05", "alphabet: 1", "'alphabet'", "'alpha'?"),
    "an unknown cause": ("    death: 0.05", "    deaths: 0.05", "'deaths'", "'death'?"),
    "an unknown test": ("{test: gray,", "{test: grey,", "test is 'grey'", "choose one"),
    "a test without its month": (", month: 24}\n    - {test: log", "}\n    - {test: log",
                                 "month is None", "give it"),
    "a month that nobody reaches": ("mean, month: 24", "mean, month: 30", "month is 30",
                                    "follow longer"),
    "shares above 1": ("  incidences:\n    antigen_negative: 0.25",
                       "  incidences:\n    antigen_negative: 0.75", "below 1", "lower"),
    "a biology that cannot be": ("reaching: {antigen_negative: 0.10}",
                                 "reaching: {antigen_negative: 1.10}", "1.1", "share"),
    "no such biology": ("plan_for: S1 escape blocked", "plan_for: S9", "plan_for is 'S9'",
                        "'S1 escape blocked'"),
    "two biologies of one name": ("name: S3 half replacement", "name: S2 full replacement",
                                  "so is that of another", "rename one"),
    "two statements": ("reaching: {antigen_negative: 0.10}\n  - name: S2",
                       "reaching: {antigen_negative: 0.10}\n    hazard_ratios: {death: 1}\n"
                       "  - name: S2", "stated once", "keep one"),
    "a shape without its months": ("{kind: decay, months: 8}", "{kind: decay}", "months is None",
                                   "add it"),
    "a shape with too much": ("{kind: decay, months: 8}", "{kind: constant, months: 8}",
                              "months is 8", "leave it out"),
    "a list for a section": ("experimental:\n  name: dual", "experimental: [dual]", "a list",
                             "key: value"),
    "a section for a list": ("causes: [antigen_negative]}\n  others", "causes: antigen_negative}\n"
                             "  others", "'antigen_negative'", "[a, b]"),
    "nothing after a key": ("patients: 200 ", "patients: ", "it is empty", "remove the key"),
    "a key that stands twice": ("  power: 0.80", "  alpha: 0.01\n  power: 0.80", "'alpha'",
                                "remove one"),
    "a guessed source": ("certainty: assumed\n  - what", "certainty: measured\n  - what",
                         "doi is empty", "add the DOI"),
    "visits in disorder": ("  name: dual", "  name: dual\n  visits: [3, 1]", "must ascend",
                           "sort"),
    "a seed below 0": ("seed: 20261127", "seed: -1", "seed is -1", ">= 0"),
    "a tab": ("  alpha: 0.05", "\talpha: 0.05", "not YAML", "indent"),
    "a quote that never ends": ("name: dual", 'name: "dual', "not YAML", "quote"),
    "arms of one name": ("name: dual", "name: single", "'single'", "rename one"),
}  # fmt: skip


def changed_line(old: str, new: str) -> int:
    """Return the line in which a change begins."""
    pairs = zip(old.split("\n"), new.split("\n"), strict=False)
    first = next((n for n, (a, b) in enumerate(pairs) if a != b), 0)
    return TEXT[: TEXT.index(old)].count("\n") + 1 + first


@pytest.mark.parametrize("case", BAD)
def test_a_bad_file_is_refused_with_line_value_and_remedy(case):
    old, new, *told = BAD[case]
    assert TEXT.count(old) >= 1
    with pytest.raises(ScenarioError) as refused:
        parse_trial(TEXT.replace(old, new, 1), "mine.yaml")
    message = str(refused.value)
    line = int(message.split("line ")[1].split(",")[0].split(":")[0])
    assert message.startswith("mine.yaml, line ")
    assert message.count(";") >= 2  # what is found; the rule; the remedy
    for words in told:
        assert words in message
    # A quote that never ends is missed at the end of the text.
    if case != "a quote that never ends":
        assert abs(line - changed_line(old, new)) <= 1, message


def test_a_missing_key_is_named_with_its_section():
    with pytest.raises(ScenarioError, match=r"line 11, design: the key 'follow_up' is missing"):
        parse_trial(TEXT.replace("  follow_up: 24 ", "  # follow_up: 24 "))


@pytest.mark.parametrize("text", ["", "# nothing\n", "[]", "a: &a [*a]", "\x00", "title: 1"])
def test_what_is_no_scenario_is_refused(text):
    with pytest.raises(ScenarioError, match="line 1"):
        parse_trial(text)


def test_a_number_may_be_written_as_people_do():
    text = TEXT.replace("lost_per_year: 0.03", "lost_per_year: 3e-2")
    assert parse_trial(text).design.lost_per_year == pytest.approx(0.03)


def test_a_file_builds_no_objects():
    with pytest.raises(ScenarioError):
        parse_trial(TEXT.replace("name: dual", "name: !!python/object/apply:os.getcwd []"))


@pytest.mark.parametrize("name", design.examples())
def test_every_example_can_be_read(name):
    text = design.example_text(name)
    fewer = text.replace("from_engine:\n", "from_engine:\n      patients: 1000\n")
    scenario = parse_trial(
        fewer.replace("      patients: 1000\n    pop", "    patients: 1000\n    pop")
    )
    assert scenario.versions[scenario.planned].section.name == scenario.design.plan_for
    assert "teaching model" in text


def test_statements_of_a_biology_mean_what_they_say():
    versions = {v.section.name[:2]: v.trial for v in parse_trial(TEXT).versions}
    control, blocked = (arm.biology for arm in versions["S1"].arms)
    negative, death = (control.causes.index(c) for c in (Cause.ANTIGEN_NEGATIVE, Cause.DEATH))
    assert blocked.incidence(24)[negative] == pytest.approx(0.10)
    # Of the other causes the hazards stay, so that more patients are left to them.
    hazards = control.cumulative_hazard(24)
    assert blocked.cumulative_hazard(24)[death] == pytest.approx(hazards[death])
    assert blocked.incidence(24)[death] > 0.05
    assert versions["S0"].arms[1].biology == versions["S0"].arms[0].biology
    mirage = versions["S7"].arms[1].biology.cumulative_hazard(24)
    assert mirage / hazards == pytest.approx([1, 2.5, 1])


def test_incidences_with_frailty_are_those_of_all_patients():
    one = parse_trial(TEXT.replace("  name: single\n", FRAILTY, 1)).versions[0].trial.arms[0]
    assert one.biology.frailty is not None
    assert one.biology.incidence(24) == pytest.approx([0.25, 0.20, 0.05])


def test_an_arm_of_a_scenario_of_its_own_is_found_beside_the_file(tmp_path):
    write_scenario(Scenario(name="mine"), tmp_path / "mine.toml")
    head, rest = TEXT.split("  horizon: 24")
    body = "  from_engine: {scenario: mine.toml, patients: 2000}\n"
    text = head + body + "\nexperimental:" + rest.split("\nexperimental:")[1]
    # Without a horizon nothing can be stated by incidences.
    with pytest.raises(ScenarioError, match=r"line \d+, biologies\.2\.incidences: incidences is"):
        parse_trial(text, folder=tmp_path)
    kept = text.split("  - name: S2")[0] + "\nassumptions: []\n"
    scenario = parse_trial(kept, folder=tmp_path)
    assert Cause.LINEAGE_SWITCH in scenario.versions[0].trial.arms[0].biology.causes
    with pytest.raises(
        ScenarioError, match=r"line \d+, control\.from_engine\.scenario: other\.toml"
    ):
        parse_trial(kept.replace("mine.toml", "other.toml"), folder=tmp_path)


def test_every_key_is_documented_once():
    found = sections()
    assert len({s.places for s in found}) == len(found)
    for section in found:
        assert section.says.endswith(".")
        for key in section.keys:
            assert len(key.means) > 15, key.name
    assert {k.name for k in found[0].keys} >= {"design", "control", "biologies"}
