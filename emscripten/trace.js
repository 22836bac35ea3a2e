// JavaScript's part of the recorder (lib/trace.c): the clock, the call stacks, and where the trace goes.
//
// A library for emcc's --js-library, which the port adds for `:trace=1`. In Node the trace goes to a file:
// the environment's WASMALLOC_TRACE, or Module.traceFile, or PROGRAM.trace in the current folder. In a
// browser, and in Node if there is a Module.onTrace, that gets the file piece by piece, each a Uint8Array;
// without it, a page offers the whole file as a download. The trace ends when the program does, or when
// Module.finishTrace() is called, which a page does whose program never ends.
//
// A thread in Node writes to the file itself. In a browser it sends its blocks to the main thread by a
// BroadcastChannel; they have numbers, since those of two threads may arrive in any order.

/* global Module, UTF8ToString, addToLibrary, document, location, require, wasmMemory, wasmallocTrace */

/**
 * The recorder of this thread. Runs inside the program, where nothing else of this file is: emcc keeps
 * the text of each function of a library.
 */
function createRecorder() {
  // The types of blocks, as docs/trace-format.md has them.
  const [DESCRIPTION, STACK, EVENTS, END] = [1, 2, 3, 4];

  // The fields of struct trace in lib/trace.c: places in an array of 32-bit words.
  const [STATE, USED, EVENTS_BEFORE, BLOCKS, STACKS, FILE, NAME, LOCK, HEADER] = [
    0, 1, 2, 4, 5, 6, 7, 8, 10,
  ];
  const OVER = 2;

  /** The names that the recorder's own functions have in a stack. */
  const OWN =
    /^(record(_\w+)?|resize|(emscripten_builtin_|__libc_)?(malloc|calloc|realloc(array)?|memalign|aligned_alloc|posix_memalign|p?valloc|free(_aligned)?(_sized)?))$/;

  const isNode = typeof process == 'object' && !!(process.versions && process.versions.node);
  const origin = performance.timeOrigin * 1000;
  const early = new Map(); // blocks that have arrived before their turn
  const pieces = []; // of the download
  const stackIds = new Map();
  let turn = 0; // the number of the block that is handed on next
  let receive; // in the thread that has begun, where there is no file: gets the blocks of all
  let finish = () => {};
  let failure; // what an uncaught exception says
  let channel;
  let scratch = new Int32Array(0);

  const nodeFs = () =>
    typeof require == 'function' ? require('fs') : process['getBuiltinModule']('fs');

  /** Anew each time: memory may have grown. */
  const fieldsOf = (trace) => new Uint32Array(wasmMemory.buffer, trace, HEADER);

  /** Of a block as 32-bit words, its last one padded with zeroes; see docs/trace-format.md. */
  function checksum(block) {
    let sum = 0;
    for (let i = 0; i < block.length; ++i) {
      // The checksum's own place.
      if (i == 4) continue;
      sum = Math.imul(sum ^ block[i], 0x01000193);
      sum ^= sum >>> 15;
    }
    return sum >>> 0;
  }

  function giveUp(trace, error) {
    fieldsOf(trace)[STATE] = OVER;
    console.error(`wasmalloc: the trace cannot be written: ${error.message}`);
  }

  /** Adds a block to the file. */
  function put(trace, type, content) {
    const number = fieldsOf(trace)[BLOCKS]++;
    // Before the first block is the beginning of the file.
    const start = number ? 0 : 12;
    const length = start + 20 + content.length;
    const words = wordsFor(trace, Math.ceil(length / 4));
    const bytes = new Uint8Array(words.buffer, 0, length);
    if (!number) {
      bytes.set([0x89, 0x77, 0x6d, 0x74, 0x0d, 0x0a, 0x1a, 0x0a]);
      words[2] = 1;
    }
    const block = words.subarray(start / 4, Math.ceil(length / 4));
    block[block.length - 1] = 0;
    block.set([0x6b6c6277, type, number, content.length]);
    bytes.set(content, start + 20);
    block[4] = checksum(block);
    deliver(trace, number, bytes, type == END);
  }

  /** Room for a block: what goes to a file at once can use the same again and again. */
  function wordsFor(trace, length) {
    if ((fieldsOf(trace)[FILE] | 0) < 0) return new Int32Array(length);
    if (scratch.length < length) scratch = new Int32Array(length);
    return scratch;
  }

  /** Takes pairs of names and values: a name in an object could be another one in the program. */
  function putJson(trace, type, pairs) {
    const text = JSON.stringify(Object.fromEntries(pairs));
    put(trace, type, new TextEncoder().encode(text));
  }

  function putEvents(trace) {
    const length = fieldsOf(trace)[USED];
    put(trace, EVENTS, new Uint8Array(wasmMemory.buffer, trace + 4 * HEADER, length));
  }

  function deliver(trace, number, bytes, isLast) {
    const file = fieldsOf(trace)[FILE] | 0;
    if (file >= 0) {
      try {
        for (let at = 0; at < bytes.length;) at += nodeFs().writeSync(file, bytes, at);
        if (isLast) nodeFs().closeSync(file);
      } catch (error) {
        giveUp(trace, error);
      }
    } else if (receive) receive(number, bytes, isLast);
    else channelOf(trace).postMessage([number, bytes, isLast]);
  }

  function channelOf(trace) {
    if (!channel) {
      channel = new BroadcastChannel(`wasmalloc-trace-${fieldsOf(trace)[NAME]}`);
      // In Node, it is no reason to go on.
      if (channel['unref']) channel['unref']();
    }
    return channel;
  }

  function handOn(bytes, isLast, program) {
    if (Module['onTrace']) {
      Module['onTrace'](bytes);
      return;
    }
    pieces.push(new Blob([bytes]));
    if (!isLast) return;
    if (typeof document == 'undefined') {
      console.error('wasmalloc: the trace is lost: a worker cannot offer it; set Module.onTrace');
      return;
    }
    const link = document.createElement('a');
    link.href = URL.createObjectURL(new Blob(pieces));
    link.download = `${program}.trace`;
    link.click();
  }

  /** Puts the blocks in order. */
  function receiveInOrder(program, number, bytes, isLast) {
    early.set(number, [bytes, isLast]);
    for (let block; (block = early.get(turn));) {
      early.delete(turn++);
      handOn(block[0], block[1], program);
      if (block[1] && channel) channel.close();
    }
  }

  /** Where the trace goes in Node. Two programs in one process do not write to one file. */
  function fileName(program) {
    const wish = process.env['WASMALLOC_TRACE'] || Module['traceFile'] || `${program}.trace`;
    const used = (globalThis['wasmallocTraceFiles'] ||= new Map());
    const times = (used.get(wish) || 0) + 1;
    used.set(wish, times);
    return times == 1 ? wish : wish.replace(/(\.[^./\\]*)?$/, (end) => `-${times}${end}`);
  }

  function programName() {
    const script = isNode ? process.argv[1] : globalThis.location && location.pathname;
    return (script || '').replace(/^.*[/\\]/, '').replace(/\.[^.]*$/, '') || 'program';
  }

  function open(trace, allocator, heapBase, flags) {
    const fields = fieldsOf(trace);
    const program = programName();
    fields[FILE] = -1;
    fields[NAME] = Math.random() * 2 ** 32;
    if (isNode && !Module['onTrace']) {
      try {
        fields[FILE] = nodeFs().openSync(fileName(program), 'w');
      } catch (error) {
        giveUp(trace, error);
        return false;
      }
    } else {
      receive = (...block) => receiveInOrder(program, ...block);
      if (fields[LOCK])
        channelOf(trace).onmessage = ({ data }) =>
          data === 'finish' ? finish([['reason', 'exit']]) : receive(...data);
    }
    putJson(trace, DESCRIPTION, [
      ['allocator', allocator],
      ['program', program],
      ['pointerBytes', flags & 4 ? 8 : 4],
      ['heapBase', heapBase],
      ['started', (origin + performance.now() * 1000) / 1000],
      ['stacks', (flags & 1) != 0],
      ['threads', (flags & 2) != 0],
    ]);
    atEnd(trace);
    return true;
  }

  /** Writes what is left, and the end; once. */
  function finishTrace(trace, end) {
    const fields = fieldsOf(trace);
    if (fields[STATE] == OVER) return;
    // Another thread may be at it. None has the lock for long, but one that is no more has it for ever.
    const lock = fields[LOCK] / 4;
    const words = new Int32Array(wasmMemory.buffer);
    for (let i = 0; lock && i < 1e7 && Atomics.compareExchange(words, lock, 0, 1);) ++i;
    putEvents(trace);
    fields[STATE] = OVER;
    const view = new DataView(wasmMemory.buffer, trace);
    const events = view.getFloat64(4 * EVENTS_BEFORE, true) + view.getUint32(4 * HEADER, true);
    putJson(trace, END, [...end, ['events', events]]);
    if (lock) Atomics.store(words, lock, 0);
  }

  /** Sees to it that the trace is complete however the program ends. */
  function atEnd(trace) {
    finish = (end) => finishTrace(trace, end);
    let reason = 'exit';
    const failed = (what, message) => {
      // An abort throws, too, and is told twice.
      reason = what == 'abort' || /^Aborted\(/.test(message) ? 'abort' : 'exception';
      failure = message;
    };
    const ended = (...more) => {
      const message = failure === undefined ? [] : [['message', failure]];
      finish([['reason', reason], ...message, ...more]);
    };
    Module['finishTrace'] = () => ended();
    const before = Module['onAbort'];
    Module['onAbort'] = (what) => {
      failed('abort', `Aborted(${what})`);
      if (!isNode) ended();
      if (before) before(what);
    };
    if (!isNode) return;
    process.on('uncaughtExceptionMonitor', (error) =>
      failed('exception', String((error && error.message) || error)),
    );
    process.on('exit', (status) => ended(['status', status]));
  }

  /** The program has returned, or called exit(). */
  function exit(trace) {
    // In Node, more may come until the process ends.
    if (isNode) return;
    if (receive) finish([['reason', 'exit']]);
    else channelOf(trace).postMessage('finish');
  }

  /** A line of an engine's stack, as a function's name and a place; undefined for what is no call. */
  function frameOf(line) {
    // V8: "at name (place)" or "at place"; others: "name@place".
    const [, name, place] =
      /^\s*at (.*) \((.*)\)$/.exec(line) ||
      /^\s*at ()(.*)$/.exec(line) ||
      /^(.*?)@(.*)$/.exec(line) ||
      [];
    if (place === undefined) return undefined;
    // Of a path only the file; of a module only the function's number and the byte.
    const short = place.replace(/^.*(wasm-function\[)/, '$1').replace(/^.*[/\\]/, '');
    const isModule = short.startsWith('wasm-function');
    // V8 has the module's name before the function's.
    return [isModule, name ? name.replace(/^\S*?\.wasm\./, '') : short, name ? short : ''];
  }

  /** The text of a stack, without the recorder's own frames. */
  function describe(stack) {
    let frames = stack.split('\n').map(frameOf);
    frames = frames.filter((frame) => frame);
    frames = frames.slice(
      Math.max(
        frames.findIndex(([isModule]) => isModule),
        0,
      ),
    );
    for (let i = Math.min(4, frames.length - 1); i >= 0; --i)
      if (OWN.test(frames[i][1])) {
        frames = frames.slice(i + 1);
        break;
      }
    return frames.map(([, name, place]) => (place ? `${name}\t${place}` : name)).join('\n');
  }

  function stackId(trace) {
    const limit = Error.stackTraceLimit;
    Error.stackTraceLimit = 64;
    const { stack } = new Error();
    Error.stackTraceLimit = limit;
    let id = stackIds.get(stack);
    if (id) return id;
    id = ++fieldsOf(trace)[STACKS];
    const text = new TextEncoder().encode(describe(stack));
    const content = new Uint8Array(4 + text.length);
    new DataView(content.buffer).setUint32(0, id, true);
    content.set(text, 4);
    put(trace, STACK, content);
    // Memory has bounds: of so many, those that come again get another id.
    if (stackIds.size > 100_000) stackIds.clear();
    stackIds.set(stack, id);
    return id;
  }

  return { open, putEvents, exit, stackId, now: () => origin + performance.now() * 1000 };
}

addToLibrary({
  $createWasmallocTrace: createRecorder,
  $wasmallocTrace: 'createWasmallocTrace()',
  $wasmallocTrace__deps: ['$createWasmallocTrace'],

  wasmalloc_trace_open__sig: 'ipppi',
  wasmalloc_trace_open__deps: ['$wasmallocTrace', '$UTF8ToString'],
  wasmalloc_trace_open: (trace, allocator, heapBase, flags) =>
    wasmallocTrace.open(trace, UTF8ToString(allocator), heapBase >>> 0, flags) ? 1 : 0,

  wasmalloc_trace_write__sig: 'vp',
  wasmalloc_trace_write__deps: ['$wasmallocTrace'],
  wasmalloc_trace_write: (trace) => wasmallocTrace.putEvents(trace),

  wasmalloc_trace_end__sig: 'vp',
  wasmalloc_trace_end__deps: ['$wasmallocTrace'],
  wasmalloc_trace_end: (trace) => wasmallocTrace.exit(trace),

  wasmalloc_trace_now__sig: 'd',
  wasmalloc_trace_now__deps: ['$wasmallocTrace'],
  wasmalloc_trace_now: () => wasmallocTrace.now(),

  wasmalloc_trace_stack__sig: 'ip',
  wasmalloc_trace_stack__deps: ['$wasmallocTrace'],
  wasmalloc_trace_stack: (trace) => wasmallocTrace.stackId(trace),
});
