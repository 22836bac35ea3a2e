// Small parts of the page that several others use.
import { html, nothing } from 'lit-html';

/**
 * A button.
 *
 * @param {unknown} text what is on it
 * @param {() => void} action
 * @param {{ label?: string, disabled?: boolean, key?: string, primary?: boolean }} [options] `label` says what
 *   it does, where the text does not; `key` does the same
 */
export function button(text, action, { label, disabled, key, primary } = {}) {
  return html`<button
    type="button"
    class=${primary ? 'primary' : nothing}
    aria-label=${label ?? nothing}
    title=${key ? `${label} (${key})` : (label ?? nothing)}
    ?disabled=${disabled}
    @click=${action}
  >
    ${text}
  </button>`;
}

const ICONS = {
  start: 'M3,3 V13 M13,3 L5,8 L13,13 z',
  end: 'M13,3 V13 M3,3 L11,8 L3,13 z',
  back: 'M11,3 L4,8 L11,13 z',
  on: 'M5,3 L12,8 L5,13 z',
  up: 'M3,11 L8,4 L13,11 z',
  down: 'M3,5 L8,12 L13,5 z',
  pause: 'M4,3 H7 V13 H4 z M9,3 H12 V13 H9 z',
};

export function icon(name) {
  return html`<svg class="icon" width="16" height="16" aria-hidden="true">
    <path d=${ICONS[name]}></path>
  </svg>`;
}

export const plural = (count, word) =>
  `${count.toLocaleString('en')} ${word}${count === 1 ? '' : 's'}`;

/** A request, as the script would say it. */
export function say({ kind, name, bytes }) {
  return {
    alloc: `${name} = alloc ${bytes}`,
    realloc: `${name} = realloc ${name} ${bytes}`,
    free: `free ${name}`,
    sbrk: `sbrk ${bytes}`,
  }[kind];
}
