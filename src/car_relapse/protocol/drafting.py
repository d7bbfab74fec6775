"""From the plan of a trial to its protocol, and from the protocol to files."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from pathlib import Path

from car_relapse.design import Plan
from car_relapse.errors import CarRelapseError, ParameterError, require_instance
from car_relapse.protocol import _analysis_plan as analysis_plan
from car_relapse.protocol import _dose_plan as dose_plan
from car_relapse.protocol import _opening as opening
from car_relapse.protocol._facts import facts_of, key_secondary
from car_relapse.protocol._sources import SOURCES
from car_relapse.protocol._wording import endpoint
from car_relapse.protocol.choices import Choices
from car_relapse.protocol.document import (
    Blank,
    Document,
    Paragraph,
    Section,
    Table,
    Writer,
    lines_in,
)
from car_relapse.protocol.markdown import to_markdown
from car_relapse.protocol.word import to_docx

__all__ = ["draft", "save"]

_NOTICE = (
    "This document was filled in by the book Why CAR-T Relapses. "
    "It is a teaching model, not guidance for care: its biology is assumed, and nobody has "
    "reviewed it. "
    "A trial needs clinicians, a statistician, a laboratory, patients, an ethics committee and a "
    "regulator."
)


def draft(
    plan: Plan, choices: Choices | None = None, *, answers: Mapping[str, str] | None = None
) -> Document:
    """Return the protocol and statistical analysis plan of a designed trial.

    Parameters
    ----------
    plan : Plan
        The trial, as `car_relapse.design.plan_trial` makes it.
    choices : Choices, optional
        Decisions that the comparison of arms does not contain; those of the class by default.
    answers : mapping of str to str, optional
        What to put into blanks, by their names (`Document.blanks`).

    Returns
    -------
    Document

    Raises
    ------
    ParameterError
        When the primary endpoint cannot be that of a protocol, there is no second endpoint, the
        control arm has no cause that the safety gate could watch, or an answer has no blank.
    """
    require_instance("plan", plan, Plan, "make one with car_relapse.design.plan_trial")
    decided = Choices() if choices is None else choices
    require_instance("choices", decided, Choices, "give Choices(), or leave it out")
    primary = endpoint(plan.scenario.endpoints.primary.analysis, "Primary")
    secondary = endpoint(key_secondary(plan).analysis, "Key secondary")
    facts = facts_of(plan, decided)
    w = Writer(facts.values, SOURCES)
    sections = (
        opening.synopsis(w, primary, secondary),
        opening.reasons(w),
        opening.objectives(w, primary, secondary),
        opening.estimands(w, (primary, secondary)),
        opening.definitions(w),
        opening.conduct(w),
        dose_plan.dose(w, facts),
        analysis_plan.size(w, facts, primary),
        analysis_plan.looks(w, facts),
        analysis_plan.analyses(w, facts, primary, secondary),
        analysis_plan.missing(w),
        analysis_plan.safety(w),
        analysis_plan.simulations(w, quick=plan.quick),
    )
    open_points = analysis_plan.open_points(w, _places(sections))
    made = Document(
        title=w.line("Protocol and statistical analysis plan. {title}"),
        notice=w.line(_NOTICE),
        sections=(*sections, open_points),
        references=tuple(w.cited.values()),
    )
    return made.filled(answers) if answers else made


def _places(sections: tuple[Section, ...]) -> tuple[tuple[Blank, str], ...]:
    """Return each blank with the title of the section in which it stands first."""
    found: dict[str, tuple[Blank, str]] = {}

    def walk(block: Paragraph | Table | Section, title: str) -> None:
        if isinstance(block, Section):
            for inner in block.blocks:
                walk(inner, block.title)
            return
        for line in lines_in(block):
            for run in line:
                if isinstance(run, Blank):
                    found.setdefault(run.key, (run, title))

    for section in sections:
        walk(section, section.title)
    return tuple(found.values())


def file_name(name: str) -> str:
    """Return the name of a file without its ending, checked."""
    plain_name = isinstance(name, str) and name.replace("-", "").replace("_", "").isalnum()
    if not plain_name or len(name) > 80:
        raise ParameterError(
            f"name is {name!r:.90}; it must be up to 80 letters, digits, hyphens and underscores; "
            "give it without an ending, such as 'my-protocol'"
        )
    return name


def save(document: Document, folder: str | PathLike[str], name: str) -> tuple[Path, Path]:
    """Write a protocol as Markdown and as DOCX, and return the paths of both files.

    Parameters
    ----------
    document : Document
        The protocol.
    folder : path
        A folder that exists.
    name : str
        Name of the files, without ending: letters, digits, hyphens and underscores.

    Raises
    ------
    ParameterError
        When the name is no plain file name.
    CarRelapseError
        When the files cannot be written.
    """
    require_instance("document", document, Document, "give what draft returns")
    file_name(name)
    paths = tuple(Path(folder) / f"{name}.{ending}" for ending in ("md", "docx"))
    try:
        paths[0].write_text(to_markdown(document), encoding="utf-8")
        paths[1].write_bytes(to_docx(document))
    except OSError as problem:
        raise CarRelapseError(
            f"{problem.filename} cannot be written: {problem.strerror}; the folder must exist and "
            "allow it; choose another folder, or close the file where it is open"
        ) from problem
    return paths[0], paths[1]
