/* The table of trials: filters, sorting, a spoken count of rows, and an address that can be shared.
   The table is whole without this script; DataTables (vendor/datatables) sorts and searches it. */
document.addEventListener('DOMContentLoaded', () => {
  const table = document.querySelector('table.trial-table');
  const form = document.querySelector('form.trial-filters');
  if (!table || !form || !window.DataTable) return;
  const count = form.querySelector('[role="status"]');
  // The names of the sort buttons are made from the headings as HTML, where such a space is a code.
  table.tHead.querySelectorAll('p').forEach((words) => { words.textContent = words.textContent.replaceAll('\u00a0', ' '); });
  const head = [...table.tHead.rows[0].cells].map((cell) => cell.textContent.trim());
  const numbers = [...table.tBodies[0].rows[0].cells].flatMap((cell, index) => ('number' in cell.dataset ? [index] : []));

  const asked = new URLSearchParams(location.search);
  for (const field of form.elements) {
    if (field.name && asked.has(field.name)) field.value = asked.get(field.name);
  }
  const [column, direction] = (asked.get('sort') || '').split('.');
  const start = /^\d+$/.test(column) && column < head.length && ['asc', 'desc'].includes(direction);

  const view = new DataTable(table, {
    paging: false,
    info: false,
    autoWidth: false,
    layout: { topStart: null, topEnd: null, bottomStart: null, bottomEnd: null },
    order: start ? [[Number(column), direction]] : [],
    // The largest number first, and cells without one last.
    columnDefs: [{ targets: numbers, type: 'num', orderSequence: ['desc', 'asc', ''] }],
    language: { aria: { orderable: ': sort by this column', orderableReverse: ': sort the other way round', orderableRemove: ': leave unsorted' } },
  });

  const values = () => [...form.elements].filter((field) => field.name && field.value).map((field) => [field.name, field.value]);
  // Every filter but the search asks the row's own words, which are separated by semicolons.
  view.search.fixed('filters', (_text, _data, index) => {
    const row = view.row(index).node();
    return values().every(([name, value]) => name === 'q' || row.dataset[name].split(';').includes(value));
  });

  const show = () => {
    view.search(form.elements.q.value).draw();
  };
  view.on('draw', () => {
    const { recordsDisplay, recordsTotal } = view.page.info();
    const [order] = view.order();
    const sorted = order && order[1] ? `, sorted by ${head[order[0]]}, ${order[1] === 'asc' ? 'ascending' : 'descending'}` : '';
    count.textContent = `${recordsDisplay} of ${recordsTotal} rows shown${sorted}.`;
    const state = new URLSearchParams(values());
    if (sorted) state.set('sort', `${order[0]}.${order[1]}`);
    history.replaceState(null, '', `${location.pathname}${state.size ? `?${state}` : ''}${location.hash}`);
  });
  form.addEventListener('input', show);
  form.addEventListener('submit', (event) => event.preventDefault());
  form.addEventListener('reset', () => setTimeout(() => { view.order([]); show(); }));
  form.hidden = false;
  show();
});
