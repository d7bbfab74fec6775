"""The page on the design command shows what the reader of scenario files really says."""

from __future__ import annotations

import re
from pathlib import Path

import design_pages
import pytest

from car_relapse.design import example_text
from car_relapse.design.keys import sections

PAGE = Path(__file__).resolve().parents[2] / "book" / "library" / "design.md"


def test_every_mistake_of_the_page_is_refused_for_its_own_reason():
    block = re.search(r"```\{design-errors\} (\S+)\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    text, lines = example_text(block[1]), block[2].strip().splitlines()
    messages = {design_pages.said(text, *line.split(" => ")) for line in lines}
    assert len(messages) == len(lines) >= 5
    for message in messages:
        assert re.match(r"trial\.yaml, line \d+, \S+: .+; .+; .+", message)


def test_what_is_no_mistake_is_noticed():
    text = example_text("how-large")
    with pytest.raises(ValueError, match=r"takes 'alpha: 0\.01'"):
        design_pages.said(text, "alpha: 0.05", "alpha: 0.01")
    with pytest.raises(ValueError, match="has no 'beta: 1'"):
        design_pages.said(text, "beta: 1", "beta: 2")


def test_keys_say_what_they_hold_and_where_they_stand():
    design = next(s for s in sections() if s.places == ("design",))
    terms = {key.name: design_pages.DesignKeys.term(key) for key in design.keys}
    assert terms["alpha"] == "`alpha`: number, `0.05` by default"
    assert terms["plan_for"] == "`plan_for`: text, needed"
    assert design_pages.places(sections()[0]) == "Top of the file"
