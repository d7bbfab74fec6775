"""The protocol says what the plan says, in both files, and leaves open what no plan can say."""

from __future__ import annotations

import io
import math
import re
import zipfile
from dataclasses import replace

import docx
import pytest
from docx.enum.text import WD_COLOR_INDEX

from car_relapse import design, protocol
from car_relapse.errors import CarRelapseError, ParameterError
from car_relapse.followup import Cause
from car_relapse.protocol._wording import STRATEGIES, endpoint
from car_relapse.protocol.document import Blank, plain
from car_relapse.trial.dose import BOIN, ThreePlusThree, ToxicityStopping, exact_characteristics
from car_relapse.trial.sequential import lan_demets
from car_relapse.trial.virtual import Analysis

# Names and years of sources, and names that hold a digit: no design computes them.
NAMES = re.compile(r"E9\(R1\)|CD19|SPIRIT 2025|doi:\S+|1/e")


@pytest.fixture(scope="module")
def plan():
    text = design.example_text("randomised").replace("trials: 1000", "trials: 100")
    return design.plan_trial(design.parse_trial(text))


@pytest.fixture(scope="module")
def document(plan):
    return protocol.draft(plan)


@pytest.fixture(scope="module")
def markdown(document):
    return protocol.to_markdown(document)


@pytest.fixture(scope="module")
def file(document):
    return protocol.to_docx(document)


@pytest.fixture(scope="module")
def word(file):
    return docx.Document(io.BytesIO(file))


def unmarked(text: str) -> str:
    """Return a line of Markdown as a reader sees it."""
    return re.sub(r"\\([\\`*_<>|])", r"\1", text.replace("**", ""))


def tables_of(markdown: str) -> list[list[list[str]]]:
    """Return the cells of each pipe table, without its rule."""
    found: list[list[list[str]]] = []
    for block in markdown.split("\n\n"):
        if block.startswith("| "):
            rows = [line for line in block.splitlines() if not line.startswith("|-")]
            found.append([[unmarked(c) for c in row[2:-2].split(" | ")] for row in rows])
    return found


def number(text: str) -> float:
    """Return the first number of a value."""
    return float(re.search(r"-?\d[\d,]*\.?\d*", text)[0].replace(",", ""))


class TestBothFiles:
    def test_have_the_same_headings_in_the_same_order(self, markdown, word):
        ours = [
            (len(m[1]) - 1, unmarked(m[2]))
            for m in re.finditer(r"^(##+) (.*)$", markdown, re.MULTILINE)
        ]
        theirs = [
            (int(p.style.name[-1]), p.text)
            for p in word.paragraphs
            if p.style.name.startswith("Heading")
        ]
        assert ours == theirs
        assert len(ours) > 30

    def test_have_the_same_tables(self, markdown, word):
        ours = tables_of(markdown)
        theirs = [[[c.text for c in row.cells] for row in t.rows] for t in word.tables]
        assert ours == theirs
        assert len(ours) == 12

    def test_have_the_same_numbers_in_the_same_order(self, markdown, word):
        ours = re.findall(r"\d[\d.,]*", re.sub(r"^#+ ", "", unmarked(markdown), flags=re.MULTILINE))
        lines = [p for p in word.element.body.iter() if p.tag.endswith("}p")]
        texts = ["".join(t.text or "" for t in p.iter() if t.tag.endswith("}t")) for p in lines]
        assert ours == re.findall(r"\d[\d.,]*", "\n".join(texts))

    def test_open_with_the_warning(self, markdown, word):
        first = [p.text for p in word.paragraphs if p.text][1]
        assert "teaching model, not guidance for care" in first
        assert "teaching model, not guidance for care" in markdown.split("\n\n")[1]
        assert "teaching model" in word.sections[0].header.paragraphs[0].text

    def test_mark_every_blank(self, document, markdown, word):
        for blank in document.blanks:
            assert f"**[FILL IN: {blank.hint}]**" in markdown
        cells = [p for t in word.tables for row in t.rows for c in row.cells for p in c.paragraphs]
        marked = {
            run.text
            for p in (*word.paragraphs, *cells)
            for run in p.runs
            if run.font.highlight_color == WD_COLOR_INDEX.YELLOW
        }
        assert marked == {blank.text for blank in document.blanks}
        assert len(marked) > 40

    def test_name_every_source_that_the_text_names_and_no_other(self, document, markdown):
        for source in document.references:
            body, _, listed = markdown.partition("References")
            assert source.short in body
            assert source.doi in listed


