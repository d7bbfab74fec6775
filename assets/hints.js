/* Shows what a link to a term or a reference means, while the pointer or the keyboard is on it.
   The texts are in the page, hidden; tools/book_ext/hints.py wrote them there.
   Escape hides a hint, the pointer may move onto it, and it stays until the link is left.
   On a touch screen the first tap shows the hint and the second follows the link. */
document.addEventListener('DOMContentLoaded', () => {
  const GAP = 6; // pixels between link and hint
  const MARGIN = 12; // pixels between hint and window
  const SHOW_AFTER = 120; // milliseconds, so that a pointer that passes by opens nothing
  const HIDE_AFTER = 250; // milliseconds, so that a pointer can cross the gap

  const hints = new Map();
  document.querySelectorAll('.hint[data-for]').forEach((hint) => hints.set(hint.dataset.for, hint));
  if (!hints.size) return;

  let open = null; // the hint that is shown
  let link = null; // the link that it belongs to
  let timer = 0;

  const close = () => {
    if (open) open.hidden = true;
    open = link = null;
  };

  const hide = () => {
    clearTimeout(timer);
    close();
  };

  const place = () => {
    if (!open) return;
    // A link that is broken over two lines has two boxes: the hint goes to the first.
    const [box] = link.getClientRects();
    // Another hint may be about to open: its timer goes on.
    if (!box || box.bottom < 0 || box.top > window.innerHeight) { close(); return; }
    const { width, height } = open.getBoundingClientRect();
    const room = document.documentElement.clientWidth - width - MARGIN;
    open.style.left = `${Math.max(MARGIN, Math.min(box.left, room))}px`;
    const below = box.bottom + GAP;
    const above = box.top - GAP - height;
    const fitsBelow = below + height + MARGIN <= window.innerHeight;
    open.style.top = `${fitsBelow || above < MARGIN ? below : above}px`;
  };

  const show = (target, byTouch = false) => {
    clearTimeout(timer);
    if (target === link) return;
    close();
    link = target;
    open = document.getElementById(target.getAttribute('aria-describedby'));
    open.classList.toggle('by-touch', byTouch);
    open.hidden = false;
    place();
  };

  const hideSoon = () => {
    clearTimeout(timer);
    timer = setTimeout(hide, HIDE_AFTER);
  };

  document.querySelectorAll('.bd-article a.reference[href]').forEach((target) => {
    const hint = hints.get(target.getAttribute('href'));
    if (!hint) return;
    target.setAttribute('aria-describedby', hint.id);
    let touched = false;
    target.addEventListener('pointerdown', (event) => { touched = event.pointerType === 'touch'; });
    target.addEventListener('click', (event) => {
      if (touched && link !== target) {
        event.preventDefault();
        show(target, true);
      }
      touched = false;
    });
    target.addEventListener('pointerenter', (event) => {
      if (event.pointerType === 'touch') return;
      clearTimeout(timer);
      timer = setTimeout(() => show(target), SHOW_AFTER);
    });
    target.addEventListener('pointerleave', (event) => {
      if (event.pointerType !== 'touch' && document.activeElement !== target) hideSoon();
    });
    // A finger focuses a link before its click, which must still find the hint closed.
    target.addEventListener('focus', () => { if (!touched) show(target); });
    target.addEventListener('blur', hideSoon);
  });

  hints.forEach((hint) => {
    hint.addEventListener('pointerenter', () => clearTimeout(timer));
    hint.addEventListener('pointerleave', () => { if (document.activeElement !== link) hideSoon(); });
  });

  document.addEventListener('keydown', (event) => { if (event.key === 'Escape') hide(); });
  document.addEventListener('pointerdown', (event) => {
    if (open && !open.contains(event.target) && !link.contains(event.target)) hide();
  });
  window.addEventListener('scroll', place, { passive: true, capture: true });
  window.addEventListener('resize', place);
});
