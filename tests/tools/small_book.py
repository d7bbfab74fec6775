"""Build a small book with some of the site's extensions, in a test's own folder."""

from __future__ import annotations

import warnings
from io import StringIO
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace


def build_small_book(folder: Path, extensions: list[str], **settings: Any) -> tuple[Sphinx, str]:
    """Build the pages of `folder` into its `html`; return the builder and what it warned of."""
    warned = StringIO()
    overrides = {
        "extensions": ["myst_parser", *extensions],
        "myst_enable_extensions": ["dollarmath"],
        **settings,
    }
    with docutils_namespace(), warnings.catch_warnings():
        # Not of the site: what the extensions of others do that Python will drop some day.
        warnings.simplefilter("ignore")
        app = Sphinx(
            folder, None, folder / "html", folder / "doctrees", "html",
            confoverrides=overrides, status=None, warning=warned,
        )  # fmt: skip
        app.build()
    return app, warned.getvalue()


def built_page(folder: Path, name: str = "index") -> str:
    """Return the HTML of a page that was built."""
    return (folder / "html" / f"{name}.html").read_text(encoding="utf-8")
