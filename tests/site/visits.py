"""Open a page in Chromium once and note everything that the tests ask about it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from urllib.parse import urlsplit

AXE = files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")

# What hangs on colour is asked in both modes, and, since the engine spends most of its time there,
# for some elements of every kind of text (below). The rest is the same in both modes.
# With its preload on, the engine would fetch the style sheets again, some at wrong addresses.
RUN_AXE = """async ([mode, settings]) => {
  document.documentElement.dataset.theme = mode;
  const options = { resultTypes: ['violations'], preload: false, ...settings };
  const result = await axe.run(window.axeContext ?? document, options);
  const where = violation => violation.nodes.slice(0, 3).map(node => node.target.join(' '));
  return result.violations.map(violation => `${violation.id}: ${where(violation).join(' | ')}`);
}"""
BY_COLOUR = ("color-contrast", "link-in-text-block")
ALL_BUT_COLOUR = {"rules": {rule: {"enabled": False} for rule in BY_COLOUR}}

# Elements with text, some of every kind that is not yet known: alike in colour and size of the
# letters, in the colour of the text around them, in decoration, and in every background and
# opacity from there to the root. Their contrast is one and the same.
CHOOSE_KINDS = """([mode, count, known]) => {
  document.documentElement.dataset.theme = mode;
  const grounds = new Map([[null, '']]);
  const ground = element => {
    if (!grounds.has(element)) {
      const { backgroundColor, backgroundImage, opacity } = getComputedStyle(element);
      const own = `${backgroundColor} ${backgroundImage} ${opacity}`;
      const behind = ground(element.parentElement);
      grounds.set(element, own === 'rgba(0, 0, 0, 0) none 1' ? behind : `${own}; ${behind}`);
    }
    return grounds.get(element);
  };
  const settled = new Set(known);
  const kinds = new Map();
  const holdsText = node => node.nodeType === Node.TEXT_NODE && node.data.trim();
  for (const element of document.body.querySelectorAll('*')) {
    if (![...element.childNodes].some(holdsText) || !element.checkVisibility()) continue;
    const style = getComputedStyle(element);
    const kind = [
      style.color, style.fontSize, style.fontWeight, style.textShadow, ground(element),
      element.tagName === 'A', style.textDecorationLine, style.borderBottom,
      getComputedStyle(element.parentElement).color,
    ].join();
    if (!settled.has(kind)) kinds.set(kind, [...kinds.get(kind) ?? [], element]);
  }
  const chosen = [...kinds.values()].flatMap(alike => [...alike.slice(0, count), alike.at(-1)]);
  window.axeContext = { include: [...new Set(chosen)] };
  return [...kinds.keys()];
}"""
OF_A_KIND = 3

# Half of the elements of a page of formulas are inside them. The engine cannot see their letters,
# which are no text to it; a word in their place has their colour.
PUT_WORDS_FOR_FORMULAS = """document.querySelectorAll('mjx-container').forEach(
  formula => formula.replaceChildren('formula'))"""

SETTLED = """async () => {
  await document.fonts.ready;
  if (window.MathJax?.startup?.promise) await window.MathJax.startup.promise;
}"""


@dataclass
class Visit:
    """What happened when a page was opened."""

    status: int = 0
    console: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    elsewhere: list[str] = field(default_factory=list)
    overflow: int = 0
    unrendered_maths: int = 0
    violations: dict[str, list[str]] = field(default_factory=dict)


class Known:
    """Kinds of text, by mode, that stood out on an earlier page or at another width.

    In a file when processes that share out the pages are to share what they know.
    """

    def __init__(self, file: Path | None = None) -> None:
        self.file = file
        self.kinds: set[tuple[str, str]] = set()

    def of(self, mode: str) -> list[str]:
        """List the kinds that are known in a mode."""
        if self.file is not None and self.file.exists():
            # What follows the last end of a line is still being written.
            lines = self.file.read_text(encoding="utf-8").rpartition("\n")[0].splitlines()
            self.kinds |= {tuple(json.loads(line)) for line in lines}
        return [kind for known_in, kind in self.kinds if known_in == mode]

    def add(self, mode: str, kinds: list[str]) -> None:
        """Note that these kinds stand out in a mode."""
        self.kinds |= {(mode, kind) for kind in kinds}
        if self.file is not None:
            with self.file.open("a", encoding="utf-8") as file:
                file.write("".join(json.dumps([mode, kind]) + "\n" for kind in kinds))


class Visitor:
    """A browser window of one width that is kept from every host but the site's."""

    def __init__(self, chromium, width: int, address: str, known: Known | None = None) -> None:
        self.address = address
        self.known = known or Known()
        self.visit = Visit()
        self.context = chromium.new_context(
            viewport={"width": width, "height": 900},
            color_scheme="light",
            reduced_motion="reduce",
            # The engine is put into the page by this test, which a page's own policy must not stop.
            bypass_csp=True,
        )
        host = urlsplit(address).netloc
        self.context.route(lambda url: urlsplit(url).netloc not in ("", host), self.refuse)
        self.page = self.context.new_page()
        self.page.on("console", self.note_console)
        self.page.on("pageerror", lambda error: self.visit.errors.append(str(error)))
        self.page.on("requestfailed", self.note_failure)
        self.page.on("response", self.note_response)

    def refuse(self, route) -> None:
        """Note and stop a request to another host."""
        self.visit.elsewhere.append(route.request.url)
        route.abort()

    def note_console(self, message) -> None:
        """Note what the page reports as an error or a warning."""
        if message.type in ("error", "warning"):
            self.visit.console.append(f"{message.type}: {message.text}")

    def note_failure(self, request) -> None:
        """Note a request that got no answer, unless leaving the page cancelled it."""
        if request.failure != "net::ERR_ABORTED":
            self.visit.failed.append(f"{request.url}: {request.failure}")

    def note_response(self, response) -> None:
        """Note an answer that is an error; that of the page itself is its status."""
        if response.status >= 400 and response.url != self.page.url:
            self.visit.failed.append(f"{response.url}: {response.status}")

    def open(self, path: str) -> Visit:
        """Open a page in light and in dark mode and report."""
        self.visit = visit = Visit()
        response = self.page.goto(self.address + path, wait_until="load")
        visit.status = response.status if response else 0
        self.page.evaluate(SETTLED)
        visit.overflow = self.page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        visit.unrendered_maths = self.page.evaluate(
            "[...document.querySelectorAll('.math')]"
            ".filter(element => !element.querySelector('mjx-container:not(:has(mjx-merror))'))"
            ".length"
        )
        self.page.evaluate(PUT_WORDS_FOR_FORMULAS)
        # A colour measured half way through a change of mode belongs to neither.
        self.page.add_style_tag(content="* { transition: none !important; }")
        self.page.evaluate(AXE)
        whole = self.page.evaluate(RUN_AXE, ["light", ALL_BUT_COLOUR])
        by_colour = {mode: self.by_colour(mode) for mode in ("light", "dark")}
        visit.violations = {**by_colour, "light": whole + by_colour["light"]}
        return visit

    def by_colour(self, mode: str) -> list[str]:
        """Say which kinds of text are too faint in a mode, or links too like the text around."""
        new = self.page.evaluate(CHOOSE_KINDS, [mode, OF_A_KIND, self.known.of(mode)])
        if not new:
            return []
        found = self.page.evaluate(RUN_AXE, [mode, {"runOnly": list(BY_COLOUR)}])
        if not found:
            self.known.add(mode, new)
        return found

    def close(self) -> None:
        """Close the window."""
        self.context.close()