class TestNumbers:
    def test_stand_in_values_and_names_only(self, document):
        typed = [
            run
            for line in document.lines()
            for run in line
            if isinstance(run, str) and re.search(r"\d", NAMES.sub("", run))
        ]
        sources = {line.full for line in document.references}
        assert [t for t in typed if not any(t.startswith(s) for s in sources)] == []

    def test_are_those_of_the_plan(self, document, plan):
        v = document.values
        deal = plan.scenario.design
        assert v["title"] == plan.scenario.title
        assert number(v["alpha"]) == 100 * deal.alpha
        assert number(v["power"]) == 100 * deal.power
        assert number(v["accrual"]) == deal.accrual
        assert number(v["follow_up"]) == deal.follow_up
        assert number(v["patients_plan"]) == plan.patients
        assert number(v["patients_formula"]) == math.ceil(plan.primary.formula.calendar)
        assert number(v["patients_simulated"]) == plan.primary.simulated.patients
        assert number(v["patients_error"]) == round(plan.primary.simulated.std_error)
        assert v["seed"] == str(plan.scenario.simulation.seed)
        assert number(v["replicates"]) == plan.trials

    def test_of_each_biology_are_its_incidences_and_powers(self, document, plan):
        v = document.values
        for n, world in enumerate(plan.biologies, 1):
            arm = world.version.trial.arms[1].biology
            for k, share in enumerate(arm.incidence(24.0), 1):
                assert number(v[f"world_{k}_{n}"]) == pytest.approx(100 * share, abs=0.051)
            for name, row in zip(("first", "second"), world.performance, strict=True):
                shown = number(v[f"world_{name}_{n}"])
                assert shown == pytest.approx(100 * row.rejected_below, abs=0.051)

    def test_of_the_looks_are_those_of_the_boundaries(self, document, plan):
        v = document.values
        bounds = lan_demets((0.6, 1.0), alpha=0.025)
        for k in (1, 2):
            assert number(v[f"look_bound_{k}"]) == pytest.approx(bounds.efficacy[k - 1], abs=6e-4)
        grown = plan.patients * bounds.inflation(0.8)
        assert grown <= number(v["patients"]) < grown + 2

    def test_of_the_dose_are_exact(self, document):
        v = document.values
        found = exact_characteristics(BOIN(target=0.25), (0.05, 0.10, 0.25), cohorts=6)
        shown = [number(v["dose_none"]), *(number(v[f"dose_chosen_{k}"]) for k in (1, 2, 3))]
        assert shown == pytest.approx([100 * p for p in found.selected], abs=0.051)
        assert sum(shown) == pytest.approx(100, abs=0.2)

    def test_of_the_stopping_rule_are_its_boundary(self, document):
        v = document.values
        at = [n for n in protocol.Choices().stopping_looks if f"stop_at_{1}" in v]
        rows = [k for k in range(1, 11) if f"stop_at_{k}" in v]
        looks = [int(v[f"stop_at_{k}"]) for k in rows]
        assert looks == [n for n in at if n <= 241]
        boundary = ToxicityStopping(limit=0.25).boundary(looks)
        assert [int(v[f"stop_events_{k}"]) for k in rows] == list(boundary)

    def test_of_the_error_rates_are_near_what_theory_says(self, document):
        v = document.values
        # 4 Monte Carlo errors of 100 trials.
        assert number(v["null_primary"]) == pytest.approx(5.0, abs=8.8)
        assert number(v["gate_false"]) == pytest.approx(2.5, abs=6.3)
        assert number(v["null_both"]) <= number(v["null_primary"])
        assert number(v["both"]) <= number(v["world_first_2"]) + 17

    def test_a_tighter_gate_is_passed_less_often(self, plan, document):
        tight = protocol.draft(plan, protocol.Choices(margin=1.2))
        assert number(tight.values["gate_pass"]) < number(document.values["gate_pass"])

    def test_are_the_same_each_time(self, plan, document):
        assert protocol.draft(plan) == document


