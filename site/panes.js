// Draws an allocator at work: its heap, its lists, its source. Usage: state.panes.map(drawPane)
import { html, nothing } from 'lit-html';
import { compare } from './events.js';
import { KINDS, heapPicture } from './heap-picture.js';
import { WORD } from './memory.js';
import { plural, say } from './parts.js';
import { addressOfSelected, select, state, titleOf } from './player.js';
import { SourceView } from './source-view.js';

/** An allocator's heap at the place where the page is, with the program's names for the blocks. */
function lookAt(pane, call, line = Infinity) {
  const { simulation, allocator, recording } = pane;
  const during = line !== Infinity && line < recording.length;
  const memory = during
    ? simulation.memoryDuring(call - 1, recording, line)
    : simulation.memoryAfter(call);
  const heap = allocator.read(memory, simulation.layout);
  const { names, freed } = simulation.programView(during ? call - 1 : call);
  for (const block of heap.blocks) {
    if (block.kind !== 'used') continue;
    const known = names.get(block.start + WORD);
    if (known) Object.assign(block, known);
    else if (freed.has(block.start + WORD)) block.kind = 'lost';
  }
  return heap;
}

function sumUp(heap) {
  const sum = (kinds) =>
    heap.blocks.reduce((total, { kind, size }) => (kinds.includes(kind) ? total + size : total), 0);
  const count = (kinds) => heap.blocks.filter(({ kind }) => kinds.includes(kind)).length;
  return {
    size: heap.end - heap.first,
    used: sum(['used']),
    usedBlocks: count(['used']),
    free: sum(['free', 'rest', 'object', 'deferred']),
    freeBlocks: count(['free', 'rest', 'object', 'deferred']),
    lost: sum(['lost']),
  };
}

function sayAnswer(pane) {
  if (!state.call) return 'Nothing has been asked for yet.';
  const { kind } = state.requests[state.call - 1];
  const { answer } = pane.simulation.results[state.call - 1];
  if (kind === 'free') return '';
  return answer || kind === 'sbrk' ? `→ ${answer}` : '→ 0: there is no memory';
}

function drawLists(heap) {
  const at = new Map(heap.blocks.map((block) => [block.start, block]));
  const shown = heap.lists.filter((list) => list.blocks.length || list.empty);
  return html`<div class="lists">
    ${heap.bits ? drawBits(heap) : nothing}
    ${
      shown.length
        ? shown.map(
            (list) =>
              html`<div class="list ${list.kind}" data-list=${list.name}>
                <div class="list-name">${list.name}<small>${list.note ?? ''}</small></div>
                <ol>
                  ${list.blocks.map((start, index) => {
                    const block = at.get(start);
                    return html`<li>
                      ${
                        list.kind === 'run'
                          ? nothing
                          : html`<span class="arrow" aria-hidden="true"
                              >${index && list.double ? '⇄' : '→'}</span
                            >`
                      }<span class="node ${block?.kind ?? 'unknown'}" data-start=${start}
                        ><b>${block?.size ?? '?'}</b><small>${start}</small></span
                      >
                    </li>`;
                  })}
                  ${list.blocks.length ? nothing : html`<li class="none">${list.empty}</li>`}
                </ol>
              </div>`,
          )
        : html`<p class="none">
            ${heap.bits ? 'All lists are empty.' : 'There is no list to show.'}
          </p>`
    }
  </div>`;
}

function drawBits({ bits }) {
  const set = bits.flatMap((bit, index) => (bit ? [index] : []));
  const last = Math.max(23, ...set);
  return html`<div class="bits">
    <div class="list-name">map<small>a bit for each bin</small></div>
    <div role="img" aria-label="bits set: ${set.join(', ') || 'none'}">
      ${bits
        .slice(0, last + 1)
        .map(
          (bit, index) =>
            html`<i class=${bit ? 'set' : ''} title="bin ${index}">${bit ? index : ''}</i>`,
        )}
    </div>
  </div>`;
}

function drawTable(heap) {
  return html`<details class="table">
    <summary>All blocks as a table</summary>
    <div class="scroll">
      <table>
        <thead>
          <tr>
            <th scope="col">address</th>
            <th scope="col">size</th>
            <th scope="col">name</th>
            <th scope="col">asked for</th>
            <th scope="col">what it is</th>
          </tr>
        </thead>
        <tbody>
          ${heap.blocks.map(
            (block) =>
              html`<tr>
                <td>${block.start}</td>
                <td>${block.size}</td>
                <td>${block.name ?? ''}</td>
                <td>${block.bytes ?? ''}</td>
                <td>${KINDS[block.kind]}</td>
              </tr>`,
          )}
        </tbody>
      </table>
    </div>
  </details>`;
}

/** The variables of the functions that are running, the innermost first. */
function drawFrames(pane) {
  const { recording } = pane;
  if (state.line === Infinity || state.line >= recording.length) return nothing;
  const { frames } = recording[state.line];
  const inner = frames.at(-1);
  return html`<div class="frames">
    <div class="stack" aria-label="functions that are running">
      ${frames.map(
        ({ name }, index) =>
          html`${index ? html`<span aria-hidden="true">›</span>` : nothing}<code
              class=${index === frames.length - 1 ? 'inner' : ''}
              >${name}</code
            >`,
      )}
    </div>
    <div class="variables">
      ${Object.entries(inner.values).map(
        ([name, { value, pointer }]) =>
          html`<span class=${pointer ? 'address' : ''}
            ><code>${name}</code> ${pointer && !value ? 'NULL' : value}</span
          >`,
      )}
    </div>
  </div>`;
}

