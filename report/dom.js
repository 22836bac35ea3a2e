// Makes elements. Usage: element('p', { class: 'note' }, 'text', element('b', {}, 'more'))

/** Properties that begin with "on" are listeners; false and undefined leave an attribute out. */
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith('on')) made.addEventListener(name.slice(2), value);
    else if (value !== undefined && value !== false)
      made.setAttribute(name, value === true ? '' : value);
  }
  made.append(...children.flat().filter((child) => child !== undefined));
  return made;
}

/** A number as people read it, and, for programs, as it is. */
export function amount(value, text) {
  return element('data', { value }, text(value));
}

/** A table; cells of the first column are heads, those of others are numbers unless they are elements. */
export function table({ caption, heads, rows }) {
  const cell = (content, index) =>
    element(index ? 'td' : 'th', index ? {} : { scope: 'row' }, content);
  return element(
    'table',
    {},
    element('caption', {}, caption),
    element(
      'thead',
      {},
      element(
        'tr',
        {},
        heads.map((head) => element('th', { scope: 'col' }, head)),
      ),
    ),
    element(
      'tbody',
      {},
      rows.map((row) => element('tr', {}, row.map(cell))),
    ),
  );
}

/** A table that stands in for a picture, folded up. */
export function asTable(options) {
  return element(
    'details',
    { class: 'as-table' },
    element('summary', {}, 'as a table'),
    element(
      'div',
      { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': options.caption },
      table(options),
    ),
  );
}

/** Buttons of which one is pressed. */
export function choice(label, options, onChoose) {
  const buttons = Object.entries(options).map(([value, text], index) =>
    element(
      'button',
      { type: 'button', 'data-value': value, 'aria-pressed': String(index === 0) },
      text,
    ),
  );
  for (const button of buttons)
    button.addEventListener('click', () => {
      for (const each of buttons) each.setAttribute('aria-pressed', String(each === button));
      onChoose(button.dataset.value);
    });
  return element('div', { class: 'choice', role: 'group', 'aria-label': label }, buttons);
}

/** Draws anew whenever the width changes; `draw` gets it, in pixels. */
export function whenWidthChanges(box, draw) {
  let width = 0;
  new ResizeObserver(() => {
    const now = Math.floor(box.clientWidth);
    if (now === width || now === 0) return;
    width = now;
    draw(width);
  }).observe(box);
}