class TestDocx:
    def test_is_the_same_bytes_each_time(self, document, file):
        assert protocol.to_docx(document) == file

    def test_holds_no_time_of_making(self, file):
        with zipfile.ZipFile(io.BytesIO(file)) as parts:
            assert {part.date_time[:3] for part in parts.infolist()} == {(2006, 12, 1)}

    def test_is_british_and_says_so(self, word):
        assert word.core_properties.language == "en-GB"
        assert word.core_properties.title.startswith("Protocol and statistical analysis plan")

    def test_repeats_the_heading_of_a_table_on_each_page(self, word):
        for table in word.tables:
            assert "tblHeader" in table.rows[0]._tr.xml


class TestBlanks:
    def test_are_all_listed_at_the_end(self, document):
        listed = document.sections[-1].blocks[-1]
        keys = [run.key for row in listed.rows for run in row[0] if isinstance(run, Blank)]
        assert keys == [b.key for b in document.blanks]

    def test_are_filled_wherever_they_stand(self, plan):
        filled = protocol.draft(plan, answers={"sponsor": "A university hospital"})
        text = protocol.to_markdown(filled)
        assert text.count("A university hospital") == 2
        assert "name and address of the sponsor" not in text

    def test_take_no_value_with_them(self, document):
        filled = document.filled({b.key: "filled" for b in document.blanks})
        assert "FILL IN" not in protocol.to_markdown(filled)
        assert filled.values == document.values

    @pytest.mark.parametrize(
        ("answers", "words"),
        [
            ({"sponsr": "x"}, "did you mean 'sponsor'"),
            ({"nothing_of_the_kind": "x"}, "see blanks"),
            ({"sponsor": ""}, "one printable line"),
            ({"sponsor": "two\nlines"}, "one printable line"),
            ({"sponsor": 3}, "one printable line"),
            (["sponsor"], "must map blanks to text"),
        ],
    )
    def test_refuse_what_is_no_answer(self, document, answers, words):
        with pytest.raises(ParameterError, match=words):
            document.filled(answers)


class TestEstimands:
    def test_have_all_attributes(self, document):
        table = document.sections[3].blocks[1]
        names = [plain(row[0]) for row in table.rows]
        wanted = {"Population", "Treatments", "Endpoint", "Transplant in remission"}
        assert wanted | {"Summary measure", "Not infused after assignment"} <= set(names)

    @pytest.mark.parametrize("strategy", sorted(STRATEGIES))
    def test_say_how_transplant_is_treated(self, plan, strategy):
        endpoints = plan.scenario.endpoints
        changed = replace(endpoints, primary=replace(endpoints.primary, estimand=strategy))
        scenario = replace(plan.scenario, endpoints=changed)
        text = protocol.to_markdown(protocol.draft(replace(plan, scenario=scenario)))
        assert STRATEGIES[strategy].short in text
        assert STRATEGIES[strategy].reasons[0][:60] in text

    def test_say_whether_death_competes(self):
        whole = endpoint(Analysis(kind="log-rank"), "Primary")
        one = endpoint(Analysis(kind="gray", causes=(Cause.ANTIGEN_NEGATIVE,)), "Key secondary")
        assert whole.death.startswith("Composite")
        assert one.death.startswith("Competing")
        assert one.measure == "Subdistribution hazard ratio"

    @pytest.mark.parametrize(
        ("analysis", "words"),
        [
            (Analysis(kind="share", causes=(Cause.ANTIGEN_NEGATIVE,)), "counts patients"),
            (Analysis(kind="log-rank", estimand="without"), "no trial sees"),
        ],
    )
    def test_refuse_what_no_protocol_can_have(self, analysis, words):
        with pytest.raises(ParameterError, match=words):
            endpoint(analysis, "Primary")


