// Breaks heaps, in a worker that can be ended. Usage: new Worker('./worker.js', { workerData: { program, places, from,
// cases, seed, progress } }); it posts { answered, trapped } when it is done.
//
// A few heaps are made and kept as pictures of linear memory. Each case puts one of them back, overwrites one to four
// words, and calls everything.
import { parentPort, workerData } from 'node:worker_threads';

const { program, places, from, cases, seed, progress } = workerData;
const counter = new Int32Array(progress);

/** So many heaps are made, by seeds of their own. */
const HEAPS = 16;

/** A module whose memory has grown beyond so many bytes is replaced: memory never shrinks, and to clear it is what takes
 * most of the time. */
const MOST_MEMORY = 8 * 2 ** 20;

/** splitmix64, as in ../c/model.c: the numbers of a case depend on nothing but its seed. */
function randomNumbers(start) {
  let state = BigInt.asUintN(64, BigInt(start) * 0xd1342543de82ef95n + 1n);
  const next = () => {
    state = BigInt.asUintN(64, state + 0x9e3779b97f4a7c15n);
    let mixed = state;
    mixed = BigInt.asUintN(64, (mixed ^ (mixed >> 30n)) * 0xbf58476d1ce4e5b9n);
    mixed = BigInt.asUintN(64, (mixed ^ (mixed >> 27n)) * 0x94d049bb133111ebn);
    return Number((mixed ^ (mixed >> 31n)) & 0xffff_ffffn);
  };
  return { next, below: (bound) => next() % bound };
}

let module;
let stack;
let firstThread;

async function load() {
  const { default: create } = await import(program);
  module = await create({ print: () => {}, printErr: () => {} });
  stack = module.stackSave();
  firstThread = module._broken_thread();
  heaps.clear();
}

const heaps = new Map();

/** Linear memory in the largest words that there are: in shared memory each is copied by itself. */
const wholeMemory = () => new BigInt64Array(module.HEAPU8.buffer);

/** Linear memory up to the last word that is not 0. */
function takePicture() {
  const words = wholeMemory();
  return words.slice(0, 1 + words.findLastIndex((word) => word !== 0n));
}

/** Puts linear memory, and what is not in it, as it is when heap number `which` has been made. */
function restore(which) {
  module.stackRestore(stack);
  module._broken_set_thread(firstThread);
  if (!heaps.has('empty')) heaps.set('empty', takePicture());
  const put = (picture) => {
    const words = wholeMemory();
    words.set(picture);
    words.fill(0n, picture.length);
  };
  if (!heaps.has(which)) {
    put(heaps.get('empty'));
    module._broken_prepare(which + seed * HEAPS);
    heaps.set(which, takePicture());
  }
  put(heaps.get(which));
}

/** The address of a word that is to be overwritten: near a block, anywhere in the heap, or in the variables. */
function choosePlace(random) {
  const choice = random.below(8);
  if (choice < 4) return module._broken_place(random.next());
  if (choice < 6 || places.length === 0) {
    const first = module._broken_first();
    return first + random.below(module._broken_end() - first);
  }
  const { address, size } = places[random.below(places.length)];
  return address + random.below(size);
}

/** What is written there: something else by a bit, nothing, anything, or what could be an address. */
function chooseWord(random, old) {
  switch (random.below(8)) {
    case 0:
    case 1:
      return old ^ (1 << random.below(32));
    case 2:
      return 0;
    case 3:
      return -1;
    case 4:
      return random.next();
    case 5:
      return random.below(512);
    default:
      return choosePlace(random) & -4;
  }
}

function breakWords(random) {
  const words = new Int32Array(module.HEAPU8.buffer);
  for (let left = 1 + random.below(4); left; --left) {
    const index = choosePlace(random) >>> 2;
    if (index > 0 && index < words.length) words[index] = chooseWord(random, words[index]);
  }
}

const counts = { answered: 0, trapped: 0 };

for (let number = from; number < from + cases; ++number) {
  if (!module || module.HEAPU8.length > MOST_MEMORY) await load();
  Atomics.store(counter, 0, number);
  const random = randomNumbers(number + seed * 2 ** 24);
  restore(random.below(HEAPS));
  breakWords(random);
  try {
    module._broken_attack(random.next());
    ++counts.answered;
  } catch (error) {
    // A trap, or what Emscripten makes of abort(). Any other error would be one of this file.
    if (!(error instanceof WebAssembly.RuntimeError)) throw error;
    ++counts.trapped;
  }
}
parentPort.postMessage(counts);
