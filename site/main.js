// The playground: draws the page, and keeps it in its address.
import { html, render } from 'lit-html';
import { chapterOf } from './chapters.js';
import { drawChapters, drawLesson, drawPlayer, drawScript, drawTimeline } from './controls.js';
import { drawLegend, drawPane, drawSource } from './panes.js';
import { button } from './parts.js';
import { go, moveTo, onChange, play, readJson, rerun, rowOf, state, step } from './player.js';

const THEMES = { auto: 'system colours', light: 'light', dark: 'dark' };

const page = document.getElementById('page');

// ---- the address ----

function saveToAddress() {
  const parameters = new URLSearchParams({
    a: state.names.join(','),
    call: state.call,
    script: state.script,
  });
  if (state.line !== Infinity) parameters.set('line', state.line);
  history.replaceState(null, '', `#${parameters}`);
}

/** Not at every step: browsers take it amiss. */
let saving;
function saveSoon() {
  clearTimeout(saving);
  saving = setTimeout(saveToAddress, 200);
}

async function readAddress() {
  const parameters = new URLSearchParams(location.hash.slice(1));
  const known = (parameters.get('a') ?? '').split(',').filter(rowOf);
  state.names = known.length ? [...new Set(known)].slice(0, 2) : [state.rows[0].name];
  state.script = parameters.get('script') ?? chapterOf(rowOf(state.names[0])).script;
  const number = (name, otherwise) => {
    const value = Number(parameters.get(name) ?? NaN);
    return Number.isInteger(value) && value >= 0 ? value : otherwise;
  };
  await rerun({ call: number('call', 1), line: number('line', Infinity) });
}

// ---- drawing ----

function changeTheme() {
  const names = Object.keys(THEMES);
  const root = document.documentElement;
  const next = names[(names.indexOf(root.dataset.theme) + 1) % names.length];
  root.dataset.theme = next;
  try {
    localStorage.setItem('wasmalloc-theme', next);
  } catch {
    // No storage here: it lasts as long as the page.
  }
  draw();
}

let copied = false;

async function copyLink() {
  saveToAddress();
  await navigator.clipboard?.writeText(location.href);
  copied = true;
  draw();
  setTimeout(() => {
    copied = false;
    draw();
  }, 1500);
}

function draw() {
  render(
    html`<header class="top">
        <div>
          <h1>wasmalloc <span>playground</span></h1>
          <p>Five allocators, each one idea more than the one before. Watch them at work.</p>
        </div>
        <div class="tools">
          ${button(copied ? 'copied' : 'copy link', copyLink, { label: 'copy a link to what is shown' })}
          ${button(THEMES[document.documentElement.dataset.theme] ?? 'system colours', changeTheme, { label: 'change the colours' })}
        </div>
      </header>
      ${drawChapters()}
      <main>
        <div class="left">${drawLesson()} ${drawScript()}</div>
        <div class="right">
          ${drawPlayer()} ${drawTimeline()}
          <div class="panes count-${state.panes.length}">${state.panes.map(drawPane)}</div>
          ${drawLegend()}
        </div>
      </main>
      <footer>
        <p>
          The modules are compiled from the sources in <code>lib/</code> with a hook at each
          statement, and run in your browser. Keys: ← → by calls, Shift with them by lines, Home,
          End, Space plays.
        </p>
      </footer>`,
    page,
  );
  state.panes.forEach(drawSource);
}

// ---- keys ----

const KEYS = {
  ArrowLeft: ({ shiftKey }) => step(shiftKey ? 'line' : 'call', -1),
  ArrowRight: ({ shiftKey }) => step(shiftKey ? 'line' : 'call', 1),
  Home: () => moveTo(0),
  End: () => moveTo(state.requests.length),
};

document.addEventListener('keydown', (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  const { target } = event;
  if (target.closest('input, select, textarea')) return;
  if (event.key === ' ' && !target.closest('button, summary')) {
    event.preventDefault();
    play();
  } else if (KEYS[event.key]) {
    event.preventDefault();
    go(() => KEYS[event.key](event));
  }
});

let resized;
addEventListener('resize', () => {
  cancelAnimationFrame(resized);
  resized = requestAnimationFrame(draw);
});
addEventListener('hashchange', () => go(readAddress));

onChange(draw);
onChange(saveSoon);

try {
  [state.rows, state.sources] = await Promise.all(
    ['allocators.json', 'sources.json'].map(readJson),
  );
  await go(readAddress);
} catch (error) {
  render(html`<p class="failed">The playground cannot start: ${error.message}</p>`, page);
  throw error;
}
