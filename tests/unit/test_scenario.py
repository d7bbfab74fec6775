"""Scenarios: what they compose, that a file gives back what was written, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import car_relapse as cr
from car_relapse.exposure import SteinPopulation, stein_population, stein_typical
from car_relapse.outcomes import Detection
from car_relapse.scenario import Scenario, parse_scenario, read_scenario, write_scenario

TWO = cr.Losses(per_antigen=(1e-12, 3e-12), common_mode=2e-13)
TANDEM = Scenario(name="two", construct="tandem", antigens=("CD19", "CD22"), losses=TWO)
TEXT = TANDEM.to_text()

numbers = st.floats(1e-3, 1e3)
names = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1)


@st.composite
def scenarios(draw) -> Scenario:
    count = draw(st.integers(1, 4))
    construct = "single" if count == 1 else draw(st.sampled_from(["tandem", "bicistronic", "and"]))
    arms = None
    if construct == "bicistronic":
        arms = (*draw(st.lists(st.floats(0.01, 1.0), min_size=count - 1, max_size=count - 1)), 1.0)
    losses = draw(st.lists(st.floats(0, 1e-3), min_size=count, max_size=count))
    rate = draw(numbers)
    leukaemia = cr.Leukaemia(
        birth_rate=rate,
        death_rate=rate * draw(st.floats(0, 0.5)),
        burden=draw(st.floats(1e2, 1e12)),
    )
    peak = draw(numbers)
    return Scenario(
        name=draw(names.map(lambda text: text[:80])),
        construct=construct,
        antigens=tuple(draw(st.lists(names.map(lambda text: text[:80]), min_size=count,
                                     max_size=count, unique=True))),
        arms=arms,
        losses=cr.Losses(per_antigen=tuple(losses), common_mode=draw(st.floats(0, 1e-3))),
        exposures=SteinPopulation(
            typical=replace(stein_typical(), peak_day=peak),
            log_sd=tuple(draw(st.lists(st.floats(0, 2), min_size=6, max_size=6))),
        ),
        killing=cr.Killing(maximal_rate=draw(numbers), half_level=draw(numbers)),
        leukaemia=leukaemia,
        burden_log10_sd=draw(st.floats(0, 2)),
        birth_rate_log_sd=draw(st.floats(0, 1)),
        detection=Detection(remission_cells=peak, relapse_cells=peak * draw(st.floats(1.01, 100))),
    )  # fmt: skip


@given(scenarios())
def test_what_is_written_is_read_back_exactly(scenario):
    again = parse_scenario(scenario.to_text())
    assert again == scenario
    assert again.to_text() == scenario.to_text()


def test_a_file_holds_the_scenario(tmp_path):
    path = write_scenario(TANDEM, tmp_path / "mine.toml")
    assert read_scenario(path) == read_scenario(str(path)) == TANDEM
    write_scenario(Scenario(), path)
    assert read_scenario(path) == Scenario()


def test_a_person_can_read_the_file():
    assert 'kind = "tandem"' in TEXT
    assert "burden = 1e11                   # cells at infusion, median" in TEXT
    assert all(len(line) < 110 for line in TEXT.splitlines())


def test_the_defaults_are_the_population_and_the_patient_of_the_ledger():
    scenario = Scenario()
    assert scenario.patient() == cr.typical_patient()
    ours, ledgers = scenario.population(), cr.default_population()
    assert replace(ours, engagement=None) == ledgers
    cohorts = [cr.simulate(people, 300, seed=1) for people in (ours, ledgers)]
    assert np.array_equal(cohorts[0].relapse_day, cohorts[1].relapse_day)


@pytest.mark.parametrize(
    ("construct", "arms", "engagement"),
    [
        ("tandem", None, (1.0, 1.0, 1.0, 0.0)),
        ("bicistronic", (1.0, 0.25), (1.0, 0.25, 1.0, 0.0)),  # state 1 has lost the first antigen
        ("and", None, (1.0, 0.0, 0.0, 0.0)),
    ],
)
def test_a_construct_decides_which_states_are_killed(construct, arms, engagement):
    scenario = replace(TANDEM, construct=construct, arms=arms)
    assert scenario.population().engagement == engagement
    rate = scenario.patient().therapy.gate.fraction([0.0, 1.0])
    assert float(rate) == engagement[1]


def test_a_second_antigen_that_is_needed_makes_escape_likelier_and_one_that_is_spare_rarer():
    share = {}
    for construct in ("tandem", "and"):
        people = replace(TANDEM, construct=construct).population()
        cohort = cr.simulate(people, 2560, seed=3)
        cured, _ = cohort.share(cr.Outcome.CURED)
        share[construct] = cured
    one, _ = cr.simulate(Scenario().population(), 2560, seed=3).share(cr.Outcome.CURED)
    assert share["and"] < one < share["tandem"]


def test_arms_that_are_all_equal_are_none():
    equal = replace(TANDEM, construct="bicistronic", arms=(1.0, 1.0))
    assert equal.arms is None
    assert parse_scenario(equal.to_text()) == equal


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": ""}, "name is ''; it must be one printable line"),
        ({"name": "a\nb"}, "it must be one printable line"),
        ({"name": 7}, "name is 7"),
        ({"name": "x" * 81}, "name has 81 characters"),
        ({"construct": "cocktail"}, "construct is 'cocktail'; it must be one of single, tandem"),
        ({"construct": "single"}, "there are 2 antigens; single has one"),
        ({"antigens": ("CD19",)}, "each antigen has one name of its own"),
        ({"antigens": ("CD19", "CD19")}, "each antigen has one name of its own"),
        ({"antigens": ["CD19", "CD22"]}, "it must be a tuple of names"),
        ({"antigens": ("CD19", "")}, "an antigen is ''"),
        ({"arms": (1.0, 0.5)}, "only a bicistronic product has unequal arms"),
        ({"construct": "bicistronic", "arms": (0.5, 0.5)}, "the strongest is 1"),
        ({"construct": "bicistronic", "arms": (1.0, 0.0)}, "an arm above 0"),
        ({"construct": "bicistronic", "arms": (1.0,)}, "each antigen has an arm"),
        ({"construct": "bicistronic", "arms": (1.0, 2.0)}, r"it must lie in \[0, 1\]"),
        ({"killing": cr.LinearKilling(rate_per_level=1.0)}, "killing is .* must be a Killing"),
        ({"leukaemia": None}, "leukaemia is None; it must be a Leukaemia"),
        ({"burden_log10_sd": -1.0}, "burden_log10_sd is -1"),
        ({"birth_rate_log_sd": 11.0}, "birth_rate is 11"),
    ],
)
def test_a_scenario_that_no_cohort_can_have_is_refused(changes, message):
    with pytest.raises(cr.ParameterError, match=message):
        replace(TANDEM, **changes)


def test_the_curve_of_many_patients_is_no_typical_curve():
    many = stein_population().sample(3, np.random.default_rng(1))
    with pytest.raises(cr.ParameterError, match="fold is an array"):
        Scenario(exposures=SteinPopulation(typical=many, log_sd=(0.0,) * 6))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("burden = 1e11", "burden = ", r"mine.toml: it is not TOML: .*line \d+.*; mend that line"),
        ("burden = 1e11", "burdn = 1e11", r"mine.toml, \[population\]: there is a key 'burdn'; .*"
         "did you mean 'burden'"),
        ("burden = 1e11", "", r"\[population\]: the key 'burden' is missing; .*; add it"),
        ("burden = 1e11", "burden = -5", r"\[population\]: burden is -5; .*> 0; see ledger"),
        ("burden = 1e11", 'burden = "many"', r"\[population\]: burden is 'many'; .*a number"),
        ("burden = 1e11", "burden = true", r"\[population\]: burden is True; .*a number"),
        ("burden = 1e11", "burden = nan", r"\[population\]: burden is nan"),
        ("fold = 3900", "fold = 0.5", r"\[exposure\]: fold is 0.5; .* > 1"),
        ("loss = 1e-12", "loss = 2", r"\[losses\] and \[\[antigens\]\]: per_antigen is 2"),
        ("half_level = 3000", "half_level = 0", r"\[killing\]: half_level is 0"),
        ("relapse_cells = 1e10", "relapse_cells = 1", r"\[detection\]: relapse_cells is 1"),
        ('kind = "tandem"', 'kind = "both"', "construct is 'both'; it must be one of single"),
        ('name = "CD22"', "name = 22", "an antigen is 22"),
        ("version = 1", "version = 2", "key version: it is 2; this package reads version 1"),
        ("version = 1", "version = true", "key version: it is True"),
        ("format =", "form =", "key format: it is None; it must be 'car_relapse scenario'"),
        ("[killing]", "[kiling]", r"there is a key 'kiling'; .*'killing'"),
        ("[[antigens]]", "[[other]]", "there is a key 'other'"),
        ("arm = 1 ", "arm = 0.5 ", "arms is .*; each antigen has an arm"),
    ],
)  # fmt: skip
def test_a_file_that_is_not_whole_is_refused_with_its_place_and_a_remedy(
    old, new, message, tmp_path
):
    assert old in TEXT
    path = tmp_path / "mine.toml"
    path.write_text(TEXT.replace(old, new), encoding="utf-8")
    with pytest.raises(cr.ScenarioError, match=message) as refused:
        read_scenario(path)
    assert str(refused.value).count(";") >= 2


@pytest.mark.parametrize("antigens", ["antigens = 3\n", "antigens = []\n", "antigens = [3]\n"])
def test_antigens_that_are_no_tables_are_refused(antigens):
    head, _, rest = TEXT.partition("\n\n[construct]")
    rest = rest.partition("[[antigens]]")[0]
    with pytest.raises(cr.ScenarioError, match="antigens"):
        parse_scenario(f"{head}\n{antigens}\n[construct]{rest}")


def test_a_section_that_is_no_table_is_refused():
    text = TEXT.replace("[killing]\n", "[x]\n").replace("version = 1", "version = 1\nkilling = 3")
    with pytest.raises(cr.ScenarioError, match=r"there is a key 'x'"):
        parse_scenario(text)
    head = TEXT.partition("[construct]")[0]
    with pytest.raises(cr.ScenarioError, match="the key 'construct' is missing"):
        parse_scenario(head)
    lines = "".join(f"{name} = 3\n" for name in
                    ("construct", "losses", "exposure", "exposure_log_sd", "killing",
                     "population", "detection", "antigens"))  # fmt: skip
    with pytest.raises(cr.ScenarioError, match=r"\[construct\]: it is 3; it must be a table"):
        parse_scenario(head + lines)


def test_a_file_that_cannot_be_read_or_written_is_named(tmp_path):
    with pytest.raises(cr.ScenarioError, match=r"none.toml cannot be read"):
        read_scenario(tmp_path / "none.toml")
    (tmp_path / "odd.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(cr.ScenarioError, match=r"odd.toml cannot be read .* UTF-8"):
        read_scenario(tmp_path / "odd.toml")
    with pytest.raises(cr.ScenarioError, match="cannot be written"):
        write_scenario(TANDEM, tmp_path / "no folder" / "mine.toml")
    for path in (tmp_path / "mine.txt", "mine", 7, None):
        with pytest.raises(cr.ScenarioError, match=r"a name that ends in .toml"):
            write_scenario(TANDEM, path)
        with pytest.raises(cr.ScenarioError, match=r"a name that ends in .toml"):
            read_scenario(path)
    with pytest.raises(cr.ParameterError, match="it must be a Scenario"):
        write_scenario("CD19", tmp_path / "mine.toml")
    with pytest.raises(cr.ParameterError, match="read_scenario takes its path"):
        parse_scenario(tmp_path)
