"""How long a page takes, computed from its words and from what its exercises state.

- role ``{minutes}`two-ways` ``: minutes to read a page, its exercises and solutions left out;
- role ``{minutes}`two-ways exercises` ``: the sum of the minutes in the titles of its exercises,
  such as ``Classify (recall, 5 minutes)``.

Counted are the words of text, captions and tables that were typed, with each formula inside a
sentence as one word. Not counted are code, displayed equations, citations, references, and tables
made from data, which are looked up and not read. An unknown page, and an exercise without minutes,
are warnings, which the build turns into a failure.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from docutils import nodes
from sphinx import addnodes
from sphinx.util import logging
from sphinx.util.docutils import SphinxRole

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

# Most adults read English non-fiction silently at 175 to 300 words a minute (Brysbaert 2019,
# doi:10.1016/j.jml.2019.104047). The text here is technical, so the slow end of that range.
WORDS_A_MINUTE = 175

STATED = re.compile(r"(\d+) minutes?\)\s*$")
_WORD = re.compile(r"\w[\w'’.,-]*")
_CODE = (nodes.literal_block, nodes.raw, nodes.comment, nodes.math_block, nodes.image)
_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class PageTime:
    """What one page asks of its reader."""

    words: int
    """Words to read."""
    exercises: tuple[int | None, ...]
    """Minutes of each exercise, in order; None where its title states none."""

    @property
    def reading(self) -> int:
        """Minutes to read the words, rounded up."""
        return math.ceil(self.words / WORDS_A_MINUTE)


class minutes_to_come(nodes.Inline, nodes.Element):
    """Stands for minutes until every page has been read."""


def _is_exercise(node: nodes.Node) -> bool:
    return type(node).__name__ in ("exercise_node", "exercise_enumerable_node")


def _is_exercise_section(node: nodes.Node) -> bool:
    return (
        isinstance(node, nodes.section)
        and isinstance(node[0], nodes.title)
        and node[0].astext().strip() == "Exercises"
    )


def _is_looked_up(node: nodes.Node) -> bool:
    """Whether a node holds something that a reader does not read from left to right."""
    if isinstance(node, _CODE) or _is_exercise_section(node):
        return True
    name = type(node).__name__
    if name.startswith(("exercise", "solution", "bibliography")):
        return True
    if isinstance(node, addnodes.pending_xref):
        return bool(node["refdomain"] == "cite")
    classes = node.get("classes", []) if isinstance(node, nodes.Element) else []
    return "evidence" in classes or "cell_output" in classes


def _read_texts(node: nodes.Node) -> Iterator[str]:
    if isinstance(node, nodes.Text):
        yield node.astext()
    elif isinstance(node, nodes.math):
        yield "formula"
    elif not _is_looked_up(node):
        # A picture on a notebook's page is an output, and its caption is read all the same.
        for child in node.children:
            yield from _read_texts(child)
    else:
        for caption in node.findall(nodes.caption) if _is_output(node) else ():
            yield caption.astext()


def _is_output(node: nodes.Node) -> bool:
    return isinstance(node, nodes.Element) and "cell_output" in node.get("classes", [])


def count_words(doctree: nodes.document) -> int:
    """Return the number of words of a page that are read."""
    return sum(len(_WORD.findall(text)) for text in _read_texts(doctree))


def exercise_minutes(doctree: nodes.document) -> tuple[int | None, ...]:
    """Return what the titles of a page's exercises state: those of directives, or of sections."""
    titles = [node[0].astext() for node in doctree.findall(_is_exercise)]
    for section in doctree.findall(_is_exercise_section):
        titles += [
            child[0].astext()
            for child in section.children
            if isinstance(child, nodes.section) and child[0].astext().startswith("Exercise")
        ]
    found = [STATED.search(title) for title in titles]
    return tuple(int(match[1]) if match else None for match in found)


def page_time(doctree: nodes.document) -> PageTime:
    """Return what a page asks of its reader."""
    return PageTime(words=count_words(doctree), exercises=exercise_minutes(doctree))


class MinutesRole(SphinxRole):
    """Insert minutes of a page, to be filled in when all pages have been read."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        slug, _, what = self.text.partition(" ")
        pages = [name for name in self.env.found_docs if name.rpartition("/")[2] == slug]
        if len(pages) != 1 or what not in ("", "exercises"):
            message = (
                f"minutes: {self.text!r} must be the name of one page, such as 'two-ways', "
                f"alone or with the word 'exercises'; {len(pages)} pages have that name"
            )
            return [], [self.inliner.reporter.error(message, line=self.lineno)]
        _users(self.env).add(self.env.docname)
        return [minutes_to_come("", page=pages[0], what=what)], []


def _times(env: BuildEnvironment) -> dict[str, PageTime]:
    # Stored with the environment, whose class does not name the attribute; so here and below.
    if not hasattr(env, "page_times"):
        env.page_times = {}  # type: ignore[attr-defined]
    return env.page_times  # type: ignore[attr-defined, no-any-return]


def _users(env: BuildEnvironment) -> set[str]:
    if not hasattr(env, "minutes_users"):
        env.minutes_users = set()  # type: ignore[attr-defined]
    return env.minutes_users  # type: ignore[attr-defined, no-any-return]


def _note(app: Sphinx, doctree: nodes.document) -> None:
    _times(app.env)[app.env.docname] = page_time(doctree)


def _forget(app: Sphinx, env: BuildEnvironment, docname: str) -> None:
    _times(env).pop(docname, None)
    _users(env).discard(docname)


def _merge(
    app: Sphinx, env: BuildEnvironment, docnames: Iterable[str], other: BuildEnvironment
) -> None:
    _times(env).update({k: v for k, v in _times(other).items() if k in docnames})
    _users(env).update(_users(other) & set(docnames))


def _write_again(app: Sphinx, env: BuildEnvironment) -> list[str]:
    # The minutes of one page stand on others, which did not change themselves.
    return sorted(_users(env))


def _fill_in(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    for node in list(doctree.findall(minutes_to_come)):
        time = _times(app.env)[node["page"]]
        minutes = time.reading
        if node["what"]:
            stated = [given for given in time.exercises if given is not None]
            if len(stated) < len(time.exercises) or not stated:
                _logger.warning(
                    "minutes: %d of %d exercises of %s state their minutes; each title must end "
                    "in its grade and minutes, such as 'Classify (recall, 5 minutes)'",
                    *(len(stated), len(time.exercises), node["page"]),
                    location=docname,
                )
            minutes = sum(stated)
        node.replace_self(nodes.inline("", f"{minutes}", classes=["computed-number"]))


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the role and connect to Sphinx."""
    app.add_node(minutes_to_come)
    app.add_role("minutes", MinutesRole())
    app.connect("doctree-read", _note)
    app.connect("env-purge-doc", _forget)
    app.connect("env-merge-info", _merge)
    app.connect("env-updated", _write_again)
    app.connect("doctree-resolved", _fill_in)
    return {"version": "1.0", "parallel_read_safe": True, "parallel_write_safe": True}