function pointersOf(pane) {
  const { recording } = pane;
  if (state.line === Infinity || state.line >= recording.length) return [];
  return Object.entries(recording[state.line].frames.at(-1).values)
    .filter(([, { pointer, value }]) => pointer && value)
    .map(([name, { value }]) => ({ name, address: value }));
}

function writtenBy({ recording }) {
  if (state.line === Infinity || state.line >= recording.length) return [];
  const { changes } = recording[state.line];
  return changes.filter((_, index) => index % 2 === 0).map((word) => word * WORD);
}

function paneWidth(count) {
  const wide = window.innerWidth >= 1100;
  const sides = wide ? 372 : 0;
  const space = Math.min(window.innerWidth, 1720) - sides - (wide ? 96 : 68);
  return Math.floor(wide && count === 2 ? (space - 44) / 2 : space);
}

export function drawPane(pane, index) {
  const { name, recording, simulation } = pane;
  const heap = lookAt(pane, state.call, state.line);
  const before = state.call ? lookAt(pane, state.call - 1) : heap;
  const done = state.line === Infinity || state.line >= recording.length;
  const { events, changes } = compare(before, heap);
  const sums = sumUp(heap);
  const statements = state.call ? simulation.results[state.call - 1].statements : 0;
  const selected = addressOfSelected(pane);
  return html`<section class="pane" aria-label=${titleOf(name)} data-allocator=${name}>
    <header>
      <h2>${titleOf(name)}</h2>
      <dl class="sums">
        <div>
          <dt>heap</dt>
          <dd data-sum="size">${sums.size.toLocaleString('en')}</dd>
        </div>
        <div>
          <dt>used</dt>
          <dd data-sum="used">${sums.used.toLocaleString('en')}</dd>
        </div>
        <div>
          <dt>free</dt>
          <dd data-sum="free">${sums.free.toLocaleString('en')}</dd>
        </div>
        ${
          sums.lost
            ? html`<div>
                <dt>lost</dt>
                <dd data-sum="lost">${sums.lost.toLocaleString('en')}</dd>
              </div>`
            : nothing
        }
      </dl>
    </header>
    <p class="what" role="status">
      ${
        state.call
          ? html`<b>${say(state.requests[state.call - 1])}</b> ${
                done
                  ? html`${sayAnswer(pane)}<span class="cost"
                        >${plural(statements, 'statement')}</span
                      >`
                  : html`<span class="cost"
                      >${state.line} of ${plural(recording.length, 'statement')} have run</span
                    >`
              }`
          : 'Nothing has been asked for yet.'
      }
    </p>
    <ul class="events">
      ${done ? events.map((event) => html`<li>${event}</li>`) : nothing}
    </ul>
    <div class="picture">
      ${heapPicture({
        heap,
        width: paneWidth(state.panes.length),
        changes: done ? changes : undefined,
        pointers: pointersOf(pane),
        written: writtenBy(pane),
        selected,
        onSelect: (block) => select(pane, block),
        title: `${titleOf(name)}: a heap of ${sums.size} bytes; ${plural(sums.usedBlocks, 'block')} used, ${plural(sums.freeBlocks, 'block')} free`,
      })}
    </div>
    <div class="below">
      <div class="side">
        <h3>Free lists</h3>
        ${drawLists(heap)} ${drawTable(heap)}
      </div>
      <div class="source">
        <h3>Source <small data-file=${index}></small></h3>
        ${drawFrames(pane)}
        <div
          class="code-box"
          data-source=${index}
          tabindex="0"
          role="region"
          aria-label="source"
        ></div>
      </div>
    </div>
  </section>`;
}

const sourceViews = [];

/** Shows the lines that have run, in the file where they are. */
export function drawSource(pane, index) {
  const { recording, allocator } = pane;
  const { files, steps, main } = allocator.tables;
  const element = document.querySelector(`[data-source="${index}"]`);
  if (sourceViews[index]?.element !== element)
    sourceViews[index] = new SourceView(element, state.sources);
  const done = state.line === Infinity || state.line >= recording.length;
  const [file, from, to] = done ? [] : steps[recording[state.line].step];
  const ran = recording.slice(0, done ? undefined : state.line).map(({ step }) => steps[step]);
  const shown = done ? files.indexOf(main) : file;
  const counts = new Map();
  for (const [where, first, last] of ran)
    if (where === shown)
      for (let line = first; line <= last; ++line) counts.set(line, (counts.get(line) ?? 0) + 1);
  document.querySelector(`[data-file="${index}"]`).textContent = `lib/${files[shown]}`;
  sourceViews[index].show({
    file: files[shown],
    ran: counts,
    current: done ? undefined : [from, to],
    at: ran.find(([where]) => where === shown)?.[1] ?? 1,
  });
}

export function drawLegend() {
  return html`<ul class="legend" aria-label="legend">
    ${Object.entries(KINDS).map(
      ([kind, text]) =>
        html`<li>
          <svg width="26" height="16" aria-hidden="true">
            <g class="block ${kind}">
              <rect class="fill" width="26" height="16"></rect>
              <rect class="pattern" width="26" height="16"></rect>
              <path class="outline" d="M1,1 H25 V15 H1 z"></path>
            </g></svg
          >${text}
        </li>`,
    )}
  </ul>`;
}
