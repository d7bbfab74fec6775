"""Execute the notebooks and store them so that differences can be read and nbval can compare.

    python tools/notebooks.py [FILE ...]             # run top to bottom, caption, store
    python tools/notebooks.py --captions [FILE ...]  # only copy captions and alt text, store
    python tools/notebooks.py --check [FILE ...]     # change nothing; exit 1 on a problem

Without FILE it takes every notebook in `notebooks/`. A stored notebook holds text outputs only:
pictures, HTML and widgets are made afresh by the book's build and by whoever runs the notebook.
A notebook with a problem is left as it was.
"""

from __future__ import annotations

import argparse
import copy
import hashlib
import re
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from queue import Empty
from typing import Any

import nbformat
from jupyter_core.utils import run_sync
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

ROOT = Path(__file__).resolve().parents[1]

CELL_TIMEOUT = 60  # seconds after which a cell counts as hung
# What a reader waits for, in seconds; `make test` holds every notebook to it.
CELL_BUDGET = 10
NOTEBOOK_BUDGET = 60
WIDGET = "application/vnd.jupyter.widget-view+json"
WIDGET_TAGS = {"nbval-ignore-output", "remove-output"}
SIGNIFICANT_DIGITS = 8  # of a printed decimal: more would differ between machines
DOI = re.compile(r"\b10\.\d{4,}/\S+")  # its digits are a name

# The lexer is named because the book is highlighted from it when a notebook is not executed.
METADATA = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {"name": "python", "pygments_lexer": "ipython3"},
}
KEPT_NOTEBOOK_METADATA = {"authors", "mystnb", "title"}
KEPT_CELL_METADATA = {"mystnb", "slideshow", "tags"}


class NotebookError(Exception):
    """A notebook cannot be executed, captioned or stored."""


class _Client(NotebookClient):
    """A client that looks for the kernel's answer every second.

    Its socket now and then tells nobody that an answer has come. The plain client then sleeps
    until the time limit of the cell, finds the answer, and the cell looks a minute slow.
    """

    async def async_start_new_kernel_client(self) -> Any:
        client = await super().async_start_new_kernel_client()
        channel = client.shell_channel
        get = channel.get_msg

        async def get_in_steps(timeout: float | None = None) -> Any:
            end = None if timeout is None else time.monotonic() + timeout
            while True:
                left = 1.0 if end is None else min(1.0, max(0.0, end - time.monotonic()))
                try:
                    return await get(timeout=left)
                except Empty:
                    if end is not None and time.monotonic() >= end:
                        raise

        channel.get_msg = get_in_steps
        return client

    start_new_kernel_client = run_sync(async_start_new_kernel_client)


def execute(notebook: nbformat.NotebookNode, folder: Path) -> dict[int, float]:
    """Run the notebook in place; return the seconds of each cell of code, by its number."""
    starts: dict[int, float] = {}
    seconds: dict[int, float] = {}

    def started(cell: Any, cell_index: int) -> None:
        starts[cell_index] = time.perf_counter()

    def executed(cell: Any, cell_index: int, execute_reply: Any) -> None:
        seconds[cell_index + 1] = time.perf_counter() - starts[cell_index]

    client = _Client(
        notebook,
        timeout=CELL_TIMEOUT,
        kernel_name="python3",
        resources={"metadata": {"path": str(folder)}},
        coalesce_streams=True,  # how a kernel splits its output into messages is a matter of luck
        record_timing=False,
        on_cell_start=started,
        on_cell_executed=executed,
    )
    try:
        client.execute()
    except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
        raise NotebookError(str(error).strip()) from None
    return seconds


def slow(
    seconds: Mapping[str, float],
    *,
    cell_budget: float = CELL_BUDGET,
    notebook_budget: float = NOTEBOOK_BUDGET,
) -> list[str]:
    """Return a sentence for every cell, and for the whole notebook, that takes too long.

    >>> slow({"cell 1": 0.5, "cell 2": 11.25})
    ['cell 2 took 11.2 s, and a cell may take 10 s']
    """
    found = [
        f"{name} took {taken:.1f} s, and a cell may take {cell_budget:g} s"
        for name, taken in seconds.items()
        if taken > cell_budget
    ]
    if (total := sum(seconds.values())) > notebook_budget:
        found.append(f"its cells took {total:.1f} s, and a notebook may take {notebook_budget:g} s")
    return found


