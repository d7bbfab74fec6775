"""No number stands in the text that is neither computed, nor cited, nor allowed for a reason."""

from __future__ import annotations

from pathlib import Path

import pytest
import scan_numbers

ROOT = Path(__file__).resolve().parents[2]
ALLOWED = scan_numbers.read_allowed()


@pytest.mark.parametrize("path", scan_numbers.files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_number_of_a_page_is_computed_or_cited(path: Path) -> None:
    assert [str(naked) for naked in scan_numbers.scan(path, ALLOWED)] == []


def test_the_list_of_what_is_allowed_stays_short() -> None:
    assert len(ALLOWED) <= 20