class TestOtherTrials:
    def test_a_trial_without_formula_says_so(self, plan):
        size = plan.planned.sizes[0]
        bare = replace(
            size, formula=type(size.formula)(note="no formula knows transplants"), simulated=None
        )
        planned = replace(plan.planned, sizes=(bare, *plan.planned.sizes[1:]))
        worlds = tuple(planned if w is plan.planned else w for w in plan.biologies)
        text = protocol.to_markdown(protocol.draft(replace(plan, biologies=worlds)))
        assert "no formula counts all that the trial has" in text
        assert "no size was found by simulation" in text

    def test_a_first_look_says_so(self, plan):
        text = protocol.to_markdown(protocol.draft(replace(plan, quick=True)))
        assert "This is a first look" in text

    def test_a_single_look_spends_everything_at_the_end(self, plan):
        v = protocol.draft(plan, protocol.Choices(looks=(1.0,))).values
        assert v["looks_count"] == "once, at the end"
        assert number(v["patients"]) == plan.patients

    def test_one_without_a_second_endpoint_is_refused(self, plan):
        scenario = replace(plan.scenario, endpoints=replace(plan.scenario.endpoints, others=()))
        with pytest.raises(ParameterError, match=r"endpoints\.others"):
            protocol.draft(replace(plan, scenario=scenario))


class TestChoices:
    @pytest.mark.parametrize(
        ("given", "words"),
        [
            ({"dose": ThreePlusThree()}, "table of decisions"),
            ({"toxicity": ()}, "probabilities"),
            ({"toxicity": (0.1, 1.2)}, "lie in"),
            ({"cohorts": 0}, "from 1 to 12"),
            ({"looks": (0.5,)}, "whose last is 1"),
            ({"looks": (0.8, 0.5, 1.0)}, "ascend"),
            ({"margin": 1.0}, "above 1"),
            ({"made": 0.0}, "below 0.1"),
            ({"made_sure": 1.0}, "strictly between"),
            ({"spending": "fast"}, "one of obrien-fleming"),
            ({"stopping": 0.25}, "ToxicityStopping"),
        ],
    )
    def test_refuse_what_no_protocol_can_have(self, given, words):
        with pytest.raises(ParameterError, match=words):
            protocol.Choices(**given)


class TestFiles:
    def test_are_written_side_by_side(self, document, file, tmp_path):
        paths = protocol.save(document, tmp_path, "mine")
        assert [p.name for p in paths] == ["mine.md", "mine.docx"]
        assert paths[0].read_text(encoding="utf-8") == protocol.to_markdown(document)
        assert paths[1].read_bytes() == file

    @pytest.mark.parametrize("name", ["", "a/b", "a.docx", "x" * 81, 7])
    def test_need_a_plain_name(self, document, tmp_path, name):
        with pytest.raises(ParameterError, match="letters, digits"):
            protocol.save(document, tmp_path, name)

    def test_say_where_they_cannot_be_written(self, document, tmp_path):
        with pytest.raises(CarRelapseError, match="cannot be written"):
            protocol.save(document, tmp_path / "nowhere", "mine")

    def test_are_inside_the_links_of_a_page(self, document):
        shown = protocol.downloads(document, "mine")
        assert 'download="mine.docx"' in shown._repr_html_()
        assert repr(shown) == "mine.md and mine.docx"


class TestParts:
    def test_show_one_section_without_headings(self, document):
        shown = protocol.part(document, "Estimands")
        text = shown._repr_markdown_()
        assert text.startswith("**4. Estimands**")
        assert "| Attribute |" in text
        assert not re.search(r"^#", text, re.MULTILINE)
        assert "Definitions" not in text
        assert "Summary measure | Hazard ratio" in repr(shown)

    def test_of_other_names_are_refused(self, document):
        with pytest.raises(ParameterError, match=r"no such section.*Estimands"):
            protocol.part(document, "Estimates")


def test_no_line_break_parts_a_computed_share_from_its_sign(document):
    for key, text in document.values.items():
        assert key.startswith("because") or " %" not in text