def label(cell: nbformat.NotebookNode) -> str | None:
    """Return the label of the figure that the cell shows, if it names one."""
    return cell.metadata.get("mystnb", {}).get("figure", {}).get("name")


def caption(notebook: nbformat.NotebookNode, figures: Mapping[str, Any]) -> None:
    """Copy caption and alt text of every labelled figure from the package's registry."""
    for number, cell in enumerate(notebook.cells, 1):
        name = label(cell)
        if name is None:
            continue
        if name not in figures:
            raise NotebookError(
                f"cell {number}: no figure is labelled {name!r} in car_relapse.figures.registry(); "
                f"it has {', '.join(sorted(figures)) or 'none'}"
            )
        metadata = cell.metadata["mystnb"]
        metadata["figure"]["caption"] = figures[name].caption
        metadata.setdefault("image", {})["alt"] = figures[name].alt


def registry() -> Mapping[str, Any]:
    """Return the captions and alt texts that the package holds for its figures."""
    # Imported here because storing and checking need no simulation package.
    from car_relapse import figures

    return figures.registry()


def problems(notebook: nbformat.NotebookNode) -> list[str]:
    """Return what must be repaired in the notebook itself before it can be stored."""
    found = []
    for number, cell in enumerate(notebook.cells, 1):
        tags = set(cell.metadata.get("tags", []))
        if cell.get("attachments"):
            found.append(f"cell {number} carries an attached file: put it into figures/")
        for output in cell.get("outputs", []):
            if output.output_type == "error":
                found.append(f"cell {number} ends in {output.ename}: {output.evalue}")
            elif output.output_type == "stream" and output.name == "stderr":
                found.append(f"cell {number} writes to stderr: {output.text.strip()[:120]}")
            elif WIDGET in output.get("data", {}) and not tags >= WIDGET_TAGS:
                missing = ", ".join(sorted(WIDGET_TAGS - tags))
                found.append(f"cell {number} shows a widget and lacks the tags {missing}")
            # What a widget prints of itself is not stored, so its digits do not matter.
            text = "" if WIDGET in output.get("data", {}) else _text(output)
            if address := re.search(r"\b0x[0-9a-f]{6,}", text):
                found.append(f"cell {number} prints a memory address, {address[0]}")
            found += [
                f"cell {number} prints {figure}: round it to {SIGNIFICANT_DIGITS} digits at most"
                for figure in re.findall(r"\d+\.\d+", DOI.sub("", text))
                if len(figure.replace(".", "").lstrip("0")) > SIGNIFICANT_DIGITS
            ]
    return found


def _text(output: nbformat.NotebookNode) -> str:
    return output.get("text") or output.get("data", {}).get("text/plain", "")


