// Who holds memory: a flame graph, and a table.
// Usage: holders({ id, title, holders, names, … })
import { hierarchy, partition } from 'd3-hierarchy';
import { countText, shareText, sizeText } from '../js/report/text.js';
import { amount, element } from './dom.js';

const ROW = 23; // pixels
const FEW_ROWS = 12;

/** Frames that would be narrower, as a part of the whole, are left out until one looks closer. */
const NARROWEST = 0.0012;

function frameOf(name) {
  const [text, place = ''] = name.split('\t');
  return { text, place };
}

/**
 * Puts the holders together whose frames have the same names, wherever in these functions the calls stand. A place is
 * kept where all agree.
 */
function merge(rows, names) {
  const merged = new Map();
  for (const { frames, bytes, blocks } of rows) {
    const each = frames.map((frame) => frameOf(names[frame]));
    const key = each.map(({ text }) => text).join('\n');
    const row = merged.get(key);
    if (!row) {
      merged.set(key, { frames: each, bytes, blocks });
      continue;
    }
    row.bytes += bytes;
    row.blocks += blocks;
    for (const [i, frame] of row.frames.entries())
      if (frame.place !== each[i].place) frame.place = '';
  }
  return [...merged.values()].sort((a, b) => b.bytes - a.bytes);
}

/** The rows as a tree: what begins with the same frames has one root. */
function treeOf(rows) {
  const root = { name: 'all of it', children: new Map(), bytes: 0, blocks: 0 };
  for (const { frames, bytes, blocks } of rows) {
    let node = root;
    for (const { text } of frames) {
      let child = node.children.get(text);
      if (!child) {
        child = { name: text, children: new Map(), bytes: 0, blocks: 0 };
        node.children.set(text, child);
      }
      node = child;
    }
    node.bytes += bytes;
    node.blocks += blocks;
  }
  return root;
}

/** A tint for each name, the same everywhere. */
function tint(name) {
  let hash = 0;
  for (const character of name) hash = (hash * 31 + character.codePointAt(0)) | 0;
  return 18 + (Math.abs(hash) % 5) * 9;
}

/** The flame graph, with the outermost frames on top. */
class Flames {
  #root;
  #focus;
  #box;
  #status;
  #chosen;
  #filter = '';
  #buttons = new Map();

