"""Citations by author and year that say "and others", as the book's prose does."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sphinx.application import Sphinx
from sphinxcontrib.bibtex.plugin import register_plugin
from sphinxcontrib.bibtex.style.referencing import PersonStyle
from sphinxcontrib.bibtex.style.referencing.author_year import AuthorYearReferenceStyle

STYLE = "author_year_in_english"


@dataclass
class EnglishAuthorYearStyle(AuthorYearReferenceStyle):
    """Author and year; three or more authors are the first "and others"."""

    person: PersonStyle = field(default_factory=lambda: PersonStyle(other=" and others"))


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the style under the name that the settings ask for."""
    register_plugin("sphinxcontrib.bibtex.style.referencing", STYLE, EnglishAuthorYearStyle)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
