"""What a link to a term, a parameter or a reference means, written into the page that has the link.

Every link to an entry of the glossary or of the ledger, to a reference, or to a DOI that the
bibliography has, gets a hint: a hidden element at the end of the page, which `assets/hints.js`
shows when the pointer or the keyboard reaches the link. A page holds the hints that it uses, so
it needs no other file and no other host. Without scripts the links work as links.
"""

from __future__ import annotations

import hashlib
from html import escape
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from docutils import nodes
from pybtex.richtext import Text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pybtex.database import Entry
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

EXPLAINED = ("book/glossary", "book/parameters")
RESOLVER = "https://doi.org/"
_FIRST_AUTHOR, _TWO = 1, 2


def authors_text(entry: Entry) -> str:
    """Return the authors of a reference as the book's citations name them."""
    names = [
        str(Text.from_latex(" ".join([*person.prelast_names, *person.last_names])))
        for person in entry.persons.get("author", ())
    ]
    if len(names) == _FIRST_AUTHOR:
        return names[0]
    if len(names) == _TWO and names[1] != "others":
        return " and ".join(names)
    return f"{names[0]} and others" if names else ""


def reference_html(entry: Entry) -> str:
    """Return a reference in short: authors, year, title, journal and DOI."""

    def text(field: str) -> str:
        return escape(str(Text.from_latex(entry.fields.get(field, ""))), quote=False)

    title = text("title").rstrip(".")
    parts = [
        f"<strong>{escape(authors_text(entry), quote=False)}, {text('year')}.</strong>",
        title if title.endswith("?") else f"{title}.",
    ]
    if text("journal"):
        parts.append(f"<em>{text('journal')}</em>.")
    if "doi" in entry.fields:
        # A raw identifier: escaped, but not read as LaTeX.
        parts.append(f"<span>doi:{escape(entry.fields['doi'], quote=False)}</span>")
    if entry.fields.get("note"):
        parts.append(f"<span>({text('note')})</span>")
    return f"<p>{' '.join(parts)}</p>"


def without_links(element: nodes.Element) -> nodes.Element:
    """Return a copy whose links are text, because nobody can press a link in a hint."""
    copy: nodes.Element = element.deepcopy()
    for node in list(copy.findall(nodes.Element)):
        node["ids"] = []
    for link in list(copy.findall(nodes.reference)):
        link.parent.replace(link, link.children)
    return copy


class Hints:
    """The hints of the whole book, made once for a build."""

    def __init__(self, app: Sphinx) -> None:
        self.builder, self.env = app.builder, app.env
        domain: Any = self.env.get_domain("cite")
        self.references = {
            (citation.bibliography_key.docname, citation.citation_id): citation.entry
            for citation in domain.citations
        }
        self.dois = {
            entry.fields["doi"].lower(): entry
            for entry in domain.bibdata.data.entries.values()
            if "doi" in entry.fields
        }
        self.entries = {
            (page, name): (term, definition)
            for page in EXPLAINED
            if page in self.env.found_docs
            for name, term, definition in self.terms_of(page)
        }

    def terms_of(self, page: str) -> Iterator[tuple[str, nodes.term, nodes.definition]]:
        """Yield each entry of a page's definition lists that has a name."""
        doctree = self.env.get_and_resolve_doctree(page, self.builder)
        for item in doctree.findall(nodes.definition_list_item):
            terms = [child for child in item.children if isinstance(child, nodes.term)]
            for term in terms:
                for name in term["ids"]:
                    yield name, term, item.children[-1]

    def of(self, link: nodes.reference, page: str) -> str:
        """Return the hint of a link as HTML; empty when there is nothing to say."""
        uri = link.get("refuri", "")
        if uri.startswith(RESOLVER):
            entry = self.dois.get(unquote(uri.removeprefix(RESOLVER)).lower())
            return reference_html(entry) if entry else ""
        target = self.target(link, page)
        if target in self.references:
            return reference_html(self.references[target])
        return self.definition(*self.entries[target]) if target in self.entries else ""

    def target(self, link: nodes.reference, page: str) -> tuple[str, str]:
        """Return the page and the name that a link of a page leads to."""
        if "refid" in link:
            return page, link["refid"]
        path, _, name = link.get("refuri", "").partition("#")
        if not name or "://" in path:
            return "", ""
        here = self.builder.get_target_uri(page)
        for other in {key[0] for key in (*self.references, *self.entries)}:
            if path == self.builder.get_relative_uri(page, other).partition("#")[0]:
                return other, name
        return (page, name) if path in ("", here) else ("", "")

    def definition(self, term: nodes.term, definition: nodes.definition) -> str:
        """Return an entry of a definition list as HTML."""
        name = nodes.strong("", "", *without_links(term).children)
        text = list(without_links(definition).children)
        if not text or not isinstance(text[0], nodes.paragraph):
            text.insert(0, nodes.paragraph())
        text[0].insert(0, [name, nodes.Text(": ")])
        return "".join(self.builder.render_partial(node)["fragment"] for node in text)