  constructor(rows, label) {
    const tree = hierarchy(treeOf(rows), (node) => [...node.children.values()])
      .sum((node) => node.bytes)
      .sort((a, b) => b.value - a.value);
    this.#root = partition()(tree);
    this.#root.eachAfter((node) => {
      node.blocks =
        node.data.blocks + (node.children ?? []).reduce((sum, child) => sum + child.blocks, 0);
    });
    this.#focus = this.#root;
    this.#chosen = this.#root;
    this.#box = element('div', {
      class: 'flames',
      role: 'tree',
      'aria-label': `${label}; arrow keys move, Enter looks closer, Escape goes back`,
      onkeydown: (event) => this.#onKey(event),
      onmouseleave: () => this.#tell(this.#chosen),
    });
    this.#status = element('p', { class: 'status', 'aria-live': 'polite' });
    this.#draw();
    this.#tell(this.#chosen);
  }

  get elements() {
    return [this.#box, this.#status];
  }

  filter(text) {
    this.#filter = text.toLowerCase();
    for (const [node, button] of this.#buttons)
      button.classList.toggle('dim', !this.#matches(node));
  }

  #matches(node) {
    if (!this.#filter) return true;
    const has = (each) => each.data.name.toLowerCase().includes(this.#filter);
    return node.ancestors().some(has) || node.descendants().some(has);
  }

  #draw() {
    const focus = this.#focus;
    const scale = 1 / Math.max(Number.MIN_VALUE, focus.x1 - focus.x0);
    const shown = this.#root
      .descendants()
      .filter(
        (node) =>
          node.value > 0 &&
          node.x1 > focus.x0 &&
          node.x0 < focus.x1 &&
          (node.x1 - node.x0) * scale >= NARROWEST,
      );
    const depth = Math.max(1, ...shown.map((node) => node.depth + 1));
    this.#buttons = new Map(shown.map((node) => [node, this.#button(node, scale)]));
    this.#box.style.height = `${depth * ROW}px`;
    this.#box.replaceChildren(...this.#buttons.values());
    if (!this.#buttons.has(this.#chosen)) this.#chosen = focus;
    this.#buttons.get(this.#chosen)?.setAttribute('tabindex', '0');
  }

  #button(node, scale) {
    const left = Math.max(0, (node.x0 - this.#focus.x0) * scale);
    const right = Math.min(1, (node.x1 - this.#focus.x0) * scale);
    const text = node.data.name;
    const isAbove = node.depth < this.#focus.depth;
    return element(
      'button',
      {
        type: 'button',
        role: 'treeitem',
        tabindex: '-1',
        class: `${isAbove ? 'above' : ''} ${this.#matches(node) ? '' : 'dim'}`,
        'aria-level': node.depth + 1,
        'aria-label': `${text}, ${sizeText(node.value)}`,
        'data-bytes': node.value,
        'data-name': text,
        'data-depth': node.depth,
        style: `left:${left * 100}%;width:${(right - left) * 100}%;top:${node.depth * ROW}px;--tint:${tint(text)}%`,
        onclick: () => this.#look(node),
        onmouseenter: () => this.#tell(node),
        onfocus: () => this.#choose(node),
      },
      element('span', {}, text),
    );
  }

  #look(node) {
    this.#focus = node === this.#focus ? (node.parent ?? node) : node;
    this.#chosen = node;
    this.#draw();
    this.#buttons.get(node)?.focus();
    this.#tell(node);
  }

  #choose(node) {
    for (const button of this.#buttons.values()) button.setAttribute('tabindex', '-1');
    this.#buttons.get(node)?.setAttribute('tabindex', '0');
    this.#chosen = node;
    this.#tell(node);
  }

  #tell(node) {
    const path = node.ancestors().reverse().slice(1);
    const names = path.map((each) => each.data.name);
    this.#status.replaceChildren(
      element('b', {}, sizeText(node.value)),
      ` (${shareText(node.value, this.#root.value)}) in ${countText(node.blocks)} ${node.blocks === 1 ? 'block' : 'blocks'}`,
      element('span', { class: 'path' }, ` ${names.join(' › ')}`),
    );
  }

  #onKey(event) {
    const node = this.#chosen;
    const siblings = (node.parent?.children ?? [node]).filter((each) => this.#buttons.has(each));
    const at = siblings.indexOf(node);
    const next = {
      ArrowDown: () => node.children?.find((child) => this.#buttons.has(child)),
      ArrowUp: () => node.parent,
      ArrowRight: () => siblings[at + 1],
      ArrowLeft: () => siblings[at - 1],
      Home: () => this.#root,
    }[event.key];
    if (next) {
      event.preventDefault();
      this.#buttons.get(next())?.focus();
    } else if (event.key === 'Escape') this.#look(this.#root);
  }
}

/** A stack in a table: the innermost frame, by whom it was called, and all when it is unfolded. */
function stackCell(frames, hasStacks) {
  const inner = frames.toReversed();
  if (!hasStacks)
    return inner
      .map(({ text }) => text)
      .reverse()
      .join(', ');
  if (inner.length < 2) return element('b', { class: 'frame' }, inner[0].text);
  const line = (frame) =>
    element(
      'li',
      {},
      element('span', { class: 'frame' }, frame.text),
      element('small', {}, ` ${frame.place}`),
    );
  return element(
    'details',
    {},
    element(
      'summary',
      {},
      element('b', { class: 'frame' }, inner[0].text),
      element(
        'span',
        { class: 'callers' },
        ` ‹ ${inner
          .slice(1, 5)
          .map(({ text }) => text)
          .join(' ‹ ')}`,
      ),
    ),
    element('ol', { class: 'stack' }, inner.map(line)),
  );
}

function holderTable(rows, { total, hasStacks, caption }) {
  const body = element('tbody');
  const more = element('button', { type: 'button', class: 'more' });
  let filter = '';
  let showsAll = false;
  const rowOf = ({ frames, bytes, blocks }) =>
    element(
      'tr',
      {},
      element('th', { scope: 'row' }, stackCell(frames, hasStacks)),
      element('td', {}, amount(bytes, sizeText)),
      element(
        'td',
        { class: 'share' },
        element('i', { style: `width:${total ? (100 * bytes) / total : 0}%` }),
        element('span', {}, shareText(bytes, total)),
      ),
      element('td', {}, amount(blocks, countText)),
      element('td', {}, sizeText(Math.round(bytes / blocks))),
    );
  const draw = () => {
    const found = rows.filter(({ frames }) =>
      frames.some(({ text }) => text.toLowerCase().includes(filter)),
    );
    const shown = showsAll ? found : found.slice(0, FEW_ROWS);
    body.replaceChildren(...shown.map(rowOf));
    more.hidden = shown.length === found.length;
    more.textContent = `show all ${countText(found.length)}`;
  };
  more.addEventListener('click', () => {
    showsAll = true;
    draw();
  });
  draw();
  const heads = [
    hasStacks ? 'call stack, innermost first' : 'who',
    'bytes',
    'share',
    'blocks',
    'on average',
  ];
  return {
    elements: [
      element(
        'div',
        { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': caption },
        element(
          'table',
          { class: 'holders' },
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
          body,
        ),
      ),
      more,
    ],
    filter(text) {
      filter = text.toLowerCase();
      draw();
    },
  };
}

/**
 * @param {{ id: string, title: string, lead: string, holders: object[], names: string[], hasStacks: boolean, explains: boolean,
 *   caption: string }} options whether the part `explains` how to record stacks
 */
export function holders({ id, title, lead, holders: all, names, hasStacks, explains, caption }) {
  const rows = merge(all, names);
  const total = rows.reduce((sum, { bytes }) => sum + bytes, 0);
  const heading = element('h2', { id: `${id}-title` }, title);
  const section = (...content) =>
    element('section', { id, 'aria-labelledby': `${id}-title` }, ...content);
  if (rows.length === 0)
    return section(element('header', {}, heading), element('p', { class: 'lead' }, lead));
  const flames = new Flames(rows, caption);
  const list = holderTable(rows, { total, hasStacks, caption });
  const search = element('input', {
    type: 'search',
    placeholder: hasStacks ? 'a function’s name' : 'a size or a thread',
    oninput: () => {
      flames.filter(search.value);
      list.filter(search.value);
    },
  });
  const how = element(
    'p',
    { class: 'note' },
    'This trace has no call stacks, so that memory can only be told apart by thread and size. To see which functions hold it, link with ',
    element('code', {}, '--use-port=…:trace=stacks'),
    ', and record again.',
  );
  return section(
    element('header', {}, heading, element('label', { class: 'search' }, 'find ', search)),
    element('p', { class: 'lead' }, lead),
    explains ? how : undefined,
    ...flames.elements,
    ...list.elements,
  );
}
