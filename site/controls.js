// Draws what the reader steers with: chapters, script, steps.
import { html, nothing, svg } from 'lit-html';
import { chapterOf } from './chapters.js';
import { button, icon, plural, say } from './parts.js';
import {
  SPEEDS,
  append,
  atEnd,
  changed,
  go,
  longest,
  moveTo,
  openChapter,
  play,
  rerun,
  rowOf,
  state,
  step,
  titleOf,
  useScript,
} from './player.js';
import { LARGEST_SIZE, liveBlocks } from './script.js';
import { workloads } from './workloads.js';

export function drawChapters() {
  return html`<nav class="chapters" aria-label="allocators">
    <ol>
      ${state.rows.map(({ name, idea }, index) => {
        const chosen = state.names[0] === name;
        return html`<li>
          <button
            type="button"
            data-chapter=${name}
            title=${idea}
            aria-current=${chosen ? 'page' : nothing}
            @click=${() => go(() => openChapter(name))}
          >
            <b>${index + 1}</b><span>${name}</span><small>${idea}</small>
          </button>
        </li>`;
      })}
    </ol>
  </nav>`;
}

export function drawLesson() {
  const [name] = state.names;
  const chapter = chapterOf(rowOf(name));
  const facts = [
    ['malloc', chapter.malloc],
    ['free', chapter.free],
    ['choose it', chapter.choose && `for ${chapter.choose}`],
  ].filter(([, fact]) => fact);
  return html`<article class="lesson">
    <p class="lead">${chapter.lead}</p>
    ${chapter.text && html`<p>${chapter.text}</p>`}
    <dl>
      ${facts.map(
        ([term, fact]) =>
          html`<div>
            <dt>${term}</dt>
            <dd>${fact}</dd>
          </div>`,
      )}
    </dl>
    ${chapter.watch && html`<p class="watch"><b>Watch.</b> ${chapter.watch}</p>`}
    ${button('Run this chapter’s script', () => go(() => useScript(chapter.script)))}
  </article>`;
}

// ---- the script ----

export function drawScript() {
  const lessons = state.rows
    .map((row) => ({ name: titleOf(row.name), script: chapterOf(row).script }))
    .filter(({ script }) => workloads.every((workload) => workload.script !== script));
  const groups = { 'how programs ask for memory': workloads, chapters: lessons };
  const known = [...workloads, ...lessons].map(({ script }) => script);
  const line = state.call ? state.requests[state.call - 1]?.line : undefined;
  const count = state.script.split('\n').length;
  return html`<section class="script" aria-label="script">
    <h2>Script</h2>
    <label class="choice"
      ><span>Workload</span>
      <select aria-label="workload" @change=${(event) => go(() => useScript(event.target.value))}>
        <option value="" disabled .selected=${!known.includes(state.script)}>your own</option>
        ${Object.entries(groups).map(
          ([label, scripts]) =>
            html`<optgroup label=${label}>
              ${scripts.map(
                ({ name, script }) =>
                  html`<option value=${script} .selected=${script === state.script}>
                    ${name}
                  </option>`,
              )}
            </optgroup>`,
        )}
      </select></label
    >
    <div class="editor ${state.error ? 'wrong' : ''}">
      <pre class="numbers" aria-hidden="true">
${Array.from(
          { length: count },
          (_, index) =>
            html`<span
              class="${index + 1 === line ? 'here' : ''} ${index + 1 === state.error?.line ? 'error' : ''}"
              >${index + 1}</span
            >`,
        )}</pre>
      <textarea
        aria-label="script"
        aria-describedby="script-error"
        aria-invalid=${state.error ? 'true' : 'false'}
        spellcheck="false"
        autocomplete="off"
        wrap="off"
        rows="12"
        .value=${state.script}
        @input=${edit}
        @scroll=${(event) => {
          event.target.previousElementSibling.scrollTop = event.target.scrollTop;
        }}
      ></textarea>
    </div>
    <p id="script-error" class="error" role="alert">${state.error?.message ?? ''}</p>
    ${drawHand()}
    <details>
      <summary>What a script can say</summary>
      <pre>
a = alloc 24      sizes are in bytes
alloc 16..200     a random size
a = realloc a 48
free a
free oldest       newest, random, all
free every 2      of the blocks there are
sbrk 64           other code takes memory
repeat 5 { … }
seed 7            other random numbers
# a comment</pre>
    </details>
  </section>`;
}

let waiting;

/** Takes over what is typed, and runs it when there is a pause. */
function edit(event) {
  state.script = event.target.value;
  clearTimeout(waiting);
  waiting = setTimeout(() => go(rerun), 250);
  changed();
}

function nameOfSelected() {
  return liveBlocks(state.requests, state.requests.length).get(state.selected);
}

