"""The controls of a notebook in a real JupyterLab: their labels, and what they move."""

from __future__ import annotations

from collections.abc import Callable

from lab import LabProblem, wait
from playwright.sync_api import ElementHandle, Locator, Page
from playwright.sync_api import TimeoutError as PlaywrightTimeout

CONTROL_SECONDS = 30
KEY_PAUSE = 400  # milliseconds between keys, as of somebody who reads
# How many looks, a tenth of a second apart, must find the same.
REST = 8
STEADY = 15

# The pictures in the outputs of the cell that holds the control, as pixels: two renderings of one
# picture may differ in their text. Empty while a picture is missing or still loading; one that has
# been taken out of the page while it loads may never say that it has loaded.
PICTURES = """
async control => {
  const cell = control.closest(".jp-CodeCell");
  const found = cell.querySelectorAll(
    ".jp-RenderedImage img, .jp-RenderedSVG img, .jp-RenderedSVG svg, .jupyter-widgets img");
  // The same text is the same picture: drawing it once is enough.
  const text = [...found].map(element => element.outerHTML).join("\\n");
  if (text && window.lastPictures?.text === text) return window.lastPictures.pixels;
  const pixels = [];
  for (const element of found) {
    let picture = element;
    if (element.tagName.toLowerCase() === "svg") {
      picture = new Image();
      picture.src = "data:image/svg+xml," +
        encodeURIComponent(new XMLSerializer().serializeToString(element));
    }
    const late = new Promise((_, reject) => setTimeout(reject, 2000));
    try { await Promise.race([picture.decode(), late]); } catch { return ""; }
    const canvas = document.createElement("canvas");
    canvas.width = picture.naturalWidth;
    canvas.height = picture.naturalHeight;
    canvas.getContext("2d").drawImage(picture, 0, 0);
    pixels.push(canvas.toDataURL());
  }
  window.lastPictures = { text, pixels: pixels.join("\\n") };
  return window.lastPictures.pixels;
}
"""


# What the outputs of the cell that holds a button say.
WORDS = "button => button.closest('.jp-CodeCell').querySelector('.jp-OutputArea').innerText"
LABELS = ".widget-label, .widget-label-basic"
# The part of a control that takes the keyboard, by kind.
TAKES_KEYS = {
    "slider": ".noUi-handle",
    "dropdown": "select",
    "checkbox": "input[type=checkbox]",
}


def controls(page: Page) -> list[Locator]:
    """Return everything in the notebook that a reader can set, whatever its kind."""
    parts = ".noUi-target, input, select, textarea, button"
    return _drawn(page.locator(f".jp-Notebook .jupyter-widgets.widget-inline-hbox:has({parts})"))


def buttons(page: Page) -> list[Locator]:
    """Return the buttons that do something, rather than choose."""
    return _drawn(page.locator(".jp-Notebook button.jupyter-button.widget-button"))


def _drawn(shown: Locator) -> list[Locator]:
    """Return all of a kind, once no more of them appear: Lab draws widgets after their cell ran."""
    wait(CONTROL_SECONDS, "the controls to be drawn", _steady(shown.count, STEADY))
    return shown.all()


def _steady(look: Callable[[], object], looks: int) -> Callable[[], bool]:
    """Return what tells, each time it is asked, whether the last looks all found the same."""
    found: list[object] = []

    def settled() -> bool:
        found.append(look())
        return len(found) > looks and all(thing == found[-1] for thing in found[-looks:])

    return settled


def describe(control: Locator) -> str:
    """Return the control's label as the reader sees it."""
    # A label without words holds a space of no width.
    texts = [
        text.replace("\u200b", "").strip() for text in control.locator(LABELS).all_text_contents()
    ]
    return " ".join(filter(None, texts))


def label_faults(control: Locator) -> list[str]:
    """Say what is wrong with the label of a control."""
    words = describe(control)
    if not words or not control.locator(LABELS).first.is_visible():
        return ["a control has no visible label"]
    cut = "labels => labels.some(label => label.scrollWidth > label.clientWidth + 1)"
    if control.locator(LABELS).evaluate_all(cut):
        return [f"the label {words!r} is cut off"]
    return []


def kind_of(control: Locator) -> str:
    """Return the kind of a control."""
    for kind, part in TAKES_KEYS.items():
        if control.locator(part).count():
            return kind
    raise LabProblem(f"{describe(control)!r} is of no kind that is known: {', '.join(TAKES_KEYS)}")


def pictures(control: ElementHandle) -> str:
    """Return the pixels of the pictures beside the control, once they have come to rest."""
    last = None

    def settled() -> bool:
        nonlocal last
        before, last = last, control.evaluate(PICTURES)
        return bool(last) and last == before

    wait(CONTROL_SECONDS, "a figure beside the control", settled)
    return last