def normalise(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Return a copy without anything that changes from run to run or machine to machine."""
    stored = copy.deepcopy(notebook)
    kept = {k: v for k, v in stored.metadata.items() if k in KEPT_NOTEBOOK_METADATA}
    stored.metadata = nbformat.from_dict(copy.deepcopy(METADATA) | kept)
    stored.nbformat_minor = 5  # the first version in which a cell has an identifier
    taken: set[str] = set()
    count = 0
    for cell in stored.cells:
        cell.source = cell.source.rstrip("\n")
        cell.metadata = nbformat.from_dict(
            {k: v for k, v in cell.metadata.items() if k in KEPT_CELL_METADATA and v}
        )
        cell.id = _identifier(cell, taken)
        taken.add(cell.id)
        if cell.cell_type == "code":
            # As if run once from the top: nbval takes a cell without a count for one never run.
            count += 1
            cell.execution_count = count
            cell.outputs = [small for output in cell.outputs if (small := _stored(output, count))]
    return stored


def _identifier(cell: nbformat.NotebookNode, taken: set[str]) -> str:
    """Keep the cell's identifier; derive one from its text when it has none of its own."""
    chosen = cell.get("id")
    repeat = 0
    while not chosen or chosen in taken:
        digest = hashlib.sha256(f"{repeat}{cell.cell_type}{cell.source}".encode()).hexdigest()
        chosen = digest[:8]
        repeat += 1
    return chosen


def _stored(output: nbformat.NotebookNode, count: int) -> nbformat.NotebookNode | None:
    if output.output_type not in {"display_data", "execute_result"}:
        return output
    # A widget's text is its list of parts, which nobody reads.
    if WIDGET in output.data or "text/plain" not in output.data:
        return None
    kept = copy.deepcopy(output)
    kept.data = nbformat.from_dict({"text/plain": output.data["text/plain"]})
    kept.metadata = nbformat.from_dict({})
    if kept.output_type == "execute_result":
        kept.execution_count = count
    return kept


def differences(notebook: nbformat.NotebookNode) -> list[str]:
    """Return where a notebook holds more, or other, than `normalise` would store."""
    stored = normalise(notebook)
    found = []
    if notebook.metadata != stored.metadata or notebook.nbformat_minor != stored.nbformat_minor:
        found.append("its notebook metadata are not the stored ones")
    for number, (cell, wanted) in enumerate(zip(notebook.cells, stored.cells, strict=True), 1):
        parts = sorted(k for k in {*cell, *wanted} if cell.get(k) != wanted.get(k))
        if parts:
            found.append(f"cell {number} is not stored as it should be: {', '.join(parts)}")
    return found


def check(path: Path) -> list[str]:
    """Return every reason why the file at `path` is not a stored notebook."""
    text = path.read_text(encoding="utf-8")
    notebook = nbformat.reader.reads(text)
    # Not `nbformat.validate`, which repairs what is to be checked.
    if fault := next(iter(nbformat.validator.iter_validate(notebook)), None):
        return [f"it is not a valid notebook: {fault.message}"]
    found = problems(notebook) + differences(notebook)
    captioned = copy.deepcopy(notebook)
    if any(label(cell) for cell in notebook.cells):
        try:
            caption(captioned, registry())
        except NotebookError as error:
            found.append(str(error))
    found += [
        f"cell {number}: caption or alt text is not that of car_relapse.figures"
        for number, (cell, wanted) in enumerate(
            zip(notebook.cells, captioned.cells, strict=True), 1
        )
        if cell.metadata != wanted.metadata
    ]
    if not found and text != serialised(notebook):
        found.append("the file is not laid out as it is stored")
    return found


def serialised(notebook: nbformat.NotebookNode) -> str:
    """Return the text of the file: keys sorted, one line end at its end."""
    return nbformat.writes(notebook).rstrip("\n") + "\n"


def store(path: Path, *, run: bool) -> str:
    """Caption and store the notebook, after executing it when `run`; return what was done."""
    # Not `nbformat.read`, which makes up a random identifier for a cell that has none.
    notebook = normalise(nbformat.reader.reads(path.read_text(encoding="utf-8")))
    report = "captioned"
    if run:
        seconds = execute(notebook, path.parent).values()
        report = f"{sum(seconds):.1f} s, slowest cell {max(seconds, default=0.0):.1f} s"
    if any(label(cell) for cell in notebook.cells):
        caption(notebook, registry())
    if found := problems(notebook):
        raise NotebookError("; ".join(found))
    path.write_text(serialised(normalise(notebook)), encoding="utf-8")
    return report


def main(argv: list[str] | None = None, root: Path = ROOT) -> int:
    """Run, caption or check the notebooks named, or all of them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--check", action="store_true", help="change nothing; exit 1 on a problem")
    mode.add_argument("--captions", action="store_true", help="do not execute")
    parser.add_argument("files", nargs="*", type=Path, help="notebooks; all of them by default")
    arguments = parser.parse_args(argv)
    paths = arguments.files or sorted((root / "notebooks").glob("*.ipynb"))
    if not paths:
        print("notebooks/: there is no notebook", file=sys.stderr)
        return 1
    failed = False
    for path in paths:
        try:
            found = check(path) if arguments.check else []
            if not arguments.check:
                print(f"{path.name}: {store(path, run=not arguments.captions)}")
        except NotebookError as error:
            found = [str(error)]
        for problem in found:
            print(f"{path.name}: {problem}", file=sys.stderr)
        failed = failed or bool(found)
    if failed and arguments.check:
        print("run `python tools/notebooks.py`, which executes and stores", file=sys.stderr)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
