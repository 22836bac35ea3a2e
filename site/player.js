// What the page shows, and all that can be done with it. Draws nothing: whoever does is told of changes.
// Usage: onChange(draw); state.script = 'a = alloc 24'; await rerun(); await step('line', 1)
import { chapterOf } from './chapters.js';
import { WORD, readPlain } from './memory.js';
import { ScriptError, liveBlocks, readScript } from './script.js';
import { Simulation, loadAllocator } from './simulation.js';
import { workloads } from './workloads.js';

/** Milliseconds from one step to the next. */
export const SPEEDS = [1600, 800, 400, 200, 90, 35];

async function read(file) {
  const response = await fetch(new URL(`../modules/${file}`, import.meta.url));
  if (!response.ok) throw new Error(`cannot load ${file}: HTTP status ${response.status}`);
  return response.arrayBuffer();
}

export const readJson = async (file) => JSON.parse(new TextDecoder().decode(await read(file)));

/** What the page shows. Everything is made of this. */
export const state = {
  rows: [], // of lib/allocators.json
  sources: {}, // of lib/, for display
  names: ['linked'], // the allocators, one or two
  script: '',
  requests: [],
  error: undefined,
  panes: [], // for each allocator: { name, simulation, read, recording }
  call: 0, // so many requests are done, or the last of them is being met
  line: Infinity, // so many statements of it have run; all if it is this large
  playing: false,
  unit: 'call',
  speed: 2,
  selected: undefined, // a block's number
  size: 32, // what the buttons ask for
};

const listeners = [];

/** Has a function called after each change. */
export function onChange(listener) {
  listeners.push(listener);
}

/** Tells of a change. */
export function changed() {
  for (const listener of listeners) listener();
}

/** An allocator's row of lib/allocators.json. */
export function rowOf(name) {
  return state.rows.find((row) => row.name === name);
}

/** An allocator's file, as the page calls it: 2_linked. */
export function titleOf(name) {
  return rowOf(name).file.replace(/\.c$/, '');
}

const allocators = new Map();

/** Reads pictures of an allocator's memory: as it knows how to, or as any row of blocks. */
async function openReader(name) {
  return rowOf(name).reader ? (await import(`./allocators/${name}.js`)).read : readPlain;
}

async function openAllocator(name) {
  if (!allocators.has(name)) {
    const [allocator, reader] = await Promise.all([loadAllocator(name, read), openReader(name)]);
    allocators.set(name, { ...allocator, read: reader });
  }
  return allocators.get(name);
}

// ---- running ----

let last = Promise.resolve();

/** Does one thing after the other, in the order in which they were asked for. */
function inTurn(action) {
  const result = last.then(() => action());
  last = result.catch(() => {}); // whoever asked is told
  return result;
}

/** Does what the reader asks for, which ends playing. */
export function go(action) {
  stop();
  return inTurn(action);
}

/** Goes to a place: so many requests, and so many statements of the last of them. All changes at once. */
async function show({ requests, panes }, call, line) {
  const count = Math.max(0, Math.min(call, requests.length));
  const recordings = await Promise.all(
    panes.map(({ simulation }) => (count ? simulation.record(count - 1) : [])),
  );
  panes.forEach((pane, index) => {
    pane.recording = recordings[index];
  });
  Object.assign(state, { requests, panes, call: count });
  state.line = line >= longest() ? Infinity : Math.max(0, line);
  if (state.selected !== undefined && !liveBlocks(requests, count).has(state.selected))
    state.selected = undefined;
  changed();
}

/** Goes to a place in what has been run. */
export function moveTo(call, line = Infinity) {
  return show(state, call, line);
}

/**
 * Runs the script on the allocators that are chosen, and goes to a place.
 *
 * @param {{ call?: number, line?: number }} [to] where the page is, unless told
 */
export async function rerun({ call = state.call, line = Infinity } = {}) {
  try {
    const requests = readScript(state.script);
    const panes = await Promise.all(
      state.names.map(async (name) => {
        const allocator = await openAllocator(name);
        return { name, allocator, simulation: await Simulation.run(allocator, requests) };
      }),
    );
    state.error = undefined;
    await show({ requests, panes }, call, line);
  } catch (error) {
    if (!(error instanceof ScriptError)) throw error;
    state.error = error;
    changed();
  }
}

/** The statements of the current request, in the allocator where there are most. */
export function longest() {
  return Math.max(0, ...state.panes.map(({ recording }) => recording.length));
}

/** Whether everything has run. */
export const atEnd = () => state.call === state.requests.length && state.line === Infinity;

/**
 * Goes one step.
 *
 * @param {'call' | 'line'} unit
 * @param {1 | -1} direction
 */
export async function step(unit, direction) {
  if (unit === 'call') {
    const back = direction < 0 && state.line !== Infinity;
    return moveTo(back ? state.call - 1 : state.call + (state.line === Infinity ? direction : 0));
  }
  if (direction > 0) {
    if (state.line === Infinity) {
      if (state.call < state.requests.length) await moveTo(state.call + 1, 0);
    } else await moveTo(state.call, state.line + 1);
  } else if (state.line === 0) {
    await moveTo(state.call - 1);
  } else {
    await moveTo(state.call, Math.min(state.line, longest()) - 1);
  }
}

// ---- playing ----

let timer;

function stop() {
  state.playing = false;
  clearTimeout(timer);
}

async function playOn() {
  if (!state.playing) return;
  await step(state.unit, 1);
  if (!state.playing) return;
  if (atEnd()) {
    stop();
    changed();
  } else {
    timer = setTimeout(() => inTurn(playOn), SPEEDS[state.speed]);
  }
}

/** Plays, from the beginning if the end is reached, or pauses. */
export function play() {
  if (state.playing) {
    stop();
    return changed();
  }
  state.playing = true;
  timer = setTimeout(() => inTurn(playOn), SPEEDS[state.speed]);
  return atEnd() ? inTurn(() => moveTo(0)) : changed();
}

// ---- scripts ----

/** Writes a request at the script's end, and runs it. */
export async function append(line) {
  state.script = `${state.script.replace(/\s*$/, '')}\n${line}`.trimStart();
  await rerun({ call: Infinity });
}

/** Begins a script. */
export async function useScript(script) {
  state.script = script;
  state.selected = undefined;
  await rerun({ call: 1 });
}

/** Goes to the chapter on an allocator. */
export async function openChapter(name) {
  // What the reader has written stays; what came from the page is replaced.
  const ready = [...state.rows.map(chapterOf), ...workloads].some(
    ({ script }) => script === state.script,
  );
  state.names = [name, ...state.names.slice(1).filter((other) => other !== name)];
  if (ready || !state.script.trim()) await useScript(chapterOf(rowOf(name)).script);
  else await rerun();
}

// ---- blocks ----

/** Selects the program's block that was clicked. */
export function select(pane, { start, kind, name }) {
  if (kind !== 'used' || name === undefined) return;
  const address = start + WORD;
  for (let i = state.call - 1; i >= 0; --i)
    if (pane.simulation.results[i].answer === address && state.requests[i].kind !== 'sbrk') {
      const { block } = state.requests[i];
      state.selected = state.selected === block ? undefined : block;
      return changed();
    }
}

/** The payload of the selected block in a pane, where the page is. */
export function addressOfSelected(pane) {
  if (state.selected === undefined) return undefined;
  const { results } = pane.simulation;
  for (let i = state.call - 1; i >= 0; --i)
    if (state.requests[i].block === state.selected) return results[i].answer || results[i].before;
  return undefined;
}