def hint_id(address: str) -> str:
    """Return the name of the hint of an address, the same in every build."""
    return "hint-" + hashlib.sha256(address.encode()).hexdigest()[:8]


def leads_to_itself(link: nodes.reference) -> bool:
    """Whether a link stands in the very entry or reference that its hint would repeat."""
    ancestor = link.parent
    while ancestor is not None:
        if isinstance(ancestor, nodes.citation):
            return True
        if isinstance(ancestor, nodes.definition_list_item):
            return link.get("refid") in ancestor.children[0]["ids"]
        ancestor = ancestor.parent
    return False


def hints_of_page(hints: Hints, doctree: nodes.document, page: str) -> dict[str, str]:
    """Return the hints of one page by the address of the links as the page writes it."""
    found: dict[str, str] = {}
    for link in doctree.findall(nodes.reference):
        address = f"#{link['refid']}" if "refid" in link else link.get("refuri", "")
        if address and address not in found and not leads_to_itself(link):
            found[address] = hints.of(link, page)
    return {address: text for address, text in found.items() if text}


def _add(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    if doctree is None or "body" not in context:
        return
    if not hasattr(app, "hints_of_the_book"):
        # Kept with the build it belongs to; the class of Sphinx does not name the attribute.
        app.hints_of_the_book = Hints(app)  # type: ignore[attr-defined]
    found = hints_of_page(app.hints_of_the_book, doctree, page)
    if not found:
        return
    hints = "\n".join(
        f'<div class="hint" role="tooltip" id="{hint_id(address)}" '
        f'data-for="{escape(address)}" hidden>{text}</div>'
        for address, text in found.items()
    )
    context["body"] += f'\n<div class="hints">\n{hints}\n</div>\n'
    if 'class="math' in hints:
        # The page may have no formula of its own, and would then not load what sets one.
        app.env.get_domain("math").data["has_equations"][page] = True


def _write_again(app: Sphinx, env: BuildEnvironment) -> list[str]:
    """Have every page written when an entry that others show has changed."""
    digest = hashlib.sha256()
    for page in EXPLAINED:
        if page in env.found_docs:
            digest.update(env.get_doctree(page).pformat().encode())
    domain: Any = env.get_domain("cite")
    digest.update(domain.bibdata.data.to_string("bibtex").encode())
    # Stored with the environment from build to build, whose class does not name the attribute.
    before, env.hints_made_of = getattr(env, "hints_made_of", ""), digest.hexdigest()  # type: ignore[attr-defined]
    return sorted(env.found_docs) if before not in ("", digest.hexdigest()) else []


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect to Sphinx, before the step that decides whether a page needs formulas set."""
    app.connect("env-updated", _write_again)
    app.connect("html-page-context", _add, priority=400)
    return {"version": "1.0", "parallel_read_safe": True, "parallel_write_safe": True}
