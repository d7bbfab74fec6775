"""A real JupyterLab and a real Chromium: open a notebook, run it, move its controls."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
import browser  # noqa: E402  (the project's own way to find a Chromium)

SERVER_SECONDS = 90
RUN_SECONDS = 120

# Nothing listens there: what the server or a kernel tries to download fails at once.
NO_NETWORK = dict.fromkeys(("http_proxy", "https_proxy", "all_proxy"), "http://127.0.0.1:9")
NO_NETWORK |= {name.upper(): proxy for name, proxy in NO_NETWORK.items()}
NO_NETWORK |= {"no_proxy": "127.0.0.1,localhost", "NO_PROXY": "127.0.0.1,localhost"}

CODE_CELL = ".jp-Notebook .jp-CodeCell"

# Lab draws the kernel as idle before it is connected, and Run All Cells starts another one then.
KERNEL_IS_READY = """
async () => {
  const context = window.jupyterapp?.shell.currentWidget?.sessionContext;
  const kernel = context?.isReady && context.session?.kernel;
  if (!kernel) return false;
  // Never answered when the kernel is asked for in a dialog, or dies.
  await Promise.race([kernel.info, new Promise(resolve => setTimeout(resolve, 1000))]);
  return kernel.connectionStatus === "connected" && kernel.status === "idle";
}
"""


# Nobody is asked whether to save what ran, and a kernel that does not answer is left behind.
CLOSE_ALL = """
async () => {
  for (const widget of [...window.jupyterapp.shell.widgets("main")]) {
    if (widget.context) widget.context.model.dirty = false;
    const late = new Promise(resolve => setTimeout(resolve, 5000));
    await Promise.race([widget.sessionContext?.shutdown(), late]);
    widget.dispose();
  }
}
"""
OPEN = "async path => { await window.jupyterapp.commands.execute('docmanager:open', { path }); }"


class LabProblem(Exception):
    """JupyterLab did not do what a reader would expect of it."""


@dataclass
class Seen:
    """What the browser asked for and complained of while a page was open."""

    elsewhere: list[str] = field(default_factory=list)
    console: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def forget(self) -> None:
        """Begin anew."""
        for found in (self.elsewhere, self.console, self.errors):
            found.clear()


def wait(seconds: float, what: str, done) -> None:
    """Wait until `done()` is true, or fail saying what never came."""
    end = time.monotonic() + seconds
    while not done():
        if time.monotonic() > end:
            raise LabProblem(f"waited {seconds:g} s in vain for {what}")
        time.sleep(0.1)


@contextlib.contextmanager
def server(python: Path, folder: Path, own: Path, log: Path) -> Iterator[str]:
    """Run JupyterLab on the folder, keeping all that it writes in `own`; yield its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    environment = {k: v for k, v in os.environ.items() if k not in {"PYTHONPATH", "VIRTUAL_ENV"}}
    environment |= NO_NETWORK | {"HOME": str(own), "PATH": f"{python.parent}:{os.environ['PATH']}"}
    for variable in ("CONFIG_DIR", "DATA_DIR", "RUNTIME_DIR"):
        environment[f"JUPYTER_{variable}"] = str(own / variable.lower())
    options = [
        "--no-browser",
        "--allow-root",
        "--ServerApp.ip=127.0.0.1",
        f"--ServerApp.port={port}",
        "--ServerApp.port_retries=0",
        "--IdentityProvider.token=",
        f"--ServerApp.root_dir={folder}",
        "--LabApp.expose_app_in_browser=True",  # for KERNEL_IS_READY
    ]
    # Lab's news: a request to another host, announced by a box that covers what is below it.
    settings = own / "config_dir/lab/user-settings/@jupyterlab/apputils-extension"
    settings.mkdir(parents=True)
    (settings / "notification.jupyterlab-settings").write_text(
        '{"fetchNews": "false", "checkForUpdates": false}'
    )
    with log.open("w") as output:
        process = subprocess.Popen(
            [python, "-m", "jupyterlab", *options],
            cwd=folder,
            env=environment,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        try:
            wait(SERVER_SECONDS, "the server", lambda: _answers(address, process))
            yield address
        finally:
            _stop(process)


def _answers(address: str, process: subprocess.Popen) -> bool:
    if process.poll() is not None:
        raise LabProblem(f"the server ended with code {process.returncode}")
    try:
        with urllib.request.urlopen(f"{address}/api", timeout=10):
            return True
    except (urllib.error.URLError, TimeoutError, ConnectionError):
        return False


def _stop(process: subprocess.Popen) -> None:
    """End the server, which ends its kernels, and whatever else is in its process group."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(20)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(20)


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """Start a Chromium; of Playwright there can be only one at a time in a process."""
    path = browser.ensure()
    if path is None:
        raise LabProblem(browser.MISSING)
    with sync_playwright() as playwright:
        program = playwright.chromium.launch(executable_path=path, args=browser.ARGUMENTS)
        try:
            yield program
        finally:
            program.close()


@contextlib.contextmanager
def window(program: Browser) -> Iterator[tuple[Page, Seen]]:
    """Open a window without a past, which reaches 127.0.0.1 and nothing else."""
    seen = Seen()
    context = program.new_context(viewport={"width": 1280, "height": 1000})

    def refuse(route) -> None:
        seen.elsewhere.append(route.request.url)
        route.abort()

    local = ("http://127.0.0.1:", "ws://127.0.0.1:", "data:", "blob:")
    context.route(lambda url: not url.startswith(local), refuse)
    opened = context.new_page()
    opened.on("console", lambda message: seen.console.append(message.text))
    opened.on("pageerror", lambda error: seen.errors.append(str(error)))
    try:
        yield opened, seen
    finally:
        context.close()


def open_notebook(page: Page, address: str, name: str, cells: int) -> None:
    """Open a notebook of so many code cells, and nothing beside it, and wait for its kernel."""
    path = f"notebooks/{name}.ipynb"
    if page.url.startswith(f"{address}/lab"):
        # Half of what a notebook takes would be Lab itself, loaded once more.
        page.evaluate(CLOSE_ALL)
        page.evaluate(OPEN, path)
    else:
        # Lab reopens what its workspace had open, so this one is of nobody else.
        page.goto(f"{address}/lab/workspaces/{name}/tree/{path}")
    wait(60, f"{cells} code cells", lambda: page.locator(CODE_CELL).count() == cells)
    wait(60, "the kernel", lambda: page.evaluate(KERNEL_IS_READY))


def run_all_cells(page: Page) -> None:
    """Choose Run > Run All Cells with the mouse and wait until each cell has its number."""
    page.locator('.lm-MenuBar-itemLabel:text-is("Run")').click()
    page.locator('.lm-Menu-itemLabel:text-is("Run All Cells")').click()
    prompts = page.locator(f"{CODE_CELL} .jp-InputArea-prompt")

    def all_ran() -> bool:
        return all(text.strip(" []:").isdigit() for text in prompts.all_text_contents())

    # After an error the cells below it keep empty brackets for ever.
    wait(RUN_SECONDS, "every cell to run", lambda: all_ran() or complaints(page))


def complaints(page: Page) -> list[str]:
    """Return the errors and warnings that the notebook shows."""
    kinds = ("application/vnd.jupyter.error", "application/vnd.jupyter.stderr")
    selector = ", ".join(f'.jp-Notebook [data-mime-type="{kind}"]' for kind in kinds)
    return page.locator(selector).all_text_contents()
