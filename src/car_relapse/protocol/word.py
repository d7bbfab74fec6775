"""A document as DOCX, with python-docx; the same document makes the same bytes."""

from __future__ import annotations

import io
import zipfile
from datetime import datetime
from typing import Any

from car_relapse.errors import require_instance
from car_relapse.protocol.document import (
    Blank,
    Document,
    Heading,
    Line,
    Numbered,
    Paragraph,
    Table,
    plain,
)

__all__ = ["to_docx"]

# A file that tells when it was made differs at each making. This one says when its format began.
_DATE = datetime(2006, 12, 1)
_HEADER = "A teaching model, not guidance for care"
_SHORT = 14  # rows; a table of no more stands on one page
_TEXT_WIDTH = 16.4  # cm, between the margins of A4
_INK = (0x1F, 0x2A, 0x44)


def to_docx(document: Document) -> bytes:
    """Return a document as the bytes of a DOCX file; blanks that are open are highlighted.

    Parameters
    ----------
    document : Document
        The protocol.
    """
    require_instance("document", document, Document, "give what draft returns")
    import docx  # it takes a while, and only this needs it

    file = docx.Document()
    _styles(file)
    _frame(file, plain(document.title))
    _runs(file.add_paragraph(style="Title"), document.title)
    _runs(file.add_paragraph(style="Intense Quote"), document.notice)
    for item in document.flow():
        if isinstance(item, Heading):
            file.add_heading(item.text, level=item.level)
        elif isinstance(item, Numbered):
            _table(file, item.label, item.table)
        else:
            _paragraph(file, item)
    return _bytes(file)


def _paragraph(file: Any, item: Paragraph) -> None:
    style = {"bullet": "List Bullet", "notice": "Intense Quote"}.get(item.kind, "Normal")
    _runs(file.add_paragraph(style=style), item.runs)


def _runs(paragraph: Any, line: Line) -> None:
    from docx.enum.text import WD_COLOR_INDEX

    for run in line:
        added = paragraph.add_run(run if isinstance(run, str) else run.text)
        if isinstance(run, Blank) and run.answer is None:
            added.bold = True
            added.font.highlight_color = WD_COLOR_INDEX.YELLOW


def _table(file: Any, label: str, table: Table) -> None:
    caption = file.add_paragraph(f"{label}. ", style="Caption")
    caption.paragraph_format.keep_with_next = True
    _runs(caption, table.caption)
    grid = file.add_table(rows=1 + len(table.rows), cols=len(table.header), style="Table Grid")
    grid.autofit = False
    widths = _widths(table)
    for column, width in zip(grid.columns, widths, strict=True):
        column.width = width
    together = len(table.rows) <= _SHORT
    for place, cells in enumerate((table.header, *table.rows)):
        row = grid.rows[place]
        for cell, width in zip(row.cells, widths, strict=True):
            cell.width = width
        _property(row._tr.get_or_add_trPr(), "w:cantSplit")
        if place == 0:  # repeated on each page, and announced by screen readers
            _property(row._tr.get_or_add_trPr(), "w:tblHeader")
        for cell, line in zip(row.cells, cells, strict=True):
            paragraph = cell.paragraphs[0]
            paragraph._p.style = "Cell"  # a lookup for each cell would take most of the time
            paragraph.paragraph_format.keep_with_next = together and place < len(table.rows)
            _runs(paragraph, line)
            if place == 0:
                for run in paragraph.runs:
                    run.bold = True
                _shade(cell)
    file.add_paragraph(style="Cell")


def _widths(table: Table) -> list[Any]:
    """Return the widths of the columns: wider where there is more to read."""
    from docx.shared import Cm

    rows = (table.header, *table.rows)
    need = [max(len(plain(c)) for c in column) ** 0.5 for column in zip(*rows, strict=True)]
    need = [max(n, 0.4 * max(need)) for n in need]
    return [Cm(_TEXT_WIDTH * n / sum(need)) for n in need]


def _property(parent: Any, tag: str, **attributes: str) -> Any:
    from docx.oxml import OxmlElement
    from docx.oxml.ns import qn

    element = OxmlElement(tag)
    for name, value in attributes.items():
        element.set(qn(f"w:{name}"), value)
    parent.append(element)
    return element


def _shade(cell: Any) -> None:
    _property(cell._tc.get_or_add_tcPr(), "w:shd", val="clear", color="auto", fill="E8ECF3")


def _styles(file: Any) -> None:
    from docx.enum.style import WD_STYLE_TYPE
    from docx.oxml.ns import qn
    from docx.shared import Pt, RGBColor

    styles = file.styles
    normal = styles["Normal"]
    normal.font.name, normal.font.size = "Calibri", Pt(11)
    normal.paragraph_format.space_after = Pt(6)
    for name, size in (("Title", 22), ("Heading 1", 15), ("Heading 2", 12), ("Caption", 9.5)):
        style = styles[name]
        style.font.name, style.font.size = "Calibri", Pt(size)
        style.font.color.rgb = RGBColor(*_INK)
        # The template asks for fonts of its theme, which would win over the name.
        fonts = style.element.get_or_add_rPr().get_or_add_rFonts()
        for theme in ("asciiTheme", "hAnsiTheme", "eastAsiaTheme", "cstheme"):
            fonts.attrib.pop(qn(f"w:{theme}"), None)
    quote = styles["Intense Quote"]
    quote.font.color.rgb, quote.font.italic = RGBColor(*_INK), False
    quote.font.bold = False
    cell = styles.add_style("Cell", WD_STYLE_TYPE.PARAGRAPH)
    cell.base_style = normal
    cell.font.size = Pt(9.5)
    cell.paragraph_format.space_after = Pt(0)
    language = styles.element.find(f".//{qn('w:rPrDefault')}//{qn('w:lang')}")
    language.set(qn("w:val"), "en-GB")


def _frame(file: Any, title: str) -> None:
    """Set margins, the line above and the number below each page, and what the file says of it."""
    from docx.shared import Cm

    section = file.sections[0]
    section.page_width, section.page_height = Cm(21.0), Cm(29.7)
    section.left_margin = section.right_margin = Cm(2.3)
    section.top_margin = section.bottom_margin = Cm(2.3)
    section.header.paragraphs[0].text = _HEADER
    foot = section.footer.paragraphs[0]
    foot.add_run("Page ")
    _property(foot._p, "w:fldSimple", instr="PAGE")
    about = file.core_properties
    about.title, about.author, about.comments = title, "", _HEADER
    about.language = "en-GB"
    about.created = about.modified = _DATE
    about.last_modified_by, about.revision = "", 1


def _bytes(file: Any) -> bytes:
    """Return the file as bytes in which no part says when it was written."""
    first, second = io.BytesIO(), io.BytesIO()
    file.save(first)
    with zipfile.ZipFile(first) as made, zipfile.ZipFile(second, "w") as kept:
        for name in made.namelist():
            part = zipfile.ZipInfo(name, date_time=_DATE.timetuple()[:6])
            part.compress_type = zipfile.ZIP_DEFLATED
            part.external_attr = 0o600 << 16
            kept.writestr(part, made.read(name))
    return second.getvalue()