def moves_the_figure(
    page: Page, control: Locator, use: Callable[[Page, Locator], None], seconds: float
) -> bool:
    """Use a control in one way; tell whether the figure beside it changed in time."""
    handle = control.element_handle()
    before = pictures(handle)
    use(page, control)
    try:
        wait(seconds, "another figure", lambda: pictures(handle) != before)
    except LabProblem:
        return False
    return True


def faults(page: Page, control: Locator, seconds: float = CONTROL_SECONDS) -> list[str]:
    """Return what is wrong with a control: its label, the mouse, the keyboard."""
    found = []
    for use, words in ((by_mouse, "with the mouse"), (by_keys, "by keyboard")):
        scroll_to(page, control)  # each time: another figure may be of another height
        if use is by_mouse:
            found += label_faults(control)
        if not moves_the_figure(page, control, use, seconds):
            found.append(f"{describe(control)} moves no figure {words}")
    return found


def button_faults(page: Page, button: Locator, seconds: float = CONTROL_SECONDS) -> list[str]:
    """Return what is wrong with a button: its words, and that nothing is said when it is used."""
    scroll_to(page, button)
    name = (button.text_content() or "").strip()
    found = [] if name else ["a button has no words on it"]
    for words in ("with the mouse", "by keyboard"):
        before = button.evaluate(WORDS)
        if words == "with the mouse":
            button.click()
        else:
            button.focus()
            page.keyboard.press("Enter")
        try:
            wait(seconds, "an answer", lambda before=before: button.evaluate(WORDS) != before)
        except LabProblem:
            found.append(f"button {name} says nothing {words}")
    return found


def by_mouse(page: Page, control: Locator) -> None:
    """Set a control to another value with the mouse."""
    kind = kind_of(control)
    if kind == "slider":
        _click_track(control.locator(".noUi-target"))
    elif kind == "dropdown":
        select = control.locator("select")
        _choose_another(page, select, select.click)
    else:
        control.locator(TAKES_KEYS[kind]).click()


def by_keys(page: Page, control: Locator) -> None:
    """Set a control to another value by keyboard, if the keyboard reaches it."""
    kind = kind_of(control)
    part = control.locator(TAKES_KEYS[kind]).first
    if part.evaluate("part => part.tabIndex") < 0:
        return
    part.focus()
    if kind == "slider":
        # Towards the middle, so that there is room.
        now, low, high = (
            float(part.get_attribute(f"aria-value{end}") or 0) for end in ("now", "min", "max")
        )
        page.keyboard.press("PageDown" if now > (low + high) / 2 else "PageUp")
    elif kind == "dropdown":
        _choose_another(page, part, lambda: page.keyboard.press("Space"))
    else:
        page.keyboard.press("Space")


def scroll_to(page: Page, control: Locator) -> None:
    """Bring a control into view, and again while what is above it still moves it away."""
    for _ in range(5):
        _turn_the_wheel_to(page, control)
        try:
            control.scroll_into_view_if_needed(timeout=3000)
        except PlaywrightTimeout:
            continue
        # A list that has opened closes again when the page scrolls.
        wait(CONTROL_SECONDS, "the page to come to rest", _steady(control.bounding_box, REST))
        return
    raise LabProblem(f"{describe(control)!r} does not stay in view")


def _turn_the_wheel_to(page: Page, control: Locator) -> None:
    """Turn the mouse wheel from the top of the notebook until the control is laid out."""
    # Lab lays out only the cells around the view, so there may be nothing yet to scroll to.
    if control.is_visible():
        return
    box = page.locator(".jp-WindowedPanel-outer").bounding_box()
    page.mouse.move(box["x"] + 20, box["y"] + box["height"] / 2)
    page.mouse.wheel(0, -1_000_000)

    def in_view() -> bool:
        if not control.is_visible():
            page.mouse.wheel(0, box["height"] / 2)
        return control.is_visible()

    wait(CONTROL_SECONDS, f"{describe(control)!r} to come into view", in_view)


def _click_track(track: Locator) -> None:
    """Click near the end of the track that is farther from the handle."""
    box, grip = track.bounding_box(), track.locator(".noUi-handle").first.bounding_box()
    middle = grip["x"] + grip["width"] / 2
    share = 0.15 if middle > box["x"] + box["width"] / 2 else 0.85
    track.click(position={"x": share * box["width"], "y": box["height"] / 2})


def _choose_another(page: Page, select: Locator, unfold: Callable[[], None]) -> None:
    """Open the dropdown and take the last choice, or the first when the last one is set."""
    # Not the next one: what lies under the pointer when the list opens counts as the present one.
    last = select.evaluate("s => s.selectedIndex === s.options.length - 1")
    unfold()
    for key in ("Home" if last else "End", "Enter"):
        page.wait_for_timeout(KEY_PAUSE)  # the list opens in a window of its own
        page.keyboard.press(key)
