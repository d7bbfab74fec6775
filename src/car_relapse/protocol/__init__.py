"""A protocol and statistical analysis plan that a designed trial fills in.

`draft` makes the document from the plan of a trial (`car_relapse.design.plan_trial`), `to_markdown`
and `to_docx` write it, `save` writes both files. What the design computes is filled in; what only a
clinician, a laboratory or a committee can say stands there as a blank.

The document is a teaching model, and says so on its first page.
"""

from car_relapse.protocol.choices import Choices
from car_relapse.protocol.document import Blank, Document
from car_relapse.protocol.drafting import draft, save
from car_relapse.protocol.markdown import to_markdown
from car_relapse.protocol.showing import downloads, part
from car_relapse.protocol.word import to_docx

__all__ = [
    "Blank",
    "Choices",
    "Document",
    "downloads",
    "draft",
    "part",
    "save",
    "to_docx",
    "to_markdown",
]