function drawHand() {
  const live = liveBlocks(state.requests);
  const name = nameOfSelected();
  const broken = Boolean(state.error);
  return html`<div class="hand" role="group" aria-label="by hand">
    <label
      ><span>bytes</span
      ><input
        type="number"
        min="0"
        max=${LARGEST_SIZE}
        .value=${String(state.size)}
        @change=${(event) => {
          state.size = Math.max(
            0,
            Math.min(LARGEST_SIZE, Math.round(Number(event.target.value) || 0)),
          );
          event.target.value = state.size;
          changed();
        }}
    /></label>
    ${button('alloc', () => go(() => append(`alloc ${state.size}`)), { disabled: broken })}
    <label
      ><span>block</span
      ><select
        aria-label="block"
        @change=${(event) => {
          state.selected = event.target.value === '' ? undefined : Number(event.target.value);
          changed();
        }}
      >
        <option value="" .selected=${state.selected === undefined}>choose, or click on it</option>
        ${[...live].map(
          ([block, label]) =>
            html`<option value=${block} .selected=${block === state.selected}>${label}</option>`,
        )}
      </select></label
    >
    ${button('free', () => go(() => append(`free ${name}`)), { disabled: broken || name === undefined })}
    ${button('realloc', () => go(() => append(`${name} = realloc ${name} ${state.size}`)), { disabled: broken || name === undefined })}
    ${button('sbrk', () => go(() => append(`sbrk ${state.size}`)), { disabled: broken, label: 'other code takes memory' })}
    ${button('clear', () => go(() => useScript('')), { label: 'empty the script' })}
  </div>`;
}

// ---- steps ----

export function drawPlayer() {
  const start = state.call === 0;
  const most = longest();
  const line = state.line === Infinity ? most : state.line;
  return html`<div class="player" role="group" aria-label="steps">
    ${button(icon('start'), () => go(() => moveTo(0)), { label: 'to the beginning', key: 'Home', disabled: start })}
    <span class="group">
      ${button(icon('back'), () => go(() => step('call', -1)), { label: 'one call back', key: '←', disabled: start })}
      <span class="count">call <b>${state.call}</b> of ${state.requests.length}</span>
      ${button(icon('on'), () => go(() => step('call', 1)), { label: 'one call on', key: '→', disabled: atEnd() })}
    </span>
    <span class="group">
      ${button(icon('up'), () => go(() => step('line', -1)), { label: 'one line back', key: 'Shift+←', disabled: start })}
      <span class="count">line <b>${line}</b> of ${most}</span>
      ${button(icon('down'), () => go(() => step('line', 1)), { label: 'one line on', key: 'Shift+→', disabled: atEnd() })}
    </span>
    ${button(icon('end'), () => go(() => moveTo(state.requests.length)), { label: 'to the end', key: 'End', disabled: atEnd() })}
    <span class="group">
      ${button(html`${icon(state.playing ? 'pause' : 'on')} ${state.playing ? 'Pause' : 'Play'}`, play, { label: state.playing ? 'Pause' : 'Play', key: 'Space', disabled: !state.requests.length, primary: true })}
      <select
        aria-label="play by"
        @change=${({ target }) => {
          state.unit = target.value;
        }}
      >
        <option value="call" .selected=${state.unit === 'call'}>by calls</option>
        <option value="line" .selected=${state.unit === 'line'}>by lines</option>
      </select>
      <input
        type="range"
        aria-label="speed"
        title="speed"
        min="0"
        max=${SPEEDS.length - 1}
        .value=${String(state.speed)}
        @input=${({ target }) => {
          state.speed = Number(target.value);
        }}
      />
    </span>
    ${drawCompare()}
  </div>`;
}

function drawCompare() {
  const others = state.rows.filter(({ name }) => name !== state.names[0]);
  return html`<select
    class="compare"
    aria-label="compare with"
    @change=${({ target }) =>
      go(() => {
        state.names = [state.names[0], target.value].filter(Boolean);
        return rerun();
      })}
  >
    <option value="" .selected=${state.names.length === 1}>compare …</option>
    ${others.map(
      ({ name }) =>
        html`<option value=${name} .selected=${state.names[1] === name}>
          + ${titleOf(name)}
        </option>`,
    )}
  </select>`;
}

const BAR_HEIGHT = 44;
const THUMB = 16;
const FEWEST_BARS = 24; // a bar is not wider than where there are so many

export function drawTimeline() {
  const count = state.requests.length;
  const most = Math.max(
    1,
    ...state.panes.flatMap(({ simulation }) =>
      simulation.results.map(({ statements }) => statements),
    ),
  );
  const height = BAR_HEIGHT;
  const width = 1000;
  const share = 1 / Math.max(count, FEWEST_BARS);
  const each = width * share;
  return html`<div
    class="timeline"
    style="--share: ${share}; --count: ${count}; --thumb: ${THUMB}px"
  >
    ${state.panes.map(
      ({ name, simulation }) =>
        html`<div class="bars" data-bars=${name}>
          <span>${titleOf(name)}</span>
          <svg viewBox="0 0 ${width} ${height}" preserveAspectRatio="none" aria-hidden="true">
            ${simulation.results.map(({ statements }, index) => {
              const bar = Math.max(1.5, Math.sqrt(statements / most) * (height - 2));
              return svg`<g class=${index + 1 === state.call ? 'here' : ''} @click=${() => go(() => moveTo(index + 1))}>
              <rect class="hit" x=${index * each} y="0" width=${each} height=${height}></rect>
              <rect class="bar ${state.requests[index].kind}" x=${index * each + each * 0.1} y=${height - bar}
                width=${each * 0.8} height=${bar}></rect>
              <title>${say(state.requests[index])}: ${plural(statements, 'statement')}</title>
            </g>`;
            })}
          </svg>
        </div>`,
    )}
    <input
      type="range"
      min="0"
      max=${count}
      .value=${String(state.call)}
      aria-label="request"
      aria-valuetext=${state.call ? say(state.requests[state.call - 1]) : 'the beginning'}
      @input=${(event) => go(() => moveTo(Number(event.target.value)))}
    />
    <p class="hint">
      A bar for each request: the statements of C that ran, drawn by their square root. Click on one
      to go there.
    </p>
  </div>`;
}
