/* Repairs to the theme's pages for people who read with a screen reader or a keyboard.
   Each removes a fault that an accessibility engine reports on the theme as it comes. */
document.addEventListener('DOMContentLoaded', () => {
  const all = (selector, change) => document.querySelectorAll(selector).forEach(change);

  // A visible text must be part of the accessible name: let the text be the name.
  all('button.search-button-field, details summary[aria-label]', (element) => element.removeAttribute('aria-label'));

  // Icon-only buttons, and what they do, in the book's spelling.
  const names = [
    ['button.theme-switch-button', 'Colour mode'],
    ['button.search-button', 'Search'],
    ['.dropdown-launch-buttons > button', 'Run this page'],
    ['.dropdown-download-buttons > button', 'Download this page'],
    ['button.primary-toggle', 'Show or hide the contents of the book'],
    ['button.secondary-toggle', 'Show or hide the contents of this page'],
  ];
  for (const [selector, name] of names) {
    all(selector, (button) => {
      button.setAttribute('aria-label', name);
      button.title = name;
    });
  }

  // The arrow that opens a part of the contents is drawn, so it has no text for a name.
  all('.bd-links details > summary', (summary) => {
    const part = summary.closest('li')?.querySelector('a')?.textContent.trim();
    summary.setAttribute('aria-label', `Pages under ${part}`);
  });

  // The bibliography is marked up with roles that no longer exist or lack their parent.
  all('.citation[role], .citation-list[role]', (element) => element.removeAttribute('role'));

  // Content outside every landmark cannot be jumped to.
  all('.bd-sidebar-primary .sidebar-primary-items__start', (element) => {
    element.setAttribute('role', 'region');
    element.setAttribute('aria-label', 'Book');
  });
});

// What is wider than the page scrolls by itself, so the keyboard must be able to reach it.
window.addEventListener('load', async () => {
  await window.MathJax?.startup?.promise;
  // Panels side by side keep a size at which their words can be read, as drawn diagrams do. On
  // a phone, letters of ten points in a wider drawing would be smaller than seven and a half pixels.
  document.querySelectorAll('.bd-article figure:not(.drawn) img').forEach((image) => {
    if (image.naturalWidth > 620) image.closest('figure').classList.add('panels');
  });
  const wide = [['div.math', 'Equation'], ['figure.drawn', 'Diagram'], ['figure.panels', 'Figure']];
  const letScroll = () => {
    for (const [selector, name] of wide) {
      document.querySelectorAll(selector).forEach((block) => {
        if (block.scrollWidth > block.clientWidth) {
          block.tabIndex = 0;
          block.setAttribute('role', 'group');
          block.setAttribute('aria-label', `${name}, scrolls sideways`);
        }
      });
    }
  };
  letScroll();
  window.addEventListener('resize', letScroll);
});
