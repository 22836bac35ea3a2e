// A worker thread of misuse.js: runs programs of the corpus or rounds of the attacker's fuzz, each in a fresh
// instance of the module, and posts what became of each.
import { parentPort, workerData } from 'node:worker_threads';
import { pathToFileURL } from 'node:url';

const { file, module, exits, runs } = workerData;
const { default: create } = await import(pathToFileURL(file));

/** An enum of misuse.c. */
const VERDICTS = ['unnoticed', 'exploited', 'impossible', 'stopped'];

/** When a program was stopped: an enum of misuse.h. */
const MOMENTS = ['at once', 'at free', 'at reuse', 'at exit'];

/** The message of a hardened build. */
const MESSAGE = /^wasmalloc: (.+) \(block 0x[0-9a-f]+\)$/m;

/** What an end by an exception is, that the program has not brought about itself. */
function judgeEnd(error, said) {
  const [message, word] = said.match(MESSAGE) ?? [];
  if (word) return { outcome: 'stopped', word, detail: message };
  const text = String(error.message ?? error);
  // abort() and __builtin_trap(): the allocator has looked, and has seen something.
  const meant = /^Aborted\(|unreachable/.test(text);
  return { outcome: meant ? 'stopped' : 'crashed', detail: said.trim() || text };
}

async function runOne([name, ...args]) {
  let said = '';
  const print = (text) => (said += `${text}\n`);
  const instance = await create({
    print,
    printErr: print,
    instantiateWasm(imports, receive) {
      receive(new WebAssembly.Instance(module, imports), module);
      return {};
    },
  });
  let end;
  const call = (...words) => {
    try {
      instance[`_misuse_${words[0]}`](...words.slice(1));
    } catch (error) {
      end = error;
    }
    return VERDICTS[instance._misuse_verdict()];
  };
  let outcome = call(name, ...args);
  const late = Boolean(instance._misuse_is_late());
  // Whoever has not noticed anything may still do so when the program ends.
  if (outcome === 'unnoticed' && exits) {
    call('exit');
    if (end.name !== 'ExitStatus') outcome = 'stopped';
  }
  const when = MOMENTS[instance._misuse_moment()];
  if (outcome === 'stopped') return { late, when, ...judgeEnd(end, said) };
  // An address is a BigInt in 64-bit memory.
  const detail = instance.UTF8ToString(Number(instance._misuse_explanation()));
  return { outcome, detail, late };
}

for (const run of runs) parentPort.postMessage(await runOne(run));
